/* bench: the form of its output and what it refuses. Times decide nothing here. */
#include "support/support.h"

#include "pith.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

static const char *stories(void)
{
    return test_shared("models/stories260K.gguf");
}

static double number(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_number(v))
        fail_msg("'%s' is no number", key);
    double x = json_number_value(v);
    assert_true(isfinite(x));
    return x;
}

static void expect_row(json_t *row, const char *test, int n, int depth, int batch)
{
    assert_string_equal(json_string_value(json_object_get(row, "test")), test);
    assert_int_equal(json_integer_value(json_object_get(row, "n")), n);
    assert_int_equal(json_integer_value(json_object_get(row, "depth")), depth);
    assert_int_equal(json_integer_value(json_object_get(row, "batch")), batch);
    double tok_s = number(row, "tok_s"), limit = number(row, "limit_tok_s");
    assert_true(tok_s > 0 && limit > 0);
    assert_true(fabs(number(row, "of_limit") - tok_s / limit) <= 1e-6 * tok_s / limit);
    assert_true(number(row, "spread") >= 0);
}

static json_t *parse(test_result r)
{
    json_error_t je;
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    json_t *o = json_loads(r.out, 0, &je);
    if (!o)
        fail_msg("not JSON: %s: %s", je.text, r.out);
    return o;
}

static void json_has_the_machine_and_a_row_for_each_test(void **state)
{
    (void)state;
    json_t *o =
        parse(test_pith(NULL, "bench", stories(), "--pp", "8", "--tg", "4", "--depth", "0,64",
                        "--batch", "1,2", "-r", "3", "--threads", "2", "--json", NULL));
    json_t *machine = json_object_get(o, "machine");
    const char *const limits[] = {"read_gbps", "int8_gops", "bf16_gflops", "f32_gflops"};
    for (int i = 0; i < 4; i++)
        assert_true(number(machine, limits[i]) > 0);
    assert_int_equal(number(machine, "threads"), 2);
    json_t *counted = json_object_get(machine, "counted");
    assert_int_equal(number(counted, "weight_bytes"), 4 * (5 * 45312 + 512 * 64));
    assert_int_equal(number(counted, "head_bytes"), 4 * 512 * 64);
    assert_int_equal(number(counted, "kv_token_bytes"), 5 * 4 * 2 * 16);
    assert_int_equal(number(counted, "f32_ops"), 2 * (5 * 45312 + 512 * 64));
    assert_int_equal(number(counted, "int8_ops"), 0);

    /* The cold row is there where the system lets the file go; then it is the first of seven. */
    json_t *rows = json_object_get(o, "rows");
    size_t n = json_array_size(rows), at = n - 5;
    assert_in_range(n, 6, 7);
    for (size_t i = 0; i < at; i++) {
        json_t *row = json_array_get(rows, i);
        expect_row(row, "open", 5, 0, 1);
        assert_true(number(row, "ms") > 0);
        assert_string_equal(json_string_value(json_object_get(row, "cache")),
                            i + 1 < at ? "cold" : "warm");
    }
    expect_row(json_array_get(rows, at), "prefill", 8, 0, 1);
    expect_row(json_array_get(rows, at + 1), "decode", 4, 0, 1);
    expect_row(json_array_get(rows, at + 2), "decode", 4, 0, 2);
    expect_row(json_array_get(rows, at + 3), "prefill", 8, 64, 1);
    expect_row(json_array_get(rows, at + 4), "decode", 4, 64, 1);

    double peak = number(o, "peak_bytes");
    json_t *memory = json_object_get(machine, "memory");
    assert_true(peak > 0 && number(memory, "peak_bytes") == peak);
    assert_true(number(memory, "beyond_bytes") + number(memory, "file_bytes") +
                    number(memory, "kv_bytes") ==
                peak);
    json_decref(o);
}

static void the_table_says_how_it_was_counted(void **state)
{
    (void)state;
    test_result r =
        test_pith(NULL, "bench", stories(), "--pp", "8,4096", "--tg", "none", "--depth", "0",
                  "--no-open", "-r", "1", "--kv-type", "f32", "--cpu", "ref", NULL);
    const char *const parts[] = {"level ref",
                                 "values f32",
                                 "counted   a step reads 1.04 MB",
                                 "prefill       8      0      1",
                                 "of limit",
                                 "skipped: it needs 4096 tokens of context"};
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(r.out, parts[i]))
            fail_msg("'%s' is not in '%s'", parts[i], r.out);
    assert_string_equal(r.err, ""); // no progress in a pipe
}

static void expect_fail(test_result r, pith_status status, const char *part)
{
    if (r.exit_code != pith_status_exit_code(status) || !strstr(r.err, part))
        fail_msg("exit code %d, expected %d and '%s': %s", r.exit_code,
                 pith_status_exit_code(status), part, r.err);
    assert_string_equal(r.out, "");
    assert_ptr_equal(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
}

static void bad_options_get_one_sentence(void **state)
{
    (void)state;
    const char *m = stories();
    expect_fail(test_pith(NULL, "bench", m, "--pp", "8,x", NULL), PITH_E_ARGUMENT,
                "option '--pp' has value '8,x', expected whole numbers from 1 to");
    expect_fail(test_pith(NULL, "bench", m, "--tg", "0", NULL), PITH_E_ARGUMENT, "'--tg'");
    expect_fail(test_pith(NULL, "bench", m, "--depth", "-1", NULL), PITH_E_ARGUMENT, "'--depth'");
    expect_fail(test_pith(NULL, "bench", m, "--batch", "", NULL), PITH_E_ARGUMENT, "'--batch'");
    expect_fail(test_pith(NULL, "bench", m, "--cpu", "fast", NULL), PITH_E_ARGUMENT, "'fast'");
    expect_fail(test_pith(NULL, "bench", m, "--kv-type", "q4", NULL), PITH_E_ARGUMENT, "'q4'");
    expect_fail(test_pith(NULL, "bench", m, "--kv-type", "q8_0", NULL), PITH_E_UNSUPPORTED, "32");
    expect_fail(test_pith(NULL, "bench", m, "--once", "5", NULL), PITH_E_ARGUMENT, "PROMPT,DECODE");
    expect_fail(test_pith(NULL, "bench", "/nowhere.gguf", NULL), PITH_E_NOT_FOUND, "/nowhere.gguf");
    expect_fail(test_pith(NULL, "bench", NULL), PITH_E_ARGUMENT, "MODEL");
}

static void help_names_the_options(void **state)
{
    (void)state;
    test_result r = test_pith(NULL, "bench", "-h", NULL);
    const char *const names[] = {"--pp",     "--tg",      "--depth",      "--batch", "--kv-type",
                                 "--repeat", "--no-open", "--time-limit", "--json"};
    assert_int_equal(r.exit_code, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(r.out, names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_the_machine_and_a_row_for_each_test),
        cmocka_unit_test(the_table_says_how_it_was_counted),
        cmocka_unit_test(bad_options_get_one_sentence),
        cmocka_unit_test(help_names_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

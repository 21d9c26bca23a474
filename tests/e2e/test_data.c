/* data: the program's check, statistics and split. What each finding means: train-data_check. */
#include "support/support.h"

#include <jansson.h>
#include <string.h>

#include <cmocka.h>

static const char ROWS[] =
    "{\"prompt\":\"Where does the old river go in winter?\",\"completion\":\"To the "
    "lake.\",\"id\":1}\n"
    "{\"prompt\":\"Who painted the little boat?\",\"completion\":\"\",\"id\":2}\n"
    "{\"prompt\":\"Broken\n"
    "{\"prompt\":\"Where does the old river go in winter?\",\"completion\":\"To the "
    "sea.\",\"id\":3}\n";

static const char *rows(void)
{
    const char *path = test_temp("rows.jsonl");
    test_write(path, ROWS, sizeof ROWS - 1);
    return path;
}

static json_t *json_of(test_result r, int exit_code)
{
    json_error_t je;
    json_t *v = json_loads(r.out, 0, &je);
    if (r.exit_code != exit_code || !v)
        fail_msg("exit code %d, expected %d: %s%s", r.exit_code, exit_code, r.err, r.out);
    return v;
}

static void checking(void **state)
{
    (void)state;
    test_result r = test_pith(NULL, "data", "check", rows(), "--model",
                              test_shared("models/stories260K.gguf"), "--examples", "1", NULL);
    assert_int_equal(r.exit_code, 4);
    assert_string_equal(r.err, "");
    assert_non_null(strstr(r.out, "jsonl, prompt (prompt=prompt, completion=completion)\n"));
    assert_non_null(
        strstr(r.out, "error parse, line 3\n  In 1 of 4 rows the row cannot be read: "));
    assert_non_null(strstr(r.out, "error empty-answer, line 2\n"));
    assert_non_null(strstr(r.out, "warning contradiction, line 4\n"));
    assert_non_null(strstr(r.out, "note unused-columns, line 1\n"));
    assert_non_null(strstr(r.out, "winter?[[To the lake.</s>]]"));
    assert_null(strchr(r.out, '\x1b'));
    json_t *o = json_of(test_pith(NULL, "data", "check", rows(), "--json", NULL), 4);
    assert_int_equal(json_integer_value(json_object_get(o, "errors")), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "warnings")), 1);
    json_t *first = json_array_get(json_object_get(o, "findings"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "code")), "parse");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(first, "lines"), 0)), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "stats"), "rows")), 4);
    json_decref(o);
}

static void cleaning(void **state)
{
    (void)state;
    const char *out = test_temp("good.jsonl");
    test_result r = test_pith(NULL, "data", "check", rows(), "--fix", out, NULL);
    assert_int_equal(r.exit_code, 4);
    assert_non_null(
        strstr(r.out, "good.jsonl' holds 2 of 4 rows; dropped: 1 parse, 1 empty-answer.\n"));
    r = test_pith(NULL, "data", "check", out, NULL);
    assert_int_equal(r.exit_code, 0);
    json_t *o = json_of(test_pith(NULL, "data", "stats", out, "--json", NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "stats"), "good")), 2);
    assert_null(json_object_get(o, "findings"));
    json_decref(o);
}

static void splitting(void **state)
{
    (void)state;
    const char *path = test_temp("all.csv");
    static const char table[] = "prompt,completion\na,b\nc,d\ne,f\ng,h\n";
    test_write(path, table, sizeof table - 1);
    json_t *o = json_of(test_pith(NULL, "data", "split", path, "--eval", "25%", "--json", NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "train_rows")), 3);
    assert_int_equal(json_integer_value(json_object_get(o, "eval_rows")), 1);
    assert_string_equal(json_string_value(json_object_get(o, "eval")), test_temp("all.eval.csv"));
    json_decref(o);
    size_t n;
    test_read(test_temp("all.eval.csv"), &n);
    assert_int_equal(n, strlen("prompt,completion\na,b\n"));
    test_result r = test_pith(NULL, "data", "split", path, NULL);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "--force"));
    r = test_pith(NULL, "data", "split", path, "--eval", "half", "--force", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "'half'"));
}

static void words(void **state)
{
    (void)state;
    assert_int_equal(test_pith(NULL, "data", NULL).exit_code, 2);
    assert_int_equal(test_pith(NULL, "data", "-h", NULL).exit_code, 0);
    test_result r = test_pith(NULL, "data", "chekc", "x", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "did you mean 'data check'"));
    r = test_pith(NULL, "data", "check", test_temp("none.jsonl"), NULL);
    assert_int_equal(r.exit_code, 3);
    r = test_pith(NULL, "data", "check", "-h", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "--columns"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(checking), cmocka_unit_test(cleaning),
                                       cmocka_unit_test(splitting), cmocka_unit_test(words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

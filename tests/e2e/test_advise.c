/* advise: what the program says of this machine, for the catalogue and for one model. */
#include "support/support.h"

#include "pith.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *ok_json(test_result r)
{
    json_error_t je;
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    json_t *v = json_loads(r.out, 0, &je);
    if (!v)
        fail_msg("not JSON: %s: %s", je.text, r.out);
    return v;
}

static json_int_t whole(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static double real(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "advise", "code", "--memory", "2", "--min-speed", "0",
                                  "--max-wait", "1000000", "--all", "--json", NULL));
    json_t *models = json_object_get(o, "models"), *m;
    size_t i;
    int fits = 0, too_large = 0;
    json_array_foreach(models, i, m)
    {
        uint64_t memory =
            (uint64_t)(whole(m, "weight_bytes") + whole(m, "kv_bytes") + whole(m, "work_bytes"));
        bool fit = json_is_true(json_object_get(m, "fits"));
        if (fit)
            assert_true(memory <= 2000000000);
        if (strstr(text(m, "why"), "of memory"))
            assert_true(memory > 2000000000);
        fits += fit;
        too_large += !fit && strstr(text(m, "why"), "of memory") != NULL;
        assert_true(real(m, "decode_tok_s") > 0 && real(m, "first_token_s") > 0);
        assert_non_null(strstr(text(m, "pull"), "pith pull hf.co/"));
    }
    assert_true(fits >= 2);      // Qwen2.5-Coder 0.5B and 1.5B
    assert_true(too_large >= 2); // 7B and 14B
    json_decref(o);
}

static void words_choose(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "advise", "--license", "mit", "--ctx", "100000", "--memory",
                                  "1000", "--min-speed", "0", "--max-wait", "1000000", "--type",
                                  "q4_k_m", "--json", NULL));
    json_t *m;
    size_t i;
    json_array_foreach(json_object_get(o, "models"), i, m)
    {
        assert_string_equal(text(m, "license"), "mit");
        assert_string_equal(text(m, "type"), "q4_k_m");
        assert_true(whole(m, "n_ctx_train") >= 100000);
    }
    assert_true(json_array_size(json_object_get(o, "models")) >= 3);
    json_decref(o);
    test_result r = test_pith(NULL, "advise", "sing", NULL);
    assert_int_equal(r.exit_code, pith_status_exit_code(PITH_E_NOT_FOUND));
    assert_non_null(strstr(r.err, "'sing' is no task"));
    r = test_pith(NULL, "advise", "--type", "q9", NULL);
    assert_int_equal(r.exit_code, pith_status_exit_code(PITH_E_ARGUMENT));
}

static void a_known_model_is_shown_in_all_types(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"qwen3 4b", "hf.co/Qwen/Qwen3-4B", "qwen3:4b"};
    for (size_t w = 0; w < 3; w++) {
        json_t *o = ok_json(test_pith(NULL, "advise", WORDS[w], "--memory", "4", "--json", NULL));
        json_t *models = json_object_get(o, "models"), *m;
        size_t i;
        assert_int_equal(json_array_size(models), 6);
        json_array_foreach(models, i, m)
        {
            assert_string_equal(text(m, "name"), "Qwen3 4B");
            if (strcmp(text(m, "type"), "bf16") == 0)
                assert_non_null(strstr(text(m, "why"), "GB of memory"));
        }
        json_decref(o);
    }
}

static void a_model_costs_what_its_plan_says(void **state)
{
    (void)state;
    const char *model = test_source("tests/golden/models/llama32");
    json_t *o =
        ok_json(test_pith(NULL, "advise", model, "-c", "64", "--prompt", "16", "--json", NULL));
    json_t *seen = ok_json(test_pith(NULL, "inspect", model, "-c", "64", "--json", NULL));
    json_t *memory = json_object_get(seen, "memory");
    assert_non_null(memory);
    assert_int_equal(whole(o, "weight_bytes"), whole(memory, "weight_bytes"));
    assert_int_equal(whole(o, "kv_bytes"), whole(memory, "kv_bytes"));
    assert_true(json_is_true(json_object_get(o, "fits")));
    json_decref(o);
    json_decref(seen);
}

int main(void)
{
    setenv("PITH_HOME", test_temp("home"), 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(words_choose),
        cmocka_unit_test(a_known_model_is_shown_in_all_types),
        cmocka_unit_test(a_model_costs_what_its_plan_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

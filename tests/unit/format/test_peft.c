/* peft: what a folder's configuration says, and what is refused. */
#include "support/support.h"

#include <cmocka.h>

#include "format/peft.h"

#include <string.h>

static pith_error err;
static px_arena arena;

static int set_up(void **state)
{
    (void)state;
    px_arena_init(&arena, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    px_arena_clear(&arena);
    return 0;
}

static pith_status parse(const char *text, px_peft_config *out)
{
    px_error_clear(&err);
    return px_peft_parse_config("cfg", text, strlen(text), &arena, out, &err);
}

static void values_and_defaults(void **state)
{
    (void)state;
    px_peft_config c;
    assert_int_equal(parse("{\"peft_type\":\"LORA\"}", &c), PITH_OK);
    assert_true(c.alpha == 8 && c.dropout == 0 && !c.rslora && !c.dora);
    assert_null(c.base_name);
    assert_int_equal(c.n_alphas, 0);
    assert_int_equal(
        parse("{\"peft_type\":\"LORA\",\"lora_alpha\":16.5,\"lora_dropout\":0.05,\"r\":4,"
              "\"use_rslora\":true,\"use_dora\":true,\"use_qalora\":false,\"new_key\":{\"a\":1},"
              "\"alpha_pattern\":{\"up\":3,\"^a\\\\.b\":2},\"rank_pattern\":{\"up\":2},"
              "\"base_model_name_or_path\":\"org/name\",\"modules_to_save\":null,"
              "\"layer_replication\":[],\"init_lora_weights\":\"gaussian\",\"bias\":\"none\"}",
              &c),
        PITH_OK);
    assert_true(c.alpha == 16.5f && c.dropout == 0.05f && c.rslora && c.dora);
    assert_string_equal(c.base_name, "org/name");
    assert_int_equal(c.n_alphas, 2);
    assert_string_equal(c.alphas[0].key, "up");
    assert_true(c.alphas[0].value == 3);
    assert_string_equal(c.alphas[1].key, "^a\\.b");
}

static void what_cannot_be_done_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        pith_status status;
        const char *text;
    } CASES[] = {
        {"", PITH_E_FORMAT, "'peft_type' is"},
        {"\"peft_type\":\"IA3\"", PITH_E_UNSUPPORTED, "type \"IA3\""},
        {"\"peft_type\":\"LORA\",\"use_magic\":true", PITH_E_UNSUPPORTED, "\"use_magic\" is true"},
        {"\"peft_type\":\"LORA\",\"use_magic\":{}", PITH_E_UNSUPPORTED, "\"use_magic\" is {}"},
        {"\"peft_type\":\"LORA\",\"modules_to_save\":[\"lm_head\"]", PITH_E_UNSUPPORTED,
         "has 'modules_to_save'"},
        {"\"peft_type\":\"LORA\",\"layer_replication\":[[0,2]]", PITH_E_UNSUPPORTED,
         "has 'layer_replication'"},
        {"\"peft_type\":\"LORA\",\"alora_invocation_tokens\":[5]", PITH_E_UNSUPPORTED, "aLoRA"},
        {"\"peft_type\":\"LORA\",\"trainable_token_indices\":[5]", PITH_E_UNSUPPORTED,
         "rows of the embedding"},
        {"\"peft_type\":\"LORA\",\"target_parameters\":[\"x\"]", PITH_E_UNSUPPORTED,
         "has 'target_parameters'"},
        {"\"peft_type\":\"LORA\",\"bias\":\"all\"", PITH_E_UNSUPPORTED, "'bias' is \"all\""},
        {"\"peft_type\":\"LORA\",\"lora_bias\":true", PITH_E_UNSUPPORTED, "'lora_bias' is true"},
        {"\"peft_type\":\"LORA\",\"init_lora_weights\":\"pissa_niter_4\"", PITH_E_UNSUPPORTED,
         "changes the model that the adapter belongs to"},
        {"\"peft_type\":\"LORA\",\"lora_alpha\":\"x\"", PITH_E_FORMAT, "'lora_alpha' is a string"},
        {"\"peft_type\":\"LORA\",\"lora_alpha\":1e9", PITH_E_FORMAT, "at most a million"},
        {"\"peft_type\":\"LORA\",\"use_dora\":1", PITH_E_FORMAT, "expected true or false"},
        {"\"peft_type\":\"LORA\",\"alpha_pattern\":[1]", PITH_E_FORMAT, "expected an object"},
        {"\"peft_type\":\"LORA\",\"alpha_pattern\":{\"x\":null}", PITH_E_FORMAT, "numbers"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        px_peft_config c;
        const char *text = test_format("{%s}", CASES[i].members);
        if (parse(text, &c) != CASES[i].status || !strstr(err.text, CASES[i].text) ||
            !strstr(err.text, "'cfg'"))
            fail_msg("%s: status %d, %s", text, (int)err.status, err.text);
    }
    px_peft_config c;
    assert_int_equal(parse("[]", &c), PITH_E_FORMAT);
    assert_int_equal(parse("{", &c), PITH_E_FORMAT);
}

static void folders(void **state)
{
    (void)state;
    const char *folder = test_source("tests/golden/adapters/peft/llama32-dora");
    px_peft p;
    assert_true(px_peft_is_folder(folder));
    assert_false(px_peft_is_folder(test_source("tests/golden/adapters")));
    assert_false(px_peft_is_folder(test_source("tests/golden/adapters/llama32-all.gguf")));
    assert_int_equal(px_peft_open(folder, &p, &err), PITH_OK);
    assert_int_equal(p.file.n_tensors, 42); // A, B and magnitude of 14 matrices
    assert_true(p.config.dora && p.config.alpha == 6);
    px_peft_close(&p);

    const char *pickle = test_temp("adapter_config.json");
    test_write(pickle, "{\"peft_type\":\"LORA\"}", 20);
    test_write(test_temp("adapter_model.bin"), "x", 1);
    const char *slash = strrchr(pickle, '/');
    const char *where = test_format("%.*s", (int)(slash - pickle), pickle);
    px_error_clear(&err);
    assert_int_equal(px_peft_open(where, &p, &err), PITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "pickle"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_and_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_is_said, set_up, tear_down),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests_name("peft", tests, NULL, NULL);
}

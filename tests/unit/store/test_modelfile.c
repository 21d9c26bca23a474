/* modelfile, name: what is read of hostile words. */
#include "support/support.h"

#include "base/mem.h"
#include "store/inside.h"

#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    pith_error err = {0};
    json_t *out = NULL;
    if (store_modelfile_parse("Modelfile", text, strlen(text), &out, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return out;
}

static void expect(const char *text, const char *json)
{
    json_t *got = parse(text), *want = json_loads(json, 0, NULL);
    assert_non_null(want);
    if (!json_equal(got, want))
        fail_msg("%s gives %s", text, json_dumps(got, 0));
    json_decref(got);
    json_decref(want);
}

static void expect_bad(const char *text, const char *part)
{
    pith_error err = {0};
    json_t *out = NULL;
    assert_int_equal(store_modelfile_parse("Modelfile", text, strlen(text), &out, &err),
                     PITH_E_FORMAT);
    assert_null(out);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
}

static void values_are_what_they_seem(void **state)
{
    (void)state;
    expect("FROM a", "{\"from\": \"a\"}");
    expect("from  ./x y.gguf  \n", "{\"from\": \"./x y.gguf\"}");
    expect("FROM a\nPARAMETER temperature 0.5\nPARAMETER seed 42\nPARAMETER num_ctx 4096\n"
           "PARAMETER use_mmap true\nPARAMETER stop AI:\nPARAMETER stop \"a \\\"b\\\"\"",
           "{\"from\": \"a\", \"parameters\": {\"temperature\": 0.5, \"seed\": 42, \"num_ctx\": "
           "4096, \"use_mmap\": true, \"stop\": [\"AI:\", \"a \\\"b\\\"\"]}}");
    expect("FROM a\nSYSTEM \"\"\"two\nlines \"quoted\" \\n\"\"\"\nLICENSE one\nLICENSE "
           "\"\"\"two\"\"\"",
           "{\"from\": \"a\", \"system\": \"two\\nlines \\\"quoted\\\" \\\\n\", \"license\": "
           "[\"one\", \"two\"]}");
    expect("FROM a\nMESSAGE user hello there\nMESSAGE assistant \"\"\"hi\"\"\"\nADAPTER ./l.gguf\n"
           "REQUIRES 0.14.0\nFROM b",
           "{\"from\": \"b\", \"messages\": [{\"role\": \"user\", \"content\": \"hello there\"}, "
           "{\"role\": \"assistant\", \"content\": \"hi\"}], \"adapters\": [\"./l.gguf\"], "
           "\"requires\": \"0.14.0\"}");
    expect("\xEF\xBB\xBF"
           "FROM a\r\n# end",
           "{\"from\": \"a\"}");
}

static void mistakes_name_their_line(void **state)
{
    (void)state;
    expect_bad("", "no FROM line");
    expect_bad("FROM a\nFRUM b", "line 2: unknown instruction 'FRUM'");
    expect_bad("FROM a\n\nSYSTEM \"\"\"never", "line 3: three quotes");
    expect_bad("FROM a\nSYSTEM \"x\" y", "line 2: text behind a closing quote");
    expect_bad("FROM a\nSYSTEM\n", "line 2: a value is missing");
    expect_bad("FROM a\nMESSAGE tool x", "line 2: MESSAGE has another role");
    expect_bad("FROM \xFF", "no UTF-8");
}

static void printing_and_reading_agree(void **state)
{
    (void)state;
    static const char *const SYSTEMS[] = {"plain",      "two\nlines",
                                          "ends in \"", "has \"\"\" inside\n",
                                          " blanks ",   "back\\slash \"and\" quote\n\""};
    for (size_t i = 0; i < sizeof SYSTEMS / sizeof SYSTEMS[0]; i++) {
        store_model m = {0};
        px_buf text = {0};
        assert_int_equal(store_model_init(&m, NULL), PITH_OK);
        assert_int_equal(store_set(&m.path, NULL, "/x/y.gguf"), PITH_OK);
        assert_int_equal(store_set(&m.system, NULL, "%s", SYSTEMS[i]), PITH_OK);
        json_object_set_new(m.parameters, "temperature", json_real(0.25));
        json_object_set_new(m.parameters, "stop", json_pack("[ss]", "\n", "a b"));
        assert_int_equal(store_modelfile_print(&m, &text, NULL), PITH_OK);
        json_t *got = parse(text.data);
        assert_string_equal(store_text(got, "from"), "/x/y.gguf");
        assert_string_equal(store_text(got, "system"), SYSTEMS[i]);
        assert_true(json_equal(json_object_get(got, "parameters"), m.parameters));
        json_decref(got);
        px_buf_clear(&text);
        store_model_clear(&m);
    }
}

static void names_have_one_form(void **state)
{
    (void)state;
    static const char *const SAME[][2] = {
        {"llama3.2", "llama3.2:latest"},
        {"library/llama3.2:1b", "llama3.2:1b"},
        {"registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"},
        {"registry.ollama.ai/me/x", "me/x:latest"},
        {"huggingface.co/Org/Repo:Q4_K_M", "hf.co/Org/Repo:Q4_K_M"},
        {"hf.co/Org/Repo", "hf.co/Org/Repo:latest"},
        {"example.com/a/b/c:d", "example.com/a/b/c:d"},
    };
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++) {
        store_name n;
        assert_int_equal(store_name_parse(SAME[i][0], &n, NULL), PITH_OK);
        assert_string_equal(n.text, SAME[i][1]);
    }
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",        "/",       "a/",    "/a",  "../a",
                                      "a/../b",  "a:",      "a:b:c", "a b", "a/b/c/d/e",
                                      "hf.co/a", ".hidden", "a:x/y", "a\n", "hf.co/a/b/c",
                                      "x.json",  "a:b.json"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        store_name n;
        pith_error err = {0};
        if (store_name_parse(BAD[i], &n, &err) != PITH_E_ARGUMENT)
            fail_msg("'%s' was taken as a name", BAD[i]);
    }
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    store_name n;
    assert_int_equal(store_name_parse(longest, &n, NULL), PITH_E_ARGUMENT);
    assert_false(store_file_name_ok("../x"));
    assert_false(store_file_name_ok(".."));
    assert_false(store_file_name_ok("a/b"));
    assert_true(store_file_name_ok("model-00001-of-00002.safetensors"));
    assert_false(store_digest_ok("sha256:../../../../etc/passwd"));
    assert_false(
        store_digest_ok("sha256:"
                        "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_what_they_seem),  cmocka_unit_test(mistakes_name_their_line),
        cmocka_unit_test(printing_and_reading_agree), cmocka_unit_test(names_have_one_form),
        cmocka_unit_test(bad_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* store: reading names, records, manifests and Modelfiles without memory. */
#include "support/fault.h"
#include "support/support.h"

#include "store/inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char HEX[] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

static void make(const char *name, const char *text)
{
    const char *path = test_temp(name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    test_write(path, text, strlen(text));
}

/* A store of ours and one of Ollama's, each with one model of one byte ("x"). */
static void make_stores(void)
{
    make(test_format("s/blobs/sha256-%s", HEX), "x");
    make("s/models/a/latest.json",
         test_format("{\"pith\": 1, \"from\": \"f\", \"files\": [{\"name\": \"m.gguf\", \"role\": "
                     "\"model\", \"digest\": \"sha256:%s\", \"bytes\": 1}], \"system\": \"s\", "
                     "\"parameters\": {\"stop\": [\"a\"]}, \"details\": {\"family\": \"llama\"}}",
                     HEX));
    make(test_format("o/blobs/sha256-%s", HEX), "x");
    make("o/manifests/registry.ollama.ai/library/b/latest",
         test_format("{\"config\": {\"digest\": \"sha256:%s\"}, \"layers\": [{\"mediaType\": "
                     "\"application/vnd.ollama.image.model\", \"digest\": \"sha256:%s\", \"size\": "
                     "1}, {\"mediaType\": \"application/vnd.ollama.image.system\", \"digest\": "
                     "\"sha256:%s\", \"size\": 1}]}",
                     HEX, HEX, HEX));
}

static pith_status look(void *ctx, pith_error *err)
{
    (void)ctx;
    const store_options o = {.home = test_temp("s"), .ollama = test_temp("o")};
    store_root *s = NULL;
    store_model a = {0}, b = {0}, *list = NULL;
    size_t n = 0;
    px_buf text = {0};
    pith_status status = store_open(&o, &s, err);
    if (status == PITH_OK)
        status = store_resolve(s, "a", true, &a, err);
    if (status == PITH_OK)
        status = store_resolve(s, "b", true, &b, err);
    if (status == PITH_OK)
        status = store_modelfile_print(&b, &text, err);
    if (status == PITH_OK)
        status = store_list(s, &list, &n, NULL, err);
    store_list_free(list, n);
    store_model_clear(&a);
    store_model_clear(&b);
    px_buf_clear(&text);
    store_close(s);
    return status;
}

static void looking_needs_memory(void **state)
{
    (void)state;
    make_stores();
    assert_true(test_fault_each(look, NULL, 400) > 40);
}

static pith_status parse(void *ctx, pith_error *err)
{
    (void)ctx;
    static const char TEXT[] =
        "FROM a\nPARAMETER seed \"42\"\nSYSTEM \"\"\"two\nlines\"\"\"\nPARAMETER stop \"x\"\n"
        "MESSAGE user hi\n";
    json_t *out = NULL;
    pith_status status = store_modelfile_parse("Modelfile", TEXT, sizeof TEXT - 1, &out, err);
    json_decref(out);
    return status;
}

static void a_modelfile_needs_memory(void **state)
{
    (void)state;
    assert_true(test_fault_each(parse, NULL, 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looking_needs_memory),
        cmocka_unit_test(a_modelfile_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

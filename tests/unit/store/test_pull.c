/* pull: whole models from replicas of both registries. */
#include "support/replica.h"
#include "support/support.h"

#include "base/mem.h"
#include "format/gguf_write.h"
#include "store/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct setting {
    test_replica r;
    store_root *s;
    store_job job;
} setting;

static setting set_up(const char *name)
{
    setting t = {.r = test_replica_start(test_format("%s-replica", name))};
    const store_options o = {.home = test_temp(test_format("%s-home", name)), .ollama = ""};
    assert_int_equal(store_open(&o, &t.s, NULL), PITH_OK);
    t.job.registry = t.r.url;
    return t;
}

/* A tiny model as a GGUF file. */
static char *model_bytes(size_t *n)
{
    const char *path = test_temp("tiny.gguf");
    pith_error err = {0};
    if (!test_exists(path) &&
        pith_convert(test_source("tests/golden/models/llama32"), path, NULL, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return test_read(path, n);
}

static void put_model(const setting *t, const char *name)
{
    size_t n = 0;
    char *bytes = model_bytes(&n);
    test_replica_put(&t->r, name, bytes, n);
}

static void put_folder(const setting *t, const char *repo)
{
    static const char *const NAMES[] = {"config.json", "model.safetensors", "tokenizer.json",
                                        "tokenizer_config.json"};
    for (size_t i = 0; i < 4; i++) {
        size_t n = 0;
        char *bytes =
            test_read(test_source(test_format("tests/golden/models/llama32/%s", NAMES[i])), &n);
        test_replica_put(&t->r, test_format("%s/%s", repo, NAMES[i]), bytes, n);
    }
    test_replica_put(&t->r, test_format("%s/README.md", repo), "hello", 5);
    test_replica_put(&t->r, test_format("%s/onnx/model.onnx", repo), "no", 2);
}

static store_model pull(const setting *t, const char *what)
{
    pith_error err = {0};
    char *name = NULL;
    store_model m = {0};
    if (store_pull(t->s, what, &t->job, &name, &err) != PITH_OK ||
        store_resolve(t->s, name, true, &m, &err) != PITH_OK)
        fail_msg("%s: %s", what, err.text);
    px_free(name);
    return m;
}

static void expect_fail(const setting *t, const char *what, pith_status status, const char *part)
{
    pith_error err = {0};
    if (store_pull(t->s, what, &t->job, NULL, &err) != status)
        fail_msg("%s: status %d, expected %d: %s", what, err.status, status, err.text);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
    store_model *list = NULL;
    size_t n = 0;
    assert_int_equal(store_list(t->s, &list, &n, NULL, NULL), PITH_OK);
    assert_int_equal(n, 0); // nothing has a name
    store_list_free(list, n);
}

static void opens(const store_model *m)
{
    pith_model *model = NULL;
    pith_error err = {0};
    if (pith_model_open(m->path, NULL, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
    pith_model_close(model);
}

/* ---- Hugging Face */

static void a_quantization_is_chosen(void **state)
{
    (void)state;
    setting t = set_up("quant");
    static const char *const FILES[] = {"Tiny-Q2_K.gguf", "Tiny-Q4_K_M.gguf", "Tiny-Q4_K_S.gguf",
                                        "mmproj-Tiny-Q4_K_M.gguf", "sub/Tiny-IQ4_XS.gguf"};
    for (size_t i = 0; i < 5; i++)
        put_model(&t, test_format("hub/org/Tiny-GGUF/%s", FILES[i]));
    static const struct {
        const char *what, *name, *file;
    } CASES[] = {
        {"hf.co/org/Tiny-GGUF", "hf.co/org/Tiny-GGUF:latest", "Tiny-Q4_K_M.gguf"},
        {"hf.co/org/Tiny-GGUF:q2_k", "hf.co/org/Tiny-GGUF:q2_k", "Tiny-Q2_K.gguf"},
        {"huggingface.co/org/Tiny-GGUF:Q4_K_S", "hf.co/org/Tiny-GGUF:Q4_K_S", "Tiny-Q4_K_S.gguf"},
        {"hf.co/org/Tiny-GGUF:Tiny-Q2_K.gguf", "hf.co/org/Tiny-GGUF:Tiny-Q2_K.gguf",
         "Tiny-Q2_K.gguf"},
        {"hf.co/org/Tiny-GGUF:IQ4_XS", "hf.co/org/Tiny-GGUF:IQ4_XS", "Tiny-IQ4_XS.gguf"},
        {"https://huggingface.co/org/Tiny-GGUF/blob/main/sub/Tiny-IQ4_XS.gguf?download=true",
         "hf.co/org/Tiny-GGUF:Tiny-IQ4_XS.gguf", "Tiny-IQ4_XS.gguf"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        store_model m = pull(&t, CASES[i].what);
        assert_string_equal(m.name, CASES[i].name);
        assert_string_equal(store_text(json_array_get(m.files, 0), "name"), CASES[i].file);
        assert_string_equal(m.license, "apache-2.0");
        assert_non_null(strstr(m.source, "@0123456789abcdef0123456789abcdef01234567"));
        opens(&m);
        store_model_clear(&m);
    }
    store_close(t.s);
}

static void what_is_not_there_is_listed(void **state)
{
    (void)state;
    setting t = set_up("absent");
    put_model(&t, "hub/org/Tiny-GGUF/Tiny-Q2_K.gguf");
    test_replica_put(&t.r, "hub/org/empty/README.md", "x", 1);
    expect_fail(&t, "hf.co/org/Tiny-GGUF:Q8_0", PITH_E_NOT_FOUND, "it has Tiny-Q2_K.gguf");
    expect_fail(&t, "hf.co/org/none", PITH_E_NOT_FOUND, "/api/models/org/none");
    expect_fail(&t, "hf.co/org/empty", PITH_E_NOT_FOUND, "neither GGUF nor safetensors");
    expect_fail(&t, "hf.co/org", PITH_E_ARGUMENT, "hf.co/ORG/REPO");
    expect_fail(&t, "nothing", PITH_E_NOT_FOUND, "no model 'nothing'");
    expect_fail(&t, "../nothing", PITH_E_ARGUMENT, "no name of a model");
    store_close(t.s);
}

static void a_token_goes_to_the_hub_alone(void **state)
{
    (void)state;
    setting t = set_up("token");
    put_model(&t, "hub/org/Tiny-GGUF/Tiny-Q2_K.gguf");
    t.job.token = "hf_secret";
    store_model m = pull(&t, "hf.co/org/Tiny-GGUF:Q2_K");
    store_model_clear(&m);
    /* The same end of a path: asked at the hub with it, at the host of the redirect without. */
    test_sent sent = test_replica_sent(&t.r, "/Tiny-Q2_K.gguf");
    assert_true(sent.bodies > 0);
    assert_int_equal(sent.with_token, sent.bodies);
    store_close(t.s);
}

static void a_folder_comes_whole(void **state)
{
    (void)state;
    setting t = set_up("folder");
    put_folder(&t, "hub/org/tiny");
    put_model(&t, "hub/org/tiny/consolidated.safetensors"); // a second copy is left out
    store_model m = pull(&t, "hf.co/org/tiny");
    assert_int_equal(json_array_size(m.files), 4);
    assert_non_null(strstr(m.path, "/trees/"));
    assert_string_equal(m.format, "safetensors");
    opens(&m);
    store_model_clear(&m);
    store_close(t.s);
}

static void a_folder_is_quantized_on_the_way(void **state)
{
    (void)state;
    setting t = set_up("smaller");
    uint64_t freed = 0;
    pith_error err = {0};
    put_folder(&t, "hub/org/tiny");
    t.job.quantize = "Q8_0";
    t.job.as = "small:q8";
    store_model m = pull(&t, "hf.co/org/tiny");
    assert_string_equal(m.name, "small:q8");
    assert_int_equal(json_array_size(m.files), 1);
    assert_string_equal(m.quantization, "Q8_0");
    assert_string_equal(m.format, "gguf");
    opens(&m);
    /* What it was made from is not kept. */
    assert_int_equal(store_remove(t.s, "small:q8", &freed, &err), PITH_OK);
    assert_int_equal(freed, m.bytes);
    store_model_clear(&m);
    t.job.quantize = NULL;
    t.job.convert = "f16";
    m = pull(&t, "hf.co/org/tiny");
    assert_string_equal(m.quantization, "F16");
    opens(&m);
    store_model_clear(&m);
    store_close(t.s);
}

static void small_files_are_checked_too(void **state)
{
    (void)state;
    setting t = set_up("small");
    put_folder(&t, "hub/org/tiny");
    test_replica_faults(&t.r, "{\"flip\": 3}");
    expect_fail(&t, "hf.co/org/tiny", PITH_E_MISMATCH, "git blob");
    store_close(t.s);
}

/* Part `no` of two of the tiny model: the first has the metadata, each half of the tensors. */
static void write_part(const px_source *s, int no, const char *path)
{
    px_gguf_writer *w = NULL;
    pith_error err = {0};
    int64_t half = s->n_tensors / 2, from = no ? half : 0, to = no ? s->n_tensors : half;
    bool ok = px_gguf_writer_new(path, 32, &w, &err) == PITH_OK;
    for (int64_t i = 0; ok && no == 0 && i < s->n_metas; i++)
        ok = px_gguf_set_meta(w, &s->metas[i], &err) == PITH_OK;
    ok = ok && px_gguf_set_u32(w, "split.no", (uint32_t)no, &err) == PITH_OK &&
         px_gguf_set_u32(w, "split.count", 2, &err) == PITH_OK;
    for (int64_t i = from; ok && i < to; i++) {
        const px_tensor *t = &s->tensors[i];
        ok = px_gguf_add_tensor(w, t->name, t->dtype, t->n_dims, t->ne, &err) == PITH_OK;
    }
    ok = ok && px_gguf_begin_data(w, &err) == PITH_OK;
    for (int64_t i = from; ok && i < to; i++)
        ok = px_gguf_write_data(w, s->tensors[i].data, s->tensors[i].bytes, &err) == PITH_OK;
    ok = ok && px_gguf_finish(w, &err) == PITH_OK;
    px_gguf_writer_free(w);
    if (!ok)
        fail_msg("%s", err.text);
}

static void all_parts_of_a_split_model_come(void **state)
{
    (void)state;
    setting t = set_up("split");
    pith_error err = {0};
    px_source *s = NULL;
    size_t n = 0;
    (void)model_bytes(&n);
    if (px_source_open(test_temp("tiny.gguf"), NULL, &s, &err) != PITH_OK)
        fail_msg("%s", err.text);
    int64_t n_tensors = s->n_tensors;
    for (int i = 0; i < 2; i++) {
        const char *name = test_format("tiny-q8_0-%05d-of-00002.gguf", i + 1);
        write_part(s, i, test_temp(name));
        char *bytes = test_read(test_temp(name), &n);
        test_replica_put(&t.r, test_format("hub/org/Split-GGUF/q8/%s", name), bytes, n);
    }
    px_source_close(s);
    put_model(&t, "hub/org/Split-GGUF/tiny-q2_k-00001-of-00002.gguf"); // of another one
    store_model m = pull(&t, "hf.co/org/Split-GGUF:q8_0");
    assert_int_equal(json_array_size(m.files), 2);
    pith_model *model = NULL;
    pith_model_info info = PITH_INIT(pith_model_info);
    if (pith_model_open(m.path, NULL, &model, &err) != PITH_OK ||
        pith_model_get_info(model, &info, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_int_equal(info.n_tensors, n_tensors);
    pith_model_close(model);
    store_model_clear(&m);
    store_close(t.s);
}

/* ---- Ollama's registry */

static const char *layer(const setting *t, const char *kind, const void *bytes, size_t n)
{
    const char *hex = test_sha256(bytes, n);
    test_replica_put(&t->r, test_format("blobs/sha256-%s", hex), bytes, n);
    return test_format(
        "{\"mediaType\":\"application/vnd.ollama.image.%s\",\"digest\":\"sha256:%s\","
        "\"size\":%zu}",
        kind, hex, n);
}

static void put_manifest(const setting *t, const char *name, const char *layers)
{
    const char *text = test_format("{\"schemaVersion\":2,\"layers\":[%s]}", layers);
    test_replica_put(&t->r, test_format("library/%s", name), text, strlen(text));
}

static void a_library_model_comes_with_its_words(void **state)
{
    (void)state;
    setting t = set_up("library");
    size_t n = 0;
    char *model = model_bytes(&n);
    put_manifest(&t, "library/tiny/1b",
                 test_format("%s,%s,%s,%s,%s,%s", layer(&t, "model", model, n),
                             layer(&t, "template", "{{ .Prompt }}", 13),
                             layer(&t, "system", "Be brief.", 9),
                             layer(&t, "params", "{\"temperature\":0.5}", 19),
                             layer(&t, "license", "Apache", 6), layer(&t, "license", "More", 4)));
    put_manifest(&t, "me/mine/latest", layer(&t, "model", model, n));
    store_model m = pull(&t, "tiny:1b");
    assert_string_equal(m.name, "tiny:1b");
    assert_string_equal(m.system, "Be brief.");
    assert_string_equal(m.template_go, "{{ .Prompt }}");
    assert_string_equal(m.license, "Apache\nMore");
    assert_true(json_real_value(json_object_get(m.parameters, "temperature")) == 0.5);
    assert_string_equal(test_sha256(test_read(m.path, NULL), n), test_sha256(model, n));
    store_model_clear(&m);
    test_replica_sent(&t.r, "");
    m = pull(&t, "me/mine"); // the same bytes: nothing is fetched
    assert_int_equal(test_replica_sent(&t.r, test_sha256(model, n)).bodies, 0);
    store_model_clear(&m);
    store_close(t.s);
}

static void false_manifests_give_no_model(void **state)
{
    (void)state;
    setting t = set_up("false");
    size_t n = 0;
    char *model = model_bytes(&n);
    const char *good = layer(&t, "model", model, n), *hex = test_sha256(model, n);
    const char *const text = "{\"mediaType\":\"application/"
                             "vnd.ollama.image.model\",\"digest\":\"sha256:%s\",\"size\":%s}";
    put_manifest(&t, "library/cloud/latest", "");
    put_manifest(&t, "library/twice/latest",
                 test_format("%s,%s", good, layer(&t, "model", "x", 1)));
    put_manifest(
        &t, "library/nowhere/latest",
        "{\"mediaType\":\"application/vnd.ollama.image.model\",\"digest\":\"../x\",\"size\":"
        "1}");
    char lie[512];
    snprintf(lie, sizeof lie, text, hex, "1000000000000000");
    put_manifest(&t, "library/huge/latest", lie);
    snprintf(lie, sizeof lie, text, hex, "100");
    put_manifest(&t, "library/short/latest", lie);
    expect_fail(&t, "cloud", PITH_E_UNSUPPORTED, "no GGUF file");
    expect_fail(&t, "nowhere", PITH_E_FORMAT, "SHA-256 digest");
    expect_fail(&t, "huge", PITH_E_IO, "needs 1000000.00 GB more");
    expect_fail(&t, "short", PITH_E_MISMATCH, "expected 100");
    expect_fail(&t, "twice", PITH_E_UNSUPPORTED, "more than one model");
    test_replica_put(&t.r, test_format("blobs/sha256-%s", hex), model, n - 1);
    store_close(t.s);
}

/* ---- addresses and paths */

static void any_address_will_do(void **state)
{
    (void)state;
    setting t = set_up("address");
    size_t n = 0;
    char *model = model_bytes(&n);
    put_model(&t, "files/Tiny Model.Q4.gguf");
    store_model m = pull(&t, test_format("%s/files/Tiny%%20Model.Q4.gguf", t.r.url));
    assert_string_equal(m.name, "tiny-20model.q4:latest");
    opens(&m);
    store_model_clear(&m);
    m = pull(&t, test_format("%s/files/Tiny%%20Model.Q4.gguf#sha256=%s", t.r.url,
                             test_sha256(model, n)));
    store_model_clear(&m);
    t.job.as = "again";
    pith_error err = {0};
    assert_int_equal(store_pull(t.s,
                                test_format("%s/files/Tiny%%20Model.Q4.gguf#sha256=%s", t.r.url,
                                            test_sha256("x", 1)),
                                &t.job, NULL, &err),
                     PITH_E_MISMATCH);
    store_close(t.s);
}

static void what_is_no_model_gets_no_name(void **state)
{
    (void)state;
    setting t = set_up("page");
    test_replica_put(&t.r, "files/page.gguf", "<html>not found</html>", 22);
    expect_fail(&t, test_format("%s/files/page.gguf", t.r.url), PITH_E_FORMAT, "");
    assert_false(test_exists(test_format("%s/blobs/sha256-%s", store_home(t.s),
                                         test_sha256("<html>not found</html>", 22))));
    store_close(t.s);
}

static void a_path_is_imported(void **state)
{
    (void)state;
    setting t = set_up("path");
    size_t n = 0;
    (void)model_bytes(&n);
    store_model m = pull(&t, test_temp("tiny.gguf"));
    assert_string_equal(m.name, "tiny:latest");
    assert_string_equal(m.path, test_temp("tiny.gguf"));
    store_model_clear(&m);
    store_close(t.s);
}

int main(void)
{
    setenv("HF_TOKEN", "", 1); // the developer's own token stays out of this
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantization_is_chosen),
        cmocka_unit_test(what_is_not_there_is_listed),
        cmocka_unit_test(all_parts_of_a_split_model_come),
        cmocka_unit_test(a_token_goes_to_the_hub_alone),
        cmocka_unit_test(a_folder_comes_whole),
        cmocka_unit_test(a_folder_is_quantized_on_the_way),
        cmocka_unit_test(small_files_are_checked_too),
        cmocka_unit_test(a_library_model_comes_with_its_words),
        cmocka_unit_test(false_manifests_give_no_model),
        cmocka_unit_test(any_address_will_do),
        cmocka_unit_test(what_is_no_model_gets_no_name),
        cmocka_unit_test(a_path_is_imported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

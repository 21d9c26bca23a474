/* Reading whole GGUF files: the real ones of the shared folder, and typed getters on them. */
#include "gguf_bytes.h"

static void reads_stories260k(void **state)
{
    (void)state;
    pith_error err = {0};
    px_source *s;
    const char *path = test_shared("models/stories260K.gguf");
    assert_int_equal(px_source_open(path, NULL, &s, &err), PITH_OK);
    assert_int_equal(s->kind, PX_SOURCE_GGUF);
    assert_int_equal(s->version, 3);
    assert_int_equal(s->alignment, 32);
    assert_int_equal(s->n_files, 1);
    assert_string_equal(s->files[0], path);
    assert_int_equal(s->n_metas, 19);
    assert_int_equal(s->n_tensors, 48);
    assert_false(s->rope_halves);

    int64_t i = -1;
    assert_int_equal(px_source_get_int(s, "%s.block_count", true, 1, 1024, &i, &err), PITH_OK);
    assert_int_equal(i, 5);
    assert_int_equal(px_source_get_int(s, "%s.embedding_length", true, 1, 1024, &i, &err), PITH_OK);
    assert_int_equal(i, 64);
    double f = 0;
    assert_int_equal(
        px_source_get_float(s, "%s.attention.layer_norm_rms_epsilon", true, 0, 1, &f, &err),
        PITH_OK);
    assert_true(f == (double)1e-5f);
    px_str arch;
    assert_int_equal(px_source_get_str(s, "general.architecture", true, &arch, &err), PITH_OK);
    assert_true(px_str_is(arch, "llama"));

    px_meta_array tokens;
    assert_int_equal(
        px_source_get_array(s, "tokenizer.ggml.tokens", true, PX_META_STRING, 512, &tokens, &err),
        PITH_OK);
    const uint8_t *at = tokens.data;
    px_str token = {0};
    for (int k = 0; k < 4; k++)
        assert_true(px_meta_next_str(&tokens, &at, &token));
    assert_true(px_str_is(token, "<0x00>"));
    int n = 4;
    while (px_meta_next_str(&tokens, &at, &token))
        n++;
    assert_int_equal(n, 512);

    const px_tensor *t = px_source_tensor(s, "token_embd.weight");
    assert_non_null(t);
    assert_int_equal(t->dtype, PX_F32);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->ne[0], 64);
    assert_int_equal(t->ne[1], 512);
    assert_int_equal(t->ne[2], 1);
    assert_int_equal(t->bytes, 64 * 512 * 4);
    assert_int_equal(t->file, 0);
    assert_int_equal(t->fix, PX_FIX_NONE);
    assert_null(px_source_tensor(s, "token_embd"));
    assert_null(px_source_meta(s, "general.archi"));
    for (int64_t k = 0; k < s->n_tensors; k++)
        assert_ptr_equal(px_source_tensor(s, s->tensors[k].name), &s->tensors[k]);
    for (int64_t k = 0; k < s->n_metas; k++)
        assert_ptr_equal(px_source_meta(s, s->metas[k].key), &s->metas[k]);
    px_source_close(s);
}

static void getters_name_what_is_wrong(void **state)
{
    (void)state;
    pith_error err = {0};
    px_source *s;
    const char *path = test_shared("models/stories260K.gguf");
    assert_int_equal(px_source_open(path, NULL, &s, &err), PITH_OK);
    int64_t i = 7;
    assert_int_equal(px_source_get_int(s, "%s.absent", false, 0, 9, &i, &err), PITH_OK);
    assert_int_equal(i, 7);
    assert_int_equal(px_source_get_int(s, "%s.absent", true, 0, 9, &i, &err), PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "stories260K.gguf' has no key 'llama.absent'"));

    err = (pith_error){0};
    assert_int_equal(px_source_get_int(s, "%s.block_count", true, 6, 9, &i, &err), PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "key 'llama.block_count' is 5, expected 6 to 9"));

    err = (pith_error){0};
    assert_int_equal(px_source_get_int(s, "tokenizer.ggml.tokens", true, 0, 1, &i, &err),
                     PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "has type array of string, expected an integer"));

    err = (pith_error){0};
    double f;
    assert_int_equal(
        px_source_get_float(s, "%s.attention.layer_norm_rms_epsilon", true, 1, 2, &f, &err),
        PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "is 1e-05, expected 1 to 2"));

    err = (pith_error){0};
    bool b;
    assert_int_equal(px_source_get_bool(s, "general.architecture", &b, &err), PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "has type string, expected bool"));

    err = (pith_error){0};
    px_meta_array a;
    assert_int_equal(
        px_source_get_array(s, "tokenizer.ggml.tokens", true, PX_META_STRING, 513, &a, &err),
        PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "has 512 elements, expected 513"));
    err = (pith_error){0};
    assert_int_equal(
        px_source_get_array(s, "tokenizer.ggml.tokens", true, PX_META_I32, -1, &a, &err),
        PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "has type array of string, expected array of i32"));
    px_source_close(s);
}

static void reads_vocabularies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t n;
    } FILES[] = {{"llama-spm", 32000},
                 {"phi-3", 32064},
                 {"gpt-2", 50257},
                 {"bert-bge", 30522},
                 {"deepseek-llm", 102400}};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        const char *path =
            test_shared(test_format("tokenizers/vocab_gguf/ggml-vocab-%s.gguf", FILES[i].name));
        pith_error err = {0};
        px_source *s;
        assert_int_equal(px_source_open(path, NULL, &s, &err), PITH_E_FORMAT);
        assert_null(s);
        assert_non_null(strstr(err.text, "holds no tensors"));
        err = (pith_error){0};
        px_source_options options = {.tensors_optional = true};
        assert_int_equal(px_source_open(path, &options, &s, &err), PITH_OK);
        px_meta_array tokens;
        assert_int_equal(px_source_get_array(s, "tokenizer.ggml.tokens", true, PX_META_STRING,
                                             (int64_t)FILES[i].n, &tokens, &err),
                         PITH_OK);
        px_source_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_stories260k),
        cmocka_unit_test(getters_name_what_is_wrong),
        cmocka_unit_test(reads_vocabularies),
    };
    return cmocka_run_group_tests_name("gguf", tests, NULL, NULL);
}

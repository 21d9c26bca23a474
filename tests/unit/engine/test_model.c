/* model: what is told of a model, metadata as JSON, tokens, and files that are refused. */
#include "stories.h"

#include "engine/model.h"
#include "format/gguf_write.h"

#include <dirent.h>
#include <jansson.h>

static void the_model_as_it_states_itself(void **state)
{
    (void)state;
    need_model();
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_ok(pith_model_get_info(model, &info, &err));
    assert_string_equal(info.path, stories_path());
    assert_string_equal(info.format, "GGUF v3");
    assert_string_equal(info.architecture, "llama");
    assert_string_equal(info.family, "LLaMA");
    assert_string_equal(info.name, "llama");
    assert_string_equal(info.license, "");
    assert_string_equal(info.origin, "");
    assert_string_equal(info.warnings, "");
    assert_int_equal(info.n_layers, 5);
    assert_int_equal(info.n_vocab, 512);
    assert_int_equal(info.n_ctx_train, 128);
    assert_int_equal(info.width, 64);
    assert_int_equal(info.n_heads, 8);
    assert_int_equal(info.n_kv_heads, 4);
    assert_int_equal(info.head_dim, 8);
    assert_int_equal(info.value_dim, 8);
    assert_int_equal(info.ffn, 172);
    assert_int_equal(info.file_bytes, 1185376);
    assert_int_equal(info.weight_bytes, 4 * info.n_parameters);
    assert_int_equal(info.n_metas, 19);
    /* 5 layers of 9 tensors, embedding, output norm and head. */
    assert_int_equal(info.n_tensors, 48);
    int64_t layer = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 172 + 2 * 64;
    assert_int_equal(info.n_parameters, 5 * layer + 2 * 512 * 64 + 64);
}

static void tensors_in_file_order(void **state)
{
    (void)state;
    need_model();
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_ok(pith_model_get_info(model, &info, &err));
    uint64_t bytes = 0;
    bool down = false;
    pith_tensor_info t = PITH_INIT(pith_tensor_info);
    for (int64_t i = 0; i < info.n_tensors; i++) {
        assert_ok(pith_model_get_tensor(model, i, &t, &err));
        assert_string_equal(t.dtype, "f32");
        assert_string_equal(t.file, stories_path());
        assert_true(t.offset + t.bytes <= info.file_bytes);
        bytes += t.bytes;
        if (strcmp(t.name, "blk.3.ffn_down.weight") == 0) {
            down = true;
            assert_int_equal(t.n_dims, 2);
            assert_int_equal(t.shape[0], 64); // rows
            assert_int_equal(t.shape[1], 172);
            assert_int_equal(t.bytes, 64 * 172 * 4);
        }
    }
    assert_true(down);
    assert_int_equal(bytes, info.weight_bytes);
    assert_refused(pith_model_get_tensor(model, info.n_tensors, &t, &err), PITH_E_NOT_FOUND,
                   "tensor 48 of 48");
    assert_refused(pith_model_get_tensor(model, -1, &t, &err), PITH_E_NOT_FOUND, "-1");
}

static void metadata_is_json(void **state)
{
    (void)state;
    need_model();
    static const char *const expected[][2] = {
        {"tokenizer.ggml.tokens", "[\"<unk>\",\"<s>\",\"...\"]"},
        {"tokenizer.ggml.scores", "[0.0,0.0,\"...\"]"},
        {"general.architecture", "\"llama\""},
        {"llama.context_length", "128"},
        {"llama.attention.layer_norm_rms_epsilon", "1e-05"},
    };
    size_t found = 0;
    for (int64_t i = 0; i < 19; i++) {
        const char *key;
        pith_text value;
        assert_ok(pith_model_get_meta(model, i, 2, &key, &value, &err));
        assert_int_equal(strlen(value.data), value.len);
        for (size_t k = 0; k < sizeof expected / sizeof expected[0]; k++)
            if (strcmp(key, expected[k][0]) == 0) {
                assert_string_equal(value.data, expected[k][1]);
                found++;
            }
        pith_text_free(&value);
        assert_ok(pith_model_get_meta(model, i, -1, &key, &value, &err));
        json_t *json = json_loadb(value.data, value.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        if (strcmp(key, "tokenizer.ggml.tokens") == 0)
            assert_int_equal(json_array_size(json), 512);
        json_decref(json);
        pith_text_free(&value);
    }
    assert_int_equal(found, sizeof expected / sizeof expected[0]);
    const char *key;
    pith_text value;
    assert_refused(pith_model_get_meta(model, 19, 2, &key, &value, &err), PITH_E_NOT_FOUND, "19");
    assert_null(value.data);
}

static void assert_json(px_meta meta, int64_t max_items, const char *expected)
{
    px_buf out = {0};
    px_meta_put_json(&meta, max_items, &out);
    if (out.len != strlen(expected) || memcmp(out.data, expected, out.len) != 0)
        fail_msg("'%s', expected '%s'", out.data ? out.data : "", expected);
    px_buf_clear(&out);
}

static px_meta text_meta(const char *bytes, size_t n)
{
    return (px_meta){.type = PX_META_STRING, .str = {bytes, n}};
}

static void any_value_is_valid_json(void **state)
{
    (void)state;
    assert_json(text_meta("a\"\\\n\t\x01\x7f/", 8), -1, "\"a\\\"\\\\\\n\\t\\u0001\\u007f/\"");
    assert_json(text_meta("\0", 1), -1, "\"\\u0000\"");
    assert_json(
        text_meta("\xc3\xa9\xff\xe2\x82x\xed\xa0\x80", 9), -1,
        "\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_json(text_meta(NULL, 0), -1, "\"\"");
    assert_json((px_meta){.type = PX_META_F32, .f = (double)0.1f}, -1, "0.1");
    assert_json((px_meta){.type = PX_META_F64, .f = 0.1}, -1, "0.1");
    assert_json((px_meta){.type = PX_META_F32, .f = 1e30}, -1, "1e+30");
    assert_json((px_meta){.type = PX_META_F32, .f = 10000}, -1, "1e+04");
    assert_json((px_meta){.type = PX_META_F64, .f = -3}, -1, "-3.0");
    assert_json((px_meta){.type = PX_META_F32, .f = NAN}, -1, "null");
    assert_json((px_meta){.type = PX_META_F64, .f = -INFINITY}, -1, "null");
    assert_json((px_meta){.type = PX_META_U64, .u = UINT64_MAX}, -1, "18446744073709551615");
    assert_json((px_meta){.type = PX_META_I64, .i = INT64_MIN}, -1, "-9223372036854775808");
    assert_json((px_meta){.type = PX_META_BOOL, .b = true}, -1, "true");
    assert_json((px_meta){.type = (px_meta_type)99}, -1, "null");
    static const uint8_t i16[] = {1, 0, 0xff, 0xff, 0, 0x80};
    px_meta array = {.type = PX_META_ARRAY, .array = {PX_META_I16, 3, i16, sizeof i16}};
    assert_json(array, -1, "[1,-1,-32768]");
    assert_json(array, 3, "[1,-1,-32768]");
    assert_json(array, 2, "[1,-1,\"...\"]");
    assert_json(array, 0, "[\"...\"]");
    array.array.n = 0;
    array.array.bytes = 0;
    assert_json(array, 0, "[]");
    static const uint8_t u64[] = {255, 255, 255, 255, 255, 255, 255, 255};
    array.array = (px_meta_array){PX_META_U64, 1, u64, 8};
    assert_json(array, -1, "[18446744073709551615]");
    /* [[1, 2], ["x"], []]: type, count, elements each. */
    static const uint8_t nested[] = {0, 0, 0,   0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 8, 0,
                                     0, 0, 1,   0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
                                     0, 0, 'x', 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    array.array = (px_meta_array){PX_META_ARRAY, 3, nested, sizeof nested};
    assert_json(array, -1, "[[1,2],[\"x\"],[]]");
    assert_json(array, 1, "[[1,\"...\"],\"...\"]");
}

/* ---- tokenizer */

static void text_to_tokens_and_back(void **state)
{
    (void)state;
    need_model();
    const pith_tokenizer *tok = pith_model_tokenizer(model);
    assert_non_null(tok);
    pith_tokenizer_info info = PITH_INIT(pith_tokenizer_info);
    assert_ok(pith_tokenizer_get_info(tok, &info, &err));
    assert_string_equal(info.kind, "SentencePiece BPE");
    assert_string_equal(info.pre, "");
    assert_int_equal(info.n_vocab, 512);
    assert_int_equal(info.bos, 1);
    assert_int_equal(info.eos, 2);
    assert_int_equal(info.unk, 0);
    assert_true(info.adds_bos && !info.adds_eos);
    int32_t ids_[64], few[2];
    uint32_t ends[64];
    int64_t n, m;
    static const char text[] = "Once upon a time </s>";
    assert_ok(pith_tokenize(tok, text, strlen(text), 0, ids_, ends, 64, &n, &err));
    assert_true(n > 6 && ids_[0] == 1 && ends[0] == 0 && ends[n - 1] == strlen(text));
    for (int64_t i = 1; i < n; i++)
        assert_true(ends[i] >= ends[i - 1] && ids_[i] != 2);
    assert_ok(pith_tokenize(tok, text, strlen(text), 0, few, NULL, 2, &m, &err));
    assert_int_equal(m, n);
    assert_memory_equal(few, ids_, sizeof few);
    assert_ok(pith_tokenize(tok, text, strlen(text), PITH_TOKENIZE_NO_BOS, few, NULL, 2, &m, &err));
    assert_int_equal(m, n - 1);
    assert_int_equal(few[0], ids_[1]);
    pith_text back;
    assert_ok(pith_detokenize(tok, ids_, n, false, &back, &err));
    assert_string_equal(back.data, text);
    pith_text_free(&back);
    assert_ok(
        pith_tokenize(tok, text, strlen(text), PITH_TOKENIZE_SPECIAL, ids_, NULL, 64, &n, &err));
    assert_int_equal(ids_[n - 1], 2);
    assert_true(pith_token_is_end(tok, 2) && !pith_token_is_end(tok, 1));
    assert_false(pith_token_is_end(tok, 512) || pith_token_is_end(tok, -1));
    assert_int_equal(pith_token_find(tok, "</s>", 4), 2);
    assert_int_equal(pith_token_find(tok, "no such token", 13), -1);
    assert_null(pith_token_bytes(tok, 512, true).data);
    assert_null(pith_token_bytes(tok, -1, true).data);
    assert_int_equal(pith_token_bytes(tok, 2, true).len, 4);
    assert_int_equal(pith_token_bytes(tok, 2, false).len, 0);
    ids_[0] = 512;
    assert_refused(pith_detokenize(tok, ids_, 1, false, &back, &err), PITH_E_ARGUMENT,
                   "token 0 has id 512, expected 0 to 511");
    assert_refused(pith_tokenize(tok, text, 3, 99, ids_, NULL, 64, &n, &err), PITH_E_ARGUMENT,
                   "flags are 0x63");
}

static void the_vocabulary_alone(void **state)
{
    (void)state;
    pith_model *words;
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = PITH_OPEN_NO_WEIGHTS;
    assert_ok(pith_model_open(test_shared("tokenizers/vocab_gguf/ggml-vocab-llama-spm.gguf"), &o,
                              &words, &err));
    assert_non_null(pith_model_tokenizer(words));
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_ok(pith_model_get_info(words, &info, &err));
    assert_int_equal(info.n_vocab, 32000);
    assert_int_equal(info.n_layers, 0);
    pith_model_close(words);
    o.flags = 0;
    assert_int_not_equal(
        pith_model_open(test_shared("tokenizers/vocab_gguf/ggml-vocab-llama-spm.gguf"), &o, &words,
                        &err),
        PITH_OK);
    assert_null(words);
}

static void without_a_tokenizer(void **state)
{
    (void)state;
    pith_model *bare;
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = PITH_OPEN_NO_TOKENIZER;
    assert_ok(pith_model_open(stories_path(), &o, &bare, &err));
    assert_null(pith_model_tokenizer(bare));
    const char *name = "x";
    assert_null(pith_model_template(bare, &name));
    assert_null(name);
    pith_chat chat;
    assert_refused(pith_chat_tokenize(bare, "{}", 2, &chat, &err), PITH_E_NOT_FOUND, "tokenizer");
    /* It computes all the same; stop strings and text scores need tokens' text. */
    pith_engine *e;
    assert_ok(pith_engine_new(bare, NULL, &e, &err));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    const int32_t tokens[] = {1, 403, 407};
    static said out;
    memset(&out, 0, sizeof out);
    pith_sampling greedily = PITH_INIT(pith_sampling);
    assert_ok(pith_sampling_init(&greedily, bare, &err));
    greedily.temperature = 0;
    greedily.dry_multiplier = 0.5f; // without breakers then
    pith_request r = PITH_INIT(pith_request);
    r.tokens = tokens;
    r.n_tokens = 3;
    r.max_tokens = 5;
    r.sampling = &greedily;
    r.on_event = hear;
    r.user = &out;
    assert_ok(pith_generate(s, &r, NULL, &err));
    assert_int_equal(out.n, 5);
    assert_int_equal(out.len, 0);
    const pith_str stop = {"x", 1};
    r.stops = &stop;
    r.n_stops = 1;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_UNSUPPORTED, "stop strings need");
    pith_score score = PITH_INIT(pith_score);
    assert_refused(pith_score_text(e, "a b", 3, &score, NULL, NULL, &err), PITH_E_UNSUPPORTED,
                   "no tokenizer");
    pith_session_free(s);
    pith_engine_free(e);
    pith_model_close(bare);
}

/* ---- what files recommend */

static void sampling_as_the_model_recommends(void **state)
{
    (void)state;
    need_model();
    const char *path = test_temp("advice.gguf");
    px_gguf_writer *w;
    px_source *source;
    assert_ok(px_source_open(stories_path(), NULL, &source, &err));
    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    for (int64_t i = 0; i < source->n_metas; i++)
        assert_ok(px_gguf_set_meta(w, &source->metas[i], &err));
    assert_ok(px_gguf_set_f32(w, "general.sampling.temp", 0.25f, &err));
    assert_ok(px_gguf_set_i32(w, "general.sampling.top_k", 11, &err));
    assert_ok(px_gguf_set_f32(w, "general.sampling.top_p", 7, &err)); // nonsense
    assert_ok(px_gguf_set_f32(w, "general.sampling.penalty_repeat", 1.5f, &err));
    assert_ok(px_gguf_set_str(w, "general.sampling.sequence", px_str_of("temp;top_k"), &err));
    assert_ok(px_gguf_set_str(w, "general.license", px_str_of("a\x1b[31m\xff"), &err));
    for (int64_t i = 0; i < source->n_tensors; i++)
        assert_ok(px_gguf_add_tensor(w, source->tensors[i].name, source->tensors[i].dtype,
                                     source->tensors[i].n_dims, source->tensors[i].ne, &err));
    assert_ok(px_gguf_begin_data(w, &err));
    for (int64_t i = 0; i < source->n_tensors; i++)
        assert_ok(px_gguf_write_data(w, source->tensors[i].data, source->tensors[i].bytes, &err));
    assert_ok(px_gguf_finish(w, &err));
    px_gguf_writer_free(w);
    px_source_close(source);
    pith_model *advised;
    assert_ok(pith_model_open(path, NULL, &advised, &err));
    pith_sampling s = PITH_INIT(pith_sampling);
    assert_ok(pith_sampling_init(&s, advised, &err));
    assert_true(s.temperature == 0.25f && s.top_k == 11 && s.repeat_penalty == 1.5f);
    assert_true(s.top_p == 0.95f && s.min_p == 0.05f);
    assert_string_equal(s.order, "temp;top_k");
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_ok(pith_model_get_info(advised, &info, &err));
    assert_non_null(strstr(info.warnings, "general.sampling.top_p"));
    assert_null(strchr(info.warnings, '\n'));
    assert_string_equal(info.license, "a?[31m?");
    pith_model_close(advised);
    assert_ok(pith_sampling_init(&s, NULL, &err));
    assert_true(s.temperature == 0.8f && s.top_k == 40 && s.order == NULL);
}

/* ---- refusing */

static int count_maps(const char *name)
{
    char line[4096];
    int n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, name) != NULL;
    fclose(f);
    return n;
}

static int count_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void refused_files_leave_nothing_behind(void **state)
{
    (void)state;
    size_t n;
    const char *bytes = test_read(stories_path(), &n);
    const char *path = test_temp("cut.gguf");
    int files = count_files();
    for (size_t cut = 0; cut < n; cut += cut < 12000 ? 997 : 100003) {
        test_write(path, bytes, cut);
        pith_model *m = (pith_model *)&n;
        err = (pith_error){0};
        pith_status st = pith_model_open(path, NULL, &m, &err);
        assert_true(st == PITH_E_FORMAT && err.status == st && m == NULL);
        assert_non_null(strstr(err.text, "cut.gguf"));
    }
    assert_int_equal(count_maps("cut.gguf"), 0);
    assert_int_equal(count_files(), files);
    pith_model *m;
    assert_refused(pith_model_open(test_temp("absent.gguf"), NULL, &m, &err), PITH_E_NOT_FOUND,
                   "absent.gguf");
    assert_refused(pith_model_open("", NULL, &m, &err), PITH_E_ARGUMENT, "no path");
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = 64;
    assert_refused(pith_model_open(stories_path(), &o, &m, &err), PITH_E_ARGUMENT, "0x40");
    o = PITH_INIT(pith_model_options);
    o.size = 1 << 20;
    assert_refused(pith_model_open(stories_path(), &o, &m, &err), PITH_E_ARGUMENT, "size");
    struct {
        pith_model_options o;
        int newer;
    } future = {PITH_INIT(pith_model_options), 1};
    future.o.size = sizeof future;
    assert_refused(pith_model_open(stories_path(), &future.o, &m, &err), PITH_E_UNSUPPORTED,
                   "does not know");
    future.newer = 0;
    assert_ok(pith_model_open(stories_path(), &future.o, &m, &err));
    pith_model_close(m);
    pith_model_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_as_it_states_itself),
        cmocka_unit_test(tensors_in_file_order),
        cmocka_unit_test(metadata_is_json),
        cmocka_unit_test(any_value_is_valid_json),
        cmocka_unit_test(text_to_tokens_and_back),
        cmocka_unit_test(the_vocabulary_alone),
        cmocka_unit_test(without_a_tokenizer),
        cmocka_unit_test(sampling_as_the_model_recommends),
        cmocka_unit_test(refused_files_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

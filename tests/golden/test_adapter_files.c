/*
 * Adapters from one form to the other and back, into weights, and looked at without a model. The
 * folders are those that PEFT saved (adapters/make_peft.py); what PEFT and llama.cpp make of files
 * that pith writes is checked by adapters/check_written.py.
 */
#include "support/support.h"

#include <cmocka.h>

#include "pith.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pith_error err;
static const int32_t TOKENS[] = {5, 17, 40, 61, 22, 9, 33, 48, 70, 12, 3, 27};
enum { N_TOKENS = sizeof TOKENS / sizeof TOKENS[0] };

static void ok(pith_status status)
{
    if (status != PITH_OK)
        fail_msg("%s", err.text);
}

static const char *folder_of(const char *model)
{
    return test_source(test_format("tests/golden/models/%s", model));
}

static const char *adapter_of(const char *name)
{
    return test_source(test_format("tests/golden/adapters/%s", name));
}

static pith_model *open_model(const char *path)
{
    pith_model *m;
    ok(pith_model_open(path, NULL, &m, &err));
    return m;
}

static pith_adapter_file *open_file(const char *path)
{
    pith_adapter_file *f;
    ok(pith_adapter_file_open(path, &f, &err));
    return f;
}

static void save(const char *from, const pith_model *m, const char *to, const char *form)
{
    pith_adapter_file *f = open_file(from);
    ok(pith_adapter_file_save(f, m, to, form, NULL, &err));
    pith_adapter_file_close(f);
}

/* ---- round trips */

static void expect_same_file(const char *folder_a, const char *folder_b)
{
    size_t n, m;
    char *a = test_read(test_format("%s/adapter_model.safetensors", folder_a), &n);
    char *b = test_read(test_format("%s/adapter_model.safetensors", folder_b), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
}

/* f32 folders come back byte for byte, by way of a GGUF file with other rows, from a model of
 * either form. */
static void peft_to_gguf_and_back_is_exact(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {{"llama32", "peft/llama32-plain"},
                                           {"llama32", "peft/llama32-dora"},
                                           {"gemma3", "peft/gemma3-layers"},
                                           {"phi3", "peft/phi3-fused"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *model = CASES[i][0], *folder = adapter_of(CASES[i][1]);
        const char *gguf = test_temp(test_format("%s.gguf", model));
        ok(pith_convert(folder_of(model), gguf, NULL, &err));
        for (int form = 0; form < 2; form++) {
            pith_model *m = open_model(form ? gguf : folder_of(model));
            const char *file = test_temp(test_format("a%d%d.gguf", (int)i, form));
            const char *back = test_temp(test_format("a%d%d", (int)i, form));
            save(folder, m, file, "gguf");
            save(file, m, back, "peft");
            expect_same_file(folder, back);
            pith_model_close(m);
        }
    }
}

/* alpha' = alpha sqrt(R) in the file; the folder gets alpha and the flag back. */
static void rslora_is_kept(void **state)
{
    (void)state;
    pith_model *m = open_model(folder_of("qwen2"));
    const char *file = test_temp("rs.gguf"), *back = test_temp("rs");
    save(adapter_of("peft/qwen2-rslora"), m, file, "gguf");
    save(file, m, back, "peft");
    const char *text = test_read(test_format("%s/adapter_config.json", back), NULL);
    assert_non_null(strstr(text, "\"use_rslora\": true"));
    assert_non_null(strstr(text, "\"lora_alpha\": 2,"));
    assert_non_null(strstr(text, "\"r\": 9,"));
    pith_adapter_file *f = open_file(file);
    pith_adapter_file_info info = PITH_INIT(pith_adapter_file_info);
    ok(pith_adapter_file_get_info(f, &info, &err));
    assert_true(info.alpha == 6); // 2 * sqrt(9)
    assert_true(info.rslora);
    pith_adapter_file_close(f);
    pith_model_close(m);
}

/* ---- merging */

static float *logits_of(const pith_model *m, const pith_adapter_use *uses, int32_t n, int32_t vocab)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    pith_session_options so = PITH_INIT(pith_session_options);
    pith_engine *engine;
    pith_session *s;
    const float *logits;
    o.cpu = "avx2";
    o.n_threads = 1;
    o.n_ctx = 64;
    o.k_type = o.v_type = "f32";
    so.adapters = uses;
    so.n_adapters = n;
    ok(pith_engine_new(m, &o, &engine, &err));
    ok(pith_session_new(engine, &so, &s, &err));
    ok(pith_session_set(s, TOKENS, N_TOKENS, N_TOKENS, &logits, &err));
    size_t bytes = (size_t)N_TOKENS * (size_t)vocab * sizeof(float);
    float *out = malloc(bytes);
    assert_non_null(out);
    memcpy(out, logits, bytes);
    pith_session_free(s);
    pith_engine_free(engine);
    return out;
}

static double distance(const float *x, const float *y, int32_t n)
{
    double far = 0, most = 0;
    for (int32_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - (double)y[i]);
        far = d <= far ? far : d; // NaN goes on
        most = fmax(most, fabs((double)y[i]));
    }
    return far / most;
}

static void check_merge(const char *model, const char *a, const char *b, const char *type,
                        double bound)
{
    const char *base = test_temp(test_format("%s-f32.gguf", model));
    const char *out = test_temp(test_format("%s-merged.gguf", model));
    pith_convert_options co = PITH_INIT(pith_convert_options);
    co.dtype = "f32";
    ok(pith_convert(folder_of(model), base, &co, &err));
    pith_model *m = open_model(base);
    pith_adapter *x, *y = NULL;
    ok(pith_adapter_open(m, adapter_of(a), &x, &err));
    pith_adapter_use uses[2] = {{x, 1}};
    int32_t n = 1;
    if (b) {
        ok(pith_adapter_open(m, adapter_of(b), &y, &err));
        uses[n++] = (pith_adapter_use){y, 0.5f};
    }
    pith_merge_options o = PITH_INIT(pith_merge_options);
    pith_quantized r = PITH_INIT(pith_quantized);
    o.type = type;
    ok(pith_merge(m, uses, n, out, &o, &r, &err));
    pith_model *merged = open_model(out);
    pith_model_info info = PITH_INIT(pith_model_info);
    ok(pith_model_get_info(m, &info, &err));
    float *beside = logits_of(m, uses, n, info.n_vocab);
    float *within = logits_of(merged, NULL, 0, info.n_vocab);
    float *plain = logits_of(m, NULL, 0, info.n_vocab);
    double d = distance(within, beside, N_TOKENS * info.n_vocab);
    if (!(d <= bound))
        fail_msg("%s with %s as %s: distance %.3g, bound %.3g", model, a, type ? type : "it was", d,
                 bound);
    assert_true(distance(plain, beside, N_TOKENS * info.n_vocab) > 0.05);
    free(beside);
    free(within);
    free(plain);
    pith_model_close(merged);
    pith_adapter_close(x);
    pith_adapter_close(y);
    pith_model_close(m);
}

/* As f32 the difference is order of summation; f16 rounds each weight by up to 2^-11. */
static void merged_models_give_the_same_logits(void **state)
{
    (void)state;
    check_merge("llama32", "peft/llama32-plain", NULL, NULL, 2e-5);
    check_merge("llama32", "peft/llama32-dora", "llama32-qv.gguf", NULL, 2e-5);
    check_merge("llama32", "llama32-qv.gguf", "peft/llama32-dora", NULL, 2e-5);
    check_merge("phi3", "peft/phi3-fused", "phi3-ends.gguf", NULL, 2e-5);
    check_merge("qwen3", "peft/qwen3-rslora-patterns", NULL, NULL, 2e-5);
    check_merge("llama32", "peft/llama32-plain", NULL, "f16", 4e-3);
    check_merge("phi3", "peft/phi3-fused", NULL, "f16", 4e-3);
}

/* A quantized base: what changes is decoded, the rest stays byte for byte. */
static void merging_into_a_quantized_model(void **state)
{
    (void)state;
    const char *q8 = test_temp("q8.gguf"), *out = test_temp("q8-merged.gguf");
    ok(pith_quantize(folder_of("llama32"), q8, "q8_0", NULL, NULL, &err));
    pith_model *m = open_model(q8);
    pith_adapter *a;
    ok(pith_adapter_open(m, adapter_of("llama32-qv.gguf"), &a, &err));
    pith_adapter_use use = {a, 1};
    pith_quantized r = PITH_INIT(pith_quantized);
    ok(pith_merge(m, &use, 1, out, NULL, &r, &err));
    assert_int_equal(r.n_requantized, 4); // q and v of two layers
    pith_model *merged = open_model(out);
    float *beside = logits_of(m, &use, 1, 128), *within = logits_of(merged, NULL, 0, 128);
    double d = distance(within, beside, N_TOKENS * 128);
    if (!(d < 0.05)) // products with q8_0 round what they read to 8 bits, those with f16 do not
        fail_msg("distance %.3g", d);
    free(beside);
    free(within);
    assert_int_equal(pith_merge(m, &use, 1, q8, NULL, NULL, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "read and written at once"));
    assert_int_equal(pith_merge(m, &use, 0, out, NULL, NULL, &err), PITH_E_ARGUMENT);
    pith_adapter_close(a);
    pith_model_close(merged);
    pith_model_close(m);
}

static void tied_embeddings_are_not_merged(void **state)
{
    (void)state;
    pith_model *m = open_model(folder_of("gemma2"));
    pith_adapter *a;
    ok(pith_adapter_open(m, adapter_of("gemma2-embed.gguf"), &a, &err));
    pith_adapter_use use = {a, 1};
    const char *out = test_temp("tied.gguf");
    assert_int_equal(pith_merge(m, &use, 1, out, NULL, NULL, &err), PITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "one tensor for embedding and output"));
    struct stat st;
    assert_int_not_equal(stat(out, &st), 0);
    pith_adapter_close(a);
    pith_model_close(m);
}

/* ---- looking */

typedef struct seen {
    int n, same, only_a, only_b;
    double most;
} seen;

static void on_difference(void *user, const pith_adapter_difference *d)
{
    seen *s = user;
    s->n++;
    s->same += d->norm == 0 && !d->magnitudes;
    s->only_a += d->rank_b == 0;
    s->only_b += d->rank_a == 0;
    s->most = fmax(s->most, d->norm);
}

static void adapters_are_compared(void **state)
{
    (void)state;
    pith_adapter_file *plain = open_file(adapter_of("peft/llama32-plain"));
    pith_adapter_file *other = open_file(adapter_of("peft/llama32-dora"));
    pith_adapter_file *qv = open_file(adapter_of("llama32-qv.gguf"));
    pith_model *m = open_model(folder_of("llama32"));
    const char *path = test_temp("plain.gguf");
    save(adapter_of("peft/llama32-plain"), m, path, "gguf");
    pith_adapter_file *gguf = open_file(path);
    seen s = {0};
    ok(pith_adapter_file_compare(plain, gguf, m, on_difference, &s, &err));
    assert_int_equal(s.n, 14);
    assert_int_equal(s.same, 14);
    assert_int_equal(pith_adapter_file_compare(plain, gguf, NULL, on_difference, &s, &err),
                     PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "give it"));
    s = (seen){0};
    ok(pith_adapter_file_compare(plain, other, NULL, on_difference, &s, &err));
    assert_int_equal(s.n, 14);
    assert_int_equal(s.same, 0);
    assert_true(s.most > 1);
    s = (seen){0};
    ok(pith_adapter_file_compare(gguf, qv, NULL, on_difference, &s, &err));
    assert_int_equal(s.n, 14);
    assert_int_equal(s.only_a, 10);
    assert_int_equal(s.only_b, 0);
    pith_adapter_file *alien = open_file(adapter_of("peft/qwen3-rslora-patterns"));
    assert_int_equal(pith_adapter_file_compare(plain, alien, NULL, on_difference, &s, &err),
                     PITH_E_MISMATCH);
    pith_adapter_file_close(alien);
    pith_adapter_file_close(plain);
    pith_adapter_file_close(other);
    pith_adapter_file_close(gguf);
    pith_adapter_file_close(qv);
    pith_model_close(m);
}

/* Norms by hand, from the values of a file with one pair: A = [3, 4] of rank 1, B = [1, 2, 2]. */
static void norms_are_those_of_the_product(void **state)
{
    (void)state;
    const char *folder = test_temp("by-hand");
    assert_int_equal(mkdir(folder, 0777), 0);
    static const char CONFIG[] = "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 2, "
                                 "\"target_modules\": [\"q_proj\"], \"made_up\": [1]}";
    static const char HEADER[] =
        "{\"base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight\":{\"dtype\":\"F32\","
        "\"shape\":[1,2],\"data_offsets\":[0,8]},"
        "\"base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight\":{\"dtype\":\"F32\","
        "\"shape\":[3,1],\"data_offsets\":[8,20]},"
        "\"base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight\":{\"dtype\":\"F32\","
        "\"shape\":[1,2],\"data_offsets\":[20,28]},"
        "\"base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight\":{\"dtype\":\"F32\","
        "\"shape\":[3,1],\"data_offsets\":[28,40]}}";
    static const float VALUES[] = {3, 4, 1, 2, 2, 3, 4, 0, 0, 0};
    uint8_t file[1024];
    uint64_t n = strlen(HEADER);
    memcpy(file, &n, 8);
    memcpy(file + 8, HEADER, n);
    memcpy(file + 8 + n, VALUES, sizeof VALUES);
    test_write(test_format("%s/adapter_config.json", folder), CONFIG, strlen(CONFIG));
    test_write(test_format("%s/adapter_model.safetensors", folder), file, 8 + n + sizeof VALUES);
    pith_adapter_file *f = open_file(folder);
    pith_adapter_file_info info = PITH_INIT(pith_adapter_file_info);
    pith_adapter_matrix m = PITH_INIT(pith_adapter_matrix);
    ok(pith_adapter_file_get_info(f, &info, &err));
    assert_string_equal(info.form, "peft");
    assert_int_equal(info.n_matrices, 2);
    assert_int_equal(info.n_zero, 1);
    assert_int_equal(info.n_values, 10);
    assert_true(fabs(info.norm - 30) < 1e-12);
    ok(pith_adapter_file_get_matrix(f, 0, &m, &err));
    assert_string_equal(m.name, "blk.0.attn_v.weight");
    assert_true(m.norm_a == 5 && m.norm_b == 3 && fabs(m.norm - 30) < 1e-12 && m.scale == 2);
    assert_false(m.zero);
    ok(pith_adapter_file_get_matrix(f, 1, &m, &err));
    assert_true(m.zero && m.norm == 0);
    assert_int_equal(pith_adapter_file_get_matrix(f, 2, &m, &err), PITH_E_ARGUMENT);
    pith_adapter_file_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peft_to_gguf_and_back_is_exact),
        cmocka_unit_test(rslora_is_kept),
        cmocka_unit_test(merged_models_give_the_same_logits),
        cmocka_unit_test(merging_into_a_quantized_model),
        cmocka_unit_test(tied_embeddings_are_not_merged),
        cmocka_unit_test(adapters_are_compared),
        cmocka_unit_test(norms_are_those_of_the_product),
    };
    return cmocka_run_group_tests_name("adapter_files", tests, NULL, NULL);
}

/* Hugging Face folders: the tiny models of tests/golden as GGUF would have them. */
#include "gguf_bytes.h"

#include <math.h>

static px_source *open_model(const char *name)
{
    pith_error err;
    px_source *s;
    const char *path = test_source(test_format("tests/golden/models/%s", name));
    if (!test_exists(path))
        skip();
    assert_ok(px_source_open(path, NULL, &s, &err));
    assert_int_equal(s->kind, PX_SOURCE_FOLDER);
    assert_true(s->rope_halves);
    assert_int_equal(s->alignment, 1);
    return s;
}

static void has_int(const px_source *s, const char *key, int64_t expected)
{
    pith_error err;
    int64_t v;
    assert_ok(px_source_get_int(s, key, true, INT64_MIN, INT64_MAX, &v, &err));
    if (v != expected)
        fail_msg("%s is %lld, expected %lld", key, (long long)v, (long long)expected);
}

static void has_float(const px_source *s, const char *key, double expected)
{
    pith_error err;
    double v;
    assert_ok(px_source_get_float(s, key, true, -1e30, 1e30, &v, &err));
    if (!(fabs(v - expected) <= 1e-6 * fabs(expected)))
        fail_msg("%s is %.9g, expected %.9g", key, v, expected);
}

static void has_str(const px_source *s, const char *key, const char *expected)
{
    pith_error err;
    px_str v;
    assert_ok(px_source_get_str(s, key, true, &v, &err));
    if (!px_str_is(v, expected))
        fail_msg("%s is %.*s, expected %s", key, PX_STR_ARG(v), expected);
}

static void lacks(const px_source *s, const char *key)
{
    if (px_source_meta(s, key))
        fail_msg("%s is there, expected not", key);
}

static const px_tensor *has_tensor(const px_source *s, const char *name, int64_t ne0, int64_t ne1)
{
    const px_tensor *t = px_source_tensor(s, name);
    if (!t)
        fail_msg("no tensor %s", name);
    assert_int_equal(t->ne[0], ne0);
    assert_int_equal(t->ne[1], ne1);
    assert_int_equal(t->ne[2], 1);
    return t;
}

static void opens_sharded_llama(void **state)
{
    (void)state;
    px_source *s = open_model("llama3");
    assert_int_equal(s->n_files, 2);
    has_str(s, "general.architecture", "llama");
    has_str(s, "general.name", "llama3");
    has_int(s, "llama.block_count", 2);
    has_int(s, "llama.rope.dimension_count", 16);
    has_int(s, "llama.attention.head_count_kv", 2);
    has_float(s, "llama.rope.freq_base", 500000);
    lacks(s, "llama.attention.sliding_window");
    lacks(s, "llama.rope.scaling.type");
    has_tensor(s, "token_embd.weight", 64, 128);
    assert_int_equal(has_tensor(s, "output.weight", 64, 128)->file, 1);
    const px_tensor *q = has_tensor(s, "blk.0.attn_q.weight", 64, 64);
    assert_int_equal(q->fix, PX_FIX_ROPE_PAIRS);
    assert_int_equal(q->fix_heads, 4);
    const px_tensor *k = has_tensor(s, "blk.1.attn_k.weight", 64, 32);
    assert_int_equal(k->fix, PX_FIX_ROPE_PAIRS);
    assert_int_equal(k->fix_heads, 2);
    assert_int_equal(has_tensor(s, "blk.0.attn_norm.weight", 64, 1)->fix, PX_FIX_NONE);
    px_source_close(s);
}

static void generates_llama3_factors(void **state)
{
    (void)state;
    px_source *s = open_model("llama32");
    const px_tensor *t = has_tensor(s, "rope_freqs.weight", 16, 1);
    assert_int_equal(t->file, -1);
    assert_int_equal(t->dtype, PX_F32);
    float f[16];
    memcpy(f, t->data, sizeof f);
    /* head size 32, base from the config, original context 64, factor 8, bands 1 and 4: the first
     * wave is 2 pi, below 64 / 4; the last is far above 64 */
    assert_true(f[0] == 1.0f);
    assert_true(f[15] == 8.0f);
    for (int i = 1; i < 16; i++)
        assert_true(f[i] >= f[i - 1]);
    assert_null(px_source_tensor(s, "output.weight"));
    has_int(s, "llama.attention.key_length", 32);
    px_source_close(s);
}

static void reads_rope_scaling(void **state)
{
    (void)state;
    px_source *s = open_model("llama-linear");
    has_str(s, "llama.rope.scaling.type", "linear");
    has_float(s, "llama.rope.scaling.factor", 4);
    px_source_close(s);

    s = open_model("llama-yarn");
    has_str(s, "llama.rope.scaling.type", "yarn");
    has_float(s, "llama.rope.scaling.factor", 4);
    has_int(s, "llama.rope.scaling.original_context_length", 64);
    has_float(s, "llama.rope.scaling.attn_factor", 1.3 / (0.1 * log(4) + 1));
    has_float(s, "llama.rope.scaling.yarn_beta_fast", 3);
    has_float(s, "llama.rope.scaling.yarn_beta_slow", 0.4);
    px_source_close(s);

    s = open_model("qwen25-yarn");
    has_str(s, "qwen2.rope.scaling.type", "yarn");
    has_float(s, "qwen2.rope.scaling.yarn_beta_fast", 32);
    has_float(s, "qwen2.rope.scaling.yarn_beta_slow", 1);
    lacks(s, "qwen2.rope.scaling.attn_factor");
    px_source_close(s);

    s = open_model("phi35");
    lacks(s, "phi3.rope.scaling.type");
    has_int(s, "phi3.rope.scaling.original_context_length", 64);
    has_float(s, "phi3.rope.scaling.attn_factor", sqrt(1 + log(2048.0 / 64) / log(64)));
    const px_tensor *t = has_tensor(s, "rope_factors_long.weight", 8, 1);
    float f;
    memcpy(&f, t->data + 7 * sizeof f, sizeof f);
    assert_true(f == 10.83f);
    has_tensor(s, "rope_factors_short.weight", 8, 1);
    px_source_close(s);

    s = open_model("phi4-mini");
    has_int(s, "phi3.rope.dimension_count", 12);
    has_int(s, "phi3.attention.key_length", 16);
    has_tensor(s, "rope_factors_short.weight", 6, 1);
    px_source_close(s);
}

static void reads_mistral_and_phi(void **state)
{
    (void)state;
    px_source *s = open_model("mistral-v01");
    has_str(s, "general.architecture", "llama");
    has_str(s, "general.basename", "Mistral");
    has_int(s, "llama.attention.sliding_window", 24);
    lacks(s, "llama.attention.sliding_window_pattern");
    px_source_close(s);
    s = open_model("mistral-v03");
    lacks(s, "llama.attention.sliding_window");
    px_source_close(s);
    s = open_model("mistral-nemo");
    has_int(s, "llama.attention.key_length", 32);
    lacks(s, "llama.attention.sliding_window");
    px_source_close(s);
    s = open_model("phi3");
    has_int(s, "phi3.attention.sliding_window", 19);
    has_int(s, "phi3.rope.scaling.original_context_length", 64);
    has_tensor(s, "blk.0.attn_qkv.weight", 64, 192);
    assert_int_equal(px_source_tensor(s, "blk.0.attn_qkv.weight")->fix, PX_FIX_NONE);
    px_source_close(s);
}

static void reads_gemma(void **state)
{
    (void)state;
    px_source *s = open_model("gemma1");
    has_str(s, "general.architecture", "gemma");
    assert_int_equal(has_tensor(s, "blk.0.ffn_norm.weight", 48, 1)->fix, PX_FIX_PLUS_ONE);
    assert_int_equal(has_tensor(s, "output_norm.weight", 48, 1)->fix, PX_FIX_PLUS_ONE);
    assert_int_equal(has_tensor(s, "blk.0.attn_q.weight", 48, 128)->fix, PX_FIX_NONE);
    px_source_close(s);

    s = open_model("gemma2-plain");
    has_int(s, "gemma2.attention.sliding_window_pattern", 2);
    has_float(s, "gemma2.attn_logit_softcapping", 50);
    has_float(s, "gemma2.final_logit_softcapping", 30);
    px_source_close(s);
    s = open_model("gemma2");
    has_float(s, "gemma2.attention.scale", 1 / sqrt(18));
    has_float(s, "gemma2.attn_logit_softcapping", 3);
    assert_int_equal(has_tensor(s, "blk.3.post_attention_norm.weight", 48, 1)->fix,
                     PX_FIX_PLUS_ONE);
    has_tensor(s, "blk.3.post_ffw_norm.weight", 48, 1);
    px_source_close(s);

    s = open_model("gemma3-vlm");
    has_str(s, "general.architecture", "gemma3");
    has_str(s, "gemma3.rope.scaling.type", "linear");
    has_float(s, "gemma3.rope.freq_base", 1e6);
    has_float(s, "gemma3.rope.freq_base_swa", 1e4);
    has_int(s, "gemma3.attention.sliding_window_pattern", 6);
    has_int(s, "gemma3.attention.key_length", 256);
    lacks(s, "gemma3.attn_logit_softcapping");
    assert_int_equal(px_source_tensor(s, "blk.0.attn_k_norm.weight")->fix, PX_FIX_PLUS_ONE);
    for (int64_t i = 0; i < s->n_tensors; i++)
        assert_null(strstr(s->tensors[i].name, "vision"));
    px_source_close(s);
}

static void reads_qwen_and_smollm(void **state)
{
    (void)state;
    px_source *s = open_model("qwen2");
    has_tensor(s, "blk.0.attn_k.bias", 32, 1);
    lacks(s, "qwen2.attention.sliding_window");
    px_source_close(s);
    s = open_model("qwen3");
    has_tensor(s, "blk.0.attn_q_norm.weight", 32, 1);
    px_source_close(s);
    s = open_model("smollm3");
    pith_error err;
    px_meta_array a;
    assert_ok(px_source_get_array(s, "pith.rope.layers", true, PX_META_BOOL, 5, &a, &err));
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(px_meta_int_at(&a, i), i != 3);
    assert_int_equal(px_source_tensor(s, "blk.0.attn_q.weight")->fix, PX_FIX_ROPE_PAIRS);
    px_source_close(s);
    s = open_model("llama-bias");
    const px_tensor *t = has_tensor(s, "blk.0.attn_q.bias", 64, 1);
    assert_int_equal(t->fix, PX_FIX_ROPE_PAIRS);
    has_tensor(s, "blk.0.attn_output.bias", 64, 1);
    px_source_close(s);
}

static void opens_by_file(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *path = test_source("tests/golden/models/llama2/model.safetensors");
    if (!test_exists(path))
        skip();
    assert_ok(px_source_open(path, NULL, &s, &err));
    assert_int_equal(s->kind, PX_SOURCE_FOLDER);
    has_str(s, "general.architecture", "llama");
    for (int64_t i = 0; i < s->n_tensors; i++)
        assert_null(strstr(s->tensors[i].name, "inv_freq"));
    px_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_sharded_llama), cmocka_unit_test(generates_llama3_factors),
        cmocka_unit_test(reads_rope_scaling),  cmocka_unit_test(reads_mistral_and_phi),
        cmocka_unit_test(reads_gemma),         cmocka_unit_test(reads_qwen_and_smollm),
        cmocka_unit_test(opens_by_file),
    };
    return cmocka_run_group_tests_name("hf", tests, NULL, NULL);
}

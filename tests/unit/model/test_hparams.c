/* hparams: what each family's keys come to, and what is refused, with key, found and expected. */
#include "tiny.h"

#include "model/family.h"
#include "model/hparams.h"

#include <math.h>
#include <string.h>

#include <cmocka.h>

typedef struct loaded {
    px_source *source;
    px_arena arena;
    px_hparams hp;
    pith_error err;
    pith_status status;
} loaded;

static loaded load(const tiny *t)
{
    loaded l = {.source = tiny_open(t)};
    px_arena_init(&l.arena, 0, 0);
    l.status = px_hparams_load(l.source, &l.arena, &l.hp, &l.err);
    return l;
}

static loaded load_ok(const tiny *t)
{
    loaded l = load(t);
    if (l.status != PITH_OK)
        fail_msg("%s", l.err.text);
    return l;
}

static void unload(loaded *l)
{
    px_arena_clear(&l->arena);
    px_source_close(l->source);
}

/* The model is refused with this status, and the sentence holds both words. */
static void refused(const tiny *t, pith_status status, const char *word, const char *other)
{
    loaded l = load(t);
    if (l.status != status || !strstr(l.err.text, word) || !strstr(l.err.text, other))
        fail_msg("status %d (%s), expected %d with '%s' and '%s'", l.status, l.err.text, status,
                 word, other);
    assert_int_equal(l.err.status, status);
    unload(&l);
}

static tiny t;

/* ---- families */

static void llama(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    loaded l = load_ok(&t);
    assert_string_equal(l.hp.arch, "llama");
    assert_string_equal(l.hp.family, "LLaMA");
    assert_int_equal(l.hp.n_layers, 2);
    assert_int_equal(l.hp.n_vocab, 96);
    assert_int_equal(l.hp.n_ctx_train, 512);
    assert_int_equal(l.hp.width, 64);
    assert_int_equal(l.hp.n_heads, 4);
    assert_int_equal(l.hp.n_kv_heads, 2);
    assert_int_equal(l.hp.head_dim, 16);
    assert_int_equal(l.hp.value_dim, 16);
    assert_int_equal(l.hp.ffn, 96);
    assert_true(l.hp.norm_eps == 1e-5f);
    assert_false(l.hp.rope_halves);
    assert_int_equal(l.hp.rope_dims, 16);
    assert_true(l.hp.rope_base[0] == 10000.0f);
    assert_true(l.hp.rope_base[1] == 0);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_NONE);
    assert_true(l.hp.rope_mscale == 1);
    assert_true(l.hp.attn_scale == 0.25f);
    assert_true(l.hp.embed_scale == 1);
    assert_true(l.hp.attn_softcap == 0 && l.hp.logit_softcap == 0);
    assert_false(l.hp.qkv_fused || l.hp.gate_up_fused || l.hp.qkv_bias || l.hp.out_bias ||
                 l.hp.qk_norm || l.hp.post_norm || l.hp.tied_head);
    assert_int_equal(l.hp.activation, PX_ACTIVATION_SILU);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(l.hp.layers[i].window, 0);
        assert_true(l.hp.layers[i].rope);
        assert_int_equal(l.hp.layers[i].rope_base, 0);
    }
    unload(&l);
}

/* What files may leave out: head sizes, kv heads; and a head that is the embedding. */
static void defaults(void **state)
{
    (void)state;
    tiny_shape shape = TINY_SHAPE;
    shape.n_kv_heads = 4;
    tiny_make(&t, "llama", &shape);
    tiny_drop(&t, "attention.key_length");
    tiny_drop(&t, "attention.value_length");
    tiny_drop(&t, "attention.head_count_kv");
    tiny_drop(&t, "output.weight");
    loaded l = load_ok(&t);
    assert_int_equal(l.hp.n_kv_heads, 4);
    assert_int_equal(l.hp.head_dim, 16);
    assert_int_equal(l.hp.value_dim, 16);
    assert_true(l.hp.tied_head);
    unload(&l);
}

static void mistral_window(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "general.name", TINY_STR("Mistral 7B v0.1"));
    tiny_set(&t, "attention.sliding_window", TINY_U32(24));
    loaded l = load_ok(&t);
    assert_string_equal(l.hp.family, "Mistral");
    assert_int_equal(l.hp.layers[0].window, 24);
    assert_int_equal(l.hp.layers[1].window, 24);
    unload(&l);
}

static void gemma(void **state)
{
    (void)state;
    tiny_make(&t, "gemma", NULL);
    loaded l = load_ok(&t);
    assert_true(l.hp.rope_halves);
    assert_true(l.hp.tied_head);
    assert_int_equal(l.hp.activation, PX_ACTIVATION_GELU_TANH);
    assert_true(l.hp.embed_scale == 8.0f);
    assert_false(l.hp.post_norm || l.hp.qk_norm);
    assert_int_equal(l.hp.layers[0].window, 0);
    unload(&l);
}

static void gemma2(void **state)
{
    (void)state;
    tiny_shape shape = TINY_SHAPE;
    shape.n_layers = 5;
    tiny_make(&t, "gemma2", &shape);
    loaded l = load_ok(&t);
    assert_true(l.hp.post_norm && l.hp.pre_norm && l.hp.rope_halves);
    assert_true(l.hp.attn_softcap == 50 && l.hp.logit_softcap == 30);
    assert_true(l.hp.attn_scale == 0.25f);
    for (int i = 0; i < 5; i++)
        assert_int_equal(l.hp.layers[i].window, i % 2 == 0 ? 4096 : 0);
    unload(&l);

    tiny_set(&t, "attention.sliding_window", TINY_U32(12));
    tiny_set(&t, "attn_logit_softcapping", TINY_F32(0));
    tiny_set(&t, "final_logit_softcapping", TINY_F32(7.5));
    tiny_set(&t, "attention.scale", TINY_F32(0.125));
    l = load_ok(&t);
    assert_true(l.hp.attn_softcap == 0 && l.hp.logit_softcap == 7.5f);
    assert_true(l.hp.attn_scale == 0.125f);
    assert_int_equal(l.hp.layers[2].window, 12);
    unload(&l);
}

/* The 27B models scale by width / heads, which their files do not say. */
static void gemma_27b(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        int32_t n_layers;
    } BIG[] = {{"gemma2", 46}, {"gemma3", 62}};
    for (int i = 0; i < 2; i++) {
        tiny_shape shape = TINY_SHAPE;
        shape.width = 36;
        tiny_make(&t, BIG[i].arch, &shape); // tensors of two layers are enough here
        tiny_set(&t, "block_count", TINY_U32((uint32_t)BIG[i].n_layers));
        loaded l = load_ok(&t);
        assert_true(l.hp.attn_scale == (float)(1 / sqrt(9.0)));
        unload(&l);
    }
}

static void gemma3(void **state)
{
    (void)state;
    tiny_shape shape = TINY_SHAPE;
    shape.n_layers = 8;
    tiny_make(&t, "gemma3", &shape);
    tiny_set(&t, "rope.freq_base", TINY_F32(1e6));
    tiny_set(&t, "attention.sliding_window", TINY_U32(12));
    tiny_set(&t, "rope.scaling.type", TINY_STR("linear"));
    tiny_set(&t, "rope.scaling.factor", TINY_F32(8));
    loaded l = load_ok(&t);
    assert_true(l.hp.qk_norm && l.hp.post_norm);
    assert_true(l.hp.attn_softcap == 0 && l.hp.logit_softcap == 0);
    assert_true(l.hp.rope_base[0] == 1e6f && l.hp.rope_base[1] == 1e4f);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_LINEAR);
    assert_true(l.hp.rope_factor == 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(l.hp.layers[i].window, i == 5 ? 0 : 12);
        assert_int_equal(l.hp.layers[i].rope_base, i == 5 ? 0 : 1);
    }
    unload(&l);

    tiny_set(&t, "attention.sliding_window_pattern", TINY_U32(3));
    tiny_set(&t, "rope.freq_base_swa", TINY_F32(100));
    l = load_ok(&t);
    assert_true(l.hp.rope_base[1] == 100);
    for (int i = 0; i < 8; i++)
        assert_int_equal(l.hp.layers[i].window, i % 3 == 2 ? 0 : 12);
    unload(&l);

    tiny_drop(&t, "attention.sliding_window"); // then no layer has one, nor the local base
    l = load_ok(&t);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(l.hp.layers[i].window, 0);
        assert_int_equal(l.hp.layers[i].rope_base, 0);
    }
    unload(&l);
}

static void window_flags(void **state)
{
    (void)state;
    static const uint8_t FLAGS[2] = {0, 1};
    tiny_make(&t, "qwen2", NULL);
    tiny_set(&t, "attention.sliding_window", TINY_U32(8));
    tiny_set(&t, "attention.sliding_window_pattern", TINY_ARRAY(PX_META_BOOL, FLAGS));
    loaded l = load_ok(&t);
    assert_true(l.hp.qkv_bias);
    assert_int_equal(l.hp.layers[0].window, 0);
    assert_int_equal(l.hp.layers[1].window, 8);
    unload(&l);
}

static void smollm3(void **state)
{
    (void)state;
    tiny_shape shape = TINY_SHAPE;
    shape.n_layers = 5;
    tiny_make(&t, "smollm3", &shape);
    loaded l = load_ok(&t);
    assert_false(l.hp.rope_halves);
    for (int i = 0; i < 5; i++)
        assert_int_equal(l.hp.layers[i].rope, i != 3);
    unload(&l);
    static const uint8_t FLAGS[5] = {1, 0, 1, 1, 0};
    tiny_set(&t, "pith.rope.layers", TINY_ARRAY(PX_META_BOOL, FLAGS));
    l = load_ok(&t);
    for (int i = 0; i < 5; i++)
        assert_int_equal(l.hp.layers[i].rope, FLAGS[i]);
    unload(&l);
}

static void phi3(void **state)
{
    (void)state;
    tiny_make(&t, "phi3", NULL);
    tiny_set(&t, "attention.sliding_window", TINY_U32(0)); // Phi-4
    loaded l = load_ok(&t);
    assert_true(l.hp.qkv_fused && l.hp.gate_up_fused && l.hp.rope_halves);
    assert_int_equal(l.hp.layers[0].window, 0);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_NONE);
    unload(&l);
}

/* ---- rope scaling */

static void longrope(void **state)
{
    (void)state;
    tiny_make(&t, "phi3", NULL);
    tiny_add(&t, "rope_factors_long.weight", 8, 0);
    tiny_add(&t, "rope_factors_short.weight", 8, 0);
    tiny_set(&t, "rope.scaling.original_context_length", TINY_U32(64));
    loaded l = load_ok(&t);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_LONGROPE);
    assert_int_equal(l.hp.rope_ctx_orig, 64);
    assert_true(l.hp.rope_mscale == (float)sqrt(1 + log(8.0) / log(64.0)));
    unload(&l);
    tiny_set(&t, "rope.scaling.attn_factor", TINY_F32(1.19f));
    l = load_ok(&t);
    assert_true(l.hp.rope_mscale == 1.19f);
    unload(&l);
}

static void yarn(void **state)
{
    (void)state;
    tiny_make(&t, "qwen2", NULL);
    tiny_set(&t, "rope.scaling.type", TINY_STR("yarn"));
    tiny_set(&t, "rope.scaling.factor", TINY_F32(4));
    tiny_set(&t, "rope.scaling.original_context_length", TINY_U32(128));
    loaded l = load_ok(&t);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_YARN);
    assert_true(l.hp.rope_factor == 4);
    assert_int_equal(l.hp.rope_ctx_orig, 128);
    assert_true(l.hp.yarn_beta_fast == 32 && l.hp.yarn_beta_slow == 1);
    assert_true(l.hp.yarn_ext_factor == 1 && l.hp.yarn_attn_factor == 1);
    assert_true(l.hp.rope_mscale == (float)(0.1 * log(4.0) + 1));
    unload(&l);
    tiny_set(&t, "rope.scaling.yarn_attn_factor", TINY_F32(1.5)); // the whole
    tiny_set(&t, "rope.scaling.attn_factor", TINY_F32(2));        // on top of it
    tiny_set(&t, "rope.scaling.yarn_beta_fast", TINY_F32(20));
    tiny_set(&t, "rope.scaling.yarn_ext_factor", TINY_F32(-1)); // not set
    l = load_ok(&t);
    assert_true(l.hp.rope_mscale == 3);
    assert_true(l.hp.yarn_beta_fast == 20 && l.hp.yarn_ext_factor == 1);
    unload(&l);
}

static void scaling_types(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "rope.scale_linear", TINY_F32(2)); // old files
    loaded l = load_ok(&t);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_LINEAR);
    assert_true(l.hp.rope_factor == 2);
    unload(&l);
    tiny_set(&t, "rope.scaling.type", TINY_STR("none"));
    l = load_ok(&t);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_NONE);
    unload(&l);
    tiny_add(&t, "rope_freqs.weight", 8, 0);
    l = load_ok(&t);
    assert_int_equal(l.hp.rope_scaling, PX_ROPE_SCALING_FACTORS);
    unload(&l);
}

/* ---- refusals */

static void refuses_unknown_architectures(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "general.architecture", TINY_STR("mamba"));
    refused(&t, PITH_E_UNSUPPORTED, "'mamba'", "llama, mistral3, phi3, qwen2");
    tiny_make(&t, "llama", NULL);
    tiny_drop(&t, "general.architecture");
    refused(&t, PITH_E_FORMAT, "general.architecture", "tiny-");
}

/* Each required key is missed by name; each number out of range is refused with its range. */
static void refuses_missing_and_odd_keys(void **state)
{
    (void)state;
    static const char *const REQUIRED[] = {
        "block_count",         "context_length",       "embedding_length",
        "feed_forward_length", "attention.head_count", "attention.layer_norm_rms_epsilon"};
    for (size_t i = 0; i < sizeof REQUIRED / sizeof REQUIRED[0]; i++) {
        tiny_make(&t, "llama", NULL);
        tiny_drop(&t, REQUIRED[i]);
        refused(&t, PITH_E_FORMAT, "has no key", test_format("'llama.%s'", REQUIRED[i]));
    }
    static const struct {
        const char *key;
        px_meta value;
        const char *expected;
    } ODD[] = {
        {"block_count", TINY_U32(0), "1 to 1024"},
        {"block_count", TINY_U32(1u << 31), "1 to 1024"},
        {"context_length", TINY_U32(0), "1 to"},
        {"embedding_length", TINY_U32(0), "1 to 1048576"},
        {"embedding_length", TINY_U32(1u << 30), "1 to 1048576"},
        {"feed_forward_length", TINY_U32(0), "1 to"},
        {"attention.head_count", TINY_U32(0), "1 to"},
        {"attention.head_count_kv", TINY_U32(0), "1 to"},
        {"attention.head_count_kv", TINY_U32(3), "expected a multiple"},
        {"attention.head_count_kv", TINY_U32(8), "expected a multiple"},
        {"attention.key_length", TINY_U32(15), "expected even"},
        {"attention.key_length", TINY_U32(0), "2 to"},
        {"attention.key_length", TINY_U32(1u << 19), "at most 1048576 in all"},
        {"attention.layer_norm_rms_epsilon", TINY_F32(-1), "1e-12 to 0.1"},
        {"attention.layer_norm_rms_epsilon", TINY_F32((double)NAN), "1e-12 to 0.1"},
        {"rope.dimension_count", TINY_U32(7), "even number up to the head size 16"},
        {"rope.dimension_count", TINY_U32(18), "even number up to the head size 16"},
        {"rope.freq_base", TINY_F32(0), "1 to"},
        {"rope.freq_base", TINY_F32((double)INFINITY), "1 to"},
        {"rope.scaling.factor", TINY_F32(-2), "0 to"},
        {"attention.sliding_window", TINY_F32(8), "an integer"},
        {"attention.scale", TINY_F32(0), "1e-06 to"},
        {"final_logit_softcapping", TINY_F32(-1), "0 to"},
    };
    for (size_t i = 0; i < sizeof ODD / sizeof ODD[0]; i++) {
        tiny_make(&t, "llama", NULL);
        tiny_set(&t, ODD[i].key, ODD[i].value);
        refused(&t, PITH_E_FORMAT, ODD[i].expected, "tiny-");
    }
    tiny_make(&t, "llama", NULL);
    tiny_drop(&t, "attention.key_length");
    tiny_set(&t, "embedding_length", TINY_U32(66));
    refused(&t, PITH_E_FORMAT, "66 is no multiple of 4 heads", "llama.attention.key_length");
    tiny_make(&t, "llama", NULL);
    tiny_drop(&t, "token_embd.weight");
    refused(&t, PITH_E_FORMAT, "has no tensor", "'token_embd.weight'");
}

static void refuses_uneven_layers(void **state)
{
    (void)state;
    static const int32_t EVEN[2] = {2, 2};
    static const int32_t UNEVEN[2] = {2, 1};
    static const int32_t NONE[2] = {0, 0};
    static const int32_t THREE[3] = {2, 2, 2};
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "attention.head_count_kv", TINY_ARRAY(PX_META_I32, EVEN));
    loaded l = load_ok(&t);
    assert_int_equal(l.hp.n_kv_heads, 2);
    unload(&l);
    tiny_set(&t, "attention.head_count_kv", TINY_ARRAY(PX_META_I32, UNEVEN));
    refused(&t, PITH_E_UNSUPPORTED, "2 for layer 0 and 1 for layer 1", "head_count_kv");
    tiny_set(&t, "attention.head_count_kv", TINY_ARRAY(PX_META_I32, NONE));
    refused(&t, PITH_E_FORMAT, "is 0, expected 1 to", "head_count_kv");
    tiny_set(&t, "attention.head_count_kv", TINY_ARRAY(PX_META_I32, THREE));
    refused(&t, PITH_E_FORMAT, "array of 3 i32", "each of the 2 layers");
}

static void refuses_odd_flags(void **state)
{
    (void)state;
    static const uint8_t THREE[3] = {1, 0, 1};
    tiny_make(&t, "gemma3", NULL);
    tiny_set(&t, "attention.sliding_window", TINY_U32(8));
    tiny_set(&t, "attention.sliding_window_pattern", TINY_ARRAY(PX_META_BOOL, THREE));
    refused(&t, PITH_E_FORMAT, "sliding_window_pattern", "has 3 bool");
    tiny_set(&t, "attention.sliding_window_pattern", TINY_STR("6"));
    refused(&t, PITH_E_FORMAT, "sliding_window_pattern", "string");
    tiny_make(&t, "smollm3", NULL);
    tiny_set(&t, "pith.rope.layers", TINY_U32(4));
    refused(&t, PITH_E_FORMAT, "pith.rope.layers", "array of bool");
    tiny_set(&t, "pith.rope.layers", TINY_ARRAY(PX_META_BOOL, THREE));
    refused(&t, PITH_E_FORMAT, "pith.rope.layers", "has 3 bool");
}

/* What a known architecture asks for and the decoder does not do is never ignored. */
static void refuses_what_it_does_not_do(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "expert_count", TINY_U32(0));
    tiny_set(&t, "logit_scale", TINY_F32(1));
    tiny_set(&t, "attention.causal", TINY_BOOL(true));
    loaded l = load_ok(&t);
    unload(&l);
    static const struct {
        const char *key;
        px_meta value;
        const char *what;
    } ASKED[] = {
        {"expert_count", TINY_U32(8), "a mixture of experts"},
        {"attention.causal", TINY_BOOL(false), "both directions"},
        {"attention.max_alibi_bias", TINY_F32(8), "ALiBi"},
        {"attention.clamp_kqv", TINY_F32(3), "clamped"},
        {"attention.temperature_scale", TINY_F32(0.1), "temperature"},
        {"logit_scale", TINY_F32(16), "logits"},
        {"residual_scale", TINY_F32(0.22), "residuals"},
        {"rope.scaling.yarn_log_multiplier", TINY_F32(0.1), "mscale_all_dim"},
        {"use_parallel_residual", TINY_BOOL(true), "parallel"},
    };
    for (size_t i = 0; i < sizeof ASKED / sizeof ASKED[0]; i++) {
        tiny_make(&t, "llama", NULL);
        tiny_set(&t, ASKED[i].key, ASKED[i].value);
        refused(&t, PITH_E_UNSUPPORTED, ASKED[i].what, ASKED[i].key);
    }
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "expert_count", TINY_STR("8"));
    refused(&t, PITH_E_FORMAT, "llama.expert_count", "a number");
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "rope.scaling.type", TINY_STR("dynamic"));
    refused(&t, PITH_E_UNSUPPORTED, "'dynamic'", "none, linear, yarn or longrope");
}

static void stories260k(void **state)
{
    (void)state;
    pith_error err = {0};
    px_source *s;
    px_arena arena;
    px_hparams hp;
    px_arena_init(&arena, 0, 0);
    assert_int_equal(px_source_open(test_shared("models/stories260K.gguf"), NULL, &s, &err),
                     PITH_OK);
    assert_int_equal(px_hparams_load(s, &arena, &hp, &err), PITH_OK);
    assert_int_equal(hp.n_vocab, 512);
    assert_int_equal(hp.n_layers, 5);
    assert_int_equal(hp.head_dim, 8);
    assert_int_equal(hp.ffn, 172);
    assert_false(hp.tied_head);
    px_arena_clear(&arena);
    px_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama),
        cmocka_unit_test(defaults),
        cmocka_unit_test(mistral_window),
        cmocka_unit_test(gemma),
        cmocka_unit_test(gemma2),
        cmocka_unit_test(gemma_27b),
        cmocka_unit_test(gemma3),
        cmocka_unit_test(window_flags),
        cmocka_unit_test(smollm3),
        cmocka_unit_test(phi3),
        cmocka_unit_test(longrope),
        cmocka_unit_test(yarn),
        cmocka_unit_test(scaling_types),
        cmocka_unit_test(refuses_unknown_architectures),
        cmocka_unit_test(refuses_missing_and_odd_keys),
        cmocka_unit_test(refuses_uneven_layers),
        cmocka_unit_test(refuses_odd_flags),
        cmocka_unit_test(refuses_what_it_does_not_do),
        cmocka_unit_test(stories260k),
    };
    return cmocka_run_group_tests_name("hparams", tests, NULL, NULL);
}

/* weights: binding, row ranges of fused tensors, small vectors in any dtype, and refusals. */
#include "tiny.h"

#include "kern/traits.h"
#include "model/weights.h"

#include <math.h>
#include <string.h>

#include <cmocka.h>

typedef struct bound {
    px_source *source;
    px_arena arena;
    px_hparams hp;
    px_weights w;
    pith_error err;
    pith_status status;
} bound;

static bound bind(const tiny *t)
{
    bound b = {.source = tiny_open(t)};
    px_arena_init(&b.arena, 0, 0);
    if (px_hparams_load(b.source, &b.arena, &b.hp, &b.err) != PITH_OK)
        fail_msg("%s", b.err.text);
    b.status = px_weights_bind(b.source, &b.hp, &b.arena, &b.w, &b.err);
    return b;
}

static bound bind_ok(const tiny *t)
{
    bound b = bind(t);
    if (b.status != PITH_OK)
        fail_msg("%s", b.err.text);
    return b;
}

static void unbind(bound *b)
{
    px_arena_clear(&b->arena);
    px_source_close(b->source);
}

static void refused(const tiny *t, pith_status status, const char *word, const char *other)
{
    bound b = bind(t);
    if (b.status != status || !strstr(b.err.text, word) || !strstr(b.err.text, other))
        fail_msg("status %d (%s), expected %d with '%s' and '%s'", b.status, b.err.text, status,
                 word, other);
    unbind(&b);
}

static tiny t;

static void check_matrix(const bound *b, const px_matrix *m, const char *name, int64_t rows,
                         int64_t cols)
{
    const px_tensor *x = px_source_tensor(b->source, name);
    assert_non_null(x);
    assert_ptr_equal(m->data, x->data);
    assert_int_equal(m->rows, rows);
    assert_int_equal(m->cols, cols);
    assert_int_equal(m->row_bytes, cols * 4);
    assert_string_equal(m->name, name);
}

static void check_vector(const bound *b, const float *v, const char *name)
{
    const px_tensor *x = px_source_tensor(b->source, name);
    assert_non_null(x);
    assert_non_null(v);
    assert_memory_equal(v, x->data, x->bytes);
}

static void binds_llama(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    bound b = bind_ok(&t);
    check_matrix(&b, &b.w.embed, "token_embd.weight", 96, 64);
    check_matrix(&b, &b.w.head, "output.weight", 96, 64);
    check_vector(&b, b.w.out_norm, "output_norm.weight");
    assert_null(b.w.rope_factors);
    const px_layer *l = &b.w.layers[1];
    check_vector(&b, l->attn_norm, "blk.1.attn_norm.weight");
    check_vector(&b, l->ffn_norm, "blk.1.ffn_norm.weight");
    check_matrix(&b, &l->q, "blk.1.attn_q.weight", 64, 64);
    check_matrix(&b, &l->k, "blk.1.attn_k.weight", 32, 64);
    check_matrix(&b, &l->v, "blk.1.attn_v.weight", 32, 64);
    check_matrix(&b, &l->o, "blk.1.attn_output.weight", 64, 64);
    check_matrix(&b, &l->gate, "blk.1.ffn_gate.weight", 96, 64);
    check_matrix(&b, &l->up, "blk.1.ffn_up.weight", 96, 64);
    check_matrix(&b, &l->down, "blk.1.ffn_down.weight", 64, 96);
    assert_true(!l->attn_post && !l->ffn_post && !l->q_norm && !l->k_norm && !l->q_bias &&
                !l->k_bias && !l->v_bias && !l->o_bias);
    assert_int_equal(b.w.n_unused, 0);
    assert_null(b.w.first_unused);
    size_t layer = (64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 96 * 64) * 4;
    assert_int_equal(b.w.matrix_bytes, 2 * layer + 2 * 96 * 64 * 4);
    unbind(&b);
}

static void ties_the_head(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_drop(&t, "output.weight");
    bound b = bind_ok(&t);
    assert_ptr_equal(b.w.head.data, b.w.embed.data);
    size_t layer = (64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 96 * 64) * 4;
    assert_int_equal(b.w.matrix_bytes, 2 * layer + 96 * 64 * 4);
    unbind(&b);
}

static void binds_norms_and_biases(void **state)
{
    (void)state;
    tiny_make(&t, "gemma3", NULL);
    bound b = bind_ok(&t);
    check_vector(&b, b.w.layers[0].q_norm, "blk.0.attn_q_norm.weight");
    check_vector(&b, b.w.layers[0].k_norm, "blk.0.attn_k_norm.weight");
    check_vector(&b, b.w.layers[0].attn_post, "blk.0.post_attention_norm.weight");
    check_vector(&b, b.w.layers[0].ffn_post, "blk.0.post_ffw_norm.weight");
    unbind(&b);
    tiny_make(&t, "qwen2", NULL);
    tiny_add(&t, "blk.0.attn_output.bias", 64, 0);
    tiny_add(&t, "blk.1.attn_output.bias", 64, 0);
    b = bind_ok(&t);
    assert_true(b.hp.qkv_bias && b.hp.out_bias);
    check_vector(&b, b.w.layers[1].q_bias, "blk.1.attn_q.bias");
    check_vector(&b, b.w.layers[1].k_bias, "blk.1.attn_k.bias");
    check_vector(&b, b.w.layers[1].v_bias, "blk.1.attn_v.bias");
    check_vector(&b, b.w.layers[1].o_bias, "blk.1.attn_output.bias");
    unbind(&b);
}

/* q, k, v are 64, 32, 32 rows of one tensor; gate and up 96 each of another. */
static void splits_fused_tensors(void **state)
{
    (void)state;
    tiny_make(&t, "phi3", NULL);
    tiny_find(&t, "blk.0.attn_qkv.weight")->dtype = PX_Q8_0;
    tiny_add(&t, "blk.0.attn_qkv.bias", 128, 0);
    tiny_add(&t, "blk.1.attn_qkv.bias", 128, 0);
    bound b = bind_ok(&t);
    const px_layer *l = &b.w.layers[0];
    const px_tensor *qkv = px_source_tensor(b.source, "blk.0.attn_qkv.weight");
    const px_tensor *up = px_source_tensor(b.source, "blk.0.ffn_up.weight");
    assert_ptr_equal(l->q.data, qkv->data);
    assert_ptr_equal(l->k.data, qkv->data + 64 * 68);
    assert_ptr_equal(l->v.data, qkv->data + 96 * 68);
    assert_int_equal(l->q.rows, 64);
    assert_int_equal(l->k.rows, 32);
    assert_int_equal(l->v.rows, 32);
    assert_int_equal(l->v.row_bytes, 68);
    assert_int_equal(l->v.dtype, PX_Q8_0);
    assert_ptr_equal(l->gate.data, up->data);
    assert_ptr_equal(l->up.data, up->data + 96 * 64 * 4);
    assert_int_equal(l->up.rows, 96);
    const float *bias =
        (const float *)(const void *)px_source_tensor(b.source, "blk.1.attn_qkv.bias")->data;
    l = &b.w.layers[1];
    assert_memory_equal(l->q_bias, bias, 64 * 4);
    assert_memory_equal(l->k_bias, bias + 64, 32 * 4);
    assert_memory_equal(l->v_bias, bias + 96, 32 * 4);
    size_t layer = 128 * 64 * 4 + (64 * 64 + 3 * 96 * 64) * 4;
    assert_int_equal(b.w.matrix_bytes, 2 * layer - 128 * 64 * 4 + 128 * 68 + 2 * 96 * 64 * 4);
    unbind(&b);
}

/* Norms in any type that decodes, and in f64. */
static void copies_small_vectors(void **state)
{
    (void)state;
    static const px_dtype TYPES[] = {PX_F32, PX_F16, PX_BF16, PX_Q8_0, PX_Q4_0, PX_F64};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        tiny_make(&t, "llama", NULL);
        tiny_find(&t, "output_norm.weight")->dtype = TYPES[i];
        bound b = bind_ok(&t);
        const px_tensor *x = px_source_tensor(b.source, "output_norm.weight");
        float expected[64] = {0};
        if (px_traits_get(TYPES[i]))
            px_traits_get(TYPES[i])->decode(x->data, expected, 64);
        assert_memory_equal(b.w.out_norm, expected, sizeof expected);
        unbind(&b);
    }
}

/* A folder's Gemma norms lie as w and mean 1 + w. */
static void adds_one_where_told(void **state)
{
    (void)state;
    tiny_make(&t, "gemma", NULL);
    bound b = bind_ok(&t);
    px_tensor *x = (px_tensor *)(uintptr_t)px_source_tensor(b.source, "blk.1.ffn_norm.weight");
    x->fix = PX_FIX_PLUS_ONE;
    px_weights w;
    assert_int_equal(px_weights_bind(b.source, &b.hp, &b.arena, &w, &b.err), PITH_OK);
    for (int i = 0; i < 64; i++) {
        assert_true(w.layers[1].ffn_norm[i] == b.w.layers[1].ffn_norm[i] + 1.0f);
        assert_true(w.layers[0].ffn_norm[i] == b.w.layers[0].ffn_norm[i]);
    }
    unbind(&b);
}

static void binds_rope_factors(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_add(&t, "rope_freqs.weight", 8, 0);
    bound b = bind_ok(&t);
    check_vector(&b, b.w.rope_factors, "rope_freqs.weight");
    unbind(&b);
    tiny_find(&t, "rope_freqs.weight")->mean = 0;
    tiny_find(&t, "rope_freqs.weight")->std = 0;
    refused(&t, PITH_E_FORMAT, "'rope_freqs.weight' holds 0 at 0", "1e-6 to 1e6");
    tiny_add(&t, "rope_freqs.weight", 16, 0);
    refused(&t, PITH_E_FORMAT, "'rope_freqs.weight' has shape [16, 1, 1, 1]", "expected [8]");

    tiny_make(&t, "phi3", NULL);
    tiny_add(&t, "rope_factors_long.weight", 8, 0);
    tiny_add(&t, "rope_factors_short.weight", 8, 0)->mean = 3;
    b = bind_ok(&t);
    check_vector(&b, b.w.rope_factors_long, "rope_factors_long.weight");
    check_vector(&b, b.w.rope_factors_short, "rope_factors_short.weight");
    unbind(&b);
    tiny_drop(&t, "rope_factors_short.weight");
    refused(&t, PITH_E_FORMAT, "has no tensor", "'rope_factors_short.weight'");
}

/* Every tensor that a family needs is missed by name, and held against its shape. */
static void refuses_missing_and_odd_tensors(void **state)
{
    (void)state;
    static const char *const ARCHS[] = {"llama", "phi3", "gemma2", "gemma3", "qwen2", "qwen3"};
    for (size_t a = 0; a < sizeof ARCHS / sizeof ARCHS[0]; a++) {
        tiny_make(&t, ARCHS[a], NULL);
        int n = t.n_tensors;
        for (int i = 0; i < n; i++) {
            tiny_make(&t, ARCHS[a], NULL);
            char name[48];
            memcpy(name, t.tensors[i].name, sizeof name);
            int64_t rows = t.tensors[i].ne[1];
            if (strcmp(name, "token_embd.weight") == 0 || strcmp(name, "output.weight") == 0)
                continue; // hparams needs the one; without the other the head is tied
            if (strcmp(name, "blk.0.attn_qkv.weight") == 0)
                continue; // its absence says that the file has q, k, v apart
            tiny_drop(&t, name);
            refused(&t, PITH_E_FORMAT, "has no tensor", name);
            tiny_make(&t, ARCHS[a], NULL);
            tiny_find(&t, name)->ne[0] *= 2;
            refused(&t, PITH_E_FORMAT, "has shape", test_format("tensor '%s'", name));
            if (rows == 1)
                continue;
            tiny_make(&t, ARCHS[a], NULL);
            tiny_find(&t, name)->ne[1]--;
            refused(&t, PITH_E_FORMAT, "has shape", test_format("tensor '%s'", name));
        }
    }
    tiny_make(&t, "llama", NULL);
    tiny_find(&t, "blk.1.attn_k.weight")->ne[1] = 48;
    refused(&t, PITH_E_FORMAT, "'blk.1.attn_k.weight' has shape [64, 48, 1, 1]",
            "expected [64, 32]");
    tiny_make(&t, "llama", NULL);
    tiny_find(&t, "output.weight")->ne[1] = 95;
    refused(&t, PITH_E_FORMAT, "'output.weight' has shape [64, 95, 1, 1]", "expected [64, 96]");
    tiny_make(&t, "llama", NULL);
    tiny_tensor *x = tiny_find(&t, "blk.0.ffn_down.weight");
    x->n_dims = 3;
    x->ne[2] = 2;
    refused(&t, PITH_E_FORMAT, "has shape [96, 64, 2, 1]", "expected [96, 64]");
}

static void refuses_types(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_find(&t, "blk.1.ffn_up.weight")->dtype = PX_I8;
    refused(&t, PITH_E_UNSUPPORTED, "'blk.1.ffn_up.weight' has type i8", "convert");
    tiny_make(&t, "llama", NULL);
    tiny_find(&t, "blk.1.ffn_norm.weight")->dtype = PX_I32;
    refused(&t, PITH_E_UNSUPPORTED, "'blk.1.ffn_norm.weight' has type i32", "convert");
    tiny_make(&t, "llama", NULL);
    tiny_find(&t, "blk.1.ffn_up.weight")->dtype = PX_F64;
    refused(&t, PITH_E_UNSUPPORTED, "'blk.1.ffn_up.weight' has type f64", "convert");
}

/* What nobody uses is counted; known tables are no news; a bias would change the result. */
static void counts_what_it_does_not_use(void **state)
{
    (void)state;
    tiny_make(&t, "llama", NULL);
    tiny_set(&t, "rope.scaling.type", TINY_STR("yarn"));
    tiny_add(&t, "rope_freqs.weight", 8, 0);
    tiny_add(&t, "blk.0.attn_rot_embd.weight", 8, 0);
    tiny_add(&t, "blk.1.rope_freqs.weight", 8, 0);
    tiny_add(&t, "model.layers.0.self_attn.rotary_emb.inv_freq", 8, 0);
    bound b = bind_ok(&t);
    assert_int_equal(b.w.n_unused, 0);
    unbind(&b);
    tiny_add(&t, "v.patch_embd.weight", 8, 8);
    tiny_add(&t, "blk.2.attn_q.weight", 64, 64); // a layer beyond the last one
    b = bind_ok(&t);
    assert_int_equal(b.w.n_unused, 2);
    assert_string_equal(b.w.first_unused, "v.patch_embd.weight");
    unbind(&b);
    tiny_add(&t, "blk.0.ffn_down.bias", 64, 0);
    refused(&t, PITH_E_UNSUPPORTED, "'blk.0.ffn_down.bias'", "a bias");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_llama),
        cmocka_unit_test(ties_the_head),
        cmocka_unit_test(binds_norms_and_biases),
        cmocka_unit_test(splits_fused_tensors),
        cmocka_unit_test(copies_small_vectors),
        cmocka_unit_test(adds_one_where_told),
        cmocka_unit_test(binds_rope_factors),
        cmocka_unit_test(refuses_missing_and_odd_tensors),
        cmocka_unit_test(refuses_types),
        cmocka_unit_test(counts_what_it_does_not_use),
    };
    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}

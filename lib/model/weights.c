/*
 * weights: see weights.h. Two passes over the same code: the first only checks, so that a file that
 * is refused has cost no copies; the second copies the small vectors.
 *
 * Tensors that a file may leave out are found by looking; whether one must be there is said where
 * it is bound. What a file holds beyond what was bound is counted at the end.
 */
#include "model/weights.h"

#include "base/limits.h"
#include "kern/traits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct binder {
    const px_source *s;
    const px_hparams *hp;
    px_arena *arena;
    bool copies;   // second pass
    uint8_t *used; // [n_tensors]
    px_weights *w;
    pith_error *err;
    pith_status status;
} binder;

typedef enum need { REQUIRED, OPTIONAL } need;

/* Stands for a vector in the first pass: callers only ask whether it is NULL. */
static const float PRESENT[1] = {0};

static const px_tensor *find(binder *b, const char *name, need needed)
{
    if (b->status != PITH_OK)
        return NULL;
    const px_tensor *t = px_source_tensor(b->s, name);
    if (t)
        b->used[t - b->s->tensors] = 1;
    else if (needed == REQUIRED)
        b->status = px_fail(b->err, PITH_E_FORMAT,
                            "'%s' has no tensor '%s', which %s models need; the file is incomplete "
                            "or of another architecture",
                            b->s->path, name, b->hp->arch);
    return t;
}

/* Holds the tensor against [rows, cols], or [cols] when rows is 0, and its dtype against kern. */
static bool check(binder *b, const px_tensor *t, int64_t rows, int64_t cols)
{
    bool fits = t->ne[0] == cols && t->ne[1] == (rows ? rows : 1) && t->ne[2] == 1 && t->ne[3] == 1;
    char expected[64];
    if (rows)
        snprintf(expected, sizeof expected, "[%" PRId64 ", %" PRId64 "]", cols, rows);
    else
        snprintf(expected, sizeof expected, "[%" PRId64 "]", cols);
    if (!fits)
        b->status = px_fail(b->err, PITH_E_FORMAT,
                            "'%s': tensor '%s' has shape [%" PRId64 ", %" PRId64 ", %" PRId64
                            ", %" PRId64 "], expected %s",
                            b->s->path, t->name, t->ne[0], t->ne[1], t->ne[2], t->ne[3], expected);
    else if (!px_traits_get(t->dtype) && (rows || t->dtype != PX_F64))
        b->status = px_fail(b->err, PITH_E_UNSUPPORTED,
                            "'%s': tensor '%s' has type %s, with which pith does not compute; "
                            "convert the model to a type that `pith info` lists",
                            b->s->path, t->name, px_dtype_name((uint32_t)t->dtype));
    return b->status == PITH_OK;
}

/* A small vector as f32, or NULL. */
static const float *vector(binder *b, const char *name, int64_t n, need needed)
{
    const px_tensor *t = find(b, name, needed);
    if (!t || !check(b, t, 0, n))
        return NULL;
    if (!b->copies)
        return PRESENT;
    float *v = PX_NEW(b->arena, float, (size_t)n);
    if (!v) {
        b->status = px_fail_memory(b->err, "the model's small tensors");
        return NULL;
    }
    if (t->dtype == PX_F64) {
        for (int64_t i = 0; i < n; i++) {
            double d;
            memcpy(&d, t->data + (size_t)i * sizeof d, sizeof d);
            v[i] = (float)d;
        }
    } else {
        px_traits_get(t->dtype)->decode(t->data, v, n);
    }
    if (t->fix == PX_FIX_PLUS_ONE)
        for (int64_t i = 0; i < n; i++)
            v[i] += 1.0f;
    return v;
}

static px_matrix matrix(binder *b, const char *name, int64_t rows, int64_t cols, need needed)
{
    px_matrix m = {0};
    const px_tensor *t = find(b, name, needed);
    if (!t || !check(b, t, rows, cols))
        return m;
    size_t row_bytes = 0;
    if (!px_dtype_row_bytes(t->dtype, cols, &row_bytes)) {
        b->status = px_fail(b->err, PITH_E_FORMAT,
                            "'%s': tensor '%s' has rows of %" PRId64
                            " elements, expected a multiple of the %s block",
                            b->s->path, t->name, cols, px_dtype_name((uint32_t)t->dtype));
        return m;
    }
    if (!b->copies)
        b->w->matrix_bytes += t->bytes;
    return (px_matrix){.data = t->data,
                       .dtype = t->dtype,
                       .rows = rows,
                       .cols = cols,
                       .row_bytes = row_bytes,
                       .name = t->name};
}

/* Rows [first, first + n) of a fused matrix. */
static px_matrix rows_of(const px_matrix *m, int64_t first, int64_t n)
{
    px_matrix part = *m;
    if (m->data)
        part.data += (size_t)first * m->row_bytes;
    part.rows = n;
    return part;
}

enum { NAME_BYTES = 64 };

static const char *in_layer(char name[NAME_BYTES], int32_t layer, const char *rest)
{
    snprintf(name, NAME_BYTES, "blk.%d.%s", layer, rest);
    return name;
}

static void bind_qkv(binder *b, int32_t i, px_layer *l)
{
    const px_hparams *hp = b->hp;
    char name[NAME_BYTES];
    int64_t n_q = (int64_t)hp->n_heads * hp->head_dim;
    int64_t n_k = (int64_t)hp->n_kv_heads * hp->head_dim;
    int64_t n_v = (int64_t)hp->n_kv_heads * hp->value_dim;
    need bias = hp->qkv_bias ? REQUIRED : OPTIONAL;
    if (hp->qkv_fused) {
        int64_t n = n_q + n_k + n_v;
        px_matrix all = matrix(b, in_layer(name, i, "attn_qkv.weight"), n, hp->width, REQUIRED);
        l->q = rows_of(&all, 0, n_q);
        l->k = rows_of(&all, n_q, n_k);
        l->v = rows_of(&all, n_q + n_k, n_v);
        const float *v = vector(b, in_layer(name, i, "attn_qkv.bias"), n, bias);
        if (v && b->copies) {
            l->q_bias = v;
            l->k_bias = v + n_q;
            l->v_bias = v + n_q + n_k;
        }
        return;
    }
    l->q = matrix(b, in_layer(name, i, "attn_q.weight"), n_q, hp->width, REQUIRED);
    l->k = matrix(b, in_layer(name, i, "attn_k.weight"), n_k, hp->width, REQUIRED);
    l->v = matrix(b, in_layer(name, i, "attn_v.weight"), n_v, hp->width, REQUIRED);
    l->q_bias = vector(b, in_layer(name, i, "attn_q.bias"), n_q, bias);
    l->k_bias = vector(b, in_layer(name, i, "attn_k.bias"), n_k, bias);
    l->v_bias = vector(b, in_layer(name, i, "attn_v.bias"), n_v, bias);
}

static void bind_attention(binder *b, int32_t i, px_layer *l)
{
    const px_hparams *hp = b->hp;
    char name[NAME_BYTES];
    int64_t n_out = (int64_t)hp->n_heads * hp->value_dim;
    if (hp->pre_norm)
        l->attn_norm = vector(b, in_layer(name, i, "attn_norm.weight"), hp->width, REQUIRED);
    if (hp->post_norm)
        l->attn_post =
            vector(b, in_layer(name, i, "post_attention_norm.weight"), hp->width, REQUIRED);
    if (hp->qk_norm) {
        l->q_norm = vector(b, in_layer(name, i, "attn_q_norm.weight"), hp->head_dim, REQUIRED);
        l->k_norm = vector(b, in_layer(name, i, "attn_k_norm.weight"), hp->head_dim, REQUIRED);
    }
    bind_qkv(b, i, l);
    l->o = matrix(b, in_layer(name, i, "attn_output.weight"), hp->width, n_out, REQUIRED);
    l->o_bias = vector(b, in_layer(name, i, "attn_output.bias"), hp->width,
                       hp->out_bias ? REQUIRED : OPTIONAL);
}

static void bind_ffn(binder *b, int32_t i, px_layer *l)
{
    const px_hparams *hp = b->hp;
    char name[NAME_BYTES];
    if (hp->pre_norm)
        l->ffn_norm = vector(b, in_layer(name, i, "ffn_norm.weight"), hp->width, REQUIRED);
    if (hp->post_norm)
        l->ffn_post = vector(b, in_layer(name, i, "post_ffw_norm.weight"), hp->width, REQUIRED);
    if (hp->gate_up_fused) {
        px_matrix both = matrix(b, in_layer(name, i, "ffn_up.weight"), 2 * (int64_t)hp->ffn,
                                hp->width, REQUIRED);
        l->gate = rows_of(&both, 0, hp->ffn);
        l->up = rows_of(&both, hp->ffn, hp->ffn);
    } else {
        l->gate = matrix(b, in_layer(name, i, "ffn_gate.weight"), hp->ffn, hp->width, REQUIRED);
        l->up = matrix(b, in_layer(name, i, "ffn_up.weight"), hp->ffn, hp->width, REQUIRED);
    }
    l->down = matrix(b, in_layer(name, i, "ffn_down.weight"), hp->width, hp->ffn, REQUIRED);
}

/* Factors are divisors of frequencies: zero, negative and odd ones would give no positions. */
static const float *factors(binder *b, const char *name)
{
    int64_t n = b->hp->rope_dims / 2;
    const float *f = vector(b, name, n, REQUIRED);
    for (int64_t i = 0; f && b->copies && i < n; i++) {
        if (f[i] >= 1e-6f && f[i] <= 1e6f) // NaN fails both
            continue;
        b->status =
            px_fail(b->err, PITH_E_FORMAT,
                    "'%s': tensor '%s' holds %g at %" PRId64 ", expected factors from 1e-6 to 1e6",
                    b->s->path, name, (double)f[i], i);
        return NULL;
    }
    return f;
}

static void bind_pass(binder *b)
{
    const px_hparams *hp = b->hp;
    px_weights *w = b->w;
    w->embed = matrix(b, "token_embd.weight", hp->n_vocab, hp->width, REQUIRED);
    w->head =
        hp->tied_head ? w->embed : matrix(b, "output.weight", hp->n_vocab, hp->width, REQUIRED);
    w->out_norm = vector(b, "output_norm.weight", hp->width, REQUIRED);
    if (hp->rope_scaling == PX_ROPE_SCALING_FACTORS)
        w->rope_factors = factors(b, "rope_freqs.weight");
    if (hp->rope_scaling == PX_ROPE_SCALING_LONGROPE) {
        w->rope_factors_short = factors(b, "rope_factors_short.weight");
        w->rope_factors_long = factors(b, "rope_factors_long.weight");
    }
    for (int32_t i = 0; i < hp->n_layers && b->status == PITH_OK; i++) {
        bind_attention(b, i, &w->layers[i]);
        bind_ffn(b, i, &w->layers[i]);
    }
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name);
    size_t m = strlen(tail);
    return n >= m && strcmp(name + n - m, tail) == 0;
}

/* Tables that old converters wrote and that every reader derives itself. */
static bool is_harmless(const char *name)
{
    return strncmp(name, "rope_freqs.", 11) == 0 || ends_with(name, ".rope_freqs.weight") ||
           ends_with(name, ".attn_rot_embd.weight") || ends_with(name, "rotary_emb.inv_freq");
}

static void count_unused(binder *b)
{
    for (int64_t i = 0; i < b->s->n_tensors && b->status == PITH_OK; i++) {
        const char *name = b->s->tensors[i].name;
        if (b->used[i] || is_harmless(name))
            continue;
        if (strncmp(name, "blk.", 4) == 0 && ends_with(name, ".bias")) {
            b->status = px_fail(b->err, PITH_E_UNSUPPORTED,
                                "'%s': tensor '%s' is a bias that pith does not add in %s models",
                                b->s->path, name, b->hp->arch);
            return;
        }
        if (b->w->n_unused++ == 0)
            b->w->first_unused = name;
    }
}

pith_status px_weights_bind(const px_source *source, const px_hparams *hp, px_arena *arena,
                            px_weights *out, pith_error *err)
{
    px_weights w = {0};
    binder b = {.s = source, .hp = hp, .arena = arena, .w = &w, .err = err};
    w.layers = PX_ZNEW(arena, px_layer, (size_t)hp->n_layers);
    b.used = PX_ZNEW(arena, uint8_t, (size_t)source->n_tensors);
    if (!w.layers || !b.used)
        return px_fail_memory(err, "the list of the model's weights");
    bind_pass(&b);
    count_unused(&b);
    b.copies = true;
    if (b.status == PITH_OK)
        bind_pass(&b);
    if (b.status == PITH_OK)
        *out = w;
    return b.status;
}

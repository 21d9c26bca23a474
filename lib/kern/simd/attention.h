/*
 * attention: for any instruction set. Included once in a file of each, after its vec header.
 *
 * Query rows (token by token, all heads of the group) are taken VF_QUERIES at a time over tiles of
 * keys, with a running maximum and sum for each row (online softmax, arXiv 1805.02867); the output
 * rows accumulate in place. Where all rows see the whole tile they share each key and value that is
 * loaded and converted; at the edges of the causal triangle and of windows each row goes alone, so
 * that no row reads a key that it may not see. Keys and values are read as they lie: f32, f16,
 * q8_0.
 *
 * Cost: one pass over K and V for each VF_QUERIES rows. Tiles of query tokens are issue 3's.
 */
#include "kern/attn.h"
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/simd/math.h"
#include "kern/simd/ops.h"

#include <math.h>

#define INLINE static inline __attribute__((always_inline))

#define TILE 64 // keys

/* The vector of a key or value row at element i, n elements of it (n <= VF_N). */
typedef vf (*load_fn)(const uint8_t *row, int64_t i, int64_t n);

INLINE vf load_f32(const uint8_t *row, int64_t i, int64_t n)
{
    const float *x = (const float *)(const void *)row + i;
    return n >= VF_N ? vf_load(x) : vf_load_part(x, n);
}

INLINE vf load_f16(const uint8_t *row, int64_t i, int64_t n)
{
    return n >= VF_N ? vf_load_f16(row + 2 * i) : vf_load_f16_part(row + 2 * i, n);
}

/* Rows of q8_0 are whole blocks, and VF_N divides a block. */
INLINE vf load_q8_0(const uint8_t *row, int64_t i, int64_t n)
{
    (void)n;
    const px_q8_0 *b = (const px_q8_0 *)(const void *)row + i / PX_Q8_0_VALUES;
    return vf_mul(vf_load_i8(b->qs + i % PX_Q8_0_VALUES), vf_all(px_load_f16(b->d)));
}

/* Rows that are processed together. */
typedef struct rows {
    const float *q[VF_QUERIES];
    float *out[VF_QUERIES];
    px_attn_range sees[VF_QUERIES];
    float most[VF_QUERIES], sum[VF_QUERIES];
    float s[VF_QUERIES][TILE]; // scores of a tile, then weights
} rows;

/* s[r][t] = q[r] . key[t] for n keys and rows from `first` on */
INLINE void scores(const px_attn *a, rows *b, int first, const int n_rows,
                   const uint8_t *const *keys, int n, load_fn load)
{
    for (int t = 0; t < n; t++) {
        vf sum[VF_QUERIES];
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++)
            sum[r] = vf_zero();
        for (int64_t i = 0; i < a->head_dim; i += VF_N) {
            const int64_t left = a->head_dim - i;
            const vf k = load(keys[t], i, left);
#pragma GCC unroll 4
            for (int r = 0; r < n_rows; r++) {
                const float *q = b->q[first + r] + i;
                sum[r] = vf_fma(left >= VF_N ? vf_load(q) : vf_load_part(q, left), k, sum[r]);
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++)
            b->s[first + r][t] = vf_sum(sum[r]);
    }
}

/* out[r] += sum over n keys of s[r][t] value[t] */
INLINE void values(const px_attn *a, rows *b, int first, const int n_rows, const uint8_t *const *vs,
                   int n, load_fn load)
{
    for (int64_t i = 0; i < a->value_dim; i += VF_N) {
        const int64_t left = a->value_dim - i;
        vf sum[VF_QUERIES];
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++) {
            const float *out = b->out[first + r] + i;
            sum[r] = left >= VF_N ? vf_load(out) : vf_load_part(out, left);
        }
        for (int t = 0; t < n; t++) {
            const vf v = load(vs[t], i, left);
#pragma GCC unroll 4
            for (int r = 0; r < n_rows; r++)
                sum[r] = vf_fma(vf_all(b->s[first + r][t]), v, sum[r]);
        }
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++) {
            float *out = b->out[first + r] + i;
            if (left >= VF_N)
                vf_store(out, sum[r]);
            else
                vf_store_part(out, sum[r], left);
        }
    }
}

/* One function for each dtype: all rows of a block together, or fewer one by one. */
typedef void (*pass_fn)(const px_attn *a, rows *b, int first, int n_rows, const uint8_t *const *at,
                        int n);

#define PASS(op, dtype)                                                        \
    static void op##_##dtype(const px_attn *a, rows *b, int first, int n_rows, \
                             const uint8_t *const *at, int n)                  \
    {                                                                          \
        if (n_rows == VF_QUERIES)                                              \
            op(a, b, first, VF_QUERIES, at, n, load_##dtype);                  \
        else                                                                   \
            for (int r = first; r < first + n_rows; r++)                       \
                op(a, b, r, 1, at, n, load_##dtype);                           \
    }
PASS(scores, f32)
PASS(scores, f16)
PASS(scores, q8_0)
PASS(values, f32)
PASS(values, f16)
PASS(values, q8_0)

static void multiply_row(float *x, int64_t n, float by)
{
    const vf all = vf_all(by);
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(x + i, vf_mul(vf_load(x + i), all));
    if (i < n)
        vf_store_part(x + i, vf_mul(vf_load_part(x + i, n - i), all), n - i);
}

/* n scores of row r become weights; what was summed before is brought to the new maximum. */
static void weigh(const px_attn *a, rows *b, int r, int n)
{
    float *s = b->s[r];
    const int whole = (n + VF_N - 1) / VF_N * VF_N; // at most TILE
    for (int t = n; t < whole; t++)
        s[t] = 0.0f;
    for (int t = 0; t < whole; t += VF_N) {
        vf x = vf_mul(vf_load(s + t), vf_all(a->scale));
        if (a->softcap > 0)
            x = vf_mul(vf_tanh(vf_div(x, vf_all(a->softcap))), vf_all(a->softcap));
        vf_store(s + t, x);
    }
    for (int t = n; t < whole; t++)
        s[t] = -INFINITY;
    vf most = vf_all(b->most[r]);
    for (int t = 0; t < whole; t += VF_N)
        most = vf_max(most, vf_load(s + t));
    const float tile_most = vf_most(most);
    if (tile_most > b->most[r]) {
        const float shrink = expf(b->most[r] - tile_most);
        multiply_row(b->out[r], a->value_dim, shrink);
        b->sum[r] *= shrink;
        b->most[r] = tile_most;
    }
    vf sum = vf_zero();
    for (int t = 0; t < whole; t += VF_N) {
        const vf weight = vf_exp(vf_sub(vf_load(s + t), vf_all(b->most[r])));
        vf_store(s + t, weight);
        sum = vf_add(sum, weight);
    }
    b->sum[r] += vf_sum(sum);
}

/* ---- blocks of rows */

static pass_fn score_pass(px_dtype dtype)
{
    return dtype == PX_F32 ? scores_f32 : dtype == PX_F16 ? scores_f16 : scores_q8_0;
}

static pass_fn value_pass(px_dtype dtype)
{
    return dtype == PX_F32 ? values_f32 : dtype == PX_F16 ? values_f16 : values_q8_0;
}

/* Rows [first, first + n_rows) of the block against keys [t0, t1). */
static void attend(const px_attn *a, rows *b, int first, int n_rows, int64_t t0, int64_t t1)
{
    const uint8_t *keys[TILE], *vs[TILE];
    const int n = (int)(t1 - t0);
    for (int t = 0; t < n; t++) {
        keys[t] = px_attn_k(a, t0 + t);
        vs[t] = px_attn_v(a, t0 + t);
    }
    score_pass(a->k_dtype)(a, b, first, n_rows, keys, n);
    for (int r = first; r < first + n_rows; r++)
        weigh(a, b, r, n);
    value_pass(a->v_dtype)(a, b, first, n_rows, vs, n);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Rows r0 and on; row r is head r % group of token r / group, so that ranges ascend. */
static void attend_rows(const px_attn *a, int64_t r0, int n_rows)
{
    rows b;
    for (int r = 0; r < n_rows; r++) {
        const int64_t i = (r0 + r) / a->group, g = (r0 + r) % a->group;
        b.q[r] = a->q + i * a->q_stride + g * a->head_dim;
        b.out[r] = a->out + i * a->out_stride + g * a->value_dim;
        b.sees[r] = px_attn_sees(a, i);
        b.most[r] = -INFINITY;
        b.sum[r] = 0.0f;
        memset(b.out[r], 0, (size_t)a->value_dim * sizeof(float));
    }
    const int64_t end = b.sees[n_rows - 1].end;
    for (int64_t t0 = b.sees[0].first; t0 < end; t0 += TILE) {
        const int64_t t1 = smaller(t0 + TILE, end);
        if (b.sees[n_rows - 1].first <= t0 && t1 <= b.sees[0].end) {
            attend(a, &b, 0, n_rows, t0, t1);
            continue;
        }
        for (int r = 0; r < n_rows; r++) {
            const int64_t low = larger(t0, b.sees[r].first), high = smaller(t1, b.sees[r].end);
            if (low < high)
                attend(a, &b, r, 1, low, high);
        }
    }
    for (int r = 0; r < n_rows; r++)
        multiply_row(b.out[r], a->value_dim, 1.0f / b.sum[r]);
}

void LEVEL(attention)(const px_attn *a)
{
    const int64_t n = (int64_t)a->n_q * a->group;
    for (int64_t r = 0; r < n; r += VF_QUERIES)
        attend_rows(a, r, (int)smaller(n - r, VF_QUERIES));
}

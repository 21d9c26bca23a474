/*
 * attention: for any instruction set. Included once in a file of each, after its vec header. Many
 * query rows are taken in tiles, see attention_tile.h.
 *
 * Few query rows (decode): up to FEW_ROWS of them (token by token, all heads of the group) go
 * together over tiles of keys, with a running maximum and sum for each row (online softmax, arXiv
 * 1805.02867). Keys and values are converted in registers as they are read, for VF_QUERIES rows at
 * once; the next tile is fetched meanwhile, a row for each row that is used: a page holds too few
 * for the processor to notice the stream by itself. Scores take four keys at a time, so that sums
 * across a vector are made four at once; values keep VF_QUERIES rows of four vectors in registers
 * over all keys of the tile. Where rows do not see the whole tile, at the edges of the causal
 * triangle and of windows, each goes alone over what it sees, so that no row reads a key that it
 * may not see.
 *
 * Cost for a key of D values and R rows: 2 D / VF_N conversions for each VF_QUERIES rows, 2 R D /
 * VF_N fused multiplies and adds, R sums across a vector at some 3 instructions, R / VF_N
 * exponentials.
 */
#include "kern/simd/attention_kv.h"

#include "kern/ref/ops.h"
#include "kern/simd/ops.h"

#include <float.h>
#include <math.h>

enum { FEW_ROWS = 16 };

typedef struct few {
    const px_attn *a;
    int n;          // rows
    int64_t dq, dv; // head sizes in whole vectors
    float *q;       // [n, dq], times the scale of scores, zeros behind D
    float *out;     // [n, dv]
    const tile_rows *tile;
    const tile_rows *next; // to be fetched; n 0: has been
    px_attn_range sees[FEW_ROWS];
    float most[FEW_ROWS], sum[FEW_ROWS];
    float s[FEW_ROWS][TILE + VF_N]; // scores, then weights, of the keys that a row sees of a tile
} few;

/* Keys [low, high) of the tile against rows r0 and on: s[r][t - low]. */
INLINE void score_block(few *b, int r0, const int n_rows, int low, int high, load_fn load)
{
    const int64_t dim = b->a->head_dim;
    for (int t = low; t < high; t += 4) {
        const uint8_t *key[4];
        vf sum[VF_QUERIES][4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            key[j] = tile_key(b->tile, t + j < high ? t + j : high - 1);
            if (t + j < b->next->n)
                fetch_row(tile_key(b->next, t + j), b->next->k_bytes);
        }
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                sum[r][j] = vf_zero();
        for (int64_t i = 0; i < dim; i += VF_N) {
            vf k[4];
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                k[j] = load(key[j], i, dim - i);
#pragma GCC unroll 8
            for (int r = 0; r < n_rows; r++) {
                const vf q = vf_load(b->q + (r0 + r) * b->dq + i);
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++)
                    sum[r][j] = vf_fma(q, k[j], sum[r][j]);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++)
            vf_store_sums(b->s[r0 + r] + t - low, sum[r][0], sum[r][1], sum[r][2], sum[r][3]);
    }
}

/* out[r] += sum over keys [low, high) of s[r][t - low] value[t]; `wide` vectors from element i. */
INLINE void value_block(few *b, int r0, const int n_rows, int low, int high, int64_t i,
                        const int wide, load_fn load)
{
    const int64_t dim = b->a->value_dim;
    vf sum[VF_QUERIES][4];
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < wide; j++)
            sum[r][j] = vf_load(b->out + (r0 + r) * b->dv + i + j * VF_N);
    for (int t = low; t < high; t++) {
        const uint8_t *value = tile_value(b->tile, t);
        vf v[4];
        if (i == 0 && t < b->next->n)
            fetch_row(tile_value(b->next, t), b->next->v_bytes);
#pragma GCC unroll 4
        for (int j = 0; j < wide; j++)
            v[j] = load(value, i + j * VF_N, wide > 1 ? VF_N : dim - i);
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++) {
            const vf weight = vf_all(b->s[r0 + r][t - low]);
#pragma GCC unroll 4
            for (int j = 0; j < wide; j++)
                sum[r][j] = vf_fma(weight, v[j], sum[r][j]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < wide; j++)
            vf_store(b->out + (r0 + r) * b->dv + i + j * VF_N, sum[r][j]);
}

INLINE void value_blocks(few *b, int r0, const int n_rows, int low, int high, load_fn load)
{
    const int64_t dim = b->a->value_dim;
    int64_t i = 0;
    for (; i + 4 * VF_N <= dim; i += 4 * VF_N)
        value_block(b, r0, n_rows, low, high, i, 4, load);
    for (; i < dim; i += VF_N)
        value_block(b, r0, n_rows, low, high, i, 1, load);
}

/* One function for each dtype and number of rows. */
typedef void (*pass_fn)(few *b, int r0, int low, int high);

#define PASS(n, dtype)                                                 \
    static void score_##dtype##_##n(few *b, int r0, int low, int high) \
    {                                                                  \
        score_block(b, r0, n, low, high, load_##dtype);                \
    }                                                                  \
    static void value_##dtype##_##n(few *b, int r0, int low, int high) \
    {                                                                  \
        value_blocks(b, r0, n, low, high, load_##dtype);               \
    }
#define PASSES(n) PASS(n, f32) PASS(n, f16) PASS(n, q8_0)
PASSES(1)
PASSES(2)
#if VF_QUERIES > 2
PASSES(3)
PASSES(4)
#define OF_ROWS(op, dtype)                                                     \
    {                                                                          \
        op##_##dtype##_1, op##_##dtype##_2, op##_##dtype##_3, op##_##dtype##_4 \
    }
enum { MOST_ROWS = 4 };
#else
#define OF_ROWS(op, dtype)                 \
    {                                      \
        op##_##dtype##_1, op##_##dtype##_2 \
    }
enum { MOST_ROWS = 2 };
#endif

static int table_of(px_dtype dtype)
{
    return dtype == PX_F32 ? 0 : dtype == PX_F16 ? 1 : 2;
}

static pass_fn score_pass(px_dtype dtype, int n_rows)
{
    static const pass_fn ALL[][MOST_ROWS] = {OF_ROWS(score, f32), OF_ROWS(score, f16),
                                             OF_ROWS(score, q8_0)};
    return ALL[table_of(dtype)][n_rows - 1];
}

static pass_fn value_pass(px_dtype dtype, int n_rows)
{
    static const pass_fn ALL[][MOST_ROWS] = {OF_ROWS(value, f32), OF_ROWS(value, f16),
                                             OF_ROWS(value, q8_0)};
    return ALL[table_of(dtype)][n_rows - 1];
}

static void multiply_row(float *x, int64_t n, float by)
{
    const vf all = vf_all(by);
    for (int64_t i = 0; i < n; i += VF_N)
        vf_store(x + i, vf_mul(vf_load(x + i), all));
}

/* n scores of row r, scaled already, become weights; what was summed before is brought to the new
 * maximum. */
static void weigh(few *b, int r, int n)
{
    const px_attn *a = b->a;
    float *s = b->s[r];
    const int whole = (int)whole_vectors(n);
    if (a->softcap > 0)
        for (int t = 0; t < n; t += VF_N) // what lies behind is overwritten
            vf_store(s + t, vf_mul(vf_tanh(vf_load(s + t)), vf_all(a->softcap)));
    for (int t = n; t < whole; t++)
        s[t] = -INFINITY;
    vf most = vf_all(b->most[r]);
    for (int t = 0; t < whole; t += VF_N)
        most = vf_max(most, vf_load(s + t));
    const float tile_most = vf_most(most);
    if (tile_most > b->most[r]) {
        const float shrink = expf(b->most[r] - tile_most);
        multiply_row(b->out + r * b->dv, b->dv, shrink);
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

/* All rows over the tile, whose first key is t0. */
static void attend_tile(few *b, int64_t t0)
{
    static const tile_rows NONE = {0};
    const int64_t t1 = t0 + b->tile->n;
    for (int r = 0, n = 1; r < b->n; r += n, n = 1) {
        const int64_t first = at_least(t0, b->sees[r].first), end = at_most(t1, b->sees[r].end);
        while (n < VF_QUERIES && r + n < b->n && at_least(t0, b->sees[r + n].first) == first &&
               at_most(t1, b->sees[r + n].end) == end)
            n++; // rows that see the same
        if (first >= end)
            continue;
        const int low = (int)(first - t0), high = (int)(end - t0);
        score_pass(b->a->k_dtype, n)(b, r, low, high);
        for (int i = r; i < r + n; i++)
            weigh(b, i, high - low);
        value_pass(b->a->v_dtype, n)(b, r, low, high);
        b->next = &NONE;
    }
}

/* Lays the block out in scratch and takes rows r0 and on in; row r is head r % group of token
 * r / group, so that what they see ascends. */
static void take_rows(few *b, int64_t r0, int n)
{
    const px_attn *a = b->a;
    b->n = n;
    b->dq = whole_vectors(a->head_dim);
    b->dv = whole_vectors(a->value_dim);
    b->q = a->scratch;
    b->out = b->q + FEW_ROWS * b->dq;
    for (int r = 0; r < n; r++) {
        const int64_t i = (r0 + r) / a->group, g = (r0 + r) % a->group;
        float *q = b->q + r * b->dq;
        memset(q + b->dq - VF_N, 0, VF_N * sizeof *q);
        memcpy(q, a->q + i * a->q_stride + g * a->head_dim, (size_t)a->head_dim * sizeof *q);
        multiply_row(q, b->dq, a->softcap > 0 ? a->scale / a->softcap : a->scale);
        b->sees[r] = px_attn_sees(a, i);
        b->most[r] = -INFINITY;
        b->sum[r] = 0.0f;
    }
    memset(b->out, 0, (size_t)(n * b->dv) * sizeof(float));
}

static void give_rows(const few *b, int64_t r0)
{
    const px_attn *a = b->a;
    for (int r = 0; r < b->n; r++) {
        const int64_t i = (r0 + r) / a->group, g = (r0 + r) % a->group;
        float *out = b->out + r * b->dv;
        if (a->part)
            a->part[r0 + r] = (px_attn_part){b->most[r], b->sum[r]};
        else
            multiply_row(out, b->dv, 1.0f / b->sum[r]);
        memcpy(a->out + i * a->out_stride + g * a->value_dim, out,
               (size_t)a->value_dim * sizeof *out);
    }
}

static void attend_few(const px_attn *a, int64_t r0, int n)
{
    few b;
    tile_rows tiles[2];
    b.a = a;
    take_rows(&b, r0, n);
    const int64_t end = b.sees[n - 1].end;
    int64_t t0 = b.sees[0].first;
    find_tile(a, t0, end, &tiles[0]);
    for (int t = 0; t < tiles[0].n; t++) {
        fetch_row(tile_key(&tiles[0], t), a->k_row_bytes);
        fetch_row(tile_value(&tiles[0], t), a->v_row_bytes);
    }
    for (int i = 0; t0 < end; i ^= 1) {
        b.tile = &tiles[i];
        b.next = &tiles[i ^ 1];
        find_tile(a, t0 + b.tile->n, end, &tiles[i ^ 1]);
        attend_tile(&b, t0);
        t0 += b.tile->n;
    }
    give_rows(&b, r0);
}

void LEVEL(attention_few)(const px_attn *a, int64_t r0, int64_t n)
{
    for (int64_t r = 0; r < n; r += FEW_ROWS)
        attend_few(a, r0 + r, (int)at_most(n - r, FEW_ROWS));
}

/* ---- many rows */

#include "kern/simd/attention_f32.h"
#include "kern/simd/attention_tile.h"

static void attend_apart(const px_attn *a, int64_t r0, int n)
{
    LEVEL(attention_few)(a, r0, n);
}

void LEVEL(attention)(const px_attn *a)
{
    const int64_t n = (int64_t)a->n_q * a->group;
    const int64_t wide = at_least(a->head_dim, a->value_dim);
    if (wide > MOST_DIM)
        px_ref_attention(a);
    else if (n > FEW_ROWS && wide <= TILE_MOST_DIM)
        attend_in_tiles(a);
    else
        LEVEL(attention_few)(a, 0, n);
}

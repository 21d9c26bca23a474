/*
 * tile: products of packed weights with many columns, for any instruction set. Included once in a
 * file of each level, which defines before: LEVEL; TILE_ROWS, TILE_COLS and the ti_ and tf_
 * functions (x86/tile_vec*.h); TILE_PAIRS where products of bytes are added up in 16 bits first
 * (ti_dot16, ti_widen, ti_dot_signed) and not in 32 at once (ti_dot). The unpacking of formats
 * comes after it.
 *
 * TILE_ROWS rows x PX_TILE_K values are unpacked once into the member's scratch, as a panel, and
 * multiplied with all columns, up to TILE_COLS at a time. A panel is a row of records, one a block:
 *
 *   Q8    | codes of 32 values | scale: f32 each row | offset: f32 each row, where it has one |
 *   Q8K   | 8 or 16 times: codes of 32 or 16 values, scale | minima, where it has them: for each
 *         two sub-blocks a pair of int16 each row | -dmin: f32 each row |
 *
 * Codes: vectors of four consecutive values of each row, as unsigned bytes; signed ones stand some
 * power of two higher, which the start of the column's integer sum takes back (act.h). A
 * product of a vector with four values of a column, which are one 32-bit number for all lanes, is
 * one instruction where the CPU has dot products; there are no sums across lanes, and the scales of
 * all rows are one vector.
 *
 * Each (row, column) goes through the same operations whatever stands beside it: sub-blocks of a
 * super-block in order, then blocks, then panels of PX_TILE_K values.
 */
#ifndef PX_KERN_SIMD_TILE_H
#define PX_KERN_SIMD_TILE_H

#include "kern/act.h"

#include <string.h>

enum {
    TILE_K = 2048,   // values of a row in a panel
    TILE_PANELS = 4, // of rows, in scratch at once, where columns are many
    TILE_FEW = 48,   // columns up to which panels go one by one and the next is fetched
    TILE_BASES = (TILE_COLS + 2) / 3, // of addresses: every third column
    TILE_VECTOR = 4 * TILE_ROWS,
    TILE_LINE = 64, // bytes that a fetch brings
};

/* What the arithmetic of a format is. */
typedef struct tile_kind {
    int sub;   // values of a scale
    int shift; // by how much codes are too large, a power of two or 0
    bool minima;
    int bits; // of codes, unsigned; 8: signed where products of bytes come in pairs
} tile_kind;

/* Memory that the next panel comes from, fetched into the second-level cache piece by piece while
 * this one is multiplied: `rows` runs of row bytes each, `stride` apart. */
typedef struct tile_ahead {
    const uint8_t *at, *end; // of the run
    size_t row, stride;
    int rows;  // runs after this one
    int lines; // to fetch at each step
} tile_ahead;

/* n columns by one panel. */
typedef struct tile_part {
    tile_ahead *ahead;
    const uint8_t *panel;
    int64_t n_blocks;
    const uint8_t *x; // first column
    size_t stride;
    int64_t k, k0; // of a column; where the panel begins
    float *sums;   // [TILE_COLS, TILE_ROWS], aligned
} tile_part;

typedef void (*tile_micro_fn)(const tile_part *t);
/* Unpacks n_blocks blocks of TILE_ROWS rows. */
typedef void (*tile_unpack_fn)(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel);

typedef struct tile_format {
    int block_bytes, values; // of a block of weights
    int record, steps;       // of a block: bytes in a panel, scales of a row
    tile_unpack_fn unpack;
    const tile_micro_fn *micro; // [TILE_COLS]: for 1, 2, ... columns
} tile_format;

/* One array of the columns of a group: addresses are a base, 0, 1 or 2 strides and a constant,
 * which x86 adds up in the instruction; 12 bases would not fit its registers. */
typedef struct tile_array {
    const uint8_t *at[TILE_BASES];
    size_t stride;
} tile_array;

TILE_INLINE tile_array tile_array_of(const tile_part *t, size_t offset)
{
    tile_array a = {.stride = t->stride};
    for (int i = 0; i < TILE_BASES; i++)
        a.at[i] = t->x + 3 * (size_t)i * t->stride + offset;
    return a;
}

TILE_INLINE const void *tile_at(const tile_array *a, int c)
{
    return a->at[c / 3] + (size_t)(c % 3) * a->stride;
}

TILE_INLINE void tile_next(tile_array *a, size_t bytes)
{
    for (int i = 0; i < TILE_BASES; i++)
        a->at[i] += bytes;
}

TILE_INLINE void tile_fetch(tile_ahead *a)
{
    for (int i = 0; i < a->lines; i++, a->at += TILE_LINE) {
        if (a->at >= a->end) {
            if (a->rows-- <= 0) {
                a->lines = 0;
                return;
            }
            a->at = a->end - a->row + a->stride;
            a->end = a->at + a->row;
        }
        __builtin_prefetch(a->at, 0, 2);
    }
}

/* ---- integer sums */

/* Where the sum of a sub-block begins: shift times less than the sum of its values, of which
 * `start` has 128 times. */
TILE_INLINE ti tile_start(const uint8_t *start, const int n, const tile_kind kind)
{
    if (kind.shift == 0)
        return ti_zero();
    ti sum = ti_all(start);
    if (n == 2)
        sum = ti_add(sum, ti_all(start + 4));
    return kind.shift == PX_ACT_SHIFT
               ? sum
               : ti_right32_signed(sum, __builtin_ctz(PX_ACT_SHIFT / kind.shift));
}

/* The products of a sub-block with n columns: whole[c] plus the sum of w * x. */
TILE_INLINE void tile_dots(const uint8_t *p, const tile_array *q, ti *whole, const int n,
                           const tile_kind kind)
{
#ifdef TILE_PAIRS
    // 16 bits hold so many sums of two products with |x| <= 127
    const int n_vectors = kind.sub / 4, fit = kind.bits <= 4 ? 8 : kind.bits == 5 ? 4 : 2;
    const int step = fit < n_vectors ? fit : n_vectors;
    for (int v0 = 0; kind.bits < 8 && v0 < n_vectors; v0 += step) {
        ti some[TILE_COLS];
        TILE_UNROLL for (int c = 0; c < n; c++) some[c] = ti_zero();
        TILE_UNROLL for (int v = 0; v < step; v++)
        {
            const ti w = ti_load(p + (v0 + v) * TILE_VECTOR);
            TILE_UNROLL for (int c = 0; c < n; c++) some[c] =
                ti_dot16(some[c], w, (const uint8_t *)tile_at(q, c) + 4 * (v0 + v));
        }
        TILE_UNROLL for (int c = 0; c < n; c++) whole[c] = ti_widen(whole[c], some[c]);
    }
    if (kind.bits < 8)
        return;
#define ti_dot ti_dot_signed
#endif
    TILE_UNROLL for (int v = 0; v < kind.sub / 4; v++)
    {
        const ti w = ti_load(p + v * TILE_VECTOR);
        TILE_UNROLL for (int c = 0; c < n; c++) whole[c] =
            ti_dot(whole[c], w, (const uint8_t *)tile_at(q, c) + 4 * v);
    }
}

/* ---- blocks of 32 */

TILE_INLINE void tile_q8(const tile_part *t, const int n, const tile_kind kind)
{
    const size_t b0 = (size_t)(t->k0 / PX_Q8_BLOCK) * 4;
    tile_array q = tile_array_of(t, (size_t)t->k0);
    tile_array d = tile_array_of(t, px_q8_d_offset(t->k) + b0);
    tile_array other =
        tile_array_of(t, (kind.shift > 0 ? px_q8_start_offset(t->k) : px_q8_ds_offset(t->k)) + b0);
    const uint8_t *p = t->panel;
    tf sum[TILE_COLS];
    TILE_UNROLL for (int c = 0; c < n; c++) sum[c] = tf_zero();
    for (int64_t b = 0; b < t->n_blocks; b++) {
        ti whole[TILE_COLS];
        tile_fetch(t->ahead);
        TILE_UNROLL for (int c = 0; c < n; c++) whole[c] = tile_start(tile_at(&other, c), 1, kind);
        tile_dots(p, &q, whole, n, kind);
        p += PX_Q8_BLOCK / 4 * TILE_VECTOR;
        const tf scale = tf_load(p);
        TILE_UNROLL for (int c = 0; c < n; c++) sum[c] =
            tf_fma(tf_of(whole[c]), tf_mul(scale, tf_all(tile_at(&d, c))), sum[c]);
        p += TILE_VECTOR;
        if (kind.minima) {
            const tf offset = tf_load(p);
            TILE_UNROLL for (int c = 0; c < n; c++) sum[c] =
                tf_fma(offset, tf_all(tile_at(&other, c)), sum[c]);
            p += TILE_VECTOR;
        }
        tile_next(&q, PX_Q8_BLOCK);
        tile_next(&d, 4);
        tile_next(&other, 4);
    }
    TILE_UNROLL for (int c = 0; c < n; c++) tf_store(t->sums + c * TILE_ROWS, sum[c]);
}

/* ---- super-blocks */

/* The minima of a super-block: -dmin * sum of mn * sums, which groups begin with. */
TILE_INLINE const uint8_t *tile_minima(const uint8_t *p, const tile_array *sums, const int n,
                                       const int n_pairs, tf *group)
{
    ti whole[TILE_COLS];
    TILE_UNROLL for (int c = 0; c < n; c++) whole[c] = ti_zero();
    TILE_UNROLL for (int i = 0; i < n_pairs; i++)
    {
        const ti mn = ti_load(p + i * TILE_VECTOR);
        TILE_UNROLL for (int c = 0; c < n; c++) whole[c] =
            ti_pairs(whole[c], mn, (const uint8_t *)tile_at(sums, c) + 4 * i);
    }
    p += n_pairs * TILE_VECTOR;
    const tf dmin = tf_load(p);
    TILE_UNROLL for (int c = 0; c < n; c++) group[c] = tf_mul(tf_of(whole[c]), dmin);
    return p + TILE_VECTOR;
}

TILE_INLINE void tile_q8k(const tile_part *t, const int n, const tile_kind kind)
{
    const int n_subs = PX_Q8K_BLOCK / kind.sub, n_starts = kind.sub / PX_Q8K_SUM;
    const size_t b0 = (size_t)(t->k0 / PX_Q8K_BLOCK);
    const size_t other_bytes =
        kind.shift > 0 ? PX_Q8K_BLOCK / PX_Q8K_SUM * 4 : (size_t)n_subs * sizeof(int16_t);
    tile_array q = tile_array_of(t, (size_t)t->k0);
    tile_array d = tile_array_of(t, px_q8k_d_offset(t->k) + b0 * 4);
    tile_array other = tile_array_of(t, (kind.shift > 0   ? px_q8k_start_offset(t->k)
                                         : kind.sub == 16 ? px_q8k_sums_offset(t->k)
                                                          : px_q8k_sums32_offset(t->k)) +
                                            b0 * other_bytes);
    const uint8_t *p = t->panel;
    TILE_UNROLL for (int c = 0; c < n; c++) tf_store(t->sums + c * TILE_ROWS, tf_zero());
    for (int64_t b = 0; b < t->n_blocks; b++) {
        tf group[TILE_COLS];
        if (kind.minima) {
            p = tile_minima(p, &other, n, n_subs / 2, group);
        } else {
            TILE_UNROLL for (int c = 0; c < n; c++) group[c] = tf_zero();
        }
        for (int s = 0; s < n_subs; s++) {
            ti whole[TILE_COLS];
            tile_fetch(t->ahead);
            TILE_UNROLL for (int c = 0; c < n; c++) whole[c] =
                tile_start((const uint8_t *)tile_at(&other, c) + s * n_starts * 4, n_starts, kind);
            tile_dots(p, &q, whole, n, kind);
            tile_next(&q, (size_t)kind.sub);
            const tf scale = tf_load(p + kind.sub / 4 * TILE_VECTOR);
            TILE_UNROLL for (int c = 0; c < n; c++) group[c] =
                tf_fma(tf_of(whole[c]), scale, group[c]);
            p += (kind.sub / 4 + 1) * TILE_VECTOR;
        }
        TILE_UNROLL for (int c = 0; c < n; c++)
        {
            float *sum = t->sums + c * TILE_ROWS;
            tf_store(sum, tf_fma(group[c], tf_all(tile_at(&d, c)), tf_load(sum)));
        }
        tile_next(&d, 4);
        tile_next(&other, other_bytes);
    }
}

/* The functions of a kind for each number of columns, their list, and the bytes of a record. */
#define tile_q8_values  32
#define tile_q8k_values 256
#define TILE_RECORD(values, sub, minima)        \
    (TILE_VECTOR * (values / 4 + values / sub + \
                    (!minima        ? 0         \
                     : values == 32 ? 1         \
                                    : values / sub / 2 + 1)))
#define TILE_MICRO_N(name, form, n, ...)                                         \
    static __attribute__((noinline)) void micro_##name##_##n(const tile_part *t) \
    {                                                                            \
        form(t, n, (tile_kind){__VA_ARGS__});                                    \
    }
#define TILE_MICRO_4(name, form, ...)        \
    TILE_MICRO_N(name, form, 1, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 2, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 3, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 4, __VA_ARGS__)
#define TILE_MICRO_8(name, form, ...)        \
    TILE_MICRO_4(name, form, __VA_ARGS__)    \
    TILE_MICRO_N(name, form, 5, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 6, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 7, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 8, __VA_ARGS__)
#define TILE_MICRO_12(name, form, ...)        \
    TILE_MICRO_8(name, form, __VA_ARGS__)     \
    TILE_MICRO_N(name, form, 9, __VA_ARGS__)  \
    TILE_MICRO_N(name, form, 10, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 11, __VA_ARGS__) \
    TILE_MICRO_N(name, form, 12, __VA_ARGS__)
#define TILE_LIST_4(name) micro_##name##_1, micro_##name##_2, micro_##name##_3, micro_##name##_4
#define TILE_LIST_8(name) \
    TILE_LIST_4(name), micro_##name##_5, micro_##name##_6, micro_##name##_7, micro_##name##_8
#define TILE_LIST_12(name) \
    TILE_LIST_8(name), micro_##name##_9, micro_##name##_10, micro_##name##_11, micro_##name##_12
#define TILE_GLUE(a, b)    a##b
#define TILE_BY_COLS(a, b) TILE_GLUE(a, b)

#define TILE_MICRO(name, form, sub, shift, minima, bits)                                          \
    enum {                                                                                        \
        RECORD_##name = TILE_RECORD(form##_values, sub, minima),                                  \
        STEPS_##name = form##_values / sub                                                        \
    };                                                                                            \
    TILE_BY_COLS(TILE_MICRO_, TILE_COLS)                                                          \
    (name, form, sub, shift, minima, bits) static const tile_micro_fn MICRO_##name[TILE_COLS] = { \
        TILE_BY_COLS(TILE_LIST_, TILE_COLS)(name)};

/* ---- the whole product */

/* n_panels panels, one after the other in scratch, with all columns, in groups as even as can be: a
 * group meets all panels while it is in the caches. Sums are added to y, or written there where
 * values begin. */
static void tile_columns(const px_mul *m, const tile_format *f, tile_part *t, int64_t row0,
                         int64_t row1, size_t panel_bytes)
{
    const int64_t n = m->x->n;
    const int64_t n_groups = (n + TILE_COLS - 1) / TILE_COLS;
    for (int64_t g = 0, c0 = 0; g < n_groups; g++) {
        const int size = (int)((n - c0 + n_groups - g - 1) / (n_groups - g));
        t->x = px_act_column(m->x, c0);
        t->panel = m->scratch;
        for (int64_t r = row0; r < row1; r += TILE_ROWS, t->panel += panel_bytes) {
            const int rows = row1 - r < TILE_ROWS ? (int)(row1 - r) : TILE_ROWS;
            for (int c = 0; c < size; c++)
                __builtin_prefetch(m->y + (c0 + c) * m->y_stride + r, 1);
            f->micro[size - 1](t);
            for (int c = 0; c < size; c++)
                tf_put(m->y + (c0 + c) * m->y_stride + r, tf_load(t->sums + c * TILE_ROWS), rows,
                       t->k0 > 0);
        }
        c0 += size;
    }
}

/* Values [k0, k0 + TILE_K) of a row. */
static int64_t tile_values(const px_mul *m, int64_t k0)
{
    return m->x->k - k0 < TILE_K ? m->x->k - k0 : TILE_K;
}

static const uint8_t *tile_place(const px_mul *m, const tile_format *f, int64_t row, int64_t k0)
{
    return m->w + (size_t)row * m->row_bytes + k0 / f->values * f->block_bytes;
}

/* Unpacks rows [r, r + TILE_ROWS), as far as they are below row1: the others repeat the last. */
static void tile_unpack(const px_mul *m, const tile_format *f, int64_t r, int64_t row1, int64_t k0,
                        uint8_t *panel)
{
    const uint8_t *from[TILE_ROWS];
    for (int i = 0; i < TILE_ROWS; i++)
        from[i] = tile_place(m, f, r + i < row1 ? r + i : row1 - 1, k0);
    f->unpack(from, tile_values(m, k0) / f->values, panel);
}

/* What follows the panel at r and k0: the next values of its rows, or the next rows. Those behind
 * the last row of a call are mostly what its member is given next; where memory ends there, a fetch
 * of nothing does nothing. */
static tile_ahead tile_follow(const px_mul *m, const tile_format *f, int64_t r, int64_t row1,
                              int64_t k0)
{
    k0 += TILE_K;
    if (k0 >= m->x->k) {
        k0 = 0;
        r += TILE_ROWS;
    }
    const int64_t n = r < row1 && row1 - r < TILE_ROWS ? row1 - r : TILE_ROWS;
    const int64_t blocks = tile_values(m, k0) / f->values;
    const int64_t n_groups = (m->x->n + TILE_COLS - 1) / TILE_COLS;
    const int64_t n_steps = blocks > 0 ? blocks * f->steps * n_groups : 1;
    tile_ahead a = {.at = tile_place(m, f, r, k0),
                    .row = (size_t)(blocks * f->block_bytes),
                    .stride = m->row_bytes,
                    .rows = (int)n - 1};
    a.end = a.at + a.row;
    const int64_t lines = n * ((int64_t)a.row / TILE_LINE + 1);
    a.lines = (int)((lines + n_steps - 1) / n_steps);
    return a;
}

/* Rows [row0, row1), panels in scratch together. */
static void tile_rows(const px_mul *m, const tile_format *f, int64_t row0, int64_t row1, int64_t k0,
                      tile_ahead ahead)
{
    _Alignas(64) float sums[TILE_COLS * TILE_ROWS];
    tile_part t = {.ahead = &ahead,
                   .n_blocks = tile_values(m, k0) / f->values,
                   .stride = m->x->column_bytes,
                   .k = m->x->k,
                   .k0 = k0,
                   .sums = sums};
    const size_t panel_bytes = (size_t)t.n_blocks * (size_t)f->record;
    uint8_t *panel = m->scratch;
    for (int64_t r = row0; r < row1; r += TILE_ROWS, panel += panel_bytes)
        tile_unpack(m, f, r, row1, k0, panel);
    tile_columns(m, f, &t, row0, row1, panel_bytes);
}

static void tile_multiply(const px_mul *m, int64_t row0, int64_t row1, const tile_format *f)
{
    const bool few = m->x->n <= TILE_FEW;
    const int64_t step = few ? TILE_ROWS : TILE_PANELS * TILE_ROWS;
    if (row0 >= row1 || m->x->n == 0)
        return;
    if (few) { // the first panel: what would follow the rows before
        tile_ahead a = tile_follow(m, f, row0 - TILE_ROWS, row1, m->x->k);
        a.lines = INT32_MAX;
        tile_fetch(&a);
    }
    for (int64_t r = row0; r < row1; r += step) {
        int64_t k0 = 0;
        do {
            const tile_ahead a = few ? tile_follow(m, f, r, row1, k0) : (tile_ahead){0};
            tile_rows(m, f, r, r + step < row1 ? r + step : row1, k0, a);
            k0 += TILE_K;
        } while (k0 < m->x->k);
    }
}

#define TILE(id, name, kind)                                                      \
    void LEVEL(tile_##name)(const px_mul *m, int64_t row0, int64_t row1)          \
    {                                                                             \
        static const tile_format F = {id##_BYTES,   id##_VALUES,   RECORD_##kind, \
                                      STEPS_##kind, unpack_##name, MICRO_##kind}; \
        tile_multiply(m, row0, row1, &F);                                         \
    }

#endif

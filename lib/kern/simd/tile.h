/*
 * tile: products of packed weights with many columns, for any instruction set. Included once in a
 * file of each level, after a header that defines LEVEL, TILE_ROWS and the ti_ and tf_ functions
 * below, and before the unpacking of formats.
 *
 * TILE_ROWS rows x PX_TILE_K values are unpacked once into the member's scratch, as a panel, and
 * multiplied with all columns, up to 12 at a time. A panel is a row of records, one a block:
 *
 *   Q8    | codes of 32 values | scale: f32 each row | offset: f32 each row, where it has one |
 *   Q8K   | 8 or 16 times: codes of 32 or 16 values, scale | minima, where it has them: for each
 *         two sub-blocks a pair of int16 each row | -dmin: f32 each row |
 *
 * Codes: vectors of four consecutive values of each row, as unsigned bytes; "shifted" ones are
 * 128 above the signed code, which the start of the column's integer sum takes back (act.h). A
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

#define TILE_INLINE static inline __attribute__((always_inline))
#define TILE_UNROLL _Pragma("GCC unroll 16")

enum {
    TILE_K = 2048,      // values of a row in a panel
    TILE_COLS = 12,     // columns of a group
    TILE_COLS_SETS = 4, // bases of addresses: every third column
    TILE_VECTOR = 4 * TILE_ROWS,
};

/* What the arithmetic of a format is. */
typedef struct tile_kind {
    int sub;      // values of a scale; 32 with values 32: form Q8
    bool shifted; // codes are 128 too large
    bool minima;
} tile_kind;

/* n columns by one panel. */
typedef struct tile_part {
    const uint8_t *panel;
    int64_t n_blocks;
    const uint8_t *x; // first column
    size_t stride;
    int64_t k, k0; // of a column; where the panel begins
    float *sums;   // [12, TILE_ROWS], aligned
} tile_part;

typedef void (*tile_micro_fn)(const tile_part *t);
/* Unpacks n_blocks blocks of TILE_ROWS rows. */
typedef void (*tile_unpack_fn)(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel);

typedef struct tile_format {
    int block_bytes, values; // of a block of weights
    tile_unpack_fn unpack;
    const tile_micro_fn *micro; // [TILE_COLS]: for 1 to 12 columns
} tile_format;

/* One array of the columns of a group: addresses are a base, 0, 1 or 2 strides and a constant,
 * which x86 adds up in the instruction; 12 bases would not fit its registers. */
typedef struct tile_array {
    const uint8_t *at[TILE_COLS_SETS];
    size_t stride;
} tile_array;

TILE_INLINE tile_array tile_array_of(const tile_part *t, size_t offset)
{
    tile_array a = {.stride = t->stride};
    for (int i = 0; i < TILE_COLS_SETS; i++)
        a.at[i] = t->x + 3 * (size_t)i * t->stride + offset;
    return a;
}

TILE_INLINE const void *tile_at(const tile_array *a, int c)
{
    return a->at[c / 3] + (size_t)(c % 3) * a->stride;
}

TILE_INLINE void tile_next(tile_array *a, size_t bytes)
{
    for (int i = 0; i < TILE_COLS_SETS; i++)
        a->at[i] += bytes;
}

/* ---- blocks of 32 */

TILE_INLINE void tile_q8(const tile_part *t, const int n, const tile_kind kind)
{
    const size_t b0 = (size_t)(t->k0 / PX_Q8_BLOCK) * 4;
    tile_array q = tile_array_of(t, (size_t)t->k0);
    tile_array d = tile_array_of(t, px_q8_d_offset(t->k) + b0);
    tile_array other =
        tile_array_of(t, (kind.shifted ? px_q8_start_offset(t->k) : px_q8_ds_offset(t->k)) + b0);
    const uint8_t *p = t->panel;
    tf sum[TILE_COLS];
    TILE_UNROLL for (int c = 0; c < n; c++) sum[c] = tf_zero();
    for (int64_t b = 0; b < t->n_blocks; b++) {
        ti whole[TILE_COLS];
        TILE_UNROLL for (int c = 0; c < n; c++) whole[c] =
            kind.shifted ? ti_all(tile_at(&other, c)) : ti_zero();
        TILE_UNROLL for (int v = 0; v < PX_Q8_BLOCK / 4; v++)
        {
            const ti w = ti_load(p + v * TILE_VECTOR);
            TILE_UNROLL for (int c = 0; c < n; c++) whole[c] =
                ti_dot(whole[c], w, (const uint8_t *)tile_at(&q, c) + 4 * v);
        }
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
    const int n_subs = PX_Q8K_BLOCK / kind.sub;
    const size_t b0 = (size_t)(t->k0 / PX_Q8K_BLOCK);
    const size_t other_bytes =
        kind.shifted ? PX_Q8K_BLOCK / PX_Q8K_SUM * 4 : (size_t)n_subs * sizeof(int16_t);
    tile_array q = tile_array_of(t, (size_t)t->k0);
    tile_array d = tile_array_of(t, px_q8k_d_offset(t->k) + b0 * 4);
    tile_array other = tile_array_of(t, (kind.shifted     ? px_q8k_start_offset(t->k)
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
            TILE_UNROLL for (int c = 0; c < n; c++)
            {
                whole[c] = ti_zero();
                if (kind.shifted) {
                    const uint8_t *start =
                        (const uint8_t *)tile_at(&other, c) + s * kind.sub / PX_Q8K_SUM * 4;
                    whole[c] = ti_all(start);
                    if (kind.sub == 32)
                        whole[c] = ti_add(whole[c], ti_all(start + 4));
                }
            }
            TILE_UNROLL for (int v = 0; v < kind.sub / 4; v++)
            {
                const ti w = ti_load(p + v * TILE_VECTOR);
                TILE_UNROLL for (int c = 0; c < n; c++) whole[c] =
                    ti_dot(whole[c], w, (const uint8_t *)tile_at(&q, c) + 4 * v);
            }
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

/* The functions of a kind for each number of columns, and their list. */
#define TILE_MICRO_N(name, form, n, ...)                                         \
    static __attribute__((noinline)) void micro_##name##_##n(const tile_part *t) \
    {                                                                            \
        form(t, n, (tile_kind){__VA_ARGS__});                                    \
    }
#define TILE_MICRO(name, form, ...)                                               \
    TILE_MICRO_N(name, form, 1, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 2, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 3, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 4, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 5, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 6, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 7, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 8, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 9, __VA_ARGS__)                                      \
    TILE_MICRO_N(name, form, 10, __VA_ARGS__)                                     \
    TILE_MICRO_N(name, form, 11, __VA_ARGS__)                                     \
    TILE_MICRO_N(name, form, 12, __VA_ARGS__)                                     \
    static const tile_micro_fn MICRO_##name[TILE_COLS] = {                        \
        micro_##name##_1, micro_##name##_2,  micro_##name##_3,  micro_##name##_4, \
        micro_##name##_5, micro_##name##_6,  micro_##name##_7,  micro_##name##_8, \
        micro_##name##_9, micro_##name##_10, micro_##name##_11, micro_##name##_12};

/* ---- the whole product */

/* A panel with all columns, in groups as even as can be. Sums are added to y, or written there at
 * the first panel. */
static void tile_columns(const px_mul *m, const tile_format *f, tile_part *t, int64_t row, int rows)
{
    const int64_t n = m->x->n;
    const int64_t n_groups = (n + TILE_COLS - 1) / TILE_COLS;
    for (int64_t g = 0, c0 = 0; g < n_groups; g++) {
        const int size = (int)((n - c0 + n_groups - g - 1) / (n_groups - g));
        t->x = px_act_column(m->x, c0);
        f->micro[size - 1](t);
        for (int c = 0; c < size; c++)
            tf_put(m->y + (c0 + c) * m->y_stride + row, tf_load(t->sums + c * TILE_ROWS), rows,
                   t->k0 > 0);
        c0 += size;
    }
}

static void tile_multiply(const px_mul *m, int64_t row0, int64_t row1, const tile_format *f)
{
    _Alignas(64) float sums[TILE_COLS * TILE_ROWS];
    const int64_t k = m->x->k;
    if (m->x->n == 0)
        return;
    for (int64_t r = row0; r < row1; r += TILE_ROWS) {
        const int rows = row1 - r < TILE_ROWS ? (int)(row1 - r) : TILE_ROWS;
        int64_t k0 = 0;
        do {
            const int64_t values = k - k0 < TILE_K ? k - k0 : TILE_K;
            const uint8_t *from[TILE_ROWS];
            for (int i = 0; i < TILE_ROWS; i++) // rows that are not there repeat the last
                from[i] = m->w + (size_t)(r + (i < rows ? i : rows - 1)) * m->row_bytes +
                          k0 / f->values * f->block_bytes;
            tile_part t = {.panel = m->scratch,
                           .n_blocks = values / f->values,
                           .stride = m->x->column_bytes,
                           .k = k,
                           .k0 = k0,
                           .sums = sums};
            f->unpack(from, t.n_blocks, m->scratch);
            tile_columns(m, f, &t, r, rows);
            k0 += TILE_K;
        } while (k0 < k);
    }
}

#define TILE(id, name, kind)                                                                 \
    void LEVEL(tile_##name)(const px_mul *m, int64_t row0, int64_t row1)                     \
    {                                                                                        \
        static const tile_format F = {id##_BYTES, id##_VALUES, unpack_##name, MICRO_##kind}; \
        tile_multiply(m, row0, row1, &F);                                                    \
    }

#endif

/*
 * attention_kv: what the attention kernels of simd/ share: where keys and values lie, and loading
 * them as f32. Included after a vec header.
 */
#ifndef PX_KERN_SIMD_ATTENTION_KV_H
#define PX_KERN_SIMD_ATTENTION_KV_H

#include "kern/attn.h"
#include "kern/blocks.h"
#include "kern/simd/math.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    TILE = 64,     // keys; tiles begin at multiples of it, so that pages of 64 hold them whole
    MOST_DIM = 512 // wider heads are left to plain C: rows of them outgrow a member's scratch
};

/* n rounded up to whole vectors. */
INLINE int64_t whole_vectors(int64_t n)
{
    return (n + VF_N - 1) / VF_N * VF_N;
}

static inline int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The vector of a key or value row at element i, n elements of it (n <= VF_N), zeros behind. */
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
    return vf_mul(vf_load_i8(b->qs + i % PX_Q8_0_VALUES), vf_all_f16(b->d));
}

/* Keys [t0, t0 + n) of a tile: where each row of K and V lies. */
typedef struct tile_rows {
    int n;
    const uint8_t *k[TILE], *v[TILE];
} tile_rows;

/* The tile that begins at t0 and ends at a multiple of TILE or at `end`; page by page, since a
 * division for each key would cost as much as its scores. */
static void find_tile(const px_attn *a, int64_t t0, int64_t end, tile_rows *tile)
{
    tile->n = (int)(at_most((t0 / TILE + 1) * TILE, end) - t0);
    int64_t page = t0 / a->page_tokens, at = t0 % a->page_tokens;
    for (int t = 0; t < tile->n; page++, at = 0) {
        const uint8_t *k = (const uint8_t *)a->k_pages[page] + a->k_offset;
        const uint8_t *v = (const uint8_t *)a->v_pages[page] + a->v_offset;
        for (; at < a->page_tokens && t < tile->n; at++, t++) {
            tile->k[t] = k + (size_t)at * a->k_row_bytes;
            tile->v[t] = v + (size_t)at * a->v_row_bytes;
        }
    }
}

/* Asks for a row to be brought into the second-level cache. */
INLINE void fetch_row(const uint8_t *row, size_t row_bytes)
{
    for (size_t at = 0; at < row_bytes; at += 64)
        __builtin_prefetch(row + at, 0, 2);
}

#endif

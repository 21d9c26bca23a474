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
    TILE = 64,     // most keys of a tile
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

/* Some keys that lie in one page: where the first row of K and of V is; others follow. */
typedef struct tile_rows {
    int n;
    const uint8_t *k, *v;
    size_t k_bytes, v_bytes; // from row to row
} tile_rows;

/* The tile that begins at t0 and ends at `end`, with the page or after TILE keys. n is 0 when t0 is
 * `end`. */
static void find_tile(const px_attn *a, int64_t t0, int64_t end, tile_rows *tile)
{
    const int64_t page = t0 / a->page_tokens, at = t0 % a->page_tokens;
    *tile = (tile_rows){.n = (int)at_most(at_most(TILE, a->page_tokens - at), end - t0),
                        .k_bytes = a->k_row_bytes,
                        .v_bytes = a->v_row_bytes};
    if (tile->n <= 0)
        return;
    tile->k = (const uint8_t *)a->k_pages[page] + a->k_offset + (size_t)at * a->k_row_bytes;
    tile->v = (const uint8_t *)a->v_pages[page] + a->v_offset + (size_t)at * a->v_row_bytes;
}

INLINE const uint8_t *tile_key(const tile_rows *tile, int t)
{
    return tile->k + (size_t)t * tile->k_bytes;
}

INLINE const uint8_t *tile_value(const tile_rows *tile, int t)
{
    return tile->v + (size_t)t * tile->v_bytes;
}

/* Asks for a row to be brought into the second-level cache. */
INLINE void fetch_row(const uint8_t *row, size_t row_bytes)
{
    for (size_t at = 0; at < row_bytes; at += 64)
        __builtin_prefetch(row + at, 0, 2);
}

#endif

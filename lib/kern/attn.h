/*
 * attn: what all attention kernels share: where keys lie, which of them a query sees.
 *
 * Static inline: included in files compiled for one instruction set.
 */
#ifndef PX_KERN_ATTN_H
#define PX_KERN_ATTN_H

#include "kern/ops.h"

/* Keys [first, end) that query token i sees. */
typedef struct px_attn_range {
    int64_t first, end;
} px_attn_range;

static inline int64_t px_attn_clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Both ascend with i; a range without keys lies inside the part's. */
static inline px_attn_range px_attn_sees(const px_attn *a, int64_t i)
{
    const int64_t position = a->pos0 + i;
    px_attn_range sees = {0, position + 1};
    if (a->window > 0 && position >= a->window)
        sees.first = position - a->window + 1;
    if (a->key_end > 0) {
        sees.first = px_attn_clamp(sees.first, a->key_first, a->key_end);
        sees.end = px_attn_clamp(sees.end, sees.first, a->key_end);
    }
    return sees;
}

static inline const uint8_t *px_attn_k(const px_attn *a, int64_t t)
{
    const uint8_t *page = (const uint8_t *)a->k_pages[t / a->page_tokens];
    return page + a->k_offset + (size_t)(t % a->page_tokens) * a->k_row_bytes;
}

static inline const uint8_t *px_attn_v(const px_attn *a, int64_t t)
{
    const uint8_t *page = (const uint8_t *)a->v_pages[t / a->page_tokens];
    return page + a->v_offset + (size_t)(t % a->page_tokens) * a->v_row_bytes;
}

#endif

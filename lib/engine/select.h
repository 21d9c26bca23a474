/*
 * select: the first few of many, without sorting.
 *
 * Items are ordered by key, largest first, equal ones by index, lowest first. A cut keeps a
 * beginning of that order: it is found by three passes over the keys that count (or sum weights)
 * by 11, 11 and 10 bits, a radix selection. Cost: O(n) whatever the keys; no memory but a table on
 * the stack. Threads: every function touches only its arguments.
 */
#ifndef PX_ENGINE_SELECT_H
#define PX_ENGINE_SELECT_H

#include <stdbool.h>
#include <stdint.h>

/* Where a beginning ends: all items with a larger key, and of those with this key the first while
 * `left`, lessened by the weight of each, is above 0. */
typedef struct px_cut {
    uint32_t key;
    uint64_t left;
} px_cut;

/* The shortest beginning whose weights (NULL: 1 each) sum to at least `target`; all items when
 * they do not reach it. target at least 1. Sums must not exceed 64 bits. */
px_cut px_select(const uint32_t *keys, const uint64_t *weights, int32_t n, uint64_t target);

/* Whether an item is inside; to be called for all items in order of index. */
static inline bool px_cut_takes(px_cut *cut, uint32_t key, uint64_t weight)
{
    if (key != cut->key)
        return key > cut->key;
    bool in = cut->left > 0;
    cut->left -= cut->left < weight ? cut->left : weight;
    return in;
}

/* A key that orders floats (NaN aside): the larger the float, the larger the key; -0 equals 0. */
uint32_t px_key_of(float x);

#endif

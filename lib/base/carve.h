/*
 * carve: one block of memory laid out in parts that begin at cache lines: once without a block, to
 * count its bytes, then with it. One thread at a time.
 */
#ifndef PX_BASE_CARVE_H
#define PX_BASE_CARVE_H

#include "base/mem.h"

#include <stdint.h>

enum { PX_CARVE_LINE = 64 }; // bytes

/* Hands out parts of a block; with base NULL only counts. Overflow sticks as SIZE_MAX. */
typedef struct px_carver {
    uint8_t *base;
    size_t at;
} px_carver;

static inline void *px_carve(px_carver *c, size_t n, size_t size)
{
    size_t bytes;
    if (!px_mul_size(n, size, &bytes) || !px_add_size(bytes, PX_CARVE_LINE - 1, &bytes)) {
        c->at = SIZE_MAX;
        return NULL;
    }
    bytes &= ~(size_t)(PX_CARVE_LINE - 1);
    void *p = c->base ? c->base + c->at : NULL;
    if (!px_add_size(c->at, bytes, &c->at))
        c->at = SIZE_MAX;
    return p;
}

#endif

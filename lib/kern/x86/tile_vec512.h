/* tile_vec512: the vectors of kern/simd/tile.h for tiles of 16 rows. */
#ifndef PX_KERN_X86_TILE_VEC512_H
#define PX_KERN_X86_TILE_VEC512_H

#include "kern/half.h"

#include <immintrin.h>
#include <stdbool.h>

#define TILE_ROWS 16
#define TILE512   static inline __attribute__((always_inline))

typedef __m512i ti;
typedef __m512 tf;

TILE512 ti ti_zero(void)
{
    return _mm512_setzero_si512();
}

TILE512 ti ti_load(const void *p)
{
    return _mm512_load_si512(p);
}

/* 32 bits in all lanes */
TILE512 ti ti_all(const void *p)
{
    return _mm512_set1_epi32((int)px_load32(p));
}

TILE512 ti ti_add(ti a, ti b)
{
    return _mm512_add_epi32(a, b);
}

TILE512 tf tf_zero(void)
{
    return _mm512_setzero_ps();
}

TILE512 tf tf_of(ti a)
{
    return _mm512_cvtepi32_ps(a);
}

TILE512 tf tf_load(const void *p)
{
    return _mm512_load_ps(p);
}

TILE512 void tf_store(void *p, tf a)
{
    _mm512_store_ps(p, a);
}

TILE512 tf tf_all(const void *p)
{
    return _mm512_set1_ps(px_load_f32(p));
}

TILE512 tf tf_mul(tf a, tf b)
{
    return _mm512_mul_ps(a, b);
}

TILE512 tf tf_fma(tf a, tf b, tf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* The first n lanes to y, added to what stands there if `add`. */
TILE512 void tf_put(float *y, tf a, int n, bool add)
{
    const __mmask16 first = (__mmask16)((1u << n) - 1);
    if (add)
        a = _mm512_add_ps(_mm512_maskz_loadu_ps(first, y), a);
    _mm512_mask_storeu_ps(y, first, a);
}

#endif

/*
 * transpose: 16 vectors of 16 dwords across their diagonal, in registers: 64 shuffles.
 *
 * Static inline: included in files compiled for one instruction set.
 */
#ifndef PX_KERN_X86_TRANSPOSE_AVX512_H
#define PX_KERN_X86_TRANSPOSE_AVX512_H

#include <immintrin.h>

/* Dword i of vector j becomes dword j of vector i. Each step doubles the side of the squares that
 * lie right within the four 128-bit lanes, the last two move whole lanes. */
static inline __attribute__((always_inline)) void transpose16(__m512i v[16])
{
    __m512i a[16], b[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) { // b[i + j]: column j of each lane, rows i to i + 3
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const __m512i low0 = _mm512_shuffle_i32x4(b[j], b[j + 4], 0x88); // lanes 0 and 2 of both
        const __m512i low1 = _mm512_shuffle_i32x4(b[j + 8], b[j + 12], 0x88);
        const __m512i high0 = _mm512_shuffle_i32x4(b[j], b[j + 4], 0xdd); // lanes 1 and 3
        const __m512i high1 = _mm512_shuffle_i32x4(b[j + 8], b[j + 12], 0xdd);
        v[j] = _mm512_shuffle_i32x4(low0, low1, 0x88);
        v[j + 4] = _mm512_shuffle_i32x4(high0, high1, 0x88);
        v[j + 8] = _mm512_shuffle_i32x4(low0, low1, 0xdd);
        v[j + 12] = _mm512_shuffle_i32x4(high0, high1, 0xdd);
    }
}

#endif

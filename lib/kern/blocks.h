/*
 * blocks: the packed blocks of each dtype, byte by byte. Formats 0 to 39 are those of GGUF files
 * (ggml), NF4 is pith's own. How they decode stands beside each; ref/ has the code.
 *
 * All members are bytes, so that a block has no padding and needs no alignment; numbers are little
 * endian and read with half.h. f16 is IEEE binary16. `lo4(b)` is b & 15, `hi4(b)` is b >> 4.
 */
#ifndef PX_KERN_BLOCKS_H
#define PX_KERN_BLOCKS_H

#include "base/dtype.h"

#include <assert.h>

/* clang-format off */

/*
 * Blocks of 32 values with one scale.
 *
 * Q4_0  | d f16 | qs 16 bytes |                        x[j]      = d * (lo4(qs[j]) - 8)
 *       0       2             18                       x[j + 16] = d * (hi4(qs[j]) - 8)
 * Q4_1  | d f16 | m f16 | qs 16 bytes |                the same order, x = d * q + m
 *       0       2       4             20
 * Q5_0  | d f16 | qh u32 | qs 16 bytes |               the same order, bit j of qh is bit 4 of q[j],
 *       0       2        6             22              x = d * (q - 16)
 * Q5_1  | d f16 | m f16 | qh u32 | qs 16 bytes |       x = d * q + m
 *       0       2       4        8             24
 * Q8_0  | d f16 | qs 32 int8 |                         x[j] = d * qs[j]
 *       0       2            34
 * IQ4_NL| d f16 | qs 16 bytes |                        order of Q4_0, x = d * px_iq4_codes[q]
 *       0       2             18
 * MXFP4 | e u8 | qs 16 bytes |                         order of Q4_0, x = 2^(e - 128) * px_mxfp4_codes[q];
 *       0      1             17                        (codes are twice the E2M1 value)
 */
typedef struct px_q4_0 { uint8_t d[2], qs[16]; } px_q4_0;
typedef struct px_q4_1 { uint8_t d[2], m[2], qs[16]; } px_q4_1;
typedef struct px_q5_0 { uint8_t d[2], qh[4], qs[16]; } px_q5_0;
typedef struct px_q5_1 { uint8_t d[2], m[2], qh[4], qs[16]; } px_q5_1;
typedef struct px_q8_0 { uint8_t d[2]; int8_t qs[32]; } px_q8_0;
typedef struct px_iq4_nl { uint8_t d[2], qs[16]; } px_iq4_nl;
typedef struct px_mxfp4 { uint8_t e, qs[16]; } px_mxfp4;

/*
 * Super-blocks of 256 values: sub-blocks s of 16 or 32 values have small integer scales sc[s] (and
 * minima mn[s]), the super-block an f16 scale d (and dmin).
 *
 * Q2_K  | scales 16 | qs 64 | d f16 | dmin f16 |       16 sub-blocks of 16; sc = lo4(scales[s]),
 *       0           16      80      82         84      mn = hi4(scales[s]);
 *       value 128 h + 32 j + l (h < 2, j < 4, l < 32): q = qs[32 h + l] >> 2 j & 3
 *       x = d * sc * q - dmin * mn
 *
 * Q3_K  | hmask 32 | qs 64 | scales 12 | d f16 |       16 sub-blocks of 16; low two bits of q as in Q2_K,
 *       0          32      96          108     110     bit 2 is bit 4 h + j of hmask[l];
 *       six bits of sc[s]: low four are lo4(scales[s]) for s < 8, hi4(scales[s - 8]) from 8 on;
 *       high two are scales[8 + s % 4] >> 2 (s / 4) & 3
 *       x = d * (sc - 32) * (q - 4)
 *
 * Q4_K  | d f16 | dmin f16 | scales 12 | qs 128 |      8 sub-blocks of 32;
 *       0       2          4           16       144    value 64 j + l: lo4(qs[32 j + l]), value
 *       64 j + 32 + l: hi4 of it (j < 4, l < 32)       x = d * sc * q - dmin * mn
 *       sc and mn have six bits: for s < 4: sc = scales[s] & 63, mn = scales[s + 4] & 63;
 *       from 4 on: sc = lo4(scales[s + 4]) | scales[s - 4] >> 6 << 4,
 *                  mn = hi4(scales[s + 4]) | scales[s] >> 6 << 4
 *
 * Q5_K  | d f16 | dmin f16 | scales 12 | qh 32 | qs 128 |   as Q4_K, and bit s of qh[l] is bit 4 of
 *       0       2          4           16      48       176 value 32 s + l
 *
 * Q6_K  | ql 128 | qh 64 | scales 16 int8 | d f16 |    16 sub-blocks of 16;
 *       0        128     192              208     210  value 128 h + 32 j + l (j < 4): low four bits are
 *       lo4 (j < 2) or hi4 (j >= 2) of ql[64 h + 32 (j % 2) + l], high two are qh[32 h + l] >> 2 j & 3
 *       x = d * sc * (q - 32)
 *
 * IQ4_XS| d f16 | scales_h u16 | scales_l 4 | qs 128 | 8 sub-blocks of 32, each in the order of Q4_0 with
 *       0       2              4            8        136   its 16 bytes at qs + 16 s;
 *       sc[s]: low four bits are lo4 (even s) or hi4 (odd s) of scales_l[s / 2], high two are
 *       scales_h >> 2 s & 3     x = d * (sc - 32) * px_iq4_codes[q]
 */
typedef struct px_q2_k { uint8_t scales[16], qs[64], d[2], dmin[2]; } px_q2_k;
typedef struct px_q3_k { uint8_t hmask[32], qs[64], scales[12], d[2]; } px_q3_k;
typedef struct px_q4_k { uint8_t d[2], dmin[2], scales[12], qs[128]; } px_q4_k;
typedef struct px_q5_k { uint8_t d[2], dmin[2], scales[12], qh[32], qs[128]; } px_q5_k;
typedef struct px_q6_k { uint8_t ql[128], qh[64]; int8_t scales[16]; uint8_t d[2]; } px_q6_k;
typedef struct px_iq4_xs { uint8_t d[2], scales_h[2], scales_l[4], qs[128]; } px_iq4_xs;

/*
 * NF4   | qs 128 | codes 4 | scale f32 | offset f32 |  4 blocks of 64, as bitsandbytes quantizes with
 *       0        128       132         136          140   double quantization;
 *       value 2 i is hi4(qs[i]), value 2 i + 1 is lo4(qs[i]);
 *       absmax of block s = px_nf4_scale_codes[codes[s]] * scale + offset, both operations rounded to f32;
 *       x = px_nf4_codes[q] * absmax
 *       scale is the one of the 256 blocks that share it (64 super-blocks), offset the tensor's: both are
 *       repeated, so that a super-block stands alone.
 */
typedef struct px_nf4 { uint8_t qs[128], codes[4], scale[4], offset[4]; } px_nf4;
/* clang-format on */

#define PX_BLOCK_SIZE(id, value, name, block, bytes, computes) \
    enum { id##_VALUES = block, id##_BYTES = bytes };
PX_DTYPES(PX_BLOCK_SIZE)
#undef PX_BLOCK_SIZE

static_assert(sizeof(px_q4_0) == PX_Q4_0_BYTES, "q4_0");
static_assert(sizeof(px_q4_1) == PX_Q4_1_BYTES, "q4_1");
static_assert(sizeof(px_q5_0) == PX_Q5_0_BYTES, "q5_0");
static_assert(sizeof(px_q5_1) == PX_Q5_1_BYTES, "q5_1");
static_assert(sizeof(px_q8_0) == PX_Q8_0_BYTES, "q8_0");
static_assert(sizeof(px_iq4_nl) == PX_IQ4_NL_BYTES, "iq4_nl");
static_assert(sizeof(px_mxfp4) == PX_MXFP4_BYTES, "mxfp4");
static_assert(sizeof(px_q2_k) == PX_Q2_K_BYTES, "q2_k");
static_assert(sizeof(px_q3_k) == PX_Q3_K_BYTES, "q3_k");
static_assert(sizeof(px_q4_k) == PX_Q4_K_BYTES, "q4_k");
static_assert(sizeof(px_q5_k) == PX_Q5_K_BYTES, "q5_k");
static_assert(sizeof(px_q6_k) == PX_Q6_K_BYTES, "q6_k");
static_assert(sizeof(px_iq4_xs) == PX_IQ4_XS_BYTES, "iq4_xs");
static_assert(sizeof(px_nf4) == PX_NF4_BYTES, "nf4");

/* Values of the codes. */
extern const int8_t px_iq4_codes[16];
extern const int8_t px_mxfp4_codes[16];
extern const float px_nf4_codes[16];
extern const float px_nf4_scale_codes[256];

#endif

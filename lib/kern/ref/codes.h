/*
 * codes: one packed block taken apart into whole numbers and scales, the same way for every format
 * that has whole-number codes: the truth that decoding and integer products share.
 *
 *   x[i] = d * sc[i / 16] * q[i] - dmin * mn[i / 16]        (products first, rounded to f32 in this
 * order)
 *
 * Blocks of 32 have sc = 1, and dmin = -m, mn = 1 where they have an offset m.
 */
#ifndef PX_KERN_REF_CODES_H
#define PX_KERN_REF_CODES_H

#include "base/dtype.h"

typedef struct px_codes {
    float d, dmin;
    int16_t sc[16], mn[16]; // of each 16 values
    int8_t q[256];
} px_codes;

typedef void (*px_unpack_fn)(const void *block, px_codes *out);

/* How blocks of this dtype come apart, or NULL for formats without whole-number codes: floats and
 * NF4. */
px_unpack_fn px_unpack_get(px_dtype dtype);

/* Formats that px_unpack_get knows: name in functions. */
#define PX_UNPACKED(X)   \
    X(PX_Q8_0, q8_0)     \
    X(PX_Q4_0, q4_0)     \
    X(PX_Q4_1, q4_1)     \
    X(PX_Q5_0, q5_0)     \
    X(PX_Q5_1, q5_1)     \
    X(PX_IQ4_NL, iq4_nl) \
    X(PX_MXFP4, mxfp4)   \
    X(PX_Q2_K, q2_k)     \
    X(PX_Q3_K, q3_k)     \
    X(PX_Q4_K, q4_k)     \
    X(PX_Q5_K, q5_k)     \
    X(PX_Q6_K, q6_k)     \
    X(PX_IQ4_XS, iq4_xs)

#define PX_UNPACK_DECLARE(id, name) void px_##name##_unpack(const void *block, px_codes *out);
PX_UNPACKED(PX_UNPACK_DECLARE)
#undef PX_UNPACK_DECLARE

#endif

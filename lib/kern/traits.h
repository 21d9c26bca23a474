/*
 * traits: how the blocks of each dtype decode and encode. One row a dtype; plain C in ref/; this
 * defines the formats.
 *
 * decode: n values (a multiple of the block) from packed blocks to f32. encode: the other way,
 * weighing errors by `importance` (n values of mean squared activation, or NULL for the format's
 * own weighing). Both read and write rows that need no alignment. Encoding NaN or infinity gives a
 * finite, unspecified block; the caller checks first.
 */
#ifndef PX_KERN_TRAITS_H
#define PX_KERN_TRAITS_H

#include "base/dtype.h"

typedef void (*px_decode_fn)(const void *restrict blocks, float *restrict out, int64_t n);
typedef void (*px_encode_fn)(const float *restrict in, void *restrict blocks, int64_t n,
                             const float *importance);

/* The form in which activations enter products with a weight dtype; see ops.h. */
typedef enum px_act_form {
    PX_ACT_F32,  // f32 as it is
    PX_ACT_BF16, // bf16, for bf16 weights where the CPU has bf16 products
    PX_ACT_Q8,   // int8, blocks of 32 with an f32 scale and the block's sum
    PX_ACT_Q8K,  // int8, blocks of 256 with an f32 scale and sums of each 16
    PX_ACT_FORMS
} px_act_form;

typedef struct px_traits {
    px_dtype dtype;
    px_decode_fn decode;
    px_encode_fn encode;
    px_act_form form; // of activations in quantized products: PX_ACT_F32 for float weights
} px_traits;

/* The row of a dtype that computes, or NULL. */
const px_traits *px_traits_get(px_dtype dtype);

/* As the row's encode, with the searches of a level (px_kern.fits) where the format has any: the
 * same bytes, sooner. dtype must have a row. */
struct px_fits;
void px_encode_with(const struct px_fits *fits, px_dtype dtype, const float *restrict in,
                    void *restrict blocks, int64_t n, const float *importance);

#endif

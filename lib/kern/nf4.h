/*
 * nf4: a tensor to NF4 with double quantization, as bitsandbytes groups it. Block layout in
 * blocks.h.
 */
#ifndef PX_KERN_NF4_H
#define PX_KERN_NF4_H

#include <stdint.h>

/* Quantizes a whole tensor of n values (a multiple of 256, row-major) into n / 256 super-blocks.
 * Blocks of 64 values have scales of 8 bits, 256 such blocks share an f32 scale, the tensor has one
 * offset: the mean of the scales, summed in double (torch sums in f32, so that its offset may
 * differ by a few units of the last place). px_nf4_encode is this for one row. */
void px_nf4_encode_tensor(const float *restrict in, void *restrict blocks, int64_t n);

/* The same with the offset given, for equality with a bitsandbytes tensor bit for bit. */
void px_nf4_encode_offset(const float *restrict in, void *restrict blocks, int64_t n, float offset);

#endif

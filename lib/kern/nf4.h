/*
 * nf4: a tensor to NF4 with double quantization, as bitsandbytes groups it. Block layout in
 * blocks.h.
 */
#ifndef PX_KERN_NF4_H
#define PX_KERN_NF4_H

#include <stdint.h>

/* Quantizes a whole tensor of n values (a multiple of 256, row-major) into n / 256 super-blocks.
 * Blocks of 64 values have scales of 8 bits, 256 such blocks share an f32 scale, the tensor has one
 * offset: the mean of the scales. px_nf4_encode is this for one row. */
void px_nf4_encode_tensor(const float *restrict in, void *restrict blocks, int64_t n);

/* The same with the offset given: for a part of a tensor that begins at a multiple of 16384 values.
 */
void px_nf4_encode_offset(const float *restrict in, void *restrict blocks, int64_t n, float offset);

/* The largest magnitude of each block of 64 of n values: n / 64 f32, which need no alignment. */
void px_nf4_absmax(const float *restrict in, void *restrict absmax, int64_t n);

/* The mean of n scales, summed in f32 in the order in which torch (2.8, x86-64, one thread) sums a
 * contiguous tensor, so that the offset is bitsandbytes' to the bit. With several threads torch
 * sums more than 32768 scales (tensors of over 2 million values) in another order, which depends on
 * their number: its own offset then moves by a few units of the last place from machine to machine.
 *
 * The order: four rows of 8 lanes take turns; each adds up 2^k values, then what it has goes into a
 * level above, of four, where k = max(4, ceil(log2(size)) / 4); what is left over, fewer than 8
 * values, is summed by itself and the lanes are added to it. Fewer than 8 values: lanes of one. A
 * sum that outgrows f32 (torch gives infinity) is taken in double. */
float px_nf4_mean(const void *absmax, int64_t n);

#endif

/*
 * limits: loops that do nothing but read memory or compute, as fast as a level can, so that kernels
 * can be compared with what the machine has. They measure no time themselves.
 *
 * Each returns a number that only the whole work gives, so that no compiler leaves any of it out
 * and tests can see that it was done. Threads: each call touches only its arguments.
 */
#ifndef PX_KERN_LIMITS_H
#define PX_KERN_LIMITS_H

#include "base/cpu.h"

#include <stddef.h>

/* The ways of reading: streams that go side by side through a thread's part of the memory, and how
 * many bytes ahead of each the next lines are fetched into the second-level cache. Which is the
 * best changes with the machine and its neighbours, so all are tried. */
#define PX_LIMIT_WAYS(X) \
    X(1, 1024)           \
    X(2, 1024)           \
    X(4, 2048)           \
    X(8, 4096)

enum { PX_LIMIT_N_WAYS = 4 };

/* The XOR of the 64-bit words of data: aligned to 64, bytes a multiple of 64. */
typedef uint64_t (*px_limit_read_fn)(const void *data, size_t bytes, int way);

/* rounds of products of a [64] by b [64], a at most 127, summed in 32 bits: rounds * (ops of a
 * round / 128) * sum a[i] * b[i], modulo 2^32. */
typedef uint32_t (*px_limit_int8_fn)(const uint8_t *a, const int8_t *b, int64_t rounds);

/* x = a * x + b, rounds times in many places at once; the mean of all x. */
typedef float (*px_limit_f32_fn)(float a, float b, int64_t rounds);

/* x += a * b + a * b in f32, rounds times in many places at once, from 0; the mean of all x. */
typedef float (*px_limit_bf16_fn)(float a, float b, int64_t rounds);

typedef struct px_limits {
    px_limit_read_fn read;
    px_limit_int8_fn int8;
    px_limit_f32_fn f32;
    px_limit_bf16_fn bf16;               // NULL: the level has no bf16 products; f32 is as fast
    int64_t int8_ops, f32_ops, bf16_ops; // of a round; a multiply-add is two
} px_limits;

/* The loops of a level that this machine runs. */
void px_limits_fill(px_limits *out, px_cpu_level level);

#endif

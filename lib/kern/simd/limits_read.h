/*
 * limits_read: reading, written once for all levels in the compiler's vectors of a cache line,
 * which it cuts into what the level has.
 */
#ifndef PX_KERN_SIMD_LIMITS_READ_H
#define PX_KERN_SIMD_LIMITS_READ_H

#include "kern/limits.h"

typedef uint64_t limit_line __attribute__((vector_size(64)));

static inline uint64_t limit_fold(const limit_line *x)
{
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum ^= (*x)[i];
    return sum;
}

/* Each stream has its own sum: one would chain all loads together. */
#define LIMIT_READ(streams, ahead)                                         \
    static uint64_t read_##streams(const unsigned char *p, size_t lines)   \
    {                                                                      \
        const size_t part = lines / (streams);                             \
        limit_line sums[streams] = {{0}};                                  \
        for (size_t i = 0; i < part; i++) {                                \
            _Pragma("GCC unroll 8") for (size_t s = 0; s < (streams); s++) \
            {                                                              \
                const unsigned char *at = p + (s * part + i) * 64;         \
                __builtin_prefetch(at + (ahead), 0, 2);                    \
                sums[s] ^= *(const limit_line *)(const void *)at;          \
            }                                                              \
        }                                                                  \
        for (size_t i = part * (streams); i < lines; i++)                  \
            sums[0] ^= *(const limit_line *)(const void *)(p + i * 64);    \
        for (size_t s = 1; s < (streams); s++)                             \
            sums[0] ^= sums[s];                                            \
        return limit_fold(&sums[0]);                                       \
    }
PX_LIMIT_WAYS(LIMIT_READ)
#undef LIMIT_READ

static uint64_t limit_read(const void *data, size_t bytes, int way)
{
    static uint64_t (*const READS[PX_LIMIT_N_WAYS])(const unsigned char *, size_t) = {
#define LIMIT_WAY(streams, ahead) read_##streams,
        PX_LIMIT_WAYS(LIMIT_WAY)
#undef LIMIT_WAY
    };
    return READS[way](data, bytes / 64);
}

#endif

/* rng: see rng.h. */
#include "engine/rng.h"

#include <sys/random.h>
#include <time.h>

static uint64_t rotated(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* One number of SplitMix64 (Steele, Lea, Flood 2014): a counter that steps by the golden ratio,
 * and a finaliser. */
static uint64_t split_mix(uint64_t *counter)
{
    uint64_t z = *counter += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

void px_rng_seed(px_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = split_mix(&seed);
}

uint64_t px_rng_next(px_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t out = rotated(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotated(s[3], 45);
    return out;
}

double px_rng_unit(px_rng *rng)
{
    return (double)(px_rng_next(rng) >> 11) * 0x1p-53;
}

/* The 128-bit product of two 64-bit numbers; returns its upper half. */
static uint64_t product(uint64_t a, uint64_t b, uint64_t *low)
{
    uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
    uint64_t middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
    *low = middle << 32 | (p00 & 0xffffffff);
    return a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
}

uint64_t px_rng_below(px_rng *rng, uint64_t n)
{
    uint64_t least = (0 - n) % n; // 2^64 mod n
    for (;;) {
        uint64_t low;
        uint64_t high = product(px_rng_next(rng), n, &low);
        if (low >= least)
            return high;
    }
}

uint64_t px_rng_system_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        seed = (uint64_t)t.tv_sec * 1000000007u + (uint64_t)t.tv_nsec;
        seed = split_mix(&seed);
    }
    return seed == UINT64_MAX ? 0 : seed;
}

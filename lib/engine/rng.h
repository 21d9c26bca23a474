/*
 * rng: the random numbers of sampling. xoshiro256** 1.0 by David Blackman and Sebastiano Vigna
 * ("Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4), 2021), its state filled by
 * four numbers of SplitMix64 started at the seed. All integer arithmetic modulo 2^64: a seed gives
 * the same numbers on every machine. docs/sampling.md has test vectors. Not for secrets.
 *
 * One thread at a time.
 */
#ifndef PX_ENGINE_RNG_H
#define PX_ENGINE_RNG_H

#include <stdint.h>

typedef struct px_rng {
    uint64_t s[4];
} px_rng;

/* Starts the sequence of this seed. Any seed will do: the state is never all zero. */
void px_rng_seed(px_rng *rng, uint64_t seed);

/* The next 64 bits. */
uint64_t px_rng_next(px_rng *rng);

/* A number in [0, 1): the upper 53 of the next 64 bits times 2^-53. */
double px_rng_unit(px_rng *rng);

/* A number in [0, n), each equally likely; n at least 1. Daniel Lemire's method ("Fast Random
 * Integer Generation in an Interval", ACM TOMACS 29(1), 2019): the upper half of next * n, drawn
 * again while the lower half is under 2^64 mod n. */
uint64_t px_rng_below(px_rng *rng, uint64_t n);

/* A seed from the operating system; never UINT64_MAX, which stands for "random". */
uint64_t px_rng_system_seed(void);

#endif

/*
 * random: numbers that hang on a key and a place alone, so that what is drawn again (a dropout mask
 * in the backward pass, the order of an epoch after a resume) is the same whoever draws it and
 * when. The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over key + place * golden ratio. Not
 * for secrets.
 */
#ifndef PX_TRAIN_RANDOM_H
#define PX_TRAIN_RANDOM_H

#include <math.h>
#include <stdint.h>

static inline uint64_t px_random_at(uint64_t key, uint64_t place)
{
    uint64_t z = key + (place + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A key below a key. */
static inline uint64_t px_random_key(uint64_t key, uint64_t name)
{
    return px_random_at(px_random_at(key, 0x6b65) ^ name, 0x79);
}

/* In [0, 1). */
static inline double px_random_unit(uint64_t key, uint64_t place)
{
    return (double)(px_random_at(key, place) >> 11) * 0x1p-53;
}

/* Normal, mean 0, deviation 1 (Box and Muller 1958). */
static inline double px_random_normal(uint64_t key, uint64_t place)
{
    double u = px_random_unit(key, 2 * place) + 0x1p-54;
    double v = px_random_unit(key, 2 * place + 1);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

#endif

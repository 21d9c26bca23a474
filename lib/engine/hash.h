/*
 * hash: a quick 64-bit hash of words and bytes, for finding things and for noticing damage; no
 * protection against somebody who wants two inputs to have one hash, so whoever finds by it
 * compares what he found.
 *
 * Each step (xor, multiply by an odd number, xor of the upper half onto the lower) can be undone:
 * two inputs that differ in one word never have the same hash. Bytes go through four lanes at once,
 * which the processor works on side by side, some 10 GB/s.
 */
#ifndef PX_ENGINE_HASH_H
#define PX_ENGINE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t px_hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

/* Bytes as the machine has them: the same on all that pith runs on (little-endian). */
static inline uint64_t px_hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    uint64_t lane[4] = {hash, hash + 1, hash + 2, hash + 3}, word;
    hash = px_hash_word(hash, n);
    for (; n >= 32; n -= 32, at += 32)
        for (int i = 0; i < 4; i++) {
            memcpy(&word, at + 8 * i, 8);
            lane[i] = px_hash_word(lane[i], word);
        }
    for (int i = 0; i < 4; i++)
        hash = px_hash_word(hash, lane[i]);
    for (; n >= 8; n -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = px_hash_word(hash, word);
    }
    word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)at[i] << 8 * i;
    return px_hash_word(hash, word);
}

#endif

/* map: 64-bit hashes to numbers, growing. Zero-initialise; one thread. */
#ifndef PX_TRAIN_MAP_H
#define PX_TRAIN_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct px_map64 {
    uint64_t *keys; // [cap], 0: free
    int64_t *values;
    size_t n, cap;
} px_map64;

/* The value of a key, made with `value` when it is new (*is_new); NULL when memory is out. Valid
 * until the next call. */
int64_t *px_map64_put(px_map64 *m, uint64_t key, int64_t value, bool *is_new);
/* NULL when there is none. */
const int64_t *px_map64_find(const px_map64 *m, uint64_t key);
void px_map64_clear(px_map64 *m);

/* A hash of bytes, with every bit of it good. */
uint64_t px_hash64(const void *bytes, size_t n, uint64_t seed);
uint64_t px_mix64(uint64_t x);

#endif

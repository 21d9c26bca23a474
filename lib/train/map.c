/* map: see map.h. Linear probing, at most three quarters full. */
#include "train/map.h"

#include "base/mem.h"

#include <string.h>

uint64_t px_mix64(uint64_t x) // splitmix64's finish
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t px_hash64(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t h = px_mix64(seed + 0x9e3779b97f4a7c15u) ^ n;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = px_mix64(h ^ word) + 0x9e3779b97f4a7c15u;
    }
    uint64_t rest = 0;
    memcpy(&rest, p, n);
    return px_mix64(h ^ rest);
}

static size_t place(const px_map64 *m, uint64_t key)
{
    size_t i = (size_t)px_mix64(key) & (m->cap - 1);
    while (m->keys[i] != 0 && m->keys[i] != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

static bool grow(px_map64 *m)
{
    px_map64 bigger = {.n = m->n, .cap = m->cap > 0 ? 2 * m->cap : 1024};
    bigger.keys = px_calloc(bigger.cap, sizeof *bigger.keys);
    bigger.values = px_malloc(bigger.cap, sizeof *bigger.values);
    if (!bigger.keys || !bigger.values) {
        px_free(bigger.keys);
        px_free(bigger.values);
        return false;
    }
    for (size_t i = 0; i < m->cap; i++)
        if (m->keys[i] != 0) {
            size_t to = place(&bigger, m->keys[i]);
            bigger.keys[to] = m->keys[i];
            bigger.values[to] = m->values[i];
        }
    px_free(m->keys);
    px_free(m->values);
    *m = bigger;
    return true;
}

int64_t *px_map64_put(px_map64 *m, uint64_t key, int64_t value, bool *is_new)
{
    key = key != 0 ? key : 1;
    if (4 * (m->n + 1) > 3 * m->cap && !grow(m))
        return NULL;
    size_t i = place(m, key);
    *is_new = m->keys[i] == 0;
    if (*is_new) {
        m->keys[i] = key;
        m->values[i] = value;
        m->n++;
    }
    return &m->values[i];
}

const int64_t *px_map64_find(const px_map64 *m, uint64_t key)
{
    key = key != 0 ? key : 1;
    if (m->cap == 0)
        return NULL;
    size_t i = place(m, key);
    return m->keys[i] != 0 ? &m->values[i] : NULL;
}

void px_map64_clear(px_map64 *m)
{
    px_free(m->keys);
    px_free(m->values);
    *m = (px_map64){.n = 0};
}

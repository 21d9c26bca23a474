/*
 * jinja_dict: dicts in order of insertion, and the hash that finds their keys.
 *
 * Entries lie in one array. Up to eight of them are searched one by one; more get a table of
 * positions with open addressing, at most half full. The hash folds 128-bit products and starts
 * from a seed drawn for each template, so that keys made to collide do not; each probe is counted
 * as work besides. Numbers that are equal hash alike (1, 1.0, true).
 */
#include "text/jinja_value.h"

#include <math.h>

enum { SMALL = 8 };

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t px_jinja_hash_bytes(uint64_t seed, const char *data, size_t len)
{
    uint64_t h = seed ^ 0x9e3779b97f4a7c15u;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t w;
        memcpy(&w, data + i, 8);
        h = fold(h ^ w, 0xd6e8feb86659fd93u);
    }
    uint64_t w = 0;
    if (i < len)
        memcpy(&w, data + i, len - i);
    h = fold(h ^ w ^ ((uint64_t)len << 56), 0xa0761d6478bd642fu ^ seed);
    return h ? h : 1;
}

static bool hash_tuple(jrun *run, const jlist *l, uint64_t *out)
{
    uint64_t h = run->seed + 7;
    bool ok = px_jinja_enter(run);
    if (!ok)
        return false;
    for (int64_t i = 0; ok && i < l->n; i++) {
        uint64_t one;
        ok = px_jinja_charge(run, 1) && px_jv_hash(run, l->items[i], &one);
        if (ok)
            h = fold(h ^ one, 0xe7037ed1a0b428dbu) + (uint64_t)i;
    }
    px_jinja_leave(run);
    *out = h;
    return ok;
}

bool px_jv_hash(jrun *run, jv v, uint64_t *out)
{
    uint64_t bits = 0;
    switch (v.type) {
    case JV_STR:
        if (v.s->hash == 0) {
            if (!px_jinja_charge(run, v.s->len / 64))
                return false;
            v.s->hash = px_jinja_hash_bytes(run->seed, v.s->data, v.s->len);
        }
        *out = v.s->hash;
        return true;
    case JV_BOOL:
    case JV_INT:
        bits = (uint64_t)px_jv_as_int(v);
        break;
    case JV_FLOAT:
        if (v.f >= -9.2e18 && v.f <= 9.2e18 && v.f == floor(v.f))
            bits = (uint64_t)(int64_t)v.f;
        else
            memcpy(&bits, &v.f, sizeof bits);
        break;
    case JV_NONE:
    case JV_UNDEFINED:
        bits = 0x1234567 + (uint64_t)v.type;
        break;
    case JV_TUPLE:
        return hash_tuple(run, v.l, out);
    case JV_RANGE:
        bits = (uint64_t)v.r->n;
        break;
    case JV_LIST:
    case JV_DICT:
    case JV_VIEW:
        return px_jinja_fail(run, "a %s cannot be the key of a dict, since it is not hashable",
                             px_jv_type_name(v));
    default:
        bits = (uint64_t)(uintptr_t)v.it;
        break;
    }
    *out = fold(bits ^ run->seed, 0x8ebc6af09c88c6e3u);
    return true;
}

jdict *px_jdict_new(jrun *run)
{
    jdict *d = px_jinja_alloc(run, 1, sizeof *d);
    if (d)
        d->message = -1;
    return d;
}

/* The place of key: 1 and its entry, 0 and the free slot for it, -1 after a failure. */
static int locate(jrun *run, const jdict *d, jv key, uint32_t *entry, uint32_t *slot)
{
    uint64_t hash;
    bool same;
    if (!px_jv_hash(run, key, &hash))
        return -1;
    if (!d->slots) {
        for (uint32_t i = 0; i < d->n; i++) {
            jv other = d->entries[i].key;
            if (key.type == JV_STR && other.type == JV_STR) {
                same = key.s == other.s || (key.s->len == other.s->len &&
                                            memcmp(key.s->data, other.s->data, key.s->len) == 0);
            } else if (!px_jv_equal(run, key, other, &same)) {
                return -1;
            }
            if (same) {
                *entry = i;
                return 1;
            }
        }
        return 0;
    }
    for (uint32_t at = (uint32_t)hash & (d->n_slots - 1);; at = (at + 1) & (d->n_slots - 1)) {
        if (!px_jinja_charge(run, 1))
            return -1;
        uint32_t i = d->slots[at];
        if (i == 0) {
            *slot = at;
            return 0;
        }
        uint64_t other = 0;
        if (!px_jv_hash(run, d->entries[i - 1].key, &other))
            return -1;
        if (other != hash)
            continue;
        if (!px_jv_equal(run, key, d->entries[i - 1].key, &same))
            return -1;
        if (same) {
            *entry = i - 1;
            return 1;
        }
    }
}

int px_jdict_get(jrun *run, const jdict *d, jv key, jv *out)
{
    uint32_t entry = 0, slot;
    int found = locate(run, d, key, &entry, &slot);
    if (found > 0)
        *out = d->entries[entry].value;
    return found;
}

/* Room for one more entry; the table follows. */
static bool grow(jrun *run, jdict *d)
{
    if (d->n >= UINT32_MAX / 8)
        return px_jinja_over(run, "a dict has more than %u entries", UINT32_MAX / 8);
    uint32_t cap = d->cap ? d->cap * 2 : SMALL / 2;
    jentry *entries = px_jinja_alloc(run, cap, sizeof *entries);
    if (!entries)
        return false;
    if (d->n)
        memcpy(entries, d->entries, d->n * sizeof *entries);
    if (cap > SMALL) {
        uint32_t n_slots = cap * 2;
        uint32_t *slots = px_jinja_alloc(run, n_slots, sizeof *slots);
        if (!slots)
            return false;
        for (uint32_t i = 0; i < d->n; i++) {
            uint64_t hash;
            if (!px_jv_hash(run, entries[i].key, &hash))
                return false;
            uint32_t at = (uint32_t)hash & (n_slots - 1);
            while (slots[at])
                at = (at + 1) & (n_slots - 1);
            slots[at] = i + 1;
        }
        d->slots = slots;
        d->n_slots = n_slots;
    }
    d->entries = entries;
    d->cap = cap;
    return true;
}

bool px_jdict_set(jrun *run, jdict *d, jv key, jv value)
{
    uint32_t entry = 0, slot = 0;
    int found = locate(run, d, key, &entry, &slot);
    if (found < 0)
        return false;
    if (found) {
        d->entries[entry].value = value;
        return true;
    }
    if (d->n == d->cap) {
        if (!grow(run, d))
            return false;
        if (d->slots && locate(run, d, key, &entry, &slot) < 0)
            return false;
    }
    d->entries[d->n++] = (jentry){key, value};
    if (d->slots)
        d->slots[slot] = d->n;
    return true;
}

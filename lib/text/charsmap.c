/* charsmap: see charsmap.h. Threads: read-only. */
#include "text/charsmap.h"

pith_status px_charsmap_open(px_str blob, px_charsmap *out, pith_error *err)
{
    uint32_t bytes;
    if (blob.len < sizeof bytes)
        return px_fail(err, PITH_E_FORMAT, "a precompiled map of %zu bytes; it has at least 4",
                       blob.len);
    memcpy(&bytes, blob.data, sizeof bytes);
    if (bytes % 4 != 0 || bytes == 0 || bytes > blob.len - sizeof bytes)
        return px_fail(err, PITH_E_FORMAT,
                       "a precompiled map of %zu bytes says that its trie has %u", blob.len,
                       (unsigned)bytes);
    out->units = blob.data + sizeof bytes;
    out->n_units = bytes / 4;
    out->text = (px_str){.data = out->units + bytes, .len = blob.len - sizeof bytes - bytes};
    return PITH_OK;
}

static bool unit_at(const px_charsmap *map, uint32_t at, uint32_t *unit)
{
    if (at >= map->n_units)
        return false;
    memcpy(unit, map->units + (size_t)at * 4, 4);
    return true;
}

static uint32_t offset_of(uint32_t unit)
{
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* The replacement that a leaf's value points at. */
static bool replacement_at(const px_charsmap *map, uint32_t value, px_str *out)
{
    if (value >= map->text.len)
        return false;
    const char *from = map->text.data + value;
    const char *end = memchr(from, '\0', map->text.len - value);
    *out = (px_str){.data = from, .len = end ? (size_t)(end - from) : map->text.len - value};
    return true;
}

size_t px_charsmap_find(const px_charsmap *map, const char *text, size_t n, px_str *replacement)
{
    uint32_t at = 0, unit;
    size_t found = 0;
    if (!unit_at(map, 0, &unit))
        return 0;
    at ^= offset_of(unit);
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];
        at ^= byte;
        if (!unit_at(map, at, &unit) || (unit & (1u << 31 | 0xff)) != byte)
            break;
        at ^= offset_of(unit);
        uint32_t leaf;
        if ((unit >> 8 & 1) && unit_at(map, at, &leaf) &&
            replacement_at(map, leaf & 0x7fffffffu, replacement))
            found = i + 1;
    }
    return found;
}

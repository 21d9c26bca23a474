/*
 * cursor: reading bytes of a hostile file without ever reading past its end. Little endian. Each
 * reader returns false, and moves nothing, when too few bytes are left.
 */
#ifndef PX_BASE_CURSOR_H
#define PX_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct px_cursor {
    const uint8_t *base; // first byte; offsets in messages count from here
    const uint8_t *at;
    const uint8_t *end;
} px_cursor;

static inline px_cursor px_cursor_over(const void *bytes, size_t n)
{
    const uint8_t *p = n ? bytes : (const uint8_t *)""; // arithmetic on NULL is undefined
    return (px_cursor){.base = p, .at = p, .end = p + n};
}

static inline size_t px_cursor_left(const px_cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline size_t px_cursor_offset(const px_cursor *c)
{
    return (size_t)(c->at - c->base);
}

/* Lends n bytes in place. */
static inline bool px_cursor_bytes(px_cursor *c, size_t n, const uint8_t **out)
{
    if (n > px_cursor_left(c))
        return false;
    *out = c->at;
    c->at += n;
    return true;
}

static inline bool px_cursor_copy(px_cursor *c, void *out, size_t n)
{
    const uint8_t *p;
    if (!px_cursor_bytes(c, n, &p))
        return false;
    memcpy(out, p, n);
    return true;
}

static inline bool px_cursor_u8(px_cursor *c, uint8_t *out)
{
    return px_cursor_copy(c, out, sizeof *out);
}

static inline bool px_cursor_u16(px_cursor *c, uint16_t *out)
{
    return px_cursor_copy(c, out, sizeof *out);
}

static inline bool px_cursor_u32(px_cursor *c, uint32_t *out)
{
    return px_cursor_copy(c, out, sizeof *out);
}

static inline bool px_cursor_u64(px_cursor *c, uint64_t *out)
{
    return px_cursor_copy(c, out, sizeof *out);
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pith reads its files in place and needs a little-endian machine"
#endif

#endif

/* utf8: the encoding alone (RFC 3629); classes and normal forms of characters are utf8proc's. */
#ifndef PX_BASE_UTF8_H
#define PX_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads one character at text[0..n). Returns its bytes (1 to 4) and the code point, or 0 when the
 * bytes are not a whole valid character (overlong forms, surrogates and values over U+10FFFF are
 * not). n must be at least 1. */
int px_utf8_get(const char *text, size_t n, uint32_t *code);

/* Writes one character into out[4] and returns its bytes; U+FFFD for what is not a character. */
int px_utf8_put(uint32_t code, char out[4]);

/* Bytes of the longest valid prefix. */
size_t px_utf8_valid_prefix(const char *text, size_t n);

static inline bool px_utf8_valid(const char *text, size_t n)
{
    return px_utf8_valid_prefix(text, n) == n;
}

/* Bytes at the end of text that begin a character which later bytes may still complete: 0 to 3. */
size_t px_utf8_open_tail(const char *text, size_t n);

#endif

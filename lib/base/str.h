/* str: a lent piece of text or bytes with its length; not followed by a zero byte. */
#ifndef PX_BASE_STR_H
#define PX_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct px_str {
    const char *data; // may be NULL when len is 0
    size_t len;
} px_str;

static inline px_str px_str_of(const char *zero_terminated)
{
    return (px_str){.data = zero_terminated, .len = strlen(zero_terminated)};
}

static inline bool px_str_eq(px_str a, px_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool px_str_is(px_str a, const char *zero_terminated)
{
    return px_str_eq(a, px_str_of(zero_terminated));
}

/* For printf: "%.*s" with PX_STR_ARG(s). Long names are cut at 200 bytes: they come from hostile
 * files. */
#define PX_STR_ARG(s) ((int)((s).len < 200 ? (s).len : 200)), ((s).data ? (s).data : "")

#endif

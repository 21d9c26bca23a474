/* buf: see buf.h. Doubles on growth. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

char *px_buf_room(px_buf *buf, size_t n)
{
    size_t need;
    if (buf->failed)
        return NULL;
    if (buf->limit && (buf->len > buf->limit || n > buf->limit - buf->len)) {
        buf->failed = true;
        buf->limited = true;
        return NULL;
    }
    if (!px_add_size(buf->len, n, &need) || !px_add_size(need, 1, &need)) {
        buf->failed = true;
        return NULL;
    }
    if (need > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 64;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        if (buf->limit && buf->limit < SIZE_MAX && cap > buf->limit + 1)
            cap = buf->limit + 1;
        char *data = px_realloc(buf->data, cap, 1);
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

bool px_buf_put(px_buf *buf, const void *bytes, size_t n)
{
    char *to = px_buf_room(buf, n);
    if (!to)
        return false;
    if (n)
        memcpy(to, bytes, n);
    buf->len += n;
    buf->data[buf->len] = '\0';
    return true;
}

bool px_buf_puts(px_buf *buf, const char *text)
{
    return px_buf_put(buf, text, strlen(text));
}

bool px_buf_putc(px_buf *buf, char c)
{
    return px_buf_put(buf, &c, 1);
}

bool px_buf_vprintf(px_buf *buf, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *to = n < 0 ? NULL : px_buf_room(buf, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    } else {
        buf->failed = true;
    }
    va_end(again);
    return to != NULL;
}

bool px_buf_printf(px_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool ok = px_buf_vprintf(buf, fmt, args);
    va_end(args);
    return ok;
}

pith_status px_buf_status(const px_buf *buf, const char *what, pith_error *err)
{
    if (!buf->failed)
        return PITH_OK;
    if (buf->limited)
        return px_fail(err, PITH_E_LIMIT, "%s is longer than its limit of %zu bytes", what,
                       buf->limit);
    return px_fail_memory(err, what);
}

void px_buf_reset(px_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    buf->limited = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void px_buf_clear(px_buf *buf)
{
    px_free(buf->data);
    *buf = (px_buf){.limit = buf->limit};
}

char *px_buf_take(px_buf *buf, size_t *len)
{
    if (!px_buf_put(buf, "", 0)) // ends the content with its zero byte; fails if anything failed
        return NULL;
    char *data = buf->data;
    if (len)
        *len = buf->len;
    *buf = (px_buf){.limit = buf->limit};
    return data;
}

/*
 * buf: a growable string of bytes with an optional cap. Always followed by a zero byte once
 * anything was put, so data may be used as a C string. Zero-initialise to make one; clear frees it.
 * One thread at a time.
 */
#ifndef PX_BASE_BUF_H
#define PX_BASE_BUF_H

#include "base/error.h"

typedef struct px_buf {
    char *data; // NULL while empty and never grown
    size_t len;
    size_t cap;
    size_t limit; // most bytes; 0 is no limit
    bool failed;  // sticky: memory ran out or the limit was hit; later puts do nothing
    bool limited; // it was the limit
} px_buf;

/* Each returns false, and sets failed, when it could not; nothing is put in part. What is put must
 * not lie in the buffer itself. */
bool px_buf_put(px_buf *buf, const void *bytes, size_t n);
bool px_buf_puts(px_buf *buf, const char *text);
bool px_buf_putc(px_buf *buf, char c);
bool px_buf_printf(px_buf *buf, const char *fmt, ...) PX_PRINTF(2, 3);
bool px_buf_vprintf(px_buf *buf, const char *fmt, va_list args);

/* Makes room for n more bytes and a zero byte and lends the place; the caller then adds to len what
 * it wrote. NULL on failure. */
char *px_buf_room(px_buf *buf, size_t n);

/* PITH_OK, or the failure as MEMORY or LIMIT naming `what`. */
pith_status px_buf_status(const px_buf *buf, const char *what, pith_error *err);

/* Forgets the content and the failure, keeps the memory. */
void px_buf_reset(px_buf *buf);

/* Frees the memory. */
void px_buf_clear(px_buf *buf);

/* Gives the content away, with a zero byte behind it (free with px_free); the buffer is empty
 * afterwards. NULL when the buffer has failed: its memory is then still the buffer's. */
char *px_buf_take(px_buf *buf, size_t *len);

#endif

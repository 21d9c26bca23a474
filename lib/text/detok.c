/*
 * detok: token ids to text, as a stream that never shows a part of a character.
 *
 * Between calls `pending` holds at most three bytes, which begin a character. Threads: a px_detok
 * belongs to one thread; the tokenizer is only read.
 */
#include "base/utf8.h"
#include "text/tokenizer.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" // U+FFFD

/* Adds one byte to what is pending, and puts what is decided by it. */
static void push_byte(px_detok *d, char byte, px_buf *out)
{
    uint32_t code;
    d->pending[d->n_pending++] = byte;
    size_t n = (size_t)d->n_pending;
    if (px_utf8_get(d->pending, n, &code)) {
        px_buf_put(out, d->pending, n);
        d->n_pending = 0;
    } else if (px_utf8_open_tail(d->pending, n) != n) {
        px_buf_puts(out, REPLACEMENT);
        d->n_pending = 0;
        if (n > 1) // what was pending was the beginning of nothing; this byte may begin something
            push_byte(d, byte, out);
    }
}

static void push_bytes(px_detok *d, px_str bytes, px_buf *out)
{
    while (bytes.len > 0) {
        size_t n = d->n_pending == 0 ? px_utf8_valid_prefix(bytes.data, bytes.len) : 0;
        if (n > 0) {
            px_buf_put(out, bytes.data, n);
        } else {
            push_byte(d, bytes.data[0], out);
            n = 1;
        }
        bytes.data += n;
        bytes.len -= n;
    }
}

pith_status px_detok_push(const px_tokenizer *tok, px_detok *d, int32_t id, px_buf *out,
                          pith_error *err)
{
    px_str bytes = px_token_bytes(tok, id, d->special);
    if (!bytes.data)
        return px_fail(err, PITH_E_ARGUMENT, "token %d is not one of the vocabulary's %d", (int)id,
                       (int)px_tokenizer_size(tok));
    if (bytes.len > 0 && !d->started) {
        d->started = true;
        if (px_tokenizer_def(tok)->drop_space && !d->keep_space && bytes.data[0] == ' ') {
            bytes.data++;
            bytes.len--;
        }
    }
    push_bytes(d, bytes, out);
    return px_buf_status(out, "decoded text", err);
}

pith_status px_detok_flush(px_detok *d, px_buf *out, pith_error *err)
{
    if (d->n_pending > 0)
        px_buf_puts(out, REPLACEMENT);
    d->n_pending = 0;
    return px_buf_status(out, "decoded text", err);
}

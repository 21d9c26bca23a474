/* gguf_bytes: what the tests of format share: bytes of GGUF files, piece by piece, and asserting on
 * errors. */
#ifndef TEST_FORMAT_GGUF_BYTES_H
#define TEST_FORMAT_GGUF_BYTES_H

#include "base/buf.h"
#include "format/source.h"
#include "support/asserts.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Little-endian pieces of a GGUF file. */
static inline void put_u32(px_buf *b, uint32_t v)
{
    px_buf_put(b, &v, sizeof v);
}

static inline void put_u64(px_buf *b, uint64_t v)
{
    px_buf_put(b, &v, sizeof v);
}

static inline void put_strn(px_buf *b, const char *s, size_t n)
{
    put_u64(b, n);
    px_buf_put(b, s, n);
}

static inline void put_str(px_buf *b, const char *s)
{
    put_strn(b, s, strlen(s));
}

static inline void put_head(px_buf *b, uint32_t version, uint64_t n_tensors, uint64_t n_metas)
{
    px_buf_puts(b, "GGUF");
    put_u32(b, version);
    put_u64(b, n_tensors);
    put_u64(b, n_metas);
}

static inline void put_key(px_buf *b, const char *key, uint32_t type)
{
    put_str(b, key);
    put_u32(b, type);
}

static inline void put_tensor(px_buf *b, const char *name, uint32_t n_dims, const uint64_t *ne,
                              uint32_t dtype, uint64_t offset)
{
    put_str(b, name);
    put_u32(b, n_dims);
    px_buf_put(b, ne, n_dims * sizeof *ne);
    put_u32(b, dtype);
    put_u64(b, offset);
}

static inline void put_pad(px_buf *b, size_t align)
{
    while (b->len % align != 0)
        px_buf_putc(b, 0);
}

static inline void put_zeros(px_buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        px_buf_putc(b, 0);
}

#endif

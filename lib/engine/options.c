/* options: see options.h. Threads: every function touches only its arguments. */
#include "engine/options.h"

#include <string.h>

enum { MOST_BYTES = 4096 }; // no struct of the door comes near

static pith_status size_of(const void *object, const char *type, size_t *size, pith_error *err)
{
    memcpy(size, object, sizeof *size);
    if (*size < sizeof *size || *size > MOST_BYTES)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%s.size is %zu, expected sizeof(%s); make it with PITH_INIT", type, *size,
                       type);
    return PITH_OK;
}

pith_status px_options_read(const void *in, const char *type, void *out, size_t out_bytes,
                            pith_error *err)
{
    if (!in)
        return PITH_OK;
    size_t size;
    pith_status st = size_of(in, type, &size, err);
    if (st != PITH_OK)
        return st;
    const unsigned char *bytes = in;
    for (size_t i = out_bytes; i < size; i++)
        if (bytes[i] != 0)
            return px_fail(err, PITH_E_UNSUPPORTED,
                           "%s has a member at byte %zu that this version of libpith does not "
                           "know; use a newer one",
                           type, i);
    memcpy((unsigned char *)out + sizeof size, bytes + sizeof size,
           (size < out_bytes ? size : out_bytes) - sizeof size);
    return PITH_OK;
}

pith_status px_options_write(void *to, const char *type, const void *from, size_t from_bytes,
                             pith_error *err)
{
    size_t size;
    pith_status st = size_of(to, type, &size, err);
    if (st != PITH_OK)
        return st;
    size_t n = size < from_bytes ? size : from_bytes;
    memset((unsigned char *)to + sizeof size, 0, size - sizeof size);
    memcpy((unsigned char *)to + sizeof size, (const unsigned char *)from + sizeof size,
           n - sizeof size);
    return PITH_OK;
}

/*
 * options: structs of the door that may grow. Their first member is the size that the caller was
 * compiled with: a caller older than the library gives less, a newer one more.
 */
#ifndef PX_ENGINE_OPTIONS_H
#define PX_ENGINE_OPTIONS_H

#include "base/error.h"

/* Copies what the caller gave over the defaults that *out holds. in NULL leaves the defaults.
 * Errors: ARGUMENT for a size that is none, UNSUPPORTED when a newer caller set a member that this
 * library does not have. `type` stands in messages. */
pith_status px_options_read(const void *in, const char *type, void *out, size_t out_bytes,
                            pith_error *err);

/* Copies a result to the caller's struct, as much as that holds; its size member stays, what it
 * has beyond becomes zero. Errors: ARGUMENT for a size that is none. */
pith_status px_options_write(void *to, const char *type, const void *from, size_t from_bytes,
                             pith_error *err);

#endif

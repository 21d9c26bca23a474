/*
 * fetch: one file from an address into the blobs: several connections, each with a range of its
 * own, goes on where an earlier pull stopped, checked before it gets its name.
 */
#ifndef PITH_STORE_FETCH_H
#define PITH_STORE_FETCH_H

#include "store/inside.h"

#define STORE_SIZE_UNKNOWN UINT64_MAX

typedef struct store_fetch {
    const char *url;
    const char *bearer; // token for the address' host, or NULL
    const char *file;   // its name, for people
    const char *digest; // "sha256:HEX" that it must have, or NULL
    const char
        *git_oid;   // 40 hex digits: SHA-1 of it as a git blob, where there is no digest; or NULL
    uint64_t bytes; // that it must have, or STORE_SIZE_UNKNOWN
} store_fetch;

/* *digest and *bytes get what came. Errors: as store_pull. */
pith_status store_fetch_blob(const store_root *s, const store_fetch *what, const store_job *job,
                             char **digest, uint64_t *bytes, pith_error *err);

/* Bytes of the file that are still missing here, for the look at free space. */
uint64_t store_fetch_missing(const store_root *s, const store_fetch *what);

#endif

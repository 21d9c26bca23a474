/* digest: SHA-256 of files. */
#ifndef PITH_CLI_DIGEST_H
#define PITH_CLI_DIGEST_H

#include "base/error.h"

/* The digest of a regular file as 64 hexadecimal digits; progress over bytes read (may be NULL). */
pith_status cli_sha256(const char *path, pith_progress_fn progress, void *user, char hex[65],
                       pith_error *err);

#endif

/* digest: see digest.h. GnuTLS computes; the file is read in pieces, so that a progress bar can
 * move. */
#include "cli/digest.h"

#include "base/file.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

pith_status cli_sha256(const char *path, pith_progress_fn progress, void *user, char hex[65],
                       pith_error *err)
{
    enum { PIECE = 4 << 20, BYTES = 32 };
    px_map map;
    pith_status status = px_map_open(path, &map, err);
    if (status != PITH_OK)
        return status;
    gnutls_hash_hd_t hash = NULL;
    int code = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256);
    for (size_t at = 0; code == 0 && status == PITH_OK && at < map.size; at += PIECE) {
        size_t n = map.size - at < PIECE ? map.size - at : PIECE;
        code = gnutls_hash(hash, map.data + at, n);
        if (progress && progress(user, at + n, map.size))
            status =
                px_fail(err, PITH_E_CANCELLED, "computing SHA-256 of '%s' was interrupted", path);
    }
    unsigned char digest[BYTES] = {0};
    if (hash)
        gnutls_hash_deinit(hash, digest);
    px_map_close(&map);
    if (status == PITH_OK && code != 0)
        status = px_fail(err, PITH_E_INTERNAL, "SHA-256: %s", gnutls_strerror(code));
    for (int i = 0; i < BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return status;
}

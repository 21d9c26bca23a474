/*
 * blob: files by their content. A blob has the name of its SHA-256, which was computed here from
 * the bytes as they lie on disk, and never changes afterwards.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DIGEST = 32, PIECE = 1 << 20 };

static void to_hex(const unsigned char *digest, char hex[STORE_HEX + 1])
{
    for (int i = 0; i < DIGEST; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static pith_status hash_failed(int code, pith_error *err)
{
    return px_fail(err, PITH_E_INTERNAL, "SHA-256: %s", gnutls_strerror(code));
}

pith_status store_sha256(const void *bytes, size_t n, char hex[STORE_HEX + 1], pith_error *err)
{
    unsigned char digest[DIGEST] = {0};
    int code = gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, n, digest);
    to_hex(digest, hex);
    return code == 0 ? PITH_OK : hash_failed(code, err);
}

pith_status store_sha256_file(const char *path, const store_job *job, const char *digest,
                              const char *file, char hex[STORE_HEX + 1], pith_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_errno(err, errno, "cannot open '%s'", path);
    struct stat st = {0};
    unsigned char sum[DIGEST] = {0};
    gnutls_hash_hd_t hash = NULL;
    pith_status status = PITH_OK;
    uint64_t done = 0;
    unsigned char *piece = px_malloc(PIECE, 1);
    int code = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256);
    if (!piece)
        status = px_fail_memory(err, "a piece of a file");
    else if (code != 0)
        status = hash_failed(code, err);
    else if (fstat(fd, &st) != 0)
        status = px_fail_errno(err, errno, "cannot stat '%s'", path);
    while (status == PITH_OK) {
        ssize_t n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = px_fail_errno(err, errno, "cannot read '%s'", path);
        if (status == PITH_OK && (n == 0 || (done / PIECE) % 16 == 0))
            status = store_tell(job,
                                &(store_progress){.step = STORE_STEP_VERIFY,
                                                  .digest = digest,
                                                  .file = file,
                                                  .done = done,
                                                  .total = (uint64_t)st.st_size},
                                err);
        if (status != PITH_OK || n == 0)
            break;
        code = gnutls_hash(hash, piece, (size_t)n);
        if (code != 0)
            status = hash_failed(code, err);
        done += (uint64_t)n;
    }
    if (hash)
        gnutls_hash_deinit(hash, sum);
    to_hex(sum, hex);
    px_free(piece);
    close(fd);
    return status;
}

pith_status store_blob_path(const store_root *s, const char *digest, char **out, pith_error *err)
{
    if (!store_digest_ok(digest))
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' is no digest; expected sha256: and 64 hexadecimal digits", digest);
    return store_set(out, err, "%s/blobs/sha256-%s", s->home, digest + 7);
}

static pith_status blob_folder(const store_root *s, pith_error *err)
{
    char *path = store_format("%s/blobs", s->home);
    pith_status status = path ? store_make_folder(path, err) : px_fail_memory(err, "a path");
    px_free(path);
    return status;
}

pith_status store_need_space(const store_root *s, uint64_t bytes, const char *what, pith_error *err)
{
    struct statvfs v;
    pith_status status = blob_folder(s, err);
    if (status != PITH_OK || statvfs(s->home, &v) != 0)
        return status; // an unknown amount is not held against the user
    uint64_t left = (uint64_t)v.f_bavail * v.f_frsize;
    if (bytes <= left)
        return PITH_OK;
    return px_fail(err, PITH_E_IO,
                   "%s needs %.2f GB more, and %.2f GB are free where '%s' lies; free some (pith "
                   "rm), or set PITH_HOME to a larger disk",
                   what, (double)bytes / 1e9, (double)left / 1e9, s->home);
}

pith_status store_blob_find(const store_root *s, const char *digest, uint64_t *bytes,
                            pith_error *err)
{
    px_error_clear(err);
    char *path = NULL;
    struct stat st;
    pith_status status = store_blob_path(s, digest, &path, err);
    if (status == PITH_OK && stat(path, &st) != 0)
        status = px_fail(err, PITH_E_NOT_FOUND, "there is no blob '%s'", digest);
    else if (status == PITH_OK && bytes)
        *bytes = (uint64_t)st.st_size;
    px_free(path);
    return status;
}

struct store_blob_writer {
    px_out out;
    gnutls_hash_hd_t hash;
    char digest[7 + STORE_HEX + 1]; // "": what the bytes give
    char *folder;                   // blobs
};

/* A writer of bytes whose digest is known, or ("") is not. */
static pith_status begin(const store_root *s, const char *digest, store_blob_writer **out,
                         pith_error *err)
{
    *out = NULL;
    pith_status status = blob_folder(s, err);
    if (status != PITH_OK)
        return status;
    store_blob_writer *w = px_calloc(1, sizeof *w);
    if (!w)
        return px_fail_memory(err, "a blob's writer");
    w->out.fd = -1;
    snprintf(w->digest, sizeof w->digest, "%s", digest);
    char *path = NULL;
    status = store_set(&w->folder, err, "%s/blobs", s->home);
    if (status == PITH_OK)
        status = store_set(&path, err, "%s/%s", w->folder, *digest ? digest + 7 : "new");
    if (status == PITH_OK)
        status = px_out_open(path, &w->out, err);
    int code = status == PITH_OK ? gnutls_hash_init(&w->hash, GNUTLS_DIG_SHA256) : 0;
    if (code != 0)
        status = hash_failed(code, err);
    px_free(path);
    if (status != PITH_OK)
        store_blob_abort(w);
    else
        *out = w;
    return status;
}

pith_status store_blob_begin(const store_root *s, const char *digest, store_blob_writer **out,
                             pith_error *err)
{
    px_error_clear(err);
    *out = NULL;
    char *path = NULL; // refuses what is no digest
    pith_status status = store_blob_path(s, digest, &path, err);
    px_free(path);
    return status == PITH_OK ? begin(s, digest, out, err) : status;
}

pith_status store_blob_write(store_blob_writer *w, const void *bytes, size_t n, pith_error *err)
{
    int code = gnutls_hash(w->hash, bytes, n);
    return code != 0 ? hash_failed(code, err) : px_out_write(&w->out, bytes, n, err);
}

/* Ends a writer; *digest (may be NULL) gets "sha256:HEX". */
static pith_status commit(store_blob_writer *w, char **digest, pith_error *err)
{
    unsigned char sum[DIGEST];
    char hex[STORE_HEX + 1];
    gnutls_hash_deinit(w->hash, sum);
    w->hash = NULL;
    to_hex(sum, hex);
    pith_status status = PITH_OK;
    if (w->digest[0] && strcmp(hex, w->digest + 7) != 0)
        status =
            px_fail(err, PITH_E_MISMATCH,
                    "the bytes have SHA-256 %s, expected %s; nothing was kept", hex, w->digest + 7);
    if (status == PITH_OK && digest)
        status = store_set(digest, err, "sha256:%s", hex);
    if (status == PITH_OK)
        status = store_set(&w->out.path, err, "%s/sha256-%s", w->folder, hex);
    if (status == PITH_OK)
        (void)fchmod(w->out.fd, 0444);
    if (status == PITH_OK)
        status = px_out_commit(&w->out, err);
    store_blob_abort(w);
    return status;
}

pith_status store_blob_commit(store_blob_writer *w, pith_error *err)
{
    px_error_clear(err);
    return commit(w, NULL, err);
}

void store_blob_abort(store_blob_writer *w)
{
    if (!w)
        return;
    if (w->hash)
        gnutls_hash_deinit(w->hash, NULL);
    px_out_abort(&w->out);
    px_free(w->folder);
    px_free(w);
}

pith_status store_blob_put(const store_root *s, const void *bytes, size_t n, char **digest,
                           pith_error *err)
{
    store_blob_writer *w = NULL;
    pith_status status = begin(s, "", &w, err);
    if (status != PITH_OK)
        return status;
    status = store_blob_write(w, bytes, n, err);
    if (status == PITH_OK)
        return commit(w, digest, err);
    store_blob_abort(w);
    return status;
}

pith_status store_blob_name(const char *from, const char *to, pith_error *err)
{
    (void)chmod(from, 0444);
    if (rename(from, to) != 0)
        return px_fail_errno(err, errno, "cannot rename '%s'", from);
    char *folder = px_strndup(to, strlen(to));
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) { // the name must survive a crash before a record refers to it
        *slash = '\0';
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            (void)fsync(fd);
            close(fd);
        }
    }
    px_free(folder);
    return PITH_OK;
}

pith_status store_blob_adopt(const store_root *s, const char *digest, uint64_t bytes,
                             const char *file, const store_job *job, pith_error *err)
{
    char *theirs = NULL, *ours = NULL;
    char hex[STORE_HEX + 1];
    struct stat st;
    if (!s->ollama)
        return PITH_OK;
    pith_status status = store_blob_path(s, digest, &ours, err);
    if (status == PITH_OK)
        status = store_set(&theirs, err, "%s/blobs/sha256-%s", s->ollama, digest + 7);
    bool there = status == PITH_OK && stat(ours, &st) != 0 && stat(theirs, &st) == 0 &&
                 S_ISREG(st.st_mode) && (uint64_t)st.st_size == bytes;
    if (there) {
        status = blob_folder(s, err);
        if (status == PITH_OK)
            status = store_sha256_file(theirs, job, digest, file, hex, err);
        /* Another disk, or another owner's file: then it is fetched. */
        if (status == PITH_OK && strcmp(hex, digest + 7) == 0 && link(theirs, ours) == 0)
            status = store_note(job, err, "'%s' is in Ollama's store already; its bytes are shared",
                                file);
    }
    px_free(theirs);
    px_free(ours);
    return status;
}

/* Names a finished file in blobs by its content. */
static pith_status rename_into(const store_root *s, const char *path, const store_job *job,
                               char **digest, pith_error *err)
{
    char hex[STORE_HEX + 1];
    char *to = NULL;
    pith_status status = store_sha256_file(path, job, "", "", hex, err);
    if (status == PITH_OK)
        status = store_set(digest, err, "sha256:%s", hex);
    if (status == PITH_OK)
        status = store_blob_path(s, *digest, &to, err);
    if (status == PITH_OK)
        status = store_blob_name(path, to, err);
    px_free(to);
    return status;
}

pith_status store_blob_take(const store_root *s, const char *path, bool move, const store_job *job,
                            char **digest, pith_error *err)
{
    if (move)
        return rename_into(s, path, job, digest, err);
    px_map map = {0};
    store_blob_writer *w = NULL;
    pith_status status = px_map_open(path, &map, err);
    if (status == PITH_OK)
        status = store_need_space(s, map.size, path, err);
    if (status == PITH_OK)
        status = begin(s, "", &w, err);
    for (size_t at = 0; status == PITH_OK && at < map.size; at += PIECE) {
        size_t n = map.size - at < PIECE ? map.size - at : PIECE;
        status = store_blob_write(w, map.data + at, n, err);
        if (status == PITH_OK)
            status = store_tell(
                job,
                &(store_progress){
                    .step = STORE_STEP_CONVERT, .file = path, .done = at + n, .total = map.size},
                err);
    }
    if (status == PITH_OK)
        status = commit(w, digest, err);
    else
        store_blob_abort(w);
    px_map_close(&map);
    return status;
}

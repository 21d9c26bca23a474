/*
 * fetch: see fetch.h. What is to be fetched, what is there of it already, and whether what came is
 * right: the SHA-256 is computed from what lies on disk, not from what went by.
 */
#include "store/fetch.h"

#include "base/file.h"
#include "base/mem.h"
#include "store/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS = 6, MAX_RESTARTS = 3, POLL_MS = 100 };

static size_t refuse_body(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    const store_head *h = user;
    return h->status == 200 || h->status == 206 ? 0 : size * count;
}

/* Asks for the first byte, to learn the size and whether there are ranges. */
static pith_status probe(store_download *f, store_head *head, pith_error *err)
{
    const store_remote remote = {.url = f->what->url, .bearer = f->what->bearer};
    for (int i = 0;; i++) {
        struct curl_slist *headers = NULL;
        CURL *curl = curl_easy_init();
        if (!curl)
            return px_fail_memory(err, "a connection");
        pith_status status = store_net_prepare(curl, &remote, f->job, head, &headers, err);
        CURLcode code = CURLE_OK;
        if (status == PITH_OK) {
            curl_easy_setopt(curl, CURLOPT_RANGE, "0-0");
            curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, refuse_body);
            curl_easy_setopt(curl, CURLOPT_WRITEDATA, head);
            code = curl_easy_perform(curl);
        }
        curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
        if (status != PITH_OK || head->status == 200 || head->status == 206)
            return status;
        if (!store_net_transient(code, head->status) || i + 1 == STORE_MAX_TRIES)
            return store_net_fail(f->what->url, code, head->status, err);
        status = store_parts_tell(f, err);
        double until = store_net_now() + store_net_delay(i, head->retry_after);
        while (status == PITH_OK && store_net_now() < until) {
            usleep(POLL_MS * 1000);
            status = store_parts_tell(f, err);
        }
        if (status != PITH_OK)
            return status;
    }
}

/* The size, the journal, what is there already, room on the disk. */
static pith_status prepare(store_download *f, pith_error *err)
{
    store_head head = {0};
    bool lost = false;
    pith_status status = PITH_OK;
    f->size = f->what->bytes;
    if (f->size == STORE_SIZE_UNKNOWN) {
        status = probe(f, &head, err);
        f->stream = head.status != 206;
        int64_t size = f->stream ? head.length : head.total;
        if (size >= 0)
            f->size = (uint64_t)size;
        snprintf(f->j.etag, sizeof f->j.etag, "%s", head.etag);
    }
    if (status == PITH_OK && f->size > (uint64_t)INT64_MAX && f->size != STORE_SIZE_UNKNOWN)
        status =
            px_fail(err, PITH_E_FORMAT, "'%s' claims %" PRIu64 " bytes", f->what->url, f->size);
    if (status != PITH_OK)
        return status;
    if (f->size == STORE_SIZE_UNKNOWN)
        return ftruncate(f->j.fd, 0) == 0
                   ? PITH_OK
                   : px_fail_errno(err, errno, "cannot empty '%s'", f->j.partial);
    status = store_journal_begin(&f->j, f->size, head.etag, &lost, err);
    if (status == PITH_OK && f->stream)
        status = store_journal_reset(&f->j, err);
    if (status != PITH_OK)
        return status;
    f->done = f->resumed = store_journal_bytes(&f->j);
    f->taken = px_calloc(f->j.n_pieces + 1, sizeof *f->taken);
    if (!f->taken)
        return px_fail_memory(err, "the list of a download's parts");
    if (lost)
        status = store_note(f->job, err,
                            "'%s' is another file than the one that was begun, so it "
                            "is fetched from the beginning",
                            f->what->url);
    return status == PITH_OK ? store_need_space(f->s, f->size - f->done, f->what->file, err)
                             : status;
}

/* Whether the bytes on disk are a git blob of this number. */
static pith_status check_git(const store_download *f, pith_error *err)
{
    unsigned char sum[20];
    char head[32], hex[41];
    px_map map = {0};
    gnutls_hash_hd_t hash = NULL;
    if (!f->what->git_oid || f->what->digest)
        return PITH_OK;
    pith_status status = px_map_open(f->j.partial, &map, err);
    if (status != PITH_OK)
        return status;
    int n = snprintf(head, sizeof head, "blob %zu", map.size);
    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA1) != 0) {
        px_map_close(&map);
        return px_fail(err, PITH_E_INTERNAL, "SHA-1 is not to be had");
    }
    gnutls_hash(hash, head, (size_t)n + 1);
    gnutls_hash(hash, map.data, map.size);
    gnutls_hash_deinit(hash, sum);
    px_map_close(&map);
    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return strcmp(hex, f->what->git_oid) == 0
               ? PITH_OK
               : px_fail(err, PITH_E_MISMATCH,
                         "'%s' came as git blob %s, expected %s; nothing of it was kept",
                         f->what->url, hex, f->what->git_oid);
}

/* Verifies what lies on disk and gives it its name. */
static pith_status finish(store_download *f, char **digest, pith_error *err)
{
    char hex[STORE_HEX + 1];
    char *to = NULL;
    const char *wanted = f->what->digest;
    pith_status status = PITH_OK;
    if (fsync(f->j.fd) != 0)
        status = px_fail_errno(err, errno, "cannot sync '%s'", f->j.partial);
    if (status == PITH_OK)
        status = store_sha256_file(f->j.partial, f->job, wanted, f->what->file, hex, err);
    if (status == PITH_OK && wanted && strcmp(hex, wanted + 7) != 0)
        status = px_fail(err, PITH_E_MISMATCH,
                         "'%s' came with SHA-256 %s, expected %s; nothing of it was kept",
                         f->what->url, hex, wanted + 7);
    if (status == PITH_OK)
        status = check_git(f, err);
    if (status == PITH_OK)
        status = store_set(digest, err, "sha256:%s", hex);
    if (status == PITH_OK)
        status = store_blob_path(f->s, *digest, &to, err);
    if (status == PITH_OK) {
        status = store_blob_name(f->j.partial, to, err);
        if (status == PITH_OK)
            unlink(f->j.journal);
    }
    if (status == PITH_E_MISMATCH)
        store_journal_drop(&f->j);
    px_free(to);
    return status;
}

static pith_status fetch_once(store_download *f, const char *key, const char *blob, char **digest,
                              pith_error *err)
{
    bool there = false;
    pith_status status =
        store_journal_open(f->s, key, blob, f->job, f->what->file, &f->j, &there, err);
    if (status != PITH_OK || there)
        return status == PITH_OK ? store_set(digest, err, "%s", f->what->digest) : status;
    int parts = f->job && f->job->n_parts > 0 ? f->job->n_parts : PARTS;
    f->most = parts < STORE_MAX_PARTS ? parts : STORE_MAX_PARTS;
    f->multi = curl_multi_init();
    if (!f->multi)
        status = px_fail_memory(err, "a download");
    if (status == PITH_OK)
        status = prepare(f, err);
    if (status == PITH_OK)
        status = store_parts_run(f, err);
    if (status == PITH_OK)
        status = finish(f, digest, err);
    if (status == PITH_E_BUSY) // it changed: no piece of the old one is of use
        store_journal_drop(&f->j);
    store_parts_clear(f);
    store_journal_close(&f->j);
    return status;
}

/* The name of the partial file: by the digest, else by the address. */
static pith_status key_of(const store_fetch *what, char **key, pith_error *err)
{
    char hex[STORE_HEX + 1];
    if (what->digest)
        return store_set(key, err, "sha256-%s", what->digest + 7);
    pith_status status = store_sha256(what->url, strlen(what->url), hex, err);
    return status == PITH_OK ? store_set(key, err, "url-%s", hex) : status;
}

pith_status store_fetch_blob(const store_root *s, const store_fetch *what, const store_job *job,
                             char **digest, uint64_t *bytes, pith_error *err)
{
    char *key = NULL, *blob = NULL;
    struct stat st;
    store_net_init();
    pith_status status = PITH_OK;
    if (what->digest)
        status = store_blob_path(s, what->digest, &blob, err);
    if (status == PITH_OK && what->digest)
        status = store_blob_adopt(s, what->digest, what->bytes, what->file, job, err);
    if (status == PITH_OK)
        status = key_of(what, &key, err);
    for (int i = 0; status == PITH_OK; i++) {
        store_download f = {.s = s, .what = what, .job = job};
        pith_error why = {0};
        status = fetch_once(&f, key, blob, digest, &why);
        /* Bytes of an earlier try may be what is wrong: once more without them. */
        bool stale = status == PITH_E_MISMATCH && f.resumed > 0 && i == 0;
        bool changed = status == PITH_E_BUSY && i + 1 < MAX_RESTARTS;
        if (!stale && !changed) {
            if (status != PITH_OK)
                status = px_fail(err, why.status, "%s", why.text);
            break;
        }
        status = store_note(job, err, "%s; fetching it again", why.text);
    }
    px_free(blob);
    blob = NULL;
    if (status == PITH_OK)
        status = store_blob_path(s, *digest, &blob, err);
    if (status == PITH_OK && stat(blob, &st) != 0)
        status = px_fail_errno(err, errno, "cannot find '%s'", blob);
    if (status == PITH_OK && what->bytes != STORE_SIZE_UNKNOWN &&
        what->bytes != (uint64_t)st.st_size)
        status = px_fail(err, PITH_E_MISMATCH,
                         "'%s' has %lld bytes in the store, and its registry says %" PRIu64,
                         what->file, (long long)st.st_size, what->bytes);
    if (status == PITH_OK)
        *bytes = (uint64_t)st.st_size;
    px_free(key);
    px_free(blob);
    return status;
}

uint64_t store_fetch_missing(const store_root *s, const store_fetch *what)
{
    uint64_t have = 0;
    if (what->bytes == STORE_SIZE_UNKNOWN)
        return 0;
    if (what->digest && store_blob_find(s, what->digest, &have, NULL) == PITH_OK)
        return 0;
    /* A partial file is sparse: what is allocated of it is there. */
    char *key = NULL;
    struct stat st;
    if ((what->digest || what->url) && key_of(what, &key, NULL) == PITH_OK) {
        char *path = store_format("%s/blobs/%s.partial", s->home, key);
        if (path && stat(path, &st) == 0)
            have = (uint64_t)st.st_blocks * 512;
        px_free(path);
    }
    px_free(key);
    return have < what->bytes ? what->bytes - have : 0;
}

/*
 * fetch: see fetch.h.
 *
 * The missing pieces of the journal are given out in runs, one to each connection; a run that
 * breaks goes on from its last byte, after a pause that doubles, until STORE_MAX_TRIES in a row
 * brought nothing. 429 and 503 halve the number of connections. A server that ignores ranges is
 * read by one connection from the beginning. All runs are of one size and (where the server has an
 * ETag and no digest is known) of one ETag; else everything is begun again. The SHA-256 is computed
 * from what lies on disk, not from what went by.
 */
#include "store/fetch.h"

#include "base/file.h"
#include "base/mem.h"
#include "store/journal.h"
#include "store/net.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PARTS = 16, PARTS = 6, RUN = 64, MAX_RESTARTS = 3, POLL_MS = 100, SYNC_S = 4 };

typedef enum trouble {
    TROUBLE_NONE,
    TROUBLE_NO_RANGES, // the whole file came where a part was asked for
    TROUBLE_CHANGED,   // another ETag
    TROUBLE_RANGE,     // another range than asked for
    TROUBLE_SIZE,      // another size of the whole
    TROUBLE_DISK
} trouble;

struct fetch;

typedef struct part {
    struct fetch *f;
    CURL *curl;
    struct curl_slist *headers;
    store_head head;
    uint64_t at, end; // bytes still wanted
    uint64_t began;   // `at` when this try began
    bool busy;        // has a run
    bool running;     // is with libcurl
    bool checked;     // the head of this answer was looked at
    trouble trouble;
    int tries; // in a row without progress
    double not_before;
} part;

typedef struct fetch {
    const store_root *s;
    const store_fetch *what;
    const store_job *job;
    store_journal j;
    CURLM *multi;
    part parts[MAX_PARTS];
    int most;      // connections at once
    bool *taken;   // [n_pieces], by a part
    bool stream;   // one connection, no ranges
    uint64_t size; // STORE_SIZE_UNKNOWN: till the answer ends
    uint64_t done, resumed;
    double synced;
    pith_error disk; // of a write
} fetch;

/* ---- one answer */

/* Whether the head is what was asked for. */
static trouble check_head(const part *p)
{
    const fetch *f = p->f;
    const store_head *h = &p->head;
    bool known = f->size != STORE_SIZE_UNKNOWN;
    if (!f->what->digest && f->j.etag[0] && h->etag[0] && strcmp(h->etag, f->j.etag) != 0)
        return TROUBLE_CHANGED;
    if (h->status == 206) {
        if (known && h->total >= 0 && (uint64_t)h->total != f->size)
            return TROUBLE_SIZE;
        return h->first == (int64_t)p->at ? TROUBLE_NONE : TROUBLE_RANGE;
    }
    if (known && h->length >= 0 && (uint64_t)h->length != f->size)
        return TROUBLE_SIZE;
    return p->at == 0 && p->end == f->size ? TROUBLE_NONE : TROUBLE_NO_RANGES;
}

/* Marks the pieces that are whole now. */
static pith_status mark(part *p, uint64_t before)
{
    fetch *f = p->f;
    if (f->size == STORE_SIZE_UNKNOWN)
        return PITH_OK;
    for (uint64_t i = before / f->j.piece; i < f->j.n_pieces; i++) {
        uint64_t end = i + 1 < f->j.n_pieces ? (i + 1) * f->j.piece : f->size;
        if (end > p->at)
            break;
        pith_status status = store_journal_mark(&f->j, i, &f->disk);
        if (status != PITH_OK)
            return status;
    }
    return PITH_OK;
}

static size_t on_data(char *data, size_t size, size_t count, void *user)
{
    part *p = user;
    fetch *f = p->f;
    size_t n = size * count;
    if (p->head.status != 200 && p->head.status != 206)
        return n; // the text of a failure
    if (!p->checked) {
        p->checked = true;
        p->trouble = check_head(p);
    }
    if (p->trouble != TROUBLE_NONE)
        return 0;
    size_t take = p->end - p->at < n ? (size_t)(p->end - p->at) : n;
    uint64_t before = p->at;
    if (store_journal_write(&f->j, p->at, data, take, &f->disk) != PITH_OK) {
        p->trouble = TROUBLE_DISK;
        return 0;
    }
    p->at += take;
    f->done += take;
    if (mark(p, before) != PITH_OK) {
        p->trouble = TROUBLE_DISK;
        return 0;
    }
    return take == n ? n : 0; // more than asked for: the run is whole, the rest is not read
}

static pith_status start(part *p, pith_error *err)
{
    fetch *f = p->f;
    char range[64];
    const store_remote remote = {.url = f->what->url, .bearer = f->what->bearer};
    if (!p->curl)
        p->curl = curl_easy_init();
    if (!p->curl)
        return px_fail_memory(err, "a connection");
    curl_easy_reset(p->curl);
    curl_slist_free_all(p->headers);
    pith_status status = store_net_prepare(p->curl, &remote, f->job, &p->head, &p->headers, err);
    if (status != PITH_OK)
        return status;
    if (!f->stream) {
        snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, p->at, p->end - 1);
        curl_easy_setopt(p->curl, CURLOPT_RANGE, range);
    }
    /* A connection for each part: over one of HTTP/2 they would share what one gets. */
    curl_easy_setopt(p->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
    curl_easy_setopt(p->curl, CURLOPT_PRIVATE, p);
    curl_easy_setopt(p->curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    p->began = p->at;
    p->checked = false;
    p->trouble = TROUBLE_NONE;
    if (curl_multi_add_handle(f->multi, p->curl) != CURLM_OK)
        return px_fail_memory(err, "a connection");
    p->running = true;
    return PITH_OK;
}

static void stop_parts(fetch *f)
{
    for (int i = 0; i < MAX_PARTS; i++) {
        part *p = &f->parts[i];
        if (p->running)
            curl_multi_remove_handle(f->multi, p->curl);
        p->running = p->busy = false;
        p->tries = 0;
    }
}

/* ---- what is given out */

/* The next run of pieces that nobody has. */
static bool next_run(const fetch *f, uint64_t *from, uint64_t *to)
{
    uint64_t missing = 0, i = 0;
    for (uint64_t k = 0; k < f->j.n_pieces; k++)
        missing += !store_journal_has(&f->j, k) && !f->taken[k];
    uint64_t most = missing / (uint64_t)f->most;
    most = most < 1 ? 1 : most > RUN ? RUN : most;
    while (i < f->j.n_pieces && (store_journal_has(&f->j, i) || f->taken[i]))
        i++;
    *from = i;
    while (i < f->j.n_pieces && i - *from < most && !store_journal_has(&f->j, i) && !f->taken[i])
        i++;
    *to = i;
    return *to > *from;
}

static void give_out(fetch *f)
{
    int busy = 0;
    for (int i = 0; i < MAX_PARTS; i++)
        busy += f->parts[i].busy;
    for (int i = 0; i < MAX_PARTS && busy < f->most; i++) {
        part *p = &f->parts[i];
        uint64_t from, to;
        if (p->busy)
            continue;
        if (f->stream) {
            if (busy > 0)
                return;
            *p = (part){.f = f, .curl = p->curl, .headers = p->headers, .end = f->size};
        } else {
            if (!next_run(f, &from, &to))
                return;
            memset(f->taken + from, true, (to - from) * sizeof *f->taken);
            *p = (part){.f = f,
                        .curl = p->curl,
                        .headers = p->headers,
                        .at = from * f->j.piece,
                        .end = to < f->j.n_pieces ? to * f->j.piece : f->size};
        }
        p->busy = true;
        busy++;
    }
}

static pith_status start_all(fetch *f, bool *idle, pith_error *err)
{
    pith_status status = PITH_OK;
    double now = store_net_now();
    *idle = true;
    for (int i = 0; status == PITH_OK && i < MAX_PARTS; i++) {
        part *p = &f->parts[i];
        if (p->busy)
            *idle = false;
        if (p->busy && !p->running && now >= p->not_before)
            status = start(p, err);
    }
    return status;
}

/* ---- what comes of it */

/* Begins all over. */
static pith_status restart(fetch *f, bool stream, pith_error *err)
{
    stop_parts(f);
    f->stream = stream;
    f->done = f->resumed = 0;
    if (f->taken)
        memset(f->taken, false, f->j.n_pieces * sizeof *f->taken);
    return store_journal_reset(&f->j, err);
}

static pith_status explain(const part *p, CURLcode code, pith_error *err)
{
    const fetch *f = p->f;
    const char *url = f->what->url;
    switch (p->trouble) {
    case TROUBLE_SIZE:
        return px_fail(err, PITH_E_MISMATCH,
                       "'%s' has %" PRId64 " bytes as the server says, expected %" PRIu64, url,
                       p->head.status == 206 ? p->head.total : p->head.length, f->size);
    case TROUBLE_RANGE:
        return px_fail(err, PITH_E_IO, "'%s': the server sends another range than asked for", url);
    case TROUBLE_DISK:
        return px_fail(err, f->disk.status, "%s", f->disk.text);
    default:
        break;
    }
    if (code == CURLE_OK && (p->head.status == 200 || p->head.status == 206))
        return px_fail(err, PITH_E_IO, "'%s' ends after %" PRIu64 " bytes, expected %" PRIu64, url,
                       p->at, p->end);
    return store_net_fail(url, code, p->head.status, err);
}

/* A part whose answer has ended short of what was asked for. */
static pith_status on_failure(part *p, CURLcode code, pith_error *err)
{
    fetch *f = p->f;
    bool good = p->head.status == 200 || p->head.status == 206;
    bool again = p->trouble == TROUBLE_SIZE || p->trouble == TROUBLE_RANGE ||
                 (p->trouble == TROUBLE_NONE && code == CURLE_OK && good) ||
                 store_net_transient(code, p->head.status);
    if (p->at > p->began && !f->stream)
        p->tries = 0;
    /* A size that is wrong twice is not a slip. */
    int most = p->trouble == TROUBLE_SIZE ? 2 : STORE_MAX_TRIES;
    if (!again || ++p->tries >= most)
        return explain(p, code, err);
    if (p->head.status == 429 || p->head.status == 503)
        f->most = f->most > 1 ? f->most / 2 : 1;
    p->not_before = store_net_now() + store_net_delay(p->tries - 1, p->head.retry_after);
    if (!f->stream)
        return PITH_OK;
    int tries = p->tries;
    pith_status status = restart(f, true, err);
    *p = (part){.f = f,
                .curl = p->curl,
                .headers = p->headers,
                .end = f->size,
                .busy = true,
                .tries = tries,
                .not_before = p->not_before};
    return status;
}

static pith_status on_end(part *p, CURLcode code, pith_error *err)
{
    fetch *f = p->f;
    curl_multi_remove_handle(f->multi, p->curl);
    p->running = false;
    if (p->trouble == TROUBLE_DISK)
        return explain(p, code, err);
    if (p->trouble == TROUBLE_CHANGED)
        return px_fail(err, PITH_E_BUSY, "'%s' changed while it was fetched", f->what->url);
    if (p->trouble == TROUBLE_NO_RANGES) {
        pith_status status = f->resumed > 0
                                 ? store_note(f->job, err,
                                              "'%s': the server does not send parts of files, so "
                                              "it is fetched again from the beginning",
                                              f->what->url)
                                 : PITH_OK;
        return status == PITH_OK ? restart(f, true, err) : status;
    }
    if (f->size == STORE_SIZE_UNKNOWN && code == CURLE_OK && p->head.status == 200 &&
        p->trouble == TROUBLE_NONE) {
        f->size = p->end = p->at;
        if (ftruncate(f->j.fd, (off_t)f->size) != 0) // an earlier try may have been longer
            return px_fail_errno(err, errno, "cannot cut '%s'", f->j.partial);
    }
    if (p->at == p->end && p->checked) {
        p->busy = false;
        return PITH_OK;
    }
    return on_failure(p, code, err);
}

static bool complete(const fetch *f)
{
    if (f->size == STORE_SIZE_UNKNOWN)
        return false;
    for (uint64_t i = 0; f->j.states && i < f->j.n_pieces; i++)
        if (!store_journal_has(&f->j, i))
            return false;
    return f->j.states || f->done == f->size;
}

static pith_status tell(fetch *f, pith_error *err)
{
    double now = store_net_now();
    pith_status status = PITH_OK;
    if (now - f->synced > SYNC_S) {
        f->synced = now;
        status = store_journal_sync(&f->j, err);
    }
    if (status != PITH_OK)
        return status;
    return store_tell(f->job,
                      &(store_progress){.step = STORE_STEP_FETCH,
                                        .digest = f->what->digest,
                                        .file = f->what->file,
                                        .done = f->done,
                                        .total = f->size == STORE_SIZE_UNKNOWN ? 0 : f->size,
                                        .resumed = f->resumed},
                      err);
}

static pith_status loop(fetch *f, pith_error *err)
{
    pith_status status = tell(f, err);
    f->synced = store_net_now();
    while (status == PITH_OK && !complete(f)) {
        bool idle;
        int running, left;
        CURLMsg *m;
        give_out(f);
        status = start_all(f, &idle, err);
        if (status == PITH_OK && idle)
            status = px_fail(err, PITH_E_INTERNAL, "a download has nothing left to ask for");
        if (status == PITH_OK && (curl_multi_perform(f->multi, &running) != CURLM_OK ||
                                  curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK))
            status = px_fail(err, PITH_E_INTERNAL, "libcurl failed while waiting");
        while (status == PITH_OK && (m = curl_multi_info_read(f->multi, &left)) != NULL) {
            part *p = NULL;
            CURLcode code = m->data.result;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&p);
            if (m->msg == CURLMSG_DONE && p)
                status = on_end(p, code, err);
        }
        if (status == PITH_OK)
            status = tell(f, err);
    }
    stop_parts(f);
    /* What came is kept, whatever ended it. */
    pith_status kept = store_journal_sync(&f->j, status == PITH_OK ? err : NULL);
    return status == PITH_OK ? kept : status;
}

/* ---- before and after */

static size_t refuse_body(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    const store_head *h = user;
    return h->status == 200 || h->status == 206 ? 0 : size * count;
}

/* Asks for the first byte, to learn the size and whether there are ranges. */
static pith_status probe(fetch *f, store_head *head, pith_error *err)
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
        status = tell(f, err);
        double until = store_net_now() + store_net_delay(i, head->retry_after);
        while (status == PITH_OK && store_net_now() < until) {
            usleep(POLL_MS * 1000);
            status = tell(f, err);
        }
        if (status != PITH_OK)
            return status;
    }
}

/* The size, the journal, what is there already, room on the disk. */
static pith_status prepare(fetch *f, pith_error *err)
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

static void clear(fetch *f)
{
    for (int i = 0; i < MAX_PARTS; i++) {
        if (f->parts[i].curl)
            curl_easy_cleanup(f->parts[i].curl);
        curl_slist_free_all(f->parts[i].headers);
    }
    if (f->multi)
        curl_multi_cleanup(f->multi);
    px_free(f->taken);
    f->taken = NULL;
    f->multi = NULL;
    memset(f->parts, 0, sizeof f->parts);
}

/* Whether the bytes on disk are a git blob of this number. */
static pith_status check_git(const fetch *f, pith_error *err)
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
static pith_status finish(fetch *f, char **digest, pith_error *err)
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

static pith_status fetch_once(fetch *f, const char *key, const char *blob, char **digest,
                              pith_error *err)
{
    bool there = false;
    pith_status status =
        store_journal_open(f->s, key, blob, f->job, f->what->file, &f->j, &there, err);
    if (status != PITH_OK || there)
        return status == PITH_OK ? store_set(digest, err, "%s", f->what->digest) : status;
    int parts = f->job && f->job->n_parts > 0 ? f->job->n_parts : PARTS;
    f->most = parts < MAX_PARTS ? parts : MAX_PARTS;
    f->multi = curl_multi_init();
    if (!f->multi)
        status = px_fail_memory(err, "a download");
    if (status == PITH_OK)
        status = prepare(f, err);
    if (status == PITH_OK)
        status = loop(f, err);
    if (status == PITH_OK)
        status = finish(f, digest, err);
    if (status == PITH_E_BUSY) // it changed: no piece of the old one is of use
        store_journal_drop(&f->j);
    clear(f);
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
        fetch f = {.s = s, .what = what, .job = job};
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

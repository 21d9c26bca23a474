/* parts: see parts.h. */
#include "store/parts.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RUN = 64, POLL_MS = 100, SYNC_S = 4 };

/* ---- one answer */

/* Whether the head is what was asked for. */
static store_trouble check_head(const store_part *p)
{
    const store_download *f = p->f;
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
static pith_status mark(store_part *p, uint64_t before)
{
    store_download *f = p->f;
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
    store_part *p = user;
    store_download *f = p->f;
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

static pith_status start(store_part *p, pith_error *err)
{
    store_download *f = p->f;
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

static void stop_parts(store_download *f)
{
    for (int i = 0; i < STORE_MAX_PARTS; i++) {
        store_part *p = &f->parts[i];
        if (p->running)
            curl_multi_remove_handle(f->multi, p->curl);
        p->running = p->busy = false;
        p->tries = 0;
    }
}

/* ---- what is given out */

/* The next run of pieces that nobody has. */
static bool next_run(const store_download *f, uint64_t *from, uint64_t *to)
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

static void give_out(store_download *f)
{
    int busy = 0;
    for (int i = 0; i < STORE_MAX_PARTS; i++)
        busy += f->parts[i].busy;
    for (int i = 0; i < STORE_MAX_PARTS && busy < f->most; i++) {
        store_part *p = &f->parts[i];
        uint64_t from, to;
        if (p->busy)
            continue;
        if (f->stream) {
            if (busy > 0)
                return;
            *p = (store_part){.f = f, .curl = p->curl, .headers = p->headers, .end = f->size};
        } else {
            if (!next_run(f, &from, &to))
                return;
            memset(f->taken + from, true, (to - from) * sizeof *f->taken);
            *p = (store_part){.f = f,
                              .curl = p->curl,
                              .headers = p->headers,
                              .at = from * f->j.piece,
                              .end = to < f->j.n_pieces ? to * f->j.piece : f->size};
        }
        p->busy = true;
        busy++;
    }
}

static pith_status start_all(store_download *f, bool *idle, pith_error *err)
{
    pith_status status = PITH_OK;
    double now = store_net_now();
    *idle = true;
    for (int i = 0; status == PITH_OK && i < STORE_MAX_PARTS; i++) {
        store_part *p = &f->parts[i];
        if (p->busy)
            *idle = false;
        if (p->busy && !p->running && now >= p->not_before)
            status = start(p, err);
    }
    return status;
}

/* ---- what comes of it */

/* Begins all over. */
static pith_status restart(store_download *f, bool stream, pith_error *err)
{
    stop_parts(f);
    f->stream = stream;
    f->done = f->resumed = 0;
    if (f->taken)
        memset(f->taken, false, f->j.n_pieces * sizeof *f->taken);
    return store_journal_reset(&f->j, err);
}

static pith_status explain(const store_part *p, CURLcode code, pith_error *err)
{
    const store_download *f = p->f;
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
static pith_status on_failure(store_part *p, CURLcode code, pith_error *err)
{
    store_download *f = p->f;
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
    *p = (store_part){.f = f,
                      .curl = p->curl,
                      .headers = p->headers,
                      .end = f->size,
                      .busy = true,
                      .tries = tries,
                      .not_before = p->not_before};
    return status;
}

static pith_status on_end(store_part *p, CURLcode code, pith_error *err)
{
    store_download *f = p->f;
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

static bool complete(const store_download *f)
{
    if (f->size == STORE_SIZE_UNKNOWN)
        return false;
    for (uint64_t i = 0; f->j.states && i < f->j.n_pieces; i++)
        if (!store_journal_has(&f->j, i))
            return false;
    return f->j.states || f->done == f->size;
}

pith_status store_parts_tell(store_download *f, pith_error *err)
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

pith_status store_parts_run(store_download *f, pith_error *err)
{
    pith_status status = store_parts_tell(f, err);
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
            store_part *p = NULL;
            CURLcode code = m->data.result;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&p);
            if (m->msg == CURLMSG_DONE && p)
                status = on_end(p, code, err);
        }
        if (status == PITH_OK)
            status = store_parts_tell(f, err);
    }
    stop_parts(f);
    /* What came is kept, whatever ended it. */
    pith_status kept = store_journal_sync(&f->j, status == PITH_OK ? err : NULL);
    return status == PITH_OK ? kept : status;
}

void store_parts_clear(store_download *f)
{
    for (int i = 0; i < STORE_MAX_PARTS; i++) {
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

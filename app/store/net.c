/* net: see net.h. */
#include "store/net.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static void init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void store_net_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
}

double store_net_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double store_net_delay(int n, double retry_after)
{
    if (retry_after >= 0)
        return retry_after < 120 ? retry_after : 120;
    double s = 0.2;
    for (int i = 0; i < n && s < 20; i++)
        s *= 2;
    return s;
}

bool store_net_transient(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status == 408 || status == 425 || status == 429 || status >= 500;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
        return true;
    default:
        return false;
    }
}

pith_status store_net_fail(const char *url, CURLcode code, long status, pith_error *err)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return px_fail(err, PITH_E_TIMEOUT, "'%s' does not answer", url);
    if (code != CURLE_OK)
        return px_fail(err, PITH_E_IO, "'%s': %s", url, curl_easy_strerror(code));
    if (status == 404 || status == 410)
        return px_fail(err, PITH_E_NOT_FOUND, "'%s' is not there (HTTP %ld)", url, status);
    if (status == 401 || status == 403)
        return px_fail(err, PITH_E_DENIED,
                       "'%s' may not be read (HTTP %ld): it does not exist, is private, or its "
                       "terms have to be accepted there first; set HF_TOKEN to a token that may "
                       "read it",
                       url, status);
    return px_fail(err, PITH_E_IO, "'%s' answered HTTP %ld, expected 200%s", url, status,
                   status == 429 ? " (too many requests: try again later)" : "");
}

/* ---- heads */

/* The value of a header of this name, or NULL; lines are not zero-ended. */
static const char *value_of(const char *line, size_t n, const char *name, size_t *len)
{
    size_t m = strlen(name);
    if (n <= m || strncasecmp(line, name, m) != 0)
        return NULL;
    while (m < n && (line[m] == ' ' || line[m] == '\t'))
        m++;
    while (n > m && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
        n--;
    *len = n - m;
    return line + m;
}

static int64_t number(const char **s, const char *end)
{
    int64_t v = 0;
    if (*s >= end || **s < '0' || **s > '9')
        return -1;
    for (; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
        if (v > (INT64_MAX - 9) / 10)
            return -1;
        v = v * 10 + (**s - '0');
    }
    return v;
}

/* "bytes 0-99/1000" */
static void read_range(store_head *h, const char *v, size_t n)
{
    const char *s = v, *end = v + n;
    if (n < 6 || strncasecmp(v, "bytes ", 6) != 0)
        return;
    s += 6;
    h->first = number(&s, end);
    const char *slash = memchr(s, '/', (size_t)(end - s));
    if (!slash)
        return;
    s = slash + 1;
    h->total = number(&s, end);
}

/* <https://...>; rel="next" */
static void read_link(store_head *h, const char *v, size_t n)
{
    const char *close = memchr(v, '>', n);
    if (n < 2 || v[0] != '<' || !close || (size_t)(close - v) >= sizeof h->next)
        return;
    const char *rel = memmem(close, n - (size_t)(close - v), "rel=\"next\"", 10);
    if (rel)
        snprintf(h->next, sizeof h->next, "%.*s", (int)(close - v - 1), v + 1);
}

static void clear_head(store_head *h)
{
    *h = (store_head){.retry_after = -1, .length = -1, .first = -1, .total = -1};
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    store_head *h = user;
    size_t n = size * count, len = 0;
    const char *v;
    if (n > 9 && strncasecmp(line, "HTTP/", 5) == 0) {
        const char *space = memchr(line, ' ', n);
        clear_head(h);
        if (space) {
            const char *s = space + 1;
            h->status = (long)number(&s, line + n);
        }
    } else if ((v = value_of(line, n, "etag:", &len))) {
        snprintf(h->etag, sizeof h->etag, "%.*s", (int)len, v);
    } else if ((v = value_of(line, n, "link:", &len))) {
        read_link(h, v, len);
    } else if ((v = value_of(line, n, "content-range:", &len))) {
        read_range(h, v, len);
    } else if ((v = value_of(line, n, "content-length:", &len))) {
        const char *s = v;
        h->length = number(&s, v + len);
    } else if ((v = value_of(line, n, "retry-after:", &len))) {
        const char *s = v;
        int64_t seconds = number(&s, v + len);
        h->retry_after = seconds >= 0 ? (double)seconds : -1;
    }
    return n;
}

/* ---- settings */

/* Whether a host is this machine: by number, since a name may begin as one ("127.example.org"). */
static bool is_here(const char *host)
{
    struct in_addr a;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

/* Looks at the address: its scheme, and whether its host is this machine. */
static pith_status check_url(const char *url, const store_job *job, bool *plain, pith_error *err)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL;
    pith_status status = PITH_OK;
    *plain = false;
    if (!u)
        return px_fail_memory(err, "an address");
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        status =
            px_fail(err, PITH_E_ARGUMENT, "'%s' is no address; expected https://HOST/...", url);
    } else if (strcmp(scheme, "http") == 0) {
        *plain = is_here(host) || (job && job->insecure);
        if (!*plain)
            status = px_fail(err, PITH_E_ARGUMENT,
                             "'%s' is not encrypted; use https://, or --insecure to trust the "
                             "network",
                             url);
    } else if (strcmp(scheme, "https") != 0) {
        status = px_fail(err, PITH_E_ARGUMENT, "'%s' is neither https:// nor http://", url);
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return status;
}

static pith_status add_header(struct curl_slist **list, const char *name, const char *value,
                              pith_error *err)
{
    if (!value || !*value)
        return PITH_OK;
    char *line = store_format("%s: %s", name, value);
    struct curl_slist *longer = NULL;
    if (line && !strpbrk(line, "\r\n"))
        longer = curl_slist_append(*list, line);
    px_free(line);
    if (!longer)
        return px_fail(err, PITH_E_ARGUMENT, "a header of the request could not be made");
    *list = longer;
    return PITH_OK;
}

pith_status store_net_prepare(CURL *curl, const store_remote *remote, const store_job *job,
                              store_head *head, struct curl_slist **headers, pith_error *err)
{
    bool plain = false;
    *headers = NULL;
    clear_head(head);
    pith_status status = check_url(remote->url, job, &plain, err);
    char *bearer =
        remote->bearer && *remote->bearer ? store_format("Bearer %s", remote->bearer) : NULL;
    if (status == PITH_OK)
        status = add_header(headers, "Accept", remote->accept, err);
    if (status == PITH_OK)
        status = add_header(headers, "Authorization", bearer, err);
    px_free(bearer);
    if (status != PITH_OK) {
        curl_slist_free_all(*headers);
        *headers = NULL;
        return status;
    }
    /* The library reads no such variable by itself; the program curl does. */
    const char *authorities = getenv("CURL_CA_BUNDLE");
    if (!authorities || !*authorities)
        authorities = getenv("SSL_CERT_FILE");
    if (authorities && *authorities)
        curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
    curl_easy_setopt(curl, CURLOPT_URL, remote->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, plain ? "http,https" : "https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, plain ? "http,https" : "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "pith/" PITH_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, head);
    return PITH_OK;
}

/* ---- small answers */

typedef struct small {
    px_buf *body;
    const store_job *job;
    const store_head *head;
} small;

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    small *s = user;
    if (s->head->status != 200)
        return size * count;
    return px_buf_put(s->body, data, size * count) ? size * count : 0;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t a, curl_off_t b)
{
    (void)total, (void)now, (void)a, (void)b;
    small *s = user;
    return store_tell(s->job, &(store_progress){.step = STORE_STEP_MANIFEST}, NULL) != PITH_OK;
}

/* Waits and looks now and then whether to stop. */
static pith_status wait_seconds(double seconds, const store_job *job, pith_error *err)
{
    double until = store_net_now() + seconds;
    pith_status status = PITH_OK;
    while (status == PITH_OK && store_net_now() < until) {
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
        status = store_tell(job, &(store_progress){.step = STORE_STEP_MANIFEST}, err);
    }
    return status;
}

static pith_status get_once(const store_remote *remote, const store_job *job, px_buf *body,
                            store_head *head, bool *again, pith_error *err)
{
    small s = {.body = body, .job = job, .head = head};
    struct curl_slist *headers = NULL;
    *again = false;
    CURL *curl = curl_easy_init();
    if (!curl)
        return px_fail_memory(err, "a connection");
    pith_status status = store_net_prepare(curl, remote, job, head, &headers, err);
    if (status == PITH_OK) {
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &s);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &s);
        CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_ABORTED_BY_CALLBACK)
            status = px_fail(err, PITH_E_CANCELLED, "interrupted");
        else if (body->failed)
            status = px_buf_status(body, remote->url, err);
        else if (code != CURLE_OK || head->status != 200) {
            *again = store_net_transient(code, head->status);
            status = store_net_fail(remote->url, code, head->status, err);
        }
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return status;
}

pith_status store_net_get(const store_remote *remote, const store_job *job, size_t limit,
                          px_buf *body, store_head *head, pith_error *err)
{
    body->limit = limit;
    for (int i = 0;; i++) {
        bool again = false;
        pith_error why = {0};
        px_buf_reset(body);
        pith_status status = get_once(remote, job, body, head, &again, &why);
        if (status == PITH_OK)
            return PITH_OK;
        if (!again || i + 1 == STORE_MAX_TRIES)
            return px_fail(err, why.status, "%s", why.text);
        status = wait_seconds(store_net_delay(i, head->retry_after), job, err);
        if (status != PITH_OK)
            return status;
    }
}

pith_status store_net_json(const store_remote *remote, const store_job *job, json_t **out,
                           store_head *head, pith_error *err)
{
    px_buf body = {0};
    json_error_t je;
    *out = NULL;
    pith_status status = store_net_get(remote, job, STORE_MAX_RECORD, &body, head, err);
    if (status == PITH_OK) {
        *out = json_loadb(body.data ? body.data : "", body.len, 0, &je);
        if (!*out)
            status = px_fail(err, PITH_E_FORMAT,
                             "'%s' answered with something that is no JSON (line %d: %s)",
                             remote->url, je.line, je.text);
    }
    px_buf_clear(&body);
    return status;
}

/*
 * registry FOLDER: a replica on this machine of the registries that pith pulls from, with faults.
 *
 *   FOLDER/hub/ORG/REPO/FILE           repositories as on Hugging Face
 *   FOLDER/library/NAMESPACE/NAME/TAG  manifests as in Ollama's registry, FOLDER/blobs/sha256-HEX
 *   FOLDER/files/NAME                  plain files, with an ETag
 *   FOLDER/faults.json                 what goes wrong, read anew for each body:
 *     break_after N, break_times K     the connection ends after N bytes of a body, K times
 *     status [CODE, ...]               the next bodies answer these instead; retry_after with them
 *     no_range                         ranges are ignored
 *     flip N                           byte N of each whole file is changed
 *     grow N / shrink N                the size that is said is N more, or the body N bytes less
 *     slow N                           bytes a second of each connection
 *     etag TEXT                        of plain files
 *   FOLDER/log.jsonl                   a line for each body: path, first, sent, status, auth
 *
 * The first line of its output is its address. It ends with its standard input. A thread for each
 * connection; `lock` guards the counters of faults and the log.
 */
#include <dirent.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <jansson.h>
#include <limits.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PARTS = 32, PIECE = 262144, SLOW_PIECE = 16384 };
static const char COMMIT[] = "0123456789abcdef0123456789abcdef01234567";

static const char *root;
static unsigned port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_int_t n_broken, n_statuses; // faults that have happened

/* One request. */
typedef struct request {
    struct MHD_Connection *connection;
    char *uri; // as it was sent
    char path[4096];
    const char *query;
    char *raw[MAX_PARTS], *parts[MAX_PARTS]; // of the path: as sent, and with escapes resolved
    int n_parts;
} request;

static void die(const char *what)
{
    fprintf(stderr, "registry: %s\n", what);
    exit(1);
}

static const char *header(const request *q, const char *name)
{
    const char *v = MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
    return v ? v : "";
}

/* A row of the log; what was sent and how it ended is added once it is known. */
static json_t *log_row(const request *q, json_int_t first)
{
    json_t *row = json_pack("{s:s, s:I, s:s}", "path", q->uri, "first", first, "auth",
                            header(q, "Authorization"));
    if (!row)
        die("out of memory for the log");
    return row;
}

/* Takes the row. */
static void write_log(json_t *row, json_int_t sent, int status)
{
    char path[PATH_MAX];
    json_object_set_new(row, "sent", json_integer(sent));
    json_object_set_new(row, "status", json_integer(status));
    snprintf(path, sizeof path, "%s/log.jsonl", root);
    pthread_mutex_lock(&lock);
    FILE *f = fopen(path, "a");
    if (!f || json_dumpf(row, f, JSON_COMPACT) != 0 || fputc('\n', f) == EOF || fclose(f) != 0)
        die("the log cannot be written");
    pthread_mutex_unlock(&lock);
    json_decref(row);
}

/* ---- answers without a fault */

static enum MHD_Result answer(const request *q, int status, struct MHD_Response *r)
{
    enum MHD_Result result = MHD_queue_response(q->connection, (unsigned)status, r);
    MHD_destroy_response(r);
    return result;
}

static struct MHD_Response *empty(void)
{
    return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result fail(const request *q, int status)
{
    return answer(q, status, empty());
}

static enum MHD_Result redirect(const request *q, const char *to)
{
    struct MHD_Response *r = empty();
    MHD_add_response_header(r, "Location", to);
    return answer(q, 307, r);
}

/* Takes the value. */
static enum MHD_Result send_json(const request *q, json_t *value, const char *next)
{
    char link[8192], *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    if (!text)
        return fail(q, 404);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(r, "Content-Type", "application/json");
    if (next) {
        snprintf(link, sizeof link, "<%s>; rel=\"next\"", next);
        MHD_add_response_header(r, "Link", link);
    }
    return answer(q, 200, r);
}

/* ---- bodies, with faults */

/* A file that is being sent. */
typedef struct body {
    FILE *file;
    json_t *faults;
    json_t *row;                // of the log, until it is written
    int64_t first, said, limit; // bytes from the file's start; that the head says; that are sent
    int64_t sent;
    int64_t flip; // which byte of the file, or -1
    double slow;
    int status;
} body;

static void log_body(body *b, int64_t sent)
{
    if (b->row)
        write_log(b->row, sent, b->status);
    b->row = NULL;
}

static void wait_for(int64_t n, double per_second)
{
    double s = (double)n / per_second;
    struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* The log line is written before the last bytes go, so that who has them finds it. */
static ssize_t read_body(void *cls, uint64_t pos, char *to, size_t room)
{
    body *b = cls;
    int64_t at = (int64_t)pos, n = b->limit - at;
    b->sent = at;
    if (n <= 0) {
        log_body(b, at);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (n > (int64_t)room)
        n = (int64_t)room;
    if (b->slow > 0 && at > 0)
        wait_for(n, b->slow);
    /* A test may write the file anew while a client that has left is still being sent it. */
    if (fseeko(b->file, (off_t)(b->first + at), SEEK_SET) != 0 ||
        fread(to, 1, (size_t)n, b->file) != (size_t)n)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (b->flip >= b->first + at && b->flip < b->first + at + n)
        to[b->flip - b->first - at] ^= 1;
    if (at + n == b->said)
        log_body(b, b->said);
    return (ssize_t)n;
}

static void end_body(void *cls)
{
    body *b = cls;
    log_body(b, b->sent); // of a client that has left
    fclose(b->file);
    json_decref(b->faults);
    free(b);
}

static json_t *read_faults(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/faults.json", root);
    json_t *faults = json_load_file(path, 0, NULL);
    return faults ? faults : json_object();
}

static int64_t fault(const json_t *faults, const char *name, int64_t none)
{
    const json_t *v = json_object_get(faults, name);
    return json_is_number(v) ? (int64_t)json_number_value(v) : none;
}

/* The status that this body answers instead, or 0. */
static int next_status(const json_t *faults)
{
    const json_t *codes = json_object_get(faults, "status");
    int code = 0;
    pthread_mutex_lock(&lock);
    if ((size_t)n_statuses < json_array_size(codes))
        code = (int)json_integer_value(json_array_get(codes, (size_t)n_statuses++));
    pthread_mutex_unlock(&lock);
    return code;
}

static enum MHD_Result send_status(const request *q, int code, const json_t *faults)
{
    char number[32];
    struct MHD_Response *r = empty();
    write_log(log_row(q, -1), 0, code);
    if (json_object_get(faults, "retry_after")) {
        snprintf(number, sizeof number, "%lld", (long long)fault(faults, "retry_after", 0));
        MHD_add_response_header(r, "Retry-After", number);
    }
    return answer(q, code, r);
}

/* "bytes=5-" or "bytes=5-9" -> first and last; false without a range. */
static bool read_range(const request *q, int64_t size, int64_t *first, int64_t *last)
{
    const char *text = header(q, "Range");
    char *end;
    if (strncmp(text, "bytes=", 6) != 0)
        return false;
    *first = strtoll(text + 6, &end, 10);
    if (*end == '-' && end[1]) {
        int64_t n = strtoll(end + 1, NULL, 10);
        *last = n < size - 1 ? n : size - 1;
    }
    return true;
}

/* How much of the body comes before the connection ends. */
static int64_t limit_of(const json_t *faults, int64_t whole)
{
    int64_t n = whole - fault(faults, "shrink", 0), most = fault(faults, "break_after", -1);
    n = n > 0 ? n : 0;
    pthread_mutex_lock(&lock);
    if (most >= 0 && n > most && n_broken < fault(faults, "break_times", INT64_MAX)) {
        n_broken++;
        n = most;
    }
    pthread_mutex_unlock(&lock);
    return n;
}

static enum MHD_Result send_file(const request *q, body *b, int64_t size)
{
    const json_t *f = b->faults;
    int64_t total = size + fault(f, "grow", 0), last = size - 1;
    char range[128];
    bool ranged = !json_is_true(json_object_get(f, "no_range")) && fault(f, "no_range", 0) == 0 &&
                  read_range(q, size, &b->first, &last);
    if (ranged && b->first >= size) {
        end_body(b);
        return fail(q, 416);
    }
    b->said = ranged ? last - b->first + 1 : total;
    b->limit = limit_of(f, last + 1 - b->first);
    b->status = ranged ? 206 : 200;
    b->flip = fault(f, "flip", -1);
    b->slow = (double)fault(f, "slow", 0);
    b->row = log_row(q, b->first);
    struct MHD_Response *r = MHD_create_response_from_callback(
        (uint64_t)b->said, b->slow > 0 ? SLOW_PIECE : PIECE, read_body, b, end_body);
    if (!r)
        die("out of memory for a body");
    if (ranged) {
        snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)b->first, (long long)last,
                 (long long)total);
        MHD_add_response_header(r, "Content-Range", range);
    }
    const char *tag = json_string_value(json_object_get(f, "etag"));
    if (strstr(q->uri, "/files/"))
        MHD_add_response_header(r, "ETag", tag ? tag : "\"one\"");
    return answer(q, b->status, r);
}

static enum MHD_Result send_body(const request *q, const char *path)
{
    struct stat st;
    json_t *faults = read_faults();
    int code = next_status(faults);
    if (code != 0) {
        enum MHD_Result result = send_status(q, code, faults);
        json_decref(faults);
        return result;
    }
    FILE *file = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    body *b = file ? calloc(1, sizeof *b) : NULL;
    if (!b) {
        json_decref(faults);
        return fail(q, 404);
    }
    *b = (body){.file = file, .faults = faults};
    return send_file(q, b, (int64_t)st.st_size);
}

/* ---- repositories as on Hugging Face */

static void to_hex(const unsigned char *sum, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* A file as the listing has it: its hash as git's, and where LFS keeps it that of its bytes. */
static json_t *row_of(const char *path, const char *name)
{
    unsigned char sum[32];
    char git[65], sha[65], head[64];
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st) != 0)
        die(path);
    size_t n = (size_t)st.st_size, m = (size_t)snprintf(head, sizeof head, "blob %zu", n) + 1;
    char *bytes = malloc(m + n + 1);
    if (!bytes || fread(bytes + m, 1, n, f) != n)
        die(path);
    fclose(f);
    memcpy(bytes, head, m);
    gnutls_hash_fast(GNUTLS_DIG_SHA1, bytes, m + n, sum);
    to_hex(sum, 20, git);
    gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes + m, n, sum);
    to_hex(sum, 32, sha);
    free(bytes);
    json_t *row = json_pack("{s:s, s:s, s:I, s:s}", "type", "file", "path", name, "size",
                            (json_int_t)n, "oid", git);
    if (ends_with(name, ".gguf") || ends_with(name, ".safetensors"))
        json_object_set_new(
            row, "lfs",
            json_pack("{s:s, s:I, s:i}", "oid", sha, "size", (json_int_t)n, "pointerSize", 134));
    return row;
}

/* All files below a folder, with their paths from `base` on. */
static void list_files(const char *folder, size_t base, json_t *rows)
{
    char path[PATH_MAX];
    struct stat st;
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            list_files(path, base, rows);
        else
            json_array_append_new(rows, row_of(path, path + base));
    }
    if (dir)
        closedir(dir);
}

static int by_path(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return strcmp(json_string_value(json_object_get(*x, "path")),
                  json_string_value(json_object_get(*y, "path")));
}

/* Two files a page, so that pages are followed. */
static enum MHD_Result send_tree(const request *q, const char *repo)
{
    char next[8192];
    json_t *rows = json_array(), *page = json_array(), *sorted[256];
    list_files(repo, strlen(repo) + 1, rows);
    size_t n = json_array_size(rows), at = 0;
    const char *cursor = q->query ? strstr(q->query, "cursor=") : NULL;
    if (n > sizeof sorted / sizeof *sorted)
        die("too many files in a repository");
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(rows, i);
    qsort(sorted, n, sizeof *sorted, by_path);
    if (cursor)
        at = strtoul(cursor + 7, NULL, 10);
    for (size_t i = at; i < n && i < at + 2; i++)
        json_array_append(page, sorted[i]);
    json_decref(rows);
    snprintf(next, sizeof next, "http://127.0.0.1:%u%s?cursor=%zu", port, q->path, at + 2);
    return send_json(q, page, at + 2 < n ? next : NULL);
}

static enum MHD_Result send_repository(const request *q)
{
    char repo[PATH_MAX];
    struct stat st;
    snprintf(repo, sizeof repo, "%s/hub/%s/%s", root, q->parts[2], q->parts[3]);
    if (stat(repo, &st) != 0 || !S_ISDIR(st.st_mode))
        return fail(q, 404);
    if (strcmp(q->parts[4], "revision") == 0)
        return send_json(
            q, json_pack("{s:s, s:{s:s}}", "sha", COMMIT, "cardData", "license", "apache-2.0"),
            NULL);
    return send_tree(q, repo);
}

/* "prefix" and the parts from `from` on, with '/' before each. */
static void join(char *out, size_t room, const char *prefix, char *const *parts, int from, int to)
{
    size_t n = (size_t)snprintf(out, room, "%s", prefix);
    for (int i = from; i < to && n < room; i++)
        n += (size_t)snprintf(out + n, room - n, "/%s", parts[i]);
}

/* Another host, as a CDN is: a token must not follow. */
static enum MHD_Result send_resolved(const request *q)
{
    char path[PATH_MAX], prefix[PATH_MAX], to[8192];
    struct stat st;
    snprintf(prefix, sizeof prefix, "%s/hub/%s/%s", root, q->parts[0], q->parts[1]);
    join(path, sizeof path, prefix, q->parts, 4, q->n_parts);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(q, 404);
    write_log(log_row(q, -1), 0, 307);
    snprintf(prefix, sizeof prefix, "http://localhost:%u/cdn/hub/%s/%s", port, q->raw[0],
             q->raw[1]);
    join(to, sizeof to, prefix, q->raw, 4, q->n_parts);
    return redirect(q, to);
}

/* ---- Ollama's registry: /v2/NAMESPACE/NAME/manifests/TAG, /v2/NAMESPACE/NAME/blobs/sha256:HEX */

static enum MHD_Result send_ollama(const request *q)
{
    char path[PATH_MAX], prefix[PATH_MAX], to[1024];
    const char *kind = q->parts[q->n_parts - 2], *name = q->parts[q->n_parts - 1];
    if (strcmp(kind, "manifests") == 0) {
        snprintf(prefix, sizeof prefix, "%s/library", root);
        join(path, sizeof path, prefix, q->parts, 1, q->n_parts - 2);
        strncat(path, "/", sizeof path - strlen(path) - 1);
        strncat(path, name, sizeof path - strlen(path) - 1);
        return send_json(q, json_load_file(path, 0, NULL), NULL);
    }
    if (strcmp(kind, "blobs") != 0)
        return fail(q, 404);
    snprintf(to, sizeof to, "http://127.0.0.1:%u/cdn/blobs/%s", port, name);
    char *colon = strrchr(to, ':');
    if (strncmp(name, "sha256:", 7) == 0)
        *colon = '-';
    return redirect(q, to);
}

/* ---- routes */

static bool is(const request *q, int part, const char *word)
{
    return part < q->n_parts && strcmp(q->parts[part], word) == 0;
}

static enum MHD_Result route(const request *q)
{
    char path[PATH_MAX], prefix[PATH_MAX];
    if (is(q, 0, "files") || is(q, 0, "cdn")) {
        snprintf(prefix, sizeof prefix, "%s%s", root, is(q, 0, "files") ? "/files" : "");
        join(path, sizeof path, prefix, q->parts, 1, q->n_parts);
        return send_body(q, path);
    }
    if (is(q, 0, "api") && is(q, 1, "models") && q->n_parts >= 6)
        return send_repository(q);
    if (is(q, 2, "resolve") && q->n_parts >= 5)
        return send_resolved(q);
    if (is(q, 0, "v2") && q->n_parts >= 5)
        return send_ollama(q);
    return fail(q, 404);
}

static bool split(request *q)
{
    /* Who takes this for a proxy sends a whole address. */
    const char *host = strncmp(q->uri, "http://", 7) == 0 ? strchr(q->uri + 7, '/') : q->uri;
    snprintf(q->path, sizeof q->path, "%s", host ? host : "/");
    char *query = strchr(q->path, '?'), *rest = NULL, copy[sizeof q->path];
    if (query)
        *query = '\0';
    q->query = query ? query + 1 : NULL;
    memcpy(copy, q->path, sizeof copy);
    for (char *part = strtok_r(copy, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
        if (q->n_parts == MAX_PARTS || strcmp(part, "..") == 0)
            return false;
        q->raw[q->n_parts] = strdup(part);
        q->parts[q->n_parts] = strdup(part);
        if (!q->raw[q->n_parts] || !q->parts[q->n_parts])
            die("out of memory for a path");
        MHD_http_unescape(q->parts[q->n_parts++]);
    }
    return true;
}

/* Called with the address as it was sent; what it gives is *con_cls below. */
static void *begin_request(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)cls;
    request *q = calloc(1, sizeof *q);
    if (!q || !(q->uri = strdup(uri)))
        die("out of memory for a request");
    q->connection = connection;
    return q;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **con_cls)
{
    request *q = *con_cls;
    (void)cls, (void)connection, (void)url, (void)version, (void)data;
    *n = 0;
    if (strcmp(method, "GET") != 0)
        return fail(q, 501);
    return q->n_parts == 0 && split(q) ? route(q) : fail(q, 404);
}

static void end_request(void *cls, struct MHD_Connection *connection, void **con_cls,
                        enum MHD_RequestTerminationCode code)
{
    request *q = *con_cls;
    (void)cls, (void)connection, (void)code;
    *con_cls = NULL;
    for (int i = 0; q && i < q->n_parts; i++) {
        free(q->raw[i]);
        free(q->parts[i]);
    }
    if (q)
        free(q->uri);
    free(q);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char byte;
    if (argc != 2)
        die("expected a folder");
    root = argv[1];
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL, on_request,
        NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_URI_LOG_CALLBACK,
        begin_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info)
        die("cannot listen");
    port = info->port;
    printf("http://127.0.0.1:%u\n", port);
    fflush(stdout);
    while (read(0, &byte, 1) == 1)
        ;
    _exit(0); // a slow body is not waited for
}

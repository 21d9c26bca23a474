/*
 * soak: `pith serve` under clients that behave badly, for as long as one likes.
 *
 *   soak [--seconds N] [--clients N] [--seed N] [--grow MIB] [MODEL]
 *
 * Starts the program (PITH_PROGRAM, else build/pith) on the model (the shared stories260K) and lets
 * N clients at it. Each draws what it does next: whole and streamed answers in every dialect,
 * tools, schemas, long contexts, embeddings; hanging up at any byte, on the way in and out; reading
 * slowly; bodies that are too large, or shorter than they say; valid requests with some bytes
 * changed; lines that are no HTTP. Checked of each reply: a status that such a request may have,
 * the framing complete, and for what is well-formed 200 and a body that ends as its dialect says.
 * At the end the server must answer a plain request, have no more files open than at the beginning,
 * and stop with code 0 (a sanitizer's findings give another).
 *
 * Memory must be flat. What the server keeps on purpose is bounded and full early: keys and values
 * by --kv-mem, here 16 MB, and bodies by their size while they are read. So of the time's 60th
 * parts the least memory of each is taken (bodies come and go), and the straight line through those
 * of the second half must not rise by more than --grow MiB (8).
 *
 * Being stopped (SIGSTOP) does not count: the time goes on behind it, and what was under way then
 * is not judged.
 *
 * A line of figures every ten seconds, exit code 0 or 1. What client i of seed s does depends on
 * both alone. Threads: one a client; what they share is counted atomically.
 */
#include "support/support.h"

#include "support/http.h"
#include "support/proc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MOST_CLIENTS = 256,
    BODY = 1 << 16,
    OVERSIZE = 40 << 20,
    PARTS = 60 // of the time, each with its least memory
};

typedef struct options {
    double seconds;
    int clients;
    uint64_t seed;
    double grow; // MiB
    const char *model;
} options;

static options opt = {.seconds = 60, .clients = 16, .seed = 1, .grow = 8};
static test_server server;
static _Atomic double deadline; // when all end; later after each stop
static _Atomic double beat;     // when the watcher last looked
static _Atomic double resumed;  // when the last stop was over
static _Thread_local double begun;
static _Atomic long n_done, n_ok, n_refused, n_dropped, n_wrong, n_disturbed;

typedef struct client {
    pthread_t thread;
    uint64_t state;
    char *body; // [BODY]
} client;

static uint32_t draw(client *c, uint32_t n) // 0 to n - 1
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(c->state >> 33) % n;
}

/* ---- requests */

typedef struct kind {
    const char *path, *body; // %s: some words; %u: tokens wanted
    const char *ending;      // of a streamed answer, or NULL: one JSON object
} kind;

#define TOOL                                                                                      \
    "{\"name\":\"find\",\"description\":\"finds\",\"parameters\":{\"type\":\"object\","           \
    "\"properties\":{\"what\":{\"type\":\"string\",\"maxLength\":8},\"n\":{\"type\":\"integer\"," \
    "\"minimum\":0,\"maximum\":9}},\"required\":[\"what\",\"n\"],\"additionalProperties\":false}}"
#define SCHEMA                                                                                    \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":" \
    "5},"                                                                                         \
    "\"b\":{\"enum\":[\"x\",\"y\"]}},\"required\":[\"a\",\"b\"],\"additionalProperties\":false}"

static const kind KINDS[] = {
    {"/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":%u}", NULL},
    {"/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":%u,\"stream\":true,"
     "\"stream_options\":{\"include_usage\":true}}",
     "data: [DONE]\n\n"},
    {"/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":%u,\"n\":2,"
     "\"logprobs\":true,\"top_logprobs\":3}",
     NULL},
    {"/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":%u,"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\","
     "\"schema\":" SCHEMA "}}}",
     NULL},
    {"/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":%u,\"stream\":true,"
     "\"tools\":[{\"type\":\"function\",\"function\":" TOOL "}],\"tool_choice\":\"required\"}",
     "data: [DONE]\n\n"},
    {"/v1/completions", "{\"prompt\":\"%s\",\"max_tokens\":%u,\"temperature\":0}", NULL},
    {"/v1/completions", "{\"prompt\":\"%s\",\"max_tokens\":%u,\"stream\":true}",
     "data: [DONE]\n\n"},
    {"/v1/responses", "{\"input\":\"%s\",\"max_output_tokens\":%u,\"stream\":true}", "\n\n"},
    {"/v1/messages",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":%u,"
     "\"stream\":true}",
     "\n\n"},
    {"/api/chat",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],"
     "\"options\":{\"num_predict\":%u}}",
     "}\n"},
    {"/api/generate", "{\"model\":\"m\",\"prompt\":\"%s\",\"options\":{\"num_predict\":%u}}",
     "}\n"},
    {"/v1/embeddings", "{\"input\":[\"%s\",\"and\"],\"encoding_format\":\"base64\",\"seed\":%u}",
     NULL},
};

enum { N_KINDS = sizeof KINDS / sizeof KINDS[0] };

/* Writes a request of some kind and returns that. */
static const kind *make_body(client *c, uint32_t most_words)
{
    static const char *const WORDS[] = {"Once", "upon", "a",    "time",   "Lily",
                                        "saw",  "the",  "bird", "\\n\\n", "\\u00e9\\ud83d\\ude00"};
    char words[BODY / 2];
    size_t n = 0;
    for (uint32_t i = draw(c, most_words) + 1; i > 0 && n < sizeof words - 32; i--)
        n += (size_t)snprintf(words + n, sizeof words - n, "%s ", WORDS[draw(c, 10)]);
    const kind *k = &KINDS[draw(c, N_KINDS)];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // of the table above
    snprintf(c->body, BODY, k->body, words, draw(c, 60) + 1);
#pragma GCC diagnostic pop
    return k;
}

static size_t make_head(char *out, size_t cap, const char *path, size_t length)
{
    return (size_t)snprintf(out, cap,
                            "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                            path, server.port, length);
}

/* ---- what is wrong */

static void wrong(const char *what, const char *path, const test_reply *r, const char *body)
{
    const double stop = 3; // seconds; the watcher looks five times a second
    if (test_now() > deadline + 1)
        return; // the server is being stopped
    if (begun < resumed || test_now() - beat > stop) {
        atomic_fetch_add(&n_disturbed, 1);
        return;
    }
    if (atomic_fetch_add(&n_wrong, 1) < 20)
        fprintf(stderr,
                "soak: %s: %s: after %.1f s status %d, %zu bytes%s: %.300s\n  of the request "
                "%.300s\n",
                path, what, test_now() - begun, r->status, r->n,
                r->complete ? "" : ", not complete", r->body ? r->body : "", body);
}

static bool ends_with(const test_reply *r, const char *ending)
{
    size_t n = strlen(ending);
    return r->n >= n && memcmp(r->body + r->n - n, ending, n) == 0;
}

static void count(int status)
{
    atomic_fetch_add(&n_done, 1);
    atomic_fetch_add(status == 200 ? &n_ok : status > 0 ? &n_refused : &n_dropped, 1);
}

/* A status that a request which may be nonsense can have. */
static bool is_refusal(int status)
{
    return (status >= 400 && status < 500) || status == 501 || status == 503;
}

/* ---- what clients do */

static void ask(client *c, uint32_t most_words, bool may_refuse)
{
    const kind *k = make_body(c, most_words);
    test_reply r =
        test_http(server.port, "POST", k->path, "Content-Type: application/json\r\n", c->body);
    if (r.status != 200 && !(may_refuse && is_refusal(r.status)) && r.status != 503)
        wrong("should have been answered", k->path, &r, c->body);
    else if (!r.complete)
        wrong("should have ended", k->path, &r, c->body);
    else if (r.status == 200 && k->ending && !ends_with(&r, k->ending))
        wrong("ends otherwise", k->path, &r, c->body);
    count(r.status);
    test_reply_free(&r);
}

static void ask_well(client *c)
{
    ask(c, 12, false);
}

static void ask_long(client *c)
{
    ask(c, 4000, true);
}

static void hang_up(client *c) // after some bytes were sent, or some received
{
    const kind *k = make_body(c, 30);
    char head[512], some[512];
    size_t n = strlen(c->body), len = make_head(head, sizeof head, k->path, n);
    int fd = test_connect(server.port);
    bool whole = draw(c, 2) == 0;
    struct timeval limit = {.tv_usec = 500000}; // the server waits for half a body for a minute
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (fd >= 0 && test_send_all(fd, head, whole ? len : draw(c, (uint32_t)len) + 1) && whole &&
        test_send_all(fd, c->body, draw(c, 3) == 0 ? draw(c, (uint32_t)n) : n)) {
        test_nap_ms(draw(c, 60));
        for (uint32_t i = draw(c, 4); i > 0 && read(fd, some, draw(c, sizeof some - 1) + 1) > 0;)
            i--;
    }
    if (fd >= 0 && draw(c, 2)) { // at once, with a reset
        struct linger reset = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    if (fd >= 0)
        close(fd);
    count(0);
}

static void read_slowly(client *c)
{
    const kind *k = make_body(c, 30);
    char head[512], some[64];
    size_t n = strlen(c->body), len = make_head(head, sizeof head, k->path, n);
    int fd = test_connect(server.port), small = 2048;
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (test_send_all(fd, head, len) && test_send_all(fd, c->body, n))
        for (int i = 0; i < 60 && read(fd, some, sizeof some) > 0; i++)
            test_nap_ms(draw(c, 80));
    close(fd);
    count(0);
}

static void send_too_much(client *c)
{
    char head[512];
    const char *path = KINDS[draw(c, N_KINDS)].path;
    bool tells = draw(c, 2) == 0;
    size_t len = tells ? make_head(head, sizeof head, path, OVERSIZE)
                       : (size_t)snprintf(head, sizeof head,
                                          "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                          "Transfer-Encoding: chunked\r\n\r\n",
                                          path, server.port);
    int fd = test_connect(server.port);
    char block[4096 + 8];
    memset(block, ' ', sizeof block);
    if (!tells) {
        memcpy(block, "1000\r\n", 6);
        memcpy(block + sizeof block - 2, "\r\n", 2);
    }
    bool goes = fd >= 0 && test_send_all(fd, head, len);
    for (size_t sent = 0; goes && sent < OVERSIZE && test_now() < deadline; sent += sizeof block)
        goes = test_send_all(fd, block, sizeof block);
    if (goes && !tells) // the server hears all of it before it answers
        (void)test_send_all(fd, "0\r\n\r\n", 5);
    char reply[64] = "";
    if (fd >= 0 && read(fd, reply, sizeof reply - 1) > 0 && strncmp(reply, "HTTP/1.1 4", 10) != 0) {
        test_reply r = {.body = reply, .n = strlen(reply)};
        wrong("a body that is too large", path, &r, "");
    }
    if (fd >= 0)
        close(fd);
    count(413);
}

/* Sends the bytes and reads what comes for a while: without its max_tokens an answer goes on for
 * ten contexts. The status, 0 when the server ended without one, -1 when there was none in time. */
static int begin_answer(const char *bytes, size_t n)
{
    char reply[8192] = "";
    size_t len = 0;
    ssize_t k = 0;
    double from = test_now();
    int fd = test_connect(server.port);
    struct timeval limit = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (fd >= 0)
        (void)test_send_all(fd, bytes, n); // the answer may come before all is read
    while (fd >= 0 && len < sizeof reply - 1 && test_now() - from < 20 &&
           (k = recv(fd, reply + len, sizeof reply - 1 - len, 0)) > 0)
        len += (size_t)k;
    if (fd >= 0)
        close(fd);
    if (len > 12 && strncmp(reply, "HTTP/1.1 ", 9) == 0)
        return atoi(reply + 9);
    return len == 0 && k < 0 && errno != ECONNRESET ? -1 : 0;
}

static void send_damaged(client *c)
{
    const kind *k = make_body(c, 12);
    char all[BODY + 512];
    size_t n = strlen(c->body);
    for (uint32_t i = draw(c, 6) + 1; i > 0 && n > 4; i--) {
        uint32_t at = draw(c, (uint32_t)n);
        switch (draw(c, 4)) {
        case 0:
            c->body[at] = (char)draw(c, 256);
            break;
        case 1:
            c->body[at] = "{}[]\",:\\0-e"[draw(c, 11)];
            break;
        case 2:
            memmove(c->body + at, c->body + at + 1, --n - at);
            break;
        default:
            n = at > 0 ? at : 1;
            break;
        }
    }
    size_t len = make_head(all, 512, k->path, n);
    memcpy(all + len, c->body, n);
    test_reply r = {.status = begin_answer(all, len + n)};
    if (r.status >= 0 && r.status != 200 && !is_refusal(r.status)) {
        c->body[n] = '\0';
        wrong("a damaged body", k->path, &r, c->body);
    }
    count(r.status);
}

static void send_no_http(client *c)
{
    static const char *const LINES[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "BREW /api/chat HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "HEAD /v1/models HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    char text[2048];
    const char *line = LINES[draw(c, 10)];
    size_t n = strlen(line);
    memcpy(text, line, n);
    if (draw(c, 2)) {
        for (uint32_t i = draw(c, 5) + 1; i > 0 && n > 0; i--)
            text[draw(c, (uint32_t)n)] = (char)draw(c, 256);
    } else if (draw(c, 3) == 0) {
        n = sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = (char)draw(c, 256);
    }
    int fd = test_connect(server.port);
    char some[256];
    if (fd >= 0 && test_send_all(fd, text, n)) {
        shutdown(fd, SHUT_WR);
        while (read(fd, some, sizeof some) > 0)
            continue;
    }
    if (fd >= 0)
        close(fd);
    count(400);
}

static void look_around(client *c)
{
    static const struct {
        const char *method, *path;
        int status;
    } PAGES[] = {{"GET", "/", 200},
                 {"GET", "/health", 200},
                 {"GET", "/metrics", 200},
                 {"GET", "/v1/models", 200},
                 {"GET", "/api/tags", 200},
                 {"GET", "/api/ps", 200},
                 {"GET", "/api/version", 200},
                 {"HEAD", "/", 200},
                 {"GET", "/nowhere", 404}};
    uint32_t i = draw(c, sizeof PAGES / sizeof PAGES[0]);
    test_reply r = test_http(server.port, PAGES[i].method, PAGES[i].path, NULL, NULL);
    if (r.status != PAGES[i].status || !r.complete)
        wrong("a page", PAGES[i].path, &r, "");
    count(r.status);
    test_reply_free(&r);
}

static void *run_client(void *arg)
{
    static void (*const ACTS[])(client *) = {ask_well,     ask_well,     ask_well,    ask_long,
                                             hang_up,      hang_up,      read_slowly, send_damaged,
                                             send_damaged, send_no_http, look_around};
    client *c = arg;
    while (test_now() < deadline) {
        begun = test_now();
        if (draw(c, 100) == 0)
            send_too_much(c);
        else
            ACTS[draw(c, sizeof ACTS / sizeof ACTS[0])](c);
    }
    return NULL;
}

/* ---- the server's memory */

/* How much the straight line through the values rises from the first to the last. */
static double rise(const double *values, int n)
{
    double mean = 0, xy = 0, xx = 0;
    for (int i = 0; i < n; i++)
        mean += values[i] / n;
    for (int i = 0; i < n; i++) {
        double x = i - (n - 1) / 2.0;
        xy += x * (values[i] - mean);
        xx += x * x;
    }
    return xx > 0 ? xy / xx * (n - 1) : 0;
}

static bool is_flat(const double *least, double most)
{
    double up = rise(least + PARTS / 2, PARTS - PARTS / 2);
    printf("memory, MiB:");
    for (int i = 0; i < PARTS; i += PARTS / 12)
        printf(" %.1f", least[i]);
    printf(" and %.1f at last, %.1f at most; the second half rises by %.1f\n", least[PARTS - 1],
           most, up);
    if (up <= opt.grow)
        return true;
    fprintf(stderr, "soak: memory rises by %.1f MiB in the second half, expected at most %.0f\n",
            up, opt.grow);
    return false;
}

static bool is_alive(double start)
{
    if (kill(server.pid, 0) == 0 && waitpid(server.pid, NULL, WNOHANG) != server.pid)
        return true;
    size_t n;
    const char *log = test_read(server.log, &n);
    fprintf(stderr, "soak: the server ended after %.0f seconds:\n%s\n", test_now() - start,
            log + (n > 4000 ? n - 4000 : 0));
    server.pid = 0;
    return false;
}

/* Looks at the server until the time is over; stops are added to that. */
static bool watch(double start)
{
    double least[PARTS], most = 0, said = start, stopped = 0;
    for (int i = 0; i < PARTS; i++)
        least[i] = 1e9;
    beat = start;
    while (test_now() < deadline) {
        test_nap_ms(200);
        double t = test_now(), pause = t - beat;
        if (pause > 3) {
            stopped += pause;
            resumed = t;
            deadline = deadline + pause;
        }
        beat = t;
        if (!is_alive(start))
            return false;
        double mib = test_memory_mib(server.pid, "VmRSS");
        int part = (int)((t - start - stopped) / opt.seconds * PARTS);
        part = part < PARTS ? part : PARTS - 1;
        least[part] = mib < least[part] ? mib : least[part];
        most = mib > most ? mib : most;
        if (t - said < 10)
            continue;
        said = t;
        printf("%6.0f s  %ld requests, %ld answered, %ld refused, %ld hung up, %ld wrong, %ld "
               "disturbed, %.1f MiB, %d files\n",
               t - start - stopped, n_done, n_ok, n_refused, n_dropped, n_wrong, n_disturbed, mib,
               test_open_files(server.pid));
        fflush(stdout);
    }
    if (stopped > 0)
        printf("stopped by others for %.0f s, which were added\n", stopped);
    for (int i = 1; i < PARTS; i++)
        if (least[i] > 1e8)
            least[i] = least[i - 1]; // a part without a look
    return is_flat(least, most);
}

/* Connections that are left over are closed within the server's time limit. */
static bool closes_files(int before)
{
    for (int i = 0; i < 900 && test_open_files(server.pid) > before; i++)
        test_nap_ms(100);
    int after = test_open_files(server.pid);
    printf("files open: %d before, %d after\n", before, after);
    return after <= before;
}

static void soak(void **state)
{
    static client clients[MOST_CLIENTS];
    (void)state;
    const char *model = opt.model ? opt.model : test_shared("models/stories260K.gguf");
    const char *args[] = {
        "--model", test_format("m=%s", model), "--ctx", "1024", "--kv-mem", "0.016", "--quiet",
        NULL};
    server = test_server_start(args);
    test_reply r = test_http(server.port, "POST", "/v1/completions", NULL,
                             "{\"prompt\":\"Once\",\"max_tokens\":4}");
    assert_int_equal(r.status, 200); // the model is open
    test_reply_free(&r);
    int files = test_open_files(server.pid);
    double start = test_now();
    deadline = start + opt.seconds;
    for (int i = 0; i < opt.clients; i++) {
        clients[i].state = opt.seed * 1000003 + (uint64_t)i;
        clients[i].body = malloc(BODY);
        assert_non_null(clients[i].body);
        assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    bool fine = watch(start);
    deadline = fine ? deadline : 0;
    for (int i = 0; i < opt.clients; i++) {
        pthread_join(clients[i].thread, NULL);
        free(clients[i].body);
    }
    assert_true(fine);
    r = test_http(server.port, "GET", "/health", NULL, NULL);
    assert_int_equal(r.status, 200);
    test_reply_free(&r);
    assert_true(closes_files(files));
    assert_int_equal(test_server_stop(&server), 0);
    printf("%ld requests: %ld answered, %ld refused, %ld hung up, %ld wrong, %ld disturbed by a "
           "stop\n",
           n_done, n_ok, n_refused, n_dropped, n_wrong, n_disturbed);
    assert_true(n_ok > 0);
    assert_int_equal(n_wrong, 0);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seconds") == 0)
            opt.seconds = atof(value), i++;
        else if (strcmp(argv[i], "--clients") == 0)
            opt.clients = atoi(value), i++;
        else if (strcmp(argv[i], "--seed") == 0)
            opt.seed = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--grow") == 0)
            opt.grow = atof(value), i++;
        else if (argv[i][0] != '-')
            opt.model = argv[i];
        else {
            fprintf(stderr,
                    "usage: soak [--seconds N] [--clients N] [--seed N] [--grow MIB] [MODEL]\n");
            return 2;
        }
    }
    if (opt.clients < 1 || opt.clients > MOST_CLIENTS || !(opt.seconds > 0)) {
        fprintf(stderr, "soak: expected 1 to %d clients and some seconds\n", MOST_CLIENTS);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    test_wait_for(900); // with a sanitizer, beside other work, answers take minutes
    const struct CMUnitTest tests[] = {cmocka_unit_test(soak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* serve: what holds for every dialect: HTTP itself, keys and limits, TLS, origins, clients that
 * leave or read slowly, the queue, the log, the end. */
#include "support/http.h"
#include "support/support.h"

#include "pith.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SAY "\"messages\":[{\"role\":\"user\",\"content\":\"Once upon a time\"}]"
#define LONG                                                                                    \
    "{" SAY ",\"stream\":true,\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":20,\"max_" \
    "tokens\":60000}"

static test_server server;

static void start(const char *a, const char *b, const char *c, const char *d)
{
    const char *args[] = {
        test_shared("models/stories260K.gguf"), "--ctx", "65536", a, b, c, d, NULL};
    server = test_server_start(args);
}

static int stop(void **state)
{
    (void)state;
    if (server.pid > 0)
        (void)test_server_stop(&server);
    return 0;
}

static void ends_well(void)
{
    assert_int_equal(test_server_stop(&server), 0);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* A number of /metrics, or -1: a model that was not used yet has none. */
static double metric(const char *name)
{
    test_reply r = test_http(server.port, "GET", "/metrics", NULL, NULL);
    assert_int_equal(r.status, 200);
    const char *line = test_format("\n%s ", name), *at = strstr(r.body, line);
    double x = at ? atof(at + strlen(line)) : -1;
    test_reply_free(&r);
    return x;
}

/* Waits up to a minute for a metric to have a value. */
static void becomes(const char *name, double value)
{
    for (int i = 0; i < 10000; i++, nap())
        if (metric(name) == value)
            return;
    fail_msg("%s is %g, expected %g", name, metric(name), value);
}

static int status_of(const char *method, const char *path, const char *headers, const char *body)
{
    test_reply r = test_http(server.port, method, path, headers, body);
    int status = r.status;
    test_reply_free(&r);
    return status;
}

static void expect(const char *method, const char *path, const char *headers, const char *body,
                   int status)
{
    int found = status_of(method, path, headers, body);
    if (found != status)
        fail_msg("%s %s [%s]: %d, expected %d", method, path, headers ? headers : "", found,
                 status);
}

/* A connection on which a long answer is being streamed. */
static int begin_long(const char *headers)
{
    char text[1024], byte;
    int fd = test_connect(server.port);
    assert_true(fd >= 0);
    int n = snprintf(
        text, sizeof text,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s",
        headers ? headers : "", strlen(LONG), LONG);
    assert_true(test_send_all(fd, text, (size_t)n));
    assert_int_equal(test_recv(fd, &byte, 1, MSG_PEEK), 1);
    return fd;
}

static void methods_and_paths(void **state)
{
    (void)state;
    start(NULL, NULL, NULL, NULL);
    test_reply r = test_http(server.port, "GET", "/health", NULL, NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body,
                        test_format("{\"status\":\"ok\",\"version\":\"%s\"}", pith_version()));
    test_reply_free(&r);
    r = test_http(server.port, "HEAD", "/v1/models", NULL, NULL);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.n, 0);
    test_reply_free(&r);
    r = test_http(server.port, "DELETE", "/v1/models", NULL, NULL);
    assert_int_equal(r.status, 405);
    assert_string_equal(test_reply_header(&r, "Allow"), "GET, HEAD");
    assert_non_null(strstr(r.body, "\"invalid_request_error\""));
    test_reply_free(&r);
    r = test_http(server.port, "OPTIONS", "/v1/chat/completions",
                  "Origin: http://localhost:3000\r\n", NULL);
    assert_int_equal(r.status, 204);
    assert_string_equal(test_reply_header(&r, "Access-Control-Allow-Origin"),
                        "http://localhost:3000");
    assert_string_equal(test_reply_header(&r, "Access-Control-Allow-Methods"), "POST");
    test_reply_free(&r);
    expect("GET", "/nowhere", NULL, NULL, 404);
    expect("GET", "/v1/models/", NULL, NULL, 404);
    r = test_http(server.port, "GET", "/", NULL, NULL);
    assert_string_equal(r.body, "Ollama is running");
    test_reply_free(&r);
    r = test_http(server.port, "GET", "/", "Accept: text/html,*/*;q=0.8\r\n", NULL);
    assert_int_equal(strncmp(r.body, "<!doctype html>", 15), 0);
    assert_non_null(strstr(test_reply_header(&r, "Content-Security-Policy"), "default-src 'none'"));
    const char *tag = test_reply_header(&r, "ETag");
    test_reply_free(&r);
    expect("GET", "/", test_format("Accept: text/html\r\nIf-None-Match: %s\r\n", tag), NULL, 304);
    ends_well();
}

static void bodies(void **state)
{
    (void)state;
    start("--max-body", "1", NULL, NULL);
    const char *path = "/v1/chat/completions";
    const char *body = "{" SAY ",\"max_tokens\":1}";
    expect("POST", path, NULL, body, 200);
    expect("POST", path, "Content-Type: application/json; charset=utf-8\r\n", body, 200);
    expect("POST", path, "Content-Type: application/x-www-form-urlencoded\r\n", body, 200);
    expect("POST", path, "Content-Type: multipart/form-data; boundary=x\r\n", body, 415);
    expect("POST", path, "Content-Encoding: zstd\r\n", body, 415);
    expect("POST", path, "Content-Encoding: gzip\r\n", body, 415);
    /* Too long by its header, and too long as it comes. */
    static const char ASK[] =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Content-Length: 1048577\r\n\r\n{";
    test_reply r = test_http_raw(server.port, ASK, sizeof ASK - 1);
    assert_int_equal(r.status, 413);
    assert_non_null(strstr(r.body, "expected at most 1048576"));
    test_reply_free(&r);
    size_t n = 1u << 21;
    char *big = malloc(n + 256);
    int head = snprintf(
        big, 256,
        "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        "%zx\r\n",
        path, n);
    memset(big + head, ' ', n);
    memcpy(big + head + n, "\r\n0\r\n\r\n", 7);
    r = test_http_raw(server.port, big, (size_t)head + n + 7);
    assert_int_equal(r.status, 413);
    test_reply_free(&r);
    free(big);
    /* What is no HTTP. */
    static const char *const RAW[] = {"GET\r\n\r\n", "\r\n\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                      ("POST /v1/chat/completions HTTP/1.1\r\n"
                                       "Host: x\r\nContent-Length: -5\r\n\r\n"),
                                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"};
    for (size_t i = 0; i < sizeof RAW / sizeof RAW[0]; i++) {
        int fd = test_connect(server.port);
        assert_true(test_send_all(fd, RAW[i], strlen(RAW[i])));
        shutdown(fd, SHUT_WR);
        char sink[4096];
        while (test_recv(fd, sink, sizeof sink, 0) > 0)
            ;
        close(fd);
    }
    expect("POST", path, NULL, body, 200);
    ends_well();
}

/* Begins a body of n bytes and sends all but its last. */
static int begin_body(size_t n)
{
    char *text = malloc(n + 256);
    size_t head = (size_t)snprintf(text, 256,
                                   "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                                   "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                                   n);
    memset(text + head, ' ', n);
    int fd = test_connect(server.port);
    assert_true(test_send_all(fd, text, head + n - 1));
    free(text);
    return fd;
}

/* The status of an answer to a body of n blanks, which are no JSON, or 503. */
static int status_of_blanks(size_t n)
{
    char reply[512] = "";
    int fd = begin_body(n);
    assert_true(test_send_all(fd, " ", 1));
    assert_true(test_recv(fd, reply, sizeof reply - 1, 0) > 12);
    if (atoi(reply + 9) == 503)
        assert_non_null(strstr(reply, "Retry-After: 5\r\n"));
    close(fd);
    return atoi(reply + 9);
}

static void large_bodies_together_have_a_limit(void **state)
{
    (void)state;
    start("--max-body", "1", "-q", NULL);
    int fds[64], n = 0, status = 0;
    assert_int_equal(status_of_blanks(1u << 20), 400);
    /* All but 64 KiB of each count: eight have 7.5 MiB of 8, and one more does not fit. */
    while (n < 64 && status != 503) {
        fds[n++] = begin_body(1u << 20);
        status = status_of_blanks(1u << 20);
    }
    assert_int_equal(status, 503);
    assert_in_range(n, 6, 63); // what was answered may still be let go
    assert_int_equal(status_of_blanks(60000), 400);
    expect("POST", "/v1/chat/completions", NULL, "{" SAY ",\"max_tokens\":1}", 200);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    for (int i = 0; i < 500 && status != 400; i++, nap())
        status = status_of_blanks(1u << 20);
    assert_int_equal(status, 400);
    ends_well();
}

/* What nobody knows is told: in a header, whole answers and streams alike, and in the log. */
static void unknown_fields_are_told(void **state)
{
    static const char *const PATHS[] = {"/v1/chat/completions", "/v1/messages", "/api/chat"};
    (void)state;
    start(NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < 3; i++)
        for (int stream = 0; stream < 2; stream++) {
            const char *body =
                test_format("{\"model\":\"stories260K\",%s,\"stream\":%s,%s,\"temprature\":0,"
                            "\"zz\\r\\nX-Evil: 1\":1}",
                            SAY, stream ? "true" : "false",
                            i < 2 ? "\"max_tokens\":1" : "\"options\":{\"num_predict\":1}");
            test_reply r = test_http(server.port, "POST", PATHS[i], NULL, body);
            assert_int_equal(r.status, 200);
            const char *told = test_reply_header(&r, "X-Pith-Warning");
            assert_non_null(told);
            assert_string_equal(told,
                                test_format("unknown field \"temprature\" ignored%s; unknown field "
                                            "\"zz?r?nX-Evil: 1\" ignored",
                                            i < 2 ? ": did you mean \"temperature\"?" : ""));
            assert_null(test_reply_header(&r, "X-Evil"));
            test_reply_free(&r);
        }
    test_reply r = test_http(server.port, "POST", "/v1/chat/completions", NULL,
                             "{" SAY ",\"max_tokens\":1,\"user\":\"me\"}");
    assert_int_equal(r.status, 200);
    assert_null(test_reply_header(&r, "X-Pith-Warning"));
    test_reply_free(&r);
    r = test_http(server.port, "POST", "/v1/chat/completions", NULL,
                  "{" SAY ",\"max_tokens\":1,\"functions\":[{}],\"foo\":1}");
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "'functions' is not supported: use 'tools'"));
    assert_non_null(strstr(r.body, "\"param\":\"functions\""));
    test_reply_free(&r);
    const char *log = test_read(server.log, NULL);
    assert_non_null(
        strstr(log, " warning: POST /v1/messages: unknown field \"temprature\" ignored"));
    ends_well();
}

static void hosts_and_origins(void **state)
{
    (void)state;
    start("--cors", "https://app.example", "--allow-host", "llm.example");
    const char *body = "{" SAY ",\"max_tokens\":1}", *path = "/v1/chat/completions";
    static const struct {
        const char *host;
        int status;
    } HOSTS[] = {
        {"localhost", 200},        {"127.0.0.1:11434", 200},        {"[::1]:80", 200},
        {"llm.example:8080", 200}, {"evil.example", 403},           {"box.local", 200},
        {"service", 200},          {"127.0.0.1.evil.example", 403}, {"localhost.evil.com", 403}};
    for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++) {
        const char *text = test_format(
            "GET /v1/models HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", HOSTS[i].host);
        test_reply r = test_http_raw(server.port, text, strlen(text));
        if (r.status != HOSTS[i].status)
            fail_msg("%s: %d, expected %d", HOSTS[i].host, r.status, HOSTS[i].status);
        test_reply_free(&r);
    }
    expect("POST", path, "Origin: http://127.0.0.1:3000\r\n", body, 200);
    expect("POST", path, "Origin: https://app.example\r\n", body, 200);
    expect("POST", path, "Origin: https://evil.example\r\n", body, 403);
    expect("POST", path, "Origin: null\r\n", body, 403);
    test_reply r =
        test_http(server.port, "GET", "/v1/models", "Origin: https://evil.example\r\n", NULL);
    assert_int_equal(r.status, 200);
    assert_null(test_reply_header(&r, "Access-Control-Allow-Origin"));
    test_reply_free(&r);
    ends_well();
}

static void keys_and_their_limits(void **state)
{
    (void)state;
    const char *file = test_temp("keys");
    const char *text =
        "# who\nsecret-key-one:ann\nsecret-key-two:bob rps=1\nsecret-key-three:eve concurrent=1\n"
        "secret-key-four tpm=30\n";
    test_write(file, text, strlen(text));
    start("--api-key-file", file, "--log-format", "json");
    const char *body = "{" SAY ",\"max_tokens\":1}", *path = "/v1/chat/completions";
    expect("GET", "/health", NULL, NULL, 200);
    expect("GET", "/v1/models", NULL, NULL, 401);
    expect("POST", path, "Authorization: Bearer wrong\r\n", body, 401);
    expect("POST", path, "Authorization: Bearer secret-key-on\r\n", body, 401);
    expect("POST", path, "Authorization: Bearer secret-key-one\r\n", body, 200);
    expect("POST", path, "x-api-key: secret-key-one\r\n", body, 200);
    expect("POST", path, "Authorization: Bearer secret-key-two\r\n", body, 200);
    test_reply r = test_http(server.port, "POST", path, "x-api-key: secret-key-two\r\n", body);
    assert_int_equal(r.status, 429);
    assert_string_equal(test_reply_header(&r, "Retry-After"), "1");
    assert_non_null(strstr(r.body, "\"rate_limit_exceeded\""));
    test_reply_free(&r);
    int fd = begin_long("x-api-key: secret-key-three\r\n");
    expect("POST", path, "x-api-key: secret-key-three\r\n", body, 429);
    close(fd);
    for (int i = 0;
         i < 3000 && status_of("POST", path, "x-api-key: secret-key-three\r\n", body) != 200; i++)
        nap();
    expect("POST", path, "x-api-key: secret-key-three\r\n", body, 200);
    expect("POST", path, "x-api-key: secret-key-four\r\n", body, 200); // takes some 20 of 30
    expect("POST", path, "x-api-key: secret-key-four\r\n", body, 200);
    r = test_http(server.port, "POST", path, "x-api-key: secret-key-four\r\n", body);
    assert_int_equal(r.status, 429);
    assert_true(atoi(test_reply_header(&r, "Retry-After")) >= 1);
    test_reply_free(&r);
    ends_well();
    const char *log = test_read(server.log, NULL);
    assert_non_null(strstr(log, "\"key\":\"ann\""));
    assert_null(strstr(log, "secret-key"));
    assert_null(strstr(log, "Once"));
}

static void who_leaves_is_cancelled(void **state)
{
    (void)state;
    start("-q", NULL, NULL, NULL);
    int fd = begin_long(NULL);
    becomes("pith_answers_running", 1);
    close(fd);
    becomes("pith_cancelled_total", 1);
    becomes("pith_answers_running", 0);
    /* Also who waits for a whole answer, and hears nothing till its end. */
    const char *whole = "{" SAY ",\"ignore_eos\":true,\"max_tokens\":60000}";
    const char *text = test_format(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(whole), whole);
    fd = test_connect(server.port);
    assert_true(test_send_all(fd, text, strlen(text)));
    becomes("pith_answers_running", 1);
    close(fd);
    becomes("pith_cancelled_total", 2);
    becomes("pith_answers_running", 0);
    ends_well();
}

/* What a dialect says of the request itself at the beginning outlives the connection: it is closed
 * at all moments while the prompt is read. */
static void who_leaves_takes_nothing_away(void **state)
{
    (void)state;
    start("-q", NULL, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        const char *body = test_format("{\"input\":\"%d times upon a time there was a bird and a "
                                       "girl and they were good friends and liked to play in the "
                                       "sun with a big red ball all day long\",\"stream\":true,"
                                       "\"metadata\":{\"of\":\"it\"},\"max_output_tokens\":99}",
                                       i);
        const char *text =
            test_format("POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(body), body);
        int fd = test_connect(server.port);
        assert_true(test_send_all(fd, text, strlen(text)));
        nanosleep(&(struct timespec){.tv_nsec = i * 300000}, NULL);
        close(fd);
    }
    becomes("pith_answers_running", 0);
    ends_well();
}

static void who_reads_slowly_holds_nobody_up(void **state)
{
    (void)state;
    start("-q", NULL, NULL, NULL);
    int fd = begin_long(NULL); // and reads nothing
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    expect("POST", "/v1/chat/completions", NULL, "{" SAY ",\"max_tokens\":8}", 200);
    becomes("pith_slow_readers_total", 1);
    becomes("pith_answers_running", 0);
    close(fd);
    ends_well();
}

static void a_full_queue_says_when_to_come_again(void **state)
{
    (void)state;
    start("--max-queue", "2", "--parallel", "1");
    int a = begin_long(NULL);
    const char *text = test_format(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(LONG), LONG);
    int b = test_connect(server.port);
    assert_true(test_send_all(b, text, strlen(text)));
    becomes("pith_requests_waiting", 1);
    test_reply r = test_http(server.port, "POST", "/v1/chat/completions", NULL, "{" SAY "}");
    assert_int_equal(r.status, 503);
    assert_string_equal(test_reply_header(&r, "Retry-After"), "5");
    assert_non_null(strstr(r.body, "\"unavailable_error\""));
    test_reply_free(&r);
    close(a);
    close(b);
    becomes("pith_answers_running", 0);
    becomes("pith_requests_waiting", 0);
    expect("POST", "/v1/chat/completions", NULL, "{" SAY ",\"max_tokens\":1}", 200);
    ends_well();
}

typedef struct reader {
    int port;
    test_reply reply;
} reader;

static void *read_all(void *arg)
{
    reader *r = arg;
    r->reply = test_http(
        r->port, "POST", "/v1/chat/completions", NULL,
        "{" SAY ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":400,\"temperature\":0}");
    return NULL;
}

static void an_asked_end_lets_answers_finish(void **state)
{
    (void)state;
    pthread_t thread;
    start(NULL, NULL, NULL, NULL);
    reader r = {.port = server.port};
    assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
    for (int i = 0; i < 3000 && metric("pith_steps_total{model=\"stories260K\"}") < 1; i++)
        ;
    ends_well();
    pthread_join(thread, NULL);
    assert_int_equal(r.reply.status, 200);
    assert_true(r.reply.complete);
    assert_non_null(strstr(r.reply.body, "data: [DONE]"));
    test_reply_free(&r.reply);
}

static void an_end_without_grace_says_so_to_streams(void **state)
{
    (void)state;
    start("--grace", "0", NULL, NULL);
    int fd = begin_long(NULL);
    kill(server.pid, SIGTERM);
    char *text = calloc(1, 1 << 22);
    size_t n = 0;
    for (ssize_t k; n < (1 << 22) - 1 && (k = test_recv(fd, text + n, (1 << 22) - 1 - n, 0)) > 0;)
        n += (size_t)k;
    assert_non_null(strstr(text, "\"message\":\"the server is stopping\""));
    close(fd);
    free(text);
    ends_well();
}

/* ---- TLS */

static void make_certificate(const char *cert_file, const char *key_file)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    unsigned char serial[1] = {1};
    gnutls_datum_t out;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&cert);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, serial, 1);
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 36000);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, "localhost", 9);
    gnutls_x509_crt_set_key(cert, key);
    assert_int_equal(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &out), 0);
    test_write(cert_file, out.data, out.size);
    gnutls_free(out.data);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out), 0);
    test_write(key_file, out.data, out.size);
    gnutls_free(out.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

static void tls_carries_the_same(void **state)
{
    (void)state;
    const char *cert = test_temp("cert.pem"), *key = test_temp("key.pem");
    static const char ASK[] =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    gnutls_session_t tls;
    gnutls_certificate_credentials_t trust;
    char text[4096] = "";
    make_certificate(cert, key);
    start("--tls-cert", cert, "--tls-key", key);
    assert_non_null(strstr(test_read(server.log, NULL), "https://127.0.0.1:"));
    gnutls_certificate_allocate_credentials(&trust);
    assert_int_equal(gnutls_certificate_set_x509_trust_file(trust, cert, GNUTLS_X509_FMT_PEM), 1);
    gnutls_init(&tls, GNUTLS_CLIENT);
    gnutls_set_default_priority(tls);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, trust);
    gnutls_session_set_verify_cert(tls, "localhost", 0);
    int fd = test_connect(server.port), code;
    gnutls_transport_set_int(tls, fd);
    do
        code = gnutls_handshake(tls);
    while (code < 0 && !gnutls_error_is_fatal(code));
    if (code < 0)
        fail_msg("handshake: %s", gnutls_strerror(code));
    assert_int_equal(gnutls_record_send(tls, ASK, sizeof ASK - 1), sizeof ASK - 1);
    for (ssize_t n = 0, k;
         (k = gnutls_record_recv(tls, text + n, sizeof text - 1 - (size_t)n)) > 0;)
        n += k;
    assert_int_equal(strncmp(text, "HTTP/1.1 200", 12), 0);
    assert_non_null(strstr(text, "\"status\":\"ok\""));
    gnutls_deinit(tls);
    gnutls_certificate_free_credentials(trust);
    close(fd);
    ends_well();
}

/* ---- what the command line refuses */

static void refuses(const char *part, const char *a, const char *b, const char *c, const char *d)
{
    test_result r = test_pith(NULL, "serve", a, b, c, d, NULL);
    if (r.exit_code == 0 || !strstr(r.err, part))
        fail_msg("exit %d, '%s' is not in: %s", r.exit_code, part, r.err);
}

static void what_cannot_be_served_is_said(void **state)
{
    (void)state;
    const char *model = test_shared("models/stories260K.gguf"), *bad = test_temp("bad-keys");
    test_write(bad, "secret-key-one rsp=5\n", 21);
    refuses("'/none.gguf'", "/none.gguf", "--port", "0", NULL);
    refuses("--tls-key go together", model, "--tls-cert", "x", NULL);
    refuses("line 1: found 'rsp=5'", model, "--api-key-file", bad, NULL);
    refuses("expected seconds", model, "--keep-alive", "soon", NULL);
    refuses("expected text or json", model, "--log-format", "xml", NULL);
    refuses("the server runs no draft model", model, "--spec", "draft", NULL);
    refuses("expected off, ngram, draft or auto", model, "--spec", "on", NULL);
    refuses("NAME=FILE", model, model, NULL, NULL);
    refuses("no model here", model, "--alias", "a=b", NULL);
    start(NULL, NULL, NULL, NULL);
    refuses("Ollama or another pith", model, "--port", test_format("%d", server.port), NULL);
    ends_well();
}

/* ---- several models */

static void models_come_and_go(void **state)
{
    (void)state;
    const char *model = test_shared("models/stories260K.gguf");
    const char *two = test_format("two=%s", model), *args[] = {test_format("one=%s", model),
                                                               two,
                                                               "--max-models",
                                                               "1",
                                                               "--keep-alive",
                                                               "4",
                                                               NULL};
    server = test_server_start(args);
    expect("POST", "/v1/chat/completions", NULL, "{\"model\":\"one\"," SAY ",\"max_tokens\":1}",
           200);
    assert_int_equal(metric("pith_model_loaded{model=\"one\"}"), 1);
    assert_int_equal(metric("pith_model_loaded{model=\"two\"}"), 0);
    expect("POST", "/v1/chat/completions", NULL, "{\"model\":\"two\"," SAY ",\"max_tokens\":1}",
           200);
    assert_int_equal(metric("pith_model_loaded{model=\"one\"}"), 0);
    assert_int_equal(metric("pith_model_loaded{model=\"two\"}"), 1);
    becomes("pith_model_loaded{model=\"two\"}", 0);
    expect("POST", "/v1/chat/completions", NULL, "{\"model\":\"one\"," SAY ",\"max_tokens\":1}",
           200);
    assert_int_equal(metric("pith_model_loads_total"), 3);
    ends_well();
}

/* ---- thinking */

/* The text of a member of the first message, up to its end. */
static const char *member_of(const char *body, const char *name)
{
    const char *mark = test_format("\"%s\":\"", name), *at = strstr(body, mark);
    const char *from = at ? at + strlen(mark) : "", *end = strchr(from, '"');
    return test_format("%.*s", end ? (int)(end - from) : 0, from);
}

/* A thought ends once its tokens are spent, and the answer follows; the thought is the beginning of
 * what the model would have thought. */
static void a_thought_has_its_budget(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{% for m in messages %}[{{ m.role }}]{% if m.reasoning_content %}<think>"
        "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% if enable_thinking %}<think>{% else %}<think>"
        "</think>{% endif %}{% endif %}";
    const char *path = test_temp("budget.jinja");
    test_write(path, TEXT, sizeof TEXT - 1);
    start("--template", path, "--spec", "off");
    test_reply r = test_http(server.port, "POST", "/v1/messages", NULL,
                             "{\"model\":\"stories260K\"," SAY ",\"max_tokens\":40,"
                             "\"temperature\":0,\"thinking\":{\"type\":\"enabled\"}}");
    assert_int_equal(r.status, 200);
    const char *all = member_of(r.body, "thinking");
    assert_true(strlen(all) > 40);
    assert_null(strstr(r.body, "\"type\":\"text\""));
    test_reply_free(&r);
    size_t last = 0;
    for (int budget = 2; budget <= 12; budget += 5) {
        r = test_http(server.port, "POST", "/v1/messages", NULL,
                      test_format("{\"model\":\"stories260K\",%s,\"max_tokens\":40,"
                                  "\"temperature\":0,\"thinking\":{\"type\":\"enabled\","
                                  "\"budget_tokens\":%d}}",
                                  SAY, budget));
        assert_int_equal(r.status, 200);
        const char *some = member_of(r.body, "thinking");
        assert_true(strlen(some) > last && strlen(some) < strlen(all));
        assert_int_equal(strncmp(all, some, strlen(some)), 0);
        assert_true(strlen(member_of(r.body, "text")) > 0);
        last = strlen(some);
        test_reply_free(&r);
    }
    r = test_http(server.port, "POST", "/v1/chat/completions", NULL,
                  "{" SAY ",\"max_tokens\":30,\"temperature\":0,\"thinking_budget_tokens\":0,"
                  "\"chat_template_kwargs\":{\"enable_thinking\":true}}");
    assert_int_equal(r.status, 200);
    assert_null(strstr(r.body, "reasoning_content"));
    assert_true(strlen(member_of(r.body, "content")) > 0);
    test_reply_free(&r);
    ends_well();
}

static void an_adapter_has_a_name(void **state)
{
    (void)state;
    const char *adapter = test_source("tests/golden/adapters/llama32-all.gguf");
    const char *model = test_source("tests/golden/models/llama32");
    const char *args[] = {test_format("base=%s", model), "--adapter",
                          test_format("tuned=%s", adapter), NULL};
    server = test_server_start(args);
    static const char *const ASKED[] = {"\"base\"",
                                        "\"tuned\"",
                                        "\"base\",\"lora\":[{\"id\":0,\"scale\":1}]",
                                        "\"tuned\",\"lora\":[]",
                                        "\"base\",\"lora\":[{\"id\":0,\"scale\":-1}]",
                                        "\"base\""};
    enum { N = sizeof ASKED / sizeof ASKED[0] };
    char *texts[N];
    for (int i = 0; i < N; i++) {
        test_reply r = test_http(
            server.port, "POST", "/v1/completions", NULL,
            test_format("{\"model\":%s,\"prompt\":[1,5,9,12],\"temperature\":0,\"max_tokens\":8}",
                        ASKED[i]));
        assert_int_equal(r.status, 200);
        char *at = strstr(r.body, "\"text\":"), *end = at ? strstr(at, ",\"index\"") : NULL;
        assert_non_null(end);
        texts[i] = test_keep((size_t)(end - at));
        memcpy(texts[i], at, (size_t)(end - at));
        test_reply_free(&r);
    }
    assert_string_not_equal(texts[0], texts[1]);
    assert_string_equal(texts[1], texts[2]); // by number as by name
    assert_string_equal(texts[0], texts[3]); // none
    assert_string_not_equal(texts[1], texts[4]);
    assert_string_equal(texts[0], texts[5]);
    expect("POST", "/v1/completions", NULL,
           "{\"model\":\"base\",\"prompt\":\"x\",\"lora\":[{\"id\":1}]}", 400);
    expect("POST", "/v1/completions", NULL,
           "{\"model\":\"base\",\"prompt\":\"x\",\"lora\":[{\"id\":0},{\"id\":0}]}", 400);
    expect("POST", "/v1/completions", NULL, "{\"model\":\"base\",\"prompt\":\"x\",\"lora\":3}",
           400);
    test_reply list = test_http(server.port, "GET", "/lora-adapters", NULL, NULL);
    assert_int_equal(list.status, 200);
    assert_non_null(strstr(list.body, "[{\"id\":0,\"path\":"));
    assert_non_null(strstr(list.body, "\"scale\":0,\"name\":\"tuned\",\"model\":\"base\"}]"));
    test_reply_free(&list);
    ends_well();
    const char *other = test_shared("models/stories260K.gguf");
    refuses("llama32-all.gguf", other, "--adapter", test_format("a=%s", adapter), "-q");
    refuses("NAME=FILE", other, "--adapter", "nothing", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(methods_and_paths, stop),
        cmocka_unit_test_teardown(bodies, stop),
        cmocka_unit_test_teardown(large_bodies_together_have_a_limit, stop),
        cmocka_unit_test_teardown(unknown_fields_are_told, stop),
        cmocka_unit_test_teardown(hosts_and_origins, stop),
        cmocka_unit_test_teardown(keys_and_their_limits, stop),
        cmocka_unit_test_teardown(who_leaves_is_cancelled, stop),
        cmocka_unit_test_teardown(who_leaves_takes_nothing_away, stop),
        cmocka_unit_test_teardown(who_reads_slowly_holds_nobody_up, stop),
        cmocka_unit_test_teardown(a_full_queue_says_when_to_come_again, stop),
        cmocka_unit_test_teardown(an_asked_end_lets_answers_finish, stop),
        cmocka_unit_test_teardown(an_end_without_grace_says_so_to_streams, stop),
        cmocka_unit_test_teardown(tls_carries_the_same, stop),
        cmocka_unit_test_teardown(what_cannot_be_served_is_said, stop),
        cmocka_unit_test_teardown(models_come_and_go, stop),
        cmocka_unit_test_teardown(a_thought_has_its_budget, stop),
        cmocka_unit_test_teardown(an_adapter_has_a_name, stop),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * serve_load: `pith serve` as its clients see it.
 *
 *   serve_load [--json] [--keys N] MODEL load [CLIENTS [SECONDS]]
 *   serve_load [--json] MODEL turns [TOKENS]
 *   serve_load [--json] MODEL idle [STREAMS]
 *
 * load: the clients of mix.h (16, for 60 seconds), first straight at an engine of this process,
 * then through HTTP: the same questions in the same order; what the server adds is the difference.
 * With --keys the server has N API keys and client i sends the key i % N.
 * turns: the first token of a chat's second turn against that of its first (2000 tokens).
 * idle: memory of the server (pages of mapped files and keys and values left out) for each stream
 * (200) that waits for its turn, and for each that is being written.
 *
 * Starts the program of PITH_PROGRAM (else build/pith) on a free port and stops it at the end.
 * What goes wrong ends this program with a sentence and code 1. One thread.
 */
#include "support/support.h"

#include "load_engine.h"
#include "stream.h"
#include "support/http.h"
#include "support/proc.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { N_CTX = 4096, MOST_BODY = 1 << 17, MOST_STREAMS = 1000, MOST_KEYS = 64 };

static bool as_json;
static test_server server;
static const char *headers; // of requests beside the load's: an API key, or NULL

/* ---- the server */

static void stop_server(void)
{
    if (server.pid > 0)
        (void)test_server_stop(&server);
}

static void fail(const char *what)
{
    fprintf(stderr, "serve_load: %s\n%s\n", what,
            server.pid > 0 ? test_read(server.log, NULL) : "");
    exit(1); // stops the server
}

static void start_server(const char *model, const char *option, const char *value,
                         const char *option2, const char *value2)
{
    const char *args[] = {"--model", test_format("m=%s", model),
                          "--ctx",   test_format("%d", N_CTX),
                          "--quiet", option,
                          value,     option2,
                          value2,    NULL};
    server = test_server_start(args);
}

/* The sum over a metric's lines. */
static double metric(const char *name)
{
    test_reply r = test_http(server.port, "GET", "/metrics", headers, NULL);
    double sum = 0;
    size_t n = strlen(name);
    for (const char *at = r.body; at && r.status == 200; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, n) == 0 && (at[n] == '{' || at[n] == ' '))
            sum += strtod(at + strcspn(at, " \n"), NULL);
    }
    test_reply_free(&r);
    return sum;
}

/* An answer of a token: the model is open and has computed. */
static void warm_up(void)
{
    test_reply r = test_http(server.port, "POST", "/v1/completions", headers,
                             "{\"prompt\":[300,301,302],\"max_tokens\":1}");
    if (r.status != 200)
        fail("the first request is not answered");
    test_reply_free(&r);
}

/* ---- load */

typedef struct client {
    stream http;
    mix *m;
    int index;
    char headers[128];
} client;

static char body[MOST_BODY];

/* Each piece of text is an event; the last event of an answer has a reason. */
static void on_piece(void *user, const char *line)
{
    const client *c = user;
    if (strstr(line, "\"finish_reason\":null"))
        mix_hear(c->m, c->index);
}

static void ask(client *c)
{
    mix_ask(c->m, c->index);
    const mix_client *q = &c->m->clients[c->index];
    size_t n = (size_t)snprintf(body, sizeof body,
                                "{\"stream\":true,\"temperature\":0,\"ignore_eos\":true,"
                                "\"max_tokens\":%lld,\"prompt\":[",
                                (long long)q->max_tokens);
    for (int64_t i = 0; i < q->n_prompt; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%s%d", i > 0 ? "," : "", q->tokens[i]);
    snprintf(body + n, sizeof body - n, "]}");
    if (!stream_ask(&c->http, "/v1/completions", c->headers, body))
        fail("a request cannot be sent");
}

static void run_clients(client *clients, mix *m)
{
    struct pollfd at[MIX_MOST_CLIENTS];
    while (mix_now() < m->end) {
        for (int i = 0; i < m->n_clients; i++)
            at[i] = (struct pollfd){.fd = clients[i].http.fd, .events = POLLIN};
        (void)poll(at, (nfds_t)m->n_clients, 100);
        for (int i = 0; i < m->n_clients; i++) {
            if (at[i].revents == 0)
                continue;
            if (!stream_take(&clients[i].http))
                fail("a stream was broken off");
            if (clients[i].http.state != STREAM_DONE)
                continue;
            mix_end(m, i);
            ask(&clients[i]);
        }
    }
}

static void load_server(const char *model, mix *m, double seconds, int n_keys)
{
    static client clients[MIX_MOST_CLIENTS];
    const char *file = NULL;
    if (n_keys > 0) {
        char *keys = test_keep((size_t)n_keys * 32), *to = keys;
        for (int i = 0; i < n_keys; i++)
            to += snprintf(to, 32, "key-of-client-%04d\n", i);
        file = test_temp("keys");
        test_write(file, keys, strlen(keys));
        headers = "x-api-key: key-of-client-0000\r\n";
    }
    start_server(model, file ? "--api-key-file" : NULL, file, NULL, NULL);
    for (int i = 0; i < m->n_clients; i++) {
        client *c = &clients[i];
        c->m = m;
        c->index = i;
        if (n_keys > 0)
            snprintf(c->headers, sizeof c->headers, "x-api-key: key-of-client-%04d\r\n",
                     i % n_keys);
        if (!stream_open(&c->http, server.port, on_piece, c))
            fail("the server takes no connection");
    }
    warm_up();
    double before = metric("pith_computed_tokens_total");
    m->start = mix_now();
    m->end = m->start + seconds;
    for (int i = 0; i < m->n_clients; i++)
        ask(&clients[i]);
    run_clients(clients, m);
    m->computed = metric("pith_computed_tokens_total") - before;
    m->end = mix_now();
    for (int i = 0; i < m->n_clients; i++)
        stream_close(&clients[i].http);
    stop_server();
    mix_finish(m);
}

/* The engine alone; the size of the vocabulary. */
static int32_t load_alone(const char *path, mix *engine, double seconds, int n_keys)
{
    pith_error err = {0};
    pith_model *model;
    pith_engine *e;
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = N_CTX;
    load_must(pith_model_open(path, NULL, &model, &err), &err);
    load_must(pith_model_get_info(model, &info, &err), &err);
    load_must(pith_engine_new(model, &o, &e, &err), &err);
    engine->n_vocab = info.n_vocab;
    load_engine(e, engine, seconds, n_keys > 0 ? n_keys : 1);
    pith_engine_free(e);
    pith_model_close(model);
    return info.n_vocab;
}

static void load(const char *model, int n_clients, double seconds, int n_keys)
{
    mix engine, http;
    mix_init(&engine, n_clients, 0, 1);
    int32_t n_vocab = load_alone(model, &engine, seconds, n_keys);
    mix_init(&http, n_clients, n_vocab, 1);
    load_server(model, &http, seconds, n_keys);
    double share =
        http.computed / (http.end - http.start) / (engine.computed / (engine.end - engine.start));
    if (as_json) {
        printf("{\"engine\":");
        mix_print_json(&engine, stdout);
        printf(",\"server\":");
        mix_print_json(&http, stdout);
        printf(",\"server_over_engine\":%.4f}\n", share);
    } else {
        mix_print(&engine, "engine", stdout);
        mix_print(&http, "server", stdout);
        printf("the server computes %.1f %% of what the engine does alone\n", 100 * share);
    }
    mix_clear(&engine);
    mix_clear(&http);
}

/* ---- turns */

typedef struct turn {
    double begun, first; // seconds
    char *said;          // as it stands in JSON
    long long n_prompt, n_cached;
} turn;

static void on_said(void *user, const char *line)
{
    turn *t = user;
    const char *at = strstr(line, "\"content\":\""), *usage = strstr(line, "\"prompt_tokens\":");
    const char *cached = strstr(line, "\"cached_tokens\":");
    if (usage)
        t->n_prompt = atoll(usage + 16);
    if (cached)
        t->n_cached = atoll(cached + 16);
    if (!at)
        return;
    const char *end = at += 11;
    while (*end && *end != '"')
        end += *end == '\\' ? 2 : 1;
    if (end > at && t->first == 0)
        t->first = test_now();
    strncat(t->said, at, (size_t)(end - at));
}

static void take_turn(turn *t, const char *messages)
{
    stream http;
    snprintf(body, sizeof body,
             "{\"messages\":[%s],\"max_tokens\":16,\"temperature\":0,\"ignore_eos\":true,"
             "\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
             messages);
    if (!stream_open(&http, server.port, on_said, t))
        fail("the server takes no connection");
    t->begun = test_now();
    if (!stream_ask(&http, "/v1/chat/completions", NULL, body))
        fail("a turn cannot be sent");
    while (http.state != STREAM_DONE) {
        struct pollfd at = {.fd = http.fd, .events = POLLIN};
        (void)poll(&at, 1, 1000);
        if (!stream_take(&http))
            fail("a turn was broken off");
    }
    stream_close(&http);
}

static void turns(const char *model, int n)
{
    static const char *const WORDS[] = {"river", "stone", "green", "light", "seven", "paper"};
    static char messages[MOST_BODY - 4096], said[2][4096];
    turn t[2] = {{.said = said[0]}, {.said = said[1]}};
    start_server(model, NULL, NULL, NULL, NULL);
    warm_up();
    test_random random = {2};
    size_t at = (size_t)snprintf(messages, sizeof messages, "{\"role\":\"user\",\"content\":\"");
    for (int i = 0; i < n && at < sizeof messages - 8192; i++)
        at += (size_t)snprintf(messages + at, sizeof messages - at, "%s ",
                               WORDS[test_random_below(&random, 6)]);
    at += (size_t)snprintf(messages + at, sizeof messages - at, "\"}");
    take_turn(&t[0], messages);
    snprintf(messages + at, sizeof messages - at,
             ",{\"role\":\"assistant\",\"content\":\"%s\"},{\"role\":\"user\",\"content\":\"And "
             "then?\"}",
             t[0].said);
    take_turn(&t[1], messages);
    stop_server();
    double first = t[0].first - t[0].begun, second = t[1].first - t[1].begun;
    if (as_json)
        printf("{\"turns\":[{\"first_ms\":%.2f,\"prompt_tokens\":%lld,\"cached\":%lld},"
               "{\"first_ms\":%.2f,\"prompt_tokens\":%lld,\"cached\":%lld}],"
               "\"second_over_first\":%.4f}\n",
               first * 1e3, t[0].n_prompt, t[0].n_cached, second * 1e3, t[1].n_prompt,
               t[1].n_cached, second / first);
    else
        printf("first turn: %lld tokens, first piece after %.1f ms\n"
               "second turn: %lld tokens, %lld of them found, first piece after %.1f ms: %.2f %%\n",
               t[0].n_prompt, first * 1e3, t[1].n_prompt, t[1].n_cached, second * 1e3,
               100 * second / first);
}

/* ---- idle */

typedef struct memory {
    double own, kv; // MiB: all but mapped files; keys and values in that
} memory;

static memory memory_now(void)
{
    return (memory){.own = test_memory_mib(server.pid, "RssAnon"),
                    .kv = metric("pith_kv_bytes") / (1 << 20)};
}

static void count_event(void *user, const char *line)
{
    (void)line;
    ++*(long long *)user;
}

/* Opens n streams of long answers and takes what comes until the metric is n or seconds are over.
 */
static void open_streams(stream *streams, int n, int64_t tokens, long long *events)
{
    for (int i = 0; i < n; i++) {
        snprintf(body, sizeof body,
                 "{\"prompt\":\"Hello there, number %d\",\"max_tokens\":%lld,\"ignore_eos\":true,"
                 "\"stream\":true}",
                 i, (long long)tokens);
        if (!stream_open(&streams[i], server.port, count_event, events) ||
            !stream_ask(&streams[i], "/v1/completions", NULL, body))
            fail("a stream cannot be opened");
    }
}

static void read_streams(stream *streams, int n, double seconds)
{
    double end = test_now() + seconds;
    while (test_now() < end) {
        for (int i = 0; i < n; i++)
            if (!stream_take(&streams[i]))
                fail("a stream was broken off");
        test_nap_ms(5);
    }
}

static void close_streams(stream *streams, int n)
{
    for (int i = 0; i < n; i++)
        stream_close(&streams[i]);
}

/* What n streams cost, beside one that is written: such that wait for it, or such that are written
 * as well. *seen: how many did so in the end. */
static memory measure_streams(const char *model, int n, bool waiting, double *seen)
{
    static stream streams[MOST_STREAMS + 1];
    long long events = 0;
    char parallel[16];
    snprintf(parallel, sizeof parallel, "%d", waiting ? 1 : n + 1);
    start_server(model, "--parallel", parallel, "--max-queue", "2000");
    warm_up();
    open_streams(streams, 1, 4000, &events);
    read_streams(streams, 1, 1);
    memory before = memory_now();
    open_streams(streams + 1, n, waiting ? 16 : 4000, &events);
    read_streams(streams, n + 1, waiting ? 2 : 8);
    *seen = metric(waiting ? "pith_requests_waiting" : "pith_answers_running");
    memory after = memory_now();
    close_streams(streams, n + 1);
    stop_server();
    return (memory){after.own - before.own, after.kv - before.kv};
}

static void idle(const char *model, int n)
{
    double n_waiting, n_running;
    memory waiting = measure_streams(model, n, true, &n_waiting);
    memory written = measure_streams(model, n, false, &n_running);
    if (as_json)
        printf("{\"streams\":%d,\"waiting\":{\"seen\":%.0f,\"mib\":%.3f,\"kv_mib\":%.3f},"
               "\"written\":{\"seen\":%.0f,\"mib\":%.3f,\"kv_mib\":%.3f}}\n",
               n, n_waiting, waiting.own, waiting.kv, n_running, written.own, written.kv);
    else
        printf("%.0f streams that wait: %.2f MiB\n"
               "%.0f streams that are written: %.2f MiB, %.2f of them keys and values\n",
               n_waiting, waiting.own, n_running, written.own, written.kv);
}

/* ---- the program */

static int usage(void)
{
    fprintf(stderr, "usage: serve_load [--json] [--keys N] MODEL load [CLIENTS [SECONDS]]\n"
                    "       serve_load [--json] MODEL turns [TOKENS]\n"
                    "       serve_load [--json] MODEL idle [STREAMS]\n");
    return 2;
}

static int number(const char *text, int most, int otherwise)
{
    int n = text ? atoi(text) : otherwise;
    return n < 1 ? 1 : n > most ? most : n;
}

int main(int argc, char **argv)
{
    int n_keys = 0;
    char **at = argv + 1;
    for (; *at && (*at)[0] == '-'; at++) {
        if (strcmp(*at, "--json") == 0)
            as_json = true;
        else if (strcmp(*at, "--keys") == 0 && at[1])
            n_keys = number(*++at, MOST_KEYS, 1);
        else
            return usage();
    }
    if (argv + argc - at < 2)
        return usage();
    const char *model = at[0], *what = at[1], *a = at[2], *b = a ? at[3] : NULL;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    atexit(stop_server);
    if (strcmp(what, "load") == 0)
        load(model, number(a, MIX_MOST_CLIENTS, 16), number(b, 86400, 60), n_keys);
    else if (strcmp(what, "turns") == 0)
        turns(model, number(a, 4000, 2000));
    else if (strcmp(what, "idle") == 0)
        idle(model, number(a, MOST_STREAMS, 200));
    else
        return usage();
    return 0;
}

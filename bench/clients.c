/*
 * clients: many clients at one engine, through the door: how long they wait between two tokens and
 * for the first, what all get together, and how fast the second turn of a chat starts.
 *
 *   clients MODEL turns [TOKENS]                 the second turn against the first
 *   clients MODEL load CLIENTS SECONDS [PROMPT_BATCH] [KV_MIB] [KEYS]
 *
 * load: each client sends a prompt of 50 to 2000 tokens (an own one each time, sizes spread evenly
 * on a logarithmic scale), hears 20 to 120 tokens, and begins anew. Prompts of random ids: nothing
 * is shared. Gaps are measured between the events of one answer.
 */
#include "pith.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_CLIENTS = 64, MOST_GAPS = 1 << 18, MOST_TOKENS = 8192, N_CTX = 4096 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(pith_status st, const pith_error *err)
{
    if (st == PITH_OK)
        return;
    fprintf(stderr, "clients: %s\n", err->text);
    exit(1);
}

static uint64_t seed = 1;

static double unit(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(seed >> 11) / 9007199254740992.0;
}

static void fill(int32_t *tokens, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        tokens[i] = 100 + (int32_t)(unit() * 20000);
}

typedef struct client {
    pith_session *session;
    pith_answer *answer;
    int64_t n_prompt, n_heard;
    double start, last;
} client;

static double gaps[MOST_GAPS], firsts[MOST_GAPS];
static int64_t n_gaps, n_firsts, n_generated, n_read;

static int hear(void *user, const pith_event *event)
{
    client *c = user;
    double t = now();
    if (event->token < 0)
        return 0;
    if (c->n_heard > 0 && n_gaps < MOST_GAPS)
        gaps[n_gaps++] = t - c->last;
    if (c->n_heard == 0 && n_firsts < MOST_GAPS) {
        firsts[n_firsts++] = (t - c->start) / (double)c->n_prompt;
        n_read += c->n_prompt;
    }
    c->n_heard++;
    c->last = t;
    n_generated++;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(const double *sorted, int64_t n, double share)
{
    return n > 0 ? sorted[(int64_t)(share * (double)(n - 1))] : 0;
}

static void send(pith_engine *e, client *c, uint64_t key)
{
    static int32_t tokens[MOST_TOKENS];
    pith_error err = {0};
    if (!c->session)
        must(pith_session_new(e, NULL, &c->session, &err), &err);
    pith_request r = PITH_INIT(pith_request);
    pith_sampling s = PITH_INIT(pith_sampling);
    must(pith_sampling_init(&s, NULL, &err), &err);
    s.temperature = 0;
    c->n_prompt = (int64_t)(50 * pow(40, unit()));
    fill(tokens, c->n_prompt);
    r.tokens = tokens;
    r.n_tokens = c->n_prompt;
    r.max_tokens = 20 + (int64_t)(unit() * 100);
    r.ignore_end = true;
    r.sampling = &s;
    r.on_event = hear;
    r.user = c;
    r.key = key;
    c->n_heard = 0;
    c->start = now();
    must(pith_session_submit(c->session, &r, &c->answer, &err), &err);
}

static void load(pith_engine *e, int n, double seconds, int keys)
{
    client clients[MOST_CLIENTS] = {{0}};
    pith_error err = {0};
    double start = now(), longest = 0;
    for (int i = 0; i < n; i++)
        send(e, &clients[i], (uint64_t)(i % keys));
    while (now() - start < seconds) {
        double before = now();
        must(pith_engine_run(e, NULL, &err), &err);
        longest = now() - before > longest ? now() - before : longest;
        for (int i = 0; i < n; i++) {
            client *c = &clients[i];
            if (!pith_answer_is_done(c->answer))
                continue;
            must(pith_answer_get_result(c->answer, NULL, &err), &err);
            pith_answer_free(c->answer);
            pith_session_free(c->session);
            c->session = NULL;
            send(e, c, (uint64_t)(i % keys));
        }
    }
    double t = now() - start;
    qsort(gaps, (size_t)n_gaps, sizeof *gaps, by_size);
    qsort(firsts, (size_t)n_firsts, sizeof *firsts, by_size);
    pith_engine_info info = PITH_INIT(pith_engine_info);
    must(pith_engine_get_info(e, &info, &err), &err);
    double median = at(gaps, n_gaps, 0.5);
    printf("%d clients, %.0f s: read %.1f tok/s, wrote %.1f tok/s, steps %.0f\n", n, t,
           (double)(info.n_computed - info.n_generated) / t, (double)n_generated / t,
           (double)info.n_steps);
    printf("  between tokens: median %.0f ms, p90 %.0f, p95 %.0f (%.2fx), p99 %.0f, max %.0f; "
           "longest step %.0f ms\n",
           median * 1e3, at(gaps, n_gaps, 0.9) * 1e3, at(gaps, n_gaps, 0.95) * 1e3,
           at(gaps, n_gaps, 0.95) / median, at(gaps, n_gaps, 0.99) * 1e3, at(gaps, n_gaps, 1) * 1e3,
           longest * 1e3);
    printf("  first token, per prompt token: median %.1f ms, p95 %.1f, %lld begun\n",
           at(firsts, n_firsts, 0.5) * 1e3, at(firsts, n_firsts, 0.95) * 1e3, (long long)n_firsts);
    for (int i = 0; i < n; i++) {
        pith_answer_free(clients[i].answer);
        pith_session_free(clients[i].session);
    }
}

/* A turn of n more tokens and an answer of 30, on a new session; the first token's time. */
static double turn(pith_engine *e, int32_t *tokens, int64_t *n_tokens, int64_t n, int64_t *reused)
{
    pith_error err = {0};
    pith_session *s;
    fill(tokens + *n_tokens, n);
    must(pith_session_new(e, NULL, &s, &err), &err);
    pith_request r = PITH_INIT(pith_request);
    r.tokens = tokens;
    r.n_tokens = *n_tokens + n;
    r.max_tokens = 30;
    r.ignore_end = true;
    pith_result result = PITH_INIT(pith_result);
    must(pith_generate(s, &r, &result, &err), &err);
    int64_t held;
    const int32_t *all = pith_session_get_tokens(s, &held);
    memcpy(tokens, all, (size_t)held * sizeof *tokens);
    *n_tokens = held;
    *reused = result.n_reused;
    pith_session_free(s);
    return result.prompt_seconds;
}

static void turns(pith_engine *e, int64_t n)
{
    static int32_t tokens[MOST_TOKENS];
    int64_t n_tokens = 0, reused;
    double first = turn(e, tokens, &n_tokens, n, &reused);
    printf("first turn: %lld tokens, first token after %.3f s\n", (long long)n, first);
    for (int i = 2; i < 5; i++) {
        double t = turn(e, tokens, &n_tokens, 20, &reused);
        printf("turn %d: %lld found, first token after %.3f s, %.2f %%\n", i, (long long)reused, t,
               100 * t / first);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "clients MODEL turns [TOKENS] | clients MODEL load CLIENTS SECONDS "
                        "[PROMPT_BATCH] [KV_MIB] [KEYS]\n");
        return 2;
    }
    bool loads = strcmp(argv[2], "load") == 0;
    pith_error err = {0};
    pith_model *model;
    pith_engine *e;
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = N_CTX;
    o.prompt_batch = loads && argc > 5 ? atoi(argv[5]) : 0;
    o.kv_bytes = loads && argc > 6 ? (uint64_t)atoi(argv[6]) << 20 : 0;
    int keys = loads && argc > 7 ? atoi(argv[7]) : 1;
    must(pith_model_open(argv[1], NULL, &model, &err), &err);
    must(pith_engine_new(model, &o, &e, &err), &err);
    int n = loads && argc > 3 ? atoi(argv[3]) : 16;
    if (loads)
        load(e, n < MOST_CLIENTS ? n : MOST_CLIENTS, argc > 4 ? atof(argv[4]) : 30,
             keys > 0 ? keys : 1);
    else
        turns(e, argc > 3 ? atoi(argv[3]) : 2000);
    pith_engine_free(e);
    pith_model_close(model);
    return 0;
}

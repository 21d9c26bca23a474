/* mix: see mix.h. */
#include "mix.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_GAPS = 1 << 20, MOST_WAITS = 1 << 16, N_SIZES = 5 };

/* Prompts of about the same size, by their tokens: below each of these. */
static const int64_t SIZES[N_SIZES] = {100, 200, 400, 800, MIX_MOST_PROMPT + 1};

double mix_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *must(void *p)
{
    if (p)
        return p;
    fputs("out of memory\n", stderr);
    exit(1);
}

void mix_init(mix *m, int n_clients, int32_t n_vocab, uint64_t seed)
{
    *m = (mix){.n_clients = n_clients, .n_vocab = n_vocab};
    m->clients = must(calloc((size_t)n_clients, sizeof *m->clients));
    m->gaps = must(malloc(MOST_GAPS * sizeof *m->gaps));
    m->waits = must(malloc(MOST_WAITS * sizeof *m->waits));
    for (int i = 0; i < n_clients; i++)
        m->clients[i].state = seed * 1000003 + (uint64_t)i * UINT64_C(0x9E3779B97F4A7C15);
}

void mix_clear(mix *m)
{
    free(m->clients);
    free(m->gaps);
    free(m->waits);
    *m = (mix){0};
}

static double unit(mix_client *c)
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)((c->state ^ c->state >> 29) >> 11) / 9007199254740992.0;
}

void mix_ask(mix *m, int client)
{
    mix_client *c = &m->clients[client];
    (void)unit(c);
    c->n_prompt = (int64_t)(50 * pow(MIX_MOST_PROMPT / 50.0, unit(c)));
    c->max_tokens = 20 + (int64_t)(unit(c) * 101);
    /* Of the vocabulary's middle: ends and other special tokens stand at its edges. */
    for (int64_t i = 0; i < c->n_prompt; i++)
        c->tokens[i] = m->n_vocab / 8 + (int32_t)(unit(c) * (m->n_vocab / 2));
    c->first = true;
    c->begun = c->last = mix_now();
}

void mix_hear(mix *m, int client)
{
    mix_client *c = &m->clients[client];
    double t = mix_now(), gap = t - c->last;
    if (t > m->end)
        return;
    if (c->first) {
        if (m->n_waits < MOST_WAITS)
            m->waits[m->n_waits++] = (mix_wait){c->n_prompt, gap};
        c->wait = gap > c->wait ? gap : c->wait;
        c->n_tokens += c->n_prompt;
    } else {
        if (m->n_gaps < MOST_GAPS)
            m->gaps[m->n_gaps++] = gap;
        c->worst_gap = gap > c->worst_gap ? gap : c->worst_gap;
    }
    c->first = false;
    c->last = t;
    c->n_pieces++;
    c->n_tokens++;
}

void mix_end(mix *m, int client)
{
    m->clients[client].n_done += mix_now() <= m->end;
}

/* ---- figures */

static int compare(double x, double y)
{
    return (x > y) - (x < y);
}

static int by_value(const void *a, const void *b)
{
    return compare(*(const double *)a, *(const double *)b);
}

static int by_wait(const void *a, const void *b)
{
    return compare(((const mix_wait *)a)->seconds, ((const mix_wait *)b)->seconds);
}

void mix_finish(mix *m)
{
    qsort(m->gaps, (size_t)m->n_gaps, sizeof *m->gaps, by_value);
    qsort(m->waits, (size_t)m->n_waits, sizeof *m->waits, by_wait);
}

double mix_gap(const mix *m, double p)
{
    return m->n_gaps > 0 ? m->gaps[(int64_t)(p * (double)(m->n_gaps - 1))] : 0;
}

typedef struct spread {
    double least, median, most;
} spread;

typedef double (*figure_fn)(const mix_client *c);

static double tokens_of(const mix_client *c)
{
    return (double)c->n_tokens;
}

static double pieces_of(const mix_client *c)
{
    return (double)c->n_pieces;
}

static double done_of(const mix_client *c)
{
    return (double)c->n_done;
}

static double gap_of(const mix_client *c)
{
    return c->worst_gap;
}

static double wait_of(const mix_client *c)
{
    return c->wait;
}

static spread over_clients(const mix *m, figure_fn figure)
{
    double v[MIX_MOST_CLIENTS];
    for (int i = 0; i < m->n_clients; i++)
        v[i] = figure(&m->clients[i]);
    qsort(v, (size_t)m->n_clients, sizeof *v, by_value);
    return (spread){v[0], v[m->n_clients / 2], v[m->n_clients - 1]};
}

/* Waits of prompts of a size: the median and the longest, and how many there are. */
static spread of_size(const mix *m, int size, int64_t *n)
{
    spread s = {0};
    int64_t from = size > 0 ? SIZES[size - 1] : 0, i = 0, at = 0;
    for (*n = 0; i < m->n_waits; i++)
        *n += m->waits[i].n_prompt >= from && m->waits[i].n_prompt < SIZES[size];
    for (i = 0; i < m->n_waits; i++) {
        const mix_wait *w = &m->waits[i];
        if (w->n_prompt < from || w->n_prompt >= SIZES[size])
            continue;
        s.least = at == 0 ? w->seconds : s.least;
        s.median = at == *n / 2 ? w->seconds : s.median;
        s.most = w->seconds;
        at++;
    }
    return s;
}

bool mix_is_fair(const mix *m)
{
    spread share = over_clients(m, tokens_of);
    bool fair = share.least > 0 && share.least >= 0.5 * share.median;
    for (int i = 0; i < N_SIZES && m->n_waits > 0; i++) {
        int64_t n;
        spread s = of_size(m, i, &n);
        fair = fair && (s.most <= 3 * s.median || s.most <= m->waits[m->n_waits / 2].seconds);
    }
    return fair;
}

static double pieces_in_all(const mix *m)
{
    double n = 0;
    for (int i = 0; i < m->n_clients; i++)
        n += (double)m->clients[i].n_pieces;
    return n;
}

static const struct {
    const char *name, *json;
    figure_fn figure;
    double factor;
} ROWS[] = {
    {"tokens, of prompts too", "tokens", tokens_of, 1},
    {"pieces of text", "pieces", pieces_of, 1},
    {"answers finished", "finished", done_of, 1},
    {"longest gap, ms", "longest_gap_ms", gap_of, 1e3},
    {"longest wait for a first piece, s", "longest_first_s", wait_of, 1},
};

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

void mix_print(const mix *m, const char *name, FILE *to)
{
    double seconds = m->end - m->start, median = mix_gap(m, 0.5);
    fprintf(to, "%s: %d clients, %.0f s: %.1f tokens/s computed, %.1f pieces/s heard\n", name,
            m->n_clients, seconds, m->computed / seconds, pieces_in_all(m) / seconds);
    fprintf(
        to,
        "  between pieces: median %.1f ms, p95 %.1f (%.2f x), p99 %.1f, longest %.1f, of %lld\n",
        median * 1e3, mix_gap(m, 0.95) * 1e3, mix_gap(m, 0.95) / median, mix_gap(m, 0.99) * 1e3,
        mix_gap(m, 1) * 1e3, (long long)m->n_gaps);
    fprintf(to, "  %-36s %10s %10s %10s\n", "of a client", "least", "median", "most");
    for (int i = 0; i < N_ROWS; i++) {
        spread s = over_clients(m, ROWS[i].figure);
        double f = ROWS[i].factor;
        fprintf(to, "  %-36s %10.4g %10.4g %10.4g\n", ROWS[i].name, f * s.least, f * s.median,
                f * s.most);
    }
    fprintf(to, "  %-36s %10s %10s %10s\n", "first piece after, s", "prompts", "median", "most");
    for (int i = 0; i < N_SIZES; i++) {
        int64_t n;
        spread s = of_size(m, i, &n);
        fprintf(to, "  prompts below %-4lld tokens %11s %10lld %10.4g %10.4g\n",
                (long long)SIZES[i], "", (long long)n, s.median, s.most);
    }
    fprintf(to,
            "  every client has half of the median's tokens, every first piece came within 3 "
            "times its size's median: %s\n",
            mix_is_fair(m) ? "yes" : "no");
}

void mix_print_json(const mix *m, FILE *to)
{
    double seconds = m->end - m->start;
    fprintf(to,
            "{\"clients\":%d,\"seconds\":%.3f,\"computed_per_s\":%.2f,\"pieces_per_s\":%.2f,"
            "\"gap_ms\":{\"median\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"longest\":%.2f,\"n\":%lld},"
            "\"of_a_client\":{",
            m->n_clients, seconds, m->computed / seconds, pieces_in_all(m) / seconds,
            mix_gap(m, 0.5) * 1e3, mix_gap(m, 0.95) * 1e3, mix_gap(m, 0.99) * 1e3,
            mix_gap(m, 1) * 1e3, (long long)m->n_gaps);
    for (int i = 0; i < N_ROWS; i++) {
        spread s = over_clients(m, ROWS[i].figure);
        double f = ROWS[i].factor;
        fprintf(to, "%s\"%s\":{\"least\":%.4f,\"median\":%.4f,\"most\":%.4f}", i > 0 ? "," : "",
                ROWS[i].json, f * s.least, f * s.median, f * s.most);
    }
    fputs("},\"first_s\":[", to);
    for (int i = 0; i < N_SIZES; i++) {
        int64_t n;
        spread s = of_size(m, i, &n);
        fprintf(to, "%s{\"below\":%lld,\"prompts\":%lld,\"median\":%.4f,\"most\":%.4f}",
                i > 0 ? "," : "", (long long)SIZES[i], (long long)n, s.median, s.most);
    }
    fprintf(to, "],\"fair\":%s}", mix_is_fair(m) ? "true" : "false");
}

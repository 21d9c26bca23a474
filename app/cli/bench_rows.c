/* bench_rows: prefill and decode. See bench.h. */
#include "base/mem.h"
#include "cli/bench.h"
#include "cli/term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRETCH_SECONDS 0.08 // of work between two samples of the limits
#define LEAST_SECONDS   0.05 // of one repeat: shorter work is done several times
enum { LEAST_REPEATS = 3, MOST_LOOPS = 1000, FILL_PIECE = 512 };

int32_t *bench_tokens(int64_t n, int32_t n_vocab)
{
    int32_t *tokens = px_malloc((size_t)n, sizeof *tokens);
    uint64_t state = 20261122;
    for (int64_t i = 0; tokens && i < n; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        tokens[i] = (int32_t)((state >> 33) % (uint64_t)n_vocab);
    }
    return tokens;
}

static int by_part(const void *a, const void *b)
{
    const bench_repeat *x = a, *y = b;
    double p = x->tok_s / x->limit_tok_s, q = y->tok_s / y->limit_tok_s;
    return (p > q) - (p < q);
}

void bench_row_fill(bench_row *row, bench_repeat *repeats, int n)
{
    double rates[BENCH_MAX_REPEATS];
    for (int i = 0; i < n; i++)
        rates[i] = repeats[i].tok_s;
    double median = bench_median(rates, n);
    qsort(repeats, (size_t)n, sizeof *repeats, by_part);
    const bench_repeat *middle = &repeats[(n - 1) / 2];
    row->tok_s = middle->tok_s;
    row->limit_tok_s = middle->limit_tok_s;
    row->of_limit = middle->tok_s / middle->limit_tok_s;
    row->spread = median > 0 ? (rates[n - 1] - rates[0]) / median : 0;
    row->n_repeats = n;
    row->done = true;
}

static pith_status interrupted(pith_error *err)
{
    return cli_interrupt_count() > 0 ? px_fail(err, PITH_E_CANCELLED, "interrupted") : PITH_OK;
}

/* ---- a repeat as stretches of work between samples of the limits */

typedef struct stretch {
    pith_cost cost; // of the work since the last sample
    double seconds;
    bench_rates before;
    double all_seconds, all_shortest; // of the stretches that are over
    int64_t tokens;
    bench_bound bound;
} stretch;

static void add_cost(pith_cost *to, const pith_cost *c, uint64_t sequences)
{
    to->weight_bytes += c->weight_bytes;
    to->embed_bytes += c->embed_bytes * sequences;
    to->kv_read_bytes += c->kv_read_bytes * sequences;
    to->kv_write_bytes += c->kv_write_bytes * sequences;
    to->int8_ops += c->int8_ops * sequences;
    to->bf16_ops += c->bf16_ops * sequences;
    to->f32_ops += c->f32_ops * sequences;
    to->attention_ops += c->attention_ops * sequences;
}

static pith_status stretch_end(bench_run *run, stretch *s, pith_error *err)
{
    bench_rates after, mean;
    pith_status status = bench_limits_sample(run->limits, &s->cost, &after, err);
    if (status != PITH_OK)
        return status;
    for (int i = 0; i < 4; i++)
        mean.of[i] = (s->before.of[i] + after.of[i]) / 2;
    s->all_shortest += bench_shortest(&s->cost, &mean, &s->bound);
    s->all_seconds += s->seconds;
    s->cost = (pith_cost){0};
    s->seconds = 0;
    s->before = after;
    return PITH_OK;
}

static bench_repeat repeat_of(const stretch *s)
{
    return (bench_repeat){.tok_s = (double)s->tokens / s->all_seconds,
                          .limit_tok_s = (double)s->tokens / s->all_shortest};
}

/* ---- filling and prefill */

static pith_status cost_at(const bench_run *run, int64_t n, int64_t depth, pith_cost *cost,
                           pith_error *err)
{
    *cost = PITH_INIT(pith_cost);
    cost->n_tokens = (int32_t)n;
    cost->depth = depth;
    cost->n_logits = 1;
    return pith_engine_get_cost(run->engine, cost, err);
}

pith_status bench_fill(bench_run *run, int64_t depth, bool *late, pith_error *err)
{
    int64_t have = 0;
    (void)pith_session_get_tokens(run->base, &have);
    double started = cli_now();
    *late = run->until > 0 && (started > run->until ||
                               (run->fill_rate > 0 && depth > have &&
                                started + (double)(depth - have) / run->fill_rate > run->until));
    if (*late)
        return PITH_OK;
    pith_status status = PITH_OK;
    cli_progress progress;
    cli_progress_start(&progress, "filling the context", "tokens");
    int64_t at = have < depth ? have : depth;
    do {
        at = at + FILL_PIECE < depth ? at + FILL_PIECE : depth;
        status = pith_session_set(run->base, run->tokens, at, 0, NULL, err);
        if (status == PITH_OK && cli_progress_step(&progress, (uint64_t)at, (uint64_t)depth))
            status = px_fail(err, PITH_E_CANCELLED, "interrupted");
    } while (status == PITH_OK && at < depth);
    cli_progress_end(&progress);
    if (depth - have >= FILL_PIECE)
        run->fill_rate = (double)(depth - have) / (cli_now() - started);
    return status;
}

/* One prompt of the row, from its depth and back to it. */
static pith_status prompt_once(bench_run *run, const bench_row *row, double *seconds,
                               pith_error *err)
{
    const float *logits;
    double started = cli_now();
    pith_status status =
        pith_session_set(run->base, run->tokens, row->depth + row->n, 1, &logits, err);
    *seconds = cli_now() - started;
    if (status == PITH_OK)
        status = pith_session_set(run->base, run->tokens, row->depth, 0, NULL, err);
    return status == PITH_OK ? interrupted(err) : status;
}

static pith_status prefill_repeat(bench_run *run, const bench_row *row, const pith_cost *cost,
                                  stretch *s, pith_error *err)
{
    pith_status status = bench_limits_sample(run->limits, cost, &s->before, err);
    for (int i = 0; status == PITH_OK && (i == 0 || (i < MOST_LOOPS && s->seconds < LEAST_SECONDS));
         i++) {
        double seconds;
        status = prompt_once(run, row, &seconds, err);
        s->seconds += seconds;
        s->tokens += row->n;
        add_cost(&s->cost, cost, 1);
    }
    return status == PITH_OK ? stretch_end(run, s, err) : status;
}

/* Whether a row that began then has had enough repeats. */
static bool enough(const bench_run *run, int n, double started)
{
    if (n >= run->n_repeats)
        return true;
    double now = cli_now();
    if (run->until > 0 && now > run->until && n > 0)
        return true;
    return n >= LEAST_REPEATS && now - started > run->row_seconds;
}

static double attention_part(const pith_cost *cost)
{
    double weights = (double)(cost->int8_ops + cost->bf16_ops + cost->f32_ops);
    return weights > 0 ? (double)cost->attention_ops / weights : 0;
}

pith_status bench_prefill(bench_run *run, bench_row *row, pith_error *err)
{
    bench_repeat repeats[BENCH_MAX_REPEATS];
    pith_cost cost;
    double started = cli_now(), seconds;
    int n = 0;
    pith_status status = cost_at(run, row->n, row->depth, &cost, err);
    if (status == PITH_OK)
        status = prompt_once(run, row, &seconds, err); // warms caches and memory
    while (status == PITH_OK && !enough(run, n, started)) {
        stretch s = {0};
        status = prefill_repeat(run, row, &cost, &s, err);
        if (status != PITH_OK)
            break;
        repeats[n++] = repeat_of(&s);
        row->bound = s.bound;
        run->fill_rate = repeats[n - 1].tok_s;
    }
    if (status != PITH_OK)
        return status;
    row->attention = attention_part(&cost);
    bench_row_fill(row, repeats, n);
    return PITH_OK;
}

/* ---- decode */

/* Steps of one token in each of the sessions, from the row's depth and back to it. */
static pith_status decode_once(bench_run *run, const bench_row *row, pith_step_item *items,
                               stretch *s, pith_error *err)
{
    pith_cost cost;
    pith_status status = PITH_OK;
    for (int64_t t = 0; status == PITH_OK && t < row->n; t++) {
        for (int64_t i = 0; i < row->batch; i++)
            items[i].tokens = &run->tokens[(row->depth + t + i) % run->n_tokens];
        double started = cli_now();
        status = pith_engine_step(run->engine, items, (int32_t)row->batch, err);
        s->seconds += cli_now() - started;
        s->tokens += row->batch;
        if (status == PITH_OK)
            status = cost_at(run, 1, row->depth + t, &cost, err);
        if (status == PITH_OK) {
            add_cost(&s->cost, &cost, (uint64_t)row->batch);
            status = interrupted(err);
        }
        if (status == PITH_OK && s->seconds > STRETCH_SECONDS)
            status = stretch_end(run, s, err);
    }
    for (int64_t i = 0; status == PITH_OK && i < row->batch; i++)
        status = pith_session_set(items[i].session, run->tokens, row->depth, 0, NULL, err);
    return status;
}

static pith_status decode_repeat(bench_run *run, const bench_row *row, const pith_cost *cost,
                                 pith_step_item *items, stretch *s, pith_error *err)
{
    pith_status status = bench_limits_sample(run->limits, cost, &s->before, err);
    for (int i = 0; status == PITH_OK &&
                    (i == 0 || (i < MOST_LOOPS && s->all_seconds + s->seconds < LEAST_SECONDS));
         i++)
        status = decode_once(run, row, items, s, err);
    if (status == PITH_OK && s->seconds > 0)
        status = stretch_end(run, s, err);
    return status;
}

static pith_status decode_all(bench_run *run, bench_row *row, pith_step_item *items,
                              pith_error *err)
{
    bench_repeat repeats[BENCH_MAX_REPEATS];
    double started = cli_now();
    int n = 0;
    pith_cost cost;
    stretch warm = {0};
    bench_row few = *row;
    few.n = row->n < 4 ? row->n : 4;
    pith_status status = cost_at(run, 1, row->depth, &cost, err);
    if (status == PITH_OK)
        status = decode_once(run, &few, items, &warm, err);
    while (status == PITH_OK && !enough(run, n, started)) {
        stretch s = {0};
        status = decode_repeat(run, row, &cost, items, &s, err);
        if (status != PITH_OK)
            break;
        repeats[n++] = repeat_of(&s);
        row->bound = s.bound;
    }
    if (status != PITH_OK)
        return status;
    row->attention = attention_part(&cost);
    bench_row_fill(row, repeats, n);
    return PITH_OK;
}

pith_status bench_decode(bench_run *run, bench_row *row, pith_error *err)
{
    pith_step_item *items = px_calloc((size_t)row->batch, sizeof *items);
    if (!items)
        return px_fail_memory(err, "the sessions of a row");
    pith_status status = PITH_OK;
    items[0].session = run->base;
    for (int64_t i = 0; status == PITH_OK && i < row->batch; i++) {
        items[i].n = 1;
        items[i].n_logits = 1;
        if (i > 0)
            status = pith_session_fork(run->base, row->depth, &items[i].session, err);
    }
    if (status == PITH_OK)
        status = decode_all(run, row, items, err);
    for (int64_t i = 1; i < row->batch; i++)
        pith_session_free(items[i].session);
    px_free(items);
    return status;
}

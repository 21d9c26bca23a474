/*
 * meter: measures what this machine can do at most, with the loops of kern/limits.h on all threads
 * at once. Runs are a few milliseconds long and the best counts: what disturbs a run only slows it.
 * One thread at a time.
 */
#include "base/limits.h"
#include "base/mem.h"
#include "base/pool.h"
#include "engine/engine.h"
#include "engine/options.h"
#include "engine/session.h"
#include "kern/limits.h"

#include <sys/mman.h>

#define LEAST_SPAN ((uint64_t)64 << 20)
#define MOST_SPAN  ((uint64_t)1 << 30)
#define HUGE_PAGE  ((uint64_t)2 << 20)

#define RUN_SECONDS  4e-3 // of arithmetic
#define READ_SECONDS 0.2  // of all reading, but each way once
enum {
    RUNS = 8,
    QUICK_RUNS = 2,
    MOST_READS = 5,
    SLICES = 8 // of each member's part; a quick run reads the next of them
};

typedef enum kind { READ, INT8, F32, BF16, TOUCH, N_KINDS } kind;

struct pith_meter {
    px_cpu_level level;
    px_limits limits;
    px_pool *pool;
    uint8_t *data; // [span]
    uint64_t span; // each member's part is a multiple of a cache line
    /* the work of the run that is on */
    kind kind;
    int way;
    int64_t rounds;
    int slice;                  // the next one
    bool sliced;                // of READ: that slice alone
    int64_t rounds_of[N_KINDS]; // that take RUN_SECONDS; 0: not known yet
    /* what keeps compilers from leaving work out: [members], a cache line each */
    struct sink {
        uint64_t bits;
        float x;
        char space[52];
    } * sinks;
};

static void work(void *ctx, int member)
{
    pith_meter *m = ctx;
    struct sink *sink = &m->sinks[member];
    uint8_t a[64];
    int8_t b[64];
    uint64_t part = m->span / (uint64_t)px_pool_size(m->pool) / 64 * 64;
    uint8_t *mine = m->data + part * (uint64_t)member;
    uint64_t slice = part / SLICES / 64 * 64;
    memset(a, 3, sizeof a);
    memset(b, 5, sizeof b);
    switch (m->kind) {
    case TOUCH:
        memset(mine, member + 1, part);
        break;
    case READ:
        sink->bits ^= m->sliced ? m->limits.read(mine + slice * (uint64_t)m->slice, slice, m->way)
                                : m->limits.read(mine, part, m->way);
        break;
    case INT8:
        sink->bits ^= m->limits.int8(a, b, m->rounds);
        break;
    case BF16:
        sink->x += m->limits.bf16(1.0F, 1.0F, m->rounds);
        break;
    case F32:
        sink->x += m->limits.f32(0.5F, 1.0F, m->rounds);
        break;
    case N_KINDS:
        break;
    }
}

static double run(pith_meter *m, kind what, int way, int64_t rounds)
{
    m->kind = what;
    m->way = way;
    m->rounds = rounds;
    double t = px_now();
    px_pool_run(m->pool, work, m);
    return px_now() - t;
}

/* Finds how many rounds take about RUN_SECONDS. */
static void calibrate(pith_meter *m, kind what)
{
    int64_t rounds = 64;
    for (;;) {
        double seconds = run(m, what, 0, rounds);
        if (seconds >= RUN_SECONDS || rounds > INT64_MAX / 16)
            break;
        double grow = seconds > 0 ? RUN_SECONDS * 1.2 / seconds : 8;
        rounds = (int64_t)((double)rounds * (grow > 8 ? 8 : grow)) + 1;
    }
    m->rounds_of[what] = rounds;
}

/* 10^9 operations a second of all threads. */
static double best_rate(pith_meter *m, kind what, int64_t ops, bool quick)
{
    if (m->rounds_of[what] == 0)
        calibrate(m, what);
    int64_t rounds = m->rounds_of[what];
    double best = 0;
    for (int i = 0; i < (quick ? QUICK_RUNS : RUNS); i++) {
        double seconds = run(m, what, 0, rounds);
        double rate = (double)rounds * (double)ops * px_pool_size(m->pool) / seconds / 1e9;
        if (rate > best)
            best = rate;
    }
    return best;
}

static double best_read(pith_meter *m, bool quick)
{
    double best = 0, until = px_now() + READ_SECONDS;
    uint64_t n = (uint64_t)px_pool_size(m->pool);
    uint64_t bytes = m->span / n / 64 * 64;
    if (quick)
        bytes = bytes / SLICES / 64 * 64;
    m->sliced = quick;
    for (int i = 0; i < MOST_READS && (i == 0 || (!quick && px_now() < until)); i++) {
        for (int way = 0; way < PX_LIMIT_N_WAYS; way++) {
            double rate = (double)(bytes * n) / run(m, READ, way, 0) / 1e9;
            if (rate > best)
                best = rate;
            m->slice = (m->slice + 1) % SLICES;
        }
    }
    return best;
}

static void measure(pith_meter *m, kind what, pith_limits *out, bool quick)
{
    const px_limits *l = &m->limits;
    switch (what) {
    case READ:
        out->read_gbps = best_read(m, quick);
        break;
    case INT8:
        out->int8_gops = best_rate(m, INT8, l->int8_ops, quick);
        break;
    case F32:
        out->f32_gflops = best_rate(m, F32, l->f32_ops, quick);
        break;
    case BF16:
        out->bf16_gflops = l->bf16               ? best_rate(m, BF16, l->bf16_ops, quick)
                           : out->f32_gflops > 0 ? out->f32_gflops
                                                 : best_rate(m, F32, l->f32_ops, quick);
        break;
    case TOUCH:
    case N_KINDS:
        break;
    }
}

/* ---- the door */

static uint64_t default_span(void)
{
    uint64_t total, available;
    px_machine_memory("", &total, &available);
    uint64_t span = available / 8 / HUGE_PAGE * HUGE_PAGE;
    return span < LEAST_SPAN ? LEAST_SPAN : span > MOST_SPAN ? MOST_SPAN : span;
}

static pith_status fill(pith_meter *m, const pith_meter_options *o, pith_error *err)
{
    pith_status st = px_pool_new(o->n_threads, &m->pool, err);
    if (st != PITH_OK)
        return st;
    m->sinks = px_aligned((size_t)px_pool_size(m->pool), sizeof *m->sinks, 64);
    if (!m->sinks)
        return px_fail_memory(err, "a meter");
    memset(m->sinks, 0, (size_t)px_pool_size(m->pool) * sizeof *m->sinks);
    m->span = o->read_span ? o->read_span : default_span();
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *data = mmap(NULL, m->span, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (data == MAP_FAILED)
        return px_fail_memory(err, "the memory to read through");
    m->data = data;
#if defined(MADV_HUGEPAGE)
    (void)madvise(data, m->span, MADV_HUGEPAGE);
#endif
    run(m, TOUCH, 0, 0); // each part by the thread that will read it
    return PITH_OK;
}

pith_status pith_meter_new(const pith_meter_options *options, pith_meter **out, pith_error *err)
{
    px_error_clear(err);
    if (!out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_meter_new: out is NULL");
    *out = NULL;
    pith_meter_options o = {0};
    px_cpu_level level;
    pith_status st = px_options_read(options, "pith_meter_options", &o, sizeof o, err);
    if (st == PITH_OK)
        st = px_engine_level(o.cpu, &level, err);
    if (st == PITH_OK && o.read_span > 0 && (o.read_span < HUGE_PAGE || o.read_span > SIZE_MAX / 4))
        st = px_fail(err, PITH_E_ARGUMENT, "meter option read_span is %llu, expected at least %llu",
                     (unsigned long long)o.read_span, (unsigned long long)HUGE_PAGE);
    if (st != PITH_OK)
        return st;
    pith_meter *m = px_calloc(1, sizeof *m);
    if (!m)
        return px_fail_memory(err, "a meter");
    m->level = level;
    px_limits_fill(&m->limits, level);
    st = fill(m, &o, err);
    if (st != PITH_OK) {
        pith_meter_free(m);
        return st;
    }
    *out = m;
    return PITH_OK;
}

void pith_meter_free(pith_meter *meter)
{
    if (!meter)
        return;
    if (meter->data)
        munmap(meter->data, meter->span);
    px_pool_free(meter->pool);
    px_free(meter->sinks);
    px_free(meter);
}

pith_status pith_meter_run(pith_meter *meter, pith_limits *limits, pith_progress_fn progress,
                           void *user, pith_error *err)
{
    static const struct {
        uint32_t part;
        kind kind;
    } PARTS[] = {{PITH_LIMIT_READ, READ},
                 {PITH_LIMIT_INT8, INT8},
                 {PITH_LIMIT_F32, F32},
                 {PITH_LIMIT_BF16, BF16}};
    enum { N_PARTS = sizeof PARTS / sizeof PARTS[0], ALL = (1 << N_PARTS) - 1 };
    px_error_clear(err);
    if (!meter || !limits)
        return px_fail(err, PITH_E_ARGUMENT, "pith_meter_run: an argument is NULL");
    pith_limits in = {0};
    pith_status st = px_options_read(limits, "pith_limits", &in, sizeof in, err);
    if (st == PITH_OK && in.parts > ALL)
        st = px_fail(err, PITH_E_ARGUMENT, "limits %#x are asked for, expected PITH_LIMIT_* values",
                     in.parts);
    if (st != PITH_OK)
        return st;
    pith_limits out = {.parts = in.parts ? in.parts : ALL,
                       .quick = in.quick,
                       .n_threads = px_pool_size(meter->pool),
                       .cpu = px_cpu_name(meter->level),
                       .read_span = meter->span};
    for (uint64_t i = 0; i < N_PARTS; i++) {
        if (!(out.parts & PARTS[i].part))
            continue;
        if (progress && progress(user, i, N_PARTS))
            return px_fail(err, PITH_E_CANCELLED, "cancelled while measuring this machine");
        measure(meter, PARTS[i].kind, &out, in.quick);
    }
    return px_options_write(limits, "pith_limits", &out, sizeof out, err);
}

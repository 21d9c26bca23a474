/* bench_limits: see bench.h. */
#include "cli/bench.h"
#include "cli/term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *items, int n)
{
    if (n == 0)
        return 0;
    qsort(items, (size_t)n, sizeof *items, by_size);
    return n % 2 ? items[n / 2] : (items[n / 2 - 1] + items[n / 2]) / 2;
}

static void keep(bench_limits *l, bench_bound kind, double rate)
{
    struct bench_samples *s = &l->of[kind];
    if (rate > 0 && s->n < BENCH_MAX_SAMPLES)
        s->items[s->n++] = rate;
}

static void keep_all(bench_limits *l, const bench_rates *rates)
{
    for (int i = 0; i < 4; i++)
        keep(l, (bench_bound)i, rates->of[i]);
}

static bench_rates rates_of(const pith_limits *limits)
{
    return (bench_rates){.of = {[BENCH_READ] = limits->read_gbps,
                                [BENCH_INT8] = limits->int8_gops,
                                [BENCH_BF16] = limits->bf16_gflops,
                                [BENCH_F32] = limits->f32_gflops}};
}

pith_status bench_limits_init(bench_limits *l, const bench_engine_args *args, pith_error *err)
{
    memset(l, 0, sizeof *l);
    pith_meter_options o = PITH_INIT(pith_meter_options);
    o.n_threads = (int32_t)args->threads;
    o.cpu = args->cpu;
    pith_status status = pith_meter_new(&o, &l->meter, err);
    if (status != PITH_OK)
        return status;
    l->first = PITH_INIT(pith_limits);
    cli_progress progress;
    cli_progress_start(&progress, "measuring the machine", "parts");
    status = pith_meter_run(l->meter, &l->first, cli_progress_step, &progress, err);
    cli_progress_end(&progress);
    bench_rates rates = rates_of(&l->first);
    keep_all(l, &rates);
    return status;
}

void bench_limits_clear(bench_limits *l)
{
    pith_meter_free(l->meter);
    l->meter = NULL;
}

pith_status bench_limits_sample(bench_limits *l, const pith_cost *cost, bench_rates *out,
                                pith_error *err)
{
    pith_limits limits = PITH_INIT(pith_limits);
    limits.quick = true;
    limits.parts = PITH_LIMIT_READ;
    if (cost->int8_ops > 0)
        limits.parts |= PITH_LIMIT_INT8;
    if (cost->bf16_ops > 0)
        limits.parts |= PITH_LIMIT_BF16;
    if (cost->f32_ops > 0)
        limits.parts |= PITH_LIMIT_F32;
    pith_status status = pith_meter_run(l->meter, &limits, NULL, NULL, err);
    *out = rates_of(&limits);
    keep_all(l, out);
    return status;
}

void bench_limits_range(const bench_limits *l, bench_bound kind, double *median, double *least,
                        double *most)
{
    static double sorted[BENCH_MAX_SAMPLES];
    const struct bench_samples *s = &l->of[kind];
    memcpy(sorted, s->items, (size_t)s->n * sizeof *sorted);
    *median = bench_median(sorted, s->n);
    *least = s->n > 0 ? sorted[0] : 0;
    *most = s->n > 0 ? sorted[s->n - 1] : 0;
}

static double seconds_of(uint64_t work, double rate)
{
    return rate > 0 ? (double)work / (rate * 1e9) : 0;
}

double bench_shortest(const pith_cost *cost, const bench_rates *rates, bench_bound *bound)
{
    double reading = seconds_of(cost->weight_bytes + cost->embed_bytes + cost->kv_read_bytes +
                                    cost->kv_write_bytes,
                                rates->of[BENCH_READ]);
    double parts[4] = {[BENCH_INT8] = seconds_of(cost->int8_ops, rates->of[BENCH_INT8]),
                       [BENCH_BF16] = seconds_of(cost->bf16_ops, rates->of[BENCH_BF16]),
                       [BENCH_F32] = seconds_of(cost->f32_ops, rates->of[BENCH_F32])};
    double computing = parts[BENCH_INT8] + parts[BENCH_BF16] + parts[BENCH_F32];
    bench_bound most = BENCH_INT8;
    for (int i = BENCH_INT8; i <= BENCH_F32; i++)
        if (parts[i] > parts[most])
            most = (bench_bound)i;
    *bound = reading >= computing ? BENCH_READ : most;
    return fmax(reading, computing);
}

/* meter: see meter.h. */
#include "meter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE = 64, ROUNDS = 200000 };

void meter_start(meter *m, px_cpu_level level, int n_threads)
{
    pith_error err = {0};
    m->n_threads = n_threads;
    if (px_pool_new(n_threads, &m->pool, &err) != PITH_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    px_limits_fill(&m->limits, level);
    m->seen = meter_memory(sizeof *m->seen * (size_t)n_threads);
}

void meter_stop(meter *m)
{
    px_pool_free(m->pool);
}

double meter_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void *meter_memory(size_t n)
{
    void *p = aligned_alloc(4096, (n + 8191) / 4096 * 4096);
    if (!p) {
        fprintf(stderr, "no memory for %zu bytes\n", n);
        exit(1);
    }
    return p;
}

/* ---- limits */

/* Bytes of the weights that one member reads. */
static size_t part_bytes(const meter *m)
{
    return m->read_bytes / (size_t)m->n_threads & ~(size_t)(LINE - 1);
}

static void work(void *ctx, int member)
{
    meter *m = ctx;
    uint8_t a[LINE];
    int8_t c[LINE];
    memset(a, 3, sizeof a);
    memset(c, 5, sizeof c);
    switch (m->job) {
    case METER_INT8:
        m->seen[member] = m->limits.int8(a, c, ROUNDS);
        break;
    case METER_BF16:
        m->seen[member] = m->limits.bf16(1.0f, 1.0f, ROUNDS) > 0;
        break;
    case METER_F32:
        m->seen[member] = m->limits.f32(0.5f, 1.0f, ROUNDS) > 0;
        break;
    case METER_READ:
        m->seen[member] =
            m->limits.read(m->read_from + part_bytes(m) * (size_t)member, part_bytes(m), m->way);
        break;
    }
}

/* The best of five runs that do `done` each. */
static double best_of(meter *m, double done)
{
    double best = 0;
    for (int i = 0; i < 5; i++) {
        const double t0 = meter_now();
        px_pool_run(m->pool, work, m);
        best = fmax(best, done * m->n_threads / (meter_now() - t0));
    }
    return best;
}

double meter_measure(meter *m, meter_limit what)
{
    const int64_t ops[] = {[METER_INT8] = m->limits.int8_ops,
                           [METER_BF16] = m->limits.bf16_ops,
                           [METER_F32] = m->limits.f32_ops,
                           [METER_READ] = 0};
    m->job = what;
    if (what != METER_READ)
        return best_of(m, (double)ops[what] * ROUNDS);
    double best = 0;
    for (m->way = 0; m->way < PX_LIMIT_N_WAYS; m->way++)
        best = fmax(best, best_of(m, (double)part_bytes(m)));
    return best;
}

meter_limit meter_arithmetic(const meter *m, px_act_form form, const char **name)
{
    const bool bf16 = form == PX_ACT_BF16 && m->limits.bf16;
    const bool f32 = form == PX_ACT_F32 || form == PX_ACT_BF16;
    *name = bf16 ? "bf16" : f32 ? "f32" : "int8";
    return bf16 ? METER_BF16 : f32 ? METER_F32 : METER_INT8;
}

/* ---- data */

float meter_noise(uint64_t *state)
{
    float sum = 0; // of four uniform numbers: near enough to normal
    for (int i = 0; i < 4; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(*state >> 40) * 0x1p-24f - 0.5f;
    }
    return sum;
}

uint8_t *meter_weights(px_dtype dtype, int64_t n_rows, int64_t k, size_t *row_bytes)
{
    enum { ROWS = 8 }; // encoding is slow
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    const size_t row = (size_t)(k / info->block_elements) * (size_t)info->block_bytes;
    float *x = meter_memory((size_t)k * sizeof *x);
    uint8_t *some = meter_memory(row * ROWS);
    uint64_t state = 1;
    for (int r = 0; r < ROWS; r++) {
        for (int64_t i = 0; i < k; i++)
            x[i] = 0.05f * meter_noise(&state);
        px_traits_get(dtype)->encode(x, some + (size_t)r * row, k, NULL);
    }
    uint8_t *w = meter_memory(row * (size_t)n_rows);
    for (int64_t r = 0; r < n_rows; r++)
        memcpy(w + (size_t)r * row, some + (size_t)(r % ROWS) * row, row);
    *row_bytes = row;
    free(some);
    free(x);
    return w;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void meter_sort(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, by_size);
}

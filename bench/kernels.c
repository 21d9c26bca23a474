/*
 * kernels: times one product kernel against what the machine can do, measured in the same run.
 *
 *   bench/kernels mul|tile DTYPE ROWS K COLUMNS [--level L] [--threads N] [--ms N] [--warm]
 *
 * Weights are random numbers encoded by the dtype's own encoder, as many matrices as fill 256 MiB,
 * so that each pass reads them from memory; --warm keeps one matrix. Rows are cut and handed out as
 * the decoder does it. One line each: best and median time of a matrix, the rate of operations and
 * of weight bytes, and both as a part of the limits of the same threads (kern/limits.h), which are
 * measured before and after; the higher counts. Activations are packed before.
 */
#include "base/pool.h"
#include "kern/act.h"
#include "kern/limits.h"
#include "model/pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_TIMES = 4096, COLD_BYTES = 256 << 20, LINE = 64, ROUNDS = 200000 };

typedef enum job { PRODUCT, INT8, BF16, F32, READ } job;

typedef struct bench {
    px_kern kern;
    px_limits limits;
    px_pool *pool;
    px_mul_fn fn;
    px_mul mul;
    px_act act;
    const uint8_t *w;
    size_t matrix_bytes;
    int n_matrices, n_threads;
    int64_t rows;
    double seconds;
    uint8_t *scratch; // [members, scratch_bytes]
    /* what the members are to do */
    job job;
    int matrix, way;
    volatile uint64_t *seen; // [members] keeps compilers from leaving work out
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the members */

static void product(bench *b, int member)
{
    px_mul m = b->mul;
    m.w = b->w + (size_t)b->matrix * b->matrix_bytes;
    m.scratch = b->scratch + (size_t)member * b->kern.scratch_bytes;
    const int64_t grain = px_pass_grain(b->rows), n = (b->rows + grain - 1) / grain;
    for (int64_t i; (i = px_pool_next(b->pool, member, n)) >= 0;)
        b->fn(&m, i * grain, (i + 1) * grain < b->rows ? (i + 1) * grain : b->rows);
}

/* Bytes of the weights that one member reads. */
static size_t part_bytes(const bench *b)
{
    return b->matrix_bytes * (size_t)b->n_matrices / (size_t)b->n_threads & ~(size_t)(LINE - 1);
}

static void work(void *ctx, int member)
{
    bench *b = ctx;
    uint8_t a[LINE];
    int8_t c[LINE];
    memset(a, 3, sizeof a);
    memset(c, 5, sizeof c);
    switch (b->job) {
    case PRODUCT:
        product(b, member);
        break;
    case INT8:
        b->seen[member] = b->limits.int8(a, c, ROUNDS);
        break;
    case BF16:
        b->seen[member] = b->limits.bf16(1.0f, 1.0f, ROUNDS) > 0;
        break;
    case F32:
        b->seen[member] = b->limits.f32(0.5f, 1.0f, ROUNDS) > 0;
        break;
    case READ:
        b->seen[member] =
            b->limits.read(b->w + part_bytes(b) * (size_t)member, part_bytes(b), b->way);
        break;
    }
}

static double run(bench *b, job what)
{
    b->job = what;
    const double t0 = now();
    px_pool_run(b->pool, work, b);
    return now() - t0;
}

/* What all members do of a job in a second, the best of five. */
static double limit(bench *b, job what, double done)
{
    double best = 0;
    for (int i = 0; i < 5; i++)
        best = fmax(best, done * b->n_threads / run(b, what));
    return best;
}

static double read_limit(bench *b)
{
    double best = 0;
    for (b->way = 0; b->way < PX_LIMIT_N_WAYS; b->way++)
        best = fmax(best, limit(b, READ, (double)part_bytes(b)));
    return best;
}

/* The arithmetic that the activations' form asks for. */
static double arithmetic_limit(bench *b, const char **name)
{
    if (b->act.form == PX_ACT_BF16 && b->limits.bf16) {
        *name = "bf16";
        return limit(b, BF16, (double)b->limits.bf16_ops * ROUNDS);
    }
    if (b->act.form == PX_ACT_F32 || b->act.form == PX_ACT_BF16) {
        *name = "f32";
        return limit(b, F32, (double)b->limits.f32_ops * ROUNDS);
    }
    *name = "int8";
    return limit(b, INT8, (double)b->limits.int8_ops * ROUNDS);
}

/* ---- data */

static float noise(uint64_t *state)
{
    float sum = 0; // of four uniform numbers: near enough to normal
    for (int i = 0; i < 4; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(*state >> 40) * 0x1p-24f - 0.5f;
    }
    return sum;
}

static void *memory(size_t n)
{
    void *p = aligned_alloc(4096, (n + 8191) / 4096 * 4096);
    if (!p) {
        fprintf(stderr, "kernels: no memory for %zu bytes\n", n);
        exit(1);
    }
    return p;
}

/* Encoding is slow: 8 rows are encoded and repeated. */
static void make_weights(bench *b, px_dtype dtype, int64_t k, bool warm)
{
    enum { ROWS = 8 };
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    const size_t row = (size_t)(k / info->block_elements) * (size_t)info->block_bytes;
    float *x = memory((size_t)k * sizeof *x);
    uint8_t *some = memory(row * ROWS);
    uint64_t state = 1;
    for (int r = 0; r < ROWS; r++) {
        for (int64_t i = 0; i < k; i++)
            x[i] = 0.05f * noise(&state);
        px_traits_get(dtype)->encode(x, some + (size_t)r * row, k, NULL);
    }
    b->matrix_bytes = row * (size_t)b->rows;
    b->n_matrices = warm ? 1 : (int)((COLD_BYTES + b->matrix_bytes - 1) / b->matrix_bytes);
    uint8_t *w = memory(b->matrix_bytes * (size_t)b->n_matrices);
    for (int64_t r = 0; r < b->rows * b->n_matrices; r++)
        memcpy(w + (size_t)r * row, some + (size_t)(r % ROWS) * row, row);
    b->w = w;
    b->mul.row_bytes = row;
    free(some);
    free(x);
}

static void make_activations(bench *b, px_dtype dtype, int64_t k, int64_t n)
{
    const px_act_form form = b->kern.form[px_kern_slot(dtype)];
    const size_t column = px_act_column_bytes(form, k);
    float *x = memory((size_t)(k * n) * sizeof *x);
    uint8_t *packed = memory(column * (size_t)n);
    uint64_t state = 2;
    for (int64_t i = 0; i < k * n; i++)
        x[i] = noise(&state);
    b->kern.pack[form](x, k, k, 0, n, packed, column);
    b->act = (px_act){form, k, n, packed, column};
    b->mul.dtype = dtype;
    b->mul.x = &b->act;
    b->mul.y = memory((size_t)(b->rows * n) * sizeof(float));
    b->mul.y_stride = b->rows;
    free(x);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(bench *b, const char *what)
{
    static double times[MOST_TIMES];
    const char *name;
    double top = arithmetic_limit(b, &name), top_read = read_limit(b);
    int n = 0;
    for (int i = 0; i < 2 * b->n_matrices && i < 8; i++) { // warm up
        b->matrix = i % b->n_matrices;
        run(b, PRODUCT);
    }
    for (const double end = now() + b->seconds; n < MOST_TIMES && (n < 8 || now() < end); n++) {
        b->matrix = (b->matrix + 1) % b->n_matrices;
        times[n] = run(b, PRODUCT);
    }
    qsort(times, (size_t)n, sizeof *times, by_size);
    top = fmax(top, arithmetic_limit(b, &name));
    top_read = fmax(top_read, read_limit(b));
    const double ops = 2.0 * (double)b->rows * (double)b->act.k * (double)b->act.n;
    const double bytes = (double)b->matrix_bytes, best = times[0], median = times[n / 2];
    printf("%s, %s, %d threads: best %.3f ms, median %.3f ms of %d\n", what,
           px_cpu_name(b->kern.level), b->n_threads, best * 1e3, median * 1e3, n);
    printf("  %.1f GOP/s (median %.1f): %.1f %% (%.1f) of the %s limit %.1f\n", ops / best / 1e9,
           ops / median / 1e9, 100 * ops / best / top, 100 * ops / median / top, name, top / 1e9);
    printf("  %.2f GB/s of weights (median %.2f): %.1f %% (%.1f) of the read limit %.1f\n",
           bytes / best / 1e9, bytes / median / 1e9, 100 * bytes / best / top_read,
           100 * bytes / median / top_read, top_read / 1e9);
}

/* ---- the program */

static int usage(void)
{
    fprintf(stderr,
            "usage: kernels mul|tile DTYPE ROWS K COLUMNS [--level L] [--threads N] [--ms N] "
            "[--warm]\n");
    return 2;
}

static bool parse_options(int argc, char **argv, bench *b, px_cpu_level *level, bool *warm)
{
    for (int i = 6; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--warm") == 0)
            *warm = true;
        else if (strcmp(argv[i], "--level") == 0 && px_cpu_find(value, level))
            i++;
        else if (strcmp(argv[i], "--threads") == 0 && atoi(value) > 0)
            b->n_threads = atoi(value), i++;
        else if (strcmp(argv[i], "--ms") == 0 && atoi(value) > 0)
            b->seconds = atoi(value) * 1e-3, i++;
        else
            return false;
    }
    return true;
}

static bool find_dtype(const char *name, px_dtype *out)
{
#define FIND(id, value, text, block, bytes, computes) \
    if (computes && strcmp(name, text) == 0) {        \
        *out = id;                                    \
        return true;                                  \
    }
    PX_DTYPES(FIND)
#undef FIND
    return false;
}

int main(int argc, char **argv)
{
    static bench b = {.n_threads = 2, .seconds = 1.0};
    px_cpu_level level = px_cpu_detect();
    px_dtype dtype;
    bool warm = false;
    if (argc < 6 || !find_dtype(argv[2], &dtype) || !parse_options(argc, argv, &b, &level, &warm))
        return usage();
    const int64_t k = atoll(argv[4]), n = atoll(argv[5]);
    b.rows = atoll(argv[3]);
    pith_error err = {0};
    if (px_kern_fill(&b.kern, level, &err) != PITH_OK) {
        fprintf(stderr, "kernels: %s\n", err.text);
        return 1;
    }
    const int slot = px_kern_slot(dtype);
    b.fn = strcmp(argv[1], "tile") == 0 ? b.kern.tile[slot] : b.kern.mul[slot];
    if (!b.fn || b.rows < 1 || n < 1 || k < 1 ||
        k % px_dtype_get((uint32_t)dtype)->block_elements != 0)
        return usage();
    if (px_pool_new(b.n_threads, &b.pool, &err) != PITH_OK) {
        fprintf(stderr, "kernels: %s\n", err.text);
        return 1;
    }
    px_limits_fill(&b.limits, level);
    b.scratch = memory(b.kern.scratch_bytes * (size_t)b.n_threads);
    b.seen = memory(sizeof *b.seen * (size_t)b.n_threads);
    make_weights(&b, dtype, k, warm);
    make_activations(&b, dtype, k, n);
    char what[128];
    snprintf(what, sizeof what, "%s %s %lldx%lld, %lld columns%s", argv[1], argv[2],
             (long long)b.rows, (long long)k, (long long)n, warm ? ", warm" : "");
    measure(&b, what);
    px_pool_free(b.pool);
    return 0;
}

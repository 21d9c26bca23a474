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
#include "meter.h"
#include "model/pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TIMES = 4096, COLD_BYTES = 256 << 20 };

typedef struct bench {
    meter meter;
    px_kern kern;
    px_mul_fn fn;
    px_mul mul;
    px_act act;
    const uint8_t *w;
    size_t matrix_bytes;
    int n_matrices, n_threads;
    int64_t rows;
    double seconds;
    uint8_t *scratch; // [members, scratch_bytes]
    int matrix;       // the one to multiply
} bench;

/* ---- the members */

static void product(void *ctx, int member)
{
    const bench *b = ctx;
    px_mul m = b->mul;
    m.w = b->w + (size_t)b->matrix * b->matrix_bytes;
    m.scratch = b->scratch + (size_t)member * b->kern.scratch_bytes;
    const int64_t grain = px_pass_grain(b->rows), n = (b->rows + grain - 1) / grain;
    for (int64_t i; (i = px_pool_next(b->meter.pool, member, n)) >= 0;)
        b->fn(&m, i * grain, (i + 1) * grain < b->rows ? (i + 1) * grain : b->rows);
}

static double run(bench *b)
{
    const double t0 = meter_now();
    px_pool_run(b->meter.pool, product, b);
    return meter_now() - t0;
}

/* ---- data */

static void make_weights(bench *b, px_dtype dtype, int64_t k, bool warm)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    b->matrix_bytes = (size_t)(k / info->block_elements * b->rows) * (size_t)info->block_bytes;
    b->n_matrices = warm ? 1 : (int)((COLD_BYTES + b->matrix_bytes - 1) / b->matrix_bytes);
    b->w = meter_weights(dtype, b->rows * b->n_matrices, k, &b->mul.row_bytes);
    b->meter.read_from = b->w;
    b->meter.read_bytes = b->matrix_bytes * (size_t)b->n_matrices;
}

static void make_activations(bench *b, px_dtype dtype, int64_t k, int64_t n)
{
    const px_act_form form = b->kern.form[px_kern_slot(dtype)];
    const size_t column = px_act_column_bytes(form, k);
    float *x = meter_memory((size_t)(k * n) * sizeof *x);
    uint8_t *packed = meter_memory(column * (size_t)n);
    uint64_t state = 2;
    for (int64_t i = 0; i < k * n; i++)
        x[i] = meter_noise(&state);
    b->kern.pack[form](x, k, k, 0, n, packed, column);
    b->act = (px_act){form, k, n, packed, column};
    b->mul.dtype = dtype;
    b->mul.x = &b->act;
    b->mul.y = meter_memory((size_t)(b->rows * n) * sizeof(float));
    b->mul.y_stride = b->rows;
    free(x);
}

static void measure(bench *b, const char *what)
{
    static double times[MOST_TIMES];
    const char *name;
    const meter_limit arithmetic = meter_arithmetic(&b->meter, b->act.form, &name);
    double top = meter_measure(&b->meter, arithmetic);
    double top_read = meter_measure(&b->meter, METER_READ);
    int n = 0;
    for (int i = 0; i < 2 * b->n_matrices && i < 8; i++) { // warm up
        b->matrix = i % b->n_matrices;
        run(b);
    }
    for (const double end = meter_now() + b->seconds;
         n < MOST_TIMES && (n < 8 || meter_now() < end); n++) {
        b->matrix = (b->matrix + 1) % b->n_matrices;
        times[n] = run(b);
    }
    meter_sort(times, n);
    top = fmax(top, meter_measure(&b->meter, arithmetic));
    top_read = fmax(top_read, meter_measure(&b->meter, METER_READ));
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
    meter_start(&b.meter, level, b.n_threads);
    b.scratch = meter_memory(b.kern.scratch_bytes * (size_t)b.n_threads);
    make_weights(&b, dtype, k, warm);
    make_activations(&b, dtype, k, n);
    char what[128];
    snprintf(what, sizeof what, "%s %s %lldx%lld, %lld columns%s", argv[1], argv[2],
             (long long)b.rows, (long long)k, (long long)n, warm ? ", warm" : "");
    measure(&b, what);
    meter_stop(&b.meter);
    return 0;
}

/*
 * grad: times the kernels of training against the arithmetic that the machine can do, measured in
 * the same run.
 *
 *   bench/grad forward|back DTYPE ROWS COLS COLUMNS      products with weights, unpacking included
 *   bench/grad nt|nn|tn|weight M N K                     products of f32 matrices
 *   bench/grad attend|attend_back TOKENS HEADS HEAD_DIM [WINDOW]
 *   bench/grad norm|silu|gelu|loss ROWS WIDTH
 *   options behind: [--level L] [--threads N] [--ms N] [--grain N]
 *
 * Operations of attention count what tokens see, back five products for the forward's two. Rows
 * count no operations: the bytes that they read and write count. One line: best and median time,
 * the rate, and both as a part of the limit of the same threads, measured before and after.
 */
#include "kern/grad.h"
#include "meter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TIMES = 4096, MOST_NUMBERS = 5 };

typedef struct bench {
    meter meter;
    px_kern kern;
    px_grad grad;
    const char *op;
    int64_t at[MOST_NUMBERS]; // the numbers of the command
    double seconds, ops, bytes;
    uint8_t *scratch;
    size_t scratch_bytes;
    px_grad_mul mul;
    px_grad_mul_fn mul_fn;
    px_gemm gemm;
    px_gemm_fn gemm_fn;
    px_grad_attn attn;
    px_grad_attn_fn attn_fn;
    px_act act;
    float *rows[5]; // [ROWS, WIDTH]
    bool bf16;      // the arithmetic that counts
    int64_t length, grain, wanted_grain;
    void (*piece)(struct bench *b, void *scratch, int64_t first, int64_t end);
} bench;

static bool is(const bench *b, const char *op)
{
    return strcmp(b->op, op) == 0;
}

/* ---- the members */

static void work(void *ctx, int member)
{
    bench *b = ctx;
    const int64_t n = (b->length + b->grain - 1) / b->grain;
    for (int64_t i; (i = px_pool_next(b->meter.pool, member, n)) >= 0;) {
        const int64_t end = (i + 1) * b->grain;
        b->piece(b, b->scratch + (size_t)member * b->scratch_bytes, i * b->grain,
                 end < b->length ? end : b->length);
    }
}

static void mul_piece(bench *b, void *scratch, int64_t first, int64_t end)
{
    px_grad_mul m = b->mul;
    m.scratch = scratch;
    b->mul_fn(&m, first, end);
}

static void gemm_piece(bench *b, void *scratch, int64_t first, int64_t end)
{
    px_gemm g = b->gemm;
    g.scratch = scratch;
    b->gemm_fn(&g, first, end);
}

/* Few rows and many columns: cut the columns. */
static void gemm_columns(bench *b, void *scratch, int64_t first, int64_t end)
{
    px_gemm g = b->gemm;
    g.scratch = scratch;
    g.b += first;
    g.c += first;
    g.n = end - first;
    b->gemm_fn(&g, 0, g.m);
}

static void attn_piece(bench *b, void *scratch, int64_t first, int64_t end)
{
    for (int64_t h = first; h < end; h++) {
        px_grad_attn a = b->attn;
        const int64_t d = h * a.head_dim;
        a.scratch = scratch;
        a.q += d, a.k += d, a.v += d, a.out += d, a.dout += d, a.dq += d, a.dk += d, a.dv += d;
        a.lse += h;
        b->attn_fn(&a);
    }
}

static void rows_piece(bench *b, void *scratch, int64_t first, int64_t end)
{
    (void)scratch;
    const int64_t n = b->at[1];
    for (int64_t r = first; r < end; r++) {
        float *x[5];
        for (int i = 0; i < 5; i++)
            x[i] = b->rows[i] + r * n;
        if (is(b, "norm"))
            b->grad.norm_back(x[0], b->rows[1], 1e-6f, x[2], x[3], NULL, n);
        else if (is(b, "silu"))
            b->grad.silu_back(x[0], x[1], x[2], x[3], x[4], n);
        else if (is(b, "gelu"))
            b->grad.gelu_back(x[0], x[1], x[2], x[3], x[4], n);
        else
            b->grad.loss(x[0], n, (int32_t)(r % n), 0.0f, 0.01f);
    }
}

/* ---- data */

static float *numbers(int64_t n)
{
    float *x = meter_memory((size_t)n * sizeof *x);
    uint64_t state = 2;
    for (int64_t i = 0; i < n; i++)
        x[i] = meter_noise(&state);
    return x;
}

static void make_mul(bench *b, px_dtype dtype)
{
    const bool back = is(b, "back");
    const int64_t rows = b->at[0], cols = b->at[1], n = b->at[2];
    const int64_t in = back ? rows : cols, out = back ? cols : rows;
    const size_t column = px_act_column_bytes(b->grad.form, in);
    float *x = numbers(in * n);
    uint8_t *packed = meter_memory(column * (size_t)n);
    b->kern.pack[b->grad.form](x, in, in, 0, n, packed, column);
    free(x);
    b->act = (px_act){b->grad.form, in, n, packed, column};
    b->mul.dtype = dtype;
    b->mul.rows = rows;
    b->mul.cols = cols;
    b->mul.w = meter_weights(dtype, rows, cols, &b->mul.row_bytes);
    b->mul.x = &b->act;
    b->mul.y = numbers(out * n);
    b->mul.y_stride = out;
    b->mul_fn = (back ? b->grad.back : b->grad.forward)[px_kern_slot(dtype)];
    b->scratch_bytes = b->grad.scratch_bytes;
    b->ops = 2.0 * (double)rows * (double)cols * (double)n;
    b->bf16 = b->grad.form == PX_ACT_BF16;
    b->length = out;
    b->grain = back ? PX_GRAD_COLS : PX_GRAD_ROWS;
    b->piece = mul_piece;
}

static void make_gemm(bench *b)
{
    const int64_t m = b->at[0], n = b->at[1], k = b->at[2];
    const bool nt = is(b, "nt"), nn = is(b, "nn");
    const int64_t a_stride = nt || nn ? k : m, b_stride = nt ? k : n;
    b->gemm = (px_gemm){numbers(m * k),
                        numbers(n * k),
                        numbers(m * n),
                        a_stride,
                        b_stride,
                        n,
                        m,
                        n,
                        k,
                        0.5f,
                        true,
                        NULL};
    b->gemm_fn = nt            ? b->grad.gemm_nt
                 : nn          ? b->grad.gemm_nn
                 : is(b, "tn") ? b->grad.gemm_tn
                               : b->grad.weight_grad;
    b->scratch_bytes = b->grad.scratch_bytes;
    b->ops = 2.0 * (double)m * (double)n * (double)k;
    b->bf16 = is(b, "weight") && b->grad.form == PX_ACT_BF16;
    const bool few = m < 2 * PX_GEMM_ROWS && !nt;
    b->length = few ? n : m;
    b->grain = few ? 256 : 128;
    b->piece = few ? gemm_columns : gemm_piece;
}

static void make_attn(bench *b)
{
    const int64_t n = b->at[0], heads = b->at[1], dim = b->at[2], window = b->at[3];
    const int64_t s = heads * dim;
    const bool back = is(b, "attend_back");
    px_grad_attn *a = &b->attn;
    a->n = n;
    a->head_dim = a->value_dim = (int32_t)dim;
    a->window = window;
    a->scale = 1.0f / sqrtf((float)dim);
    a->q = numbers(n * s), a->k = numbers(n * s), a->v = numbers(n * s), a->dout = numbers(n * s);
    a->out = numbers(n * s), a->dq = numbers(n * s), a->dk = numbers(n * s), a->dv = numbers(n * s);
    a->lse = numbers(n * heads);
    a->q_stride = a->k_stride = a->v_stride = a->out_stride = a->dout_stride = s;
    a->dq_stride = a->dk_stride = a->dv_stride = s;
    a->lse_stride = heads;
    b->attn_fn = back ? b->grad.attention_back : b->grad.attention;
    b->scratch_bytes = px_grad_attn_scratch(a->head_dim, a->value_dim);
    double seen = 0;
    for (int64_t i = 0; i < n; i++)
        seen += (double)(window > 0 && i >= window ? window : i + 1);
    b->ops = (back ? 10.0 : 4.0) * seen * (double)dim * (double)heads;
    b->bf16 = b->grad.form == PX_ACT_BF16;
    b->length = heads;
    b->grain = 1;
    b->piece = attn_piece;
}

static void make_rows(bench *b)
{
    const int64_t n = b->at[0] * b->at[1];
    const int arrays = is(b, "loss") ? 1 : 5;
    for (int i = 0; i < 5; i++)
        b->rows[i] = i < arrays ? numbers(n) : b->rows[0];
    b->bytes = 4.0 * (double)n * (is(b, "loss") ? 3 : is(b, "norm") ? 4 : 5);
    b->length = b->at[0];
    b->grain = 8;
    b->piece = rows_piece;
}

/* ---- measuring */

static double run(bench *b)
{
    const double t0 = meter_now();
    px_pool_run(b->meter.pool, work, b);
    return meter_now() - t0;
}

static void measure(bench *b, const char *what)
{
    static double times[MOST_TIMES];
    const meter_limit limit = b->bf16 ? METER_BF16 : METER_F32;
    double top = meter_measure(&b->meter, limit);
    int n = 0;
    run(b);
    for (const double end = meter_now() + b->seconds;
         n < MOST_TIMES && (n < 4 || meter_now() < end); n++)
        times[n] = run(b);
    meter_sort(times, n);
    top = fmax(top, meter_measure(&b->meter, limit));
    const double best = times[0], median = times[n / 2];
    printf("%s, %s, %d threads: best %.3f ms, median %.3f ms of %d: ", what,
           px_cpu_name(b->grad.level), b->meter.n_threads, best * 1e3, median * 1e3, n);
    if (b->ops > 0)
        printf("%.1f GOP/s (%.1f), %.1f %% (%.1f) of the %s limit %.1f\n", b->ops / best / 1e9,
               b->ops / median / 1e9, 100 * b->ops / best / top, 100 * b->ops / median / top,
               b->bf16 ? "bf16" : "f32", top / 1e9);
    else
        printf("%.2f GB/s (%.2f)\n", b->bytes / best / 1e9, b->bytes / median / 1e9);
}

/* ---- the program */

static int usage(void)
{
    fprintf(stderr, "usage: grad forward|back DTYPE ROWS COLS COLUMNS | nt|nn|tn|weight M N K | "
                    "attend|attend_back TOKENS HEADS HEAD_DIM [WINDOW] | norm|silu|gelu|loss ROWS "
                    "WIDTH [--level L] [--threads N] [--ms N] [--grain N]\n");
    return 2;
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

/* Numbers from argument `i` on, then options. Returns how many numbers, or -1. */
static int parse(int argc, char **argv, int i, bench *b, px_cpu_level *level)
{
    int n = 0;
    for (; i < argc && argv[i][0] != '-' && n < MOST_NUMBERS; i++)
        b->at[n++] = atoll(argv[i]);
    for (; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--level") == 0 && px_cpu_find(argv[i + 1], level))
            continue;
        if (strcmp(argv[i], "--threads") == 0 && atoi(argv[i + 1]) > 0)
            b->meter.n_threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--grain") == 0 && atoi(argv[i + 1]) > 0)
            b->wanted_grain = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--ms") == 0 && atoi(argv[i + 1]) > 0)
            b->seconds = atoi(argv[i + 1]) * 1e-3;
        else
            return -1;
    }
    for (int j = 0; j < n && j < 3; j++)
        if (b->at[j] < 1)
            return -1;
    return i == argc ? n : -1;
}

static bool make(bench *b, int n, const px_dtype *dtype)
{
    if (dtype)
        return n == 3 && b->at[1] % px_dtype_get((uint32_t)*dtype)->block_elements == 0 &&
               (make_mul(b, *dtype), true);
    if (is(b, "nt") || is(b, "nn") || is(b, "tn") || is(b, "weight"))
        return n == 3 && (make_gemm(b), true);
    if (is(b, "attend") || is(b, "attend_back"))
        return (n == 3 || n == 4) && b->at[2] <= PX_GRAD_HEAD && (make_attn(b), true);
    if (is(b, "norm") || is(b, "silu") || is(b, "gelu") || is(b, "loss"))
        return n == 2 && (make_rows(b), true);
    return false;
}

int main(int argc, char **argv)
{
    static bench b = {.seconds = 1.0, .meter = {.n_threads = 2}};
    px_cpu_level level = px_cpu_detect();
    px_dtype dtype;
    b.op = argc > 1 ? argv[1] : "";
    const bool weights = is(&b, "forward") || is(&b, "back");
    if (weights && (argc < 3 || !find_dtype(argv[2], &dtype)))
        return usage();
    const int n = parse(argc, argv, weights ? 3 : 2, &b, &level);
    pith_error err = {0};
    if (px_kern_fill(&b.kern, level, &err) != PITH_OK ||
        px_grad_fill(&b.grad, level, &err) != PITH_OK) {
        fprintf(stderr, "grad: %s\n", err.text);
        return 1;
    }
    if (!make(&b, n, weights ? &dtype : NULL))
        return usage();
    if (b.wanted_grain > 0)
        b.grain = b.wanted_grain;
    meter_start(&b.meter, level, b.meter.n_threads);
    b.scratch = meter_memory(b.scratch_bytes * (size_t)b.meter.n_threads);
    char what[128];
    snprintf(what, sizeof what, "%s %s%s%lld %lld %lld", b.op, weights ? argv[2] : "",
             weights ? " " : "", (long long)b.at[0], (long long)b.at[1], (long long)b.at[2]);
    measure(&b, what);
    meter_stop(&b.meter);
    return 0;
}

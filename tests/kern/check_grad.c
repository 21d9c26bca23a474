/*
 * check_grad: training's products, forward and back with weights of every dtype, and of f32
 * matrices.
 *
 * Expected values come from traits.decode and double arithmetic. The bound is (depth + 8) * EPS *
 * (sum |a b| + |what was added to|), depth the length of the reduction: each element is one lane
 * through which all terms go. Where the level multiplies bf16, the expected value is that of the
 * operands rounded to bf16: only the sums differ.
 */
#include "check.h"

#include "kern/act.h"
#include "kern/half.h"

#include <string.h>

static float as_bf16(float x)
{
    return px_bf16_to_f32(px_f32_to_bf16(x));
}

/* ---- weights */

typedef struct product {
    px_grad_mul m;
    px_act act;
    bool back;
    float *x;  // [n, in], as packed
    float *w;  // [rows, cols], as multiplied
    float *y0; // [n, y_stride], what y holds before
    int64_t in, out;
} product;

static px_grad_mul_fn kernel(const check *c, const product *p)
{
    const int slot = px_kern_slot(p->m.dtype);
    return p->back ? c->grad->back[slot] : c->grad->forward[slot];
}

static void pack(check *c, product *p)
{
    uint8_t *packed = (uint8_t *)(uintptr_t)p->act.data;
    c->ref->pack[c->grad->form](p->x, p->in, p->in, 0, p->act.n, packed, p->act.column_bytes);
    for (int64_t i = 0; c->grad->form == PX_ACT_BF16 && i < p->in * p->act.n; i++)
        p->x[i] = as_bf16(p->x[i]);
}

static void decode(check *c, product *p)
{
    for (int64_t r = 0; r < p->m.rows; r++) {
        float *row = p->w + r * p->m.cols;
        px_traits_get(p->m.dtype)->decode(p->m.w + (size_t)r * p->m.row_bytes, row, p->m.cols);
        for (int64_t k = 0; c->grad->form == PX_ACT_BF16 && k < p->m.cols; k++)
            row[k] = as_bf16(row[k]);
    }
}

static size_t y_bytes(const product *p)
{
    return (size_t)(p->act.n * p->m.y_stride) * sizeof(float);
}

static void make(check *c, product *p, px_dtype dtype, bool back, int64_t rows, int64_t cols,
                 int64_t n, check_data kind)
{
    *p = (product){.back = back, .in = back ? rows : cols, .out = back ? cols : rows};
    p->m = (px_grad_mul){.dtype = dtype, .rows = rows, .cols = cols, .add = check_int(c, 0, 1)};
    p->m.w = check_weights(c, dtype, rows, cols, kind, &p->m.row_bytes);
    const size_t column = px_act_column_bytes(c->grad->form, p->in);
    p->act = (px_act){c->grad->form, p->in, n, check_memory(column * (size_t)n), column};
    p->x = check_memory((size_t)(p->in * n) * sizeof(float));
    for (int64_t i = 0; i < p->in * n; i++)
        p->x[i] = kind == EXACT ? (float)check_int(c, -3, 3) : check_normal(c, 1.0f);
    pack(c, p);
    p->w = check_memory((size_t)(rows * cols) * sizeof(float));
    decode(c, p);
    p->m.x = &p->act;
    p->m.y_stride = p->out + 3; // three floats behind each column must stay
    p->y0 = check_memory(y_bytes(p));
    for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < p->out; r++)
            p->y0[i * p->m.y_stride + r] =
                kind == EXACT ? (float)check_int(c, -3, 3) : check_normal(c, 1.0f);
    p->m.scratch = check_memory(c->grad->scratch_bytes);
}

/* y, from what it held before. */
static float *multiply(check *c, product *p, const int64_t *cuts, int n_cuts)
{
    float *y = check_memory(y_bytes(p));
    memcpy(y, p->y0, y_bytes(p));
    p->m.y = y;
    for (int i = n_cuts - 1; i > 0; i--) // last piece first
        kernel(c, p)(&p->m, cuts[i - 1], cuts[i]);
    return y;
}

static void compare(check *c, const product *p, const float *y, check_data kind)
{
    const char *what = test_format(
        "%s %s %lldx%lld, %lld columns%s, data %d, (element, column)", p->back ? "back" : "forward",
        px_dtype_name((uint32_t)p->m.dtype), (long long)p->m.rows, (long long)p->m.cols,
        (long long)p->act.n, p->m.add ? ", added" : "", (int)kind);
    for (int64_t r = 0; r < p->out; r++)
        for (int64_t col = 0; col < p->act.n; col++) {
            double sum = p->m.add ? (double)p->y0[col * p->m.y_stride + r] : 0, size = fabs(sum);
            for (int64_t i = 0; i < p->in; i++) {
                const float w = p->back ? p->w[i * p->m.cols + r] : p->w[r * p->m.cols + i];
                const double term = (double)w * (double)p->x[col * p->in + i];
                sum += term;
                size += fabs(term);
            }
            const double bound = kind == EXACT ? 0 : ((double)p->in + 8) * EPS * size;
            if (!check_near(c, y[col * p->m.y_stride + r], sum, bound, what, r, col))
                return;
        }
}

static void check_one(check *c, px_dtype dtype, bool back, int64_t rows, int64_t cols, int64_t n,
                      check_data kind)
{
    if (c->failed)
        return;
    product p;
    make(c, &p, dtype, back, rows, cols, n, kind);
    const float *y = multiply(c, &p, (int64_t[]){0, p.out}, 2);
    compare(c, &p, y, kind);
    for (int64_t col = 0; col < n; col++)
        if (!check_untouched(y + col * p.m.y_stride + p.out, 3 * sizeof(float)))
            check_fail(c, "wrote behind column %lld of %lld", (long long)col, (long long)p.out);
    // pieces give the same bits
    const int64_t step = back ? 256 : 1;
    const int64_t cut = p.out / 2 / step * step, next = p.out < cut + step ? p.out : cut + step;
    const float *parts = multiply(c, &p, (int64_t[]){0, cut, next, p.out}, 4);
    if (memcmp(parts, y, y_bytes(&p)) != 0)
        check_fail(c, "%s %lldx%lld in pieces differs", back ? "back" : "forward", (long long)rows,
                   (long long)cols);
    check_release();
}

/* A NaN in a column reaches that column alone; one in the weights reaches what reads it. */
static void check_not_finite(check *c, px_dtype dtype, bool back)
{
    product p;
    if (c->failed)
        return;
    make(c, &p, dtype, back, 5, 512, 3, ORDINARY);
    p.x[p.in + 2] = check_int(c, 0, 1) ? NAN : INFINITY;
    pack(c, &p);
    const bool spoilt = check_spoil(dtype, (uint8_t *)(uintptr_t)p.m.w + 2 * p.m.row_bytes);
    decode(c, &p);
    const float *y = multiply(c, &p, (int64_t[]){0, p.out}, 2);
    for (int64_t r = 0; r < p.out; r++)
        for (int64_t col = 0; col < 3; col++) {
            const bool touched = back ? isnan(p.w[2 * p.m.cols + r]) : r == 2;
            const bool want = col != 1 && !(spoilt && touched);
            c->n_compared++;
            if ((bool)isfinite(y[col * p.m.y_stride + r]) != want)
                check_fail(c, "%s: element %lld column %lld is %g", back ? "back" : "forward",
                           (long long)r, (long long)col, (double)y[col * p.m.y_stride + r]);
        }
    check_release();
}

static void check_products(check *c, px_dtype dtype, bool back)
{
    static const int64_t ROWS[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 95, 97, 200};
    static const int64_t NS[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 24, 29};
    static const int64_t FLOAT_COLS[] = {0, 1, 2, 15, 16, 17, 31, 33, 127, 255, 256, 257, 300, 515};
    enum { N = sizeof ROWS / sizeof ROWS[0] };
    const int64_t block = px_dtype_get((uint32_t)dtype)->block_elements;
    for (int i = 0; i < N; i++) { // every count of rows, of columns; a random count of the third
        const int64_t blocks = block == 256 ? i % 4 : i * i % 19;
        const int64_t cols = block == 1 ? FLOAT_COLS[i] : blocks * block;
        check_one(c, dtype, back, ROWS[i], cols, NS[check_int(c, 0, N - 1)], ORDINARY);
        check_one(c, dtype, back, ROWS[check_int(c, 0, N - 1)], cols, NS[i], ORDINARY);
    }
    const int64_t many = c->quick ? 300 : 1100; // more than a run of the reduction
    check_one(c, dtype, back, back ? many : 37, back ? 256 : 1280, 14, ORDINARY);
    check_one(c, dtype, back, 40, 256, 13, EXTREME);
    if (dtype != PX_NF4 && dtype != PX_Q8_0)
        check_one(c, dtype, back, 9, 256, 5, EXACT);
    check_not_finite(c, dtype, back);
    check_not_finite(c, dtype, back);
}

void check_forward(check *c, px_dtype dtype)
{
    check_products(c, dtype, false);
}

void check_back(check *c, px_dtype dtype)
{
    check_products(c, dtype, true);
}

/* ---- matrices */

typedef enum walk { NT, NN, TN } walk;

typedef struct matrices {
    px_gemm g;
    walk way;
    int64_t rows_a, rows_b; // of a and b as they lie
    float *a, *b, *c0;
} matrices;

static float *matrix(check *c, int64_t rows, int64_t stride)
{
    float *x = check_memory((size_t)(rows * stride) * sizeof *x);
    for (int64_t i = 0; i < rows * stride; i++)
        x[i] = check_normal(c, 1.0f);
    return x;
}

static void run(px_gemm_fn fn, matrices *p, float *out, const int64_t *cuts, int n_cuts)
{
    memcpy(out, p->c0, (size_t)(p->g.m * p->g.c_stride) * sizeof *out);
    p->g.c = out;
    for (int i = n_cuts - 1; i > 0; i--)
        fn(&p->g, cuts[i - 1], cuts[i]);
}

static double element(const matrices *p, int64_t i, int64_t j, bool bf16, double *size)
{
    const px_gemm *g = &p->g;
    double sum = g->add ? (double)p->c0[i * g->c_stride + j] : 0;
    *size = fabs(sum);
    for (int64_t k = 0; k < g->k; k++) {
        float a = p->way == TN ? p->a[k * g->a_stride + i] : p->a[i * g->a_stride + k];
        float b = p->way == NT ? p->b[j * g->b_stride + k] : p->b[k * g->b_stride + j];
        if (bf16) {
            a = as_bf16(a);
            b = as_bf16(b);
        }
        const double term = (double)g->alpha * (double)a * (double)b;
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_matrices(check *c, px_gemm_fn fn, walk way, bool bf16, int64_t m, int64_t n,
                           int64_t k)
{
    if (c->failed)
        return;
    matrices p = {.way = way};
    const int64_t wide_a = way == TN ? m : k, wide_b = way == NT ? k : n;
    p.rows_a = way == TN ? k : m;
    p.rows_b = way == NT ? n : k;
    p.g = (px_gemm){.m = m, .n = n, .k = k, .add = check_int(c, 0, 1)};
    p.g.a_stride = wide_a + check_int(c, 0, 1) * 5;
    p.g.b_stride = wide_b + check_int(c, 0, 1) * 7;
    p.g.c_stride = n + 3;
    p.g.alpha = check_int(c, 0, 1) ? 1.0f : 0.37f;
    // the last rows end at the inaccessible page
    p.a = matrix(c, p.rows_a, p.g.a_stride) + (p.rows_a > 0 ? p.g.a_stride - wide_a : 0);
    p.b = matrix(c, p.rows_b, p.g.b_stride) + (p.rows_b > 0 ? p.g.b_stride - wide_b : 0);
    p.c0 = matrix(c, m, p.g.c_stride);
    p.g.a = p.a;
    p.g.b = p.b;
    p.g.scratch = check_memory(c->grad->scratch_bytes);
    float *out = matrix(c, m, p.g.c_stride), *parts = matrix(c, m, p.g.c_stride);
    run(fn, &p, out, (int64_t[]){0, m}, 2);
    const char *what = test_format("%lldx%lldx%lld%s at (row, column)", (long long)m, (long long)n,
                                   (long long)k, p.g.add ? ", added" : "");
    for (int64_t i = 0; i < m && !c->failed; i++) {
        for (int64_t j = 0; j < n; j++) {
            double size;
            const double want = element(&p, i, j, bf16, &size);
            check_near(c, out[i * p.g.c_stride + j], want, ((double)k + 8) * EPS * size, what, i,
                       j);
        }
        for (int64_t j = n; j < p.g.c_stride; j++)
            check_same(c, out[i * p.g.c_stride + j], p.c0[i * p.g.c_stride + j], "behind a row", i,
                       j);
    }
    const int64_t cut = m / 2, next = m < cut + 1 ? m : cut + 1;
    run(fn, &p, parts, (int64_t[]){0, cut, next, m}, 4);
    if (memcmp(out, parts, (size_t)(m * p.g.c_stride) * sizeof *out) != 0)
        check_fail(c, "%s: in pieces differs", what);
    check_release();
}

static void check_gemm(check *c, px_gemm_fn fn, walk way, bool bf16)
{
    static const int64_t SIZES[] = {0,  1,  2,  3,  4,  5,  7,  8,  11, 12, 13, 15,
                                    16, 17, 24, 31, 32, 33, 48, 64, 65, 97, 128};
    enum { N = sizeof SIZES / sizeof SIZES[0] };
    for (int i = 0; i < N; i++) {
        const int64_t other = SIZES[check_int(c, 0, N - 1)], third = SIZES[check_int(c, 0, N - 1)];
        check_matrices(c, fn, way, bf16, SIZES[i], other, third);
        check_matrices(c, fn, way, bf16, third, SIZES[i], other);
        check_matrices(c, fn, way, bf16, other, third, SIZES[i]);
    }
    const int64_t large = c->quick ? 130 : 601;
    check_matrices(c, fn, way, bf16, large, 16, 19);
    check_matrices(c, fn, way, bf16, 16, large, 19);
    check_matrices(c, fn, way, bf16, 19, 16, 2 * large);
    check_matrices(c, fn, way, bf16, 211, 230, 70);
}

void check_gemm_nt(check *c)
{
    check_gemm(c, c->grad->gemm_nt, NT, false);
}

void check_gemm_nn(check *c)
{
    check_gemm(c, c->grad->gemm_nn, NN, false);
}

void check_gemm_tn(check *c)
{
    check_gemm(c, c->grad->gemm_tn, TN, false);
}

void check_weight_grad(check *c)
{
    check_gemm(c, c->grad->weight_grad, TN, c->grad->form == PX_ACT_BF16);
}

/*
 * grad: the gradients of every operation of training (kern/ref/grad*.c, compiled for double here)
 * against central finite differences of its forward direction.
 *
 * An operation's outputs are weighed by random numbers and summed to one number, whose derivative
 * by each input is taken from four places: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, an error
 * of h^4. Forward directions that the library does not define in double stand here as formulas.
 */
#include "kern/ref/grad.h"
#include "kern/ref/rope.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

#include <cmocka.h>

#define STEP     0x1p-9
#define BOUND    1e-6 // of a derivative, or of 1e-4 of the largest of its tensor
#define NAME(op) PX_REF_GRAD(op)

static test_random rng = {.state = 20261123};
static double scratch[1 << 17];

static void fill(double *x, int64_t n, double deviation)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = deviation * test_random_normal(&rng);
}

static double weighed(const double *w, const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += w[i] * x[i];
    return sum;
}

static double worst; // of all that was compared, for the log

static double derivative(double (*f)(void *), void *ctx, double *x)
{
    const double x0 = *x;
    double at[4];
    static const double STEPS[4] = {STEP, -STEP, 2 * STEP, -2 * STEP};
    for (int i = 0; i < 4; i++) {
        *x = x0 + STEPS[i];
        at[i] = f(ctx);
    }
    *x = x0;
    return (8 * (at[0] - at[1]) - (at[2] - at[3])) / (12 * STEP);
}

static void compare(const char *what, const double *numeric, const double *gradient, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(numeric[i]));
    assert_true(most > 0);
    for (int64_t i = 0; i < n; i++) {
        const double size = fmax(fmax(fabs(numeric[i]), fabs(gradient[i])), 1e-4 * most);
        const double error = fabs(numeric[i] - gradient[i]) / size;
        worst = fmax(worst, error);
        if (!(error < BOUND))
            fail_msg("%s %lld: gradient %.12g, differences %.12g", what, (long long)i, gradient[i],
                     numeric[i]);
    }
}

/* The gradient of f by x [n] against its differences. */
static void check(const char *what, double (*f)(void *), void *ctx, double *x,
                  const double *gradient, int64_t n)
{
    static double numeric[4096];
    assert_true(n > 0 && n <= 4096);
    for (int64_t i = 0; i < n; i++)
        numeric[i] = derivative(f, ctx, &x[i]);
    compare(what, numeric, gradient, n);
}

/* ---- products with weights */

enum { ROWS = 5, COLS = 300, BATCH = 3 };

typedef struct product {
    px_grad_mul mul;
    px_act act;
    float w[ROWS * COLS];
    double x[BATCH * COLS], y[BATCH * ROWS], dy[BATCH * ROWS], dx[BATCH * COLS], dw[ROWS * COLS];
} product;

static double product_loss(void *ctx)
{
    product *p = ctx;
    memset(p->y, 0, sizeof p->y);
    NAME(forward)(&p->mul, 0, ROWS);
    return weighed(p->dy, p->y, BATCH * ROWS);
}

static void weights(void **state)
{
    (void)state;
    static product p;
    for (int i = 0; i < ROWS * COLS; i++)
        p.w[i] = 0x1p-8f * (float)(int)(test_random_below(&rng, 1024)) - 2.0f;
    fill(p.x, BATCH * COLS, 1);
    fill(p.dy, BATCH * ROWS, 1);
    p.act = (px_act){PX_ACT_F32, COLS, BATCH, p.x, COLS * sizeof(double)};
    p.mul = (px_grad_mul){
        PX_F32, (const uint8_t *)p.w, COLS * sizeof(float), ROWS, COLS, &p.act, p.y, ROWS, false,
        NULL};
    product_loss(&p);
    for (int c = 0; c < BATCH; c++)
        for (int r = 0; r < ROWS; r++) {
            double sum = 0;
            for (int k = 0; k < COLS; k++)
                sum += (double)p.w[r * COLS + k] * p.x[c * COLS + k];
            assert_true(fabs(sum - p.y[c * ROWS + r]) < 1e-10);
        }
    px_act back_x = {PX_ACT_F32, ROWS, BATCH, p.dy, ROWS * sizeof(double)};
    px_grad_mul back = p.mul;
    back.x = &back_x;
    back.y = p.dx;
    back.y_stride = COLS;
    NAME(back)(&back, 0, 256);
    NAME(back)(&back, 256, COLS);
    check("product dx", product_loss, &p, p.x, p.dx, BATCH * COLS);
    back.add = true; // once more on top: twice the gradient
    NAME(back)(&back, 0, COLS);
    for (int i = 0; i < BATCH * COLS; i++)
        p.dx[i] *= 0.5;
    check("product dx added", product_loss, &p, p.x, p.dx, BATCH * COLS);

    // by the weights: y is linear in them, so a step that f32 holds exactly will do
    const px_gemm g = {p.dy, p.x, p.dw, ROWS, COLS, COLS, ROWS, COLS, BATCH, 1, false, NULL};
    NAME(gemm_tn)(&g, 0, ROWS);
    static double numeric[ROWS * COLS];
    for (int i = 0; i < ROWS * COLS; i++) {
        const float w0 = p.w[i];
        p.w[i] = w0 + 0.25f;
        const double up = product_loss(&p);
        p.w[i] = w0 - 0.25f;
        numeric[i] = (up - product_loss(&p)) * 2;
        p.w[i] = w0;
    }
    compare("product dw", numeric, p.dw, ROWS * COLS);
}

/* ---- matrices */

enum { M = 6, N = 7, K = 9, MOST = 128 };

typedef struct matrices {
    void (*run)(const px_gemm *, int64_t, int64_t);
    px_gemm g;
    double a[MOST], b[MOST], c[MOST], c0[MOST], dc[MOST], da[MOST], db[MOST];
} matrices;

static double matrices_loss(void *ctx)
{
    matrices *p = ctx;
    memcpy(p->c, p->c0, sizeof p->c);
    p->run(&p->g, 0, M);
    return weighed(p->dc, p->c, M * N);
}

static void gemm(void **state)
{
    (void)state;
    static matrices p;
    fill(p.a, MOST, 1);
    fill(p.b, MOST, 1);
    fill(p.dc, MOST, 1);
    fill(p.c0, MOST, 1);
    const double by = 0.7;

    // c = by a b + c0, a [M, K], b [K, N]: da = by dc b^T, db = by a^T dc
    p.run = NAME(gemm_nn);
    p.g = (px_gemm){p.a, p.b, p.c, K, N, N, M, N, K, by, true, NULL};
    matrices_loss(&p);
    assert_true(fabs(p.c[1] - p.c0[1] -
                     by * (p.a[0] * p.b[1] + p.a[1] * p.b[N + 1] +
                           weighed(p.a + 2,
                                   (double[]){p.b[2 * N + 1], p.b[3 * N + 1], p.b[4 * N + 1],
                                              p.b[5 * N + 1], p.b[6 * N + 1], p.b[7 * N + 1],
                                              p.b[8 * N + 1]},
                                   7))) < 1e-12);
    NAME(gemm_nt)(&(px_gemm){p.dc, p.b, p.da, N, N, K, M, K, N, by, false, NULL}, 0, M);
    NAME(gemm_tn)(&(px_gemm){p.a, p.dc, p.db, K, N, N, K, N, M, by, false, NULL}, 0, K);
    check("nn da", matrices_loss, &p, p.a, p.da, M * K);
    check("nn db", matrices_loss, &p, p.b, p.db, K * N);

    // c = by a b^T + c0, b [N, K]: da = by dc b, db = by dc^T a
    p.run = NAME(gemm_nt);
    p.g = (px_gemm){p.a, p.b, p.c, K, K, N, M, N, K, by, true, NULL};
    NAME(gemm_nn)(&(px_gemm){p.dc, p.b, p.da, N, K, K, M, K, N, by, false, NULL}, 0, M);
    NAME(gemm_tn)(&(px_gemm){p.dc, p.a, p.db, N, K, K, N, K, M, by, false, NULL}, 0, N);
    check("nt da", matrices_loss, &p, p.a, p.da, M * K);
    check("nt db", matrices_loss, &p, p.b, p.db, N * K);

    // c = by a^T b + c0, a [K, M], b [K, N]: da = by b dc^T, db = by a dc
    p.run = NAME(gemm_tn);
    p.g = (px_gemm){p.a, p.b, p.c, M, N, N, M, N, K, by, true, NULL};
    NAME(gemm_nt)(&(px_gemm){p.b, p.dc, p.da, N, N, M, K, M, N, by, false, NULL}, 0, K);
    NAME(gemm_nn)(&(px_gemm){p.a, p.dc, p.db, M, N, N, K, N, M, by, false, NULL}, 0, K);
    check("tn da", matrices_loss, &p, p.a, p.da, K * M);
    check("tn db", matrices_loss, &p, p.b, p.db, K * N);

    // nothing to sum: zeros, or what was there
    px_gemm none = {p.a, p.b, p.c, K, N, N, M, N, 0, by, true, NULL};
    memcpy(p.c, p.c0, sizeof p.c);
    NAME(gemm_nn)(&none, 0, M);
    assert_memory_equal(p.c, p.c0, sizeof p.c);
    none.add = false;
    NAME(gemm_nn)(&none, 0, M);
    for (int i = 0; i < M * N; i++)
        assert_true(p.c[i] == 0);
}

/* ---- attention */

enum { T = 11, MOST_HEAD = 80 };

typedef struct attention_case {
    px_grad_attn a;
    double q[T * MOST_HEAD], k[T * MOST_HEAD], v[T * MOST_HEAD], out[T * MOST_HEAD], lse[T];
    double dout[T * MOST_HEAD], dq[T * MOST_HEAD], dk[T * MOST_HEAD], dv[T * MOST_HEAD];
} attention_case;

static double attention_loss(void *ctx)
{
    attention_case *p = ctx;
    double sum = 0;
    NAME(attention)(&p->a);
    for (int64_t i = 0; i < p->a.n; i++)
        sum += weighed(p->dout + i * MOST_HEAD, p->out + i * MOST_HEAD, p->a.value_dim);
    return sum;
}

/* What attention is, written down once more: the whole matrix of scores with a mask. */
static void attention_forward(const attention_case *p)
{
    const px_grad_attn *a = &p->a;
    for (int i = 0; i < a->n; i++) {
        double s[T], sum = 0;
        for (int j = 0; j < a->n; j++) {
            const bool seen = j <= i && (a->window == 0 || i - j < a->window);
            s[j] = a->scale * weighed(p->q + i * MOST_HEAD, p->k + j * MOST_HEAD, a->head_dim);
            if (a->softcap > 0)
                s[j] = a->softcap * tanh(s[j] / a->softcap);
            s[j] = seen ? exp(s[j]) : 0;
            sum += s[j];
        }
        assert_true(fabs(p->lse[i] - log(sum)) < 1e-12);
        for (int d = 0; d < a->value_dim; d++) {
            double want = 0;
            for (int j = 0; j < a->n; j++)
                want += s[j] / sum * p->v[j * MOST_HEAD + d];
            assert_true(fabs(p->out[i * MOST_HEAD + d] - want) < 1e-12);
        }
    }
}

static void one_attention(int n, int head_dim, int value_dim, int window, double softcap)
{
    static attention_case p;
    fill(p.q, T * MOST_HEAD, 1);
    fill(p.k, T * MOST_HEAD, 1);
    fill(p.v, T * MOST_HEAD, 1);
    fill(p.dout, T * MOST_HEAD, 1);
    const int64_t s = MOST_HEAD;
    p.a = (px_grad_attn){n,       head_dim, value_dim, window, 1 / sqrt(head_dim),
                         softcap, p.q,      p.k,       p.v,    s,
                         s,       s,        p.out,     p.lse,  s,
                         1,       p.dout,   s,         p.dq,   p.dk,
                         p.dv,    s,        s,         s,      scratch};
    assert_true(px_grad_attn_scratch(head_dim, value_dim) <= sizeof scratch);
    attention_loss(&p);
    attention_forward(&p);
    NAME(attention_back)(&p.a);
    for (int i = 0; i < n; i++) {
        if (n > 1 && window != 1) { // a token that sees itself alone has no gradient of q or k
            if (i > 0)
                check("dq", attention_loss, &p, p.q + i * s, p.dq + i * s, head_dim);
            check("dk", attention_loss, &p, p.k + i * s, p.dk + i * s, head_dim);
        }
        check("dv", attention_loss, &p, p.v + i * s, p.dv + i * s, value_dim);
    }
    for (int d = 0; d < head_dim; d++) // the first token sees one key: probability 1 whatever q
        assert_true(fabs(p.dq[d]) < 1e-12);
}

static void attention(void **state)
{
    (void)state;
    one_attention(1, 8, 8, 0, 0);
    one_attention(T, 8, 8, 0, 0);
    one_attention(T, 7, 5, 0, 0);
    one_attention(T, 64, 80, 0, 0);
    one_attention(T, 80, 64, 4, 0);
    one_attention(T, 16, 16, 1, 0);
    one_attention(T, 16, 16, 0, 1.5);
    one_attention(T, 33, 9, 3, 2.5);
}

/* ---- rows */

enum { WIDTH = 67 };

typedef struct row_case {
    double (*act)(double);
    bool has_w, halves;
    double cap, eps, scale;
    int32_t target;
    double x[WIDTH], w[WIDTH], dy[WIDTH];
    double cosine[WIDTH], sine[WIDTH];
} row_case;

static double norm_loss(void *ctx)
{
    const row_case *p = ctx;
    double squares = 0, sum = 0;
    for (int i = 0; i < WIDTH; i++)
        squares += p->x[i] * p->x[i];
    for (int i = 0; i < WIDTH; i++)
        sum += p->dy[i] * p->x[i] / sqrt(squares / WIDTH + p->eps) * (p->has_w ? p->w[i] : 1);
    return sum;
}

static void norm(void **state)
{
    (void)state;
    static row_case p;
    for (int way = 0; way < 4; way++) {
        double dx[WIDTH] = {0}, dw[WIDTH] = {0};
        fill(p.x, WIDTH, way == 3 ? 0.05 : 2);
        fill(p.w, WIDTH, 1);
        fill(p.dy, WIDTH, 1);
        p.has_w = way != 1;
        p.eps = way == 3 ? 1e-2 : 1e-6;
        dx[3] = 5; // what is there stays below what is added
        NAME(norm_back)(p.x, p.has_w ? p.w : NULL, p.eps, p.dy, dx, way == 2 ? NULL : dw, WIDTH);
        dx[3] -= 5;
        check("norm dx", norm_loss, &p, p.x, dx, WIDTH);
        if (p.has_w && way != 2)
            check("norm dw", norm_loss, &p, p.w, dw, WIDTH);
        for (int i = 0; i < WIDTH && way == 2; i++)
            assert_true(dw[i] == 0);
    }
}

static double silu(double g)
{
    return g / (1 + exp(-g));
}

static double gelu(double g)
{
    return 0.5 * g * (1 + tanh(sqrt(2 / acos(-1)) * (g + 0.044715 * g * g * g)));
}

static double gate_loss(void *ctx)
{
    const row_case *p = ctx;
    double sum = 0;
    for (int i = 0; i < WIDTH; i++)
        sum += p->dy[i] * p->act(p->x[i]) * p->w[i];
    return sum;
}

static void one_gate(double (*act)(double),
                     void (*back)(const px_real *, const px_real *, const px_real *, px_real *,
                                  px_real *, int64_t))
{
    static row_case p;
    double dgate[WIDTH], dup[WIDTH];
    p.act = act;
    fill(p.x, WIDTH, 1.5);
    p.x[0] = 0;
    p.x[1] = -4;
    p.x[2] = 6;
    fill(p.w, WIDTH, 1);
    fill(p.dy, WIDTH, 1);
    back(p.x, p.w, p.dy, dgate, dup, WIDTH);
    check("gate", gate_loss, &p, p.x, dgate, WIDTH);
    check("up", gate_loss, &p, p.w, dup, WIDTH);
    double in_place[WIDTH], other[WIDTH];
    memcpy(in_place, p.dy, sizeof in_place);
    back(p.x, p.w, in_place, in_place, other, WIDTH);
    assert_memory_equal(in_place, dgate, sizeof dgate);
    memcpy(in_place, p.dy, sizeof in_place);
    back(p.x, p.w, in_place, other, in_place, WIDTH);
    assert_memory_equal(in_place, dup, sizeof dup);
    assert_memory_equal(other, dgate, sizeof dgate);
}

static void gates(void **state)
{
    (void)state;
    one_gate(silu, NAME(silu_back));
    one_gate(gelu, NAME(gelu_back));
}

static void turn(const row_case *p, double *x, const double *sine, int64_t n_rot)
{
    if (p->halves)
        PX_REAL_NAME(px_ref_rope_halves)(x, p->cosine, sine, n_rot);
    else
        PX_REAL_NAME(px_ref_rope_pairs)(x, p->cosine, sine, n_rot);
}

static double rope_loss(void *ctx)
{
    const row_case *p = ctx;
    double y[WIDTH];
    memcpy(y, p->x, sizeof y);
    turn(p, y, p->sine, 64);
    return weighed(p->dy, y, WIDTH);
}

static void rope(void **state)
{
    (void)state;
    static row_case p;
    double negated[WIDTH], dx[WIDTH];
    fill(p.x, WIDTH, 1);
    fill(p.dy, WIDTH, 1);
    for (int i = 0; i < 32; i++) {
        p.cosine[i] = cos(0.37 * i);
        p.sine[i] = sin(0.37 * i);
        negated[i] = -p.sine[i];
    }
    for (int way = 0; way < 2; way++) {
        p.halves = way == 1;
        memcpy(dx, p.dy, sizeof dx);
        turn(&p, dx, negated, 64);
        check("rope", rope_loss, &p, p.x, dx, WIDTH);
    }
}

static double row_loss(void *ctx)
{
    row_case *p = ctx;
    return p->scale * NAME(loss)(p->x, WIDTH, p->target, p->cap, 0);
}

static void loss(void **state)
{
    (void)state;
    static row_case p;
    for (int way = 0; way < 3; way++) {
        double dx[WIDTH];
        p.cap = way == 1 ? 3 : way == 2 ? 30 : 0;
        p.target = way * 33;
        p.scale = 0.4;
        fill(p.x, WIDTH, 2);
        double sum = 0; // the loss itself, written down
        for (int i = 0; i < WIDTH; i++)
            sum += exp(p.cap > 0 ? p.cap * tanh(p.x[i] / p.cap) : p.x[i]);
        const double xt = p.x[p.target];
        const double want = log(sum) - (p.cap > 0 ? p.cap * tanh(xt / p.cap) : xt);
        assert_true(fabs(row_loss(&p) - 0.4 * want) < 1e-12);
        memcpy(dx, p.x, sizeof dx);
        assert_true(fabs(NAME(loss)(dx, WIDTH, p.target, p.cap, 0.4) - want) < 1e-12);
        check("loss", row_loss, &p, p.x, dx, WIDTH);
        p.x[5] = way == 0 ? (double)NAN : way == 1 ? (double)INFINITY : -(double)INFINITY;
        assert_true(isnan(row_loss(&p)));
    }
    print_message("# largest relative error of all gradients: %.2e\n", worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights), cmocka_unit_test(gemm),  cmocka_unit_test(attention),
        cmocka_unit_test(norm),    cmocka_unit_test(gates), cmocka_unit_test(rope),
        cmocka_unit_test(loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * check_grad_rows: gradients of norm and gates, and the loss of a row of logits. Bounds stand
 * beside each.
 */
#include "check.h"

#include <string.h>

static const int64_t SIZES[] = {1,  2,  3,  7,  8,  9,   15,  16,  17,   31,
                                32, 33, 63, 64, 65, 127, 128, 251, 1009, 4096};
enum { N_SIZES = sizeof SIZES / sizeof SIZES[0] };

static float *row(check *c, int64_t n, float deviation)
{
    float *x = check_memory((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = check_normal(c, deviation);
        const int odd = check_int(c, 0, 19);
        x[i] = odd == 0 ? 0.0f : odd == 1 ? x[i] * 10.0f : odd == 2 ? x[i] * 1e-6f : x[i];
    }
    return x;
}

static float *copy(const float *x, int64_t n)
{
    float *y = check_memory((size_t)n * sizeof *y);
    memcpy(y, x, (size_t)n * sizeof *y);
    return y;
}

/* ---- norm */

/* Both sums have a depth of n / 8 + 4 additions at most. dx is a sum of three terms, each of at
 * most 6 roundings. */
void check_norm_back(check *c)
{
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        const int64_t n = SIZES[s];
        for (int way = 0; way < 3; way++) {
            const float *x = row(c, n, 2.0f), *w = way == 1 ? NULL : row(c, n, 1.0f);
            const float *dy = row(c, n, 1.0f), *dx0 = row(c, n, 1.0f), *dw0 = row(c, n, 1.0f);
            float *dx = copy(dx0, n), *dw = way == 2 ? NULL : copy(dw0, n);
            c->grad->norm_back(x, w, 1e-6f, dy, dx, dw, n);
            double squares = 0, along = 0, size = 0;
            for (int64_t i = 0; i < n; i++) {
                const double term = (double)dy[i] * (w ? (double)w[i] : 1) * (double)x[i];
                squares += (double)x[i] * (double)x[i];
                along += term;
                size += fabs(term);
            }
            const double root = 1 / sqrt(squares / (double)n + (double)1e-6f);
            const double cube = root * root * root / (double)n;
            const double depth = (double)n / 8 + 12;
            for (int64_t i = 0; i < n; i++) {
                const double first = (double)dy[i] * (w ? (double)w[i] : 1) * root;
                const double pull = (double)x[i] * cube;
                const double bound = (6 + depth) * EPS * (fabs(first) + fabs((double)dx0[i])) +
                                     3 * depth * EPS * fabs(pull) * size;
                check_near(c, dx[i], (double)dx0[i] + first - pull * along, bound, "dx (n, i)", n,
                           i);
                const double dwi = (double)dy[i] * (double)x[i] * root;
                if (dw)
                    check_near(c, dw[i], (double)dw0[i] + dwi,
                               (6 + depth) * EPS * (fabs(dwi) + fabs((double)dw0[i])), "dw (n, i)",
                               n, i);
            }
        }
        check_release();
    }
}

/* ---- gates */

/* sigma is good to 6 EPS and what an error of the exponent makes of it: 4 roundings of the cubic,
 * times its size. Beyond it 8 roundings. Near where slopes cancel the parts count, not the sum. */
static void check_gate_back(check *c, px_gate_back_fn kernel, bool cubic)
{
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        const int64_t n = SIZES[s];
        const float *gate = row(c, n, 4.0f), *up = row(c, n, 1.0f), *dy = row(c, n, 1.0f);
        float *dgate = check_memory((size_t)n * sizeof *dgate);
        float *dup = check_memory((size_t)n * sizeof *dup);
        kernel(gate, up, dy, dgate, dup, n);
        for (int64_t i = 0; i < n; i++) {
            const double g = (double)gate[i], u = (double)up[i], d = (double)dy[i];
            const double root = 1.5957691216057308;
            const double v = cubic ? root * (g + 0.044715 * g * g * g) : g;
            const double slope = cubic ? root * (1 + 3 * 0.044715 * g * g) : 1;
            const double sigma = 1 / (1 + exp(-v)), rest = 1 / (1 + exp(v));
            const double argument = cubic ? fmin(4 * fabs(v), 400) : 0;
            const double bound = (16 + 2 * argument) * EPS;
            const double tiny = 0x1p-120 * (1 + fabs(g)) * (1 + slope) * (1 + fabs(g * d * u));
            check_near(c, dup[i], d * g * sigma, bound * fabs(d * g * sigma) + tiny, "dup (n, i)",
                       n, i);
            check_near(c, dgate[i], d * u * sigma * (1 + g * rest * slope),
                       bound * fabs(d * u) * sigma * (1 + fabs(g) * rest * slope) + tiny,
                       "dgate (n, i)", n, i);
        }
        for (int way = 0; way < 4; way++) { // in place
            float *a = copy(dy, n), *b = check_memory((size_t)n * sizeof *b);
            float *g = copy(gate, n), *u = copy(up, n);
            const float *got_gate = way == 0 ? a : way == 2 ? g : b;
            if (way == 0)
                kernel(gate, up, a, a, b, n);
            else if (way == 1)
                kernel(gate, up, a, b, a, n);
            else if (way == 2)
                kernel(g, u, dy, g, u, n);
            else
                kernel(g, u, dy, b, g, n);
            if (memcmp(got_gate, dgate, (size_t)n * sizeof *dgate) != 0)
                check_fail(c, "in place, way %d, differs, n %lld", way, (long long)n);
        }
        check_release();
    }
    float g[5] = {NAN, 1e4f, -1e4f, 0, 1}, up[5] = {1, 1, 1, 1, NAN}, dy[5] = {1, 1, 1, 1, 1};
    float dgate[5], dup[5];
    kernel(g, up, dy, dgate, dup, 5);
    if (!isnan(dgate[0]) || !isnan(dup[0]) || dgate[1] != 1 || dup[1] != 1e4f || dgate[2] != 0 ||
        dup[2] != 0 || dgate[3] != 0.5f || dup[3] != 0 || !isnan(dgate[4]))
        check_fail(c, "odd gates: %g %g %g %g %g", (double)dgate[0], (double)dgate[1],
                   (double)dgate[2], (double)dgate[3], (double)dgate[4]);
}

void check_silu_back(check *c)
{
    check_gate_back(c, c->grad->silu_back, false);
}

void check_gelu_back(check *c)
{
    check_gate_back(c, c->grad->gelu_back, true);
}

/* ---- loss */

/* A capped logit is good to 4 EPS of the cap, the difference to the largest is rounded once, its
 * exponential to 4 EPS, sums of exponentials at a depth of 64 in f32 before they are double. */
static void check_loss_one(check *c, int64_t n, float cap, float deviation)
{
    float *x = row(c, n, deviation), *y = copy(x, n);
    const int32_t target = check_int(c, 0, (int)n - 1);
    const float scale = 0.25f;
    double sum = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = cap > 0 ? (double)cap * tanh((double)x[i] / (double)cap) : (double)x[i];
        size = fmax(size, fabs(v));
        sum += exp(v);
    }
    const double lse = log(sum), error = (80 + 8 * (size + fabs(lse))) * EPS;
    const double xt = (double)x[target];
    const double loss = lse - (cap > 0 ? (double)cap * tanh(xt / (double)cap) : xt);
    const double kept = c->grad->loss(y, n, target, cap, 0);
    if (memcmp(x, y, (size_t)n * sizeof *x) != 0)
        check_fail(c, "scale 0 wrote to x");
    const double got = c->grad->loss(y, n, target, cap, scale);
    check_near(c, (float)got, loss, error + EPS * fabs(loss), "loss (n, target)", n, target);
    if (got != kept)
        check_fail(c, "the loss depends on scale: %.17g and %.17g", got, kept);
    for (int64_t i = 0; i < n; i++) {
        const double t = cap > 0 ? tanh((double)x[i] / (double)cap) : 0;
        const double p = exp((cap > 0 ? (double)cap * t : (double)x[i]) - lse);
        const double one = i == target ? 1 : 0, slope = 1 - t * t;
        const double bound =
            (double)scale * ((p * error + 4 * EPS * (p + one)) * slope + fabs(p - one) * 8 * EPS) +
            0x1p-120;
        check_near(c, y[i], (double)scale * (p - one) * slope, bound, "dx (n, i)", n, i);
    }
    check_release();
}

void check_loss(check *c)
{
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        check_loss_one(c, SIZES[s], 0.0f, 2.0f);
        check_loss_one(c, SIZES[s], 30.0f, 5.0f);
        check_loss_one(c, SIZES[s], 3.0f, 2.0f);
    }
    check_loss_one(c, 60001, 0.0f, 4.0f);
    const float odd[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++)
        for (int64_t n = 1; n < 40; n += 19)
            for (int way = 0; way < 2; way++) {
                float *x = row(c, n, 1.0f);
                x[n / 2] = odd[i];
                if (!isnan(c->grad->loss(x, n, 0, way ? 3.0f : 0.0f, 1.0f)))
                    check_fail(c, "%g in a row of %lld gives a number", (double)odd[i],
                               (long long)n);
            }
    check_release();
}

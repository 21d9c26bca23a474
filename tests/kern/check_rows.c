/*
 * check_rows: packing, norm, gates, axpy, rope and stores. Bounds stand beside each.
 */
#include "check.h"

#include "kern/act.h"
#include "kern/blocks.h"
#include "kern/half.h"

#include <string.h>

static const int64_t SIZES[] = {0,  1,  2,  3,  7,  8,   9,   15,  16,   17,  31,
                                32, 33, 63, 64, 65, 127, 128, 251, 1009, 4096};
enum { N_SIZES = sizeof SIZES / sizeof SIZES[0] };

/* n values in memory that ends at a guard: ordinary ones, and some large, tiny, zero. */
static float *row(check *c, int64_t n, float deviation)
{
    float *x = check_memory((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = check_normal(c, deviation);
        const int odd = check_int(c, 0, 19);
        x[i] = odd == 0 ? 0.0f : odd == 1 ? x[i] * 30.0f : odd == 2 ? x[i] * 1e-6f : x[i];
    }
    return x;
}

/* ---- packing: bytes equal to those of plain C */

static void same_bytes(check *c, px_act_form form, const float *x, int64_t k, int64_t n)
{
    const size_t bytes = px_act_column_bytes(form, k);
    if (bytes % PX_ACT_ALIGN != 0)
        check_fail(c, "column of %lld takes %zu bytes", (long long)k, bytes);
    uint8_t *want = check_memory(bytes * (size_t)n), *got = check_memory(bytes * (size_t)n);
    c->ref->pack[form](x, k, k, 0, n, want, bytes);
    c->kern->pack[form](x, k, k, 1, n, got, bytes);
    if (n > 0 && !check_untouched(got, bytes))
        check_fail(c, "packing columns from 1 on wrote column 0");
    c->kern->pack[form](x, k, k, 0, n < 1 ? n : 1, got, bytes);
    c->n_compared += (int64_t)bytes * n;
    for (size_t i = 0; i < bytes * (size_t)n; i++)
        if (want[i] != got[i]) {
            check_fail(c, "k %lld, column %zu, byte %zu: %d, expected %d", (long long)k, i / bytes,
                       i % bytes, got[i], want[i]);
            return;
        }
}

void check_pack(check *c, px_act_form form)
{
    const int64_t step = form == PX_ACT_Q8 ? PX_Q8_BLOCK : form == PX_ACT_Q8K ? PX_Q8K_BLOCK : 1;
    static const float ODD[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-45f, 1e-31f, 3e38f};
    for (int64_t blocks = 0; blocks < 12; blocks++) {
        // floats have no blocks: every short end of vectors of 8 and 16
        const int64_t k = step > 1       ? blocks * step
                          : blocks == 11 ? 2048 // such columns are padded
                                         : blocks * blocks,
                      n = 4;
        float *x = row(c, k * n, 1.0f);
        same_bytes(c, form, x, k, n);
        for (size_t v = 0; v < sizeof ODD / sizeof ODD[0] && k > 0; v++) {
            x[check_int(c, 0, (int)(k * n) - 1)] = ODD[v];
            same_bytes(c, form, x, k, n);
        }
        for (int64_t i = 0; i < k * n; i++)
            x[i] = (float)check_int(c, -254, 254) * 0.5f; // halves: ties
        same_bytes(c, form, x, k, n);
        for (int64_t i = 0; i < k * n; i++)
            x[i] = 1e-32f * (float)(i % 5);
        same_bytes(c, form, x, k, n);
        test_random_bytes(&c->random, x, (size_t)(k * n) * sizeof *x); // every class of number
        same_bytes(c, form, x, k, n);
        check_release();
    }
}

/* ---- norm */

/* Sum of n squares in 8 lanes at least: (n / 8 + 3) roundings one after the other at most, halved
 * by the root; then 4 for the mean, the root, the reciprocal and two products. */
void check_rms_norm(check *c)
{
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        const int64_t n = SIZES[s];
        float *x = row(c, n, 2.0f), *w = row(c, n, 1.0f);
        float *y = check_memory((size_t)n * sizeof *y);
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)x[i] * (double)x[i];
        const double scale = 1 / sqrt(sum / (double)n + 1e-6);
        const double relative = ((double)n / 16 + 6) * EPS;
        for (int way = 0; way < 3; way++) { // with weights, without, in place
            float *out = way == 2 ? x : y;
            c->kern->rms_norm(x, way == 1 ? NULL : w, 1e-6f, out, n);
            float *x0 = x; // in place is last: x itself is gone then, y from way 0 tells
            for (int64_t i = 0; i < n; i++) {
                const double want = way == 2
                                        ? (double)y[i] * (double)w[i]
                                        : (double)x0[i] * scale * (way == 1 ? 1.0 : (double)w[i]);
                check_near(c, out[i], want, 2 * relative * fabs(want), "norm (way, i)", way, i);
            }
        }
        check_release();
    }
    float x[16] = {1, 2, 3, NAN}, y[16];
    c->kern->rms_norm(x, NULL, 1e-6f, y, 16);
    for (int i = 0; i < 16; i++)
        if (!isnan(y[i]))
            check_fail(c, "a NaN in the row, and value %d is %g", i, (double)y[i]);
}

/* ---- gates */

typedef double (*gate_fn)(double);

static double silu(double g)
{
    return g / (1 + exp(-g));
}

static double gelu(double g)
{
    return 0.5 * g * (1 + tanh(sqrt(2 / acos(-1.0)) * (g + 0.044715 * g * g * g)));
}

/* exp to 0.9 units of the last place (2 EPS), sum, quotient and product: 6 EPS with one to spare.
 * GELU rounds the argument of the exponential 4 times, and an error of the argument counts times
 * its size. Results below 2^-126 keep no relative accuracy. */
static void check_gate(check *c, px_gate_fn kernel, gate_fn truth, bool cubic)
{
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        const int64_t n = SIZES[s];
        float *g = row(c, n, 4.0f), *up = row(c, n, 1.0f);
        float *y = check_memory((size_t)n * sizeof *y), *z = check_memory((size_t)n * sizeof *z);
        kernel(g, up, y, n);
        memcpy(z, up, (size_t)n * sizeof *z);
        kernel(g, z, z, n); // in place of up
        for (int64_t i = 0; i < n; i++) {
            const double x = (double)g[i];
            // for large negative x the double formula itself has lost its digits: it is near 0
            const double want = truth(x) * (double)up[i];
            const double argument = cubic ? 1.6 * fabs(x) + 0.08 * fabs(x * x * x) : 0;
            const double bound = (6 + 4 * fmin(argument, 100)) * EPS * fabs(want) +
                                 (0x1p-120 + (cubic ? 1e-15 * fabs(x) : 0)) * fabs((double)up[i]);
            check_near(c, y[i], want, bound, "gate (n, i)", n, i);
            check_same(c, z[i], y[i], "gate in place (n, i)", n, i);
        }
        memcpy(z, g, (size_t)n * sizeof *z);
        kernel(z, up, z, n); // in place of gate
        if (memcmp(z, y, (size_t)n * sizeof *z) != 0)
            check_fail(c, "in place of the gate differs, n %lld", (long long)n);
        check_release();
    }
    float g[9] = {NAN, INFINITY, -1e4f, 1e4f, 0, -0.0f, 1, 2, 3}, up[9], y[9];
    for (int i = 0; i < 9; i++)
        up[i] = 1;
    kernel(g, up, y, 9);
    if (!isnan(y[0]) || y[1] != INFINITY || y[2] != 0 || y[3] != 1e4f || y[4] != 0 || y[5] != 0)
        check_fail(c, "odd gates give %g %g %g %g %g %g", (double)y[0], (double)y[1], (double)y[2],
                   (double)y[3], (double)y[4], (double)y[5]);
}

void check_silu_mul(check *c)
{
    check_gate(c, c->kern->silu_mul, silu, false);
}

void check_gelu_mul(check *c)
{
    check_gate(c, c->kern->gelu_mul, gelu, true);
}

/* ---- axpy and rope: one or two products and a sum, each rounded once at most */

void check_axpy(check *c)
{
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        const int64_t n = SIZES[s];
        float *x = row(c, n, 1.0f), *y = row(c, n, 1.0f);
        float *z = check_memory((size_t)n * sizeof *z);
        memcpy(z, y, (size_t)n * sizeof *z);
        c->kern->axpy(0.37f, x, z, n);
        for (int64_t i = 0; i < n; i++) {
            const double a = (double)0.37f * (double)x[i], b = (double)y[i];
            check_near(c, z[i], a + b, 2 * EPS * (fabs(a) + fabs(b)), "axpy (n, i)", n, i);
        }
        check_release();
    }
}

static void check_rope(check *c, px_rope_fn kernel, bool pairs)
{
    for (int64_t half = 0; half < 70 && !c->failed; half++) {
        float *x = row(c, 2 * half, 1.0f), *y = check_memory((size_t)half * 2 * sizeof *y);
        float *cosine = check_memory((size_t)half * sizeof *y);
        float *sine = check_memory((size_t)half * sizeof *y);
        for (int64_t i = 0; i < half; i++) {
            const double angle = test_random_unit(&c->random) * 6.28;
            cosine[i] = (float)cos(angle);
            sine[i] = (float)sin(angle);
        }
        memcpy(y, x, (size_t)half * 2 * sizeof *y);
        kernel(y, cosine, sine, 2 * half);
        for (int64_t i = 0; i < half; i++) {
            const int64_t ia = pairs ? 2 * i : i, ib = pairs ? 2 * i + 1 : i + half;
            const double a = (double)x[ia], b = (double)x[ib];
            const double cs = (double)cosine[i], sn = (double)sine[i];
            const double bound = 3 * EPS * (fabs(a) + fabs(b));
            check_near(c, y[ia], a * cs - b * sn, bound, "first of (half, i)", half, i);
            check_near(c, y[ib], a * sn + b * cs, bound, "second of (half, i)", half, i);
        }
        check_release();
    }
}

void check_rope_pairs(check *c)
{
    check_rope(c, c->kern->rope_pairs, true);
}

void check_rope_halves(check *c)
{
    check_rope(c, c->kern->rope_halves, false);
}

/* ---- stores: bytes equal to those of plain C */

static void check_store(check *c, px_store_fn kernel, px_store_fn ref, px_dtype dtype)
{
    static const float ODD[] = {NAN,    -NAN,    INFINITY, -INFINITY, 0.0f,    -0.0f,
                                1e-45f, 6.1e-5f, 65519.0f, 65520.0f,  1e-7f,   3e38f,
                                1e-40f, 8e6f,    8.4e6f,   2.9e-8f,   5.9e-8f, 1.0f};
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    for (int s = 0; s < N_SIZES && !c->failed; s++) {
        const int64_t n = SIZES[s] / info->block_elements * info->block_elements;
        const size_t bytes = (size_t)(n / info->block_elements) * (size_t)info->block_bytes;
        uint8_t *got = check_memory_shifted(bytes, (size_t)(s % 2)), *want = check_memory(bytes);
        float *x = row(c, n, 1.0f);
        for (int round = 0; round < 19; round++) {
            kernel(x, got, n);
            ref(x, want, n);
            c->n_compared += n;
            for (size_t i = 0; i < bytes && !c->failed; i++)
                if (got[i] != want[i])
                    check_fail(c, "n %lld, round %d, byte %zu: %d, expected %d", (long long)n,
                               round, i, got[i], want[i]);
            if (round < 18 && n > 0) {
                x[check_int(c, 0, (int)n - 1)] = ODD[round];
                if (round > 0)
                    x[0] = 0.5f;
            }
        }
        check_release();
    }
}

void check_store_f32(check *c)
{
    check_store(c, c->kern->store_f32, c->ref->store_f32, PX_F32);
}

void check_store_f16(check *c)
{
    check_store(c, c->kern->store_f16, c->ref->store_f16, PX_F16);
}

void check_store_q8_0(check *c)
{
    check_store(c, c->kern->store_q8_0, c->ref->store_q8_0, PX_Q8_0);
}

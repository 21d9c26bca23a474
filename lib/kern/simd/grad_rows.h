/*
 * grad_rows: gradients of norm and gates, and the loss of a row of logits, for any instruction set.
 * Included once in a file of each level, after its vec header and GRAD.
 */
#include "kern/grad.h"
#include "kern/half.h"
#include "kern/simd/math.h"

#include <float.h>
#include <math.h>

#define INLINE static inline __attribute__((always_inline))

INLINE vf load_some(const float *x, int64_t n)
{
    return n >= VF_N ? vf_load(x) : vf_load_part(x, n);
}

INLINE void store_some(float *x, vf v, int64_t n)
{
    if (n >= VF_N)
        vf_store(x, v);
    else
        vf_store_part(x, v, n);
}

/* ---- norm */

/* y = x s w: dx_i += s w_i dy_i - x_i s^3 / n * sum w dy x. */
void GRAD(norm_back)(const float *x, const float *w, float eps, const float *dy, float *dx,
                     float *dw, int64_t n)
{
    vf squares[2] = {vf_zero(), vf_zero()}, along[2] = {vf_zero(), vf_zero()};
    for (int64_t i = 0, odd = 0; i < n; i += VF_N, odd ^= 1) {
        const vf a = load_some(x + i, n - i), d = load_some(dy + i, n - i);
        const vf g = w ? vf_mul(d, load_some(w + i, n - i)) : d;
        squares[odd] = vf_fma(a, a, squares[odd]);
        along[odd] = vf_fma(a, g, along[odd]);
    }
    const double mean = n > 0 ? (double)vf_sum(vf_add(squares[0], squares[1])) / (double)n : 0;
    const double root = 1 / sqrt(mean + (double)eps);
    const double sum = (double)vf_sum(vf_add(along[0], along[1]));
    const vf s = vf_all((float)root);
    const vf pull = vf_all(n > 0 ? (float)(sum * root * root * root / (double)n) : 0.0f);
    for (int64_t i = 0; i < n; i += VF_N) {
        const int64_t left = n - i;
        const vf a = load_some(x + i, left), d = vf_mul(load_some(dy + i, left), s);
        const vf g = w ? vf_mul(d, load_some(w + i, left)) : d;
        if (dw)
            store_some(dw + i, vf_fma(d, a, load_some(dw + i, left)), left);
        store_some(dx + i, vf_add(load_some(dx + i, left), vf_fnma(a, pull, g)), left);
    }
}

/* ---- gates */

/* sigma = 1 / (1 + e^-v) and 1 - sigma, both with all their digits. */
INLINE vf sigmoid(vf v, vf *rest)
{
    const vf e = vf_exp(vf_sub(vf_zero(), v));
    const vf sigma = vf_div(vf_all(1.0f), vf_add(vf_all(1.0f), e));
    *rest = vf_mul(sigma, vf_min(vf_all(FLT_MAX), e));
    return sigma;
}

/* y = g sigma(v) up with v = g, or the cubic of GELU: dg = dy up sigma (1 + g (1 - sigma) v'). */
INLINE void gate_back(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                      int64_t n, const bool cubic)
{
    const vf one = vf_all(1.0f);
    for (int64_t i = 0; i < n; i += VF_N) {
        const vf g = load_some(gate + i, n - i), u = load_some(up + i, n - i);
        const vf d = load_some(dy + i, n - i), square = vf_mul(g, g);
        vf v = g, turn = g, rest;
        if (cubic) { // v = 1.596 g + 0.0714 g^3, turn = g v'
            v = vf_mul(g, vf_fma(square, vf_all(0.0713548163f), vf_all(1.59576912f)));
            turn = vf_mul(g, vf_fma(square, vf_all(3 * 0.0713548163f), vf_all(1.59576912f)));
        }
        const vf by = vf_mul(d, sigmoid(v, &rest));
        store_some(dgate + i, vf_mul(vf_mul(by, u), vf_fma(turn, rest, one)), n - i);
        store_some(dup + i, vf_mul(by, g), n - i);
    }
}

void GRAD(silu_back)(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                     int64_t n)
{
    gate_back(gate, up, dy, dgate, dup, n, false);
}

void GRAD(gelu_back)(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                     int64_t n)
{
    gate_back(gate, up, dy, dgate, dup, n, true);
}

/* ---- loss */

enum { RUN = 64 * VF_N }; // values whose exponentials are summed in f32

INLINE vf cap_of(vf x, float cap, vf *slope)
{
    const vf t = vf_tanh(vf_mul(x, vf_all(1.0f / cap)));
    *slope = vf_fnma(t, t, vf_all(1.0f));
    return vf_mul(vf_all(cap), t);
}

/* The largest value; *finite tells whether all are. */
static float most_of_row(const float *x, int64_t n, bool *finite)
{
    vf most = vf_all(-FLT_MAX), bits = vf_zero();
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N) {
        const vf v = vf_load(x + i);
        most = vf_max(v, most);
        bits = vf_max_bits(bits, v);
    }
    float last = vf_most(most);
    if (i < n)
        bits = vf_max_bits(bits, vf_load_part(x + i, n - i));
    for (; i < n; i++)
        last = x[i] > last ? x[i] : last;
    *finite = vf_most_bits(bits) < 0x7f800000u;
    return last;
}

/* The sum of e^(cap(x) - most); where `keep` each is put in place of its x. */
INLINE double sum_of_row(float *x, int64_t n, float cap, float most, const bool keep)
{
    double sum = 0;
    vf slope;
    for (int64_t i = 0; i < n; i += RUN) {
        const int64_t end = n - i < RUN ? n : i + RUN;
        vf part = vf_zero();
        for (int64_t j = i; j < end; j += VF_N) {
            vf v = load_some(x + j, end - j);
            v = vf_exp(vf_sub(cap > 0 ? cap_of(v, cap, &slope) : v, vf_all(most)));
            if (keep)
                store_some(x + j, v, end - j);
            if (end - j < VF_N) { // lanes behind the end hold e^-most
                float lanes[VF_N];
                vf_store(lanes, v);
                for (int64_t k = 0; k < end - j; k++)
                    sum += (double)lanes[k];
            } else {
                part = vf_add(part, v);
            }
        }
        sum += (double)vf_sum(part);
    }
    return sum;
}

double GRAD(loss)(float *x, int64_t n, int32_t target, float cap, float scale)
{
    bool finite;
    const float top = most_of_row(x, n, &finite), xt = x[target];
    const double t = cap > 0 ? tanh((double)xt / (double)cap) : 0;
    const double ct = cap > 0 ? (double)cap * t : (double)xt;
    const float most = cap > 0 ? cap * tanhf(top / cap) : top;
    const bool keep = scale != 0 && !(cap > 0); // a cap's slope needs x once more
    const double sum =
        keep ? sum_of_row(x, n, cap, most, true) : sum_of_row(x, n, cap, most, false);
    const double lse = finite ? (double)most + log(sum) : (double)NAN;
    if (scale == 0)
        return lse - ct;
    if (keep) {
        const vf by = vf_all(finite ? (float)((double)scale / sum) : NAN);
        for (int64_t i = 0; i < n; i += VF_N)
            store_some(x + i, vf_mul(load_some(x + i, n - i), by), n - i);
    } else {
        const vf by = vf_all((float)lse), all = vf_all(scale);
        for (int64_t i = 0; i < n; i += VF_N) {
            vf slope;
            const vf c = cap_of(load_some(x + i, n - i), cap, &slope);
            const vf p = vf_exp(vf_sub(c, by));
            store_some(x + i, vf_mul(vf_mul(all, p), slope), n - i);
        }
    }
    x[target] = (float)((double)scale * (exp(ct - lse) - 1) * (1 - t * t));
    return lse - ct;
}

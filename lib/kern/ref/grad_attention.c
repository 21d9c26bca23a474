/*
 * grad_attention: attention over a segment and its gradient as they are defined: one row at a time,
 * scores anew for each of dq and (dk, dv), so that every sum is in double.
 */
#include "kern/ref/grad.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static double dot(const px_real *a, const px_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void add_scaled(double by, const px_real *x, double *sum, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += by * (double)x[i];
}

static void put(const double *sum, double by, px_real *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (px_real)(sum[i] * by);
}

static int64_t first_key(const px_grad_attn *a, int64_t i)
{
    return a->window > 0 && i >= a->window ? i - a->window + 1 : 0;
}

/* The tokens that see key j are [j, this). */
static int64_t end_query(const px_grad_attn *a, int64_t j)
{
    return a->window > 0 && a->n - j > a->window ? j + a->window : a->n;
}

/* The score of token i and key j, and what its gradient is to be multiplied by for that of q.k. */
static double score(const px_grad_attn *a, int64_t i, int64_t j, double *slope)
{
    const double cap = (double)a->softcap;
    const double s =
        (double)a->scale * dot(a->q + i * a->q_stride, a->k + j * a->k_stride, a->head_dim);
    *slope = (double)a->scale;
    if (!(cap > 0))
        return s;
    const double t = tanh(s / cap);
    *slope *= 1 - t * t;
    return cap * t;
}

void PX_REF_GRAD(attention)(const px_grad_attn *a)
{
    double *sum = a->scratch; // [value_dim]
    assert(a->head_dim <= PX_GRAD_HEAD && a->value_dim <= PX_GRAD_HEAD);
    for (int64_t i = 0; i < a->n; i++) {
        double most = -INFINITY, total = 0, slope;
        for (int64_t j = first_key(a, i); j <= i; j++)
            most = fmax(most, score(a, i, j, &slope));
        memset(sum, 0, (size_t)a->value_dim * sizeof *sum);
        for (int64_t j = first_key(a, i); j <= i; j++) {
            const double p = exp(score(a, i, j, &slope) - most);
            total += p;
            add_scaled(p, a->v + j * a->v_stride, sum, a->value_dim);
        }
        put(sum, 1 / total, a->out + i * a->out_stride, a->value_dim);
        if (a->lse)
            a->lse[i * a->lse_stride] = (px_real)(most + log(total));
    }
}

/* The probability p of key j for token i, and the gradient of q.k. */
static double slope_of(const px_grad_attn *a, int64_t i, int64_t j, double *p)
{
    const px_real *dout = a->dout + i * a->dout_stride;
    double slope;
    *p = exp(score(a, i, j, &slope) - (double)a->lse[i * a->lse_stride]);
    const double dp = dot(dout, a->v + j * a->v_stride, a->value_dim);
    const double mean = dot(dout, a->out + i * a->out_stride, a->value_dim);
    return *p * (dp - mean) * slope;
}

void PX_REF_GRAD(attention_back)(const px_grad_attn *a)
{
    double *sum = a->scratch, *sum_v = sum + a->head_dim; // [head_dim], [value_dim]
    double p;
    for (int64_t i = 0; i < a->n; i++) {
        memset(sum, 0, (size_t)a->head_dim * sizeof *sum);
        for (int64_t j = first_key(a, i); j <= i; j++)
            add_scaled(slope_of(a, i, j, &p), a->k + j * a->k_stride, sum, a->head_dim);
        put(sum, 1, a->dq + i * a->dq_stride, a->head_dim);
    }
    for (int64_t j = 0; j < a->n; j++) {
        memset(sum, 0, (size_t)(a->head_dim + a->value_dim) * sizeof *sum);
        for (int64_t i = j; i < end_query(a, j); i++) {
            add_scaled(slope_of(a, i, j, &p), a->q + i * a->q_stride, sum, a->head_dim);
            add_scaled(p, a->dout + i * a->dout_stride, sum_v, a->value_dim);
        }
        put(sum, 1, a->dk + j * a->dk_stride, a->head_dim);
        put(sum_v, 1, a->dv + j * a->dv_stride, a->value_dim);
    }
}

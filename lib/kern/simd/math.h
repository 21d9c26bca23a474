/*
 * math: exponential and hyperbolic tangent of vectors, and loads of part of a vector of other
 * types. Included after a vec header.
 */
#ifndef PX_KERN_SIMD_MATH_H
#define PX_KERN_SIMD_MATH_H

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; e^r by a polynomial of degree 6 whose
 * relative error is 3.1e-9 (minimax fit, first two coefficients held at 1). ln 2 in two parts, of
 * which the first has 10 bits, so that n times it is exact. Error below 0.9 units of the last place
 * (test_math); results below 2^-126 keep absolute accuracy only; above 88.73 infinity; NaN stays
 * NaN. */
static inline vf vf_exp(vf x)
{
    x = vf_max(vf_all(-104.0f), vf_min(vf_all(89.0f), x));
    const vf n = vf_round(vf_mul(x, vf_all(1.44269504f)));
    vf r = vf_fnma(n, vf_all(0.693359375f), x);
    r = vf_fnma(n, vf_all(-2.12194442e-4f), r);
    vf p = vf_all(0.00138145394f);
    p = vf_fma(p, r, vf_all(0.00836874545f));
    p = vf_fma(p, r, vf_all(0.041668389f));
    p = vf_fma(p, r, vf_all(0.166665211f));
    p = vf_fma(p, r, vf_all(0.49999994f));
    p = vf_fma(p, r, vf_all(1.0f));
    p = vf_fma(p, r, vf_all(1.0f));
    return vf_scale2(p, n);
}

/* tanh x: below 0.625 an odd polynomial of degree 11 (relative error 4.4e-9), above it
 * 1 - 2 / (e^2|x| + 1). Error below 1.4 units of the last place (test_math). */
static inline vf vf_tanh(vf x)
{
    const vf size = vf_abs(x), square = vf_mul(x, x);
    vf p = vf_all(-0.00570491096f);
    p = vf_fma(p, square, vf_all(0.0206390228f));
    p = vf_fma(p, square, vf_all(-0.0537396967f));
    p = vf_fma(p, square, vf_all(0.133314416f));
    p = vf_fma(p, square, vf_all(-0.333332807f));
    const vf small = vf_fma(vf_mul(p, square), x, x);
    const vf e = vf_exp(vf_add(size, size));
    const vf large = vf_sub(vf_all(1.0f), vf_div(vf_all(2.0f), vf_add(e, vf_all(1.0f))));
    return vf_where_less(size, vf_all(0.625f), small, vf_copysign(large, x));
}

/* The first n < VF_N of halves or bytes in memory; zeros behind them. */
static inline vf vf_load_f16_part(const void *p, int64_t n)
{
    uint16_t halves[VF_N] = {0};
    memcpy(halves, p, (size_t)n * sizeof halves[0]);
    return vf_load_f16(halves);
}

static inline vf vf_load_bf16_part(const void *p, int64_t n)
{
    uint16_t halves[VF_N] = {0};
    memcpy(halves, p, (size_t)n * sizeof halves[0]);
    return vf_load_bf16(halves);
}

#endif

/* num: see num.h. Threads: every function touches only its arguments. */
#include "engine/num.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ln 2 in two parts: the high one has its last 17 bits zero, so that k * LN2_HI is exact for all
 * |k| below 2^16. */
static const double LN2_HI = 0x1.62e42fefa0000p-1;
static const double LN2_LO = 0x1.cf79abc9e3b3ap-40;
static const double LOG2_E = 0x1.71547652b82fep+0;

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t to_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x = k ln 2 + r with |r| <= ln 2 / 2; e^x = 2^k e^r; e^r by its series up to r^13 / 13!, whose
 * rest is under 5e-18. */
double px_exp(double x)
{
    if (!(x >= -708.0)) // NaN too
        return x < 0 ? 0.0 : x;
    if (x > 709.0)
        return (double)INFINITY;
    double k = (double)(int)(x * LOG2_E + (x < 0 ? -0.5 : 0.5)); // nearest; the cast cuts
    double r = (x - k * LN2_HI) - k * LN2_LO;
    static const double c[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0,
                               1.0 / 3628800.0,    1.0 / 362880.0,    1.0 / 40320.0,
                               1.0 / 5040.0,       1.0 / 720.0,       1.0 / 120.0,
                               1.0 / 24.0,         1.0 / 6.0,         0.5};
    double p = c[0];
    for (int i = 1; i < (int)(sizeof c / sizeof c[0]); i++)
        p = p * r + c[i];
    double e = 1.0 + (r + r * r * p);
    return e * from_bits((uint64_t)(1023 + (int)k) << 52);
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(f), f = (m - 1) / (m + 1), by its
 * series up to f^23, whose rest is under 2e-20. */
double px_log(double x)
{
    if (!(x > 0)) // NaN too
        return x == 0 ? -(double)INFINITY : (double)NAN;
    if (x < DBL_MIN)
        return -(double)INFINITY;
    if (x > DBL_MAX)
        return x;
    uint64_t bits = to_bits(x);
    int k = (int)(bits >> 52) - 1023;
    double m = from_bits((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        k++;
    }
    double f = (m - 1.0) / (m + 1.0);
    double f2 = f * f;
    double p = 1.0 / 23.0;
    for (int i = 21; i >= 3; i -= 2)
        p = p * f2 + 1.0 / (double)i;
    double small = 2.0 * f * f2 * p + (double)k * LN2_LO;
    return (double)k * LN2_HI + (2.0 * f + small);
}

uint64_t px_weight(float logit, float max)
{
    if (logit == max)
        return PX_WEIGHT_ONE;
    double d = (double)logit - (double)max;
    if (!(d > -29.0)) // under half a unit from -28.42 on; NaN too
        return 0;
    return (uint64_t)(px_exp(d) * (double)PX_WEIGHT_ONE + 0.5);
}

float px_max(const float *x, int64_t n)
{
    float max = -INFINITY;
    bool nan = false;
    for (int64_t i = 0; i < n; i++) {
        nan |= x[i] != x[i];
        max = x[i] > max ? x[i] : max;
    }
    return nan ? NAN : max;
}

double px_log_sum_exp(const float *x, int64_t n, float max)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += px_exp((double)x[i] - (double)max);
    return (double)max + px_log(sum);
}

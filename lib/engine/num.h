/*
 * num: the few functions of real numbers that sampling needs, the same to the last bit on every
 * machine.
 *
 * exp and log of the C library differ between libraries in the last place, and a seed would then
 * pick another token on another machine. These use additions, multiplications and divisions of
 * IEEE 754 doubles alone, in a fixed order, never contracted (the build says -ffp-contract=off).
 * docs/sampling.md gives the formulas and test vectors.
 *
 * Probabilities are carried as weights: integers relative to the likeliest token, whose weight is
 * PX_WEIGHT_ONE. Sums of integers do not depend on their order, so that filters may look at the
 * candidates in any order, and no rounding decides which of two tokens is drawn.
 */
#ifndef PX_ENGINE_NUM_H
#define PX_ENGINE_NUM_H

#include <stdint.h>

/* The weight of the likeliest token: 2^40. 2^22 tokens (PX_MAX_VOCAB) of that weight sum to 2^62.
 */
#define PX_WEIGHT_BITS 40
#define PX_WEIGHT_ONE  (UINT64_C(1) << PX_WEIGHT_BITS)

/* e^x. Error under 1.5 units in the last place; 0 below -708, infinity above 709, NaN for NaN. */
double px_exp(double x);

/* Natural logarithm of x. Error under 2.5 units in the last place; -infinity for 0, NaN for
 * negative numbers and NaN, infinity for infinity. Subnormal numbers count as 0. */
double px_log(double x);

/* round(exp(logit - max) * PX_WEIGHT_ONE), max being the largest logit (not -infinity, not NaN).
 * A logit equal to max has PX_WEIGHT_ONE, infinity included. NaN has 0. */
uint64_t px_weight(float logit, float max);

/* The largest of n floats; NaN when any is NaN; -infinity for none. */
float px_max(const float *x, int64_t n);

/* log(sum of exp(x)) of n floats, summed in order in double. max is px_max of them and finite. */
double px_log_sum_exp(const float *x, int64_t n, float max);

#endif

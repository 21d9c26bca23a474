/* rope: turning pairs of values. Its gradient is the same with the sines negated, which the test of
 * gradients holds against finite differences: hence px_real. */
#include "kern/ref/rope.h"

static void rotate(px_real *x, px_real *y, px_real c, px_real s)
{
    const px_real a = *x, b = *y;
    *x = a * c - b * s;
    *y = a * s + b * c;
}

void PX_REAL_NAME(px_ref_rope_pairs)(px_real *x, const px_real *cos, const px_real *sin,
                                     int64_t n_rot)
{
    for (int64_t i = 0; i < n_rot / 2; i++)
        rotate(&x[2 * i], &x[2 * i + 1], cos[i], sin[i]);
}

void PX_REAL_NAME(px_ref_rope_halves)(px_real *x, const px_real *cos, const px_real *sin,
                                      int64_t n_rot)
{
    for (int64_t i = 0; i < n_rot / 2; i++)
        rotate(&x[i], &x[i + n_rot / 2], cos[i], sin[i]);
}

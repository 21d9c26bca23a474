/* grad_rows: gradients of norm and gates, and the loss of a row of logits. */
#include "kern/ref/grad.h"

#include <math.h>

/* ---- norm */

/* y = x s w with s = (mean(x^2) + eps)^-1/2: dx_i = s w_i dy_i - x_i s^3 / n * sum w dy x. */
void PX_REF_GRAD(norm_back)(const px_real *x, const px_real *w, px_real eps, const px_real *dy,
                            px_real *dx, px_real *dw, int64_t n)
{
    double squares = 0, along = 0;
    for (int64_t i = 0; i < n; i++) {
        squares += (double)x[i] * (double)x[i];
        along += (double)dy[i] * (w ? (double)w[i] : 1.0) * (double)x[i];
    }
    const double s = n > 0 ? 1 / sqrt(squares / (double)n + (double)eps) : 0;
    const double pull = n > 0 ? along * s * s * s / (double)n : 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)dy[i], xi = (double)x[i];
        if (dw)
            dw[i] = (px_real)((double)dw[i] + d * xi * s);
        dx[i] = (px_real)((double)dx[i] + d * (w ? (double)w[i] : 1.0) * s - xi * pull);
    }
}

/* ---- gates */

/* g sigma(g) has the slope sigma(g) (1 + g (1 - sigma(g))). */
void PX_REF_GRAD(silu_back)(const px_real *gate, const px_real *up, const px_real *dy,
                            px_real *dgate, px_real *dup, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)gate[i], u = (double)up[i], d = (double)dy[i];
        const double sigma = 1 / (1 + exp(-g)), rest = 1 / (1 + exp(g));
        dgate[i] = (px_real)(d * u * sigma * (1 + g * rest));
        dup[i] = (px_real)(d * g * sigma);
    }
}

/* g sigma(v), v = 2 sqrt(2 / pi) (g + 0.044715 g^3) has the slope sigma(v) (1 + g (1 - sigma(v))
 * v').
 */
void PX_REF_GRAD(gelu_back)(const px_real *gate, const px_real *up, const px_real *dy,
                            px_real *dgate, px_real *dup, int64_t n)
{
    const double twice_root = 1.5957691216057308; // 2 sqrt(2 / pi)
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)gate[i], u = (double)up[i], d = (double)dy[i];
        const double v = twice_root * (g + 0.044715 * g * g * g);
        const double slope = twice_root * (1 + 3 * 0.044715 * g * g);
        const double sigma = 1 / (1 + exp(-v)), rest = 1 / (1 + exp(v));
        dgate[i] = (px_real)(d * u * sigma * (1 + g * rest * slope));
        dup[i] = (px_real)(d * g * sigma);
    }
}

/* ---- loss */

/* The capped logit, and what a gradient by it is to be multiplied by for one by x. */
static double capped(double x, double cap, double *slope)
{
    *slope = 1;
    if (!(cap > 0))
        return x;
    const double t = tanh(x / cap);
    *slope = 1 - t * t;
    return cap * t;
}

double PX_REF_GRAD(loss)(px_real *x, int64_t n, int32_t target, px_real cap, px_real scale)
{
    double most = -INFINITY, sum = 0, slope;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        finite = finite && isfinite(x[i]);
        most = fmax(most, capped((double)x[i], (double)cap, &slope));
    }
    for (int64_t i = 0; i < n; i++)
        sum += exp(capped((double)x[i], (double)cap, &slope) - most);
    const double lse = finite ? most + log(sum) : (double)NAN;
    const double loss = lse - capped((double)x[target], (double)cap, &slope);
    for (int64_t i = 0; i < n && scale != 0; i++) {
        const double p = exp(capped((double)x[i], (double)cap, &slope) - lse);
        x[i] = (px_real)((double)scale * (p - (i == target ? 1.0 : 0.0)) * slope);
    }
    return loss;
}

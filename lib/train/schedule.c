/* schedule: see schedule.h. */
#include "train/schedule.h"

#include <math.h>

static double fraction(double t, double from, double to)
{
    double r = to > from ? (t - from) / (to - from) : 1.0;
    return r < 0 ? 0 : r > 1 ? 1 : r;
}

double px_schedule_at(const px_schedule *s, int64_t t)
{
    double at = (double)t, from = (double)s->warmup, total = (double)s->total;
    double span = s->base - s->least;
    if (t < s->warmup)
        return s->base * (at + 1) / from;
    switch (s->kind) {
    case PX_SCHEDULE_LINEAR:
        return s->base - fraction(at, from, total) * span;
    case PX_SCHEDULE_COSINE:
        return s->least + 0.5 * (1 + cos(3.141592653589793 * fraction(at, from, total))) * span;
    case PX_SCHEDULE_WSD:
        return s->least + (1 - sqrt(fraction(at, 0.8 * total, total))) * span;
    default:
        return s->base;
    }
}

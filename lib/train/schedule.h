/*
 * schedule: the learning rate of each update.
 *
 *   warm-up    base * (t + 1) / W                          updates t < W
 *   constant   base
 *   linear     base - r (base - least)                     r = (t - W) / (N - W)
 *   cosine     least + (1 + cos(pi r)) / 2 * (base - least)
 *   WSD        base until 0.8 N, then least + (1 - sqrt(s)) (base - least), s = (t - 0.8 N) / 0.2 N
 *
 * (Hu et al. 2024, MiniCPM, arXiv 2404.06395, for warm-up, stable, decay; Haegele et al. 2024,
 * arXiv 2405.18392, for the root.)
 */
#ifndef PX_TRAIN_SCHEDULE_H
#define PX_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum px_schedule_kind {
    PX_SCHEDULE_CONSTANT,
    PX_SCHEDULE_LINEAR,
    PX_SCHEDULE_COSINE,
    PX_SCHEDULE_WSD
} px_schedule_kind;

typedef struct px_schedule {
    px_schedule_kind kind;
    double base, least;
    int64_t warmup, total; // updates
} px_schedule;

/* Of update t, from 0; past the end as at the end. */
double px_schedule_at(const px_schedule *s, int64_t t);

#endif

/*
 * trainer_in: the inside of a run, for trainer.c (making), learn.c (passes) and run.c (the loop).
 */
#ifndef PX_TRAIN_TRAINER_IN_H
#define PX_TRAIN_TRAINER_IN_H

#include "base/buf.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

/* One set of examples with what its passes need. */
typedef struct px_train_set {
    const px_examples *e;
    px_pack pack;
    int64_t units;
    double *references; // [2 * units], part of the run's, or NULL
} px_train_set;

struct px_trainer {
    px_net *net;
    px_trainer_options o;
    px_optim *optim;
    px_tape *tape;
    px_schedule schedule;
    px_train_set train, eval;
    int64_t per_epoch; // updates
    int64_t order_epoch;
    int64_t *order;        // [train.units] of that epoch
    double *losses;        // [tokens of a pass]
    float *scales;         // likewise
    double *sums, *slopes; // [2 * batch]
    int32_t *counts;
    px_train_state state;
    double *references; // of both sets: what a checkpoint keeps
    int64_t n_references;
    bool resumed;
    double begun, saved_at; // clock
    int64_t begun_tokens, begun_updates;
    px_buf last, best; // paths
    volatile int stop;
};

/* Sets the schedule by the state's total. */
void px_trainer_set_schedule(px_trainer *t);

static inline int32_t px_trainer_most(int64_t n, int32_t most)
{
    return n < most ? (int32_t)n : most;
}

/* ---- learn.c */

/* Lays out update u. */
void px_trainer_take(px_trainer *t, int64_t u);
/* Gradients of the update that was laid out, and its loss. */
pith_status px_trainer_learn(px_trainer *t, int64_t u, px_objective_sum *sum, pith_error *err);
/* Fills the references of all sets. */
pith_status px_trainer_look_back(px_trainer *t, pith_error *err);

#endif

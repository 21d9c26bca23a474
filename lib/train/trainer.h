/*
 * trainer: a run of training: which examples make an update, in which order, when to evaluate, when
 * to stop, and what is kept so that a run that was killed goes on to the same bits.
 *
 * An update takes the next `batch` units in the epoch's order, which hangs on seed and epoch alone;
 * they are packed into passes of `seq` tokens, their gradients added up, normalised by all learned
 * tokens of the update, clipped and applied. Everything else that changes is in px_train_state.
 *
 * An update whose loss or gradient is not finite, or whose loss is far above those before, is not
 * applied but counted; too many in a row end the run with a sentence.
 *
 * One thread at a time; the pool's owner. After px_trainer_new a run takes nothing from the heap
 * but for checkpoints.
 */
#ifndef PX_TRAIN_TRAINER_H
#define PX_TRAIN_TRAINER_H

#include "train/objective.h"
#include "train/optim.h"
#include "train/schedule.h"

enum { PX_TRAIN_WINDOW = 32 };

/* All that changes from update to update besides parameters and the optimizer's state. */
typedef struct px_train_state {
    int64_t updates, total; // done, and of the run
    int64_t tokens, learned;
    int64_t best_at;   // update after which the evaluation was best
    double base, best; // evaluation before the first update, and the best one
    double seconds;
    double window[PX_TRAIN_WINDOW]; // last losses
    double most;                    // largest loss that was applied
    int32_t n_window, worse;        // evaluations since the best
    int32_t skipped, skipped_row;   // updates not applied; of them in a row
    int32_t has_base, has_best, ended;
} px_train_state;

typedef enum px_train_event_kind {
    PX_TRAIN_BEGIN,      // before the first update
    PX_TRAIN_UPDATE,     // after each
    PX_TRAIN_EVALUATION, // loss and best are those of the evaluation set
    PX_TRAIN_SAVED,      // a checkpoint was written
    PX_TRAIN_SKIPPED     // an update was not applied
} px_train_event_kind;

typedef struct px_train_event {
    px_train_event_kind kind;
    int64_t update, total;
    double epoch;
    double loss, norm, lr;
    double right, margin;     // preferences: share of units on the right side, mean margin
    int64_t tokens, learned;  // of the update
    double tokens_per_second; // of the run so far, as it is now
    double seconds, seconds_left;
    double best;
    bool improved;
} px_train_event;

/* Nonzero ends the run with CANCELLED, after a checkpoint. */
typedef int (*px_train_event_fn)(void *user, const px_train_event *event);

typedef struct px_trainer_options {
    px_objective_kind objective;
    double beta;
    px_optim_options optim;
    px_schedule_kind schedule;
    double lr, least; // least: of the end of the schedule
    double warmup;    // share of the updates
    double clip;      // 0: none
    double spike;     // deviations above the mean of the last losses (and above all
                      // before) from which an update is not applied; 0: none
    double epochs;
    int64_t max_updates; // 0: as epochs say
    double max_seconds;  // 0: none; the schedule is fitted to it after the first updates
    int32_t batch, seq, head_rows, keep;
    float dropout;
    uint64_t seed;
    int64_t eval_every; // updates; 0: once an epoch
    int32_t patience;   // evaluations without a better one; 0: any number
    const char *folder; // for last.ckpt and best.ckpt; NULL: none
    int64_t save_every; // updates; 0: by time alone
    double save_seconds;
    uint64_t identity; // of model and data: what a checkpoint belongs to
    px_train_event_fn on_event;
    void *user;
} px_trainer_options;

typedef struct px_trainer px_trainer;

/* net, examples and evaluation (may be NULL) are lent. Errors: ARGUMENT (numbers; no examples; a
 * goal that does not fit the objective; examples longer than seq), MEMORY. */
pith_status px_trainer_new(px_net *net, const px_examples *examples, const px_examples *evaluation,
                           const px_trainer_options *options, px_trainer **out, pith_error *err);
void px_trainer_free(px_trainer *t);

/* Runs to the end. Errors: CANCELLED, NUMERIC, IO. The net holds the last parameters. */
pith_status px_trainer_run(px_trainer *t, pith_error *err);

/* Ends the run soon, with CANCELLED and a checkpoint of the update before: from any thread, or a
 * signal handler. */
void px_trainer_stop(px_trainer *t);

/* Goes on from folder/last.ckpt, or *found = false when there is none. Errors: as px_checkpoint. */
pith_status px_trainer_resume(px_trainer *t, bool *found, pith_error *err);
/* Puts the best parameters of the run into the net, where an evaluation chose some. */
pith_status px_trainer_take_best(px_trainer *t, pith_error *err);

const px_train_state *px_trainer_state(const px_trainer *t);
/* Mean loss of a set as the objective has it, without dropout. plain: without the pairs. */
pith_status px_trainer_evaluate(px_trainer *t, bool plain, double *loss, pith_error *err);
size_t px_trainer_bytes(const px_trainer *t);
int64_t px_trainer_per_epoch(const px_trainer *t);

#endif

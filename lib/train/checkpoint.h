/*
 * checkpoint: all of a run in one file, replaced whole, so that a kill leaves the one before.
 *
 *   byte 0   "pithckpt"
 *        8   u32 version (1)    12  u32 1: with the optimizer's state
 *       16   u64 identity       24  u64 n_values       32  u64 state_bytes of the optimizer
 *       40   u64 updates of the optimizer              48  u64 n_references
 *       56   px_train_state
 *            f32 values[n_values]
 *            the optimizer's state
 *            f64 references[n_references]
 *            u64 hash of everything before (engine/hash.h): notices damage
 *
 * Of the machine that wrote it: little-endian, and the struct as this version lays it out, which
 * its size in the version's high half says.
 */
#ifndef PX_TRAIN_CHECKPOINT_H
#define PX_TRAIN_CHECKPOINT_H

#include "train/trainer.h"

typedef struct px_checkpoint {
    uint64_t identity;
    px_train_state *state;
    px_params *params;
    px_optim *optim; // NULL: parameters alone
    double *references;
    int64_t n_references;
} px_checkpoint;

/* Errors: IO, MEMORY. */
pith_status px_checkpoint_save(const px_checkpoint *c, const char *path, pith_error *err);
/* Reads into what c points to. params alone where optim is NULL: state is then left as it is.
 * Errors: NOT_FOUND, FORMAT (no checkpoint, damaged), MISMATCH (of another run). On failure nothing
 * has changed. */
pith_status px_checkpoint_load(const px_checkpoint *c, const char *path, pith_error *err);

#endif

/* cost: what a run of LoRA on all linear matrices takes, from a model's shapes. Formulas:
 * docs/data.md. */
#ifndef PX_TRAIN_COST_H
#define PX_TRAIN_COST_H

#include "engine/model.h"

typedef struct px_cost_of_run {
    uint64_t model_bytes, state_bytes, work_bytes;
    double flops_token;   // forward, backward and what checkpointing computes again, for a token
    double flops_learned; // more for one that is learned: the head
} px_cost_of_run;

/* For examples of so many tokens on average, none longer than `longest`. */
px_cost_of_run px_cost_of(const pith_model *model, int32_t rank, double mean_tokens,
                          int32_t longest);

#endif

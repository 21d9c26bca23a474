/*
 * objective: from -log p of the learned tokens of a pass to the loss and its gradient. S is the sum
 * over the learned tokens of a segment, n their number, r = S_ref - S how much likelier the model
 * now finds it than it did (reference: the model without its adapter, computed once).
 *
 *   SFT   sum of all S / learned tokens of the update
 *   DPO   -log sigmoid(beta (r_chosen - r_rejected))       (Rafailov et al. 2023, arXiv 2305.18290)
 *   ORPO  S_c / n_c - beta log sigmoid(log odds ratio), of p = e^(-S / n)
 *                                                          (Hong et al. 2024, arXiv 2403.07691)
 *   KTO   1 - sigmoid(+-(beta (r - kl))), + for good answers; kl: mean r of prompts with answers
 *         of others, of a pass, at least 0                 (Ethayarajh et al. 2024, arXiv
 * 2402.01306)
 *
 * The last three are means over the units of the update.
 */
#ifndef PX_TRAIN_OBJECTIVE_H
#define PX_TRAIN_OBJECTIVE_H

#include "train/pack.h"

typedef enum px_objective_kind {
    PX_OBJECTIVE_SFT,
    PX_OBJECTIVE_DPO,
    PX_OBJECTIVE_ORPO,
    PX_OBJECTIVE_KTO
} px_objective_kind;

typedef struct px_objective {
    px_objective_kind kind;
    double beta;
    const double *reference; // [units, 2] S of the segments of each, or NULL
} px_objective;

/* What a pass adds up to. */
typedef struct px_objective_sum {
    double loss;    // its share of the update's mean
    double n_right; // units with r_chosen > r_rejected, or r on the right side
    double margin;  // sum of beta times their distances
} px_objective_sum;

/* Sums of each segment of a batch from the losses of its learned positions: sums and counts
 * [n_segs]. */
void px_objective_sums(const px_packed *batch, const double *losses, double *sums, int32_t *counts);

/* Loss of a pass, and d loss / d S of each segment into slopes [n_segs]. total: learned tokens of
 * the update (SFT) or its units. */
px_objective_sum px_objective_pass(const px_objective *o, const px_pack *pack,
                                   const px_pack_pass *pass, const double *sums,
                                   const int32_t *counts, double total, double *slopes);

#endif

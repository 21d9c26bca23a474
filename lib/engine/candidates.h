/*
 * candidates: the tokens that may still be chosen, and the filters that thin them out.
 *
 * Candidates stand in ascending order of id, always; a filter finds a threshold (select.h) and
 * moves the rest together. "Likelier" means a larger logit, and of equal ones the lower id; this
 * orders all candidates strictly, so every filter below is defined to the last token.
 *
 * Probabilities are weights (num.h) over their sum. One set of buffers, made with the engine,
 * serves all its sessions; nothing here takes from the heap after px_candidates_init. One thread
 * at a time. Formulas and sources: docs/sampling.md.
 */
#ifndef PX_ENGINE_CANDIDATES_H
#define PX_ENGINE_CANDIDATES_H

#include "base/error.h"
#include "engine/rng.h"

typedef struct px_candidates {
    int32_t n_vocab;   // V
    int32_t n;         // candidates left
    int32_t *ids;      // [V] ascending
    float *logits;     // [V] of the candidates
    uint64_t *weights; // [V] of the candidates, valid when total > 0
    uint64_t total;    // sum of weights; 0: not computed since logits or candidates changed
    uint32_t *keys;    // [V] room for selection
    int32_t *marks;    // [V] by id; all 0 between calls: for penalties and DRY
} px_candidates;

pith_status px_candidates_init(px_candidates *c, int32_t n_vocab, pith_error *err);
void px_candidates_clear(px_candidates *c);
/* Bytes that init takes. */
size_t px_candidates_bytes(int32_t n_vocab);

/* All tokens are candidates again, with these logits [V]. */
void px_candidates_load(px_candidates *c, const float *logits);

/* Keeps those whose bit is set, of all V, right after a load; ids from n_bits on go. May leave
 * none. */
void px_candidates_keep(px_candidates *c, const uint64_t *bits, int32_t n_bits);

/* The index of the likeliest candidate, or -1 when all logits are -infinity (or NaN). */
int32_t px_candidates_best(const px_candidates *c);

/* Weights of all candidates relative to the likeliest, and their total. Errors: ARGUMENT when all
 * logits are -infinity. */
pith_status px_candidates_weigh(px_candidates *c, pith_error *err);

/* The filters. Each leaves at least min_keep candidates where there were so many, and at least
 * one. */
/* The k likeliest; k under 1: all. */
void px_filter_top_k(px_candidates *c, int32_t k, int32_t min_keep);
/* The fewest likeliest that hold a share p of the probability; p from 1 on: all. */
pith_status px_filter_top_p(px_candidates *c, float p, int32_t min_keep, pith_error *err);
/* Those with at least p times the probability of the likeliest; p up to 0: all. */
pith_status px_filter_min_p(px_candidates *c, float p, int32_t min_keep, pith_error *err);
/* Locally typical: those whose surprise lies nearest to the entropy, the fewest that hold a share
 * p; p from 1 on: all. */
pith_status px_filter_typical(px_candidates *c, float p, int32_t min_keep, pith_error *err);
/* Exclude top choices: with this chance, of those with at least `threshold` probability only the
 * unlikeliest stays. Takes one number from rng when the chance is above 0. */
pith_status px_filter_xtc(px_candidates *c, float chance, float threshold, int32_t min_keep,
                          px_rng *rng, pith_error *err);
/* Divides logits by t, above 0. */
void px_filter_temperature(px_candidates *c, float t);
/* Mirostat 2: those with a surprise of at most mu bits, and the likeliest. */
pith_status px_filter_surprise(px_candidates *c, double mu, pith_error *err);

/* Draws one by weight and gives its index. */
pith_status px_candidates_draw(px_candidates *c, px_rng *rng, int32_t *index, pith_error *err);

#endif

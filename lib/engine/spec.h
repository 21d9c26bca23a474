/*
 * spec: speculative decoding: guessing the next tokens of an answer, so that one pass over the
 * weights may write several.
 *
 *   tokens   | ... context and answer ... last | g1 g2 .. gk |      one step of k + 1 columns
 *   logits                                  r0 | r1 r2 .. rk |
 *
 * The sampler chooses from r0 as it would without guesses. When that is g1, row r1 is what the next
 * step would have computed, and it chooses from r1; and so on to the first guess that is wrong,
 * whose keys and values, and those behind it, are dropped. Nothing is chosen by a guess: the
 * answer, its random numbers, log-probabilities and calls of hooks are those of a run without. For
 * a guess that is certain of itself this is the acceptance rule of Leviathan et al., "Fast
 * Inference from Transformers via Speculative Decoding", ICML 2023: a guess g comes true with
 * probability p(g), and otherwise the token is distributed as p without g.
 *
 * Guesses come from the answer's own context (what followed the longest earlier occurrence of its
 * end; Saxena, "Prompt Lookup Decoding", 2023) or from a draft model with the same vocabulary,
 * which draws with a copy of the sampler: the same options and the random numbers that the answer
 * will use, so that the two agree as often as their distributions allow.
 *
 * Whether it pays is measured: seconds of a step by its columns, of a guess of the draft model, and
 * how often guesses come true. Engine's thread; nothing is taken from the heap.
 */
#ifndef PX_ENGINE_SPEC_H
#define PX_ENGINE_SPEC_H

#include "base/error.h"

enum {
    PX_MOST_DRAFT = 31,    // guesses of one step
    PX_COST_COLUMNS = 128, // steps of more columns are not measured
    PX_MATCH_LEAST = 2,    // tokens that must have occurred before
    PX_MATCH_MOST = 8      // more are not counted
};

/* Running averages of an engine. 0: not measured. */
typedef struct px_costs {
    double step[PX_COST_COLUMNS + 1];  // seconds of a step that only writes, by its columns
    uint8_t seen[PX_COST_COLUMNS + 1]; // measurements, as far as LEAST_SEEN of spec.c
    double draft;                      // seconds of one guess of the draft model
} px_costs;

void px_costs_note(px_costs *c, int64_t columns, double seconds);
/* What a step of so many columns takes, from the nearest that were measured; 0 when none with as
 * few or fewer was. */
double px_costs_of(const px_costs *c, int64_t columns);

typedef enum px_guess_source { PX_SOURCE_NGRAM, PX_SOURCE_DRAFT, PX_SOURCE_N } px_guess_source;

/* What an answer knows about its guesses. */
typedef struct px_guesser {
    pith_speculation mode;
    int32_t most; // guesses of one step
    px_guess_source source;
    int32_t length;                              // of the match that the guesses at hand come from
    float share[PX_SOURCE_N][PX_MATCH_MOST + 1]; // of guesses that come true, by length
    int32_t idle, wait; // steps since it did not pay, and how many to wait before the next try
    int32_t since_plain;
    double draft_seconds; // of the guesses at hand
} px_guesser;

/* most: 0 for the default. */
void px_guesser_init(px_guesser *g, pith_speculation mode, int32_t most);

/* How many guesses pay best: at most `most`, each coming true with probability share after the one
 * before it and costing draft seconds, behind a step of `columns` columns that writes `writers`
 * tokens. *rate: tokens a second then. Pure. */
int32_t px_spec_best(const px_costs *c, int64_t columns, int32_t writers, double share,
                     double draft, int32_t most, double *rate);

/* Where the longest end of tokens [n], up to PX_MATCH_MOST and at least PX_MATCH_LEAST tokens,
 * stood before, latest first: the index of what followed it, or -1. */
int64_t px_spec_match(const int32_t *tokens, int64_t n, int32_t *length);

/* Guesses at most `most` tokens for an answer that writes one in a step of `columns` columns, and
 * puts them behind those that its session lists. Returns how many. */
int32_t px_guess(pith_answer *a, int32_t most, int64_t columns, int32_t writers);

/* Of n guesses, the first n_true came true. */
void px_guess_judge(px_guesser *g, int32_t n, int32_t n_true);

#endif

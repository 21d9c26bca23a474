/*
 * plan: which tokens of which answers make up the next step.
 *
 *   step   | one token of every answer that is being written, with guesses behind it |
 *          | pieces of contexts that are still being read, as far as there is room |
 *
 * Those who write come first. A step that writes for somebody takes few tokens of contexts (at most
 * prompt_batch), so that nobody waits long for his next token; a step that writes for nobody is
 * filled.
 *
 * Where not all fit, the key that has had least (shares.h) goes first, and of its answers the one
 * that was served longest ago (the order of the list).
 *
 * A context of which another one that is being read holds the next page already, or will, waits for
 * it; its turn goes to that one. An answer enters when there are pages for its context beside what
 * those that are in will soon need; until then it waits. Smaller ones may overtake it, but only
 * those that came soon after.
 */
#ifndef PX_ENGINE_PLAN_H
#define PX_ENGINE_PLAN_H

#include "engine/answer.h"

typedef struct px_plan {
    pith_engine *e;
    int32_t n;            // of e->parts and e->chunks
    int64_t n_tokens;     // of all chunks
    int32_t n_rows;       // of logits
    pith_answer *starved; // the last to come of those in that the cache has no room for, or NULL
    pith_error error;     // what the cache said of it
    bool force;           // the first one enters, room or not
    uint64_t oldest;      // number of the one that has waited longest for room, or UINT64_MAX
} px_plan;

/* Plans a step for the answers of the list, none of which is done. p->n is 0 when nobody can move:
 * somebody must make room, and is p->starved when anybody is in. */
void px_plan_make(pith_engine *e, const px_batch *b, px_plan *p);

/* Whether one more answer would be let in; holds no session back. */
pith_fit px_plan_fits(const pith_engine *e, int64_t n_tokens, int64_t max_tokens);

/* Pages that those in flight will need soon beside those that they hold. */
int64_t px_plan_promised(const px_batch *b);

#endif

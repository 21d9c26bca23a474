/*
 * batch: the one loop that writes answers: a step is planned (plan.h) and computed, and its logits
 * become tokens. pith_generate runs it with a list of one, pith_engine_run with all that are in
 * flight.
 *
 * Answers stand in the list in the order in which they were last served, longest ago first.
 *
 * An answer for which the cache has no room waits while others move. When nobody can, the one that
 * came last gives its pages up and is computed again later; when there is but one, it fails.
 */
#ifndef PX_ENGINE_BATCH_H
#define PX_ENGINE_BATCH_H

#include "engine/answer.h"

/* Adds an answer; there is room for as many as the engine has sessions. */
void px_batch_add(px_batch *b, pith_answer *a);

/* Takes an answer out, done or not. */
void px_batch_remove(px_batch *b, const pith_answer *a);

/* One step for the answers of the list, whose engine is inside a call. Those that are done
 * afterwards have been taken out and settled. Takes nothing from the heap. */
void px_batch_step(pith_engine *e, px_batch *b);

#endif

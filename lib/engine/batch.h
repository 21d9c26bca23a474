/*
 * batch: the one loop that writes answers: which tokens of which answers make up the next step,
 * and what is done with its logits. pith_generate runs it with a list of one, pith_engine_run with
 * all that are in flight.
 *
 *   step   | one token of every answer that is being written, with guesses behind it |
 *          | pieces of contexts that are still being read, in turn, as far as there is room |
 *
 * Those who write come first. A step that writes for somebody takes at most prompt_batch tokens of
 * contexts, so that nobody waits long for his next token; a step that writes for nobody is filled.
 * Answers stand in the list in the order in which they were last served, longest ago first: where
 * not all fit, the next step begins with those that were left out.
 *
 * An answer for which the cache has no room waits while others move; when nobody can, the one
 * that came last fails.
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

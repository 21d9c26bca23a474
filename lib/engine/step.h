/*
 * step: one step of the decoder for several sessions of an engine at once. Knows nothing of
 * requests: what tokens are and who waits for them is batch's business.
 */
#ifndef PX_ENGINE_STEP_H
#define PX_ENGINE_STEP_H

#include "engine/session.h"

/* Computes chunks, all of sessions of this engine, whose caller is inside a call (px_engine_begin).
 * Rows of logits as px_decoder_step gives them. cancel may be NULL. Errors as there, and MEMORY
 * where the cache has no room for chunk *failed (-1: not the fault of one chunk alone). On failure
 * no sequence has grown. Takes nothing from the heap. */
pith_status px_step_run(pith_engine *e, const px_chunk *chunks, int n_chunks,
                        const volatile int *cancel, const float **logits, int *failed,
                        pith_error *err);

#endif

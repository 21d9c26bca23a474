/*
 * identity: a number for "these weights, computed in this way": keys and values of one process may
 * be used by another only where it is the same.
 *
 * In it: every metadata value but the tokenizer's, every tensor's name, type, shape and 16 samples
 * of its bytes, spread evenly, size and time of change of each file, the form of the KV cache, and
 * which factors of rope a context of this length uses. Reading all weights would take longer than
 * what is saved; a change of few values that leaves size and time as they were is not noticed.
 */
#ifndef PX_ENGINE_IDENTITY_H
#define PX_ENGINE_IDENTITY_H

#include "engine/model.h"
#include "model/kv.h"

uint64_t px_identity(const pith_model *model, const px_kv_layout *layout, int64_t n_ctx);

#endif

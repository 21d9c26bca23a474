/*
 * adapter_merge: the values of a model's tensors with adapters in them: W + u s B A, with DoRA each
 * row times its gain after that; several adapters one after the other, as the decoder applies them.
 */
#ifndef PX_MODEL_ADAPTER_MERGE_H
#define PX_MODEL_ADAPTER_MERGE_H

#include "model/adapter.h"

typedef struct px_lora_merge {
    const px_source *model;
    const px_hparams *hp;
    const px_lora_use *uses; // [n]
    int32_t n;
} px_lora_merge;

/* Whether the weights alone can say what the adapters do: UNSUPPORTED where one of them adapts the
 * embedding or the output matrix, and the model has one tensor for both. */
pith_status px_lora_merge_check(const px_lora_merge *m, pith_error *err);

/* Whether a tensor of the model changes. */
bool px_lora_merge_changes(const px_lora_merge *m, const px_tensor *t);

/* Changes n values from element `at` on, in the tensor's own order. user: a px_lora_merge. Threads
 * may do so at once. */
void px_lora_merge_edit(void *user, const px_tensor *t, int64_t at, int64_t n, float *values);

#endif

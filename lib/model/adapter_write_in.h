/* adapter_write_in: what the writers of both forms share; see adapter_write.h. */
#ifndef PX_MODEL_ADAPTER_WRITE_IN_H
#define PX_MODEL_ADAPTER_WRITE_IN_H

#include "model/lora_set.h"

/* Whether a set can be written: some pairs, known tensors, ranks in range, finite values. */
pith_status px_lora_set_check(const px_lora_set *set, const char *path, pith_error *err);

bool px_lora_is_embedding(const px_lora_tensor *t);

#endif

/*
 * adapter_read_in: what the readers of both forms make of a file: its tensors as parts of pairs,
 * which adapter_read.c puts together.
 */
#ifndef PX_MODEL_ADAPTER_READ_IN_H
#define PX_MODEL_ADAPTER_READ_IN_H

#include "model/adapter_read.h"

typedef enum px_lora_role { PX_LORA_A, PX_LORA_B, PX_LORA_MAGNITUDE, PX_LORA_COPY } px_lora_role;

/* A tensor of the file. */
typedef struct px_lora_part {
    const char *name;   // as the file has it
    const char *base;   // of the tensor that it adapts, as GGUF has it
    const char *module; // PEFT: the module's path
    px_lora_role role;
    px_dtype dtype;
    int64_t rows, cols; // as it lies: rows of cols elements
    const uint8_t *data;
    int64_t at; // which of the file's tensors it is
} px_lora_part;

/* Parts of a folder whose peft is open, in the file's arena. */
pith_status px_lora_peft_parts(px_lora_file *f, px_lora_part **out, int64_t *n, pith_error *err);

/* The alpha of a module by the configuration. */
typedef struct px_lora_alphas px_lora_alphas;
pith_status px_lora_alphas_new(const px_peft *peft, px_lora_alphas **out, pith_error *err);
void px_lora_alphas_free(px_lora_alphas *a);
pith_status px_lora_alphas_find(px_lora_alphas *a, const char *module, float *out, pith_error *err);

#endif

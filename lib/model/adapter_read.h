/*
 * adapter_read: an adapter's file as a set of pairs in f32, from each form that pith reads:
 *
 * GGUF, as llama.cpp's convert_lora_to_gguf.py writes it and adapter_write does:
 *   general.type          "adapter"
 *   general.architecture  the model's
 *   adapter.type          "lora"; "dora" where there are magnitudes
 *   adapter.lora.alpha    f32: scale = alpha / R of each pair; 0: 1
 *   NAME.lora_a           ne [cols, R]      NAME: a matrix of the model as GGUF names it
 *   NAME.lora_b           ne [R, rows]
 *   NAME.lora_magnitude   ne [rows]
 *   token_embd.weight     the other way round: lora_a ne [R, vocabulary], lora_b ne [R, width]
 *
 * a folder as PEFT writes it (lib/format/peft):
 *   base_model.model.MODULE.lora_A.weight     [R, in]
 *   base_model.model.MODULE.lora_B.weight     [out, R]
 *   base_model.model.MODULE.lora_embedding_A  [R, vocabulary]
 *   base_model.model.MODULE.lora_embedding_B  [width, R]
 *   base_model.model.MODULE.lora_magnitude_vector  [out]
 *   base_model.model.MODULE.base_layer.weight, or MODULE.weight: PEFT adds the model's own
 * embedding and output matrix where they have pairs. They are kept as `copies`, for adapter_load to
 * hold against the model: where they were changed, the adapter is more than its pairs.
 *
 * Needs no model: what depends on one (shapes, architecture) is adapter_load's to check.
 */
#ifndef PX_MODEL_ADAPTER_READ_H
#define PX_MODEL_ADAPTER_READ_H

#include "format/peft.h"
#include "model/lora_set.h"

typedef enum px_lora_form { PX_LORA_GGUF, PX_LORA_PEFT } px_lora_form;

/* A tensor of the model that lies in an adapter's folder too. */
typedef struct px_lora_copy {
    const char *name; // as GGUF has it
    px_dtype dtype;
    int64_t rows, cols;
    const uint8_t *data;
} px_lora_copy;

typedef struct px_lora_file {
    px_lora_set set;
    px_lora_form form;
    const char *path;
    const char *arch; // general.architecture; NULL of a folder
    float alpha;      // as the file states it for all
    int32_t most_rank;
    const px_lora_copy *copies; // [n_copies]
    int32_t n_copies;
    const char *dtype; // of the first pair, for people
    px_arena arena;
    px_source *source;
    px_peft peft;
} px_lora_file;

/* Errors: NOT_FOUND, FORMAT (what is no adapter; half a pair; a pair whose shapes do not fit each
 * other; NaN), UNSUPPORTED (another kind of adapter; a tensor that is no pair), LIMIT, MEMORY. On
 * failure nothing is left. */
pith_status px_lora_open(const char *path, px_lora_file **out, pith_error *err);

/* Of a GGUF file that is open already, and is closed with it; also on failure. */
pith_status px_lora_open_source(px_source *source, px_lora_file **out, pith_error *err);

void px_lora_close(px_lora_file *f);

#endif

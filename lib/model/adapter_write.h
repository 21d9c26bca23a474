/*
 * adapter_write: an adapter in memory (lora_set) to the two forms that other programs read: a GGUF
 * file as llama.cpp loads it, and a folder as PEFT loads it. The files appear under their names
 * only when whole.
 *
 * GGUF has one alpha for the file, and scales each pair by alpha / R. rsLoRA is written as alpha' =
 * alpha sqrt(R); where pairs differ in what alpha' would have to be, the one that suits most is
 * taken, and the B of the others is multiplied by what remains. The keys pith.lora.alpha and
 * pith.lora.rslora keep what was asked for, so that pith gives the same PEFT folder back.
 *
 * DoRA has no GGUF form that other programs know. pith writes adapter.type "dora" and tensors
 * NAME.lora_magnitude, ne [rows]: programs that know "lora" alone refuse such a file by its type,
 * rather than compute something else with it.
 */
#ifndef PX_MODEL_ADAPTER_WRITE_H
#define PX_MODEL_ADAPTER_WRITE_H

#include "model/lora_set.h"

/* hp: of the model that the set belongs to. dtype: of A and B, PX_F32 or PX_F16 (magnitudes are
 * f32). Errors: ARGUMENT (an empty set, a type), UNSUPPORTED (a tensor that has no pair in such
 * files), NUMERIC (NaN; more than f16 holds), IO, MEMORY. */
pith_status px_adapter_save_gguf(const px_lora_set *set, const px_hparams *hp, px_dtype dtype,
                                 const char *path, pith_error *err);

/* The folder is made if it is not there; adapter_config.json, adapter_model.safetensors (f32) and
 * README.md in it are replaced. Errors: as save_gguf. */
pith_status px_adapter_save_peft(const px_lora_set *set, const px_hparams *hp, const char *folder,
                                 pith_error *err);

#endif

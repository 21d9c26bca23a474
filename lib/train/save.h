/*
 * save: what was trained as files: an adapter as GGUF or as a PEFT folder (model/adapter_write), a
 * whole model as GGUF in any type (quant/quantize). One thread; the pool's owner.
 */
#ifndef PX_TRAIN_SAVE_H
#define PX_TRAIN_SAVE_H

#include "engine/model.h"
#include "train/net.h"

/* form: "gguf" (NULL) or "peft". name: for people, or NULL. Errors: ARGUMENT, as px_adapter_save.
 */
pith_status px_save_adapter(const px_net *net, const pith_model *model, const char *form,
                            const char *name, float dropout, const char *path, pith_error *err);

/* The model with its masters in place of its tensors, everything else as in its file. type: "f32",
 * "f16", "q8_0", "q4_k_m" ...; NULL: "f32". Errors: ARGUMENT, NUMERIC, as px_quantize. */
pith_status px_save_model(const px_net *net, const pith_model *model, const char *type,
                          const char *path, pith_error *err);

#endif

/*
 * peft: a LoRA adapter's folder as PEFT (0.3 to 0.17) writes it: adapter_config.json and
 * adapter_model.safetensors. Here the configuration is read and held against what pith can do, and
 * the tensors are listed as they lie; what their names mean in GGUF is lib/model's.
 *
 * Keys of the configuration that pith does not know are left aside, as PEFT's newer versions add
 * some with each release; but what says that something else than LoRA is to be computed is refused:
 * another peft_type, any unknown use_* that is true, modules_to_save, biases, and ways of
 * initialising that changed the model itself (PiSSA, LoftQ, ..).
 */
#ifndef PX_FORMAT_PEFT_H
#define PX_FORMAT_PEFT_H

#include "base/arena.h"
#include "base/file.h"
#include "format/safetensors.h"

/* Members of alpha_pattern: a regular expression that the end of a module's path matches. */
typedef struct px_peft_pattern {
    const char *key;
    float value;
} px_peft_pattern;

enum { PX_PEFT_MAX_PATTERNS = 8192, PX_PEFT_CONFIG_BYTES = 2 << 20 };

typedef struct px_peft_config {
    float alpha, dropout;
    bool rslora, dora;
    const char *base_name;         // or NULL
    const px_peft_pattern *alphas; // [n_alphas], the first that matches counts
    int32_t n_alphas;
} px_peft_config;

typedef struct px_peft {
    px_peft_config config;
    const char *path; // of the safetensors file
    px_st_file file;
    px_arena arena;
    px_map map;
} px_peft;

/* Whether there is a folder with an adapter_config.json. */
bool px_peft_is_folder(const char *path);

/* Checks everything but values. Errors: NOT_FOUND, FORMAT, UNSUPPORTED (see above; a pickle),
 * LIMIT. On failure nothing is left. */
pith_status px_peft_open(const char *folder, px_peft *out, pith_error *err);
void px_peft_close(px_peft *p);

/* The configuration alone, of text in memory; `path` is for messages. */
pith_status px_peft_parse_config(const char *path, const char *text, size_t n, px_arena *arena,
                                 px_peft_config *out, pith_error *err);

#endif

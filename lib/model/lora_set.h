/*
 * lora_set: the pairs of a LoRA adapter as plain f32 values in memory, whatever form they came in
 * or go to: what files are read into (adapter_read), what adapters are loaded from (adapter), what
 * training hands over and what is written (adapter_write).
 *
 *   y = W x + s * B (A x)          s = alpha / R, with rslora alpha / sqrt(R)
 *   y = g * (W x + s * B (A x))    with a magnitude m (DoRA): g[i] = m[i] / |W[i] + s (B A)[i]|
 *
 * Rows of q and k stand in one of two orders: as transformers has them (each head as two halves),
 * or as GGUF files of LLaMA-like models have them (as pairs). hf_rows says which; it makes a
 * difference only for architectures whose GGUF files have pairs.
 */
#ifndef PX_MODEL_LORA_SET_H
#define PX_MODEL_LORA_SET_H

#include "base/arena.h"
#include "model/hparams.h"

/* A pair. What it points to belongs to whoever made it. */
typedef struct px_lora_tensor {
    const char *name; // of the base tensor as GGUF has it: "blk.0.attn_q.weight", "output.weight",
                      // "token_embd.weight"
    int32_t rank;     // R
    float alpha;
    int64_t rows, cols;     // of B A; token_embd.weight: width and vocabulary
    const float *a;         // [R, cols]; token_embd.weight too: a column for each token
    const float *b;         // [rows, R]
    const float *magnitude; // [rows] (DoRA), or NULL
} px_lora_tensor;

typedef struct px_lora_set {
    const px_lora_tensor *tensors; // [n]
    int32_t n;
    bool rslora;
    bool hf_rows;
    const char *name;      // for people, or NULL
    const char *base_name; // the model that it was trained on, for people, or NULL
    float dropout;         // of training; written down, changes nothing
} px_lora_set;

/* s of a pair. */
float px_lora_scale(const px_lora_set *set, const px_lora_tensor *t);

/* Whether any pair has a magnitude. */
bool px_lora_set_has_magnitudes(const px_lora_set *set);

/* Row i of B and of the magnitude in the order `hf`, as its place in the set's own order. hp: the
 * model's, which has the numbers of heads. */
int64_t px_lora_row(const px_lora_set *set, const px_lora_tensor *t, const px_hparams *hp, bool hf,
                    int64_t i);

/* The module's path in transformers ("model.layers.0.self_attn.q_proj", "model.embed_tokens",
 * "lm_head") into out; gate_up: ffn_up.weight of this model holds gate and up. false for a tensor
 * that is no matrix of a layer. */
bool px_lora_hf_name(const char *name, bool gate_up, char out[128]);

/* The other way: a path with any of the prefixes that transformers' classes have. */
bool px_lora_gguf_name(const char *module, char out[128]);

#endif

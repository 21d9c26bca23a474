/*
 * hparams: the numbers and flags that make the one decoder into a given model. Filled from a
 * source's metadata by the row of its family (family.h) and checked: after px_hparams_load every
 * value is in range and fits the others.
 */
#ifndef PX_MODEL_HPARAMS_H
#define PX_MODEL_HPARAMS_H

#include "base/arena.h"
#include "format/source.h"

typedef enum px_rope_scaling {
    PX_ROPE_SCALING_NONE,
    PX_ROPE_SCALING_LINEAR,
    PX_ROPE_SCALING_YARN,
    PX_ROPE_SCALING_FACTORS, // llama3: per-frequency factors in tensor rope_freqs
    PX_ROPE_SCALING_LONGROPE // two sets of factors, chosen by the length of the context
} px_rope_scaling;

typedef enum px_activation { PX_ACTIVATION_SILU, PX_ACTIVATION_GELU_TANH } px_activation;

/* What one layer is, apart from its weights. */
typedef struct px_layer_kind {
    int32_t window;    // tokens seen, the token's own included; 0: all
    bool rope;         // false: no positions (SmolLM3)
    uint8_t rope_base; // 0: global base and scaling, 1: local base, no scaling (Gemma 3's windowed
                       // layers)
} px_layer_kind;

typedef struct px_hparams {
    const char *arch;   // GGUF architecture, static storage
    const char *family; // "LLaMA", "Mistral", ... for people
    int32_t n_layers;
    int32_t n_vocab;
    int32_t n_ctx_train;
    int32_t width;      // C, hidden size
    int32_t n_heads;    // H
    int32_t n_kv_heads; // K
    int32_t head_dim;   // D of q and k
    int32_t value_dim;  // D of v
    int32_t ffn;        // F
    float norm_eps;

    /* rope */
    bool rope_halves;  // rotate (i, i + D/2), else (2i, 2i+1)
    int32_t rope_dims; // rotated elements of each head
    float rope_base[2];
    px_rope_scaling rope_scaling;
    float rope_factor;     // LINEAR, YARN: context is this many times longer
    int32_t rope_ctx_orig; // YARN, LONGROPE: context before scaling
    float yarn_beta_fast, yarn_beta_slow, yarn_ext_factor;
    float yarn_attn_factor; // on top of 0.1 ln(factor) + 1
    float rope_mscale;      // on cos and sin, all told: YARN, LONGROPE

    /* flags of the decoder */
    bool qkv_fused, gate_up_fused;
    bool qkv_bias, out_bias;
    bool qk_norm;
    bool pre_norm, post_norm; // Gemma 2, 3 have both
    bool tied_head;
    px_activation activation;
    float embed_scale; // 1, or sqrt(width) for Gemma, in f32: transformers rounds it
                       // to the dtype that it computes in
    float attn_scale;  // on q.k
    float attn_softcap, logit_softcap; // 0: none
    px_layer_kind *layers;             // [n_layers], in the arena given to load
} px_hparams;

/* Reads and checks. Errors: UNSUPPORTED (architecture: names those that pith knows), FORMAT (key,
 * found, expected). */
pith_status px_hparams_load(const px_source *source, px_arena *arena, px_hparams *out,
                            pith_error *err);

#endif

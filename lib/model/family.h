/*
 * family: what distinguishes one architecture from another, one row of data each. A new family is a
 * new row; what a row cannot say becomes a flag of px_hparams that the decoder knows.
 *
 * The computation that each row describes is that of the maker's own reference, which is Hugging
 * Face transformers 4.57.1 (models/NAME/modeling_NAME.py); the keys and tensor names are those of
 * the GGUF files that are in circulation. Where llama.cpp computes something else, the makers win:
 * windows of Mistral 0.1 and Phi-3 are honoured, YaRN and longrope follow modeling_rope_utils.py.
 */
#ifndef PX_MODEL_FAMILY_H
#define PX_MODEL_FAMILY_H

#include "format/source.h"

typedef struct px_family {
    const char *arch; // general.architecture
    const char *name; // for people
    bool rope_halves; // GGUF leaves rows of q and k as HF has them: rotate (i, i + D/2)
    bool qkv_bias;    // q, k and v have biases; otherwise they may
    bool qk_norm;     // q and k have RMS norms over each head, before rope
    bool post_norm;   // norms behind attention and ffn too
    bool gelu;        // GeGLU (tanh form) instead of SwiGLU
    bool embed_scale; // embeddings are multiplied by sqrt(width)
    bool gate_up;     // ffn_up holds gate and up, gate first
    /* Sliding windows, where the file states none. Of each `period` layers the last sees
     * everything, the others `window` tokens; period 0: all layers have the window. */
    int32_t window;
    int32_t period;
    float local_base;    // rope base of the windowed layers, without scaling; 0: as the others
    int32_t no_rope;     // each no_rope-th layer has no rope; 0: all have
    float attn_softcap;  // 0: none; where the file states one, that goes first
    float logit_softcap; // likewise
    int32_t
        scaled_layers; // with this many layers, q.k is scaled by 1/sqrt(width / heads) instead of
                       // 1/sqrt(head size): the 27B of Gemma 2 and 3, whose files do not say so
} px_family;

/* The row of that architecture, or NULL. */
const px_family *px_family_find(px_str arch);

/* Row i, or NULL past the end: for messages and `pith info`. */
const px_family *px_family_at(int i);

/* The family as people know it: several share an architecture and are told apart by the names that
 * the file states. Static storage. */
const char *px_family_name(const px_family *family, const px_source *source);

#endif

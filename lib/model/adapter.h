/*
 * adapter: a LoRA adapter of a model: for some of its matrices W a pair A [R, cols] and B [rows,
 * R], with which the decoder computes y = W x + scale * B (A x); with magnitudes m (DoRA, arXiv
 * 2402.09353) each row of that times g[i] = m[i] / |W[i] + scale (B A)[i]|.
 *
 * Made from a set of pairs (lora_set), which is copied in the order in which the decoder reads it.
 * What is fused in the model's file (qkv of Phi-3, gate and up) is cut: the parts share one A.
 * Immutable once made; threads may share it.
 */
#ifndef PX_MODEL_ADAPTER_H
#define PX_MODEL_ADAPTER_H

#include "model/adapter_read.h"
#include "model/weights.h"

#include <math.h>

/* The matrices of a layer, and the one behind all layers. */
typedef enum px_slot {
    PX_SLOT_Q,
    PX_SLOT_K,
    PX_SLOT_V,
    PX_SLOT_O,
    PX_SLOT_GATE,
    PX_SLOT_UP,
    PX_SLOT_DOWN,
    PX_LAYER_SLOTS,
    PX_SLOT_HEAD = PX_LAYER_SLOTS
} px_slot;

enum { PX_LORA_BLOCK = 64 }; // rows of B that lie together

/* A pair. rank 0: none. */
typedef struct px_lora {
    int32_t rank; // R
    int32_t at;   // where the values A x of this matrix stand among those of all matrices that read
                  // the same input
    bool shared;  // A and its values are those of the matrix before
    float scale;
    int64_t rows, cols;
    const float *a;    // [R, cols]; of the embedding [V, R]
    const float *b;    // [rows / 64, R, 64]: rows in blocks, the last one with zeros behind it
    const float *dora; // [4, rows] or NULL: m, |W|^2, 2 scale W.BA, scale^2 |BA|^2 of each row
} px_lora;

typedef struct px_adapter {
    px_arena arena;
    px_lora (*layers)[PX_LAYER_SLOTS]; // [L]
    px_lora head, embed;
    int32_t n_layers;
    int32_t stack;   // most values A x of all matrices that read one input
    int32_t n_pairs; // in the set
    size_t bytes;    // memory that it takes
} px_adapter;

/* Makes the adapter of a set whose rows may stand in either order. path: for messages; model: the
 * source that weights are bound to. Errors: MISMATCH (a tensor that the model lacks, shapes that
 * are another model's), UNSUPPORTED (what pith does not adapt; magnitudes of an embedding), NUMERIC
 * (a scale that is no number), MEMORY. On failure nothing is left. */
pith_status px_adapter_make(const px_lora_set *set, const char *path, const px_source *model,
                            const px_hparams *hp, px_adapter **out, pith_error *err);

/* The same of a file, whose architecture and copies of the model's tensors are held against the
 * model first: MISMATCH, UNSUPPORTED (a copy that was changed). */
pith_status px_adapter_load(const px_lora_file *file, const px_source *model, const px_hparams *hp,
                            px_adapter **out, pith_error *err);
void px_adapter_free(px_adapter *a);

/* The decoder's matrices whose rows a tensor of the model holds, in their order; how many, 0 for a
 * tensor that no adapter changes, and the embedding. *layer: which layer's. */
int px_adapter_slots(const px_hparams *hp, const char *name, int32_t *layer, px_slot out[3]);
int64_t px_adapter_rows(const px_hparams *hp, px_slot slot);

/* An adapter in use; a sequence may have several. */
typedef struct px_lora_use {
    const px_adapter *adapter;
    float scale; // on top of the pair's own
} px_lora_use;

/* The pair of a matrix; rank 0: none. */
static inline const px_lora *px_adapter_pair(const px_adapter *a, int32_t layer, px_slot slot)
{
    return slot == PX_SLOT_HEAD ? &a->head : &a->layers[layer][slot];
}

/* The gain of a row: m / |W + u s B A|, where u is the scale in use; 0 for a row of zeros. */
static inline float px_lora_gain(const px_lora *l, float u, int64_t row)
{
    const float *m = l->dora + row;
    float norm = m[l->rows] + u * m[2 * l->rows] + u * u * m[3 * l->rows];
    return norm > 0 ? m[0] / sqrtf(norm) : 0;
}

#endif

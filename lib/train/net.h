/*
 * net: a model as training sees it: its tensors as modules, what of them is trained, and the tables
 * of kernels.
 *
 * A module is one matrix of the file. Modules that read the same input form a group and write side
 * by side into one row: q | k | v, gate | up. What is fused in the file (Phi-3) is one module whose
 * rows fill the row, with one pair, as PEFT sees it.
 *
 * LoRA: the file's tensors stay where they lie, in any type; params holds A [R, in] and B [out, R]
 * of each module, and with DoRA a magnitude [out]. Full: params holds every tensor in f32 (q and k
 * in the file's order, norms as they multiply), and the model reads from there.
 *
 * One thread at a time; the pool's owner.
 */
#ifndef PX_TRAIN_NET_H
#define PX_TRAIN_NET_H

#include "base/pool.h"
#include "kern/grad.h"
#include "model/rope.h"
#include "model/weights.h"
#include "train/params.h"

typedef enum px_group_id {
    PX_GROUP_QKV,
    PX_GROUP_OUT,
    PX_GROUP_FFN,
    PX_GROUP_DOWN,
    PX_GROUPS
} px_group_id;

typedef struct px_module {
    px_matrix w;       // of the whole tensor
    int64_t out;       // where its rows begin in the group's row
    int64_t w_at;      // full: where its master is in params; else -1
    const float *bias; // [rows] or NULL
    int32_t rank;      // 0: no pair
    float scale;       // alpha / R, or alpha / sqrt(R)
    float alpha;
    int64_t a_at, b_at; // in params
    int64_t m_at;       // of the magnitude, or -1
    float *dora;        // [rows] magnitude / norm, as of px_net_refresh, or NULL
    int32_t h_at;       // where its A x stand among those of the group
    int32_t index;      // of all modules, from 0
} px_module;

typedef struct px_group {
    px_module *modules; // [n]
    int32_t n;
    int64_t in, out; // width of what is read and written
    int32_t h;       // ranks of all modules
    bool dora;
} px_group;

typedef struct px_net_layer {
    const px_layer *l;
    px_group groups[PX_GROUPS];
} px_net_layer;

/* Rank and alpha of modules whose tensor's name contains `part` ("attn_q", "blk.3."); the last rule
 * that fits counts. rank 0: not adapted. alpha 0: as elsewhere. */
typedef struct px_rank_rule {
    const char *part;
    int32_t rank;
    float alpha;
} px_rank_rule;

typedef struct px_net_options {
    bool full;
    int32_t rank;
    float alpha;
    bool rslora, dora;
    float lora_plus; // learning rate of B, times that of A; 0: 1
    const px_rank_rule *rules;
    int32_t n_rules;
    uint64_t seed;
    int64_t n_ctx;              // longest sequence
    px_cpu_level level;         // of single rows and packing
    px_cpu_level product_level; // of large products: below bf16, everything is f32
} px_net_options;

typedef struct px_net {
    px_arena arena;
    const px_hparams *hp;
    px_weights w; // vectors and matrices that are trained point into params
    px_kern kern;
    px_grad grad;
    px_pool *pool;
    px_rope rope;
    px_params params;
    px_net_layer *layers; // [L]
    px_module head;
    px_module embed; // w_at only
    int32_t n_modules;
    bool full;
    bool dora, rslora;
    float *norm_rows; // DoRA: [members, norm_stride]
    int64_t norm_stride;
} px_net;

/* hp, weights and pool are lent. Errors: ARGUMENT (ranks; nothing to train), UNSUPPORTED (a
 * tensor's type has no products), MEMORY. On failure nothing is left. */
pith_status px_net_new(const px_hparams *hp, const px_weights *weights, px_pool *pool,
                       const px_net_options *options, px_net **out, pith_error *err);
void px_net_free(px_net *net);

/* DoRA: the norms of W + s B A, which the next passes take as constants. After every change of
 * params; does nothing without DoRA. */
void px_net_refresh(px_net *net);

/* Where the gradient of a vector of net->w goes, or NULL when it is not trained. */
static inline float *px_net_grad(const px_net *net, const float *vector)
{
    const px_params *p = &net->params;
    if (!net->full || !vector || vector < p->value || vector >= p->value + p->n)
        return NULL;
    return p->grad + (vector - p->value);
}

#endif

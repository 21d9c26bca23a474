/* cost: see cost.h. Layers are kept as inputs and computed again (checkpointing), logits exist for
 * 64 tokens at a time, the pairs of LoRA, their gradients and AdamW's two moments are f32. */
#include "train/cost.h"

enum { STATE_BYTES = 16, LOGITS = 64 };

px_cost_of_run px_cost_of(const pith_model *model, int32_t rank, double mean_tokens,
                          int32_t longest)
{
    const px_hparams *hp = &model->hp;
    double c = hp->width, f = hp->ffn, layers = hp->n_layers, r = rank;
    double q = (double)hp->n_heads * hp->head_dim, k = (double)hp->n_kv_heads * hp->head_dim;
    double v = (double)hp->n_kv_heads * hp->value_dim, o = (double)hp->n_heads * hp->value_dim;
    double linear = c * (q + k + v) + o * c + 3 * c * f; // weights of a layer
    double pairs = r * (3 * c + q + k + v + o + c + 2 * (c + f) + f + c);
    double seen = mean_tokens / 2; // keys of a token, on average
    /* 2 forward, 2 for the gradient of the input, 2 forward once more; attention 4 and 8 and 4 for
     * each key and element; pairs 2, 4 and 2. */
    double layer = 6 * linear + 16 * q * seen + 8 * pairs;
    double set = 4 * c + q + k + v + o + 3 * f + 7 * r + hp->n_heads; // floats of a layer and token
    double tokens = longest;
    return (px_cost_of_run){
        .model_bytes = model->info.file_bytes,
        .state_bytes = (uint64_t)(layers * pairs * STATE_BYTES),
        .work_bytes =
            (uint64_t)(4 * (tokens * (layers * c + 2 * set) + 2.0 * LOGITS * hp->n_vocab)),
        .flops_token = layers * layer,
        .flops_learned = 4 * c * hp->n_vocab,
    };
}

/* ffn: gate and up of the same rows together, so that the activation follows while they are in the
 * cache. gate ends as act(gate) * up; up is never whole: each member keeps the piece at hand. */
#include "model/pass.h"

void px_pass_gate_up(px_decoder *d, const px_desk *desk, int32_t layer, const px_picked *picked)
{
    const px_layer *l = &d->w->layers[layer];
    int32_t n = picked->n;
    const px_kern *kern = d->kern;
    px_gate_fn act = d->hp->activation == PX_ACTIVATION_GELU_TANH ? kern->gelu_mul : kern->silu_mul;
    int64_t rows = d->hp->ffn;
    int64_t grain = px_pass_grain(rows);
    int64_t n_pieces = (rows + grain - 1) / grain;
    for (int64_t i; (i = px_pool_next(d->pool, desk->member, n_pieces)) >= 0;) {
        int64_t row0 = i * grain;
        int64_t row1 = row0 + grain < rows ? row0 + grain : rows;
        px_matrix up = l->up;
        up.data += (size_t)row0 * up.row_bytes;
        px_pass_mul(d, desk, &l->gate, &desk->normed, n, &d->gate, row0, row1);
        px_pass_mul(d, desk, &up, &desk->normed, n, &desk->up, 0, row1 - row0);
        px_pass_lora_add(d, layer, PX_SLOT_GATE, picked, d->gate.data + row0, d->gate.stride, row0,
                         row1);
        px_pass_lora_add(d, layer, PX_SLOT_UP, picked, desk->up.data, desk->up.stride, row0, row1);
        for (int32_t r = 0; r < n; r++) {
            float *gate = d->gate.data + r * d->gate.stride + row0;
            act(gate, desk->up.data + r * desk->up.stride, gate, row1 - row0);
        }
    }
}

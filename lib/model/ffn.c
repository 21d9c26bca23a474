/* ffn: gate and up of the same rows together, so that the activation follows while they are in the
 * cache. gate ends as act(gate) * up. */
#include "model/pass.h"

void px_pass_gate_up(px_decoder *d, const px_layer *l, int member)
{
    const px_kern *kern = d->kern;
    px_gate_fn act = d->hp->activation == PX_ACTIVATION_GELU_TANH ? kern->gelu_mul : kern->silu_mul;
    int64_t rows = d->hp->ffn;
    int64_t grain = px_pass_grain(rows);
    int64_t n = (rows + grain - 1) / grain;
    for (int64_t i; (i = px_pool_next(d->pool, member, n)) >= 0;) {
        int64_t row0 = i * grain;
        int64_t row1 = row0 + grain < rows ? row0 + grain : rows;
        px_pass_mul(d, member, &l->gate, &d->normed, d->n_rows, &d->gate, row0, row1);
        px_pass_mul(d, member, &l->up, &d->normed, d->n_rows, &d->up, row0, row1);
        for (int32_t r = 0; r < d->n_rows; r++) {
            float *gate = d->gate.data + r * d->gate.stride + row0;
            act(gate, d->up.data + r * d->up.stride + row0, gate, row1 - row0);
        }
    }
}

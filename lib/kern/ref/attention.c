/*
 * attention: one query row at a time over tiles of keys, with a running maximum and sum (online
 * softmax: Milakov and Gimelshein, arXiv 1805.02867), so that scratch does not grow with the
 * context. Scores in double, exponentials and sums over keys in f32, accumulated in the output row.
 */
#include "kern/attn.h"
#include "kern/ref/ops.h"

#include <math.h>
#include <string.h>

enum { TILE = 64, CHUNK = 64 }; // keys; values decoded at once: a multiple of the blocks of q8_0

static void decode_row(px_dtype dtype, const uint8_t *row, int64_t at, float *out, int64_t n)
{
    const px_traits *traits = px_traits_get(dtype);
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    traits->decode(row + at / info->block_elements * info->block_bytes, out, n);
}

static float score(const px_attn *a, const float *q, const uint8_t *k)
{
    double sum = 0;
    for (int64_t at = 0; at < a->head_dim; at += CHUNK) {
        float x[CHUNK];
        const int64_t n = a->head_dim - at < CHUNK ? a->head_dim - at : CHUNK;
        decode_row(a->k_dtype, k, at, x, n);
        for (int64_t j = 0; j < n; j++)
            sum += (double)q[at + j] * (double)x[j];
    }
    const double scaled = sum * (double)a->scale;
    if (a->softcap > 0)
        return (float)((double)a->softcap * tanh(scaled / (double)a->softcap));
    return (float)scaled;
}

static void add_value(const px_attn *a, const uint8_t *v, float weight, float *out)
{
    for (int64_t at = 0; at < a->value_dim; at += CHUNK) {
        float x[CHUNK];
        const int64_t n = a->value_dim - at < CHUNK ? a->value_dim - at : CHUNK;
        decode_row(a->v_dtype, v, at, x, n);
        for (int64_t j = 0; j < n; j++)
            out[at + j] += weight * x[j];
    }
}

static void scale_row(float *out, int64_t n, float by)
{
    for (int64_t j = 0; j < n; j++)
        out[j] *= by;
}

static px_attn_part attend(const px_attn *a, const float *q, px_attn_range sees, float *out)
{
    float most = -INFINITY, sum = 0;
    memset(out, 0, (size_t)a->value_dim * sizeof *out);
    for (int64_t t0 = sees.first; t0 < sees.end; t0 += TILE) {
        const int n = (int)(sees.end - t0 < TILE ? sees.end - t0 : TILE);
        float s[TILE], tile_most = most;
        for (int i = 0; i < n; i++) {
            s[i] = score(a, q, px_attn_k(a, t0 + i));
            tile_most = s[i] > tile_most ? s[i] : tile_most;
        }
        if (tile_most > most) { // what was summed stands for a smaller maximum
            const float shrink = expf(most - tile_most);
            sum *= shrink;
            scale_row(out, a->value_dim, shrink);
            most = tile_most;
        }
        for (int i = 0; i < n; i++) {
            const float weight = expf(s[i] - most);
            sum += weight;
            add_value(a, px_attn_v(a, t0 + i), weight, out);
        }
    }
    return (px_attn_part){most, sum};
}

void px_ref_attention(const px_attn *a)
{
    for (int64_t i = 0; i < a->n_q; i++) {
        const px_attn_range sees = px_attn_sees(a, i);
        for (int64_t g = 0; g < a->group; g++) {
            float *out = a->out + i * a->out_stride + g * a->value_dim;
            const px_attn_part part =
                attend(a, a->q + i * a->q_stride + g * a->head_dim, sees, out);
            if (a->part)
                a->part[i * a->group + g] = part;
            else
                scale_row(out, a->value_dim, 1.0f / part.sum);
        }
    }
}

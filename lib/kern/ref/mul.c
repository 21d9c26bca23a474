/*
 * mul: products of packed weights and activations, as they are defined: float weights in double,
 * whole-number codes exactly in integers, then one product with both scales in double for each
 * block.
 */
#include "kern/act.h"
#include "kern/blocks.h"
#include "kern/ref/codes.h"
#include "kern/ref/ops.h"

enum { CHUNK = 256 }; // values decoded at once: one NF4 super-block

static const uint8_t *row_of(const px_mul *m, int64_t r)
{
    return m->w + (size_t)r * m->row_bytes;
}

void px_ref_mul_f32(const px_mul *m, int64_t row0, int64_t row1)
{
    const px_traits *traits = px_traits_get(m->dtype);
    const px_dtype_info *info = px_dtype_get((uint32_t)m->dtype);
    const int64_t k = m->x->k;
    for (int64_t r = row0; r < row1; r++) {
        for (int64_t c = 0; c < m->x->n; c++) {
            const float *x = (const float *)(const void *)px_act_column(m->x, c);
            double sum = 0;
            for (int64_t i = 0; i < k; i += CHUNK) {
                float w[CHUNK];
                const int64_t n = k - i < CHUNK ? k - i : CHUNK;
                const int64_t at = i / info->block_elements * info->block_bytes;
                traits->decode(row_of(m, r) + at, w, n);
                for (int64_t j = 0; j < n; j++)
                    sum += (double)w[j] * (double)x[i + j];
            }
            m->y[c * m->y_stride + r] = (float)sum;
        }
    }
}

static int dot(const int8_t *a, const int8_t *b, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

void px_ref_mul_q8(const px_mul *m, int64_t row0, int64_t row1)
{
    const px_unpack_fn unpack = px_unpack_get(m->dtype);
    const px_dtype_info *info = px_dtype_get((uint32_t)m->dtype);
    const int64_t n_blocks = m->x->k / PX_Q8_BLOCK;
    for (int64_t r = row0; r < row1; r++) {
        for (int64_t c = 0; c < m->x->n; c++) {
            const px_q8_column x = px_q8_column_of(m->x, c);
            double sum = 0;
            for (int64_t b = 0; b < n_blocks; b++) {
                px_codes w;
                unpack(row_of(m, r) + b * info->block_bytes, &w);
                const int whole = dot(w.q, x.q + b * PX_Q8_BLOCK, PX_Q8_BLOCK);
                sum += (double)w.d * (double)x.d[b] * whole - (double)w.dmin * (double)x.ds[b];
            }
            m->y[c * m->y_stride + r] = (float)sum;
        }
    }
}

void px_ref_mul_q8k(const px_mul *m, int64_t row0, int64_t row1)
{
    const px_unpack_fn unpack = px_unpack_get(m->dtype);
    const px_dtype_info *info = px_dtype_get((uint32_t)m->dtype);
    const int64_t n_blocks = m->x->k / PX_Q8K_BLOCK;
    for (int64_t r = row0; r < row1; r++) {
        for (int64_t c = 0; c < m->x->n; c++) {
            const px_q8k_column x = px_q8k_column_of(m->x, c);
            double sum = 0;
            for (int64_t b = 0; b < n_blocks; b++) {
                px_codes w;
                unpack(row_of(m, r) + b * info->block_bytes, &w);
                int whole = 0, minima = 0;
                for (int s = 0; s < 16; s++) {
                    whole += w.sc[s] * dot(w.q + 16 * s, x.q + b * PX_Q8K_BLOCK + 16 * s, 16);
                    minima += w.mn[s] * x.sums[b * 16 + s];
                }
                sum += (double)x.d[b] * ((double)w.d * whole - (double)w.dmin * minima);
            }
            m->y[c * m->y_stride + r] = (float)sum;
        }
    }
}

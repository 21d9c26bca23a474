/* grad_mul: products of training as they are defined: one element of the output at a time. */
#include "kern/act.h"
#include "kern/ref/grad.h"

enum { CHUNK = 256 }; // values decoded at once: the largest block

/* ---- weights of any dtype */

/* Values [k, k + n) of row r, k a multiple of CHUNK. */
static void decode(const px_grad_mul *m, int64_t r, int64_t k, float *out, int64_t n)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)m->dtype);
    const int64_t at = k / info->block_elements * info->block_bytes;
    px_traits_get(m->dtype)->decode(m->w + (size_t)r * m->row_bytes + at, out, n);
}

static const px_real *column(const px_grad_mul *m, int64_t c)
{
    return (const px_real *)(const void *)px_act_column(m->x, c);
}

static void put(px_real *y, double sum, bool add)
{
    *y = add ? (px_real)((double)*y + sum) : (px_real)sum;
}

void PX_REF_GRAD(forward)(const px_grad_mul *m, int64_t first, int64_t end)
{
    for (int64_t r = first; r < end; r++)
        for (int64_t c = 0; c < m->x->n; c++) {
            const px_real *x = column(m, c);
            double sum = 0;
            for (int64_t k = 0; k < m->cols; k += CHUNK) {
                float w[CHUNK];
                const int64_t n = m->cols - k < CHUNK ? m->cols - k : CHUNK;
                decode(m, r, k, w, n);
                for (int64_t i = 0; i < n; i++)
                    sum += (double)w[i] * (double)x[k + i];
            }
            put(&m->y[c * m->y_stride + r], sum, m->add);
        }
}

void PX_REF_GRAD(back)(const px_grad_mul *m, int64_t first, int64_t end)
{
    for (int64_t k = first; k < end; k += CHUNK) {
        const int64_t n = end - k < CHUNK ? end - k : CHUNK;
        for (int64_t c = 0; c < m->x->n; c++) {
            const px_real *x = column(m, c);
            double sum[CHUNK] = {0};
            for (int64_t r = 0; r < m->rows; r++) {
                float w[CHUNK];
                decode(m, r, k, w, n);
                for (int64_t i = 0; i < n; i++)
                    sum[i] += (double)x[r] * (double)w[i];
            }
            for (int64_t i = 0; i < n; i++)
                put(&m->y[c * m->y_stride + k + i], sum[i], m->add);
        }
    }
}

/* ---- matrices */

/* a and b walk along k by a_step and b_step. */
static double dot(const px_real *a, int64_t a_step, const px_real *b, int64_t b_step, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i++)
        sum += (double)a[i * a_step] * (double)b[i * b_step];
    return sum;
}

void PX_REF_GRAD(gemm_nt)(const px_gemm *g, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++)
        for (int64_t j = 0; j < g->n; j++)
            put(&g->c[i * g->c_stride + j],
                (double)g->alpha * dot(g->a + i * g->a_stride, 1, g->b + j * g->b_stride, 1, g->k),
                g->add);
}

void PX_REF_GRAD(gemm_nn)(const px_gemm *g, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++)
        for (int64_t j = 0; j < g->n; j++)
            put(&g->c[i * g->c_stride + j],
                (double)g->alpha * dot(g->a + i * g->a_stride, 1, g->b + j, g->b_stride, g->k),
                g->add);
}

void PX_REF_GRAD(gemm_tn)(const px_gemm *g, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++)
        for (int64_t j = 0; j < g->n; j++)
            put(&g->c[i * g->c_stride + j],
                (double)g->alpha * dot(g->a + i, g->a_stride, g->b + j, g->b_stride, g->k), g->add);
}

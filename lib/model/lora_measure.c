/* lora_measure: see lora_measure.h. */
#include "model/lora_measure.h"

#include <math.h>

double px_lora_norm(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static double row_product(const float *x, const float *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

double px_lora_inner(const px_lora_of *x, const px_lora_of *y, const px_hparams *hp)
{
    const px_lora_tensor *a = x->tensor, *b = y->tensor;
    bool reorder = hp && x->set->hf_rows != y->set->hf_rows;
    double total = 0;
    for (int32_t i = 0; i < a->rank; i++)
        for (int32_t k = 0; k < b->rank; k++) {
            double g = row_product(a->a + i * a->cols, b->a + k * b->cols, a->cols), h = 0;
            for (int64_t r = 0; r < a->rows; r++) {
                int64_t other = reorder ? px_lora_row(y->set, b, hp, x->set->hf_rows, r) : r;
                h += (double)a->b[r * a->rank + i] * (double)b->b[other * b->rank + k];
            }
            total += g * h;
        }
    return total * (double)px_lora_scale(x->set, a) * (double)px_lora_scale(y->set, b);
}

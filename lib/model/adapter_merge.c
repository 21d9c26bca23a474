/* adapter_merge: see adapter_merge.h. */
#include "model/adapter_merge.h"

#include <math.h>
#include <string.h>

static bool is_embedding(const px_tensor *t)
{
    return strcmp(t->name, "token_embd.weight") == 0;
}

/* The pair with row *row of a tensor, which becomes the row in the pair; NULL for none. */
static const px_lora *find_pair(const px_lora_merge *m, const px_adapter *a, const px_tensor *t,
                                int64_t *row)
{
    px_slot slots[3];
    int32_t layer = 0;
    if (is_embedding(t))
        return a->embed.rank > 0 ? &a->embed : NULL;
    int n = px_adapter_slots(m->hp, t->name, &layer, slots);
    for (int i = 0; i < n; i++) {
        const px_lora *l = px_adapter_pair(a, layer, slots[i]);
        int64_t rows = px_adapter_rows(m->hp, slots[i]);
        if (*row < rows)
            return l->rank > 0 ? l : NULL;
        *row -= rows;
    }
    return NULL;
}

pith_status px_lora_merge_check(const px_lora_merge *m, pith_error *err)
{
    if (px_source_tensor(m->model, "output.weight"))
        return PITH_OK;
    for (int32_t i = 0; i < m->n; i++) {
        const px_adapter *a = m->uses[i].adapter;
        if (a->embed.rank == 0 && a->head.rank == 0)
            continue;
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "an adapter changes the %s of '%s', which has one tensor for embedding and "
                       "output: merged, it would change both; use the adapter beside the model",
                       a->embed.rank > 0 ? "embedding" : "output matrix", m->model->path);
    }
    return PITH_OK;
}

bool px_lora_merge_changes(const px_lora_merge *m, const px_tensor *t)
{
    px_slot slots[3];
    int32_t layer = 0;
    int n = is_embedding(t) ? 0 : px_adapter_slots(m->hp, t->name, &layer, slots);
    for (int32_t u = 0; u < m->n; u++) {
        const px_adapter *a = m->uses[u].adapter;
        if (is_embedding(t) && a->embed.rank > 0)
            return true;
        for (int i = 0; i < n; i++)
            if (px_adapter_pair(a, layer, slots[i])->rank > 0)
                return true;
    }
    return false;
}

/* Columns [first, first + n) of row `row` of the embedding: token `row`'s A through B. */
static void add_embedding(const px_lora *l, float scale, int64_t row, int64_t first, int64_t n,
                          float *values)
{
    const float *a = l->a + row * l->rank;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = first + i;
        const float *b = l->b + c / PX_LORA_BLOCK * PX_LORA_BLOCK * l->rank + c % PX_LORA_BLOCK;
        double sum = 0;
        for (int32_t k = 0; k < l->rank; k++)
            sum += (double)a[k] * (double)b[k * PX_LORA_BLOCK];
        values[i] += (float)((double)scale * sum);
    }
}

/* The same of a matrix: row `row` of B through A, then the gain. */
static void add_matrix(const px_lora *l, float use, int64_t row, int64_t first, int64_t n,
                       float *values)
{
    const float *b = l->b + row / PX_LORA_BLOCK * PX_LORA_BLOCK * l->rank + row % PX_LORA_BLOCK;
    for (int32_t k = 0; k < l->rank; k++) {
        const float *a = l->a + k * l->cols + first;
        float x = l->scale * use * b[k * PX_LORA_BLOCK];
        for (int64_t i = 0; i < n; i++)
            values[i] += x * a[i];
    }
    if (!l->dora)
        return;
    float gain = px_lora_gain(l, use, row);
    for (int64_t i = 0; i < n; i++)
        values[i] *= gain;
}

void px_lora_merge_edit(void *user, const px_tensor *t, int64_t at, int64_t n, float *values)
{
    const px_lora_merge *m = user;
    for (int64_t i = 0; i < n;) {
        int64_t whole = (at + i) / t->ne[0], first = (at + i) % t->ne[0];
        int64_t count = t->ne[0] - first < n - i ? t->ne[0] - first : n - i;
        for (int32_t u = 0; u < m->n; u++) {
            int64_t row = whole;
            const px_lora *l = find_pair(m, m->uses[u].adapter, t, &row);
            if (!l)
                continue;
            if (is_embedding(t))
                add_embedding(l, l->scale * m->uses[u].scale, row, first, count, values + i);
            else
                add_matrix(l, m->uses[u].scale, row, first, count, values + i);
        }
        i += count;
    }
}

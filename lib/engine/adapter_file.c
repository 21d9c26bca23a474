/*
 * adapter_file: the door's view of an adapter's file without a model: what it holds, how large its
 * changes are, what two of them differ in, and the same adapter in the other form.
 */
#include "base/mem.h"
#include "engine/model.h"
#include "engine/options.h"
#include "model/adapter.h"
#include "model/adapter_write.h"
#include "model/lora_measure.h"

#include <math.h>
#include <string.h>

struct pith_adapter_file {
    px_lora_file *lora;
    double *norms; // [n] of scale B A
};

static px_lora_of tensor_of(const pith_adapter_file *f, int32_t i)
{
    return (px_lora_of){&f->lora->set, &f->lora->set.tensors[i]};
}

static double norm_of(const px_lora_of *x)
{
    double square = px_lora_inner(x, x, NULL);
    return square > 0 ? sqrt(square) : 0; // rounding may leave it a little below
}

pith_status pith_adapter_file_open(const char *path, pith_adapter_file **out, pith_error *err)
{
    px_error_clear(err);
    if (!path || !*path || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_adapter_file_open: an argument is missing");
    *out = NULL;
    pith_adapter_file *f = px_calloc(1, sizeof *f);
    if (!f)
        return px_fail_memory(err, "an adapter's file");
    pith_status st = px_lora_open(path, &f->lora, err);
    if (st == PITH_OK) {
        f->norms = px_malloc((size_t)f->lora->set.n, sizeof *f->norms);
        if (!f->norms)
            st = px_fail_memory(err, "an adapter's file");
    }
    for (int32_t i = 0; st == PITH_OK && i < f->lora->set.n; i++) {
        px_lora_of x = tensor_of(f, i);
        f->norms[i] = norm_of(&x);
    }
    if (st != PITH_OK) {
        pith_adapter_file_close(f);
        return st;
    }
    *out = f;
    return PITH_OK;
}

void pith_adapter_file_close(pith_adapter_file *file)
{
    if (!file)
        return;
    px_lora_close(file->lora);
    px_free(file->norms);
    px_free(file);
}

static bool is_zero(const pith_adapter_file *f, int32_t i)
{
    return f->norms[i] == 0 && !f->lora->set.tensors[i].magnitude;
}

pith_status pith_adapter_file_get_info(const pith_adapter_file *file, pith_adapter_file_info *out,
                                       pith_error *err)
{
    px_error_clear(err);
    if (!file || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_adapter_file_get_info: an argument is NULL");
    const px_lora_file *l = file->lora;
    pith_adapter_file_info info = {.form = l->form == PX_LORA_PEFT ? "peft" : "gguf",
                                   .path = l->path,
                                   .name = l->set.name,
                                   .base = l->set.base_name,
                                   .architecture = l->arch ? l->arch : "",
                                   .dtype = l->dtype,
                                   .rank = l->most_rank,
                                   .alpha = l->alpha,
                                   .rslora = l->set.rslora,
                                   .dora = px_lora_set_has_magnitudes(&l->set),
                                   .n_matrices = l->set.n};
    for (int32_t i = 0; i < l->set.n; i++) {
        const px_lora_tensor *t = &l->set.tensors[i];
        info.n_zero += is_zero(file, i);
        info.n_values += t->rank * (t->rows + t->cols) + (t->magnitude ? t->rows : 0);
        info.norm += file->norms[i] * file->norms[i];
    }
    info.norm = sqrt(info.norm);
    return px_options_write(out, "pith_adapter_file_info", &info, sizeof info, err);
}

pith_status pith_adapter_file_get_matrix(const pith_adapter_file *file, int32_t i,
                                         pith_adapter_matrix *out, pith_error *err)
{
    px_error_clear(err);
    if (!file || !out || i < 0 || i >= file->lora->set.n)
        return px_fail(err, PITH_E_ARGUMENT,
                       "pith_adapter_file_get_matrix: matrix %d, expected 0 to %d", i,
                       file ? file->lora->set.n - 1 : -1);
    const px_lora_tensor *t = &file->lora->set.tensors[i];
    pith_adapter_matrix m = {.name = t->name,
                             .rank = t->rank,
                             .alpha = t->alpha,
                             .scale = px_lora_scale(&file->lora->set, t),
                             .rows = t->rows,
                             .cols = t->cols,
                             .norm_a = px_lora_norm(t->a, t->rank * t->cols),
                             .norm_b = px_lora_norm(t->b, t->rank * t->rows),
                             .norm = file->norms[i],
                             .magnitude = t->magnitude != NULL,
                             .zero = is_zero(file, i)};
    return px_options_write(out, "pith_adapter_matrix", &m, sizeof m, err);
}

/* ---- two of them */

static int32_t find(const pith_adapter_file *f, const char *name)
{
    for (int32_t i = 0; i < f->lora->set.n; i++)
        if (strcmp(f->lora->set.tensors[i].name, name) == 0)
            return i;
    return -1;
}

static bool same_magnitudes(const px_lora_of *x, const px_lora_of *y, const px_hparams *hp)
{
    const px_lora_tensor *a = x->tensor, *b = y->tensor;
    if (!a->magnitude || !b->magnitude)
        return !a->magnitude && !b->magnitude;
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t other = hp ? px_lora_row(y->set, b, hp, x->set->hf_rows, r) : r;
        if (a->magnitude[r] != b->magnitude[other])
            return false;
    }
    return true;
}

/* Two pairs of one matrix. */
static pith_status compare_pair(const px_lora_of *x, const px_lora_of *y, const px_hparams *hp,
                                pith_adapter_difference *d, pith_error *err)
{
    const px_lora_tensor *a = x->tensor, *b = y->tensor;
    if (a->rows != b->rows || a->cols != b->cols)
        return px_fail(err, PITH_E_MISMATCH,
                       "'%s' is %lld x %lld in one adapter and %lld x %lld in the other: they are "
                       "of different models",
                       a->name, (long long)a->rows, (long long)a->cols, (long long)b->rows,
                       (long long)b->cols);
    double inner = px_lora_inner(x, y, hp);
    double square = d->norm_a * d->norm_a + d->norm_b * d->norm_b - 2 * inner;
    /* What is left of equal ones is rounding. */
    bool equal = !(square > 1e-14 * (d->norm_a * d->norm_a + d->norm_b * d->norm_b));
    d->norm = equal ? 0 : sqrt(square);
    d->cosine = d->norm_a > 0 && d->norm_b > 0 ? inner / (d->norm_a * d->norm_b) : 0;
    d->magnitudes = !same_magnitudes(x, y, hp);
    return PITH_OK;
}

/* Whether comparing needs to know how rows are ordered. */
static bool needs_model(const pith_adapter_file *a, const pith_adapter_file *b)
{
    if (a->lora->set.hf_rows == b->lora->set.hf_rows)
        return false;
    for (int32_t i = 0; i < a->lora->set.n; i++)
        if (strstr(a->lora->set.tensors[i].name, ".attn_q.") ||
            strstr(a->lora->set.tensors[i].name, ".attn_k."))
            return true;
    return false;
}

pith_status pith_adapter_file_compare(const pith_adapter_file *a, const pith_adapter_file *b,
                                      const pith_model *model, pith_adapter_difference_fn fn,
                                      void *user, pith_error *err)
{
    px_error_clear(err);
    if (!a || !b || !fn)
        return px_fail(err, PITH_E_ARGUMENT, "pith_adapter_file_compare: an argument is NULL");
    if (!model && needs_model(a, b))
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' and '%s' have the rows of q and k in different orders, which their "
                       "model tells; give it",
                       a->lora->path, b->lora->path);
    const px_hparams *hp = model ? &model->hp : NULL;
    for (int32_t i = 0; i < a->lora->set.n; i++) {
        px_lora_of x = tensor_of(a, i);
        int32_t k = find(b, x.tensor->name);
        pith_adapter_difference d = {.size = sizeof d,
                                     .name = x.tensor->name,
                                     .rank_a = x.tensor->rank,
                                     .norm_a = a->norms[i],
                                     .norm = a->norms[i],
                                     .magnitudes = x.tensor->magnitude != NULL};
        if (k >= 0) {
            px_lora_of y = tensor_of(b, k);
            d.rank_b = y.tensor->rank;
            d.norm_b = b->norms[k];
            pith_status st = compare_pair(&x, &y, hp, &d, err);
            if (st != PITH_OK)
                return st;
        }
        fn(user, &d);
    }
    for (int32_t k = 0; k < b->lora->set.n; k++) {
        const px_lora_tensor *t = &b->lora->set.tensors[k];
        if (find(a, t->name) >= 0)
            continue;
        fn(user, &(pith_adapter_difference){.size = sizeof(pith_adapter_difference),
                                            .name = t->name,
                                            .rank_b = t->rank,
                                            .norm_b = b->norms[k],
                                            .norm = b->norms[k],
                                            .magnitudes = t->magnitude != NULL});
    }
    return PITH_OK;
}

/* ---- the other form */

pith_status pith_adapter_file_save(const pith_adapter_file *file, const pith_model *model,
                                   const char *path, const char *form, const char *dtype,
                                   pith_error *err)
{
    px_error_clear(err);
    if (!file || !model || !path || !*path || !form)
        return px_fail(err, PITH_E_ARGUMENT, "pith_adapter_file_save: an argument is missing");
    bool peft = strcmp(form, "peft") == 0, half = dtype && strcmp(dtype, "f16") == 0;
    if (!peft && strcmp(form, "gguf") != 0)
        return px_fail(err, PITH_E_ARGUMENT, "the form is '%s', expected gguf or peft", form);
    if ((dtype && !half && strcmp(dtype, "f32") != 0) || (peft && half))
        return px_fail(err, PITH_E_ARGUMENT, "the type is '%s', expected %s", dtype,
                       peft ? "f32, which PEFT folders have" : "f32 or f16");
    if (!model->has_weights)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' was opened without weights, which an adapter is checked against",
                       model->info.path);
    px_adapter *loaded = NULL; // shapes and names are this model's
    pith_status st = px_adapter_load(file->lora, model->source, &model->hp, &loaded, err);
    px_adapter_free(loaded);
    if (st == PITH_OK && peft)
        st = px_adapter_save_peft(&file->lora->set, &model->hp, path, err);
    else if (st == PITH_OK)
        st = px_adapter_save_gguf(&file->lora->set, &model->hp, half ? PX_F16 : PX_F32, path, err);
    return st;
}

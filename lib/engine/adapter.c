/*
 * adapter: the door's adapters, and the sessions that use them. What an adapter is and how its file
 * looks is lib/model/adapter's; here: opening, the key of its content, and a session's list.
 *
 * A key is the hash of all that changes what is computed: each pair with its name, scale and
 * values. A session's is made of its adapters' keys and scales, in their order; 0:
 * none.
 */
#include "base/mem.h"
#include "engine/hash.h"
#include "engine/options.h"
#include "engine/session.h"

#include <math.h>

struct pith_adapter {
    const pith_model *model;
    px_adapter *lora;
    char *path, *name;
    int32_t rank;
    float alpha;
    bool rslora, dora;
    uint64_t key;
};

static uint64_t key_of(const px_lora_file *f)
{
    uint64_t key = px_hash_word(1, (uint64_t)f->set.hf_rows);
    for (int32_t i = 0; i < f->set.n; i++) {
        const px_lora_tensor *t = &f->set.tensors[i];
        float scale = px_lora_scale(&f->set, t);
        size_t rank = (size_t)t->rank, cols = (size_t)t->cols, rows = (size_t)t->rows;
        key = px_hash_bytes(key, t->name, strlen(t->name));
        key = px_hash_bytes(key, &scale, sizeof scale);
        key = px_hash_word(key, (uint64_t)t->rank);
        key = px_hash_bytes(key, t->a, rank * cols * sizeof *t->a);
        key = px_hash_bytes(key, t->b, rank * rows * sizeof *t->b);
        if (t->magnitude)
            key = px_hash_bytes(key, t->magnitude, rows * sizeof *t->magnitude);
    }
    return key ? key : 1;
}

static pith_status fill(pith_adapter *a, const px_lora_file *f, pith_error *err)
{
    a->path = px_strndup(f->path, strlen(f->path));
    a->name = px_strndup(f->set.name, strlen(f->set.name));
    if (!a->path || !a->name)
        return px_fail_memory(err, "an adapter");
    a->rank = f->most_rank;
    a->alpha = f->alpha;
    a->rslora = f->set.rslora;
    a->dora = px_lora_set_has_magnitudes(&f->set);
    pith_status st = px_adapter_load(f, a->model->source, &a->model->hp, &a->lora, err);
    if (st == PITH_OK)
        a->key = key_of(f);
    return st;
}

pith_status pith_adapter_open(const pith_model *model, const char *path, pith_adapter **out,
                              pith_error *err)
{
    px_error_clear(err);
    if (!model || !path || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_adapter_open: an argument is NULL");
    *out = NULL;
    if (!model->has_weights)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' was opened without weights, which an adapter is checked against",
                       model->info.path);
    px_lora_file *file = NULL;
    pith_status st = px_lora_open(path, &file, err);
    if (st != PITH_OK)
        return st;
    pith_adapter *a = px_calloc(1, sizeof *a);
    if (a)
        a->model = model;
    st = a ? fill(a, file, err) : px_fail_memory(err, "an adapter");
    px_lora_close(file);
    if (st != PITH_OK) {
        pith_adapter_close(a);
        return st;
    }
    *out = a;
    return PITH_OK;
}

void pith_adapter_close(pith_adapter *adapter)
{
    if (!adapter)
        return;
    px_adapter_free(adapter->lora);
    px_free(adapter->path);
    px_free(adapter->name);
    px_free(adapter);
}

pith_status pith_adapter_get_info(const pith_adapter *adapter, pith_adapter_info *out,
                                  pith_error *err)
{
    px_error_clear(err);
    if (!adapter || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_adapter_get_info: an argument is NULL");
    const px_adapter *l = adapter->lora;
    pith_adapter_info info = {.path = adapter->path,
                              .name = adapter->name,
                              .rank = adapter->rank,
                              .alpha = adapter->alpha,
                              .n_matrices = l->n_pairs,
                              .bytes = l->bytes,
                              .key = adapter->key,
                              .rslora = adapter->rslora,
                              .dora = adapter->dora};
    return px_options_write(out, "pith_adapter_info", &info, sizeof info, err);
}

/* ---- sessions */

static pith_status check_uses(const pith_model *model, const pith_adapter_use *uses, int32_t n,
                              pith_error *err)
{
    if (n < 0 || (n > 0 && !uses))
        return px_fail(err, PITH_E_ARGUMENT, "n_adapters is %d with %s list of adapters", n,
                       uses ? "a" : "no");
    if (n > PX_MAX_ADAPTERS)
        return px_fail(err, PITH_E_LIMIT, "%d adapters at once, expected at most %d", n,
                       PX_MAX_ADAPTERS);
    for (int32_t i = 0; i < n; i++) {
        if (!uses[i].adapter || !isfinite(uses[i].scale))
            return px_fail(err, PITH_E_ARGUMENT, "adapter %d %s", i,
                           uses[i].adapter ? "has a scale that is no finite number" : "is NULL");
        if (uses[i].adapter->model != model)
            return px_fail(
                err, PITH_E_MISMATCH, "adapter '%s' was opened for '%s', the model at hand is '%s'",
                uses[i].adapter->path, uses[i].adapter->model->info.path, model->info.path);
    }
    return PITH_OK;
}

pith_status px_adapter_uses(const pith_model *model, const pith_adapter_use *uses, int32_t n,
                            px_lora_use *out, int32_t *n_out, pith_error *err)
{
    *n_out = 0;
    pith_status st = check_uses(model, uses, n, err);
    for (int32_t i = 0; st == PITH_OK && i < n; i++)
        if (uses[i].scale != 0)
            out[(*n_out)++] = (px_lora_use){uses[i].adapter->lora, uses[i].scale};
    return st;
}

pith_status px_session_adapt(pith_session *s, const pith_adapter_use *uses, int32_t n,
                             pith_error *err)
{
    pith_status st = check_uses(s->engine->model, uses, n, err);
    if (st != PITH_OK || n == 0)
        return st;
    s->loras = px_malloc((size_t)n, sizeof *s->loras);
    if (!s->loras)
        return px_fail_memory(err, "a session's adapters");
    st = px_adapter_uses(s->engine->model, uses, n, s->loras, &s->n_loras, err);
    for (int32_t i = 0; i < n; i++) {
        if (uses[i].scale == 0)
            continue;
        uint32_t bits;
        memcpy(&bits, &uses[i].scale, sizeof bits);
        s->adapter_key = px_hash_word(px_hash_word(s->adapter_key, uses[i].adapter->key), bits);
        s->adapter_key += s->adapter_key == 0;
    }
    return px_decoder_fit(s->engine->decoder, s->loras, s->n_loras, err);
}

pith_status px_session_adapt_as(pith_session *s, const pith_session *other, pith_error *err)
{
    s->adapter_key = other->adapter_key;
    if (other->n_loras == 0)
        return PITH_OK;
    s->loras = px_malloc((size_t)other->n_loras, sizeof *s->loras);
    if (!s->loras)
        return px_fail_memory(err, "a session's adapters");
    s->n_loras = other->n_loras;
    memcpy(s->loras, other->loras, (size_t)s->n_loras * sizeof *s->loras);
    return PITH_OK;
}

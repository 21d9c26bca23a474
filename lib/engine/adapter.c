/*
 * adapter: the door's adapters, and the sessions that use them. What an adapter is and how its file
 * looks is lib/model/adapter's; here: opening, the key of its content, and a session's list.
 *
 * A key is the hash of all that changes what is computed: alpha, and each tensor with its name,
 * type, shape and bytes. A session's is made of its adapters' keys and scales, in their order; 0:
 * none.
 */
#include "base/file.h"
#include "base/mem.h"
#include "engine/hash.h"
#include "engine/options.h"
#include "engine/session.h"

#include <math.h>

struct pith_adapter {
    const pith_model *model;
    px_adapter *lora;
    char *path, *name;
    uint64_t key;
};

static uint64_t key_of(const px_source *s, float alpha)
{
    uint64_t key = px_hash_bytes(1, &alpha, sizeof alpha);
    for (int64_t i = 0; i < s->n_tensors; i++) {
        const px_tensor *t = &s->tensors[i];
        key = px_hash_bytes(key, t->name, strlen(t->name));
        key = px_hash_word(key, (uint64_t)t->dtype);
        key = px_hash_bytes(key, t->ne, sizeof t->ne);
        key = px_hash_bytes(key, t->data, t->bytes);
    }
    return key ? key : 1;
}

/* A folder that PEFT wrote. */
static bool is_peft(const char *path)
{
    px_buf name = {0};
    bool found = px_file_kind_of(path) == PX_FILE_FOLDER &&
                 px_path_join(&name, path, "adapter_config.json") &&
                 px_file_kind_of(name.data) == PX_FILE_REGULAR;
    px_buf_clear(&name);
    return found;
}

static pith_status fill(pith_adapter *a, const px_source *s, const char *path, pith_error *err)
{
    px_str name = {0};
    px_source_get_str(s, "general.name", false, &name, NULL);
    a->path = px_strndup(path, strlen(path));
    a->name = px_strndup(name.data ? name.data : "", name.len);
    if (!a->path || !a->name)
        return px_fail_memory(err, "an adapter");
    pith_status st = px_adapter_load(s, a->model->source, &a->model->hp, &a->lora, err);
    if (st == PITH_OK)
        a->key = key_of(s, a->lora->alpha);
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
    if (is_peft(path))
        return px_fail(
            err, PITH_E_UNSUPPORTED,
            "'%s' is a PEFT folder, pith reads adapters from GGUF files; convert it with "
            "llama.cpp's convert_lora_to_gguf.py",
            path);
    px_source *source = NULL;
    pith_status st = px_source_open(path, NULL, &source, err);
    if (st != PITH_OK)
        return st;
    pith_adapter *a = px_calloc(1, sizeof *a);
    if (a)
        a->model = model;
    st = a ? fill(a, source, path, err) : px_fail_memory(err, "an adapter");
    px_source_close(source);
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
                              .rank = l->most_rank,
                              .alpha = l->alpha,
                              .n_matrices = l->n_pairs,
                              .bytes = l->bytes,
                              .key = adapter->key};
    return px_options_write(out, "pith_adapter_info", &info, sizeof info, err);
}

/* ---- sessions */

static pith_status check_uses(const pith_session *s, const pith_adapter_use *uses, int32_t n,
                              pith_error *err)
{
    if (n < 0 || (n > 0 && !uses))
        return px_fail(err, PITH_E_ARGUMENT,
                       "session option n_adapters is %d with %s list of adapters", n,
                       uses ? "a" : "no");
    if (n > PX_MAX_ADAPTERS)
        return px_fail(err, PITH_E_LIMIT, "%d adapters for one session, expected at most %d", n,
                       PX_MAX_ADAPTERS);
    for (int32_t i = 0; i < n; i++) {
        if (!uses[i].adapter || !isfinite(uses[i].scale))
            return px_fail(err, PITH_E_ARGUMENT, "adapter %d of the session %s", i,
                           uses[i].adapter ? "has a scale that is no finite number" : "is NULL");
        if (uses[i].adapter->model != s->engine->model)
            return px_fail(err, PITH_E_MISMATCH,
                           "adapter '%s' was opened for '%s', the engine runs '%s'",
                           uses[i].adapter->path, uses[i].adapter->model->info.path,
                           s->engine->model->info.path);
    }
    return PITH_OK;
}

pith_status px_session_adapt(pith_session *s, const pith_adapter_use *uses, int32_t n,
                             pith_error *err)
{
    pith_status st = check_uses(s, uses, n, err);
    if (st != PITH_OK || n == 0)
        return st;
    s->loras = px_malloc((size_t)n, sizeof *s->loras);
    if (!s->loras)
        return px_fail_memory(err, "a session's adapters");
    for (int32_t i = 0; i < n; i++) {
        if (uses[i].scale == 0)
            continue;
        uint32_t bits;
        memcpy(&bits, &uses[i].scale, sizeof bits);
        s->loras[s->n_loras++] = (px_lora_use){uses[i].adapter->lora, uses[i].scale};
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

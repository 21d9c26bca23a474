/* save: see save.h. */
#include "train/save.h"

#include "base/mem.h"
#include "engine/folder_vocab.h"
#include "model/adapter_write.h"
#include "quant/quantize.h"

#include <string.h>

/* ---- adapters */

static int32_t count_pairs(const px_net *net)
{
    int32_t n = 0;
    for (int32_t i = 0; i < net->hp->n_layers; i++)
        for (int g = 0; g < PX_GROUPS; g++)
            for (int32_t j = 0; j < net->layers[i].groups[g].n; j++)
                n += net->layers[i].groups[g].modules[j].rank > 0;
    return n;
}

static px_lora_tensor pair_of(const px_net *net, const px_module *m)
{
    const float *value = net->params.value;
    return (px_lora_tensor){.name = m->w.name,
                            .rank = m->rank,
                            .alpha = m->alpha,
                            .rows = m->w.rows,
                            .cols = m->w.cols,
                            .a = value + m->a_at,
                            .b = value + m->b_at,
                            .magnitude = m->m_at >= 0 ? value + m->m_at : NULL};
}

static void list_pairs(const px_net *net, px_lora_tensor *out)
{
    for (int32_t i = 0; i < net->hp->n_layers; i++)
        for (int g = 0; g < PX_GROUPS; g++)
            for (int32_t j = 0; j < net->layers[i].groups[g].n; j++) {
                const px_module *m = &net->layers[i].groups[g].modules[j];
                if (m->rank > 0)
                    *out++ = pair_of(net, m);
            }
}

pith_status px_save_adapter(const px_net *net, const pith_model *model, const char *form,
                            const char *name, float dropout, const char *path, pith_error *err)
{
    bool peft = form && strcmp(form, "peft") == 0;
    if (net->full)
        return px_fail(err, PITH_E_ARGUMENT,
                       "all weights were trained, which is no adapter; save the model");
    if (form && !peft && strcmp(form, "gguf") != 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the form of an adapter is '%s', expected gguf or peft", form);
    int32_t n = count_pairs(net);
    px_lora_tensor *pairs = px_calloc((size_t)n, sizeof *pairs);
    if (!pairs)
        return px_fail_memory(err, "an adapter");
    list_pairs(net, pairs);
    px_lora_set set = {.tensors = pairs,
                       .n = n,
                       .rslora = net->rslora,
                       .hf_rows = model->source->rope_halves,
                       .name = name,
                       .base_name = model->info.name,
                       .dropout = dropout};
    pith_status st = peft ? px_adapter_save_peft(&set, net->hp, path, err)
                          : px_adapter_save_gguf(&set, net->hp, PX_F32, path, err);
    px_free(pairs);
    return st;
}

/* ---- models */

static const px_param *find_part(const px_net *net, const char *name)
{
    for (int32_t i = 0; i < net->params.n_parts; i++)
        if (strcmp(net->params.parts[i].name, name) == 0)
            return &net->params.parts[i];
    return NULL;
}

/* Masters hold norms as they multiply: nothing is to be added any more. */
static void use_masters(const px_net *net, px_tensor *tensors, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        px_tensor *t = &tensors[i];
        const px_param *part = find_part(net, t->name);
        if (!part)
            continue;
        t->data = (const uint8_t *)(net->params.value + part->at);
        t->dtype = PX_F32;
        t->bytes = (size_t)part->n * sizeof(float);
        if (t->fix == PX_FIX_PLUS_ONE)
            t->fix = PX_FIX_NONE;
    }
}

static pith_status write_model(const px_net *net, const px_source *shadow,
                               const px_mixture *mixture, const char *path, pith_error *err)
{
    px_folder_vocab vocab = {0};
    px_quantize_options o = {.level = net->kern.level, .n_threads = px_pool_size(net->pool)};
    px_quantized done;
    pith_status st = PITH_OK;
    if (shadow->kind == PX_SOURCE_FOLDER) {
        st = px_folder_vocab_open(shadow, &vocab, err);
        o.set_metas = px_folder_vocab_write;
        o.metas_user = &vocab;
    }
    if (st == PITH_OK)
        st = px_quantize(shadow, path, mixture, &o, &done, err);
    px_folder_vocab_clear(&vocab);
    return st;
}

pith_status px_save_model(const px_net *net, const pith_model *model, const char *type,
                          const char *path, pith_error *err)
{
    const px_mixture *mixture = px_mixture_find(type ? type : "f32");
    if (!net->full)
        return px_fail(err, PITH_E_ARGUMENT,
                       "an adapter was trained, and no model; save the adapter and merge it");
    if (!mixture)
        return px_fail(err, PITH_E_ARGUMENT,
                       "unknown type '%s', expected one that `pith quantize` lists", type);
    px_source shadow = *model->source;
    px_tensor *tensors = px_malloc((size_t)shadow.n_tensors, sizeof *tensors);
    if (!tensors)
        return px_fail_memory(err, "a list of tensors");
    memcpy(tensors, shadow.tensors, (size_t)shadow.n_tensors * sizeof *tensors);
    use_masters(net, tensors, shadow.n_tensors);
    shadow.tensors = tensors;
    pith_status st = write_model(net, &shadow, mixture, path, err);
    px_free(tensors);
    return st;
}

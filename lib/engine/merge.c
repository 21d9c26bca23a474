/*
 * merge: the door's merging: adapters of an opened model into the weights of a new file. What
 * changes is lib/model/adapter_merge's, how files are written lib/quant's. One thread calls;
 * lib/quant uses its own pool.
 */
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/folder_vocab.h"
#include "engine/options.h"
#include "engine/session.h"
#include "model/adapter_merge.h"
#include "quant/quantize.h"

#include <sys/stat.h>

static pith_status find_mixture(const char *name, const px_mixture **out, pith_error *err)
{
    *out = name ? px_mixture_find(name) : NULL;
    if (name && !*out)
        return px_fail(err, PITH_E_ARGUMENT,
                       "unknown type '%s', expected one that pith quantize takes, as f16 or q8_0",
                       name);
    return PITH_OK;
}

/* A slip of the hand must not write over what is being read. */
static pith_status check_name(const px_source *s, const char *out, pith_error *err)
{
    struct stat a, b;
    for (int32_t i = 0; i < s->n_files; i++)
        if (stat(s->files[i], &a) == 0 && stat(out, &b) == 0 && a.st_dev == b.st_dev &&
            a.st_ino == b.st_ino)
            return px_fail(err, PITH_E_ARGUMENT,
                           "'%s' is to be read and written at once; give another name for the "
                           "output",
                           out);
    return PITH_OK;
}

static pith_status write_out(const px_lora_merge *m, const char *out, const px_mixture *mixture,
                             px_quantize_options *o, px_quantized *done, pith_error *err)
{
    px_folder_vocab vocab = {0};
    bool *edited = px_calloc((size_t)m->model->n_tensors, sizeof *edited);
    pith_status st = edited ? PITH_OK : px_fail_memory(err, "a list of tensors");
    for (int64_t i = 0; st == PITH_OK && i < m->model->n_tensors; i++)
        edited[i] = px_lora_merge_changes(m, &m->model->tensors[i]);
    if (st == PITH_OK && m->model->kind == PX_SOURCE_FOLDER) {
        st = px_folder_vocab_open(m->model, &vocab, err);
        o->set_metas = px_folder_vocab_write;
        o->metas_user = &vocab;
    }
    o->edit = px_lora_merge_edit;
    o->edit_user = (px_lora_merge *)(uintptr_t)m;
    o->edited = edited;
    if (st == PITH_OK)
        st = px_quantize(m->model, out, mixture, o, done, err);
    px_folder_vocab_clear(&vocab);
    px_free(edited);
    return st;
}

static pith_status give(const px_source *source, const px_mixture *mixture,
                        const px_quantized *done, pith_quantized *result, pith_error *err)
{
    if (!result)
        return PITH_OK;
    double n = (double)done->n_parameters;
    pith_quantized r = {.type = mixture ? px_mixture_name(mixture) : "as they were",
                        .in_bytes = done->in_bytes,
                        .out_bytes = done->out_bytes,
                        .n_parameters = done->n_parameters,
                        .bits = n > 0 ? 8.0 * (double)done->out_bytes / n : 0,
                        .n_tensors = source->n_tensors,
                        .n_fallback = done->n_fallback,
                        .n_requantized = done->n_requantized};
    return px_options_write(result, "pith_quantized", &r, sizeof r, err);
}

pith_status pith_merge(const pith_model *model, const pith_adapter_use *adapters,
                       int32_t n_adapters, const char *out, const pith_merge_options *options,
                       pith_quantized *result, pith_error *err)
{
    px_error_clear(err);
    if (!model || !adapters || n_adapters < 1 || !out || !*out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_merge: an argument is missing");
    pith_merge_options o = {0};
    const px_mixture *mixture = NULL;
    px_quantize_options inner = {0};
    px_quantized done = {0};
    px_lora_use uses[PX_MAX_ADAPTERS];
    px_lora_merge m = {.model = model->source, .hp = &model->hp, .uses = uses};
    pith_status st = px_options_read(options, "pith_merge_options", &o, sizeof o, err);
    if (st == PITH_OK)
        st = px_adapter_uses(model, adapters, n_adapters, uses, &m.n, err);
    if (st == PITH_OK)
        st = find_mixture(o.type, &mixture, err);
    if (st == PITH_OK)
        st = px_lora_merge_check(&m, err);
    if (st == PITH_OK)
        st = check_name(model->source, out, err);
    if (st == PITH_OK)
        st = px_engine_level(NULL, &inner.level, err);
    inner.n_threads = o.n_threads;
    inner.progress = o.progress;
    inner.progress_user = o.user;
    if (st == PITH_OK)
        st = write_out(&m, out, mixture, &inner, &done, err);
    return st == PITH_OK ? give(model->source, mixture, &done, result, err) : st;
}

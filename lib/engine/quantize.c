/*
 * quantize: the door's quantizing: opens source and importance matrix, reads the options, hands all
 * to lib/quant. One thread calls; lib/quant uses its own pool.
 */
#include "quant/quantize.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/folder_vocab.h"
#include "engine/options.h"
#include "kern/traits.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static pith_status find_type(const char *name, const char *what, px_dtype *out, pith_error *err)
{
    const px_dtype_info *info = px_dtype_find(name);
    if (!info || !px_traits_get(info->id))
        return px_fail(err, PITH_E_ARGUMENT,
                       "%s is '%s', expected a type that pith computes with, as q6_k or f16", what,
                       name);
    *out = info->id;
    return PITH_OK;
}

static pith_status find_mixture(const char *name, const px_mixture **out, pith_error *err)
{
    char names[512] = "";
    size_t at = 0;
    *out = px_mixture_find(name);
    if (*out)
        return PITH_OK;
    for (int i = 0; px_mixture_get(i) && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i > 0 ? ", " : "",
                               px_mixture_name(px_mixture_get(i)));
    return px_fail(err, PITH_E_ARGUMENT, "unknown type '%s', expected one of: %s", name, names);
}

/* The options that name types. rules: room for o->n_rules. */
static pith_status read_mixture(const pith_quantize_options *o, px_type_rule *rules,
                                px_mixture_options *out, pith_error *err)
{
    pith_status st = PITH_OK;
    *out = (px_mixture_options){.rules = rules,
                                .n_rules = o->n_rules,
                                .pure = o->pure,
                                .keep_output = o->keep_output,
                                .output_set = o->output_type != NULL,
                                .embed_set = o->embed_type != NULL};
    if (o->output_type)
        st = find_type(o->output_type, "the output's type", &out->output_type, err);
    if (st == PITH_OK && o->embed_type)
        st = find_type(o->embed_type, "the embedding's type", &out->embed_type, err);
    for (int32_t i = 0; i < o->n_rules && st == PITH_OK; i++) {
        const pith_tensor_rule *r = &o->rules[i];
        if (!r->pattern || !*r->pattern || !r->dtype)
            return px_fail(err, PITH_E_ARGUMENT, "rule %d has no pattern or no type", i + 1);
        rules[i].pattern = r->pattern;
        rules[i].pattern_len = strlen(r->pattern);
        st = find_type(r->dtype, "the type of a rule", &rules[i].type, err);
    }
    return st;
}

typedef struct teller {
    pith_tensor_plan_fn fn;
    void *user;
} teller;

static int tell(void *user, const px_tensor_plan *p)
{
    static const char *const NOTES[] = {
        [PX_TYPE_AS_PLANNED] = "",
        [PX_TYPE_NO_MATRIX] = "no matrix",
        [PX_TYPE_FALLBACK] = "rows do not fit",
        [PX_TYPE_ASKED] = "asked",
    };
    const teller *to = user;
    const px_tensor *t = p->tensor;
    pith_tensor_plan plan = {.size = sizeof plan,
                             .name = t->name,
                             .n_dims = t->n_dims,
                             .from = px_dtype_name((uint32_t)t->dtype),
                             .to = px_dtype_name((uint32_t)p->to),
                             .from_bytes = t->bytes,
                             .to_bytes = p->to_bytes,
                             .note = NOTES[p->note],
                             .importance = p->importance};
    for (int i = 0; i < t->n_dims; i++)
        plan.shape[i] = t->ne[t->n_dims - 1 - i];
    return to->fn(to->user, &plan);
}

static pith_status run(const px_source *source, const char *out, const px_mixture *mixture,
                       const pith_quantize_options *o, px_quantize_options *inner,
                       px_quantized *done, pith_error *err)
{
    teller to = {o->on_tensor, o->user};
    px_folder_vocab vocab = {0};
    px_imatrix *imatrix = NULL;
    pith_status st = PITH_OK;
    inner->n_threads = o->n_threads;
    inner->progress = o->progress;
    inner->progress_user = o->user;
    if (o->on_tensor) {
        inner->on_tensor = tell;
        inner->tensor_user = &to;
    }
    if (o->importance)
        st = px_imatrix_open(o->importance, &imatrix, err);
    inner->imatrix = imatrix;
    if (st == PITH_OK && out && source->kind == PX_SOURCE_FOLDER) {
        st = px_folder_vocab_open(source, &vocab, err);
        inner->set_metas = px_folder_vocab_write;
        inner->metas_user = &vocab;
    }
    if (st == PITH_OK)
        st = px_quantize(source, out, mixture, inner, done, err);
    px_folder_vocab_clear(&vocab);
    px_imatrix_close(imatrix);
    return st;
}

static pith_status give(const px_source *source, const px_mixture *mixture,
                        const px_quantized *done, pith_quantized *result, pith_error *err)
{
    if (!result)
        return PITH_OK;
    pith_quantized r = {
        .type = px_mixture_name(mixture),
        .in_bytes = done->in_bytes,
        .out_bytes = done->out_bytes,
        .n_parameters = done->n_parameters,
        .bits = done->n_parameters ? 8.0 * (double)done->out_bytes / (double)done->n_parameters : 0,
        .n_tensors = source->n_tensors,
        .n_fallback = done->n_fallback,
        .n_requantized = done->n_requantized,
        .n_importance = done->n_importance,
    };
    return px_options_write(result, "pith_quantized", &r, sizeof r, err);
}

/* A slip of the hand must not replace the original by something smaller. */
static pith_status check_names(const char *in, const char *out, pith_error *err)
{
    struct stat a, b;
    if (out && stat(in, &a) == 0 && stat(out, &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' is to be read and written at once; give another name for the output",
                       out);
    return PITH_OK;
}

pith_status pith_quantize(const char *in, const char *out, const char *type,
                          const pith_quantize_options *options, pith_quantized *result,
                          pith_error *err)
{
    px_error_clear(err);
    if (!in || !*in || !type || (out && !*out))
        return px_fail(err, PITH_E_ARGUMENT, "pith_quantize: a path or the type is missing");
    pith_quantize_options o = {0};
    const px_mixture *mixture = NULL;
    px_quantize_options inner = {0};
    px_quantized done;
    px_source *source = NULL;
    px_type_rule *rules = NULL;
    pith_status st = px_options_read(options, "pith_quantize_options", &o, sizeof o, err);
    if (st == PITH_OK)
        st = find_mixture(type, &mixture, err);
    if (st == PITH_OK && o.n_rules > 0) {
        rules = px_malloc((size_t)o.n_rules, sizeof *rules);
        if (!rules)
            st = px_fail_memory(err, "rules of types");
    }
    if (st == PITH_OK)
        st = read_mixture(&o, rules, &inner.mixture, err);
    if (st == PITH_OK)
        st = px_engine_level(NULL, &inner.level, err);
    if (st == PITH_OK)
        st = check_names(in, out, err);
    if (st == PITH_OK)
        st = px_source_open(in, NULL, &source, err);
    if (st == PITH_OK)
        st = run(source, out, mixture, &o, &inner, &done, err);
    if (st == PITH_OK)
        st = give(source, mixture, &done, result, err);
    px_source_close(source);
    px_free(rules);
    return st;
}

const char *pith_quantize_type(int32_t i, double *bits)
{
    const px_mixture *m = px_mixture_get(i);
    if (!m)
        return NULL;
    const px_dtype_info *info = px_dtype_get((uint32_t)px_mixture_base(m));
    if (bits)
        *bits = 8.0 * info->block_bytes / info->block_elements;
    return px_mixture_name(m);
}

/*
 * quantize: see quantize.h.
 */
#include "quant/quantize.h"

#include "base/mem.h"

typedef struct job {
    const px_source *source;
    const px_quantize_options *options;
    px_dtype *types;          // [n_tensors]
    px_type_note *notes;      // [n_tensors]
    const float **importance; // [n_tensors]
    px_quantized result;
    pith_error *err;
} job;

static bool is_float(px_dtype d)
{
    return d == PX_F32 || d == PX_F16 || d == PX_BF16;
}

/* The importance of tensors that are encoded with it. */
static pith_status find_importance(job *j)
{
    pith_status status = PITH_OK;
    for (int64_t i = 0; i < j->source->n_tensors && status == PITH_OK; i++) {
        const px_tensor *t = &j->source->tensors[i];
        j->importance[i] = NULL;
        if (!j->options->imatrix || is_float(j->types[i]) || j->types[i] == PX_NF4 ||
            j->types[i] == t->dtype)
            continue;
        status = px_imatrix_find(j->options->imatrix, t, &j->importance[i], j->err);
        j->result.n_importance += j->importance[i] != NULL;
    }
    if (status == PITH_OK && j->options->imatrix && j->result.n_importance == 0)
        return px_fail(j->err, PITH_E_MISMATCH,
                       "'%s': the importance matrix has none of its tensors; it was made from "
                       "another model",
                       j->source->path);
    return status;
}

/* Adds up and tells. */
static pith_status tell(job *j)
{
    for (int64_t i = 0; i < j->source->n_tensors; i++) {
        const px_tensor *t = &j->source->tensors[i];
        const int64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
        px_tensor_plan p = {.tensor = t,
                            .to = j->types[i],
                            .note = j->notes[i],
                            .importance = j->importance[i] != NULL};
        if (!px_dtype_row_bytes(p.to, n, &p.to_bytes))
            return px_fail(j->err, PITH_E_LIMIT, "'%s': tensor '%s' is too large", j->source->path,
                           t->name);
        j->result.in_bytes += t->bytes;
        j->result.out_bytes += p.to_bytes;
        j->result.n_parameters += (uint64_t)n;
        j->result.n_fallback += p.note == PX_TYPE_FALLBACK;
        j->result.n_requantized += !is_float(t->dtype) && p.to != t->dtype;
        if (j->options->on_tensor && j->options->on_tensor(j->options->tensor_user, &p) != 0)
            return px_fail(j->err, PITH_E_CANCELLED, "quantizing was cancelled before it began");
    }
    return PITH_OK;
}

/* Types where there is no mixture. */
static void keep_types(job *j)
{
    const px_quantize_options *o = j->options;
    for (int64_t i = 0; i < j->source->n_tensors; i++) {
        const px_tensor *t = &j->source->tensors[i];
        const bool edited = o->edit && o->edited[i];
        j->types[i] = edited && !is_float(t->dtype)          ? PX_F16
                      : is_float(t->dtype) && t->n_dims == 1 ? PX_F32
                                                             : t->dtype;
        j->notes[i] = j->types[i] == t->dtype ? PX_TYPE_AS_PLANNED : PX_TYPE_ASKED;
    }
}

static uint32_t file_type(const px_source *source, const px_mixture *mixture)
{
    int64_t type = PX_FILE_TYPE_F16;
    if (mixture)
        return px_mixture_file_type(mixture);
    (void)px_source_get_int(source, "general.file_type", false, 0, UINT32_MAX, &type, NULL);
    return (uint32_t)type;
}

static pith_status write_file(job *j, const px_mixture *mixture, const char *path)
{
    const px_quantize_options *o = j->options;
    px_kern kern;
    px_stream stream = {.source = j->source,
                        .kern = &kern,
                        .doing = o->edit ? "merging" : "quantizing",
                        .types = j->types,
                        .importance = j->importance,
                        .file_type = file_type(j->source, mixture),
                        .edit = o->edit,
                        .edit_user = o->edit_user,
                        .edited = o->edited,
                        .set_metas = o->set_metas,
                        .metas_user = o->metas_user,
                        .progress = o->progress,
                        .progress_user = o->progress_user};
    pith_status status = px_kern_fill(&kern, o->level, j->err);
    if (status == PITH_OK)
        status = px_pool_new(o->n_threads, &stream.pool, j->err);
    if (status == PITH_OK)
        status = px_stream_write(&stream, path, j->err);
    px_pool_free(stream.pool);
    return status;
}

pith_status px_quantize(const px_source *source, const char *out_path, const px_mixture *mixture,
                        const px_quantize_options *options, px_quantized *result, pith_error *err)
{
    const size_t n = (size_t)source->n_tensors;
    job j = {.source = source, .options = options, .err = err};
    px_mixture_options o = options->mixture;
    o.has_importance = options->imatrix != NULL;
    j.types = px_malloc(n, sizeof *j.types);
    j.notes = px_malloc(n, sizeof *j.notes);
    j.importance = px_malloc(n, sizeof *j.importance);
    pith_status status =
        j.types && j.notes && j.importance ? PITH_OK : px_fail_memory(err, "a plan of tensors");
    if (status == PITH_OK && mixture)
        status = px_mixture_plan(mixture, source, &o, j.types, j.notes, err);
    else if (status == PITH_OK)
        keep_types(&j);
    if (status == PITH_OK)
        status = find_importance(&j);
    if (status == PITH_OK)
        status = tell(&j);
    if (status == PITH_OK && out_path)
        status = write_file(&j, mixture, out_path);
    if (status == PITH_OK)
        *result = j.result;
    px_free(j.types);
    px_free(j.notes);
    px_free(j.importance);
    return status;
}

/*
 * convert: see convert.h. Chooses the types; stream.c does the rest.
 */
#include "quant/convert.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "quant/stream.h"

static bool is_float(px_dtype d)
{
    return d == PX_F32 || d == PX_F16 || d == PX_BF16;
}

static uint32_t file_type(const px_source *source, const px_convert_options *options)
{
    const px_tensor *embed = px_source_tensor(source, "token_embd.weight");
    px_dtype d = options->keep ? (embed ? embed->dtype : PX_F32) : options->dtype;
    return d == PX_F32 ? PX_FILE_TYPE_F32 : d == PX_F16 ? PX_FILE_TYPE_F16 : PX_FILE_TYPE_BF16;
}

static pith_status choose(const px_source *source, const px_convert_options *options,
                          px_dtype *types, pith_error *err)
{
    for (int64_t i = 0; i < source->n_tensors; i++) {
        const px_tensor *t = &source->tensors[i];
        if (!is_float(t->dtype) && !(source->kind == PX_SOURCE_FOLDER && t->dtype == PX_NF4))
            return px_fail(err, PITH_E_UNSUPPORTED,
                           "'%s': tensor '%s' is %s, expected f32, f16 or bf16: only models of "
                           "floats are converted",
                           source->path, t->name, px_dtype_name((uint32_t)t->dtype));
        types[i] = t->n_dims == 1 ? PX_F32 : options->keep ? t->dtype : options->dtype;
    }
    return PITH_OK;
}

pith_status px_convert(const px_source *source, const char *out_path,
                       const px_convert_options *options, pith_error *err)
{
    if (!options->keep && !is_float(options->dtype))
        return px_fail(err, PITH_E_ARGUMENT, "cannot convert to %s, expected f32, f16 or bf16",
                       px_dtype_name((uint32_t)options->dtype));
    px_dtype *types = px_malloc((size_t)source->n_tensors, sizeof *types);
    if (!types)
        return px_fail_memory(err, "a list of tensor types");
    px_kern kern;
    px_stream stream = {.source = source,
                        .kern = &kern,
                        .doing = "converting",
                        .types = types,
                        .file_type = file_type(source, options),
                        .set_metas = options->write_vocab,
                        .metas_user = options->vocab_user,
                        .progress = options->progress,
                        .progress_user = options->progress_user};
    pith_status status = choose(source, options, types, err);
    if (status == PITH_OK)
        status = px_kern_fill(&kern, px_cpu_detect(), err);
    if (status == PITH_OK)
        status = px_pool_new(0, &stream.pool, err);
    if (status == PITH_OK)
        status = px_stream_write(&stream, out_path, err);
    px_pool_free(stream.pool);
    px_free(types);
    return status;
}

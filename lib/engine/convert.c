/*
 * convert: the door's conversion of a model to one GGUF file: opens, hands tensors to lib/quant and
 * adds what a folder keeps in files of its own: tokenizer and chat template. One thread.
 */
#include "quant/convert.h"

#include "engine/folder_vocab.h"
#include "engine/options.h"

static pith_status wanted_type(const char *name, px_convert_options *out, pith_error *err)
{
    if (!name) {
        out->keep = true;
        return PITH_OK;
    }
    const px_dtype_info *info = px_dtype_find(name);
    if (!info || (info->id != PX_F32 && info->id != PX_F16 && info->id != PX_BF16))
        return px_fail(err, PITH_E_ARGUMENT,
                       "the type to convert to is '%s', expected f32, f16 or bf16", name);
    out->dtype = info->id;
    return PITH_OK;
}

static pith_status run(const px_source *source, const char *out, const pith_convert_options *o,
                       pith_error *err)
{
    px_convert_options inner = {.progress = o->progress, .progress_user = o->user};
    px_folder_vocab vocab = {0};
    pith_status st = wanted_type(o->dtype, &inner, err);
    if (st == PITH_OK && source->kind == PX_SOURCE_FOLDER) {
        inner.write_vocab = px_folder_vocab_write;
        inner.vocab_user = &vocab;
        st = px_folder_vocab_open(source, &vocab, err);
    }
    if (st == PITH_OK)
        st = px_convert(source, out, &inner, err);
    px_folder_vocab_clear(&vocab);
    return st;
}

pith_status pith_convert(const char *in, const char *out, const pith_convert_options *options,
                         pith_error *err)
{
    px_error_clear(err);
    if (!in || !*in || !out || !*out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_convert: a path is missing");
    pith_convert_options o = {0};
    pith_status st = px_options_read(options, "pith_convert_options", &o, sizeof o, err);
    px_source *source = NULL;
    if (st == PITH_OK)
        st = px_source_open(in, NULL, &source, err);
    if (st == PITH_OK)
        st = run(source, out, &o, err);
    px_source_close(source);
    return st;
}

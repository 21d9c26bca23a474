/*
 * convert: the door's conversion of a model to one GGUF file: opens, hands tensors to lib/quant and
 * adds what a folder keeps in files of its own: tokenizer and chat template. One thread.
 */
#include "quant/convert.h"

#include "base/arena.h"
#include "engine/options.h"
#include "model/vocab.h"

typedef struct vocab_job {
    const px_source *source;
    px_tokenizer *tok;
    px_str template; // data NULL: none
} vocab_job;

static pith_status write_vocab(void *user, px_gguf_writer *w, pith_error *err)
{
    const vocab_job *job = user;
    const px_tensor *embed = px_source_tensor(job->source, "token_embd.weight");
    if (px_tokenizer_kind(job->tok) == PX_VOCAB_NONE)
        return PITH_OK;
    int32_t n_vocab = px_tokenizer_size(job->tok);
    if (embed && embed->n_dims == 2 && embed->ne[1] > n_vocab && embed->ne[1] <= PX_MAX_VOCAB)
        n_vocab = (int32_t)embed->ne[1];
    pith_status st = px_vocab_write(job->tok, n_vocab, w, err);
    if (st == PITH_OK && job->template.data)
        st = px_gguf_set_str(w, "tokenizer.chat_template", job->template, err);
    return st;
}

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
    vocab_job job = {.source = source};
    px_arena arena;
    px_arena_init(&arena, 0, 0);
    pith_status st = wanted_type(o->dtype, &inner, err);
    if (st == PITH_OK && source->kind == PX_SOURCE_FOLDER) {
        inner.write_vocab = write_vocab;
        inner.vocab_user = &job;
        st = px_vocab_open(source, &job.tok, err);
        if (st == PITH_OK)
            st = px_vocab_template(source, NULL, &arena, &job.template, err);
    }
    if (st == PITH_OK)
        st = px_convert(source, out, &inner, err);
    px_tokenizer_free(job.tok);
    px_arena_clear(&arena);
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

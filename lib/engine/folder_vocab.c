/*
 * folder_vocab: see folder_vocab.h.
 */
#include "engine/folder_vocab.h"

pith_status px_folder_vocab_open(const px_source *source, px_folder_vocab *v, pith_error *err)
{
    v->source = source;
    px_arena_init(&v->arena, 0, 0);
    pith_status st = px_vocab_open(source, &v->tok, err);
    if (st == PITH_OK)
        st = px_vocab_template(source, NULL, &v->arena, &v->template, err);
    if (st != PITH_OK)
        px_folder_vocab_clear(v);
    return st;
}

void px_folder_vocab_clear(px_folder_vocab *v)
{
    if (!v->source)
        return;
    px_tokenizer_free(v->tok);
    px_arena_clear(&v->arena);
    *v = (px_folder_vocab){0};
}

pith_status px_folder_vocab_write(void *vocab, px_gguf_writer *w, pith_error *err)
{
    const px_folder_vocab *v = vocab;
    const px_tensor *embed = px_source_tensor(v->source, "token_embd.weight");
    if (px_tokenizer_kind(v->tok) == PX_VOCAB_NONE)
        return PITH_OK;
    int32_t n_vocab = px_tokenizer_size(v->tok);
    if (embed && embed->n_dims == 2 && embed->ne[1] > n_vocab && embed->ne[1] <= PX_MAX_VOCAB)
        n_vocab = (int32_t)embed->ne[1];
    pith_status st = px_vocab_write(v->tok, n_vocab, w, err);
    if (st == PITH_OK && v->template.data)
        st = px_gguf_set_str(w, "tokenizer.chat_template", v->template, err);
    return st;
}

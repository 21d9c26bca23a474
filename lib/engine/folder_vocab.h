/*
 * folder_vocab: what a Hugging Face folder keeps in files of its own, tokenizer and chat template,
 * as keys of the GGUF file that is made from it. One thread.
 */
#ifndef PX_ENGINE_FOLDER_VOCAB_H
#define PX_ENGINE_FOLDER_VOCAB_H

#include "base/arena.h"
#include "format/gguf_write.h"
#include "model/vocab.h"

typedef struct px_folder_vocab {
    const px_source *source;
    px_tokenizer *tok;
    px_arena arena;
    px_str template; // data NULL: none
} px_folder_vocab;

/* v is all zeros before. On failure it needs no clear. */
pith_status px_folder_vocab_open(const px_source *source, px_folder_vocab *v, pith_error *err);
/* One that is all zeros is fine. */
void px_folder_vocab_clear(px_folder_vocab *v);

/* A px_stream_meta_fn over a px_folder_vocab. */
pith_status px_folder_vocab_write(void *vocab, px_gguf_writer *w, pith_error *err);

#endif

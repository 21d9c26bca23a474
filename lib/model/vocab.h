/* vocab: the tokenizer.ggml.* keys of a source to a tokenizer, and a tokenizer to those keys. */
#ifndef PX_MODEL_VOCAB_H
#define PX_MODEL_VOCAB_H

#include "format/gguf_write.h"
#include "format/source.h"
#include "text/tokenizer.h"

/* The tokenizer of a source: from its keys (GGUF) or from its files (folder). A model without one
 * (tokenizer.ggml.model "none" or absent) gives a tokenizer of kind NONE. Checked: sizes of arrays,
 * ids in range, merges that name tokens. */
pith_status px_vocab_open(const px_source *source, px_tokenizer **out, pith_error *err);

/* Writes the keys, padding the token list to n_vocab rows. */
pith_status px_vocab_write(const px_tokenizer *tok, int32_t n_vocab, px_gguf_writer *w,
                           pith_error *err);

/* The chat template that the source ships (tokenizer.chat_template; chat_template.jinja or
 * tokenizer_config.json of a folder; `variant` names one of several, NULL the default), or data
 * NULL. Lent by the source or copied into the arena. */
pith_status px_vocab_template(const px_source *source, const char *variant, px_arena *arena,
                              px_str *out, pith_error *err);

#endif

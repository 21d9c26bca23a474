/*
 * cut: parts text into the words that merges never cross, by the pre-tokenizer's steps.
 *
 * Words are handed on one by one as they are found, each step cutting what the one before it gives,
 * so nothing is kept but where each step stands. What a step finds are stretches that match and
 * stretches between them; its behavior says which of them become words, as Hugging Face's
 * tokenizers do.
 */
#ifndef PX_TEXT_CUT_H
#define PX_TEXT_CUT_H

#include "text/piece.h"
#include "text/regex.h"
#include "text/tokenizer.h"

/* The steps of a tokenizer, compiled. Immutable. */
typedef struct px_cutter px_cutter;

/* *out is NULL when there are no steps. The steps are lent and must outlive the cutter. */
pith_status px_cutter_new(const px_cut_step *steps, int32_t n, px_cutter **out, pith_error *err);
void px_cutter_free(px_cutter *cutter);

/* Gives each word of the piece to `word` in order, and stops at the first that fails. The piece is
 * valid UTF-8; words are never empty. work is the call's own. */
typedef pith_status (*px_word_fn)(void *user, const px_piece *word);
pith_status px_cut(const px_cutter *cutter, px_regex_work *work, const px_piece *piece,
                   px_word_fn word, void *user, pith_error *err);

#endif

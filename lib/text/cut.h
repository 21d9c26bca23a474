/*
 * cut: parts text into the words that merges never cross, by the pre-tokenizer's steps.
 */
#ifndef PX_TEXT_CUT_H
#define PX_TEXT_CUT_H

#include "text/piece.h"
#include "text/tokenizer.h"

/* The steps of a tokenizer, compiled. Immutable. */
typedef struct px_cutter px_cutter;

/* What one call needs beside them. Zero-initialise. */
typedef struct px_cut_work {
    void *match; // room for the ends of a match
} px_cut_work;
void px_cut_work_clear(px_cut_work *work);

/* *out is NULL when there are no steps. */
pith_status px_cutter_new(const px_cut_step *steps, int32_t n, px_cutter **out, pith_error *err);
void px_cutter_free(px_cutter *cutter);

/* Gives each word of the piece to `word` in order, and stops at the first that fails. The piece is
 * valid UTF-8; words are never empty. */
typedef pith_status (*px_word_fn)(void *user, const px_piece *word);
pith_status px_cut(const px_cutter *cutter, px_cut_work *work, const px_piece *piece,
                   px_word_fn word, void *user, pith_error *err);

#endif

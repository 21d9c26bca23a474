/*
 * bpe_words: the words of a corpus and how often each occurs: what BPE training counts over. A word
 * is what the pre-tokenizer cuts, as bytes; each distinct one is kept once.
 *
 * Memory grows with the distinct words, not with the corpus, and is bounded: beyond the limit the
 * corpus is refused. One thread at a time.
 */
#ifndef PX_TEXT_BPE_WORDS_H
#define PX_TEXT_BPE_WORDS_H

#include "base/arena.h"
#include "text/cut.h"
#include "text/normalize.h"

typedef struct px_bpe_word {
    const uint8_t *text;
    uint32_t n;
    uint32_t hash;
    int64_t count;
} px_bpe_word;

typedef struct px_bpe_words {
    px_bpe_word *all; // [n], in the order in which they were met
    size_t n, cap;
    uint64_t n_bytes; // of distinct words
    uint64_t n_read;  // bytes of text
    uint32_t *slots;  // [mask + 1], index + 1 or 0 for free; at most half full
    size_t mask;
    px_arena arena; // the texts
    px_cutter *cutter;
    px_normalizer *normal;
    px_regex_work cut;
    px_norm_work norm;
} px_bpe_words;

/* def gives the steps (norms, cuts), which must outlive the words. On failure nothing is left. */
pith_status px_bpe_words_init(px_bpe_words *w, const px_vocab_def *def, pith_error *err);
void px_bpe_words_clear(px_bpe_words *w);

/* Counts the words of a text, which stands for itself: no word crosses into the next call. Bytes
 * that are not UTF-8 part words and are left out. Errors: LIMIT, MEMORY. */
pith_status px_bpe_words_add(px_bpe_words *w, const char *text, size_t n, pith_error *err);

#endif

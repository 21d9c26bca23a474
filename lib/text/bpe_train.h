/*
 * bpe_train: makes a byte-level BPE vocabulary from a corpus.
 *
 * The vocabulary begins with the special tokens in the order given, then come the 256 bytes in the
 * order of the characters that the vocabulary writes for them, then one token a merge. Each merge
 * joins the pair of neighbours that occurs most often in the corpus, words counted as often as they
 * occur; of equally frequent pairs the one whose left token has the lower id, then whose right one
 * has. So the result depends on the corpus alone, and is what Hugging Face's BpeTrainer gives with
 * its initial alphabet of bytes.
 *
 * One difference, where two different pairs make the same text ("ab" + "c", "a" + "bc"): the second
 * merge brings no token of its own here as there, but the counts stay exact here, while there those
 * of pairs that were merged before are kept as they were.
 *
 * Cost: each merge touches the words that hold its pair. Memory: about 40 bytes for each byte of
 * the distinct words. One thread at a time.
 */
#ifndef PX_TEXT_BPE_TRAIN_H
#define PX_TEXT_BPE_TRAIN_H

#include "text/bpe_words.h"

typedef struct px_bpe_options {
    const px_str *specials; // control tokens, in order of their ids
    int32_t n_specials;
    int32_t size;              // tokens wanted, specials and bytes included
    int64_t least_count;       // pairs that occur less often are not merged; 0: 2
    pith_progress_fn progress; // tokens; or NULL
    void *user;
} px_bpe_options;

typedef struct px_bpe_vocab {
    px_vocab_token *tokens; // [n_tokens]
    int32_t n_tokens;       // fewer than asked for where the corpus gave no more pairs
    px_merge *merges;       // [n_merges], best first
    int32_t n_merges;
    px_arena arena; // owns all
} px_bpe_vocab;

/* Trains over the counted words. Errors: ARGUMENT (size, specials that repeat), CANCELLED, MEMORY;
 * *out is empty then. */
pith_status px_bpe_train(const px_bpe_words *words, const px_bpe_options *options,
                         px_bpe_vocab *out, pith_error *err);
void px_bpe_vocab_clear(px_bpe_vocab *v);

#endif

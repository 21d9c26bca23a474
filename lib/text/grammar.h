/*
 * grammar: a language that an answer is held to, compiled once for a vocabulary, and the place of
 * one text in it.
 *
 *   GBNF, regex, JSON schema -> grammar_expr -> grammar_net -> grammar_set (places)
 *                                                           -> grammar_mask (tokens that may come)
 *
 * A px_grammar is shared by threads: its network is immutable, its cache of masks has a lock. A
 * px_gmatch belongs to one thread at a time; the grammar must outlive it.
 */
#ifndef PX_TEXT_GRAMMAR_H
#define PX_TEXT_GRAMMAR_H

#include "text/grammar_mask.h"

typedef enum px_grammar_kind {
    PX_GRAMMAR_GBNF,
    PX_GRAMMAR_SCHEMA,
    PX_GRAMMAR_JSON,
    PX_GRAMMAR_REGEX,
    PX_GRAMMAR_CHOICE
} px_grammar_kind;

typedef struct px_grammar px_grammar;

/* vocab (or NULL: for matching text only) must outlive the grammar. name stands in messages.
 * Errors: FORMAT (line or place), UNSUPPORTED, LIMIT, MEMORY. */
pith_status px_grammar_new(const px_gvocab *vocab, px_grammar_kind kind, const char *name,
                           px_str text, px_grammar **out, pith_error *err);
void px_grammar_free(px_grammar *g);
const px_gvocab *px_grammar_vocab(const px_grammar *g);
const px_gnet *px_grammar_net(const px_grammar *g);

typedef struct px_gmatch {
    const px_grammar *grammar;
    px_gset set;
    px_gitems items;  // where the text stands
    px_gitems next;   // where it would stand
    px_gitems masked; // where `bits` holds
    bool has_bits;
    uint64_t *bits; // [n_words]
    uint32_t live;  // nodes that were needed when the set was last compacted
} px_gmatch;

/* At the beginning of a text. text: bytes will come, special tokens spelled out; else tokens. */
pith_status px_gmatch_init(px_gmatch *m, const px_grammar *g, bool text, pith_error *err);
void px_gmatch_clear(px_gmatch *m);

/* Goes on by bytes, as far as the grammar allows: *n_taken of them. */
pith_status px_gmatch_bytes(px_gmatch *m, px_str bytes, size_t *n_taken, pith_error *err);

/* Goes on by a token. *taken is false, and the place as it was, when the grammar does not allow
 * it. An end token is taken where the text is whole, and nothing may follow. */
pith_status px_gmatch_token(px_gmatch *m, int32_t id, bool *taken, pith_error *err);

/* The tokens that may come next, end tokens too: bits [n_words], lent until the next call. */
pith_status px_gmatch_mask(px_gmatch *m, const uint64_t **bits, pith_error *err);

static inline bool px_gmatch_whole(const px_gmatch *m)
{
    return m->items.whole;
}

/* Nothing but the end may follow. */
static inline bool px_gmatch_over(const px_gmatch *m)
{
    return m->items.n == 0;
}

#endif

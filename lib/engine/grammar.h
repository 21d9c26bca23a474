/*
 * grammar: grammars of the door, over lib/text/grammar; and the tree of a tokenizer's bytes that
 * they share, which is made when the first of them is.
 *
 * Threads: as the door says. The tree's lock is held while it is made.
 */
#ifndef PX_ENGINE_GRAMMAR_H
#define PX_ENGINE_GRAMMAR_H

#include "engine/candidates.h"
#include "engine/model.h"
#include "text/grammar.h"

struct pith_grammar {
    px_grammar *grammar;
    const pith_tokenizer *tokenizer; // NULL: for matching texts only
};

/* Where a tokenizer keeps its tree. NULL when memory is out. */
struct px_tree_slot *px_tree_slot_new(pith_error *err);
void px_tree_slot_free(struct px_tree_slot *slot);

/* Drops the candidates that the grammar does not allow next. Errors: LIMIT, MEMORY, ARGUMENT (no
 * token of the vocabulary can go on). */
pith_status px_grammar_filter(px_gmatch *m, px_candidates *c, pith_error *err);

#endif

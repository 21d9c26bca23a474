/*
 * grammar_vocab: the bytes of all tokens as one tree, so that a grammar is asked once about a
 * beginning that many tokens share. Built once for a tokenizer; immutable; threads may share it.
 *
 * Nodes lie in the order of a walk that goes down first, siblings by byte: the nodes below i are
 * i + 1 .. next[i] - 1, so a walk is one loop that skips what is refused.
 *
 * Tokens that stand for bytes are in the tree, also parts of characters and bytes alone. Control,
 * unknown, unused and end tokens are not: they are no text.
 */
#ifndef PX_TEXT_GRAMMAR_VOCAB_H
#define PX_TEXT_GRAMMAR_VOCAB_H

#include "text/tokenizer.h"

typedef struct px_gvocab {
    const px_tokenizer *tok;
    int32_t n_vocab;
    uint32_t n_nodes;   // node 0 is the root
    uint8_t *byte;      // [n_nodes]
    uint16_t *depth;    // [n_nodes] bytes
    uint16_t *longest;  // [n_nodes] bytes of the longest token at or below it
    uint32_t *next;     // [n_nodes] first node behind those below
    uint32_t *first_id; // [n_nodes + 1] into ids
    int32_t *ids;       // tokens by node
    uint64_t *in_tree;  // bits [n_vocab]
    uint64_t *short_of; // bits [PX_GVOCAB_SHORT + 1][n_vocab]: tokens of at most so many bytes
    int32_t *ends;      // [n_ends]
    int32_t n_ends;
    uint32_t n_words; // 64 bit words of a set of tokens
} px_gvocab;

enum {
    PX_GVOCAB_SHORT = 32,
    PX_GVOCAB_LONGEST = 1024 // tokens of more bytes are left out of grammars
};

pith_status px_gvocab_new(const px_tokenizer *tok, px_gvocab **out, pith_error *err);
void px_gvocab_free(px_gvocab *v);

static inline bool px_gvocab_has_below(const px_gvocab *v, uint32_t node)
{
    return v->next[node] > node + 1;
}

#endif

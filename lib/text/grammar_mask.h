/*
 * grammar_mask: which tokens may come next, from what is computed once.
 *
 * What a state allows is asked about a state alone, with nothing known of what it returns to: a
 * walk of the vocabulary's tree (grammar_vocab) gives the tokens that stay inside its rule, and the
 * nodes of the tree at which the rule ends in the middle of a token. Those nodes, as a set, are
 * then asked about the state that is returned to, and so on: each answer (state, set of nodes) is
 * kept, so that the set for a place in a text is the union of a few kept ones, whatever its stack.
 *
 *   "} ,        state inside a string: `"`, then the node; state behind the string: `}`, the node;
 *               state behind the object: ` ,`
 *
 * Walks run on a deterministic machine that is made as they need it: sets of items over an unknown
 * base, with a row of successors by class of bytes. All of it is forgotten when it outgrows
 * PX_MAX_GRAMMAR_CACHE. The caller locks.
 */
#ifndef PX_TEXT_GRAMMAR_MASK_H
#define PX_TEXT_GRAMMAR_MASK_H

#include "text/grammar_set.h"
#include "text/grammar_vocab.h"

typedef struct px_gmask px_gmask;     // tokens that a state allows
typedef struct px_gconfig px_gconfig; // a state of the machine
typedef struct px_gpopset px_gpopset; // a set of nodes of the tree
typedef struct px_gplace px_gplace;

typedef struct px_gmasks {
    const px_gnet *net;
    const px_gvocab *vocab;
    px_gset set;
    px_gmask *masks;
    size_t cap_masks;
    px_gconfig *configs;
    size_t cap_configs;
    px_gpopset *popsets;
    size_t cap_popsets;
    uint32_t n_masks, n_configs, n_popsets;
    uint32_t *mask_table, *config_table; // + 1
    uint32_t mask_table_size, config_table_size;
    size_t bytes; // of masks, rows and sets
    /* scratch */
    uint64_t *bits;
    int32_t *ids; // [n_words] of bits, where they are few
    uint32_t n_ids;
    bool listed; // ids are those of bits, and perhaps more
    uint32_t *pops;
    size_t cap_pops;
    uint32_t n_pops;
    px_gplace *todo;
    size_t cap_todo;
    uint32_t *place_table; // of todo, + 1
    uint32_t place_table_size;
    px_gitems items;
    void *steps;
    size_t cap_steps;
} px_gmasks;

pith_status px_gmasks_init(px_gmasks *m, const px_gnet *net, const px_gvocab *vocab,
                           pith_error *err);
void px_gmasks_clear(px_gmasks *m);

/* The tokens that may follow where `items` stand, whose nodes are those of `set`: bits
 * [vocab->n_words]. End tokens are not among them. Errors: LIMIT, MEMORY. */
pith_status px_gmasks_get(px_gmasks *m, const px_gset *set, const px_gitems *items, uint64_t *bits,
                          pith_error *err);

#endif

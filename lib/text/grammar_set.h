/*
 * grammar_set: where in a grammar a text may stand: a set of items, each a state of the network
 * with a stack of the states to return to. A byte, or a special token, leads from set to set.
 *
 * Stacks are nodes of a graph without cycles: a node is a set of (state to return to, node below),
 * so that ways which differ only further down share what is above, and an ambiguous grammar costs
 * memory by its length, not by the number of its readings (the idea of Tomita's graph-structured
 * stack, 1985; the sets are Earley's, CACM 13(2), 1970). Equal nodes are one node, so stacks
 * compare by number. Items of one state are joined: their node is the union. A call in last place
 * pushes nothing.
 *
 * Items are kept before empty edges and calls are followed, after all returns that are due were
 * made. One thread; memory grows with the nodes made, until px_gset_compact.
 */
#ifndef PX_TEXT_GRAMMAR_SET_H
#define PX_TEXT_GRAMMAR_SET_H

#include "text/grammar_net.h"

enum {
    PX_GRET_END = 0xffffffff,  // to return to: the text is whole
    PX_GRET_BASE = 0xfffffffe, // what stands below is not known (masks)
    PX_GRET_TAIL = 0xfffffffd  // inside grammar_set: whatever the node says
};

typedef struct px_gitem {
    uint32_t state, node;
} px_gitem;

typedef struct px_gitems {
    px_gitem *items; // ascending by state, no state twice
    uint32_t n;
    size_t cap;
    bool whole; // PX_GRET_END or _BASE was returned to
} px_gitems;

/* A node: entries [first, first + n), ascending. Entries are items: state to return to, node below.
 */
typedef struct px_gnode {
    uint32_t first, n;
} px_gnode;

/* A way on from an item: an edge that reads something. */
typedef struct px_gmove {
    px_gedge edge;
    uint32_t node;
} px_gmove;

typedef struct px_gpending {
    px_gitem entry;
    uint32_t next; // + 1
} px_gpending;

typedef struct px_gset {
    const px_gnet *net;
    bool text; // edges for text count, tokens' do not
    px_gitem *entries;
    size_t cap_entries;
    px_gnode *nodes; // node 0 is never used
    size_t cap_nodes;
    uint32_t n_entries, n_nodes;
    uint32_t *table; // nodes by content, + 1
    uint32_t table_size;
    uint64_t work; // steps since the caller set it to 0
    uint64_t most_work;
    /* scratch */
    uint32_t *seen; // [n_states]
    uint32_t stamp;
    uint32_t *todo; // [n_states]
    px_gmove *moves;
    uint32_t n_moves;
    size_t cap_moves;
    uint32_t *heads;   // [n_rules] calls that wait, + 1
    uint64_t *waiting; // [n_rules bits] by rank
    px_gpending *pending;
    uint32_t n_pending;
    size_t cap_pending;
    px_gitem *scratch;
    size_t cap_scratch;
    px_gitems raw; // items before returns are made
    uint32_t *dup; // table of raw
    uint32_t dup_size;
} px_gset;

pith_status px_gset_init(px_gset *s, const px_gnet *net, bool text, pith_error *err);
void px_gset_clear(px_gset *s);
/* Forgets all nodes. */
void px_gset_reset(px_gset *s);

/* The node of n entries in any order, each once or more; 0 when memory is out. */
uint32_t px_gset_node(px_gset *s, px_gitem *entries, uint32_t n);

/* A single item, with the returns that are due. */
pith_status px_gset_begin(px_gset *s, px_gitem item, px_gitems *out, pith_error *err);

/* All ways on from a set, in s->moves. */
pith_status px_gset_expand(px_gset *s, const px_gitems *in, pith_error *err);

/* Makes returns that are due, joins items of one state. in: s->raw. */
pith_status px_gset_settle(px_gset *s, px_gitems *out, pith_error *err);
/* Adds an item to s->raw. */
bool px_gset_put(px_gset *s, uint32_t state, uint32_t node);

/* Expand, follow one byte (0 to 255) or symbol (256 + i), settle. out may be in. */
pith_status px_gset_step(px_gset *s, const px_gitems *in, uint32_t input, px_gitems *out,
                         pith_error *err);

/* Forgets the nodes that the items do not need. */
pith_status px_gset_compact(px_gset *s, px_gitems *items, pith_error *err);

bool px_gitems_copy(px_gitems *to, const px_gitems *from);
void px_gitems_clear(px_gitems *items);

#endif

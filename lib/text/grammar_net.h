/*
 * grammar_net: a grammar as a network: for each rule an automaton over bytes whose edges may also
 * call a rule, read a special token, or be empty.
 *
 *   rule a ::= "x" b | ""       start --x--> s --call b--> end        start --empty--> end
 *
 * Only states from which an end can be reached remain, so whatever has begun can be finished. No
 * rule can come back to its own beginning without reading something (left recursion is refused),
 * so rules have a rank: what a rule begins with ranks behind it. Immutable once built; threads may
 * share it.
 *
 * A character set becomes edges over UTF-8 bytes; surrogates are no characters. A counted
 * repetition is a chain of states. Far from its ends such a chain looks like an endless loop to a
 * token of few bytes: `stand_in` is the state of that loop, `safe` the bytes for which it may be
 * asked instead.
 */
#ifndef PX_TEXT_GRAMMAR_NET_H
#define PX_TEXT_GRAMMAR_NET_H

#include "text/grammar_expr.h"

typedef enum px_gedge_kind {
    PX_GEDGE_BYTE,  // lo to hi
    PX_GEDGE_EMPTY, // nothing
    PX_GEDGE_CALL,  // rule `what`
    PX_GEDGE_TOKEN  // symbol `what`
} px_gedge_kind;

typedef struct px_gedge {
    uint8_t kind;
    uint8_t lo, hi;
    bool text_only; // part of a special token's text: not for tokens, only for pith_grammar_match
    uint32_t to;
    uint32_t what;
} px_gedge;

enum {
    PX_GSTATE_ACCEPT = 1, // the rule may end here
    PX_GSTATE_LAST = 2    // and must
};

typedef struct px_gnet {
    uint32_t n_states, n_edges, n_rules;
    uint32_t *first; // [n_states + 1] index of a state's first edge
    px_gedge *edges;
    uint8_t *flags;        // [n_states] PX_GSTATE_*
    uint32_t *stand_in;    // [n_states] or the state itself
    uint32_t *safe;        // [n_states]
    uint32_t *start;       // [n_rules]
    uint32_t *rank;        // [n_rules]
    uint32_t *by_rank;     // [n_rules]
    bool *empty;           // [n_rules] matches the empty text
    uint32_t root;         // rule
    uint8_t class_of[256]; // bytes that no edge tells apart
    uint32_t n_classes;
    int32_t *symbols; // [n_symbols] token ids
    uint32_t n_symbols;
} px_gnet;

/* Builds the network of rule `root`. name is for messages. Errors: FORMAT (left recursion, with the
 * rule; nothing matches), LIMIT, MEMORY. */
pith_status px_gnet_build(px_grules *g, uint32_t root, const char *name, px_gnet *out,
                          pith_error *err);
void px_gnet_clear(px_gnet *net);

#endif

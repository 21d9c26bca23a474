/*
 * grammar_expr: a grammar under construction: rules, and expressions that they are made of. The
 * readers of GBNF, of regular expressions and of JSON schemas write it, grammar_net turns it into a
 * network.
 *
 * Expressions are never changed once made, so one may stand in many places. All memory is the
 * arena's. Makers take NULL (a maker before them had no memory) and then give NULL: only
 * px_grules_status tells, at the end. One thread.
 */
#ifndef PX_TEXT_GRAMMAR_EXPR_H
#define PX_TEXT_GRAMMAR_EXPR_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "text/tokenizer.h"

#include <stdint.h>

typedef enum px_gexpr_kind {
    PX_GEXPR_BYTES,  // text
    PX_GEXPR_CHARS,  // one character of ranges
    PX_GEXPR_SEQ,    // items, one after the other; none: the empty text
    PX_GEXPR_ALT,    // one of items; none: nothing matches
    PX_GEXPR_REPEAT, // items[0], min to max times
    PX_GEXPR_RULE,
    PX_GEXPR_TOKEN, // the special token `symbol`, whose text is `text`
    PX_GEXPR_UNTIL, // any bytes in which none of the words occurs
    PX_GEXPR_WORDS, // one of the words
    PX_GEXPR_DFA,   // characters, by a table
    PX_GEXPR_LADDER // items in order, with commas, some of them left out
} px_gexpr_kind;

#define PX_GRAMMAR_MANY UINT32_MAX // of REPEAT: no end

/* Characters from lo to hi, both included. */
typedef struct px_grange {
    uint32_t lo, hi;
} px_grange;

/* An edge of a DFA of characters. */
typedef struct px_gdfa_edge {
    uint32_t from, to;
    px_grange range;
} px_gdfa_edge;

typedef struct px_gexpr px_gexpr;
struct px_gexpr {
    px_gexpr_kind kind;
    bool json;         // CHARS, DFA: characters as a JSON string holds them, escaped
    uint32_t n;        // items, ranges, words or edges
    uint32_t rule;     // RULE
    uint32_t symbol;   // TOKEN: index into px_grules.symbols
    uint32_t min, max; // REPEAT
    uint32_t n_states; // DFA: state 0 is the first
    px_str text;       // BYTES, TOKEN
    const px_gexpr **items;
    const px_grange *ranges; // ascending, apart
    const px_str *words;
    const px_gdfa_edge *edges; // ascending by from
    const bool *accepts;       // DFA [n_states]; LADDER [n - 2]: this item must be there
};

typedef struct px_grule {
    px_str name;          // for messages
    const px_gexpr *body; // NULL: not defined yet
} px_grule;

typedef struct px_grules {
    px_arena arena;
    px_grule *rules;
    uint32_t n_rules, cap_rules;
    int32_t *symbols; // ids of special tokens that the grammar names
    uint32_t n_symbols, cap_symbols;
    const px_tokenizer *tok; // or NULL: no token is special
    bool failed;             // memory ran out
} px_grules;

void px_grules_init(px_grules *g, const px_tokenizer *tok);
void px_grules_clear(px_grules *g);
/* PITH_OK, or MEMORY or LIMIT when a maker failed. */
pith_status px_grules_status(const px_grules *g, pith_error *err);

/* A new rule without body; its number, or UINT32_MAX when memory is out. The name is copied. */
uint32_t px_grules_add(px_grules *g, px_str name);
/* The special or added token with exactly this text, as a symbol; -1 when there is none. */
int64_t px_grules_symbol(px_grules *g, px_str text);

const px_gexpr *px_gexpr_bytes(px_grules *g, px_str text); // copied
const px_gexpr *px_gexpr_text(px_grules *g, const char *text);
/* Ranges in any order, which may overlap; inverted: all other characters. */
const px_gexpr *px_gexpr_chars(px_grules *g, const px_grange *ranges, uint32_t n, bool inverted,
                               bool json);
const px_gexpr *px_gexpr_seq(px_grules *g, const px_gexpr *const *items, uint32_t n);
const px_gexpr *px_gexpr_alt(px_grules *g, const px_gexpr *const *items, uint32_t n);
const px_gexpr *px_gexpr_repeat(px_grules *g, const px_gexpr *item, uint32_t min, uint32_t max);
const px_gexpr *px_gexpr_rule(px_grules *g, uint32_t rule);
/* The token with this text; where the vocabulary has none, its bytes. */
const px_gexpr *px_gexpr_token(px_grules *g, px_str text);
const px_gexpr *px_gexpr_until(px_grules *g, const px_str *words, uint32_t n); // words are copied
const px_gexpr *px_gexpr_words(px_grules *g, const px_str *words, uint32_t n); // words are copied

typedef struct px_gexprs px_gexprs;
/* The rungs in order, each left out unless must[i], `,` between them; then `none` when all were
 * left out, else `some`. must [rungs->n] is lent by the arena. */
const px_gexpr *px_gexpr_ladder(px_grules *g, const px_gexprs *rungs, const bool *must,
                                const px_gexpr *none, const px_gexpr *some);

/* A list of expressions that grows, in the arena. */
struct px_gexprs {
    const px_gexpr **items;
    uint32_t n, cap;
};
void px_gexprs_put(px_grules *g, px_gexprs *list, const px_gexpr *x);

/* A rule that begins with itself, A ::= A x | y, becomes A ::= y x*, which means the same. */
void px_grules_unroll_left(px_grules *g);

#endif

/*
 * grammar_dfa: deterministic automata of characters, for what expressions cannot say: texts that
 * are of two languages at once, or not of one. Schemas need it for a pattern with a length, for
 * keys that are not those of the properties, for numbers that are multiples and in a range.
 *
 * Rabin and Scott's subset construction and product ("Finite automata and their decision problems",
 * 1959); states from which nothing can be accepted are dropped. Memory is the rules' arena; more
 * than PX_GDFA_STATES states are LIMIT. Functions take NULL and then give NULL: the first failure
 * is in *st.
 */
#ifndef PX_TEXT_GRAMMAR_DFA_H
#define PX_TEXT_GRAMMAR_DFA_H

#include "text/grammar_expr.h"

enum { PX_GDFA_STATES = 20000, PX_GDFA_EDGES = 400000 };

typedef struct px_gdfa {
    uint32_t n_states, n_edges; // state 0 is the first; no states: nothing is accepted
    px_gdfa_edge *edges;        // ascending by from, then by range; ranges of a state are apart
    uint32_t *first;            // [n_states + 1]
    bool *accepts;              // [n_states]
} px_gdfa;

/* Where failures go; the caller says where they happened. */
typedef struct px_gdfa_maker {
    px_grules *g;
    pith_status st;
    pith_error *err;
} px_gdfa_maker;

/* Of an expression of characters, texts, sequences, alternatives and repetitions. */
const px_gdfa *px_gdfa_of(px_gdfa_maker *m, const px_gexpr *x);
const px_gdfa *px_gdfa_and(px_gdfa_maker *m, const px_gdfa *a, const px_gdfa *b);
/* Texts of min to max characters. */
const px_gdfa *px_gdfa_lengths(px_gdfa_maker *m, uint32_t min, uint32_t max);
/* All texts but these words. */
const px_gdfa *px_gdfa_but(px_gdfa_maker *m, const px_str *words, uint32_t n);
/* What a does not accept. */
const px_gdfa *px_gdfa_not(px_gdfa_maker *m, const px_gdfa *a);

bool px_gdfa_accepts(const px_gdfa *d, px_str text);
/* json: its characters are written as in a JSON string. */
const px_gexpr *px_gdfa_expr(px_gdfa_maker *m, const px_gdfa *d, bool json);

#endif

/*
 * grammar_build: expressions to states and edges, before the network is put in order
 * (grammar_net.c). One thread.
 */
#ifndef PX_TEXT_GRAMMAR_BUILD_H
#define PX_TEXT_GRAMMAR_BUILD_H

#include "text/grammar_net.h"

/* An edge with where it begins. */
typedef struct px_gdraft_edge {
    uint32_t from;
    px_gedge edge;
} px_gdraft_edge;

/* A state of a counted repetition. */
typedef struct px_gchain {
    uint32_t state, stand_in, safe;
} px_gchain;

typedef struct px_gbuild {
    px_grules *rules;
    const char *name;
    px_gdraft_edge *edges;
    uint32_t n_edges, n_states;
    size_t cap_edges;
    px_gchain *chains;
    uint32_t n_chains;
    size_t cap_chains;
    uint32_t *loops; // states of loops without end, which only stand in for others
    uint32_t n_loops;
    size_t cap_loops;
    pith_status status; // the first failure
    pith_error *err;
} px_gbuild;

uint32_t px_gbuild_state(px_gbuild *b);
void px_gbuild_edge(px_gbuild *b, uint32_t from, px_gedge edge);
/* Edges from `from` to `to` that read what x says. Adds none into from and none out of to. */
void px_gbuild_expr(px_gbuild *b, const px_gexpr *x, uint32_t from, uint32_t to);
void px_gbuild_clear(px_gbuild *b);

/* Room for n elements of a list on the heap. */
bool px_gvec_room(void *list, size_t *cap, size_t n, size_t size);

/* The edges of one character of the ranges (grammar_chars.c). */
void px_gbuild_chars(px_gbuild *b, const px_grange *ranges, uint32_t n, bool json, uint32_t from,
                     uint32_t to);
/* The automaton of UNTIL (grammar_until.c). */
void px_gbuild_until(px_gbuild *b, const px_str *words, uint32_t n, uint32_t from, uint32_t to);

#endif

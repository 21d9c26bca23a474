/*
 * pack: the examples of one update as passes: several side by side in each, as many as fit, longest
 * first into the fullest pass that has room (best fit decreasing). Every example is a segment of
 * its own, so nothing leaks.
 *
 * A unit is what must lie in one pass: an example; the two of a pair; with KTO an example and its
 * prompt with the answer of the next one in the file, which estimates how far the model has moved.
 */
#ifndef PX_TRAIN_PACK_H
#define PX_TRAIN_PACK_H

#include "train/examples.h"
#include "train/tape.h"

typedef struct px_pack_pass {
    px_packed batch;
    int32_t first_unit, n_units; // of px_pack.order
    int32_t n_learned;
} px_pack_pass;

typedef struct px_pack {
    const px_examples *e;
    int32_t most_units, most_tokens; // of an update
    int32_t capacity;                // tokens of a pass
    int32_t *ids, *targets;          // [most_tokens]
    px_segment *segs;                // [most_units * 2]
    px_pack_pass *passes;            // [most_units]
    int32_t n_passes;
    int64_t *order; // [most_units] units, pass after pass
    int64_t *given; // [most_units] of px_pack_range
    int32_t *sizes, *bins, *sorted, *room;
    px_arena arena;
    int64_t n_tokens, n_learned; // of the update
} px_pack;

/* Units of the examples. */
int64_t px_pack_units(const px_examples *e);
/* Segments of a unit. */
int px_pack_segments(const px_examples *e);
/* Tokens of a unit, and of the longest one. */
int32_t px_pack_unit_tokens(const px_examples *e, int64_t unit);
int32_t px_pack_longest(const px_examples *e);

/* For updates of up to most_units units and passes of up to `capacity` tokens, into which each unit
 * must fit. e is lent. Errors: MEMORY. */
pith_status px_pack_init(px_pack *p, const px_examples *e, int32_t most_units, int32_t capacity,
                         pith_error *err);
void px_pack_clear(px_pack *p);

/* Lays out one update. Takes nothing from the heap. */
void px_pack_make(px_pack *p, const int64_t *units, int32_t n);
/* Units [first, first + n). */
void px_pack_range(px_pack *p, int64_t first, int32_t n);

#endif

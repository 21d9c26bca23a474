/* jinja_loop: the variable `loop` of a for loop: where it stands, one item of look-ahead. */
#ifndef PX_TEXT_JINJA_LOOP_H
#define PX_TEXT_JINJA_LOOP_H

#include "text/jinja_value.h"

struct jfor;
struct jframe;

struct jloop {
    jv iterable;
    jiter *it;
    jv ahead, current, before; // MISSING where there is none
    jv changed;                // what loop.changed() was last called with
    int64_t index0;            // -1 before the first item
    int64_t length;            // -1: not asked yet
    int64_t depth0;
    const struct jfor *node; // of a recursive loop, with its frame; else NULL
    struct jframe *frame;
};

/* The next item, and the loop moved to it: 1, 0 at the end, -1. */
int px_jloop_next(jrun *run, jloop *loop, jv *out);
/* Items in all; -2 after a failure. */
int64_t px_jloop_length(jrun *run, jloop *loop);
/* loop.NAME: 1, 0 when there is none of this name, -1. */
int px_jloop_member(jrun *run, jloop *loop, const jstr *name, jv *out);

#endif

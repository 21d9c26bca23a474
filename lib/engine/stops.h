/*
 * stops: finding strings in a text that arrives in pieces.
 *
 * A matcher walks the text byte by byte and tells where a pattern ends; it knows for each pattern
 * how much of its beginning stands at the end of the text so far (Knuth, Morris, Pratt 1977), so a
 * match may span any number of pieces. Cost: O(bytes of text * patterns).
 *
 * Stops use it to end an answer: text passes through and comes out as soon as it cannot belong to
 * a stop string any more; the longest end of it that may still begin one is held back.
 *
 *   text so far   | shown already | may be shown now | begins a stop string |
 *                                  ^ out              ^ held back
 *
 * Which match counts does not depend on how the text was cut into pieces: the one that ends first,
 * of several that end together the longest. What stands before it is shown, nothing of it and
 * nothing behind it.
 *
 * One thread at a time.
 */
#ifndef PX_ENGINE_STOPS_H
#define PX_ENGINE_STOPS_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Caps on what one request may ask for. */
#define PX_MAX_STOPS      256
#define PX_MAX_STOP_BYTES 65536 // of all its stop strings together

typedef struct px_matcher {
    int32_t n;
    px_str *patterns; // copies, none empty
    uint32_t **fails; // of pattern i: fails[i][k] bytes of it end its first k bytes, k > 0
    uint32_t *seen;   // bytes of pattern i that end the text so far
    void *block;      // all of the above
} px_matcher;

/* Copies the patterns. n 0 is fine: such a matcher finds nothing. `what` names them in messages
 * ("stop string"). Errors: ARGUMENT (an empty one, too many), MEMORY. */
pith_status px_matcher_init(px_matcher *m, const pith_str *patterns, int32_t n, const char *what,
                            pith_error *err);
void px_matcher_clear(px_matcher *m);
/* Forgets the text. */
void px_matcher_reset(px_matcher *m);
/* One more byte. Returns the longest pattern that ends with it, or -1. */
int32_t px_matcher_step(px_matcher *m, uint8_t byte);
/* Most bytes at the end of the text that begin a pattern. */
size_t px_matcher_open(const px_matcher *m);
/* Whether a pattern lies whole inside text; leaves the matcher as it is. */
bool px_matcher_inside(const px_matcher *m, const char *text, size_t len);

typedef struct px_stops {
    px_matcher matcher;
    char *held;     // [cap] text that has not come out
    size_t n_held;  // bytes of it
    size_t n_shown; // of these, at the beginning, came out with the last call
    size_t cap;
} px_stops;

/* most_bytes: of one piece. Stop strings must be valid UTF-8, so that text is never cut inside a
 * character. Errors as px_matcher_init. After it, nothing is taken from the heap. */
pith_status px_stops_init(px_stops *s, const pith_str *stops, int32_t n, size_t most_bytes,
                          pith_error *err);
void px_stops_clear(px_stops *s);

/* The next piece, len at most most_bytes. *out is what may be shown now, lent until the next call.
 * Returns the stop string that appeared, or -1; after one, nothing may be pushed. */
int32_t px_stops_push(px_stops *s, const char *text, size_t len, px_str *out);

/* The text ends here: what was held back. */
px_str px_stops_flush(px_stops *s);

#endif

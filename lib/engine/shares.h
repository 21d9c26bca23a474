/*
 * shares: how much each key (pith_request.key) has had of the engine, for those that have answers
 * in flight. Whoever has had least is served first where not all can be; nobody's credit grows
 * without end: who wanted little for long is at most PX_SHARE_CREDIT tokens ahead of the others.
 *
 * A key is known while it has answers in flight; one that comes begins with the least of those that
 * are there.
 */
#ifndef PX_ENGINE_SHARES_H
#define PX_ENGINE_SHARES_H

#include <stdint.h>

enum { PX_SHARE_CREDIT = 512 };

typedef struct px_share {
    uint64_t key;
    uint64_t used; // tokens, counted from where the others were when it came
    int32_t n;     // answers in flight; 0: the place is free
} px_share;

typedef struct px_shares {
    px_share *items; // [most]
    int32_t most;
} px_shares;

/* An answer of the key begins: its place, to be given back. There is room for `most`. */
int32_t px_shares_join(px_shares *s, uint64_t key);
void px_shares_leave(px_shares *s, int32_t place);

/* Tokens were computed for it. */
void px_shares_charge(px_shares *s, int32_t place, int64_t n_tokens);

/* Ends the step: brings those that are too far behind nearer. */
void px_shares_level(px_shares *s);

#endif

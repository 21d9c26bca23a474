/*
 * session: one sequence of tokens in an engine, with the part of it that is computed:
 *
 *   tokens   | t0 t1 ... | ... tn-1 |
 *              computed    pending: listed, their keys and values not in the cache yet
 *
 * A token that was chosen last is pending until the next one is wanted. All sessions belong to the
 * engine's thread; `cancel` alone may be set from anywhere.
 */
#ifndef PX_ENGINE_SESSION_H
#define PX_ENGINE_SESSION_H

#include "engine/engine.h"

struct pith_session {
    pith_engine *engine;
    px_kv_seq seq;    // seq.n_tokens of the tokens are computed
    int32_t *tokens;  // [n_ctx + 1]
    int64_t n_tokens; // computed and pending
    pith_overflow overflow;
    int32_t n_keep;
    uint64_t adapter_key; // hash of what is in its adapters and their scales, the same from run to
                          // run; 0: none. Sessions of different keys share no pages
    int64_t n_noted;      // whole pages that the cache of prefixes has been told of
    bool secluded;        // shares no pages with sessions that it is not forked from
    pith_session *draft;  // the draft model's, following this one; made when first needed
    pith_answer *answer;  // that is being written on it, or NULL
    px_lora_use *loras;   // its adapters
    int32_t n_loras;
    void *embedding;     // that pith_generate gave last: a block of its answer, or NULL
    volatile int cancel; // by px_cancel_* only
};

/* Adapters of a model as the decoder takes them, without those of scale 0: [n] into out. Errors: as
 * px_session_adapt. */
pith_status px_adapter_uses(const pith_model *model, const pith_adapter_use *uses, int32_t n,
                            px_lora_use *out, int32_t *n_out, pith_error *err);

/* Gives a new session its adapters: adapter.c. Errors: ARGUMENT, MISMATCH (of another model),
 * LIMIT, MEMORY. */
pith_status px_session_adapt(pith_session *s, const pith_adapter_use *uses, int32_t n,
                             pith_error *err);
/* Those of another session of the engine. */
pith_status px_session_adapt_as(pith_session *s, const pith_session *other, pith_error *err);

/* Marks the engine as inside a call. Errors: BUSY when it is (a callback called back). Every begin
 * that succeeds needs its end. */
pith_status px_engine_begin(pith_engine *e, pith_error *err);
void px_engine_end(pith_engine *e);

/* The same for a call with one session, which must not have an answer in flight; the end also
 * forgets a cancel that came during the call.
 */
pith_status px_session_begin(pith_session *s, pith_error *err);
void px_session_end(pith_session *s);

bool px_session_cancelled(const pith_session *s);
void px_session_forget_cancel(pith_session *s);

/* What became of tokens that were handed to a session. */
typedef struct px_placed {
    int64_t n_reused;  // found computed
    int64_t n_dropped; // by the overflow policy
} px_placed;

/* How tokens are to be placed. */
typedef struct px_placing {
    int64_t most_reused; // no more than these may count as computed; negative: but so many at the
                         // end
    int64_t room;        // TRUNCATE leaves so many free where it has to cut
    bool alone;          // what other sessions have computed is not used
} px_placing;

/* Lists these tokens in the session, cut as its overflow policy says, and keeps what is computed
 * of their beginning. Errors: ARGUMENT (an id out of range), CONTEXT. On failure the session is as
 * it was. */
pith_status px_session_place(pith_session *s, const int32_t *tokens, int64_t n,
                             const px_placing *how, px_placed *placed, pith_error *err);

/* Tells the cache of prefixes of whole pages that have come to be since the last time. */
void px_session_note(pith_session *s);

/* Tells it of all that is computed, before that is forgotten or written over. */
void px_session_leave(pith_session *s);

/* Looks there for pages of the listed tokens, no more than `most` tokens counted from the first.
 * Returns how many more are computed now. */
int64_t px_session_look_up(pith_session *s, int64_t most);

/* Forgets all that is computed, which the cache of prefixes keeps as long as it can; the tokens
 * stay listed. */
void px_session_pause(pith_session *s);

/* Appends one pending token; the last one must be computed. */
void px_session_append(pith_session *s, int32_t token);

/* Makes room for computing a pending token behind a full context, as SHIFT says: forgets half of
 * what is behind n_keep. Returns how many tokens were forgotten. */
int64_t px_session_shift(pith_session *s);

/* Computes the listed tokens before index `end`. The last n_logits of them, which must be pending,
 * give rows of logits. Errors: CANCELLED, MEMORY, NUMERIC; a beginning of the tokens is then
 * computed and the rest pending. Takes nothing from the heap. */
pith_status px_session_compute(pith_session *s, int64_t end, int32_t n_logits, const float **logits,
                               pith_error *err);

/* Forgets pending tokens. */
void px_session_drop_pending(pith_session *s);

/* Seconds on a clock that only goes forward. */
double px_now(void);

#endif

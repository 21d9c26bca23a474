/*
 * answer: a request being answered on a session: what it needs beside the session, and the way from
 * a row of logits to an event. When rows come, and for whom together, is batch's business.
 *
 *   logits -> bias, hook, grammar -> sampler -> token -> bytes -> whole characters -> stop strings
 * -> event
 *
 * What a request needs is made by px_answer_init; from there to the end nothing is taken from the
 * heap, but by callbacks (and px_heap_forbid proves it in fault builds). Engine's thread.
 */
#ifndef PX_ENGINE_ANSWER_H
#define PX_ENGINE_ANSWER_H

#include "engine/grammar.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "engine/stops.h"

enum { PX_MOST_TOP = 100 };

struct pith_answer {
    pith_session *session; // NULL: freed while the answer was in flight
    pith_request request;  // its lists are not looked at after px_answer_init
    pith_result result;
    const pith_tokenizer *tokenizer; // or NULL
    px_sampler sampler;
    px_stops stops;
    px_detok detok;
    px_buf piece; // text of one token
    pith_logprob top[PX_MOST_TOP];
    double *sum; // [C] of the hidden states that are pooled, and behind it the result [C] f32; or
                 // NULL
    px_guesser guesser;
    px_gmatch match; // where the answer stands in request.grammar
    bool has_match;
    uint64_t number; // of the engine's answers, in the order in which they came
    int32_t share;   // the place of its key in the engine's shares
    int64_t n_told;  // tokens of the context whose events were told
    px_detok context_detok;
    double start; // times of px_now
    double first; // when the context was computed; 0: it is not yet
    double until; // deadline, 0: none
    bool done;    // result.finish or status is decided
    bool settled; // px_answer_settle was called
    bool served;  // by the last step: batch.c
    bool entered; // it may take pages: plan.c
    bool looked;  // at, for the step that is being planned
    bool planned; // it has a part in it
    bool chosen;  // its token was chosen beside others': choice, and status and error of choosing
    int32_t choice;
    pith_status choice_status;
    pith_error choice_error;
    bool ranked; // log_sum and top are those of the row at hand
    double log_sum;
    pith_status status;
    pith_error error;
};

/* Checks the request, makes what it needs and lists its context in the session, which then is the
 * answer's until px_answer_settle. The engine is inside a call. On failure the session is as it was
 * and nothing is left to clear, but a->result is filled. Errors: as pith_generate before it
 * computes. */
pith_status px_answer_init(pith_answer *a, pith_session *session, const pith_request *request,
                           pith_error *err);
void px_answer_clear(pith_answer *a);

/* Before a step: ends the answer where it was cancelled, is late or has nothing left to compute,
 * and makes room in a full context as its session's policy says. */
void px_answer_look(pith_answer *a);

/* Tokens that are listed and not computed; at least 1 after px_answer_look unless done. */
int64_t px_answer_pending(const pith_answer *a);

/* Whether the context is still being computed, for the first time or, after a shift, again. */
bool px_answer_reads(const pith_answer *a);

/* No more of the context's tokens than these may be found computed. */
int64_t px_answer_most_reused(const pith_answer *a);

/* Looks in the cache again for what others have computed since. */
void px_answer_look_up(pith_answer *a);

/* Gives its pages up, to go on later: its tokens are then computed again. */
void px_answer_pause(pith_answer *a);

/* Whether events of its context's tokens are still to be told, for which rows of logits are needed;
 * and of how many tokens from the first that is not computed they are not. */
bool px_answer_tells(const pith_answer *a);
int64_t px_answer_told(const pith_answer *a);

/* Tells the tokens that follow those at [first, first + n), whose rows of logits these are. */
void px_answer_tell(pith_answer *a, const float *rows, int64_t first, int64_t n);

/* Has the chunk, the next of the context, pool what the request asks for. */
void px_answer_pool(pith_answer *a, px_chunk *chunk);

/* Chooses the token that px_answer_write then tells, with candidates of the caller's: the one part
 * of an answer that may run beside others', on another thread. Not for answers whose choice calls
 * back or follows a grammar: px_answer_may_prepare. */
bool px_answer_may_prepare(const pith_answer *a);
void px_answer_prepare(pith_answer *a, px_candidates *c, const float *logits);

/* Chooses, lists and tells one token. *token: which, -1 when the hook ended the answer. Failures
 * end the answer. */
void px_answer_write(pith_answer *a, const float *logits, int32_t *token);

/* How many guesses behind the last token could be used at all. */
int32_t px_answer_most_draft(const pith_answer *a);

/* All of its context is computed and no logits are wanted, or the first row of them is there. */
void px_answer_read(pith_answer *a);

/* Ends the answer by how it finished, or by a failure, unless it has ended. */
void px_answer_finish(pith_answer *a, pith_finish how);
void px_answer_fail(pith_answer *a, pith_status status, const pith_error *error);

/* After the end, once: tells text that was held back, closes the times, gives the session back. */
void px_answer_settle(pith_answer *a);

/* Ends an answer in flight without a word, as its session or itself is about to go. */
void px_answer_abandon(pith_answer *a);

#endif

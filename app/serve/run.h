/*
 * run: one choice of a job while the engine writes it: its session, the events that become pieces
 * of the answer, and its end. The engine thread's.
 */
#ifndef PITH_SERVE_RUN_H
#define PITH_SERVE_RUN_H

#include "serve/metrics.h"
#include "serve/models.h"

struct serve_run {
    serve_job *job;
    serve_metrics *metrics;
    int index; // of the choice
    pith_session *session;
    pith_answer *answer;       // NULL before and after it is in flight
    pith_reply *reply;         // of a chat: what its text means
    pith_part_kind part;       // the last one
    bool started, ready, done; // ready: its context is computed
    double submitted, last;    // serve_now()
    int32_t n_events;
    int64_t n_prompt;  // tokens of the context that was submitted
    int32_t *cut;      // it, where it was shortened; while starting
    int n_told;        // log-probabilities that the dialect was told of
    int64_t n_thought; // tokens of reasoning
    int32_t
        close[64]; // what ends the reasoning, once its budget is spent; from token close_from on
    int n_close;
    int64_t close_from;
    pith_speculation speculation;
};

/* Puts the choice in flight. False with job->problem. `base` (may be NULL) is a run of the same
 * input whose context is computed: it is shared. */
bool serve_run_start(serve_run *run, serve_run *base);
/* Scores the documents of a RERANK job in one go: answers in flight go on meanwhile, others wait.
 * False with job->problem. on_tick may end it. */
bool serve_run_rerank(serve_job *job, pith_progress_fn on_tick, void *user);
/* Looks whether the answer has ended; if so fills the choice and tells the dialect. False with
 * job->problem when it failed. */
bool serve_run_poll(serve_run *run);
/* Ends it without another word. */
void serve_run_drop(serve_run *run);

/* Tells the dialect, when the job streams. False when the client has gone. */
bool serve_job_tell(serve_job *job, const serve_event *event);

#endif

/*
 * runner: the one thread that decides. It takes jobs from a queue, makes and frees engines, puts
 * choices in flight, runs a step of every engine that has some, and hears who has hung up.
 *
 * Jobs wait in order of arrival; of those whose model has room, the client (API key) with the
 * fewest answers in flight comes first.
 */
#ifndef PITH_SERVE_RUNNER_H
#define PITH_SERVE_RUNNER_H

#include "serve/metrics.h"
#include "serve/models.h"

typedef struct serve_runner serve_runner;

typedef struct serve_runner_options {
    int parallel;   // answers in flight of one model
    int max_models; // engines at once
    int max_queue;  // jobs that wait
    int64_t n_ctx;  // 0: the trained one
    int32_t n_threads, n_batch;
    const char *cpu, *k_type, *v_type;
    uint64_t kv_bytes;  // of one engine; 0: half of what is free
    const char *kv_dir; // of all engines, or NULL
    uint64_t kv_dir_bytes;
    pith_speculation speculation; // of all answers
} serve_runner_options;

/* Starts the thread. */
serve_runner *serve_runner_new(serve_models *models, serve_metrics *metrics,
                               const serve_runner_options *options, pith_error *err);

/* Hands a job over, with one ownership of it; false with a problem (503) when the queue is full or
 * the server stops. `fd` is the connection's socket, watched for the client hanging up until
 * serve_runner_forget. */
bool serve_runner_submit(serve_runner *runner, serve_job *job, int fd, serve_problem *problem);
void serve_runner_forget(serve_runner *runner, int fd);
/* Looks again soon: somebody left. */
void serve_runner_wake(serve_runner *runner);

/* Jobs that wait or run. */
int serve_runner_count(serve_runner *runner);

/* Takes no more jobs; what is left after `seconds` is cancelled. */
void serve_runner_drain(serve_runner *runner, double seconds);
/* Ends the thread, cancels what is left, closes all engines; submitting is refused from then on.
 * NULL is fine. */
void serve_runner_end(serve_runner *runner);
/* Ends it if need be, and frees it. */
void serve_runner_free(serve_runner *runner);

#endif

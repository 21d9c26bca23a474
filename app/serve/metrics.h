/*
 * metrics: what the server counts, and its text for Prometheus (exposition format 0.0.4). Any
 * thread; one lock, taken for a few instructions.
 */
#ifndef PITH_SERVE_METRICS_H
#define PITH_SERVE_METRICS_H

#include "serve/models.h"

enum { SERVE_MAX_BOUNDS = 16 };

/* Counts of values up to each bound. */
typedef struct serve_histogram {
    uint64_t counts[SERVE_MAX_BOUNDS + 1];
    uint64_t n;
    double sum;
} serve_histogram;

typedef struct serve_metrics serve_metrics;

serve_metrics *serve_metrics_new(void);
void serve_metrics_free(serve_metrics *metrics);

/* An HTTP request was answered. */
void serve_metrics_request(serve_metrics *metrics, const char *route, int http, double seconds);
/* What the engine thread sees. Models are told apart by name. */
void serve_metrics_first_token(serve_metrics *metrics, const serve_model *model, double seconds);
void serve_metrics_token(serve_metrics *metrics, const serve_model *model, double seconds);
void serve_metrics_answer(serve_metrics *metrics, const serve_model *model,
                          const serve_choice *choice);
void serve_metrics_step(serve_metrics *metrics, const serve_model *model, int n_answers);
typedef enum serve_counter {
    SERVE_COUNT_CANCELLED, // clients that left before their answer was complete
    SERVE_COUNT_SLOW,      // readers that were too slow
    SERVE_COUNT_REFUSED,   // 503 as the queue was full
    SERVE_COUNT_LIMITED,   // 429
    SERVE_COUNT_FAILED,    // answers that failed
    SERVE_COUNT_LOADS,     // engines made
    SERVE_N_COUNTERS
} serve_counter;
void serve_metrics_count(serve_metrics *metrics, serve_counter counter);
/* Gauges of the engine thread. */
void serve_metrics_queue(serve_metrics *metrics, int n_waiting, int n_running);
void serve_metrics_connections(serve_metrics *metrics, int change);

void serve_metrics_write(serve_metrics *metrics, serve_models *models, px_buf *out);

#endif

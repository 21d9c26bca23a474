/* metrics: see metrics.h. */
#include "serve/metrics.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MODELS = 64, MAX_ROWS = 256 };

static const double SECONDS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                 0.5,   1,      2.5,   5,    10,    25,   60,  120};
static const double SIZES[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};

typedef struct model_row {
    const serve_model *model;
    uint64_t prompt, cached, generated, answers, steps;
    double prompt_seconds, decode_seconds;
    serve_histogram first, token, batch;
} model_row;

typedef struct request_row {
    const char *route; // static: of the table of routes
    int http;
    uint64_t n;
} request_row;

struct serve_metrics {
    pthread_mutex_t lock; // guards all below; no lock is taken inside it
    request_row requests[MAX_ROWS];
    int n_requests;
    uint64_t n_other; // requests that found no row
    serve_histogram seconds;
    model_row models[MAX_MODELS];
    int n_models;
    uint64_t counts[SERVE_N_COUNTERS];
    int n_waiting, n_running, n_connections;
};

serve_metrics *serve_metrics_new(void)
{
    serve_metrics *m = px_calloc(1, sizeof *m);
    if (m)
        pthread_mutex_init(&m->lock, NULL);
    return m;
}

void serve_metrics_free(serve_metrics *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    px_free(m);
}

static void note(serve_histogram *h, const double bounds[SERVE_MAX_BOUNDS], double value)
{
    int i = 0;
    while (i < SERVE_MAX_BOUNDS && value > bounds[i])
        i++;
    h->counts[i]++;
    h->n++;
    h->sum += value;
}

/* With the lock held; the last row takes all models beyond MAX_MODELS. */
static model_row *row_of(serve_metrics *m, const serve_model *model)
{
    for (int i = 0; i < m->n_models; i++)
        if (m->models[i].model == model)
            return &m->models[i];
    if (m->n_models == MAX_MODELS)
        return &m->models[MAX_MODELS - 1];
    m->models[m->n_models].model = model;
    return &m->models[m->n_models++];
}

void serve_metrics_request(serve_metrics *m, const char *route, int http, double seconds)
{
    int i = 0;
    pthread_mutex_lock(&m->lock);
    while (i < m->n_requests &&
           (m->requests[i].http != http || strcmp(m->requests[i].route, route) != 0))
        i++;
    if (i == m->n_requests && i < MAX_ROWS)
        m->requests[m->n_requests++] = (request_row){.route = route, .http = http};
    if (i < MAX_ROWS)
        m->requests[i].n++;
    else
        m->n_other++;
    note(&m->seconds, SECONDS, seconds);
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_first_token(serve_metrics *m, const serve_model *model, double seconds)
{
    pthread_mutex_lock(&m->lock);
    note(&row_of(m, model)->first, SECONDS, seconds);
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_token(serve_metrics *m, const serve_model *model, double seconds)
{
    pthread_mutex_lock(&m->lock);
    note(&row_of(m, model)->token, SECONDS, seconds);
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_answer(serve_metrics *m, const serve_model *model, const serve_choice *c)
{
    pthread_mutex_lock(&m->lock);
    model_row *row = row_of(m, model);
    row->prompt += (uint64_t)c->n_prompt;
    row->cached += (uint64_t)c->n_cached;
    row->generated += (uint64_t)c->n_generated;
    row->answers++;
    row->prompt_seconds += c->prompt_seconds;
    row->decode_seconds += c->decode_seconds;
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_step(serve_metrics *m, const serve_model *model, int n_answers)
{
    pthread_mutex_lock(&m->lock);
    model_row *row = row_of(m, model);
    row->steps++;
    note(&row->batch, SIZES, n_answers);
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_count(serve_metrics *m, serve_counter counter)
{
    pthread_mutex_lock(&m->lock);
    m->counts[counter]++;
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_queue(serve_metrics *m, int n_waiting, int n_running)
{
    pthread_mutex_lock(&m->lock);
    m->n_waiting = n_waiting;
    m->n_running = n_running;
    pthread_mutex_unlock(&m->lock);
}

void serve_metrics_connections(serve_metrics *m, int change)
{
    pthread_mutex_lock(&m->lock);
    m->n_connections += change;
    pthread_mutex_unlock(&m->lock);
}

/* ---- text */

static void head(px_buf *out, const char *name, const char *type, const char *help)
{
    px_buf_printf(out, "# HELP pith_%s %s\n# TYPE pith_%s %s\n", name, help, name, type);
}

/* {model="NAME"} with what the format wants escaped; `more` is written behind it. */
static void labels(px_buf *out, const char *model, const char *more)
{
    px_buf_puts(out, "{model=\"");
    for (const char *c = model; *c; c++) {
        if (*c == '"' || *c == '\\')
            px_buf_putc(out, '\\');
        px_buf_putc(out, *c == '\n' ? ' ' : *c);
    }
    px_buf_printf(out, "\"%s}", more);
}

static void put_histogram(px_buf *out, const char *name, const char *model,
                          const serve_histogram *h, const double bounds[SERVE_MAX_BOUNDS])
{
    uint64_t sum = 0;
    char le[40];
    for (int i = 0; i <= SERVE_MAX_BOUNDS; i++) {
        sum += h->counts[i];
        if (i < SERVE_MAX_BOUNDS)
            snprintf(le, sizeof le, "le=\"%g\"", bounds[i]);
        else
            snprintf(le, sizeof le, "le=\"+Inf\"");
        px_buf_printf(out, "pith_%s_bucket", name);
        if (model) {
            char more[48];
            snprintf(more, sizeof more, ",%s", le);
            labels(out, model, more);
        } else {
            px_buf_printf(out, "{%s}", le);
        }
        px_buf_printf(out, " %llu\n", (unsigned long long)sum);
    }
    px_buf_printf(out, "pith_%s_sum", name);
    if (model)
        labels(out, model, "");
    px_buf_printf(out, " %.9g\npith_%s_count", h->sum, name);
    if (model)
        labels(out, model, "");
    px_buf_printf(out, " %llu\n", (unsigned long long)h->n);
}

static void put_requests(const serve_metrics *m, px_buf *out)
{
    head(out, "http_requests_total", "counter", "HTTP requests by route and status");
    for (int i = 0; i < m->n_requests; i++)
        px_buf_printf(out, "pith_http_requests_total{route=\"%s\",status=\"%d\"} %llu\n",
                      m->requests[i].route, m->requests[i].http,
                      (unsigned long long)m->requests[i].n);
    if (m->n_other > 0)
        px_buf_printf(out, "pith_http_requests_total{route=\"other\",status=\"other\"} %llu\n",
                      (unsigned long long)m->n_other);
    head(out, "http_request_seconds", "histogram", "time from the first byte to the last");
    put_histogram(out, "http_request_seconds", NULL, &m->seconds, SECONDS);
}

static void put_counts(const serve_metrics *m, px_buf *out)
{
    static const char *const COUNTS[SERVE_N_COUNTERS][2] = {
        [SERVE_COUNT_CANCELLED] = {"cancelled_total",
                                   "clients that left before their answer was complete"},
        [SERVE_COUNT_SLOW] = {"slow_readers_total",
                              "answers given up as the client read too slowly"},
        [SERVE_COUNT_REFUSED] = {"queue_full_total",
                                 "requests refused with 503 as too many waited"},
        [SERVE_COUNT_LIMITED] = {"rate_limited_total", "requests refused with 429"},
        [SERVE_COUNT_FAILED] = {"failed_total", "requests that failed in the engine thread"},
        [SERVE_COUNT_LOADS] = {"model_loads_total", "engines made"},
    };
    for (int i = 0; i < SERVE_N_COUNTERS; i++) {
        head(out, COUNTS[i][0], "counter", COUNTS[i][1]);
        px_buf_printf(out, "pith_%s %llu\n", COUNTS[i][0], (unsigned long long)m->counts[i]);
    }
    head(out, "requests_waiting", "gauge", "requests that wait for their turn");
    px_buf_printf(out, "pith_requests_waiting %d\n", m->n_waiting);
    head(out, "answers_running", "gauge", "answers in flight");
    px_buf_printf(out, "pith_answers_running %d\n", m->n_running);
    head(out, "connections", "gauge", "open connections");
    px_buf_printf(out, "pith_connections %d\n", m->n_connections);
}

static void put_models(const serve_metrics *m, px_buf *out)
{
    static const struct {
        const char *name, *help;
        size_t at;
    } SUMS[] = {
        {"prompt_tokens_total", "tokens of prompts", offsetof(model_row, prompt)},
        {"cached_tokens_total", "of these, found in the cache", offsetof(model_row, cached)},
        {"generated_tokens_total", "tokens of answers", offsetof(model_row, generated)},
        {"answers_total", "answers that were completed", offsetof(model_row, answers)},
        {"steps_total", "steps of the engine", offsetof(model_row, steps)},
    };
    static const struct {
        const char *name, *help;
        size_t at;
        const double *bounds;
    } HISTOGRAMS[] = {
        {"first_token_seconds", "from the request to its first token", offsetof(model_row, first),
         SECONDS},
        {"token_seconds", "between tokens of an answer", offsetof(model_row, token), SECONDS},
        {"batch_size", "answers in flight in a step", offsetof(model_row, batch), SIZES},
    };
    for (size_t k = 0; k < sizeof SUMS / sizeof SUMS[0]; k++) {
        head(out, SUMS[k].name, "counter", SUMS[k].help);
        for (int i = 0; i < m->n_models; i++) {
            uint64_t n;
            memcpy(&n, (const char *)&m->models[i] + SUMS[k].at, sizeof n);
            px_buf_printf(out, "pith_%s", SUMS[k].name);
            labels(out, m->models[i].model->name, "");
            px_buf_printf(out, " %llu\n", (unsigned long long)n);
        }
    }
    for (size_t k = 0; k < sizeof HISTOGRAMS / sizeof HISTOGRAMS[0]; k++) {
        head(out, HISTOGRAMS[k].name, "histogram", HISTOGRAMS[k].help);
        for (int i = 0; i < m->n_models; i++) {
            serve_histogram h;
            memcpy(&h, (const char *)&m->models[i] + HISTOGRAMS[k].at, sizeof h);
            put_histogram(out, HISTOGRAMS[k].name, m->models[i].model->name, &h,
                          HISTOGRAMS[k].bounds);
        }
    }
}

typedef struct gauges {
    px_buf *out;
    int which;
} gauges;

static void put_gauge(void *user, const serve_model_row *row)
{
    gauges *g = user;
    static const char *const NAMES[] = {
        "model_loaded",   "model_memory_bytes",     "kv_bytes",
        "kv_limit_bytes", "cache_hit_tokens_total", "computed_tokens_total"};
    const double values[] = {
        row->loaded,           (double)row->memory_bytes, (double)row->kv_bytes,
        (double)row->kv_limit, (double)row->cache_hits,   (double)row->computed};
    if (row->alias)
        return;
    px_buf_printf(g->out, "pith_%s", NAMES[g->which]);
    labels(g->out, row->name, "");
    px_buf_printf(g->out, " %.0f\n", values[g->which]);
}

void serve_metrics_write(serve_metrics *m, serve_models *models, px_buf *out)
{
    static const char *const GAUGES[][2] = {
        {"model_loaded", "1 while an engine runs the model"},
        {"model_memory_bytes", "weights, keys and values, and work memory of a loaded model"},
        {"kv_bytes", "keys and values in memory now"},
        {"kv_limit_bytes", "most that they may take"},
        {"cache_hit_tokens_total", "tokens that the prefix cache had, of the engine as it is now"},
        {"computed_tokens_total", "tokens that the engine as it is now has computed"},
    };
    pthread_mutex_lock(&m->lock);
    put_requests(m, out);
    put_counts(m, out);
    put_models(m, out);
    pthread_mutex_unlock(&m->lock);
    for (int i = 0; i < 6; i++) {
        gauges g = {out, i};
        head(out, GAUGES[i][0], i >= 4 ? "counter" : "gauge", GAUGES[i][1]);
        serve_models_each(models, false, put_gauge, &g);
    }
}

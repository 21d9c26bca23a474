/* runner: see runner.h. */
#include "serve/runner.h"

#include "base/mem.h"
#include "serve/dialect.h"
#include "serve/keys.h"
#include "serve/run.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ENGINES = 64 };

/* Jobs in order of arrival. */
typedef struct job_list {
    serve_job *first, **last;
    int n;
} job_list;

struct serve_runner {
    serve_models *models;
    serve_metrics *metrics;
    serve_runner_options options;
    pthread_t thread;
    int epoll;            // sockets of clients whose jobs wait or run, by job id
    pthread_mutex_t lock; // guards what follows up to `waiting`
    pthread_cond_t news;
    job_list fresh; // submitted, not yet seen by the thread
    int n_jobs;     // that wait or run
    bool poked, draining, ending;
    double drain_until; // 0: not draining
    /* The thread's own. */
    job_list jobs;                 // all that are not done
    serve_model *hot[MAX_ENGINES]; // with an engine
    int n_hot;
    int n_running;
    bool unsaved; // there were steps since the caches were written
};

static void list_init(job_list *l)
{
    *l = (job_list){.last = &l->first};
}

static void list_add(job_list *l, serve_job *job)
{
    job->next = NULL;
    *l->last = job;
    l->last = &job->next;
    l->n++;
}

static void list_move(job_list *to, job_list *from)
{
    if (!from->first)
        return;
    *to->last = from->first;
    to->last = from->last;
    to->n += from->n;
    list_init(from);
}

/* ---- engines */

static bool is_cold(const serve_model *m, double now)
{
    return m->users == 0 && m->keep_alive >= 0 && now >= m->last_used + m->keep_alive;
}

static void close_engine(serve_runner *r, int i)
{
    serve_model *m = r->hot[i];
    pith_engine *engine = m->engine;
    serve_models_lock(r->models);
    m->engine = NULL;
    serve_models_unlock(r->models);
    pith_engine_free(engine);
    r->hot[i] = r->hot[--r->n_hot];
}

static bool is_wanted(const serve_runner *r, const serve_model *m)
{
    for (const serve_job *j = r->jobs.first; j; j = j->next)
        if (j->model == m)
            return true;
    return false;
}

/* Closes the engine that was idle the longest and that no job waits for. */
static bool make_room(serve_runner *r)
{
    int best = -1;
    serve_models_lock(r->models);
    for (int i = 0; i < r->n_hot; i++) {
        const serve_model *m = r->hot[i], *b = best >= 0 ? r->hot[best] : NULL;
        if (is_wanted(r, m))
            continue;
        if (!b || m->last_used < b->last_used)
            best = i;
    }
    serve_models_unlock(r->models);
    if (best < 0)
        return false;
    close_engine(r, best);
    return true;
}

static uint64_t kv_budget(const serve_runner *r, const serve_model *m)
{
    pith_machine machine = PITH_INIT(pith_machine);
    if (r->options.kv_bytes > 0 || pith_machine_get(&machine, NULL) != PITH_OK)
        return r->options.kv_bytes;
    const uint64_t least = 64u << 20;
    uint64_t left =
        machine.memory_free > m->info.weight_bytes ? machine.memory_free - m->info.weight_bytes : 0;
    return left / 2 > least ? left / 2 : least;
}

static pith_status new_engine(serve_runner *r, serve_model *m, pith_error *err)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    pith_engine *engine = NULL;
    o.n_threads = r->options.n_threads;
    o.cpu = r->options.cpu;
    o.n_ctx = r->options.n_ctx;
    o.n_batch = r->options.n_batch;
    o.max_sessions = r->options.parallel + 8; // further ones for reranking
    o.max_logits = r->options.parallel > 32 ? r->options.parallel : 32;
    o.k_type = r->options.k_type;
    o.v_type = r->options.v_type;
    o.kv_bytes = kv_budget(r, m);
    o.kv_dir = r->options.kv_dir;
    o.kv_dir_bytes = r->options.kv_dir_bytes;
    pith_status status = pith_engine_new(m->model, &o, &engine, err);
    if (status != PITH_OK)
        return status;
    pith_engine_info info = PITH_INIT(pith_engine_info);
    pith_engine_get_info(engine, &info, NULL);
    serve_models_lock(r->models);
    m->engine = engine;
    m->counters = info;
    serve_models_unlock(r->models);
    r->hot[r->n_hot++] = m;
    serve_metrics_count(r->metrics, SERVE_COUNT_LOADS);
    return PITH_OK;
}

/* Whether the job's model has an engine; makes one if there may be another. False also with
 * job->problem when that failed. */
static bool have_engine(serve_runner *r, serve_job *job)
{
    pith_error err = {0};
    double from = serve_now();
    if (job->model->engine)
        return true;
    while (r->n_hot >= r->options.max_models)
        if (!make_room(r))
            return false;
    pith_status status = new_engine(r, job->model, &err);
    while (status == PITH_E_MEMORY && make_room(r)) {
        px_error_clear(&err);
        status = new_engine(r, job->model, &err);
    }
    job->load_seconds = serve_now() - from;
    return status == PITH_OK || serve_refuse_error(&job->problem, 0, &err);
}

/* ---- jobs */

/* The next run of a job that may be put in flight: choices of one input wait until the first of
 * them has computed it. */
static serve_run *next_run(serve_job *job, serve_run **base)
{
    const int n = job->request.n;
    for (int i = 0; i < job->n_choices; i++) {
        serve_run *run = &job->runs[i], *first = &job->runs[i - i % n];
        if (run->started)
            continue;
        *base = run == first || first->done ? NULL : first;
        if (run == first || first->ready || first->done)
            return run;
    }
    return NULL;
}

/* A job that only opens its model, and has not yet. */
static bool wants_load(const serve_job *job)
{
    const serve_request *r = &job->request;
    return r->kind == SERVE_LOAD && job->started == 0 && !job->problem.http &&
           !(r->has_keep_alive && r->keep_alive == 0);
}

/* Answers in flight of the same client. */
static int load_of(const serve_runner *r, const serve_key *key)
{
    int n = 0;
    for (const serve_job *j = r->jobs.first; j; j = j->next)
        for (int i = 0; j->key == key && i < j->n_choices; i++)
            n += j->runs[i].started && !j->runs[i].done;
    return n;
}

/* Who has hung up is told to his job. */
static void hear_hangups(serve_runner *r, int timeout_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(r->epoll, events, 64, timeout_ms);
    for (int i = 0; i < n; i++)
        for (serve_job *j = r->jobs.first; j; j = j->next)
            if (j->id == events[i].data.u64)
                serve_out_drop(&j->out);
}

/* A job that is done in one go; whoever hangs up meanwhile is heard. */
typedef struct tick {
    serve_runner *runner;
    serve_job *job;
} tick;

static int on_tick(void *user, uint64_t done, uint64_t total)
{
    const tick *t = user;
    (void)done;
    (void)total;
    hear_hangups(t->runner, 0);
    return serve_out_has_left(&t->job->out);
}

/* Puts as many choices in flight as there is room for. */
static void admit(serve_runner *r)
{
    for (;;) {
        serve_job *best = NULL;
        serve_run *run = NULL, *base = NULL;
        int least = 0;
        for (serve_job *j = r->jobs.first; j; j = j->next) {
            serve_run *b = NULL, *next = j->problem.http ? NULL : next_run(j, &b);
            bool load = wants_load(j);
            if (!next && !load)
                continue;
            if (!have_engine(r, j)) {
                if (!j->problem.http)
                    break; // it waits for an engine to become idle; who came later does not pass
                continue;
            }
            if (load) {
                j->started = serve_now();
                continue;
            }
            int busy = load_of(r, j->key);
            if (j->model->n_running >= r->options.parallel || (best && busy >= least))
                continue;
            best = j;
            run = next;
            base = b;
            least = busy;
        }
        if (!best)
            return;
        if (best->request.kind == SERVE_RERANK)
            serve_run_rerank(best, on_tick, &(tick){r, best});
        else
            serve_run_start(run, base);
    }
}

static bool all_done(const serve_job *job)
{
    if (wants_load(job))
        return false;
    for (int i = 0; i < job->n_choices; i++)
        if (!job->runs[i].done)
            return false;
    return true;
}

/* Says the last words and gives the job back. */
static void finish_job(serve_runner *r, serve_job *job)
{
    bool left = serve_out_has_left(&job->out);
    for (int i = 0; i < job->n_choices; i++)
        serve_run_drop(&job->runs[i]);
    if (job->out.slow)
        serve_metrics_count(r->metrics, SERVE_COUNT_SLOW);
    else if (left)
        serve_metrics_count(r->metrics, SERVE_COUNT_CANCELLED);
    else if (job->problem.http)
        serve_metrics_count(r->metrics, SERVE_COUNT_FAILED);
    if (!left && job->request.stream && (job->n_told > 0 || !job->problem.http)) {
        px_buf_reset(&job->scratch);
        if (job->n_told == 0 && job->dialect->begin)
            job->dialect->begin(job, &job->scratch);
        if (job->problem.http && job->dialect->broken)
            job->dialect->broken(job, &job->problem, &job->scratch);
        else if (!job->problem.http && job->dialect->end)
            job->dialect->end(job, &job->scratch);
        /* A stream whose end is lost must not look whole. */
        if (job->scratch.failed || !serve_out_put(&job->out, job->scratch.data, job->scratch.len))
            serve_out_drop(&job->out);
    }
    if (job->request.has_keep_alive)
        serve_models_set_keep_alive(job->model, job->request.keep_alive);
    serve_usage used = serve_job_usage(job);
    serve_key_leave(job->key, serve_now(), used.prompt + used.completion);
    px_free(job->runs);
    job->runs = NULL;
    serve_out_end(&job->out);
    serve_job_leave(job);
}

/* Looks after every job: what has ended, who has left. */
static void sweep(serve_runner *r)
{
    serve_job **at = &r->jobs.first;
    int n = 0, running = 0;
    while (*at) {
        serve_job *job = *at;
        bool waits = true;
        for (int i = 0; i < job->n_choices && !job->problem.http; i++) {
            if (!serve_run_poll(&job->runs[i]))
                break;
            running += job->runs[i].answer != NULL;
            waits = waits && !job->runs[i].started;
        }
        if (!job->problem.http && waits && job->request.deadline > 0 &&
            serve_now() - job->accepted > job->request.deadline)
            serve_refuse(&job->problem, 504, NULL, "the request waited longer than its deadline");
        if (!job->problem.http && !all_done(job) && !serve_out_has_left(&job->out)) {
            at = &job->next;
            n++;
            continue;
        }
        *at = job->next;
        if (!job->next)
            r->jobs.last = at;
        r->jobs.n--;
        pthread_mutex_lock(&r->lock);
        r->n_jobs--;
        pthread_mutex_unlock(&r->lock);
        finish_job(r, job);
    }
    r->n_running = running;
    serve_metrics_queue(r->metrics, n > running ? n - running : 0, running);
}

static void step(serve_runner *r)
{
    for (int i = 0; i < r->n_hot; i++) {
        serve_model *m = r->hot[i];
        pith_engine_info info = PITH_INIT(pith_engine_info);
        pith_error err = {0};
        if (m->n_running == 0)
            continue;
        int n = m->n_running;
        r->unsaved = true;
        (void)pith_engine_run(m->engine, NULL, &err); // each answer carries its own failure
        serve_metrics_step(r->metrics, m, n);
        pith_engine_get_info(m->engine, &info, NULL);
        serve_models_lock(r->models);
        m->counters = info;
        serve_models_unlock(r->models);
    }
}

/* There is time to write down what was computed. Errors are the disk's: the cache goes on without.
 */
static void save_caches(serve_runner *r)
{
    for (int i = 0; i < r->n_hot && r->options.kv_dir && r->unsaved; i++)
        (void)pith_engine_save_cache(r->hot[i]->engine, NULL);
    r->unsaved = false;
}

/* Seconds until something idle is to be closed; negative: nothing. Closes what is over. */
static double tidy(serve_runner *r)
{
    double now = serve_now(), next = -1;
    for (int i = r->n_hot - 1; i >= 0; i--) {
        serve_models_lock(r->models);
        const serve_model *m = r->hot[i];
        bool cold = is_cold(m, now);
        double left = m->last_used + m->keep_alive - now;
        if (m->users > 0)
            left = 1; // of an answer that is still being sent
        if (!cold && m->keep_alive >= 0 && (next < 0 || left < next))
            next = left;
        serve_models_unlock(r->models);
        if (cold)
            close_engine(r, i);
    }
    serve_models_close_idle(r->models, now);
    return next;
}

/* Sleeps while there is nothing to do. False when the thread is to end. */
static bool take_news(serve_runner *r, double idle)
{
    pthread_mutex_lock(&r->lock);
    while (!r->jobs.first && !r->fresh.first && !r->ending && !r->poked) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        double wait = idle >= 0 && idle < 30 ? idle : 30;
        t.tv_sec += (time_t)wait + 1;
        if (pthread_cond_timedwait(&r->news, &r->lock, &t) == ETIMEDOUT)
            break;
    }
    r->poked = false;
    list_move(&r->jobs, &r->fresh);
    bool go_on = !r->ending;
    bool cut = r->draining && serve_now() > r->drain_until;
    pthread_mutex_unlock(&r->lock);
    for (serve_job *j = r->jobs.first; cut && j; j = j->next)
        serve_refuse(&j->problem, 503, NULL, "the server is stopping");
    return go_on;
}

/* Jobs that wait while nothing runs (for room, for an engine) are looked at again soon. */
static void rest(serve_runner *r)
{
    if (r->n_running == 0 && r->jobs.first)
        hear_hangups(r, 5);
}

static bool has_news(serve_runner *r)
{
    pthread_mutex_lock(&r->lock);
    bool news = r->fresh.first != NULL;
    pthread_mutex_unlock(&r->lock);
    return news;
}

static void *run_thread(void *arg)
{
    serve_runner *r = arg;
    double idle = -1;
    while (take_news(r, idle)) {
        hear_hangups(r, 0);
        admit(r);
        step(r);
        sweep(r);
        if (!r->jobs.first && !has_news(r))
            save_caches(r);
        idle = r->jobs.first ? -1 : tidy(r);
        rest(r);
    }
    for (serve_job *j = r->jobs.first; j; j = j->next)
        serve_refuse(&j->problem, 503, NULL, "the server is stopping");
    sweep(r);
    while (r->n_hot > 0)
        close_engine(r, r->n_hot - 1);
    return NULL;
}

/* ---- from other threads */

serve_runner *serve_runner_new(serve_models *models, serve_metrics *metrics,
                               const serve_runner_options *options, pith_error *err)
{
    pthread_condattr_t attr;
    serve_runner *r = px_calloc(1, sizeof *r);
    if (!r) {
        px_fail_memory(err, "the engine thread");
        return NULL;
    }
    r->models = models;
    r->metrics = metrics;
    r->options = *options;
    if (r->options.max_models > MAX_ENGINES)
        r->options.max_models = MAX_ENGINES;
    list_init(&r->fresh);
    list_init(&r->jobs);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->news, &attr);
    pthread_condattr_destroy(&attr);
    int code = r->epoll < 0 ? errno : pthread_create(&r->thread, NULL, run_thread, r);
    if (code == 0)
        return r;
    px_fail_errno(err, code, "cannot start the engine thread");
    if (r->epoll >= 0)
        close(r->epoll);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->news);
    px_free(r);
    return NULL;
}

static bool make_runs(serve_runner *r, serve_job *job)
{
    int n = job->request.n_inputs * job->request.n;
    job->choices = px_calloc((size_t)(n > 0 ? n : 1), sizeof *job->choices);
    job->runs = px_calloc((size_t)(n > 0 ? n : 1), sizeof *job->runs);
    if (!job->choices || !job->runs)
        return false;
    job->n_choices = n;
    for (int i = 0; i < n; i++)
        job->runs[i] = (serve_run){
            .job = job, .index = i, .metrics = r->metrics, .speculation = r->options.speculation};
    return true;
}

bool serve_runner_submit(serve_runner *r, serve_job *job, int fd, serve_problem *problem)
{
    bool ok =
        make_runs(r, job) || serve_refuse(problem, 503, NULL, "out of memory for the request");
    pthread_mutex_lock(&r->lock);
    if (ok && (r->draining || r->ending))
        ok = serve_refuse(problem, 503, NULL, "the server is stopping");
    if (ok && r->n_jobs >= r->options.max_queue) {
        problem->retry_after = 5;
        ok = serve_refuse(problem, 503, NULL,
                          "the server is busy: %d requests wait or run already; try again later",
                          r->n_jobs);
        serve_metrics_count(r->metrics, SERVE_COUNT_REFUSED);
    }
    if (ok) {
        struct epoll_event e = {.events = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLONESHOT,
                                .data.u64 = job->id};
        if (fd >= 0)
            (void)epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e);
        r->n_jobs++;
        list_add(&r->fresh, job);
        pthread_cond_signal(&r->news);
    }
    pthread_mutex_unlock(&r->lock);
    if (!ok) {
        px_free(job->runs);
        job->runs = NULL;
    }
    return ok;
}

void serve_runner_forget(serve_runner *r, int fd)
{
    struct epoll_event unused = {0};
    (void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, fd, &unused);
}

void serve_runner_wake(serve_runner *r)
{
    pthread_mutex_lock(&r->lock);
    r->poked = true;
    pthread_cond_signal(&r->news);
    pthread_mutex_unlock(&r->lock);
}

int serve_runner_count(serve_runner *r)
{
    pthread_mutex_lock(&r->lock);
    int n = r->n_jobs;
    pthread_mutex_unlock(&r->lock);
    return n;
}

void serve_runner_drain(serve_runner *r, double seconds)
{
    pthread_mutex_lock(&r->lock);
    r->draining = true;
    r->drain_until = serve_now() + seconds;
    r->poked = true;
    pthread_cond_signal(&r->news);
    pthread_mutex_unlock(&r->lock);
}

void serve_runner_end(serve_runner *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    bool ended = r->ending;
    r->draining = r->ending = true;
    pthread_cond_signal(&r->news);
    pthread_mutex_unlock(&r->lock);
    if (!ended)
        pthread_join(r->thread, NULL);
}

void serve_runner_free(serve_runner *r)
{
    if (!r)
        return;
    serve_runner_end(r);
    close(r->epoll);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->news);
    px_free(r);
}

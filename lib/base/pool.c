/*
 * pool: see pool.h. Owns the threads and the three places where they meet: start, barrier, done.
 *
 * Each meeting place is a gate: a word that only grows. Who waits remembers the word, spins until
 * it differs and then parks on a condition variable; who opens adds one and wakes the parked.
 * Nothing is lost between the two: the waiter counts itself as parked before it looks at the word
 * for the last time, the opener changes the word before it looks at the count, and both orders are
 * sequentially consistent, so at least one of them sees the other.
 *
 * Spinning pays only when the one waited for runs on another core. A pool with more members than
 * this process has processors parks at once.
 *
 * Threads: task and ctx are written by the owner before start opens and read by members after it;
 * everything else that is shared is atomic or never changes after px_pool_new.
 */
#include "base/pool.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    MAX_MEMBERS = 512,
    SPIN_NS = 50000, // about ten times what parking and waking one thread costs
    SPIN_LOOKS = 64, // looks at the word between two looks at the clock
    LINE = 64        // bytes of a cache line: words of different writers lie on different lines
};

typedef struct gate {
    _Alignas(LINE) _Atomic uint32_t word;
    _Alignas(LINE) _Atomic int parked;
    pthread_mutex_t lock; // guards nothing but the sleep itself; rank 1, never held with another
    pthread_cond_t opened;
} gate;

typedef struct member {
    px_pool *pool;
    int index;
    pthread_t thread;
} member;

/* Chunks of a loop are cut into one stretch a member. Each takes those of its own stretch in order,
 * so that what it reads lies in one line, and then helps with the others'. */
typedef struct stretch {
    _Alignas(LINE) _Atomic int64_t taken; // chunks of it; may run past its end
} stretch;

struct px_pool {
    int size;
    bool spins;
    member *members;    // [size - 1]: all but the owner
    stretch *stretches; // [size]
    int n_started;      // threads that pool_free has to join
    px_pool_task task;
    void *ctx;
    _Atomic bool leaving;
    gate start;
    gate meeting; // the barrier's
    gate done;
    _Alignas(LINE) _Atomic int arrived; // members inside the barrier
    _Alignas(LINE) _Atomic int running; // threads that have not finished the task
};

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int gate_init(gate *g)
{
    atomic_init(&g->word, 0u);
    atomic_init(&g->parked, 0);
    int code = pthread_mutex_init(&g->lock, NULL);
    if (code != 0)
        return code;
    code = pthread_cond_init(&g->opened, NULL);
    if (code != 0)
        pthread_mutex_destroy(&g->lock);
    return code;
}

static void gate_clear(gate *g)
{
    pthread_cond_destroy(&g->opened);
    pthread_mutex_destroy(&g->lock);
}

static uint32_t gate_word(gate *g)
{
    return atomic_load_explicit(&g->word, memory_order_acquire);
}

/* True when the word left `old` within SPIN_NS. */
static bool gate_spin(gate *g, uint32_t old)
{
    int64_t until = 0;
    for (;;) {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (gate_word(g) != old)
                return true;
            pause_cpu();
        }
        int64_t now = now_ns();
        if (until == 0)
            until = now + SPIN_NS;
        else if (now >= until)
            return false;
    }
}

/* Returns once the word is no longer `old`. */
static void gate_wait(gate *g, uint32_t old, bool spin)
{
    if (gate_word(g) != old || (spin && gate_spin(g, old)))
        return;
    pthread_mutex_lock(&g->lock);
    atomic_fetch_add(&g->parked, 1);
    while (atomic_load(&g->word) == old)
        pthread_cond_wait(&g->opened, &g->lock);
    atomic_fetch_sub(&g->parked, 1);
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(gate *g)
{
    atomic_fetch_add(&g->word, 1u);
    if (atomic_load(&g->parked) > 0) {
        pthread_mutex_lock(&g->lock);
        pthread_cond_broadcast(&g->opened);
        pthread_mutex_unlock(&g->lock);
    }
}

static void *member_main(void *arg)
{
    const member *me = arg;
    px_pool *pool = me->pool;
    uint32_t seen = 0;
    for (;;) {
        gate_wait(&pool->start, seen, pool->spins);
        seen++; // the owner opens again only after every member has finished
        if (atomic_load_explicit(&pool->leaving, memory_order_relaxed))
            return NULL;
        pool->task(pool->ctx, me->index);
        if (atomic_fetch_sub(&pool->running, 1) == 1)
            gate_open(&pool->done);
    }
}

/* Starts the threads with all signals blocked: signals are the program's affair, not a pool's. */
static int start_threads(px_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (code != 0)
        return code;
    for (int i = 0; i < pool->size - 1 && code == 0; i++) {
        member *m = &pool->members[i];
        *m = (member){.pool = pool, .index = i + 1};
        code = pthread_create(&m->thread, NULL, member_main, m);
        if (code == 0) {
            pool->n_started++;
#if defined(__linux__)
            char name[16];
            snprintf(name, sizeof name, "pith-%d", i + 1);
            pthread_setname_np(m->thread, name);
#endif
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

pith_status px_pool_new(int n_threads, px_pool **out, pith_error *err)
{
    *out = NULL;
    if (n_threads < 0 || n_threads > MAX_MEMBERS)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%d threads asked for, expected 1 to %d, or 0 for one each physical core",
                       n_threads, MAX_MEMBERS);
    px_cpu_cores cores = px_cpu_count();
    if (n_threads == 0)
        n_threads = cores.physical < MAX_MEMBERS ? cores.physical : MAX_MEMBERS;
    px_pool *pool = px_aligned(1, sizeof *pool, LINE);
    member *members = px_calloc((size_t)n_threads, sizeof *members);
    stretch *stretches = px_aligned((size_t)n_threads, sizeof *stretches, LINE);
    if (!pool || !members || !stretches) {
        px_free(pool);
        px_free(members);
        px_free(stretches);
        return px_fail_memory(err, "a thread pool");
    }
    *pool = (px_pool){.size = n_threads,
                      .members = members,
                      .stretches = stretches,
                      .spins = n_threads <= cores.logical};
    gate *gates[] = {&pool->start, &pool->meeting, &pool->done};
    int code = 0;
    int n_gates = 0;
    while (n_gates < 3 && (code = gate_init(gates[n_gates])) == 0)
        n_gates++;
    if (code == 0)
        code = start_threads(pool);
    if (code == 0) {
        *out = pool;
        return PITH_OK;
    }
    int made = pool->n_started;
    if (n_gates == 3) {
        px_pool_free(pool);
    } else {
        while (n_gates > 0)
            gate_clear(gates[--n_gates]);
        px_free(stretches);
        px_free(members);
        px_free(pool);
    }
    return px_fail_errno(err, code,
                         "cannot start thread %d of %d; ask for fewer threads or raise the limit "
                         "on processes",
                         made + 1, n_threads - 1);
}

void px_pool_free(px_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->leaving, true);
    gate_open(&pool->start);
    for (int i = 0; i < pool->n_started; i++)
        pthread_join(pool->members[i].thread, NULL);
    gate_clear(&pool->start);
    gate_clear(&pool->meeting);
    gate_clear(&pool->done);
    px_free(pool->stretches);
    px_free(pool->members);
    px_free(pool);
}

int px_pool_size(const px_pool *pool)
{
    return pool->size;
}

/* Before a gate opens, which lets all members see it. */
static void give_back(px_pool *pool)
{
    for (int i = 0; i < pool->size; i++)
        atomic_store_explicit(&pool->stretches[i].taken, 0, memory_order_relaxed);
}

void px_pool_run(px_pool *pool, px_pool_task task, void *ctx)
{
    give_back(pool);
    if (pool->size > 1) {
        uint32_t before = gate_word(&pool->done);
        pool->task = task;
        pool->ctx = ctx;
        atomic_store_explicit(&pool->running, pool->size - 1, memory_order_relaxed);
        gate_open(&pool->start);
        task(ctx, 0);
        gate_wait(&pool->done, before, pool->spins);
    } else {
        task(ctx, 0);
    }
}

void px_pool_barrier(px_pool *pool, int member_index)
{
    (void)member_index;
    /* The word cannot change before this member has arrived too. */
    uint32_t before = gate_word(&pool->meeting);
    if (atomic_fetch_add(&pool->arrived, 1) + 1 < pool->size) {
        gate_wait(&pool->meeting, before, pool->spins);
        return;
    }
    atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
    give_back(pool);
    gate_open(&pool->meeting);
}

/* A chunk that nobody has taken, of this member's stretch or the next one that has any; -1 when
 * none is left. */
static int64_t claim(px_pool *pool, int member_index, int64_t n_chunks)
{
    for (int i = 0; i < pool->size; i++) {
        int s = (member_index + i) % pool->size;
        int64_t first = n_chunks * s / pool->size;
        int64_t end = n_chunks * (s + 1) / pool->size;
        _Atomic int64_t *taken = &pool->stretches[s].taken;
        if (atomic_load_explicit(taken, memory_order_relaxed) >= end - first)
            continue;
        int64_t chunk = first + atomic_fetch_add_explicit(taken, 1, memory_order_relaxed);
        if (chunk < end)
            return chunk;
    }
    return -1;
}

int64_t px_pool_next(px_pool *pool, int member_index, int64_t n_chunks)
{
    int64_t chunk = claim(pool, member_index, n_chunks);
    if (chunk < 0)
        px_pool_barrier(pool, member_index);
    return chunk;
}

typedef struct for_job {
    px_pool *pool;
    int64_t n_chunks;
    px_pool_work work;
    void *ctx;
} for_job;

/* No barrier at the end: px_pool_run waits for everyone as it is. */
static void for_task(void *ctx, int member_index)
{
    const for_job *job = ctx;
    for (int64_t chunk; (chunk = claim(job->pool, member_index, job->n_chunks)) >= 0;)
        job->work(job->ctx, chunk, member_index);
}

void px_pool_for(px_pool *pool, int64_t n_chunks, px_pool_work work, void *ctx)
{
    if (n_chunks <= 0)
        return;
    if (n_chunks == 1) {
        work(ctx, 0, 0); // waking the others would cost more than they can save
        return;
    }
    for_job job = {.pool = pool, .n_chunks = n_chunks, .work = work, .ctx = ctx};
    px_pool_run(pool, for_task, &job);
}

/* pool: every member runs once, barriers order memory, chunks are taken once, at any size. */
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 40 };

static px_pool *make(int n)
{
    px_pool *pool = NULL;
    pith_error err = {0};
    assert_int_equal(px_pool_new(n, &pool, &err), PITH_OK);
    assert_non_null(pool);
    assert_int_equal(px_pool_size(pool), n);
    return pool;
}

typedef struct shared {
    px_pool *pool;
    int calls[MOST]; // each member writes its own
    int seen[MOST];
    int64_t plain; // written by one member between barriers, read by all after
    _Atomic int wrong;
    _Atomic int64_t taken;
    unsigned char *marks; // [n_chunks]
    int64_t n_chunks;
    int64_t rounds;
} shared;

static void count_call(void *ctx, int member)
{
    shared *s = ctx;
    s->calls[member]++;
}

static void runs_each_member_once(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 33};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        shared s = {.pool = make(sizes[i])};
        int rounds = sizes[i] > 8 ? 200 : 3000;
        for (int r = 0; r < rounds; r++)
            px_pool_run(s.pool, count_call, &s);
        for (int m = 0; m < MOST; m++)
            assert_int_equal(s.calls[m], m < sizes[i] ? rounds : 0);
        px_pool_free(s.pool);
    }
}

/* Members take turns in writing one plain variable; all others must read what was written. */
static void turns(void *ctx, int member)
{
    shared *s = ctx;
    int size = px_pool_size(s->pool);
    for (int64_t r = 0; r < s->rounds; r++) {
        if (r % size == member)
            s->plain = r * 7 + 1;
        px_pool_barrier(s->pool, member);
        if (s->plain != r * 7 + 1)
            atomic_fetch_add(&s->wrong, 1);
        px_pool_barrier(s->pool, member);
    }
}

static void barrier_orders_memory(void **state)
{
    (void)state;
    for (int n = 1; n <= 8; n++) {
        shared s = {.pool = make(n), .rounds = n <= 2 ? 5000 : 500};
        px_pool_run(s.pool, turns, &s);
        assert_int_equal(atomic_load(&s.wrong), 0);
        assert_int_equal(s.plain, (s.rounds - 1) * 7 + 1);
        px_pool_free(s.pool);
    }
}

/* Two loops in a row over the same chunks: the counter must be ready for the second, and whatever
 * the first wrote must be seen by the second. */
static void two_loops(void *ctx, int member)
{
    shared *s = ctx;
    for (int64_t c = px_pool_next(s->pool, member, s->n_chunks); c >= 0;
         c = px_pool_next(s->pool, member, s->n_chunks))
        s->marks[c]++;
    for (int64_t c = px_pool_next(s->pool, member, s->n_chunks); c >= 0;
         c = px_pool_next(s->pool, member, s->n_chunks)) {
        if (s->marks[s->n_chunks - 1 - c] != 1)
            atomic_fetch_add(&s->wrong, 1);
        atomic_fetch_add(&s->taken, 1);
    }
}

static void next_gives_each_chunk_once(void **state)
{
    (void)state;
    static unsigned char marks[1000];
    static const int64_t counts[] = {0, 1, 2, 7, 8, 9, 999};
    for (int n = 1; n <= 8; n++) {
        shared s = {.pool = make(n), .marks = marks};
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            s.n_chunks = counts[i];
            for (int r = 0; r < 50; r++) {
                memset(marks, 0, sizeof marks);
                atomic_store(&s.taken, 0);
                px_pool_run(s.pool, two_loops, &s);
                for (int64_t c = 0; c < (int64_t)sizeof marks; c++)
                    assert_int_equal(marks[c], c < counts[i] ? 1 : 0);
                assert_int_equal(atomic_load(&s.taken), counts[i]);
            }
        }
        assert_int_equal(atomic_load(&s.wrong), 0);
        px_pool_free(s.pool);
    }
}

static void mark_chunk(void *ctx, int64_t chunk, int member)
{
    shared *s = ctx;
    s->marks[chunk]++;
    if (member < 0 || member >= px_pool_size(s->pool))
        atomic_fetch_add(&s->wrong, 1);
}

static void for_covers_all_chunks(void **state)
{
    (void)state;
    static unsigned char marks[1000];
    static const int64_t counts[] = {-1, 0, 1, 2, 5, 64, 1000};
    for (int n = 1; n <= 8; n++) {
        shared s = {.pool = make(n), .marks = marks};
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            for (int r = 0; r < 100; r++) {
                memset(marks, 0, sizeof marks);
                px_pool_for(s.pool, counts[i], mark_chunk, &s);
                for (int64_t c = 0; c < (int64_t)sizeof marks; c++)
                    assert_int_equal(marks[c], c < counts[i] ? 1 : 0);
            }
        }
        assert_int_equal(atomic_load(&s.wrong), 0);
        px_pool_free(s.pool);
    }
}

static void made_and_freed_many_times(void **state)
{
    (void)state;
    for (int r = 0; r < 300; r++) {
        shared s = {.pool = make(1 + r % 6)};
        if (r % 2)
            px_pool_run(s.pool, count_call, &s);
        px_pool_free(s.pool);
    }
    px_pool_free(NULL);
}

static void zero_takes_the_physical_cores(void **state)
{
    (void)state;
    px_pool *pool = NULL;
    assert_int_equal(px_pool_new(0, &pool, NULL), PITH_OK);
    assert_in_range(px_pool_size(pool), 1, 512);
    px_pool_free(pool);
}

static void refuses_absurd_sizes(void **state)
{
    (void)state;
    static const int sizes[] = {-1, 513, 1 << 30};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        px_pool *pool = (px_pool *)&pool;
        pith_error err = {0};
        assert_int_equal(px_pool_new(sizes[i], &pool, &err), PITH_E_ARGUMENT);
        assert_null(pool);
        assert_non_null(strstr(err.text, "expected 1 to 512"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_each_member_once),
        cmocka_unit_test(barrier_orders_memory),
        cmocka_unit_test(next_gives_each_chunk_once),
        cmocka_unit_test(for_covers_all_chunks),
        cmocka_unit_test(made_and_freed_many_times),
        cmocka_unit_test(zero_takes_the_physical_cores),
        cmocka_unit_test(refuses_absurd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

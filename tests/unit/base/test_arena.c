/* arena: alignment, limits, marks, and that a repeated step takes nothing from the heap. */
#include "support/support.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void aligns_and_keeps_apart(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 1000, 0);
    test_random random = test_random_start(1);
    enum { N = 500 };
    unsigned char *at[N];
    size_t size[N];
    for (int i = 0; i < N; i++) {
        size[i] = (size_t)test_random_below(&random, i % 50 == 0 ? 5000 : 130);
        at[i] = px_arena_alloc(&arena, size[i], 1);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % (size[i] >= 64 ? 64 : 16), 0);
        memset(at[i], i & 0xff, size[i]);
    }
    for (int i = 0; i < N; i++)
        for (size_t j = 0; j < size[i]; j++)
            assert_int_equal(at[i][j], i & 0xff);
    px_arena_clear(&arena);
    assert_int_equal(arena.held, 0);
    assert_non_null(px_arena_alloc(&arena, 1, 1));
    px_arena_clear(&arena);
}

static void zeroes_and_copies(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 0, 0);
    px_arena_mark start = px_arena_get_mark(&arena);
    memset(px_arena_alloc(&arena, 1000, 1), 0xff, 1000);
    px_arena_rewind(&arena, start);
    const unsigned char *zeros = px_arena_zalloc(&arena, 100, 10);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
    assert_string_equal(px_arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(px_arena_strndup(&arena, NULL, 0), "");
    assert_memory_equal(px_arena_strndup(&arena, "a\0b", 3), "a\0b", 4);
    int *typed = PX_ZNEW(&arena, int, 3);
    assert_int_equal(typed[0] + typed[1] + typed[2], 0);
    px_arena_clear(&arena);
}

static void refuses_sizes_that_wrap(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 0, 0);
    assert_null(px_arena_alloc(&arena, SIZE_MAX / 2, 3));
    assert_null(px_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(px_arena_alloc(&arena, SIZE_MAX - 64, 1));
    assert_null(px_arena_zalloc(&arena, SIZE_MAX / 8 + 1, 8));
    assert_null(px_arena_strndup(&arena, "", SIZE_MAX));
    assert_int_equal(arena.held, 0);
    assert_non_null(px_arena_alloc(&arena, 1, 1));
    px_arena_clear(&arena);
}

static void limit_bounds_what_is_held(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 0, 10000); // below the default chunk
    size_t got = 0;
    while (px_arena_alloc(&arena, 100, 1))
        got += 100;
    assert_in_range(got, 7000, 10000); // 128 bytes each, with their alignment
    assert_true(arena.held <= 10000);
    px_arena_clear(&arena);
    assert_null(px_arena_alloc(&arena, 10000, 1)); // no room for the header
    assert_non_null(px_arena_alloc(&arena, 9900, 1));
    assert_null(px_arena_alloc(&arena, 100, 1));
    assert_true(arena.held <= 10000);
    px_arena_clear(&arena);
    /* What a rewind kept must not stand in the way of a larger request. */
    px_arena_mark start = px_arena_get_mark(&arena);
    assert_non_null(px_arena_alloc(&arena, 6000, 1));
    px_arena_rewind(&arena, start);
    assert_non_null(px_arena_alloc(&arena, 9000, 1));
    px_arena_clear(&arena);
}

static void marks_nest(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 256, 0);
    char *a = px_arena_strndup(&arena, "first", 5);
    px_arena_mark outer = px_arena_get_mark(&arena);
    char *b = px_arena_alloc(&arena, 40, 1);
    px_arena_mark inner = px_arena_get_mark(&arena);
    for (int i = 0; i < 20; i++)
        memset(px_arena_alloc(&arena, 300, 1), 'x', 300);
    px_arena_rewind(&arena, inner);
    memset(b, 'b', 40);
    px_arena_rewind(&arena, outer);
    assert_ptr_equal(px_arena_alloc(&arena, 40, 1), b);
    assert_string_equal(a, "first");
    px_arena_clear(&arena);
}

/* One step of a session: sizes from a fixed list, in order. */
static void step(px_arena *arena, const size_t *sizes, size_t n)
{
    px_arena_mark mark = px_arena_get_mark(arena);
    for (size_t i = 0; i < n; i++) {
        void *p = px_arena_alloc(arena, sizes[i], 1);
        assert_non_null(p);
        memset(p, 1, sizes[i]);
    }
    px_arena_rewind(arena, mark);
}

static void repeated_steps_take_nothing(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 4096, 0);
    test_random random = test_random_start(2);
    for (int round = 0; round < 50; round++) {
        size_t sizes[40];
        for (int i = 0; i < 40; i++)
            sizes[i] = (size_t)test_random_below(&random, i % 7 == 0 ? 20000 : 500);
        step(&arena, sizes, 40);
        size_t held = arena.held;
        px_fault_arm(0, true); // in a fault build each further allocation fails
        step(&arena, sizes, 40);
        px_fault_arm(-1, false);
        assert_int_equal(arena.held, held);
    }
    px_arena_clear(&arena);
}

static void growing_steps_keep_little(void **state)
{
    (void)state;
    px_arena arena;
    px_arena_init(&arena, 4096, 0);
    for (size_t n = 1; n <= 200; n++) {
        size_t sizes[] = {100, n * 5000, 100};
        step(&arena, sizes, 3);
    }
    assert_true(arena.held < 200 * 5000 + 3 * 4096 + 1000);
    px_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligns_and_keeps_apart),
        cmocka_unit_test(zeroes_and_copies),
        cmocka_unit_test(refuses_sizes_that_wrap),
        cmocka_unit_test(limit_bounds_what_is_held),
        cmocka_unit_test(marks_nest),
        cmocka_unit_test(repeated_steps_take_nothing),
        cmocka_unit_test(growing_steps_keep_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

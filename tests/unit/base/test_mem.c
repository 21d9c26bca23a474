/* mem: sizes never wrap, faults strike where they were set, the guard counts. */
#include "support/support.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t r = 5;
    assert_true(px_mul_size(SIZE_MAX, 1, &r) && r == SIZE_MAX);
    assert_true(px_mul_size(SIZE_MAX, 0, &r) && r == 0);
    assert_false(px_mul_size(SIZE_MAX / 2 + 1, 2, &r));
    assert_int_equal(r, 0);
    assert_true(px_add_size(SIZE_MAX - 1, 1, &r) && r == SIZE_MAX);
    assert_false(px_add_size(SIZE_MAX, 1, &r));
    assert_true(r == SIZE_MAX);
    assert_int_equal(px_round_up(0, 64), 0);
    assert_int_equal(px_round_up(1, 64), 64);
    assert_int_equal(px_round_up(64, 64), 64);
    assert_int_equal(px_round_up(65, 16), 80);
}

static void absurd_requests_give_null(void **state)
{
    (void)state;
    assert_null(px_malloc(SIZE_MAX / 2, 3));
    assert_null(px_calloc(SIZE_MAX / 2, 3));
    assert_null(px_aligned(SIZE_MAX / 2, 3, 64));
    assert_null(px_strndup("x", SIZE_MAX));
    char *p = px_malloc(3, 1);
    assert_non_null(p);
    memcpy(p, "ab", 3);
    assert_null(px_realloc(p, SIZE_MAX / 2, 3));
    assert_string_equal(p, "ab"); // the old block stays
    px_free(p);
}

static void empty_requests_can_be_freed(void **state)
{
    (void)state;
    void *all[] = {px_malloc(0, 8),        px_malloc(8, 0),      px_calloc(0, 0),
                   px_realloc(NULL, 0, 1), px_aligned(0, 1, 64), px_strndup(NULL, 0)};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_non_null(all[i]);
        px_free(all[i]);
    }
    px_free(NULL);
}

static void blocks_are_as_asked(void **state)
{
    (void)state;
    unsigned char *zeros = px_calloc(100, 3);
    for (int i = 0; i < 300; i++)
        assert_int_equal(zeros[i], 0);
    px_free(zeros);
    for (size_t align = sizeof(void *); align <= 4096; align *= 2) {
        void *p = px_aligned(7, 9, align);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 1, 63);
        px_free(p);
    }
    char *p = px_strndup("abcdef", 3);
    assert_string_equal(p, "abc");
    p = px_realloc(p, 4096, 1);
    assert_string_equal(p, "abc");
    px_free(p);
}

#ifdef PITH_FAULT
enum { FAULTS = 1 };
#else
enum { FAULTS = 0 };
#endif

/* Asks n times for memory; a bit of the result is set for each time that failed. */
static unsigned failures(int n)
{
    unsigned bits = 0;
    for (int i = 0; i < n; i++) {
        void *p = i % 4 == 0   ? px_malloc(1, 1)
                  : i % 4 == 1 ? px_calloc(1, 1)
                  : i % 4 == 2 ? px_realloc(NULL, 1, 1)
                               : px_aligned(1, 1, 64);
        if (!p)
            bits |= 1u << i;
        px_free(p);
    }
    return bits;
}

static void faults_strike_where_set(void **state)
{
    (void)state;
    px_fault_arm(2, false);
    assert_int_equal(failures(8), FAULTS ? 0x04 : 0);
    assert_int_equal(px_fault_count(), FAULTS ? 8 : 0);
    px_fault_arm(5, true);
    assert_int_equal(failures(8), FAULTS ? 0xe0 : 0);
    px_fault_arm(-1, true);
    assert_int_equal(failures(8), 0);
    assert_int_equal(px_fault_count(), FAULTS ? 8 : 0);
}

static void *allocate_elsewhere(void *arg)
{
    px_free(px_malloc(1, 1));
    return arg;
}

static void the_guard_counts_this_thread(void **state)
{
    (void)state;
    uint64_t before = px_heap_violations();
    px_free(px_malloc(1, 1));
    px_heap_forbid();
    px_heap_forbid();
    px_heap_allow();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, allocate_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(px_heap_violations() - before, 0);
    px_free(px_malloc(1, 1));
    px_free(px_calloc(1, 1));
    assert_int_equal(px_heap_violations() - before, FAULTS ? 2 : 0);
    px_heap_allow();
    px_free(px_malloc(1, 1));
    assert_int_equal(px_heap_violations() - before, FAULTS ? 2 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(absurd_requests_give_null),
        cmocka_unit_test(empty_requests_can_be_freed),
        cmocka_unit_test(blocks_are_as_asked),
        cmocka_unit_test(faults_strike_where_set),
        cmocka_unit_test(the_guard_counts_this_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base: each allocation of each piece of lib/base fails in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"

#include <string.h>

#include <cmocka.h>

static pith_status buffers(void *ctx, pith_error *err)
{
    (void)ctx;
    px_buf buf = {0};
    for (int i = 0; i < 100; i++)
        px_buf_printf(&buf, "line %d\n", i);
    pith_status status = px_buf_status(&buf, "a list of lines", err);
    char *text = px_buf_take(&buf, NULL);
    assert_int_equal(text != NULL, status == PITH_OK);
    if (text)
        assert_non_null(strstr(text, "line 99\n"));
    px_free(text);
    px_buf_clear(&buf);
    return status;
}

static pith_status arenas(void *ctx, pith_error *err)
{
    (void)ctx;
    px_arena arena;
    px_arena_init(&arena, 256, 0);
    pith_status status = PITH_OK;
    for (size_t i = 1; i < 20 && status == PITH_OK; i++) {
        px_arena_mark mark = px_arena_get_mark(&arena);
        char *p = px_arena_zalloc(&arena, i, 100);
        if (p && i % 3 == 0)
            px_arena_rewind(&arena, mark);
        if (!p || !px_arena_strndup(&arena, "name", 4))
            status = px_fail_memory(err, "a table");
    }
    px_arena_clear(&arena);
    assert_int_equal(arena.held, 0);
    return status;
}

static pith_status files(void *ctx, pith_error *err)
{
    const char *path = ctx;
    pith_status status = px_file_replace(path, "new content", 11, err);
    px_buf buf = {0};
    if (status == PITH_OK)
        status = px_file_read(path, 100, &buf, err);
    if (status == PITH_OK)
        assert_string_equal(buf.data, "new content");
    px_buf_clear(&buf);
    const char *text = test_read(path, NULL);
    assert_true(strcmp(text, "old") == 0 || strcmp(text, "new content") == 0);
    return status;
}

static void count(void *ctx, int64_t chunk, int member)
{
    (void)member;
    ((int *)ctx)[chunk]++;
}

static pith_status pools(void *ctx, pith_error *err)
{
    (void)ctx;
    px_pool *pool;
    pith_status status = px_pool_new(3, &pool, err);
    if (status != PITH_OK) {
        assert_null(pool);
        return status;
    }
    int chunks[5] = {0};
    px_pool_for(pool, 5, count, chunks);
    for (int i = 0; i < 5; i++)
        assert_int_equal(chunks[i], 1);
    px_pool_free(pool);
    return PITH_OK;
}

static void buffers_fail_cleanly(void **state)
{
    (void)state;
    assert_int_equal(test_fault_each(buffers, NULL, 0), 5); // 64, 128, .. 1024 bytes
}

static void arenas_fail_cleanly(void **state)
{
    (void)state;
    assert_true(test_fault_each(arenas, NULL, 0) > 10);
}

static void files_fail_cleanly(void **state)
{
    (void)state;
    const char *path = test_temp("file");
    test_write(path, "old", 3);
    assert_true(test_fault_each(files, (void *)(uintptr_t)path, 0) >= 3);
}

static void pools_fail_cleanly(void **state)
{
    (void)state;
    assert_int_equal(test_fault_each(pools, NULL, 0), 3); // pool, members, stretches
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_fail_cleanly),
        cmocka_unit_test(arenas_fail_cleanly),
        cmocka_unit_test(files_fail_cleanly),
        cmocka_unit_test(pools_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* buf: content, the zero byte, limits and their status, giving content away. */
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

#include <cmocka.h>

static void puts_are_joined(void **state)
{
    (void)state;
    px_buf buf = {0};
    assert_true(px_buf_puts(&buf, "a"));
    assert_true(px_buf_put(&buf, "\0b", 2));
    assert_true(px_buf_putc(&buf, 'c'));
    assert_true(px_buf_printf(&buf, "%d-%s", 42, "x"));
    assert_true(px_buf_put(&buf, NULL, 0));
    assert_int_equal(buf.len, 8);
    assert_memory_equal(buf.data, "a\0bc42-x", 9);
    char *room = px_buf_room(&buf, 100);
    assert_ptr_equal(room, buf.data + 8);
    memset(room, 'r', 100);
    buf.len += 100;
    assert_int_equal(px_buf_status(&buf, "text", NULL), PITH_OK);
    size_t n = 0;
    char *text = px_buf_take(&buf, &n);
    assert_int_equal(n, 108);
    assert_int_equal(text[107], 'r');
    assert_int_equal(text[108], '\0');
    px_free(text);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
}

static void an_empty_one_gives_an_empty_string(void **state)
{
    (void)state;
    px_buf buf = {0};
    size_t n = 7;
    char *text = px_buf_take(&buf, &n);
    assert_string_equal(text, "");
    assert_int_equal(n, 0);
    px_free(text);
}

static void grows_past_every_power_of_two(void **state)
{
    (void)state;
    px_buf buf = {0};
    for (int i = 0; i < 5000; i++) {
        assert_true(px_buf_putc(&buf, (char)('a' + i % 26)));
        assert_int_equal(buf.data[buf.len], '\0');
        assert_true(buf.cap > buf.len);
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    px_buf_clear(&buf);
    assert_null(buf.data);
}

static void the_limit_is_exact_and_sticky(void **state)
{
    (void)state;
    px_buf buf = {.limit = 10};
    pith_error err = {0};
    assert_true(px_buf_puts(&buf, "0123456789"));
    assert_true(px_buf_puts(&buf, ""));
    assert_int_equal(px_buf_status(&buf, "text", &err), PITH_OK);
    assert_false(px_buf_putc(&buf, 'x'));
    assert_true(buf.failed);
    assert_false(px_buf_puts(&buf, ""));
    assert_string_equal(buf.data, "0123456789");
    assert_true(buf.cap <= 11);
    assert_int_equal(px_buf_status(&buf, "the answer", &err), PITH_E_LIMIT);
    assert_string_equal(err.text, "the answer is longer than its limit of 10 bytes");
    assert_null(px_buf_take(&buf, NULL));
    px_buf_reset(&buf);
    assert_true(px_buf_puts(&buf, "again"));
    assert_int_equal(px_buf_status(&buf, "text", NULL), PITH_OK);
    px_buf_clear(&buf);
    assert_int_equal(buf.limit, 10);
    /* One put that is far too long for a nearly empty buffer is the limit's doing too. */
    assert_false(px_buf_room(&buf, 1 << 20) != NULL);
    assert_int_equal(px_buf_status(&buf, "text", NULL), PITH_E_LIMIT);
    px_buf_clear(&buf);
    assert_false(px_buf_printf(&buf, "%20d", 1));
    assert_int_equal(buf.len, 0);
    px_buf_clear(&buf);
}

static void sizes_that_wrap_are_memory(void **state)
{
    (void)state;
    px_buf buf = {0};
    assert_true(px_buf_putc(&buf, 'x'));
    assert_null(px_buf_room(&buf, SIZE_MAX));
    pith_error err = {0};
    assert_int_equal(px_buf_status(&buf, "a page", &err), PITH_E_MEMORY);
    assert_non_null(strstr(err.text, "out of memory while making a page"));
    px_buf_reset(&buf);
    assert_null(px_buf_room(&buf, SIZE_MAX - 1));
    px_buf_reset(&buf);
    assert_string_equal(buf.data, "");
    px_buf_clear(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_are_joined),
        cmocka_unit_test(an_empty_one_gives_an_empty_string),
        cmocka_unit_test(grows_past_every_power_of_two),
        cmocka_unit_test(the_limit_is_exact_and_sticky),
        cmocka_unit_test(sizes_that_wrap_are_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

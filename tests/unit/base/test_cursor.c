/* cursor: nothing is read past the end, and a refused read moves nothing. */
#include "support/support.h"

#include "base/cursor.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void reads_little_endian(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    px_cursor c = px_cursor_over(bytes, sizeof bytes);
    uint8_t a = 0;
    uint16_t b = 0;
    uint32_t d = 0;
    uint64_t e = 0;
    assert_true(px_cursor_u8(&c, &a));
    assert_true(px_cursor_u16(&c, &b));
    assert_true(px_cursor_u32(&c, &d));
    assert_true(px_cursor_u64(&c, &e));
    assert_int_equal(a, 1);
    assert_int_equal(b, 0x0302);
    assert_int_equal(d, 0x07060504);
    assert_true(e == 0x0f0e0d0c0b0a0908u);
    assert_int_equal(px_cursor_offset(&c), 15);
    assert_int_equal(px_cursor_left(&c), 2);
    const uint8_t *rest = NULL;
    assert_true(px_cursor_bytes(&c, 2, &rest));
    assert_ptr_equal(rest, bytes + 15);
    assert_true(px_cursor_bytes(&c, 0, &rest));
    assert_false(px_cursor_bytes(&c, 1, &rest));
}

/* Copies live on the heap, so that AddressSanitizer sees a read of one byte too many. */
static void refuses_short_input(void **state)
{
    (void)state;
    for (size_t n = 0; n < 8; n++) {
        uint8_t *bytes = malloc(n ? n : 1);
        memset(bytes, 0xee, n ? n : 1);
        px_cursor c = px_cursor_over(bytes, n);
        uint8_t a = 9;
        uint16_t b = 9;
        uint32_t d = 9;
        uint64_t e = 9;
        const uint8_t *p = NULL;
        assert_false(px_cursor_u64(&c, &e));
        assert_false(px_cursor_bytes(&c, n + 1, &p));
        assert_false(px_cursor_bytes(&c, SIZE_MAX, &p));
        assert_int_equal(px_cursor_offset(&c), 0);
        assert_int_equal(px_cursor_left(&c), n);
        assert_true(e == 9 && p == NULL);
        assert_int_equal(px_cursor_u8(&c, &a), n >= 1);
        c = px_cursor_over(bytes, n);
        assert_int_equal(px_cursor_u16(&c, &b), n >= 2);
        c = px_cursor_over(bytes, n);
        assert_int_equal(px_cursor_u32(&c, &d), n >= 4);
        assert_int_equal(px_cursor_left(&c), n >= 4 ? n - 4 : n);
        free(bytes);
    }
}

static void takes_an_empty_file(void **state)
{
    (void)state;
    px_cursor c = px_cursor_over(NULL, 0);
    uint8_t a;
    const uint8_t *p;
    assert_int_equal(px_cursor_left(&c), 0);
    assert_int_equal(px_cursor_offset(&c), 0);
    assert_false(px_cursor_u8(&c, &a));
    assert_true(px_cursor_bytes(&c, 0, &p));
    assert_true(px_cursor_copy(&c, &a, 0));
}

static void strings_compare_by_length_and_bytes(void **state)
{
    (void)state;
    px_str none = {0};
    assert_true(px_str_eq(none, px_str_of("")));
    assert_true(px_str_is(none, ""));
    assert_true(px_str_is((px_str){"abc", 2}, "ab"));
    assert_false(px_str_is((px_str){"abc", 2}, "abc"));
    assert_false(px_str_is((px_str){"ab\0", 3}, "ab"));
    assert_true(px_str_eq((px_str){"a\0b", 3}, (px_str){"a\0b", 3}));
    assert_false(px_str_eq((px_str){"a\0b", 3}, (px_str){"a\0c", 3}));
    char text[512];
    px_str s = {text, sizeof text};
    memset(text, 'x', sizeof text);
    assert_string_equal(test_format("[%.*s]", PX_STR_ARG(none)), "[]");
    assert_int_equal(strlen(test_format("[%.*s]", PX_STR_ARG(s))), 202);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_little_endian),
        cmocka_unit_test(refuses_short_input),
        cmocka_unit_test(takes_an_empty_file),
        cmocka_unit_test(strings_compare_by_length_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

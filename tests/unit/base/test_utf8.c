/* utf8: every code point, and every sequence of one, two and three bytes. */
#include "support/support.h"

#include "base/utf8.h"

#include <string.h>

#include <cmocka.h>

/* The encoding as RFC 3629 draws it, written from the numbers instead of the bytes. */
static int encode(uint32_t c, unsigned char out[4])
{
    int len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (int i = len - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80 + c % 64);
        c /= 64;
    }
    out[0] = (unsigned char)(lead[len] + c);
    return len;
}

static bool is_scalar(uint32_t c)
{
    return c < 0xd800 || (c > 0xdfff && c < 0x110000);
}

static void every_code_point(void **state)
{
    (void)state;
    long bad = 0;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char put[4];
        unsigned char want[4];
        uint32_t got = 0xffffffff;
        int n = px_utf8_put(c, put);
        int len = encode(is_scalar(c) ? c : 0xfffd, want);
        bad += n != len || memcmp(put, want, (size_t)len) != 0;
        bad += px_utf8_get(put, (size_t)n, &got) != n || got != (is_scalar(c) ? c : 0xfffd);
        bad += !px_utf8_valid(put, (size_t)n);
        bad += px_utf8_open_tail(put, (size_t)n) != 0;
        for (int cut = 1; cut < n; cut++) {
            bad += px_utf8_get(put, (size_t)cut, &got) != 0;
            bad += px_utf8_valid_prefix(put, (size_t)cut) != 0;
            bad += px_utf8_open_tail(put, (size_t)cut) != (size_t)cut;
        }
    }
    assert_int_equal(bad, 0);
}

/* For each start of a valid character, whether it is one: filled from the code points. */
static unsigned char valid1[256], valid2[256][256], valid3[256][256][256];
static unsigned char open1[256], open2[256][256], open3[256][256][256];

static void fill_tables(void)
{
    for (uint32_t c = 0; c < 0x110000; c++) {
        unsigned char b[4];
        if (!is_scalar(c))
            continue;
        int len = encode(c, b);
        if (len == 1)
            valid1[b[0]] = 1;
        if (len == 2)
            valid2[b[0]][b[1]] = 1;
        if (len == 3)
            valid3[b[0]][b[1]][b[2]] = 1;
        if (len > 1)
            open1[b[0]] = 1;
        if (len > 2)
            open2[b[0]][b[1]] = 1;
        if (len > 3)
            open3[b[0]][b[1]][b[2]] = 1;
    }
}

/* What px_utf8_get must return for three bytes. */
static int expected(const unsigned char *b)
{
    return valid1[b[0]] ? 1 : valid2[b[0]][b[1]] ? 2 : valid3[b[0]][b[1]][b[2]] ? 3 : 0;
}

/* What px_utf8_open_tail must return for three bytes. */
static size_t expected_tail(const unsigned char *b)
{
    return open3[b[0]][b[1]][b[2]] ? 3u : open2[b[1]][b[2]] ? 2u : open1[b[2]] ? 1u : 0u;
}

static void every_three_bytes(void **state)
{
    (void)state;
    fill_tables();
    long bad = 0;
    for (uint32_t i = 0; i < 0x1000000; i++) {
        unsigned char b[3] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
        const char *text = (const char *)b;
        uint32_t c;
        int want = expected(b);
        bad += px_utf8_get(text, 3, &c) != want;
        bad += px_utf8_get(text, 2, &c) != (want == 3 ? 0 : want);
        bad += px_utf8_get(text, 1, &c) != (want == 1 ? 1 : 0);
        bad += px_utf8_open_tail(text, 3) != expected_tail(b);
    }
    assert_int_equal(bad, 0);
}

static void four_byte_forms_out_of_range(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", // overlong
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", // past U+10FFFF
                                      "\xf0\x90\x80\x41", "\xf0\x90\x41\x80",
                                      "\xf0\x41\x80\x80", "\xff\xbf\xbf\xbf"};
    uint32_t c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(px_utf8_get(bad[i], 4, &c), 0);
    assert_int_equal(px_utf8_get("\xf0\x90\x80\x80", 4, &c), 4);
    assert_int_equal(c, 0x10000);
    assert_int_equal(px_utf8_get("\xf4\x8f\xbf\xbf", 4, &c), 4);
    assert_int_equal(c, 0x10ffff);
}

static void prefixes_end_at_the_first_fault(void **state)
{
    (void)state;
    assert_int_equal(px_utf8_valid_prefix("", 0), 0);
    assert_true(px_utf8_valid("a\0b", 3));
    assert_int_equal(px_utf8_valid_prefix("ab\xc3\xa9\xff"
                                          "cd",
                                          7),
                     4);
    assert_int_equal(px_utf8_valid_prefix("ab\xe2\x82", 4), 2);
    assert_int_equal(px_utf8_open_tail("ab\xe2\x82", 4), 2);
    assert_int_equal(px_utf8_open_tail("", 0), 0);
    assert_int_equal(px_utf8_open_tail("\x80\x80\x80\x80", 4), 0);
    assert_int_equal(px_utf8_open_tail("\xe2\x82\xac\xf0\x9f\x98", 6), 3);
    assert_int_equal(px_utf8_open_tail("\xe0\x80", 2), 0); // can become nothing valid
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_three_bytes),
        cmocka_unit_test(four_byte_forms_out_of_range),
        cmocka_unit_test(prefixes_end_at_the_first_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* stops: what may be shown when, whatever way the text is cut; against a plain search. */
#include "support/support.h"

#include "engine/stops.h"

#include <string.h>

#include <cmocka.h>

enum { MOST_PIECE = 64 };

static px_stops make(const char *const *strings, int32_t n)
{
    pith_str list[16] = {{0}};
    for (int32_t i = 0; i < n; i++)
        list[i] = (pith_str){.data = strings[i], .len = strlen(strings[i])};
    px_stops s;
    pith_error err = {0};
    if (px_stops_init(&s, list, n, MOST_PIECE, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return s;
}

#define MAKE(...)                            \
    make((const char *const[]){__VA_ARGS__}, \
         (int32_t)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void pushes(px_stops *s, const char *piece, const char *shown, int32_t stop)
{
    px_str out;
    int32_t got = px_stops_push(s, piece, strlen(piece), &out);
    if (got != stop || !px_str_is(out, shown))
        fail_msg("'%s' shows '%.*s' and stop %d, expected '%s' and %d", piece, PX_STR_ARG(out), got,
                 shown, stop);
}

static void flushes(px_stops *s, const char *shown)
{
    assert_true(px_str_is(px_stops_flush(s), shown));
    px_stops_clear(s);
}

static void without_stops_all_is_shown(void **state)
{
    (void)state;
    px_stops s = make(NULL, 0);
    pushes(&s, "any text", "any text", -1);
    pushes(&s, "", "", -1);
    flushes(&s, "");
}

static void inside_one_piece(void **state)
{
    (void)state;
    px_stops s = MAKE("STOP");
    pushes(&s, "go STOP here", "go ", 0);
    px_stops_clear(&s);
}

static void over_many_pieces(void **state)
{
    (void)state;
    px_stops s = MAKE("\n\nUser:");
    pushes(&s, "yes.\n", "yes.", -1);
    pushes(&s, "\n", "", -1);
    pushes(&s, "Us", "", -1);
    pushes(&s, "er", "", -1);
    pushes(&s, ": and more", "", 0);
    px_stops_clear(&s);
}

static void held_text_comes_out_when_it_is_no_stop(void **state)
{
    (void)state;
    px_stops s = MAKE("</s>", "abac");
    pushes(&s, "x </", "x ", -1);
    pushes(&s, "b> aba", "</b> ", -1);
    pushes(&s, "b", "ab", -1); // "abab": its end "ab" may still become "abac"
    flushes(&s, "ab");
}

static void the_first_to_end_wins_and_then_the_longest(void **state)
{
    (void)state;
    px_stops s = MAKE("abcd", "bc");
    pushes(&s, "xabcd", "xa", 1);
    px_stops_clear(&s);
    s = MAKE("bc", "abc");
    pushes(&s, "xa", "x", -1);
    pushes(&s, "bcd", "", 1);
    px_stops_clear(&s);
    s = MAKE("aa");
    pushes(&s, "aaa", "", 0);
    px_stops_clear(&s);
}

static void whole_characters(void **state)
{
    (void)state;
    /* U+00E9 and U+00E8 share their first byte. */
    px_stops s = MAKE("\xc3\xa9");
    pushes(&s, "a\xc3\xa8", "a\xc3\xa8", -1);
    pushes(&s, "\xe2\x82\xac\xc3\xa9!", "\xe2\x82\xac", 0);
    px_stops_clear(&s);
}

static void refuses(void **state)
{
    (void)state;
    px_stops s;
    pith_error err = {0};
    assert_int_equal(px_stops_init(&s, &(pith_str){"", 0}, 1, 8, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "stop string 0 is empty"));
    err = (pith_error){0};
    assert_int_equal(px_stops_init(&s, &(pith_str){"\xa9", 1}, 1, 8, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "UTF-8"));
    static char big[PX_MAX_STOP_BYTES + 1];
    memset(big, 'x', sizeof big);
    err = (pith_error){0};
    assert_int_equal(px_stops_init(&s, &(pith_str){big, sizeof big}, 1, 8, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "65536"));
    err = (pith_error){0};
    assert_int_equal(px_stops_init(&s, NULL, PX_MAX_STOPS + 1, 8, &err), PITH_E_ARGUMENT);
}

/* Where the answer ends by the definition: the least end of a match, then the least start. */
static int32_t plain_search(const char *text, size_t n, const pith_str *stops, int32_t n_stops,
                            size_t *start)
{
    for (size_t end = 1; end <= n; end++) {
        int32_t found = -1;
        for (int32_t i = 0; i < n_stops; i++)
            if (stops[i].len <= end &&
                memcmp(text + end - stops[i].len, stops[i].data, stops[i].len) == 0 &&
                (found < 0 || stops[i].len > stops[found].len))
                found = i;
        if (found >= 0) {
            *start = end - stops[found].len;
            return found;
        }
    }
    *start = n;
    return -1;
}

/* Whether text[0..n) ends in a beginning of a stop that is longer than `open` bytes. */
static size_t open_tail(const char *text, size_t n, const pith_str *stops, int32_t n_stops)
{
    size_t most = 0;
    for (int32_t i = 0; i < n_stops; i++)
        for (size_t k = 1; k < stops[i].len && k <= n; k++)
            if (k > most && memcmp(text + n - k, stops[i].data, k) == 0)
                most = k;
    return most;
}

static void as_a_plain_search_finds(void **state)
{
    (void)state;
    test_random r = test_random_start(3);
    char text[200], shown[200], bytes[8][10];
    for (int round = 0; round < 20000; round++) {
        int letters = 1 + (int)test_random_below(&r, 3);
        size_t n = (size_t)test_random_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)('a' + test_random_below(&r, (uint64_t)letters + (round % 2 != 0)));
        pith_str stops[8];
        int32_t n_stops = (int32_t)test_random_below(&r, 9);
        for (int32_t s = 0; s < n_stops; s++) {
            stops[s] = (pith_str){bytes[s], 1 + test_random_below(&r, 10)};
            for (size_t i = 0; i < stops[s].len; i++)
                bytes[s][i] = (char)('a' + test_random_below(&r, (uint64_t)letters + 1));
        }
        size_t start;
        int32_t expected = plain_search(text, n, stops, n_stops, &start);
        px_stops st;
        assert_int_equal(px_stops_init(&st, stops, n_stops, MOST_PIECE, NULL), PITH_OK);
        size_t at = 0, n_shown = 0;
        int32_t got = -1;
        while (at < n && got < 0) {
            size_t piece = (size_t)test_random_below(&r, 12);
            if (piece > n - at)
                piece = n - at;
            px_str out;
            got = px_stops_push(&st, text + at, piece, &out);
            at += piece;
            memcpy(shown + n_shown, out.data, out.len);
            n_shown += out.len;
            if (got < 0)
                assert_int_equal(at - n_shown, open_tail(text, at, stops, n_stops));
        }
        if (got < 0) {
            px_str out = px_stops_flush(&st);
            memcpy(shown + n_shown, out.data, out.len);
            n_shown += out.len;
        }
        px_stops_clear(&st);
        if (got >= 0) { // equal strings may stand twice
            assert_true(expected >= 0 && stops[got].len == stops[expected].len);
        } else {
            assert_int_equal(expected, -1);
        }
        assert_int_equal(n_shown, start);
        assert_memory_equal(shown, text, n_shown);
    }
}

static void a_matcher_finds_all_ends(void **state)
{
    (void)state;
    px_matcher m;
    const pith_str patterns[] = {{"aa", 2}, {"aba", 3}, {"ba", 2}};
    assert_int_equal(px_matcher_init(&m, patterns, 3, "pattern", NULL), PITH_OK);
    static const char text[] = "aabababaa";
    static const int32_t expected[] = {-1, 0, -1, 1, -1, 1, -1, 1, 0};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(px_matcher_step(&m, (uint8_t)text[i]), expected[i]);
    assert_true(px_matcher_inside(&m, "xxbax", 5));
    assert_false(px_matcher_inside(&m, "b", 1));
    px_matcher_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_stops_all_is_shown),
        cmocka_unit_test(inside_one_piece),
        cmocka_unit_test(over_many_pieces),
        cmocka_unit_test(held_text_comes_out_when_it_is_no_stop),
        cmocka_unit_test(the_first_to_end_wins_and_then_the_longest),
        cmocka_unit_test(whole_characters),
        cmocka_unit_test(refuses),
        cmocka_unit_test(as_a_plain_search_finds),
        cmocka_unit_test(a_matcher_finds_all_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

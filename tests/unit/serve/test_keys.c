/* keys: files of API keys, and their limits as time goes on. */
#include "support/support.h"

#include "serve/keys.h"

#include <string.h>

#include <cmocka.h>

static serve_keys *parse(const char *text)
{
    pith_error err = {0};
    serve_keys *keys = serve_keys_parse("keys", text, strlen(text), &err);
    if (!keys)
        fail_msg("%s", err.text);
    return keys;
}

static void refused(const char *text, size_t len, const char *part)
{
    pith_error err = {0};
    serve_keys *keys = serve_keys_parse("keys", text, len, &err);
    assert_null(keys);
    assert_int_equal(err.status, PITH_E_FORMAT);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in: %s", part, err.text);
}

static void lines_are_keys_with_names(void **state)
{
    (void)state;
    serve_keys *keys = parse(
        "# all\n\nalpha-key-1:ann rps=2\r\n  beta-key-22\ttpm=5 concurrent=3 # note\ngamma-key");
    assert_string_equal(serve_key_name(serve_keys_find(keys, "alpha-key-1")), "ann");
    assert_string_equal(serve_key_name(serve_keys_find(keys, "beta-key-22")), "");
    assert_non_null(serve_keys_find(keys, "gamma-key"));
    assert_null(serve_keys_find(keys, "alpha-key-1:ann"));
    assert_null(serve_keys_find(keys, "alpha-key-"));
    assert_null(serve_keys_find(keys, "alpha-key-11"));
    assert_null(serve_keys_find(keys, ""));
    assert_null(serve_keys_find(keys, "#"));
    serve_keys_free(keys);
}

static void what_is_no_key_file_is_refused(void **state)
{
    (void)state;
    refused("", 0, "has no key");
    refused("# nothing\n", 10, "has no key");
    refused("short\n", 6, "line 1: the key has 5 characters, expected 8 to 512");
    refused("a-long-key\nanother-key rps=-1\n", 30, "line 2: found 'rps=-1'");
    refused("a-long-key concurrent=1.5", 25, "concurrent=1.5");
    refused("a-long-key tpm=", 15, "found 'tpm='");
    refused("a-long-key tpm=1x", 17, "found 'tpm=1x'");
    refused("a-long-key\nb\0-long-key", 22, "line 2: found a zero byte");
}

static void enter(serve_key *key, double now, int http, int retry_after)
{
    serve_problem p = {0};
    assert_int_equal(serve_key_enter(key, now, &p), http == 0);
    assert_int_equal(p.http, http);
    assert_int_equal(p.retry_after, retry_after);
}

static void requests_a_second_fill_up_again(void **state)
{
    (void)state;
    serve_keys *keys = parse("two-a-second rps=2\none-in-four rps=0.25\n");
    serve_key *two = serve_keys_find(keys, "two-a-second"),
              *slow = serve_keys_find(keys, "one-in-four");
    double t = serve_now() + 100;
    enter(two, t, 0, 0);
    enter(two, t, 0, 0);
    enter(two, t, 429, 1);
    enter(two, t + 0.4, 429, 1);
    enter(two, t + 0.5, 0, 0);
    enter(two, t + 0.5, 429, 1);
    enter(two, t + 60, 0, 0); // a minute later there are two, not 119
    enter(two, t + 60, 0, 0);
    enter(two, t + 60, 429, 1);
    enter(slow, t, 0, 0);
    enter(slow, t, 429, 4);
    enter(slow, t + 3, 429, 1);
    enter(slow, t + 4, 0, 0);
    serve_keys_free(keys);
}

static void tokens_are_paid_when_they_are_known(void **state)
{
    (void)state;
    serve_keys *keys = parse("sixty-a-minute tpm=60\n");
    serve_key *key = serve_keys_find(keys, "sixty-a-minute");
    double t = serve_now() + 100;
    enter(key, t, 0, 0);
    serve_key_leave(key, t, 90); // thirty more than there were
    enter(key, t, 429, 30);
    enter(key, t + 29, 429, 1);
    enter(key, t + 31, 0, 0);
    serve_keys_free(keys);
}

static void only_so_many_at_once(void **state)
{
    (void)state;
    serve_keys *keys = parse("two-at-once concurrent=2\n");
    serve_key *key = serve_keys_find(keys, "two-at-once");
    enter(key, 1, 0, 0);
    enter(key, 1, 0, 0);
    enter(key, 1, 429, 1);
    serve_key_leave(key, 1, 5);
    enter(key, 1, 0, 0);
    enter(key, 1, 429, 1);
    enter(NULL, 1, 0, 0);
    serve_key_leave(NULL, 1, 5);
    serve_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_keys_with_names),
        cmocka_unit_test(what_is_no_key_file_is_refused),
        cmocka_unit_test(requests_a_second_fill_up_again),
        cmocka_unit_test(tokens_are_paid_when_they_are_known),
        cmocka_unit_test(only_so_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

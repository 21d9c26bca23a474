/* JSON where it lies: what is well formed, and what slices read. */
#include "support/support.h"

#include "base/json.h"
#include "base/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static pith_status check(const char *text, px_json *out, pith_error *err)
{
    *err = (pith_error){0};
    return px_json_check("x.json", text, strlen(text), out, err);
}

static px_json parse(const char *text)
{
    px_json v;
    pith_error err;
    if (check(text, &v, &err) != PITH_OK)
        fail_msg("%s: %s", text, err.text);
    return v;
}

static void accepts_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        px_json_type type;
    } GOOD[] = {{"null", PX_JSON_NULL},
                {" true ", PX_JSON_BOOL},
                {"\xef\xbb\xbf[]", PX_JSON_ARRAY},
                {"-0.5e+10", PX_JSON_NUMBER},
                {"0", PX_JSON_NUMBER},
                {"\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t\"", PX_JSON_STRING},
                {"[ 1 , [ ] , { } , \"]\" ]", PX_JSON_ARRAY},
                {"{ \"a\" : { \"b\" : [ 1 , 2 ] } , \"c\" : null }", PX_JSON_OBJECT},
                {"\"\xf0\x9f\x98\x80\"", PX_JSON_STRING}};
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++)
        assert_int_equal(px_json_type_of(parse(GOOD[i].text)), GOOD[i].type);
}

static void refuses_what_is_not_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } BAD[] = {
        {"", "line 1 column 1: found the end, expected a value"},
        {"\n\n  nul", "line 3 column 3: found 'n', expected a value"},
        {"[1,]", "column 4: found ']', expected a value"},
        {"[1 2]", "column 4: found '2', expected ',' or ']'"},
        {"{\"a\":1,}", "column 8: found '}', expected a string as key"},
        {"{\"a\" 1}", "found '1', expected ':'"},
        {"{a:1}", "found 'a', expected a string as key"},
        {"{\"a\":1]", "found ']', expected ',' or '}'"},
        {"[1}", "found '}', expected ',' or ']'"},
        {"01", "expected a number without leading zeros"},
        {"-", "found the end, expected a digit"},
        {"1.", "expected a digit behind the point"},
        {"1e", "expected a digit in the exponent"},
        {"+1", "found '+', expected a value"},
        {"NaN", "found 'N', expected a value"},
        {"\"abc", "expected the '\"' that ends the string"},
        {"\"a\nb\"", "found byte 0x0a, expected an escaped control character"},
        {"\"\\x\"", "found 'x', expected one of"},
        {"\"\\u12g4\"", "found 'g', expected four hexadecimal digits"},
        {"\"\xff\"", "found byte 0xff, expected UTF-8"},
        {"\"\xed\xa0\x80\"", "found byte 0xed, expected UTF-8"},
        {"1 2", "found '2', expected nothing behind the value"},
        {"[", "found the end, expected a value"},
        {"{", "found the end, expected a string as key"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        px_json v;
        pith_error err;
        assert_int_equal(check(BAD[i].text, &v, &err), PITH_E_FORMAT);
        if (!strstr(err.text, BAD[i].message))
            fail_msg("%s: %s", BAD[i].text, err.text);
        assert_non_null(strstr(err.text, "'x.json'"));
        assert_null(v.at);
    }
}

static void caps_depth(void **state)
{
    (void)state;
    enum { DEEP = PX_MAX_JSON_DEPTH };
    char text[2 * DEEP + 3];
    px_json v;
    pith_error err;
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    text[2 * DEEP] = '\0';
    assert_int_equal(check(text, &v, &err), PITH_OK);
    memset(text, '[', DEEP + 1);
    memset(text + DEEP + 1, ']', DEEP + 1);
    text[2 * DEEP + 2] = '\0';
    assert_int_equal(check(text, &v, &err), PITH_E_LIMIT);
}

static void finds_and_walks(void **state)
{
    (void)state;
    px_json v =
        parse("{\"a\":[1,\"x]\",{\"q\":\"}\"}],\"b\\u0063\":true,\"a\":{\"n\":-7},\"e\":[]}");
    px_json a = px_json_find(v, "a");
    assert_int_equal(px_json_type_of(a), PX_JSON_OBJECT); // the last of two
    int64_t i = 0;
    assert_true(px_json_get_int(px_json_find(a, "n"), &i));
    assert_int_equal(i, -7);
    bool b = false;
    assert_true(px_json_get_bool(px_json_find(v, "bc"), &b) && b);
    assert_int_equal(px_json_type_of(px_json_find(v, "nope")), PX_JSON_NONE);
    assert_int_equal(px_json_type_of(px_json_find(px_json_find(v, "e"), "x")), PX_JSON_NONE);
    assert_int_equal(px_json_count(v), 4);
    assert_int_equal(px_json_count(px_json_find(v, "e")), 0);
    px_json_walk w = px_json_each(v);
    px_json key, value;
    assert_true(px_json_next(&w, &key, &value));
    assert_true(px_json_is(key, px_str_of("a")));
    assert_int_equal(px_json_count(value), 3);
    px_json_walk inner = px_json_each(value);
    assert_true(px_json_next(&inner, &key, &value));
    assert_int_equal(px_json_type_of(key), PX_JSON_NONE);
    assert_true(px_json_next(&inner, &key, &value));
    assert_true(px_json_is(value, px_str_of("x]")));
    assert_true(px_json_next(&inner, &key, &value));
    assert_true(px_json_is(px_json_find(value, "q"), px_str_of("}")));
    assert_false(px_json_next(&inner, &key, &value));
}

static void reads_numbers(void **state)
{
    (void)state;
    int64_t i = 0;
    double d = 0;
    assert_true(px_json_get_int(parse("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(px_json_get_int(parse("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(px_json_get_int(parse("9223372036854775808"), &i));
    assert_false(px_json_get_int(parse("-9223372036854775809"), &i));
    assert_false(px_json_get_int(parse("1.0"), &i));
    assert_false(px_json_get_int(parse("\"1\""), &i));
    assert_true(px_json_get_int(parse("-0"), &i) && i == 0);
    assert_true(px_json_get_double(parse("1e-05"), &d) && d == 1e-5);
    assert_true(px_json_get_double(parse("-12.75"), &d) && d == -12.75);
    assert_true(px_json_get_double(parse("1e999"), &d) && isinf(d));
    assert_false(px_json_get_double(parse("true"), &d));
    /* The number ends with the text, which no zero byte follows. */
    px_json v;
    pith_error err = {0};
    assert_int_equal(px_json_check("x", "4096", 2, &v, &err), PITH_OK);
    assert_true(px_json_get_int(v, &i) && i == 40);
    assert_true(px_json_get_double(v, &d) && d == 40.0);
}

static void reads_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } CASES[] = {{"\"\"", ""},
                 {"\"a\\n\\t\\u0041\\/\"", "a\n\tA/"},
                 {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
                 {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
                 {"\"\\ude00\"", "\xef\xbf\xbd"},
                 {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                                        "A"},
                 {"\"\xc3\xa4\\u00e4\"", "\xc3\xa4\xc3\xa4"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        px_buf out = {0};
        px_json v = parse(CASES[i].text);
        assert_true(px_json_get_string(v, &out));
        assert_string_equal(out.data, CASES[i].expected);
        assert_int_equal(out.len, strlen(CASES[i].expected));
        assert_true(px_json_is(v, px_str_of(CASES[i].expected)));
        assert_false(px_json_is(v, px_str_of("else")));
        px_buf_clear(&out);
    }
    px_buf out = {0};
    assert_false(px_json_get_string(parse("1"), &out));
    px_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_json),  cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(caps_depth),    cmocka_unit_test(finds_and_walks),
        cmocka_unit_test(reads_numbers), cmocka_unit_test(reads_strings),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

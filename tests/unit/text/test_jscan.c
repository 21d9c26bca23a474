/* The JSON reader: what it takes and refuses, lines, and blocks of a file. */
#include "text/jscan.h"

#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Writes events as one text: {k"key"s"str"n12tfz[...]}. Stops at the first failure. */
static pith_status dump(px_jscan *js, px_buf *out, pith_error *err)
{
    static const char names[] = ".{}[]ksntfz";
    pith_status st;
    while ((st = px_jscan_next(js, err)) == PITH_OK) {
        px_buf_putc(out, names[js->event]);
        if (js->event == PX_JSON_KEY || js->event == PX_JSON_STRING ||
            js->event == PX_JSON_NUMBER) {
            px_buf_printf(out, "%zu:", js->text.len);
            px_buf_put(out, js->text.data, js->text.len);
        }
        if (js->event == PX_JSON_END)
            break;
    }
    return st;
}

static void takes(void **state)
{
    (void)state;
    static const struct {
        const char *json, *events;
    } rows[] = {
        {"{}", "{}."},
        {" [ ] ", "[]."},
        {"\"\"", "s0:."},
        {"true", "t."},
        {"[true,false,null]", "[tfz]."},
        {"{\"a\":1,\"b\":[{}],\"\":\"x\"}", "{k1:an1:1k1:b[{}]k0:s1:x}."},
        {"-0.5e+10", "n8:-0.5e+10."},
        {"[0,-1,1E3,0.25]", "[n1:0n2:-1n3:1E3n4:0.25]."},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s8:\"\\/\b\f\n\r\t."},
        {"\"\\u0041\\u00e9\\u4e00\\ud83d\\ude00\"", "s10:A\xc3\xa9\xe4\xb8\x80\xf0\x9f\x98\x80."},
        {"\"\xc3\xa9\x7f\"", "s3:\xc3\xa9\x7f."},
        {"{\"a\" :\n1 , \"a\": 2}", "{k1:an1:1k1:an1:2}."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        px_jscan js;
        px_buf out = {0};
        pith_error err = {0};
        px_jscan_over(&js, "test", rows[i].json, strlen(rows[i].json));
        if (dump(&js, &out, &err) != PITH_OK)
            fail_msg("%s: %s", rows[i].json, err.text);
        assert_string_equal(out.data, rows[i].events);
        px_buf_clear(&out);
        px_jscan_close(&js);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"", "test: line 1: the file ends too early"},
        {"\n\n[1,\n2", "test: line 4: the file ends too early"},
        {"[1 2]", "test: line 1: a comma is missing"},
        {"[1,]", "test: line 1: something that is no JSON value"},
        {"{\"a\"\n1}", "test: line 2: a key without a colon"},
        {"{a:1}", "test: line 1: a key is missing"},
        {"{\"a\":1,}", "test: line 1: a key is missing"},
        {"[}", "test: line 1: something that is no JSON value"},
        {"{]", "test: line 1: a key is missing"},
        {"[1}", "test: line 1: a comma is missing"},
        {"1 1", "test: line 1: something follows the end of the document"},
        {"\"a", "test: line 1: a string without end"},
        {"\"a\nb\"", "test: line 1: a control character in a string"},
        {"\"\\x\"", "test: line 1: an escape that JSON does not have"},
        {"\"\\u12g4\"", "test: line 1: \\u without four hexadecimal digits"},
        {"\"\\ud800\"", "test: line 1: half a surrogate pair in a string"},
        {"\"\\udc00\"", "test: line 1: half a surrogate pair in a string"},
        {"\"\\ud800\\u0041\"", "test: line 1: half a surrogate pair in a string"},
        {"\"\xff\"", "test: line 1: a string that is not valid UTF-8"},
        {"\"\xc3\"", "test: line 1: a string that is not valid UTF-8"},
        {"01", "test: line 1: something that is no JSON value"},
        {"1.", "test: line 1: something that is no JSON value"},
        {".5", "test: line 1: something that is no JSON value"},
        {"+1", "test: line 1: something that is no JSON value"},
        {"1e", "test: line 1: something that is no JSON value"},
        {"NaN", "test: line 1: something that is no JSON value"},
        {"truth", "test: line 1: something that is no JSON value"},
        {"//\n1", "test: line 1: something that is no JSON value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        px_jscan js;
        px_buf out = {0};
        pith_error err = {0};
        px_jscan_over(&js, "test", rows[i].json, strlen(rows[i].json));
        assert_int_equal(dump(&js, &out, &err), PITH_E_FORMAT);
        assert_string_equal(err.text, rows[i].text);
        px_buf_clear(&out);
        px_jscan_close(&js);
    }
}

static void deep(void **state)
{
    (void)state;
    char json[2 * PX_MAX_JSON_DEPTH + 3];
    px_jscan js;
    px_buf out = {0};
    pith_error err = {0};
    memset(json, '[', PX_MAX_JSON_DEPTH);
    memset(json + PX_MAX_JSON_DEPTH, ']', PX_MAX_JSON_DEPTH);
    px_jscan_over(&js, "test", json, 2 * PX_MAX_JSON_DEPTH);
    assert_int_equal(dump(&js, &out, &err), PITH_OK);
    px_jscan_close(&js);
    memset(json, '[', PX_MAX_JSON_DEPTH + 1);
    px_jscan_over(&js, "test", json, PX_MAX_JSON_DEPTH + 1);
    assert_int_equal(dump(&js, &out, &err), PITH_E_LIMIT);
    assert_string_equal(err.text, "test: line 1: more than 128 brackets inside each other");
    px_jscan_close(&js);
    px_buf_clear(&out);
}

/* A document of more than two blocks, read from memory and from a file, gives the same events,
 * wherever the borders of the blocks fall. */
static void blocks(void **state)
{
    (void)state;
    test_random r = test_random_start(3);
    px_buf json = {0};
    for (int round = 0; round < 12; round++) {
        px_buf_reset(&json);
        px_buf_puts(&json, "[");
        for (uint64_t i = test_random_below(&r, 16); i > 0; i--)
            px_buf_puts(&json, "\n");
        while (json.len < 600000) {
            uint64_t n = test_random_below(&r, 30);
            px_buf_printf(&json, "{\"key%llu\\u00e9",
                          (unsigned long long)test_random_below(&r, 99));
            for (uint64_t i = 0; i < n; i++)
                px_buf_puts(&json, i % 7 ? "x" : "\\n");
            px_buf_printf(&json, "\"%*s:%*s%llu.5,\"\xe4\xb8\x80%*s\":", (int)(n % 5), "",
                          (int)(n % 9), "", (unsigned long long)test_random_u64(&r), (int)n, "z");
            px_buf_puts(&json, n % 2 ? "true},\n" : "\"\xf0\x9f\x98\x80\"} \n , ");
        }
        px_buf_puts(&json, "null]");
        assert_false(json.failed);
        const char *path = test_temp("blocks.json");
        test_write(path, json.data, json.len);
        px_jscan js;
        px_buf one = {0}, two = {0};
        pith_error err = {0};
        px_jscan_over(&js, "test", json.data, json.len);
        if (dump(&js, &one, &err) != PITH_OK)
            fail_msg("%s", err.text);
        int64_t lines = js.line;
        px_jscan_close(&js);
        assert_int_equal(px_jscan_open(&js, path, "test", json.len, &err), PITH_OK);
        if (dump(&js, &two, &err) != PITH_OK)
            fail_msg("%s", err.text);
        assert_int_equal(js.line, lines);
        px_jscan_close(&js);
        assert_int_equal(one.len, two.len);
        assert_memory_equal(one.data, two.data, one.len);
        px_buf_clear(&one);
        px_buf_clear(&two);
    }
    px_buf_clear(&json);
}

static void opening(void **state)
{
    (void)state;
    px_jscan js;
    pith_error err = {0};
    assert_int_equal(px_jscan_open(&js, test_temp("none"), "test", 10, &err), PITH_E_NOT_FOUND);
    err = (pith_error){0};
    assert_int_equal(px_jscan_open(&js, test_source("tests"), "test", 10, &err), PITH_E_IO);
    err = (pith_error){0};
    test_write(test_temp("long.json"), "[1, 2, 3, 4]", 12);
    assert_int_equal(px_jscan_open(&js, test_temp("long.json"), "test", 11, &err), PITH_E_LIMIT);
}

static void skipping(void **state)
{
    (void)state;
    const char *json = "{\"a\":[1,{\"b\":[]}],\"c\":2}";
    px_jscan js;
    pith_error err = {0};
    px_jscan_over(&js, "test", json, strlen(json));
    assert_int_equal(px_jscan_need(&js, PX_JSON_OBJECT, &err), PITH_OK);
    assert_int_equal(px_jscan_need(&js, PX_JSON_KEY, &err), PITH_OK);
    assert_int_equal(px_jscan_next(&js, &err), PITH_OK);
    assert_int_equal(px_jscan_skip(&js, &err), PITH_OK);
    assert_int_equal(px_jscan_need(&js, PX_JSON_KEY, &err), PITH_OK);
    assert_true(px_str_is(js.text, "c"));
    assert_int_equal(px_jscan_need(&js, PX_JSON_STRING, &err), PITH_E_FORMAT);
    assert_string_equal(err.text, "test: line 1: a number is here, expected a string");
    px_jscan_close(&js);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
        bool ok;
    } ints[] = {
        {"0", 0, true},
        {"-5", -5, true},
        {"9223372036854775807", INT64_MAX, true},
        {"-9223372036854775808", INT64_MIN, true},
        {"9223372036854775808", 0, false},
        {"-9223372036854775809", 0, false},
        {"99999999999999999999", 0, false},
        {"1.0", 0, false},
        {"1e3", 0, false},
        {"-", 0, false},
    };
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        int64_t v = 0;
        bool ok = px_json_int(px_str_of(ints[i].text), INT64_MIN, INT64_MAX, &v);
        assert_int_equal(ok, ints[i].ok);
        if (ok)
            assert_true(v == ints[i].value);
    }
    int64_t v;
    assert_false(px_json_int(px_str_of("7"), 8, 9, &v));
    assert_false(px_json_int(px_str_of("-7"), 0, 9, &v));
    static const struct {
        const char *text;
        double value;
    } doubles[] = {
        {"0", 0.0},
        {"-0.0", -0.0},
        {"1.5", 1.5},
        {"-10.123456789012345", -10.123456789012345},
        {"3.141592653589793115997963", 3.141592653589793},
        {"1e22", 1e22},
        {"2.5e-7", 2.5e-7},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"1e999", __builtin_inf()},
        {"1e-999", 0.0},
    };
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        if (px_json_double(px_str_of(doubles[i].text)) != doubles[i].value)
            fail_msg("%s is read as %.17g", doubles[i].text,
                     px_json_double(px_str_of(doubles[i].text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes),   cmocka_unit_test(refuses), cmocka_unit_test(deep),
        cmocka_unit_test(blocks),  cmocka_unit_test(opening), cmocka_unit_test(skipping),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

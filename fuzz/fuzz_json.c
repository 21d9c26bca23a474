/*
 * fuzz_json: the JSON reader against jansson. What jansson takes, px_json_check takes, and the
 * other way round but for numbers too large for jansson's types and nesting; every value of what is
 * taken can be walked, counted and read.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <jansson.h>
#include <string.h>

/* Reads a value in every way there is; `from` and `to` bound the text. */
static void read_all(px_json value, const char *from, const char *to)
{
    FUZZ_CHECK(from <= value.at && value.at < value.end && value.end <= to);
    bool truth;
    double number;
    int64_t integer;
    px_buf text = {0};
    px_json_type type = px_json_type_of(value);
    FUZZ_CHECK(px_json_get_bool(value, &truth) == (type == PX_JSON_BOOL));
    FUZZ_CHECK(type == PX_JSON_NUMBER || !px_json_get_double(value, &number));
    FUZZ_CHECK(type == PX_JSON_NUMBER || !px_json_get_int(value, &integer));
    FUZZ_CHECK(px_json_get_string(value, &text) == (type == PX_JSON_STRING));
    if (type == PX_JSON_STRING) {
        FUZZ_CHECK(!text.failed && px_utf8_valid(text.data ? text.data : "", text.len));
        FUZZ_CHECK(px_json_is(value, (px_str){text.data, text.len}));
    }
    px_buf_clear(&text);
    px_json_walk walk = px_json_each(value);
    uint64_t n = 0;
    for (px_json key, child; px_json_next(&walk, &key, &child); n++) {
        FUZZ_CHECK(px_json_type_of(key) ==
                   (type == PX_JSON_OBJECT ? PX_JSON_STRING : PX_JSON_NONE));
        if (type == PX_JSON_OBJECT)
            read_all(key, value.at, value.end);
        read_all(child, value.at, value.end);
    }
    FUZZ_CHECK(n == px_json_count(value));
    FUZZ_CHECK(n == 0 || type == PX_JSON_ARRAY || type == PX_JSON_OBJECT);
}

/* How deep arrays and objects lie in each other, of text that jansson took. */
static size_t depth(const char *text, size_t n)
{
    size_t now = 0, most = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '[' || text[i] == '{'))
            most = ++now > most ? now : most;
        else if (!quoted && (text[i] == ']' || text[i] == '}'))
            now--;
    }
    return most;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    px_json value;
    pith_error err = {0};
    pith_status status = px_json_check("seed", text, size, &value, &err);
    FUZZ_CHECK(status == err.status);
    json_error_t other;
    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; // ours passes over it
    json_t *tree = json_loadb(text + mark, size - mark, JSON_DECODE_ANY | JSON_ALLOW_NUL, &other);
    if (tree && !memchr(text, '\0', size)) // jansson loses a zero byte that it has put back
        FUZZ_CHECK(status == PITH_OK || depth(text, size) > PX_MAX_JSON_DEPTH);
    if (status == PITH_OK) {
        enum json_error_code why = json_error_code(&other);
        FUZZ_CHECK(tree || why == json_error_numeric_overflow || why == json_error_stack_overflow ||
                   why == json_error_null_byte_in_key || strstr(other.text, "invalid Unicode"));
        read_all(value, text, text + size);
        (void)px_json_find(value, "a");
    } else {
        FUZZ_CHECK(err.text[0] != '\0');
    }
    json_decref(tree);
    return 0;
}

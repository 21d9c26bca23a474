/*
 * json: see json.h. The checker is a loop with one bit a nesting level (array or object), so that
 * depth costs no stack; after it, the readers only look for the ends of what is known to be well
 * formed.
 */
#include "base/json.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- checking */

typedef struct checker {
    const char *name, *text, *at, *end;
    int depth;
    bool in_object[PX_MAX_JSON_DEPTH + 1];
    pith_error *err;
} checker;

void px_json_place(const char *text, const char *at, size_t *line, size_t *column)
{
    const char *start = text;
    *line = 1;
    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            ++*line;
            start = p + 1;
        }
    }
    *column = (size_t)(at - start) + 1;
}

static pith_status bad(const checker *c, const char *at, const char *expected)
{
    size_t line, column;
    char found[16] = "the end";
    px_json_place(c->text, at, &line, &column);
    if (at < c->end) {
        unsigned char b = (unsigned char)*at;
        if (b >= 0x20 && b < 0x7f)
            snprintf(found, sizeof found, "'%c'", b);
        else
            snprintf(found, sizeof found, "byte 0x%02x", b);
    }
    return px_fail(c->err, PITH_E_FORMAT, "'%s' line %zu column %zu: found %s, expected %s",
                   c->name, line, column, found, expected);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void skip_space(checker *c)
{
    while (c->at < c->end && is_space(*c->at))
        c->at++;
}

static pith_status check_escape(checker *c)
{
    const char *p = c->at + 1; // behind the backslash
    if (p == c->end || !strchr("\"\\/bfnrtu", *p) || *p == '\0')
        return bad(c, p, "one of \"\\/bfnrtu behind a backslash");
    c->at += 2;
    for (int i = 0; *p == 'u' && i < 4; i++, c->at++)
        if (c->at == c->end || hex(*c->at) < 0)
            return bad(c, c->at, "four hexadecimal digits behind \\u");
    return PITH_OK;
}

/* c->at stands on the opening quote. */
static pith_status check_string(checker *c)
{
    c->at++;
    while (c->at < c->end && *c->at != '"') {
        unsigned char b = (unsigned char)*c->at;
        uint32_t code;
        pith_status status = PITH_OK;
        if (b == '\\')
            status = check_escape(c);
        else if (b < 0x20)
            status = bad(c, c->at, "an escaped control character");
        else if (b < 0x80)
            c->at++;
        else {
            int n = px_utf8_get(c->at, (size_t)(c->end - c->at), &code);
            if (n == 0)
                status = bad(c, c->at, "UTF-8");
            c->at += n;
        }
        if (status != PITH_OK)
            return status;
    }
    if (c->at == c->end)
        return bad(c, c->at, "the '\"' that ends the string");
    c->at++;
    return PITH_OK;
}

static bool check_digits(checker *c)
{
    const char *start = c->at;
    while (c->at < c->end && is_digit(*c->at))
        c->at++;
    return c->at > start;
}

static pith_status check_number(checker *c)
{
    if (*c->at == '-')
        c->at++;
    const char *start = c->at;
    if (!check_digits(c))
        return bad(c, c->at, "a digit");
    if (*start == '0' && c->at > start + 1)
        return bad(c, start, "a number without leading zeros");
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (!check_digits(c))
            return bad(c, c->at, "a digit behind the point");
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
            c->at++;
        if (!check_digits(c))
            return bad(c, c->at, "a digit in the exponent");
    }
    return PITH_OK;
}

static pith_status check_word(checker *c)
{
    static const char *const WORDS[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(WORDS[i]);
        if ((size_t)(c->end - c->at) >= n && memcmp(c->at, WORDS[i], n) == 0) {
            c->at += n;
            return PITH_OK;
        }
    }
    return bad(c, c->at, "a value");
}

/* A key and its colon. */
static pith_status check_key(checker *c)
{
    skip_space(c);
    if (c->at == c->end || *c->at != '"')
        return bad(c, c->at, "a string as key");
    pith_status status = check_string(c);
    if (status != PITH_OK)
        return status;
    skip_space(c);
    if (c->at == c->end || *c->at != ':')
        return bad(c, c->at, "':'");
    c->at++;
    return PITH_OK;
}

/* An opening bracket: steps in. *opened is false when the container is empty and already behind. */
static pith_status open_container(checker *c, bool *opened)
{
    bool object = *c->at == '{';
    if (c->depth == PX_MAX_JSON_DEPTH)
        return px_fail(c->err, PITH_E_LIMIT, "'%s' nests deeper than %d levels", c->name,
                       PX_MAX_JSON_DEPTH);
    c->at++;
    skip_space(c);
    *opened = c->at == c->end || *c->at != (object ? '}' : ']');
    if (!*opened) {
        c->at++;
        return PITH_OK;
    }
    c->in_object[c->depth++] = object;
    return object ? check_key(c) : PITH_OK;
}

/* One value up to, for a container, the place of its first element. */
static pith_status check_start(checker *c, bool *opened)
{
    *opened = false;
    skip_space(c);
    if (c->at == c->end)
        return bad(c, c->at, "a value");
    switch (*c->at) {
    case '{':
    case '[':
        return open_container(c, opened);
    case '"':
        return check_string(c);
    case '-':
        return check_number(c);
    default:
        return is_digit(*c->at) ? check_number(c) : check_word(c);
    }
}

/* Behind a value: closes containers and steps over commas until another value is due or all are
 * closed. */
static pith_status check_after(checker *c)
{
    while (c->depth > 0) {
        bool object = c->in_object[c->depth - 1];
        skip_space(c);
        if (c->at < c->end && *c->at == ',') {
            c->at++;
            return object ? check_key(c) : PITH_OK;
        }
        if (c->at == c->end || *c->at != (object ? '}' : ']'))
            return bad(c, c->at, object ? "',' or '}'" : "',' or ']'");
        c->at++;
        c->depth--;
    }
    return PITH_OK;
}

pith_status px_json_check(const char *name, const char *text, size_t n, px_json *out,
                          pith_error *err)
{
    if (!text)
        text = "";
    checker c = {.name = name, .text = text, .at = text, .end = text + n, .err = err};
    *out = (px_json){0};
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c.at += 3; // a byte order mark, which some editors leave
    skip_space(&c);
    const char *start = c.at;
    do {
        bool opened = false;
        pith_status status = check_start(&c, &opened);
        if (status == PITH_OK && !opened)
            status = check_after(&c);
        if (status != PITH_OK)
            return status;
    } while (c.depth > 0);
    *out = (px_json){.at = start, .end = c.at};
    skip_space(&c);
    if (c.at < c.end) {
        *out = (px_json){0};
        return bad(&c, c.at, "nothing behind the value");
    }
    return PITH_OK;
}

/* ---- reading what was checked */

px_json_type px_json_type_of(px_json value)
{
    if (!value.at)
        return PX_JSON_NONE;
    switch (*value.at) {
    case '{':
        return PX_JSON_OBJECT;
    case '[':
        return PX_JSON_ARRAY;
    case '"':
        return PX_JSON_STRING;
    case 't':
    case 'f':
        return PX_JSON_BOOL;
    case 'n':
        return PX_JSON_NULL;
    default:
        return PX_JSON_NUMBER;
    }
}

const char *px_json_type_name(px_json_type type)
{
    static const char *const NAMES[] = {"nothing",  "null",     "a bool",   "a number",
                                        "a string", "an array", "an object"};
    return NAMES[type];
}

/* These stop at `end` even where the text has changed since it was checked, as a mapped file may.
 */
static const char *after_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* Behind the value that starts at `at`. */
static const char *after_value(const char *at, const char *end)
{
    if (*at == '"')
        return after_string(at, end);
    if (*at != '{' && *at != '[') {
        while (at < end && !is_space(*at) && *at != ',' && *at != '}' && *at != ']')
            at++;
        return at;
    }
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = after_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
    } while (depth > 0 && at < end);
    return at;
}

px_json_walk px_json_each(px_json container)
{
    px_json_type type = px_json_type_of(container);
    if (type != PX_JSON_ARRAY && type != PX_JSON_OBJECT)
        return (px_json_walk){0};
    return (px_json_walk){
        .at = container.at + 1, .end = container.end - 1, .object = type == PX_JSON_OBJECT};
}

/* Over white space and the marks between elements. */
static void to_element(px_json_walk *w)
{
    while (w->at < w->end && (is_space(*w->at) || *w->at == ',' || *w->at == ':'))
        w->at++;
}

bool px_json_next(px_json_walk *walk, px_json *key, px_json *value)
{
    px_json name = {0};
    to_element(walk);
    if (walk->at == walk->end)
        return false;
    if (walk->object) {
        name = (px_json){.at = walk->at, .end = after_string(walk->at, walk->end)};
        walk->at = name.end;
        to_element(walk);
        if (walk->at == walk->end)
            return false;
    }
    *value = (px_json){.at = walk->at, .end = after_value(walk->at, walk->end)};
    walk->at = value->end;
    if (key)
        *key = name;
    return true;
}

uint64_t px_json_count(px_json container)
{
    px_json_walk w = px_json_each(container);
    px_json value;
    uint64_t n = 0;
    while (px_json_next(&w, NULL, &value))
        n++;
    return n;
}

px_json px_json_find(px_json object, const char *key)
{
    px_json found = {0}, name, value;
    if (px_json_type_of(object) != PX_JSON_OBJECT)
        return found;
    px_json_walk w = px_json_each(object);
    while (px_json_next(&w, &name, &value))
        if (px_json_is(name, px_str_of(key)))
            found = value;
    return found;
}

bool px_json_get_bool(px_json value, bool *out)
{
    if (px_json_type_of(value) != PX_JSON_BOOL)
        return false;
    *out = *value.at == 't';
    return true;
}

bool px_json_get_double(px_json value, double *out)
{
    if (px_json_type_of(value) != PX_JSON_NUMBER)
        return false;
    /* strtod needs a zero byte behind the number, which may end with the text. */
    char copy[512];
    size_t n = (size_t)(value.end - value.at);
    if (n >= sizeof copy)
        return false;
    memcpy(copy, value.at, n);
    copy[n] = '\0';
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); // a point is a point in every locale
    if (!c)
        return false;
    *out = strtod_l(copy, NULL, c);
    freelocale(c);
    return true;
}

bool px_json_get_int(px_json value, int64_t *out)
{
    if (px_json_type_of(value) != PX_JSON_NUMBER)
        return false;
    bool negative = *value.at == '-';
    int64_t v = 0;
    for (const char *p = value.at + negative; p < value.end; p++) {
        if (!is_digit(*p) || __builtin_mul_overflow(v, (int64_t)10, &v) ||
            __builtin_sub_overflow(v, (int64_t)(*p - '0'), &v))
            return false;
    }
    if (!negative && v == INT64_MIN)
        return false;
    *out = negative ? v : -v;
    return true;
}

static uint32_t four_hex(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)hex(p[i]);
    return v;
}

/* Reads one character of a string's inside as the bytes it means; moves *at behind it. */
static int decode_char(const char **at, const char *end, char out[4])
{
    const char *p = *at;
    ptrdiff_t left = end - p;
    if (*p != '\\' || left < 2 || (p[1] == 'u' && left < 6)) {
        *at = p + 1;
        out[0] = *p;
        return 1; // bytes of UTF-8 pass one by one
    }
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    *at = p + 2;
    if (p[1] != 'u') {
        const char *hit = strchr(FROM, p[1]);
        out[0] = hit ? TO[hit - FROM] : p[1];
        return 1;
    }
    uint32_t code = four_hex(p + 2);
    *at = p + 6;
    if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = four_hex(p + 8);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            *at = p + 12;
        }
    }
    return px_utf8_put(code, out); // a lone surrogate becomes U+FFFD there
}

bool px_json_get_string(px_json value, px_buf *out)
{
    if (px_json_type_of(value) != PX_JSON_STRING)
        return false;
    const char *at = value.at + 1, *end = value.end - 1;
    px_buf_put(out, "", 0); // so that an empty string has its zero byte too
    while (at < end) {
        const char *plain = at;
        while (at < end && *at != '\\')
            at++;
        px_buf_put(out, plain, (size_t)(at - plain));
        if (at == end)
            break;
        char bytes[4];
        int n = decode_char(&at, end, bytes);
        px_buf_put(out, bytes, (size_t)n);
    }
    return true;
}

bool px_json_is(px_json value, px_str text)
{
    if (px_json_type_of(value) != PX_JSON_STRING)
        return false;
    const char *at = value.at + 1, *end = value.end - 1;
    size_t i = 0;
    while (at < end) {
        char bytes[4];
        size_t n = (size_t)decode_char(&at, end, bytes);
        if (n > text.len - i || memcmp(text.data + i, bytes, n) != 0)
            return false;
        i += n;
    }
    return i == text.len;
}

/*
 * jscan: see jscan.h.
 *
 * What may come next is one of four states: a value, a key or "}", ":" (read together with the key)
 * and "," or a closing bracket. A string is lent from the block where it lies in it whole and has
 * no escapes, else it is put together in `scratch`.
 */
#include "text/jscan.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (256u << 10)

enum {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,
    EXPECT_KEY,
    EXPECT_KEY_OR_END,
    EXPECT_COMMA,
    EXPECT_NONE
};

const char *px_json_event_name(px_json_event event)
{
    static const char *const names[] = {"the end",
                                        "an object",
                                        "the end of an object",
                                        "an array",
                                        "the end of an array",
                                        "a key",
                                        "a string",
                                        "a number",
                                        "true",
                                        "false",
                                        "null"};
    return (size_t)event < sizeof names / sizeof *names ? names[event] : "nothing known";
}

pith_status px_jscan_fail(const px_jscan *js, pith_error *err, pith_status status, const char *fmt,
                          ...)
{
    char text[800];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return px_fail(err, status, "%s: line %lld: %s", js->name, (long long)js->event_line, text);
}

static pith_status broken(px_jscan *js, const char *what, pith_error *err)
{
    return px_fail(err, PITH_E_FORMAT, "%s: line %lld: %s", js->name, (long long)js->line, what);
}

/* ---- bytes */

void px_jscan_over(px_jscan *js, const char *name, const char *json, size_t n)
{
    *js = (px_jscan){.name = name,
                     .at = json,
                     .end = json + n,
                     .fd = -1,
                     .line = 1,
                     .event_line = 1,
                     .scratch = {.limit = PX_MAX_REFUSED_BYTES / 2},
                     .expect = EXPECT_VALUE};
}

pith_status px_jscan_open(px_jscan *js, const char *path, const char *name, size_t limit,
                          pith_error *err)
{
    struct stat st;
    px_jscan_over(js, name, "", 0);
    js->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (js->fd < 0)
        return px_fail_errno(err, errno, "cannot open '%s'", path);
    pith_status status = PITH_OK;
    if (fstat(js->fd, &st) != 0)
        status = px_fail_errno(err, errno, "cannot look at '%s'", path);
    else if (!S_ISREG(st.st_mode))
        status = px_fail(err, PITH_E_IO, "'%s' is not a regular file", path);
    else if ((uint64_t)st.st_size > limit)
        status = px_fail(err, PITH_E_LIMIT, "'%s' has %lld bytes; at most %zu are read", path,
                         (long long)st.st_size, limit);
    else if (!(js->block = px_malloc(BLOCK_BYTES, 1)))
        status = px_fail_memory(err, name);
    if (status != PITH_OK)
        px_jscan_close(js);
    return status;
}

void px_jscan_close(px_jscan *js)
{
    if (js->fd >= 0)
        close(js->fd);
    px_free(js->block);
    px_buf_clear(&js->scratch);
    px_jscan_over(js, js->name, "", 0);
    js->expect = EXPECT_NONE;
}

/* Brings the next block when this one is used up. at == end afterwards means the end of the file.
 */
static pith_status refill(px_jscan *js, pith_error *err)
{
    if (js->at < js->end || js->fd < 0)
        return PITH_OK;
    ssize_t n;
    do
        n = read(js->fd, js->block, BLOCK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return px_fail_errno(err, errno, "cannot read %s", js->name);
    js->at = js->block;
    js->end = js->block + n;
    if (n == 0) {
        close(js->fd);
        js->fd = -1;
    }
    return PITH_OK;
}

/* Goes to the next byte that is no white space and shows it, '\0' at the end. */
static pith_status peek(px_jscan *js, char *c, pith_error *err)
{
    for (;;) {
        const char *at = js->at, *end = js->end;
        for (; at < end; at++) {
            if (*at == '\n')
                js->line++;
            else if (*at != ' ' && *at != '\r' && *at != '\t')
                break;
        }
        js->at = at;
        if (at < end) {
            *c = *at;
            return PITH_OK;
        }
        pith_status st = refill(js, err);
        if (st != PITH_OK)
            return st;
        if (js->at == js->end) {
            *c = '\0';
            return PITH_OK;
        }
    }
}

/* The next byte as it is; false at the end or on failure, which err then holds. */
static bool get(px_jscan *js, char *c, pith_status *st, pith_error *err)
{
    *st = refill(js, err);
    if (*st != PITH_OK || js->at == js->end)
        return false;
    *c = *js->at++;
    return true;
}

/* ---- strings */

/* Bytes from at on that a string may hold as they are. */
static const char *plain_run(const char *at, const char *end)
{
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static pith_status get_hex4(px_jscan *js, uint32_t *out, pith_error *err)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = '\0';
        pith_status st;
        if (!get(js, &c, &st, err) && st != PITH_OK)
            return st;
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else
            return broken(js, "\\u without four hexadecimal digits", err);
        v = v * 16 + digit;
    }
    *out = v;
    return PITH_OK;
}

static pith_status get_unicode(px_jscan *js, pith_error *err)
{
    uint32_t code, low;
    pith_status st = get_hex4(js, &code, err);
    if (st != PITH_OK)
        return st;
    if (code >= 0xdc00 && code <= 0xdfff)
        return broken(js, "half a surrogate pair in a string", err);
    if (code >= 0xd800 && code <= 0xdbff) {
        char a = '\0', b = '\0';
        if (!get(js, &a, &st, err) || (a == '\\' && !get(js, &b, &st, err)))
            return st != PITH_OK ? st : broken(js, "a string without end", err);
        if (a != '\\' || b != 'u')
            return broken(js, "half a surrogate pair in a string", err);
        st = get_hex4(js, &low, err);
        if (st != PITH_OK)
            return st;
        if (low < 0xdc00 || low > 0xdfff)
            return broken(js, "half a surrogate pair in a string", err);
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    char text[4];
    int n = px_utf8_put(code, text);
    px_buf_put(&js->scratch, text, (size_t)n);
    return PITH_OK;
}

static pith_status get_escape(px_jscan *js, pith_error *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c;
    pith_status st;
    if (!get(js, &c, &st, err))
        return st != PITH_OK ? st : broken(js, "a string without end", err);
    if (c == 'u')
        return get_unicode(js, err);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known)
        return broken(js, "an escape that JSON does not have", err);
    px_buf_putc(&js->scratch, to[known - from]);
    return PITH_OK;
}

/* A string whose opening quote has been read; leaves it in js->text. */
static pith_status get_string(px_jscan *js, pith_error *err)
{
    const char *start = js->at;
    js->at = plain_run(js->at, js->end);
    if (js->at < js->end && *js->at == '"') {
        js->text = (px_str){.data = start, .len = (size_t)(js->at - start)};
        js->at++;
    } else {
        px_buf_reset(&js->scratch);
        px_buf_put(&js->scratch, start, (size_t)(js->at - start));
        for (;;) {
            char c;
            pith_status st;
            if (!get(js, &c, &st, err))
                return st != PITH_OK ? st : broken(js, "a string without end", err);
            if (c == '"')
                break;
            if ((unsigned char)c < 0x20)
                return broken(js, "a control character in a string", err);
            if (c == '\\') {
                st = get_escape(js, err);
                if (st != PITH_OK)
                    return st;
                continue;
            }
            start = js->at - 1;
            js->at = plain_run(js->at, js->end);
            px_buf_put(&js->scratch, start, (size_t)(js->at - start));
        }
        if (js->scratch.failed)
            return px_buf_status(&js->scratch, js->name, err);
        js->text =
            (px_str){.data = js->scratch.data ? js->scratch.data : "", .len = js->scratch.len};
    }
    if (!px_utf8_valid(js->text.data, js->text.len))
        return broken(js, "a string that is not valid UTF-8", err);
    return PITH_OK;
}

/* ---- other values */

static bool is_number(px_str s)
{
    size_t i = 0, n = s.len;
#define DIGIT (i < n && s.data[i] >= '0' && s.data[i] <= '9')
    if (i < n && s.data[i] == '-')
        i++;
    if (!DIGIT)
        return false;
    if (s.data[i] == '0')
        i++;
    else
        while (DIGIT)
            i++;
    if (i < n && s.data[i] == '.') {
        i++;
        if (!DIGIT)
            return false;
        while (DIGIT)
            i++;
    }
    if (i < n && (s.data[i] == 'e' || s.data[i] == 'E')) {
        i++;
        if (i < n && (s.data[i] == '+' || s.data[i] == '-'))
            i++;
        if (!DIGIT)
            return false;
        while (DIGIT)
            i++;
    }
#undef DIGIT
    return i == n;
}

static bool word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.';
}

/* A number, true, false or null. */
static pith_status get_word(px_jscan *js, pith_error *err)
{
    px_buf_reset(&js->scratch);
    for (;;) {
        pith_status st = refill(js, err);
        if (st != PITH_OK)
            return st;
        if (js->at == js->end || !word_byte(*js->at))
            break;
        if (js->scratch.len > 400)
            return broken(js, "a number of more than 400 characters", err);
        px_buf_putc(&js->scratch, *js->at++);
    }
    if (js->scratch.failed)
        return px_buf_status(&js->scratch, js->name, err);
    js->text = (px_str){.data = js->scratch.data ? js->scratch.data : "", .len = js->scratch.len};
    if (px_str_is(js->text, "true"))
        js->event = PX_JSON_TRUE;
    else if (px_str_is(js->text, "false"))
        js->event = PX_JSON_FALSE;
    else if (px_str_is(js->text, "null"))
        js->event = PX_JSON_NULL;
    else if (is_number(js->text))
        js->event = PX_JSON_NUMBER;
    else
        return broken(js, "something that is no JSON value", err);
    return PITH_OK;
}

/* ---- events */

static void after_value(px_jscan *js)
{
    js->expect = js->depth > 0 ? EXPECT_COMMA : EXPECT_NONE;
}

static pith_status open_bracket(px_jscan *js, bool object, pith_error *err)
{
    if (js->depth == PX_MAX_JSON_DEPTH)
        return px_fail(err, PITH_E_LIMIT, "%s: line %lld: more than %d brackets inside each other",
                       js->name, (long long)js->line, PX_MAX_JSON_DEPTH);
    js->is_object[js->depth++] = object;
    js->event = object ? PX_JSON_OBJECT : PX_JSON_ARRAY;
    js->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    js->at++;
    return PITH_OK;
}

static pith_status close_bracket(px_jscan *js)
{
    js->event = js->is_object[--js->depth] ? PX_JSON_OBJECT_END : PX_JSON_ARRAY_END;
    js->at++;
    after_value(js);
    return PITH_OK;
}

static pith_status get_key(px_jscan *js, pith_error *err)
{
    js->at++;
    pith_status st = get_string(js, err);
    if (st != PITH_OK)
        return st;
    /* Where only white space is left of the block, looking for the colon would write over the key.
     */
    px_str key = js->text;
    const char *at = js->at;
    while (at < js->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    if (at == js->end && key.data != js->scratch.data) {
        px_buf_reset(&js->scratch);
        px_buf_put(&js->scratch, key.data, key.len);
        if (js->scratch.failed)
            return px_buf_status(&js->scratch, js->name, err);
        key.data = js->scratch.data ? js->scratch.data : "";
    }
    char c;
    st = peek(js, &c, err);
    if (st != PITH_OK)
        return st;
    if (c != ':')
        return broken(js, "a key without a colon", err);
    js->at++;
    js->text = key;
    js->event = PX_JSON_KEY;
    js->expect = EXPECT_VALUE;
    return PITH_OK;
}

static pith_status get_value(px_jscan *js, char c, pith_error *err)
{
    if (c == '{' || c == '[')
        return open_bracket(js, c == '{', err);
    pith_status st;
    if (c == '"') {
        js->at++;
        js->event = PX_JSON_STRING;
        st = get_string(js, err);
    } else {
        st = get_word(js, err);
    }
    after_value(js);
    return st;
}

pith_status px_jscan_next(px_jscan *js, pith_error *err)
{
    char c;
    pith_status st = peek(js, &c, err);
    if (st == PITH_OK && js->expect == EXPECT_COMMA) {
        bool object = js->is_object[js->depth - 1];
        js->event_line = js->line;
        if (c == (object ? '}' : ']'))
            return close_bracket(js);
        if (c != ',')
            return broken(js, c ? "a comma is missing" : "the file ends too early", err);
        js->at++;
        js->expect = object ? EXPECT_KEY : EXPECT_VALUE;
        st = peek(js, &c, err);
    }
    if (st != PITH_OK)
        return st;
    js->event_line = js->line;
    if (c == '\0' && js->at == js->end) {
        if (js->expect != EXPECT_NONE)
            return broken(js, "the file ends too early", err);
        js->event = PX_JSON_END;
        return PITH_OK;
    }
    switch (js->expect) {
    case EXPECT_VALUE_OR_END:
        if (c == ']')
            return close_bracket(js);
        return get_value(js, c, err);
    case EXPECT_VALUE:
        return get_value(js, c, err);
    case EXPECT_KEY_OR_END:
        if (c == '}')
            return close_bracket(js);
        break;
    case EXPECT_KEY:
        break;
    default:
        return broken(js, "something follows the end of the document", err);
    }
    return c == '"' ? get_key(js, err) : broken(js, "a key is missing", err);
}

pith_status px_jscan_skip(px_jscan *js, pith_error *err)
{
    if (js->event != PX_JSON_OBJECT && js->event != PX_JSON_ARRAY)
        return PITH_OK;
    int depth = js->depth;
    pith_status st = PITH_OK;
    while (st == PITH_OK && js->depth >= depth)
        st = px_jscan_next(js, err);
    return st;
}

pith_status px_jscan_need(px_jscan *js, px_json_event event, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st == PITH_OK && js->event != event)
        return px_jscan_fail(js, err, PITH_E_FORMAT, "%s is here, expected %s",
                             px_json_event_name(js->event), px_json_event_name(event));
    return st;
}

/* ---- numbers */

bool px_json_int(px_str text, int64_t min, int64_t max, int64_t *out)
{
    size_t i = text.len > 0 && text.data[0] == '-';
    int64_t v = 0;
    if (i == text.len)
        return false;
    for (; i < text.len; i++) {
        char c = text.data[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, c - '0', &v)) // negative numbers reach one further
            return false;
    }
    if (text.data[0] != '-') {
        if (v == INT64_MIN)
            return false;
        v = -v;
    }
    *out = v;
    return v >= min && v <= max;
}

/* 10^n by repeated squaring, in the widest type there is. */
static long double power_of_ten(int64_t n)
{
    long double v = 1, base = 10;
    for (; n > 0; n >>= 1, base *= base)
        if (n & 1)
            v *= base;
    return v;
}

double px_json_double(px_str text)
{
    uint64_t digits = 0;
    int64_t exponent = 0, written = 0;
    size_t i = 0;
    bool negative = text.len > 0 && text.data[0] == '-', fraction = false, minus = false;
    for (i = negative; i < text.len && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        if (text.data[i] == '.') {
            fraction = true;
            continue;
        }
        if (digits <= (UINT64_MAX - 9) / 10) {
            digits = digits * 10 + (uint64_t)(text.data[i] - '0');
            exponent -= fraction;
        } else {
            exponent += !fraction; // a digit too many only counts
        }
    }
    if (i + 1 < text.len) {
        i++;
        minus = text.data[i] == '-';
        i += minus || text.data[i] == '+';
        for (; i < text.len; i++)
            if (written < 100000)
                written = written * 10 + (text.data[i] - '0');
        exponent += minus ? -written : written;
    }
    long double v = (long double)digits;
    if (exponent < 0)
        v /= power_of_ten(exponent < -5000 ? 5000 : -exponent);
    else
        v *= power_of_ten(exponent > 5000 ? 5000 : exponent);
    return (double)(negative ? -v : v);
}

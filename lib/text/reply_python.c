/*
 * reply_python: arguments of a call in Python's form, as JSON.
 *
 *   (city="Oslo", days=3, units=['C', "F"], opt={'a': None}, wet=True)
 *
 * Literals only: strings of either quote (with Python's escapes, and adjoining ones joined),
 * numbers as JSON has them, True, False, None (and true, false, null), lists, tuples, dicts with
 * strings as keys. Anything else is no call. Nesting is bounded. Threads: arguments only.
 */
#include "text/reply_call.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

typedef struct reader {
    const char *at, *end;
    px_buf *out;
    px_buf text; // one string
    int depth;
} reader;

static bool put_value(reader *r);

static void skip(reader *r)
{
    while (r->at < r->end && px_reply_space(*r->at))
        r->at++;
}

static bool take(reader *r, char c)
{
    skip(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* n hexadecimal digits. */
static bool take_hex(reader *r, int n, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < n; i++, r->at++) {
        if (r->at == r->end)
            return false;
        char c = *r->at;
        uint32_t digit;
        if (is_digit(c))
            digit = (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (uint32_t)((c | 32) - 'a' + 10);
        else
            return false;
        *code = *code * 16 + digit;
    }
    return true;
}

static bool take_escape(reader *r)
{
    static const char plain[] = "n\nt\tr\rb\bf\fv\va\a0\0\\\\''\"\"//";
    if (r->at == r->end)
        return false;
    char c = *r->at++;
    if (c == '\n')
        return true;
    if (c == 'x' || c == 'u' || c == 'U') {
        uint32_t code;
        if (!take_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, &code))
            return false;
        if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' &&
            r->at[1] == 'u') {
            uint32_t low;
            r->at += 2;
            if (!take_hex(r, 4, &low) || low < 0xdc00 || low > 0xdfff)
                return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        char bytes[4];
        int n = px_utf8_put(code, bytes);
        return px_buf_put(&r->text, bytes, (size_t)n);
    }
    for (size_t i = 0; i + 1 < sizeof plain - 1; i += 2)
        if (plain[i] == c)
            return px_buf_putc(&r->text, plain[i + 1]);
    px_buf_putc(&r->text, '\\');
    return px_buf_putc(&r->text, c);
}

static bool take_string(reader *r)
{
    char quote = *r->at++;
    while (r->at < r->end && *r->at != quote) {
        if (*r->at == '\\') {
            r->at++;
            if (!take_escape(r))
                return false;
        } else {
            px_buf_putc(&r->text, *r->at++);
        }
    }
    if (r->at == r->end)
        return false;
    r->at++;
    return true;
}

static bool put_string(reader *r)
{
    px_buf_reset(&r->text);
    do {
        if (!take_string(r))
            return false;
        skip(r);
    } while (r->at < r->end && (*r->at == '"' || *r->at == '\''));
    px_json_put_str(r->out, r->text.data ? r->text.data : "", r->text.len);
    return !r->text.failed;
}

static bool put_word(reader *r)
{
    static const char *const words[][2] = {{"True", "true"},   {"true", "true"}, {"False", "false"},
                                           {"false", "false"}, {"None", "null"}, {"null", "null"}};
    const char *from = r->at;
    while (r->at < r->end && (is_letter(*r->at) || is_digit(*r->at)))
        r->at++;
    px_str word = {.data = from, .len = (size_t)(r->at - from)};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (px_str_is(word, words[i][0]))
            return px_buf_puts(r->out, words[i][1]);
    return false;
}

static bool put_number(reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && (is_digit(*r->at) || *r->at == '.' || *r->at == '-' || *r->at == '+' ||
                              *r->at == 'e' || *r->at == 'E'))
        r->at++;
    px_json value;
    size_t n = (size_t)(r->at - from);
    if (px_json_check("number", from, n, &value, NULL) != PITH_OK ||
        px_json_type_of(value) != PX_JSON_NUMBER)
        return false;
    return px_buf_put(r->out, from, n);
}

static bool put_list(reader *r, char close)
{
    px_buf_putc(r->out, '[');
    for (bool first = true;; first = false) {
        if (take(r, close))
            return px_buf_putc(r->out, ']');
        if (!first) {
            if (!take(r, ','))
                return false;
            if (take(r, close))
                return px_buf_putc(r->out, ']');
            px_buf_puts(r->out, ", ");
        }
        if (!put_value(r))
            return false;
    }
}

static bool put_dict(reader *r)
{
    px_buf_putc(r->out, '{');
    for (bool first = true;; first = false) {
        if (take(r, '}'))
            return px_buf_putc(r->out, '}');
        if (!first) {
            if (!take(r, ','))
                return false;
            if (take(r, '}'))
                return px_buf_putc(r->out, '}');
            px_buf_puts(r->out, ", ");
        }
        skip(r);
        if (r->at == r->end || (*r->at != '"' && *r->at != '\'') || !put_string(r) || !take(r, ':'))
            return false;
        px_buf_puts(r->out, ": ");
        if (!put_value(r))
            return false;
    }
}

static bool put_value(reader *r)
{
    skip(r);
    if (r->at == r->end || r->depth >= PX_MAX_JSON_DEPTH - 1)
        return false;
    char c = *r->at;
    if (c == '"' || c == '\'')
        return put_string(r);
    if (is_letter(c))
        return put_word(r);
    if (c != '[' && c != '(' && c != '{')
        return put_number(r);
    r->at++;
    r->depth++;
    bool ok = c == '{' ? put_dict(r) : put_list(r, c == '[' ? ']' : ')');
    r->depth--;
    return ok;
}

static bool put_arguments(reader *r)
{
    if (!take(r, '('))
        return false;
    px_buf_putc(r->out, '{');
    for (bool first = true; !take(r, ')'); first = false) {
        if (!first) {
            if (!take(r, ','))
                return false;
            if (take(r, ')'))
                break;
            px_buf_puts(r->out, ", ");
        }
        skip(r);
        const char *from = r->at;
        while (r->at < r->end && (is_letter(*r->at) || (r->at > from && is_digit(*r->at))))
            r->at++;
        if (r->at == from)
            return false;
        px_json_put_str(r->out, from, (size_t)(r->at - from));
        px_buf_puts(r->out, ": ");
        if (!take(r, '=') || !put_value(r))
            return false;
    }
    return px_buf_putc(r->out, '}') && r->at == r->end;
}

bool px_python_arguments(const char *text, size_t n, px_buf *out)
{
    reader r = {.at = text, .end = text + n, .out = out};
    bool ok = put_arguments(&r);
    out->failed |= r.text.failed;
    px_buf_clear(&r.text);
    return ok;
}

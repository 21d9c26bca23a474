/*
 * jinja_format: see jinja_format.h.
 *
 * Both ways end in one description of a field (jfield): sign and prefix, digits, width, fill and
 * alignment. Grouped numbers that are also padded with zeros get no separators in the padding,
 * which is the one place where Python does more.
 */
#include "text/jinja_format.h"

#include "base/utf8.h"
#include "text/jinja_number.h"
#include "text/jinja_ops.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_PRECISION = 1000, NUMBER_BYTES = 1700, MAX_WIDTH = 100000000 };

typedef struct jfield {
    const char *fill; // one character
    size_t n_fill;
    char align; // '<' '>' '^', '=' between sign and digits, 0 for the type's own
    char sign;  // '+', ' ', or 0
    bool alternate, zero;
    char group; // ',' '_' or 0
    int64_t width;
    int precision; // -1: none
    char type;     // or 0
} jfield;

static bool pad(jrun *run, const jfield *f, int64_t n)
{
    jv empty, filled;
    if (n <= 0)
        return true;
    return px_jv_lend(run, "", 0, &empty) &&
           px_jtext_pad(run, empty.s, n, f->fill, f->n_fill, JSIDE_LEFT, &filled) &&
           px_jv_print(run, filled);
}

/* Puts prefix (sign, 0x) and body, padded. `chars` is the length of body. */
static bool put_field(jrun *run, const jfield *f, const char *prefix, const char *body, size_t len,
                      int64_t chars, char align)
{
    int64_t room = f->width - chars - (int64_t)strlen(prefix), left = 0, middle = 0;
    if (f->align)
        align = f->align;
    if (room < 0)
        room = 0;
    if (align == '>')
        left = room;
    else if (align == '^')
        left = room / 2;
    else if (align == '=')
        middle = room;
    return pad(run, f, left) && px_jinja_put(run, prefix, strlen(prefix)) && pad(run, f, middle) &&
           px_jinja_put(run, body, len) && pad(run, f, room - left - middle);
}

/* ---- numbers */

/* Separators between groups of digits of the integer part, in place. */
static void group_digits(char *text, char separator, int every)
{
    size_t len = strlen(text), whole = strspn(text, "0123456789abcdefABCDEF");
    if (every == 3)
        whole = strspn(text, "0123456789");
    for (size_t i = whole; i > (size_t)every;) {
        i -= (size_t)every;
        memmove(text + i + 1, text + i, len - i + 1);
        text[i] = separator;
        len++;
    }
}

static const char *sign_of(const jfield *f, bool negative)
{
    return negative ? "-" : f->sign == '+' ? "+" : f->sign == ' ' ? " " : "";
}

static void digits_in_base(uint64_t v, unsigned base, bool capital, char *out)
{
    char text[72];
    int n = 0;
    do {
        text[n++] = (capital ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        v /= base;
    } while (v);
    for (int i = 0; i < n; i++)
        out[i] = text[n - 1 - i];
    out[n] = '\0';
}

static bool put_int(jrun *run, const jfield *f, int64_t i, bool percent)
{
    char text[200], prefix[8];
    unsigned base = 10;
    char type = f->type;
    if (type == 'x' || type == 'X')
        base = 16;
    else if (type == 'o')
        base = 8;
    else if (type == 'b')
        base = 2;
    uint64_t v = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    digits_in_base(v, base, type == 'X', text);
    if (f->group)
        group_digits(text, f->group, base == 10 ? 3 : 4);
    snprintf(prefix, sizeof prefix, "%s%s", sign_of(f, i < 0),
             !f->alternate || base == 10 ? ""
             : base == 16                ? (type == 'X' ? "0X" : "0x")
             : base == 8                 ? "0o"
                                         : "0b");
    size_t len = strlen(text);
    if (percent && f->precision > (int)len) { // "%.5d": at least so many digits
        if (f->precision > (int)sizeof text - 1)
            return px_jinja_fail(run, "a precision of %d is too large", f->precision);
        memmove(text + f->precision - len, text, len + 1);
        memset(text, '0', (size_t)f->precision - len);
        len = (size_t)f->precision;
    }
    return put_field(run, f, prefix, text, len, (int64_t)len, '>');
}

/* The digits of a number while they are put together. */
typedef struct figures {
    char text[NUMBER_BYTES];
    size_t len;
} figures;

static void add(figures *d, const char *text)
{
    size_t n = strlen(text);
    if (n >= sizeof d->text - d->len)
        return;
    memcpy(d->text + d->len, text, n + 1);
    d->len += n;
}

/* Room for the separators of group_digits is left free. */
static void print(figures *d, double v, char type, int precision, bool alternate)
{
    d->len = px_jnumber_print(v, type, precision, alternate, d->text, sizeof d->text - 200);
    d->text[d->len] = '\0';
}

/* A float without a type: as repr gives it, or with a precision like g but always with a point. */
static void plain_float(figures *d, double v, int precision)
{
    char rest[64];
    if (precision < 0) {
        d->len = px_jnumber_repr(v, d->text);
        return;
    }
    precision = precision ? precision : 1;
    print(d, v, 'e', precision - 1, false);
    const char *e = strchr(d->text, 'e');
    long exponent = e ? strtol(e + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < precision - 1) {
        print(d, v, 'g', precision, false);
        if (isfinite(v) && !strchr(d->text, '.'))
            add(d, ".0");
        return;
    }
    if (!e)
        return;
    snprintf(rest, sizeof rest, "%s", e);
    d->len = (size_t)(e - d->text);
    bool point = strchr(d->text, '.') != NULL;
    while (point && d->text[d->len - 1] == '0')
        d->len--;
    if (d->text[d->len - 1] == '.')
        d->len--;
    add(d, rest);
}

static bool put_float(jrun *run, const jfield *f, double v)
{
    figures d;
    char type = f->type;
    int precision = f->precision;
    bool negative = signbit(v) && !isnan(v);
    double size = fabs(v);
    if (precision > MAX_PRECISION)
        return px_jinja_fail(run, "a precision of %d is too large", precision);
    if (type == 'n')
        type = 'g';
    if (type == '%')
        size *= 100;
    if (type == 0)
        plain_float(&d, size, precision);
    else
        print(&d, size, type == '%' ? 'f' : type, precision < 0 ? 6 : precision, f->alternate);
    if (type == '%')
        add(&d, "%");
    if (f->group)
        group_digits(d.text, f->group, 3);
    size_t len = strlen(d.text);
    return put_field(run, f, sign_of(f, negative), d.text, len, (int64_t)len, '>');
}

static bool put_str(jrun *run, const jfield *f, jstr *s)
{
    int64_t n = px_jstr_chars(run, s);
    if (n < 0)
        return false;
    if (f->precision >= 0 && f->precision < n)
        n = f->precision;
    size_t len = px_jstr_byte_of(run, s, n);
    return put_field(run, f, "", s->data, len, n, '<');
}

/* The character of a code point. */
static bool put_code(jrun *run, const jfield *f, int64_t code)
{
    char bytes[4];
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return px_jinja_fail(run, "there is no character %lld", (long long)code);
    return put_field(run, f, "", bytes, (size_t)px_utf8_put((uint32_t)code, bytes), 1, '>');
}

/* ---- "%" */

typedef struct percent {
    jrun *run;
    const jstr *format;
    size_t at;
    jv values;
    int64_t used; // of a tuple; of another value, 1 once it was taken
} percent;

static bool next_value(percent *p, jv *out)
{
    int64_t n = p->values.type == JV_TUPLE ? p->values.l->n : 1;
    if (p->used >= n)
        return px_jinja_fail(p->run, "a format wants more than the %lld values given",
                             (long long)n);
    *out = p->values.type == JV_TUPLE ? p->values.l->items[p->used] : p->values;
    p->used++;
    return true;
}

static char peek(const percent *p)
{
    return p->at < p->format->len ? p->format->data[p->at] : '\0';
}

/* A number, or '*' for one from the values. */
static bool read_number(percent *p, int64_t *out)
{
    *out = 0;
    if (peek(p) == '*') {
        jv v;
        p->at++;
        if (!next_value(p, &v))
            return false;
        if (!px_jv_is_int(v))
            return px_jinja_fail(p->run, "'*' in a format wants an integer");
        *out = px_jv_as_int(v);
        return true;
    }
    while (peek(p) >= '0' && peek(p) <= '9') {
        *out = *out * 10 + (peek(p) - '0');
        if (*out > MAX_WIDTH)
            return px_jinja_fail(p->run, "a width in a format is too large");
        p->at++;
    }
    return true;
}

/* "(name)", with brackets inside of it. */
static bool read_key(percent *p, jv *out)
{
    size_t from = ++p->at;
    int open = 1;
    for (; p->at < p->format->len; p->at++) {
        open += (peek(p) == '(') - (peek(p) == ')');
        if (open == 0)
            break;
    }
    if (open)
        return px_jinja_fail(p->run, "a name in a format has no ')'");
    if (p->values.type != JV_DICT)
        return px_jinja_fail(p->run, "a format with names wants a dict");
    jv key;
    if (!px_jv_str(p->run, p->format->data + from, p->at++ - from, &key))
        return false;
    int found = px_jdict_get(p->run, p->values.d, key, out);
    if (found == 0)
        return px_jinja_fail(p->run, "a format names '%.*s', which was not given",
                             PX_STR_ARG(((px_str){key.s->data, key.s->len})));
    return found > 0;
}

static bool put_percent(percent *p, jfield *f, jv v)
{
    jrun *run = p->run;
    jv text;
    size_t mark = run->out.len;
    bool number = px_jv_is_number(v);
    if (f->zero && !f->align) {
        f->fill = "0";
        f->align = '=';
    }
    switch (f->type) {
    case 's':
    case 'r':
    case 'a':
        if (f->align == '=') {
            f->fill = " ";
            f->align = 0;
        }
        if (f->align == 0)
            f->align = '>';
        if (f->type == 's' ? !px_jv_text(run, v, &text)
                           : !px_jv_repr(run, v) || !px_jv_capture(run, mark, run->n_spans, &text))
            return false;
        return put_str(run, f, text.s);
    case 'c':
        if (v.type == JV_STR && px_jstr_chars(run, v.s) == 1) {
            f->align = f->align == '<' ? '<' : '>';
            return put_field(run, f, "", v.s->data, v.s->len, 1, '>');
        }
        if (!px_jv_is_int(v))
            return px_jinja_fail(run, "%%c wants a character or its number");
        return put_code(run, f, px_jv_as_int(v));
    case 'd':
    case 'i':
    case 'u':
        if (v.type == JV_FLOAT && isfinite(v.f) && fabs(v.f) < 9.2e18)
            v = px_jv_int((int64_t)v.f);
        /* fall through */
    case 'o':
    case 'x':
    case 'X':
        if (v.type == JV_UNDEFINED)
            return px_jv_fail_undefined(run, v);
        if (!px_jv_is_int(v))
            return px_jinja_fail(run, "%%%c wants an integer, not a %s", f->type,
                                 px_jv_type_name(v));
        return put_int(run, f, px_jv_as_int(v), true);
    default:
        if (v.type == JV_UNDEFINED)
            return px_jv_fail_undefined(run, v);
        if (!number)
            return px_jinja_fail(run, "%%%c wants a number, not a %s", f->type, px_jv_type_name(v));
        return put_float(run, f, px_jv_as_float(v));
    }
}

/* One conversion; `at` stands behind the '%'. */
static bool convert(percent *p)
{
    jfield f = {.fill = " ", .n_fill = 1, .precision = -1};
    jv value = {.type = JV_MISSING};
    int64_t n;
    if (peek(p) == '%') {
        p->at++;
        return px_jinja_put(p->run, "%", 1);
    }
    if (peek(p) == '(' && !read_key(p, &value))
        return false;
    for (; peek(p) && strchr("#0- +", peek(p)); p->at++) {
        f.alternate = f.alternate || peek(p) == '#';
        f.zero = f.zero || peek(p) == '0';
        f.align = peek(p) == '-' ? '<' : f.align;
        f.sign = peek(p) == '+' ? '+' : peek(p) == ' ' && !f.sign ? ' ' : f.sign;
    }
    if (!read_number(p, &n))
        return false;
    if (n < 0) { // from '*': to the left
        f.align = '<';
        n = n < -MAX_WIDTH ? MAX_WIDTH : -n;
    }
    f.width = n;
    if (peek(p) == '.') {
        p->at++;
        if (!read_number(p, &n))
            return false;
        f.precision = n < 0 ? 0 : n > MAX_WIDTH ? MAX_WIDTH : (int)n;
    }
    if (peek(p) && strchr("hlL", peek(p)))
        p->at++;
    f.type = peek(p);
    if (!f.type || !strchr("sradiuoxXeEfFgGc", f.type))
        return px_jinja_fail(p->run, "a format holds a conversion that there is not");
    p->at++;
    if (value.type == JV_MISSING && !next_value(p, &value))
        return false;
    return put_percent(p, &f, value);
}

bool px_jinja_percent(jrun *run, jstr *format, jv values, jv *out)
{
    percent p = {.run = run, .format = format, .values = values};
    size_t mark = run->out.len;
    while (p.at < format->len) {
        const char *next = memchr(format->data + p.at, '%', format->len - p.at);
        size_t to = next ? (size_t)(next - format->data) : format->len;
        if (!px_jinja_put(run, format->data + p.at, to - p.at))
            return false;
        p.at = to + 1;
        if (next && !convert(&p))
            return false;
    }
    bool by_name = values.type == JV_DICT || values.type == JV_LIST ||
                   values.type == JV_UNDEFINED || values.type == JV_RANGE;
    if (!by_name && p.used < (values.type == JV_TUPLE ? values.l->n : 1))
        return px_jinja_fail(run, "a format does not use all values given");
    return px_jv_capture(run, mark, run->n_spans, out);
}

/* ---- "{}" */

typedef struct braces {
    jrun *run;
    const jargs *args;
    int64_t next; // automatic number of the next field; -1 once numbers were written
    int depth;
} braces;

static bool put_braces(braces *b, const char *s, size_t len);

/* "[[fill]align][sign][#][0][width][group][.precision][type]" */
static bool parse_spec(jrun *run, const char *s, size_t len, jfield *f)
{
    size_t i = 0;
    uint32_t c;
    int n = len ? px_utf8_get(s, len, &c) : 0;
    if (n > 0 && (size_t)n < len && strchr("<>^=", s[n]) && s[n]) {
        f->fill = s;
        f->n_fill = (size_t)n;
        f->align = s[n];
        i = (size_t)n + 1;
    } else if (len && s[0] && strchr("<>^=", s[0])) {
        f->align = s[i++];
    }
    if (i < len && (s[i] == '+' || s[i] == '-' || s[i] == ' '))
        f->sign = s[i] == '-' ? 0 : s[i], i++;
    if (i < len && s[i] == '#')
        f->alternate = true, i++;
    if (i < len && s[i] == '0')
        f->zero = true, i++;
    for (; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
        f->width = f->width * 10 + (s[i] - '0');
        if (f->width > MAX_WIDTH)
            return px_jinja_fail(run, "a width in a format is too large");
    }
    if (i < len && (s[i] == ',' || s[i] == '_'))
        f->group = s[i++];
    if (i < len && s[i] == '.') {
        int64_t precision = 0;
        size_t from = ++i;
        for (; i < len && s[i] >= '0' && s[i] <= '9' && precision <= MAX_WIDTH; i++)
            precision = precision * 10 + (s[i] - '0');
        if (i == from || precision > MAX_WIDTH)
            return px_jinja_fail(run, "a precision in a format is missing or too large");
        f->precision = (int)precision;
    }
    if (i < len)
        f->type = s[i++];
    if (i != len)
        return px_jinja_fail(run, "'%.*s' is no format", (int)(len < 100 ? len : 100), s);
    return true;
}

static bool put_by_spec(jrun *run, jv v, const char *spec, size_t len)
{
    jfield f = {.fill = " ", .n_fill = 1, .precision = -1};
    if (len == 0)
        return px_jv_print(run, v);
    if (!parse_spec(run, spec, len, &f))
        return false;
    if (f.zero && f.fill[0] == ' ' && f.fill != spec) { // no fill of its own
        f.fill = "0";
        if (!f.align)
            f.align = v.type == JV_STR ? '<' : '=';
    }
    if (v.type == JV_STR) {
        if ((f.type && f.type != 's') || f.sign || f.group || f.align == '=')
            return px_jinja_fail(run, "'%.*s' is no format for a string",
                                 (int)(len < 100 ? len : 100), spec);
        return put_str(run, &f, v.s);
    }
    if (px_jv_is_int(v) && (!f.type || strchr("bcdnoxX", f.type)) && f.precision < 0)
        return f.type == 'c' ? put_code(run, &f, px_jv_as_int(v))
                             : put_int(run, &f, px_jv_as_int(v), false);
    if (px_jv_is_number(v) && (f.type ? strchr("eEfFgGn%", f.type) != NULL : v.type == JV_FLOAT))
        return put_float(run, &f, px_jv_as_float(v));
    return px_jinja_fail(run, "'%.*s' is no format for a %s", (int)(len < 100 ? len : 100), spec,
                         px_jv_type_name(v));
}

/* The argument that a field begins with: a number, a name or nothing. */
static bool first_value(braces *b, const char *s, size_t len, jv *out)
{
    int64_t number = 0;
    bool digits = len > 0;
    for (size_t i = 0; i < len; i++)
        digits = digits && s[i] >= '0' && s[i] <= '9';
    if (digits && px_jnumber_int(s, len, 10, &number) != JNUMBER_OK)
        return px_jinja_fail(b->run, "the number of a field is too large");
    if (digits || len == 0) {
        if (digits ? b->next > 0 : b->next < 0)
            return px_jinja_fail(b->run, "fields of a format are all numbered or none");
        if (!digits)
            number = b->next++;
        else
            b->next = -1;
        if (number >= b->args->n_pos)
            return px_jinja_fail(b->run, "a format wants more than the %d values given",
                                 b->args->n_pos);
        *out = b->args->pos[number];
        return true;
    }
    for (int i = 0; i < b->args->n_named; i++)
        if (b->args->names[i]->len == len && memcmp(b->args->names[i]->data, s, len) == 0) {
            *out = b->args->named[i];
            return px_jinja_charge(b->run, (uint64_t)i);
        }
    return px_jinja_fail(b->run, "a format names '%.*s', which was not given",
                         (int)(len < 100 ? len : 100), s);
}

/* "name.attr[key]..." */
static bool field_value(braces *b, const char *s, size_t len, jv *out)
{
    size_t at = 0;
    while (at < len && s[at] != '.' && s[at] != '[')
        at++;
    if (!first_value(b, s, at, out))
        return false;
    while (at < len) {
        bool item = s[at] == '[';
        size_t from = ++at;
        while (at < len && (item ? s[at] != ']' : s[at] != '.' && s[at] != '['))
            at++;
        jv key;
        int64_t number;
        if ((item && at >= len) || at == from)
            return px_jinja_fail(b->run, "a field of a format is not complete");
        if (!px_jv_str(b->run, s + from, at - from, &key))
            return false;
        bool digits = item;
        for (size_t i = from; i < at; i++)
            digits = digits && s[i] >= '0' && s[i] <= '9';
        if (digits && px_jnumber_int(s + from, at - from, 10, &number) == JNUMBER_OK)
            key = px_jv_int(number);
        if (item ? !px_jv_item(b->run, *out, key, out)
                 : !px_jv_attr(b->run, *out, key.s, true, out))
            return false;
        at += item;
        if (item && at < len && s[at] != '.' && s[at] != '[')
            return px_jinja_fail(b->run, "a field of a format is not complete");
    }
    return true;
}

/* What stands between the braces. */
static bool put_one(braces *b, const char *s, size_t len)
{
    jrun *run = b->run;
    size_t name = 0, mark;
    int open = 0;
    jv v, spec;
    while (name < len && (open || (s[name] != '!' && s[name] != ':'))) {
        open += (s[name] == '[') - (s[name] == ']');
        name++;
    }
    if (!field_value(b, s, name, &v))
        return false;
    if (name < len && s[name] == '!') {
        char how = name + 1 < len ? s[name + 1] : '\0';
        mark = run->out.len;
        if (how == 's' ? !px_jv_text(run, v, &v)
            : how == 'r' || how == 'a'
                ? !px_jv_repr(run, v) || !px_jv_capture(run, mark, run->n_spans, &v)
                : !px_jinja_fail(run, "a format has !s, !r or !a"))
            return false;
        name += 2;
        if (name < len && s[name] != ':')
            return px_jinja_fail(run, "':' is wanted behind the conversion of a field");
    }
    mark = run->out.len;
    size_t spans = run->n_spans;
    b->depth++;
    bool ok = name >= len || put_braces(b, s + name + 1, len - name - 1);
    b->depth--;
    return ok && px_jv_capture(run, mark, spans, &spec) &&
           put_by_spec(run, v, spec.s->data, spec.s->len);
}

static bool put_braces(braces *b, const char *s, size_t len)
{
    if (b->depth > 2)
        return px_jinja_fail(b->run, "a format is nested too deep");
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '{' && s[i] != '}') {
            if (!px_jinja_put(b->run, s + i, 1))
                return false;
            continue;
        }
        if (i + 1 < len && s[i + 1] == s[i]) {
            if (!px_jinja_put(b->run, s + i++, 1))
                return false;
            continue;
        }
        if (s[i] == '}')
            return px_jinja_fail(b->run, "a '}' in a format closes nothing");
        size_t from = ++i;
        int open = 1;
        for (; i < len; i++) {
            open += (s[i] == '{') - (s[i] == '}');
            if (open == 0)
                break;
        }
        if (open)
            return px_jinja_fail(b->run, "a '{' in a format is not closed");
        if (!put_one(b, s + from, i - from))
            return false;
    }
    return true;
}

bool px_jinja_format(jrun *run, const jstr *format, const jargs *args, jv *out)
{
    braces b = {.run = run, .args = args};
    size_t mark = run->out.len, spans = run->n_spans;
    return put_braces(&b, format->data, format->len) && px_jv_capture(run, mark, spans, out);
}

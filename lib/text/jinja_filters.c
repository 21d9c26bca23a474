/* jinja_filters: the filters of texts and numbers, and the table of all; see jinja_filters.h. */
#include "text/jinja_filters.h"

#include "base/utf8.h"
#include "text/jinja_char.h"
#include "text/jinja_format.h"
#include "text/jinja_iter.h"
#include "text/jinja_number.h"
#include "text/jinja_ops.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

#include <math.h>
#include <stdio.h>

#define FILTER(name) static bool name(jrun *run, jv self, const jv *a, const jargs *more, jv *out)
#define UNUSED       (void)run, (void)self, (void)a, (void)more, (void)out

/* ---- arguments */

bool px_jarg_bool(jrun *run, jv v, bool otherwise, bool *out)
{
    *out = otherwise;
    return v.type == JV_MISSING || px_jv_truth(run, v, out);
}

bool px_jarg_int(jrun *run, jv v, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (v.type == JV_MISSING)
        return true;
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    if (!px_jv_is_int(v))
        return px_jinja_fail(run, "an integer is wanted, not a %s", px_jv_type_name(v));
    *out = px_jv_as_int(v);
    return true;
}

bool px_jarg_str(jrun *run, jv v, const char *otherwise, jv *out)
{
    *out = v;
    if (v.type == JV_MISSING)
        return px_jv_lend(run, otherwise, strlen(otherwise), out);
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    if (v.type != JV_STR)
        return px_jinja_fail(run, "a string is wanted, not a %s", px_jv_type_name(v));
    return true;
}

/* ---- case, sides, lines */

static bool cased(jrun *run, jv self, jcase to, jv *out)
{
    jv text;
    return px_jv_text(run, self, &text) && px_jtext_case(run, text.s, to, out);
}

FILTER(do_upper)
{
    UNUSED;
    return cased(run, self, JCASE_UPPER, out);
}

FILTER(do_lower)
{
    UNUSED;
    return cased(run, self, JCASE_LOWER, out);
}

FILTER(do_capitalize)
{
    UNUSED;
    return cased(run, self, JCASE_CAPITALIZE, out);
}

/* Words begin behind white space, '-' and opening brackets; not, as with str.title, behind every
 * character that is no letter. */
FILTER(do_title)
{
    UNUSED;
    jv text, part;
    if (!px_jv_text(run, self, &text))
        return false;
    const jstr *s = text.s;
    size_t mark = run->out.len, from = 0;
    while (from < s->len) {
        uint32_t c;
        size_t end = from;
        bool gap = false;
        while (end < s->len) {
            int n = px_utf8_get(s->data + end, s->len - end, &c);
            bool is_gap = px_jchar_is_space(c) || (c < 0x80 && strchr("-({[<", (char)c));
            if (end > from && is_gap != gap)
                break;
            gap = is_gap;
            end += n > 0 ? (size_t)n : 1;
        }
        /* The first letter in upper case, not in title case. */
        size_t first = (size_t)px_utf8_get(s->data + from, end - from, &c);
        if (!px_jv_part(run, s, from, from + first, &part) ||
            !px_jtext_case(run, part.s, JCASE_UPPER, &part) || !px_jv_print(run, part) ||
            !px_jv_part(run, s, from + first, end, &part) ||
            !px_jtext_case(run, part.s, JCASE_LOWER, &part) || !px_jv_print(run, part))
            return false;
        from = end;
    }
    return px_jv_capture(run, mark, run->n_spans, out);
}

FILTER(do_trim)
{
    UNUSED;
    jv text, chars = {.type = JV_NONE};
    if (!px_jv_text(run, self, &text))
        return false;
    if (a[0].type != JV_MISSING && a[0].type != JV_NONE && !px_jarg_str(run, a[0], "", &chars))
        return false;
    return px_jtext_strip(run, text.s, chars.type == JV_STR ? chars.s : NULL,
                          JSIDE_LEFT | JSIDE_RIGHT, out);
}

FILTER(do_center)
{
    UNUSED;
    jv text;
    int64_t width;
    return px_jv_text(run, self, &text) && px_jarg_int(run, a[0], 80, &width) &&
           px_jtext_pad(run, text.s, width, " ", 1, JSIDE_LEFT | JSIDE_RIGHT, out);
}

FILTER(do_replace)
{
    UNUSED;
    jv s, old, by;
    int64_t count = -1;
    if (!px_jv_text(run, self, &s) || !px_jv_text(run, a[0], &old) || !px_jv_text(run, a[1], &by))
        return false;
    if (a[2].type != JV_NONE && !px_jarg_int(run, a[2], -1, &count))
        return false;
    return px_jtext_replace(run, s.s, old.s, by.s, count < 0 ? -1 : count, out);
}

FILTER(do_indent)
{
    UNUSED;
    bool first, blank;
    int64_t width = 4;
    jv indent, s;
    if (!px_jarg_str(run, self, "", &s) || !px_jarg_bool(run, a[1], false, &first) ||
        !px_jarg_bool(run, a[2], false, &blank))
        return false;
    if (a[0].type == JV_STR) {
        indent = a[0];
    } else {
        jv empty;
        if (!px_jarg_int(run, a[0], 4, &width) || !px_jv_lend(run, "", 0, &empty) ||
            !px_jtext_pad(run, empty.s, width, " ", 1, JSIDE_LEFT, &indent))
            return false;
    }
    /* With a newline at the end, as the reference has it: so the emptiness behind a last newline is
     * a line. */
    jv newline;
    if (!px_jv_lend(run, "\n", 1, &newline) || !px_jstr_concat(run, s.s, newline.s, &s))
        return false;
    jlist *lines = px_jtext_lines(run, s.s, false);
    size_t mark = run->out.len;
    if (!lines || (first && !px_jv_print(run, indent)))
        return false;
    for (int64_t i = 0; i < lines->n; i++) {
        if (i && !px_jinja_put(run, "\n", 1))
            return false;
        if (i && (blank || lines->items[i].s->len) && !px_jv_print(run, indent))
            return false;
        if (!px_jv_print(run, lines->items[i]))
            return false;
    }
    return px_jv_capture(run, mark, run->n_spans, out);
}

FILTER(do_truncate)
{
    UNUSED;
    int64_t length, leeway = 5;
    bool kill;
    jv end;
    if (!px_jarg_int(run, a[0], 255, &length) || !px_jarg_bool(run, a[1], false, &kill) ||
        !px_jarg_str(run, a[2], "...", &end) ||
        (a[3].type != JV_NONE && !px_jarg_int(run, a[3], 5, &leeway)))
        return false;
    int64_t n = px_jv_len(run, self), n_end = px_jstr_chars(run, end.s);
    if (n < -1 || n_end < 0)
        return false;
    if (length < n_end || leeway < 0)
        return px_jinja_fail(run,
                             "truncate wants a length of at least %lld and a leeway of at "
                             "least 0",
                             (long long)n_end);
    *out = self;
    if (n >= 0 && (n <= length || n - length <= leeway)) // whatever it is
        return true;
    if (self.type != JV_STR)
        return px_jinja_fail(run, "truncate wants a string, not a %s", px_jv_type_name(self));
    jv part;
    if (!px_jstr_chars_part(run, self.s, 0, length - n_end, &part))
        return false;
    if (!kill) {
        jstr space = {.data = " ", .len = 1, .chars = 1};
        int64_t at = px_jtext_find(run, part.s, &space, 0, part.s->len, true);
        if (at >= 0 && !px_jv_part(run, part.s, 0, (size_t)at, &part))
            return false;
    }
    return px_jstr_concat(run, part.s, end.s, out);
}

FILTER(do_wordcount)
{
    UNUSED;
    jv text;
    int64_t n = 0;
    bool inside = false;
    if (!px_jv_text(run, self, &text))
        return false;
    for (size_t i = 0; i < text.s->len;) {
        uint32_t c = 0;
        int used = px_utf8_get(text.s->data + i, text.s->len - i, &c);
        bool word = c == '_' || px_jchar_is_alnum(c);
        n += word && !inside;
        inside = word;
        i += used > 0 ? (size_t)used : 1;
    }
    *out = px_jv_int(n);
    return px_jinja_charge(run, text.s->len / 4);
}

FILTER(do_string)
{
    UNUSED;
    return px_jv_text(run, self, out);
}

FILTER(do_format)
{
    UNUSED;
    jv text, values;
    if (!px_jv_text(run, self, &text))
        return false;
    if (more->n_pos && more->n_named)
        return px_jinja_fail(run, "format takes arguments with or without names, not both");
    if (!more->n_named)
        return px_jv_items(run, JV_TUPLE, more->pos, more->n_pos, &values) &&
               px_jinja_percent(run, text.s, values, out);
    values = (jv){.type = JV_DICT, .d = px_jdict_new(run)};
    for (int i = 0; values.d && i < more->n_named; i++)
        if (!px_jdict_set(run, values.d, px_jv_of_str(more->names[i]), more->named[i]))
            return false;
    return values.d && px_jinja_percent(run, text.s, values, out);
}

/* ---- markup */

static bool escaped(jrun *run, jv self, bool again, jv *out)
{
    jv text;
    if (self.type == JV_STR && self.s->markup && !again) {
        *out = self;
        return true;
    }
    size_t mark = run->out.len;
    if (!px_jv_text(run, self, &text) || !px_jstr_put_escaped(run, text.s) ||
        !px_jv_capture(run, mark, run->n_spans, out))
        return false;
    out->s->markup = true;
    return true;
}

FILTER(do_escape)
{
    UNUSED;
    return escaped(run, self, false, out);
}

FILTER(do_forceescape)
{
    UNUSED;
    return escaped(run, self, true, out);
}

FILTER(do_safe)
{
    UNUSED;
    jv text;
    if (!px_jv_text(run, self, &text) || !px_jv_part(run, text.s, 0, text.s->len, out))
        return false;
    out->s->markup = true;
    return true;
}

/* The character that "&name;" at s stands for; its bytes, 0 for none that is known. */
static size_t entity(const char *s, size_t len, char *c)
{
    static const struct {
        char text[7], c;
    } known[] = {{"&amp;", '&'},  {"&lt;", '<'},  {"&gt;", '>'},
                 {"&quot;", '"'}, {"&#34;", '"'}, {"&#39;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].text);
        if (len >= n && memcmp(s, known[i].text, n) == 0) {
            *c = known[i].c;
            return n;
        }
    }
    return 0;
}

/* Tags and comments out, white space squeezed, the commonest entities read. */
FILTER(do_striptags)
{
    UNUSED;
    jv text;
    if (!px_jv_text(run, self, &text) || !px_jinja_charge(run, text.s->len))
        return false;
    const char *s = text.s->data;
    size_t len = text.s->len, mark = run->out.len;
    for (size_t i = 0; i < len;) {
        const char *end = NULL;
        if (s[i] == '<' && len - i >= 4 && memcmp(s + i, "<!--", 4) == 0) {
            end = memmem(s + i + 4, len - i - 4, "-->", 3);
            end = end ? end + 2 : NULL;
        } else if (s[i] == '<') {
            end = memchr(s + i, '>', len - i);
        }
        if (end) {
            i = (size_t)(end - s) + 1;
            continue;
        }
        if (s[i] == '<') { // closes nowhere: neither does any other
            const char *next = memchr(s + i + 1, '<', len - i - 1);
            size_t n = next ? (size_t)(next - s) - i : len - i;
            if (!px_jinja_charge(run, len / 16) || !px_jinja_put(run, s + i, n))
                return false;
            i += n;
            continue;
        }
        if (!px_jinja_put(run, s + i++, 1))
            return false;
    }
    jv plain;
    if (!px_jv_capture(run, mark, run->n_spans, &plain))
        return false;
    jlist *words = px_jtext_split(run, plain.s, NULL, -1, false);
    for (int64_t w = 0; words && w < words->n; w++) {
        const jstr *word = words->items[w].s;
        if (w && !px_jinja_put(run, " ", 1))
            return false;
        for (size_t i = 0; i < word->len;) {
            char c = word->data[i];
            size_t n = entity(word->data + i, word->len - i, &c);
            if (!px_jinja_put(run, &c, 1))
                return false;
            i += n ? n : 1;
        }
    }
    return words && px_jv_capture(run, mark, run->n_spans, out);
}

/* A text for a URL: in a query, blanks are '+' and '/' is escaped. */
static bool put_url(jrun *run, jv v, bool query)
{
    jv text;
    if (!px_jv_text(run, v, &text))
        return false;
    for (size_t i = 0; i < text.s->len; i++) {
        char c = text.s->data[i], code[4];
        bool plain = px_jchar_digit(c) >= 0 || (c && strchr("_.-~", c)) || (c == '/' && !query);
        if (plain || (c == ' ' && query)) {
            c = plain ? c : '+';
            if (!px_jinja_put(run, &c, 1))
                return false;
            continue;
        }
        snprintf(code, sizeof code, "%%%02X", (unsigned char)c);
        if (!px_jinja_put(run, code, 3))
            return false;
    }
    return true;
}

FILTER(do_urlencode)
{
    UNUSED;
    size_t mark = run->out.len;
    if (self.type == JV_STR || !px_jv_is_iterable(self))
        return put_url(run, self, false) && px_jv_capture(run, mark, run->n_spans, out);
    jview w = {.d = self.d, .kind = JVIEW_ITEMS};
    jv pairs = self.type == JV_DICT ? (jv){.type = JV_VIEW, .w = &w} : self, item;
    jiter *it = px_jiter_of(run, pairs);
    int got = it ? px_jiter_next(run, it, &item) : -1;
    for (bool first = true; got > 0; first = false) {
        jlist *pair = px_jiter_collect(run, item);
        if (!pair)
            return false;
        if (pair->n != 2)
            return px_jinja_fail(run, "urlencode wants pairs of a name and a value");
        if ((!first && !px_jinja_put(run, "&", 1)) || !put_url(run, pair->items[0], true) ||
            !px_jinja_put(run, "=", 1) || !put_url(run, pair->items[1], true))
            return false;
        got = px_jiter_next(run, it, &item);
    }
    return got == 0 && px_jv_capture(run, mark, run->n_spans, out);
}

FILTER(do_xmlattr)
{
    UNUSED;
    bool space, any = false;
    if (self.type != JV_DICT)
        return px_jinja_fail(run, "xmlattr wants a dict, not a %s", px_jv_type_name(self));
    if (!px_jarg_bool(run, a[0], true, &space))
        return false;
    size_t mark = run->out.len;
    for (uint32_t i = 0; i < self.d->n; i++) {
        const jentry *e = &self.d->entries[i];
        jv value;
        if (e->value.type == JV_NONE || e->value.type == JV_UNDEFINED)
            continue;
        if (e->key.type != JV_STR)
            return px_jinja_fail(run, "xmlattr wants strings as keys");
        for (size_t k = 0; k < e->key.s->len; k++)
            if (e->key.s->data[k] && strchr(" \t\n\r\f\v/>=", e->key.s->data[k]))
                return px_jinja_fail(run, "xmlattr: a key holds a character that it cannot hold");
        if (((space || any) && !px_jinja_put(run, " ", 1)) || !px_jstr_put_escaped(run, e->key.s) ||
            !px_jinja_put(run, "=\"", 2) || !escaped(run, e->value, false, &value) ||
            !px_jv_print(run, value) || !px_jinja_put(run, "\"", 1))
            return false;
        any = true;
    }
    return px_jv_capture(run, mark, run->n_spans, out);
}

/* ---- numbers */

FILTER(do_abs)
{
    UNUSED;
    if (self.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, self);
    if (!px_jv_is_number(self))
        return px_jinja_fail(run, "abs wants a number, not a %s", px_jv_type_name(self));
    bool minus = self.type == JV_FLOAT ? signbit(self.f) != 0 : px_jv_as_int(self) < 0;
    return px_jv_sign(run, minus, self, out);
}

/* A float cut to an integer; *ok is false where there is none. */
static bool cut(jrun *run, double v, bool *ok, jv *out)
{
    *ok = isfinite(v);
    if (!*ok)
        return true;
    if (v >= 9223372036854775808.0 || v < -9223372036854775808.0)
        return px_jinja_fail(run, "an integer is too large: pith counts with 64 bits");
    *out = px_jv_int((int64_t)v);
    return true;
}

FILTER(do_int)
{
    UNUSED;
    int64_t base, i;
    double f;
    bool ok = false;
    if (!px_jarg_int(run, a[1], 10, &base))
        return false;
    jv otherwise = a[0].type == JV_MISSING ? px_jv_int(0) : a[0];
    if (self.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, self);
    if (px_jv_is_int(self)) {
        *out = px_jv_int(px_jv_as_int(self));
        return true;
    }
    if (self.type == JV_FLOAT) {
        if (isinf(self.f))
            return px_jinja_fail(run, "an infinite number has no integer");
        if (!cut(run, self.f, &ok, out))
            return false;
    } else if (self.type == JV_STR) {
        if (base < 0 || base == 1 || base > 36)
            base = 99; // no digits at all
        jnumber_result r =
            base == 99 ? JNUMBER_BAD : px_jnumber_int(self.s->data, self.s->len, (int)base, &i);
        if (r == JNUMBER_BIG)
            return px_jinja_fail(run, "an integer is too large: pith counts with 64 bits");
        ok = r == JNUMBER_OK;
        *out = px_jv_int(ok ? i : 0);
        if (!ok && px_jnumber_float(self.s->data, self.s->len, &f) && !cut(run, f, &ok, out))
            return false;
    }
    if (!ok)
        *out = otherwise;
    return px_jinja_charge(run, 1);
}

FILTER(do_float)
{
    UNUSED;
    double f;
    if (self.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, self);
    if (px_jv_is_number(self))
        *out = px_jv_float(px_jv_as_float(self));
    else if (self.type == JV_STR && px_jnumber_float(self.s->data, self.s->len, &f))
        *out = px_jv_float(f);
    else
        *out = a[0].type == JV_MISSING ? px_jv_float(0) : a[0];
    return true;
}

FILTER(do_round)
{
    UNUSED;
    int64_t digits = 0, i;
    jv method;
    if (self.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, self);
    if (!px_jv_is_number(self))
        return px_jinja_fail(run, "round wants a number, not a %s", px_jv_type_name(self));
    if (!px_jarg_int(run, a[0], 0, &digits) || !px_jarg_str(run, a[1], "common", &method))
        return false;
    bool up = px_jv_is_text(method, "ceil"), down = px_jv_is_text(method, "floor");
    if (!up && !down && !px_jv_is_text(method, "common"))
        return px_jinja_fail(run, "round works by \"common\", \"ceil\" or \"floor\"");
    if (up || down) {
        double unit = pow(10.0, (double)digits), v = px_jv_as_float(self) * unit;
        if (!isfinite(v) || !isfinite(unit) || unit == 0)
            return px_jinja_fail(run, "a number cannot be rounded to %lld digits",
                                 (long long)digits);
        *out = px_jv_float((up ? ceil(v) : floor(v)) / unit);
        return true;
    }
    if (self.type == JV_FLOAT) {
        *out = px_jv_float(px_jnumber_round(self.f, digits));
        return true;
    }
    if (!px_jnumber_round_int(px_jv_as_int(self), digits, &i))
        return px_jinja_fail(run, "an integer is too large: pith counts with 64 bits");
    *out = px_jv_int(i);
    return true;
}

FILTER(do_filesizeformat)
{
    UNUSED;
    static const char *const decimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    static const char *const binary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
    bool two;
    jv number = {0};
    char text[400];
    const jv none[] = {px_jv_none()}; // instead of a number where there is none
    if (!px_jarg_bool(run, a[0], false, &two) || !do_float(run, self, none, more, &number))
        return false;
    if (number.type != JV_FLOAT)
        return px_jinja_fail(run, "filesizeformat wants a number");
    double base = two ? 1024 : 1000, v = number.f, unit = base;
    if (v == 1) {
        snprintf(text, sizeof text, "1 Byte");
    } else if (v < base) {
        snprintf(text, sizeof text, "%.0f Bytes", trunc(v));
    } else {
        int i = 0;
        while (i < 7 && v >= unit * base) {
            unit *= base;
            i++;
        }
        size_t n = px_jnumber_print(v / unit, 'f', 1, false, text, sizeof text - 8);
        snprintf(text + n, sizeof text - n, " %s", two ? binary[i] : decimal[i]);
    }
    return px_jv_str(run, text, strlen(text), out);
}

/* ---- others */

FILTER(do_attr)
{
    UNUSED;
    jv name;
    if (!px_jarg_str(run, a[0], "", &name))
        return false;
    /* Members only: the items of a dict are none. */
    if (self.type == JV_DICT && !px_jinja_is_member_name(name.s->data, name.s->len))
        return px_jv_undef_member(run, self, name, out);
    return px_jv_attr(run, self, name.s, true, out);
}

FILTER(do_default)
{
    UNUSED;
    bool boolean, truth = true;
    if (!px_jarg_bool(run, a[1], false, &boolean) || (boolean && !px_jv_truth(run, self, &truth)))
        return false;
    *out = self;
    if (self.type != JV_UNDEFINED && truth)
        return true;
    *out = a[0];
    return a[0].type != JV_MISSING || px_jv_lend(run, "", 0, out);
}

FILTER(do_length)
{
    UNUSED;
    int64_t n = px_jv_len(run, self);
    if (n == -1)
        return px_jinja_fail(run, "a %s has no length", px_jv_type_name(self));
    *out = px_jv_int(n);
    return n >= 0;
}

FILTER(do_random)
{
    UNUSED;
    return px_jinja_fail(run, "random is not supported: a chat template must give the same text "
                              "for the same messages");
}

FILTER(do_unsupported)
{
    UNUSED;
    return px_jinja_fail(run, "the filters pprint and urlize are not supported");
}

/* ---- the table */

#define HERE(name, fn, ...)   \
    {                         \
        name, fn, __VA_ARGS__ \
    }
#define THERE(name, fn, ...)               \
    {                                      \
        name, px_jfilter_##fn, __VA_ARGS__ \
    }

/* clang-format off */
static const jbuiltin filters[] = {
    HERE("abs", do_abs, 0, 0, false, {0}),
    HERE("attr", do_attr, 1, 1, false, {"name"}),
    THERE("batch", batch, 1, 2, false, {"linecount", "fill_with"}),
    HERE("capitalize", do_capitalize, 0, 0, false, {0}),
    HERE("center", do_center, 0, 1, false, {"width"}),
    HERE("count", do_length, 0, 0, false, {0}),
    HERE("d", do_default, 0, 2, false, {"default_value", "boolean"}),
    HERE("default", do_default, 0, 2, false, {"default_value", "boolean"}),
    THERE("dictsort", dictsort, 0, 3, false, {"case_sensitive", "by", "reverse"}),
    HERE("e", do_escape, 0, 0, false, {0}),
    HERE("escape", do_escape, 0, 0, false, {0}),
    HERE("filesizeformat", do_filesizeformat, 0, 1, false, {"binary"}),
    THERE("first", first, 0, 0, false, {0}),
    HERE("float", do_float, 0, 1, false, {"default"}),
    HERE("forceescape", do_forceescape, 0, 0, false, {0}),
    HERE("format", do_format, 0, 0, true, {0}),
    THERE("groupby", groupby, 1, 3, false, {"attribute", "default", "case_sensitive"}),
    HERE("indent", do_indent, 0, 3, false, {"width", "first", "blank"}),
    HERE("int", do_int, 0, 2, false, {"default", "base"}),
    THERE("items", items, 0, 0, false, {0}),
    THERE("join", join, 0, 2, false, {"d", "attribute"}),
    THERE("last", last, 0, 0, false, {0}),
    HERE("length", do_length, 0, 0, false, {0}),
    THERE("list", list, 0, 0, false, {0}),
    HERE("lower", do_lower, 0, 0, false, {0}),
    THERE("map", map, 0, 0, true, {0}),
    THERE("max", max, 0, 2, false, {"case_sensitive", "attribute"}),
    THERE("min", min, 0, 2, false, {"case_sensitive", "attribute"}),
    HERE("pprint", do_unsupported, 0, 0, true, {0}),
    HERE("random", do_random, 0, 0, false, {0}),
    THERE("reject", reject, 0, 0, true, {0}),
    THERE("rejectattr", rejectattr, 0, 0, true, {0}),
    HERE("replace", do_replace, 2, 3, false, {"old", "new", "count"}),
    THERE("reverse", reverse, 0, 0, false, {0}),
    HERE("round", do_round, 0, 2, false, {"precision", "method"}),
    HERE("safe", do_safe, 0, 0, false, {0}),
    THERE("select", select, 0, 0, true, {0}),
    THERE("selectattr", selectattr, 0, 0, true, {0}),
    THERE("slice", slice, 1, 2, false, {"slices", "fill_with"}),
    THERE("sort", sort, 0, 3, false, {"reverse", "case_sensitive", "attribute"}),
    HERE("string", do_string, 0, 0, false, {0}),
    HERE("striptags", do_striptags, 0, 0, false, {0}),
    THERE("sum", sum, 0, 2, false, {"attribute", "start"}),
    HERE("title", do_title, 0, 0, false, {0}),
    THERE("tojson", tojson, 0, 4, false, {"ensure_ascii", "indent", "separators", "sort_keys"}),
    HERE("trim", do_trim, 0, 1, false, {"chars"}),
    HERE("truncate", do_truncate, 0, 4, false, {"length", "killwords", "end", "leeway"}),
    THERE("unique", unique, 0, 2, false, {"case_sensitive", "attribute"}),
    HERE("upper", do_upper, 0, 0, false, {0}),
    HERE("urlencode", do_urlencode, 0, 0, false, {0}),
    HERE("urlize", do_unsupported, 0, 0, true, {0}),
    HERE("wordcount", do_wordcount, 0, 0, false, {0}),
    THERE("wordwrap", wordwrap, 0, 4, false,
          {"width", "break_long_words", "wrapstring", "break_on_hyphens"}),
    HERE("xmlattr", do_xmlattr, 0, 1, false, {"autospace"}),
};
/* clang-format on */

const jbuiltin *px_jinja_find_filter(const char *name, size_t len)
{
    size_t low = 0, high = sizeof filters / sizeof filters[0];
    while (low < high) {
        size_t mid = (low + high) / 2, n = strlen(filters[mid].name);
        int c = memcmp(name, filters[mid].name, len < n ? len : n);
        if (c == 0)
            c = (len > n) - (len < n);
        if (c == 0)
            return &filters[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* jinja_methods: see jinja_methods.h. One table a type, in order of names; the string methods stand
 * on jinja_text. Arguments that Python takes by position only have no name here either. */
#include "text/jinja_methods.h"

#include "base/utf8.h"
#include "text/jinja_ast.h"
#include "text/jinja_char.h"
#include "text/jinja_format.h"
#include "text/jinja_iter.h"
#include "text/jinja_loop.h"
#include "text/jinja_ops.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

#define METHOD(name) static bool name(jrun *run, jv self, const jv *a, const jargs *more, jv *out)
#define UNUSED       (void)run, (void)self, (void)a, (void)more

/* ---- arguments */

static bool given(jv v)
{
    return v.type != JV_MISSING && v.type != JV_NONE;
}

static bool want_str(jrun *run, jv v, const char *method)
{
    if (v.type == JV_STR)
        return true;
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    return px_jinja_fail(run, "%s wants a string, not a %s", method, px_jv_type_name(v));
}

static bool want_int(jrun *run, jv v, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (v.type == JV_MISSING)
        return true;
    if (!px_jv_is_int(v))
        return px_jinja_fail(run, "an integer is wanted, not a %s", px_jv_type_name(v));
    *out = px_jv_as_int(v);
    return true;
}

/* ---- case and classes */

#define CASE_METHOD(name, to)                       \
    METHOD(name)                                    \
    {                                               \
        UNUSED;                                     \
        return px_jtext_case(run, self.s, to, out); \
    }
CASE_METHOD(str_upper, JCASE_UPPER)
CASE_METHOD(str_lower, JCASE_LOWER)
CASE_METHOD(str_title, JCASE_TITLE)
CASE_METHOD(str_capitalize, JCASE_CAPITALIZE)
CASE_METHOD(str_swapcase, JCASE_SWAP)
CASE_METHOD(str_casefold, JCASE_FOLD)

#define CLASS_METHOD(name, which)                         \
    METHOD(name)                                          \
    {                                                     \
        UNUSED;                                           \
        bool is = false;                                  \
        bool ok = px_jtext_is(run, self.s, (which), &is); \
        *out = px_jv_bool(is);                            \
        return ok;                                        \
    }
CLASS_METHOD(str_isalpha, JCLASS_ALPHA)
CLASS_METHOD(str_isdigit, JCLASS_DIGIT)
CLASS_METHOD(str_isdecimal, JCLASS_DECIMAL)
CLASS_METHOD(str_isnumeric, JCLASS_NUMERIC)
CLASS_METHOD(str_isalnum, JCLASS_ALNUM)
CLASS_METHOD(str_isspace, JCLASS_SPACE)
CLASS_METHOD(str_islower, JCLASS_LOWER)
CLASS_METHOD(str_isupper, JCLASS_UPPER)
CLASS_METHOD(str_istitle, JCLASS_TITLE)
CLASS_METHOD(str_isascii, JCLASS_ASCII)
CLASS_METHOD(str_isprintable, JCLASS_PRINTABLE)
CLASS_METHOD(str_isidentifier, JCLASS_IDENTIFIER)

/* ---- sides */

static bool strip(jrun *run, jv self, jv chars, int sides, jv *out)
{
    if (given(chars) && !want_str(run, chars, "strip"))
        return false;
    return px_jtext_strip(run, self.s, given(chars) ? chars.s : NULL, sides, out);
}

METHOD(str_strip)
{
    UNUSED;
    return strip(run, self, a[0], JSIDE_LEFT | JSIDE_RIGHT, out);
}

METHOD(str_lstrip)
{
    UNUSED;
    return strip(run, self, a[0], JSIDE_LEFT, out);
}

METHOD(str_rstrip)
{
    UNUSED;
    return strip(run, self, a[0], JSIDE_RIGHT, out);
}

static bool pad(jrun *run, jv self, const jv *a, int sides, jv *out)
{
    int64_t width;
    const char *fill = " ";
    size_t n = 1;
    if (!want_int(run, a[0], 0, &width))
        return false;
    if (a[1].type != JV_MISSING) {
        if (!want_str(run, a[1], "padding"))
            return false;
        if (px_jstr_chars(run, a[1].s) != 1)
            return px_jinja_fail(run, "padding wants one character");
        fill = a[1].s->data;
        n = a[1].s->len;
    }
    return px_jtext_pad(run, self.s, width, fill, n, sides, out);
}

METHOD(str_center)
{
    UNUSED;
    return pad(run, self, a, JSIDE_LEFT | JSIDE_RIGHT, out);
}

METHOD(str_ljust)
{
    UNUSED;
    return pad(run, self, a, JSIDE_RIGHT, out);
}

METHOD(str_rjust)
{
    UNUSED;
    return pad(run, self, a, JSIDE_LEFT, out);
}

/* Zeros go between the sign and the rest. */
METHOD(str_zfill)
{
    UNUSED;
    int64_t width;
    if (!want_int(run, a[0], 0, &width))
        return false;
    jv rest, padded;
    bool sign = self.s->len && (self.s->data[0] == '-' || self.s->data[0] == '+');
    if (!px_jv_part(run, self.s, sign, self.s->len, &rest) ||
        !px_jtext_pad(run, rest.s, width - sign, "0", 1, JSIDE_LEFT, &padded))
        return false;
    if (!sign) {
        *out = padded;
        return true;
    }
    size_t mark = run->out.len;
    return px_jinja_put(run, self.s->data, 1) && px_jv_print(run, padded) &&
           px_jv_capture(run, mark, run->n_spans, out);
}

METHOD(str_removeprefix)
{
    UNUSED;
    if (!want_str(run, a[0], "removeprefix"))
        return false;
    const jstr *s = self.s, *p = a[0].s;
    *out = self;
    if (s->len < p->len || (p->len && memcmp(s->data, p->data, p->len) != 0))
        return true;
    return px_jv_part(run, s, p->len, s->len, out);
}

METHOD(str_removesuffix)
{
    UNUSED;
    if (!want_str(run, a[0], "removesuffix"))
        return false;
    const jstr *s = self.s, *p = a[0].s;
    *out = self;
    if (s->len < p->len || !p->len || memcmp(s->data + s->len - p->len, p->data, p->len) != 0)
        return true;
    return px_jv_part(run, s, 0, s->len - p->len, out);
}

/* Columns start anew with each line. */
METHOD(str_expandtabs)
{
    UNUSED;
    int64_t size, column = 0;
    if (!want_int(run, a[0], 8, &size))
        return false;
    size_t mark = run->out.len;
    for (size_t i = 0; i < self.s->len; i++) {
        char c = self.s->data[i];
        if (c == '\t') {
            int64_t n = size > 0 ? size - column % size : 0;
            jv empty, spaces;
            if (!px_jv_lend(run, "", 0, &empty) ||
                !px_jtext_pad(run, empty.s, n, " ", 1, JSIDE_LEFT, &spaces) ||
                !px_jv_print(run, spaces))
                return false;
            column += n;
            continue;
        }
        if (!px_jinja_put(run, &c, 1))
            return false;
        column += ((unsigned char)c & 0xc0) != 0x80;
        if (c == '\n' || c == '\r')
            column = 0;
    }
    return px_jv_capture(run, mark, run->n_spans, out);
}

/* ---- finding */

/* The optional arguments start and stop, as bytes; *found is false where nothing can be found. */
static bool stretch(jrun *run, jstr *s, const jv *a, size_t *from, size_t *to, bool *empty)
{
    int64_t n = px_jstr_chars(run, s), start = 0, stop = n;
    if (n < 0 || (given(a[0]) && !want_int(run, a[0], 0, &start)) ||
        (given(a[1]) && !want_int(run, a[1], n, &stop)))
        return false;
    if (start < 0)
        start = start < -n ? 0 : start + n;
    if (stop < 0)
        stop = stop < -n ? 0 : stop + n;
    if (stop > n)
        stop = n;
    *empty = start > stop;
    *from = px_jstr_byte_of(run, s, start);
    *to = px_jstr_byte_of(run, s, stop);
    return true;
}

/* Characters in bytes 0..at. */
static bool char_index(jrun *run, const jstr *s, size_t at, jv *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < at; i++)
        n += ((unsigned char)s->data[i] & 0xc0) != 0x80;
    *out = px_jv_int(n);
    return px_jinja_charge(run, at / 16);
}

static bool find(jrun *run, jv self, const jv *a, bool last, bool must, jv *out)
{
    size_t from = 0, to = 0;
    bool empty = false;
    if (!want_str(run, a[0], "find") || !stretch(run, self.s, a + 1, &from, &to, &empty))
        return false;
    int64_t at = empty ? -1 : px_jtext_find(run, self.s, a[0].s, from, to, last);
    if (at < 0 && must)
        return px_jinja_fail(run, "the substring was not found");
    *out = px_jv_int(-1);
    return at < 0 ? px_jinja_charge(run, 1) : char_index(run, self.s, (size_t)at, out);
}

METHOD(str_find)
{
    UNUSED;
    return find(run, self, a, false, false, out);
}

METHOD(str_rfind)
{
    UNUSED;
    return find(run, self, a, true, false, out);
}

METHOD(str_index)
{
    UNUSED;
    return find(run, self, a, false, true, out);
}

METHOD(str_rindex)
{
    UNUSED;
    return find(run, self, a, true, true, out);
}

METHOD(str_count)
{
    UNUSED;
    size_t from = 0, to = 0;
    bool empty = false;
    if (!want_str(run, a[0], "count") || !stretch(run, self.s, a + 1, &from, &to, &empty))
        return false;
    int64_t n = 0, at = 0;
    *out = px_jv_int(0);
    if (empty)
        return true;
    if (a[0].s->len == 0) {
        for (size_t i = from; i < to; i++)
            n += ((unsigned char)self.s->data[i] & 0xc0) != 0x80;
        n++;
    }
    while (a[0].s->len && (at = px_jtext_find(run, self.s, a[0].s, from, to, false)) >= 0) {
        from = (size_t)at + a[0].s->len;
        n++;
    }
    *out = px_jv_int(n);
    return px_jinja_charge(run, (uint64_t)n);
}

/* Whether the stretch from..to begins or ends with `what`, a string or a tuple of them. */
static bool has_affix(jrun *run, jv self, const jv *a, bool end, jv *out)
{
    size_t from = 0, to = 0;
    bool empty = false, is = false;
    const jv *items = a[0].type == JV_TUPLE ? a[0].l->items : a;
    int64_t n = a[0].type == JV_TUPLE ? a[0].l->n : 1;
    if (!stretch(run, self.s, a + 1, &from, &to, &empty))
        return false;
    for (int64_t i = 0; !is && i < n; i++) {
        if (!want_str(run, items[i], end ? "endswith" : "startswith") || !px_jinja_charge(run, 1))
            return false;
        const jstr *p = items[i].s;
        is = !empty && to - from >= p->len &&
             (p->len == 0 ||
              memcmp(self.s->data + (end ? to - p->len : from), p->data, p->len) == 0);
    }
    *out = px_jv_bool(is);
    return true;
}

METHOD(str_startswith)
{
    UNUSED;
    return has_affix(run, self, a, false, out);
}

METHOD(str_endswith)
{
    UNUSED;
    return has_affix(run, self, a, true, out);
}

/* ---- taking apart and putting together */

METHOD(str_replace)
{
    UNUSED;
    int64_t count;
    return want_str(run, a[0], "replace") && want_str(run, a[1], "replace") &&
           want_int(run, a[2], -1, &count) &&
           px_jtext_replace(run, self.s, a[0].s, a[1].s, count < 0 ? -1 : count, out);
}

static bool split(jrun *run, jv self, const jv *a, bool from_right, jv *out)
{
    int64_t most;
    if ((given(a[0]) && !want_str(run, a[0], "split")) || !want_int(run, a[1], -1, &most))
        return false;
    jlist *l =
        px_jtext_split(run, self.s, given(a[0]) ? a[0].s : NULL, most < 0 ? -1 : most, from_right);
    *out = px_jv_of_list(JV_LIST, l);
    return l != NULL;
}

METHOD(str_split)
{
    UNUSED;
    return split(run, self, a, false, out);
}

METHOD(str_rsplit)
{
    UNUSED;
    return split(run, self, a, true, out);
}

METHOD(str_splitlines)
{
    UNUSED;
    bool keep = false;
    if (a[0].type != JV_MISSING && !px_jv_truth(run, a[0], &keep))
        return false;
    jlist *l = px_jtext_lines(run, self.s, keep);
    *out = px_jv_of_list(JV_LIST, l);
    return l != NULL;
}

static bool partition(jrun *run, jv self, jv sep, bool last, jv *out)
{
    if (!want_str(run, sep, "partition"))
        return false;
    if (sep.s->len == 0)
        return px_jinja_fail(run, "a string cannot be split at an empty string");
    const jstr *s = self.s;
    int64_t at = px_jtext_find(run, s, sep.s, 0, s->len, last);
    jv parts[3] = {self, sep, self};
    bool ok = px_jinja_charge(run, 1);
    if (at < 0) {
        ok = ok && px_jv_lend(run, "", 0, &parts[1]);
        parts[last ? 0 : 2] = parts[1];
    } else {
        ok = ok && px_jv_part(run, s, 0, (size_t)at, &parts[0]) &&
             px_jv_part(run, s, (size_t)at + sep.s->len, s->len, &parts[2]);
    }
    return ok && px_jv_items(run, JV_TUPLE, parts, 3, out);
}

METHOD(str_partition)
{
    UNUSED;
    return partition(run, self, a[0], false, out);
}

METHOD(str_rpartition)
{
    UNUSED;
    return partition(run, self, a[0], true, out);
}

METHOD(str_join)
{
    UNUSED;
    size_t mark = run->out.len, spans = run->n_spans;
    jiter *it = px_jiter_of(run, a[0]);
    jv item;
    int got = it ? px_jiter_next(run, it, &item) : -1;
    for (bool first = true; got > 0; first = false) {
        if ((!first && !px_jv_print(run, self)) || !want_str(run, item, "join") ||
            !px_jv_print(run, item))
            return false;
        got = px_jiter_next(run, it, &item);
    }
    return got == 0 && px_jv_capture(run, mark, spans, out);
}

METHOD(str_format)
{
    UNUSED;
    return px_jinja_format(run, self.s, more, out);
}

METHOD(str_format_map)
{
    UNUSED;
    if (a[0].type != JV_DICT)
        return px_jinja_fail(run, "format_map wants a dict, not a %s", px_jv_type_name(a[0]));
    jargs args = {.n_named = 0};
    args.names = px_jinja_alloc(run, a[0].d->n + 1u, sizeof(jstr *));
    args.named = args.names ? px_jinja_alloc(run, a[0].d->n + 1u, sizeof(jv)) : NULL;
    if (!args.named)
        return false;
    for (uint32_t i = 0; i < a[0].d->n; i++) {
        const jentry *e = &a[0].d->entries[i];
        if (e->key.type != JV_STR)
            continue;
        args.names[args.n_named] = e->key.s;
        args.named[args.n_named++] = e->value;
    }
    return px_jinja_format(run, self.s, &args, out);
}

/* ---- lists, ranges, dicts */

METHOD(seq_count)
{
    UNUSED;
    int64_t n = 0;
    jiter *it = px_jiter_of(run, self);
    jv item;
    bool same;
    int got = it ? px_jiter_next(run, it, &item) : -1;
    for (; got > 0; got = px_jiter_next(run, it, &item)) {
        if (!px_jv_equal(run, item, a[0], &same))
            return false;
        n += same;
    }
    *out = px_jv_int(n);
    return got == 0;
}

METHOD(seq_index)
{
    UNUSED;
    int64_t n = px_jv_len(run, self), start, stop;
    if (!want_int(run, a[1], 0, &start) || !want_int(run, a[2], n, &stop))
        return false;
    start = start < 0 ? start + n : start;
    stop = stop < 0 ? stop + n : stop;
    jiter *it = px_jiter_of(run, self);
    jv item;
    for (int64_t i = 0; it && px_jiter_next(run, it, &item) > 0; i++) {
        bool same = false;
        if (i < start || i >= stop)
            continue;
        if (!px_jv_equal(run, item, a[0], &same))
            return false;
        *out = px_jv_int(i);
        if (same)
            return true;
    }
    return px_jinja_fail(run, "the value is not in the %s", px_jv_type_name(self));
}

METHOD(list_copy)
{
    UNUSED;
    return px_jv_items(run, JV_LIST, self.l->items, self.l->n, out);
}

METHOD(dict_copy)
{
    UNUSED;
    jdict *d = px_jdict_new(run);
    for (uint32_t i = 0; d && i < self.d->n; i++)
        if (!px_jdict_set(run, d, self.d->entries[i].key, self.d->entries[i].value))
            return false;
    *out = (jv){.type = JV_DICT, .d = d};
    return d != NULL;
}

METHOD(dict_get)
{
    UNUSED;
    int found = px_jdict_get(run, self.d, a[0], out);
    if (found == 0)
        *out = a[1].type == JV_MISSING ? px_jv_none() : a[1];
    return found >= 0;
}

static bool view(jrun *run, jv self, jview_kind kind, jv *out)
{
    jview *w = px_jinja_alloc(run, 1, sizeof *w);
    if (!w)
        return false;
    *w = (jview){.d = self.d, .kind = kind};
    *out = (jv){.type = JV_VIEW, .w = w};
    return true;
}

METHOD(dict_keys)
{
    UNUSED;
    return view(run, self, JVIEW_KEYS, out);
}

METHOD(dict_values)
{
    UNUSED;
    return view(run, self, JVIEW_VALUES, out);
}

METHOD(dict_items)
{
    UNUSED;
    return view(run, self, JVIEW_ITEMS, out);
}

/* ---- loops, cyclers */

METHOD(loop_cycle)
{
    UNUSED;
    if (more->n_pos == 0)
        return px_jinja_fail(run, "loop.cycle wants at least one value");
    *out = more->pos[self.loop->index0 % more->n_pos];
    return true;
}

METHOD(loop_changed)
{
    UNUSED;
    jv now;
    bool same = false;
    if (!px_jv_items(run, JV_TUPLE, more->pos, more->n_pos, &now))
        return false;
    if (self.loop->changed.type != JV_MISSING && !px_jv_equal(run, now, self.loop->changed, &same))
        return false;
    if (!same)
        self.loop->changed = now;
    *out = px_jv_bool(!same);
    return true;
}

METHOD(cycler_next)
{
    UNUSED;
    *out = self.c->items->items[self.c->at];
    self.c->at = (self.c->at + 1) % self.c->items->n;
    return true;
}

METHOD(cycler_reset)
{
    UNUSED;
    self.c->at = 0;
    *out = px_jv_none();
    return true;
}

/* ---- tables */

static const jbuiltin str_methods[] = {
    {"capitalize", str_capitalize, 0, 0, false, {0}},
    {"casefold", str_casefold, 0, 0, false, {0}},
    {"center", str_center, 1, 2, false, {0}},
    {"count", str_count, 1, 3, false, {0}},
    {"endswith", str_endswith, 1, 3, false, {0}},
    {"expandtabs", str_expandtabs, 0, 1, false, {"tabsize"}},
    {"find", str_find, 1, 3, false, {0}},
    {"format", str_format, 0, 0, true, {0}},
    {"format_map", str_format_map, 1, 1, false, {0}},
    {"index", str_index, 1, 3, false, {0}},
    {"isalnum", str_isalnum, 0, 0, false, {0}},
    {"isalpha", str_isalpha, 0, 0, false, {0}},
    {"isascii", str_isascii, 0, 0, false, {0}},
    {"isdecimal", str_isdecimal, 0, 0, false, {0}},
    {"isdigit", str_isdigit, 0, 0, false, {0}},
    {"isidentifier", str_isidentifier, 0, 0, false, {0}},
    {"islower", str_islower, 0, 0, false, {0}},
    {"isnumeric", str_isnumeric, 0, 0, false, {0}},
    {"isprintable", str_isprintable, 0, 0, false, {0}},
    {"isspace", str_isspace, 0, 0, false, {0}},
    {"istitle", str_istitle, 0, 0, false, {0}},
    {"isupper", str_isupper, 0, 0, false, {0}},
    {"join", str_join, 1, 1, false, {0}},
    {"ljust", str_ljust, 1, 2, false, {0}},
    {"lower", str_lower, 0, 0, false, {0}},
    {"lstrip", str_lstrip, 0, 1, false, {0}},
    {"partition", str_partition, 1, 1, false, {0}},
    {"removeprefix", str_removeprefix, 1, 1, false, {0}},
    {"removesuffix", str_removesuffix, 1, 1, false, {0}},
    {"replace", str_replace, 2, 3, false, {0}},
    {"rfind", str_rfind, 1, 3, false, {0}},
    {"rindex", str_rindex, 1, 3, false, {0}},
    {"rjust", str_rjust, 1, 2, false, {0}},
    {"rpartition", str_rpartition, 1, 1, false, {0}},
    {"rsplit", str_rsplit, 0, 2, false, {"sep", "maxsplit"}},
    {"rstrip", str_rstrip, 0, 1, false, {0}},
    {"split", str_split, 0, 2, false, {"sep", "maxsplit"}},
    {"splitlines", str_splitlines, 0, 1, false, {"keepends"}},
    {"startswith", str_startswith, 1, 3, false, {0}},
    {"strip", str_strip, 0, 1, false, {0}},
    {"swapcase", str_swapcase, 0, 0, false, {0}},
    {"title", str_title, 0, 0, false, {0}},
    {"upper", str_upper, 0, 0, false, {0}},
    {"zfill", str_zfill, 1, 1, false, {0}},
};

static const jbuiltin list_methods[] = {
    {"copy", list_copy, 0, 0, false, {0}},
    {"count", seq_count, 1, 1, false, {0}},
    {"index", seq_index, 1, 3, false, {0}},
};

static const jbuiltin tuple_methods[] = {
    {"count", seq_count, 1, 1, false, {0}},
    {"index", seq_index, 1, 3, false, {0}},
};

static const jbuiltin dict_methods[] = {
    {"copy", dict_copy, 0, 0, false, {0}},     {"get", dict_get, 1, 2, false, {0}},
    {"items", dict_items, 0, 0, false, {0}},   {"keys", dict_keys, 0, 0, false, {0}},
    {"values", dict_values, 0, 0, false, {0}},
};

static const jbuiltin loop_methods[] = {
    {"changed", loop_changed, 0, 0, true, {0}},
    {"cycle", loop_cycle, 0, 0, true, {0}},
};

static const jbuiltin cycler_methods[] = {
    {"next", cycler_next, 0, 0, false, {0}},
    {"reset", cycler_reset, 0, 0, false, {0}},
};

static const struct {
    jv_type type;
    const jbuiltin *methods;
    size_t n;
} tables[] = {
#define TABLE(type, t)                    \
    {                                     \
        type, t, sizeof(t) / sizeof(t)[0] \
    }
    TABLE(JV_STR, str_methods),       TABLE(JV_LIST, list_methods), TABLE(JV_TUPLE, tuple_methods),
    TABLE(JV_RANGE, tuple_methods),   TABLE(JV_DICT, dict_methods), TABLE(JV_LOOP, loop_methods),
    TABLE(JV_CYCLER, cycler_methods),
#undef TABLE
};

/* Methods that would change a list or a dict. */
static const char *const list_changes[] = {"append", "clear",  "extend",  "insert",
                                           "pop",    "remove", "reverse", "sort"};
static const char *const dict_changes[] = {"clear", "pop", "popitem", "setdefault", "update"};

/* Members that are not methods, and those of tables above that types have besides. */
static const char *const plain_members[] = {
    "start", "stop",      "step",         "current",       "items",  "pos",      "sep",
    "used",  "grouper",   "list",         "index",         "index0", "revindex", "revindex0",
    "first", "last",      "length",       "depth",         "depth0", "previtem", "nextitem",
    "name",  "arguments", "catch_kwargs", "catch_varargs", "caller"};

static bool in_names(const char *const *names, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    return false;
}

#define IN_NAMES(names, name, len) in_names(names, sizeof(names) / sizeof(names)[0], name, len)

static const jbuiltin *find_in(const jbuiltin *methods, size_t n, const char *name, size_t len)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        size_t n_name = strlen(methods[mid].name);
        int c = memcmp(name, methods[mid].name, len < n_name ? len : n_name);
        if (c == 0)
            c = (len > n_name) - (len < n_name);
        if (c == 0)
            return &methods[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

bool px_jinja_is_member_name(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (find_in(tables[i].methods, tables[i].n, name, len))
            return true;
    return IN_NAMES(plain_members, name, len) || IN_NAMES(list_changes, name, len) ||
           IN_NAMES(dict_changes, name, len);
}

static bool plain_member(jv v, const jstr *name, jv *out)
{
    px_str n = {name->data, name->len};
    const struct {
        jv_type type;
        const char *name;
        jv value;
    } members[] = {
        {JV_RANGE, "start", px_jv_int(v.type == JV_RANGE ? v.r->start : 0)},
        {JV_RANGE, "stop", px_jv_int(v.type == JV_RANGE ? v.r->stop : 0)},
        {JV_RANGE, "step", px_jv_int(v.type == JV_RANGE ? v.r->step : 0)},
        {JV_CYCLER, "pos", px_jv_int(v.type == JV_CYCLER ? v.c->at : 0)},
        {JV_CYCLER, "items", px_jv_of_list(JV_TUPLE, v.type == JV_CYCLER ? v.c->items : NULL)},
        {JV_CYCLER, "current", v.type == JV_CYCLER ? v.c->items->items[v.c->at] : px_jv_none()},
        {JV_JOINER, "sep", v.type == JV_JOINER ? v.j->sep : px_jv_none()},
        {JV_JOINER, "used", px_jv_bool(v.type == JV_JOINER && v.j->used)},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (members[i].type == v.type && px_str_is(n, members[i].name)) {
            *out = members[i].value;
            return true;
        }
    if (v.type == JV_TUPLE && v.l->group && (px_str_is(n, "grouper") || px_str_is(n, "list"))) {
        *out = v.l->items[px_str_is(n, "list")];
        return true;
    }
    return false;
}

int px_jinja_find_method(jrun *run, jv v, const jstr *name, jv *out)
{
    if ((v.type == JV_LIST && IN_NAMES(list_changes, name->data, name->len)) ||
        (v.type == JV_DICT && IN_NAMES(dict_changes, name->data, name->len)))
        return px_jv_undef_hint(run, out, "'%.*s' would change a %s, which templates cannot",
                                PX_STR_ARG(((px_str){name->data, name->len})), px_jv_type_name(v))
                   ? 1
                   : -1;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (tables[i].type != v.type)
            continue;
        const jbuiltin *fn = find_in(tables[i].methods, tables[i].n, name->data, name->len);
        if (!fn)
            break;
        jmethod *bound = px_jinja_alloc(run, 1, sizeof *bound);
        if (!bound)
            return -1;
        *bound = (jmethod){.self = v, .fn = fn};
        *out = (jv){.type = JV_METHOD, .bound = bound};
        return 1;
    }
    return plain_member(v, name, out);
}

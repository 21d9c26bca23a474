/* jinja_print: see jinja_print.h. */
#include "text/jinja_print.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja_char.h"
#include "text/jinja_iter.h"
#include "text/jinja_loop.h"
#include "text/jinja_macro.h"
#include "text/jinja_number.h"

#include <stdio.h>

bool px_jinja_add_span(jrun *run, px_span span)
{
    if (run->n_spans == run->cap_spans) {
        size_t cap = run->cap_spans ? run->cap_spans * 2 : 16;
        px_span *spans = px_realloc(run->spans, cap, sizeof *spans);
        if (!spans) {
            px_fail_memory(run->err, "the spans of a template");
            return false;
        }
        run->spans = spans;
        run->cap_spans = cap;
    }
    run->spans[run->n_spans++] = span;
    return px_jinja_charge(run, 1);
}

static bool put(jrun *run, const char *text)
{
    return px_jinja_put(run, text, strlen(text));
}

static bool put_int(jrun *run, int64_t i)
{
    char text[24];
    return px_jinja_put(run, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)i));
}

/* A string as a literal of Python: single quotes unless only they stand inside. */
static bool repr_str(jrun *run, const jstr *s)
{
    char quote =
        s->len && memchr(s->data, '\'', s->len) && !memchr(s->data, '"', s->len) ? '"' : '\'';
    bool ok = px_jinja_put(run, &quote, 1);
    size_t plain = 0, i = 0; // plain..i is yet to be put
    while (ok && i < s->len) {
        uint32_t c = 0;
        int n = px_utf8_get(s->data + i, s->len - i, &c);
        n = n > 0 ? n : 1;
        if (c != '\\' && c != (uint32_t)quote && px_jchar_is_printable(c)) {
            i += (size_t)n;
            continue;
        }
        char text[12];
        if (c == '\\' || c == (uint32_t)quote)
            snprintf(text, sizeof text, "\\%c", (char)c);
        else if (c == '\n' || c == '\r' || c == '\t')
            snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else
            snprintf(text, sizeof text,
                     c < 0x100     ? "\\x%02x"
                     : c < 0x10000 ? "\\u%04x"
                                   : "\\U%08x",
                     c);
        ok = px_jinja_put(run, s->data + plain, i - plain) && put(run, text);
        i += (size_t)n;
        plain = i;
    }
    return ok && px_jinja_put(run, s->data + plain, i - plain) && px_jinja_put(run, &quote, 1);
}

static bool repr_items(jrun *run, const jlist *l, const char *open, const char *close)
{
    bool ok = put(run, open);
    for (int64_t i = 0; ok && i < l->n; i++)
        ok = (i == 0 || put(run, ", ")) && px_jv_repr(run, l->items[i]);
    return ok && put(run, close);
}

static bool repr_dict(jrun *run, const jdict *d)
{
    bool ok = put(run, "{");
    for (uint32_t i = 0; ok && i < d->n; i++)
        ok = (i == 0 || put(run, ", ")) && px_jv_repr(run, d->entries[i].key) && put(run, ": ") &&
             px_jv_repr(run, d->entries[i].value);
    return ok && put(run, "}");
}

static bool repr_range(jrun *run, const jrange *r)
{
    bool ok =
        put(run, "range(") && put_int(run, r->start) && put(run, ", ") && put_int(run, r->stop);
    if (ok && r->step != 1)
        ok = put(run, ", ") && put_int(run, r->step);
    return ok && put(run, ")");
}

static bool repr_view(jrun *run, jv v)
{
    bool ok = put(run, px_jv_type_name(v)) && put(run, "([");
    for (uint32_t i = 0; ok && i < v.w->d->n; i++) {
        jv item;
        ok = (i == 0 || put(run, ", ")) && px_jview_at(run, v.w, i, &item) && px_jv_repr(run, item);
    }
    return ok && put(run, "])");
}

/* What has no text of its own in Python but its type (and address, which is left out). */
static bool repr_object(jrun *run, jv v)
{
    if (v.type == JV_LOOP) {
        int64_t n = px_jloop_length(run, v.loop);
        return n >= 0 && put(run, "<LoopContext ") && put_int(run, v.loop->index0 + 1) &&
               put(run, "/") && put_int(run, n) && put(run, ">");
    }
    if (v.type == JV_MACRO) {
        const jstr *name = px_jmacro_name(v.m);
        return put(run, "<Macro ") && (name ? repr_str(run, name) : put(run, "anonymous")) &&
               put(run, ">");
    }
    if (v.type == JV_NAMESPACE)
        return put(run, "<Namespace ") && repr_dict(run, v.d) && put(run, ">");
    if (v.type == JV_FUNCTION || v.type == JV_METHOD) {
        const char *name = v.type == JV_FUNCTION ? v.fn->name : v.bound->fn->name;
        return put(run, "<function ") && put(run, name) && put(run, ">");
    }
    return put(run, "<") && put(run, px_jv_type_name(v)) && put(run, " object>");
}

static bool repr_inside(jrun *run, jv v)
{
    char text[JNUMBER_REPR_BYTES];
    switch (v.type) {
    case JV_MISSING:
    case JV_UNDEFINED:
        return put(run, "Undefined");
    case JV_NONE:
        return put(run, "None");
    case JV_BOOL:
        return put(run, v.b ? "True" : "False");
    case JV_INT:
        return put_int(run, v.i);
    case JV_FLOAT:
        return px_jinja_put(run, text, px_jnumber_repr(v.f, text));
    case JV_STR:
        return repr_str(run, v.s);
    case JV_LIST:
        return repr_items(run, v.l, "[", "]");
    case JV_TUPLE:
        return repr_items(run, v.l, "(", v.l->n == 1 ? ",)" : ")");
    case JV_DICT:
        return repr_dict(run, v.d);
    case JV_RANGE:
        return repr_range(run, v.r);
    case JV_VIEW:
        return repr_view(run, v);
    default:
        return repr_object(run, v);
    }
}

bool px_jv_repr(jrun *run, jv v)
{
    bool ok = px_jinja_enter(run) && repr_inside(run, v);
    px_jinja_leave(run);
    return ok;
}

bool px_jv_print(jrun *run, jv v)
{
    if (v.type == JV_UNDEFINED)
        return true;
    if (v.type != JV_STR)
        return px_jv_repr(run, v);
    size_t mark = run->out.len;
    for (uint32_t i = 0; i < v.s->n_spans; i++) {
        px_span span = v.s->spans[i];
        span.start += mark;
        span.end += mark;
        if (!px_jinja_add_span(run, span))
            return false;
    }
    return px_jinja_put(run, v.s->data, v.s->len);
}

bool px_jv_text(jrun *run, jv v, jv *out)
{
    size_t mark = run->out.len, spans = run->n_spans;
    if (v.type == JV_STR) {
        *out = v;
        return true;
    }
    return px_jv_print(run, v) && px_jv_capture(run, mark, spans, out);
}

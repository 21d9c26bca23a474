/* jinja_ops: see jinja_ops.h. */
#include "text/jinja_ops.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja_format.h"
#include "text/jinja_iter.h"
#include "text/jinja_loop.h"
#include "text/jinja_macro.h"
#include "text/jinja_methods.h"
#include "text/jinja_print.h"

#include <math.h>

/* ---- numbers */

static bool too_large(jrun *run)
{
    return px_jinja_fail(run, "an integer is too large: pith counts with 64 bits");
}

static bool by_zero(jrun *run)
{
    return px_jinja_fail(run, "division by zero");
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

static bool int_power(jrun *run, int64_t a, int64_t b, jv *out)
{
    if (b < 0) {
        if (a == 0)
            return px_jinja_fail(run, "0 cannot be raised to a negative power");
        *out = px_jv_float(pow((double)a, (double)b));
        return true;
    }
    int64_t r = 1;
    while (b) {
        if ((b & 1) && __builtin_mul_overflow(r, a, &r))
            return too_large(run);
        b >>= 1;
        if (b && __builtin_mul_overflow(a, a, &a))
            return too_large(run);
    }
    *out = px_jv_int(r);
    return true;
}

static bool int_math(jrun *run, jtok op, int64_t a, int64_t b, jv *out)
{
    int64_t r = 0;
    bool over = false;
    if (b == 0 && (op == JT_DIV || op == JT_FLOORDIV || op == JT_MOD))
        return by_zero(run);
    switch (op) {
    case JT_ADD:
        over = __builtin_add_overflow(a, b, &r);
        break;
    case JT_SUB:
        over = __builtin_sub_overflow(a, b, &r);
        break;
    case JT_MUL:
        over = __builtin_mul_overflow(a, b, &r);
        break;
    case JT_DIV:
        *out = px_jv_float((double)a / (double)b);
        return true;
    case JT_POW:
        return int_power(run, a, b, out);
    default:
        if (b == -1) { // INT64_MIN has no opposite
            over = op == JT_FLOORDIV && __builtin_sub_overflow((int64_t)0, a, &r);
            break;
        }
        r = op == JT_FLOORDIV ? floor_div(a, b) : a - floor_div(a, b) * b;
        break;
    }
    *out = px_jv_int(r);
    return over ? too_large(run) : true;
}

/* Quotient and remainder with the sign of the divisor, as Python makes them. */
static void float_divmod(double a, double b, double *quotient, double *rest)
{
    double mod = fmod(a, b), div = (a - mod) / b;
    if (mod != 0) {
        if ((b < 0) != (mod < 0)) {
            mod += b;
            div -= 1.0;
        }
    } else {
        mod = copysign(0.0, b);
    }
    double whole = copysign(0.0, a / b);
    if (div != 0) {
        whole = floor(div);
        if (div - whole > 0.5)
            whole += 1.0;
    }
    *quotient = whole;
    *rest = mod;
}

static bool float_math(jrun *run, jtok op, double a, double b, jv *out)
{
    double r = 0, other;
    if (b == 0 && (op == JT_DIV || op == JT_FLOORDIV || op == JT_MOD))
        return by_zero(run);
    switch (op) {
    case JT_ADD:
        r = a + b;
        break;
    case JT_SUB:
        r = a - b;
        break;
    case JT_MUL:
        r = a * b;
        break;
    case JT_DIV:
        r = a / b;
        break;
    case JT_FLOORDIV:
        float_divmod(a, b, &r, &other);
        break;
    case JT_MOD:
        float_divmod(a, b, &other, &r);
        break;
    default:
        if (a == 0 && b < 0)
            return px_jinja_fail(run, "0 cannot be raised to a negative power");
        if (a < 0 && isfinite(a) && isfinite(b) && b != floor(b))
            return px_jinja_fail(run, "a power would be a complex number");
        r = pow(a, b);
        if (isinf(r) && isfinite(a) && isfinite(b))
            return px_jinja_fail(run, "a power is too large for a number");
        break;
    }
    *out = px_jv_float(r);
    return true;
}

bool px_jv_sign(jrun *run, bool minus, jv v, jv *out)
{
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    if (!px_jv_is_number(v))
        return px_jinja_fail(run, "a %s cannot have a sign", px_jv_type_name(v));
    if (v.type == JV_FLOAT) {
        *out = px_jv_float(minus ? -v.f : v.f);
        return true;
    }
    int64_t i = px_jv_as_int(v), r = i;
    if (minus && __builtin_sub_overflow((int64_t)0, i, &r))
        return too_large(run);
    *out = px_jv_int(r);
    return true;
}

/* ---- strings and lists */

bool px_jstr_put_escaped(jrun *run, const jstr *s)
{
    size_t plain = 0;
    for (size_t i = 0; i < s->len; i++) {
        const char *to = NULL;
        switch (s->data[i]) {
        case '&':
            to = "&amp;";
            break;
        case '<':
            to = "&lt;";
            break;
        case '>':
            to = "&gt;";
            break;
        case '\'':
            to = "&#39;";
            break;
        case '"':
            to = "&#34;";
            break;
        default:
            continue;
        }
        if (!px_jinja_put(run, s->data + plain, i - plain) || !px_jinja_put(run, to, strlen(to)))
            return false;
        plain = i + 1;
    }
    return px_jinja_put(run, s->data + plain, s->len - plain);
}

/* a + b where one came from escape or safe, or carries spans: by way of the output. */
static bool concat_marked(jrun *run, jstr *a, jstr *b, jv *out)
{
    size_t mark = run->out.len, spans = run->n_spans;
    bool markup = a->markup || b->markup;
    jstr *parts[] = {a, b};
    for (int i = 0; i < 2; i++) {
        jstr *s = parts[i];
        bool ok =
            markup && !s->markup ? px_jstr_put_escaped(run, s) : px_jv_print(run, px_jv_of_str(s));
        if (!ok)
            return false;
    }
    if (!px_jv_capture(run, mark, spans, out))
        return false;
    out->s->markup = markup;
    return true;
}

bool px_jstr_concat(jrun *run, jstr *a, jstr *b, jv *out)
{
    size_t len;
    if (a->markup || b->markup || a->n_spans || b->n_spans)
        return concat_marked(run, a, b, out);
    if (!px_add_size(a->len, b->len, &len))
        return px_jinja_over(run, "a string is too long");
    int64_t chars = a->chars >= 0 && b->chars >= 0 ? a->chars + b->chars : -1;
    jtail *tail = a->tail;
    if (tail && tail->used == a->data + a->len && (size_t)(tail->end - tail->used) >= b->len) {
        if (!px_jinja_charge(run, b->len / 64) || !px_jv_lend(run, a->data, len, out))
            return false;
        if (b->len)
            memcpy(tail->used, b->data, b->len);
        tail->used += b->len;
    } else {
        /* A string that was appended to before will be again. */
        size_t room = tail ? len : 32;
        tail = px_jinja_alloc(run, 1, sizeof *tail);
        char *data = tail ? px_jinja_bytes(run, len + room) : NULL;
        if (!data || !px_jv_lend(run, data, len, out))
            return false;
        if (a->len)
            memcpy(data, a->data, a->len);
        if (b->len)
            memcpy(data + a->len, b->data, b->len);
        *tail = (jtail){.used = data + len, .end = data + len + room};
    }
    out->s->tail = tail;
    out->s->chars = chars;
    return true;
}

static bool concat_lists(jrun *run, jv_type type, const jlist *a, const jlist *b, jv *out)
{
    jlist *l = px_jlist_new(run, a->n + b->n);
    if (!l)
        return false;
    if (a->n)
        memcpy(l->items, a->items, (size_t)a->n * sizeof(jv));
    if (b->n)
        memcpy(l->items + a->n, b->items, (size_t)b->n * sizeof(jv));
    l->n = a->n + b->n;
    *out = px_jv_of_list(type, l);
    return true;
}

/* v * times for a string, list or tuple. */
static bool repeat(jrun *run, jv v, int64_t times, jv *out)
{
    times = times < 0 ? 0 : times;
    size_t unit = v.type == JV_STR ? v.s->len : (size_t)v.l->n, total;
    if (!px_mul_size(unit, (size_t)times, &total) || total > PX_MAX_TEMPLATE_MEMORY)
        return px_jinja_over(run, "repeating a %s %lld times takes more than %u bytes of memory",
                             px_jv_type_name(v), (long long)times, PX_MAX_TEMPLATE_MEMORY);
    if (unit == 0)
        times = 0;
    if (v.type == JV_STR) {
        char *data = px_jinja_bytes(run, total);
        if (!data)
            return false;
        for (size_t done = 0; done < total;) { // doubles what is there
            size_t n = done == 0 ? unit : done < total - done ? done : total - done;
            memcpy(data + done, done ? data : v.s->data, n);
            done += n;
        }
        if (!px_jv_lend(run, data, total, out))
            return false;
        out->s->markup = v.s->markup;
        return true;
    }
    jlist *l = px_jlist_new(run, (int64_t)total);
    if (!l)
        return false;
    for (int64_t i = 0; i < times; i++)
        memcpy(l->items + (size_t)i * unit, v.l->items, unit * sizeof(jv));
    l->n = (int64_t)total;
    *out = px_jv_of_list(v.type, l);
    return true;
}

static bool is_sequence(jv v)
{
    return v.type == JV_STR || v.type == JV_LIST || v.type == JV_TUPLE;
}

bool px_jv_math(jrun *run, jtok op, jv a, jv b, jv *out)
{
    static const char *const signs[] = {"+", "-", "*", "/", "//", "%", "**"};
    if (px_jv_is_number(a) && px_jv_is_number(b)) {
        if (a.type == JV_FLOAT || b.type == JV_FLOAT)
            return float_math(run, op, px_jv_as_float(a), px_jv_as_float(b), out);
        return int_math(run, op, px_jv_as_int(a), px_jv_as_int(b), out);
    }
    if (op == JT_MOD && a.type == JV_STR)
        return px_jinja_percent(run, a.s, b, out);
    if (a.type == JV_UNDEFINED || b.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, a.type == JV_UNDEFINED ? a : b);
    if (op == JT_ADD && a.type == b.type && a.type == JV_STR)
        return px_jstr_concat(run, a.s, b.s, out);
    if (op == JT_ADD && a.type == b.type && (a.type == JV_LIST || a.type == JV_TUPLE))
        return concat_lists(run, a.type, a.l, b.l, out);
    if (op == JT_MUL && is_sequence(a) && px_jv_is_int(b))
        return repeat(run, a, px_jv_as_int(b), out);
    if (op == JT_MUL && is_sequence(b) && px_jv_is_int(a))
        return repeat(run, b, px_jv_as_int(a), out);
    return px_jinja_fail(run, "'%s' cannot work on a %s and a %s", signs[op - JT_ADD],
                         px_jv_type_name(a), px_jv_type_name(b));
}

static bool contains_str(jrun *run, jv item, jstr *s, bool *out)
{
    if (item.type != JV_STR)
        return px_jinja_fail(run, "'in' a string wants a string at its left, not a %s",
                             px_jv_type_name(item));
    *out =
        item.s->len == 0 || (s->len && memmem(s->data, s->len, item.s->data, item.s->len) != NULL);
    return px_jinja_charge(run, s->len / 16);
}

static bool contains_walking(jrun *run, jv item, jv container, bool *out)
{
    jiter *it = px_jiter_of(run, container);
    jv one;
    int got = it ? px_jiter_next(run, it, &one) : -1;
    *out = false;
    while (got > 0) {
        if (!px_jv_equal(run, item, one, out))
            return false;
        if (*out)
            return true;
        got = px_jiter_next(run, it, &one);
    }
    return got == 0;
}

bool px_jv_contains(jrun *run, jv item, jv container, bool *out)
{
    jv ignored;
    int found;
    switch (container.type) {
    case JV_STR:
        return contains_str(run, item, container.s, out);
    case JV_DICT:
        found = px_jdict_get(run, container.d, item, &ignored);
        *out = found > 0;
        return found >= 0;
    case JV_VIEW:
        if (container.w->kind != JVIEW_KEYS)
            return contains_walking(run, item, container, out);
        found = px_jdict_get(run, container.w->d, item, &ignored);
        *out = found > 0;
        return found >= 0;
    default:
        return contains_walking(run, item, container, out);
    }
}

/* ---- parts */

size_t px_jstr_byte_of(jrun *run, jstr *s, int64_t at)
{
    int64_t n = px_jstr_chars(run, s);
    if (n == (int64_t)s->len || at <= 0)
        return at <= 0 ? 0 : (size_t)at;
    if (at >= n)
        return s->len;
    size_t byte = 0;
    for (; byte < s->len; byte++)
        if (((unsigned char)s->data[byte] & 0xc0) != 0x80 && at-- == 0)
            break;
    px_jinja_charge(run, byte / 16);
    return byte;
}

bool px_jstr_chars_part(jrun *run, jstr *s, int64_t from, int64_t to, jv *out)
{
    size_t a = px_jstr_byte_of(run, s, from), b = px_jstr_byte_of(run, s, to);
    if (!px_jinja_charge(run, 1) || !px_jv_part(run, s, a, b < a ? a : b, out))
        return false;
    out->s->chars = to > from ? to - from : 0;
    out->s->markup = s->markup;
    return true;
}

/* Item i of something with a length; false in *found when it is out of range. */
static bool item_at(jrun *run, jv v, int64_t i, jv *out, bool *found)
{
    int64_t n = px_jv_len(run, v);
    if (n < -1)
        return false;
    if (i < 0)
        i += n;
    *found = i >= 0 && i < n;
    if (!*found)
        return true;
    if (v.type == JV_STR)
        return px_jstr_chars_part(run, v.s, i, i + 1, out);
    *out = v.type == JV_RANGE ? px_jv_int(px_jrange_at(v.r, i)) : v.l->items[i];
    return true;
}

static bool is_hashable(jv v, int depth)
{
    if (v.type == JV_LIST || v.type == JV_DICT || v.type == JV_VIEW || depth > 50)
        return false;
    if (v.type == JV_TUPLE)
        for (int64_t i = 0; i < v.l->n; i++)
            if (!is_hashable(v.l->items[i], depth + 1))
                return false;
    return true;
}

/* v[key] where v has such an item: 1, 0, -1. */
static int find_item(jrun *run, jv v, jv key, jv *out)
{
    bool found = false;
    switch (v.type) {
    case JV_DICT:
        return is_hashable(key, 0) ? px_jdict_get(run, v.d, key, out) : 0;
    case JV_STR:
    case JV_LIST:
    case JV_TUPLE:
    case JV_RANGE:
        if (!px_jv_is_int(key))
            return 0;
        return item_at(run, v, px_jv_as_int(key), out, &found) ? found : -1;
    default:
        return 0;
    }
}

/* A member that is not an item: 1, 0, -1. */
static int find_member(jrun *run, jv v, jstr *name, jv *out)
{
    switch (v.type) {
    case JV_NAMESPACE:
        return px_jdict_get(run, v.d, px_jv_of_str(name), out);
    case JV_LOOP:
        return px_jloop_member(run, v.loop, name, out);
    case JV_MACRO:
        return px_jmacro_member(run, v.m, name, out);
    default:
        return px_jinja_find_method(run, v, name, out);
    }
}

bool px_jv_attr(jrun *run, jv v, jstr *name, bool may_be_member, jv *out)
{
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    int found = 0;
    if (may_be_member || v.type == JV_NAMESPACE)
        found = find_member(run, v, name, out);
    if (found == 0)
        found = find_item(run, v, px_jv_of_str(name), out);
    if (found == 0)
        return px_jv_undef_member(run, v, px_jv_of_str(name), out);
    return found > 0;
}

bool px_jv_item(jrun *run, jv v, jv key, jv *out)
{
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    int found = find_item(run, v, key, out);
    if (found == 0 && key.type == JV_STR)
        found = find_member(run, v, key.s, out);
    if (found == 0)
        return px_jv_undef_member(run, v, key, out);
    return found > 0;
}

/* ---- slices */

/* A bound of a slice over n items, by the rules for its direction. */
static bool bound(jrun *run, jv v, int64_t n, bool backwards, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (v.type == JV_MISSING || v.type == JV_NONE)
        return true;
    if (!px_jv_is_int(v))
        return px_jinja_fail(run, "a slice wants integers, not a %s", px_jv_type_name(v));
    int64_t i = px_jv_as_int(v);
    if (i < 0)
        i = i < -n ? -1 : i + n;
    int64_t low = backwards ? -1 : 0, high = backwards ? n - 1 : n;
    *out = i < low ? low : i > high ? high : i;
    return true;
}

static bool slice_str(jrun *run, jstr *s, int64_t start, int64_t step, int64_t n, jv *out)
{
    if (step == 1)
        return px_jstr_chars_part(run, s, start, start + n, out);
    int64_t chars = px_jstr_chars(run, s);
    size_t *at = NULL; // where each character begins, when they are not bytes
    if (chars != (int64_t)s->len) {
        at = px_jinja_alloc(run, (size_t)chars + 1, sizeof *at);
        if (!at)
            return false;
        size_t k = 0;
        for (size_t i = 0; i < s->len; i++)
            if (((unsigned char)s->data[i] & 0xc0) != 0x80)
                at[k++] = i;
        at[k] = s->len;
    }
    size_t mark = run->out.len;
    for (int64_t i = 0; i < n; i++) {
        size_t c = (size_t)(start + i * step), from = at ? at[c] : c;
        if (!px_jinja_put(run, s->data + from, at ? at[c + 1] - from : 1))
            return false;
    }
    return px_jv_capture(run, mark, run->n_spans, out);
}

static bool slice_range(jrun *run, const jrange *r, int64_t start, int64_t stop, int64_t step,
                        int64_t n, jv *out)
{
    jrange *part = px_jinja_alloc(run, 1, sizeof *part);
    if (!part)
        return false;
    *part = (jrange){.start = px_jrange_at(r, start),
                     .stop = px_jrange_at(r, stop),
                     .step = (int64_t)((uint64_t)r->step * (uint64_t)step),
                     .n = n};
    *out = (jv){.type = JV_RANGE, .r = part};
    return true;
}

bool px_jv_slice(jrun *run, jv v, jv start_v, jv stop_v, jv step_v, jv *out)
{
    if (v.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, v);
    if (!is_sequence(v) && v.type != JV_RANGE)
        return px_jinja_fail(run, "a %s cannot be sliced", px_jv_type_name(v));
    int64_t n = px_jv_len(run, v), start, stop, step = 1;
    if (n < 0)
        return false;
    if (step_v.type != JV_MISSING && step_v.type != JV_NONE) {
        if (!px_jv_is_int(step_v))
            return px_jinja_fail(run, "a slice wants integers, not a %s", px_jv_type_name(step_v));
        step = px_jv_as_int(step_v);
    }
    if (step == 0)
        return px_jinja_fail(run, "the step of a slice cannot be 0");
    bool backwards = step < 0;
    if (!bound(run, start_v, n, backwards, backwards ? n - 1 : 0, &start) ||
        !bound(run, stop_v, n, backwards, backwards ? -1 : n, &stop))
        return false;
    if (step < -n - 1) // so that nothing below can overflow
        step = -n - 1;
    if (step > n + 1)
        step = n + 1;
    int64_t count = 0;
    if (!backwards && start < stop)
        count = (stop - start - 1) / step + 1;
    if (backwards && stop < start)
        count = (start - stop - 1) / -step + 1;
    if (v.type == JV_STR)
        return slice_str(run, v.s, count ? start : 0, step, count, out);
    if (v.type == JV_RANGE)
        return slice_range(run, v.r, start, stop, step, count, out);
    jlist *l = px_jlist_new(run, count);
    if (!l)
        return false;
    for (int64_t i = 0; i < count; i++)
        l->items[l->n++] = v.l->items[start + i * step];
    *out = px_jv_of_list(v.type, l);
    return true;
}

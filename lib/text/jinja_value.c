/* jinja_value: making values, their truth, equality, order and length. See jinja_value.h. */
#include "text/jinja_value.h"

#include "base/utf8.h"
#include "text/jinja_loop.h"

#include <math.h>
#include <stdio.h>

/* ---- making */

bool px_jv_lend(jrun *run, const char *text, size_t len, jv *out)
{
    jstr *s = px_jinja_alloc(run, 1, sizeof *s);
    if (!s)
        return false;
    *s = (jstr){.data = text, .len = len, .chars = len <= 1 ? (int64_t)len : -1};
    *out = px_jv_of_str(s);
    return true;
}

bool px_jv_str(jrun *run, const char *text, size_t len, jv *out)
{
    char *copy = px_jinja_bytes(run, len);
    if (!copy)
        return false;
    if (len)
        memcpy(copy, text, len);
    return px_jv_lend(run, copy, len, out);
}

bool px_jv_part(jrun *run, const jstr *s, size_t from, size_t to, jv *out)
{
    if (!px_jv_lend(run, s->data + from, to - from, out))
        return false;
    if (s->chars == (int64_t)s->len)
        out->s->chars = (int64_t)(to - from);
    return true;
}

static bool make_undef(jrun *run, jundef u, jv *out)
{
    jundef *p = px_jinja_alloc(run, 1, sizeof *p);
    if (!p)
        return false;
    *p = u;
    *out = (jv){.type = JV_UNDEFINED, .u = p};
    return true;
}

bool px_jv_undef_name(jrun *run, jstr *name, jv *out)
{
    return make_undef(run, (jundef){.name = px_jv_of_str(name)}, out);
}

bool px_jv_undef_member(jrun *run, jv owner, jv name, jv *out)
{
    return make_undef(run, (jundef){.owner = owner, .name = name}, out);
}

bool px_jv_undef_hint(jrun *run, jv *out, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    jv hint;
    return px_jv_str(run, text, px_utf8_valid_prefix(text, strlen(text)), &hint) &&
           make_undef(run, (jundef){.hint = hint.s}, out);
}

jlist *px_jlist_new(jrun *run, int64_t room)
{
    jlist *l = px_jinja_alloc(run, 1, sizeof *l);
    if (!l || room <= 0)
        return l;
    l->items = px_jinja_alloc(run, (size_t)room, sizeof *l->items);
    l->cap = room;
    return l->items ? l : NULL;
}

bool px_jlist_push(jrun *run, jlist *l, jv item)
{
    if (l->n == l->cap) {
        int64_t cap = l->cap ? l->cap * 2 : 4;
        jv *items = px_jinja_alloc(run, (size_t)cap, sizeof *items);
        if (!items)
            return false;
        if (l->n)
            memcpy(items, l->items, (size_t)l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return true;
}

bool px_jv_items(jrun *run, jv_type type, const jv *items, int64_t n, jv *out)
{
    jlist *l = px_jlist_new(run, n);
    if (!l)
        return false;
    if (n)
        memcpy(l->items, items, (size_t)n * sizeof *items);
    l->n = n;
    *out = px_jv_of_list(type, l);
    return true;
}

/* ---- asking */

const char *px_jv_type_name(jv v)
{
    static const char *const views[] = {"dict_keys", "dict_values", "dict_items"};
    switch (v.type) {
    case JV_MISSING:
    case JV_UNDEFINED:
        return "Undefined";
    case JV_NONE:
        return "NoneType";
    case JV_BOOL:
        return "bool";
    case JV_INT:
        return "int";
    case JV_FLOAT:
        return "float";
    case JV_STR:
        return "str";
    case JV_LIST:
        return "list";
    case JV_TUPLE:
        return "tuple";
    case JV_DICT:
        return "dict";
    case JV_RANGE:
        return "range";
    case JV_VIEW:
        return views[v.w->kind];
    case JV_ITER:
        return v.it->type_name;
    case JV_NAMESPACE:
        return "Namespace";
    case JV_LOOP:
        return "LoopContext";
    case JV_MACRO:
        return "Macro";
    case JV_FUNCTION:
        return "function";
    case JV_METHOD:
        return "builtin_function_or_method";
    case JV_CYCLER:
        return "Cycler";
    case JV_JOINER:
        return "Joiner";
    }
    return "object";
}

bool px_jv_fail_undefined(jrun *run, jv v)
{
    const jundef *u = v.u;
    if (u->hint)
        return px_jinja_fail(run, "%.*s", PX_STR_ARG(((px_str){u->hint->data, u->hint->len})));
    if (u->name.type == JV_INT)
        return px_jinja_fail(run, "a %s has no element %lld", px_jv_type_name(u->owner),
                             (long long)u->name.i);
    if (u->name.type != JV_STR)
        return px_jinja_fail(run, "a %s has no such element (of type %s)",
                             px_jv_type_name(u->owner), px_jv_type_name(u->name));
    px_str name = {u->name.s->data, u->name.s->len};
    if (u->owner.type == JV_MISSING)
        return px_jinja_fail(run, "'%.*s' is undefined", PX_STR_ARG(name));
    return px_jinja_fail(run, "a %s has no member '%.*s'", px_jv_type_name(u->owner),
                         PX_STR_ARG(name));
}

bool px_jv_truth(jrun *run, jv v, bool *out)
{
    switch (v.type) {
    case JV_MISSING:
    case JV_UNDEFINED:
    case JV_NONE:
        *out = false;
        return true;
    case JV_BOOL:
        *out = v.b;
        return true;
    case JV_INT:
        *out = v.i != 0;
        return true;
    case JV_FLOAT:
        *out = v.f != 0;
        return true;
    case JV_STR:
        *out = v.s->len != 0;
        return true;
    case JV_LIST:
    case JV_TUPLE:
    case JV_DICT:
    case JV_RANGE:
    case JV_VIEW: {
        int64_t n = px_jv_len(run, v);
        *out = n > 0;
        return n >= 0;
    }
    default:
        *out = true;
        return true;
    }
}

int64_t px_jstr_chars(jrun *run, jstr *s)
{
    if (s->chars < 0) {
        int64_t n = 0;
        for (size_t i = 0; i < s->len; i++)
            n += ((unsigned char)s->data[i] & 0xc0) != 0x80;
        if (!px_jinja_charge(run, s->len / 64))
            return -2;
        s->chars = n;
    }
    return s->chars;
}

int64_t px_jv_len(jrun *run, jv v)
{
    switch (v.type) {
    case JV_UNDEFINED:
        return 0;
    case JV_STR:
        return px_jstr_chars(run, v.s);
    case JV_LIST:
    case JV_TUPLE:
        return v.l->n;
    case JV_DICT:
        return v.d->n;
    case JV_RANGE:
        return v.r->n;
    case JV_VIEW:
        return v.w->d->n;
    case JV_LOOP:
        return px_jloop_length(run, v.loop);
    default:
        return -1;
    }
}

bool px_jv_same(jv a, jv b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case JV_MISSING:
    case JV_NONE:
        return true;
    case JV_BOOL:
        return a.b == b.b;
    case JV_INT:
        return a.i == b.i;
    case JV_FLOAT:
        return a.f == b.f;
    case JV_STR:
        return a.s == b.s || (a.s->data == b.s->data && a.s->len == b.s->len) ||
               (a.s->len <= 1 && a.s->len == b.s->len &&
                memcmp(a.s->data, b.s->data, a.s->len) == 0);
    case JV_METHOD:
        return false;
    default:
        return a.it == b.it;
    }
}

/* -1, 0, 1; 2 when one is not a number. */
static int compare_numbers(jv a, jv b)
{
    if (a.type != JV_FLOAT && b.type != JV_FLOAT) {
        int64_t x = px_jv_as_int(a), y = px_jv_as_int(b);
        return (x > y) - (x < y);
    }
    if (a.type == JV_FLOAT && b.type == JV_FLOAT)
        return isnan(a.f) || isnan(b.f) ? 2 : (a.f > b.f) - (a.f < b.f);
    if (a.type == JV_FLOAT) {
        int c = compare_numbers(b, a);
        return c == 2 ? 2 : -c;
    }
    int64_t i = px_jv_as_int(a);
    if (isnan(b.f))
        return 2;
    if (b.f >= 9223372036854775808.0)
        return -1;
    if (b.f < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)b.f;
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = b.f - (double)whole;
    return (rest < 0) - (rest > 0);
}

static bool equal_items(jrun *run, const jlist *a, const jlist *b, bool *out)
{
    *out = a->n == b->n;
    for (int64_t i = 0; *out && i < a->n; i++)
        if (!px_jv_equal(run, a->items[i], b->items[i], out))
            return false;
    return true;
}

static bool equal_dicts(jrun *run, const jdict *a, const jdict *b, bool *out)
{
    *out = a->n == b->n;
    for (uint32_t i = 0; *out && i < a->n; i++) {
        jv other;
        int found = px_jdict_get(run, b, a->entries[i].key, &other);
        if (found < 0)
            return false;
        *out = found;
        if (found && !px_jv_equal(run, a->entries[i].value, other, out))
            return false;
    }
    return true;
}

/* Views of keys and of items compare as sets. */
static bool equal_views(jrun *run, const jview *a, const jview *b, bool *out)
{
    *out = a == b || (a->kind == b->kind && a->d == b->d && a->kind != JVIEW_VALUES);
    if (*out || a->kind != b->kind || a->kind == JVIEW_VALUES)
        return true;
    if (a->kind == JVIEW_ITEMS)
        return equal_dicts(run, a->d, b->d, out);
    *out = a->d->n == b->d->n;
    for (uint32_t i = 0; *out && i < a->d->n; i++) {
        jv other;
        int found = px_jdict_get(run, b->d, a->d->entries[i].key, &other);
        if (found < 0)
            return false;
        *out = found;
    }
    return true;
}

static bool equal_inside(jrun *run, jv a, jv b, bool *out)
{
    switch (a.type) {
    case JV_LIST:
    case JV_TUPLE:
        *out = a.l == b.l;
        return *out || equal_items(run, a.l, b.l, out);
    case JV_DICT:
        *out = a.d == b.d;
        return *out || equal_dicts(run, a.d, b.d, out);
    case JV_RANGE:
        *out =
            a.r->n == b.r->n &&
            (a.r->n == 0 || (a.r->start == b.r->start && (a.r->n == 1 || a.r->step == b.r->step)));
        return true;
    case JV_VIEW:
        return equal_views(run, a.w, b.w, out);
    case JV_METHOD:
        *out = a.bound->fn == b.bound->fn && px_jv_same(a.bound->self, b.bound->self);
        return true;
    default:
        *out = a.it == b.it;
        return true;
    }
}

bool px_jv_equal(jrun *run, jv a, jv b, bool *out)
{
    if (px_jv_is_number(a) && px_jv_is_number(b)) {
        *out = compare_numbers(a, b) == 0;
        return true;
    }
    *out = false;
    if (a.type != b.type)
        return true;
    if (a.type == JV_NONE || a.type == JV_UNDEFINED || a.type == JV_MISSING) {
        *out = true;
        return true;
    }
    if (a.type == JV_STR) {
        *out = a.s->len == b.s->len &&
               (a.s->data == b.s->data || memcmp(a.s->data, b.s->data, a.s->len) == 0);
        return px_jinja_charge(run, *out ? a.s->len / 64 : 0);
    }
    bool ok = px_jinja_enter(run) && equal_inside(run, a, b, out);
    px_jinja_leave(run);
    return ok;
}

static bool order_lists(jrun *run, jorder op, const jlist *a, const jlist *b, bool *out)
{
    int64_t n = a->n < b->n ? a->n : b->n;
    for (int64_t i = 0; i < n; i++) {
        bool same;
        if (!px_jv_equal(run, a->items[i], b->items[i], &same))
            return false;
        if (!same)
            return px_jv_order(run, op, a->items[i], b->items[i], out);
    }
    return px_jv_order(run, op, px_jv_int(a->n), px_jv_int(b->n), out);
}

static bool decide(jorder op, int c)
{
    switch (op) {
    case JORDER_LT:
        return c < 0;
    case JORDER_LE:
        return c <= 0;
    case JORDER_GT:
        return c == 1;
    case JORDER_GE:
        return c == 0 || c == 1;
    }
    return false;
}

bool px_jv_order(jrun *run, jorder op, jv a, jv b, bool *out)
{
    static const char *const signs[] = {"<", "<=", ">", ">="};
    if (px_jv_is_number(a) && px_jv_is_number(b)) {
        int c = compare_numbers(a, b);
        *out = c != 2 && decide(op, c);
        return true;
    }
    if (a.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, a);
    if (b.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, b);
    if (a.type == JV_STR && b.type == JV_STR) {
        size_t n = a.s->len < b.s->len ? a.s->len : b.s->len;
        int c = n ? memcmp(a.s->data, b.s->data, n) : 0;
        if (c == 0)
            c = (a.s->len > b.s->len) - (a.s->len < b.s->len);
        *out = decide(op, (c > 0) - (c < 0));
        return px_jinja_charge(run, n / 64);
    }
    if (a.type == b.type && (a.type == JV_LIST || a.type == JV_TUPLE)) {
        bool ok = px_jinja_enter(run) && order_lists(run, op, a.l, b.l, out);
        px_jinja_leave(run);
        return ok;
    }
    return px_jinja_fail(run, "'%s' cannot order a %s and a %s", signs[op], px_jv_type_name(a),
                         px_jv_type_name(b));
}

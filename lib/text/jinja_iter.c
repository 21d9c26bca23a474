/* jinja_iter: see jinja_iter.h. */
#include "text/jinja_iter.h"

#include "base/utf8.h"

typedef struct seq_iter {
    jiter base;
    jv src;
    int64_t i;   // items given
    size_t byte; // of a string
} seq_iter;

bool px_jview_at(jrun *run, const jview *w, uint32_t i, jv *out)
{
    const jentry *e = &w->d->entries[i];
    if (w->kind == JVIEW_ITEMS)
        return px_jv_items(run, JV_TUPLE, (const jv[]){e->key, e->value}, 2, out);
    *out = w->kind == JVIEW_KEYS ? e->key : e->value;
    return true;
}

static int next_char(jrun *run, seq_iter *it, jv *out)
{
    jstr *s = it->src.s;
    if (it->byte >= s->len)
        return 0;
    uint32_t c;
    int n = px_utf8_get(s->data + it->byte, s->len - it->byte, &c);
    size_t from = it->byte;
    it->byte += n > 0 ? (size_t)n : 1;
    if (!px_jv_part(run, s, from, it->byte, out))
        return -1;
    out->s->chars = 1;
    return 1;
}

static int next_item(jrun *run, jiter *base, jv *out)
{
    seq_iter *it = (seq_iter *)base;
    jv v = it->src;
    if (!px_jinja_charge(run, 1))
        return -1;
    switch (v.type) {
    case JV_STR:
        return next_char(run, it, out);
    case JV_LIST:
    case JV_TUPLE:
        if (it->i >= v.l->n)
            return 0;
        *out = v.l->items[it->i++];
        return 1;
    case JV_DICT:
        if (it->i >= v.d->n)
            return 0;
        *out = v.d->entries[it->i++].key;
        return 1;
    case JV_RANGE:
        if (it->i >= v.r->n)
            return 0;
        *out = px_jv_int(px_jrange_at(v.r, it->i++));
        return 1;
    case JV_VIEW:
        if (it->i >= v.w->d->n)
            return 0;
        return px_jview_at(run, v.w, (uint32_t)it->i++, out) ? 1 : -1;
    default:
        return 0;
    }
}

static int next_reversed(jrun *run, jiter *base, jv *out)
{
    seq_iter *it = (seq_iter *)base;
    if (!px_jinja_charge(run, 1))
        return -1;
    if (it->i >= it->src.l->n)
        return 0;
    *out = it->src.l->items[it->src.l->n - ++it->i];
    return 1;
}

static jiter *make(jrun *run, jv v, int (*next)(jrun *, jiter *, jv *), const char *type_name)
{
    seq_iter *it = px_jinja_alloc(run, 1, sizeof *it);
    if (!it)
        return NULL;
    *it = (seq_iter){.base = {.next = next, .type_name = type_name}, .src = v};
    return &it->base;
}

jiter *px_jiter_reversed(jrun *run, jlist *l)
{
    return make(run, px_jv_of_list(JV_LIST, l), next_reversed, "list_reverseiterator");
}

bool px_jv_is_iterable(jv v)
{
    switch (v.type) {
    case JV_UNDEFINED:
    case JV_STR:
    case JV_LIST:
    case JV_TUPLE:
    case JV_DICT:
    case JV_RANGE:
    case JV_VIEW:
    case JV_ITER:
        return true;
    default:
        return false;
    }
}

jiter *px_jiter_of(jrun *run, jv v)
{
    if (v.type == JV_ITER)
        return v.it;
    if (px_jv_is_iterable(v))
        return make(run, v, next_item, "iterator");
    px_jinja_fail(run, "a %s cannot be iterated over", px_jv_type_name(v));
    return NULL;
}

int px_jiter_next(jrun *run, jiter *it, jv *out)
{
    if (!px_jinja_enter(run))
        return -1;
    int got = it->next(run, it, out);
    px_jinja_leave(run);
    return got;
}

jlist *px_jiter_rest(jrun *run, jiter *it)
{
    jlist *l = px_jlist_new(run, 0);
    jv item;
    int got = l ? px_jiter_next(run, it, &item) : -1;
    while (got > 0 && px_jlist_push(run, l, item))
        got = px_jiter_next(run, it, &item);
    return got == 0 ? l : NULL;
}

jlist *px_jiter_collect(jrun *run, jv v)
{
    if (v.type == JV_LIST || v.type == JV_TUPLE) {
        jv copy;
        return px_jv_items(run, JV_LIST, v.l->items, v.l->n, &copy) ? copy.l : NULL;
    }
    jiter *it = px_jiter_of(run, v);
    return it ? px_jiter_rest(run, it) : NULL;
}

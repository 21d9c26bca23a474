/*
 * jinja_sequence: the filters of sequences; see jinja_filters.h. As in the reference, map, select,
 * reject, unique, batch, slice and items give iterators that do their work when they are walked,
 * and are walked once.
 */
#include "text/jinja_filters.h"

#include "text/jinja_iter.h"
#include "text/jinja_number.h"
#include "text/jinja_ops.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

#define UNUSED (void)run, (void)self, (void)a, (void)more

/* ---- attributes by path */

typedef struct path {
    jv *parts;
    int64_t n;
    jv otherwise; // for what is undefined; MISSING: stays so
    bool fold;    // strings in lower case
} path;

/* "a.0.b" as its parts; numbers are indexes. Another value is the only part; none means the item
 * itself. */
static bool make_path(jrun *run, jv attribute, path *out)
{
    *out = (path){.n = 0};
    if (attribute.type == JV_MISSING || attribute.type == JV_NONE)
        return true;
    if (attribute.type != JV_STR) {
        out->parts = px_jinja_alloc(run, 1, sizeof(jv));
        if (!out->parts)
            return false;
        out->parts[out->n++] = attribute;
        return true;
    }
    jstr dot = {.data = ".", .len = 1, .chars = 1};
    jlist *parts = px_jtext_split(run, attribute.s, &dot, -1, false);
    for (int64_t i = 0; parts && i < parts->n; i++) {
        const jstr *s = parts->items[i].s;
        bool digits = s->len > 0;
        for (size_t k = 0; k < s->len; k++)
            digits = digits && s->data[k] >= '0' && s->data[k] <= '9';
        int64_t number;
        if (digits && px_jnumber_int(s->data, s->len, 10, &number) == JNUMBER_OK)
            parts->items[i] = px_jv_int(number);
    }
    if (!parts)
        return false;
    out->parts = parts->items;
    out->n = parts->n;
    return true;
}

static bool follow(jrun *run, const path *p, jv item, jv *out)
{
    for (int64_t i = 0; i < p->n; i++) {
        if (!px_jv_item(run, item, p->parts[i], &item))
            return false;
        if (item.type == JV_UNDEFINED && p->otherwise.type != JV_MISSING)
            item = p->otherwise;
    }
    if (p->fold && item.type == JV_STR)
        return px_jtext_case(run, item.s, JCASE_LOWER, out);
    *out = item;
    return true;
}

/* ---- map, select, reject */

typedef struct applied {
    jiter base;
    jv src;
    jiter *in; // NULL before the first item
    bool done;
    bool is_map, by_attribute, wanted; // select keeps what tests as `wanted`
    path of;
    const jbuiltin *fn; // NULL: map by attribute, select by truth
    jargs args;
    jargs raw; // as given
} applied;

/* map(attribute=..., default=...) */
static bool prepare_attribute(jrun *run, applied *it)
{
    jv attribute = {.type = JV_MISSING}, otherwise = {.type = JV_MISSING};
    for (int i = 0; i < it->raw.n_named; i++) {
        px_str name = {it->raw.names[i]->data, it->raw.names[i]->len};
        if (px_str_is(name, "attribute"))
            attribute = it->raw.named[i];
        else if (px_str_is(name, "default"))
            otherwise = it->raw.named[i];
        else
            return px_jinja_fail(run, "map has no parameter '%.*s'", PX_STR_ARG(name));
    }
    if (!make_path(run, attribute, &it->of))
        return false;
    if (otherwise.type != JV_NONE)
        it->of.otherwise = otherwise;
    return true;
}

static bool find_function(jrun *run, applied *it, jv name)
{
    const char *what = it->is_map ? "filter" : "test";
    if (name.type != JV_STR)
        return px_jinja_fail(run, "the name of a %s is wanted, not a %s", what,
                             px_jv_type_name(name));
    it->fn = it->is_map ? px_jinja_find_filter(name.s->data, name.s->len)
                        : px_jinja_find_test(name.s->data, name.s->len);
    if (!it->fn)
        return px_jinja_fail(run, "there is no %s '%.*s'", what,
                             PX_STR_ARG(((px_str){name.s->data, name.s->len})));
    return true;
}

static bool has_attribute_argument(const jargs *args)
{
    for (int i = 0; i < args->n_named; i++)
        if (px_str_is((px_str){args->names[i]->data, args->names[i]->len}, "attribute"))
            return true;
    return false;
}

static bool prepare(jrun *run, applied *it)
{
    int skip = 0;
    if (it->is_map && it->raw.n_pos == 0 && has_attribute_argument(&it->raw))
        return prepare_attribute(run, it);
    if (it->by_attribute) {
        if (it->raw.n_pos == 0)
            return px_jinja_fail(run, "the name of an attribute is wanted");
        if (!make_path(run, it->raw.pos[0], &it->of))
            return false;
        skip = 1;
    }
    if (it->raw.n_pos <= skip)
        return it->is_map ? px_jinja_fail(run, "map wants the name of a filter") : true;
    it->args = it->raw;
    it->args.pos += skip + 1;
    it->args.n_pos -= skip + 1;
    return find_function(run, it, it->raw.pos[skip]);
}

static bool start(jrun *run, applied *it)
{
    bool any;
    if (!px_jv_truth(run, it->src, &any))
        return false;
    it->done = !any;
    if (!any)
        return true;
    it->in = px_jiter_of(run, it->src);
    return it->in && prepare(run, it);
}

static bool keep(jrun *run, const applied *it, jv item, bool *out)
{
    jv value;
    if (!follow(run, &it->of, item, &value))
        return false;
    if (it->fn && !px_jinja_call_builtin(run, "test", it->fn, value, &it->args, &value))
        return false;
    if (!px_jv_truth(run, value, out))
        return false;
    *out = *out == it->wanted;
    return true;
}

static int next_applied(jrun *run, jiter *base, jv *out)
{
    applied *it = (applied *)base;
    if (!it->in && !it->done && !start(run, it))
        return -1;
    for (;;) {
        jv item;
        bool kept = false;
        int got = it->done ? 0 : px_jiter_next(run, it->in, &item);
        if (got <= 0) {
            it->done = true;
            return got;
        }
        if (it->is_map) {
            bool ok = it->fn ? px_jinja_call_builtin(run, "filter", it->fn, item, &it->args, out)
                             : follow(run, &it->of, item, out);
            return ok ? 1 : -1;
        }
        if (!keep(run, it, item, &kept))
            return -1;
        if (kept) {
            *out = item;
            return 1;
        }
    }
}

static bool apply(jrun *run, jv self, const jargs *raw, applied how, jv *out)
{
    applied *it = px_jinja_alloc(run, 1, sizeof *it);
    if (!it)
        return false;
    *it = how;
    it->base = (jiter){.next = next_applied, .type_name = "generator"};
    it->src = self;
    it->raw = *raw;
    *out = (jv){.type = JV_ITER, .it = &it->base};
    return true;
}

JFILTER(map)
{
    UNUSED;
    return apply(run, self, more, (applied){.is_map = true}, out);
}

JFILTER(select)
{
    UNUSED;
    return apply(run, self, more, (applied){.wanted = true}, out);
}

JFILTER(reject)
{
    UNUSED;
    return apply(run, self, more, (applied){.wanted = false}, out);
}

JFILTER(selectattr)
{
    UNUSED;
    return apply(run, self, more, (applied){.wanted = true, .by_attribute = true}, out);
}

JFILTER(rejectattr)
{
    UNUSED;
    return apply(run, self, more, (applied){.wanted = false, .by_attribute = true}, out);
}

/* ---- unique, batch, slice, items */

typedef struct grouped {
    jiter base;
    jv src;
    jiter *in;
    path of;      // unique
    jdict *seen;  // unique
    int64_t n, i; // batch: items a group; slice: groups, and groups given
    jv fill;
    jv held;    // batch: an item read too far
    jlist *all; // slice
} grouped;

static grouped *make_grouped(jrun *run, jv self, int (*next)(jrun *, jiter *, jv *), jv *out)
{
    grouped *it = px_jinja_alloc(run, 1, sizeof *it);
    if (!it)
        return NULL;
    it->base = (jiter){.next = next, .type_name = "generator"};
    it->src = self;
    *out = (jv){.type = JV_ITER, .it = &it->base};
    return it;
}

static int next_unique(jrun *run, jiter *base, jv *out)
{
    grouped *it = (grouped *)base;
    if (!it->in && (!(it->in = px_jiter_of(run, it->src)) || !(it->seen = px_jdict_new(run))))
        return -1;
    for (;;) {
        jv key, ignored;
        int got = px_jiter_next(run, it->in, out);
        if (got <= 0)
            return got;
        if (!follow(run, &it->of, *out, &key))
            return -1;
        int found = px_jdict_get(run, it->seen, key, &ignored);
        if (found < 0 || (found == 0 && !px_jdict_set(run, it->seen, key, px_jv_none())))
            return -1;
        if (found == 0)
            return 1;
    }
}

JFILTER(unique)
{
    UNUSED;
    bool sensitive;
    grouped *it = make_grouped(run, self, next_unique, out);
    if (!it || !px_jarg_bool(run, a[0], false, &sensitive) || !make_path(run, a[1], &it->of))
        return false;
    it->of.fold = !sensitive;
    return true;
}

static bool fill_up(jrun *run, const grouped *it, jlist *l)
{
    if (it->fill.type == JV_MISSING || it->fill.type == JV_NONE)
        return true;
    while (l->n < it->n)
        if (!px_jlist_push(run, l, it->fill))
            return false;
    return true;
}

/* Reads one item past a full group, as the reference does. */
static int next_batch(jrun *run, jiter *base, jv *out)
{
    grouped *it = (grouped *)base;
    if (!it->in && !(it->in = px_jiter_of(run, it->src)))
        return -1;
    jlist *l = px_jlist_new(run, 0);
    if (!l)
        return -1;
    if (it->held.type != JV_MISSING && !px_jlist_push(run, l, it->held))
        return -1;
    it->held = (jv){.type = JV_MISSING};
    for (;;) {
        jv item;
        int got = px_jiter_next(run, it->in, &item);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        if (l->n == it->n) {
            it->held = item;
            *out = px_jv_of_list(JV_LIST, l);
            return 1;
        }
        if (!px_jlist_push(run, l, item))
            return -1;
    }
    if (l->n == 0)
        return 0;
    *out = px_jv_of_list(JV_LIST, l);
    return fill_up(run, it, l) ? 1 : -1;
}

JFILTER(batch)
{
    UNUSED;
    grouped *it = make_grouped(run, self, next_batch, out);
    if (!it || !px_jarg_int(run, a[0], 0, &it->n))
        return false;
    it->fill = a[1];
    return true;
}

static int next_slice(jrun *run, jiter *base, jv *out)
{
    grouped *it = (grouped *)base;
    if (!it->all && !(it->all = px_jiter_collect(run, it->src)))
        return -1;
    if (it->n == 0) {
        px_jinja_fail(run, "slice wants more than 0 slices");
        return -1;
    }
    if (it->i >= it->n)
        return 0;
    int64_t each = it->all->n / it->n, longer = it->all->n % it->n;
    int64_t from = it->i * each + (it->i < longer ? it->i : longer);
    int64_t n = each + (it->i < longer);
    if (!px_jv_items(run, JV_LIST, it->all->items ? it->all->items + from : NULL, n, out))
        return -1;
    bool fill = it->fill.type != JV_MISSING && it->fill.type != JV_NONE && it->i >= longer;
    it->i++;
    return !fill || px_jlist_push(run, out->l, it->fill) ? 1 : -1;
}

JFILTER(slice)
{
    UNUSED;
    grouped *it = make_grouped(run, self, next_slice, out);
    if (!it || !px_jarg_int(run, a[0], 0, &it->n))
        return false;
    it->fill = a[1];
    return true;
}

static int next_pair(jrun *run, jiter *base, jv *out)
{
    grouped *it = (grouped *)base;
    if (it->src.type == JV_UNDEFINED)
        return 0;
    if (it->src.type != JV_DICT) {
        px_jinja_fail(run, "items wants a dict, not a %s", px_jv_type_name(it->src));
        return -1;
    }
    if (it->i >= it->src.d->n)
        return 0;
    jview w = {.d = it->src.d, .kind = JVIEW_ITEMS};
    return px_jview_at(run, &w, (uint32_t)it->i++, out) ? 1 : -1;
}

JFILTER(items)
{
    UNUSED;
    return make_grouped(run, self, next_pair, out) != NULL;
}

/* ---- order */

typedef struct keyed {
    jv key, item;
} keyed;

/* Stable merge sort by key; n log n comparisons. */
static bool merge_sort(jrun *run, keyed *items, keyed *room, int64_t n, bool reverse)
{
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t from = 0; from < n; from += 2 * width) {
            int64_t mid = from + width < n ? from + width : n;
            int64_t end = mid + width < n ? mid + width : n;
            for (int64_t i = from, k = mid, at = from; at < end; at++) {
                bool right = i >= mid;
                if (i < mid && k < end) {
                    bool ok = reverse
                                  ? px_jv_order(run, JORDER_LT, items[i].key, items[k].key, &right)
                                  : px_jv_order(run, JORDER_LT, items[k].key, items[i].key, &right);
                    if (!ok || !px_jinja_charge(run, 1))
                        return false;
                }
                room[at] = right ? items[k++] : items[i++];
            }
        }
        memcpy(items, room, (size_t)n * sizeof *items);
    }
    return true;
}

/* The key of an item: the value at the end of the only path, or a list of those of all. The
 * difference shows in what cannot be ordered: lists are compared for equality first. */
static bool make_key(jrun *run, const path *paths, int n_paths, bool bare, jv item, jv *out)
{
    if (bare)
        return follow(run, paths, item, out);
    jlist *key = px_jlist_new(run, n_paths);
    if (!key)
        return false;
    for (int p = 0; p < n_paths; p++) {
        if (!follow(run, &paths[p], item, &key->items[p]))
            return false;
        key->n = p + 1;
    }
    *out = px_jv_of_list(JV_LIST, key);
    return true;
}

/* The items of `all`, put in the order of their keys. */
static bool sort_list(jrun *run, jlist *all, const path *paths, int n_paths, bool bare,
                      bool reverse)
{
    keyed *items = px_jinja_alloc(run, (size_t)all->n, sizeof *items);
    keyed *room = items ? px_jinja_alloc(run, (size_t)all->n, sizeof *items) : NULL;
    if (!room)
        return false;
    for (int64_t i = 0; i < all->n; i++) {
        if (!make_key(run, paths, n_paths, bare, all->items[i], &items[i].key))
            return false;
        items[i].item = all->items[i];
    }
    if (!merge_sort(run, items, room, all->n, reverse))
        return false;
    for (int64_t i = 0; i < all->n; i++)
        all->items[i] = items[i].item;
    return true;
}

JFILTER(sort)
{
    UNUSED;
    bool reverse, sensitive;
    jlist *all = px_jiter_collect(run, self), *names = NULL;
    if (!all || !px_jarg_bool(run, a[0], false, &reverse) ||
        !px_jarg_bool(run, a[1], false, &sensitive))
        return false;
    if (a[2].type == JV_STR) { // several, with commas
        jstr comma = {.data = ",", .len = 1, .chars = 1};
        names = px_jtext_split(run, a[2].s, &comma, -1, false);
        if (!names)
            return false;
    }
    int n = names ? (int)names->n : 1;
    path *paths = px_jinja_alloc(run, (size_t)n, sizeof *paths);
    if (!paths)
        return false;
    for (int i = 0; i < n; i++) {
        if (!make_path(run, names ? names->items[i] : a[2], &paths[i]))
            return false;
        paths[i].fold = !sensitive;
    }
    *out = px_jv_of_list(JV_LIST, all);
    return sort_list(run, all, paths, n, false, reverse);
}

JFILTER(dictsort)
{
    UNUSED;
    bool sensitive, reverse;
    jv by, part = px_jv_int(0);
    if (self.type == JV_UNDEFINED)
        return px_jv_fail_undefined(run, self);
    if (self.type != JV_DICT)
        return px_jinja_fail(run, "dictsort wants a dict, not a %s", px_jv_type_name(self));
    if (!px_jarg_bool(run, a[0], false, &sensitive) || !px_jarg_str(run, a[1], "key", &by) ||
        !px_jarg_bool(run, a[2], false, &reverse))
        return false;
    if (!px_jv_is_text(by, "key") && !px_jv_is_text(by, "value"))
        return px_jinja_fail(run, "dictsort sorts by \"key\" or by \"value\"");
    part = px_jv_int(px_jv_is_text(by, "value"));
    jview w = {.d = self.d, .kind = JVIEW_ITEMS};
    jlist *all = px_jiter_collect(run, (jv){.type = JV_VIEW, .w = &w});
    path p = {.parts = &part, .n = 1, .fold = !sensitive};
    *out = px_jv_of_list(JV_LIST, all);
    return all && sort_list(run, all, &p, 1, true, reverse);
}

JFILTER(groupby)
{
    UNUSED;
    bool sensitive;
    path fold, plain;
    jlist *all = px_jiter_collect(run, self), *groups = px_jlist_new(run, 0);
    if (!all || !groups || !make_path(run, a[0], &plain) ||
        !px_jarg_bool(run, a[2], false, &sensitive))
        return false;
    if (a[1].type != JV_NONE)
        plain.otherwise = a[1];
    fold = plain;
    fold.fold = !sensitive;
    if (!sort_list(run, all, &fold, 1, true, false))
        return false;
    jv last = {.type = JV_MISSING}, key, pair[2];
    for (int64_t i = 0; i < all->n; i++) {
        bool same = false;
        if (!follow(run, &fold, all->items[i], &key) || (i && !px_jv_equal(run, last, key, &same)))
            return false;
        if (!same) {
            jlist *members = px_jlist_new(run, 0);
            jv group;
            pair[1] = px_jv_of_list(JV_LIST, members);
            if (!members || !follow(run, &plain, all->items[i], &pair[0]) ||
                !px_jv_items(run, JV_TUPLE, pair, 2, &group) || !px_jlist_push(run, groups, group))
                return false;
            group.l->group = true;
        }
        last = key;
        if (!px_jlist_push(run, pair[1].l, all->items[i]))
            return false;
    }
    *out = px_jv_of_list(JV_LIST, groups);
    return true;
}

static bool extreme(jrun *run, jv self, const jv *a, jorder wanted, jv *out)
{
    bool sensitive;
    path p;
    jv item, key, best_key;
    jiter *it = px_jiter_of(run, self);
    if (!it || !px_jarg_bool(run, a[0], false, &sensitive) || !make_path(run, a[1], &p))
        return false;
    p.fold = !sensitive;
    int got = px_jiter_next(run, it, &item);
    if (got == 0)
        return px_jv_undef_hint(run, out, "there is no item, the sequence is empty");
    for (bool first = true; got > 0; first = false) {
        bool better = first;
        if (!follow(run, &p, item, &key) ||
            (!first && !px_jv_order(run, wanted, key, best_key, &better)))
            return false;
        if (better) {
            best_key = key;
            *out = item;
        }
        got = px_jiter_next(run, it, &item);
    }
    return got == 0;
}

JFILTER(min)
{
    UNUSED;
    return extreme(run, self, a, JORDER_LT, out);
}

JFILTER(max)
{
    UNUSED;
    return extreme(run, self, a, JORDER_GT, out);
}

/* ---- ends, sums, joins */

JFILTER(first)
{
    UNUSED;
    jiter *it = px_jiter_of(run, self);
    int got = it ? px_jiter_next(run, it, out) : -1;
    if (got == 0)
        return px_jv_undef_hint(run, out, "there is no first item, the sequence is empty");
    return got > 0;
}

JFILTER(last)
{
    UNUSED;
    if (self.type == JV_ITER || !px_jv_is_iterable(self))
        return px_jinja_fail(run, "a %s cannot be read backwards", px_jv_type_name(self));
    int64_t n = px_jv_len(run, self);
    if (n == 0)
        return px_jv_undef_hint(run, out, "there is no last item, the sequence is empty");
    if (n < 0)
        return false;
    if (self.type == JV_DICT) {
        *out = self.d->entries[n - 1].key;
        return true;
    }
    if (self.type == JV_VIEW)
        return px_jview_at(run, self.w, (uint32_t)(n - 1), out);
    return px_jv_item(run, self, px_jv_int(-1), out);
}

JFILTER(list)
{
    UNUSED;
    jlist *l = px_jiter_collect(run, self);
    *out = px_jv_of_list(JV_LIST, l);
    return l != NULL;
}

JFILTER(reverse)
{
    UNUSED;
    if (self.type == JV_STR)
        return px_jv_slice(run, self, px_jv_none(), px_jv_none(), px_jv_int(-1), out);
    jlist *l = px_jiter_collect(run, self);
    if (!l)
        return false;
    if (self.type != JV_ITER) {
        *out = (jv){.type = JV_ITER, .it = px_jiter_reversed(run, l)};
        return out->it != NULL;
    }
    return px_jv_slice(run, px_jv_of_list(JV_LIST, l), px_jv_none(), px_jv_none(), px_jv_int(-1),
                       out);
}

JFILTER(sum)
{
    UNUSED;
    path p;
    jv item;
    jiter *it = px_jiter_of(run, self);
    if (!it || !make_path(run, a[0], &p))
        return false;
    jv total = a[1].type == JV_MISSING ? px_jv_int(0) : a[1];
    if (total.type == JV_STR)
        return px_jinja_fail(run, "sum does not add strings: use join");
    int got = px_jiter_next(run, it, &item);
    for (; got > 0; got = px_jiter_next(run, it, &item))
        if (!follow(run, &p, item, &item) || !px_jv_math(run, JT_ADD, total, item, &total))
            return false;
    *out = total;
    return got == 0;
}

JFILTER(join)
{
    UNUSED;
    path p;
    jv item, sep;
    if (a[0].type == JV_MISSING ? !px_jv_lend(run, "", 0, &sep) : !px_jv_text(run, a[0], &sep))
        return false;
    size_t mark = run->out.len, spans = run->n_spans;
    jiter *it = px_jiter_of(run, self);
    if (!it || !make_path(run, a[1], &p))
        return false;
    int got = px_jiter_next(run, it, &item);
    for (bool first = true; got > 0; first = false) {
        if ((!first && !px_jv_print(run, sep)) || !follow(run, &p, item, &item) ||
            !px_jv_print(run, item))
            return false;
        got = px_jiter_next(run, it, &item);
    }
    return got == 0 && px_jv_capture(run, mark, spans, out);
}

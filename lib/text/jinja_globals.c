/* jinja_globals: the functions that every template has: range, dict, namespace, cycler, joiner,
 * lipsum, and those of transformers: raise_exception, strftime_now. */
#include "text/jinja_ast.h"

#include "text/jinja_filters.h"
#include "text/jinja_iter.h"
#include "text/jinja_print.h"
#include "text/jinja_time.h"

#define FUNCTION(name) static bool name(jrun *run, jv self, const jv *a, const jargs *more, jv *out)
#define UNUSED         (void)run, (void)self, (void)a, (void)more, (void)out

FUNCTION(do_range)
{
    UNUSED;
    int64_t start = 0, stop, step;
    bool one = a[1].type == JV_MISSING;
    if (!px_jarg_int(run, a[one ? 0 : 1], 0, &stop) ||
        (!one && !px_jarg_int(run, a[0], 0, &start)) || !px_jarg_int(run, a[2], 1, &step))
        return false;
    if (step == 0)
        return px_jinja_fail(run, "the step of a range cannot be 0");
    uint64_t n = 0;
    if (step > 0 && start < stop)
        n = ((uint64_t)stop - (uint64_t)start - 1) / (uint64_t)step + 1;
    if (step < 0 && stop < start)
        n = ((uint64_t)start - (uint64_t)stop - 1) / (0 - (uint64_t)step) + 1;
    if (n > JINJA_MAX_RANGE)
        return px_jinja_fail(run, "a range of more than %d items is not allowed", JINJA_MAX_RANGE);
    jrange *r = px_jinja_alloc(run, 1, sizeof *r);
    if (!r)
        return false;
    *r = (jrange){.start = start, .stop = stop, .step = step, .n = (int64_t)n};
    *out = (jv){.type = JV_RANGE, .r = r};
    return true;
}

/* Entries from a dict or from pairs. */
static bool add_entries(jrun *run, jdict *d, jv from)
{
    jv item;
    if (from.type == JV_DICT) {
        for (uint32_t i = 0; i < from.d->n; i++)
            if (!px_jdict_set(run, d, from.d->entries[i].key, from.d->entries[i].value))
                return false;
        return true;
    }
    jiter *it = px_jiter_of(run, from);
    int got = it ? px_jiter_next(run, it, &item) : -1;
    for (; got > 0; got = px_jiter_next(run, it, &item)) {
        jlist *pair = px_jiter_collect(run, item);
        if (!pair)
            return false;
        if (pair->n != 2)
            return px_jinja_fail(run, "a dict is made from pairs, not from %lld values",
                                 (long long)pair->n);
        if (!px_jdict_set(run, d, pair->items[0], pair->items[1]))
            return false;
    }
    return got == 0;
}

static jdict *new_dict(jrun *run, const jv *a, const jargs *more)
{
    jdict *d = px_jdict_new(run);
    if (more->n_pos) {
        px_jinja_fail(run, "at most one argument without a name is wanted");
        return NULL;
    }
    if (!d || (a[0].type != JV_MISSING && !add_entries(run, d, a[0])))
        return NULL;
    for (int i = 0; i < more->n_named; i++)
        if (!px_jdict_set(run, d, px_jv_of_str(more->names[i]), more->named[i]))
            return NULL;
    return d;
}

FUNCTION(do_dict)
{
    UNUSED;
    *out = (jv){.type = JV_DICT, .d = new_dict(run, a, more)};
    return out->d != NULL;
}

FUNCTION(do_namespace)
{
    UNUSED;
    *out = (jv){.type = JV_NAMESPACE, .d = new_dict(run, a, more)};
    return out->d != NULL;
}

FUNCTION(do_cycler)
{
    UNUSED;
    jv items;
    if (more->n_pos == 0 || more->n_named)
        return px_jinja_fail(run, "cycler wants at least one value");
    jcycler *c = px_jinja_alloc(run, 1, sizeof *c);
    if (!c || !px_jv_items(run, JV_TUPLE, more->pos, more->n_pos, &items))
        return false;
    c->items = items.l;
    *out = (jv){.type = JV_CYCLER, .c = c};
    return true;
}

FUNCTION(do_joiner)
{
    UNUSED;
    jjoiner *j = px_jinja_alloc(run, 1, sizeof *j);
    if (!j)
        return false;
    j->sep = a[0];
    if (a[0].type == JV_MISSING && !px_jv_lend(run, ", ", 2, &j->sep))
        return false;
    *out = (jv){.type = JV_JOINER, .j = j};
    return true;
}

FUNCTION(do_lipsum)
{
    UNUSED;
    return px_jinja_fail(run, "lipsum is not supported: a chat template must give the same text "
                              "for the same messages");
}

FUNCTION(do_raise)
{
    UNUSED;
    jv text;
    if (!px_jv_text(run, a[0], &text))
        return false;
    return px_jinja_fail(run, "%.*s", text.s->len < 700 ? (int)text.s->len : 700, text.s->data);
}

FUNCTION(do_strftime)
{
    UNUSED;
    jv format;
    size_t mark = run->out.len;
    return px_jarg_str(run, a[0], "", &format) && px_jinja_strftime(run, format.s) &&
           px_jv_capture(run, mark, run->n_spans, out);
}

static const jbuiltin globals[] = {
    {"cycler", do_cycler, 0, 0, true, {0}},
    {"dict", do_dict, 0, 1, true, {0}},
    {"joiner", do_joiner, 0, 1, false, {"sep"}},
    {"lipsum", do_lipsum, 0, 0, true, {0}},
    {"namespace", do_namespace, 0, 1, true, {0}},
    {"raise_exception", do_raise, 1, 1, false, {"message"}},
    {"range", do_range, 1, 3, false, {0}},
    {"strftime_now", do_strftime, 1, 1, false, {"format"}},
};

const jbuiltin *px_jinja_find_global(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (strlen(globals[i].name) == len && memcmp(globals[i].name, name, len) == 0)
            return &globals[i];
    return NULL;
}

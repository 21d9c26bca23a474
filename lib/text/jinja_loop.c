/* jinja_loop: see jinja_loop.h. */
#include "text/jinja_loop.h"

#include "text/jinja_iter.h"
#include "text/jinja_methods.h"

int px_jloop_next(jrun *run, jloop *loop, jv *out)
{
    int got = 1;
    if (loop->ahead.type != JV_MISSING) {
        *out = loop->ahead;
        loop->ahead = (jv){.type = JV_MISSING};
    } else {
        got = px_jiter_next(run, loop->it, out);
    }
    if (got > 0) {
        loop->index0++;
        loop->before = loop->current;
        loop->current = *out;
    }
    return got;
}

static bool peek(jrun *run, jloop *loop)
{
    return loop->ahead.type != JV_MISSING || px_jiter_next(run, loop->it, &loop->ahead) >= 0;
}

int64_t px_jloop_length(jrun *run, jloop *loop)
{
    if (loop->length >= 0)
        return loop->length;
    int64_t n = loop->iterable.type == JV_ITER ? -1 : px_jv_len(run, loop->iterable);
    if (n == -1) {
        jlist *rest = px_jiter_rest(run, loop->it);
        loop->it = rest ? px_jiter_of(run, px_jv_of_list(JV_LIST, rest)) : NULL;
        if (!loop->it)
            return -2;
        n = rest->n + loop->index0 + 1 + (loop->ahead.type != JV_MISSING);
    }
    loop->length = n;
    return n;
}

typedef enum what {
    INDEX,
    INDEX0,
    REVINDEX,
    REVINDEX0,
    FIRST,
    LAST,
    LENGTH,
    DEPTH,
    DEPTH0,
    PREVITEM,
    NEXTITEM
} what;

static bool member(jrun *run, jloop *loop, what which, jv *out)
{
    int64_t n = 0;
    if (which == REVINDEX || which == REVINDEX0 || which == LENGTH) {
        n = px_jloop_length(run, loop);
        if (n < 0)
            return false;
    }
    if ((which == LAST || which == NEXTITEM) && !peek(run, loop))
        return false;
    switch (which) {
    case INDEX:
        *out = px_jv_int(loop->index0 + 1);
        return true;
    case INDEX0:
        *out = px_jv_int(loop->index0);
        return true;
    case REVINDEX:
        *out = px_jv_int(n - loop->index0);
        return true;
    case REVINDEX0:
        *out = px_jv_int(n - loop->index0 - 1);
        return true;
    case FIRST:
        *out = px_jv_bool(loop->index0 == 0);
        return true;
    case LAST:
        *out = px_jv_bool(loop->ahead.type == JV_MISSING);
        return true;
    case LENGTH:
        *out = px_jv_int(n);
        return true;
    case DEPTH:
        *out = px_jv_int(loop->depth0 + 1);
        return true;
    case DEPTH0:
        *out = px_jv_int(loop->depth0);
        return true;
    case PREVITEM:
        *out = loop->before;
        return loop->index0 > 0 || px_jv_undef_hint(run, out, "there is no previous item");
    case NEXTITEM:
        *out = loop->ahead;
        return out->type != JV_MISSING || px_jv_undef_hint(run, out, "there is no next item");
    }
    return false;
}

int px_jloop_member(jrun *run, jloop *loop, const jstr *name, jv *out)
{
    static const char *const names[] = {"index",  "index0",   "revindex", "revindex0",
                                        "first",  "last",     "length",   "depth",
                                        "depth0", "previtem", "nextitem"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == name->len && memcmp(names[i], name->data, name->len) == 0)
            return member(run, loop, (what)i, out) ? 1 : -1;
    return px_jinja_find_method(run, (jv){.type = JV_LOOP, .loop = loop}, name, out);
}

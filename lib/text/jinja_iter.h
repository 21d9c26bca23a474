/* jinja_iter: walking values. A jiter is walked once and by one walker; lists, strings and the like
 * give a new one each time they are asked. */
#ifndef PX_TEXT_JINJA_ITER_H
#define PX_TEXT_JINJA_ITER_H

#include "text/jinja_value.h"

/* Python's iter(v): NULL after recording that v is not iterable. */
jiter *px_jiter_of(jrun *run, jv v);
/* Whether iter(v) would work. */
bool px_jv_is_iterable(jv v);
/* 1 and an item, 0 at the end, -1 after a failure. */
int px_jiter_next(jrun *run, jiter *it, jv *out);
/* Walking a list backwards: Python's reversed(v) for what it takes; the filter `reverse` makes a
 * list of other things first. */
jiter *px_jiter_reversed(jrun *run, jlist *l);
/* All items as a new list; NULL after a failure. */
jlist *px_jiter_collect(jrun *run, jv v);
/* What is left of an iterator as a new list. */
jlist *px_jiter_rest(jrun *run, jiter *it);
/* Item i of a range. */
static inline int64_t px_jrange_at(const jrange *r, int64_t i)
{
    return (int64_t)((uint64_t)r->start + (uint64_t)i * (uint64_t)r->step);
}
/* The item of a view. */
bool px_jview_at(jrun *run, const jview *w, uint32_t i, jv *out);

#endif

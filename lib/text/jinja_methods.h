/* jinja_methods: the methods of strings, lists, dicts and Jinja's own objects. */
#ifndef PX_TEXT_JINJA_METHODS_H
#define PX_TEXT_JINJA_METHODS_H

#include "text/jinja_value.h"

/* v.NAME as a method bound to v, or as one of the few plain members (range.start, cycler.current):
 * 1, 0 when there is none, -1. A method that would change a list or dict gives an undefined whose
 * use says that templates cannot. */
int px_jinja_find_method(jrun *run, jv v, const jstr *name, jv *out);

#endif

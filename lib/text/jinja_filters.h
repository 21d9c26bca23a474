/* jinja_filters: the filters, in three files: of texts and numbers (jinja_filters.c, with the
 * table), of sequences (jinja_sequence.c), of JSON (jinja_json.c). Each has the signature of
 * jbuiltin.call. */
#ifndef PX_TEXT_JINJA_FILTERS_H
#define PX_TEXT_JINJA_FILTERS_H

#include "text/jinja_ast.h"

#define JFILTER(name) \
    bool px_jfilter_##name(jrun *run, jv self, const jv *a, const jargs *more, jv *out)

JFILTER(batch);
JFILTER(dictsort);
JFILTER(first);
JFILTER(groupby);
JFILTER(items);
JFILTER(join);
JFILTER(last);
JFILTER(list);
JFILTER(map);
JFILTER(max);
JFILTER(min);
JFILTER(reject);
JFILTER(rejectattr);
JFILTER(reverse);
JFILTER(select);
JFILTER(selectattr);
JFILTER(slice);
JFILTER(sort);
JFILTER(sum);
JFILTER(tojson);
JFILTER(unique);
JFILTER(wordwrap);

/* The argument as a truth value, `otherwise` when it was not given; as an integer, likewise. */
bool px_jarg_bool(jrun *run, jv v, bool otherwise, bool *out);
bool px_jarg_int(jrun *run, jv v, int64_t otherwise, int64_t *out);
/* The argument as text; `otherwise` when it was not given. Anything but a string is an error. */
bool px_jarg_str(jrun *run, jv v, const char *otherwise, jv *out);

#endif

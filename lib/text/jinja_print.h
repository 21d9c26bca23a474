/* jinja_print: values as text, as Python's str() and repr() give them, appended to run->out. */
#ifndef PX_TEXT_JINJA_PRINT_H
#define PX_TEXT_JINJA_PRINT_H

#include "text/jinja_value.h"

bool px_jv_print(jrun *run, jv v);
bool px_jv_repr(jrun *run, jv v);
/* str(v) as a value; a string is itself. */
bool px_jv_text(jrun *run, jv v, jv *out);
/* A span behind those that there are. */
bool px_jinja_add_span(jrun *run, px_span span);

#endif

/* jinja_format: Python's two ways to format: "..." % values and "...".format(values). */
#ifndef PX_TEXT_JINJA_FORMAT_H
#define PX_TEXT_JINJA_FORMAT_H

#include "text/jinja_value.h"

bool px_jinja_percent(jrun *run, jstr *format, jv values, jv *out);
bool px_jinja_format(jrun *run, const jstr *format, const jargs *args, jv *out);

#endif

/* jinja_time: strftime_now. */
#ifndef PX_TEXT_JINJA_TIME_H
#define PX_TEXT_JINJA_TIME_H

#include "text/jinja_value.h"

/* Puts run->now by a format of strftime into run->out, with English names whatever the locale. */
bool px_jinja_strftime(jrun *run, const jstr *format);

#endif

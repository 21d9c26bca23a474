/* jinja_json: values from JSON (jansson), and the filter tojson as Python's json.dumps writes it.
 */
#ifndef PX_TEXT_JINJA_JSON_H
#define PX_TEXT_JINJA_JSON_H

#include "text/jinja_value.h"

#include <jansson.h>

/* Reads a JSON object; FORMAT when it is none. Free with json_decref after the run. */
json_t *px_jinja_json_read(const char *text, size_t len, pith_error *err);
/* The members of the object as a dict whose strings lie in it. The elements of `messages` get their
 * index. */
jdict *px_jinja_json_values(jrun *run, json_t *object);

#endif

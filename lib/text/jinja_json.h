/* jinja_json: the variables of a rendering, from JSON. (The filter tojson is in jinja_json.c, too.)
 */
#ifndef PX_TEXT_JINJA_JSON_H
#define PX_TEXT_JINJA_JSON_H

#include "text/jinja_value.h"

/* Sets run->vars to the members of a JSON object. The text must outlive the run: strings lie in it.
 * The elements of `messages` get their index. FORMAT when it is no such text. */
bool px_jinja_json_read(jrun *run, const char *text, size_t len);

#endif

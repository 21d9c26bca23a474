/*
 * json: reading JSON (RFC 8259) where it lies, without building a tree: a document is checked once,
 * then a value is a slice of it. For model files' configurations, indexes and tokenizers, which are
 * hostile and may be large: a tree costs up to fifty times the text, this costs nothing.
 *
 * px_json_check proves the whole text well-formed; everything else takes only values that came from
 * it and therefore cannot fail on syntax. Lookup scans the object: constant-time access is the
 * caller's to build. Of equal keys in an object the last one counts, as in Python. Threads: slices
 * are values; the text must outlive them.
 */
#ifndef PX_BASE_JSON_H
#define PX_BASE_JSON_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

typedef enum px_json_type {
    PX_JSON_NONE, // no value: a zeroed px_json, a key that was not found
    PX_JSON_NULL,
    PX_JSON_BOOL,
    PX_JSON_NUMBER,
    PX_JSON_STRING,
    PX_JSON_ARRAY,
    PX_JSON_OBJECT
} px_json_type;

typedef struct px_json {
    const char *at;  // first character of the value; NULL for none
    const char *end; // behind its last
} px_json;

/* Checks text[0..n): one value with white space around it, UTF-8, nested at most PX_MAX_JSON_DEPTH
 * deep. `name` is for messages. FORMAT names line and column, found and expected. */
pith_status px_json_check(const char *name, const char *text, size_t n, px_json *out,
                          pith_error *err);

px_json_type px_json_type_of(px_json value);
/* "an object", "a string", ... for messages. */
const char *px_json_type_name(px_json_type type);

/* The member of that name; a value of type NONE when there is none or `object` is no object. The
 * key is compared after its escapes were resolved. */
px_json px_json_find(px_json object, const char *key);

/* Walks an array or an object in order: start with px_json_each, which gives an empty walk for any
 * other type. key is of type NONE in an array; it may be NULL. */
typedef struct px_json_walk {
    const char *at, *end;
    bool object;
} px_json_walk;

px_json_walk px_json_each(px_json container);
bool px_json_next(px_json_walk *walk, px_json *key, px_json *value);
/* Elements of an array or members of an object; else 0. Walks it. */
uint64_t px_json_count(px_json container);

/* Each returns false, and leaves *out alone, when the value has another type. */
bool px_json_get_bool(px_json value, bool *out);
/* A number of at most 511 characters; what is too large for a double is infinite. */
bool px_json_get_double(px_json value, double *out);
/* A number without fraction or exponent that fits. */
bool px_json_get_int(px_json value, int64_t *out);
/* Appends a string with its escapes resolved; a lone surrogate becomes U+FFFD. The buffer's failure
 * is sticky and the caller's to look at. */
bool px_json_get_string(px_json value, px_buf *out);
/* Whether it is a string that equals text once its escapes are resolved. */
bool px_json_is(px_json value, px_str text);

/* Appends a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void px_json_put_str(px_buf *out, const char *text, size_t len);

/* Line and column (from 1, in bytes) of a place in a text, for messages. */
void px_json_place(const char *text, const char *at, size_t *line, size_t *column);

#endif

/*
 * jscan: reads JSON (RFC 8259) piece by piece. A tokenizer.json has tens of megabytes, so nothing
 * is kept but a block of the file, the text of the current string and a stack of brackets (at most
 * PX_MAX_JSON_DEPTH). Knows the line of everything it returns. Strings must be valid UTF-8; escapes
 * of half a surrogate pair are refused. One thread.
 */
#ifndef PX_TEXT_JSCAN_H
#define PX_TEXT_JSCAN_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

#include <stdint.h>

typedef enum px_json_event {
    PX_JSON_END, // of the document
    PX_JSON_OBJECT,
    PX_JSON_OBJECT_END,
    PX_JSON_ARRAY,
    PX_JSON_ARRAY_END,
    PX_JSON_KEY,
    PX_JSON_STRING,
    PX_JSON_NUMBER,
    PX_JSON_TRUE,
    PX_JSON_FALSE,
    PX_JSON_NULL
} px_json_event;

typedef struct px_jscan {
    const char *name; // stands in messages: "tokenizer.json"
    const char *at, *end;
    char *block; // NULL when all is in memory
    int fd;      // -1 when all is in memory or read
    int64_t line;
    int64_t event_line;  // where the last event began
    px_json_event event; // the last one
    px_str text;         // of KEY, STRING and NUMBER, lent until the next call
    px_buf scratch;      // text that is not as it stands in the file
    int depth;
    int expect;
    bool is_object[PX_MAX_JSON_DEPTH];
} px_jscan;

/* Reads a regular file of at most `limit` bytes; name is lent. */
pith_status px_jscan_open(px_jscan *js, const char *path, const char *name, size_t limit,
                          pith_error *err);
/* Reads n bytes in memory. */
void px_jscan_over(px_jscan *js, const char *name, const char *json, size_t n);
void px_jscan_close(px_jscan *js);

/* The next event, in js->event. Errors: FORMAT "name: line N: ...", IO, MEMORY, LIMIT. */
pith_status px_jscan_next(px_jscan *js, pith_error *err);

/* Passes over the rest of the value that the last event began (nothing after a scalar). */
pith_status px_jscan_skip(px_jscan *js, pith_error *err);

/* The next event, which must be this one. */
pith_status px_jscan_need(px_jscan *js, px_json_event event, pith_error *err);

/* Fails with "name: line N: ", the line of the last event, before the sentence. */
pith_status px_jscan_fail(const px_jscan *js, pith_error *err, pith_status status, const char *fmt,
                          ...) PX_PRINTF(4, 5);

/* "a string", "an object", ... */
const char *px_json_event_name(px_json_event event);

/* The number of a NUMBER event as an integer within [min, max]; false when it is none. */
bool px_json_int(px_str text, int64_t min, int64_t max, int64_t *out);
/* The nearest double, rounded as usual for up to 19 digits; locale plays no part. */
double px_json_double(px_str text);

#endif

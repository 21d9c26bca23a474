/*
 * known: which members the body of a request may have, so that none is passed over in silence.
 * Each route has a table (serve_route.known) of three kinds of names:
 *
 *   names   honoured, or known to leave the answer as it is: taken without a word
 *   hints   wishes that have no effect here and break nothing: answered, and told
 *   unable  would change the answer and cannot be followed: refused with what to do instead, unless
 *           their value says the same as leaving them out
 *
 * Any other name is answered and told, with the name that was probably meant. Telling is a header
 * of the answer and a line of the log. Names within objects are written "options.foo", those of
 * objects in an array "messages[].foo". Tables are constants; nothing here keeps state.
 */
#ifndef PITH_SERVE_KNOWN_H
#define PITH_SERVE_KNOWN_H

#include "serve/job.h"

typedef struct serve_known serve_known;

typedef struct serve_unable {
    const char *name;
    const char *neutral; // a value that asks for nothing, besides null, false, "", [] and {}
    const char *instead; // half a sentence: why, and what to do
} serve_unable;

typedef struct serve_inner {
    const char *name;
    const serve_known *known; // of the object, or of each object in the array
} serve_inner;

/* Lists end with an entry without name; any may be NULL. */
struct serve_known {
    const char *names; // " model messages "
    const char *hints; // " verbosity "
    const serve_unable *unable;
    const serve_inner *inner;
    bool any; // whoever reads the body knows its members and refuses others
};

/* Whether a string value is one of the words of " a b c "; NULL has none. */
bool serve_lists(const char *words, px_json value);

/* What is told: printable ASCII, in sentences without an end joined by "; ". */
typedef struct serve_warnings {
    char text[512];
    bool full;
} serve_warnings;

/* Holds a body, an object, against a table. False with a problem when a member is refused. */
bool serve_known_check(const serve_known *known, px_json body, serve_warnings *told,
                       serve_problem *problem);

/* Reads a body as JSON: an object, held against the table. */
bool serve_known_read(const serve_known *known, const char *text, size_t len, px_json *body,
                      serve_warnings *told, serve_problem *problem);

#endif

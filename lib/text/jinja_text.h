/* jinja_text: what Python's str can do, as methods and filters of templates share it. Positions and
 * widths are in characters. Results are new strings; the work is counted in run->steps. */
#ifndef PX_TEXT_JINJA_TEXT_H
#define PX_TEXT_JINJA_TEXT_H

#include "text/jinja_value.h"

typedef enum jcase {
    JCASE_UPPER,
    JCASE_LOWER,
    JCASE_TITLE,      // each word's first letter
    JCASE_CAPITALIZE, // the first letter only
    JCASE_SWAP,
    JCASE_FOLD
} jcase;
bool px_jtext_case(jrun *run, jstr *s, jcase to, jv *out);

typedef enum jclass {
    JCLASS_ALPHA,
    JCLASS_DIGIT,
    JCLASS_DECIMAL,
    JCLASS_NUMERIC,
    JCLASS_ALNUM,
    JCLASS_SPACE,
    JCLASS_LOWER,
    JCLASS_UPPER,
    JCLASS_TITLE,
    JCLASS_ASCII,
    JCLASS_PRINTABLE,
    JCLASS_IDENTIFIER
} jclass;
bool px_jtext_is(jrun *run, const jstr *s, jclass which, bool *out);

enum { JSIDE_LEFT = 1, JSIDE_RIGHT = 2 };
/* Takes characters off the sides: those in `chars`, or white space when it is NULL. */
bool px_jtext_strip(jrun *run, jstr *s, const jstr *chars, int sides, jv *out);
/* Pads to width with one character; both sides is Python's center. */
bool px_jtext_pad(jrun *run, jstr *s, int64_t width, const char *fill, size_t n_fill, int sides,
                  jv *out);
/* count -1: all. */
bool px_jtext_replace(jrun *run, jstr *s, const jstr *old, const jstr *by, int64_t count, jv *out);
/* sep NULL: runs of white space. most -1: no limit. */
jlist *px_jtext_split(jrun *run, const jstr *s, const jstr *sep, int64_t most, bool from_right);
jlist *px_jtext_lines(jrun *run, const jstr *s, bool keep_ends);

/* The byte at which `what` stands in bytes from..to of s, first or last; -1 for nowhere. */
int64_t px_jtext_find(jrun *run, const jstr *s, const jstr *what, size_t from, size_t to,
                      bool last);

/* A character behind run->out. */
bool px_jtext_put_char(jrun *run, uint32_t c);

#endif

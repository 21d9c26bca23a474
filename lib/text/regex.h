/*
 * regex: regular expressions as tokenizer.json writes them, which are Oniguruma's with the syntax
 * of Ruby, run by PCRE2.
 *
 * The two differ in what \s, \w, \b, \h and the bracket names mean, in class arithmetic, in how
 * scripts are named and in a few quantifiers; px_regex_translate rewrites those, and refuses what
 * it does not know rather than let it mean something else. Text is valid UTF-8, matched with
 * Unicode's classes. A match may cost a bounded number of steps (LIMIT).
 */
#ifndef PX_TEXT_REGEX_H
#define PX_TEXT_REGEX_H

#include "base/buf.h"
#include "base/str.h"

/* Rewrites a pattern for PCRE2. Errors: FORMAT (broken), UNSUPPORTED (naming the construct). */
pith_status px_regex_translate(px_str pattern, px_buf *out, pith_error *err);

typedef struct px_regex px_regex; // immutable

/* Errors as translate, LIMIT for a pattern that is too large. */
pith_status px_regex_new(px_str pattern, px_regex **out, pith_error *err);
void px_regex_free(px_regex *re);

/* What matching needs beside the pattern; one thread. Zero-initialise. */
typedef struct px_regex_work {
    void *data;    // room for the ends of a match
    void *context; // limits
} px_regex_work;
void px_regex_work_clear(px_regex_work *work);

/* The first match in text[from..n), looking behind as far as text[0]. *found is false when there is
 * none. */
pith_status px_regex_find(const px_regex *re, px_regex_work *work, const char *text, size_t n,
                          size_t from, bool *found, size_t *start, size_t *end, pith_error *err);

#endif

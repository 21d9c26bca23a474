/*
 * grammar_regex: regular expressions as grammars: the part that ECMAScript, Python and PCRE share
 * and that is regular. Alternatives, groups (also named ones), classes, \d \w \s and their
 * opposites, escapes, * + ? {m,n} and their lazy forms, and the anchors ^ and $ where a text begins
 * or ends. Look-around, back references, word borders and Unicode properties are UNSUPPORTED.
 *
 * \d, \w and \s are ASCII's, with U+00A0, U+FEFF and the spaces of Unicode in \s, as ECMAScript has
 * them; "." is any character but line breaks.
 */
#ifndef PX_TEXT_GRAMMAR_REGEX_H
#define PX_TEXT_GRAMMAR_REGEX_H

#include "text/grammar_expr.h"

typedef enum px_gregex_how {
    PX_GREGEX_WHOLE,     // the whole text matches
    PX_GREGEX_SOMEWHERE, // a part of the text matches, the whole where there are anchors
    PX_GREGEX_JSON = 2   // added to SOMEWHERE: characters as a JSON string holds them
} px_gregex_how;

/* `where` stands in messages. Errors: FORMAT, UNSUPPORTED (the construct), LIMIT. */
pith_status px_gregex_read(px_grules *g, const char *where, px_str pattern, int how,
                           const px_gexpr **out, pith_error *err);

#endif

/*
 * grammar_gbnf: reads grammars in GBNF, the notation of llama.cpp, and pith's additions to it:
 *
 *   root   ::= "yes" | "no" [0-9a-f]+ item{2,5} (" " .)? other-rule      # a comment
 *   @"<tool_call>"           the special token of that text; where there is none, the bytes
 *   until("A", @"B")         any text in which neither occurs
 *   json_schema({...})       a JSON value of that schema, compactly held
 *   regex("[a-z]+")          a text that the expression matches as a whole
 * (docs/structured-output.md)
 *
 * A rule goes to the next line that defines one. Escapes: \n \r \t \" \\ \[ \] \- \xHH \uHHHH
 * \UHHHHHHHH. A character set holds characters, not bytes; "." is any character.
 */
#ifndef PX_TEXT_GRAMMAR_GBNF_H
#define PX_TEXT_GRAMMAR_GBNF_H

#include "text/grammar_expr.h"

/* Adds the rules; *root is the one called "root". Errors: FORMAT (line, found, expected),
 * UNSUPPORTED (in a schema), LIMIT, MEMORY. */
pith_status px_gbnf_read(px_grules *g, const char *name, px_str text, uint32_t *root,
                         pith_error *err);

#endif

/*
 * grammar_schema: JSON schemas (draft 2020-12) as grammars of compact JSON (grammar_json's white
 * space). What is held, what is not and how: docs/structured-output.md.
 *
 * A place in a schema is a list of schemas that must all hold, its `parts`: $ref and allOf add to
 * the list, anyOf and oneOf make one list for each branch. A list that was met before is the same
 * rule, which is how schemas that contain themselves come to an end.
 *
 * Unsupported keywords are refused with the JSON pointer of where they stand; annotations and words
 * that JSON Schema does not know are left out of account, as it says.
 */
#ifndef PX_TEXT_GRAMMAR_SCHEMA_H
#define PX_TEXT_GRAMMAR_SCHEMA_H

#include "text/grammar_expr.h"

/* Adds the rules of a schema; *root is its first. `name` stands in messages. Errors: FORMAT,
 * UNSUPPORTED, LIMIT, MEMORY. */
pith_status px_gschema_read(px_grules *g, const char *name, px_str text, uint32_t *root,
                            pith_error *err);

/* One of the strings of a JSON array, as they are. */
pith_status px_gchoice_read(px_grules *g, const char *name, px_str text, const px_gexpr **out,
                            pith_error *err);

#endif

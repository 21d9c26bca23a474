/*
 * grammar_json: the parts of JSON (RFC 8259) that grammars of it are made of.
 *
 * White space is bounded, so that a model cannot write blanks for ever: between two tokens stands
 * nothing, one space, or a line break with at most 32 spaces or 8 tabs. None stands before `,` and
 * `:`, nor around the whole. Numbers have at most 16 digits before and after the point and two in
 * the exponent. \u escapes are whole characters: halves of surrogate pairs come in twos.
 */
#ifndef PX_TEXT_GRAMMAR_JSON_H
#define PX_TEXT_GRAMMAR_JSON_H

#include "text/grammar_expr.h"

/* Rules that are made when first asked for; zero-initialise. */
typedef struct px_gjson {
    uint32_t has; // bits by PX_GJSON_*
    uint32_t rules[16];
} px_gjson;

typedef enum px_gjson_part {
    PX_GJSON_SPACE,
    PX_GJSON_CHAR,   // one character of a string
    PX_GJSON_STRING, // with its quotes
    PX_GJSON_INTEGER,
    PX_GJSON_NUMBER,
    PX_GJSON_OBJECT, // any
    PX_GJSON_ARRAY,
    PX_GJSON_VALUE
} px_gjson_part;

/* A call of that part. */
const px_gexpr *px_gjson_get(px_grules *g, px_gjson *j, px_gjson_part part);

/* open (item (, item)*)? close; each with its white space. */
const px_gexpr *px_gjson_list(px_grules *g, px_gjson *j, const char *open, const px_gexpr *item,
                              const char *close);

/* A grammar of any object, in a rule of its own. */
pith_status px_gjson_object(px_grules *g, uint32_t *root, pith_error *err);

#endif

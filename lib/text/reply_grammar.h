/*
 * reply_grammar: the grammar, in GBNF with pith's additions (text/grammar_gbnf.h), that holds an
 * answer to the syntax of its model: reasoning free, then calls of the functions that there are
 * with arguments of their schemas, or content of a schema, choice, regex or grammar, or free text
 * in which a call, once its marker stands, must be one.
 *
 *   root ::= pith-think? pith-body
 *   pith-body ::= until(@"<tool_call>") pith-calls?
 *   pith-calls ::= @"<tool_call>" "\n" pith-call ("\n" @"</tool_call>" "\n" .. pith-call){0,63} ..
 *   pith-call ::= "{\"name\": \"add\", \"arguments\": " json_schema({..}) "}" | ..
 *
 * Threads: every function touches only its arguments.
 */
#ifndef PX_TEXT_REPLY_GRAMMAR_H
#define PX_TEXT_REPLY_GRAMMAR_H

#include "base/buf.h"
#include "text/reply_syntax.h"

typedef struct px_reply_tool {
    px_str name;
    px_str schema;   // of its arguments, JSON text of an object; empty: it takes none
    bool any_object; // in place of the schema
} px_reply_tool;

typedef enum px_think_rule {
    PX_THINK_NONE, // the prompt has closed it, or nothing is known of it
    PX_THINK_MAY,
    PX_THINK_OPEN // the prompt has opened it
} px_think_rule;

typedef enum px_content_rule {
    PX_CONTENT_FREE,
    PX_CONTENT_SCHEMA,  // text: a JSON schema
    PX_CONTENT_OBJECT,  // any JSON object
    PX_CONTENT_GRAMMAR, // text: GBNF with a rule `root`
    PX_CONTENT_REGEX,   // text: the pattern
    PX_CONTENT_CHOICE   // text: a JSON array of strings
} px_content_rule;

typedef struct px_reply_rules {
    const px_reply_syntax *syntax;
    const px_reply_tool *tools;
    int n_tools;
    bool must_call;
    bool single_call;
    px_think_rule think;
    px_content_rule content;
    px_str text;
} px_reply_rules;

/* Whether an answer needs no grammar at all. */
bool px_reply_is_free(const px_reply_rules *rules);

/* Appends the grammar. Errors: FORMAT (choices that are no array of strings), MEMORY. */
pith_status px_reply_grammar(const px_reply_rules *rules, px_buf *out, pith_error *err);

#endif

/*
 * grammar_args: the options that hold an answer to a grammar, and the grammar made of them.
 */
#ifndef PITH_CLI_GRAMMAR_ARGS_H
#define PITH_CLI_GRAMMAR_ARGS_H

#include "cli/args.h"
#include "pith.h"

typedef struct cli_grammar_args {
    const char *gbnf, *schema, *regex;
    cli_texts choices;
    bool object;
} cli_grammar_args;

/* clang-format off */
#define CLI_GRAMMAR_ROWS(a)                                                                                            \
    {CLI_HEADING, "what the answer is held to (at most one of these)", 0, NULL, NULL, NULL, 0, 0, NULL},               \
    {CLI_TEXT, "json-schema", 0, &(a)->schema, "FILE|TEXT", "JSON of this schema (draft 2020-12)", 0, 0, NULL},        \
    {CLI_FLAG, "json-object", 0, &(a)->object, NULL, "any JSON object", 0, 0, NULL},                                   \
    {CLI_TEXT, "grammar", 0, &(a)->gbnf, "FILE|TEXT", "a grammar in GBNF", 0, 0, NULL},                                \
    {CLI_TEXT, "regex", 0, &(a)->regex, "REGEX", "text that this regular expression matches as a whole", 0, 0, NULL},  \
    {CLI_TEXTS, "choice", 0, &(a)->choices, "TEXT", "one of these texts; to be repeated", 0, 0, NULL}
/* clang-format on */

/* The grammar, or NULL when none is asked for; freed with pith_grammar_free. FILE|TEXT is a file
 * where one of that name exists. Errors: ARGUMENT (two of them), as pith_grammar_new, IO. */
pith_status cli_grammar(const cli_grammar_args *args, const pith_model *model, pith_grammar **out,
                        pith_error *err);

#endif

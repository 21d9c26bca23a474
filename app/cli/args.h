/*
 * args: a command's options as a table, read from the command line, and the help made from the same
 * table.
 *
 * Accepts --name=value, --name value, -x value, -xvalue, flags alone, options after positionals,
 * and "--" before positionals that begin with a dash. A wrong word is refused with the nearest
 * right one.
 */
#ifndef PITH_CLI_ARGS_H
#define PITH_CLI_ARGS_H

#include "base/error.h"

typedef enum cli_kind {
    CLI_FLAG,   // bool *target, set to true
    CLI_INT,    // int64_t *
    CLI_SEED,   // uint64_t *
    CLI_FLOAT,  // double *
    CLI_TEXT,   // const char **
    CLI_TEXTS,  // cli_texts *, may be given several times
    CLI_HEADING // a line of help between options; name is its text
} cli_kind;

enum { CLI_MAX_TEXTS = 256 };

typedef struct cli_texts {
    const char *items[CLI_MAX_TEXTS];
    int n;
} cli_texts;

typedef struct cli_option {
    cli_kind kind;
    const char *name; // without dashes
    char letter;      // 0: none
    void *target;
    const char *value; // name of the value in help
    const char *help;
    double min, max; // INT and FLOAT; both 0: any
    bool *given;     // set to true when the option was given; may be NULL
} cli_option;

typedef struct cli_spec {
    const char *usage;   // "pith run MODEL [PROMPT] [options]"
    const char *summary; // one sentence or a few lines
    const cli_option *options;
    int n_options;
    int min_words, max_words; // positionals
    const char *examples;     // lines, or NULL
} cli_spec;

typedef struct cli_words {
    const char *items[CLI_MAX_TEXTS];
    int n;
} cli_words;

/* Reads argv[1..]. PITH_OK with *help true when -h or --help was given: the help has been printed
 * to standard output and the command should leave. Errors: ARGUMENT. */
pith_status cli_args_parse(const cli_spec *spec, int argc, char **argv, cli_words *words,
                           bool *help, pith_error *err);

/* The entry of `names` nearest to `word` in edit distance, or NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, int n);

#endif

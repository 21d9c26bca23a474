/* texts: a list of texts for a command: its words, or the lines of a file. */
#ifndef PITH_CLI_TEXTS_H
#define PITH_CLI_TEXTS_H

#include "base/buf.h"
#include "cli/args.h"
#include "pith.h"

typedef struct cli_texts_list {
    pith_str *items; // [n] in words or in file
    int32_t n;
    px_buf file;
} cli_texts_list;

/* The words from number `first` on; where there are none, the lines of `file` (NULL or "-":
 * standard input). Errors: ARGUMENT (both are given), as cli_read, MEMORY. */
pith_status cli_texts_find(const char *file, const cli_words *words, int first, cli_texts_list *out,
                           pith_error *err);
void cli_texts_clear(cli_texts_list *t);

#endif

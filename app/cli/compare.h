/* compare: what a smaller model loses, for `pith quantize --compare`. */
#ifndef PITH_CLI_COMPARE_H
#define PITH_CLI_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_compare_args {
    const char *reference, *other; // models
    const char *file;              // text; NULL or "-": standard input
    int64_t window, threads;       // 0: defaults
    bool json;
} cli_compare_args;

/* Returns the program's exit code. */
int cli_compare(const cli_compare_args *args);

#endif

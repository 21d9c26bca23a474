/*
 * tune: a whole run of `pith tune`: data, training with its view and log, the result saved, read
 * back and measured on what it never saw, and the report.
 */
#ifndef PITH_CLI_TUNE_H
#define PITH_CLI_TUNE_H

#include "cli/tune_held.h"
#include "pith.h"

#include <stdbool.h>

typedef struct cli_tune {
    const char *model_name, *data; // as the user gave them
    const char *out;
    const char *form; // "gguf", "peft"; of a whole model its type; NULL: the default
    const char *name; // of the run; NULL: from out
    bool full;        // all weights: out is a model
    bool resume, json;
    bool unchecked; // the data are not looked through first
    cli_held_options held;
    pith_train_options train;
} cli_tune;

/* Errors: those of each part. CANCELLED leaves a checkpoint that --resume goes on from. */
pith_status cli_tune_run(const cli_tune *t, const pith_model *model, pith_error *err);

#endif

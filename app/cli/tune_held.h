/*
 * tune_held: the examples of a run, a part of which is held back so that what was learned can be
 * shown on what was never seen; and what the finished result makes of that part, measured through
 * the engine that people will use, not through the trainer.
 */
#ifndef PITH_CLI_TUNE_HELD_H
#define PITH_CLI_TUNE_HELD_H

#include "pith.h"

#include <jansson.h>

enum { CLI_HELD_MOST = 64 }; // examples that are measured through the engine

/* An example that was held back: ids and marks as of pith_example. */
typedef struct cli_held_one {
    int32_t *ids;
    uint8_t *learn;
    int32_t n;
} cli_held_one;

typedef struct cli_held {
    pith_goal goal;                // of the data
    pith_examples *learned, *kept; // kept: NULL where there are too few to hold any back
    int64_t n_kept;
    cli_held_one few[CLI_HELD_MOST]; // the first of those that were kept; of pairs the chosen ones,
                                     // of labelled ones the good
    int32_t n_few;
} cli_held;

typedef struct cli_held_options {
    const char *evaluation; // file that is kept whole; NULL: a share of the data
    double share;           // of the data; 0: none is held back
    pith_dataset_options dataset;
    pith_render_options render;
} cli_held_options;

/* Reads `data`. Which rows are held back hangs on their tokens alone, so that equal ones go the
 * same way and a resumed run finds the same. data_result and kept_result may be NULL. Errors: as
 * pith_dataset_render. On success *out needs cli_held_clear. */
pith_status cli_held_read(const char *data, const pith_model *model,
                          const cli_held_options *options, cli_held *out,
                          pith_render_result *data_result, pith_render_result *kept_result,
                          pith_error *err);
void cli_held_clear(cli_held *h);

/* Mean -log p of the learned tokens of the few, and answers (greedy, at most `most_tokens`) to the
 * first `n_samples` of them, [{"prompt", "answer"}] appended to samples, with an adapter or without
 * (NULL). Errors: as of the engine. */
pith_status cli_held_measure(const cli_held *h, const pith_model *model,
                             const pith_adapter *adapter, int32_t n_threads, int n_samples,
                             double *loss, json_t *samples, pith_error *err);

#endif

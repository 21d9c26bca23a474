/*
 * tune_view: a run of training as it goes: on a terminal a loss curve with the numbers of now,
 * drawn in place; elsewhere a line now and then. All to standard error.
 */
#ifndef PITH_CLI_TUNE_VIEW_H
#define PITH_CLI_TUNE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/* What is known after an update. */
typedef struct cli_tune_now {
    int64_t update, total;
    double epoch, epochs;
    double loss, norm, lr;
    double tokens_per_second;
    double seconds, seconds_left;
    double eval; // last loss of the evaluation set; NaN: none yet
    double best; // NaN: none yet
    uint64_t memory;
    int64_t skipped; // updates that were not applied
} cli_tune_now;

typedef struct cli_tune_view cli_tune_view;

/* on: draw on a terminal (standard error is one); else lines at most every `every` seconds. NULL
 * when memory runs out: then nothing is shown. */
cli_tune_view *cli_tune_view_new(bool on, double every);
/* NULL is fine here and below. Leaves the last picture standing. */
void cli_tune_view_free(cli_tune_view *v);

/* After an update: remembers its loss, draws at most five times a second. */
void cli_tune_view_update(cli_tune_view *v, const cli_tune_now *now);
/* After an evaluation: remembers its loss too, and draws. */
void cli_tune_view_evaluated(cli_tune_view *v, const cli_tune_now *now);
/* A line of text that stays, above the picture. */
void cli_tune_view_say(cli_tune_view *v, const char *text);

/* The curve alone, as cli_tune_view draws it: `rows` lines of `columns` braille characters in
 * UTF-8, each line closed by a newline, into out (at least rows * (columns * 3 + 1) + 1 bytes). The
 * points are spread over the width; those that share a column of dots are averaged. */
void cli_tune_curve(const float *losses, int64_t n, int columns, int rows, char *out);

#endif

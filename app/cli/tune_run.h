/*
 * tune_run: the folder of a run of training, runs/NAME under the store's home:
 *
 *   config.json   what was asked for
 *   log.jsonl     a line an event, appended as they come
 *   last.ckpt, best.ckpt   the library's checkpoints
 *   samples.json  answers before and after
 *   report.html   tune_report.h
 *
 * A run that was killed is found again by its name; its log goes on where the checkpoint stands:
 * lines of updates behind it are dropped, since they are made again.
 */
#ifndef PITH_CLI_TUNE_RUN_H
#define PITH_CLI_TUNE_RUN_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cli_run {
    char *folder; // whole path
    int log;      // descriptor, or -1
} cli_run;

/* Makes home/runs/NAME, or where that is there NAME-2 and on; with resume opens the last of them.
 * Errors: ARGUMENT (a name that is no file name), NOT_FOUND (nothing to resume), IO, DENIED. On
 * success *out needs cli_run_close. */
pith_status cli_run_open(const char *home, const char *name, bool resume, cli_run *out,
                         pith_error *err);
void cli_run_close(cli_run *run);

/* The path of a file of the run: free with free(). NULL: out of memory. */
char *cli_run_path(const cli_run *run, const char *file);

/* Appends a line, {"event": ..., ...}; steals nothing. Errors: IO (a full disk), MEMORY. */
pith_status cli_run_log(cli_run *run, const json_t *line, pith_error *err);

/* Drops the lines whose "update" is above `update`, and one that was cut off, before a resumed run
 * writes on. Errors: IO. */
pith_status cli_run_rewind(cli_run *run, int64_t update, pith_error *err);

/* The log's lines by kind into arrays of tune_report.h: "updates" and "evaluations". Lines that are
 * no JSON are passed over. *out: an object, to be freed. Errors: IO, MEMORY. */
pith_status cli_run_curves(const cli_run *run, json_t **out, pith_error *err);

/* Writes a JSON value as a file of the run, beside its name and renamed. */
pith_status cli_run_write(const cli_run *run, const char *file, const json_t *value,
                          pith_error *err);

#endif

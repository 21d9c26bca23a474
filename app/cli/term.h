/*
 * term: what commands share of the terminal: failures, progress, interrupts, reading standard
 * input, sizes for people.
 */
#ifndef PITH_CLI_TERM_H
#define PITH_CLI_TERM_H

#include "base/buf.h"
#include "base/error.h"
#include "cli/args.h"

#include <jansson.h>

/* Prints "pith: error: SENTENCE" to standard error and returns the exit code of err's status. */
int cli_fail(const pith_error *err);

/* Reads a command's words and options. False when the command should leave at once with *code: help
 * was asked for, or the command line was wrong and that has been said. */
bool cli_begin(const cli_spec *spec, int argc, char **argv, cli_words *words, int *code);

/* Prints "pith: warning: ..." to standard error. */
void cli_warn(const char *fmt, ...) PX_PRINTF(1, 2);

/* Prints a JSON value and a newline to standard output, keys in order of insertion, and drops the
 * reference. */
pith_status cli_print_json(json_t *value, pith_error *err);
/* The same on one line, for commands that print an event a line as they go. */
pith_status cli_print_json_line(json_t *value, pith_error *err);

/* Flushes standard output; a full disk or a closed pipe is IO. Call it before a successful exit. */
pith_status cli_flush(pith_error *err);

/* Reads standard input, or a file when path is neither NULL nor "-", whole. */
pith_status cli_read(const char *path, px_buf *out, pith_error *err);

/* "1.31 GB" (powers of 1000). Writes into text[32] and returns it. */
const char *cli_size(uint64_t bytes, char text[32]);

/* A progress bar on standard error: drawn only on a terminal and only when the work takes over half
 * a second; erased at the end. */
typedef struct cli_progress {
    const char *label;
    const char *unit; // "B" prints sizes, else counts
    double started, drawn;
    bool on, visible;
} cli_progress;
void cli_progress_start(cli_progress *p, const char *label, const char *unit);
/* A pith_progress_fn over a cli_progress: draws, and asks to stop when Ctrl-C was pressed. */
int cli_progress_step(void *progress, uint64_t done, uint64_t total);
void cli_progress_end(cli_progress *p);

/* Seconds of a clock that never goes back. */
double cli_now(void);

/* Ctrl-C. After cli_interrupt_watch(session) the first press cancels the session, a second one
 * within the same wait leaves the program at once with exit code 130; NULL counts presses only.
 * cli_interrupt_count gives presses since the last watch. cli_interrupt_ignore makes presses do
 * nothing but be counted. */
void cli_interrupt_watch(struct pith_session *session);
void cli_interrupt_ignore(void);
int cli_interrupt_count(void);

#endif

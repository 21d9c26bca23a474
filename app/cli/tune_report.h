/*
 * tune_report: a run of tuning as one page of HTML that needs nothing else: plots drawn as SVG,
 * numbers, samples before and after, checks. It makes no request, runs no script, and follows the
 * reader's light or dark setting.
 *
 * A run is an object; all members may be missing:
 *
 *   name, base, data, method, started, machine   texts
 *   verdict       text; better: false makes it a warning
 *   totals        object of name: text
 *   config        object of name: anything
 *   updates       array of {update, loss, lr, norm, tokens_per_second}
 *   evaluations   array of {update, loss, best}
 *   samples       array of {prompt, before, after}
 *   checks        array of {name, ok, text}
 */
#ifndef PITH_CLI_TUNE_REPORT_H
#define PITH_CLI_TUNE_REPORT_H

#include "base/buf.h"

#include <jansson.h>

/* Appends the page to out. Errors: MEMORY. */
pith_status cli_tune_report(const json_t *run, px_buf *out, pith_error *err);

#endif

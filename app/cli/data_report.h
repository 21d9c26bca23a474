/*
 * data_report: a report on training data for people and as JSON. `pith data` prints it, and `pith
 * tune` before it begins.
 */
#ifndef PITH_CLI_DATA_REPORT_H
#define PITH_CLI_DATA_REPORT_H

#include "pith.h"

#include <jansson.h>

typedef struct cli_data_show {
    bool findings, stats, previews;
} cli_data_show;

/* Prints to standard output; with colour on a terminal, unless NO_COLOR is set. */
pith_status cli_data_print(const pith_dataset *set, const pith_data_report *report,
                           const cli_data_show *show, pith_error *err);

/* The same as one object, a new reference; NULL when memory is out. */
json_t *cli_data_json(const pith_dataset *set, const pith_data_report *report,
                      const cli_data_show *show);

/* How many findings are of this severity. */
int cli_data_count(const pith_data_report *report, pith_severity severity);

#endif

/* fetching: how the work of the store looks on the terminal, shared by pull, create and import. */
#ifndef PITH_CLI_FETCHING_H
#define PITH_CLI_FETCHING_H

#include "cli/term.h"
#include "store/store.h"

typedef struct cli_fetching {
    cli_progress bar;
    store_step step; // that the bar is of
    char file[256];
    bool json; // a line of JSON for each change, on standard output
    double told;
    bool began;
} cli_fetching;

/* A store_progress_fn over a cli_fetching: a bar on a terminal, nothing in a pipe but notes, events
 * with json; asks to stop after Ctrl-C. */
int cli_fetching_step(void *fetching, const store_progress *p);
void cli_fetching_end(cli_fetching *f);

#endif

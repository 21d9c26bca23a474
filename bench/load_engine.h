/* load_engine: the mix straight into an engine, through the door, in one process. One thread. */
#ifndef PITH_BENCH_LOAD_ENGINE_H
#define PITH_BENCH_LOAD_ENGINE_H

#include "mix.h"
#include "pith.h"

/* Runs the mix's clients for some seconds; `keys` clients in turn have the same key. A failure ends
 * the program. */
void load_engine(pith_engine *engine, mix *m, double seconds, int keys);

/* Ends the program with the error's sentence unless the status is good. */
void load_must(pith_status status, const pith_error *err);

#endif

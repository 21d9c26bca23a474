/* count: how many tokens a request would send to the model, without running it. On an HTTP thread.
 */
#ifndef PITH_SERVE_COUNT_H
#define PITH_SERVE_COUNT_H

#include "serve/dialect.h"

/* Parses the call's body as the dialect does, renders and tokenizes it. */
bool serve_count_tokens(serve_call *call, const serve_dialect *dialect, int64_t *n,
                        serve_problem *problem);

#endif

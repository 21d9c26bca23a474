/* routes: the table of all routes. A dialect adds its function here. */
#ifndef PITH_SERVE_ROUTES_H
#define PITH_SERVE_ROUTES_H

#include "serve/dialect.h"

/* All routes, those that come first win; the first one's dialect shapes errors of paths that nobody
 * knows. */
const serve_route *const *serve_routes(size_t *n);

/* Makes the table; before any other thread looks at it. */
void serve_routes_init(void);

#endif

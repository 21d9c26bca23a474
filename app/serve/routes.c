/* routes: see routes.h. The flat table is made once, when the server starts: threads only read it.
 */
#include "serve/routes.h"

enum { MAX_ROUTES = 256 };

static const serve_route *flat[MAX_ROUTES];
static size_t n_flat;

void serve_routes_init(void)
{
    static const serve_route *(*const DIALECTS[])(int *n) = {
        serve_routes_openai, serve_routes_responses, serve_routes_anthropic,
        serve_routes_ollama, serve_routes_core,
    };
    n_flat = 0;
    for (size_t i = 0; i < sizeof DIALECTS / sizeof DIALECTS[0]; i++) {
        int n;
        const serve_route *routes = DIALECTS[i](&n);
        for (int k = 0; k < n && n_flat < MAX_ROUTES; k++)
            flat[n_flat++] = &routes[k];
    }
}

const serve_route *const *serve_routes(size_t *n)
{
    *n = n_flat;
    return flat;
}

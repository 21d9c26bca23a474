/* gate: who may ask what, judged from the request's head: host names against DNS rebinding, origins
 * of web pages, API keys, kinds of bodies; and the table of routes. Pure but for the key that is
 * found. */
#ifndef PITH_SERVE_GATE_H
#define PITH_SERVE_GATE_H

#include "serve/server.h"

/* What of the head matters; any may be NULL. */
typedef struct serve_head {
    const char *method, *path;
    const char *host, *origin, *authorization, *api_key, *type, *encoding, *length;
} serve_head;

/* Whether a Host header names this server: an address, localhost, a name without a dot, *.local,
 * *.internal, *.localhost, the machine's own name, or one of `hosts`. */
bool serve_gate_host(const serve_options *options, const char *host);
/* Whether pages of that origin may ask: those of this machine and those of --cors. */
bool serve_gate_origin(const serve_options *options, const char *origin);

/* The route, with *rest; or NULL with 404 or 405, and in *allow the methods that the path has.
 * *shape is the dialect of the error, never NULL. */
const serve_route *serve_gate_route(const char *method, const char *path, px_str *rest,
                                    char allow[64], const serve_dialect **shape,
                                    serve_problem *problem);
/* Everything else. *key is set when there are keys and one was given. */
bool serve_gate_head(const serve_server *server, const serve_route *route, const serve_head *head,
                     serve_key **key, serve_problem *problem);

#endif

/*
 * server: the whole of `pith serve`: options, the parts that they make, starting and stopping.
 */
#ifndef PITH_SERVE_SERVER_H
#define PITH_SERVE_SERVER_H

#include "serve/dialect.h"
#include "serve/keys.h"
#include "serve/metrics.h"
#include "serve/models.h"
#include "serve/runner.h"

typedef struct serve_options {
    const char *host;
    int port; // 0: any that is free
    const char *key_file, *tls_cert, *tls_key;
    const char *const *origins; // that pages may come from, besides this machine's; "*": any
    int n_origins;
    const char *const *hosts; // further names of this server
    int n_hosts;
    size_t max_body;
    int max_connections;
    int http_threads;
    double timeout; // seconds without a byte moved, after which a connection is closed
    double grace;   // seconds that answers get to finish after the server was asked to stop
    bool log_json, quiet;
    int embed_dims;
    serve_runner_options runner;
} serve_options;

struct MHD_Daemon;

struct serve_server {
    serve_options options;
    serve_models *models;
    serve_metrics *metrics;
    serve_runner *runner;
    serve_keys *keys; // NULL: open to all
    struct MHD_Daemon *daemon;
    int port;
    double started;
    _Atomic bool stopping;
    _Atomic int n_works;       // threads of routes with `work`
    _Atomic size_t body_bytes; // of bodies that are large, see http.c
};

/* Listens. The server borrows options' strings and owns models from here on, also on failure. */
pith_status serve_start(const serve_options *options, serve_models *models, serve_server **out,
                        pith_error *err);
/* Takes no more requests; answers get their grace. False when there are none left. Call again until
 * then. */
bool serve_stopping(serve_server *server);
/* Ends what is left, frees all. */
void serve_stop(serve_server *server);

#endif

/* serve: the HTTP server. */
#include "cli/commands.h"
#include "cli/engine_args.h"
#include "cli/term.h"
#include "pith.h"
#include "serve/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct serve_args {
    const char *host, *key_file, *tls_cert, *tls_key, *keep_alive, *log_format;
    cli_texts models, aliases, adapters, origins, hosts;
    int64_t port, parallel, max_models, max_queue, max_connections, http_threads, timeout, grace,
        max_body;
    bool quiet;
    const char *spec;
    cli_engine_args engine;
} serve_args;

static pith_status add_model(serve_models *models, const char *word, pith_error *err)
{
    const char *equals = strchr(word, '=');
    char name[256];
    if (!equals)
        return serve_models_add(models, NULL, word, err) ? PITH_OK : err->status;
    if (equals == word || (size_t)(equals - word) >= sizeof name || !equals[1])
        return px_fail(err, PITH_E_ARGUMENT, "found '%s', expected FILE or NAME=FILE", word);
    snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
    return serve_models_add(models, name, equals + 1, err) ? PITH_OK : err->status;
}

static pith_status add_alias(serve_models *models, const char *word, pith_error *err)
{
    const char *equals = strchr(word, '=');
    char alias[256];
    if (equals == word || (equals && ((size_t)(equals - word) >= sizeof alias || !equals[1])))
        return px_fail(err, PITH_E_ARGUMENT,
                       "option '--alias' has value '%s', expected NAME or NAME=MODEL", word);
    snprintf(alias, sizeof alias, "%.*s", equals ? (int)(equals - word) : (int)sizeof alias - 1,
             word);
    return serve_models_alias(models, alias, equals ? equals + 1 : "", err) ? PITH_OK : err->status;
}

static pith_status add_adapter(serve_models *models, const char *word, pith_error *err)
{
    const char *equals = strchr(word, '='), *at = equals ? strrchr(equals, '@') : NULL;
    char name[256], path[4096];
    size_t n = equals ? (size_t)(equals - word) : 0;
    size_t len = equals ? (at ? (size_t)(at - equals) : strlen(equals)) - 1 : 0;
    if (n == 0 || n >= sizeof name || len == 0 || len >= sizeof path || (at && !at[1]))
        return px_fail(err, PITH_E_ARGUMENT,
                       "option '--adapter' has value '%s', expected NAME=FILE or NAME=FILE@MODEL",
                       word);
    snprintf(name, sizeof name, "%.*s", (int)n, word);
    snprintf(path, sizeof path, "%.*s", (int)len, equals + 1);
    return serve_models_add_adapter(models, name, path, at ? at + 1 : NULL, err) ? PITH_OK
                                                                                 : err->status;
}

static pith_status add_models(const serve_args *a, const cli_words *words, serve_models *models,
                              pith_error *err)
{
    pith_status status = PITH_OK;
    if (words->n + a->models.n == 0 && store_built_in())
        status = add_model(models, store_built_in(), err);
    for (int i = 0; i < words->n && status == PITH_OK; i++)
        status = add_model(models, words->items[i], err);
    for (int i = 0; i < a->models.n && status == PITH_OK; i++)
        status = add_model(models, a->models.items[i], err);
    for (int i = 0; i < a->aliases.n && status == PITH_OK; i++)
        status = add_alias(models, a->aliases.items[i], err);
    for (int i = 0; i < a->adapters.n && status == PITH_OK; i++)
        status = add_adapter(models, a->adapters.items[i], err);
    return status;
}

/* The first model is opened at once, so that a wrong path is said now and not at the first request.
 */
static pith_status try_first(serve_models *models, pith_error *err)
{
    serve_problem problem = {0};
    serve_model *m = serve_models_take(models, "", &problem);
    serve_models_leave(m);
    return m ? PITH_OK
             : px_fail(err, problem.http == 404 ? PITH_E_NOT_FOUND : PITH_E_FORMAT, "%s",
                       problem.text);
}

static pith_status options_of(const serve_args *a, serve_options *o, serve_models_options *mo,
                              pith_error *err)
{
    *o = (serve_options){
        .host = a->host,
        .port = (int)a->port,
        .key_file = a->key_file,
        .tls_cert = a->tls_cert,
        .tls_key = a->tls_key,
        .origins = a->origins.items,
        .n_origins = a->origins.n,
        .hosts = a->hosts.items,
        .n_hosts = a->hosts.n,
        .max_body = (size_t)a->max_body << 20,
        .max_connections = (int)a->max_connections,
        .http_threads = (int)a->http_threads,
        .timeout = (double)a->timeout,
        .grace = (double)a->grace,
        .quiet = a->quiet,
        .runner = {.parallel = (int)a->parallel,
                   .max_models = (int)a->max_models,
                   .max_queue = (int)a->max_queue,
                   .n_ctx = a->engine.ctx,
                   .n_threads = (int32_t)a->engine.threads,
                   .n_batch = (int32_t)a->engine.batch,
                   .cpu = a->engine.cpu,
                   .k_type = a->engine.kv_k ? a->engine.kv_k : a->engine.kv,
                   .v_type = a->engine.kv_v ? a->engine.kv_v : a->engine.kv,
                   .kv_bytes = (uint64_t)(a->engine.kv_mem * 1e9),
                   .kv_dir = a->engine.kv_dir,
                   .kv_dir_bytes = (uint64_t)(a->engine.kv_dir_size * 1e9)},
    };
    *mo = (serve_models_options){.template_file = a->engine.template_file};
    if (!serve_read_duration(a->keep_alive, &mo->keep_alive))
        return px_fail(
            err, PITH_E_ARGUMENT,
            "option '--keep-alive' has value '%s', expected seconds, '5m', or -1 for ever",
            a->keep_alive);
    if (strcmp(a->log_format, "json") != 0 && strcmp(a->log_format, "text") != 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "option '--log-format' has value '%s', expected text or json",
                       a->log_format);
    o->log_json = strcmp(a->log_format, "json") == 0;
    if (a->spec && strcmp(a->spec, "draft") == 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "option '--spec' has value 'draft', expected off, ngram or auto: the server "
                       "runs no draft model");
    return cli_speculation(a->spec, NULL, &o->runner.speculation, err);
}

/* Waits for Ctrl-C or a signal to end; a second one ends at once. */
static void wait_for_end(serve_server *server, const sigset_t *signals)
{
    int signal;
    const struct timespec tick = {.tv_nsec = 20000000};
    while (sigwait(signals, &signal) != 0)
        ;
    fprintf(stderr,
            "pith: stopping; answers get their time to finish, a second signal ends them\n");
    while (serve_stopping(server))
        if (sigtimedwait(signals, NULL, &tick) > 0)
            _exit(130);
}

static pith_status run(const serve_args *a, const cli_words *words, pith_error *err)
{
    serve_options o;
    serve_models_options mo;
    serve_models *models = NULL;
    serve_server *server = NULL;
    store_root *store = NULL;
    sigset_t signals;
    pith_status status = options_of(a, &o, &mo, err);
    if (status == PITH_OK)
        status = store_open(NULL, &store, err);
    mo.store = store;
    if (status == PITH_OK && !(models = serve_models_new(&mo, err)))
        status = err->status;
    if (status == PITH_OK)
        status = add_models(a, words, models, err);
    if (status == PITH_OK && words->n + a->models.n > 0)
        status = try_first(models, err);
    if (status != PITH_OK) {
        serve_models_free(models);
        store_close(store);
        return status;
    }
    /* Threads inherit the mask: signals come to the one that waits for them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    status = serve_start(&o, models, &server, err);
    if (status != PITH_OK) {
        store_close(store);
        return status;
    }
    bool v6 = strchr(a->host, ':') != NULL;
    fprintf(stderr, "pith: serving on http%s://%s%s%s:%d\n", a->tls_cert ? "s" : "", v6 ? "[" : "",
            a->host, v6 ? "]" : "", server->port);
    wait_for_end(server, &signals);
    serve_stop(server);
    store_close(store);
    return PITH_OK;
}

int cli_cmd_serve(int argc, char **argv)
{
    serve_args a = {.host = "127.0.0.1",
                    .port = 11434,
                    .parallel = 16,
                    .max_models = 3,
                    .max_queue = 512,
                    .max_connections = 1024,
                    .http_threads = 2,
                    .timeout = 60,
                    .grace = 30,
                    .max_body = 32,
                    .keep_alive = "5m",
                    .log_format = "text"};
    const cli_option options[] = {
        {CLI_HEADING, "server", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "host", 0, &a.host, "ADDRESS", "where to listen (127.0.0.1: this machine alone)",
         0, 0, NULL},
        {CLI_INT, "port", 'p', &a.port, "N", "(11434); 0: any that is free", 0, 65535, NULL},
        {CLI_TEXT, "api-key-file", 0, &a.key_file, "FILE",
         "who may ask: lines KEY[:NAME] [rps=N] [tpm=N] [concurrent=N]", 0, 0, NULL},
        {CLI_TEXT, "tls-cert", 0, &a.tls_cert, "FILE",
         "serve TLS with this certificate chain (PEM)", 0, 0, NULL},
        {CLI_TEXT, "tls-key", 0, &a.tls_key, "FILE", "and its private key (PEM)", 0, 0, NULL},
        {CLI_TEXTS, "cors", 0, &a.origins, "ORIGIN",
         "pages of this origin may ask, besides this machine's ('*': any);\nmay be repeated", 0, 0,
         NULL},
        {CLI_TEXTS, "allow-host", 0, &a.hosts, "NAME",
         "a further name by which clients call this server; may be repeated", 0, 0, NULL},
        {CLI_INT, "max-queue", 0, &a.max_queue, "N", "requests that wait or run before 503 (512)",
         1, 100000, NULL},
        {CLI_INT, "max-body", 0, &a.max_body, "MIB", "largest body of a request (32)", 1, 1024,
         NULL},
        {CLI_INT, "max-connections", 0, &a.max_connections, "N", "open connections (1024)", 1,
         100000, NULL},
        {CLI_INT, "http-threads", 0, &a.http_threads, "N", "threads that read and write HTTP (2)",
         1, 64, NULL},
        {CLI_INT, "timeout", 0, &a.timeout, "S",
         "seconds in which a client must read or send something (60)", 1, 86400, NULL},
        {CLI_INT, "grace", 0, &a.grace, "S", "seconds that answers get to finish at the end (30)",
         0, 86400, NULL},
        {CLI_TEXT, "log-format", 0, &a.log_format, "text|json",
         "form of the log on standard error (text)", 0, 0, NULL},
        {CLI_FLAG, "quiet", 'q', &a.quiet, NULL, "no line for each request", 0, 0, NULL},
        {CLI_HEADING, "models", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXTS, "model", 'm', &a.models, "[NAME=]FILE", "a further model; may be repeated", 0,
         0, NULL},
        {CLI_TEXTS, "alias", 0, &a.aliases, "NAME[=MODEL]",
         "another name for a model (the first one); may be repeated", 0, 0, NULL},
        {CLI_TEXTS, "adapter", 0, &a.adapters, "NAME=FILE[@MODEL]",
         "a name for a model (the first one) with a LoRA file; may be repeated", 0, 0, NULL},
        {CLI_INT, "parallel", 0, &a.parallel, "N", "answers in flight of one model (16)", 1, 256,
         NULL},
        {CLI_TEXT, "keep-alive", 0, &a.keep_alive, "TIME",
         "how long an idle model stays open (5m; -1: for ever)", 0, 0, NULL},
        {CLI_INT, "max-models", 0, &a.max_models, "N", "models that run at once (3)", 1, 64, NULL},
        {CLI_TEXT, "template", 0, &a.engine.template_file, "FILE",
         "a Jinja file in place of the models' chat templates", 0, 0, NULL},
        {CLI_TEXT, "spec", 0, &a.spec, "HOW",
         "guess ahead: off, ngram (from the context) or auto (auto)", 0, 0, NULL},
        CLI_ENGINE_ROWS(&a.engine),
        CLI_KV_DIR_ROWS(&a.engine),
    };
    const cli_spec spec = {
        .usage = "pith serve [[NAME=]MODEL...] [options]",
        .summary = "Serves models over HTTP to the clients of OpenAI, Ollama and Anthropic: "
                   "docs/serving.md.\n"
                   "A model is a GGUF file, a Hugging Face folder or a name of the store; its name "
                   "is the file's, or "
                   "NAME. Without any it is the guide, the tiny model inside the program.\nOther "
                   "models of the store are opened when a request names them.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 0,
        .max_words = 64,
        .examples = "  pith serve model.gguf\n"
                    "  pith serve small=a.gguf large=b.gguf --host 0.0.0.0 --api-key-file keys\n"
                    "  curl http://127.0.0.1:11434/v1/chat/completions -d '{\"messages\": "
                    "[{\"role\": \"user\", "
                    "\"content\": \"Hello\"}]}'",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return run(&a, &words, &err) == PITH_OK ? 0 : cli_fail(&err);
}

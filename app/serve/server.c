/* server: see server.h. */
#include "serve/server.h"

#include "base/file.h"
#include "base/mem.h"
#include "serve/http.h"
#include "serve/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* A listening socket on the host's first address that works. */
static pith_status listen_on(const char *host, int port, int *fd, int *chosen, pith_error *err)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *all = NULL;
    char service[16];
    int code = 0;
    *fd = -1;
    snprintf(service, sizeof service, "%d", port);
    int bad = getaddrinfo(host, service, &want, &all);
    if (bad != 0)
        return px_fail(err, PITH_E_ARGUMENT, "--host '%s': %s", host, gai_strerror(bad));
    for (struct addrinfo *a = all; a && *fd < 0; a = a->ai_next) {
        int yes = 1, s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s < 0) {
            code = errno;
            continue;
        }
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(s, a->ai_addr, a->ai_addrlen) == 0 && listen(s, 1024) == 0) {
            *fd = s;
            break;
        }
        code = errno;
        close(s);
    }
    freeaddrinfo(all);
    if (*fd < 0)
        return px_fail_errno(err, code, "cannot listen on %s port %d%s", host, port,
                             code == EADDRINUSE ? " (is Ollama or another pith running? --port)"
                                                : "");
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    *chosen = port;
    if (getsockname(*fd, (struct sockaddr *)&at, &len) == 0)
        *chosen = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                                 : ((struct sockaddr_in *)&at)->sin_port);
    return PITH_OK;
}

static void ignore_log(void *cls, const char *fmt, va_list args)
{
    (void)cls;
    (void)fmt;
    (void)args;
}

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    serve_server *s = cls;
    (void)socket_context;
    /* What the system may hold of an answer that nobody reads: an answer's pieces are small. */
    const int most = 65536;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (what == MHD_CONNECTION_NOTIFY_STARTED && info)
        (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
    serve_metrics_connections(s->metrics, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

static pith_status start_daemon(serve_server *s, int fd, const char *cert, const char *key,
                                pith_error *err)
{
    const serve_options *o = &s->options;
    /* poll: with epoll libmicrohttpd 0.9.75 misses that a client has closed its side when that
     * comes together with its last bytes. Suspended connections are not polled. */
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    s->daemon = MHD_start_daemon(
        cert ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, serve_http_access, s,
        MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, serve_http_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)24576,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)2048, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)o->max_connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->timeout,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->http_threads, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)(1u << 20), MHD_OPTION_ARRAY, cert ? tls : none, MHD_OPTION_END);
    if (s->daemon)
        return PITH_OK;
    close(fd);
    return px_fail(err, cert ? PITH_E_ARGUMENT : PITH_E_IO,
                   cert ? "cannot serve TLS with this certificate and key (PEM files are expected)"
                        : "the HTTP server does not start");
}

static pith_status start_http(serve_server *s, pith_error *err)
{
    const serve_options *o = &s->options;
    px_buf cert = {0}, key = {0};
    int fd = -1;
    pith_status status = PITH_OK;
    if (!o->tls_cert != !o->tls_key)
        status =
            px_fail(err, PITH_E_ARGUMENT, "--tls-cert and --tls-key go together; one is missing");
    if (status == PITH_OK && o->tls_cert)
        status = px_file_read(o->tls_cert, 1u << 20, &cert, err);
    if (status == PITH_OK && o->tls_cert)
        status = px_file_read(o->tls_key, 1u << 20, &key, err);
    if (status == PITH_OK)
        status = listen_on(o->host, o->port, &fd, &s->port, err);
    if (status == PITH_OK)
        status = start_daemon(s, fd, cert.data, key.data, err);
    px_buf_clear(&cert);
    px_buf_clear(&key);
    return status;
}

/* Bodies of many MiB come and go. Left to itself glibc raises the size from which it maps memory to
 * that of what was freed last, and from then on keeps as much in each thread's heap for good. */
static void give_back_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

pith_status serve_start(const serve_options *options, serve_models *models, serve_server **out,
                        pith_error *err)
{
    serve_server *s = px_calloc(1, sizeof *s);
    *out = NULL;
    if (!s) {
        serve_models_free(models);
        return px_fail_memory(err, "the server");
    }
    give_back_memory();
    serve_routes_init();
    s->options = *options;
    s->models = models;
    s->started = serve_now();
    pith_status status = PITH_OK;
    if (options->key_file && !(s->keys = serve_keys_load(options->key_file, err)))
        status = err->status;
    if (status == PITH_OK && !(s->metrics = serve_metrics_new()))
        status = px_fail_memory(err, "the metrics");
    if (status == PITH_OK &&
        !(s->runner = serve_runner_new(models, s->metrics, &options->runner, err)))
        status = err->status;
    if (status == PITH_OK)
        status = start_http(s, err);
    if (status != PITH_OK) {
        serve_stop(s);
        return status;
    }
    *out = s;
    return PITH_OK;
}

bool serve_stopping(serve_server *s)
{
    if (!atomic_exchange(&s->stopping, true)) {
        int fd = MHD_quiesce_daemon(s->daemon);
        if (fd >= 0)
            close(fd);
        serve_runner_drain(s->runner, s->options.grace);
    }
    return serve_runner_count(s->runner) > 0 || atomic_load(&s->n_works) > 0;
}

void serve_stop(serve_server *s)
{
    if (!s)
        return;
    /* The runner's end wakes every connection that waits for it; then none is suspended any more.
     */
    serve_runner_end(s->runner);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    while (atomic_load(&s->n_works) > 0)
        usleep(10000);
    serve_runner_free(s->runner);
    serve_models_free(s->models);
    serve_keys_free(s->keys);
    serve_metrics_free(s->metrics);
    px_free(s);
}

/* gate: see gate.h. */
#include "serve/gate.h"

#include "serve/routes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n > m && strncasecmp(text + n - m, end, m) == 0;
}

static bool is_name(const char *text, size_t n, const char *name)
{
    return strlen(name) == n && strncasecmp(text, name, n) == 0;
}

/* The host of "name:port", "[::1]:port"; *n its length. */
static const char *bare_host(const char *host, size_t *n)
{
    if (*host == '[') {
        const char *end = strchr(host, ']');
        *n = end ? (size_t)(end - host) - 1 : 0;
        return host + 1;
    }
    *n = strcspn(host, ":/");
    return host;
}

static bool is_address(const char *text, size_t n)
{
    char copy[64];
    unsigned char raw[16];
    if (n == 0 || n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return inet_pton(AF_INET, copy, raw) == 1 || inet_pton(AF_INET6, copy, raw) == 1;
}

bool serve_gate_host(const serve_options *options, const char *host)
{
    size_t n;
    char own[256] = "";
    if (!host)
        return true; // HTTP/1.0; browsers always send one
    const char *name = bare_host(host, &n);
    if (n > 0 && name[n - 1] == '.')
        n--;
    if (n == 0 || memchr(name, '.', n) == NULL || is_address(name, n))
        return n > 0;
    if (ends_with(name, n, ".localhost") || ends_with(name, n, ".local") ||
        ends_with(name, n, ".internal"))
        return true;
    if (gethostname(own, sizeof own - 1) == 0 && is_name(name, n, own))
        return true;
    if (options->host && is_name(name, n, options->host))
        return true;
    for (int i = 0; i < options->n_hosts; i++)
        if (is_name(name, n, options->hosts[i]))
            return true;
    return false;
}

bool serve_gate_origin(const serve_options *options, const char *origin)
{
    size_t n;
    for (int i = 0; i < options->n_origins; i++)
        if (strcmp(options->origins[i], "*") == 0 || strcasecmp(options->origins[i], origin) == 0)
            return true;
    const char *host = strstr(origin, "://");
    if (!host)
        return false;
    host = bare_host(host + 3, &n);
    return is_name(host, n, "localhost") || is_name(host, n, "127.0.0.1") ||
           is_name(host, n, "::1") || ends_with(host, n, ".localhost");
}

/* ---- routes */

static bool matches(const serve_route *route, const char *path, px_str *rest)
{
    size_t n = strlen(route->path);
    *rest = (px_str){0};
    if (n > 0 && route->path[n - 1] == '*') {
        if (strncmp(route->path, path, n - 1) != 0 || path[n - 1] == '\0')
            return false;
        *rest = px_str_of(path + n - 1);
        return true;
    }
    return strcmp(route->path, path) == 0;
}

static bool has_method(const serve_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void allow_also(char allow[64], const char *method)
{
    size_t n = strlen(allow);
    if (!strstr(allow, method) && n + strlen(method) + 3 < 64)
        snprintf(allow + n, 64 - n, "%s%s", n > 0 ? ", " : "", method);
}

const serve_route *serve_gate_route(const char *method, const char *path, px_str *rest,
                                    char allow[64], const serve_dialect **shape,
                                    serve_problem *problem)
{
    size_t n;
    const serve_route *const *all = serve_routes(&n), *found = NULL, *near = NULL;
    size_t first = 1 + strcspn(path[0] ? path + 1 : path, "/");
    px_str unused;
    allow[0] = '\0';
    for (size_t i = 0; i < n && !found; i++) {
        if (!near && strncmp(all[i]->path, path, first) == 0 && all[i]->path[first] == '/')
            near = all[i];
        if (!matches(all[i], path, rest))
            continue;
        near = all[i];
        allow_also(allow, all[i]->method);
        if (strcmp(all[i]->method, "GET") == 0)
            allow_also(allow, "HEAD");
        if (has_method(all[i], method))
            found = all[i];
    }
    *shape = near ? near->dialect : all[0]->dialect;
    if (found)
        return found;
    for (size_t i = 0; i < n; i++)
        if (matches(all[i], path, &unused))
            allow_also(allow, all[i]->method);
    if (allow[0])
        serve_refuse(problem, 405, NULL, "%s is not possible for %s, expected %s", method, path,
                     allow);
    else
        serve_refuse(problem, 404, NULL, "there is nothing at %.200s; docs/api.md lists the routes",
                     path);
    return NULL;
}

/* ---- the rest of the head */

static bool check_key(const serve_server *server, const serve_head *head, serve_key **key,
                      serve_problem *problem)
{
    const char *given = head->api_key;
    if (head->authorization && strncasecmp(head->authorization, "Bearer ", 7) == 0) {
        given = head->authorization + 7;
        while (*given == ' ')
            given++;
    }
    if (!given)
        serve_refuse(problem, 401, NULL,
                     "an API key is needed: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'");
    else if (!(*key = serve_keys_find(server->keys, given)))
        serve_refuse(problem, 401, NULL, "the API key is not known here");
    problem->code = *key ? NULL : "invalid_api_key";
    return *key != NULL;
}

static bool check_body(const serve_server *server, const serve_route *route, const serve_head *head,
                       serve_problem *problem)
{
    static const char *const TYPES[] = {"application/json", "application/x-www-form-urlencoded",
                                        "text/plain", "application/x-ndjson"};
    if (head->encoding && *head->encoding && strcasecmp(head->encoding, "identity") != 0)
        return serve_refuse(problem, 415, NULL,
                            "bodies in Content-Encoding '%.40s' are not read here; send it plain",
                            head->encoding);
    unsigned long long length = head->length ? strtoull(head->length, NULL, 10) : 0;
    if (!route->take && length > server->options.max_body)
        return serve_refuse(problem, 413, NULL,
                            "the body has %llu bytes, expected at most %zu (--max-body)", length,
                            server->options.max_body);
    if (!head->type || route->take)
        return true;
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        size_t n = strlen(TYPES[i]);
        if (strncasecmp(head->type, TYPES[i], n) == 0 && strchr("; \t", head->type[n]))
            return true;
    }
    return serve_refuse(problem, 415, NULL,
                        "the body has Content-Type '%.60s', expected application/json", head->type);
}

/* Whether the request comes from this server's own page, under whatever (allowed) name it was
 * opened. */
static bool is_own_page(const serve_head *head)
{
    const char *host = head->origin ? strstr(head->origin, "://") : NULL;
    return host && head->host && strcasecmp(host + 3, head->host) == 0;
}

bool serve_gate_head(const serve_server *server, const serve_route *route, const serve_head *head,
                     serve_key **key, serve_problem *problem)
{
    *key = NULL;
    if (!serve_gate_host(&server->options, head->host))
        return serve_refuse(
            problem, 403, NULL,
            "this server is not known as '%.100s'; start it with --allow-host %.100s", head->host,
            head->host);
    if (head->origin && !is_own_page(head) && !serve_gate_origin(&server->options, head->origin) &&
        strcmp(head->method, "GET") != 0 && strcmp(head->method, "HEAD") != 0)
        return serve_refuse(
            problem, 403, NULL,
            "pages of '%.100s' may not ask this server; start it with --cors %.100s", head->origin,
            head->origin);
    if (server->keys && !route->open && !check_key(server, head, key, problem))
        return false;
    return check_body(server, route, head, problem);
}

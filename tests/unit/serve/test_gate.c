/* gate, fields, put: names and origins, the table of routes, durations, JSON strings. */
#include "support/support.h"

#include "serve/gate.h"
#include "serve/routes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_of_this_server(void **state)
{
    (void)state;
    const char *hosts[] = {"llm.example"};
    serve_options o = {.host = "10.1.2.3", .hosts = hosts, .n_hosts = 1};
    static const char *const OURS[] = {"localhost",
                                       "LOCALHOST:11434",
                                       "127.0.0.1",
                                       "10.9.8.7:80",
                                       "[::1]",
                                       "[::1]:80",
                                       "[fe80::1]:1",
                                       "pith",
                                       "llm.example",
                                       "LLM.example:443",
                                       "llm.example.",
                                       "box.local",
                                       "host.docker.internal:11434",
                                       "a.b.localhost"};
    static const char *const OTHERS[] = {"",
                                         ":80",
                                         "evil.example",
                                         "llm.example.evil.net",
                                         "127.0.0.1.evil.net",
                                         "evil.net:127",
                                         "local.evil.net",
                                         ".",
                                         "xlocal.net",
                                         "[",
                                         "[]"};
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++)
        if (!serve_gate_host(&o, OURS[i]))
            fail_msg("'%s' is refused", OURS[i]);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (serve_gate_host(&o, OTHERS[i]))
            fail_msg("'%s' is taken", OTHERS[i]);
    assert_true(serve_gate_host(&o, NULL));
}

static void origins_of_pages(void **state)
{
    (void)state;
    const char *one[] = {"https://app.example"}, *any[] = {"*"};
    serve_options none = {0}, some = {.origins = one, .n_origins = 1},
                  all = {.origins = any, .n_origins = 1};
    assert_true(serve_gate_origin(&none, "http://localhost:3000"));
    assert_true(serve_gate_origin(&none, "http://127.0.0.1"));
    assert_true(serve_gate_origin(&none, "http://[::1]:8080"));
    assert_false(serve_gate_origin(&none, "https://app.example"));
    assert_false(serve_gate_origin(&none, "http://localhost.evil.net"));
    assert_false(serve_gate_origin(&none, "null"));
    assert_false(serve_gate_origin(&none, ""));
    assert_true(serve_gate_origin(&some, "https://app.example"));
    assert_false(serve_gate_origin(&some, "http://app.example"));
    assert_false(serve_gate_origin(&some, "https://app.example.evil.net"));
    assert_true(serve_gate_origin(&all, "https://evil.example"));
}

static void routed(const char *method, const char *path, int http, const char *pattern,
                   const char *rest, const char *allow)
{
    char methods[64];
    px_str found;
    const serve_dialect *shape = NULL;
    serve_problem p = {0};
    const serve_route *route = serve_gate_route(method, path, &found, methods, &shape, &p);
    if (p.http != http)
        fail_msg("%s %s: %d, expected %d", method, path, p.http, http);
    assert_non_null(shape);
    assert_int_equal(route != NULL, http == 0);
    if (route)
        assert_string_equal(route->path, pattern);
    if (rest)
        assert_true(px_str_is(found, rest));
    if (allow)
        assert_string_equal(methods, allow);
}

static void paths_find_their_routes(void **state)
{
    (void)state;
    serve_routes_init();
    routed("POST", "/v1/chat/completions", 0, "/v1/chat/completions", NULL, NULL);
    routed("GET", "/v1/models", 0, "/v1/models", NULL, NULL);
    routed("HEAD", "/v1/models", 0, "/v1/models", NULL, NULL);
    routed("GET", "/v1/models/org/name:tag", 0, "/v1/models/*", "org/name:tag", NULL);
    routed("GET", "/v1/models/", 404, NULL, NULL, NULL);
    routed("PUT", "/v1/chat/completions", 405, NULL, NULL, "POST");
    routed("GET", "/v1/chat", 404, NULL, NULL, NULL);
    routed("GET", "", 404, NULL, NULL, NULL);
    routed("GET", "*", 404, NULL, NULL, NULL);
    routed("POST", "//v1/chat/completions", 404, NULL, NULL, NULL);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } GOOD[] = {{"5m", 300}, {"1h30m", 5400}, {"300ms", 0.3}, {"-1", -1},        {"10", 10},
                {"0", 0},    {"1.5h", 5400},  {"-1m", -60},   {"2h0.5s", 7200.5}};
    static const char *const BAD[] = {"",    "m",   "5x",   "5 m",   "-",  "1h-5m",
                                      "nan", "inf", "0x10", "1e400", "5m5"};
    double x;
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        assert_true(serve_read_duration(GOOD[i].text, &x));
        assert_true(x > GOOD[i].seconds - 1e-9 && x < GOOD[i].seconds + 1e-9);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        if (serve_read_duration(BAD[i], &x))
            fail_msg("'%s' is taken as %g", BAD[i], x);
}

/* Any bytes become a JSON string; what is UTF-8 comes back as it was. */
static void strings_are_json(void **state)
{
    (void)state;
    test_random r = test_random_start(7);
    for (int k = 0; k < 2000; k++) {
        char text[64];
        size_t n = test_random_below(&r, sizeof text);
        px_buf out = {0};
        test_random_bytes(&r, text, n);
        for (size_t i = 0; i < n && k % 2; i++)
            text[i] = (char)(text[i] & 0x7f);
        serve_put_string(&out, text, n);
        json_t *v = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_is_string(v));
        if (k % 2) {
            assert_int_equal(json_string_length(v), n);
            assert_memory_equal(json_string_value(v), text, n);
        }
        json_decref(v);
        px_buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_this_server),    cmocka_unit_test(origins_of_pages),
        cmocka_unit_test(paths_find_their_routes), cmocka_unit_test(durations),
        cmocka_unit_test(strings_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

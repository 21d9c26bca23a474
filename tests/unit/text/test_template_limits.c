/* template: hostile templates and variables are refused, soon and by name of what they exceed: by
 * LIMIT, or by TEMPLATE where the reference refuses them as well. */
#include "text/template.h"

#include "base/limits.h"

#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MOST_MS = TEST_SANITIZED ? 20000 : 2000 };

/* Of the processor's time: other programs may be running. */
static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Parses and renders within the time that is allowed. */
static pith_status timed(const char *what, const char *source, size_t len, const char *json,
                         pith_error *err)
{
    px_template *t = NULL;
    px_rendered r = {.n_spans = 0};
    int64_t start = now_ms();
    *err = (pith_error){0};
    pith_status st = px_template_parse("t", source, len, &t, err);
    if (st == PITH_OK)
        st = px_template_render(t, json, strlen(json), 0, &r, err);
    px_rendered_clear(&r);
    px_template_free(t);
    int64_t took = now_ms() - start;
    if (took > MOST_MS)
        fail_msg("%.60s took %d ms", what, (int)took);
    return st;
}

/* `piece` over and over between head and tail, up to about `bytes`. */
static char *repeated(const char *head, const char *piece, const char *tail, size_t bytes)
{
    size_t h = strlen(head), p = strlen(piece), t = strlen(tail), n = (bytes - h - t) / p;
    char *text = malloc(h + n * p + t + 1);
    assert_non_null(text);
    memcpy(text, head, h);
    for (size_t i = 0; i < n; i++)
        memcpy(text + h + i * p, piece, p);
    memcpy(text + h + n * p, tail, t + 1);
    return text;
}

static void too_deep_to_parse(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece, *tail;
    } cases[] = {
        {"{{ ", "(", ""},
        {"{{ ", "[", ""},
        {"{{ ", "{1:", ""},
        {"{{ x", "[x", ""},
        {"{{ f", "(f", ""},
        {"{{ ", "not ", "x }}"},
        {"{{ ", "-", "1 }}"},
        {"{{ x", ".a", " }}"},
        {"{{ x", "[0]", " }}"},
        {"{{ x", "()", " }}"},
        {"{{ x", "|upper", " }}"},
        {"{{ x", "|join(x", " }}"},
        {"{{ x", " is none", " }}"},
        {"{{ 1", " if 1 else 1", " }}"},
        {"{{ 1", " if 1", " }}"},
        {"", "{% if x %}", ""},
        {"", "{% for x in y %}", ""},
        {"", "{% macro m() %}", ""},
        {"", "{% call m() %}", ""},
        {"", "{% set x %}", ""},
        {"", "{% filter upper %}", ""},
        {"", "{% with %}", ""},
        {"", "{% generation %}", ""},
        {"{% for ", "(a,", ""},
        {"{% set x | ", "upper|", "upper %}{% endset %}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *source = repeated(cases[i].head, cases[i].piece, cases[i].tail, 1 << 20);
        pith_error err;
        pith_status st = timed(source, source, strlen(source), "{\"x\": null}", &err);
        if (st != PITH_E_LIMIT && st != PITH_E_TEMPLATE)
            fail_msg("%.40s...: status %d %s", source, st, err.text);
        if (st == PITH_E_LIMIT)
            assert_non_null(strstr(err.text, " deep"));
        free(source);
    }
}

/* Long without being deep. */
static void long_is_no_error(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece, *tail;
    } cases[] = {
        {"{{ 1", " + 1", " }}"},
        {"{{ 1", " * 1", " }}"},
        {"{{ 1", " ~ 1", " }}"},
        {"{{ 1", " and 1", " }}"},
        {"{{ 1", " or 1", " }}"},
        {"{{ 1", " == 1", " }}"},
        {"{{ [1", ", 1", "] }}"},
        {"{{ 'a'", " 'b'", " }}"},
        {"{% if x %}", "{% elif x %}", "{% endif %}"},
        {"", "{% if x %}{% endif %}", ""},
        {"", "{% for i in [1] %}{{ i }}{% endfor %}", ""},
        {"", "{% macro m() %}{% endmacro %}", ""},
        {"", "{{x}}", ""},
        {"", "{#x#}", ""},
        {"", "{%raw%}{{{%endraw%}", ""},
        {"", "{ ", ""},
        {"", " \n", "{%- if 1 -%}{% endif %}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *source = repeated(cases[i].head, cases[i].piece, cases[i].tail, 1 << 20);
        pith_error err;
        pith_status st = timed(source, source, strlen(source), "{\"x\": null}", &err);
        if (st != PITH_OK)
            fail_msg("%.40s...: status %d %s", source, st, err.text);
        free(source);
    }
}

/* As many different names as fit: none of the steps may search them one by one. */
static void many_names(void **state)
{
    (void)state;
    char *source = malloc((1 << 20) + 64);
    size_t n = 0;
    assert_non_null(source);
    for (int i = 0; n < (1 << 20) - 64; i++)
        n += (size_t)sprintf(source + n, "{%%set a%d=1%%}{{a%d}}", i, i);
    pith_error err;
    assert_int_equal(timed("names", source, n, "{}", &err), PITH_OK);
    n = (size_t)sprintf(source, "{{ {");
    for (int i = 0; n < (1 << 20) - 64; i++)
        n += (size_t)sprintf(source + n, "'k%d':%d,", i, i);
    n += (size_t)sprintf(source + n, "}.k77 }}");
    assert_int_equal(timed("keys", source, n, "{}", &err), PITH_OK);
    free(source);
}

static void expect_refused(const char *source)
{
    pith_error err;
    pith_status st = timed(source, source, strlen(source), "{}", &err);
    if (st != PITH_E_LIMIT && st != PITH_E_TEMPLATE)
        fail_msg("%.90s...: status %d %s", source, st, err.text);
    assert_true(strncmp(err.text, "t: line 1: ", 11) == 0 || strstr(source, "\n"));
}

/* Work that goes on until the steps are used up. Each takes a second or so, and many times that
 * with sanitizers: those do every sixth. */
static void too_much_work(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ i * j }}{% endfor %}{% endfor "
        "%}",
        "{% for i in range(100000) %}{{ range(100000)|list|length }}{% endfor %}",
        "{% for i in range(100000) %}{{ range(100000)|sum }}{% endfor %}",
        "{% for i in range(100000) %}{{ 7 in range(100000)|list }}{% endfor %}",
        "{% for i in range(100000) %}{{ 'a' * 100000 }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 100000)|upper|length }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 1000000) == ('a' * 1000000) }}{% endfor %}",
        "{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{{ 'b' in s }}{% endfor %}",
        "{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{{ s.count('b') }}{% endfor %}",
        "{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{{ s|trim('a') }}{% endfor %}",
        "{% set s = '\xc3\xa9' * 1000000 %}{% for i in range(100000) %}{{ s[900000] }}{% endfor %}",
        "{% set s = '\xc3\xa9' * 1000000 %}{% for i in range(100000) %}{{ s[::-1][0] }}{% endfor "
        "%}",
        "{% set s = 'a' * 5000000 %}{{ s.rfind('a' * 2500000 ~ 'b') }}{{ s.rfind('a' * 2500000 ~ "
        "'b') }}"
        "{% for i in range(100) %}{{ s.rfind('aa' * 1000000 ~ 'b') }}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) "
        "}}",
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i += TEST_SANITIZED ? 6 : 1)
        expect_refused(sources[i]);
}

static void too_deep_or_too_large(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() ~ m() }}{% endmacro %}{{ m() }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{% call a() %}{% endcall %}{% "
        "endmacro %}"
        "{{ a() }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set ns = namespace(x='aa') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% "
        "endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% "
        "endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% "
        "endfor %}"
        "{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% "
        "endfor %}"
        "{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% "
        "endfor %}"
        "{{ ns.x|tojson }}",
        "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}"
        "{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
        "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(100000) %}{% set ns.x = (ns.x,) "
        "%}"
        "{% set ns.y = (ns.y,) %}{% endfor %}{{ ns.x < ns.y }}",
        "{% set ns = namespace(x=(1,)) %}{% for i in range(100000) %}{% set ns.x = (ns.x,) %}{% "
        "endfor %}"
        "{{ {ns.x: 1} }}",
        "{% set ns = namespace(g=['a']) %}{% for i in range(100000) %}{% set ns.g = "
        "ns.g|map('upper') %}"
        "{% endfor %}{{ ns.g|list }}",
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "{{ 'a' * 100000000000 }}",
        "{{ 9223372036854775807 * 'ab' }}",
        "{{ [0] * 10000000000 }}",
        "{{ 'a'|center(100000000000) }}",
        "{{ 'a'.ljust(9223372036854775807) }}",
        "{{ 'a'.zfill(9223372036854775807) }}",
        "{{ '\xc3\xa9'.center(1000000000, '\xc3\xa9') }}",
        "{{ '\t\t'.expandtabs(9223372036854775807) }}",
        "{{ 'a\nb'|indent(9223372036854775807) }}",
        "{{ [[1]]|tojson(indent=9223372036854775807) }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ '%*d' % (9223372036854775807, 1) }}",
        "{{ '%.9999999d' % 1 }}",
        "{{ '%.9999999f' % 1 }}",
        "{{ '{:99999999999}'.format(1) }}",
        "{{ '{:.99999999}'.format(1.5) }}",
        "{{ 2 ** 64 }}",
        "{{ 10 ** 100000000000 }}",
        "{{ 1e308 ** 2 }}",
        "{{ range(1000000000000) }}",
        "{{ range(-9223372036854775807, 9223372036854775807)|length }}",
        "{{ [1]|batch(9223372036854775807, 'x')|list }}",
        "{{ [1]|slice(9223372036854775807)|list }}",
        "{{ ('a' * 1000000)|replace('a', 'b' * 1000) }}",
        "{{ ('a' * 1000000)|replace('', 'b' * 1000) }}",
        "{{ (['a' * 1000000] * 1000)|join }}",
        "{{ ('a' * 10000000)|list|length }}",
        "{{ ('a ' * 10000000).split()|length }}",
        "{{ ('a' * 20000000)|wordwrap(1) }}",
        "{{ ('-' * 20000000)|wordwrap(79) }}",
        "{{ ('&' * 60000000)|e }}",
        "{{ ('\"' * 60000000)|tojson }}",
        "{{ 'x' | upper(*range(100000), *range(100000)) }}",
        "{{ dict(**{}) }}{{ dict([1]) }}",
        "{% for a, b in [range(100000)] %}{% endfor %}",
        "{{ ('<' * 10000000)|striptags|length }}{% for i in range(100000) %}"
        "{{ ('<' * 100000)|striptags }}{% endfor %}",
        "{{ '{' * 1000000 % 1 }}",
        "{{ ('{' * 1000001).format(1) }}",
        "{{ ('%' * 1000001) % 1 }}",
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        expect_refused(sources[i]);
}

/* Gathering text in a namespace costs what it prints, not its square. */
static void appending_is_cheap(void **state)
{
    (void)state;
    static const char source[] =
        "{% set ns = namespace(x='') %}{% set part = 'a' * 1000 %}{% for i in range(20000) %}"
        "{% set ns.x = ns.x + part + '\\n' %}{% endfor %}{{ ns.x|length }}";
    pith_error err;
    assert_int_equal(timed("appending", source, strlen(source), "{}", &err), PITH_OK);
}

static void sources_and_variables_too_large(void **state)
{
    (void)state;
    pith_error err;
    char *source = repeated("", "a", "", PX_MAX_TEMPLATE_BYTES + 1);
    assert_int_equal(timed("source", source, strlen(source), "{}", &err), PITH_E_LIMIT);
    free(source);
    char *json = repeated("{\"a\": ", "[", "", 1 << 20);
    assert_int_equal(timed("brackets", "x", 1, json, &err), PITH_E_LIMIT);
    free(json);
    json = repeated("{\"a\": [", "[],", "0]}", 16 << 20);
    assert_int_equal(timed("values", "x", 1, json, &err), PITH_E_LIMIT);
    free(json);
    json = repeated("{\"a\": \"", ",[{", "\"}", 8 << 20); // one string
    assert_int_equal(timed("string", "x", 1, json, &err), PITH_OK);
    free(json);
    json = repeated("{\"a\": ", "{\"a\": ", "", 1 << 20);
    assert_int_equal(timed("braces", "x", 1, json, &err), PITH_E_LIMIT);
    free(json);
}

/* Keys of a large object are found, not searched. */
static void large_objects_are_indexed(void **state)
{
    (void)state;
    static const char source[] =
        "{% for i in range(100000) %}{% if 'k' ~ i not in d %}miss{% endif %}"
        "{% endfor %}{{ d.k99999 }}";
    char *json = malloc(100000 * 24);
    assert_non_null(json);
    size_t n = (size_t)sprintf(json, "{\"d\": {");
    for (int i = 0; i < 100000; i++)
        n += (size_t)sprintf(json + n, "%s\"k%d\": %d", i ? "," : "", i, i);
    sprintf(json + n, "}}");
    pith_error err;
    assert_int_equal(timed("large object", source, strlen(source), json, &err), PITH_OK);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_deep_to_parse),
        cmocka_unit_test(long_is_no_error),
        cmocka_unit_test(many_names),
        cmocka_unit_test(too_much_work),
        cmocka_unit_test(too_deep_or_too_large),
        cmocka_unit_test(appending_is_cheap),
        cmocka_unit_test(sources_and_variables_too_large),
        cmocka_unit_test(large_objects_are_indexed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* text: each allocation of parsing and rendering a chat template fails in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "text/template.h"

#include <string.h>

#include <cmocka.h>

/* A little of everything that allocates. */
static const char source[] =
    "{% macro one(m, i=loop) -%}[{{ m.role|upper }}: {{ caller(m.content) }}]{%- endmacro %}"
    "{% set ns = namespace(text='', n=0) %}"
    "{% for m in messages if m.content recursive %}"
    "{% call(c) one(m) %}{{ c|replace('a', 'bb')|trim ~ ns.n }}{% endcall %}"
    "{% generation %}{{ m.content[::-1] }}{% endgeneration %}"
    "{% set ns.text = ns.text + m.content + '\\n' %}{% set ns.n = ns.n + loop.index %}"
    "{% endfor %}"
    "{% set block | indent %}{{ messages|map(attribute='role')|unique|sort|join(', ') }}"
    "{% endset %}{{ block }}"
    "{{ {'a': [1, 2.5, none], 'b': {'c': 'd' * 300}}|tojson(indent=2, sort_keys=true) }}"
    "{{ '%s %05d' % ('x', 7) ~ '{:>8,.2f}'.format(1234.5) }}{{ messages|groupby('role') }}"
    "{% filter upper %}{{ ns.text.split('\\n') }}{% endfilter %}"
    "{% with d = dict(x=1, **extra) %}{{ d.items()|list }}{{ d }}{% endwith %}"
    "{{ range(40)|batch(7, '-')|list|length }}{{ strftime_now('%Y') }}";

static const char vars[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"banana\"}, {\"role\": \"assistant\", "
    "\"content\": \"caf\\u00e9\"}, {\"role\": \"user\", \"content\": \"\"}], \"extra\": {\"k1\": "
    "1, "
    "\"k2\": 2, \"k3\": 3, \"k4\": 4, \"k5\": 5, \"k6\": 6, \"k7\": 7, \"k8\": 8, \"k9\": 9}}";

static pith_status templates(void *ctx, pith_error *err)
{
    px_template *t = NULL;
    px_rendered r = {.n_spans = 0};
    (void)ctx;
    pith_status status = px_template_parse("t", source, strlen(source), &t, err);
    if (status == PITH_OK)
        status = px_template_render(t, vars, strlen(vars), 0, &r, err);
    assert_int_equal(status, err->status);
    if (status == PITH_OK) {
        assert_non_null(strstr(r.text.data, "[USER: bbbnbbnbb0]ananab[ASSISTANT: cbbf\xc3\xa9"
                                            "1]\xc3\xa9"
                                            "fac"));
        assert_int_equal(r.n_spans, 4);
    } else {
        assert_null(r.text.data);
        assert_null(r.spans);
    }
    px_rendered_clear(&r);
    px_template_free(t);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    assert_true(test_fault_each(templates, NULL, 0) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

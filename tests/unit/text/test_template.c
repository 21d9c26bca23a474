/* template: errors and their lines, spans, defaults, limits, sharing by threads. What templates
 * print is compared with the reference in test_template_golden. */
#include "text/template.h"

#include "base/mem.h"

#include "support/support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { NOW = 1741338302 }; // 2025-03-07 09:05:02

/* Renders; the text is left in `r` and the status returned. */
static pith_status try_it(const char *source, size_t len, const char *json, px_rendered *r,
                          pith_error *err)
{
    px_template *t = NULL;
    *r = (px_rendered){.n_spans = 0};
    pith_status st = px_template_parse("chat", source, len, &t, err);
    if (st == PITH_OK)
        st = px_template_render(t, json, strlen(json), NOW, r, err);
    px_template_free(t);
    return st;
}

static void expect_text(const char *source, const char *json, const char *text)
{
    px_rendered r;
    pith_error err = {0};
    pith_status st = try_it(source, strlen(source), json, &r, &err);
    if (st != PITH_OK)
        fail_msg("%s: %s", source, err.text);
    assert_string_equal(r.text.data, text);
    assert_int_equal(r.text.len, strlen(text));
    px_rendered_clear(&r);
}

static void expect_error(const char *source, const char *json, pith_status status,
                         const char *sentence)
{
    px_rendered r;
    pith_error err = {0};
    pith_status st = try_it(source, strlen(source), json, &r, &err);
    assert_string_equal(err.text, sentence);
    assert_int_equal(st, status);
    assert_int_equal(err.status, status);
    assert_null(r.text.data);
    assert_null(r.spans);
}

/* ---- errors */

static void errors_name_the_line(void **state)
{
    (void)state;
    expect_error("a\nb {{ x", "{}", PITH_E_TEMPLATE,
                 "chat: line 2: expected '}}', found the end of the template");
    expect_error("\n\n{% if a %}\n", "{}", PITH_E_TEMPLATE,
                 "chat: line 3: the template ends where 'endif' of the tag in line 3 is missing");
    expect_error("{{ a\n.b.c }}", "{}", PITH_E_TEMPLATE, "chat: line 2: 'a' is undefined");
    expect_error("{#\n#}\n{{ a.b.c }}", "{\"a\": {}}", PITH_E_TEMPLATE,
                 "chat: line 3: a dict has no member 'b'");
    expect_error("{{ a[7].x }}", "{\"a\": []}", PITH_E_TEMPLATE,
                 "chat: line 1: a list has no element 7");
    expect_error("{% for m in messages %}\n{{ raise_exception('Roles ' ~ m) }}{% endfor %}",
                 "{\"messages\": [1]}", PITH_E_TEMPLATE, "chat: line 2: Roles 1");
    expect_error("{% macro m() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ m() }}", "{}", PITH_E_TEMPLATE,
                 "chat: line 2: division by zero");
    expect_error("{% include 'x' %}", "{}", PITH_E_TEMPLATE,
                 "chat: line 1: the tag 'include' is not supported: a chat template is one text "
                 "and loads no other");
    expect_error("\n{% nope %}", "{}", PITH_E_TEMPLATE,
                 "chat: line 2: unknown or misplaced tag 'nope'");
    expect_error("{{ a.append(1) }}", "{\"a\": []}", PITH_E_TEMPLATE,
                 "chat: line 1: 'append' would change a list, which templates cannot");
    expect_error("{{ 9223372036854775807 + 1 }}", "{}", PITH_E_TEMPLATE,
                 "chat: line 1: an integer is too large: pith counts with 64 bits");
    expect_error("{{ x|nope }}", "{}", PITH_E_TEMPLATE, "chat: line 1: there is no filter 'nope'");
    expect_error("{{ 'a'|join(1, 2, 3) }}", "{}", PITH_E_TEMPLATE,
                 "chat: line 1: the filter join takes at most 2 arguments, 3 were given");
    expect_error("a\n\xff", "{}", PITH_E_TEMPLATE, "chat: line 2: the template is not valid UTF-8");
}

static void bad_variables_are_refused(void **state)
{
    (void)state;
    expect_error("x", "[1]", PITH_E_FORMAT,
                 "the variables of a template are an array, expected an object with members like "
                 "\"messages\"");
    expect_error("x", "", PITH_E_FORMAT,
                 "'template variables' line 1 column 1: found the end, expected a value");
    expect_error("x", "{\"a\": 1,}", PITH_E_FORMAT,
                 "'template variables' line 1 column 9: found '}', expected a string as key");
    expect_error("x", "{\"a\": 123456789012345678901}", PITH_E_FORMAT,
                 "the variables of a template hold an integer of 21 digits, expected at most 64 "
                 "bits");
}

static void variables_are_read_as_python_reads_them(void **state)
{
    (void)state;
    expect_text("{{ x }}", "{\"x\": [1, -0, 1.0, 1e3, -1E-7, 1e999, -1e999, true, null]}",
                "[1, 0, 1.0, 1000.0, -1e-07, inf, -inf, True, None]");
    expect_text("{{ x }}", "{\"x\": {\"b\": 1, \"a\": 2, \"b\": 3}}", "{'b': 3, 'a': 2}");
    expect_text("{{ x|length }}{{ x }}", "{\"x\": \"\\u00e9\\ud83d\\ude00\\n\\/\"}",
                "4\xc3\xa9\xf0\x9f\x98\x80\n/");
    expect_text("{{ x['k\\n'] }}", "{\"x\": {\"k\\n\": \"\"}, \"y\": \"\"}", "");
    expect_text("{{ 9007199254740993 == x }}{{ x }}", "{\"x\": 9007199254740993}",
                "True9007199254740993");
}

static void failures_need_no_error(void **state)
{
    (void)state;
    px_template *t = NULL;
    px_rendered r;
    assert_int_equal(px_template_parse("chat", "{{", 2, &t, NULL), PITH_E_TEMPLATE);
    assert_null(t);
    assert_int_equal(px_template_parse("chat", "{{ x.y }}", 9, &t, NULL), PITH_OK);
    assert_int_equal(px_template_render(t, "{}", 2, NOW, &r, NULL), PITH_E_TEMPLATE);
    px_template_free(t);
    px_template_free(NULL);
    px_rendered_clear(&r);
}

static void source_is_kept_as_given(void **state)
{
    (void)state;
    static const char source[] = "a\r\nb\0c\n";
    px_template *t = NULL;
    px_rendered r;
    assert_int_equal(px_template_parse("chat", source, sizeof source - 1, &t, NULL), PITH_OK);
    px_str kept = px_template_source(t);
    assert_int_equal(kept.len, sizeof source - 1);
    assert_memory_equal(kept.data, source, sizeof source - 1);
    assert_int_equal(px_template_render(t, "{}", 2, NOW, &r, NULL), PITH_OK);
    assert_int_equal(r.text.len, 5);
    assert_memory_equal(r.text.data, "a\nb\0c", 6);
    px_rendered_clear(&r);
    px_template_free(t);
}

static void time_is_the_callers(void **state)
{
    (void)state;
    expect_text("{{ strftime_now('%d %b %Y, %H:%M:%S') }}", "{}", "07 Mar 2025, 09:05:02");
    px_template *t = NULL;
    px_rendered r;
    static const char source[] = "{{ strftime_now('%s') }}";
    assert_int_equal(px_template_parse("chat", source, strlen(source), &t, NULL), PITH_OK);
    assert_int_equal(px_template_render(t, "{}", 2, INT64_MIN, &r, NULL), PITH_OK);
    int64_t away = (int64_t)time(NULL) - strtoll(r.text.data, NULL, 10);
    assert_true(away > -15 * 3600 && away < 15 * 3600); // the clock, in some time zone
    px_rendered_clear(&r);
    px_template_free(t);
}

/* ---- spans */

static const char three[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"ab\"},"
                            " {\"role\": \"assistant\", \"content\": \"\xc3\xa9\"},"
                            " {\"role\": \"user\", \"content\": \"\"}]}";

/* `spans` reads "m0:text|g:text|..." in order. */
static void expect_spans(const char *source, const char *json, const char *spans)
{
    px_rendered r;
    pith_error err = {0};
    pith_status st = try_it(source, strlen(source), json, &r, &err);
    if (st != PITH_OK)
        fail_msg("%s: %s", source, err.text);
    px_buf found = {0};
    size_t before = 0;
    for (size_t i = 0; i < r.n_spans; i++) {
        px_span s = r.spans[i];
        assert_true(s.start >= before && s.start < s.end && s.end <= r.text.len);
        before = s.start;
        px_buf_printf(&found, "%s%c%d:%.*s", i ? "|" : "", s.kind == PX_SPAN_MESSAGE ? 'm' : 'g',
                      s.index, (int)(s.end - s.start), r.text.data + s.start);
    }
    assert_string_equal(found.data ? found.data : "", spans);
    px_buf_clear(&found);
    px_rendered_clear(&r);
}

static void spans_of_messages(void **state)
{
    (void)state;
    expect_spans("<s>{% for m in messages %}[{{ m.content }}]{% endfor %}</s>", three,
                 "m0:[ab]|m1:[\xc3\xa9]|m2:[]");
    expect_spans("{% for m in messages %}{{ m.content }}{% endfor %}", three,
                 "m0:ab|m1:\xc3\xa9"); // nothing printed, no span
    expect_spans("{% set rest = messages[1:] %}{% for m in rest %}[{{ m.role[0] }}]{% endfor %}",
                 three, "m1:[a]|m2:[u]");
    expect_spans("{% set messages = messages[::-1] %}{% for m in messages %}x{% endfor %}", three,
                 "m2:x|m1:x|m0:x");
    expect_spans("{% for m in messages if m.role == 'user' %}{{ loop.index }}{% endfor %}", three,
                 "m0:1|m2:2");
    expect_spans("{% for m in messages|selectattr('role', 'equalto', 'assistant') %}x{% endfor %}",
                 three, "m1:x");
    expect_spans("{% for m in messages %}a{% if loop.first %}{% continue %}{% endif %}b"
                 "{% break %}{% endfor %}",
                 three, "m0:a|m1:ab");
    expect_spans("{% for m in messages %}{% for k in messages %}.{% endfor %}{% endfor %}", three,
                 "m0:...|m1:...|m2:...");
    expect_spans("{% for i in range(3) %}{{ messages[i].content }}{% endfor %}", three, "");
    expect_spans("{% for c in 'ab' %}{% for m in messages %}{{ c }}{% endfor %}{% endfor %}", three,
                 "m0:a|m1:a|m2:a|m0:b|m1:b|m2:b");
    expect_spans("{% for m in messages %}x{% endfor %}", "{\"messages\": \"ab\"}", "");
    expect_spans("{% for m in [{}] %}x{% endfor %}", three, "");
}

static void spans_through_captures(void **state)
{
    (void)state;
    expect_spans("{% macro all() %}{% for m in messages %}[{{ m.content }}]{% endfor %}"
                 "{% endmacro %}<s>{{ all() }}</s>",
                 three, "m0:[ab]|m1:[\xc3\xa9]|m2:[]");
    expect_spans("{% set x %}<{% for m in messages %}{{ m.content }}.{% endfor %}>{% endset %}"
                 "{{ 'a' ~ x ~ 'b' + x }}",
                 three, "m0:ab.|m1:\xc3\xa9.|m2:.|m0:ab.|m1:\xc3\xa9.|m2:.");
    expect_spans("{% macro one(m) %}({{ m.content }}){% endmacro %}"
                 "{% for m in messages %}{{ one(m) }}{% endfor %}",
                 three, "m0:(ab)|m1:(\xc3\xa9)|m2:()");
    expect_spans("{% filter upper %}{% for m in messages %}x{% endfor %}{% endfilter %}", three,
                 ""); // another text
}

static void spans_of_generation(void **state)
{
    (void)state;
    expect_spans("{% for m in messages %}<{{ m.role[0] }}>{% if m.role == 'assistant' %}"
                 "{% generation %}{{ m.content }}!{% endgeneration %}{% else %}{{ m.content }}"
                 "{% endif %}{% endfor %}",
                 three, "m0:<u>ab|m1:<a>\xc3\xa9!|g1:\xc3\xa9!|m2:<u>");
    expect_spans("a{% generation %}b{% endgeneration %}c", "{}", "g-1:b");
    expect_spans("a{% generation %}{% endgeneration %}c", "{}", "");
    expect_spans("{% set x %}-{% generation %}b{% endgeneration %}{% endset %}{{ x }}{{ x }}", "{}",
                 "g-1:b|g-1:b");
}

/* ---- defaults */

static bool has_token(void *user, const char *text)
{
    for (const char *const *t = user; *t; t++)
        if (strcmp(*t, text) == 0)
            return true;
    return false;
}

static void expect_default(const char *arch, const char *const *tokens, const char *expected_name,
                           const char *text)
{
    const char *name = NULL;
    const char *source = px_template_default(arch, has_token, (void *)tokens, &name);
    assert_string_equal(name, expected_name);
    expect_text(source,
                "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_generation_prompt\": "
                "true, \"messages\": [{\"role\": \"system\", \"content\": \"S\"},"
                "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"U\"}]},"
                "{\"role\": \"assistant\", \"content\": \"A\"},"
                "{\"role\": \"user\", \"content\": \"V\"}]}",
                text);
    static const char spans[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"\"},"
                                "{\"role\": \"assistant\", \"content\": \"A\"}]}";
    px_rendered r;
    pith_error err = {0};
    int generated = 0;
    if (try_it(source, strlen(source), spans, &r, &err) != PITH_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < r.n_spans; i++)
        if (r.spans[i].kind == PX_SPAN_GENERATION) {
            assert_int_equal(r.spans[i].index, 1);
            assert_non_null(
                memchr(r.text.data + r.spans[i].start, 'A', r.spans[i].end - r.spans[i].start));
            generated++;
        }
    assert_int_equal(generated, 1);
    px_rendered_clear(&r);
}

static void defaults_by_family(void **state)
{
    (void)state;
    expect_default("qwen2", (const char *[]){"<|im_start|>", "<|im_end|>", NULL}, "chatml",
                   "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n"
                   "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n"
                   "<|im_start|>assistant\n");
    expect_default("phi3", (const char *[]){"<|im_start|>", "<|im_end|>", "<|im_sep|>", NULL},
                   "phi4",
                   "<|im_start|>system<|im_sep|>S<|im_end|><|im_start|>user<|im_sep|>U<|im_end|>"
                   "<|im_start|>assistant<|im_sep|>A<|im_end|><|im_start|>user<|im_sep|>V"
                   "<|im_end|><|im_start|>assistant<|im_sep|>");
    expect_default("llama",
                   (const char *[]){"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", NULL},
                   "llama3",
                   "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\n");
    expect_default("gemma2", (const char *[]){"<start_of_turn>", "<end_of_turn>", NULL}, "gemma",
                   "<s><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA"
                   "<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n");
    expect_default("phi3", (const char *[]){"<|user|>", "<|assistant|>", "<|end|>", NULL}, "phi3",
                   "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n"
                   "<|user|>\nV<|end|>\n<|assistant|>\n");
    expect_default("stablelm", (const char *[]){"<|user|>", "<|assistant|>", NULL}, "zephyr",
                   "<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n"
                   "<|assistant|>\n");
    expect_default("llama", (const char *[]){"[INST]", "[/INST]", "\xe2\x96\x81", NULL}, "mistral",
                   "<s>[INST] S\n\nU[/INST] A</s>[INST] V[/INST]");
    expect_default("llama", (const char *[]){"[INST]", "[/INST]", NULL}, "tekken",
                   "<s>[INST]S\n\nU[/INST]A</s>[INST]V[/INST]");
    expect_default("llama", (const char *[]){"INST", "\xe2\x96\x81", NULL}, "llama2",
                   "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A </s><s>[INST] V [/INST]");
    expect_default("llama", (const char *[]){NULL}, "plain",
                   "<s>S\n\nUser: U\nAssistant: A\nUser: V\nAssistant:");
}

static void defaults_refuse_unknown_roles(void **state)
{
    (void)state;
    const char *name, *none[] = {NULL};
    const char *source = px_template_default("gpt2", has_token, (void *)none, &name);
    assert_string_equal(name, "plain");
    assert_ptr_equal(px_template_default("gpt2", NULL, NULL, &name), source);
    expect_error(source, "{\"messages\": [{\"role\": \"tool\", \"content\": \"\"}]}",
                 PITH_E_TEMPLATE, "chat: line 1: the default template knows no role \"tool\"");
}

/* ---- threads */

typedef struct worker {
    const px_template *t;
    int failed;
} worker;

static void *render_often(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < 200; i++) {
        px_rendered r;
        pith_error err = {0};
        pith_status st = px_template_render(w->t, three, strlen(three), NOW, &r, &err);
        if (st != PITH_OK || strcmp(r.text.data, "USER:ab;ASSISTANT:\xc3\xa9;USER:;7") != 0)
            w->failed++;
        px_rendered_clear(&r);
    }
    return NULL;
}

static void threads_share_a_template(void **state)
{
    (void)state;
    static const char source[] =
        "{% for m in messages %}{{ m['role']|upper }}:{{ m.content }};{% endfor %}"
        "{{ {'\xc3\xa9\xc3\xa9': 7}['\xc3\xa9\xc3\xa9'[:2]] }}";
    px_template *t = NULL;
    pthread_t threads[4];
    worker workers[4];
    assert_int_equal(px_template_parse("chat", source, strlen(source), &t, NULL), PITH_OK);
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker){.t = t};
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
    }
    px_template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(bad_variables_are_refused),
        cmocka_unit_test(variables_are_read_as_python_reads_them),
        cmocka_unit_test(failures_need_no_error),
        cmocka_unit_test(source_is_kept_as_given),
        cmocka_unit_test(time_is_the_callers),
        cmocka_unit_test(spans_of_messages),
        cmocka_unit_test(spans_through_captures),
        cmocka_unit_test(spans_of_generation),
        cmocka_unit_test(defaults_by_family),
        cmocka_unit_test(defaults_refuse_unknown_roles),
        cmocka_unit_test(threads_share_a_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

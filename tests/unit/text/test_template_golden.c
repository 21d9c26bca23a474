/* template: the same text as the reference, byte for byte, for small templates and for the chat
 * templates of the shared folder; fixtures in tests/golden/templates, made by its make.py. */
#include "text/template.h"

#include "support/support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1741338302 }; // 2025-03-07 09:05:02, as in make.py

typedef struct tally {
    int right, wrong;
} tally;

/* The line that a message names. */
static int line_of(const char *text)
{
    const char *at = strstr(text, "line ");
    return at ? atoi(at + 5) : 0;
}

/* Whether a failure is the expected one: the text of raise_exception is there, a syntax error names
 * its line. */
static bool right_error(const json_t *expected, const pith_error *err)
{
    const char *message = json_string_value(json_object_get(expected, "message"));
    const json_t *line = json_object_get(expected, "line");
    if (err->status != PITH_E_TEMPLATE)
        return false;
    if (message && strlen(message) < 700 && !strstr(err->text, message))
        return false;
    return !line || line_of(err->text) == json_integer_value(line);
}

/* Renders and compares with the member out or err of `expected`. */
static void compare(tally *t, const char *what, const char *source, size_t len,
                    const json_t *expected, const char *vars)
{
    px_template *tpl = NULL;
    px_rendered r = {.n_spans = 0};
    pith_error err = {0};
    const json_t *out = json_object_get(expected, "out");
    pith_status st = px_template_parse("t", source, len, &tpl, &err);
    if (st == PITH_OK)
        st = px_template_render(tpl, vars, strlen(vars), NOW, &r, &err);
    bool ok = st == err.status;
    if (out)
        ok = ok && st == PITH_OK && r.text.len == json_string_length(out) &&
             memcmp(r.text.data, json_string_value(out), r.text.len) == 0;
    else
        ok = ok && st != PITH_OK && right_error(expected, &err);
    t->right += ok;
    t->wrong += !ok;
    if (!ok && t->wrong <= 40)
        print_error("%s\n  %.300s\n  expected %s\n  found    %s%.400s\n", what, source,
                    out ? json_string_value(out)
                        : json_string_value(json_object_get(expected, "err")),
                    st == PITH_OK ? "" : err.text, st == PITH_OK ? r.text.data : "");
    px_rendered_clear(&r);
    px_template_free(tpl);
}

/* Cuts off the next line of a text. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = line ? strchr(line, '\n') : NULL;
    if (!line || !*line)
        return NULL;
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    return json;
}

static void small_templates(void **state)
{
    (void)state;
    tally t = {0};
    char *text = test_read(test_source("tests/golden/templates/small.jsonl"), NULL), *rest = text;
    json_t *first = parse(next_line(&rest));
    char *common = json_dumps(json_object_get(first, "vars"), 0);
    for (char *line; (line = next_line(&rest));) {
        json_t *one = parse(line), *source = json_object_get(one, "t");
        char *own = json_dumps(json_object_get(one, "v"), 0);
        compare(&t, "small.jsonl", json_string_value(source), json_string_length(source), one,
                own ? own : common);
        free(own);
        json_decref(one);
    }
    free(common);
    json_decref(first);
    print_message("# %d small templates as expected, %d not\n", t.right, t.wrong);
    assert_int_equal(t.wrong, 0);
    assert_true(t.right > 1800);
}

/* The chat template in a file of the shared folder. */
static json_t *shared_source(const char *name)
{
    size_t n;
    char *text = test_read(test_shared(name), &n);
    if (!strstr(name, ".json"))
        return json_stringn(text, n);
    /* Some files hold integers of more than 64 bits. */
    json_t *config = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL),
           *source = json_object_get(config, "chat_template");
    assert_non_null(config);
    json_incref(source);
    json_decref(config);
    assert_true(json_is_string(source));
    return source;
}

static json_t *find_chat(json_t *all, const char *name)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *one = json_array_get(all, i);
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return json_object_get(one, "vars");
    }
    fail_msg("there is no conversation %s", name);
    return NULL;
}

static void shared_templates(void **state)
{
    (void)state;
    tally t = {0};
    json_t *sources = json_object();
    json_t *all = parse(test_read(test_source("tests/golden/templates/conversations.json"), NULL));
    char *rest = test_read(test_source("tests/golden/templates/chats.jsonl"), NULL);
    for (char *line; (line = next_line(&rest));) {
        json_t *one = parse(line);
        const char *name = json_string_value(json_object_get(one, "template"));
        const char *chat = json_string_value(json_object_get(one, "chat"));
        json_t *source = json_object_get(sources, name);
        if (!source) {
            source = shared_source(name);
            json_object_set_new(sources, name, source);
        }
        char *vars = json_dumps(find_chat(all, chat), 0);
        compare(&t, test_format("%s: %s", name, chat), json_string_value(source),
                json_string_length(source), one, vars);
        free(vars);
        json_decref(one);
    }
    json_decref(sources);
    json_decref(all);
    print_message("# %d conversations as expected, %d not\n", t.right, t.wrong);
    assert_int_equal(t.wrong, 0);
    assert_true(t.right >= 750);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_templates),
        cmocka_unit_test(shared_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

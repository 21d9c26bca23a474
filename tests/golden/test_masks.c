/*
 * Which tokens of a conversation are learned, against TRL's and transformers' marks, for all shared
 * templates. Cases and the two wanted differences: tests/golden/data/make_masks.py.
 */
#include "pith.h"
#include "unit/text/vocab_files.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOON = 1721995200 }; // 26 July 2024, 12:00

typedef struct wanted {
    const char *at; // what is left of the line: pairs of ids and runs
    const char *json;
    int n;
} wanted;

/* The next field of the line, cut out of it. */
static char *field(const char **at)
{
    size_t n = strcspn(*at, "\t");
    char *text = test_keep(n);
    memcpy(text, *at, n);
    *at += n + ((*at)[n] == '\t');
    return text;
}

static int compare(void *user, const pith_example *e)
{
    wanted *w = user;
    if (*w->at == '\0')
        fail_msg("%s: more than %d examples", w->json, w->n);
    char *ids = field(&w->at), *runs = field(&w->at), *end;
    uint8_t learn[4096] = {0};
    int64_t n = 0;
    for (char *at = runs; *at; at = *end == ',' ? end + 1 : end) {
        long from = strtol(at, &end, 10), to = strtol(end + 1, &end, 10);
        assert_true(from > 0 && from < to && to <= 4096);
        memset(learn + from, 1, (size_t)(to - from));
    }
    for (char *at = ids; *at; at = end, n++) {
        long id = strtol(at, &end, 10);
        if (n >= e->n || e->ids[n] != id)
            fail_msg("%s: example %d token %d is %d, expected %ld", w->json, w->n, (int)n,
                     n < e->n ? (int)e->ids[n] : -1, id);
        if (e->learn[n] != learn[n])
            fail_msg("%s: example %d token %d is learned %d, expected %d", w->json, w->n, (int)n,
                     e->learn[n], learn[n]);
    }
    assert_int_equal(n, e->n);
    w->n++;
    return 0;
}

static void check(const pith_model *model, const char *json, const char *rest)
{
    const char *path = test_temp("row.jsonl");
    pith_error err = {0};
    pith_dataset *set;
    pith_dataset_options o = PITH_INIT(pith_dataset_options);
    o.now = NOON;
    test_write(path, json, strlen(json));
    if (pith_dataset_open(path, &o, &set, &err) != PITH_OK)
        fail_msg("%s", err.text);
    wanted w = {.at = rest, .json = json};
    if (pith_dataset_render(set, model, NULL, compare, &w, NULL, &err) != PITH_OK)
        fail_msg("%s: %s", json, err.text);
    if (*w.at)
        fail_msg("%s: %d examples, expected more", json, w.n);
    pith_dataset_close(set);
}

static void as_trl_does(void **state)
{
    (void)state;
    char *at = test_read(test_source("tests/golden/data/masks.txt"), NULL);
    char open_name[200] = "";
    pith_model *model = NULL;
    int n = 0;
    while (*at) {
        size_t length = strcspn(at, "\n");
        const char *line = at;
        at += length + (at[length] == '\n');
        ((char *)line)[length] = '\0';
        const char *template = field(&line), *tokenizer = field(&line), *json = field(&line);
        const char *name = test_format("%s %s", template, tokenizer);
        if (strcmp(name, open_name) != 0) {
            assert_true(strlen(name) < sizeof open_name);
            strcpy(open_name, name);
            pith_model_close(model);
            pith_model_options o = PITH_INIT(pith_model_options);
            o.flags = PITH_OPEN_NO_WEIGHTS;
            if (strcmp(template, "-") != 0)
                o.template_file = test_shared(test_format("templates/%s.jinja", template));
            pith_error err = {0};
            if (pith_model_open(vocab_unpack(tokenizer), &o, &model, &err) != PITH_OK)
                fail_msg("%s", err.text);
        }
        check(model, json, line);
        n++;
    }
    pith_model_close(model);
    assert_int_equal(n, 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_trl_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

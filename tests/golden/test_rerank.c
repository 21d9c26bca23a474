/*
 * Scores of documents under tiny models against transformers' (embed/scores.txt), through the door:
 * the prompt, its tokens, the two words and their logits, with a template that prints a system
 * message and one that has none.
 *
 * Bound: a probability moves by at most a quarter of what the difference of two logits does; logits
 * are held to 1e-4 of the largest (test_models.c), which is below 60 in these models.
 */
#include "support/support.h"

#include <cmocka.h>

#include "pith.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 6, EACH = 3 };

static const double BOUND = 3e-3;

typedef struct entry {
    char model[32], template[32], query[256], document[256];
    int64_t n_tokens;
    float score;
} entry;

static entry ENTRIES[MOST];
static int N_ENTRIES;
static pith_error err;

static void ok(pith_status status)
{
    if (status != PITH_OK)
        fail_msg("%s", err.text);
}

static void read_line(char *line)
{
    char *rest = strchr(line, ' ');
    assert_non_null(rest);
    *rest++ = '\0';
    if (strcmp(line, "model") == 0)
        assert_true(N_ENTRIES++ < MOST);
    entry *e = &ENTRIES[N_ENTRIES - 1];
    const struct {
        const char *word;
        char *to;
        size_t size;
    } texts[] = {{"model", e->model, sizeof e->model},
                 {"template", e->template, sizeof e->template},
                 {"query", e->query, sizeof e->query},
                 {"document", e->document, sizeof e->document}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(line, texts[i].word) == 0)
            strncpy(texts[i].to, rest, texts[i].size - 1);
    if (strcmp(line, "tokens") == 0)
        e->n_tokens = strtol(rest, NULL, 10);
    if (strcmp(line, "score") == 0)
        e->score = strtof(rest, NULL);
}

static int set_up(void **state)
{
    (void)state;
    char *text = test_read(test_source("tests/golden/embed/scores.txt"), NULL);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        read_line(line);
    return N_ENTRIES == MOST ? 0 : -1;
}

/* A template without a role for the system: it raises, as Gemma's does. */
static const char BARE[] = "{{- bos_token -}}{%- for m in messages -%}"
                           "{%- if m.role == 'system' -%}{{- raise_exception('no system') -}}"
                           "{%- endif -%}[{{- m.content -}}]{%- endfor -%}";

static pith_model *open_model(const entry *e)
{
    pith_model_options o = PITH_INIT(pith_model_options);
    if (strcmp(e->template, "bare") == 0) {
        o.template_file = test_temp("bare.jinja");
        test_write(o.template_file, BARE, sizeof BARE - 1);
    }
    pith_model *m;
    ok(pith_model_open(test_source(test_format("tests/golden/models/%s", e->model)), &o, &m, &err));
    return m;
}

static pith_engine *make_engine(const pith_model *m, const char *level, int64_t n_ctx)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.cpu = level;
    o.n_threads = 2;
    o.n_ctx = n_ctx;
    o.k_type = o.v_type = "f32";
    pith_engine *engine;
    ok(pith_engine_new(m, &o, &engine, &err));
    return engine;
}

static pith_str str(const char *text)
{
    return (pith_str){text, strlen(text)};
}

static void scores_are_transformers(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i += EACH) {
        const entry *e = &ENTRIES[i];
        pith_model *m = open_model(e);
        bool runs;
        const char *level;
        for (int l = 0; (level = pith_cpu_level(l, &runs)); l++) {
            if (!runs || strstr(level, "bf16"))
                continue; // rounds activations: kerncheck and test_models.c have it
            pith_engine *engine = make_engine(m, level, 512);
            for (int n = 1; n <= EACH; n += EACH - 1) {
                pith_str documents[EACH] = {str(e[0].document), str(e[1].document),
                                            str(e[2].document)};
                float scores[EACH] = {-1, -1, -1};
                pith_rerank_result result = PITH_INIT(pith_rerank_result);
                ok(pith_rerank(engine, str(e->query), documents, n, NULL, scores, &result, &err));
                int64_t n_tokens = 0;
                for (int d = 0; d < n; d++) {
                    n_tokens += e[d].n_tokens;
                    double off = fabs((double)scores[d] - (double)e[d].score);
                    if (!(off <= BOUND))
                        fail_msg("%s, level %s, document %d: %.6f, transformers' is %.6f", e->model,
                                 level, d, (double)scores[d], (double)e[d].score);
                }
                assert_int_equal(result.n_tokens, n_tokens);
                assert_int_equal(result.n_truncated, 0);
                if (n == 1)
                    assert_int_equal(result.n_shared, 0);
                else
                    assert_in_range(result.n_shared, 200, 240);
            }
            pith_engine_info info = PITH_INIT(pith_engine_info);
            ok(pith_engine_get_info(engine, &info, &err));
            assert_int_equal(info.n_sessions, 0);
            pith_engine_free(engine);
        }
        pith_model_close(m);
    }
}

static void long_documents(void **state)
{
    (void)state;
    const entry *e = &ENTRIES[0];
    pith_model *m = open_model(e);
    pith_engine *engine = make_engine(m, "avx2", 260); // the third does not fit
    pith_str documents[EACH] = {str(e[0].document), str(e[1].document), str(e[2].document)};
    float scores[EACH];
    pith_rerank_options o = PITH_INIT(pith_rerank_options);
    pith_status st = pith_rerank(engine, str(e->query), documents, EACH, &o, scores, NULL, &err);
    assert_int_equal(st, PITH_E_CONTEXT);
    assert_non_null(strstr(err.text, "document 3 of 3: "));
    assert_non_null(strstr(err.text, "context of 260"));
    o.truncate = true;
    pith_rerank_result result = PITH_INIT(pith_rerank_result);
    ok(pith_rerank(engine, str(e->query), documents, EACH, &o, scores, &result, &err));
    assert_int_equal(result.n_truncated, 1);
    assert_in_range(result.n_tokens - e[0].n_tokens - e[1].n_tokens, 200, 260);
    assert_true(fabs((double)scores[0] - (double)e[0].score) < 1e-2);
    pith_engine_free(engine);
    pith_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_transformers),
        cmocka_unit_test(long_documents),
    };
    return cmocka_run_group_tests_name("rerank", tests, set_up, NULL);
}

/*
 * Pooled hidden states of the tiny models against transformers' (embed/vectors.txt), through the
 * door: each model at each level of kernels, texts longer than a step, many in one batch beside an
 * answer that is being written.
 *
 * Bounds are those of test_models.c, relative to the largest element.
 */
#include "support/support.h"

#include <cmocka.h>

#include "pith.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXTS = 12, MOST_TOKENS = 256, MOST_WIDTH = 64, N_POOLINGS = 3 };

static const double BOUND = 1e-4;
static const double BF16_BOUND = 6e-2;

typedef struct entry {
    char model[32];
    char text[512];
    int32_t tokens[MOST_TOKENS];
    int64_t n_tokens;
    float vectors[N_POOLINGS][MOST_WIDTH];
    int32_t width;
} entry;

static entry ENTRIES[MOST_TEXTS];
static int N_ENTRIES;
static const char *const WORDS[N_POOLINGS] = {"mean", "last", "cls"};
static const pith_pooling POOLINGS[N_POOLINGS] = {PITH_POOL_MEAN, PITH_POOL_LAST, PITH_POOL_CLS};
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
    if (strcmp(line, "model") == 0) {
        assert_true(N_ENTRIES < MOST_TEXTS);
        strncpy(ENTRIES[N_ENTRIES++].model, rest, sizeof ENTRIES[0].model - 1);
        return;
    }
    entry *e = &ENTRIES[N_ENTRIES - 1];
    if (strcmp(line, "text") == 0)
        strncpy(e->text, rest, sizeof e->text - 1);
    else if (strcmp(line, "tokens") == 0)
        for (char *at = rest; *at; e->n_tokens++)
            e->tokens[e->n_tokens] = (int32_t)strtol(at, &at, 10);
    for (int p = 0; p < N_POOLINGS; p++) {
        if (strcmp(line, WORDS[p]) != 0)
            continue;
        e->width = 0;
        for (char *at = rest; *at; e->width++)
            e->vectors[p][e->width] = strtof(at, &at);
    }
}

static int set_up(void **state)
{
    (void)state;
    char *text = test_read(test_source("tests/golden/embed/vectors.txt"), NULL);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        read_line(line);
    return N_ENTRIES == MOST_TEXTS ? 0 : -1;
}

static double distance(const float *x, const float *y, int32_t n)
{
    double most = 0, far = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return INFINITY;
        far = fmax(far, fabs((double)x[i] - (double)y[i]));
        most = fmax(most, fabs((double)y[i]));
    }
    return far / most;
}

static void check(const float *x, const entry *e, int p, double bound, const char *what)
{
    double d = distance(x, e->vectors[p], e->width);
    if (!(d <= bound))
        fail_msg("%s, %s of '%.20s', %s: error %.3g, bound %.3g", e->model, WORDS[p], e->text, what,
                 d, bound);
}

static pith_model *open_model(const char *name)
{
    pith_model *m;
    ok(pith_model_open(test_source(test_format("tests/golden/models/%s", name)), NULL, &m, &err));
    return m;
}

static pith_engine *make_engine(const pith_model *m, const char *level, int threads, int batch)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.cpu = level;
    o.n_threads = threads;
    o.n_batch = batch;
    o.n_ctx = 256;
    o.k_type = o.v_type = "f32";
    pith_engine *engine;
    ok(pith_engine_new(m, &o, &engine, &err));
    return engine;
}

static void each_entry(pith_engine *engine, int from, int end, double bound, const char *what)
{
    pith_session *s;
    ok(pith_session_new(engine, NULL, &s, &err));
    for (int i = from; i < end; i++)
        for (int p = 0; p < N_POOLINGS; p++) {
            const entry *e = &ENTRIES[i];
            pith_request r = PITH_INIT(pith_request);
            pith_result result = PITH_INIT(pith_result);
            r.tokens = e->tokens;
            r.n_tokens = e->n_tokens;
            r.embed = POOLINGS[p];
            ok(pith_generate(s, &r, &result, &err));
            assert_int_equal(result.n_embedding, e->width);
            assert_int_equal(result.n_prompt, e->n_tokens);
            check(result.embedding, e, p, bound, what);
        }
    pith_session_free(s);
}

static void pooled_states_are_transformers(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i += 3) {
        pith_model *m = open_model(ENTRIES[i].model);
        bool runs;
        const char *level;
        for (int l = 0; (level = pith_cpu_level(l, &runs)); l++) {
            if (!runs)
                continue;
            double bound = strstr(level, "bf16") ? BF16_BOUND : BOUND;
            for (int batch = 7; batch <= 192; batch += 185) {
                pith_engine *engine = make_engine(m, level, 2, batch);
                each_entry(engine, i, i + 3, bound, test_format("%s, batch %d", level, batch));
                pith_engine_free(engine);
            }
        }
        pith_model_close(m);
    }
}

static int count_event(void *user, const pith_event *event)
{
    (void)event;
    ++*(int *)user;
    return 0;
}

/* pith_embed_text: 60 texts in one batch, while somebody else's answer is written. */
static void texts_in_one_batch(void **state)
{
    (void)state;
    enum { N = 60, DIMS = 10 };
    pith_model *m = open_model("gemma2");
    pith_engine *engine = make_engine(m, "avx2", 2, 48);
    const entry *first = &ENTRIES[6];
    assert_string_equal(first->model, "gemma2");
    pith_str texts[N];
    for (int i = 0; i < N; i++)
        texts[i] = (pith_str){first[i % 3].text, strlen(first[i % 3].text)};

    int n_events = 0;
    pith_session *s;
    pith_answer *a;
    pith_request r = PITH_INIT(pith_request);
    r.tokens = first->tokens;
    r.n_tokens = first->n_tokens;
    r.max_tokens = 3;
    r.ignore_end = true;
    r.on_event = count_event;
    r.user = &n_events;
    ok(pith_session_new(engine, NULL, &s, &err));
    ok(pith_session_submit(s, &r, &a, &err));

    static float out[N][DIMS];
    pith_embed_options o = PITH_INIT(pith_embed_options);
    o.dims = DIMS;
    pith_embed_result result = PITH_INIT(pith_embed_result);
    ok(pith_embed_text(engine, texts, N, &o, out[0], &result, &err));
    assert_true(pith_answer_is_done(a));
    assert_int_equal(n_events, 3);
    assert_int_equal(result.dims, DIMS);
    assert_int_equal(result.used, PITH_POOL_MEAN);
    assert_int_equal(result.n_truncated, 0);
    assert_int_equal(result.n_tokens,
                     20 * (first[0].n_tokens + first[1].n_tokens + first[2].n_tokens));
    for (int i = 0; i < N; i++) {
        const float *expected = first[i % 3].vectors[0];
        double length = 0, got = 0;
        for (int j = 0; j < DIMS; j++)
            length += (double)expected[j] * (double)expected[j];
        for (int j = 0; j < DIMS; j++) {
            got += (double)out[i][j] * (double)out[i][j];
            assert_true(fabs((double)out[i][j] - (double)expected[j] / sqrt(length)) < 1e-4);
        }
        assert_true(fabs(got - 1) < 1e-5);
    }
    pith_answer_free(a);
    pith_session_free(s);
    pith_engine_free(engine);
    pith_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooled_states_are_transformers),
        cmocka_unit_test(texts_in_one_batch),
    };
    return cmocka_run_group_tests_name("embed", tests, set_up, NULL);
}

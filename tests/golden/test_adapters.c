/*
 * LoRA adapters of the tiny models against PEFT, through the door: from GGUF files
 * (adapters/expect.txt) and from the folders that PEFT saved (adapters/peft.txt: rsLoRA, DoRA,
 * patterns, fused matrices, embeddings), and against llama.cpp, which had them from files that pith
 * wrote (adapters/written.txt, made by check_written.py), on models opened as folders and as GGUF
 * files, at each level of kernels; several adapters on one session; sessions of different adapters
 * in one step.
 *
 * Bounds are those of test_models.c, relative to the largest logit of a row.
 */
#include "support/support.h"

#include <cmocka.h>

#include "pith.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_GGUF = 11,
    N_PEFT = 9,
    N_WRITTEN = 6,
    MOST_CASES = N_GGUF + N_PEFT + N_WRITTEN,
    MOST_TOKENS = 32,
    MOST_VOCAB = 128,
    KEEP = 3,
    MOST_USES = 2
};

static const double BOUND = 1e-4;
static const double BF16_BOUND = 6e-2;

typedef struct entry {
    char model[32];
    char files[MOST_USES][64];
    float scales[MOST_USES];
    int32_t n_uses;
    int32_t tokens[MOST_TOKENS], n_tokens;
    float logits[KEEP][MOST_VOCAB]; // of the last positions
    int32_t n_kept, n_vocab;
} entry;

static entry ENTRIES[MOST_CASES];
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
    if (strcmp(line, "case") == 0) {
        assert_true(N_ENTRIES < MOST_CASES);
        strncpy(ENTRIES[N_ENTRIES++].model, rest, sizeof ENTRIES[0].model - 1);
        return;
    }
    entry *e = &ENTRIES[N_ENTRIES - 1];
    if (strcmp(line, "use") == 0) {
        assert_true(e->n_uses < MOST_USES);
        char *scale = strchr(rest, ' ');
        assert_non_null(scale);
        *scale++ = '\0';
        strncpy(e->files[e->n_uses], rest, sizeof e->files[0] - 1);
        e->scales[e->n_uses++] = strtof(scale, NULL);
    } else if (strcmp(line, "tokens") == 0) {
        for (char *at = rest; *at; e->n_tokens++)
            e->tokens[e->n_tokens] = (int32_t)strtol(at, &at, 10);
    } else {
        assert_string_equal(line, "logits");
        assert_true(e->n_kept < KEEP);
        char *at;
        assert_int_equal(strtol(rest, &at, 10), e->n_tokens - KEEP + e->n_kept);
        e->n_vocab = 0;
        for (; *at; e->n_vocab++)
            e->logits[e->n_kept][e->n_vocab] = strtof(at, &at);
        e->n_kept++;
    }
}

static void read_entries(const char *name)
{
    char *text = test_read(test_source(test_format("tests/golden/adapters/%s", name)), NULL);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        read_line(line);
}

static int set_up(void **state)
{
    (void)state;
    read_entries("expect.txt");
    if (N_ENTRIES != N_GGUF)
        return -1;
    read_entries("peft.txt");
    if (N_ENTRIES != N_GGUF + N_PEFT)
        return -1;
    read_entries("written.txt");
    return N_ENTRIES == MOST_CASES ? 0 : -1;
}

static void check_row(const float *x, const float *y, int32_t n, double bound, const char *what)
{
    double most = 0, far = 0;
    for (int32_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - (double)y[i]);
        far = d <= far ? far : d; // NaN goes on
        most = fmax(most, fabs((double)y[i]));
    }
    if (!(far <= bound * most))
        fail_msg("%s: error %.3g, bound %.3g", what, far / most, bound);
}

static pith_model *open_model(const char *path)
{
    pith_model *m;
    ok(pith_model_open(path, NULL, &m, &err));
    return m;
}

static const char *folder_of(const char *model)
{
    return test_source(test_format("tests/golden/models/%s", model));
}

static pith_adapter *open_adapter(const pith_model *m, const char *file)
{
    pith_adapter *a;
    ok(pith_adapter_open(m, test_source(test_format("tests/golden/adapters/%s", file)), &a, &err));
    return a;
}

static pith_engine *make_engine(const pith_model *m, const char *level, int threads, int batch)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.cpu = level;
    o.n_threads = threads;
    o.n_batch = batch;
    o.n_ctx = 64;
    o.k_type = o.v_type = "f32";
    pith_engine *engine;
    ok(pith_engine_new(m, &o, &engine, &err));
    return engine;
}

/* A session with an entry's adapters, which are opened into `adapters`. */
static pith_session *session_of(pith_engine *engine, const pith_model *m, const entry *e,
                                pith_adapter *adapters[MOST_USES])
{
    pith_adapter_use uses[MOST_USES];
    for (int i = 0; i < e->n_uses; i++) {
        adapters[i] = open_adapter(m, e->files[i]);
        uses[i] = (pith_adapter_use){adapters[i], e->scales[i]};
    }
    pith_session_options o = PITH_INIT(pith_session_options);
    o.adapters = uses;
    o.n_adapters = e->n_uses;
    pith_session *s;
    ok(pith_session_new(engine, &o, &s, &err));
    return s;
}

static void close_all(pith_session *s, const entry *e, pith_adapter *adapters[MOST_USES])
{
    pith_session_free(s);
    for (int i = 0; i < e->n_uses; i++)
        pith_adapter_close(adapters[i]);
}

/* Steps of `step` tokens; the last one gives all kept rows. */
static void check_entry(pith_engine *engine, const pith_model *m, const entry *e, int32_t step,
                        double bound, const char *what)
{
    pith_adapter *adapters[MOST_USES];
    pith_session *s = session_of(engine, m, e, adapters);
    const float *logits;
    for (int32_t n = step; n < e->n_tokens - KEEP; n += step)
        ok(pith_session_set(s, e->tokens, n, 0, NULL, &err));
    ok(pith_session_set(s, e->tokens, e->n_tokens, KEEP, &logits, &err));
    for (int i = 0; i < KEEP; i++)
        check_row(
            logits + i * e->n_vocab, e->logits[i], e->n_vocab, bound,
            test_format("%s with %s, %s, step %d, row %d", e->model, e->files[0], what, step, i));
    close_all(s, e, adapters);
}

static void check_model(const pith_model *m, const char *name, const char *what)
{
    bool runs;
    const char *level;
    for (int l = 0; (level = pith_cpu_level(l, &runs)); l++) {
        if (!runs)
            continue;
        double bound = strstr(level, "bf16") ? BF16_BOUND : BOUND;
        pith_engine *engine = make_engine(m, level, 2, 64);
        for (int i = 0; i < N_ENTRIES; i++) {
            if (strcmp(ENTRIES[i].model, name) != 0)
                continue;
            check_entry(engine, m, &ENTRIES[i], 1, bound, test_format("%s, %s", what, level));
            check_entry(engine, m, &ENTRIES[i], 64, bound, test_format("%s, %s", what, level));
        }
        pith_engine_free(engine);
    }
}

static void logits_are_pefts(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"llama32", "qwen2", "gemma2", "phi3", "qwen3", "gemma3"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        pith_model *m = open_model(folder_of(NAMES[i]));
        check_model(m, NAMES[i], "folder");
        pith_model_close(m);
        const char *gguf = test_temp(test_format("%s.gguf", NAMES[i]));
        ok(pith_convert(folder_of(NAMES[i]), gguf, NULL, &err));
        m = open_model(gguf);
        check_model(m, NAMES[i], "GGUF");
        pith_model_close(m);
    }
}

enum { N_MIXED = 4 };

/* Four sessions of a model in the same steps: three with the entries' adapters, one without. Chunks
 * of different sizes; the last step gives the kept rows. Returns them, [N_MIXED, KEEP, vocab]. */
static float *run_mixed(const pith_model *m, const entry *e, int threads)
{
    pith_engine *engine = make_engine(m, "avx2", threads, 192);
    pith_adapter *adapters[N_MIXED][MOST_USES];
    pith_session *s[N_MIXED];
    pith_step_item items[N_MIXED];
    for (int i = 0; i < N_MIXED - 1; i++)
        s[i] = session_of(engine, m, &e[i], adapters[i]);
    ok(pith_session_new(engine, NULL, &s[N_MIXED - 1], &err));
    for (int step = 0; step < 2; step++) {
        for (int i = 0; i < N_MIXED; i++) {
            int32_t first = step == 0 ? 0 : 4 + 5 * i > 18 ? 18 : 4 + 5 * i;
            int32_t end = step == 0 ? (4 + 5 * i > 18 ? 18 : 4 + 5 * i) : e->n_tokens;
            items[i] = (pith_step_item){.session = s[i],
                                        .tokens = e->tokens + first,
                                        .n = end - first,
                                        .n_logits = step * KEEP};
        }
        ok(pith_engine_step(engine, items, N_MIXED, &err));
    }
    size_t row = (size_t)KEEP * (size_t)e->n_vocab;
    float *out = calloc(N_MIXED * row, sizeof *out);
    assert_non_null(out);
    for (int i = 0; i < N_MIXED; i++)
        memcpy(out + (size_t)i * row, items[i].logits, row * sizeof *out);
    for (int i = 0; i < N_MIXED - 1; i++)
        close_all(s[i], &e[i], adapters[i]);
    pith_session_free(s[N_MIXED - 1]);
    pith_engine_free(engine);
    return out;
}

static void different_adapters_in_one_step(void **state)
{
    (void)state;
    for (int at = 0; at < N_ENTRIES; at++) {
        const entry *e = &ENTRIES[at];
        if (at + 3 > N_ENTRIES || strcmp(e->model, e[2].model) != 0)
            continue; // models with three cases
        pith_model *m = open_model(folder_of(e->model));
        float *one = run_mixed(m, e, 1), *two = run_mixed(m, e, 2);
        int32_t row = KEEP * e->n_vocab;
        if (memcmp(one, two, sizeof *one * (size_t)(N_MIXED * row)) != 0)
            fail_msg("%s: 2 threads give other logits than 1", e->model);
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < KEEP; k++)
                check_row(one + i * row + k * e->n_vocab, e[i].logits[k], e->n_vocab, BOUND,
                          test_format("%s, session %d of the step, row %d", e->model, i, k));
        pith_engine *engine = make_engine(m, "avx2", 1, 192);
        pith_session *plain;
        const float *logits;
        ok(pith_session_new(engine, NULL, &plain, &err));
        ok(pith_session_set(plain, e->tokens, e->n_tokens, KEEP, &logits, &err));
        for (int k = 0; k < KEEP; k++)
            check_row(one + 3 * row + k * e->n_vocab, logits + k * e->n_vocab, e->n_vocab, BOUND,
                      test_format("%s, the session without adapters, row %d", e->model, k));
        pith_session_free(plain);
        pith_engine_free(engine);
        free(one);
        free(two);
        pith_model_close(m);
    }
}

/* What a session computed must not serve another with other adapters, whatever the cache keeps. */
static void cached_prefixes_are_kept_apart(void **state)
{
    (void)state;
    const entry *e = &ENTRIES[0];
    pith_model *m = open_model(folder_of(e->model));
    pith_engine_options eo = PITH_INIT(pith_engine_options);
    eo.n_ctx = 256;
    pith_engine *engine;
    ok(pith_engine_new(m, &eo, &engine, &err));
    pith_adapter *all = open_adapter(m, "llama32-all.gguf"), *qv = open_adapter(m, e[1].files[0]);
    pith_adapter *again = open_adapter(m, "llama32-all.gguf");
    int32_t tokens[200];
    for (int i = 0; i < 200; i++)
        tokens[i] = e->tokens[i % e->n_tokens];
    const struct {
        pith_adapter_use use;
        bool reused;
    } rounds[] = {{{all, 1}, false}, {{qv, 1}, false},   {{all, 0.5f}, false}, {{all, 0}, false},
                  {{all, 1}, true},  {{again, 1}, true}, {{qv, 1}, true},      {{qv, 0}, true}};
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
        pith_session_options o = PITH_INIT(pith_session_options);
        o.adapters = &rounds[i].use;
        o.n_adapters = 1;
        pith_session *s;
        ok(pith_session_new(engine, &o, &s, &err));
        pith_request r = PITH_INIT(pith_request);
        pith_result result = PITH_INIT(pith_result);
        r.tokens = tokens;
        r.n_tokens = 200;
        r.max_tokens = 1;
        ok(pith_generate(s, &r, &result, &err));
        if ((result.n_reused >= 128) != rounds[i].reused ||
            (result.n_reused > 0) != rounds[i].reused)
            fail_msg("round %d: %d of 200 tokens were reused", (int)i, (int)result.n_reused);
        pith_session_free(s);
    }
    pith_adapter_close(all);
    pith_adapter_close(again);
    pith_adapter_close(qv);
    pith_engine_free(engine);
    pith_model_close(m);
}

static void wrong_adapters_are_refused(void **state)
{
    (void)state;
    pith_model *llama = open_model(folder_of("llama32")), *other = open_model(folder_of("smollm2"));
    pith_model *qwen = open_model(folder_of("qwen2"));
    const char *file = test_source("tests/golden/adapters/llama32-all.gguf");
    pith_adapter *a = NULL;
    assert_int_equal(pith_adapter_open(qwen, file, &a, &err), PITH_E_MISMATCH);
    assert_non_null(strstr(err.text, "is an adapter of a llama model"));
    assert_null(a);
    assert_int_equal(pith_adapter_open(other, file, &a, &err), PITH_E_MISMATCH);
    assert_non_null(strstr(err.text, "the adapter is of another model"));
    assert_int_equal(pith_adapter_open(llama, test_source("tests/golden/adapters"), &a, &err),
                     PITH_E_NOT_FOUND);
    assert_int_equal(pith_adapter_open(llama, test_source("tests/golden/adapters/x"), &a, &err),
                     PITH_E_NOT_FOUND);
    const char *gguf = test_temp("plain.gguf");
    ok(pith_convert(folder_of("llama32"), gguf, NULL, &err));
    assert_int_equal(pith_adapter_open(llama, gguf, &a, &err), PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "is no adapter"));

    ok(pith_adapter_open(llama, file, &a, &err));
    pith_adapter_info info = PITH_INIT(pith_adapter_info);
    ok(pith_adapter_get_info(a, &info, &err));
    assert_int_equal(info.rank, 4);
    assert_int_equal(info.n_matrices, 14);
    assert_true(info.alpha == 8);
    assert_string_equal(info.name, "llama32 all");
    pith_engine *engine = make_engine(other, NULL, 1, 16);
    pith_adapter_use use = {a, 1};
    pith_session_options o = PITH_INIT(pith_session_options);
    o.adapters = &use;
    o.n_adapters = 1;
    pith_session *s;
    assert_int_equal(pith_session_new(engine, &o, &s, &err), PITH_E_MISMATCH);
    o.n_adapters = 17;
    assert_int_equal(pith_session_new(engine, &o, &s, &err), PITH_E_LIMIT);
    use.scale = NAN;
    o.n_adapters = 1;
    assert_int_equal(pith_session_new(engine, &o, &s, &err), PITH_E_ARGUMENT);
    pith_engine_info ei = PITH_INIT(pith_engine_info);
    ok(pith_engine_get_info(engine, &ei, &err));
    assert_int_equal(ei.n_sessions, 0);
    pith_engine_free(engine);
    pith_adapter_close(a);
    pith_model_close(llama);
    pith_model_close(other);
    pith_model_close(qwen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_pefts),
        cmocka_unit_test(different_adapters_in_one_step),
        cmocka_unit_test(cached_prefixes_are_kept_apart),
        cmocka_unit_test(wrong_adapters_are_refused),
    };
    return cmocka_run_group_tests_name("adapters", tests, set_up, NULL);
}

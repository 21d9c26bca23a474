/* runner: see runner.h. One thread. */
#include "support/support.h"

#include <cmocka.h>

#include "golden/support/runner.h"

#include <stdlib.h>
#include <string.h>

const char *const RUNNER_CUT_NAMES[RUNNER_CUTS] = {"whole", "single", "mixed"};

void runner_ok(pith_status status, const pith_error *err)
{
    if (status != PITH_OK)
        fail_msg("status %d: %s", (int)status, err->text);
}

void runner_open(runner_model *m, const char *path)
{
    pith_error err = {0};
    *m = (runner_model){0};
    px_arena_init(&m->arena, 0, 0);
    runner_ok(px_source_open(path, NULL, &m->source, &err), &err);
    runner_ok(px_hparams_load(m->source, &m->arena, &m->hp, &err), &err);
    runner_ok(px_weights_bind(m->source, &m->hp, &m->arena, &m->weights, &err), &err);
}

void runner_close(runner_model *m)
{
    px_source_close(m->source);
    px_arena_clear(&m->arena);
    *m = (runner_model){0};
}

/* A decoder with a cache for two sequences. */
typedef struct session {
    px_kv_pool *kv;
    px_kv_seq seqs[2];
    px_decoder *decoder;
} session;

static session session_open(const runner_model *m, const runner_setup *s, int32_t max_batch)
{
    pith_error err = {0};
    session out = {0};
    px_kv_layout layout;
    runner_ok(px_kv_layout_make(&m->hp, s->k_dtype, s->v_dtype, &layout, &err), &err);
    const int64_t pages = 2 * (s->n_ctx / PX_KV_PAGE_TOKENS + 1);
    runner_ok(px_kv_pool_new(&layout, pages, 0, &out.kv, &err), &err);
    for (int i = 0; i < 2; i++)
        runner_ok(px_kv_seq_init(&out.seqs[i], out.kv, s->n_ctx, &err), &err);
    const px_decoder_options options = {
        .max_batch = max_batch, .max_logits = max_batch, .n_ctx = s->n_ctx};
    runner_ok(px_decoder_new(&m->hp, &m->weights, s->kern, s->pool, &options, &out.decoder, &err),
              &err);
    return out;
}

static void session_close(session *s)
{
    px_decoder_free(s->decoder);
    for (int i = 0; i < 2; i++)
        px_kv_seq_clear(&s->seqs[i]);
    px_kv_pool_free(s->kv);
}

/* One step; copies the rows of logits that chunk c asked for to out[c]. */
static void step(session *s, const px_chunk *chunks, int n_chunks, int32_t n_vocab,
                 float *const *out)
{
    pith_error err = {0};
    const float *logits = NULL;
    int64_t before[2] = {0};
    for (int c = 0; c < n_chunks; c++) {
        before[c] = chunks[c].seq->n_tokens;
        runner_ok(px_kv_seq_reserve(chunks[c].seq, chunks[c].n, &err), &err);
    }
    runner_ok(px_decoder_step(s->decoder, chunks, n_chunks, NULL, &logits, &err), &err);
    for (int c = 0; c < n_chunks; c++) {
        const size_t n = (size_t)chunks[c].n_logits * (size_t)n_vocab;
        assert_int_equal(chunks[c].seq->n_tokens, before[c] + chunks[c].n);
        memcpy(out[c], logits, n * sizeof(float));
        logits += n;
    }
}

/* Room for n rows, filled with a value that no comparison accepts. */
static float *rows_new(int32_t n, int32_t n_vocab)
{
    const size_t count = (size_t)n * (size_t)n_vocab;
    float *rows = malloc(count * sizeof *rows);
    assert_non_null(rows);
    memset(rows, 0xff, count * sizeof *rows);
    return rows;
}

static float *run_cut(const runner_model *m, const runner_setup *setup, const int32_t *tokens,
                      int32_t n, int32_t cut)
{
    session s = session_open(m, setup, cut);
    const int32_t V = m->hp.n_vocab;
    float *rows = rows_new(n, V);
    for (int32_t at = 0; at < n; at += cut) {
        const int32_t size = n - at < cut ? n - at : cut;
        const px_chunk chunk = {
            .seq = &s.seqs[0], .tokens = tokens + at, .n = size, .n_logits = size};
        float *out = rows + (int64_t)at * V;
        step(&s, &chunk, 1, V, &out);
    }
    session_close(&s);
    return rows;
}

static float *run_mixed(const runner_model *m, const runner_setup *setup, const int32_t *tokens,
                        int32_t n, float **other)
{
    static const int32_t SIZES[2][7] = {{1, 7, 2, 33, 3, 16, 5}, {9, 1, 1, 4, 40, 1, 11}};
    const int32_t V = m->hp.n_vocab;
    session s = session_open(m, setup, 80);
    float *rows[2] = {rows_new(n, V), rows_new(n, V)};
    int32_t *backward = malloc((size_t)n * sizeof *backward);
    assert_non_null(backward);
    for (int32_t i = 0; i < n; i++)
        backward[i] = tokens[n - 1 - i];
    const int32_t *texts[2] = {tokens, backward};
    int32_t at[2] = {0, 0};
    for (int turn = 0; at[0] < n || at[1] < n; turn++) {
        px_chunk chunks[2];
        float *out[2];
        int n_chunks = 0;
        for (int k = 0; k < 2; k++) {
            const int i = (turn + k) % 2;
            const int32_t wish = SIZES[i][turn % 7];
            const int32_t size = n - at[i] < wish ? n - at[i] : wish;
            if (size == 0)
                continue;
            chunks[n_chunks] = (px_chunk){
                .seq = &s.seqs[i], .tokens = texts[i] + at[i], .n = size, .n_logits = size};
            out[n_chunks++] = rows[i] + (int64_t)at[i] * V;
            at[i] += size;
        }
        step(&s, chunks, n_chunks, V, out);
    }
    free(backward);
    session_close(&s);
    if (other)
        *other = rows[1];
    else
        free(rows[1]);
    return rows[0];
}

float *runner_logits(const runner_model *m, const runner_setup *setup, const int32_t *tokens,
                     int32_t n, runner_cut cut, float **other)
{
    if (cut == RUNNER_MIXED)
        return run_mixed(m, setup, tokens, n, other);
    return run_cut(m, setup, tokens, n, cut == RUNNER_WHOLE ? n : 1);
}

static int32_t largest(const float *row, int32_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

void runner_greedy(const runner_model *m, const runner_setup *setup, const int32_t *prompt,
                   int32_t n_prompt, int32_t *out, int32_t n)
{
    const int32_t V = m->hp.n_vocab;
    session s = session_open(m, setup, n_prompt);
    float *row = rows_new(1, V);
    px_chunk chunk = {.seq = &s.seqs[0], .tokens = prompt, .n = n_prompt, .n_logits = 1};
    for (int32_t i = 0; i < n; i++) {
        step(&s, &chunk, 1, V, &row);
        out[i] = largest(row, V);
        chunk = (px_chunk){.seq = &s.seqs[0], .tokens = &out[i], .n = 1, .n_logits = 1};
    }
    free(row);
    session_close(&s);
}

/* Whether two tables hold the same kernels. */
static bool same_kernels(const px_kern *a, const px_kern *b)
{
    px_kern other = *b;
    other.level = a->level;
    return !memcmp(a, &other, sizeof *a);
}

void runner_machine_open(runner_machine *machine)
{
    const px_cpu_level top = px_cpu_detect();
    pith_error err = {0};
    memset(machine, 0, sizeof *machine);
    for (int i = 0; i < PX_CPU_N; i++) {
        px_kern *kern = &machine->kerns[machine->n_levels];
        // Sanitizers see each level's kernels in kerncheck: here the plain and the best ones do.
        if (!px_cpu_runs((px_cpu_level)i, top) ||
            (TEST_SANITIZED && i != PX_CPU_REF && i != (int)top))
            continue;
        runner_ok(px_kern_fill(kern, (px_cpu_level)i, &err), &err);
        if (machine->n_levels == 0 || !same_kernels(kern, kern - 1))
            machine->n_levels++;
    }
    for (int i = 0; i < 2; i++)
        runner_ok(px_pool_new(i + 1, &machine->pools[i], &err), &err);
}

void runner_machine_close(runner_machine *machine)
{
    for (int i = 0; i < 2; i++)
        px_pool_free(machine->pools[i]);
    *machine = (runner_machine){0};
}

bool runner_rounds_activations(const runner_model *m, const px_kern *kern)
{
    return kern->form[px_kern_slot(m->weights.layers[0].q.dtype)] != PX_ACT_F32;
}

const char *const RUNNER_MODELS[] = {
    "llama2",      "llama3",      "llama32",      "llama-linear", "llama-yarn", "llama-bias",
    "mistral-v01", "mistral-v03", "mistral-nemo", "phi3",         "phi35",      "phi4-mini",
    "gemma1",      "gemma2",      "gemma2-plain", "gemma3",       "gemma3-vlm", "qwen2",
    "qwen25",      "qwen25-yarn", "qwen3",        "qwen3-untied", "smollm2",    "smollm3",
    "wide",        NULL,
};

const char *runner_folder(const char *model)
{
    return test_source(test_format("tests/golden/models/%s", model));
}

const char *runner_fixture(const char *model)
{
    return test_source(test_format("tests/golden/models/%s.expect", model));
}

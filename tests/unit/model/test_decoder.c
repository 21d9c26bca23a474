/*
 * decoder: known text of a real model at every level and thread count, and properties that hold for
 * every family: how tokens are cut into steps, who else is in a step, what was shared or taken back
 * does not change the logits; threads do not change a bit. That the numbers are the makers' is
 * tests/golden's affair.
 */
#include "runner.h"

#include "base/mem.h"
#include "model/family.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { V = 96, LONG = 150 }; // tokens of the vocabulary; of a sequence: past two pages

/* ---- a real model */

/* The text of a token: SentencePiece's U+2581 stands for a space. */
static void put_token(const runner *r, int32_t id, char *text)
{
    pith_error err = {0};
    px_meta_array tokens;
    assert_int_equal(px_source_get_array(r->source, "tokenizer.ggml.tokens", true, PX_META_STRING,
                                         r->hp.n_vocab, &tokens, &err),
                     PITH_OK);
    px_str piece = {0};
    const uint8_t *at = tokens.data;
    for (int32_t i = 0; i <= id; i++)
        assert_true(px_meta_next_str(&tokens, &at, &piece));
    size_t len = strlen(text);
    unsigned byte;
    if (piece.len == 6 && sscanf(piece.data, "<0x%02X>", &byte) == 1) {
        text[len] = (char)byte;
        text[len + 1] = '\0';
        return;
    }
    for (size_t i = 0; i < piece.len; i++) {
        bool space = i + 3 <= piece.len && memcmp(piece.data + i, "\xe2\x96\x81", 3) == 0;
        text[len++] = space ? ' ' : piece.data[i];
        i += space ? 2 : 0;
    }
    text[len] = '\0';
}

static int32_t greatest(const float *x, int32_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* BOS, then "Once upon a time" as SentencePiece gives it, then 64 greedy tokens. */
static void continue_story(const runner_options *options, const char *expected)
{
    pith_error err = {0};
    px_source *source;
    assert_int_equal(px_source_open(test_shared("models/stories260K.gguf"), NULL, &source, &err),
                     PITH_OK);
    static const int32_t PROMPT[] = {1, 403, 407, 261, 378};
    runner r;
    runner_open(&r, source, options);
    px_kv_seq seq = runner_seq(&r);
    float logits[512];
    char text[4096] = "";
    runner_step(&r, &seq, PROMPT, 5, 1, logits);
    for (int i = 1; i < 5; i++)
        put_token(&r, PROMPT[i], text);
    assert_string_equal(text, " Once upon a time");
    for (int i = 0; i < 64; i++) {
        int32_t token = greatest(logits, 512);
        put_token(&r, token, text);
        if (i < 63)
            runner_step(&r, &seq, &token, 1, 1, logits);
    }
    if (strncmp(text, expected, strlen(text)) != 0)
        fail_msg("level %s, %d threads: %s", px_cpu_name(options->level), options->n_threads, text);
    px_kv_seq_clear(&seq);
    runner_close(&r);
}

static void tells_the_known_story(void **state)
{
    (void)state;
    const char *expected = test_read(test_shared("models/stories260K.expected.txt"), NULL);
    px_cpu_level top = px_cpu_detect();
    for (int level = 0; level < PX_CPU_N; level++)
        for (int n_threads = 1; n_threads <= 2; n_threads++)
            if (px_cpu_runs((px_cpu_level)level, top))
                continue_story(&(runner_options){.level = (px_cpu_level)level,
                                                 .n_threads = n_threads,
                                                 .kv_dtype = PX_F16},
                               expected);
}

/* ---- models of every family */

/* Each family with a window shorter than a page, so that windows end inside pages and reach past
 * them; layers enough for each kind. */
static px_source *open_family(const char *arch, px_dtype matrices)
{
    static tiny t;
    tiny_shape shape = {.n_layers = strcmp(arch, "gemma3") == 0 ? 6 : 4,
                        .width = 64,
                        .n_heads = 4,
                        .n_kv_heads = 2,
                        .head_dim = 32,
                        .ffn = strcmp(arch, "llama") == 0 ? 90 : 96, // 90 fills no lines
                        .n_vocab = V,
                        .n_ctx = 512};
    tiny_make(&t, arch, &shape);
    tiny_matrices(&t, matrices);
    if (strncmp(arch, "gemma", 5) == 0 && arch[5])
        tiny_set(&t, "attention.sliding_window", TINY_U32(24));
    if (strcmp(arch, "phi3") == 0)
        tiny_set(&t, "attention.sliding_window", TINY_U32(100)); // more than a page
    if (strcmp(arch, "mistral3") == 0)
        tiny_set(&t, "attention.sliding_window", TINY_U32(64)); // just a page
    if (strcmp(arch, "llama") == 0) {
        tiny_set(&t, "rope.dimension_count", TINY_U32(20));
        tiny_add(&t, "rope_freqs.weight", 10, 0);
    }
    return tiny_open(&t);
}

static const int32_t *some_tokens(void)
{
    static int32_t tokens[LONG];
    test_random random = {.state = 99};
    for (int i = 0; i < LONG; i++)
        tokens[i] = (int32_t)test_random_below(&random, V);
    return tokens;
}

/* All logits of the tokens in one step. */
static float *whole(runner *r, const int32_t *tokens)
{
    float *logits = malloc((size_t)LONG * V * sizeof *logits);
    px_kv_seq seq = runner_seq(r);
    runner_step(r, &seq, tokens, LONG, LONG, logits);
    px_kv_seq_clear(&seq);
    return logits;
}

static float largest(const float *x, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

/* Within `bound` of the largest logit; NaN is not. */
static void near(const float *got, const float *expected, size_t n, float bound, const char *what)
{
    float scale = largest(expected, n);
    assert_true(scale > 0.1f);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - expected[i]) <= bound * scale))
            fail_msg("%s: logit %zu is %g, expected %g", what, i, (double)got[i],
                     (double)expected[i]);
}

static void steps_do_not_matter(const char *arch, px_dtype matrices, float bound)
{
    runner r;
    runner_open(&r, open_family(arch, matrices),
                &(runner_options){.level = px_cpu_detect(), .n_threads = 2});
    const int32_t *tokens = some_tokens();
    float *expected = whole(&r, tokens);

    px_kv_seq seq = runner_seq(&r);
    float row[V];
    for (int t = 0; t < LONG; t++) {
        runner_step(&r, &seq, tokens + t, 1, 1, row);
        near(row, expected + t * V, V, bound, test_format("%s, token %d alone", arch, t));
    }
    px_kv_seq_truncate(&seq, 0);

    /* Random cuts, and between them steps shared with two other sequences. */
    test_random random = test_random_start(5);
    px_kv_seq others[2] = {runner_seq(&r), runner_seq(&r)};
    while (seq.n_tokens < LONG) {
        pith_error err = {0};
        px_chunk chunks[3];
        int32_t left = LONG - (int32_t)seq.n_tokens;
        int32_t n = 1 + (int32_t)test_random_below(&random, left < 40 ? (uint64_t)left : 40);
        int at = (int)test_random_below(&random, 3);
        for (int i = 0, o = 0; i < 3; i++) {
            px_kv_seq *s = i == at ? &seq : &others[o++];
            int32_t m = i == at ? n : 1 + (int32_t)test_random_below(&random, 10);
            chunks[i] =
                (px_chunk){.seq = s,
                           .tokens = tokens + (i == at ? seq.n_tokens : 50),
                           .n = m,
                           .n_logits = i == at ? 1 : (int32_t)test_random_below(&random, 2)};
            assert_int_equal(px_kv_seq_reserve(s, m, &err), PITH_OK);
        }
        int row_at = 0;
        for (int i = 0; i < at; i++)
            row_at += chunks[i].n_logits;
        const float *logits;
        if (px_decoder_step(r.decoder, chunks, 3, NULL, &logits, &err) != PITH_OK)
            fail_msg("%s", err.text);
        near(logits + row_at * V, expected + (seq.n_tokens - 1) * V, V, bound,
             test_format("%s, %d tokens in company", arch, n));
    }
    px_kv_seq_clear(&seq);
    px_kv_seq_clear(&others[0]);
    px_kv_seq_clear(&others[1]);
    free(expected);
    runner_close(&r);
}

static void steps_do_not_matter_to_any_family(void **state)
{
    (void)state;
    const px_family *f;
    for (int i = 0; (f = px_family_at(i)) != NULL; i++)
        steps_do_not_matter(f->arch, PX_F32, 1e-5f);
}

/* A fork and its origin go on as if each had been computed alone; what is taken back is gone. */
static void shared_prefixes_equal_recomputed_ones(void **state)
{
    (void)state;
    const px_family *f;
    const int32_t *tokens = some_tokens();
    for (int i = 0; (f = px_family_at(i)) != NULL; i++) {
        pith_error err = {0};
        runner r;
        runner_open(&r, open_family(f->arch, PX_F32), &(runner_options){.level = px_cpu_detect()});
        float *expected = whole(&r, tokens);
        px_kv_seq first = runner_seq(&r);
        px_kv_seq second = runner_seq(&r);
        runner_step(&r, &first, tokens, 90, 0, NULL);
        assert_int_equal(px_kv_seq_fork(&second, &first, 77, &err), PITH_OK);
        runner_step(&r, &first, (const int32_t[]){1, 2, 3}, 3, 0, NULL); // another way
        float logits[V];
        runner_step(&r, &second, tokens + 77, LONG - 77, 1, logits);
        near(logits, expected + (LONG - 1) * V, V, 1e-5f, f->arch);
        px_kv_seq_truncate(&first, 90);
        runner_step(&r, &first, tokens + 90, 30, 1, logits);
        near(logits, expected + 119 * V, V, 1e-5f, f->arch);
        px_kv_seq_clear(&first);
        px_kv_seq_clear(&second);
        free(expected);
        runner_close(&r);
    }
}

/* The same bits with 1, 2, 3 and 5 threads, at the machine's highest level, f32 and quantized. */
static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    static const px_dtype TYPES[] = {PX_F32, PX_F16, PX_Q8_0, PX_Q4_0};
    static const int THREADS[] = {2, 3, 5};
    const int32_t *tokens = some_tokens();
    for (size_t t = 0; t < sizeof TYPES / sizeof TYPES[0]; t++) {
        const char *arch = t % 2 ? "gemma3" : "phi3";
        runner r;
        runner_options o = {.level = px_cpu_detect(), .kv_dtype = PX_Q8_0};
        runner_open(&r, open_family(arch, TYPES[t]), &o);
        float *expected = whole(&r, tokens);
        runner_close(&r);
        for (int i = 0; i < 3; i++) {
            o.n_threads = THREADS[i];
            runner_open(&r, open_family(arch, TYPES[t]), &o);
            float *got = whole(&r, tokens);
            assert_memory_equal(got, expected, (size_t)LONG * V * sizeof *got);
            free(got);
            runner_close(&r);
        }
        free(expected);
    }
}

/* Behind many keys the attention of few tokens comes in parts: the same logits as in company, where
 * it comes whole, and the same bits with 1, 2, 3 and 5 threads. */
static void long_contexts_in_parts(const char *arch, px_dtype kv_dtype)
{
    enum { DEPTH = 1100, STEP = 220 };
    static int32_t tokens[DEPTH + 40];
    float whole_row[V], rows[4][9 * V];
    /* Level avx512bf16 rounds f16 and q8_0 keys of many tokens to bf16: see golden-kv. */
    bool rounds = kv_dtype != PX_F32 && px_cpu_detect() == PX_CPU_BF16;
    test_random random = {.state = 3};
    for (int i = 0; i < DEPTH + 40; i++)
        tokens[i] = (int32_t)test_random_below(&random, V);
    static const int THREADS[] = {1, 2, 3, 5};
    for (int i = 0; i < 4; i++) {
        runner r;
        runner_open(&r, open_family(arch, PX_F32),
                    &(runner_options){.level = px_cpu_detect(),
                                      .n_threads = THREADS[i],
                                      .kv_dtype = kv_dtype,
                                      .n_ctx = DEPTH + 40});
        px_kv_seq seq = runner_seq(&r);
        for (int t = 0; t < DEPTH; t += STEP)
            runner_step(&r, &seq, tokens + t, STEP, 0, NULL);
        const float *logits;
        pith_error err = {0};
        px_kv_seq_truncate(&seq, DEPTH);
        assert_int_equal(px_kv_seq_reserve(&seq, 40, &err), PITH_OK);
        px_chunk chunk = {.seq = &seq, .tokens = tokens + DEPTH, .n = 40, .n_logits = 40};
        assert_int_equal(px_decoder_step(r.decoder, &chunk, 1, NULL, &logits, &err), PITH_OK);
        memcpy(whole_row, logits + 8 * V, sizeof whole_row);
        px_kv_seq_truncate(&seq, DEPTH);
        runner_step(&r, &seq, tokens + DEPTH, 1, 1, rows[i]);
        runner_step(&r, &seq, tokens + DEPTH + 1, 8, 8, rows[i] + V);
        near(rows[i] + 8 * V, whole_row, V, rounds ? 5e-2f : 1e-5f, arch);
        assert_memory_equal(rows[i], rows[0], sizeof rows[i]);
        px_kv_seq_clear(&seq);
        runner_close(&r);
    }
}

static void long_contexts(void **state)
{
    (void)state;
    long_contexts_in_parts("llama", PX_F32);
    long_contexts_in_parts("gemma2", PX_F16); // windows far shorter than a part
    long_contexts_in_parts("qwen3", PX_Q8_0);
}

/* Every level computes what plain C computes. */
static void levels_agree(void **state)
{
    (void)state;
    const int32_t *tokens = some_tokens();
    px_cpu_level top = px_cpu_detect();
    static const char *const ARCHS[] = {"llama", "gemma2"};
    for (int a = 0; a < 2; a++) {
        runner r;
        runner_open(&r, open_family(ARCHS[a], PX_F32), &(runner_options){0});
        float *expected = whole(&r, tokens);
        runner_close(&r);
        for (int level = 1; level < PX_CPU_N; level++) {
            if (!px_cpu_runs((px_cpu_level)level, top))
                continue;
            runner_options o = {.level = (px_cpu_level)level};
            runner_open(&r, open_family(ARCHS[a], PX_F32), &o);
            float *got = whole(&r, tokens);
            near(got, expected, (size_t)LONG * V, 1e-5f, px_cpu_name(o.level));
            free(got);
            runner_close(&r);
        }
        free(expected);
    }
}

/* Every matrix of a layer in another type, so that one input is packed in several forms: the logits
 * are those of the same values in f32, but for the rounding of activations to 8 bits. */
static void mixed_types(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        px_dtype dtype;
    } TYPES[] = {{"attn_q", PX_Q8_0},   {"attn_k", PX_F32},    {"attn_v", PX_Q6_K},
                 {"attn_out", PX_Q4_K}, {"ffn_gate", PX_BF16}, {"ffn_up", PX_Q5_K},
                 {"ffn_down", PX_Q5_1}, {"token", PX_Q3_K},    {"output.", PX_IQ4_XS}};
    static tiny t;
    tiny_shape shape = TINY_SHAPE;
    shape.width = shape.ffn = 256;
    shape.n_heads = 8;
    shape.head_dim = 32;
    const int32_t *tokens = some_tokens();
    float *logits[2];
    for (int pass = 0; pass < 2; pass++) {
        tiny_make(&t, "llama", &shape);
        for (int i = 0; i < t.n_tensors; i++)
            for (size_t k = 0; k < sizeof TYPES / sizeof TYPES[0]; k++)
                if (t.tensors[i].n_dims == 2 && strstr(t.tensors[i].name, TYPES[k].name)) {
                    t.tensors[i].via = TYPES[k].dtype;
                    t.tensors[i].dtype = pass ? TYPES[k].dtype : PX_F32;
                }
        runner r;
        runner_open(&r, tiny_open(&t), &(runner_options){.n_threads = 2});
        logits[pass] = whole(&r, tokens);
        if (pass) { // alone, too
            float row[V];
            px_kv_seq seq = runner_seq(&r);
            runner_step(&r, &seq, tokens, 40, 0, NULL);
            runner_step(&r, &seq, tokens + 40, 1, 1, row);
            near(row, logits[1] + 40 * V, V, 1e-2f, "a token alone");
            px_kv_seq_clear(&seq);
        }
        runner_close(&r);
    }
    near(logits[1], logits[0], (size_t)LONG * V, 3e-2f, "mixed types");
    assert_memory_not_equal(logits[1], logits[0], (size_t)LONG * V * sizeof(float));
    free(logits[0]);
    free(logits[1]);
}

/* f16 and q8_0 pages: close to f32 ones, and not the same. */
static void page_types(void **state)
{
    (void)state;
    const int32_t *tokens = some_tokens();
    runner r;
    runner_open(&r, open_family("qwen3", PX_F32), &(runner_options){0});
    float *expected = whole(&r, tokens);
    runner_close(&r);
    static const struct {
        px_dtype dtype;
        float bound;
    } TYPES[] = {{PX_F16, 1e-2f}, {PX_Q8_0, 2e-1f}};
    for (int i = 0; i < 2; i++) {
        runner_open(&r, open_family("qwen3", PX_F32),
                    &(runner_options){.kv_dtype = TYPES[i].dtype});
        float *got = whole(&r, tokens);
        near(got, expected, (size_t)LONG * V, TYPES[i].bound, px_dtype_name(TYPES[i].dtype));
        assert_memory_not_equal(got, expected, (size_t)LONG * V * sizeof *got);
        free(got);
        runner_close(&r);
    }
    free(expected);
}

/* The longer context turns all positions by the other factors. */
static void longrope_follows_the_context(void **state)
{
    (void)state;
    static tiny t;
    tiny_shape shape = TINY_SHAPE;
    tiny_make(&t, "phi3", &shape);
    tiny_add(&t, "rope_factors_long.weight", 8, 0)->mean = 3;
    tiny_add(&t, "rope_factors_short.weight", 8, 0);
    tiny_set(&t, "rope.scaling.original_context_length", TINY_U32(200));
    const int32_t *tokens = some_tokens();
    float *logits[3];
    static const int64_t CONTEXTS[3] = {180, 200, 201};
    for (int i = 0; i < 3; i++) {
        runner r;
        runner_open(&r, tiny_open(&t), &(runner_options){.n_ctx = CONTEXTS[i]});
        logits[i] = whole(&r, tokens);
        runner_close(&r);
    }
    assert_memory_equal(logits[0], logits[1], (size_t)LONG * V * sizeof(float));
    assert_memory_not_equal(logits[1], logits[2], (size_t)LONG * V * sizeof(float));
    for (int i = 0; i < 3; i++)
        free(logits[i]);
}

/* ---- what a step gives and refuses */

/* Logits are the head's rows times the hidden state, soft capped. */
static void hidden_states_make_the_logits(void **state)
{
    (void)state;
    runner r;
    runner_open(&r, open_family("gemma2", PX_F32), &(runner_options){0});
    px_kv_seq seq = runner_seq(&r);
    float logits[3 * V];
    runner_step(&r, &seq, some_tokens(), 10, 3, logits);
    const float *hidden = px_decoder_hidden(r.decoder);
    for (int i = 0; i < 3; i++)
        for (int v = 0; v < V; v++) {
            double sum = 0;
            for (int c = 0; c < 64; c++) {
                float w;
                memcpy(&w, r.w.head.data + (v * 64 + c) * 4, 4);
                sum += (double)w * (double)hidden[i * 64 + c];
            }
            double capped = 30 * tanh(sum / 30);
            assert_true(fabs((double)logits[i * V + v] - capped) <= 1e-5 * 30);
        }
    px_kv_seq_clear(&seq);
    runner_close(&r);
}

static void refused(runner *r, const px_chunk *chunks, int n, pith_status status, const char *word)
{
    pith_error err = {0};
    const float *logits;
    int64_t before = chunks[0].seq->n_tokens;
    pith_status got = px_decoder_step(r->decoder, chunks, n, NULL, &logits, &err);
    if (got != status || !strstr(err.text, word))
        fail_msg("status %d (%s), expected %d with '%s'", got, err.text, status, word);
    assert_int_equal(chunks[0].seq->n_tokens, before);
}

static void refuses_wrong_steps(void **state)
{
    (void)state;
    pith_error err = {0};
    runner r, other;
    runner_open(&r, open_family("llama", PX_F32), &(runner_options){.max_batch = 20, .n_ctx = 64});
    runner_open(&other, open_family("gemma3", PX_F32), &(runner_options){0});
    px_kv_seq a = runner_seq(&r), b = runner_seq(&r), c = runner_seq(&other);
    const int32_t *tokens = some_tokens();
    px_chunk chunk = {.seq = &a, .tokens = tokens, .n = 5, .n_logits = 1};
    refused(&r, &chunk, 1, PITH_E_ARGUMENT, "no room reserved for 5 tokens behind 0");
    assert_int_equal(px_kv_seq_reserve(&a, 60, &err), PITH_OK);
    assert_int_equal(px_kv_seq_reserve(&b, 20, &err), PITH_OK);
    assert_int_equal(px_kv_seq_reserve(&c, 20, &err), PITH_OK);
    static const int32_t HIGH[] = {1, 2, V};
    static const int32_t LOW[] = {1, -1, 2};
    refused(&r, &(px_chunk){.seq = &a, .tokens = HIGH, .n = 3}, 1, PITH_E_ARGUMENT,
            "token 2 of chunk 0 is 96, expected 0 to 95");
    refused(&r, &(px_chunk){.seq = &a, .tokens = LOW, .n = 3}, 1, PITH_E_ARGUMENT,
            "token 1 of chunk 0 is -1, expected 0 to 95");
    refused(&r, &(px_chunk){.seq = &a, .tokens = tokens, .n = 0}, 1, PITH_E_ARGUMENT, "0 tokens");
    refused(&r, &(px_chunk){.seq = &a, .tokens = tokens, .n = 2, .n_logits = 3}, 1, PITH_E_ARGUMENT,
            "no more rows than tokens");
    refused(&r, &(px_chunk){.seq = &a, .tokens = tokens, .n = 21}, 1, PITH_E_ARGUMENT,
            "a step of 21 tokens, expected at most 20");
    px_chunk two[] = {chunk, chunk};
    refused(&r, two, 2, PITH_E_ARGUMENT, "chunks 0 and 1 are of one sequence");
    two[1].seq = &c;
    refused(&r, two, 2, PITH_E_ARGUMENT, "another model's KV cache");
    two[0].n = 11;
    two[1] = (px_chunk){.seq = &b, .tokens = tokens, .n = 10};
    refused(&r, two, 2, PITH_E_ARGUMENT, "a step of 21 tokens");
    for (int i = 0; i < 3; i++)
        runner_step(&r, &a, tokens, 20, 0, NULL);
    refused(&r, &chunk, 1, PITH_E_CONTEXT, "behind 60 do not fit the context of 64");

    /* Nothing of it left a trace. */
    float first[V], second[V];
    runner_step(&r, &b, tokens, 10, 1, first);
    px_kv_seq_truncate(&a, 0);
    runner_step(&r, &a, tokens, 10, 1, second);
    assert_memory_equal(first, second, sizeof first);
    px_kv_seq_clear(&a);
    px_kv_seq_clear(&b);
    px_kv_seq_clear(&c);
    runner_close(&r);
    runner_close(&other);
}

static void refuses_wrong_options(void **state)
{
    (void)state;
    runner r;
    runner_open(&r, open_family("llama", PX_F32), &(runner_options){0});
    static const struct {
        px_decoder_options options;
        const char *word;
    } WRONG[] = {
        {{.max_batch = 0, .max_logits = 1, .n_ctx = 10}, "a batch of 0 tokens"},
        {{.max_batch = 1 << 30, .max_logits = 1, .n_ctx = 10}, "a batch of 1073741824 tokens"},
        {{.max_batch = 8, .max_logits = 9, .n_ctx = 10}, "9 rows of logits"},
        {{.max_batch = 8, .max_logits = 0, .n_ctx = 10}, "0 rows of logits"},
        {{.max_batch = 8, .max_logits = 1, .n_ctx = 0}, "a context of 0 tokens"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        pith_error err = {0};
        px_decoder *d;
        assert_int_equal(px_decoder_new(&r.hp, &r.w, &r.kern, r.pool, &WRONG[i].options, &d, &err),
                         PITH_E_ARGUMENT);
        assert_null(d);
        assert_non_null(strstr(err.text, WRONG[i].word));
    }
    runner_close(&r);
}

static void can_be_cancelled(void **state)
{
    (void)state;
    pith_error err = {0};
    runner r;
    runner_open(&r, open_family("llama", PX_F32), &(runner_options){.n_threads = 2});
    px_kv_seq seq = runner_seq(&r);
    const int32_t *tokens = some_tokens();
    float before[V], after[V];
    runner_step(&r, &seq, tokens, 20, 1, before);
    px_kv_seq_truncate(&seq, 10);
    px_chunk chunk = {.seq = &seq, .tokens = tokens + 10, .n = 10, .n_logits = 1};
    const float *logits;
    volatile int cancel = 1;
    assert_int_equal(px_kv_seq_reserve(&seq, 10, &err), PITH_OK);
    assert_int_equal(px_decoder_step(r.decoder, &chunk, 1, &cancel, &logits, &err),
                     PITH_E_CANCELLED);
    assert_int_equal(seq.n_tokens, 10);
    cancel = 0;
    err = (pith_error){0};
    assert_int_equal(px_decoder_step(r.decoder, &chunk, 1, &cancel, &logits, &err), PITH_OK);
    memcpy(after, logits, sizeof after);
    near(after, before, V, 1e-5f, "after a cancelled step");
    px_kv_seq_clear(&seq);
    runner_close(&r);
}

/* A NaN or an overflow in the weights is told, with the token at which it shows. */
static void tells_numbers_that_are_none(void **state)
{
    (void)state;
    static tiny t;
    static const float MEANS[] = {NAN, 3e38f};
    for (int i = 0; i < 2; i++) {
        pith_error err = {0};
        tiny_make(&t, "llama", NULL);
        tiny_find(&t, "blk.1.ffn_norm.weight")->mean = MEANS[i];
        runner r;
        runner_open(&r, tiny_open(&t), &(runner_options){.n_threads = 2});
        px_kv_seq seq = runner_seq(&r);
        static const int32_t TOKENS[] = {5, 6, 7};
        px_chunk chunk = {.seq = &seq, .tokens = TOKENS, .n = 3, .n_logits = 2};
        const float *logits;
        assert_int_equal(px_kv_seq_reserve(&seq, 3, &err), PITH_OK);
        assert_int_equal(px_decoder_step(r.decoder, &chunk, 1, NULL, &logits, &err),
                         PITH_E_NUMERIC);
        assert_non_null(strstr(err.text, "token 6 at position 1"));
        assert_int_equal(seq.n_tokens, 0);
        px_kv_seq_clear(&seq);
        runner_close(&r);
    }
}

static void counts_its_memory(void **state)
{
    (void)state;
    runner r;
    runner_open(&r, open_family("gemma3", PX_Q8_0), &(runner_options){0});
    px_decoder_options o = {.max_batch = 1, .max_logits = 1, .n_ctx = 100};
    size_t one = px_decoder_bytes(&r.hp, &r.w, &r.kern, 1, &o);
    assert_true(one >= (3 * 64 + 2 * 128 + 2 * 64 + 64 + V) * 4 + r.kern.scratch_bytes);
    assert_true(one <= r.kern.scratch_bytes + (16 << 10));
    size_t two_more = px_decoder_bytes(&r.hp, &r.w, &r.kern, 3, &o) - one;
    assert_true(two_more >= 2 * r.kern.scratch_bytes);
    assert_true(two_more <= 2 * (r.kern.scratch_bytes + (8 << 10)));
    o.max_batch = 1000;
    size_t many = px_decoder_bytes(&r.hp, &r.w, &r.kern, 1, &o);
    assert_true(many - one >= 999 * (3 * 64 + 2 * 128 + 2 * 64) * 4);
    assert_true(many - one <= 999 * (8 << 10));
    runner_close(&r);
}

#ifdef PITH_FAULT
/* A step takes nothing from the heap, with any number of threads; and the guard would see it. */
static void takes_no_heap(void **state)
{
    (void)state;
    runner r;
    runner_open(&r, open_family("gemma3", PX_Q8_0),
                &(runner_options){.n_threads = 3, .kv_dtype = PX_Q8_0});
    px_kv_seq seq = runner_seq(&r);
    uint64_t before = px_heap_violations();
    float logits[V];
    for (int i = 0; i < 5; i++)
        runner_step(&r, &seq, some_tokens(), 1 + 20 * i, 1, logits);
    assert_int_equal(px_heap_violations(), before);
    px_kv_seq_clear(&seq);
    runner_close(&r);
    px_heap_forbid();
    px_free(px_malloc(1, 1));
    px_heap_allow();
    assert_int_equal(px_heap_violations(), before + 1);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_known_story),
        cmocka_unit_test(steps_do_not_matter_to_any_family),
        cmocka_unit_test(shared_prefixes_equal_recomputed_ones),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(long_contexts),
        cmocka_unit_test(levels_agree),
        cmocka_unit_test(mixed_types),
        cmocka_unit_test(page_types),
        cmocka_unit_test(longrope_follows_the_context),
        cmocka_unit_test(hidden_states_make_the_logits),
        cmocka_unit_test(refuses_wrong_steps),
        cmocka_unit_test(refuses_wrong_options),
        cmocka_unit_test(can_be_cancelled),
        cmocka_unit_test(tells_numbers_that_are_none),
        cmocka_unit_test(counts_its_memory),
#ifdef PITH_FAULT
        cmocka_unit_test(takes_no_heap),
#endif
    };
    return cmocka_run_group_tests_name("decoder", tests, NULL, NULL);
}

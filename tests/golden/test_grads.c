/*
 * test_grads: the gradients of whole tiny models of every family, all weights and pairs on all
 * layers, against those of PyTorch and PEFT in f32 (tests/golden/train/grads.py, which says how
 * its table is written); and that checkpointing, threads and packing change nothing.
 */
#include "support/support.h"

#include <cmocka.h>

#include "golden/support/runner.h"
#include "train/tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 12, RANK = 4, N_SEGS = 3, N_TOKENS = 60 + 13 + 37 };
static const int32_t LENGTHS[N_SEGS] = {60, 13, 37};
#define ALPHA 6.0f
#define BOUND 1e-4

typedef struct line {
    char name[64];
    char role;
    double norm, at[SAMPLES];
} line;

typedef struct block {
    char model[32], kind[16];
    double loss;
    int n;
    line lines[256];
} block;

/* The three segments of grads.py. */
typedef struct text {
    int32_t ids[N_TOKENS], targets[N_TOKENS];
    px_segment segs[N_SEGS];
    px_packed batch;
    int n_learned;
} text;

static void make_text(text *t, int32_t vocab)
{
    *t = (text){0};
    int32_t at = 0;
    for (int32_t s = 0; s < N_SEGS; s++) {
        t->segs[s] = (px_segment){at, LENGTHS[s]};
        for (int32_t i = 0; i < LENGTHS[s]; i++) {
            t->ids[at + i] = (7 * i * i + 3 * i + 11 * s + 5) % vocab;
            t->targets[at + i] = -1;
            if (i > 0 && (i * 7 + s) % 3 != 0) {
                t->targets[at + i - 1] = t->ids[at + i];
                t->n_learned++;
            }
        }
        at += LENGTHS[s];
    }
    t->batch = (px_packed){N_TOKENS, t->ids, t->targets, t->segs, N_SEGS};
}

/* As `fill` of grads.py. */
static void fill(float *to, int64_t n, int64_t index, double size)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t h = ((uint64_t)i * 2654435761u + (uint64_t)index * 40503u + 12345u) & 0xffffffffu;
        h = ((h ^ h >> 15) * 2246822519u) & 0xffffffffu;
        to[i] = (float)(((double)(h >> 16) / 65536.0 - 0.5) * size);
    }
}

static const px_param *find_part(const px_net *net, const char *name, char role)
{
    for (int32_t i = 0; i < net->params.n_parts; i++)
        if (net->params.parts[i].role == role && strcmp(net->params.parts[i].name, name) == 0)
            return &net->params.parts[i];
    fail_msg("no part '%s' %c", name, role);
    return NULL;
}

typedef struct setup {
    runner_model model;
    px_pool *pool;
    px_net *net;
    text text;
} setup;

static void set_up(setup *s, const block *b, int threads)
{
    pith_error err = {0};
    runner_open(&s->model, runner_folder(b->model));
    runner_ok(px_pool_new(threads, &s->pool, &err), &err);
    px_net_options o = {.full = strcmp(b->kind, "full") == 0,
                        .rank = RANK,
                        .alpha = ALPHA,
                        .rslora = strcmp(b->kind, "rslora") == 0,
                        .dora = strcmp(b->kind, "dora") == 0,
                        .n_ctx = 64,
                        .level = px_cpu_detect() >= PX_CPU_BF16 ? PX_CPU_VNNI : px_cpu_detect()};
    o.product_level = o.level;
    runner_ok(px_net_new(&s->model.hp, &s->model.weights, s->pool, &o, &s->net, &err), &err);
    for (int i = 0; i < b->n && !o.full; i++) {
        const px_param *part = find_part(s->net, b->lines[i].name, b->lines[i].role);
        if (part->role != 'm')
            fill(s->net->params.value + part->at, part->n, i, part->role == 'a' ? 0.3 : 0.5);
    }
    px_net_refresh(s->net);
    make_text(&s->text, s->model.hp.n_vocab);
}

static void tear_down(setup *s)
{
    px_net_free(s->net);
    px_pool_free(s->pool);
    runner_close(&s->model);
}

/* One pass and back; returns the loss. */
static double run(setup *s, px_tape_options options)
{
    pith_error err = {0};
    px_tape *t = NULL;
    options.max_tokens = N_TOKENS;
    options.head_rows = 40;
    runner_ok(px_tape_new(s->net, &options, &t, &err), &err);
    double losses[N_TOKENS], sum = 0;
    runner_ok(px_tape_forward(t, &s->text.batch, &(px_tape_pass){0}, &err), &err);
    assert_int_equal(px_tape_learned(t), s->text.n_learned);
    px_tape_head(t, NULL, 1.0f / (float)s->text.n_learned, losses);
    runner_ok(px_tape_back(t, &err), &err);
    for (int i = 0; i < s->text.n_learned; i++)
        sum += losses[i];
    px_tape_free(t);
    return sum / s->text.n_learned;
}

static void compare(const setup *s, const block *b)
{
    assert_int_equal(s->net->params.n_parts, b->n);
    for (int i = 0; i < b->n; i++) {
        const line *l = &b->lines[i];
        const px_param *part = find_part(s->net, l->name, l->role);
        const float *g = s->net->params.grad + part->at;
        double sum = 0, off = 0;
        for (int64_t j = 0; j < part->n; j++)
            sum += (double)g[j] * (double)g[j];
        for (int j = 0; j < SAMPLES; j++) {
            double d = fabs((double)g[j * part->n / SAMPLES] - l->at[j]);
            off = d <= off ? off : d; // NaN stays
        }
        /* A sample is held to the mean length of a value; rounding of long sums goes with that. */
        double mean = l->norm / sqrt((double)part->n);
        if (!(fabs(sqrt(sum) - l->norm) <= BOUND * l->norm) || !(off <= 10 * BOUND * mean))
            fail_msg("%s %s, %s %c: length %.9g, expected %.9g; a sample is off by %.3g of %.3g",
                     b->model, b->kind, l->name, l->role, sqrt(sum), l->norm, off, mean);
    }
}

static bool read_block(FILE *f, block *b)
{
    char row[1024];
    long at = ftell(f);
    b->n = -1;
    while (fgets(row, sizeof row, f)) {
        if (strncmp(row, "model ", 6) == 0) {
            if (b->n >= 0)
                break;
            assert_int_equal(sscanf(row, "model %31s %15s %lf", b->model, b->kind, &b->loss), 3);
            b->n = 0;
        } else {
            assert_in_range(b->n, 0, 255);
            line *l = &b->lines[b->n++];
            int used = 0;
            assert_int_equal(sscanf(row, "%63s %c %lf%n", l->name, &l->role, &l->norm, &used), 3);
            char *p = row + used;
            for (int j = 0; j < SAMPLES; j++)
                l->at[j] = strtod(p, &p);
        }
        at = ftell(f);
    }
    fseek(f, at, SEEK_SET);
    return b->n > 0;
}

static FILE *open_table(void)
{
    FILE *f = fopen(test_source("tests/golden/train/grads.txt"), "r");
    assert_non_null(f);
    return f;
}

static void test_gradients(void **state)
{
    (void)state;
    FILE *f = open_table();
    block *b = malloc(sizeof *b);
    int n = 0;
    for (; read_block(f, b); n++) {
        setup s;
        set_up(&s, b, 2);
        double loss = run(&s, (px_tape_options){.keep = 1});
        if (!(fabs(loss - b->loss) <= 1e-5 * b->loss))
            fail_msg("%s %s: loss %.9g, expected %.9g", b->model, b->kind, loss, b->loss);
        compare(&s, b);
        tear_down(&s);
    }
    assert_true(n >= 50);
    free(b);
    fclose(f);
}

static float *copy_grad(const px_net *net)
{
    float *g = malloc((size_t)net->params.n * sizeof *g);
    memcpy(g, net->params.grad, (size_t)net->params.n * sizeof *g);
    return g;
}

/* Keeping all layers, computing them again, one thread and two: the same bits. */
static void test_same_bits(void **state)
{
    (void)state;
    FILE *f = open_table();
    block *b = malloc(sizeof *b);
    while (read_block(f, b)) {
        if (strcmp(b->model, "gemma2") != 0 && strcmp(b->model, "llama32") != 0)
            continue;
        setup s;
        set_up(&s, b, 1);
        double loss = run(&s, (px_tape_options){.keep = 1});
        float *g = copy_grad(s.net);
        size_t bytes = (size_t)s.net->params.n * sizeof *g;
        memset(s.net->params.grad, 0, bytes);
        assert_true(run(&s, (px_tape_options){.keep = 1000}) == loss);
        assert_memory_equal(g, s.net->params.grad, bytes);
        memset(s.net->params.grad, 0, bytes);
        assert_true(run(&s, (px_tape_options){.keep = 2}) == loss);
        assert_memory_equal(g, s.net->params.grad, bytes);
        tear_down(&s);
        set_up(&s, b, 2);
        assert_true(run(&s, (px_tape_options){.keep = 1}) == loss);
        assert_memory_equal(g, s.net->params.grad, bytes);
        tear_down(&s);
        free(g);
    }
    free(b);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests_name("golden-grads", tests, NULL, NULL);
}

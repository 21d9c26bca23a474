/*
 * advise: see advise.h. Counts are those of pith_engine_get_cost, made from a shape instead of a
 * file; a test holds both against each other.
 */
#include "cli/advise.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* `keeps` ranks sizes of one model, no more: from the losses of perplexity that llama.cpp publishes
 * for LLaMA 3 8B (Q8_0 0.003, Q6_K 0.02, Q5_K_M 0.06, Q4_K_M 0.18, Q3_K_M 0.66). */
static const advise_type TYPES[] = {
    {"bf16", 16, 16, 16, 16, 1.0},
    {"q8_0", 8.5, 8.5, 8.5, 8.5, 0.999},
    {"q6_k", 6.5625, 6.5625, 6.5625, 6.5625, 0.995},
    {"q5_k_m", 5.5, 6.5625, 6.5625, 5.5, 0.99},
    {"q4_k_m", 4.5, 6.5625, 6.5625, 4.5, 0.96},
    {"q3_k_m", 3.4375, 4.5, 6.5625, 3.4375, 0.75},
};

const advise_type *advise_type_at(int i)
{
    return i >= 0 && i < (int)(sizeof TYPES / sizeof TYPES[0]) ? &TYPES[i] : NULL;
}

const advise_type *advise_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (strcasecmp(TYPES[i].name, name) == 0)
            return &TYPES[i];
    return NULL;
}

/* Decoding and prompts of LLaMA 1B and Qwen2.5 0.5B shapes in seven types, two threads of Zen 4. */
const advise_factors ADVISE_FACTORS = {.read = 0.85,
                                       .thread_gbps = 19.5,
                                       .layer_us = 100,
                                       .int8 = 0.64,
                                       .bf16 = 0.83,
                                       .f32 = 0.8,
                                       .attention = 0.8};

/* ---- sizes */

/* Weights of one layer's matrices, and of those among them that half the layers keep larger. */
static double layer_weights(const advise_shape *s, double *large)
{
    double w = (double)s->width;
    double q = (double)(s->heads * s->head), kv = (double)(s->kv_heads * s->head);
    *large = w * kv + w * (double)s->ffn; // value, down
    return 2 * w * q + 2 * w * kv + 3 * w * (double)s->ffn;
}

advise_bytes advise_weights(const advise_shape *s, const advise_type *t)
{
    double large, all = layer_weights(s, &large), head = (double)s->vocab * (double)s->width;
    /* Of Q3_K_M the value, down and attention-output matrices are all of the larger type. */
    double share = t->base < 4 ? 1.0 : 0.5;
    if (t->base < 4)
        large += (double)s->width * (double)(s->heads * s->head);
    double bits = all * t->base + share * large * (t->half - t->base);
    return (advise_bytes){.layers = (uint64_t)(bits / 8 * (double)s->layers),
                          .output = (uint64_t)(head * t->output / 8),
                          .embed = s->tied ? 0 : (uint64_t)(head * t->embed / 8)};
}

uint64_t advise_kv(const advise_shape *s, int64_t n)
{
    int64_t seen = s->window > 0 && n > s->window ? s->window : n;
    int64_t full = s->layers - s->window_layers;
    return (uint64_t)(full * n + s->window_layers * seen) * (uint64_t)(s->kv_heads * s->head) * 4;
}

uint64_t advise_work(const advise_shape *s)
{
    enum { BATCH = 192, LOGITS = 32 };
    double row = 6 * (double)s->width + 3 * (double)s->ffn + 3 * (double)(s->heads * s->head);
    return (uint64_t)(4 * (BATCH * row + LOGITS * (double)s->vocab)) + (16u << 20);
}

/* ---- what is computed */

static void add_ops(advise_work_of *w, const advise_type *t, double ops)
{
    if (t->base >= 16)
        w->bf16 += ops;
    else
        w->int8 += ops;
}

/* Keys that n tokens after `depth` see, over all layers. */
static double keys_seen(const advise_shape *s, double depth, double n)
{
    double all = n * depth + n * (n + 1) / 2;
    double window = (double)s->window, near = all;
    if (window > 0 && depth + n > window) {
        double growing = fmin(fmax(window - depth, 0), n);
        near = growing * depth + growing * (growing + 1) / 2 + (n - growing) * window;
    }
    return (double)(s->layers - s->window_layers) * all + (double)s->window_layers * near;
}

static void add_common(advise_work_of *w, const advise_shape *s, const advise_type *t, double depth,
                       double n)
{
    double large;
    double head = (double)s->vocab * (double)s->width;
    add_ops(w, t, 2 * layer_weights(s, &large) * (double)s->layers * n + 2 * head);
    w->attention = 4 * keys_seen(s, depth, n) * (double)(s->heads * s->head);
    w->layers = (double)s->layers;
}

advise_work_of advise_prompt(const advise_shape *s, const advise_type *t, int64_t n)
{
    enum { BATCH = 192 };
    const advise_bytes b = advise_weights(s, t);
    advise_work_of w = {0};
    double steps = ceil((double)n / BATCH);
    add_common(&w, s, t, 0, (double)n);
    w.bytes = steps * (double)b.layers + (double)b.output;
    return w;
}

advise_work_of advise_token(const advise_shape *s, const advise_type *t, int64_t depth)
{
    const advise_bytes b = advise_weights(s, t);
    advise_work_of w = {0};
    add_common(&w, s, t, (double)depth, 1);
    w.bytes = (double)b.layers + (double)b.output + (double)advise_kv(s, depth);
    return w;
}

advise_work_of advise_of_cost(const pith_cost *c, int32_t n_layers)
{
    return (advise_work_of){.bytes = (double)(c->weight_bytes + c->embed_bytes + c->kv_read_bytes),
                            .int8 = (double)c->int8_ops,
                            .bf16 = (double)c->bf16_ops,
                            .f32 = (double)c->f32_ops,
                            .attention = (double)c->attention_ops,
                            .layers = n_layers};
}

/* ---- times */

static double at(double work, double rate)
{
    return rate > 0 ? work / (rate * 1e9) : 0;
}

static double reading(const advise_work_of *w, const pith_limits *l)
{
    const advise_factors *f = &ADVISE_FACTORS;
    double rate = f->read * l->read_gbps;
    double most = f->thread_gbps * (double)(l->n_threads > 0 ? l->n_threads : 1);
    return at(w->bytes, fmin(rate, most));
}

static double computing(const advise_work_of *w, const pith_limits *l)
{
    const advise_factors *f = &ADVISE_FACTORS;
    return at(w->int8, f->int8 * l->int8_gops) + at(w->bf16, f->bf16 * l->bf16_gflops) +
           at(w->f32, f->f32 * l->f32_gflops);
}

double advise_prompt_seconds(const advise_work_of *w, const pith_limits *l)
{
    double attention = at(w->attention, ADVISE_FACTORS.attention * l->bf16_gflops);
    return fmax(reading(w, l), computing(w, l)) + attention;
}

double advise_token_seconds(const advise_work_of *w, const pith_limits *l)
{
    return fmax(reading(w, l), computing(w, l)) + w->layers * ADVISE_FACTORS.layer_us * 1e-6;
}

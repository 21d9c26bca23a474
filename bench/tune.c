/*
 * tune: how fast a model is trained, and in how much memory: LoRA of rank 16 on all matrices, one
 * row of random tokens an update, all of them learned, insides computed again on the way back.
 *
 *   bench/tune MODEL [--seq N] [--rank N] [--updates N] [--threads N] [--keep N] [--full] [--exact]
 *
 * Prints the median of the updates' times as tokens a second, and the most memory that the process
 * held, the mapped file included.
 */
#include "pith.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 256 };

typedef struct bench {
    double at[MOST];
    int n;
    uint64_t memory;
    double loss;
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int on_event(void *user, const pith_train_event *e)
{
    bench *b = user;
    if (b->n < MOST && (e->kind == PITH_TRAIN_BEGIN || e->kind == PITH_TRAIN_UPDATE))
        b->at[b->n++] = now();
    b->memory = e->memory_bytes;
    b->loss = e->loss;
    return 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static pith_examples *make_examples(int32_t n_vocab, int n, int seq, pith_error *err)
{
    pith_examples *e = NULL;
    int32_t *ids = malloc((size_t)seq * sizeof *ids);
    uint8_t *learn = malloc((size_t)seq);
    uint32_t x = 1;
    if (ids && learn && pith_examples_new(PITH_GOAL_NEXT, &e, err) == PITH_OK)
        for (int i = 0; i < n; i++) {
            for (int t = 0; t < seq; t++) {
                x = x * 1664525u + 1013904223u;
                ids[t] = (int32_t)(x >> 8) % n_vocab;
                learn[t] = 1;
            }
            if (pith_examples_add(e, ids, learn, seq, i + 1, false, err) != PITH_OK)
                break;
        }
    free(ids);
    free(learn);
    return e;
}

static int report(bench *b, const char *model, int seq)
{
    if (b->n < 3)
        return 1;
    double times[MOST];
    for (int i = 1; i < b->n; i++)
        times[i - 1] = b->at[i] - b->at[i - 1];
    int n = b->n - 2; // the first update brings the file's pages
    qsort(times + 1, (size_t)n, sizeof *times, ascending);
    printf("%s: %d tokens in %.3f s (%.3f to %.3f, %d updates), %.1f tokens/s, at most %.0f MB, "
           "loss %.3f\n",
           model, seq, times[1 + n / 2], times[1], times[n], n, seq / times[1 + n / 2],
           (double)b->memory / 1e6, b->loss);
    return 0;
}

static int run(const char *path, pith_train_options *o, int seq, int updates)
{
    pith_error err = {0};
    pith_model *model = NULL;
    pith_train *train = NULL;
    pith_examples *examples = NULL;
    pith_model_info info = PITH_INIT(pith_model_info);
    bench b = {0};
    o->on_event = on_event;
    o->user = &b;
    o->batch = 1;
    o->seq = seq;
    o->max_updates = updates;
    int code = 1;
    if (pith_model_open(path, NULL, &model, &err) == PITH_OK &&
        pith_model_get_info(model, &info, &err) == PITH_OK &&
        (examples = make_examples(info.n_vocab, 4, seq, &err)) != NULL &&
        pith_train_new(model, examples, NULL, o, &train, &err) == PITH_OK &&
        pith_train_run(train, &err) == PITH_OK)
        code = report(&b, path, seq);
    if (err.status != PITH_OK)
        fprintf(stderr, "tune: %s\n", err.text);
    pith_train_free(train);
    pith_examples_free(examples);
    pith_model_close(model);
    return code;
}

int main(int argc, char **argv)
{
    pith_train_options o = PITH_INIT(pith_train_options);
    int seq = 512, updates = 4;
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--full") == 0)
            o.method = "full";
        else if (strcmp(argv[i], "--exact") == 0)
            o.exact = true;
        else if (strcmp(argv[i], "--seq") == 0 && ++i)
            seq = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--rank") == 0 && ++i)
            o.rank = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--updates") == 0 && ++i)
            updates = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--threads") == 0 && ++i)
            o.n_threads = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--keep") == 0 && ++i)
            o.keep_layers = (int)strtol(value, NULL, 10);
        else
            argc = 1;
    }
    if (argc < 2 || seq < 2 || updates < 2) {
        fprintf(stderr, "tune: expected MODEL [--seq N] [--rank N] [--updates N] [--threads N] "
                        "[--keep N] [--full] [--exact]\n");
        return 2;
    }
    return run(argv[1], &o, seq, updates);
}

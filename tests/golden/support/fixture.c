/* fixture: see fixture.h. One thread. */
#include "support/support.h"

#include <cmocka.h>

#include "golden/support/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const unsigned char *at;
    size_t left;
} reader;

/* The next n elements of `size` bytes, in memory of their own. The test runs on little-endian
 * machines only. */
static void *take(reader *r, size_t n, size_t size)
{
    assert_true(size > 0 && n <= r->left / size);
    void *out = malloc(n * size + 1);
    assert_non_null(out);
    memcpy(out, r->at, n * size);
    r->at += n * size;
    r->left -= n * size;
    return out;
}

static uint32_t take_u32(reader *r)
{
    uint32_t v;
    assert_true(r->left >= sizeof v);
    memcpy(&v, r->at, sizeof v);
    r->at += sizeof v;
    r->left -= sizeof v;
    return v;
}

static int32_t take_count(reader *r)
{
    uint32_t v = take_u32(r);
    assert_true(v <= 1 << 20);
    return (int32_t)v;
}

static void take_run(reader *r, fixture_run *run)
{
    assert_true(r->left >= 16);
    memcpy(run->name, r->at, 16);
    r->at += 16;
    r->left -= 16;
    run->n_ctx = take_count(r);
    run->n_tokens = take_count(r);
    run->n_prompt = take_count(r);
    run->n_keep = take_count(r);
    run->n_vocab = take_count(r);
    run->kv = take_u32(r);
    uint32_t gap = take_u32(r);
    memcpy(&run->gap, &gap, sizeof gap);
    assert_true(run->n_tokens > 0 && run->n_keep > 0 && run->n_vocab > 0);
    assert_true(run->n_prompt < run->n_tokens && run->n_tokens <= run->n_ctx);
    run->tokens = take(r, (size_t)run->n_tokens, sizeof *run->tokens);
    run->keep = take(r, (size_t)run->n_keep, sizeof *run->keep);
    run->logits = take(r, (size_t)run->n_keep * (size_t)run->n_vocab, sizeof *run->logits);
    for (int32_t i = 0; i < run->n_tokens; i++)
        assert_in_range(run->tokens[i], 0, run->n_vocab - 1);
    for (int32_t i = 0; i < run->n_keep; i++)
        assert_true(run->keep[i] > (i ? run->keep[i - 1] : -1) && run->keep[i] < run->n_tokens);
}

fixture fixture_load(const char *path)
{
    size_t n;
    char *file = test_read(path, &n);
    reader r = {(const unsigned char *)file, n};
    assert_true(n >= 16 && !memcmp(file, "pithgold", 8));
    r.at += 8;
    r.left -= 8;
    assert_int_equal(take_u32(&r), 1);
    fixture f = {.n_runs = take_count(&r)};
    assert_in_range(f.n_runs, 1, 64);
    f.runs = calloc((size_t)f.n_runs, sizeof *f.runs);
    assert_non_null(f.runs);
    for (int i = 0; i < f.n_runs; i++)
        take_run(&r, &f.runs[i]);
    assert_int_equal(r.left, 0);
    return f;
}

void fixture_clear(fixture *f)
{
    for (int i = 0; i < f->n_runs; i++) {
        free(f->runs[i].tokens);
        free(f->runs[i].keep);
        free(f->runs[i].logits);
    }
    free(f->runs);
    *f = (fixture){0};
}

const fixture_run *fixture_find(const fixture *f, const char *name)
{
    for (int i = 0; i < f->n_runs; i++)
        if (!strcmp(f->runs[i].name, name))
            return &f->runs[i];
    return NULL;
}

double fixture_distance(const float *logits, const float *reference, int64_t n, int32_t n_vocab)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++, logits += n_vocab, reference += n_vocab) {
        double largest = 0, distance = 0;
        for (int32_t v = 0; v < n_vocab; v++) {
            const double d = fabs((double)logits[v] - reference[v]);
            if (!isfinite(logits[v]) || !isfinite(reference[v]))
                return INFINITY;
            largest = fmax(largest, fabs((double)reference[v]));
            distance = fmax(distance, d);
        }
        if (!(largest > 0))
            return INFINITY;
        worst = fmax(worst, distance / largest);
    }
    return worst;
}

double fixture_error(const fixture_run *run, const float *logits)
{
    double worst = 0;
    for (int32_t i = 0; i < run->n_keep; i++) {
        const float *row = logits + (int64_t)run->keep[i] * run->n_vocab;
        const float *reference = run->logits + (int64_t)i * run->n_vocab;
        worst = fmax(worst, fixture_distance(row, reference, 1, run->n_vocab));
    }
    return worst;
}

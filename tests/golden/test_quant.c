/*
 * Quantized weights in the decoder: the matrices of the 256-wide model, encoded to each dtype that
 * pith computes with, against an f32 forward of the values that those blocks decode to. So the
 * error of the format itself is out of the picture, and what is left is how products round their
 * activations.
 *
 * Bounds, relative to the largest logit of a row:
 * - f16 weights, and whatever else multiplies f32 activations: 1e-4, as for f32.
 * - int8 activations (PX_ACT_Q8, PX_ACT_Q8K): a block's step is its largest value / 127, about 1/45
 *   of the spread of 32 normal values and 1/40 of 256, so each activation has an error of rms
 *   step / sqrt(12) = 0.7% of the spread. Five products follow one another (q.k in softmax, v, o,
 *   gate * up, down, head), each adding 0.7% of its output's spread: sqrt(6) * 0.7% = 1.7%, at its
 *   largest over 2300 logits four times that, and the largest logit of a row is about 2.5 spreads:
 *   2.8%. Attention, which is a softmax of scores that spread by 2 to 3, doubles what enters it:
 *   6e-2.
 * - bf16 activations, and f16 weights rounded to bf16: as in test_models.c, but for this model
 * 3e-2; measured 9.5e-3.
 * - between levels, on the same blocks: with float activations the bound against f32 again. Integer
 *   sums are the same to the bit (kerncheck), but floats differ by 1e-6, which may carry an
 *   activation over the border between two codes. One such code of 256 moves products by a step
 *   (2.4% of a spread) / 16 = 0.15%; that carries 0.15 / 2.4 = 6% of the codes behind it over their
 *   borders, which moves products by sqrt(6%) of a rounding's 0.7%, and so on: two levels end as
 * far apart as two roundings, sqrt(2) of the bound against f32 at worst, and half of it is asked
 * for: measured 1.9e-2.
 */
#include "support/support.h"

#include <cmocka.h>

#include "golden/support/fixture.h"
#include "golden/support/runner.h"
#include "kern/traits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double F32_BOUND = 1e-4, INT8_BOUND = 6e-2, BF16_BOUND = 3e-2, LEVEL_BOUND = 3e-2;

static const px_dtype DTYPES[] = {
#define COMPUTES(id, value, name, block, bytes, computes) id,
    PX_DTYPES(COMPUTES)
#undef COMPUTES
};

static runner_machine M; // made once for the whole program
static runner_model WIDE;
static fixture F;

static int set_up(void **state)
{
    (void)state;
    runner_machine_open(&M);
    runner_open(&WIDE, runner_folder("wide"));
    F = fixture_load(runner_fixture("wide"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_clear(&F);
    runner_close(&WIDE);
    runner_machine_close(&M);
    return 0;
}

/* ---- the model with other matrices */

enum { MAX_MATRICES = 16 };

typedef struct variant {
    runner_model m; // shares source and hparams with WIDE
    px_layer *layers;
    void *data[MAX_MATRICES];
    int n;
} variant;

/* The same matrix in `dtype`, or (decoded) the f32 values that it then has. */
static px_matrix recode(variant *v, px_matrix from, px_dtype dtype, bool decoded)
{
    px_matrix to = from;
    size_t row_bytes;
    const size_t cols = (size_t)from.cols;
    float *row = malloc(cols * sizeof *row);
    assert_true(px_dtype_row_bytes(dtype, from.cols, &row_bytes) && row && v->n < MAX_MATRICES);
    to.dtype = decoded ? PX_F32 : dtype;
    to.row_bytes = decoded ? cols * sizeof *row : row_bytes;
    uint8_t *blocks = malloc(row_bytes);
    uint8_t *data = v->data[v->n++] = malloc((size_t)to.rows * to.row_bytes);
    assert_true(blocks && data);
    for (int64_t r = 0; r < from.rows; r++) {
        uint8_t *out = data + (size_t)r * to.row_bytes;
        px_traits_get(from.dtype)->decode(from.data + (size_t)r * from.row_bytes, row, from.cols);
        px_traits_get(dtype)->encode(row, decoded ? blocks : out, from.cols, NULL);
        if (decoded)
            px_traits_get(dtype)->decode(blocks, (float *)(void *)out, from.cols);
    }
    to.data = data;
    free(blocks);
    free(row);
    return to;
}

static variant variant_new(px_dtype dtype, bool decoded)
{
    variant v = {.m = WIDE};
    px_weights *w = &v.m.weights;
    assert_int_equal(v.m.hp.n_layers, 1);
    v.layers = malloc(sizeof *v.layers);
    assert_non_null(v.layers);
    *v.layers = WIDE.weights.layers[0];
    w->layers = v.layers;
    px_matrix *matrices[] = {&w->embed,     &w->head,        &v.layers->q,
                             &v.layers->k,  &v.layers->v,    &v.layers->o,
                             &v.layers->up, &v.layers->gate, &v.layers->down};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        *matrices[i] = recode(&v, *matrices[i], dtype, decoded);
    return v;
}

static void variant_free(variant *v)
{
    for (int i = 0; i < v->n; i++)
        free(v->data[i]);
    free(v->layers);
}

/* ---- tests */

enum { N_TOKENS = 24, CUTS = 2 }; // whole and single: columns many and one

static float *logits_of(const variant *v, int level, runner_cut cut)
{
    const fixture_run *run = &F.runs[0];
    const runner_setup setup = {&M.kerns[level], M.pools[1], PX_F32, PX_F32, run->n_ctx};
    return runner_logits(&v->m, &setup, run->tokens, N_TOKENS, cut, NULL);
}

static double bound_of(px_act_form form)
{
    return form == PX_ACT_F32 ? F32_BOUND : form == PX_ACT_BF16 ? BF16_BOUND : INT8_BOUND;
}

static void check(double error, double bound, const char *what, px_dtype dtype, int level,
                  runner_cut cut)
{
    if (!(error <= bound))
        fail_msg("%s, level %s, cut %s, against %s: %.3g, bound %.3g", px_dtype_name(dtype),
                 px_cpu_name(M.kerns[level].level), RUNNER_CUT_NAMES[cut], what, error, bound);
}

static void test_dtype(void **state)
{
    const px_dtype dtype = *(const px_dtype *)*state;
    const fixture_run *run = &F.runs[0];
    variant exact = variant_new(dtype, true), packed = variant_new(dtype, false);
    float *reference = logits_of(&exact, 0, RUNNER_WHOLE);
    float *lowest[CUTS] = {NULL};
    for (int level = 0; level < M.n_levels; level++) {
        const px_act_form form = M.kerns[level].form[px_kern_slot(dtype)];
        double worst[2] = {0};
        for (int cut = 0; cut < CUTS; cut++) {
            float *logits = logits_of(&packed, level, (runner_cut)cut);
            double e = fixture_distance(logits, reference, N_TOKENS, run->n_vocab);
            check(e, bound_of(form), "f32", dtype, level, (runner_cut)cut);
            worst[0] = e > worst[0] ? e : worst[0];
            if (level == 0) {
                lowest[cut] = logits;
                continue;
            }
            if (form == M.kerns[0].form[px_kern_slot(dtype)]) {
                e = fixture_distance(logits, lowest[cut], N_TOKENS, run->n_vocab);
                check(e, form == PX_ACT_F32 ? F32_BOUND : LEVEL_BOUND, "the lowest level", dtype,
                      level, (runner_cut)cut);
                worst[1] = e > worst[1] ? e : worst[1];
            }
            free(logits);
        }
        printf("# %-8s %-10s against f32 %.1e, against the lowest level %.1e\n",
               px_dtype_name(dtype), px_cpu_name(M.kerns[level].level), worst[0], worst[1]);
    }
    for (int cut = 0; cut < CUTS; cut++)
        free(lowest[cut]);
    free(reference);
    variant_free(&exact);
    variant_free(&packed);
}

int main(void)
{
    static struct CMUnitTest tests[64];
    size_t n = 0;
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++)
        if (px_dtype_get(DTYPES[i])->computes && DTYPES[i] != PX_F32) {
            void *state = (void *)(uintptr_t)&DTYPES[i];
            const char *name = px_dtype_name(DTYPES[i]);
            tests[n++] = (struct CMUnitTest){name, test_dtype, NULL, NULL, state};
        }
    return _cmocka_run_group_tests("quant", tests, n, set_up, tear_down);
}

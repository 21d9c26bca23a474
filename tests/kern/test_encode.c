/*
 * encode: quality of every encoder against ggml's own on the same data (tests/golden/kern/encode.*,
 * made by make_encode.py), and input that no weight should be: zeros, constants, denormals, huge
 * numbers, NaN and infinity. With the sanitizers on, the last also proves that no conversion is
 * undefined.
 */
#include "base/dtype.h"
#include "kern/half.h"
#include "kern/ops.h"
#include "kern/traits.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS = 32, N = 256, SET = ROWS * N };

static const px_dtype FORMATS[] = {
#define ID(id, value, name, block, bytes, computes) id,
    PX_DTYPES(ID)
#undef ID
};
enum { N_FORMATS = sizeof FORMATS / sizeof FORMATS[0] };

/* Encodes and decodes n values; out has n. */
static void round_trip(px_dtype dtype, const float *in, float *out, int64_t n,
                       const float *importance)
{
    const px_traits *t = px_traits_get(dtype);
    size_t n_bytes;
    assert_true(px_dtype_row_bytes(dtype, n, &n_bytes));
    uint8_t *blocks = malloc(n_bytes + 9);
    assert_non_null(blocks);
    memset(blocks, 0xa5, n_bytes + 9);
    t->encode(in, blocks + 1, n, importance); // 1: rows need no alignment
    assert_int_equal(blocks[0], 0xa5);
    for (int i = 1; i < 9; i++)
        assert_int_equal(blocks[n_bytes + (size_t)i], 0xa5);
    t->decode(blocks + 1, out, n);
    free(blocks);
}

static double rms(const float *x, const float *y, const float *importance)
{
    double sum = 0;
    for (int i = 0; i < SET; i++) {
        const double e = (double)x[i] - (double)y[i];
        sum += e * e * (importance ? (double)importance[i % N] : 1.0);
    }
    return sqrt(sum / SET);
}

static void not_worse_than_ggml(void **state)
{
    (void)state;
    size_t n_file;
    const char *file = test_read(test_source("tests/golden/kern/encode.bin"), &n_file);
    assert_int_equal(n_file, (2 * SET + N) * 4);
    float *x = malloc(n_file), *y = malloc(SET * sizeof *y), *w = malloc(SET * sizeof *w);
    assert_true(x && y && w);
    memcpy(x, file, n_file);
    for (int i = 0; i < SET; i++)
        w[i] = x[2 * SET + i % N];

    int n = 0;
    char *text = test_read(test_source("tests/golden/kern/encode.txt"), NULL);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
        char set[16], format[16];
        double plain, weighted;
        assert_int_equal(sscanf(line, "%15s %15s %lf %lf", set, format, &plain, &weighted), 4);
        const float *data = strcmp(set, "normal") == 0 ? x : x + SET;
        const px_dtype dtype = px_dtype_find(format)->id;
        round_trip(dtype, data, y, SET, NULL);
        const double ours = rms(data, y, NULL);
        round_trip(dtype, data, y, SET, w);
        const double ours_weighted = rms(data, y, w);
        print_message("# %-6s %-6s error %.4f of ggml's, weighted %.4f\n", set, format,
                      ours / plain, ours_weighted / weighted);
        if (!(ours <= plain) || !(ours_weighted <= weighted))
            fail_msg("%s %s: %.7g and %.7g, ggml has %.7g and %.7g", set, format, ours,
                     ours_weighted, plain, weighted);
    }
    assert_int_equal(n, 26);
    free(x);
    free(y);
    free(w);
}

/* Root mean square error over root mean square of normal values, at most. */
static double bound_of(px_dtype dtype)
{
    switch (dtype) {
    case PX_F32:
        return 0;
    case PX_F16:
        return 0.0003;
    case PX_BF16:
        return 0.0024;
    case PX_Q8_0:
        return 0.0053;
    case PX_Q6_K:
        return 0.0175;
    case PX_Q5_0:
        return 0.042;
    case PX_Q5_1:
    case PX_Q5_K:
        return 0.036;
    case PX_Q4_0:
        return 0.084;
    case PX_Q4_1:
    case PX_Q4_K:
        return 0.073;
    case PX_IQ4_NL:
    case PX_IQ4_XS:
        return 0.076;
    case PX_NF4:
        return 0.096;
    case PX_MXFP4:
        return 0.114;
    case PX_Q3_K:
        return 0.149;
    default:
        return 0.27; // q2_k
    }
}

static void normal_values_stay_near(void **state)
{
    (void)state;
    size_t n_file;
    const char *file = test_read(test_source("tests/golden/kern/encode.bin"), &n_file);
    float *x = malloc(n_file), *y = malloc(SET * sizeof *y), *zero = calloc(SET, sizeof *zero);
    assert_true(x && y && zero);
    memcpy(x, file, n_file);
    const double size = rms(x, zero, NULL);
    for (int f = 0; f < N_FORMATS; f++) {
        if (!px_traits_get(FORMATS[f]))
            continue;
        round_trip(FORMATS[f], x, y, SET, NULL);
        const double error = rms(x, y, NULL) / size;
        print_message("# %-6s %.5f\n", px_dtype_name(FORMATS[f]), error);
        if (!(error <= bound_of(FORMATS[f])))
            fail_msg("%s: %.5f, at most %.5f", px_dtype_name(FORMATS[f]), error,
                     bound_of(FORMATS[f]));
    }
    free(x);
    free(y);
    free(zero);
}

static void zeros_stay_zero(void **state)
{
    (void)state;
    float in[2 * N] = {0}, out[2 * N];
    for (int f = 0; f < N_FORMATS; f++) {
        if (!px_traits_get(FORMATS[f]))
            continue;
        round_trip(FORMATS[f], in, out, 2 * N, NULL);
        for (int i = 0; i < 2 * N; i++)
            assert_true(out[i] == 0.0f);
    }
}

/* A constant is on every grid but for the rounding of scales: f16 scales keep 11 bits; super-blocks
 * and MXFP4 (no scale but powers of two, 4 bits of value) keep less. Q6_K of the smallest one has a
 * scale so far below the normal range of f16 (3e-6, steps of 6e-8) that only the integer scales are
 * left to meet it: half a step of 128. */
static void constants_stay_near(void **state)
{
    (void)state;
    static const float VALUES[] = {1.0f, -1.0f, 0.37f, -0.0123f, 117.0f};
    float in[N], out[N];
    for (int f = 0; f < N_FORMATS; f++) {
        if (!px_traits_get(FORMATS[f]))
            continue;
        for (int v = 0; v < 5; v++) {
            const float share = FORMATS[f] == PX_MXFP4            ? 0.126f
                                : FORMATS[f] == PX_BF16           ? 0.004f
                                : FORMATS[f] == PX_Q6_K && v == 3 ? 0.5f / 128
                                                                  : 0.002f;
            for (int i = 0; i < N; i++)
                in[i] = VALUES[v];
            round_trip(FORMATS[f], in, out, N, NULL);
            for (int i = 0; i < N; i++)
                if (!(fabsf(out[i] - in[i]) <= share * fabsf(in[i])))
                    fail_msg("%s: %.9g became %.9g", px_dtype_name(FORMATS[f]), (double)in[i],
                             (double)out[i]);
        }
    }
}

static bool is_block_format(px_dtype dtype)
{
    return dtype != PX_F32 && dtype != PX_F16 && dtype != PX_BF16;
}

/* Values that no weight has, in every place of a block, alone and in company, give finite blocks.
 */
static void odd_values_give_finite_blocks(void **state)
{
    (void)state;
    const float odd[] = {NAN,    -NAN,   INFINITY, -INFINITY, 3.4e38f, -3.4e38f,
                         1e-45f, 1e-40f, -1e-38f,  65504.0f,  1e6f,    -0.0f};
    float in[N], out[N];
    for (int f = 0; f < N_FORMATS; f++) {
        if (!px_traits_get(FORMATS[f]) || !is_block_format(FORMATS[f]))
            continue;
        for (size_t v = 0; v < sizeof odd / sizeof odd[0]; v++) {
            for (int mode = 0; mode < 4; mode++) {
                for (int i = 0; i < N; i++) {
                    const float other = mode == 0   ? 0.0f
                                        : mode == 1 ? odd[v]
                                                    : 0.01f * (float)(i % 17 - 8);
                    const bool here = mode == 3 ? i % 3 == 0 : i == (int)(v * 37) % N;
                    in[i] = here ? odd[v] : other;
                }
                round_trip(FORMATS[f], in, out, N, mode == 2 ? in : NULL);
                for (int i = 0; i < N; i++)
                    if (!isfinite(out[i]))
                        fail_msg("%s of %g (mode %d): value %d is %g", px_dtype_name(FORMATS[f]),
                                 (double)odd[v], mode, i, (double)out[i]);
            }
        }
    }
}

/* Encoding what a block decodes to gives nearly those values again. */
static void decoded_values_survive(void **state)
{
    (void)state;
    size_t n_file;
    const char *file = test_read(test_source("tests/golden/kern/encode.bin"), &n_file);
    float x[4 * N], y[4 * N], z[4 * N];
    memcpy(x, file, sizeof x);
    for (int f = 0; f < N_FORMATS; f++) {
        if (!px_traits_get(FORMATS[f]))
            continue;
        round_trip(FORMATS[f], x, y, 4 * N, NULL);
        round_trip(FORMATS[f], y, z, 4 * N, NULL);
        double first = 0, second = 0;
        for (int i = 0; i < 4 * N; i++) {
            first += (double)(x[i] - y[i]) * (double)(x[i] - y[i]);
            second += (double)(y[i] - z[i]) * (double)(y[i] - z[i]);
        }
        if (!(second <= 0.35 * first))
            fail_msg("%s: %g the first time, %g the second", px_dtype_name(FORMATS[f]), first,
                     second);
    }
}

/* Every level's searches give the same bytes, however many blocks stand in a row. */
static void levels_agree(void **state)
{
    (void)state;
    static const int BLOCKS[] = {1, 2, 3, 5, 16, 31};
    static const px_cpu_level LEVELS[] = {PX_CPU_AVX2, PX_CPU_AVX512};
    size_t n_file;
    const char *file = test_read(test_source("tests/golden/kern/encode.bin"), &n_file);
    float *x = malloc(n_file);
    uint8_t *a = malloc(SET * 4), *b = malloc(SET * 4);
    assert_true(x && a && b);
    memcpy(x, file, n_file);
    int n_levels = 0;
    for (size_t l = 0; l < sizeof LEVELS / sizeof LEVELS[0]; l++) {
        px_kern kern;
        pith_error err;
        if (!px_kern_has_level(LEVELS[l]) || !px_cpu_runs(LEVELS[l], px_cpu_detect()))
            continue;
        assert_int_equal(px_kern_fill(&kern, LEVELS[l], &err), PITH_OK);
        n_levels++;
        for (int f = 0; f < N_FORMATS; f++) {
            if (!px_traits_get(FORMATS[f]))
                continue;
            for (size_t k = 0; k < 2 * sizeof BLOCKS / sizeof BLOCKS[0]; k++) {
                const int64_t n = BLOCKS[k / 2] * px_dtype_get(FORMATS[f])->block_elements;
                const float *from = x + (k % 3) * 64, *w = k % 2 ? x + SET + 7 : NULL;
                float weights[SET];
                size_t bytes;
                for (int64_t i = 0; w && i < n; i++)
                    weights[i] = fabsf(w[i]);
                assert_true(px_dtype_row_bytes(FORMATS[f], n, &bytes));
                px_traits_get(FORMATS[f])->encode(from, a, n, w ? weights : NULL);
                px_encode_with(kern.fits, FORMATS[f], from, b, n, w ? weights : NULL);
                assert_memory_equal(a, b, bytes);
            }
        }
    }
    print_message("# %d levels beside plain C\n", n_levels);
    free(x);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_worse_than_ggml),
        cmocka_unit_test(normal_values_stay_near),
        cmocka_unit_test(zeros_stay_zero),
        cmocka_unit_test(constants_stay_near),
        cmocka_unit_test(odd_values_give_finite_blocks),
        cmocka_unit_test(decoded_values_survive),
        cmocka_unit_test(levels_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

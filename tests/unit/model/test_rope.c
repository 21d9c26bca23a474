/*
 * rope: frequencies against those that transformers 4.57.1 gives (modeling_rope_utils.py, head size
 * 16, on CPU), bit by bit, and rows against cosines and sines in double.
 */
#include "support/support.h"

#include "model/rope.h"

#include <math.h>

#include <cmocka.h>

enum { N = 8 };

static px_hparams plain(float base)
{
    return (px_hparams){.n_layers = 1,
                        .head_dim = 2 * N,
                        .rope_dims = 2 * N,
                        .rope_base = {base, 0},
                        .rope_factor = 1,
                        .rope_ctx_orig = 64,
                        .yarn_beta_fast = 32,
                        .yarn_beta_slow = 1,
                        .yarn_ext_factor = 1,
                        .rope_mscale = 1};
}

static px_rope make(const px_hparams *hp, const px_weights *w, int64_t n_ctx, px_arena *arena)
{
    pith_error err = {0};
    px_rope rope;
    px_arena_init(arena, 0, 0);
    assert_int_equal(px_rope_make(hp, w, n_ctx, arena, &rope, &err), PITH_OK);
    assert_int_equal(rope.n, hp->rope_dims / 2);
    return rope;
}

static void check(const px_hparams *hp, const px_weights *w, int64_t n_ctx, const float expected[N])
{
    px_arena arena;
    px_rope rope = make(hp, w, n_ctx, &arena);
    for (int i = 0; i < N; i++)
        if (rope.freq[0][i] != expected[i])
            fail_msg("frequency %d is %a, expected %a", i, (double)rope.freq[0][i],
                     (double)expected[i]);
    px_arena_clear(&arena);
}

static void unscaled(void **state)
{
    (void)state;
    px_hparams hp = plain(500000);
    static const float EXPECTED[N] = {0x1.0000000000000p+0f,  0x1.8d27600000000p-3f,
                                      0x1.3411900000000p-5f,  0x1.ddee9e0000000p-8f,
                                      0x1.72ba420000000p-10f, 0x1.1f91f00000000p-12f,
                                      0x1.be21880000000p-15f, 0x1.5a0f4e0000000p-17f};
    check(&hp, &(px_weights){0}, 100, EXPECTED);
}

static void linear(void **state)
{
    (void)state;
    px_hparams hp = plain(500000);
    hp.rope_scaling = PX_ROPE_SCALING_LINEAR;
    hp.rope_factor = 3;
    static const float EXPECTED[N] = {0x1.5555560000000p-2f,  0x1.08c4ea0000000p-4f,
                                      0x1.9ac2160000000p-7f,  0x1.3e9f140000000p-9f,
                                      0x1.ee4dae0000000p-12f, 0x1.7f6d400000000p-14f,
                                      0x1.296bb00000000p-16f, 0x1.cd69be0000000p-19f};
    check(&hp, &(px_weights){0}, 100, EXPECTED);
}

/* Factor 8, low 1, high 4, original context 64: pair 1 lies between. Its factor is what GGUF files
 * hold: 1 / ((1 - s) / 8 + s) with s = (64 / wavelength - 1) / 3. */
static void llama3(void **state)
{
    (void)state;
    px_hparams hp = plain(500000);
    hp.rope_scaling = PX_ROPE_SCALING_FACTORS;
    double s = (64 * pow(500000, -0.125) / (2 * 3.14159265358979323846) - 1) / 3;
    float between = (float)(1 / ((1 - s) / 8 + s));
    const float factors[N] = {1, between, 8, 8, 8, 8, 8, 8};
    static const float EXPECTED[N] = {0x1.0000000000000p+0f,  0x1.453c180000000p-4f,
                                      0x1.3411900000000p-8f,  0x1.ddee9e0000000p-11f,
                                      0x1.72ba420000000p-13f, 0x1.1f91f00000000p-15f,
                                      0x1.be21880000000p-18f, 0x1.5a0f4e0000000p-20f};
    px_arena arena;
    px_rope rope = make(&hp, &(px_weights){.rope_factors = factors}, 100, &arena);
    for (int i = 0; i < N; i++) {
        float bound = i == 1 ? 2e-7f * EXPECTED[i] : 0; // the factor is rounded on the way
        assert_true(fabsf(rope.freq[0][i] - EXPECTED[i]) <= bound);
    }
    px_arena_clear(&arena);
}

static void yarn(void **state)
{
    (void)state;
    px_hparams hp = plain(10000);
    hp.rope_scaling = PX_ROPE_SCALING_YARN;
    hp.rope_factor = 4;
    static const float FOUR[N] = {0x1.0000000000000p+0f,  0x1.e5b9d00000000p-3f,
                                  0x1.9999980000000p-5f,  0x1.030dc60000000p-7f,
                                  0x1.47ae140000000p-9f,  0x1.9e7c700000000p-11f,
                                  0x1.0624de0000000p-12f, 0x1.4b96c00000000p-14f};
    check(&hp, &(px_weights){0}, 100, FOUR);
    hp.rope_factor = 40;
    hp.rope_ctx_orig = 4096;
    hp.yarn_beta_fast = 20;
    hp.yarn_beta_slow = 2;
    static const float FORTY[N] = {0x1.0000000000000p+0f,  0x1.43d1360000000p-2f,
                                   0x1.99999a0000000p-4f,  0x1.030dc60000000p-5f,
                                   0x1.ba5e320000000p-8f,  0x1.2223e60000000p-10f,
                                   0x1.a36e2e0000000p-16f, 0x1.0945660000000p-17f};
    check(&hp, &(px_weights){0}, 100, FORTY);
}

/* The set of factors hangs on the context that the decoder is made for, not on the position. */
static void longrope(void **state)
{
    (void)state;
    px_hparams hp = plain(10000);
    hp.rope_scaling = PX_ROPE_SCALING_LONGROPE;
    static const float SHORT_FACTORS[N] = {1.0f, 1.1f, 1.2f, 1.3f, 1.4f, 1.5f, 1.6f, 1.7f};
    static const float LONG_FACTORS[N] = {1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f, 7.5f, 8.5f};
    px_weights w = {.rope_factors_short = SHORT_FACTORS, .rope_factors_long = LONG_FACTORS};
    static const float SHORT[N] = {0x1.0000000000000p+0f,  0x1.2661180000000p-2f,
                                   0x1.5555560000000p-4f,  0x1.8e8b580000000p-6f,
                                   0x1.d41d420000000p-8f,  0x1.1452f60000000p-9f,
                                   0x1.47ae140000000p-11f, 0x1.861ac20000000p-13f};
    static const float LONG[N] = {0x1.5555560000000p-1f,  0x1.030dc60000000p-3f,
                                  0x1.d41d420000000p-6f,  0x1.cc8a420000000p-8f,
                                  0x1.dca01e0000000p-10f, 0x1.fe22fe0000000p-12f,
                                  0x1.179eca0000000p-13f, 0x1.3815680000000p-15f};
    check(&hp, &w, 64, SHORT);
    check(&hp, &w, 65, LONG);
}

/* cos and sin of the f32 angle, at positions far out; the local base has no scaling and no mscale.
 */
static void rows(void **state)
{
    (void)state;
    px_hparams hp = plain(1000000);
    hp.rope_base[1] = 10000;
    hp.rope_scaling = PX_ROPE_SCALING_LINEAR;
    hp.rope_factor = 8;
    hp.rope_mscale = 1.25f;
    px_arena arena;
    px_rope rope = make(&hp, &(px_weights){0}, 100, &arena);
    static const int64_t POSITIONS[] = {0, 1, 63, 64, 4095, 50000, 131071, 1 << 24};
    for (size_t p = 0; p < sizeof POSITIONS / sizeof POSITIONS[0]; p++)
        for (int base = 0; base < 2; base++) {
            float cos_row[N], sin_row[N];
            px_rope_row(&rope, base, POSITIONS[p], cos_row, sin_row);
            for (int i = 0; i < N; i++) {
                float freq = (float)pow(base ? 1e4 : 1e6, -(double)i / N) / (base ? 1.0f : 8.0f);
                assert_true(fabsf(rope.freq[base][i] - freq) <= 1.3e-7f * freq);
                double angle = (double)((float)POSITIONS[p] * rope.freq[base][i]);
                double scale = base ? 1 : 1.25;
                assert_true(fabs((double)cos_row[i] - scale * cos(angle)) <= 1.5e-7);
                assert_true(fabs((double)sin_row[i] - scale * sin(angle)) <= 1.5e-7);
            }
        }
    px_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unscaled), cmocka_unit_test(linear),   cmocka_unit_test(llama3),
        cmocka_unit_test(yarn),     cmocka_unit_test(longrope), cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests_name("rope", tests, NULL, NULL);
}

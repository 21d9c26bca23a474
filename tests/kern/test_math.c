/*
 * math: the vector exponential and tangent of simd/math.h keep the errors stated there. Compiled
 * once for each level that has them, with VEC naming its vec header.
 */
#include VEC

#include "base/cpu.h"
#include "kern/half.h"
#include "kern/simd/math.h"
#include "support/support.h"

#include <math.h>

#include <cmocka.h>

static void skip_unless_runnable(void)
{
    px_cpu_level level;
    if (!px_cpu_find(VEC_LEVEL, &level) || !px_cpu_runs(level, px_cpu_detect()))
        skip();
}

static float at(vf (*f)(vf), float x)
{
    float out[VF_N];
    vf_store(out, f(vf_all(x)));
    return out[VF_N - 1];
}

/* Largest error in units of the last place over every 509th float of [low, high], low and high of
 * one sign, nearest to zero first. */
static double worst(vf (*f)(vf), double (*truth)(double), float low, float high)
{
    double most = 0;
    uint32_t bits = px_f32_bits(low);
    while (bits < px_f32_bits(high)) {
        float x[VF_N], y[VF_N];
        for (int i = 0; i < VF_N; i++, bits += 509)
            x[i] = px_bits_f32(bits);
        vf_store(y, f(vf_load(x)));
        for (int i = 0; i < VF_N; i++) {
            const double want = truth((double)x[i]);
            const double unit = fmax(ldexp(1, ilogb(want) - 23), 0x1p-149);
            const double error = fabs((double)y[i] - want) / unit;
            most = fmax(most, error); // a NaN would be dropped here
            assert_false(isnan(y[i]));
        }
    }
    return most;
}

static void exponential(void **state)
{
    (void)state;
    skip_unless_runnable();
    const double up = worst(vf_exp, exp, 1e-9f, 88.7f), down = worst(vf_exp, exp, -1e-9f, -87.3f);
    print_message("# exp: %.3f units above 0, %.3f below\n", up, down);
    assert_true(up <= 0.9);
    assert_true(down <= 0.9);
    const double tiny =
        worst(vf_exp, exp, -87.3f, -104.0f); // results below 2^-126: in units of 2^-149
    assert_true(tiny <= 1.5);
    assert_true(at(vf_exp, 0.0f) == 1.0f);
    assert_true(at(vf_exp, 88.73f) == INFINITY);
    assert_true(at(vf_exp, INFINITY) == INFINITY);
    assert_true(at(vf_exp, -104.5f) == 0.0f);
    assert_true(at(vf_exp, -INFINITY) == 0.0f);
    assert_true(isnan(at(vf_exp, NAN)));
}

static void tangent(void **state)
{
    (void)state;
    skip_unless_runnable();
    const double up = worst(vf_tanh, tanh, 1e-30f, 20.0f),
                 down = worst(vf_tanh, tanh, -1e-30f, -20.0f);
    print_message("# tanh: %.3f units above 0, %.3f below\n", up, down);
    assert_true(up <= 1.4);
    assert_true(down <= 1.4);
    assert_true(at(vf_tanh, 0.0f) == 0.0f);
    assert_true(at(vf_tanh, 1e30f) == 1.0f);
    assert_true(at(vf_tanh, -INFINITY) == -1.0f);
    assert_true(isnan(at(vf_tanh, NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential),
        cmocka_unit_test(tangent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

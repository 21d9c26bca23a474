/* num, rng, select: values to the last bit, published vectors, selection against sorting. */
#include "support/support.h"

#include "engine/num.h"
#include "engine/rng.h"
#include "engine/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The same on every machine: docs/sampling.md lists these. */
static void exp_and_log_have_these_bits(void **state)
{
    (void)state;
    static const struct {
        double x, y;
    } exps[] = {{0, 1},
                {1, 0x1.5bf0a8b14576ap+1},
                {-0.5, 0x1.368b2fc6f960ap-1},
                {-29, 0x1.1e642baeb84ap-42}};
    static const struct {
        double x, y;
    } logs[] = {{1, 0}, {10, 0x1.26bb1bbb55516p+1}, {0.3, -0x1.34378fcbda721p+0}};
    for (size_t i = 0; i < sizeof exps / sizeof exps[0]; i++)
        if (px_exp(exps[i].x) != exps[i].y)
            fail_msg("exp(%g) is %a, expected %a", exps[i].x, px_exp(exps[i].x), exps[i].y);
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++)
        if (px_log(logs[i].x) != logs[i].y)
            fail_msg("log(%g) is %a, expected %a", logs[i].x, px_log(logs[i].x), logs[i].y);
}

static double ulps(double got, double expected)
{
    double e = fabs(expected);
    return fabs(got - expected) / (nextafter(e, INFINITY) - e);
}

static void exp_and_log_are_near_the_truth(void **state)
{
    (void)state;
    test_random r = test_random_start(11);
    for (int i = 0; i < 300000; i++) {
        double x = (test_random_unit(&r) - 0.5) * (i % 10 ? 80 : 1400);
        if (!(ulps(px_exp(x), (double)expl((long double)x)) <= 2))
            fail_msg("exp(%a)", x);
        double y = exp((test_random_unit(&r) - 0.5) * (i % 3 ? 2 : 1400));
        double expected = (double)logl((long double)y);
        if (expected != 0 && !(ulps(px_log(y), expected) <= 3))
            fail_msg("log(%a)", y);
    }
}

static void exp_and_log_at_the_ends(void **state)
{
    (void)state;
    assert_true(px_exp(-709) == 0);
    assert_true(px_exp(-INFINITY) == 0);
    assert_true(px_exp(-708) > 0);
    assert_true(isinf(px_exp(710)) && isinf(px_exp(INFINITY)));
    assert_true(isfinite(px_exp(709)));
    assert_true(isnan(px_exp(NAN)));
    assert_true(px_log(0) == -INFINITY);
    assert_true(px_log(1e-310) == -INFINITY);
    assert_true(px_log(INFINITY) == INFINITY);
    assert_true(isnan(px_log(-1)) && isnan(px_log(NAN)));
}

static void weights(void **state)
{
    (void)state;
    assert_true(px_weight(3.5f, 3.5f) == PX_WEIGHT_ONE);
    assert_true(px_weight(INFINITY, INFINITY) == PX_WEIGHT_ONE);
    assert_true(px_weight(3.5f, INFINITY) == 0);
    assert_true(px_weight(-INFINITY, 1) == 0);
    assert_true(px_weight(NAN, 1) == 0);
    assert_true(px_weight(0, 1) == 404487723188); // 2^40 / e = 404487723187.74
    assert_true(px_weight(-28.4f, 0) == 1);
    assert_true(px_weight(-28.5f, 0) == 0);
    const float row[] = {1, -2, 7, 7, 0};
    assert_true(px_max(row, 5) == 7);
    assert_true(px_max(row, 0) == -INFINITY);
    const float odd[] = {1, NAN, 7};
    assert_true(isnan(px_max(odd, 3)));
    const float three[] = {0, 0, 0};
    assert_true(fabs(px_log_sum_exp(three, 3, 0) - log(3)) < 1e-15);
}

/* SplitMix64 of seed 0 gives 0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f,
 * 0xf88bb8a8724c81ec; xoshiro256** of the state 1, 2, 3, 4 the numbers below: both as in the
 * authors' C programs and in the tests of rand_xoshiro. */
static void generator_vectors(void **state)
{
    (void)state;
    px_rng rng;
    px_rng_seed(&rng, 0);
    assert_true(rng.s[0] == 0xe220a8397b1dcdafULL && rng.s[1] == 0x6e789e6aa1b965f4ULL &&
                rng.s[2] == 0x06c45d188009454fULL && rng.s[3] == 0xf88bb8a8724c81ecULL);
    rng = (px_rng){{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        1215971899390074240ULL,
                                        1216172134540287360ULL,
                                        607988272756665600ULL,
                                        16172922978634559625ULL,
                                        8476171486693032832ULL,
                                        10595114339597558777ULL,
                                        2904607092377533576ULL};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_true(px_rng_next(&rng) == expected[i]);
}

static void numbers_in_a_range(void **state)
{
    (void)state;
    px_rng rng;
    px_rng_seed(&rng, 42);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t x = px_rng_below(&rng, 7);
        assert_in_range(x, 0, 6);
        counts[x]++;
    }
    double chi = 0;
    for (int i = 0; i < 7; i++)
        chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    assert_true(chi < 35); // 6 degrees of freedom: p about 4e-6
    for (int i = 0; i < 1000; i++) {
        assert_true(px_rng_below(&rng, 1) == 0);
        uint64_t n = (UINT64_C(1) << 62) + 12345;
        assert_true(px_rng_below(&rng, n) < n);
        double u = px_rng_unit(&rng);
        assert_true(u >= 0 && u < 1);
    }
    uint64_t a = px_rng_system_seed(), b = px_rng_system_seed();
    assert_true(a != b && a != UINT64_MAX && b != UINT64_MAX);
}

/* ---- select */

typedef struct item {
    uint32_t key;
    int32_t index;
} item;

static int by_key(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

enum { MOST = 3000 };

static void check_select(const uint32_t *keys, const uint64_t *weights, int32_t n, uint64_t target)
{
    static item items[MOST];
    static bool in[MOST];
    for (int32_t i = 0; i < n; i++)
        items[i] = (item){.key = keys[i], .index = i};
    qsort(items, (size_t)n, sizeof items[0], by_key);
    memset(in, 0, sizeof in);
    uint64_t sum = 0;
    for (int32_t i = 0; i < n && sum < target; i++) {
        in[items[i].index] = true;
        sum += weights ? weights[items[i].index] : 1;
    }
    px_cut cut = px_select(keys, weights, n, target);
    for (int32_t i = 0; i < n; i++) {
        bool taken = px_cut_takes(&cut, keys[i], weights ? weights[i] : 1);
        if (taken != in[i])
            fail_msg("item %d of %d, key %08x: taken %d, expected %d", i, n, keys[i], taken, in[i]);
    }
}

static void selects_as_sorting_does(void **state)
{
    (void)state;
    static uint32_t keys[MOST];
    static uint64_t weights_of[MOST];
    test_random r = test_random_start(5);
    for (int round = 0; round < 400; round++) {
        int32_t n = 1 + (int32_t)test_random_below(&r, MOST - 1);
        uint32_t spread = round % 3 == 0 ? 5 : round % 3 == 1 ? 100000 : UINT32_MAX;
        uint64_t total = 0;
        for (int32_t i = 0; i < n; i++) {
            keys[i] = (uint32_t)test_random_below(&r, (uint64_t)spread + 1);
            weights_of[i] = 1 + test_random_below(&r, UINT64_C(1) << (round % 40));
            total += weights_of[i];
        }
        check_select(keys, NULL, n, 1 + test_random_below(&r, (uint64_t)n));
        check_select(keys, NULL, n, (uint64_t)n + 3);
        check_select(keys, weights_of, n, 1 + test_random_below(&r, total));
        check_select(keys, weights_of, n, 1);
        check_select(keys, weights_of, n, total);
        check_select(keys, weights_of, n, total + 1);
    }
}

static void keys_order_floats(void **state)
{
    (void)state;
    static const float rising[] = {-INFINITY, -1e38f, -2, -1, -1e-40f, 0, 1e-40f, 1, 2, INFINITY};
    for (size_t i = 1; i < sizeof rising / sizeof rising[0]; i++)
        assert_true(px_key_of(rising[i - 1]) < px_key_of(rising[i]));
    assert_true(px_key_of(-0.0f) == px_key_of(0.0f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_and_log_have_these_bits),
        cmocka_unit_test(exp_and_log_are_near_the_truth),
        cmocka_unit_test(exp_and_log_at_the_ends),
        cmocka_unit_test(weights),
        cmocka_unit_test(generator_vectors),
        cmocka_unit_test(numbers_in_a_range),
        cmocka_unit_test(selects_as_sorting_does),
        cmocka_unit_test(keys_order_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

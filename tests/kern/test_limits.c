/* limits: each loop of each level does the work that it claims, all of it. */
#include "kern/limits.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EACH_LEVEL(level, limits)                           \
    for (px_cpu_level level = 0; level < PX_CPU_N; level++) \
        if (px_cpu_runs(level, px_cpu_detect()) && (px_limits_fill(&limits, level), 1))

static void reading_sees_every_word(void **state)
{
    (void)state;
    px_limits limits;
    test_random rng = test_random_start(20261122);
    uint64_t *words = aligned_alloc(64, 64 * 1000);
    assert_non_null(words);
    for (int i = 0; i < 8000; i++)
        words[i] = test_random_u64(&rng);
    EACH_LEVEL(level, limits)
    {
        const size_t sizes[] = {0, 1, 7, 8, 9, 63, 64, 65, 1000};
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            uint64_t want = 0;
            for (size_t i = 0; i < sizes[k] * 8; i++)
                want ^= words[i];
            for (int way = 0; way < PX_LIMIT_N_WAYS; way++)
                assert_int_equal(limits.read(words, sizes[k] * 64, way), want);
        }
    }
    free(words);
}

static void products_are_as_many_as_said(void **state)
{
    (void)state;
    px_limits limits;
    uint8_t a[64];
    int8_t b[64];
    uint32_t sum = 0;
    for (int i = 0; i < 64; i++) {
        a[i] = (uint8_t)(i * 2 + 1);
        b[i] = (int8_t)(i * 4 - 128);
        sum += (uint32_t)(a[i] * b[i]);
    }
    EACH_LEVEL(level, limits)
    {
        assert_true(limits.int8_ops > 0 && limits.int8_ops % 128 == 0);
        for (int64_t rounds = 0; rounds < 300; rounds += 13)
            assert_int_equal(limits.int8(a, b, rounds),
                             (uint32_t)(rounds * (limits.int8_ops / 128)) * sum);
    }
}

/* x = x / 2 + 1 goes to 2 from wherever it starts; after few rounds it is not there yet. */
static void float_sums_are_right(void **state)
{
    (void)state;
    px_limits limits;
    EACH_LEVEL(level, limits)
    {
        assert_true(limits.f32_ops > 0);
        assert_true(limits.f32(0.5F, 1.0F, 60) == 2.0F);
        assert_false(limits.f32(0.5F, 1.0F, 2) == 2.0F);
        if (!limits.bf16)
            continue;
        assert_true(limits.bf16_ops > 0);
        assert_true(limits.bf16(1.5F, -2.0F, 1000) == -6000.0F);
        assert_true(limits.bf16(1.5F, -2.0F, 0) == 0.0F);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_sees_every_word),
        cmocka_unit_test(products_are_as_many_as_said),
        cmocka_unit_test(float_sums_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

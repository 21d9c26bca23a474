/* half: conversions between f32, f16 and bf16 are exact, nearest even, and keep NaN. */
#include "kern/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void f16_round_trip(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000u; h++) {
        const float x = px_f16_to_f32((uint16_t)h);
        const uint32_t magnitude = h & 0x7fffu;
        if (magnitude > 0x7c00u) {
            assert_true(isnan(x));
            assert_int_equal(px_f32_to_f16(x), h | 0x200u);
        } else {
            assert_int_equal(px_f32_to_f16(x), h);
        }
    }
}

static void f16_values(void **state)
{
    (void)state;
    assert_true(px_f16_to_f32(0x3c00) == 1.0f);
    assert_true(px_f16_to_f32(0x0001) == 0x1p-24f);
    assert_true(px_f16_to_f32(0x83ff) == -0x3ffp-24f);
    assert_true(px_f16_to_f32(0x7bff) == 65504.0f);
    assert_true(px_f16_to_f32(0xfc00) == -INFINITY);
    assert_int_equal(px_f32_to_f16(65519.99f), 0x7bff);
    assert_int_equal(px_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(px_f32_to_f16(-1e38f), 0xfc00);
    assert_int_equal(px_f32_to_f16(0x1p-25f), 0x0000); // half of the least subnormal: to even
    assert_int_equal(px_f32_to_f16(0x1.000002p-25f), 0x0001);
    assert_int_equal(px_f32_to_f16(-0x1.8p-24f), 0x8002); // 1.5 units: to even
    assert_int_equal(px_f32_to_f16(-0.0f), 0x8000);
}

/* Between each two neighbours: the middle goes to the even one, either side of it to the nearer. */
static void f16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7bffu; h++) {
        const float low = px_f16_to_f32((uint16_t)h), high = px_f16_to_f32((uint16_t)(h + 1));
        const float middle = 0.5f * (low + high); // exact: f32 has 13 bits to spare
        assert_int_equal(px_f32_to_f16(middle), h + (h & 1u));
        assert_int_equal(px_f32_to_f16(nextafterf(middle, 0.0f)), h);
        assert_int_equal(px_f32_to_f16(nextafterf(middle, 1e9f)), h + 1);
        assert_int_equal(px_f32_to_f16(-middle), 0x8000u | (h + (h & 1u)));
    }
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 0x7f7fu; b++) {
        const uint32_t bits = b << 16;
        assert_int_equal(px_f32_to_bf16(px_bits_f32(bits)), b);
        assert_true(px_f32_bits(px_bf16_to_f32((uint16_t)b)) == bits);
        assert_int_equal(px_f32_to_bf16(px_bits_f32(bits + 0x7fffu)), b);
        assert_int_equal(px_f32_to_bf16(px_bits_f32(bits + 0x8000u)), b + (b & 1u));
        assert_int_equal(px_f32_to_bf16(px_bits_f32(bits + 0x8001u)), b + 1);
    }
    assert_int_equal(px_f32_to_bf16(px_bits_f32(0x7f7fffffu)), 0x7f80);
    assert_int_equal(px_f32_to_bf16(px_bits_f32(0x7f800001u)),
                     0x7fc0); // a NaN does not become infinity
    assert_int_equal(px_f32_to_bf16(-INFINITY), 0xff80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f16_round_trip),
        cmocka_unit_test(f16_values),
        cmocka_unit_test(f16_rounds_to_nearest_even),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

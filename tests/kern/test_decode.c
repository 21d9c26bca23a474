/*
 * decode: every format against tests/golden/kern/decode.bin, which the gguf package made
 * (make_decode.py there), and NF4 against bitsandbytes (make_nf4.py). Values must be equal bit for
 * bit, NaN for NaN.
 */
#include "base/dtype.h"
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/nf4.h"
#include "kern/traits.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_values(const char *name, const float *got, const uint8_t *expected, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float want = px_load_f32(expected + 4 * i);
        if (isnan(want) && isnan(got[i]))
            continue;
        if (px_f32_bits(want) != px_f32_bits(got[i]))
            fail_msg("%s value %lld: %.9g, expected %.9g", name, (long long)i, (double)got[i],
                     (double)want);
    }
}

static void check_format(const char *name, const uint8_t *blocks, size_t n_bytes,
                         const uint8_t *expected, int64_t n)
{
    const px_dtype_info *info = px_dtype_find(name);
    assert_non_null(info);
    const px_traits *traits = px_traits_get(info->id);
    assert_non_null(traits);
    size_t row_bytes;
    assert_true(px_dtype_row_bytes(info->id, n, &row_bytes));
    assert_int_equal(row_bytes, n_bytes);

    float *out = malloc((size_t)n * sizeof *out);
    uint8_t *unaligned = malloc(n_bytes + 1);
    assert_non_null(out);
    assert_non_null(unaligned);
    memcpy(unaligned + 1, blocks, n_bytes);
    traits->decode(unaligned + 1, out, n);
    check_values(name, out, expected, n);
    free(out);
    free(unaligned);
}

static void all_gguf_formats(void **state)
{
    (void)state;
    size_t n_file, at = 0;
    int n_formats = 0;
    uint8_t *file = (uint8_t *)test_read(test_source("tests/golden/kern/decode.bin"), &n_file);
    while (at < n_file) {
        char name[17] = {0};
        memcpy(name, file + at, 16);
        const uint32_t n_bytes = px_load32(file + at + 16);
        const uint32_t n = px_load32(file + at + 20);
        const uint8_t *blocks = file + at + 24;
        at += 24 + n_bytes + 4 * (size_t)n;
        assert_true(at <= n_file);
        check_format(name, blocks, n_bytes, blocks + n_bytes, n);
        n_formats++;
    }
    assert_int_equal(n_formats, 15);
}

static void every_dtype_that_computes_has_traits(void **state)
{
    (void)state;
#define CHECK(id, value, name, block, bytes, computes)     \
    {                                                      \
        const px_traits *traits = px_traits_get(id);       \
        assert_int_equal(traits != NULL, computes);        \
        if (traits) {                                      \
            assert_int_equal(traits->dtype, id);           \
            assert_true(traits->decode && traits->encode); \
            assert_true(traits->form < PX_ACT_FORMS);      \
        }                                                  \
    }
    PX_DTYPES(CHECK)
#undef CHECK
}

/* ---- NF4 */

enum { NF4_BLOCKS = 260, NF4_VALUES = NF4_BLOCKS * 64, NF4_SUPER = NF4_VALUES / 256 };

/* The tensor of make_nf4.py. */
static float *nf4_tensor(void)
{
    float *x = malloc(NF4_VALUES * sizeof *x);
    assert_non_null(x);
    uint64_t s = 7;
    for (int i = 0; i < NF4_VALUES; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        const float u = (float)((double)(s >> 40) * 0x1p-23 - 1);
        x[i] = u * u * u * 0.1f;
    }
    return x;
}

static void nf4_equals_bitsandbytes(void **state)
{
    (void)state;
    size_t n_file;
    const uint8_t *file =
        (const uint8_t *)test_read(test_source("tests/golden/kern/nf4.bin"), &n_file);
    assert_int_equal(n_file, 12 + NF4_BLOCKS + NF4_VALUES / 2 + 2048);
    const float offset = px_load_f32(file);
    const uint8_t *codes = file + 12, *nibbles = codes + NF4_BLOCKS;
    const uint8_t *values = nibbles + NF4_VALUES / 2;

    float *x = nf4_tensor(), *y = malloc(NF4_VALUES * sizeof *y);
    px_nf4 *b = malloc(NF4_SUPER * sizeof *b);
    assert_true(y && b);
    px_nf4_encode_offset(x, b, NF4_VALUES, offset);
    for (int i = 0; i < NF4_SUPER; i++) {
        assert_true(px_load_f32(b[i].offset) == offset);
        assert_true(px_load_f32(b[i].scale) == px_load_f32(file + 4 + 4 * (i / 64)));
        assert_memory_equal(b[i].codes, codes + 4 * i, 4);
        assert_memory_equal(b[i].qs, nibbles + 128 * i, 128);
    }
    px_traits_get(PX_NF4)->decode(b, y, NF4_VALUES);
    check_values("nf4", y, values, 256);
    check_values("nf4", y + NF4_VALUES - 256, values + 1024, 256);

    px_nf4_encode_tensor(x, b, NF4_VALUES);
    assert_true(px_load_f32(b->offset) == offset);
    free(x);
    free(y);
    free(b);
}

/* Means of torch (make_nf4.py): of the first n magnitudes of a stream of numbers. */
static void means_are_those_of_torch(void **state)
{
    (void)state;
    char *at = test_read(test_source("tests/golden/kern/nf4_means.txt"), NULL);
    enum { MOST = 1 << 17 };
    float *x = malloc(MOST * sizeof *x);
    assert_non_null(x);
    uint64_t s = 11;
    for (int i = 0; i < MOST; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)((double)(s >> 40) * 0x1p-24);
    }
    int lines = 0;
    for (char *line = strtok(at, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        char *rest;
        const long n = strtol(line, &rest, 10);
        const uint32_t bits = (uint32_t)strtoul(rest, NULL, 16);
        assert_in_range(n, 1, MOST);
        if (px_f32_bits(px_nf4_mean(x, n)) != bits)
            fail_msg("the mean of %ld values is %a, torch has %a", n, (double)px_nf4_mean(x, n),
                     (double)px_bits_f32(bits));
    }
    assert_int_equal(lines, 30);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_gguf_formats),
        cmocka_unit_test(every_dtype_that_computes_has_traits),
        cmocka_unit_test(nf4_equals_bitsandbytes),
        cmocka_unit_test(means_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

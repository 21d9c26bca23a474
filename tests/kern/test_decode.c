/*
 * decode: every format against tests/golden/kern/decode.bin, which the gguf package made
 * (make_decode.py there). Values must be equal bit for bit, NaN for NaN.
 */
#include "base/dtype.h"
#include "kern/half.h"
#include "kern/traits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct fixture {
    uint8_t *bytes;
    size_t n;
} fixture;

static int load(void **state)
{
    static fixture f;
    char path[4096];
    const char *root = getenv("PITH_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/tests/golden/kern/decode.bin", root ? root : ".");
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    f.bytes = malloc(1 << 20);
    f.n = f.bytes ? fread(f.bytes, 1, 1 << 20, file) : 0;
    fclose(file);
    *state = &f;
    return f.n > 0 && f.n < 1 << 20 ? 0 : -1;
}

static int unload(void **state)
{
    free(((fixture *)*state)->bytes);
    return 0;
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
    for (int64_t i = 0; i < n; i++) {
        const float want = px_load_f32(expected + 4 * i);
        if (isnan(want) && isnan(out[i]))
            continue;
        if (px_f32_bits(want) != px_f32_bits(out[i]))
            fail_msg("%s value %lld: %.9g, expected %.9g", name, (long long)i, (double)out[i],
                     (double)want);
    }
    free(out);
    free(unaligned);
}

static void all_formats(void **state)
{
    const fixture *f = *state;
    size_t at = 0;
    int n_formats = 0;
    while (at < f->n) {
        char name[17] = {0};
        memcpy(name, f->bytes + at, 16);
        const uint32_t n_bytes = px_load32(f->bytes + at + 16);
        const uint32_t n = px_load32(f->bytes + at + 20);
        const uint8_t *blocks = f->bytes + at + 24;
        at += 24 + n_bytes + 4 * (size_t)n;
        assert_true(at <= f->n);
        if (!px_traits_get(px_dtype_find(name)->id))
            continue;
        check_format(name, blocks, n_bytes, blocks + n_bytes, n);
        n_formats++;
    }
    assert_int_equal(n_formats, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_formats)};
    return cmocka_run_group_tests(tests, load, unload);
}

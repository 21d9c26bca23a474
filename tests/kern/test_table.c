/* table: levels, slots, rows for people, sizes of packed columns. */
#include "kern/ops.h"
#include "support/support.h"

#include <string.h>

#include <cmocka.h>

static px_cpu_level level_of(const px_kern *kern, const char *op, const char *detail)
{
    px_kern_row row;
    for (int i = 0; px_kern_row_at(kern, i, &row); i++)
        if (strcmp(row.op, op) == 0 && strcmp(row.detail, detail) == 0)
            return row.level;
    fail_msg("no row %s %s", op, detail);
    return PX_CPU_N;
}

/* Where the CPU has bf16 products, bf16 weights take them, and on x86 f16 weights too; else a
 * format's own form. */
static px_act_form form_at(px_cpu_level level, px_dtype dtype)
{
    const bool bf16 = (dtype == PX_BF16 && (level == PX_CPU_BF16 || level == PX_CPU_I8MM)) ||
                      (dtype == PX_F16 && level == PX_CPU_BF16);
    return bf16 ? PX_ACT_BF16 : px_traits_get(dtype)->form;
}

static void every_entry_is_filled(void **state)
{
    (void)state;
    for (px_cpu_level level = 0; level < PX_CPU_N; level++) {
        px_kern kern;
        if (!px_cpu_runs(level, px_cpu_detect()))
            continue;
        assert_int_equal(px_kern_fill(&kern, level, NULL), PITH_OK);
        assert_int_equal(kern.level, level);
        assert_true(kern.scratch_bytes > 0);
        int n_tiles = 0;
#define CHECK(id, value, name, block, bytes, computes)                     \
    assert_int_equal(px_kern_slot(id) >= 0, computes);                     \
    if (computes) {                                                        \
        assert_non_null(kern.mul[px_kern_slot(id)]);                       \
        assert_non_null(kern.decode[px_kern_slot(id)]);                    \
        assert_int_equal(kern.form[px_kern_slot(id)], form_at(level, id)); \
        n_tiles += kern.tile[px_kern_slot(id)] != NULL;                    \
    }
        PX_DTYPES(CHECK)
#undef CHECK
        for (int form = 0; form < PX_ACT_FORMS; form++)
            assert_non_null(kern.pack[form]);
        px_kern_row row;
        int n = 0;
        while (px_kern_row_at(&kern, n, &row)) {
            assert_true(px_cpu_runs(row.level, level));
            n++;
        }
        assert_int_equal(n, 17 + n_tiles + 17 + 4 + 10);
        assert_false(px_kern_row_at(&kern, -1, &row));
    }
}

static void rows_name_the_level(void **state)
{
    (void)state;
    px_kern kern;
    assert_int_equal(px_kern_fill(&kern, PX_CPU_REF, NULL), PITH_OK);
    assert_int_equal(level_of(&kern, "mul", "q4_k"), PX_CPU_REF);
    if (!px_kern_has_level(PX_CPU_VNNI) || !px_cpu_runs(PX_CPU_VNNI, px_cpu_detect()))
        skip();
    assert_int_equal(px_kern_fill(&kern, PX_CPU_VNNI, NULL), PITH_OK);
    assert_int_equal(level_of(&kern, "mul", "q2_k"), PX_CPU_VNNI);
    assert_int_equal(level_of(&kern, "tile", "q4_k"), PX_CPU_VNNI);
    assert_int_equal(level_of(&kern, "mul", "q4_k"), PX_CPU_VNNI);
    assert_int_equal(level_of(&kern, "mul", "q8_0"), PX_CPU_AVX2); // vectors of 32 bytes stay
    assert_int_equal(level_of(&kern, "mul", "f32"), PX_CPU_AVX512);
    assert_int_equal(level_of(&kern, "mul", "nf4"), PX_CPU_AVX512);
    assert_int_equal(level_of(&kern, "pack", "q8k"), PX_CPU_AVX512);
    assert_int_equal(px_kern_fill(&kern, PX_CPU_AVX2, NULL), PITH_OK);
    assert_int_equal(level_of(&kern, "mul", "q4_k"), PX_CPU_AVX2);
}

static void a_level_that_does_not_run_is_refused(void **state)
{
    (void)state;
    for (px_cpu_level level = 0; level < PX_CPU_N; level++) {
        px_kern kern;
        pith_error err = {0};
        if (px_cpu_runs(level, px_cpu_detect()))
            continue;
        assert_int_equal(px_kern_fill(&kern, level, &err), PITH_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, px_cpu_name(level)));
    }
    assert_int_equal(px_kern_slot(PX_IQ2_XXS), -1);
    assert_int_equal(px_kern_slot((px_dtype)12345), -1);
}

static void columns_are_multiples_of_64(void **state)
{
    (void)state;
    assert_int_equal(px_act_column_bytes(PX_ACT_F32, 0), 0);
    assert_int_equal(px_act_column_bytes(PX_ACT_F32, 17), 128);
    assert_int_equal(px_act_column_bytes(PX_ACT_BF16, 33), 128);
    assert_int_equal(px_act_column_bytes(PX_ACT_Q8, 32), 64 + 64 + 64 + 64);
    assert_int_equal(px_act_column_bytes(PX_ACT_Q8, 2048), 2048 + 256 + 256 + 256);
    assert_int_equal(px_act_column_bytes(PX_ACT_Q8K, 2048), 2048 + 64 + 256 + 128 + 512);
    // never a multiple of 4096
    assert_int_equal(px_act_column_bytes(PX_ACT_F32, 1024), 4096 + 64);
    assert_int_equal(px_act_column_bytes(PX_ACT_BF16, 4096), 8192 + 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_filled),
        cmocka_unit_test(rows_name_the_level),
        cmocka_unit_test(a_level_that_does_not_run_is_refused),
        cmocka_unit_test(columns_are_multiples_of_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* dtype: the rows of the table, by number and by name, and sizes of rows. */
#include "support/support.h"

#include "base/dtype.h"

#include <string.h>

#include <cmocka.h>

static void rows_are_found_by_number_and_name(void **state)
{
    (void)state;
    int n = 0;
    for (uint32_t value = 0; value < 2000; value++) {
        const px_dtype_info *row = px_dtype_get(value);
        assert_string_equal(px_dtype_name(value), row ? row->name : "unknown");
        if (!row)
            continue;
        n++;
        assert_int_equal(row->id, value);
        assert_ptr_equal(px_dtype_find(row->name), row);
        assert_true(row->block_elements == 1 || row->block_elements % 32 == 0);
        assert_true(row->block_bytes > 0);
    }
    assert_int_equal(n, 33);
    assert_ptr_equal(px_dtype_find("Q4_K"), px_dtype_get(PX_Q4_K));
    assert_null(px_dtype_find("q4"));
    assert_null(px_dtype_find(""));
    assert_null(px_dtype_get(UINT32_MAX));
    assert_null(px_dtype_get(4)); // q4_2, withdrawn from the format
}

/* Bits for each weight, as the formats' names and papers state them. */
static void sizes_are_the_formats(void **state)
{
    (void)state;
    static const struct {
        px_dtype dtype;
        size_t bytes_of_256;
    } rows[] = {
        {PX_F32, 1024},   {PX_F16, 512},   {PX_BF16, 512}, {PX_Q4_0, 144}, {PX_Q4_1, 160},
        {PX_Q5_0, 176},   {PX_Q5_1, 192},  {PX_Q8_0, 272}, {PX_Q2_K, 84},  {PX_Q3_K, 110},
        {PX_Q4_K, 144},   {PX_Q5_K, 176},  {PX_Q6_K, 210}, {PX_Q8_K, 292}, {PX_IQ4_NL, 144},
        {PX_IQ4_XS, 136}, {PX_MXFP4, 136}, {PX_I8, 256},   {PX_F64, 2048},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t bytes = 0;
        assert_true(px_dtype_row_bytes(rows[i].dtype, 256, &bytes));
        assert_int_equal(bytes, rows[i].bytes_of_256);
        assert_true(px_dtype_row_bytes(rows[i].dtype, 0, &bytes));
        assert_int_equal(bytes, 0);
    }
}

static void rows_that_do_not_divide_are_refused(void **state)
{
    (void)state;
    size_t bytes = 7;
    assert_false(px_dtype_row_bytes(PX_Q4_K, 255, &bytes));
    assert_false(px_dtype_row_bytes(PX_Q4_K, 32, &bytes));
    assert_false(px_dtype_row_bytes(PX_Q8_0, 33, &bytes));
    assert_false(px_dtype_row_bytes(PX_F32, -1, &bytes));
    assert_false(px_dtype_row_bytes(PX_F32, INT64_MAX, &bytes));
    assert_false(px_dtype_row_bytes((px_dtype)4, 32, &bytes));
    assert_int_equal(bytes, 7);
    assert_true(px_dtype_row_bytes(PX_F16, INT64_MAX, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_number_and_name),
        cmocka_unit_test(sizes_are_the_formats),
        cmocka_unit_test(rows_that_do_not_divide_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

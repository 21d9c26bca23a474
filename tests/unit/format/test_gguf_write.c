/* Writing GGUF files and reading them back; split files. */
#include "gguf_bytes.h"

#include "format/gguf_write.h"
#include "format/source_state.h"

static void check_int(const px_source *s, const char *key, px_meta_type type, int64_t expected)
{
    const px_meta *meta = px_source_meta(s, key);
    assert_non_null(meta);
    assert_int_equal(meta->type, type);
    assert_int_equal(meta->i, expected);
}

static void set_scalars(px_gguf_writer *w)
{
    pith_error err;
    const px_meta METAS[] = {
        {.key = "t.u8", .type = PX_META_U8, .u = 200},
        {.key = "t.i8", .type = PX_META_I8, .i = -100},
        {.key = "t.u16", .type = PX_META_U16, .u = 60000},
        {.key = "t.i16", .type = PX_META_I16, .i = -30000},
        {.key = "t.u64", .type = PX_META_U64, .u = UINT64_MAX},
        {.key = "t.i64", .type = PX_META_I64, .i = INT64_MIN},
        {.key = "t.f64", .type = PX_META_F64, .f = 0.1},
        {.key = "t.f32", .type = PX_META_F32, .f = 0.25},
        {.key = "t.bool", .type = PX_META_BOOL, .b = true},
        {.key = "t.str", .type = PX_META_STRING, .str = {.data = "a\0b", .len = 3}},
    };
    for (size_t i = 0; i < sizeof METAS / sizeof METAS[0]; i++)
        assert_ok(px_gguf_set_meta(w, &METAS[i], &err));
    assert_ok(px_gguf_set_str(w, "general.architecture", px_str_of("llama"), &err));
    assert_ok(px_gguf_set_u32(w, "t.u32", 1, &err));
    assert_ok(px_gguf_set_u32(w, "t.u32", 4000000000u, &err));
    assert_ok(px_gguf_set_i32(w, "t.i32", -2000000000, &err));
    assert_ok(px_gguf_set_f32(w, "t.f32b", -1.5f, &err));
    assert_ok(px_gguf_set_bool(w, "t.boolb", false, &err));
}

static void set_arrays(px_gguf_writer *w)
{
    pith_error err;
    const px_str strs[] = {px_str_of("one"), px_str_of(""), {.data = "t\0o", .len = 3}};
    const float f32s[] = {1.0f, -2.5f, 3e38f};
    const int32_t i32s[] = {0, -1, INT32_MAX, INT32_MIN};
    assert_ok(px_gguf_set_strs(w, "a.strs", strs, 3, &err));
    assert_ok(px_gguf_set_f32s(w, "a.f32s", f32s, 3, &err));
    assert_ok(px_gguf_set_i32s(w, "a.i32s", i32s, 4, &err));
    assert_ok(px_gguf_set_i32s(w, "a.none", NULL, 0, &err));
    /* [[7, 8], []] of u8 */
    px_buf inner = {0};
    put_u32(&inner, PX_META_U8);
    put_u64(&inner, 2);
    px_buf_puts(&inner, "\7\10");
    put_u32(&inner, PX_META_U8);
    put_u64(&inner, 0);
    const px_meta nested = {.key = "a.nested",
                            .type = PX_META_ARRAY,
                            .array = {.type = PX_META_ARRAY,
                                      .n = 2,
                                      .data = (const uint8_t *)inner.data,
                                      .bytes = inner.len}};
    assert_ok(px_gguf_set_meta(w, &nested, &err));
    px_buf_clear(&inner);
}

static void check_scalars(const px_source *s)
{
    pith_error err;
    check_int(s, "t.u8", PX_META_U8, 200);
    check_int(s, "t.i8", PX_META_I8, -100);
    check_int(s, "t.u16", PX_META_U16, 60000);
    check_int(s, "t.i16", PX_META_I16, -30000);
    check_int(s, "t.u32", PX_META_U32, 4000000000);
    check_int(s, "t.i32", PX_META_I32, -2000000000);
    check_int(s, "t.i64", PX_META_I64, INT64_MIN);
    assert_true(px_source_meta(s, "t.u64")->u == UINT64_MAX);
    assert_true(px_source_meta(s, "t.f64")->f == 0.1);
    assert_true(px_source_meta(s, "t.f32")->f == 0.25);
    assert_true(px_source_meta(s, "t.f32b")->f == -1.5);
    assert_true(px_source_meta(s, "t.bool")->b);
    assert_false(px_source_meta(s, "t.boolb")->b);
    px_str str = px_source_meta(s, "t.str")->str;
    assert_int_equal(str.len, 3);
    assert_memory_equal(str.data, "a\0b", 3);
    int64_t i;
    assert_refused(px_source_get_int(s, "t.u64", true, 0, INT64_MAX, &i, &err), PITH_E_FORMAT,
                   "'t.u64' is 18446744073709551615");
    double f;
    assert_ok(px_source_get_float(s, "t.u64", true, 0, 2e19, &f, &err));
    assert_true(f == 18446744073709551616.0);
    assert_ok(px_source_get_float(s, "t.i32", true, -3e9, 0, &f, &err));
    assert_true(f == -2e9);
}

static void check_arrays(const px_source *s)
{
    pith_error err;
    px_meta_array a;
    px_str str;
    assert_ok(px_source_get_array(s, "a.strs", true, PX_META_STRING, 3, &a, &err));
    const uint8_t *at = a.data;
    assert_true(px_meta_next_str(&a, &at, &str) && px_str_is(str, "one"));
    assert_true(px_meta_next_str(&a, &at, &str) && str.len == 0);
    assert_true(px_meta_next_str(&a, &at, &str) && str.len == 3);
    assert_memory_equal(str.data, "t\0o", 3);
    assert_false(px_meta_next_str(&a, &at, &str));
    assert_ok(px_source_get_array(s, "a.f32s", true, PX_META_F32, 3, &a, &err));
    assert_true(px_meta_float_at(&a, 1) == -2.5);
    assert_true(px_meta_float_at(&a, 2) == (double)3e38f);
    assert_int_equal(px_meta_int_at(&a, 0), 1);
    assert_ok(px_source_get_array(s, "a.i32s", true, PX_META_I32, -1, &a, &err));
    assert_int_equal(a.n, 4);
    assert_int_equal(px_meta_int_at(&a, 1), -1);
    assert_int_equal(px_meta_int_at(&a, 3), INT32_MIN);
    assert_true(px_meta_float_at(&a, 2) == 2147483647.0);
    assert_ok(px_source_get_array(s, "a.none", true, PX_META_I32, 0, &a, &err));
    assert_ok(px_source_get_array(s, "a.absent", false, PX_META_I32, 9, &a, &err));
    assert_int_equal(a.n, 0);
    assert_ok(px_source_get_array(s, "a.nested", true, PX_META_ARRAY, 2, &a, &err));
    assert_int_equal(a.bytes, 12 + 2 + 12);
}

/* Every dtype, shapes of 1 to 4 axes, at alignment 32 and others. */
static void round_trip(uint32_t alignment)
{
    static const uint32_t DTYPES[] = {
#define DTYPE_VALUE(id, value, name, block, bytes, computes) value,
        PX_DTYPES(DTYPE_VALUE)
#undef DTYPE_VALUE
    };
    enum { N = sizeof DTYPES / sizeof DTYPES[0] };
    pith_error err;
    px_gguf_writer *w;
    const char *path = test_temp(test_format("all-%u.gguf", alignment));
    assert_ok(px_gguf_writer_new(path, alignment, &w, &err));
    set_scalars(w);
    set_arrays(w);
    size_t bytes[N];
    for (int i = 0; i < N; i++) {
        const px_dtype_info *info = px_dtype_get(DTYPES[i]);
        int64_t ne[4] = {info->block_elements * (i % 3 + 1), i % 5 + 1, 2, 3};
        int n_dims = i % 4 + 1;
        assert_ok(
            px_gguf_add_tensor(w, test_format("t.%s", info->name), info->id, n_dims, ne, &err));
        bytes[i] = (size_t)info->block_bytes * (size_t)(i % 3 + 1);
        for (int d = 1; d < n_dims; d++)
            bytes[i] *= (size_t)ne[d];
    }
    assert_ok(px_gguf_begin_data(w, &err));
    for (int i = 0; i < N; i++)
        for (size_t b = 0; b < bytes[i]; b++) {
            uint8_t byte = (uint8_t)(b * 7 + (size_t)i);
            assert_ok(px_gguf_write_data(w, &byte, 1, &err));
        }
    assert_false(test_exists(path));
    assert_ok(px_gguf_finish(w, &err));
    px_gguf_writer_free(w);

    px_source *s;
    assert_ok(px_source_open(path, NULL, &s, &err));
    assert_int_equal(s->version, 3);
    assert_int_equal(s->alignment, alignment);
    assert_int_equal(s->n_tensors, N);
    check_scalars(s);
    check_arrays(s);
    for (int i = 0; i < N; i++) {
        const px_tensor *t = &s->tensors[i];
        assert_string_equal(t->name, test_format("t.%s", px_dtype_name(DTYPES[i])));
        assert_int_equal(t->dtype, DTYPES[i]);
        assert_int_equal(t->n_dims, i % 4 + 1);
        assert_int_equal(t->ne[1], t->n_dims > 1 ? i % 5 + 1 : 1);
        assert_int_equal(t->bytes, bytes[i]);
        assert_int_equal(t->file_offset % alignment, 0);
        for (size_t b = 0; b < bytes[i]; b++)
            assert_int_equal(t->data[b], (uint8_t)(b * 7 + (size_t)i));
    }
    px_source_close(s);
}

static void round_trips(void **state)
{
    (void)state;
    round_trip(32);
    round_trip(64);
    round_trip(8);
    round_trip(4096);
}

static void writer_refuses_misuse(void **state)
{
    (void)state;
    pith_error err;
    px_gguf_writer *w;
    const int64_t ne[] = {33, 0};
    const char *path = test_temp("misuse.gguf");
    assert_refused(px_gguf_writer_new(path, 48, &w, &err), PITH_E_ARGUMENT, "alignment 48");
    assert_refused(px_gguf_writer_new(test_temp("no/such/x.gguf"), 32, &w, &err), PITH_E_NOT_FOUND,
                   "no/such");
    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    assert_refused(px_gguf_add_tensor(w, "q", PX_Q8_0, 1, ne, &err), PITH_E_ARGUMENT, "q8_0");
    assert_refused(px_gguf_add_tensor(w, "z", PX_F32, 2, ne, &err), PITH_E_ARGUMENT, "'z'");
    assert_refused(px_gguf_add_tensor(w, "", PX_F32, 1, ne, &err), PITH_E_ARGUMENT, "0 bytes");
    assert_refused(px_gguf_set_u32(w, "", 1, &err), PITH_E_ARGUMENT, "0 bytes");
    assert_refused(px_gguf_write_data(w, "x", 1, &err), PITH_E_INTERNAL, "begin_data");
    assert_ok(px_gguf_add_tensor(w, "a", PX_F32, 1, ne, &err));
    assert_ok(px_gguf_add_tensor(w, "a", PX_F32, 1, ne, &err));
    assert_refused(px_gguf_begin_data(w, &err), PITH_E_ARGUMENT, "'a' is declared twice");
    px_gguf_writer_free(w);

    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    assert_ok(px_gguf_add_tensor(w, "a", PX_F32, 1, ne, &err));
    assert_ok(px_gguf_begin_data(w, &err));
    char zeros[33 * 4 + 1] = {0};
    assert_refused(px_gguf_write_data(w, zeros, sizeof zeros, &err), PITH_E_INTERNAL, "'a'");
    assert_ok(px_gguf_write_data(w, zeros, 100, &err));
    assert_refused(px_gguf_finish(w, &err), PITH_E_INTERNAL, "'a' has 100 of its 132 bytes");
    assert_refused(px_gguf_set_u32(w, "late", 1, &err), PITH_E_INTERNAL, "'late'");
    px_gguf_writer_free(w);
    assert_false(test_exists(path));
}

/* ---- split files */

typedef struct part {
    int no, count;   // as the keys say; count 0: no keys
    int64_t tensors; // split.tensors.count, or -1
    const char *tensor;
} part;

static void write_part(const char *path, const part *p)
{
    pith_error err;
    px_gguf_writer *w;
    const int64_t ne[] = {4};
    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    if (p->no == 0)
        assert_ok(px_gguf_set_str(w, "general.architecture", px_str_of("llama"), &err));
    px_meta no = {.key = "split.no", .type = PX_META_U16, .u = (uint64_t)p->no};
    px_meta count = {.key = "split.count", .type = PX_META_U16, .u = (uint64_t)p->count};
    if (p->count) {
        assert_ok(px_gguf_set_meta(w, &no, &err));
        assert_ok(px_gguf_set_meta(w, &count, &err));
    }
    if (p->tensors >= 0)
        assert_ok(px_gguf_set_i32(w, "split.tensors.count", (int32_t)p->tensors, &err));
    if (p->tensor)
        assert_ok(px_gguf_add_tensor(w, p->tensor, PX_F32, 1, ne, &err));
    assert_ok(px_gguf_begin_data(w, &err));
    float values[4] = {(float)p->no, 1, 2, 3};
    if (p->tensor)
        assert_ok(px_gguf_write_data(w, values, sizeof values, &err));
    assert_ok(px_gguf_finish(w, &err));
    px_gguf_writer_free(w);
}

static void reads_splits(void **state)
{
    (void)state;
    pith_error err;
    for (int i = 0; i < 3; i++)
        write_part(test_temp(test_format("m-%05d-of-00003.gguf", i + 1)),
                   &(part){i, 3, i == 0 ? 3 : -1, test_format("blk.%d.x", i)});
    for (int given = 0; given < 3; given++) {
        px_source *s;
        const char *path = test_temp(test_format("m-%05d-of-00003.gguf", given + 1));
        assert_ok(px_source_open(path, NULL, &s, &err));
        assert_int_equal(s->n_files, 3);
        assert_int_equal(s->n_tensors, 3);
        assert_non_null(strstr(s->path, "m-00001-of-00003.gguf"));
        assert_non_null(px_source_meta(s, "general.architecture"));
        for (int i = 0; i < 3; i++) {
            const px_tensor *t = px_source_tensor(s, test_format("blk.%d.x", i));
            assert_non_null(t);
            assert_int_equal(t->file, i);
            float v;
            memcpy(&v, t->data, sizeof v);
            assert_true(v == (float)i);
            assert_non_null(strstr(s->files[t->file], test_format("m-%05d-of", i + 1)));
        }
        px_source_close(s);
    }
}

static void refuses_bad_splits(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *first = test_temp("b-00001-of-00002.gguf"),
               *second = test_temp("b-00002-of-00002.gguf");
    write_part(first, &(part){0, 2, 2, "a"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_NOT_FOUND,
                   "part 2 of 2 of the model is missing");
    write_part(second, &(part){1, 2, -1, "a"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT, "tensor 'a' twice");
    write_part(second, &(part){1, 3, -1, "b"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT,
                   "say part 2 of 3, expected part 2 of 2");
    write_part(second, &(part){0, 0, -1, "b"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT,
                   "say part 1 of 1, expected part 2 of 2");
    write_part(second, &(part){1, 2, -1, "b"});
    write_part(first, &(part){0, 2, 5, "a"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT,
                   "'split.tensors.count' is 5, but its 2 parts hold 2 tensors");
    write_part(first, &(part){2, 2, -1, "a"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT, "'split.no' is 2");
    write_part(first, &(part){0, 60000, -1, "a"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT, "'split.count' is 60000");
    const char *renamed = test_temp("renamed.gguf");
    write_part(renamed, &(part){1, 2, -1, "a"});
    assert_refused(px_source_open(renamed, NULL, &s, &err), PITH_E_FORMAT,
                   "must end in -00002-of-00002.gguf");
    test_write(second, "GGUF", 4);
    write_part(first, &(part){0, 2, -1, "a"});
    assert_refused(px_source_open(first, NULL, &s, &err), PITH_E_FORMAT, "b-00002-of-00002.gguf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(writer_refuses_misuse),
        cmocka_unit_test(reads_splits),
        cmocka_unit_test(refuses_bad_splits),
    };
    return cmocka_run_group_tests_name("gguf_write", tests, NULL, NULL);
}

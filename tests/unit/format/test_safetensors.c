/* safetensors files: a good one of every dtype, and those that must be refused. */
#include "gguf_bytes.h"

#include "base/arena.h"
#include "format/safetensors.h"

/* Header and `n` bytes of data in memory of exactly their size. */
static pith_status parse(const char *header, size_t n, px_arena *arena, px_st_file *out,
                         uint8_t **memory, pith_error *err)
{
    size_t length = strlen(header);
    uint64_t prefix = length;
    *memory = malloc(8 + length + n);
    assert_non_null(*memory);
    memcpy(*memory, &prefix, 8);
    memcpy(*memory + 8, header, length);
    for (size_t i = 0; i < n; i++)
        (*memory)[8 + length + i] = (uint8_t)i;
    return px_st_parse("bad.safetensors", *memory, 8 + length + n, arena, out, err);
}

static void reads_every_dtype(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int bits;
    } DTYPES[] = {
#define DTYPE_ROW(name, bits, dtype, readable) {name, bits},
        PX_ST_DTYPES(DTYPE_ROW)
#undef DTYPE_ROW
    };
    pith_error err;
    px_arena arena;
    px_arena_init(&arena, 0, 0);
    px_buf header = {0};
    size_t at = 0;
    px_buf_puts(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < sizeof DTYPES / sizeof DTYPES[0]; i++) {
        size_t bytes = (size_t)(4 * DTYPES[i].bits) / 8 * 2;
        px_buf_printf(&header,
                      ",\"t%zu\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[%zu,%zu]}", i,
                      DTYPES[i].name, at, at + bytes);
        at += bytes;
    }
    px_buf_puts(&header, ",\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[");
    px_buf_printf(&header, "%zu,%zu]},\"none\":{\"shape\":[0,7],\"dtype\":\"F16\",", at, at + 4);
    px_buf_printf(&header, "\"data_offsets\":[%zu,%zu]}}   ", at + 4, at + 4);
    at += 4;
    px_st_file file;
    uint8_t *memory;
    assert_ok(parse(header.data, at, &arena, &file, &memory, &err));
    assert_int_equal(file.n_tensors, sizeof DTYPES / sizeof DTYPES[0] + 2);
    for (int64_t i = 0; i < file.n_tensors - 2; i++) {
        const px_st_tensor *t = &file.tensors[i];
        assert_string_equal(t->name, test_format("t%d", (int)i));
        assert_string_equal(t->dtype_name, DTYPES[i].name);
        assert_int_equal(t->readable, i < 3);
        assert_int_equal(t->n_dims, 2);
        assert_int_equal(t->shape[0], 2);
        assert_int_equal(t->shape[1], 4);
        assert_int_equal(t->bytes, DTYPES[i].bits);
        assert_ptr_equal(t->data, memory + t->file_offset);
        assert_int_equal(t->file_offset, t->data - memory);
    }
    assert_int_equal(file.tensors[file.n_tensors - 2].n_dims, 0);
    assert_int_equal(file.tensors[file.n_tensors - 2].bytes, 4);
    assert_int_equal(file.tensors[file.n_tensors - 1].bytes, 0);
    free(memory);
    px_buf_clear(&header);
    px_arena_clear(&arena);
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t n; // bytes of data
    pith_status status;
    const char *text;
} BAD[] = {
    {"[]", 0, PITH_E_FORMAT, "the header starts with byte 0x5b"},
    {"{}x", 0, PITH_E_FORMAT, "line 1 column 3: found 'x'"},
    {"{\"a\":1}", 0, PITH_E_FORMAT, "tensor 'a': 'entry' is a number (1), expected an object"},
    {"{\"a\":{}}", 0, PITH_E_FORMAT, "tensor 'a': 'dtype' is missing"},
    {"{\"\":{}}", 0, PITH_E_FORMAT, "a tensor named \"\""},
    {"{\"a\\u0007\":{}}", 0, PITH_E_FORMAT, "without control characters"},
    {"{" T("a", "F33", "[1]", "[0,4]") "}", 4, PITH_E_UNSUPPORTED, "tensor 'a' has dtype \"F33\""},
    {"{\"a\":{\"dtype\":7}}", 0, PITH_E_FORMAT, "'dtype' is a number (7), expected a string"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, PITH_E_FORMAT, "'shape' is missing"},
    {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, PITH_E_FORMAT, "'shape' is a number (-1)"},
    {"{" T("a", "F32", "[1.5]", "[0,4]") "}", 4, PITH_E_FORMAT, "'shape' is a number (1.5)"},
    {"{" T("a", "F32", "[\"1\"]", "[0,4]") "}", 4, PITH_E_FORMAT, "'shape' is a string"},
    {"{" T("a", "F32", "[4294967296,4294967296,2]", "[0,4]") "}", 4, PITH_E_FORMAT,
     "expected a product that fits"},
    {"{" T("a", "F64", "[4611686018427387904]", "[0,4]") "}", 4, PITH_E_FORMAT, "'shape'"},
    {"{" T("a", "F4", "[3]", "[0,1]") "}", 1, PITH_E_FORMAT, "whole bytes"},
    {"{" T("a", "F32", "[1]", "4") "}", 4, PITH_E_FORMAT, "'data_offsets' is a number (4)"},
    {"{" T("a", "F32", "[1]", "[0]") "}", 4, PITH_E_FORMAT, "expected [begin, end]"},
    {"{" T("a", "F32", "[1]", "[0,4,8]") "}", 4, PITH_E_FORMAT, "expected [begin, end]"},
    {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, PITH_E_FORMAT, "expected [begin, end]"},
    {"{" T("a", "F32", "[1]", "[-4,0]") "}", 4, PITH_E_FORMAT, "expected [begin, end]"},
    {"{" T("a", "F32", "[2]", "[0,8]") "}", 7, PITH_E_FORMAT, "'a' ends at data byte 8, but"},
    {"{" T("a", "F32", "[2]", "[0,4]") "}", 4, PITH_E_FORMAT, "has 4 bytes, expected 8"},
    {"{" T("a", "F32", "[1]", "[0,4]") "}", 5, PITH_E_FORMAT, "has 1 bytes behind its last tensor"},
    {"{" T("a", "F32", "[1]", "[1,5]") "}", 5, PITH_E_FORMAT, "'a' begins at byte "},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[5,9]") "}", 9, PITH_E_FORMAT,
     "tensor 'b' begins at byte "},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[2,6]") "}", 6, PITH_E_FORMAT,
     "tensor 'b' begins at byte "},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[0,4]") "}", 4, PITH_E_FORMAT,
     "begins at byte "},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, PITH_E_FORMAT,
     "has the tensor 'a' twice"},
    {"{" T("\\u0061", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8,
     PITH_E_FORMAT, "has the tensor 'a' twice"},
};

static void refuses_bad_headers(void **state)
{
    (void)state;
    pith_error err;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        px_arena arena;
        px_arena_init(&arena, 0, 0);
        px_st_file file;
        uint8_t *memory;
        assert_refused(parse(BAD[i].header, BAD[i].n, &arena, &file, &memory, &err), BAD[i].status,
                       BAD[i].text);
        assert_non_null(strstr(err.text, "'bad.safetensors'"));
        free(memory);
        px_arena_clear(&arena);
    }
}

static void refuses_bad_lengths(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        size_t n; // bytes of the file
        pith_status status;
        const char *text;
    } CASES[] = {
        {0, 0, PITH_E_FORMAT, "has 0 bytes, expected a safetensors file"},
        {0, 7, PITH_E_FORMAT, "has 7 bytes"},
        {0, 100, PITH_E_FORMAT, "says that its header has 0 bytes"},
        {93, 100, PITH_E_FORMAT, "says that its header has 93 bytes, but 92 follow"},
        {UINT64_MAX, 100, PITH_E_FORMAT, "has 18446744073709551615 bytes, but 92 follow"},
    };
    pith_error err;
    px_arena arena;
    px_st_file file;
    px_arena_init(&arena, 0, 0);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint8_t *memory = calloc(1, CASES[i].n + 1);
        assert_non_null(memory);
        if (CASES[i].n >= 8)
            memcpy(memory, &CASES[i].length, 8);
        uint8_t *exact = malloc(CASES[i].n ? CASES[i].n : 1);
        assert_non_null(exact);
        memcpy(exact, memory, CASES[i].n);
        assert_refused(px_st_parse("bad.safetensors", exact, CASES[i].n, &arena, &file, &err),
                       CASES[i].status, CASES[i].text);
        free(exact);
        free(memory);
    }
    px_arena_clear(&arena);
}

static void refuses_truncations(void **state)
{
    (void)state;
    pith_error err;
    size_t size;
    const char *path = test_source("tests/golden/models/llama2/model.safetensors");
    if (!test_exists(path))
        skip();
    char *bytes = test_read(path, &size);
    for (size_t n = 0; n <= size; n += n < 4096 || n + 64 > size ? 1 : 97) {
        px_arena arena;
        px_arena_init(&arena, 0, 0);
        px_st_file file;
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, n);
        if (n < size)
            assert_refused(px_st_parse("cut", exact, n, &arena, &file, &err), PITH_E_FORMAT,
                           "'cut'");
        else
            assert_ok(px_st_parse("whole", exact, n, &arena, &file, &err));
        free(exact);
        px_arena_clear(&arena);
    }
}

static void caps_tensors(void **state)
{
    (void)state;
    pith_error err;
    px_arena arena;
    px_arena_init(&arena, 0, 0);
    px_buf header = {0};
    for (int i = 0; i <= PX_MAX_TENSORS; i++)
        px_buf_printf(&header, "%c\"%d\":{}", i ? ',' : '{', i);
    px_buf_puts(&header, "}");
    px_st_file file;
    uint8_t *memory;
    assert_refused(parse(header.data, 0, &arena, &file, &memory, &err), PITH_E_LIMIT,
                   "has 65537 tensors, expected at most 65536");
    free(memory);
    px_buf_clear(&header);
    px_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_dtype),   cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_bad_lengths), cmocka_unit_test(refuses_truncations),
        cmocka_unit_test(caps_tensors),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}

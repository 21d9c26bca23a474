/* GGUF files that must be refused: each with the right status and a sentence that names the thing.
 * Files lie in memory of exactly their size, so that AddressSanitizer sees any step past the end.
 */
#include "gguf_bytes.h"

#include "format/source_state.h"

#include <sys/wait.h>
#include <unistd.h>

static pith_status open_there(const uint8_t *bytes, size_t n, pith_error *err)
{
    const px_source_options options = {.tensors_optional = true};
    px_source *s = NULL;
    pith_status status = px_source_open_memory("bad.gguf", bytes, n, &options, &s, err);
    assert_int_equal(status == PITH_OK, s != NULL);
    px_source_close(s);
    return status;
}

static pith_status open_bytes(const void *bytes, size_t n, pith_error *err)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    if (n)
        memcpy(copy, bytes, n);
    pith_status status = open_there(copy, n, err);
    free(copy);
    return status;
}

static void refuses_truncations(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *path = test_shared("models/stories260K.gguf");
    size_t size, end = 0;
    char *bytes = test_read(path, &size);
    assert_ok(px_source_open(path, NULL, &s, &err));
    for (int64_t i = 0; i < s->n_tensors; i++)
        if (s->tensors[i].file_offset + s->tensors[i].bytes > end)
            end = (size_t)s->tensors[i].file_offset + s->tensors[i].bytes;
    px_source_close(s);
    assert_true(end <= size && end > 1 << 20);
    for (size_t n = 0; n < end; n += n < 1024 ? 1 : n < 20000 ? 61 : 9973)
        assert_refused(open_bytes(bytes, n, &err), PITH_E_FORMAT, "'bad.gguf'");
    assert_refused(open_bytes(bytes, end - 1, &err), PITH_E_FORMAT, "the file is truncated");
    assert_ok(open_bytes(bytes, end, &err));
}

/* Whatever a single byte is, the file opens or is refused with a sentence. */
static void survives_any_byte(void **state)
{
    (void)state;
    pith_error err;
    size_t size;
    char *whole = test_read(test_shared("models/stories260K.gguf"), &size);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, whole, size);
    test_random r = test_random_start(1);
    /* The head and the first keys, and all up to the tensor table. */
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        size_t at = (size_t)test_random_below(&r, i % 2 ? 300 : 16000);
        uint8_t old = bytes[at];
        bytes[at] = (uint8_t)test_random_u64(&r);
        err = (pith_error){0};
        pith_status status = open_there(bytes, size, &err);
        assert_int_equal(err.status, status);
        assert_int_equal(err.text[0] != '\0', status != PITH_OK);
        refused += status != PITH_OK;
        bytes[at] = old;
    }
    assert_true(refused > 100);
    assert_ok(open_there(bytes, size, &err));
    free(bytes);
}

/* ---- made files */

typedef void (*maker)(px_buf *b);

static const uint64_t NE_32[] = {32};

/* One key, u32, whose bytes the caller goes on with. */
static void one_key(px_buf *b, uint32_t type)
{
    put_head(b, 3, 0, 1);
    put_key(b, "a.key", type);
}

static void empty(px_buf *b)
{
    (void)b;
}
static void three_bytes(px_buf *b)
{
    px_buf_puts(b, "GGU");
}
static void zip(px_buf *b)
{
    px_buf_put(b, "PK\3\4 and more", 12);
}
static void old_ggml(px_buf *b)
{
    px_buf_puts(b, "tjgg and more");
}
static void lfs(px_buf *b)
{
    px_buf_puts(b, "version https://git-lfs.github.com/spec/v1");
}
static void safetensors(px_buf *b)
{
    put_u64(b, 100);
    px_buf_puts(b, "{\"a\":");
}
static void version_1(px_buf *b)
{
    put_head(b, 1, 0, 0);
}
static void version_4(px_buf *b)
{
    put_head(b, 4, 0, 0);
}
static void big_endian(px_buf *b)
{
    put_head(b, 0x03000000, 0, 0);
}
static void keys_beyond_file(px_buf *b)
{
    put_head(b, 3, 0, 1000);
    put_zeros(b, 100);
}
static void keys_absurd(px_buf *b)
{
    put_head(b, 3, 0, UINT64_MAX);
    put_zeros(b, 100);
}
static void tensors_absurd(px_buf *b)
{
    put_head(b, 3, UINT64_MAX / 64, 0);
    put_zeros(b, 100);
}
static void keys_over_cap(px_buf *b)
{
    put_head(b, 3, 0, PX_MAX_META_KEYS + 1);
    put_zeros(b, (PX_MAX_META_KEYS + 1) * 14);
}
static void tensors_over_cap(px_buf *b)
{
    put_head(b, 3, PX_MAX_TENSORS + 1, 0);
    put_zeros(b, (size_t)(PX_MAX_TENSORS + 1) * 33);
}
static void key_empty(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_key(b, "", PX_META_U8);
    put_zeros(b, 8);
}
static void key_long(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_u64(b, PX_MAX_KEY_BYTES + 1);
    for (int i = 0; i <= PX_MAX_KEY_BYTES; i++)
        px_buf_putc(b, 'k');
    put_zeros(b, 8);
}
static void key_huge(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_u64(b, UINT64_MAX - 3);
    put_zeros(b, 8);
}
static void key_with_zero(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_strn(b, "a\0b", 3);
    put_zeros(b, 8);
}
static void key_with_escape(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_key(b, "a\033[2J", PX_META_U8);
    put_zeros(b, 8);
}
static void key_not_utf8(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_key(b, "a\xff", PX_META_U8);
    put_zeros(b, 8);
}
static void key_twice(px_buf *b)
{
    put_head(b, 3, 0, 3);
    for (int i = 0; i < 3; i++) {
        put_key(b, i == 1 ? "b" : "a.twice", PX_META_U32);
        put_u32(b, 1);
    }
}
static void type_13(px_buf *b)
{
    one_key(b, 13);
    put_zeros(b, 64);
}
static void bool_2(px_buf *b)
{
    one_key(b, PX_META_BOOL);
    px_buf_putc(b, 2);
}
static void value_cut(px_buf *b)
{
    one_key(b, PX_META_U64);
    put_zeros(b, 7);
}
static void string_huge(px_buf *b)
{
    one_key(b, PX_META_STRING);
    put_u64(b, UINT64_MAX - 7);
    put_zeros(b, 16);
}
static void array_type_13(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    put_u32(b, 13);
    put_u64(b, 1);
    put_zeros(b, 64);
}
static void array_huge(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    put_u32(b, PX_META_F64);
    put_u64(b, UINT64_MAX / 8 + 2); // times 8 wraps to 8
    put_zeros(b, 64);
}
static void strings_huge(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    put_u32(b, PX_META_STRING);
    put_u64(b, 1u << 30);
    put_zeros(b, 64);
}
static void strings_cut(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    put_u32(b, PX_META_STRING);
    put_u64(b, 3);
    put_str(b, "one");
    put_u64(b, 1000);
    put_zeros(b, 40);
}
static void bools_bad(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    put_u32(b, PX_META_BOOL);
    put_u64(b, 4);
    px_buf_put(b, "\0\1\0\7", 4);
}
static void arrays_deep(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    for (int i = 0; i < 5; i++) {
        put_u32(b, i < 4 ? PX_META_ARRAY : PX_META_U8);
        put_u64(b, 1);
    }
    put_zeros(b, 8);
}
static void arrays_many(px_buf *b)
{
    one_key(b, PX_META_ARRAY);
    put_u32(b, PX_META_ARRAY);
    put_u64(b, UINT64_MAX / 12);
    put_zeros(b, 64);
}
static void align_with(px_buf *b, uint32_t type, uint32_t value)
{
    put_head(b, 3, 0, 1);
    put_key(b, "general.alignment", type);
    put_u32(b, value);
}
static void align_0(px_buf *b)
{
    align_with(b, PX_META_U32, 0);
}
static void align_24(px_buf *b)
{
    align_with(b, PX_META_U32, 24);
}
static void align_2g(px_buf *b)
{
    align_with(b, PX_META_U32, 1u << 31);
}
static void align_f32(px_buf *b)
{
    align_with(b, PX_META_F32, 0);
}

/* One tensor as described, and 1024 bytes of data. */
static void one_tensor(px_buf *b, const char *name, uint32_t n_dims, const uint64_t *ne,
                       uint32_t dtype, uint64_t offset)
{
    put_head(b, 3, 1, 0);
    put_tensor(b, name, n_dims, ne, dtype, offset);
    put_pad(b, 32);
    put_zeros(b, 1024);
}
static void name_empty(px_buf *b)
{
    one_tensor(b, "", 1, NE_32, PX_F32, 0);
}
static void name_long(px_buf *b)
{
    char name[PX_MAX_TENSOR_NAME + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    one_tensor(b, name, 1, NE_32, PX_F32, 0);
}
static void dims_0(px_buf *b)
{
    one_tensor(b, "t.x", 0, NE_32, PX_F32, 0);
}
static void dims_5(px_buf *b)
{
    const uint64_t ne[] = {1, 1, 1, 1, 1};
    one_tensor(b, "t.x", 5, ne, PX_F32, 0);
}
static void ne_0(px_buf *b)
{
    const uint64_t ne[] = {32, 0};
    one_tensor(b, "t.x", 2, ne, PX_F32, 0);
}
static void ne_wraps(px_buf *b)
{
    const uint64_t ne[] = {1ull << 32, 1ull << 32, 1};
    one_tensor(b, "t.x", 3, ne, PX_F32, 0);
}
static void ne_negative(px_buf *b)
{
    const uint64_t ne[] = {UINT64_MAX};
    one_tensor(b, "t.x", 1, ne, PX_F32, 0);
}
static void bytes_wrap(px_buf *b)
{
    const uint64_t ne[] = {1ull << 62};
    one_tensor(b, "t.x", 1, ne, PX_F64, 0);
}
static void dtype_unknown(px_buf *b)
{
    one_tensor(b, "t.x", 1, NE_32, 77, 0);
}
static void dtype_removed(px_buf *b)
{
    one_tensor(b, "t.x", 1, NE_32, 31, 0);
}
static void row_odd(px_buf *b)
{
    const uint64_t ne[] = {48, 2};
    one_tensor(b, "t.x", 2, ne, PX_Q4_0, 0);
}
static void offset_odd(px_buf *b)
{
    one_tensor(b, "t.x", 1, NE_32, PX_F32, 16);
}
static void offset_out(px_buf *b)
{
    one_tensor(b, "t.x", 1, NE_32, PX_F32, 1024);
}
static void offset_wraps(px_buf *b)
{
    one_tensor(b, "t.x", 1, NE_32, PX_F32, UINT64_MAX - 31);
}
static void data_cut(px_buf *b)
{
    const uint64_t ne[] = {257};
    one_tensor(b, "t.x", 1, ne, PX_F32, 0);
}
static void two_tensors(px_buf *b, const char *second, uint64_t offset)
{
    put_head(b, 3, 2, 0);
    put_tensor(b, "first", 1, NE_32, PX_F32, 64);
    put_tensor(b, second, 1, NE_32, PX_F32, offset);
    put_pad(b, 32);
    put_zeros(b, 1024);
}
static void tensor_twice(px_buf *b)
{
    two_tensors(b, "first", 512);
}
static void overlap(px_buf *b)
{
    two_tensors(b, "second", 160);
}
static void overlap_before(px_buf *b)
{
    two_tensors(b, "second", 0);
}
static void same_place(px_buf *b)
{
    two_tensors(b, "second", 64);
}
static void table_cut(px_buf *b)
{
    put_head(b, 3, 2, 0);
    put_tensor(b, "first", 1, NE_32, PX_F32, 0);
    put_str(b, "second");
    put_u32(b, 4);
    put_u64(b, 1);
    put_u64(b, 1);
    put_zeros(b, 4);
}
static void split_type(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_key(b, "split.count", PX_META_F32);
    put_u32(b, 0);
}
static void split_part(px_buf *b)
{
    put_head(b, 3, 0, 1);
    put_key(b, "split.count", PX_META_U32);
    put_u32(b, 3);
}

static const struct {
    const char *name;
    maker make;
    pith_status status;
    const char *text;
} BAD[] = {
#define BAD_FILE(make, status, text) \
    {                                \
#make, make, status, text    \
    }
    BAD_FILE(empty, PITH_E_FORMAT, "has 0 bytes, expected a GGUF file"),
    BAD_FILE(three_bytes, PITH_E_FORMAT, "has 3 bytes"),
    BAD_FILE(zip, PITH_E_FORMAT, "a zip archive as PyTorch writes it"),
    BAD_FILE(old_ggml, PITH_E_FORMAT, "older than GGUF"),
    BAD_FILE(lfs, PITH_E_FORMAT, "Git LFS"),
    BAD_FILE(safetensors, PITH_E_FORMAT, "a safetensors file"),
    BAD_FILE(version_1, PITH_E_UNSUPPORTED, "version 1, expected 2 or 3"),
    BAD_FILE(version_4, PITH_E_UNSUPPORTED, "version 4, expected 2 or 3"),
    BAD_FILE(big_endian, PITH_E_UNSUPPORTED, "big-endian GGUF file (version 3)"),
    BAD_FILE(keys_beyond_file, PITH_E_FORMAT, "has 1000 keys, but only 100 bytes follow"),
    BAD_FILE(keys_absurd, PITH_E_FORMAT, "has 18446744073709551615 keys"),
    BAD_FILE(tensors_absurd, PITH_E_FORMAT, "has 288230376151711743 tensors"),
    BAD_FILE(keys_over_cap, PITH_E_LIMIT, "has 65537 keys, expected at most 65536"),
    BAD_FILE(tensors_over_cap, PITH_E_LIMIT, "has 65537 tensors, expected at most 65536"),
    BAD_FILE(key_empty, PITH_E_FORMAT, "key 1 of 1 has a name of 0 bytes"),
    BAD_FILE(key_long, PITH_E_FORMAT, "has a name of 65536 bytes, expected 1 to 65535"),
    BAD_FILE(key_huge, PITH_E_FORMAT, "key 1 of 1: its name at byte 24 reaches past the end"),
    BAD_FILE(key_with_zero, PITH_E_FORMAT, "the name of key 1 of 1 holds control characters"),
    BAD_FILE(key_with_escape, PITH_E_FORMAT, "holds control characters"),
    BAD_FILE(key_not_utf8, PITH_E_FORMAT, "is not UTF-8"),
    BAD_FILE(key_twice, PITH_E_FORMAT, "has the key 'a.twice' twice"),
    BAD_FILE(type_13, PITH_E_FORMAT, "key 'a.key' has metadata type 13"),
    BAD_FILE(bool_2, PITH_E_FORMAT, "key 'a.key' holds 2 as a bool"),
    BAD_FILE(value_cut, PITH_E_FORMAT, "key 'a.key': its value at byte 41 reaches past the end"),
    BAD_FILE(string_huge, PITH_E_FORMAT, "key 'a.key': its value"),
    BAD_FILE(array_type_13, PITH_E_FORMAT, "key 'a.key' has metadata type 13"),
    BAD_FILE(array_huge, PITH_E_FORMAT, "key 'a.key': an array of 2305843009213693953 elements"),
    BAD_FILE(strings_huge, PITH_E_FORMAT, "key 'a.key': an array of strings"),
    BAD_FILE(strings_cut, PITH_E_FORMAT, "key 'a.key': string 2 of 3"),
    BAD_FILE(bools_bad, PITH_E_FORMAT, "key 'a.key' holds 7 as a bool"),
    BAD_FILE(arrays_deep, PITH_E_LIMIT, "key 'a.key' nests arrays deeper than the 4 levels"),
    BAD_FILE(arrays_many, PITH_E_FORMAT, "key 'a.key': an array of arrays"),
    BAD_FILE(align_0, PITH_E_FORMAT, "'general.alignment' is 0"),
    BAD_FILE(align_24, PITH_E_FORMAT, "'general.alignment' is 24, expected a power of two"),
    BAD_FILE(align_2g, PITH_E_FORMAT, "'general.alignment' is 2147483648"),
    BAD_FILE(align_f32, PITH_E_FORMAT, "'general.alignment' has type f32, expected u32"),
    BAD_FILE(name_empty, PITH_E_FORMAT, "tensor 1 of 1 has a name of 0 bytes"),
    BAD_FILE(name_long, PITH_E_FORMAT, "has a name of 257 bytes, expected 1 to 256"),
    BAD_FILE(dims_0, PITH_E_FORMAT, "tensor 't.x' has 0 dimensions"),
    BAD_FILE(dims_5, PITH_E_FORMAT, "tensor 't.x' has 5 dimensions"),
    BAD_FILE(ne_0, PITH_E_FORMAT, "tensor 't.x' has 0 elements along axis 1"),
    BAD_FILE(ne_wraps, PITH_E_FORMAT, "tensor 't.x' has 4294967296 elements along axis 1"),
    BAD_FILE(ne_negative, PITH_E_FORMAT, "has 18446744073709551615 elements along axis 0"),
    BAD_FILE(bytes_wrap, PITH_E_FORMAT, "tensor 't.x' is larger than any file"),
    BAD_FILE(dtype_unknown, PITH_E_UNSUPPORTED, "tensor 't.x' has type 77"),
    BAD_FILE(dtype_removed, PITH_E_UNSUPPORTED, "type 31 (Q4_0_4_4)"),
    BAD_FILE(row_odd, PITH_E_FORMAT, "tensor 't.x' has rows of 48 elements"),
    BAD_FILE(offset_odd, PITH_E_FORMAT, "tensor 't.x' starts at data offset 16"),
    BAD_FILE(offset_out, PITH_E_FORMAT, "tensor 't.x' needs 128 bytes at data offset 1024"),
    BAD_FILE(offset_wraps, PITH_E_FORMAT, "tensor 't.x' needs 128 bytes at data offset 184467"),
    BAD_FILE(data_cut, PITH_E_FORMAT,
             "needs 1028 bytes at data offset 0, but the data section has"),
    BAD_FILE(tensor_twice, PITH_E_FORMAT, "has the tensor 'first' twice"),
    BAD_FILE(overlap, PITH_E_FORMAT, "tensor 'first' (128 bytes at byte "),
    BAD_FILE(overlap_before, PITH_E_FORMAT, "tensor 'second' (128 bytes at byte "),
    BAD_FILE(same_place, PITH_E_FORMAT, "overlaps tensor "),
    BAD_FILE(table_cut, PITH_E_FORMAT, "tensor 'second': its shape"),
    BAD_FILE(split_type, PITH_E_FORMAT, "'split.count' has type f32, expected an integer"),
    BAD_FILE(split_part, PITH_E_UNSUPPORTED, "is a part of a split model"),
#undef BAD_FILE
};

static void refuses_bad_files(void **state)
{
    (void)state;
    pith_error err;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        px_buf b = {0};
        BAD[i].make(&b);
        err = (pith_error){0};
        pith_status status = open_bytes(b.data, b.len, &err);
        if (status != BAD[i].status || err.status != status || !strstr(err.text, BAD[i].text) ||
            !strstr(err.text, "'bad.gguf'"))
            fail_msg("%s: expected %s with '%s', got %s: %s", BAD[i].name,
                     pith_status_text(BAD[i].status), BAD[i].text, pith_status_text(status),
                     err.text);
        px_buf_clear(&b);
    }
}

/* Version 2 differs from 3 only in its number; a small alignment is as good as a large one. */
static void accepts_odd_but_good(void **state)
{
    (void)state;
    pith_error err;
    px_buf b = {0};
    put_head(&b, 2, 2, 1);
    put_key(&b, "general.alignment", PX_META_U32);
    put_u32(&b, 4);
    put_tensor(&b, "b", 1, NE_32, PX_F32, 4);
    put_tensor(&b, "a", 1, NE_32, PX_F32, 132);
    put_pad(&b, 4);
    put_zeros(&b, 260);
    assert_ok(open_bytes(b.data, b.len, &err));
    px_buf_clear(&b);
}

/* ---- memory */

/* Kilobytes of address space at the peak, or -1. */
static long peak_kb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kb = -1;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmPeak: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

/* Opens in a child process and gives by how many kilobytes its address space grew; the child checks
 * that the file is refused. */
static long growth_kb(const char *path, pith_status expected)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        px_source *s;
        pith_error err = {0};
        long before = peak_kb();
        pith_status status = px_source_open(path, NULL, &s, &err);
        long grown = status == expected && before > 0 ? peak_kb() - before : -1;
        if (write(pipes[1], &grown, sizeof grown) != sizeof grown)
            _exit(1);
        _exit(0);
    }
    long grown = -1;
    close(pipes[1]);
    ssize_t got = read(pipes[0], &grown, sizeof grown);
    close(pipes[0]);
    int status;
    waitpid(pid, &status, 0);
    return got == sizeof grown && status == 0 ? grown : -1;
}

static void check_growth(const char *name, const px_buf *b, pith_status expected)
{
    const char *path = test_temp(name);
    test_write(path, b->data, b->len);
    long grown = growth_kb(path, expected);
    long allowed = (long)(PX_MAX_REFUSED_BYTES / 1024) + (long)(b->len / 1024) + 64;
    print_message("# %s: %ld KB for a file of %zu KB\n", name, grown, b->len / 1024);
    if (!(grown >= 0 && grown <= allowed))
        fail_msg("%s: %ld KB, allowed %ld", name, grown, allowed);
    unlink(path);
}

static void spends_little_on_refused_files(void **state)
{
    (void)state;
    /* Lying counts. */
    px_buf b = {0};
    keys_absurd(&b);
    check_growth("absurd-keys.gguf", &b, PITH_E_FORMAT);
    px_buf_clear(&b);
    strings_huge(&b);
    check_growth("absurd-strings.gguf", &b, PITH_E_FORMAT);
    px_buf_clear(&b);

    /* As many keys as may be, long, the last one twice. */
    for (int bytes = 300; bytes <= 600; bytes += 300) {
        put_head(&b, 3, 0, PX_MAX_META_KEYS);
        for (int i = 0; i < PX_MAX_META_KEYS; i++) {
            char key[16], zeros[600];
            memset(zeros, '0', sizeof zeros);
            snprintf(key, sizeof key, "%08d", i == 0 ? 1 : i);
            memcpy(zeros + bytes - 8, key, 8);
            put_strn(&b, zeros, (size_t)bytes);
            put_u32(&b, PX_META_U8);
            px_buf_putc(&b, 0);
        }
        /* 300: refused as a duplicate; 600: the keys alone are too much. */
        check_growth("many-keys.gguf", &b, bytes == 300 ? PITH_E_FORMAT : PITH_E_LIMIT);
        px_buf_clear(&b);
    }

    /* As many tensors as may be, all in one place. */
    put_head(&b, 3, PX_MAX_TENSORS, 0);
    for (int i = 0; i < PX_MAX_TENSORS; i++)
        put_tensor(&b, test_format("%0200d", i), 1, NE_32, PX_F32, 0);
    put_pad(&b, 32);
    put_zeros(&b, 1024);
    check_growth("many-tensors.gguf", &b, PITH_E_FORMAT);
    px_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_truncations),
        cmocka_unit_test(survives_any_byte),
        cmocka_unit_test(refuses_bad_files),
        cmocka_unit_test(accepts_odd_but_good),
        cmocka_unit_test(spends_little_on_refused_files),
    };
    return cmocka_run_group_tests_name("gguf_bad", tests, NULL, NULL);
}

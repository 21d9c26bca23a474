/*
 * gguf: see gguf.h. The GGUF specification, versions 2 and 3, little endian (version 3 differs from
 * 2 only in allowing big-endian files, which pith refuses).
 */
/* clang-format off */
/*
 *   u32 magic "GGUF" | u32 version | u64 tensors | u64 keys
 *   keys times:     string key | u32 type | value
 *   tensors times:  string name | u32 n_dims | u64 ne[n_dims] | u32 dtype | u64 offset
 *   zero bytes up to a multiple of general.alignment (32 unless the key says otherwise)
 *   data: tensor i at its offset from here
 *
 *   string: u64 length | bytes        array: u32 element type | u64 count | elements
 */
/* clang-format on */
/*
 * Nothing is copied but keys and names (they need a zero byte behind them). Every count is held
 * against the bytes left before anything is allocated for it: the largest allocation on behalf of a
 * lying count is that of PX_MAX_TENSORS entries, 6 MB, and needs a file of 2 MB. The walk over the
 * strings of an array is the only work that grows with the vocabulary.
 */
#include "format/gguf.h"

#include "base/cursor.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "format/source_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_ALIGNMENT = 32,
    MAX_ALIGNMENT = 1 << 20,
    MIN_META_BYTES = 8 + 1 + 4 + 1,          // the shortest key with the shortest value
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8 // the shortest name with one axis
};

typedef struct reader {
    const char *path;
    px_cursor c;
    px_arena *arena;
    pith_error *err;
    /* what is being read, for messages */
    const char *kind; // "key", "tensor"
    uint64_t index, count;
    const char *name; // NULL until read
} reader;

/* "key 'a.b'" or "key 3 of 19". */
static const char *what(const reader *r, char out[256])
{
    if (r->name)
        snprintf(out, 256, "%s '%.200s'", r->kind, r->name);
    else
        snprintf(out, 256, "%s %" PRIu64 " of %" PRIu64, r->kind, r->index + 1, r->count);
    return out;
}

static pith_status cut_short(const reader *r, const char *part)
{
    char w[256];
    return px_fail(
        r->err, PITH_E_FORMAT,
        "'%s': %s: %s at byte %zu reaches past the end of the file (%zu bytes); the file "
        "is truncated or damaged",
        r->path, what(r, w), part, px_cursor_offset(&r->c), (size_t)(r->c.end - r->c.base));
}

/* A string in place. */
static bool read_str(px_cursor *c, px_str *out)
{
    px_cursor start = *c;
    uint64_t len;
    const uint8_t *bytes;
    if (!px_cursor_u64(c, &len) || len > SIZE_MAX || !px_cursor_bytes(c, (size_t)len, &bytes)) {
        *c = start;
        return false;
    }
    *out = (px_str){.data = (const char *)bytes, .len = (size_t)len};
    return true;
}

/* A key or a tensor's name: copied with a zero byte behind it, so it must not contain one. Control
 * characters are refused since names are shown on terminals. */
static pith_status read_name(reader *r, size_t max_bytes, const char **out)
{
    char w[256];
    px_str s;
    if (!read_str(&r->c, &s))
        return cut_short(r, "its name");
    if (s.len == 0 || s.len > max_bytes)
        return px_fail(r->err, PITH_E_FORMAT, "'%s': %s has a name of %zu bytes, expected 1 to %zu",
                       r->path, what(r, w), s.len, max_bytes);
    bool plain = px_utf8_valid(s.data, s.len);
    for (size_t i = 0; i < s.len && plain; i++)
        plain = (unsigned char)s.data[i] >= 0x20 && s.data[i] != 0x7f;
    if (!plain)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': the name of %s holds control characters or is not UTF-8", r->path,
                       what(r, w));
    *out = px_arena_strndup(r->arena, s.data, s.len);
    if (!*out)
        return px_source_no_room(r->arena, r->path, "the names of keys and tensors", r->err);
    return PITH_OK;
}

/* Walks the elements of an array of strings. */
static pith_status skip_strings(reader *r, uint64_t n)
{
    px_str s;
    for (uint64_t i = 0; i < n; i++) {
        if (!read_str(&r->c, &s)) {
            char part[64];
            snprintf(part, sizeof part, "string %" PRIu64 " of %" PRIu64, i + 1, n);
            return cut_short(r, part);
        }
    }
    return PITH_OK;
}

static pith_status bad_bool(const reader *r, unsigned value)
{
    char w[256];
    return px_fail(r->err, PITH_E_FORMAT, "'%s': %s holds %u as a bool, expected 0 or 1", r->path,
                   what(r, w), value);
}

static pith_status skip_fixed(reader *r, uint32_t type, uint64_t n)
{
    size_t bytes;
    const uint8_t *data;
    if (n > SIZE_MAX || !px_mul_size((size_t)n, px_meta_type_bytes(type), &bytes) ||
        !px_cursor_bytes(&r->c, bytes, &data)) {
        char part[64];
        snprintf(part, sizeof part, "an array of %" PRIu64 " elements", n);
        return cut_short(r, part);
    }
    for (size_t i = 0; type == PX_META_BOOL && i < bytes; i++)
        if (data[i] > 1)
            return bad_bool(r, data[i]);
    return PITH_OK;
}

static pith_status unknown_type(const reader *r, uint32_t type)
{
    char w[256];
    return px_fail(r->err, PITH_E_FORMAT,
                   "'%s': %s has metadata type %" PRIu32 ", expected 0 (u8) to 12 (f64)", r->path,
                   what(r, w), type);
}

static pith_status read_array(reader *r, int depth, px_meta_array *out)
{
    char w[256];
    if (depth > PX_MAX_ARRAY_DEPTH)
        return px_fail(r->err, PITH_E_LIMIT,
                       "'%s': %s nests arrays deeper than the %d levels that pith reads", r->path,
                       what(r, w), PX_MAX_ARRAY_DEPTH);
    uint32_t type;
    uint64_t n;
    if (!px_cursor_u32(&r->c, &type) || !px_cursor_u64(&r->c, &n))
        return cut_short(r, "the head of an array");
    if (type > PX_META_F64)
        return unknown_type(r, type);
    const uint8_t *data = r->c.at;
    pith_status status = PITH_OK;
    if (type == PX_META_STRING) {
        if (n > px_cursor_left(&r->c) / 8)
            return cut_short(r, "an array of strings");
        status = skip_strings(r, n);
    } else if (type == PX_META_ARRAY) {
        if (n > px_cursor_left(&r->c) / 12)
            return cut_short(r, "an array of arrays");
        px_meta_array inner;
        for (uint64_t i = 0; i < n && status == PITH_OK; i++)
            status = read_array(r, depth + 1, &inner);
    } else {
        status = skip_fixed(r, type, n);
    }
    *out = (px_meta_array){
        .type = (px_meta_type)type, .n = n, .data = data, .bytes = (size_t)(r->c.at - data)};
    return status;
}

#define READ_AS(T, c, to)                               \
    do {                                                \
        T value_;                                       \
        ok = px_cursor_copy(c, &value_, sizeof value_); \
        if (ok)                                         \
            to = value_;                                \
    } while (0)

static pith_status read_value(reader *r, px_meta *meta)
{
    bool ok = true;
    uint8_t flag = 0;
    switch (meta->type) {
    case PX_META_U8:
        READ_AS(uint8_t, &r->c, meta->u);
        break;
    case PX_META_I8:
        READ_AS(int8_t, &r->c, meta->i);
        break;
    case PX_META_U16:
        READ_AS(uint16_t, &r->c, meta->u);
        break;
    case PX_META_I16:
        READ_AS(int16_t, &r->c, meta->i);
        break;
    case PX_META_U32:
        READ_AS(uint32_t, &r->c, meta->u);
        break;
    case PX_META_I32:
        READ_AS(int32_t, &r->c, meta->i);
        break;
    case PX_META_F32:
        READ_AS(float, &r->c, meta->f);
        break;
    case PX_META_U64:
        READ_AS(uint64_t, &r->c, meta->u);
        break;
    case PX_META_I64:
        READ_AS(int64_t, &r->c, meta->i);
        break;
    case PX_META_F64:
        READ_AS(double, &r->c, meta->f);
        break;
    case PX_META_BOOL:
        ok = px_cursor_u8(&r->c, &flag);
        if (ok && flag > 1)
            return bad_bool(r, flag);
        meta->b = flag == 1;
        break;
    case PX_META_STRING:
        ok = read_str(&r->c, &meta->str);
        break;
    case PX_META_ARRAY:
        return read_array(r, 1, &meta->array);
    }
    return ok ? PITH_OK : cut_short(r, "its value");
}

static pith_status read_metas(reader *r, px_gguf_file *out)
{
    out->metas = PX_ZNEW(r->arena, px_meta, (size_t)r->count);
    if (!out->metas)
        return px_source_no_room(r->arena, r->path, "the list of keys", r->err);
    for (; r->index < r->count; r->index++) {
        px_meta *meta = &out->metas[r->index];
        r->name = NULL;
        pith_status status = read_name(r, PX_MAX_KEY_BYTES, &meta->key);
        if (status != PITH_OK)
            return status;
        r->name = meta->key;
        uint32_t type;
        if (!px_cursor_u32(&r->c, &type))
            return cut_short(r, "its type");
        if (type > PX_META_F64)
            return unknown_type(r, type);
        meta->type = (px_meta_type)type;
        status = read_value(r, meta);
        if (status != PITH_OK)
            return status;
    }
    out->n_metas = (int64_t)r->count;
    return PITH_OK;
}

static pith_status find_alignment(const char *path, px_gguf_file *out, pith_error *err)
{
    static const char key[] = "general.alignment";
    out->alignment = DEFAULT_ALIGNMENT;
    for (int64_t i = 0; i < out->n_metas; i++) {
        const px_meta *meta = &out->metas[i];
        if (strcmp(meta->key, key) != 0)
            continue;
        if (meta->type != PX_META_U32)
            return px_fail(err, PITH_E_FORMAT, "'%s': key '%s' has type %s, expected u32", path,
                           key, px_meta_type_name(meta->type));
        uint64_t a = meta->u;
        if (a == 0 || a > MAX_ALIGNMENT || (a & (a - 1)) != 0)
            return px_fail(err, PITH_E_FORMAT,
                           "'%s': key '%s' is %" PRIu64 ", expected a power of two up to %d", path,
                           key, a, MAX_ALIGNMENT);
        out->alignment = (uint32_t)a;
    }
    return PITH_OK;
}

static pith_status unknown_dtype(const reader *r, uint32_t type)
{
    static const struct {
        uint32_t value;
        const char *name;
    } REMOVED[] = {{4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
                   {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}};
    char w[256];
    for (size_t i = 0; i < sizeof REMOVED / sizeof REMOVED[0]; i++)
        if (REMOVED[i].value == type)
            return px_fail(r->err, PITH_E_UNSUPPORTED,
                           "'%s': %s has type %" PRIu32 " (%s), which GGUF no longer has; use a "
                           "newer file of this model",
                           r->path, what(r, w), type, REMOVED[i].name);
    return px_fail(r->err, PITH_E_UNSUPPORTED,
                   "'%s': %s has type %" PRIu32 ", expected one of the types that pith knows (0, "
                   "f32, to 39, mxfp4)",
                   r->path, what(r, w), type);
}

/* Axes of a tensor and their product. */
static pith_status read_shape(reader *r, px_tensor *t)
{
    char w[256];
    uint32_t n_dims;
    if (!px_cursor_u32(&r->c, &n_dims))
        return cut_short(r, "its number of dimensions");
    if (n_dims < 1 || n_dims > PX_MAX_DIMS)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': %s has %" PRIu32 " dimensions, expected 1 to %d", r->path, what(r, w),
                       n_dims, PX_MAX_DIMS);
    t->n_dims = (int)n_dims;
    int64_t elements = 1;
    for (int i = 0; i < PX_MAX_DIMS; i++) {
        uint64_t ne = 1;
        if (i < t->n_dims && !px_cursor_u64(&r->c, &ne))
            return cut_short(r, "its shape");
        if (ne == 0 || ne > INT64_MAX || __builtin_mul_overflow(elements, (int64_t)ne, &elements))
            return px_fail(r->err, PITH_E_FORMAT,
                           "'%s': %s has %" PRIu64 " elements along axis %d, expected at least 1 "
                           "and a product below 2^63",
                           r->path, what(r, w), ne, i);
        t->ne[i] = (int64_t)ne;
    }
    return PITH_OK;
}

/* dtype and offset; what the offset is held against comes later, in place_tensor. */
static pith_status read_tensor(reader *r, px_tensor *t)
{
    pith_status status = read_name(r, PX_MAX_TENSOR_NAME, &t->name);
    if (status != PITH_OK)
        return status;
    r->name = t->name;
    status = read_shape(r, t);
    if (status != PITH_OK)
        return status;
    uint32_t type;
    if (!px_cursor_u32(&r->c, &type) || !px_cursor_u64(&r->c, &t->file_offset))
        return cut_short(r, "its type and offset");
    const px_dtype_info *info = px_dtype_get(type);
    if (!info)
        return unknown_dtype(r, type);
    t->dtype = info->id;
    char w[256];
    if (t->ne[0] % info->block_elements != 0)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': %s has rows of %" PRId64 " elements, expected a multiple of the %d "
                       "that a block of %s holds",
                       r->path, what(r, w), t->ne[0], info->block_elements, info->name);
    size_t row;
    int64_t rows = t->ne[1] * t->ne[2] * t->ne[3]; // at most the product that was checked
    if (!px_dtype_row_bytes(t->dtype, t->ne[0], &row) || !px_mul_size(row, (size_t)rows, &t->bytes))
        return px_fail(r->err, PITH_E_FORMAT, "'%s': %s is larger than any file can be", r->path,
                       what(r, w));
    return PITH_OK;
}

/* Turns the offset into the data section into one into the file, and finds the bytes there. */
static pith_status place_tensor(const reader *r, size_t data_start, uint32_t alignment,
                                px_tensor *t)
{
    size_t size = (size_t)(r->c.end - r->c.base);
    size_t room = data_start < size ? size - data_start : 0;
    if (t->file_offset % alignment != 0)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' starts at data offset %" PRIu64 ", expected a multiple "
                       "of the alignment %" PRIu32,
                       r->path, t->name, t->file_offset, alignment);
    if (t->file_offset > room || t->bytes > room - (size_t)t->file_offset)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' needs %zu bytes at data offset %" PRIu64 ", but the data "
                       "section has %zu; the file is truncated or damaged",
                       r->path, t->name, t->bytes, t->file_offset, room);
    t->file_offset += data_start;
    t->data = r->c.base + t->file_offset;
    return PITH_OK;
}

static int by_offset(const void *a, const void *b)
{
    const px_tensor *x = *(const px_tensor *const *)a, *y = *(const px_tensor *const *)b;
    return (x->file_offset > y->file_offset) - (x->file_offset < y->file_offset);
}

static pith_status check_overlap(const reader *r, const px_gguf_file *f)
{
    px_arena_mark mark = px_arena_get_mark(r->arena);
    size_t n = (size_t)f->n_tensors;
    const px_tensor **order = PX_NEW(r->arena, const px_tensor *, n);
    if (!order)
        return px_source_no_room(r->arena, r->path, "the order of tensors", r->err);
    for (size_t i = 0; i < n; i++)
        order[i] = &f->tensors[i];
    qsort(order, n, sizeof *order, by_offset);
    pith_status status = PITH_OK;
    for (size_t i = 1; i < n && status == PITH_OK; i++) {
        const px_tensor *a = order[i - 1], *b = order[i];
        if (b->file_offset - a->file_offset < a->bytes)
            status = px_fail(r->err, PITH_E_FORMAT,
                             "'%s': tensor '%s' (%zu bytes at byte %" PRIu64
                             ") overlaps tensor '%s' at byte %" PRIu64,
                             r->path, a->name, a->bytes, a->file_offset, b->name, b->file_offset);
    }
    px_arena_rewind(r->arena, mark);
    return status;
}

static pith_status read_tensors(reader *r, px_gguf_file *out)
{
    size_t n = (size_t)r->count;
    out->tensors = PX_ZNEW(r->arena, px_tensor, n);
    if (!out->tensors)
        return px_source_no_room(r->arena, r->path, "the list of tensors", r->err);
    pith_status status = PITH_OK;
    for (; r->index < r->count; r->index++) {
        r->name = NULL;
        status = read_tensor(r, &out->tensors[r->index]);
        if (status != PITH_OK)
            return status;
    }
    out->n_tensors = (int64_t)n;
    return PITH_OK;
}

/* Tells what else starts like this. */
static pith_status wrong_magic(const char *path, const uint8_t *bytes, size_t n, pith_error *err)
{
    const char *hint = "";
    if (n < 4)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' has %zu bytes, expected a GGUF file, which starts with \"GGUF\"", path,
                       n);
    if (memcmp(bytes, "FUGG", 4) == 0)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' is a big-endian GGUF file, expected little endian", path);
    if (memcmp(bytes, "PK\3\4", 4) == 0)
        hint = ", a zip archive as PyTorch writes it";
    else if (memcmp(bytes, "lmgg", 4) == 0 || memcmp(bytes, "tjgg", 4) == 0 ||
             memcmp(bytes, "fmgg", 4) == 0)
        hint = ", a model format older than GGUF";
    else if (n > 8 && bytes[8] == '{')
        hint = ", a safetensors file: open the folder that holds it and config.json";
    else if (memcmp(bytes, "vers", 4) == 0)
        hint = ", perhaps a Git LFS pointer instead of the file";
    return px_fail(err, PITH_E_FORMAT,
                   "'%s' starts with bytes %02x %02x %02x %02x%s; expected \"GGUF\"", path,
                   bytes[0], bytes[1], bytes[2], bytes[3], hint);
}

static pith_status read_head(reader *r, px_gguf_file *out, uint64_t *n_tensors, uint64_t *n_metas)
{
    const uint8_t *magic;
    size_t size = px_cursor_left(&r->c);
    if (!px_cursor_bytes(&r->c, 4, &magic) || memcmp(magic, "GGUF", 4) != 0)
        return wrong_magic(r->path, r->c.base, size, r->err);
    if (!px_cursor_u32(&r->c, &out->version))
        return px_fail(r->err, PITH_E_FORMAT, "'%s' ends after %zu bytes, inside its header",
                       r->path, size);
    uint32_t v = out->version;
    if (v != 0 && (v & 0xffff) == 0)
        return px_fail(r->err, PITH_E_UNSUPPORTED,
                       "'%s' is a big-endian GGUF file (version %" PRIu32
                       "), expected little endian",
                       r->path, __builtin_bswap32(v));
    if (v != 2 && v != 3)
        return px_fail(r->err, PITH_E_UNSUPPORTED,
                       "'%s' is a GGUF file of version %" PRIu32 ", expected 2 or 3%s", r->path, v,
                       v == 1 ? "; download a newer file of this model" : "");
    if (!px_cursor_u64(&r->c, n_tensors) || !px_cursor_u64(&r->c, n_metas))
        return px_fail(r->err, PITH_E_FORMAT, "'%s' ends after %zu bytes, inside its header",
                       r->path, size);
    return PITH_OK;
}

/* Holds a count against its cap and against the bytes left. */
static pith_status check_count(const reader *r, const char *kind, uint64_t n, uint64_t cap,
                               size_t least_bytes)
{
    if (n > px_cursor_left(&r->c) / least_bytes)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s' says that it has %" PRIu64 " %s, but only %zu bytes follow at byte "
                       "%zu; the file is truncated or damaged",
                       r->path, n, kind, px_cursor_left(&r->c), px_cursor_offset(&r->c));
    if (n > cap)
        return px_fail(r->err, PITH_E_LIMIT, "'%s' has %" PRIu64 " %s, expected at most %" PRIu64,
                       r->path, n, kind, cap);
    return PITH_OK;
}

pith_status px_gguf_parse(const char *path, const uint8_t *bytes, size_t n, int32_t file,
                          px_arena *arena, px_gguf_file *out, pith_error *err)
{
    static const uint8_t none[1];
    reader r = {
        .path = path, .c = px_cursor_over(bytes ? bytes : none, n), .arena = arena, .err = err};
    *out = (px_gguf_file){0};
    uint64_t n_tensors = 0, n_metas = 0;
    pith_status status = read_head(&r, out, &n_tensors, &n_metas);
    if (status == PITH_OK)
        status = check_count(&r, "keys", n_metas, PX_MAX_META_KEYS, MIN_META_BYTES);
    if (status == PITH_OK)
        status = check_count(&r, "tensors", n_tensors, PX_MAX_TENSORS, MIN_TENSOR_BYTES);
    if (status != PITH_OK)
        return status;

    r.kind = "key";
    r.count = n_metas;
    status = read_metas(&r, out);
    if (status == PITH_OK)
        status = find_alignment(path, out, err);
    if (status == PITH_OK)
        status = check_count(&r, "tensors", n_tensors, PX_MAX_TENSORS, MIN_TENSOR_BYTES);
    if (status != PITH_OK)
        return status;

    r.kind = "tensor";
    r.count = n_tensors;
    r.index = 0;
    status = read_tensors(&r, out);
    if (status != PITH_OK)
        return status;
    size_t data_start = px_round_up(px_cursor_offset(&r.c), out->alignment);
    for (int64_t i = 0; i < out->n_tensors && status == PITH_OK; i++) {
        status = place_tensor(&r, data_start, out->alignment, &out->tensors[i]);
        out->tensors[i].file = file;
    }
    if (status == PITH_OK)
        status = check_overlap(&r, out);
    return status;
}

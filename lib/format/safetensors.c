/*
 * safetensors: see safetensors.h. The format of github.com/huggingface/safetensors, as its README
 * and reference reader have it.
 */
/* clang-format off */
/*
 *   u64 length of header | header: JSON, may end in spaces | data
 *   { "__metadata__": {"format": "pt", ..},
 *     "NAME": { "dtype": "BF16", "shape": [rows, columns], "data_offsets": [begin, end] }, .. }
 *
 *   offsets count from the start of the data; tensors lie in it without gap, to its end
 */
/* clang-format on */
#include "format/safetensors.h"

#include "base/json.h"
#include "base/mem.h"
#include "format/source_state.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct reader {
    const char *path;
    const uint8_t *data; // data section
    size_t data_bytes;
    uint64_t data_start; // of it, in the file
    px_arena *arena;
    pith_error *err;
} reader;

typedef struct dtype_row {
    const char *name;
    int bits;
    px_dtype dtype;
    bool readable;
} dtype_row;

static const dtype_row DTYPES[] = {
#define ROW(name, bits, dtype, readable) {name, bits, dtype, readable},
    PX_ST_DTYPES(ROW)
#undef ROW
};

static pith_status wrong(const reader *r, const char *tensor, const char *key, px_json found,
                         const char *expected)
{
    if (!found.at)
        return px_fail(r->err, PITH_E_FORMAT, "'%s': tensor '%.200s': '%s' is missing, expected %s",
                       r->path, tensor, key, expected);
    return px_fail(r->err, PITH_E_FORMAT, "'%s': tensor '%.200s': '%s' is %s (%.*s), expected %s",
                   r->path, tensor, key, px_json_type_name(px_json_type_of(found)),
                   (int)(found.end - found.at < 40 ? found.end - found.at : 40), found.at,
                   expected);
}

static pith_status read_name(const reader *r, px_json key, const char **out)
{
    /* An escape of six characters gives one byte at least. */
    px_buf name = {0};
    if (key.end - key.at <= 6 * PX_MAX_TENSOR_NAME + 2)
        px_json_get_string(key, &name);
    if (name.failed) {
        px_buf_clear(&name);
        return px_fail_memory(r->err, "a tensor's name");
    }
    bool good = name.len > 0 && name.len <= PX_MAX_TENSOR_NAME;
    for (size_t i = 0; i < name.len && good; i++)
        good = (unsigned char)name.data[i] >= 0x20 && name.data[i] != 0x7f;
    *out = good ? px_arena_strndup(r->arena, name.data, name.len) : NULL;
    px_buf_clear(&name);
    if (!good)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': the header has a tensor named %.*s, expected 1 to %d bytes without "
                       "control characters",
                       r->path, (int)(key.end - key.at < 80 ? key.end - key.at : 80), key.at,
                       PX_MAX_TENSOR_NAME);
    if (!*out)
        return px_source_no_room(r->arena, r->path, "the names of tensors", r->err);
    return PITH_OK;
}

static pith_status read_dtype(const reader *r, px_json entry, px_st_tensor *t, int *bits)
{
    px_json v = px_json_find(entry, "dtype");
    for (size_t i = 0; i < sizeof DTYPES / sizeof DTYPES[0]; i++) {
        if (!px_json_is(v, px_str_of(DTYPES[i].name)))
            continue;
        t->dtype_name = DTYPES[i].name;
        t->dtype = DTYPES[i].dtype;
        t->readable = DTYPES[i].readable;
        *bits = DTYPES[i].bits;
        return PITH_OK;
    }
    if (px_json_type_of(v) == PX_JSON_STRING)
        return px_fail(r->err, PITH_E_UNSUPPORTED,
                       "'%s': tensor '%.200s' has dtype %.*s, expected one that safetensors names "
                       "(F32, F16, BF16, ...)",
                       r->path, t->name, (int)(v.end - v.at < 40 ? v.end - v.at : 40), v.at);
    return wrong(r, t->name, "dtype", v, "a string");
}

/* The shape and the bytes that it needs. */
static pith_status read_shape(const reader *r, px_json entry, int bits, px_st_tensor *t,
                              size_t *bytes)
{
    px_json v = px_json_find(entry, "shape"), element;
    if (px_json_type_of(v) != PX_JSON_ARRAY)
        return wrong(r, t->name, "shape", v, "an array");
    px_json_walk walk = px_json_each(v);
    size_t elements = 1, all_bits;
    while (px_json_next(&walk, NULL, &element)) {
        int64_t n;
        if (!px_json_get_int(element, &n) || n < 0)
            return wrong(r, t->name, "shape", element, "whole numbers from 0");
        if (!px_mul_size(elements, (size_t)n, &elements))
            return wrong(r, t->name, "shape", v, "a product that fits 64 bits");
        if (t->n_dims < PX_MAX_DIMS)
            t->shape[t->n_dims] = n;
        t->n_dims++;
    }
    if (!px_mul_size(elements, (size_t)bits, &all_bits) || all_bits % 8 != 0)
        return wrong(r, t->name, "shape", v, "a shape of whole bytes that fits 64 bits");
    *bytes = all_bits / 8;
    return PITH_OK;
}

static pith_status read_offsets(const reader *r, px_json entry, size_t bytes, px_st_tensor *t)
{
    px_json v = px_json_find(entry, "data_offsets"), first, second;
    px_json_walk walk = px_json_each(v);
    int64_t begin, end;
    if (px_json_type_of(v) != PX_JSON_ARRAY || px_json_count(v) != 2 ||
        !px_json_next(&walk, NULL, &first) || !px_json_next(&walk, NULL, &second) ||
        !px_json_get_int(first, &begin) || !px_json_get_int(second, &end) || begin < 0 ||
        end < begin)
        return wrong(r, t->name, "data_offsets", v, "[begin, end]");
    if ((uint64_t)end > r->data_bytes)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': tensor '%.200s' ends at data byte %" PRId64
                       ", but the file holds %zu; it is truncated or damaged",
                       r->path, t->name, end, r->data_bytes);
    if ((uint64_t)(end - begin) != bytes)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s': tensor '%.200s' has %" PRId64
                       " bytes, expected %zu for its shape and "
                       "dtype %s",
                       r->path, t->name, end - begin, bytes, t->dtype_name);
    t->data = r->data + begin;
    t->bytes = bytes;
    t->file_offset = r->data_start + (uint64_t)begin;
    return PITH_OK;
}

static pith_status read_tensor(const reader *r, px_json key, px_json entry, px_st_tensor *t)
{
    int bits = 0;
    size_t bytes = 0;
    pith_status status = read_name(r, key, &t->name);
    if (status == PITH_OK && px_json_type_of(entry) != PX_JSON_OBJECT)
        status = wrong(r, t->name, "entry", entry, "an object");
    if (status == PITH_OK)
        status = read_dtype(r, entry, t, &bits);
    if (status == PITH_OK)
        status = read_shape(r, entry, bits, t, &bytes);
    if (status == PITH_OK)
        status = read_offsets(r, entry, bytes, t);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const px_st_tensor *x = *(const px_st_tensor *const *)a, *y = *(const px_st_tensor *const *)b;
    if (x->file_offset != y->file_offset)
        return x->file_offset < y->file_offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b)
{
    const px_st_tensor *x = *(const px_st_tensor *const *)a, *y = *(const px_st_tensor *const *)b;
    return strcmp(x->name, y->name);
}

/* Tensors follow each other without gap or overlap, to the end of the data. */
static pith_status check_places(const reader *r, const px_st_tensor **order, size_t n)
{
    uint64_t expected = r->data_start;
    qsort(order, n, sizeof *order, by_place);
    for (size_t i = 0; i < n; i++) {
        if (order[i]->file_offset != expected)
            return px_fail(r->err, PITH_E_FORMAT,
                           "'%s': tensor '%.200s' begins at byte %" PRIu64 " of the file, expected "
                           "%" PRIu64 ", where the one before it ends",
                           r->path, order[i]->name, order[i]->file_offset, expected);
        expected += order[i]->bytes;
    }
    if (expected != r->data_start + r->data_bytes)
        return px_fail(r->err, PITH_E_FORMAT,
                       "'%s' has %" PRIu64 " bytes behind its last tensor, expected none", r->path,
                       r->data_start + r->data_bytes - expected);
    return PITH_OK;
}

static pith_status check_names(const reader *r, const px_st_tensor **order, size_t n)
{
    qsort(order, n, sizeof *order, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(order[i - 1]->name, order[i]->name) == 0)
            return px_fail(r->err, PITH_E_FORMAT, "'%s' has the tensor '%s' twice, expected once",
                           r->path, order[i]->name);
    return PITH_OK;
}

static pith_status check_tensors(const reader *r, const px_st_file *file)
{
    px_arena_mark mark = px_arena_get_mark(r->arena);
    size_t n = (size_t)file->n_tensors;
    const px_st_tensor **order = PX_NEW(r->arena, const px_st_tensor *, n);
    if (!order)
        return px_source_no_room(r->arena, r->path, "the order of tensors", r->err);
    for (size_t i = 0; i < n; i++)
        order[i] = &file->tensors[i];
    pith_status status = check_places(r, order, n);
    if (status == PITH_OK)
        status = check_names(r, order, n);
    px_arena_rewind(r->arena, mark);
    return status;
}

static pith_status read_tensors(const reader *r, px_json header, px_st_file *out)
{
    uint64_t n = px_json_count(header);
    if (n > PX_MAX_TENSORS)
        return px_fail(r->err, PITH_E_LIMIT, "'%s' has %" PRIu64 " tensors, expected at most %d",
                       r->path, n, PX_MAX_TENSORS);
    out->tensors = PX_ZNEW(r->arena, px_st_tensor, (size_t)n);
    if (!out->tensors)
        return px_source_no_room(r->arena, r->path, "the list of tensors", r->err);
    px_json_walk walk = px_json_each(header);
    px_json key, entry;
    while (px_json_next(&walk, &key, &entry)) {
        if (px_json_is(key, px_str_of("__metadata__")))
            continue;
        pith_status status = read_tensor(r, key, entry, &out->tensors[out->n_tensors]);
        if (status != PITH_OK)
            return status;
        out->n_tensors++;
    }
    return check_tensors(r, out);
}

pith_status px_st_parse(const char *path, const uint8_t *bytes, size_t n, px_arena *arena,
                        px_st_file *out, pith_error *err)
{
    uint64_t length;
    *out = (px_st_file){0};
    if (n < sizeof length)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' has %zu bytes, expected a safetensors file, which starts with the "
                       "length of its header",
                       path, n);
    memcpy(&length, bytes, sizeof length);
    size_t left = n - sizeof length;
    if (length > left || length < 2)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' says that its header has %" PRIu64 " bytes, but %zu follow; it is "
                       "truncated or no safetensors file",
                       path, length, left);
    if (length > PX_MAX_SAFETENSORS_HEADER)
        return px_fail(err, PITH_E_LIMIT,
                       "'%s' has a header of %" PRIu64 " bytes, expected at most %u", path, length,
                       PX_MAX_SAFETENSORS_HEADER);
    const char *text = (const char *)bytes + sizeof length;
    if (text[0] != '{')
        return px_fail(err, PITH_E_FORMAT, "'%s': the header starts with byte 0x%02x, expected '{'",
                       path, (unsigned char)text[0]);
    px_json header;
    pith_status status = px_json_check(path, text, (size_t)length, &header, err);
    if (status != PITH_OK)
        return status;
    reader r = {.path = path,
                .data = bytes + sizeof length + length,
                .data_bytes = left - (size_t)length,
                .data_start = sizeof length + length,
                .arena = arena,
                .err = err};
    return read_tensors(&r, header, out);
}

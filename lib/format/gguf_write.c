/*
 * gguf_write: see gguf_write.h; the layout is drawn in gguf.c. Metadata values are kept serialized;
 * header, metadata and tensor table go out in one piece when the data begins.
 */
#include "format/gguf_write.h"

#include "base/file.h"
#include "base/mem.h"
#include "format/source_state.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct entry {
    char *key;
    px_buf value; // u32 type, then the value
} entry;

typedef struct tensor {
    char name[PX_MAX_TENSOR_NAME + 1];
    px_dtype dtype;
    int n_dims;
    uint64_t ne[PX_MAX_DIMS];
    uint64_t offset; // into the data section
    size_t bytes;
} tensor;

typedef enum phase { META, DATA, FINISHED } phase;

struct px_gguf_writer {
    px_out out;
    uint32_t alignment;
    phase phase;
    entry *entries;
    size_t n_entries, cap_entries;
    tensor *tensors;
    size_t n_tensors, cap_tensors;
    uint64_t data_bytes; // of the tensors declared so far, padded
    size_t current;      // tensor being written
    size_t done;         // bytes of it written
};

pith_status px_gguf_writer_new(const char *path, uint32_t alignment, px_gguf_writer **out,
                               pith_error *err)
{
    *out = NULL;
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        return px_fail(err, PITH_E_ARGUMENT, "alignment %" PRIu32 " is not a power of two",
                       alignment);
    px_gguf_writer *w = px_calloc(1, sizeof *w);
    if (!w)
        return px_fail_memory(err, "a GGUF writer");
    w->alignment = alignment;
    w->out.fd = -1;
    pith_status status = px_out_open(path, &w->out, err);
    if (status == PITH_OK && alignment != 32)
        status = px_gguf_set_u32(w, "general.alignment", alignment, err);
    if (status == PITH_OK)
        *out = w;
    else
        px_gguf_writer_free(w);
    return status;
}

void px_gguf_writer_free(px_gguf_writer *w)
{
    if (!w)
        return;
    if (w->out.path)
        px_out_abort(&w->out);
    for (size_t i = 0; i < w->n_entries; i++) {
        px_free(w->entries[i].key);
        px_buf_clear(&w->entries[i].value);
    }
    px_free(w->entries);
    px_free(w->tensors);
    px_free(w);
}

/* Makes room for one more of `size` bytes in a list. */
static void *grow(void *list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return list;
    size_t wanted = *cap ? *cap * 2 : 64;
    void *bigger = px_realloc(list, wanted, size);
    if (bigger)
        *cap = wanted;
    return bigger;
}

/* The value buffer of a key, emptied, with its type already in it. */
static pith_status value_of(px_gguf_writer *w, const char *key, px_meta_type type, px_buf **out,
                            pith_error *err)
{
    if (w->phase != META)
        return px_fail(err, PITH_E_INTERNAL, "key '%s' comes after the data has begun", key);
    size_t n = strlen(key);
    if (n == 0 || n > PX_MAX_KEY_BYTES)
        return px_fail(err, PITH_E_ARGUMENT, "a metadata key has %zu bytes, expected 1 to %d", n,
                       PX_MAX_KEY_BYTES);
    size_t i = 0;
    while (i < w->n_entries && strcmp(w->entries[i].key, key) != 0)
        i++;
    if (i == w->n_entries) {
        entry *entries = grow(w->entries, i, &w->cap_entries, sizeof *entries);
        if (!entries)
            return px_fail_memory(err, "the list of keys");
        w->entries = entries;
        char *copy = px_strndup(key, n);
        if (!copy)
            return px_fail_memory(err, "the list of keys");
        entries[w->n_entries++] = (entry){.key = copy};
    }
    px_buf *value = &w->entries[i].value;
    px_buf_reset(value);
    uint32_t number = (uint32_t)type;
    px_buf_put(value, &number, sizeof number);
    *out = value;
    return PITH_OK;
}

static void put_str(px_buf *to, px_str s)
{
    uint64_t len = s.len;
    px_buf_put(to, &len, sizeof len);
    px_buf_put(to, s.data, s.len);
}

static void put_array_head(px_buf *to, px_meta_type type, uint64_t n)
{
    uint32_t number = (uint32_t)type;
    px_buf_put(to, &number, sizeof number);
    px_buf_put(to, &n, sizeof n);
}

/* A value of fixed size. */
static pith_status set_fixed(px_gguf_writer *w, const char *key, px_meta_type type, const void *v,
                             pith_error *err)
{
    px_buf *value;
    pith_status status = value_of(w, key, type, &value, err);
    if (status != PITH_OK)
        return status;
    px_buf_put(value, v, px_meta_type_bytes(type));
    return px_buf_status(value, key, err);
}

static pith_status set_fixed_array(px_gguf_writer *w, const char *key, px_meta_type type,
                                   const void *v, uint64_t n, pith_error *err)
{
    px_buf *value;
    size_t bytes;
    pith_status status = value_of(w, key, PX_META_ARRAY, &value, err);
    if (status != PITH_OK)
        return status;
    if (!px_mul_size((size_t)n, px_meta_type_bytes(type), &bytes))
        return px_fail_memory(err, key);
    put_array_head(value, type, n);
    px_buf_put(value, v, bytes);
    return px_buf_status(value, key, err);
}

pith_status px_gguf_set_meta(px_gguf_writer *w, const px_meta *meta, pith_error *err)
{
    uint8_t u8 = (uint8_t)meta->u;
    uint16_t u16 = (uint16_t)meta->u;
    uint32_t u32 = (uint32_t)meta->u;
    float f32;
    px_buf *value;
    pith_status status;
    switch (meta->type) {
    case PX_META_U8:
    case PX_META_I8:
        return set_fixed(w, meta->key, meta->type, &u8, err);
    case PX_META_U16:
    case PX_META_I16:
        return set_fixed(w, meta->key, meta->type, &u16, err);
    case PX_META_U32:
    case PX_META_I32:
        return set_fixed(w, meta->key, meta->type, &u32, err);
    case PX_META_U64:
    case PX_META_I64:
        return set_fixed(w, meta->key, meta->type, &meta->u, err);
    case PX_META_F32:
        f32 = (float)meta->f;
        return set_fixed(w, meta->key, meta->type, &f32, err);
    case PX_META_F64:
        return set_fixed(w, meta->key, meta->type, &meta->f, err);
    case PX_META_BOOL:
        return px_gguf_set_bool(w, meta->key, meta->b, err);
    case PX_META_STRING:
        return px_gguf_set_str(w, meta->key, meta->str, err);
    case PX_META_ARRAY:
        status = value_of(w, meta->key, PX_META_ARRAY, &value, err);
        if (status != PITH_OK)
            return status;
        put_array_head(value, meta->array.type, meta->array.n);
        px_buf_put(value, meta->array.data, meta->array.bytes);
        return px_buf_status(value, meta->key, err);
    }
    return px_fail(err, PITH_E_INTERNAL, "key '%s' has metadata type %d", meta->key,
                   (int)meta->type);
}

pith_status px_gguf_set_u32(px_gguf_writer *w, const char *key, uint32_t v, pith_error *err)
{
    return set_fixed(w, key, PX_META_U32, &v, err);
}

pith_status px_gguf_set_i32(px_gguf_writer *w, const char *key, int32_t v, pith_error *err)
{
    return set_fixed(w, key, PX_META_I32, &v, err);
}

pith_status px_gguf_set_f32(px_gguf_writer *w, const char *key, float v, pith_error *err)
{
    return set_fixed(w, key, PX_META_F32, &v, err);
}

pith_status px_gguf_set_bool(px_gguf_writer *w, const char *key, bool v, pith_error *err)
{
    uint8_t byte = v ? 1 : 0;
    return set_fixed(w, key, PX_META_BOOL, &byte, err);
}

pith_status px_gguf_set_str(px_gguf_writer *w, const char *key, px_str v, pith_error *err)
{
    px_buf *value;
    pith_status status = value_of(w, key, PX_META_STRING, &value, err);
    if (status != PITH_OK)
        return status;
    put_str(value, v);
    return px_buf_status(value, key, err);
}

pith_status px_gguf_set_strs(px_gguf_writer *w, const char *key, const px_str *v, uint64_t n,
                             pith_error *err)
{
    px_buf *value;
    pith_status status = value_of(w, key, PX_META_ARRAY, &value, err);
    if (status != PITH_OK)
        return status;
    put_array_head(value, PX_META_STRING, n);
    for (uint64_t i = 0; i < n; i++)
        put_str(value, v[i]);
    return px_buf_status(value, key, err);
}

pith_status px_gguf_set_f32s(px_gguf_writer *w, const char *key, const float *v, uint64_t n,
                             pith_error *err)
{
    return set_fixed_array(w, key, PX_META_F32, v, n, err);
}

pith_status px_gguf_set_i32s(px_gguf_writer *w, const char *key, const int32_t *v, uint64_t n,
                             pith_error *err)
{
    return set_fixed_array(w, key, PX_META_I32, v, n, err);
}

/* Shape and size of a tensor, checked as the reader would. */
static pith_status check_tensor(const char *name, px_dtype dtype, int n_dims, const int64_t *ne,
                                size_t *bytes, pith_error *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > PX_MAX_TENSOR_NAME)
        return px_fail(err, PITH_E_ARGUMENT, "a tensor's name has %zu bytes, expected 1 to %d", n,
                       PX_MAX_TENSOR_NAME);
    if (n_dims < 1 || n_dims > PX_MAX_DIMS)
        return px_fail(err, PITH_E_ARGUMENT, "tensor '%s' has %d dimensions, expected 1 to %d",
                       name, n_dims, PX_MAX_DIMS);
    bool fits = ne[0] > 0 && px_dtype_row_bytes(dtype, ne[0], bytes);
    for (int i = 1; i < n_dims && fits; i++)
        fits = ne[i] > 0 && px_mul_size(*bytes, (size_t)ne[i], bytes);
    if (!fits)
        return px_fail(err, PITH_E_ARGUMENT,
                       "tensor '%s' has a shape that does not fit its type %s", name,
                       px_dtype_name((uint32_t)dtype));
    return PITH_OK;
}

pith_status px_gguf_add_tensor(px_gguf_writer *w, const char *name, px_dtype dtype, int n_dims,
                               const int64_t *ne, pith_error *err)
{
    size_t bytes;
    if (w->phase != META)
        return px_fail(err, PITH_E_INTERNAL, "tensor '%s' comes after the data has begun", name);
    pith_status status = check_tensor(name, dtype, n_dims, ne, &bytes, err);
    if (status != PITH_OK)
        return status;
    tensor *tensors = grow(w->tensors, w->n_tensors, &w->cap_tensors, sizeof *tensors);
    if (!tensors)
        return px_fail_memory(err, "the list of tensors");
    w->tensors = tensors;
    tensor *t = &tensors[w->n_tensors++];
    *t = (tensor){.dtype = dtype, .n_dims = n_dims, .offset = w->data_bytes, .bytes = bytes};
    memcpy(t->name, name, strlen(name) + 1);
    for (int i = 0; i < n_dims; i++)
        t->ne[i] = (uint64_t)ne[i];
    w->data_bytes += px_round_up(bytes, w->alignment);
    return PITH_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static pith_status check_names(const px_gguf_writer *w, pith_error *err)
{
    const char **names = px_malloc(w->n_tensors, sizeof *names);
    if (!names)
        return px_fail_memory(err, "the order of tensors");
    for (size_t i = 0; i < w->n_tensors; i++)
        names[i] = w->tensors[i].name;
    qsort(names, w->n_tensors, sizeof *names, by_name);
    pith_status status = PITH_OK;
    for (size_t i = 1; i < w->n_tensors && status == PITH_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = px_fail(err, PITH_E_ARGUMENT, "tensor '%s' is declared twice", names[i]);
    px_free(names);
    return status;
}

static void put_header(const px_gguf_writer *w, px_buf *to)
{
    const uint32_t version = 3;
    uint64_t n_tensors = w->n_tensors, n_entries = w->n_entries;
    px_buf_put(to, "GGUF", 4);
    px_buf_put(to, &version, sizeof version);
    px_buf_put(to, &n_tensors, sizeof n_tensors);
    px_buf_put(to, &n_entries, sizeof n_entries);
    for (size_t i = 0; i < w->n_entries; i++) {
        put_str(to, px_str_of(w->entries[i].key));
        px_buf_put(to, w->entries[i].value.data, w->entries[i].value.len);
    }
    for (size_t i = 0; i < w->n_tensors; i++) {
        const tensor *t = &w->tensors[i];
        uint32_t n_dims = (uint32_t)t->n_dims, dtype = (uint32_t)t->dtype;
        put_str(to, px_str_of(t->name));
        px_buf_put(to, &n_dims, sizeof n_dims);
        px_buf_put(to, t->ne, n_dims * sizeof t->ne[0]);
        px_buf_put(to, &dtype, sizeof dtype);
        px_buf_put(to, &t->offset, sizeof t->offset);
    }
}

pith_status px_gguf_begin_data(px_gguf_writer *w, pith_error *err)
{
    if (w->phase != META)
        return px_fail(err, PITH_E_INTERNAL, "'%s': the data has begun already", w->out.path);
    pith_status status = check_names(w, err);
    if (status != PITH_OK)
        return status;
    px_buf header = {0};
    put_header(w, &header);
    status = px_buf_status(&header, "a GGUF header", err);
    if (status == PITH_OK)
        status = px_out_write(&w->out, header.data, header.len, err);
    if (status == PITH_OK)
        status = px_out_pad(&w->out, w->alignment, err);
    px_buf_clear(&header);
    if (status == PITH_OK)
        w->phase = DATA;
    return status;
}

pith_status px_gguf_write_data(px_gguf_writer *w, const void *bytes, size_t n, pith_error *err)
{
    if (w->phase != DATA)
        return px_fail(err, PITH_E_INTERNAL, "tensor data comes before px_gguf_begin_data");
    if (n == 0)
        return PITH_OK;
    if (w->current == w->n_tensors)
        return px_fail(err, PITH_E_INTERNAL, "'%s': %zu bytes come after the last tensor",
                       w->out.path, n);
    const tensor *t = &w->tensors[w->current];
    if (n > t->bytes - w->done)
        return px_fail(err, PITH_E_INTERNAL,
                       "'%s': tensor '%s' gets %zu bytes where %zu are left of its %zu",
                       w->out.path, t->name, n, t->bytes - w->done, t->bytes);
    pith_status status = px_out_write(&w->out, bytes, n, err);
    if (status != PITH_OK)
        return status;
    w->done += n;
    if (w->done < t->bytes)
        return PITH_OK;
    w->current++;
    w->done = 0;
    return px_out_pad(&w->out, w->alignment, err);
}

pith_status px_gguf_finish(px_gguf_writer *w, pith_error *err)
{
    if (w->phase != DATA)
        return px_fail(err, PITH_E_INTERNAL, "a GGUF file is finished before its data has begun");
    if (w->current < w->n_tensors)
        return px_fail(err, PITH_E_INTERNAL, "'%s': tensor '%s' has %zu of its %zu bytes",
                       w->out.path, w->tensors[w->current].name, w->done,
                       w->tensors[w->current].bytes);
    w->phase = FINISHED;
    return px_out_commit(&w->out, err);
}

/*
 * meta: reading metadata values: types, typed getters with ranges, elements of arrays. Values were
 * checked against the file's bounds when it was opened; here they are held against what the caller
 * expects.
 */
#include "format/source_state.h"

#include <inttypes.h>
#include <stdio.h>

/* Longest key after "%s" was replaced; keys that callers ask for are short literals. */
enum { KEY_BYTES = 512 };

static const struct {
    const char *name;
    size_t bytes;
} TYPES[] = {
    [PX_META_U8] = {"u8", 1},       [PX_META_I8] = {"i8", 1},     [PX_META_U16] = {"u16", 2},
    [PX_META_I16] = {"i16", 2},     [PX_META_U32] = {"u32", 4},   [PX_META_I32] = {"i32", 4},
    [PX_META_F32] = {"f32", 4},     [PX_META_BOOL] = {"bool", 1}, [PX_META_STRING] = {"string", 0},
    [PX_META_ARRAY] = {"array", 0}, [PX_META_U64] = {"u64", 8},   [PX_META_I64] = {"i64", 8},
    [PX_META_F64] = {"f64", 8},
};

enum { N_TYPES = sizeof TYPES / sizeof TYPES[0] };

const char *px_meta_type_name(px_meta_type type)
{
    return (uint32_t)type < N_TYPES ? TYPES[type].name : "unknown";
}

size_t px_meta_type_bytes(uint32_t type)
{
    return type < N_TYPES ? TYPES[type].bytes : 0;
}

static bool is_unsigned(px_meta_type type)
{
    return type == PX_META_U8 || type == PX_META_U16 || type == PX_META_U32 || type == PX_META_U64;
}

static bool is_signed(px_meta_type type)
{
    return type == PX_META_I8 || type == PX_META_I16 || type == PX_META_I32 || type == PX_META_I64;
}

/* Writes the key with its "%s" replaced by the architecture and looks it up. *found is NULL when
 * the key, or the architecture that it needs, is absent and not required. */
static pith_status find(const px_source *s, const char *key, bool required, char full[KEY_BYTES],
                        const px_meta **found, pith_error *err)
{
    *found = NULL;
    const char *hole = strstr(key, "%s");
    if (!hole) {
        snprintf(full, KEY_BYTES, "%s", key);
    } else {
        const px_meta *arch = px_source_meta(s, "general.architecture");
        if (!arch && !required)
            return PITH_OK;
        if (!arch)
            return px_fail(err, PITH_E_FORMAT, "'%s' has no key 'general.architecture'", s->path);
        if (arch->type != PX_META_STRING || arch->str.len == 0 || arch->str.len > 64)
            return px_fail(err, PITH_E_FORMAT,
                           "'%s': key 'general.architecture' is not a string of 1 to 64 bytes",
                           s->path);
        snprintf(full, KEY_BYTES, "%.*s%.*s%s", (int)(hole - key), key, PX_STR_ARG(arch->str),
                 hole + 2);
    }
    *found = px_source_meta(s, full);
    if (!*found && required)
        return px_fail(err, PITH_E_FORMAT, "'%s' has no key '%s'", s->path, full);
    return PITH_OK;
}

/* "f32", or "array of i32", for messages. */
static void describe(const px_meta *meta, char out[64])
{
    if (meta->type == PX_META_ARRAY)
        snprintf(out, 64, "array of %s", px_meta_type_name(meta->array.type));
    else
        snprintf(out, 64, "%s", px_meta_type_name(meta->type));
}

static pith_status wrong_type(const px_source *s, const px_meta *meta, const char *expected,
                              pith_error *err)
{
    char found[64];
    describe(meta, found);
    return px_fail(err, PITH_E_FORMAT, "'%s': key '%s' has type %s, expected %s", s->path,
                   meta->key, found, expected);
}

pith_status px_source_get_int(const px_source *s, const char *key, bool required, int64_t min,
                              int64_t max, int64_t *out, pith_error *err)
{
    char full[KEY_BYTES];
    const px_meta *meta;
    pith_status status = find(s, key, required, full, &meta, err);
    if (status != PITH_OK || !meta)
        return status;
    if (!is_unsigned(meta->type) && !is_signed(meta->type))
        return wrong_type(s, meta, "an integer", err);
    if (is_unsigned(meta->type) && meta->u > INT64_MAX)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': key '%s' is %" PRIu64 ", expected %" PRId64 " to %" PRId64, s->path,
                       full, meta->u, min, max);
    int64_t v = is_unsigned(meta->type) ? (int64_t)meta->u : meta->i;
    if (v < min || v > max)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': key '%s' is %" PRId64 ", expected %" PRId64 " to %" PRId64, s->path,
                       full, v, min, max);
    *out = v;
    return PITH_OK;
}

pith_status px_source_get_float(const px_source *s, const char *key, bool required, double min,
                                double max, double *out, pith_error *err)
{
    char full[KEY_BYTES];
    const px_meta *meta;
    pith_status status = find(s, key, required, full, &meta, err);
    if (status != PITH_OK || !meta)
        return status;
    double v;
    if (meta->type == PX_META_F32 || meta->type == PX_META_F64)
        v = meta->f;
    else if (is_unsigned(meta->type))
        v = (double)meta->u;
    else if (is_signed(meta->type))
        v = (double)meta->i;
    else
        return wrong_type(s, meta, "a number", err);
    if (!(v >= min && v <= max)) // NaN is out of every range
        return px_fail(err, PITH_E_FORMAT, "'%s': key '%s' is %g, expected %g to %g", s->path, full,
                       v, min, max);
    *out = v;
    return PITH_OK;
}

pith_status px_source_get_bool(const px_source *s, const char *key, bool *out, pith_error *err)
{
    char full[KEY_BYTES];
    const px_meta *meta;
    pith_status status = find(s, key, false, full, &meta, err);
    if (status != PITH_OK || !meta)
        return status;
    if (meta->type != PX_META_BOOL)
        return wrong_type(s, meta, "bool", err);
    *out = meta->b;
    return PITH_OK;
}

pith_status px_source_get_str(const px_source *s, const char *key, bool required, px_str *out,
                              pith_error *err)
{
    char full[KEY_BYTES];
    const px_meta *meta;
    pith_status status = find(s, key, required, full, &meta, err);
    if (status != PITH_OK || !meta)
        return status;
    if (meta->type != PX_META_STRING)
        return wrong_type(s, meta, "string", err);
    *out = meta->str;
    return PITH_OK;
}

pith_status px_source_get_array(const px_source *s, const char *key, bool required,
                                px_meta_type type, int64_t expected_n, px_meta_array *out,
                                pith_error *err)
{
    char full[KEY_BYTES];
    const px_meta *meta;
    pith_status status = find(s, key, required, full, &meta, err);
    if (status != PITH_OK)
        return status;
    *out = (px_meta_array){.type = type};
    if (!meta)
        return PITH_OK;
    if (meta->type != PX_META_ARRAY || meta->array.type != type) {
        char expected[64];
        snprintf(expected, sizeof expected, "array of %s", px_meta_type_name(type));
        return wrong_type(s, meta, expected, err);
    }
    if (expected_n >= 0 && meta->array.n != (uint64_t)expected_n)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': key '%s' has %" PRIu64 " elements, expected %" PRId64, s->path, full,
                       meta->array.n, expected_n);
    *out = meta->array;
    return PITH_OK;
}

bool px_meta_next_str(const px_meta_array *array, const uint8_t **at, px_str *out)
{
    if (*at == array->data + array->bytes)
        return false;
    uint64_t len;
    memcpy(&len, *at, sizeof len);
    *out = (px_str){.data = (const char *)*at + sizeof len, .len = (size_t)len};
    *at += sizeof len + (size_t)len;
    return true;
}

/* Element i of a packed array as a value of type T. */
#define LOAD(T, array, i, to)                                                \
    do {                                                                     \
        T value_;                                                            \
        memcpy(&value_, (array)->data + (size_t)(i) * sizeof(T), sizeof(T)); \
        to = value_;                                                         \
    } while (0)

int64_t px_meta_int_at(const px_meta_array *array, uint64_t i)
{
    int64_t v = 0;
    double f;
    switch (array->type) {
    case PX_META_U8:
    case PX_META_BOOL:
        LOAD(uint8_t, array, i, v);
        break;
    case PX_META_I8:
        LOAD(int8_t, array, i, v);
        break;
    case PX_META_U16:
        LOAD(uint16_t, array, i, v);
        break;
    case PX_META_I16:
        LOAD(int16_t, array, i, v);
        break;
    case PX_META_U32:
        LOAD(uint32_t, array, i, v);
        break;
    case PX_META_I32:
        LOAD(int32_t, array, i, v);
        break;
    case PX_META_U64:
    case PX_META_I64:
        LOAD(int64_t, array, i, v);
        break;
    case PX_META_F32:
    case PX_META_F64:
        f = px_meta_float_at(array, i);
        v = f >= -0x1p63 && f < 0x1p63 ? (int64_t)f : 0;
        break;
    case PX_META_STRING:
    case PX_META_ARRAY:
        break;
    }
    return v;
}

double px_meta_float_at(const px_meta_array *array, uint64_t i)
{
    double v = 0;
    if (array->type == PX_META_F32) {
        LOAD(float, array, i, v);
    } else if (array->type == PX_META_F64) {
        LOAD(double, array, i, v);
    } else if (array->type == PX_META_U64) {
        uint64_t u = 0;
        LOAD(uint64_t, array, i, u);
        v = (double)u;
    } else {
        v = (double)px_meta_int_at(array, i);
    }
    return v;
}

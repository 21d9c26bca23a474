/*
 * meta_json: metadata values as JSON (RFC 8259). Whatever the file holds, the text is valid: a
 * stretch that is not UTF-8 becomes U+FFFD, control characters are escaped, NaN and infinity are
 * null. Threads: every function touches only its arguments.
 */
#include "base/cursor.h"
#include "base/json.h"
#include "base/utf8.h"
#include "engine/model.h"
#include "format/source_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest of %.1g .. that reads back as the same number. */
static void put_float(px_buf *out, double x, bool single)
{
    if (!isfinite(x)) {
        px_buf_puts(out, "null");
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        double back = strtod(text, NULL);
        if (single ? (float)back == (float)x : back == x)
            break;
    }
    for (char *c = text; *c; c++)
        if (!strchr("+-0123456789e", *c))
            *c = '.'; // whatever the locale writes there
    px_buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        px_buf_puts(out, ".0");
}

static void put_array(const px_meta_array *array, int64_t max_items, int depth, px_buf *out);

/* Element at *at of an array in the file, which then points behind it. */
static void put_element(const px_meta_array *array, uint64_t i, px_cursor *at, px_buf *out)
{
    switch (array->type) {
    case PX_META_STRING: {
        uint64_t len = 0;
        const uint8_t *text = NULL;
        if (px_cursor_u64(at, &len) && px_cursor_bytes(at, (size_t)len, &text))
            px_json_put_str(out, (const char *)text, (size_t)len);
        return;
    }
    case PX_META_F32:
    case PX_META_F64:
        put_float(out, px_meta_float_at(array, i), array->type == PX_META_F32);
        return;
    case PX_META_BOOL:
        px_buf_puts(out, px_meta_int_at(array, i) ? "true" : "false");
        return;
    case PX_META_U64:
        px_buf_printf(out, "%" PRIu64, (uint64_t)px_meta_int_at(array, i));
        return;
    case PX_META_ARRAY:
        px_buf_puts(out, "null"); // put_nested knows these
        return;
    default:
        px_buf_printf(out, "%" PRId64, px_meta_int_at(array, i));
        return;
    }
}

/* Walks over the elements of an array that lies at `at`; false where the file ends too early,
 * which the reader of the file has ruled out. */
static bool skip_elements(px_cursor *at, uint32_t type, uint64_t n, int depth)
{
    const uint8_t *bytes;
    size_t size = px_meta_type_bytes(type);
    if (size > 0)
        return n <= px_cursor_left(at) / size && px_cursor_bytes(at, (size_t)n * size, &bytes);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t count = 0;
        uint32_t inner = PX_META_U8;
        if (type == PX_META_ARRAY && !px_cursor_u32(at, &inner))
            return false;
        if (!px_cursor_u64(at, &count) || depth == 0 || !skip_elements(at, inner, count, depth - 1))
            return false;
    }
    return true;
}

/* An array inside an array. */
static bool put_nested(px_cursor *at, int64_t max_items, int depth, px_buf *out)
{
    uint32_t type;
    uint64_t n;
    if (!px_cursor_u32(at, &type) || !px_cursor_u64(at, &n))
        return false;
    px_cursor start = *at;
    if (depth == 0 || !skip_elements(at, type, n, depth))
        return false;
    px_meta_array inner = {
        .type = (px_meta_type)type, .n = n, .data = start.at, .bytes = (size_t)(at->at - start.at)};
    put_array(&inner, max_items, depth - 1, out);
    return true;
}

static void put_array(const px_meta_array *array, int64_t max_items, int depth, px_buf *out)
{
    px_cursor at = px_cursor_over(array->data, array->bytes);
    uint64_t n = array->n;
    if (max_items >= 0 && n > (uint64_t)max_items)
        n = (uint64_t)max_items;
    px_buf_putc(out, '[');
    for (uint64_t i = 0; i < n && !out->failed; i++) {
        if (i > 0)
            px_buf_putc(out, ',');
        if (array->type != PX_META_ARRAY)
            put_element(array, i, &at, out);
        else if (!put_nested(&at, max_items, depth, out))
            px_buf_puts(out, "null");
    }
    if (n < array->n)
        px_buf_puts(out, n > 0 ? ",\"...\"" : "\"...\"");
    px_buf_putc(out, ']');
}

void px_meta_put_json(const px_meta *meta, int64_t max_items, px_buf *out)
{
    switch (meta->type) {
    case PX_META_STRING:
        px_json_put_str(out, meta->str.data, meta->str.len);
        return;
    case PX_META_ARRAY:
        put_array(&meta->array, max_items, PX_MAX_ARRAY_DEPTH, out);
        return;
    case PX_META_BOOL:
        px_buf_puts(out, meta->b ? "true" : "false");
        return;
    case PX_META_F32:
    case PX_META_F64:
        put_float(out, meta->f, meta->type == PX_META_F32);
        return;
    case PX_META_U8:
    case PX_META_U16:
    case PX_META_U32:
    case PX_META_U64:
        px_buf_printf(out, "%" PRIu64, meta->u);
        return;
    case PX_META_I8:
    case PX_META_I16:
    case PX_META_I32:
    case PX_META_I64:
        px_buf_printf(out, "%" PRId64, meta->i);
        return;
    }
    px_buf_puts(out, "null");
}

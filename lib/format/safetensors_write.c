/* safetensors_write: see safetensors_write.h. */
#include "format/safetensors_write.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>

static const char *dtype_name(px_dtype dtype)
{
    return dtype == PX_F32 ? "F32" : dtype == PX_F16 ? "F16" : dtype == PX_BF16 ? "BF16" : NULL;
}

static bool part_bytes(const px_st_part *p, size_t *out)
{
    size_t n = p->dtype == PX_F32 ? 4 : 2;
    for (int i = 0; i < p->n_dims; i++)
        if (!px_mul_size(n, (size_t)p->shape[i], &n))
            return false;
    *out = n;
    return true;
}

static pith_status make_header(const char *path, const px_st_part *parts, size_t n, px_buf *out,
                               pith_error *err)
{
    size_t at = 0;
    px_buf_puts(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const px_st_part *p = &parts[i];
        size_t bytes, end;
        if (!dtype_name(p->dtype) || p->n_dims < 0 || p->n_dims > PX_MAX_DIMS)
            return px_fail(err, PITH_E_ARGUMENT,
                           "'%s': tensor '%s' is %s of %d dimensions, expected f32, f16 or bf16 of "
                           "at most %d",
                           path, p->name, px_dtype_name((uint32_t)p->dtype), p->n_dims,
                           PX_MAX_DIMS);
        if (!part_bytes(p, &bytes) || !px_add_size(at, bytes, &end))
            return px_fail(err, PITH_E_LIMIT, "'%s': tensor '%s' is too large", path, p->name);
        px_buf_putc(out, ',');
        px_json_put_str(out, p->name, strlen(p->name));
        px_buf_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(p->dtype));
        for (int k = 0; k < p->n_dims; k++)
            px_buf_printf(out, "%s%" PRId64, k ? "," : "", p->shape[k]);
        px_buf_printf(out, "],\"data_offsets\":[%zu,%zu]}", at, end);
        at = end;
    }
    px_buf_putc(out, '}');
    while (!out->failed && out->len % 8 != 0)
        px_buf_putc(out, ' ');
    return px_buf_status(out, "the header of a safetensors file", err);
}

pith_status px_st_save(const char *path, const px_st_part *parts, size_t n, pith_error *err)
{
    px_buf header = {0};
    px_out out = {.fd = -1};
    pith_status st = make_header(path, parts, n, &header, err);
    if (st == PITH_OK)
        st = px_out_open(path, &out, err);
    bool open = st == PITH_OK;
    uint64_t length = header.len;
    if (st == PITH_OK)
        st = px_out_write(&out, &length, sizeof length, err);
    if (st == PITH_OK)
        st = px_out_write(&out, header.data, header.len, err);
    for (size_t i = 0; st == PITH_OK && i < n; i++) {
        size_t bytes = 0;
        (void)part_bytes(&parts[i], &bytes);
        st = bytes ? px_out_write(&out, parts[i].data, bytes, err) : PITH_OK;
    }
    if (st == PITH_OK)
        st = px_out_commit(&out, err);
    else if (open)
        px_out_abort(&out);
    px_buf_clear(&header);
    return st;
}

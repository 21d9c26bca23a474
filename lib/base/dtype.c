/* dtype: see dtype.h. */
#include "base/dtype.h"

#include "base/mem.h"

#include <strings.h>

static const px_dtype_info ROWS[] = {
#define ROW(id, value, name, block, bytes, computes) {id, name, block, bytes, computes},
    PX_DTYPES(ROW)
#undef ROW
};

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

const px_dtype_info *px_dtype_get(uint32_t value)
{
    for (int i = 0; i < N_ROWS; i++)
        if ((uint32_t)ROWS[i].id == value)
            return &ROWS[i];
    return NULL;
}

const px_dtype_info *px_dtype_find(const char *name)
{
    for (int i = 0; i < N_ROWS; i++)
        if (strcasecmp(ROWS[i].name, name) == 0)
            return &ROWS[i];
    return NULL;
}

const char *px_dtype_name(uint32_t value)
{
    const px_dtype_info *row = px_dtype_get(value);
    return row ? row->name : "unknown";
}

bool px_dtype_row_bytes(px_dtype dtype, int64_t n, size_t *bytes)
{
    const px_dtype_info *row = px_dtype_get((uint32_t)dtype);
    if (!row || n < 0 || n % row->block_elements != 0)
        return false;
    return px_mul_size((size_t)(n / row->block_elements), (size_t)row->block_bytes, bytes);
}

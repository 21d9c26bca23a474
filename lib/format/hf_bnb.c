/* hf_bnb: see hf_bnb.h. */
#include "format/hf_bnb.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const char STATE[] = ".quant_state.bitsandbytes__nf4";

/* Of pith's NF4 (kern/blocks.h). */
enum { BLOCK = 64, GROUP = 256, SUPER = 256, SUPER_BYTES = 140 };

typedef struct reader {
    px_hf *hf;
    const char *path;
    const px_st_tensor *from;
    px_hf_find_fn find;
    const void *user;
    /* parts and state */
    const px_st_tensor *absmax, *map, *nested, *nested_map;
    int64_t rows, cols, block, group;
    float offset;
} reader;

bool px_hf_bnb_is_part(const char *name)
{
    static const char *const ENDS[] = {".weight.absmax",
                                       ".weight.quant_map",
                                       ".weight.nested_absmax",
                                       ".weight.nested_quant_map",
                                       ".weight.quant_state.bitsandbytes__nf4",
                                       ".weight.quant_state.bitsandbytes__fp4"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        size_t k = strlen(ENDS[i]);
        if (n > k && strcmp(name + n - k, ENDS[i]) == 0)
            return true;
    }
    return false;
}

static const px_st_tensor *part(const reader *r, const char *suffix)
{
    char name[PX_MAX_TENSOR_NAME + 64];
    snprintf(name, sizeof name, "%s%s", r->from->name, suffix);
    return r->find(r->user, name);
}

static pith_status wrong(const reader *r, const char *what)
{
    return px_fail(r->hf->err, PITH_E_FORMAT, "'%s': tensor '%s' (bitsandbytes) has %s", r->path,
                   r->from->name, what);
}

/* ---- the state */

static pith_status read_numbers(reader *r, px_json root)
{
    px_json shape = px_json_find(root, "shape"), first = {0}, second = {0};
    px_json_walk walk = px_json_each(shape);
    double offset = 0;
    bool good = px_json_count(shape) == 2 && px_json_next(&walk, NULL, &first) &&
                px_json_next(&walk, NULL, &second) && px_json_get_int(first, &r->rows) &&
                px_json_get_int(second, &r->cols) && r->rows > 0 && r->cols > 0 &&
                r->rows <= PX_MAX_VOCAB && r->cols <= PX_MAX_WIDTH;
    if (!good)
        return wrong(r, "a quant_state without a shape of rows and columns");
    if (!px_json_get_int(px_json_find(root, "blocksize"), &r->block) || r->block < 1 ||
        r->block > 4096)
        return wrong(r, "a quant_state without a blocksize of 1 to 4096");
    r->group = 0;
    if (!r->nested)
        return PITH_OK;
    if (!px_json_get_int(px_json_find(root, "nested_blocksize"), &r->group) || r->group < 1 ||
        r->group > 4096 || !px_json_get_double(px_json_find(root, "nested_offset"), &offset) ||
        !(fabs(offset) < 1e30))
        return wrong(r, "a quant_state without nested_blocksize or nested_offset");
    r->offset = (float)offset;
    return PITH_OK;
}

static int64_t ceil_div(int64_t n, int64_t d)
{
    return (n + d - 1) / d;
}

static bool is_f32(const px_st_tensor *t, int64_t n)
{
    return t && t->readable && t->dtype == PX_F32 && t->bytes == (size_t)n * 4;
}

/* Sizes of all parts against the shape. */
static pith_status check_parts(const reader *r)
{
    const int64_t n = r->rows * r->cols, blocks = ceil_div(n, r->block);
    if (r->from->bytes != (size_t)ceil_div(n, 2))
        return wrong(r, "another number of codes than its shape asks for");
    if (!is_f32(r->map, 16))
        return wrong(r, "no quant_map of 16 values");
    if (!r->nested)
        return is_f32(r->absmax, blocks) ? PITH_OK : wrong(r, "no absmax for each block");
    if (!r->absmax || strcmp(r->absmax->dtype_name, "U8") != 0 ||
        r->absmax->bytes != (size_t)blocks)
        return wrong(r, "no absmax for each block");
    if (!is_f32(r->nested_map, 256) || !is_f32(r->nested, ceil_div(blocks, r->group)))
        return wrong(r, "no nested_absmax or nested_quant_map of the right size");
    return PITH_OK;
}

static pith_status read_state(reader *r, const px_st_tensor *state)
{
    px_json root;
    pith_status status =
        px_json_check(state->name, (const char *)state->data, state->bytes, &root, r->hf->err);
    if (status == PITH_OK && !px_json_is(px_json_find(root, "quant_type"), px_str_of("nf4")))
        status = wrong(r, "a quant_state of another type than nf4");
    r->absmax = part(r, ".absmax");
    r->map = part(r, ".quant_map");
    r->nested = part(r, ".nested_absmax");
    r->nested_map = part(r, ".nested_quant_map");
    if (status == PITH_OK)
        status = read_numbers(r, root);
    return status == PITH_OK ? check_parts(r) : status;
}

/* ---- values */

static float load(const px_st_tensor *t, int64_t i)
{
    float x;
    memcpy(&x, t->data + 4 * i, sizeof x);
    return x;
}

/* The code books of pith's NF4 by their FNV-1a hash: kern's tables are not this room's to see. */
static bool has_hash(const px_st_tensor *t, uint64_t expected)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < t->bytes; i++)
        h = (h ^ t->data[i]) * 0x100000001b3u;
    return h == expected;
}

static bool is_ours(const reader *r)
{
    return r->nested && r->block == BLOCK && r->group == GROUP && r->cols % SUPER == 0 &&
           has_hash(r->map, 0x38e10558c37c2c71u) && has_hash(r->nested_map, 0xd677f22a96665bc4u);
}

/* | 128 bytes of codes | 4 of scales | f32 nested scale | f32 offset | a super-block */
static void regroup(const reader *r, uint8_t *out)
{
    const int64_t n = r->rows * r->cols / SUPER;
    for (int64_t i = 0; i < n; i++, out += SUPER_BYTES) {
        float scale = load(r->nested, 4 * i / GROUP);
        memcpy(out, r->from->data + i * (SUPER / 2), SUPER / 2);
        memcpy(out + 128, r->absmax->data + 4 * i, 4);
        memcpy(out + 132, &scale, 4);
        memcpy(out + 136, &r->offset, 4);
    }
}

static void decode(const reader *r, float *out)
{
    const int64_t n = r->rows * r->cols;
    float absmax = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t b = i / r->block;
        if (i % r->block == 0 && r->nested)
            absmax =
                load(r->nested_map, r->absmax->data[b]) * load(r->nested, b / r->group) + r->offset;
        else if (i % r->block == 0)
            absmax = load(r->absmax, b);
        uint8_t two = r->from->data[i / 2];
        out[i] = load(r->map, i % 2 ? two & 15 : two >> 4) * absmax;
    }
}

pith_status px_hf_bnb_read(px_hf *hf, const char *path, const px_st_tensor *from,
                           px_hf_find_fn find, const void *user, px_tensor *t, bool *found)
{
    reader r = {.hf = hf, .path = path, .from = from, .find = find, .user = user};
    const px_st_tensor *state = part(&r, STATE);
    *found = state != NULL;
    if (!state && part(&r, ".quant_state.bitsandbytes__fp4"))
        return px_fail(hf->err, PITH_E_UNSUPPORTED,
                       "'%s': tensor '%s' is quantized to fp4, pith reads nf4 of bitsandbytes only",
                       path, from->name);
    if (!state)
        return PITH_OK;
    pith_status status = read_state(&r, state);
    if (status != PITH_OK)
        return status;
    const bool ours = is_ours(&r);
    const size_t n = (size_t)(r.rows * r.cols);
    const size_t bytes = ours ? n / SUPER * SUPER_BYTES : n * sizeof(float);
    uint8_t *data = px_source_block(hf->state, bytes);
    if (!data)
        return px_fail_memory(hf->err, "weights of bitsandbytes");
    if (ours)
        regroup(&r, data);
    else
        decode(&r, (float *)(void *)data);
    t->dtype = ours ? PX_NF4 : PX_F32;
    t->n_dims = 2;
    t->ne[0] = r.cols;
    t->ne[1] = r.rows;
    t->data = data;
    t->bytes = bytes;
    t->file = -1;
    t->file_offset = 0;
    return PITH_OK;
}

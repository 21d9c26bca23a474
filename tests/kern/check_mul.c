/*
 * check_mul: products and decoding of every dtype.
 *
 * Expected values come from traits.decode and double arithmetic, not from the mul kernels. The
 * bound is (depth + 8) * EPS * sum |a b|: a sum of f32 takes its terms through at most `depth`
 * additions one after the other, each with a relative error of EPS of a partial sum that is no
 * larger than sum |a b|; 8 stands for the roundings of decoding (2), of the products with scales
 * (3) and of the final sum across lanes (3). depth is k / 8 for float weights and few columns (8
 * lanes at least), k for many (one row a lane), two a block for the rest. A tile of super-blocks
 * adds up their sub-blocks in f32 first: a term goes through at most 17 additions there (16
 * sub-blocks and the minima), one for each super-block and one for each panel of values, of at
 * least 1024. Where weights have an offset, |a| is |scale q| + |offset|, since the two parts are
 * summed apart.
 *
 * A level whose float products take bf16 activations multiplies weights rounded to bf16, with few
 * columns and many: the expected value is the product of these.
 *
 * Integer parts are compared exactly, on data whose every partial sum is a whole number below 2^24.
 */
#include "check.h"

#include "kern/act.h"
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/codes.h"

#include <string.h>

typedef struct problem {
    px_dtype dtype;
    int64_t k, rows, cols;
    check_data kind;
    size_t row_bytes; // may leave a gap behind a row
    bool many;        // the kernel for many columns
    uint8_t *w;
    float *x; // [cols, k] before packing
    px_act act;
    float *y;
    int64_t y_stride;
    void *scratch;
} problem;

/* ---- weights */

static void put_f16(check *c, uint8_t *at, check_data kind)
{
    static const float POWERS[] = {0.25f, 0.5f, 1.0f, -0.5f};
    const float ordinary = check_normal(c, 0.01f);
    px_store_f16(at, kind == EXACT ? POWERS[check_int(c, 0, 3)] : ordinary);
}

/* Random bytes are valid codes of every block format; scales are overwritten by sane ones. */
static void random_block(check *c, px_dtype dtype, check_data kind, uint8_t *b, size_t n)
{
    test_random_bytes(&c->random, b, n);
    if (kind == EXTREME)
        memset(b, check_int(c, 0, 1) ? 0xff : check_int(c, 0, 1) ? 0x00 : 0x80, n);
    switch (dtype) {
    case PX_Q8_0:
    case PX_Q4_0:
    case PX_Q5_0:
    case PX_IQ4_NL:
    case PX_IQ4_XS:
        put_f16(c, b, kind);
        break;
    case PX_Q4_1:
    case PX_Q5_1:
    case PX_Q4_K:
    case PX_Q5_K:
        put_f16(c, b, kind);
        put_f16(c, b + 2, kind);
        break;
    case PX_Q2_K:
        put_f16(c, b + 80, kind);
        put_f16(c, b + 82, kind);
        break;
    case PX_Q3_K:
        put_f16(c, b + 108, kind);
        break;
    case PX_Q6_K:
        put_f16(c, b + 208, kind);
        break;
    case PX_MXFP4:
        b[0] = (uint8_t)check_int(c, 124, 129);
        break;
    case PX_NF4:
        px_store_f32(b + 132, fabsf(check_normal(c, 0.01f)));
        px_store_f32(b + 136, 0.05f);
        break;
    default: // floats: n bytes of one value
        if (kind == EXACT) {
            px_traits_get(dtype)->encode((float[]){(float)check_int(c, -8, 8)}, b, 1, NULL);
        } else {
            px_traits_get(dtype)->encode((float[]){check_normal(c, 0.05f)}, b, 1, NULL);
        }
    }
}

uint8_t *check_weights(check *c, px_dtype dtype, int64_t rows, int64_t k, check_data kind,
                       size_t *row_bytes)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    const size_t used = (size_t)(k / info->block_elements) * (size_t)info->block_bytes;
    const size_t gap = check_int(c, 0, 1) ? 0 : 3;
    *row_bytes = used + gap;
    // the last row ends at the inaccessible page, without its gap
    const size_t total = rows > 0 ? (size_t)rows * *row_bytes - gap : 0;
    uint8_t *w = check_memory_shifted(total, (size_t)check_int(c, 0, 1));
    for (int64_t r = 0; r < rows; r++)
        for (size_t at = 0; at < used; at += (size_t)info->block_bytes)
            random_block(c, dtype, kind, w + (size_t)r * *row_bytes + at,
                         (size_t)info->block_bytes);
    return w;
}

bool check_spoil(px_dtype dtype, uint8_t *block)
{
    if (px_dtype_get((uint32_t)dtype)->block_elements == 1)
        px_traits_get(dtype)->encode((float[]){NAN}, block, 1, NULL);
    else if (dtype == PX_NF4)
        px_store_f32(block + 136, NAN);
    else if (dtype != PX_MXFP4) // its scales are always finite
        px_store_f16(block + (dtype == PX_Q2_K   ? 80
                              : dtype == PX_Q3_K ? 108
                              : dtype == PX_Q6_K ? 208
                                                 : 0),
                     NAN);
    return dtype != PX_MXFP4;
}

/* ---- activations */

static void make_activations(check *c, problem *p)
{
    const px_act_form form = c->kern->form[px_kern_slot(p->dtype)];
    const size_t column_bytes =
        px_act_column_bytes(form, p->k) + (check_int(c, 0, 1) ? 0 : PX_ACT_ALIGN);
    uint8_t *packed = check_memory(column_bytes * (size_t)p->cols);
    p->x = check_memory((size_t)(p->k * p->cols) * sizeof(float));
    for (int64_t i = 0; i < p->k * p->cols; i++) {
        const int sign = check_int(c, 0, 1) ? 1 : -1;
        p->x[i] = p->kind == EXTREME ? (float)sign
                  : p->kind == EXACT ? (float)check_int(c, -3, 3)
                                     : check_normal(c, 1.0f);
    }
    // 127 in each block makes the packed scale 1 and the codes the values themselves
    const int64_t block = form == PX_ACT_Q8 ? PX_Q8_BLOCK : form == PX_ACT_Q8K ? PX_Q8K_BLOCK : 0;
    for (int64_t i = 0; p->kind == EXACT && block > 0 && i < p->k * p->cols; i += block)
        p->x[i] = 127.0f;
    c->ref->pack[form](p->x, p->k, p->k, 0, p->cols, packed, column_bytes);
    p->act = (px_act){form, p->k, p->cols, packed, column_bytes};
}

/* Value i of column col as the packed form has it. */
static double activation(const problem *p, int64_t col, int64_t i)
{
    if (p->act.form == PX_ACT_Q8) {
        const px_q8_column x = px_q8_column_of(&p->act, col);
        return (double)x.q[i] * (double)x.d[i / PX_Q8_BLOCK];
    }
    if (p->act.form == PX_ACT_Q8K) {
        const px_q8k_column x = px_q8k_column_of(&p->act, col);
        return (double)x.q[i] * (double)x.d[i / PX_Q8K_BLOCK];
    }
    if (p->act.form == PX_ACT_BF16)
        return (double)px_bf16_to_f32(px_load16(px_act_column(&p->act, col) + 2 * i));
    return (double)((const float *)(const void *)px_act_column(&p->act, col))[i];
}

/* ---- the expected */

/* |scale q| + |offset| of each value of a row. */
static void magnitudes(const problem *p, const uint8_t *row, const float *decoded, double *out)
{
    const px_unpack_fn unpack = px_unpack_get(p->dtype);
    const px_dtype_info *info = px_dtype_get((uint32_t)p->dtype);
    for (int64_t i = 0; i < p->k; i++)
        out[i] = fabs((double)decoded[i]);
    for (int64_t i = 0; unpack && i < p->k; i += info->block_elements) {
        px_codes b;
        unpack(row + i / info->block_elements * info->block_bytes, &b);
        for (int j = 0; j < info->block_elements; j++)
            out[i + j] =
                fabs((double)b.d * b.sc[j / 16] * b.q[j]) + fabs((double)b.dmin * b.mn[j / 16]);
    }
}

static double depth_of(const problem *p)
{
    if (p->act.form == PX_ACT_BF16) {
#if defined(__aarch64__) // four lanes, pairs summed first, rounded to odd: errors of a whole unit
        return (double)p->k * (p->many ? 2.0 : 0.5);
#else
        return p->many ? (double)p->k : (double)p->k / 16; // 16 lanes
#endif
    }
    if (p->many && p->act.form == PX_ACT_Q8K)
        return 17 + (double)(p->k / PX_Q8K_BLOCK) + (double)p->k / 1024;
    return p->act.form == PX_ACT_Q8    ? 2.0 * (double)(p->k / PX_Q8_BLOCK)
           : p->act.form == PX_ACT_Q8K ? 2.0 * (double)(p->k / PX_Q8K_BLOCK)
           : p->many                   ? (double)p->k
                                       : (double)p->k / 8;
}

static void compare(check *c, const problem *p)
{
    float *w = check_memory((size_t)p->k * sizeof *w);
    double *size = check_memory((size_t)p->k * sizeof *size);
    const char *what =
        test_format("%s%s k %lld, %lld rows, %lld columns, data %d, (row, column)",
                    px_dtype_name((uint32_t)p->dtype), p->many ? " tile" : "", (long long)p->k,
                    (long long)p->rows, (long long)p->cols, (int)p->kind);
    for (int64_t r = 0; r < p->rows; r++) {
        const uint8_t *row = p->w + (size_t)r * p->row_bytes;
        px_traits_get(p->dtype)->decode(row, w, p->k);
        for (int64_t i = 0; p->act.form == PX_ACT_BF16 && i < p->k; i++)
            w[i] = px_bf16_to_f32(px_f32_to_bf16(w[i]));
        magnitudes(p, row, w, size);
        for (int64_t col = 0; col < p->cols; col++) {
            double sum = 0, abs_sum = 0;
            for (int64_t i = 0; i < p->k; i++) {
                const double x = activation(p, col, i);
                sum += (double)w[i] * x;
                abs_sum += size[i] * fabs(x);
            }
            const double bound =
                p->kind == EXACT && p->dtype != PX_NF4 ? 0 : (depth_of(p) + 8) * EPS * abs_sum;
            if (!check_near(c, p->y[col * p->y_stride + r], sum, bound, what, r, col))
                return;
        }
    }
}

/* ---- running */

static void multiply(check *c, problem *p, float *y, int64_t row0, int64_t row1)
{
    const px_mul m = {.dtype = p->dtype,
                      .w = p->w,
                      .row_bytes = p->row_bytes,
                      .x = &p->act,
                      .y = y,
                      .y_stride = p->y_stride,
                      .scratch = p->scratch};
    const int slot = px_kern_slot(p->dtype);
    (p->many ? c->kern->tile : c->kern->mul)[slot](&m, row0, row1);
}

static size_t y_bytes(const problem *p)
{
    return (size_t)(p->cols * p->y_stride) * sizeof(float);
}

static void make(check *c, problem *p, px_dtype dtype, int64_t k, int64_t rows, int64_t cols,
                 check_data kind, bool many)
{
    *p = (problem){.dtype = dtype, .k = k, .rows = rows, .cols = cols, .kind = kind, .many = many};
    p->w = check_weights(c, dtype, rows, k, kind, &p->row_bytes);
    make_activations(c, p);
    p->y_stride = rows + 3; // three floats behind each column must stay
    p->y = check_memory(y_bytes(p));
    p->scratch = check_memory(c->kern->scratch_bytes);
}

/* One problem by the kernel for few columns or the one for many. */
static void check_kernel(check *c, px_dtype dtype, int64_t k, int64_t rows, int64_t cols,
                         check_data kind, bool many)
{
    problem p;
    make(c, &p, dtype, k, rows, cols, kind, many);
    multiply(c, &p, p.y, 0, rows);
    compare(c, &p);
    for (int64_t col = 0; col < cols; col++)
        if (!check_untouched(p.y + col * p.y_stride + rows, 3 * sizeof(float)))
            check_fail(c, "wrote behind column %lld of %lld rows", (long long)col, (long long)rows);

    // rows in two parts give the same bits, and nothing outside [row0, row1) is written
    float *y = check_memory(y_bytes(&p));
    const int64_t split = rows / 2;
    multiply(c, &p, y, split, rows);
    for (int64_t col = 0; col < cols; col++)
        if (!check_untouched(y + col * p.y_stride, (size_t)split * sizeof(float)))
            check_fail(c, "wrote before row %lld", (long long)split);
    multiply(c, &p, y, 0, split);
    if (memcmp(y, p.y, y_bytes(&p)) != 0)
        check_fail(c, "%lld rows at once differ from %lld and the rest", (long long)rows,
                   (long long)split);
    check_release();
}

/* Both kernels take any number of columns. */
static void check_one(check *c, px_dtype dtype, int64_t k, int64_t rows, int64_t cols,
                      check_data kind)
{
    if (c->failed)
        return;
    check_kernel(c, dtype, k, rows, cols, kind, false);
    if (c->kern->tile[px_kern_slot(dtype)] && !c->failed)
        check_kernel(c, dtype, k, rows, cols, kind, true);
}

/* A NaN or infinity in one column reaches that column alone, in one row that row alone. */
static void check_not_finite(check *c, px_dtype dtype, bool many)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    problem p;
    make(c, &p, dtype, 512, 5, 3, ORDINARY, many);
    const float bad = check_int(c, 0, 1) ? NAN : INFINITY;
    p.x[512 + 77] = bad;
    c->ref->pack[p.act.form](p.x, 512, 512, 0, 3, (void *)(uintptr_t)p.act.data,
                             p.act.column_bytes);
    check_spoil(dtype, p.w + 2 * p.row_bytes);
    multiply(c, &p, p.y, 0, 5);
    for (int64_t r = 0; r < 5; r++) {
        for (int64_t col = 0; col < 3; col++) {
            const bool want_finite = col != 1 && (r != 2 || dtype == PX_MXFP4);
            c->n_compared++;
            if ((bool)isfinite(p.y[col * p.y_stride + r]) != want_finite)
                check_fail(c, "%s: row %lld column %lld is %g", info->name, (long long)r,
                           (long long)col, (double)p.y[col * p.y_stride + r]);
        }
    }
    check_release();
}

void check_mul(check *c, px_dtype dtype)
{
    static const int64_t FLOAT_K[] = {0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 127, 260, 1009};
    static const int64_t BLOCKS[] = {0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 37};
    static const int64_t ROWS[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 101};
    static const int64_t COLS[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 19, 24, 25, 32, 33};
    enum { N_ROWS = sizeof ROWS / sizeof ROWS[0], N_COLS = sizeof COLS / sizeof COLS[0] };
    const int64_t block = px_dtype_get((uint32_t)dtype)->block_elements;
    const int64_t wide = c->quick ? 256 : 512;
    const int n_k = block == 1 ? 14 : 11;
    for (int i = 0; i < n_k && !c->failed; i++) {
        const int64_t k = block == 1 ? FLOAT_K[i] : BLOCKS[i] * block;
        for (int kind = 0; kind < N_DATA; kind++) {
            // every k with several shapes; exact sums hold while k times the largest terms is small
            if (kind == EXACT && (k > 1024 || (dtype == PX_Q8_0 && k > 256)))
                continue;
            for (int shape = 0; shape < (c->quick ? k < 1000 : 3); shape++)
                check_one(c, dtype, k, ROWS[check_int(c, 0, N_ROWS - 1)],
                          COLS[check_int(c, 0, N_COLS - 1)], (check_data)kind);
        }
    }
    for (int i = 0; i < N_ROWS; i++) // every count of rows, of columns
        check_one(c, dtype, wide, ROWS[i], 1, ORDINARY);
    for (int i = 0; i < N_COLS; i++)
        check_one(c, dtype, wide, 6, COLS[i], ORDINARY);
    check_one(c, dtype, 256, 5, 65, ORDINARY);
    check_one(c, dtype, c->quick ? 2048 : 8192, 3, 2, ORDINARY);
    if (!c->quick) // several panels of values, the last one shorter
        check_one(c, dtype, 4864, 18, 5, ORDINARY);
    check_one(c, dtype, 2304, 17, 13, EXTREME);
    for (int i = 0; i < 4 && !c->failed; i++) {
        check_not_finite(c, dtype, false);
        if (c->kern->tile[px_kern_slot(dtype)] && !c->failed)
            check_not_finite(c, dtype, true);
    }
}

void check_decode(check *c, px_dtype dtype)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)dtype);
    for (int64_t n_blocks = 0; n_blocks < 70; n_blocks++) {
        const int64_t n = n_blocks * info->block_elements;
        const size_t bytes = (size_t)n_blocks * (size_t)info->block_bytes;
        uint8_t *w = check_memory_shifted(bytes, (size_t)(n_blocks % 2));
        for (int64_t b = 0; b < n_blocks; b++)
            random_block(c, dtype, ORDINARY, w + b * info->block_bytes, (size_t)info->block_bytes);
        if (info->block_elements == 1 && n > 2 && dtype != PX_F32)
            test_random_bytes(&c->random, w, bytes); // every class of number
        float *got = check_memory((size_t)n * sizeof *got);
        float *want = check_memory((size_t)n * sizeof *want);
        c->kern->decode[px_kern_slot(dtype)](w, got, n);
        px_traits_get(dtype)->decode(w, want, n);
        c->n_compared += n;
        if (memcmp(got, want, (size_t)n * sizeof *got) != 0)
            check_fail(c, "%lld values of %s differ", (long long)n, info->name);
        check_release();
    }
}

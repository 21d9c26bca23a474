/*
 * check_attention: attention against double arithmetic that knows neither tiles nor a running
 * maximum.
 *
 * Keys that no query sees are NaN, and pages that hold only such keys are not there at all.
 *
 * Bound: a score has an error of ds = ((D / 8 + 8) EPS) scale sum |q k| (a softcap only lessens it,
 * adding 8 EPS times its size); a weight exp(s - max) then has a relative error of 2 ds (its own
 * and the maximum's) + 12 EPS (the exponential, bringing parts together); sums over n keys add n
 * EPS; all relative to sum p |v| / sum p.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { BF16_TOKENS = 9 };
#define BF16_EPS 0x1p-9

typedef struct problem {
    px_attn a;
    int64_t n_keys;
    int n_pages;
    uint8_t **k, **v; // pages
} problem;

/* Keys that query i sees, and where a row lies: as ops.h says, without the kernels' own helpers. */
typedef struct range {
    int64_t first, end;
} range;

static range sees(const px_attn *a, int64_t i)
{
    range r = {0, a->pos0 + i + 1};
    while (a->window > 0 && !(r.first > a->pos0 + i - a->window))
        r.first++;
    return r;
}

static const uint8_t *key_at(const px_attn *a, int64_t t)
{
    return (const uint8_t *)a->k_pages[t / a->page_tokens] + a->k_offset +
           (size_t)(t % a->page_tokens) * a->k_row_bytes;
}

static const uint8_t *value_at(const px_attn *a, int64_t t)
{
    return (const uint8_t *)a->v_pages[t / a->page_tokens] + a->v_offset +
           (size_t)(t % a->page_tokens) * a->v_row_bytes;
}

static size_t row_bytes(px_dtype dtype, int64_t n)
{
    size_t bytes = 0;
    (void)px_dtype_row_bytes(dtype, n, &bytes);
    return bytes;
}

/* Pages of one of K and V: rows of random values, the store kernel of plain C, 8 bytes of gap. */
static uint8_t **make_pages(check *c, const px_attn *a, px_dtype dtype, int64_t dim, int64_t first,
                            int64_t end, size_t offset, size_t stride)
{
    const int n_pages = (int)((end + a->page_tokens - 1) / a->page_tokens);
    uint8_t **pages = check_memory((size_t)n_pages * sizeof *pages);
    float *x = malloc((size_t)dim * sizeof *x);
    memset(pages, 0, (size_t)n_pages * sizeof *pages);
    for (int64_t t = first; x && t < end; t++) {
        uint8_t **page = &pages[t / a->page_tokens];
        if (!*page) {
            // ends with the last row, so that reading behind it is caught
            const size_t n = offset + (size_t)(a->page_tokens - 1) * stride + row_bytes(dtype, dim);
            *page = check_memory(n);
            memset(*page, 0xff, n); // NaN in every dtype
        }
        for (int64_t j = 0; j < dim; j++)
            x[j] = check_normal(c, 1.0f);
        uint8_t *at = *page + offset + (size_t)(t % a->page_tokens) * stride;
        px_store_fn store = dtype == PX_F32   ? c->ref->store_f32
                            : dtype == PX_F16 ? c->ref->store_f16
                                              : c->ref->store_q8_0;
        store(x, at, dim);
    }
    free(x);
    return pages;
}

static void decode(px_dtype dtype, const uint8_t *row, float *out, int64_t n)
{
    px_traits_get(dtype)->decode(row, out, n);
}

/* Expected output of one query row, and its bound; false for memory. */
static bool truth(const px_attn *a, bool bf16, const float *q, range seen, double *out,
                  double *bound)
{
    const int64_t n = seen.end - seen.first;
    double *s = malloc((size_t)n * sizeof *s),
           *abs_out = calloc((size_t)a->value_dim, sizeof(double));
    float *x = malloc((size_t)(a->head_dim + a->value_dim) * sizeof *x);
    double most = -INFINITY, ds = 0, sum = 0;
    if (!s || !x || !abs_out)
        return false;
    for (int64_t t = 0; t < n; t++) {
        double dot = 0, size = 0;
        decode(a->k_dtype, key_at(a, seen.first + t), x, a->head_dim);
        for (int64_t j = 0; j < a->head_dim; j++) {
            dot += (double)q[j] * (double)x[j];
            size += fabs((double)q[j] * (double)x[j]);
        }
        s[t] = dot * (double)a->scale;
        const double rounding = bf16 ? 2 * BF16_EPS + BF16_EPS * BF16_EPS : 0;
        const double error =
            (((double)a->head_dim / 8 + 8) * EPS + rounding) * size * (double)a->scale;
        ds = fmax(ds, error + (a->softcap > 0 ? 8 * EPS * (double)a->softcap : 0));
        if (a->softcap > 0)
            s[t] = (double)a->softcap * tanh(s[t] / (double)a->softcap);
        most = fmax(most, s[t]);
    }
    memset(out, 0, (size_t)a->value_dim * sizeof *out);
    for (int64_t t = 0; t < n; t++) {
        const double p = exp(s[t] - most);
        sum += p;
        decode(a->v_dtype, value_at(a, seen.first + t), x, a->value_dim);
        for (int64_t j = 0; j < a->value_dim; j++) {
            out[j] += p * (double)x[j];
            abs_out[j] += p * fabs((double)x[j]);
        }
    }
    for (int64_t j = 0; j < a->value_dim; j++) {
        out[j] /= sum;
        const double weight = bf16 ? expm1(2 * ds) + 2 * BF16_EPS + 2 * 7.5e-5 : 2 * ds;
        bound[j] = (weight + (12 + (double)n) * EPS) * abs_out[j] / sum;
    }
    free(s);
    free(x);
    free(abs_out);
    return true;
}

static void compare(check *c, const px_attn *a)
{
    double *want = malloc((size_t)a->value_dim * sizeof *want);
    double *bound = malloc((size_t)a->value_dim * sizeof *bound);
    const bool bf16 = c->kern->level == PX_CPU_BF16 && a->n_q >= BF16_TOKENS &&
                      a->k_dtype != PX_F32 && a->v_dtype != PX_F32;
    for (int64_t i = 0; want && bound && i < a->n_q && !c->failed; i++) {
        for (int64_t g = 0; g < a->group; g++) {
            const char *what = test_format(
                "D %d/%d, %s/%s, n_q %d, group %d, pos0 %lld, window %lld, cap %g, row %lld (head, "
                "j)",
                a->head_dim, a->value_dim, px_dtype_name((uint32_t)a->k_dtype),
                px_dtype_name((uint32_t)a->v_dtype), a->n_q, a->group, (long long)a->pos0,
                (long long)a->window, (double)a->softcap, (long long)i);
            if (!truth(a, bf16, a->q + i * a->q_stride + g * a->head_dim, sees(a, i), want, bound))
                check_fail(c, "out of memory");
            for (int64_t j = 0; j < a->value_dim && !c->failed; j++)
                check_near(c, a->out[i * a->out_stride + g * a->value_dim + j], want[j], bound[j],
                           what, g, j);
        }
    }
    free(want);
    free(bound);
}

/* The same attention in up to four parts at random keys, put together in double; `whole` is what
 * the kernel gave in one go. Each is within its bound of the truth, so they are within twice that
 * of each other; here the parts' result takes the place of the whole one and is compared anew. */
static void compare_parts(check *c, const px_attn *whole)
{
    px_attn a = *whole;
    const int n_parts = check_int(c, 1, 4);
    const int64_t end = a.pos0 + a.n_q, n_rows = (int64_t)a.n_q * a.group;
    const size_t n_out = (size_t)(a.n_q * whole->out_stride);
    px_attn_part *parts = check_memory((size_t)(n_parts * n_rows) * sizeof *parts);
    float *outs = check_memory((size_t)n_parts * n_out * sizeof *outs);
    for (int p = 0; p < n_parts && n_rows > 0; p++) {
        a.key_first = p > 0 ? a.key_end : 0;
        a.key_end = p + 1 < n_parts ? a.key_first + check_int(c, 0, (int)(end - a.key_first)) : end;
        a.key_end = a.key_end > 0 ? a.key_end : 1;
        a.part = parts + p * n_rows;
        a.out = outs + (size_t)p * n_out;
        c->kern->attention(&a);
    }
    for (int64_t i = 0; i < n_rows; i++) {
        float most = -INFINITY;
        double sum = 0;
        for (int p = 0; p < n_parts; p++)
            most = fmaxf(most, parts[p * n_rows + i].most);
        for (int p = 0; p < n_parts; p++)
            sum += (double)parts[p * n_rows + i].sum *
                   exp((double)(parts[p * n_rows + i].most - most));
        const int64_t at = i / a.group * a.out_stride + i % a.group * a.value_dim;
        for (int64_t j = 0; j < a.value_dim; j++) {
            double y = 0;
            for (int p = 0; p < n_parts; p++)
                y += (double)outs[(size_t)p * n_out + (size_t)(at + j)] *
                     exp((double)(parts[p * n_rows + i].most - most));
            whole->out[at + j] = (float)(y / sum);
        }
    }
    compare(c, whole);
}

static px_attn make(check *c, int dim, int value_dim, int n_q, int group, int64_t pos0,
                    int64_t window, float softcap, px_dtype k_dtype, px_dtype v_dtype)
{
    px_attn a = {.n_q = n_q,
                 .group = group,
                 .head_dim = dim,
                 .value_dim = value_dim,
                 .pos0 = pos0,
                 .window = window,
                 .scale = 1.0f / sqrtf((float)dim),
                 .softcap = softcap,
                 .k_dtype = k_dtype,
                 .v_dtype = v_dtype,
                 .page_tokens = check_int(c, 0, 1) ? 64 : 16};
    a.q_stride = (int64_t)group * dim + 4;
    a.out_stride = (int64_t)group * value_dim + 4;
    float *q = check_memory((size_t)(n_q * a.q_stride) * sizeof *q);
    for (int64_t i = 0; i < n_q * a.q_stride; i++)
        q[i] = check_normal(c, 2.0f);
    a.q = q;
    a.out = check_memory((size_t)(n_q * a.out_stride) * sizeof *a.out);
    a.k_offset = (size_t)check_int(c, 0, 3) * 4;
    a.v_offset = (size_t)check_int(c, 0, 3) * 4;
    a.k_row_bytes = row_bytes(k_dtype, dim) + 8;
    a.v_row_bytes = row_bytes(v_dtype, value_dim) + 8;
    a.scratch = check_memory(c->kern->scratch_bytes);
    const int64_t first = n_q > 0 ? sees(&a, 0).first : 0, end = pos0 + n_q;
    a.k_pages =
        (const void *const *)make_pages(c, &a, k_dtype, dim, first, end, a.k_offset, a.k_row_bytes);
    a.v_pages = (const void *const *)make_pages(c, &a, v_dtype, value_dim, first, end, a.v_offset,
                                                a.v_row_bytes);
    return a;
}

static void check_one(check *c, int dim, int value_dim, int n_q, int group, int64_t pos0,
                      int64_t window, float softcap, px_dtype k_dtype, px_dtype v_dtype)
{
    const px_attn a = make(c, dim, value_dim, n_q, group, pos0, window, softcap, k_dtype, v_dtype);
    c->kern->attention(&a);
    compare(c, &a);
    for (int64_t i = 0; i < n_q; i++)
        if (!check_untouched(a.out + i * a.out_stride + group * value_dim, 4 * sizeof *a.out))
            check_fail(c, "wrote behind the heads of query %lld", (long long)i);
    if (!c->failed)
        compare_parts(c, &a);
    check_release();
}

/* A NaN in the key and value of token `odd` of n_q must reach those behind it and no other. */
static void check_odd(check *c, int n_q, int64_t pos0, int odd, px_dtype dtype)
{
    for (int i = 0; i < 2 && !c->failed; i++) { // in the key, in the value
        px_attn a = make(c, 32, 32, n_q, 3, pos0, 0, 0, dtype, dtype);
        uint8_t *row =
            (uint8_t *)(uintptr_t)(i == 0 ? key_at(&a, pos0 + odd) : value_at(&a, pos0 + odd));
        float x[32];
        for (int j = 0; j < 32; j++)
            x[j] = i == 1 && j % 2 ? INFINITY : NAN;
        (dtype == PX_F32 ? c->ref->store_f32 : c->ref->store_f16)(x, row, 32);
        c->kern->attention(&a);
        for (int64_t t = 0; t < n_q; t++)
            for (int64_t j = 0; j < 3 * 32; j++) {
                const float y = a.out[t * a.out_stride + j];
                if ((bool)isfinite(y) != (t < odd))
                    check_fail(c, "query %lld value %lld is %g", (long long)t, (long long)j,
                               (double)y);
            }
        check_release();
    }
}

/* Large scores saturate: one key takes all. */
static void check_large(check *c)
{
    for (int n_q = 1; n_q <= 33; n_q += 32) {
        px_attn a = make(c, 32, 32, n_q, 1, 100, 0, 0, PX_F32, PX_F32);
        a.scale = 1e4f;
        c->kern->attention(&a);
        for (int64_t t = 0; t < n_q; t++)
            for (int64_t j = 0; j < 32; j++)
                if (!isfinite(a.out[t * a.out_stride + j]))
                    check_fail(c, "large scores: value %lld of query %lld is %g", (long long)j,
                               (long long)t, (double)a.out[t * a.out_stride + j]);
        check_release();
    }
}

void check_attention(check *c)
{
    static const int DIMS[] = {1, 8, 12, 16, 31, 32, 40, 64, 80, 96, 128, 160, 256};
    static const int GROUPS[] = {1, 2, 3, 4, 5, 7, 8};
    static const int64_t POS0[] = {0, 1, 15, 63, 64, 65, 127, 200, 333};
    static const int64_t WINDOWS[] = {0, 0, 0, 1, 7, 64, 100, 1000};
    static const px_dtype DTYPES[] = {PX_F32, PX_F16, PX_Q8_0};
    for (int d = 0; d < 13; d++) {
        for (int i = 0; i < (c->quick ? 6 : 24) && !c->failed; i++) {
            const int value_dim = i % 4 == 0 ? DIMS[check_int(c, 0, 12)] : DIMS[d];
            px_dtype k = DTYPES[i % 3], v = check_int(c, 0, 3) ? k : DTYPES[check_int(c, 0, 2)];
            if (DIMS[d] % 32 != 0 && k == PX_Q8_0)
                k = PX_F16;
            if (value_dim % 32 != 0 && v == PX_Q8_0)
                v = PX_F16;
            check_one(c, DIMS[d], value_dim, check_int(c, 0, 6), GROUPS[check_int(c, 0, 6)],
                      POS0[check_int(c, 0, 8)], WINDOWS[check_int(c, 0, 7)],
                      check_int(c, 0, 3) ? 0.0f : 3.0f, k, v);
        }
        for (int i = 0; i < (c->quick ? 1 : 6) && !c->failed; i++) { // many tokens
            static const int TOKENS[] = {8, 9, 15, 17, 32, 33, 64, 70};
            px_dtype k = DTYPES[i % 3];
            if (DIMS[d] % 32 != 0 && k == PX_Q8_0)
                k = PX_F32;
            check_one(c, DIMS[d], DIMS[d], TOKENS[check_int(c, 0, 7)], GROUPS[check_int(c, 0, 6)],
                      POS0[check_int(c, 0, 8)], WINDOWS[check_int(c, 0, 7)],
                      check_int(c, 0, 3) ? 0.0f : 3.0f, k, k);
        }
    }
    check_odd(c, 6, 70, 5, PX_F32);
    check_odd(c, 40, 30, 20, PX_F32);
    check_odd(c, 40, 30, 20, PX_F16);
    check_odd(c, 40, 70, 39, PX_F16);
    check_large(c);
}

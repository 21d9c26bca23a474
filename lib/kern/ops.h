/*
 * ops: the table of compute kernels and their contracts. model/ and train/ call kernels only
 * through it.
 *
 * A table is filled once for a level: plain C first, which defines each op, then each higher level
 * of the architecture overwrites what it does better, up to the cap. A table is immutable
 * afterwards and may be shared by threads.
 *
 * Contracts for all ops, unless said otherwise: pointers are aligned to 4 bytes at least (weights
 * to 1); outputs overlap no input; NaN and infinity in give NaN or infinity out, never a crash; no
 * allocation, no locks; results do not depend on which thread runs which part. B batch columns, T
 * tokens, C width, H query heads, K kv heads, D head size, F ffn width.
 */
#ifndef PX_KERN_OPS_H
#define PX_KERN_OPS_H

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/error.h"
#include "kern/traits.h"

/* ---- products of weights and activations */

/* n columns of k activations in one form. Column c lies at data + c * column_bytes. */
typedef struct px_act {
    px_act_form form;
    int64_t k;
    int64_t n;
    const void *data;
    size_t column_bytes;
} px_act;

/* y[c * y_stride + r] = sum over k of W[r][k] * x[c][k], for r in [row0, row1) and all columns c.
 */
typedef struct px_mul {
    px_dtype dtype;
    const uint8_t *w; // [rows, k], packed rows
    size_t row_bytes;
    const px_act *x; // in the form that px_kern.form[dtype] asks for
    float *y;        // [n, y_stride]
    int64_t y_stride;
    void *scratch; // scratch_bytes of this member, aligned to 64
} px_mul;

typedef void (*px_mul_fn)(const px_mul *m, int64_t row0, int64_t row1);

/* Packs columns [c0, c1) of x [n, x_stride] f32, k values each, into an activation form at out. */
typedef void (*px_pack_fn)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1,
                           void *out, size_t column_bytes);

/* ---- single rows */

/* y[i] = x[i] / sqrt(mean(x^2) + eps) * w[i]; n values; w NULL means ones; y may be x. The mean is
 * summed in a precision of at least f32 with 8 partial sums. */
typedef void (*px_norm_fn)(const float *x, const float *w, float eps, float *y, int64_t n);

/* y[i] = act(gate[i]) * up[i]; y may be gate or up. SILU: x / (1 + exp(-x)). GELU: the tanh form.
 */
typedef void (*px_gate_fn)(const float *gate, const float *up, float *y, int64_t n);

/* y[i] += a * x[i] */
typedef void (*px_axpy_fn)(float a, const float *x, float *y, int64_t n);

/* Rotates one head x[n_rot..] in place. cos and sin: [n_rot / 2]. PAIRS turns (2i, 2i+1), HALVES
 * (i, i + n_rot/2). */
typedef void (*px_rope_fn)(float *x, const float *cos, const float *sin, int64_t n_rot);

/* Writes n f32 values as the KV dtype (f32, f16, q8_0). */
typedef void (*px_store_fn)(const float *x, void *out, int64_t n);

/* ---- attention */

/* Attention of consecutive query tokens of one sequence on one layer, for one kv head and its query
 * heads.
 *
 * Keys and values lie in pages of page_tokens tokens: key t of this kv head starts at
 * (uint8_t *)k_pages[t / page_tokens] + k_offset + (t % page_tokens) * k_row_bytes, D values of
 * dtype; v likewise. Query token i stands at position pos0 + i and sees keys t with t <= pos0 + i,
 * and t > pos0 + i - window when window > 0. Scores are scale * q.k; with softcap > 0, softcap *
 * tanh(score / softcap). Softmax in f32, sums over keys in f32. A level may round q, k, v and the
 * weights of many query tokens to bf16 (kerncheck states the bound).
 *
 * A range of keys (key_end > 0) and `part` make it one of several parts: out then gets the sums of
 * e^(score - most) v, undivided, and part[i * group + g] the most and the sum of e^(score - most);
 * most is -infinity and all else 0 where no key was seen. Without part a token must see a key. */
typedef struct px_attn_part {
    float most, sum;
} px_attn_part;

typedef struct px_attn {
    const float *q; // query head g of this group, token i: q + i * q_stride + g * D
    int64_t q_stride;
    float *out; // as q
    int64_t out_stride;
    int32_t n_q;       // query tokens
    int32_t group;     // query heads of this kv head
    int32_t head_dim;  // D of q and k
    int32_t value_dim; // D of v and of out heads
    int64_t pos0;
    int64_t window;             // 0: none
    int64_t key_first, key_end; // only these keys are seen; key_end 0: all
    px_attn_part *part;         // [n_q * group] or NULL
    float scale;
    float softcap; // 0: none
    px_dtype k_dtype, v_dtype;
    const void *const *k_pages;
    const void *const *v_pages;
    size_t k_offset, v_offset;
    size_t k_row_bytes, v_row_bytes;
    int32_t page_tokens;
    void *scratch; // scratch_bytes of this member, aligned to 64
} px_attn;

typedef void (*px_attn_fn)(const px_attn *a);

/* ---- the table */

enum { PX_KERN_DTYPES = 48 }; // slots; px_kern_slot maps a dtype to one

/* Each member's scratch. Room for panels of unpacked weights and for attention's scores, and small
 * beside a second-level cache. */
enum { PX_KERN_SCRATCH = 256 << 10 };

typedef struct px_kern {
    px_cpu_level level; // the cap it was filled for
    px_act_form form[PX_KERN_DTYPES];
    px_mul_fn mul[PX_KERN_DTYPES];       // any number of columns, made for few
    px_mul_fn tile[PX_KERN_DTYPES];      // any number of columns, made for many; NULL: mul is used
    int32_t tile_from[PX_KERN_DTYPES];   // least number of columns for which tile is the faster
    px_decode_fn decode[PX_KERN_DTYPES]; // of embedding rows and tiles
    px_pack_fn pack[PX_ACT_FORMS];
    const struct px_fits *fits; // searches of the encoders, for px_encode_with
    px_norm_fn rms_norm;
    px_gate_fn silu_mul;
    px_gate_fn gelu_mul;
    px_axpy_fn axpy;
    px_rope_fn rope_pairs;
    px_rope_fn rope_halves;
    px_store_fn store_f32;
    px_store_fn store_f16;
    px_store_fn store_q8_0;
    px_attn_fn attention;
    size_t scratch_bytes; // each member's scratch for mul and attention, whatever the shapes
} px_kern;

/* The slot of a dtype that computes, or -1. */
int px_kern_slot(px_dtype dtype);

/* The kernel for products of a slot's weights with n columns. */
static inline px_mul_fn px_kern_product(const px_kern *kern, int slot, int64_t n)
{
    return kern->tile[slot] && n >= kern->tile_from[slot] ? kern->tile[slot] : kern->mul[slot];
}

/* Whether this build has kernels of a level of their own; base/cpu.h names more. */
bool px_kern_has_level(px_cpu_level level);

/* Fills a table for a level that this machine runs (px_cpu_runs); a level that it does not run is
 * UNSUPPORTED. */
pith_status px_kern_fill(px_kern *kern, px_cpu_level level, pith_error *err);

/* Bytes of one packed column of k activations, a multiple of 64. */
size_t px_act_column_bytes(px_act_form form, int64_t k);

/* For `pith info` and kerncheck: the ops by name, one row for each entry of the table, with the
 * level that an entry of a filled table came from. Returns false when i is past the end. */
typedef struct px_kern_row {
    const char *op;     // "mul"
    const char *detail; // "q4_k", or ""
    px_cpu_level level; // level of the kernel chosen
} px_kern_row;
bool px_kern_row_at(const px_kern *kern, int i, px_kern_row *out);

#endif

/*
 * grad: the kernels that only training needs, and their contracts. train/ calls them through this
 * table, and pool members run pieces of them in parallel.
 *
 * Unlike the products of ops.h none of these rounds activations to 8 bits. At a level with bf16
 * products both operands of the large products (forward, back, weight_grad) and of attention are
 * rounded to bf16 and sums are f32; at any other level all is f32. Who wants f32 everywhere fills
 * the table for a level below bf16. Everything else is f32 at every level.
 *
 * Contracts, unless said otherwise: as in ops.h. Each output element is summed in an order that
 * depends on shapes alone, so results do not depend on how pieces are spread over members. `add`:
 * what the output holds is added to, else it is overwritten.
 *
 * ref/grad*.c is the definition; it is written for `px_real` (kern/real.h), which is float in the
 * library and double in the test that holds every operation against finite differences.
 */
#ifndef PX_KERN_GRAD_H
#define PX_KERN_GRAD_H

#include "kern/ops.h"
#include "kern/real.h"

/* ---- products with a model's weights, which have any dtype and are unpacked once a tile */

typedef struct px_grad_mul {
    px_dtype dtype;
    const uint8_t *w; // [rows, cols], packed rows
    size_t row_bytes;
    int64_t rows, cols;
    const px_act *x; // n columns in px_grad.form; of `cols` values forward, of `rows` values back
    px_real *y;      // [n, y_stride]
    int64_t y_stride;
    bool add;
    void *scratch; // px_grad.scratch_bytes of this member, aligned to 64
} px_grad_mul;

/* forward: y[c][r] (+)= sum over k of w[r][k] x[c][k], for rows r in [first, end).
 * back:    y[c][k] (+)= sum over r of x[c][r] w[r][k], for columns k in [first, end), both
 * multiples of 128 and of the dtype's block, or the end of the row. Unpacking is shared by all
 * columns: pieces of multiples of PX_GRAD_ROWS rows forward and of PX_GRAD_COLS columns back waste
 * nothing; half of those back cost 1 to 2 %. */
typedef void (*px_grad_mul_fn)(const px_grad_mul *m, int64_t first, int64_t end);

enum { PX_GRAD_ROWS = 64, PX_GRAD_COLS = 256 };

/* ---- products of f32 matrices */

/* c [m, n] (+)= alpha * op(a, b), for rows of c in [first, end).
 *   nt: a [m, k], b [n, k];   nn: a [m, k], b [k, n];   tn: a [k, m], b [k, n].
 * Strides count floats between rows. k = 0 gives zeros (or leaves c where add). Made for one long
 * and one short side (ranks of 4 to 256). To cut the columns of c instead, move b and c and give a
 * part of n. What is packed of b is shared by PX_GEMM_ROWS rows: where b is large (weight_grad),
 * pieces of 96 cost 8 % more than pieces of those, pieces of 64 12 %. */
typedef struct px_gemm {
    const px_real *a, *b;
    px_real *c;
    int64_t a_stride, b_stride, c_stride;
    int64_t m, n, k;
    px_real alpha;
    bool add;
    void *scratch; // as px_grad_mul
} px_gemm;

typedef void (*px_gemm_fn)(const px_gemm *g, int64_t first, int64_t end);

enum { PX_GEMM_ROWS = 192 };

/* ---- attention over whole segments */

/* Causal attention of one query head over one segment: n consecutive tokens that see each other and
 * nothing else. Token i sees keys j with j <= i, and j > i - window when window > 0. Scores are
 * scale * q.k, with softcap > 0 softcap * tanh(score / softcap); softmax in f32.
 *
 * forward writes out and lse[i * lse_stride] = log of the sum of e^score; lse may be NULL.
 * back reads out, lse and dout and writes dq, dk, dv of this query head (the caller adds up those
 * of the heads that share keys); probabilities are computed anew. NaN or infinity in
 * a key or value may reach every token of the segment. */
typedef struct px_grad_attn {
    int64_t n;
    int32_t head_dim;  // D of q, k: at most PX_GRAD_HEAD
    int32_t value_dim; // of v, out: the same
    int64_t window;    // 0: none
    px_real scale, softcap;
    const px_real *q, *k, *v; // of this head, first token
    int64_t q_stride, k_stride, v_stride;
    px_real *out, *lse;
    int64_t out_stride, lse_stride;
    const px_real *dout; // back only
    int64_t dout_stride;
    px_real *dq, *dk, *dv;
    int64_t dq_stride, dk_stride, dv_stride;
    void *scratch; // px_grad_attn_scratch bytes of this member, aligned to 64
} px_grad_attn;

typedef void (*px_grad_attn_fn)(const px_grad_attn *a);

enum { PX_GRAD_HEAD = 512 }; // longest head

/* Scratch of forward and back, whatever n is. */
size_t px_grad_attn_scratch(int32_t head_dim, int32_t value_dim);

/* ---- rows */

/* y = rms_norm(x, w, eps) (ops.h). Given dy: dx[i] += its gradient; dw[i] += that of w where dw is
 * not NULL. w NULL means ones. The reciprocal root is computed anew, in double. */
typedef void (*px_norm_back_fn)(const px_real *x, const px_real *w, px_real eps, const px_real *dy,
                                px_real *dx, px_real *dw, int64_t n);

/* y = act(gate) * up. Given dy: overwrites dgate and dup; either may be dy, gate or up. */
typedef void (*px_gate_back_fn)(const px_real *gate, const px_real *up, const px_real *dy,
                                px_real *dgate, px_real *dup, int64_t n);

/* The loss of a row of n logits: -log softmax(cap(x))[target], cap as px_attn's softcap (0: none).
 * Overwrites x with scale * d loss / d x; with scale 0 x is left as it is. Sums in double. NaN in x
 * or infinity gives NaN. */
typedef double (*px_loss_fn)(px_real *x, int64_t n, int32_t target, px_real cap, px_real scale);

typedef struct px_grad {
    px_cpu_level level;
    px_act_form form;                       // of the columns of forward and back: BF16 or F32
    px_grad_mul_fn forward[PX_KERN_DTYPES]; // by px_kern_slot
    px_grad_mul_fn back[PX_KERN_DTYPES];
    px_gemm_fn gemm_nt, gemm_nn, gemm_tn;
    px_gemm_fn weight_grad; // as gemm_tn, for long m and n: the gradient of a whole weight
    px_grad_attn_fn attention, attention_back;
    px_norm_back_fn norm_back;
    px_gate_back_fn silu_back, gelu_back;
    px_loss_fn loss;
    size_t scratch_bytes; // of each member for products, whatever the shapes
} px_grad;

/* Fills a table for a level that this machine runs, as px_kern_fill. Rope's gradient is rope with
 * the sines negated (ops.h). */
pith_status px_grad_fill(px_grad *grad, px_cpu_level level, pith_error *err);

#endif

/*
 * check: what the parts of kerncheck share: memory that ends at a guard page, random data, and the
 * comparers, which fail on NaN.
 *
 * A part checks one op at one level: it returns at the first failure, which it has described with
 * check_fail. One thread.
 */
#ifndef PITH_TESTS_KERN_CHECK_H
#define PITH_TESTS_KERN_CHECK_H

#include "kern/grad.h"
#include "support/support.h"

#include <math.h>

#define EPS 0x1p-24 // half a unit of f32's last place: the error of one rounding

typedef struct check {
    const px_kern *kern; // filled for the level under check
    const px_kern *ref;  // filled with plain C
    const px_grad *grad; // as kern
    const px_grad *grad_ref;
    test_random random;
    bool quick; // fewer and smaller problems, for emulators
    bool failed;
    char why[512]; // the first failure
    int64_t n_compared;
} check;

/* Records the first failure; later ones are dropped. */
void check_fail(check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* n bytes that end at an inaccessible page, filled with 0xa5. They live until check_release; their
 * address is a multiple of what n is a multiple of, up to 4096. */
void *check_memory(size_t n);
/* The same, `shift` bytes before the inaccessible page, so that the address is unaligned. */
void *check_memory_shifted(size_t n, size_t shift);
/* Frees all memory handed out. */
void check_release(void);

/* Whether n bytes still hold what check_memory filled them with. */
bool check_untouched(const void *p, size_t n);

int check_int(check *c, int lo, int hi); // both included
float check_normal(check *c, float deviation);

/* got within bound of want (or both NaN, or the same infinity); `what` and the place describe it.
 */
bool check_near(check *c, float got, double want, double bound, const char *what, int64_t i,
                int64_t j);
bool check_same(check *c, float got, float want, const char *what, int64_t i, int64_t j);

/* What packed weights are made of. */
typedef enum check_data {
    ORDINARY, // random codes, scales about 0.01, normal activations
    EXTREME,  // codes and activations at the ends of their ranges
    EXACT,    // scales powers of two, activations -3..3: f32 sums are exact
    N_DATA
} check_data;

/* Packed weights [rows, k], the last row ending at an inaccessible page; *row_bytes may leave a gap
 * behind a row. */
uint8_t *check_weights(check *c, px_dtype dtype, int64_t rows, int64_t k, check_data kind,
                       size_t *row_bytes);
/* Makes the block that begins a row hold a NaN, where the dtype can. */
bool check_spoil(px_dtype dtype, uint8_t *block);

/* ---- the parts */

void check_mul(check *c, px_dtype dtype);
void check_decode(check *c, px_dtype dtype);
void check_pack(check *c, px_act_form form);
void check_rms_norm(check *c);
void check_silu_mul(check *c);
void check_gelu_mul(check *c);
void check_axpy(check *c);
void check_rope_pairs(check *c);
void check_rope_halves(check *c);
void check_store_f32(check *c);
void check_store_f16(check *c);
void check_store_q8_0(check *c);
void check_attention(check *c);

/* Training's: check_grad.c, check_grad_attention.c, check_grad_rows.c */
void check_forward(check *c, px_dtype dtype);
void check_back(check *c, px_dtype dtype);
void check_gemm_nt(check *c);
void check_gemm_nn(check *c);
void check_gemm_tn(check *c);
void check_weight_grad(check *c);
void check_grad_attention(check *c);
void check_attention_back(check *c);
void check_norm_back(check *c);
void check_silu_back(check *c);
void check_gelu_back(check *c);
void check_loss(check *c);

#endif

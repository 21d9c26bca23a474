/* grad_table: the entries of x86's levels in the table of training's kernels. */
#include "kern/grad_levels.h"
#include "kern/ref/formats.h"
#include "kern/x86/grad_decode.h"

#define GRAD(name) px_avx2_grad_##name
#include "kern/simd/grad.h"
#undef GRAD
#define GRAD(name) px_avx512_grad_##name
#include "kern/simd/grad.h"
#undef GRAD
#define GRAD(name) px_bf16_grad_##name
#include "kern/simd/grad.h"
#undef GRAD

#define LEVEL(name) px_avx2_##name
#include "kern/simd/ops.h"
#undef LEVEL
#undef PX_KERN_SIMD_OPS_H
#define LEVEL(name) px_avx512_##name
#include "kern/simd/ops.h"
#undef LEVEL

#define DECODE(id, name) \
    case id:             \
        return LEVEL(decode_##name);

#define LEVEL(name) px_avx2_##name
px_decode_fn px_avx2_grad_decode(px_dtype dtype)
{
    switch (dtype) {
        PX_SIMD_DECODES(DECODE)
        DECODE(PX_F16, f16)
        DECODE(PX_BF16, bf16)
    default:
        return px_traits_get(dtype)->decode;
    }
}
#undef LEVEL

#define LEVEL(name) px_avx512_##name
px_decode_fn px_avx512_grad_decode(px_dtype dtype)
{
    switch (dtype) {
        PX_SIMD_DECODES(DECODE)
        DECODE(PX_F16, f16)
        DECODE(PX_BF16, bf16)
    default:
        return px_traits_get(dtype)->decode;
    }
}
#undef LEVEL

static void set_products(px_grad *grad, px_grad_mul_fn forward, px_grad_mul_fn back)
{
#define SET(id, name, act)                     \
    grad->forward[px_kern_slot(id)] = forward; \
    grad->back[px_kern_slot(id)] = back;
    PX_FORMATS(SET)
#undef SET
    grad->scratch_bytes = GRAD_SCRATCH;
}

void px_grad_add_avx2(px_grad *grad)
{
    set_products(grad, px_avx2_grad_forward, px_avx2_grad_back);
    grad->attention = px_avx2_grad_attention;
    grad->attention_back = px_avx2_grad_attention_back;
    grad->gemm_nt = px_avx2_grad_gemm_nt;
    grad->gemm_nn = px_avx2_grad_gemm_nn;
    grad->gemm_tn = grad->weight_grad = px_avx2_grad_gemm_tn;
    grad->norm_back = px_avx2_grad_norm_back;
    grad->silu_back = px_avx2_grad_silu_back;
    grad->gelu_back = px_avx2_grad_gelu_back;
    grad->loss = px_avx2_grad_loss;
}

void px_grad_add_avx512(px_grad *grad)
{
    set_products(grad, px_avx512_grad_forward, px_avx512_grad_back);
    grad->attention = px_avx512_grad_attention;
    grad->attention_back = px_avx512_grad_attention_back;
    grad->gemm_nt = px_avx512_grad_gemm_nt;
    grad->gemm_nn = px_avx512_grad_gemm_nn;
    grad->gemm_tn = grad->weight_grad = px_avx512_grad_gemm_tn;
    grad->norm_back = px_avx512_grad_norm_back;
    grad->silu_back = px_avx512_grad_silu_back;
    grad->gelu_back = px_avx512_grad_gelu_back;
    grad->loss = px_avx512_grad_loss;
}

void px_grad_add_bf16(px_grad *grad)
{
    set_products(grad, px_bf16_grad_forward, px_bf16_grad_back);
    grad->attention = px_bf16_grad_attention;
    grad->attention_back = px_bf16_grad_attention_back;
    grad->form = PX_ACT_BF16;
    grad->weight_grad = px_bf16_grad_gemm_tn;
}

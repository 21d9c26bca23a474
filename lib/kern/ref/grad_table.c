/* grad_table: the plain C kernels of training; they fill every op. */
#include "kern/grad_levels.h"
#include "kern/ref/formats.h"
#include "kern/ref/grad.h"

void px_grad_add_ref(px_grad *grad)
{
    grad->form = PX_ACT_F32;
#define ADD(id, name, act)                                 \
    grad->forward[px_kern_slot(id)] = px_ref_grad_forward; \
    grad->back[px_kern_slot(id)] = px_ref_grad_back;
    PX_FORMATS(ADD)
#undef ADD
    grad->gemm_nt = px_ref_grad_gemm_nt;
    grad->gemm_nn = px_ref_grad_gemm_nn;
    grad->gemm_tn = px_ref_grad_gemm_tn;
    grad->weight_grad = px_ref_grad_gemm_tn;
    grad->attention = px_ref_grad_attention;
    grad->attention_back = px_ref_grad_attention_back;
    grad->norm_back = px_ref_grad_norm_back;
    grad->silu_back = px_ref_grad_silu_back;
    grad->gelu_back = px_ref_grad_gelu_back;
    grad->loss = px_ref_grad_loss;
    grad->scratch_bytes = PX_KERN_SCRATCH;
}

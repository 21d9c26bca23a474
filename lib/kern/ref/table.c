/* table: the rows of the plain C level; it fills every op. */
#include "kern/levels.h"
#include "kern/ref/formats.h"
#include "kern/ref/ops.h"

static px_mul_fn mul_of(px_act_form form)
{
    return form == PX_ACT_Q8 ? px_ref_mul_q8 : form == PX_ACT_Q8K ? px_ref_mul_q8k : px_ref_mul_f32;
}

void px_kern_add_ref(px_kern *kern)
{
#define ADD(id, name, act)                     \
    kern->form[px_kern_slot(id)] = act;        \
    kern->mul[px_kern_slot(id)] = mul_of(act); \
    kern->decode[px_kern_slot(id)] = px_##name##_decode;
    PX_FORMATS(ADD)
#undef ADD
    kern->fits = &px_ref_fits;
    kern->pack[PX_ACT_F32] = px_ref_pack_f32;
    kern->pack[PX_ACT_BF16] = px_ref_pack_bf16;
    kern->pack[PX_ACT_Q8] = px_ref_pack_q8;
    kern->pack[PX_ACT_Q8K] = px_ref_pack_q8k;
    kern->rms_norm = px_ref_rms_norm;
    kern->silu_mul = px_ref_silu_mul;
    kern->gelu_mul = px_ref_gelu_mul;
    kern->axpy = px_ref_axpy;
    kern->rope_pairs = px_ref_rope_pairs;
    kern->rope_halves = px_ref_rope_halves;
    kern->store_f32 = px_ref_store_f32;
    kern->store_f16 = px_ref_store_f16;
    kern->store_q8_0 = px_ref_store_q8_0;
    kern->attention = px_ref_attention;
}

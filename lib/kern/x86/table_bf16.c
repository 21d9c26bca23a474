/* table_bf16: the entries of level avx512bf16: products of bf16 and f16 weights, for which
 * activations are bf16 too, and attention. */
#include "kern/levels.h"
#include "kern/x86/ops_x86.h"

void px_kern_add_bf16(px_kern *kern)
{
    const int bf16 = px_kern_slot(PX_BF16), f16 = px_kern_slot(PX_F16);
    kern->form[bf16] = kern->form[f16] = PX_ACT_BF16;
    kern->mul[bf16] = px_bf16_mul_bf16;
    kern->mul[f16] = px_bf16_mul_f16;
    kern->tile[bf16] = px_bf16_tile_bf16;
    kern->tile[f16] = px_bf16_tile_f16;
    kern->attention = px_bf16_attention;
    kern->tile_from[bf16] = kern->tile_from[f16] = 28;
}

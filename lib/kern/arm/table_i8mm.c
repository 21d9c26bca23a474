/* table_i8mm: the entries of level i8mm: products of whole-number codes with many columns, and of
 * bf16 weights, for which activations are bf16 too. */
#include "kern/arm/ops_arm.h"
#include "kern/levels.h"

void px_kern_add_i8mm(px_kern *kern)
{
#define ADD(id, name) kern->tile[px_kern_slot(id)] = px_i8mm_tile_##name;
    PX_UNPACKED(ADD)
#undef ADD
    const int bf16 = px_kern_slot(PX_BF16);
    kern->form[bf16] = PX_ACT_BF16;
    kern->mul[bf16] = px_i8mm_mul_bf16;
    kern->tile[bf16] = px_i8mm_tile_bf16;
    kern->tile_from[bf16] = 12; // by counts of instructions, as in table_neon.c
}

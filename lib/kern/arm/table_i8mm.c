/* table_i8mm: the entries of level i8mm: products of whole-number codes with many columns. */
#include "kern/arm/ops_arm.h"
#include "kern/levels.h"

void px_kern_add_i8mm(px_kern *kern)
{
#define ADD(id, name) kern->tile[px_kern_slot(id)] = px_i8mm_tile_##name;
    PX_UNPACKED(ADD)
#undef ADD
}

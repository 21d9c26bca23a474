/* table_dotprod: the entries of level dotprod: products of whole-number codes. */
#include "kern/arm/ops_arm.h"
#include "kern/levels.h"

void px_kern_add_dotprod(px_kern *kern)
{
#define ADD(id, name)                                    \
    kern->mul[px_kern_slot(id)] = px_dotprod_mul_##name; \
    kern->tile[px_kern_slot(id)] = px_dotprod_tile_##name;
    PX_UNPACKED(ADD)
#undef ADD
}

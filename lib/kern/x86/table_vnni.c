/* table_vnni: the entries of level avx512vnni: products of whole-number codes. */
#include "kern/levels.h"
#include "kern/x86/ops_x86.h"

enum { TILE_FROM = 4 };

void px_kern_add_vnni(px_kern *kern)
{
#define ADD(id, name)                                   \
    kern->tile[px_kern_slot(id)] = px_vnni_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = TILE_FROM;
    PX_UNPACKED(ADD)
#undef ADD
#define ADD(id, name) kern->mul[px_kern_slot(id)] = px_vnni_mul_##name;
    PX_WIDE(ADD)
    PX_NARROW(ADD)
#undef ADD
}

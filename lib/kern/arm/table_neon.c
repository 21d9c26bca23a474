/* table_neon: the entries of level neon. */
#include "kern/arm/ops_arm.h"
#include "kern/levels.h"

#define LEVEL(name) px_neon_##name
#include "kern/simd/ops.h"

/* Columns from which a tile has fewer instructions than products of few: unpacking a row into a
 * panel costs about as much as multiplying it by four columns. Not measured. */
enum { TILE_FROM = 12, FLOAT_TILE_FROM = 48, NF4_TILE_FROM = 2 };

void px_kern_add_neon(px_kern *kern)
{
#define ADD(id, name)                                   \
    kern->mul[px_kern_slot(id)] = px_neon_mul_##name;   \
    kern->tile[px_kern_slot(id)] = px_neon_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = TILE_FROM;
    PX_UNPACKED(ADD)
#undef ADD
#define TILE(id, name)                                  \
    kern->tile[px_kern_slot(id)] = px_neon_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = FLOAT_TILE_FROM;
    TILE(PX_F32, f32)
    TILE(PX_F16, f16)
    TILE(PX_BF16, bf16)
    TILE(PX_NF4, nf4)
#undef TILE
    kern->tile_from[px_kern_slot(PX_NF4)] = NF4_TILE_FROM;
    kern->mul[px_kern_slot(PX_F32)] = px_neon_mul_f32;
    kern->mul[px_kern_slot(PX_F16)] = px_neon_mul_f16;
    kern->mul[px_kern_slot(PX_BF16)] = px_neon_mul_bf16;
    kern->decode[px_kern_slot(PX_F16)] = px_neon_decode_f16;
    kern->decode[px_kern_slot(PX_BF16)] = px_neon_decode_bf16;
    kern->pack[PX_ACT_BF16] = px_neon_pack_bf16;
    kern->pack[PX_ACT_Q8] = px_neon_pack_q8;
    kern->pack[PX_ACT_Q8K] = px_neon_pack_q8k;
    kern->rms_norm = px_neon_rms_norm;
    kern->silu_mul = px_neon_silu_mul;
    kern->gelu_mul = px_neon_gelu_mul;
    kern->axpy = px_neon_axpy;
    kern->rope_pairs = px_neon_rope_pairs;
    kern->rope_halves = px_neon_rope_halves;
    kern->store_f16 = px_neon_store_f16;
    kern->store_q8_0 = px_neon_store_q8_0;
    kern->attention = px_neon_attention;
}

/* table_avx2: the entries of level avx2. */
#include "kern/levels.h"
#include "kern/ref/fit.h"
#include "kern/x86/ops_x86.h"

#define LEVEL(name) px_avx2_##name
#include "kern/simd/ops.h"

enum { TILE_FROM = 4, FLOAT_TILE_FROM = 48, NF4_TILE_FROM = 8 };

void px_kern_add_avx2(px_kern *kern)
{
#define ADD(id, name)                                   \
    kern->mul[px_kern_slot(id)] = px_avx2_mul_##name;   \
    kern->tile[px_kern_slot(id)] = px_avx2_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = TILE_FROM;
    PX_UNPACKED(ADD)
#undef ADD
    kern->mul[px_kern_slot(PX_NF4)] = px_avx2_mul_nf4;
    kern->mul[px_kern_slot(PX_F32)] = px_avx2_mul_f32;
    kern->mul[px_kern_slot(PX_F16)] = px_avx2_mul_f16;
    kern->mul[px_kern_slot(PX_BF16)] = px_avx2_mul_bf16;
#define TILE(id, name)                                  \
    kern->tile[px_kern_slot(id)] = px_avx2_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = FLOAT_TILE_FROM
    TILE(PX_F32, f32);
    TILE(PX_F16, f16);
    TILE(PX_BF16, bf16);
    TILE(PX_NF4, nf4);
#undef TILE
    kern->tile_from[px_kern_slot(PX_NF4)] = NF4_TILE_FROM;
    kern->decode[px_kern_slot(PX_F16)] = px_avx2_decode_f16;
    kern->decode[px_kern_slot(PX_BF16)] = px_avx2_decode_bf16;
#define ADD(id, name) kern->decode[px_kern_slot(id)] = px_avx2_decode_##name;
    PX_SIMD_DECODES(ADD)
#undef ADD
    kern->pack[PX_ACT_BF16] = px_avx2_pack_bf16;
    kern->pack[PX_ACT_Q8] = px_avx2_pack_q8;
    kern->pack[PX_ACT_Q8K] = px_avx2_pack_q8k;
    kern->fits = &px_avx2_fits;
    kern->rms_norm = px_avx2_rms_norm;
    kern->silu_mul = px_avx2_silu_mul;
    kern->gelu_mul = px_avx2_gelu_mul;
    kern->axpy = px_avx2_axpy;
    kern->rope_pairs = px_avx2_rope_pairs;
    kern->rope_halves = px_avx2_rope_halves;
    kern->store_f16 = px_avx2_store_f16;
    kern->store_q8_0 = px_avx2_store_q8_0;
    kern->attention = px_avx2_attention;
}

/* table_avx512: the entries of level avx512. */
#include "kern/levels.h"
#include "kern/ref/fit.h"
#include "kern/x86/ops_x86.h"

#define LEVEL(name) px_avx512_##name
#include "kern/simd/ops.h"

enum { TILE_FROM = 4, FLOAT_TILE_FROM = 128, NF4_TILE_FROM = 14 };

void px_kern_add_avx512(px_kern *kern)
{
#define ADD(id, name)                                     \
    kern->tile[px_kern_slot(id)] = px_avx512_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = TILE_FROM;
    PX_UNPACKED(ADD)
#undef ADD
#define ADD(id, name) kern->mul[px_kern_slot(id)] = px_avx512_mul_##name;
    PX_WIDE(ADD)
#undef ADD
    kern->mul[px_kern_slot(PX_NF4)] = px_avx512_mul_nf4;
    kern->mul[px_kern_slot(PX_F32)] = px_avx512_mul_f32;
    kern->mul[px_kern_slot(PX_F16)] = px_avx512_mul_f16;
    kern->mul[px_kern_slot(PX_BF16)] = px_avx512_mul_bf16;
#define TILE(id, name)                                    \
    kern->tile[px_kern_slot(id)] = px_avx512_tile_##name; \
    kern->tile_from[px_kern_slot(id)] = FLOAT_TILE_FROM
    TILE(PX_F32, f32);
    TILE(PX_F16, f16);
    TILE(PX_BF16, bf16);
    TILE(PX_NF4, nf4);
#undef TILE
    kern->tile_from[px_kern_slot(PX_NF4)] = NF4_TILE_FROM;
    kern->decode[px_kern_slot(PX_F16)] = px_avx512_decode_f16;
    kern->decode[px_kern_slot(PX_BF16)] = px_avx512_decode_bf16;
#define ADD(id, name) kern->decode[px_kern_slot(id)] = px_avx512_decode_##name;
    PX_SIMD_DECODES(ADD)
#undef ADD
    kern->pack[PX_ACT_BF16] = px_avx512_pack_bf16;
    kern->pack[PX_ACT_Q8] = px_avx512_pack_q8;
    kern->pack[PX_ACT_Q8K] = px_avx512_pack_q8k;
    kern->fits = &px_avx512_fits;
    kern->rms_norm = px_avx512_rms_norm;
    kern->silu_mul = px_avx512_silu_mul;
    kern->gelu_mul = px_avx512_gelu_mul;
    kern->axpy = px_avx512_axpy;
    kern->rope_pairs = px_avx512_rope_pairs;
    kern->rope_halves = px_avx512_rope_halves;
    kern->store_f16 = px_avx512_store_f16;
    kern->store_q8_0 = px_avx512_store_q8_0;
    kern->attention = px_avx512_attention;
}

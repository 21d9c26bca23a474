/*
 * mul_q8_avx512: blocks of 32 codes times Q8 activations, few columns. Included once for each level
 * of AVX-512, which defines
 *
 *   LEVEL(name)         the names of the level
 *   dot_signed(q, x)    products of signed codes and activations in fours; the level holds the
 *                       codes as q + CODE_SHIFT, unsigned, where CODE_SHIFT is not 0
 *   dot_small(start, a, xa, b, xb)
 *                       start + products of codes 0 to 31 in fours of two vectors
 *
 * One row at a time, four blocks of it together, so that memory is read in one straight line. Byte
 * products are unsigned by signed: codes are held with their stored bias, and sums of products
 * begin at -bias * (sum of activations). Codes come with the first halves of four blocks in one
 * vector, the second halves in the other, so that one f32 step serves four blocks, whose scales one
 * permutation and one conversion bring to their lanes.
 *
 * A call first writes its activations to scratch in that order, with scales and starts spread over
 * the lanes: 320 bytes for 128 values. A last group of fewer blocks is copied and padded with
 * zeros. Each product takes the same steps however rows and columns are grouped.
 */
#include "kern/act.h"
#include "kern/ref/ops.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx512.h"

enum { COLS = 3, BLOCKS = 4, LINE = 64, AHEAD = 4096, SCRATCH = 256 << 10 };

/* Four blocks of a column. */
typedef struct part {
    int8_t a[64], b[64];
    int32_t start[16]; // -bias * the sum of what the lane multiplies
    float d[16];       // in all lanes of a block
    float ds[16];      // in the first lane of each block, else 0
} part;

/* How a format comes apart. */
typedef struct format {
    int block_bytes;
    int bias;
    bool is_signed; // codes go through dot_signed
    bool offset;    // has m
    void (*codes)(const uint8_t *w, __m512i *a, __m512i *b);
    void (*scales)(const uint8_t *w, __m512 *d, __m512 *m);
} format;

/* ---- lanes of 32 bits that belong to block i */

INLINE __m512i lanes_of_blocks(void)
{
    return _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
}

enum { FIRST_LANES = 0x1111 };

/* ---- activations */

INLINE __m512i fours(__m512i x)
{
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi8(1), x);
    return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

INLINE __m512i lane_sums(const part *p)
{
    return _mm512_add_epi32(fours(_mm512_load_si512(p->a)), fours(_mm512_load_si512(p->b)));
}

/* Writes `live` blocks from b on. */
INLINE void prepare_part(const px_q8_column *x, int64_t b, int live, const format f, part *out)
{
    const __mmask8 some = (__mmask8)((1u << live) - 1);
    const __m512i to = lanes_of_blocks();
    const int8_t *q = x->q + b * PX_Q8_BLOCK; // what lies behind the last block meets a scale of 0
    const __m512i a = _mm512_loadu_si512(q), z = _mm512_loadu_si512(q + 64);
    const __m512i low = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
    const __m512i high = _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15);
    _mm512_store_si512(out->a, _mm512_permutex2var_epi64(a, low, z));
    _mm512_store_si512(out->b, _mm512_permutex2var_epi64(a, high, z));
    const __m128 d = _mm_maskz_loadu_ps(some, x->d + b), ds = _mm_maskz_loadu_ps(some, x->ds + b);
    _mm512_store_ps(out->d, _mm512_permutexvar_ps(to, _mm512_castps128_ps512(d)));
    _mm512_store_ps(out->ds,
                    _mm512_maskz_permutexvar_ps(FIRST_LANES, to, _mm512_castps128_ps512(ds)));
    const __m512i bias = _mm512_set1_epi32(-f.bias);
    _mm512_store_si512(out->start, _mm512_mullo_epi32(bias, lane_sums(out)));
}

INLINE void prepare(const px_q8_column *x, int64_t n, const format f, part *out)
{
    for (int64_t b = 0; b < n; b += BLOCKS)
        prepare_part(x, b, n - b < BLOCKS ? (int)(n - b) : BLOCKS, f, out++);
}

/* ---- codes and scales of four blocks */

/* Low and high halves of bytes. */
INLINE void halve(__m512i raw, __m512i *a, __m512i *b)
{
    *a = _mm512_and_si512(raw, _mm512_set1_epi8(15));
    *b = _mm512_and_si512(_mm512_srli_epi16(raw, 4), _mm512_set1_epi8(15));
}

/* Four f16, of block i in a word of `places` (of 64 bytes), to the lanes of their blocks. */
INLINE __m512 spread_f16(__m512i words, __m512i places)
{
    return _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_permutexvar_epi16(places, words)));
}

/* Words a, b, c, d for blocks 0 to 3, in 16 lanes. */
INLINE __m512i places16(int a, int b, int c, int d)
{
    const short w = (short)a, x = (short)b, y = (short)c, z = (short)d;
    return _mm512_castsi256_si512(
        _mm256_setr_epi16(w, w, w, w, x, x, x, x, y, y, y, y, z, z, z, z));
}

/* Words of 16 bytes that begin at word `at` of each block of `stride` words. */
INLINE __m512i runs16(int at, int stride)
{
    const __m512i run = _mm512_broadcast_i32x4(_mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7));
    const __m512i lane =
        _mm512_setr_epi64(0, 0, 0x0001000100010001, 0x0001000100010001, 0x0002000200020002,
                          0x0002000200020002, 0x0003000300030003, 0x0003000300030003);
    return _mm512_add_epi16(_mm512_add_epi16(run, _mm512_set1_epi16((short)at)),
                            _mm512_mullo_epi16(lane, _mm512_set1_epi16((short)stride)));
}

/* 18 bytes: d, codes. */
INLINE __m512i nibbles_18(const uint8_t *w)
{
    const __m512i rest = _mm512_castsi128_si512(_mm_loadl_epi64((const void *)(w + 64)));
    return _mm512_permutex2var_epi16(_mm512_loadu_si512(w), runs16(1, 9), rest);
}

INLINE void scales_18(const uint8_t *w, __m512 *d, __m512 *m)
{
    (void)m;
    *d = spread_f16(_mm512_loadu_si512(w), places16(0, 9, 18, 27));
}

INLINE void codes_iq4_nl(const uint8_t *w, __m512i *a, __m512i *b)
{
    halve(nibbles_18(w), a, b);
    const __m512i table =
        _mm512_add_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)px_iq4_codes)),
                        _mm512_set1_epi8((char)CODE_SHIFT));
    *a = _mm512_shuffle_epi8(table, *a);
    *b = _mm512_shuffle_epi8(table, *b);
}

/* 20 bytes: d, m, codes. */
INLINE void codes_q4_1(const uint8_t *w, __m512i *a, __m512i *b)
{
    const __m512i rest = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(w + 64)));
    halve(_mm512_permutex2var_epi16(_mm512_loadu_si512(w), runs16(2, 10), rest), a, b);
}

INLINE void scales_q4_1(const uint8_t *w, __m512 *d, __m512 *m)
{
    const __m512i raw = _mm512_loadu_si512(w);
    *d = spread_f16(raw, places16(0, 10, 20, 30));
    *m = spread_f16(raw, places16(1, 11, 21, 31));
}

/* Bit 4 of codes: bit j of the 32 at w + at of each block is that of code j. */
INLINE void add_high(const uint8_t *w, int at, int stride, __m512i *a, __m512i *b)
{
    uint64_t low = 0, high = 0;
#pragma GCC unroll 4
    for (int i = 0; i < BLOCKS; i++) {
        low |= (uint64_t)px_load16(w + i * stride + at) << 16 * i;
        high |= (uint64_t)px_load16(w + i * stride + at + 2) << 16 * i;
    }
    const __m512i bit = _mm512_set1_epi8(16);
    *a = _mm512_mask_add_epi8(*a, low, *a, bit);
    *b = _mm512_mask_add_epi8(*b, high, *b, bit);
}

/* 22 bytes: d, high bits, codes. */
INLINE void codes_q5_0(const uint8_t *w, __m512i *a, __m512i *b)
{
    const __m512i rest = _mm512_castsi256_si512(load256(w + 56)); // words 28 to 43
    const __m512i at = runs16(3, 11);
    const __m512i beyond = _mm512_set1_epi16(31);
    const __m512i place = _mm512_mask_add_epi16(at, _mm512_cmpgt_epi16_mask(at, beyond), at,
                                                _mm512_set1_epi16(32 - 28));
    halve(_mm512_permutex2var_epi16(_mm512_loadu_si512(w), place, rest), a, b);
    add_high(w, 2, PX_Q5_0_BYTES, a, b);
}

INLINE void scales_q5_0(const uint8_t *w, __m512 *d, __m512 *m)
{
    (void)m; // from byte 4 on: words 9, 20 and 31; word 0 comes in by a mask
    const __m512i raw = _mm512_mask_set1_epi16(_mm512_loadu_si512(w + 4), 1, (short)px_load16(w));
    *d = spread_f16(raw, places16(0, 9, 20, 31));
}

/* 24 bytes: d, m, high bits, codes. */
INLINE void codes_q5_1(const uint8_t *w, __m512i *a, __m512i *b)
{
    const __m512i rest = _mm512_castsi256_si512(load256(w + 64));
    halve(_mm512_permutex2var_epi16(_mm512_loadu_si512(w), runs16(4, 12), rest), a, b);
    add_high(w, 4, PX_Q5_1_BYTES, a, b);
}

INLINE void scales_q5_1(const uint8_t *w, __m512 *d, __m512 *m)
{
    const __m512i rest = _mm512_castsi256_si512(load256(w + 64)), first = _mm512_loadu_si512(w);
    *d = _mm512_cvtph_ps(
        _mm512_castsi512_si256(_mm512_permutex2var_epi16(first, places16(0, 12, 24, 36), rest)));
    *m = _mm512_cvtph_ps(
        _mm512_castsi512_si256(_mm512_permutex2var_epi16(first, places16(1, 13, 25, 37), rest)));
}

/* 17 bytes: exponent, codes; 12 is added to codes to make them unsigned. */
INLINE void codes_mxfp4(const uint8_t *w, __m512i *a, __m512i *b)
{
    const uint8_t *const at[BLOCKS] = {w + 1, w + 18, w + 35, w + 52};
    const __m512i table =
        _mm512_add_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)px_mxfp4_codes)),
                        _mm512_set1_epi8(12));
    halve(lanes(at, 0), a, b);
    *a = _mm512_shuffle_epi8(table, *a);
    *b = _mm512_shuffle_epi8(table, *b);
}

INLINE void scales_mxfp4(const uint8_t *w, __m512 *d, __m512 *m)
{
    (void)m;
    const __m128i e = _mm_setr_epi32(w[0], w[17], w[34], w[51]);
    const __m128i one = _mm_set1_epi32(1);
    const __m128i normal = _mm_slli_epi32(_mm_sub_epi32(e, one), 23);
    const __m128i small = _mm_sllv_epi32(_mm_set1_epi32(0x00200000), e); // of 0 and 1
    const __m128i bits = _mm_mask_mov_epi32(normal, _mm_cmple_epi32_mask(e, one), small);
    *d = _mm512_permutexvar_ps(lanes_of_blocks(), _mm512_castps128_ps512(_mm_castsi128_ps(bits)));
}

/* ---- products */

INLINE __m512i dot(const part *x, __m512i a, __m512i b, const format f)
{
    const __m512i start = _mm512_load_si512(x->start);
    const __m512i xa = _mm512_load_si512(x->a), xb = _mm512_load_si512(x->b);
    if (!f.is_signed)
        return dot_small(start, a, xa, b, xb);
    return _mm512_add_epi32(_mm512_add_epi32(dot_signed(a, xa), dot_signed(b, xb)), start);
}

/* Adds the four blocks at w times part g of each column. */
INLINE void add_group(const uint8_t *w, part *const *x, int64_t g, const int cols, const format f,
                      __m512 *sum)
{
    __m512i a, b;
    __m512 d, m = _mm512_setzero_ps();
    f.codes(w, &a, &b);
    f.scales(w, &d, &m);
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        const part *p = x[j] + g;
        sum[j] = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_load_ps(p->d)),
                                 _mm512_cvtepi32_ps(dot(p, a, b, f)), sum[j]);
        if (f.offset)
            sum[j] = _mm512_fmadd_ps(m, _mm512_load_ps(p->ds), sum[j]);
    }
}

INLINE float sum16(__m512 a)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Products of rows with columns c to c + cols - 1. */
INLINE void multiply_cols(const px_mul *m, int64_t row0, int64_t row1, int64_t c, const int cols,
                          const format f)
{
    const int64_t n = m->x->k / PX_Q8_BLOCK, groups = n / BLOCKS;
    const int left = (int)(n % BLOCKS);
    part *x[COLS];
    for (int j = 0; j < cols; j++) {
        const px_q8_column column = px_q8_column_of(m->x, c + j);
        x[j] = (part *)m->scratch + j * (groups + (left > 0));
        prepare(&column, n, f, x[j]);
    }
    for (int64_t r = row0; r < row1; r++) {
        const uint8_t *w = m->w + (size_t)r * m->row_bytes;
        __m512 sum[COLS];
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[j] = _mm512_setzero_ps();
        for (int64_t g = 0; g < groups; g++) {
            for (int at = 0; at < BLOCKS * f.block_bytes; at += LINE)
                _mm_prefetch((const char *)w + AHEAD + at, _MM_HINT_T0);
            add_group(w, x, g, cols, f, sum);
            w += BLOCKS * f.block_bytes;
        }
        if (left > 0) {
            uint8_t last[BLOCKS * PX_Q8_0_BYTES] = {0};
            memcpy(last, w, (size_t)(left * f.block_bytes));
            add_group(last, x, groups, cols, f, sum);
        }
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r] = sum16(sum[j]);
    }
}

#include "kern/x86/mul_cols.h"

INLINE void multiply(const px_mul *m, int64_t row0, int64_t row1, const format f)
{
    const int64_t parts = (m->x->k / PX_Q8_BLOCK + BLOCKS - 1) / BLOCKS;
    const int most = columns_in(SCRATCH, parts * (int64_t)sizeof(part));
    if (most == 0) // rows of more than 100 thousand values
        px_ref_mul_q8(m, row0, row1);
    else
        multiply_in(m, row0, row1, most, f);
}

MUL(PX_Q4_1, q4_1, 0, false, true, codes_q4_1, scales_q4_1)
MUL(PX_Q5_0, q5_0, 16, false, false, codes_q5_0, scales_q5_0)
MUL(PX_Q5_1, q5_1, 0, false, true, codes_q5_1, scales_q5_1)
MUL(PX_IQ4_NL, iq4_nl, CODE_SHIFT, true, false, codes_iq4_nl, scales_18)
MUL(PX_MXFP4, mxfp4, 12, false, false, codes_mxfp4, scales_mxfp4)

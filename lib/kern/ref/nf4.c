/*
 * nf4: NormalFloat-4 with double quantization (QLoRA, arXiv 2305.14314), equal to bitsandbytes 0.50
 * bit for bit. Layout in blocks.h.
 *
 * Codes are nearest by the middles between neighbours, a middle itself going down; values are
 * scaled by multiplying with the rounded reciprocal of the largest magnitude, as bitsandbytes does:
 * dividing would move values that stand near a middle.
 */
#include "kern/nf4.h"

#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/formats.h"

#include <float.h>
#include <math.h>

enum { SUPER = 256, BLOCK = 64, GROUP = 256 }; // values; values; blocks that share a nested scale

void px_nf4_decode(const void *restrict blocks, float *restrict out, int64_t n)
{
    const px_nf4 *b = blocks;
    for (int64_t i = 0; i < n; i += SUPER, b++) {
        const float scale = px_load_f32(b->scale), offset = px_load_f32(b->offset);
        for (int s = 0; s < SUPER / BLOCK; s++) {
            const float absmax = px_nf4_scale_codes[b->codes[s]] * scale + offset;
            const uint8_t *qs = b->qs + s * BLOCK / 2;
            float *o = out + i + s * BLOCK;
            for (int j = 0; j < BLOCK / 2; j++) {
                o[2 * j] = px_nf4_codes[qs[j] >> 4] * absmax;
                o[2 * j + 1] = px_nf4_codes[qs[j] & 15] * absmax;
            }
        }
    }
}

/* Index of the nearest of n ascending codes; NaN gives 0. */
static int nearest(const float *codes, int n, float v)
{
    int low = 0, high = n - 1;
    while (low < high) {
        const int mid = (low + high) / 2;
        if (v > (codes[mid] + codes[mid + 1]) / 2)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static float absmax_of(const float *x)
{
    float most = 0;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(x[i]) > most)
            most = fabsf(x[i]);
    return most <= FLT_MAX ? most : FLT_MAX;
}

static float inverse_of(float absmax)
{
    return 1.0f / (absmax > 1e-38f ? absmax : 1e-38f);
}

/* Nibbles of one block of 64. */
static void encode_block(const float *x, float absmax, uint8_t *qs)
{
    const float inverse = inverse_of(absmax);
    for (int j = 0; j < BLOCK / 2; j++) {
        const int first = nearest(px_nf4_codes, 16, x[2 * j] * inverse);
        const int second = nearest(px_nf4_codes, 16, x[2 * j + 1] * inverse);
        qs[j] = (uint8_t)(first << 4 | second);
    }
}

void px_nf4_encode_offset(const float *restrict in, void *restrict blocks, int64_t n, float offset)
{
    px_nf4 *b = blocks;
    const int64_t n_blocks = n / BLOCK;
    for (int64_t g = 0; g < n_blocks; g += GROUP) {
        const int count = (int)(n_blocks - g < GROUP ? n_blocks - g : GROUP);
        float absmax[GROUP], scale = 0;
        for (int s = 0; s < count; s++) {
            absmax[s] = absmax_of(in + (g + s) * BLOCK);
            scale = fmaxf(scale, fabsf(absmax[s] - offset));
        }
        const float inverse = inverse_of(scale);
        for (int s = 0; s < count; s++) {
            px_nf4 *super = &b[(g + s) / 4];
            const int place = (int)((g + s) % 4);
            super->codes[place] =
                (uint8_t)nearest(px_nf4_scale_codes, 256, (absmax[s] - offset) * inverse);
            encode_block(in + (g + s) * BLOCK, absmax[s], super->qs + place * BLOCK / 2);
            px_store_f32(super->scale, scale);
            px_store_f32(super->offset, offset);
        }
    }
}

void px_nf4_absmax(const float *restrict in, void *restrict absmax, int64_t n)
{
    uint8_t *out = absmax;
    for (int64_t i = 0; i < n / BLOCK; i++)
        px_store_f32(out + 4 * i, absmax_of(in + i * BLOCK));
}

/* ---- the mean */

enum { LANES = 8, ROWS = 4, LEVELS = 4 };

/* A value of each lane of each row. */
typedef struct sums {
    float at[ROWS][LANES];
} sums;

static void add(sums *to, const sums *from)
{
    for (int r = 0; r < ROWS; r++)
        for (int k = 0; k < LANES; k++)
            to->at[r][k] += from->at[r][k];
}

/* x: f32 that need no alignment. */
static void add_values(sums *to, const uint8_t *x, int lanes)
{
    for (int r = 0; r < ROWS; r++)
        for (int k = 0; k < lanes; k++)
            to->at[r][k] += px_load_f32(x + 4 * (r * lanes + k));
}

/* k of 2^k: steps before a level is emptied into the next. */
static int level_bits(int64_t size)
{
    int log = 0;
    while ((int64_t)1 << log < size)
        log++;
    return log / LEVELS > 4 ? log / LEVELS : 4;
}

/* `size` steps of ROWS times `lanes` values. */
static sums sum_levels(const uint8_t *x, int64_t size, int lanes)
{
    const int64_t bytes = (int64_t)ROWS * lanes * 4; // of a step
    const int bits = level_bits(size);
    const int64_t step = (int64_t)1 << bits, mask = step - 1;
    sums level[LEVELS] = {0};
    int64_t i = 0;
    while (i + step <= size) {
        for (int64_t end = i + step; i < end; i++)
            add_values(&level[0], x + i * bytes, lanes);
        for (int l = 1; l < LEVELS; l++) {
            add(&level[l], &level[l - 1]);
            level[l - 1] = (sums){0};
            if (i & (mask << (l * bits)))
                break;
        }
    }
    for (; i < size; i++)
        add_values(&level[0], x + i * bytes, lanes);
    for (int l = 1; l < LEVELS; l++)
        add(&level[0], &level[l]);
    return level[0];
}

/* Where a sum in f32 outgrows it. */
static float mean_in_double(const uint8_t *x, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)px_load_f32(x + 4 * i);
    return (float)(total / (double)n);
}

float px_nf4_mean(const void *absmax, int64_t n)
{
    const uint8_t *x = absmax;
    const int lanes = n < LANES ? 1 : LANES;
    const int64_t vectors = n / lanes, size = vectors / ROWS;
    sums s = sum_levels(x, size, lanes);
    for (int64_t v = size * ROWS; v < vectors; v++)
        for (int k = 0; k < lanes; k++)
            s.at[0][k] += px_load_f32(x + 4 * (v * lanes + k));
    for (int r = 1; r < ROWS; r++)
        for (int k = 0; k < lanes; k++)
            s.at[0][k] += s.at[r][k];
    float total = 0;
    for (int64_t i = vectors * lanes; i < n; i++)
        total += px_load_f32(x + 4 * i);
    for (int k = 0; k < lanes; k++)
        total += s.at[0][k];
    if (total > FLT_MAX)
        return mean_in_double(x, n);
    return n > 0 ? total / (float)n : 0;
}

void px_nf4_encode_tensor(const float *restrict in, void *restrict blocks, int64_t n)
{
    /* Each block's scale, where the codes will go in the end. */
    const int64_t n_blocks = n / BLOCK;
    px_nf4_absmax(in, blocks, n);
    px_nf4_encode_offset(in, blocks, n, px_nf4_mean(blocks, n_blocks));
}

/* Importance has no say: the codes are those of bitsandbytes. */
void px_nf4_encode(const float *restrict in, void *restrict blocks, int64_t n,
                   const float *importance)
{
    (void)importance;
    px_nf4_encode_tensor(in, blocks, n);
}

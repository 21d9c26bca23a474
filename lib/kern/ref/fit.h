/*
 * fit: finding scales for packed blocks, by least squares: what the encoders in ref/ share.
 *
 * A block stores x[i] as d * v[i], where the v[i] are values of a small grid (whole numbers, or a
 * codebook), or as d * q[i] + m. For fixed codes the best d (and m) solve a linear equation; for a
 * fixed d the best codes are the nearest ones. The searches start from a fan of scales that place
 * the largest value on, beyond or short of the end of the grid and alternate the two steps; errors
 * are w[i] * (x[i] - decoded)^2, measured with the scale as it will be stored.
 *
 * They are written once (simd/fit.h), for 16 blocks side by side, and compiled for each level. No
 * operation mixes blocks or reorders sums, and none is contracted: all levels give the same bits,
 * however blocks are grouped.
 *
 * Input may hold anything: NaN and infinity give finite scales and codes inside the grid.
 */
#ifndef PX_KERN_REF_FIT_H
#define PX_KERN_REF_FIT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PX_FIT_LANES = 16, // blocks, or sub-blocks, that are fitted side by side
    PX_FIT_BLOCK = 32, // most values of one
    PX_FIT_ALL = PX_FIT_LANES * PX_FIT_BLOCK
};

/* Values that codes stand for: whole numbers lo..hi, or an ascending codebook. */
typedef struct px_grid {
    int lo, hi;          // ends, included
    const int8_t *codes; // ascending, n_codes of them, codes[0] == lo, the last == hi; or NULL
    int n_codes;         // at most 16
} px_grid;

/* A super-block of 256 values: sub-blocks with integer scales under one f16 scale. */
typedef struct px_super {
    int n_sub;        // sub-blocks; n_sub * values is 256
    int values;       // of a sub-block: 16 or 32
    int sc_lo, sc_hi; // range of the integer scales (and 0..sc_hi of the minima)
    const px_grid *g; // values of the codes; affine ones use 0..g->hi
} px_super;

/* The searches of one level. x and w (or NULL: all weigh the same) hold whole blocks one after the
 * other; codes come as indexes, value by value: v - lo for whole numbers, else the place in the
 * codebook. */
typedef struct px_fits {
    /* n <= 16 blocks of 32: x ~ d[block] * value(code), d as f16 stores it. */
    void (*scale)(const px_grid *g, const float *x, const float *w, int n, float *d,
                  uint8_t *codes);
    /* n <= 16 blocks of 32: x ~ d[block] * code + m[block], codes 0..hi, d and m as f16 stores
     * them. */
    void (*affine)(int hi, const float *x, const float *w, int n, float *d, float *m,
                   uint8_t *codes);
    /* n <= 16 / n_sub super-blocks: x ~ d[super] * sc[sub] * value(code). */
    void (*super)(const px_super *f, const float *x, const float *w, int n, float *d, int8_t *sc,
                  uint8_t *codes);
    /* x ~ d[super] * sc[sub] * code - dmin[super] * mn[sub] */
    void (*super_affine)(const px_super *f, const float *x, const float *w, int n, float *d,
                         float *dmin, uint8_t *sc, uint8_t *mn, uint8_t *codes);
} px_fits;

extern const px_fits px_ref_fits, px_avx2_fits, px_avx512_fits; // those of this build

/* Nearest whole number inside [lo, hi], ties to even; NaN gives lo. lo and hi are below 2^22. The
 * addition rounds, and lets compilers turn loops into vectors without SSE4. */
static inline int px_round_clamp(float v, int lo, int hi)
{
    float t = v > (float)lo ? v : (float)lo;
    t = t < (float)hi ? t : (float)hi;
    return (int)((t + 0x1.8p23f) - 0x1.8p23f);
}

/* The value at an index. */
static inline int px_grid_value(const px_grid *g, int index)
{
    return g->codes ? g->codes[index] : g->lo + index;
}

/* d as an f16 stores it: rounded, and held inside the finite range. NaN gives 0. */
float px_as_f16(float d);

/* As the searches see n values: x / amax, NaN as 0, held inside [-1, 1]; w or ones. The value
 * returned is amax: the largest magnitude, held inside the finite range. */
float px_fit_normalise(const float *x, const float *w, int n, float *xs, float *ws);

#endif

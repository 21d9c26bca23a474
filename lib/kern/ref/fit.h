/*
 * fit: finding scales for packed blocks, by least squares. Plain C, used by the encoders in ref/.
 *
 * A block stores x[i] as d * v[i], where the v[i] are values of a small grid (whole numbers, or a
 * codebook), or as d * v[i] + m. For fixed codes the best d (and m) solve a linear equation; for a
 * fixed d the best codes are the nearest ones. The searches here start from a fan of scales that
 * place the largest value on, beyond or short of the end of the grid, alternate the two steps, and
 * keep what has the least sum of w[i] * (x[i] - decoded)^2, measured with the scale as it will be
 * stored. They cost about 30 passes over the block.
 *
 * Input may hold anything: NaN and infinity give finite scales and codes inside the grid.
 */
#ifndef PX_KERN_REF_FIT_H
#define PX_KERN_REF_FIT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { PX_FIT_MAX = 256 }; // most values of a block handed to a fit

/* Values that codes stand for: whole numbers lo..hi, or an ascending codebook. */
typedef struct px_grid {
    int lo, hi;          // ends, included
    const int8_t *codes; // ascending, n_codes of them, codes[0] == lo, the last == hi; or NULL
    int n_codes;
} px_grid;

/* Nearest whole number inside [lo, hi], ties to even; NaN gives lo. lo and hi are below 2^22. The
 * addition rounds, and lets compilers turn loops into vectors without SSE4. */
static inline int px_round_clamp(float v, int lo, int hi)
{
    float t = v > (float)lo ? v : (float)lo;
    t = t < (float)hi ? t : (float)hi;
    return (int)((t + 0x1.8p23f) - 0x1.8p23f);
}

/* Index of the grid's nearest value: v - lo for whole numbers, else the place in the codebook. */
int px_grid_index(const px_grid *g, float v);
/* The value at an index. */
static inline int px_grid_value(const px_grid *g, int index)
{
    return g->codes ? g->codes[index] : g->lo + index;
}

/* d as an f16 stores it: rounded, and held inside the finite range. NaN gives 0. */
float px_as_f16(float d);

/* Best d for x[i] ~ d * v[i]; as an f16 stores it when f16 is set. w NULL means ones. n <=
 * PX_FIT_MAX. 0 when all of x is 0 or too small. */
float px_fit_scale(const float *x, const float *w, int n, const px_grid *g, bool f16);

/* Writes the index of the nearest value to x[i] / d for each i (the index of 0's nearest value when
 * d is 0). */
void px_fit_codes(const float *x, float d, int n, const px_grid *g, uint8_t *index);

/* Best d >= 0 and m for x[i] ~ d * q[i] + m, q in 0..hi; as f16 stores them when f16 is set; m <= 0
 * when `below` is set, as formats with unsigned minima need. */
void px_fit_affine(const float *x, const float *w, int n, int hi, bool f16, bool below, float *d,
                   float *m);
void px_fit_affine_codes(const float *x, float d, float m, int n, int hi, uint8_t *q);

/* ---- super-blocks: sub-blocks with integer scales under one f16 scale */

typedef struct px_super {
    int n_sub;        // sub-blocks; n_sub * values is 256
    int values;       // of a sub-block
    int sc_lo, sc_hi; // range of the integer scales (and 0..sc_hi of the minima)
    const px_grid *g; // values of the codes; affine ones use 0..g->hi
} px_super;

/* x[i] ~ d * sc[s] * value(index[i]). importance w as above. */
void px_fit_super(const px_super *f, const float *x, const float *w, float *d, int8_t *sc,
                  uint8_t *index);
/* x[i] ~ d * sc[s] * q[i] - dmin * mn[s] */
void px_fit_super_affine(const px_super *f, const float *x, const float *w, float *d, float *dmin,
                         uint8_t *sc, uint8_t *mn, uint8_t *q);

/* As px_fit_scale and the rest measure: x / amax, NaN as 0, held inside [-1, 1]; w or ones. The
 * value returned is amax: the largest magnitude, held inside the finite range. */
float px_fit_normalise(const float *x, const float *w, int n, float *xs, float *ws);

#endif

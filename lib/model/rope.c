/* rope: see rope.h. */
#include "model/rope.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

/* base^(2i / dims) as f32: the exponent is rounded to f32, then the power. */
static float power(float base, int32_t i, int32_t dims)
{
    float exponent = (float)(2 * i) / (float)dims;
    return (float)pow((double)base, (double)exponent);
}

/* The pair that turns `rotations` times within the original context, as a real number. */
static double yarn_pair(const px_hparams *hp, double rotations)
{
    double dims = hp->rope_dims;
    return dims * log(hp->rope_ctx_orig / (rotations * 2 * PI)) /
           (2 * log((double)hp->rope_base[0]));
}

/* Pairs before `low` keep their frequency, pairs from `high` on are interpolated. */
static void yarn(const px_hparams *hp, float *freq, int32_t n)
{
    double low = fmax(floor(yarn_pair(hp, (double)hp->yarn_beta_fast)), 0);
    double high = fmin(ceil(yarn_pair(hp, (double)hp->yarn_beta_slow)), hp->rope_dims - 1);
    if (low == high)
        high += 0.001;
    for (int32_t i = 0; i < n; i++) {
        float p = power(hp->rope_base[0], i, hp->rope_dims);
        float fast = 1.0f / p;
        float slow = 1.0f / (hp->rope_factor * p);
        float ramp = ((float)i - (float)low) / (float)(high - low);
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        float keep = (1.0f - ramp) * hp->yarn_ext_factor;
        freq[i] = slow * (1.0f - keep) + fast * keep;
    }
}

static void fill_global(const px_hparams *hp, const px_weights *w, int64_t n_ctx, float *freq,
                        int32_t n)
{
    if (hp->rope_scaling == PX_ROPE_SCALING_YARN) {
        yarn(hp, freq, n);
        return;
    }
    const float *longrope =
        n_ctx > hp->rope_ctx_orig ? w->rope_factors_long : w->rope_factors_short;
    for (int32_t i = 0; i < n; i++) {
        float p = power(hp->rope_base[0], i, hp->rope_dims);
        freq[i] = 1.0f / p;
        if (hp->rope_scaling == PX_ROPE_SCALING_LINEAR)
            freq[i] /= hp->rope_factor;
        else if (hp->rope_scaling == PX_ROPE_SCALING_FACTORS)
            freq[i] /= w->rope_factors[i];
        else if (hp->rope_scaling == PX_ROPE_SCALING_LONGROPE)
            freq[i] = 1.0f / (longrope[i] * p);
    }
}

pith_status px_rope_make(const px_hparams *hp, const px_weights *w, int64_t n_ctx, px_arena *arena,
                         px_rope *out, pith_error *err)
{
    px_rope rope = {.n = hp->rope_dims / 2, .mscale = hp->rope_mscale};
    rope.freq[0] = PX_NEW(arena, float, (size_t)rope.n);
    if (!rope.freq[0])
        return px_fail_memory(err, "rope frequencies");
    fill_global(hp, w, n_ctx, rope.freq[0], rope.n);
    if (hp->rope_base[1] > 0) {
        rope.freq[1] = PX_NEW(arena, float, (size_t)rope.n);
        if (!rope.freq[1])
            return px_fail_memory(err, "rope frequencies");
        for (int32_t i = 0; i < rope.n; i++)
            rope.freq[1][i] = 1.0f / power(hp->rope_base[1], i, hp->rope_dims);
    }
    *out = rope;
    return PITH_OK;
}

void px_rope_row(const px_rope *rope, int base, int64_t position, float *cos_row, float *sin_row)
{
    float mscale = base == 0 ? rope->mscale : 1.0f;
    for (int32_t i = 0; i < rope->n; i++) {
        float angle = (float)position * rope->freq[base][i];
        cos_row[i] = (float)cos((double)angle) * mscale;
        sin_row[i] = (float)sin((double)angle) * mscale;
    }
}

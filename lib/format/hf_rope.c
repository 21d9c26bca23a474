/*
 * hf_rope: rope_theta and rope_scaling to metadata. What scaling does to each frequency is the
 * decoder's for linear and YaRN; the factors of llama3 and longrope become tensors, as in GGUF.
 *
 * Reference: modeling_rope_utils.py of transformers 4.57.1. Newer folders carry the same members in
 * "rope_parameters" (with rope_theta among them, and for Gemma 3 one object per kind of layer).
 */
#include "format/hf.h"

#include <math.h>

/* Where rope's members stand in one config. */
typedef struct rope {
    px_json scaling; // the object with type, factor, ...; NONE when there is none
    px_json local;   // that of sliding layers, or NONE
    bool nested;     // scaling came from rope_parameters
    double base;
    int64_t dims; // rotated elements of a head
} rope;

static pith_status find_rope(px_hf *hf, rope *r)
{
    px_json c = hf->config;
    px_json parameters = px_json_find(c, "rope_parameters");
    r->scaling = px_json_find(c, "rope_scaling");
    if (px_json_type_of(parameters) > PX_JSON_NULL) {
        px_json full = px_json_find(parameters, "full_attention");
        r->local = px_json_find(parameters, "sliding_attention");
        r->scaling = px_json_type_of(full) == PX_JSON_OBJECT ? full : parameters;
        r->nested = true;
    }
    if (px_json_type_of(r->scaling) <= PX_JSON_NULL)
        r->scaling = (px_json){0};
    else if (px_json_type_of(r->scaling) != PX_JSON_OBJECT)
        return px_hf_wrong(hf, r->nested ? "rope_parameters" : "rope_scaling", r->scaling,
                           "an object or null");
    return PITH_OK;
}

/* A member of the scaling object that must be there. */
static pith_status need_float(px_hf *hf, const rope *r, const char *key, double min, double max,
                              double *out)
{
    if (px_hf_missing(r->scaling, key))
        return px_hf_wrong(hf, key, px_json_find(r->scaling, key),
                           "a number, since rope_scaling is of a type that has it");
    return px_hf_float(hf, r->scaling, key, 0, min, max, out);
}

/* Bases and rotated dimensions. */
static pith_status read_base(px_hf *hf, rope *r)
{
    px_json c = hf->config;
    double partial = 1, local = 10000;
    pith_status status = px_hf_float(hf, c, "rope_theta", hf->family->rope_base, 1, 1e15, &r->base);
    if (status == PITH_OK)
        status = px_hf_float(hf, r->scaling, "rope_theta", r->base, 1, 1e15, &r->base);
    if (status == PITH_OK)
        status = px_hf_float(hf, c, "partial_rotary_factor", 1, 0, 1, &partial);
    if (status == PITH_OK)
        status = px_hf_float(hf, r->scaling, "partial_rotary_factor", partial, 0, 1, &partial);
    if (status != PITH_OK)
        return status;
    if (partial != 1 && strcmp(hf->family->arch, "phi3") != 0)
        return px_hf_unsupported(hf, "partial_rotary_factor",
                                 px_json_find(c, "partial_rotary_factor"), "1 in this family");
    r->dims = (int64_t)((double)hf->head_dim * partial);
    if (r->dims < 2 || r->dims % 2 != 0)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s': heads of %lld elements rotate %lld of them, expected an even number",
                       hf->config_path, (long long)hf->head_dim, (long long)r->dims);
    status = px_hf_put_u32(hf, "%s.rope.dimension_count", r->dims);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.freq_base", r->base);
    if (status != PITH_OK || strcmp(hf->family->arch, "gemma3") != 0)
        return status;
    status = px_hf_float(hf, c, "rope_local_base_freq", local, 1, 1e15, &local);
    if (status == PITH_OK)
        status = px_hf_float(hf, r->local, "rope_theta", local, 1, 1e15, &local);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.freq_base_swa", local);
    return status;
}

/* A generated tensor of n floats, still to be filled. */
static pith_status add_factors(px_hf *hf, const char *name, int64_t n, float **out)
{
    float *values = PX_NEW(&hf->state->arena, float, (size_t)n);
    if (!values)
        return px_source_no_room(&hf->state->arena, hf->folder, "the rope factors", hf->err);
    *out = values;
    hf->generated[hf->n_generated++] = (px_tensor){.name = name,
                                                   .dtype = PX_F32,
                                                   .n_dims = 1,
                                                   .ne = {n, 1, 1, 1},
                                                   .data = (const uint8_t *)values,
                                                   .bytes = (size_t)n * sizeof *values,
                                                   .file = -1};
    return PITH_OK;
}

static pith_status read_linear(px_hf *hf, const rope *r)
{
    double factor;
    pith_status status = need_float(hf, r, "factor", 1e-3, 1e6, &factor);
    if (status == PITH_OK)
        status = px_hf_put_str(hf, "%s.rope.scaling.type", px_str_of("linear"));
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.scaling.factor", factor);
    return status;
}

/* Each frequency is divided by a factor: 1 for short waves, `factor` for those longer than the
 * original context over low_freq_factor, a blend between. */
static pith_status read_llama3(px_hf *hf, const rope *r)
{
    double factor, low, high, original;
    pith_status status = need_float(hf, r, "factor", 1e-3, 1e6, &factor);
    if (status == PITH_OK)
        status = need_float(hf, r, "low_freq_factor", 1e-6, 1e6, &low);
    if (status == PITH_OK)
        status = need_float(hf, r, "high_freq_factor", 1e-6, 1e6, &high);
    if (status == PITH_OK)
        status =
            need_float(hf, r, "original_max_position_embeddings", 1, PX_MAX_CONTEXT, &original);
    if (status != PITH_OK)
        return status;
    if (!(high > low))
        return px_hf_wrong(hf, "high_freq_factor", px_json_find(r->scaling, "high_freq_factor"),
                           "more than low_freq_factor");
    int64_t n = r->dims / 2;
    float *factors; // [rope dims / 2]
    status = add_factors(hf, "rope_freqs.weight", n, &factors);
    for (int64_t i = 0; i < n && status == PITH_OK; i++) {
        double frequency = pow(r->base, -2.0 * (double)i / (double)r->dims);
        double wave = 2 * M_PI / frequency;
        double blend = (original / wave - low) / (high - low);
        if (wave < original / high)
            factors[i] = 1;
        else if (wave > original / low)
            factors[i] = (float)factor;
        else
            factors[i] = (float)(1 / ((1 - blend) / factor + blend));
    }
    return status;
}

/* The factor on cos and sin relative to the usual 0.1 ln(factor) + 1, when the config has its own.
 */
static pith_status yarn_attn_factor(px_hf *hf, const rope *r, double factor, double *out)
{
    double given, mscale, mscale_all;
    double usual = factor > 1 ? 0.1 * log(factor) + 1 : 1;
    *out = 1;
    pith_status status = px_hf_float(hf, r->scaling, "attention_factor", 0, 1e-6, 1e6, &given);
    if (status == PITH_OK)
        status = px_hf_float(hf, r->scaling, "mscale", 0, 0, 1e6, &mscale);
    if (status == PITH_OK)
        status = px_hf_float(hf, r->scaling, "mscale_all_dim", 0, 0, 1e6, &mscale_all);
    if (status != PITH_OK)
        return status;
    if (given > 0)
        *out = given / usual;
    else if (mscale > 0 && mscale_all > 0 && factor > 1)
        *out = (0.1 * mscale * log(factor) + 1) / (0.1 * mscale_all * log(factor) + 1) / usual;
    return PITH_OK;
}

static pith_status read_yarn(px_hf *hf, const rope *r)
{
    double factor, attn, fast, slow;
    int64_t original;
    bool truncate;
    px_json s = r->scaling;
    pith_status status = need_float(hf, r, "factor", 1e-3, 1e6, &factor);
    if (status == PITH_OK)
        status = px_hf_int(hf, s, "original_max_position_embeddings", hf->n_ctx, 1, PX_MAX_CONTEXT,
                           &original);
    if (status == PITH_OK)
        status = yarn_attn_factor(hf, r, factor, &attn);
    if (status == PITH_OK)
        status = px_hf_float(hf, s, "beta_fast", 32, 0, 1e6, &fast);
    if (status == PITH_OK)
        status = px_hf_float(hf, s, "beta_slow", 1, 0, 1e6, &slow);
    if (status == PITH_OK)
        status = px_hf_bool(hf, s, "truncate", true, &truncate);
    if (status == PITH_OK && !truncate)
        status = px_hf_unsupported(hf, "truncate", px_json_find(s, "truncate"), "true");
    if (status == PITH_OK)
        status = px_hf_put_str(hf, "%s.rope.scaling.type", px_str_of("yarn"));
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.scaling.factor", factor);
    if (status == PITH_OK)
        status = px_hf_put_u32(hf, "%s.rope.scaling.original_context_length", original);
    if (status == PITH_OK && attn != 1)
        status = px_hf_put_f32(hf, "%s.rope.scaling.attn_factor", attn);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.scaling.yarn_beta_fast", fast > 0 ? fast : 32);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.scaling.yarn_beta_slow", slow > 0 ? slow : 1);
    return status;
}

/* One list of longrope's factors as a tensor. */
static pith_status read_factors(px_hf *hf, const rope *r, const char *key, const char *name)
{
    px_json list = px_json_find(r->scaling, key), v;
    int64_t n = r->dims / 2, i = 0;
    if (px_json_type_of(list) != PX_JSON_ARRAY || px_json_count(list) != (uint64_t)n)
        return px_hf_wrong(hf, key, list, "an array of half as many numbers as a head rotates");
    float *factors; // [rope dims / 2]
    pith_status status = add_factors(hf, name, n, &factors);
    if (status != PITH_OK)
        return status;
    for (px_json_walk walk = px_json_each(list); px_json_next(&walk, NULL, &v); i++) {
        double d;
        if (!px_json_get_double(v, &d) || !(d > 0 && d < 1e9))
            return px_hf_wrong(hf, key, v, "numbers above 0");
        factors[i] = (float)d;
    }
    return PITH_OK;
}

/* Phi-3 states the original context beside rope_scaling; others may state the ratio as factor. */
static pith_status read_longrope(px_hf *hf, const rope *r)
{
    double ratio, attn;
    int64_t original;
    bool phi3 = strcmp(hf->family->arch, "phi3") == 0;
    int64_t usual = phi3 ? 4096 : 0;
    pith_status status = px_hf_int(hf, hf->config, "original_max_position_embeddings", usual, 1,
                                   PX_MAX_CONTEXT, &original);
    if (status == PITH_OK)
        status = px_hf_int(hf, r->scaling, "original_max_position_embeddings", original, 1,
                           PX_MAX_CONTEXT, &original);
    if (status == PITH_OK && original > 0)
        ratio = (double)hf->n_ctx / (double)original;
    else if (status == PITH_OK)
        status = need_float(hf, r, "factor", 1e-3, 1e6, &ratio);
    if (status != PITH_OK)
        return status;
    if (original == 0)
        original = hf->n_ctx;
    double otherwise = ratio > 1 ? sqrt(1 + log(ratio) / log((double)original)) : 1;
    status = px_hf_float(hf, r->scaling, "attention_factor", otherwise, 1e-6, 1e6, &attn);
    if (status == PITH_OK && !phi3)
        status = px_hf_put_str(hf, "%s.rope.scaling.type", px_str_of("longrope"));
    if (status == PITH_OK)
        status = px_hf_put_u32(hf, "%s.rope.scaling.original_context_length", original);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.rope.scaling.attn_factor", attn);
    if (status == PITH_OK)
        status = read_factors(hf, r, "long_factor", "rope_factors_long.weight");
    if (status == PITH_OK)
        status = read_factors(hf, r, "short_factor", "rope_factors_short.weight");
    return status;
}

/* Phi-3 without scaling has its original context as a key all the same. */
static pith_status read_unscaled(px_hf *hf)
{
    int64_t original;
    if (strcmp(hf->family->arch, "phi3") != 0)
        return PITH_OK;
    pith_status status = px_hf_int(hf, hf->config, "original_max_position_embeddings", 4096, 1,
                                   PX_MAX_CONTEXT, &original);
    if (status == PITH_OK)
        status = px_hf_put_u32(hf, "%s.rope.scaling.original_context_length", original);
    return status;
}

pith_status px_hf_read_rope(px_hf *hf)
{
    rope r = {0};
    pith_status status = find_rope(hf, &r);
    if (status == PITH_OK)
        status = read_base(hf, &r);
    if (status != PITH_OK)
        return status;
    /* The older member "type" wins where both stand. */
    px_json type = px_json_find(r.scaling, "type");
    if (px_json_type_of(type) <= PX_JSON_NULL)
        type = px_json_find(r.scaling, "rope_type");
    bool phi3 = strcmp(hf->family->arch, "phi3") == 0;
    if (!r.scaling.at || (r.nested && !type.at) || px_json_is(type, px_str_of("default")))
        return read_unscaled(hf);
    if (px_json_is(type, px_str_of("linear")))
        return read_linear(hf, &r);
    if (px_json_is(type, px_str_of("llama3")))
        return read_llama3(hf, &r);
    /* Phi-3's first files say "su" or "yarn" and mean longrope. */
    if (px_json_is(type, px_str_of("longrope")) || px_json_is(type, px_str_of("su")) ||
        (phi3 && px_json_is(type, px_str_of("yarn"))))
        return read_longrope(hf, &r);
    if (px_json_is(type, px_str_of("yarn")))
        return read_yarn(hf, &r);
    if (px_json_type_of(type) != PX_JSON_STRING)
        return px_hf_wrong(hf, "rope_scaling.type", type, "a string");
    return px_hf_unsupported(hf, "rope_scaling.type", type, "linear, llama3, yarn and longrope");
}

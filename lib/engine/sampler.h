/*
 * sampler: chooses the next token from logits as a pith_sampling says. Owns what one request needs
 * beside the engine's candidates: checked options, order, random numbers, logit bias, mirostat's
 * state, the DRY matcher. Formulas and sources: docs/sampling.md.
 *
 * The same options, logits and tokens give the same choices on every machine (num.h, rng.h). After
 * px_sampler_init nothing is taken from the heap. One thread at a time.
 */
#ifndef PX_ENGINE_SAMPLER_H
#define PX_ENGINE_SAMPLER_H

#include "engine/candidates.h"
#include "engine/dry.h"
#include "engine/rng.h"

/* id, name, names that other programs use; "_" and "-" are the same, so are letters' cases */
#define PX_STAGES(X)                                      \
    X(PX_STAGE_PENALTIES, "penalties", "")                \
    X(PX_STAGE_DRY, "dry", "")                            \
    X(PX_STAGE_TOP_K, "top_k", "topk")                    \
    X(PX_STAGE_TYPICAL, "typical", "typ;typ_p;typical_p") \
    X(PX_STAGE_TOP_P, "top_p", "topp;nucleus")            \
    X(PX_STAGE_MIN_P, "min_p", "minp")                    \
    X(PX_STAGE_XTC, "xtc", "")                            \
    X(PX_STAGE_TEMPERATURE, "temperature", "temp")

typedef enum px_stage {
#define PX_STAGE_ENUM(id, name, others) id,
    PX_STAGES(PX_STAGE_ENUM)
#undef PX_STAGE_ENUM
        PX_STAGE_N
} px_stage;

#define PX_DEFAULT_ORDER "penalties;dry;top_k;typical;top_p;min_p;xtc;temperature"

/* The stages that text names, separated by ';' or ','; spaces around names and empty names do not
 * count. Errors: ARGUMENT for a name that is unknown (lists the known ones) or comes twice. */
pith_status px_order_parse(const char *text, px_stage order[PX_STAGE_N], int32_t *n,
                           pith_error *err);

/* The documented defaults of pith_sampling; its size set. */
pith_sampling px_sampling_defaults(void);

/* Reads a caller's options, whatever their size, over the defaults, and checks every member.
 * in NULL: the defaults. Errors: ARGUMENT (member, found, expected). */
pith_status px_sampling_take(const pith_sampling *in, pith_sampling *out, pith_error *err);

typedef struct px_sampler {
    pith_sampling options;
    px_stage order[PX_STAGE_N];
    int32_t n_order;
    uint64_t seed; // in use
    px_rng rng;
    double mu; // mirostat's bound on surprise, in bits
    pith_logit_bias *bias;
    int32_t n_bias;
    px_dry dry;
} px_sampler;

typedef struct px_sampler_def {
    const pith_sampling *sampling; // taken by px_sampling_take
    const pith_logit_bias *bias;
    int32_t n_bias;
    int32_t n_vocab;
    const px_tokenizer *tok; // or NULL
    int64_t n_ctx;           // longest text
} px_sampler_def;

/* Checks and makes. The text is empty: px_sampler_accept what stands in it already. Errors:
 * ARGUMENT, UNSUPPORTED, MEMORY. */
pith_status px_sampler_init(px_sampler *s, const px_sampler_def *def, pith_error *err);
void px_sampler_clear(px_sampler *s);

/* Makes all tokens candidates with the model's logits [V] plus the logit bias. */
void px_sampler_load(const px_sampler *s, px_candidates *c, const float *logits);

/* Chooses from the loaded candidates, as the text so far continues. Errors: ARGUMENT (all tokens
 * forbidden), NUMERIC (NaN). */
pith_status px_sampler_choose(px_sampler *s, px_candidates *c, const int32_t *tokens,
                              int64_t n_tokens, int32_t *token, pith_error *err);

/* This token now stands at the end of the text. */
void px_sampler_accept(px_sampler *s, int32_t token);

#endif

/*
 * mixture: see mixture.h. The first rule of a mixture that fits a tensor's role and layer decides,
 * else the base type. Facts about llama.cpp's mixtures as of 2026; tests/golden/quant compares the
 * types with those that its quantizer writes.
 */
#include "quant/mixture.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a tensor is for. */
typedef enum role { OTHER, OUTPUT, EMBED, V, K, ATTN_OUT, DOWN, N_ROLES } role;

/* Where a rule holds. Layers are counted among those that have such a tensor: i of n. */
typedef enum place {
    ALL,
    FIRST_2,
    FIRST_4,
    FIRST_16TH,         // i < n / 16
    FIRST_8TH,          // i < n / 8
    FIRST_8TH_PLAIN,    // and there is no importance matrix
    FIRST_8TH_WEIGHTED, // and there is one
    MORE_BITS,          // the first and last eighth, and every third between
    SHARED_4            // four or more query heads share a key and value head
} place;

typedef struct rule {
    role role;
    place where;
    px_dtype type;
} rule;

enum { MOST_RULES = 8 };

struct px_mixture {
    const char *name, *alias;
    uint32_t file_type; // general.file_type
    px_dtype base;
    rule rules[MOST_RULES]; // ended by one of role OTHER
};

static const px_mixture MIXTURES[] = {
    {"q2_k_s", NULL, 21, PX_Q2_K, {{V, SHARED_4, PX_Q4_K}, {DOWN, FIRST_8TH, PX_Q4_K}}},
    {"q2_k",
     NULL,
     10,
     PX_Q2_K,
     {{V, SHARED_4, PX_Q4_K}, {V, ALL, PX_Q3_K}, {DOWN, ALL, PX_Q3_K}, {ATTN_OUT, ALL, PX_Q3_K}}},
    {"q3_k_s", NULL, 11, PX_Q3_K, {{OTHER, ALL, PX_F32}}},
    {"q3_k_m",
     "q3_k",
     12,
     PX_Q3_K,
     {{V, FIRST_2, PX_Q5_K},
      {V, ALL, PX_Q4_K},
      {DOWN, FIRST_16TH, PX_Q5_K},
      {DOWN, ALL, PX_Q4_K},
      {ATTN_OUT, ALL, PX_Q4_K}}},
    {"q3_k_l",
     NULL,
     13,
     PX_Q3_K,
     {{V, ALL, PX_Q5_K}, {DOWN, ALL, PX_Q5_K}, {ATTN_OUT, ALL, PX_Q5_K}}},
    {"iq4_xs", NULL, 30, PX_IQ4_XS, {{V, SHARED_4, PX_Q5_K}, {DOWN, FIRST_8TH_PLAIN, PX_Q5_K}}},
    {"mxfp4", NULL, 38, PX_MXFP4, {{OUTPUT, ALL, PX_Q8_0}}},
    {"nf4", NULL, 1000, PX_NF4, {{OTHER, ALL, PX_F32}}},
    {"iq4_nl", NULL, 25, PX_IQ4_NL, {{V, SHARED_4, PX_Q5_K}, {DOWN, FIRST_8TH_PLAIN, PX_Q5_K}}},
    {"q4_0", NULL, 2, PX_Q4_0, {{DOWN, FIRST_8TH_WEIGHTED, PX_Q4_1}}},
    {"q4_k_s", NULL, 14, PX_Q4_K, {{V, FIRST_4, PX_Q5_K}, {DOWN, FIRST_8TH, PX_Q5_K}}},
    {"q4_k_m", "q4_k", 15, PX_Q4_K, {{V, MORE_BITS, PX_Q6_K}, {DOWN, MORE_BITS, PX_Q6_K}}},
    {"q4_1", NULL, 3, PX_Q4_1, {{OTHER, ALL, PX_F32}}},
    {"q5_0", NULL, 8, PX_Q5_0, {{DOWN, FIRST_8TH_WEIGHTED, PX_Q5_1}}},
    {"q5_k_s", NULL, 16, PX_Q5_K, {{OTHER, ALL, PX_F32}}},
    {"q5_k_m", "q5_k", 17, PX_Q5_K, {{V, MORE_BITS, PX_Q6_K}, {DOWN, MORE_BITS, PX_Q6_K}}},
    {"q5_1", NULL, 9, PX_Q5_1, {{OTHER, ALL, PX_F32}}},
    {"q6_k", NULL, 18, PX_Q6_K, {{OTHER, ALL, PX_F32}}},
    {"q8_0", NULL, 7, PX_Q8_0, {{OUTPUT, ALL, PX_Q8_0}}},
    {"bf16", NULL, 32, PX_BF16, {{OUTPUT, ALL, PX_BF16}}},
    {"f16", NULL, 1, PX_F16, {{OUTPUT, ALL, PX_F16}}},
    {"f32", NULL, 0, PX_F32, {{OUTPUT, ALL, PX_F32}}},
};

enum { N_MIXTURES = sizeof MIXTURES / sizeof MIXTURES[0] };

/* What stands in where the block of a type does not divide the rows. */
static const struct {
    px_dtype type, instead;
} FALLBACKS[] = {
    {PX_Q2_K, PX_IQ4_NL}, {PX_Q3_K, PX_IQ4_NL}, {PX_IQ4_XS, PX_IQ4_NL}, {PX_NF4, PX_IQ4_NL},
    {PX_Q4_K, PX_Q5_0},   {PX_Q5_K, PX_Q5_1},   {PX_Q6_K, PX_Q8_0},
};

/* Ends of names that tell a role; "output.weight" and "token_embd.weight" are whole names. */
static const struct {
    const char *end;
    role role;
} ROLES[] = {
    {"attn_v.weight", V},      {"attn_k.weight", K},
    {"attn_qkv.weight", V},    {"attn_output.weight", ATTN_OUT},
    {"ffn_down.weight", DOWN}, {"ffn_down_exps.weight", DOWN},
};

/* Parts of names of tensors with two or more axes that are no matrices of a product, or small ones
 * that matter much. */
static const char *const NO_MATRICES[] = {
    "_norm",      "ffn_gate_inp", "position_embd", "token_types", "pos_embd",
    "rope_freqs", "ssm_conv1d",   "time_mix",      "altup",       "laurel",
};

/* What the rules ask about a model. */
typedef struct shape {
    int64_t n_layers, heads_shared, n_experts;
    bool tied;      // no output.weight
    bool seventy_b; // 80 layers, shared heads
} shape;

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static role role_of(const px_tensor *t, const shape *s)
{
    if (strcmp(t->name, "output.weight") == 0)
        return OUTPUT;
    if (strcmp(t->name, "token_embd.weight") == 0)
        return s->tied ? OUTPUT : EMBED;
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (ends_with(t->name, ROLES[i].end))
            return ROLES[i].role;
    return OTHER;
}

static bool is_matrix(const px_tensor *t)
{
    if (t->n_dims < 2 || !ends_with(t->name, "weight"))
        return false;
    for (size_t i = 0; i < sizeof NO_MATRICES / sizeof NO_MATRICES[0]; i++)
        if (strstr(t->name, NO_MATRICES[i]))
            return false;
    return true;
}

/* N of "blk.N.", or -1. */
static int64_t layer_of(const px_tensor *t)
{
    if (strncmp(t->name, "blk.", 4) != 0)
        return -1;
    char *end;
    long n = strtol(t->name + 4, &end, 10);
    return *end == '.' && n >= 0 ? n : -1;
}

/* The tensor's place among those of its role, by layers, and their number. */
static void count_layers(const px_source *source, const shape *s, const px_tensor *t, int64_t *i,
                         int64_t *n)
{
    const role r = role_of(t, s);
    *i = *n = 0;
    for (int64_t k = 0; k < source->n_tensors; k++) {
        if (role_of(&source->tensors[k], s) != r)
            continue;
        *n += 1;
        *i += layer_of(&source->tensors[k]) < layer_of(t);
    }
}

static bool more_bits(int64_t i, int64_t n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

static bool holds(place where, const shape *s, int64_t i, int64_t n, bool weighted)
{
    switch (where) {
    case ALL:
        return true;
    case FIRST_2:
        return i < 2;
    case FIRST_4:
        return i < 4;
    case FIRST_16TH:
        return i < n / 16;
    case FIRST_8TH:
        return i < n / 8;
    case FIRST_8TH_PLAIN:
        return i < n / 8 && !weighted;
    case FIRST_8TH_WEIGHTED:
        return i < n / 8 && weighted;
    case MORE_BITS:
        return more_bits(i, n);
    case SHARED_4:
        return s->heads_shared >= 4;
    }
    return false;
}

/* Models of experts and the 70 B shape get more bits where that costs little. */
static px_dtype enrich(const px_mixture *m, const shape *s, role r, px_dtype type)
{
    if (r == V && s->seventy_b && (type == PX_Q3_K || type == PX_Q4_K))
        type = PX_Q5_K;
    if (s->n_experts != 8)
        return type;
    if (r == V || r == K)
        return PX_Q8_0;
    if (r == ATTN_OUT && (m->base == PX_Q2_K || m->base == PX_Q3_K || m->base == PX_Q4_K ||
                          m->base == PX_IQ4_NL || m->base == PX_IQ4_XS))
        return PX_Q5_K;
    return type;
}

static bool is_float(px_dtype d)
{
    return d == PX_F32 || d == PX_F16 || d == PX_BF16;
}

static px_dtype by_rules(const px_mixture *m, const px_source *source, const shape *s,
                         const px_tensor *t, bool weighted)
{
    if (is_float(m->base) || m->base == PX_NF4)
        return m->base;
    const role r = role_of(t, s);
    int64_t i, n;
    count_layers(source, s, t, &i, &n);
    for (int k = 0; k < MOST_RULES && m->rules[k].role != OTHER; k++)
        if (m->rules[k].role == r && holds(m->rules[k].where, s, i, n, weighted))
            return enrich(m, s, r, m->rules[k].type);
    return r == OUTPUT ? PX_Q6_K : enrich(m, s, r, m->base);
}

static bool divides(px_dtype type, const px_tensor *t)
{
    return t->ne[0] % px_dtype_get((uint32_t)type)->block_elements == 0;
}

static px_dtype fall_back(px_dtype type, const px_tensor *t)
{
    for (size_t i = 0; i < sizeof FALLBACKS / sizeof FALLBACKS[0]; i++)
        if (FALLBACKS[i].type == type && divides(FALLBACKS[i].instead, t))
            return FALLBACKS[i].instead;
    return PX_F16;
}

/* '*' stands for any text, '?' for any character. Only the last '*' is ever taken back. */
static bool matches(const char *pattern, const char *end, const char *name)
{
    const char *star = NULL, *from = NULL; // behind the last '*', and where its text ends
    while (*name) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (pattern < end && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

static bool rule_matches(const px_type_rule *r, const char *name)
{
    if (memchr(r->pattern, '*', r->pattern_len) || memchr(r->pattern, '?', r->pattern_len))
        return matches(r->pattern, r->pattern + r->pattern_len, name);
    return memmem(name, strlen(name), r->pattern, r->pattern_len) != NULL;
}

/* What the caller asks of this tensor; false for nothing. */
static bool asked(const px_mixture_options *o, const shape *s, const px_tensor *t, px_dtype *type)
{
    for (int32_t i = 0; i < o->n_rules; i++) {
        if (rule_matches(&o->rules[i], t->name)) {
            *type = o->rules[i].type;
            return true;
        }
    }
    const bool embed = strcmp(t->name, "token_embd.weight") == 0;
    const bool output = role_of(t, s) == OUTPUT;
    if (embed && o->embed_set)
        *type = o->embed_type;
    else if (output && o->output_set)
        *type = o->output_type;
    else if (output && o->keep_output)
        *type = t->dtype;
    else
        return false;
    return true;
}

static pith_status read_shape(const px_source *source, shape *s, pith_error *err)
{
    int64_t heads = 0, kv = 0;
    *s = (shape){.tied = !px_source_tensor(source, "output.weight")};
    pith_status status =
        px_source_get_int(source, "%s.block_count", false, 0, PX_MAX_LAYERS, &s->n_layers, err);
    if (status == PITH_OK)
        status = px_source_get_int(source, "%s.expert_count", false, 0, 65536, &s->n_experts, err);
    if (status == PITH_OK)
        status = px_source_get_int(source, "%s.attention.head_count", false, 0, PX_MAX_WIDTH,
                                   &heads, err);
    kv = heads;
    if (px_source_get_int(source, "%s.attention.head_count_kv", false, 0, PX_MAX_WIDTH, &kv,
                          NULL) != PITH_OK)
        kv = heads; // a list: layers differ
    s->heads_shared = kv > 0 ? heads / kv : 1;
    s->seventy_b = s->n_layers == 80 && heads != kv;
    return status;
}

pith_status px_mixture_plan(const px_mixture *m, const px_source *source,
                            const px_mixture_options *options, px_dtype *types, px_type_note *notes,
                            pith_error *err)
{
    shape s;
    pith_status status = read_shape(source, &s, err);
    if (status != PITH_OK)
        return status;
    for (int64_t i = 0; i < source->n_tensors; i++) {
        const px_tensor *t = &source->tensors[i];
        const bool decodes = px_dtype_get((uint32_t)t->dtype)->computes;
        notes[i] = PX_TYPE_NO_MATRIX;
        types[i] = t->n_dims == 1 && decodes ? PX_F32 : t->dtype;
        if (!is_matrix(t))
            continue;
        if (asked(options, &s, t, &types[i])) {
            notes[i] = PX_TYPE_ASKED;
            if (!divides(types[i], t))
                return px_fail(err, PITH_E_ARGUMENT,
                               "tensor '%s' has rows of %lld values, which %s with its blocks of "
                               "%d cannot hold; choose another type for it",
                               t->name, (long long)t->ne[0], px_dtype_name((uint32_t)types[i]),
                               px_dtype_get((uint32_t)types[i])->block_elements);
            continue;
        }
        notes[i] = PX_TYPE_AS_PLANNED;
        types[i] = options->pure ? m->base : by_rules(m, source, &s, t, options->has_importance);
        if (!divides(types[i], t)) {
            notes[i] = PX_TYPE_FALLBACK;
            types[i] = fall_back(types[i], t);
        }
    }
    return PITH_OK;
}

/* ---- names */

const px_mixture *px_mixture_get(int i)
{
    return i >= 0 && i < N_MIXTURES ? &MIXTURES[i] : NULL;
}

const px_mixture *px_mixture_find(const char *name)
{
    for (int i = 0; i < N_MIXTURES; i++)
        if (strcasecmp(MIXTURES[i].name, name) == 0 ||
            (MIXTURES[i].alias && strcasecmp(MIXTURES[i].alias, name) == 0))
            return &MIXTURES[i];
    return NULL;
}

const char *px_mixture_name(const px_mixture *m)
{
    return m->name;
}

uint32_t px_mixture_file_type(const px_mixture *m)
{
    return m->file_type;
}

px_dtype px_mixture_base(const px_mixture *m)
{
    return m->base;
}

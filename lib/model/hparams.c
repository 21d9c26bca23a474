/*
 * hparams: see hparams.h. Keys are those of GGUF files ("%s" is the architecture); a family's row
 * gives what the files leave out. What would change the computation in a way that the decoder does
 * not know is refused by name, never ignored.
 */
#include "model/hparams.h"

#include "base/limits.h"
#include "model/family.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Reading stops at the first failure: each get below does nothing when status is set. */
typedef struct reader {
    const px_source *s;
    const px_family *family;
    px_hparams *hp;
    pith_error *err;
    pith_status status;
} reader;

enum { KEY_BYTES = 128 };

static const px_meta *meta_of(const reader *r, const char *key)
{
    char full[KEY_BYTES];
    const char *hole = strstr(key, "%s");
    snprintf(full, sizeof full, "%.*s%s%s", (int)(hole - key), key, r->family->arch, hole + 2);
    return px_source_meta(r->s, full);
}

static void get_int(reader *r, const char *key, bool required, int32_t min, int32_t max,
                    int32_t *out)
{
    int64_t v = *out;
    if (r->status == PITH_OK)
        r->status = px_source_get_int(r->s, key, required, min, max, &v, r->err);
    if (r->status == PITH_OK)
        *out = (int32_t)v;
}

static void get_float(reader *r, const char *key, bool required, double min, double max, float *out)
{
    double v = *out;
    if (r->status == PITH_OK)
        r->status = px_source_get_float(r->s, key, required, min, max, &v, r->err);
    if (r->status == PITH_OK)
        *out = (float)v;
}

/* An integer that some files give for each layer: taken when all layers agree. */
static void get_uniform(reader *r, const char *key, bool required, int32_t max, int32_t *out)
{
    const px_meta *meta = r->status == PITH_OK ? meta_of(r, key) : NULL;
    if (!meta || meta->type != PX_META_ARRAY) {
        get_int(r, key, required, 1, max, out);
        return;
    }
    const px_meta_array *a = &meta->array;
    if (a->type == PX_META_STRING || a->type == PX_META_ARRAY ||
        a->n != (uint64_t)r->hp->n_layers) {
        r->status =
            px_fail(r->err, PITH_E_FORMAT,
                    "'%s': key '%s' is an array of %" PRIu64
                    " %s, expected an integer, or one for each of the %d layers",
                    r->s->path, meta->key, a->n, px_meta_type_name(a->type), r->hp->n_layers);
        return;
    }
    int64_t first = px_meta_int_at(a, 0);
    for (uint64_t i = 1; i < a->n; i++) {
        int64_t v = px_meta_int_at(a, i);
        if (v != first) {
            r->status = px_fail(r->err, PITH_E_UNSUPPORTED,
                                "'%s': key '%s' is %" PRId64 " for layer 0 and %" PRId64
                                " for layer %" PRIu64 "; pith runs models whose layers are alike",
                                r->s->path, meta->key, first, v, i);
            return;
        }
    }
    if (first < 1 || first > max) {
        r->status =
            px_fail(r->err, PITH_E_FORMAT, "'%s': key '%s' is %" PRId64 ", expected 1 to %d",
                    r->s->path, meta->key, first, max);
        return;
    }
    *out = (int32_t)first;
}

/* Keys with which a file of a known architecture asks for something that the decoder does not do.
 * 0 (false) and `neutral` change nothing. */
static const struct {
    const char *key;
    double neutral;
    const char *what;
} REFUSED[] = {
    {"%s.expert_count", 0, "a mixture of experts"},
    {"%s.attention.causal", 1, "attention in both directions"},
    {"%s.attention.max_alibi_bias", 0, "ALiBi position biases"},
    {"%s.attention.clamp_kqv", 0, "clamped q, k and v"},
    {"%s.attention.temperature_scale", 0, "attention temperature by position"},
    {"%s.attention.output_scale", 1, "a scale on the output of attention"},
    {"%s.attention.shared_kv_layers", 0, "keys and values shared by layers"},
    {"%s.attention.q_lora_rank", 0, "latent attention"},
    {"%s.attention.kv_lora_rank", 0, "latent attention"},
    {"%s.logit_scale", 1, "a scale on logits"},
    {"%s.residual_scale", 1, "a scale on residuals"},
    {"%s.embedding_scale", 1, "a scale on embeddings"},
    {"%s.use_parallel_residual", 0, "parallel residuals"},
    {"%s.rope.scaling.yarn_log_multiplier", 0, "YaRN with mscale_all_dim"},
    {"%s.rope.scaling.alpha", 0, "dynamic NTK scaling"},
};

static void refuse_what_differs(reader *r)
{
    for (size_t i = 0; r->status == PITH_OK && i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        const px_meta *meta = meta_of(r, REFUSED[i].key);
        if (!meta)
            continue;
        double v = 0;
        if (meta->type == PX_META_BOOL)
            v = meta->b;
        else
            r->status = px_source_get_float(r->s, meta->key, true, -INFINITY, INFINITY, &v, r->err);
        /* "causal" is the one whose 0 changes something. */
        bool harmless = v == REFUSED[i].neutral || (v == 0 && meta->type != PX_META_BOOL);
        if (r->status == PITH_OK && !harmless)
            r->status =
                px_fail(r->err, PITH_E_UNSUPPORTED,
                        "'%s': key '%s' is %g, which asks for %s; pith does not do that for "
                        "%s models",
                        r->s->path, meta->key, v, REFUSED[i].what, r->family->arch);
    }
}

static void read_vocab(reader *r)
{
    if (r->status != PITH_OK)
        return;
    const px_tensor *embed = px_source_tensor(r->s, "token_embd.weight");
    if (!embed)
        r->status =
            px_fail(r->err, PITH_E_FORMAT, "'%s' has no tensor 'token_embd.weight'", r->s->path);
    else if (embed->ne[1] < 1 || embed->ne[1] > PX_MAX_VOCAB)
        r->status = px_fail(r->err, PITH_E_FORMAT,
                            "'%s': tensor 'token_embd.weight' has %" PRId64
                            " rows, expected 1 to %d: one for each token",
                            r->s->path, embed->ne[1], PX_MAX_VOCAB);
    else
        r->hp->n_vocab = (int32_t)embed->ne[1];
}

/* Head counts and sizes, and that they fit each other. */
static void read_heads(reader *r)
{
    px_hparams *hp = r->hp;
    get_uniform(r, "%s.attention.head_count", true, PX_MAX_WIDTH, &hp->n_heads);
    hp->n_kv_heads = hp->n_heads;
    get_uniform(r, "%s.attention.head_count_kv", false, PX_MAX_WIDTH, &hp->n_kv_heads);
    if (r->status != PITH_OK)
        return;
    if (hp->n_heads % hp->n_kv_heads != 0) {
        r->status = px_fail(r->err, PITH_E_FORMAT,
                            "'%s': %d heads over %d key and value heads, expected a multiple",
                            r->s->path, hp->n_heads, hp->n_kv_heads);
        return;
    }
    bool stated = meta_of(r, "%s.attention.key_length") != NULL;
    if (!stated && hp->width % hp->n_heads != 0) {
        r->status = px_fail(r->err, PITH_E_FORMAT,
                            "'%s': embedding length %d is no multiple of %d heads, and key "
                            "'%s.attention.key_length' does not give their size",
                            r->s->path, hp->width, hp->n_heads, hp->arch);
        return;
    }
    hp->head_dim = hp->width / hp->n_heads;
    get_int(r, "%s.attention.key_length", false, 2, PX_MAX_WIDTH, &hp->head_dim);
    hp->value_dim = hp->head_dim;
    get_int(r, "%s.attention.value_length", false, 1, PX_MAX_WIDTH, &hp->value_dim);
    if (r->status != PITH_OK)
        return;
    int64_t wide = hp->head_dim > hp->value_dim ? hp->head_dim : hp->value_dim;
    if (hp->head_dim % 2 != 0)
        r->status = px_fail(r->err, PITH_E_FORMAT, "'%s': heads of %d elements, expected even",
                            r->s->path, hp->head_dim);
    else if (wide * hp->n_heads > PX_MAX_WIDTH)
        r->status = px_fail(r->err, PITH_E_FORMAT,
                            "'%s': %d heads of %" PRId64 " elements, expected at most %d in all",
                            r->s->path, hp->n_heads, wide, PX_MAX_WIDTH);
}

static void read_scaling_type(reader *r)
{
    px_hparams *hp = r->hp;
    px_str type = {0};
    if (r->status == PITH_OK)
        r->status = px_source_get_str(r->s, "%s.rope.scaling.type", false, &type, r->err);
    get_float(r, "%s.rope.scale_linear", false, 0, 1e6, &hp->rope_factor); // the key's old name
    get_float(r, "%s.rope.scaling.factor", false, 0, 1e6, &hp->rope_factor);
    if (hp->rope_factor == 0) // as files write "none"
        hp->rope_factor = 1;
    if (r->status != PITH_OK)
        return;
    if (px_source_tensor(r->s, "rope_factors_long.weight") || px_str_is(type, "longrope"))
        hp->rope_scaling = PX_ROPE_SCALING_LONGROPE; // Phi-3 files carry the factors but no type
    else if (px_str_is(type, "yarn"))
        hp->rope_scaling = PX_ROPE_SCALING_YARN;
    else if (px_source_tensor(r->s, "rope_freqs.weight"))
        hp->rope_scaling = PX_ROPE_SCALING_FACTORS;
    else if (px_str_is(type, "none"))
        hp->rope_scaling = PX_ROPE_SCALING_NONE;
    else if (type.len == 0 || px_str_is(type, "linear"))
        hp->rope_scaling = hp->rope_factor == 1 ? PX_ROPE_SCALING_NONE : PX_ROPE_SCALING_LINEAR;
    else
        r->status = px_fail(r->err, PITH_E_UNSUPPORTED,
                            "'%s': key '%s.rope.scaling.type' is '%.*s', expected none, linear, "
                            "yarn or longrope",
                            r->s->path, hp->arch, PX_STR_ARG(type));
}

/* What YaRN and longrope multiply cos and sin by, as transformers derives it where the file gives
 * none: 0.1 ln(factor) + 1, and sqrt(1 + ln(factor) / ln(original context)). Files give YaRN's as a
 * whole (yarn_attn_factor) or as a factor on the usual one (attn_factor), longrope's as a whole. */
static void read_mscale(reader *r)
{
    px_hparams *hp = r->hp;
    double m = 1;
    if (hp->rope_scaling == PX_ROPE_SCALING_YARN) {
        if (hp->rope_factor > 1)
            m = 0.1 * log((double)hp->rope_factor) + 1.0;
        float whole = (float)m;
        get_float(r, "%s.rope.scaling.yarn_attn_factor", false, 1e-3, 1e3, &whole);
        get_float(r, "%s.rope.scaling.attn_factor", false, 1e-3, 1e3, &hp->yarn_attn_factor);
        hp->rope_mscale = whole * hp->yarn_attn_factor;
    } else if (hp->rope_scaling == PX_ROPE_SCALING_LONGROPE) {
        double factor = (double)hp->n_ctx_train / hp->rope_ctx_orig;
        if (factor > 1 && hp->rope_ctx_orig > 1)
            m = sqrt(1 + log(factor) / log((double)hp->rope_ctx_orig));
        hp->rope_mscale = (float)m;
        get_float(r, "%s.rope.scaling.attn_factor", false, 1e-3, 1e3, &hp->rope_mscale);
    }
}

static void read_rope(reader *r)
{
    px_hparams *hp = r->hp;
    hp->rope_halves = r->s->rope_halves || r->family->rope_halves;
    hp->rope_dims = hp->head_dim;
    get_int(r, "%s.rope.dimension_count", false, 2, PX_MAX_WIDTH, &hp->rope_dims);
    if (r->status == PITH_OK && (hp->rope_dims > hp->head_dim || hp->rope_dims % 2 != 0))
        r->status = px_fail(r->err, PITH_E_FORMAT,
                            "'%s': key '%s.rope.dimension_count' is %d, expected an even number up "
                            "to the head size %d",
                            r->s->path, hp->arch, hp->rope_dims, hp->head_dim);
    hp->rope_base[0] = 10000.0f;
    get_float(r, "%s.rope.freq_base", false, 1, 1e15, &hp->rope_base[0]);
    hp->rope_base[1] = r->family->local_base;
    get_float(r, "%s.rope.freq_base_swa", false, 1, 1e15, &hp->rope_base[1]);

    hp->rope_factor = 1;
    hp->rope_mscale = 1;
    hp->rope_ctx_orig = hp->n_ctx_train;
    hp->yarn_beta_fast = 32;
    hp->yarn_beta_slow = 1;
    hp->yarn_ext_factor = 1;
    hp->yarn_attn_factor = 1;
    read_scaling_type(r);
    get_int(r, "%s.rope.scaling.original_context_length", false, 1, PX_MAX_CONTEXT,
            &hp->rope_ctx_orig);
    get_float(r, "%s.rope.scaling.yarn_beta_fast", false, 1e-3, 1e6, &hp->yarn_beta_fast);
    get_float(r, "%s.rope.scaling.yarn_beta_slow", false, 1e-3, 1e6, &hp->yarn_beta_slow);
    get_float(r, "%s.rope.scaling.yarn_ext_factor", false, -1, 1, &hp->yarn_ext_factor);
    if (hp->yarn_ext_factor < 0) // as files write "not set"
        hp->yarn_ext_factor = 1;
    if (r->status == PITH_OK)
        read_mscale(r);
}

/* An array with one flag for each layer, or NULL when the key is absent or no array. */
static const px_meta_array *get_flags(reader *r, const px_meta *meta)
{
    if (r->status != PITH_OK || !meta || meta->type != PX_META_ARRAY)
        return NULL;
    const px_meta_array *a = &meta->array;
    if (a->n == (uint64_t)r->hp->n_layers && a->type != PX_META_STRING && a->type != PX_META_ARRAY)
        return a;
    r->status =
        px_fail(r->err, PITH_E_FORMAT,
                "'%s': key '%s' has %" PRIu64 " %s, expected one bool for each of the %d layers",
                r->s->path, meta->key, a->n, px_meta_type_name(a->type), r->hp->n_layers);
    return NULL;
}

/* The kind of each layer: window, rope and which base. */
static void read_layers(reader *r)
{
    px_hparams *hp = r->hp;
    int32_t window = r->family->window;
    int32_t period = r->family->period;
    get_int(r, "%s.attention.sliding_window", false, 0, PX_MAX_CONTEXT, &window);
    const px_meta *meta = meta_of(r, "%s.attention.sliding_window_pattern");
    const px_meta_array *pattern = get_flags(r, meta);
    if (!pattern)
        get_int(r, "%s.attention.sliding_window_pattern", false, 0, PX_MAX_LAYERS, &period);
    const px_meta_array *ropes = get_flags(r, px_source_meta(r->s, "pith.rope.layers"));
    int32_t no_rope = r->family->no_rope;
    px_meta_array none;
    if (!ropes && r->status == PITH_OK) // absent, or of a type that this refuses
        r->status = px_source_get_array(r->s, "pith.rope.layers", false, PX_META_BOOL, hp->n_layers,
                                        &none, r->err);
    if (r->status != PITH_OK)
        return;
    for (int32_t i = 0; i < hp->n_layers; i++) {
        px_layer_kind *kind = &hp->layers[i];
        bool windowed = pattern ? px_meta_int_at(pattern, (uint64_t)i) != 0
                                : period == 0 || i % period < period - 1;
        kind->window = windowed ? window : 0;
        kind->rope_base = kind->window > 0 && hp->rope_base[1] > 0;
        kind->rope = ropes ? px_meta_int_at(ropes, (uint64_t)i) != 0
                           : no_rope == 0 || (i + 1) % no_rope != 0;
    }
}

static void read_scales(reader *r)
{
    px_hparams *hp = r->hp;
    const px_family *f = r->family;
    hp->embed_scale = f->embed_scale ? (float)sqrt((double)hp->width) : 1.0f;
    int32_t per_head = hp->n_layers == f->scaled_layers ? hp->width / hp->n_heads : hp->head_dim;
    hp->attn_scale = (float)(1.0 / sqrt((double)per_head));
    get_float(r, "%s.attention.scale", false, 1e-6, 1e3, &hp->attn_scale);
    hp->attn_softcap = f->attn_softcap;
    get_float(r, "%s.attn_logit_softcapping", false, 0, 1e6, &hp->attn_softcap);
    hp->logit_softcap = f->logit_softcap;
    get_float(r, "%s.final_logit_softcapping", false, 0, 1e6, &hp->logit_softcap);
}

/* Flags that the tensors tell. weights.c binds layer by layer and refuses what is uneven. */
static void read_flags(reader *r)
{
    px_hparams *hp = r->hp;
    const px_source *s = r->s;
    hp->qkv_fused = px_source_tensor(s, "blk.0.attn_qkv.weight") != NULL;
    hp->gate_up_fused = r->family->gate_up && !px_source_tensor(s, "blk.0.ffn_gate.weight");
    hp->qkv_bias = r->family->qkv_bias || px_source_tensor(s, "blk.0.attn_q.bias") ||
                   px_source_tensor(s, "blk.0.attn_qkv.bias");
    hp->out_bias = px_source_tensor(s, "blk.0.attn_output.bias") != NULL;
    hp->qk_norm = r->family->qk_norm;
    hp->pre_norm = true;
    hp->post_norm = r->family->post_norm;
    hp->tied_head = !px_source_tensor(s, "output.weight");
    hp->activation = r->family->gelu ? PX_ACTIVATION_GELU_TANH : PX_ACTIVATION_SILU;
}

static pith_status unknown_arch(const px_source *s, px_str arch, pith_error *err)
{
    char known[256] = "";
    size_t at = 0;
    const px_family *f;
    for (int i = 0; (f = px_family_at(i)) && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", f->arch);
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "'%s': architecture '%.*s' is not one that pith runs; it runs %s", s->path,
                   PX_STR_ARG(arch), known);
}

pith_status px_hparams_load(const px_source *source, px_arena *arena, px_hparams *out,
                            pith_error *err)
{
    px_str arch = {0};
    pith_status status = px_source_get_str(source, "general.architecture", true, &arch, err);
    if (status != PITH_OK)
        return status;
    const px_family *family = px_family_find(arch);
    if (!family)
        return unknown_arch(source, arch, err);

    px_hparams hp = {.arch = family->arch, .family = px_family_name(family, source)};
    reader r = {.s = source, .family = family, .hp = &hp, .err = err};
    refuse_what_differs(&r);
    get_int(&r, "%s.block_count", true, 1, PX_MAX_LAYERS, &hp.n_layers);
    get_int(&r, "%s.context_length", true, 1, PX_MAX_CONTEXT, &hp.n_ctx_train);
    get_int(&r, "%s.embedding_length", true, 1, PX_MAX_WIDTH, &hp.width);
    get_uniform(&r, "%s.feed_forward_length", true, PX_MAX_WIDTH, &hp.ffn);
    get_float(&r, "%s.attention.layer_norm_rms_epsilon", true, 1e-12, 0.1, &hp.norm_eps);
    read_heads(&r);
    read_vocab(&r);
    if (r.status != PITH_OK)
        return r.status;
    hp.layers = PX_ZNEW(arena, px_layer_kind, (size_t)hp.n_layers);
    if (!hp.layers)
        return px_fail_memory(err, "the model's hyperparameters");
    read_rope(&r);
    read_layers(&r);
    read_scales(&r);
    read_flags(&r);
    if (r.status == PITH_OK)
        *out = hp;
    return r.status;
}

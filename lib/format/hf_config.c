/*
 * hf_config: config.json to metadata: shape, norms, windows, caps. What the reference would compute
 * differently and pith does not compute is refused by name; what has no effect is passed over.
 */
#include "format/hf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- values */

/* At most 40 characters of a value as it stands in the file. */
#define SHOWN(v) ((int)((v).end - (v).at < 40 ? (v).end - (v).at : 40)), ((v).at ? (v).at : "")

pith_status px_hf_wrong(const px_hf *hf, const char *key, px_json found, const char *expected)
{
    if (!found.at)
        return px_fail(hf->err, PITH_E_FORMAT, "'%s': '%s' is missing, expected %s",
                       hf->config_path, key, expected);
    return px_fail(hf->err, PITH_E_FORMAT, "'%s': '%s' is %s (%.*s), expected %s", hf->config_path,
                   key, px_json_type_name(px_json_type_of(found)), SHOWN(found), expected);
}

pith_status px_hf_unsupported(const px_hf *hf, const char *key, px_json found, const char *expected)
{
    return px_fail(hf->err, PITH_E_UNSUPPORTED, "'%s': '%s' is %.*s, pith supports %s",
                   hf->config_path, key, SHOWN(found), expected);
}

bool px_hf_missing(px_json object, const char *key)
{
    return px_json_type_of(px_json_find(object, key)) <= PX_JSON_NULL;
}

pith_status px_hf_int(const px_hf *hf, px_json object, const char *key, int64_t otherwise,
                      int64_t min, int64_t max, int64_t *out)
{
    char expected[80];
    px_json v = px_json_find(object, key);
    *out = otherwise;
    if (px_json_type_of(v) <= PX_JSON_NULL)
        return PITH_OK;
    if (px_json_get_int(v, out) && *out >= min && *out <= max)
        return PITH_OK;
    snprintf(expected, sizeof expected, "a whole number from %" PRId64 " to %" PRId64, min, max);
    return px_hf_wrong(hf, key, v, expected);
}

pith_status px_hf_float(const px_hf *hf, px_json object, const char *key, double otherwise,
                        double min, double max, double *out)
{
    char expected[80];
    px_json v = px_json_find(object, key);
    *out = otherwise;
    if (px_json_type_of(v) <= PX_JSON_NULL)
        return PITH_OK;
    if (px_json_get_double(v, out) && *out >= min && *out <= max)
        return PITH_OK;
    snprintf(expected, sizeof expected, "a number from %g to %g", min, max);
    return px_hf_wrong(hf, key, v, expected);
}

pith_status px_hf_bool(const px_hf *hf, px_json object, const char *key, bool otherwise, bool *out)
{
    px_json v = px_json_find(object, key);
    *out = otherwise;
    if (px_json_type_of(v) <= PX_JSON_NULL || px_json_get_bool(v, out))
        return PITH_OK;
    return px_hf_wrong(hf, key, v, "true or false");
}

/* ---- metadata */

pith_status px_hf_put(px_hf *hf, const char *key, px_meta value)
{
    char full[128];
    const char *hole = strstr(key, "%s");
    if (hf->n_metas == PX_HF_MAX_METAS)
        return px_fail(hf->err, PITH_E_INTERNAL, "a folder gives more than %d keys",
                       PX_HF_MAX_METAS);
    if (hole)
        snprintf(full, sizeof full, "%.*s%s%s", (int)(hole - key), key, hf->family->arch, hole + 2);
    else
        snprintf(full, sizeof full, "%s", key);
    value.key = px_arena_strndup(&hf->state->arena, full, strlen(full));
    if (!value.key)
        return px_source_no_room(&hf->state->arena, hf->folder, "the keys", hf->err);
    hf->metas[hf->n_metas++] = value;
    return PITH_OK;
}

pith_status px_hf_put_u32(px_hf *hf, const char *key, int64_t v)
{
    return px_hf_put(hf, key, (px_meta){.type = PX_META_U32, .u = (uint64_t)v});
}

pith_status px_hf_put_f32(px_hf *hf, const char *key, double v)
{
    return px_hf_put(hf, key, (px_meta){.type = PX_META_F32, .f = (double)(float)v});
}

pith_status px_hf_put_str(px_hf *hf, const char *key, px_str v)
{
    const char *copy = px_arena_strndup(&hf->state->arena, v.data, v.len);
    if (!copy)
        return px_source_no_room(&hf->state->arena, hf->folder, "the keys", hf->err);
    return px_hf_put(hf, key,
                     (px_meta){.type = PX_META_STRING, .str = {.data = copy, .len = v.len}});
}

/* An array of bools, one a layer. */
static pith_status put_layers(px_hf *hf, const char *key, const bool *flags)
{
    uint8_t *bytes = PX_NEW(&hf->state->arena, uint8_t, (size_t)hf->n_layers);
    if (!bytes)
        return px_source_no_room(&hf->state->arena, hf->folder, "the keys", hf->err);
    for (int64_t i = 0; i < hf->n_layers; i++)
        bytes[i] = flags[i];
    px_meta_array array = {.type = PX_META_BOOL,
                           .n = (uint64_t)hf->n_layers,
                           .data = bytes,
                           .bytes = (size_t)hf->n_layers};
    return px_hf_put(hf, key, (px_meta){.type = PX_META_ARRAY, .array = array});
}

/* ---- shape */

/* Head sizes: given, or by default, or width / heads (also where the config says null). */
static pith_status read_heads(px_hf *hf, int64_t width)
{
    const px_hf_family *f = hf->family;
    px_json c = hf->config;
    int64_t given = px_json_find(c, "head_dim").at ? 0 : f->head_dim;
    pith_status status =
        px_hf_int(hf, c, "num_attention_heads", f->n_heads, 1, PX_MAX_WIDTH, &hf->n_heads);
    if (status == PITH_OK) {
        /* An explicit null means one key-value head a head in every class. */
        int64_t kv = px_json_find(c, "num_key_value_heads").at ? 0 : f->n_kv_heads;
        status = px_hf_int(hf, c, "num_key_value_heads", kv ? kv : hf->n_heads, 1, PX_MAX_WIDTH,
                           &hf->n_kv_heads);
    }
    if (status == PITH_OK && hf->n_heads % hf->n_kv_heads != 0)
        status = px_hf_wrong(hf, "num_key_value_heads", px_json_find(c, "num_key_value_heads"),
                             "a divisor of num_attention_heads");
    if (status == PITH_OK)
        status = px_hf_int(hf, c, "head_dim", given, 1, PX_MAX_WIDTH, &hf->head_dim);
    if (status == PITH_OK && hf->head_dim == 0) {
        if (width % hf->n_heads != 0)
            return px_hf_wrong(hf, "num_attention_heads", px_json_find(c, "num_attention_heads"),
                               "a divisor of hidden_size, since head_dim is not given");
        hf->head_dim = width / hf->n_heads;
    }
    if (status == PITH_OK && hf->n_heads * hf->head_dim > PX_MAX_WIDTH)
        return px_hf_wrong(hf, "num_attention_heads", px_json_find(c, "num_attention_heads"),
                           "heads times head_dim of at most 1048576");
    return status;
}

static pith_status read_shape(px_hf *hf)
{
    const px_hf_family *f = hf->family;
    px_json c = hf->config;
    int64_t vocab = 0, width = 0, ffn = 0;
    double eps = 0;
    pith_status status = px_hf_int(hf, c, "vocab_size", f->n_vocab, 1, PX_MAX_VOCAB, &vocab);
    if (status == PITH_OK)
        status = px_hf_int(hf, c, "hidden_size", f->width, 1, PX_MAX_WIDTH, &width);
    if (status == PITH_OK)
        status = px_hf_int(hf, c, "intermediate_size", f->ffn, 1, PX_MAX_WIDTH, &ffn);
    if (status == PITH_OK)
        status =
            px_hf_int(hf, c, "num_hidden_layers", f->n_layers, 1, PX_MAX_LAYERS, &hf->n_layers);
    if (status == PITH_OK)
        status =
            px_hf_int(hf, c, "max_position_embeddings", f->n_ctx, 1, PX_MAX_CONTEXT, &hf->n_ctx);
    if (status == PITH_OK)
        status = px_hf_float(hf, c, "rms_norm_eps", f->norm_eps, 0, 1, &eps);
    if (status == PITH_OK)
        status = read_heads(hf, width);
    if (status != PITH_OK)
        return status;
    const struct {
        const char *key;
        int64_t v;
    } KEYS[] = {{"%s.vocab_size", vocab},
                {"%s.context_length", hf->n_ctx},
                {"%s.embedding_length", width},
                {"%s.block_count", hf->n_layers},
                {"%s.feed_forward_length", ffn},
                {"%s.attention.head_count", hf->n_heads},
                {"%s.attention.head_count_kv", hf->n_kv_heads},
                {"%s.attention.key_length", hf->head_dim},
                {"%s.attention.value_length", hf->head_dim}};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0] && status == PITH_OK; i++)
        status = px_hf_put_u32(hf, KEYS[i].key, KEYS[i].v);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.attention.layer_norm_rms_epsilon", eps);
    return status;
}

/* ---- windows */

/* Whether each layer has the window, by layer_types. */
static pith_status read_layer_types(px_hf *hf, px_json types, bool *windowed)
{
    px_json_walk walk = px_json_each(types);
    px_json v;
    int64_t i = 0;
    if (px_json_type_of(types) != PX_JSON_ARRAY || px_json_count(types) != (uint64_t)hf->n_layers)
        return px_hf_wrong(hf, "layer_types", types, "an array of one string a layer");
    while (px_json_next(&walk, NULL, &v)) {
        windowed[i] = px_json_is(v, px_str_of("sliding_attention"));
        if (!windowed[i] && !px_json_is(v, px_str_of("full_attention")))
            return px_hf_unsupported(hf, "layer_types", v,
                                     "\"sliding_attention\" and \"full_attention\"");
        i++;
    }
    return PITH_OK;
}

/* Which layers have rope: SmolLM3's no_rope_layers has 1 where there is rope. */
static pith_status read_rope_layers(px_hf *hf, bool *rope)
{
    px_json list = px_json_find(hf->config, "no_rope_layers"), v;
    int64_t interval;
    pith_status status =
        px_hf_int(hf, hf->config, "no_rope_layer_interval", 4, 1, PX_MAX_LAYERS, &interval);
    if (status != PITH_OK)
        return status;
    for (int64_t i = 0; i < hf->n_layers; i++)
        rope[i] = (i + 1) % interval != 0;
    if (px_json_type_of(list) <= PX_JSON_NULL)
        return PITH_OK;
    px_json_walk walk = px_json_each(list);
    if (px_json_type_of(list) != PX_JSON_ARRAY || px_json_count(list) != (uint64_t)hf->n_layers)
        return px_hf_wrong(hf, "no_rope_layers", list, "an array of one number a layer");
    for (int64_t i = 0; px_json_next(&walk, NULL, &v); i++) {
        int64_t flag;
        if (!px_json_get_int(v, &flag) && !px_json_get_bool(v, &rope[i]))
            return px_hf_wrong(hf, "no_rope_layers", v, "0 or 1");
        if (px_json_get_int(v, &flag))
            rope[i] = flag != 0;
    }
    return PITH_OK;
}

/* The window's size; 0 when no layer has it. */
static pith_status read_window_size(px_hf *hf, int64_t *window)
{
    const px_hf_family *f = hf->family;
    px_json c = hf->config;
    *window = 0;
    if (f->window_kind == PX_HF_WINDOW_NONE)
        return PITH_OK;
    if (f->window_kind == PX_HF_WINDOW_UPPER || f->window_kind == PX_HF_WINDOW_NO_ROPE) {
        bool use;
        pith_status status = px_hf_bool(hf, c, "use_sliding_window", false, &use);
        if (status != PITH_OK || !use)
            return status;
    }
    /* Only an absent member has the default; null says that there is no window. */
    int64_t otherwise = px_json_find(c, "sliding_window").at ? 0 : f->window;
    return px_hf_int(hf, c, "sliding_window", otherwise, 0, PX_MAX_CONTEXT, window);
}

/* Layers with the window where no layer_types says so. */
static pith_status default_windows(px_hf *hf, const bool *rope, bool *windowed)
{
    const px_hf_family *f = hf->family;
    int64_t from = 0, period = f->period;
    pith_status status = PITH_OK;
    if (f->window_kind == PX_HF_WINDOW_UPPER)
        status = px_hf_int(hf, hf->config, "max_window_layers", 28, 0, INT32_MAX, &from);
    if (f->window_kind == PX_HF_WINDOW_PERIOD && strcmp(f->arch, "gemma3") == 0)
        status =
            px_hf_int(hf, hf->config, "sliding_window_pattern", period, 1, PX_MAX_LAYERS, &period);
    if (status != PITH_OK)
        return status;
    for (int64_t i = 0; i < hf->n_layers; i++) {
        windowed[i] = i >= from;
        if (f->window_kind == PX_HF_WINDOW_PERIOD)
            windowed[i] = (i + 1) % period != 0;
        if (f->window_kind == PX_HF_WINDOW_NO_ROPE)
            windowed[i] = !rope[i];
    }
    return PITH_OK;
}

/* The period that describes the flags (the last of each sees everything), or 0. */
static int64_t find_period(const bool *windowed, int64_t n, int64_t usual)
{
    for (int64_t k = 0; k <= n; k++) {
        int64_t period = k == 0 ? usual : k;
        int64_t i = 0;
        while (period > 0 && i < n && windowed[i] == ((i + 1) % period != 0))
            i++;
        if (period > 0 && i == n)
            return period;
    }
    return 0;
}

static pith_status put_windows(px_hf *hf, int64_t window, const bool *windowed)
{
    const px_hf_family *f = hf->family;
    bool any = false;
    for (int64_t i = 0; i < hf->n_layers; i++)
        any = any || windowed[i];
    if (!any || window == 0) {
        /* These architectures have a window unless the file says otherwise. */
        if (strcmp(f->arch, "gemma2") == 0 || strcmp(f->arch, "phi3") == 0)
            return px_hf_put_u32(hf, "%s.attention.sliding_window", 0);
        return PITH_OK;
    }
    pith_status status = px_hf_put_u32(hf, "%s.attention.sliding_window", window);
    if (status != PITH_OK || f->window_kind == PX_HF_WINDOW_ALL)
        return status;
    int64_t period = find_period(windowed, hf->n_layers, f->period);
    if (period > 0)
        return px_hf_put_u32(hf, "%s.attention.sliding_window_pattern", period);
    return put_layers(hf, "%s.attention.sliding_window_pattern", windowed);
}

static pith_status read_windows(px_hf *hf)
{
    bool rope[PX_MAX_LAYERS] = {0}, windowed[PX_MAX_LAYERS];
    px_json types = px_json_find(hf->config, "layer_types");
    int64_t window = 0;
    pith_status status = PITH_OK;
    if (hf->family->window_kind == PX_HF_WINDOW_NO_ROPE) {
        status = read_rope_layers(hf, rope);
        if (status == PITH_OK)
            status = put_layers(hf, "pith.rope.layers", rope);
    }
    if (status == PITH_OK)
        status = read_window_size(hf, &window);
    if (status == PITH_OK)
        status = default_windows(hf, rope, windowed);
    if (status == PITH_OK && px_json_type_of(types) > PX_JSON_NULL && window > 0 &&
        hf->family->window_kind != PX_HF_WINDOW_ALL)
        status = read_layer_types(hf, types, windowed);
    if (status == PITH_OK)
        status = put_windows(hf, window, windowed);
    return status;
}

/* ---- the rest of attention, and what is refused */

static pith_status read_attention(px_hf *hf)
{
    const px_hf_family *f = hf->family;
    px_json c = hf->config;
    bool gemma2 = strcmp(f->arch, "gemma2") == 0;
    if (!f->post_norms)
        return PITH_OK;
    double cap, scalar;
    pith_status status = px_hf_float(hf, c, "query_pre_attn_scalar", 256, 1e-6, 1e12, &scalar);
    if (status == PITH_OK)
        status = px_hf_put_f32(hf, "%s.attention.scale", 1.0 / sqrt(scalar));
    /* Absent is the default, null is no cap; Gemma 3 has none of its own on attention. */
    if (status == PITH_OK && gemma2) {
        bool given = px_json_find(c, "attn_logit_softcapping").at != NULL;
        status = px_hf_float(hf, c, "attn_logit_softcapping", given ? 0 : 50, 0, 1e6, &cap);
        if (status == PITH_OK)
            status = px_hf_put_f32(hf, "%s.attn_logit_softcapping", cap);
    }
    if (status == PITH_OK) {
        bool given = px_json_find(c, "final_logit_softcapping").at != NULL;
        status =
            px_hf_float(hf, c, "final_logit_softcapping", given || !gemma2 ? 0 : 30, 0, 1e6, &cap);
        if (status == PITH_OK && (gemma2 || cap > 0))
            status = px_hf_put_f32(hf, "%s.final_logit_softcapping", cap);
    }
    return status;
}

/* Gemma 1 calls its activation "gelu" in old files and means the tanh form, as Gemma 2 and 3 say.
 */
static pith_status check_activation(px_hf *hf)
{
    const px_hf_family *f = hf->family;
    const char *key = f->post_norms ? "hidden_activation" : "hidden_act";
    px_json v = px_json_find(hf->config, key);
    if (px_json_type_of(v) <= PX_JSON_NULL)
        return PITH_OK;
    if (f->gelu) {
        if (px_json_is(v, px_str_of("gelu_pytorch_tanh")) || px_json_is(v, px_str_of("gelu")) ||
            px_json_is(v, px_str_of("gelu_new")))
            return PITH_OK;
        return px_hf_unsupported(hf, key, v, "\"gelu_pytorch_tanh\"");
    }
    if (px_json_is(v, px_str_of("silu")) || px_json_is(v, px_str_of("swish")))
        return PITH_OK;
    return px_hf_unsupported(hf, key, v, "\"silu\"");
}

/* Weights of bitsandbytes that hf_bnb reads. */
static bool is_nf4(px_json c)
{
    bool four = false;
    return px_json_is(px_json_find(c, "quant_method"), px_str_of("bitsandbytes")) &&
           px_json_get_bool(px_json_find(c, "load_in_4bit"), &four) && four &&
           px_json_is(px_json_find(c, "bnb_4bit_quant_type"), px_str_of("nf4"));
}

/* What changes the computation in ways that pith does not know. */
static pith_status check_flags(px_hf *hf)
{
    px_json quantized = px_json_find(hf->root, "quantization_config");
    px_json text_quantized = px_json_find(hf->config, "quantization_config");
    bool on = false;
    if (!is_nf4(quantized) && (px_json_type_of(quantized) > PX_JSON_NULL ||
                               px_json_type_of(text_quantized) > PX_JSON_NULL))
        return px_fail(
            hf->err, PITH_E_UNSUPPORTED,
            "'%s': 'quantization_config' says that the weights are quantized (and not to "
            "NF4 by bitsandbytes); use the model's f16 or bf16 folder, or a quantized GGUF "
            "file",
            hf->config_path);
    pith_status status = px_hf_bool(hf, hf->config, "use_bidirectional_attention", false, &on);
    if (status == PITH_OK && on)
        status =
            px_hf_unsupported(hf, "use_bidirectional_attention",
                              px_json_find(hf->config, "use_bidirectional_attention"), "false");
    if (status == PITH_OK)
        status = px_hf_bool(hf, hf->config, "mlp_bias", false, &on);
    if (status == PITH_OK && on)
        status = px_hf_unsupported(hf, "mlp_bias", px_json_find(hf->config, "mlp_bias"), "false");
    return status;
}

/* tie_word_embeddings of the text model, else of the whole, else the default. */
static pith_status read_tied(px_hf *hf)
{
    static const char KEY[] = "tie_word_embeddings";
    bool otherwise = hf->family->tied;
    pith_status status = px_hf_bool(hf, hf->root, KEY, otherwise, &otherwise);
    if (status == PITH_OK)
        status = px_hf_bool(hf, hf->config, KEY, otherwise, &hf->tied);
    return status;
}

pith_status px_hf_read_config(px_hf *hf)
{
    pith_status status = check_flags(hf);
    if (status == PITH_OK)
        status = check_activation(hf);
    if (status == PITH_OK)
        status = read_tied(hf);
    if (status == PITH_OK)
        status = px_hf_put_str(hf, "general.architecture", px_str_of(hf->family->arch));
    if (status == PITH_OK)
        status = px_hf_put_str(hf, "general.type", px_str_of("model"));
    if (status == PITH_OK)
        status = read_shape(hf);
    if (status == PITH_OK)
        status = read_windows(hf);
    if (status == PITH_OK)
        status = read_attention(hf);
    return status;
}

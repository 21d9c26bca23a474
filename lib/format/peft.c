/* peft: see peft.h. */
#include "format/peft.h"

#include "base/json.h"
#include "format/source_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char CONFIG[] = "adapter_config.json";
static const char WEIGHTS[] = "adapter_model.safetensors";
static const char PICKLE[] = "adapter_model.bin";

typedef struct reader {
    const char *path;
    px_json root;
    px_arena *arena;
    pith_error *err;
} reader;

/* ---- members */

static bool is_missing(px_json v)
{
    return !v.at || px_json_type_of(v) == PX_JSON_NULL;
}

/* Missing, or without members. */
static bool is_empty(px_json v)
{
    px_json_type type = px_json_type_of(v);
    return is_missing(v) ||
           ((type == PX_JSON_ARRAY || type == PX_JSON_OBJECT) && px_json_count(v) == 0);
}

static int shown(px_json v)
{
    return (int)(v.end - v.at < 60 ? v.end - v.at : 60);
}

static pith_status wrong(const reader *r, const char *key, px_json found, const char *expected)
{
    return px_fail(r->err, PITH_E_FORMAT, "'%s': '%s' is %s, expected %s", r->path, key,
                   px_json_type_name(px_json_type_of(found)), expected);
}

static pith_status read_float(const reader *r, const char *key, float otherwise, float *out)
{
    px_json v = px_json_find(r->root, key);
    double x;
    *out = otherwise;
    if (is_missing(v))
        return PITH_OK;
    if (!px_json_get_double(v, &x) || !(fabs(x) <= 1e6))
        return wrong(r, key, v, "a number of at most a million");
    *out = (float)x;
    return PITH_OK;
}

static pith_status read_bool(const reader *r, const char *key, bool *out)
{
    px_json v = px_json_find(r->root, key);
    *out = false;
    if (is_missing(v) || px_json_get_bool(v, out))
        return PITH_OK;
    return wrong(r, key, v, "true or false");
}

static pith_status read_string(const reader *r, px_json v, const char **out)
{
    px_buf text = {0};
    px_json_get_string(v, &text);
    *out = text.failed ? NULL : px_arena_strndup(r->arena, text.data ? text.data : "", text.len);
    px_buf_clear(&text);
    return *out ? PITH_OK : px_source_no_room(r->arena, r->path, "strings", r->err);
}

/* ---- what pith does not do */

static pith_status check_kind(const reader *r)
{
    px_json kind = px_json_find(r->root, "peft_type");
    if (px_json_is(kind, px_str_of("LORA")))
        return PITH_OK;
    if (px_json_type_of(kind) != PX_JSON_STRING)
        return wrong(r, "peft_type", kind, "\"LORA\"");
    return px_fail(r->err, PITH_E_UNSUPPORTED,
                   "'%s' is an adapter of type %.*s, pith has \"LORA\" only", r->path, shown(kind),
                   kind.at);
}

/* Each use_* that pith does not know must be false. */
static pith_status check_uses(const reader *r)
{
    px_json_walk walk = px_json_each(r->root);
    px_json key, value;
    while (px_json_next(&walk, &key, &value)) {
        bool on = false;
        if (key.end - key.at < 6 || strncmp(key.at, "\"use_", 5) != 0 ||
            px_json_is(key, px_str_of("use_rslora")) || px_json_is(key, px_str_of("use_dora")))
            continue;
        if (!is_missing(value) && !(px_json_get_bool(value, &on) && !on))
            return px_fail(r->err, PITH_E_UNSUPPORTED,
                           "'%s': %.*s is %.*s, and pith does not know what that changes", r->path,
                           shown(key), key.at, shown(value), value.at);
    }
    return PITH_OK;
}

/* Keys that must be missing or empty, and why. */
static pith_status check_absent(const reader *r)
{
    static const struct {
        const char *key, *why;
    } KEYS[] = {
        {"modules_to_save", "it replaces whole tensors of the model, and pith adapts matrices "
                            "only; merge the adapter with PEFT, or train it without"},
        {"layer_replication", "it repeats layers of the model, which pith does not do"},
        {"alora_invocation_tokens",
         "certain tokens switch the adapter on (aLoRA), which pith does not do"},
        {"trainable_token_indices", "it replaces rows of the embedding, which pith does not do"},
        {"target_parameters", "it adapts parameters that are no matrices of modules"},
    };
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        if (!is_empty(px_json_find(r->root, KEYS[i].key)))
            return px_fail(r->err, PITH_E_UNSUPPORTED, "'%s' has '%s': %s", r->path, KEYS[i].key,
                           KEYS[i].why);
    return PITH_OK;
}

static pith_status check_bias(const reader *r)
{
    px_json bias = px_json_find(r->root, "bias");
    bool lora_bias;
    if (!is_missing(bias) && !px_json_is(bias, px_str_of("none")))
        return px_fail(r->err, PITH_E_UNSUPPORTED,
                       "'%s': 'bias' is %.*s, expected \"none\": pith adapts matrices only",
                       r->path, shown(bias), bias.at);
    pith_status st = read_bool(r, "lora_bias", &lora_bias);
    if (st == PITH_OK && lora_bias)
        st = px_fail(r->err, PITH_E_UNSUPPORTED,
                     "'%s': 'lora_bias' is true, and pith's adapters have no biases", r->path);
    return st;
}

/* Ways of initialising that leave the model's own weights alone. */
static pith_status check_init(const reader *r)
{
    static const char *const FINE[] = {"gaussian", "eva", "orthogonal", "true", "false"};
    px_json v = px_json_find(r->root, "init_lora_weights");
    if (is_missing(v) || px_json_type_of(v) == PX_JSON_BOOL)
        return PITH_OK;
    for (size_t i = 0; i < sizeof FINE / sizeof FINE[0]; i++)
        if (px_json_is(v, px_str_of(FINE[i])))
            return PITH_OK;
    return px_fail(r->err, PITH_E_UNSUPPORTED,
                   "'%s': 'init_lora_weights' is %.*s, which changes the model that the adapter "
                   "belongs to; convert it to plain LoRA with PEFT first (save_pretrained with "
                   "path_initial_model_for_weight_conversion)",
                   r->path, shown(v), v.at);
}

/* ---- the configuration */

static pith_status read_alphas(const reader *r, px_peft_config *out)
{
    px_json object = px_json_find(r->root, "alpha_pattern"), key, value;
    if (is_empty(object))
        return PITH_OK;
    uint64_t n = px_json_count(object);
    if (px_json_type_of(object) != PX_JSON_OBJECT)
        return wrong(r, "alpha_pattern", object, "an object");
    if (n > PX_PEFT_MAX_PATTERNS)
        return px_fail(r->err, PITH_E_LIMIT,
                       "'%s': 'alpha_pattern' has %" PRIu64 " members, expected at most %d",
                       r->path, n, PX_PEFT_MAX_PATTERNS);
    px_peft_pattern *all = PX_NEW(r->arena, px_peft_pattern, (size_t)n);
    if (!all)
        return px_source_no_room(r->arena, r->path, "patterns", r->err);
    out->alphas = all;
    px_json_walk walk = px_json_each(object);
    while (px_json_next(&walk, &key, &value)) {
        px_peft_pattern *p = &all[out->n_alphas++];
        double x;
        if (!px_json_get_double(value, &x) || !(fabs(x) <= 1e6))
            return wrong(r, "alpha_pattern", value, "numbers of at most a million");
        p->value = (float)x;
        pith_status st = read_string(r, key, &p->key);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

static pith_status read_base(const reader *r, px_peft_config *out)
{
    px_json v = px_json_find(r->root, "base_model_name_or_path");
    if (is_missing(v))
        return PITH_OK;
    if (px_json_type_of(v) != PX_JSON_STRING)
        return wrong(r, "base_model_name_or_path", v, "a string");
    return read_string(r, v, &out->base_name);
}

pith_status px_peft_parse_config(const char *path, const char *text, size_t n, px_arena *arena,
                                 px_peft_config *out, pith_error *err)
{
    reader r = {.path = path, .arena = arena, .err = err};
    *out = (px_peft_config){0};
    pith_status st = px_json_check(path, text, n, &r.root, err);
    if (st == PITH_OK && px_json_type_of(r.root) != PX_JSON_OBJECT)
        st = px_fail(err, PITH_E_FORMAT, "'%s' holds %s, expected an object", path,
                     px_json_type_name(px_json_type_of(r.root)));
    if (st == PITH_OK)
        st = check_kind(&r);
    if (st == PITH_OK)
        st = check_uses(&r);
    if (st == PITH_OK)
        st = check_absent(&r);
    if (st == PITH_OK)
        st = check_bias(&r);
    if (st == PITH_OK)
        st = check_init(&r);
    if (st == PITH_OK)
        st = read_float(&r, "lora_alpha", 8, &out->alpha);
    if (st == PITH_OK)
        st = read_float(&r, "lora_dropout", 0, &out->dropout);
    if (st == PITH_OK)
        st = read_bool(&r, "use_rslora", &out->rslora);
    if (st == PITH_OK)
        st = read_bool(&r, "use_dora", &out->dora);
    if (st == PITH_OK)
        st = read_alphas(&r, out);
    return st == PITH_OK ? read_base(&r, out) : st;
}

/* ---- the folder */

/* Without memory from the heap: whether a file is there must not depend on it. */
static bool has_file(const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof path && px_file_kind_of(path) == PX_FILE_REGULAR;
}

bool px_peft_is_folder(const char *path)
{
    return px_file_kind_of(path) == PX_FILE_FOLDER && has_file(path, CONFIG);
}

static pith_status read_config(px_peft *p, const char *folder, pith_error *err)
{
    px_buf path = {0}, text = {0};
    px_path_join(&path, folder, CONFIG);
    pith_status st = px_buf_status(&path, "a file's path", err);
    if (st == PITH_OK)
        st = px_file_read(path.data, PX_PEFT_CONFIG_BYTES, &text, err);
    if (st == PITH_OK)
        st = px_peft_parse_config(path.data, text.data, text.len, &p->arena, &p->config, err);
    px_buf_clear(&path);
    px_buf_clear(&text);
    return st;
}

static pith_status read_weights(px_peft *p, const char *folder, pith_error *err)
{
    if (!has_file(folder, WEIGHTS) && has_file(folder, PICKLE))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' has its weights as a PyTorch pickle (%s), which pith does not open "
                       "since it may hold code; save it anew with PEFT's save_pretrained",
                       folder, PICKLE);
    px_buf path = {0};
    px_path_join(&path, folder, WEIGHTS);
    pith_status st = px_buf_status(&path, "a file's path", err);
    if (st == PITH_OK && !(p->path = px_arena_strndup(&p->arena, path.data, path.len)))
        st = px_fail_memory(err, "a file's path");
    px_buf_clear(&path);
    if (st == PITH_OK)
        st = px_map_open(p->path, &p->map, err);
    if (st == PITH_OK)
        st = px_st_parse(p->path, p->map.data, p->map.size, &p->arena, &p->file, err);
    return st;
}

pith_status px_peft_open(const char *folder, px_peft *out, pith_error *err)
{
    *out = (px_peft){0};
    px_arena_init(&out->arena, 0, PX_SOURCE_ARENA_BYTES);
    pith_status st = read_config(out, folder, err);
    if (st == PITH_OK)
        st = read_weights(out, folder, err);
    if (st != PITH_OK)
        px_peft_close(out);
    return st;
}

void px_peft_close(px_peft *p)
{
    px_map_close(&p->map);
    px_arena_clear(&p->arena);
    *p = (px_peft){0};
}

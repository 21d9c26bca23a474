/*
 * adapter_read_peft: the tensors of a PEFT folder by what they adapt, and the alpha of each module
 * by the patterns of the configuration. PEFT takes a pattern K for the first member of
 * alpha_pattern for which (.*\.)?(K)$ matches the module's path.
 */
#include "model/adapter_read_in.h"

#include "base/mem.h"
#include "text/regex.h"

#include <string.h>

/* ---- names */

static const char PREFIX[] = "base_model.model.";

typedef struct ending {
    const char *text;
    px_lora_role role;
    bool embedding;
} ending;

static const ending ENDINGS[] = {
    {".lora_A.weight", PX_LORA_A, false},
    {".lora_B.weight", PX_LORA_B, false},
    {".lora_embedding_A", PX_LORA_A, true},
    {".lora_embedding_B", PX_LORA_B, true},
    {".lora_magnitude_vector", PX_LORA_MAGNITUDE, false},
    {".lora_magnitude_vector.weight", PX_LORA_MAGNITUDE, false},
    {".base_layer.weight", PX_LORA_COPY, false},
    {".weight", PX_LORA_COPY, false},
};

/* The ending of a name, and how long what stands before it is; NULL for none. */
static const ending *find_ending(const char *name, size_t *n)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof ENDINGS / sizeof ENDINGS[0]; i++) {
        size_t k = strlen(ENDINGS[i].text);
        if (len <= k || strcmp(name + len - k, ENDINGS[i].text) != 0)
            continue;
        *n = len - k;
        return &ENDINGS[i];
    }
    return NULL;
}

static bool is_end_matrix(const char *base)
{
    return strcmp(base, "token_embd.weight") == 0 || strcmp(base, "output.weight") == 0;
}

static pith_status unknown(const px_lora_file *f, const char *name, pith_error *err)
{
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "'%s': tensor '%s' is none that pith knows in an adapter, expected pairs lora_A "
                   "and lora_B of a model's linear layers, embed_tokens or lm_head",
                   f->peft.path, name);
}

static pith_status name_part(px_lora_file *f, const char *name, px_lora_part *p, pith_error *err)
{
    size_t n = 0;
    char base[128];
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return unknown(f, name, err);
    const char *module = name + strlen(PREFIX);
    const ending *e = find_ending(module, &n);
    if (!e)
        return unknown(f, name, err);
    p->role = e->role;
    p->module = px_arena_strndup(&f->arena, module, n);
    if (!p->module)
        return px_fail_memory(err, "a tensor's name");
    if (!px_lora_gguf_name(p->module, base))
        return unknown(f, name, err);
    if (p->role == PX_LORA_COPY && !is_end_matrix(base))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' replaces tensor '%s', and pith adapts matrices only", f->peft.path,
                       name);
    if (e->embedding != (strcmp(base, "token_embd.weight") == 0) &&
        (p->role == PX_LORA_A || p->role == PX_LORA_B))
        return unknown(f, name, err);
    p->base = px_arena_strndup(&f->arena, base, strlen(base));
    return p->base ? PITH_OK : px_fail_memory(err, "a tensor's name");
}

pith_status px_lora_peft_parts(px_lora_file *f, px_lora_part **out, int64_t *n, pith_error *err)
{
    const px_st_file *file = &f->peft.file;
    px_lora_part *parts =
        PX_ZNEW(&f->arena, px_lora_part, (size_t)(file->n_tensors > 0 ? file->n_tensors : 1));
    if (!parts)
        return px_fail_memory(err, "an adapter");
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const px_st_tensor *t = &file->tensors[i];
        bool flat = t->n_dims == 1;
        parts[i] = (px_lora_part){.name = t->name,
                                  .dtype = t->dtype,
                                  .rows = flat ? 1 : t->shape[0],
                                  .cols = flat ? t->shape[0] : t->shape[1],
                                  .data = t->data,
                                  .at = i};
        pith_status st = name_part(f, t->name, &parts[i], err);
        if (st == PITH_OK && !t->readable)
            st = px_fail(err, PITH_E_UNSUPPORTED,
                         "'%s': tensor '%s' has dtype %s, expected F32, F16 or BF16", f->peft.path,
                         t->name, t->dtype_name);
        if (st == PITH_OK && (t->bytes == 0 || t->n_dims < 1 || t->n_dims > 2 ||
                              (flat && parts[i].role != PX_LORA_MAGNITUDE)))
            st = px_fail(err, PITH_E_FORMAT,
                         "'%s': tensor '%s' has %d dimensions and %zu bytes, expected 2 and some",
                         f->peft.path, t->name, t->n_dims, t->bytes);
        if (st != PITH_OK)
            return st;
    }
    *out = parts;
    *n = file->n_tensors;
    return PITH_OK;
}

/* ---- patterns */

struct px_lora_alphas {
    const px_peft_config *config;
    const char *path;
    px_regex **regexes; // [n_alphas]; NULL: a plain name
    px_regex_work work;
};

/* Letters, digits, '_' and '.': what needs no regular expression, as '.' matches any character. */
static bool is_plain(const char *key)
{
    for (; *key; key++) {
        char c = *key;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.'))
            return false;
    }
    return true;
}

static bool matches_plain(const char *key, const char *module)
{
    size_t n = strlen(key), len = strlen(module);
    if (n > len || (n < len && module[len - n - 1] != '.'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (key[i] != '.' && key[i] != module[len - n + i])
            return false;
    return true;
}

static pith_status compile(const px_peft_pattern *p, const char *path, px_regex **out,
                           pith_error *err)
{
    px_buf text = {0};
    px_buf_printf(&text, "^(.*\\.)?(%s)$", p->key);
    pith_status st = px_buf_status(&text, "a pattern", err);
    if (st == PITH_OK)
        st = px_regex_new((px_str){text.data, text.len}, out, err);
    if (st != PITH_OK)
        px_prefix(err, "'%s': a pattern of 'alpha_pattern'", path);
    px_buf_clear(&text);
    return st;
}

pith_status px_lora_alphas_new(const px_peft *peft, px_lora_alphas **out, pith_error *err)
{
    const px_peft_config *c = &peft->config;
    px_lora_alphas *a = px_calloc(1, sizeof *a);
    *out = NULL;
    if (!a)
        return px_fail_memory(err, "patterns");
    a->config = c;
    a->path = peft->path;
    a->regexes = px_calloc((size_t)c->n_alphas + 1, sizeof(px_regex *));
    pith_status st = a->regexes ? PITH_OK : px_fail_memory(err, "patterns");
    for (int32_t i = 0; st == PITH_OK && i < c->n_alphas; i++)
        if (!is_plain(c->alphas[i].key))
            st = compile(&c->alphas[i], a->path, &a->regexes[i], err);
    if (st == PITH_OK)
        *out = a;
    else
        px_lora_alphas_free(a);
    return st;
}

void px_lora_alphas_free(px_lora_alphas *a)
{
    if (!a)
        return;
    for (int32_t i = 0; a->regexes && i < a->config->n_alphas; i++)
        px_regex_free(a->regexes[i]);
    px_free(a->regexes);
    px_regex_work_clear(&a->work);
    px_free(a);
}

pith_status px_lora_alphas_find(px_lora_alphas *a, const char *module, float *out, pith_error *err)
{
    *out = a->config->alpha;
    for (int32_t i = 0; i < a->config->n_alphas; i++) {
        const px_peft_pattern *p = &a->config->alphas[i];
        bool found = false;
        size_t start, end;
        if (!a->regexes[i]) {
            found = matches_plain(p->key, module);
        } else {
            pith_status st = px_regex_find(a->regexes[i], &a->work, module, strlen(module), 0,
                                           &found, &start, &end, err);
            if (st != PITH_OK)
                return st;
        }
        if (!found)
            continue;
        *out = p->value;
        return PITH_OK;
    }
    return PITH_OK;
}

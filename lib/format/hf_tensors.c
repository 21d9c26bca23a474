/*
 * hf_tensors: the weights of a folder: which safetensors files they are in, and what GGUF calls
 * them. Data stays in the files' maps.
 *
 * The files: model.safetensors, or those that model.safetensors.index.json names, which must lie in
 * the folder itself. Every tensor must be one that the family uses: a name that nobody knows may
 * change what the model computes, and is refused rather than left out. Exceptions are those of the
 * vision part of Gemma 3, an output matrix that config.json says is tied, and rope frequencies that
 * old files store although they follow from the config.
 */
#include "format/hf_bnb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A tensor, and the file that it is in. */
typedef struct found {
    const px_st_tensor *tensor;
    int32_t file;
} found;

typedef struct weights {
    const char **names; // [n_files] of files, in the folder
    int32_t n_files;
    found *all; // [n_all] of all files, in order
    int64_t n_all;
    found *by_name; // [n_all] in order of names
} weights;

/* ---- names */

/* Which families have a tensor. */
enum {
    ALL = 0,
    LLAMA_NORMS = 1, // one norm before each half
    GEMMA_NORMS = 2, // norms before and behind each half
    QK_NORM = 4,
    SPLIT = 8, // q, k, v, gate, up apart
    FUSED = 16
};

typedef struct name_row {
    const char *hf;
    const char *gguf;
    int needs;
} name_row;

static const name_row TOP[] = {
    {"embed_tokens.weight", "token_embd.weight", ALL},
    {"norm.weight", "output_norm.weight", ALL},
    {"lm_head.weight", "output.weight", ALL},
};

static const name_row LAYER[] = {
    {"input_layernorm.weight", "attn_norm.weight", ALL},
    {"post_attention_layernorm.weight", "ffn_norm.weight", LLAMA_NORMS},
    {"post_attention_layernorm.weight", "post_attention_norm.weight", GEMMA_NORMS},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight", GEMMA_NORMS},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", GEMMA_NORMS},
    {"self_attn.q_proj.weight", "attn_q.weight", SPLIT},
    {"self_attn.k_proj.weight", "attn_k.weight", SPLIT},
    {"self_attn.v_proj.weight", "attn_v.weight", SPLIT},
    {"self_attn.q_proj.bias", "attn_q.bias", SPLIT},
    {"self_attn.k_proj.bias", "attn_k.bias", SPLIT},
    {"self_attn.v_proj.bias", "attn_v.bias", SPLIT},
    {"self_attn.o_proj.weight", "attn_output.weight", ALL},
    {"self_attn.o_proj.bias", "attn_output.bias", SPLIT},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", QK_NORM},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", QK_NORM},
    {"self_attn.qkv_proj.weight", "attn_qkv.weight", FUSED},
    {"mlp.gate_proj.weight", "ffn_gate.weight", SPLIT},
    {"mlp.up_proj.weight", "ffn_up.weight", SPLIT},
    {"mlp.gate_up_proj.weight", "ffn_up.weight", FUSED},
    {"mlp.down_proj.weight", "ffn_down.weight", ALL},
};

static bool starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}

/* Names of the text model stand behind one of these, by age and kind of the folder. */
static const char *text_name(const char *name)
{
    static const char *const PREFIXES[] = {"model.language_model.", "language_model.model.",
                                           "language_model.", "model."};
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
        if (starts(name, PREFIXES[i]))
            return name + strlen(PREFIXES[i]);
    return name;
}

static bool is_vision(const char *name)
{
    if (starts(name, "model."))
        name += strlen("model.");
    return starts(name, "vision_tower.") || starts(name, "multi_modal_projector.");
}

static bool has(const px_hf_family *f, int needs)
{
    switch (needs) {
    case LLAMA_NORMS:
        return !f->post_norms;
    case GEMMA_NORMS:
        return f->post_norms;
    case QK_NORM:
        return f->qk_norm;
    case SPLIT:
        return !f->fused;
    case FUSED:
        return f->fused;
    default:
        return true;
    }
}

static const char *find_row(const px_hf_family *f, const name_row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].hf, name) == 0 && has(f, rows[i].needs))
            return rows[i].gguf;
    return NULL;
}

/* "layers.12.rest": the number, and the rest; false for another form. */
static bool layer_name(const char *name, int64_t *layer, const char **rest)
{
    if (!starts(name, "layers."))
        return false;
    const char *at = name + strlen("layers.");
    int64_t v = 0;
    const char *start = at;
    for (; *at >= '0' && *at <= '9' && at - start < 9; at++)
        v = v * 10 + (*at - '0');
    if (at == start || *at != '.')
        return false;
    *layer = v;
    *rest = at + 1;
    return true;
}

/* The GGUF name; out is empty for a tensor that is left out. */
static pith_status map_name(const px_hf *hf, const char *path, const char *name, char out[128])
{
    const px_hf_family *f = hf->family;
    const char *text = text_name(name), *rest = NULL;
    int64_t layer = -1;
    const char *gguf;
    out[0] = '\0';
    if ((f->text_config && is_vision(name)) || ends(text, ".rotary_emb.inv_freq") ||
        (hf->tied && strcmp(text, "lm_head.weight") == 0))
        return PITH_OK;
    if (layer_name(text, &layer, &rest))
        gguf = find_row(f, LAYER, sizeof LAYER / sizeof LAYER[0], rest);
    else
        gguf = find_row(f, TOP, sizeof TOP / sizeof TOP[0], text);
    if (!gguf)
        return px_fail(hf->err, PITH_E_UNSUPPORTED,
                       "'%s': tensor '%s' is none that pith knows in a model of %s", path, name,
                       f->class_name);
    if (layer >= hf->n_layers)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' is of layer %" PRId64 ", but config.json says "
                       "'num_hidden_layers' is %" PRId64,
                       path, name, layer, hf->n_layers);
    if (layer >= 0)
        snprintf(out, 128, "blk.%" PRId64 ".%s", layer, gguf);
    else
        snprintf(out, 128, "%s", gguf);
    return PITH_OK;
}

/* What the values need on their way to GGUF. */
static pith_status set_fix(const px_hf *hf, const char *path, const px_st_tensor *from,
                           px_tensor *t)
{
    bool q = strstr(t->name, ".attn_q.") != NULL, k = strstr(t->name, ".attn_k.") != NULL;
    if (hf->family->norm_plus && ends(t->name, "norm.weight"))
        t->fix = PX_FIX_PLUS_ONE;
    if (!hf->family->rope_pairs || !(q || k))
        return PITH_OK;
    int64_t rows = t->ne[t->n_dims - 1], heads = q ? hf->n_heads : hf->n_kv_heads;
    if (rows % (2 * heads) != 0)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' has %" PRId64
                       " rows, expected an even number for each of "
                       "%" PRId64 " heads",
                       path, from->name, rows, heads);
    t->fix = PX_FIX_ROPE_PAIRS;
    t->fix_heads = (int32_t)heads;
    return PITH_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const found *)a)->tensor->name, ((const found *)b)->tensor->name);
}

/* A tensor of any of the files by name: a px_hf_find_fn over the weights. */
static const px_st_tensor *find_tensor(const void *user, const char *name)
{
    const weights *w = user;
    px_st_tensor wanted = {.name = name};
    found probe = {.tensor = &wanted};
    const found *f = bsearch(&probe, w->by_name, (size_t)w->n_all, sizeof probe, by_name);
    return f ? f->tensor : NULL;
}

static pith_status take_tensor(px_hf *hf, const weights *w, const found *f)
{
    const px_st_tensor *from = f->tensor;
    const char *path = hf->state->source.files[f->file];
    char name[128];
    pith_status status = map_name(hf, path, from->name, name);
    if (status != PITH_OK || name[0] == '\0')
        return status;
    bool quantized = false;
    px_tensor whole = {.ne = {1, 1, 1, 1}};
    if (strcmp(from->dtype_name, "U8") == 0)
        status = px_hf_bnb_read(hf, path, from, find_tensor, w, &whole, &quantized);
    if (status != PITH_OK)
        return status;
    if (quantized) {
        px_tensor *t = &hf->tensors[hf->n_tensors];
        *t = whole;
        t->name = px_arena_strndup(&hf->state->arena, name, strlen(name));
        if (!t->name)
            return px_source_no_room(&hf->state->arena, hf->folder, "the names of tensors",
                                     hf->err);
        hf->n_tensors++;
        return set_fix(hf, path, from, t);
    }
    if (!from->readable)
        return px_fail(hf->err, PITH_E_UNSUPPORTED,
                       "'%s': tensor '%s' has dtype %s, expected F32, F16 or BF16; use the model's "
                       "unquantized folder",
                       path, from->name, from->dtype_name);
    if (from->n_dims < 1 || from->n_dims > PX_MAX_DIMS || from->bytes == 0)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' has %d dimensions and %zu bytes, expected 1 to %d "
                       "dimensions and some bytes",
                       path, from->name, from->n_dims, from->bytes, PX_MAX_DIMS);
    px_tensor *t = &hf->tensors[hf->n_tensors];
    *t = (px_tensor){.name = px_arena_strndup(&hf->state->arena, name, strlen(name)),
                     .dtype = from->dtype,
                     .n_dims = from->n_dims,
                     .ne = {1, 1, 1, 1},
                     .data = from->data,
                     .bytes = from->bytes,
                     .file = f->file,
                     .file_offset = from->file_offset};
    if (!t->name)
        return px_source_no_room(&hf->state->arena, hf->folder, "the names of tensors", hf->err);
    for (int i = 0; i < t->n_dims; i++)
        t->ne[i] = from->shape[t->n_dims - 1 - i];
    hf->n_tensors++;
    return set_fix(hf, path, from, t);
}

/* ---- files */

/* A file's name from the index: in the folder itself, and of the right kind. */
static pith_status check_file_name(const px_hf *hf, const char *index, const char *name)
{
    bool good = name[0] != '\0' && !strpbrk(name, "/\\") && ends(name, ".safetensors");
    if (!good)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s': weight_map names the file '%s', expected a .safetensors file in the "
                       "same folder",
                       index, name);
    return PITH_OK;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the files in weight_map, each once, in order. */
static pith_status index_files(px_hf *hf, const char *index, px_json map, weights *w)
{
    px_arena *arena = &hf->state->arena;
    uint64_t n = px_json_count(map);
    pith_status status = PITH_OK;
    if (px_json_type_of(map) != PX_JSON_OBJECT || n == 0 || n > PX_MAX_TENSORS)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s': 'weight_map' is %s with %" PRIu64 " members, expected an object with "
                       "1 to %d",
                       index, px_json_type_name(px_json_type_of(map)), n, PX_MAX_TENSORS);
    w->names = PX_NEW(arena, const char *, (size_t)n);
    px_buf name = {0};
    px_json_walk walk = px_json_each(map);
    px_json v;
    while (w->names && status == PITH_OK && px_json_next(&walk, NULL, &v)) {
        px_buf_reset(&name);
        bool read = v.end - v.at < 4096 && px_json_get_string(v, &name);
        if (name.failed)
            status = px_buf_status(&name, "a file's name", hf->err);
        else if (!read || strlen(name.data) != name.len)
            status = px_fail(hf->err, PITH_E_FORMAT,
                             "'%s': 'weight_map' holds %s, expected names of files", index,
                             px_json_type_name(px_json_type_of(v)));
        if (status == PITH_OK)
            status = check_file_name(hf, index, name.data);
        if (status != PITH_OK || (w->n_files && !strcmp(w->names[w->n_files - 1], name.data)))
            continue;
        w->names[w->n_files] = px_arena_strndup(arena, name.data, name.len);
        if (!w->names[w->n_files++])
            status = px_source_no_room(arena, index, "the names of files", hf->err);
    }
    px_buf_clear(&name);
    if (!w->names)
        return px_source_no_room(arena, index, "the names of files", hf->err);
    if (status != PITH_OK)
        return status;
    qsort(w->names, (size_t)w->n_files, sizeof *w->names, compare_strings);
    int32_t kept = 0;
    for (int32_t i = 0; i < w->n_files; i++)
        if (i == 0 || strcmp(w->names[i], w->names[kept - 1]) != 0)
            w->names[kept++] = w->names[i];
    w->n_files = kept;
    if (kept > PX_MAX_SPLITS)
        return px_fail(hf->err, PITH_E_LIMIT, "'%s' names %" PRId32 " files, expected at most %d",
                       index, kept, PX_MAX_SPLITS);
    return PITH_OK;
}

/* Finds the files and, when there is one, reads the index into text and map. */
static pith_status find_files(px_hf *hf, px_buf *text, px_json *map, weights *w)
{
    static const char *const SINGLE[] = {"model.safetensors"};
    const char *single, *index;
    pith_status status = px_hf_path(hf, SINGLE[0], &single);
    if (status == PITH_OK)
        status = px_hf_path(hf, "model.safetensors.index.json", &index);
    if (status != PITH_OK)
        return status;
    if (px_file_kind_of(single) != PX_FILE_NONE) {
        w->names = (const char **)(uintptr_t)SINGLE;
        w->n_files = 1;
        return PITH_OK;
    }
    if (px_file_kind_of(index) == PX_FILE_NONE)
        return PITH_OK;
    px_json root;
    status = px_file_read(index, PX_HF_INDEX_BYTES, text, hf->err);
    if (status == PITH_OK)
        status = px_json_check(index, text->data, text->len, &root, hf->err);
    if (status != PITH_OK)
        return status;
    *map = px_json_find(root, "weight_map");
    return index_files(hf, index, *map, w);
}

/* Why there are no weights. */
static pith_status no_weights(const px_hf *hf)
{
    static const char *const PICKLES[] = {"pytorch_model.bin", "pytorch_model.bin.index.json",
                                          "pytorch_model-00001-of-00002.bin",
                                          "consolidated.00.pth"};
    for (size_t i = 0; i < sizeof PICKLES / sizeof PICKLES[0]; i++) {
        const char *path;
        pith_status status = px_hf_path(hf, PICKLES[i], &path);
        if (status != PITH_OK)
            return status;
        if (px_file_kind_of(path) != PX_FILE_NONE)
            return px_fail(
                hf->err, PITH_E_UNSUPPORTED,
                "'%s' has its weights as a PyTorch pickle (%s), which pith does not open "
                "since it may hold code; use the model's safetensors, or save it anew "
                "with transformers' save_pretrained",
                hf->folder, PICKLES[i]);
    }
    return px_fail(hf->err, PITH_E_NOT_FOUND,
                   "'%s' has no weights: expected model.safetensors or "
                   "model.safetensors.index.json",
                   hf->folder);
}

/* ---- all tensors of all files */

/* Parses each file into parts[i]. */
static pith_status parse_files(px_hf *hf, weights *w, px_st_file *parts)
{
    px_source *s = &hf->state->source;
    const char **paths = PX_NEW(&hf->state->arena, const char *, (size_t)w->n_files);
    if (!paths)
        return px_source_no_room(&hf->state->arena, hf->folder, "the list of files", hf->err);
    s->files = paths;
    for (int32_t i = 0; i < w->n_files; i++) {
        px_map map;
        pith_status status = px_hf_path(hf, w->names[i], &paths[i]);
        if (status == PITH_OK)
            status = px_source_map(hf->state, paths[i], &map, hf->err);
        if (status == PITH_OK)
            status =
                px_st_parse(paths[i], map.data, map.size, &hf->state->arena, &parts[i], hf->err);
        if (status != PITH_OK)
            return status;
        w->n_all += parts[i].n_tensors;
        if (w->n_all > PX_MAX_TENSORS)
            return px_fail(hf->err, PITH_E_LIMIT, "'%s' has more than %d tensors", hf->folder,
                           PX_MAX_TENSORS);
    }
    s->n_files = w->n_files;
    return PITH_OK;
}

/* One list of all tensors, and one in order of names, in which none stands twice. */
static pith_status join_files(px_hf *hf, weights *w, const px_st_file *parts)
{
    w->all = PX_NEW(&hf->state->arena, found, (size_t)w->n_all);
    w->by_name = PX_NEW(&hf->state->arena, found, (size_t)w->n_all);
    if (!w->all || !w->by_name)
        return px_source_no_room(&hf->state->arena, hf->folder, "the list of tensors", hf->err);
    int64_t at = 0;
    for (int32_t i = 0; i < w->n_files; i++)
        for (int64_t k = 0; k < parts[i].n_tensors; k++)
            w->all[at++] = (found){.tensor = &parts[i].tensors[k], .file = i};
    memcpy(w->by_name, w->all, (size_t)w->n_all * sizeof *w->all);
    qsort(w->by_name, (size_t)w->n_all, sizeof *w->by_name, by_name);
    for (int64_t i = 1; i < w->n_all; i++)
        if (by_name(&w->by_name[i - 1], &w->by_name[i]) == 0)
            return px_fail(hf->err, PITH_E_FORMAT,
                           "'%s': tensor '%s' is in '%s' and in '%s', expected once", hf->folder,
                           w->by_name[i].tensor->name, w->names[w->by_name[i - 1].file],
                           w->names[w->by_name[i].file]);
    return PITH_OK;
}

/* Every tensor of the index must be in the file that it says. */
static pith_status check_index(const px_hf *hf, px_json map, const weights *w)
{
    px_json_walk walk = px_json_each(map);
    px_json key, file;
    px_buf name = {0};
    pith_status status = PITH_OK;
    while (status == PITH_OK && px_json_next(&walk, &key, &file)) {
        px_buf_reset(&name);
        px_json_get_string(key, &name);
        if (name.failed) {
            status = px_fail_memory(hf->err, "a tensor's name");
            break;
        }
        px_st_tensor wanted = {.name = name.data};
        found probe = {.tensor = &wanted};
        const found *f =
            w->n_all ? bsearch(&probe, w->by_name, (size_t)w->n_all, sizeof probe, by_name) : NULL;
        if (!f || !px_json_is(file, px_str_of(w->names[f->file])))
            status = px_fail(hf->err, PITH_E_FORMAT,
                             "'%s': the index says that tensor '%.200s' is in %.*s, but it is %s%s",
                             hf->folder, name.data,
                             (int)(file.end - file.at < 200 ? file.end - file.at : 200), file.at,
                             f ? "in " : "missing", f ? w->names[f->file] : "");
    }
    px_buf_clear(&name);
    return status;
}

/* All tensors under their GGUF names, and the generated ones behind them. */
static pith_status take_tensors(px_hf *hf, const weights *w)
{
    hf->tensors = PX_NEW(&hf->state->arena, px_tensor, (size_t)(w->n_all + hf->n_generated));
    if (!hf->tensors)
        return px_source_no_room(&hf->state->arena, hf->folder, "the list of tensors", hf->err);
    for (int64_t i = 0; i < w->n_all; i++) {
        if (px_hf_bnb_is_part(w->all[i].tensor->name))
            continue;
        pith_status status = take_tensor(hf, w, &w->all[i]);
        if (status != PITH_OK)
            return status;
    }
    bool output = false;
    for (int64_t i = 0; i < hf->n_tensors; i++)
        output = output || strcmp(hf->tensors[i].name, "output.weight") == 0;
    if (!output && !hf->tied)
        return px_fail(hf->err, PITH_E_FORMAT,
                       "'%s' has no tensor 'lm_head.weight', which config.json expects since "
                       "'tie_word_embeddings' is false",
                       hf->folder);
    for (int i = 0; i < hf->n_generated; i++)
        hf->tensors[hf->n_tensors++] = hf->generated[i];
    return PITH_OK;
}

pith_status px_hf_read_tensors(px_hf *hf, const px_source_options *options)
{
    weights w = {0};
    px_buf text = {0};
    px_json map = {0};
    pith_status status = find_files(hf, &text, &map, &w);
    if (status == PITH_OK && w.n_files == 0) {
        if (!(options && options->tensors_optional))
            status = no_weights(hf);
        goto out;
    }
    px_st_file *parts = NULL;
    if (status == PITH_OK) {
        parts = PX_NEW(&hf->state->arena, px_st_file, (size_t)w.n_files);
        if (!parts)
            status = px_source_no_room(&hf->state->arena, hf->folder, "the list of files", hf->err);
    }
    if (status == PITH_OK)
        status = parse_files(hf, &w, parts);
    if (status == PITH_OK)
        status = join_files(hf, &w, parts);
    if (status == PITH_OK)
        status = check_index(hf, map, &w);
    if (status == PITH_OK)
        status = take_tensors(hf, &w);
out:
    px_buf_clear(&text);
    return status;
}

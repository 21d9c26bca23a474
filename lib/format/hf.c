/*
 * hf: see hf.h. Reads config.json whole, turns it into metadata, finds the weights. The JSON text
 * is dropped at the end; what a source lends lies in its arena and maps.
 */
#include "format/hf.h"

pith_status px_hf_path(const px_hf *hf, const char *name, const char **out)
{
    px_buf path = {0};
    px_path_join(&path, hf->folder, name);
    *out = path.failed ? NULL : px_arena_strndup(&hf->state->arena, path.data, path.len);
    px_buf_clear(&path);
    if (!*out)
        return px_source_no_room(&hf->state->arena, hf->folder, "a file's path", hf->err);
    return PITH_OK;
}

/* Whether the folder has either file (the second may be NULL). */
static pith_status folder_has(const px_hf *hf, const char *a, const char *b, bool *out)
{
    const char *path;
    *out = false;
    pith_status status = px_hf_path(hf, a, &path);
    if (status == PITH_OK)
        *out = px_file_kind_of(path) == PX_FILE_REGULAR;
    if (status == PITH_OK && !*out && b)
        return folder_has(hf, b, NULL, out);
    return status;
}

static pith_status read_json(px_hf *hf)
{
    pith_status status = px_file_read(hf->config_path, PX_HF_CONFIG_BYTES, &hf->text, hf->err);
    if (status == PITH_OK)
        status = px_json_check(hf->config_path, hf->text.data, hf->text.len, &hf->root, hf->err);
    if (status == PITH_OK && px_json_type_of(hf->root) != PX_JSON_OBJECT)
        status = px_fail(hf->err, PITH_E_FORMAT, "'%s' holds %s, expected an object",
                         hf->config_path, px_json_type_name(px_json_type_of(hf->root)));
    return status;
}

/* The family, and the part of config.json that speaks of text. */
static pith_status find_family(px_hf *hf)
{
    hf->family = px_hf_family_find(hf->root);
    if (!hf->family)
        return px_hf_family_unknown(hf);
    hf->config = hf->root;
    if (!hf->family->text_config)
        return PITH_OK;
    px_json text = px_json_find(hf->root, "text_config");
    if (px_json_type_of(text) != PX_JSON_OBJECT)
        return px_hf_wrong(hf, "text_config", text, "an object");
    hf->config = text;
    return PITH_OK;
}

/* file_type and quantization_version, as GGUF writers state them: by the embeddings' dtype. */
static pith_status put_file_type(px_hf *hf)
{
    int64_t type = -1;
    for (int64_t i = 0; i < hf->n_tensors; i++) {
        if (strcmp(hf->tensors[i].name, "token_embd.weight") != 0)
            continue;
        px_dtype d = hf->tensors[i].dtype;
        type = d == PX_F32 ? 0 : d == PX_F16 ? 1 : 32;
    }
    if (type < 0)
        return PITH_OK;
    pith_status status = px_hf_put_u32(hf, "general.quantization_version", 2);
    return status == PITH_OK ? px_hf_put_u32(hf, "general.file_type", type) : status;
}

/* Whether the folder may stand for a tokenizer alone: one of a model that pith does not know, or of
 * none. */
static pith_status is_vocabulary(const px_hf *hf, const px_source_options *options, bool *out)
{
    bool tokenizer = false, weights = false;
    *out = false;
    if (!options || !options->tensors_optional)
        return PITH_OK;
    pith_status status = folder_has(hf, "tokenizer.json", "tokenizer.model", &tokenizer);
    if (status == PITH_OK)
        status = folder_has(hf, "model.safetensors", "model.safetensors.index.json", &weights);
    *out = tokenizer && !weights;
    return status;
}

static pith_status read_folder(px_hf *hf, const px_source_options *options)
{
    bool config, vocabulary = false;
    pith_status status = folder_has(hf, "config.json", NULL, &config);
    if (status == PITH_OK)
        status = is_vocabulary(hf, options, &vocabulary);
    if (status != PITH_OK || (!config && vocabulary))
        return status;
    if (!config)
        return px_fail(hf->err, PITH_E_NOT_FOUND,
                       "'%s' has no config.json, expected a Hugging Face model folder or a GGUF "
                       "file",
                       hf->folder);
    hf->metas = PX_NEW(&hf->state->arena, px_meta, PX_HF_MAX_METAS);
    if (!hf->metas)
        return px_fail_memory(hf->err, "the keys of a folder");
    status = px_hf_path(hf, "config.json", &hf->config_path);
    if (status == PITH_OK)
        status = read_json(hf);
    if (status == PITH_OK && vocabulary && !px_hf_family_find(hf->root))
        return PITH_OK;
    if (status == PITH_OK)
        status = find_family(hf);
    if (status == PITH_OK)
        status = px_hf_read_config(hf);
    if (status == PITH_OK)
        status = px_hf_read_rope(hf);
    if (status == PITH_OK)
        status = px_hf_read_card(hf);
    if (status == PITH_OK)
        status = px_hf_read_tensors(hf, options);
    if (status == PITH_OK)
        status = put_file_type(hf);
    return status;
}

pith_status px_hf_fill(px_source_state *state, const char *folder, const px_source_options *options,
                       pith_error *err)
{
    px_hf hf = {.state = state, .folder = folder, .err = err};
    px_source *s = &state->source;
    s->kind = PX_SOURCE_FOLDER;
    s->rope_halves = true;
    pith_status status = read_folder(&hf, options);
    s->metas = hf.metas;
    s->n_metas = hf.n_metas;
    s->tensors = hf.tensors;
    s->n_tensors = hf.n_tensors;
    px_buf_clear(&hf.text);
    return status;
}

/*
 * model: opening and closing, and the lending of parts. What of the file is read when: the
 * metadata and the tensor table always, small vectors (norms, biases) when weights are wanted, the
 * vocabulary when the tokenizer is; matrices are only mapped. Nothing grows with the trained
 * context.
 */
#include "engine/model.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/grammar.h"
#include "engine/options.h"
#include "model/vocab.h"

static pith_status open_weights(pith_model *m, pith_error *err)
{
    pith_status st = px_hparams_load(m->source, &m->arena, &m->hp, err);
    if (st == PITH_OK)
        st = px_weights_bind(m->source, &m->hp, &m->arena, &m->weights, err);
    m->has_weights = st == PITH_OK;
    return st;
}

static const char *kind_name(px_vocab_kind kind)
{
    switch (kind) {
    case PX_VOCAB_SPM:
        return "SentencePiece BPE";
    case PX_VOCAB_UGM:
        return "Unigram";
    case PX_VOCAB_BPE:
        return "byte-level BPE";
    case PX_VOCAB_WPM:
        return "WordPiece";
    case PX_VOCAB_NONE:
        break;
    }
    return "";
}

static pith_status open_tokenizer(pith_model *m, pith_error *err)
{
    pith_tokenizer *t = &m->tokenizer;
    pith_status st = px_vocab_open(m->source, &t->tok, err);
    if (st != PITH_OK)
        return st;
    if (px_tokenizer_kind(t->tok) == PX_VOCAB_NONE) {
        px_tokenizer_free(t->tok);
        t->tok = NULL;
        return PITH_OK;
    }
    t->n_vocab = px_tokenizer_size(t->tok);
    t->tree = px_tree_slot_new(err);
    if (!t->tree)
        return PITH_E_MEMORY;
    for (int32_t id = 0; id < t->n_vocab; id++) {
        size_t len = px_token_bytes(t->tok, id, true).len;
        if (len > t->most_bytes)
            t->most_bytes = len;
    }
    px_str pre = px_tokenizer_def(t->tok)->pre;
    t->kind = kind_name(px_tokenizer_kind(t->tok));
    t->pre = px_arena_strndup(&m->arena, pre.data, pre.len);
    return t->pre ? PITH_OK : px_fail_memory(err, "the tokenizer");
}

static bool has_token(void *user, const char *text)
{
    const px_tokenizer *tok = user;
    return tok && px_tokenizer_find(tok, px_str_of(text)) >= 0;
}

static pith_status template_from_file(pith_model *m, const char *path, pith_error *err)
{
    px_buf text = {0};
    pith_status st = px_file_read(path, PX_MAX_TEMPLATE_BYTES, &text, err);
    const char *name = px_arena_strndup(&m->arena, path, strlen(path));
    if (st == PITH_OK && !name)
        st = px_fail_memory(err, "the template");
    if (st == PITH_OK)
        st = px_template_parse(name, text.data ? text.data : "", text.len, &m->template.t, err);
    m->template_name = name;
    px_buf_clear(&text);
    return st;
}

static pith_status default_template(pith_model *m, pith_error *err)
{
    px_str arch = {0};
    pith_status st = px_source_get_str(m->source, "general.architecture", false, &arch, err);
    if (st != PITH_OK)
        return st;
    char *arch_name = px_arena_strndup(&m->arena, arch.data ? arch.data : "", arch.len);
    if (!arch_name)
        return px_fail_memory(err, "the template");
    const char *chosen = "";
    const char *text = px_template_default(arch_name, has_token, m->tokenizer.tok, &chosen);
    size_t n = strlen(chosen);
    char *name = px_arena_alloc(&m->arena, n + sizeof "default: ", 1);
    if (!name)
        return px_fail_memory(err, "the template");
    memcpy(name, "default: ", sizeof "default: " - 1);
    memcpy(name + sizeof "default: " - 1, chosen, n + 1);
    m->template_name = name;
    return px_template_parse(name, text, strlen(text), &m->template.t, err);
}

static pith_status open_template(pith_model *m, const pith_model_options *o, pith_error *err)
{
    if (o->template_file)
        return template_from_file(m, o->template_file, err);
    px_str text = {0};
    pith_status st = px_vocab_template(m->source, o->template_name, &m->arena, &text, err);
    if (st != PITH_OK)
        return st;
    if (!text.data) {
        if (o->template_name)
            return px_fail(err, PITH_E_NOT_FOUND, "'%s' has no chat template named '%s'",
                           m->source->path, o->template_name);
        return default_template(m, err);
    }
    m->template_name = "tokenizer.chat_template";
    st = px_template_parse(m->template_name, text.data, text.len, &m->template.t, err);
    if (st != PITH_OK)
        px_prefix(err, "'%s' (another template may be given in place of the model's)",
                  m->source->path);
    return st;
}

static pith_status fill(pith_model *m, const char *path, const pith_model_options *o,
                        pith_error *err)
{
    px_source_options so = {.tensors_optional = (o->flags & PITH_OPEN_NO_WEIGHTS) != 0};
    pith_status st = o->memory ? px_source_open_memory(path, o->memory, (size_t)o->memory_bytes,
                                                       &so, &m->source, err)
                               : px_source_open(path, &so, &m->source, err);
    if (st == PITH_OK && !(o->flags & PITH_OPEN_NO_WEIGHTS))
        st = open_weights(m, err);
    if (st == PITH_OK && !(o->flags & PITH_OPEN_NO_TOKENIZER)) {
        st = open_tokenizer(m, err);
        if (st == PITH_OK)
            st = open_template(m, o, err);
        if (st == PITH_OK)
            st = px_reply_syntax_find(m->template.t, m->tokenizer.tok, &m->arena, &m->reply, err);
    }
    if (st == PITH_OK)
        st = px_model_describe(m, err);
    if (st == PITH_OK && o->memory)
        m->info.file_bytes = o->memory_bytes; // its name is that of no file
    return st;
}

pith_status pith_model_open(const char *path, const pith_model_options *options, pith_model **out,
                            pith_error *err)
{
    px_error_clear(err);
    if (!out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_model_open: out is NULL");
    *out = NULL;
    if (!path || !*path)
        return px_fail(err, PITH_E_ARGUMENT, "no path of a model is given");
    pith_model_options o = {0};
    pith_status st = px_options_read(options, "pith_model_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    if (o.flags & ~(uint32_t)(PITH_OPEN_NO_TOKENIZER | PITH_OPEN_NO_WEIGHTS))
        return px_fail(err, PITH_E_ARGUMENT,
                       "pith_model_options.flags is 0x%x, expected a sum of "
                       "PITH_OPEN_* values",
                       o.flags);
    if (o.memory && (uintptr_t)o.memory % 64 != 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' lies in memory at an address that is no multiple of 64", path);
    pith_model *m = px_calloc(1, sizeof *m);
    if (!m)
        return px_fail_memory(err, "a model");
    px_arena_init(&m->arena, 0, 0);
    st = fill(m, path, &o, err);
    if (st != PITH_OK) {
        pith_model_close(m);
        return st;
    }
    *out = m;
    return PITH_OK;
}

void pith_model_close(pith_model *model)
{
    if (!model)
        return;
    px_template_free(model->template.t);
    px_tree_slot_free(model->tokenizer.tree);
    px_tokenizer_free(model->tokenizer.tok);
    px_arena_clear(&model->arena);
    px_source_close(model->source);
    px_free(model);
}

const pith_tokenizer *pith_model_tokenizer(const pith_model *model)
{
    return model && model->tokenizer.tok ? &model->tokenizer : NULL;
}

const pith_template *pith_model_template(const pith_model *model, const char **name)
{
    bool has = model && model->template.t;
    if (name)
        *name = has ? model->template_name : NULL;
    return has ? &model->template : NULL;
}

pith_status pith_model_get_info(const pith_model *model, pith_model_info *out, pith_error *err)
{
    px_error_clear(err);
    if (!model || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_model_get_info: an argument is NULL");
    return px_options_write(out, "pith_model_info", &model->info, sizeof model->info, err);
}

pith_status pith_model_get_meta(const pith_model *model, int64_t i, int64_t max_items,
                                const char **key, pith_text *value, pith_error *err)
{
    px_error_clear(err);
    if (!model || !key || !value)
        return px_fail(err, PITH_E_ARGUMENT, "pith_model_get_meta: an argument is NULL");
    *value = (pith_text){0};
    if (i < 0 || i >= model->source->n_metas)
        return px_fail(err, PITH_E_NOT_FOUND, "metadata entry %lld of %lld is asked for",
                       (long long)i, (long long)model->source->n_metas);
    const px_meta *meta = &model->source->metas[i];
    px_buf text = {0};
    px_meta_put_json(meta, max_items, &text);
    pith_status st = px_buf_status(&text, "a metadata value", err);
    if (st == PITH_OK) {
        *key = meta->key;
        value->data = px_buf_take(&text, &value->len);
        if (!value->data)
            st = px_fail_memory(err, "a metadata value");
    }
    px_buf_clear(&text);
    return st;
}

pith_status pith_model_get_tensor(const pith_model *model, int64_t i, pith_tensor_info *out,
                                  pith_error *err)
{
    px_error_clear(err);
    if (!model || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_model_get_tensor: an argument is NULL");
    const px_source *s = model->source;
    if (i < 0 || i >= s->n_tensors)
        return px_fail(err, PITH_E_NOT_FOUND, "tensor %lld of %lld is asked for", (long long)i,
                       (long long)s->n_tensors);
    const px_tensor *t = &s->tensors[i];
    pith_tensor_info info = {
        .name = t->name,
        .dtype = px_dtype_name((uint32_t)t->dtype),
        .n_dims = t->n_dims,
        .bytes = t->bytes,
        .file = t->file >= 0 ? s->files[t->file] : "",
        .offset = t->file_offset,
    };
    for (int d = 0; d < t->n_dims; d++)
        info.shape[d] = t->ne[t->n_dims - 1 - d];
    return px_options_write(out, "pith_tensor_info", &info, sizeof info, err);
}

void pith_text_free(pith_text *text)
{
    if (!text)
        return;
    px_free(text->data);
    *text = (pith_text){0};
}

const char *pith_version(void)
{
    return PITH_VERSION;
}

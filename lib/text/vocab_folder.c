/*
 * vocab_folder: a folder's tokenizer files, and what the settings beside them say of special tokens
 * and templates.
 *
 *   tokenizer.json             vocabulary, merges and components (vocab_json.c); else
 *   tokenizer.model            SentencePiece's own file (vocab_spm.c), with the tokens that
 *   added_tokens.json          {"text": id} and
 *   tokenizer_config.json      added_tokens_decoder put on top
 *   tokenizer_config.json      bos_token and so on, add_bos_token, chat_template
 *   special_tokens_map.json    bos_token and so on, where the one above does not say
 *   generation_config.json     eos_token_id: one or several ends of generation
 *   config.json                bos_token_id and eos_token_id, where nothing else says
 *
 * Which of tokenizer.json's post-processor and add_bos_token counts is decided as transformers
 * does: by tokenizer_class.
 */
#include "base/file.h"
#include "text/loader.h"

#define TOKENIZER_CONFIG "tokenizer_config.json"
#define SPECIAL_MAP      "special_tokens_map.json"
#define GENERATION       "generation_config.json"

/* Classes of transformers that put bos and eos themselves, whatever the post-processor says. */
typedef struct class_row {
    const char *name;
    const char *bos, *eos, *unk; // where the settings do not say
    bool add_bos, add_eos;
} class_row;

static const class_row classes[] = {
    {"LlamaTokenizer", "<s>", "</s>", "<unk>", true, false},
    {"CodeLlamaTokenizer", "<s>", "</s>", "<unk>", true, false},
    {"GemmaTokenizer", "<bos>", "<eos>", "<unk>", true, false},
    {"CohereTokenizer", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", true, false},
    {"GPTNeoXTokenizer", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", false, false},
};

typedef struct settings {
    const px_jnode *config, *map, *generation, *model;
} settings;

/* Reads folder/name as a tree; *out is NULL when there is no such file. */
static pith_status read_tree(const char *folder, const char *name, px_arena *arena,
                             const px_jnode **out, pith_error *err)
{
    px_buf path = {0};
    px_jnode *node = NULL;
    px_path_join(&path, folder, name);
    pith_status st = px_buf_status(&path, "a path", err);
    if (st == PITH_OK)
        st = px_jtree_file(path.data, name, arena, &node, err);
    if (st == PITH_OK && node && node->kind != PX_JSON_OBJECT)
        st = px_jtree_fail(name, node, err, PITH_E_FORMAT, "%s is here, expected an object",
                           px_json_event_name(node->kind));
    px_buf_clear(&path);
    *out = node;
    return st;
}

/* ---- special tokens */

static int32_t find_token(const px_loader *l, px_str text)
{
    int32_t id = px_tokmap_find(&l->map, l->tokens, text.data, text.len);
    for (const px_added_entry *e = l->added; id < 0 && e; e = e->next)
        if (px_str_eq(e->text, text))
            id = e->id;
    return id;
}

/* A token in settings is a string or an object with its "content". */
static pith_status named_token(px_loader *l, const char *file, const px_jnode *tree,
                               const char *key, int32_t *id, pith_error *err)
{
    const px_jnode *node = px_jtree_get(tree, key);
    if (!node)
        return PITH_OK;
    if (node->kind == PX_JSON_OBJECT)
        node = px_jtree_get(node, "content");
    if (!node || node->kind != PX_JSON_STRING)
        return px_jtree_fail(file, node ? node : tree, err, PITH_E_FORMAT,
                             "\"%s\" is neither a string nor an object with content", key);
    int32_t found = find_token(l, node->text);
    if (found >= 0)
        *id = found;
    return PITH_OK;
}

static pith_status read_specials(px_loader *l, const settings *s, pith_error *err)
{
    px_vocab_def *def = l->def;
    const struct {
        const char *key;
        int32_t *id;
    } rows[] = {
        {"bos_token", &def->bos},   {"eos_token", &def->eos}, {"pad_token", &def->pad},
        {"unk_token", &def->unk},   {"sep_token", &def->sep}, {"cls_token", &def->cls},
        {"mask_token", &def->mask},
    };
    pith_status st = PITH_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && st == PITH_OK; i++) {
        int32_t model_unk = def->unk;
        st = named_token(l, SPECIAL_MAP, s->map, rows[i].key, rows[i].id, err);
        if (st == PITH_OK)
            st = named_token(l, TOKENIZER_CONFIG, s->config, rows[i].key, rows[i].id, err);
        if (rows[i].id == &def->unk && model_unk >= 0)
            def->unk = model_unk; // the model itself knows what it writes for the unknown
    }
    return st;
}

/* ---- ids */

static pith_status read_id(px_loader *l, const char *file, const px_jnode *node, int32_t *out,
                           pith_error *err)
{
    int64_t id;
    if (node->kind != PX_JSON_NUMBER || !px_json_int(node->text, 0, l->n_tokens - 1, &id))
        return px_jtree_fail(file, node, err, PITH_E_FORMAT, "a token id is expected here, 0 to %d",
                             (int)l->n_tokens - 1);
    *out = (int32_t)id;
    return PITH_OK;
}

/* eos_token_id: an id or an array of them. */
static pith_status read_ends(px_loader *l, const char *file, const px_jnode *node, pith_error *err)
{
    const px_jnode *first = node->kind == PX_JSON_ARRAY ? node->first : node;
    int64_t n = node->kind == PX_JSON_ARRAY ? node->n : 1;
    int32_t *ids = PX_NEW(l->arena, int32_t, n);
    if (!ids)
        return px_no_room(l->arena, (size_t)n * sizeof *ids, l->file, err);
    pith_status st = PITH_OK;
    for (int64_t i = 0; i < n && st == PITH_OK; i++, first = first->next)
        st = read_id(l, file, first, &ids[i], err);
    l->def->ends = ids;
    l->def->n_ends = (int32_t)n;
    return st;
}

static pith_status read_ids(px_loader *l, const settings *s, pith_error *err)
{
    const px_jnode *ends = px_jtree_get(s->generation, "eos_token_id");
    const char *file = ends ? GENERATION : "config.json";
    pith_status st = PITH_OK;
    if (!ends && l->def->eos < 0)
        ends = px_jtree_get(s->model, "eos_token_id");
    if (ends)
        st = read_ends(l, file, ends, err);
    if (st == PITH_OK && l->def->eos < 0 && l->def->n_ends > 0)
        l->def->eos = l->def->ends[0];
    const px_jnode *bos = px_jtree_get(s->generation, "bos_token_id");
    file = bos ? GENERATION : "config.json";
    if (!bos)
        bos = px_jtree_get(s->model, "bos_token_id");
    if (st == PITH_OK && l->def->bos < 0 && bos && bos->kind == PX_JSON_NUMBER)
        st = read_id(l, file, bos, &l->def->bos, err);
    return st;
}

/* ---- what goes around a text */

static const class_row *find_class(const settings *s)
{
    const px_jnode *node = px_jtree_get(s->config, "tokenizer_class");
    if (!node || node->kind != PX_JSON_STRING)
        return NULL;
    px_str name = node->text;
    if (name.len > 4 && memcmp(name.data + name.len - 4, "Fast", 4) == 0)
        name.len -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (px_str_is(name, classes[i].name))
            return &classes[i];
    return NULL;
}

static void default_token(const px_loader *l, const char *text, int32_t *id)
{
    if (*id < 0)
        *id = find_token(l, px_str_of(text));
}

static pith_status around_by_class(px_loader *l, const settings *s, const class_row *row,
                                   pith_error *err)
{
    px_vocab_def *def = l->def;
    default_token(l, row->bos, &def->bos);
    default_token(l, row->eos, &def->eos);
    default_token(l, row->unk, &def->unk);
    def->add_bos = row->add_bos;
    def->add_eos = row->add_eos;
    pith_status st =
        px_jtree_bool(TOKENIZER_CONFIG, s->config, "add_bos_token", &def->add_bos, err);
    if (st == PITH_OK)
        st = px_jtree_bool(TOKENIZER_CONFIG, s->config, "add_eos_token", &def->add_eos, err);
    if (st == PITH_OK && ((def->add_bos && def->bos < 0) || (def->add_eos && def->eos < 0)))
        return px_jtree_fail(TOKENIZER_CONFIG, s->config, err, PITH_E_FORMAT,
                             "a token is to be put around texts that the vocabulary does not have");
    return st;
}

/* One side of the post-processor: `id` is what it puts, the special token that it should be. */
static pith_status one_side(px_loader *l, int32_t id, int32_t *token, int32_t *other, bool *add,
                            pith_error *err)
{
    *add = id >= 0;
    if (id < 0 || *token == id)
        return PITH_OK;
    if (l->def->kind == PX_VOCAB_WPM) { // BERT's [CLS] and [SEP]
        *other = id;
        return PITH_OK;
    }
    if (*token < 0) {
        *token = id;
        return PITH_OK;
    }
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "%s: the post-processor puts token %d around a text where the settings name "
                   "token %d",
                   l->file, (int)id, (int)*token);
}

static pith_status read_around(px_loader *l, const settings *s, pith_error *err)
{
    px_vocab_def *def = l->def;
    const class_row *row = find_class(s);
    if (row)
        return around_by_class(l, s, row, err);
    if (def->kind == PX_VOCAB_SPM && !l->vocab_line) { // tokenizer.model says nothing of it
        def->add_bos = def->bos >= 0;
        pith_status st =
            px_jtree_bool(TOKENIZER_CONFIG, s->config, "add_bos_token", &def->add_bos, err);
        return st != PITH_OK ? st
                             : px_jtree_bool(TOKENIZER_CONFIG, s->config, "add_eos_token",
                                             &def->add_eos, err);
    }
    pith_status st = one_side(l, l->before, &def->bos, &def->cls, &def->add_bos, err);
    return st == PITH_OK ? one_side(l, l->after, &def->eos, &def->sep, &def->add_eos, err) : st;
}

/* ---- tokens on top of tokenizer.model */

static pith_status at_node(void *where, pith_error *err, pith_status status, const char *sentence)
{
    return px_jtree_fail("added tokens", where, err, status, "%s", sentence);
}

static pith_status put_added(px_loader *l, const px_jnode *node, int64_t id, px_vocab_token token,
                             pith_error *err)
{
    px_vocab_token *place = id < l->n_tokens ? &l->tokens[id] : NULL;
    if (!place || place->text.len == 0)
        return px_loader_token(l, id, token, at_node, (void *)(uintptr_t)node, err);
    if (!px_str_eq(place->text, token.text))
        return px_jtree_fail("added tokens", node, err, PITH_E_FORMAT,
                             "token %lld is \"%.*s\" here and \"%.*s\" in tokenizer.model",
                             (long long)id, PX_STR_ARG(token.text), PX_STR_ARG(place->text));
    if (place->type != PX_TOKEN_UNKNOWN)
        place->type = token.type;
    place->added = token.added;
    return PITH_OK;
}

static pith_status read_decoder_entry(px_loader *l, const px_jnode *node, pith_error *err)
{
    int64_t id;
    px_vocab_token token = {0};
    bool special = false, flag[4] = {false};
    static const char *const names[] = {"lstrip", "rstrip", "single_word", "normalized"};
    if (!px_json_int(node->key, 0, PX_MAX_VOCAB - 1, &id))
        return px_jtree_fail(TOKENIZER_CONFIG, node, err, PITH_E_FORMAT, "\"%.*s\" is no token id",
                             PX_STR_ARG(node->key));
    pith_status st = px_jtree_str(TOKENIZER_CONFIG, node, "content", &token.text, err);
    if (st == PITH_OK)
        st = px_jtree_bool(TOKENIZER_CONFIG, node, "special", &special, err);
    flag[3] = !special; // where the file does not say
    for (int i = 0; i < 4 && st == PITH_OK; i++) {
        st = px_jtree_bool(TOKENIZER_CONFIG, node, names[i], &flag[i], err);
        token.added |= (uint8_t)(flag[i] << i);
    }
    if (st == PITH_OK && token.text.len == 0)
        return px_jtree_fail(TOKENIZER_CONFIG, node, err, PITH_E_FORMAT,
                             "an added token without content");
    token.type = special ? PX_TOKEN_CONTROL : PX_TOKEN_USER_DEFINED;
    return st == PITH_OK ? put_added(l, node, id, token, err) : st;
}

static pith_status add_tokens(px_loader *l, const char *folder, const settings *s, pith_error *err)
{
    const px_jnode *file, *node = px_jtree_get(s->config, "added_tokens_decoder");
    pith_status st = read_tree(folder, "added_tokens.json", l->arena, &file, err);
    for (node = node ? node->first : NULL; st == PITH_OK && node; node = node->next)
        st = read_decoder_entry(l, node, err);
    for (node = file ? file->first : NULL; st == PITH_OK && node; node = node->next) {
        int64_t id;
        if (node->kind != PX_JSON_NUMBER || !px_json_int(node->text, 0, PX_MAX_VOCAB - 1, &id))
            return px_jtree_fail("added_tokens.json", node, err, PITH_E_FORMAT,
                                 "a token id is expected here");
        if (id < l->n_tokens && px_str_eq(l->tokens[id].text, node->key))
            continue; // known, perhaps with flags
        st = put_added(l, node, id,
                       (px_vocab_token){.text = node->key, .type = PX_TOKEN_USER_DEFINED}, err);
    }
    if (st == PITH_OK) {
        st = px_tokmap_build(&l->map, l->arena, l->tokens, l->n_tokens, err);
        if (st == PITH_E_FORMAT)
            px_prefix(err, "added tokens");
    }
    return st;
}

/* ---- the folder */

static pith_status read_settings(const char *folder, px_arena *arena, settings *s, pith_error *err)
{
    pith_status st = read_tree(folder, TOKENIZER_CONFIG, arena, &s->config, err);
    if (st == PITH_OK)
        st = read_tree(folder, SPECIAL_MAP, arena, &s->map, err);
    if (st == PITH_OK)
        st = read_tree(folder, GENERATION, arena, &s->generation, err);
    if (st == PITH_OK)
        st = read_tree(folder, "config.json", arena, &s->model, err);
    return st;
}

static pith_status load(px_loader *l, const char *folder, px_buf *json, px_buf *model,
                        pith_error *err)
{
    settings s = {0};
    px_vocab_def *def = l->def;
    pith_status st = read_settings(folder, l->arena, &s, err);
    if (st != PITH_OK)
        return st;
    if (px_file_kind_of(json->data) != PX_FILE_NONE) {
        l->file = "tokenizer.json";
        st = px_load_json(l, json->data, err);
    } else if (px_file_kind_of(model->data) != PX_FILE_NONE) {
        l->file = "tokenizer.model";
        st = px_load_spm(l, model->data, err);
        if (st == PITH_OK)
            st = add_tokens(l, folder, &s, err);
        def->tokens = l->tokens;
        def->n_tokens = l->n_tokens;
        def->map = &l->map;
    } else {
        return px_fail(err, PITH_E_NOT_FOUND,
                       "there is neither tokenizer.json nor tokenizer.model");
    }
    if (st == PITH_OK)
        st = read_specials(l, &s, err);
    if (st == PITH_OK)
        st = read_ids(l, &s, err);
    return st == PITH_OK ? read_around(l, &s, err) : st;
}

pith_status px_vocab_load_folder(const char *folder, px_arena *arena, px_vocab_def *def,
                                 pith_error *err)
{
    px_buf json = {0}, model = {0};
    px_error_clear(err);
    *def = px_vocab_def_none();
    px_path_join(&json, folder, "tokenizer.json");
    px_path_join(&model, folder, "tokenizer.model");
    px_loader *l = PX_ZNEW(arena, px_loader, 1);
    pith_status st = px_buf_status(&json, "a path", err);
    if (st == PITH_OK)
        st = px_buf_status(&model, "a path", err);
    if (st == PITH_OK && !l)
        st = px_fail_memory(err, "a vocabulary");
    if (st == PITH_OK) {
        l->arena = arena;
        l->def = def;
        l->before = l->after = -1;
        st = load(l, folder, &json, &model, err);
        if (st != PITH_OK)
            px_prefix(err, "'%s'", folder);
    }
    px_buf_clear(&json);
    px_buf_clear(&model);
    return st;
}

/* ---- templates */

/* The text of folder/name, or data NULL when there is no such file. */
static pith_status read_text(const char *folder, const char *name, px_arena *arena, px_str *out,
                             pith_error *err)
{
    px_buf path = {0}, text = {0};
    px_path_join(&path, folder, name);
    pith_status st = px_buf_status(&path, "a path", err);
    if (st == PITH_OK && px_file_kind_of(path.data) != PX_FILE_NONE) {
        st = px_file_read(path.data, PX_MAX_TEMPLATE_BYTES, &text, err);
        if (st == PITH_OK) {
            out->len = text.len;
            out->data = px_arena_strndup(arena, text.data ? text.data : "", text.len);
            if (!out->data)
                st = px_fail_memory(err, "a chat template");
        }
    }
    px_buf_clear(&path);
    px_buf_clear(&text);
    return st;
}

/* chat_template: a string, or an array of {"name", "template"}. */
static pith_status template_of(const char *file, const px_jnode *tree, const char *variant,
                               px_str *out, pith_error *err)
{
    const px_jnode *node = px_jtree_get(tree, "chat_template");
    if (!node)
        return PITH_OK;
    if (node->kind == PX_JSON_STRING) {
        if (!variant)
            *out = node->text;
        return PITH_OK;
    }
    if (node->kind != PX_JSON_ARRAY)
        return px_jtree_fail(file, node, err, PITH_E_FORMAT,
                             "\"chat_template\" is neither a string nor an array");
    for (const px_jnode *entry = node->first; entry; entry = entry->next) {
        px_str name = {0}, text = {0};
        pith_status st = px_jtree_str(file, entry, "name", &name, err);
        if (st == PITH_OK)
            st = px_jtree_str(file, entry, "template", &text, err);
        if (st != PITH_OK)
            return st;
        if (px_str_is(name, variant ? variant : "default"))
            *out = text;
    }
    return PITH_OK;
}

pith_status px_folder_template(const char *folder, const char *variant, px_arena *arena,
                               px_str *out, pith_error *err)
{
    px_buf name = {.limit = 256};
    const px_jnode *tree = NULL;
    *out = (px_str){0};
    if (variant)
        px_buf_printf(&name, "additional_chat_templates/%s.jinja", variant);
    else
        px_buf_puts(&name, "chat_template.jinja");
    pith_status st = px_buf_status(&name, "the name of a chat template", err);
    if (st == PITH_OK && !(variant && strchr(variant, '/')))
        st = read_text(folder, name.data, arena, out, err);
    if (st == PITH_OK && !out->data) {
        st = read_tree(folder, TOKENIZER_CONFIG, arena, &tree, err);
        if (st == PITH_OK)
            st = template_of(TOKENIZER_CONFIG, tree, variant, out, err);
    }
    if (st == PITH_OK && !out->data) {
        st = read_tree(folder, "chat_template.json", arena, &tree, err);
        if (st == PITH_OK)
            st = template_of("chat_template.json", tree, variant, out, err);
    }
    if (st != PITH_OK)
        px_prefix(err, "'%s'", folder);
    px_buf_clear(&name);
    return st;
}

/*
 * vocab: the tokenizer.ggml.* keys of a GGUF file to a tokenizer. What the keys mean, and what
 * holds where one is missing, is as llama.cpp reads them, so that a file gives the same ids here
 * and there. A folder's tokenizer files are read by text/.
 *
 * Keys beside those of the GGUF specification, written by vocab_write.c where a folder's tokenizer
 * says more than they can:
 *   pith.tokenizer.space_prefix  string  "missing" or "first" (px_space_prefix)
 *   pith.tokenizer.added_flags   u8[]    PX_ADDED_* of each token
 *   pith.tokenizer.fuse_unk      bool
 *   pith.tokenizer.drop_space    bool    decoding drops the first space
 *   pith.tokenizer.user_defined  i32[]   tokens that are user-defined, though token_type says
 * normal pith.tokenizer.end_ids       i32[]   tokens that end generation
 *
 * What is made before the file is accepted lies in an arena limited to PX_MAX_REFUSED_BYTES.
 */
#include "model/vocab.h"

#include "text/jtree.h"
#include "text/tokmap.h"

#include <strings.h>

#define KEY "tokenizer.ggml."

/* The kinds by the value of tokenizer.ggml.model, and the ids that hold where keys are missing. */
typedef struct kind_row {
    const char *model;
    px_vocab_kind kind;
    int32_t bos, eos, unk, sep, pad, mask;
    bool add_bos, add_eos;
} kind_row;

static const kind_row kinds[] = {
    {"llama", PX_VOCAB_SPM, 1, 2, 0, -1, -1, -1, true, false},
    {"gpt2", PX_VOCAB_BPE, -1, -1, -1, -1, -1, -1, false, false},
    {"t5", PX_VOCAB_UGM, -1, 1, 2, -1, 0, -1, false, true},
    {"bert", PX_VOCAB_WPM, 101, -1, 100, 102, 0, 103, true, true},
};

static pith_status find_kind(const px_source *s, const kind_row **out, pith_error *err)
{
    px_str model = {0};
    pith_status st = px_source_get_str(s, KEY "model", false, &model, err);
    *out = NULL;
    if (st != PITH_OK || model.len == 0 || px_str_is(model, "none") || px_str_is(model, "no_vocab"))
        return st;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (px_str_is(model, kinds[i].model))
            *out = &kinds[i];
    if (!*out)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s': " KEY
                       "model is \"%.*s\"; supported are llama, gpt2, t5, bert and none",
                       s->path, PX_STR_ARG(model));
    return PITH_OK;
}

/* ---- tokens */

static pith_status read_attributes(const px_source *s, px_vocab_def *def, px_vocab_token *tokens,
                                   pith_error *err)
{
    px_meta_array scores, types, flags;
    pith_status st = px_source_get_array(s, KEY "scores", false, PX_META_F32, -1, &scores, err);
    if (st == PITH_OK)
        st = px_source_get_array(s, KEY "token_type", false, PX_META_I32, -1, &types, err);
    if (st == PITH_OK)
        st = px_source_get_array(s, "pith.tokenizer.added_flags", false, PX_META_U8, -1, &flags,
                                 err);
    if (st != PITH_OK)
        return st;
    uint64_t n = (uint64_t)def->n_tokens;
    if ((scores.n && scores.n != n) || (types.n && types.n != n) || (flags.n && flags.n != n))
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': " KEY "tokens has %d entries, but scores %llu, token_type %llu and "
                       "added_flags %llu; each must have as many or be left out",
                       s->path, (int)def->n_tokens, (unsigned long long)scores.n,
                       (unsigned long long)types.n, (unsigned long long)flags.n);
    for (uint64_t i = 0; i < n; i++) {
        int64_t type = types.n ? px_meta_int_at(&types, i) : PX_TOKEN_NORMAL;
        if (type < 0 || type > PX_TOKEN_BYTE)
            return px_fail(err, PITH_E_FORMAT,
                           "'%s': " KEY "token_type of token %llu is %lld, expected 0 to 6",
                           s->path, (unsigned long long)i, (long long)type);
        tokens[i].type = (uint8_t)type;
        tokens[i].score = scores.n ? (float)px_meta_float_at(&scores, i) : 0;
        tokens[i].added = flags.n ? (uint8_t)px_meta_int_at(&flags, i) : 0;
    }
    return PITH_OK;
}

static pith_status read_tokens(const px_source *s, px_arena *arena, px_vocab_def *def,
                               px_vocab_token **out, pith_error *err)
{
    px_meta_array texts;
    pith_status st = px_source_get_array(s, KEY "tokens", true, PX_META_STRING, -1, &texts, err);
    if (st != PITH_OK)
        return st;
    if (texts.n == 0 || texts.n > PX_MAX_VOCAB)
        return px_fail(err, PITH_E_LIMIT, "'%s': " KEY "tokens has %llu entries, expected 1 to %d",
                       s->path, (unsigned long long)texts.n, PX_MAX_VOCAB);
    px_vocab_token *tokens = PX_NEW(arena, px_vocab_token, texts.n);
    if (!tokens)
        return px_no_room(arena, texts.n * sizeof *tokens, s->path, err);
    const uint8_t *at = texts.data;
    for (uint64_t i = 0; i < texts.n; i++)
        if (!px_meta_next_str(&texts, &at, &tokens[i].text))
            return px_fail(err, PITH_E_FORMAT, "'%s': " KEY "tokens ends at entry %llu of %llu",
                           s->path, (unsigned long long)i, (unsigned long long)texts.n);
    def->tokens = *out = tokens;
    def->n_tokens = (int32_t)texts.n;
    return read_attributes(s, def, tokens, err);
}

/* Files of before there were types name the bytes all the same. */
static void mark_bytes(px_vocab_def *def, px_vocab_token *tokens)
{
    for (int32_t i = 0; i < def->n_tokens; i++) {
        px_str text = tokens[i].text;
        if (tokens[i].type == PX_TOKEN_NORMAL && text.len == 6 &&
            memcmp(text.data, "<0x", 3) == 0 && text.data[5] == '>')
            tokens[i].type = PX_TOKEN_BYTE;
    }
}

/* ---- merges */

/* Parts "left right" at the first space behind the first byte. */
static bool part_line(px_str line, px_merge_text *out)
{
    const char *space = line.len > 1 ? memchr(line.data + 1, ' ', line.len - 1) : NULL;
    if (!space)
        return false;
    size_t n = (size_t)(space - line.data);
    out->left = (px_str){.data = line.data, .len = n};
    out->right = (px_str){.data = space + 1, .len = line.len - n - 1};
    return true;
}

static pith_status read_lines(const px_source *s, const px_meta_array *lines, px_vocab_def *def,
                              const px_tokmap *map, px_merge *merges, pith_error *err)
{
    const uint8_t *at = lines->data;
    px_merge_text batch[PX_MERGE_BATCH];
    int32_t last = -1;
    pith_status st = PITH_OK;
    for (uint64_t i = 0; i < lines->n && st == PITH_OK;) {
        int n = 0, failed = 0;
        px_str line;
        for (; n < PX_MERGE_BATCH && px_meta_next_str(lines, &at, &line); n++)
            if (!part_line(line, &batch[n]))
                return px_fail(err, PITH_E_FORMAT,
                               "'%s': entry %llu of " KEY "merges is \"%.*s\", expected two tokens "
                               "with a space between",
                               s->path, (unsigned long long)i + (unsigned)n, PX_STR_ARG(line));
        st = px_tokmap_merges(map, def->tokens, def->n_tokens, batch, n, &last, &merges[i], &failed,
                              err);
        if (st != PITH_OK) {
            px_prefix(err, "'%s': entry %llu of " KEY "merges", s->path,
                      (unsigned long long)i + (unsigned)failed);
            return st;
        }
        i += (unsigned)n;
    }
    def->merges = merges;
    def->n_merges = (int32_t)lines->n;
    return st;
}

static pith_status read_merges(const px_source *s, px_arena *arena, px_vocab_def *def,
                               const px_tokmap *map, pith_error *err)
{
    px_meta_array lines;
    bool bpe = def->kind == PX_VOCAB_BPE;
    pith_status st = px_source_get_array(s, KEY "merges", bpe, PX_META_STRING, -1, &lines, err);
    if (st != PITH_OK || lines.n == 0)
        return st;
    if (lines.n > 4 * (uint64_t)PX_MAX_VOCAB)
        return px_fail(err, PITH_E_LIMIT, "'%s': " KEY "merges has %llu entries, at most %d fit",
                       s->path, (unsigned long long)lines.n, 4 * PX_MAX_VOCAB);
    px_merge *merges = PX_NEW(arena, px_merge, lines.n);
    if (!merges)
        return px_no_room(arena, lines.n * sizeof *merges, s->path, err);
    return read_lines(s, &lines, def, map, merges, err);
}

/* ---- special ids and flags */

static pith_status read_id(const px_source *s, const char *key, const px_vocab_def *def,
                           int32_t *id, pith_error *err)
{
    int64_t v = *id < def->n_tokens ? *id : -1;
    pith_status st = px_source_get_int(s, key, false, -1, UINT32_MAX, &v, err);
    if (st != PITH_OK)
        return st;
    if (v == UINT32_MAX) // how some writers say "none"
        v = -1;
    if (v >= def->n_tokens)
        return px_fail(err, PITH_E_FORMAT, "'%s': %s is %lld, but the vocabulary has %d tokens",
                       s->path, key, (long long)v, (int)def->n_tokens);
    *id = (int32_t)v;
    return PITH_OK;
}

static pith_status read_ids(const px_source *s, px_vocab_def *def, pith_error *err)
{
    const struct {
        const char *key;
        int32_t *id;
    } rows[] = {
        {KEY "bos_token_id", &def->bos},       {KEY "eos_token_id", &def->eos},
        {KEY "eot_token_id", &def->eot},       {KEY "unknown_token_id", &def->unk},
        {KEY "padding_token_id", &def->pad},   {KEY "cls_token_id", &def->cls},
        {KEY "mask_token_id", &def->mask},     {KEY "seperator_token_id", &def->sep},
        {KEY "separator_token_id", &def->sep},
    };
    pith_status st = PITH_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && st == PITH_OK; i++)
        st = read_id(s, rows[i].key, def, rows[i].id, err);
    return st;
}

/* A flag that is asked for needs its token; one that holds by default is dropped without it. */
static pith_status read_add(const px_source *s, const char *key, bool have_token, bool *add,
                            pith_error *err)
{
    bool asked = *add && have_token;
    pith_status st = px_source_get_bool(s, key, &asked, err);
    if (st == PITH_OK && asked && !have_token)
        return px_fail(err, PITH_E_FORMAT, "'%s': %s is true, but the file names no such token",
                       s->path, key);
    *add = asked;
    return st;
}

static pith_status read_adds(const px_source *s, px_vocab_def *def, pith_error *err)
{
    bool wpm = def->kind == PX_VOCAB_WPM;
    bool have_bos = def->bos >= 0 || (wpm && def->cls >= 0);
    bool have_eos = def->eos >= 0 || (wpm && def->sep >= 0);
    pith_status st = read_add(s, KEY "add_bos_token", have_bos, &def->add_bos, err);
    if (st != PITH_OK)
        return st;
    bool sep = def->add_eos;
    st = read_add(s, KEY "add_eos_token", have_eos, &def->add_eos, err);
    if (st == PITH_OK && wpm) { // add_eos_token is about eos; sep has a key of its own
        def->add_eos = sep && have_eos;
        st = read_add(s, KEY "add_sep_token", have_eos, &def->add_eos, err);
    }
    return st;
}

static pith_status read_prefix(const px_source *s, px_vocab_def *def, pith_error *err)
{
    px_str name = {0};
    bool prefix = def->kind == PX_VOCAB_SPM;
    pith_status st = px_source_get_bool(s, KEY "add_space_prefix", &prefix, err);
    if (st == PITH_OK)
        st = px_source_get_bool(s, "pith.tokenizer.fuse_unk", &def->fuse_unk, err);
    if (st == PITH_OK)
        st = px_source_get_str(s, "pith.tokenizer.space_prefix", false, &name, err);
    if (st != PITH_OK)
        return st;
    if (px_str_is(name, "missing"))
        def->space_prefix = PX_PREFIX_MISSING;
    else if (px_str_is(name, "first"))
        def->space_prefix = PX_PREFIX_FIRST;
    else if (prefix && (def->kind == PX_VOCAB_SPM || def->kind == PX_VOCAB_UGM))
        def->space_prefix = PX_PREFIX_ALWAYS;
    def->drop_space = def->kind == PX_VOCAB_WPM ||
                      (def->space_prefix != PX_PREFIX_NONE && def->kind != PX_VOCAB_BPE);
    return px_source_get_bool(s, "pith.tokenizer.drop_space", &def->drop_space, err);
}

/* An array of ids; *n is 0 when there is none. */
static pith_status read_id_list(const px_source *s, px_arena *arena, const char *key,
                                const px_vocab_def *def, int32_t **out, int32_t *n, pith_error *err)
{
    px_meta_array array;
    *n = 0;
    pith_status st = px_source_get_array(s, key, false, PX_META_I32, -1, &array, err);
    if (st != PITH_OK || array.n == 0)
        return st;
    if (array.n > (uint64_t)def->n_tokens)
        return px_fail(err, PITH_E_FORMAT, "'%s': %s has %llu entries for %d tokens", s->path, key,
                       (unsigned long long)array.n, (int)def->n_tokens);
    int32_t *ids = PX_NEW(arena, int32_t, array.n);
    if (!ids)
        return px_no_room(arena, array.n * sizeof *ids, s->path, err);
    for (uint64_t i = 0; i < array.n; i++) {
        int64_t id = px_meta_int_at(&array, i);
        if (id < 0 || id >= def->n_tokens)
            return px_fail(err, PITH_E_FORMAT, "'%s': %s holds %lld; the vocabulary has %d tokens",
                           s->path, key, (long long)id, (int)def->n_tokens);
        ids[i] = (int32_t)id;
    }
    *out = ids;
    *n = (int32_t)array.n;
    return PITH_OK;
}

static pith_status read_lists(const px_source *s, px_arena *arena, px_vocab_def *def,
                              px_vocab_token *tokens, pith_error *err)
{
    int32_t *users = NULL, *ends = NULL, n_users;
    pith_status st =
        read_id_list(s, arena, "pith.tokenizer.user_defined", def, &users, &n_users, err);
    for (int32_t i = 0; st == PITH_OK && i < n_users; i++)
        tokens[users[i]].type = PX_TOKEN_USER_DEFINED;
    if (st == PITH_OK)
        st = read_id_list(s, arena, "pith.tokenizer.end_ids", def, &ends, &def->n_ends, err);
    def->ends = ends;
    return st;
}

/* ---- normalising and cutting */

static pith_status read_charsmap(const px_source *s, px_norm_step *norms, px_vocab_def *def,
                                 pith_error *err)
{
    const px_meta *meta = px_source_meta(s, KEY "precompiled_charsmap");
    bool squeeze = false;
    pith_status st = px_source_get_bool(s, KEY "remove_extra_whitespaces", &squeeze, err);
    if (st != PITH_OK)
        return st;
    if (meta && (meta->type != PX_META_ARRAY ||
                 (meta->array.type != PX_META_U8 && meta->array.type != PX_META_I8)))
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': " KEY "precompiled_charsmap is not an array of bytes", s->path);
    if (meta && meta->array.n > 0)
        norms[def->n_norms++] =
            (px_norm_step){.op = PX_NORM_CHARSMAP,
                           .a = {.data = (const char *)meta->array.data, .len = meta->array.bytes}};
    if (squeeze)
        norms[def->n_norms++] = (px_norm_step){.op = PX_NORM_SQUEEZE};
    def->norms = norms;
    return PITH_OK;
}

static pith_status read_bert(const px_source *s, px_norm_step *norms, px_cut_step *cuts,
                             px_vocab_def *def, pith_error *err)
{
    bool lower = true;
    pith_status st = px_source_get_bool(s, KEY "normalizer.lowercase", &lower, err);
    bool strip = lower;
    if (st == PITH_OK)
        st = px_source_get_bool(s, KEY "normalizer.strip_accents", &strip, err);
    norms[0] =
        (px_norm_step){.op = PX_NORM_BERT,
                       .flag = (lower ? PX_BERT_LOWERCASE : 0) |
                               (strip ? PX_BERT_STRIP_ACCENTS : 0) | PX_BERT_CJK | PX_BERT_CLEAN};
    cuts[0] = (px_cut_step){.op = PX_CUT_BERT};
    def->norms = norms;
    def->n_norms = 1;
    def->cuts = cuts;
    def->n_cuts = 1;
    def->max_word_chars = 100;
    return st;
}

static pith_status read_pre(const px_source *s, px_vocab_def *def, pith_error *err)
{
    px_str pre = {0};
    pith_status st = px_source_get_str(s, KEY "pre", false, &pre, err);
    if (st != PITH_OK)
        return st;
    def->pre = pre.len ? pre : px_str_of("default");
    if (!px_pretok_by_name(def->pre, def))
        return px_fail(err, PITH_E_UNSUPPORTED, "'%s': " KEY "pre is \"%.*s\", which is not known",
                       s->path, PX_STR_ARG(pre));
    return PITH_OK;
}

/* ---- flags of added tokens, which the keys cannot say and readers know by the model's name */

static bool holds(px_str text, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= text.len; i++)
        if (strncasecmp(text.data + i, part, n) == 0)
            return true;
    return false;
}

static void flag_phi3(px_vocab_def *def, px_vocab_token *tokens)
{
    for (int32_t i = 0; i < def->n_tokens; i++) {
        px_str text = tokens[i].text;
        bool special = tokens[i].type == PX_TOKEN_UNKNOWN || tokens[i].type == PX_TOKEN_CONTROL ||
                       tokens[i].type == PX_TOKEN_USER_DEFINED;
        if (special && !px_str_is(text, "<unk>") && !px_str_is(text, "<s>") &&
            !px_str_is(text, "<|endoftext|>"))
            tokens[i].added |= PX_ADDED_RSTRIP;
    }
}

static void flag_jina(px_vocab_def *def, px_vocab_token *tokens)
{
    for (int32_t i = 0; i < def->n_tokens; i++)
        if (px_str_is(tokens[i].text, "<mask>"))
            tokens[i].added |= PX_ADDED_LSTRIP;
}

static pith_status flag_by_name(const px_source *s, px_vocab_def *def, px_vocab_token *tokens,
                                pith_error *err)
{
    px_str name = {0};
    pith_status st = px_source_get_str(s, "general.name", false, &name, err);
    if (px_source_meta(s, "pith.tokenizer.added_flags"))
        return st;
    if (holds(name, "phi-3") || holds(name, "phi3"))
        flag_phi3(def, tokens);
    if (holds(def->pre, "jina-v2-"))
        flag_jina(def, tokens);
    return st;
}

/* ---- all of it */

static pith_status read_kind(const px_source *s, px_arena *arena, px_norm_step *norms,
                             px_cut_step *cuts, px_vocab_def *def, px_tokmap *map, pith_error *err)
{
    px_vocab_token *tokens = NULL;
    pith_status st = read_tokens(s, arena, def, &tokens, err);
    if (st == PITH_OK)
        st = read_ids(s, def, err);
    if (st == PITH_OK && def->kind == PX_VOCAB_BPE)
        st = read_pre(s, def, err);
    if (st == PITH_OK && def->kind == PX_VOCAB_WPM)
        st = read_bert(s, norms, cuts, def, err);
    if (st == PITH_OK && (def->kind == PX_VOCAB_SPM || def->kind == PX_VOCAB_UGM)) {
        def->byte_fallback = true;
        mark_bytes(def, tokens);
        st = read_charsmap(s, norms, def, err);
    }
    if (st == PITH_OK)
        st = read_prefix(s, def, err);
    if (st == PITH_OK)
        st = read_adds(s, def, err);
    if (st == PITH_OK)
        st = read_lists(s, arena, def, tokens, err);
    if (st == PITH_OK)
        st = flag_by_name(s, def, tokens, err);
    if (st == PITH_OK)
        st = px_tokmap_build(map, arena, def->tokens, def->n_tokens, err);
    if (st == PITH_E_FORMAT)
        px_prefix(err, "'%s': " KEY "tokens", s->path);
    return st;
}

static pith_status open_gguf(const px_source *s, const kind_row *row, px_tokenizer **out,
                             pith_error *err)
{
    px_norm_step norms[4];
    px_cut_step cuts[1];
    px_tokmap map;
    px_arena arena;
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    px_vocab_def def = px_vocab_def_none();
    def.kind = row->kind;
    def.bos = row->bos;
    def.eos = row->eos;
    def.unk = row->unk;
    def.sep = row->sep;
    def.pad = row->pad;
    def.mask = row->mask;
    def.add_bos = row->add_bos;
    def.add_eos = row->add_eos;
    def.fuse_unk = row->kind == PX_VOCAB_UGM;
    pith_status st = read_kind(s, &arena, norms, cuts, &def, &map, err);
    if (st == PITH_OK && (def.kind == PX_VOCAB_BPE || def.kind == PX_VOCAB_SPM))
        st = read_merges(s, &arena, &def, &map, err);
    def.map = &map;
    if (st == PITH_OK) {
        st = px_tokenizer_new(&def, out, err);
        if (st != PITH_OK)
            px_prefix(err, "'%s'", s->path);
    }
    px_arena_clear(&arena);
    return st;
}

static pith_status open_folder(const px_source *s, px_tokenizer **out, pith_error *err)
{
    px_arena arena;
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    px_vocab_def def = px_vocab_def_none();
    pith_status st = px_vocab_load_folder(s->path, &arena, &def, err);
    if (st == PITH_OK) {
        st = px_tokenizer_new(&def, out, err);
        if (st != PITH_OK)
            px_prefix(err, "'%s'", s->path);
    }
    px_arena_clear(&arena);
    return st;
}

pith_status px_vocab_open(const px_source *source, px_tokenizer **out, pith_error *err)
{
    px_error_clear(err);
    *out = NULL;
    if (source->kind == PX_SOURCE_FOLDER)
        return open_folder(source, out, err);
    const kind_row *row;
    pith_status st = find_kind(source, &row, err);
    if (st != PITH_OK)
        return st;
    if (row)
        return open_gguf(source, row, out, err);
    px_vocab_def none = px_vocab_def_none();
    return px_tokenizer_new(&none, out, err);
}

pith_status px_vocab_template(const px_source *source, const char *variant, px_arena *arena,
                              px_str *out, pith_error *err)
{
    px_error_clear(err);
    *out = (px_str){0};
    if (source->kind == PX_SOURCE_FOLDER)
        return px_folder_template(source->path, variant, arena, out, err);
    if (!variant)
        return px_source_get_str(source, "tokenizer.chat_template", false, out, err);
    px_buf key = {.limit = 256};
    px_buf_printf(&key, "tokenizer.chat_template.%s", variant);
    pith_status st = px_buf_status(&key, "the name of a chat template", err);
    if (st == PITH_OK && !strchr(variant, '%'))
        st = px_source_get_str(source, key.data, false, out, err);
    px_buf_clear(&key);
    return st;
}

/*
 * vocab_write: a tokenizer as the tokenizer.ggml.* keys of a GGUF file, so that other GGUF programs
 * read it and px_vocab_open gives the same tokenizer back.
 *
 * What the keys cannot say goes into pith.tokenizer.* keys (listed in vocab.c), which others pass
 * over; where leaving it out would give them quite other ids (a pre-tokenizer without a name, a
 * normalizer), the tokenizer is refused.
 *
 * SentencePiece BPE from a tokenizer.json has a list of merges and no scores. Others merge by
 * score: each token gets minus the rank of the first merge that makes it, which is the same order
 * but for ties between two ways to make one token. The merges are written too, for pith.
 */
#include "model/vocab.h"

#include "base/mem.h"

#include <stdio.h>

#define KEY "tokenizer.ggml."

typedef struct writer {
    const px_tokenizer *tok;
    const px_vocab_def *def;
    px_gguf_writer *w;
    int32_t n; // rows to write
    px_arena arena;
    pith_error *err;
} writer;

static pith_status unsupported(writer *o, const char *what)
{
    return px_fail(o->err, PITH_E_UNSUPPORTED,
                   "this tokenizer has %s, which GGUF cannot say; use the folder as it is", what);
}

static void *room(writer *o, size_t size)
{
    void *p = px_arena_zalloc(&o->arena, (size_t)o->n, size);
    if (!p)
        px_fail_memory(o->err, "the vocabulary of a file");
    return p;
}

/* ---- tokens */

/* "[PAD7]", or something longer that no token is. */
static pith_status padding_text(writer *o, int32_t id, px_str *out)
{
    char text[64];
    for (int i = 0; i < 16; i++) {
        int n = snprintf(text, sizeof text, "[PAD%d%.*s]", (int)id, i, "________________");
        if (px_tokenizer_find(o->tok, (px_str){.data = text, .len = (size_t)n}) >= 0)
            continue;
        char *copy = px_arena_strndup(&o->arena, text, (size_t)n);
        *out = (px_str){.data = copy, .len = (size_t)n};
        return copy ? PITH_OK : px_fail_memory(o->err, "the vocabulary of a file");
    }
    return unsupported(o, "tokens that look like padding");
}

static pith_status write_texts(writer *o)
{
    px_str *texts = room(o, sizeof *texts);
    if (!texts)
        return PITH_E_MEMORY;
    for (int32_t i = 0; i < o->n; i++) {
        if (i < o->def->n_tokens)
            texts[i] = o->def->tokens[i].text;
        if (texts[i].len == 0) {
            pith_status st = padding_text(o, i, &texts[i]);
            if (st != PITH_OK)
                return st;
        }
    }
    return px_gguf_set_strs(o->w, KEY "tokens", texts, (uint64_t)o->n, o->err);
}

/* Merges as scores; tokens that none makes come last. */
static void rank_scores(const writer *o, float *scores)
{
    const px_vocab_def *def = o->def;
    for (int32_t i = 0; i < o->n; i++)
        scores[i] = -(float)def->n_merges - 1;
    for (int32_t i = def->n_merges - 1; i >= 0; i--)
        if (def->merges[i].result < o->n)
            scores[def->merges[i].result] = -(float)i;
}

static pith_status write_scores(writer *o)
{
    const px_vocab_def *def = o->def;
    if (def->kind != PX_VOCAB_SPM && def->kind != PX_VOCAB_UGM)
        return PITH_OK;
    float *scores = room(o, sizeof *scores);
    if (!scores)
        return PITH_E_MEMORY;
    if (def->kind == PX_VOCAB_SPM && def->n_merges > 0)
        rank_scores(o, scores);
    else
        for (int32_t i = 0; i < o->n; i++)
            scores[i] = i < def->n_tokens ? def->tokens[i].score : -10000;
    return px_gguf_set_f32s(o->w, KEY "scores", scores, (uint64_t)o->n, o->err);
}

static bool has_meta_space(px_str text)
{
    return text.len > 0 && memmem(text.data, text.len, "\xe2\x96\x81", 3) != NULL;
}

/* Other programs print a user-defined token as it stands, so one with U+2581 in it is written as a
 * normal one; it is merged like those. *n says how many there were. */
static bool is_hidden_user(const writer *o, int32_t id)
{
    const px_vocab_def *def = o->def;
    return def->kind == PX_VOCAB_SPM && def->n_merges > 0 && id < def->n_tokens &&
           def->tokens[id].type == PX_TOKEN_USER_DEFINED && has_meta_space(def->tokens[id].text);
}

static pith_status write_types(writer *o)
{
    const px_vocab_def *def = o->def;
    int32_t *types = room(o, sizeof *types), *users = room(o, sizeof *users);
    uint8_t *flags = room(o, sizeof *flags);
    if (!types || !users || !flags)
        return PITH_E_MEMORY;
    uint64_t n_users = 0;
    bool any_flag = false;
    for (int32_t i = 0; i < o->n; i++) {
        bool pad = i >= def->n_tokens || def->tokens[i].text.len == 0;
        types[i] = pad ? PX_TOKEN_UNUSED : def->tokens[i].type;
        if (types[i] == PX_TOKEN_UNDEFINED)
            types[i] = PX_TOKEN_NORMAL;
        if (is_hidden_user(o, i)) {
            types[i] = PX_TOKEN_NORMAL;
            users[n_users++] = i;
        }
        flags[i] = pad ? 0 : def->tokens[i].added;
        any_flag |= flags[i] != 0;
    }
    pith_status st = px_gguf_set_i32s(o->w, KEY "token_type", types, (uint64_t)o->n, o->err);
    if (st == PITH_OK && n_users > 0)
        st = px_gguf_set_i32s(o->w, "pith.tokenizer.user_defined", users, n_users, o->err);
    if (st != PITH_OK || !any_flag)
        return st;
    px_meta meta = {
        .key = "pith.tokenizer.added_flags",
        .type = PX_META_ARRAY,
        .array = {.type = PX_META_U8, .n = (uint64_t)o->n, .data = flags, .bytes = (size_t)o->n}};
    return px_gguf_set_meta(o->w, &meta, o->err);
}

static pith_status write_merges(writer *o)
{
    const px_vocab_def *def = o->def;
    if (def->n_merges == 0)
        return PITH_OK;
    px_str *lines = PX_NEW(&o->arena, px_str, def->n_merges);
    if (!lines)
        return px_fail_memory(o->err, "the merges of a file");
    for (int32_t i = 0; i < def->n_merges; i++) {
        const px_merge *m = &def->merges[i];
        if (m->left >= o->n || m->right >= o->n || m->result >= o->n)
            return px_fail(o->err, PITH_E_FORMAT,
                           "merge %d names a token beyond the %d rows of the model", (int)i,
                           (int)o->n);
        px_str left = def->tokens[m->left].text, right = def->tokens[m->right].text;
        if (left.len > 1 && memchr(left.data + 1, ' ', left.len - 1))
            return unsupported(o, "merges of tokens with spaces in them");
        char *line = px_arena_alloc(&o->arena, left.len + right.len + 1, 1);
        if (!line)
            return px_fail_memory(o->err, "the merges of a file");
        memcpy(line, left.data, left.len);
        line[left.len] = ' ';
        memcpy(line + left.len + 1, right.data, right.len);
        lines[i] = (px_str){.data = line, .len = left.len + right.len + 1};
    }
    return px_gguf_set_strs(o->w, KEY "merges", lines, (uint64_t)def->n_merges, o->err);
}

/* ---- special ids and flags */

static pith_status write_ids(writer *o)
{
    const px_vocab_def *def = o->def;
    bool wpm = def->kind == PX_VOCAB_WPM;
    const struct {
        const char *key;
        int32_t id;
    } rows[] = {
        {KEY "bos_token_id", wpm && def->bos < 0 ? def->cls : def->bos},
        {KEY "eos_token_id", wpm && def->eos < 0 ? def->sep : def->eos},
        {KEY "eot_token_id", def->eot},
        {KEY "unknown_token_id", def->unk},
        {KEY "seperator_token_id", def->sep}, // so it is spelled
        {KEY "padding_token_id", def->pad},
        {KEY "cls_token_id", def->cls},
        {KEY "mask_token_id", def->mask},
    };
    pith_status st = PITH_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && st == PITH_OK; i++) {
        if (rows[i].id >= o->n)
            return px_fail(o->err, PITH_E_FORMAT, "%s is %d; the model has %d rows", rows[i].key,
                           (int)rows[i].id, (int)o->n);
        if (rows[i].id >= 0)
            st = px_gguf_set_u32(o->w, rows[i].key, (uint32_t)rows[i].id, o->err);
    }
    if (st == PITH_OK)
        st = px_gguf_set_bool(o->w, KEY "add_bos_token", def->add_bos, o->err);
    if (st == PITH_OK)
        st = px_gguf_set_bool(o->w, wpm ? KEY "add_sep_token" : KEY "add_eos_token", def->add_eos,
                              o->err);
    return st;
}

/* Ends of generation that a reader would not find by name. */
static pith_status write_ends(writer *o)
{
    int32_t *ends = room(o, sizeof *ends);
    uint64_t n = 0;
    if (!ends)
        return PITH_E_MEMORY;
    for (int32_t i = 0; i < o->n && i < o->def->n_tokens; i++)
        if (px_token_ends(o->tok, i))
            ends[n++] = i;
    return n ? px_gguf_set_i32s(o->w, "pith.tokenizer.end_ids", ends, n, o->err) : PITH_OK;
}

static pith_status write_prefix(writer *o)
{
    const px_vocab_def *def = o->def;
    bool meta = def->kind == PX_VOCAB_SPM || def->kind == PX_VOCAB_UGM;
    bool prefix = def->space_prefix != PX_PREFIX_NONE;
    pith_status st = PITH_OK;
    if (meta)
        st = px_gguf_set_bool(o->w, KEY "add_space_prefix", prefix, o->err);
    if (st == PITH_OK && def->space_prefix == PX_PREFIX_MISSING)
        st = px_gguf_set_str(o->w, "pith.tokenizer.space_prefix", px_str_of("missing"), o->err);
    if (st == PITH_OK && def->space_prefix == PX_PREFIX_FIRST)
        st = px_gguf_set_str(o->w, "pith.tokenizer.space_prefix", px_str_of("first"), o->err);
    if (st == PITH_OK && meta && def->drop_space != prefix)
        st = px_gguf_set_bool(o->w, "pith.tokenizer.drop_space", def->drop_space, o->err);
    if (st == PITH_OK && def->fuse_unk != (def->kind == PX_VOCAB_UGM))
        st = px_gguf_set_bool(o->w, "pith.tokenizer.fuse_unk", def->fuse_unk, o->err);
    return st;
}

/* ---- steps */

/* Cutting before each U+2581 changes nothing where no piece holds one but at its beginning. */
static bool cuts_change_nothing(const px_vocab_def *def)
{
    if (def->n_cuts == 0)
        return true;
    if (def->n_cuts > 1 || def->cuts[0].op != PX_CUT_METASPACE)
        return false;
    for (int32_t i = 0; i < def->n_tokens; i++) {
        px_str text = def->tokens[i].text;
        bool piece = def->tokens[i].type == PX_TOKEN_NORMAL;
        if (piece && text.len > 1 && has_meta_space((px_str){text.data + 1, text.len - 1}))
            return false;
    }
    return true;
}

static pith_status write_charsmap(writer *o)
{
    const px_vocab_def *def = o->def;
    int32_t i = 0;
    pith_status st = PITH_OK;
    if (i < def->n_norms && def->norms[i].op == PX_NORM_CHARSMAP) {
        px_str map = def->norms[i++].a;
        px_meta meta = {.key = KEY "precompiled_charsmap",
                        .type = PX_META_ARRAY,
                        .array = {.type = PX_META_U8,
                                  .n = map.len,
                                  .data = (const uint8_t *)map.data,
                                  .bytes = map.len}};
        st = px_gguf_set_meta(o->w, &meta, o->err);
    }
    bool squeeze = i < def->n_norms && def->norms[i].op == PX_NORM_SQUEEZE;
    i += squeeze;
    if (i < def->n_norms)
        return unsupported(o, "a normalizer");
    if (!cuts_change_nothing(def))
        return unsupported(o, "a pre-tokenizer");
    if (st == PITH_OK)
        st = px_gguf_set_bool(o->w, KEY "remove_extra_whitespaces", squeeze, o->err);
    return st == PITH_OK ? px_gguf_set_str(o->w, KEY "pre", px_str_of("default"), o->err) : st;
}

static pith_status write_bert(writer *o)
{
    const px_vocab_def *def = o->def;
    int32_t always = PX_BERT_CLEAN | PX_BERT_CJK;
    if (def->n_norms != 1 || def->norms[0].op != PX_NORM_BERT ||
        (def->norms[0].flag & always) != always)
        return unsupported(o, "a normalizer other than BERT's");
    if (def->n_cuts != 1 || def->cuts[0].op != PX_CUT_BERT || def->max_word_chars != 100)
        return unsupported(o, "a pre-tokenizer other than BERT's");
    pith_status st = px_gguf_set_bool(o->w, KEY "normalizer.lowercase",
                                      (def->norms[0].flag & PX_BERT_LOWERCASE) != 0, o->err);
    if (st == PITH_OK)
        st = px_gguf_set_bool(o->w, KEY "normalizer.strip_accents",
                              (def->norms[0].flag & PX_BERT_STRIP_ACCENTS) != 0, o->err);
    return st == PITH_OK ? px_gguf_set_u32(o->w, KEY "token_type_count", 2, o->err) : st;
}

static pith_status write_pre(writer *o)
{
    const char *name = px_pretok_name(o->def);
    if (!name)
        return unsupported(o, "a normalizer and pre-tokenizer that have no name");
    return px_gguf_set_str(o->w, KEY "pre", px_str_of(name), o->err);
}

static pith_status write_kind(writer *o)
{
    const char *model = "none";
    pith_status (*steps)(writer *) = NULL;
    switch (o->def->kind) {
    case PX_VOCAB_SPM:
        model = "llama";
        steps = write_charsmap;
        break;
    case PX_VOCAB_UGM:
        model = "t5";
        steps = write_charsmap;
        break;
    case PX_VOCAB_BPE:
        model = "gpt2";
        steps = write_pre;
        break;
    case PX_VOCAB_WPM:
        model = "bert";
        steps = write_bert;
        break;
    case PX_VOCAB_NONE:
        break;
    }
    pith_status st = px_gguf_set_str(o->w, KEY "model", px_str_of(model), o->err);
    return st == PITH_OK && steps ? steps(o) : st;
}

pith_status px_vocab_write(const px_tokenizer *tok, int32_t n_vocab, px_gguf_writer *w,
                           pith_error *err)
{
    px_error_clear(err);
    writer o = {.tok = tok, .def = px_tokenizer_def(tok), .w = w, .n = n_vocab, .err = err};
    px_arena_init(&o.arena, 1 << 20, 0);
    pith_status (*const parts[])(writer *) = {write_texts, write_scores, write_types, write_merges,
                                              write_ids,   write_ends,   write_prefix};
    pith_status st = write_kind(&o);
    if (st == PITH_OK && o.def->kind != PX_VOCAB_NONE && n_vocab < 1)
        st = px_fail(err, PITH_E_ARGUMENT, "a vocabulary of %d rows", (int)n_vocab);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && st == PITH_OK; i++)
        if (o.def->kind != PX_VOCAB_NONE)
            st = parts[i](&o);
    px_arena_clear(&o.arena);
    return st;
}

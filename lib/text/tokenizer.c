/*
 * tokenizer: builds a px_tokenizer from a definition, after checking it, and answers what it is.
 *
 * A tokenizer of 128 000 tokens takes about 12 MiB. Ids that the caller's arrays hold are checked
 * here once; encoders index by them freely. Threads: see tokenizer.h.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/inside.h"

px_vocab_def px_vocab_def_none(void)
{
    return (px_vocab_def){
        .bos = -1, .eos = -1, .unk = -1, .sep = -1, .pad = -1, .cls = -1, .mask = -1, .eot = -1};
}

/* ---- checks */

static pith_status check_id(const px_vocab_def *def, const char *name, int32_t id, pith_error *err)
{
    if (id < -1 || id >= def->n_tokens)
        return px_fail(err, PITH_E_FORMAT, "the %s token has id %d; the vocabulary has %d tokens",
                       name, (int)id, (int)def->n_tokens);
    return PITH_OK;
}

static pith_status check_ids(const px_vocab_def *def, pith_error *err)
{
    const struct {
        const char *name;
        int32_t id;
    } rows[] = {{"bos", def->bos},   {"eos", def->eos},        {"unknown", def->unk},
                {"sep", def->sep},   {"pad", def->pad},        {"cls", def->cls},
                {"mask", def->mask}, {"end-of-turn", def->eot}};
    pith_status st = PITH_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && st == PITH_OK; i++)
        st = check_id(def, rows[i].name, rows[i].id, err);
    for (int32_t i = 0; i < def->n_ends && st == PITH_OK; i++)
        st = check_id(def, "end-of-generation", def->ends[i], err);
    return st;
}

static pith_status check_tokens(const px_vocab_def *def, pith_error *err)
{
    for (int32_t i = 0; i < def->n_tokens; i++) {
        const px_vocab_token *token = &def->tokens[i];
        if (token->text.len > PX_MAX_TOKEN_BYTES)
            return px_fail(err, PITH_E_LIMIT, "token %d has %zu bytes; at most %d are supported",
                           (int)i, token->text.len, PX_MAX_TOKEN_BYTES);
        if (!__builtin_isfinite(token->score))
            return px_fail(err, PITH_E_FORMAT, "token %d has a score that is not finite", (int)i);
        if (token->type > PX_TOKEN_BYTE)
            return px_fail(err, PITH_E_FORMAT, "token %d has type %d; types are 0 to 6", (int)i,
                           (int)token->type);
    }
    for (int32_t i = 0; i < def->n_merges; i++) {
        const px_merge *m = &def->merges[i];
        if (m->left < 0 || m->left >= def->n_tokens || m->right < 0 || m->right >= def->n_tokens ||
            m->result < 0 || m->result >= def->n_tokens)
            return px_fail(err, PITH_E_FORMAT, "merge %d names a token that is not there", (int)i);
    }
    return PITH_OK;
}

static pith_status check(const px_vocab_def *def, pith_error *err)
{
    if (def->n_tokens < 0 || def->n_tokens > PX_MAX_VOCAB)
        return px_fail(err, PITH_E_LIMIT, "a vocabulary of %d tokens; at most %d are supported",
                       (int)def->n_tokens, PX_MAX_VOCAB);
    if (def->n_merges < 0 || def->n_merges > 4 * PX_MAX_VOCAB)
        return px_fail(err, PITH_E_LIMIT, "%d merges; at most %d are supported", (int)def->n_merges,
                       4 * PX_MAX_VOCAB);
    pith_status st = check_ids(def, err);
    return st == PITH_OK ? check_tokens(def, err) : st;
}

/* ---- copies */

static pith_status copy_str(px_arena *arena, px_str *s, pith_error *err)
{
    char *copy = px_arena_strndup(arena, s->data ? s->data : "", s->len);
    if (!copy)
        return px_fail_memory(err, "a vocabulary");
    s->data = copy;
    return PITH_OK;
}

static pith_status copy_tokens(px_tokenizer *tok, pith_error *err)
{
    px_vocab_def *def = &tok->def;
    size_t n = (size_t)def->n_tokens, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += def->tokens[i].text.len;
        if (def->tokens[i].text.len > tok->max_text)
            tok->max_text = def->tokens[i].text.len;
    }
    px_vocab_token *tokens = PX_NEW(&tok->arena, px_vocab_token, n);
    char *text = PX_NEW(&tok->arena, char, bytes + 1);
    if (!tokens || !text)
        return px_fail_memory(err, "a vocabulary");
    for (size_t i = 0; i < n; i++) {
        tokens[i] = def->tokens[i];
        if (tokens[i].text.len)
            memcpy(text, def->tokens[i].text.data, tokens[i].text.len);
        tokens[i].text.data = text;
        text += tokens[i].text.len;
    }
    def->tokens = tokens;
    return PITH_OK;
}

static pith_status copy_steps(px_tokenizer *tok, pith_error *err)
{
    px_vocab_def *def = &tok->def;
    px_norm_step *norms = PX_NEW(&tok->arena, px_norm_step, def->n_norms);
    px_cut_step *cuts = PX_NEW(&tok->arena, px_cut_step, def->n_cuts);
    if (!norms || !cuts)
        return px_fail_memory(err, "a tokenizer");
    pith_status st = PITH_OK;
    for (int32_t i = 0; i < def->n_norms && st == PITH_OK; i++) {
        norms[i] = def->norms[i];
        st = copy_str(&tok->arena, &norms[i].a, err);
        if (st == PITH_OK)
            st = copy_str(&tok->arena, &norms[i].b, err);
    }
    for (int32_t i = 0; i < def->n_cuts && st == PITH_OK; i++) {
        cuts[i] = def->cuts[i];
        st = copy_str(&tok->arena, &cuts[i].pattern, err);
    }
    def->norms = norms;
    def->cuts = cuts;
    return st == PITH_OK ? copy_str(&tok->arena, &def->pre, err) : st;
}

static pith_status copy_merges(px_tokenizer *tok, pith_error *err)
{
    px_vocab_def *def = &tok->def;
    px_merge *merges = PX_NEW(&tok->arena, px_merge, def->n_merges);
    if (!merges)
        return px_fail_memory(err, "merges");
    if (def->n_merges)
        memcpy(merges, def->merges, (size_t)def->n_merges * sizeof *merges);
    def->merges = merges;
    return PITH_OK;
}

/* ---- bytes of tokens */

/* The byte that "<0xNN>" names, or -1. */
static int named_byte(px_str text)
{
    int value = 0;
    if (text.len != 6 || memcmp(text.data, "<0x", 3) != 0 || text.data[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* U+2581 to spaces. out has room for text.len bytes. */
static size_t plain_spaces(px_str text, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        if (px_is_meta_space(text.data + i, text.len - i)) {
            out[n++] = ' ';
            i += 3;
        } else {
            out[n++] = text.data[i++];
        }
    }
    return n;
}

/* Characters of byte-level BPE to bytes; 0 when one of them stands for no byte. */
static size_t plain_bytes(px_str text, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t code;
        int bytes = px_utf8_get(text.data + i, text.len - i, &code);
        int byte = bytes ? px_char_byte(code) : -1;
        if (byte < 0)
            return 0;
        out[n++] = (char)byte;
        i += (size_t)bytes;
    }
    return n;
}

/* What a token decodes to. out has room for the bytes of its text. */
static size_t decode(const px_vocab_def *def, const px_vocab_token *token, char *out)
{
    px_str text = token->text;
    size_t n = 0;
    bool piece = px_token_is_piece(token) || token->type == PX_TOKEN_BYTE;
    switch (def->kind) {
    case PX_VOCAB_SPM:
    case PX_VOCAB_UGM:
        if (token->type == PX_TOKEN_BYTE && named_byte(text) >= 0) {
            *out = (char)named_byte(text);
            return 1;
        }
        if (piece)
            return plain_spaces(text, out);
        break;
    case PX_VOCAB_BPE:
        if (piece && token->type != PX_TOKEN_USER_DEFINED)
            n = plain_bytes(text, out);
        break;
    case PX_VOCAB_WPM:
        if (piece && px_is_meta_space(text.data, text.len)) {
            *out = ' ';
            memcpy(out + 1, text.data + 3, text.len - 3);
            return text.len - 2;
        }
        break;
    case PX_VOCAB_NONE:
        break;
    }
    if (n == 0 && text.len)
        memcpy(out, text.data, n = text.len);
    return n;
}

static pith_status make_raw(px_tokenizer *tok, pith_error *err)
{
    const px_vocab_def *def = &tok->def;
    size_t n = (size_t)def->n_tokens, most = 1;
    for (size_t i = 0; i < n; i++)
        most += def->tokens[i].text.len;
    uint32_t *at = PX_NEW(&tok->arena, uint32_t, n + 1);
    char *raw = PX_NEW(&tok->arena, char, most);
    if (!at || !raw)
        return px_fail_memory(err, "the bytes of tokens");
    if (most > UINT32_MAX)
        return px_fail(err, PITH_E_LIMIT, "the texts of the vocabulary are too long together");
    uint32_t used = 0;
    for (size_t i = 0; i < n; i++) {
        at[i] = used;
        used += (uint32_t)decode(def, &def->tokens[i], raw + used);
    }
    at[n] = used;
    tok->raw = raw;
    tok->raw_at = at;
    return PITH_OK;
}

static void find_bytes(px_tokenizer *tok)
{
    const px_vocab_def *def = &tok->def;
    for (int i = 0; i < 256; i++)
        tok->byte_id[i] = -1;
    if (def->kind == PX_VOCAB_BPE) {
        for (int i = 0; i < 256; i++) {
            char text[4];
            int n = px_utf8_put(px_byte_char((uint8_t)i), text);
            tok->byte_id[i] = px_tokmap_find(&tok->map, def->tokens, text, (size_t)n);
        }
    } else if (def->byte_fallback) {
        for (int32_t id = 0; id < def->n_tokens; id++) {
            int byte =
                def->tokens[id].type == PX_TOKEN_BYTE ? named_byte(def->tokens[id].text) : -1;
            if (byte >= 0 && tok->byte_id[byte] < 0)
                tok->byte_id[byte] = id;
        }
    }
}

/* ---- ends */

/* Control tokens by which models end a turn or a text, whatever the file's keys say. */
static const char *const end_names[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "</s>",
    "<eos>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|return|>",
    "<|call|>",
    "<end_of_utterance>",
    "<|flush|>",
    "<|calls|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<|END_OF_TURN_TOKEN|>",
};

static int32_t find_control(const px_tokenizer *tok, const char *name)
{
    int32_t id = px_tokenizer_find(tok, px_str_of(name));
    return id >= 0 && tok->def.tokens[id].type == PX_TOKEN_CONTROL ? id : -1;
}

static pith_status make_ends(px_tokenizer *tok, pith_error *err)
{
    tok->is_end = PX_ZNEW(&tok->arena, uint8_t, tok->def.n_tokens);
    if (!tok->is_end)
        return px_fail_memory(err, "a tokenizer");
    for (size_t i = 0; i < sizeof end_names / sizeof *end_names; i++) {
        int32_t id = find_control(tok, end_names[i]);
        if (id >= 0)
            tok->is_end[id] = 1;
    }
    /* Models that speak in channels end messages with <|end|> and turns with <|return|>. */
    int32_t end = find_control(tok, "<|end|>");
    if (end >= 0 && find_control(tok, "<|return|>") >= 0 && find_control(tok, "<|call|>") >= 0)
        tok->is_end[end] = 0;
    if (tok->def.eos >= 0)
        tok->is_end[tok->def.eos] = 1;
    if (tok->def.eot >= 0)
        tok->is_end[tok->def.eot] = 1;
    for (int32_t i = 0; i < tok->def.n_ends; i++)
        if (tok->def.ends[i] >= 0)
            tok->is_end[tok->def.ends[i]] = 1;
    tok->def.ends = NULL; // px_token_ends answers for them
    tok->def.n_ends = 0;
    return PITH_OK;
}

/* ---- building */

static pith_status init_kind(px_tokenizer *tok, pith_error *err)
{
    switch (tok->def.kind) {
    case PX_VOCAB_SPM:
        return px_init_spm(tok, err);
    case PX_VOCAB_UGM:
        return px_init_ugm(tok, err);
    case PX_VOCAB_BPE:
        return px_init_bpe(tok, err);
    case PX_VOCAB_WPM:
        return px_init_wpm(tok, err);
    case PX_VOCAB_NONE:
        break;
    }
    return PITH_OK;
}

static pith_status build(px_tokenizer *tok, pith_error *err)
{
    px_vocab_def *def = &tok->def;
    const px_tokmap *map = def->map;
    pith_status st = copy_tokens(tok, err);
    if (st == PITH_OK)
        st = copy_merges(tok, err);
    if (st == PITH_OK)
        st = copy_steps(tok, err);
    if (st == PITH_OK)
        st = map ? px_tokmap_copy(&tok->map, &tok->arena, map, err)
                 : px_tokmap_build(&tok->map, &tok->arena, def->tokens, def->n_tokens, err);
    if (st != PITH_OK)
        return st;
    def->map = &tok->map;
    st = make_raw(tok, err);
    if (st == PITH_OK)
        st = make_ends(tok, err);
    if (st == PITH_OK)
        st = px_normalizer_new(def->norms, def->n_norms, &tok->normal, err);
    if (st == PITH_OK)
        st = px_cutter_new(def->cuts, def->n_cuts, &tok->cutter, err);
    if (st == PITH_OK)
        st = px_init_added(tok, err);
    find_bytes(tok);
    return st == PITH_OK ? init_kind(tok, err) : st;
}

pith_status px_tokenizer_new(const px_vocab_def *def, px_tokenizer **out, pith_error *err)
{
    px_error_clear(err);
    *out = NULL;
    pith_status st = check(def, err);
    if (st != PITH_OK)
        return st;
    px_tokenizer *tok = px_calloc(1, sizeof *tok);
    if (!tok)
        return px_fail_memory(err, "a tokenizer");
    px_arena_init(&tok->arena, 0, 0);
    tok->def = *def;
    st = build(tok, err);
    if (st == PITH_OK)
        *out = tok;
    else
        px_tokenizer_free(tok);
    return st;
}

void px_tokenizer_free(px_tokenizer *tok)
{
    if (!tok)
        return;
    px_normalizer_free(tok->normal);
    px_cutter_free(tok->cutter);
    px_arena_clear(&tok->arena);
    px_free(tok);
}

/* ---- answers */

px_vocab_kind px_tokenizer_kind(const px_tokenizer *tok)
{
    return tok->def.kind;
}

const px_vocab_def *px_tokenizer_def(const px_tokenizer *tok)
{
    return &tok->def;
}

int32_t px_tokenizer_size(const px_tokenizer *tok)
{
    return tok->def.n_tokens;
}

int32_t px_tokenizer_find(const px_tokenizer *tok, px_str text)
{
    return px_tokmap_find(&tok->map, tok->def.tokens, text.data, text.len);
}

px_str px_token_bytes(const px_tokenizer *tok, int32_t id, bool special)
{
    if (id < 0 || id >= tok->def.n_tokens)
        return (px_str){0};
    uint32_t at = tok->raw_at[id], end = tok->raw_at[id + 1];
    if (!special && px_token_is_special(&tok->def.tokens[id]))
        end = at;
    return (px_str){.data = tok->raw + at, .len = end - at};
}

bool px_token_ends(const px_tokenizer *tok, int32_t id)
{
    return id >= 0 && id < tok->def.n_tokens && tok->is_end[id];
}

pith_status px_tokenizer_add_end(px_tokenizer *tok, int32_t id, pith_error *err)
{
    if (id < 0 || id >= tok->def.n_tokens)
        return px_fail(err, PITH_E_FORMAT,
                       "token %d is to end generation; the vocabulary has %d tokens", (int)id,
                       (int)tok->def.n_tokens);
    tok->is_end[id] = 1;
    return PITH_OK;
}

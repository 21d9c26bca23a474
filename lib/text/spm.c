/*
 * spm: SentencePiece BPE. The symbols are characters; the best-scored (or best-ranked) pair is
 * joined until none is left; what remains without a token becomes byte tokens. Long texts come in
 * the parts that px_each_part makes. Threads: reads the tokenizer only.
 */
#include "base/utf8.h"
#include "text/inside.h"

/* Merges of byte tokens could join any characters. */
static bool joins_all(const px_vocab_def *def)
{
    for (int32_t i = 0; i < def->n_merges; i++) {
        const px_vocab_token *left = &def->tokens[def->merges[i].left];
        const px_vocab_token *right = &def->tokens[def->merges[i].right];
        if (!px_token_is_piece(left) || !px_token_is_piece(right))
            return true;
    }
    return false;
}

pith_status px_init_spm(px_tokenizer *tok, pith_error *err)
{
    const px_vocab_def *def = &tok->def;
    tok->merges.map = &tok->map;
    tok->merges.tokens = def->tokens;
    tok->merges.max_text = tok->max_text;
    if (joins_all(def))
        memset(tok->glue, 0xff, sizeof tok->glue);
    else
        px_init_glue(tok);
    if (def->n_merges == 0)
        return PITH_OK;
    return px_merges_build(&tok->merges, &tok->arena, def->merges, def->n_merges, err);
}

/* The token of one character, or -1. */
static int32_t char_token(const px_tokenizer *tok, const char *text, size_t n)
{
    int32_t id = px_tokmap_find(&tok->map, tok->def.tokens, text, n);
    return id >= 0 && (tok->merges.list || px_token_is_piece(&tok->def.tokens[id])) ? id : -1;
}

/* With a list of merges, byte tokens are symbols like others and may be merged. */
static bool put_byte_symbols(const px_tokenizer *tok, px_symbol *symbols, const char *text,
                             uint32_t from, uint32_t to)
{
    if (!tok->merges.list || !tok->def.byte_fallback)
        return false;
    for (uint32_t i = from; i < to; i++)
        if (tok->byte_id[(uint8_t)text[i]] < 0)
            return false;
    for (uint32_t i = from; i < to; i++)
        symbols[i] =
            (px_symbol){.id = tok->byte_id[(uint8_t)text[i]], .next = i + 1, .prev = i - 1};
    return true;
}

/* Makes the symbols of text[0..n), which no merge leaves. */
static void split(const px_tokenizer *tok, px_symbol *symbols, const char *text, size_t n)
{
    uint32_t prev = 0;
    for (uint32_t at = 0; at < n;) {
        uint32_t code;
        int bytes = px_utf8_get(text + at, n - at, &code);
        uint32_t to = at + (uint32_t)(bytes ? bytes : 1);
        int32_t id = char_token(tok, text + at, to - at);
        if (id < 0 && put_byte_symbols(tok, symbols, text, at, to)) {
            symbols[at].prev = prev;
            prev = to - 1;
        } else {
            symbols[at] = (px_symbol){.id = id, .next = to, .prev = prev};
            prev = at;
        }
        at = to;
    }
}

static pith_status encode_part(px_run *run, const px_piece *part)
{
    const px_tokenizer *tok = run->tok;
    pith_status st = px_merge_room(&run->work, part->n, run->err);
    if (st != PITH_OK)
        return st;
    px_symbol *symbols = run->work.symbols;
    split(tok, symbols, part->text, part->n);
    st = px_merge_word(&run->work, &tok->merges, part->text, part->n, run->err);
    for (uint32_t i = 0; st == PITH_OK && i < part->n; i = symbols[i].next) {
        if (symbols[i].id >= 0)
            st = px_run_put(run, symbols[i].id, px_piece_end(part, symbols[i].next));
        else
            st = px_run_put_bytes(run, part, i, symbols[i].next);
    }
    return st;
}

pith_status px_encode_spm(px_run *run, const px_piece *word)
{
    return px_each_part(run, word, encode_part);
}

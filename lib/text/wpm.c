/*
 * wpm: WordPiece. A word becomes the longest piece that it begins with, then the longest that the
 * rest begins with, and so on; if that fails anywhere the whole word is unknown. Pieces that begin
 * a word are written with U+2581 before them (tokenizer.h). A word of n bytes costs at most n walks
 * of the longest piece. Threads: reads the tokenizer only.
 */
#include "base/utf8.h"
#include "text/inside.h"

pith_status px_init_wpm(px_tokenizer *tok, pith_error *err)
{
    if (tok->def.unk < 0)
        return px_fail(err, PITH_E_FORMAT, "a WordPiece vocabulary needs an unknown token");
    return px_init_pieces(tok, err);
}

static size_t n_chars(const px_piece *word)
{
    size_t n = 0;
    for (size_t i = 0; i < word->n; i++)
        n += ((uint8_t)word->text[i] & 0xc0) != 0x80;
    return n;
}

/* The longest piece at byte `at`, or -1. */
static int32_t longest(const px_tokenizer *tok, const px_piece *word, size_t at, size_t *end)
{
    uint32_t node = 0;
    int32_t id = -1;
    if (at > 0 && px_is_meta_space(word->text + at, word->n - at))
        return -1; // in the vocabulary it stands for the beginning of a word
    for (size_t i = 0; i < 3 && at == 0; i++)
        if (!(node = px_trie_step(&tok->pieces, node, (uint8_t)PX_META_SPACE[i])))
            return -1;
    for (size_t i = at; i < word->n; i++) {
        node = px_trie_step(&tok->pieces, node, (uint8_t)word->text[i]);
        if (!node)
            break;
        if (tok->pieces.nodes[node].value >= 0) {
            id = tok->pieces.nodes[node].value;
            *end = i + 1;
        }
    }
    return id;
}

pith_status px_encode_wpm(px_run *run, const px_piece *word)
{
    const px_tokenizer *tok = run->tok;
    int64_t before = run->out->n;
    int32_t most = tok->def.max_word_chars;
    bool known = most <= 0 || n_chars(word) <= (size_t)most;
    pith_status st = PITH_OK;
    for (size_t at = 0, end = 0; known && st == PITH_OK && at < word->n; at = end) {
        int32_t id = longest(tok, word, at, &end);
        known = id >= 0;
        if (known)
            st = px_run_put(run, id, px_piece_end(word, end));
    }
    if (known || st != PITH_OK)
        return st;
    run->out->n = before;
    return px_run_put(run, tok->def.unk, px_piece_end(word, word->n));
}

/*
 * parts: what SentencePiece's two kinds share. A text may be megabytes without anything that cuts
 * it into words. It is parted here where no piece of the vocabulary could join the two characters,
 * which changes nothing in the result: most of the time before a U+2581. Threads: px_each_part
 * reads the tokenizer only.
 */
#include "base/mem.h"
#include "text/inside.h"

static void add_glue(px_tokenizer *tok, px_str text)
{
    for (size_t i = 1; i < text.len; i++) {
        uint8_t before = (uint8_t)text.data[i - 1], after = (uint8_t)text.data[i];
        if ((after & 0xc0) != 0x80)
            tok->glue[before][after >> 3] |= (uint8_t)(1u << (after & 7));
    }
}

void px_init_glue(px_tokenizer *tok)
{
    for (int32_t i = 0; i < tok->def.n_tokens; i++)
        if (px_token_is_piece(&tok->def.tokens[i]))
            add_glue(tok, tok->def.tokens[i].text);
}

static inline bool glued(const px_tokenizer *tok, uint8_t before, uint8_t after)
{
    return (after & 0xc0) == 0x80 || (tok->glue[before][after >> 3] >> (after & 7) & 1);
}

pith_status px_each_part(px_run *run, const px_piece *word, px_part_fn part)
{
    const uint8_t *text = (const uint8_t *)word->text;
    size_t start = 0;
    pith_status st = PITH_OK;
    for (size_t i = 1; i <= word->n && st == PITH_OK; i++) {
        if (i < word->n && glued(run->tok, text[i - 1], text[i]))
            continue;
        px_piece piece = px_piece_part(word, start, i);
        st = part(run, &piece);
        start = i;
    }
    return st;
}

pith_status px_init_pieces(px_tokenizer *tok, pith_error *err)
{
    const px_vocab_def *def = &tok->def;
    px_trie_entry *entries = px_malloc((size_t)def->n_tokens, sizeof *entries);
    if (!entries)
        return px_fail_memory(err, "the pieces of a vocabulary");
    size_t n = 0;
    for (int32_t id = 0; id < def->n_tokens; id++)
        if (px_token_is_piece(&def->tokens[id]))
            entries[n++] = (px_trie_entry){.text = def->tokens[id].text, .value = id};
    pith_status st = px_trie_build(&tok->pieces, &tok->arena, entries, n, err);
    px_free(entries);
    return st;
}

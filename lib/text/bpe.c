/*
 * bpe: byte-level BPE (GPT-2's). The symbols are bytes; the vocabulary writes each as a printable
 * character: 33-126, 161-172 and 174-255 stand for themselves, the other 68 in order for 256 and
 * on. Words are short as the cuts go, so no more care is taken than merge.h takes. Threads: reads
 * the tokenizer only.
 */
#include "base/utf8.h"
#include "text/inside.h"

static bool prints(uint32_t b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
}

uint32_t px_byte_char(uint8_t byte)
{
    if (prints(byte))
        return byte;
    if (byte <= 32)
        return 256u + byte;
    return byte <= 160 ? 256u + 33 + (byte - 127u) : 256 + 67;
}

int px_char_byte(uint32_t code)
{
    if (code < 256)
        return prints(code) ? (int)code : -1;
    code -= 256;
    if (code <= 32)
        return (int)code;
    if (code <= 66)
        return (int)(code - 33 + 127);
    return code == 67 ? 173 : -1;
}

pith_status px_init_bpe(px_tokenizer *tok, pith_error *err)
{
    for (int i = 0; i < 256; i++) {
        uint32_t code = px_byte_char((uint8_t)i);
        int n = px_utf8_put(code, tok->byte_text[i]);
        tok->byte_text_len[i] = (uint8_t)n;
    }
    return px_merges_build(&tok->merges, &tok->arena, tok->def.merges, tok->def.n_merges, err);
}

/* The token that is this whole word, or -1. */
static int32_t whole_word(px_run *run, const px_piece *word)
{
    const px_tokenizer *tok = run->tok;
    if (word->n > tok->max_text)
        return -1;
    px_buf_reset(&run->mapped);
    char *at = px_buf_room(&run->mapped, word->n * 2), *start = at;
    if (!at)
        return -1;
    for (size_t i = 0; i < word->n; i++) {
        uint8_t byte = (uint8_t)word->text[i];
        memcpy(at, tok->byte_text[byte], 2);
        at += tok->byte_text_len[byte];
    }
    return px_tokmap_find(&tok->map, tok->def.tokens, start, (size_t)(at - start));
}

pith_status px_encode_bpe(px_run *run, const px_piece *word)
{
    const px_tokenizer *tok = run->tok;
    if (tok->def.ignore_merges) {
        int32_t id = whole_word(run, word);
        if (id >= 0)
            return px_run_put(run, id, px_piece_end(word, word->n));
        pith_status failed = px_buf_status(&run->mapped, "a word", run->err);
        if (failed != PITH_OK)
            return failed;
    }
    pith_status st = px_merge_room(&run->work, word->n, run->err);
    if (st != PITH_OK)
        return st;
    px_symbol *symbols = run->work.symbols;
    for (uint32_t i = 0; i < word->n; i++)
        symbols[i] =
            (px_symbol){.id = tok->byte_id[(uint8_t)word->text[i]], .next = i + 1, .prev = i - 1};
    st = px_merge_word(&run->work, &tok->merges, word->text, word->n, run->err);
    for (uint32_t i = 0; st == PITH_OK && i < word->n; i = symbols[i].next) {
        if (symbols[i].id >= 0)
            st = px_run_put(run, symbols[i].id, px_piece_end(word, symbols[i].next));
        else
            st = px_run_put_bytes(run, word, i, symbols[i].next);
    }
    return st;
}

/*
 * grammars: what the targets of grammars share: a grammar of hostile text, and a hostile text's
 * place in it, with the masks on the way.
 *
 * Checked: statuses agree with errors; a text's prefix is never longer than the text; a token that
 * a mask allows is taken, and one that is refused is not (for tokens of one byte).
 */
#ifndef PITH_FUZZ_GRAMMARS_H
#define PITH_FUZZ_GRAMMARS_H

#include "fuzz.h"

#include "text/grammar.h"

#include <string.h>

enum { FUZZ_BYTES = 256, FUZZ_VOCAB = 300 };

/* A vocabulary of all bytes alone (tokens 3 to 258), some texts, a special token and an end. */
static inline px_tokenizer *fuzz_tokenizer(void)
{
    static const char *const WORDS[] = {
        "ab",       "the",          "\": ", "\", \"", "{\"", "}",    "]}", "\"}", "1,",   "\n ",
        "\xc3\xa4", "aaaaaaaaaaaa", "</",   "a\"",    "\\u", "\\\"", "00", "-1",  "true", "null"};
    static char bytes[FUZZ_BYTES][8];
    px_vocab_token tokens[FUZZ_VOCAB];
    memset(tokens, 0, sizeof tokens);
    px_vocab_def def = px_vocab_def_none();
    int32_t n = 0;
    tokens[n++] = (px_vocab_token){.text = px_str_of("<unk>"), .type = PX_TOKEN_UNKNOWN};
    tokens[n++] = (px_vocab_token){.text = px_str_of("<s>"), .type = PX_TOKEN_CONTROL};
    tokens[n++] = (px_vocab_token){.text = px_str_of("</s>"), .type = PX_TOKEN_CONTROL};
    for (int i = 0; i < FUZZ_BYTES; i++) {
        static const char HEX[] = "0123456789ABCDEF";
        memcpy(bytes[i], "<0x00>", 7);
        bytes[i][3] = HEX[i / 16];
        bytes[i][4] = HEX[i % 16];
        tokens[n++] = (px_vocab_token){.text = px_str_of(bytes[i]), .type = PX_TOKEN_BYTE};
    }
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        tokens[n++] = (px_vocab_token){.text = px_str_of(WORDS[i]), .type = PX_TOKEN_NORMAL};
    def.kind = PX_VOCAB_SPM;
    def.tokens = tokens;
    def.n_tokens = n;
    def.unk = 0;
    def.bos = 1;
    def.eos = 2;
    def.byte_fallback = true;
    px_tokenizer *tok = NULL;
    pith_error err = {0};
    FUZZ_CHECK(px_tokenizer_new(&def, &tok, &err) == PITH_OK);
    return tok;
}

/* Follows the text byte by byte as tokens, held against the masks, as far as it is of the grammar.
 */
static inline void fuzz_follow(const px_grammar *g, px_str text)
{
    px_gmatch m;
    pith_error err = {0};
    size_t n = 0;
    FUZZ_CHECK(px_gmatch_init(&m, g, true, &err) == PITH_OK);
    pith_status st = px_gmatch_bytes(&m, text, &n, &err);
    FUZZ_CHECK(st == err.status && (st == PITH_OK || st == PITH_E_LIMIT) && n <= text.len);
    px_gmatch_clear(&m);
    err = (pith_error){0};
    FUZZ_CHECK(px_gmatch_init(&m, g, false, &err) == PITH_OK);
    for (size_t i = 0; i < text.len && i < 64 && !px_gmatch_over(&m); i++) {
        const uint64_t *bits;
        bool taken;
        int32_t id = 3 + (uint8_t)text.data[i];
        st = px_gmatch_mask(&m, &bits, &err);
        FUZZ_CHECK(st == err.status && (st == PITH_OK || st == PITH_E_LIMIT));
        if (st != PITH_OK)
            break;
        bool allowed = bits[id / 64] >> (id % 64) & 1;
        FUZZ_CHECK(!px_gmatch_whole(&m) || (bits[0] >> 2 & 1)); // the end may come
        st = px_gmatch_token(&m, id, &taken, &err);
        FUZZ_CHECK(st == PITH_E_LIMIT || (st == PITH_OK && taken == allowed));
        if (st != PITH_OK || !taken)
            break;
    }
    px_gmatch_clear(&m);
}

/* The input: a grammar, a zero byte, a text. */
static inline void fuzz_grammar(px_grammar_kind kind, const uint8_t *data, size_t size)
{
    static px_tokenizer *tok; // kept between runs: the fuzzer runs in one thread
    static px_gvocab *vocab;
    pith_error err = {0};
    if (!tok) {
        tok = fuzz_tokenizer();
        FUZZ_CHECK(px_gvocab_new(tok, &vocab, &err) == PITH_OK);
    }
    const char *zero = size ? memchr(data, 0, size) : NULL;
    px_str source = {(const char *)data, zero ? (size_t)(zero - (const char *)data) : size};
    px_str text = {zero ? zero + 1 : "{\"a\": [1, true]}", zero ? size - source.len - 1 : 16};
    px_grammar *g = NULL;
    pith_status st = px_grammar_new(vocab, kind, "fuzz", source, &g, &err);
    FUZZ_CHECK(st == err.status && (st == PITH_OK) == (g != NULL) && st != PITH_E_INTERNAL);
    if (g)
        fuzz_follow(g, text);
    px_grammar_free(g);
}

#endif

/*
 * inside: what a tokenizer is made of, for the files of this room that build one and encode with
 * it. A px_tokenizer is immutable once built, but for px_tokenizer_add_end. A px_run is one call of
 * px_tokenize, with its scratch memory, on one thread.
 *
 * The way of a text (tokenize.c): added tokens are taken out; each stretch between them is parted
 * into valid UTF-8 and stray bytes; valid text is normalised (normalize.h), cut into words (cut.h)
 * and each word is encoded by the kind's encoder (spm.c, ugm.c, bpe.c, wpm.c).
 */
#ifndef PX_TEXT_INSIDE_H
#define PX_TEXT_INSIDE_H

#include "text/cut.h"
#include "text/merge.h"
#include "text/normalize.h"
#include "text/piece.h"
#include "text/tokenizer.h"
#include "text/tokmap.h"
#include "text/trie.h"

struct px_tokenizer {
    px_vocab_def def; // its arrays lie in the arena
    px_arena arena;
    px_tokmap map;
    const char *raw;        // what tokens decode to, one after the other
    const uint32_t *raw_at; // [n_tokens + 1] where each begins in raw
    uint8_t *is_end;        // [n_tokens] generation ends here
    int32_t byte_id[256];   // the token of one byte (SPM, UGM: <0xNN>; BPE: its character), or -1
    size_t max_text;        // bytes of the longest token text
    px_trie added;          // looked for in the text as it is
    px_trie added_normal;   // looked for in the normalised text (PX_ADDED_NORMALIZED)
    px_merges merges;
    px_trie pieces;         // UGM, WPM: all tokens that text may become
    double unknown_score;   // UGM
    uint8_t glue[256][32];  // SPM, UGM: bit b of row a: a piece joins a character that ends in byte
                            // a to one that begins with byte b
    char byte_text[256][4]; // BPE: how the vocabulary writes a byte, UTF-8
    uint8_t byte_text_len[256];
    px_normalizer *normal; // NULL: nothing to do
    px_cutter *cutter;     // NULL: a stretch is one word
};

typedef struct px_run {
    const px_tokenizer *tok;
    px_ids *out;
    pith_error *err;
    bool special;           // control tokens in the text are read as such,
    const uint32_t *guards; // but not across these bytes of the original, which rise
    size_t n_guards;
    px_merge_work work;
    px_regex_work cut;
    px_norm_work norm;
    px_norm_text spaced;
    px_buf mapped; // BPE: a word as the vocabulary writes it
    void *path;    // UGM: best paths, grown
    size_t path_cap;
    bool last_unk; // the last id put is an unknown that the next one fuses with
} px_run;

/* Encoders of one word, which is valid UTF-8 and not empty. */
pith_status px_encode_spm(px_run *run, const px_piece *word);
pith_status px_encode_ugm(px_run *run, const px_piece *word);
pith_status px_encode_bpe(px_run *run, const px_piece *word);
pith_status px_encode_wpm(px_run *run, const px_piece *word);

/* Preparations of each kind, while a tokenizer is built. */
pith_status px_init_spm(px_tokenizer *tok, pith_error *err);
pith_status px_init_ugm(px_tokenizer *tok, pith_error *err);
pith_status px_init_bpe(px_tokenizer *tok, pith_error *err);
pith_status px_init_wpm(px_tokenizer *tok, pith_error *err);

/* Fills tok->pieces with all that text may become. */
pith_status px_init_pieces(px_tokenizer *tok, pith_error *err);

/* Fills tok->glue. */
void px_init_glue(px_tokenizer *tok);

/* Gives a text in parts that no piece of the vocabulary crosses. */
typedef pith_status (*px_part_fn)(px_run *run, const px_piece *part);
pith_status px_each_part(px_run *run, const px_piece *word, px_part_fn part);

/* Appends an id that ends where byte `end` of the original text ends. */
pith_status px_run_put(px_run *run, int32_t id, uint32_t end);

/* Appends n bytes that no token holds: their byte tokens, or the unknown token. ends as in a piece.
 */
pith_status px_run_put_bytes(px_run *run, const px_piece *piece, size_t from, size_t to);

/* What a piece begins: nothing (stray bytes stand before it), a stretch between added tokens, or
 * the text. */
typedef enum px_begins { PX_BEGINS_NOTHING, PX_BEGINS_STRETCH, PX_BEGINS_TEXT } px_begins;

/* Puts the space before a text and, for SentencePiece, U+2581 in place of spaces. The result lies
 * in run->spaced, or is `in` itself. out may be in. */
pith_status px_write_spaces(px_run *run, const px_piece *in, px_begins begins, px_piece *out);

/* An added token in a text, with the white space that it takes along. */
typedef struct px_added_match {
    size_t start, end;
    int32_t id;
} px_added_match;

/* The first added token of the trie in the text, at or after byte `from`, where the last one ended;
 * false, and *match untouched, when there is none. Control tokens count as the run says. */
bool px_added_next(const px_run *run, const px_trie *trie, const px_piece *text, size_t from,
                   px_added_match *match);

/* Fills tok->added and, with run's tokenizer being tok, tok->added_normal. */
pith_status px_init_added(px_tokenizer *tok, pith_error *err);

/* The character that byte-level BPE writes for a byte, and back (-1: none). */
uint32_t px_byte_char(uint8_t byte);
int px_char_byte(uint32_t code);

/* Whether text may become this token: normal, user-defined and unused ones, as SentencePiece says.
 */
static inline bool px_token_is_piece(const px_vocab_token *token)
{
    return token->type <= PX_TOKEN_NORMAL || token->type == PX_TOKEN_USER_DEFINED ||
           token->type == PX_TOKEN_UNUSED;
}

/* Whether the token is matched in text before all else (special ones only on request). */
static inline bool px_token_is_special(const px_vocab_token *token)
{
    return token->type == PX_TOKEN_CONTROL || token->type == PX_TOKEN_UNKNOWN;
}

#endif

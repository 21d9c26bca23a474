/*
 * tokenizer: text to token ids and back, as the model's own files say.
 *
 * One immutable object for all kinds: SentencePiece BPE ("llama" in GGUF), SentencePiece Unigram
 * ("t5"), byte-level BPE ("gpt2") and WordPiece ("bert"). It is built from a px_vocab_def, which
 * the loaders fill: tokenizer.json and tokenizer.model (vocab_json, vocab_spm in this room) and the
 * tokenizer.ggml.* keys of GGUF (model/vocab). Threads may share a tokenizer; each call brings its
 * own output.
 */
#ifndef PX_TEXT_TOKENIZER_H
#define PX_TEXT_TOKENIZER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

#include <stdint.h>

typedef enum px_vocab_kind {
    PX_VOCAB_NONE, // no tokenizer: ids only
    PX_VOCAB_SPM,  // SentencePiece BPE: merges by score, byte fallback
    PX_VOCAB_UGM,  // SentencePiece Unigram: best path by score
    PX_VOCAB_BPE,  // byte-level BPE: ranked merges inside words cut by a regex
    PX_VOCAB_WPM   // WordPiece: longest match first
} px_vocab_kind;

/* Values of tokenizer.ggml.token_type. */
typedef enum px_token_type {
    PX_TOKEN_UNDEFINED = 0,
    PX_TOKEN_NORMAL = 1,
    PX_TOKEN_UNKNOWN = 2,
    PX_TOKEN_CONTROL = 3,      // special: written only by the model or on request
    PX_TOKEN_USER_DEFINED = 4, // added, matched in plain text too
    PX_TOKEN_UNUSED = 5,
    PX_TOKEN_BYTE = 6
} px_token_type;

/* How an added token meets the text around it (tokenizer.json's added_tokens). */
enum {
    PX_ADDED_LSTRIP = 1,
    PX_ADDED_RSTRIP = 2,
    PX_ADDED_SINGLE_WORD = 4,
    PX_ADDED_NORMALIZED = 8
};

typedef struct px_vocab_token {
    px_str text;   // as in the file: "\u2581the" for SPM, byte-mapped for BPE; for WPM as GGUF has
                   // it, U+2581 before what begins a word and nothing before what continues one.
                   // Empty for an id that the file leaves out.
    float score;   // SPM, UGM; otherwise 0
    uint8_t type;  // px_token_type
    uint8_t added; // PX_ADDED_* flags; CONTROL, UNKNOWN and USER_DEFINED tokens are the added ones
} px_vocab_token;

/* Two tokens that become one. */
typedef struct px_merge {
    int32_t left, right, result;
} px_merge;

/* The space that goes before a text, or before each stretch of it between added tokens. */
typedef enum px_space_prefix {
    PX_PREFIX_NONE,
    PX_PREFIX_ALWAYS,  // each stretch, even where it begins with a space
    PX_PREFIX_MISSING, // each stretch that does not begin with a space
    PX_PREFIX_FIRST    // as MISSING, only at the very beginning
} px_space_prefix;

enum {
    PX_BERT_LOWERCASE = 1,
    PX_BERT_STRIP_ACCENTS = 2,
    PX_BERT_CJK = 4,  // spaces around Chinese characters
    PX_BERT_CLEAN = 8 // control characters go, white space becomes a space
};

/* One step of normalising, in order (tokenizer.json's normalizer; GGUF's precompiled charsmap and
 * flags). */
typedef enum px_norm_op {
    PX_NORM_NFC,
    PX_NORM_NFD,
    PX_NORM_NFKC,
    PX_NORM_NFKD,
    PX_NORM_LOWERCASE,
    PX_NORM_STRIP_ACCENTS,
    PX_NORM_BERT,     // `flag` bits: PX_BERT_*
    PX_NORM_REPLACE,  // `a` (literal, or regex when flag is 1) by `b`
    PX_NORM_PREPEND,  // `a`
    PX_NORM_STRIP,    // white space; flag bits: 1 left, 2 right
    PX_NORM_CHARSMAP, // `a`: SentencePiece's precompiled map
    PX_NORM_SQUEEZE   // runs of spaces (U+0020) to one, none at the ends (remove_extra_whitespaces)
} px_norm_op;

typedef struct px_norm_step {
    px_norm_op op;
    int32_t flag;
    px_str a, b;
} px_norm_step;

/* One step of cutting text into words. The words of a step are cut further by the next. Cuts never
 * change the text. */
typedef enum px_cut_op {
    PX_CUT_REGEX,       // `pattern`, a regular expression as tokenizer.json has them (Oniguruma)
    PX_CUT_LITERAL,     // `pattern`, as it stands
    PX_CUT_DIGITS,      // numeric characters; flag 1: each alone, else runs of them. ISOLATED
    PX_CUT_PUNCTUATION, // each punctuation character (ASCII's and category P)
    PX_CUT_BERT,        // white space REMOVED, punctuation ISOLATED
    PX_CUT_SPACE,       // runs of white space REMOVED
    PX_CUT_WHITESPACE,  // \w+|[^\w\s]+ are the words, the rest is REMOVED
    PX_CUT_METASPACE    // before each U+2581 (which spaces have become)
} px_cut_op;
typedef enum px_cut_behavior { // what becomes of matches
    PX_CUT_ISOLATED,           // matches and the gaps between them are words
    PX_CUT_REMOVED,
    PX_CUT_MERGED_PREVIOUS,
    PX_CUT_MERGED_NEXT,
    PX_CUT_CONTIGUOUS // as ISOLATED, but matches that touch are one word
} px_cut_behavior;

typedef struct px_cut_step {
    px_cut_op op;
    px_cut_behavior behavior; // REGEX, LITERAL, PUNCTUATION
    int32_t flag;
    bool invert; // REGEX, LITERAL: the gaps are the matches
    px_str pattern;
} px_cut_step;

/* Everything that makes a tokenizer. Start from px_vocab_def_none, fill, hand to px_tokenizer_new,
 * which copies what it keeps. SPM and UGM turn spaces into U+2581 after the norms. */
typedef struct px_vocab_def {
    px_vocab_kind kind;
    px_str pre; // GGUF pre-tokenizer name ("llama-bpe", "qwen2"); empty when only `cuts` say it
    const px_vocab_token *tokens;
    int32_t n_tokens;
    const struct px_tokmap *map; // finds tokens by text (text/tokmap.h), or NULL: made anew
    const px_merge *merges;      // best first. BPE; or SPM, where they replace the scores
    int32_t n_merges;
    const px_norm_step *norms;
    int32_t n_norms;
    const px_cut_step *cuts;
    int32_t n_cuts;
    int32_t bos, eos, unk, sep, pad, cls, mask; // -1: none
    int32_t eot;                                // end of turn, -1: none
    const int32_t *ends; // further ids that end generation (generation_config.json)
    int32_t n_ends;
    bool add_bos, add_eos; // PX_TOK_BOS_EOS puts bos (WPM: cls) before and eos (WPM: sep) after
    px_space_prefix space_prefix;
    bool drop_space;        // decoding drops the first space of a text
    bool byte_fallback;     // SPM, UGM: characters that the vocabulary lacks become <0xNN> tokens
    bool ignore_merges;     // BPE: a word that is a token stays whole
    bool fuse_unk;          // unknown characters that touch are one unknown token
    int32_t max_word_chars; // WPM: longer words are unknown; 0: no limit
} px_vocab_def;

/* An empty definition: no tokens, every special id -1. */
px_vocab_def px_vocab_def_none(void);

typedef struct px_tokenizer px_tokenizer;

/* Checks def (ids in range, merges and scores that make sense, patterns that compile) and builds.
 */
pith_status px_tokenizer_new(const px_vocab_def *def, px_tokenizer **out, pith_error *err);
void px_tokenizer_free(px_tokenizer *tok);

/* Fills def from a Hugging Face folder's tokenizer.json (else tokenizer.model),
 * tokenizer_config.json, special_tokens_map.json and generation_config.json; memory from the arena.
 * A bad file is FORMAT, naming file, line and what is wrong. */
pith_status px_vocab_load_folder(const char *folder, px_arena *arena, px_vocab_def *def,
                                 pith_error *err);

/* The chat template of a folder: chat_template.jinja, else chat_template of tokenizer_config.json
 * (`variant` names one of several, NULL is the default); data NULL when there is none. */
pith_status px_folder_template(const char *folder, const char *variant, px_arena *arena,
                               px_str *out, pith_error *err);

/* Sets norms, cuts, ignore_merges and add_bos to what a GGUF pre-tokenizer name stands for; false
 * for a name that pith does not know. */
bool px_pretok_by_name(px_str name, px_vocab_def *def);
/* The GGUF name of def's norms and cuts, or NULL when they are none that other programs know. */
const char *px_pretok_name(const px_vocab_def *def);

/* A growing list of ids and, when wanted, where in the text each came from. */
typedef struct px_ids {
    int32_t *ids;
    uint32_t *ends; // byte of the text at which each token ends (bos: 0), or NULL unless want_ends;
                    // never decreasing
    int64_t n, cap;
    bool want_ends;
} px_ids;
void px_ids_clear(px_ids *ids);
bool px_ids_put(px_ids *ids, int32_t id, uint32_t end);

enum {
    PX_TOK_BOS_EOS = 1, // add what the model's files say goes around a text
    PX_TOK_SPECIAL =
        2 // control tokens written in the text are read as such; otherwise they are plain text
};

/* Appends the ids of text. Invalid UTF-8 is encoded byte by byte where the vocabulary has bytes,
 * else as unknown. */
pith_status px_tokenize(const px_tokenizer *tok, const char *text, size_t len, int flags,
                        px_ids *out, pith_error *err);

/* As px_tokenize, but a control token is plain text where one of these bytes of the text, which
 * rise, stands inside it: between its first byte and its last, not before the first. So what a user
 * wrote is kept apart from what a template wrote. out->want_ends must be set. */
pith_status px_tokenize_guarded(const px_tokenizer *tok, const char *text, size_t len, int flags,
                                const uint32_t *guards, size_t n_guards, px_ids *out,
                                pith_error *err);

/* Token id to bytes, as they appear in the middle of a text ("\u2581the" gives " the"). Control
 * tokens give nothing unless `special`. Lends; NULL and 0 for an id out of range. */
px_str px_token_bytes(const px_tokenizer *tok, int32_t id, bool special);

/* Decoding as a stream. Holds back bytes that begin a character until it is complete; bytes that
 * cannot become one come out as U+FFFD, one for each longest beginning of a character (as Unicode
 * advises), so that the output is valid UTF-8 always. Zero-initialise. */
typedef struct px_detok {
    char pending[8];
    int n_pending;
    bool started;    // the space that SPM puts before a text has been dropped
    bool special;    // print control tokens
    bool keep_space; // set by the caller when the ids continue a text: the first space is content
} px_detok;
/* Appends what can be said after this id. */
pith_status px_detok_push(const px_tokenizer *tok, px_detok *d, int32_t id, px_buf *out,
                          pith_error *err);
/* Appends U+FFFD for an unfinished character, if any. */
pith_status px_detok_flush(px_detok *d, px_buf *out, pith_error *err);

/* What a tokenizer is, for inspection and for writers of GGUF. */
px_vocab_kind px_tokenizer_kind(const px_tokenizer *tok);
const px_vocab_def *px_tokenizer_def(const px_tokenizer *tok); // lent; all of it, as kept
int32_t px_tokenizer_size(const px_tokenizer *tok);
/* The id whose text (as in the file) is exactly this, or -1. */
int32_t px_tokenizer_find(const px_tokenizer *tok, px_str text);
/* Whether generation ends at this token: eos, end of turn and whatever else the files name. */
bool px_token_ends(const px_tokenizer *tok, int32_t id);
/* More ids that end generation (generation_config.json's eos_token_id list). Before sharing between
 * threads only. */
pith_status px_tokenizer_add_end(px_tokenizer *tok, int32_t id, pith_error *err);

#endif

/*
 * loader: a folder's tokenizer files on their way to a px_vocab_def. vocab_json.c reads
 * tokenizer.json, vocab_steps.c understands its components, vocab_spm.c reads tokenizer.model and
 * vocab_folder.c the settings around them.
 *
 * Everything lies in the caller's arena; its limit bounds what a hostile file can cost.
 */
#ifndef PX_TEXT_LOADER_H
#define PX_TEXT_LOADER_H

#include "text/jtree.h"
#include "text/tokmap.h"

#define PX_MAX_STEPS 32 // of a normalizer or a pre-tokenizer

/* An entry of added_tokens, before it has its place among the tokens. */
typedef struct px_added_entry {
    struct px_added_entry *next;
    px_str text;
    int64_t line;
    int32_t id;
    uint8_t flags; // PX_ADDED_*
    bool special;
} px_added_entry;

typedef struct px_loader {
    px_arena *arena;
    px_vocab_def *def;
    const char *file; // stands in messages: "tokenizer.json"
    /* tokens, growing; placed by id */
    px_vocab_token *tokens;
    int32_t n_tokens, cap_tokens;
    int32_t n_given; // ids that the file gives
    char *text;      // room for texts
    size_t text_left;
    /* tokenizer.json */
    px_added_entry *added, **last_added;
    int64_t vocab_line;
    px_merge *merges;
    int32_t n_merges, cap_merges;
    px_tokmap map; // of the vocabulary proper, while merges are read
    px_str model;  // "BPE", "Unigram", "WordPiece"
    px_str unk_text, prefix;
    const px_jnode *normalizer, *pre_tokenizer, *post_processor, *decoder;
    bool merges_first; // they came before the vocabulary
    bool byte_level;   // a ByteLevel component is there
    bool meta_space;   // spaces become U+2581
    px_norm_step norms[PX_MAX_STEPS];
    px_cut_step cuts[PX_MAX_STEPS];
    int32_t before, after; // ids that the post-processor puts around a text, or -1
} px_loader;

/* Copies a text for as long as the arena lives. */
pith_status px_loader_text(px_loader *l, const char *text, size_t n, px_str *out, pith_error *err);

/* Puts a token in its place. `where` fails with a line (or entry) before the sentence. */
typedef pith_status (*px_loader_where)(void *where, pith_error *err, pith_status status,
                                       const char *sentence);
pith_status px_loader_token(px_loader *l, int64_t id, px_vocab_token token, px_loader_where fail,
                            void *where, pith_error *err);

/* tokenizer.json and tokenizer.model: fill def's vocabulary, steps and flags, and l->before, after.
 */
pith_status px_load_json(px_loader *l, const char *path, pith_error *err);
pith_status px_load_spm(px_loader *l, const char *path, pith_error *err);

/* The components of tokenizer.json, once the vocabulary is there. */
pith_status px_load_steps(px_loader *l, pith_error *err);

#endif

/*
 * tokmap: finds a token's id by its text. Open addressing, at most half full, eight bytes a slot.
 *
 * The map does not hold the texts: every call brings the array of tokens that it was built over, or
 * a copy of it. Immutable once built. A file that was made to let texts collide is refused while
 * building, so that a look-up is short always.
 */
#ifndef PX_TEXT_TOKMAP_H
#define PX_TEXT_TOKMAP_H

#include "text/tokenizer.h"

typedef struct px_tokmap_slot {
    uint32_t hash;
    int32_t id; // -1: free
} px_tokmap_slot;

typedef struct px_tokmap {
    px_tokmap_slot *slots; // [mask + 1], in the arena that build was given
    uint32_t mask;
} px_tokmap;

/* 64 well-mixed bits of n bytes. Not meant to resist an attacker: users of it bound their probes.
 */
uint64_t px_text_hash(const char *text, size_t n);

/* Finds room in an index of n slots of load at most one half; more steps than this mean that the
 * hashes were made to collide. */
#define PX_MAX_PROBES 1024

/* Indexes the tokens with a text. Two tokens of one text are FORMAT. */
pith_status px_tokmap_build(px_tokmap *map, px_arena *arena, const px_vocab_token *tokens,
                            int32_t n_tokens, pith_error *err);

/* Copies the map into another arena. */
pith_status px_tokmap_copy(px_tokmap *to, px_arena *arena, const px_tokmap *from, pith_error *err);

/* The id of the token whose text is exactly these bytes, or -1. */
int32_t px_tokmap_find(const px_tokmap *map, const px_vocab_token *tokens, const char *text,
                       size_t n);

/* The two texts of a merge. */
typedef struct px_merge_text {
    px_str left, right;
} px_merge_text;

#define PX_MERGE_BATCH 64

/* Resolves n merges (at most PX_MERGE_BATCH) at once, since looking up hundreds of thousands of
 * texts one after the other means waiting for memory each time. *last is the result of the merge
 * before them (-1: none), and of the last of them afterwards: lists often go up the vocabulary.
 * FORMAT, naming the text, when one of the two or their concatenation is no token; *failed is which
 * merge then. */
pith_status px_tokmap_merges(const px_tokmap *map, const px_vocab_token *tokens, int32_t n_tokens,
                             const px_merge_text *texts, int n, int32_t *last, px_merge *out,
                             int *failed, pith_error *err);

#endif

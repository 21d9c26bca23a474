/*
 * merge: joins neighbouring symbols of a word, best pair first, leftmost first among equals, until
 * no pair is left. What a pair is worth is said by a list of merges (BPE: their rank) or by the
 * score of the token that the two texts make (SentencePiece BPE).
 *
 * Short words are searched through again for each merge; long ones use a heap of candidates, so n
 * bytes cost O(n log n) and about 32 n bytes of memory. An entry of the heap that no longer fits
 * the symbols is passed over: each symbol holds its current candidate.
 */
#ifndef PX_TEXT_MERGE_H
#define PX_TEXT_MERGE_H

#include "text/tokmap.h"

typedef struct px_pair_slot {
    uint32_t hash;
    int32_t merge; // -1: free
} px_pair_slot;

typedef struct px_merges {
    const px_merge *list; // best first; NULL: by score
    px_pair_slot *slots;  // finds a pair in the list
    uint32_t mask;
    const px_tokmap *map; // by score: finds the joined text
    const px_vocab_token *tokens;
    size_t max_text;
} px_merges;

/* Indexes merges (lent) for look-up by pair; of equal pairs the first counts. */
pith_status px_merges_build(px_merges *merges, px_arena *arena, const px_merge *list, int32_t n,
                            pith_error *err);

/* A symbol stands at the index of its first byte; those between are not used. */
typedef struct px_symbol {
    int32_t id;    // token, or -1: text that is none
    uint32_t next; // the next symbol; the bytes of the word at the end
    uint32_t prev; // the one before; of the first: not used
    int32_t joint; // what it makes with the next: index in the list, or token; -1: nothing
} px_symbol;

typedef struct px_merge_work {
    px_symbol *symbols;
    size_t cap;
    uint64_t *heap;
    size_t heap_n, heap_cap;
} px_merge_work;

/* Room for the symbols of n bytes. */
pith_status px_merge_room(px_merge_work *work, size_t n, pith_error *err);
void px_merge_work_clear(px_merge_work *work);

/* Merges the chain of symbols that begins at 0 and ends at n; text is the word's. */
pith_status px_merge_word(px_merge_work *work, const px_merges *merges, const char *text, size_t n,
                          pith_error *err);

#endif

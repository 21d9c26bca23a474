/*
 * cache: the cache of computed prefixes: pages of keys and values that any session of the engine
 * may share or leave behind, as a tree.
 *
 *   (adapters) -- page: tokens 0..63 -- page: 64..127 -- page: 128..191
 *                                   \-- page: 64..127 -- tail: 128..150
 *
 * A node is one page of the pool and has its number. A whole page is found by a hash of all that
 * comes before it and of its own tokens, and only counts when its parent is the node that was found
 * for the page before and its 64 tokens are the same: so all tokens from the start are compared,
 * and the key of the session's adapters with the first. A tail, what was left over in a last page,
 * has no children. The part of a page that agrees is used by copying it.
 *
 * Nodes stand in the order of their last use, a parent always later than its children; when the
 * pool is full, or idle pages are more than allowed, the leaf that was not used for longest goes.
 * With a folder (disk.h), whole pages are written there before they go, and looked for there.
 *
 * After px_cache_new nothing is taken from the heap. Engine's thread.
 */
#ifndef PX_ENGINE_CACHE_H
#define PX_ENGINE_CACHE_H

#include "engine/disk.h"
#include "model/kv.h"

typedef struct px_cache px_cache;

typedef struct px_cache_info {
    int64_t n_pages;    // nodes
    int64_t n_tokens;   // in them
    uint64_t n_hits;    // tokens that sessions were spared
    uint64_t n_evicted; // pages
} px_cache_info;

/* Becomes the pool's keeper. Of its pages at most most_idle stay that no session uses. */
pith_status px_cache_new(px_kv_pool *pool, int64_t most_idle, px_cache **out, pith_error *err);
/* Before the pool is freed; what is in it is saved. NULL is fine. */
void px_cache_free(px_cache *p);

/* Has pages kept on disk, which becomes the cache's own; sequences have at most so many tokens.
 * Errors: MEMORY; the disk is then still the caller's. */
pith_status px_cache_set_disk(px_cache *p, px_disk *disk, int64_t most_tokens, pith_error *err);
const px_disk *px_cache_disk(const px_cache *p);

/* Writes all whole pages that are not there yet, as far as they may fit. */
void px_cache_save(px_cache *p);

/* Puts the whole pages of a sequence, which holds these tokens, into the tree. */
void px_cache_note(px_cache *p, uint64_t adapter_key, const int32_t *tokens, const px_kv_seq *seq);

/* The same, and the last page too if it is not full: the sequence is about to lose it. */
void px_cache_leave(px_cache *p, uint64_t adapter_key, const int32_t *tokens, const px_kv_seq *seq);

/* Makes the sequence, which holds a prefix of the tokens, longer by what the tree knows, up to
 * `most` tokens in all. */
void px_cache_extend(px_cache *p, uint64_t adapter_key, const int32_t *tokens, int64_t most,
                     px_kv_seq *seq);

/* Lets go of idle pages beyond those allowed. */
void px_cache_trim(px_cache *p);

/* Lets go of all pages. */
void px_cache_clear(px_cache *p);

void px_cache_get_info(const px_cache *p, px_cache_info *out);

#endif

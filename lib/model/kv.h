/*
 * kv: the paged cache of keys and values. A pool reserves address space for a number of pages and
 * commits memory when a page is first used; a sequence is a list of pages; pages are reference
 * counted, so that sequences with the same beginning share them (copy on write of a page that is
 * not full). A page may also be kept by a keeper (the engine's cache of prefixes), which counts as
 * one user: a kept page that no sequence uses is idle. A pool that is full asks its keeper to give
 * an idle page back before it says so.
 *
 * A page holds PX_KV_PAGE_TOKENS tokens of all layers: for each layer first K, then V; inside, for
 * each kv head, the tokens one after the other, D values each:
 *
 *   page: | layer 0: K head 0: t0 t1 .. t63 | K head 1: .. | V head 0: .. | .. | layer 1: .. |
 *
 * One thread at a time (the engine's).
 */
#ifndef PX_MODEL_KV_H
#define PX_MODEL_KV_H

#include "model/hparams.h"

enum { PX_KV_PAGE_TOKENS = 64 };

typedef struct px_kv_layout {
    px_dtype k_dtype, v_dtype; // f32, f16 or q8_0
    int32_t n_layers, n_kv_heads, head_dim, value_dim;
    size_t k_row_bytes, v_row_bytes; // one token of one head
    size_t layer_bytes;              // one layer of a page
    size_t v_offset;                 // from a layer's start to its V
    size_t page_bytes;               // multiple of the system's page
} px_kv_layout;

/* q8_0 needs head sizes that are multiples of 32. */
pith_status px_kv_layout_make(const px_hparams *hp, px_dtype k_dtype, px_dtype v_dtype,
                              px_kv_layout *out, pith_error *err);

typedef struct px_kv_pool px_kv_pool;

/* At most max_bytes (0: no limit but memory) are ever committed; n_pages is the address space
 * reserved. */
pith_status px_kv_pool_new(const px_kv_layout *layout, int64_t n_pages, uint64_t max_bytes,
                           px_kv_pool **out, pith_error *err);
void px_kv_pool_free(px_kv_pool *pool);
const px_kv_layout *px_kv_pool_layout(const px_kv_pool *pool);
/* Bytes committed now, idle pages too. */
uint64_t px_kv_pool_bytes(const px_kv_pool *pool);

/* Pages of address space; their numbers begin at 0. */
int64_t px_kv_pool_size(const px_kv_pool *pool);
/* Pages that may be in use at once, that are in use (idle ones too), and that are idle. */
int64_t px_kv_pool_most(const px_kv_pool *pool);
int64_t px_kv_pool_used(const px_kv_pool *pool);
int64_t px_kv_pool_idle(const px_kv_pool *pool);

/* Whoever keeps pages. Both are called when the pool is full, from inside the calls below, and call
 * nothing but px_kv_page_unkeep; they say whether they did so. */
typedef struct px_kv_keeper {
    bool (*evict)(void *user);                /* lets go of an idle page, whichever */
    bool (*forget)(void *user, int32_t page); /* lets go of this one, in use or not */
    void *user;
} px_kv_keeper;

void px_kv_pool_set_keeper(px_kv_pool *pool, const px_kv_keeper *keeper);

/* A page in use that is not kept yet is kept from now on; its content then stays as it is until
 * px_kv_page_unkeep. */
void px_kv_page_keep(px_kv_pool *pool, int32_t page);
void px_kv_page_unkeep(px_kv_pool *pool, int32_t page);
/* Takes a page for the keeper alone, which fills it. Errors: MEMORY. */
pith_status px_kv_page_take(px_kv_pool *pool, int32_t *out, pith_error *err);
bool px_kv_page_is_idle(const px_kv_pool *pool, int32_t page);
void *px_kv_page_at(const px_kv_pool *pool, int32_t page);

/* A sequence's pages. Zero-initialised by px_kv_seq_init; capacity fixed there, so that appending
 * takes no heap. */
typedef struct px_kv_seq {
    px_kv_pool *pool;
    int32_t *pages;     // page numbers
    const void **bases; // address of each page
    int64_t n_pages, cap_pages;
    int64_t n_tokens;
    int64_t max_tokens;
} px_kv_seq;

pith_status px_kv_seq_init(px_kv_seq *seq, px_kv_pool *pool, int64_t max_tokens, pith_error *err);
void px_kv_seq_clear(px_kv_seq *seq);
/* Makes room for n more tokens, behind n_tokens; n_tokens itself moves when the decoder has filled
 * them. Copies a shared, partly filled last page first. Errors: CONTEXT (over max_tokens), MEMORY
 * (pool full). On failure nothing changed. A later fork or truncate may void the room: reserve
 * before each step. */
pith_status px_kv_seq_reserve(px_kv_seq *seq, int64_t n, pith_error *err);
/* Whether n more tokens can be written now. */
bool px_kv_seq_has_room(const px_kv_seq *seq, int64_t n);
/* Forgets all but the first n tokens; pages no longer used go back, and their memory with them. */
void px_kv_seq_truncate(px_kv_seq *seq, int64_t n);
/* Makes `to` (empty, same pool) share the first n tokens of `from`. */
pith_status px_kv_seq_fork(px_kv_seq *to, const px_kv_seq *from, int64_t n, pith_error *err);

/* Appends a page of the pool to a sequence whose last page is full, as the next
 * PX_KV_PAGE_TOKENS tokens, shared. The sequence must have room for them. */
void px_kv_seq_share_page(px_kv_seq *seq, int32_t page);
/* Puts a copy of a kept page, of which n tokens count, behind the full pages of a sequence, in
 * place of a last one that is not full. No pages may be reserved. Errors: MEMORY, and nothing
 * changed. */
pith_status px_kv_seq_copy_page(px_kv_seq *seq, int32_t page, int64_t n, pith_error *err);

/* Where token t of kv head h lies for writing. */
void *px_kv_k_at(const px_kv_seq *seq, int32_t layer, int32_t head, int64_t t);
void *px_kv_v_at(const px_kv_seq *seq, int32_t layer, int32_t head, int64_t t);

#endif

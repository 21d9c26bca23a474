/*
 * kv: see kv.h. The pool is one range of addresses, reserved without access and without memory. A
 * page gets both when it is taken (mprotect; the kernel gives memory at first touch) and loses both
 * when its last user lets go (mapped anew without access), so that a system that counts committed
 * memory counts only pages in use.
 *
 * Attention of one token walks all pages once a layer, a few kB of each: pages large enough ask for
 * the system's huge pages, of which the processor finds 512 times as much by one entry of its
 * tables (12 % faster at 4096 tokens). That takes no more memory: a huge page lies in committed
 * pages only.
 *
 * Free pages are kept as a stack and the never-used ones as a high-water mark: taking and giving
 * back cost one system call each, every 64 tokens.
 */
#include "model/kv.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_BYTES = 2 << 20, HUGE_FROM = 256 << 10 }; // a huge page; pages that ask for them

struct px_kv_pool {
    px_kv_layout layout;
    uint8_t *base; // [n_pages, page_bytes], begins at a multiple of HUGE_BYTES
    void *map;
    size_t map_bytes;
    int64_t n_pages;
    int64_t max_used; // pages that max_bytes allows
    int64_t n_used;
    int64_t high;   // pages from here on were never used
    int64_t n_free; // on the stack
    int64_t n_idle;
    int32_t *free; // [n_pages]
    int32_t *refs; // [n_pages] sequences and the keeper
    bool *kept;    // [n_pages]
    px_kv_keeper keeper;
};

/* ---- layout */

static pith_status row_bytes(px_dtype dtype, int32_t n, const char *what, size_t *out,
                             pith_error *err)
{
    if (dtype != PX_F32 && dtype != PX_F16 && dtype != PX_Q8_0)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "the KV cache cannot hold %s as %s, expected f32, f16 or q8_0", what,
                       px_dtype_name((uint32_t)dtype));
    if (!px_dtype_row_bytes(dtype, n, out))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "a q8_0 KV cache needs heads that are a multiple of 32 elements, this "
                       "model's %s have %d; use f16",
                       what, n);
    return PITH_OK;
}

pith_status px_kv_layout_make(const px_hparams *hp, px_dtype k_dtype, px_dtype v_dtype,
                              px_kv_layout *out, pith_error *err)
{
    px_kv_layout l = {.k_dtype = k_dtype,
                      .v_dtype = v_dtype,
                      .n_layers = hp->n_layers,
                      .n_kv_heads = hp->n_kv_heads,
                      .head_dim = hp->head_dim,
                      .value_dim = hp->value_dim};
    pith_status status = row_bytes(k_dtype, hp->head_dim, "keys", &l.k_row_bytes, err);
    if (status == PITH_OK)
        status = row_bytes(v_dtype, hp->value_dim, "values", &l.v_row_bytes, err);
    if (status != PITH_OK)
        return status;
    /* Heads times their size are at most PX_MAX_WIDTH, so one layer fits; all layers may not on a
     * 32-bit machine. */
    size_t per_row = (size_t)hp->n_kv_heads * PX_KV_PAGE_TOKENS;
    l.v_offset = per_row * l.k_row_bytes;
    l.layer_bytes = l.v_offset + per_row * l.v_row_bytes;
    size_t system_page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes;
    if (!px_mul_size(l.layer_bytes, (size_t)hp->n_layers, &bytes) ||
        !px_add_size(bytes, system_page, &bytes))
        return px_fail(err, PITH_E_LIMIT,
                       "a KV page of %d layers of %zu bytes does not fit this machine's addresses",
                       hp->n_layers, l.layer_bytes);
    l.page_bytes = px_round_up(bytes - system_page, system_page);
    *out = l;
    return PITH_OK;
}

/* ---- pool */

pith_status px_kv_pool_new(const px_kv_layout *layout, int64_t n_pages, uint64_t max_bytes,
                           px_kv_pool **out, pith_error *err)
{
    *out = NULL;
    size_t bytes;
    if (n_pages < 1 || n_pages > INT32_MAX)
        return px_fail(err, PITH_E_ARGUMENT, "a KV cache of %" PRId64 " pages, expected 1 to %d",
                       n_pages, INT32_MAX);
    if (!px_mul_size((size_t)n_pages, layout->page_bytes, &bytes) ||
        !px_add_size(bytes, HUGE_BYTES, &bytes))
        return px_fail(err, PITH_E_LIMIT,
                       "a KV cache of %" PRId64 " pages of %zu bytes does not fit this machine's "
                       "addresses; use a shorter context",
                       n_pages, layout->page_bytes);
    px_kv_pool *pool = px_calloc(1, sizeof *pool);
    if (!pool)
        return px_fail_memory(err, "a KV cache");
    *pool = (px_kv_pool){
        .layout = *layout, .map_bytes = bytes, .n_pages = n_pages, .max_used = n_pages};
    if (max_bytes && max_bytes / layout->page_bytes < (uint64_t)n_pages)
        pool->max_used = (int64_t)(max_bytes / layout->page_bytes);
    pool->free = px_calloc((size_t)n_pages, sizeof *pool->free);
    pool->refs = px_calloc((size_t)n_pages, sizeof *pool->refs);
    pool->kept = px_calloc((size_t)n_pages, sizeof *pool->kept);
    if (!pool->free || !pool->refs || !pool->kept) {
        px_kv_pool_free(pool);
        return px_fail_memory(err, "a KV cache");
    }
    void *map = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        int code = errno;
        px_kv_pool_free(pool);
        return px_fail_errno(err, code, "cannot reserve %zu bytes of addresses for the KV cache",
                             bytes);
    }
    pool->map = map;
    pool->base = (uint8_t *)px_round_up((size_t)map, HUGE_BYTES);
    *out = pool;
    return PITH_OK;
}

void px_kv_pool_free(px_kv_pool *pool)
{
    if (!pool)
        return;
    if (pool->map)
        munmap(pool->map, pool->map_bytes);
    px_free(pool->free);
    px_free(pool->refs);
    px_free(pool->kept);
    px_free(pool);
}

const px_kv_layout *px_kv_pool_layout(const px_kv_pool *pool)
{
    return &pool->layout;
}

uint64_t px_kv_pool_bytes(const px_kv_pool *pool)
{
    return (uint64_t)pool->n_used * pool->layout.page_bytes;
}

int64_t px_kv_pool_size(const px_kv_pool *pool)
{
    return pool->n_pages;
}

int64_t px_kv_pool_most(const px_kv_pool *pool)
{
    return pool->max_used;
}

int64_t px_kv_pool_used(const px_kv_pool *pool)
{
    return pool->n_used;
}

int64_t px_kv_pool_idle(const px_kv_pool *pool)
{
    return pool->n_idle;
}

void px_kv_pool_set_keeper(px_kv_pool *pool, const px_kv_keeper *keeper)
{
    pool->keeper = *keeper;
}

static uint8_t *page_at(const px_kv_pool *pool, int32_t page)
{
    return pool->base + (size_t)page * pool->layout.page_bytes;
}

/* A page with one user, its content unspecified. */
static pith_status take(px_kv_pool *pool, int32_t *out, pith_error *err)
{
    while (pool->n_used >= pool->max_used && pool->n_idle > 0 && pool->keeper.evict &&
           pool->keeper.evict(pool->keeper.user)) {
    }
    if (pool->n_used >= pool->max_used)
        return px_fail(err, PITH_E_MEMORY,
                       "the KV cache is full: %" PRId64 " pages of %zu bytes are in use; end other "
                       "sessions, shorten the context or allow it more memory",
                       pool->n_used, pool->layout.page_bytes);
    int32_t page = pool->n_free > 0 ? pool->free[pool->n_free - 1] : (int32_t)pool->high;
    if (mprotect(page_at(pool, page), pool->layout.page_bytes, PROT_READ | PROT_WRITE) != 0)
        return px_fail_errno(err, errno, "cannot commit a KV page of %zu bytes",
                             pool->layout.page_bytes);
#if defined(MADV_HUGEPAGE)
    if (pool->layout.page_bytes >= HUGE_FROM) // a wish: what becomes of it changes no result
        (void)madvise(page_at(pool, page), pool->layout.page_bytes, MADV_HUGEPAGE);
#endif
    if (pool->n_free > 0)
        pool->n_free--;
    else
        pool->high++;
    pool->n_used++;
    pool->refs[page] = 1;
    *out = page;
    return PITH_OK;
}

bool px_kv_page_is_idle(const px_kv_pool *pool, int32_t page)
{
    return pool->kept[page] && pool->refs[page] == 1;
}

static void add_user(px_kv_pool *pool, int32_t page)
{
    pool->n_idle -= px_kv_page_is_idle(pool, page);
    pool->refs[page]++;
}

static void let_go(px_kv_pool *pool, int32_t page)
{
    if (--pool->refs[page] > 0) {
        pool->n_idle += px_kv_page_is_idle(pool, page);
        return;
    }
    /* Should the kernel refuse (too many mappings), the memory goes back all the same and the page
     * merely stays accessible. */
    void *at = page_at(pool, page);
    size_t n = pool->layout.page_bytes;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(at, n, PROT_NONE, flags, -1, 0) == MAP_FAILED)
        madvise(at, n, MADV_DONTNEED);
    pool->n_used--;
    pool->free[pool->n_free++] = page;
}

/* ---- pages of the keeper */

void px_kv_page_keep(px_kv_pool *pool, int32_t page)
{
    pool->refs[page]++;
    pool->kept[page] = true;
}

void px_kv_page_unkeep(px_kv_pool *pool, int32_t page)
{
    pool->n_idle -= px_kv_page_is_idle(pool, page);
    pool->kept[page] = false;
    let_go(pool, page);
}

pith_status px_kv_page_take(px_kv_pool *pool, int32_t *out, pith_error *err)
{
    pith_status status = take(pool, out, err);
    if (status == PITH_OK) {
        pool->kept[*out] = true;
        pool->n_idle++;
    }
    return status;
}

void *px_kv_page_at(const px_kv_pool *pool, int32_t page)
{
    return page_at(pool, page);
}

/* ---- sequences */

/* Pages that hold the first n tokens. */
static int64_t pages_for(int64_t n)
{
    return (n + PX_KV_PAGE_TOKENS - 1) / PX_KV_PAGE_TOKENS;
}

static void set_page(px_kv_seq *seq, int64_t i, int32_t page)
{
    seq->pages[i] = page;
    seq->bases[i] = page_at(seq->pool, page);
}

pith_status px_kv_seq_init(px_kv_seq *seq, px_kv_pool *pool, int64_t max_tokens, pith_error *err)
{
    *seq = (px_kv_seq){.pool = pool};
    if (max_tokens < 1 || max_tokens > INT32_MAX)
        return px_fail(err, PITH_E_ARGUMENT, "a sequence of %" PRId64 " tokens, expected 1 to %d",
                       max_tokens, INT32_MAX);
    int64_t cap = pages_for(max_tokens);
    seq->pages = px_calloc((size_t)cap, sizeof *seq->pages);
    seq->bases = px_calloc((size_t)cap, sizeof *seq->bases);
    if (!seq->pages || !seq->bases) {
        px_kv_seq_clear(seq);
        return px_fail_memory(err, "a sequence of the KV cache");
    }
    seq->cap_pages = cap;
    seq->max_tokens = max_tokens;
    return PITH_OK;
}

static void drop_pages(px_kv_seq *seq, int64_t keep)
{
    while (seq->n_pages > keep)
        let_go(seq->pool, seq->pages[--seq->n_pages]);
}

void px_kv_seq_clear(px_kv_seq *seq)
{
    drop_pages(seq, 0);
    px_free(seq->pages);
    px_free(seq->bases);
    *seq = (px_kv_seq){.pool = seq->pool};
}

/* Gives the sequence a copy of its own of page i. */
static pith_status own_page(px_kv_seq *seq, int64_t i, pith_error *err)
{
    int32_t page = -1;
    px_kv_pool *pool = seq->pool;
    pith_status status = take(pool, &page, err);
    if (status == PITH_E_MEMORY && pool->refs[seq->pages[i]] == 2 && pool->kept[seq->pages[i]] &&
        pool->keeper.forget && pool->keeper.forget(pool->keeper.user, seq->pages[i])) {
        px_error_clear(err);
        return PITH_OK; // nobody else wants the page
    }
    if (status != PITH_OK)
        return status;
    memcpy(page_at(seq->pool, page), seq->bases[i], seq->pool->layout.page_bytes);
    let_go(seq->pool, seq->pages[i]);
    set_page(seq, i, page);
    return PITH_OK;
}

pith_status px_kv_seq_reserve(px_kv_seq *seq, int64_t n, pith_error *err)
{
    if (n < 0 || n > seq->max_tokens - seq->n_tokens)
        return px_fail(err, PITH_E_CONTEXT,
                       "%" PRId64 " more tokens behind %" PRId64
                       " do not fit the context of %" PRId64,
                       n, seq->n_tokens, seq->max_tokens);
    int64_t before = seq->n_pages;
    int64_t want = pages_for(seq->n_tokens + n);
    pith_status status = PITH_OK;
    while (status == PITH_OK && seq->n_pages < want) {
        int32_t page = -1;
        status = take(seq->pool, &page, err);
        if (status == PITH_OK)
            set_page(seq, seq->n_pages++, page);
    }
    /* Only the page that holds the last token can be shared and not full: see fork. */
    int64_t last = seq->n_tokens / PX_KV_PAGE_TOKENS;
    if (status == PITH_OK && n > 0 && last < before && seq->pool->refs[seq->pages[last]] > 1)
        status = own_page(seq, last, err);
    if (status != PITH_OK)
        drop_pages(seq, before);
    return status;
}

bool px_kv_seq_has_room(const px_kv_seq *seq, int64_t n)
{
    if (n < 0 || n > seq->max_tokens - seq->n_tokens || pages_for(seq->n_tokens + n) > seq->n_pages)
        return false;
    int64_t last = seq->n_tokens / PX_KV_PAGE_TOKENS;
    return n == 0 || seq->pool->refs[seq->pages[last]] == 1;
}

void px_kv_seq_truncate(px_kv_seq *seq, int64_t n)
{
    if (n < 0)
        n = 0;
    if (n < seq->n_tokens)
        seq->n_tokens = n;
    drop_pages(seq, pages_for(seq->n_tokens));
}

pith_status px_kv_seq_fork(px_kv_seq *to, const px_kv_seq *from, int64_t n, pith_error *err)
{
    if (to == from || to->pool != from->pool || to->n_pages > 0 || n < 0 || n > from->n_tokens)
        return px_fail(err, PITH_E_ARGUMENT,
                       "cannot fork %" PRId64 " tokens of a sequence of %" PRId64
                       "; expected an empty sequence of the same pool",
                       n, from->n_tokens);
    if (n > to->max_tokens)
        return px_fail(err, PITH_E_CONTEXT,
                       "%" PRId64 " tokens to share do not fit the context of %" PRId64, n,
                       to->max_tokens);
    to->n_pages = pages_for(n);
    to->n_tokens = n;
    for (int64_t i = 0; i < to->n_pages; i++) {
        set_page(to, i, from->pages[i]);
        add_user(to->pool, from->pages[i]);
    }
    return PITH_OK;
}

void px_kv_seq_share_page(px_kv_seq *seq, int32_t page)
{
    add_user(seq->pool, page);
    set_page(seq, seq->n_pages++, page);
    seq->n_tokens += PX_KV_PAGE_TOKENS;
}

pith_status px_kv_seq_copy_page(px_kv_seq *seq, int32_t page, int64_t n, pith_error *err)
{
    px_kv_pool *pool = seq->pool;
    int64_t at = seq->n_tokens / PX_KV_PAGE_TOKENS;
    bool has = at < seq->n_pages; // a last page that is not full
    int32_t own = has ? seq->pages[at] : -1;
    pith_status status = PITH_OK;
    add_user(pool, page); // or it might be evicted for its own copy
    if (!has || pool->refs[own] > 1)
        status = take(pool, &own, err);
    if (status == PITH_OK) {
        memcpy(page_at(pool, own), page_at(pool, page), pool->layout.page_bytes);
        if (has && seq->pages[at] != own)
            let_go(pool, seq->pages[at]);
        set_page(seq, at, own);
        seq->n_pages = at + 1;
        seq->n_tokens = at * PX_KV_PAGE_TOKENS + n;
    }
    let_go(pool, page);
    return status;
}

void *px_kv_k_at(const px_kv_seq *seq, int32_t layer, int32_t head, int64_t t)
{
    const px_kv_layout *l = &seq->pool->layout;
    int64_t page = t / PX_KV_PAGE_TOKENS;
    size_t row = (size_t)head * PX_KV_PAGE_TOKENS + (size_t)(t % PX_KV_PAGE_TOKENS);
    return page_at(seq->pool, seq->pages[page]) + (size_t)layer * l->layer_bytes +
           row * l->k_row_bytes;
}

void *px_kv_v_at(const px_kv_seq *seq, int32_t layer, int32_t head, int64_t t)
{
    const px_kv_layout *l = &seq->pool->layout;
    int64_t page = t / PX_KV_PAGE_TOKENS;
    size_t row = (size_t)head * PX_KV_PAGE_TOKENS + (size_t)(t % PX_KV_PAGE_TOKENS);
    return page_at(seq->pool, seq->pages[page]) + (size_t)layer * l->layer_bytes + l->v_offset +
           row * l->v_row_bytes;
}

/* cache: see cache.h. */
#include "engine/cache.h"

#include "base/mem.h"
#include "engine/hash.h"

#include <string.h>

enum {
    NONE = -1,
    PAGE = PX_KV_PAGE_TOKENS,
    LEAST_COPY = 4 // tokens of a page worth copying it: they take longer to compute
};

typedef struct node {
    uint64_t adapter_key;
    uint64_t hash; // of all tokens to the end of this page; a tail's parent's
    int32_t parent;
    int32_t child;         // the first
    int32_t before, after; // siblings
    int32_t next;          // of the same bucket
    int32_t older, newer;
    int32_t n; // tokens: PAGE, fewer in a tail, 0: the page is no node
    int32_t tokens[PAGE];
} node;

struct px_cache {
    px_kv_pool *pool;
    node *nodes;      // [pages of the pool]
    int32_t *buckets; // [mask + 1] a node's number + 1, or 0
    uint64_t mask;
    int32_t first;          // without parent
    int32_t oldest, newest; // by use
    int64_t most_idle;
    px_cache_info info;
    px_disk *disk;   // or NULL
    int32_t *tokens; // of a page's way from the start
    int64_t most_tokens;
};

/* ---- links */

static void age_unlink(px_cache *p, int32_t i)
{
    node *n = &p->nodes[i];
    *(n->older == NONE ? &p->oldest : &p->nodes[n->older].newer) = n->newer;
    *(n->newer == NONE ? &p->newest : &p->nodes[n->newer].older) = n->older;
}

static void age_link(px_cache *p, int32_t i)
{
    node *n = &p->nodes[i];
    n->older = p->newest;
    n->newer = NONE;
    *(p->newest == NONE ? &p->oldest : &p->nodes[p->newest].newer) = i;
    p->newest = i;
}

/* A node was used, and with it all before it: parents after children. */
static void touch(px_cache *p, int32_t i)
{
    for (; i != NONE; i = p->nodes[i].parent) {
        age_unlink(p, i);
        age_link(p, i);
    }
}

static int32_t *first_child(px_cache *p, int32_t parent)
{
    return parent == NONE ? &p->first : &p->nodes[parent].child;
}

static int32_t *bucket_of(px_cache *p, uint64_t hash)
{
    return &p->buckets[hash & p->mask];
}

static void insert(px_cache *p, int32_t i, const node *what)
{
    node *n = &p->nodes[i];
    *n = *what;
    int32_t *first = first_child(p, n->parent);
    n->child = n->before = NONE;
    n->after = *first;
    if (*first != NONE)
        p->nodes[*first].before = i;
    *first = i;
    if (n->n == PAGE) {
        int32_t *bucket = bucket_of(p, n->hash);
        n->next = *bucket - 1;
        *bucket = i + 1;
    }
    age_link(p, i);
    p->info.n_pages++;
    p->info.n_tokens += n->n;
}

/* Takes a leaf out and lets go of its page. */
static void remove_leaf(px_cache *p, int32_t i)
{
    node *n = &p->nodes[i];
    *(n->before == NONE ? first_child(p, n->parent) : &p->nodes[n->before].after) = n->after;
    if (n->after != NONE)
        p->nodes[n->after].before = n->before;
    if (n->n == PAGE) {
        int32_t *bucket = bucket_of(p, n->hash);
        if (*bucket == i + 1) {
            *bucket = n->next + 1;
        } else {
            int32_t at = *bucket - 1;
            while (p->nodes[at].next != i)
                at = p->nodes[at].next;
            p->nodes[at].next = n->next;
        }
    }
    age_unlink(p, i);
    p->info.n_pages--;
    p->info.n_tokens -= n->n;
    n->n = 0;
    px_kv_page_unkeep(p->pool, i);
}

/* Takes a node out with all behind it. */
static void remove_all(px_cache *p, int32_t top)
{
    for (int32_t i = top;;) {
        while (p->nodes[i].child != NONE)
            i = p->nodes[i].child;
        int32_t parent = p->nodes[i].parent;
        remove_leaf(p, i);
        if (i == top)
            return;
        i = parent;
    }
}

/* ---- looking */

static uint64_t hash_page(uint64_t before, const int32_t *tokens)
{
    return px_hash_bytes(before, tokens, PAGE * sizeof *tokens);
}

/* The node of a whole page behind `parent`, or NONE. */
static int32_t find_page(const px_cache *p, uint64_t adapter_key, int32_t parent, uint64_t hash,
                         const int32_t *tokens)
{
    for (int32_t i = p->buckets[hash & p->mask] - 1; i != NONE; i = p->nodes[i].next) {
        const node *n = &p->nodes[i];
        if (n->hash == hash && n->parent == parent && n->adapter_key == adapter_key &&
            memcmp(n->tokens, tokens, sizeof n->tokens) == 0)
            return i;
    }
    return NONE;
}

static int32_t same_tokens(const node *n, const int32_t *tokens, int64_t most)
{
    int32_t same = 0;
    while (same < n->n && same < most && n->tokens[same] == tokens[same])
        same++;
    return same;
}

/* The child of `parent` that begins with most of these tokens; *same: with how many. */
static int32_t find_like(px_cache *p, uint64_t adapter_key, int32_t parent, const int32_t *tokens,
                         int64_t most, int32_t *same)
{
    int32_t best = NONE;
    *same = 0;
    for (int32_t i = *first_child(p, parent); i != NONE && *same < most; i = p->nodes[i].after) {
        const node *n = &p->nodes[i];
        int32_t m = n->adapter_key == adapter_key ? same_tokens(n, tokens, most) : 0;
        if (m > *same) {
            *same = m;
            best = i;
        }
    }
    return best;
}

/* ---- on disk */

/* Writes a whole page, unless it is there. */
static void save(px_cache *p, int32_t i)
{
    const node *n = &p->nodes[i];
    int64_t n_pages = 1, at = 0;
    for (int32_t up = n->parent; up != NONE; up = p->nodes[up].parent)
        n_pages++;
    if (n_pages * PAGE > p->most_tokens)
        return;
    for (int32_t up = i; up != NONE; up = p->nodes[up].parent, at++)
        memcpy(p->tokens + (n_pages - 1 - at) * PAGE, p->nodes[up].tokens, sizeof n->tokens);
    px_disk_page page = {n->adapter_key, n->hash, p->tokens, n_pages * PAGE};
    px_disk_save(p->disk, &page, px_kv_page_at(p->pool, i));
}

/* Makes a node behind `parent` of the page on disk that ends these tokens, or NONE. */
static int32_t load(px_cache *p, uint64_t adapter_key, int32_t parent, uint64_t hash,
                    const int32_t *tokens, int64_t n_tokens)
{
    px_disk_page page = {adapter_key, hash, tokens, n_tokens};
    int32_t at;
    if (!p->disk || !px_disk_has(p->disk, &page) || px_kv_page_take(p->pool, &at, NULL) != PITH_OK)
        return NONE;
    /* Taking it may have cost the parent its own. */
    bool alone = parent != NONE && p->nodes[parent].n == 0;
    if (alone || !px_disk_load(p->disk, &page, px_kv_page_at(p->pool, at))) {
        px_kv_page_unkeep(p->pool, at);
        return NONE;
    }
    node n = {.adapter_key = adapter_key, .hash = hash, .parent = parent, .n = PAGE};
    memcpy(n.tokens, tokens + n_tokens - PAGE, sizeof n.tokens);
    insert(p, at, &n);
    return at;
}

void px_cache_save(px_cache *p)
{
    if (!p->disk)
        return;
    int64_t most = px_disk_most_pages(p->disk), n = 0;
    int32_t i = p->newest;
    while (i != NONE && p->nodes[i].older != NONE && n < most) { // those used last matter most
        n += p->nodes[i].n == PAGE;
        i = p->nodes[i].older;
    }
    for (; i != NONE; i = p->nodes[i].newer)
        if (p->nodes[i].n == PAGE)
            save(p, i);
}

pith_status px_cache_set_disk(px_cache *p, px_disk *disk, int64_t most_tokens, pith_error *err)
{
    p->most_tokens = (most_tokens + PAGE - 1) / PAGE * PAGE;
    p->tokens = px_malloc((size_t)p->most_tokens, sizeof *p->tokens);
    if (!p->tokens)
        return px_fail_memory(err, "a cache on disk");
    p->disk = disk;
    return PITH_OK;
}

const px_disk *px_cache_disk(const px_cache *p)
{
    return p->disk;
}

/* ---- letting go */

static bool evict(void *user)
{
    px_cache *p = user;
    int32_t found = NONE;
    for (int32_t i = p->oldest; i != NONE; i = p->nodes[i].newer) {
        if (!px_kv_page_is_idle(p->pool, i))
            continue;
        if (p->nodes[i].child == NONE) {
            found = i;
            break;
        }
        /* Behind an idle page there may be pages in use alone: sessions that computed it twice. */
        found = found == NONE ? i : found;
    }
    if (found == NONE)
        return false;
    if (p->disk && p->nodes[found].n == PAGE)
        save(p, found);
    remove_all(p, found);
    p->info.n_evicted++;
    return true;
}

static bool forget(void *user, int32_t page)
{
    px_cache *p = user;
    if (p->nodes[page].n == 0)
        return false;
    remove_all(p, page);
    return true;
}

void px_cache_trim(px_cache *p)
{
    while (px_kv_pool_idle(p->pool) > p->most_idle && evict(p)) {
    }
}

void px_cache_clear(px_cache *p)
{
    while (p->first != NONE)
        remove_all(p, p->first);
}

/* ---- life */

pith_status px_cache_new(px_kv_pool *pool, int64_t most_idle, px_cache **out, pith_error *err)
{
    *out = NULL;
    size_t n = (size_t)px_kv_pool_size(pool), n_buckets = 16;
    while (n_buckets < n)
        n_buckets *= 2;
    px_cache *p = px_calloc(1, sizeof *p);
    if (!p)
        return px_fail_memory(err, "a cache of prefixes");
    /* Zeroed memory that is not touched takes none. */
    *p = (px_cache){.pool = pool,
                    .nodes = px_calloc(n, sizeof *p->nodes),
                    .buckets = px_calloc(n_buckets, sizeof *p->buckets),
                    .mask = n_buckets - 1,
                    .first = NONE,
                    .oldest = NONE,
                    .newest = NONE,
                    .most_idle = most_idle};
    if (!p->nodes || !p->buckets) {
        px_free(p->nodes);
        px_free(p->buckets);
        px_free(p);
        return px_fail_memory(err, "a cache of prefixes");
    }
    px_kv_keeper keeper = {evict, forget, p};
    px_kv_pool_set_keeper(pool, &keeper);
    *out = p;
    return PITH_OK;
}

void px_cache_free(px_cache *p)
{
    if (!p)
        return;
    px_cache_save(p);
    px_cache_clear(p);
    px_kv_pool_set_keeper(p->pool, &(px_kv_keeper){0});
    px_disk_close(p->disk);
    px_free(p->tokens);
    px_free(p->nodes);
    px_free(p->buckets);
    px_free(p);
}

void px_cache_get_info(const px_cache *p, px_cache_info *out)
{
    *out = p->info;
}

/* ---- what sessions bring */

/* The node of the last whole page, with all before it made where they were missing. *whole: they
 * are all there. */
static int32_t note(px_cache *p, uint64_t adapter_key, const int32_t *tokens, const px_kv_seq *seq,
                    bool *whole)
{
    int32_t at = NONE;
    uint64_t hash = adapter_key;
    *whole = false;
    for (int64_t i = 0; i < seq->n_tokens / PAGE; i++) {
        const int32_t *page = tokens + i * PAGE;
        hash = hash_page(hash, page);
        int32_t found = find_page(p, adapter_key, at, hash, page);
        if (found == NONE) {
            found = seq->pages[i];
            if (p->nodes[found].n > 0)
                return at; // it stands elsewhere
            px_kv_page_keep(p->pool, found);
            node n = {.adapter_key = adapter_key, .hash = hash, .parent = at, .n = PAGE};
            memcpy(n.tokens, page, sizeof n.tokens);
            insert(p, found, &n);
        }
        at = found;
    }
    *whole = true;
    return at;
}

void px_cache_note(px_cache *p, uint64_t adapter_key, const int32_t *tokens, const px_kv_seq *seq)
{
    bool whole;
    touch(p, note(p, adapter_key, tokens, seq, &whole));
}

/* Puts a tail behind `parent`, unless it is there; shorter ones that it begins with go. */
static void leave_tail(px_cache *p, uint64_t adapter_key, int32_t parent, const int32_t *tokens,
                       int32_t n_tokens, int32_t page)
{
    int32_t after;
    for (int32_t i = *first_child(p, parent); i != NONE; i = after) {
        const node *n = &p->nodes[i];
        after = n->after;
        int32_t same = n->adapter_key == adapter_key ? same_tokens(n, tokens, n_tokens) : 0;
        if (same == n_tokens) {
            touch(p, i);
            return;
        }
        if (same > 0 && same == n->n)
            remove_leaf(p, i);
    }
    if (p->nodes[page].n > 0)
        return;
    px_kv_page_keep(p->pool, page);
    node n = {.adapter_key = adapter_key,
              .hash = parent == NONE ? adapter_key : p->nodes[parent].hash,
              .parent = parent,
              .n = n_tokens};
    memcpy(n.tokens, tokens, (size_t)n_tokens * sizeof *tokens);
    insert(p, page, &n);
    touch(p, page);
}

void px_cache_leave(px_cache *p, uint64_t adapter_key, const int32_t *tokens, const px_kv_seq *seq)
{
    bool whole;
    int32_t at = note(p, adapter_key, tokens, seq, &whole);
    touch(p, at);
    int64_t done = seq->n_tokens / PAGE * PAGE;
    int32_t tail = (int32_t)(seq->n_tokens - done);
    if (whole && tail >= LEAST_COPY)
        leave_tail(p, adapter_key, at, tokens + done, tail, seq->pages[done / PAGE]);
}

/* ---- what they find */

/* Copies what the best child of a node has of the tokens. */
static void extend_by_copy(px_cache *p, uint64_t adapter_key, int32_t parent, const int32_t *tokens,
                           int64_t most, px_kv_seq *seq)
{
    int64_t begin = seq->n_tokens / PAGE * PAGE, have = seq->n_tokens - begin;
    int32_t same;
    int32_t like = find_like(p, adapter_key, parent, tokens + begin,
                             most - begin < PAGE ? most - begin : PAGE, &same);
    if (like == NONE || same < have + LEAST_COPY)
        return;
    touch(p, like);
    px_kv_seq_truncate(seq, seq->n_tokens);           // room that was reserved goes back
    (void)px_kv_seq_copy_page(seq, like, same, NULL); // without room they are computed
}

void px_cache_extend(px_cache *p, uint64_t adapter_key, const int32_t *tokens, int64_t most,
                     px_kv_seq *seq)
{
    int64_t before = seq->n_tokens;
    int32_t at = NONE;
    uint64_t hash = adapter_key;
    int64_t i = 0;
    for (; (i + 1) * PAGE <= most; i++) {
        hash = hash_page(hash, tokens + i * PAGE);
        int32_t found = find_page(p, adapter_key, at, hash, tokens + i * PAGE);
        if (found == NONE && (i + 1) * PAGE > seq->n_tokens)
            found = load(p, adapter_key, at, hash, tokens, (i + 1) * PAGE);
        if (found == NONE)
            break;
        at = found;
        if ((i + 1) * PAGE <= seq->n_tokens)
            continue;
        px_kv_seq_truncate(seq, i * PAGE);
        px_kv_seq_share_page(seq, found);
    }
    /* The last one found may have gone for room for the next, where the sequence has pages of its
     * own up to there. */
    if (at == NONE || p->nodes[at].n > 0) {
        touch(p, at);
        if (seq->n_tokens < most && seq->n_tokens / PAGE == i)
            extend_by_copy(p, adapter_key, at, tokens, most, seq);
    }
    if (seq->n_tokens > before)
        p->info.n_hits += (uint64_t)(seq->n_tokens - before);
}

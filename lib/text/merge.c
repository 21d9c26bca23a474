/* merge: see merge.h. Threads: px_merges is read-only; work belongs to one call. */
#include "text/merge.h"

#include "base/mem.h"
#include "text/inside.h"

#define NO_RANK   UINT32_MAX
#define SHORT_RUN 40 // up to so many symbols searching is faster than the heap

static inline uint32_t pair_hash(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

pith_status px_merges_build(px_merges *merges, px_arena *arena, const px_merge *list, int32_t n,
                            pith_error *err)
{
    size_t n_slots = 16;
    while (n_slots < (size_t)n * 2)
        n_slots *= 2;
    px_pair_slot *slots = PX_NEW(arena, px_pair_slot, n_slots);
    if (!slots)
        return px_fail_memory(err, "the index of merges");
    memset(slots, 0xff, n_slots * sizeof *slots);
    uint32_t mask = (uint32_t)(n_slots - 1);
    for (int32_t i = 0; i < n; i++) {
        uint32_t hash = pair_hash(list[i].left, list[i].right), at = hash & mask;
        bool known = false;
        for (int probes = 0; slots[at].merge >= 0 && !known; probes++) {
            const px_merge *other = &list[slots[at].merge];
            known = other->left == list[i].left && other->right == list[i].right;
            if (probes > PX_MAX_PROBES)
                return px_fail(err, PITH_E_LIMIT, "merges collide more than any natural ones do");
            at = (at + 1) & mask;
        }
        if (!known)
            slots[at] = (px_pair_slot){.hash = hash, .merge = i};
    }
    merges->list = list;
    merges->slots = slots;
    merges->mask = mask;
    return PITH_OK;
}

static inline int32_t find_pair(const px_merges *merges, int32_t left, int32_t right)
{
    uint32_t hash = pair_hash(left, right);
    for (uint32_t at = hash & merges->mask;; at = (at + 1) & merges->mask) {
        px_pair_slot slot = merges->slots[at];
        if (slot.merge < 0)
            return -1;
        const px_merge *merge = &merges->list[slot.merge];
        if (slot.hash == hash && merge->left == left && merge->right == right)
            return slot.merge;
    }
}

/* What the symbol at i makes with the next one. */
static inline int32_t find_joint(const px_merges *merges, const px_symbol *symbols,
                                 const char *text, size_t n, uint32_t i)
{
    uint32_t next = symbols[i].next;
    if (next >= n)
        return -1;
    if (merges->list) {
        if (symbols[i].id < 0 || symbols[next].id < 0)
            return -1;
        return find_pair(merges, symbols[i].id, symbols[next].id);
    }
    size_t bytes = symbols[next].next - i;
    if (bytes > merges->max_text)
        return -1;
    int32_t id = px_tokmap_find(merges->map, merges->tokens, text + i, bytes);
    return id >= 0 && px_token_is_piece(&merges->tokens[id]) ? id : -1;
}

/* Smaller is better. Scores order as floats do: the bits of one are made to order as integers. */
static inline uint32_t rank_of(const px_merges *merges, int32_t joint)
{
    if (joint < 0)
        return NO_RANK;
    if (merges->list)
        return (uint32_t)joint;
    float score = merges->tokens[joint].score + 0.0f; // -0 becomes 0
    uint32_t bits;
    memcpy(&bits, &score, 4);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

static inline int32_t result_of(const px_merges *merges, int32_t joint)
{
    return merges->list ? merges->list[joint].result : joint;
}

/* Joins the symbol at i with the next one and looks at its new neighbours. */
static inline void join(px_symbol *symbols, const px_merges *merges, const char *text, size_t n,
                        uint32_t i)
{
    uint32_t next = symbols[i].next, after = symbols[next].next;
    symbols[i].id = result_of(merges, symbols[i].joint);
    symbols[i].next = after;
    symbols[next].joint = -1;
    if (after < n)
        symbols[after].prev = i;
    symbols[i].joint = find_joint(merges, symbols, text, n, i);
    if (i > 0) {
        uint32_t prev = symbols[i].prev;
        symbols[prev].joint = find_joint(merges, symbols, text, n, prev);
    }
}

static void merge_short(px_symbol *symbols, const px_merges *merges, const char *text, size_t n)
{
    for (;;) {
        uint32_t best = NO_RANK, at = 0;
        for (uint32_t i = 0; i < n; i = symbols[i].next) {
            uint32_t rank = rank_of(merges, symbols[i].joint);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == NO_RANK)
            return;
        join(symbols, merges, text, n, at);
    }
}

/* A heap of four children a node; the smallest entry, rank << 32 | symbol, is on top. */
static void sink(uint64_t *heap, size_t n, size_t at)
{
    uint64_t entry = heap[at];
    for (;;) {
        size_t child = at * 4 + 1, least = child;
        if (child >= n)
            break;
        for (size_t i = child + 1; i < child + 4 && i < n; i++)
            if (heap[i] < heap[least])
                least = i;
        if (heap[least] >= entry)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = entry;
}

static bool push(px_merge_work *work, const px_merges *merges, uint32_t symbol)
{
    uint32_t rank = rank_of(merges, work->symbols[symbol].joint);
    if (rank == NO_RANK)
        return true;
    if (work->heap_n == work->heap_cap) {
        size_t cap = work->heap_cap + work->heap_cap / 2 + 64;
        uint64_t *heap = px_realloc(work->heap, cap, sizeof *heap);
        if (!heap)
            return false;
        work->heap = heap;
        work->heap_cap = cap;
    }
    uint64_t entry = (uint64_t)rank << 32 | symbol;
    size_t at = work->heap_n++;
    while (at > 0 && work->heap[(at - 1) / 4] > entry) {
        work->heap[at] = work->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    work->heap[at] = entry;
    return true;
}

static pith_status merge_long(px_merge_work *work, const px_merges *merges, const char *text,
                              size_t n, pith_error *err)
{
    px_symbol *symbols = work->symbols;
    work->heap_n = 0;
    for (uint32_t i = 0; i < n; i = symbols[i].next)
        if (!push(work, merges, i))
            return px_fail_memory(err, "the work space of a long word");
    while (work->heap_n > 0) {
        uint64_t top = work->heap[0];
        work->heap[0] = work->heap[--work->heap_n];
        if (work->heap_n > 0)
            sink(work->heap, work->heap_n, 0);
        uint32_t i = (uint32_t)top;
        if (rank_of(merges, symbols[i].joint) != (uint32_t)(top >> 32))
            continue;
        join(symbols, merges, text, n, i);
        if (!push(work, merges, i) || (i > 0 && !push(work, merges, symbols[i].prev)))
            return px_fail_memory(err, "the work space of a long word");
    }
    return PITH_OK;
}

pith_status px_merge_room(px_merge_work *work, size_t n, pith_error *err)
{
    if (n <= work->cap)
        return PITH_OK;
    if (n > PX_MAX_WORD_BYTES)
        return px_fail(err, PITH_E_LIMIT,
                       "a word of %zu bytes is longer than the %u that a tokenizer takes; put "
                       "spaces or lines into the text",
                       n, PX_MAX_WORD_BYTES);
    size_t cap = n < 256 ? 256 : n;
    px_symbol *symbols = px_malloc(cap, sizeof *symbols);
    if (!symbols)
        return px_fail_memory(err, "the work space of a word");
    px_free(work->symbols);
    work->symbols = symbols;
    work->cap = cap;
    return PITH_OK;
}

void px_merge_work_clear(px_merge_work *work)
{
    px_free(work->symbols);
    px_free(work->heap);
    memset(work, 0, sizeof *work);
}

pith_status px_merge_word(px_merge_work *work, const px_merges *merges, const char *text, size_t n,
                          pith_error *err)
{
    px_symbol *symbols = work->symbols;
    size_t count = 0;
    for (uint32_t i = 0; i < n; i = symbols[i].next) {
        symbols[i].joint = find_joint(merges, symbols, text, n, i);
        count++;
    }
    if (count <= SHORT_RUN) {
        merge_short(symbols, merges, text, n);
        return PITH_OK;
    }
    return merge_long(work, merges, text, n, err);
}

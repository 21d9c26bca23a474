/*
 * bpe_train: see bpe_train.h. Words are runs of token ids that shrink as pairs are merged. A table
 * holds for each pair how often it occurs now and in which words it has ever occurred; a heap holds
 * pairs by the count that they had when they entered it. A pair whose count has sunk meanwhile goes
 * back with its count of now, so what comes out on top is the best pair always.
 */
#include "text/bpe_train.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/inside.h"

typedef struct place { // a word in which a pair occurs
    uint32_t word;
    uint32_t next; // index + 1 in the list of places; 0: the last
} place;

typedef struct pair {
    int32_t left, right; // left -1: a free slot
    int64_t count;
    uint32_t places; // index + 1 of the first
    bool merged;     // it has its merge already
    bool risen;      // by the merge that is being made
} pair;

typedef struct entry { // of the heap
    int64_t count;
    int32_t left, right;
} entry;

typedef struct work {
    const px_bpe_words *words;
    px_bpe_vocab *vocab;
    int32_t *ids; // of all words, one after the other
    uint64_t *at; // [words->n] where each begins
    uint32_t *n;  // [words->n] how long it is now
    pair *pairs;  // [pair_mask + 1]
    size_t pair_mask, n_pairs;
    place *places;
    size_t n_places, cap_places;
    entry *heap;
    size_t n_heap, cap_heap;
    entry *risen; // pairs that the merge of now has made more frequent
    size_t n_risen, cap_risen;
    px_tokmap_slot *by_text; // [text_mask + 1] tokens by their text
    size_t text_mask;
    px_buf text;
    pith_error *err;
} work;

/* ---- room */

static pith_status no_room(const work *w)
{
    return px_fail_memory(w->err, "the training of a vocabulary");
}

/* ---- pairs */

static size_t pair_hash(int32_t left, int32_t right)
{
    uint64_t x = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (size_t)(x ^ x >> 29);
}

static pair *find_slot(pair *pairs, size_t mask, int32_t left, int32_t right)
{
    size_t at = pair_hash(left, right) & mask;
    while (pairs[at].left >= 0 && (pairs[at].left != left || pairs[at].right != right))
        at = (at + 1) & mask;
    return &pairs[at];
}

static bool grow_pairs(work *w)
{
    size_t n = w->pairs ? (w->pair_mask + 1) * 2 : 1 << 14;
    pair *pairs = px_malloc(n, sizeof *pairs);
    if (!pairs)
        return false;
    for (size_t i = 0; i < n; i++)
        pairs[i] = (pair){.left = -1};
    for (size_t i = 0; w->pairs && i <= w->pair_mask; i++)
        if (w->pairs[i].left >= 0)
            *find_slot(pairs, n - 1, w->pairs[i].left, w->pairs[i].right) = w->pairs[i];
    px_free(w->pairs);
    w->pairs = pairs;
    w->pair_mask = n - 1;
    return true;
}

/* The pair's slot, new if need be; NULL: no memory. */
static pair *get_pair(work *w, int32_t left, int32_t right)
{
    if ((!w->pairs || w->n_pairs * 2 > w->pair_mask) && !grow_pairs(w))
        return NULL;
    pair *p = find_slot(w->pairs, w->pair_mask, left, right);
    if (p->left < 0) {
        *p = (pair){.left = left, .right = right};
        w->n_pairs++;
    }
    return p;
}

static bool add_place(work *w, pair *p, uint32_t word)
{
    if (p->places && w->places[p->places - 1].word == word)
        return true;
    if (w->n_places == w->cap_places) {
        size_t cap = w->cap_places ? w->cap_places * 2 : 1 << 14;
        place *places = cap < UINT32_MAX ? px_realloc(w->places, cap, sizeof *places) : NULL;
        if (!places)
            return false;
        w->places = places;
        w->cap_places = cap;
    }
    w->places[w->n_places] = (place){.word = word, .next = p->places};
    p->places = (uint32_t)++w->n_places;
    return true;
}

/* ---- the heap */

static bool better(const entry *a, const entry *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static bool heap_put(work *w, const pair *p)
{
    if (w->n_heap == w->cap_heap) {
        size_t cap = w->cap_heap ? w->cap_heap * 2 : 1 << 13;
        entry *heap = px_realloc(w->heap, cap, sizeof *heap);
        if (!heap)
            return false;
        w->heap = heap;
        w->cap_heap = cap;
    }
    entry e = {p->count, p->left, p->right};
    size_t i = w->n_heap++;
    for (; i > 0 && better(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
    return true;
}

static entry heap_take(work *w)
{
    entry top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t child = 1; child < w->n_heap; child = 2 * i + 1) {
        if (child + 1 < w->n_heap && better(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!better(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    if (w->n_heap > 0)
        w->heap[i] = last;
    return top;
}

/* ---- the vocabulary */

static int32_t find_token(const work *w, const char *text, size_t n, size_t *slot)
{
    uint32_t hash = (uint32_t)px_text_hash(text, n);
    size_t at = hash & w->text_mask;
    for (; w->by_text[at].id >= 0; at = (at + 1) & w->text_mask) {
        px_str known = w->vocab->tokens[w->by_text[at].id].text;
        if (w->by_text[at].hash == hash && known.len == n && memcmp(known.data, text, n) == 0)
            return w->by_text[at].id;
    }
    *slot = at;
    return -1;
}

/* The id of a text, which becomes a token if it is none; -1: no memory. */
static int32_t token_of(work *w, const char *text, size_t n, px_token_type type)
{
    size_t slot = 0;
    int32_t id = find_token(w, text, n, &slot);
    if (id >= 0)
        return id;
    px_bpe_vocab *v = w->vocab;
    const char *copy = px_arena_strndup(&v->arena, text, n);
    if (!copy)
        return -1;
    id = v->n_tokens++;
    v->tokens[id] = (px_vocab_token){.text = {copy, n}, .type = (uint8_t)type};
    w->by_text[slot] = (px_tokmap_slot){.hash = (uint32_t)px_text_hash(text, n), .id = id};
    return id;
}

static pith_status check(const px_bpe_options *o, pith_error *err)
{
    if (o->n_specials < 0 || o->size > PX_MAX_VOCAB || o->size < 256 + o->n_specials)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a vocabulary of %d tokens is asked for, expected %d (256 bytes and %d "
                       "special tokens) to %d",
                       (int)o->size, (int)(256 + o->n_specials), (int)o->n_specials, PX_MAX_VOCAB);
    for (int32_t i = 0; i < o->n_specials; i++) {
        px_str s = o->specials[i];
        if (s.len < 3 || s.len > PX_MAX_ADDED_BYTES || px_utf8_valid_prefix(s.data, s.len) != s.len)
            return px_fail(err, PITH_E_ARGUMENT,
                           "special token %d is '%.*s', expected 3 to %d bytes of UTF-8", (int)i,
                           PX_STR_ARG(s), PX_MAX_ADDED_BYTES);
        for (int32_t k = 0; k < i; k++)
            if (px_str_eq(s, o->specials[k]))
                return px_fail(err, PITH_E_ARGUMENT, "special token '%.*s' is given twice",
                               PX_STR_ARG(s));
    }
    return PITH_OK;
}

/* Specials, then bytes by the order of their characters: 256 characters below U+0144. */
static bool first_tokens(work *w, const px_bpe_options *o, int32_t *of_byte)
{
    for (int32_t i = 0; i < o->n_specials; i++)
        if (token_of(w, o->specials[i].data, o->specials[i].len, PX_TOKEN_CONTROL) < 0)
            return false;
    for (uint32_t code = 0; code < 512; code++) {
        int byte = px_char_byte(code);
        char text[4];
        if (byte < 0)
            continue;
        int n = px_utf8_put(code, text);
        of_byte[byte] = token_of(w, text, (size_t)n, PX_TOKEN_NORMAL);
        if (of_byte[byte] < 0)
            return false;
    }
    return true;
}

/* ---- counting and merging */

static bool count_pairs(work *w)
{
    for (size_t i = 0; i < w->words->n; i++) {
        const int32_t *ids = w->ids + w->at[i];
        for (uint32_t k = 0; k + 1 < w->n[i]; k++) {
            pair *p = get_pair(w, ids[k], ids[k + 1]);
            if (!p || !add_place(w, p, (uint32_t)i))
                return false;
            p->count += w->words->all[i].count;
        }
    }
    for (size_t i = 0; w->pairs && i <= w->pair_mask; i++)
        if (w->pairs[i].left >= 0 && !heap_put(w, &w->pairs[i]))
            return false;
    return true;
}

static void lose(work *w, int32_t left, int32_t right, int64_t count)
{
    pair *p = find_slot(w->pairs, w->pair_mask, left, right);
    if (p->left >= 0)
        p->count -= count;
}

/* A pair occurs `count` times more, in this word. It enters the heap when the merge is done:
 * entries with counts of on the way would be in vain. */
static bool win(work *w, int32_t left, int32_t right, int64_t count, uint32_t word)
{
    pair *p = get_pair(w, left, right);
    if (!p || !add_place(w, p, word))
        return false;
    p->count += count;
    if (p->risen)
        return true;
    if (w->n_risen == w->cap_risen) {
        size_t cap = w->cap_risen ? w->cap_risen * 2 : 1 << 8;
        entry *risen = px_realloc(w->risen, cap, sizeof *risen);
        if (!risen)
            return false;
        w->risen = risen;
        w->cap_risen = cap;
    }
    p->risen = true;
    w->risen[w->n_risen++] = (entry){.left = left, .right = right};
    return true;
}

static bool heap_put_risen(work *w)
{
    for (size_t i = 0; i < w->n_risen; i++) {
        pair *p = find_slot(w->pairs, w->pair_mask, w->risen[i].left, w->risen[i].right);
        p->risen = false;
        if (!heap_put(w, p))
            return false;
    }
    w->n_risen = 0;
    return true;
}

/* Replaces each left, right in a word by `made`. */
static bool merge_word(work *w, uint32_t word, int32_t left, int32_t right, int32_t made)
{
    int32_t *ids = w->ids + w->at[word];
    int64_t count = w->words->all[word].count;
    uint32_t n = w->n[word], to = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 == n || ids[i] != left || ids[i + 1] != right) {
            ids[to++] = ids[i];
            continue;
        }
        lose(w, left, right, count);
        if (to > 0) {
            lose(w, ids[to - 1], left, count);
            if (!win(w, ids[to - 1], made, count, word))
                return false;
        }
        if (i + 2 < n) {
            lose(w, right, ids[i + 2], count);
            if (!win(w, made, ids[i + 2], count, word))
                return false;
        }
        ids[to++] = made;
        i++;
    }
    w->n[word] = to;
    return true;
}

static pith_status merge_pair(work *w, pair p)
{
    px_bpe_vocab *v = w->vocab;
    px_str left = v->tokens[p.left].text, right = v->tokens[p.right].text;
    px_buf_reset(&w->text);
    px_buf_put(&w->text, left.data, left.len);
    px_buf_put(&w->text, right.data, right.len);
    int32_t made = w->text.failed ? -1 : token_of(w, w->text.data, w->text.len, PX_TOKEN_NORMAL);
    if (made < 0)
        return no_room(w);
    if (!p.merged)
        v->merges[v->n_merges++] = (px_merge){.left = p.left, .right = p.right, .result = made};
    for (uint32_t i = p.places; i; i = w->places[i - 1].next)
        if (!merge_word(w, w->places[i - 1].word, p.left, p.right, made))
            return no_room(w);
    return heap_put_risen(w) ? PITH_OK : no_room(w);
}

static pith_status merge_all(work *w, const px_bpe_options *o)
{
    int64_t least = o->least_count > 0 ? o->least_count : 2;
    int32_t first = w->vocab->n_tokens;
    while (w->vocab->n_tokens < o->size && w->vocab->n_merges < 2 * o->size && w->n_heap > 0) {
        entry top = heap_take(w);
        pair *p = find_slot(w->pairs, w->pair_mask, top.left, top.right);
        if (top.count != p->count) { // it has sunk, or stands higher up already
            if (p->count < top.count && p->count > 0 && !heap_put(w, p))
                return no_room(w);
            continue;
        }
        if (p->count < least)
            break;
        pair now = *p;
        p->merged = true;
        pith_status st = merge_pair(w, now);
        if (st != PITH_OK)
            return st;
        if (o->progress && o->progress(o->user, (uint64_t)(w->vocab->n_tokens - first),
                                       (uint64_t)(o->size - first)) != 0)
            return px_fail(w->err, PITH_E_CANCELLED, "the training of a vocabulary was cancelled");
    }
    return PITH_OK;
}

/* ---- all together */

static void work_clear(work *w)
{
    px_free(w->ids);
    px_free(w->at);
    px_free(w->n);
    px_free(w->pairs);
    px_free(w->places);
    px_free(w->heap);
    px_free(w->risen);
    px_free(w->by_text);
    px_buf_clear(&w->text);
}

static bool prepare(work *w, const px_bpe_options *o)
{
    const px_bpe_words *words = w->words;
    px_bpe_vocab *v = w->vocab;
    size_t n_text = 1024;
    while (n_text < (size_t)o->size * 2)
        n_text *= 2;
    w->text_mask = n_text - 1;
    v->tokens = PX_NEW(&v->arena, px_vocab_token, (size_t)o->size);
    v->merges = PX_NEW(&v->arena, px_merge, (size_t)o->size * 2);
    w->by_text = px_malloc(n_text, sizeof *w->by_text);
    w->ids = px_malloc((size_t)words->n_bytes, sizeof *w->ids);
    w->at = px_malloc(words->n, sizeof *w->at);
    w->n = px_malloc(words->n, sizeof *w->n);
    if (!v->tokens || !v->merges || !w->by_text || !w->ids || !w->at || !w->n)
        return false;
    for (size_t i = 0; i < n_text; i++)
        w->by_text[i].id = -1;
    int32_t of_byte[256];
    if (!first_tokens(w, o, of_byte))
        return false;
    uint64_t at = 0;
    for (size_t i = 0; i < words->n; i++) {
        w->at[i] = at;
        w->n[i] = words->all[i].n;
        for (uint32_t k = 0; k < w->n[i]; k++)
            w->ids[at++] = of_byte[words->all[i].text[k]];
    }
    return true;
}

pith_status px_bpe_train(const px_bpe_words *words, const px_bpe_options *options,
                         px_bpe_vocab *out, pith_error *err)
{
    px_error_clear(err);
    *out = (px_bpe_vocab){0};
    px_arena_init(&out->arena, 1 << 18, 0);
    work w = {.words = words, .vocab = out, .err = err};
    pith_status st = check(options, err);
    if (st == PITH_OK && (!prepare(&w, options) || !count_pairs(&w)))
        st = no_room(&w);
    if (st == PITH_OK)
        st = merge_all(&w, options);
    work_clear(&w);
    if (st != PITH_OK)
        px_bpe_vocab_clear(out);
    return st;
}

void px_bpe_vocab_clear(px_bpe_vocab *v)
{
    px_arena_clear(&v->arena);
    *v = (px_bpe_vocab){0};
}

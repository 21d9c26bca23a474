/* tokmap: see tokmap.h. Threads: a built map is read-only. */
#include "text/tokmap.h"

#include "base/mem.h"
#include "text/jtree.h"

/* Odd constants with well-spread bits (digits of pi's and e's fractions). */
#define MIX_A UINT64_C(0x243f6a8885a308d3)
#define MIX_B UINT64_C(0xb7e151628aed2a6b)

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t px_text_hash(const char *text, size_t n)
{
    uint64_t h = MIX_A ^ n, v;
    while (n >= 8) {
        memcpy(&v, text, 8);
        h = mix(h ^ v, MIX_B);
        text += 8;
        n -= 8;
    }
    v = 0;
    if (n)
        memcpy(&v, text, n);
    return mix(h ^ v, MIX_B) ^ (h >> 32);
}

static bool is_text(const px_vocab_token *token, const char *text, size_t n)
{
    return token->text.len == n && memcmp(token->text.data, text, n) == 0;
}

pith_status px_tokmap_build(px_tokmap *map, px_arena *arena, const px_vocab_token *tokens,
                            int32_t n_tokens, pith_error *err)
{
    size_t n_slots = 16;
    while (n_slots < (size_t)n_tokens * 2)
        n_slots *= 2;
    px_tokmap_slot *slots = PX_NEW(arena, px_tokmap_slot, n_slots);
    if (!slots)
        return px_no_room(arena, n_slots * sizeof *slots, "the index of the vocabulary", err);
    memset(slots, 0xff, n_slots * sizeof *slots);
    uint32_t mask = (uint32_t)(n_slots - 1);
    for (int32_t id = 0; id < n_tokens; id++) {
        px_str text = tokens[id].text;
        if (text.len == 0)
            continue;
        uint32_t hash = (uint32_t)px_text_hash(text.data, text.len);
        uint32_t at = hash & mask;
        for (int probes = 0; slots[at].id >= 0; probes++) {
            if (slots[at].hash == hash && is_text(&tokens[slots[at].id], text.data, text.len))
                return px_fail(err, PITH_E_FORMAT, "tokens %d and %d are both \"%.*s\"",
                               (int)slots[at].id, (int)id, PX_STR_ARG(text));
            if (probes > PX_MAX_PROBES)
                return px_fail(err, PITH_E_LIMIT,
                               "the texts of the vocabulary collide more than any natural ones do");
            at = (at + 1) & mask;
        }
        slots[at] = (px_tokmap_slot){.hash = hash, .id = id};
    }
    *map = (px_tokmap){.slots = slots, .mask = mask};
    return PITH_OK;
}

pith_status px_tokmap_copy(px_tokmap *to, px_arena *arena, const px_tokmap *from, pith_error *err)
{
    size_t n = (size_t)from->mask + 1;
    to->slots = PX_NEW(arena, px_tokmap_slot, n);
    if (!to->slots)
        return px_fail_memory(err, "the index of the vocabulary");
    memcpy(to->slots, from->slots, n * sizeof *to->slots);
    to->mask = from->mask;
    return PITH_OK;
}

static inline int32_t find_hashed(const px_tokmap *map, const px_vocab_token *tokens, uint32_t hash,
                                  const char *text, size_t n)
{
    for (uint32_t at = hash & map->mask;; at = (at + 1) & map->mask) {
        px_tokmap_slot slot = map->slots[at];
        if (slot.id < 0)
            return -1;
        if (slot.hash == hash && is_text(&tokens[slot.id], text, n))
            return slot.id;
    }
}

int32_t px_tokmap_find(const px_tokmap *map, const px_vocab_token *tokens, const char *text,
                       size_t n)
{
    if (!map->slots || n == 0)
        return -1;
    return find_hashed(map, tokens, (uint32_t)px_text_hash(text, n), text, n);
}

/* ---- merges */

static pith_status no_token(const px_merge_text *merge, px_str text, pith_error *err)
{
    return px_fail(err, PITH_E_FORMAT, "merge of \"%.*s\" and \"%.*s\": \"%.*s\" is no token",
                   PX_STR_ARG(merge->left), PX_STR_ARG(merge->right), PX_STR_ARG(text));
}

/* Whether the token's text is left and right together. */
static bool is_joined(const px_vocab_token *token, const px_merge_text *merge)
{
    return token->text.len == merge->left.len + merge->right.len &&
           memcmp(token->text.data, merge->left.data, merge->left.len) == 0 &&
           memcmp(token->text.data + merge->left.len, merge->right.data, merge->right.len) == 0;
}

static pith_status find_joined(const px_tokmap *map, const px_vocab_token *tokens,
                               const px_merge_text *merge, int32_t *id, pith_error *err)
{
    char small[256];
    char *text = small;
    size_t n = merge->left.len + merge->right.len;
    if (n > sizeof small && !(text = px_malloc(n, 1)))
        return px_fail_memory(err, "a merge");
    memcpy(text, merge->left.data, merge->left.len);
    memcpy(text + merge->left.len, merge->right.data, merge->right.len);
    *id = px_tokmap_find(map, tokens, text, n);
    pith_status st = PITH_OK;
    if (*id < 0)
        st = no_token(merge, (px_str){.data = text, .len = n}, err);
    if (text != small)
        px_free(text);
    return st;
}

/* What a text is looked up with, fetched ahead. */
static inline uint32_t fetch_slot(const px_tokmap *map, px_str text)
{
    uint32_t hash = (uint32_t)px_text_hash(text.data, text.len);
    __builtin_prefetch(&map->slots[hash & map->mask]);
    return hash;
}

static inline void fetch_token(const px_tokmap *map, const px_vocab_token *tokens, uint32_t hash)
{
    int32_t id = map->slots[hash & map->mask].id;
    if (id >= 0)
        __builtin_prefetch(&tokens[id]);
}

static inline void fetch_text(const px_tokmap *map, const px_vocab_token *tokens, uint32_t hash)
{
    int32_t id = map->slots[hash & map->mask].id;
    if (id >= 0)
        __builtin_prefetch(tokens[id].text.data);
}

static pith_status find_part(const px_tokmap *map, const px_vocab_token *tokens,
                             const px_merge_text *merge, px_str part, uint32_t hash, int32_t *id,
                             pith_error *err)
{
    *id = part.len ? find_hashed(map, tokens, hash, part.data, part.len) : -1;
    return *id >= 0 ? PITH_OK : no_token(merge, part, err);
}

pith_status px_tokmap_merges(const px_tokmap *map, const px_vocab_token *tokens, int32_t n_tokens,
                             const px_merge_text *texts, int n, int32_t *last, px_merge *out,
                             int *failed, pith_error *err)
{
    uint32_t hash[PX_MERGE_BATCH][2];
    for (int i = 0; i < n; i++) {
        hash[i][0] = fetch_slot(map, texts[i].left);
        hash[i][1] = fetch_slot(map, texts[i].right);
    }
    for (int i = 0; i < 2 * n; i++)
        fetch_token(map, tokens, hash[i / 2][i % 2]);
    for (int i = 0; i < 2 * n; i++)
        fetch_text(map, tokens, hash[i / 2][i % 2]);
    pith_status st = PITH_OK;
    for (int i = 0; i < n && st == PITH_OK; i++) {
        const px_merge_text *merge = &texts[i];
        *failed = i;
        st = find_part(map, tokens, merge, merge->left, hash[i][0], &out[i].left, err);
        if (st == PITH_OK)
            st = find_part(map, tokens, merge, merge->right, hash[i][1], &out[i].right, err);
        if (st != PITH_OK)
            break;
        if (*last >= 0 && is_joined(&tokens[*last], merge))
            out[i].result = *last;
        else if (*last + 1 < n_tokens && is_joined(&tokens[*last + 1], merge))
            out[i].result = *last + 1;
        else
            st = find_joined(map, tokens, merge, &out[i].result, err);
        *last = out[i].result;
    }
    return st;
}

/* grammar_mask: see grammar_mask.h. */
#include "text/grammar_mask.h"

#include "base/mem.h"
#include "text/grammar_build.h"

#include <stdlib.h>

#define NONE     UINT32_MAX // no set of nodes
#define DEAD     UINT32_MAX // no successor
#define HARD_CAP (4 * (size_t)PX_MAX_GRAMMAR_CACHE)

enum { FIRST_TABLE = 256, BASE_NODE = 1 };

struct px_gmask {
    uint32_t state, popset; // key
    uint32_t out;           // nodes at which the rule ended
    uint32_t n_ids;         // sparse: ids; dense: bits
    int32_t *ids;
    uint64_t *bits;
};

struct px_gconfig {
    px_gitem *items;
    uint32_t n;
    bool popped;   // the rule at the base has ended
    uint32_t *row; // [n_classes] successor, or DEAD; NULL: not made yet
};

struct px_gpopset {
    uint32_t *nodes; // ascending
    uint32_t n, hash;
};

struct px_gplace {
    uint32_t state, node, popset;
};

/* A way on from a configuration, for one class of bytes. */
typedef struct step {
    uint32_t class, to, node;
} step;

static pith_status no_memory(pith_error *err)
{
    return px_fail_memory(err, "the masks of a grammar");
}

static bool make_base(px_gmasks *m)
{
    px_gitem base = {.state = PX_GRET_BASE};
    return px_gset_node(&m->set, &base, 1) == BASE_NODE;
}

pith_status px_gmasks_init(px_gmasks *m, const px_gnet *net, const px_gvocab *vocab,
                           pith_error *err)
{
    *m = (px_gmasks){.net = net, .vocab = vocab};
    pith_status st = px_gset_init(&m->set, net, false, err);
    if (st != PITH_OK)
        return st;
    m->mask_table = px_calloc(FIRST_TABLE, sizeof *m->mask_table);
    m->config_table = px_calloc(FIRST_TABLE, sizeof *m->config_table);
    m->mask_table_size = m->config_table_size = FIRST_TABLE;
    m->bits = px_calloc(vocab->n_words, sizeof *m->bits);
    m->ids = px_malloc((size_t)vocab->n_words + 1, sizeof *m->ids);
    m->popsets = px_calloc(1, sizeof *m->popsets);
    m->cap_popsets = 1;
    if (m->popsets)
        m->popsets[0].nodes = px_calloc(1, sizeof *m->popsets[0].nodes); // the root
    if (m->mask_table && m->config_table && m->bits && m->ids && m->popsets &&
        m->popsets[0].nodes && make_base(m)) {
        m->popsets[0].n = 1;
        m->n_popsets = 1;
        return PITH_OK;
    }
    px_gmasks_clear(m);
    return no_memory(err);
}

/* Forgets what was computed, all but popset 0. */
static void forget(px_gmasks *m)
{
    for (uint32_t i = 0; i < m->n_masks; i++) {
        px_free(m->masks[i].ids);
        px_free(m->masks[i].bits);
    }
    for (uint32_t i = 0; i < m->n_configs; i++) {
        px_free(m->configs[i].items);
        px_free(m->configs[i].row);
    }
    for (uint32_t i = 1; i < m->n_popsets; i++)
        px_free(m->popsets[i].nodes);
    m->n_masks = m->n_configs = 0;
    m->n_popsets = m->n_popsets > 0 ? 1 : 0;
    m->bytes = 0;
}

static pith_status reset(px_gmasks *m, pith_error *err)
{
    forget(m);
    memset(m->mask_table, 0, m->mask_table_size * sizeof *m->mask_table);
    memset(m->config_table, 0, m->config_table_size * sizeof *m->config_table);
    px_gset_reset(&m->set);
    return make_base(m) ? PITH_OK : no_memory(err);
}

void px_gmasks_clear(px_gmasks *m)
{
    forget(m);
    if (m->popsets)
        px_free(m->popsets[0].nodes);
    px_gset_clear(&m->set);
    px_free(m->masks);
    px_free(m->configs);
    px_free(m->popsets);
    px_free(m->mask_table);
    px_free(m->config_table);
    px_free(m->bits);
    px_free(m->ids);
    px_free(m->pops);
    px_free(m->todo);
    px_free(m->place_table);
    px_free(m->steps);
    px_gitems_clear(&m->items);
    *m = (px_gmasks){0};
}

static pith_status count_bytes(px_gmasks *m, size_t bytes, pith_error *err)
{
    m->bytes += bytes;
    if (m->bytes <= HARD_CAP)
        return PITH_OK;
    return px_fail(
        err, PITH_E_LIMIT,
        "the grammar allows too much at once: the set of tokens that may come next takes "
        "more than %zu MiB to find; make its rules simpler",
        HARD_CAP >> 20);
}

/* ---- the machine */

static uint32_t hash_config(const px_gitem *items, uint32_t n, bool popped)
{
    uint64_t h = 2 * (uint64_t)n + popped;
    for (uint32_t i = 0; i < n; i++) {
        h ^= ((uint64_t)items[i].state << 32) | items[i].node;
        h *= UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 29;
    }
    return (uint32_t)(h ^ (h >> 32));
}

static bool grow_configs(px_gmasks *m)
{
    uint32_t size = 2 * m->config_table_size;
    uint32_t *table = px_calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < m->n_configs; i++) {
        const px_gconfig *c = &m->configs[i];
        uint32_t at = hash_config(c->items, c->n, c->popped) & (size - 1);
        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    px_free(m->config_table);
    m->config_table = table;
    m->config_table_size = size;
    return true;
}

/* The configuration of these items, or DEAD when there is nothing in it. */
static pith_status find_config(px_gmasks *m, const px_gitems *in, uint32_t *out, pith_error *err)
{
    *out = DEAD;
    if (in->n == 0 && !in->whole)
        return PITH_OK;
    if (2 * (m->n_configs + 1) > m->config_table_size && !grow_configs(m))
        return no_memory(err);
    uint32_t mask = m->config_table_size - 1;
    uint32_t at = hash_config(in->items, in->n, in->whole) & mask;
    for (; m->config_table[at] != 0; at = (at + 1) & mask) {
        const px_gconfig *c = &m->configs[m->config_table[at] - 1];
        if (c->n == in->n && c->popped == in->whole &&
            (c->n == 0 || memcmp(c->items, in->items, c->n * sizeof *c->items) == 0)) {
            *out = m->config_table[at] - 1;
            return PITH_OK;
        }
    }
    if (!px_gvec_room(&m->configs, &m->cap_configs, (size_t)m->n_configs + 1, sizeof *m->configs))
        return no_memory(err);
    px_gconfig *c = &m->configs[m->n_configs];
    *c = (px_gconfig){.n = in->n, .popped = in->whole};
    c->items = px_malloc((size_t)in->n + 1, sizeof *c->items);
    if (!c->items)
        return no_memory(err);
    if (in->n > 0)
        memcpy(c->items, in->items, in->n * sizeof *c->items);
    *out = m->n_configs++;
    m->config_table[at] = *out + 1;
    return count_bytes(m, sizeof *c + 32 + in->n * sizeof *c->items, err);
}

static int by_class(const void *a, const void *b)
{
    const step *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

/* Lists the ways on by class of bytes, in m->steps. */
static bool list_steps(px_gmasks *m, uint32_t *n_steps)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->set.n_moves; i++) {
        const px_gmove *move = &m->set.moves[i];
        if (move->edge.kind != PX_GEDGE_BYTE)
            continue;
        uint32_t lo = m->net->class_of[move->edge.lo], hi = m->net->class_of[move->edge.hi];
        if (!px_gvec_room(&m->steps, &m->cap_steps, n + hi - lo + 1, sizeof(step)))
            return false;
        for (uint32_t c = lo; c <= hi; c++)
            ((step *)m->steps)[n++] = (step){.class = c, .to = move->edge.to, .node = move->node};
    }
    if (n > 1)
        qsort(m->steps, n, sizeof(step), by_class);
    *n_steps = (uint32_t)n;
    return true;
}

static bool same_steps(const step *a, const step *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (a[i].to != b[i].to || a[i].node != b[i].node)
            return false;
    return true;
}

static pith_status take_class(px_gmasks *m, const step *steps, uint32_t n, uint32_t *to,
                              pith_error *err)
{
    m->set.raw.n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!px_gset_put(&m->set, steps[i].to, steps[i].node))
            return no_memory(err);
    pith_status st = px_gset_settle(&m->set, &m->items, err);
    return st == PITH_OK ? find_config(m, &m->items, to, err) : st;
}

static pith_status make_row(px_gmasks *m, uint32_t config, pith_error *err)
{
    px_gitems in = {.items = m->configs[config].items, .n = m->configs[config].n};
    uint32_t n_classes = m->net->n_classes, n = 0;
    uint32_t *row = px_malloc(n_classes, sizeof *row);
    if (!row)
        return no_memory(err);
    m->configs[config].row = row;
    memset(row, 0xff, n_classes * sizeof *row);
    pith_status st = count_bytes(m, n_classes * sizeof *row, err);
    if (st == PITH_OK)
        st = px_gset_expand(&m->set, &in, err);
    if (st == PITH_OK && !list_steps(m, &n))
        st = no_memory(err);
    const step *steps = m->steps, *before = NULL;
    uint32_t n_before = 0;
    for (uint32_t i = 0; i < n && st == PITH_OK;) {
        uint32_t first = i, class = steps[i].class;
        while (i < n && steps[i].class == class)
            i++;
        if (before && n_before == i - first && same_steps(before, steps + first, n_before))
            row[class] = row[before->class];
        else
            st = take_class(m, steps + first, i - first, &row[class], err);
        before = steps + first;
        n_before = i - first;
    }
    return st;
}

/* ---- what a walk finds: tokens as bits, and as a list while they are few */

static void clear_bits(px_gmasks *m)
{
    if (!m->listed)
        memset(m->bits, 0, m->vocab->n_words * sizeof *m->bits);
    for (uint32_t i = 0; m->listed && i < m->n_ids; i++)
        m->bits[(uint32_t)m->ids[i] / 64] = 0;
    m->listed = true;
    m->n_ids = 0;
}

static void put_id(px_gmasks *m, int32_t id)
{
    uint64_t bit = UINT64_C(1) << (id % 64), *word = &m->bits[(uint32_t)id / 64];
    if (*word & bit)
        return;
    *word |= bit;
    if (m->n_ids == m->vocab->n_words)
        m->listed = false;
    if (m->listed)
        m->ids[m->n_ids++] = id;
}

/* ---- walks */

static bool put_pop(px_gmasks *m, uint32_t node)
{
    if (!px_gvec_room(&m->pops, &m->cap_pops, (size_t)m->n_pops + 1, sizeof *m->pops))
        return false;
    m->pops[m->n_pops++] = node;
    return true;
}

/* Walks the tree below node t from a configuration: tokens of more than `least` bytes go to
 * m->bits, nodes deeper than that at which the rule ends to m->pops. */
static pith_status walk(px_gmasks *m, uint32_t config, uint32_t t, uint32_t least, pith_error *err)
{
    const px_gvocab *v = m->vocab;
    uint32_t at[PX_GVOCAB_LONGEST + 1]; // configuration by depth
    at[v->depth[t]] = config;
    for (uint32_t i = t + 1; i < v->next[t];) {
        if (v->longest[i] <= least) {
            i = v->next[i];
            continue;
        }
        uint32_t d = v->depth[i], from = at[d - 1];
        if (!m->configs[from].row) {
            pith_status st = make_row(m, from, err);
            if (st != PITH_OK)
                return st;
        }
        uint32_t to = m->configs[from].row[m->net->class_of[v->byte[i]]];
        if (to == DEAD) {
            i = v->next[i];
            continue;
        }
        at[d] = to;
        const px_gconfig *c = &m->configs[to];
        if (d > least) {
            for (uint32_t k = v->first_id[i]; k < v->first_id[i + 1]; k++)
                put_id(m, v->ids[k]);
            if (c->popped && px_gvocab_has_below(v, i) && !put_pop(m, i))
                return no_memory(err);
        }
        i = c->n > 0 ? i + 1 : v->next[i];
    }
    return PITH_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The set of nodes m->pops, NONE when there are none. */
static pith_status find_popset(px_gmasks *m, uint32_t *out, pith_error *err)
{
    *out = NONE;
    if (m->n_pops == 0)
        return PITH_OK;
    qsort(m->pops, m->n_pops, sizeof *m->pops, by_number);
    uint32_t n = 1;
    for (uint32_t i = 1; i < m->n_pops; i++)
        if (m->pops[i] != m->pops[n - 1])
            m->pops[n++] = m->pops[i];
    uint32_t hash = n;
    for (uint32_t i = 0; i < n; i++)
        hash = (hash ^ m->pops[i]) * UINT32_C(0x9e3779b1);
    for (uint32_t i = 1; i < m->n_popsets; i++)
        if (m->popsets[i].hash == hash && m->popsets[i].n == n &&
            memcmp(m->popsets[i].nodes, m->pops, n * sizeof *m->pops) == 0) {
            *out = i;
            return PITH_OK;
        }
    if (!px_gvec_room(&m->popsets, &m->cap_popsets, (size_t)m->n_popsets + 1, sizeof *m->popsets))
        return no_memory(err);
    uint32_t *nodes = px_malloc(n, sizeof *nodes);
    if (!nodes)
        return no_memory(err);
    memcpy(nodes, m->pops, n * sizeof *nodes);
    m->popsets[m->n_popsets] = (px_gpopset){.nodes = nodes, .n = n, .hash = hash};
    *out = m->n_popsets++;
    return count_bytes(m, n * sizeof *nodes, err);
}

/* ---- masks of states */

static uint32_t hash_key(uint32_t state, uint32_t popset)
{
    uint64_t h = (((uint64_t)state << 32) | popset) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(h >> 32);
}

static bool grow_masks(px_gmasks *m)
{
    uint32_t size = 2 * m->mask_table_size;
    uint32_t *table = px_calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < m->n_masks; i++) {
        uint32_t at = hash_key(m->masks[i].state, m->masks[i].popset) & (size - 1);
        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    px_free(m->mask_table);
    m->mask_table = table;
    m->mask_table_size = size;
    return true;
}

/* Special tokens come where an edge says so, not by their bytes. */
static pith_status put_symbols(px_gmasks *m, uint32_t config, pith_error *err)
{
    const px_gnet *net = m->net;
    for (uint32_t i = 0; i < net->n_symbols; i++)
        m->bits[(uint32_t)net->symbols[i] / 64] &= ~(UINT64_C(1) << (net->symbols[i] % 64));
    if (net->n_symbols == 0 || config == DEAD)
        return PITH_OK;
    px_gitems in = {.items = m->configs[config].items, .n = m->configs[config].n};
    pith_status st = px_gset_expand(&m->set, &in, err);
    for (uint32_t i = 0; st == PITH_OK && i < m->set.n_moves; i++)
        if (m->set.moves[i].edge.kind == PX_GEDGE_TOKEN)
            put_id(m, net->symbols[m->set.moves[i].edge.what]);
    return st;
}

static void add_mask(const px_gmask *mask, uint32_t n_words, uint64_t *bits)
{
    if (mask->bits)
        for (uint32_t i = 0; i < n_words; i++)
            bits[i] |= mask->bits[i];
    else
        for (uint32_t i = 0; i < mask->n_ids; i++)
            bits[(uint32_t)mask->ids[i] / 64] |= UINT64_C(1) << (mask->ids[i] % 64);
}

/* Lists the tokens of m->bits; false where there are more than n_words of them. */
static bool list_ids(px_gmasks *m)
{
    uint32_t n_words = m->vocab->n_words, n = 0;
    for (uint32_t i = 0; m->listed && i < m->n_ids; i++) // some were taken out again
        if (m->bits[(uint32_t)m->ids[i] / 64] >> (m->ids[i] % 64) & 1)
            m->ids[n++] = m->ids[i];
    for (uint32_t i = 0; !m->listed && i < n_words; i++)
        for (uint64_t w = m->bits[i]; w != 0; w &= w - 1) {
            if (n == n_words)
                return false;
            m->ids[n++] = (int32_t)(64 * i + (uint32_t)__builtin_ctzll(w));
        }
    m->listed = true;
    m->n_ids = n;
    return true;
}

/* Keeps m->bits as the mask's, as a list where that is shorter. */
static pith_status store_bits(px_gmasks *m, px_gmask *mask, pith_error *err)
{
    uint32_t n_words = m->vocab->n_words;
    if (!list_ids(m)) {
        mask->bits = px_malloc(n_words, sizeof *mask->bits);
        if (!mask->bits)
            return no_memory(err);
        memcpy(mask->bits, m->bits, n_words * sizeof *mask->bits);
        return count_bytes(m, n_words * sizeof *mask->bits, err);
    }
    mask->ids = px_malloc((size_t)m->n_ids + 1, sizeof *mask->ids);
    if (!mask->ids)
        return no_memory(err);
    if (m->n_ids > 0)
        memcpy(mask->ids, m->ids, m->n_ids * sizeof *mask->ids);
    mask->n_ids = m->n_ids;
    return count_bytes(m, 64 + m->n_ids * sizeof *mask->ids, err);
}

static pith_status find_mask(px_gmasks *m, uint32_t state, uint32_t popset, uint32_t *out,
                             pith_error *err);

/* Where a chain stands far from its end, the loop that stands in for it tells about short tokens,
 * and only the longer ones are walked. */
static pith_status use_stand_in(px_gmasks *m, uint32_t state, uint32_t *least, pith_error *err)
{
    uint32_t safe = m->net->safe[state], loop;
    *least = 0;
    if (m->net->stand_in[state] == state || safe == 0)
        return PITH_OK;
    pith_status st = find_mask(m, m->net->stand_in[state], 0, &loop, err);
    if (st != PITH_OK)
        return st;
    *least = safe < PX_GVOCAB_SHORT ? safe : PX_GVOCAB_SHORT;
    if (safe >= m->vocab->longest[0])
        *least = m->vocab->longest[0];
    const px_gvocab *v = m->vocab;
    m->listed = false;
    clear_bits(m);
    m->listed = false;
    add_mask(&m->masks[loop], v->n_words, m->bits);
    if (*least <= PX_GVOCAB_SHORT)
        for (uint32_t i = 0; i < v->n_words; i++)
            m->bits[i] &= v->short_of[*least * (size_t)v->n_words + i];
    m->n_pops = 0;
    uint32_t pops = m->masks[loop].out;
    for (uint32_t i = 0; pops != NONE && i < m->popsets[pops].n; i++)
        if (v->depth[m->popsets[pops].nodes[i]] <= *least && !put_pop(m, m->popsets[pops].nodes[i]))
            return no_memory(err);
    return PITH_OK;
}

static pith_status compute(px_gmasks *m, uint32_t state, uint32_t popset, px_gmask *mask,
                           pith_error *err)
{
    uint32_t least = 0, config = DEAD;
    clear_bits(m);
    m->n_pops = 0;
    pith_status st = popset == 0 ? use_stand_in(m, state, &least, err) : PITH_OK;
    if (st == PITH_OK)
        st = px_gset_begin(&m->set, (px_gitem){.state = state, .node = BASE_NODE}, &m->items, err);
    /* At a token's beginning, returns that are due have been made. */
    bool whole = m->items.whole;
    m->items.whole = false;
    if (st == PITH_OK)
        st = find_config(m, &m->items, &config, err);
    for (uint32_t i = 0; st == PITH_OK && i < m->popsets[popset].n; i++) {
        uint32_t t = m->popsets[popset].nodes[i];
        if (popset != 0 && whole && !put_pop(m, t))
            st = no_memory(err);
        if (st == PITH_OK && config != DEAD && m->vocab->longest[t] > least)
            st = walk(m, config, t, least, err);
    }
    if (st == PITH_OK)
        st = put_symbols(m, popset == 0 ? config : DEAD, err);
    if (st == PITH_OK)
        st = find_popset(m, &mask->out, err);
    return st == PITH_OK ? store_bits(m, mask, err) : st;
}

static pith_status find_mask(px_gmasks *m, uint32_t state, uint32_t popset, uint32_t *out,
                             pith_error *err)
{
    uint32_t at = hash_key(state, popset) & (m->mask_table_size - 1);
    for (; m->mask_table[at] != 0; at = (at + 1) & (m->mask_table_size - 1)) {
        const px_gmask *mask = &m->masks[m->mask_table[at] - 1];
        if (mask->state == state && mask->popset == popset) {
            *out = m->mask_table[at] - 1;
            return PITH_OK;
        }
    }
    px_gmask mask = {.state = state, .popset = popset, .out = NONE};
    pith_status st = compute(m, state, popset, &mask, err);
    if (st == PITH_OK &&
        ((2 * (m->n_masks + 1) > m->mask_table_size && !grow_masks(m)) ||
         !px_gvec_room(&m->masks, &m->cap_masks, (size_t)m->n_masks + 1, sizeof *m->masks)))
        st = no_memory(err);
    if (st != PITH_OK) {
        px_free(mask.bits);
        px_free(mask.ids);
        return st;
    }
    at = hash_key(state, popset) & (m->mask_table_size - 1); // a stand-in may have come meanwhile
    while (m->mask_table[at] != 0)
        at = (at + 1) & (m->mask_table_size - 1);
    m->masks[m->n_masks] = mask;
    *out = m->n_masks++;
    m->mask_table[at] = *out + 1;
    return PITH_OK;
}

/* ---- masks of places */

static uint32_t hash_place(const px_gplace *p)
{
    uint64_t h = (((uint64_t)p->state << 32) | p->node) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ (h >> 32) ^ p->popset) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

/* Empties the table of places and makes it fit n of them. */
static bool clear_places(px_gmasks *m, uint32_t n)
{
    uint32_t size = m->place_table_size ? m->place_table_size : 64;
    while (size < 4 * n)
        size *= 2;
    if (size != m->place_table_size) {
        px_free(m->place_table);
        m->place_table = px_malloc(size, sizeof *m->place_table);
        m->place_table_size = m->place_table ? size : 0;
    }
    if (m->place_table)
        memset(m->place_table, 0, size * sizeof *m->place_table);
    return m->place_table != NULL;
}

/* Enters place i into the table; false when its like is there. */
static bool enter_place(px_gmasks *m, uint32_t i)
{
    const px_gplace *p = &m->todo[i];
    uint32_t mask = m->place_table_size - 1, at = hash_place(p) & mask;
    for (; m->place_table[at] != 0; at = (at + 1) & mask) {
        const px_gplace *q = &m->todo[m->place_table[at] - 1];
        if (q->state == p->state && q->node == p->node && q->popset == p->popset)
            return false;
    }
    m->place_table[at] = i + 1;
    return true;
}

/* Adds a place unless it is listed. */
static pith_status put_place(px_gmasks *m, uint32_t *n, px_gplace place, pith_error *err)
{
    if (!px_gvec_room(&m->todo, &m->cap_todo, (size_t)*n + 1, sizeof *m->todo))
        return no_memory(err);
    if (2 * (*n + 1) > m->place_table_size) {
        if (!clear_places(m, *n + 1))
            return no_memory(err);
        for (uint32_t i = 0; i < *n; i++)
            enter_place(m, i);
    }
    m->todo[*n] = place;
    *n += enter_place(m, *n);
    if (++m->set.work <= m->set.most_work)
        return PITH_OK;
    return px_fail(err, PITH_E_LIMIT,
                   "the grammar is too ambiguous: too many ways lead on from here; make its rules "
                   "say one thing in one way");
}

pith_status px_gmasks_get(px_gmasks *m, const px_gset *set, const px_gitems *items, uint64_t *bits,
                          pith_error *err)
{
    pith_status st = m->bytes > PX_MAX_GRAMMAR_CACHE ? reset(m, err) : PITH_OK;
    uint32_t n = 0;
    m->set.work = 0;
    if (st == PITH_OK && !clear_places(m, 0))
        st = no_memory(err);
    memset(bits, 0, m->vocab->n_words * sizeof *bits);
    for (uint32_t i = 0; i < items->n && st == PITH_OK; i++)
        st = put_place(
            m, &n, (px_gplace){.state = items->items[i].state, .node = items->items[i].node}, err);
    for (uint32_t i = 0; i < n && st == PITH_OK; i++) {
        px_gplace place = m->todo[i];
        uint32_t found;
        st = find_mask(m, place.state, place.popset, &found, err);
        if (st != PITH_OK)
            break;
        add_mask(&m->masks[found], m->vocab->n_words, bits);
        uint32_t out = m->masks[found].out;
        if (out == NONE)
            continue;
        px_gnode node = set->nodes[place.node];
        for (uint32_t k = node.first; k < node.first + node.n && st == PITH_OK; k++)
            if (set->entries[k].state < PX_GRET_BASE)
                st = put_place(m, &n,
                               (px_gplace){.state = set->entries[k].state,
                                           .node = set->entries[k].node,
                                           .popset = out},
                               err);
    }
    if (st != PITH_OK && reset(m, NULL) != PITH_OK)
        m->bytes = HARD_CAP; // tried again at the next call
    return st;
}

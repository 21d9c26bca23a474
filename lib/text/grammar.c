/* grammar: see grammar.h. */
#include "text/grammar.h"

#include "base/mem.h"
#include "text/grammar_gbnf.h"
#include "text/grammar_json.h"
#include "text/grammar_regex.h"
#include "text/grammar_schema.h"

#include <pthread.h>

enum { COMPACT_FROM = 1 << 14 };

struct px_grammar {
    px_gnet net;
    const px_gvocab *vocab;
    pthread_mutex_t lock; // guards masks; rank: below all others, nothing is called out under it
    px_gmasks masks;
    bool has_lock, has_masks;
};

static pith_status put_root(px_grules *rules, const px_gexpr *body, uint32_t *root, pith_error *err)
{
    *root = px_grules_add(rules, (px_str){.data = "root", .len = 4});
    if (*root != UINT32_MAX)
        rules->rules[*root].body = body;
    return px_grules_status(rules, err);
}

static pith_status read_rules(px_grules *rules, px_grammar_kind kind, const char *name, px_str text,
                              uint32_t *root, pith_error *err)
{
    const px_gexpr *body = NULL;
    pith_status st;
    if (text.len > PX_MAX_GRAMMAR_BYTES)
        return px_fail(err, PITH_E_LIMIT, "%s: the grammar has %zu bytes, at most %u are read",
                       name, text.len, PX_MAX_GRAMMAR_BYTES);
    switch (kind) {
    case PX_GRAMMAR_GBNF:
        return px_gbnf_read(rules, name, text, root, err);
    case PX_GRAMMAR_JSON:
        return px_gjson_object(rules, root, err);
    case PX_GRAMMAR_SCHEMA:
        return px_gschema_read(rules, name, text, root, err);
    case PX_GRAMMAR_REGEX:
        st = px_gregex_read(rules, name, text, PX_GREGEX_WHOLE, &body, err);
        return st == PITH_OK ? put_root(rules, body, root, err) : st;
    case PX_GRAMMAR_CHOICE:
        st = px_gchoice_read(rules, name, text, &body, err);
        return st == PITH_OK ? put_root(rules, body, root, err) : st;
    }
    return px_fail(err, PITH_E_ARGUMENT, "%s: a grammar of unknown kind %d", name, (int)kind);
}

static pith_status compile(px_grammar *g, px_grammar_kind kind, const char *name, px_str text,
                           pith_error *err)
{
    px_grules rules;
    uint32_t root = 0;
    px_grules_init(&rules, g->vocab ? g->vocab->tok : NULL);
    pith_status st = read_rules(&rules, kind, name, text, &root, err);
    if (st == PITH_OK)
        st = px_gnet_build(&rules, root, name, &g->net, err);
    px_grules_clear(&rules);
    return st;
}

pith_status px_grammar_new(const px_gvocab *vocab, px_grammar_kind kind, const char *name,
                           px_str text, px_grammar **out, pith_error *err)
{
    *out = NULL;
    px_grammar *g = px_calloc(1, sizeof *g);
    if (!g)
        return px_fail_memory(err, "a grammar");
    g->vocab = vocab;
    pith_status st = compile(g, kind, name, text, err);
    if (st == PITH_OK && vocab) {
        st = px_gmasks_init(&g->masks, &g->net, vocab, err);
        g->has_masks = st == PITH_OK;
    }
    if (st == PITH_OK) {
        int code = pthread_mutex_init(&g->lock, NULL);
        g->has_lock = code == 0;
        if (code != 0)
            st = px_fail_errno(err, code, "%s: making the lock of a grammar", name);
    }
    if (st != PITH_OK) {
        px_grammar_free(g);
        return st;
    }
    *out = g;
    return PITH_OK;
}

void px_grammar_free(px_grammar *g)
{
    if (!g)
        return;
    if (g->has_masks)
        px_gmasks_clear(&g->masks);
    if (g->has_lock)
        pthread_mutex_destroy(&g->lock);
    px_gnet_clear(&g->net);
    px_free(g);
}

const px_gvocab *px_grammar_vocab(const px_grammar *g)
{
    return g->vocab;
}

const px_gnet *px_grammar_net(const px_grammar *g)
{
    return &g->net;
}

/* ---- a text's place */

pith_status px_gmatch_init(px_gmatch *m, const px_grammar *g, bool text, pith_error *err)
{
    *m = (px_gmatch){.grammar = g};
    pith_status st = px_gset_init(&m->set, &g->net, text, err);
    if (st == PITH_OK && g->vocab) {
        m->bits = px_calloc(g->vocab->n_words, sizeof *m->bits);
        if (!m->bits)
            st = px_fail_memory(err, "a set of tokens");
    }
    if (st == PITH_OK) {
        px_gitem end = {.state = PX_GRET_END};
        uint32_t node = px_gset_node(&m->set, &end, 1);
        px_gitem first = {.state = g->net.start[g->net.root], .node = node};
        st = node ? px_gset_begin(&m->set, first, &m->items, err)
                  : px_fail_memory(err, "the place in a grammar");
    }
    if (st != PITH_OK)
        px_gmatch_clear(m);
    return st;
}

void px_gmatch_clear(px_gmatch *m)
{
    px_gset_clear(&m->set);
    px_gitems_clear(&m->items);
    px_gitems_clear(&m->next);
    px_gitems_clear(&m->masked);
    px_free(m->bits);
    *m = (px_gmatch){0};
}

/* Forgets nodes now and then, when there may be many that are not needed. */
static pith_status compact(px_gmatch *m, pith_error *err)
{
    if (m->set.n_nodes < COMPACT_FROM || m->set.n_nodes < 4 * m->live)
        return PITH_OK;
    m->has_bits = false;
    pith_status st = px_gset_compact(&m->set, &m->items, err);
    m->live = m->set.n_nodes;
    return st;
}

static void swap(px_gmatch *m)
{
    px_gitems items = m->items;
    m->items = m->next;
    m->next = items;
}

pith_status px_gmatch_bytes(px_gmatch *m, px_str bytes, size_t *n_taken, pith_error *err)
{
    *n_taken = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        m->set.work = 0;
        pith_status st = compact(m, err);
        if (st == PITH_OK)
            st = px_gset_step(&m->set, &m->items, (uint8_t)bytes.data[i], &m->next, err);
        if (st != PITH_OK)
            return st;
        if (m->next.n == 0 && !m->next.whole)
            return PITH_OK;
        swap(m);
        ++*n_taken;
    }
    return PITH_OK;
}

/* From `from` by a token's symbol or bytes, into m->next. */
static pith_status try_token(px_gmatch *m, int32_t id, bool *taken, pith_error *err)
{
    const px_gnet *net = &m->grammar->net;
    const px_gvocab *v = m->grammar->vocab;
    for (uint32_t i = 0; i < net->n_symbols; i++)
        if (net->symbols[i] == id) {
            pith_status st = px_gset_step(&m->set, &m->items, 256 + i, &m->next, err);
            *taken = m->next.n > 0 || m->next.whole;
            return st;
        }
    if (!(v->in_tree[(uint32_t)id / 64] >> (id % 64) & 1))
        return PITH_OK;
    px_str bytes = px_token_bytes(v->tok, id, false);
    const px_gitems *from = &m->items;
    for (size_t i = 0; i < bytes.len; i++) {
        pith_status st = px_gset_step(&m->set, from, (uint8_t)bytes.data[i], &m->next, err);
        if (st != PITH_OK || (m->next.n == 0 && !m->next.whole))
            return st;
        from = &m->next;
    }
    *taken = true;
    return PITH_OK;
}

pith_status px_gmatch_token(px_gmatch *m, int32_t id, bool *taken, pith_error *err)
{
    const px_gvocab *v = m->grammar->vocab;
    *taken = false;
    if (!v || id < 0 || id >= v->n_vocab)
        return PITH_OK;
    m->set.work = 0;
    pith_status st = compact(m, err);
    if (st == PITH_OK)
        st = try_token(m, id, taken, err);
    if (st != PITH_OK)
        return st;
    if (*taken) {
        swap(m);
    } else if (m->items.whole && px_token_ends(v->tok, id)) {
        *taken = true;
        m->items.n = 0;
    }
    return PITH_OK;
}

static bool same_place(const px_gitems *a, const px_gitems *b)
{
    return a->n == b->n && a->whole == b->whole &&
           (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof *a->items) == 0);
}

pith_status px_gmatch_mask(px_gmatch *m, const uint64_t **bits, pith_error *err)
{
    px_grammar *g =
        (px_grammar *)(uintptr_t)m->grammar; // its cache alone is changed, under its lock
    const px_gvocab *v = g->vocab;
    *bits = m->bits;
    if (!v)
        return px_fail(err, PITH_E_ARGUMENT, "the grammar was made without a vocabulary");
    if (m->has_bits && same_place(&m->items, &m->masked))
        return PITH_OK;
    m->has_bits = false;
    pthread_mutex_lock(&g->lock);
    pith_status st = px_gmasks_get(&g->masks, &m->set, &m->items, m->bits, err);
    pthread_mutex_unlock(&g->lock);
    if (st != PITH_OK)
        return st;
    for (int32_t i = 0; m->items.whole && i < v->n_ends; i++)
        m->bits[(uint32_t)v->ends[i] / 64] |= UINT64_C(1) << (v->ends[i] % 64);
    if (!px_gitems_copy(&m->masked, &m->items))
        return px_fail_memory(err, "the place in a grammar");
    m->has_bits = true;
    return PITH_OK;
}

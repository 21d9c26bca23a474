/* grammar_dfa: see grammar_dfa.h. */
#include "text/grammar_dfa.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/grammar_build.h"

#include <stdlib.h>

enum { MOST_NFA = 100000, LAST_CHAR = 0x10ffff };

static const px_gdfa *fail_memory(px_gdfa_maker *m)
{
    if (m->st == PITH_OK)
        m->st = px_fail_memory(m->err, "an automaton of a grammar");
    return NULL;
}

static const px_gdfa *fail_size(px_gdfa_maker *m)
{
    if (m->st == PITH_OK)
        m->st = px_fail(m->err, PITH_E_LIMIT,
                        "this takes an automaton of more than %d states; make the lengths and "
                        "repetitions smaller",
                        PX_GDFA_STATES);
    return NULL;
}

/* ---- drafts of a DFA, on the heap; then pruned into the arena */

typedef struct draft {
    px_gdfa_edge *edges;
    size_t cap_edges;
    uint32_t n_edges;
    bool *accepts;
    size_t cap_accepts;
    uint32_t n_states;
} draft;

static bool put_state(px_gdfa_maker *m, draft *d, bool accepts)
{
    if (d->n_states >= PX_GDFA_STATES) {
        fail_size(m);
        return false;
    }
    if (!px_gvec_room(&d->accepts, &d->cap_accepts, (size_t)d->n_states + 1, sizeof *d->accepts)) {
        fail_memory(m);
        return false;
    }
    d->accepts[d->n_states++] = accepts;
    return true;
}

static bool put_edge(px_gdfa_maker *m, draft *d, uint32_t from, uint32_t to, uint32_t lo,
                     uint32_t hi)
{
    if (d->n_edges > 0) { // neighbours that lead the same way are one
        px_gdfa_edge *last = &d->edges[d->n_edges - 1];
        if (last->from == from && last->to == to && last->range.hi + 1 == lo) {
            last->range.hi = hi;
            return true;
        }
    }
    if (d->n_edges >= PX_GDFA_EDGES) {
        fail_size(m);
        return false;
    }
    if (!px_gvec_room(&d->edges, &d->cap_edges, (size_t)d->n_edges + 1, sizeof *d->edges)) {
        fail_memory(m);
        return false;
    }
    d->edges[d->n_edges++] = (px_gdfa_edge){.from = from, .to = to, .range = {lo, hi}};
    return true;
}

static int by_from(const void *a, const void *b)
{
    const px_gdfa_edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->range.lo < y->range.lo ? -1 : x->range.lo > y->range.lo;
}

static int by_to(const void *a, const void *b)
{
    const px_gdfa_edge *x = a, *y = b;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* Marks states from which an accepting one can be reached: edges sorted by target, backwards. */
static bool mark_live(const draft *d, bool *live)
{
    size_t n = d->n_edges;
    px_gdfa_edge *edges = px_malloc(n + 1, sizeof *edges);
    uint32_t *first = px_calloc((size_t)d->n_states + 2, sizeof *first);
    uint32_t *todo = px_malloc((size_t)d->n_states + 1, sizeof *todo);
    bool good = edges && first && todo;
    if (good) {
        if (n > 0)
            memcpy(edges, d->edges, n * sizeof *edges);
        qsort(edges, n, sizeof *edges, by_to);
        for (size_t i = 0; i < n; i++)
            first[edges[i].to + 1]++;
        for (uint32_t s = 0; s < d->n_states; s++)
            first[s + 1] += first[s];
        uint32_t depth = 0;
        for (uint32_t s = 0; s < d->n_states; s++)
            if ((live[s] = d->accepts[s]))
                todo[depth++] = s;
        while (depth > 0) {
            uint32_t s = todo[--depth];
            for (uint32_t i = first[s]; i < first[s + 1]; i++)
                if (!live[edges[i].from]) {
                    live[edges[i].from] = true;
                    todo[depth++] = edges[i].from;
                }
        }
    }
    px_free(edges);
    px_free(first);
    px_free(todo);
    return good;
}

/* Keeps live states, in the arena. State 0 stays the first. */
static const px_gdfa *finish(px_gdfa_maker *m, draft *d)
{
    px_gdfa *out = PX_ZNEW(&m->g->arena, px_gdfa, 1);
    bool *live = px_calloc((size_t)d->n_states + 1, sizeof *live);
    uint32_t *place = px_malloc((size_t)d->n_states + 1, sizeof *place);
    if (!out || !live || !place || !mark_live(d, live)) {
        out = NULL;
        goto done;
    }
    uint32_t n = 0;
    for (uint32_t s = 0; s < d->n_states; s++)
        if (live[s])
            place[s] = n++;
    if (d->n_states == 0 || !live[0])
        n = 0;
    out->n_states = n;
    out->edges = PX_NEW(&m->g->arena, px_gdfa_edge, (size_t)d->n_edges + 1);
    out->first = PX_ZNEW(&m->g->arena, uint32_t, (size_t)n + 2);
    out->accepts = PX_ZNEW(&m->g->arena, bool, (size_t)n + 1);
    if (!out->edges || !out->first || !out->accepts) {
        out = NULL;
        goto done;
    }
    qsort(d->edges, d->n_edges, sizeof *d->edges, by_from);
    for (uint32_t i = 0; i < d->n_edges && n > 0; i++) {
        px_gdfa_edge e = d->edges[i];
        if (!live[e.from] || !live[e.to])
            continue;
        e.from = place[e.from];
        e.to = place[e.to];
        out->edges[out->n_edges++] = e;
        out->first[e.from + 1]++;
    }
    for (uint32_t s = 0; s < n; s++)
        out->first[s + 1] += out->first[s];
    for (uint32_t s = 0; s < d->n_states && n > 0; s++)
        if (live[s])
            out->accepts[place[s]] = d->accepts[s];
done:
    px_free(live);
    px_free(place);
    px_free(d->edges);
    px_free(d->accepts);
    *d = (draft){0};
    if (!out && m->st == PITH_OK)
        fail_memory(m);
    return m->st == PITH_OK ? out : NULL;
}

static const px_gdfa *drop(draft *d)
{
    px_free(d->edges);
    px_free(d->accepts);
    *d = (draft){0};
    return NULL;
}

/* ---- from expressions */

typedef struct nfa_edge {
    uint32_t from, to;
    uint32_t lo, hi; // lo > hi: reads nothing
} nfa_edge;

typedef struct nfa {
    px_gdfa_maker *m;
    nfa_edge *edges;
    size_t cap_edges;
    uint32_t n_edges, n_states;
} nfa;

static uint32_t nfa_state(nfa *a)
{
    if (a->n_states >= MOST_NFA) {
        fail_size(a->m);
        return 0;
    }
    return a->n_states++;
}

static void nfa_put(nfa *a, uint32_t from, uint32_t to, uint32_t lo, uint32_t hi)
{
    if (a->m->st != PITH_OK)
        return;
    if (a->n_edges >= 4 * MOST_NFA)
        fail_size(a->m);
    else if (!px_gvec_room(&a->edges, &a->cap_edges, (size_t)a->n_edges + 1, sizeof *a->edges))
        fail_memory(a->m);
    else
        a->edges[a->n_edges++] = (nfa_edge){from, to, lo, hi};
}

static void nfa_expr(nfa *a, const px_gexpr *x, uint32_t from, uint32_t to);

static void nfa_repeat(nfa *a, const px_gexpr *x, uint32_t from, uint32_t to)
{
    bool endless = x->max == PX_GRAMMAR_MANY;
    for (uint32_t i = 0; i < x->min && a->m->st == PITH_OK; i++) {
        uint32_t next = nfa_state(a);
        nfa_expr(a, x->items[0], from, next);
        from = next;
    }
    if (endless) {
        uint32_t s = nfa_state(a);
        nfa_put(a, from, s, 1, 0);
        nfa_expr(a, x->items[0], s, s);
        from = s;
    }
    for (uint32_t i = x->min; !endless && i < x->max && a->m->st == PITH_OK; i++) {
        uint32_t next = nfa_state(a);
        nfa_put(a, from, to, 1, 0);
        nfa_expr(a, x->items[0], from, next);
        from = next;
    }
    nfa_put(a, from, to, 1, 0);
}

static void nfa_expr(nfa *a, const px_gexpr *x, uint32_t from, uint32_t to)
{
    if (a->m->st != PITH_OK)
        return;
    switch (x->kind) {
    case PX_GEXPR_BYTES:
        for (size_t i = 0; i < x->text.len; i++) { // ASCII
            uint32_t next = nfa_state(a);
            nfa_put(a, from, next, (uint8_t)x->text.data[i], (uint8_t)x->text.data[i]);
            from = next;
        }
        nfa_put(a, from, to, 1, 0);
        return;
    case PX_GEXPR_CHARS:
        for (uint32_t i = 0; i < x->n; i++)
            nfa_put(a, from, to, x->ranges[i].lo, x->ranges[i].hi);
        return;
    case PX_GEXPR_SEQ:
        for (uint32_t i = 0; i < x->n; i++) {
            uint32_t next = nfa_state(a);
            nfa_expr(a, x->items[i], from, next);
            from = next;
        }
        nfa_put(a, from, to, 1, 0);
        return;
    case PX_GEXPR_ALT:
        for (uint32_t i = 0; i < x->n; i++) {
            uint32_t start = nfa_state(a);
            nfa_put(a, from, start, 1, 0);
            nfa_expr(a, x->items[i], start, to);
        }
        return;
    case PX_GEXPR_REPEAT:
        nfa_repeat(a, x, from, to);
        return;
    default:
        break;
    }
    if (a->m->st == PITH_OK)
        a->m->st = px_fail(a->m->err, PITH_E_INTERNAL, "an expression that is no regular one");
}

typedef struct subset {
    uint32_t *states; // [n] ascending
    uint32_t n;
} subset;

typedef struct maker {
    nfa *a;
    uint32_t *first; // [n_states + 1] edges by from
    uint32_t *cuts;  // borders between classes of characters
    uint32_t n_cuts;
    subset *sets;
    size_t cap_sets;
    uint32_t *table; // sets, + 1
    uint32_t table_size;
    uint32_t *seen; // [n_states]
    uint32_t stamp;
    uint32_t *list; // [n_states]
    uint64_t work;
    draft d;
} maker;

static int by_nfa_from(const void *a, const void *b)
{
    const nfa_edge *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Adds what the first n states of the list reach without reading. */
static uint32_t close_list(maker *k, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t e = k->first[k->list[i]]; e < k->first[k->list[i] + 1]; e++) {
            const nfa_edge *edge = &k->a->edges[e];
            k->work++;
            if (edge->lo > edge->hi && k->seen[edge->to] != k->stamp) {
                k->seen[edge->to] = k->stamp;
                k->list[n++] = edge->to;
            }
        }
    return n;
}

static uint32_t hash_list(const uint32_t *list, uint32_t n)
{
    uint64_t h = n;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ list[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

/* The DFA's state for the list, made when it is new; UINT32_MAX on failure. */
static uint32_t set_of(maker *k, uint32_t n)
{
    qsort(k->list, n, sizeof *k->list, by_value);
    uint32_t mask = k->table_size - 1, at = hash_list(k->list, n) & mask;
    for (; k->table[at] != 0; at = (at + 1) & mask) {
        const subset *s = &k->sets[k->table[at] - 1];
        if (s->n == n && memcmp(s->states, k->list, n * sizeof *k->list) == 0)
            return k->table[at] - 1;
    }
    bool accepts = false;
    for (uint32_t i = 0; i < n; i++)
        accepts = accepts || k->list[i] == 1;
    uint32_t id = k->d.n_states;
    uint32_t *states = px_malloc((size_t)n + 1, sizeof *states);
    if (!states || !px_gvec_room(&k->sets, &k->cap_sets, (size_t)id + 1, sizeof *k->sets)) {
        px_free(states);
        fail_memory(k->a->m);
        return UINT32_MAX;
    }
    memcpy(states, k->list, n * sizeof *states);
    if (!put_state(k->a->m, &k->d, accepts)) {
        px_free(states);
        return UINT32_MAX;
    }
    k->sets[id] = (subset){.states = states, .n = n};
    k->table[at] = id + 1;
    return id;
}

/* Where set s leads by the characters of class c. */
static bool follow_class(maker *k, uint32_t s, uint32_t c)
{
    uint32_t lo = k->cuts[c], hi = k->cuts[c + 1] - 1, n = 0;
    k->stamp++;
    subset set = k->sets[s];
    for (uint32_t i = 0; i < set.n; i++)
        for (uint32_t e = k->first[set.states[i]]; e < k->first[set.states[i] + 1]; e++) {
            const nfa_edge *edge = &k->a->edges[e];
            k->work++;
            if (edge->lo <= lo && hi <= edge->hi && k->seen[edge->to] != k->stamp) {
                k->seen[edge->to] = k->stamp;
                k->list[n++] = edge->to;
            }
        }
    if (n == 0)
        return true;
    uint32_t to = set_of(k, close_list(k, n));
    return to != UINT32_MAX && put_edge(k->a->m, &k->d, s, to, lo, hi);
}

static bool init_maker(maker *k)
{
    nfa *a = k->a;
    k->first = px_calloc((size_t)a->n_states + 2, sizeof *k->first);
    k->cuts = px_malloc(2 * (size_t)a->n_edges + 2, sizeof *k->cuts);
    k->seen = px_calloc(a->n_states, sizeof *k->seen);
    k->list = px_malloc((size_t)a->n_states + 1, sizeof *k->list);
    k->table_size = 4 * 16384;
    k->table = px_calloc(k->table_size, sizeof *k->table);
    if (!k->first || !k->cuts || !k->seen || !k->list || !k->table)
        return false;
    qsort(a->edges, a->n_edges, sizeof *a->edges, by_nfa_from);
    uint32_t n = 0;
    for (uint32_t e = 0; e < a->n_edges; e++) {
        k->first[a->edges[e].from + 1]++;
        if (a->edges[e].lo <= a->edges[e].hi) {
            k->cuts[n++] = a->edges[e].lo;
            k->cuts[n++] = a->edges[e].hi + 1;
        }
    }
    for (uint32_t s = 0; s < a->n_states; s++)
        k->first[s + 1] += k->first[s];
    qsort(k->cuts, n, sizeof *k->cuts, by_value);
    for (uint32_t i = 0; i < n; i++)
        if (k->n_cuts == 0 || k->cuts[i] != k->cuts[k->n_cuts - 1])
            k->cuts[k->n_cuts++] = k->cuts[i];
    return true;
}

static void make_sets(maker *k)
{
    px_gdfa_maker *m = k->a->m;
    k->stamp = 1;
    k->list[0] = 0;
    k->seen[0] = 1;
    if (set_of(k, close_list(k, 1)) == UINT32_MAX)
        return;
    for (uint32_t s = 0; s < k->d.n_states && m->st == PITH_OK; s++)
        for (uint32_t c = 0; c + 1 < k->n_cuts && m->st == PITH_OK; c++) {
            if (!follow_class(k, s, c))
                return;
            if (k->work > 5 * (uint64_t)PX_MAX_GRAMMAR_WORK)
                fail_size(m);
        }
}

const px_gdfa *px_gdfa_of(px_gdfa_maker *m, const px_gexpr *x)
{
    if (!x || m->st != PITH_OK)
        return m->st == PITH_OK ? fail_memory(m) : NULL;
    nfa a = {.m = m, .n_states = 2}; // from 0 to 1
    nfa_expr(&a, x, 0, 1);
    maker k = {.a = &a};
    if (m->st == PITH_OK && !init_maker(&k))
        fail_memory(m);
    if (m->st == PITH_OK)
        make_sets(&k);
    const px_gdfa *out = m->st == PITH_OK ? finish(m, &k.d) : drop(&k.d);
    for (uint32_t i = 0; k.sets && i < k.table_size; i++)
        if (k.table[i] != 0)
            px_free(k.sets[k.table[i] - 1].states);
    px_free(k.sets);
    px_free(k.first);
    px_free(k.cuts);
    px_free(k.seen);
    px_free(k.list);
    px_free(k.table);
    px_free(a.edges);
    return out;
}

/* ---- two at once */

typedef struct pairs {
    uint64_t *table; // key + 1, of a's state and b's
    uint32_t *id;
    uint32_t size;
    uint64_t *todo; // keys by id
    size_t cap_todo;
} pairs;

static uint32_t pair_of(px_gdfa_maker *m, pairs *p, draft *d, const px_gdfa *a, const px_gdfa *b,
                        uint32_t s, uint32_t t)
{
    uint64_t key = ((uint64_t)s << 32 | t) + 1;
    uint32_t at = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (p->size - 1);
    for (; p->table[at] != 0; at = (at + 1) & (p->size - 1))
        if (p->table[at] == key)
            return p->id[at];
    uint32_t id = d->n_states;
    if (!px_gvec_room(&p->todo, &p->cap_todo, (size_t)id + 1, sizeof *p->todo)) {
        fail_memory(m);
        return UINT32_MAX;
    }
    if (!put_state(m, d, a->accepts[s] && b->accepts[t]))
        return UINT32_MAX;
    p->table[at] = key;
    p->id[at] = id;
    p->todo[id] = key - 1;
    return id;
}

static void follow_pair(px_gdfa_maker *m, pairs *p, draft *d, const px_gdfa *a, const px_gdfa *b,
                        uint32_t from)
{
    uint32_t s = (uint32_t)(p->todo[from] >> 32), t = (uint32_t)p->todo[from];
    uint32_t i = a->first[s], k = b->first[t];
    while (i < a->first[s + 1] && k < b->first[t + 1] && m->st == PITH_OK) {
        const px_gdfa_edge *x = &a->edges[i], *y = &b->edges[k];
        uint32_t lo = x->range.lo > y->range.lo ? x->range.lo : y->range.lo;
        uint32_t hi = x->range.hi < y->range.hi ? x->range.hi : y->range.hi;
        if (lo <= hi) {
            uint32_t to = pair_of(m, p, d, a, b, x->to, y->to);
            if (to == UINT32_MAX || !put_edge(m, d, from, to, lo, hi))
                return;
        }
        if (x->range.hi < y->range.hi)
            i++;
        else
            k++;
    }
}

const px_gdfa *px_gdfa_and(px_gdfa_maker *m, const px_gdfa *a, const px_gdfa *b)
{
    if (!a || !b || m->st != PITH_OK)
        return NULL;
    draft d = {0};
    pairs p = {.size = 4 * 16384};
    p.table = px_calloc(p.size, sizeof *p.table);
    p.id = px_calloc(p.size, sizeof *p.id);
    if (!p.table || !p.id)
        fail_memory(m);
    if (m->st == PITH_OK && a->n_states > 0 && b->n_states > 0) {
        pair_of(m, &p, &d, a, b, 0, 0);
        for (uint32_t s = 0; s < d.n_states && m->st == PITH_OK; s++)
            follow_pair(m, &p, &d, a, b, s);
    }
    px_free(p.table);
    px_free(p.id);
    px_free(p.todo);
    return m->st == PITH_OK ? finish(m, &d) : drop(&d);
}

const px_gdfa *px_gdfa_not(px_gdfa_maker *m, const px_gdfa *a)
{
    if (!a || m->st != PITH_OK)
        return NULL;
    draft d = {0};
    uint32_t rest = a->n_states > 0 ? a->n_states : 0; // the state from which all is accepted
    for (uint32_t s = 0; s < a->n_states && m->st == PITH_OK; s++)
        put_state(m, &d, !a->accepts[s]);
    put_state(m, &d, true);
    for (uint32_t s = 0; s < a->n_states && m->st == PITH_OK; s++) {
        uint32_t from = 0;
        for (uint32_t e = a->first[s]; e < a->first[s + 1] && m->st == PITH_OK; e++) {
            px_gdfa_edge edge = a->edges[e];
            if (edge.range.lo > from)
                put_edge(m, &d, s, rest, from, edge.range.lo - 1);
            put_edge(m, &d, s, edge.to, edge.range.lo, edge.range.hi);
            from = edge.range.hi + 1;
        }
        if (from <= LAST_CHAR)
            put_edge(m, &d, s, rest, from, LAST_CHAR);
    }
    put_edge(m, &d, rest, rest, 0, LAST_CHAR);
    return m->st == PITH_OK ? finish(m, &d) : drop(&d);
}

const px_gdfa *px_gdfa_lengths(px_gdfa_maker *m, uint32_t min, uint32_t max)
{
    draft d = {0};
    bool endless = max == PX_GRAMMAR_MANY;
    uint32_t n = endless ? min : max;
    for (uint32_t s = 0; s <= n && m->st == PITH_OK; s++) {
        put_state(m, &d, s >= min);
        if (s < n)
            put_edge(m, &d, s, s + 1, 0, LAST_CHAR);
        else if (endless)
            put_edge(m, &d, s, s, 0, LAST_CHAR);
    }
    return m->st == PITH_OK ? finish(m, &d) : drop(&d);
}

/* The characters of a word as an expression. */
static const px_gexpr *word_expr(px_grules *g, px_str word)
{
    px_gexprs list = {0};
    for (size_t i = 0; i < word.len;) {
        uint32_t code = 0xfffd;
        int n = px_utf8_get(word.data + i, word.len - i, &code);
        px_grange r = {code, code};
        px_gexprs_put(g, &list, px_gexpr_chars(g, &r, 1, false, false));
        i += (size_t)(n > 0 ? n : 1);
    }
    return px_gexpr_seq(g, list.items, list.n);
}

const px_gdfa *px_gdfa_but(px_gdfa_maker *m, const px_str *words, uint32_t n)
{
    px_gexprs ways = {0};
    for (uint32_t i = 0; i < n; i++)
        px_gexprs_put(m->g, &ways, word_expr(m->g, words[i]));
    return px_gdfa_not(m, px_gdfa_of(m, px_gexpr_alt(m->g, ways.items, ways.n)));
}

bool px_gdfa_accepts(const px_gdfa *d, px_str text)
{
    uint32_t s = 0;
    if (d->n_states == 0)
        return false;
    for (size_t i = 0; i < text.len;) {
        uint32_t code = 0;
        int n = px_utf8_get(text.data + i, text.len - i, &code);
        if (n == 0)
            return false;
        i += (size_t)n;
        uint32_t e = d->first[s];
        while (e < d->first[s + 1] &&
               !(d->edges[e].range.lo <= code && code <= d->edges[e].range.hi))
            e++;
        if (e == d->first[s + 1])
            return false;
        s = d->edges[e].to;
    }
    return d->accepts[s];
}

static int by_from_to(const void *a, const void *b)
{
    const px_gdfa_edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->range.lo < y->range.lo ? -1 : x->range.lo > y->range.lo;
}

const px_gexpr *px_gdfa_expr(px_gdfa_maker *m, const px_gdfa *d, bool json)
{
    if (!d || m->st != PITH_OK)
        return NULL;
    px_gexpr *x = PX_ZNEW(&m->g->arena, px_gexpr, 1);
    px_gdfa_edge *edges = PX_NEW(&m->g->arena, px_gdfa_edge, (size_t)d->n_edges + 1);
    if (!x || !edges) {
        fail_memory(m);
        return NULL;
    }
    if (d->n_edges > 0)
        memcpy(edges, d->edges, d->n_edges * sizeof *edges);
    qsort(edges, d->n_edges, sizeof *edges, by_from_to);
    if (d->n_states == 0)
        return px_gexpr_alt(m->g, NULL, 0);
    *x = (px_gexpr){.kind = PX_GEXPR_DFA,
                    .json = json,
                    .n = d->n_edges,
                    .n_states = d->n_states,
                    .edges = edges,
                    .accepts = d->accepts};
    return x;
}

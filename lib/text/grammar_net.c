/* grammar_net: see grammar_net.h. */
#include "text/grammar_net.h"

#include "base/mem.h"
#include "text/grammar_build.h"

/* ---- from drafts to states with their edges */

static pith_status no_memory(pith_error *err)
{
    return px_fail_memory(err, "the network of a grammar");
}

/* Orders drafts by where they begin (or, into[] given, lists for each state the drafts that lead
 * into it). index [n_states + 1]. */
static void order_edges(const px_gbuild *b, bool by_target, uint32_t *index, uint32_t *order)
{
    for (uint32_t i = 0; i < b->n_edges; i++)
        index[1 + (by_target ? b->edges[i].edge.to : b->edges[i].from)]++;
    for (uint32_t s = 0; s < b->n_states; s++)
        index[s + 1] += index[s];
    for (uint32_t i = b->n_edges; i-- > 0;) {
        uint32_t s = by_target ? b->edges[i].edge.to : b->edges[i].from;
        order[--index[s + 1]] = i;
    }
    for (uint32_t s = 0; s < b->n_states; s++) // counts went down to where each list begins
        index[s] = index[s + 1];
    index[b->n_states] = b->n_edges;
}

typedef struct spreader {
    const px_gbuild *b;
    const uint32_t *start; // [n_rules]
    uint32_t n_rules;
    uint32_t *into, *order; // drafts by target
    uint32_t *calls;        // [n_edges] next call of the same rule, + 1
    uint32_t *first_call;   // [n_rules] + 1
    uint32_t *rule_of;      // [n_states] rule that begins there, + 1
    uint32_t *todo;         // [n_states]
} spreader;

static void clear_spreader(spreader *s)
{
    px_free(s->into);
    px_free(s->order);
    px_free(s->calls);
    px_free(s->first_call);
    px_free(s->rule_of);
    px_free(s->todo);
}

static pith_status init_spreader(spreader *s, const px_gbuild *b, const uint32_t *start,
                                 uint32_t n_rules, pith_error *err)
{
    *s = (spreader){.b = b, .start = start, .n_rules = n_rules};
    s->into = px_calloc((size_t)b->n_states + 2, sizeof *s->into);
    s->order = px_malloc((size_t)b->n_edges + 1, sizeof *s->order);
    s->calls = px_calloc((size_t)b->n_edges + 1, sizeof *s->calls);
    s->first_call = px_calloc(n_rules, sizeof *s->first_call);
    s->rule_of = px_calloc(b->n_states, sizeof *s->rule_of);
    s->todo = px_malloc(b->n_states, sizeof *s->todo);
    if (!s->into || !s->order || !s->calls || !s->first_call || !s->rule_of || !s->todo) {
        clear_spreader(s);
        return no_memory(err);
    }
    order_edges(b, true, s->into, s->order);
    for (uint32_t i = 0; i < b->n_edges; i++)
        if (b->edges[i].edge.kind == PX_GEDGE_CALL) {
            s->calls[i] = s->first_call[b->edges[i].edge.what];
            s->first_call[b->edges[i].edge.what] = i + 1;
        }
    for (uint32_t r = 0; r < n_rules; r++)
        s->rule_of[start[r]] = r + 1;
    return PITH_OK;
}

static void put_live(spreader *s, uint8_t *live, uint32_t *n, uint32_t state)
{
    if (!live[state]) {
        live[state] = 1;
        s->todo[(*n)++] = state;
    }
}

/* Marks all states from which a marked one (n_seeds of them in todo) can be reached: by any edges,
 * or without reading anything. */
static void spread(spreader *s, bool only_empty, uint32_t n_seeds, uint8_t *live)
{
    const px_gdraft_edge *edges = s->b->edges;
    for (uint32_t n = n_seeds; n > 0;) {
        uint32_t state = s->todo[--n];
        for (uint32_t i = s->into[state]; i < s->into[state + 1]; i++) {
            const px_gdraft_edge *d = &edges[s->order[i]];
            bool passes = d->edge.kind == PX_GEDGE_EMPTY;
            if (d->edge.kind == PX_GEDGE_CALL)
                passes = live[s->start[d->edge.what]];
            else if (d->edge.kind != PX_GEDGE_EMPTY)
                passes = !only_empty;
            if (passes)
                put_live(s, live, &n, d->from);
        }
        if (s->rule_of[state] == 0)
            continue;
        for (uint32_t c = s->first_call[s->rule_of[state] - 1]; c != 0; c = s->calls[c - 1])
            if (live[edges[c - 1].edge.to])
                put_live(s, live, &n, edges[c - 1].from);
    }
}

/* Keeps edges between states from which the end of their rule can be reached. */
static void keep_live(px_gbuild *b, const uint32_t *start, const uint8_t *live)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_edges; i++) {
        const px_gdraft_edge *d = &b->edges[i];
        bool in = live[d->from] && live[d->edge.to];
        if (d->edge.kind == PX_GEDGE_CALL)
            in = in && live[start[d->edge.what]];
        if (in)
            b->edges[n++] = *d;
    }
    b->n_edges = n;
}

/* Edges in order of where they begin, and what is known of states. */
static pith_status take_edges(px_gnet *net, px_gbuild *b, pith_error *err)
{
    uint32_t *order = px_malloc((size_t)b->n_edges + 1, sizeof *order);
    net->first = px_calloc((size_t)b->n_states + 2, sizeof *net->first);
    net->edges = px_malloc((size_t)b->n_edges + 1, sizeof *net->edges);
    net->stand_in = px_malloc((size_t)b->n_states + 1, sizeof *net->stand_in);
    net->safe = px_calloc((size_t)b->n_states + 1, sizeof *net->safe);
    if (!order || !net->first || !net->edges || !net->stand_in || !net->safe) {
        px_free(order);
        return no_memory(err);
    }
    net->n_states = b->n_states;
    net->n_edges = b->n_edges;
    order_edges(b, false, net->first, order);
    for (uint32_t i = 0; i < b->n_edges; i++)
        net->edges[i] = b->edges[order[i]].edge;
    px_free(order);
    for (uint32_t s = 0; s < net->n_states; s++)
        net->stand_in[s] = s;
    for (uint32_t i = 0; i < b->n_chains; i++) {
        net->stand_in[b->chains[i].state] = b->chains[i].stand_in;
        net->safe[b->chains[i].state] = b->chains[i].safe;
    }
    return PITH_OK;
}

/* A state is a last one when its edges, if any, lead nowhere but to last ones, reading nothing. */
static void find_last(px_gnet *net)
{
    bool changed = true;
    for (int pass = 0; changed && pass < 8; pass++) {
        changed = false;
        for (uint32_t s = 0; s < net->n_states; s++) {
            if (net->flags[s] != PX_GSTATE_ACCEPT)
                continue;
            bool last = true;
            for (uint32_t i = net->first[s]; last && i < net->first[s + 1]; i++)
                last = net->edges[i].kind == PX_GEDGE_EMPTY &&
                       (net->flags[net->edges[i].to] & PX_GSTATE_LAST);
            if (last) {
                net->flags[s] |= PX_GSTATE_LAST;
                changed = true;
            }
        }
    }
}

/* ---- ranks */

typedef struct ranker {
    const px_gnet *net;
    uint32_t *seen;  // [n_states] rule whose beginning was followed there, + 1
    uint32_t *todo;  // [n_states]
    uint32_t *lists; // calls at beginnings, rule by rule: [n_edges]
    uint32_t *index; // [n_rules + 1]
    uint32_t *waits; // [n_rules] rules that begin with it and have no rank
} ranker;

/* Lists the rules that rule r may begin with. */
static uint32_t list_beginnings(ranker *k, uint32_t r, uint32_t n)
{
    const px_gnet *net = k->net;
    uint32_t depth = 0;
    k->todo[depth++] = net->start[r];
    k->seen[net->start[r]] = r + 1;
    while (depth > 0) {
        uint32_t s = k->todo[--depth];
        for (uint32_t i = net->first[s]; i < net->first[s + 1]; i++) {
            const px_gedge *e = &net->edges[i];
            bool passes = e->kind == PX_GEDGE_EMPTY;
            if (e->kind == PX_GEDGE_CALL) {
                k->lists[n++] = e->what;
                passes = net->empty[e->what];
            }
            if (passes && k->seen[e->to] != r + 1) {
                k->seen[e->to] = r + 1;
                k->todo[depth++] = e->to;
            }
        }
    }
    return n;
}

static pith_status name_cycle(const ranker *k, const px_grules *g, const char *name,
                              pith_error *err)
{
    const px_gnet *net = k->net;
    /* Of the rules without rank, those that lead to none of them are not part of the cycle. A few
     * passes find most of those; one too many only makes the sentence less exact. */
    for (int pass = 0; pass < 16; pass++)
        for (uint32_t r = 0; r < net->n_rules; r++) {
            bool leads = false;
            for (uint32_t i = k->index[r]; i < k->index[r + 1]; i++)
                leads = leads || k->waits[k->lists[i]] > 0;
            if (!leads)
                k->waits[r] = 0;
        }
    uint32_t at = 0;
    for (uint32_t r = net->n_rules; r-- > 0;)
        if (k->waits[r] > 0)
            at = r;
    return px_fail(err, PITH_E_FORMAT,
                   "%s: rule '%.*s' can come back to its own beginning without reading anything "
                   "(left recursion through other rules); write the repetition with * or +",
                   name, PX_STR_ARG(g->rules[at].name));
}

static pith_status rank_rules(ranker *k, px_gnet *net, const px_grules *g, const char *name,
                              pith_error *err)
{
    uint32_t n = 0, head = 0, tail = 0;
    for (uint32_t r = 0; r < net->n_rules; r++) {
        k->index[r] = n;
        n = list_beginnings(k, r, n);
    }
    k->index[net->n_rules] = n;
    for (uint32_t i = 0; i < n; i++)
        k->waits[k->lists[i]]++;
    for (uint32_t r = 0; r < net->n_rules; r++)
        if (k->waits[r] == 0)
            net->by_rank[tail++] = r;
    while (head < tail) {
        uint32_t r = net->by_rank[head];
        net->rank[r] = head++;
        for (uint32_t i = k->index[r]; i < k->index[r + 1]; i++)
            if (--k->waits[k->lists[i]] == 0)
                net->by_rank[tail++] = k->lists[i];
    }
    return tail == net->n_rules ? PITH_OK : name_cycle(k, g, name, err);
}

static pith_status find_ranks(px_gnet *net, const px_grules *g, const char *name, pith_error *err)
{
    ranker k = {.net = net};
    k.seen = px_calloc(net->n_states, sizeof *k.seen);
    k.todo = px_malloc(net->n_states, sizeof *k.todo);
    k.lists = px_malloc((size_t)net->n_edges + 1, sizeof *k.lists);
    k.index = px_malloc((size_t)net->n_rules + 1, sizeof *k.index);
    k.waits = px_calloc(net->n_rules, sizeof *k.waits);
    pith_status st = k.seen && k.todo && k.lists && k.index && k.waits
                         ? rank_rules(&k, net, g, name, err)
                         : no_memory(err);
    px_free(k.seen);
    px_free(k.todo);
    px_free(k.lists);
    px_free(k.index);
    px_free(k.waits);
    return st;
}

/* ---- the whole */

static void find_classes(px_gnet *net)
{
    bool border[257] = {false};
    for (uint32_t i = 0; i < net->n_edges; i++)
        if (net->edges[i].kind == PX_GEDGE_BYTE)
            border[net->edges[i].lo] = border[net->edges[i].hi + 1] = true;
    uint32_t n = 0;
    for (int c = 0; c < 256; c++) {
        n += c > 0 && border[c];
        net->class_of[c] = (uint8_t)n;
    }
    net->n_classes = n + 1;
}

static pith_status draft(px_gbuild *b, px_grules *g, uint32_t **start, pith_error *err)
{
    size_t cap = 0;
    uint32_t *list = NULL; // start and end of each rule; building may add rules
    for (uint32_t r = 0; r < g->n_rules && b->status == PITH_OK; r++) {
        if (!px_gvec_room(&list, &cap, 2 * ((size_t)r + 1), sizeof *list)) {
            b->status = no_memory(err);
            break;
        }
        list[2 * r] = px_gbuild_state(b);
        list[2 * r + 1] = px_gbuild_state(b);
        if (g->rules[r].body)
            px_gbuild_expr(b, g->rules[r].body, list[2 * r], list[2 * r + 1]);
    }
    *start = list;
    return b->status;
}

static pith_status find_live(px_gnet *net, px_gbuild *b, const uint32_t *ends, pith_error *err)
{
    spreader s;
    pith_status st = init_spreader(&s, b, net->start, net->n_rules, err);
    if (st != PITH_OK)
        return st;
    uint8_t *live = px_calloc(b->n_states, 1);
    net->flags = px_calloc(b->n_states, 1);
    if (live && net->flags) {
        uint32_t n = 0;
        for (uint32_t r = 0; r < net->n_rules; r++)
            put_live(&s, net->flags, &n, ends[2 * r + 1]);
        spread(&s, true, n, net->flags);
        n = 0;
        for (uint32_t r = 0; r < net->n_rules; r++)
            put_live(&s, live, &n, ends[2 * r + 1]);
        for (uint32_t i = 0; i < b->n_loops; i++)
            put_live(&s, live, &n, b->loops[i]);
        spread(&s, false, n, live);
        keep_live(b, net->start, live);
        if (!live[net->start[net->root]])
            st = px_fail(err, PITH_E_FORMAT,
                         "%s: no text is of this grammar; a rule never comes to an end", b->name);
    } else {
        st = no_memory(err);
    }
    px_free(live);
    clear_spreader(&s);
    return st;
}

static pith_status fill(px_gnet *net, px_gbuild *b, const uint32_t *ends, px_grules *g,
                        pith_error *err)
{
    net->n_rules = g->n_rules;
    net->start = px_malloc(net->n_rules, sizeof *net->start);
    net->rank = px_calloc(net->n_rules, sizeof *net->rank);
    net->by_rank = px_malloc(net->n_rules, sizeof *net->by_rank);
    net->empty = px_malloc(net->n_rules, sizeof *net->empty);
    net->symbols = px_malloc((size_t)g->n_symbols + 1, sizeof *net->symbols);
    if (!net->start || !net->rank || !net->by_rank || !net->empty || !net->symbols)
        return no_memory(err);
    net->n_symbols = g->n_symbols;
    if (g->n_symbols > 0)
        memcpy(net->symbols, g->symbols, g->n_symbols * sizeof *net->symbols);
    for (uint32_t r = 0; r < net->n_rules; r++)
        net->start[r] = ends[2 * r];
    pith_status st = find_live(net, b, ends, err);
    if (st == PITH_OK)
        st = take_edges(net, b, err);
    if (st != PITH_OK)
        return st;
    for (uint32_t r = 0; r < net->n_rules; r++)
        net->empty[r] = net->flags[net->start[r]] & PX_GSTATE_ACCEPT;
    find_last(net);
    find_classes(net);
    return find_ranks(net, g, b->name, err);
}

pith_status px_gnet_build(px_grules *g, uint32_t root, const char *name, px_gnet *out,
                          pith_error *err)
{
    *out = (px_gnet){.root = root};
    px_grules_unroll_left(g);
    pith_status st = px_grules_status(g, err);
    if (st != PITH_OK)
        return st;
    px_gbuild b = {.rules = g, .name = name, .err = err};
    uint32_t *ends = NULL;
    st = draft(&b, g, &ends, err);
    if (st == PITH_OK)
        st = fill(out, &b, ends, g, err);
    px_free(ends);
    px_gbuild_clear(&b);
    if (st != PITH_OK)
        px_gnet_clear(out);
    return st;
}

void px_gnet_clear(px_gnet *net)
{
    px_free(net->first);
    px_free(net->edges);
    px_free(net->flags);
    px_free(net->stand_in);
    px_free(net->safe);
    px_free(net->start);
    px_free(net->rank);
    px_free(net->by_rank);
    px_free(net->empty);
    px_free(net->symbols);
    *net = (px_gnet){0};
}

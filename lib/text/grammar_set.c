/* grammar_set: see grammar_set.h. */
#include "text/grammar_set.h"

#include "base/mem.h"
#include "text/grammar_build.h"

#include <stdlib.h>

enum { FIRST_TABLE = 256 };

static pith_status no_memory(pith_error *err)
{
    return px_fail_memory(err, "the place in a grammar");
}

pith_status px_gset_init(px_gset *s, const px_gnet *net, bool text, pith_error *err)
{
    *s = (px_gset){.net = net, .text = text, .n_nodes = 1, .most_work = PX_MAX_GRAMMAR_WORK};
    s->seen = px_calloc(net->n_states, sizeof *s->seen);
    s->todo = px_malloc(net->n_states, sizeof *s->todo);
    s->heads = px_calloc(net->n_rules, sizeof *s->heads);
    s->waiting = px_calloc((size_t)net->n_rules / 64 + 1, sizeof *s->waiting);
    s->table = px_calloc(FIRST_TABLE, sizeof *s->table);
    s->table_size = FIRST_TABLE;
    s->dup = px_calloc(FIRST_TABLE, sizeof *s->dup);
    s->dup_size = FIRST_TABLE;
    if (s->seen && s->todo && s->heads && s->waiting && s->table && s->dup)
        return PITH_OK;
    px_gset_clear(s);
    return no_memory(err);
}

void px_gset_clear(px_gset *s)
{
    px_free(s->entries);
    px_free(s->nodes);
    px_free(s->table);
    px_free(s->seen);
    px_free(s->todo);
    px_free(s->moves);
    px_free(s->heads);
    px_free(s->waiting);
    px_free(s->pending);
    px_free(s->scratch);
    px_free(s->dup);
    px_gitems_clear(&s->raw);
    *s = (px_gset){0};
}

void px_gset_reset(px_gset *s)
{
    s->n_nodes = 1;
    s->n_entries = 0;
    memset(s->table, 0, s->table_size * sizeof *s->table);
}

bool px_gitems_copy(px_gitems *to, const px_gitems *from)
{
    if (!px_gvec_room(&to->items, &to->cap, from->n, sizeof *to->items))
        return false;
    if (from->n > 0)
        memcpy(to->items, from->items, from->n * sizeof *to->items);
    to->n = from->n;
    to->whole = from->whole;
    return true;
}

void px_gitems_clear(px_gitems *items)
{
    px_free(items->items);
    *items = (px_gitems){0};
}

/* ---- nodes */

static int by_item(const void *a, const void *b)
{
    const px_gitem *x = a, *y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static uint32_t sort_unique(px_gitem *items, uint32_t n)
{
    if (n < 2)
        return n;
    qsort(items, n, sizeof *items, by_item);
    uint32_t m = 1;
    for (uint32_t i = 1; i < n; i++)
        if (by_item(&items[i], &items[m - 1]) != 0)
            items[m++] = items[i];
    return m;
}

static uint32_t hash_of(const px_gitem *items, uint32_t n)
{
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t i = 0; i < n; i++) {
        h ^= ((uint64_t)items[i].state << 32) | items[i].node;
        h *= UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

static bool grow_table(px_gset *s)
{
    uint32_t size = 2 * s->table_size;
    uint32_t *table = px_calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 1; i < s->n_nodes; i++) {
        uint32_t at = hash_of(s->entries + s->nodes[i].first, s->nodes[i].n) & (size - 1);
        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    px_free(s->table);
    s->table = table;
    s->table_size = size;
    return true;
}

uint32_t px_gset_node(px_gset *s, px_gitem *entries, uint32_t n)
{
    n = sort_unique(entries, n);
    if (2 * s->n_nodes >= s->table_size && !grow_table(s))
        return 0;
    uint32_t mask = s->table_size - 1, at = hash_of(entries, n) & mask;
    for (; s->table[at] != 0; at = (at + 1) & mask) {
        const px_gnode *node = &s->nodes[s->table[at] - 1];
        if (node->n == n && memcmp(s->entries + node->first, entries, n * sizeof *entries) == 0)
            return s->table[at] - 1;
    }
    if (!px_gvec_room(&s->nodes, &s->cap_nodes, (size_t)s->n_nodes + 1, sizeof *s->nodes) ||
        !px_gvec_room(&s->entries, &s->cap_entries, (size_t)s->n_entries + n, sizeof *s->entries))
        return 0;
    memcpy(s->entries + s->n_entries, entries, n * sizeof *entries);
    s->nodes[s->n_nodes] = (px_gnode){.first = s->n_entries, .n = n};
    s->n_entries += n;
    s->table[at] = s->n_nodes + 1;
    return s->n_nodes++;
}

static pith_status check_work(px_gset *s, uint64_t more, pith_error *err)
{
    s->work += more;
    if (s->work <= s->most_work)
        return PITH_OK;
    return px_fail(err, PITH_E_LIMIT,
                   "the grammar is too ambiguous: one token takes more than %llu steps; make its "
                   "rules say one thing in one way",
                   (unsigned long long)s->most_work);
}

/* ---- ways on */

static bool put_move(px_gset *s, const px_gedge *edge, uint32_t node)
{
    if (!px_gvec_room(&s->moves, &s->cap_moves, (size_t)s->n_moves + 1, sizeof *s->moves))
        return false;
    s->moves[s->n_moves++] = (px_gmove){.edge = *edge, .node = node};
    return true;
}

static bool put_call(px_gset *s, uint32_t rule, px_gitem entry)
{
    if (!px_gvec_room(&s->pending, &s->cap_pending, (size_t)s->n_pending + 1, sizeof *s->pending))
        return false;
    s->pending[s->n_pending++] = (px_gpending){.entry = entry, .next = s->heads[rule]};
    s->heads[rule] = s->n_pending;
    uint32_t rank = s->net->rank[rule];
    s->waiting[rank / 64] |= UINT64_C(1) << (rank % 64);
    return true;
}

static void see(px_gset *s, uint32_t state, uint32_t *depth)
{
    if (s->seen[state] == s->stamp)
        return;
    s->seen[state] = s->stamp;
    s->todo[(*depth)++] = state;
}

/* Follows empty edges and notes calls from the states in todo. */
static bool visit(px_gset *s, uint32_t depth, uint32_t node)
{
    const px_gnet *net = s->net;
    while (depth > 0) {
        uint32_t state = s->todo[--depth];
        s->work += 1 + net->first[state + 1] - net->first[state];
        for (uint32_t i = net->first[state]; i < net->first[state + 1]; i++) {
            const px_gedge *e = &net->edges[i];
            if (e->kind == PX_GEDGE_EMPTY) {
                see(s, e->to, &depth);
            } else if (e->kind == PX_GEDGE_CALL) {
                bool tail = net->flags[e->to] & PX_GSTATE_LAST;
                px_gitem entry = {.state = tail ? PX_GRET_TAIL : e->to, .node = node};
                if (!put_call(s, e->what, entry))
                    return false;
                if (net->empty[e->what])
                    see(s, e->to, &depth);
            } else if (e->text_only ? s->text : e->kind == PX_GEDGE_BYTE || !s->text) {
                if (!put_move(s, e, node))
                    return false;
            }
        }
    }
    return true;
}

static void next_stamp(px_gset *s)
{
    if (++s->stamp == 0) {
        memset(s->seen, 0, s->net->n_states * sizeof *s->seen);
        s->stamp = 1;
    }
}

/* The node with which a rule that is called begins; 0 when memory is out. */
static uint32_t call_node(px_gset *s, uint32_t rule)
{
    uint32_t n = 0;
    for (uint32_t p = s->heads[rule]; p != 0; p = s->pending[p - 1].next) {
        px_gitem entry = s->pending[p - 1].entry;
        bool tail = entry.state == PX_GRET_TAIL;
        uint32_t more = tail ? s->nodes[entry.node].n : 1;
        if (!px_gvec_room(&s->scratch, &s->cap_scratch, (size_t)n + more, sizeof *s->scratch))
            return 0;
        if (tail)
            memcpy(s->scratch + n, s->entries + s->nodes[entry.node].first,
                   more * sizeof *s->scratch);
        else
            s->scratch[n] = entry;
        n += more;
        s->work += more;
    }
    s->heads[rule] = 0;
    return px_gset_node(s, s->scratch, n);
}

static void drop_pending(px_gset *s)
{
    memset(s->heads, 0, s->net->n_rules * sizeof *s->heads);
    memset(s->waiting, 0, ((size_t)s->net->n_rules / 64 + 1) * sizeof *s->waiting);
    s->n_pending = 0;
}

/* Follows the calls that wait, those first that no other can begin with. */
static pith_status follow_calls(px_gset *s, pith_error *err)
{
    uint32_t n_words = s->net->n_rules / 64 + 1;
    for (uint32_t w = 0; w < n_words; w++)
        while (s->waiting[w] != 0) {
            uint32_t rank = 64 * w + (uint32_t)__builtin_ctzll(s->waiting[w]);
            uint32_t rule = s->net->by_rank[rank], depth = 0;
            s->waiting[w] &= s->waiting[w] - 1;
            uint32_t node = call_node(s, rule);
            next_stamp(s);
            see(s, s->net->start[rule], &depth);
            if (node == 0 || !visit(s, depth, node))
                return no_memory(err);
            pith_status st = check_work(s, 0, err);
            if (st != PITH_OK)
                return st;
        }
    s->n_pending = 0;
    return PITH_OK;
}

static int by_node(const void *a, const void *b)
{
    const px_gitem *x = a, *y = b;
    return x->node < y->node ? -1 : x->node > y->node;
}

pith_status px_gset_expand(px_gset *s, const px_gitems *in, pith_error *err)
{
    s->n_moves = 0;
    px_gitem *items = in->items, *copy = NULL;
    if (in->n > 1) { // items of one node are followed together
        items = copy = px_malloc(in->n, sizeof *copy);
        if (!copy)
            return no_memory(err);
        memcpy(copy, in->items, in->n * sizeof *copy);
        qsort(copy, in->n, sizeof *copy, by_node);
    }
    pith_status st = PITH_OK;
    for (uint32_t i = 0; i < in->n && st == PITH_OK;) {
        uint32_t node = items[i].node, depth = 0;
        next_stamp(s);
        while (i < in->n && items[i].node == node)
            see(s, items[i++].state, &depth);
        st = visit(s, depth, node) ? check_work(s, 0, err) : no_memory(err);
    }
    px_free(copy);
    if (st == PITH_OK)
        st = follow_calls(s, err);
    if (st != PITH_OK)
        drop_pending(s);
    return st;
}

/* ---- returns */

bool px_gset_put(px_gset *s, uint32_t state, uint32_t node)
{
    if (!px_gvec_room(&s->raw.items, &s->raw.cap, (size_t)s->raw.n + 1, sizeof *s->raw.items))
        return false;
    s->raw.items[s->raw.n++] = (px_gitem){.state = state, .node = node};
    return true;
}

/* Enters raw item i into the table unless its like is there: true when it is new. */
static bool enter(px_gset *s, uint32_t i)
{
    uint32_t mask = s->dup_size - 1, at = hash_of(&s->raw.items[i], 1) & mask;
    for (; s->dup[at] != 0; at = (at + 1) & mask)
        if (by_item(&s->raw.items[s->dup[at] - 1], &s->raw.items[i]) == 0)
            return false;
    s->dup[at] = i + 1;
    return true;
}

/* Makes the table fit twice the raw items, and enters all. */
static bool grow_dup(px_gset *s)
{
    while (s->dup_size < 4 * (s->raw.n + 1)) {
        uint32_t *dup = px_calloc(2 * (size_t)s->dup_size, sizeof *dup);
        if (!dup)
            return false;
        px_free(s->dup);
        s->dup = dup;
        s->dup_size *= 2;
    }
    memset(s->dup, 0, s->dup_size * sizeof *s->dup);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->raw.n; i++) {
        s->raw.items[n] = s->raw.items[i];
        n += enter(s, n);
    }
    s->raw.n = n;
    return true;
}

/* Adds what raw items return to, and what that returns to. */
static pith_status make_returns(px_gset *s, bool *whole, pith_error *err)
{
    const px_gnet *net = s->net;
    bool any = false;
    for (uint32_t i = 0; i < s->raw.n; i++)
        any = any || (net->flags[s->raw.items[i].state] & PX_GSTATE_ACCEPT);
    if (!any)
        return PITH_OK;
    if (!grow_dup(s))
        return no_memory(err);
    for (uint32_t i = 0; i < s->raw.n; i++) {
        if (!(net->flags[s->raw.items[i].state] & PX_GSTATE_ACCEPT))
            continue;
        px_gnode node = s->nodes[s->raw.items[i].node];
        for (uint32_t k = node.first; k < node.first + node.n; k++) {
            px_gitem entry = s->entries[k];
            if (entry.state >= PX_GRET_BASE) {
                *whole = true;
                continue;
            }
            if (!px_gset_put(s, entry.state, entry.node))
                return no_memory(err);
            if (!enter(s, s->raw.n - 1))
                s->raw.n--;
            else if (4 * s->raw.n >= 3 * s->dup_size && !grow_dup(s))
                return no_memory(err);
        }
        pith_status st = check_work(s, 1 + node.n, err);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

/* The union of the nodes of items [from, to). */
static uint32_t join(px_gset *s, const px_gitem *items, uint32_t n)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        px_gnode node = s->nodes[items[i].node];
        if (!px_gvec_room(&s->scratch, &s->cap_scratch, (size_t)m + node.n, sizeof *s->scratch))
            return 0;
        memcpy(s->scratch + m, s->entries + node.first, node.n * sizeof *s->scratch);
        m += node.n;
    }
    s->work += m;
    return px_gset_node(s, s->scratch, m);
}

pith_status px_gset_settle(px_gset *s, px_gitems *out, pith_error *err)
{
    bool whole = false;
    pith_status st = make_returns(s, &whole, err);
    if (st != PITH_OK)
        return st;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->raw.n; i++)
        if (!(s->net->flags[s->raw.items[i].state] & PX_GSTATE_LAST))
            s->raw.items[n++] = s->raw.items[i];
    n = sort_unique(s->raw.items, n);
    uint32_t m = 0;
    for (uint32_t i = 0; i < n;) {
        uint32_t first = i;
        while (i < n && s->raw.items[i].state == s->raw.items[first].state)
            i++;
        px_gitem item = s->raw.items[first];
        if (i > first + 1)
            item.node = join(s, s->raw.items + first, i - first);
        if (item.node == 0)
            return no_memory(err);
        s->raw.items[m++] = item;
    }
    s->raw.n = m;
    s->raw.whole = whole;
    if (!px_gitems_copy(out, &s->raw))
        return no_memory(err);
    return check_work(s, m, err);
}

pith_status px_gset_begin(px_gset *s, px_gitem item, px_gitems *out, pith_error *err)
{
    s->raw.n = 0;
    if (!px_gset_put(s, item.state, item.node))
        return no_memory(err);
    return px_gset_settle(s, out, err);
}

pith_status px_gset_step(px_gset *s, const px_gitems *in, uint32_t input, px_gitems *out,
                         pith_error *err)
{
    pith_status st = px_gset_expand(s, in, err);
    if (st != PITH_OK)
        return st;
    s->raw.n = 0;
    for (uint32_t i = 0; i < s->n_moves; i++) {
        const px_gedge *e = &s->moves[i].edge;
        bool in_edge = e->kind == PX_GEDGE_BYTE ? input < 256 && e->lo <= input && input <= e->hi
                                                : input == 256 + e->what;
        if (in_edge && !px_gset_put(s, e->to, s->moves[i].node))
            return no_memory(err);
    }
    return px_gset_settle(s, out, err);
}

/* ---- forgetting */

/* Nodes stand above those that they are made of, so one pass down marks and one pass up moves. */
pith_status px_gset_compact(px_gset *s, px_gitems *items, pith_error *err)
{
    uint32_t *place = px_calloc(s->n_nodes, sizeof *place); // 1: needed; then the new number
    if (!place)
        return no_memory(err);
    for (uint32_t i = 0; i < items->n; i++)
        place[items->items[i].node] = 1;
    for (uint32_t i = s->n_nodes; i-- > 1;)
        for (uint32_t k = 0; place[i] && k < s->nodes[i].n; k++)
            place[s->entries[s->nodes[i].first + k].node] = 1;
    uint32_t n_nodes = 1, n_entries = 0;
    for (uint32_t i = 1; i < s->n_nodes; i++) {
        if (!place[i])
            continue;
        px_gnode node = s->nodes[i];
        place[i] = n_nodes;
        s->nodes[n_nodes++] = (px_gnode){.first = n_entries, .n = node.n};
        for (uint32_t k = 0; k < node.n; k++) {
            px_gitem entry = s->entries[node.first + k];
            if (entry.state < PX_GRET_BASE)
                entry.node = place[entry.node];
            s->entries[n_entries++] = entry;
        }
    }
    for (uint32_t i = 0; i < items->n; i++)
        items->items[i].node = place[items->items[i].node];
    s->n_nodes = n_nodes;
    s->n_entries = n_entries;
    px_free(place);
    memset(s->table, 0, s->table_size * sizeof *s->table);
    for (uint32_t i = 1; i < s->n_nodes; i++) {
        uint32_t mask = s->table_size - 1;
        uint32_t at = hash_of(s->entries + s->nodes[i].first, s->nodes[i].n) & mask;
        while (s->table[at] != 0)
            at = (at + 1) & mask;
        s->table[at] = i + 1;
    }
    return PITH_OK;
}

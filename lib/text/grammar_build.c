/*
 * grammar_build: see grammar_build.h. Each kind of expression has its function; repetitions are
 * chains of states, or a state that loops.
 */
#include "text/grammar_build.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
    SHORT_CHAIN = 4,   // longer ones call their item where it takes more than one edge
    STAND_IN_FROM = 12 // chains from this length on have loops that stand in
};

bool px_gvec_room(void *list, size_t *cap, size_t n, size_t size)
{
    void **place = list;
    if (n <= *cap)
        return true;
    size_t more = *cap ? *cap : 64;
    while (more < n)
        more *= 2;
    void *grown = px_realloc(*place, more, size);
    if (!grown)
        return false;
    *place = grown;
    *cap = more;
    return true;
}

static void fail_memory(px_gbuild *b)
{
    if (b->status == PITH_OK)
        b->status = px_fail_memory(b->err, "the network of a grammar");
}

static void fail_size(px_gbuild *b, const char *what, uint32_t most)
{
    if (b->status == PITH_OK)
        b->status = px_fail(b->err, PITH_E_LIMIT,
                            "%s: the grammar needs more than %u %s; make its counted repetitions "
                            "smaller",
                            b->name, most, what);
}

uint32_t px_gbuild_state(px_gbuild *b)
{
    if (b->n_states >= PX_MAX_GRAMMAR_STATES) {
        fail_size(b, "states", PX_MAX_GRAMMAR_STATES);
        return 0;
    }
    return b->n_states++;
}

void px_gbuild_edge(px_gbuild *b, uint32_t from, px_gedge edge)
{
    if (b->status != PITH_OK)
        return;
    if (b->n_edges >= PX_MAX_GRAMMAR_EDGES) {
        fail_size(b, "edges", PX_MAX_GRAMMAR_EDGES);
    } else if (!px_gvec_room(&b->edges, &b->cap_edges, (size_t)b->n_edges + 1, sizeof *b->edges)) {
        fail_memory(b);
    } else {
        b->edges[b->n_edges++] = (px_gdraft_edge){.from = from, .edge = edge};
    }
}

static void put_empty(px_gbuild *b, uint32_t from, uint32_t to)
{
    px_gbuild_edge(b, from, (px_gedge){.kind = PX_GEDGE_EMPTY, .to = to});
}

/* ---- bytes and words */

static void put_bytes(px_gbuild *b, px_str text, bool text_only, uint32_t from, uint32_t to)
{
    if (text.len == 0) {
        put_empty(b, from, to);
        return;
    }
    for (size_t i = 0; i < text.len && b->status == PITH_OK; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        uint32_t next = i + 1 == text.len ? to : px_gbuild_state(b);
        px_gbuild_edge(b, from,
                       (px_gedge){.kind = PX_GEDGE_BYTE,
                                  .lo = byte,
                                  .hi = byte,
                                  .text_only = text_only && i == 0,
                                  .to = next});
        from = next;
    }
}

static int by_text(const void *a, const void *b)
{
    const px_str *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = n > 0 ? memcmp(x->data, y->data, n) : 0;
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static size_t shared(px_str a, px_str b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.data[n] == b.data[n])
        n++;
    return n;
}

/* Words as a tree: sorted, each leaves the path of the one before it where the two part. */
static void put_words(px_gbuild *b, const px_str *words, uint32_t n, uint32_t from, uint32_t to)
{
    px_str *sorted = px_malloc((size_t)n + 1, sizeof *sorted);
    size_t longest = 0;
    for (uint32_t i = 0; i < n; i++)
        longest = words[i].len > longest ? words[i].len : longest;
    uint32_t *path = px_malloc(longest + 1, sizeof *path); // path[k]: after k bytes
    if (!sorted || !path) {
        fail_memory(b);
    } else {
        if (n > 0)
            memcpy(sorted, words, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_text);
        path[0] = from;
        for (uint32_t i = 0; i < n && b->status == PITH_OK; i++) {
            px_str w = sorted[i];
            size_t keep = i > 0 ? shared(w, sorted[i - 1]) : 0;
            if (i > 0 && px_str_eq(w, sorted[i - 1]))
                continue;
            for (size_t k = keep; k < w.len && b->status == PITH_OK; k++) {
                uint8_t byte = (uint8_t)w.data[k];
                path[k + 1] = px_gbuild_state(b);
                px_gbuild_edge(
                    b, path[k],
                    (px_gedge){.kind = PX_GEDGE_BYTE, .lo = byte, .hi = byte, .to = path[k + 1]});
            }
            put_empty(b, path[w.len], to);
        }
    }
    px_free(sorted);
    px_free(path);
}

/* ---- repetitions */

/* Whether one of x takes one edge, or near enough. */
static bool is_small(const px_gexpr *x)
{
    if (x->kind == PX_GEXPR_RULE || x->kind == PX_GEXPR_TOKEN)
        return true;
    if (x->kind == PX_GEXPR_BYTES)
        return x->text.len <= 1;
    return x->kind == PX_GEXPR_CHARS && !x->json && x->n <= 4 && x->n > 0 &&
           x->ranges[x->n - 1].hi < 0x80;
}

static uint32_t loop_state(px_gbuild *b, const px_gexpr *item)
{
    uint32_t s = px_gbuild_state(b);
    px_gbuild_expr(b, item, s, s);
    return s;
}

static void put_chain_state(px_gbuild *b, uint32_t state, uint32_t stand_in, uint32_t safe)
{
    if (b->status != PITH_OK)
        return;
    if (!px_gvec_room(&b->chains, &b->cap_chains, (size_t)b->n_chains + 1, sizeof *b->chains))
        fail_memory(b);
    else
        b->chains[b->n_chains++] = (px_gchain){.state = state, .stand_in = stand_in, .safe = safe};
}

/* n times the item, from `from` on; gives the state after them. */
static uint32_t put_must(px_gbuild *b, const px_gexpr *item, uint32_t n, uint32_t from)
{
    uint32_t loop = UINT32_MAX;
    if (n >= STAND_IN_FROM) {
        loop = loop_state(b, item);
        if (!px_gvec_room(&b->loops, &b->cap_loops, (size_t)b->n_loops + 1, sizeof *b->loops))
            fail_memory(b);
        else
            b->loops[b->n_loops++] = loop;
    }
    uint32_t at = from;
    for (uint32_t i = 0; i < n && b->status == PITH_OK; i++) {
        uint32_t next = px_gbuild_state(b);
        px_gbuild_expr(b, item, at, next);
        if (loop != UINT32_MAX && i > 0)
            put_chain_state(b, at, loop, n - i);
        at = next;
    }
    return at;
}

/* Up to n times the item. */
static void put_may(px_gbuild *b, const px_gexpr *item, uint32_t n, uint32_t from, uint32_t to)
{
    uint32_t at = px_gbuild_state(b), loop = UINT32_MAX;
    put_empty(b, from, at);
    if (n >= STAND_IN_FROM) {
        loop = loop_state(b, item);
        put_empty(b, loop, to);
    }
    for (uint32_t i = 0; i < n && b->status == PITH_OK; i++) {
        uint32_t next = i + 1 == n ? to : px_gbuild_state(b);
        put_empty(b, at, to);
        px_gbuild_expr(b, item, at, next);
        if (loop != UINT32_MAX)
            put_chain_state(b, at, loop, n - i);
        at = next;
    }
}

static void put_repeat(px_gbuild *b, const px_gexpr *x, uint32_t from, uint32_t to)
{
    const px_gexpr *item = x->items[0];
    bool endless = x->max == PX_GRAMMAR_MANY;
    uint32_t copies = endless ? x->min : x->max;
    if (copies > SHORT_CHAIN && !is_small(item)) {
        uint32_t rule = px_grules_add(b->rules, (px_str){.data = "a repeated part", .len = 15});
        if (rule == UINT32_MAX) {
            fail_memory(b);
            return;
        }
        b->rules->rules[rule].body = item;
        item = px_gexpr_rule(b->rules, rule);
        if (!item) {
            fail_memory(b);
            return;
        }
    }
    uint32_t at = put_must(b, item, x->min, from);
    if (endless) {
        uint32_t s = loop_state(b, item);
        put_empty(b, at, s);
        put_empty(b, s, to);
    } else if (x->max > x->min) {
        put_may(b, item, x->max - x->min, at, to);
    } else {
        put_empty(b, at, to);
    }
}

/* ---- the others */

static void put_seq(px_gbuild *b, const px_gexpr *x, uint32_t from, uint32_t to)
{
    if (x->n == 0)
        put_empty(b, from, to);
    for (uint32_t i = 0; i < x->n && b->status == PITH_OK; i++) {
        uint32_t next = i + 1 == x->n ? to : px_gbuild_state(b);
        px_gbuild_expr(b, x->items[i], from, next);
        from = next;
    }
}

static void put_dfa(px_gbuild *b, const px_gexpr *x, uint32_t from, uint32_t to)
{
    uint32_t base = b->n_states;
    for (uint32_t s = 0; s < x->n_states; s++)
        px_gbuild_state(b);
    if (b->status != PITH_OK)
        return;
    put_empty(b, from, base);
    for (uint32_t s = 0; s < x->n_states; s++)
        if (x->accepts[s])
            put_empty(b, base + s, to);
    /* Ranges that lead the same way go together, so that they share their ends. */
    px_grange run[64];
    for (uint32_t i = 0; i < x->n && b->status == PITH_OK;) {
        uint32_t n = 0, first = i;
        while (i < x->n && n < 64 && x->edges[i].from == x->edges[first].from &&
               x->edges[i].to == x->edges[first].to)
            run[n++] = x->edges[i++].range;
        px_gbuild_chars(b, run, n, x->json, base + x->edges[first].from, base + x->edges[first].to);
    }
}

/* F: nothing is written yet; R: something is; M: the item is next. */
static void put_ladder(px_gbuild *b, const px_gexpr *x, uint32_t from, uint32_t to)
{
    uint32_t n = x->n - 2, f = px_gbuild_state(b), r = px_gbuild_state(b);
    put_empty(b, from, f);
    for (uint32_t i = 0; i < n && b->status == PITH_OK; i++) {
        uint32_t m = px_gbuild_state(b);
        uint32_t f_next = px_gbuild_state(b), r_next = px_gbuild_state(b);
        put_empty(b, f, m);
        px_gbuild_edge(b, r, (px_gedge){.kind = PX_GEDGE_BYTE, .lo = ',', .hi = ',', .to = m});
        px_gbuild_expr(b, x->items[i], m, r_next);
        if (!x->accepts[i]) {
            put_empty(b, f, f_next);
            put_empty(b, r, r_next);
        }
        f = f_next;
        r = r_next;
    }
    px_gbuild_expr(b, x->items[n], f, to);
    px_gbuild_expr(b, x->items[n + 1], r, to);
}

void px_gbuild_expr(px_gbuild *b, const px_gexpr *x, uint32_t from, uint32_t to)
{
    if (b->status != PITH_OK)
        return;
    switch (x->kind) {
    case PX_GEXPR_BYTES:
        put_bytes(b, x->text, false, from, to);
        return;
    case PX_GEXPR_CHARS:
        px_gbuild_chars(b, x->ranges, x->n, x->json, from, to);
        return;
    case PX_GEXPR_SEQ:
        put_seq(b, x, from, to);
        return;
    case PX_GEXPR_ALT:
        for (uint32_t i = 0; i < x->n; i++)
            px_gbuild_expr(b, x->items[i], from, to);
        return;
    case PX_GEXPR_REPEAT:
        put_repeat(b, x, from, to);
        return;
    case PX_GEXPR_RULE:
        px_gbuild_edge(b, from, (px_gedge){.kind = PX_GEDGE_CALL, .to = to, .what = x->rule});
        return;
    case PX_GEXPR_TOKEN:
        px_gbuild_edge(b, from, (px_gedge){.kind = PX_GEDGE_TOKEN, .to = to, .what = x->symbol});
        put_bytes(b, x->text, true, from, to);
        return;
    case PX_GEXPR_UNTIL:
        px_gbuild_until(b, x->words, x->n, from, to);
        return;
    case PX_GEXPR_WORDS:
        put_words(b, x->words, x->n, from, to);
        return;
    case PX_GEXPR_DFA:
        put_dfa(b, x, from, to);
        return;
    case PX_GEXPR_LADDER:
        put_ladder(b, x, from, to);
        return;
    }
}

void px_gbuild_clear(px_gbuild *b)
{
    px_free(b->edges);
    px_free(b->chains);
    px_free(b->loops);
    *b = (px_gbuild){0};
}

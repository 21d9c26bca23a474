/* grammar_expr: see grammar_expr.h. */
#include "text/grammar_expr.h"

#include <stdlib.h>

void px_grules_init(px_grules *g, const px_tokenizer *tok)
{
    *g = (px_grules){.tok = tok};
    px_arena_init(&g->arena, 0, PX_MAX_GRAMMAR_MEMORY);
}

void px_grules_clear(px_grules *g)
{
    px_arena_clear(&g->arena);
    *g = (px_grules){0};
}

pith_status px_grules_status(const px_grules *g, pith_error *err)
{
    if (!g->failed)
        return PITH_OK;
    if (g->arena.held > g->arena.limit / 2)
        return px_fail(err, PITH_E_LIMIT,
                       "the grammar takes more than %u MiB while it is read; make it smaller",
                       (unsigned)(PX_MAX_GRAMMAR_MEMORY >> 20));
    return px_fail_memory(err, "a grammar");
}

/* Room for one more element of a list in the arena; NULL when memory is out. */
static void *grown(px_grules *g, void *list, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return list;
    uint32_t more = *cap ? 2 * *cap : 16;
    void *fresh = px_arena_alloc(&g->arena, more, size);
    if (!fresh) {
        g->failed = true;
        return NULL;
    }
    if (n > 0)
        memcpy(fresh, list, n * size);
    *cap = more;
    return fresh;
}

static px_str copied(px_grules *g, px_str text)
{
    char *data = px_arena_strndup(&g->arena, text.data ? text.data : "", text.len);
    if (!data)
        g->failed = true;
    return (px_str){.data = data, .len = data ? text.len : 0};
}

uint32_t px_grules_add(px_grules *g, px_str name)
{
    px_grule *rules = grown(g, g->rules, g->n_rules, &g->cap_rules, sizeof *rules);
    if (!rules)
        return UINT32_MAX;
    g->rules = rules;
    g->rules[g->n_rules] = (px_grule){.name = copied(g, name)};
    return g->n_rules++;
}

int64_t px_grules_symbol(px_grules *g, px_str text)
{
    int32_t id = g->tok ? px_tokenizer_find(g->tok, text) : -1;
    if (id < 0)
        return -1;
    uint8_t type = px_tokenizer_def(g->tok)->tokens[id].type;
    if (type != PX_TOKEN_CONTROL && type != PX_TOKEN_USER_DEFINED && type != PX_TOKEN_UNKNOWN)
        return -1;
    for (uint32_t i = 0; i < g->n_symbols; i++)
        if (g->symbols[i] == id)
            return i;
    int32_t *symbols = grown(g, g->symbols, g->n_symbols, &g->cap_symbols, sizeof *symbols);
    if (!symbols)
        return -1;
    g->symbols = symbols;
    g->symbols[g->n_symbols] = id;
    return g->n_symbols++;
}

/* ---- makers */

static px_gexpr *make(px_grules *g, px_gexpr_kind kind)
{
    px_gexpr *x = PX_ZNEW(&g->arena, px_gexpr, 1);
    if (!x)
        g->failed = true;
    else
        x->kind = kind;
    return x;
}

const px_gexpr *px_gexpr_bytes(px_grules *g, px_str text)
{
    px_gexpr *x = make(g, PX_GEXPR_BYTES);
    if (x)
        x->text = copied(g, text);
    return x;
}

const px_gexpr *px_gexpr_text(px_grules *g, const char *text)
{
    return px_gexpr_bytes(g, px_str_of(text));
}

static int by_lo(const void *a, const void *b)
{
    uint32_t x = ((const px_grange *)a)->lo, y = ((const px_grange *)b)->lo;
    return x < y ? -1 : x > y;
}

/* Sorts, joins what touches and, when inverted, turns round. out has room for n + 1. */
static uint32_t tidy(const px_grange *ranges, uint32_t n, bool inverted, px_grange *sorted,
                     px_grange *out)
{
    if (n > 0)
        memcpy(sorted, ranges, n * sizeof *ranges);
    qsort(sorted, n, sizeof *sorted, by_lo);
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (m > 0 && sorted[i].lo <= sorted[m - 1].hi + 1) {
            if (sorted[i].hi > sorted[m - 1].hi)
                sorted[m - 1].hi = sorted[i].hi;
        } else {
            sorted[m++] = sorted[i];
        }
    }
    uint32_t k = 0, from = 0;
    if (!inverted) {
        memcpy(out, sorted, m * sizeof *out);
        return m;
    }
    for (uint32_t i = 0; i < m; i++) {
        if (sorted[i].lo > from)
            out[k++] = (px_grange){from, sorted[i].lo - 1};
        from = sorted[i].hi + 1;
    }
    if (from <= 0x10ffff)
        out[k++] = (px_grange){from, 0x10ffff};
    return k;
}

const px_gexpr *px_gexpr_chars(px_grules *g, const px_grange *ranges, uint32_t n, bool inverted,
                               bool json)
{
    px_gexpr *x = make(g, PX_GEXPR_CHARS);
    px_grange *out = PX_NEW(&g->arena, px_grange, (size_t)n + 1);
    px_grange *sorted = PX_NEW(&g->arena, px_grange, (size_t)n + 1);
    if (!x || !out || !sorted) {
        g->failed = true;
        return NULL;
    }
    x->json = json;
    x->ranges = out;
    x->n = tidy(ranges, n, inverted, sorted, out);
    return x;
}

static const px_gexpr *make_list(px_grules *g, px_gexpr_kind kind, const px_gexpr *const *items,
                                 uint32_t n)
{
    if (n == 1)
        return items[0];
    px_gexpr *x = make(g, kind);
    const px_gexpr **copy = PX_NEW(&g->arena, const px_gexpr *, (size_t)n + 1);
    if (!x || !copy) {
        g->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!items[i])
            return NULL;
        copy[i] = items[i];
    }
    x->items = copy;
    x->n = n;
    return x;
}

const px_gexpr *px_gexpr_seq(px_grules *g, const px_gexpr *const *items, uint32_t n)
{
    return make_list(g, PX_GEXPR_SEQ, items, n);
}

const px_gexpr *px_gexpr_alt(px_grules *g, const px_gexpr *const *items, uint32_t n)
{
    return make_list(g, PX_GEXPR_ALT, items, n);
}

const px_gexpr *px_gexpr_repeat(px_grules *g, const px_gexpr *item, uint32_t min, uint32_t max)
{
    if (min == 1 && max == 1)
        return item;
    px_gexpr *x = make(g, PX_GEXPR_REPEAT);
    const px_gexpr **copy = PX_NEW(&g->arena, const px_gexpr *, 1);
    if (!x || !copy || !item) {
        g->failed = g->failed || !x || !copy;
        return NULL;
    }
    copy[0] = item;
    x->items = copy;
    x->n = 1;
    x->min = min;
    x->max = max;
    return x;
}

const px_gexpr *px_gexpr_rule(px_grules *g, uint32_t rule)
{
    px_gexpr *x = make(g, PX_GEXPR_RULE);
    if (x)
        x->rule = rule;
    return x;
}

const px_gexpr *px_gexpr_token(px_grules *g, px_str text)
{
    int64_t symbol = px_grules_symbol(g, text);
    if (symbol < 0)
        return px_gexpr_bytes(g, text);
    px_gexpr *x = make(g, PX_GEXPR_TOKEN);
    if (!x)
        return NULL;
    x->symbol = (uint32_t)symbol;
    x->text = copied(g, text);
    return x;
}

static const px_gexpr *make_words(px_grules *g, px_gexpr_kind kind, const px_str *words, uint32_t n)
{
    px_gexpr *x = make(g, kind);
    px_str *copy = PX_NEW(&g->arena, px_str, (size_t)n + 1);
    if (!x || !copy) {
        g->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        copy[i] = copied(g, words[i]);
    x->words = copy;
    x->n = n;
    return x;
}

const px_gexpr *px_gexpr_until(px_grules *g, const px_str *words, uint32_t n)
{
    return make_words(g, PX_GEXPR_UNTIL, words, n);
}

const px_gexpr *px_gexpr_words(px_grules *g, const px_str *words, uint32_t n)
{
    return make_words(g, PX_GEXPR_WORDS, words, n);
}

void px_gexprs_put(px_grules *g, px_gexprs *list, const px_gexpr *x)
{
    const px_gexpr **items = grown(g, list->items, list->n, &list->cap, sizeof *items);
    if (!items || !x) {
        g->failed = true;
        return;
    }
    list->items = items;
    list->items[list->n++] = x;
}

const px_gexpr *px_gexpr_ladder(px_grules *g, const px_gexprs *rungs, const bool *must,
                                const px_gexpr *none, const px_gexpr *some)
{
    px_gexprs list = {0};
    for (uint32_t i = 0; i < rungs->n; i++)
        px_gexprs_put(g, &list, rungs->items[i]);
    px_gexprs_put(g, &list, none);
    px_gexprs_put(g, &list, some);
    px_gexpr *x = make(g, PX_GEXPR_LADDER);
    if (!x || g->failed)
        return NULL;
    x->items = list.items;
    x->n = list.n;
    x->accepts = must;
    return x;
}

/* ---- left recursion */

/* Whether x begins with a call of the rule; *rest is what follows it. */
static bool begins_with(px_grules *g, const px_gexpr *x, uint32_t rule, const px_gexpr **rest)
{
    *rest = NULL;
    if (x->kind == PX_GEXPR_RULE && x->rule == rule) {
        *rest = px_gexpr_seq(g, NULL, 0);
        return true;
    }
    if (x->kind != PX_GEXPR_SEQ || x->n == 0 || x->items[0]->kind != PX_GEXPR_RULE ||
        x->items[0]->rule != rule)
        return false;
    *rest = px_gexpr_seq(g, x->items + 1, x->n - 1);
    return true;
}

static const px_gexpr *unroll(px_grules *g, uint32_t rule)
{
    const px_gexpr *body = g->rules[rule].body;
    bool many = body->kind == PX_GEXPR_ALT;
    px_gexprs heads = {0}, tails = {0};
    for (uint32_t i = 0; i < (many ? body->n : 1); i++) {
        const px_gexpr *x = many ? body->items[i] : body, *rest;
        if (begins_with(g, x, rule, &rest))
            px_gexprs_put(g, &tails, rest);
        else
            px_gexprs_put(g, &heads, x);
    }
    if (tails.n == 0 || g->failed)
        return body;
    const px_gexpr *parts[2] = {
        px_gexpr_alt(g, heads.items, heads.n),
        px_gexpr_repeat(g, px_gexpr_alt(g, tails.items, tails.n), 0, PX_GRAMMAR_MANY)};
    return px_gexpr_seq(g, parts, 2);
}

void px_grules_unroll_left(px_grules *g)
{
    for (uint32_t r = 0; r < g->n_rules && !g->failed; r++)
        if (g->rules[r].body)
            g->rules[r].body = unroll(g, r);
}

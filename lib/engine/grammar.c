/* grammar: see grammar.h. */
#include "engine/grammar.h"

#include "base/mem.h"
#include "engine/options.h"

#include <pthread.h>

struct px_tree_slot {
    pthread_mutex_t lock; // guards tree; rank: above a grammar's, below all others
    px_gvocab *tree;
};

struct px_tree_slot *px_tree_slot_new(pith_error *err)
{
    struct px_tree_slot *slot = px_calloc(1, sizeof *slot);
    if (slot && pthread_mutex_init(&slot->lock, NULL) != 0) {
        px_free(slot);
        slot = NULL;
    }
    if (!slot)
        px_fail_memory(err, "the tokenizer");
    return slot;
}

void px_tree_slot_free(struct px_tree_slot *slot)
{
    if (!slot)
        return;
    px_gvocab_free(slot->tree);
    pthread_mutex_destroy(&slot->lock);
    px_free(slot);
}

static pith_status get_tree(const pith_tokenizer *tok, const px_gvocab **out, pith_error *err)
{
    pith_status st = PITH_OK;
    pthread_mutex_lock(&tok->tree->lock);
    if (!tok->tree->tree)
        st = px_gvocab_new(tok->tok, &tok->tree->tree, err);
    *out = tok->tree->tree;
    pthread_mutex_unlock(&tok->tree->lock);
    return st;
}

/* ---- the door */

static pith_status check_options(const pith_grammar_options *o, pith_error *err)
{
    if ((int)o->kind < PITH_GRAMMAR_GBNF || o->kind > PITH_GRAMMAR_CHOICE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "pith_grammar_options.kind is %d, expected a PITH_GRAMMAR_* value",
                       (int)o->kind);
    if (!o->text && o->kind != PITH_GRAMMAR_JSON)
        return px_fail(err, PITH_E_ARGUMENT, "pith_grammar_options.text is NULL");
    return PITH_OK;
}

pith_status pith_grammar_new(const pith_tokenizer *tok, const pith_grammar_options *options,
                             pith_grammar **out, pith_error *err)
{
    static const px_grammar_kind KINDS[] = {PX_GRAMMAR_GBNF, PX_GRAMMAR_SCHEMA, PX_GRAMMAR_JSON,
                                            PX_GRAMMAR_REGEX, PX_GRAMMAR_CHOICE};
    static const char *const NAMES[] = {"grammar", "schema", "json", "regex", "choice"};
    px_error_clear(err);
    if (!out || !options)
        return px_fail(err, PITH_E_ARGUMENT, "pith_grammar_new: an argument is NULL");
    *out = NULL;
    pith_grammar_options o = {0};
    const px_gvocab *tree = NULL;
    pith_status st = px_options_read(options, "pith_grammar_options", &o, sizeof o, err);
    if (st == PITH_OK)
        st = check_options(&o, err);
    if (st == PITH_OK && tok)
        st = get_tree(tok, &tree, err);
    if (st != PITH_OK)
        return st;
    pith_grammar *g = px_calloc(1, sizeof *g);
    if (!g)
        return px_fail_memory(err, "a grammar");
    g->tokenizer = tok;
    px_str text = {.data = o.text ? o.text : "", .len = o.text ? o.len : 0};
    st = px_grammar_new(tree, KINDS[o.kind], o.name ? o.name : NAMES[o.kind], text, &g->grammar,
                        err);
    if (st != PITH_OK) {
        px_free(g);
        return st;
    }
    *out = g;
    return PITH_OK;
}

void pith_grammar_free(pith_grammar *g)
{
    if (!g)
        return;
    px_grammar_free(g->grammar);
    px_free(g);
}

pith_status pith_grammar_match(const pith_grammar *g, const char *text, size_t len, bool *whole,
                               size_t *n_prefix, pith_error *err)
{
    px_error_clear(err);
    if (whole)
        *whole = false;
    if (n_prefix)
        *n_prefix = 0;
    if (!g || !whole || (!text && len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_grammar_match: an argument is NULL");
    px_gmatch m;
    size_t taken = 0;
    pith_status st = px_gmatch_init(&m, g->grammar, true, err);
    if (st != PITH_OK)
        return st;
    st = px_gmatch_bytes(&m, (px_str){.data = text, .len = len}, &taken, err);
    if (st == PITH_OK) {
        *whole = taken == len && px_gmatch_whole(&m);
        if (n_prefix)
            *n_prefix = taken;
    }
    px_gmatch_clear(&m);
    return st;
}

/* ---- choosing */

pith_status px_grammar_filter(px_gmatch *m, px_candidates *c, pith_error *err)
{
    const uint64_t *bits;
    pith_status st = px_gmatch_mask(m, &bits, err);
    if (st != PITH_OK)
        return st;
    int32_t n_vocab = px_grammar_vocab(m->grammar)->n_vocab;
    px_candidates_keep(c, bits, n_vocab < c->n_vocab ? n_vocab : c->n_vocab);
    if (c->n > 0)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT,
                   "no token of the vocabulary can go on as the grammar asks, and the text is not "
                   "whole; the grammar wants characters that this model cannot write");
}

/* grammar_vocab: see grammar_vocab.h. */
#include "text/grammar_vocab.h"

#include "base/mem.h"

#include <stdlib.h>

typedef struct word {
    const uint8_t *data;
    uint32_t len;
    int32_t id;
} word;

static int by_bytes(const void *a, const void *b)
{
    const word *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_text(const px_tokenizer *tok, int32_t id, px_str bytes)
{
    uint8_t type = px_tokenizer_def(tok)->tokens[id].type;
    return bytes.len > 0 && bytes.len <= PX_GVOCAB_LONGEST && !px_token_ends(tok, id) &&
           type != PX_TOKEN_CONTROL && type != PX_TOKEN_UNKNOWN && type != PX_TOKEN_UNUSED;
}

static uint32_t shared(const word *a, const word *b)
{
    uint32_t n = 0, most = a->len < b->len ? a->len : b->len;
    while (n < most && a->data[n] == b->data[n])
        n++;
    return n;
}

static bool make_arrays(px_gvocab *v, const word *words, uint32_t n)
{
    size_t nodes = 1;
    for (uint32_t i = 0; i < n; i++)
        nodes += words[i].len - (i > 0 ? shared(&words[i], &words[i - 1]) : 0);
    v->n_words = ((uint32_t)v->n_vocab + 63) / 64;
    v->byte = px_calloc(nodes, 1);
    v->depth = px_calloc(nodes, sizeof *v->depth);
    v->longest = px_calloc(nodes, sizeof *v->longest);
    v->next = px_calloc(nodes, sizeof *v->next);
    v->first_id = px_calloc(nodes + 1, sizeof *v->first_id);
    v->ids = px_malloc((size_t)n + 1, sizeof *v->ids);
    v->in_tree = px_calloc(v->n_words, sizeof *v->in_tree);
    v->short_of = px_calloc((PX_GVOCAB_SHORT + 1) * (size_t)v->n_words, sizeof *v->short_of);
    return v->byte && v->depth && v->longest && v->next && v->first_id && v->ids && v->in_tree &&
           v->short_of;
}

/* Words in order are a walk of the tree: path[d] is the node at depth d of the word before. */
static void fill(px_gvocab *v, const word *words, uint32_t n)
{
    uint32_t path[PX_GVOCAB_LONGEST + 1] = {0}, depth = 0;
    v->n_nodes = 1;
    for (uint32_t i = 0; i < n; i++) {
        const word *w = &words[i];
        uint32_t keep = i > 0 ? shared(w, &words[i - 1]) : 0;
        for (; depth > keep; depth--)
            v->next[path[depth]] = v->n_nodes;
        for (; depth < w->len; depth++) {
            uint32_t node = v->n_nodes++;
            v->byte[node] = w->data[depth];
            v->depth[node] = (uint16_t)(depth + 1);
            v->first_id[node] = i;
            path[depth + 1] = node;
        }
        for (uint32_t d = 0; d <= depth; d++)
            if (v->longest[path[d]] < w->len)
                v->longest[path[d]] = (uint16_t)w->len;
        v->ids[i] = w->id;
        size_t at = (uint32_t)w->id / 64;
        uint64_t bit = UINT64_C(1) << (w->id % 64);
        v->in_tree[at] |= bit;
        for (uint32_t k = w->len; k <= PX_GVOCAB_SHORT; k++)
            v->short_of[k * (size_t)v->n_words + at] |= bit;
    }
    for (; depth > 0; depth--)
        v->next[path[depth]] = v->n_nodes;
    v->next[0] = v->n_nodes;
    v->first_id[v->n_nodes] = n;
}

static pith_status list_ends(px_gvocab *v, pith_error *err)
{
    for (int pass = 0; pass < 2; pass++) {
        v->n_ends = 0;
        for (int32_t id = 0; id < v->n_vocab; id++)
            if (px_token_ends(v->tok, id)) {
                if (pass == 1)
                    v->ends[v->n_ends] = id;
                v->n_ends++;
            }
        if (pass == 0) {
            v->ends = px_malloc((size_t)v->n_ends + 1, sizeof *v->ends);
            if (!v->ends)
                return px_fail_memory(err, "the tree of the vocabulary");
        }
    }
    return PITH_OK;
}

pith_status px_gvocab_new(const px_tokenizer *tok, px_gvocab **out, pith_error *err)
{
    *out = NULL;
    px_gvocab *v = px_calloc(1, sizeof *v);
    int32_t n_vocab = px_tokenizer_size(tok);
    word *words = px_malloc((size_t)n_vocab + 1, sizeof *words);
    pith_status st = PITH_OK;
    if (v && words) {
        v->tok = tok;
        v->n_vocab = n_vocab;
        uint32_t n = 0;
        for (int32_t id = 0; id < n_vocab; id++) {
            px_str bytes = px_token_bytes(tok, id, false);
            if (is_text(tok, id, bytes))
                words[n++] = (word){
                    .data = (const uint8_t *)bytes.data, .len = (uint32_t)bytes.len, .id = id};
        }
        qsort(words, n, sizeof *words, by_bytes);
        if (make_arrays(v, words, n)) {
            fill(v, words, n);
            st = list_ends(v, err);
        } else {
            st = px_fail_memory(err, "the tree of the vocabulary");
        }
    } else {
        st = px_fail_memory(err, "the tree of the vocabulary");
    }
    px_free(words);
    if (st != PITH_OK) {
        px_gvocab_free(v);
        return st;
    }
    *out = v;
    return PITH_OK;
}

void px_gvocab_free(px_gvocab *v)
{
    if (!v)
        return;
    px_free(v->byte);
    px_free(v->depth);
    px_free(v->longest);
    px_free(v->next);
    px_free(v->first_id);
    px_free(v->ids);
    px_free(v->in_tree);
    px_free(v->short_of);
    px_free(v->ends);
    px_free(v);
}

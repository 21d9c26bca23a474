/* trie: see trie.h. Threads: a built trie is read-only. */
#include "text/trie.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    const px_trie_entry *x = a, *y = b;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = n ? memcmp(x->text.data, y->text.data, n) : 0;
    if (order)
        return order;
    if (x->text.len != y->text.len)
        return x->text.len < y->text.len ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* Bytes that a and b begin with in common. */
static size_t common(px_str a, px_str b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* A node whose children are still to be made: the sorted entries [from, to) pass through it. */
typedef struct open_node {
    uint32_t node, from, to, depth;
} open_node;

/* Makes the children of one node and opens them; entries shorter than the node come first. */
static void make_children(px_trie *trie, uint32_t *n_nodes, const px_trie_entry *entries,
                          open_node at, open_node *queue, size_t *n_queue)
{
    uint32_t i = at.from;
    while (i < at.to && entries[i].text.len == at.depth) {
        if (trie->nodes[at.node].value < 0)
            trie->nodes[at.node].value = entries[i].value;
        i++;
    }
    trie->nodes[at.node].first = *n_nodes;
    while (i < at.to) {
        uint32_t start = i;
        uint8_t byte = (uint8_t)entries[i].text.data[at.depth];
        while (i < at.to && (uint8_t)entries[i].text.data[at.depth] == byte)
            i++;
        uint32_t child = (*n_nodes)++;
        trie->nodes[child] = (px_trie_node){.value = -1, .byte = byte};
        trie->nodes[at.node].n_children++;
        if (at.node == 0)
            trie->root[byte] = child;
        queue[(*n_queue)++] =
            (open_node){.node = child, .from = start, .to = i, .depth = at.depth + 1};
    }
}

pith_status px_trie_build(px_trie *trie, px_arena *arena, px_trie_entry *entries, size_t n,
                          pith_error *err)
{
    pith_status st = PITH_OK;
    memset(trie, 0, sizeof *trie);
    if (n == 0)
        return PITH_OK;
    qsort(entries, n, sizeof *entries, by_text);
    size_t most = 1;
    for (size_t i = 0; i < n; i++)
        most += entries[i].text.len - (i ? common(entries[i - 1].text, entries[i].text) : 0);
    if (most > UINT32_MAX / sizeof(px_trie_node) || n > UINT32_MAX)
        return px_fail(err, PITH_E_LIMIT, "the texts of the vocabulary are too long together");
    open_node *queue = px_malloc(most, sizeof *queue);
    trie->nodes = PX_NEW(arena, px_trie_node, most);
    if (!queue || !trie->nodes) {
        st = px_fail_memory(err, "a search tree of the vocabulary");
        trie->nodes = NULL;
        goto out;
    }
    uint32_t n_nodes = 1;
    size_t n_queue = 1;
    trie->nodes[0] = (px_trie_node){.value = -1};
    queue[0] = (open_node){.to = (uint32_t)n};
    for (size_t i = 0; i < n_queue; i++)
        make_children(trie, &n_nodes, entries, queue[i], queue, &n_queue);
    trie->nodes[0].value = -1;
out:
    px_free(queue);
    return st;
}

uint32_t px_trie_step(const px_trie *trie, uint32_t node, uint8_t byte)
{
    if (node == 0)
        return trie->root[byte];
    const px_trie_node *parent = &trie->nodes[node];
    const px_trie_node *child = &trie->nodes[parent->first];
    uint32_t low = 0, high = parent->n_children;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (child[middle].byte < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low < parent->n_children && child[low].byte == byte ? parent->first + low : 0;
}

int32_t px_trie_longest(const px_trie *trie, const char *text, size_t n, size_t *len)
{
    int32_t found = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        node = px_trie_step(trie, node, (uint8_t)text[i]);
        if (node == 0)
            break;
        if (trie->nodes[node].value >= 0) {
            found = trie->nodes[node].value;
            *len = i + 1;
        }
    }
    return found;
}

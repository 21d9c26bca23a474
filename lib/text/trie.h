/*
 * trie: a set of byte strings with a number each, walked byte by byte. Finds the longest string
 * that a text begins with (added tokens, WordPiece) and all of them (Unigram).
 *
 * Nodes lie level by level; the children of a node are neighbours, sorted by byte, so a node is
 * twelve bytes. The root has a table of 256 entries, since most steps begin there. Immutable once
 * built; memory from an arena.
 */
#ifndef PX_TEXT_TRIE_H
#define PX_TEXT_TRIE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

typedef struct px_trie_node {
    uint32_t first; // index of the first child
    int32_t value;  // -1: no string ends here
    uint16_t n_children;
    uint8_t byte; // on the way from the parent
} px_trie_node;

typedef struct px_trie {
    px_trie_node *nodes; // NULL for an empty set
    uint32_t root[256];  // children of the root by byte; 0: none (node 0 is the root itself)
} px_trie;

typedef struct px_trie_entry {
    px_str text;
    int32_t value; // at least 0
} px_trie_entry;

/* Sorts entries in place, then builds. Empty texts are left out; of equal texts one remains. The
 * texts are not kept. */
pith_status px_trie_build(px_trie *trie, px_arena *arena, px_trie_entry *entries, size_t n,
                          pith_error *err);

/* The child of `node` by byte, or 0. node 0 is the root. */
uint32_t px_trie_step(const px_trie *trie, uint32_t node, uint8_t byte);

/* The longest string that text[0..n) begins with: its value and length, or -1. */
int32_t px_trie_longest(const px_trie *trie, const char *text, size_t n, size_t *len);

#endif

/*
 * charsmap: SentencePiece's precompiled normalisation map. Its layout, little endian:
 *
 *   u32 bytes of the trie
 *   u32 units[]    a double-array trie (darts-clone) of UTF-8 strings; the value of a string is
 *                  where its replacement begins in what follows
 *   char text[]    replacements, each ended by a zero byte
 *
 *   unit:  bit 31 | 30 .. 10 | 9         | 8       | 7 .. 0
 *          leaf   | offset   | times 256 | has one | label
 */
#ifndef PX_TEXT_CHARSMAP_H
#define PX_TEXT_CHARSMAP_H

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

typedef struct px_charsmap {
    const char *units; // unaligned
    size_t n_units;
    px_str text;
} px_charsmap;

/* Checks the frame of a map, which is lent. */
pith_status px_charsmap_open(px_str blob, px_charsmap *out, pith_error *err);

/* The longest string of the map that text[0..n) begins with: its length and replacement; 0 when
 * there is none. Any content of the units is safe. */
size_t px_charsmap_find(const px_charsmap *map, const char *text, size_t n, px_str *replacement);

#endif

/*
 * piece: a stretch of (normalised) text that remembers where in the original its bytes come from.
 */
#ifndef PX_TEXT_PIECE_H
#define PX_TEXT_PIECE_H

#include "base/str.h"

#include <stdint.h>

typedef struct px_piece {
    const char *text;
    size_t n;
    const uint32_t *ends; // byte i comes from what ends before byte ends[i] of the original; NULL:
                          // the original bytes themselves, from `base` on
    uint32_t base;        // where the piece begins in the original
} px_piece;

/* End in the original of the first i bytes. */
static inline uint32_t px_piece_end(const px_piece *piece, size_t i)
{
    if (i == 0)
        return piece->base;
    return piece->ends ? piece->ends[i - 1] : piece->base + (uint32_t)i;
}

/* Bytes [from, to) of a piece. */
static inline px_piece px_piece_part(const px_piece *piece, size_t from, size_t to)
{
    return (px_piece){.text = piece->text + from,
                      .n = to - from,
                      .ends = piece->ends ? piece->ends + from : NULL,
                      .base = px_piece_end(piece, from)};
}

#define PX_META_SPACE "\xe2\x96\x81" // U+2581, which SentencePiece writes for a space

static inline bool px_is_meta_space(const char *text, size_t n)
{
    return n >= 3 && memcmp(text, PX_META_SPACE, 3) == 0;
}

#endif

/*
 * normalize: what is done to text before it is cut into words, step by step, keeping track of where
 * in the original each byte comes from.
 */
#ifndef PX_TEXT_NORMALIZE_H
#define PX_TEXT_NORMALIZE_H

#include "base/buf.h"
#include "text/piece.h"
#include "text/regex.h"
#include "text/tokenizer.h"

/* Most bytes that normalising may make of a text: replacements may be longer than what they
 * replace. */
#define PX_MAX_NORMAL_BYTES (1u << 30)

/* Text under construction. `ends` runs beside the bytes when it is wanted. */
typedef struct px_norm_text {
    px_buf text;
    uint32_t *ends; // [cap]
    size_t cap;
    bool want_ends;
    bool failed;
} px_norm_text;

/* Appends n bytes that come from what ends before byte `end` of the original. Failure sticks. */
void px_norm_put(px_norm_text *t, const char *bytes, size_t n, uint32_t end);
void px_norm_put_piece(px_norm_text *t, const px_piece *piece);
/* Forgets the content, keeps the memory; wants ends if told to. */
void px_norm_reset(px_norm_text *t, bool want_ends);
void px_norm_clear(px_norm_text *t);
/* PITH_OK, or the failure that sticks as MEMORY or LIMIT. */
pith_status px_norm_status(const px_norm_text *t, pith_error *err);
/* The content as a piece that begins at `base` of the original. */
px_piece px_norm_piece(const px_norm_text *t, uint32_t base);

/* The steps of a tokenizer, ready to run. Immutable. */
typedef struct px_normalizer px_normalizer;

/* *out is NULL when there are no steps. Checks each: UNSUPPORTED or FORMAT naming it. */
pith_status px_normalizer_new(const px_norm_step *steps, int32_t n, px_normalizer **out,
                              pith_error *err);
void px_normalizer_free(px_normalizer *normalizer);

/* What running needs beside the steps; one thread. Zero-initialise. */
typedef struct px_norm_work {
    px_norm_text texts[2]; // they take turns: what one step makes is what the next one reads
    px_regex_work regex;
} px_norm_work;
void px_norm_work_clear(px_norm_work *work);

/* Runs the steps over valid UTF-8. The result lies in work, or is `in` itself. */
pith_status px_normalize(const px_normalizer *normalizer, px_norm_work *work, const px_piece *in,
                         bool want_ends, px_piece *out, pith_error *err);

#endif

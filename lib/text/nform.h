/*
 * nform: Unicode normal forms (UAX 15), keeping track of where each byte comes from. utf8proc knows
 * the characters; decomposing, ordering and composing are done here because its own functions lose
 * the way back and order long runs of marks in quadratic time.
 */
#ifndef PX_TEXT_NFORM_H
#define PX_TEXT_NFORM_H

#include "text/normalize.h"

/* Appends the normal form of valid UTF-8: NFD, or NFKD when `compat`; NFC or NFKC when `compose`.
 * Linear time; memory for the longest run of marks. */
pith_status px_nform(const px_piece *in, bool compat, bool compose, px_norm_text *out,
                     pith_error *err);

#endif

/*
 * near: texts that are nearly the same, by MinHash. A text is the set of its stretches of 7
 * characters (letters and digits in lower case, all else one space); two texts are near when their
 * sets share at least 80 % of their union, as 64 minima of one hash tell with an error of some 5 %.
 *
 * Minima come from one permutation cut into 64 bins, empty bins filled from the next full one
 * (Li, Owen and Zhang, One Permutation Hashing, 2012; Shrivastava and Li, Densifying, 2014): one
 * hash a character. Texts that share one of 16 bands of 4 minima are compared (found with 99.9 % at
 * 80 %). Only the low byte of a minimum is kept: some 200 bytes a text. Texts under 40 characters
 * are never near. One thread.
 */
#ifndef PX_TRAIN_NEAR_H
#define PX_TRAIN_NEAR_H

#include "base/str.h"
#include "train/map.h"

enum { PX_NEAR_MINIMA = 64, PX_NEAR_BANDS = 16, PX_NEAR_MOST = 500000 };

typedef struct px_signature {
    uint32_t min[PX_NEAR_MINIMA];
    bool any; // the text was long enough
} px_signature;

typedef struct px_near {
    uint8_t *low;    // [cap, 64]
    int64_t *lines;  // [cap]
    int32_t *before; // [cap, 16] the text before it whose band fell into the same place, -1: none
    int32_t *heads;  // [16, places] the last text whose band fell there, -1: none
    int64_t n, cap;
    size_t places; // a power of two
} px_near;

void px_signature_of(px_str text, px_signature *out);

/* The line of a text that is near to this one, 0: none. */
int64_t px_near_find(const px_near *near, const px_signature *s);
/* Adds one; beyond PX_NEAR_MOST it does nothing. False when memory is out. */
bool px_near_add(px_near *near, const px_signature *s, int64_t line);
void px_near_clear(px_near *near);

#endif

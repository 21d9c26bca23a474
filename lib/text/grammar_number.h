/*
 * grammar_number: JSON numbers in a range, as expressions over their digits; and multiples.
 *
 * A bounded number has no exponent, at most 16 digits before the point and 10 behind it (one more
 * than its bounds have, where that is more), and no leading zeros; zero has no sign.
 */
#ifndef PX_TEXT_GRAMMAR_NUMBER_H
#define PX_TEXT_GRAMMAR_NUMBER_H

#include "text/grammar_dfa.h"

/* A decimal number: whole.part, the part without zeros at its end. */
typedef struct px_gdecimal {
    bool negative;
    uint64_t whole; // up to 10^18
    char part[24];  // digits, ends in a zero byte
} px_gdecimal;

typedef struct px_gbounds {
    bool has_min, has_max;
    bool open_min, open_max; // the bound itself is outside
    px_gdecimal min, max;
    bool has_multiple;
    px_gdecimal multiple; // above 0
} px_gbounds;

/* A JSON number's text; false when it has too many digits for a grammar. */
bool px_gdecimal_read(px_str text, px_gdecimal *out);
int px_gdecimal_compare(const px_gdecimal *a, const px_gdecimal *b);

/* Integers, or numbers, within the bounds. */
const px_gexpr *px_gnumber_integer(px_gdfa_maker *m, const px_gbounds *b);
const px_gexpr *px_gnumber_real(px_gdfa_maker *m, const px_gbounds *b);

#endif

/*
 * chars: classes of characters, as the programs that define tokenizers see them (Rust's char
 * methods, on Unicode's tables in utf8proc).
 */
#ifndef PX_TEXT_CHARS_H
#define PX_TEXT_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool px_is_white(uint32_t code);       // property White_Space
bool px_is_numeric(uint32_t code);     // categories Nd, Nl, No
bool px_is_punctuation(uint32_t code); // ASCII's punctuation, or category P
bool px_is_mark(uint32_t code);        // category M
bool px_is_nonspacing(uint32_t code);  // category Mn
bool px_is_other(uint32_t code);       // categories Cc, Cf, Co; not tab, line feed, carriage return
bool px_is_word(uint32_t code);        // letters, marks, numbers, connectors: \w
bool px_is_cjk(uint32_t code);         // what BERT calls a Chinese character

/* The character before byte `at` (at > 0) of valid UTF-8; *start receives where it begins. Stray
 * bytes give U+FFFD. */
uint32_t px_char_before(const char *text, size_t at, size_t *start);

#endif

/*
 * jinja_char: classes and cases of characters as Python's str sees them (Unicode; utf8proc has the
 * general categories and the one-to-one mappings, the rest stands here in tables).
 */
#ifndef PX_TEXT_JINJA_CHAR_H
#define PX_TEXT_JINJA_CHAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool px_jchar_is_space(uint32_t c);
bool px_jchar_is_alpha(uint32_t c);
bool px_jchar_is_decimal(uint32_t c);
bool px_jchar_is_digit(uint32_t c);
bool px_jchar_is_numeric(uint32_t c);
bool px_jchar_is_alnum(uint32_t c);
bool px_jchar_is_lower(uint32_t c);
bool px_jchar_is_upper(uint32_t c);
bool px_jchar_is_title(uint32_t c); // a letter that is upper case at its beginning only
static inline bool px_jchar_is_cased(uint32_t c)
{
    return px_jchar_is_lower(c) || px_jchar_is_upper(c) || px_jchar_is_title(c);
}
bool px_jchar_is_printable(uint32_t c);
/* Ends a line for splitlines. */
bool px_jchar_is_newline(uint32_t c);
/* May begin, or stand in, a name of the template language. */
bool px_jchar_starts_name(uint32_t c);
bool px_jchar_in_name(uint32_t c);
/* 0 to 35 for a digit or a letter of ASCII, else -1. */
int px_jchar_digit(char c);

/* The full mappings: write up to 4 characters and return how many. Lower case knows nothing of
 * context: the final sigma is the caller's. */
int px_jchar_upper(uint32_t c, uint32_t out[4]);
int px_jchar_lower(uint32_t c, uint32_t out[4]);
int px_jchar_title(uint32_t c, uint32_t out[4]);
int px_jchar_fold(uint32_t c, uint32_t out[4]);
/* Stands between letters without being one, for the final sigma (Case_Ignorable). */
bool px_jchar_is_case_ignorable(uint32_t c);

/* Bytes of text without the white space at its end; bytes of white space at its beginning. */
size_t px_jchar_strip_end(const char *text, size_t len);
size_t px_jchar_space_start(const char *text, size_t len);

#endif

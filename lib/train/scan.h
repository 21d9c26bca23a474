/*
 * scan: what a text holds that training data should not: signs of a wrong encoding, personal data,
 * secrets, control tokens of chat templates. Hints for people: patterns with checksums where there
 * are some, no proof. Stateless.
 */
#ifndef PX_TRAIN_SCAN_H
#define PX_TRAIN_SCAN_H

#include "base/str.h"

/* Each returns what was found ("an e-mail address"), static, or NULL; *at: where in the text. */

/* U+FFFD, UTF-8 that was read as Latin-1 or Windows-1252 ("Ã©", "â€™"), control characters. */
const char *px_scan_encoding(px_str text, size_t *at);
/* E-mail addresses, payment cards (Luhn), IBAN (mod 97), US social security and telephone numbers.
 */
const char *px_scan_personal(px_str text, size_t *at);
/* Private keys, tokens of well-known services, passwords in assignments. */
const char *px_scan_secret(px_str text, size_t *at);
/* Control tokens of well-known templates. */
const char *px_scan_special(px_str text, size_t *at);

typedef enum px_language { // of a text, by its script, and for Latin by its commonest words
    PX_LANGUAGE_NONE,      // too short to tell
    PX_LANGUAGE_EN,
    PX_LANGUAGE_DE,
    PX_LANGUAGE_FR,
    PX_LANGUAGE_ES,
    PX_LANGUAGE_IT,
    PX_LANGUAGE_PT,
    PX_LANGUAGE_NL,
    PX_LANGUAGE_CYRILLIC,
    PX_LANGUAGE_GREEK,
    PX_LANGUAGE_HEBREW,
    PX_LANGUAGE_ARABIC,
    PX_LANGUAGE_INDIC,
    PX_LANGUAGE_THAI,
    PX_LANGUAGE_CHINESE,
    PX_LANGUAGE_JAPANESE,
    PX_LANGUAGE_KOREAN,
    PX_LANGUAGES
} px_language;

px_language px_scan_language(px_str text);
const char *px_language_name(px_language language);

#endif

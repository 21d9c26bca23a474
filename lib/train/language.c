/*
 * language: of a text, roughly. See scan.h. Scripts by ranges of characters, the commonest counts;
 * Latin by the commonest words of seven languages, where at least a tenth of the words are of one
 * and twice as many as of the next.
 */
#include "base/utf8.h"
#include "train/scan.h"

#include <ctype.h>

static const char *const names[PX_LANGUAGES] = {
    "unknown",    "English", "German",   "French",   "Spanish", "Italian",
    "Portuguese", "Dutch",   "Cyrillic", "Greek",    "Hebrew",  "Arabic",
    "Devanagari", "Thai",    "Chinese",  "Japanese", "Korean"};

const char *px_language_name(px_language language)
{
    return names[language];
}

static px_language script_of(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        px_language language;
    } scripts[] = {{0x370, 0x3ff, PX_LANGUAGE_GREEK},      {0x400, 0x52f, PX_LANGUAGE_CYRILLIC},
                   {0x590, 0x5ff, PX_LANGUAGE_HEBREW},     {0x600, 0x77f, PX_LANGUAGE_ARABIC},
                   {0x900, 0xd7f, PX_LANGUAGE_INDIC},      {0xe00, 0xe7f, PX_LANGUAGE_THAI},
                   {0x3040, 0x30ff, PX_LANGUAGE_JAPANESE}, {0x3400, 0x9fff, PX_LANGUAGE_CHINESE},
                   {0xac00, 0xd7af, PX_LANGUAGE_KOREAN},   {0x20000, 0x2ffff, PX_LANGUAGE_CHINESE}};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (c >= scripts[i].from && c <= scripts[i].to)
            return scripts[i].language;
    return PX_LANGUAGE_NONE;
}

/* Words that are common in one of the languages and not written so in the others. */
static const struct {
    px_language language;
    const char *words; // between spaces
} common[] = {
    {PX_LANGUAGE_EN,
     " the of and to is that it for was with are this be have from not you what how "
     "they which by at or an your can would there their "},
    {PX_LANGUAGE_DE, " der das und ist nicht ein eine zu den dem mit auf sich auch werden wird "
                     "von wie sind ich sie wir oder aber nach bei einen einer "},
    {PX_LANGUAGE_FR, " le les et est une pas vous je il elle dans pour sur avec qui ce sont mais "
                     "nous au aux cette ou "},
    {PX_LANGUAGE_ES, " el los las una por con para como pero su muy yo hay este esta "
                     "cuando donde puede tiene porque "},
    {PX_LANGUAGE_IT, " il gli che di una sono con della anche questo nel alla essere "
                     "perch\xc3\xa9 pi\xc3\xb9 "},
    {PX_LANGUAGE_PT, " os que um uma n\xc3\xa3o com para por mais da em como mas foi ao ele "
                     "s\xc3\xa3o voc\xc3\xaa tem seu "},
    {PX_LANGUAGE_NL, " de het een en van dat niet te zijn met voor aan er om ook maar naar bij "
                     "wordt deze hij wat kan "},
};

static void count_word(const char *word, size_t n, int counts[PX_LANGUAGES])
{
    char key[20];
    if (n == 0 || n > 16)
        return;
    key[0] = key[n + 1] = ' ';
    for (size_t i = 0; i < n; i++)
        key[i + 1] = (char)tolower((unsigned char)word[i]);
    for (size_t k = 0; k < sizeof common / sizeof *common; k++)
        counts[common[k].language] +=
            memmem(common[k].words, strlen(common[k].words), key, n + 2) != NULL;
}

px_language px_scan_language(px_str t)
{
    int scripts[PX_LANGUAGES] = {0}, words[PX_LANGUAGES] = {0}, n_words = 0, latin = 0;
    size_t from = 0, i = 0, most = t.len < 1000 ? t.len : 1000;
    while (i < most) {
        uint32_t c;
        int bytes = px_utf8_get(t.data + i, t.len - i, &c);
        bytes = bytes > 0 ? bytes : 1;
        bool letter = (c < 0x80 && isalpha((int)c)) || (c >= 0xc0 && c < 0x250);
        if (!letter) {
            count_word(t.data + from, i - from, words);
            n_words += i > from;
            from = i + (size_t)bytes;
            scripts[script_of(c)]++;
        }
        latin += letter;
        i += (size_t)bytes;
    }
    count_word(t.data + from, most > from ? most - from : 0, words);
    n_words += most > from;
    int best = PX_LANGUAGE_NONE, second = 0;
    for (int k = PX_LANGUAGE_CYRILLIC; k < PX_LANGUAGES; k++)
        if (best == PX_LANGUAGE_NONE ? scripts[k] > 0 : scripts[k] > scripts[best])
            best = k;
    if (best != PX_LANGUAGE_NONE && 2 * scripts[best] > latin && scripts[best] >= 4) {
        bool kana = scripts[PX_LANGUAGE_JAPANESE] * 10 > scripts[PX_LANGUAGE_CHINESE];
        return best == PX_LANGUAGE_CHINESE && kana && scripts[PX_LANGUAGE_JAPANESE] > 0
                   ? PX_LANGUAGE_JAPANESE
                   : (px_language)best;
    }
    best = PX_LANGUAGE_NONE;
    for (int k = PX_LANGUAGE_EN; k <= PX_LANGUAGE_NL; k++) {
        if (best == PX_LANGUAGE_NONE || words[k] > words[best]) {
            second = best == PX_LANGUAGE_NONE ? 0 : words[best];
            best = k;
        } else if (words[k] > second) {
            second = words[k];
        }
    }
    bool sure = n_words >= 8 && words[best] * 10 >= n_words && words[best] >= 2 * second;
    return sure ? (px_language)best : PX_LANGUAGE_NONE;
}

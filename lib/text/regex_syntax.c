/*
 * regex_syntax: rewrites a regular expression from Oniguruma (Ruby syntax, UTF-8) to PCRE2 (UTF,
 * UCP, MULTILINE). Which characters each class holds was compared between Oniguruma 6.9.10 and
 * PCRE2 10.42 over all of Unicode:
 *
 *   \s, [:space:]   PCRE2 counts U+180E, Oniguruma does not
 *   \w, \b          Oniguruma: Alphabetic, M, Nd, Pc, and outside of classes six Latin-1 numbers
 *   \h              hexadecimal digits
 *   [:punct:]       P and S, while \p{Punct} is P alone
 *   \p{Script}      the script itself, where PCRE2 takes script extensions
 *   ^ $             at every line; (?m) lets a dot match line feeds
 *   {n,m}+  {n}?    a quantifier of a quantifier, not possessive or lazy
 *   [a[b]]  [a&&b]  union and intersection of classes
 *
 * One pass over the pattern; groups nest at most PX_MAX_JSON_DEPTH deep.
 */
#include "text/regex.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <stdint.h>

#define MAX_GROUPS PX_MAX_JSON_DEPTH

#define SPACE_ITEMS                                                                          \
    "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
    "\\x{3000}"
#define WORD_ITEMS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define WORD_MORE  "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}" // outside of classes
#define HEX_ITEMS  "0-9a-fA-F"
#define WORD       "[" WORD_ITEMS WORD_MORE "]"

typedef struct group {
    size_t start; // where it begins in the output
    int closes;   // parentheses to close with it: options that hold to its end
} group;

typedef struct translator {
    px_str in;
    size_t at;
    px_buf *out;
    pith_error *err;
    group groups[MAX_GROUPS];
    int depth;
    size_t atom; // where the last atom begins in the output
} translator;

static bool more(const translator *t)
{
    return t->at < t->in.len;
}

/* The i-th byte from here, or 0. */
static char peek(const translator *t, size_t i)
{
    return t->at + i < t->in.len ? t->in.data[t->at + i] : '\0';
}

static bool looking_at(const translator *t, const char *text)
{
    size_t n = strlen(text);
    return t->in.len - t->at >= n && memcmp(t->in.data + t->at, text, n) == 0;
}

static pith_status unsupported(translator *t, const char *what)
{
    return px_fail(t->err, PITH_E_UNSUPPORTED,
                   "regular expression \"%.*s\": %s at byte %zu is not supported",
                   PX_STR_ARG(t->in), what, t->at);
}

static pith_status broken(translator *t, const char *what)
{
    return px_fail(t->err, PITH_E_FORMAT, "regular expression \"%.*s\": %s at byte %zu",
                   PX_STR_ARG(t->in), what, t->at);
}

/* ---- properties */

typedef struct name_row {
    const char *name; // lower case, without separators
    const char *items;
} name_row;

/* What stands inside \p{} or [: :] as items of a class. Categories have their short names. */
static const name_row properties[] = {
    {"l", "\\p{L}"},
    {"letter", "\\p{L}"},
    {"lc", "\\p{L&}"},
    {"casedletter", "\\p{L&}"},
    {"lu", "\\p{Lu}"},
    {"uppercaseletter", "\\p{Lu}"},
    {"ll", "\\p{Ll}"},
    {"lowercaseletter", "\\p{Ll}"},
    {"lt", "\\p{Lt}"},
    {"titlecaseletter", "\\p{Lt}"},
    {"lm", "\\p{Lm}"},
    {"modifierletter", "\\p{Lm}"},
    {"lo", "\\p{Lo}"},
    {"otherletter", "\\p{Lo}"},
    {"m", "\\p{M}"},
    {"mark", "\\p{M}"},
    {"combiningmark", "\\p{M}"},
    {"mn", "\\p{Mn}"},
    {"nonspacingmark", "\\p{Mn}"},
    {"mc", "\\p{Mc}"},
    {"spacingmark", "\\p{Mc}"},
    {"me", "\\p{Me}"},
    {"enclosingmark", "\\p{Me}"},
    {"n", "\\p{N}"},
    {"number", "\\p{N}"},
    {"nd", "\\p{Nd}"},
    {"decimalnumber", "\\p{Nd}"},
    {"digit", "\\p{Nd}"},
    {"nl", "\\p{Nl}"},
    {"letternumber", "\\p{Nl}"},
    {"no", "\\p{No}"},
    {"othernumber", "\\p{No}"},
    {"p", "\\p{P}"},
    {"punct", "\\p{P}"},
    {"punctuation", "\\p{P}"},
    {"pc", "\\p{Pc}"},
    {"connectorpunctuation", "\\p{Pc}"},
    {"pd", "\\p{Pd}"},
    {"dashpunctuation", "\\p{Pd}"},
    {"ps", "\\p{Ps}"},
    {"openpunctuation", "\\p{Ps}"},
    {"pe", "\\p{Pe}"},
    {"closepunctuation", "\\p{Pe}"},
    {"pi", "\\p{Pi}"},
    {"initialpunctuation", "\\p{Pi}"},
    {"pf", "\\p{Pf}"},
    {"finalpunctuation", "\\p{Pf}"},
    {"po", "\\p{Po}"},
    {"otherpunctuation", "\\p{Po}"},
    {"s", "\\p{S}"},
    {"symbol", "\\p{S}"},
    {"sm", "\\p{Sm}"},
    {"mathsymbol", "\\p{Sm}"},
    {"sc", "\\p{Sc}"},
    {"currencysymbol", "\\p{Sc}"},
    {"sk", "\\p{Sk}"},
    {"modifiersymbol", "\\p{Sk}"},
    {"so", "\\p{So}"},
    {"othersymbol", "\\p{So}"},
    {"z", "\\p{Z}"},
    {"separator", "\\p{Z}"},
    {"zs", "\\p{Zs}"},
    {"spaceseparator", "\\p{Zs}"},
    {"zl", "\\p{Zl}"},
    {"lineseparator", "\\p{Zl}"},
    {"zp", "\\p{Zp}"},
    {"paragraphseparator", "\\p{Zp}"},
    {"c", "\\p{C}"},
    {"other", "\\p{C}"},
    {"cc", "\\p{Cc}"},
    {"control", "\\p{Cc}"},
    {"cntrl", "\\p{Cc}"},
    {"cf", "\\p{Cf}"},
    {"format", "\\p{Cf}"},
    {"co", "\\p{Co}"},
    {"privateuse", "\\p{Co}"},
    {"cn", "\\p{Cn}"},
    {"unassigned", "\\p{Cn}"},
    {"alpha", "\\p{Alphabetic}"},
    {"alphabetic", "\\p{Alphabetic}"},
    {"upper", "\\p{Uppercase}"},
    {"uppercase", "\\p{Uppercase}"},
    {"lower", "\\p{Lowercase}"},
    {"lowercase", "\\p{Lowercase}"},
    {"ideographic", "\\p{Ideographic}"},
    {"unifiedideograph", "\\p{Unified_Ideograph}"},
    {"emoji", "\\p{Emoji}"},
    {"emojipresentation", "\\p{Emoji_Presentation}"},
    {"emojimodifier", "\\p{Emoji_Modifier}"},
    {"emojimodifierbase", "\\p{Emoji_Modifier_Base}"},
    {"emojicomponent", "\\p{Emoji_Component}"},
    {"extendedpictographic", "\\p{Extended_Pictographic}"},
};

/* Those that are more than one property, so that a negation has to be a class of its own. */
static const name_row sets[] = {
    {"space", SPACE_ITEMS},  {"whitespace", SPACE_ITEMS},
    {"word", WORD_ITEMS},    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"xdigit", HEX_ITEMS},   {"hexdigit", "\\p{Hex_Digit}"},
    {"blank", "\\p{Zs}\\t"}, {"ascii", "\\x00-\\x7f"},
};

static const char *find_items(const name_row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].items;
    return NULL;
}

#define FIND(rows, name) find_items(rows, sizeof rows / sizeof *rows, name)

/* Lower case without spaces, '-' and '_'. False when it does not fit or holds other characters. */
static bool plain_name(const char *from, size_t n, char out[64])
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        char c = from[i];
        if (c == ' ' || c == '-' || c == '_')
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (used + 1 >= 64 || !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return used > 0;
}

/* Puts "\p{L}" as "\P{L}". */
static void put_negated(px_buf *out, const char *items)
{
    px_buf_putc(out, '\\');
    px_buf_putc(out, items[1] == 'p' ? 'P' : 'p');
    px_buf_puts(out, items + 2);
}

/* A set of items, alone or inside a class. */
static pith_status put_set(translator *t, const char *items, bool negated, bool in_class)
{
    if (in_class && negated)
        return unsupported(t, "a negated set inside a class");
    px_buf_puts(t->out, in_class ? "" : negated ? "[^" : "[");
    px_buf_puts(t->out, items);
    px_buf_puts(t->out, in_class ? "" : "]");
    return PITH_OK;
}

/* \p{Name}, \P{Name}, \p{^Name}; at stands on the backslash. */
static pith_status property(translator *t, bool in_class)
{
    bool negated = peek(t, 1) == 'P';
    if (peek(t, 2) != '{')
        return unsupported(t, "a property without braces");
    size_t start = t->at + 3, end = start;
    while (end < t->in.len && t->in.data[end] != '}')
        end++;
    if (end == t->in.len)
        return broken(t, "a property without end");
    if (start < end && t->in.data[start] == '^') {
        negated = !negated;
        start++;
    }
    char name[64];
    if (!plain_name(t->in.data + start, end - start, name))
        return unsupported(t, "this property");
    const char *items = FIND(properties, name), *set = FIND(sets, name);
    if (set) {
        pith_status st = put_set(t, set, negated, in_class);
        t->at = end + 1;
        return st;
    }
    if (items && negated)
        put_negated(t->out, items);
    else if (items)
        px_buf_puts(t->out, items);
    else if (strcmp(name, "any") == 0)
        px_buf_puts(t->out, negated ? "\\P{Any}" : "\\p{Any}");
    else // PCRE2 says whether there is such a script
        px_buf_printf(t->out, "\\%c{sc:%s}", negated ? 'P' : 'p', name);
    t->at = end + 1;
    return PITH_OK;
}

/* ---- escapes */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \xHH, \x{H...}, \uHHHH; at stands on the backslash. */
static pith_status code_point(translator *t)
{
    bool braces = peek(t, 2) == '{', short_form = peek(t, 1) == 'x' && !braces;
    size_t i = braces ? 3 : 2, most = peek(t, 1) == 'u' ? 4 : braces ? 8 : 2, n = 0;
    uint32_t code = 0;
    while (n < most && hex_value(peek(t, i)) >= 0) {
        code = code * 16 + (uint32_t)hex_value(peek(t, i));
        i++;
        n++;
    }
    if (n == 0 || (braces && (peek(t, 1) == 'u' || peek(t, i) != '}')) ||
        (peek(t, 1) == 'u' && n != 4))
        return unsupported(t, "this way to write a code point");
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || (short_form && code > 0x7f))
        return unsupported(t, "this code point");
    px_buf_printf(t->out, "\\x{%x}", (unsigned)code);
    t->at += i + braces;
    return PITH_OK;
}

/* Escapes that mean a set of characters: *items and *negated. */
static bool set_escape(char c, const char **items, bool *negated)
{
    *negated = c == 'S' || c == 'W' || c == 'H';
    switch (c) {
    case 's':
    case 'S':
        *items = SPACE_ITEMS;
        return true;
    case 'w':
    case 'W':
        *items = WORD_ITEMS;
        return true;
    case 'h':
    case 'H':
        *items = HEX_ITEMS;
        return true;
    default:
        return false;
    }
}

/* An escape that is one character, or \d or \D, which mean the same for both. */
static pith_status plain_escape(translator *t, const char *allowed)
{
    char c = peek(t, 1);
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '\0')
        return broken(t, "a backslash with nothing behind it");
    if (c == 'v') {
        px_buf_puts(t->out, "\\x{b}");
    } else if (letter) {
        if (!strchr(allowed, c))
            return unsupported(t, "this escape");
        px_buf_put(t->out, t->in.data + t->at, 2);
    } else if ((unsigned char)c < 0x80) {
        px_buf_put(t->out, t->in.data + t->at, 2);
    } else { // the backslash says nothing
        t->at++;
        uint32_t code;
        int n = px_utf8_get(t->in.data + t->at, t->in.len - t->at, &code);
        px_buf_put(t->out, t->in.data + t->at, (size_t)n);
        t->at += (size_t)n;
        return PITH_OK;
    }
    t->at += 2;
    return PITH_OK;
}

/* An escape outside a class. */
static pith_status escape(translator *t)
{
    const char *items;
    bool negated;
    char c = peek(t, 1);
    if (c == 'p' || c == 'P')
        return property(t, false);
    if (c == 'x' || c == 'u')
        return code_point(t);
    if (c == 'w' || c == 'W') {
        px_buf_puts(t->out, c == 'w' ? WORD : "[^" WORD_ITEMS WORD_MORE "]");
        t->at += 2;
        return PITH_OK;
    }
    if (set_escape(c, &items, &negated)) {
        pith_status st = put_set(t, items, negated, false);
        t->at += 2;
        return st;
    }
    if (c == 'b' || c == 'B') {
        px_buf_puts(t->out, c == 'b' ? "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))"
                                     : "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))");
        t->at += 2;
        return PITH_OK;
    }
    return plain_escape(t, "dDtnrfaeAzZR");
}

/* ---- classes */

/* [:name:]; at stands on the bracket. */
static pith_status bracket_name(translator *t)
{
    size_t start = t->at + 2, end = start;
    while (end + 1 < t->in.len && t->in.data[end] != ':')
        end++;
    char name[64];
    if (end + 1 >= t->in.len || t->in.data[end + 1] != ']' || t->in.data[start] == '^' ||
        !plain_name(t->in.data + start, end - start, name))
        return unsupported(t, "this bracket expression");
    const char *items = strcmp(name, "punct") == 0 ? "\\p{P}\\p{S}" : FIND(sets, name);
    if (!items)
        items = FIND(properties, name);
    if (!items)
        return unsupported(t, "this bracket expression");
    px_buf_puts(t->out, items);
    t->at = end + 2;
    return PITH_OK;
}

/* One escape inside a class; *is_set when it stands for more than a character. */
static pith_status class_escape(translator *t, bool *is_set)
{
    const char *items;
    bool negated;
    char c = peek(t, 1);
    *is_set = true;
    if (c == 'p' || c == 'P')
        return property(t, true);
    if (c == 'S') { // PCRE2's, and the one character that the two see differently
        px_buf_puts(t->out, "\\S\\x{180e}");
        t->at += 2;
        return PITH_OK;
    }
    if (set_escape(c, &items, &negated)) {
        pith_status st = put_set(t, items, negated, true);
        t->at += 2;
        return st;
    }
    *is_set = c == 'd' || c == 'D';
    if (c == 'x' || c == 'u')
        return code_point(t);
    return plain_escape(t, "dDtnrfae");
}

static pith_status class_items(translator *t, int depth);

/* A class inside a class, which is not negated, adds its items. */
static pith_status nested_class(translator *t, int depth)
{
    if (peek(t, 1) == ':')
        return bracket_name(t);
    if (peek(t, 1) == '^')
        return unsupported(t, "a negated class inside a class");
    if (depth >= MAX_GROUPS)
        return unsupported(t, "so deep a class");
    t->at++;
    pith_status st = class_items(t, depth + 1);
    if (st == PITH_OK && peek(t, 0) != ']')
        return unsupported(t, "an intersection inside a nested class");
    t->at++;
    return st;
}

/* Items up to "]" or "&&", on which at stands then. */
static pith_status class_items(translator *t, int depth)
{
    pith_status st = PITH_OK;
    bool first = true, after_set = false;
    while (st == PITH_OK && more(t)) {
        char c = peek(t, 0);
        if ((c == ']' && !first) || looking_at(t, "&&"))
            return PITH_OK;
        bool is_set = false;
        if (c == '\\') {
            st = class_escape(t, &is_set);
        } else if (c == '[') {
            st = nested_class(t, depth);
            is_set = true;
        } else {
            if (c == ']' || (c == '-' && after_set))
                px_buf_putc(t->out, '\\'); // a range cannot begin with a set
            px_buf_putc(t->out, c);
            t->at++;
        }
        after_set = is_set;
        first = false;
    }
    return st == PITH_OK ? broken(t, "a class without end") : st;
}

/* What stands between && and the end of the class: one nested class or items. Becomes a
 * look-ahead at `start` of the output, before the class. */
static pith_status intersect(translator *t)
{
    px_buf *out = t->out, part = {.limit = out->limit};
    pith_status st;
    bool nested = peek(t, 0) == '[' && peek(t, 1) != ':';
    bool negated = nested && peek(t, 1) == '^';
    t->out = &part;
    t->at += nested + negated;
    px_buf_puts(&part, negated ? "(?![" : "(?=[");
    st = class_items(t, 1);
    if (st == PITH_OK && nested && peek(t, 0) != ']')
        st = unsupported(t, "an intersection inside a nested class");
    t->at += nested;
    px_buf_puts(&part, "])");
    t->out = out;
    if (st == PITH_OK && px_buf_status(&part, "a regular expression", t->err) == PITH_OK) {
        /* Room first, then the class moves behind the look-ahead. */
        size_t n = out->len - t->atom;
        if (px_buf_room(out, part.len)) {
            memmove(out->data + t->atom + part.len, out->data + t->atom, n);
            memcpy(out->data + t->atom, part.data, part.len);
            out->len += part.len;
        }
    }
    px_buf_clear(&part);
    return st;
}

/* A class; at stands on the bracket. */
static pith_status char_class(translator *t)
{
    bool negated = peek(t, 1) == '^', several = false;
    t->at += 1 + negated;
    px_buf_puts(t->out, negated ? "[^" : "[");
    pith_status st = class_items(t, 0);
    px_buf_putc(t->out, ']');
    while (st == PITH_OK && looking_at(t, "&&")) {
        if (negated)
            return unsupported(t, "a negated intersection");
        t->at += 2;
        several = true;
        st = intersect(t);
        if (st == PITH_OK && !looking_at(t, "&&") && peek(t, 0) != ']')
            return unsupported(t, "this intersection");
    }
    t->at++;
    if (several && st == PITH_OK) {
        size_t n = t->out->len - t->atom;
        if (px_buf_room(t->out, 3)) {
            memmove(t->out->data + t->atom + 3, t->out->data + t->atom, n);
            memcpy(t->out->data + t->atom, "(?:", 3);
            t->out->len += 3;
        }
        px_buf_putc(t->out, ')');
    }
    return st;
}

/* ---- groups and quantifiers */

/* Options of "(?imx-imx" up to ":" or ")"; at stands behind the question mark. */
static pith_status options(translator *t)
{
    px_buf_puts(t->out, "(?");
    for (;; t->at++) {
        char c = peek(t, 0);
        if (c == 'i' || c == '-')
            px_buf_putc(t->out, c);
        else if (c == 'm')
            px_buf_putc(t->out, 's');
        else
            break;
    }
    if (peek(t, 0) == ')') { // holds to the end of the group around it
        t->groups[t->depth].closes++;
        px_buf_putc(t->out, ':');
        t->at++;
        return PITH_OK;
    }
    if (peek(t, 0) != ':')
        return unsupported(t, "this option");
    px_buf_putc(t->out, ':');
    t->at++;
    t->groups[++t->depth] = (group){.start = t->atom};
    return PITH_OK;
}

static pith_status open_group(translator *t)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    if (t->depth + 1 >= MAX_GROUPS)
        return unsupported(t, "so deep a group");
    if (peek(t, 1) == '*')
        return unsupported(t, "a verb");
    if (looking_at(t, "(?#")) {
        while (more(t) && peek(t, 0) != ')')
            t->at += peek(t, 0) == '\\' ? 2 : 1;
        t->at++;
        return PITH_OK;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (looking_at(t, known[i])) {
            px_buf_puts(t->out, known[i]);
            t->at += strlen(known[i]);
            t->groups[++t->depth] = (group){.start = t->atom};
            return PITH_OK;
        }
    if (looking_at(t, "(?<")) { // a name, which nothing refers to
        while (more(t) && peek(t, 0) != '>')
            t->at++;
    } else if (looking_at(t, "(?")) {
        t->at += 2;
        return options(t);
    }
    t->at++;
    px_buf_putc(t->out, '(');
    t->groups[++t->depth] = (group){.start = t->atom};
    return PITH_OK;
}

static pith_status close_group(translator *t)
{
    if (t->depth == 0)
        return broken(t, "a closing parenthesis too many");
    for (int i = 0; i < t->groups[t->depth].closes; i++)
        px_buf_putc(t->out, ')');
    px_buf_putc(t->out, ')');
    t->atom = t->groups[t->depth].start;
    t->depth--;
    t->at++;
    return PITH_OK;
}

/* Digits at byte i from here. */
static size_t digits(const translator *t, size_t i)
{
    size_t n = 0;
    while (peek(t, i + n) >= '0' && peek(t, i + n) <= '9')
        n++;
    return n;
}

/* {n}, {n,}, {,m}, {n,m}; false when what stands here is no such thing. */
static bool interval(translator *t)
{
    size_t low = digits(t, 1), i = 1 + low, high = 0;
    bool comma = peek(t, i) == ',';
    if (comma)
        high = digits(t, ++i);
    i += high;
    if (peek(t, i) != '}' || (low == 0 && high == 0))
        return false;
    px_buf_puts(t->out, low ? "{" : "{0");
    px_buf_put(t->out, t->in.data + t->at + 1, i);
    t->at += i + 1;
    bool wrap = peek(t, 0) == '+' || (peek(t, 0) == '?' && !comma);
    if (wrap && px_buf_room(t->out, 3)) {
        memmove(t->out->data + t->atom + 3, t->out->data + t->atom, t->out->len - t->atom);
        memcpy(t->out->data + t->atom, "(?:", 3);
        t->out->len += 3;
        px_buf_putc(t->out, ')');
    }
    return true;
}

static pith_status step(translator *t)
{
    char c = peek(t, 0);
    if (c == '{' && interval(t))
        return PITH_OK;
    if (c == ')')
        return close_group(t);
    if (c == '*' || c == '+' || c == '?' || c == '|') {
        px_buf_putc(t->out, c);
        t->at++;
        return PITH_OK;
    }
    t->atom = t->out->len;
    if (c == '\\')
        return escape(t);
    if (c == '[')
        return char_class(t);
    if (c == '(')
        return open_group(t);
    uint32_t code;
    int n = px_utf8_get(t->in.data + t->at, t->in.len - t->at, &code);
    if (c == '{') // no interval: PCRE2 need not think about it
        px_buf_putc(t->out, '\\');
    px_buf_put(t->out, t->in.data + t->at, (size_t)n);
    t->at += (size_t)n;
    return PITH_OK;
}

pith_status px_regex_translate(px_str pattern, px_buf *out, pith_error *err)
{
    translator t = {.in = pattern, .out = out, .err = err};
    pith_status st = PITH_OK;
    if (!px_utf8_valid(pattern.data, pattern.len))
        return px_fail(err, PITH_E_FORMAT, "a regular expression is not valid UTF-8");
    while (st == PITH_OK && more(&t))
        st = step(&t);
    if (st == PITH_OK && t.depth > 0)
        st = broken(&t, "a group without end");
    for (int i = 0; st == PITH_OK && i < t.groups[0].closes; i++)
        px_buf_putc(out, ')');
    return st == PITH_OK ? px_buf_status(out, "a regular expression", err) : st;
}

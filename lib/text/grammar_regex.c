/* grammar_regex: see grammar_regex.h. A recursive descent; groups inside groups to
 * PX_MAX_GRAMMAR_DEPTH. */
#include "text/grammar_regex.h"

#include "base/mem.h"
#include "base/utf8.h"

enum { MOST_RANGES = 4096 };

typedef struct parser {
    px_grules *g;
    const char *where;
    const char *text, *at, *end;
    bool json;
    int depth;
    pith_error *err;
    pith_status status;
} parser;

typedef struct ranges {
    px_grange list[MOST_RANGES];
    uint32_t n;
} ranges;

static bool ok(const parser *p)
{
    return p->status == PITH_OK && !p->g->failed;
}

static const px_gexpr *fail(parser *p, pith_status status, const char *what)
{
    if (ok(p))
        p->status = px_fail(p->err, status, "%s: regular expression '%.*s': at byte %d: %s",
                            p->where, (int)(p->end - p->text < 200 ? p->end - p->text : 200),
                            p->text, (int)(p->at - p->text) + 1, what);
    return NULL;
}

static bool next_is(const parser *p, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(p->end - p->at) >= n && memcmp(p->at, word, n) == 0;
}

static bool take(parser *p, const char *word)
{
    if (!next_is(p, word))
        return false;
    p->at += strlen(word);
    return true;
}

/* ---- characters */

/* There is room. */
static void add(ranges *r, uint32_t lo, uint32_t hi)
{
    r->list[r->n++] = (px_grange){lo, hi};
}

/* All characters but those of the first n ranges, which rise, to r. */
static void add_others(ranges *r, const px_grange *list, uint32_t n)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].lo > from)
            add(r, from, list[i].lo - 1);
        from = list[i].hi + 1;
    }
    add(r, from, 0x10ffff);
}

/* The class of \d, \w, \s and their opposites; false for other letters. */
static bool add_class(ranges *r, char c)
{
    static const px_grange DIGITS[] = {{'0', '9'}};
    static const px_grange WORDS[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const px_grange SPACES[] = {
        {9, 13},          {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    char kind = (char)(c | 32);
    const px_grange *list = kind == 'd' ? DIGITS : kind == 'w' ? WORDS : SPACES;
    uint32_t n = kind == 'd' ? 1 : kind == 'w' ? 4 : 10;
    if (kind != 'd' && kind != 'w' && kind != 's')
        return false;
    if (c != kind)
        add_others(r, list, n);
    for (uint32_t i = 0; c == kind && i < n; i++)
        add(r, list[i].lo, list[i].hi);
    return true;
}

static bool read_hex(parser *p, int digits, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < digits; i++, p->at++) {
        char c = p->at < p->end ? *p->at : 0;
        if (c >= '0' && c <= '9')
            *code = 16 * *code + (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            *code = 16 * *code + (uint32_t)((c | 32) - 'a' + 10);
        else
            return fail(p, PITH_E_FORMAT, "hexadecimal digits are missing") != NULL;
    }
    return true;
}

static bool read_unicode(parser *p, uint32_t *code)
{
    if (take(p, "{")) {
        int digits = 0;
        while (p->at + digits < p->end && p->at[digits] != '}' && digits < 7)
            digits++;
        return read_hex(p, digits, code) &&
               (take(p, "}") || fail(p, PITH_E_FORMAT, "a } is missing") != NULL);
    }
    if (!read_hex(p, 4, code))
        return false;
    uint32_t low;
    if (*code >= 0xd800 && *code < 0xdc00 && take(p, "\\u")) {
        if (!read_hex(p, 4, &low))
            return false;
        *code = 0x10000 + ((*code - 0xd800) << 10) + (low & 0x3ff);
    }
    return true;
}

/* What follows a backslash, as one character. */
static bool read_escape(parser *p, uint32_t *code)
{
    static const char NAMED[] = "n\nr\rt\tf\fv\v";
    char c = p->at < p->end ? *p->at : 0;
    for (int i = 0; NAMED[i]; i += 2)
        if (c == NAMED[i]) {
            *code = (uint8_t)NAMED[i + 1];
            p->at++;
            return true;
        }
    if (c == 'x' || c == 'u') {
        p->at++;
        if (!(c == 'x' ? read_hex(p, 2, code) : read_unicode(p, code)))
            return false;
        if (*code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
            return fail(p, PITH_E_FORMAT, "this is not the code of a character") != NULL;
        return true;
    }
    if (c == '0') {
        *code = 0;
        p->at++;
        return true;
    }
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9');
    if (letter)
        return fail(p, PITH_E_UNSUPPORTED,
                    "a grammar cannot hold this escape; of letters there are \\d \\w \\s \\D \\W "
                    "\\S \\n \\r \\t \\f \\v \\xHH \\uHHHH") != NULL;
    int n = p->at < p->end ? px_utf8_get(p->at, (size_t)(p->end - p->at), code) : 0;
    p->at += n;
    return n > 0 || fail(p, PITH_E_FORMAT, "something must follow the backslash") != NULL;
}

static bool read_plain(parser *p, uint32_t *code)
{
    int n = px_utf8_get(p->at, (size_t)(p->end - p->at), code);
    p->at += n;
    return n > 0 || fail(p, PITH_E_FORMAT, "this is not UTF-8") != NULL;
}

/* One member of [...]: a class, or a character (*single). */
static bool read_member(parser *p, ranges *r, uint32_t *code, bool *single)
{
    *single = false;
    if (next_is(p, "[:") || next_is(p, "[.") || next_is(p, "[="))
        return fail(p, PITH_E_UNSUPPORTED, "a grammar cannot hold named classes") != NULL;
    if (!take(p, "\\")) {
        *single = true;
        return read_plain(p, code);
    }
    if (p->at < p->end && add_class(r, *p->at)) {
        p->at++;
        return true;
    }
    *single = true;
    if (take(p, "b")) {
        *code = 8;
        return true;
    }
    return read_escape(p, code);
}

static const px_gexpr *read_set(parser *p, ranges *r)
{
    bool inverted = take(p, "^");
    r->n = 0;
    while (p->at < p->end && *p->at != ']') {
        uint32_t lo, hi;
        bool single;
        if (r->n + 16 > MOST_RANGES) // a class is of at most 11
            return fail(p, PITH_E_LIMIT, "a class has too many members");
        if (!read_member(p, r, &lo, &single))
            return NULL;
        if (!single)
            continue;
        hi = lo;
        if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
            p->at++;
            if (!read_member(p, r, &hi, &single))
                return NULL;
            if (!single) { // "a-\d" means the three of them
                add(r, '-', '-');
                hi = lo;
            } else if (hi < lo) {
                return fail(p, PITH_E_FORMAT, "a range ends before it begins");
            }
        }
        add(r, lo, hi);
    }
    if (!take(p, "]"))
        return fail(p, PITH_E_FORMAT, "a ] is missing");
    return px_gexpr_chars(p->g, r->list, r->n, inverted, p->json);
}

static const px_gexpr *one(parser *p, uint32_t code)
{
    px_grange r = {code, code};
    return px_gexpr_chars(p->g, &r, 1, false, p->json);
}

/* ---- expressions */

static const px_gexpr *read_alternatives(parser *p, bool top, bool somewhere);

static bool read_number(parser *p, uint32_t *out)
{
    uint64_t v = 0;
    const char *from = p->at;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (v < UINT32_MAX)
            v = 10 * v + (uint64_t)(*p->at - '0');
    *out = v < PX_MAX_GRAMMAR_STATES ? (uint32_t)v : PX_MAX_GRAMMAR_STATES;
    return p->at > from;
}

/* {m}, {m,} or {m,n}; anything else in braces is text. */
static bool read_counts(parser *p, uint32_t *min, uint32_t *max)
{
    const char *from = p->at;
    p->at++;
    bool good = read_number(p, min);
    *max = *min;
    if (good && take(p, ",") && !read_number(p, max))
        *max = PX_GRAMMAR_MANY;
    if (good && take(p, "}"))
        return true;
    p->at = from;
    return false;
}

static const px_gexpr *read_suffix(parser *p, const px_gexpr *x)
{
    while (ok(p) && x && p->at < p->end) {
        uint32_t min = 0, max = PX_GRAMMAR_MANY;
        if (*p->at == '{') {
            if (!read_counts(p, &min, &max))
                return x;
            if (max < min)
                return fail(p, PITH_E_FORMAT, "a repetition's greatest number is below its least");
            if (min >= PX_MAX_GRAMMAR_STATES ||
                (max != PX_GRAMMAR_MANY && max >= PX_MAX_GRAMMAR_STATES))
                return fail(p, PITH_E_LIMIT, "a repetition is too long for a grammar");
        } else if (take(p, "+")) {
            min = 1;
        } else if (take(p, "?")) {
            max = 1;
        } else if (!take(p, "*")) {
            return x;
        }
        x = px_gexpr_repeat(p->g, x, min, max);
        if (next_is(p, "+"))
            return fail(p, PITH_E_UNSUPPORTED, "a grammar cannot hold possessive repetitions");
        take(p, "?"); // lazy: the same texts
    }
    return x;
}

static const px_gexpr *read_group(parser *p)
{
    if (++p->depth > PX_MAX_GRAMMAR_DEPTH)
        return fail(p, PITH_E_LIMIT, "too many groups are open");
    if (take(p, "?")) {
        bool named = take(p, "P<") ||
                     (next_is(p, "<") && !next_is(p, "<=") && !next_is(p, "<!") && take(p, "<"));
        if (named) {
            while (p->at < p->end && *p->at != '>')
                p->at++;
            if (!take(p, ">"))
                return fail(p, PITH_E_FORMAT, "a > is missing");
        } else if (!take(p, ":")) {
            return fail(p, PITH_E_UNSUPPORTED,
                        "a grammar cannot hold look-around, flags or conditions");
        }
    }
    const px_gexpr *x = read_alternatives(p, false, false);
    p->depth--;
    if (x && !take(p, ")"))
        return fail(p, PITH_E_FORMAT, "a ) is missing");
    return x;
}

static const px_gexpr *read_item(parser *p)
{
    static const px_grange BREAKS[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
    uint32_t code;
    if (take(p, "("))
        return read_group(p);
    if (take(p, "[")) {
        ranges *r = px_malloc(1, sizeof *r);
        if (!r) {
            p->g->failed = true;
            return NULL;
        }
        const px_gexpr *x = read_set(p, r);
        px_free(r);
        return x;
    }
    if (take(p, "."))
        return px_gexpr_chars(p->g, BREAKS, 3, true, p->json);
    if (*p->at == '*' || *p->at == '+' || *p->at == '?')
        return fail(p, PITH_E_FORMAT, "there is nothing to repeat");
    if (*p->at == '^' || *p->at == '$')
        return fail(p, PITH_E_UNSUPPORTED,
                    "a grammar holds ^ only at the beginning and $ only at the end");
    if (!take(p, "\\"))
        return read_plain(p, &code) ? one(p, code) : NULL;
    px_grange list[16];
    ranges *r = NULL;
    if (p->at < p->end && memchr("dwsDWS", *p->at, 6)) {
        r = px_malloc(1, sizeof *r);
        if (!r) {
            p->g->failed = true;
            return NULL;
        }
        r->n = 0;
        add_class(r, *p->at++);
        uint32_t n = r->n;
        memcpy(list, r->list, n * sizeof *list);
        px_free(r);
        return px_gexpr_chars(p->g, list, n, false, p->json);
    }
    return read_escape(p, &code) ? one(p, code) : NULL;
}

/* One alternative. At the top, anchors may stand around it; without one a match somewhere has any
 * text there. */
static const px_gexpr *read_sequence(parser *p, bool top, bool somewhere)
{
    static const px_grange ALL = {0, 0x10ffff};
    px_gexprs items = {0};
    const px_gexpr *any =
        px_gexpr_repeat(p->g, px_gexpr_chars(p->g, &ALL, 1, false, p->json), 0, PX_GRAMMAR_MANY);
    bool begins = top && (take(p, "^") || take(p, "\\A"));
    if (somewhere && !begins)
        px_gexprs_put(p->g, &items, any);
    bool ends = false;
    while (ok(p) && p->at < p->end && *p->at != '|' && *p->at != ')') {
        bool last = p->end - p->at == 1 || p->at[1] == '|';
        if (top && *p->at == '$' && last) {
            p->at++;
            ends = true;
            break;
        }
        if (top && (next_is(p, "\\z") || next_is(p, "\\Z"))) {
            p->at += 2;
            ends = true;
            break;
        }
        const px_gexpr *x = read_suffix(p, read_item(p));
        if (!ok(p))
            return NULL;
        px_gexprs_put(p->g, &items, x);
    }
    if (somewhere && !ends)
        px_gexprs_put(p->g, &items, any);
    return ok(p) ? px_gexpr_seq(p->g, items.items, items.n) : NULL;
}

static const px_gexpr *read_alternatives(parser *p, bool top, bool somewhere)
{
    px_gexprs ways = {0};
    do {
        px_gexprs_put(p->g, &ways, read_sequence(p, top, somewhere));
    } while (ok(p) && take(p, "|"));
    return ok(p) ? px_gexpr_alt(p->g, ways.items, ways.n) : NULL;
}

pith_status px_gregex_read(px_grules *g, const char *where, px_str pattern, int how,
                           const px_gexpr **out, pith_error *err)
{
    parser p = {.g = g,
                .where = where,
                .text = pattern.data,
                .at = pattern.data,
                .end = pattern.data + pattern.len,
                .json = (how & PX_GREGEX_JSON) != 0,
                .err = err};
    *out = read_alternatives(&p, true, (how & PX_GREGEX_SOMEWHERE) != 0);
    if (ok(&p) && p.at < p.end)
        fail(&p, PITH_E_FORMAT, "there is no ( for this )");
    return p.status != PITH_OK ? p.status : px_grules_status(g, err);
}

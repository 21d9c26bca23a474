/* grammar_gbnf: see grammar_gbnf.h. A recursive descent over the text; brackets inside brackets to
 * PX_MAX_GRAMMAR_DEPTH. */
#include "text/grammar_gbnf.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/grammar_regex.h"
#include "text/grammar_schema.h"

#include <stdlib.h>

enum { MOST_UNTIL_BYTES = 4096, MOST_SET = 4096 };

typedef struct parser {
    px_grules *g;
    const char *name;
    const char *text, *at, *end;
    uint32_t *table; // named rules, + 1
    uint32_t table_size, n_named;
    int depth;
    pith_error *err;
    pith_status status;
    px_buf scratch;
} parser;

static bool ok(const parser *p)
{
    return p->status == PITH_OK && !p->g->failed;
}

static int line_of(const parser *p, const char *at)
{
    int line = 1;
    for (const char *c = p->text; c < at; c++)
        line += *c == '\n';
    return line;
}

/* Fails at the current place: what was found and what was expected. */
static const px_gexpr *expected(parser *p, const char *what)
{
    if (!ok(p))
        return NULL;
    char found[16] = "the end";
    if (p->at < p->end) {
        uint32_t code;
        int n = px_utf8_get(p->at, (size_t)(p->end - p->at), &code);
        n = n > 0 ? n : 1;
        found[0] = '\'';
        memcpy(found + 1, p->at, (size_t)n);
        found[n + 1] = '\'';
        found[n + 2] = 0;
        if (*p->at == '\n')
            memcpy(found, "a line break", 13);
    }
    p->status = px_fail(p->err, PITH_E_FORMAT, "%s: line %d: found %s, expected %s", p->name,
                        line_of(p, p->at), found, what);
    return NULL;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static void skip_space(parser *p)
{
    while (p->at < p->end) {
        if (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
            p->at++;
        else if (*p->at == '#')
            while (p->at < p->end && *p->at != '\n')
                p->at++;
        else
            return;
    }
}

/* Whether a definition begins here: a name and "::=". */
static bool at_definition(const parser *p)
{
    const char *c = p->at;
    while (c < p->end && is_name(*c))
        c++;
    if (c == p->at)
        return false;
    while (c < p->end && (*c == ' ' || *c == '\t'))
        c++;
    return p->end - c >= 3 && memcmp(c, "::=", 3) == 0;
}

/* ---- rule names */

static uint32_t hash_name(px_str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (uint8_t)s.data[i]) * 16777619u;
    return h;
}

static void put_name(parser *p, uint32_t rule)
{
    uint32_t at = hash_name(p->g->rules[rule].name) & (p->table_size - 1);
    while (p->table[at] != 0)
        at = (at + 1) & (p->table_size - 1);
    p->table[at] = rule + 1;
}

static bool grow_names(parser *p)
{
    uint32_t size = p->table_size ? 2 * p->table_size : 64, n = p->table_size;
    uint32_t *old = p->table, *table = px_calloc(size, sizeof *table);
    if (!table)
        return false;
    p->table = table;
    p->table_size = size;
    for (uint32_t i = 0; i < n; i++)
        if (old[i] != 0)
            put_name(p, old[i] - 1);
    px_free(old);
    return true;
}

/* The rule of that name, made when it is new. */
static uint32_t rule_of(parser *p, px_str name)
{
    if (2 * p->n_named >= p->table_size && !grow_names(p)) {
        p->g->failed = true;
        return 0;
    }
    uint32_t at = hash_name(name) & (p->table_size - 1);
    for (; p->table[at] != 0; at = (at + 1) & (p->table_size - 1))
        if (px_str_eq(p->g->rules[p->table[at] - 1].name, name))
            return p->table[at] - 1;
    uint32_t rule = px_grules_add(p->g, name);
    if (rule == UINT32_MAX)
        return 0;
    p->table[at] = rule + 1;
    p->n_named++;
    return rule;
}

static px_str read_name(parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && is_name(*p->at))
        p->at++;
    return (px_str){.data = from, .len = (size_t)(p->at - from)};
}

/* ---- characters */

static bool read_hex(parser *p, int digits, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < digits; i++, p->at++) {
        char c = p->at < p->end ? *p->at : 0;
        uint32_t v = 16;
        if (c >= '0' && c <= '9')
            v = (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = (uint32_t)((c | 32) - 'a' + 10);
        if (v == 16) {
            expected(p, digits == 2 ? "2 hexadecimal digits" : "hexadecimal digits");
            return false;
        }
        *code = *code * 16 + v;
    }
    if (*code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff))
        return true;
    expected(p, "the code of a character (0 to D7FF, E000 to 10FFFF)");
    return false;
}

/* One character, escaped or not. */
static bool read_char(parser *p, uint32_t *code)
{
    if (p->at < p->end && *p->at != '\\') {
        int n = px_utf8_get(p->at, (size_t)(p->end - p->at), code);
        p->at += n;
        if (n == 0)
            expected(p, "UTF-8");
        return n > 0;
    }
    p->at += p->at < p->end;
    char c = p->at < p->end ? *p->at : 0;
    static const char PLAIN[] = "\"\\[]-^/'.|(){}*+?";
    static const char NAMED[] = "n\nr\rt\t";
    if (c != 0 && strchr(PLAIN, c)) {
        *code = (uint8_t)c;
        p->at++;
        return true;
    }
    for (int i = 0; NAMED[i]; i += 2)
        if (c == NAMED[i]) {
            *code = (uint8_t)NAMED[i + 1];
            p->at++;
            return true;
        }
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
        expected(p, "an escape: \\n \\r \\t \\\" \\\\ \\[ \\] \\xHH \\uHHHH \\UHHHHHHHH");
        return false;
    }
    p->at++;
    return read_hex(p, digits, code);
}

/* The text of "...", in p->scratch until the next one. \xHH above 7F is that byte alone. */
static bool read_string(parser *p, px_str *out)
{
    px_buf_reset(&p->scratch);
    if (p->at >= p->end || *p->at != '"') {
        expected(p, "a text in double quotes");
        return false;
    }
    p->at++;
    while (p->at < p->end && *p->at != '"') {
        uint32_t code;
        bool byte = p->end - p->at >= 2 && p->at[0] == '\\' && p->at[1] == 'x';
        if (*p->at == '\n') {
            expected(p, "the closing \" before the end of the line");
            return false;
        }
        if (!read_char(p, &code))
            return false;
        char utf8[4];
        if (byte)
            px_buf_putc(&p->scratch, (char)code);
        else
            px_buf_put(&p->scratch, utf8, (size_t)px_utf8_put(code, utf8));
    }
    if (p->at >= p->end) {
        expected(p, "the closing \"");
        return false;
    }
    p->at++;
    p->g->failed = p->g->failed || p->scratch.failed;
    *out = (px_str){.data = p->scratch.data ? p->scratch.data : "", .len = p->scratch.len};
    return ok(p);
}

static const px_gexpr *read_set(parser *p)
{
    px_grange *ranges = px_malloc(MOST_SET, sizeof *ranges);
    if (!ranges) {
        p->g->failed = true;
        return NULL;
    }
    const px_gexpr *x = NULL;
    uint32_t n = 0;
    p->at++;
    bool inverted = p->at < p->end && *p->at == '^';
    p->at += inverted;
    while (p->at < p->end && *p->at != ']') {
        uint32_t lo, hi;
        if (n == MOST_SET) {
            expected(p, "a smaller character set");
            goto out;
        }
        if (!read_char(p, &lo))
            goto out;
        hi = lo;
        if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
            p->at++;
            if (!read_char(p, &hi))
                goto out;
            if (hi < lo) {
                expected(p, "a range whose end is not before its beginning");
                goto out;
            }
        }
        ranges[n++] = (px_grange){lo, hi};
    }
    if (p->at >= p->end) {
        expected(p, "the closing ]");
        goto out;
    }
    p->at++;
    x = px_gexpr_chars(p->g, ranges, n, inverted, false);
out:
    px_free(ranges);
    return x;
}

/* ---- pith's additions */

static bool need(parser *p, char c)
{
    skip_space(p);
    if (p->at < p->end && *p->at == c) {
        p->at++;
        return true;
    }
    char what[4] = {'\'', c, '\'', 0};
    expected(p, what);
    return false;
}

static const px_gexpr *read_token(parser *p)
{
    px_str text;
    p->at++;
    if (!read_string(p, &text))
        return NULL;
    if (text.len == 0)
        return expected(p, "the text of a token behind @");
    return px_gexpr_token(p->g, text);
}

static const px_gexpr *read_until(parser *p)
{
    px_str words[64];
    uint32_t n = 0;
    size_t bytes = 0;
    do {
        skip_space(p);
        bool token = p->at < p->end && *p->at == '@';
        p->at += token;
        px_str text;
        if (n == 64)
            return expected(p, "at most 64 texts in until()");
        if (!read_string(p, &text))
            return NULL;
        bytes += text.len;
        if (text.len == 0 || bytes > MOST_UNTIL_BYTES)
            return expected(p, "texts in until() that are not empty, of 4096 bytes in all");
        if (token)
            px_grules_symbol(p->g, text);
        words[n].data = px_arena_strndup(&p->g->arena, text.data, text.len);
        words[n].len = text.len;
        if (!words[n++].data) {
            p->g->failed = true;
            return NULL;
        }
        skip_space(p);
    } while (p->at < p->end && *p->at == ',' && p->at++);
    return need(p, ')') ? px_gexpr_until(p->g, words, n) : NULL;
}

/* The end of a JSON value by its brackets and quotes; the reader of schemas checks the rest. */
static const char *json_end(const parser *p)
{
    int depth = 0;
    bool quoted = false;
    for (const char *c = p->at; c < p->end; c++) {
        if (quoted) {
            quoted = *c != '"';
            c += *c == '\\';
            continue;
        }
        if (depth == 0 && *c == ')')
            return c;
        quoted = *c == '"';
        depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
    }
    return NULL;
}

static const px_gexpr *read_regex(parser *p)
{
    const px_gexpr *body = NULL;
    px_str pattern;
    skip_space(p);
    if (!read_string(p, &pattern))
        return NULL;
    p->status = px_gregex_read(p->g, p->name, pattern, PX_GREGEX_WHOLE, &body, p->err);
    skip_space(p);
    return p->status == PITH_OK && need(p, ')') ? body : NULL;
}

static const px_gexpr *read_schema(parser *p)
{
    const char *end = json_end(p);
    uint32_t root;
    if (!end)
        return expected(p, "a JSON schema and its closing )");
    px_str text = {.data = p->at, .len = (size_t)(end - p->at)};
    p->status = px_gschema_read(p->g, p->name, text, &root, p->err);
    p->at = end + 1;
    return p->status == PITH_OK ? px_gexpr_rule(p->g, root) : NULL;
}

/* ---- expressions */

static const px_gexpr *read_alternatives(parser *p, bool nested);

static bool read_count(parser *p, uint32_t *out)
{
    uint64_t v = 0;
    skip_space(p);
    const char *from = p->at;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (v < UINT32_MAX)
            v = 10 * v + (uint64_t)(*p->at - '0');
    if (v >= PX_MAX_GRAMMAR_STATES) {
        p->at = from;
        p->status =
            px_fail(p->err, PITH_E_LIMIT,
                    "%s: line %d: a repetition of %llu times, at most %u are possible", p->name,
                    line_of(p, p->at), (unsigned long long)v, PX_MAX_GRAMMAR_STATES - 1);
        return false;
    }
    *out = (uint32_t)v;
    return p->at > from;
}

/* {n}, {n,}, {,m} or {n,m} behind an item. */
static const px_gexpr *read_counts(parser *p, const px_gexpr *x)
{
    uint32_t min = 0, max = 0;
    p->at++;
    bool has_min = read_count(p, &min);
    skip_space(p);
    if (!ok(p))
        return NULL;
    if (p->at < p->end && *p->at == ',') {
        p->at++;
        if (!read_count(p, &max))
            max = PX_GRAMMAR_MANY;
    } else if (has_min) {
        max = min;
    } else {
        return expected(p, "a number of times");
    }
    if (!need(p, '}'))
        return NULL;
    if (max < min)
        return expected(p, "a greatest number of times that is not below the least");
    return px_gexpr_repeat(p->g, x, min, max);
}

static const px_gexpr *read_suffix(parser *p, const px_gexpr *x)
{
    while (ok(p) && x && p->at < p->end) {
        if (*p->at == '*')
            x = px_gexpr_repeat(p->g, x, 0, PX_GRAMMAR_MANY);
        else if (*p->at == '+')
            x = px_gexpr_repeat(p->g, x, 1, PX_GRAMMAR_MANY);
        else if (*p->at == '?')
            x = px_gexpr_repeat(p->g, x, 0, 1);
        else if (*p->at == '{') {
            x = read_counts(p, x);
            continue;
        } else
            break;
        p->at++;
    }
    return x;
}

static const px_gexpr *read_group(parser *p)
{
    p->at++;
    if (++p->depth > PX_MAX_GRAMMAR_DEPTH) {
        p->status = px_fail(p->err, PITH_E_LIMIT, "%s: line %d: more than %d brackets are open",
                            p->name, line_of(p, p->at), PX_MAX_GRAMMAR_DEPTH);
        return NULL;
    }
    const px_gexpr *x = read_alternatives(p, true);
    p->depth--;
    return x && need(p, ')') ? x : NULL;
}

static const px_gexpr *read_item(parser *p)
{
    static const px_grange ALL = {0, 0x10ffff};
    char c = *p->at;
    px_str text;
    if (c == '"')
        return read_string(p, &text) ? px_gexpr_bytes(p->g, text) : NULL;
    if (c == '[')
        return read_set(p);
    if (c == '(')
        return read_group(p);
    if (c == '@')
        return read_token(p);
    if (c == '.') {
        p->at++;
        return px_gexpr_chars(p->g, &ALL, 1, false, false);
    }
    if (!is_name(c))
        return expected(p, "a text, a character set, a rule's name or (");
    px_str name = read_name(p);
    if (p->at < p->end && *p->at == '(' && px_str_is(name, "until")) {
        p->at++;
        return read_until(p);
    }
    if (p->at < p->end && *p->at == '(' && px_str_is(name, "json_schema")) {
        p->at++;
        return read_schema(p);
    }
    if (p->at < p->end && *p->at == '(' && px_str_is(name, "regex")) {
        p->at++;
        return read_regex(p);
    }
    return px_gexpr_rule(p->g, rule_of(p, name));
}

static const px_gexpr *read_sequence(parser *p)
{
    px_gexprs items = {0};
    for (skip_space(p); ok(p) && p->at < p->end; skip_space(p)) {
        if (*p->at == '|' || *p->at == ')' || at_definition(p))
            break;
        const px_gexpr *x = read_suffix(p, read_item(p));
        if (!ok(p))
            return NULL;
        px_gexprs_put(p->g, &items, x);
    }
    return ok(p) ? px_gexpr_seq(p->g, items.items, items.n) : NULL;
}

static const px_gexpr *read_alternatives(parser *p, bool nested)
{
    px_gexprs ways = {0};
    for (;;) {
        px_gexprs_put(p->g, &ways, read_sequence(p));
        if (!ok(p))
            return NULL;
        if (p->at >= p->end || *p->at != '|')
            break;
        p->at++;
    }
    if (!nested && p->at < p->end && *p->at == ')')
        return expected(p, "a ( before this )");
    return px_gexpr_alt(p->g, ways.items, ways.n);
}

static void read_definition(parser *p)
{
    if (!at_definition(p)) {
        expected(p, "a rule: name ::= ...");
        return;
    }
    px_str name = read_name(p);
    uint32_t rule = rule_of(p, name);
    if (ok(p) && p->g->rules[rule].body) {
        p->status = px_fail(p->err, PITH_E_FORMAT, "%s: line %d: rule '%.*s' is defined twice",
                            p->name, line_of(p, p->at), PX_STR_ARG(name));
        return;
    }
    while (p->at < p->end && *p->at != ':')
        p->at++;
    p->at += 3;
    const px_gexpr *body = read_alternatives(p, false);
    if (ok(p))
        p->g->rules[rule].body = body;
}

static void find_root(parser *p, uint32_t first, uint32_t *root)
{
    *root = UINT32_MAX;
    for (uint32_t r = first; r < p->g->n_rules && ok(p); r++) {
        if (!p->g->rules[r].body)
            p->status = px_fail(p->err, PITH_E_FORMAT, "%s: rule '%.*s' is used and not defined",
                                p->name, PX_STR_ARG(p->g->rules[r].name));
        if (px_str_is(p->g->rules[r].name, "root") && *root == UINT32_MAX)
            *root = r;
    }
    if (ok(p) && *root == UINT32_MAX)
        p->status =
            px_fail(p->err, PITH_E_FORMAT,
                    "%s: the grammar has no rule 'root', with which a text begins", p->name);
}

pith_status px_gbnf_read(px_grules *g, const char *name, px_str text, uint32_t *root,
                         pith_error *err)
{
    parser p = {.g = g,
                .name = name,
                .text = text.data,
                .at = text.data,
                .end = text.data + text.len,
                .err = err};
    uint32_t first = g->n_rules;
    for (skip_space(&p); ok(&p) && p.at < p.end; skip_space(&p))
        read_definition(&p);
    if (ok(&p))
        find_root(&p, first, root);
    px_free(p.table);
    px_buf_clear(&p.scratch);
    return p.status != PITH_OK ? p.status : px_grules_status(g, err);
}

/* jinja_lex: see jinja_lex.h. Text between tags is cut first, then the inside of a tag is read
 * token by token until the end of the tag. */
#include "text/jinja_lex.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja_char.h"
#include "text/jinja_number.h"

#include <stdio.h>

/* ---- build */

static bool record(jbuild *b, pith_status status, uint32_t line, const char *fmt, va_list args)
{
    char text[600];
    vsnprintf(text, sizeof text, fmt, args);
    px_fail(b->err, status, "%s: line %u: %s", b->name, line, text);
    return false;
}

bool px_jbuild_fail(jbuild *b, uint32_t line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    record(b, PITH_E_TEMPLATE, line, fmt, args);
    va_end(args);
    return false;
}

bool px_jbuild_over(jbuild *b, uint32_t line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    record(b, PITH_E_LIMIT, line, fmt, args);
    va_end(args);
    return false;
}

void *px_jbuild_alloc(jbuild *b, size_t n, size_t size)
{
    void *p = px_arena_zalloc(b->arena, n, size);
    if (!p)
        px_fail_memory(b->err, "a template");
    return p;
}

/* Twice the room for names. */
static bool grow_names(jbuild *b)
{
    uint32_t cap = b->cap_names ? b->cap_names * 2 : 256;
    jname **names = px_jbuild_alloc(b, cap, sizeof(jname *));
    if (!names)
        return false;
    for (uint32_t i = 0; i < b->cap_names; i++) {
        jname *name = b->names[i];
        if (!name)
            continue;
        uint32_t at = (uint32_t)name->str.hash & (cap - 1);
        while (names[at])
            at = (at + 1) & (cap - 1);
        names[at] = name;
    }
    b->names = names;
    b->cap_names = cap;
    return true;
}

jname *px_jbuild_intern(jbuild *b, const char *text, size_t len)
{
    if (b->n_names * 2 >= b->cap_names && !grow_names(b))
        return NULL;
    uint64_t hash = px_jinja_hash_bytes(b->seed, text, len);
    uint32_t at = (uint32_t)hash & (b->cap_names - 1);
    for (; b->names[at]; at = (at + 1) & (b->cap_names - 1)) {
        jname *name = b->names[at];
        if (name->str.hash == hash && name->str.len == len &&
            memcmp(name->str.data, text, len) == 0)
            return name;
    }
    jname *name = px_jbuild_alloc(b, 1, sizeof *name);
    char *copy = name ? px_arena_strndup(b->arena, text, len) : NULL;
    if (!copy) {
        px_fail_memory(b->err, "a template");
        return NULL;
    }
    int64_t chars = 0;
    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)text[i] & 0xc0) != 0x80;
    name->str = (jstr){.data = copy, .len = len, .chars = chars, .hash = hash};
    b->names[at] = name;
    b->n_names++;
    return name;
}

/* ---- text between tags */

static bool at(const jlex *lex, size_t pos, const char *text)
{
    size_t n = strlen(text);
    return lex->len - pos >= n && memcmp(lex->src + pos, text, n) == 0;
}

/* The first position from `pos` that is not white space. */
static size_t skip_space(const jlex *lex, size_t pos)
{
    while (pos < lex->len) {
        uint32_t c;
        int n = px_utf8_get(lex->src + pos, lex->len - pos, &c);
        if (n == 0 || !px_jchar_is_space(c))
            break;
        pos += (size_t)n;
    }
    return pos;
}

/* Moves to `pos`, counting lines. */
static void move(jlex *lex, size_t pos)
{
    for (size_t i = lex->pos; i < pos; i++)
        lex->line += lex->src[i] == '\n';
    lex->pos = pos;
}

/* Moves behind the end of a tag. */
static void end_tag(jlex *lex, size_t pos)
{
    move(lex, pos);
    lex->line_start = pos > 0 && lex->src[pos - 1] == '\n';
}

/* Where text from..to ends once the tag behind it has had its way with the white space: `sign` is
 * the tag's own. */
static size_t trim_before(const jlex *lex, size_t from, size_t to, char sign, bool is_variable)
{
    if (sign == '-') {
        return from + px_jchar_strip_end(lex->src + from, to - from);
    }
    if (sign == '+' || is_variable)
        return to;
    size_t line = to;
    while (line > from && lex->src[line - 1] != '\n')
        line--;
    if (line == from && !lex->line_start)
        return to;
    return skip_space(lex, line) >= to ? line : to;
}

static char sign_at(const jlex *lex, size_t pos)
{
    return pos < lex->len && (lex->src[pos] == '-' || lex->src[pos] == '+') ? lex->src[pos] : 0;
}

/* The end of "{%- raw %}" when one stands at pos, else 0. */
static size_t raw_begin(const jlex *lex, size_t pos)
{
    pos += 2;
    pos += sign_at(lex, pos) != 0;
    pos = skip_space(lex, pos);
    if (!at(lex, pos, "raw"))
        return 0;
    pos = skip_space(lex, pos + 3);
    if (at(lex, pos, "-%}"))
        return skip_space(lex, pos + 3);
    return at(lex, pos, "%}") ? pos + 2 : 0;
}

/* The end of "{%- endraw %}" when one stands at pos, else 0. */
static size_t raw_end(const jlex *lex, size_t pos)
{
    pos += 2;
    pos += sign_at(lex, pos) != 0;
    pos = skip_space(lex, pos);
    if (!at(lex, pos, "endraw"))
        return 0;
    pos = skip_space(lex, pos + 6);
    if (at(lex, pos, "-%}"))
        return skip_space(lex, pos + 3);
    if (at(lex, pos, "+%}"))
        return pos + 3;
    if (!at(lex, pos, "%}"))
        return 0;
    return pos + 2 + at(lex, pos + 2, "\n");
}

static void token(jlex *lex, jtoken *out, jtok type)
{
    *out = (jtoken){.type = type, .line = lex->line};
}

/* Text from..to as a token. */
static bool data_token(jlex *lex, jtoken *out, size_t from, size_t to)
{
    token(lex, out, JT_DATA);
    jstr *s = px_jbuild_alloc(lex->build, 1, sizeof *s);
    if (!s)
        return false;
    *s = (jstr){.data = lex->src + from, .len = to - from, .chars = -1};
    out->value = px_jv_of_str(s);
    return true;
}

/* The text up to "{% endraw %}". */
static bool read_raw(jlex *lex, jtoken *out)
{
    size_t from = lex->pos;
    for (size_t pos = from; pos + 2 <= lex->len; pos++) {
        size_t end = at(lex, pos, "{%") ? raw_end(lex, pos) : 0;
        if (end == 0)
            continue;
        size_t to = trim_before(lex, from, pos, sign_at(lex, pos + 2), false);
        if (!data_token(lex, out, from, to))
            return false;
        end_tag(lex, end);
        lex->mode = 0;
        return true;
    }
    return px_jbuild_fail(lex->build, lex->line, "a raw block has no {%% endraw %%}");
}

/* Behind a comment that begins at pos. */
static bool skip_comment(jlex *lex, size_t pos)
{
    size_t from = pos + 2 + (sign_at(lex, pos + 2) != 0);
    for (size_t i = from; i + 2 <= lex->len; i++) {
        if (!at(lex, i, "#}"))
            continue;
        char sign = i > from ? sign_at(lex, i - 1) : 0;
        size_t end = i + 2;
        if (sign == '-')
            end = skip_space(lex, end);
        else if (sign == 0)
            end += at(lex, end, "\n");
        end_tag(lex, end);
        return true;
    }
    move(lex, pos);
    if (from < lex->len)
        return px_jbuild_fail(lex->build, lex->line, "a comment has no #} at its end");
    move(lex, lex->len); // nothing but the opening: the reference takes it
    return true;
}

/* Text up to the next tag, as a token when there is any; *found tells. */
static bool read_text(jlex *lex, jtoken *out, bool *found)
{
    size_t from = lex->pos, pos = from;
    *found = false;
    for (; pos + 2 <= lex->len; pos++) {
        const char *brace = memchr(lex->src + pos, '{', lex->len - pos);
        pos = brace ? (size_t)(brace - lex->src) : lex->len;
        if (at(lex, pos, "{%") || at(lex, pos, "{{") || at(lex, pos, "{#"))
            break;
    }
    if (pos + 2 > lex->len) {
        *found = from < lex->len;
        if (*found && !data_token(lex, out, from, lex->len))
            return false;
        move(lex, lex->len);
        return true;
    }
    char kind = lex->src[pos + 1];
    char sign = sign_at(lex, pos + 2);
    size_t to = trim_before(lex, from, pos, sign, kind == '{');
    *found = to > from;
    if (*found && !data_token(lex, out, from, to))
        return false;
    if (kind == '#')
        return skip_comment(lex, pos);
    size_t raw = kind == '%' ? raw_begin(lex, pos) : 0;
    if (raw) {
        end_tag(lex, raw);
        lex->mode = 'r';
        return true;
    }
    move(lex, pos);
    lex->pending = kind;
    return true;
}

/* ---- inside tags */

/* Behind the end of the tag when it stands at the position, else 0. */
static size_t tag_end(const jlex *lex)
{
    if (lex->n_open)
        return 0;
    size_t pos = lex->pos;
    if (lex->mode == '{') {
        if (at(lex, pos, "-}}"))
            return skip_space(lex, pos + 3);
        return at(lex, pos, "}}") ? pos + 2 : 0;
    }
    if (at(lex, pos, "-%}"))
        return skip_space(lex, pos + 3);
    if (at(lex, pos, "+%}"))
        return pos + 3;
    return at(lex, pos, "%}") ? pos + 2 + at(lex, pos + 2, "\n") : 0;
}

static const struct {
    char text[3];
    jtok type;
} operators[] = {
    {"**", JT_POW},   {"//", JT_FLOORDIV}, {"==", JT_EQ},      {"!=", JT_NE},
    {">=", JT_GE},    {"<=", JT_LE},       {"+", JT_ADD},      {"-", JT_SUB},
    {"*", JT_MUL},    {"/", JT_DIV},       {"%", JT_MOD},      {"~", JT_TILDE},
    {"<", JT_LT},     {">", JT_GT},        {"=", JT_ASSIGN},   {".", JT_DOT},
    {":", JT_COLON},  {"|", JT_PIPE},      {",", JT_COMMA},    {";", JT_SEMICOLON},
    {"(", JT_LPAREN}, {")", JT_RPAREN},    {"[", JT_LBRACKET}, {"]", JT_RBRACKET},
    {"{", JT_LBRACE}, {"}", JT_RBRACE},
};

/* Brackets must close in order. */
static bool balance(jlex *lex, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *open = strchr(opening, c);
    if (open) {
        if (lex->n_open >= (int)sizeof lex->open)
            return px_jbuild_over(lex->build, lex->line, "brackets are nested more than %d deep",
                                  PX_MAX_TEMPLATE_DEPTH);
        lex->open[lex->n_open++] = closing[open - opening];
        return true;
    }
    if (!strchr(closing, c))
        return true;
    if (lex->n_open == 0)
        return px_jbuild_fail(lex->build, lex->line, "'%c' closes nothing", c);
    char expected = lex->open[--lex->n_open];
    if (expected != c)
        return px_jbuild_fail(lex->build, lex->line, "found '%c' where '%c' should close", c,
                              expected);
    return true;
}

static bool read_operator(jlex *lex, jtoken *out)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!at(lex, lex->pos, operators[i].text))
            continue;
        token(lex, out, operators[i].type);
        size_t n = strlen(operators[i].text);
        if (n == 1 && !balance(lex, operators[i].text[0]))
            return false;
        lex->pos += n;
        return true;
    }
    uint32_t c = 0;
    px_utf8_get(lex->src + lex->pos, lex->len - lex->pos, &c);
    if (c == '\'' || c == '"')
        return px_jbuild_fail(lex->build, lex->line, "a string has no %c at its end", (char)c);
    return px_jbuild_fail(lex->build, lex->line, "unexpected character U+%04X in a tag", c);
}

static bool read_name(jlex *lex, jtoken *out)
{
    size_t from = lex->pos, pos = from;
    bool good = true;
    while (pos < lex->len) {
        uint32_t c;
        int n = px_utf8_get(lex->src + pos, lex->len - pos, &c);
        if (n == 0 || !px_jchar_in_name(c))
            break;
        good = good && (pos > from || px_jchar_starts_name(c));
        pos += (size_t)n;
    }
    token(lex, out, JT_NAME);
    if (!good)
        return px_jbuild_fail(lex->build, lex->line,
                              "a name begins with a character that it "
                              "cannot begin with");
    out->name = px_jbuild_intern(lex->build, lex->src + from, pos - from);
    lex->pos = pos;
    return out->name != NULL;
}

/* ---- strings */

/* The value of n hexadecimal digits, or -1. */
static int64_t hex(const char *s, size_t left, int n)
{
    int64_t v = 0;
    if (left < (size_t)n)
        return -1;
    for (int i = 0; i < n; i++) {
        int d = px_jchar_digit(s[i]);
        if (d < 0 || d > 15)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* Reads the escape behind a backslash at s[0..left); appends what it means; its bytes, or 0 after a
 * failure. */
static size_t unescape(jlex *lex, const char *s, size_t left, char *to, size_t *n)
{
    static const char letters[] = "\\'\"abfnrtv", meaning[] = "\\'\"\a\b\f\n\r\t\v";
    const char *letter = s[0] ? strchr(letters, s[0]) : NULL;
    if (s[0] == '\n')
        return 1;
    if (letter) {
        to[(*n)++] = meaning[letter - letters];
        return 1;
    }
    size_t used = 1;
    int64_t code = -1;
    if (s[0] >= '0' && s[0] <= '7') {
        code = s[0] - '0';
        while (used < 3 && used < left && s[used] >= '0' && s[used] <= '7')
            code = code * 8 + (s[used++] - '0');
    } else if (s[0] == 'x' || s[0] == 'u' || s[0] == 'U') {
        int digits = s[0] == 'x' ? 2 : s[0] == 'u' ? 4 : 8;
        code = hex(s + 1, left - 1, digits);
        used = 1 + (size_t)digits;
        if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            px_jbuild_fail(lex->build, lex->line,
                           "\\%c in a string wants %d hexadecimal digits "
                           "of a character",
                           s[0], digits);
            return 0;
        }
    } else if (s[0] == 'N') {
        px_jbuild_fail(lex->build, lex->line,
                       "\\N in a string is not supported; write the "
                       "character itself or \\u");
        return 0;
    } else {
        /* Not an escape: the backslash stays. A character outside of ASCII turns into the text of
         * its own escape, as in the reference. */
        uint32_t c;
        used = (size_t)px_utf8_get(s, left, &c);
        to[(*n)++] = '\\';
        if (c < 0x80)
            to[(*n)++] = (char)c;
        else
            *n += (size_t)snprintf(to + *n, 10,
                                   c < 0x100     ? "x%02x"
                                   : c < 0x10000 ? "u%04x"
                                                 : "U%08x",
                                   c);
        return used;
    }
    *n += (size_t)px_utf8_put((uint32_t)code, to + *n);
    return used;
}

static bool read_string(jlex *lex, jtoken *out)
{
    char quote = lex->src[lex->pos];
    size_t from = lex->pos + 1, end = from;
    while (end < lex->len && lex->src[end] != quote)
        end += lex->src[end] == '\\' ? 2 : 1;
    if (end >= lex->len)
        return read_operator(lex, out);
    token(lex, out, JT_STRING);
    /* An escape is never shorter than what it stands for, but for the last case of unescape, where
     * 3 bytes may become 10. */
    char *text = px_malloc((end - from) * 4 + 16, 1);
    if (!text) {
        px_fail_memory(lex->build->err, "a template");
        return false;
    }
    size_t n = 0;
    bool ok = true;
    for (size_t i = from; ok && i < end;) {
        if (lex->src[i] != '\\') {
            text[n++] = lex->src[i++];
            continue;
        }
        size_t used = unescape(lex, lex->src + i + 1, end - i - 1, text, &n);
        ok = used > 0;
        i += 1 + used;
    }
    out->name = ok ? px_jbuild_intern(lex->build, text, n) : NULL;
    px_free(text);
    move(lex, end + 1);
    return out->name != NULL;
}

/* ---- numbers */

/* Digits with single underscores between them: how many bytes from pos. */
static size_t digits(const jlex *lex, size_t pos, int base)
{
    size_t from = pos;
    while (pos < lex->len) {
        size_t p = pos + (pos > from && lex->src[pos] == '_');
        int d = p < lex->len ? px_jchar_digit(lex->src[p]) : -1;
        if (d < 0 || d >= base)
            break;
        pos = p + 1;
    }
    return pos - from;
}

/* Bytes of a number with a fraction or an exponent at the position, or 0. */
static size_t float_bytes(const jlex *lex)
{
    size_t pos = lex->pos;
    bool real = false;
    if (pos > 0 && lex->src[pos - 1] == '.')
        return 0;
    pos += digits(lex, pos, 10);
    if (pos < lex->len && lex->src[pos] == '.' && digits(lex, pos + 1, 10)) {
        pos += 1 + digits(lex, pos + 1, 10);
        real = true;
    }
    if (pos < lex->len && (lex->src[pos] == 'e' || lex->src[pos] == 'E')) {
        size_t p = pos + 1 + (sign_at(lex, pos + 1) != 0);
        size_t n = digits(lex, p, 10);
        if (n)
            return p + n - lex->pos;
    }
    return real ? pos - lex->pos : 0;
}

static bool read_number(jlex *lex, jtoken *out)
{
    size_t n = float_bytes(lex);
    const char *s = lex->src + lex->pos;
    if (n) {
        token(lex, out, JT_FLOAT);
        out->value = px_jv_float(0);
        if (!px_jnumber_float(s, n, &out->value.f))
            return px_jbuild_fail(lex->build, lex->line, "a number of %zu bytes is too long", n);
        lex->pos += n;
        return true;
    }
    int base = 10;
    if (s[0] == '0' && lex->len - lex->pos > 2) {
        char c = (char)(s[1] | 0x20);
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        size_t skip = base != 10 ? 2u + (s[2] == '_') : 0;
        n = base != 10 ? digits(lex, lex->pos + skip, base) : 0;
        n = n ? n + skip : 0;
    }
    if (n == 0)
        n = digits(lex, lex->pos, s[0] == '0' ? 1 : 10);
    token(lex, out, JT_INTEGER);
    out->value = px_jv_int(0);
    if (px_jnumber_int(s, n, 0, &out->value.i) != JNUMBER_OK)
        return px_jbuild_fail(lex->build, lex->line,
                              "an integer is too large: pith counts with 64 bits");
    lex->pos += n;
    return true;
}

/* ---- the stream */

/* A token inside a tag; *found is false for white space at its beginning. */
static bool read_inside(jlex *lex, jtoken *out, bool *found)
{
    *found = true;
    size_t end = tag_end(lex);
    if (end) {
        token(lex, out, lex->mode == '{' ? JT_VAR_END : JT_BLOCK_END);
        end_tag(lex, end);
        lex->mode = 0;
        return true;
    }
    size_t pos = skip_space(lex, lex->pos);
    if (pos > lex->pos) {
        move(lex, pos);
        *found = false;
        return true;
    }
    unsigned char c = (unsigned char)lex->src[lex->pos];
    if (c >= '0' && c <= '9')
        return read_number(lex, out);
    if (c == '\'' || c == '"')
        return read_string(lex, out);
    uint32_t code = 0;
    px_utf8_get(lex->src + lex->pos, lex->len - lex->pos, &code);
    if (px_jchar_in_name(code))
        return read_name(lex, out);
    return read_operator(lex, out);
}

static bool read(jlex *lex, jtoken *out)
{
    bool found = false;
    while (!found) {
        if (lex->pending) {
            token(lex, out, lex->pending == '{' ? JT_VAR_BEGIN : JT_BLOCK_BEGIN);
            lex->pos += 2 + (sign_at(lex, lex->pos + 2) != 0);
            lex->mode = lex->pending;
            lex->pending = 0;
            return true;
        }
        if (lex->mode == 'r' && lex->pos < lex->len)
            return read_raw(lex, out);
        if (lex->pos >= lex->len) {
            token(lex, out, JT_EOF);
            return true;
        }
        bool ok = lex->mode ? read_inside(lex, out, &found) : read_text(lex, out, &found);
        if (!ok)
            return false;
    }
    return true;
}

bool px_jlex_start(jlex *lex, jbuild *build, const char *src, size_t len)
{
    *lex = (jlex){.build = build, .src = src, .len = len, .line = 1, .line_start = true};
    return read(lex, &lex->current);
}

bool px_jlex_next(jlex *lex)
{
    if (lex->has_ahead) {
        lex->current = lex->ahead;
        lex->has_ahead = false;
        return true;
    }
    return read(lex, &lex->current);
}

bool px_jlex_look(jlex *lex)
{
    if (lex->has_ahead)
        return true;
    lex->has_ahead = read(lex, &lex->ahead);
    return lex->has_ahead;
}

const char *px_jlex_describe(const jtoken *t, char *room, size_t n)
{
    switch (t->type) {
    case JT_EOF:
        return "the end of the template";
    case JT_DATA:
        return "text";
    case JT_BLOCK_BEGIN:
        return "'{%'";
    case JT_BLOCK_END:
        return "'%}'";
    case JT_VAR_BEGIN:
        return "'{{'";
    case JT_VAR_END:
        return "'}}'";
    case JT_STRING:
        return "a string";
    case JT_INTEGER:
    case JT_FLOAT:
        return "a number";
    case JT_NAME:
        snprintf(room, n, "'%.*s'", PX_STR_ARG(((px_str){t->name->str.data, t->name->str.len})));
        return room;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (operators[i].type == t->type)
            snprintf(room, n, "'%s'", operators[i].text);
    return room;
}

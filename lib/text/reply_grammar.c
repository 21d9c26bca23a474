/* reply_grammar: see reply_grammar.h. */
#include "text/reply_grammar.h"

#include "base/json.h"
#include "base/limits.h"

bool px_reply_is_free(const px_reply_rules *rules)
{
    return rules->n_tools == 0 && rules->content == PX_CONTENT_FREE;
}

/* ---- literals */

static void put_quoted(px_buf *out, px_str text)
{
    px_buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\')
            px_buf_printf(out, "\\%c", c);
        else if (c == '\n')
            px_buf_puts(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            px_buf_printf(out, "\\x%02X", c);
        else
            px_buf_putc(out, (char)c);
    }
    px_buf_putc(out, '"');
}

/* The longest special token of the syntax that text begins with; 0 bytes: none. */
static size_t token_at(const px_reply_syntax *s, px_str text)
{
    size_t best = 0;
    for (int i = 0; i < s->n_tokens; i++) {
        px_str t = s->tokens[i];
        if (t.len > best && t.len <= text.len && memcmp(t.data, text.data, t.len) == 0)
            best = t.len;
    }
    return best;
}

/* A text as literals, each followed by a space: special tokens apart from what is between them. */
static void put_text(px_buf *out, const px_reply_syntax *s, px_str text)
{
    size_t from = 0, i = 0;
    while (i <= text.len) {
        size_t n =
            i < text.len ? token_at(s, (px_str){.data = text.data + i, .len = text.len - i}) : 0;
        if ((n > 0 || i == text.len) && i > from) {
            put_quoted(out, (px_str){.data = text.data + from, .len = i - from});
            px_buf_putc(out, ' ');
        }
        if (n > 0) {
            px_buf_putc(out, '@');
            put_quoted(out, (px_str){.data = text.data + i, .len = n});
            px_buf_putc(out, ' ');
            from = i + n;
        }
        i += n > 0 ? n : 1;
    }
}

/* until(..) the first marker of a text. */
static void put_until(px_buf *out, const px_reply_syntax *s, px_str text)
{
    size_t n = token_at(s, text);
    px_buf_puts(out, n > 0 ? "until(@" : "until(");
    put_quoted(out, (px_str){.data = text.data, .len = n > 0 ? n : text.len});
    px_buf_puts(out, ") ");
}

static px_str left_trim(px_str text)
{
    while (text.len > 0 && px_reply_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

/* ---- reasoning */

static void put_think(px_buf *out, const px_reply_rules *r)
{
    const px_reply_syntax *s = r->syntax;
    if (r->think == PX_THINK_NONE)
        return;
    px_buf_puts(out, "pith-think ::= ");
    if (r->think == PX_THINK_MAY)
        put_text(out, s, s->think_open);
    put_until(out, s, s->think_close);
    put_text(out, s, s->think_close);
    px_buf_puts(out, "\"\\n\"{0,2}\n");
}

/* ---- calls */

/* Any object: what holds arguments where their schema is not to. White space is bounded. */
static void put_any_object(px_buf *out)
{
    px_buf_puts(
        out,
        "pith-object ::= \"{\" pith-space (pith-member (\",\" pith-space pith-member)*)? \"}\"\n"
        "pith-member ::= pith-string \":\" pith-space pith-value pith-space\n"
        "pith-array ::= \"[\" pith-space (pith-value pith-space (\",\" pith-space pith-value "
        "pith-space)*)? \"]\"\n"
        "pith-value ::= pith-object | pith-array | pith-string | pith-number | \"true\" | "
        "\"false\" | \"null\"\n"
        "pith-string ::= \"\\\"\" ([^\"\\\\\\x00-\\x1F\\x7F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" "
        "([0-9a-ceA-CEfF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2})))* \"\\\"\"\n"
        "pith-number ::= \"-\"? (\"0\" | [1-9] [0-9]{0,15}) (\".\" [0-9]{1,16})? ([eE] [-+]? "
        "[0-9]{1,2})?\n"
        "pith-space ::= \"\" | \" \" | \"\\n\" \" \"{0,32}\n");
}

/* The schema of a function's arguments: they are an object, whether it says so or not. */
static void put_schema(px_buf *out, const px_reply_tool *tool)
{
    static const char *const others[] = {"type", "$ref", "anyOf", "oneOf", "allOf"};
    px_str text = tool->schema;
    if (tool->any_object || text.len == 0) {
        px_buf_puts(out, tool->any_object ? "pith-object " : "\"{}\" ");
        return;
    }
    px_json schema = {.at = text.data, .end = text.data + text.len};
    bool said = false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        said |= px_json_find(schema, others[i]).at != NULL;
    px_buf_puts(out, "json_schema(");
    if (said) {
        px_buf_put(out, text.data, text.len);
    } else {
        px_buf_puts(out, "{\"type\":\"object\"");
        px_buf_puts(out, px_json_count(schema) > 0 ? "," : "");
        px_buf_put(out, text.data + 1, text.len - 1);
    }
    px_buf_puts(out, ") ");
}

static void put_call(px_buf *out, const px_reply_rules *r, const px_reply_tool *tool)
{
    const px_reply_form *form = &r->syntax->forms[0];
    for (int i = 0; i < form->n_pieces; i++)
        switch (form->pieces[i].hole) {
        case PX_HOLE_TEXT:
            put_text(out, r->syntax, form->pieces[i].text);
            break;
        case PX_HOLE_NAME:
            put_quoted(out, tool->name);
            px_buf_putc(out, ' ');
            break;
        case PX_HOLE_ARGUMENTS:
            put_schema(out, tool);
            break;
        case PX_HOLE_ID:
            if (r->syntax->id_length > 0)
                px_buf_printf(out, "[a-zA-Z0-9]{%d} ", r->syntax->id_length);
            else
                px_buf_puts(out, "[a-zA-Z0-9_-]{1,40} ");
            break;
        }
}

static void put_calls(px_buf *out, const px_reply_rules *r)
{
    static const char tag[] = "<|python_tag|>";
    const px_reply_syntax *s = r->syntax;
    const px_reply_form *form = &s->forms[0];
    px_buf_puts(out, "pith-calls ::= ");
    if (form->begin.len == 0 && token_at(s, px_str_of(tag)) == sizeof tag - 1)
        px_buf_printf(out, "@\"%s\"? ", tag);
    put_text(out, s, left_trim(form->begin));
    px_buf_puts(out, "pith-call ");
    if (form->sep.data && !r->single_call) {
        px_buf_puts(out, "(");
        put_text(out, s, form->sep);
        px_buf_printf(out, "pith-call){0,%d} ", PX_MAX_REPLY_CALLS - 1);
    }
    put_text(out, s, form->end);
    px_buf_puts(out, "\npith-call ::= ");
    for (int i = 0; i < r->n_tools; i++)
        px_buf_printf(out, i > 0 ? "| pith-call-%d " : "pith-call-%d ", i);
    px_buf_putc(out, '\n');
    for (int i = 0; i < r->n_tools; i++) {
        px_buf_printf(out, "pith-call-%d ::= ", i);
        put_call(out, r, &r->tools[i]);
        px_buf_putc(out, '\n');
    }
}

/* ---- free text that does not begin as a call does, where no marker tells one */

typedef struct heads {
    px_buf *out;
    const px_str *texts; // that no free text begins with
    int n;
    int n_rules;
} heads;

static void put_set(px_buf *out, const char *bytes, size_t n)
{
    px_buf_puts(out, "[^");
    for (size_t i = 0; i < n; i++)
        px_buf_printf(out, "\\x%02X", (unsigned char)bytes[i]);
    px_buf_puts(out, "]");
}

/* Rule number `rule`: what may follow the first `at` bytes of those heads that share them. Heads
 * are ASCII from there to where they differ, and none is the beginning of another. */
static void put_other(heads *h, int rule, const int *list, int n, size_t at)
{
    px_str first = h->texts[list[0]];
    size_t end = first.len;
    for (int i = 1; i < n; i++) {
        px_str t = h->texts[list[i]];
        size_t same = at;
        while (same < end && same < t.len && t.data[same] == first.data[same])
            same++;
        end = same;
    }
    px_buf_printf(h->out, "pith-other-%d ::= \"\"", rule);
    for (size_t i = at; i < end; i++) {
        px_str before = {.data = first.data + at, .len = i - at};
        px_buf_puts(h->out, " | ");
        if (before.len > 0) {
            put_quoted(h->out, before);
            px_buf_puts(h->out, " | ");
            put_quoted(h->out, before);
            px_buf_putc(h->out, ' ');
        }
        put_set(h->out, first.data + i, 1);
        px_buf_puts(h->out, " pith-any");
    }
    if (end == first.len) { // one head, and it is whole
        px_buf_putc(h->out, '\n');
        return;
    }
    /* At `end` they part. */
    char next[256];
    size_t n_next = 0;
    for (int i = 0; i < n; i++)
        if (!memchr(next, h->texts[list[i]].data[end], n_next) && n_next < sizeof next)
            next[n_next++] = h->texts[list[i]].data[end];
    px_str before = {.data = first.data + at, .len = end - at};
    px_buf_puts(h->out, " | ");
    if (before.len > 0)
        put_quoted(h->out, before);
    px_buf_puts(h->out, " (\"\" | ");
    put_set(h->out, next, n_next);
    px_buf_puts(h->out, " pith-any");
    int rules[256]; // 0: a head is whole here, and no free text goes on so
    for (size_t c = 0; c < n_next; c++) {
        rules[c] = h->n_rules++;
        for (int i = 0; i < n; i++)
            if (h->texts[list[i]].data[end] == next[c] && h->texts[list[i]].len == end + 1)
                rules[c] = 0;
        if (rules[c] == 0)
            continue;
        px_buf_puts(h->out, " | ");
        put_quoted(h->out, (px_str){.data = next + c, .len = 1});
        px_buf_printf(h->out, " pith-other-%d", rules[c]);
    }
    px_buf_puts(h->out, ")\n");
    for (size_t c = 0; c < n_next; c++) {
        int some[PX_MAX_REPLY_HEADS], n_some = 0;
        for (int i = 0; i < n; i++)
            if (h->texts[list[i]].data[end] == next[c])
                some[n_some++] = list[i];
        if (rules[c] > 0)
            put_other(h, rules[c], some, n_some, end + 1);
    }
}

/* "pith-other-0": free text that begins as no call of the bare form does. With many functions, or
 * names beyond ASCII, as far as the name. */
static pith_status put_others(px_buf *out, const px_reply_rules *r, pith_error *err)
{
    const px_reply_form *form = &r->syntax->forms[0];
    px_str start = form->n_pieces > 0 ? form->pieces[0].text : (px_str){0};
    px_buf text = {0};
    px_str texts[PX_MAX_REPLY_HEADS];
    size_t ends[PX_MAX_REPLY_HEADS];
    int n = r->n_tools;
    bool exact = n <= PX_MAX_REPLY_HEADS;
    for (int i = 0; i < n && exact; i++) {
        for (size_t k = 0; k < r->tools[i].name.len; k++)
            exact &= (unsigned char)r->tools[i].name.data[k] < 0x80;
        px_buf_put(&text, start.data, start.len);
        px_buf_put(&text, r->tools[i].name.data, r->tools[i].name.len);
        px_buf_putc(&text, '"');
        ends[i] = text.len;
    }
    if (!exact) {
        px_buf_reset(&text);
        px_buf_put(&text, start.data, start.len);
        ends[0] = text.len;
        n = 1;
    }
    pith_status st = px_buf_status(&text, "the grammar of an answer", err);
    if (st == PITH_OK) {
        int list[PX_MAX_REPLY_HEADS];
        for (int i = 0; i < n; i++) {
            size_t from = i > 0 ? ends[i - 1] : 0;
            texts[i] = (px_str){.data = text.data + from, .len = ends[i] - from};
            list[i] = i;
        }
        put_other(&(heads){.out = out, .texts = texts, .n = n, .n_rules = 1}, 0, list, n, 0);
        px_buf_puts(out, "pith-any ::= .*\n");
    }
    px_buf_clear(&text);
    return st;
}

/* ---- content */

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Behind a string, set, comment or schema that begins at i; i: none does. */
static size_t skip_opaque(px_str text, size_t i)
{
    char c = text.data[i], close = c == '"' ? '"' : c == '[' ? ']' : '\n';
    if (c != '"' && c != '[' && c != '#')
        return i;
    for (i++; i < text.len && text.data[i] != close; i++)
        i += text.data[i] == '\\' && c != '#' && i + 1 < text.len;
    return i < text.len ? i + 1 : i;
}

/* Behind the bracket that closes json_schema(, which opens at i: its strings may hold brackets. */
static size_t skip_schema(px_str text, size_t i)
{
    int depth = 0;
    for (; i < text.len; i++) {
        if (text.data[i] == '"')
            i = skip_opaque(text, i) - 1;
        else if (text.data[i] == '(')
            depth++;
        else if (text.data[i] == ')' && --depth == 0)
            return i + 1;
    }
    return i;
}

/* The user's grammar with its rule `root` named otherwise. */
static void put_user_grammar(px_buf *out, px_str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        if ((i = skip_opaque(text, i)) == from) {
            while (i < text.len && name_byte(text.data[i]))
                i++;
            px_str name = {.data = text.data + from, .len = i - from};
            if (px_str_is(name, "root")) {
                px_buf_puts(out, "pith-user-root");
                continue;
            }
            if (px_str_is(name, "json_schema"))
                i = skip_schema(text, i);
            if (i == from)
                i++;
        }
        px_buf_put(out, text.data + from, i - from);
    }
    px_buf_putc(out, '\n');
}

static pith_status put_choices(px_buf *out, px_str text, pith_error *err)
{
    px_json array, item;
    pith_status st = px_json_check("choices", text.data, text.len, &array, err);
    if (st != PITH_OK)
        return st;
    px_json_walk walk = px_json_each(array);
    const char *between = "";
    px_buf word = {0};
    bool ok = px_json_type_of(array) == PX_JSON_ARRAY && px_json_count(array) > 0;
    while (ok && px_json_next(&walk, NULL, &item)) {
        px_buf_reset(&word);
        ok = px_json_get_string(item, &word);
        px_buf_puts(out, between);
        put_quoted(out, (px_str){.data = word.data, .len = word.len});
        between = " | ";
    }
    out->failed |= word.failed;
    px_buf_clear(&word);
    if (!ok)
        return px_fail(err, PITH_E_FORMAT,
                       "choices are not an array of strings, at least one is expected");
    return PITH_OK;
}

static pith_status put_content(px_buf *out, const px_reply_rules *r, pith_error *err)
{
    pith_status st = PITH_OK;
    if (r->content == PX_CONTENT_GRAMMAR)
        put_user_grammar(out, r->text);
    px_buf_puts(out, "pith-content ::= ");
    switch (r->content) {
    case PX_CONTENT_SCHEMA:
        px_buf_puts(out, "json_schema(");
        px_buf_put(out, r->text.data, r->text.len);
        px_buf_puts(out, ")");
        break;
    case PX_CONTENT_OBJECT:
        px_buf_puts(out, "pith-object");
        break;
    case PX_CONTENT_GRAMMAR:
        px_buf_puts(out, "pith-user-root");
        break;
    case PX_CONTENT_REGEX:
        px_buf_puts(out, "regex(");
        put_quoted(out, r->text);
        px_buf_puts(out, ")");
        break;
    case PX_CONTENT_CHOICE:
        st = put_choices(out, r->text, err);
        break;
    case PX_CONTENT_FREE:
        px_buf_puts(out, ".*");
        break;
    }
    px_buf_putc(out, '\n');
    return st;
}

pith_status px_reply_grammar(const px_reply_rules *r, px_buf *out, pith_error *err)
{
    const px_reply_form *form = &r->syntax->forms[0];
    px_str begin = px_reply_trim(form->begin);
    pith_status st = PITH_OK;
    px_buf_puts(out, "root ::= ");
    px_buf_puts(out, r->think == PX_THINK_NONE   ? ""
                     : r->think == PX_THINK_OPEN ? "pith-think "
                                                 : "pith-think? ");
    px_buf_puts(out, "pith-body\n");
    put_think(out, r);
    px_buf_puts(out, "pith-body ::= ");
    if (r->n_tools == 0) {
        px_buf_puts(out, "pith-content\n");
    } else if (r->must_call) {
        px_buf_puts(out, "pith-calls\n");
    } else if (r->content != PX_CONTENT_FREE) {
        px_buf_puts(out, "pith-calls | pith-content\n");
    } else if (begin.len > 0) {
        put_until(out, r->syntax, begin);
        px_buf_puts(out, "pith-calls?\n");
    } else {
        px_buf_puts(out, "pith-calls | pith-other-0\n");
        st = put_others(out, r, err);
    }
    if (r->n_tools > 0)
        put_calls(out, r);
    if (st == PITH_OK && !r->must_call && (r->n_tools == 0 || r->content != PX_CONTENT_FREE))
        st = put_content(out, r, err);
    bool any = r->content == PX_CONTENT_OBJECT && !r->must_call;
    for (int i = 0; i < r->n_tools; i++)
        any |= r->tools[i].any_object;
    if (any)
        put_any_object(out);
    return st == PITH_OK ? px_buf_status(out, "the grammar of an answer", err) : st;
}

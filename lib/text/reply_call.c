/* reply_call: see reply_call.h. */
#include "text/reply_call.h"

#include "base/json.h"

enum { NAME_BYTES = 256, KEY_BYTES = 16 }; // of what is looked at before its end is there

bool px_bracket_find(px_bracket *b, const char *text, size_t n, bool python)
{
    while (b->at < n) {
        char c = text[b->at++];
        if (b->quote) {
            if (b->escaped)
                b->escaped = false;
            else if (c == '\\')
                b->escaped = true;
            else if (c == b->quote)
                b->quote = 0;
        } else if (c == '"' || (python && c == '\'')) {
            b->quote = c;
        } else if (c == '{' || c == '[' || (python && c == '(')) {
            b->depth++;
        } else if (c == '}' || c == ']' || (python && c == ')')) {
            if (b->depth <= 1)
                return true;
            b->depth--;
        }
    }
    return false;
}

int px_call_name(const px_call_reader *r, px_str name)
{
    for (int i = 0; i < r->n_names; i++)
        if (px_str_eq(r->names[i], name))
            return i;
    return -1;
}

void px_call_clear(px_call_reader *r)
{
    px_buf_clear(&r->arguments);
    px_buf_clear(&r->id);
}

static size_t spaces(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && px_reply_space(text[i]))
        i++;
    return i;
}

/* ---- JSON objects */

static const char *const argument_keys[] = {"arguments", "parameters", "args", "input"};
static const char *const call_keys[] = {"name",  "function", "arguments", "parameters",  "args",
                                        "input", "id",       "type",      "tool_call_id"};

/* Whether what is there of an object can be a call: its first key, and its name if that comes
 * first. */
static px_call_state look_at_head(const px_call_reader *r, const char *text, size_t n)
{
    size_t i = spaces(text, n);
    if (i == n)
        return PX_CALL_MORE;
    if (text[i] != '{')
        return PX_CALL_BAD;
    i += 1 + spaces(text + i + 1, n - i - 1);
    if (i == n)
        return PX_CALL_MORE;
    if (text[i] != '"')
        return PX_CALL_BAD;
    size_t from = ++i;
    while (i < n && text[i] != '"' && i - from < KEY_BYTES)
        i++;
    if (i == n)
        return PX_CALL_MORE;
    px_str key = {.data = text + from, .len = i - from};
    bool known = false;
    for (size_t k = 0; k < sizeof call_keys / sizeof *call_keys; k++)
        known |= px_str_is(key, call_keys[k]);
    if (!known || text[i] != '"')
        return PX_CALL_BAD;
    i++;
    i += spaces(text + i, n - i);
    if (i == n)
        return PX_CALL_MORE;
    if (text[i] != ':')
        return PX_CALL_BAD;
    i++;
    i += spaces(text + i, n - i);
    if (i == n)
        return PX_CALL_MORE;
    if (!px_str_is(key, "name"))
        return PX_CALL_GOOD;
    if (text[i] != '"')
        return PX_CALL_BAD;
    from = ++i;
    while (i < n && text[i] != '"' && text[i] != '\\' && i - from < NAME_BYTES)
        i++;
    if (i == n)
        return PX_CALL_MORE;
    /* A name with an escape is compared when the object is whole. */
    return text[i] == '\\' || px_call_name(r, (px_str){.data = text + from, .len = i - from}) >= 0
               ? PX_CALL_GOOD
               : PX_CALL_BAD;
}

static px_json find_arguments(px_json object)
{
    px_json value = {0};
    for (size_t i = 0; i < sizeof argument_keys / sizeof *argument_keys && !value.at; i++)
        value = px_json_find(object, argument_keys[i]);
    return value;
}

/* Arguments are an object, an object as text, or nothing. */
static bool put_arguments(px_json value, px_buf *out)
{
    px_buf_reset(out);
    switch (px_json_type_of(value)) {
    case PX_JSON_OBJECT:
        px_buf_put(out, value.at, (size_t)(value.end - value.at));
        return true;
    case PX_JSON_NONE:
    case PX_JSON_NULL:
        px_buf_puts(out, "{}");
        return true;
    case PX_JSON_STRING: {
        px_json inner;
        px_json_get_string(value, out);
        return out->data &&
               px_json_check("arguments", out->data, out->len, &inner, NULL) == PITH_OK &&
               px_json_type_of(inner) == PX_JSON_OBJECT;
    }
    default:
        return false;
    }
}

static bool take_object(px_call_reader *r, const char *text, size_t n)
{
    px_json object;
    if (px_json_check("call", text, n, &object, NULL) != PITH_OK)
        return false;
    px_json function = px_json_find(object, "function");
    px_json holder = px_json_type_of(function) == PX_JSON_OBJECT ? function : object;
    px_json name = px_json_find(holder, "name");
    if (!name.at)
        name = function;
    px_buf_reset(&r->id);
    if (!px_json_get_string(name, &r->id))
        return false;
    r->name = px_call_name(r, (px_str){.data = r->id.data, .len = r->id.len});
    r->failed |= r->id.failed;
    px_buf_reset(&r->id);
    if (r->name < 0 || !put_arguments(find_arguments(holder), &r->arguments))
        return false;
    px_json_get_string(px_json_find(object, "id"), &r->id);
    return true;
}

static px_call_state read_json(px_call_reader *r, const char *text, size_t n)
{
    if (r->bracket.at == 0) {
        px_call_state head = look_at_head(r, text, n);
        if (head != PX_CALL_GOOD)
            return head;
        r->open = spaces(text, n);
    }
    if (!px_bracket_find(&r->bracket, text + r->open, n - r->open, false))
        return PX_CALL_MORE;
    r->used = r->open + r->bracket.at;
    return take_object(r, text + r->open, r->bracket.at) ? PX_CALL_GOOD : PX_CALL_BAD;
}

/* ---- name, text, object */

static px_call_state read_named(px_call_reader *r, const char *text, size_t n)
{
    if (r->bracket.at == 0) {
        px_str middle = r->form->pieces[1].text;
        size_t from = spaces(text, n), to = from, used = 0;
        px_seen seen = PX_SEEN_NO;
        while (to < n && to - from < NAME_BYTES) {
            seen = px_reply_match(text + to, n - to, middle, &used);
            if (seen != PX_SEEN_NO)
                break;
            to++;
        }
        if (to - from >= NAME_BYTES)
            return PX_CALL_BAD;
        if (seen != PX_SEEN_YES)
            return PX_CALL_MORE;
        px_str name = px_reply_trim((px_str){.data = text + from, .len = to - from});
        r->name = px_call_name(r, name);
        if (r->name < 0)
            return PX_CALL_BAD;
        r->open = to + used + spaces(text + to + used, n - to - used);
        if (r->open == n)
            return PX_CALL_MORE;
        if (text[r->open] != '{')
            return PX_CALL_BAD;
    }
    if (!px_bracket_find(&r->bracket, text + r->open, n - r->open, false))
        return PX_CALL_MORE;
    r->used = r->open + r->bracket.at;
    px_json value;
    if (px_json_check("call", text + r->open, r->bracket.at, &value, NULL) != PITH_OK)
        return PX_CALL_BAD;
    px_buf_reset(&r->id);
    return put_arguments(value, &r->arguments) ? PX_CALL_GOOD : PX_CALL_BAD;
}

/* ---- Python */

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

static px_call_state read_python(px_call_reader *r, const char *text, size_t n)
{
    if (r->bracket.at == 0) {
        size_t from = spaces(text, n), to = from;
        while (to < n && name_byte(text[to]) && to - from < NAME_BYTES)
            to++;
        if (to == n)
            return PX_CALL_MORE;
        px_str name = {.data = text + from, .len = to - from};
        if (r->form->core == PX_CORE_BUILTIN) {
            if (name.len <= 5 || memcmp(name.data + name.len - 5, ".call", 5) != 0)
                return PX_CALL_BAD;
            name.len -= 5;
        }
        r->name = px_call_name(r, name);
        if (r->name < 0 || text[to] != '(')
            return PX_CALL_BAD;
        r->open = to;
    }
    if (!px_bracket_find(&r->bracket, text + r->open, n - r->open, true))
        return PX_CALL_MORE;
    r->used = r->open + r->bracket.at;
    px_buf_reset(&r->id);
    px_buf_reset(&r->arguments);
    return px_python_arguments(text + r->open, r->bracket.at, &r->arguments) ? PX_CALL_GOOD
                                                                             : PX_CALL_BAD;
}

static px_call_state read_any(px_call_reader *r, const char *text, size_t n)
{
    switch (r->form->core) {
    case PX_CORE_JSON:
        return read_json(r, text, n);
    case PX_CORE_NAMED:
        return read_named(r, text, n);
    case PX_CORE_PYTHON:
    case PX_CORE_BUILTIN:
        break;
    }
    return read_python(r, text, n);
}

px_call_state px_call_read(px_call_reader *r, const char *text, size_t n)
{
    px_call_state got = read_any(r, text, n);
    r->failed |= r->arguments.failed || r->id.failed;
    return got;
}

/* reply_messages: reading. See reply_messages.h. */
#include "text/reply_messages.h"

#include "base/limits.h"

static pith_status no_room(px_messages *m)
{
    return m->status = px_fail_memory(m->err, "the messages of a conversation");
}

px_message *px_messages_insert(px_messages *m, int i)
{
    if (m->status != PITH_OK)
        return NULL;
    if (m->n == m->cap) {
        int cap = m->cap > 0 ? 2 * m->cap : 16;
        px_message *list = PX_NEW(m->arena, px_message, (size_t)cap);
        if (!list) {
            no_room(m);
            return NULL;
        }
        if (m->n > 0)
            memcpy(list, m->list, (size_t)m->n * sizeof *list);
        m->list = list;
        m->cap = cap;
    }
    memmove(m->list + i + 1, m->list + i, (size_t)(m->n - i) * sizeof *m->list);
    m->n++;
    m->list[i] = (px_message){0};
    return &m->list[i];
}

px_str px_messages_keep(px_messages *m, px_buf *text)
{
    px_str kept = {.data = "", .len = 0};
    if (text->failed) {
        no_room(m);
    } else if (text->len > 0) {
        kept.data = px_arena_strndup(m->arena, text->data, text->len);
        kept.len = kept.data ? text->len : 0;
        if (!kept.data)
            no_room(m);
    }
    px_buf_clear(text);
    return kept;
}

px_str px_messages_join(px_messages *m, px_str a, const char *between, px_str b)
{
    if (a.len == 0 || b.len == 0)
        return a.len > 0 ? a : b;
    px_buf text = {0};
    px_buf_put(&text, a.data, a.len);
    px_buf_puts(&text, between);
    px_buf_put(&text, b.data, b.len);
    return px_messages_keep(m, &text);
}

static pith_status wrong(px_messages *m, int i, const char *what, px_json found,
                         const char *expected)
{
    if (m->status == PITH_OK)
        m->status =
            px_fail(m->err, PITH_E_ARGUMENT, "messages[%d]%s is %s, expected %s", i, what,
                    found.at ? px_json_type_name(px_json_type_of(found)) : "missing", expected);
    return m->status;
}

/* A string member; empty when it is missing or no string. */
static px_str text_of(px_messages *m, px_json object, const char *key)
{
    px_buf text = {0};
    px_json_get_string(px_json_find(object, key), &text);
    return px_messages_keep(m, &text);
}

/* ---- content */

static void put_part(px_messages *m, int i, px_json part, px_buf *out)
{
    static const char *const texts[] = {"text", "input_text", "output_text", "refusal"};
    if (px_json_get_string(part, out))
        return;
    px_json type = px_json_find(part, "type");
    bool known = px_json_type_of(type) == PX_JSON_NONE;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        known |= px_json_is(type, px_str_of(texts[k]));
    if (!known && px_json_type_of(type) == PX_JSON_STRING) {
        px_str name = text_of(m, part, "type");
        if (m->status == PITH_OK)
            m->status = px_fail(m->err, PITH_E_UNSUPPORTED,
                                "messages[%d].content holds a part of type '%.*s', and this model "
                                "reads text only",
                                i, PX_STR_ARG(name));
    } else if (!px_json_get_string(px_json_find(part, "text"), out) &&
               !px_json_get_string(px_json_find(part, "refusal"), out)) {
        wrong(m, i, ".content[].text", px_json_find(part, "text"), "a string");
    }
}

static px_str read_content(px_messages *m, int i, px_json message)
{
    px_json content = px_json_find(message, "content"), part;
    px_buf text = {0};
    switch (px_json_type_of(content)) {
    case PX_JSON_NONE:
    case PX_JSON_NULL:
        break;
    case PX_JSON_STRING:
        px_json_get_string(content, &text);
        break;
    case PX_JSON_ARRAY: {
        px_json_walk walk = px_json_each(content);
        while (px_json_next(&walk, NULL, &part))
            put_part(m, i, part, &text);
        break;
    }
    case PX_JSON_OBJECT: // a result that is not text yet
        px_buf_put(&text, content.at, (size_t)(content.end - content.at));
        break;
    default:
        wrong(m, i, ".content", content, "a string, null or an array of parts");
    }
    return px_messages_keep(m, &text);
}

/* ---- calls */

static bool is_object(px_str text)
{
    px_json value;
    return px_json_check("arguments", text.data, text.len, &value, NULL) == PITH_OK &&
           px_json_type_of(value) == PX_JSON_OBJECT;
}

/* Letters and digits that stand for an id, as many as the template wants, always the same. */
static px_str short_id(px_messages *m, px_str id)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int n = m->syntax->id_length;
    bool fits = id.len == (size_t)n;
    for (size_t i = 0; i < id.len; i++)
        fits &= id.data[i] != 0 && strchr(letters, id.data[i]) != NULL;
    if (n == 0 || fits)
        return id;
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.data[i]) * 0x100000001b3u;
    px_buf text = {0};
    for (int i = 0; i < n; i++) {
        px_buf_putc(&text, letters[hash % 62]);
        hash = hash / 62 ^ (hash << 53);
    }
    return px_messages_keep(m, &text);
}

static uint32_t hash_id(const px_messages *m, px_str id)
{
    uint64_t h = (uintptr_t)m->arena; // nobody knows before which ids meet
    for (size_t i = 0; i < id.len; i++) {
        h = (h ^ (unsigned char)id.data[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

/* The place of an id among calls by id; there is room. */
static px_message_call **place_of(const px_messages *m, px_str id)
{
    uint32_t at = hash_id(m, id) & (m->id_places - 1);
    while (m->by_id[at] && !px_str_eq(m->by_id[at]->id, id))
        at = (at + 1) & (m->id_places - 1);
    return &m->by_id[at];
}

/* Enters a call under its id; a later turn's counts, and in a turn the first. */
static void enter_id(px_messages *m, px_message_call *call)
{
    if (2 * (m->n_ids + 1) > m->id_places) {
        uint32_t n = m->id_places;
        px_message_call **old = m->by_id;
        m->id_places = n > 0 ? 2 * n : 64;
        m->by_id = PX_ZNEW(m->arena, px_message_call *, m->id_places);
        if (!m->by_id) {
            m->id_places = 0;
            no_room(m);
            return;
        }
        for (uint32_t i = 0; i < n; i++)
            if (old[i])
                *place_of(m, old[i]->id) = old[i];
    }
    px_message_call **place = place_of(m, call->id);
    m->n_ids += !*place;
    if (!*place || (*place)->turn != call->turn)
        *place = call;
}

static void read_call(px_messages *m, int i, int k, px_json call, px_message_call *out)
{
    px_json function = px_json_find(call, "function");
    if (px_json_type_of(function) != PX_JSON_OBJECT)
        function = call;
    px_json name = px_json_find(function, "name");
    px_json arguments = px_json_find(function, "arguments");
    if (px_json_type_of(name) != PX_JSON_STRING) {
        wrong(m, i, ".tool_calls[].function.name", name, "a string");
        return;
    }
    out->name = text_of(m, function, "name");
    px_str id = text_of(m, call, "id");
    px_buf text = {0};
    if (id.len == 0) {
        px_buf_printf(&text, "call_%d_%d", i, k);
        id = px_messages_keep(m, &text);
    }
    out->id = short_id(m, id);
    px_json_type type = px_json_type_of(arguments);
    if (type == PX_JSON_STRING)
        px_json_get_string(arguments, &text);
    else if (type == PX_JSON_OBJECT)
        px_buf_put(&text, arguments.at, (size_t)(arguments.end - arguments.at));
    else if (type != PX_JSON_NONE && type != PX_JSON_NULL)
        wrong(m, i, ".tool_calls[].function.arguments", arguments, "a string or an object");
    if (text.len == 0)
        px_buf_puts(&text, "{}");
    out->arguments = px_messages_keep(m, &text);
    out->object = m->status == PITH_OK && is_object(out->arguments);
    out->turn = i;
    if (m->status == PITH_OK)
        enter_id(m, out);
}

static void read_calls(px_messages *m, int i, px_json message, px_message *out)
{
    px_json calls = px_json_find(message, "tool_calls"), call;
    px_json old = px_json_find(message, "function_call");
    px_json_type type = px_json_type_of(calls);
    if (type == PX_JSON_NONE || type == PX_JSON_NULL) {
        if (px_json_type_of(old) != PX_JSON_OBJECT)
            return;
        out->calls = PX_ZNEW(m->arena, px_message_call, 1);
        if (!out->calls) {
            no_room(m);
            return;
        }
        out->n_calls = 1;
        read_call(m, i, 0, old, out->calls);
        return;
    }
    if (type != PX_JSON_ARRAY) {
        wrong(m, i, ".tool_calls", calls, "an array");
        return;
    }
    size_t n = (size_t)px_json_count(calls);
    if (n == 0)
        return;
    if (n > PX_MAX_TURN_CALLS) {
        m->status = px_fail(m->err, PITH_E_LIMIT,
                            "messages[%d].tool_calls holds %zu calls, at most %d are read", i, n,
                            PX_MAX_TURN_CALLS);
        return;
    }
    out->calls = PX_ZNEW(m->arena, px_message_call, n);
    if (!out->calls) {
        no_room(m);
        return;
    }
    px_json_walk walk = px_json_each(calls);
    while (m->status == PITH_OK && px_json_next(&walk, NULL, &call)) {
        read_call(m, i, out->n_calls, call, &out->calls[out->n_calls]);
        out->n_calls++;
    }
}

/* ---- results */

/* The call that a result belongs to: of its id, or where it has none the next of the last turn that
 * has no result. */
static void find_call(px_messages *m, px_message *out)
{
    px_message_call *found = out->id.len > 0 && m->id_places > 0 ? *place_of(m, out->id) : NULL;
    const px_message *last = m->last_turn > 0 ? &m->list[m->last_turn - 1] : NULL;
    for (int k = 0; last && out->id.len == 0 && !found && k < last->n_calls; k++) {
        px_message_call *call = &last->calls[k];
        if (!call->answered && (out->name.len == 0 || px_str_eq(call->name, out->name)))
            found = call;
    }
    if (!found)
        return;
    found->answered = true;
    out->id = found->id;
    if (out->name.len == 0)
        out->name = found->name;
}

static bool read_role(px_json role, px_role *out)
{
    static const struct {
        const char *name;
        px_role role;
    } names[] = {{"system", PX_ROLE_SYSTEM},    {"developer", PX_ROLE_SYSTEM},
                 {"user", PX_ROLE_USER},        {"assistant", PX_ROLE_ASSISTANT},
                 {"tool", PX_ROLE_TOOL},        {"function", PX_ROLE_TOOL},
                 {"ipython", PX_ROLE_TOOL},     {"model", PX_ROLE_ASSISTANT},
                 {"tool_results", PX_ROLE_TOOL}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (px_json_is(role, px_str_of(names[i].name))) {
            *out = names[i].role;
            return true;
        }
    return false;
}

bool px_message_unlearned(px_json message)
{
    bool train = true;
    double weight = 1;
    px_json_get_bool(px_json_find(message, "train"), &train);
    px_json_get_double(px_json_find(message, "weight"), &weight);
    return !train || !(weight > 0);
}

static void read_message(px_messages *m, int i, px_json message)
{
    static const char *const thoughts[] = {"reasoning_content", "reasoning", "thinking"};
    px_json role = px_json_find(message, "role");
    px_message *out = px_messages_insert(m, m->n);
    if (!out)
        return;
    if (!read_role(role, &out->role)) {
        px_str name = text_of(m, message, "role");
        if (m->status == PITH_OK)
            m->status = px_fail(m->err, PITH_E_ARGUMENT,
                                "messages[%d].role is '%.*s', expected system, developer, user, "
                                "assistant or tool",
                                i, PX_STR_ARG(name));
        return;
    }
    out->text = read_content(m, i, message);
    out->name = text_of(m, message, "name");
    if (out->role == PX_ROLE_ASSISTANT) {
        for (int k = 0; k < 3 && out->reasoning.len == 0; k++)
            out->reasoning = text_of(m, message, thoughts[k]);
        read_calls(m, i, message, out);
        m->last_turn = out->n_calls > 0 ? m->n : m->last_turn;
        out->unlearned = px_message_unlearned(message);
    }
    if (out->role == PX_ROLE_TOOL) {
        if (out->name.len == 0)
            out->name = text_of(m, message, "tool_name");
        px_str id = text_of(m, message, "tool_call_id");
        out->id = id.len > 0 ? short_id(m, id) : id;
        find_call(m, out);
        if (out->id.len == 0)
            out->id = short_id(m, px_str_of("call"));
    }
}

pith_status px_messages_read(px_messages *m, px_json object)
{
    px_json messages = px_json_find(object, "messages"), message;
    if (px_json_type_of(messages) != PX_JSON_ARRAY)
        return m->status =
                   px_fail(m->err, PITH_E_ARGUMENT, "messages is %s, expected an array of messages",
                           messages.at ? px_json_type_name(px_json_type_of(messages)) : "missing");
    if (px_json_count(messages) > PX_MAX_MESSAGES)
        return m->status =
                   px_fail(m->err, PITH_E_LIMIT, "there are over %d messages", PX_MAX_MESSAGES);
    px_json_walk walk = px_json_each(messages);
    for (int i = 0; m->status == PITH_OK && px_json_next(&walk, NULL, &message); i++) {
        if (px_json_type_of(message) != PX_JSON_OBJECT)
            return wrong(m, i, "", message, "an object with role and content");
        read_message(m, i, message);
    }
    m->tools = px_json_find(object, "tools");
    px_json_type type = px_json_type_of(m->tools);
    if (type == PX_JSON_NULL || (type == PX_JSON_ARRAY && px_json_count(m->tools) == 0))
        m->tools = (px_json){0};
    else if (m->status == PITH_OK && type != PX_JSON_NONE && type != PX_JSON_ARRAY)
        m->status = px_fail(m->err, PITH_E_ARGUMENT, "tools is %s, expected an array",
                            px_json_type_name(type));
    return m->status;
}

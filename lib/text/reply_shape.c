/*
 * reply_messages: shaping a conversation to what a template takes, and writing it. See
 * reply_messages.h and docs/tools.md, which names the words that a model is told where its template
 * has none.
 */
#include "text/reply_messages.h"

static bool is_native(const px_messages *m)
{
    return m->syntax->calls_native;
}

/* ---- tools */

static void put_slice(px_buf *out, px_json value)
{
    px_buf_put(out, value.at, (size_t)(value.end - value.at));
}

/* A tool in OpenAI's nested form, whichever it was given in. */
static px_json function_of(px_json tool)
{
    px_json function = px_json_find(tool, "function");
    return px_json_type_of(function) == PX_JSON_OBJECT ? function : tool;
}

static px_str tell_tools(px_messages *m)
{
    px_json tool;
    px_buf text = {0}, example = {0};
    px_message_call call = {.name = px_str_of("NAME"), .arguments = px_str_of("{\"KEY\": VALUE}")};
    px_messages_put_calls(m->syntax, &(px_message){.calls = &call, .n_calls = 1}, &example);
    px_buf_puts(&text,
                "# Functions\n\nThese functions can be called, where they help. Each line is "
                "one of them in JSON:\n<tools>\n");
    px_json_walk walk = px_json_each(m->tools);
    while (px_json_next(&walk, NULL, &tool)) {
        put_slice(&text, function_of(tool));
        px_buf_putc(&text, '\n');
    }
    px_buf_puts(&text, "</tools>\n\nA call is written like this, with the function's name and its "
                       "arguments as a JSON object:\n");
    px_buf_put(&text, example.data, example.len);
    px_buf_puts(&text, "\n\nSeveral calls may stand one after the other; nothing follows them. "
                       "What they give comes back between <tool_response> and </tool_response>.");
    text.failed |= example.failed;
    px_buf_clear(&example);
    return px_messages_keep(m, &text);
}

/* ---- joining: one buffer for all, since a conversation may have thousands of messages */

static void put_joined(px_buf *out, px_str text)
{
    px_buf_puts(out, out->len > 0 && text.len > 0 ? "\n\n" : "");
    px_buf_put(out, text.data, text.len);
}

/* ---- system messages */

/* All system messages that the template would not take where they stand, as one at the beginning;
 * then what is told of tools; then, where it takes none, into the first user's message. */
static void shape_system(px_messages *m)
{
    px_buf all = {0};
    bool leading = true;
    int to = 0;
    for (int i = 0; i < m->n; i++) {
        px_message *message = &m->list[i];
        leading = leading && message->role == PX_ROLE_SYSTEM;
        if (message->role == PX_ROLE_SYSTEM && (leading || !m->syntax->late_system))
            put_joined(&all, message->text);
        else
            m->list[to++] = *message;
    }
    m->n = to;
    bool told = m->tools.at && m->syntax->tools == PX_TOOLS_TOLD;
    bool member = m->tools.at && m->syntax->tools == PX_TOOLS_SYSTEM;
    if (told)
        put_joined(&all, tell_tools(m));
    px_str text = px_messages_keep(m, &all);
    if (text.len == 0 && !member)
        return;
    if (m->syntax->system || member) {
        px_message *first = px_messages_insert(m, 0);
        if (first)
            *first = (px_message){.role = PX_ROLE_SYSTEM, .text = text};
        return;
    }
    int user = 0;
    while (user < m->n && m->list[user].role != PX_ROLE_USER)
        user++;
    if (user < m->n) {
        m->list[user].text = px_messages_join(m, text, "\n\n", m->list[user].text);
    } else {
        px_message *first = px_messages_insert(m, 0);
        if (first)
            *first = (px_message){.role = PX_ROLE_USER, .text = text};
    }
}

/* ---- calls and results */

void px_messages_put_calls(const px_reply_syntax *s, const px_message *message, px_buf *out)
{
    const px_reply_form *form = &s->forms[0];
    px_str begin = form->begin;
    while (begin.len > 0 && px_reply_space(begin.data[0])) {
        begin.data++;
        begin.len--;
    }
    px_buf_put(out, begin.data, begin.len);
    for (int i = 0; i < message->n_calls; i++) {
        const px_message_call *call = &message->calls[i];
        if (i > 0)
            px_buf_put(out, form->sep.data ? form->sep.data : "\n",
                       form->sep.data ? form->sep.len : 1);
        for (int p = 0; p < form->n_pieces; p++) {
            px_hole hole = form->pieces[p].hole;
            px_str text = hole == PX_HOLE_NAME        ? call->name
                          : hole == PX_HOLE_ARGUMENTS ? call->arguments
                          : hole == PX_HOLE_ID        ? call->id
                                                      : form->pieces[p].text;
            px_buf_put(out, text.data, text.len);
        }
    }
    px_buf_put(out, form->end.data, form->end.len);
}

/* Calls that the template does not print, as content; results that it does not, as a user's. */
static void shape_calls(px_messages *m)
{
    for (int i = 0; i < m->n; i++) {
        px_message *message = &m->list[i];
        px_buf text = {0};
        if (message->n_calls > 0 && !is_native(m)) {
            px_buf_put(&text, message->text.data, message->text.len);
            px_buf_puts(&text, message->text.len > 0 ? "\n" : "");
            px_messages_put_calls(m->syntax, message, &text);
            message->text = px_messages_keep(m, &text);
            message->n_calls = 0;
        } else if (message->role == PX_ROLE_TOOL && !m->syntax->results_native) {
            px_buf_puts(&text, "<tool_response>\n");
            px_buf_put(&text, message->text.data, message->text.len);
            px_buf_puts(&text, "\n</tool_response>");
            message->text = px_messages_keep(m, &text);
            message->role = PX_ROLE_USER;
        }
    }
}

/* A turn of several calls and its results, `n` messages, as one turn for each call, with its result
 * behind it. Appended to `to`; how many. */
static int split_turn(px_message *from, int n, px_message *to)
{
    px_message turn = *from;
    int n_to = 0;
    turn.n_calls = 1;
    for (int c = 0; c < from->n_calls; c++) {
        turn.calls = &from->calls[c];
        to[n_to++] = turn;
        turn = (px_message){.role = PX_ROLE_ASSISTANT,
                            .text = {.data = ""},
                            .n_calls = 1,
                            .unlearned = from->unlearned};
        for (int i = 1; i < n; i++)
            if (from[i].role == PX_ROLE_TOOL && px_str_eq(from[i].id, from->calls[c].id)) {
                to[n_to++] = from[i];
                from[i].role = PX_ROLE_USER; // taken
                break;
            }
    }
    for (int i = 1; i < n; i++)
        if (from[i].role == PX_ROLE_TOOL)
            to[n_to++] = from[i];
    return n_to;
}

/* Turns of several calls, where a template prints one call a turn: a call, its result, a call .. */
static void split_turns(px_messages *m)
{
    if (!is_native(m) || m->syntax->forms[0].sep.data || m->status != PITH_OK)
        return;
    int n = m->n;
    for (int i = 0; i < m->n; i++)
        n += m->list[i].n_calls > 1 ? m->list[i].n_calls - 1 : 0;
    if (n == m->n)
        return;
    px_message *list = PX_NEW(m->arena, px_message, (size_t)n);
    if (!list) {
        m->status = px_fail_memory(m->err, "the messages of a conversation");
        return;
    }
    int to = 0;
    for (int i = 0; i < m->n;) {
        int end = i + 1;
        if (m->list[i].n_calls < 2) {
            list[to++] = m->list[i];
        } else {
            while (end < m->n && m->list[end].role == PX_ROLE_TOOL)
                end++;
            to += split_turn(m->list + i, end - i, list + to);
        }
        i = end;
    }
    m->list = list;
    m->n = m->cap = n;
}

static bool is_plain(const px_message *message)
{
    return (message->role == PX_ROLE_USER || message->role == PX_ROLE_ASSISTANT) &&
           message->n_calls == 0;
}

/* Messages of one role in a row, where a template wants roles to take turns. */
static void merge_rows(px_messages *m)
{
    int to = 0;
    for (int i = 0, end; !m->syntax->repeats && i < m->n; i = end) {
        px_message one = m->list[i];
        for (end = i + 1; end < m->n && is_plain(&one) && is_plain(&m->list[end]); end++)
            if (m->list[end].role != one.role)
                break;
        if (end > i + 1) {
            px_buf text = {0};
            for (int k = i; k < end; k++) {
                put_joined(&text, m->list[k].text);
                one.unlearned |= m->list[k].unlearned;
            }
            one.text = px_messages_keep(m, &text);
        }
        m->list[to++] = one;
    }
    m->n = m->syntax->repeats ? m->n : to;
}

pith_status px_messages_shape(px_messages *m)
{
    shape_calls(m);
    shape_system(m);
    split_turns(m);
    merge_rows(m);
    return m->status;
}

/* ---- writing */

static void put_member(px_buf *out, const char *key, px_str text)
{
    px_buf_printf(out, ",\"%s\":", key);
    px_json_put_str(out, text.data, text.len);
}

static void put_call(const px_messages *m, const px_message_call *call, px_buf *out)
{
    px_buf_puts(out, "{\"type\":\"function\"");
    put_member(out, "id", call->id);
    px_buf_puts(out, ",\"function\":{\"name\":");
    px_json_put_str(out, call->name.data, call->name.len);
    if (call->object && !m->syntax->arguments_string) {
        px_buf_puts(out, ",\"arguments\":");
        px_buf_put(out, call->arguments.data, call->arguments.len);
    } else {
        put_member(out, "arguments", call->arguments);
    }
    px_buf_puts(out, "}}");
}

/* Functions as text, for a template that prints member `tools` of its system message. */
static void put_tools_text(const px_messages *m, px_buf *out)
{
    px_buf text = {0};
    px_json tool;
    const char *between = "[";
    px_json_walk walk = px_json_each(m->tools);
    while (px_json_next(&walk, NULL, &tool)) {
        px_buf_puts(&text, between);
        put_slice(&text, function_of(tool));
        between = ", ";
    }
    px_buf_putc(&text, ']');
    put_member(out, "tools", (px_str){.data = text.data, .len = text.len});
    out->failed |= text.failed;
    px_buf_clear(&text);
}

static void put_message(const px_messages *m, int i, px_buf *out)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    const px_message *message = &m->list[i];
    px_buf_printf(out, "%s{\"role\":\"%s\"", i > 0 ? "," : "", roles[message->role]);
    bool leave_out = message->n_calls > 0 && message->text.len == 0 && m->syntax->no_content;
    if (!leave_out && m->syntax->parts) {
        px_buf_puts(out, ",\"content\":[{\"type\":\"text\"");
        put_member(out, "text", message->text);
        px_buf_puts(out, "}]");
    } else if (!leave_out) {
        put_member(out, "content", message->text);
    }
    if (message->name.len > 0)
        put_member(out, "name", message->name);
    if (message->role == PX_ROLE_TOOL)
        put_member(out, "tool_call_id", message->id);
    if (message->reasoning.len > 0 && m->syntax->think_given) {
        put_member(out, "reasoning_content", message->reasoning);
        put_member(out, "thinking", message->reasoning);
    }
    for (int k = 0; k < message->n_calls; k++) {
        px_buf_puts(out, k > 0 ? "," : ",\"tool_calls\":[");
        put_call(m, &message->calls[k], out);
    }
    px_buf_puts(out, message->n_calls > 0 ? "]" : "");
    px_buf_puts(out, message->unlearned ? ",\"train\":false" : "");
    if (i == 0 && message->role == PX_ROLE_SYSTEM && m->tools.at &&
        m->syntax->tools == PX_TOOLS_SYSTEM)
        put_tools_text(m, out);
    px_buf_putc(out, '}');
}

static void put_tools(const px_messages *m, px_buf *out)
{
    px_json tool;
    const char *between = ",\"tools\":[";
    px_json_walk walk = px_json_each(m->tools);
    while (px_json_next(&walk, NULL, &tool)) {
        px_buf_puts(out, between);
        px_buf_puts(out, "{\"type\":\"function\",\"function\":");
        put_slice(out, function_of(tool));
        px_buf_putc(out, '}');
        between = ",";
    }
    px_buf_putc(out, ']');
}

/* Members as they are, but for those that were read; enable_thinking under the template's name. */
static void put_variables(const px_messages *m, px_json object, px_buf *out, bool *prompt)
{
    static const char *const taken[] = {"messages", "tools", "chat_template_kwargs"};
    px_json key, value;
    px_json_walk walk = px_json_each(object);
    while (px_json_next(&walk, &key, &value)) {
        bool skip = false;
        for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
            skip |= px_json_is(key, px_str_of(taken[i]));
        *prompt |= px_json_is(key, px_str_of("add_generation_prompt"));
        if (skip)
            continue;
        px_buf_putc(out, ',');
        if (px_json_is(key, px_str_of("enable_thinking")) && m->syntax->think_name.len > 0)
            px_json_put_str(out, m->syntax->think_name.data, m->syntax->think_name.len);
        else
            put_slice(out, key);
        px_buf_putc(out, ':');
        put_slice(out, value);
    }
}

pith_status px_messages_write(const px_messages *m, px_json object, px_buf *out)
{
    bool prompt = false;
    px_buf_puts(out, "{\"messages\":[");
    for (int i = 0; i < m->n; i++)
        put_message(m, i, out);
    px_buf_putc(out, ']');
    if (m->tools.at && m->syntax->tools == PX_TOOLS_NATIVE)
        put_tools(m, out);
    put_variables(m, object, out, &prompt);
    put_variables(m, px_json_find(object, "chat_template_kwargs"), out, &prompt);
    px_buf_puts(out, prompt ? "}" : ",\"add_generation_prompt\":true}");
    return px_buf_status(out, "the messages of a conversation", m->err);
}

pith_status px_messages_normalize(const px_reply_syntax *syntax, const char *json, size_t len,
                                  px_buf *out, pith_error *err)
{
    px_json object;
    pith_status st = px_json_check("messages", json, len, &object, err);
    if (st != PITH_OK)
        return st;
    if (px_json_type_of(object) != PX_JSON_OBJECT)
        return px_fail(err, PITH_E_ARGUMENT, "a conversation is %s, expected an object",
                       px_json_type_name(px_json_type_of(object)));
    px_arena arena;
    px_arena_init(&arena, 0, 0);
    px_messages m = {.arena = &arena, .syntax = syntax, .err = err};
    st = px_messages_read(&m, object);
    if (st == PITH_OK)
        st = px_messages_shape(&m);
    if (st == PITH_OK)
        st = px_messages_write(&m, object, out);
    px_arena_clear(&arena);
    return st;
}

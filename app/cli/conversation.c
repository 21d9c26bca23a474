/* conversation: see conversation.h. */
#include "cli/conversation.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

pith_status cli_conversation_init(cli_conversation *c, pith_error *err)
{
    c->messages = json_array();
    return c->messages ? PITH_OK : px_fail_memory(err, "the conversation");
}

void cli_conversation_clear(cli_conversation *c)
{
    json_decref(c->messages);
    c->messages = NULL;
}

static bool has_system(const cli_conversation *c)
{
    const char *role = json_string_value(json_object_get(json_array_get(c->messages, 0), "role"));
    return role && strcmp(role, "system") == 0;
}

static json_t *message(const char *role, const char *text, size_t len)
{
    return json_pack("{s:s, s:o}", "role", role, "content", json_stringn(text, len));
}

pith_status cli_conversation_system(cli_conversation *c, const char *text, pith_error *err)
{
    if (has_system(c))
        json_array_remove(c->messages, 0);
    if (!text || !*text)
        return PITH_OK;
    if (!px_utf8_valid(text, strlen(text)))
        return px_fail(err, PITH_E_ARGUMENT, "the system prompt is not valid UTF-8");
    if (json_array_insert_new(c->messages, 0, message("system", text, strlen(text))) != 0)
        return px_fail_memory(err, "the system prompt");
    return PITH_OK;
}

const char *cli_conversation_get_system(const cli_conversation *c)
{
    return has_system(c)
               ? json_string_value(json_object_get(json_array_get(c->messages, 0), "content"))
               : NULL;
}

pith_status cli_conversation_add(cli_conversation *c, const char *role, const char *text,
                                 size_t len, pith_error *err)
{
    if (!px_utf8_valid(text, len))
        return px_fail(err, PITH_E_ARGUMENT, "the %s message is not valid UTF-8 from byte %zu on",
                       role, px_utf8_valid_prefix(text, len));
    if (json_array_append_new(c->messages, message(role, text, len)) != 0)
        return px_fail_memory(err, "the conversation");
    return PITH_OK;
}

pith_status cli_conversation_answer(cli_conversation *c, const char *text, size_t len,
                                    const char *reasoning, json_t *calls, pith_error *err)
{
    pith_status status = cli_conversation_add(c, "assistant", text, len, err);
    json_t *last = json_array_get(c->messages, json_array_size(c->messages) - 1);
    bool ok = true;
    if (status == PITH_OK && reasoning && *reasoning)
        ok = json_object_set_new(last, "reasoning_content", json_string(reasoning)) == 0;
    if (status == PITH_OK && ok && calls)
        ok = json_object_set(last, "tool_calls", calls) == 0;
    return ok ? status : px_fail_memory(err, "the conversation");
}

const json_t *cli_conversation_open_call(const cli_conversation *c)
{
    size_t n = json_array_size(c->messages), results = 0;
    while (n > 0) {
        const json_t *m = json_array_get(c->messages, --n);
        const char *role = json_string_value(json_object_get(m, "role"));
        if (!role || strcmp(role, "tool") != 0)
            return json_array_get(json_object_get(m, "tool_calls"), results);
        results++;
    }
    return NULL;
}

pith_status cli_conversation_result(cli_conversation *c, const char *text, size_t len,
                                    pith_error *err)
{
    const json_t *call = cli_conversation_open_call(c);
    json_t *id = json_object_get(call, "id");
    json_t *name = json_object_get(json_object_get(call, "function"), "name");
    pith_status status = cli_conversation_add(c, "tool", text, len, err);
    if (status != PITH_OK)
        return status;
    json_t *last = json_array_get(c->messages, json_array_size(c->messages) - 1);
    if (json_object_set(last, "tool_call_id", id) != 0 || json_object_set(last, "name", name) != 0)
        return px_fail_memory(err, "the conversation");
    return PITH_OK;
}

void cli_conversation_drop_last(cli_conversation *c)
{
    size_t n = json_array_size(c->messages);
    if (n > 0)
        json_array_remove(c->messages, n - 1);
}

void cli_conversation_forget(cli_conversation *c)
{
    while (cli_conversation_length(c) > 0)
        cli_conversation_drop_last(c);
}

size_t cli_conversation_length(const cli_conversation *c)
{
    return json_array_size(c->messages) - (has_system(c) ? 1 : 0);
}

pith_status cli_conversation_tokens(const cli_conversation *c, const pith_model *model,
                                    pith_chat *out, pith_error *err)
{
    json_t *vars = json_pack("{s:O, s:O*}", "messages", c->messages, "tools", c->tools);
    char *text = vars ? json_dumps(vars, JSON_COMPACT) : NULL;
    pith_text made = {0};
    json_decref(vars);
    if (!text)
        return px_fail_memory(err, "the conversation");
    pith_status status = pith_chat_normalize(model, text, strlen(text), &made, err);
    if (status == PITH_OK)
        status = pith_chat_tokenize(model, made.data, made.len, out, err);
    pith_text_free(&made);
    free(text); // jansson's
    return status;
}

pith_status cli_conversation_save(const cli_conversation *c, const char *path, pith_error *err)
{
    json_t *file = json_pack("{s:O}", "messages", c->messages);
    char *text = file ? json_dumps(file, JSON_INDENT(2)) : NULL;
    json_decref(file);
    if (!text)
        return px_fail_memory(err, "the conversation");
    pith_status status = px_file_replace(path, text, strlen(text), err);
    free(text);
    return status;
}

/* Whether this is an array of objects with string role and content. */
static pith_status check(const json_t *messages, const char *path, pith_error *err)
{
    if (!json_is_array(messages))
        return px_fail(err, PITH_E_FORMAT, "'%s' has no array 'messages'; /save writes such a file",
                       path);
    size_t i;
    json_t *m;
    json_array_foreach((json_t *)(uintptr_t)messages, i, m)
    {
        if (!json_is_string(json_object_get(m, "role")) ||
            !json_is_string(json_object_get(m, "content")))
            return px_fail(err, PITH_E_FORMAT, "'%s': message %zu lacks a text 'role' or 'content'",
                           path, i + 1);
    }
    return PITH_OK;
}

pith_status cli_conversation_load(cli_conversation *c, const char *path, pith_error *err)
{
    px_buf text = {0};
    json_error_t je;
    json_t *file = NULL;
    pith_status status = px_file_read(path, PX_MAX_JSON_BYTES, &text, err);
    if (status == PITH_OK) {
        file = json_loadb(text.data ? text.data : "", text.len, 0, &je);
        status = file ? check(json_object_get(file, "messages"), path, err)
                      : px_fail(err, PITH_E_FORMAT, "'%s': line %d: %s", path, je.line, je.text);
    }
    if (status == PITH_OK) {
        json_decref(c->messages);
        c->messages = json_incref(json_object_get(file, "messages"));
    }
    json_decref(file);
    px_buf_clear(&text);
    return status;
}

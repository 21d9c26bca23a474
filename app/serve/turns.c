/* turns: see turns.h. */
#include "serve/turns.h"

#include "serve/models.h"

#include <stdio.h>
#include <string.h>

void serve_turns_open(serve_turns *t, const char *role)
{
    px_buf_puts(&t->json, t->n++ == 0 ? "[{\"role\":" : ",{\"role\":");
    serve_put_text(&t->json, role);
}

void serve_turns_close(serve_turns *t)
{
    px_buf_putc(&t->json, '}');
}

void serve_turns_text(serve_turns *t, const char *name, const char *text, size_t len)
{
    px_buf_printf(&t->json, ",\"%s\":", name);
    serve_put_string(&t->json, text ? text : "", len);
}

void serve_turns_json(serve_turns *t, const char *name, px_str json)
{
    px_buf_printf(&t->json, ",\"%s\":", name);
    px_buf_put(&t->json, json.data, json.len);
}

bool serve_turns_give(serve_turns *t, serve_job *job, serve_problem *problem)
{
    if (t->n == 0)
        px_buf_putc(&t->json, '[');
    px_buf_putc(&t->json, ']');
    bool ok = t->json.failed
                  ? serve_refuse_memory(problem)
                  : serve_copy(job, t->json.data, t->json.len, &job->request.messages, problem);
    serve_turns_clear(t);
    return ok;
}

void serve_turns_clear(serve_turns *t)
{
    px_buf_clear(&t->json);
    t->n = 0;
}

void serve_said_clear(serve_said *said)
{
    px_buf_clear(&said->text);
    px_buf_clear(&said->reasoning);
    px_buf_clear(&said->calls);
    *said = (serve_said){0};
}

void serve_said_call(serve_said *said, px_str id, px_str name, px_str arguments)
{
    px_buf_puts(&said->calls, said->n_calls++ == 0 ? "[" : ",");
    px_buf_puts(&said->calls, "{\"type\":\"function\",\"id\":");
    px_buf_put(&said->calls, id.data, id.len);
    px_buf_puts(&said->calls, ",\"function\":{\"name\":");
    px_buf_put(&said->calls, name.data, name.len);
    px_buf_puts(&said->calls, ",\"arguments\":");
    px_buf_put(&said->calls, arguments.data, arguments.len);
    px_buf_puts(&said->calls, "}}");
}

bool serve_said_give(serve_said *said, serve_turns *turns, const char *role, serve_problem *problem)
{
    if (said->text.failed || said->reasoning.failed || said->calls.failed)
        return serve_refuse_memory(problem);
    serve_turns_open(turns, role);
    serve_turns_text(turns, "content", said->text.data, said->text.len);
    if (said->reasoning.len > 0)
        serve_turns_text(turns, "reasoning_content", said->reasoning.data, said->reasoning.len);
    if (said->n_calls > 0) {
        px_buf_putc(&said->calls, ']');
        serve_turns_json(turns, "tool_calls", (px_str){said->calls.data, said->calls.len});
    }
    serve_turns_close(turns);
    serve_said_clear(said);
    return true;
}

bool serve_take_tools(serve_job *job, px_json body, serve_tool_fn take, int *n,
                      serve_problem *problem)
{
    px_json tools = serve_member(body, "tools"), tool;
    px_buf text = {0};
    bool ok = true;
    *n = 0;
    if (tools.at && px_json_type_of(tools) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, "tools", tools, "an array");
    px_json_walk walk = px_json_each(tools);
    for (; ok && px_json_next(&walk, NULL, &tool); ++*n) {
        px_buf_putc(&text, *n == 0 ? '[' : ',');
        ok = take(tool, *n, &text, problem);
    }
    if (ok && *n > 0) {
        px_buf_putc(&text, ']');
        ok = text.failed ? serve_refuse_memory(problem)
                         : serve_copy(job, text.data, text.len, &job->request.tools, problem);
    }
    px_buf_clear(&text);
    return ok;
}

px_json serve_member(px_json object, const char *name)
{
    px_json v = px_json_find(object, name);
    return px_json_type_of(v) == PX_JSON_NULL ? (px_json){0} : v;
}

px_str serve_shown(px_json value)
{
    return value.at ? serve_slice(value) : px_str_of("missing");
}

bool serve_is(px_json value, const char *text)
{
    return px_json_is(value, px_str_of(text));
}

bool serve_refuse_memory(serve_problem *problem)
{
    return serve_refuse(problem, 503, NULL, "out of memory for the request");
}

bool serve_refuse_type(serve_problem *problem, const char *where, px_json found,
                       const char *expected)
{
    px_json_type type = px_json_type_of(found);
    if (type == PX_JSON_NONE)
        return serve_refuse(problem, 400, where, "'%s' is missing, expected %s", where, expected);
    return serve_refuse(problem, 400, where, "'%s' is %s, expected %s", where,
                        px_json_type_name(type), expected);
}

bool serve_text_of(px_json value, px_buf *out, const char *where, serve_problem *problem)
{
    if (!px_json_get_string(value, out))
        return serve_refuse_type(problem, where, value, "a string");
    return !out->failed || serve_refuse_memory(problem);
}

/* One part of a content array. */
static bool take_part(px_json part, const char *types, px_buf *out, const char *where,
                      serve_problem *problem)
{
    if (px_json_type_of(part) == PX_JSON_STRING)
        return serve_text_of(part, out, where, problem);
    if (px_json_type_of(part) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, where, part, "an object with 'type' and 'text'");
    px_json type = px_json_find(part, "type");
    char name[96];
    if (!serve_lists(types, type)) {
        px_str text = serve_slice(type);
        return serve_refuse(problem, 400, where,
                            "'%s' is a part of type %.*s, which pith does not read: only text",
                            where, PX_STR_ARG(text));
    }
    snprintf(name, sizeof name, "%.80s.text", where);
    return serve_text_of(px_json_find(part, "text"), out, name, problem);
}

bool serve_parts_of(px_json value, const char *types, const char *between, px_buf *out,
                    const char *where, serve_problem *problem)
{
    px_json part;
    int i = 0;
    if (px_json_type_of(value) == PX_JSON_STRING)
        return serve_text_of(value, out, where, problem);
    if (px_json_type_of(value) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, where, value, "a string or an array of parts");
    px_json_walk walk = px_json_each(value);
    for (; px_json_next(&walk, NULL, &part); i++) {
        char name[64];
        if (i > 0)
            px_buf_puts(out, between);
        snprintf(name, sizeof name, "%.44s[%d]", where, i);
        if (!take_part(part, types, out, name, problem))
            return false;
    }
    return !out->failed || serve_refuse_memory(problem);
}

bool serve_array_of(px_json object, const char *name, size_t least, px_json *out,
                    serve_problem *problem)
{
    px_json v = serve_member(object, name);
    if (px_json_type_of(v) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, name, v, "an array");
    if (px_json_count(v) < least)
        return serve_refuse(problem, 400, name, "'%s' is empty, expected at least %zu element%s",
                            name, least, least == 1 ? "" : "s");
    *out = v;
    return true;
}

void serve_put_compact(px_buf *out, const char *json, size_t len)
{
    size_t from = 0;
    bool inside = false; // of a string
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        if (inside && c == '\\') {
            i++;
        } else if (c == '"') {
            inside = !inside;
        } else if (!inside && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            px_buf_put(out, json + from, i - from);
            from = i + 1;
        }
    }
    px_buf_put(out, json + from, len - from);
}

bool serve_call_is_whole(const serve_tool_call *call)
{
    px_json value;
    return call->arguments.data &&
           px_json_check("arguments", call->arguments.data, call->arguments.len, &value, NULL) ==
               PITH_OK &&
           px_json_type_of(value) == PX_JSON_OBJECT;
}

static void put_token(px_buf *out, const pith_tokenizer *tok, int32_t token, float logprob)
{
    pith_str bytes = pith_token_bytes(tok, token, true);
    px_buf_puts(out, "\"token\":");
    serve_put_string(out, bytes.data ? bytes.data : "", bytes.len);
    px_buf_puts(out, ",\"logprob\":");
    serve_put_real(out, (double)logprob);
    px_buf_puts(out, ",\"bytes\":[");
    for (size_t i = 0; i < bytes.len; i++)
        px_buf_printf(out, "%s%d", i > 0 ? "," : "", (unsigned char)bytes.data[i]);
    px_buf_putc(out, ']');
}

void serve_put_logprobs(px_buf *out, const serve_job *job, const serve_choice *c, int first, int n)
{
    const pith_tokenizer *tok = n > 0 ? pith_model_tokenizer(job->model->model) : NULL;
    px_buf_putc(out, '[');
    for (int i = first; i < first + n; i++) {
        const serve_logprob *l = &c->logprobs[i];
        px_buf_puts(out, i > first ? ",{" : "{");
        put_token(out, tok, l->token, l->logprob);
        px_buf_puts(out, ",\"top_logprobs\":[");
        for (int k = 0; k < l->n_top; k++) {
            const pith_logprob *t = &c->tops[l->first_top + k];
            px_buf_puts(out, k > 0 ? ",{" : "{");
            put_token(out, tok, t->token, t->logprob);
            px_buf_putc(out, '}');
        }
        px_buf_puts(out, "]}");
    }
    px_buf_putc(out, ']');
}

/* responses_request: the body of POST /v1/responses becomes a request. See responses.h. */
#include "serve/responses.h"
#include "serve/turns.h"

#include <stdio.h>
#include <string.h>

static const char TEXTS[] = " input_text output_text text summary_text reasoning_text refusal ";

/* ------------------------------------------------------------------ items */

/* The assistant's turn that consecutive items are gathered in. */
typedef struct assistant {
    serve_said said;
    bool any;
} assistant;

static bool flush(serve_turns *turns, assistant *a, serve_problem *problem)
{
    if (!a->any)
        return true;
    a->any = false;
    return serve_said_give(&a->said, turns, "assistant", problem);
}

static bool take_message(serve_turns *turns, assistant *a, px_json item, const char *where,
                         serve_problem *problem)
{
    static const char *const ROLES[] = {"user", "system", "developer"};
    px_json role = px_json_find(item, "role"), content = px_json_find(item, "content");
    char name[96];
    snprintf(name, sizeof name, "%.80s.content", where);
    if (serve_is(role, "assistant")) {
        if (a->said.n_calls > 0 && !flush(turns, a, problem))
            return false;
        a->any = true;
        return serve_parts_of(content, TEXTS, "", &a->said.text, name, problem);
    }
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++) {
        px_buf text = {0};
        if (!serve_is(role, ROLES[i]))
            continue;
        bool ok =
            flush(turns, a, problem) && serve_parts_of(content, TEXTS, "", &text, name, problem);
        if (ok) {
            serve_turns_open(turns, i == 0 ? "user" : "system");
            serve_turns_text(turns, "content", text.data, text.len);
            serve_turns_close(turns);
        }
        px_buf_clear(&text);
        return ok;
    }
    snprintf(name, sizeof name, "%.80s.role", where);
    return serve_refuse(
        problem, 400, name,
        "'%s' is %.*s, expected \"user\", \"assistant\", \"system\" or \"developer\"", name,
        PX_STR_ARG(serve_shown(role)));
}

static bool take_call(assistant *a, px_json item, const char *where, serve_problem *problem)
{
    static const char *const NAMES[] = {"call_id", "name", "arguments"};
    px_str parts[3];
    for (int i = 0; i < 3; i++) {
        px_json v = px_json_find(item, NAMES[i]);
        char name[96];
        snprintf(name, sizeof name, "%.80s.%s", where, NAMES[i]);
        if (px_json_type_of(v) != PX_JSON_STRING)
            return serve_refuse_type(problem, name, v, "a string");
        parts[i] = serve_slice(v);
    }
    serve_said_call(&a->said, parts[0], parts[1], parts[2]);
    a->any = true;
    return true;
}

static bool take_output(serve_turns *turns, px_json item, const char *where, serve_problem *problem)
{
    px_json id = px_json_find(item, "call_id");
    px_buf text = {0};
    char name[96];
    if (px_json_type_of(id) != PX_JSON_STRING) {
        snprintf(name, sizeof name, "%.80s.call_id", where);
        return serve_refuse_type(problem, name, id, "a string");
    }
    snprintf(name, sizeof name, "%.80s.output", where);
    bool ok = serve_parts_of(px_json_find(item, "output"), TEXTS, "\n", &text, name, problem);
    if (ok) {
        serve_turns_open(turns, "tool");
        serve_turns_json(turns, "tool_call_id", serve_slice(id));
        serve_turns_text(turns, "content", text.data, text.len);
        serve_turns_close(turns);
    }
    px_buf_clear(&text);
    return ok;
}

/* The text that was thought; where the client has only the summary, that. */
static bool take_reasoning(serve_turns *turns, assistant *a, px_json item, const char *where,
                           serve_problem *problem)
{
    px_json content = serve_member(item, "content"), summary = serve_member(item, "summary");
    char name[96];
    if ((a->said.n_calls > 0 || a->said.text.len > 0) && !flush(turns, a, problem))
        return false;
    a->any = true;
    bool full = px_json_count(content) > 0;
    snprintf(name, sizeof name, "%.80s.%s", where, full ? "content" : "summary");
    if (!full && !summary.at)
        return true;
    return serve_parts_of(full ? content : summary, TEXTS, "\n", &a->said.reasoning, name, problem);
}

static bool take_item(serve_turns *turns, assistant *a, px_json item, int i, serve_problem *problem)
{
    px_json type = serve_member(item, "type");
    char where[32];
    snprintf(where, sizeof where, "input[%d]", i);
    if (px_json_type_of(item) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, where, item, "an object");
    if (!type.at || serve_is(type, "message"))
        return take_message(turns, a, item, where, problem);
    if (serve_is(type, "function_call"))
        return take_call(a, item, where, problem);
    if (serve_is(type, "function_call_output"))
        return flush(turns, a, problem) && take_output(turns, item, where, problem);
    if (serve_is(type, "reasoning"))
        return take_reasoning(turns, a, item, where, problem);
    return serve_refuse(problem, 400, where,
                        "'%s' is an item of type %.*s, which pith does not know: message, "
                        "function_call, function_call_output and reasoning are",
                        where, PX_STR_ARG(serve_slice(type)));
}

static bool take_input(serve_job *job, px_json body, serve_problem *problem)
{
    px_json input = serve_member(body, "input"), item;
    serve_turns turns = {0};
    assistant a = {0};
    px_buf text = {0};
    bool ok = true;
    px_json instructions = serve_member(body, "instructions");
    if (instructions.at) {
        ok = serve_text_of(instructions, &text, "instructions", problem);
        if (ok && text.len > 0) {
            serve_turns_open(&turns, "system");
            serve_turns_text(&turns, "content", text.data, text.len);
            serve_turns_close(&turns);
        }
        px_buf_reset(&text);
    }
    if (ok && px_json_type_of(input) == PX_JSON_STRING) {
        ok = serve_text_of(input, &text, "input", problem);
        serve_turns_open(&turns, "user");
        serve_turns_text(&turns, "content", text.data, text.len);
        serve_turns_close(&turns);
    } else if (ok && px_json_type_of(input) == PX_JSON_ARRAY && px_json_count(input) > 0) {
        px_json_walk walk = px_json_each(input);
        for (int i = 0; ok && px_json_next(&walk, NULL, &item); i++)
            ok = take_item(&turns, &a, item, i, problem);
        ok = ok && flush(&turns, &a, problem);
    } else if (ok) {
        ok = serve_refuse_type(problem, "input", input, "a string or an array of items");
    }
    px_buf_clear(&text);
    serve_said_clear(&a.said);
    if (ok)
        return serve_turns_give(&turns, job, problem);
    serve_turns_clear(&turns);
    return false;
}

/* ------------------------------------------------------------------ tools */

/* {"type":"function","name","description","parameters","strict"} -> OpenAI's nested form. */
static bool take_tool(px_json tool, int i, px_buf *out, serve_problem *problem)
{
    static const char *const NAMES[] = {"name", "description", "parameters", "strict"};
    px_json type = px_json_find(tool, "type");
    char where[32];
    snprintf(where, sizeof where, "tools[%d]", i);
    if (!serve_is(type, "function"))
        return serve_refuse(problem, 400, where,
                            "'%s' is of type %.*s, expected \"function\": pith has no tools of its "
                            "own",
                            where, PX_STR_ARG(serve_shown(type)));
    if (px_json_type_of(px_json_find(tool, "name")) != PX_JSON_STRING)
        return serve_refuse(problem, 400, where, "'%s' has no 'name'", where);
    px_json parameters = serve_member(tool, "parameters");
    if (parameters.at && px_json_type_of(parameters) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, where, parameters, "an object as 'parameters'");
    px_buf_puts(out, "{\"type\":\"function\",\"function\":{");
    const char *comma = "";
    for (size_t k = 0; k < sizeof NAMES / sizeof *NAMES; k++) {
        px_json v = serve_member(tool, NAMES[k]);
        px_str text = serve_slice(v);
        if (!v.at)
            continue;
        px_buf_printf(out, "%s\"%s\":", comma, NAMES[k]);
        px_buf_put(out, text.data, text.len);
        comma = ",";
    }
    px_buf_puts(out, "}}");
    return true;
}

static bool take_tool_choice(serve_job *job, px_json choice, serve_problem *problem)
{
    serve_request *r = &job->request;
    if (serve_is(choice, "auto")) {
        r->tool_choice = SERVE_TOOLS_AUTO;
    } else if (serve_is(choice, "required")) {
        r->tool_choice = SERVE_TOOLS_REQUIRED;
    } else if (serve_is(choice, "none")) {
        r->tool_choice = SERVE_TOOLS_NONE;
    } else if (serve_is(px_json_find(choice, "type"), "function")) {
        r->tool_choice = SERVE_TOOLS_NAMED;
        if (!serve_get_text(job, choice, "name", &r->tool_name, problem))
            return false;
        if (r->tool_name.len == 0)
            return serve_refuse(problem, 400, "tool_choice.name", "'tool_choice' has no 'name'");
    } else {
        return serve_refuse(problem, 400, "tool_choice",
                            "'tool_choice' is %.*s, expected \"auto\", \"required\", \"none\" or "
                            "{\"type\": \"function\", \"name\": ...}",
                            PX_STR_ARG(serve_slice(choice)));
    }
    return true;
}

static bool take_tools(serve_job *job, px_json body, serve_problem *problem)
{
    px_json choice = serve_member(body, "tool_choice");
    bool parallel = true;
    int n;
    if (!serve_take_tools(job, body, take_tool, &n, problem) ||
        !serve_get_bool(body, "parallel_tool_calls", &parallel, problem))
        return false;
    job->request.single_call = !parallel;
    return !choice.at || take_tool_choice(job, choice, problem);
}

/* ------------------------------------------------------------------ the rest */

static bool take_text(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json format = serve_member(serve_member(body, "text"), "format");
    px_json type = px_json_find(format, "type"), schema = px_json_find(format, "schema");
    if (!format.at || serve_is(type, "text"))
        return true;
    if (serve_is(type, "json_object")) {
        r->format = SERVE_JSON_OBJECT;
        return true;
    }
    if (!serve_is(type, "json_schema"))
        return serve_refuse(problem, 400, "text.format.type",
                            "'text.format.type' is %.*s, expected \"text\", \"json_object\" or "
                            "\"json_schema\"",
                            PX_STR_ARG(serve_shown(type)));
    if (px_json_type_of(schema) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, "text.format.schema", schema, "an object");
    r->format = SERVE_JSON_SCHEMA;
    r->format_text = serve_slice(schema);
    return true;
}

static bool take_reasoning_config(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json reasoning = serve_member(body, "reasoning");
    if (!reasoning.at)
        return true;
    if (px_json_type_of(reasoning) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, "reasoning", reasoning, "an object");
    if (!serve_get_text(job, reasoning, "effort", &r->effort, problem))
        return false;
    if (px_str_is(r->effort, "none")) {
        r->think = 0;
        r->effort = (px_str){0};
    }
    return true;
}

static bool take_logprobs(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    serve_responses_state *s = job->state;
    px_json include = serve_member(body, "include"), word;
    int64_t top = 0;
    if (include.at && px_json_type_of(include) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, "include", include, "an array");
    px_json_walk walk = px_json_each(include);
    while (px_json_next(&walk, NULL, &word))
        s->wants_logprobs |= serve_is(word, "message.output_text.logprobs");
    if (!serve_get_int(body, "top_logprobs", 0, 20, &top, problem))
        return false;
    s->wants_logprobs |= top > 0;
    r->logprobs = s->wants_logprobs;
    r->n_top = (int)top;
    return true;
}

static bool take_truncation(serve_job *job, px_json body, serve_problem *problem)
{
    px_json v = serve_member(body, "truncation");
    if (serve_is(v, "auto"))
        job->request.overflow = PITH_OVERFLOW_TRUNCATE;
    else if (v.at && !serve_is(v, "disabled"))
        return serve_refuse(problem, 400, "truncation",
                            "'truncation' is %.*s, expected \"auto\" or \"disabled\"",
                            PX_STR_ARG(serve_slice(v)));
    return true;
}

bool serve_responses_parse(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    serve_responses_state *s = job->state;
    r->kind = SERVE_CHAT;
    r->n = 1;
    r->max_tokens = -1;
    s->body = body;
    return serve_get_text(job, body, "model", &r->model, problem) &&
           take_input(job, body, problem) && take_tools(job, body, problem) &&
           take_text(job, body, problem) && take_reasoning_config(job, body, problem) &&
           take_logprobs(job, body, problem) && take_truncation(job, body, problem) &&
           serve_get_bool(body, "stream", &r->stream, problem) &&
           serve_get_int(body, "max_output_tokens", 1, 1 << 26, &r->max_tokens, problem) &&
           serve_get_knob(job, body, "temperature", SERVE_TEMPERATURE, problem) &&
           serve_get_knob(job, body, "top_p", SERVE_TOP_P, problem) &&
           serve_get_knob(job, body, "top_k", SERVE_TOP_K, problem) &&
           serve_get_knob(job, body, "min_p", SERVE_MIN_P, problem);
}

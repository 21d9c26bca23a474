/* anthropic_request: the body of POST /v1/messages becomes a request. See anthropic.h. */
#include "serve/anthropic.h"
#include "serve/log.h"
#include "serve/models.h"
#include "serve/turns.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ messages */

/* A turn while its blocks are read. */
typedef struct turn {
    serve_said said;
    int n_texts;
} turn;

/* {"type":"tool_use","id","name","input"} -> a call in OpenAI's form. */
static bool take_call(turn *t, px_json block, const char *where, serve_problem *problem)
{
    px_json id = px_json_find(block, "id");
    px_json name = px_json_find(block, "name");
    px_json input = px_json_find(block, "input");
    char member[96];
    if (px_json_type_of(id) != PX_JSON_STRING || px_json_type_of(name) != PX_JSON_STRING)
        return serve_refuse(problem, 400, where,
                            "'%s' is a tool_use block without the strings 'id' and 'name'", where);
    if (px_json_type_of(input) != PX_JSON_OBJECT) {
        snprintf(member, sizeof member, "%.80s.input", where);
        return serve_refuse_type(problem, member, input, "an object");
    }
    serve_said_call(&t->said, serve_slice(id), serve_slice(name), serve_slice(input));
    return true;
}

/* {"type":"tool_result","tool_use_id","content","is_error"} -> a message of its own. */
static bool take_result(serve_turns *turns, px_json block, const char *where,
                        serve_problem *problem)
{
    px_json id = px_json_find(block, "tool_use_id");
    px_json content = serve_member(block, "content");
    px_buf text = {0};
    bool is_error = false, ok = true;
    char name[96];
    if (px_json_type_of(id) != PX_JSON_STRING)
        return serve_refuse(problem, 400, where,
                            "'%s' is a tool_result block without the string 'tool_use_id'", where);
    px_json_get_bool(px_json_find(block, "is_error"), &is_error);
    if (is_error) /* templates have no place for it, and the model should know */
        px_buf_puts(&text, "Error: ");
    snprintf(name, sizeof name, "%.80s.content", where);
    if (content.at)
        ok = serve_parts_of(content, " text ", "\n", &text, name, problem);
    if (ok) {
        serve_turns_open(turns, "tool");
        serve_turns_json(turns, "tool_call_id", serve_slice(id));
        serve_turns_text(turns, "content", text.data, text.len);
        serve_turns_close(turns);
    }
    px_buf_clear(&text);
    return ok;
}

/* Writes what was gathered, if anything, as a message. */
static bool flush(serve_turns *turns, turn *t, const char *role, bool even_empty,
                  serve_problem *problem)
{
    const serve_said *said = &t->said;
    if (t->n_texts == 0 && said->n_calls == 0 && said->reasoning.len == 0 &&
        !said->reasoning.failed && !even_empty)
        return true;
    t->n_texts = 0;
    return serve_said_give(&t->said, turns, role, problem);
}

static bool take_block(serve_turns *turns, turn *t, px_json block, bool assistant,
                       const char *where, serve_problem *problem)
{
    px_json type = px_json_find(block, "type");
    char name[96];
    if (px_json_type_of(type) != PX_JSON_STRING)
        return serve_refuse(problem, 400, where, "'%s' has no 'type'", where);
    if (serve_is(type, "text")) {
        if (t->n_texts++ > 0)
            px_buf_putc(&t->said.text, '\n');
        snprintf(name, sizeof name, "%.80s.text", where);
        return serve_text_of(px_json_find(block, "text"), &t->said.text, name, problem);
    }
    if (assistant && serve_is(type, "tool_use"))
        return take_call(t, block, where, problem);
    if (assistant && serve_is(type, "thinking")) {
        snprintf(name, sizeof name, "%.80s.thinking", where);
        return serve_text_of(px_json_find(block, "thinking"), &t->said.reasoning, name, problem);
    }
    if (assistant && serve_is(type, "redacted_thinking"))
        return true; /* unreadable to anyone but its maker, and never needed to go on */
    if (!assistant && serve_is(type, "tool_result"))
        return flush(turns, t, "user", false, problem) && take_result(turns, block, where, problem);
    return serve_refuse(
        problem, 400, where,
        "'%s' is a block of type %.*s, which pith does not read in a turn of the %s", where,
        PX_STR_ARG(serve_slice(type)), assistant ? "assistant" : "user");
}

static bool take_message(serve_turns *turns, px_json message, int i, bool *assistant,
                         serve_problem *problem)
{
    px_json role = px_json_find(message, "role");
    px_json content = px_json_find(message, "content");
    px_json block;
    turn t = {0};
    char where[64];
    bool system = serve_is(role, "system");
    *assistant = serve_is(role, "assistant");
    snprintf(where, sizeof where, "messages[%d].role", i);
    if (!*assistant && !system && !serve_is(role, "user"))
        return serve_refuse(problem, 400, where, "'%s' is %.*s, expected \"user\" or \"assistant\"",
                            where, PX_STR_ARG(serve_shown(role)));
    const char *word = *assistant ? "assistant" : system ? "system" : "user";
    snprintf(where, sizeof where, "messages[%d].content", i);
    bool ok = true;
    if (px_json_type_of(content) == PX_JSON_STRING) {
        t.n_texts = 1;
        ok = serve_text_of(content, &t.said.text, where, problem);
    } else if (px_json_type_of(content) == PX_JSON_ARRAY) {
        px_json_walk walk = px_json_each(content);
        for (int k = 0; ok && px_json_next(&walk, NULL, &block); k++) {
            char name[96];
            snprintf(name, sizeof name, "messages[%d].content[%d]", i, k);
            ok = take_block(turns, &t, block, *assistant, name, problem);
        }
    } else {
        ok = serve_refuse_type(problem, where, content, "a string or an array of blocks");
    }
    ok = ok && flush(turns, &t, word, *assistant, problem);
    serve_said_clear(&t.said);
    return ok;
}

static bool take_messages(serve_job *job, px_json body, serve_problem *problem)
{
    px_json messages, message, system = serve_member(body, "system");
    serve_turns turns = {0};
    bool ok = serve_array_of(body, "messages", 1, &messages, problem), assistant = false;
    if (ok && system.at) {
        px_buf text = {0};
        ok = serve_parts_of(system, " text ", "\n", &text, "system", problem);
        if (ok && text.len > 0) {
            serve_turns_open(&turns, "system");
            serve_turns_text(&turns, "content", text.data, text.len);
            serve_turns_close(&turns);
        }
        px_buf_clear(&text);
    }
    if (ok) {
        px_json_walk walk = px_json_each(messages);
        for (int i = 0; ok && px_json_next(&walk, NULL, &message); i++)
            ok = take_message(&turns, message, i, &assistant, problem);
    }
    if (ok) {
        job->request.continue_final = assistant;
        return serve_turns_give(&turns, job, problem);
    }
    serve_turns_clear(&turns);
    return false;
}

/* ------------------------------------------------------------------ tools */

static bool take_tool(px_json tool, int i, px_buf *out, serve_problem *problem)
{
    px_json type = serve_member(tool, "type"), name = px_json_find(tool, "name");
    px_json about = serve_member(tool, "description"), schema = px_json_find(tool, "input_schema");
    char where[64];
    snprintf(where, sizeof where, "tools[%d]", i);
    if (type.at && !serve_is(type, "custom"))
        return serve_refuse(problem, 400, where,
                            "'%s' is of type %.*s, which runs at Anthropic; pith takes tools with "
                            "'name' and 'input_schema' that the client runs",
                            where, PX_STR_ARG(serve_slice(type)));
    if (px_json_type_of(name) != PX_JSON_STRING)
        return serve_refuse(problem, 400, where, "'%s' has no 'name'", where);
    if (about.at && px_json_type_of(about) != PX_JSON_STRING)
        return serve_refuse_type(problem, where, about, "a string as 'description'");
    if (px_json_type_of(schema) != PX_JSON_OBJECT) {
        snprintf(where, sizeof where, "tools[%d].input_schema", i);
        return serve_refuse_type(problem, where, schema, "an object");
    }
    px_str text = serve_slice(name);
    px_buf_puts(out, "{\"type\":\"function\",\"function\":{\"name\":");
    px_buf_put(out, text.data, text.len);
    if (about.at) {
        text = serve_slice(about);
        px_buf_puts(out, ",\"description\":");
        px_buf_put(out, text.data, text.len);
    }
    text = serve_slice(schema);
    px_buf_puts(out, ",\"parameters\":");
    px_buf_put(out, text.data, text.len);
    px_buf_puts(out, "}}");
    return true;
}

static bool take_tool_choice(serve_job *job, px_json choice, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json type = px_json_find(choice, "type");
    bool alone = false;
    if (px_json_type_of(choice) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, "tool_choice", choice, "an object with 'type'");
    if (serve_is(type, "auto")) {
        r->tool_choice = SERVE_TOOLS_AUTO;
    } else if (serve_is(type, "any")) {
        r->tool_choice = SERVE_TOOLS_REQUIRED;
    } else if (serve_is(type, "none")) {
        r->tool_choice = SERVE_TOOLS_NONE;
    } else if (serve_is(type, "tool")) {
        r->tool_choice = SERVE_TOOLS_NAMED;
        if (!serve_get_text(job, choice, "name", &r->tool_name, problem))
            return false;
        if (r->tool_name.len == 0)
            return serve_refuse(problem, 400, "tool_choice.name",
                                "'tool_choice' of type \"tool\" has no 'name'");
    } else {
        return serve_refuse(
            problem, 400, "tool_choice.type",
            "'tool_choice.type' is %.*s, expected \"auto\", \"any\", \"tool\" or \"none\"",
            PX_STR_ARG(serve_shown(type)));
    }
    if (!serve_get_bool(choice, "disable_parallel_tool_use", &alone, problem))
        return false;
    r->single_call = alone;
    return true;
}

static bool take_tools(serve_job *job, px_json body, serve_problem *problem)
{
    px_json choice = serve_member(body, "tool_choice");
    int n;
    if (!serve_take_tools(job, body, take_tool, &n, problem))
        return false;
    if (choice.at && n == 0)
        return serve_refuse(problem, 400, "tool_choice", "'tool_choice' is given without 'tools'");
    return !choice.at || take_tool_choice(job, choice, problem);
}

/* ------------------------------------------------------------------ the rest */

/* Thinking is off unless it is asked for, as the API has it: a template that thinks by itself would
 * spend a small max_tokens before the first word of the answer. */
static bool take_thinking(serve_job *job, px_json body, serve_problem *problem)
{
    px_json thinking = serve_member(body, "thinking");
    px_json type = px_json_find(thinking, "type");
    int64_t budget = 0;
    job->request.think = 0;
    if (!thinking.at)
        return true;
    if (px_json_type_of(thinking) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, "thinking", thinking, "an object with 'type'");
    if (!serve_get_int(thinking, "budget_tokens", 1, 1 << 26, &budget, problem))
        return false;
    if (serve_is(type, "enabled")) {
        job->request.think = 1;
        job->request.think_budget = budget > 0 ? budget : -1;
    } else if (serve_is(type, "adaptive") || serve_is(type, "between_tools"))
        job->request.think = -1;
    else if (!serve_is(type, "disabled"))
        return serve_refuse(problem, 400, "thinking.type",
                            "'thinking.type' is none of \"enabled\", \"adaptive\", \"disabled\"");
    return true;
}

/* {"type":"json_schema","schema":{...}} in output_config.format, or in output_format as the API had
 * it before. */
static bool take_format(serve_job *job, px_json format, const char *where, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json schema = px_json_find(format, "schema");
    char name[64];
    if (!format.at)
        return true;
    if (!serve_is(px_json_find(format, "type"), "json_schema"))
        return serve_refuse(problem, 400, where, "'%s.type' is not \"json_schema\"", where);
    snprintf(name, sizeof name, "%s.schema", where);
    if (px_json_type_of(schema) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, name, schema, "an object");
    r->format = SERVE_JSON_SCHEMA;
    r->format_text = serve_slice(schema);
    return true;
}

static bool take_output_config(serve_job *job, px_json body, serve_problem *problem)
{
    px_json config = serve_member(body, "output_config");
    if (config.at && px_json_type_of(config) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, "output_config", config, "an object");
    return serve_get_text(job, config, "effort", &job->request.effort, problem) &&
           take_format(job, serve_member(body, "output_format"), "output_format", problem) &&
           take_format(job, serve_member(config, "format"), "output_config.format", problem);
}

static bool parse_prompt(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    r->kind = SERVE_CHAT;
    r->n = 1;
    if (!serve_get_text(job, body, "model", &r->model, problem))
        return false;
    if (r->model.len == 0)
        return serve_refuse(problem, 400, "model", "'model' is missing");
    return take_messages(job, body, problem) && take_tools(job, body, problem) &&
           take_thinking(job, body, problem);
}

bool serve_anthropic_parse(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    if (!parse_prompt(job, body, problem))
        return false;
    r->max_tokens = 0;
    if (!serve_get_int(body, "max_tokens", 1, 1 << 26, &r->max_tokens, problem))
        return false;
    if (r->max_tokens == 0)
        return serve_refuse(problem, 400, "max_tokens", "'max_tokens' is missing");
    return take_output_config(job, body, problem) &&
           serve_get_bool(body, "stream", &r->stream, problem) &&
           serve_get_knob(job, body, "temperature", SERVE_TEMPERATURE, problem) &&
           serve_get_knob(job, body, "top_p", SERVE_TOP_P, problem) &&
           serve_get_knob(job, body, "top_k", SERVE_TOP_K, problem) &&
           serve_get_stops(job, body, "stop_sequences", SERVE_MAX_STOPS, problem);
}

bool serve_anthropic_parse_count(serve_job *job, px_json body, serve_problem *problem)
{
    if (!parse_prompt(job, body, problem))
        return false;
    job->request.max_tokens = 0;
    return true;
}

/* Clients ask for thinking by the model's name that they believe in; refusing would lock them out.
 */
bool serve_anthropic_check(serve_server *server, serve_job *job, serve_problem *problem)
{
    (void)problem;
    if (job->request.think == 1 && !(pith_model_capabilities(job->model->model) & PITH_CAN_THINK))
        serve_log_note(server, "thinking was asked of model '%s', whose template has none",
                       job->model->name);
    return true;
}

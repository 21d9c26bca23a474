/* ollama_request: bodies of /api/generate, /api/chat, /api/embed and /api/embeddings become
 * requests. See ollama.h. */
#include "serve/log.h"
#include "serve/models.h"
#include "serve/ollama.h"
#include "serve/server.h"
#include "serve/turns.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ options */

static bool take_limits(serve_job *job, px_json options, serve_problem *problem)
{
    serve_request *r = &job->request;
    serve_ollama_state *s = job->state;
    int64_t keep = r->n_keep, seed = -1;
    if (!serve_get_int(options, "num_ctx", 0, 1 << 26, &s->num_ctx, problem) ||
        !serve_get_int(options, "num_predict", -2, 1 << 26, &r->max_tokens, problem) ||
        !serve_get_int(options, "num_keep", -1, 1 << 26, &keep, problem) ||
        !serve_get_int(options, "seed", INT64_MIN, INT64_MAX, &seed, problem))
        return false;
    r->n_keep = (int32_t)(keep < 0 ? 1 << 26 : keep);
    r->seed = seed < 0 ? PITH_SEED_RANDOM : (uint64_t)seed;
    return serve_get_stops(job, options, "stop", SERVE_MAX_STOPS, problem);
}

static bool take_options(serve_job *job, px_json body, serve_problem *problem)
{
    px_json options = serve_member(body, "options");
    if (!options.at)
        return true;
    if (px_json_type_of(options) != PX_JSON_OBJECT)
        return serve_refuse_type(problem, "options", options, "an object");
    bool ok = take_limits(job, options, problem) && serve_get_knobs(job, options, problem);
    if (!ok) {
        char text[sizeof problem->text];
        snprintf(text, sizeof text, "options: %.1000s", problem->text);
        memcpy(problem->text, text, sizeof text);
    }
    return ok;
}

/* ------------------------------------------------------------------ members that several have */

/* "" or null: free; "json": any object; an object: a JSON schema. */
static bool take_format(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json format = serve_member(body, "format");
    if (!format.at || serve_is(format, ""))
        return true;
    if (serve_is(format, "json")) {
        r->format = SERVE_JSON_OBJECT;
    } else if (px_json_type_of(format) == PX_JSON_OBJECT) {
        r->format = SERVE_JSON_SCHEMA;
        r->format_text = serve_slice(format);
    } else {
        return serve_refuse(problem, 400, "format",
                            "'format' is %.*s, expected \"json\" or a JSON schema as an object",
                            PX_STR_ARG(serve_slice(format)));
    }
    return true;
}

static bool take_think(serve_job *job, px_json body, serve_problem *problem)
{
    static const char *const LEVELS[] = {"low", "medium", "high", "max"};
    serve_request *r = &job->request;
    serve_ollama_state *s = job->state;
    px_json think = serve_member(body, "think");
    bool on = false;
    if (!think.at)
        return true;
    if (px_json_get_bool(think, &on)) {
        r->think = on;
        s->thinks = on;
        return true;
    }
    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++)
        if (serve_is(think, LEVELS[i])) {
            r->think = 1;
            s->thinks = true;
            r->effort = px_str_of(LEVELS[i]);
            return true;
        }
    return serve_refuse(problem, 400, "think",
                        "'think' is %.*s, expected true, false, \"low\", \"medium\", \"high\" or "
                        "\"max\"",
                        PX_STR_ARG(serve_slice(think)));
}

/* truncate: a prompt that is too long loses its beginning; shift: an answer that fills the context
 * goes on while the beginning is forgotten. Both are on unless switched off. */
static bool take_overflow(serve_job *job, px_json body, serve_problem *problem)
{
    bool truncate = true, shift = true;
    if (!serve_get_bool(body, "truncate", &truncate, problem) ||
        !serve_get_bool(body, "shift", &shift, problem))
        return false;
    job->request.overflow = !truncate ? PITH_OVERFLOW_ERROR
                            : shift   ? PITH_OVERFLOW_SHIFT
                                      : PITH_OVERFLOW_TRUNCATE;
    return true;
}

static bool take_logprobs(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    serve_ollama_state *s = job->state;
    int64_t top = 0;
    if (!serve_get_bool(body, "logprobs", &s->wants_logprobs, problem) ||
        !serve_get_int(body, "top_logprobs", 0, 20, &top, problem))
        return false;
    r->logprobs = s->wants_logprobs;
    r->n_top = (int)top;
    return true;
}

static bool refuse_images(px_json object, const char *where, serve_problem *problem)
{
    if (px_json_count(px_json_find(object, "images")) == 0)
        return true;
    return serve_refuse(problem, 400, where,
                        "'%s' holds images, and pith reads text only: this model has no vision",
                        where);
}

/* What all bodies have; defaults as Ollama's. */
static bool begin(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    r->n = 1;
    r->max_tokens = -1;
    r->n_keep = 4;
    if (!serve_get_text(job, body, "model", &r->model, problem))
        return false;
    if (r->model.len == 0)
        return serve_refuse(problem, 400, "model", "'model' is required");
    return serve_get_keep_alive(job, body, "keep_alive", problem) &&
           take_options(job, body, problem);
}

static bool begin_answer(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    r->stream = true;
    return begin(job, body, problem) && serve_get_bool(body, "stream", &r->stream, problem) &&
           take_format(job, body, problem) && take_think(job, body, problem) &&
           take_overflow(job, body, problem) && take_logprobs(job, body, problem);
}

/* Nothing to answer: the model is opened, or closed when keep_alive is 0. */
static bool only_load(serve_job *job)
{
    serve_request *r = &job->request;
    serve_ollama_state *s = job->state;
    r->kind = SERVE_LOAD;
    r->stream = false;
    s->unload = r->has_keep_alive && r->keep_alive == 0;
    return true;
}

/* ------------------------------------------------------------------ generate */

/* A template of Ollama's is in Go's language, which pith does not run; and one of Jinja would let
 * the text of a message forge a turn. */
static bool refuse_template(px_json body, serve_problem *problem)
{
    px_json v = serve_member(body, "template");
    return !v.at || serve_is(v, "") ||
           serve_refuse(
               problem, 400, "template",
               "'template' is not taken from a request: pith runs the model's own template; "
               "leave it out, or give raw prompts with \"raw\": true");
}

/* Tokens of an earlier exchange, which this one continues. */
static bool take_context(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json context = serve_member(body, "context"), value;
    if (!context.at)
        return true;
    if (px_json_type_of(context) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, "context", context, "an array of tokens");
    size_t n = (size_t)px_json_count(context), i = 0;
    int32_t *ids = PX_NEW(&job->arena, int32_t, n + 1);
    if (!ids)
        return serve_refuse_memory(problem);
    px_json_walk walk = px_json_each(context);
    for (; px_json_next(&walk, NULL, &value); i++) {
        int64_t id;
        if (!px_json_get_int(value, &id) || id < 0 || id > INT32_MAX)
            return serve_refuse(problem, 400, "context",
                                "'context[%zu]' is %.*s, expected a token of an earlier answer", i,
                                PX_STR_ARG(serve_slice(value)));
        ids[i] = (int32_t)id;
    }
    r->prefix = ids;
    r->n_prefix = (int64_t)n;
    return true;
}

static bool take_plain(serve_job *job, px_str prompt, serve_problem *problem)
{
    serve_request *r = &job->request;
    r->kind = SERVE_TEXT;
    r->special = true;
    r->inputs = PX_ZNEW(&job->arena, serve_input, 1);
    if (!r->inputs)
        return serve_refuse_memory(problem);
    r->n_inputs = 1;
    r->inputs[0].text = prompt;
    return true;
}

bool serve_ollama_parse_generate(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    serve_ollama_state *s = job->state;
    px_str prompt = {0}, system = {0};
    bool raw = false;
    s->generate = true;
    if (!begin_answer(job, body, problem) || !serve_get_bool(body, "raw", &raw, problem) ||
        !serve_get_text(job, body, "prompt", &prompt, problem) ||
        !serve_get_text(job, body, "system", &system, problem) ||
        !serve_get_text(job, body, "suffix", &r->suffix, problem) ||
        !refuse_images(body, "images", problem) || !refuse_template(body, problem) ||
        !take_context(job, body, problem))
        return false;
    if (raw && (system.len > 0 || r->n_prefix > 0))
        return serve_refuse(problem, 400, "raw",
                            "'raw' is true: 'system' and 'context' have no place then");
    if (prompt.len == 0)
        return only_load(job);
    if (raw || r->suffix.len > 0) {
        r->suffixed = r->suffix.len > 0;
        return take_plain(job, prompt, problem);
    }
    serve_turns turns = {0};
    r->kind = SERVE_CHAT;
    r->keep_tokens = s->tells_context = true;
    if (system.len > 0) {
        serve_turns_open(&turns, "system");
        serve_turns_text(&turns, "content", system.data, system.len);
        serve_turns_close(&turns);
    }
    serve_turns_open(&turns, "user");
    serve_turns_text(&turns, "content", prompt.data, prompt.len);
    serve_turns_close(&turns);
    return serve_turns_give(&turns, job, problem);
}

/* ------------------------------------------------------------------ chat */

/* [{"id","function":{"name","arguments":{}}}]: OpenAI's form, but that arguments are an object and
 * ids may be missing, which is fine further on. */
static bool take_calls(serve_turns *turns, px_json calls, const char *where, serve_problem *problem)
{
    px_json call;
    if (px_json_type_of(calls) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, where, calls, "an array");
    px_json_walk walk = px_json_each(calls);
    while (px_json_next(&walk, NULL, &call)) {
        px_json function = px_json_find(call, "function");
        if (px_json_type_of(px_json_find(function, "name")) != PX_JSON_STRING)
            return serve_refuse(problem, 400, where, "'%s' has a call without 'function.name'",
                                where);
        if (px_json_type_of(px_json_find(function, "arguments")) != PX_JSON_OBJECT)
            return serve_refuse(problem, 400, where,
                                "'%s' has a call whose 'function.arguments' are no object", where);
    }
    if (px_json_count(calls) > 0)
        serve_turns_json(turns, "tool_calls", serve_slice(calls));
    return true;
}

static bool take_message(serve_turns *turns, px_json message, int i, bool *assistant,
                         serve_problem *problem)
{
    static const char *const ROLES[] = {"user", "assistant", "system", "tool"};
    static const struct {
        const char *from, *to;
    } TEXTS[] = {{"content", "content"},
                 {"thinking", "reasoning_content"},
                 {"tool_name", "name"},
                 {"tool_call_id", "tool_call_id"}};
    px_json role = px_json_find(message, "role"), calls = serve_member(message, "tool_calls");
    char where[64];
    size_t k = 0;
    while (k < sizeof ROLES / sizeof *ROLES && !serve_is(role, ROLES[k]))
        k++;
    snprintf(where, sizeof where, "messages[%d].role", i);
    if (k == sizeof ROLES / sizeof *ROLES)
        return serve_refuse(
            problem, 400, where,
            "'%s' is %.*s, expected \"system\", \"user\", \"assistant\" or \"tool\"", where,
            PX_STR_ARG(serve_shown(role)));
    *assistant = k == 1 && !calls.at;
    serve_turns_open(turns, ROLES[k]);
    for (size_t t = 0; t < sizeof TEXTS / sizeof *TEXTS; t++) {
        px_json v = serve_member(message, TEXTS[t].from);
        px_buf text = {0};
        bool ok = true;
        if (!v.at && t > 0)
            continue;
        snprintf(where, sizeof where, "messages[%d].%s", i, TEXTS[t].from);
        if (v.at)
            ok = serve_text_of(v, &text, where, problem);
        if (ok)
            serve_turns_text(turns, TEXTS[t].to, text.data, text.len);
        px_buf_clear(&text);
        if (!ok)
            return false;
    }
    snprintf(where, sizeof where, "messages[%d].images", i);
    if (!refuse_images(message, where, problem))
        return false;
    snprintf(where, sizeof where, "messages[%d].tool_calls", i);
    if (calls.at && !take_calls(turns, calls, where, problem))
        return false;
    serve_turns_close(turns);
    return true;
}

/* "auto", "required", "none" or {"function":{"name"}}: Ollama has no such member, but its users ask
 * for it. */
static bool take_tool_choice(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json choice = serve_member(body, "tool_choice");
    px_json function = px_json_find(choice, "function");
    if (!choice.at || serve_is(choice, "auto"))
        return true;
    if (serve_is(choice, "required")) {
        r->tool_choice = SERVE_TOOLS_REQUIRED;
    } else if (serve_is(choice, "none")) {
        r->tool_choice = SERVE_TOOLS_NONE;
    } else if (px_json_type_of(px_json_find(function, "name")) == PX_JSON_STRING) {
        r->tool_choice = SERVE_TOOLS_NAMED;
        return serve_get_text(job, function, "name", &r->tool_name, problem);
    } else {
        return serve_refuse(problem, 400, "tool_choice",
                            "'tool_choice' is %.*s, expected \"auto\", \"required\", \"none\" or "
                            "{\"function\": {\"name\": ...}}",
                            PX_STR_ARG(serve_slice(choice)));
    }
    return true;
}

bool serve_ollama_parse_chat(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json messages = serve_member(body, "messages"), tools = serve_member(body, "tools"), message;
    serve_turns turns = {0};
    bool assistant = false, ok;
    if (!begin_answer(job, body, problem))
        return false;
    if (messages.at && px_json_type_of(messages) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, "messages", messages, "an array");
    if (tools.at && px_json_type_of(tools) != PX_JSON_ARRAY)
        return serve_refuse_type(problem, "tools", tools, "an array");
    if (px_json_count(messages) == 0)
        return only_load(job);
    r->kind = SERVE_CHAT;
    if (px_json_count(tools) > 0)
        r->tools = serve_slice(tools);
    if (!take_tool_choice(job, body, problem))
        return false;
    px_json_walk walk = px_json_each(messages);
    ok = true;
    for (int i = 0; ok && px_json_next(&walk, NULL, &message); i++)
        ok = take_message(&turns, message, i, &assistant, problem);
    r->continue_final = assistant;
    if (ok)
        return serve_turns_give(&turns, job, problem);
    serve_turns_clear(&turns);
    return false;
}

/* ------------------------------------------------------------------ embeddings */

bool serve_ollama_parse_embed(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    r->kind = SERVE_EMBED;
    r->truncate_input = true;
    bool ok = begin(job, body, problem);
    r->max_tokens = 0;
    if (!ok || !serve_get_bool(body, "truncate", &r->truncate_input, problem) ||
        !serve_get_int(body, "dimensions", 0, 1 << 20, &r->dimensions, problem))
        return false;
    px_json input = serve_member(body, "input");
    if (!input.at || (px_json_type_of(input) == PX_JSON_ARRAY && px_json_count(input) == 0))
        return only_load(job);
    return serve_get_inputs(job, body, "input", problem);
}

bool serve_ollama_parse_embeddings(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_str prompt = {0};
    r->kind = SERVE_EMBED;
    r->truncate_input = true;
    bool ok = begin(job, body, problem);
    r->max_tokens = 0;
    if (!ok || !serve_get_text(job, body, "prompt", &prompt, problem))
        return false;
    if (prompt.len == 0)
        return only_load(job);
    return serve_get_inputs(job, body, "prompt", problem);
}

/* ------------------------------------------------------------------ once the model is known */

bool serve_ollama_check(serve_server *server, serve_job *job, serve_problem *problem)
{
    serve_request *r = &job->request;
    const serve_ollama_state *s = job->state;
    if (s->thinks && !(pith_model_capabilities(job->model->model) & PITH_CAN_THINK))
        return serve_refuse(problem, 400, "think",
                            "\"%s\" does not support thinking; leave 'think' out", r->model.data);
    int64_t most = server->options.runner.n_ctx;
    if (most == 0)
        most = job->model->info.n_ctx_train;
    if (s->num_ctx > most)
        serve_log_note(server,
                       "num_ctx %lld is more than the %lld that model '%s' is served with (--ctx): "
                       "%lld it is",
                       (long long)s->num_ctx, (long long)most, job->model->name, (long long)most);
    if (s->num_ctx > 0 && s->num_ctx < most)
        r->n_ctx = s->num_ctx;
    return true;
}

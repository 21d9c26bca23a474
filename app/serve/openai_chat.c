/* openai_chat: POST /v1/chat/completions. */
#include "base/mem.h"
#include "serve/models.h"
#include "serve/openai.h"

#include <string.h>

/* ---- reading */

static bool get_tools(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json tools = px_json_find(body, "tools"), choice = px_json_find(body, "tool_choice");
    px_json_type type = px_json_type_of(tools);
    bool parallel = true;
    if (type == PX_JSON_ARRAY && px_json_count(tools) > 0)
        r->tools = serve_slice(tools);
    else if (type != PX_JSON_NONE && type != PX_JSON_NULL && type != PX_JSON_ARRAY)
        return serve_refuse(problem, 400, "tools", "'tools' is %s, expected an array",
                            px_json_type_name(type));
    if (!serve_get_bool(body, "parallel_tool_calls", &parallel, problem))
        return false;
    r->single_call = !parallel;
    if (px_json_is(choice, px_str_of("none"))) {
        r->tool_choice = SERVE_TOOLS_NONE;
    } else if (px_json_is(choice, px_str_of("required"))) {
        r->tool_choice = SERVE_TOOLS_REQUIRED;
    } else if (px_json_type_of(choice) == PX_JSON_OBJECT) {
        px_json function = px_json_find(choice, "function");
        r->tool_choice = SERVE_TOOLS_NAMED;
        if (!serve_get_text(job, function, "name", &r->tool_name, problem))
            return false;
        if (r->tool_name.len == 0)
            return serve_refuse(
                problem, 400, "tool_choice",
                "'tool_choice' names no function, expected {\"type\": \"function\", "
                "\"function\": {\"name\": \"...\"}}");
    } else if (px_json_type_of(choice) > PX_JSON_NULL && !px_json_is(choice, px_str_of("auto"))) {
        return serve_refuse(
            problem, 400, "tool_choice",
            "'tool_choice' is %.*s, expected \"none\", \"auto\", \"required\" or an object",
            PX_STR_ARG(serve_slice(choice)));
    }
    if (r->tool_choice >= SERVE_TOOLS_REQUIRED && r->tools.len == 0)
        return serve_refuse(problem, 400, "tool_choice",
                            "'tool_choice' asks for a call, and there are no 'tools'");
    return true;
}

static bool get_messages(serve_job *job, px_json body, serve_problem *problem)
{
    px_json messages = px_json_find(body, "messages");
    if (px_json_type_of(messages) != PX_JSON_ARRAY)
        return serve_refuse(problem, 400, "messages", "'messages' is %s, expected an array",
                            px_json_type_name(px_json_type_of(messages)));
    if (px_json_count(messages) == 0)
        return serve_refuse(problem, 400, "messages",
                            "'messages' is empty, expected at least one message");
    job->request.messages = serve_slice(messages);
    return true;
}

static bool get_logprobs(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    int64_t n = 0;
    if (!serve_get_bool(body, "logprobs", &r->logprobs, problem) ||
        !serve_get_int(body, "top_logprobs", 0, 20, &n, problem))
        return false;
    if (n > 0 && !r->logprobs)
        return serve_refuse(problem, 400, "top_logprobs", "'top_logprobs' needs 'logprobs': true");
    r->n_top = (int)n;
    return true;
}

/* As llama-server has it: "none" leaves thoughts in the content as the model wrote them. */
static bool get_reasoning_format(serve_job *job, px_json body, serve_problem *problem)
{
    px_json v = px_json_find(body, "reasoning_format");
    if (px_json_is(v, px_str_of("none")))
        job->request.keep_reasoning = true;
    else if (px_json_type_of(v) > PX_JSON_NULL && !px_json_is(v, px_str_of("auto")) &&
             !px_json_is(v, px_str_of("deepseek")))
        return serve_refuse(problem, 400, "reasoning_format",
                            "'reasoning_format' is %.*s, expected \"auto\" (thoughts in "
                            "'reasoning_content') or \"none\" (in 'content')",
                            PX_STR_ARG(serve_slice(v)));
    return true;
}

static bool get_template(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json vars = px_json_find(body, "chat_template_kwargs");
    bool generation = true;
    if (px_json_type_of(vars) > PX_JSON_NULL && px_json_type_of(vars) != PX_JSON_OBJECT)
        return serve_refuse(problem, 400, "chat_template_kwargs",
                            "'chat_template_kwargs' is %s, expected an object",
                            px_json_type_name(px_json_type_of(vars)));
    if (px_json_type_of(vars) == PX_JSON_OBJECT)
        r->template_vars = serve_slice(vars);
    if (!serve_get_bool(body, "continue_final_message", &r->continue_final, problem) ||
        !serve_get_bool(body, "add_generation_prompt", &generation, problem) ||
        !serve_get_text(job, body, "reasoning_effort", &r->effort, problem) ||
        !serve_get_int(body, "thinking_budget_tokens", -1, 1 << 26, &r->think_budget, problem))
        return false;
    if (px_str_is(r->effort, "none"))
        r->think = 0;
    if (!generation && !r->continue_final)
        return serve_refuse(
            problem, 400, "add_generation_prompt",
            "'add_generation_prompt' is false: an answer is what is asked for here; "
            "leave it out, or set 'continue_final_message'");
    return get_reasoning_format(job, body, problem);
}

static bool parse(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    r->kind = SERVE_CHAT;
    return get_messages(job, body, problem) && serve_openai_sampling(job, body, problem) &&
           serve_get_int(body, "max_completion_tokens", -1, 1 << 26, &r->max_tokens, problem) &&
           get_logprobs(job, body, problem) && get_tools(job, body, problem) &&
           get_template(job, body, problem) && serve_openai_format(job, body, problem);
}

/* ---- writing a stream */

static void chunk_head(const serve_job *job, px_buf *out)
{
    px_buf_printf(
        out,
        "data: {\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion.chunk\",\"created\":%lld,"
        "\"model\":",
        job->tag, (long long)job->created);
    serve_openai_model(job, out);
    px_buf_printf(out, ",\"system_fingerprint\":\"pith-%s\",\"choices\":[", pith_version());
}

static void delta_head(const serve_job *job, int choice, px_buf *out)
{
    chunk_head(job, out);
    px_buf_printf(out, "{\"index\":%d,\"delta\":{", choice);
}

static void tell_role(serve_job *job, int choice, px_buf *out)
{
    serve_openai_state *state = job->state;
    if (state->roles & (1ull << choice))
        return;
    state->roles |= 1ull << choice;
    delta_head(job, choice, out);
    px_buf_puts(
        out,
        "\"role\":\"assistant\",\"content\":null},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}

static void put_call_delta(const serve_event *e, px_buf *out)
{
    px_buf_printf(out, "\"tool_calls\":[{\"index\":%d,", e->call);
    if (e->kind == SERVE_EVENT_CALL) {
        px_buf_puts(out, "\"id\":");
        serve_put_text(out, e->id);
        px_buf_puts(out, ",\"type\":\"function\",\"function\":{\"name\":");
        serve_put_text(out, e->name);
        px_buf_puts(out, ",\"arguments\":\"\"}}]");
    } else {
        px_buf_puts(out, "\"function\":{\"arguments\":");
        serve_put_string(out, e->text, e->len);
        px_buf_puts(out, "}}]");
    }
}

static void event(serve_job *job, const serve_event *e, px_buf *out)
{
    const serve_openai_state *state = job->state;
    const char *finish = NULL;
    if (e->kind == SERVE_EVENT_CALL_END)
        return;
    tell_role(job, e->choice, out);
    delta_head(job, e->choice, out);
    if (e->kind == SERVE_EVENT_CONTENT || e->kind == SERVE_EVENT_REASONING) {
        px_buf_puts(out,
                    e->kind == SERVE_EVENT_CONTENT ? "\"content\":" : "\"reasoning_content\":");
        serve_put_string(out, e->text, e->len);
    } else if (e->kind == SERVE_EVENT_FINISH) {
        finish = serve_openai_finish(job->choices[e->choice].finish);
    } else {
        put_call_delta(e, out);
    }
    px_buf_puts(out, "},\"logprobs\":");
    if (e->n_logprobs > 0)
        serve_openai_logprobs(job, e->choice, e->first_logprob, e->n_logprobs, out);
    else
        px_buf_puts(out, "null");
    if (finish)
        px_buf_printf(out, ",\"finish_reason\":\"%s\"}]", finish);
    else
        px_buf_puts(out, ",\"finish_reason\":null}]");
    if (finish && state->timings)
        serve_openai_timings(job, out);
    px_buf_puts(out, "}\n\n");
}

static void end(serve_job *job, px_buf *out)
{
    const serve_openai_state *state = job->state;
    if (state->include_usage) {
        chunk_head(job, out);
        px_buf_puts(out, "],\"usage\":");
        serve_openai_usage(job, out);
        serve_openai_timings(job, out);
        px_buf_puts(out, "}\n\n");
    }
    px_buf_puts(out, "data: [DONE]\n\n");
}

/* ---- writing a whole answer */

static void put_calls(const serve_choice *c, px_buf *out)
{
    px_buf_puts(out, ",\"tool_calls\":[");
    for (int i = 0; i < c->n_calls; i++) {
        px_buf_puts(out, i > 0 ? ",{\"id\":" : "{\"id\":");
        serve_put_text(out, c->calls[i].id);
        px_buf_puts(out, ",\"type\":\"function\",\"function\":{\"name\":");
        serve_put_text(out, c->calls[i].name);
        px_buf_puts(out, ",\"arguments\":");
        serve_put_string(out, c->calls[i].arguments.data ? c->calls[i].arguments.data : "",
                         c->calls[i].arguments.len);
        px_buf_puts(out, "}}");
    }
    px_buf_putc(out, ']');
}

static void put_choice(const serve_job *job, int i, px_buf *out)
{
    const serve_choice *c = &job->choices[i];
    px_buf_printf(out, "%s{\"index\":%d,\"message\":{\"role\":\"assistant\",\"content\":",
                  i > 0 ? "," : "", i);
    if (c->n_calls > 0 && c->content.len == 0)
        px_buf_puts(out, "null");
    else
        serve_put_string(out, c->content.data ? c->content.data : "", c->content.len);
    px_buf_puts(out, ",\"refusal\":null");
    if (c->reasoning.len > 0) {
        px_buf_puts(out, ",\"reasoning_content\":");
        serve_put_string(out, c->reasoning.data, c->reasoning.len);
    }
    if (c->n_calls > 0)
        put_calls(c, out);
    px_buf_puts(out, "},\"logprobs\":");
    if (job->request.logprobs)
        serve_openai_logprobs(job, i, 0, c->n_logprobs, out);
    else
        px_buf_puts(out, "null");
    px_buf_printf(out, ",\"finish_reason\":\"%s\"}", serve_openai_finish(c->finish));
}

static void whole(serve_job *job, px_buf *out)
{
    px_buf_printf(
        out, "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":",
        job->tag, (long long)job->created);
    serve_openai_model(job, out);
    px_buf_printf(out, ",\"system_fingerprint\":\"pith-%s\",\"choices\":[", pith_version());
    for (int i = 0; i < job->n_choices; i++)
        put_choice(job, i, out);
    px_buf_puts(out, "],\"usage\":");
    serve_openai_usage(job, out);
    serve_openai_timings(job, out);
    px_buf_putc(out, '}');
}

const serve_dialect serve_openai_chat = {
    .name = "openai.chat",
    .stream_type = "text/event-stream",
    .state_bytes = sizeof(serve_openai_state),
    .parse = parse,
    .event = event,
    .end = end,
    .broken = serve_openai_broken,
    .whole = whole,
    .error = serve_openai_error,
};

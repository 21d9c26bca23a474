/* responses_reply: answers of /v1/responses, whole and as events. See responses.h.
 *
 * What is streamed is a list of items; the list is kept in the state, so that the response at the
 * end has the same items under the same ids: ITEM_<tag>_<number>. */
#include "serve/responses.h"
#include "serve/turns.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ one item */

static void put_id(const serve_job *job, const serve_item *item, int index, px_buf *out)
{
    const char *prefix = item->kind == SERVE_ITEM_MESSAGE     ? "msg"
                         : item->kind == SERVE_ITEM_REASONING ? "rs"
                                                              : "fc";
    px_buf_printf(out, "\"%s_%s_%d\"", prefix, job->tag, index);
}

static px_str text_of(const serve_job *job, const serve_item *item)
{
    const serve_choice *c = &job->choices[0];
    const px_buf *all = item->kind == SERVE_ITEM_REASONING ? &c->reasoning : &c->content;
    return (px_str){.data = all->data ? all->data + item->from : "", .len = item->to - item->from};
}

static void put_logprobs(const serve_job *job, const serve_item *item, px_buf *out)
{
    const serve_responses_state *s = job->state;
    px_buf_puts(out, "\"logprobs\":");
    if (s->wants_logprobs)
        serve_put_logprobs(out, job, &job->choices[0], item->first_logprob, item->n_logprobs);
    else
        px_buf_puts(out, "[]");
}

/* {"type":"output_text",..} or {"type":"reasoning_text",..}; empty while it is begun. */
static void put_part(const serve_job *job, const serve_item *item, bool done, px_buf *out)
{
    px_str text = done ? text_of(job, item) : (px_str){"", 0};
    bool reasoning = item->kind == SERVE_ITEM_REASONING;
    px_buf_printf(out, "{\"type\":\"%s\",\"text\":", reasoning ? "reasoning_text" : "output_text");
    serve_put_string(out, text.data, text.len);
    if (!reasoning) {
        px_buf_puts(out, ",\"annotations\":[],");
        if (done)
            put_logprobs(job, item, out);
        else
            px_buf_puts(out, "\"logprobs\":[]");
    }
    px_buf_putc(out, '}');
}

static void put_arguments(const serve_job *job, const serve_item *item, bool done, px_buf *out)
{
    const serve_tool_call *call = &job->choices[0].calls[item->call];
    px_buf_puts(out, "\"arguments\":");
    serve_put_string(out, done && call->arguments.data ? call->arguments.data : "",
                     done ? call->arguments.len : 0);
}

/* The item as it stands when it is begun (done false) or complete. */
static void put_item(const serve_job *job, int index, bool done, px_buf *out)
{
    const serve_responses_state *s = job->state;
    const serve_item *item = &s->items[index];
    const serve_choice *c = &job->choices[0];
    /* Only the last item can have been cut off. */
    bool cut = done && index == s->n_items - 1 && c->finish == SERVE_FINISH_LENGTH;
    px_buf_puts(out, "{\"id\":");
    put_id(job, item, index, out);
    px_buf_printf(out, ",\"status\":\"%s\"",
                  !done ? "in_progress"
                  : cut ? "incomplete"
                        : "completed");
    if (item->kind == SERVE_ITEM_MESSAGE) {
        px_buf_puts(out, ",\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
        if (done)
            put_part(job, item, true, out);
        px_buf_putc(out, ']');
    } else if (item->kind == SERVE_ITEM_REASONING) {
        px_buf_puts(out, ",\"type\":\"reasoning\",\"summary\":[],\"content\":[");
        if (done)
            put_part(job, item, true, out);
        px_buf_putc(out, ']');
    } else {
        px_buf_puts(out, ",\"type\":\"function_call\",\"call_id\":");
        serve_put_text(out, c->calls[item->call].id);
        px_buf_puts(out, ",\"name\":");
        serve_put_text(out, c->calls[item->call].name);
        px_buf_putc(out, ',');
        put_arguments(job, item, done, out);
    }
    px_buf_putc(out, '}');
}

/* ------------------------------------------------------------------ the response object */

/* ,"name": the request's own value, or what stands in where it has none. */
static void put_echo(const serve_job *job, const char *name, const char *absent, px_buf *out)
{
    const serve_responses_state *s = job->state;
    px_json v = serve_member(s->body, name);
    px_str text = v.at ? serve_slice(v) : px_str_of(absent);
    px_buf_printf(out, ",\"%s\":", name);
    serve_put_compact(out, text.data, text.len);
}

static void put_echoes(const serve_job *job, px_buf *out)
{
    static const struct {
        const char *name, *absent;
    } ECHOES[] = {
        {"instructions", "null"},
        {"max_output_tokens", "null"},
        {"max_tool_calls", "null"},
        {"metadata", "{}"},
        {"parallel_tool_calls", "true"},
        {"reasoning", "{\"effort\":null,\"summary\":null}"},
        {"temperature", "null"},
        {"text", "{\"format\":{\"type\":\"text\"}}"},
        {"tool_choice", "\"auto\""},
        {"tools", "[]"},
        {"top_p", "null"},
        {"truncation", "\"disabled\""},
        {"user", "null"},
    };
    for (size_t i = 0; i < sizeof ECHOES / sizeof *ECHOES; i++)
        put_echo(job, ECHOES[i].name, ECHOES[i].absent, out);
    px_buf_puts(out, ",\"background\":false,\"store\":false,\"previous_response_id\":null");
}

static void put_usage(const serve_job *job, px_buf *out)
{
    serve_usage u = serve_job_usage(job);
    px_buf_printf(out,
                  "{\"input_tokens\":%lld,\"input_tokens_details\":{\"cached_tokens\":%lld},"
                  "\"output_tokens\":%lld,\"output_tokens_details\":{\"reasoning_tokens\":%lld},"
                  "\"total_tokens\":%lld}",
                  (long long)u.prompt, (long long)u.cached, (long long)u.completion,
                  (long long)u.reasoning, (long long)(u.prompt + u.completion));
}

/* problem: NULL, or what broke it. done: with output and usage. */
static void put_response(const serve_job *job, bool done, const serve_problem *problem, px_buf *out)
{
    const serve_responses_state *s = job->state;
    bool cut = done && !problem && job->choices[0].finish != SERVE_FINISH_STOP &&
               job->choices[0].finish != SERVE_FINISH_TOOL_CALLS;
    const char *status = problem ? "failed"
                         : !done ? "in_progress"
                         : cut   ? "incomplete"
                                 : "completed";
    px_buf_printf(out,
                  "{\"id\":\"resp_%s\",\"object\":\"response\",\"created_at\":%lld,"
                  "\"status\":\"%s\",\"completed_at\":",
                  job->tag, (long long)job->created, status);
    if (done && !cut && !problem)
        px_buf_printf(out, "%lld", (long long)time(NULL));
    else
        px_buf_puts(out, "null");
    px_buf_puts(out, ",\"error\":");
    if (problem) {
        px_buf_puts(out, "{\"code\":\"server_error\",\"message\":");
        serve_put_text(out, problem->text);
        px_buf_putc(out, '}');
    } else {
        px_buf_puts(out, "null");
    }
    px_buf_printf(out, ",\"incomplete_details\":%s,\"model\":",
                  cut ? "{\"reason\":\"max_output_tokens\"}" : "null");
    serve_put_string(out, job->request.model.data, job->request.model.len);
    px_buf_puts(out, ",\"output\":[");
    for (int i = 0; done && i < s->n_items; i++) {
        if (i > 0)
            px_buf_putc(out, ',');
        put_item(job, i, true, out);
    }
    px_buf_putc(out, ']');
    put_echoes(job, out);
    px_buf_puts(out, ",\"usage\":");
    if (done)
        put_usage(job, out);
    else
        px_buf_puts(out, "null");
    px_buf_putc(out, '}');
}

void serve_responses_whole(serve_job *job, px_buf *out)
{
    serve_responses_state *s = job->state;
    const serve_choice *c = &job->choices[0];
    s->n_items = 0;
    if (c->reasoning.len > 0)
        s->items[s->n_items++] = (serve_item){.kind = SERVE_ITEM_REASONING, .to = c->reasoning.len};
    if (c->content.len > 0)
        s->items[s->n_items++] = (serve_item){
            .kind = SERVE_ITEM_MESSAGE, .to = c->content.len, .n_logprobs = c->n_logprobs};
    for (int i = 0; i < c->n_calls && s->n_items < SERVE_MAX_ITEMS; i++)
        s->items[s->n_items++] = (serve_item){.kind = SERVE_ITEM_CALL, .call = i};
    put_response(job, true, NULL, out);
}

/* ------------------------------------------------------------------ events */

static void open_event(serve_job *job, const char *type, px_buf *out)
{
    serve_responses_state *s = job->state;
    px_buf_printf(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%lld", type, type,
                  (long long)s->sequence++);
}

static void close_event(px_buf *out)
{
    px_buf_puts(out, "}\n\n");
}

/* An event about the open item: item_id and output_index, and content_index where it has content.
 */
static void open_item_event(serve_job *job, const char *type, px_buf *out)
{
    serve_responses_state *s = job->state;
    int index = s->n_items - 1;
    open_event(job, type, out);
    px_buf_puts(out, ",\"item_id\":");
    put_id(job, &s->items[index], index, out);
    px_buf_printf(out, ",\"output_index\":%d", index);
    if (s->items[index].kind != SERVE_ITEM_CALL)
        px_buf_puts(out, ",\"content_index\":0");
}

static void put_response_event(serve_job *job, const char *type, bool done,
                               const serve_problem *problem, px_buf *out)
{
    open_event(job, type, out);
    px_buf_puts(out, ",\"response\":");
    put_response(job, done, problem, out);
    close_event(out);
}

void serve_responses_begin(serve_job *job, px_buf *out)
{
    put_response_event(job, "response.created", false, NULL, out);
    put_response_event(job, "response.in_progress", false, NULL, out);
}

static void close_item(serve_job *job, px_buf *out)
{
    serve_responses_state *s = job->state;
    if (!s->open)
        return;
    int index = s->n_items - 1;
    serve_item *item = &s->items[index];
    s->open = false;
    if (item->kind == SERVE_ITEM_CALL) {
        open_item_event(job, "response.function_call_arguments.done", out);
        px_buf_puts(out, ",\"name\":");
        serve_put_text(out, job->choices[0].calls[item->call].name);
        px_buf_putc(out, ',');
        put_arguments(job, item, true, out);
        close_event(out);
    } else {
        px_str text = text_of(job, item);
        bool reasoning = item->kind == SERVE_ITEM_REASONING;
        open_item_event(
            job, reasoning ? "response.reasoning_text.done" : "response.output_text.done", out);
        px_buf_puts(out, ",\"text\":");
        serve_put_string(out, text.data, text.len);
        if (!reasoning) {
            px_buf_putc(out, ',');
            put_logprobs(job, item, out);
        }
        close_event(out);
        open_item_event(job, "response.content_part.done", out);
        px_buf_puts(out, ",\"part\":");
        put_part(job, item, true, out);
        close_event(out);
    }
    open_event(job, "response.output_item.done", out);
    px_buf_printf(out, ",\"output_index\":%d,\"item\":", index);
    put_item(job, index, true, out);
    close_event(out);
}

/* Opens an item of this kind unless it is open; false when there are too many. */
static bool open_item(serve_job *job, serve_item_kind kind, const serve_event *event, px_buf *out)
{
    serve_responses_state *s = job->state;
    const serve_choice *c = &job->choices[0];
    if (s->open && kind != SERVE_ITEM_CALL && s->items[s->n_items - 1].kind == kind)
        return true;
    close_item(job, out);
    if (s->n_items == SERVE_MAX_ITEMS)
        return false;
    /* The choice holds the event's text already. */
    size_t end = kind == SERVE_ITEM_REASONING ? c->reasoning.len : c->content.len;
    size_t from = kind != SERVE_ITEM_CALL && end >= event->len ? end - event->len : end;
    s->items[s->n_items++] = (serve_item){.kind = kind,
                                          .call = event->call,
                                          .from = from,
                                          .to = from,
                                          .first_logprob = event->first_logprob};
    s->open = true;
    open_event(job, "response.output_item.added", out);
    px_buf_printf(out, ",\"output_index\":%d,\"item\":", s->n_items - 1);
    put_item(job, s->n_items - 1, false, out);
    close_event(out);
    if (kind != SERVE_ITEM_CALL) {
        open_item_event(job, "response.content_part.added", out);
        px_buf_puts(out, ",\"part\":");
        put_part(job, &s->items[s->n_items - 1], false, out);
        close_event(out);
    }
    return true;
}

static void put_text(serve_job *job, serve_item_kind kind, const serve_event *event, px_buf *out)
{
    serve_responses_state *s = job->state;
    if ((event->len == 0 && event->n_logprobs == 0) || !open_item(job, kind, event, out))
        return;
    serve_item *item = &s->items[s->n_items - 1];
    item->to += event->len;
    item->n_logprobs += event->n_logprobs;
    open_item_event(job,
                    kind == SERVE_ITEM_REASONING ? "response.reasoning_text.delta"
                                                 : "response.output_text.delta",
                    out);
    px_buf_puts(out, ",\"delta\":");
    serve_put_string(out, event->text, event->len);
    if (kind == SERVE_ITEM_MESSAGE) {
        px_buf_puts(out, ",\"logprobs\":");
        if (s->wants_logprobs)
            serve_put_logprobs(out, job, &job->choices[0], event->first_logprob, event->n_logprobs);
        else
            px_buf_puts(out, "[]");
    }
    close_event(out);
}

void serve_responses_event(serve_job *job, const serve_event *event, px_buf *out)
{
    serve_responses_state *s = job->state;
    switch (event->kind) {
    case SERVE_EVENT_CONTENT:
        put_text(job, SERVE_ITEM_MESSAGE, event, out);
        break;
    case SERVE_EVENT_REASONING:
        put_text(job, SERVE_ITEM_REASONING, event, out);
        break;
    case SERVE_EVENT_CALL:
        open_item(job, SERVE_ITEM_CALL, event, out);
        break;
    case SERVE_EVENT_ARGUMENTS:
        if (event->len == 0 || !s->open || s->items[s->n_items - 1].kind != SERVE_ITEM_CALL)
            break;
        open_item_event(job, "response.function_call_arguments.delta", out);
        px_buf_puts(out, ",\"delta\":");
        serve_put_string(out, event->text, event->len);
        close_event(out);
        break;
    case SERVE_EVENT_CALL_END:
    case SERVE_EVENT_FINISH:
        close_item(job, out);
        break;
    }
}

void serve_responses_end(serve_job *job, px_buf *out)
{
    const serve_choice *c = &job->choices[0];
    bool whole = c->finish == SERVE_FINISH_STOP || c->finish == SERVE_FINISH_TOOL_CALLS;
    close_item(job, out);
    put_response_event(job, whole ? "response.completed" : "response.incomplete", true, NULL, out);
}

void serve_responses_broken(serve_job *job, const serve_problem *problem, px_buf *out)
{
    open_event(job, "error", out);
    px_buf_puts(out, ",\"code\":\"server_error\",\"param\":null,\"message\":");
    serve_put_text(out, problem->text);
    close_event(out);
    put_response_event(job, "response.failed", true, problem, out);
}

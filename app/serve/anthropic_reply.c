/* anthropic_reply: answers of /v1/messages, whole and as a stream of blocks. See anthropic.h. */
#include "serve/anthropic.h"
#include "serve/turns.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ parts of a message */

static void put_usage(const serve_job *job, bool done, px_buf *out)
{
    serve_usage u = serve_job_usage(job);
    px_buf_printf(out,
                  "{\"input_tokens\":%lld,\"cache_creation_input_tokens\":0,"
                  "\"cache_read_input_tokens\":%lld,\"output_tokens\":%lld}",
                  (long long)(u.prompt - u.cached), (long long)u.cached,
                  (long long)(done ? u.completion : 0));
}

/* "stop_reason":..,"stop_sequence":.. */
static void put_stop(const serve_job *job, const serve_choice *c, px_buf *out)
{
    const char *reason = "end_turn";
    bool sequence = c->finish == SERVE_FINISH_STOP && c->stop_index >= 0 &&
                    c->stop_index < job->request.n_stops;
    if (sequence)
        reason = "stop_sequence";
    else if (c->finish == SERVE_FINISH_LENGTH || c->finish == SERVE_FINISH_DEADLINE)
        reason = "max_tokens";
    else if (c->finish == SERVE_FINISH_TOOL_CALLS)
        reason = "tool_use";
    px_buf_printf(out, "\"stop_reason\":\"%s\",\"stop_sequence\":", reason);
    if (sequence)
        serve_put_string(out, job->request.stops[c->stop_index].data,
                         job->request.stops[c->stop_index].len);
    else
        px_buf_puts(out, "null");
}

static void put_head(const serve_job *job, px_buf *out)
{
    px_buf_printf(
        out, "{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", job->tag);
    serve_put_string(out, job->request.model.data, job->request.model.len);
}

/* ------------------------------------------------------------------ a whole answer */

static void put_tool_use(const serve_tool_call *call, px_buf *out)
{
    px_buf_puts(out, "{\"type\":\"tool_use\",\"id\":");
    serve_put_text(out, call->id);
    px_buf_puts(out, ",\"name\":");
    serve_put_text(out, call->name);
    px_buf_puts(out, ",\"input\":");
    serve_put_compact(out, call->arguments.data, call->arguments.len);
    px_buf_putc(out, '}');
}

void serve_anthropic_whole(serve_job *job, px_buf *out)
{
    const serve_choice *c = &job->choices[0];
    const char *comma = "";
    put_head(job, out);
    px_buf_puts(out, ",\"content\":[");
    if (c->reasoning.len > 0) {
        px_buf_puts(out, "{\"type\":\"thinking\",\"thinking\":");
        serve_put_string(out, c->reasoning.data, c->reasoning.len);
        px_buf_puts(out, ",\"signature\":\"\"}");
        comma = ",";
    }
    if (c->content.len > 0) {
        px_buf_printf(out, "%s{\"type\":\"text\",\"text\":", comma);
        serve_put_string(out, c->content.data, c->content.len);
        px_buf_putc(out, '}');
        comma = ",";
    }
    for (int i = 0; i < c->n_calls; i++) {
        /* One that max_tokens cut off has no input that could be handed to a tool. */
        if (!serve_call_is_whole(&c->calls[i]))
            continue;
        px_buf_puts(out, comma);
        put_tool_use(&c->calls[i], out);
        comma = ",";
    }
    px_buf_puts(out, "],");
    put_stop(job, c, out);
    px_buf_puts(out, ",\"usage\":");
    put_usage(job, true, out);
    px_buf_putc(out, '}');
}

/* ------------------------------------------------------------------ a stream */

static void open_event(px_buf *out, const char *type)
{
    px_buf_printf(out, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void close_event(px_buf *out)
{
    px_buf_puts(out, "}\n\n");
}

void serve_anthropic_begin(serve_job *job, px_buf *out)
{
    open_event(out, "message_start");
    px_buf_puts(out, ",\"message\":");
    put_head(job, out);
    px_buf_puts(out, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
    put_usage(job, false, out);
    px_buf_putc(out, '}');
    close_event(out);
    open_event(out, "ping");
    close_event(out);
}

static void close_block(serve_anthropic_state *s, px_buf *out)
{
    if (s->block == SERVE_BLOCK_NONE)
        return;
    if (s->block == SERVE_BLOCK_THINKING) {
        open_event(out, "content_block_delta");
        px_buf_printf(out,
                      ",\"index\":%d,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"\"}",
                      s->index);
        close_event(out);
    }
    open_event(out, "content_block_stop");
    px_buf_printf(out, ",\"index\":%d", s->index);
    close_event(out);
    s->index++;
    s->block = SERVE_BLOCK_NONE;
}

/* Opens a block unless one of this kind is open; a tool's is always a new one. */
static void open_block(serve_anthropic_state *s, serve_block kind, const serve_event *event,
                       px_buf *out)
{
    if (s->block == kind && kind != SERVE_BLOCK_TOOL)
        return;
    close_block(s, out);
    s->block = kind;
    open_event(out, "content_block_start");
    px_buf_printf(out, ",\"index\":%d,\"content_block\":", s->index);
    if (kind == SERVE_BLOCK_TEXT) {
        px_buf_puts(out, "{\"type\":\"text\",\"text\":\"\"}");
    } else if (kind == SERVE_BLOCK_THINKING) {
        px_buf_puts(out, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
    } else {
        px_buf_puts(out, "{\"type\":\"tool_use\",\"id\":");
        serve_put_text(out, event->id ? event->id : "");
        px_buf_puts(out, ",\"name\":");
        serve_put_text(out, event->name ? event->name : "");
        px_buf_puts(out, ",\"input\":{}}");
    }
    close_event(out);
}

static void put_delta(const serve_anthropic_state *s, const char *type, const char *member,
                      const serve_event *event, px_buf *out)
{
    if (event->len == 0)
        return;
    open_event(out, "content_block_delta");
    px_buf_printf(out, ",\"index\":%d,\"delta\":{\"type\":\"%s\",\"%s\":", s->index, type, member);
    serve_put_string(out, event->text, event->len);
    px_buf_putc(out, '}');
    close_event(out);
}

void serve_anthropic_event(serve_job *job, const serve_event *event, px_buf *out)
{
    serve_anthropic_state *s = job->state;
    switch (event->kind) {
    case SERVE_EVENT_CONTENT:
        if (event->len == 0)
            break;
        open_block(s, SERVE_BLOCK_TEXT, event, out);
        put_delta(s, "text_delta", "text", event, out);
        break;
    case SERVE_EVENT_REASONING:
        if (event->len == 0)
            break;
        open_block(s, SERVE_BLOCK_THINKING, event, out);
        put_delta(s, "thinking_delta", "thinking", event, out);
        break;
    case SERVE_EVENT_CALL:
        open_block(s, SERVE_BLOCK_TOOL, event, out);
        break;
    case SERVE_EVENT_ARGUMENTS:
        put_delta(s, "input_json_delta", "partial_json", event, out);
        break;
    case SERVE_EVENT_CALL_END:
    case SERVE_EVENT_FINISH:
        close_block(s, out);
        break;
    }
}

void serve_anthropic_end(serve_job *job, px_buf *out)
{
    close_block(job->state, out);
    open_event(out, "message_delta");
    px_buf_puts(out, ",\"delta\":{");
    put_stop(job, &job->choices[0], out);
    px_buf_puts(out, "},\"usage\":");
    put_usage(job, true, out);
    close_event(out);
    open_event(out, "message_stop");
    close_event(out);
}

/* ------------------------------------------------------------------ errors */

static const char *type_of(const serve_problem *problem)
{
    switch (problem->http) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 503:
        return "overloaded_error";
    case 504:
        return "timeout_error";
    default:
        return problem->http >= 500 && problem->http != 501 ? "api_error" : "invalid_request_error";
    }
}

void serve_anthropic_error(const serve_problem *problem, px_buf *out)
{
    px_buf_printf(out,
                  "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type_of(problem));
    serve_put_text(out, problem->text);
    px_buf_puts(out, "},\"request_id\":null}");
}

void serve_anthropic_broken(serve_job *job, const serve_problem *problem, px_buf *out)
{
    (void)job;
    px_buf_puts(out, "event: error\ndata: ");
    serve_anthropic_error(problem, out);
    px_buf_puts(out, "\n\n");
}

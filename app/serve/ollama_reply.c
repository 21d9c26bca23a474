/* ollama_reply: answers of /api/generate, /api/chat, /api/embed and /api/embeddings. See ollama.h.
 */
#include "serve/ollama.h"
#include "serve/turns.h"

#include <stdio.h>
#include <string.h>

static long long ns(double seconds)
{
    return seconds > 0 ? (long long)(seconds * 1e9) : 0;
}

/* {"model":..,"created_at":"..." */
static void put_head(const serve_job *job, px_buf *out)
{
    px_buf_puts(out, "{\"model\":");
    serve_put_string(out, job->request.model.data, job->request.model.len);
    px_buf_puts(out, ",\"created_at\":\"");
    serve_put_time(out);
    px_buf_putc(out, '"');
}

static void put_calls(const serve_choice *c, int first, int n, px_buf *out)
{
    const char *comma = "";
    px_buf_puts(out, ",\"tool_calls\":[");
    for (int i = first; i < first + n; i++) {
        const serve_tool_call *call = &c->calls[i];
        if (!serve_call_is_whole(call)) /* cut off by num_predict */
            continue;
        px_buf_printf(out, "%s{\"id\":", comma);
        serve_put_text(out, call->id);
        px_buf_printf(out, ",\"function\":{\"index\":%d,\"name\":", i);
        serve_put_text(out, call->name);
        px_buf_puts(out, ",\"arguments\":");
        serve_put_compact(out, call->arguments.data, call->arguments.len);
        px_buf_puts(out, "}}");
        comma = ",";
    }
    px_buf_putc(out, ']');
}

/* The text members: of generate beside the others, of chat inside "message". */
static void put_texts(const serve_job *job, px_str content, px_str thinking, int first_call,
                      int n_calls, px_buf *out)
{
    const serve_ollama_state *s = job->state;
    if (!s->generate)
        px_buf_puts(out, ",\"message\":{\"role\":\"assistant\"");
    px_buf_puts(out, s->generate ? ",\"response\":" : ",\"content\":");
    serve_put_string(out, content.data, content.len);
    if (thinking.len > 0) {
        px_buf_puts(out, ",\"thinking\":");
        serve_put_string(out, thinking.data, thinking.len);
    }
    if (n_calls > 0)
        put_calls(&job->choices[0], first_call, n_calls, out);
    if (!s->generate)
        px_buf_putc(out, '}');
}

/* ,"context":[...]: the tokens of this exchange, for the next one to continue. */
static void put_context(const serve_job *job, px_buf *out)
{
    const serve_choice *c = &job->choices[0];
    const serve_input *in = job->request.inputs;
    const char *comma = "";
    px_buf_puts(out, ",\"context\":[");
    for (int64_t i = 0; in && i < in->n_ids; i++, comma = ",")
        px_buf_printf(out, "%s%d", comma, in->ids[i]);
    for (int i = 0; i < c->n_tokens; i++, comma = ",")
        px_buf_printf(out, "%s%d", comma, c->tokens[i]);
    px_buf_putc(out, ']');
}

/* What the last line says beside its text, and the end of the object. */
static void put_tail(const serve_job *job, px_buf *out)
{
    const serve_ollama_state *s = job->state;
    const serve_choice *c = &job->choices[0];
    serve_usage u = serve_job_usage(job);
    bool length = c->finish == SERVE_FINISH_LENGTH || c->finish == SERVE_FINISH_DEADLINE;
    px_buf_printf(out, ",\"done\":true,\"done_reason\":\"%s\"", length ? "length" : "stop");
    if (s->tells_context)
        put_context(job, out);
    if (c->n_cut > 0) /* not Ollama's, but nobody should have to guess */
        px_buf_printf(out, ",\"truncated_tokens\":%lld", (long long)c->n_cut);
    px_buf_printf(out,
                  ",\"total_duration\":%lld,\"load_duration\":%lld,\"prompt_eval_count\":%lld,"
                  "\"prompt_eval_duration\":%lld,\"eval_count\":%lld,\"eval_duration\":%lld}",
                  ns(serve_now() - job->accepted), ns(job->load_seconds), (long long)u.prompt,
                  ns(u.prompt_seconds), (long long)u.completion, ns(u.decode_seconds));
}

static void put_logprobs(const serve_job *job, int first, int n, px_buf *out)
{
    const serve_ollama_state *s = job->state;
    if (!s->wants_logprobs || n == 0)
        return;
    px_buf_puts(out, ",\"logprobs\":");
    serve_put_logprobs(out, job, &job->choices[0], first, n);
}

/* ------------------------------------------------------------------ a stream of lines */

void serve_ollama_event(serve_job *job, const serve_event *event, px_buf *out)
{
    px_str text = {event->text, event->len}, none = {"", 0};
    bool call = event->kind == SERVE_EVENT_CALL_END;
    bool content = event->kind == SERVE_EVENT_CONTENT;
    bool reasoning = event->kind == SERVE_EVENT_REASONING;
    if (call && !serve_call_is_whole(&job->choices[0].calls[event->call]))
        return;
    if (!call && !((content || reasoning) && (event->len > 0 || event->n_logprobs > 0)))
        return;
    put_head(job, out);
    put_texts(job, content ? text : none, reasoning ? text : none, event->call, call ? 1 : 0, out);
    put_logprobs(job, event->first_logprob, event->n_logprobs, out);
    px_buf_puts(out, ",\"done\":false}\n");
}

void serve_ollama_end(serve_job *job, px_buf *out)
{
    put_head(job, out);
    put_texts(job, (px_str){"", 0}, (px_str){"", 0}, 0, 0, out);
    put_tail(job, out);
    px_buf_putc(out, '\n');
}

/* ------------------------------------------------------------------ whole answers */

void serve_ollama_whole(serve_job *job, px_buf *out)
{
    const serve_ollama_state *s = job->state;
    put_head(job, out);
    if (job->request.kind == SERVE_LOAD) {
        px_str none = {"", 0};
        put_texts(job, none, none, 0, 0, out);
        px_buf_printf(out, ",\"done\":true,\"done_reason\":\"%s\"}", s->unload ? "unload" : "load");
        return;
    }
    const serve_choice *c = &job->choices[0];
    put_texts(job, (px_str){c->content.data, c->content.len},
              (px_str){c->reasoning.data, c->reasoning.len}, 0, c->n_calls, out);
    put_logprobs(job, 0, c->n_logprobs, out);
    put_tail(job, out);
}

static void put_vector(const serve_choice *c, px_buf *out)
{
    px_buf_putc(out, '[');
    for (int i = 0; i < c->n_embedding; i++) {
        if (i > 0)
            px_buf_putc(out, ',');
        serve_put_real(out, (double)c->embedding[i]);
    }
    px_buf_putc(out, ']');
}

void serve_ollama_whole_embed(serve_job *job, px_buf *out)
{
    serve_usage u = serve_job_usage(job);
    px_buf_puts(out, "{\"model\":");
    serve_put_string(out, job->request.model.data, job->request.model.len);
    px_buf_puts(out, ",\"embeddings\":[");
    for (int i = 0; job->request.kind == SERVE_EMBED && i < job->n_choices; i++) {
        if (i > 0)
            px_buf_putc(out, ',');
        put_vector(&job->choices[i], out);
    }
    px_buf_printf(out,
                  "],\"total_duration\":%lld,\"load_duration\":%lld,\"prompt_eval_count\":%lld}",
                  ns(serve_now() - job->accepted), ns(job->load_seconds), (long long)u.prompt);
}

void serve_ollama_whole_embeddings(serve_job *job, px_buf *out)
{
    px_buf_puts(out, "{\"embedding\":");
    if (job->request.kind == SERVE_EMBED && job->n_choices > 0)
        put_vector(&job->choices[0], out);
    else
        px_buf_puts(out, "[]");
    px_buf_putc(out, '}');
}

/* ------------------------------------------------------------------ errors */

void serve_ollama_error(const serve_problem *problem, px_buf *out)
{
    px_buf_puts(out, "{\"error\":");
    serve_put_text(out, problem->text);
    px_buf_putc(out, '}');
}

void serve_ollama_broken(serve_job *job, const serve_problem *problem, px_buf *out)
{
    (void)job;
    serve_ollama_error(problem, out);
    px_buf_putc(out, '\n');
}

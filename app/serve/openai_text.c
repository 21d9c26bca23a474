/* openai_text: POST /v1/completions. */
#include "serve/models.h"
#include "serve/openai.h"

#include <string.h>

/* ---- reading */

static bool get_logprobs(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json v = px_json_find(body, "logprobs");
    int64_t n = 0;
    bool flag = false;
    if (px_json_get_bool(v, &flag)) { // as chat has it; some clients send it here, too
        r->logprobs = flag;
        return true;
    }
    if (!serve_get_int(body, "logprobs", 0, 100, &n, problem))
        return false;
    r->logprobs = px_json_type_of(v) == PX_JSON_NUMBER;
    r->n_top = (int)n;
    return true;
}

static bool parse(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    int64_t best = 1;
    r->kind = SERVE_TEXT;
    r->max_tokens = 16;
    if (!serve_openai_sampling(job, body, problem) || !get_logprobs(job, body, problem) ||
        !serve_get_inputs(job, body, "prompt", problem) ||
        !serve_get_bool(body, "echo", &r->echo, problem) ||
        !serve_get_int(body, "best_of", 1, SERVE_MAX_N, &best, problem) ||
        !serve_get_text(job, body, "suffix", &r->suffix, problem) ||
        !serve_openai_format(job, body, problem))
        return false;
    if (r->n_inputs == 0)
        return serve_refuse(problem, 400, "prompt", "'prompt' is missing");
    if (best > r->n)
        return serve_refuse(problem, 400, "best_of",
                            "'best_of' is %lld and 'n' is %d; only as many answers as 'n' are made",
                            (long long)best, r->n);
    r->special = true;
    r->suffixed = r->suffix.len > 0;
    r->prompt_logprobs = r->echo && r->logprobs;
    if (r->suffixed && r->echo)
        return serve_refuse(problem, 400, "echo", "'echo' and 'suffix' do not go together");
    return true;
}

/* ---- writing */

static size_t characters(pith_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return n;
}

static pith_str text_of(const pith_tokenizer *tok, int32_t token)
{
    pith_str s = pith_token_bytes(tok, token, true);
    return s.data ? s : (pith_str){"", 0};
}

static void put_tops(const serve_choice *c, const serve_logprob *l, const pith_tokenizer *tok,
                     px_buf *out)
{
    px_buf_putc(out, '{');
    for (int k = 0; k < l->n_top; k++) {
        const pith_logprob *t = &c->tops[l->first_top + k];
        pith_str s = text_of(tok, t->token);
        px_buf_puts(out, k > 0 ? "," : "");
        serve_put_string(out, s.data, s.len);
        px_buf_putc(out, ':');
        serve_put_real(out, t->logprob);
    }
    px_buf_putc(out, '}');
}

/* {"tokens":[..],"token_logprobs":[..],"top_logprobs":[..],"text_offset":[..]} of some tokens;
 * offsets count characters of the choice's text. A prompt's first token has no log-probability. */
static void put_logprobs(const serve_job *job, int choice, int first, int n, px_buf *out)
{
    const serve_choice *c = &job->choices[choice];
    const pith_tokenizer *tok = pith_model_tokenizer(job->model->model);
    size_t at = 0;
    px_buf_puts(out, "{\"tokens\":[");
    for (int i = first; i < first + n; i++) {
        pith_str s = text_of(tok, c->logprobs[i].token);
        px_buf_puts(out, i > first ? "," : "");
        serve_put_string(out, s.data, s.len);
    }
    px_buf_puts(out, "],\"token_logprobs\":[");
    for (int i = first; i < first + n; i++) {
        px_buf_puts(out, i > first ? "," : "");
        serve_put_real(out, c->logprobs[i].logprob);
    }
    px_buf_puts(out, "],\"top_logprobs\":");
    px_buf_puts(out, job->request.n_top > 0 ? "[" : "null");
    for (int i = first; i < first + n && job->request.n_top > 0; i++) {
        px_buf_puts(out, i > first ? "," : "");
        if (isnan(c->logprobs[i].logprob))
            px_buf_puts(out, "null");
        else
            put_tops(c, &c->logprobs[i], tok, out);
    }
    px_buf_puts(out, job->request.n_top > 0 ? "],\"text_offset\":[" : ",\"text_offset\":[");
    size_t from = 0;
    for (int i = first; i < first + n; i++) {
        size_t to = c->logprobs[i].at;
        at += characters((pith_str){c->content.data + from, to - from});
        from = to;
        px_buf_printf(out, "%s%zu", i > first ? "," : "", at);
    }
    px_buf_puts(out, "]}");
}

static void head(const serve_job *job, px_buf *out)
{
    px_buf_printf(out,
                  "{\"id\":\"cmpl-%s\",\"object\":\"text_completion\",\"created\":%lld,\"model\":",
                  job->tag, (long long)job->created);
    serve_openai_model(job, out);
    px_buf_printf(out, ",\"system_fingerprint\":\"pith-%s\",\"choices\":[", pith_version());
}

static void put_choice(const serve_job *job, int i, const char *text, size_t len, int first, int n,
                       const char *finish, px_buf *out)
{
    px_buf_printf(out, "{\"text\":");
    serve_put_string(out, text ? text : "", len);
    px_buf_printf(out, ",\"index\":%d,\"logprobs\":", i);
    if (job->request.logprobs && n > 0)
        put_logprobs(job, i, first, n, out);
    else
        px_buf_puts(out, "null");
    if (finish)
        px_buf_printf(out, ",\"finish_reason\":\"%s\"}", finish);
    else
        px_buf_puts(out, ",\"finish_reason\":null}");
}

static void event(serve_job *job, const serve_event *e, px_buf *out)
{
    const serve_openai_state *state = job->state;
    bool last = e->kind == SERVE_EVENT_FINISH;
    if (e->kind != SERVE_EVENT_CONTENT && !last)
        return;
    px_buf_puts(out, "data: ");
    head(job, out);
    put_choice(job, e->choice, e->text, e->len, e->first_logprob, e->n_logprobs,
               last ? serve_openai_finish(job->choices[e->choice].finish) : NULL, out);
    px_buf_putc(out, ']');
    if (last && state->timings)
        serve_openai_timings(job, out);
    px_buf_puts(out, "}\n\n");
}

static void end(serve_job *job, px_buf *out)
{
    const serve_openai_state *state = job->state;
    if (state->include_usage) {
        px_buf_puts(out, "data: ");
        head(job, out);
        px_buf_puts(out, "],\"usage\":");
        serve_openai_usage(job, out);
        serve_openai_timings(job, out);
        px_buf_puts(out, "}\n\n");
    }
    px_buf_puts(out, "data: [DONE]\n\n");
}

static void whole(serve_job *job, px_buf *out)
{
    head(job, out);
    for (int i = 0; i < job->n_choices; i++) {
        const serve_choice *c = &job->choices[i];
        px_buf_puts(out, i > 0 ? "," : "");
        put_choice(job, i, c->content.data, c->content.len, 0, c->n_logprobs,
                   serve_openai_finish(c->finish), out);
    }
    px_buf_puts(out, "],\"usage\":");
    serve_openai_usage(job, out);
    serve_openai_timings(job, out);
    px_buf_putc(out, '}');
}

const serve_dialect serve_openai_text = {
    .name = "openai.text",
    .stream_type = "text/event-stream",
    .state_bytes = sizeof(serve_openai_state),
    .parse = parse,
    .event = event,
    .end = end,
    .broken = serve_openai_broken,
    .whole = whole,
    .error = serve_openai_error,
};

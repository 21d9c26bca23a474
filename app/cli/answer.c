/* answer: see answer.h. */
#include "cli/answer.h"

#include "cli/term.h"

#include <errno.h>
#include <stdio.h>

typedef struct sink {
    cli_answer *answer;
    const cli_answer_options *options;
    pith_status status;
    int code; // errno of a failed write
} sink;

static void keep_logprobs(sink *s, const pith_event *e)
{
    json_t *top = json_array();
    for (int32_t i = 0; i < e->n_top; i++)
        json_array_append_new(top, json_pack("{s:i, s:f}", "token", e->top[i].token, "logprob",
                                             (double)e->top[i].logprob));
    json_array_append_new(s->answer->tokens,
                          json_pack("{s:i, s:s%, s:f, s:o}", "token", e->token, "text", e->text,
                                    e->len, "logprob", (double)e->logprob, "top", top));
}

static int on_event(void *user, const pith_event *e)
{
    sink *s = user;
    if (e->len > 0) {
        if (!px_buf_put(&s->answer->text, e->text, e->len)) {
            s->status = PITH_E_MEMORY;
            return 1;
        }
        if (!s->options->quiet &&
            (fwrite(e->text, 1, e->len, stdout) != e->len || fflush(stdout) != 0)) {
            s->status = PITH_E_IO;
            s->code = errno;
            return 1;
        }
    }
    if (s->answer->tokens && e->token >= 0)
        keep_logprobs(s, e);
    return 0;
}

pith_status cli_answer_run(pith_session *session, const int32_t *tokens, int64_t n,
                           const cli_answer_options *options, cli_answer *out, pith_error *err)
{
    *out = (cli_answer){.result = PITH_INIT(pith_result)};
    if (options->logprobs && (out->tokens = json_array()) == NULL)
        return px_fail_memory(err, "the list of tokens");
    sink s = {.answer = out, .options = options, .status = PITH_OK};
    pith_request r = PITH_INIT(pith_request);
    r.tokens = tokens;
    r.n_tokens = n;
    r.max_tokens = options->max_tokens;
    r.sampling = options->sampling;
    r.stops = options->stops;
    r.n_stops = options->n_stops;
    r.bias = options->bias;
    r.n_bias = options->n_bias;
    r.logprobs = options->logprobs;
    r.n_top = options->n_top;
    r.ignore_end = options->ignore_end;
    r.special = options->special;
    r.speculation = options->speculation;
    r.max_draft = options->max_draft;
    r.grammar = options->grammar;
    r.on_event = on_event;
    r.user = &s;
    cli_interrupt_watch(session);
    pith_status status = pith_generate(session, &r, &out->result, err);
    cli_interrupt_ignore();
    if (status != PITH_OK || s.status == PITH_OK)
        return status;
    if (s.status == PITH_E_IO)
        return px_fail_errno(err, s.code, "cannot write to standard output");
    return px_fail_memory(err, "the answer");
}

void cli_answer_clear(cli_answer *a)
{
    px_buf_clear(&a->text);
    json_decref(a->tokens);
    a->tokens = NULL;
}

void cli_answer_stats(const cli_answer *a)
{
    const pith_result *r = &a->result;
    int64_t computed = r->n_prompt - r->n_reused;
    fprintf(stderr,
            "prompt %lld tokens (%lld reused) in %.3f s, %.1f tokens/s; answer %lld tokens in %.3f "
            "s, %.1f tokens/s; ",
            (long long)r->n_prompt, (long long)r->n_reused, r->prompt_seconds,
            r->prompt_seconds > 0 ? (double)computed / r->prompt_seconds : 0,
            (long long)r->n_generated, r->decode_seconds,
            r->decode_seconds > 0 ? (double)r->n_generated / r->decode_seconds : 0);
    if (r->n_dropped > 0)
        fprintf(stderr, "%lld tokens forgotten; ", (long long)r->n_dropped);
    if (r->n_drafted > 0) {
        double took = r->decode_seconds > 0 ? r->decode_seconds : 1;
        fprintf(stderr, "%lld of %lld guesses came true, speed-up %.2f; ", (long long)r->n_accepted,
                (long long)r->n_drafted, (took + r->saved_seconds) / took);
    }
    fprintf(stderr, "seed %llu; ended by %s\n", (unsigned long long)r->seed,
            cli_finish_name(r->finish));
}

const char *cli_finish_name(pith_finish finish)
{
    switch (finish) {
    case PITH_FINISH_END:
        return "end";
    case PITH_FINISH_STOP:
        return "stop";
    case PITH_FINISH_LENGTH:
        return "length";
    case PITH_FINISH_CONTEXT:
        return "context";
    case PITH_FINISH_CALLBACK:
        return "callback";
    case PITH_FINISH_CANCELLED:
        return "cancelled";
    case PITH_FINISH_DEADLINE:
        return "deadline";
    }
    return "unknown";
}

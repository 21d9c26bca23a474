/* answer: see answer.h. */
#include "cli/answer.h"

#include "cli/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct sink {
    cli_answer *answer;
    pith_reply *reply; // or NULL
    px_buf arguments;  // of the call that is open
    json_t *call;      // lent by answer->calls
    bool dim;          // the terminal shows reasoning
    bool on_terminal;
    bool in_line; // something stands in the line
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

/* Prints, unless the answer is quiet; what cannot be written ends it. */
static void print(sink *s, const char *text, size_t len)
{
    if (s->options->quiet || len == 0 || s->status != PITH_OK)
        return;
    if (fwrite(text, 1, len, stdout) != len || fflush(stdout) != 0) {
        s->status = PITH_E_IO;
        s->code = errno;
    }
    s->in_line = text[len - 1] != '\n';
}

static void print_text(sink *s, const char *text)
{
    print(s, text, strlen(text));
}

static void keep(sink *s, px_buf *out, const char *text, size_t len)
{
    if (len > 0 && !px_buf_put(out, text, len))
        s->status = PITH_E_MEMORY;
}

/* Reasoning is dim; content begins behind an empty line. */
static void set_dim(sink *s, bool dim)
{
    if (dim == s->dim)
        return;
    s->dim = dim;
    print_text(s, dim ? "\033[2m" : s->in_line ? "\033[22m\n\n" : "\033[22m\n");
}

static void begin_call(sink *s, const pith_part *part)
{
    if (!s->answer->calls)
        s->answer->calls = json_array();
    s->call = json_pack("{s:s, s:s, s:{s:s}}", "id", part->id, "type", "function", "function",
                        "name", part->name);
    if (!s->call || json_array_append_new(s->answer->calls, s->call) != 0)
        s->status = PITH_E_MEMORY;
    px_buf_reset(&s->arguments);
}

/* A call is printed as a line of JSON. */
static void end_call(sink *s)
{
    const char *arguments = s->arguments.data ? s->arguments.data : "";
    json_t *function = json_object_get(s->call, "function");
    json_object_set_new(function, "arguments", json_stringn(arguments, s->arguments.len));
    json_t *value = json_loadb(arguments, s->arguments.len, 0, NULL);
    json_t *line = json_pack("{s:O, s:O, s:o}", "name", json_object_get(function, "name"), "id",
                             json_object_get(s->call, "id"), "arguments",
                             value ? value : json_stringn(arguments, s->arguments.len));
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (!text)
        s->status = PITH_E_MEMORY;
    if (s->in_line)
        print_text(s, "\n");
    print_text(s, text ? text : "");
    print_text(s, "\n");
    free(text); // jansson's
    json_decref(line);
}

static int on_part(void *user, const pith_part *part)
{
    sink *s = user;
    switch (part->kind) {
    case PITH_PART_CONTENT:
        set_dim(s, false);
        keep(s, &s->answer->text, part->text, part->len);
        print(s, part->text, part->len);
        break;
    case PITH_PART_REASONING:
        keep(s, &s->answer->reasoning, part->text, part->len);
        if (s->options->hide_reasoning)
            break;
        set_dim(s, s->on_terminal);
        print(s, part->text, part->len);
        break;
    case PITH_PART_CALL:
        set_dim(s, false);
        begin_call(s, part);
        break;
    case PITH_PART_ARGUMENTS:
        keep(s, &s->arguments, part->text, part->len);
        break;
    case PITH_PART_CALL_END:
        end_call(s);
        break;
    }
    return s->status != PITH_OK;
}

static int on_event(void *user, const pith_event *e)
{
    sink *s = user;
    if (s->reply) {
        pith_status status = pith_reply_push(s->reply, e->text, e->len, on_part, s, NULL);
        if (status != PITH_OK && s->status == PITH_OK)
            s->status = status;
    } else {
        on_part(s, &(pith_part){.kind = PITH_PART_CONTENT, .text = e->text, .len = e->len});
    }
    if (s->status != PITH_OK)
        return 1;
    if (s->answer->tokens && e->token >= 0)
        keep_logprobs(s, e);
    return 0;
}

/* Where output is no terminal, reasoning that is to be seen is a part of the text as the model
 * wrote it. */
static pith_status open_reply(sink *s, pith_error *err)
{
    const cli_answer_options *options = s->options;
    if (!options->model || options->special)
        return PITH_OK;
    pith_reply_options o = PITH_INIT(pith_reply_options);
    o.tools = options->tools;
    o.tools_len = options->tools ? strlen(options->tools) : 0;
    o.prompt = options->prompt.data;
    o.prompt_len = options->prompt.len;
    o.keep_reasoning = !s->on_terminal && !options->quiet && !options->hide_reasoning;
    o.no_grammar = options->grammar != NULL || options->ignore_end;
    return pith_reply_new(options->model, &o, &s->reply, err);
}

pith_status cli_answer_run(pith_session *session, const int32_t *tokens, int64_t n,
                           const cli_answer_options *options, cli_answer *out, pith_error *err)
{
    *out = (cli_answer){.result = PITH_INIT(pith_result)};
    if (options->logprobs && (out->tokens = json_array()) == NULL)
        return px_fail_memory(err, "the list of tokens");
    sink s = {.answer = out,
              .options = options,
              .on_terminal = !options->quiet && isatty(STDOUT_FILENO),
              .status = PITH_OK};
    pith_status status = open_reply(&s, err);
    if (status != PITH_OK)
        return status;
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
    r.special = options->special || pith_reply_wants_special(s.reply);
    r.speculation = options->speculation;
    r.max_draft = options->max_draft;
    r.grammar = options->grammar ? options->grammar : pith_reply_get_grammar(s.reply);
    r.on_event = on_event;
    r.user = &s;
    cli_interrupt_watch(session);
    status = pith_generate(session, &r, &out->result, err);
    cli_interrupt_ignore();
    if (s.reply && s.status == PITH_OK)
        s.status = pith_reply_finish(s.reply, on_part, &s, NULL);
    set_dim(&s, false);
    pith_reply_free(s.reply);
    px_buf_clear(&s.arguments);
    if (status != PITH_OK || s.status == PITH_OK)
        return status;
    if (s.status == PITH_E_IO)
        return px_fail_errno(err, s.code, "cannot write to standard output");
    return px_fail_memory(err, "the answer");
}

void cli_answer_clear(cli_answer *a)
{
    px_buf_clear(&a->text);
    px_buf_clear(&a->reasoning);
    json_decref(a->tokens);
    json_decref(a->calls);
    a->calls = NULL;
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

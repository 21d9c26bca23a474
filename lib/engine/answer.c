/* answer: see answer.h. */
#include "engine/answer.h"

#include "base/mem.h"
#include "engine/batch.h"
#include "engine/num.h"
#include "engine/options.h"

#include <math.h>

/* ---- making */

static pith_status check_request(const pith_request *r, pith_error *err)
{
    if (r->n_tokens < 1 || !r->tokens)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the request has no tokens; an answer needs at least one to continue");
    if (r->n_top < 0 || r->n_top > PX_MOST_TOP)
        return px_fail(err, PITH_E_ARGUMENT, "request.n_top is %d, expected 0 to %d", r->n_top,
                       PX_MOST_TOP);
    if (r->n_stops < 0 || (r->n_stops > 0 && !r->stops))
        return px_fail(err, PITH_E_ARGUMENT, "request.n_stops is %d with %s list of stop strings",
                       r->n_stops, r->stops ? "a" : "no");
    if (!(r->deadline >= 0 && r->deadline <= 1e9))
        return px_fail(err, PITH_E_ARGUMENT,
                       "request.deadline is %g seconds, expected 0 (none) to 1e9", r->deadline);
    if ((int)r->speculation < PITH_SPECULATE_OFF || r->speculation > PITH_SPECULATE_DRAFT)
        return px_fail(err, PITH_E_ARGUMENT,
                       "request.speculation is %d, expected a PITH_SPECULATE_* value",
                       (int)r->speculation);
    if (r->max_draft < 0 || r->max_draft > PX_MOST_DRAFT)
        return px_fail(err, PITH_E_ARGUMENT, "request.max_draft is %d, expected 0 to %d",
                       r->max_draft, PX_MOST_DRAFT);
    if ((int)r->embed < PITH_POOL_NONE || r->embed > PITH_POOL_CLS)
        return px_fail(err, PITH_E_ARGUMENT, "request.embed is %d, expected a PITH_POOL_* value",
                       (int)r->embed);
    if (r->embed != PITH_POOL_NONE && r->max_tokens != 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a request for an embedding has max_tokens %lld, expected 0",
                       (long long)r->max_tokens);
    return PITH_OK;
}

static pith_status make_sampler(pith_answer *a, pith_error *err)
{
    const pith_engine *e = a->session->engine;
    pith_sampling sampling;
    pith_status st = PITH_OK;
    if (a->request.sampling)
        st = px_sampling_take(a->request.sampling, &sampling, err);
    else
        sampling = e->model->sampling;
    if (st != PITH_OK)
        return st;
    px_sampler_def def = {
        .sampling = &sampling,
        .bias = a->request.bias,
        .n_bias = a->request.n_bias,
        .n_vocab = e->model->hp.n_vocab,
        .tok = a->tokenizer ? a->tokenizer->tok : NULL,
        .n_ctx = e->setup.n_ctx,
    };
    st = px_sampler_init(&a->sampler, &def, err);
    a->result.seed = a->sampler.seed;
    return st;
}

/* Buffers for text: the longest token behind an unfinished character. */
static pith_status make_text(pith_answer *a, pith_error *err)
{
    if (!a->tokenizer && a->request.n_stops > 0)
        return px_fail(
            err, PITH_E_UNSUPPORTED,
            "stop strings need a tokenizer, which the model was opened without or lacks");
    /* A stray byte becomes three bytes of U+FFFD. */
    size_t most = 3 * ((a->tokenizer ? a->tokenizer->most_bytes : 0) + sizeof a->detok.pending);
    if (!px_buf_room(&a->piece, most))
        return px_buf_status(&a->piece, "the text of a token", err);
    a->detok = (px_detok){.special = a->request.special, .keep_space = true};
    a->context_detok = (px_detok){.special = true};
    return px_stops_init(&a->stops, a->request.stops, a->request.n_stops, most, err);
}

static pith_status make_match(pith_answer *a, pith_error *err)
{
    const pith_grammar *g = a->request.grammar;
    if (!g)
        return PITH_OK;
    if (g->tokenizer != a->tokenizer || !a->tokenizer)
        return px_fail(
            err, PITH_E_ARGUMENT,
            "request.grammar was made with another model's tokenizer, or with none; make "
            "it with pith_model_tokenizer of the engine's model");
    if (a->request.ignore_end)
        return px_fail(err, PITH_E_ARGUMENT,
                       "request.ignore_end and request.grammar are both set; a text that is whole "
                       "could not end");
    pith_status st = px_gmatch_init(&a->match, g->grammar, false, err);
    a->has_match = st == PITH_OK;
    return st;
}

/* Where guesses come from. */
static pith_status make_guesser(pith_answer *a, pith_error *err)
{
    pith_session *s = a->session;
    pith_engine *draft = s->engine->draft;
    pith_speculation mode = a->request.speculation;
    px_guesser_init(&a->guesser, mode, a->request.max_draft);
    bool wanted = mode == PITH_SPECULATE_AUTO || mode == PITH_SPECULATE_DRAFT;
    if (!draft || !wanted || s->draft)
        return PITH_OK;
    return pith_session_new(draft, NULL, &s->draft, err);
}

static pith_status make_pooling(pith_answer *a, pith_error *err)
{
    if (a->request.embed == PITH_POOL_NONE)
        return PITH_OK;
    size_t width = (size_t)a->session->engine->model->hp.width;
    a->sum = px_calloc(width, sizeof(double) + sizeof(float));
    return a->sum ? PITH_OK : px_fail_memory(err, "an embedding");
}

/* As px_placing has it. */
static int64_t most_reused(const pith_request *r)
{
    if (r->prompt_logprobs || r->embed == PITH_POOL_MEAN || r->embed == PITH_POOL_CLS)
        return 0;
    return r->max_tokens == 0 && r->embed == PITH_POOL_NONE ? INT64_MAX : -1;
}

/* Lists the context in the session. Last, since it changes the session. */
static pith_status place(pith_answer *a, pith_error *err)
{
    pith_session *s = a->session;
    int64_t max = a->request.max_tokens;
    px_placing how = {.most_reused = most_reused(&a->request), .room = max < 0 ? INT64_MAX : max};
    px_placed placed;
    pith_status st =
        px_session_place(s, a->request.tokens, a->request.n_tokens, &how, &placed, err);
    if (st != PITH_OK)
        return st;
    a->result.n_prompt = s->n_tokens;
    a->result.n_reused = placed.n_reused;
    a->result.n_dropped = placed.n_dropped;
    for (int64_t i = 0; i < s->n_tokens; i++)
        px_sampler_accept(&a->sampler, s->tokens[i]);
    return PITH_OK;
}

pith_status px_answer_init(pith_answer *a, pith_session *session, const pith_request *request,
                           pith_error *err)
{
    *a = (pith_answer){.session = session,
                       .tokenizer = pith_model_tokenizer(session->engine->model),
                       .result = {.stop_index = -1},
                       .start = px_now()};
    pith_status st = px_options_read(request, "pith_request", &a->request, sizeof a->request, err);
    if (st == PITH_OK)
        st = check_request(&a->request, err);
    if (st != PITH_OK)
        return st;
    if (a->request.deadline > 0)
        a->until = a->start + a->request.deadline;
    st = make_text(a, err);
    if (st == PITH_OK)
        st = make_sampler(a, err);
    if (st == PITH_OK)
        st = make_guesser(a, err);
    if (st == PITH_OK)
        st = make_match(a, err);
    if (st == PITH_OK)
        st = make_pooling(a, err);
    if (st == PITH_OK)
        st = place(a, err);
    if (st != PITH_OK) {
        px_answer_clear(a);
        return st;
    }
    session->answer = a;
    a->number = ++session->engine->n_answers;
    a->share = px_shares_join(&session->engine->shares, a->request.key);
    return PITH_OK;
}

void px_answer_clear(pith_answer *a)
{
    px_sampler_clear(&a->sampler);
    px_stops_clear(&a->stops);
    px_buf_clear(&a->piece);
    px_free(a->sum);
    a->sum = NULL;
    if (a->has_match)
        px_gmatch_clear(&a->match);
    a->has_match = false;
}

/* ---- the end */

void px_answer_finish(pith_answer *a, pith_finish how)
{
    if (!a->done)
        a->result.finish = how;
    a->done = true;
}

void px_answer_fail(pith_answer *a, pith_status status, const pith_error *error)
{
    if (a->done)
        return;
    a->done = true;
    a->status = status;
    a->error = *error;
}

/* ---- log-probabilities */

/* The n likeliest tokens, best first, of equal ones the lower id first. */
static void find_top(const float *logits, int32_t n_vocab, int32_t n, pith_logprob *top)
{
    int32_t have = 0;
    for (int32_t id = 0; id < n_vocab; id++) {
        if (have == n && logits[id] <= top[n - 1].logprob)
            continue;
        int32_t at = have < n ? have++ : n - 1;
        for (; at > 0 && top[at - 1].logprob < logits[id]; at--)
            top[at] = top[at - 1];
        top[at] = (pith_logprob){.token = id, .logprob = logits[id]};
    }
}

static int32_t n_top(const pith_answer *a)
{
    int32_t n_vocab = a->session->engine->model->hp.n_vocab;
    return a->request.n_top < n_vocab ? a->request.n_top : n_vocab;
}

/* Finds the sum of a row, and its likeliest tokens. */
static void rank(pith_answer *a, const float *logits)
{
    int32_t n_vocab = a->session->engine->model->hp.n_vocab, n = n_top(a);
    a->log_sum = px_log_sum_exp(logits, n_vocab, px_max(logits, n_vocab));
    a->ranked = true;
    if (n == 0)
        return;
    find_top(logits, n_vocab, n, a->top);
    for (int32_t i = 0; i < n; i++)
        a->top[i].logprob = (float)((double)a->top[i].logprob - a->log_sum);
}

static void put_logprobs(pith_answer *a, const float *logits, pith_event *event)
{
    if (!a->request.logprobs && !event->prompt && a->request.n_top == 0)
        return;
    if (!a->ranked)
        rank(a, logits);
    a->ranked = false;
    event->logprob = (float)((double)logits[event->token] - a->log_sum);
    event->n_top = n_top(a);
    event->top = event->n_top > 0 ? a->top : NULL;
}

/* ---- text */

/* The text of a token, as far as it may be shown. */
static pith_status put_text(pith_answer *a, int32_t token, pith_event *event, pith_error *err)
{
    if (!a->tokenizer || token >= a->tokenizer->n_vocab)
        return PITH_OK; // rows beyond the vocabulary have no text
    px_buf_reset(&a->piece);
    pith_status st = px_detok_push(a->tokenizer->tok, &a->detok, token, &a->piece, err);
    if (st != PITH_OK)
        return st;
    px_str shown;
    int32_t stop = px_stops_push(&a->stops, a->piece.data, a->piece.len, &shown);
    event->text = shown.data;
    event->len = shown.len;
    if (stop >= 0) {
        a->result.stop_index = stop;
        px_answer_finish(a, PITH_FINISH_STOP);
    }
    return PITH_OK;
}

/* The bytes of a token of the context, control tokens by name; characters may be cut between
 * events, as U+FFFD where they end. */
static pith_status put_context_text(pith_answer *a, pith_event *event, pith_error *err)
{
    if (!a->tokenizer || event->token >= a->tokenizer->n_vocab)
        return PITH_OK;
    px_buf_reset(&a->piece);
    pith_status st =
        px_detok_push(a->tokenizer->tok, &a->context_detok, event->token, &a->piece, err);
    event->text = st == PITH_OK && a->piece.len > 0 ? a->piece.data : "";
    event->len = st == PITH_OK ? a->piece.len : 0;
    return st;
}

static void emit(pith_answer *a, const pith_event *event)
{
    if (!a->request.on_event)
        return;
    px_heap_allow();
    int code = a->request.on_event(a->request.user, event);
    px_heap_forbid();
    if (code != 0)
        px_answer_finish(a, PITH_FINISH_CALLBACK);
}

/* What was held back, when the answer ended otherwise than by a stop string or a callback. */
static pith_status emit_rest(pith_answer *a, pith_error *err)
{
    if (!a->tokenizer)
        return PITH_OK;
    px_buf_reset(&a->piece);
    pith_status st = px_detok_flush(&a->detok, &a->piece, err);
    if (st != PITH_OK)
        return st;
    for (int part = 0; part < 2; part++) {
        px_str shown = {0};
        int32_t stop = -1;
        if (part == 0)
            stop = px_stops_push(&a->stops, a->piece.data, a->piece.len, &shown);
        else
            shown = px_stops_flush(&a->stops);
        if (shown.len > 0) {
            pith_event event = {.text = shown.data, .len = shown.len, .token = -1};
            emit(a, &event);
        }
        if (stop >= 0) {
            a->result.stop_index = stop;
            a->result.finish = PITH_FINISH_STOP;
            break;
        }
    }
    return PITH_OK;
}

/* Text that was held back, when the answer ended otherwise than by a stop string or a callback. */
static void tell_rest(pith_answer *a)
{
    bool cut = a->status == PITH_OK ? a->result.finish != PITH_FINISH_STOP &&
                                          a->result.finish != PITH_FINISH_CALLBACK
                                    : a->status == PITH_E_CONTEXT;
    if (!cut || a->result.n_generated == 0)
        return;
    pith_error rest = {0};
    px_heap_forbid();
    pith_status st = emit_rest(a, &rest);
    px_heap_allow();
    if (st != PITH_OK && a->status == PITH_OK) {
        a->status = st;
        a->error = rest;
    }
}

void px_answer_settle(pith_answer *a)
{
    if (a->settled)
        return;
    a->settled = true;
    tell_rest(a);
    double now = px_now();
    if (a->first > 0)
        a->result.decode_seconds = now - a->first;
    else
        a->result.prompt_seconds = now - a->start;
    pith_session *s = a->session;
    if (px_answer_reads(a))
        px_session_drop_pending(s);
    s->answer = NULL;
    px_shares_leave(&s->engine->shares, a->share);
    px_session_forget_cancel(s);
}

void px_answer_abandon(pith_answer *a)
{
    pith_session *s = a->session;
    if (!a->settled && s) {
        px_batch_remove(&s->engine->batch, a);
        a->done = a->settled = true;
        a->result.finish = PITH_FINISH_CANCELLED;
        if (px_answer_reads(a))
            px_session_drop_pending(s);
        s->answer = NULL;
        px_shares_leave(&s->engine->shares, a->share);
    }
    a->session = NULL;
}

/* ---- the loop's parts */

int64_t px_answer_pending(const pith_answer *a)
{
    return a->session->n_tokens - a->session->seq.n_tokens;
}

bool px_answer_reads(const pith_answer *a)
{
    return a->first == 0 || px_answer_pending(a) > 1;
}

int64_t px_answer_most_reused(const pith_answer *a)
{
    int64_t most = most_reused(&a->request), n = a->session->n_tokens;
    return most < 0 ? n + most : most < n ? most : n;
}

void px_answer_look_up(pith_answer *a)
{
    int64_t most = a->first > 0 ? a->session->n_tokens - 1 : px_answer_most_reused(a);
    int64_t n = px_session_look_up(a->session, most);
    if (a->first == 0)
        a->result.n_reused += n;
}

void px_answer_pause(pith_answer *a)
{
    const pith_engine *e = a->session->engine;
    px_session_pause(a->session);
    if (a->first == 0)
        a->result.n_reused = 0;
    if (a->sum)
        memset(a->sum, 0, (size_t)e->model->hp.width * sizeof *a->sum);
    a->entered = false;
}

bool px_answer_tells(const pith_answer *a)
{
    return a->request.prompt_logprobs && a->n_told < a->result.n_prompt;
}

int64_t px_answer_told(const pith_answer *a)
{
    int64_t n = (a->n_told > 0 ? a->n_told - 1 : 0) - a->session->seq.n_tokens;
    return n > 0 ? n : 0;
}

void px_answer_tell(pith_answer *a, const float *rows, int64_t first, int64_t n)
{
    const pith_session *s = a->session;
    int32_t n_vocab = s->engine->model->hp.n_vocab;
    for (int64_t i = a->n_told == 0 ? -1 : 0; i < n && px_answer_tells(a) && !a->done; i++) {
        if (first + i + 1 != a->n_told)
            continue; // told before
        pith_event event = {
            .text = "", .token = s->tokens[a->n_told++], .prompt = true, .logprob = NAN};
        if (i >= 0)
            put_logprobs(a, rows + i * n_vocab, &event);
        pith_error err = {0};
        pith_status st = put_context_text(a, &event, &err);
        if (st == PITH_OK)
            emit(a, &event);
        else
            px_answer_fail(a, st, &err);
    }
}

void px_answer_pool(pith_answer *a, px_chunk *chunk)
{
    const pith_session *s = a->session;
    chunk->sum = a->sum;
    if (a->request.embed == PITH_POOL_MEAN) {
        chunk->n_pool = chunk->n;
    } else if (a->request.embed == PITH_POOL_CLS) {
        chunk->n_pool = s->seq.n_tokens == 0;
    } else if (s->seq.n_tokens + chunk->n == s->n_tokens) {
        chunk->pool_first = chunk->n - 1;
        chunk->n_pool = 1;
    }
}

/* The mean of what was pooled. */
static void finish_embedding(pith_answer *a)
{
    int32_t width = a->session->engine->model->hp.width;
    double n = a->request.embed == PITH_POOL_MEAN ? (double)a->session->n_tokens : 1;
    float *out = (float *)(void *)(a->sum + width);
    bool finite = true;
    for (int32_t i = 0; i < width; i++) {
        out[i] = (float)(a->sum[i] / n);
        finite = finite && isfinite(out[i]);
    }
    if (!finite) {
        pith_error e = {0};
        px_fail(&e, PITH_E_NUMERIC,
                "the embedding of %lld tokens holds NaN or infinity; the model file is damaged or "
                "its numbers outgrow f32",
                (long long)a->session->n_tokens);
        px_answer_fail(a, PITH_E_NUMERIC, &e);
        return;
    }
    a->result.embedding = out;
    a->result.n_embedding = width;
}

void px_answer_read(pith_answer *a)
{
    if (a->first > 0)
        return;
    a->first = px_now();
    a->result.prompt_seconds = a->first - a->start;
    if (a->sum)
        finish_embedding(a);
    if (a->request.max_tokens == 0)
        px_answer_finish(a, PITH_FINISH_LENGTH);
}

int32_t px_answer_most_draft(const pith_answer *a)
{
    if (a->first == 0 || a->request.speculation == PITH_SPECULATE_OFF)
        return 0;
    const pith_session *s = a->session;
    int64_t most = s->engine->setup.n_ctx - s->n_tokens;
    if (a->request.max_tokens > 0 && most > a->request.max_tokens - a->result.n_generated - 1)
        most = a->request.max_tokens - a->result.n_generated - 1;
    return most < PX_MOST_DRAFT ? (int32_t)most : PX_MOST_DRAFT;
}

/* A context that the token written last does not fit into. */
static void make_room(pith_answer *a)
{
    pith_session *s = a->session;
    int64_t n_ctx = s->engine->setup.n_ctx;
    if (s->overflow == PITH_OVERFLOW_SHIFT) {
        a->result.n_dropped += px_session_shift(s);
    } else if (s->overflow == PITH_OVERFLOW_TRUNCATE) {
        px_answer_finish(a, PITH_FINISH_CONTEXT);
    } else {
        pith_error e = {0};
        px_fail(&e, PITH_E_CONTEXT,
                "the answer has filled the context of %lld tokens after %lld of its own; make the "
                "context longer, or choose to shift or truncate",
                (long long)n_ctx, (long long)a->result.n_generated);
        px_answer_fail(a, PITH_E_CONTEXT, &e);
    }
}

void px_answer_look(pith_answer *a)
{
    if (a->done)
        return;
    pith_session *s = a->session;
    if (px_session_cancelled(s))
        px_answer_finish(a, PITH_FINISH_CANCELLED);
    else if (a->until > 0 && px_now() >= a->until)
        px_answer_finish(a, PITH_FINISH_DEADLINE);
    else if (px_answer_pending(a) == 0)
        px_answer_read(a);
    else if (s->n_tokens > s->engine->setup.n_ctx)
        make_room(a);
}

bool px_answer_may_prepare(const pith_answer *a)
{
    return !a->done && !a->request.on_logits && !a->has_match;
}

void px_answer_prepare(pith_answer *a, px_candidates *c, const float *logits)
{
    const pith_session *s = a->session;
    a->choice_error = (pith_error){0};
    px_sampler_load(&a->sampler, c, logits);
    a->choice_status =
        px_sampler_choose(&a->sampler, c, s->tokens, s->n_tokens, &a->choice, &a->choice_error);
    a->chosen = true;
    if (a->choice_status == PITH_OK && (a->request.logprobs || a->request.n_top > 0))
        rank(a, logits);
}

static pith_status choose(pith_answer *a, const float *logits, int32_t *token, pith_error *err)
{
    pith_session *s = a->session;
    if (a->chosen) {
        a->chosen = false;
        *token = a->choice;
        *err = a->choice_error;
        return a->choice_status;
    }
    px_candidates *c = &s->engine->candidates;
    px_sampler_load(&a->sampler, c, logits);
    if (a->request.on_logits) {
        px_heap_allow();
        int code =
            a->request.on_logits(a->request.user, c->logits, c->n_vocab, s->tokens, s->n_tokens);
        px_heap_forbid();
        if (code != 0) {
            px_answer_finish(a, PITH_FINISH_CALLBACK);
            return PITH_OK;
        }
    }
    if (a->has_match) {
        px_heap_allow(); // masks and stacks grow with what the text needs of the grammar
        pith_status st = px_grammar_filter(&a->match, c, err);
        px_heap_forbid();
        if (st != PITH_OK)
            return st;
    }
    return px_sampler_choose(&a->sampler, c, s->tokens, s->n_tokens, token, err);
}

/* The grammar goes on by the token that was chosen. */
static pith_status follow(pith_answer *a, int32_t token, pith_error *err)
{
    if (!a->has_match)
        return PITH_OK;
    bool taken = false;
    px_heap_allow();
    pith_status st = px_gmatch_token(&a->match, token, &taken, err);
    px_heap_forbid();
    if (st == PITH_OK && !taken)
        st = px_fail(err, PITH_E_INTERNAL, "the grammar's mask allowed token %d, and it does not",
                     token);
    return st;
}

static pith_status write_token(pith_answer *a, const float *logits, int32_t *token, pith_error *err)
{
    pith_status st = choose(a, logits, token, err);
    if (st == PITH_OK && !a->done)
        st = follow(a, *token, err);
    if (st != PITH_OK || a->done)
        return st;
    px_session_append(a->session, *token);
    px_sampler_accept(&a->sampler, *token);
    a->result.n_generated++;
    a->session->engine->n_generated++;
    pith_event event = {.text = "", .token = *token};
    put_logprobs(a, logits, &event);
    st = put_text(a, *token, &event, err);
    if (st != PITH_OK)
        return st;
    emit(a, &event);
    if (!a->request.ignore_end && pith_token_is_end(a->tokenizer, *token))
        px_answer_finish(a, PITH_FINISH_END);
    if (a->has_match && px_gmatch_over(&a->match))
        px_answer_finish(a, PITH_FINISH_END);
    if (a->request.max_tokens > 0 && a->result.n_generated >= a->request.max_tokens)
        px_answer_finish(a, PITH_FINISH_LENGTH);
    return PITH_OK;
}

void px_answer_write(pith_answer *a, const float *logits, int32_t *token)
{
    *token = -1;
    pith_error err = {0};
    pith_status st = write_token(a, logits, token, &err);
    if (st != PITH_OK)
        px_answer_fail(a, st, &err);
}

/* run: see run.h. */
#include "serve/run.h"

#include "base/mem.h"
#include "serve/dialect.h"

#include <string.h>

bool serve_job_tell(serve_job *job, const serve_event *event)
{
    if (!job->request.stream)
        return !serve_out_has_left(&job->out);
    px_buf_reset(&job->scratch);
    if (job->n_told++ == 0 && job->dialect->begin)
        job->dialect->begin(job, &job->scratch);
    job->dialect->event(job, event, &job->scratch);
    return !job->scratch.failed && serve_out_put(&job->out, job->scratch.data, job->scratch.len);
}

/* ---- events */

/* Room for one more of n elements, doubling. */
static void *grow(void *array, int n, int *cap, size_t size)
{
    if (n < *cap)
        return array;
    int more = *cap ? *cap * 2 : 32;
    void *bigger = px_realloc(array, (size_t)more, size);
    if (bigger)
        *cap = more;
    return bigger;
}

static bool keep_logprob(serve_choice *c, const pith_event *e)
{
    serve_logprob *all = grow(c->logprobs, c->n_logprobs, &c->cap_logprobs, sizeof *all);
    if (!all)
        return false;
    c->logprobs = all;
    serve_logprob *one = &all[c->n_logprobs];
    *one = (serve_logprob){
        .token = e->token, .logprob = e->logprob, .first_top = c->n_tops, .at = c->content.len};
    for (int i = 0; i < e->n_top; i++) {
        pith_logprob *tops = grow(c->tops, c->n_tops, &c->cap_tops, sizeof *tops);
        if (!tops)
            return false;
        c->tops = tops;
        tops[c->n_tops++] = e->top[i];
        one->n_top++;
    }
    c->n_logprobs++;
    return true;
}

static bool keep_token(serve_choice *c, int32_t token)
{
    int32_t *all = grow(c->tokens, c->n_tokens, &c->cap_tokens, sizeof *all);
    if (!all)
        return false;
    c->tokens = all;
    all[c->n_tokens++] = token;
    return true;
}

static bool put_content(serve_run *run, const char *text, size_t len)
{
    serve_job *job = run->job;
    serve_choice *c = &job->choices[run->index];
    if (!px_buf_put(&c->content, text, len))
        return false;
    serve_event e = {.kind = SERVE_EVENT_CONTENT,
                     .choice = run->index,
                     .text = text,
                     .len = len,
                     .first_logprob = run->n_told,
                     .n_logprobs = c->n_logprobs - run->n_told};
    run->n_told = c->n_logprobs;
    return serve_job_tell(job, &e);
}

static bool put_reasoning(serve_run *run, const char *text, size_t len)
{
    serve_event e = {.kind = SERVE_EVENT_REASONING, .choice = run->index, .text = text, .len = len};
    return px_buf_put(&run->job->choices[run->index].reasoning, text, len) &&
           serve_job_tell(run->job, &e);
}

static bool begin_call(serve_run *run, const pith_part *part)
{
    serve_choice *c = &run->job->choices[run->index];
    serve_tool_call *all = px_realloc(c->calls, (size_t)c->n_calls + 1, sizeof *all);
    if (!all)
        return false;
    c->calls = all;
    all[c->n_calls] = (serve_tool_call){.id = px_strndup(part->id, strlen(part->id)),
                                        .name = px_strndup(part->name, strlen(part->name))};
    const serve_tool_call *call = &all[c->n_calls++];
    serve_event e = {.kind = SERVE_EVENT_CALL,
                     .choice = run->index,
                     .call = c->n_calls - 1,
                     .id = call->id,
                     .name = call->name};
    return call->id && call->name && serve_job_tell(run->job, &e);
}

static bool put_arguments(serve_run *run, const pith_part *part)
{
    serve_choice *c = &run->job->choices[run->index];
    bool more = part->kind == PITH_PART_ARGUMENTS;
    serve_event e = {.kind = more ? SERVE_EVENT_ARGUMENTS : SERVE_EVENT_CALL_END,
                     .choice = run->index,
                     .call = c->n_calls - 1,
                     .text = part->text,
                     .len = part->len};
    return (!more || px_buf_put(&c->calls[c->n_calls - 1].arguments, part->text, part->len)) &&
           serve_job_tell(run->job, &e);
}

static int on_part(void *user, const pith_part *part)
{
    serve_run *run = user;
    run->part = part->kind;
    switch (part->kind) {
    case PITH_PART_CONTENT:
        return !put_content(run, part->text, part->len);
    case PITH_PART_REASONING:
        return !put_reasoning(run, part->text, part->len);
    case PITH_PART_CALL:
        return !begin_call(run, part);
    case PITH_PART_ARGUMENTS:
    case PITH_PART_CALL_END:
        return !put_arguments(run, part);
    }
    return 1;
}

/* A token of an echoed prompt. The token that begins every text is not shown. */
static bool put_prompt(serve_run *run, const pith_event *e)
{
    serve_choice *c = &run->job->choices[run->index];
    pith_tokenizer_info info = PITH_INIT(pith_tokenizer_info);
    if (pith_tokenizer_get_info(pith_model_tokenizer(run->job->model->model), &info, NULL) !=
            PITH_OK ||
        !keep_logprob(c, e))
        return false;
    if (c->n_logprobs == 1 && e->token == info.bos)
        return put_content(run, "", 0);
    /* Some tokenizers put a space before a text: it is not the client's. */
    const px_str text = run->job->request.inputs[run->index / run->job->request.n].text;
    bool space = c->content.len == 0 && e->len > 0 && e->text[0] == ' ' && text.len > 0 &&
                 text.data[0] != ' ';
    return put_content(run, e->text + space, e->len - space);
}

static int on_event(void *user, const pith_event *e)
{
    serve_run *run = user;
    serve_job *job = run->job;
    serve_choice *c = &job->choices[run->index];
    double now = serve_now();
    if (e->prompt)
        return !put_prompt(run, e);
    run->ready = true;
    if (e->token >= 0) {
        if (run->n_events++ == 0)
            serve_metrics_first_token(run->metrics, job->model, now - job->accepted);
        else
            serve_metrics_token(run->metrics, job->model, now - run->last);
        run->last = now;
        if (job->first == 0)
            job->first = now;
        if (job->request.keep_tokens && !keep_token(c, e->token))
            return 1;
        if (job->request.logprobs && !keep_logprob(c, e))
            return 1;
    }
    run->n_thought += e->token >= 0 && pith_reply_open_end(run->reply).len > 0;
    if (e->len > 0 && run->reply) {
        pith_error err = {0};
        pith_status status = pith_reply_push(run->reply, e->text, e->len, on_part, run, &err);
        if (status != PITH_OK && status != PITH_E_CANCELLED)
            serve_refuse_error(&job->problem, 0, &err);
        if (status != PITH_OK)
            return 1;
    } else if (e->len > 0 && !put_content(run, e->text, e->len)) {
        return 1;
    }
    c->n_reasoning += run->reply && e->token >= 0 && run->part == PITH_PART_REASONING;
    return serve_out_has_left(&job->out);
}

enum { MAX_CLOSE = sizeof((serve_run *)NULL)->close / sizeof(int32_t) };

/* Once the budget of reasoning is spent nothing is left but the tokens of what ends it, one after
 * the other, and only once: a model whose own end is another goes on. A template whose end takes
 * more than MAX_CLOSE tokens, or none, cannot be held to a budget; a tag spelled byte by byte takes
 * some ten. */
static void close_reasoning(serve_run *run, float *logits, int32_t n_vocab, int64_t n)
{
    pith_str end = pith_reply_open_end(run->reply);
    if (run->n_close == 0) {
        int64_t n_end = 0;
        if (end.len == 0 || run->n_thought < run->job->request.think_budget ||
            pith_tokenize(pith_model_tokenizer(run->job->model->model), end.data, end.len,
                          PITH_TOKENIZE_SPECIAL | PITH_TOKENIZE_NO_BOS, run->close, NULL, MAX_CLOSE,
                          &n_end, NULL) != PITH_OK ||
            n_end > MAX_CLOSE)
            return;
        run->n_close = (int)n_end;
        run->close_from = n;
    }
    if (end.len == 0 || n < run->close_from || n >= run->close_from + run->n_close)
        return;
    const int32_t token = run->close[n - run->close_from];
    for (int32_t i = 0; i < n_vocab; i++)
        if (i != token)
            logits[i] = -INFINITY;
    if (token < n_vocab && !isfinite(logits[token]))
        logits[token] = 0;
}

/* Forbids the end while the answer is shorter than min_tokens. */
static int on_logits(void *user, float *logits, int32_t n_vocab, const int32_t *tokens, int64_t n)
{
    serve_run *run = user;
    const serve_request *r = &run->job->request;
    const serve_model *m = run->job->model;
    (void)tokens;
    for (int i = 0; i < m->n_ends && n - run->n_prompt < r->min_tokens; i++)
        if (m->ends[i] < n_vocab)
            logits[m->ends[i]] = -INFINITY;
    if (run->reply && r->think_budget >= 0)
        close_reasoning(run, logits, n_vocab, n);
    return 0;
}

/* ---- starting */

static pith_status sampling_of(const serve_job *job, int choice, pith_sampling *s, pith_error *err)
{
    const serve_request *r = &job->request;
    *s = PITH_INIT(pith_sampling);
    pith_status status = pith_sampling_init(s, job->model->model, err);
    if (status != PITH_OK)
        return status;
    float *const reals[SERVE_N_KNOBS] = {
        [SERVE_TEMPERATURE] = &s->temperature,
        [SERVE_TOP_P] = &s->top_p,
        [SERVE_MIN_P] = &s->min_p,
        [SERVE_TYPICAL_P] = &s->typical,
        [SERVE_REPEAT_PENALTY] = &s->repeat_penalty,
        [SERVE_FREQUENCY_PENALTY] = &s->frequency_penalty,
        [SERVE_PRESENCE_PENALTY] = &s->presence_penalty,
        [SERVE_XTC_PROBABILITY] = &s->xtc_probability,
        [SERVE_XTC_THRESHOLD] = &s->xtc_threshold,
        [SERVE_DRY_MULTIPLIER] = &s->dry_multiplier,
        [SERVE_DRY_BASE] = &s->dry_base,
        [SERVE_MIROSTAT_TAU] = &s->mirostat_tau,
        [SERVE_MIROSTAT_ETA] = &s->mirostat_eta,
    };
    int32_t *const wholes[SERVE_N_KNOBS] = {
        [SERVE_TOP_K] = &s->top_k,
        [SERVE_REPEAT_LAST_N] = &s->penalty_last_n,
        [SERVE_DRY_ALLOWED_LENGTH] = &s->dry_allowed_length,
        [SERVE_DRY_LAST_N] = &s->dry_last_n,
        [SERVE_MIROSTAT] = &s->mirostat,
        [SERVE_MIN_KEEP] = &s->min_keep,
    };
    for (int k = 0; k < SERVE_N_KNOBS; k++) {
        if (!(r->given & (1u << k)))
            continue;
        if (reals[k])
            *reals[k] = (float)r->knobs[k];
        else if (k == SERVE_TOP_K && r->knobs[k] < 0)
            s->top_k = 0; // -1 is off to some clients
        else
            *wholes[k] = (int32_t)r->knobs[k];
    }
    if (r->samplers.len > 0)
        s->order = r->samplers.data;
    s->seed = r->seed == PITH_SEED_RANDOM ? r->seed : r->seed + (uint64_t)(choice % r->n);
    return PITH_OK;
}

static bool find_ends(serve_model *m)
{
    const pith_tokenizer *tok = pith_model_tokenizer(m->model);
    if (m->ends)
        return true;
    m->ends = px_malloc(64, sizeof *m->ends);
    for (int32_t id = 0; m->ends && id < m->info.n_vocab && m->n_ends < 64; id++)
        if (pith_token_is_end(tok, id))
            m->ends[m->n_ends++] = id;
    return m->ends != NULL;
}

/* A context that does not fit, with its numbers. */
static bool too_long(serve_job *job, int64_t n, int64_t n_ctx)
{
    serve_problem *p = &job->problem;
    serve_refuse(
        p, 400, job->request.kind == SERVE_CHAT ? "messages" : "prompt",
        "the request has %lld tokens, and the context of model '%s' holds %lld with at least "
        "one for the answer; shorten it, or serve with a larger --ctx",
        (long long)n, job->model->name, (long long)n_ctx);
    p->type = "exceed_context_size_error";
    p->code = "context_length_exceeded";
    p->n_prompt = n;
    p->n_ctx = n_ctx;
    return false;
}

static bool wants_vector(const serve_request *r)
{
    return r->kind == SERVE_EMBED;
}

/* What of the input is computed: all of it, or its beginning and end where the client allowed that.
 */
static bool fit(serve_run *run, const serve_input *in, pith_request *q)
{
    serve_job *job = run->job;
    const serve_request *r = &job->request;
    int64_t n_ctx = job->model->counters.n_ctx;
    bool small = r->n_ctx > 0 && r->n_ctx < n_ctx;
    if (small)
        n_ctx = r->n_ctx;
    int64_t room = r->max_tokens == 0 ? n_ctx : n_ctx - 1;
    q->tokens = in->ids;
    q->n_tokens = in->n_ids;
    if (in->n_ids > room && r->truncate_input)
        q->n_tokens = room;
    else if (in->n_ids > room && r->overflow == PITH_OVERFLOW_ERROR)
        return too_long(job, in->n_ids, n_ctx);
    if (q->n_tokens > room) {
        int64_t answer =
            r->max_tokens >= 0 && r->max_tokens < n_ctx / 2 ? r->max_tokens : n_ctx / 2;
        int64_t keep = r->n_keep < n_ctx / 4 ? r->n_keep : n_ctx / 4;
        int64_t tail = n_ctx - answer - keep;
        run->cut = px_malloc((size_t)(keep + tail), sizeof *run->cut);
        if (!run->cut)
            return serve_refuse(&job->problem, 503, NULL, "out of memory for the prompt");
        memcpy(run->cut, in->ids, (size_t)keep * sizeof *run->cut);
        memcpy(run->cut + keep, in->ids + in->n_ids - tail, (size_t)tail * sizeof *run->cut);
        q->tokens = run->cut;
        q->n_tokens = keep + tail;
        job->choices[run->index].n_cut = in->n_ids - q->n_tokens;
    }
    q->max_tokens = r->max_tokens;
    /* An answer that may outgrow the context would never end with some models. */
    if (r->overflow == PITH_OVERFLOW_SHIFT && (r->max_tokens < 0 || r->max_tokens > 10 * n_ctx))
        q->max_tokens = 10 * n_ctx;
    if (small && r->overflow != PITH_OVERFLOW_SHIFT &&
        (q->max_tokens < 0 || q->max_tokens > n_ctx - q->n_tokens))
        q->max_tokens = n_ctx - q->n_tokens;
    return true;
}

/* The adapters that a job's sessions use: those that it names by number, or that its model's name
 * stands for. Errors: ARGUMENT (no such number). */
static pith_status find_adapters(const serve_job *job, pith_adapter_use uses[SERVE_MAX_ADAPTERS],
                                 int32_t *n, pith_error *err)
{
    const serve_request *r = &job->request;
    const serve_model *m = job->model;
    if (!r->loras) {
        *n = serve_models_adapters(m, r->model.data, uses);
        return PITH_OK;
    }
    for (*n = 0; *n < r->n_loras; ++*n) {
        const serve_lora *l = &r->loras[*n];
        if (l->id >= m->n_adapters)
            return px_fail(err, PITH_E_ARGUMENT,
                           "'lora' has id %d, but '%s' has %d adapters; GET /lora-adapters lists "
                           "them",
                           (int)l->id, m->name, m->n_adapters);
        uses[*n] = (pith_adapter_use){.adapter = m->adapters[l->id].adapter, .scale = l->scale};
    }
    return PITH_OK;
}

static pith_status open_session(serve_run *run, const serve_run *base, pith_error *err)
{
    const serve_request *r = &run->job->request;
    if (base && base->session)
        return pith_session_fork(base->session, base->n_prompt, &run->session, err);
    pith_adapter_use uses[SERVE_MAX_ADAPTERS];
    pith_session_options so = PITH_INIT(pith_session_options);
    so.overflow = r->overflow == PITH_OVERFLOW_SHIFT ? PITH_OVERFLOW_SHIFT : PITH_OVERFLOW_TRUNCATE;
    so.n_keep = r->n_keep;
    so.adapters = uses;
    pith_status status = find_adapters(run->job, uses, &so.n_adapters, err);
    if (status != PITH_OK)
        return status;
    return pith_session_new(run->job->model->engine, &so, &run->session, err);
}

bool serve_run_start(serve_run *run, serve_run *base)
{
    serve_job *job = run->job;
    const serve_request *r = &job->request;
    const serve_input *in = &r->inputs[run->index / r->n];
    pith_request q = PITH_INIT(pith_request);
    pith_sampling sampling;
    pith_error err = {0};
    run->started = true;
    run->submitted = run->last = serve_now();
    if (job->started == 0)
        job->started = run->submitted;
    if (!fit(run, in, &q))
        return false;
    run->n_prompt = q.n_tokens;
    job->choices[run->index].n_prompt = q.n_tokens;
    pith_status status = sampling_of(job, run->index, &sampling, &err);
    run->reply = job->replies ? job->replies[run->index] : NULL;
    if (status == PITH_OK)
        status = open_session(run, base, &err);
    if (status == PITH_OK && r->min_tokens > 0 && !find_ends(job->model))
        status = px_fail_memory(&err, "the end tokens");
    q.sampling = &sampling;
    q.stops = r->stops;
    q.n_stops = r->n_stops;
    q.bias = r->bias;
    q.n_bias = r->n_bias;
    q.logprobs = r->logprobs;
    q.n_top = r->n_top;
    q.ignore_end = r->ignore_end;
    q.special = run->reply && pith_reply_wants_special(run->reply);
    q.grammar = run->reply ? pith_reply_get_grammar(run->reply) : job->grammar;
    q.prompt_logprobs = r->prompt_logprobs;
    q.key = (uint64_t)(uintptr_t)job->key;
    q.deadline = r->deadline > 0 ? r->deadline - (run->submitted - job->accepted) : 0;
    q.on_event = on_event;
    q.on_logits = r->min_tokens > 0 || r->think_budget >= 0 ? on_logits : NULL;
    q.user = run;
    q.speculation = run->speculation;
    if (wants_vector(r))
        q.embed = pith_model_pooling(job->model->model);
    if (wants_vector(r) && q.embed == PITH_POOL_NONE)
        return serve_refuse(&job->problem, 400, "model", "model '%s' gives scores and no vectors",
                            job->model->name);
    if (r->deadline > 0 && q.deadline <= 0)
        return serve_refuse(&job->problem, 504, NULL,
                            "the request waited longer than its deadline");
    if (status == PITH_OK)
        status = pith_session_submit(run->session, &q, &run->answer, &err);
    px_free(run->cut);
    run->cut = NULL;
    if (status != PITH_OK)
        return serve_refuse_error(&job->problem, 0, &err);
    job->model->n_running++;
    if (r->echo && !r->prompt_logprobs && !put_content(run, in->text.data, in->text.len))
        serve_out_drop(&job->out);
    return true;
}

bool serve_run_rerank(serve_job *job, pith_progress_fn on_tick, void *user)
{
    const serve_request *r = &job->request;
    const int n = r->n_inputs;
    pith_adapter_use uses[SERVE_MAX_ADAPTERS];
    pith_rerank_options o = PITH_INIT(pith_rerank_options);
    pith_rerank_result result = PITH_INIT(pith_rerank_result);
    pith_error err = {0};
    pith_str *documents = px_malloc((size_t)n, sizeof *documents);
    float *scores = px_malloc((size_t)n, sizeof *scores);
    pith_status status = documents && scores ? PITH_OK : px_fail_memory(&err, "the documents");
    o.adapters = uses;
    if (status == PITH_OK)
        status = find_adapters(job, uses, &o.n_adapters, &err);
    o.instruction = r->instruction.len > 0 ? r->instruction.data : NULL;
    o.instruction_len = r->instruction.len;
    o.truncate = r->truncate_input;
    o.progress = on_tick;
    o.user = user;
    job->started = serve_now();
    for (int i = 0; status == PITH_OK && i < n; i++)
        documents[i] = (pith_str){r->inputs[i].text.data, r->inputs[i].text.len};
    if (status == PITH_OK)
        status = pith_rerank(job->model->engine, (pith_str){r->query.data, r->query.len}, documents,
                             n, &o, scores, &result, &err);
    for (int i = 0; i < n; i++) {
        job->choices[i].score = status == PITH_OK ? (double)scores[i] : 0;
        job->choices[i].finish = SERVE_FINISH_STOP;
        job->runs[i].started = job->runs[i].done = true;
    }
    if (status == PITH_OK && n > 0)
        job->choices[0].n_prompt = result.n_tokens;
    px_free(documents);
    px_free(scores);
    if (status == PITH_OK)
        return true;
    return serve_refuse_error(
        &job->problem, status == PITH_E_UNSUPPORTED || status == PITH_E_TEMPLATE ? 400 : 0, &err);
}

/* ---- ending */

static serve_finish finish_of(const serve_job *job, const serve_choice *c, pith_finish finish)
{
    (void)job;
    switch (finish) {
    case PITH_FINISH_END:
    case PITH_FINISH_STOP:
        return c->n_calls > 0 ? SERVE_FINISH_TOOL_CALLS : SERVE_FINISH_STOP;
    case PITH_FINISH_LENGTH:
    case PITH_FINISH_CONTEXT:
        return SERVE_FINISH_LENGTH;
    case PITH_FINISH_DEADLINE:
        return SERVE_FINISH_DEADLINE;
    case PITH_FINISH_CALLBACK:
    case PITH_FINISH_CANCELLED:
        return SERVE_FINISH_CANCELLED;
    }
    return SERVE_FINISH_ERROR;
}

static void release(serve_run *run)
{
    if (run->answer) {
        pith_answer_free(run->answer);
        run->job->model->n_running--;
    }
    run->answer = NULL;
    pith_session_free(run->session);
    run->session = NULL;
    run->reply = NULL;
    px_free(run->cut);
    run->cut = NULL;
    run->done = true;
}

/* The vector, of unit length, cut to the dimensions that are wanted. */
static pith_status take_vector(const serve_job *job, serve_choice *c, const pith_result *result,
                               pith_error *err)
{
    int64_t dims = job->request.dimensions;
    int32_t n = dims > 0 && dims < result->n_embedding ? (int32_t)dims : result->n_embedding;
    if (!result->embedding)
        return px_fail(err, PITH_E_INTERNAL, "the model gave no vector");
    if (dims > result->n_embedding)
        return px_fail(err, PITH_E_ARGUMENT, "'dimensions' is %lld, and model '%s' has %d",
                       (long long)dims, job->model->name, result->n_embedding);
    c->embedding = px_malloc((size_t)n, sizeof *c->embedding);
    if (!c->embedding)
        return px_fail_memory(err, "a vector");
    c->n_embedding = n;
    return pith_embed_finish(result->embedding, result->n_embedding, n, false, c->embedding, err);
}

/* Why a piece of the answer was not kept: its reader has gone, or memory ran out, which is told. */
static bool has_reader_gone(serve_job *job)
{
    return serve_out_has_left(&job->out) ||
           serve_refuse(&job->problem, 503, NULL, "out of memory for the answer");
}

bool serve_run_poll(serve_run *run)
{
    serve_job *job = run->job;
    serve_choice *c = &job->choices[run->index];
    pith_result result = PITH_INIT(pith_result);
    pith_error err = {0};
    if (!run->answer || !pith_answer_is_done(run->answer))
        return true;
    pith_status status = pith_answer_get_result(run->answer, &result, &err);
    bool stopped = result.finish == PITH_FINISH_CALLBACK;
    if (status == PITH_OK && run->reply && !stopped)
        status = pith_reply_finish(run->reply, on_part, run, &err);
    if (status == PITH_E_CANCELLED) {
        stopped = true;
        status = PITH_OK;
    }
    if (status == PITH_OK && wants_vector(&job->request))
        status = take_vector(job, c, &result, &err);
    release(run);
    c->stop_index = result.stop_index;
    c->n_prompt = result.n_prompt;
    c->n_cached = result.n_reused;
    c->n_generated = result.n_generated;
    c->prompt_seconds = result.prompt_seconds;
    c->decode_seconds = result.decode_seconds;
    if (status != PITH_OK) {
        c->finish = SERVE_FINISH_ERROR;
        return serve_refuse_error(&job->problem, 0, &err);
    }
    c->finish = stopped ? SERVE_FINISH_CANCELLED : finish_of(job, c, result.finish);
    serve_metrics_answer(run->metrics, job->model, c);
    serve_event e = {.kind = SERVE_EVENT_FINISH, .choice = run->index};
    bool told = !stopped && (c->n_logprobs == run->n_told || put_content(run, "", 0)) &&
                serve_job_tell(job, &e);
    return told || has_reader_gone(job);
}

void serve_run_drop(serve_run *run)
{
    if (run->done)
        return;
    release(run);
    run->job->choices[run->index].finish = SERVE_FINISH_CANCELLED;
}

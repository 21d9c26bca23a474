/* job: see job.h. */
#include "serve/job.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "serve/dialect.h"
#include "serve/models.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double serve_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool serve_refuse(serve_problem *p, int http, const char *param, const char *fmt, ...)
{
    if (p->http != 0)
        return false;
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->text, sizeof p->text, fmt, args);
    va_end(args);
    p->text[px_utf8_valid_prefix(p->text, strlen(p->text))] = 0;
    p->http = http;
    snprintf(p->param, sizeof p->param, "%s", param ? param : "");
    return false;
}

bool serve_refuse_error(serve_problem *p, int http, const pith_error *err)
{
    return serve_refuse(p, http ? http : pith_status_http(err->status), NULL, "%s",
                        err->text[0] ? err->text : pith_status_text(err->status));
}

/* 24 random letters and digits. Without a source of randomness the id alone tells jobs apart. */
static void make_tag(char tag[25], uint64_t id)
{
    static const char LETTERS[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab";
    unsigned char raw[24];
    if (gnutls_rnd(GNUTLS_RND_NONCE, raw, sizeof raw) != 0)
        for (size_t i = 0; i < sizeof raw; i++)
            raw[i] = (unsigned char)(id >> (i % 8 * 8));
    for (size_t i = 0; i < sizeof raw; i++)
        tag[i] = LETTERS[raw[i] & 63];
    tag[24] = '\0';
}

serve_job *serve_job_new(const serve_dialect *dialect)
{
    static _Atomic uint64_t last_id;
    serve_job *job = px_calloc(1, sizeof *job);
    if (!job)
        return NULL;
    px_arena_init(&job->arena, 2048, 0);
    serve_out_init(&job->out);
    job->dialect = dialect;
    job->id = atomic_fetch_add(&last_id, 1) + 1;
    job->created = (int64_t)time(NULL);
    job->accepted = serve_now();
    atomic_store(&job->owners, 1);
    make_tag(job->tag, job->id);
    serve_request *r = &job->request;
    r->n = 1;
    r->max_tokens = -1;
    r->think = -1;
    r->think_budget = -1;
    r->seed = PITH_SEED_RANDOM;
    r->model.data = "";
    if (dialect && dialect->state_bytes > 0) {
        job->state = px_arena_zalloc(&job->arena, 1, dialect->state_bytes);
        if (!job->state) {
            serve_job_leave(job);
            return NULL;
        }
    }
    return job;
}

void serve_job_keep(serve_job *job)
{
    atomic_fetch_add(&job->owners, 1);
}

static void choice_clear(serve_choice *c)
{
    px_buf_clear(&c->content);
    px_buf_clear(&c->reasoning);
    for (int i = 0; i < c->n_calls; i++) {
        px_free(c->calls[i].id);
        px_free(c->calls[i].name);
        px_buf_clear(&c->calls[i].arguments);
    }
    px_free(c->calls);
    px_free(c->logprobs);
    px_free(c->tops);
    px_free(c->tokens);
    px_free(c->embedding);
}

void serve_job_leave(serve_job *job)
{
    if (!job || atomic_fetch_sub(&job->owners, 1) != 1)
        return;
    for (int i = 0; i < job->n_choices; i++)
        choice_clear(&job->choices[i]);
    for (int i = 0; i < job->request.n_inputs; i++)
        px_free(job->request.inputs[i].ids);
    for (int i = 0; job->replies && i < job->request.n; i++)
        pith_reply_free(job->replies[i]);
    px_free(job->replies);
    pith_grammar_free(job->grammar);
    serve_models_leave(job->model);
    px_free(job->choices);
    px_buf_clear(&job->scratch);
    px_buf_clear(&job->body);
    serve_out_clear(&job->out);
    px_arena_clear(&job->arena);
    px_free(job);
}

serve_usage serve_job_usage(const serve_job *job)
{
    serve_usage u = {0};
    for (int i = 0; i < job->n_choices; i++) {
        const serve_choice *c = &job->choices[i];
        if (i % job->request.n == 0) {
            u.prompt += c->n_prompt;
            u.cached += c->n_cached;
            u.prompt_seconds += c->prompt_seconds;
        }
        u.completion += c->n_generated;
        u.reasoning += c->n_reasoning;
        u.decode_seconds =
            u.decode_seconds > c->decode_seconds ? u.decode_seconds : c->decode_seconds;
    }
    return u;
}

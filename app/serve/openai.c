/* openai: the routes of OpenAI's dialect, and its lists of models. */
#include "serve/openai.h"

#include "serve/server.h"

#include <string.h>

/* ---- models */

typedef struct listing {
    px_buf *out;
    px_str only; // one model, or empty
    int n;
} listing;

static void put_model(void *user, const serve_model_row *row)
{
    listing *l = user;
    px_str name = px_str_of(row->name);
    if (l->only.len > 0 && !px_str_eq(name, l->only))
        return;
    px_buf_puts(l->out, l->n++ > 0 ? ",{\"id\":" : "{\"id\":");
    serve_put_text(l->out, row->name);
    px_buf_printf(l->out,
                  ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"pith\",\"loaded\":%s",
                  (long long)row->created, row->loaded ? "true" : "false");
    pith_model_info info = PITH_INIT(pith_model_info);
    if (row->model && pith_model_get_info(row->model, &info, NULL) == PITH_OK)
        px_buf_printf(
            l->out,
            ",\"meta\":{\"n_vocab\":%d,\"n_ctx_train\":%d,\"n_embd\":%d,\"n_params\":%llu,"
            "\"size\":%llu}",
            info.n_vocab, info.n_ctx_train, info.width, (unsigned long long)info.n_parameters,
            (unsigned long long)info.file_bytes);
    if (row->n_ctx > 0)
        px_buf_printf(l->out, ",\"max_model_len\":%lld", (long long)row->n_ctx);
    px_buf_putc(l->out, '}');
}

static bool answer_models(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    listing l = {.out = &answer->body};
    (void)problem;
    px_buf_puts(&answer->body, "{\"object\":\"list\",\"data\":[");
    serve_models_each(call->server->models, true, put_model, &l);
    px_buf_puts(&answer->body, "]}");
    return true;
}

static bool answer_model(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    listing l = {.out = &answer->body, .only = call->rest};
    serve_models_each(call->server->models, true, put_model, &l);
    if (l.n > 0)
        return true;
    problem->code = "model_not_found";
    return serve_refuse(problem, 404, "model", "model '%.*s' not found; GET /v1/models lists all",
                        PX_STR_ARG(call->rest));
}

/* The adapters of an entry, each with the number that a request's 'lora' names it by. */
static void put_adapters(void *user, serve_model *m)
{
    listing *l = user;
    for (int i = 0; i < m->n_adapters; i++) {
        const serve_adapter *a = &m->adapters[i];
        px_buf_printf(l->out, "%s{\"id\":%d,\"path\":", l->n++ > 0 ? "," : "", i);
        serve_put_text(l->out, a->path);
        px_buf_printf(l->out, ",\"scale\":%d,\"name\":", a->name ? 0 : 1);
        serve_put_text(l->out, a->name ? a->name : "");
        px_buf_puts(l->out, ",\"model\":");
        serve_put_text(l->out, m->name);
        px_buf_putc(l->out, '}');
    }
}

static bool answer_adapters(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    listing l = {.out = &answer->body};
    (void)problem;
    px_buf_putc(&answer->body, '[');
    serve_models_visit(call->server->models, put_adapters, &l);
    px_buf_putc(&answer->body, ']');
    return true;
}

#define RERANK(where)                                                     \
    {                                                                     \
        .method = "POST", .path = where, .dialect = &serve_openai_rerank, \
        .known = &serve_openai_known_rerank, .job = true                  \
    }

const serve_route *serve_routes_openai(int *n)
{
    static const serve_route ROUTES[] = {
        {.method = "POST",
         .path = "/v1/chat/completions",
         .dialect = &serve_openai_chat,
         .known = &serve_openai_known_chat,
         .job = true},
        {.method = "POST",
         .path = "/v1/completions",
         .dialect = &serve_openai_text,
         .known = &serve_openai_known_text,
         .job = true},
        {.method = "POST",
         .path = "/v1/embeddings",
         .dialect = &serve_openai_embed,
         .known = &serve_openai_known_embed,
         .job = true},
        RERANK("/v1/rerank"),
        RERANK("/v2/rerank"),
        RERANK("/rerank"),
        {.method = "POST",
         .path = "/tokenize",
         .dialect = &serve_openai_chat,
         .known = &serve_openai_known_tokenize,
         .answer = serve_openai_tokenize},
        {.method = "POST",
         .path = "/detokenize",
         .dialect = &serve_openai_chat,
         .known = &serve_openai_known_detokenize,
         .answer = serve_openai_detokenize},
        {.method = "POST",
         .path = "/apply-template",
         .dialect = &serve_openai_chat,
         .known = &serve_openai_known_chat,
         .answer = serve_openai_template},
        {.method = "POST",
         .path = "/v1/chat/completions/input_tokens",
         .dialect = &serve_openai_chat,
         .known = &serve_openai_known_chat,
         .answer = serve_openai_count},
        {.method = "GET",
         .path = "/v1/models",
         .dialect = &serve_openai_chat,
         .answer = answer_models},
        {.method = "GET",
         .path = "/v1/models/*",
         .dialect = &serve_openai_chat,
         .answer = answer_model},
        {.method = "GET",
         .path = "/lora-adapters",
         .dialect = &serve_openai_chat,
         .answer = answer_adapters},
    };
    *n = sizeof ROUTES / sizeof ROUTES[0];
    return ROUTES;
}

/* openai_tokens: POST /tokenize, /detokenize, /apply-template as llama-server has them (and vLLM's
 * /tokenize), and the counting of a chat's tokens. They need no engine. */
#include "base/mem.h"
#include "serve/count.h"
#include "serve/openai.h"
#include "serve/prepare.h"
#include "serve/server.h"
#include "serve/turns.h"

#include <string.h>

static bool take_model(serve_call *call, serve_job *job, serve_problem *problem)
{
    if (!serve_get_text(job, call->json, "model", &job->request.model, problem))
        return false;
    job->model = serve_models_take(call->server->models, job->request.model.data, problem);
    if (job->model && !pith_model_tokenizer(job->model->model))
        return serve_refuse(problem, 400, "model", "model '%s' has no tokenizer", job->model->name);
    return job->model != NULL;
}

/* With pieces: {"id":1,"piece":"text"}, or the bytes of one that is not UTF-8 alone. */
static void put_tokens(const serve_job *job, const int32_t *ids, int64_t n, bool pieces,
                       px_buf *out)
{
    const pith_tokenizer *tok = pith_model_tokenizer(job->model->model);
    for (int64_t i = 0; i < n; i++) {
        px_buf_puts(out, i > 0 ? "," : "");
        if (!pieces) {
            px_buf_printf(out, "%d", ids[i]);
            continue;
        }
        pith_str s = pith_token_bytes(tok, ids[i], true);
        px_buf_printf(out, "{\"id\":%d,\"piece\":", ids[i]);
        serve_put_string(out, s.data ? s.data : "", s.len);
        px_buf_putc(out, '}');
    }
}

static bool tokenize(serve_call *call, serve_job *job, px_buf *out, serve_problem *problem)
{
    bool special = false, parse = true, pieces = false;
    px_str text = {"", 0};
    bool vllm = px_json_type_of(px_json_find(call->json, "prompt")) == PX_JSON_STRING;
    if (!take_model(call, job, problem) ||
        !serve_get_text(job, call->json, vllm ? "prompt" : "content", &text, problem) ||
        !serve_get_bool(call->json, vllm ? "add_special_tokens" : "add_special", &special,
                        problem) ||
        !serve_get_bool(call->json, "parse_special", &parse, problem) ||
        !serve_get_bool(call->json, "with_pieces", &pieces, problem))
        return false;
    if (vllm && px_json_type_of(px_json_find(call->json, "add_special_tokens")) == PX_JSON_NONE)
        special = true;
    pith_error err = {0};
    int64_t n = 0, cap = (int64_t)text.len + 8;
    int32_t *ids = px_malloc((size_t)cap, sizeof *ids);
    bool ok = ids || serve_refuse(problem, 503, NULL, "out of memory for the text");
    if (ok &&
        pith_tokenize(pith_model_tokenizer(job->model->model), text.data, text.len,
                      (parse ? PITH_TOKENIZE_SPECIAL : 0u) | (special ? 0u : PITH_TOKENIZE_NO_BOS),
                      ids, NULL, cap, &n, &err) != PITH_OK)
        ok = serve_refuse_error(problem, 0, &err);
    if (ok) {
        px_buf_puts(out, "{\"tokens\":[");
        put_tokens(job, ids, n, pieces, out);
        px_buf_printf(out, "],\"count\":%lld}", (long long)n);
    }
    px_free(ids);
    return ok;
}

static bool detokenize(serve_call *call, serve_job *job, px_buf *out, serve_problem *problem)
{
    pith_error err = {0};
    pith_text text = {0};
    if (!take_model(call, job, problem))
        return false;
    px_json tokens = px_json_find(call->json, "tokens");
    if (px_json_type_of(tokens) != PX_JSON_ARRAY)
        return serve_refuse(problem, 400, "tokens", "'tokens' is %s, expected an array of numbers",
                            px_json_type_name(px_json_type_of(tokens)));
    if (px_json_count(tokens) > 0 && !serve_get_inputs(job, call->json, "tokens", problem))
        return false;
    const serve_input *in = job->request.inputs;
    if (in && (!in->ids || job->request.n_inputs != 1))
        return serve_refuse(problem, 400, "tokens", "'tokens' holds texts, expected numbers");
    for (int64_t i = 0; in && i < in->n_ids; i++)
        if (in->ids[i] >= job->model->info.n_vocab)
            return serve_refuse(problem, 400, "tokens",
                                "token %d is not of this vocabulary, which has %d", in->ids[i],
                                job->model->info.n_vocab);
    if (in && pith_detokenize(pith_model_tokenizer(job->model->model), in->ids, in->n_ids, true,
                              &text, &err) != PITH_OK)
        return serve_refuse_error(problem, 0, &err);
    px_buf_puts(out, "{\"content\":");
    serve_put_string(out, text.data ? text.data : "", text.len);
    px_buf_putc(out, '}');
    pith_text_free(&text);
    return true;
}

static bool apply_template(serve_call *call, serve_job *job, px_buf *out, serve_problem *problem)
{
    if (!job->dialect->parse(job, call->json, problem) ||
        !serve_prepare(call->server->models, job, problem))
        return false;
    px_buf_puts(out, "{\"prompt\":");
    serve_put_string(out, job->request.inputs[0].text.data, job->request.inputs[0].text.len);
    px_buf_putc(out, '}');
    return true;
}

typedef bool (*token_fn)(serve_call *, serve_job *, px_buf *, serve_problem *);

/* With a job that is never submitted: its request and its model. */
static bool answer_with(token_fn fn, serve_call *call, serve_answer *answer, serve_problem *problem)
{
    serve_job *job = serve_job_new(&serve_openai_chat);
    bool ok =
        (job && fn(call, job, &answer->body, problem)) || (!job && serve_refuse_memory(problem));
    serve_job_leave(job);
    return ok;
}

bool serve_openai_tokenize(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    return answer_with(tokenize, call, answer, problem);
}

bool serve_openai_detokenize(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    return answer_with(detokenize, call, answer, problem);
}

bool serve_openai_template(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    return answer_with(apply_template, call, answer, problem);
}

bool serve_openai_count(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    int64_t n;
    if (!serve_count_tokens(call, &serve_openai_chat, &n, problem))
        return false;
    px_buf_printf(&answer->body, "{\"object\":\"response.input_tokens\",\"input_tokens\":%lld}",
                  (long long)n);
    return true;
}

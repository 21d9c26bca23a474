/* openai_common: what OpenAI's routes share: sampling fields, usage, errors. */
#include "serve/models.h"
#include "serve/openai.h"
#include "serve/turns.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bias by token id: {"50256": -100}, or the pairs of llama-server: [[50256, -100], [15, false]]. */
static bool add_bias(serve_job *job, int64_t id, px_json value, serve_problem *problem)
{
    serve_request *r = &job->request;
    double x = 0;
    bool flag = true;
    if (px_json_get_bool(value, &flag) && !flag)
        x = -INFINITY;
    else if (!px_json_get_double(value, &x) || !(x >= -1000 && x <= 1000))
        return serve_refuse(problem, 400, "logit_bias",
                            "'logit_bias' has value %.*s, expected a number from -100 to 100",
                            PX_STR_ARG(serve_slice(value)));
    if (id < 0 || id > INT32_MAX)
        return serve_refuse(problem, 400, "logit_bias",
                            "'logit_bias' has token %lld, expected an id", (long long)id);
    /* OpenAI: -100 bans a token. */
    r->bias[r->n_bias++] =
        (pith_logit_bias){.token = (int32_t)id, .bias = x <= -100 ? -INFINITY : (float)x};
    return true;
}

static bool get_bias(serve_job *job, px_json body, serve_problem *problem)
{
    px_json v = px_json_find(body, "logit_bias");
    px_json_type type = px_json_type_of(v);
    uint64_t n = px_json_count(v);
    if (type == PX_JSON_NONE || type == PX_JSON_NULL)
        return true;
    if (type != PX_JSON_OBJECT && type != PX_JSON_ARRAY)
        return serve_refuse(problem, 400, "logit_bias", "'logit_bias' is %s, expected an object",
                            px_json_type_name(type));
    if (n > SERVE_MAX_BIAS)
        return serve_refuse(problem, 400, "logit_bias",
                            "'logit_bias' has %llu tokens, expected at most %d",
                            (unsigned long long)n, SERVE_MAX_BIAS);
    job->request.bias = PX_ZNEW(&job->arena, pith_logit_bias, (size_t)n + 1);
    if (!job->request.bias)
        return serve_refuse(problem, 503, NULL, "out of memory for the request");
    px_json_walk walk = px_json_each(v);
    for (px_json key, value; px_json_next(&walk, &key, &value);) {
        int64_t id = -1;
        if (type == PX_JSON_OBJECT) {
            px_buf text = {0};
            char *end = NULL;
            px_json_get_string(key, &text);
            if (text.failed)
                return serve_refuse_memory(problem);
            long long x = text.len > 0 && text.len < 12 ? strtoll(text.data, &end, 10) : -1;
            id = end && *end == '\0' ? x : -1;
            px_buf_clear(&text);
        } else {
            px_json_walk pair = px_json_each(value);
            px_json first;
            if (px_json_count(value) == 2 && px_json_next(&pair, NULL, &first) &&
                px_json_get_int(first, &id))
                px_json_next(&pair, NULL, &value);
            else
                id = -1;
        }
        if (!add_bias(job, id, value, problem))
            return false;
    }
    return true;
}

/* llama-server's [{"id": 0, "scale": 0.5}]: exactly these adapters. */
static bool get_loras(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    px_json v = px_json_find(body, "lora");
    px_json_type type = px_json_type_of(v);
    if (type == PX_JSON_NONE || type == PX_JSON_NULL)
        return true;
    if (type != PX_JSON_ARRAY || px_json_count(v) > SERVE_MAX_ADAPTERS)
        return serve_refuse(problem, 400, "lora",
                            "'lora' is %s, expected an array of at most %d objects with 'id' and "
                            "'scale'",
                            px_json_type_name(type), SERVE_MAX_ADAPTERS);
    r->loras = PX_ZNEW(&job->arena, serve_lora, SERVE_MAX_ADAPTERS);
    if (!r->loras)
        return serve_refuse_memory(problem);
    px_json_walk walk = px_json_each(v);
    for (px_json item; px_json_next(&walk, NULL, &item);) {
        int64_t id = -1;
        double scale = 1;
        bool good = px_json_get_int(px_json_find(item, "id"), &id) && id >= 0 && id <= INT32_MAX;
        px_json x = px_json_find(item, "scale");
        if (px_json_type_of(x) != PX_JSON_NONE)
            good = good && px_json_get_double(x, &scale) && fabs(scale) <= 1000;
        for (int i = 0; good && i < r->n_loras; i++)
            good = r->loras[i].id != id;
        if (!good)
            return serve_refuse(problem, 400, "lora",
                                "'lora' has %.*s, expected {\"id\": 0, \"scale\": 1}, each id once "
                                "and scales from -1000 to 1000",
                                PX_STR_ARG(serve_slice(item)));
        r->loras[r->n_loras++] = (serve_lora){(int32_t)id, (float)scale};
    }
    return true;
}

static bool get_seed(serve_job *job, px_json body, serve_problem *problem)
{
    int64_t seed = -1;
    if (!serve_get_int(body, "seed", INT64_MIN, INT64_MAX, &seed, problem))
        return false;
    job->request.seed = seed == -1 ? PITH_SEED_RANDOM : (uint64_t)seed;
    return true;
}

/* The sampler order of llama-server: an array of names, or pith's own text with ';'. */
static bool get_samplers(serve_job *job, px_json body, serve_problem *problem)
{
    px_json v = px_json_find(body, "samplers");
    px_buf text = {0};
    if (px_json_type_of(v) != PX_JSON_ARRAY)
        return serve_get_text(job, body, "samplers", &job->request.samplers, problem);
    bool ok = true;
    px_json_walk walk = px_json_each(v);
    for (px_json item; ok && px_json_next(&walk, NULL, &item);) {
        if (text.len > 0)
            px_buf_putc(&text, ';');
        if (px_json_is(item, px_str_of("typ_p")) || px_json_is(item, px_str_of("typical_p")))
            px_buf_puts(&text, "typical");
        else
            ok = serve_text_of(item, &text, "samplers", problem);
    }
    if (text.failed)
        ok = serve_refuse_memory(problem);
    ok = ok &&
         serve_copy(job, text.data ? text.data : "", text.len, &job->request.samplers, problem);
    px_buf_clear(&text);
    return ok;
}

bool serve_openai_sampling(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    int64_t n = 1, keep = 0;
    double most_ms = 0;
    bool ok = serve_get_knobs(job, body, problem) &&
              serve_get_knob(job, body, "repetition_penalty", SERVE_REPEAT_PENALTY, problem) &&
              serve_get_text(job, body, "model", &r->model, problem) &&
              serve_get_int(body, "n", 1, SERVE_MAX_N, &n, problem) &&
              serve_get_int(body, "max_tokens", -1, 1 << 26, &r->max_tokens, problem) &&
              serve_get_int(body, "min_tokens", 0, 1 << 26, &r->min_tokens, problem) &&
              serve_get_int(body, "n_keep", -1, INT32_MAX, &keep, problem) &&
              serve_get_stops(job, body, "stop", SERVE_MAX_STOPS, problem) &&
              serve_get_bool(body, "stream", &r->stream, problem) &&
              serve_get_bool(body, "ignore_eos", &r->ignore_end, problem) &&
              serve_get_real(body, "t_max_predict_ms", 0, 1e9, &most_ms, problem) &&
              serve_get_keep_alive(job, body, "keep_alive", problem) &&
              get_seed(job, body, problem) && get_samplers(job, body, problem) &&
              get_bias(job, body, problem) && get_loras(job, body, problem);
    r->n = (int)n;
    r->n_keep = keep > 0 ? (int32_t)keep : 0;
    r->deadline = most_ms / 1e3;
    serve_openai_state *state = job->state;
    px_json options = px_json_find(body, "stream_options");
    return ok && serve_get_bool(options, "include_usage", &state->include_usage, problem) &&
           serve_get_bool(body, "timings_per_token", &state->timings, problem);
}

/* ---- writing */

void serve_openai_model(const serve_job *job, px_buf *out)
{
    serve_put_text(out, job->request.model.len > 0 ? job->request.model.data : job->model->name);
}

void serve_openai_usage(const serve_job *job, px_buf *out)
{
    serve_usage u = serve_job_usage(job);
    px_buf_printf(out,
                  "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
                  "\"completion_tokens_details\":{\"reasoning_tokens\":%lld}}",
                  (long long)u.prompt, (long long)u.completion,
                  (long long)(u.prompt + u.completion), (long long)u.cached,
                  (long long)u.reasoning);
}

void serve_openai_timings(const serve_job *job, px_buf *out)
{
    serve_usage u = serve_job_usage(job);
    int64_t n = u.prompt - u.cached;
    px_buf_printf(out,
                  ",\"timings\":{\"cache_n\":%lld,\"prompt_n\":%lld,\"prompt_ms\":%.3f,"
                  "\"prompt_per_second\":%.3f,\"predicted_n\":%lld,\"predicted_ms\":%.3f,"
                  "\"predicted_per_second\":%.3f}",
                  (long long)u.cached, (long long)n, u.prompt_seconds * 1e3,
                  u.prompt_seconds > 0 ? (double)n / u.prompt_seconds : 0, (long long)u.completion,
                  u.decode_seconds * 1e3,
                  u.decode_seconds > 0 ? (double)u.completion / u.decode_seconds : 0);
}

const char *serve_openai_finish(serve_finish finish)
{
    switch (finish) {
    case SERVE_FINISH_TOOL_CALLS:
        return "tool_calls";
    case SERVE_FINISH_LENGTH:
    case SERVE_FINISH_DEADLINE:
        return "length";
    default:
        return "stop";
    }
}

static const char *type_of(const serve_problem *p)
{
    if (p->type)
        return p->type;
    switch (p->http) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 429:
        return "rate_limit_error";
    case 501:
        return "not_supported_error";
    case 503:
        return "unavailable_error";
    default:
        return p->http < 500 ? "invalid_request_error" : "server_error";
    }
}

void serve_openai_error(const serve_problem *p, px_buf *out)
{
    px_buf_puts(out, "{\"error\":{\"message\":");
    serve_put_text(out, p->text);
    px_buf_printf(out, ",\"type\":\"%s\",\"param\":", type_of(p));
    if (p->param[0])
        serve_put_text(out, p->param);
    else
        px_buf_puts(out, "null");
    if (p->code)
        px_buf_printf(out, ",\"code\":\"%s\"", p->code);
    else
        px_buf_puts(out, ",\"code\":null");
    if (p->n_ctx > 0)
        px_buf_printf(out, ",\"n_prompt_tokens\":%lld,\"n_ctx\":%lld", (long long)p->n_prompt,
                      (long long)p->n_ctx);
    px_buf_puts(out, "}}");
}

void serve_openai_broken(serve_job *job, const serve_problem *problem, px_buf *out)
{
    (void)job;
    px_buf_puts(out, "data: ");
    serve_openai_error(problem, out);
    px_buf_puts(out, "\n\n");
}

void serve_openai_logprobs(const serve_job *job, int choice, int first, int n, px_buf *out)
{
    px_buf_puts(out, "{\"content\":");
    serve_put_logprobs(out, job, &job->choices[choice], first, n);
    px_buf_puts(out, ",\"refusal\":null}");
}

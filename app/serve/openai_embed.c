/* openai_embed: POST /v1/embeddings, and /v1/rerank in the shape of Jina and Cohere. */
#include "base/mem.h"
#include "serve/models.h"
#include "serve/openai.h"
#include "serve/turns.h"

#include <stdlib.h>
#include <string.h>

typedef struct embed_state {
    bool base64;
    bool with_documents;
    px_json documents;
} embed_state;

static bool parse_embed(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    embed_state *state = job->state;
    px_json format = px_json_find(body, "encoding_format");
    r->kind = SERVE_EMBED;
    r->max_tokens = 0;
    if (!serve_get_text(job, body, "model", &r->model, problem) ||
        !serve_get_inputs(job, body, "input", problem) ||
        !serve_get_int(body, "dimensions", 1, 1 << 20, &r->dimensions, problem) ||
        !serve_get_keep_alive(job, body, "keep_alive", problem))
        return false;
    if (r->n_inputs == 0)
        return serve_refuse(problem, 400, "input", "'input' is missing");
    state->base64 = px_json_is(format, px_str_of("base64"));
    if (px_json_type_of(format) > PX_JSON_NULL && !state->base64 &&
        !px_json_is(format, px_str_of("float")))
        return serve_refuse(problem, 400, "encoding_format",
                            "'encoding_format' is %.*s, expected \"float\" or \"base64\"",
                            PX_STR_ARG(serve_slice(format)));
    return true;
}

/* RFC 4648, of the bytes of little-endian floats. */
static void put_base64(const float *v, int32_t n, px_buf *out)
{
    static const char SET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t len = (size_t)n * 4;
    uint32_t word = 0;
    char *to = px_buf_room(out, (len + 2) / 3 * 4);
    if (!to)
        return;
    size_t k = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i / 4], 4);
        word = word << 8 | (bits >> (i % 4 * 8) & 0xff);
        if (i % 3 != 2)
            continue;
        for (int s = 18; s >= 0; s -= 6)
            to[k++] = SET[word >> s & 63];
        word = 0;
    }
    if (len % 3 == 1) {
        to[k++] = SET[word >> 2 & 63];
        to[k++] = SET[word << 4 & 63];
        to[k++] = '=';
        to[k++] = '=';
    } else if (len % 3 == 2) {
        to[k++] = SET[word >> 10 & 63];
        to[k++] = SET[word >> 4 & 63];
        to[k++] = SET[word << 2 & 63];
        to[k++] = '=';
    }
    out->len += k;
    out->data[out->len] = '\0';
}

static void whole_embed(serve_job *job, px_buf *out)
{
    const embed_state *state = job->state;
    serve_usage u = serve_job_usage(job);
    px_buf_puts(out, "{\"object\":\"list\",\"data\":[");
    for (int i = 0; i < job->n_choices; i++) {
        const serve_choice *c = &job->choices[i];
        px_buf_printf(
            out, "%s{\"object\":\"embedding\",\"index\":%d,\"embedding\":", i > 0 ? "," : "", i);
        px_buf_putc(out, state->base64 ? '"' : '[');
        if (state->base64)
            put_base64(c->embedding, c->n_embedding, out);
        for (int32_t k = 0; k < c->n_embedding && !state->base64; k++) {
            px_buf_puts(out, k > 0 ? "," : "");
            serve_put_real(out, c->embedding[k]);
        }
        px_buf_puts(out, state->base64 ? "\"}" : "]}");
    }
    px_buf_puts(out, "],\"model\":");
    serve_openai_model(job, out);
    px_buf_printf(out, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}}",
                  (long long)u.prompt, (long long)u.prompt);
}

/* ---- reranking: an input is a document */

static bool take_document(serve_job *job, px_json item, serve_input *out, serve_problem *problem)
{
    px_buf text = {0};
    px_json v = px_json_type_of(item) == PX_JSON_OBJECT ? px_json_find(item, "text") : item;
    bool ok = px_json_get_string(v, &text) ||
              serve_refuse(problem, 400, "documents",
                           "'documents' holds %s, expected a string or {\"text\": \"...\"}",
                           px_json_type_name(px_json_type_of(item)));
    if (text.failed)
        ok = serve_refuse_memory(problem);
    ok = ok && serve_copy(job, text.data ? text.data : "", text.len, &out->text, problem);
    px_buf_clear(&text);
    return ok;
}

static bool parse_rerank(serve_job *job, px_json body, serve_problem *problem)
{
    serve_request *r = &job->request;
    embed_state *state = job->state;
    px_json documents = px_json_find(body, "documents");
    uint64_t n = px_json_count(documents);
    r->kind = SERVE_RERANK;
    r->max_tokens = 0;
    state->documents = documents;
    if (!serve_get_text(job, body, "model", &r->model, problem) ||
        !serve_get_text(job, body, "query", &r->query, problem) ||
        !serve_get_text(job, body, "instruction", &r->instruction, problem) ||
        !serve_get_int(body, "top_n", 1, 1 << 20, &r->top_n, problem) ||
        !serve_get_bool(body, "return_documents", &state->with_documents, problem))
        return false;
    if (r->query.len == 0)
        return serve_refuse(problem, 400, "query", "'query' is missing");
    if (px_json_type_of(documents) != PX_JSON_ARRAY || n == 0 || n > SERVE_MAX_INPUTS)
        return serve_refuse(problem, 400, "documents",
                            "'documents' is %s of %llu, expected an array of 1 to %d",
                            px_json_type_name(px_json_type_of(documents)), (unsigned long long)n,
                            SERVE_MAX_INPUTS - 1);
    r->inputs = PX_ZNEW(&job->arena, serve_input, (size_t)n);
    if (!r->inputs)
        return serve_refuse(problem, 503, NULL, "out of memory for the request");
    px_json_walk walk = px_json_each(documents);
    for (px_json item; px_json_next(&walk, NULL, &item);)
        if (!take_document(job, item, &r->inputs[r->n_inputs++], problem))
            return false;
    return true;
}

typedef struct ranked {
    int index;
    double score;
} ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : x->index - y->index;
}

static void whole_rerank(serve_job *job, px_buf *out)
{
    const embed_state *state = job->state;
    const serve_request *r = &job->request;
    serve_usage u = serve_job_usage(job);
    int n = job->n_choices;
    ranked *order = px_malloc((size_t)n, sizeof *order);
    if (!order) {
        out->failed = true;
        return;
    }
    for (int i = 0; i < n; i++)
        order[i] = (ranked){i, job->choices[i].score};
    qsort(order, (size_t)n, sizeof *order, by_score);
    int most = r->top_n > 0 && r->top_n < n ? (int)r->top_n : n;
    px_buf_puts(out, "{\"object\":\"list\",\"model\":");
    serve_openai_model(job, out);
    px_buf_puts(out, ",\"results\":[");
    for (int i = 0; i < most; i++) {
        px_buf_printf(out, "%s{\"index\":%d,\"relevance_score\":", i > 0 ? "," : "",
                      order[i].index);
        serve_put_real(out, order[i].score);
        if (state->with_documents) {
            px_str text = r->inputs[order[i].index].text;
            px_buf_puts(out, ",\"document\":{\"text\":");
            serve_put_string(out, text.data, text.len);
            px_buf_putc(out, '}');
        }
        px_buf_putc(out, '}');
    }
    px_buf_printf(out, "],\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}}",
                  (long long)u.prompt, (long long)u.prompt);
    px_free(order);
}

static void no_event(serve_job *job, const serve_event *event, px_buf *out)
{
    (void)job;
    (void)event;
    (void)out;
}

const serve_dialect serve_openai_embed = {
    .name = "openai.embed",
    .stream_type = "application/json",
    .state_bytes = sizeof(embed_state),
    .parse = parse_embed,
    .event = no_event,
    .whole = whole_embed,
    .error = serve_openai_error,
};

const serve_dialect serve_openai_rerank = {
    .name = "openai.rerank",
    .stream_type = "application/json",
    .state_bytes = sizeof(embed_state),
    .parse = parse_rerank,
    .event = no_event,
    .whole = whole_rerank,
    .error = serve_openai_error,
};

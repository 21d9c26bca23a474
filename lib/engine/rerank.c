/*
 * rerank: how well documents fit a query, asked of the model itself: the probability of "yes"
 * against "no" behind a prompt with both.
 *
 * The prompt is the one that Qwen3-Reranker is trained on (its model card, Qwen/Qwen3-Reranker-0.6B
 * on huggingface.co): a system message with the task, a user message with instruction, query and
 * document, thinking off. It goes through the model's own template; where that takes no system
 * message, the task goes before the user's. "yes" and "no" are the tokens in which the prompt
 * followed by either word first differs.
 *
 *   prompt 0 | task, instruction, query | document 0, end |
 *   prompt 1 |    shared: computed once | document 1, end |
 */
#include "base/json.h"
#include "base/mem.h"
#include "engine/answer.h"
#include "engine/crowd.h"
#include "engine/options.h"

#include <math.h>

enum { LEAST_SHARED = 16 }; // tokens that are worth a session of their own

static const char TASK[] =
    "Judge whether the Document meets the requirements based on the Query and the Instruct "
    "provided. Note that the answer can only be \"yes\" or \"no\".";
static const char INSTRUCTION[] =
    "Given a web search query, retrieve relevant passages that answer the query";

typedef struct prompt {
    struct ranking *ranking;
    int32_t *ids;
    int64_t n;
    float score; // NaN until there is one
} prompt;

typedef struct ranking {
    pith_engine *engine;
    pith_str query;
    const pith_str *documents;
    int32_t n;
    pith_rerank_options options;
    pith_rerank_result result;
    bool no_system; // the template takes no system message
    int32_t yes, no;
    prompt *prompts;    // [n]
    pith_session *base; // holds the shared tokens, or NULL
    int64_t done;       // tokens
} ranking;

/* ---- prompts */

static void put_message(px_buf *out, const char *role, const px_buf *text)
{
    px_buf_printf(out, "{\"role\":\"%s\",\"content\":", role);
    px_json_put_str(out, text->data, text->len);
    px_buf_putc(out, '}');
}

/* The conversation about a document. */
static void put_messages(const ranking *r, pith_str document, px_buf *out)
{
    px_buf task = {0}, user = {0};
    px_buf_puts(&task, TASK);
    if (r->no_system)
        px_buf_printf(&user, "%s\n\n", TASK);
    px_buf_puts(&user, "<Instruct>: ");
    px_buf_put(&user, r->options.instruction, r->options.instruction_len);
    px_buf_puts(&user, "\n<Query>: ");
    px_buf_put(&user, r->query.data ? r->query.data : "", r->query.len);
    px_buf_puts(&user, "\n<Document>: ");
    px_buf_put(&user, document.data ? document.data : "", document.len);
    px_buf_puts(out, "{\"messages\":[");
    if (!r->no_system) {
        put_message(out, "system", &task);
        px_buf_putc(out, ',');
    }
    put_message(out, "user", &user);
    px_buf_puts(out, "],\"add_generation_prompt\":true,\"enable_thinking\":false}");
    out->failed = out->failed || task.failed || user.failed;
    px_buf_clear(&task);
    px_buf_clear(&user);
}

static pith_status render(const ranking *r, pith_str document, pith_chat *out, pith_error *err)
{
    px_buf json = {0};
    put_messages(r, document, &json);
    *out = (pith_chat){0};
    pith_status st = px_buf_status(&json, "a prompt", err);
    if (st == PITH_OK)
        st = pith_chat_tokenize(r->engine->model, json.data, json.len, out, err);
    px_buf_clear(&json);
    return st;
}

/* Whether the template prints a system message: some refuse it, some leave it out. */
static pith_status try_system(ranking *r, pith_error *err)
{
    pith_chat chat;
    ranking empty = *r;
    empty.query = (pith_str){0};
    pith_error own = {0};
    pith_status st = render(&empty, (pith_str){0}, &chat, &own);
    r->no_system =
        st == PITH_E_TEMPLATE || (st == PITH_OK && !strstr(chat.text.data, "Judge whether"));
    pith_chat_free(&chat);
    return st == PITH_OK || r->no_system ? PITH_OK : px_fail(err, st, "%s", own.text);
}

/* The tokens of a text followed by a word. */
static pith_status followed_by(const ranking *r, const pith_text *text, const char *word,
                               px_ids *out, pith_error *err)
{
    px_buf both = {0};
    px_buf_put(&both, text->data, text->len);
    px_buf_puts(&both, word);
    pith_status st = px_buf_status(&both, "a prompt", err);
    if (st == PITH_OK)
        st = px_tokenize(pith_model_tokenizer(r->engine->model)->tok, both.data, both.len,
                         PX_TOK_SPECIAL, out, err);
    px_buf_clear(&both);
    return st;
}

static pith_status find_words(ranking *r, pith_error *err)
{
    pith_chat chat;
    px_ids yes = {0}, no = {0};
    ranking empty = *r;
    empty.query = (pith_str){0};
    pith_status st = render(&empty, (pith_str){0}, &chat, err);
    if (st == PITH_OK)
        st = followed_by(r, &chat.text, "yes", &yes, err);
    if (st == PITH_OK)
        st = followed_by(r, &chat.text, "no", &no, err);
    int64_t i = 0;
    while (i < yes.n && i < no.n && yes.ids[i] == no.ids[i])
        i++;
    if (st == PITH_OK && (i >= yes.n || i >= no.n))
        st = px_fail(err, PITH_E_UNSUPPORTED,
                     "the tokenizer of '%s' writes \"yes\" and \"no\" alike",
                     r->engine->model->info.path);
    if (st == PITH_OK) {
        r->yes = yes.ids[i];
        r->no = no.ids[i];
    }
    px_ids_clear(&yes);
    px_ids_clear(&no);
    pith_chat_free(&chat);
    return st;
}

/* Bytes of a document whose tokens are at least `less` fewer; 0 when it has not so many. */
static pith_status shorter(const ranking *r, pith_str *document, int64_t less, pith_error *err)
{
    px_ids ids = {.want_ends = true};
    pith_status st = px_tokenize(pith_model_tokenizer(r->engine->model)->tok, document->data,
                                 document->len, 0, &ids, err);
    if (st == PITH_OK) {
        size_t n = ids.n > less ? ids.ends[ids.n - less - 1] : 0;
        while (n > 0 && ((uint8_t)document->data[n] & 0xc0) == 0x80)
            n--; // not inside a character
        document->len = n;
    }
    px_ids_clear(&ids);
    return st;
}

static pith_status make_prompt(ranking *r, int32_t i, pith_error *err)
{
    int64_t n_ctx = r->engine->setup.n_ctx;
    pith_str document = r->documents[i];
    pith_chat chat;
    pith_status st = render(r, document, &chat, err);
    bool cut = false;
    while (st == PITH_OK && chat.n_ids > n_ctx && r->options.truncate && document.len > 0) {
        cut = true;
        st = shorter(r, &document, chat.n_ids - n_ctx, err);
        pith_chat_free(&chat);
        if (st == PITH_OK)
            st = render(r, document, &chat, err);
    }
    if (st == PITH_OK && chat.n_ids > n_ctx)
        st = px_fail(err, PITH_E_CONTEXT,
                     "its prompt of %lld tokens does not fit into the context of %lld; shorten it, "
                     "make the context longer, or have it truncated",
                     (long long)chat.n_ids, (long long)n_ctx);
    if (st == PITH_OK) {
        r->prompts[i] = (prompt){.ranking = r, .ids = chat.ids, .n = chat.n_ids, .score = NAN};
        chat.ids = NULL;
        r->result.n_tokens += chat.n_ids;
        r->result.n_truncated += cut;
    }
    pith_chat_free(&chat);
    return st;
}

/* ---- scores */

static int take_logits(void *user, float *logits, int32_t n_vocab, const int32_t *tokens,
                       int64_t n_tokens)
{
    (void)n_vocab;
    (void)tokens;
    (void)n_tokens;
    prompt *p = user;
    const ranking *r = p->ranking;
    p->score = 1 / (1 + expf(logits[r->no] - logits[r->yes]));
    return 1; // that is all
}

static pith_status new_session(const ranking *r, pith_session **out, pith_error *err)
{
    pith_session_options o = PITH_INIT(pith_session_options);
    o.adapters = r->options.adapters;
    o.n_adapters = r->options.n_adapters;
    return pith_session_new(r->engine, &o, out, err);
}

static pith_status start(void *user, int64_t i, pith_session **session, pith_answer **answer,
                         pith_error *err)
{
    ranking *r = user;
    prompt *p = &r->prompts[i];
    pith_request request = PITH_INIT(pith_request);
    request.tokens = p->ids;
    request.n_tokens = p->n;
    request.max_tokens = 1;
    request.on_logits = take_logits;
    request.user = p;
    pith_status st = r->base ? pith_session_fork(r->base, r->result.n_shared, session, err)
                             : new_session(r, session, err);
    return st == PITH_OK ? pith_session_submit(*session, &request, answer, err) : st;
}

static pith_status end(void *user, int64_t i, const pith_answer *answer, pith_error *err)
{
    ranking *r = user;
    pith_status st = pith_answer_get_result(answer, NULL, err);
    if (st == PITH_OK && !isfinite(r->prompts[i].score))
        st = px_fail(err, PITH_E_NUMERIC, "document %lld of %d has no finite score",
                     (long long)i + 1, r->n);
    r->done += r->prompts[i].n;
    return st;
}

static pith_status step(void *user, pith_error *err)
{
    const ranking *r = user;
    if (!r->options.progress ||
        r->options.progress(r->options.user, (uint64_t)r->done, (uint64_t)r->result.n_tokens) == 0)
        return PITH_OK;
    return px_fail(err, PITH_E_CANCELLED, "cancelled after %lld of %lld tokens", (long long)r->done,
                   (long long)r->result.n_tokens);
}

/* Tokens with which all prompts begin; each has another one behind them. */
static int64_t shared(const ranking *r)
{
    int64_t n = r->prompts[0].n - 1;
    for (int32_t i = 1; i < r->n; i++) {
        int64_t same = 0;
        while (same < n && same < r->prompts[i].n - 1 &&
               r->prompts[i].ids[same] == r->prompts[0].ids[same])
            same++;
        n = same;
    }
    return n;
}

static pith_status make_prompts(ranking *r, const px_crowd *crowd, pith_error *err)
{
    size_t since = 0;
    r->prompts = px_calloc((size_t)r->n, sizeof *r->prompts);
    if (!r->prompts)
        return px_fail_memory(err, "prompts");
    pith_status st = try_system(r, err);
    if (st == PITH_OK)
        st = find_words(r, err);
    for (int32_t i = 0; st == PITH_OK && i < r->n; i++) {
        st = make_prompt(r, i, err);
        if (st != PITH_OK)
            px_prefix(err, "document %d of %d", i + 1, r->n);
        else
            st = px_crowd_breathe(crowd, &since, r->query.len + r->documents[i].len, err);
    }
    return st;
}

/* Computes the shared tokens. */
static pith_status make_base(ranking *r, pith_error *err)
{
    int64_t n = shared(r);
    if (r->n < 2 || n < LEAST_SHARED || r->engine->n_sessions + 2 > r->engine->setup.max_sessions)
        return PITH_OK;
    pith_request request = PITH_INIT(pith_request);
    request.tokens = r->prompts[0].ids;
    request.n_tokens = n;
    pith_answer *answer = NULL;
    pith_status st = new_session(r, &r->base, err);
    if (st == PITH_OK)
        st = pith_session_submit(r->base, &request, &answer, err);
    while (st == PITH_OK && !pith_answer_is_done(answer)) {
        st = step(r, err);
        if (st == PITH_OK)
            st = pith_engine_run(r->engine, NULL, err);
    }
    if (st == PITH_OK)
        st = pith_answer_get_result(answer, NULL, err);
    pith_answer_free(answer);
    r->result.n_shared = n;
    return st;
}

/* ---- the door */

/* Files whose scores come from a head of their own: fine where that is the rows of "yes" and "no"
 * of the model's own output, as converters write it for Qwen3-Reranker. */
static pith_status check_head(const pith_model *model, pith_error *err)
{
    if (!px_source_tensor(model->source, "cls.output.weight") &&
        !px_source_tensor(model->source, "cls.weight"))
        return PITH_OK;
    px_meta_array labels = {0};
    px_str first = {0}, second = {0};
    pith_status st = px_source_get_array(model->source, "%s.classifier.output_labels", false,
                                         PX_META_STRING, -1, &labels, NULL);
    const uint8_t *at = labels.data;
    if (st == PITH_OK && labels.n == 2 && px_meta_next_str(&labels, &at, &first) &&
        px_meta_next_str(&labels, &at, &second) && px_str_is(first, "yes") &&
        px_str_is(second, "no"))
        return PITH_OK;
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "'%s' scores by a head of its own, which pith does not compute; use a reranker "
                   "that answers yes or no, or a chat model",
                   model->info.path);
}

static pith_status prepare(ranking *r, const pith_rerank_options *options, pith_error *err)
{
    const pith_model *model = r->engine->model;
    pith_status st =
        px_options_read(options, "pith_rerank_options", &r->options, sizeof r->options, err);
    if (st == PITH_OK)
        st = check_head(model, err);
    if (st == PITH_OK && (!pith_model_tokenizer(model) || !model->template.t))
        st = px_fail(err, PITH_E_UNSUPPORTED,
                     "reranking needs a tokenizer, which '%s' was opened without or lacks",
                     model->info.path);
    if (!r->options.instruction) {
        r->options.instruction = INSTRUCTION;
        r->options.instruction_len = sizeof INSTRUCTION - 1;
    }
    return st;
}

pith_status pith_rerank(pith_engine *engine, pith_str query, const pith_str *documents,
                        int32_t n_documents, const pith_rerank_options *options, float *scores,
                        pith_rerank_result *result, pith_error *err)
{
    px_error_clear(err);
    if (!engine || n_documents < 0 || (n_documents > 0 && (!documents || !scores)))
        return px_fail(err, PITH_E_ARGUMENT, "pith_rerank: an argument is NULL or negative");
    ranking r = {.engine = engine, .query = query, .documents = documents, .n = n_documents};
    pith_status st = prepare(&r, options, err);
    const px_crowd crowd = {engine, n_documents, start, end, step, &r};
    if (st == PITH_OK && n_documents > 0)
        st = make_prompts(&r, &crowd, err);
    if (st == PITH_OK && n_documents > 0)
        st = make_base(&r, err);
    if (st == PITH_OK)
        st = px_crowd_run(&crowd, err);
    for (int32_t i = 0; r.prompts && i < n_documents; i++) {
        if (st == PITH_OK)
            scores[i] = r.prompts[i].score;
        px_free(r.prompts[i].ids);
    }
    px_free(r.prompts);
    pith_session_free(r.base);
    if (st == PITH_OK && result)
        st = px_options_write(result, "pith_rerank_result", &r.result, sizeof r.result, err);
    return st;
}

/* prepare: see prepare.h. */
#include "serve/prepare.h"

#include "base/mem.h"
#include "serve/dialect.h"
#include "serve/record.h"

#include <string.h>

static px_json value_of(px_str text)
{
    return (px_json){text.data, text.data ? text.data + text.len : NULL};
}

static void put_slice(px_buf *out, px_json v)
{
    px_buf_put(out, v.at, (size_t)(v.end - v.at));
}

static bool put_messages(px_buf *out, const store_model *record, px_json messages,
                         serve_problem *problem)
{
    px_json_walk walk = px_json_each(messages);
    const char *comma = "";
    int n = 0;
    px_buf_putc(out, '[');
    if (record)
        serve_record_messages(record, messages, out);
    for (px_json m; px_json_next(&walk, NULL, &m); comma = ",", n++) {
        if (px_json_type_of(m) != PX_JSON_OBJECT)
            return serve_refuse(problem, 400, "messages", "messages[%d] is %s, expected an object",
                                n, px_json_type_name(px_json_type_of(m)));
        if (px_json_type_of(px_json_find(m, "role")) != PX_JSON_STRING)
            return serve_refuse(problem, 400, "messages", "messages[%d] has no string 'role'", n);
        px_buf_puts(out, comma);
        put_slice(out, m);
    }
    px_buf_putc(out, ']');
    return true;
}

bool serve_chat_vars(const serve_request *r, const store_model *record, px_buf *out,
                     serve_problem *problem)
{
    px_buf_puts(out, "{\"messages\":");
    if (!put_messages(out, record, value_of(r->messages), problem))
        return false;
    if (r->tools.len > 0 && r->tool_choice != SERVE_TOOLS_NONE) {
        px_buf_puts(out, ",\"tools\":");
        px_buf_put(out, r->tools.data, r->tools.len);
    }
    px_buf_printf(out, ",\"add_generation_prompt\":%s", r->continue_final ? "false" : "true");
    if (r->think >= 0)
        px_buf_printf(out, ",\"enable_thinking\":%s", r->think ? "true" : "false");
    if (r->effort.len > 0) {
        px_buf_puts(out, ",\"reasoning_effort\":");
        serve_put_string(out, r->effort.data, r->effort.len);
    }
    if (r->template_vars.len > 0) {
        px_buf_puts(out, ",\"chat_template_kwargs\":");
        px_buf_put(out, r->template_vars.data, r->template_vars.len);
    }
    px_buf_putc(out, '}');
    if (out->failed)
        return serve_refuse(problem, 503, NULL, "out of memory for the messages");
    return true;
}

/* The chat as this model takes it, and its tokens. */
static bool tokenize_chat(serve_job *job, pith_chat *chat, serve_problem *problem)
{
    const pith_model *model = job->model->model;
    px_buf vars = {0};
    pith_text normal = {0};
    pith_error err = {0};
    bool ok = serve_chat_vars(&job->request, &job->model->record, &vars, problem);
    if (ok && pith_chat_normalize(model, vars.data, vars.len, &normal, &err) != PITH_OK) {
        bool theirs = err.status != PITH_E_MEMORY && err.status != PITH_E_INTERNAL;
        ok = serve_refuse(problem, theirs ? 400 : 503, "messages", "%s", err.text);
    }
    if (ok && pith_chat_tokenize(model, normal.data, normal.len, chat, &err) != PITH_OK)
        ok = serve_refuse_error(problem, err.status == PITH_E_TEMPLATE ? 400 : 0, &err);
    pith_text_free(&normal);
    px_buf_clear(&vars);
    return ok;
}

/* Who reads each choice, with the grammar that holds it. Here and not on the engine thread: a large
 * schema takes some milliseconds. */
static bool make_replies(serve_job *job, serve_problem *problem)
{
    const serve_request *r = &job->request;
    const serve_input *in = &r->inputs[0];
    pith_reply_options o = PITH_INIT(pith_reply_options);
    pith_error err = {0};
    o.tools = r->tools.len > 0 ? r->tools.data : NULL;
    o.tools_len = r->tools.len;
    o.choice = (pith_tool_choice)r->tool_choice;
    o.tool_name = r->tool_name.len > 0 ? r->tool_name.data : NULL;
    o.single_call = r->single_call;
    o.prompt = in->text.data;
    o.prompt_len = in->text.len;
    o.keep_reasoning = r->keep_reasoning;
    o.no_grammar = r->ignore_end && r->format == SERVE_FREE;
    if (r->format == SERVE_JSON_SCHEMA) {
        o.schema = r->format_text.data;
        o.schema_len = r->format_text.len;
    }
    const char *text = px_arena_strndup(&job->arena, r->format_text.data ? r->format_text.data : "",
                                        r->format_text.len);
    if (!text)
        return serve_refuse(problem, 503, NULL, "out of memory for the request");
    o.json_object = r->format == SERVE_JSON_OBJECT;
    o.grammar = r->format == SERVE_GRAMMAR ? text : NULL;
    o.regex = r->format == SERVE_REGEX ? text : NULL;
    o.choices = r->format == SERVE_CHOICES ? text : NULL;
    job->replies = px_calloc((size_t)r->n, sizeof *job->replies);
    if (!job->replies)
        return serve_refuse(problem, 503, NULL, "out of memory for the request");
    for (int i = 0; i < r->n; i++)
        if (pith_reply_new(job->model->model, &o, &job->replies[i], &err) != PITH_OK) {
            bool theirs = err.status != PITH_E_MEMORY && err.status != PITH_E_INTERNAL;
            return serve_refuse(problem, theirs ? 400 : 503,
                                r->format != SERVE_FREE ? "response_format" : "tools", "%s",
                                err.text);
        }
    return true;
}

/* What plain prompts are held to. */
static bool make_grammar(serve_job *job, serve_problem *problem)
{
    static const pith_grammar_kind KINDS[] = {
        [SERVE_JSON_OBJECT] = PITH_GRAMMAR_JSON, [SERVE_JSON_SCHEMA] = PITH_GRAMMAR_JSON_SCHEMA,
        [SERVE_GRAMMAR] = PITH_GRAMMAR_GBNF,     [SERVE_REGEX] = PITH_GRAMMAR_REGEX,
        [SERVE_CHOICES] = PITH_GRAMMAR_CHOICE,
    };
    const serve_request *r = &job->request;
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    pith_error err = {0};
    if (r->format == SERVE_FREE)
        return true;
    o.kind = KINDS[r->format];
    o.text = r->format == SERVE_JSON_OBJECT ? NULL : r->format_text.data;
    o.len = r->format_text.len;
    if (pith_grammar_new(pith_model_tokenizer(job->model->model), &o, &job->grammar, &err) ==
        PITH_OK)
        return true;
    return serve_refuse(problem, err.status == PITH_E_MEMORY ? 503 : 400, "response_format", "%s",
                        err.text);
}

/* Where the last message's text ends: before the token that ends its turn. */
static int64_t cut_turn(const pith_chat *chat, const pith_tokenizer *tok)
{
    for (int64_t i = chat->n_ids; i > 0; i--)
        if (pith_token_is_end(tok, chat->ids[i - 1]))
            return i - 1;
    return chat->n_ids;
}

/* in->ids: the tokens of earlier exchanges, then the chat's first in->n_ids without a second bos.
 */
static bool put_prefix(serve_job *job, serve_input *in, const pith_chat *chat,
                       const pith_tokenizer *tok, serve_problem *problem)
{
    const serve_request *r = &job->request;
    pith_tokenizer_info info = PITH_INIT(pith_tokenizer_info);
    int64_t skip = 0;
    if (r->n_prefix > 0 && pith_tokenizer_get_info(tok, &info, NULL) == PITH_OK)
        skip = in->n_ids > 0 && info.bos >= 0 && chat->ids[0] == info.bos;
    for (int64_t i = 0; i < r->n_prefix; i++)
        if (r->prefix[i] < 0 || r->prefix[i] >= job->model->info.n_vocab)
            return serve_refuse(problem, 400, "context",
                                "token %d is not of this vocabulary, which has %d", r->prefix[i],
                                job->model->info.n_vocab);
    if (r->n_prefix > 0)
        memcpy(in->ids, r->prefix, (size_t)r->n_prefix * sizeof *in->ids);
    in->n_ids -= skip;
    memcpy(in->ids + r->n_prefix, chat->ids + skip, (size_t)in->n_ids * sizeof *in->ids);
    in->n_ids += r->n_prefix;
    return true;
}

static bool prepare_chat(serve_job *job, serve_problem *problem)
{
    serve_request *r = &job->request;
    pith_chat chat = {0};
    const pith_tokenizer *tok = pith_model_tokenizer(job->model->model);
    if (!tok)
        return serve_refuse(problem, 400, "model", "model '%s' has no tokenizer", job->model->name);
    bool ok = tokenize_chat(job, &chat, problem);
    if (ok) {
        r->inputs = PX_ZNEW(&job->arena, serve_input, 1);
        ok = r->inputs != NULL;
        if (ok) {
            r->n_inputs = 1;
            r->inputs[0].ids = px_malloc((size_t)(r->n_prefix + chat.n_ids) + 1, sizeof *chat.ids);
            ok = r->inputs[0].ids &&
                 serve_copy(job, chat.text.data, chat.text.len, &r->inputs[0].text, problem);
        }
        if (!ok)
            serve_refuse(problem, 503, NULL, "out of memory for the messages");
    }
    if (ok) {
        serve_input *in = &r->inputs[0];
        in->n_ids = r->continue_final ? cut_turn(&chat, tok) : chat.n_ids;
        ok = put_prefix(job, in, &chat, tok, problem);
        if (ok && in->n_ids == 0)
            ok =
                serve_refuse(problem, 400, "messages", "the template made nothing of the messages");
    }
    pith_chat_free(&chat);
    return ok && make_replies(job, problem);
}

/* Tokens that a client wrote himself: within the vocabulary; their text is wanted for echo. */
static bool check_tokens(serve_job *job, serve_input *in, const pith_tokenizer *tok,
                         serve_problem *problem)
{
    pith_text text = {0};
    pith_error err = {0};
    const int32_t n_vocab = job->model->info.n_vocab;
    for (int64_t i = 0; i < in->n_ids; i++)
        if (in->ids[i] >= n_vocab)
            return serve_refuse(problem, 400, "prompt",
                                "token %d is not of this vocabulary, which has %d", in->ids[i],
                                n_vocab);
    if (pith_detokenize(tok, in->ids, in->n_ids, true, &text, &err) != PITH_OK)
        return serve_refuse_error(problem, 0, &err);
    bool ok = serve_copy(job, text.data ? text.data : "", text.len, &in->text, problem);
    pith_text_free(&text);
    return ok;
}

static bool prepare_text(serve_job *job, serve_input *in, serve_problem *problem)
{
    const pith_tokenizer *tok = pith_model_tokenizer(job->model->model);
    pith_error err = {0};
    if (!tok)
        return serve_refuse(problem, 400, "model", "model '%s' has no tokenizer", job->model->name);
    if (in->ids)
        return check_tokens(job, in, tok, problem);
    int64_t cap = (int64_t)in->text.len + 8;
    in->ids = px_malloc((size_t)cap, sizeof *in->ids);
    if (!in->ids)
        return serve_refuse(problem, 503, NULL, "out of memory for the prompt");
    if (pith_tokenize(tok, in->text.data ? in->text.data : "", in->text.len,
                      job->request.special ? PITH_TOKENIZE_SPECIAL : 0, in->ids, NULL, cap,
                      &in->n_ids, &err) != PITH_OK)
        return serve_refuse_error(problem, err.status == PITH_E_UNSUPPORTED ? 400 : 0, &err);
    if (in->n_ids == 0)
        return serve_refuse(problem, 400, "prompt",
                            "the prompt is empty and this model has no token to begin a text with");
    int32_t *fit = px_realloc(in->ids, (size_t)in->n_ids, sizeof *fit);
    if (fit)
        in->ids = fit;
    return true;
}

const char *const *serve_middle_names(const pith_tokenizer *tok)
{
    static const char *const NAMES[][3] = {
        {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
        {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
        {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},
    };
    for (size_t k = 0; tok && k < sizeof NAMES / sizeof NAMES[0]; k++)
        if (pith_token_find(tok, NAMES[k][0], strlen(NAMES[k][0])) >= 0)
            return NAMES[k];
    return NULL;
}

/* A prompt that is to be filled in the middle, by the tokens that the vocabulary has for that. */
static bool prepare_middle(serve_job *job, serve_input *in, serve_problem *problem)
{
    const pith_tokenizer *tok = pith_model_tokenizer(job->model->model);
    const px_str suffix = job->request.suffix;
    pith_error err = {0};
    const char *const *names = serve_middle_names(tok);
    if (!names || in->ids)
        return serve_refuse(
            problem, 400, "suffix",
            in->ids ? "'suffix' needs a text as its prompt, not tokens"
                    : "model '%s' has no tokens to fill in the middle before a 'suffix'",
            job->model->name);
    const px_str parts[2] = {in->text, suffix};
    const size_t cap = in->text.len + suffix.len + 16;
    in->ids = px_malloc(cap, sizeof *in->ids);
    if (!in->ids)
        return serve_refuse(problem, 503, NULL, "out of memory for the prompt");
    for (int p = 0; p < 2; p++) {
        int64_t n = 0;
        in->ids[in->n_ids++] = pith_token_find(tok, names[p], strlen(names[p]));
        if (pith_tokenize(tok, parts[p].data ? parts[p].data : "", parts[p].len,
                          PITH_TOKENIZE_NO_BOS, in->ids + in->n_ids, NULL, (int64_t)cap - in->n_ids,
                          &n, &err) != PITH_OK)
            return serve_refuse_error(problem, 0, &err);
        in->n_ids += n;
    }
    in->ids[in->n_ids++] = pith_token_find(tok, names[2], strlen(names[2]));
    return true;
}

bool serve_prepare(serve_models *models, serve_job *job, serve_problem *problem)
{
    serve_request *r = &job->request;
    job->model = serve_models_take(models, r->model.data, problem);
    if (!job->model)
        return false;
    if (r->kind == SERVE_LOAD)
        return true;
    if (!serve_record_apply(job, problem))
        return false;
    if (r->kind == SERVE_CHAT)
        return prepare_chat(job, problem);
    if (r->kind == SERVE_RERANK)
        return true; // pith_rerank renders and tokenizes
    for (int i = 0; i < r->n_inputs; i++)
        if (!(r->suffixed ? prepare_middle(job, &r->inputs[i], problem)
                          : prepare_text(job, &r->inputs[i], problem)))
            return false;
    return make_grammar(job, problem);
}

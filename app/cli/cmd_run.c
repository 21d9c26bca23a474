/* run: a chat on the terminal, or one answer to one prompt. */
#include "base/mem.h"
#include "cli/adapter_args.h"
#include "cli/chat.h"
#include "cli/commands.h"
#include "cli/engine_args.h"
#include "cli/find.h"
#include "cli/grammar_args.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Before a chat with the built-in model, whose answers people must not take for a real one's. */
static const char GREETING[] =
    "This is pith's guide: a tiny model inside the program. It knows pith and the basics of small "
    "language\nmodels, nothing else, and is often wrong. A real model: pith advise, then pith pull "
    "hf.co/Qwen/Qwen3-4B\n--quantize q4_k_m and pith run hf.co/Qwen/Qwen3-4B.";

typedef struct run_args {
    cli_engine_args engine;
    cli_sampling_args sampling;
    cli_grammar_args grammar;
    const char *prompt, *prompt_file, *system, *tools;
    json_t *functions; // of --tools
    cli_texts stops, adapters;
    const char *spec, *draft;
    int64_t draft_max;
    int64_t n_predict, logprobs;
    bool has_predict, has_logprobs;
    bool raw, echo, json, stats, special, ignore_end, no_reasoning;
} run_args;

/* What stands before the user's first words: the system prompt, and the record's messages. */
static pith_status begin_conversation(const run_args *a, cli_conversation *c, pith_error *err)
{
    pith_status status = cli_conversation_system(c, a->system, err);
    const store_model *record = a->sampling.record;
    size_t i;
    json_t *m;
    json_array_foreach(record ? record->messages : NULL, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        const char *text = json_string_value(json_object_get(m, "content"));
        if (status == PITH_OK && role && text && strcmp(role, "system") == 0)
            status = a->system ? PITH_OK : cli_conversation_system(c, text, err);
        else if (status == PITH_OK && role && text)
            status = cli_conversation_add(c, role, text, strlen(text), err);
    }
    return status;
}

/* The prompt's tokens, by the template or raw. Freed with px_free. */
static pith_status prompt_tokens(const run_args *a, const pith_model *model, const char *text,
                                 size_t len, int32_t **ids, int64_t *n, pith_text *rendered,
                                 pith_error *err)
{
    if (!a->raw) {
        cli_conversation c = {.tools = a->functions};
        pith_chat chat = {0};
        pith_status status = cli_conversation_init(&c, err);
        if (status == PITH_OK)
            status = begin_conversation(a, &c, err);
        if (status == PITH_OK)
            status = cli_conversation_add(&c, "user", text, len, err);
        if (status == PITH_OK)
            status = cli_conversation_tokens(&c, model, &chat, err);
        cli_conversation_clear(&c);
        *n = chat.n_ids;
        *ids = status == PITH_OK ? px_malloc((size_t)chat.n_ids, sizeof **ids) : NULL;
        if (*ids)
            memcpy(*ids, chat.ids, (size_t)chat.n_ids * sizeof **ids);
        else if (status == PITH_OK)
            status = px_fail_memory(err, "the prompt");
        *rendered = chat.text;
        chat.text = (pith_text){0};
        pith_chat_free(&chat);
        return status;
    }
    const pith_tokenizer *tok = pith_model_tokenizer(model);
    if (!tok)
        return px_fail(err, PITH_E_NOT_FOUND,
                       "the model has no tokenizer, so it cannot read a prompt");
    int64_t cap = (int64_t)len + 16;
    *ids = px_malloc((size_t)cap, sizeof **ids);
    if (!*ids)
        return px_fail_memory(err, "the prompt");
    pith_status status = pith_tokenize(tok, text, len, a->special ? PITH_TOKENIZE_SPECIAL : 0, *ids,
                                       NULL, cap, n, err);
    if (status == PITH_OK && *n == 0)
        status = px_fail(err, PITH_E_ARGUMENT,
                         "the prompt is empty and this model has no token to begin a text with");
    return status;
}

static pith_status print_json(const cli_answer *a, pith_error *err)
{
    const pith_result *r = &a->result;
    json_t *o = json_pack(
        "{s:s%, s:s, s:i, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:f}", "text",
        a->text.data ? a->text.data : "", a->text.len, "finish", cli_finish_name(r->finish),
        "stop_index", r->stop_index, "prompt_tokens", (json_int_t)r->n_prompt, "reused_tokens",
        (json_int_t)r->n_reused, "answer_tokens", (json_int_t)r->n_generated, "dropped_tokens",
        (json_int_t)r->n_dropped, "prompt_seconds", r->prompt_seconds, "decode_seconds",
        r->decode_seconds, "seed", (json_int_t)r->seed, "drafted_tokens", (json_int_t)r->n_drafted,
        "accepted_tokens", (json_int_t)r->n_accepted, "saved_seconds", r->saved_seconds);
    if (o && a->reasoning.len > 0)
        json_object_set_new(o, "reasoning", json_stringn(a->reasoning.data, a->reasoning.len));
    if (o && a->calls)
        json_object_set(o, "calls", a->calls);
    if (o && a->tokens)
        json_object_set(o, "tokens", a->tokens);
    return cli_print_json(o, err);
}

static pith_status answer_once(const run_args *a, const pith_model *model, pith_session *session,
                               cli_answer_options *options, const char *text, size_t len,
                               pith_error *err)
{
    int32_t *ids = NULL;
    int64_t n = 0;
    cli_answer out = {0};
    pith_text rendered = {0};
    pith_status status = prompt_tokens(a, model, text, len, &ids, &n, &rendered, err);
    options->prompt = (pith_str){.data = rendered.data, .len = rendered.len};
    if (status == PITH_OK && a->echo && !a->json)
        fwrite(text, 1, len, stdout);
    if (status == PITH_OK)
        status = cli_answer_run(session, ids, n, options, &out, err);
    if (status == PITH_OK && a->json) {
        status = print_json(&out, err);
    } else if (status == PITH_OK) {
        if (!out.calls && (out.text.len == 0 || out.text.data[out.text.len - 1] != '\n'))
            putchar('\n');
        status = cli_flush(err);
    }
    if (status == PITH_OK && a->stats)
        cli_answer_stats(&out);
    if (status == PITH_OK && out.result.n_dropped > 0)
        cli_warn("%lld tokens of the context were forgotten, as --overflow=%s asks",
                 (long long)out.result.n_dropped, a->engine.overflow);
    if (status == PITH_OK && out.result.finish == PITH_FINISH_CANCELLED)
        status = px_fail(err, PITH_E_CANCELLED, "interrupted");
    px_free(ids);
    pith_text_free(&rendered);
    cli_answer_clear(&out);
    return status;
}

/* The functions of --tools: a file, or the text itself; an array, or an object with `tools`. */
static pith_status read_tools(run_args *a, pith_error *err)
{
    px_buf text = {0};
    json_error_t je;
    if (!a->tools)
        return PITH_OK;
    if (a->raw)
        return px_fail(err, PITH_E_ARGUMENT, "--tools needs a chat template, and --raw uses none");
    pith_status status = PITH_OK;
    if (strchr("[{", a->tools[strspn(a->tools, " \n")]))
        px_buf_puts(&text, a->tools);
    else
        status = cli_read(a->tools, &text, err);
    json_t *value = NULL;
    if (status == PITH_OK) {
        value = json_loadb(text.data ? text.data : "", text.len, 0, &je);
        json_t *inside = json_object_get(value, "tools");
        a->functions = json_incref(inside ? inside : value);
        if (!value)
            status = px_fail(err, PITH_E_FORMAT, "--tools: line %d: %s", je.line, je.text);
        else if (!json_is_array(a->functions))
            status = px_fail(err, PITH_E_FORMAT,
                             "--tools holds no array of functions, expected [{\"type\": "
                             "\"function\", \"function\": {\"name\": ..}}]");
    }
    json_decref(value);
    px_buf_clear(&text);
    return status;
}

static pith_status run_chat(const run_args *a, const pith_model *model, pith_session *session,
                            const pith_sampling *sampling, const cli_answer_options *options,
                            pith_error *err)
{
    cli_chat chat = {.model = model,
                     .session = session,
                     .sampling = *sampling,
                     .answer = *options,
                     .stats = a->stats};
    pith_status status = cli_conversation_init(&chat.conversation, err);
    chat.conversation.tools = a->functions;
    if (status == PITH_OK)
        status = begin_conversation(a, &chat.conversation, err);
    if (status == PITH_OK)
        (void)cli_chat_run(&chat);
    cli_conversation_clear(&chat.conversation);
    return status;
}

/* Where the prompt is: given, in a file, on standard input, or (chat) nowhere. */
static pith_status find_prompt(const run_args *a, const char *word, bool *chat, px_buf *text,
                               pith_error *err)
{
    const char *given = a->prompt ? a->prompt : word;
    *chat = false;
    if (given && a->prompt_file)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a prompt and --file are both given; one of them is the prompt");
    if (given && strcmp(given, "-") != 0)
        return px_buf_puts(text, given) ? PITH_OK : px_fail_memory(err, "the prompt");
    if (!given && !a->prompt_file && isatty(STDIN_FILENO)) {
        *chat = true;
        return PITH_OK;
    }
    return cli_read(a->prompt_file, text, err);
}

/* Opens the draft model, if any, and hands it to the engine. */
static pith_status open_draft(const run_args *a, pith_engine *engine, pith_model **draft,
                              pith_error *err)
{
    if (!a->draft)
        return PITH_OK;
    pith_status status = cli_model_open(a->draft, NULL, draft, err);
    return status == PITH_OK ? pith_engine_set_draft(engine, *draft, err) : status;
}

/* The model's record, and what it says where the command line does not. */
static pith_status find_model(run_args *a, const char *word, store_model *found, pith_error *err)
{
    pith_status status = cli_find(word, found, err);
    if (status != PITH_OK)
        return status;
    if (found->origin == STORE_BUILT_IN && !a->engine.overflow)
        a->engine.overflow = "shift"; // it sees few tokens, and each question stands for itself
    const json_t *p = found->parameters, *stop = json_object_get(p, "stop");
    a->sampling.record = found;
    if (!a->system && *found->system && !a->raw)
        a->system = found->system;
    if (a->engine.ctx == 0 && json_integer_value(json_object_get(p, "num_ctx")) > 0)
        a->engine.ctx = json_integer_value(json_object_get(p, "num_ctx"));
    if (!a->has_predict && json_is_integer(json_object_get(p, "num_predict"))) {
        a->has_predict = true;
        a->n_predict = json_integer_value(json_object_get(p, "num_predict"));
    }
    for (size_t i = 0; i < json_array_size(stop) && a->stops.n < CLI_MAX_TEXTS; i++)
        if (json_is_string(json_array_get(stop, i)))
            a->stops.items[a->stops.n++] = json_string_value(json_array_get(stop, i));
    return PITH_OK;
}

static pith_status run(run_args *a, const cli_words *words, pith_error *err)
{
    pith_model *model = NULL, *draft = NULL;
    pith_engine *engine = NULL;
    pith_session *session = NULL;
    pith_grammar *grammar = NULL;
    char *tools = NULL; // jansson's
    pith_session_options so;
    pith_sampling sampling;
    px_buf text = {0};
    bool chat = false;
    static pith_logit_bias bias[CLI_MAX_TEXTS];
    static pith_str stops[CLI_MAX_TEXTS];
    store_model found = {0};
    cli_adapters adapters = {0};
    cli_answer_options options = {0};

    const char *word = words->n > 0 ? words->items[0] : store_built_in();
    pith_status status = find_model(a, word, &found, err);
    if (status == PITH_OK)
        status = cli_overflow(&a->engine, &so, err);
    if (status == PITH_OK)
        status = cli_bias(&a->sampling, bias, &options.n_bias, err);
    if (status == PITH_OK)
        status = cli_speculation(a->spec, a->draft, &options.speculation, err);
    if (status == PITH_OK)
        status = read_tools(a, err);
    if (status == PITH_OK && a->functions) {
        tools = json_dumps(a->functions, JSON_COMPACT);
        status = tools ? PITH_OK : px_fail_memory(err, "the tools");
    }
    if (status == PITH_OK)
        status = find_prompt(a, words->n > 1 ? words->items[1] : NULL, &chat, &text, err);
    if (status == PITH_OK && chat && (a->raw || a->json))
        status = px_fail(err, PITH_E_ARGUMENT, "%s needs a prompt: -p TEXT, or standard input",
                         a->raw ? "--raw" : "--json");
    if (status == PITH_OK)
        status = cli_open(word, &a->engine, &model, &engine, err);
    if (status == PITH_OK)
        status = open_draft(a, engine, &draft, err);
    if (status == PITH_OK)
        status = cli_sampling(&a->sampling, model, &sampling, err);
    if (status == PITH_OK)
        status = cli_grammar(&a->grammar, model, &grammar, err);
    if (status == PITH_OK)
        status = cli_adapters_open(model, found.adapters, &a->adapters, &adapters, err);
    so.adapters = adapters.uses;
    so.n_adapters = adapters.n;
    if (status == PITH_OK)
        status = pith_session_new(engine, &so, &session, err);
    if (status != PITH_OK)
        goto out;
    for (int i = 0; i < a->stops.n; i++)
        stops[i] = (pith_str){.data = a->stops.items[i], .len = strlen(a->stops.items[i])};
    options.max_tokens = a->has_predict ? a->n_predict : -1;
    options.sampling = &sampling;
    options.bias = bias;
    options.stops = stops;
    options.n_stops = a->stops.n;
    options.ignore_end = a->ignore_end;
    options.special = a->special;
    options.quiet = a->json;
    options.logprobs = a->has_logprobs;
    options.n_top = (int32_t)a->logprobs;
    options.max_draft = (int32_t)a->draft_max;
    options.grammar = grammar;
    options.model = a->raw ? NULL : model;
    options.tools = tools;
    options.hide_reasoning = a->no_reasoning;
    if (grammar && tools) {
        status = px_fail(err, PITH_E_ARGUMENT,
                         "--tools and a grammar are both given; calls have a grammar of their own");
        goto out;
    }
    if (chat && found.origin == STORE_BUILT_IN)
        puts(GREETING);
    if (chat)
        status = run_chat(a, model, session, &sampling, &options, err);
    else
        status =
            answer_once(a, model, session, &options, text.data ? text.data : "", text.len, err);
out:
    pith_session_free(session);
    cli_adapters_close(&adapters);
    pith_grammar_free(grammar);
    pith_engine_free(engine);
    pith_model_close(draft);
    pith_model_close(model);
    px_buf_clear(&text);
    free(tools);
    json_decref(a->functions);
    store_model_clear(&found);
    return status;
}

int cli_cmd_run(int argc, char **argv)
{
    run_args a = {0};
    const cli_option options[] = {
        {CLI_HEADING, "prompt", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "prompt", 'p', &a.prompt, "TEXT",
         "answer this and leave ('-': read standard input)", 0, 0, NULL},
        {CLI_TEXT, "file", 'f', &a.prompt_file, "FILE", "answer the text of a file and leave", 0, 0,
         NULL},
        {CLI_TEXT, "system", 0, &a.system, "TEXT", "the system prompt", 0, 0, NULL},
        {CLI_FLAG, "raw", 0, &a.raw, NULL, "continue the text as it is, without a chat template", 0,
         0, NULL},
        {CLI_FLAG, "special", 0, &a.special, NULL,
         "with --raw, special tokens written in the text are read as such;\nthose that the model "
         "writes are printed",
         0, 0, NULL},
        CLI_TEMPLATE_ROWS(&a.engine),
        CLI_ADAPTER_ROW(&a.adapters),
        {CLI_TEXT, "tools", 0, &a.tools, "FILE|TEXT",
         "functions that the model may call, a JSON array in OpenAI's form; calls are\nprinted as "
         "lines of JSON",
         0, 0, NULL},
        {CLI_HEADING, "answer", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_INT, "n-predict", 'n', &a.n_predict, "N",
         "most tokens of the answer (-1: until it ends)", -1, 67108864, &a.has_predict},
        {CLI_TEXTS, "stop", 0, &a.stops, "TEXT", "end before this text; may be repeated", 0, 0,
         NULL},
        {CLI_FLAG, "ignore-eos", 0, &a.ignore_end, NULL, "go on past the end of the turn", 0, 0,
         NULL},
        {CLI_FLAG, "no-reasoning", 0, &a.no_reasoning, NULL,
         "do not print what the model writes before its answer", 0, 0, NULL},
        {CLI_FLAG, "echo", 0, &a.echo, NULL, "print the prompt before the answer", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object when the answer is complete", 0, 0,
         NULL},
        {CLI_INT, "logprobs", 0, &a.logprobs, "N",
         "with --json: each token's log-probability and the N likeliest", 0, 100, &a.has_logprobs},
        {CLI_FLAG, "stats", 0, &a.stats, NULL, "a line of speed on standard error", 0, 0, NULL},
        CLI_GRAMMAR_ROWS(&a.grammar),
        {CLI_HEADING, "guessing ahead (the answer is the same, sooner)", 0, NULL, NULL, NULL, 0, 0,
         NULL},
        {CLI_TEXT, "spec", 0, &a.spec, "HOW",
         "auto (default): where it is measured to pay; ngram: wherever the text repeats\nitself; "
         "draft: always by the draft model; off",
         0, 0, NULL},
        {CLI_TEXT, "draft", 0, &a.draft, "MODEL",
         "a smaller model with the same vocabulary that guesses", 0, 0, NULL},
        {CLI_INT, "draft-max", 0, &a.draft_max, "N",
         "most guesses of a step (default: as many as leave every bit of the logits\nas it is, up "
         "to 7; more are faster where they come true)",
         1, 31, NULL},
        CLI_SAMPLING_ROWS(&a.sampling),
        CLI_ENGINE_ROWS(&a.engine),
        CLI_KV_DIR_ROWS(&a.engine),
        CLI_OVERFLOW_ROWS(&a.engine),
    };
    const cli_spec spec = {
        .usage = "pith run [MODEL [PROMPT]] [options]",
        .summary =
            "Talks with a model: a name (pith list), a GGUF file or a Hugging Face folder. Without "
            "a prompt it is a "
            "chat on the terminal;\n"
            "with one (as a word, with -p, or on standard input) it prints the answer and leaves.\n"
            "Without a model it is the guide that answers: a tiny model inside the program that "
            "knows pith.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = store_built_in() ? 0 : 1,
        .max_words = 2,
        .examples = "  pith run model.gguf\n"
                    "  pith run model.gguf -p 'Why is the sky blue?' --temp 0\n"
                    "  pith run model.gguf --raw -p 'Once upon a time' -n 64",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return run(&a, &words, &err) == PITH_OK ? 0 : cli_fail(&err);
}

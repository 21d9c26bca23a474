/* embed: vectors of texts. */
#include "base/mem.h"
#include "cli/adapter_args.h"
#include "cli/commands.h"
#include "cli/engine_args.h"
#include "cli/find.h"
#include "cli/term.h"
#include "cli/texts.h"
#include "pith.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct embed_args {
    cli_engine_args engine;
    cli_texts adapters;
    const char *file, *pooling;
    int64_t dims;
    bool raw, truncate, json;
} embed_args;

static const char *const POOLINGS[] = {"model", "mean", "last", "cls"};

static pith_status find_pooling(const char *name, pith_pooling *out, pith_error *err)
{
    *out = PITH_POOL_NONE;
    for (int i = 0; name && i < 4; i++)
        if (strcmp(name, POOLINGS[i]) == 0) {
            *out = (pith_pooling)i;
            return PITH_OK;
        }
    if (!name)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT,
                   "option '--pooling' has value '%s', expected mean, last, cls or model", name);
}

static pith_status print_json(const float *vectors, int32_t n, const pith_embed_result *r,
                              pith_error *err)
{
    json_t *rows = json_array();
    for (int32_t i = 0; i < n; i++) {
        json_t *row = json_array();
        for (int32_t j = 0; j < r->dims; j++)
            json_array_append_new(row, json_real((double)vectors[(int64_t)i * r->dims + j]));
        json_array_append_new(rows, row);
    }
    return cli_print_json(json_pack("{s:s, s:i, s:I, s:i, s:o}", "pooling", POOLINGS[r->used],
                                    "dims", r->dims, "n_tokens", (json_int_t)r->n_tokens,
                                    "n_truncated", r->n_truncated, "embeddings", rows),
                          err);
}

static pith_status print_rows(const float *vectors, int32_t n, const pith_embed_result *r,
                              pith_error *err)
{
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < r->dims; j++)
            printf("%.7g%c", (double)vectors[(int64_t)i * r->dims + j],
                   j + 1 < r->dims ? ' ' : '\n');
    return cli_flush(err);
}

static pith_status embed(const embed_args *a, pith_engine *engine, const cli_adapters *adapters,
                         int32_t width, const cli_texts_list *t, pith_error *err)
{
    pith_embed_options o = PITH_INIT(pith_embed_options);
    pith_embed_result r = PITH_INIT(pith_embed_result);
    cli_progress progress = {0};
    pith_status status = find_pooling(a->pooling, &o.pooling, err);
    if (status != PITH_OK)
        return status;
    o.dims = (int32_t)a->dims;
    o.raw = a->raw;
    o.truncate = a->truncate;
    o.adapters = adapters->uses;
    o.n_adapters = adapters->n;
    o.progress = cli_progress_step;
    o.user = &progress;
    size_t most = (size_t)(t->n > 0 ? t->n : 1);
    float *out = px_malloc(most * (size_t)(a->dims > width ? a->dims : width), sizeof *out);
    if (!out)
        return px_fail_memory(err, "the vectors");
    cli_interrupt_watch(NULL);
    cli_progress_start(&progress, "embedding", "tokens");
    status = pith_embed_text(engine, t->items, t->n, &o, out, &r, err);
    cli_progress_end(&progress);
    if (status == PITH_OK && r.n_truncated > 0)
        cli_warn("%d of %d texts did not fit the context and lost their end", r.n_truncated, t->n);
    if (status == PITH_OK)
        status = a->json ? print_json(out, t->n, &r, err) : print_rows(out, t->n, &r, err);
    px_free(out);
    return status;
}

static pith_status run(const embed_args *a, const cli_words *words, pith_error *err)
{
    cli_texts_list t = {0};
    pith_model *model = NULL;
    pith_engine *engine = NULL;
    cli_adapters adapters = {0};
    store_model found = {0};
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_pooling pooling;
    pith_status status = find_pooling(a->pooling, &pooling, err);
    if (status == PITH_OK)
        status = cli_texts_find(a->file, words, 1, &t, err);
    if (status == PITH_OK)
        status = cli_find(words->items[0], &found, err);
    if (status == PITH_OK)
        status = cli_open(words->items[0], &a->engine, &model, &engine, err);
    if (status == PITH_OK)
        status = pith_model_get_info(model, &info, err);
    if (status == PITH_OK)
        status = cli_adapters_open(model, found.adapters, &a->adapters, &adapters, err);
    if (status == PITH_OK)
        status = embed(a, engine, &adapters, info.width, &t, err);
    cli_adapters_close(&adapters);
    pith_engine_free(engine);
    pith_model_close(model);
    store_model_clear(&found);
    cli_texts_clear(&t);
    return status;
}

int cli_cmd_embed(int argc, char **argv)
{
    embed_args a = {0};
    const cli_option options[] = {
        {CLI_HEADING, "texts", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "file", 'f', &a.file, "FILE",
         "one text a line; '-', or no text at all, is standard input", 0, 0, NULL},
        {CLI_FLAG, "truncate", 0, &a.truncate, NULL,
         "texts that do not fit the context lose their end (default: an error)", 0, 0, NULL},
        {CLI_HEADING, "vectors", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "pooling", 0, &a.pooling, "HOW",
         "mean, last, cls, or model (default: as the model's file says, mean where it\nsays "
         "nothing)",
         0, 0, NULL},
        {CLI_INT, "dims", 0, &a.dims, "N", "only the first N elements", 1, 1048576, NULL},
        {CLI_FLAG, "raw", 0, &a.raw, NULL, "as they are (default: of length 1)", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object", 0, 0, NULL},
        CLI_ADAPTER_ROW(&a.adapters),
        CLI_ENGINE_ROWS(&a.engine),
    };
    const cli_spec spec = {
        .usage = "pith embed MODEL [TEXT...] [options]",
        .summary = "Prints the vector of each text: its final hidden states, pooled. Without "
                   "--json one line\na text, numbers apart by spaces.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = CLI_MAX_TEXTS,
        .examples = "  pith embed model.gguf 'the cat' 'a dog' --json\n"
                    "  pith embed model.gguf -f lines.txt --dims 256",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return run(&a, &words, &err) == PITH_OK ? 0 : cli_fail(&err);
}

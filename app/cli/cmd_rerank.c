/* rerank: how well documents fit a query, best first. */
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

typedef struct rerank_args {
    cli_engine_args engine;
    cli_texts adapters;
    const char *file, *instruction;
    int64_t top;
    bool truncate, json;
} rerank_args;

typedef struct place {
    int32_t document;
    float score;
} place;

/* Best first, of equal ones the one that was given first. */
static int by_score(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->document < y->document ? -1 : 1;
}

static pith_status print_json(const place *places, int32_t n, const cli_texts_list *t,
                              const pith_rerank_result *r, pith_error *err)
{
    json_t *rows = json_array();
    for (int32_t i = 0; i < n; i++) {
        pith_str text = t->items[places[i].document];
        json_array_append_new(rows, json_pack("{s:i, s:f, s:o}", "index", places[i].document,
                                              "score", (double)places[i].score, "document",
                                              json_stringn(text.data, text.len)));
    }
    return cli_print_json(json_pack("{s:I, s:I, s:i, s:o}", "n_tokens", (json_int_t)r->n_tokens,
                                    "n_shared", (json_int_t)r->n_shared, "n_truncated",
                                    r->n_truncated, "results", rows),
                          err);
}

static pith_status print_rows(const place *places, int32_t n, const cli_texts_list *t,
                              pith_error *err)
{
    for (int32_t i = 0; i < n; i++) {
        pith_str text = t->items[places[i].document];
        printf("%.6f %d ", (double)places[i].score, places[i].document + 1);
        fwrite(text.data, 1, text.len, stdout);
        putchar('\n');
    }
    return cli_flush(err);
}

static pith_status rerank(const rerank_args *a, const char *query, pith_engine *engine,
                          const cli_adapters *adapters, const cli_texts_list *t, pith_error *err)
{
    pith_rerank_options o = PITH_INIT(pith_rerank_options);
    pith_rerank_result r = PITH_INIT(pith_rerank_result);
    cli_progress progress = {0};
    o.instruction = a->instruction;
    o.instruction_len = a->instruction ? strlen(a->instruction) : 0;
    o.truncate = a->truncate;
    o.adapters = adapters->uses;
    o.n_adapters = adapters->n;
    o.progress = cli_progress_step;
    o.user = &progress;
    float *scores = px_malloc((size_t)t->n + 1, sizeof *scores);
    place *places = px_malloc((size_t)t->n + 1, sizeof *places);
    pith_status status = scores && places ? PITH_OK : px_fail_memory(err, "the scores");
    if (status == PITH_OK) {
        cli_interrupt_watch(NULL);
        cli_progress_start(&progress, "reading", "tokens");
        status = pith_rerank(engine, (pith_str){query, strlen(query)}, t->items, t->n, &o, scores,
                             &r, err);
        cli_progress_end(&progress);
    }
    if (status == PITH_OK && r.n_truncated > 0)
        cli_warn("%d of %d documents did not fit the context and lost their end", r.n_truncated,
                 t->n);
    for (int32_t i = 0; status == PITH_OK && i < t->n; i++)
        places[i] = (place){.document = i, .score = scores[i]};
    if (status == PITH_OK) {
        int32_t n = a->top > 0 && a->top < t->n ? (int32_t)a->top : t->n;
        qsort(places, (size_t)t->n, sizeof *places, by_score);
        status = a->json ? print_json(places, n, t, &r, err) : print_rows(places, n, t, err);
    }
    px_free(scores);
    px_free(places);
    return status;
}

static pith_status run(const rerank_args *a, const cli_words *words, pith_error *err)
{
    cli_texts_list t = {0};
    pith_model *model = NULL;
    pith_engine *engine = NULL;
    cli_adapters adapters = {0};
    store_model found = {0};
    pith_status status = cli_texts_find(a->file, words, 2, &t, err);
    if (status == PITH_OK && t.n == 0)
        status = px_fail(err, PITH_E_ARGUMENT, "there are no documents, expected at least one");
    if (status == PITH_OK)
        status = cli_find(words->items[0], &found, err);
    if (status == PITH_OK)
        status = cli_open(words->items[0], &a->engine, &model, &engine, err);
    if (status == PITH_OK)
        status = cli_adapters_open(model, found.adapters, &a->adapters, &adapters, err);
    if (status == PITH_OK)
        status = rerank(a, words->items[1], engine, &adapters, &t, err);
    cli_adapters_close(&adapters);
    pith_engine_free(engine);
    pith_model_close(model);
    store_model_clear(&found);
    cli_texts_clear(&t);
    return status;
}

int cli_cmd_rerank(int argc, char **argv)
{
    rerank_args a = {0};
    const cli_option options[] = {
        {CLI_HEADING, "documents", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "file", 'f', &a.file, "FILE",
         "one document a line; '-', or no document at all, is standard input", 0, 0, NULL},
        {CLI_TEXT, "instruction", 0, &a.instruction, "TEXT",
         "what makes a document fit (default: that it answers the query of a web search)", 0, 0,
         NULL},
        {CLI_FLAG, "truncate", 0, &a.truncate, NULL,
         "documents that do not fit the context lose their end (default: an error)", 0, 0, NULL},
        {CLI_INT, "top", 0, &a.top, "N", "only the best N (default: all)", 1, 2147483647, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object", 0, 0, NULL},
        CLI_ADAPTER_ROW(&a.adapters),
        CLI_ENGINE_ROWS(&a.engine),
    };
    const cli_spec spec = {
        .usage = "pith rerank MODEL QUERY [DOCUMENT...] [options]",
        .summary = "Prints how well each document fits the query, best first: a score from 0 to 1, "
                   "its number and the\ndocument. The score is the model's own probability that "
                   "it fits; models of the kind of Qwen3-Reranker are\nmeant.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 2,
        .max_words = CLI_MAX_TEXTS,
        .examples = "  pith rerank reranker.gguf 'capital of France' 'Paris is.' 'A dog barks.'\n"
                    "  pith rerank reranker.gguf 'how do I reset it' -f lines.txt --top 5 --json",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return run(&a, &words, &err) == PITH_OK ? 0 : cli_fail(&err);
}

/*
 * merge: a model with adapters in its weights. Where the new weights are quantized, what that loses
 * is measured: the model with the adapters beside it, against the file that was written.
 */
#include "base/file.h"
#include "cli/adapter_args.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct ask {
    const char *type, *text;
    int64_t threads;
    bool force, json, no_check;
} ask;

/* Plain text to compare predictions on, where none was given. */
static const char SAMPLE[] =
    "The first train of the morning leaves before the sun is up. On the platform a woman counts "
    "her parcels, a boy sleeps against his bag, and the man who sells bread has already sold half "
    "of it. When the doors close, the lights of the town slide past the windows and then there are "
    "only fields, grey at first, then brown, then green.\n\nA small program can do a great deal "
    "when it is asked for one thing at a time. To sort a list, compare two neighbours and exchange "
    "them when they stand in the wrong order; repeat until nothing moves. It is slow for long "
    "lists, but everybody understands it, and for ten names it is fast enough.\n\nQuestion: why "
    "does ice float on water?\nAnswer: when water freezes, its molecules form an open lattice that "
    "takes more room than the liquid did. The same mass fills a larger volume, so ice is lighter "
    "than the water around it and rises to the surface.\n\nThe contract may be ended by either "
    "side with three months' notice in writing. Payments that were made for a time after its end "
    "are returned within thirty days. Changes of this agreement need the written form; this holds "
    "for this sentence as well.\n";

enum { LOGITS = 64, CONTEXT = 1024 };

static pith_status make_engine(const ask *a, const pith_model *m, pith_engine **out,
                               pith_error *err)
{
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_engine_options o = PITH_INIT(pith_engine_options);
    pith_status st = pith_model_get_info(m, &info, err);
    o.n_threads = (int32_t)a->threads;
    o.max_logits = o.n_batch = LOGITS;
    o.n_ctx = info.n_ctx_train > 0 && info.n_ctx_train < CONTEXT ? info.n_ctx_train : CONTEXT;
    return st == PITH_OK ? pith_engine_new(m, &o, out, err) : st;
}

/* The merged file against the model with its adapters. */
static pith_status measure(const ask *a, const pith_model *model, const cli_adapters *adapters,
                           const char *out, pith_comparison *c, pith_error *err)
{
    px_buf text = {0};
    pith_model *merged = NULL;
    pith_engine *before = NULL, *after = NULL;
    cli_progress progress;
    pith_status st = PITH_OK;
    if (a->text)
        st = cli_read(a->text, &text, err);
    else
        px_buf_puts(&text, SAMPLE);
    if (st == PITH_OK)
        st = px_buf_status(&text, "a text", err);
    if (st == PITH_OK)
        st = pith_model_open(out, NULL, &merged, err);
    if (st == PITH_OK)
        st = make_engine(a, model, &before, err);
    if (st == PITH_OK)
        st = make_engine(a, merged, &after, err);
    if (st == PITH_OK) {
        c->adapters = adapters->uses;
        c->n_adapters = adapters->n;
        cli_progress_start(&progress, "comparing", "tokens");
        st = pith_compare_text(before, after, text.data, text.len, c, cli_progress_step, &progress,
                               err);
        cli_progress_end(&progress);
    }
    pith_engine_free(before);
    pith_engine_free(after);
    pith_model_close(merged);
    px_buf_clear(&text);
    return st;
}

static pith_status report(const ask *a, const char *out, const pith_quantized *r,
                          const pith_comparison *c, pith_error *err)
{
    if (a->json) {
        json_t *o = json_pack("{s:s, s:s, s:I, s:f, s:I}", "path", out, "type", r->type, "bytes",
                              (json_int_t)r->out_bytes, "bits", r->bits, "requantized",
                              (json_int_t)r->n_requantized);
        json_t *measured = json_null();
        if (c->n_tokens > 0)
            measured = json_pack("{s:f, s:f, s:f, s:f, s:I}", "kl_mean", c->kl_mean, "kl_p99",
                                 c->kl_p99, "kl_max", c->kl_max, "same_top", c->same_top, "tokens",
                                 (json_int_t)c->n_tokens);
        json_object_set_new(o, "against_adapter", measured);
        return cli_print_json(o, err);
    }
    char size[32];
    printf("%s: %s, %s, %.2f bits a weight\n", out, r->type, cli_size(r->out_bytes, size), r->bits);
    if (c->n_tokens > 0)
        printf("against the model with its adapters: KL divergence mean %.6f, 99 %% %.6f, largest "
               "%.6f; same top token %.1f %% of %lld\n",
               c->kl_mean, c->kl_p99, c->kl_max, 100 * c->same_top, (long long)c->n_tokens);
    return cli_flush(err);
}

/* Bits a weight of most matrices of a type; 16 where tensors keep theirs. */
static double bits_of(const char *type)
{
    const char *name;
    double bits;
    for (int32_t i = 0; type && (name = pith_quantize_type(i, &bits)); i++)
        if (strcasecmp(name, type) == 0)
            return bits;
    return 16;
}

static void warn(const char *in, const pith_quantized *r, const pith_comparison *c)
{
    if (r->n_requantized > 0)
        cli_warn("'%s' is quantized: its rounding stays in the merged weights of %lld tensors; "
                 "merge into the full-precision model where you have it",
                 in, (long long)r->n_requantized);
    if (c->n_tokens > 0 && bits_of(r->type) < 5)
        cli_warn("rounded to %.1f bits a weight, part of what the adapter learned is lost: the KL "
                 "divergence from model and adapter is %.4f a token; a merged f16 or q8_0 file, or "
                 "the adapter beside the quantized model, keeps it",
                 bits_of(r->type), c->kl_mean);
}

static pith_status run(const ask *a, const char *in, const cli_texts *files, const char *out,
                       pith_error *err)
{
    pith_model *model = NULL;
    cli_adapters adapters = {0};
    pith_quantized r = PITH_INIT(pith_quantized);
    pith_comparison c = PITH_INIT(pith_comparison);
    cli_progress progress;
    pith_merge_options o = PITH_INIT(pith_merge_options);
    if (!a->force && px_file_kind_of(out) != PX_FILE_NONE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' exists; give another name, or --force to replace it", out);
    pith_status st = cli_model_open(in, NULL, &model, err);
    if (st == PITH_OK)
        st = cli_adapters_open(model, NULL, files, &adapters, err);
    if (st == PITH_OK) {
        o.type = a->type;
        o.n_threads = (int32_t)a->threads;
        o.progress = cli_progress_step;
        o.user = &progress;
        cli_interrupt_watch(NULL);
        cli_progress_start(&progress, "merging", "B");
        st = pith_merge(model, adapters.uses, adapters.n, out, &o, &r, err);
        cli_progress_end(&progress);
    }
    if (st == PITH_OK && !a->no_check && bits_of(r.type) < 16)
        st = measure(a, model, &adapters, out, &c, err);
    if (st == PITH_OK)
        st = report(a, out, &r, &c, err);
    if (st == PITH_OK)
        warn(in, &r, &c);
    cli_adapters_close(&adapters);
    pith_model_close(model);
    return st;
}

int cli_cmd_merge(int argc, char **argv)
{
    ask a = {0};
    const cli_option options[] = {
        {CLI_TEXT, "type", 0, &a.type, "TYPE",
         "type of the result, as of pith quantize: f16, q8_0, q4_k_m, .. (default: each tensor "
         "keeps\nits own, quantized ones that change become f16)",
         0, 0, NULL},
        {CLI_TEXT, "file", 0, &a.text, "TEXT",
         "text on which a quantized result is compared with model and adapter (default: a few\n"
         "paragraphs of English)",
         0, 0, NULL},
        {CLI_FLAG, "no-check", 0, &a.no_check, NULL, "do not compare", 0, 0, NULL},
        {CLI_INT, "threads", 't', &a.threads, "N", "default: the physical cores", 1, 512, NULL},
        {CLI_FLAG, "force", 'f', &a.force, NULL, "replace OUT.gguf if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object when done", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith merge MODEL ADAPTER[=SCALE].. OUT.gguf [options]",
        .summary =
            "Writes a model with LoRA or DoRA adapters in its weights as one GGUF file, which "
            "other programs read\nwithout the adapter. Each matrix is decoded to f32, changed, "
            "and rounded once. Merge into the\nfull-precision model where you have it: a "
            "quantized one brings its rounding along.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 3,
        .max_words = 18,
        .examples = "  pith merge ./Qwen2.5-0.5B-Instruct ./my-lora tuned.gguf\n"
                    "  pith merge qwen-f16.gguf style.gguf=0.5 domain.gguf tuned.gguf --type q8_0",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    cli_texts files = {.n = words.n - 2};
    for (int i = 0; i < files.n; i++)
        files.items[i] = words.items[i + 1];
    pith_status st = run(&a, words.items[0], &files, words.items[words.n - 1], &err);
    return st == PITH_OK ? 0 : cli_fail(&err);
}

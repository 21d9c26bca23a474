/* tune: a model learns from a data file: what can be asked of `pith tune`; tune.c does it. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"
#include "cli/tune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct tune_args {
    const char *out, *type, *form;
    const char *evaluation, *columns, *kind, *system, *folder, *time;
    int64_t rank, batch, seq, updates, eval_every, patience, save_every, threads, keep;
    bool resume, json, plain, skip_bad, force, keep_all, unchecked;
    double hold;
    pith_train_options o;
} tune_args;

/* "90", "30m", "2h", "45s". */
static pith_status read_time(const char *text, double *seconds, pith_error *err)
{
    char *end;
    errno = 0;
    double n = strtod(text, &end);
    double unit = strcmp(end, "h") == 0   ? 3600
                  : strcmp(end, "m") == 0 ? 60
                  : strcmp(end, "s") == 0 ? 1
                  : *end == '\0'          ? 1
                                          : 0;
    if (end == text || errno || unit == 0 || !(n > 0))
        return px_fail(err, PITH_E_ARGUMENT, "'%s' is no time, expected 90s, 30m or 2h", text);
    *seconds = n * unit;
    return PITH_OK;
}

static pith_status settle(tune_args *a, pith_error *err)
{
    if (!a->out)
        return px_fail(err, PITH_E_ARGUMENT, "no output was named; expected -o ADAPTER.gguf");
    if (!a->force && !a->resume && px_file_kind_of(a->out) != PX_FILE_NONE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' exists; give another name, or --force to replace it", a->out);
    a->o.rank = (int32_t)a->rank;
    a->o.batch = (int32_t)a->batch;
    a->o.seq = (int32_t)a->seq;
    a->o.max_updates = a->updates;
    a->o.eval_every = a->eval_every;
    a->o.patience = (int32_t)a->patience;
    a->o.save_every = a->save_every;
    a->o.n_threads = (int32_t)a->threads;
    a->o.keep_layers = a->keep_all ? -1 : (int32_t)a->keep;
    return a->time ? read_time(a->time, &a->o.max_seconds, err) : PITH_OK;
}

static cli_tune tune_of(const tune_args *a, const char *model, const char *data)
{
    cli_tune t = {.model_name = model,
                  .data = data,
                  .out = a->out,
                  .name = a->folder,
                  .full = a->o.method && strcmp(a->o.method, "full") == 0,
                  .resume = a->resume,
                  .json = a->json,
                  .unchecked = a->unchecked,
                  .train = a->o};
    t.form = t.full ? a->type : a->form;
    t.held.evaluation = a->evaluation;
    t.held.share = a->hold;
    t.held.dataset = PITH_INIT(pith_dataset_options);
    t.held.dataset.columns = a->columns;
    t.held.dataset.kind = a->kind;
    t.held.dataset.system = a->system;
    t.held.render = PITH_INIT(pith_render_options);
    t.held.render.most_tokens = a->o.seq;
    t.held.render.plain = a->plain;
    t.held.render.skip_bad = a->skip_bad;
    return t;
}

int cli_cmd_tune(int argc, char **argv)
{
    tune_args a = {.seq = 512, .hold = 0.05, .o = PITH_INIT(pith_train_options)};
    const cli_option options[] = {
        {CLI_TEXT, "out", 'o', &a.out, "FILE", "the adapter, or with --method full the model", 0, 0,
         NULL},
        {CLI_HEADING, "what is learned", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "method", 0, &a.o.method, "NAME", "lora (an adapter) or full (all weights)", 0,
         0, NULL},
        {CLI_TEXT, "objective", 0, &a.o.objective, "NAME",
         "sft, dpo, orpo or kto; by default what the data is fit for", 0, 0, NULL},
        {CLI_FLOAT, "beta", 0, &a.o.beta, "X", "of dpo, orpo and kto (0.1)", 0, 1000, NULL},
        {CLI_INT, "rank", 'r', &a.rank, "N", "of the adapter (16)", 1, 1024, NULL},
        {CLI_FLOAT, "alpha", 0, &a.o.alpha, "X", "of the adapter (twice the rank)", 0, 1e6, NULL},
        {CLI_FLAG, "rslora", 0, &a.o.rslora, NULL, "scale by alpha / sqrt(rank)", 0, 0, NULL},
        {CLI_FLAG, "dora", 0, &a.o.dora, NULL, "learn magnitudes, too", 0, 0, NULL},
        {CLI_FLOAT, "lora-plus", 0, &a.o.lora_plus, "X", "learning rate of B over that of A (1)", 0,
         1000, NULL},
        {CLI_FLOAT, "dropout", 0, &a.o.dropout, "P", "of what the adapter reads (0)", 0, 0.99,
         NULL},
        {CLI_HEADING, "data", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "eval", 0, &a.evaluation, "FILE", "evaluation set: the best result is kept", 0,
         0, NULL},
        {CLI_FLOAT, "hold", 0, &a.hold, "SHARE",
         "of DATA that is held back for that without --eval (0.05)", 0, 0.9, NULL},
        {CLI_TEXT, "columns", 0, &a.columns, "LIST", "what columns mean: prompt=question,...", 0, 0,
         NULL},
        {CLI_TEXT, "kind", 0, &a.kind, "NAME", "chat, prompt, text, pair or label", 0, 0, NULL},
        {CLI_TEXT, "system", 0, &a.system, "TEXT", "before conversations without a system message",
         0, 0, NULL},
        {CLI_FLAG, "plain", 0, &a.plain, NULL, "join prompt and completion without the template", 0,
         0, NULL},
        {CLI_FLAG, "skip-bad", 0, &a.skip_bad, NULL, "leave out rows that cannot be read", 0, 0,
         NULL},
        {CLI_FLAG, "no-check", 0, &a.unchecked, NULL, "do not look through the data first", 0, 0,
         NULL},
        {CLI_HEADING, "course", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_FLOAT, "lr", 0, &a.o.lr, "X", "learning rate (2e-4; preferences 1e-5; full 3e-4)", 0,
         10, NULL},
        {CLI_TEXT, "schedule", 0, &a.o.schedule, "NAME", "cosine, linear, constant or wsd", 0, 0,
         NULL},
        {CLI_FLOAT, "warmup", 0, &a.o.warmup, "X", "share of the updates (0.03)", -1, 1, NULL},
        {CLI_TEXT, "optimizer", 0, &a.o.optimizer, "NAME", "adamw, adamw8 or lion", 0, 0, NULL},
        {CLI_FLOAT, "weight-decay", 0, &a.o.weight_decay, "X", "of matrices (0)", 0, 10, NULL},
        {CLI_FLOAT, "clip", 0, &a.o.clip, "X", "most length of the gradient (1)", -1, 1e9, NULL},
        {CLI_FLOAT, "epochs", 'e', &a.o.epochs, "N", "times through the data (3)", 0, 1e6, NULL},
        {CLI_INT, "updates", 0, &a.updates, "N", "instead of --epochs", 1, 1e12, NULL},
        {CLI_TEXT, "time", 0, &a.time, "T", "fit the run into 90s, 30m or 2h", 0, 0, NULL},
        {CLI_INT, "batch", 'b', &a.batch, "N", "examples of an update (16)", 1, 65536, NULL},
        {CLI_INT, "seq", 0, &a.seq, "N", "tokens of a pass, longest example (512)", 8, 131072,
         NULL},
        {CLI_INT, "eval-every", 0, &a.eval_every, "N", "updates (an epoch)", 1, 1e12, NULL},
        {CLI_INT, "patience", 0, &a.patience, "N", "evaluations without a better one (any)", 1, 1e6,
         NULL},
        {CLI_SEED, "seed", 's', &a.o.seed, "N", "of order, start and dropout (0)", 0, 0, NULL},
        {CLI_HEADING, "machine", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_FLAG, "resume", 0, &a.resume, NULL, "go on where a run was cut off", 0, 0, NULL},
        {CLI_TEXT, "run", 0, &a.folder, "NAME", "of the run's folder (FILE without its suffix)", 0,
         0, NULL},
        {CLI_INT, "save-every", 0, &a.save_every, "N", "updates, beside every 5 minutes", 1, 1e12,
         NULL},
        {CLI_INT, "keep", 0, &a.keep, "N", "layers kept whole: more memory, less time (1)", 1, 1024,
         NULL},
        {CLI_FLAG, "keep-all", 0, &a.keep_all, NULL, "keep all layers whole", 0, 0, NULL},
        {CLI_FLAG, "exact", 0, &a.o.exact, NULL, "products in f32", 0, 0, NULL},
        {CLI_INT, "threads", 't', &a.threads, "N", "threads (the physical cores)", 1, 512, NULL},
        {CLI_TEXT, "cpu", 0, &a.o.cpu, "LEVEL", "cap on the kernels: see pith info", 0, 0, NULL},
        {CLI_HEADING, "output", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "form", 0, &a.form, "NAME", "of the adapter: gguf or peft (a folder)", 0, 0,
         NULL},
        {CLI_TEXT, "type", 0, &a.type, "NAME", "of the model: f32, f16, q8_0, ...", 0, 0, NULL},
        {CLI_FLAG, "force", 0, &a.force, NULL, "replace FILE if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a line of JSON an event", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith tune MODEL DATA -o FILE [options]",
        .summary =
            "A model learns from a data file: an adapter for it, or all of its weights anew.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 2,
        .max_words = 2,
        .examples = "  pith tune model.gguf chats.jsonl -o style.gguf --eval held.jsonl\n"
                    "  pith tune tiny.gguf corpus.txt -o trained.gguf --method full --time 2h",
    };
    cli_words words;
    pith_error err = {0};
    pith_model *model = NULL;
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    pith_status st = settle(&a, &err);
    cli_tune t = tune_of(&a, words.items[0], words.items[1]);
    if (st == PITH_OK)
        st = cli_model_open(words.items[0], NULL, &model, &err);
    if (st == PITH_OK)
        st = cli_tune_run(&t, model, &err);
    pith_model_close(model);
    return st == PITH_OK ? 0 : cli_fail(&err);
}

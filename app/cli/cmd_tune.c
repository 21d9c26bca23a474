/*
 * tune: a model learns from a data file: an adapter beside it, or all of its weights as a new
 * model. Checkpoints lie in a folder beside the output; --resume goes on from the last one.
 */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct tune_args {
    const char *out, *type, *form;
    const char *evaluation, *columns, *kind, *system, *folder, *time;
    int64_t rank, batch, seq, updates, eval_every, patience, save_every, threads, keep;
    bool resume, json, plain, skip_bad, force, keep_all;
    pith_train_options o;
} tune_args;

/* What the events of a run leave behind. */
typedef struct watch {
    bool json;
    double told;
    double first, last; // losses of updates
    double before, best;
    int64_t skipped;
    uint64_t memory;
    double rate;
} watch;

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

/* ---- events */

static json_t *event_json(const char *what, const pith_train_event *e)
{
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "event", what, "update",
                     (json_int_t)e->update, "total", (json_int_t)e->total, "epoch", e->epoch,
                     "loss", isfinite(e->loss) ? e->loss : 0.0, "grad_norm",
                     isfinite(e->grad_norm) ? e->grad_norm : 0.0, "lr", e->lr, "tokens_per_second",
                     e->tokens_per_second, "seconds_left", e->seconds_left, "memory_bytes",
                     (json_int_t)e->memory_bytes);
}

static void say_update(watch *w, const pith_train_event *e)
{
    double now = cli_now();
    if (w->told > 0 && now - w->told < 1 && e->update < e->total)
        return;
    w->told = now;
    fprintf(stderr, "%lld/%lld  loss %.4f  norm %.3g  lr %.3g  %.0f tokens/s  %.0f s left\n",
            (long long)e->update, (long long)e->total, e->loss, e->grad_norm, e->lr,
            e->tokens_per_second, e->seconds_left);
}

static void say(watch *w, const pith_train_event *e)
{
    if (e->kind == PITH_TRAIN_UPDATE)
        say_update(w, e);
    else if (e->kind == PITH_TRAIN_EVALUATION && e->update == 0)
        fprintf(stderr, "before training: evaluation loss %.4f\n", e->loss);
    else if (e->kind == PITH_TRAIN_EVALUATION)
        fprintf(stderr, "after update %lld: evaluation loss %.4f%s\n", (long long)e->update,
                e->loss, e->improved ? ", the best so far" : "");
    else if (e->kind == PITH_TRAIN_SKIPPED)
        fprintf(stderr, "update %lld was not applied: loss %g, gradient of length %g\n",
                (long long)e->update, e->loss, e->grad_norm);
}

static int on_event(void *user, const pith_train_event *e)
{
    static const char *const NAMES[] = {"begin", "update", "evaluation", "saved", "skipped"};
    watch *w = user;
    w->memory = e->memory_bytes;
    w->skipped += e->kind == PITH_TRAIN_SKIPPED;
    if (e->kind == PITH_TRAIN_UPDATE) {
        w->first = w->first > 0 ? w->first : e->loss;
        w->last = e->loss;
        w->rate = e->tokens_per_second;
    }
    if (w->json) {
        pith_error ignored = {0};
        cli_print_json(event_json(NAMES[e->kind], e), &ignored);
        cli_flush(&ignored);
    } else {
        say(w, e);
    }
    return cli_interrupt_count() > 0;
}

/* ---- data */

static pith_status read_examples(const tune_args *a, const pith_model *model, const char *path,
                                 pith_examples **out, pith_error *err)
{
    pith_dataset_options o = PITH_INIT(pith_dataset_options);
    o.columns = a->columns;
    o.kind = a->kind;
    o.system = a->system;
    pith_render_options r = PITH_INIT(pith_render_options);
    r.most_tokens = a->o.seq;
    r.plain = a->plain;
    r.skip_bad = a->skip_bad;
    pith_render_result got = PITH_INIT(pith_render_result);
    pith_dataset *dataset = NULL;
    pith_status st = pith_dataset_open(path, &o, &dataset, err);
    if (st == PITH_OK)
        st = pith_examples_read(dataset, model, &r, out, &got, err);
    pith_dataset_close(dataset);
    if (st == PITH_OK && got.n_long > 0)
        cli_warn("%lld examples of '%s' are longer than %d tokens and are left out",
                 (long long)got.n_long, path, a->o.seq);
    if (st == PITH_OK && got.n_bad + got.n_nothing + got.n_refused > 0)
        cli_warn("%lld rows of '%s' give nothing to learn from: pith data check says why",
                 (long long)(got.n_bad + got.n_nothing + got.n_refused), path);
    return st;
}

/* ---- the run */

static pith_status make_folder(const tune_args *a, px_buf *folder, pith_error *err)
{
    if (a->folder)
        px_buf_puts(folder, a->folder);
    else
        px_buf_printf(folder, "%s.run", a->out);
    pith_status st = px_buf_status(folder, "a path", err);
    if (st == PITH_OK && mkdir(folder->data, 0755) != 0 && errno != EEXIST)
        return px_fail_errno(err, errno, "cannot make the folder '%s'", folder->data);
    return st;
}

static pith_status begin(const tune_args *a, pith_train *train, pith_error *err)
{
    bool found = false;
    pith_train_info info = PITH_INIT(pith_train_info);
    pith_status st = a->resume ? pith_train_resume(train, &found, err) : PITH_OK;
    if (st == PITH_OK)
        st = pith_train_get_info(train, &info, err);
    if (st != PITH_OK || a->json)
        return st;
    char size[32];
    fprintf(stderr, "%s%lld updates, %lld an epoch; %.3g million values are trained, in %s\n",
            found ? "goes on; " : "", (long long)info.total, (long long)info.updates_per_epoch,
            (double)info.n_trained / 1e6, cli_size(info.memory_bytes, size));
    return PITH_OK;
}

static pith_status report(const tune_args *a, const watch *w, pith_train *train, pith_error *err)
{
    pith_train_info info = PITH_INIT(pith_train_info);
    pith_status st = pith_train_get_info(train, &info, err);
    if (st != PITH_OK)
        return st;
    bool worse = info.eval_before > 0 && info.eval_best >= info.eval_before;
    if (a->json)
        return cli_print_json(
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:b}", "event",
                      "done", "out", a->out, "updates", (json_int_t)info.updates, "tokens",
                      (json_int_t)info.tokens, "skipped", (json_int_t)info.skipped, "loss_first",
                      w->first, "loss_last", w->last, "eval_before", info.eval_before, "eval_best",
                      info.eval_best, "seconds", info.seconds, "memory_bytes",
                      (json_int_t)w->memory, "better", !worse),
            err);
    char size[32];
    printf("%s: %lld updates, %lld tokens in %.0f s, at most %s of memory; loss %.4f to %.4f\n",
           a->out, (long long)info.updates, (long long)info.tokens, info.seconds,
           cli_size(w->memory, size), w->first, w->last);
    if (info.eval_before > 0)
        printf("evaluation loss %.4f before, %.4f after (update %lld)\n", info.eval_before,
               info.eval_best, (long long)info.best_at);
    if (worse)
        cli_warn("training made the model worse on '%s'; do not use the result", a->evaluation);
    return cli_flush(err);
}

static pith_status run(tune_args *a, const pith_model *model, const char *data, watch *w,
                       pith_error *err)
{
    pith_examples *examples = NULL, *held = NULL;
    pith_train *train = NULL;
    px_buf folder = {0};
    pith_status st = read_examples(a, model, data, &examples, err);
    if (st == PITH_OK && a->evaluation)
        st = read_examples(a, model, a->evaluation, &held, err);
    if (st == PITH_OK)
        st = make_folder(a, &folder, err);
    a->o.folder = folder.data;
    a->o.on_event = on_event;
    a->o.user = w;
    if (st == PITH_OK)
        st = pith_train_new(model, examples, held, &a->o, &train, err);
    if (st == PITH_OK)
        st = begin(a, train, err);
    cli_interrupt_watch(NULL);
    if (st == PITH_OK)
        st = pith_train_run(train, err);
    if (st == PITH_E_CANCELLED)
        px_prefix(err, "go on with --resume");
    bool full = a->o.method && strcmp(a->o.method, "full") == 0;
    if (st == PITH_OK)
        st = pith_train_save(train, full ? a->type : a->form, NULL, a->out, err);
    if (st == PITH_OK)
        st = report(a, w, train, err);
    pith_train_free(train);
    pith_examples_free(examples);
    pith_examples_free(held);
    px_buf_clear(&folder);
    return st;
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

int cli_cmd_tune(int argc, char **argv)
{
    tune_args a = {.seq = 512, .o = PITH_INIT(pith_train_options)};
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
        {CLI_TEXT, "columns", 0, &a.columns, "LIST", "what columns mean: prompt=question,...", 0, 0,
         NULL},
        {CLI_TEXT, "kind", 0, &a.kind, "NAME", "chat, prompt, text, pair or label", 0, 0, NULL},
        {CLI_TEXT, "system", 0, &a.system, "TEXT", "before conversations without a system message",
         0, 0, NULL},
        {CLI_FLAG, "plain", 0, &a.plain, NULL, "join prompt and completion without the template", 0,
         0, NULL},
        {CLI_FLAG, "skip-bad", 0, &a.skip_bad, NULL, "leave out rows that cannot be read", 0, 0,
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
        {CLI_TEXT, "run", 0, &a.folder, "FOLDER", "for checkpoints (FILE.run)", 0, 0, NULL},
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
    watch w = {0};
    pith_model *model = NULL;
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    w.json = a.json;
    pith_status st = settle(&a, &err);
    if (st == PITH_OK)
        st = cli_model_open(words.items[0], NULL, &model, &err);
    if (st == PITH_OK)
        st = run(&a, model, words.items[1], &w, &err);
    pith_model_close(model);
    return st == PITH_OK ? 0 : cli_fail(&err);
}

/* tune: see tune.h. */
#include "cli/tune.h"

#include "base/file.h"
#include "cli/data_report.h"
#include "cli/term.h"
#include "cli/tune_report.h"
#include "cli/tune_run.h"
#include "cli/tune_view.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 3 };

/* A run under way. */
typedef struct course {
    const cli_tune *t;
    const pith_model *model;
    cli_held held;
    cli_run run;
    cli_tune_view *view;
    cli_tune_now now;
    pith_train *train;
    double first, last; // losses of this process' updates
    pith_status status; // of the log
    pith_error *err;
    json_t *before, *after;             // samples
    double loss_before, loss_after;     // through the engine
    double judged_before, judged_after; // of these or, for preferences, of the evaluation
    const char *judged_by;
    json_t *checks;
    bool worse;
} course;

/* ---- data */

static void warn_of(const char *path, const pith_render_result *r, int32_t seq)
{
    if (r->n_long > 0)
        cli_warn("%lld examples of '%s' are longer than %d tokens and are left out; --seq takes "
                 "longer ones",
                 (long long)r->n_long, path, seq);
    const long long lost = (long long)(r->n_bad + r->n_nothing + r->n_refused);
    if (lost > 0)
        cli_warn("%lld rows of '%s' give nothing to learn from: pith data check says why", lost,
                 path);
    if (r->n_turns > r->n_ends)
        cli_warn("%lld of %lld turns of '%s' have no token that ends them: the model may not learn "
                 "to stop",
                 (long long)(r->n_turns - r->n_ends), (long long)r->n_turns, path);
}

/* Findings that are likely to spoil the result, each a line on standard error. */
static void tell_findings(const pith_data_report *report)
{
    pith_data_finding f = PITH_INIT(pith_data_finding);
    for (int32_t i = 0; pith_data_report_get(report, i, &f, NULL) == PITH_OK; i++)
        if (f.severity != PITH_SEVERITY_NOTE)
            fprintf(stderr, "pith: data: %s, %s: %s. Way out: %s.\n",
                    f.severity == PITH_SEVERITY_ERROR ? "error" : "warning", f.code, f.sentence,
                    f.way_out);
}

static pith_status judge_data(const cli_tune *t, const pith_dataset *set,
                              const pith_data_report *report, pith_error *err)
{
    const int n_errors = cli_data_count(report, PITH_SEVERITY_ERROR);
    pith_status st = PITH_OK;
    if (t->json) {
        json_t *line = cli_data_json(set, report, &(cli_data_show){.findings = true});
        if (line)
            json_object_set_new(line, "event", json_string("data"));
        st = cli_print_json_line(line, err);
    } else {
        tell_findings(report);
    }
    if (st == PITH_OK && n_errors > 0 && !t->held.render.skip_bad)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' has faults of %d kinds that would spoil the run; pith data check %s "
                       "--fix CLEAN writes a file without them, --skip-bad leaves those rows out, "
                       "--no-check does not look",
                       t->data, n_errors, t->data);
    return st;
}

/* What `pith data check` says, before hours go into it. */
static pith_status check_data(const course *c, pith_error *err)
{
    const cli_tune *t = c->t;
    cli_progress progress;
    pith_dataset *set = NULL, *eval = NULL;
    pith_data_report *report = NULL;
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    pith_status st = pith_dataset_open(t->data, &t->held.dataset, &set, err);
    if (st == PITH_OK && t->held.evaluation)
        st = pith_dataset_open(t->held.evaluation, &t->held.dataset, &eval, err);
    if (st == PITH_OK) {
        o.model = c->model;
        o.eval = eval;
        o.most_tokens = t->train.seq;
        o.plain = t->held.render.plain;
        o.n_previews = -1;
        o.rank = t->train.rank;
        o.progress = cli_progress_step;
        o.user = &progress;
        cli_progress_start(&progress, "looking through the data", "B");
        st = pith_data_check(set, &o, &report, err);
        cli_progress_end(&progress);
    }
    if (st == PITH_OK)
        st = judge_data(t, set, report, err);
    pith_data_report_free(report);
    pith_dataset_close(eval);
    pith_dataset_close(set);
    return st;
}

static pith_status read_data(course *c, pith_error *err)
{
    const cli_tune *t = c->t;
    pith_render_result data = PITH_INIT(pith_render_result), kept = PITH_INIT(pith_render_result);
    pith_status st = cli_held_read(t->data, c->model, &t->held, &c->held, &data, &kept, err);
    if (st != PITH_OK)
        return st;
    warn_of(t->data, &data, t->train.seq);
    if (t->held.evaluation)
        warn_of(t->held.evaluation, &kept, t->train.seq);
    if (!c->held.kept)
        cli_warn("nothing is held back to show what was learned: there are under 20 examples, or "
                 "--hold 0 was given");
    return PITH_OK;
}

/* ---- the run's folder */

static pith_status open_run(course *c, pith_error *err)
{
    store_root *store = NULL;
    pith_status st = store_open(NULL, &store, err);
    if (st != PITH_OK)
        return st;
    char name[200];
    const char *base = strrchr(c->t->out, '/');
    snprintf(name, sizeof name, "%s", c->t->name ? c->t->name : base ? base + 1 : c->t->out);
    char *suffix = strrchr(name, '.');
    if (!c->t->name && suffix && suffix > name && strcmp(suffix, ".gguf") == 0)
        *suffix = 0;
    st = cli_run_open(store_home(store), name, c->t->resume, &c->run, err);
    store_close(store);
    return st;
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

/* What was asked for, zeros as the defaults that they are. */
static json_t *config_of(const cli_tune *t)
{
    const pith_train_options *o = &t->train;
    json_t *v = json_object();
    json_object_set_new(v, "model", json_string(t->model_name));
    json_object_set_new(v, "data", json_string(t->data));
    json_object_set_new(v, "evaluation", text_or_null(t->held.evaluation));
    json_object_set_new(v, "out", json_string(t->out));
    json_object_set_new(v, "method", json_string(t->full ? "full" : "lora"));
    json_object_set_new(v, "objective", text_or_null(o->objective));
    json_object_set_new(v, "rank", json_integer(o->rank ? o->rank : 16));
    json_object_set_new(v, "alpha",
                        json_real(o->alpha > 0 ? o->alpha
                                  : o->rank    ? 2.0 * o->rank
                                               : 32));
    json_object_set_new(v, "rslora", json_boolean(o->rslora));
    json_object_set_new(v, "dora", json_boolean(o->dora));
    json_object_set_new(v, "lora_plus", json_real(o->lora_plus > 0 ? o->lora_plus : 1));
    json_object_set_new(v, "dropout", json_real(o->dropout));
    json_object_set_new(v, "optimizer", json_string(o->optimizer ? o->optimizer : "adamw"));
    json_object_set_new(v, "lr", o->lr > 0 ? json_real(o->lr) : json_string("default"));
    json_object_set_new(v, "schedule", json_string(o->schedule ? o->schedule : "cosine"));
    json_object_set_new(v, "warmup", json_real(o->warmup != 0 ? o->warmup : 0.03));
    json_object_set_new(v, "weight_decay", json_real(o->weight_decay));
    json_object_set_new(v, "clip", json_real(o->clip != 0 ? o->clip : 1));
    json_object_set_new(v, "epochs", json_real(o->epochs > 0 ? o->epochs : 3));
    json_object_set_new(v, "max_updates", json_integer(o->max_updates));
    json_object_set_new(v, "max_seconds", json_real(o->max_seconds));
    json_object_set_new(v, "batch", json_integer(o->batch ? o->batch : 16));
    json_object_set_new(v, "seq", json_integer(o->seq));
    json_object_set_new(v, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(v, "pith", json_string(pith_version()));
    return v;
}

/* ---- events */

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *event_json(const char *what, const pith_train_event *e)
{
    json_t *v =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "event", what, "update",
                  (json_int_t)e->update, "total", (json_int_t)e->total, "epoch", number(e->epoch),
                  "loss", number(e->loss), "norm", number(e->grad_norm), "lr", number(e->lr),
                  "tokens_per_second", number(e->tokens_per_second), "seconds_left",
                  number(e->seconds_left), "memory_bytes", (json_int_t)e->memory_bytes);
    if (v && e->kind == PITH_TRAIN_EVALUATION)
        json_object_set_new(v, "best", json_boolean(e->improved));
    if (v && e->margin != 0) {
        json_object_set_new(v, "right", number(e->right));
        json_object_set_new(v, "margin", number(e->margin));
    }
    return v;
}

static void show(course *c, const pith_train_event *e)
{
    cli_tune_now *now = &c->now;
    now->update = e->update;
    now->total = e->total;
    now->epoch = e->epoch;
    now->tokens_per_second = e->tokens_per_second;
    now->seconds = e->seconds;
    now->seconds_left = e->seconds_left;
    now->memory = e->memory_bytes;
    if (e->kind == PITH_TRAIN_UPDATE) {
        now->loss = e->loss;
        now->norm = e->grad_norm;
        now->lr = e->lr;
        c->first = isnan(c->first) ? e->loss : c->first;
        c->last = e->loss;
        cli_tune_view_update(c->view, now);
    } else if (e->kind == PITH_TRAIN_EVALUATION) {
        now->eval = e->loss;
        now->best = isnan(now->best) ? e->loss : fmin(now->best, e->loss);
        cli_tune_view_evaluated(c->view, now);
    } else if (e->kind == PITH_TRAIN_SKIPPED) {
        now->skipped++;
        cli_tune_view_evaluated(c->view, now);
    }
}

static int on_event(void *user, const pith_train_event *e)
{
    static const char *const NAMES[] = {"begin", "update", "evaluation", "saved", "skipped"};
    course *c = user;
    show(c, e);
    json_t *line = event_json(NAMES[e->kind], e);
    if (e->kind != PITH_TRAIN_BEGIN && e->kind != PITH_TRAIN_SAVED)
        c->status = cli_run_log(&c->run, line, c->err);
    if (c->t->json && c->status == PITH_OK) {
        c->status = cli_print_json_line(line, c->err);
    } else {
        json_decref(line);
    }
    return c->status != PITH_OK || cli_interrupt_count() > 0;
}

/* ---- training */

static pith_status begin(course *c, pith_error *err)
{
    bool found = false;
    pith_train_info info = PITH_INIT(pith_train_info);
    pith_status st = c->t->resume ? pith_train_resume(c->train, &found, err) : PITH_OK;
    if (st == PITH_OK)
        st = pith_train_get_info(c->train, &info, err);
    if (st == PITH_OK && c->t->resume)
        st = cli_run_rewind(&c->run, info.updates, err);
    if (st != PITH_OK || c->t->json)
        return st;
    char size[32];
    fprintf(stderr,
            "%s%lld updates, %lld an epoch; %.3g million values are trained, in %s; run: %s\n",
            found ? "goes on; " : "", (long long)info.total, (long long)info.updates_per_epoch,
            (double)info.n_trained / 1e6, cli_size(info.memory_bytes, size), c->run.folder);
    return PITH_OK;
}

static pith_status train(course *c, pith_error *err)
{
    pith_train_options o = c->t->train;
    o.folder = c->run.folder;
    o.on_event = on_event;
    o.user = c;
    pith_status st = pith_train_new(c->model, c->held.learned, c->held.kept, &o, &c->train, err);
    if (st == PITH_OK)
        st = begin(c, err);
    cli_interrupt_watch(NULL);
    if (st == PITH_OK)
        st = pith_train_run(c->train, err);
    if (c->status != PITH_OK)
        return c->status; // the log's failure ended it
    if (st == PITH_E_CANCELLED)
        px_prefix(err, "go on with --resume");
    return st;
}

/* ---- what it is worth */

static void check(course *c, const char *name, bool ok, const char *fmt, ...) PX_PRINTF(4, 5);
static void check(course *c, const char *name, bool ok, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_array_append_new(c->checks,
                          json_pack("{s:s, s:b, s:s}", "name", name, "ok", ok, "text", text));
    if (!ok)
        cli_warn("%s: %s", name, text);
}

/* The result as anybody would use it: opened from its file. */
static pith_status measure_after(course *c, pith_error *err)
{
    pith_model *model = NULL;
    pith_adapter *adapter = NULL;
    const int32_t threads = c->t->train.n_threads;
    pith_status st = c->t->full ? pith_model_open(c->t->out, NULL, &model, err)
                                : pith_adapter_open(c->model, c->t->out, &adapter, err);
    if (st == PITH_OK)
        st = cli_held_measure(&c->held, model ? model : c->model, adapter, threads, SAMPLES,
                              &c->loss_after, c->after, err);
    pith_adapter_close(adapter);
    pith_model_close(model);
    return st;
}

/* Mean loss as the trainer has it and as the engine has it differ by what the engine rounds
 * activations to, and by the examples beyond the few. */
static void judge(course *c, const pith_train_info *info)
{
    check(c, "the result does something", c->loss_after != c->loss_before,
          "loss on %d examples that were held back: %.4f before, %.4f with it", c->held.n_few,
          c->loss_before, c->loss_after);
    // What preferences teach is not that the chosen answer becomes likelier by itself.
    const char *objective = c->t->train.objective;
    const bool preference =
        objective ? strcmp(objective, "sft") != 0 : c->held.goal != PITH_GOAL_NEXT;
    const bool by_training = preference && info->eval_before > 0;
    c->judged_by = by_training ? "preference loss" : "loss";
    c->judged_before = by_training ? info->eval_before : c->loss_before;
    c->judged_after = by_training ? info->eval_best : c->loss_after;
    c->worse = !(c->judged_after < c->judged_before);
    check(c, "better on what it never saw", !c->worse,
          c->worse
              ? "training made it worse (%.4f to %.4f): do not use it; try a lower --lr, fewer "
                "--epochs or more data"
              : "%.4f to %.4f",
          c->judged_before, c->judged_after);
    if (!preference && info->eval_before > 0 && c->held.n_kept <= c->held.n_few) {
        const double off = fabs(c->loss_after - info->eval_best) / fmax(info->eval_best, 0.1);
        check(c, "reads back as it was trained", off < 0.05,
              "loss %.4f from the file, %.4f in training", c->loss_after, info->eval_best);
    }
}

static pith_status measure(course *c, pith_error *err)
{
    pith_train_info info = PITH_INIT(pith_train_info);
    pith_status st = pith_train_get_info(c->train, &info, err);
    if (st != PITH_OK || c->held.n_few == 0)
        return st;
    if (!c->t->json)
        cli_tune_view_say(c->view, "measuring the result on what was held back");
    st = cli_held_measure(&c->held, c->model, NULL, c->t->train.n_threads, SAMPLES, &c->loss_before,
                          c->before, err);
    if (st == PITH_OK)
        st = measure_after(c, err);
    if (st == PITH_OK)
        judge(c, &info);
    return st;
}

static json_t *samples_of(const course *c)
{
    json_t *samples = json_array();
    for (size_t i = 0; i < json_array_size(c->before) && i < json_array_size(c->after); i++) {
        json_t *b = json_array_get(c->before, i), *a = json_array_get(c->after, i);
        json_array_append_new(samples,
                              json_pack("{s:O, s:O, s:O}", "prompt", json_object_get(b, "prompt"),
                                        "before", json_object_get(b, "answer"), "after",
                                        json_object_get(a, "answer")));
    }
    return samples;
}

/* ---- report */

static json_t *totals_of(const course *c, const pith_train_info *info)
{
    char text[64], size[32];
    json_t *v = json_object();
    snprintf(text, sizeof text, "%lld", (long long)info->updates);
    json_object_set_new(v, "updates", json_string(text));
    snprintf(text, sizeof text, "%lld (%lld learned)", (long long)info->tokens,
             (long long)info->learned);
    json_object_set_new(v, "tokens", json_string(text));
    snprintf(text, sizeof text, "%.0f s, %.1f tokens/s", info->seconds,
             info->seconds > 0 ? (double)info->tokens / info->seconds : 0.0);
    json_object_set_new(v, "time", json_string(text));
    json_object_set_new(v, "memory", json_string(cli_size(c->now.memory, size)));
    snprintf(text, sizeof text, "%lld", (long long)info->skipped);
    json_object_set_new(v, "updates not applied", json_string(text));
    return v;
}

static pith_status write_report(course *c, const pith_train_info *info, pith_error *err)
{
    json_t *page = NULL;
    pith_status st = cli_run_curves(&c->run, &page, err);
    if (st != PITH_OK)
        return st;
    char started[64], verdict[200];
    const time_t now = time(NULL);
    struct tm tm;
    strftime(started, sizeof started, "%Y-%m-%d %H:%M", localtime_r(&now, &tm));
    pith_machine machine = PITH_INIT(pith_machine);
    pith_machine_get(&machine, NULL);
    if (c->held.n_few == 0)
        snprintf(verdict, sizeof verdict,
                 "Nothing was held back, so nothing shows what was learned.");
    else
        snprintf(verdict, sizeof verdict, "%s: %s on what it never saw %.4f before, %.4f after.",
                 c->worse ? "Worse" : "Better", c->judged_by, c->judged_before, c->judged_after);
    json_object_set_new(page, "name", json_string(strrchr(c->run.folder, '/') + 1));
    json_object_set_new(page, "base", json_string(c->t->model_name));
    json_object_set_new(page, "data", json_string(c->t->data));
    json_object_set_new(page, "method", json_string(c->t->full ? "all weights" : "LoRA adapter"));
    json_object_set_new(page, "started", json_string(started));
    json_object_set_new(page, "machine", json_string(machine.cpu));
    json_object_set_new(page, "verdict", json_string(verdict));
    json_object_set_new(page, "better", json_boolean(!c->worse && c->held.n_few > 0));
    json_object_set_new(page, "totals", totals_of(c, info));
    json_object_set_new(page, "config", config_of(c->t));
    json_object_set(page, "checks", c->checks);
    json_object_set_new(page, "samples", samples_of(c));
    px_buf html = {0};
    char *path = cli_run_path(&c->run, "report.html");
    st = path ? cli_tune_report(page, &html, err) : px_fail_memory(err, "the report");
    if (st == PITH_OK)
        st = px_file_replace(path, html.data, html.len, err);
    if (st == PITH_OK)
        st = cli_run_write(&c->run, "samples.json", json_object_get(page, "samples"), err);
    px_buf_clear(&html);
    free(path);
    json_decref(page);
    return st;
}

static pith_status tell(const course *c, const pith_train_info *info, pith_error *err)
{
    const cli_tune *t = c->t;
    char size[32];
    if (t->json)
        return cli_print_json_line(
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:o, s:o, s:f, s:I, s:O, "
                      "s:b}",
                      "event", "done", "out", t->out, "run", c->run.folder, "updates",
                      (json_int_t)info->updates, "tokens", (json_int_t)info->tokens, "skipped",
                      (json_int_t)info->skipped, "loss_first", number(c->first), "loss_last",
                      number(c->last), "eval_before", info->eval_before, "eval_best",
                      info->eval_best, "held_before",
                      c->held.n_few ? json_real(c->loss_before) : json_null(), "held_after",
                      c->held.n_few ? json_real(c->loss_after) : json_null(), "seconds",
                      info->seconds, "memory_bytes", (json_int_t)c->now.memory, "checks", c->checks,
                      "better", c->held.n_few > 0 && !c->worse),
            err);
    printf("%s: %lld updates, %lld tokens in %.0f s, at most %s of memory; loss %.4f to %.4f\n",
           t->out, (long long)info->updates, (long long)info->tokens, info->seconds,
           cli_size(c->now.memory, size), c->first, c->last);
    if (c->held.n_few > 0)
        printf("on what it never saw: %s %.4f before, %.4f after: %s\n", c->judged_by,
               c->judged_before, c->judged_after, c->worse ? "worse" : "better");
    printf("report: %s/report.html\n", c->run.folder);
    if (t->full)
        printf("use it: pith run %s\n", t->out);
    else
        printf("use it: pith run %s --adapter %s\n", t->model_name, t->out);
    return cli_flush(err);
}

static pith_status finish(course *c, pith_error *err)
{
    pith_train_info info = PITH_INIT(pith_train_info);
    pith_status st = pith_train_save(c->train, c->t->form, NULL, c->t->out, err);
    if (st == PITH_OK)
        st = measure(c, err);
    if (st == PITH_OK)
        st = pith_train_get_info(c->train, &info, err);
    if (st == PITH_OK)
        st = write_report(c, &info, err);
    return st == PITH_OK ? tell(c, &info, err) : st;
}

pith_status cli_tune_run(const cli_tune *t, const pith_model *model, pith_error *err)
{
    course c = {
        .t = t,
        .model = model,
        .run = {.log = -1},
        .err = err,
        .first = NAN,
        .last = NAN,
        .now = {.eval = NAN, .best = NAN, .epochs = t->train.epochs > 0 ? t->train.epochs : 3},
        .before = json_array(),
        .after = json_array(),
        .checks = json_array()};
    json_t *config = config_of(t);
    pith_status st = t->unchecked ? PITH_OK : check_data(&c, err);
    if (st == PITH_OK)
        st = read_data(&c, err);
    if (st == PITH_OK)
        st = open_run(&c, err);
    if (st == PITH_OK)
        st = cli_run_write(&c.run, "config.json", config, err);
    if (st == PITH_OK && !t->json && isatty(STDERR_FILENO) == 1)
        c.view = cli_tune_view_new(true, 0);
    if (st == PITH_OK)
        st = train(&c, err);
    if (st == PITH_OK)
        st = finish(&c, err);
    cli_tune_view_free(c.view);
    pith_train_free(c.train);
    cli_held_clear(&c.held);
    if (c.run.folder)
        cli_run_close(&c.run);
    json_decref(config);
    json_decref(c.before);
    json_decref(c.after);
    json_decref(c.checks);
    return st;
}

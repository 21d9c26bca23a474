/*
 * advise: which models fit this machine and how fast they will be; or what one model will cost. The
 * rule of choosing: of each model the largest type (q8_0 and below) that fits into memory and is
 * fast enough; models by parameters, weighed with what the type keeps.
 */
#include "base/mem.h"
#include "cli/advise.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

enum { SHOWN = 10 };

typedef struct ask {
    const char *word, *task, *license, *language, *type;
    const advise_entry *only; // a model of the catalogue that is not on this machine
    int64_t ctx, prompt, threads;
    double memory, min_speed, max_wait; // GB; tokens a second; seconds
    bool all, json;
} ask;

/* What is known of the machine. */
typedef struct place {
    pith_machine machine;
    pith_limits limits;
    uint64_t budget; // bytes of memory that a model may take
    uint64_t disk;   // free bytes where the store lies
    double load;     // processors that other work takes, mean of the last minute
} place;

/* One model in one type. */
typedef struct row {
    const advise_entry *entry;
    const char *type;
    uint64_t disk, weights, kv, work;
    double decode, prefill, first_token; // tokens a second; seconds
    double score;
    char why[96]; // why not; "": it fits
} row;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Limits of a machine that has other work too: arithmetic at its best of some runs, memory at the
 * median, since neighbours take from it for long. */
static pith_status best_limits(pith_meter *meter, pith_limits *out, cli_progress *progress,
                               pith_error *err)
{
    enum { RUNS = 5 };
    double read[RUNS];
    pith_limits best = PITH_INIT(pith_limits);
    for (int i = 0; i < RUNS; i++) {
        pith_limits l = PITH_INIT(pith_limits);
        pith_status status = pith_meter_run(meter, &l, cli_progress_step, progress, err);
        if (status != PITH_OK)
            return status;
        read[i] = l.read_gbps;
        l.int8_gops = fmax(l.int8_gops, best.int8_gops);
        l.bf16_gflops = fmax(l.bf16_gflops, best.bf16_gflops);
        l.f32_gflops = fmax(l.f32_gflops, best.f32_gflops);
        best = l;
    }
    qsort(read, RUNS, sizeof *read, by_value);
    best.read_gbps = read[RUNS / 2];
    *out = best;
    return PITH_OK;
}

static pith_status measure(const ask *a, const char *home, place *p, pith_error *err)
{
    struct statvfs v;
    pith_meter *meter = NULL;
    pith_meter_options o = PITH_INIT(pith_meter_options);
    o.n_threads = (int32_t)a->threads;
    p->machine = PITH_INIT(pith_machine);
    p->limits = PITH_INIT(pith_limits);
    if (getloadavg(&p->load, 1) != 1)
        p->load = 0;
    pith_status status = pith_machine_get(&p->machine, err);
    if (status == PITH_OK)
        status = pith_meter_new(&o, &meter, err);
    cli_progress progress;
    cli_progress_start(&progress, "measuring the machine", "parts");
    if (status == PITH_OK)
        status = best_limits(meter, &p->limits, &progress, err);
    cli_progress_end(&progress);
    pith_meter_free(meter);
    p->budget = a->memory > 0 ? (uint64_t)(a->memory * 1e9) : p->machine.memory_free;
    char *folder = px_strndup(home, strlen(home));
    for (char *slash; folder && statvfs(folder, &v) != 0 && (slash = strrchr(folder, '/'));)
        *slash = '\0'; // the store may not be there yet
    if (folder && *folder && statvfs(folder, &v) == 0)
        p->disk = (uint64_t)v.f_bavail * v.f_frsize;
    px_free(folder);
    return status;
}

/* ---- choosing */

static bool has_word(const json_t *list, const char *word)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        const char *text = json_string_value(v);
        if (text && (strcasecmp(text, word) == 0 || strcmp(text, "many") == 0))
            return true;
    }
    return false;
}

static bool wanted(const ask *a, const advise_entry *e)
{
    static const char *const FREE[] = {"apache-2.0", "mit"};
    if (a->task && !has_word(e->good_for, a->task))
        return false;
    if (!a->task && has_word(e->good_for, "embed"))
        return false;
    if (a->language && !has_word(e->languages, a->language))
        return false;
    if (!a->license)
        return true;
    if (strcasecmp(a->license, "free") == 0)
        return strcmp(e->license, FREE[0]) == 0 || strcmp(e->license, FREE[1]) == 0;
    return strcasecmp(a->license, e->license) == 0;
}

static row predict(const ask *a, const place *p, const advise_entry *e, const advise_type *t)
{
    enum { VOCABULARY = 60 }; // bytes of a file for each token
    const advise_shape *s = &e->shape;
    const advise_bytes b = advise_weights(s, t);
    const int64_t prompt = a->prompt < a->ctx ? a->prompt : a->ctx;
    const advise_work_of reading = advise_prompt(s, t, prompt), one = advise_token(s, t, prompt);
    double seconds = advise_prompt_seconds(&reading, &p->limits);
    row r = {.entry = e,
             .type = t->name,
             .weights = b.layers + b.output + b.embed,
             .kv = advise_kv(s, a->ctx),
             .work = advise_work(s)};
    r.disk = r.weights + (uint64_t)s->vocab * VOCABULARY;
    r.decode = 1 / advise_token_seconds(&one, &p->limits);
    r.prefill = (double)prompt / seconds;
    r.first_token = seconds;
    r.score = (double)e->parameters * t->keeps;
    uint64_t memory = r.weights + r.kv + r.work;
    if (a->ctx > e->context)
        snprintf(r.why, sizeof r.why, "its context is %lld tokens", (long long)e->context);
    else if (memory > p->budget)
        snprintf(r.why, sizeof r.why, "needs %.1f GB of memory, %.1f GB are free",
                 (double)memory / 1e9, (double)p->budget / 1e9);
    else if (p->disk > 0 && r.disk > p->disk)
        snprintf(r.why, sizeof r.why, "needs %.1f GB of disk, %.1f GB are free",
                 (double)r.disk / 1e9, (double)p->disk / 1e9);
    else if (r.decode < a->min_speed)
        snprintf(r.why, sizeof r.why, "%.1f tokens/s, fewer than %.3g", r.decode, a->min_speed);
    else if (r.first_token > a->max_wait)
        snprintf(r.why, sizeof r.why, "the first token after %.0f s, later than %.3g",
                 r.first_token, a->max_wait);
    return r;
}

/* The largest type that fits; where none does, the smallest, with its reason. */
static row choose(const ask *a, const place *p, const advise_entry *e)
{
    row r = {0};
    const advise_type *t;
    for (int i = 0; (t = advise_type_at(i)) != NULL; i++) {
        if (a->type ? strcasecmp(t->name, a->type) != 0 : t->base >= 16)
            continue;
        r = predict(a, p, e, t);
        if (!r.why[0])
            break;
    }
    return r;
}

static int by_score(const void *x, const void *y)
{
    const row *a = x, *b = y;
    if (!a->why[0] != !b->why[0])
        return a->why[0] ? 1 : -1;
    if (a->score < b->score || a->score > b->score)
        return a->score < b->score ? 1 : -1;
    return (a->entry->year < b->entry->year) - (a->entry->year > b->entry->year);
}

/* ---- reports */

/* How to get a model: its publisher's repository, made smaller on the way, and Ollama's library. */
static void pull_line(const row *r, char out[256])
{
    snprintf(out, 256, "pith pull hf.co/%s --quantize %s", r->entry->repo, r->type);
}

static json_t *place_json(const ask *a, const place *p)
{
    const advise_factors *f = &ADVISE_FACTORS;
    return json_pack(
        "{s:{s:s, s:i, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}, s:{s:s?, s:I, s:I, s:f, s:f, s:s?, "
        "s:s?}, "
        "s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f}}",
        "machine", "cpu", p->machine.cpu, "threads", p->limits.n_threads, "memory_bytes",
        (json_int_t)p->machine.memory_bytes, "memory_budget", (json_int_t)p->budget, "disk_free",
        (json_int_t)p->disk, "read_gbps", p->limits.read_gbps, "int8_gops", p->limits.int8_gops,
        "bf16_gflops", p->limits.bf16_gflops, "f32_gflops", p->limits.f32_gflops, "load", p->load,
        "asked", "task", a->task, "ctx", (json_int_t)a->ctx, "prompt", (json_int_t)a->prompt,
        "min_speed", a->min_speed, "max_wait", a->max_wait, "license", a->license, "language",
        a->language, "factors", "read", f->read, "thread_gbps", f->thread_gbps, "layer_us",
        f->layer_us, "int8", f->int8, "bf16", f->bf16, "f32", f->f32, "attention", f->attention);
}

static json_t *row_json(const row *r)
{
    char pull[256];
    const advise_entry *e = r->entry;
    pull_line(r, pull);
    json_t *o = json_pack(
        "{s:s, s:s, s:b, s:s, s:I, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:s, s:s?, "
        "s:O, s:O}",
        "name", e->name, "type", r->type, "fits", !r->why[0], "why", r->why, "n_parameters",
        (json_int_t)e->parameters, "license", e->license, "gated", (int)e->gated, "n_ctx_train",
        (json_int_t)e->context, "disk_bytes", (json_int_t)r->disk, "weight_bytes",
        (json_int_t)r->weights, "kv_bytes", (json_int_t)r->kv, "work_bytes", (json_int_t)r->work,
        "prompt_tok_s", r->prefill, "decode_tok_s", r->decode, "first_token_s", r->first_token,
        "pull", pull, "ollama", e->ollama, "languages", e->languages, "good_for", e->good_for);
    return o;
}

static void print_head(const ask *a, const place *p)
{
    char budget[32];
    printf("%s, %d threads: reads %.0f GB/s, %.0f int8 GOP/s; %s of memory %s\n", p->machine.cpu,
           p->limits.n_threads, p->limits.read_gbps, p->limits.int8_gops,
           cli_size(p->budget, budget), a->memory > 0 ? "given" : "free");
    if (p->load > 0.5)
        printf("other work takes %.1f processors now: what is measured, and so predicted, is too "
               "low\n",
               p->load);
    printf("for a context of %lld tokens and prompts of %lld, f16 keys and values\n\n",
           (long long)a->ctx, (long long)a->prompt);
}

static void print_foot(void)
{
    const advise_factors *f = &ADVISE_FACTORS;
    printf(
        "\npredicted: answers read at %.0f %% of the read limit, at most %.3g GB/s a thread, and "
        "%.0f us a layer;\nprompts take %.0f %% of the int8 limit (bf16: %.0f %%). 'pith bench' "
        "measures what is true.\n",
        f->read * 100, f->thread_gbps, f->layer_us, f->int8 * 100, f->bf16 * 100);
}

static void print_rows(const ask *a, const row *rows, int n)
{
    int shown = 0, width = 5;
    for (int i = 0; i < n; i++)
        if ((int)strlen(rows[i].entry->name) > width)
            width = (int)strlen(rows[i].entry->name);
    printf("%-*s  %-7s %9s %9s %12s %12s %10s  %s\n", width, "MODEL", "TYPE", "DISK", "MEMORY",
           "ANSWER tok/s", "PROMPT tok/s", "FIRST", "LICENCE");
    for (int i = 0; i < n && (a->all || shown < SHOWN); i++) {
        const row *r = &rows[i];
        char disk[32], memory[32], first[32];
        if (r->why[0] && !a->all)
            continue;
        shown++;
        snprintf(first, sizeof first, "%.*f s", r->first_token < 9.95 ? 1 : 0, r->first_token);
        printf("%-*s  %-7s %9s %9s %12.*f %12.0f %10s  %s%s%s\n", width, r->entry->name, r->type,
               cli_size(r->disk, disk), cli_size(r->weights + r->kv + r->work, memory),
               r->decode < 9.95 ? 1 : 0, r->decode, r->prefill, first, r->entry->license,
               r->why[0] ? "; no: " : "", r->why);
    }
    if (shown == 0) {
        printf("(none fits; --all says why)\n");
        return;
    }
    if (rows[0].why[0])
        return;
    char pull[256];
    pull_line(&rows[0], pull);
    printf("\n%s\n", pull);
    if (rows[0].entry->ollama)
        printf("pith pull %s        (in the type that Ollama's library has)\n",
               rows[0].entry->ollama);
    if (rows[0].entry->gated)
        printf("its terms have to be accepted at huggingface.co/%s first, and HF_TOKEN set\n",
               rows[0].entry->repo);
}

static pith_status report(const ask *a, const place *p, const row *rows, int n, pith_error *err)
{
    if (!a->json) {
        print_head(a, p);
        print_rows(a, rows, n);
        print_foot();
        return cli_flush(err);
    }
    json_t *o = place_json(a, p), *list = json_array();
    for (int i = 0; i < n; i++)
        if (a->all || !rows[i].why[0])
            json_array_append_new(list, row_json(&rows[i]));
    if (!o || json_object_set_new(o, "models", list) != 0) {
        json_decref(o);
        return px_fail_memory(err, "the JSON report");
    }
    return cli_print_json(o, err);
}

/* Every type of one model. */
static int all_types(const ask *a, const place *p, row *rows)
{
    int n = 0;
    const advise_type *t;
    for (int i = 0; (t = advise_type_at(i)) != NULL; i++)
        if (!a->type || strcasecmp(a->type, t->name) == 0)
            rows[n++] = predict(a, p, a->only, t);
    return n;
}

static pith_status advise_models(const ask *a, const place *p, const advise_catalogue *c,
                                 pith_error *err)
{
    enum { TYPES = 16 };
    row *rows = px_calloc((size_t)c->n + TYPES, sizeof *rows);
    int n = 0;
    if (!rows)
        return px_fail_memory(err, "the list of models");
    if (a->only)
        n = all_types(a, p, rows);
    for (int i = 0; i < c->n && !a->only; i++)
        if (wanted(a, &c->items[i]))
            rows[n++] = choose(a, p, &c->items[i]);
    qsort(rows, (size_t)n, sizeof *rows, by_score);
    pith_status status = report(a, p, rows, n, err);
    px_free(rows);
    return status;
}

/* ---- one model */

/* Times from the file's own matrices. */
static pith_status cost_of(const pith_model *model, const ask *a, const place *p, row *r,
                           pith_error *err)
{
    pith_engine *engine = NULL;
    pith_engine_options o = PITH_INIT(pith_engine_options);
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_cost prompt = PITH_INIT(pith_cost), one = PITH_INIT(pith_cost);
    o.n_ctx = a->ctx;
    o.n_threads = (int32_t)a->threads;
    prompt.n_tokens = (int32_t)(a->prompt < a->ctx ? a->prompt : a->ctx);
    prompt.n_logits = one.n_tokens = one.n_logits = 1;
    one.depth = prompt.n_tokens;
    pith_status status = pith_engine_new(model, &o, &engine, err);
    if (status == PITH_OK)
        status = pith_model_get_info(model, &info, err);
    if (status == PITH_OK)
        status = pith_engine_get_cost(engine, &prompt, err);
    if (status == PITH_OK)
        status = pith_engine_get_cost(engine, &one, err);
    if (status == PITH_OK) {
        const advise_work_of reading = advise_of_cost(&prompt, info.n_layers);
        const advise_work_of writing = advise_of_cost(&one, info.n_layers);
        r->first_token = advise_prompt_seconds(&reading, &p->limits);
        r->prefill = prompt.n_tokens / r->first_token;
        r->decode = 1 / advise_token_seconds(&writing, &p->limits);
        r->disk = info.file_bytes;
    }
    pith_engine_free(engine);
    return status;
}

static pith_status report_model(const ask *a, const place *p, const row *r, pith_error *err)
{
    char disk[32], all[32], w[32], kv[32], work[32];
    uint64_t memory = r->weights + r->kv + r->work;
    if (a->json) {
        json_t *o = place_json(a, p);
        json_t *m = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "model", a->word,
                              "fits", memory <= p->budget, "disk_bytes", (json_int_t)r->disk,
                              "weight_bytes", (json_int_t)r->weights, "kv_bytes", (json_int_t)r->kv,
                              "work_bytes", (json_int_t)r->work, "prompt_tok_s", r->prefill,
                              "decode_tok_s", r->decode, "first_token_s", r->first_token);
        if (o && json_object_update_new(o, m) == 0)
            return cli_print_json(o, err);
        json_decref(o);
        return px_fail_memory(err, "the JSON report");
    }
    print_head(a, p);
    printf("%-16s %s\n", "disk", cli_size(r->disk, disk));
    printf("%-16s %s: weights %s, keys and values %s, work %s\n", "memory", cli_size(memory, all),
           cli_size(r->weights, w), cli_size(r->kv, kv), cli_size(r->work, work));
    printf("%-16s %.1f tokens/s\n", "answers", r->decode);
    printf("%-16s %.0f tokens/s; the first token after %.2f s\n", "prompts", r->prefill,
           r->first_token);
    if (memory > p->budget)
        printf("it does not fit: %s are free; a shorter context (-c) takes less\n",
               cli_size(p->budget, all));
    print_foot();
    return cli_flush(err);
}

static pith_status advise_one(const ask *a, const place *p, pith_error *err)
{
    pith_model *model = NULL;
    pith_plan plan = PITH_INIT(pith_plan);
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_TOKENIZER;
    row r = {0};
    plan.n_ctx = a->ctx;
    plan.n_threads = (int32_t)a->threads;
    pith_status status = cli_model_open(a->word, &mo, &model, err);
    if (status == PITH_OK)
        status = pith_model_plan(model, &plan, err);
    if (status == PITH_OK) {
        r.weights = plan.weight_bytes;
        r.kv = plan.kv_bytes;
        r.work = plan.work_bytes;
        status = cost_of(model, a, p, &r, err);
    }
    if (status == PITH_OK)
        status = report_model(a, p, &r, err);
    pith_model_close(model);
    return status;
}

/* ---- the command */

/* Whether the word is a task that the catalogue knows. */
static bool is_task(const advise_catalogue *c, const char *word)
{
    size_t k;
    json_t *v;
    for (int i = 0; i < c->n; i++) {
        json_array_foreach(c->items[i].good_for, k, v)
        {
            if (json_is_string(v) && strcasecmp(json_string_value(v), word) == 0)
                return true;
        }
    }
    return false;
}

/* A model of the catalogue by its name, its repository or its name in Ollama's library. */
static const advise_entry *find_entry(const advise_catalogue *c, const char *word)
{
    const char *repo = strncasecmp(word, "hf.co/", 6) == 0 ? word + 6 : word;
    for (int i = 0; i < c->n; i++) {
        const advise_entry *e = &c->items[i];
        if (strcasecmp(e->name, word) == 0 || strcasecmp(e->repo, repo) == 0 ||
            (e->ollama && strcasecmp(e->ollama, word) == 0))
            return e;
    }
    return NULL;
}

static pith_status run(ask *a, pith_error *err)
{
    store_root *s = NULL;
    advise_catalogue c = {0};
    place p = {0};
    pith_status status = store_open(NULL, &s, err);
    if (status == PITH_OK)
        status = advise_catalogue_load(store_home(s), &c, err);
    if (status == PITH_OK && a->type && !advise_type_find(a->type))
        status =
            px_fail(err, PITH_E_ARGUMENT,
                    "option '--type' has value '%s', expected bf16, q8_0, q6_k, q5_k_m, q4_k_m "
                    "or q3_k_m",
                    a->type);
    bool task = !a->word || is_task(&c, a->word);
    char *path = NULL;
    if (status == PITH_OK && !task) { // a wrong word is told before the machine is measured
        status = cli_find_path(a->word, &path, err);
        px_free(path);
        bool absent = status == PITH_E_NOT_FOUND || status == PITH_E_ARGUMENT;
        a->only = absent ? find_entry(&c, a->word) : NULL;
        if (a->only) {
            px_error_clear(err);
            status = PITH_OK;
            a->all = true;
        }
        px_prefix(err, "'%s' is no task (chat, code, reason, rag, ...)", a->word);
    }
    if (task)
        a->task = a->word;
    if (status == PITH_OK)
        status = measure(a, store_home(s), &p, err);
    if (status == PITH_OK)
        status = task || a->only ? advise_models(a, &p, &c, err) : advise_one(a, &p, err);
    advise_catalogue_clear(&c);
    store_close(s);
    return status;
}

int cli_cmd_advise(int argc, char **argv)
{
    ask a = {.ctx = 4096, .prompt = 512, .min_speed = 8, .max_wait = 15};
    const cli_option options[] = {
        {CLI_INT, "ctx", 'c', &a.ctx, "N", "tokens of context that are wanted (4096)", 1, 67108864,
         NULL},
        {CLI_INT, "prompt", 0, &a.prompt, "N", "tokens of a usual prompt (512)", 1, 67108864, NULL},
        {CLI_FLOAT, "min-speed", 0, &a.min_speed, "T", "least tokens a second of an answer (8)", 0,
         1e6, NULL},
        {CLI_FLOAT, "max-wait", 0, &a.max_wait, "S",
         "most seconds till the first token of an answer (15)", 0, 1e9, NULL},
        {CLI_FLOAT, "memory", 0, &a.memory, "GB", "memory that the model may take (what is free)",
         0.001, 1e6, NULL},
        {CLI_INT, "threads", 't', &a.threads, "N", "default: the physical cores", 1, 512, NULL},
        {CLI_TEXT, "type", 0, &a.type, "TYPE",
         "only this quantization (default: the best that fits)", 0, 0, NULL},
        {CLI_TEXT, "license", 0, &a.license, "WORD", "apache-2.0, mit, ...; free: one of these two",
         0, 0, NULL},
        {CLI_TEXT, "language", 0, &a.language, "CODE", "en, de, zh, ...", 0, 0, NULL},
        {CLI_FLAG, "all", 0, &a.all, NULL, "also what does not fit, and why", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith advise [TASK | MODEL] [options]",
        .summary =
            "Measures this machine and says which models of the catalogue fit it and how fast they "
            "will be; or what\none model (a path, a name here or in the catalogue) will cost. "
            "Tasks: chat, "
            "summarize, "
            "rewrite, extract, classify, rag,\ntools, reason, math, code, translate, embed. "
            "$PITH_HOME/catalogue.json adds models.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .max_words = 1,
        .examples = "  pith advise\n  pith advise code --ctx 16384 --license free\n"
                    "  pith advise model.gguf -c 8192",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    a.word = words.n > 0 ? words.items[0] : NULL;
    cli_interrupt_watch(NULL);
    return run(&a, &err) == PITH_OK ? 0 : cli_fail(&err);
}

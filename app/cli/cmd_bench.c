/* bench: how fast a model runs here, and how much of the machine's limits that is. Options, the
 * order of rows, what does not fit; see bench.h for the rest. */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_REPEATS = 5,
    DEFAULT_LIMIT = 300, // seconds
    OPEN_PROMPT = 5,
    MEMORY_PROMPT = 512,
    MEMORY_DECODE = 64,
    MOST_TOKENS = 1 << 24,
    MOST_BATCH = 1024
};

typedef struct bench_args {
    bench_engine_args engine;
    const char *pp, *tg, *depth, *batch, *once;
    int64_t repeats, time_limit;
    bool has_limit, json, no_open;
} bench_args;

typedef struct state {
    const char *path;
    bench_args *args;
    bench_list pp, tg, depth, batch;
    bench_row rows[BENCH_MAX_ROWS];
    int n_rows;
    bool terminal;
    pith_model *model;
    pith_model_info info;
    bench_files files;
    bench_limits limits;
    bench_run run;
    bench_report report;
} state;

/* ---- lists */

/* "128,512" as numbers from least to most, or "none". */
static pith_status parse_list(const char *option, const char *text, int64_t least, int64_t most,
                              bench_list *out, pith_error *err)
{
    out->n = 0;
    if (strcmp(text, "none") == 0)
        return PITH_OK;
    for (const char *at = text;;) {
        char *end;
        errno = 0;
        long long x = strtoll(at, &end, 10);
        if (end == at || errno || x < least || x > most || (*end && *end != ','))
            return px_fail(err, PITH_E_ARGUMENT,
                           "option '--%s' has value '%s', expected whole numbers from %lld to %lld "
                           "with commas between them, or 'none'",
                           option, text, (long long)least, (long long)most);
        if (out->n == BENCH_MAX_LIST)
            return px_fail(err, PITH_E_ARGUMENT, "option '--%s' has more than %d numbers", option,
                           BENCH_MAX_LIST);
        out->items[out->n++] = x;
        if (!*end)
            return PITH_OK;
        at = end + 1;
    }
}

static pith_status parse_lists(state *s, pith_error *err)
{
    const bench_args *a = s->args;
    pith_status status =
        parse_list("pp", a->pp ? a->pp : "128,512,2048", 1, MOST_TOKENS, &s->pp, err);
    if (status == PITH_OK)
        status = parse_list("tg", a->tg ? a->tg : "64", 1, MOST_TOKENS, &s->tg, err);
    if (status == PITH_OK)
        status = parse_list("depth", a->depth ? a->depth : "0,4096,16384", 0, MOST_TOKENS,
                            &s->depth, err);
    if (status == PITH_OK)
        status = parse_list("batch", a->batch ? a->batch : "1,2,4,8,16,32", 1, MOST_BATCH,
                            &s->batch, err);
    if (status == PITH_OK && s->depth.n == 0)
        s->depth = (bench_list){.items = {0}, .n = 1};
    return status;
}

/* ---- rows */

static void add_row(state *s, bench_test test, int64_t n, int64_t depth, int64_t batch)
{
    if (s->n_rows == BENCH_MAX_ROWS)
        return;
    bench_row *row = &s->rows[s->n_rows++];
    *row = (bench_row){.test = test, .n = n, .depth = depth, .batch = batch};
    if (test != BENCH_OPEN && depth + n > s->args->engine.ctx)
        snprintf(row->skip, sizeof row->skip,
                 "it needs %lld tokens of context and there are %lld (-c N allows more)",
                 (long long)(depth + n), (long long)s->args->engine.ctx);
}

/* Opening first, before this process has the file in its maps; then depth by depth. */
static void plan_rows(state *s)
{
    if (!s->args->no_open) {
        add_row(s, BENCH_OPEN, OPEN_PROMPT, 0, 1);
        s->rows[0].cold = true;
        add_row(s, BENCH_OPEN, OPEN_PROMPT, 0, 1);
    }
    for (int d = 0; d < s->depth.n; d++) {
        int64_t depth = s->depth.items[d];
        for (int i = 0; i < s->pp.n; i++)
            add_row(s, BENCH_PREFILL, s->pp.items[i], depth, 1);
        for (int b = 0; b < s->batch.n; b++)
            for (int i = 0; i < s->tg.n; i++)
                if (s->batch.items[b] == 1 || d == 0)
                    add_row(s, BENCH_DECODE, s->tg.items[i], depth, s->batch.items[b]);
    }
}

/* Whether the keys and values of a row fit into free memory; says why not. */
static bool fits(const state *s, bench_row *row)
{
    const int64_t page = 64;
    int64_t pages = (row->depth + page - 1) / page + row->batch * ((row->n + page - 1) / page + 1);
    double need = (double)pages * (double)page * (double)s->report.kv_token_bytes;
    double have = (double)s->report.machine.memory_free * 0.8;
    char a[32], b[32];
    if (need <= have)
        return true;
    snprintf(row->skip, sizeof row->skip,
             "its keys and values take %s of memory and %s can be used safely",
             cli_size((uint64_t)need, a), cli_size((uint64_t)have, b));
    return false;
}

/* A line on a terminal's standard error while a row is measured. */
static void show(const state *s, int i)
{
    static const char *const TESTS[] = {"prefill", "decode", "open"};
    const bench_row *row = &s->rows[i];
    if (s->terminal)
        fprintf(stderr, "\r\033[Krow %d of %d: %s %lld at depth %lld, batch %lld", i + 1, s->n_rows,
                TESTS[row->test], (long long)row->n, (long long)row->depth, (long long)row->batch);
}

static void hide(const state *s)
{
    if (s->terminal)
        fputs("\r\033[K", stderr);
}

static void tell(const state *s, const bench_row *row)
{
    hide(s);
    if (!s->args->json)
        bench_print_row(row);
    else if (row->skip[0])
        cli_warn("%s %lld at depth %lld, batch %lld is skipped: %s",
                 row->test == BENCH_DECODE ? "decode"
                 : row->test == BENCH_OPEN ? "open"
                                           : "prefill",
                 (long long)row->n, (long long)row->depth, (long long)row->batch, row->skip);
}

/* ---- opening */

static pith_status open_once(state *s, bench_row *row, bench_repeat *out, pith_error *err)
{
    bench_once once;
    bench_rates before, after, mean = {{0}};
    pith_cost none = PITH_INIT(pith_cost);
    double left;
    if (row->cold) {
        pith_status status = bench_files_drop(&s->files, &left, err);
        if (status != PITH_OK)
            return status;
        if (left > 0.05) {
            snprintf(
                row->skip, sizeof row->skip,
                "the system kept %.0f %% of the file's pages in memory when asked to drop them",
                left * 100);
            return PITH_OK;
        }
    }
    pith_status status = bench_limits_sample(&s->limits, &none, &before, err);
    if (status == PITH_OK)
        status = bench_once_spawn(s->path, &s->args->engine, row->n, 0, &once, err);
    if (status == PITH_OK)
        status = bench_limits_sample(&s->limits, &none, &after, err);
    if (status != PITH_OK)
        return status;
    mean.of[BENCH_READ] = (before.of[BENCH_READ] + after.of[BENCH_READ]) / 2;
    none.weight_bytes = once.read_bytes;
    *out = (bench_repeat){.tok_s = 1 / once.first_token,
                          .limit_tok_s = 1 / bench_shortest(&none, &mean, &row->bound)};
    return PITH_OK;
}

static pith_status measure_open(state *s, bench_row *row, pith_error *err)
{
    bench_repeat repeats[BENCH_MAX_REPEATS];
    double started = cli_now();
    pith_status status = PITH_OK;
    int n = 0;
    if (!row->cold) // the cold row, or this one, brings the file into memory
        status = open_once(s, row, &repeats[0], err);
    while (status == PITH_OK && n < s->run.n_repeats && !row->skip[0] &&
           (n == 0 || cli_now() - started < s->run.row_seconds)) {
        status = open_once(s, row, &repeats[n], err);
        n += status == PITH_OK && !row->skip[0];
    }
    if (status == PITH_OK && n > 0)
        bench_row_fill(row, repeats, n);
    return status;
}

static pith_status measure_memory(state *s, pith_error *err)
{
    bench_report *r = &s->report;
    int64_t ctx = s->args->engine.ctx;
    r->memory_decode = ctx > 2 * MEMORY_DECODE ? MEMORY_DECODE : 1;
    r->memory_prompt =
        ctx - r->memory_decode < MEMORY_PROMPT ? ctx - r->memory_decode : MEMORY_PROMPT;
    if (r->memory_prompt < 1)
        return PITH_OK;
    pith_status status = bench_once_spawn(s->path, &s->args->engine, r->memory_prompt,
                                          r->memory_decode, &r->memory, err);
    r->has_memory = status == PITH_OK;
    return status;
}

/* ---- all of it */

static int64_t most_of(const bench_list *list)
{
    int64_t most = 0;
    for (int i = 0; i < list->n; i++)
        most = list->items[i] > most ? list->items[i] : most;
    return most;
}

/* An engine as long and as wide as the rows need. */
static pith_status make_engine(state *s, pith_error *err)
{
    const bench_engine_args *a = &s->args->engine;
    pith_engine_options o = bench_engine_options(a);
    int64_t longest = 1, widest = most_of(&s->batch);
    for (int i = 0; i < s->n_rows; i++)
        if (!s->rows[i].skip[0] && s->rows[i].depth + s->rows[i].n > longest)
            longest = s->rows[i].depth + s->rows[i].n;
    o.n_ctx = longest;
    o.max_sessions = (int32_t)widest + 1;
    o.max_logits = (int32_t)(widest > 1 ? widest : 1);
    pith_status status = pith_engine_new(s->model, &o, &s->run.engine, err);
    if (status == PITH_OK)
        status = pith_session_new(s->run.engine, NULL, &s->run.base, err);
    if (status != PITH_OK)
        return status;
    s->run.n_tokens = longest;
    s->run.tokens = bench_tokens(longest, s->info.n_vocab);
    return s->run.tokens ? PITH_OK : px_fail_memory(err, "the prompt");
}

static pith_status describe(state *s, pith_error *err)
{
    bench_report *r = &s->report;
    const bench_engine_args *a = &s->args->engine;
    r->model = s->path;
    r->info = &s->info;
    r->limits = &s->limits;
    r->rows = s->rows;
    r->n_rows = s->n_rows;
    r->k_type = a->kv_k ? a->kv_k : a->kv ? a->kv : "f16";
    r->v_type = a->kv_v ? a->kv_v : a->kv ? a->kv : "f16";
    r->machine = PITH_INIT(pith_machine);
    r->engine = PITH_INIT(pith_engine_info);
    r->token = PITH_INIT(pith_cost);
    r->token.n_tokens = 1;
    pith_cost bare = r->token;
    r->token.n_logits = 1;
    pith_status status = pith_machine_get(&r->machine, err);
    if (status == PITH_OK)
        status = pith_engine_get_info(s->run.engine, &r->engine, err);
    if (status == PITH_OK)
        status = pith_engine_get_cost(s->run.engine, &r->token, err);
    if (status == PITH_OK)
        status = pith_engine_get_cost(s->run.engine, &bare, err);
    r->head_bytes = r->token.weight_bytes - bare.weight_bytes;
    r->kv_token_bytes = r->token.kv_write_bytes;
    return status;
}

static pith_status measure(state *s, bench_row *row, pith_error *err)
{
    bool late = false;
    if (row->skip[0] || !fits(s, row))
        return PITH_OK;
    pith_status status = bench_fill(&s->run, row->depth, &late, err);
    if (status == PITH_OK && late)
        snprintf(row->skip, sizeof row->skip,
                 "the time limit of %lld s would be passed (--time-limit N allows more)",
                 (long long)s->args->time_limit);
    if (status != PITH_OK || late)
        return status;
    return row->test == BENCH_PREFILL ? bench_prefill(&s->run, row, err)
                                      : bench_decode(&s->run, row, err);
}

/* The model's facts, then no longer open: its pages must be free to go. */
static pith_status look(state *s, pith_error *err)
{
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = PITH_OPEN_NO_TOKENIZER;
    pith_status status = cli_model_open(s->path, &o, &s->model, err);
    if (status == PITH_OK)
        status = bench_files_list(s->model, &s->files, err);
    s->info = PITH_INIT(pith_model_info);
    if (status == PITH_OK)
        status = pith_model_get_info(s->model, &s->info, err);
    return status;
}

static pith_status reopen(state *s, pith_error *err)
{
    pith_status status = look(s, err);
    bench_files_clear(&s->files);
    if (status == PITH_OK)
        status = make_engine(s, err);
    return status == PITH_OK ? describe(s, err) : status;
}

static pith_status open_rows(state *s, pith_error *err)
{
    pith_status status = PITH_OK;
    if (s->args->no_open)
        return PITH_OK;
    pith_model_close(s->model);
    s->model = NULL;
    for (int i = 0; status == PITH_OK && i < 2; i++) {
        show(s, i);
        status = measure_open(s, &s->rows[i], err);
    }
    if (status == PITH_OK)
        status = measure_memory(s, err);
    hide(s);
    return status;
}

static pith_status run_rows(state *s, pith_error *err)
{
    pith_status status = PITH_OK;
    int i = 0;
    for (; i < s->n_rows && s->rows[i].test == BENCH_OPEN; i++)
        tell(s, &s->rows[i]);
    for (; status == PITH_OK && i < s->n_rows; i++) {
        show(s, i);
        status = measure(s, &s->rows[i], err);
        hide(s);
        if (status == PITH_OK)
            tell(s, &s->rows[i]);
    }
    return status;
}

static pith_status finish(const state *s, pith_status status, pith_error *err)
{
    /* What was measured before Ctrl-C is good. */
    if (status != PITH_OK && status != PITH_E_CANCELLED)
        return status;
    if (s->args->json) {
        pith_status printed = cli_print_json(bench_json(&s->report), status ? NULL : err);
        return status ? status : printed;
    }
    bench_print_foot(&s->report);
    return status ? status : cli_flush(err);
}

static pith_status bench(state *s, pith_error *err)
{
    bench_args *a = s->args;
    s->terminal = isatty(STDERR_FILENO) == 1;
    s->run.limits = &s->limits;
    s->run.n_repeats = (int)a->repeats;
    s->run.row_seconds = a->time_limit > 0 ? (double)a->time_limit / 20 : 1e9;
    s->run.until = a->time_limit > 0 ? cli_now() + (double)a->time_limit : 0;
    cli_interrupt_watch(NULL);
    pith_status status = parse_lists(s, err);
    if (status == PITH_OK)
        status = look(s, err);
    if (status != PITH_OK)
        return status;
    if (a->engine.ctx == 0)
        a->engine.ctx = s->info.n_ctx_train;
    plan_rows(s);
    /* An engine that cannot be made is said before anything is measured. */
    status = make_engine(s, err);
    pith_session_free(s->run.base);
    pith_engine_free(s->run.engine);
    px_free(s->run.tokens);
    s->run.base = NULL;
    s->run.engine = NULL;
    s->run.tokens = NULL;
    if (status == PITH_OK)
        status = bench_limits_init(&s->limits, &a->engine, err);
    if (status == PITH_OK)
        status = open_rows(s, err);
    if (s->model) {
        pith_model_close(s->model);
        s->model = NULL;
    }
    bench_files_clear(&s->files);
    if (status == PITH_OK)
        status = reopen(s, err);
    if (status != PITH_OK)
        return status;
    cli_interrupt_watch(s->run.base);
    if (!a->json)
        bench_print_head(&s->report);
    status = run_rows(s, err);
    cli_interrupt_watch(NULL);
    return finish(s, status, err);
}

static int run(bench_args *a, const char *path)
{
    static state s; // some hundred KB
    pith_error err = {0};
    pith_status status;
    if (a->once) {
        bench_list two;
        status = parse_list("once", a->once, 0, MOST_TOKENS, &two, &err);
        if (status == PITH_OK && (two.n != 2 || two.items[0] < 1))
            status = px_fail(&err, PITH_E_ARGUMENT,
                             "option '--once' has value '%s', expected PROMPT,DECODE", a->once);
        if (status == PITH_OK)
            status = bench_once_run(path, &a->engine, two.items[0], two.items[1], &err);
        return status == PITH_OK ? 0 : cli_fail(&err);
    }
    s.path = path;
    s.args = a;
    status = bench(&s, &err);
    px_free(s.run.tokens);
    pith_session_free(s.run.base);
    pith_engine_free(s.run.engine);
    pith_model_close(s.model);
    bench_files_clear(&s.files);
    bench_limits_clear(&s.limits);
    return status == PITH_OK ? 0 : cli_fail(&err);
}

int cli_cmd_bench(int argc, char **argv)
{
    bench_args a = {.repeats = DEFAULT_REPEATS, .time_limit = DEFAULT_LIMIT};
    const cli_option options[] = {
        {CLI_HEADING, "what is measured", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "pp", 0, &a.pp, "N,N",
         "prompts of so many tokens (128,512,2048); 'none' for none", 0, 0, NULL},
        {CLI_TEXT, "tg", 0, &a.tg, "N,N", "answers of so many tokens (64); 'none' for none", 0, 0,
         NULL},
        {CLI_TEXT, "depth", 0, &a.depth, "N,N",
         "each behind so many tokens of context (0,4096,16384)", 0, 0, NULL},
        {CLI_TEXT, "batch", 0, &a.batch, "N,N",
         "answers of so many sequences at once (1,2,4,8,16,32), more than one at the\nfirst depth "
         "only",
         0, 0, NULL},
        {CLI_FLAG, "no-open", 0, &a.no_open, NULL, "leave out opening and memory", 0, 0, NULL},
        {CLI_INT, "repeat", 'r', &a.repeats, "N", "most repeats of a row (5)", 1, BENCH_MAX_REPEATS,
         NULL},
        {CLI_INT, "time-limit", 0, &a.time_limit, "SECONDS",
         "rows that would begin or fill their context later are skipped (300; 0: none)", 0, 1e6,
         NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object", 0, 0, NULL},
        {CLI_TEXT, "once", 0, &a.once, "PROMPT,DECODE",
         "open, compute so many tokens and tell of time and memory in a line of JSON: what\nthe "
         "rows of opening run in processes of their own",
         0, 0, NULL},
        {CLI_HEADING, "engine", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_INT, "ctx", 'c', &a.engine.ctx, "N",
         "most tokens of context (default: what the model was trained for)", 1, 67108864, NULL},
        {CLI_INT, "threads", 't', &a.engine.threads, "N", "threads (default: physical cores)", 1,
         512, NULL},
        {CLI_TEXT, "cpu", 0, &a.engine.cpu, "LEVEL",
         "cap on instruction sets; 'pith info' lists the levels", 0, 0, NULL},
        {CLI_TEXT, "kv-type", 0, &a.engine.kv, "TYPE",
         "f16 (default), f32 or q8_0: how keys and values are kept", 0, 0, NULL},
        {CLI_TEXT, "k-type", 0, &a.engine.kv_k, "TYPE", "the same for keys alone", 0, 0, NULL},
        {CLI_TEXT, "v-type", 0, &a.engine.kv_v, "TYPE", "the same for values alone", 0, 0, NULL},
        {CLI_INT, "step", 0, &a.engine.step, "N", "most tokens of one step (default 192)", 1, 65536,
         NULL},
    };
    const cli_spec spec = {
        .usage = "pith bench MODEL [options]",
        .summary =
            "Measures what this machine can do at most, then how fast the model reads prompts, "
            "answers and opens,\n"
            "and prints each figure with the part of the limit that it is. docs/bench.md explains.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith bench model.gguf\n"
                    "  pith bench model.gguf --pp 512 --depth 0,4096 --batch 1,8 --kv-type q8_0",
    };
    cli_words words;
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return run(&a, words.items[0]);
}

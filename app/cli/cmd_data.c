/* data: what training data are like: check, statistics, and a split for evaluation. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/data_report.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what all three take */

typedef struct source {
    const char *format, *columns, *kind, *system;
} source;

#define SOURCE_OPTIONS(s)                                                                      \
    {                                                                                          \
        CLI_TEXT, "format",                                                                    \
        'f',      &(s).format,                                                                 \
        "FORMAT", "jsonl, json, csv, tsv or txt (default: by the name, then the content)",     \
        0,        0,                                                                           \
        NULL},                                                                                 \
        {CLI_TEXT,                                                                             \
         "columns",                                                                            \
         'c',                                                                                  \
         &(s).columns,                                                                         \
         "LIST",                                                                               \
         "what columns mean: prompt=question,completion=answer. Meanings:\nmessages, prompt, " \
         "completion, input, system, history, text,\nchosen, rejected, label, tools",          \
         0,                                                                                    \
         0,                                                                                    \
         NULL},                                                                                \
    {                                                                                          \
        CLI_TEXT, "kind", 'k', &(s).kind, "KIND",                                              \
            "chat, prompt, text, pair or label (default: by the columns)", 0, 0, NULL          \
    }

static pith_status open_set(const source *s, const char *path, pith_dataset **out, pith_error *err)
{
    pith_dataset_options o = PITH_INIT(pith_dataset_options);
    o.format = s->format;
    o.columns = s->columns;
    o.kind = s->kind;
    o.system = s->system;
    return pith_dataset_open(path, &o, out, err);
}

/* ---- check and stats */

typedef struct request {
    source source;
    const char *model, *template_file, *eval, *fixed;
    int64_t seq, previews, rank, epochs;
    bool plain, special, keep_near, json;
} request;

static pith_status open_model(const request *r, pith_model **out, pith_error *err)
{
    pith_model_options o = PITH_INIT(pith_model_options);
    if (!r->model)
        return PITH_OK;
    o.template_file = r->template_file;
    pith_error first = {0};
    if (cli_model_open(r->model, &o, out, &first) == PITH_OK)
        return PITH_OK;
    /* A vocabulary or a folder of tokenizer files alone is enough but for the cost. */
    o.flags = PITH_OPEN_NO_WEIGHTS;
    if (cli_model_open(r->model, &o, out, NULL) == PITH_OK)
        return PITH_OK;
    if (err)
        *err = first;
    return first.status;
}

static pith_status check(const request *r, const char *path, pith_dataset **set,
                         pith_data_report **report, pith_error *err)
{
    pith_model *model = NULL;
    pith_dataset *eval = NULL;
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    pith_status st = open_set(&r->source, path, set, err);
    if (st == PITH_OK)
        st = open_model(r, &model, err);
    if (st == PITH_OK && r->eval)
        st = open_set(&r->source, r->eval, &eval, err);
    if (st == PITH_OK) {
        cli_progress progress;
        cli_progress_start(&progress, "reading", "B");
        cli_interrupt_watch(NULL);
        o.model = model;
        o.eval = eval;
        o.most_tokens = (int32_t)r->seq;
        o.plain = r->plain;
        o.special = r->special;
        o.n_previews = r->previews > 0 ? (int32_t)r->previews : -1;
        o.rank = (int32_t)r->rank;
        o.epochs = (int32_t)r->epochs;
        o.fixed = r->fixed;
        o.keep_near = r->keep_near;
        o.progress = cli_progress_step;
        o.user = &progress;
        st = pith_data_check(*set, &o, report, err);
        cli_progress_end(&progress);
    }
    pith_dataset_close(eval);
    pith_model_close(model);
    return st;
}

static void print_fixed(const pith_data_report *report, const char *fixed)
{
    pith_data_stats stats = PITH_INIT(pith_data_stats);
    pith_data_finding f = PITH_INIT(pith_data_finding);
    if (pith_data_report_get_stats(report, &stats, NULL) != PITH_OK)
        return;
    printf("\n'%s' holds %lld of %lld rows", fixed, (long long)(stats.n_rows - stats.n_dropped),
           (long long)stats.n_rows);
    const char *between = "; dropped: ";
    for (int32_t i = 0; pith_data_report_get(report, i, &f, NULL) == PITH_OK; i++)
        if (f.n_dropped > 0) {
            printf("%s%lld %s", between, (long long)f.n_dropped, f.code);
            between = ", ";
        }
    puts(".");
}

static int show_report(const request *r, const char *path, const cli_data_show *show)
{
    pith_error err = {0};
    pith_dataset *set = NULL;
    pith_data_report *report = NULL;
    int code = 0;
    pith_status st = check(r, path, &set, &report, &err);
    if (st == PITH_OK && r->json) {
        st = cli_print_json(cli_data_json(set, report, show), &err);
    } else if (st == PITH_OK) {
        st = cli_data_print(set, report, show, &err);
        if (st == PITH_OK && r->fixed) {
            print_fixed(report, r->fixed);
            st = cli_flush(&err);
        }
    }
    if (st == PITH_OK && show->findings && cli_data_count(report, PITH_SEVERITY_ERROR) > 0)
        code = pith_status_exit_code(PITH_E_FORMAT);
    pith_data_report_free(report);
    pith_dataset_close(set);
    return st == PITH_OK ? code : cli_fail(&err);
}

static int run_check(int argc, char **argv)
{
    request r = {.previews = 3};
    const cli_option options[] = {
        {CLI_TEXT, "model", 'm', &r.model, "MODEL",
         "the model to be tuned, or files of its tokenizer: then tokens, what is\nlearned, memory "
         "and time are looked at too",
         0, 0, NULL},
        {CLI_TEXT, "eval", 'e', &r.eval, "FILE", "the evaluation set, which must not overlap", 0, 0,
         NULL},
        {CLI_TEXT, "fix", 'o', &r.fixed, "OUT",
         "write the good rows here, as they stand, and say what was dropped", 0, 0, NULL},
        {CLI_FLAG, "keep-near", 0, &r.keep_near, NULL, "--fix keeps near duplicates", 0, 0, NULL},
        {CLI_INT, "examples", 'n', &r.previews, "N", "examples to show (default 3)", 0, 64, NULL},
        {CLI_FLAG, "json", 0, &r.json, NULL, "a JSON object", 0, 0, NULL},
        {CLI_HEADING, "how the file is read", 0, NULL, NULL, NULL, 0, 0, NULL},
        SOURCE_OPTIONS(r.source),
        {CLI_TEXT, "system", 0, &r.source.system, "TEXT",
         "a system message for conversations that have none", 0, 0, NULL},
        {CLI_HEADING, "how it would be learned", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "template", 't', &r.template_file, "FILE",
         "a chat template in place of the model's own", 0, 0, NULL},
        {CLI_INT, "seq", 0, &r.seq, "N",
         "most tokens of an example (default 2048, or the model's context)", 2, 1 << 20, NULL},
        {CLI_INT, "rank", 'r', &r.rank, "N", "rank of LoRA, for the cost (default 16)", 1, 1024,
         NULL},
        {CLI_INT, "epochs", 0, &r.epochs, "N", "passes over the data, for the cost (default 1)", 1,
         10000, NULL},
        {CLI_FLAG, "plain", 0, &r.plain, NULL,
         "join prompt and completion as they are, without the template", 0, 0, NULL},
        {CLI_FLAG, "special", 0, &r.special, NULL,
         "control tokens written in plain text are read as such", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith data check FILE [options]",
        .summary = "Says what is wrong with training data: each kind of fault with its lines and "
                   "the way out.\n"
                   "Exit code 4 when there are errors, 0 when there are only warnings and notes.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith data check train.jsonl --model qwen2.5 --eval eval.jsonl\n"
                    "  pith data check train.jsonl --fix clean.jsonl",
    };
    cli_words words;
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return show_report(
        &r, words.items[0],
        &(cli_data_show){.findings = true, .stats = true, .previews = r.previews > 0});
}

static int run_stats(int argc, char **argv)
{
    request r = {.previews = 0};
    const cli_option options[] = {
        {CLI_TEXT, "model", 'm', &r.model, "MODEL",
         "the model to be tuned, or files of its tokenizer: counts tokens too", 0, 0, NULL},
        {CLI_TEXT, "template", 't', &r.template_file, "FILE",
         "a chat template in place of the model's own", 0, 0, NULL},
        {CLI_INT, "seq", 0, &r.seq, "N",
         "most tokens of an example (default 2048, or the model's context)", 2, 1 << 20, NULL},
        {CLI_FLAG, "json", 0, &r.json, NULL, "a JSON object", 0, 0, NULL},
        SOURCE_OPTIONS(r.source),
    };
    const cli_spec spec = {
        .usage = "pith data stats FILE [options]",
        .summary = "Counts rows, turns, lengths and languages of training data.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith data stats train.jsonl --model qwen2.5",
    };
    cli_words words;
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    return show_report(&r, words.items[0], &(cli_data_show){.stats = true});
}

/* ---- split */

/* "5%", "0.05" or a number of rows. */
static pith_status read_share(const char *text, pith_data_split_options *o, pith_error *err)
{
    char *end = NULL;
    double number = strtod(text, &end);
    bool percent = end != text && *end == '%';
    end += percent;
    bool ok = end != text && *end == '\0' && number > 0;
    if (ok && percent && number < 100)
        o->share = number / 100;
    else if (ok && !percent && number < 1)
        o->share = number;
    else if (ok && !percent && number < 1e15 && number == (double)(int64_t)number)
        o->n_rows = (int64_t)number;
    else
        return px_fail(err, PITH_E_ARGUMENT,
                       "--eval is '%.40s', expected a share as 5%% or a number of rows as 200",
                       text);
    return PITH_OK;
}

/* "train.jsonl" and "eval" give "train.eval.jsonl". */
static void name_beside(const char *path, const char *what, px_buf *out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t stem = dot && dot > name ? (size_t)(dot - path) : strlen(path);
    px_buf_put(out, path, stem);
    px_buf_printf(out, ".%s%s", what, path + stem);
}

static pith_status must_be_new(const char *path, bool force, pith_error *err)
{
    struct stat s;
    if (!force && stat(path, &s) == 0)
        return px_fail(err, PITH_E_ARGUMENT, "'%s' is there already; --force replaces it", path);
    return PITH_OK;
}

static pith_status split(const source *from, const char *path, const char *train, const char *eval,
                         pith_data_split_options *o, pith_data_splitted *sum, pith_error *err)
{
    pith_dataset *set = NULL;
    cli_progress progress;
    pith_status st = open_set(from, path, &set, err);
    if (st != PITH_OK)
        return st;
    cli_progress_start(&progress, "splitting", "B");
    cli_interrupt_watch(NULL);
    o->progress = cli_progress_step;
    o->user = &progress;
    st = pith_data_split(set, train, eval, o, sum, err);
    cli_progress_end(&progress);
    pith_dataset_close(set);
    return st;
}

static pith_status print_split(const pith_data_splitted *s, const char *train, const char *eval,
                               bool json, pith_error *err)
{
    if (json)
        return cli_print_json(json_pack("{s:s, s:I, s:s, s:I, s:I, s:I}", "train", train,
                                        "train_rows", (json_int_t)s->n_train, "eval", eval,
                                        "eval_rows", (json_int_t)s->n_eval, "groups",
                                        (json_int_t)s->n_groups, "bad", (json_int_t)s->n_bad),
                              err);
    printf("%s: %lld rows\n%s: %lld rows\n", train, (long long)s->n_train, eval,
           (long long)s->n_eval);
    if (s->n_groups < s->n_train + s->n_eval)
        printf(
            "%lld rows were copies, near copies or of one group with others, and went where those "
            "did\n",
            (long long)(s->n_train + s->n_eval - s->n_groups));
    if (s->n_bad > 0)
        printf("%lld rows cannot be read and are in neither; 'pith data check' names them\n",
               (long long)s->n_bad);
    return cli_flush(err);
}

static int run_split(int argc, char **argv)
{
    source from = {NULL, NULL, NULL, NULL};
    const char *share = "5%", *train = NULL, *eval = NULL;
    bool json = false, force = false;
    pith_data_split_options o = PITH_INIT(pith_data_split_options);
    const cli_option options[] = {
        {CLI_TEXT, "eval", 'e', &share, "SHARE",
         "rows for the evaluation set: a share or a number (default 5%)", 0, 0, NULL},
        {CLI_TEXT, "by", 'b', &o.by, "COLUMN",
         "rows with the same value of this column stay together", 0, 0, NULL},
        {CLI_SEED, "seed", 0, &o.seed, "N", "another draw; the same seed gives the same files", 0,
         0, NULL},
        {CLI_TEXT, "train-out", 0, &train, "FILE", "default: FILE with .train before its ending", 0,
         0, NULL},
        {CLI_TEXT, "eval-out", 0, &eval, "FILE", "default: FILE with .eval before its ending", 0, 0,
         NULL},
        {CLI_FLAG, "force", 0, &force, NULL, "replace files that are there", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
        SOURCE_OPTIONS(from),
    };
    const cli_spec spec = {
        .usage = "pith data split FILE [options]",
        .summary =
            "Cuts a set in two, to learn from and to measure with. Copies and near copies of "
            "a row go\nwhere it goes, so that nothing is measured that was learned.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith data split all.jsonl --eval 5%\n  pith data split all.csv --eval 200 "
                    "--by customer",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    px_buf train_name = {0}, eval_name = {0};
    const char *path = words.items[0];
    name_beside(path, "train", &train_name);
    name_beside(path, "eval", &eval_name);
    pith_status st = px_buf_status(&train_name, "a file's name", &err);
    if (st == PITH_OK)
        st = px_buf_status(&eval_name, "a file's name", &err);
    train = train ? train : train_name.data;
    eval = eval ? eval : eval_name.data;
    pith_data_splitted sum = PITH_INIT(pith_data_splitted);
    if (st == PITH_OK)
        st = read_share(share, &o, &err);
    if (st == PITH_OK)
        st = must_be_new(train, force, &err);
    if (st == PITH_OK)
        st = must_be_new(eval, force, &err);
    if (st == PITH_OK)
        st = split(&from, path, train, eval, &o, &sum, &err);
    if (st == PITH_OK)
        st = print_split(&sum, train, eval, json, &err);
    px_buf_clear(&train_name);
    px_buf_clear(&eval_name);
    return st == PITH_OK ? 0 : cli_fail(&err);
}

/* ---- the command */

int cli_cmd_data(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } parts[] = {{"check", run_check}, {"split", run_split}, {"stats", run_stats}};
    static const char usage[] =
        "usage: pith data check|stats|split FILE [options]\n\n"
        "  check   what is wrong with training data, with lines and ways out; --fix cleans\n"
        "  stats   rows, turns, lengths, languages, tokens\n"
        "  split   two files, to learn from and to measure with\n\n"
        "Files: jsonl, json, csv, tsv, txt. 'pith data check -h' explains a part; docs/data.md all "
        "of them.\n";
    pith_error err = {0};
    if (argc < 2) {
        fputs(usage, stderr);
        return pith_status_exit_code(PITH_E_ARGUMENT);
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return cli_flush(&err) == PITH_OK ? 0 : cli_fail(&err);
    }
    const char *names[sizeof parts / sizeof parts[0]];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        names[i] = parts[i].name;
        if (strcmp(argv[1], parts[i].name) == 0)
            return parts[i].run(argc - 1, argv + 1);
    }
    const char *near = cli_nearest(argv[1], names, (int)(sizeof parts / sizeof parts[0]));
    px_fail(&err, PITH_E_ARGUMENT,
            near ? "unknown command 'data %s'; did you mean 'data %s'?"
                 : "unknown command 'data %s', expected check, stats or split",
            argv[1], near);
    return cli_fail(&err);
}

/* engine_args: see engine_args.h. */
#include "cli/engine_args.h"

#include "cli/find.h"
#include "cli/term.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_warnings(const pith_model *model)
{
    pith_model_info info = PITH_INIT(pith_model_info);
    if (pith_model_get_info(model, &info, NULL) != PITH_OK)
        return;
    for (const char *line = info.warnings; *line;) {
        size_t n = strcspn(line, "\n");
        cli_warn("%.*s", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

pith_status cli_open(const char *path, const cli_engine_args *args, pith_model **model,
                     pith_engine **engine, pith_error *err)
{
    *model = NULL;
    if (engine)
        *engine = NULL;
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.template_file = args->template_file;
    mo.template_name = args->template_name;
    pith_status status = cli_model_open(path, &mo, model, err);
    if (status != PITH_OK)
        return status;
    print_warnings(*model);
    if (!engine)
        return PITH_OK;
    pith_engine_options eo = PITH_INIT(pith_engine_options);
    eo.n_threads = (int32_t)args->threads;
    eo.cpu = args->cpu;
    eo.n_ctx = args->ctx;
    eo.n_batch = (int32_t)args->batch;
    eo.k_type = args->kv_k ? args->kv_k : args->kv;
    eo.v_type = args->kv_v ? args->kv_v : args->kv;
    eo.kv_bytes = (uint64_t)(args->kv_mem * 1e9);
    eo.kv_dir = args->kv_dir;
    eo.kv_dir_bytes = (uint64_t)(args->kv_dir_size * 1e9);
    status = pith_engine_new(*model, &eo, engine, err);
    if (status != PITH_OK) {
        pith_model_close(*model);
        *model = NULL;
    }
    return status;
}

pith_status cli_overflow(const cli_engine_args *args, pith_session_options *out, pith_error *err)
{
    static const char *const NAMES[] = {"error", "shift", "truncate"};
    *out = PITH_INIT(pith_session_options);
    out->n_keep = (int32_t)args->keep;
    if (!args->overflow)
        return PITH_OK;
    for (int i = 0; i < 3; i++) {
        if (strcmp(args->overflow, NAMES[i]) == 0) {
            out->overflow = (pith_overflow)i;
            return PITH_OK;
        }
    }
    return px_fail(err, PITH_E_ARGUMENT,
                   "option '--overflow' has value '%s', expected error, shift or truncate",
                   args->overflow);
}

/* A parameter of pith_sampling by name: exactly one of the pointers is not NULL. */
typedef struct parameter {
    const char *name;
    float *real;
    int32_t *whole;
    double min, max;
} parameter;

enum { N_PARAMETERS = 19 };

/* clang-format off */
static void list_parameters(pith_sampling *s, parameter out[N_PARAMETERS])
{
    const parameter all[N_PARAMETERS] = {
        {"temp", &s->temperature, NULL, 0, 100},
        {"top-k", NULL, &s->top_k, 0, 4194304},
        {"top-p", &s->top_p, NULL, 0, 1},
        {"min-p", &s->min_p, NULL, 0, 1},
        {"typical", &s->typical, NULL, 0, 1},
        {"xtc-probability", &s->xtc_probability, NULL, 0, 1},
        {"xtc-threshold", &s->xtc_threshold, NULL, 0, 1},
        {"repeat-penalty", &s->repeat_penalty, NULL, 0.01, 100},
        {"frequency-penalty", &s->frequency_penalty, NULL, -10, 10},
        {"presence-penalty", &s->presence_penalty, NULL, -10, 10},
        {"repeat-last-n", NULL, &s->penalty_last_n, -1, 67108864},
        {"dry-multiplier", &s->dry_multiplier, NULL, 0, 100},
        {"dry-base", &s->dry_base, NULL, 1, 100},
        {"dry-allowed-length", NULL, &s->dry_allowed_length, 0, 4194304},
        {"dry-last-n", NULL, &s->dry_last_n, -1, 67108864},
        {"mirostat", NULL, &s->mirostat, 0, 2},
        {"mirostat-tau", &s->mirostat_tau, NULL, 0.01, 100},
        {"mirostat-eta", &s->mirostat_eta, NULL, 0.0001, 1},
        {"min-keep", NULL, &s->min_keep, 1, 4194304},
    };
    memcpy(out, all, sizeof all);
}
/* clang-format on */

pith_status cli_sampling(const cli_sampling_args *a, const pith_model *model, pith_sampling *out,
                         pith_error *err)
{
    *out = PITH_INIT(pith_sampling);
    pith_status status = pith_sampling_init(out, model, err);
    if (status == PITH_OK && a->record)
        status = cli_record_sampling(a->record, out, err);
    if (status != PITH_OK)
        return status;
    /* In the order of list_parameters. */
    const struct {
        bool given;
        double value;
    } given[N_PARAMETERS] = {
        {a->has_temp, a->temp},
        {a->has_top_k, (double)a->top_k},
        {a->has_top_p, a->top_p},
        {a->has_min_p, a->min_p},
        {a->has_typical, a->typical},
        {a->has_xtc_p, a->xtc_p},
        {a->has_xtc_t, a->xtc_t},
        {a->has_repeat, a->repeat},
        {a->has_frequency, a->frequency},
        {a->has_presence, a->presence},
        {a->has_repeat_n, (double)a->repeat_n},
        {a->has_dry_mult, a->dry_mult},
        {a->has_dry_base, a->dry_base},
        {a->has_dry_len, (double)a->dry_len},
        {a->has_dry_n, (double)a->dry_n},
        {a->has_mirostat, (double)a->mirostat},
        {a->has_tau, a->tau},
        {a->has_eta, a->eta},
        {a->has_min_keep, (double)a->min_keep},
    };
    parameter all[N_PARAMETERS];
    list_parameters(out, all);
    for (int i = 0; i < N_PARAMETERS; i++) {
        if (!given[i].given)
            continue;
        if (all[i].real)
            *all[i].real = (float)given[i].value;
        else
            *all[i].whole = (int32_t)given[i].value;
    }
    if (a->has_seed)
        out->seed = a->seed;
    if (a->order)
        out->order = a->order;
    if (a->breakers.n > 0) {
        out->dry_breakers = a->breakers.items;
        out->n_dry_breakers = a->breakers.n;
    }
    return PITH_OK;
}

pith_status cli_bias(const cli_sampling_args *args, pith_logit_bias *out, int32_t *n,
                     pith_error *err)
{
    *n = 0;
    for (int i = 0; i < args->bias.n; i++) {
        const char *text = args->bias.items[i];
        char *end = NULL;
        long id = strtol(text, &end, 10);
        const char *number = *end == '=' ? end + 1 : NULL;
        char *stop = NULL;
        float bias = number ? strtof(number, &stop) : 0;
        if (end == text || !number || stop == number || *stop || id < 0 || id > INT32_MAX ||
            isnan(bias) || bias == INFINITY)
            return px_fail(err, PITH_E_ARGUMENT,
                           "option '--logit-bias' has value '%s', expected ID=NUMBER or ID=-inf",
                           text);
        out[(*n)++] = (pith_logit_bias){.token = (int32_t)id, .bias = bias};
    }
    return PITH_OK;
}

pith_status cli_sampling_set(pith_sampling *s, const char *name, const char *value, pith_error *err)
{
    parameter all[N_PARAMETERS];
    const char *names[N_PARAMETERS + 1];
    list_parameters(s, all);
    char *end = NULL;
    if (strcmp(name, "seed") == 0) {
        unsigned long long seed = strtoull(value, &end, 10);
        if (strcmp(value, "-1") != 0 && (end == value || *end || value[0] == '-'))
            return px_fail(err, PITH_E_ARGUMENT,
                           "seed has value '%s', expected a whole number from 0, or -1", value);
        s->seed = strcmp(value, "-1") == 0 ? PITH_SEED_RANDOM : seed;
        return PITH_OK;
    }
    for (int i = 0; i < N_PARAMETERS; i++) {
        names[i] = all[i].name;
        if (strcmp(all[i].name, name) != 0)
            continue;
        double v = strtod(value, &end);
        if (end == value || *end || !(v >= all[i].min && v <= all[i].max) ||
            (all[i].whole && v != floor(v)))
            return px_fail(err, PITH_E_ARGUMENT, "%s has value '%s', expected a %s from %g to %g",
                           name, value, all[i].whole ? "whole number" : "number", all[i].min,
                           all[i].max);
        if (all[i].real)
            *all[i].real = (float)v;
        else
            *all[i].whole = (int32_t)v;
        return PITH_OK;
    }
    names[N_PARAMETERS] = "seed";
    const char *near = cli_nearest(name, names, N_PARAMETERS + 1);
    if (near)
        return px_fail(err, PITH_E_ARGUMENT, "unknown parameter '%s'; did you mean '%s'?", name,
                       near);
    return px_fail(err, PITH_E_ARGUMENT, "unknown parameter '%s'; /set lists all", name);
}

void cli_sampling_print(const pith_sampling *s)
{
    pith_sampling copy = *s;
    parameter all[N_PARAMETERS];
    list_parameters(&copy, all);
    for (int i = 0; i < N_PARAMETERS; i++)
        printf("  %-20s %g\n", all[i].name,
               all[i].real ? (double)*all[i].real : (double)*all[i].whole);
    if (s->seed == PITH_SEED_RANDOM)
        printf("  %-20s random\n", "seed");
    else
        printf("  %-20s %llu\n", "seed", (unsigned long long)s->seed);
}

pith_status cli_speculation(const char *word, const char *draft, pith_speculation *out,
                            pith_error *err)
{
    *out = PITH_SPECULATE_AUTO;
    if (!word || strcmp(word, "auto") == 0)
        return PITH_OK;
    if (strcmp(word, "off") == 0)
        *out = PITH_SPECULATE_OFF;
    else if (strcmp(word, "ngram") == 0)
        *out = PITH_SPECULATE_NGRAM;
    else if (strcmp(word, "draft") == 0 && draft)
        *out = PITH_SPECULATE_DRAFT;
    else if (strcmp(word, "draft") == 0)
        return px_fail(err, PITH_E_ARGUMENT, "--spec draft needs --draft MODEL");
    else
        return px_fail(err, PITH_E_ARGUMENT,
                       "option '--spec' has value '%s', expected off, ngram, draft or auto", word);
    return PITH_OK;
}

/*
 * sampling: the options of the sampler: their defaults, what a model recommends, the order of
 * stages, and the check of every member. Threads: every function touches only its arguments.
 */
#include "engine/model.h"
#include "engine/options.h"
#include "engine/sampler.h"

#include <ctype.h>
#include <math.h>

/* Logits divided by less might overflow. */
static const float LEAST_TEMPERATURE = 1e-4f;

typedef struct stage_name {
    const char *name;
    const char *others;
} stage_name;

static const stage_name stages[] = {
#define STAGE_NAME(id, name, others) {name, others},
    PX_STAGES(STAGE_NAME)
#undef STAGE_NAME
};

static char folded(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static bool same_name(const char *name, size_t len, px_str text)
{
    if (len != text.len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] != folded(text.data[i]))
            return false;
    return true;
}

static bool is_stage(const stage_name *stage, px_str text)
{
    if (same_name(stage->name, strlen(stage->name), text))
        return true;
    for (const char *at = stage->others; *at;) {
        size_t len = strcspn(at, ";");
        if (same_name(at, len, text))
            return true;
        at += len + (at[len] == ';');
    }
    return false;
}

static pith_status add_stage(px_str name, px_stage order[PX_STAGE_N], int32_t *n, pith_error *err)
{
    int found = 0;
    while (found < PX_STAGE_N && !is_stage(&stages[found], name))
        found++;
    if (found == PX_STAGE_N)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the sampler order names \"%.*s\", which is none of: " PX_DEFAULT_ORDER,
                       PX_STR_ARG(name));
    for (int32_t i = 0; i < *n; i++)
        if ((int)order[i] == found)
            return px_fail(err, PITH_E_ARGUMENT, "the sampler order names \"%s\" twice",
                           stages[found].name);
    order[(*n)++] = (px_stage)found;
    return PITH_OK;
}

pith_status px_order_parse(const char *text, px_stage order[PX_STAGE_N], int32_t *n,
                           pith_error *err)
{
    *n = 0;
    for (const char *at = text ? text : PX_DEFAULT_ORDER; *at;) {
        size_t len = strcspn(at, ";,");
        px_str name = {.data = at, .len = len};
        while (name.len > 0 && name.data[0] == ' ') {
            name.data++;
            name.len--;
        }
        while (name.len > 0 && name.data[name.len - 1] == ' ')
            name.len--;
        if (name.len > 0) {
            pith_status st = add_stage(name, order, n, err);
            if (st != PITH_OK)
                return st;
        }
        at += len + (at[len] != '\0');
    }
    return PITH_OK;
}

pith_sampling px_sampling_defaults(void)
{
    return (pith_sampling){
        .size = sizeof(pith_sampling),
        .temperature = 0.8f,
        .top_k = 40,
        .top_p = 0.95f,
        .min_p = 0.05f,
        .typical = 1,
        .xtc_threshold = 0.1f,
        .repeat_penalty = 1,
        .penalty_last_n = 64,
        .dry_base = 1.75f,
        .dry_allowed_length = 2,
        .dry_last_n = -1,
        .mirostat_tau = 5,
        .mirostat_eta = 0.1f,
        .min_keep = 1,
        .seed = PITH_SEED_RANDOM,
    };
}

static pith_status check_float(const char *name, float x, double min, double max, pith_error *err)
{
    if ((double)x >= min && (double)x <= max)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT, "sampling option %s is %g, expected %g to %g", name,
                   (double)x, min, max);
}

static pith_status check_int(const char *name, int32_t x, int32_t min, pith_error *err)
{
    if (x >= min)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT, "sampling option %s is %d, expected at least %d", name, x,
                   min);
}

static pith_status check_sampling(const pith_sampling *o, pith_error *err)
{
    const struct {
        const char *name;
        float x;
        double min, max;
    } floats[] = {
        {"temperature", o->temperature, 0, 1e6},
        {"top_p", o->top_p, 0, 1},
        {"min_p", o->min_p, 0, 1},
        {"typical", o->typical, 0, 1},
        {"xtc_probability", o->xtc_probability, 0, 1},
        {"xtc_threshold", o->xtc_threshold, 0, 1},
        {"repeat_penalty", o->repeat_penalty, 1e-3, 1e3},
        {"frequency_penalty", o->frequency_penalty, -1e3, 1e3},
        {"presence_penalty", o->presence_penalty, -1e3, 1e3},
        {"dry_multiplier", o->dry_multiplier, 0, 1e6},
        {"dry_base", o->dry_base, 1, 1e6},
        {"mirostat_tau", o->mirostat_tau, 0, 100},
        {"mirostat_eta", o->mirostat_eta, 0, 1},
    };
    const struct {
        const char *name;
        int32_t x, min;
    } ints[] = {
        {"penalty_last_n", o->penalty_last_n, -1},
        {"dry_allowed_length", o->dry_allowed_length, 0},
        {"dry_last_n", o->dry_last_n, -1},
        {"min_keep", o->min_keep, 0},
    };
    pith_status st = PITH_OK;
    for (size_t i = 0; st == PITH_OK && i < sizeof floats / sizeof floats[0]; i++)
        st = check_float(floats[i].name, floats[i].x, floats[i].min, floats[i].max, err);
    for (size_t i = 0; st == PITH_OK && i < sizeof ints / sizeof ints[0]; i++)
        st = check_int(ints[i].name, ints[i].x, ints[i].min, err);
    if (st != PITH_OK)
        return st;
    if (o->temperature > 0 && o->temperature < LEAST_TEMPERATURE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "sampling option temperature is %g, expected 0 (greedy) or at least 0.0001",
                       (double)o->temperature);
    if (o->mirostat != 0 && o->mirostat != 2)
        return px_fail(err, PITH_E_ARGUMENT,
                       "sampling option mirostat is %d, expected 0 (off) or 2", o->mirostat);
    return PITH_OK;
}

pith_status px_sampling_take(const pith_sampling *in, pith_sampling *out, pith_error *err)
{
    *out = px_sampling_defaults();
    pith_status st = px_options_read(in, "pith_sampling", out, sizeof *out, err);
    return st == PITH_OK ? check_sampling(out, err) : st;
}

/* ---- what a model recommends */

typedef struct advice {
    const char *key;
    float *real; // one of the two
    int32_t *whole;
    double min, max;
} advice;

static void take_real(const px_source *source, const advice *a, px_buf *warnings)
{
    pith_error err = {0};
    double x = (double)*a->real;
    if (px_source_get_float(source, a->key, false, a->min, a->max, &x, &err) == PITH_OK)
        *a->real = (float)x;
    else
        px_buf_printf(warnings, "%s; the usual default is taken\n", err.text);
}

static void take_whole(const px_source *source, const advice *a, px_buf *warnings)
{
    pith_error err = {0};
    int64_t x = *a->whole;
    if (px_source_get_int(source, a->key, false, (int64_t)a->min, (int64_t)a->max, &x, &err) ==
        PITH_OK)
        *a->whole = (int32_t)x;
    else
        px_buf_printf(warnings, "%s; the usual default is taken\n", err.text);
}

/* The order of stages. Files may name stages that only other programs have. */
static void take_order(pith_model *m, px_buf *warnings)
{
    px_stage order[PX_STAGE_N];
    int32_t n;
    pith_error err = {0};
    const px_meta *meta = px_source_meta(m->source, "general.sampling.sequence");
    if (!meta || meta->type != PX_META_STRING)
        return;
    const char *text = px_arena_strndup(&m->arena, meta->str.data, meta->str.len);
    if (!text)
        warnings->failed = true;
    else if (px_order_parse(text, order, &n, &err) == PITH_OK)
        m->sampling.order = text;
    else
        px_buf_printf(warnings, "general.sampling.sequence: %s; the usual order is taken\n",
                      err.text);
}

void px_model_sampling(pith_model *m, px_buf *warnings)
{
    m->sampling = px_sampling_defaults();
    pith_sampling *s = &m->sampling;
    const double most = INT32_MAX;
    const advice all[] = {
        {"general.sampling.temp", &s->temperature, NULL, 0, 1e6},
        {"general.sampling.top_k", NULL, &s->top_k, -1, most},
        {"general.sampling.top_p", &s->top_p, NULL, 0, 1},
        {"general.sampling.min_p", &s->min_p, NULL, 0, 1},
        {"general.sampling.typical", &s->typical, NULL, 0, 1},
        {"general.sampling.xtc_probability", &s->xtc_probability, NULL, 0, 1},
        {"general.sampling.xtc_threshold", &s->xtc_threshold, NULL, 0, 1},
        {"general.sampling.penalty_last_n", NULL, &s->penalty_last_n, -1, most},
        {"general.sampling.penalty_repeat", &s->repeat_penalty, NULL, 1e-3, 1e3},
        {"general.sampling.mirostat_tau", &s->mirostat_tau, NULL, 0, 100},
        {"general.sampling.mirostat_eta", &s->mirostat_eta, NULL, 0, 1},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].real)
            take_real(m->source, &all[i], warnings);
        else
            take_whole(m->source, &all[i], warnings);
    }
    if (s->temperature < LEAST_TEMPERATURE)
        s->temperature = 0;
    take_order(m, warnings);
}

pith_status pith_sampling_init(pith_sampling *out, const pith_model *model, pith_error *err)
{
    px_error_clear(err);
    if (!out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_sampling_init: out is NULL");
    pith_sampling sampling = model ? model->sampling : px_sampling_defaults();
    return px_options_write(out, "pith_sampling", &sampling, sizeof sampling, err);
}

/* dataset: see dataset.h, and the door's section on data. */
#include "train/dataset.h"

#include "base/mem.h"
#include "engine/options.h"

#include <time.h>

/* ---- opening */

static pith_status open_dataset(pith_dataset *d, const char *path,
                                const pith_dataset_options *options, pith_error *err)
{
    d->path = px_arena_strndup(&d->arena, path, strlen(path));
    if (options->system)
        d->system = px_arena_strndup(&d->arena, options->system, strlen(options->system));
    if (!d->path || (options->system && !d->system))
        return px_fail_memory(err, "a data set");
    d->most_rows = options->most_rows;
    d->now = options->now != 0 ? options->now : (int64_t)time(NULL);
    pith_status st = px_records_open(path, options->format, &d->records, err);
    if (st != PITH_OK)
        return st;
    st =
        px_columns_choose(d->records, options->columns, options->kind, &d->arena, &d->columns, err);
    if (st != PITH_OK && !strstr(err->text, path))
        px_prefix(err, "'%s'", path);
    return st;
}

pith_status pith_dataset_open(const char *path, const pith_dataset_options *options,
                              pith_dataset **out, pith_error *err)
{
    pith_error own = {0};
    err = err ? err : &own;
    px_error_clear(err);
    if (!path || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_dataset_open: an argument is NULL");
    *out = NULL;
    pith_dataset_options o = {.size = sizeof o};
    pith_status st = px_options_read(options, "pith_dataset_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    if (o.most_rows < 0)
        return px_fail(err, PITH_E_ARGUMENT, "pith_dataset_options.most_rows is negative");
    pith_dataset *d = px_calloc(1, sizeof *d);
    if (!d)
        return px_fail_memory(err, "a data set");
    px_arena_init(&d->arena, 4096, 0);
    px_arena_init(&d->row, 0, 0);
    st = open_dataset(d, path, &o, err);
    if (st == PITH_OK)
        *out = d;
    else
        pith_dataset_close(d);
    return st;
}

void pith_dataset_close(pith_dataset *d)
{
    if (!d)
        return;
    px_records_close(d->records);
    px_arena_clear(&d->arena);
    px_arena_clear(&d->row);
    px_free(d);
}

pith_status pith_dataset_get_info(const pith_dataset *d, pith_dataset_info *out, pith_error *err)
{
    uint64_t done;
    px_error_clear(err);
    if (!d || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_dataset_get_info: an argument is NULL");
    pith_dataset_info info = {
        .path = d->path,
        .format = px_records_format_name(px_records_format_of(d->records)),
        .kind = px_data_kind_name(d->columns.kind),
        .columns = d->columns.used,
        .unused = d->columns.unused,
        .bytes = px_records_bytes(d->records, &done),
    };
    return px_options_write(out, "pith_dataset_info", &info, sizeof info, err);
}

/* ---- rows */

pith_status px_dataset_next(pith_dataset *d, px_record *row, px_samples *samples, bool *more,
                            pith_error *err)
{
    px_arena_clear(&d->row); // so that one huge row does not stay
    pith_status st = px_records_next(d->records, row, more, err);
    if (st == PITH_OK && *more && d->most_rows > 0 && row->row > d->most_rows)
        *more = false;
    if (st != PITH_OK || !*more)
        return st;
    return px_samples_read(&d->columns, row, d->system, &d->row, samples, err);
}

pith_status px_dataset_rewind(pith_dataset *d, pith_error *err)
{
    return px_records_rewind(d->records, err);
}

/* ---- rendering */

pith_status px_dataset_options(const pith_dataset *d, const pith_render_options *in,
                               px_render_options *out, pith_error *err)
{
    pith_render_options o = {.size = sizeof o};
    pith_status st = px_options_read(in, "pith_render_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    if (o.most_tokens < 0 || o.most_tokens == 1)
        return px_fail(err, PITH_E_ARGUMENT,
                       "pith_render_options.most_tokens is %d, expected 2 or more, or 0 for no "
                       "limit",
                       o.most_tokens);
    *out = (px_render_options){
        .most_tokens = o.most_tokens, .plain = o.plain, .special = o.special, .now = d->now};
    return PITH_OK;
}

typedef struct passing {
    pith_dataset *d;
    pith_render_options options;
    px_renderer *renderer;
    px_rendering_fn fn;
    void *user;
    int64_t n_rows, n_bad;
    pith_error first_bad, first_refused;
} passing;

static pith_status tell(const passing *p, pith_error *err)
{
    uint64_t done, bytes = px_records_bytes(p->d->records, &done);
    if (p->options.progress && p->options.progress(p->options.user, done, bytes) != 0)
        return px_fail(err, PITH_E_CANCELLED, "reading '%s' was cancelled", p->d->path);
    return PITH_OK;
}

static pith_status pass_row(passing *p, const px_samples *samples, pith_error *err)
{
    pith_status st = PITH_OK;
    const pith_error *why;
    if (samples->fault != PX_FAULT_NONE) {
        if (p->n_bad++ == 0)
            p->first_bad = samples->error;
        return PITH_OK;
    }
    for (int i = 0; st == PITH_OK && i < samples->n; i++) {
        st = px_renderer_run(p->renderer, &samples->list[i], p->fn, p->user, err);
        if (px_renderer_left_out(p->renderer, &why) == PX_LEFT_REFUSED &&
            p->first_refused.status == PITH_OK)
            p->first_refused = *why;
    }
    return st;
}

static pith_status pass(passing *p, pith_error *err)
{
    px_record row;
    px_samples samples;
    bool more = true;
    pith_status st = px_dataset_rewind(p->d, err);
    while (st == PITH_OK) {
        st = px_dataset_next(p->d, &row, &samples, &more, err);
        if (st != PITH_OK || !more)
            break;
        p->n_rows++;
        st = pass_row(p, &samples, err);
        if (st == PITH_OK && p->n_bad > 0 && !p->options.skip_bad)
            st = px_fail(err, PITH_E_FORMAT,
                         "%s; 'pith data check' lists what is wrong, and with --fix OUT writes the "
                         "rows that are good",
                         p->first_bad.text);
        if (st == PITH_OK && p->n_rows % 16 == 0)
            st = tell(p, err);
    }
    if (st == PITH_OK)
        st = tell(p, err);
    px_arena_clear(&p->d->row);
    return st;
}

static void sum_up(const passing *p, pith_render_result *out)
{
    px_render_result_of(p->renderer, out);
    out->n_rows = p->n_rows;
    out->n_bad = p->n_bad;
}

/* One pass over the file; *result is filled as far as it came. */
static pith_status run_pass(passing *p, const pith_model *model, const pith_render_options *options,
                            pith_render_result *result, pith_error *err)
{
    px_render_options o;
    p->options = (pith_render_options){.size = sizeof p->options};
    pith_status st = px_dataset_options(p->d, options, &o, err);
    if (st == PITH_OK)
        st = px_options_read(options, "pith_render_options", &p->options, sizeof p->options, err);
    if (st == PITH_OK)
        st = px_renderer_new(model, &o, &p->renderer, err);
    if (st != PITH_OK)
        return st;
    st = pass(p, err);
    pith_render_result sum;
    sum_up(p, &sum);
    if (st == PITH_OK && sum.n_examples == 0 && p->first_refused.status != PITH_OK)
        st = px_fail(err, p->first_refused.status, "'%s' gives no example: the template refused %s",
                     p->d->path, p->first_refused.text);
    else if (st == PITH_OK && sum.n_examples == 0)
        st = px_fail(err, PITH_E_FORMAT,
                     "'%s' gives no example: of %lld rows %lld cannot be read, %lld are longer "
                     "than %d tokens, %lld hold nothing to learn",
                     p->d->path, (long long)sum.n_rows, (long long)sum.n_bad, (long long)sum.n_long,
                     o.most_tokens, (long long)sum.n_nothing);
    if (result) {
        pith_status written = px_options_write(result, "pith_render_result", &sum, sizeof sum, err);
        st = st == PITH_OK ? written : st;
    }
    px_renderer_free(p->renderer);
    return st;
}

typedef struct giver {
    pith_example_fn fn;
    void *user;
} giver;

static pith_status give(void *user, const px_rendering *r, pith_error *err)
{
    const giver *to = user;
    pith_example example = {.size = sizeof example,
                            .line = r->example.line,
                            .ids = r->example.ids,
                            .learn = r->example.learn,
                            .n = r->example.n,
                            .n_learned = r->example.n_learn,
                            .rejected = r->rejected,
                            .good = r->example.good};
    if (to->fn(to->user, &example) != 0)
        return px_fail(err, PITH_E_CANCELLED, "rendering was cancelled");
    return PITH_OK;
}

pith_status pith_dataset_render(pith_dataset *d, const pith_model *model,
                                const pith_render_options *options, pith_example_fn fn, void *user,
                                pith_render_result *result, pith_error *err)
{
    pith_error own = {0};
    err = err ? err : &own;
    px_error_clear(err);
    if (!d || !model || !fn)
        return px_fail(err, PITH_E_ARGUMENT, "pith_dataset_render: an argument is NULL");
    giver to = {.fn = fn, .user = user};
    passing p = {.d = d, .fn = give, .user = &to};
    return run_pass(&p, model, options, result, err);
}

static pith_status collect(void *user, const px_rendering *r, pith_error *err)
{
    return px_examples_add(user, &r->example, err);
}

pith_status px_dataset_examples(pith_dataset *d, const pith_model *model,
                                const pith_render_options *options, px_examples *out,
                                pith_render_result *result, pith_error *err)
{
    passing p = {.d = d, .fn = collect, .user = out};
    out->goal = d->columns.kind == PX_DATA_PAIR    ? PX_GOAL_PAIR
                : d->columns.kind == PX_DATA_LABEL ? PX_GOAL_LABEL
                                                   : PX_GOAL_NEXT;
    return run_pass(&p, model, options, result, err);
}

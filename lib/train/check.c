/* check: the passes and the door. See check.h. */
#include "train/check.h"

#include "base/mem.h"
#include "engine/options.h"
#include "train/rewrite.h"

#include <stdio.h>
#include <sys/stat.h>

enum { LIMIT = 2048 }; // tokens of an example, unless asked for

void px_check_find(px_check *c, px_finding f, const char *fmt, ...)
{
    char detail[PX_FINDING_DETAIL];
    if (c->row_found[f])
        return;
    c->row_found[f] = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    px_found_add(&c->report->found[f], c->record->line, "%s", detail);
    px_row_fact *row = &c->rows[c->n - 1];
    if (px_finding_drops(f) && row->drop == 0 && !(f == PX_FIND_NEAR && c->options.keep_near))
        row->drop = (uint8_t)(f + 1);
}

/* ---- passes */

static pith_status tell(const px_check *c, const pith_dataset *set, pith_error *err)
{
    uint64_t done;
    px_records_bytes(set->records, &done);
    if (c->options.progress &&
        c->options.progress(c->options.user, c->bytes_before + done, c->bytes_all) != 0)
        return px_fail(err, PITH_E_CANCELLED, "the check of '%s' was cancelled", set->path);
    return PITH_OK;
}

static pith_status pass_eval(px_check *c, pith_error *err)
{
    pith_dataset *set = c->options.eval;
    px_record row;
    px_samples samples;
    bool more = true;
    int64_t n = 0;
    pith_status st = px_dataset_rewind(set, err);
    while (st == PITH_OK) {
        st = px_dataset_next(set, &row, &samples, &more, err);
        if (st != PITH_OK || !more)
            break;
        for (int i = 0; st == PITH_OK && i < samples.n; i++)
            st = px_check_eval_sample(c, &samples.list[i], err);
        if (st == PITH_OK && ++n % 64 == 0)
            st = tell(c, set, err);
    }
    uint64_t done;
    c->bytes_before += px_records_bytes(set->records, &done);
    return st;
}

static bool add_row(px_check *c, const px_record *row)
{
    if (c->n == c->cap) {
        int64_t cap = c->cap > 0 ? 2 * c->cap : 1024;
        px_row_fact *rows = px_realloc(c->rows, (size_t)cap, sizeof *rows);
        if (!rows)
            return false;
        c->rows = rows;
        c->cap = cap;
    }
    uint32_t line = row->line < UINT32_MAX ? (uint32_t)row->line : UINT32_MAX;
    c->rows[c->n++] = (px_row_fact){.line = line};
    memset(c->row_found, 0, sizeof c->row_found);
    return true;
}

static pith_status check_row(px_check *c, px_record *row, const px_samples *samples,
                             pith_error *err)
{
    static const px_finding faults[] = {[PX_FAULT_PARSE] = PX_FIND_PARSE,
                                        [PX_FAULT_MISSING] = PX_FIND_MISSING,
                                        [PX_FAULT_TYPE] = PX_FIND_TYPE,
                                        [PX_FAULT_ROLE] = PX_FIND_ROLE};
    pith_status st = PITH_OK;
    c->record = row;
    if (!add_row(c, row))
        return px_fail_memory(err, "the facts of rows");
    if (samples->fault != PX_FAULT_NONE) {
        px_check_find(c, faults[samples->fault], "%s", samples->error.text);
        return PITH_OK;
    }
    c->rows[c->n - 1].good = true;
    for (int i = 0; st == PITH_OK && i < samples->n; i++)
        st = px_check_sample(c, &samples->list[i], err);
    return st;
}

static pith_status pass_rows(px_check *c, pith_error *err)
{
    px_record row;
    px_samples samples;
    bool more = true;
    pith_status st = px_dataset_rewind(c->set, err);
    while (st == PITH_OK) {
        st = px_dataset_next(c->set, &row, &samples, &more, err);
        if (st != PITH_OK || !more)
            break;
        st = check_row(c, &row, &samples, err);
        if (st == PITH_OK && c->n % 16 == 0)
            st = tell(c, c->set, err);
    }
    uint64_t done;
    c->bytes_before += px_records_bytes(c->set->records, &done);
    return st;
}

/* The good rows. The file is read again: rows that have changed meanwhile are not noticed. */
static pith_status pass_fixed(px_check *c, pith_error *err)
{
    px_record row;
    bool more = true;
    px_rewrite w;
    pith_status st = px_dataset_rewind(c->set, err);
    if (st == PITH_OK)
        st = px_rewrite_open(&w, c->options.fixed, c->set->records, err);
    if (st != PITH_OK)
        return st;
    for (int64_t i = 0; st == PITH_OK; i++) {
        st = px_records_next(c->set->records, &row, &more, err);
        if (st != PITH_OK || !more || i >= c->n)
            break;
        if (c->rows[i].drop == 0)
            st = px_rewrite_put(&w, &row, err);
        if (st == PITH_OK && i % 64 == 0)
            st = tell(c, c->set, err);
    }
    if (st == PITH_OK)
        st = px_rewrite_commit(&w, err);
    px_rewrite_abort(&w);
    return st;
}

/* ---- begin and end */

static pith_status prepare(px_check *c, pith_error *err)
{
    const pith_model *model = c->options.model;
    struct stat a, b;
    uint64_t done;
    if (c->options.fixed && stat(c->options.fixed, &a) == 0 && stat(c->set->path, &b) == 0 &&
        a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the cleaned file '%s' is the file itself; give it another name",
                       c->options.fixed);
    c->bytes_all = px_records_bytes(c->set->records, &done) * (c->options.fixed ? 2 : 1);
    if (c->options.eval)
        c->bytes_all += px_records_bytes(c->options.eval->records, &done);
    c->report = px_calloc(1, sizeof *c->report);
    if (c->report)
        c->report->previews = px_calloc(PX_MOST_PREVIEWS, sizeof *c->report->previews);
    if (!c->report || !c->report->previews)
        return px_fail_memory(err, "a report on data");
    if (!model)
        return PITH_OK;
    int32_t limit = c->options.most_tokens;
    if (limit == 0)
        limit = model->info.n_ctx_train > 0 && model->info.n_ctx_train < LIMIT
                    ? model->info.n_ctx_train
                    : LIMIT;
    c->report->stats.limit = limit;
    px_render_options o = {.most_tokens = limit,
                           .plain = c->options.plain,
                           .special = c->options.special,
                           .now = c->set->now};
    return px_renderer_new(model, &o, &c->renderer, err);
}

static void clear(px_check *c)
{
    px_renderer_free(c->renderer);
    px_facts_clear(&c->facts);
    px_free(c->rows);
    px_free(c->lengths);
    px_near_clear(&c->near);
    px_near_clear(&c->eval_near);
    px_map64_clear(&c->seen);
    px_map64_clear(&c->prompts);
    px_map64_clear(&c->answers);
    px_map64_clear(&c->eval_seen);
    px_map64_clear(&c->class_of);
    px_free(c);
}

static pith_status run(px_check *c, pith_error *err)
{
    pith_status st = prepare(c, err);
    if (st == PITH_OK && c->options.eval)
        st = pass_eval(c, err);
    if (st == PITH_OK)
        st = pass_rows(c, err);
    if (st != PITH_OK)
        return st;
    pith_data_stats *s = &c->report->stats;
    uint64_t done;
    s->size = sizeof *s;
    s->bytes = px_records_bytes(c->set->records, &done);
    if (c->renderer) {
        s->has_tokens = true;
        px_render_result_of(c->renderer, &s->rendered);
        s->rendered.n_rows = c->n;
    }
    st = px_check_all(c, err);
    if (st == PITH_OK)
        st = px_report_finish(c->report, c->n, err);
    if (st == PITH_OK && c->options.fixed)
        st = pass_fixed(c, err);
    return st == PITH_OK ? tell(c, c->set, err) : st;
}

pith_status pith_data_check(pith_dataset *dataset, const pith_data_check_options *options,
                            pith_data_report **out, pith_error *err)
{
    pith_error own = {0};
    err = err ? err : &own;
    px_error_clear(err);
    if (!dataset || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_data_check: an argument is NULL");
    *out = NULL;
    pith_data_check_options o = {.size = sizeof o};
    pith_status st = px_options_read(options, "pith_data_check_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    if (o.most_tokens < 0 || o.most_tokens == 1 || o.rank < 0 || o.epochs < 0 ||
        o.n_previews > PX_MOST_PREVIEWS || o.eval == dataset)
        return px_fail(
            err, PITH_E_ARGUMENT,
            "pith_data_check_options: most_tokens %d, rank %d, epochs %d, n_previews %d, "
            "expected 2 or more tokens or 0, no negative ones, at most %d previews, and "
            "another set to measure with",
            o.most_tokens, o.rank, o.epochs, o.n_previews, PX_MOST_PREVIEWS);
    px_check *c = px_calloc(1, sizeof *c);
    if (!c)
        return px_fail_memory(err, "a check of data");
    c->set = dataset;
    c->options = o;
    st = run(c, err);
    if (st == PITH_OK)
        *out = c->report;
    else
        pith_data_report_free(c->report);
    clear(c);
    return st;
}

/* check: what shows only in all rows. See check.h. */
#include "base/mem.h"
#include "train/check.h"
#include "train/cost.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEAST_ROWS = 20 }; // fewer say nothing about what is usual

static int by_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void find_at(px_check *c, const px_row_fact *row, px_finding f, const char *detail)
{
    px_found_add(&c->report->found[f], row->line, "%s", detail);
}

/* ---- lengths */

static pith_status judge_lengths(px_check *c, pith_error *err)
{
    pith_data_stats *s = &c->report->stats;
    uint32_t *list = px_malloc((size_t)c->n + 1, sizeof *list);
    char detail[80];
    if (!list)
        return px_fail_memory(err, "the lengths of rows");
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++)
        if (c->rows[i].good)
            list[n++] = c->rows[i].prompt_bytes;
    qsort(list, (size_t)n, sizeof *list, by_u32);
    s->median_prompt = n > 0 ? list[n / 2] : 0;
    n = 0;
    for (int64_t i = 0; i < c->n; i++)
        if (c->rows[i].good)
            list[n++] = c->rows[i].answer_bytes;
    qsort(list, (size_t)n, sizeof *list, by_u32);
    s->median_answer = n > 0 ? list[n / 2] : 0;
    s->longest_answer = n > 0 ? list[n - 1] : 0;
    px_free(list);
    bool text = c->set->columns.kind == PX_DATA_TEXT;
    for (int64_t i = 0; i < c->n && !text && n >= LEAST_ROWS; i++) {
        const px_row_fact *row = &c->rows[i];
        if (row->answer_bytes <= 8000 || row->answer_bytes <= 20 * s->median_answer)
            continue;
        snprintf(detail, sizeof detail, "%u characters, where most have %lld", row->answer_bytes,
                 (long long)s->median_answer);
        find_at(c, row, PX_FIND_LONG_ANSWER, detail);
    }
    return PITH_OK;
}

static int by_i32(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void fill_tokens(px_check *c)
{
    pith_data_stats *s = &c->report->stats;
    qsort(c->lengths, (size_t)c->n_lengths, sizeof *c->lengths, by_i32);
    if (c->n_lengths > 0) {
        s->median_tokens = c->lengths[c->n_lengths / 2];
        s->p95_tokens = c->lengths[c->n_lengths * 95 / 100];
    }
    for (int64_t i = 0; i < c->n_lengths; i++) {
        int bin = 0;
        while (bin + 1 < PITH_DATA_BINS && c->lengths[i] >> (bin + 1) > 0)
            bin++;
        s->bins[bin]++;
    }
}

/* ---- forms and languages */

static void judge_form(px_check *c, int bit, int64_t n_good)
{
    static const char *const with[PX_FORMS] = {
        "it has a system message, and hardly another row has one",
        "its answer is JSON, and nearly no other is",
        "its prompt has headings of a prompt format, and hardly another has them",
        "its answer begins with white space, and hardly another does",
        "its answer ends with white space, and hardly another does"};
    static const char *const without[PX_FORMS] = {
        "it has no system message, and nearly all rows have one",
        "its answer is no JSON, and nearly all others are",
        "its prompt lacks the headings that nearly all others have",
        "its answer does not begin with white space, and nearly all others do",
        "its answer does not end with white space, and nearly all others do"};
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++)
        n += c->rows[i].good && (c->rows[i].bits & 1 << bit);
    bool rare = 20 * n <= n_good, usual = 20 * (n_good - n) <= n_good;
    if (n == 0 || n == n_good || (!rare && !usual))
        return;
    for (int64_t i = 0; i < c->n; i++) {
        bool has = (c->rows[i].bits & 1 << bit) != 0;
        if (c->rows[i].good && has == rare)
            find_at(c, &c->rows[i], PX_FIND_INCONSISTENT, rare ? with[bit] : without[bit]);
    }
}

static void judge_languages(px_check *c, int64_t n_good)
{
    int64_t counts[PX_LANGUAGES] = {0}, known = 0, switched = 0;
    pith_data_stats *s = &c->report->stats;
    char detail[120];
    for (int64_t i = 0; i < c->n; i++)
        if (c->rows[i].good) {
            counts[c->rows[i].language]++;
            known += c->rows[i].language != PX_LANGUAGE_NONE;
            switched += (c->rows[i].bits & PX_FORM_SWITCH) != 0;
        }
    int most = 0;
    for (int place = 0; place < 4; place++) {
        int best = -1;
        for (int k = 1; k < PX_LANGUAGES; k++) {
            bool taken = false;
            for (int p = 0; p < place; p++)
                taken |= s->language[p] == px_language_name((px_language)k);
            if (!taken && counts[k] > 0 && (best < 0 || counts[k] > counts[best]))
                best = k;
        }
        if (best < 0)
            break;
        most = place == 0 ? best : most;
        s->language[place] = px_language_name((px_language)best);
        s->language_share[place] = (double)counts[best] / (double)n_good;
    }
    bool usual = known >= LEAST_ROWS && counts[most] * 10 >= known * 8;
    bool few = known >= LEAST_ROWS && switched * 10 <= known;
    for (int64_t i = 0; i < c->n; i++) {
        const px_row_fact *row = &c->rows[i];
        bool other = row->language != PX_LANGUAGE_NONE && row->language != most;
        bool switches = few && (row->bits & PX_FORM_SWITCH);
        if (!row->good || (!(usual && other) && !switches))
            continue;
        snprintf(detail, sizeof detail,
                 switches ? "its answer is %s, its prompt is not" : "it is %s, and most are %s",
                 px_language_name((px_language)row->language), px_language_name((px_language)most));
        find_at(c, row, PX_FIND_LANGUAGE, detail);
    }
}

/* ---- few different answers */

static void judge_classes(px_check *c, int64_t n_good)
{
    char detail[160];
    bool classes = c->n_classes > 0 && c->n_classes <= PX_CLASSES && n_good >= LEAST_ROWS &&
                   5 * c->n_classes <= n_good;
    for (int i = 0; classes && i < c->n_classes; i++) {
        const px_class *k = &c->classes[i];
        px_row_fact row = {.line = (uint32_t)k->line};
        if (k->count * c->n_classes * 10 <= n_good && c->n_classes > 1) {
            snprintf(detail, sizeof detail, "'%s', in %lld of %lld rows", k->text,
                     (long long)k->count, (long long)n_good);
            find_at(c, &row, PX_FIND_RARE, detail);
            c->report->found[PX_FIND_RARE].count += k->count - 1;
        }
        if (k->count * 10 > n_good * 9) {
            snprintf(detail, sizeof detail, "'%s', in %lld of %lld rows", k->text,
                     (long long)k->count, (long long)n_good);
            find_at(c, &row, PX_FIND_ONE_SIDED, detail);
            c->report->found[PX_FIND_ONE_SIDED].count += k->count - 1;
        }
    }
    if (c->set->columns.kind != PX_DATA_LABEL || n_good < LEAST_ROWS)
        return;
    int64_t good = 0;
    for (int64_t i = 0; i < c->n; i++)
        good += c->rows[i].good && (c->rows[i].bits & PX_FORM_GOOD);
    if (good * 20 < n_good || (n_good - good) * 20 < n_good) {
        px_row_fact row = {.line = c->rows[0].line};
        snprintf(detail, sizeof detail, "%lld of %lld labels are good, and KTO needs both",
                 (long long)good, (long long)n_good);
        find_at(c, &row, PX_FIND_ONE_SIDED, detail);
    }
}

/* ---- what a run takes */

static pith_status measure(const px_check *c, pith_data_stats *s, pith_error *err)
{
    pith_meter *meter = NULL;
    pith_meter_options o = PITH_INIT(pith_meter_options);
    pith_limits limits = PITH_INIT(pith_limits);
    (void)c;
    o.read_span = 64 << 20;
    limits.parts = PITH_LIMIT_BF16;
    limits.quick = true;
    pith_status st = pith_meter_new(&o, &meter, err);
    if (st == PITH_OK)
        st = pith_meter_run(meter, &limits, NULL, NULL, err);
    s->gflops_machine = limits.bf16_gflops;
    s->n_threads = limits.n_threads;
    pith_meter_free(meter);
    return st;
}

static pith_status fill_cost(px_check *c, pith_error *err)
{
    const pith_model *model = c->options.model;
    pith_data_stats *s = &c->report->stats;
    pith_machine machine = PITH_INIT(pith_machine);
    if (!model->has_weights || s->rendered.n_examples == 0)
        return PITH_OK;
    s->rank = c->options.rank > 0 ? c->options.rank : 16;
    s->epochs = c->options.epochs > 0 ? c->options.epochs : 1;
    double tokens = (double)s->rendered.n_tokens, learned = (double)s->rendered.n_learned;
    int32_t longest = s->rendered.most_tokens < s->limit ? s->rendered.most_tokens : s->limit;
    px_cost_of_run cost =
        px_cost_of(model, s->rank, tokens / (double)s->rendered.n_examples, longest);
    pith_status st = pith_machine_get(&machine, err);
    if (st == PITH_OK)
        st = measure(c, s, err);
    if (st != PITH_OK)
        return st;
    s->has_cost = true;
    s->model_bytes = cost.model_bytes;
    s->state_bytes = cost.state_bytes;
    s->work_bytes = cost.work_bytes;
    s->memory_bytes = cost.model_bytes + cost.state_bytes + cost.work_bytes;
    s->memory_free = machine.memory_free;
    double flops = tokens * cost.flops_token + learned * cost.flops_learned;
    s->gflops_token = flops / tokens / 1e9;
    if (s->gflops_machine > 0) // two fifths of the limit are what training keeps up
        s->seconds = s->epochs * flops / (0.4 * s->gflops_machine * 1e9);
    return PITH_OK;
}

pith_status px_check_all(px_check *c, pith_error *err)
{
    pith_data_stats *s = &c->report->stats;
    int64_t n_good = 0;
    for (int64_t i = 0; i < c->n; i++)
        n_good += c->rows[i].good;
    s->n_rows = c->n;
    s->n_good = n_good;
    pith_status st = judge_lengths(c, err);
    if (st != PITH_OK)
        return st;
    if (n_good > 0) {
        if (c->set->columns.kind != PX_DATA_TEXT && n_good >= LEAST_ROWS)
            for (int bit = 0; bit < PX_FORMS; bit++)
                judge_form(c, bit, n_good);
        judge_languages(c, n_good);
        judge_classes(c, n_good);
    }
    if (c->set->columns.unused[0])
        px_found_add(&c->report->found[PX_FIND_UNUSED], 1, "%s", c->set->columns.unused);
    for (int64_t i = 0; i < c->n; i++)
        if (c->rows[i].drop) {
            c->report->found[c->rows[i].drop - 1].n_dropped++;
            s->n_dropped++;
        }
    if (!c->renderer)
        return PITH_OK;
    fill_tokens(c);
    return fill_cost(c, err);
}

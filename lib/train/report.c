/* report: see report.h. */
#include "train/report.h"

#include "base/mem.h"
#include "engine/options.h"

/* ---- previews */

static bool add_stretch(px_preview *p)
{
    if (p->n_learned == p->cap) {
        int32_t cap = p->cap > 0 ? 2 * p->cap : 4;
        pith_str *list = px_realloc(p->learned, (size_t)cap, sizeof *list);
        if (!list)
            return false;
        p->learned = list;
        p->cap = cap;
    }
    p->learned[p->n_learned++] = (pith_str){.len = 0};
    return true;
}

pith_status px_report_preview(pith_data_report *report, const px_tokenizer *tok,
                              const px_rendering *r, pith_error *err)
{
    if (report->n_previews == PX_MOST_PREVIEWS)
        return PITH_OK;
    px_preview *p = &report->previews[report->n_previews++];
    *p = (px_preview){.line = r->example.line,
                      .n_tokens = r->example.n,
                      .n_learned_tokens = r->example.n_learn,
                      .rejected = r->rejected};
    for (int32_t t = 0; t < r->example.n; t++) {
        px_str piece = px_token_bytes(tok, r->example.ids[t], true);
        px_buf_put(&p->text, piece.data ? piece.data : "", piece.len);
    }
    bool ok = !p->text.failed;
    size_t at = 0;
    for (int32_t t = 0; ok && t < r->example.n; t++) {
        size_t n = px_token_bytes(tok, r->example.ids[t], true).len;
        if (r->example.learn[t] && (t == 0 || !r->example.learn[t - 1])) {
            ok = add_stretch(p);
            if (ok)
                p->learned[p->n_learned - 1].data = p->text.data + at;
        }
        if (ok && r->example.learn[t])
            p->learned[p->n_learned - 1].len += n;
        at += n;
    }
    return ok ? PITH_OK : px_fail_memory(err, "an example to be shown");
}

/* ---- findings */

static char *sentence_of(const px_found *f, px_finding k, int64_t n_rows)
{
    px_buf text = {0};
    size_t n;
    if (k == PX_FIND_UNUSED)
        px_buf_puts(&text, "There are columns that are not used");
    else
        px_buf_printf(&text, "In %lld of %lld rows %s", (long long)f->count, (long long)n_rows,
                      px_finding_what(k));
    if (f->detail[0])
        px_buf_printf(&text, "%s: %s", f->count > 1 ? "; the first" : "", f->detail);
    char *taken = px_buf_take(&text, &n);
    px_buf_clear(&text);
    return taken;
}

pith_status px_report_finish(pith_data_report *report, int64_t n_rows, pith_error *err)
{
    report->n_found = 0;
    for (int severity = PITH_SEVERITY_ERROR; severity >= PITH_SEVERITY_NOTE; severity--)
        for (int k = 0; k < PX_FIND_COUNT; k++) {
            if (report->found[k].count == 0 || (int)px_finding_severity((px_finding)k) != severity)
                continue;
            char *sentence = sentence_of(&report->found[k], (px_finding)k, n_rows);
            if (!sentence)
                return px_fail_memory(err, "the sentences of a report");
            report->sentences[report->n_found] = sentence;
            report->order[report->n_found++] = (px_finding)k;
        }
    return PITH_OK;
}

/* ---- the door */

void pith_data_report_free(pith_data_report *report)
{
    if (!report)
        return;
    for (int32_t i = 0; i < report->n_found; i++)
        px_free(report->sentences[i]);
    for (int32_t i = 0; i < report->n_previews; i++) {
        px_buf_clear(&report->previews[i].text);
        px_free(report->previews[i].learned);
    }
    px_free(report->previews);
    px_free(report);
}

pith_status pith_data_report_get(const pith_data_report *report, int32_t i, pith_data_finding *out,
                                 pith_error *err)
{
    px_error_clear(err);
    if (!report || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_data_report_get: an argument is NULL");
    if (i < 0 || i >= report->n_found)
        return px_fail(err, PITH_E_NOT_FOUND, "there is no finding %d, expected 0 to %d", i,
                       report->n_found - 1);
    px_finding k = report->order[i];
    const px_found *f = &report->found[k];
    pith_data_finding finding = {.code = px_finding_code(k),
                                 .severity = px_finding_severity(k),
                                 .count = f->count,
                                 .n_dropped = f->n_dropped,
                                 .lines = f->lines,
                                 .n_lines = f->n_lines,
                                 .sentence = report->sentences[i],
                                 .way_out = px_finding_way_out(k)};
    return px_options_write(out, "pith_data_finding", &finding, sizeof finding, err);
}

pith_status pith_data_report_get_stats(const pith_data_report *report, pith_data_stats *out,
                                       pith_error *err)
{
    px_error_clear(err);
    if (!report || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_data_report_get_stats: an argument is NULL");
    return px_options_write(out, "pith_data_stats", &report->stats, sizeof report->stats, err);
}

pith_status pith_data_report_get_preview(const pith_data_report *report, int32_t i,
                                         pith_data_preview *out, pith_error *err)
{
    px_error_clear(err);
    if (!report || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_data_report_get_preview: an argument is NULL");
    if (i < 0 || i >= report->n_previews)
        return px_fail(err, PITH_E_NOT_FOUND, "there is no preview %d, expected 0 to %d", i,
                       report->n_previews - 1);
    const px_preview *p = &report->previews[i];
    pith_data_preview preview = {.line = p->line,
                                 .text = p->text.data ? p->text.data : "",
                                 .len = p->text.len,
                                 .learned = p->learned,
                                 .n_learned = p->n_learned,
                                 .n_tokens = p->n_tokens,
                                 .n_learned_tokens = p->n_learned_tokens,
                                 .rejected = p->rejected};
    return px_options_write(out, "pith_data_preview", &preview, sizeof preview, err);
}

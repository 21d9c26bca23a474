/* data_report: see data_report.h. */
#include "cli/data_report.h"

#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PREVIEW_BYTES = 3000, BAR = 40 };

static const char *const SEVERITIES[] = {"note", "warning", "error"};

static bool colours(void)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) == 1 && (!no || !*no);
}

int cli_data_count(const pith_data_report *report, pith_severity severity)
{
    pith_data_finding f = PITH_INIT(pith_data_finding);
    int n = 0;
    for (int32_t i = 0; pith_data_report_get(report, i, &f, NULL) == PITH_OK; i++)
        n += f.severity == severity;
    return n;
}

/* ---- findings */

static void print_lines(const pith_data_finding *f)
{
    printf(f->n_lines == 1 && f->count == 1 ? "line " : "lines ");
    for (int32_t i = 0; i < f->n_lines; i++)
        printf(i > 0 ? ", %lld" : "%lld", (long long)f->lines[i]);
    if (f->count > f->n_lines)
        printf(", ..");
}

static void print_findings(const pith_data_report *report, bool colour)
{
    static const char *const inks[] = {"\x1b[36m", "\x1b[33m", "\x1b[31m"};
    pith_data_finding f = PITH_INIT(pith_data_finding);
    int32_t n = 0;
    for (; pith_data_report_get(report, n, &f, NULL) == PITH_OK; n++) {
        printf("\n%s%s%s %s, ", colour ? inks[f.severity] : "", SEVERITIES[f.severity],
               colour ? "\x1b[0m" : "", f.code);
        print_lines(&f);
        printf("\n  %s.\n  Way out: %s.\n", f.sentence, f.way_out);
    }
    if (n == 0)
        puts("\nNothing was found that should be mended.");
}

/* ---- statistics */

static void print_bins(const pith_data_stats *s)
{
    int64_t most = 1;
    int first = 0, last = PITH_DATA_BINS - 1;
    for (int i = 0; i < PITH_DATA_BINS; i++)
        most = s->bins[i] > most ? s->bins[i] : most;
    while (first < last && s->bins[first] == 0)
        first++;
    while (last > first && s->bins[last] == 0)
        last--;
    puts("\ntokens a row");
    for (int i = first; i <= last; i++) {
        int n = (int)((s->bins[i] * BAR + most - 1) / most);
        printf("%7d to %-7d %8lld  %.*s\n", 1 << i, (2 << i) - 1, (long long)s->bins[i], n,
               "########################################");
    }
}

static void print_time(double seconds)
{
    if (seconds < 90)
        printf("%.0f s", seconds < 1 ? 1 : seconds);
    else if (seconds < 5400)
        printf("%.0f min", seconds / 60);
    else if (seconds < 172800)
        printf("%.1f h", seconds / 3600);
    else
        printf("%.1f days", seconds / 86400);
}

static void print_cost(const pith_data_stats *s)
{
    char all[32], model[32], state[32], work[32], free_now[32];
    printf("\nLoRA of rank %d on all linear matrices takes here, about:\n", s->rank);
    printf("  memory  %s: model %s, adapter and optimizer %s, work %s; %s are free\n",
           cli_size(s->memory_bytes, all), cli_size(s->model_bytes, model),
           cli_size(s->state_bytes, state), cli_size(s->work_bytes, work),
           cli_size(s->memory_free, free_now));
    printf("  time    ");
    print_time(s->seconds);
    printf(" for %d epoch%s: %.2f GFLOP a token, at 40 %% of the %.0f GFLOP/s that %d thread%s "
           "reach\n",
           s->epochs, s->epochs == 1 ? "" : "s", s->gflops_token, s->gflops_machine, s->n_threads,
           s->n_threads == 1 ? "" : "s");
    if (s->memory_bytes > s->memory_free)
        puts("  That is more memory than is free: a smaller model, rank or --seq takes less.");
}

static void print_tokens(const pith_data_stats *s)
{
    const pith_render_result *r = &s->rendered;
    double share = r->n_tokens > 0 ? 100.0 * (double)r->n_learned / (double)r->n_tokens : 0;
    printf("\n%lld examples of %lld tokens, of which %.1f %% are learned", (long long)r->n_examples,
           (long long)r->n_tokens, share);
    if (r->n_turns > 0)
        printf(", %lld of %lld answers with a token that ends them", (long long)r->n_ends,
               (long long)r->n_turns);
    printf("\nmedian %d tokens, 95 %% have at most %d, the longest %d; limit %d\n",
           s->median_tokens, s->p95_tokens, r->most_tokens, s->limit);
    if (r->n_long + r->n_nothing + r->n_refused > 0)
        printf("left out: %lld too long, %lld with nothing to learn, %lld that the template does "
               "not take\n",
               (long long)r->n_long, (long long)r->n_nothing, (long long)r->n_refused);
    if (r->template_used)
        puts(
            "prompt and completion, where they are plain strings, go through the model's template");
    print_bins(s);
    if (s->has_cost)
        print_cost(s);
}

static void print_stats(const pith_data_stats *s)
{
    char bytes[32];
    printf("%lld rows, %s; %lld teach something", (long long)s->n_rows, cli_size(s->bytes, bytes),
           (long long)s->n_good);
    if (s->n_dropped > 0)
        printf(", %lld would be dropped by --fix", (long long)s->n_dropped);
    putchar('\n');
    if (s->n_turns > 0)
        printf("%lld turns; with a system message %lld rows, with tools %lld, with several answers "
               "%lld\n",
               (long long)s->n_turns, (long long)s->n_system, (long long)s->n_tools,
               (long long)s->n_many);
    printf("prompt: median %lld bytes; answer: median %lld, longest %lld\n",
           (long long)s->median_prompt, (long long)s->median_answer, (long long)s->longest_answer);
    if (s->language[0]) {
        printf("language: ");
        for (int i = 0; i < 4 && s->language[i] && s->language_share[i] >= 0.005; i++)
            printf("%s%s %.0f %%", i > 0 ? ", " : "", s->language[i], 100 * s->language_share[i]);
        putchar('\n');
    }
    if (s->has_tokens)
        print_tokens(s);
}

/* ---- previews */

/* Text from a file, on a terminal: what could steer it is shown as '?'. */
static void put_safely(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)text[i + 1] < 0xa0;
        putchar((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || c1 ? '?' : c);
        i += c1;
    }
}

static void print_preview(const pith_data_preview *p, bool colour)
{
    const char *on = colour ? "\x1b[32;1m" : "[[", *off = colour ? "\x1b[0m" : "]]";
    size_t at = 0, most = p->len < PREVIEW_BYTES ? p->len : PREVIEW_BYTES;
    printf("\nline %lld%s: %d tokens, %d learned\n", (long long)p->line,
           p->rejected ? ", rejected" : "", p->n_tokens, p->n_learned_tokens);
    for (int32_t i = 0; i < p->n_learned && at < most; i++) {
        size_t from = (size_t)(p->learned[i].data - p->text), to = from + p->learned[i].len;
        put_safely(p->text + at, (from < most ? from : most) - at);
        at = from < most ? from : most;
        if (from >= most)
            break;
        to = to < most ? to : most;
        fputs(on, stdout);
        put_safely(p->text + from, to - from);
        fputs(off, stdout);
        at = to;
    }
    put_safely(p->text + at, most - at);
    puts(most < p->len ? "\n.." : "");
}

static void print_previews(const pith_data_report *report, bool colour)
{
    pith_data_preview p = PITH_INIT(pith_data_preview);
    for (int32_t i = 0; pith_data_report_get_preview(report, i, &p, NULL) == PITH_OK; i++) {
        if (i == 0)
            printf("\nexamples as the model reads them; what is learned is %s\n",
                   colour ? "\x1b[32;1mgreen\x1b[0m" : "in [[ ]]");
        print_preview(&p, colour);
    }
}

pith_status cli_data_print(const pith_dataset *set, const pith_data_report *report,
                           const cli_data_show *show, pith_error *err)
{
    bool colour = colours();
    pith_dataset_info info = PITH_INIT(pith_dataset_info);
    pith_data_stats stats = PITH_INIT(pith_data_stats);
    pith_status st = pith_dataset_get_info(set, &info, err);
    if (st == PITH_OK)
        st = pith_data_report_get_stats(report, &stats, err);
    if (st != PITH_OK)
        return st;
    printf("%s: %s, %s (%s)\n", info.path, info.format, info.kind, info.columns);
    if (show->stats)
        print_stats(&stats);
    if (show->findings)
        print_findings(report, colour);
    if (show->previews)
        print_previews(report, colour);
    return cli_flush(err);
}

/* ---- JSON */

static json_t *findings_json(const pith_data_report *report)
{
    json_t *list = json_array();
    pith_data_finding f = PITH_INIT(pith_data_finding);
    for (int32_t i = 0; pith_data_report_get(report, i, &f, NULL) == PITH_OK; i++) {
        json_t *lines = json_array();
        for (int32_t k = 0; k < f.n_lines; k++)
            json_array_append_new(lines, json_integer(f.lines[k]));
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:o, s:s, s:s}", "code", f.code,
                                              "severity", SEVERITIES[f.severity], "count",
                                              (json_int_t)f.count, "dropped",
                                              (json_int_t)f.n_dropped, "lines", lines, "sentence",
                                              f.sentence, "way_out", f.way_out));
    }
    return list;
}

static json_t *previews_json(const pith_data_report *report)
{
    json_t *list = json_array();
    pith_data_preview p = PITH_INIT(pith_data_preview);
    for (int32_t i = 0; pith_data_report_get_preview(report, i, &p, NULL) == PITH_OK; i++) {
        json_t *learned = json_array();
        for (int32_t k = 0; k < p.n_learned; k++) {
            json_int_t from = (json_int_t)(p.learned[k].data - p.text);
            json_array_append_new(learned,
                                  json_pack("[I, I]", from, from + (json_int_t)p.learned[k].len));
        }
        /* Tokens cut a character in two only where the vocabulary's bytes do. */
        json_t *text = json_stringn(p.text, p.len);
        json_array_append_new(list,
                              json_pack("{s:I, s:b, s:i, s:i, s:o, s:o}", "line",
                                        (json_int_t)p.line, "rejected", p.rejected, "tokens",
                                        p.n_tokens, "learned_tokens", p.n_learned_tokens, "text",
                                        text ? text : json_null(), "learned", learned));
    }
    return list;
}

static json_t *tokens_json(const pith_data_stats *s)
{
    const pith_render_result *r = &s->rendered;
    json_t *bins = json_array();
    for (int i = 0; i < PITH_DATA_BINS; i++)
        json_array_append_new(bins, json_integer(s->bins[i]));
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:b, s:o}",
        "examples", (json_int_t)r->n_examples, "tokens", (json_int_t)r->n_tokens, "learned",
        (json_int_t)r->n_learned, "rendered_again", (json_int_t)r->n_again, "cut",
        (json_int_t)r->n_cut, "too_long", (json_int_t)r->n_long, "nothing_learned",
        (json_int_t)r->n_nothing, "refused", (json_int_t)r->n_refused, "answers",
        (json_int_t)r->n_turns, "ends_learned", (json_int_t)r->n_ends, "double_bos",
        (json_int_t)r->n_double_bos, "median", s->median_tokens, "p95", s->p95_tokens, "longest",
        r->most_tokens, "limit", s->limit, "template_used", r->template_used, "bins", bins);
}

static json_t *stats_json(const pith_data_stats *s)
{
    json_t *languages = json_object();
    for (int i = 0; i < 4 && s->language[i]; i++)
        json_object_set_new(languages, s->language[i], json_real(s->language_share[i]));
    json_t *out = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "rows",
        (json_int_t)s->n_rows, "good", (json_int_t)s->n_good, "dropped", (json_int_t)s->n_dropped,
        "bytes", (json_int_t)s->bytes, "turns", (json_int_t)s->n_turns, "with_system",
        (json_int_t)s->n_system, "with_tools", (json_int_t)s->n_tools, "with_several_answers",
        (json_int_t)s->n_many, "prompt_bytes", (json_int_t)s->prompt_bytes, "answer_bytes",
        (json_int_t)s->answer_bytes, "median_prompt", (json_int_t)s->median_prompt, "median_answer",
        (json_int_t)s->median_answer, "longest_answer", (json_int_t)s->longest_answer, "languages",
        languages);
    if (out && s->has_tokens)
        json_object_set_new(out, "tokens", tokens_json(s));
    if (out && s->has_cost)
        json_object_set_new(
            out, "cost",
            json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:i, s:f}", "rank", s->rank,
                      "epochs", s->epochs, "memory_bytes", (json_int_t)s->memory_bytes,
                      "model_bytes", (json_int_t)s->model_bytes, "state_bytes",
                      (json_int_t)s->state_bytes, "work_bytes", (json_int_t)s->work_bytes,
                      "memory_free", (json_int_t)s->memory_free, "gflop_token", s->gflops_token,
                      "gflops_machine", s->gflops_machine, "threads", s->n_threads, "seconds",
                      s->seconds));
    return out;
}

json_t *cli_data_json(const pith_dataset *set, const pith_data_report *report,
                      const cli_data_show *show)
{
    pith_dataset_info info = PITH_INIT(pith_dataset_info);
    pith_data_stats stats = PITH_INIT(pith_data_stats);
    if (pith_dataset_get_info(set, &info, NULL) != PITH_OK ||
        pith_data_report_get_stats(report, &stats, NULL) != PITH_OK)
        return NULL;
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "file", info.path, "format", info.format, "kind",
                  info.kind, "columns", info.columns, "unused_columns", info.unused);
    if (out && show->stats)
        json_object_set_new(out, "stats", stats_json(&stats));
    if (out && show->findings) {
        json_object_set_new(out, "errors",
                            json_integer(cli_data_count(report, PITH_SEVERITY_ERROR)));
        json_object_set_new(out, "warnings",
                            json_integer(cli_data_count(report, PITH_SEVERITY_WARNING)));
        json_object_set_new(out, "findings", findings_json(report));
    }
    if (out && show->previews)
        json_object_set_new(out, "examples", previews_json(report));
    return out;
}

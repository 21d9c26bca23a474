/* tune_report: see tune_report.h. Texts come from data and models: all of them are escaped. */
#include "cli/tune_report.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 880,
    HEIGHT = 260,
    LEFT = 64, // room for the numbers of the y axis
    RIGHT = 16,
    TOP = 16,
    BOTTOM = 36,
    MOST_POINTS = 1200, // of a line: more are averaged in groups
    TICKS = 5
};

/* ---- text */

static void put_text(px_buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (c == '<')
            px_buf_puts(out, "&lt;");
        else if (c == '>')
            px_buf_puts(out, "&gt;");
        else if (c == '&')
            px_buf_puts(out, "&amp;");
        else if (c == '"')
            px_buf_puts(out, "&quot;");
        else if (c >= 32 || c == '\n' || c == '\t')
            px_buf_putc(out, (char)c);
        else
            px_buf_puts(out, "&#xfffd;"); // HTML has no other control characters
    }
}

static void put_value(px_buf *out, const json_t *v)
{
    if (json_is_string(v)) {
        put_text(out, json_string_value(v), json_string_length(v));
    } else if (json_is_real(v)) {
        px_buf_printf(out, "%.6g", json_real_value(v));
    } else if (v) {
        char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        if (text)
            put_text(out, text, strlen(text));
        else
            out->failed = true;
        free(text);
    }
}

static void put_member(px_buf *out, const json_t *run, const char *key)
{
    put_value(out, json_object_get(run, key));
}

/* ---- plots */

typedef struct point {
    double x, y;
} point;

typedef struct line {
    point *at; // [n]
    int n;
} line;

typedef struct plot {
    const char *title;
    line lines[2]; // of the training set; of the evaluation set
    const char *names[2];
    double x0, x1, y0, y1;
} plot;

/* The rows' member `key` over their member "update", in groups of as many rows as it takes. */
static line line_of(const json_t *rows, const char *key)
{
    line l = {0};
    const size_t n = json_array_size(rows), group = n / MOST_POINTS + 1;
    l.at = n ? calloc(n / group + 1, sizeof *l.at) : NULL;
    for (size_t i = 0; l.at && i < n; i += group) {
        double x = 0, y = 0, count = 0;
        for (size_t j = i; j < n && j < i + group; j++) {
            const json_t *row = json_array_get(rows, j), *v = json_object_get(row, key);
            if (!json_is_number(v) || !isfinite(json_number_value(v)))
                continue;
            x += json_number_value(json_object_get(row, "update"));
            y += json_number_value(v);
            count++;
        }
        if (count > 0)
            l.at[l.n++] = (point){x / count, y / count};
    }
    return l;
}

/* The distance of marks: 1, 2 or 5 times a power of ten. */
static double mark_step(double span)
{
    double step = pow(10, floor(log10(span / TICKS)));
    const double ratio = span / TICKS / step;
    return step * (ratio > 5 ? 10 : ratio > 2 ? 5 : ratio > 1 ? 2 : 1);
}

static void fit(plot *p)
{
    p->x0 = p->y0 = INFINITY;
    p->x1 = p->y1 = -INFINITY;
    for (int l = 0; l < 2; l++)
        for (int i = 0; i < p->lines[l].n; i++) {
            const point at = p->lines[l].at[i];
            p->x0 = fmin(p->x0, at.x), p->x1 = fmax(p->x1, at.x);
            p->y0 = fmin(p->y0, at.y), p->y1 = fmax(p->y1, at.y);
        }
    if (!(p->x1 > p->x0))
        p->x1 = p->x0 + 1;
    const double least = fmax(fabs(p->y1), 1e-12) * 1e-3;
    if (!(p->y1 - p->y0 > least)) {
        p->y0 -= least;
        p->y1 += least;
    }
}

static double x_of(const plot *p, double x)
{
    return LEFT + (x - p->x0) / (p->x1 - p->x0) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const plot *p, double y)
{
    return HEIGHT - BOTTOM - (y - p->y0) / (p->y1 - p->y0) * (HEIGHT - TOP - BOTTOM);
}

static void put_marks(px_buf *out, const plot *p)
{
    const double dx = mark_step(p->x1 - p->x0), dy = mark_step(p->y1 - p->y0);
    for (double y = ceil(p->y0 / dy) * dy; y <= p->y1 + dy * 1e-9; y += dy) {
        px_buf_printf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                      LEFT, WIDTH - RIGHT, y_of(p, y), y_of(p, y));
        px_buf_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT - 8,
                      y_of(p, y) + 4, fabs(y) < dy * 1e-6 ? 0 : y);
    }
    for (double x = ceil(p->x0 / dx) * dx; x <= p->x1 + dx * 1e-9; x += dx)
        px_buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n",
                      x_of(p, x), HEIGHT - BOTTOM + 20, x);
}

static void put_line(px_buf *out, const plot *p, int l)
{
    const line *shown = &p->lines[l];
    if (shown->n > 1) {
        px_buf_printf(out, "<polyline class=\"line%d\" points=\"", l);
        for (int i = 0; i < shown->n; i++)
            px_buf_printf(out, "%s%.1f,%.1f", i ? " " : "", x_of(p, shown->at[i].x),
                          y_of(p, shown->at[i].y));
        px_buf_puts(out, "\"/>\n");
    }
    if (l == 1 || shown->n == 1) // evaluations are few: each is shown
        for (int i = 0; i < shown->n; i++)
            px_buf_printf(out, "<circle class=\"dot%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", l,
                          x_of(p, shown->at[i].x), y_of(p, shown->at[i].y));
}

/* A plot of one member of the updates, and of the evaluations where eval says so. */
static void put_plot(px_buf *out, const json_t *run, const char *title, const char *key, bool eval)
{
    plot p = {.title = title, .names = {"training", "evaluation"}};
    p.lines[0] = line_of(json_object_get(run, "updates"), key);
    if (eval)
        p.lines[1] = line_of(json_object_get(run, "evaluations"), key);
    if (p.lines[0].n + p.lines[1].n > 0) {
        fit(&p);
        px_buf_puts(out, "<figure><figcaption>");
        put_text(out, title, strlen(title));
        for (int l = 0; l < 2 && eval; l++)
            if (p.lines[l].n > 0)
                px_buf_printf(out, " <span class=\"key%d\">%s</span>", l, p.names[l]);
        px_buf_printf(out,
                      "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s over "
                      "updates: from %.4g to %.4g\">\n",
                      WIDTH, HEIGHT, title, p.lines[0].n ? p.lines[0].at[0].y : p.lines[1].at[0].y,
                      p.lines[0].n ? p.lines[0].at[p.lines[0].n - 1].y
                                   : p.lines[1].at[p.lines[1].n - 1].y);
        put_marks(out, &p);
        put_line(out, &p, 0);
        put_line(out, &p, 1);
        px_buf_puts(out, "</svg></figure>\n");
    }
    free(p.lines[0].at);
    free(p.lines[1].at);
}

/* ---- the page */

static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6470;--paper:#fff;--edge:#d9dee4;"
    "--a:#1f6feb;--b:#c2410c;--good:#1a7f37;--bad:#b42318}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa4af;--paper:#14171a;"
    "--edge:#343a41;--a:#6ea8fe;--b:#fb923c;--good:#4cc26a;--bad:#ff8a7a}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:920px;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}"
    ".dim{color:var(--dim)}.verdict{border-left:4px solid var(--good);padding:.5rem 1rem;"
    "margin:1rem 0}.verdict.worse{border-color:var(--bad)}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--edge);"
    "padding:.3rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "figure{margin:1rem 0}figcaption{font-weight:600}svg{width:100%;height:auto}"
    "svg text{font-size:12px;fill:var(--dim)}.grid{stroke:var(--edge)}"
    "polyline{fill:none;stroke-width:1.6}.line0{stroke:var(--a)}.line1{stroke:var(--b)}"
    ".dot0{fill:var(--a)}.dot1{fill:var(--b)}.key0{color:var(--a)}.key1{color:var(--b)}"
    "[class^=key]{font-weight:400;margin-left:.8rem}"
    "pre{white-space:pre-wrap;margin:0;font:inherit}.ok{color:var(--good)}.no{color:var(--bad)}";

static void put_head(px_buf *out, const json_t *run)
{
    px_buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\"><title>");
    put_member(out, run, "name");
    px_buf_printf(out, "</title><style>%s</style></head><body>\n<h1>", STYLE);
    put_member(out, run, "name");
    px_buf_puts(out, "</h1>\n<p class=\"dim\">");
    static const struct {
        const char *key, *before;
    } parts[] = {{"method", ""},
                 {"base", " of "},
                 {"data", " on "},
                 {"started", ", begun "},
                 {"machine", ", on "}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (json_object_get(run, parts[i].key)) {
            px_buf_puts(out, parts[i].before);
            put_member(out, run, parts[i].key);
        }
    px_buf_puts(out, "</p>\n");
    if (json_object_get(run, "verdict")) {
        px_buf_printf(out, "<p class=\"verdict%s\">",
                      json_is_false(json_object_get(run, "better")) ? " worse" : "");
        put_member(out, run, "verdict");
        px_buf_puts(out, "</p>\n");
    }
}

static void put_table(px_buf *out, const json_t *run, const char *key, const char *title)
{
    const json_t *object = json_object_get(run, key);
    const char *name;
    json_t *value;
    if (!json_object_size(object))
        return;
    px_buf_printf(out, "<h2>%s</h2>\n<table>\n", title);
    json_object_foreach((json_t *)object, name, value)
    {
        px_buf_puts(out, "<tr><th>");
        put_text(out, name, strlen(name));
        px_buf_puts(out, "</th><td>");
        put_value(out, value);
        px_buf_puts(out, "</td></tr>\n");
    }
    px_buf_puts(out, "</table>\n");
}

static void put_samples(px_buf *out, const json_t *run)
{
    const json_t *samples = json_object_get(run, "samples");
    static const char *const columns[] = {"prompt", "before", "after"};
    if (!json_array_size(samples))
        return;
    px_buf_puts(out, "<h2>Samples</h2>\n<table>\n<tr><th>prompt</th><th>before</th><th>after</th>"
                     "</tr>\n");
    for (size_t i = 0; i < json_array_size(samples); i++) {
        px_buf_puts(out, "<tr>");
        for (int c = 0; c < 3; c++) {
            px_buf_puts(out, "<td><pre>");
            put_member(out, json_array_get(samples, i), columns[c]);
            px_buf_puts(out, "</pre></td>");
        }
        px_buf_puts(out, "</tr>\n");
    }
    px_buf_puts(out, "</table>\n");
}

static void put_checks(px_buf *out, const json_t *run)
{
    const json_t *checks = json_object_get(run, "checks");
    if (!json_array_size(checks))
        return;
    px_buf_puts(out, "<h2>Checks</h2>\n<table>\n");
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        const bool ok = json_is_true(json_object_get(check, "ok"));
        px_buf_printf(out, "<tr><td class=\"%s\">%s</td><th>", ok ? "ok" : "no",
                      ok ? "passed" : "failed");
        put_member(out, check, "name");
        px_buf_puts(out, "</th><td>");
        put_member(out, check, "text");
        px_buf_puts(out, "</td></tr>\n");
    }
    px_buf_puts(out, "</table>\n");
}

pith_status cli_tune_report(const json_t *run, px_buf *out, pith_error *err)
{
    put_head(out, run);
    put_table(out, run, "totals", "The run");
    px_buf_puts(out, "<h2>Curves</h2>\n");
    put_plot(out, run, "Loss", "loss", true);
    put_plot(out, run, "Learning rate", "lr", false);
    put_plot(out, run, "Gradient norm", "norm", false);
    put_plot(out, run, "Tokens per second", "tokens_per_second", false);
    put_checks(out, run);
    put_samples(out, run);
    put_table(out, run, "config", "Configuration");
    px_buf_puts(out, "</body></html>\n");
    return px_buf_status(out, "the report of a run", err);
}

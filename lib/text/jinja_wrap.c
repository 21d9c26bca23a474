/*
 * jinja_wrap: the filter wordwrap, with the rules of Python's textwrap: lines of the text are
 * wrapped each for itself; words break behind hyphens between letters and around dashes of two or
 * more; white space at the ends of lines is dropped.
 */
#include "text/jinja_filters.h"

#include "base/utf8.h"
#include "text/jinja_char.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

typedef struct wrap {
    jrun *run;
    const uint32_t *c; // characters of the line
    int64_t n;
    int64_t width;
    bool break_long, break_hyphens;
    jv separator;
    int64_t *ends; // of chunks
    int64_t n_chunks;
    bool any; // a line was put
} wrap;

static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static bool is_word(uint32_t c)
{
    return c == '_' || px_jchar_is_alnum(c);
}

static bool is_letter(const wrap *w, int64_t i)
{
    return i >= 0 && i < w->n && is_word(w->c[i]) && !px_jchar_is_decimal(w->c[i]);
}

/* What may stand before a dash: a word or the end of a clause. */
static bool before_dash(const wrap *w, int64_t i)
{
    return i >= 0 &&
           (is_word(w->c[i]) || (w->c[i] < 0x80 && w->c[i] && strchr("!\"'&.,?", (char)w->c[i])));
}

/* Hyphens from i on when they are a dash before a word, else 0. */
static int64_t dash(const wrap *w, int64_t i)
{
    int64_t end = i;
    while (end < w->n && w->c[end] == '-')
        end++;
    return end - i >= 2 && end < w->n && is_word(w->c[end]) ? end - i : 0;
}

/* Whether a word may break behind the hyphen at i. */
static bool breaks_at(const wrap *w, int64_t i)
{
    if (w->c[i] != '-')
        return false;
    bool left = is_letter(w, i - 1) &&
                (is_letter(w, i - 2) || (i >= 3 && w->c[i - 2] == '-' && is_letter(w, i - 3)));
    bool right =
        is_letter(w, i + 1) &&
        (is_letter(w, i + 2) || (i + 2 < w->n && w->c[i + 2] == '-' && is_letter(w, i + 3)));
    return left && right;
}

/* Where the chunk that begins at `from` ends. */
static int64_t chunk_end(const wrap *w, int64_t from)
{
    int64_t end = from;
    if (is_blank(w->c[from])) {
        while (end < w->n && is_blank(w->c[end]))
            end++;
        return end;
    }
    if (w->break_hyphens && before_dash(w, from - 1) && dash(w, from))
        return from + dash(w, from);
    for (end = from + 1; end < w->n && !is_blank(w->c[end]); end++) {
        if (!w->break_hyphens || w->c[end] != '-')
            continue;
        if (breaks_at(w, end))
            return end + 1;
        if (before_dash(w, end - 1) && dash(w, end))
            return end;
    }
    return end;
}

static bool put_chars(const wrap *w, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        if (!px_jtext_put_char(w->run, w->c[i]))
            return false;
    return true;
}

/* How much of the too long chunk from..to goes on a line with `room` characters left. */
static int64_t long_part(const wrap *w, int64_t from, int64_t to, int64_t room, bool empty_line)
{
    if (!w->break_long)
        return empty_line ? to - from : 0;
    int64_t part = room;
    if (w->break_hyphens && to - from > room)
        for (int64_t i = room - 1; i > 0; i--) {
            if (w->c[from + i] != '-')
                continue;
            bool other = false;
            for (int64_t k = 0; k < i; k++)
                other = other || w->c[from + k] != '-';
            if (other)
                part = i + 1;
            break;
        }
    return part;
}

/* Fills one line beginning with chunk *chunk at character *at; moves both on. */
static bool wrap_line(wrap *w, int64_t *chunk, int64_t *at)
{
    int64_t from = *at, last_blank = -1, len = 0;
    if (w->any && is_blank(w->c[from])) { // blanks that begin a line but the first are dropped
        from = w->ends[(*chunk)++];
        *at = from;
    }
    while (*chunk < w->n_chunks) {
        int64_t end = w->ends[*chunk], n = end - *at;
        if (len + n > w->width)
            break;
        last_blank = is_blank(w->c[*at]) ? *at : -1;
        len += n;
        *at = end;
        (*chunk)++;
    }
    if (*chunk < w->n_chunks && w->ends[*chunk] - *at > w->width) {
        int64_t end = w->ends[*chunk];
        int64_t n = long_part(w, *at, end, w->width - len, len == 0);
        if (n > 0)
            last_blank = -1;
        *at += n;
        if (*at == end)
            (*chunk)++;
    }
    int64_t to = last_blank >= 0 ? last_blank : *at;
    if (to == from)
        return true;
    if (w->any && !px_jv_print(w->run, w->separator))
        return false;
    w->any = true;
    return put_chars(w, from, to);
}

static bool wrap_text(wrap *w, const jstr *s)
{
    uint32_t *c = px_jinja_alloc(w->run, s->len + 1, sizeof *c);
    int64_t *ends = c ? px_jinja_alloc(w->run, s->len + 1, sizeof *ends) : NULL;
    if (!ends)
        return false;
    w->n = w->n_chunks = 0;
    for (size_t i = 0; i < s->len;) {
        int n = px_utf8_get(s->data + i, s->len - i, &c[w->n]);
        i += n > 0 ? (size_t)n : 1;
        w->n++;
    }
    w->c = c;
    w->ends = ends;
    w->any = false;
    for (int64_t i = 0; i < w->n; i = ends[w->n_chunks - 1])
        ends[w->n_chunks++] = chunk_end(w, i);
    int64_t chunk = 0, at = 0;
    while (chunk < w->n_chunks)
        if (!wrap_line(w, &chunk, &at) || !px_jinja_charge(w->run, (uint64_t)w->width / 16 + 1))
            return false;
    return true;
}

JFILTER(wordwrap)
{
    (void)more;
    wrap w = {.run = run};
    if (self.type != JV_STR)
        return px_jinja_fail(run, "wordwrap wants a string, not a %s", px_jv_type_name(self));
    if (!px_jarg_int(run, a[0], 79, &w.width) || !px_jarg_bool(run, a[1], true, &w.break_long) ||
        !px_jarg_bool(run, a[3], true, &w.break_hyphens))
        return false;
    if (!px_jarg_str(run, a[2].type == JV_NONE ? (jv){.type = JV_MISSING} : a[2], "\n",
                     &w.separator))
        return false;
    if (w.width <= 0)
        return px_jinja_fail(run, "wordwrap wants a width of at least 1");
    jlist *lines = px_jtext_lines(run, self.s, false);
    size_t mark = run->out.len;
    for (int64_t i = 0; lines && i < lines->n; i++)
        if ((i && !px_jv_print(run, w.separator)) || !wrap_text(&w, lines->items[i].s))
            return false;
    return lines && px_jv_capture(run, mark, run->n_spans, out);
}

/* records: rows of csv and tsv. See records.h. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "train/records_in.h"

/* Bytes from r->at to the end of a row, its line end not counted; quotes may hold line ends. *open:
 * the file ends inside a quote. */
static pith_status row_length(px_records *r, size_t *n, bool *open, pith_error *err)
{
    bool quoted = false, start = true, closed = false; // start: of a cell; closed: just now
    size_t i = 0;
    for (;; i++) {
        if (r->at + i >= r->len) {
            pith_status st = px_records_want(r, i + 1, err);
            if (st != PITH_OK)
                return st;
            if (r->at + i >= r->len)
                break;
        }
        char c = r->data[r->at + i];
        if (c == '\n' && !quoted)
            break;
        bool was = quoted;
        if (quoted)
            quoted = c != '"';
        else
            quoted = c == '"' && (start || closed); // a doubled quote ends and begins again
        closed = was && !quoted;
        start = !quoted && c == r->delimiter;
    }
    *n = i;
    *open = quoted;
    return PITH_OK;
}

typedef struct cells {
    const char *at, *end;
    char delimiter;
    bool done;
} cells;

/* The next cell, its quotes resolved, into *out. False with `wrong` set where it is no cell. */
static bool next_cell(cells *c, px_buf *out, const char **wrong)
{
    *wrong = NULL;
    px_buf_reset(out);
    if (c->at < c->end && *c->at == '"') {
        c->at++;
        for (;;) {
            const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
            if (!quote) {
                *wrong = "a quote that is never closed";
                return false;
            }
            px_buf_put(out, c->at, (size_t)(quote - c->at));
            c->at = quote + 1;
            if (c->at == c->end || *c->at != '"')
                break;
            px_buf_putc(out, '"');
            c->at++;
        }
        if (c->at < c->end && *c->at != c->delimiter) {
            *wrong = "text behind a closing quote";
            return false;
        }
    } else {
        const char *end = memchr(c->at, c->delimiter, (size_t)(c->end - c->at));
        end = end ? end : c->end;
        px_buf_put(out, c->at, (size_t)(end - c->at));
        c->at = end;
    }
    c->done = c->at == c->end;
    c->at += !c->done;
    return true;
}

static cells cells_of(const px_records *r, px_str row)
{
    return (cells){.at = row.data, .end = row.data + row.len, .delimiter = r->delimiter};
}

static px_str trimmed(px_str row)
{
    while (row.len > 0 && row.data[row.len - 1] == '\r')
        row.len--;
    return row;
}

/* What the header has most of outside quotes. */
static char delimiter_of(px_str header)
{
    static const char all[] = ",;\t";
    size_t best = 0;
    char delimiter = ',';
    for (const char *d = all; *d; d++) {
        size_t n = 0;
        bool quoted = false;
        for (size_t i = 0; i < header.len; i++) {
            quoted ^= header.data[i] == '"';
            n += !quoted && header.data[i] == *d;
        }
        if (n > best) {
            best = n;
            delimiter = *d;
        }
    }
    return delimiter;
}

static bool has_name(const px_records *r, px_str name)
{
    const char *at = r->names.data;
    for (int i = 0; i < r->n_names; i++, at += strlen(at) + 1)
        if (px_str_is(name, at))
            return true;
    return false;
}

static pith_status read_names(px_records *r, pith_error *err)
{
    px_buf cell = {0};
    pith_status st = PITH_OK;
    cells c = cells_of(r, px_records_header(r));
    r->n_names = 0;
    px_buf_reset(&r->names);
    while (st == PITH_OK && !c.done) {
        const char *wrong;
        if (!next_cell(&c, &cell, &wrong)) {
            st = px_fail(err, PITH_E_FORMAT, "'%s' line 1: found %s in the header", r->path, wrong);
            break;
        }
        if (cell.failed || r->names.failed) {
            st = px_fail_memory(err, "the names of columns");
            break;
        }
        px_str name = {.data = cell.data ? cell.data : "", .len = cell.len};
        while (name.len > 0 && (name.data[0] == ' ' || name.data[0] == '\t')) {
            name.data++;
            name.len--;
        }
        while (name.len > 0 && (name.data[name.len - 1] == ' ' || name.data[name.len - 1] == '\t'))
            name.len--;
        if (memchr(name.data, '\0', name.len) || !px_utf8_valid(name.data, name.len))
            st = px_fail(err, PITH_E_FORMAT,
                         "'%s' line 1: the name of column %d is not UTF-8 text; convert the file, "
                         "for instance with iconv -f WINDOWS-1252 -t UTF-8",
                         r->path, r->n_names + 1);
        else if (name.len > 0 && has_name(r, name))
            st = px_fail(err, PITH_E_FORMAT,
                         "'%s' line 1: two columns are named '%.*s'; give one another name",
                         r->path, PX_STR_ARG(name));
        else if (r->n_names == PX_MAX_COLUMNS)
            st = px_fail(err, PITH_E_LIMIT, "'%s' has over %d columns", r->path, PX_MAX_COLUMNS);
        px_buf_put(&r->names, name.data, name.len);
        px_buf_putc(&r->names, '\0');
        r->n_names++;
    }
    if (st == PITH_OK)
        st = px_buf_status(&r->names, "the names of columns", err);
    px_buf_clear(&cell);
    return st;
}

pith_status px_records_table_begin(px_records *r, pith_error *err)
{
    size_t n;
    bool open;
    px_record header;
    r->delimiter = r->format == PX_RECORDS_TSV ? '\t' : '\0'; // none while the header is measured
    pith_status st = row_length(r, &n, &open, err);
    if (st != PITH_OK)
        return st;
    if (n == 0 || open)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' has no header, expected a first line with the names of columns",
                       r->path);
    px_records_take(r, n, &header);
    r->row = 0;
    header.raw = trimmed(header.raw);
    px_buf_reset(&r->header);
    px_buf_put(&r->header, header.raw.data, header.raw.len);
    st = px_buf_status(&r->header, "a header", err);
    if (st == PITH_OK && r->format == PX_RECORDS_CSV)
        r->delimiter = delimiter_of(px_records_header(r));
    return st == PITH_OK ? read_names(r, err) : st;
}

/* The row as an object of strings; what is wrong goes to out->error. */
static pith_status read_row(px_records *r, px_record *out, pith_error *err)
{
    px_buf cell = {0};
    int n = 0;
    const char *wrong = NULL, *name = r->names.data;
    cells c = cells_of(r, out->raw);
    px_buf_reset(&r->json);
    px_buf_putc(&r->json, '{');
    for (; !c.done && !cell.failed && next_cell(&c, &cell, &wrong); n++) {
        const char *text = cell.data ? cell.data : "";
        if (n >= r->n_names)
            continue;
        if (!px_utf8_valid(text, cell.len))
            wrong = "bytes that are not UTF-8 (convert the file, for instance with iconv -f "
                    "WINDOWS-1252 -t UTF-8)";
        if (wrong)
            break;
        px_buf_putc(&r->json, n > 0 ? ',' : ' ');
        px_json_put_str(&r->json, name, strlen(name));
        px_buf_putc(&r->json, ':');
        px_json_put_str(&r->json, text, cell.len);
        name += strlen(name) + 1;
    }
    px_buf_putc(&r->json, '}');
    pith_status st = cell.failed ? px_fail_memory(err, "a row of a table")
                                 : px_buf_status(&r->json, "a row of a table", err);
    px_buf_clear(&cell);
    if (st != PITH_OK)
        return st;
    if (wrong)
        px_fail(&out->error, PITH_E_FORMAT, "'%s' line %lld: found %s", r->path,
                (long long)out->line, wrong);
    else if (n != r->n_names)
        px_fail(&out->error, PITH_E_FORMAT,
                "'%s' line %lld: found %d cells, expected %d as the header has; put quotes around "
                "cells that hold the delimiter or line ends",
                r->path, (long long)out->line, n, r->n_names);
    else
        px_records_check(r, r->json.data, r->json.len, out);
    return PITH_OK;
}

pith_status px_records_table_next(px_records *r, px_record *out, bool *more, pith_error *err)
{
    for (;;) {
        size_t n;
        bool open;
        pith_status st = row_length(r, &n, &open, err);
        *more = st == PITH_OK && (n > 0 || r->at < r->len);
        if (!*more)
            return st;
        px_records_take(r, n, out);
        if (r->at < r->len) { // the line's end
            r->at++;
            r->line++;
        }
        out->raw = trimmed(out->raw);
        if (out->raw.len > 0)
            return read_row(r, out, err);
        r->row--;
    }
}

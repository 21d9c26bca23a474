/* records: the window, opening, and rows of jsonl, json and txt. See records.h. */
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "train/records_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 1 << 18, PIECE = 1 << 20 };

static const char *const names[PX_RECORDS_FORMATS] = {"jsonl", "json", "csv", "tsv", "txt"};

const char *px_records_format_name(px_records_format format)
{
    return names[format];
}

px_records_format px_records_format_of(const px_records *r)
{
    return r->format;
}

uint64_t px_records_bytes(const px_records *r, uint64_t *done)
{
    *done = r->offset + r->at;
    return r->bytes;
}

px_str px_records_header(const px_records *r)
{
    return (px_str){.data = r->header.data, .len = r->header.len};
}

/* ---- the window */

pith_status px_records_fill(px_records *r, pith_error *err)
{
    if (r->at > 0) {
        memmove(r->data, r->data + r->at, r->len - r->at);
        r->offset += r->at;
        r->len -= r->at;
        r->at = 0;
    }
    if (r->len == r->cap) {
        size_t cap = r->cap > 0 ? 2 * r->cap : WINDOW;
        if (r->len >= PX_MAX_RECORD_BYTES)
            return px_fail(err, PITH_E_LIMIT,
                           "'%s' line %lld: the row is longer than %u MiB; cut it into several",
                           r->path, (long long)r->line, PX_MAX_RECORD_BYTES >> 20);
        char *data = px_realloc(r->data, cap, 1);
        if (!data)
            return px_fail_memory(err, "a row of a data file");
        r->data = data;
        r->cap = cap;
    }
    ssize_t n;
    do
        n = read(r->fd, r->data + r->len, r->cap - r->len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return px_fail_errno(err, errno, "cannot read '%s'", r->path);
    r->len += (size_t)n;
    r->eof = n == 0;
    return PITH_OK;
}

pith_status px_records_want(px_records *r, size_t n, pith_error *err)
{
    pith_status st = PITH_OK;
    while (st == PITH_OK && !r->eof && r->len - r->at < n)
        st = px_records_fill(r, err);
    return st;
}

void px_records_take(px_records *r, size_t n, px_record *out)
{
    const char *from = r->data + r->at;
    out->line = r->line;
    out->row = ++r->row;
    out->raw = (px_str){.data = from, .len = n};
    out->value = (px_json){0};
    out->begins = out->ends = true;
    px_error_clear(&out->error);
    for (const char *p = from; (p = memchr(p, '\n', (size_t)(from + n - p))) != NULL; p++)
        r->line++;
    r->at += n;
}

void px_records_check(px_records *r, const char *text, size_t n, px_record *out)
{
    pith_error bad = {0};
    size_t line = 0, column = 0;
    int used = 0;
    if (px_json_check("", text, n, &out->value, &bad) == PITH_OK) {
        px_json_type type = px_json_type_of(out->value);
        if (type == PX_JSON_OBJECT)
            return;
        px_fail(&out->error, PITH_E_FORMAT, "'%s' line %lld: found %s, expected an object {..}",
                r->path, (long long)out->line, px_json_type_name(type));
    } else if (sscanf(bad.text, "'' line %zu column %zu: %n", &line, &column, &used) == 2 && used) {
        px_fail(&out->error, PITH_E_FORMAT, "'%s' line %lld column %zu: %s", r->path,
                (long long)out->line + (long long)line - 1, column, bad.text + used);
    } else {
        px_fail(&out->error, bad.status, "'%s' line %lld: %s", r->path, (long long)out->line,
                bad.text);
    }
    out->value = (px_json){0};
}

/* Passes over white space and what else `more` names. */
static pith_status skip(px_records *r, const char *more, pith_error *err)
{
    for (;;) {
        pith_status st = px_records_want(r, 1, err);
        if (st != PITH_OK || r->at == r->len)
            return st;
        char c = r->data[r->at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && (c == '\0' || !strchr(more, c)))
            return PITH_OK;
        r->line += c == '\n';
        r->at++;
    }
}

/* Bytes from r->at to the end of the line that `first` bytes behind it lie in; the end itself is
 * not counted. */
static pith_status line_end(px_records *r, size_t first, size_t *n, pith_error *err)
{
    for (size_t seen = first;;) {
        const char *from = r->data + r->at;
        size_t held = r->len - r->at;
        const char *end = held > seen ? memchr(from + seen, '\n', held - seen) : NULL;
        if (end) {
            *n = (size_t)(end - from);
            return PITH_OK;
        }
        seen = held > first ? held : first;
        if (r->eof) {
            *n = seen;
            return PITH_OK;
        }
        pith_status st = px_records_fill(r, err);
        if (st != PITH_OK)
            return st;
    }
}

/* ---- jsonl */

static pith_status next_line(px_records *r, px_record *out, bool *more, pith_error *err)
{
    size_t n = 0;
    pith_status st = skip(r, "", err);
    if (st == PITH_OK && r->at < r->len)
        st = line_end(r, 0, &n, err);
    *more = st == PITH_OK && n > 0;
    if (!*more)
        return st;
    px_records_take(r, n, out);
    while (out->raw.len > 0 && out->raw.data[out->raw.len - 1] == '\r')
        out->raw.len--;
    px_records_check(r, out->raw.data, out->raw.len, out);
    return PITH_OK;
}

/* ---- json */

/* Where one value ends: brackets and quotes are counted, nothing is checked. `whole` is false when
 * the file ends inside it. */
static pith_status value_length(px_records *r, size_t *n, bool *whole, pith_error *err)
{
    size_t i = 0;
    int64_t depth = 0;
    bool quoted = false;
    *whole = true;
    for (;; i++) {
        pith_status st = px_records_want(r, i + 1, err);
        if (st != PITH_OK)
            return st;
        if (r->at + i >= r->len) {
            *n = i;
            *whole = depth == 0 && !quoted;
            return PITH_OK;
        }
        char c = r->data[r->at + i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            if (depth == 0)
                break; // of the array around it
            if (--depth == 0) {
                i++;
                break;
            }
        } else if (depth == 0 && (c == ',' || c == '\n')) {
            break;
        }
    }
    *n = i;
    return PITH_OK;
}

/* Goes to the array of rows: the file's own, or the first inside its object that holds objects. */
static pith_status begin_array(px_records *r, pith_error *err)
{
    int64_t depth = 0;
    bool quoted = false;
    r->begun = true;
    for (;;) {
        pith_status st = px_records_want(r, 2, err);
        if (st != PITH_OK)
            return st;
        if (r->at == r->len)
            return px_fail(err, PITH_E_FORMAT,
                           "'%s' holds no array of objects, expected [{..}, {..}] or an object "
                           "with such an array; name the format if it is another one",
                           r->path);
        char c = r->data[r->at++];
        r->line += c == '\n';
        if (quoted) {
            if (c == '\\' && r->at < r->len)
                r->at++;
            else
                quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '[' && depth <= 1) {
            st = skip(r, "", err);
            if (st != PITH_OK || r->at == r->len || r->data[r->at] == '{' || depth == 0)
                return st;
            depth++;
        } else if (c == '[') {
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
}

static pith_status next_element(px_records *r, px_record *out, bool *more, pith_error *err)
{
    pith_status st = r->begun ? PITH_OK : begin_array(r, err);
    if (st == PITH_OK)
        st = skip(r, ",", err);
    *more = st == PITH_OK && r->at < r->len && r->data[r->at] != ']';
    if (st == PITH_OK && r->at == r->len)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' line %lld: the file ends inside its array, expected ']'; it was cut",
                       r->path, (long long)r->line);
    if (!*more)
        return st;
    size_t n;
    bool whole;
    st = value_length(r, &n, &whole, err);
    if (st != PITH_OK)
        return st;
    if (n == 0)
        return px_fail(err, PITH_E_FORMAT, "'%s' line %lld: found '%c', expected a value", r->path,
                       (long long)r->line, r->data[r->at]);
    px_records_take(r, n, out);
    while (out->raw.len > 0 && strchr(" \t\r", out->raw.data[out->raw.len - 1]))
        out->raw.len--;
    px_records_check(r, out->raw.data, out->raw.len, out);
    if (!whole && out->error.status == PITH_OK)
        px_fail(&out->error, PITH_E_FORMAT, "'%s' line %lld: the file ends inside this row",
                r->path, (long long)out->line);
    return PITH_OK;
}

/* ---- txt */

static bool is_separator(const char *line, size_t n)
{
    static const char mark[] = "<|endoftext|>";
    while (n > 0 && strchr(" \t\r", line[n - 1]))
        n--;
    return n == sizeof mark - 1 && memcmp(line, mark, n) == 0;
}

/* The next document or piece of one. Blank ones are passed over. */
static pith_status next_piece(px_records *r, px_record *out, bool *more, pith_error *err)
{
    size_t n = 0, end = 0, rest = 0; // of the piece; of the line; of the separator behind it
    bool ends = false;
    pith_status st = r->middle ? PITH_OK : skip(r, "", err);
    while (st == PITH_OK && !ends && n < PIECE) {
        st = line_end(r, n, &end, err);
        if (st != PITH_OK)
            break;
        bool last = r->at + end >= r->len;
        size_t whole = end + (last ? 0 : 1);
        if (is_separator(r->data + r->at + n, end - n)) {
            rest = whole - n;
            ends = true;
        } else {
            n = whole;
            ends = last;
        }
    }
    *more = st == PITH_OK && n > 0;
    if (st != PITH_OK)
        return st;
    bool begins = !r->middle;
    if (n > 0)
        px_records_take(r, n, out);
    r->at += rest;
    r->line += rest > 0;
    r->middle = !ends;
    if (n == 0 && rest == 0)
        return PITH_OK;
    out->begins = begins;
    out->ends = ends;
    size_t valid = px_utf8_valid_prefix(out->raw.data, n);
    if (valid < n) {
        px_fail(&out->error, PITH_E_FORMAT,
                "'%s': byte %llu is not UTF-8; convert the file, for instance with iconv -f "
                "WINDOWS-1252 -t UTF-8",
                r->path,
                (unsigned long long)(r->offset + (uint64_t)(out->raw.data - r->data) + valid));
        return PITH_OK;
    }
    px_buf_reset(&r->json);
    px_buf_puts(&r->json, "{\"text\":");
    px_json_put_str(&r->json, out->raw.data, n);
    px_buf_putc(&r->json, '}');
    st = px_buf_status(&r->json, "a piece of text", err);
    if (st == PITH_OK)
        px_records_check(r, r->json.data, r->json.len, out);
    return st;
}

/* ---- opening */

static pith_status format_by_word(const char *word, px_records_format *out, pith_error *err)
{
    for (int i = 0; i < PX_RECORDS_FORMATS; i++)
        if (strcasecmp(word, names[i]) == 0) {
            *out = (px_records_format)i;
            return PITH_OK;
        }
    return px_fail(err, PITH_E_ARGUMENT,
                   "'%s' is no format of data, expected jsonl, json, csv, tsv or txt", word);
}

/* Refuses what would be read as nonsense. */
static pith_status check_start(const px_records *r, pith_error *err)
{
    static const struct {
        const char *start;
        size_t n;
        pith_status status;
        const char *what;
    } starts[] = {
        {"PAR1", 4, PITH_E_UNSUPPORTED,
         "is a Parquet file, which pith does not read; write it as JSON lines, for instance in "
         "Python: pandas.read_parquet(FILE).to_json(OUT, orient='records', lines=True)"},
        {"\x1f\x8b", 2, PITH_E_UNSUPPORTED, "is compressed with gzip; unpack it first: gunzip -k"},
        {"\x28\xb5\x2f\xfd", 4, PITH_E_UNSUPPORTED,
         "is compressed with zstd; unpack it first: zstd -d"},
        {"\xfd"
         "7zXZ",
         5, PITH_E_UNSUPPORTED, "is compressed with xz; unpack it first: xz -dk"},
        {"PK\x03\x04", 4, PITH_E_UNSUPPORTED,
         "is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV"},
        {"ARROW1", 6, PITH_E_UNSUPPORTED,
         "is an Arrow file, which pith does not read; write it as JSON lines, for instance with "
         "datasets.Dataset.to_json"},
        {"\xff\xfe", 2, PITH_E_FORMAT,
         "is UTF-16, expected UTF-8; convert it: iconv -f UTF-16 -t UTF-8"},
        {"\xfe\xff", 2, PITH_E_FORMAT,
         "is UTF-16, expected UTF-8; convert it: iconv -f UTF-16 -t UTF-8"},
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (r->len - r->at >= starts[i].n &&
            memcmp(r->data + r->at, starts[i].start, starts[i].n) == 0)
            return px_fail(err, starts[i].status, "'%s' %s", r->path, starts[i].what);
    return PITH_OK;
}

/* An object in a file named .json: one of many lines, or the whole file? */
static pith_status json_or_lines(px_records *r, pith_error *err)
{
    size_t n;
    px_json value;
    pith_status st = line_end(r, 0, &n, err);
    bool lines = st == PITH_OK && r->at + n < r->len &&
                 px_json_check("", r->data + r->at, n, &value, NULL) == PITH_OK;
    r->format = lines ? PX_RECORDS_JSONL : PX_RECORDS_JSON;
    return st;
}

static pith_status choose_format(px_records *r, const char *word, pith_error *err)
{
    static const struct {
        const char *end;
        px_records_format format;
    } ends[] = {{".jsonl", PX_RECORDS_JSONL}, {".ndjson", PX_RECORDS_JSONL},
                {".csv", PX_RECORDS_CSV},     {".tsv", PX_RECORDS_TSV},
                {".tab", PX_RECORDS_TSV},     {".txt", PX_RECORDS_TXT},
                {".text", PX_RECORDS_TXT},    {".md", PX_RECORDS_TXT}};
    if (word)
        return format_by_word(word, &r->format, err);
    size_t length = strlen(r->path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i].end);
        if (length > n && strcasecmp(r->path + length - n, ends[i].end) == 0) {
            r->format = ends[i].format;
            return PITH_OK;
        }
    }
    size_t i = r->at;
    while (i < r->len && strchr(" \t\r\n", r->data[i]) && r->data[i] != '\0')
        i++;
    if (i < r->len && r->data[i] == '[') {
        r->format = PX_RECORDS_JSON;
    } else if (i < r->len && r->data[i] == '{') {
        pith_status st = skip(r, "", err);
        return st == PITH_OK ? json_or_lines(r, err) : st;
    } else {
        r->format = PX_RECORDS_TXT;
    }
    return PITH_OK;
}

static pith_status begin(px_records *r, pith_error *err)
{
    r->at = r->len = 0;
    r->offset = 0;
    r->line = 1;
    r->row = 0;
    r->eof = r->begun = r->middle = false;
    pith_status st = px_records_want(r, 8, err);
    if (st == PITH_OK && r->len >= 3 && memcmp(r->data, "\xef\xbb\xbf", 3) == 0)
        r->at = 3;
    return st;
}

static pith_status open_file(px_records *r, const char *format, pith_error *err)
{
    struct stat s;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &s) != 0)
        return px_fail_errno(err, errno, "cannot open '%s'", r->path);
    if (!S_ISREG(s.st_mode))
        return px_fail(err, PITH_E_FORMAT, "'%s' is %s, expected a file of data", r->path,
                       S_ISDIR(s.st_mode) ? "a folder" : "no regular file");
    r->bytes = (uint64_t)s.st_size;
    pith_status st = begin(r, err);
    if (st == PITH_OK)
        st = check_start(r, err);
    if (st == PITH_OK)
        st = choose_format(r, format, err);
    if (st == PITH_OK && (r->format == PX_RECORDS_CSV || r->format == PX_RECORDS_TSV))
        st = px_records_table_begin(r, err);
    return st;
}

pith_status px_records_open(const char *path, const char *format, px_records **out, pith_error *err)
{
    *out = NULL;
    px_records *r = px_calloc(1, sizeof *r);
    if (!r)
        return px_fail_memory(err, "the reader of a data file");
    r->fd = -1;
    r->path = px_strndup(path, strlen(path));
    pith_status st =
        r->path ? open_file(r, format, err) : px_fail_memory(err, "the reader of a data file");
    if (st == PITH_OK)
        *out = r;
    else
        px_records_close(r);
    return st;
}

void px_records_close(px_records *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    px_free(r->path);
    px_free(r->data);
    px_buf_clear(&r->json);
    px_buf_clear(&r->header);
    px_buf_clear(&r->names);
    px_free(r);
}

pith_status px_records_rewind(px_records *r, pith_error *err)
{
    if (lseek(r->fd, 0, SEEK_SET) != 0)
        return px_fail_errno(err, errno, "cannot read '%s' again", r->path);
    pith_status st = begin(r, err);
    if (st == PITH_OK && (r->format == PX_RECORDS_CSV || r->format == PX_RECORDS_TSV))
        st = px_records_table_begin(r, err);
    return st;
}

pith_status px_records_next(px_records *r, px_record *out, bool *more, pith_error *err)
{
    *more = false;
    switch (r->format) {
    case PX_RECORDS_JSONL:
        return next_line(r, out, more, err);
    case PX_RECORDS_JSON:
        return next_element(r, out, more, err);
    case PX_RECORDS_TXT:
        return next_piece(r, out, more, err);
    default:
        return px_records_table_next(r, out, more, err);
    }
}

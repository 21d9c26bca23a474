/* tune_run: see tune_run.h. */
#include "cli/tune_run.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG      "log.jsonl"
#define MOST_LOG ((size_t)1 << 30)

/* "a/b" on the heap, or NULL. */
static char *joined(const char *folder, const char *name)
{
    px_buf b = {0};
    px_path_join(&b, folder, name);
    char *path = b.failed ? NULL : strdup(b.data);
    px_buf_clear(&b);
    return path;
}

char *cli_run_path(const cli_run *run, const char *file)
{
    return joined(run->folder, file);
}

/* ---- opening */

static bool is_name(const char *name)
{
    const size_t n = strlen(name);
    return n > 0 && n < 200 && name[0] != '.' && !strchr(name, '/') &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:+@") ==
               n;
}

static pith_status make_folder(const char *path, pith_error *err)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return px_fail_errno(err, errno, "cannot make the folder '%s'", path);
    return PITH_OK;
}

/* The home and what is above it may not be there yet. */
static pith_status make_folders(const char *path, pith_error *err)
{
    char *part = strdup(path);
    if (!part)
        return px_fail_memory(err, "a path");
    pith_status status = PITH_OK;
    for (char *p = part + 1; status == PITH_OK && *p; p++)
        if (*p == '/') {
            *p = 0;
            if (px_file_kind_of(part) != PX_FILE_FOLDER)
                status = make_folder(part, err);
            *p = '/';
        }
    if (status == PITH_OK)
        status = make_folder(part, err);
    free(part);
    return status;
}

/* runs/NAME, then NAME-2 and on: the first that is free, or to resume the last that is there. */
static pith_status find_place(const char *runs, const char *name, bool resume, char **folder,
                              pith_error *err)
{
    char *last = NULL, *next = NULL;
    bool failed = false;
    for (int i = 1; !failed && !next; i++) {
        char numbered[256];
        snprintf(numbered, sizeof numbered, i == 1 ? "%s" : "%s-%d", name, i);
        char *path = joined(runs, numbered);
        failed = !path;
        if (path && px_file_kind_of(path) == PX_FILE_NONE) {
            next = path;
        } else if (path) {
            free(last);
            last = path;
        }
    }
    *folder = failed ? NULL : resume ? last : next;
    free(*folder == last ? next : last);
    if (failed)
        return px_fail_memory(err, "a path");
    if (!*folder)
        return px_fail(err, PITH_E_NOT_FOUND,
                       "there is no run '%s' to resume in '%s'; leave out --resume to begin it",
                       name, runs);
    return PITH_OK;
}

pith_status cli_run_open(const char *home, const char *name, bool resume, cli_run *out,
                         pith_error *err)
{
    *out = (cli_run){.log = -1};
    if (!is_name(name))
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' cannot name a run: expected letters, digits and . _ - : + @, not "
                       "beginning with a point",
                       name);
    char *runs = joined(home, "runs"), *log = NULL;
    cli_run run = {.log = -1};
    pith_status status =
        runs ? find_place(runs, name, resume, &run.folder, err) : px_fail_memory(err, "a path");
    if (status == PITH_OK)
        status = make_folders(run.folder, err);
    if (status == PITH_OK && !(log = joined(run.folder, LOG)))
        status = px_fail_memory(err, "a path");
    if (status == PITH_OK &&
        (run.log = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
        status = px_fail_errno(err, errno, "cannot open '%s'", log);
    free(runs);
    free(log);
    if (status == PITH_OK)
        *out = run;
    else
        cli_run_close(&run);
    return status;
}

void cli_run_close(cli_run *run)
{
    if (run->folder && run->log >= 0)
        close(run->log);
    free(run->folder);
    *run = (cli_run){.log = -1};
}

/* ---- the log */

pith_status cli_run_log(cli_run *run, const json_t *line, pith_error *err)
{
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (!text)
        return px_fail_memory(err, "a line of the log");
    const size_t n = strlen(text);
    text[n] = '\n'; // in place of the zero byte: one write a line
    ssize_t wrote;
    do
        wrote = write(run->log, text, n + 1);
    while (wrote < 0 && errno == EINTR);
    const int code = errno;
    free(text);
    if (wrote == (ssize_t)(n + 1))
        return PITH_OK;
    if (wrote < 0)
        return px_fail_errno(err, code, "cannot write '%s/" LOG "'", run->folder);
    return px_fail(err, PITH_E_IO, "the disk is full: a line of '%s/" LOG "' was cut", run->folder);
}

static pith_status read_log(const cli_run *run, px_buf *out, pith_error *err)
{
    char *path = cli_run_path(run, LOG);
    const pith_status status =
        path ? px_file_read(path, MOST_LOG, out, err) : px_fail_memory(err, "a path");
    free(path);
    return status;
}

/* The next line of [*at, end) as JSON, NULL where it is none; false behind the last. *line is where
 * it begins, *whole whether it has its newline. */
static bool next_line(const char **at, const char *end, const char **line, bool *whole, json_t **v)
{
    if (*at >= end)
        return false;
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    *line = *at;
    *whole = newline != NULL;
    *v = json_loadb(*at, (size_t)((newline ? newline : end) - *at), 0, NULL);
    *at = newline ? newline + 1 : end;
    return true;
}

static bool is_number_above(const json_t *line, const char *key, int64_t most)
{
    const json_t *v = json_object_get(line, key);
    return json_is_integer(v) && json_integer_value(v) > most;
}

pith_status cli_run_rewind(cli_run *run, int64_t update, pith_error *err)
{
    px_buf text = {0};
    pith_status status = read_log(run, &text, err);
    const char *at = text.data, *end = text.data ? text.data + text.len : NULL, *line;
    bool whole;
    json_t *v;
    off_t keep = (off_t)text.len;
    while (status == PITH_OK && at && next_line(&at, end, &line, &whole, &v)) {
        const bool drop = !whole || is_number_above(v, "update", update);
        json_decref(v);
        if (drop) {
            keep = (off_t)(line - text.data);
            break;
        }
    }
    if (status == PITH_OK && keep < (off_t)text.len && ftruncate(run->log, keep) != 0)
        status = px_fail_errno(err, errno, "cannot shorten '%s/" LOG "'", run->folder);
    px_buf_clear(&text);
    return status;
}

pith_status cli_run_curves(const cli_run *run, json_t **out, pith_error *err)
{
    px_buf text = {0};
    json_t *curves = json_pack("{s:[], s:[]}", "updates", "evaluations");
    pith_status status = curves ? read_log(run, &text, err) : px_fail_memory(err, "curves");
    const char *at = text.data, *end = text.data ? text.data + text.len : NULL, *line;
    bool whole;
    json_t *v;
    while (status == PITH_OK && at && next_line(&at, end, &line, &whole, &v)) {
        const char *event = json_string_value(json_object_get(v, "event"));
        const char *kind = !event                             ? NULL
                           : strcmp(event, "update") == 0     ? "updates"
                           : strcmp(event, "evaluation") == 0 ? "evaluations"
                                                              : NULL;
        if (kind && json_array_append(json_object_get(curves, kind), v) != 0)
            status = px_fail_memory(err, "curves");
        json_decref(v);
    }
    px_buf_clear(&text);
    if (status != PITH_OK) {
        json_decref(curves);
        curves = NULL;
    }
    *out = curves;
    return status;
}

pith_status cli_run_write(const cli_run *run, const char *file, const json_t *value,
                          pith_error *err)
{
    char *path = cli_run_path(run, file);
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;
    const pith_status status = path && text ? px_file_replace(path, text, strlen(text), err)
                                            : px_fail_memory(err, "a file of the run");
    free(path);
    free(text);
    return status;
}

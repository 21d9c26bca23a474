/* term: see term.h. The interrupt state is the program's one global: a signal handler can reach
 * nothing else. */
#include "cli/term.h"

#include "base/file.h"
#include "base/limits.h"
#include "pith.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int cli_fail(const pith_error *err)
{
    (void)fflush(stdout);
    fprintf(stderr, "pith: error: %s\n", err->text[0] ? err->text : pith_status_text(err->status));
    return pith_status_exit_code(err->status);
}

bool cli_begin(const cli_spec *spec, int argc, char **argv, cli_words *words, int *code)
{
    pith_error err = {0};
    bool help = false;
    *code = 0;
    if (cli_args_parse(spec, argc, argv, words, &help, &err) != PITH_OK)
        *code = cli_fail(&err);
    return *code == 0 && !help;
}

void cli_warn(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("pith: warning: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static pith_status print_json(json_t *value, size_t how, pith_error *err)
{
    if (!value)
        return px_fail_memory(err, "the JSON report");
    int bad = json_dumpf(value, stdout, how | JSON_REAL_PRECISION(9));
    json_decref(value);
    if (bad || putchar('\n') == EOF)
        return px_fail_errno(err, errno, "cannot write to standard output");
    return cli_flush(err);
}

pith_status cli_print_json(json_t *value, pith_error *err)
{
    return print_json(value, JSON_INDENT(2), err);
}

pith_status cli_print_json_line(json_t *value, pith_error *err)
{
    return print_json(value, JSON_COMPACT, err);
}

pith_status cli_flush(pith_error *err)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return px_fail_errno(err, errno, "cannot write to standard output");
    return PITH_OK;
}

pith_status cli_read(const char *path, px_buf *out, pith_error *err)
{
    if (path && strcmp(path, "-") != 0)
        return px_file_read(path, PX_MAX_TEXT_BYTES, out, err);
    out->limit = PX_MAX_TEXT_BYTES;
    for (;;) {
        char *to = px_buf_room(out, 1 << 16);
        if (!to)
            return px_buf_status(out, "standard input", err);
        size_t n = fread(to, 1, 1 << 16, stdin);
        out->len += n;
        out->data[out->len] = '\0';
        if (n == 0)
            break;
    }
    if (ferror(stdin))
        return px_fail_errno(err, errno, "cannot read standard input");
    return PITH_OK;
}

const char *cli_size(uint64_t bytes, char text[32])
{
    static const char *const UNITS[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    double v = (double)bytes;
    int u = 0;
    while (v >= 999.5 && u < 5) {
        v /= 1000;
        u++;
    }
    if (u == 0)
        snprintf(text, 32, "%.0f B", v);
    else
        snprintf(text, 32, v < 9.995 ? "%.2f %s" : v < 99.95 ? "%.1f %s" : "%.0f %s", v, UNITS[u]);
    return text;
}

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cli_progress_start(cli_progress *p, const char *label, const char *unit)
{
    *p = (cli_progress){
        .label = label, .unit = unit, .started = cli_now(), .on = isatty(STDERR_FILENO) == 1};
}

int cli_progress_step(void *progress, uint64_t done, uint64_t total)
{
    cli_progress *p = progress;
    double now = cli_now();
    if (cli_interrupt_count() > 0)
        return 1;
    if (!p->on || now - p->started < 0.5 || now - p->drawn < 0.1)
        return 0;
    p->drawn = now;
    p->visible = true;
    double share = total > 0 ? (double)done / (double)total : 0;
    double left = share > 0 ? (now - p->started) * (1 - share) / share : 0;
    char a[32], b[32], bar[31];
    int full = (int)(share * 30);
    for (int i = 0; i < 30; i++)
        bar[i] = i < full ? '#' : '.';
    bar[30] = '\0';
    if (strcmp(p->unit, "B") == 0)
        fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %s of %s  %.0f s left", p->label, bar,
                share * 100, cli_size(done, a), cli_size(total, b), left);
    else
        fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %llu of %llu %s  %.0f s left", p->label, bar,
                share * 100, (unsigned long long)done, (unsigned long long)total, p->unit, left);
    fflush(stderr);
    return 0;
}

void cli_progress_end(cli_progress *p)
{
    if (p->visible)
        fputs("\r\033[K", stderr);
    p->visible = false;
}

static _Atomic(pith_session *) watched;
static _Atomic int presses;
static _Atomic bool leave_on_second;

static void on_interrupt(int signal)
{
    (void)signal;
    int n = atomic_fetch_add(&presses, 1) + 1;
    pith_session *session = atomic_load(&watched);
    if (session)
        pith_session_cancel(session);
    if (n >= 2 && atomic_load(&leave_on_second))
        _exit(130);
}

static void install(pith_session *session, bool leave)
{
    atomic_store(&presses, 0);
    atomic_store(&watched, session);
    atomic_store(&leave_on_second, leave);
    struct sigaction act = {.sa_handler = on_interrupt};
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

void cli_interrupt_watch(pith_session *session)
{
    install(session, true);
}

void cli_interrupt_ignore(void)
{
    install(NULL, false);
}

int cli_interrupt_count(void)
{
    return atomic_load(&presses);
}

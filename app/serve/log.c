/* log: see log.h. A line is written with one call, so that lines of threads do not mix. */
#include "serve/log.h"

#include <stdio.h>
#include <string.h>

static void put_token_counts(px_buf *line, const serve_job *job, bool json)
{
    serve_usage u = serve_job_usage(job);
    double first = job->first > 0 ? job->first - job->accepted : 0;
    if (json) {
        px_buf_puts(line, ",\"model\":");
        serve_put_text(line, job->model->name);
        px_buf_printf(line,
                      ",\"prompt_tokens\":%lld,\"cached_tokens\":%lld,\"completion_tokens\":%lld,"
                      "\"first_token_ms\":%.1f,\"stream\":%s",
                      (long long)u.prompt, (long long)u.cached, (long long)u.completion,
                      first * 1e3, job->request.stream ? "true" : "false");
    } else {
        px_buf_printf(line, " model=%s tokens=%lld(%lld cached)+%lld first=%.0fms",
                      job->model->name, (long long)u.prompt, (long long)u.cached,
                      (long long)u.completion, first * 1e3);
    }
    for (int i = 0; i < job->n_choices; i++)
        if (job->choices[i].n_cut > 0) {
            px_buf_printf(line, json ? ",\"truncated_tokens\":%lld" : " truncated=%lld",
                          (long long)job->choices[i].n_cut);
            break;
        }
}

/* A client's path may hold anything. */
static void put_plain(px_buf *line, const char *text)
{
    for (size_t i = 0; text[i] && i < 200; i++)
        px_buf_putc(line, text[i] > ' ' && text[i] < 0x7f ? text[i] : '?');
}

static void write_line(px_buf *line)
{
    px_buf_putc(line, '\n');
    if (!line->failed)
        (void)fwrite(line->data, 1, line->len, stderr);
    px_buf_clear(line);
}

void serve_log_request(const serve_server *server, const char *method, const char *path, int http,
                       double seconds, const serve_key *key, const serve_job *job)
{
    px_buf line = {0};
    const char *name = serve_key_name(key);
    if (server->options.quiet)
        return;
    if (server->options.log_json) {
        px_buf_puts(&line, "{\"time\":\"");
        serve_put_time(&line);
        px_buf_puts(&line, "\",\"method\":");
        serve_put_text(&line, method);
        px_buf_puts(&line, ",\"path\":");
        serve_put_text(&line, path);
        px_buf_printf(&line, ",\"status\":%d,\"ms\":%.1f", http, seconds * 1e3);
        if (key) {
            px_buf_puts(&line, ",\"key\":");
            serve_put_text(&line, name);
        }
    } else {
        serve_put_time(&line);
        px_buf_putc(&line, ' ');
        put_plain(&line, method);
        px_buf_putc(&line, ' ');
        put_plain(&line, path);
        px_buf_printf(&line, " %d %.1fms", http, seconds * 1e3);
        if (key) {
            px_buf_puts(&line, " key=");
            put_plain(&line, *name ? name : "-");
        }
    }
    if (job)
        put_token_counts(&line, job, server->options.log_json);
    if (server->options.log_json)
        px_buf_putc(&line, '}');
    write_line(&line);
}

void serve_log_note(const serve_server *server, const char *fmt, ...)
{
    px_buf line = {0}, text = {0};
    va_list args;
    va_start(args, fmt);
    px_buf_vprintf(&text, fmt, args);
    va_end(args);
    if (server->options.log_json) {
        px_buf_puts(&line, "{\"time\":\"");
        serve_put_time(&line);
        px_buf_puts(&line, "\",\"note\":");
        serve_put_string(&line, text.data ? text.data : "", text.len);
        px_buf_putc(&line, '}');
    } else {
        serve_put_time(&line);
        px_buf_printf(&line, " %s", text.data ? text.data : "");
    }
    px_buf_clear(&text);
    write_line(&line);
}

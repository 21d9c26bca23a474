/* error: see error.h. Threads: every function touches only its arguments. */
#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *pith_status_text(pith_status status)
{
    switch (status) {
#define STATUS_TEXT(name, value, text, exit_code, http) \
    case name:                                          \
        return text;
        PITH_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

int pith_status_exit_code(pith_status status)
{
    switch (status) {
#define STATUS_EXIT(name, value, text, exit_code, http) \
    case name:                                          \
        return exit_code;
        PITH_STATUS_LIST(STATUS_EXIT)
#undef STATUS_EXIT
    }
    return 70;
}

int pith_status_http(pith_status status)
{
    switch (status) {
#define STATUS_HTTP(name, value, text, exit_code, http) \
    case name:                                          \
        return http;
        PITH_STATUS_LIST(STATUS_HTTP)
#undef STATUS_HTTP
    }
    return 500;
}

void px_error_clear(pith_error *err)
{
    if (err) {
        err->status = PITH_OK;
        err->text[0] = '\0';
    }
}

/* Makes a sentence safe to print: no control characters, whole UTF-8 characters only. */
static void clean(char *text)
{
    size_t n = px_utf8_valid_prefix(text, strlen(text));
    text[n] = '\0';
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

static pith_status fail_v(pith_error *err, pith_status status, const char *tail, const char *fmt,
                          va_list args)
{
    if (!err)
        return status;
    if (err->status != PITH_OK)
        return err->status;
    err->status = status;
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    if (n < 0)
        err->text[0] = '\0';
    if (tail) {
        size_t at = strlen(err->text);
        snprintf(err->text + at, sizeof err->text - at, ": %s", tail);
    }
    clean(err->text);
    return status;
}

pith_status px_fail(pith_error *err, pith_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pith_status st = fail_v(err, status, NULL, fmt, args);
    va_end(args);
    return st;
}

pith_status px_fail_errno(pith_error *err, int code, const char *fmt, ...)
{
    pith_status status = PITH_E_IO;
    if (code == ENOENT || code == ENOTDIR)
        status = PITH_E_NOT_FOUND;
    else if (code == EACCES || code == EPERM)
        status = PITH_E_DENIED;
    else if (code == ENOMEM)
        status = PITH_E_MEMORY;
    char tail[128];
    if (strerror_r(code, tail, sizeof tail) != 0)
        snprintf(tail, sizeof tail, "error %d", code);
    va_list args;
    va_start(args, fmt);
    pith_status st = fail_v(err, status, tail, fmt, args);
    va_end(args);
    return st;
}

pith_status px_fail_memory(pith_error *err, const char *what)
{
    return px_fail(err, PITH_E_MEMORY,
                   "out of memory while making %s; close other programs or use a smaller model "
                   "or context",
                   what);
}

pith_status px_prefix(pith_error *err, const char *fmt, ...)
{
    if (!err)
        return PITH_E_INTERNAL;
    if (err->status == PITH_OK)
        return PITH_OK;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    size_t at = n < 0 ? 0 : strlen(err->text);
    snprintf(err->text + at, sizeof err->text - at, ": %s", old);
    clean(err->text);
    return err->status;
}

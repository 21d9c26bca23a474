/* error: see error.h. Threads: every function touches only its arguments. */
#include "base/error.h"

#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
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

/* Characters that would act on a terminal or on the order of text instead of being read. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Makes a sentence safe to print, in place: '?' for each control character and for each byte that
 * is not UTF-8; a character that was cut at the end goes away. */
static void clean(char *text)
{
    size_t n = strlen(text);
    n -= px_utf8_open_tail(text, n);
    size_t to = 0;
    for (size_t at = 0; at < n;) {
        uint32_t c;
        int len = px_utf8_get(text + at, n - at, &c);
        if (len == 0 || is_control(c)) {
            text[to++] = '?';
            at += len ? (size_t)len : 1;
            continue;
        }
        memmove(text + to, text + at, (size_t)len);
        to += (size_t)len;
        at += (size_t)len;
    }
    text[to] = '\0';
}

/* Writes the formatted text, cut to fit into `room` bytes with its zero byte, ending in "..." when
 * it was cut. Returns its length. */
static size_t format_cut(char *out, size_t room, const char *fmt, va_list args)
{
    int n = vsnprintf(out, room, fmt, args);
    if (n < 0)
        out[0] = '\0';
    if (n < 0 || (size_t)n < room)
        return strlen(out);
    size_t at = room - sizeof "...";
    at -= px_utf8_open_tail(out, at);
    memcpy(out + at, "...", sizeof "...");
    return at + 3;
}

static pith_status fail_v(pith_error *err, pith_status status, const char *tail, const char *fmt,
                          va_list args)
{
    assert(status != PITH_OK);
    if (!err)
        return status;
    if (err->status != PITH_OK)
        return err->status;
    err->status = status;
    /* A long name must not push out the reason behind it. */
    size_t tail_bytes = tail ? strlen(tail) + 2 : 0;
    size_t at = format_cut(err->text, sizeof err->text - tail_bytes, fmt, args);
    if (tail)
        snprintf(err->text + at, sizeof err->text - at, ": %s", tail);
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

/* strerror_r comes in two kinds: POSIX's fills room and returns 0, glibc's returns the text. */
#define errno_text(result, room) \
    _Generic((result), int : text_posix, default : text_glibc)(result, room)

static inline const char *text_posix(int result, const char *room)
{
    return result == 0 ? room : "unknown error";
}

static inline const char *text_glibc(const char *result, const char *room)
{
    (void)room;
    return result;
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
    char room[128];
    const char *tail = errno_text(strerror_r(code, room, sizeof room), room);
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

void px_prefix(pith_error *err, const char *fmt, ...)
{
    if (!err || err->status == PITH_OK)
        return;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    /* The cause matters more than the place: a prefix takes half of the room at most. */
    size_t at = format_cut(err->text, sizeof err->text / 2, fmt, args);
    va_end(args);
    snprintf(err->text + at, sizeof err->text - at, ": %s", old);
    clean(err->text);
}

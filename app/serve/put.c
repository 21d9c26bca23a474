/* put: writing JSON text. See dialect.h. */
#include "base/utf8.h"
#include "serve/dialect.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Bytes from `at` on that need no escape. */
static size_t plain(const char *at, size_t n)
{
    size_t i = 0;
    while (i < n) {
        unsigned char c = (unsigned char)at[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            break;
        if (c < 0x80) {
            i++;
            continue;
        }
        uint32_t code;
        int bytes = px_utf8_get(at + i, n - i, &code);
        if (bytes == 0 || code == 0x2028 || code == 0x2029)
            break;
        i += (size_t)bytes;
    }
    return i;
}

void serve_put_string(px_buf *out, const char *text, size_t len)
{
    static const char SHORT[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    px_buf_putc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = plain(text + i, len - i);
        if (n > 0)
            px_buf_put(out, text + i, n);
        i += n;
        if (i == len)
            break;
        unsigned char c = (unsigned char)text[i];
        const char *pair = c != 0 && c < 0x80 ? strchr(SHORT, c) : NULL;
        if (c >= 0x80) {
            uint32_t code = 0xfffd;
            int bytes = px_utf8_get(text + i, len - i, &code);
            px_buf_printf(out, "\\u%04x", bytes == 0 ? 0xfffdu : (unsigned)code);
            i += bytes == 0 ? 1 : (size_t)bytes;
            continue;
        }
        if (pair && (pair - SHORT) % 2 == 0)
            px_buf_printf(out, "\\%c", pair[1]);
        else
            px_buf_printf(out, "\\u%04x", c);
        i++;
    }
    px_buf_putc(out, '"');
}

void serve_put_text(px_buf *out, const char *zero_terminated)
{
    serve_put_string(out, zero_terminated, strlen(zero_terminated));
}

void serve_put_real(px_buf *out, double value)
{
    if (isfinite(value))
        px_buf_printf(out, "%.9g", value);
    else
        px_buf_puts(out, "null");
}

void serve_put_time(px_buf *out)
{
    struct timespec t;
    struct tm parts;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    px_buf_printf(out, "%s.%09ldZ", text, t.tv_nsec);
}

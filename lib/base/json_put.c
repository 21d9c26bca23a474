/*
 * json_put: writing JSON strings. Whatever the bytes are, the text is valid: a stretch that is not
 * UTF-8 becomes U+FFFD, control characters are escaped. Threads: every function touches only its
 * arguments.
 */
#include "base/json.h"
#include "base/utf8.h"

static void put_escaped(px_buf *out, unsigned char c)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = names; *p; p += 2)
        if ((unsigned char)*p == c) {
            char text[2] = {'\\', p[1]};
            px_buf_put(out, text, 2);
            return;
        }
    px_buf_printf(out, "\\u%04x", c);
}

void px_json_put_str(px_buf *out, const char *text, size_t len)
{
    px_buf_putc(out, '"');
    size_t plain = 0; // of the bytes before i, those from here on are copied as they are
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        int n = px_utf8_get(text + i, len - i, &code);
        if (n > 0 && code >= 0x20 && code != 0x7f && code != '"' && code != '\\') {
            i += (size_t)n;
            continue;
        }
        px_buf_put(out, text + plain, i - plain);
        if (n == 0)
            px_buf_puts(out, "\xef\xbf\xbd");
        else
            put_escaped(out, (unsigned char)code);
        i += n > 0 ? (size_t)n : 1;
        plain = i;
    }
    if (plain < len)
        px_buf_put(out, text + plain, len - plain);
    px_buf_putc(out, '"');
}

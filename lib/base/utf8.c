/* utf8: see utf8.h. */
#include "base/utf8.h"

/* Bytes of the character that this byte would start; 0 for a byte that starts none. */
static int start_length(unsigned char b)
{
    if (b < 0x80)
        return 1;
    if (b >= 0xc2 && b <= 0xdf)
        return 2;
    if (b >= 0xe0 && b <= 0xef)
        return 3;
    if (b >= 0xf0 && b <= 0xf4)
        return 4;
    return 0;
}

/* Whether b may be the second byte after `start`: rules out overlong forms, surrogates and values
 * too large. */
static bool second_fits(unsigned char start, unsigned char b)
{
    if ((b & 0xc0) != 0x80)
        return false;
    switch (start) {
    case 0xe0:
        return b >= 0xa0;
    case 0xed:
        return b <= 0x9f;
    case 0xf0:
        return b >= 0x90;
    case 0xf4:
        return b <= 0x8f;
    default:
        return true;
    }
}

int px_utf8_get(const char *text, size_t n, uint32_t *code)
{
    const unsigned char *s = (const unsigned char *)text;
    int len = start_length(s[0]);
    if (len == 0 || (size_t)len > n)
        return 0;
    if (len == 1) {
        *code = s[0];
        return 1;
    }
    if (!second_fits(s[0], s[1]))
        return 0;
    uint32_t c = s[0] & (0x7fu >> len);
    for (int i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    *code = c;
    return len;
}

int px_utf8_put(uint32_t code, char out[4])
{
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        code = 0xfffd;
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

size_t px_utf8_valid_prefix(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n) {
        uint32_t code;
        int len = px_utf8_get(text + at, n - at, &code);
        if (len == 0)
            break;
        at += (size_t)len;
    }
    return at;
}

size_t px_utf8_open_tail(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char b = s[n - back];
        if ((b & 0xc0) == 0x80)
            continue;
        int len = start_length(b);
        if ((size_t)len <= back)
            return 0;
        return back == 1 || second_fits(b, s[n - back + 1]) ? back : 0;
    }
    return 0;
}

/*
 * fuzz_regex: patterns as tokenizer files bring them. The input is a pattern, a zero byte and a
 * text. A pattern that compiles finds matches inside the text, in order, or runs into its limit.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "text/regex.h"

#include <string.h>

static void search(const px_regex *re, const char *text, size_t n)
{
    px_regex_work work = {0};
    for (size_t from = 0; from < n;) {
        pith_error err = {0};
        bool found = false;
        size_t start = 0, end = 0;
        pith_status status = px_regex_find(re, &work, text, n, from, &found, &start, &end, &err);
        FUZZ_CHECK(status == err.status);
        if (status != PITH_OK || !found)
            break;
        FUZZ_CHECK(start <= end && end <= n);
        from = end > from ? end : from + 1;
        while (from < n && ((unsigned char)text[from] & 0xc0) == 0x80)
            from++;
    }
    px_regex_work_clear(&work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *zero = size ? memchr(data, 0, size) : NULL;
    px_str pattern = {(const char *)data, zero ? (size_t)(zero - (const char *)data) : size};
    const char *text = zero ? zero + 1 : "a b\xc3\xa4 12";
    size_t n = zero ? size - pattern.len - 1 : strlen(text);
    px_regex *re = NULL;
    pith_error err = {0};
    if (!px_utf8_valid(text, n))
        return 0;
    pith_status status = px_regex_new(pattern, &re, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (re != NULL));
    if (re)
        search(re, text, n);
    px_regex_free(re);
    return 0;
}

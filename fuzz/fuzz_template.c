/*
 * fuzz_template: chat templates. The input is a template, a zero byte, and a JSON object of
 * variables; without a zero byte the variables are a fixed conversation. Whatever they are, parsing
 * and rendering end with a status that the error repeats, and what is rendered is UTF-8 within the
 * limits, with spans inside the text.
 */
#include "fuzz.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "text/template.h"

#include <string.h>

static const char CHAT[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"Hi\"},"
    "{\"role\":\"assistant\",\"content\":\"<think>x</think>Yes\",\"tool_calls\":[{\"function\":{"
    "\"name\":\"f\",\"arguments\":{\"a\":1}}}]},{\"role\":\"tool\",\"content\":\"2\"}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}],"
    "\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}";

static void render(const px_template *t, const char *json, size_t n)
{
    px_rendered r = {0};
    pith_error err = {0};
    pith_status status = px_template_render(t, json, n, 1700000000, &r, &err);
    FUZZ_CHECK(status == err.status);
    if (status == PITH_OK) {
        FUZZ_CHECK(r.text.len <= PX_MAX_TEMPLATE_OUTPUT);
        FUZZ_CHECK(r.text.len == 0 || px_utf8_valid(r.text.data, r.text.len));
        for (size_t i = 0; i < r.n_spans; i++)
            FUZZ_CHECK(r.spans[i].start <= r.spans[i].end && r.spans[i].end <= r.text.len);
    }
    px_rendered_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *source = (const char *)data;
    const char *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - source) : size;
    px_template *t = NULL;
    pith_error err = {0};
    pith_status status = px_template_parse("fuzz", n ? source : "", n, &t, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (t != NULL));
    if (t)
        render(t, zero ? zero + 1 : CHAT, zero ? size - n - 1 : sizeof CHAT - 1);
    px_template_free(t);
    return 0;
}

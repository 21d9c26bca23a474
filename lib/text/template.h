/*
 * template: chat templates as models ship them, run as written by a Jinja interpreter with limits
 * on steps, depth, memory and output (base/limits.h). The dialect is that of Python's Jinja2 as
 * transformers runs it: sandboxed, trim_blocks and lstrip_blocks on, with raise_exception,
 * strftime_now, tojson and the generation tag. A parsed template is immutable and may be shared by
 * threads.
 */
#ifndef PX_TEXT_TEMPLATE_H
#define PX_TEXT_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

typedef struct px_template px_template;

/* Parses. `name` stands in messages ("tokenizer.chat_template"). Errors: TEMPLATE with "name: line
 * N: ...". */
pith_status px_template_parse(const char *name, const char *source, size_t len, px_template **out,
                              pith_error *err);
void px_template_free(px_template *t);
px_str px_template_source(const px_template *t);

/* A stretch of the output. */
typedef enum px_span_kind {
    PX_SPAN_GENERATION, // inside {% generation %}
    PX_SPAN_MESSAGE     // printed while the outermost loop over `messages` stood at message `index`
} px_span_kind;
typedef struct px_span {
    px_span_kind kind;
    int32_t index;
    size_t start, end; // bytes of the output
} px_span;

typedef struct px_rendered {
    px_buf text;
    px_span *spans; // in order of start; px_free
    size_t n_spans;
} px_rendered;
void px_rendered_clear(px_rendered *r);

/* Renders with the members of a JSON object as variables: messages, tools, add_generation_prompt,
 * bos_token, eos_token and any further ones. `now` is the time that strftime_now sees, seconds
 * since 1970 in local time; INT64_MIN means the clock. Errors: TEMPLATE with "name: line N: ..."
 * (raise_exception's own text included), FORMAT for bad JSON, LIMIT. */
pith_status px_template_render(const px_template *t, const char *json, size_t json_len, int64_t now,
                               px_rendered *out, pith_error *err);

/* The documented default for models without a template, by GGUF architecture name ("llama",
 * "gemma2", ...) and by what the vocabulary holds (`has_token(user, "<|im_start|>")`). Never NULL:
 * the last resort is a plain "User: / Assistant:" form. `name` receives what was chosen ("chatml").
 * Static storage. */
typedef bool (*px_has_token)(void *user, const char *text);
const char *px_template_default(const char *arch, px_has_token has_token, void *user,
                                const char **name);

#endif

/*
 * fuzz_reply: what models write and what clients send. The first byte chooses one of some templates
 * and how the answer is read, the rest is an answer, or (highest bit) a conversation in JSON.
 * Whatever it is: an answer means the same in one piece, byte by byte and in uneven pieces; without
 * calls and reasoning its content is the answer, byte for byte; parts of calls come in order, and
 * arguments that were not streamed are a JSON object. A conversation becomes valid JSON, or a
 * status that the error repeats.
 */
#include "fuzz.h"

#include "base/json.h"
#include "text/reply.h"
#include "text/reply_messages.h"

#include <string.h>

#define HERMES(think)                                                                          \
    "{% if tools %}{{ tools|tojson }}{% endif %}{% for m in messages %}<|{{ m.role }}|>" think \
    "{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>\n{{ c.function|tojson }}\n"   \
    "</tool_call>\n{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}"              \
    "<|assistant|>{% endif %}"

static const char *const sources[] = {
    HERMES(""),
    HERMES("{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"),
    /* a list of calls with ids */
    "{{ tools }}{% for m in messages %}[{{ m.role }}]{% if m.tool_calls %}[TOOL_CALLS]["
    "{% for c in m.tool_calls %}{{ (c.function|tojson)[:-1] }}, \"id\": \"{{ c.id }}\"}"
    "{% if not loop.last %}, {% endif %}{% endfor %}]{% else %}{{ m.content }}{% endif %}"
    "{% if m.tool_calls and m.tool_calls[0].id|length != 9 %}{{ raise_exception('id') }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
    /* calls without a marker, one a turn; <|python_tag|> */
    "{{ tools }}{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}"
    "{% if m.tool_calls|length > 1 %}{{ raise_exception('one') }}{% endif %}{\"name\": \""
    "{{ m.tool_calls[0].function.name }}\", \"parameters\": "
    "{{ m.tool_calls[0].function.arguments|tojson }}}{% else %}{{ m.content }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}{# <|python_tag|> #}",
    /* no system, no tools, roles take turns */
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('turns') }}{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"};

enum { N_SOURCES = sizeof sources / sizeof *sources };

/* Made at the first call and kept. */
static px_reply_syntax syntaxes[N_SOURCES];
static px_arena arenas[N_SOURCES];
static px_template *templates[N_SOURCES];

static void make_syntaxes(void)
{
    for (int i = 0; i < N_SOURCES && !templates[i]; i++) {
        px_arena_init(&arenas[i], 0, 0);
        FUZZ_CHECK(px_template_parse("fuzz", sources[i], strlen(sources[i]), &templates[i], NULL) ==
                   PITH_OK);
        FUZZ_CHECK(px_reply_syntax_find(templates[i], NULL, &arenas[i], &syntaxes[i], NULL) ==
                   PITH_OK);
    }
}

typedef struct heard {
    px_buf line;    // all parts, those of a kind in a row as one
    px_buf content; // alone
    px_buf arguments;
    int last;
    int32_t n_calls;
    bool open, reasoning, held;
} heard;

static int hear(void *user, const pith_part *part)
{
    heard *h = user;
    if ((int)part->kind != h->last)
        px_buf_printf(&h->line, "\n%d ", (int)part->kind);
    h->last = (int)part->kind;
    px_buf_put(&h->line, part->text, part->len);
    switch (part->kind) {
    case PITH_PART_CONTENT:
        FUZZ_CHECK(!h->open);
        px_buf_put(&h->content, part->text, part->len);
        break;
    case PITH_PART_REASONING:
        FUZZ_CHECK(!h->open && h->n_calls == 0);
        h->reasoning = true;
        break;
    case PITH_PART_CALL:
        FUZZ_CHECK(!h->open && part->call == h->n_calls && part->name && part->id[0]);
        px_buf_printf(&h->line, "%s %s", part->name, part->id);
        h->n_calls++;
        h->open = true;
        px_buf_reset(&h->arguments);
        break;
    case PITH_PART_ARGUMENTS:
        FUZZ_CHECK(h->open && part->call == h->n_calls - 1);
        px_buf_put(&h->arguments, part->text, part->len);
        break;
    case PITH_PART_CALL_END: {
        px_json value;
        FUZZ_CHECK(h->open && part->call == h->n_calls - 1);
        FUZZ_CHECK(h->held || px_json_check("arguments", h->arguments.data, h->arguments.len,
                                            &value, NULL) == PITH_OK);
        h->open = false;
        break;
    }
    }
    return 0;
}

static void clear(heard *h)
{
    px_buf_clear(&h->line);
    px_buf_clear(&h->content);
    px_buf_clear(&h->arguments);
}

/* Reads the answer in pieces of 1 to `most` bytes; 0: in one. */
static void read_answer(const px_reply_setup *setup, const char *text, size_t n, size_t most,
                        heard *h)
{
    px_reply *r = NULL;
    pith_error err = {0};
    *h = (heard){.last = -1, .held = setup->held};
    FUZZ_CHECK(px_reply_new(setup, &r, &err) == PITH_OK);
    for (size_t i = 0, step; i < n; i += step) {
        step = most == 0 ? n : 1 + (i * 7 + n) % most;
        step = step < n - i ? step : n - i;
        FUZZ_CHECK(px_reply_push(r, text + i, step, hear, h, &err) == PITH_OK);
    }
    FUZZ_CHECK(px_reply_finish(r, hear, h, &err) == PITH_OK);
    FUZZ_CHECK(!h->open);
    px_reply_free(r);
}

static bool same(const px_buf *a, const px_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void answer(const px_reply_syntax *syntax, uint8_t how, const char *text, size_t n)
{
    static const px_str names[] = {{"add", 3}, {"get_weather", 11}, {"now", 3}};
    px_reply_setup setup = {.syntax = syntax,
                            .names = names,
                            .n_names = 3,
                            .single_call = (how & 8) != 0,
                            .thinking = (how & 16) != 0,
                            .keep_reasoning = (how & 32) != 0,
                            .held = (how & 64) != 0};
    heard whole, bytes, pieces;
    read_answer(&setup, text, n, 0, &whole);
    read_answer(&setup, text, n, 1, &bytes);
    read_answer(&setup, text, n, 9, &pieces);
    FUZZ_CHECK(same(&whole.line, &bytes.line));
    FUZZ_CHECK(same(&whole.line, &pieces.line));
    if (whole.n_calls == 0 && syntax->think_close.len == 0)
        FUZZ_CHECK(whole.content.len == n && (n == 0 || memcmp(whole.content.data, text, n) == 0));
    clear(&whole);
    clear(&bytes);
    clear(&pieces);
}

static void conversation(const px_reply_syntax *syntax, const char *json, size_t n)
{
    px_buf out = {0};
    pith_error err = {0};
    px_json value;
    pith_status status = px_messages_normalize(syntax, json, n, &out, &err);
    FUZZ_CHECK(status == err.status);
    if (status == PITH_OK)
        FUZZ_CHECK(px_json_check("made", out.data, out.len, &value, NULL) == PITH_OK);
    px_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    make_syntaxes();
    const px_reply_syntax *syntax = &syntaxes[(data[0] & 7) % N_SOURCES];
    const char *text = (const char *)data + 1;
    if (data[0] & 128)
        conversation(syntax, text, size - 1);
    else
        answer(syntax, data[0], text, size - 1);
    return 0;
}

/* text: each allocation of finding a syntax, of reading conversations and answers and of writing a
 * grammar fails in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "text/reply.h"
#include "text/reply_grammar.h"
#include "text/reply_messages.h"

#include <string.h>

#include <cmocka.h>

static const char source[] =
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>"
    "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}{% for c in m.tool_calls or [] %}"
    "<tool_call>\n{{ c.function|tojson }}\n</tool_call>{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

static const char messages[] =
    "{\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"Be\"}]},{"
    "\"role\":\"assistant\",\"content\":null,\"reasoning\":\"Hm\",\"tool_calls\":[{\"id\":\"c\","
    "\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\","
    "\"content\":\"2\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\"}}]}";

static const char answer[] =
    "<think>Hm</think>So.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n"
    "</tool_call>\n<tool_call>\n{\"name\": \"add\", \"arguments\": \"{}\"}\n</tool_call>"
    "```tool_code\nadd(a='x')\n```";

static const px_str names[] = {{"add", 3}};

static int count_calls(void *user, const pith_part *part)
{
    *(int *)user += part->kind == PITH_PART_CALL_END;
    return 0;
}

static pith_status read_reply(const px_reply_syntax *syntax, bool special, pith_error *err)
{
    px_reply *r = NULL;
    px_reply_setup setup = {.syntax = syntax, .names = names, .n_names = 1, .special = special};
    int n = 0;
    pith_status st = px_reply_new(&setup, &r, err);
    for (size_t i = 0; st == PITH_OK && i < sizeof answer - 1; i++)
        st = px_reply_push(r, answer + i, 1, count_calls, &n, err);
    if (st == PITH_OK)
        st = px_reply_finish(r, count_calls, &n, err);
    if (st == PITH_OK)
        assert_int_equal(n, 3);
    px_reply_free(r);
    return st;
}

static pith_status write_grammar(const px_reply_syntax *syntax, pith_error *err)
{
    static const px_reply_tool tools[] = {{.name = {"add", 3}, .any_object = true}};
    px_buf out = {0};
    px_reply_rules rules = {.syntax = syntax,
                            .tools = tools,
                            .n_tools = 1,
                            .think = PX_THINK_MAY,
                            .content = PX_CONTENT_CHOICE,
                            .text = {"[\"a\"]", 5}};
    pith_status st = px_reply_grammar(&rules, &out, err);
    if (st == PITH_OK)
        assert_non_null(strstr(out.data, "pith-content ::= \"a\""));
    px_buf_clear(&out);
    return st;
}

static pith_status everything(void *ctx, pith_error *err)
{
    px_template *t = NULL;
    px_arena arena;
    px_reply_syntax syntax;
    px_buf out = {0};
    (void)ctx;
    px_arena_init(&arena, 0, 0);
    pith_status st = px_template_parse("t", source, sizeof source - 1, &t, err);
    if (st == PITH_OK)
        st = px_reply_syntax_find(t, NULL, &arena, &syntax, err);
    if (st == PITH_OK) {
        assert_true(syntax.calls_native && syntax.think_given);
        st = px_messages_normalize(&syntax, messages, sizeof messages - 1, &out, err);
    }
    if (st == PITH_OK) {
        assert_non_null(strstr(out.data, "\"arguments\":{\"a\":1}"));
        assert_non_null(strstr(out.data, "# Functions"));
        st = read_reply(&syntax, false, err);
    }
    if (st == PITH_OK)
        st = read_reply(&syntax, true, err);
    if (st == PITH_OK)
        st = write_grammar(&syntax, err);
    px_buf_clear(&out);
    px_template_free(t);
    px_arena_clear(&arena);
    return st;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    assert_true(test_fault_each(everything, NULL, 0) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

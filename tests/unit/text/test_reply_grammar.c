/* text/reply_grammar: what an answer may be, in each syntax; the texts are matched by the grammars'
 * own engine, without a vocabulary. */
#include "replies.h"

#include "pith.h"
#include "text/reply_grammar.h"

#include <string.h>

#include <cmocka.h>

#define QWEN    "Qwen-Qwen2.5-7B-Instruct.jinja"
#define QWEN3   "Qwen-Qwen3-0.6B.jinja"
#define LLAMA31 "meta-llama-Llama-3.1-8B-Instruct.jinja"
#define MISTRAL "mistralai-Mistral-Nemo-Instruct-2407.jinja"

#define TEXT(s)          \
    {                    \
        s, sizeof(s) - 1 \
    }

static const px_reply_tool TOOLS[] = {
    {.name = TEXT("get_weather"), .schema = TEXT("{}"), .any_object = true},
    {.name = TEXT("add"), .schema = TEXT("{}"), .any_object = true},
    {.name = TEXT("now")},
};

static const char *written(const char *file, px_reply_rules rules)
{
    test_syntax s;
    px_buf text = {0};
    pith_error err = {0};
    test_syntax_load(&s, file);
    rules.syntax = &s.syntax;
    if (px_reply_grammar(&rules, &text, &err) != PITH_OK)
        fail_msg("%s", err.text);
    const char *made = test_format("%s", text.data);
    px_buf_clear(&text);
    test_syntax_clear(&s);
    return made;
}

typedef struct sample {
    bool whole;
    const char *text;
} sample;

static void hold(const char *file, px_reply_rules rules, const sample *all, size_t n)
{
    const char *text = written(file, rules);
    pith_grammar *g = NULL;
    pith_error err = {0};
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    o.text = text;
    o.len = strlen(text);
    if (pith_grammar_new(NULL, &o, &g, &err) != PITH_OK)
        fail_msg("%s in\n%s", err.text, text);
    for (size_t i = 0; i < n; i++) {
        bool whole;
        assert_int_equal(
            pith_grammar_match(g, all[i].text, strlen(all[i].text), &whole, NULL, &err), PITH_OK);
        if (whole != all[i].whole)
            fail_msg("'%s' is %s in\n%s", all[i].text, whole ? "whole" : "not whole", text);
    }
    pith_grammar_free(g);
}

#define HOLD(file, rules, all) hold(file, rules, all, sizeof(all) / sizeof *(all))

static void writes_a_grammar(void **state)
{
    (void)state;
    static const px_reply_tool tools[] = {
        {.name = TEXT("a\"b"), .schema = TEXT("{\"properties\":{}}")},
        {.name = TEXT("c"), .schema = TEXT("{\"type\":\"object\"}")},
        {.name = TEXT("d")}};
    assert_string_equal(
        written(QWEN3, (px_reply_rules){.tools = tools, .n_tools = 3, .think = PX_THINK_MAY}),
        "root ::= pith-think? pith-body\n"
        "pith-think ::= \"<think>\" until(\"</think>\") \"</think>\" \"\\n\"{0,2}\n"
        "pith-body ::= until(\"<tool_call>\") pith-calls?\n"
        "pith-calls ::= \"<tool_call>\\n\" pith-call (\"\\n</tool_call>\\n<tool_call>\\n\" "
        "pith-call){0,63} \"\\n</tool_call>\" \n"
        "pith-call ::= pith-call-0 | pith-call-1 | pith-call-2 \n"
        "pith-call-0 ::= \"{\\\"name\\\": \\\"\" \"a\\\"b\" \"\\\", \\\"arguments\\\": \" "
        "json_schema({\"type\":\"object\",\"properties\":{}}) \"}\" \n"
        "pith-call-1 ::= \"{\\\"name\\\": \\\"\" \"c\" \"\\\", \\\"arguments\\\": \" "
        "json_schema({\"type\":\"object\"}) \"}\" \n"
        "pith-call-2 ::= \"{\\\"name\\\": \\\"\" \"d\" \"\\\", \\\"arguments\\\": \" \"{}\" \"}\" "
        "\n");
}

static void names_special_tokens(void **state)
{
    (void)state;
    test_syntax s;
    px_buf text = {0};
    test_syntax_load(&s, MISTRAL);
    s.syntax.tokens[0] = (px_str)TEXT("[TOOL_CALLS]");
    s.syntax.n_tokens = 1;
    px_reply_rules rules = {
        .syntax = &s.syntax, .tools = TOOLS + 2, .n_tools = 1, .single_call = true};
    assert_int_equal(px_reply_grammar(&rules, &text, NULL), PITH_OK);
    assert_string_equal(
        text.data, "root ::= pith-body\n"
                   "pith-body ::= until(@\"[TOOL_CALLS]\") pith-calls?\n"
                   "pith-calls ::= @\"[TOOL_CALLS]\" \"[\" pith-call \"]\" \n"
                   "pith-call ::= pith-call-0 \n"
                   "pith-call-0 ::= \"{\\\"name\\\": \\\"\" \"now\" \"\\\", \\\"arguments\\\": \" "
                   "\"{}\" \", \\\"id\\\": \\\"\" [a-zA-Z0-9]{9} \"\\\"}\" \n");
    px_buf_clear(&text);
    test_syntax_clear(&s);
}

static void leaves_the_choice(void **state)
{
    (void)state;
    static const sample all[] = {
        {true, ""},
        {true, "Hello < you"},
        {true, "I look.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": [1, "
               "\"x\\n\\u00e9\"]}}\n</tool_call>"},
        {true, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n"
               "{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"},
        {false, "<tool_call>"},
        {false, "<tool_call>\n{\"name\": \"never\", \"arguments\": {}}\n</tool_call>"},
        {false, "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"a\": 1}}\n</tool_call>"},
        {false, "<tool_call>\n{\"name\": \"add\", \"arguments\": [1]}\n</tool_call>"},
        {false, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call> So."},
    };
    HOLD(QWEN, ((px_reply_rules){.tools = TOOLS, .n_tools = 3}), all);
}

static void demands_a_call(void **state)
{
    (void)state;
    static const sample all[] = {
        {true, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"},
        {true, "<think>Hm <tool_call> </think>\n\n<tool_call>\n{\"name\": \"now\", \"arguments\": "
               "{}}\n</tool_call>"},
        {false, ""},
        {false, "now"},
        {false, "<think>Hm</think>\n\n"},
        {false, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n"
                "{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"},
    };
    px_reply_rules rules = {.tools = TOOLS,
                            .n_tools = 3,
                            .must_call = true,
                            .single_call = true,
                            .think = PX_THINK_MAY};
    HOLD(QWEN3, rules, all);
    static const sample open[] = {
        {true, "Hm</think><tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"},
        {false, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"},
    };
    rules.think = PX_THINK_OPEN;
    HOLD(QWEN3, rules, open);
}

static void tells_calls_from_text_without_a_marker(void **state)
{
    (void)state;
    static const sample all[] = {
        {true, "{\"name\": \"add\", \"parameters\": {\"a\": 1}}"},
        {true, "{\"name\": \"now\", \"parameters\": {}}"},
        {true, ""},
        {true, "Hello {\"name\": \"add\""},
        {true, "{\"answer\": 1}"},
        {true, "{\"name\": \"Bob\", \"age\": 3}"},
        {true, "{\"name\": \"ad\"}"},
        {true, "{\"name\": \"gnu\"}"},
        {true, "{\"na"},
        {true, "{\"name\": \"addition\"}"},
        {false, "{\"name\": \"add\""},
        {false, "{\"name\": \"add\"}"},
        {false, "{\"name\": \"add\", \"parameters\": 1}"},
        {false, "{\"name\": \"add\", \"parameters\": {}} and"},
        {false, "{\"name\": \"add\", \"parameters\": {}}{\"name\": \"add\", \"parameters\": {}}"},
    };
    HOLD(LLAMA31, ((px_reply_rules){.tools = TOOLS, .n_tools = 3}), all);
    /* One function, and one whose name another begins with. */
    static const px_reply_tool near[] = {{.name = TEXT("get")}, {.name = TEXT("get_x")}};
    static const sample some[] = {
        {true, "{\"name\": \"get_x\", \"parameters\": {}}"},
        {true, "{\"name\": \"get\", \"parameters\": {}}"},
        {true, "{\"name\": \"get_\""},
        {false, "{\"name\": \"get_x\""},
        {false, "{\"name\": \"get\""},
    };
    HOLD(LLAMA31, ((px_reply_rules){.tools = near, .n_tools = 2}), some);
    static const sample one[] = {{true, "{\"name\": \"get_x\"}"}, {false, "{\"name\": \"get\"}"}};
    HOLD(LLAMA31, ((px_reply_rules){.tools = near, .n_tools = 1}), one);
}

static void holds_content(void **state)
{
    (void)state;
    static const sample object[] = {
        {true, "{\"a\": [1.5e-3, true, {}, []], \"b\": \"\"}"},
        {true, "<think>x</think>\n{}"},
        {true, "{\n  \"a\":null }"},
        {false, "[]"},
        {false, "{\"a\": 01}"},
        {false, "{\"a\": \"\n\"}"},
        {false, "{\"a\": \"\\ud800\"}"},
        {false, "{} "},
    };
    HOLD(QWEN3, ((px_reply_rules){.content = PX_CONTENT_OBJECT, .think = PX_THINK_MAY}), object);
    static const sample choice[] = {
        {true, "yes"}, {true, "a \"b\"\\\n"}, {false, "yesno"}, {false, ""}};
    HOLD(QWEN3,
         ((px_reply_rules){.content = PX_CONTENT_CHOICE,
                           .think = PX_THINK_MAY,
                           .text = TEXT("[\"yes\", \"a \\\"b\\\"\\\\\\n\"]")}),
         choice);
    /* A user's rule `root` keeps its meaning, whatever its strings and sets hold. */
    static const sample user[] = {
        {true, "root1root"}, {true, "r1root"}, {false, "root"}, {false, "1root"}};
    HOLD(QWEN3,
         ((px_reply_rules){.content = PX_CONTENT_GRAMMAR,
                           .think = PX_THINK_MAY,
                           .text = TEXT("root ::= other \"1root\" # root\nother ::= \"root\" | "
                                        "[root\\]] ")}),
         user);
    static const sample regex[] = {
        {true, "a\"7"}, {true, "<think>b</think>a\"77"}, {false, "a\""}, {false, "xa\"7"}};
    HOLD(QWEN3,
         ((px_reply_rules){
             .content = PX_CONTENT_REGEX, .think = PX_THINK_MAY, .text = TEXT("a\"\\d+")}),
         regex);
    static const sample both[] = {
        {true, "{\"x\":1}"},
        {true, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"},
        {false, "Hi"},
    };
    HOLD(QWEN, ((px_reply_rules){.content = PX_CONTENT_OBJECT, .tools = TOOLS + 2, .n_tools = 1}),
         both);
}

static void refuses_choices_that_are_none(void **state)
{
    (void)state;
    static const char *const all[] = {"{}", "[]", "[1]", "[\"a\", null]"};
    test_syntax s;
    test_syntax_load(&s, QWEN3);
    for (size_t i = 0; i < 4; i++) {
        px_buf text = {0};
        pith_error err = {0};
        px_reply_rules rules = {
            .syntax = &s.syntax, .content = PX_CONTENT_CHOICE, .text = {all[i], strlen(all[i])}};
        assert_int_equal(px_reply_grammar(&rules, &text, &err), PITH_E_FORMAT);
        assert_string_equal(err.text,
                            "choices are not an array of strings, at least one is expected");
        px_buf_clear(&text);
    }
    test_syntax_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_grammar),
        cmocka_unit_test(names_special_tokens),
        cmocka_unit_test(leaves_the_choice),
        cmocka_unit_test(demands_a_call),
        cmocka_unit_test(tells_calls_from_text_without_a_marker),
        cmocka_unit_test(holds_content),
        cmocka_unit_test(refuses_choices_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* text/reply: what an answer means, in each syntax, whatever the pieces it comes in. */
#include "replies.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define QWEN    "Qwen-Qwen2.5-7B-Instruct.jinja"
#define QWEN3   "Qwen-Qwen3-0.6B.jinja"
#define LLAMA31 "meta-llama-Llama-3.1-8B-Instruct.jinja"
#define MISTRAL "mistralai-Mistral-Nemo-Instruct-2407.jinja"
#define GEMMA   "google-gemma-2-2b-it.jinja"

typedef struct reading {
    const char *answer, *line;
} reading;

static void read_all(const char *file, const test_reading *how, const reading *all, size_t n)
{
    test_syntax s;
    test_syntax_load(&s, file);
    for (size_t i = 0; i < n; i++)
        test_reads(&s.syntax, how, all[i].answer, all[i].line);
    test_syntax_clear(&s);
}

#define READ_ALL(file, how, all) read_all(file, how, all, sizeof(all) / sizeof *(all))

static void reads_tagged_objects(void **state)
{
    (void)state;
    static const reading all[] = {
        {"", ""},
        {"Hello.", "C(Hello.)"},
        {" a < b, <tool_ca", "C( a < b, <tool_ca)"},
        {"caf\xc3\xa9 \xe2\x82\xac", "C(caf\xc3\xa9 \xe2\x82\xac)"},
        {"<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call>",
         "F(add){\"a\": 1}."},
        {"I look.\n\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
         "\"\xc3\x85s \\\"}\\\" \"}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\", "
         "\"arguments\": {}}\n</tool_call>\n",
         "C(I look.)F(get_weather){\"city\": \"\xc3\x85s \\\"}\\\" \"}.F(now){}."},
        {"<tool_call>{\"arguments\":{\"a\":[1,{}]},\"name\":\"add\"}</tool_call> So.",
         "F(add){\"a\":[1,{}]}.C(So.)"},
        {"<tool_call> {\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":\"{\\\"a"
         "\\\":2}\"}}",
         "F(add){\"a\":2}."},
        {"<tool_call>\n{\"name\": \"n\\u006fw\"}\n</tool_call>", "F(now){}."},
        /* What is no call is content, and what follows may still be one. */
        {"x <tool_call>\n{\"name\": \"nobody\", \"arguments\": {}}\n</tool_call> y",
         "C(x <tool_call>\n{\"name\": \"nobody\", \"arguments\": {}}\n</tool_call> y)"},
        {"<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": }}\n</tool_call>",
         "C(<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": }}\n</tool_call>)"},
        {"<tool_call>\n{\"name\": \"add\", \"arguments\": [1]}\n</tool_call>",
         "C(<tool_call>\n{\"name\": \"add\", \"arguments\": [1]}\n</tool_call>)"},
        {"<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1",
         "C(<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1)"},
        {"<tool_call> <tool_call>{\"name\":\"now\",\"arguments\":null}</tool_call>",
         "C(<tool_call>)F(now){}."},
        {"<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\nno",
         "F(now){}.C(<tool_call>\nno)"},
        {"{\"answer\": 42}", "C({\"answer\": 42})"},
        {"{\"name\": \"Bob\"}", "C({\"name\": \"Bob\"})"},
        {"{\"name\": \"now\", \"arguments\": {}}", "F(now){}."},
        {"So: {\"name\": \"now\", \"arguments\": {}}",
         "C(So: {\"name\": \"now\", \"arguments\": {}})"},
    };
    READ_ALL(QWEN, NULL, all);
}

static void reads_mistral_lists(void **state)
{
    (void)state;
    static const reading all[] = {
        {"[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"a\": 1}, \"id\": \"Ab3456789\"}]",
         "F(add#Ab3456789){\"a\": 1}."},
        {"Well [TOOL_CALLS] [ {\"name\":\"now\",\"arguments\":{},\"id\":\"000000001\"} , "
         "{\"name\":\"add\",\"arguments\":{\"b\":2},\"id\":\"000000002\"} ] ",
         "C(Well)F(now#000000001){}.F(add#000000002){\"b\":2}."},
        {"[TOOL_CALLS]", "C([TOOL_CALLS])"},
        {"[TOOL_CALL] [1]", "C([TOOL_CALL] [1])"},
        {"[TOOL_CALLS][{\"name\":\"now\",\"arguments\":{},\"id\":\"000000001\"}, {\"name\":1}]",
         "F(now#000000001){}.C(, {\"name\":1}])"},
    };
    READ_ALL(MISTRAL, &(test_reading){.ids = true}, all);
    static const reading named[] = {
        {"[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\"}",
         "F(get_weather){\"city\": \"Oslo\"}."},
        {"[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]add[ARGS]{\"a\":1}", "F(now){}.F(add){\"a\":1}."},
        {"[TOOL_CALLS]never[ARGS]{}", "C([TOOL_CALLS]never[ARGS]{})"},
    };
    READ_ALL(MISTRAL, NULL, named);
}

static void reads_llama(void **state)
{
    (void)state;
    static const reading all[] = {
        {"{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Rio\"}}",
         "F(get_weather){\"city\": \"Rio\"}."},
        {"\n{\"type\": \"function\", \"name\": \"now\", \"parameters\": {}}", "F(now){}."},
        {"<|python_tag|>{\"name\": \"now\", \"parameters\": {}}; {\"name\": \"add\", "
         "\"parameters\": {\"a\": 1}}",
         "F(now){}.F(add){\"a\": 1}."},
        {"<|python_tag|>get_weather.call(city=\"Rio\", days=2)",
         "F(get_weather){\"city\": \"Rio\", \"days\": 2}."},
        {"<|python_tag|>print(1)", "C(<|python_tag|>print(1))"},
        {"<function=add>{\"a\": 1}</function>", "F(add){\"a\": 1}."},
        {"[now(), add(a=-1.5e3, b=[True, None, ('x', )], c={'k': \"v\\u00e9\"},)]",
         "F(now){}.F(add){\"a\": -1.5e3, \"b\": [true, null, [\"x\"]], \"c\": {\"k\": "
         "\"v\xc3\xa9\"}}."},
        {"[1, 2]", "C([1, 2])"},
        {"[now(1)]", "C([now(1)])"},
        {"{\"name\": 3}", "C({\"name\": 3})"},
        {"{\"a\": {\"name\": \"now\"}}", "C({\"a\": {\"name\": \"now\"}})"},
    };
    READ_ALL(LLAMA31, NULL, all);
}

static void reads_what_is_told(void **state)
{
    (void)state;
    static const reading all[] = {
        {"Sure!\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
         "C(Sure!)F(now){}."},
        {"```tool_code\n{\"name\": \"now\", \"arguments\": {}}\n```", "F(now){}."},
        {"```tool_code\nadd(a=1)\n```\n", "F(add){\"a\": 1}."},
        {"```json\n{\"name\": \"add\", \"parameters\": {\"a\": 1}}\n```", "F(add){\"a\": 1}."},
        {"```json\n{\"a\": 1}\n```", "C(```json\n{\"a\": 1}\n```)"},
        {"```tool_code\nprint(now())\n```", "C(```tool_code\nprint(now())\n```)"},
        {"``", "C(``)"},
    };
    READ_ALL(GEMMA, NULL, all);
}

static void splits_reasoning(void **state)
{
    (void)state;
    static const reading all[] = {
        {"<think>\nHm <tool_call> </thin </think>\n\nYes.", "R(Hm <tool_call> </thin)C(Yes.)"},
        {"\n<think></think>Yes", "C(Yes)"},
        {"<think>\n\n</think>\n\n", ""},
        {"No <think>x</think>", "C(No <think>x</think>)"},
        {"<think>cut \n", "R(cut)"},
        {"<thin", "C(<thin)"},
        {"<think>Call.</think>\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
         "R(Call.)F(now){}."},
    };
    READ_ALL(QWEN3, NULL, all);
    static const reading open[] = {
        {"\nHm.\n</think>\n\nYes.", "R(Hm.)C(Yes.)"},
        {"Hm", "R(Hm)"},
        {"</think>Yes", "C(Yes)"},
    };
    READ_ALL(QWEN3, &(test_reading){.setup = {.thinking = true}}, open);
    static const reading kept[] = {
        {"<think>\nHm\n</think>\n\nYes.", "C(<think>\nHm\n</think>\n\nYes.)"},
        {"<think>Hm</think>\n\n{\"name\": \"now\", \"arguments\": {}}",
         "C(<think>Hm</think>)F(now){}."},
    };
    READ_ALL(QWEN3, &(test_reading){.setup = {.keep_reasoning = true}}, kept);
}

static void streams_held_arguments(void **state)
{
    (void)state;
    test_syntax s;
    test_syntax_load(&s, QWEN);
    test_reading held = {.setup = {.held = true}};
    static const reading all[] = {
        {"<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": [1, \"}\"]}}\n</tool_call>"
         "\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
         "F(add){\"a\": [1, \"}\"]}.F(now){}."},
        /* Cut off by a limit of tokens: what there is was told. */
        {"<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": [1,", "F(add){\"a\": [1,."},
        {"<tool_call>\n{\"name\": \"add\", \"arguments\":",
         "C(<tool_call>\n{\"name\": \"add\", \"arguments\":)"},
        {"<tool_call>\n{ \"name\":\"add\", \"arguments\": {}}\n</tool_call>", "F(add){}."},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        test_reads(&s.syntax, &held, all[i].answer, all[i].line);
    test_syntax_clear(&s);
}

/* Each byte of arguments comes as soon as it is there. */
static int count_bytes(void *user, const pith_part *part)
{
    if (part->kind == PITH_PART_ARGUMENTS)
        *(size_t *)user += part->len;
    return 0;
}

static void tells_arguments_at_once(void **state)
{
    (void)state;
    static const char head[] = "<tool_call>\n{\"name\": \"add\", \"arguments\": ";
    static const char arguments[] = "{\"a\": \"x\"}";
    static const px_str names[] = {{"add", 3}};
    test_syntax s;
    test_syntax_load(&s, QWEN);
    px_reply *r;
    size_t told = 0;
    px_reply_setup setup = {.syntax = &s.syntax, .names = names, .n_names = 1, .held = true};
    assert_int_equal(px_reply_new(&setup, &r, NULL), PITH_OK);
    assert_int_equal(px_reply_push(r, head, sizeof head - 1, count_bytes, &told, NULL), PITH_OK);
    for (size_t i = 0; i < sizeof arguments - 1; i++) {
        assert_int_equal(px_reply_push(r, arguments + i, 1, count_bytes, &told, NULL), PITH_OK);
        assert_int_equal(told, i + 1);
    }
    px_reply_free(r);
    test_syntax_clear(&s);
}

static void takes_one_call_only(void **state)
{
    (void)state;
    static const reading all[] = {
        {"<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\""
         ": \"now\", \"arguments\": {}}\n</tool_call>",
         "F(now){}.C(<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>)"},
    };
    READ_ALL(QWEN, &(test_reading){.setup = {.single_call = true}}, all);
}

static void makes_ids(void **state)
{
    (void)state;
    static const char answer[] =
        "[TOOL_CALLS][{\"name\":\"now\",\"arguments\":{},\"id\":\"sameid999\"},{\"name\":\"now\","
        "\"arguments\":{},\"id\":\"sameid999\"},{\"name\":\"now\",\"arguments\":{},\"id\":\"bad\"}"
        "]";
    test_syntax s;
    test_syntax_load(&s, MISTRAL);
    const char *line =
        test_reply_line(&s.syntax, &(test_reading){.setup = {.seed = 7}, .ids = true}, answer, 0);
    char ids[3][10];
    assert_int_equal(sscanf(line,
                            "F(now#%9[a-zA-Z0-9]){}.F(now#%9[a-zA-Z0-9]){}.F(now#%9[a-zA-Z0-9])"
                            "{}.",
                            ids[0], ids[1], ids[2]),
                     3);
    assert_string_equal(ids[0], "sameid999");
    assert_int_equal(strlen(ids[1]), 9);
    assert_int_equal(strlen(ids[2]), 9);
    assert_string_not_equal(ids[1], "sameid999");
    assert_string_not_equal(ids[1], ids[2]);
    test_syntax_clear(&s);
}

static void takes_out_end_tokens(void **state)
{
    (void)state;
    test_syntax s;
    test_syntax_load(&s, MISTRAL);
    s.syntax.ends[0] = (px_str){"</s>", 4};
    s.syntax.n_ends = 1;
    test_reading special = {.setup = {.special = true}};
    test_reads(&s.syntax, &special, "a </s b</s>", "C(a </s b)");
    test_reads(&s.syntax, &special,
               "[TOOL_CALLS][{\"name\":\"now\",\"arguments\":{},\"id\":\"000000001\"}]</s>",
               "F(now){}.");
    test_reads(&s.syntax, NULL, "a</s>", "C(a</s>)");
    test_syntax_clear(&s);
}

static int stop_at_once(void *user, const pith_part *part)
{
    (void)part;
    ++*(int *)user;
    return 1;
}

static void ends_when_told(void **state)
{
    (void)state;
    static const px_str names[] = {{"add", 3}};
    test_syntax s;
    test_syntax_load(&s, QWEN);
    px_reply *r;
    pith_error err = {0};
    int n = 0;
    px_reply_setup setup = {.syntax = &s.syntax, .names = names, .n_names = 1};
    assert_int_equal(px_reply_new(&setup, &r, NULL), PITH_OK);
    assert_int_equal(px_reply_push(r, "Hi", 2, stop_at_once, &n, &err), PITH_E_CANCELLED);
    assert_int_equal(px_reply_push(r, "Hi", 2, stop_at_once, &n, NULL), PITH_E_CANCELLED);
    assert_int_equal(px_reply_finish(r, stop_at_once, &n, NULL), PITH_E_CANCELLED);
    assert_int_equal(n, 1);
    px_reply_free(r);
    test_syntax_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tagged_objects),
        cmocka_unit_test(reads_mistral_lists),
        cmocka_unit_test(reads_llama),
        cmocka_unit_test(reads_what_is_told),
        cmocka_unit_test(splits_reasoning),
        cmocka_unit_test(streams_held_arguments),
        cmocka_unit_test(tells_arguments_at_once),
        cmocka_unit_test(takes_one_call_only),
        cmocka_unit_test(makes_ids),
        cmocka_unit_test(takes_out_end_tokens),
        cmocka_unit_test(ends_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

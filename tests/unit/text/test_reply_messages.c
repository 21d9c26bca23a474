/* text/reply_messages: conversations of clients, made into what each template takes. */
#include "replies.h"

#include "base/limits.h"
#include "text/reply_messages.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define QWEN    "Qwen-Qwen2.5-7B-Instruct.jinja"
#define QWEN3   "Qwen-Qwen3-0.6B.jinja"
#define LLAMA31 "meta-llama-Llama-3.1-8B-Instruct.jinja"
#define MISTRAL "mistralai-Mistral-Nemo-Instruct-2407.jinja"
#define GEMMA   "google-gemma-2-2b-it.jinja"
#define PHI     "microsoft-Phi-3.5-mini-instruct.jinja"

#define TOOLS \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{}}}]"

static const char *normalized(const char *file, const char *json)
{
    test_syntax s;
    px_buf out = {0};
    pith_error err = {0};
    test_syntax_load(&s, file);
    if (px_messages_normalize(&s.syntax, json, strlen(json), &out, &err) != PITH_OK)
        fail_msg("%s", err.text);
    const char *made = test_format("%s", out.data);
    px_buf_clear(&out);
    test_syntax_clear(&s);
    return made;
}

/* What the model reads. */
static const char *rendered(const char *file, const char *json)
{
    const char *made =
        normalized(file, test_format("{\"bos_token\":\"\",\"eos_token\":\"</s>\",%s", json + 1));
    test_syntax s;
    px_rendered r;
    pith_error err = {0};
    test_syntax_load(&s, file);
    if (px_template_render(s.t, made, strlen(made), 0, &r, &err) != PITH_OK)
        fail_msg("%s in %s", err.text, made);
    const char *text = test_format("%s", r.text.data);
    px_rendered_clear(&r);
    test_syntax_clear(&s);
    return text;
}

static void joins_parts_and_renames_roles(void **state)
{
    (void)state;
    assert_string_equal(
        normalized(QWEN, "{\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\","
                         "\"text\":\"Be \"},{\"type\":\"text\",\"text\":\"brief.\"}]},{\"role\":"
                         "\"user\",\"content\":\"Hi\",\"name\":\"Ann\"},{\"role\":\"assistant\","
                         "\"content\":null}],\"date_string\":\"x\",\"add_generation_prompt\":false,"
                         "\"tools\":[],\"chat_template_kwargs\":{\"k\":[1]}}"),
        "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\","
        "\"content\":\"Hi\",\"name\":\"Ann\"},{\"role\":\"assistant\",\"content\":\"\"}],"
        "\"date_string\":\"x\",\"add_generation_prompt\":false,\"k\":[1]}");
}

static void makes_arguments_objects(void **state)
{
    (void)state;
    assert_string_equal(
        normalized(QWEN, "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
                         "\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"add\","
                         "\"arguments\":\"{\\\"a\\\": 1}\"}},{\"function\":{\"name\":\"now\","
                         "\"arguments\":{\"b\":2}}},{\"id\":\"c\",\"function\":{\"name\":\"cut\","
                         "\"arguments\":\"{\\\"a\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a\","
                         "\"content\":\"3\"},{\"role\":\"tool\",\"content\":\"noon\"}]}"),
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"type\":"
        "\"function\",\"id\":\"a\",\"function\":{\"name\":\"add\",\"arguments\":{\"a\": 1}}},{"
        "\"type\":\"function\",\"id\":\"call_0_1\",\"function\":{\"name\":\"now\",\"arguments\":{"
        "\"b\":2}}},{\"type\":\"function\",\"id\":\"c\",\"function\":{\"name\":\"cut\","
        "\"arguments\":\"{\\\"a\"}}]},{\"role\":\"tool\",\"content\":\"3\",\"name\":\"add\","
        "\"tool_call_id\":\"a\"},{\"role\":\"tool\",\"content\":\"noon\",\"name\":\"now\","
        "\"tool_call_id\":\"call_0_1\"}],\"add_generation_prompt\":true}");
}

static const char AGENT[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Help.\"},{\"role\":\"user\",\"content\":\"1+"
    "1, and the time?\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_"
    "one\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}},{"
    "\"id\":\"call_two\",\"type\":\"function\",\"function\":{\"name\":\"now\",\"arguments\":\"{}\"}"
    "}]},{\"role\":\"tool\",\"tool_call_id\":\"call_two\",\"content\":\"noon\"},{\"role\":\"tool\","
    "\"tool_call_id\":\"call_one\",\"content\":\"2\"}]," TOOLS "}";

static void gives_mistral_its_ids(void **state)
{
    (void)state;
    const char *text = rendered(MISTRAL, AGENT);
    const char *calls = strstr(text, "[TOOL_CALLS]");
    char one[10], two[10], first[10], second[10];
    assert_non_null(calls);
    assert_int_equal(
        sscanf(calls,
               "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"a\": 1}, \"id\": "
               "\"%9[a-zA-Z0-9]\"}, {\"name\": \"now\", \"arguments\": {}, \"id\": "
               "\"%9[a-zA-Z0-9]\"}]</s>[TOOL_RESULTS]{\"content\": noon, \"call_id\": "
               "\"%9[a-zA-Z0-9]\"}[/TOOL_RESULTS][TOOL_RESULTS]{\"content\": 2, \"call_id\": "
               "\"%9[a-zA-Z0-9]\"}[/TOOL_RESULTS]",
               one, two, first, second),
        4);
    assert_int_equal(strlen(one), 9);
    assert_string_not_equal(one, two);
    assert_string_equal(one, second);
    assert_string_equal(two, first);
}

static void takes_turns_where_calls_do(void **state)
{
    (void)state;
    const char *text = rendered(LLAMA31, AGENT);
    assert_non_null(strstr(
        text, "{\"name\": \"add\", \"parameters\": {\"a\": 1}}<|eot_id|><|start_header_id|>ipython"
              "<|end_header_id|>\n\n\"2\"<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
              "\n\n{\"name\": \"now\", \"parameters\": {}}<|eot_id|><|start_header_id|>ipython"
              "<|end_header_id|>\n\n\"noon\"<|eot_id|><|start_header_id|>assistant"
              "<|end_header_id|>\n\n"));
}

static void tells_of_tools_where_a_template_does_not(void **state)
{
    (void)state;
    assert_string_equal(
        rendered(GEMMA, AGENT),
        "<start_of_turn>user\nHelp.\n\n# Functions\n\nThese functions can be called, where they "
        "help. Each line is one of them in JSON:\n<tools>\n{\"name\":\"add\",\"parameters\":{}}\n"
        "</tools>\n\nA call is written like this, with the function's name and its arguments as a "
        "JSON object:\n<tool_call>\n{\"name\": \"NAME\", \"arguments\": {\"KEY\": VALUE}}\n"
        "</tool_call>\n\nSeveral calls may stand one after the other; nothing follows them. What "
        "they give comes back between <tool_response> and </tool_response>.\n\n1+1, and the "
        "time?<end_of_turn>\n<start_of_turn>model\n<tool_call>\n{\"name\": \"add\", "
        "\"arguments\": {\"a\":1}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\", \"arguments\": "
        "{}}\n</tool_call><end_of_turn>\n<start_of_turn>user\n<tool_response>\nnoon\n"
        "</tool_response>\n\n<tool_response>\n2\n</tool_response><end_of_turn>\n"
        "<start_of_turn>model\n");
    const char *phi = rendered(PHI, AGENT);
    assert_non_null(strstr(phi, "<|system|>\nHelp.\n\n# Functions\n"));
    assert_non_null(strstr(phi, "<|user|>\n<tool_response>\nnoon\n</tool_response><|end|>\n<|user|>"
                                "\n<tool_response>\n2\n</tool_response><|end|>\n<|assistant|>\n"));
}

static void puts_system_messages_where_they_are_taken(void **state)
{
    (void)state;
    static const char late[] =
        "{\"messages\":[{\"role\":\"system\",\"content\":\"A\"},{\"role\":\"system\",\"content\":"
        "\"B\"},{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\",\"content\":\"2\"},{"
        "\"role\":\"system\",\"content\":\"C\"},{\"role\":\"user\",\"content\":\"3\"},{\"role\":"
        "\"user\",\"content\":\"4\"}]}";
    assert_string_equal(rendered(GEMMA, late),
                        "<start_of_turn>user\nA\n\nB\n\nC\n\n1<end_of_turn>\n<start_of_turn>model\n"
                        "2<end_of_turn>\n<start_of_turn>user\n3\n\n4<end_of_turn>\n"
                        "<start_of_turn>model\n");
    assert_string_equal(rendered(MISTRAL, late),
                        "[INST]1[/INST]2</s>[INST]A\n\nB\n\nC\n\n3\n\n4[/INST]");
    assert_string_equal(rendered(QWEN, late),
                        "<|im_start|>system\nA\n\nB<|im_end|>\n<|im_start|>user\n1<|im_end|>\n"
                        "<|im_start|>assistant\n2<|im_end|>\n<|im_start|>system\nC<|im_end|>\n"
                        "<|im_start|>user\n3<|im_end|>\n<|im_start|>user\n4<|im_end|>\n"
                        "<|im_start|>assistant\n");
}

static void keeps_reasoning_where_it_is_printed(void **state)
{
    (void)state;
    static const char json[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\",\"reasoning\""
        ":\"Hm\",\"content\":\"\",\"tool_calls\":[{\"id\":\"x\",\"function\":{\"name\":\"add\","
        "\"arguments\":{}}}]},{\"role\":\"tool\",\"tool_call_id\":\"x\",\"content\":\"2\"}]}";
    assert_non_null(strstr(rendered(QWEN3, json), "<think>\nHm\n</think>\n\n<tool_call>"));
    assert_null(strstr(rendered(QWEN, json), "Hm"));
}

static void switches_thinking(void **state)
{
    (void)state;
    assert_non_null(strstr(rendered(QWEN3, "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"}],"
                                           "\"enable_thinking\":false}"),
                           "assistant\n<think>\n\n</think>\n\n"));
    test_syntax s;
    test_syntax_parse(&s, "{{ messages[0].content }}{% if thinking %}<think>{% endif %}</think>");
    assert_true(s.syntax.think_switch);
    px_buf out = {0};
    static const char json[] =
        "{\"messages\":[],\"chat_template_kwargs\":{\"enable_thinking\":true}}";
    assert_int_equal(px_messages_normalize(&s.syntax, json, sizeof json - 1, &out, NULL), PITH_OK);
    assert_string_equal(out.data,
                        "{\"messages\":[],\"thinking\":true,\"add_generation_prompt\":true}");
    px_buf_clear(&out);
    test_syntax_clear(&s);
}

static void fills_the_member_tools_of_a_system_message(void **state)
{
    (void)state;
    test_syntax s;
    test_syntax_parse(&s, "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
                          "{% if m.tools %}<|tool|>{{ m.tools }}<|/tool|>{% endif %}<|end|>"
                          "{% endfor %}");
    assert_int_equal(s.syntax.tools, PX_TOOLS_SYSTEM);
    px_buf out = {0};
    static const char json[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"}]," TOOLS "}";
    assert_int_equal(px_messages_normalize(&s.syntax, json, sizeof json - 1, &out, NULL), PITH_OK);
    assert_string_equal(out.data,
                        "{\"messages\":[{\"role\":\"system\",\"content\":\"\",\"tools\":\"[{"
                        "\\\"name\\\":\\\"add\\\",\\\"parameters\\\":{}}]\"},{\"role\":\"user\","
                        "\"content\":\"1\"}],\"add_generation_prompt\":true}");
    px_buf_clear(&out);
    test_syntax_clear(&s);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        pith_status status;
        const char *text;
    } all[] = {
        {"[]", PITH_E_ARGUMENT, "a conversation is an array, expected an object"},
        {"{}", PITH_E_ARGUMENT, "messages is missing, expected an array of messages"},
        {"{\"messages\":[1]}", PITH_E_ARGUMENT,
         "messages[0] is a number, expected an object with role and content"},
        {"{\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}", PITH_E_ARGUMENT,
         "messages[0].role is 'king', expected system, developer, user, assistant or tool"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":7}]}", PITH_E_ARGUMENT,
         "messages[0].content is a number, expected a string, null or an array of parts"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}",
         PITH_E_UNSUPPORTED,
         "messages[0].content holds a part of type 'image_url', and this model reads text only"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{}}]}]}",
         PITH_E_ARGUMENT, "messages[0].tool_calls[].function.name is missing, expected a string"},
        {"{\"messages\":[],\"tools\":{}}", PITH_E_ARGUMENT,
         "tools is an object, expected an array"},
    };
    test_syntax s;
    test_syntax_load(&s, QWEN);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        px_buf out = {0};
        pith_error err = {0};
        assert_int_equal(
            px_messages_normalize(&s.syntax, all[i].json, strlen(all[i].json), &out, &err),
            all[i].status);
        assert_string_equal(err.text, all[i].text);
        px_buf_clear(&out);
    }
    test_syntax_clear(&s);
}

/* {"messages":[ n times the message, whose %d is its number ]} */
static void put_many(px_buf *out, int n, const char *before, const char *message, const char *after)
{
    px_buf_printf(out, "{\"messages\":[%s", before);
    for (int i = 0; i < n; i++) {
        px_buf_puts(out, i > 0 ? "," : "");
        px_buf_printf(out, message, i);
    }
    px_buf_printf(out, "%s]}", after);
}

/* Reads and shapes a conversation in at most that much memory. */
static void shape_within(const px_reply_syntax *syntax, const px_buf *json, px_arena *arena,
                         size_t limit, px_messages *m)
{
    px_json object;
    assert_int_equal(px_json_check("json", json->data, json->len, &object, NULL), PITH_OK);
    px_arena_init(arena, 0, limit);
    *m = (px_messages){.arena = arena, .syntax = syntax};
    assert_int_equal(px_messages_read(m, object), PITH_OK);
    assert_int_equal(px_messages_shape(m), PITH_OK);
}

/* Joining one message after the other would take half a gigabyte. */
static void joins_thousands_of_messages_in_little_memory(void **state)
{
    (void)state;
    enum { N = 3000 };
    static const char *const roles[] = {"system", "user"};
    for (int i = 0; i < 2; i++) {
        test_syntax s;
        px_buf json = {0};
        px_arena arena;
        px_messages m;
        test_syntax_parse(&s, "{% for m in messages %}{% if not loop.first and m.role == "
                              "messages[loop.index0 - 1].role %}{{ raise_exception('again') }}"
                              "{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}");
        assert_false(s.syntax.repeats);
        put_many(&json, N, "", test_format("{\"role\":\"%s\",\"content\":\"%%0100d\"}", roles[i]),
                 "");
        shape_within(&s.syntax, &json, &arena, 8u << 20, &m);
        assert_int_equal(m.n, 1);
        assert_int_equal(m.list[0].text.len, N * 102 - 2);
        assert_memory_equal(m.list[0].text.data + 98, "00\n\n000", 7);
        assert_memory_equal(m.list[0].text.data + N * 102 - 6, "2999", 4);
        px_arena_clear(&arena);
        px_buf_clear(&json);
        test_syntax_clear(&s);
    }
}

/* Results without ids belong to the calls in their order, in turns of one call too. */
static void finds_the_calls_of_many_results(void **state)
{
    (void)state;
    enum { N = PX_MAX_TURN_CALLS };
    test_syntax s;
    px_buf calls = {0}, results = {0}, json = {0};
    px_arena arena;
    px_messages m;
    test_syntax_parse(&s, "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}{{ "
                          "m.tool_calls[0].function | tojson }}{% else %}{{ m.content }}{% endif "
                          "%}{% endfor %}");
    assert_true(s.syntax.calls_native && !s.syntax.forms[0].sep.data);
    put_many(&calls, N, "", "{\"function\":{\"name\":\"f%d\"}}", "");
    put_many(&results, N, "", "{\"role\":\"tool\",\"content\":\"r%d\"}", "");
    px_buf_printf(&json, "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":%.*s},%.*s]}",
                  (int)calls.len - 13, calls.data + 12, (int)results.len - 15, results.data + 13);
    shape_within(&s.syntax, &json, &arena, 8u << 20, &m);
    assert_int_equal(m.n, 2 * N);
    for (int i = 0; i < N; i++) {
        const px_message *turn = &m.list[2 * i], *result = turn + 1;
        assert_int_equal(turn->n_calls, 1);
        assert_true(px_str_is(turn->calls[0].name, test_format("f%d", i)));
        assert_int_equal(result->role, PX_ROLE_TOOL);
        assert_true(px_str_is(result->text, test_format("r%d", i)));
        assert_true(px_str_is(result->name, test_format("f%d", i)));
        assert_true(px_str_eq(result->id, turn->calls[0].id));
    }
    px_arena_clear(&arena);
    px_buf_clear(&calls);
    px_buf_clear(&results);
    px_buf_clear(&json);
    test_syntax_clear(&s);
}

static void refuses_too_many_calls_of_a_turn(void **state)
{
    (void)state;
    test_syntax s;
    px_buf json = {0}, out = {0};
    pith_error err = {0};
    test_syntax_parse(&s, "{{ messages[0].content }}");
    put_many(&json, PX_MAX_TURN_CALLS + 1, "{\"role\":\"assistant\",\"tool_calls\":[",
             "{\"name\":\"f%d\"}", "]}");
    assert_int_equal(px_messages_normalize(&s.syntax, json.data, json.len, &out, &err),
                     PITH_E_LIMIT);
    assert_string_equal(err.text, "messages[0].tool_calls holds 1025 calls, at most 1024 are read");
    px_buf_clear(&json);
    px_buf_clear(&out);
    test_syntax_clear(&s);
}

/* What a template prints for a call is what is read as that call, whatever the template. */
static void reads_what_templates_print(void **state)
{
    (void)state;
    static const char *const files[] = {QWEN,
                                        QWEN3,
                                        LLAMA31,
                                        MISTRAL,
                                        GEMMA,
                                        PHI,
                                        "HuggingFaceTB-SmolLM3-3B.jinja",
                                        "meta-llama-Llama-3.2-3B-Instruct.jinja"};
    static const char asked[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]," TOOLS "}";
    static const char called[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":"
        "\"\",\"tool_calls\":[{\"id\":\"abcdefghi\",\"function\":{\"name\":\"get_weather\","
        "\"arguments\":\"{\\\"city\\\": \\\"\\u00c5s </tool_call> ]}\\\", \\\"n\\\": [1, "
        "null]}\"}}]}],"
        "\"add_generation_prompt\":false," TOOLS "}";
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *prompt = rendered(files[i], asked), *all = rendered(files[i], called);
        assert_int_equal(strncmp(all, prompt, strlen(prompt)), 0);
        char *answer = test_keep(strlen(all) + 1);
        strcpy(answer, all + strlen(prompt));
        static const char *const ends[] = {"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>",
                                           "</s>"};
        for (size_t e = 0; e < 5; e++)
            if (strstr(answer, ends[e]))
                *strstr(answer, ends[e]) = '\0';
        test_syntax s;
        test_syntax_load(&s, files[i]);
        const char *line = test_reply_line(&s.syntax, NULL, answer, 0);
        test_reads(&s.syntax, NULL, answer, line);
        test_reads(&s.syntax, &(test_reading){.setup = {.held = true}}, answer, line);
        assert_int_equal(strncmp(line, "F(get_weather){", 15), 0);
        /* Templates differ in how they write a letter beyond ASCII. */
        const char *city = strstr(line, "\"city\": \"");
        assert_non_null(city);
        assert_true(strncmp(city + 9, "\xc3\x85s ", 4) == 0 ||
                    strncmp(city + 9, "\\u00c5s ", 8) == 0);
        assert_string_equal(strstr(city, "s </"), "s </tool_call> ]}\", \"n\": [1, null]}.");
        test_syntax_clear(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_parts_and_renames_roles),
        cmocka_unit_test(makes_arguments_objects),
        cmocka_unit_test(gives_mistral_its_ids),
        cmocka_unit_test(takes_turns_where_calls_do),
        cmocka_unit_test(tells_of_tools_where_a_template_does_not),
        cmocka_unit_test(puts_system_messages_where_they_are_taken),
        cmocka_unit_test(keeps_reasoning_where_it_is_printed),
        cmocka_unit_test(switches_thinking),
        cmocka_unit_test(fills_the_member_tools_of_a_system_message),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(joins_thousands_of_messages_in_little_memory),
        cmocka_unit_test(finds_the_calls_of_many_results),
        cmocka_unit_test(refuses_too_many_calls_of_a_turn),
        cmocka_unit_test(reads_what_templates_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

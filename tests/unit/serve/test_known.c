/* What is told of members that nobody knows, and which are refused, in every dialect. */
#include "dialects.h"

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

typedef struct example {
    const char *body, *expect;
} example;

static void check(const char *path, const example *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_string_equal(told(path, all[i].body), all[i].expect);
}
#define CHECK(path, all) check(path, all, sizeof(all) / sizeof *(all))

#define IGNORED(name)     "unknown field \"" name "\" ignored"
#define MEANT(name, that) IGNORED(name) ": did you mean \"" that "\"?"
#define IDLE(name)        "field \"" name "\" has no effect here"

static void openai_chat(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\",\"name\":\"n\"}],\"user\":\"u\","
         "\"store\":true,\"metadata\":{\"a\":\"b\"},\"service_tier\":\"flex\","
         "\"safety_identifier\":\"s\",\"prompt_cache_key\":\"k\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}}",
         ""},
        {"{\"messages\":[],\"foo\":1}", IGNORED("foo")},
        {"{\"messages\":[],\"temprature\":1}", MEANT("temprature", "temperature")},
        {"{\"mesages\":[],\"max_tokesn\":1}",
         MEANT("mesages", "messages") "; " MEANT("max_tokesn", "max_tokens")},
        {"{\"messages\":[],\"Top_P\":1}", MEANT("Top_P", "top_p")},
        {"{\"messages\":[],\"topp\":1,\"nn\":1,\"xyz\":1}",
         MEANT("topp", "top_p") "; " MEANT("nn", "n") "; " IGNORED("xyz")},
        /* Escapes are resolved before names are compared. */
        {"{\"messages\":[],\"t\\u006fp_p\":1}", ""},
        {"{\"messages\":[{\"role\":\"user\",\"contnet\":\"x\"},{\"role\":\"user\",\"contnet\":1,"
         "\"weight\":1}]}",
         MEANT("messages[].contnet", "content") "; " IGNORED("messages[].weight")},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"txet\":\"x\"}]}]}",
         MEANT("messages[].content[].txet", "text")},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{"
         "\"name\":\"f\",\"argument\":\"{}\"}}]}]}",
         MEANT("messages[].tool_calls[].function.argument", "arguments")},
        {"{\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
         "\"descripton\":\"d\",\"parameters\":{\"whatever\":1}},\"extra\":1}]}",
         MEANT("tools[].function.descripton", "description") "; " IGNORED("tools[].extra")},
        {"{\"messages\":[],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
         "\"name\":\"n\",\"shema\":{}}}}",
         MEANT("response_format.json_schema.shema", "schema")},
        {"{\"messages\":[],\"response_format\":{\"typ\":\"json_object\"}}",
         MEANT("response_format.typ", "type")},
        {"{\"messages\":[],\"stream_options\":{\"include_usages\":true}}",
         MEANT("stream_options.include_usages", "include_usage")},
        {"{\"messages\":[],\"verbosity\":\"low\"}", IDLE("verbosity")},
        {"{\"messages\":[],\"functions\":[{}]}",
         "400 functions: 'functions' is not supported: use 'tools'"},
        {"{\"messages\":[],\"functions\":[],\"function_call\":\"none\",\"audio\":null,"
         "\"modalities\":[\"text\"],\"lora\":[],\"n_probs\":0,\"skip_special_tokens\":true,"
         "\"stop_token_ids\":[],\"use_beam_search\":false,\"length_penalty\":1.0,\"echo\":false}",
         ""},
        {"{\"messages\":[],\"lora\":[{\"id\":0,\"scale\":1}]}", ""},
        {"{\"messages\":[],\"stop_token_ids\":[5]}",
         "400 stop_token_ids: 'stop_token_ids' is not supported: use 'stop' with texts"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"images\":[\"AA\"]}]}",
         "400 messages[].images: 'messages[].images' is not supported: only text is read here"},
        {"{\"messages\":[],\"prompt\":\"x\"}",
         "400 prompt: 'prompt' is not supported: it is known on /v1/completions; use 'messages'"},
    };
    CHECK("/v1/chat/completions", ALL);
    CHECK("/v1/chat/completions/input_tokens", ALL);
    assert_string_equal(
        parsed("/v1/chat/completions", "{\"messages\":[{}],\"add_generation_prompt\":false}"),
        "400 add_generation_prompt: 'add_generation_prompt' is false: an answer is "
        "what is asked for here; leave it out, or set 'continue_final_message'");
    assert_string_equal(
        parsed("/v1/chat/completions", "{\"messages\":[{}],\"reasoning_format\":\"legacy\"}"),
        "400 reasoning_format: 'reasoning_format' is \"legacy\", expected \"auto\" (thoughts in "
        "'reasoning_content') or \"none\" (in 'content')");
}

static void openai_others(void **state)
{
    (void)state;
    assert_string_equal(told("/v1/completions", "{\"prompt\":\"x\",\"echo\":true,\"promt\":1}"),
                        MEANT("promt", "prompt"));
    assert_string_equal(told("/v1/completions", "{\"prompt\":\"x\",\"messages\":[{}]}"),
                        "400 messages: 'messages' is not supported: it is known on "
                        "/v1/chat/completions; use 'prompt'");
    assert_string_equal(told("/v1/embeddings", "{\"input\":\"x\",\"user\":\"u\",\"dimension\":5}"),
                        MEANT("dimension", "dimensions"));
    assert_string_equal(told("/v1/embeddings", "{\"input\":\"x\",\"input_type\":\"query\"}"),
                        "400 input_type: 'input_type' is not supported: write the instruction that "
                        "the model wants into 'input'");
    assert_string_equal(told("/v1/rerank", "{\"query\":\"x\",\"document\":[]}"),
                        MEANT("document", "documents"));
    assert_string_equal(told("/tokenize", "{\"content\":\"x\",\"with_piece\":true}"),
                        MEANT("with_piece", "with_pieces"));
    assert_string_equal(told("/detokenize", "{\"token\":[]}"), MEANT("token", "tokens"));
}

static void anthropic(void **state)
{
    (void)state;
#define ASK                                                                                      \
    "{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":" \
    "\"text\",\"text\":\"Hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]"
    static const example ALL[] = {
        {ASK ",\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\",\"mcp_servers\":[]}", ""},
        {ASK ",\"stop_sequence\":[\"x\"]}", MEANT("stop_sequence", "stop_sequences")},
        {ASK ",\"thinking\":{\"type\":\"enabled\",\"budget\":5}}", IGNORED("thinking.budget")},
        {ASK ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"x\":1},\"inputschema\":1}]}",
         MEANT("tools[].inputschema", "input_schema")},
        {ASK ",\"stop\":[\"x\"]}", "400 stop: 'stop' is not supported: use 'stop_sequences'"},
        {ASK ",\"mcp_servers\":[{\"url\":\"x\"}]}",
         "400 mcp_servers: 'mcp_servers' is not supported: it is a service of Anthropic's that "
         "pith does not have; leave it out"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
         "\"1\",\"is_eror\":true,\"content\":[{\"type\":\"text\",\"text\":\"x\",\"t\":1}]}]}]}",
         MEANT("messages[].content[].is_eror",
               "is_error") "; " IGNORED("messages[].content[].content[].t")},
    };
    CHECK("/v1/messages", ALL);
    CHECK("/v1/messages/count_tokens", ALL);
    assert_string_equal(
        parsed("/v1/messages",
               ASK ",\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"null\"}}}"),
        "chat model=m messages=[{\"role\":\"user\",\"content\":\"Hi\"}] think=0 max=5 "
        "format=schema schema={\"type\":\"null\"}");
#undef ASK
}

static void responses(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"input\":\"x\",\"store\":true,\"metadata\":{},\"user\":\"u\",\"background\":false,"
         "\"text\":{\"format\":{\"type\":\"text\"}},\"reasoning\":{\"summary\":\"auto\"}}",
         ""},
        {"{\"input\":\"x\",\"text\":{\"verbosity\":\"low\"}}", IDLE("text.verbosity")},
        {"{\"input\":\"x\",\"instruction\":\"y\"}", MEANT("instruction", "instructions")},
        {"{\"input\":[{\"role\":\"user\",\"content\":\"x\",\"foo\":1}]}", IGNORED("input[].foo")},
        {"{\"input\":\"x\",\"background\":true}",
         "400 background: 'background' is not supported: pith keeps no responses to be fetched "
         "later; use 'stream'"},
        {"{\"input\":\"x\",\"previous_response_id\":\"resp_1\"}",
         "400 previous_response_id: 'previous_response_id' is not supported: it needs a server "
         "that keeps responses, and pith keeps none; send the whole conversation in 'input'"},
        {"{\"input\":\"x\",\"max_tokens\":5}",
         "400 max_tokens: 'max_tokens' is not supported: use 'max_output_tokens'"},
    };
    CHECK("/v1/responses", ALL);
    CHECK("/v1/responses/input_tokens", ALL);
}

static void ollama(void **state)
{
    (void)state;
    static const example CHAT[] = {
        {"{\"model\":\"m\",\"messages\":[],\"options\":{\"num_gpu\":1,\"use_mmap\":true,\"stop\":[]"
         "}}",
         ""},
        {"{\"model\":\"m\",\"options\":{\"temperatur\":0,\"tfs_z\":1}}",
         MEANT("options.temperatur", "temperature") "; " IDLE("options.tfs_z")},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"tool_nam\":\"f\"}]"
         "}",
         MEANT("messages[].tool_nam", "tool_name")},
        {"{\"model\":\"m\",\"keepalive\":5}", MEANT("keepalive", "keep_alive")},
        {"{\"model\":\"m\",\"system\":\"s\"}",
         "400 system: 'system' is not supported: give it as the first of 'messages'"},
    };
    CHECK("/api/chat", CHAT);
    assert_string_equal(told("/api/generate", "{\"model\":\"m\",\"promt\":\"x\"}"),
                        MEANT("promt", "prompt"));
    assert_string_equal(told("/api/generate", "{\"model\":\"m\",\"messages\":[{}]}"),
                        "400 messages: 'messages' is not supported: it is known on /api/chat");
    assert_string_equal(told("/api/embed", "{\"model\":\"m\",\"inputs\":\"x\"}"),
                        MEANT("inputs", "input"));
    assert_string_equal(told("/api/embeddings", "{\"model\":\"m\",\"input\":\"x\"}"),
                        "400 input: 'input' is not supported: it is known on /api/embed; use "
                        "'prompt'");
    assert_string_equal(told("/api/show", "{\"model\":\"m\",\"verbos\":true}"),
                        MEANT("verbos", "verbose"));
    assert_string_equal(told("/api/pull", "{\"model\":\"m\",\"steam\":false}"),
                        MEANT("steam", "stream"));
    assert_string_equal(told("/api/copy", "{\"source\":\"m\",\"dest\":\"n\"}"), IGNORED("dest"));
    assert_string_equal(told("/api/delete", "{\"modle\":\"m\"}"), MEANT("modle", "model"));
}

/* What a hostile name may not do: end the header, end the quotation, or make it long. */
static void names_are_tamed(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"messages\":[],\"a\\r\\nSet-Cookie: b\":1}", IGNORED("a?r?nSet-Cookie: b")},
        {"{\"messages\":[],\"\xc3\xa4\\\"; x\":1}", IGNORED("????? x")},
        {"{\"messages\":[],\"\":1}", IGNORED("")},
        {"{\"messages\":[],\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff\":1}",
         IGNORED("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee...")},
    };
    CHECK("/v1/chat/completions", ALL);
    px_buf body = {0};
    px_buf_puts(&body, "{\"messages\":[]");
    for (int i = 0; i < 2000; i++)
        px_buf_printf(&body, ",\"unknown%d\":1", i);
    px_buf_puts(&body, "}");
    const char *text = told("/v1/chat/completions", body.data);
    px_buf_clear(&body);
    size_t n = strlen(text);
    assert_true(n < 512);
    assert_string_equal(text + n - 10, "; and more");
    assert_int_equal(strncmp(text, IGNORED("unknown0") "; ", strlen(IGNORED("unknown0") "; ")), 0);
    /* Beyond what is told, refusals still hold. */
    px_buf_puts(&body, "{\"messages\":[]");
    for (int i = 0; i < 100; i++)
        px_buf_printf(&body, ",\"unknown%d\":1", i);
    px_buf_puts(&body, ",\"functions\":[1]}");
    assert_string_equal(told("/v1/chat/completions", body.data),
                        "400 functions: 'functions' is not supported: use 'tools'");
    px_buf_clear(&body);
}

static void bodies(void **state)
{
    (void)state;
    assert_string_equal(told("/api/show", "[]"), "400 : the body is an array, expected an object");
    assert_int_equal(strncmp(told("/api/show", ""), "400 : the body is not JSON: ", 28), 0);
    assert_int_equal(strncmp(told("/v1/messages", "{\"a\":}"), "400 : the body is not JSON: ", 28),
                     0);
}

/* A route whose body is JSON says what is known of it. */
static void no_route_is_without(void **state)
{
    (void)state;
    static const serve_route *(*const LISTS[])(int *n) = {
        serve_routes_openai, serve_routes_responses, serve_routes_anthropic, serve_routes_ollama};
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        int n;
        const serve_route *routes = LISTS[i](&n);
        for (int k = 0; k < n; k++)
            if (strcmp(routes[k].method, "GET") != 0 && !routes[k].take &&
                strcmp(routes[k].path, "/api/push") != 0 && !routes[k].known)
                fail_msg("%s %s has no table", routes[k].method, routes[k].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_chat), cmocka_unit_test(openai_others),
        cmocka_unit_test(anthropic),   cmocka_unit_test(responses),
        cmocka_unit_test(ollama),      cmocka_unit_test(names_are_tamed),
        cmocka_unit_test(bodies),      cmocka_unit_test(no_route_is_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

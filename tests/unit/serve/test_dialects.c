/* Bodies of Ollama's, Anthropic's and the Responses API: what they mean, and which are refused. */
#include "dialects.h"

#include <cmocka.h>
#include <string.h>

typedef struct example {
    const char *body, *expect;
} example;

static void check(const char *path, const example *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_string_equal(parsed(path, all[i].body), all[i].expect);
}
#define CHECK(path, all) check(path, all, sizeof(all) / sizeof *(all))

#define USUAL " overflow=shift keep=4"

/* ------------------------------------------------------------------ Ollama */

static void ollama_chat(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
         "chat model=m messages=[{\"role\":\"user\",\"content\":\"Hi\"}]" USUAL " stream"},
        {"{\"model\":\"m\",\"stream\":false,\"messages\":["
         "{\"role\":\"system\",\"content\":\"a\\nb\"},"
         "{\"role\":\"assistant\",\"thinking\":\"t\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
         "\"arguments\":{\"b\":1,\"a\":2}}}]},"
         "{\"role\":\"tool\",\"tool_name\":\"f\",\"content\":\"r\"}],\"tools\":[{\"type\":"
         "\"function\"}]}",
         "chat model=m messages=[{\"role\":\"system\",\"content\":\"a\\nb\"},"
         "{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"t\",\"tool_calls\":[{"
         "\"function\":{\"name\":\"f\",\"arguments\":{\"b\":1,\"a\":2}}}]},"
         "{\"role\":\"tool\",\"content\":\"r\",\"name\":\"f\"}] "
         "tools=[{\"type\":\"function\"}]" USUAL},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},"
         "{\"role\":\"assistant\",\"content\":\"Yes, \"}]}",
         "chat model=m messages=[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
         "\"content\":\"Yes, \"}] continue" USUAL " stream"},
        {"{\"model\":\"m\",\"messages\":[]}", "load model=m" USUAL},
        {"{\"model\":\"m\",\"keep_alive\":0}", "load model=m" USUAL " alive=0"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}",
         "400 messages[0].role: 'messages[0].role' is \"robot\", expected \"system\", \"user\", "
         "\"assistant\" or \"tool\""},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
         "400 messages[0].content: 'messages[0].content' is an array, expected a string"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"images\":[\"AA\"]}]"
         "}",
         "400 messages[0].images: 'messages[0].images' holds images, and pith reads text only: "
         "this "
         "model has no vision"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{"
         "\"name\":\"f\",\"arguments\":\"{}\"}}]}]}",
         "400 messages[0].tool_calls: 'messages[0].tool_calls' has a call whose "
         "'function.arguments' are no object"},
        {"{\"messages\":[]}", "400 model: 'model' is required"},
        {"{\"model\":\"m\",\"messages\":7}",
         "400 messages: 'messages' is a number, expected an array"},
    };
    CHECK("/api/chat", ALL);
}

static void ollama_generate(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"model\":\"m\",\"prompt\":\"Hi\",\"system\":\"S\",\"context\":[5,6]}",
         "chat model=m messages=[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\","
         "\"content\":\"Hi\"}] prefix=5,6" USUAL " tokens stream"},
        {"{\"model\":\"m\",\"prompt\":\"<s>Hi\",\"raw\":true,\"stream\":false}",
         "text model=m input=<s>Hi special" USUAL},
        {"{\"model\":\"m\",\"prompt\":\"a(\",\"suffix\":\")\"}",
         "text model=m input=a( special suffix=)" USUAL " stream"},
        {"{\"model\":\"m\"}", "load model=m" USUAL},
        {"{\"model\":\"m\",\"prompt\":\"\",\"keep_alive\":\"5m\"}",
         "load model=m" USUAL " alive=300"},
        {"{\"model\":\"m\",\"prompt\":\"x\",\"raw\":true,\"system\":\"S\"}",
         "400 raw: 'raw' is true: 'system' and 'context' have no place then"},
        {"{\"model\":\"m\",\"prompt\":\"x\",\"context\":[1,\"2\"]}",
         "400 context: 'context[1]' is \"2\", expected a token of an earlier answer"},
        {"{\"model\":\"m\",\"prompt\":\"x\",\"template\":\"{{ .Prompt }}\"}",
         "400 template: 'template' is not taken from a request: pith runs the model's own "
         "template; "
         "leave it out, or give raw prompts with \"raw\": true"},
        {"{\"model\":\"m\",\"prompt\":\"x\",\"template\":\"\",\"images\":[],\"format\":\"\"}",
         "chat model=m messages=[{\"role\":\"user\",\"content\":\"x\"}]" USUAL " tokens stream"},
    };
    CHECK("/api/generate", ALL);
}

#define PROMPT "{\"model\":\"m\",\"raw\":true,\"stream\":false,\"prompt\":\"x\","
#define MEANS  "text model=m input=x special"

static void ollama_options(void **state)
{
    (void)state;
    static const example ALL[] = {
        {PROMPT "\"options\":{\"temperature\":0.5,\"top_k\":3,\"seed\":9,\"num_predict\":5,"
                "\"stop\":[\"a\",\"b\"],\"num_keep\":2,\"num_gpu\":1,\"tfs_z\":1}}",
         MEANS " max=5 knob0=0.5 knob1=3 seed=9 stop=a stop=b overflow=shift keep=2"},
        {PROMPT "\"options\":{\"seed\":-1,\"num_predict\":-2}}", MEANS " max=-2" USUAL},
        {PROMPT "\"format\":\"json\"}", MEANS " format=object" USUAL},
        {PROMPT "\"format\":{\"type\":\"object\"}}",
         MEANS " format=schema schema={\"type\":\"object\"}" USUAL},
        {PROMPT "\"think\":false}", "text model=m think=0 input=x special" USUAL},
        {PROMPT "\"truncate\":false}", MEANS " keep=4"},
        {PROMPT "\"shift\":false}", MEANS " overflow=truncate keep=4"},
        {PROMPT "\"logprobs\":true,\"top_logprobs\":2}", MEANS " logprobs top=2" USUAL},
        {PROMPT "\"options\":{\"temperature\":\"hot\"}}",
         "400 temperature: options: 'temperature' is a string, expected a number"},
        {PROMPT "\"options\":[]}", "400 options: 'options' is an array, expected an object"},
        {PROMPT "\"format\":\"xml\"}",
         "400 format: 'format' is \"xml\", expected \"json\" or a JSON schema as an object"},
        {PROMPT "\"think\":\"very\"}",
         "400 think: 'think' is \"very\", expected true, false, \"low\", \"medium\", \"high\" or "
         "\"max\""},
        {PROMPT "\"top_logprobs\":21}",
         "400 top_logprobs: 'top_logprobs' is 21, expected a whole number from 0 to 20"},
    };
    CHECK("/api/generate", ALL);
}

static void ollama_embeddings(void **state)
{
    (void)state;
    assert_string_equal(parsed("/api/embed", "{\"model\":\"m\",\"input\":[\"a\",\"b\"],"
                                             "\"dimensions\":8,\"truncate\":false}"),
                        "embed model=m input=a input=b dimensions=8 max=0 keep=4");
    assert_string_equal(parsed("/api/embed", "{\"model\":\"m\",\"input\":[]}"),
                        "load model=m cut max=0 keep=4");
    assert_string_equal(parsed("/api/embeddings", "{\"model\":\"m\",\"prompt\":\"a\"}"),
                        "embed model=m input=a cut max=0 keep=4");
}

/* ------------------------------------------------------------------ Anthropic */

#define ASK \
    "{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define ASKED "chat model=m messages=[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define TOOL \
    "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}]"
#define TOOL_IS                                                                          \
    " tools=[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\"," \
    "\"parameters\":{\"type\":\"object\"}}}]"

static void anthropic_messages(void **state)
{
    (void)state;
    static const example ALL[] = {
        {ASK "}", ASKED " think=0 max=5"},
        {"{\"model\":\"m\",\"max_tokens\":5,\"system\":[{\"type\":\"text\",\"text\":\"a\"},"
         "{\"type\":\"text\",\"text\":\"b\"}],\"messages\":["
         "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},"
         "{\"type\":\"text\",\"text\":\"y\"}]},"
         "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
         "\"signature\":"
         "\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"z\"},{\"type\":\"text\",\"text\":\"c\"}"
         ","
         "{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\",\"input\":{\"k\":1}}]},"
         "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"is_"
         "error\":"
         "true,\"content\":[{\"type\":\"text\",\"text\":\"r\"}]},{\"type\":\"text\",\"text\":\"q\"}"
         "]}]}",
         "chat model=m messages=[{\"role\":\"system\",\"content\":\"a\\nb\"},"
         "{\"role\":\"user\",\"content\":\"x\\ny\"},"
         "{\"role\":\"assistant\",\"content\":\"c\",\"reasoning_content\":\"t\",\"tool_calls\":[{"
         "\"type\":\"function\",\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":{\"k\":1}}}"
         "]},"
         "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"Error: r\"},"
         "{\"role\":\"user\",\"content\":\"q\"}] think=0 max=5"},
        {ASK
         ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},\"stop_sequences\":[\"a\"],"
         "\"temperature\":1,\"stream\":true,\"metadata\":{\"user_id\":\"u\"}}",
         ASKED " think=1 budget=1024 max=5 knob0=1 stop=a stream"},
        {ASK "," TOOL ",\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}",
         ASKED TOOL_IS " choice=required single think=0 max=5"},
        {ASK "," TOOL ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}",
         ASKED TOOL_IS " choice=named tool=f think=0 max=5"},
        {ASK "," TOOL ",\"tool_choice\":{\"type\":\"none\"}}",
         ASKED TOOL_IS " choice=none think=0 max=5"},
        {ASK
         ",\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":"
         "{\"type\":\"object\"}}}}",
         ASKED " think=0 effort=low max=5 format=schema schema={\"type\":\"object\"}"},
        {"{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},"
         "{\"role\":\"assistant\",\"content\":\"Yes\"}]}",
         "chat model=m messages=[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
         "\"content\":\"Yes\"}] continue think=0 max=5"},
    };
    CHECK("/v1/messages", ALL);
}

static void anthropic_refusals(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
         "400 max_tokens: 'max_tokens' is missing"},
        {"{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
         "400 model: 'model' is missing"},
        {"{\"model\":\"m\",\"max_tokens\":5,\"messages\":[]}",
         "400 messages: 'messages' is empty, expected at least 1 element"},
        {"{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}",
         "400 messages[0].role: 'messages[0].role' is \"robot\", expected \"user\" or "
         "\"assistant\""},
        {"{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{"
         "\"type\":"
         "\"image\",\"source\":{}}]}]}",
         "400 messages[0].content[0]: 'messages[0].content[0]' is a block of type \"image\", which "
         "pith does not read in a turn of the user"},
        {ASK ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]}",
         "400 tools[0]: 'tools[0]' is of type \"web_search_20250305\", which runs at Anthropic; "
         "pith "
         "takes tools with 'name' and 'input_schema' that the client runs"},
        {ASK ",\"tools\":[{\"name\":\"f\"}]}",
         "400 tools[0].input_schema: 'tools[0].input_schema' is missing, expected an object"},
        {ASK ",\"tool_choice\":{\"type\":\"any\"}}",
         "400 tool_choice: 'tool_choice' is given without 'tools'"},
        {ASK "," TOOL ",\"tool_choice\":{\"type\":\"all\"}}",
         "400 tool_choice.type: 'tool_choice.type' is \"all\", expected \"auto\", \"any\", "
         "\"tool\" or "
         "\"none\""},
        {ASK ",\"mcp_servers\":[{\"url\":\"x\"}]}",
         "400 mcp_servers: 'mcp_servers' is not supported: it is a service of Anthropic's that "
         "pith does not have; leave it out"},
    };
    CHECK("/v1/messages", ALL);
}

/* ------------------------------------------------------------------ Responses */

static void responses(void **state)
{
    (void)state;
    static const example ALL[] = {
        {"{\"model\":\"m\",\"input\":\"Hi\",\"instructions\":\"I\",\"max_output_tokens\":7,"
         "\"stream\":true,\"store\":true}",
         "chat model=m messages=[{\"role\":\"system\",\"content\":\"I\"},{\"role\":\"user\","
         "\"content\":\"Hi\"}] max=7 stream"},
        {"{\"model\":\"m\",\"input\":["
         "{\"role\":\"developer\",\"content\":\"d\"},"
         "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
         "\"x\"},"
         "{\"type\":\"input_text\",\"text\":\"y\"}]},"
         "{\"type\":\"reasoning\",\"id\":\"r\",\"summary\":[],\"content\":[{\"type\":\"reasoning_"
         "text\","
         "\"text\":\"t\"}]},"
         "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
         "\"text\":"
         "\"c\",\"annotations\":[]}]},"
         "{\"type\":\"function_call\",\"call_id\":\"1\",\"name\":\"f\",\"arguments\":\"{}\"},"
         "{\"type\":\"function_call\",\"call_id\":\"2\",\"name\":\"g\",\"arguments\":\"{}\"},"
         "{\"type\":\"function_call_output\",\"call_id\":\"1\",\"output\":\"r\"}]}",
         "chat model=m messages=[{\"role\":\"system\",\"content\":\"d\"},{\"role\":\"user\","
         "\"content\":\"xy\"},{\"role\":\"assistant\",\"content\":\"c\",\"reasoning_content\":"
         "\"t\","
         "\"tool_calls\":[{\"type\":\"function\",\"id\":\"1\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"{}\"}},{\"type\":\"function\",\"id\":\"2\",\"function\":{\"name\":\"g\","
         "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"}]"},
        {"{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"function\",\"name\":\"f\","
         "\"parameters\":{},\"strict\":true}],\"tool_choice\":{\"type\":\"function\",\"name\":"
         "\"f\"},"
         "\"parallel_tool_calls\":false}",
         "chat model=m messages=[{\"role\":\"user\",\"content\":\"x\"}] "
         "tools=[{\"type\":\"function\","
         "\"function\":{\"name\":\"f\",\"parameters\":{},\"strict\":true}}] choice=named tool=f "
         "single"},
        {"{\"model\":\"m\",\"input\":\"x\",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":"
         "\"n\",\"schema\":{\"a\":1}}},\"reasoning\":{\"effort\":\"none\"},\"truncation\":\"auto\","
         "\"top_logprobs\":1}",
         "chat model=m messages=[{\"role\":\"user\",\"content\":\"x\"}] think=0 logprobs top=1 "
         "format=schema schema={\"a\":1} overflow=truncate"},
        {"{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_1\"}",
         "400 previous_response_id: 'previous_response_id' is not supported: it needs a server "
         "that keeps responses, and pith keeps none; send the whole conversation in 'input'"},
        {"{\"model\":\"m\",\"input\":\"x\",\"background\":true}",
         "400 background: 'background' is not supported: pith keeps no responses to be fetched "
         "later; use 'stream'"},
        {"{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"web_search\"}]}",
         "400 tools[0]: 'tools[0]' is of type \"web_search\", expected \"function\": pith has no "
         "tools "
         "of its own"},
        {"{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"x\"}]}",
         "400 input[0]: 'input[0]' is an item of type \"item_reference\", which pith does not "
         "know: "
         "message, function_call, function_call_output and reasoning are"},
        {"{\"model\":\"m\"}",
         "400 input: 'input' is missing, expected a string or an array of items"},
    };
    CHECK("/v1/responses", ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ollama_chat),        cmocka_unit_test(ollama_generate),
        cmocka_unit_test(ollama_options),     cmocka_unit_test(ollama_embeddings),
        cmocka_unit_test(anthropic_messages), cmocka_unit_test(anthropic_refusals),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

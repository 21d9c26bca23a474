/* Answers of Ollama's, Anthropic's and the Responses API, byte for byte, but for times. */
#include "dialects.h"

#include "base/mem.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* A job with one choice: some thought, some words and a call, which ended for `finish`. */
typedef struct sample {
    serve_job *job;
    serve_choice *c;
    px_buf out;
} sample;

static sample sample_of(const char *path, const char *body)
{
    sample s = {0};
    bool ok;
    serve_problem problem;
    s.job = job_of(path, body, &ok, &problem);
    assert_true(ok);
    strcpy(s.job->tag, "TAG");
    s.job->created = 1700000000;
    s.job->choices = s.c = px_calloc(1, sizeof *s.c);
    s.job->n_choices = 1;
    s.c->stop_index = -1;
    s.c->n_prompt = 10;
    s.c->n_cached = 4;
    s.c->n_generated = 6;
    return s;
}

static void leave(sample *s)
{
    px_buf_clear(&s->out);
    serve_job_leave(s->job);
}

static void tell(sample *s, serve_event_kind kind, const char *text, int call)
{
    serve_choice *c = s->c;
    serve_event e = {.kind = kind, .text = text, .len = strlen(text), .call = call};
    if (kind == SERVE_EVENT_CONTENT)
        px_buf_puts(&c->content, text);
    if (kind == SERVE_EVENT_REASONING)
        px_buf_puts(&c->reasoning, text);
    if (kind == SERVE_EVENT_CALL) {
        c->calls = px_realloc(c->calls, (size_t)call + 1, sizeof *c->calls);
        c->calls[call] =
            (serve_tool_call){.id = px_strndup("call_1", 6), .name = px_strndup("f", 1)};
        c->n_calls = call + 1;
        e.id = c->calls[call].id;
        e.name = c->calls[call].name;
    }
    if (kind == SERVE_EVENT_ARGUMENTS)
        px_buf_puts(&c->calls[call].arguments, text);
    s->job->dialect->event(s->job, &e, &s->out);
}

/* Thought, words and a call in pieces. */
static void tell_all(sample *s)
{
    tell(s, SERVE_EVENT_REASONING, "hm", 0);
    tell(s, SERVE_EVENT_CONTENT, "a\"", 0);
    tell(s, SERVE_EVENT_CONTENT, "b", 0);
    tell(s, SERVE_EVENT_CALL, "", 0);
    tell(s, SERVE_EVENT_ARGUMENTS, "{\"k\":", 0);
    tell(s, SERVE_EVENT_ARGUMENTS, "\n1 }", 0);
    tell(s, SERVE_EVENT_CALL_END, "", 0);
    s->c->finish = SERVE_FINISH_TOOL_CALLS;
    tell(s, SERVE_EVENT_FINISH, "", 0);
}

/* Puts TIME for every time and N for every number behind a name that ends in _duration or is
 * completed_at. */
static const char *settled(px_buf *out)
{
    static char text[16384];
    static const char *const NAMES[] = {"\"created_at\":\"", "_duration\":", "\"completed_at\":1"};
    size_t n = 0;
    for (const char *at = out->data; *at;) {
        const char *name = NULL;
        for (int i = 0; i < 3 && !name; i++)
            if (strncmp(at, NAMES[i], strlen(NAMES[i])) == 0)
                name = NAMES[i];
        assert_true(n + 64 < sizeof text);
        if (!name) {
            text[n++] = *at++;
            continue;
        }
        size_t len = strlen(name);
        memcpy(text + n, at, len);
        n += len;
        at += len;
        at += strspn(at, "0123456789-:.TZ");
        text[n++] = '#';
    }
    text[n] = '\0';
    return text;
}

static void ollama_stream(void **state)
{
    (void)state;
    sample s = sample_of("/api/chat",
                         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    tell_all(&s);
    s.job->dialect->end(s.job, &s.out);
#define LINE "{\"model\":\"m\",\"created_at\":\"#\",\"message\":{\"role\":\"assistant\","
    assert_string_equal(
        settled(&s.out), LINE
        "\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n" LINE
        "\"content\":\"a\\\"\"},\"done\":false}\n" LINE "\"content\":\"b\"},\"done\":false}\n" LINE
        "\"content\":\"\",\"tool_calls\":[{\"id\":\"call_1\",\"function\":{\"index\":0,\"name\":"
        "\"f\",\"arguments\":{\"k\":1}}}]},\"done\":false}\n" LINE
        "\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":#,"
        "\"load_duration\":#,\"prompt_eval_count\":10,\"prompt_eval_duration\":#,\"eval_count\":6,"
        "\"eval_duration\":#}\n");
    leave(&s);
}

static void ollama_whole(void **state)
{
    (void)state;
    sample s = sample_of("/api/generate",
                         "{\"model\":\"m\",\"prompt\":\"x\",\"raw\":true,\"stream\":false}");
    px_buf_puts(&s.c->content, "words");
    s.c->finish = SERVE_FINISH_LENGTH;
    s.c->n_cut = 3;
    s.job->dialect->whole(s.job, &s.out);
    assert_string_equal(
        settled(&s.out),
        "{\"model\":\"m\",\"created_at\":\"#\",\"response\":\"words\",\"done\":true,\"done_"
        "reason\":"
        "\"length\",\"truncated_tokens\":3,\"total_duration\":#,\"load_duration\":#,"
        "\"prompt_eval_count\":10,\"prompt_eval_duration\":#,\"eval_count\":6,\"eval_duration\":#"
        "}");
    leave(&s);
    s = sample_of("/api/generate", "{\"model\":\"m\",\"keep_alive\":0}");
    s.job->dialect->whole(s.job, &s.out);
    assert_string_equal(settled(&s.out),
                        "{\"model\":\"m\",\"created_at\":\"#\",\"response\":\"\",\"done\":true,"
                        "\"done_reason\":\"unload\"}");
    leave(&s);
}

static void ollama_embed(void **state)
{
    (void)state;
    sample s = sample_of("/api/embed", "{\"model\":\"m\",\"input\":\"x\"}");
    s.c->embedding = px_calloc(2, sizeof(float));
    s.c->embedding[0] = 0.5f;
    s.c->embedding[1] = -1;
    s.c->n_embedding = 2;
    s.job->dialect->whole(s.job, &s.out);
    assert_string_equal(settled(&s.out),
                        "{\"model\":\"m\",\"embeddings\":[[0.5,-1]],\"total_duration\":#,"
                        "\"load_duration\":#,\"prompt_eval_count\":10}");
    leave(&s);
}

#define ASK "{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"

static void anthropic_stream(void **state)
{
    (void)state;
    sample s = sample_of("/v1/messages", ASK ",\"stream\":true}");
    s.job->dialect->begin(s.job, &s.out);
    tell_all(&s);
    s.job->dialect->end(s.job, &s.out);
#define E(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
    assert_string_equal(
        s.out.data,
        E("message_start",
          ",\"message\":{\"id\":\"msg_TAG\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
          "\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
          "\"input_tokens\":6,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4,"
          "\"output_tokens\":0}}") E("ping",
                                     "") E("content_block_start",
                                           ",\"index\":0,\"content_block\":{\"type\":\"thinking\","
                                           "\"thinking\":\"\",\"signature\":\"\"}")
            E("content_block_delta",
              ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")
                E("content_block_delta",
                  ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"\"}")
                    E("content_block_stop", ",\"index\":0") E(
                        "content_block_start",
                        ",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
                        E("content_block_delta",
                          ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\\\"\"}")
                            E("content_block_delta",
                              ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"b\"}")
                                E("content_block_stop",
                                  ",\"index\":1") E("content_block_start",
                                                    ",\"index\":2,\"content_block\":{\"type\":"
                                                    "\"tool_use\",\"id\":\"call_1\",\"name\":\"f\","
                                                    "\"input\":{}}")
                                    E("content_block_delta",
                                      ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
                                      "\"partial_json\":\"{\\\"k\\\":\"}")
                                        E("content_block_delta",
                                          ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
                                          "\"partial_json\":\"\\n1 }\"}")
                                            E("content_block_stop", ",\"index\":2")
                                                E("message_delta",
                                                  ",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_"
                                                  "sequence\":null},\"usage\":{"
                                                  "\"input_tokens\":6,\"cache_creation_input_"
                                                  "tokens\":0,\"cache_read_input_tokens\":4,"
                                                  "\"output_tokens\":6}") E("message_stop", ""));
    leave(&s);
}

static void anthropic_whole(void **state)
{
    (void)state;
    sample s = sample_of("/v1/messages", ASK ",\"stop_sequences\":[\"END\"]}");
    tell_all(&s);
    px_buf_reset(&s.out);
    s.c->finish = SERVE_FINISH_STOP;
    s.c->stop_index = 0;
    s.job->dialect->whole(s.job, &s.out);
#define HEAD                                                                                       \
    "{\"id\":\"msg_TAG\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":" \
    "["
#define THOUGHT                                                                                   \
    "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},{\"type\":\"text\",\"text\":" \
    "\"a\\\"b\"}"
#define USED                                                                                       \
    "\"usage\":{\"input_tokens\":6,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":" \
    "4,"                                                                                           \
    "\"output_tokens\":6}}"
    assert_string_equal(s.out.data,
                        HEAD THOUGHT ",{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"f\","
                                     "\"input\":{\"k\":1}}],\"stop_reason\":\"stop_sequence\","
                                     "\"stop_sequence\":\"END\"," USED);
    /* A call that was cut off has no input for a tool. */
    s.c->calls[0].arguments.len = 4;
    s.c->finish = SERVE_FINISH_LENGTH;
    px_buf_reset(&s.out);
    s.job->dialect->whole(s.job, &s.out);
    assert_string_equal(s.out.data,
                        HEAD THOUGHT "],\"stop_reason\":\"max_tokens\",\"stop_sequence\":"
                                     "null," USED);
    leave(&s);
}

static void errors(void **state)
{
    (void)state;
    px_buf out = {0};
    serve_problem problem = {.http = 404, .text = "no \"m\""};
    route_of("/v1/messages")->dialect->error(&problem, &out);
    assert_string_equal(out.data, "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\","
                                  "\"message\":\"no \\\"m\\\"\"},\"request_id\":null}");
    px_buf_reset(&out);
    route_of("/api/chat")->dialect->error(&problem, &out);
    assert_string_equal(out.data, "{\"error\":\"no \\\"m\\\"\"}");
    px_buf_reset(&out);
    route_of("/api/pull")->dialect->broken(NULL, &problem, &out);
    assert_string_equal(out.data, "{\"error\":\"no \\\"m\\\"\"}\n");
    px_buf_reset(&out);
    route_of("/v1/messages")->dialect->broken(NULL, &problem, &out);
    assert_string_equal(
        out.data, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                  "\"not_found_error\",\"message\":\"no \\\"m\\\"\"},\"request_id\":null}\n\n");
    px_buf_clear(&out);
}

/* The events' names in order, and their numbers from 0 on. */
static void responses_stream(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    };
    sample s = sample_of("/v1/responses",
                         "{\"model\":\"m\",\"input\":\"x\",\"metadata\":{\n\"a\":\"b c\"\n},"
                         "\"stream\":true}");
    s.job->dialect->begin(s.job, &s.out);
    tell_all(&s);
    s.job->dialect->end(s.job, &s.out);
    const char *at = s.out.data;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *expect = test_format(
            "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%zu,", NAMES[i], NAMES[i], i);
        if (strncmp(at, expect, strlen(expect)) != 0)
            fail_msg("event %zu: expected '%s', found '%.120s'", i, expect, at);
        const char *end = strstr(at, "\n\n");
        assert_non_null(end);
        px_json value;
        at = strstr(at, "data: ") + 6;
        assert_int_equal(px_json_check("event", at, (size_t)(end - at), &value, NULL), PITH_OK);
        at = end + 2;
    }
    assert_string_equal(at, "");
    leave(&s);
}

static void responses_whole(void **state)
{
    (void)state;
    sample s = sample_of("/v1/responses", "{\"model\":\"m\",\"input\":\"x\",\"temperature\":0.5}");
    tell_all(&s);
    px_buf_reset(&s.out);
    s.c->finish = SERVE_FINISH_LENGTH;
    s.c->n_reasoning = 2;
    s.job->dialect->whole(s.job, &s.out);
    assert_string_equal(
        s.out.data,
        "{\"id\":\"resp_TAG\",\"object\":\"response\",\"created_at\":1700000000,\"status\":"
        "\"incomplete\",\"completed_at\":null,\"error\":null,\"incomplete_details\":{\"reason\":"
        "\"max_output_tokens\"},\"model\":\"m\",\"output\":["
        "{\"id\":\"rs_TAG_0\",\"status\":\"completed\",\"type\":\"reasoning\",\"summary\":[],"
        "\"content\":[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]},"
        "{\"id\":\"msg_TAG_1\",\"status\":\"completed\",\"type\":\"message\",\"role\":"
        "\"assistant\","
        "\"content\":[{\"type\":\"output_text\",\"text\":\"a\\\"b\",\"annotations\":[],"
        "\"logprobs\":[]}]},"
        "{\"id\":\"fc_TAG_2\",\"status\":\"incomplete\",\"type\":\"function_call\",\"call_id\":"
        "\"call_1\",\"name\":\"f\",\"arguments\":\"{\\\"k\\\":\\n1 }\"}],"
        "\"instructions\":null,\"max_output_tokens\":null,\"max_tool_calls\":null,\"metadata\":{},"
        "\"parallel_tool_calls\":true,\"reasoning\":{\"effort\":null,\"summary\":null},"
        "\"temperature\":"
        "0.5,\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[],\"top_"
        "p\":"
        "null,\"truncation\":\"disabled\",\"user\":null,\"background\":false,\"store\":false,"
        "\"previous_response_id\":null,\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{"
        "\"cached_tokens\":4},\"output_tokens\":6,\"output_tokens_details\":{\"reasoning_tokens\":"
        "2},"
        "\"total_tokens\":16}}");
    leave(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ollama_stream),    cmocka_unit_test(ollama_whole),
        cmocka_unit_test(ollama_embed),     cmocka_unit_test(anthropic_stream),
        cmocka_unit_test(anthropic_whole),  cmocka_unit_test(errors),
        cmocka_unit_test(responses_stream), cmocka_unit_test(responses_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

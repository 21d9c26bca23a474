/* serve, OpenAI's dialect: what each route answers on a real model, whole and streamed. The
 * expected text is llama.cpp's (stories260K.expected.txt). */
#include "support/http.h"
#include "support/support.h"

#include "pith.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static test_server server;

static int start(void **state)
{
    (void)state;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return server.port == 0 || test_server_stop(&server) == 0 ? 0 : 1;
}

static int port(void)
{
    if (server.port == 0) {
        const char *args[] = {
            test_shared("models/stories260K.gguf"), "--alias", "gpt-4o", "--ctx", "512", NULL};
        server = test_server_start(args);
    }
    return server.port;
}

static json_t *parse(const test_reply *r)
{
    json_error_t e;
    json_t *o = json_loadb(r->body, r->n, 0, &e);
    if (!o)
        fail_msg("no JSON (%s): %s", e.text, r->body);
    return o;
}

/* A POST that succeeds. */
static json_t *ask(const char *path, const char *body)
{
    test_reply r = test_http(port(), "POST", path, "Content-Type: application/json\r\n", body);
    if (r.status != 200)
        fail_msg("%s: %d %s", path, r.status, r.body);
    assert_true(r.complete);
    json_t *o = parse(&r);
    test_reply_free(&r);
    return o;
}

/* A POST that is refused: status, type, param and a part of the sentence. */
static void refused(const char *path, const char *body, int status, const char *type,
                    const char *param, const char *part)
{
    test_reply r = test_http(port(), "POST", path, NULL, body);
    if (r.status != status)
        fail_msg("%s: expected %d, found %d: %s", body, status, r.status, r.body);
    assert_string_equal(test_reply_header(&r, "Content-Type"), "application/json");
    json_t *o = parse(&r), *e = json_object_get(o, "error");
    assert_string_equal(json_string_value(json_object_get(e, "type")), type);
    const char *found = json_string_value(json_object_get(e, "param"));
    if (param)
        assert_string_equal(found ? found : "null", param);
    assert_non_null(json_object_get(e, "code"));
    if (!strstr(json_string_value(json_object_get(e, "message")), part))
        fail_msg("'%s' is not in: %s", part, r.body);
    json_decref(o);
    test_reply_free(&r);
}

static json_t *choice(json_t *o, size_t i)
{
    return json_array_get(json_object_get(o, "choices"), i);
}

static const char *text_of(json_t *o, size_t i)
{
    return json_string_value(json_object_get(choice(o, i), "text"));
}

static const char *content_of(json_t *o, size_t i)
{
    return json_string_value(json_object_get(json_object_get(choice(o, i), "message"), "content"));
}

static int64_t number(json_t *o, const char *a, const char *b)
{
    json_t *v = b ? json_object_get(json_object_get(o, a), b) : json_object_get(o, a);
    if (!json_is_integer(v))
        fail_msg("'%s' is no whole number", b ? b : a);
    return json_integer_value(v);
}

/* The events of a stream; the last one must be [DONE]. */
static json_t *stream(const char *path, const char *body)
{
    test_reply r = test_http(port(), "POST", path, NULL, body);
    json_t *all = json_array();
    assert_int_equal(r.status, 200);
    assert_true(r.complete);
    assert_string_equal(test_reply_header(&r, "Content-Type"), "text/event-stream");
    char *at = r.body;
    while (strcmp(at, "data: [DONE]\n\n") != 0) {
        char *end = strstr(at, "\n\n");
        if (!end || strncmp(at, "data: ", 6) != 0)
            fail_msg("no event: %s", at);
        json_t *o = json_loadb(at + 6, (size_t)(end - at) - 6, 0, NULL);
        assert_non_null(o);
        json_array_append_new(all, o);
        at = end + 2;
    }
    test_reply_free(&r);
    return all;
}

static void a_completion_is_what_llama_cpp_writes(void **state)
{
    (void)state;
    const char *want = test_read(test_shared("models/stories260K.expected.txt"), NULL);
    json_t *o = ask("/v1/completions", "{\"model\":\"stories260K\",\"prompt\":\"Once upon a "
                                       "time\",\"temperature\":0,\"max_tokens\":64,"
                                       "\"echo\":true}");
    const char *text = text_of(o, 0);
    want += *want == ' ';
    assert_int_equal(strncmp(text, want, strlen(text) < 150 ? strlen(text) : 150), 0);
    assert_true(strlen(text) > 150);
    assert_string_equal(json_string_value(json_object_get(o, "object")), "text_completion");
    assert_string_equal(json_string_value(json_object_get(choice(o, 0), "finish_reason")),
                        "length");
    assert_int_equal(number(o, "usage", "prompt_tokens"), 5);
    assert_int_equal(number(o, "usage", "completion_tokens"), 64);
    assert_int_equal(number(o, "usage", "total_tokens"), 69);
    assert_int_equal(strncmp(json_string_value(json_object_get(o, "id")), "cmpl-", 5), 0);
    json_decref(o);
}

static void a_list_of_prompts_has_n_choices_each(void **state)
{
    (void)state;
    json_t *o = ask("/v1/completions",
                    "{\"prompt\":[\"Once upon a time\",\"Tom\"],\"n\":2,\"temperature\":0}");
    json_t *one = ask("/v1/completions", "{\"prompt\":\"Once upon a time\",\"temperature\":0}");
    json_t *two = ask("/v1/completions", "{\"prompt\":\"Tom\",\"temperature\":0}");
    assert_int_equal(json_array_size(json_object_get(o, "choices")), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(number(choice(o, i), "index", NULL), i);
        assert_string_equal(text_of(o, i), text_of(i < 2 ? one : two, 0));
    }
    assert_int_equal(number(o, "usage", "completion_tokens"), 4 * 16);
    assert_int_equal(number(o, "usage", "prompt_tokens"),
                     number(one, "usage", "prompt_tokens") + number(two, "usage", "prompt_tokens"));
    json_decref(o);
    json_decref(one);
    json_decref(two);
}

static void tokens_are_a_prompt(void **state)
{
    (void)state;
    json_t *a = ask("/v1/completions", "{\"prompt\":\"Once upon a time\",\"temperature\":0}");
    json_t *b = ask("/v1/completions", "{\"prompt\":[1,403,407,261,378],\"temperature\":0}");
    json_t *c =
        ask("/v1/completions", "{\"prompt\":[[1,403,407,261,378],[1,403]],\"temperature\":0}");
    assert_string_equal(text_of(a, 0), text_of(b, 0));
    assert_string_equal(text_of(a, 0), text_of(c, 0));
    json_decref(a);
    json_decref(b);
    json_decref(c);
    refused("/v1/completions", "{\"prompt\":[1,512]}", 400, "invalid_request_error", "prompt",
            "token 512 is not of this vocabulary, which has 512");
}

static void a_stream_says_what_a_whole_answer_does(void **state)
{
    (void)state;
#define CHAT                                                       \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Once upon a " \
    "time\"}],\"temperature\":0,\"max_tokens\":24"
    json_t *whole = ask("/v1/chat/completions", CHAT "}");
    json_t *events = stream("/v1/chat/completions",
                            CHAT ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    size_t n = json_array_size(events);
    char text[4096] = "";
    assert_true(n > 4);
    for (size_t i = 0; i < n; i++) {
        json_t *e = json_array_get(events, i), *c = choice(e, 0),
               *delta = json_object_get(c, "delta");
        assert_string_equal(json_string_value(json_object_get(e, "object")),
                            "chat.completion.chunk");
        assert_string_equal(json_string_value(json_object_get(e, "id")),
                            json_string_value(json_object_get(json_array_get(events, 0), "id")));
        if (i == 0) {
            assert_string_equal(json_string_value(json_object_get(delta, "role")), "assistant");
            assert_true(json_is_null(json_object_get(delta, "content")));
        } else if (i + 2 < n) {
            assert_null(json_object_get(delta, "role"));
            strcat(text, json_string_value(json_object_get(delta, "content")));
            assert_true(json_is_null(json_object_get(c, "finish_reason")));
        } else if (i + 2 == n) {
            assert_int_equal(json_object_size(delta), 0);
            assert_string_equal(json_string_value(json_object_get(c, "finish_reason")), "length");
        } else {
            assert_int_equal(json_array_size(json_object_get(e, "choices")), 0);
            assert_int_equal(number(e, "usage", "completion_tokens"), 24);
            assert_int_equal(number(e, "usage", "prompt_tokens"),
                             number(whole, "usage", "prompt_tokens"));
        }
    }
    assert_string_equal(text, content_of(whole, 0));
    assert_string_equal(json_string_value(json_object_get(whole, "object")), "chat.completion");
    json_decref(whole);
    json_decref(events);
}

static void a_seed_repeats_an_answer(void **state)
{
    (void)state;
#define HOT                      \
    "{\"prompt\":\"Once upon a " \
    "time\",\"temperature\":1.5,\"top_k\":0,\"top_p\":1,\"min_p\":0,\"max_tokens\":20,"
    json_t *a = ask("/v1/completions", HOT "\"seed\":7,\"n\":2}");
    json_t *b = ask("/v1/completions", HOT "\"seed\":7}");
    json_t *c = ask("/v1/completions", HOT "\"seed\":8}");
    assert_string_equal(text_of(a, 0), text_of(b, 0));
    assert_string_equal(text_of(a, 1), text_of(c, 0)); // the second choice takes the next seed
    assert_string_not_equal(text_of(a, 0), text_of(a, 1));
    json_decref(a);
    json_decref(b);
    json_decref(c);
}

static void stops_and_bias_are_kept(void **state)
{
    (void)state;
    json_t *o = ask("/v1/completions",
                    "{\"prompt\":\"Once upon a "
                    "time\",\"temperature\":0,\"max_tokens\":64,\"stop\":[\"Lily\",\"zz\"]}");
    assert_string_equal(text_of(o, 0), ", there was a little girl named ");
    assert_string_equal(json_string_value(json_object_get(choice(o, 0), "finish_reason")), "stop");
    json_decref(o);
    o = ask("/v1/completions",
            "{\"prompt\":\"Once upon a time\",\"temperature\":0,\"max_tokens\":1,"
            "\"logit_bias\":{\"432\":-100},\"logprobs\":1}");
    json_t *plain = ask("/v1/completions",
                        "{\"prompt\":\"Once upon a time\",\"temperature\":0,\"max_tokens\":1}");
    assert_string_equal(text_of(plain, 0), ",");
    json_t *ids = ask("/tokenize", "{\"content\":\",\",\"add_special\":false}");
    json_t *list = json_object_get(ids, "tokens");
    int64_t id = json_integer_value(json_array_get(list, json_array_size(list) - 1));
    json_t *banned =
        ask("/v1/completions",
            test_format("{\"prompt\":\"Once upon a time\",\"temperature\":0,\"max_tokens\":1,"
                        "\"logit_bias\":{\"%lld\":-100}}",
                        (long long)id));
    assert_string_not_equal(text_of(banned, 0), ",");
    json_decref(o);
    json_decref(plain);
    json_decref(ids);
    json_decref(banned);
}

static void log_probabilities_are_those_of_the_tokens(void **state)
{
    (void)state;
    json_t *o = ask("/v1/chat/completions", CHAT ",\"logprobs\":true,\"top_logprobs\":3}");
    json_t *all = json_object_get(json_object_get(choice(o, 0), "logprobs"), "content"), *l;
    size_t i;
    char text[4096] = "";
    assert_int_equal(json_array_size(all), 24);
    json_array_foreach(all, i, l)
    {
        json_t *tops = json_object_get(l, "top_logprobs");
        double p = json_real_value(json_object_get(l, "logprob"));
        assert_int_equal(json_array_size(tops), 3);
        assert_true(p <= 0);
        /* Greedy: the token is the likeliest. */
        assert_true(json_real_value(json_object_get(json_array_get(tops, 0), "logprob")) == p);
        assert_true(json_real_value(json_object_get(json_array_get(tops, 1), "logprob")) <= p);
        strcat(text, json_string_value(json_object_get(l, "token")));
        assert_int_equal(json_array_size(json_object_get(l, "bytes")),
                         json_string_length(json_object_get(l, "token")));
    }
    assert_string_equal(text, content_of(o, 0));
    json_decref(o);
    json_t *e = stream("/v1/chat/completions", CHAT ",\"logprobs\":true,\"stream\":true}");
    size_t n = 0;
    json_array_foreach(e, i, l) n +=
        json_array_size(json_object_get(json_object_get(choice(l, 0), "logprobs"), "content"));
    assert_int_equal(n, 24);
    json_decref(e);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const char *const BAD = "invalid_request_error";
    static const struct {
        const char *body, *param, *part;
    } CHATS[] = {
        {"", "null", "the body is not JSON"},
        {"{\"messages\":[", "null", "line 1 column 14"},
        {"[]", "null", "expected an object"},
        {"{}", "messages", "'messages' is nothing, expected an array"},
        {"{\"messages\":[]}", "messages", "at least one message"},
        {"{\"messages\":[5]}", "messages", "messages[0] is a number"},
        {"{\"messages\":[{\"content\":\"x\"}]}", "messages", "no string 'role'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]"
         "}]}",
         "messages", "reads text only"},
        {CHAT ",\"temperature\":-1}", "temperature", "from 0 to 100"},
        {CHAT ",\"temperature\":\"hot\"}", "temperature", "is a string, expected a number"},
        {CHAT ",\"top_p\":1.5}", "top_p", "from 0 to 1"},
        {CHAT ",\"n\":0}", "n", "from 1 to 64"},
        {CHAT ",\"max_completion_tokens\":1.5}", "max_completion_tokens", "whole number"},
        {CHAT ",\"stop\":5}", "stop", "a string or an array of strings"},
        {CHAT ",\"stream\":\"yes\"}", "stream", "true or false"},
        {CHAT ",\"logit_bias\":{\"x\":1}}", "logit_bias", "expected an id"},
        {CHAT ",\"logit_bias\":{\"5\":\"x\"}}", "logit_bias", "expected a number"},
        {CHAT ",\"top_logprobs\":2}", "top_logprobs", "needs 'logprobs'"},
        {CHAT ",\"logprobs\":true,\"top_logprobs\":21}", "top_logprobs", "from 0 to 20"},
        {CHAT ",\"functions\":[{}]}", "functions", "use 'tools'"},
        {CHAT ",\"function_call\":\"auto\"}", "function_call", "use 'tool_choice'"},
        {CHAT ",\"modalities\":[\"audio\"]}", "modalities", "only text"},
        {CHAT ",\"web_search_options\":{\"a\":1}}", "web_search_options", "no web search"},
        {CHAT ",\"tool_choice\":\"required\"}", "tool_choice", "there are no 'tools'"},
        {CHAT ",\"tool_choice\":\"maybe\"}", "tool_choice", "expected \"none\""},
        {CHAT ",\"response_format\":{\"type\":\"xml\"}}", "response_format", "json_schema"},
        {CHAT ",\"response_format\":{\"type\":\"json_schema\"}}", "response_format",
         "no json_schema.schema"},
        {CHAT ",\"structured_outputs\":{\"choice\":[1]}}", "structured_outputs",
         "no array of strings"},
        {CHAT ",\"grammar\":\"root ::= 'a'\",\"structured_outputs\":{\"regex\":\"a\"}}",
         "structured_outputs", "send one"},
        {CHAT ",\"seed\":1.5}", "seed", "whole number"},
        {CHAT ",\"mirostat\":1}", "mirostat", "mirostat 2"},
        {CHAT ",\"keep_alive\":\"soon\"}", "keep_alive", "duration"},
    };
    for (size_t i = 0; i < sizeof CHATS / sizeof CHATS[0]; i++)
        refused("/v1/chat/completions", CHATS[i].body, 400, BAD, CHATS[i].param, CHATS[i].part);
    refused("/v1/completions", "{}", 400, BAD, "prompt", "missing");
    refused("/v1/completions", "{\"prompt\":[]}", 400, BAD, "prompt", "empty array");
    refused("/v1/completions", "{\"prompt\":[1,\"a\"]}", 400, BAD, "prompt", "among tokens");
    refused("/v1/completions", "{\"prompt\":\"a\",\"best_of\":3}", 400, BAD, "best_of",
            "as many answers as 'n'");
    refused("/v1/completions", "{\"prompt\":\"a\",\"suffix\":\"b\"}", 400, BAD, "suffix", "fill");
    refused("/v1/embeddings", "{\"input\":\"a\",\"encoding_format\":\"int8\"}", 400, BAD,
            "encoding_format", "base64");
    refused("/v1/rerank", "{\"query\":\"a\"}", 400, BAD, "documents", "expected an array");
    refused("/v1/chat/completions",
            "{\"model\":\"gpt-5\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 404,
            "not_found_error", "model", "this server has 'stories260K', 'gpt-4o'");
    refused("/v1/nothing", "{}", 404, "not_found_error", NULL, "nothing at /v1/nothing");
}

static void a_context_that_is_too_long_is_refused_with_numbers(void **state)
{
    (void)state;
    static char body[8192] = "{\"prompt\":\"";
    for (int i = 0; i < 600; i++)
        strcat(body, "cat ");
    strcat(body, "\"}");
    test_reply r = test_http(port(), "POST", "/v1/completions", NULL, body);
    json_t *o = parse(&r), *e = json_object_get(o, "error");
    assert_int_equal(r.status, 400);
    assert_string_equal(json_string_value(json_object_get(e, "type")), "exceed_context_size_error");
    assert_string_equal(json_string_value(json_object_get(e, "code")), "context_length_exceeded");
    assert_int_equal(number(e, "n_ctx", NULL), 512);
    assert_true(number(e, "n_prompt_tokens", NULL) > 600);
    json_decref(o);
    test_reply_free(&r);
}

static void models_are_listed(void **state)
{
    (void)state;
    test_reply r = test_http(port(), "GET", "/v1/models", NULL, NULL);
    json_t *o = parse(&r), *data = json_object_get(o, "data");
    assert_string_equal(json_string_value(json_object_get(o, "object")), "list");
    assert_int_equal(json_array_size(data), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(data, 0), "id")),
                        "stories260K");
    assert_string_equal(json_string_value(json_object_get(json_array_get(data, 1), "id")),
                        "gpt-4o");
    json_decref(o);
    test_reply_free(&r);
    r = test_http(port(), "GET", "/v1/models/gpt-4o", NULL, NULL);
    o = parse(&r);
    assert_int_equal(r.status, 200);
    assert_string_equal(json_string_value(json_object_get(o, "object")), "model");
    json_decref(o);
    test_reply_free(&r);
    r = test_http(port(), "GET", "/v1/models/gpt-5", NULL, NULL);
    assert_int_equal(r.status, 404);
    test_reply_free(&r);
    o = ask("/v1/chat/completions",
            "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
            "\"max_tokens\":1}");
    assert_string_equal(json_string_value(json_object_get(o, "model")), "gpt-4o");
    json_decref(o);
}

static float base64_float(const char *text, size_t i)
{
    static const char SET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    float x;
    for (size_t b = 0; b < 4; b++) {
        size_t bit = (i * 4 + b) * 8, at = bit / 6;
        uint32_t two = (uint32_t)(strchr(SET, text[at]) - SET) << 6 |
                       (uint32_t)(strchr(SET, text[at + 1]) - SET);
        bits |= (two >> (4 - bit % 6) & 0xff) << (8 * b);
    }
    memcpy(&x, &bits, 4);
    return x;
}

static void embeddings_have_unit_length_in_both_encodings(void **state)
{
    (void)state;
    json_t *o = ask("/v1/embeddings", "{\"input\":[\"Once upon a time\",\"Tom\"]}");
    json_t *b =
        ask("/v1/embeddings", "{\"input\":\"Once upon a time\",\"encoding_format\":\"base64\"}");
    json_t *d = ask("/v1/embeddings", "{\"input\":[1,403,407,261,378],\"dimensions\":5}");
    json_t *v = json_object_get(json_array_get(json_object_get(o, "data"), 0), "embedding");
    const char *text = json_string_value(
        json_object_get(json_array_get(json_object_get(b, "data"), 0), "embedding"));
    json_t *s = json_object_get(json_array_get(json_object_get(d, "data"), 0), "embedding");
    double sum = 0, cut = 0;
    assert_int_equal(json_array_size(v), 64);
    assert_int_equal(json_array_size(json_object_get(o, "data")), 2);
    assert_int_equal(strlen(text), (64 * 4 + 2) / 3 * 4);
    for (size_t i = 0; i < 64; i++) {
        double x = json_number_value(json_array_get(v, i));
        sum += x * x;
        cut += i < 5 ? x * x : 0;
        assert_true(fabs(base64_float(text, i) - x) <= 1e-6);
    }
    assert_true(fabs(sum - 1) <= 1e-5);
    assert_int_equal(json_array_size(s), 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(fabs(json_number_value(json_array_get(s, i)) -
                         json_number_value(json_array_get(v, i)) / sqrt(cut)) <= 1e-5);
    assert_int_equal(number(b, "usage", "prompt_tokens"), 5);
    json_decref(o);
    json_decref(b);
    json_decref(d);
    refused("/v1/embeddings", "{\"input\":\"a\",\"dimensions\":65}", 400, "invalid_request_error",
            NULL, "65");
}

static void an_echoed_prompt_has_log_probabilities(void **state)
{
    (void)state;
    json_t *o = ask("/v1/completions",
                    "{\"prompt\":\"Once upon a time\",\"temperature\":0,\"max_tokens\":2,"
                    "\"echo\":true,\"logprobs\":2}");
    json_t *l = json_object_get(choice(o, 0), "logprobs");
    char *tokens = json_dumps(json_object_get(l, "tokens"), JSON_COMPACT);
    char *offsets = json_dumps(json_object_get(l, "text_offset"), JSON_COMPACT);
    json_t *p = json_object_get(l, "token_logprobs"), *tops = json_object_get(l, "top_logprobs");
    assert_string_equal(text_of(o, 0), "Once upon a time, there");
    assert_string_equal(tokens, "[\"<s>\",\" Once\",\" upon\",\" a\",\" time\",\",\",\" there\"]");
    assert_string_equal(offsets, "[0,0,4,9,11,16,17]");
    assert_true(json_is_null(json_array_get(p, 0)) && json_is_null(json_array_get(tops, 0)));
    for (size_t i = 1; i < 7; i++) {
        double top = -1e9;
        const char *key;
        json_t *v;
        json_object_foreach(json_array_get(tops, i), key, v) top = fmax(top, json_real_value(v));
        assert_int_equal(json_object_size(json_array_get(tops, i)), 2);
        assert_true(json_real_value(json_array_get(p, i)) <= top);
    }
    free(tokens);
    free(offsets);
    json_decref(o);
}

static void answers_are_held_to_what_was_asked(void **state)
{
    (void)state;
#define TEXT "{\"prompt\":\"Once upon a time\",\"temperature\":1.2,\"seed\":3,\"max_tokens\":200,"
    json_t *o =
        ask("/v1/completions", TEXT "\"structured_outputs\":{\"choice\":[\"red\",\"blue\"]}}");
    assert_true(strcmp(text_of(o, 0), "red") == 0 || strcmp(text_of(o, 0), "blue") == 0);
    assert_string_equal(json_string_value(json_object_get(choice(o, 0), "finish_reason")), "stop");
    json_decref(o);
    o = ask("/v1/completions", TEXT "\"structured_outputs\":{\"regex\":\"[a-c]{5}-[0-9]{3}\"}}");
    assert_int_equal(strspn(text_of(o, 0), "abc"), 5);
    assert_int_equal(strlen(text_of(o, 0)), 9);
    json_decref(o);
    static const char *const CHATS[] = {
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{"
        "\"type\":\"object\","
        "\"properties\":{\"ok\":{\"type\":\"boolean\"}},\"required\":[\"ok\"],"
        "\"additionalProperties\":false}}}}",
        "\"guided_json\":{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}},"
        "\"required\":[\"ok\"],"
        "\"additionalProperties\":false}}",
    };
    for (int i = 0; i < 2; i++) {
        o = ask("/v1/chat/completions", test_format(CHAT "0,%s", CHATS[i]));
        json_t *answer = json_loads(content_of(o, 0), 0, NULL);
        assert_non_null(answer);
        assert_int_equal(json_object_size(answer), 1);
        assert_true(json_is_boolean(json_object_get(answer, "ok")));
        json_decref(answer);
        json_decref(o);
    }
    refused("/v1/completions", TEXT "\"grammar\":\"root ::= x\"}", 400, "invalid_request_error",
            NULL, "rule 'x'");
    refused("/v1/chat/completions", CHAT ",\"json_schema\":{\"type\":\"thing\"}}", 400,
            "invalid_request_error", NULL, "#/type");
}

static void texts_become_tokens_and_back(void **state)
{
    (void)state;
    json_t *o = ask("/tokenize", "{\"content\":\"Once upon a time\",\"add_special\":true}");
    char *tokens = json_dumps(json_object_get(o, "tokens"), JSON_COMPACT);
    assert_string_equal(tokens, "[1,403,407,261,378]");
    json_decref(o);
    o = ask("/detokenize", "{\"tokens\":[403,407,261,378]}");
    assert_string_equal(json_string_value(json_object_get(o, "content")), "Once upon a time");
    json_decref(o);
    o = ask("/apply-template",
            "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Once \"},"
            "{\"type\":\"text\",\"text\":\"upon\"}]}]}");
    assert_non_null(strstr(json_string_value(json_object_get(o, "prompt")), "Once upon"));
    json_decref(o);
    json_t *n = ask("/v1/chat/completions/input_tokens", CHAT "}"),
           *chat = ask("/v1/chat/completions", CHAT "}");
    assert_int_equal(number(n, "input_tokens", NULL), number(chat, "usage", "prompt_tokens"));
    json_decref(n);
    json_decref(chat);
    free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_completion_is_what_llama_cpp_writes),
        cmocka_unit_test(a_list_of_prompts_has_n_choices_each),
        cmocka_unit_test(tokens_are_a_prompt),
        cmocka_unit_test(a_stream_says_what_a_whole_answer_does),
        cmocka_unit_test(a_seed_repeats_an_answer),
        cmocka_unit_test(stops_and_bias_are_kept),
        cmocka_unit_test(log_probabilities_are_those_of_the_tokens),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_context_that_is_too_long_is_refused_with_numbers),
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(embeddings_have_unit_length_in_both_encodings),
        cmocka_unit_test(an_echoed_prompt_has_log_probabilities),
        cmocka_unit_test(answers_are_held_to_what_was_asked),
        cmocka_unit_test(texts_become_tokens_and_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* commands: each command on real input, its output and exit code, and what it says to bad input. */
#include "support/support.h"

#include "pith.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *stories(void)
{
    return test_shared("models/stories260K.gguf");
}

/* Standard output of a run that must succeed. */
static char *ok(test_result r)
{
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    return r.out;
}

static json_t *ok_json(test_result r)
{
    json_error_t je;
    json_t *v = json_loads(ok(r), JSON_DECODE_ANY, &je);
    if (!v)
        fail_msg("not JSON: %s: %s", je.text, r.out);
    return v;
}

/* The run must fail with this status and a sentence that holds `part`, and print nothing to
 * standard output. */
static void expect_fail(test_result r, pith_status status, const char *part)
{
    if (r.exit_code != pith_status_exit_code(status))
        fail_msg("exit code %d, expected %d: %s", r.exit_code, pith_status_exit_code(status),
                 r.err);
    if (!strstr(r.err, part))
        fail_msg("'%s' is not in '%s'", part, r.err);
    assert_string_equal(r.out, "");
}

/* ---- adapters and embeddings */

/* The text behind `word` and a space at the beginning of a line of the file, to the line's end. */
static char *line_of(const char *file, const char *word)
{
    char *text = test_read(test_source(file), NULL);
    size_t n = strlen(word);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, word, n) == 0 && line[n] == ' ')
            return line + n + 1;
    fail_msg("%s has no line '%s'", file, word);
    return NULL;
}

static void run_takes_adapters(void **state)
{
    (void)state;
    const char *model = test_source("tests/golden/models/llama32");
    const char *file = test_source("tests/golden/adapters/llama32-all.gguf");
    const char *prompt = line_of("tests/golden/adapters/greedy.txt", "prompt");
    char *expected = line_of("tests/golden/adapters/greedy.txt", "answer");
    const char *ways[] = {file, test_format("%s=1", file)};
    for (int i = 0; i < 2; i++) {
        json_t *o = ok_json(test_pith(NULL, "--cpu=avx2", "run", model, "--raw", "-p", prompt, "-n",
                                      "12", "--temp", "0", "--ignore-eos", "--json", "--logprobs",
                                      "0", "--adapter", ways[i], NULL));
        char *at = expected;
        json_t *tokens = json_object_get(o, "tokens");
        assert_int_equal(json_array_size(tokens), 12);
        for (size_t t = 0; t < 12; t++)
            assert_int_equal(
                json_integer_value(json_object_get(json_array_get(tokens, t), "token")),
                strtol(at, &at, 10));
        json_decref(o);
    }
    const char *plain =
        ok(test_pith(NULL, "run", model, "--raw", "-p", prompt, "-n", "8", "--temp", "0", NULL));
    const char *off = ok(test_pith(NULL, "run", model, "--raw", "-p", prompt, "-n", "8", "--temp",
                                   "0", "--adapter", test_format("%s=0", file), NULL));
    assert_string_equal(plain, off);
    expect_fail(test_pith(NULL, "run", model, "-p", "x", "--adapter",
                          test_source("tests/golden/adapters/qwen2-all.gguf"), NULL),
                PITH_E_MISMATCH, "is an adapter of a qwen2 model");
    expect_fail(test_pith(NULL, "run", model, "-p", "x", "--adapter", "none.gguf", NULL),
                PITH_E_NOT_FOUND, "none.gguf");
}

static void embed_prints_vectors(void **state)
{
    (void)state;
    const char *model = test_source("tests/golden/models/llama32"); // the first of vectors.txt
    char *at = line_of("tests/golden/embed/vectors.txt", "mean");
    const char *text = line_of("tests/golden/embed/vectors.txt", "text");
    json_t *o = ok_json(
        test_pith(NULL, "--cpu=avx2", "embed", model, text, "another", "--raw", "--json", NULL));
    assert_string_equal(json_string_value(json_object_get(o, "pooling")), "mean");
    assert_int_equal(json_integer_value(json_object_get(o, "dims")), 64);
    json_t *rows = json_object_get(o, "embeddings");
    assert_int_equal(json_array_size(rows), 2);
    for (size_t i = 0; i < 64; i++) {
        double x = json_real_value(json_array_get(json_array_get(rows, 0), i));
        assert_true(fabs(x - strtod(at, &at)) < 1e-3);
    }
    json_decref(o);
    char *lines =
        ok(test_pith("one\ntwo\r\nfour", "embed", model, "--dims", "3", "--pooling", "last", NULL));
    double length = 0;
    int n = 0;
    for (char *p = lines; *p && *p != '\n'; n++) {
        double x = strtod(p, &p);
        length += x * x;
        p += *p == ' ';
    }
    assert_int_equal(n, 3);
    assert_true(fabs(length - 1) < 1e-5);
    expect_fail(test_pith(NULL, "embed", model, "x", "--pooling", "max", NULL), PITH_E_ARGUMENT,
                "expected mean, last, cls or model");
    expect_fail(test_pith(NULL, "embed", model, "x", "--dims", "65", NULL), PITH_E_ARGUMENT,
                "expected 1 to 64");
    expect_fail(test_pith(NULL, "embed", model, "x x x x x x x x x x", "-c", "4", NULL),
                PITH_E_CONTEXT, "have it truncated");
}

/* Scores as transformers gives them for the same prompts: the first three of scores.txt. */
static void rerank_prints_scores(void **state)
{
    (void)state;
    static const char query[] = "where is the house of the old man";
    static const char *const documents[] = {
        "it is in the street of the baker, near the sea", "a king is rich",
        ("the house of the old man stands on the hill, and the house of the other man is by the "
         "river")};
    static const struct {
        int index;
        double score;
    } expected[] = {{1, 0.297856207}, {2, 0.201769261}, {0, 0.201472854}};
    const char *model = test_source("tests/golden/models/llama3");
    json_t *o =
        ok_json(test_pith(NULL, "--cpu=avx2", "rerank", model, query, documents[0], documents[1],
                          documents[2], "--kv-type", "f32", "-c", "512", "--json", NULL));
    json_t *rows = json_object_get(o, "results");
    assert_int_equal(json_integer_value(json_object_get(o, "n_tokens")), 255 + 238 + 283);
    assert_int_equal(json_array_size(rows), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *row = json_array_get(rows, i);
        assert_int_equal(json_integer_value(json_object_get(row, "index")), expected[i].index);
        assert_true(fabs(json_real_value(json_object_get(row, "score")) - expected[i].score) <
                    1e-4);
        assert_string_equal(json_string_value(json_object_get(row, "document")),
                            documents[expected[i].index]);
    }
    json_decref(o);
    const char *lines = test_format("%s\r\n%s\n%s", documents[0], documents[1], documents[2]);
    const char *line = ok(test_pith(lines, "--cpu=avx2", "rerank", model, query, "--kv-type", "f32",
                                    "-c", "512", "--top", "1", NULL));
    assert_string_equal(line, test_format("%.6f 2 a king is rich\n", 0.297856));
    expect_fail(test_pith("", "rerank", model, query, NULL), PITH_E_ARGUMENT, "no documents");
    expect_fail(test_pith(NULL, "rerank", model, query, "x", "-f", "y", NULL), PITH_E_ARGUMENT,
                "both given");
    expect_fail(test_pith(NULL, "rerank", model, query, documents[0], "-c", "100", NULL),
                PITH_E_CONTEXT, "document 1 of 1: its prompt of 255 tokens");
}

/* ---- run */

static void run_gives_the_reference_text_at_every_level(void **state)
{
    (void)state;
    char *expected = test_read(test_shared("models/stories260K.expected.txt"), NULL);
    /* The file holds the prompt with SentencePiece's leading space, and ends in the harness' own
     * newlines. */
    const char *prompt = " Once upon a time";
    assert_memory_equal(expected, prompt, strlen(prompt));
    size_t n = strlen(expected);
    while (n > 0 && expected[n - 1] == '\n')
        n--;
    expected[n] = '\0';
    json_t *info = ok_json(test_pith(NULL, "info", "--json", NULL));
    size_t i;
    json_t *level;
    int tried = 0;
    json_array_foreach(json_object_get(info, "levels"), i, level)
    {
        if (!json_is_true(json_object_get(level, "runs")))
            continue;
        const char *cpu =
            test_format("--cpu=%s", json_string_value(json_object_get(level, "level")));
        for (int threads = 1; threads <= 2; threads++) {
            char *out =
                ok(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n", "64",
                             "--temp", "0", cpu, "-t", test_format("%d", threads), NULL));
            size_t m = strlen(out);
            while (m > 0 && out[m - 1] == '\n')
                out[--m] = '\0';
            assert_string_equal(out, expected + strlen(prompt));
            tried++;
        }
    }
    assert_true(tried >= 2);
    json_decref(info);
}

static void run_echoes_only_when_asked(void **state)
{
    (void)state;
    char *out = ok(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n", "4",
                             "--temp", "0", "--echo", NULL));
    assert_ptr_equal(strstr(out, "Once upon a time, there"), out);
    out = ok(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n", "4",
                       "--temp", "0", NULL));
    assert_ptr_equal(strstr(out, ", there"), out);
}

static void run_reads_the_prompt_from_standard_input_and_files(void **state)
{
    (void)state;
    const char *args = "Once upon a time";
    char *given =
        ok(test_pith(NULL, "run", stories(), "--raw", "-p", args, "-n", "8", "--temp", "0", NULL));
    char *input = ok(test_pith(args, "run", stories(), "--raw", "-n", "8", "--temp", "0", NULL));
    assert_string_equal(given, input);
    const char *path = test_temp("prompt.txt");
    test_write(path, args, strlen(args));
    input =
        ok(test_pith(NULL, "run", stories(), "--raw", "-f", path, "-n", "8", "--temp", "0", NULL));
    assert_string_equal(given, input);
}

static void run_json_tells_all(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n",
                                  "5", "--temp", "0", "--json", "--logprobs", "2", NULL));
    assert_string_equal(json_string_value(json_object_get(o, "finish")), "length");
    assert_int_equal(json_integer_value(json_object_get(o, "answer_tokens")), 5);
    json_t *tokens = json_object_get(o, "tokens");
    assert_int_equal(json_array_size(tokens), 5);
    json_t *first = json_array_get(tokens, 0);
    json_t *best = json_array_get(json_object_get(first, "top"), 0);
    assert_int_equal(json_array_size(json_object_get(first, "top")), 2);
    assert_int_equal(json_integer_value(json_object_get(first, "token")),
                     json_integer_value(json_object_get(best, "token")));
    assert_true(json_real_value(json_object_get(first, "logprob")) <= 0);
    json_decref(o);
}

static void a_seed_repeats_and_another_differs(void **state)
{
    (void)state;
    const char *m = stories();
    char *a = ok(test_pith(NULL, "run", m, "--raw", "-p", "One day", "-n", "40", "--seed", "7",
                           "--temp", "1", NULL));
    char *b = ok(test_pith(NULL, "run", m, "--raw", "-p", "One day", "-n", "40", "--seed", "7",
                           "--temp", "1", NULL));
    char *c = ok(test_pith(NULL, "run", m, "--raw", "-p", "One day", "-n", "40", "--seed", "8",
                           "--temp", "1", NULL));
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

static void a_stop_string_never_shows(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n",
                                  "64", "--temp", "0", "--stop", "Lily", "--json", NULL));
    assert_string_equal(json_string_value(json_object_get(o, "text")),
                        ", there was a little girl named ");
    assert_string_equal(json_string_value(json_object_get(o, "finish")), "stop");
    json_decref(o);
}

static void a_full_context_is_an_error_unless_chosen_otherwise(void **state)
{
    (void)state;
    const char *m = stories();
    test_result r = test_pith(NULL, "run", m, "--raw", "-p", "Once upon a time", "-n", "64",
                              "--temp", "0", "-c", "16", NULL);
    assert_int_equal(r.exit_code, pith_status_exit_code(PITH_E_CONTEXT));
    assert_non_null(strstr(r.err, "16"));
    json_t *o = ok_json(test_pith(NULL, "run", m, "--raw", "-p", "Once upon a time", "-n", "64",
                                  "--temp", "0", "-c", "16", "--overflow=shift", "--json", NULL));
    assert_int_equal(json_integer_value(json_object_get(o, "answer_tokens")), 64);
    assert_true(json_integer_value(json_object_get(o, "dropped_tokens")) > 0);
    json_decref(o);
    o = ok_json(test_pith(NULL, "run", m, "--raw", "-p", "Once upon a time", "-n", "64", "--temp",
                          "0", "-c", "16", "--overflow=truncate", "--json", NULL));
    assert_string_equal(json_string_value(json_object_get(o, "finish")), "context");
    json_decref(o);
}

static void run_chats_through_a_default_template(void **state)
{
    (void)state;
    char *out = ok(
        test_pith(NULL, "run", stories(), "-p", "Tell me a story", "-n", "8", "--temp", "0", NULL));
    assert_true(strlen(out) > 1);
}

/* A template after whose prompt the model is thinking. */
static const char *thinking(void)
{
    static const char TEXT[] =
        "{% for m in messages %}[{{ m.role }}]{% if m.reasoning_content %}<think>"
        "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think>{% endif %}";
    const char *path = test_temp("thinking.jinja");
    test_write(path, TEXT, sizeof TEXT - 1);
    return path;
}

static void run_hides_reasoning_when_asked(void **state)
{
    (void)state;
    const char *path = thinking();
    char *out = ok(test_pith(NULL, "run", stories(), "--template", path, "-p", "Once", "-n", "16",
                             "--temp", "0", NULL));
    assert_true(strlen(out) > 10);
    out = ok(test_pith(NULL, "run", stories(), "--template", path, "-p", "Once", "-n", "16",
                       "--temp", "0", "--no-reasoning", NULL));
    assert_string_equal(out, "\n");
    json_t *v = ok_json(test_pith(NULL, "run", stories(), "--template", path, "-p", "Once", "-n",
                                  "16", "--temp", "0", "--json", NULL));
    assert_string_equal(json_string_value(json_object_get(v, "text")), "");
    assert_true(strlen(json_string_value(json_object_get(v, "reasoning"))) > 10);
    json_decref(v);
}

#define TOOLS                                                                           \
    "[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"parameters\":{\"type\":" \
    "\"object\",\"properties\":{\"n\":{\"enum\":[7]}}}}}]"

/* Tokens of the prompt with these tools; NULL: none. */
static json_int_t prompt_of(const char *tools)
{
    json_t *v = ok_json(test_pith(NULL, "run", stories(), "--template", thinking(), "-p", "Once",
                                  "--ctx", "2048", "-n", "4", "--temp", "0", "--json",
                                  tools ? "--tools" : NULL, tools, NULL));
    json_int_t n = json_integer_value(json_object_get(v, "prompt_tokens"));
    json_decref(v);
    return n;
}

static void run_tells_the_model_of_tools(void **state)
{
    (void)state;
    const char *file = test_temp("tools.json");
    test_write(file, TOOLS, sizeof TOOLS - 1);
    json_int_t without = prompt_of(NULL), with = prompt_of(TOOLS);
    assert_true(with > without + 50);
    assert_int_equal(prompt_of(file), with);
    assert_int_equal(prompt_of("{\"tools\": " TOOLS "}"), with);
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--raw", "--tools", TOOLS, NULL),
                PITH_E_ARGUMENT, "--tools needs a chat template");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--tools", "{\"tools\": 5}", NULL),
                PITH_E_FORMAT, "no array of functions");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--tools", "[1,", NULL), PITH_E_FORMAT,
                "--tools: line 1");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--tools", "/none.json", NULL),
                PITH_E_NOT_FOUND, "/none.json");
}

static void run_says_what_is_wrong(void **state)
{
    (void)state;
    expect_fail(test_pith(NULL, "run", "/nonexistent/m.gguf", "-p", "x", NULL), PITH_E_NOT_FOUND,
                "/nonexistent/m.gguf");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--cpu=mmx", NULL), PITH_E_ARGUMENT,
                "mmx");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--kv-type=q5_0", NULL),
                PITH_E_ARGUMENT, "q5_0");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--samplers=top_q", NULL),
                PITH_E_ARGUMENT, "top_q");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--logit-bias=5", NULL),
                PITH_E_ARGUMENT, "ID=NUMBER");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--overflow=wrap", NULL),
                PITH_E_ARGUMENT, "wrap");
    expect_fail(test_pith(NULL, "rnu", NULL), PITH_E_ARGUMENT, "did you mean 'run'");
    expect_fail(test_pith(NULL, "run", test_source("README.md"), "-p", "x", NULL), PITH_E_FORMAT,
                "README.md");
}

static void every_command_explains_itself(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"run",   "inspect", "tokenize", "template",
                                        "score", "convert", "info"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char *out = ok(test_pith(NULL, NAMES[i], "-h", NULL));
        assert_ptr_equal(strstr(out, test_format("usage: pith %s", NAMES[i])), out);
    }
    assert_non_null(strstr(ok(test_pith(NULL, "-h", NULL)), "commands:"));
    assert_non_null(strstr(ok(test_pith(NULL, "--version", NULL)), "pith 0."));
}

/* ---- tokenize */

static void tokenize_goes_there_and_back(void **state)
{
    (void)state;
    char *ids = ok(test_pith(NULL, "tokenize", stories(), "Once upon a time", "--ids", NULL));
    char *text = ok(test_pith(NULL, "tokenize", stories(), "--decode", ids, NULL));
    assert_string_equal(text, "Once upon a time\n");
    char *again = ok(test_pith("Once upon a time", "tokenize", stories(), "--ids", NULL));
    assert_string_equal(ids, again);
    char *bare =
        ok(test_pith(NULL, "tokenize", stories(), "Once upon a time", "--ids", "--no-bos", NULL));
    assert_string_equal(bare, strchr(ids, ' ') + 1);
}

static void tokenize_jsonl_answers_line_by_line(void **state)
{
    (void)state;
    char *out = ok(test_pith("\"Once\"\n\"\"\n\"a\\nb\"\n", "tokenize", stories(), "--jsonl",
                             "--no-bos", NULL));
    json_error_t je;
    char *line = strtok_r(out, "\n", &out);
    for (int i = 0; i < 3; i++) {
        assert_non_null(line);
        json_t *v = json_loads(line, 0, &je);
        assert_true(json_is_array(v));
        assert_int_equal(json_array_size(v) == 0, i == 1);
        json_decref(v);
        line = strtok_r(NULL, "\n", &out);
    }
    assert_null(line);
    test_result r = test_pith("\"a\"\n{bad\n", "tokenize", stories(), "--jsonl", NULL);
    assert_int_equal(r.exit_code, pith_status_exit_code(PITH_E_FORMAT));
    assert_non_null(strstr(r.err, "line 2"));
}

static void tokenize_refuses_ids_out_of_range(void **state)
{
    (void)state;
    expect_fail(test_pith(NULL, "tokenize", stories(), "--decode", "1 99999", NULL),
                PITH_E_ARGUMENT, "99999");
    expect_fail(test_pith(NULL, "tokenize", stories(), "--decode", "1 x", NULL), PITH_E_ARGUMENT,
                "'x'");
}

/* ---- template, inspect, score, info, convert */

static void template_renders_a_file(void **state)
{
    (void)state;
    const char *vars = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], "
                       "\"add_generation_prompt\": true}";
    char *out =
        ok(test_pith(vars, "template", test_shared("templates/google-gemma-2-2b-it.jinja"), NULL));
    assert_non_null(strstr(out, "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"));
    expect_fail(test_pith("{\"messages\": 3", "template",
                          test_shared("templates/google-gemma-2-2b-it.jinja"), NULL),
                PITH_E_FORMAT, "line 1 column 15");
}

static void inspect_tells_shape_types_and_memory(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "inspect", stories(), "--json", "--tensors", "--metadata",
                                  "-c", "512", NULL));
    json_t *shape = json_object_get(o, "shape");
    assert_int_equal(json_integer_value(json_object_get(shape, "width")), 64);
    assert_int_equal(json_integer_value(json_object_get(shape, "layers")), 5);
    assert_int_equal(json_integer_value(json_object_get(shape, "vocab")), 512);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "memory"), "context")),
                     512);
    assert_true(json_array_size(json_object_get(o, "tensors")) > 10);
    const char *sha = json_string_value(
        json_object_get(json_array_get(json_object_get(o, "files"), 0), "sha256"));
    assert_int_equal(strlen(sha), 64);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(o, "metadata"), "general.architecture")),
        "llama");
    json_decref(o);
    assert_non_null(strstr(ok(test_pith(NULL, "inspect", stories(), NULL)), "LLaMA"));
}

static void inspect_reads_folders_and_vocabularies(void **state)
{
    (void)state;
    json_t *o = ok_json(
        test_pith(NULL, "inspect", test_source("tests/golden/models/phi35"), "--json", NULL));
    assert_string_equal(json_string_value(json_object_get(o, "format")), "Hugging Face folder");
    assert_string_equal(json_string_value(json_object_get(o, "architecture")), "phi3");
    assert_int_equal(json_array_size(json_object_get(o, "files")), 1);
    json_decref(o);
    o = ok_json(test_pith(NULL, "inspect",
                          test_shared("tokenizers/vocab_gguf/ggml-vocab-gpt-2.gguf"), "--json",
                          NULL));
    json_t *tok = json_object_get(o, "tokenizer");
    assert_string_equal(json_string_value(json_object_get(tok, "kind")), "byte-level BPE");
    assert_int_equal(json_integer_value(json_object_get(tok, "n_vocab")), 50257);
    json_decref(o);
}

static void answers_are_held_to_a_form(void **state)
{
    (void)state;
    static const char *const CHOSEN[] = {"yes, sir\n", "no\n"};
    const char *text = ok(test_pith(NULL, "run", stories(), "--raw", "-p", "Is it?", "--choice",
                                    "yes, sir", "--choice=no", NULL));
    assert_true(strcmp(text, CHOSEN[0]) == 0 || strcmp(text, CHOSEN[1]) == 0);
    text = ok(test_pith(NULL, "run", stories(), "--raw", "-p", "A", "--regex", "b{3}-c", NULL));
    assert_string_equal(text, "bbb-c\n");
    const char *file = test_temp("words.gbnf");
    test_write(file, "root ::= \"a\" \"b\"{2}\n", 20);
    text = ok(test_pith(NULL, "run", stories(), "--raw", "-p", "A", "--grammar", file, NULL));
    assert_string_equal(text, "abb\n");
    json_t *o = ok_json(test_pith(
        NULL, "run", stories(), "--raw", "-p", "Once", "-s", "1", "--json", "--json-schema",
        "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\","
        "\"minimum\":5,\"maximum\":7}},\"required\":[\"n\"]}",
        NULL));
    assert_string_equal(json_string_value(json_object_get(o, "finish")), "end");
    json_t *answer = json_loads(json_string_value(json_object_get(o, "text")), 0, NULL);
    assert_in_range(json_integer_value(json_object_get(answer, "n")), 5, 7);
    json_decref(answer);
    json_decref(o);
    test_result r = test_pith(NULL, "run", stories(), "-p", "A", "--json-schema",
                              "{\"type\":\"array\",\"uniqueItems\":true}", NULL);
    assert_int_equal(r.exit_code, 5);
    assert_non_null(strstr(r.err, "schema: #/uniqueItems: "));
    r = test_pith(NULL, "run", stories(), "-p", "A", "--json-object", "--choice", "a", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "only one can be given"));
}

static void score_measures_a_text(void **state)
{
    (void)state;
    const char *text = "Once upon a time, there was a little girl named Lily. She loved to play "
                       "outside in the park.";
    json_t *o = ok_json(test_pith(text, "score", stories(), "--json", NULL));
    double ppl = json_real_value(json_object_get(o, "perplexity"));
    double bpb = json_real_value(json_object_get(o, "bits_per_byte"));
    double nll = json_real_value(json_object_get(o, "nll"));
    double n = (double)json_integer_value(json_object_get(o, "n_tokens"));
    assert_true(ppl > 1 && ppl < 10);
    assert_true(fabs(log(ppl) - nll / n) < 1e-6);
    assert_true(fabs(bpb - nll / log(2) / (double)strlen(text)) < 1e-6);
    json_decref(o);
    const char *odd = "zxqj wvk 93 %% qqq jjjj zzz xkcd";
    o = ok_json(test_pith(odd, "score", stories(), "--json", NULL));
    assert_true(json_real_value(json_object_get(o, "perplexity")) > 3 * ppl);
    json_decref(o);
}

static void info_lists_the_kernels(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "info", "--json", "--cpu=ref", NULL));
    size_t i;
    json_t *k;
    assert_true(json_array_size(json_object_get(o, "kernels")) > 10);
    json_array_foreach(json_object_get(o, "kernels"), i, k)
        assert_string_equal(json_string_value(json_object_get(k, "level")), "ref");
    json_decref(o);
    expect_fail(test_pith(NULL, "info", "--cpu=mmx", NULL), PITH_E_ARGUMENT, "mmx");
}

static void convert_keeps_the_answers_and_never_overwrites(void **state)
{
    (void)state;
    const char *out = test_temp("stories-f32.gguf");
    ok(test_pith(NULL, "convert", stories(), out, "--type=f32", NULL));
    char *a = ok(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n", "32",
                           "--temp", "0", NULL));
    char *b = ok(test_pith(NULL, "run", out, "--raw", "-p", "Once upon a time", "-n", "32",
                           "--temp", "0", NULL));
    assert_string_equal(a, b);
    expect_fail(test_pith(NULL, "convert", stories(), out, NULL), PITH_E_ARGUMENT, "--force");
    ok(test_pith(NULL, "convert", stories(), out, "--type=f16", "--force", NULL));
}

static void guessing_changes_nothing_and_is_reported(void **state)
{
    (void)state;
    static const char prompt[] = "Lily had a cat. Lily had a dog. Lily had a";
    char *plain = ok(test_pith(NULL, "run", stories(), "--raw", "-p", prompt, "-n", "60", "--temp",
                               "0", "--kv-type=f32", "--spec=off", NULL));
    static const char *const HOW[] = {"--spec=ngram", "--spec=draft", "--spec=auto"};
    const char *draft = test_format("--draft=%s", stories());
    for (int i = 0; i < 3; i++) {
        test_result r =
            test_pith(NULL, "run", stories(), "--raw", "-p", prompt, "-n", "60", "--temp", "0",
                      "--kv-type=f32", HOW[i], draft, "--draft-max=5", "--stats", NULL);
        assert_string_equal(ok(r), plain);
        if (i == 2)
            continue; // whether it pays is this machine's business
        const char *at = strstr(r.err, " guesses came true, speed-up ");
        if (!at)
            fail_msg("no guesses in '%s'", r.err);
        while (at > r.err && at[-1] != ';')
            at--;
        long accepted, drafted;
        double gain;
        assert_int_equal(
            sscanf(at, " %ld of %ld guesses came true, speed-up %lf;", &accepted, &drafted, &gain),
            3);
        assert_true(accepted >= 1 && accepted <= drafted && drafted <= 5 * 60 && gain > 0);
        json_t *o = ok_json(test_pith(NULL, "run", stories(), "--raw", "-p", prompt, "-n", "60",
                                      "--temp", "0", "--kv-type=f32", HOW[i], draft,
                                      "--draft-max=5", "--json", NULL));
        /* These two make the same steps every time. */
        assert_int_equal(json_integer_value(json_object_get(o, "drafted_tokens")), drafted);
        assert_int_equal(json_integer_value(json_object_get(o, "accepted_tokens")), accepted);
        json_decref(o);
    }
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--spec=perhaps", NULL),
                PITH_E_ARGUMENT, "expected off, ngram, draft or auto");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--spec=draft", NULL), PITH_E_ARGUMENT,
                "--draft MODEL");
    expect_fail(test_pith(NULL, "run", stories(), "-p", "x", "--draft=nowhere.gguf", NULL),
                PITH_E_NOT_FOUND, "nowhere.gguf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_gives_the_reference_text_at_every_level),
        cmocka_unit_test(run_echoes_only_when_asked),
        cmocka_unit_test(run_reads_the_prompt_from_standard_input_and_files),
        cmocka_unit_test(run_json_tells_all),
        cmocka_unit_test(a_seed_repeats_and_another_differs),
        cmocka_unit_test(a_stop_string_never_shows),
        cmocka_unit_test(a_full_context_is_an_error_unless_chosen_otherwise),
        cmocka_unit_test(run_chats_through_a_default_template),
        cmocka_unit_test(run_hides_reasoning_when_asked),
        cmocka_unit_test(run_tells_the_model_of_tools),
        cmocka_unit_test(run_says_what_is_wrong),
        cmocka_unit_test(every_command_explains_itself),
        cmocka_unit_test(tokenize_goes_there_and_back),
        cmocka_unit_test(tokenize_jsonl_answers_line_by_line),
        cmocka_unit_test(tokenize_refuses_ids_out_of_range),
        cmocka_unit_test(template_renders_a_file),
        cmocka_unit_test(inspect_tells_shape_types_and_memory),
        cmocka_unit_test(inspect_reads_folders_and_vocabularies),
        cmocka_unit_test(score_measures_a_text),
        cmocka_unit_test(run_takes_adapters),
        cmocka_unit_test(embed_prints_vectors),
        cmocka_unit_test(rerank_prints_scores),
        cmocka_unit_test(info_lists_the_kernels),
        cmocka_unit_test(guessing_changes_nothing_and_is_reported),
        cmocka_unit_test(answers_are_held_to_a_form),
        cmocka_unit_test(convert_keeps_the_answers_and_never_overwrites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Models from nothing: a tokenizer trained on a text, and a model of random weights around it. */
#include "pith.h"

#include "support/support.h"

#include <math.h>
#include <string.h>

#include <cmocka.h>

static const char *const SPECIALS[] = {"<|text|>", "<|user|>", "<|end|>"};

static const char *trained(const char *name, pith_tokenizer_trained *result)
{
    pith_error err = {0};
    const char *files[] = {test_source("tests/golden/bpe/corpus.txt")}, *out = test_temp(name);
    pith_tokenizer_training o = PITH_INIT(pith_tokenizer_training);
    o.n_vocab = 500;
    o.specials = SPECIALS;
    o.n_specials = 3;
    o.bos = "<|text|>";
    o.eos = o.eot = "<|end|>";
    o.add_bos = true;
    o.chat_template = "{{ messages[0].content }}";
    if (pith_tokenizer_train(files, 1, out, &o, result, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return out;
}

static void tokenizer(void **state)
{
    (void)state;
    pith_error err = {0};
    pith_model *model;
    pith_tokenizer_trained told = PITH_INIT(pith_tokenizer_trained);
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_WEIGHTS;
    const char *path = trained("tok.gguf", &told);
    assert_int_equal(told.n_vocab, 500);
    assert_int_equal(told.n_merges, 500 - 256 - 3);
    if (pith_model_open(path, &mo, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
    const pith_tokenizer *tok = pith_model_tokenizer(model);
    static const char text[] = "the server reads<|end|> Grüße \xff 😀";
    int32_t ids[100];
    int64_t n;
    assert_int_equal(
        pith_tokenize(tok, text, strlen(text), PITH_TOKENIZE_SPECIAL, ids, NULL, 100, &n, &err),
        PITH_OK);
    assert_int_equal(ids[0], 0); // <|text|>
    int ends = 0;
    for (int64_t i = 0; i < n; i++)
        ends += ids[i] == 2;
    assert_int_equal(ends, 1);
    assert_true(n < (int64_t)strlen(text) * 2 / 3); // frequent words have tokens
    pith_model_close(model);
}

static pith_model_shape small(void)
{
    pith_model_shape s = PITH_INIT(pith_model_shape);
    s.n_layers = 2;
    s.width = 64;
    s.n_heads = 4;
    s.n_kv_heads = 2;
    s.ffn = 96;
    s.seed = 7;
    s.name = "nothing";
    s.has_temperature = true;
    return s;
}

static void model(void **state)
{
    (void)state;
    pith_error err = {0};
    pith_model_shape s = small();
    pith_model *model;
    pith_engine *engine;
    const char *tok = trained("tok.gguf", NULL), *a = test_temp("a.gguf"), *b = test_temp("b.gguf");
    if (pith_model_create(tok, a, &s, &err) != PITH_OK ||
        pith_model_create(tok, b, &s, &err) != PITH_OK)
        fail_msg("%s", err.text);
    size_t na, nb;
    const char *ta = test_read(a, &na), *tb = test_read(b, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(ta, tb, na);
    s.seed = 8;
    assert_int_equal(pith_model_create(tok, b, &s, &err), PITH_OK);
    assert_memory_not_equal(ta, test_read(b, NULL), na);

    if (pith_model_open(a, NULL, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_int_equal(pith_model_get_info(model, &info, &err), PITH_OK);
    assert_string_equal(info.name, "nothing");
    assert_int_equal(info.n_vocab, 500);
    assert_int_equal(info.n_kv_heads, 2);
    assert_int_equal(info.n_ctx_train, 512);
    /* embedding; per layer q, o, k, v, gate, up, down and two norms; a norm */
    assert_int_equal(info.n_parameters,
                     500 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96 + 2 * 64) + 64);
    assert_string_equal(info.warnings, "");

    /* It knows nothing: each byte of its text costs about what a random token does. */
    assert_int_equal(pith_engine_new(model, NULL, &engine, &err), PITH_OK);
    pith_score score = PITH_INIT(pith_score);
    const char *text = "The model reads this text and cannot tell what comes next in it.";
    if (pith_score_text(engine, text, strlen(text), &score, NULL, NULL, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_true(fabs(log(score.perplexity) - log(500)) < 0.2);
    pith_engine_free(engine);
    pith_model_close(model);
}

/* The same file, opened where it lies in memory. */
static void from_memory(void **state)
{
    (void)state;
    pith_error err = {0};
    pith_model_shape s = small();
    const char *tok = trained("tok.gguf", NULL), *path = test_temp("m.gguf");
    assert_int_equal(pith_model_create(tok, path, &s, &err), PITH_OK);
    size_t n;
    const char *bytes = test_read(path, &n);
    char *room = test_keep(n + 128), *at = room + (64 - (uintptr_t)room % 64);
    memcpy(at, bytes, n);
    pith_model_options o = PITH_INIT(pith_model_options);
    o.memory = at;
    o.memory_bytes = n;
    pith_model *model;
    if (pith_model_open("inside", &o, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_int_equal(pith_model_get_info(model, &info, &err), PITH_OK);
    assert_string_equal(info.name, "nothing");
    assert_string_equal(info.path, "inside");
    assert_int_equal(info.file_bytes, n);
    pith_model_close(model);
    o.memory_bytes = n - 1;
    assert_int_equal(pith_model_open("inside", &o, &model, &err), PITH_E_FORMAT);
    assert_null(model);
    o.memory = at + 8;
    assert_int_equal(pith_model_open("inside", &o, &model, &err), PITH_E_ARGUMENT);
}

static void refuses(void **state)
{
    (void)state;
    pith_error err = {0};
    pith_model_shape s = small();
    const char *tok = trained("tok.gguf", NULL), *out = test_temp("none.gguf");
    s.width = 66;
    assert_int_equal(pith_model_create(tok, out, &s, &err), PITH_E_ARGUMENT);
    s = small();
    s.n_layers = 0;
    assert_int_equal(pith_model_create(tok, out, &s, &err), PITH_E_ARGUMENT);
    assert_string_equal(err.text,
                        "the model's number of layers is 0, expected a number from 1 to 1024");
    s = small();
    assert_int_equal(pith_model_create(test_temp("missing"), out, &s, &err), PITH_E_NOT_FOUND);
    const char *missing[] = {test_temp("missing")};
    assert_int_equal(pith_tokenizer_train(missing, 1, out, NULL, NULL, &err), PITH_E_NOT_FOUND);
    const char *corpus[] = {test_source("tests/golden/bpe/corpus.txt")};
    pith_tokenizer_training o = PITH_INIT(pith_tokenizer_training);
    o.pre = "no such";
    assert_int_equal(pith_tokenizer_train(corpus, 1, out, &o, NULL, &err), PITH_E_UNSUPPORTED);
    o.pre = NULL;
    o.eos = "<|end|>";
    assert_int_equal(pith_tokenizer_train(corpus, 1, out, &o, NULL, &err), PITH_E_ARGUMENT);
    assert_string_equal(err.text, "'<|end|>' is none of the special tokens");
    assert_false(test_exists(out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer),
        cmocka_unit_test(model),
        cmocka_unit_test(from_memory),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The vocabulary-only GGUF files of the shared folder, against the ids that come with them: texts
 * in NAME.inp between lines "__ggml_vocab_test__", ids of each on a line of NAME.out, without bos
 * and eos and with special tokens left as text.
 */
#include "vocab_files.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tokenizers/vocab_gguf/"
#define MARK   "\n__ggml_vocab_test__\n"

/* Compares every text of NAME.inp; returns how many there were. */
static int compare(const px_tokenizer *tok, const char *name)
{
    char *in = test_read(test_shared(test_format(FOLDER "%s.inp", name)), NULL);
    char *out = test_read(test_shared(test_format(FOLDER "%s.out", name)), NULL);
    char *line = out;
    int n_texts = 0;
    for (char *text = in; *line; n_texts++) {
        char *mark = strstr(text, MARK);
        assert_non_null(mark);
        size_t len = (size_t)(mark - text);
        int32_t want[512];
        int64_t n = 0;
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        for (char *next = line; *(next += strspn(next, " "));)
            want[n++] = (int32_t)strtol(next, &next, 10);
        line = end + 1;
        px_ids got = vocab_ids(tok, text, len, 0);
        vocab_same(test_format("%s, text %d: %.*s", name, n_texts, (int)len, text), &got, want, n);
        px_ids_clear(&got);
        text = mark + strlen(MARK);
    }
    return n_texts;
}

static void compare_file(const char *name)
{
    px_tokenizer *tok = vocab_gguf(test_format(FOLDER "%s", name));
    assert_int_equal(compare(tok, name), 46);
    px_tokenizer_free(tok);
}

static void llama_spm(void **state)
{
    (void)state;
    compare_file("ggml-vocab-llama-spm.gguf");
}

static void phi_3(void **state)
{
    (void)state;
    compare_file("ggml-vocab-phi-3.gguf");
}

static void gpt_2(void **state)
{
    (void)state;
    compare_file("ggml-vocab-gpt-2.gguf");
}

static void deepseek_llm(void **state)
{
    (void)state;
    compare_file("ggml-vocab-deepseek-llm.gguf");
}

static void bert_bge(void **state)
{
    (void)state;
    compare_file("ggml-vocab-bert-bge.gguf");
}

/* The tiny model: decoding gives the text back, bos comes first, bytes stand for what it lacks. */
static void stories(void **state)
{
    (void)state;
    px_tokenizer *tok = vocab_gguf("models/stories260K.gguf");
    assert_int_equal(px_tokenizer_kind(tok), PX_VOCAB_SPM);
    assert_int_equal(px_tokenizer_size(tok), 512);
    const char *text = "Once upon a time, \xe2\x82\xac 5";
    px_ids ids = vocab_ids(tok, text, strlen(text), PX_TOK_BOS_EOS);
    assert_int_equal(ids.ids[0], 1);
    px_buf back = vocab_text(tok, ids.ids, ids.n, false);
    assert_string_equal(back.data, text);
    assert_true(px_token_ends(tok, 2));
    assert_false(px_token_ends(tok, 1));
    px_buf_clear(&back);
    px_ids_clear(&ids);
    px_tokenizer_free(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama_spm),
        cmocka_unit_test(phi_3),
        cmocka_unit_test(gpt_2),
        cmocka_unit_test(deepseek_llm),
        cmocka_unit_test(bert_bge),
        cmocka_unit_test(stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

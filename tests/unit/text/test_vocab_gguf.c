/*
 * The vocabularies of the shared folder against the ids that come with them, which llama.cpp made:
 * texts in NAME.inp between lines "__ggml_vocab_test__", ids of each on a line of NAME.out, without
 * bos and eos and with special tokens left as text.
 */
#include "vocab_files.h"

#include <string.h>

#include <cmocka.h>

static void compare_file(void **state)
{
    const char *name = *state;
    px_tokenizer *tok = vocab_gguf(test_format("tokenizers/vocab_gguf/ggml-vocab-%s.gguf", name));
    assert_int_equal(vocab_compare_shared(tok, test_format("ggml-vocab-%s.gguf", name)), 46);
    px_tokenizer_free(tok);
}

/* llama-bpe and qwen2 come without a file; they are LLaMA 3's and Qwen2's vocabularies. */
static void compare_folder(const char *folder, const char *name)
{
    px_tokenizer *tok = vocab_folder(vocab_unpack(folder));
    assert_int_equal(vocab_compare_shared(tok, name), 46);
    px_tokenizer_free(tok);
}

static void llama_bpe(void **state)
{
    (void)state;
    compare_folder("llama3_2", "ggml-vocab-llama-bpe.gguf");
}

static void qwen2(void **state)
{
    (void)state;
    compare_folder("qwen2_5", "ggml-vocab-qwen2.gguf");
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

#define FILE_TEST(name)                              \
    {                                                \
        name, compare_file, NULL, NULL, (void *)name \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST("llama-spm"),    FILE_TEST("phi-3"),        FILE_TEST("gpt-2"),
        FILE_TEST("deepseek-llm"), FILE_TEST("bert-bge"),     cmocka_unit_test(llama_bpe),
        cmocka_unit_test(qwen2),   cmocka_unit_test(stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Long texts that tempt a tokenizer into quadratic time or deep recursion: megabytes
 * without anything that cuts them. Eight times the text may cost at most 24 times the processor
 * time: n log n with room for caches, and far from the 64 times of quadratic work.
 */
#include "base/utf8.h"

#include "vocab_files.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SMALL ((size_t)(TEST_SANITIZED ? 64 : 512) << 10)
#define LARGE (SMALL * 8)

typedef size_t (*fill_fn)(char *out, size_t n); // bytes written, at most n

static size_t letters(char *out, size_t n)
{
    memset(out, 'a', n);
    return n;
}

static size_t spaces(char *out, size_t n)
{
    memset(out, ' ', n);
    return n;
}

/* One word of random letters. */
static size_t word(char *out, size_t n)
{
    test_random r = {.state = 5};
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('a' + test_random_below(&r, 26));
    return n;
}

/* A letter with millions of marks on it, in descending and ascending order. */
static size_t marks(char *out, size_t n)
{
    static const uint32_t codes[] = {0x301, 0x316, 0x327, 0x5b0, 0x334};
    size_t used = 0;
    out[used++] = 'a';
    for (size_t i = 0; used + 4 <= n; i++)
        used += (size_t)px_utf8_put(codes[i % 5], out + used);
    return used;
}

/* Almost a special token, over and over. */
static size_t brackets(char *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = "<|im_"[i % 5];
    return n;
}

static size_t stray_bytes(char *out, size_t n)
{
    test_random r = {.state = 6};
    test_random_bytes(&r, out, n);
    return n;
}

static double cost(const px_tokenizer *tok, const char *text, size_t n)
{
    pith_error err = {0};
    px_ids ids = {0};
    clock_t start = clock();
    if (px_tokenize(tok, text, n, 0, &ids, &err) != PITH_OK)
        fail_msg("%zu bytes: %s", n, err.text);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_true(ids.n > 0 || px_tokenizer_kind(tok) == PX_VOCAB_WPM); // which drops spaces
    px_ids_clear(&ids);
    return seconds;
}

static void try_all(const px_tokenizer *tok)
{
    static const struct {
        const char *name;
        fill_fn fill;
    } kinds[] = {
        {"letters", letters}, {"spaces", spaces},     {"word", word},
        {"marks", marks},     {"brackets", brackets}, {"stray bytes", stray_bytes},
    };
    char *text = malloc(LARGE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t small = kinds[i].fill(text, SMALL);
        double one = cost(tok, text, small);
        size_t large = kinds[i].fill(text, LARGE);
        double eight = cost(tok, text, large);
        print_message("# %s: %.2f s, %.2f s\n", kinds[i].name, one, eight);
        if (!(eight <= 24 * one + 0.5))
            fail_msg("%s: %zu bytes take %.2f s, %zu take %.2f s", kinds[i].name, small, one, large,
                     eight);
    }
    free(text);
}

static void mini(void **state)
{
    const char *name = *state;
    px_tokenizer *tok =
        vocab_folder(test_source(test_format("tests/golden/tokenizers/mini/%s", name)));
    try_all(tok);
    px_tokenizer_free(tok);
}

static void gguf(void **state)
{
    px_tokenizer *tok = vocab_gguf(*state);
    try_all(tok);
    px_tokenizer_free(tok);
}

#define TEST_OF(function, name)                                \
    {                                                          \
#function " " name, function, NULL, NULL, (void *)name \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(mini, "roberta"),
        TEST_OF(mini, "llama"),
        TEST_OF(mini, "spm_bpe"),
        TEST_OF(mini, "unigram"),
        TEST_OF(mini, "bert"),
        TEST_OF(gguf, "tokenizers/vocab_gguf/ggml-vocab-deepseek-llm.gguf"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Training a byte-level BPE vocabulary: by hand, and against Hugging Face's trainer. */
#include "text/bpe_train.h"

#include "support/support.h"

#include <string.h>

#include <cmocka.h>

/* Trains over the texts, each counted for itself, and writes the merges as lines. */
static pith_status train(const char *const *texts, int n_texts, const char *pre,
                         const px_bpe_options *o, px_bpe_vocab *v, px_buf *lines, pith_error *err)
{
    px_vocab_def def = px_vocab_def_none();
    px_bpe_words words;
    assert_true(px_pretok_by_name(px_str_of(pre), &def));
    pith_status st = px_bpe_words_init(&words, &def, err);
    for (int i = 0; i < n_texts && st == PITH_OK; i++)
        st = px_bpe_words_add(&words, texts[i], strlen(texts[i]), err);
    if (st == PITH_OK)
        st = px_bpe_train(&words, o, v, err);
    for (int32_t i = 0; st == PITH_OK && i < v->n_merges; i++) {
        px_str left = v->tokens[v->merges[i].left].text, right = v->tokens[v->merges[i].right].text;
        px_buf_printf(lines, "%.*s %.*s\n", PX_STR_ARG(left), PX_STR_ARG(right));
    }
    px_bpe_words_clear(&words);
    return st;
}

static void check(const char *const *texts, int n_texts, const px_bpe_options *o,
                  const char *expected, int32_t n_tokens)
{
    px_bpe_vocab v = {0};
    px_buf lines = {0};
    pith_error err = {0};
    if (train(texts, n_texts, "gpt-2", o, &v, &lines, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_string_equal(lines.data ? lines.data : "", expected);
    assert_int_equal(v.n_tokens, n_tokens);
    px_bpe_vocab_clear(&v);
    px_buf_clear(&lines);
}

/* Worked on paper: "low" 3, " low" 1, " lower" 1. l-o and o-w occur 5 times; 'l' comes before 'o'.
 * Then lo-w 5; then space-low 2; low-e and the rest occur once. */
static void by_hand(void **state)
{
    (void)state;
    static const char *const texts[] = {"low", "low low", "low lower"};
    check(texts, 3, &(px_bpe_options){.size = 400}, "l o\nlo w\n\xc4\xa0 low\n", 259);
    check(texts, 3, &(px_bpe_options){.size = 257}, "l o\n", 257);
    check(texts, 3, &(px_bpe_options){.size = 400, .least_count = 3}, "l o\nlo w\n", 258);
    check(texts, 3, &(px_bpe_options){.size = 400, .least_count = 1},
          "l o\nlo w\n\xc4\xa0 low\ne r\n\xc4\xa0low er\n", 261);
}

/* Equal counts: lower ids first. Ids are those of the bytes' characters, so 'Z' is before 'a', and
 * the space, written as U+0120, after every letter. */
static void ties(void **state)
{
    (void)state;
    static const char *const texts[] = {"ab", "ab", "Zz", "Zz", "az", "az"};
    check(texts, 6, &(px_bpe_options){.size = 400}, "Z z\na b\na z\n", 259);
}

/* "aaaa": three pairs of a, of which two are joined; then the two of two. */
static void overlaps(void **state)
{
    (void)state;
    static const char *const texts[] = {"aaaa", "aaaa"};
    check(texts, 2, &(px_bpe_options){.size = 400}, "a a\naa aa\n", 258);
    static const char *const odd[] = {"aaa", "aaa"};
    check(odd, 2, &(px_bpe_options){.size = 400}, "a a\naa a\n", 258);
}

static void specials_come_first(void **state)
{
    (void)state;
    static const char *const texts[] = {"xy xy"};
    static const px_str specials[] = {{"<|text|>", 8}, {"<|end|>", 7}};
    px_bpe_vocab v = {0};
    px_buf lines = {0};
    pith_error err = {0};
    px_bpe_options o = {.size = 300, .specials = specials, .n_specials = 2};
    assert_int_equal(train(texts, 1, "gpt-2", &o, &v, &lines, &err), PITH_OK);
    assert_true(px_str_is(v.tokens[1].text, "<|end|>"));
    assert_int_equal(v.tokens[1].type, PX_TOKEN_CONTROL);
    assert_true(px_str_is(v.tokens[2].text, "!"));
    assert_true(px_str_is(v.tokens[257].text, "\xc5\x83")); // byte 173 is U+0143
    assert_true(px_str_is(v.tokens[258].text, "xy"));
    assert_int_equal(v.tokens[258].type, PX_TOKEN_NORMAL);
    px_bpe_vocab_clear(&v);
    px_buf_clear(&lines);
}

static void as_hugging_face(void **state)
{
    (void)state;
    const char *corpus = test_read(test_source("tests/golden/bpe/corpus.txt"), NULL);
    const char *expected = test_read(test_source("tests/golden/bpe/merges.txt"), NULL);
    static const px_str specials[] = {{"<|a|>", 5}, {"<|b|>", 5}};
    px_bpe_vocab v = {0};
    px_buf lines = {0};
    pith_error err = {0};
    px_bpe_options o = {.size = 1200, .specials = specials, .n_specials = 2};
    if (train(&corpus, 1, "gpt-2", &o, &v, &lines, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_int_equal(v.n_merges, 522); // all pairs that occur twice
    assert_string_equal(lines.data, expected);
    px_bpe_vocab_clear(&v);
    px_buf_clear(&lines);
}

static int stop(void *user, uint64_t done, uint64_t total)
{
    (void)total;
    *(uint64_t *)user = done;
    return done == 2;
}

static void refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {"low low lower lowest"};
    static const px_str twice[] = {{"<|a|>", 5}, {"<|a|>", 5}}, tiny[] = {{"<>", 2}};
    px_bpe_vocab v = {0};
    px_buf lines = {0};
    pith_error err = {0};
    px_bpe_options o = {.size = 255};
    assert_int_equal(train(texts, 1, "gpt-2", &o, &v, &lines, &err), PITH_E_ARGUMENT);
    o = (px_bpe_options){.size = 300, .specials = twice, .n_specials = 2};
    assert_int_equal(train(texts, 1, "gpt-2", &o, &v, &lines, &err), PITH_E_ARGUMENT);
    assert_string_equal(err.text, "special token '<|a|>' is given twice");
    o = (px_bpe_options){.size = 300, .specials = tiny, .n_specials = 1};
    assert_int_equal(train(texts, 1, "gpt-2", &o, &v, &lines, &err), PITH_E_ARGUMENT);
    uint64_t told = 0;
    o = (px_bpe_options){.size = 300, .progress = stop, .user = &told};
    assert_int_equal(train(texts, 1, "gpt-2", &o, &v, &lines, &err), PITH_E_CANCELLED);
    assert_int_equal(told, 2);
    assert_null(v.tokens);
    px_buf_clear(&lines);
}

/* Bytes that are no UTF-8 part words and count for nothing. */
static void stray_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {("ab\xff"
                                         "cd"),
                                        "ab", "cd"};
    check(texts, 3, &(px_bpe_options){.size = 400}, "a b\nc d\n", 258);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),         cmocka_unit_test(ties),
        cmocka_unit_test(overlaps),        cmocka_unit_test(specials_come_first),
        cmocka_unit_test(as_hugging_face), cmocka_unit_test(refuses),
        cmocka_unit_test(stray_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

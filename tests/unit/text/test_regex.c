/*
 * Regular expressions: what the rewriting for PCRE2 refuses, limits, and that every pattern of the
 * shared tokenizers compiles. What patterns match is compared with the reference in
 * tests/golden/test_tokenizers.c.
 */
#include "text/regex.h"
#include "text/tokenizer.h"

#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        pith_status status;
        const char *part; // of the sentence
    } rows[] = {
        {"(a", PITH_E_FORMAT, "a group without end at byte 2"},
        {"a)", PITH_E_FORMAT, "a closing parenthesis too many at byte 1"},
        {"[a", PITH_E_FORMAT, "a class without end"},
        {"a\\", PITH_E_FORMAT, "a backslash with nothing behind it"},
        {"\\p{L", PITH_E_FORMAT, "a property without end"},
        {"\xff", PITH_E_FORMAT, "not valid UTF-8"},
        {"\\pL", PITH_E_UNSUPPORTED, "a property without braces"},
        {"\\p{Klingon}", PITH_E_UNSUPPORTED, "not supported"},
        {"\\p{In_Arrows!}", PITH_E_UNSUPPORTED, "this property"},
        {"(a)\\1", PITH_E_UNSUPPORTED, "this escape at byte 3"},
        {"\\K", PITH_E_UNSUPPORTED, "this escape"},
        {"\\C", PITH_E_UNSUPPORTED, "this escape"},
        {"\\Qa\\E", PITH_E_UNSUPPORTED, "this escape"},
        {"\\xff", PITH_E_UNSUPPORTED, "this code point"},
        {"\\ud800", PITH_E_UNSUPPORTED, "this code point"},
        {"\\x{110000}", PITH_E_UNSUPPORTED, "this code point"},
        {"[\\W]", PITH_E_UNSUPPORTED, "a negated set inside a class"},
        {"[a[^b]]", PITH_E_UNSUPPORTED, "a negated class inside a class"},
        {"[^a&&b]", PITH_E_UNSUPPORTED, "a negated intersection"},
        {"[[:graph:]]", PITH_E_UNSUPPORTED, "this bracket expression"},
        {"(*FAIL)", PITH_E_UNSUPPORTED, "a verb"},
        {"(?x)a", PITH_E_UNSUPPORTED, "this option"},
        {"(?P<n>a)", PITH_E_UNSUPPORTED, "this option"},
        {"(?<=a*)b", PITH_E_UNSUPPORTED, "lookbehind"},
        {"*", PITH_E_UNSUPPORTED, "not supported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pith_error err = {0};
        px_regex *re = NULL;
        pith_status st = px_regex_new(px_str_of(rows[i].pattern), &re, &err);
        if (st != rows[i].status || !strstr(err.text, rows[i].part))
            fail_msg("%s: status '%s', text '%s'", rows[i].pattern, pith_status_text(st), err.text);
        assert_null(re);
    }
}

static void translations(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a|b", "a|b"},
        {"\\p{N}{1,3}", "\\p{N}{1,3}"},
        {"\\p{N}{1,3}+", "(?:\\p{N}{1,3})+"},
        {"(ab){2}?", "(?:(ab){2})?"},
        {"a{,3}", "a{0,3}"},
        {"a{b", "a\\{b"},
        {"\\p{Han}", "\\p{sc:han}"},
        {"\\P{Han}", "\\P{sc:han}"},
        {"\\p{^Letter}", "\\P{L}"},
        {"\\P{^Letter}", "\\p{L}"},
        {"\\u4e00", "\\x{4e00}"},
        {"(?m:.)", "(?s:.)"},
        {"a(?i)b|c", "a(?i:b|c)"},
        {"(a(?i)b)c", "(a(?i:b))c"},
        {"[a[bc]d]", "[abcd]"},
        {"[a-z&&[^aeiou]]", "(?:(?![aeiou])[a-z])"},
        {"\\h", "[0-9a-fA-F]"},
        {"\\v", "\\x{b}"},
        {"[\\h-]", "[0-9a-fA-F\\-]"},
        {"\\\xc3\xa9", "\xc3\xa9"},
        {"(?#x)a", "a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pith_error err = {0};
        px_buf out = {0};
        if (px_regex_translate(px_str_of(rows[i][0]), &out, &err) != PITH_OK)
            fail_msg("%s: %s", rows[i][0], err.text);
        assert_string_equal(out.data, rows[i][1]);
        px_buf_clear(&out);
    }
}

static void large(void **state)
{
    (void)state;
    pith_error err = {0};
    px_regex *re = NULL;
    char *pattern = malloc(65537);
    assert_non_null(pattern);
    memset(pattern, 'a', 65537);
    assert_int_equal(px_regex_new((px_str){.data = pattern, .len = 65537}, &re, &err),
                     PITH_E_LIMIT);
    memset(pattern, '(', 1000);
    err = (pith_error){0};
    assert_int_equal(px_regex_new((px_str){.data = pattern, .len = 1000}, &re, &err),
                     PITH_E_UNSUPPORTED);
    free(pattern);
}

/* A pattern that would take exponential time is stopped. */
static void stopped(void **state)
{
    (void)state;
    pith_error err = {0};
    px_regex *re = NULL;
    px_regex_work work = {0};
    char text[64];
    bool found;
    size_t start, end;
    memset(text, 'a', sizeof text);
    assert_int_equal(px_regex_new(px_str_of("(?:a|a|aa)+[b-d]{2}"), &re, &err), PITH_OK);
    assert_int_equal(px_regex_find(re, &work, text, sizeof text, 0, &found, &start, &end, &err),
                     PITH_E_LIMIT);
    px_regex_work_clear(&work);
    px_regex_free(re);
}

static void finds(void **state)
{
    (void)state;
    pith_error err = {0};
    px_regex *re = NULL;
    px_regex_work work = {0};
    bool found;
    size_t start = 9, end = 9;
    const char *text = "one two";
    assert_int_equal(px_regex_new(px_str_of("(?<=\\s)\\w+"), &re, &err), PITH_OK);
    for (size_t from = 0; from <= 4; from++) { // looks behind `from`
        assert_int_equal(px_regex_find(re, &work, text, 7, from, &found, &start, &end, &err),
                         PITH_OK);
        assert_true(found && start == 4 && end == 7);
    }
    assert_int_equal(px_regex_find(re, &work, text, 7, 7, &found, &start, &end, &err), PITH_OK);
    assert_false(found);
    px_regex_work_clear(&work);
    px_regex_free(re);
}

/* Every name of a pre-tokenizer stands for patterns that compile. */
static void names(void **state)
{
    (void)state;
    static const char *const known[] = {
        "default",    "llama-bpe",  "llama3",       "qwen2",          "gpt-2",       "deepseek-llm",
        "tekken",     "smollm",     "deepseek-v3",  "deepseek-coder", "smaug-bpe",   "starcoder",
        "falcon",     "mpt",        "refact",       "command-r",      "olmo",        "dbrx",
        "jina-v2-de", "jina-v2-es", "jina-v2-code", "codeshell",      "chatglm-bpe", "gpt-4o",
        "bloom",      "viking",     "stablelm2",    "exaone",         "qwen35",      "seed-coder",
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        px_vocab_def def = px_vocab_def_none();
        assert_true(px_pretok_by_name(px_str_of(known[i]), &def));
        assert_true(def.n_cuts > 0);
        for (int32_t k = 0; k < def.n_cuts; k++) {
            pith_error err = {0};
            px_regex *re = NULL;
            if (px_regex_new(def.cuts[k].pattern, &re, &err) != PITH_OK)
                fail_msg("%s, step %d: %s", known[i], (int)k, err.text);
            px_regex_free(re);
        }
        /* The name that is written stands for the same steps. */
        const char *name = px_pretok_name(&def);
        px_vocab_def again = px_vocab_def_none();
        assert_non_null(name);
        assert_true(px_pretok_by_name(px_str_of(name), &again));
        assert_int_equal(again.n_cuts, def.n_cuts);
        for (int32_t k = 0; k < def.n_cuts; k++)
            assert_true(px_str_eq(again.cuts[k].pattern, def.cuts[k].pattern));
    }
    px_vocab_def def = px_vocab_def_none();
    assert_false(px_pretok_by_name(px_str_of("klingon"), &def));
    assert_false(px_pretok_by_name(px_str_of(""), &def));
    assert_null(px_pretok_name(&def));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses), cmocka_unit_test(translations), cmocka_unit_test(large),
        cmocka_unit_test(stopped), cmocka_unit_test(finds),        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

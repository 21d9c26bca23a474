/* args: reading a command line by its table. */
#include "support/support.h"

#include "cli/args.h"

#include <string.h>

#include <cmocka.h>

typedef struct values {
    bool flag, given;
    int64_t n;
    uint64_t seed;
    double x;
    const char *text;
    cli_texts list;
} values;

/* Parses argv (ended by NULL) into v; the sentence of a failure is left in err. */
static pith_status parse(values *v, cli_words *words, pith_error *err, const char *const *args)
{
    const cli_option options[] = {
        {CLI_HEADING, "things", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_FLAG, "flag", 'f', &v->flag, NULL, "", 0, 0, NULL},
        {CLI_INT, "number", 'n', &v->n, "N", "", -1, 100, &v->given},
        {CLI_SEED, "seed", 's', &v->seed, "N", "", 0, 0, NULL},
        {CLI_FLOAT, "temp", 0, &v->x, "X", "", 0, 2, NULL},
        {CLI_TEXT, "text", 'p', &v->text, "TEXT", "", 0, 0, NULL},
        {CLI_TEXTS, "stop", 0, &v->list, "TEXT", "", 0, 0, NULL},
    };
    const cli_spec spec = {.usage = "pith test A [B]",
                           .summary = "",
                           .options = options,
                           .n_options = sizeof options / sizeof options[0],
                           .min_words = 1,
                           .max_words = 2};
    char *argv[16] = {(char *)(uintptr_t) "test"};
    int argc = 1;
    while (args[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
        argc++;
    }
    bool help = false;
    *v = (values){0};
    *err = (pith_error){0};
    return cli_args_parse(&spec, argc, argv, words, &help, err);
}

#define PARSE(...) parse(&v, &words, &err, (const char *const[]){__VA_ARGS__, NULL})

static void every_form_of_an_option_is_read(void **state)
{
    (void)state;
    values v;
    cli_words words;
    pith_error err;
    assert_int_equal(PARSE("a", "--number=7", "--temp", "0.5", "-fp", "hi", "b"), PITH_OK);
    assert_int_equal(words.n, 2);
    assert_string_equal(words.items[0], "a");
    assert_string_equal(words.items[1], "b");
    assert_int_equal(v.n, 7);
    assert_true(v.given && v.flag && v.x == 0.5);
    assert_string_equal(v.text, "hi");
    assert_int_equal(PARSE("-n12", "a"), PITH_OK);
    assert_int_equal(v.n, 12);
    assert_int_equal(PARSE("-n", "-1", "a"), PITH_OK);
    assert_int_equal(v.n, -1);
    assert_int_equal(PARSE("--stop", "x", "--stop=y", "a"), PITH_OK);
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.items[1], "y");
    assert_int_equal(PARSE("--", "-n"), PITH_OK);
    assert_string_equal(words.items[0], "-n");
    assert_int_equal(PARSE("-"), PITH_OK);
    assert_string_equal(words.items[0], "-");
    assert_int_equal(PARSE("--text=", "a"), PITH_OK);
    assert_string_equal(v.text, "");
}

static void seeds_take_all_of_64_bits_and_minus_one(void **state)
{
    (void)state;
    values v;
    cli_words words;
    pith_error err;
    assert_int_equal(PARSE("a", "--seed=18446744073709551614"), PITH_OK);
    assert_true(v.seed == UINT64_MAX - 1);
    assert_int_equal(PARSE("a", "-s", "-1"), PITH_OK);
    assert_true(v.seed == UINT64_MAX);
    assert_int_equal(PARSE("a", "-s", "-2"), PITH_E_ARGUMENT);
}

/* The sentence must name what was wrong. */
static void expect_refused(const char *part, const char *const *args)
{
    values v;
    cli_words words;
    pith_error err;
    assert_int_equal(parse(&v, &words, &err, args), PITH_E_ARGUMENT);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
}

static void wrong_words_are_refused_by_name(void **state)
{
    (void)state;
    expect_refused("did you mean '--number'", (const char *const[]){"a", "--numbr", "3", NULL});
    expect_refused("'--zzzzzzzz'", (const char *const[]){"a", "--zzzzzzzz", NULL});
    expect_refused("'-z'", (const char *const[]){"a", "-z", NULL});
    expect_refused("needs a value", (const char *const[]){"a", "--number", NULL});
    expect_refused("'seven'", (const char *const[]){"a", "--number", "seven", NULL});
    expect_refused("from -1 to 100", (const char *const[]){"a", "--number", "101", NULL});
    expect_refused("from 0 to 2", (const char *const[]){"a", "--temp", "2.5", NULL});
    expect_refused("expected a number", (const char *const[]){"a", "--temp", "nan", NULL});
    expect_refused("takes no value", (const char *const[]){"a", "--flag=1", NULL});
    expect_refused("unexpected word 'c'", (const char *const[]){"a", "b", "c", NULL});
    expect_refused("too few words", (const char *const[]){"-f", NULL});
}

static void the_nearest_word_is_near(void **state)
{
    (void)state;
    const char *const names[] = {"run", "inspect", "tokenize"};
    assert_string_equal(cli_nearest("insepct", names, 3), "inspect");
    assert_string_equal(cli_nearest("tokenise", names, 3), "tokenize");
    assert_null(cli_nearest("quantize!!", names, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_an_option_is_read),
        cmocka_unit_test(seeds_take_all_of_64_bits_and_minus_one),
        cmocka_unit_test(wrong_words_are_refused_by_name),
        cmocka_unit_test(the_nearest_word_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

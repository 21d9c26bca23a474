/* example: the program of docs/example.c, which is this program's argument. */
#include "support/support.h"

#include <string.h>

#include <cmocka.h>

static const char *program;

static test_result run(const char *a, const char *b)
{
    const char *const args[] = {program, a, b, NULL};
    test_command command = {.args = args};
    return test_run(&command);
}

static void answers_and_twice_the_same(void **state)
{
    (void)state;
    const char *model = test_shared("models/stories260K.gguf");
    test_result a = run(model, "Tell \"me\" a story\\"), b = run(model, "Tell \"me\" a story\\");
    assert_int_equal(a.exit_code, 0);
    assert_string_equal(a.err, "");
    assert_true(a.out_bytes > 1);
    assert_string_equal(a.out, b.out);
}

static void says_what_went_wrong(void **state)
{
    (void)state;
    test_result r = run("/nonexistent.gguf", "hello");
    assert_int_equal(r.exit_code, 3);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "not found: "));
    assert_non_null(strstr(r.err, "/nonexistent.gguf"));
    r = run("only one", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "usage"));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_twice_the_same),
        cmocka_unit_test(says_what_went_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

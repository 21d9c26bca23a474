/*
 * The model inside the program, where this program has one: it answers without a home folder, a
 * store or a file written, and is listed and served. What it says is graded by guide-grade.
 */
#include "support/http.h"
#include "support/support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void need_guide(void)
{
    if (!test_exists(test_source("models/guide/guide.gguf")))
        skip();
}

static int entries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void answers_without_a_home(void **state)
{
    (void)state;
    need_guide();
    const char *home = test_temp("home");
    assert_int_equal(system(test_format("mkdir -p %s", home)), 0);
    setenv("HOME", home, 1);
    unsetenv("PITH_HOME");
    test_result r = test_pith(NULL, "run", "-p", "what is quantization?", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "bits"));
    test_result again = test_pith(NULL, "run", "guide", "what is quantization?", NULL);
    assert_string_equal(again.out, r.out);
    assert_int_equal(entries(home), 0);
    unsetenv("HOME");
    test_result homeless = test_pith(NULL, "run", "-p", "what is quantization?", NULL);
    assert_string_equal(homeless.out, r.out);
    setenv("HOME", home, 1);
}

static void refuses_what_it_cannot_know(void **state)
{
    (void)state;
    need_guide();
    test_result r = test_pith(NULL, "run", "-p", "what is the capital of france?", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "pith pull"));
}

static void is_listed(void **state)
{
    (void)state;
    need_guide();
    test_result r = test_pith(NULL, "list", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "guide"));
    assert_non_null(strstr(r.out, "built in"));
    assert_int_equal(test_pith(NULL, "inspect", "guide", NULL).exit_code, 0);
    /* What needs a file of its own says so. */
    r = test_pith(NULL, "quantize", "guide", test_temp("x.gguf"), "q4_0", NULL);
    assert_int_equal(r.exit_code, 5);
    assert_non_null(strstr(r.err, "built into the program"));
}

static void is_served(void **state)
{
    (void)state;
    need_guide();
    test_server s = test_server_start((const char *[]){NULL});
    test_reply r = test_http(s.port, "POST", "/v1/chat/completions", NULL,
                             "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}");
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\"model\":\"guide\""));
    assert_non_null(strstr(r.body, "guide of pith"));
    test_reply_free(&r);
    assert_int_equal(test_server_stop(&s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_without_a_home),
        cmocka_unit_test(refuses_what_it_cannot_know),
        cmocka_unit_test(is_listed),
        cmocka_unit_test(is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* support: the helpers themselves, since every other test leans on them. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void finds_files(void **state)
{
    (void)state;
    assert_true(test_exists(test_source("include/pith.h")));
    assert_false(test_exists(test_source("no such file")));
    assert_true(test_exists(test_shared("HOUSE.md")));
}

static void temporary_files_are_read_back(void **state)
{
    (void)state;
    static const char bytes[] = "a\0b\n";
    const char *path = test_temp("x");
    test_write(path, bytes, 4);
    size_t n = 0;
    assert_memory_equal(test_read(path, &n), bytes, 5);
    assert_int_equal(n, 4);
    assert_string_equal(test_temp("x"), path);
    assert_string_not_equal(test_temp("y"), path);
}

static void runs_a_program(void **state)
{
    (void)state;
    static const char *const args[] = {"sh", "-c", "cat; printf %s \"$A-$B-$PWD\" >&2; exit 7",
                                       NULL};
    static const char *const env[] = {"A=1", "B", NULL};
    setenv("B", "2", 1);
    test_result r = test_run(&(test_command){
        .args = args, .input = "in\0put", .input_bytes = 6, .env = env, .folder = "/"});
    assert_int_equal(r.exit_code, 7);
    assert_int_equal(r.signal, 0);
    assert_int_equal(r.out_bytes, 6);
    assert_memory_equal(r.out, "in\0put", 7);
    assert_string_equal(r.err, "1--/");
}

static void tells_signals_and_timeouts(void **state)
{
    (void)state;
    static const char *const dies[] = {"sh", "-c", "kill -TERM $$", NULL};
    test_result r = test_run(&(test_command){.args = dies});
    assert_int_equal(r.exit_code, -1);
    assert_int_equal(r.signal, 15);
    assert_false(r.timed_out);
    static const char *const sleeps[] = {"sleep", "100", NULL};
    r = test_run(&(test_command){.args = sleeps, .timeout_ms = 50});
    assert_true(r.timed_out);
    assert_int_equal(r.signal, 9);
    static const char *const missing[] = {"/no/such/program", NULL};
    r = test_run(&(test_command){.args = missing});
    assert_int_equal(r.exit_code, 127);
    assert_non_null(strstr(r.err, "cannot run /no/such/program"));
}

static void random_numbers_repeat(void **state)
{
    (void)state;
    /* The first numbers of SplitMix64 from 1234567, as its authors' program prints them. */
    test_random r = {.state = 1234567};
    assert_true(test_random_u64(&r) == 6457827717110365317u);
    assert_true(test_random_u64(&r) == 3203168211198807973u);
    assert_true(test_random_u64(&r) == 9817491932198370423u);
    double sum = 0, squares = 0;
    for (int i = 0; i < 10000; i++) {
        double x = test_random_normal(&r);
        sum += x;
        squares += x * x;
        double u = test_random_unit(&r);
        assert_true(u >= 0 && u < 1);
        assert_true(test_random_below(&r, 7) < 7);
        uint32_t c = test_random_char(&r);
        assert_true(c < 0xd800 || (c > 0xdfff && c <= 0x10ffff));
    }
    assert_true(sum / 10000 > -0.05 && sum / 10000 < 0.05);
    assert_true(squares / 10000 > 0.93 && squares / 10000 < 1.07);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_files),           cmocka_unit_test(temporary_files_are_read_back),
        cmocka_unit_test(runs_a_program),        cmocka_unit_test(tells_signals_and_timeouts),
        cmocka_unit_test(random_numbers_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

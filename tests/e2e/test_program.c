/* program: what every command line meets before a command runs. */
#include "support/support.h"

#include "pith.h"

#include <string.h>

#include <cmocka.h>

static void no_command_shows_the_usage(void **state)
{
    (void)state;
    test_result r = test_pith(NULL, NULL);
    assert_int_equal(r.exit_code, pith_status_exit_code(PITH_E_ARGUMENT));
    assert_string_equal(r.out, "");
    assert_ptr_equal(strstr(r.err, "usage: pith "), r.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_command_shows_the_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

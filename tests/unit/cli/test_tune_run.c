/* tune_run: the folder of a run, its log across a kill, and the curve that is drawn from it. */
#include "cli/tune_run.h"
#include "cli/tune_view.h"

#include "support/support.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_line(cli_run *run, const char *event, int update, double loss)
{
    pith_error err = {0};
    json_t *line = json_pack("{s:s, s:i, s:f}", "event", event, "update", update, "loss", loss);
    if (cli_run_log(run, line, &err) != PITH_OK)
        fail_msg("%s", err.text);
    json_decref(line);
}

static void a_run_goes_on_where_its_checkpoint_stands(void **state)
{
    (void)state;
    const char *home = test_temp("home/pith");
    pith_error err = {0};
    cli_run run;
    assert_int_equal(cli_run_open(home, "poems", true, &run, &err), PITH_E_NOT_FOUND);
    err = (pith_error){0};
    assert_int_equal(cli_run_open(home, "poems", false, &run, &err), PITH_OK);
    log_line(&run, "begin", 0, 9);
    for (int i = 1; i <= 5; i++)
        log_line(&run, "update", i, 5 - i);
    log_line(&run, "evaluation", 4, 2.5);
    cli_run_close(&run);

    // Killed inside a line; the checkpoint is of update 3.
    err = (pith_error){0};
    FILE *f = fopen(test_format("%s/runs/poems/log.jsonl", home), "a");
    fputs("{\"event\": \"upd", f);
    fclose(f);
    assert_int_equal(cli_run_open(home, "poems", true, &run, &err), PITH_OK);
    assert_int_equal(cli_run_rewind(&run, 3, &err), PITH_OK);
    log_line(&run, "update", 4, 7);
    json_t *curves;
    assert_int_equal(cli_run_curves(&run, &curves, &err), PITH_OK);
    const json_t *updates = json_object_get(curves, "updates");
    assert_int_equal(json_array_size(updates), 4);
    assert_int_equal(json_array_size(json_object_get(curves, "evaluations")), 0);
    assert_true(json_real_value(json_object_get(json_array_get(updates, 3), "loss")) == 7);
    json_decref(curves);

    json_t *config = json_pack("{s:i}", "rank", 16);
    assert_int_equal(cli_run_write(&run, "config.json", config, &err), PITH_OK);
    json_decref(config);
    assert_string_equal(test_read(test_format("%s/runs/poems/config.json", home), NULL),
                        "{\n  \"rank\": 16\n}");
    cli_run_close(&run);

    // Another run of the name lies beside it, and is the one to resume then.
    assert_int_equal(cli_run_open(home, "poems", false, &run, &err), PITH_OK);
    assert_string_equal(run.folder, test_format("%s/runs/poems-2", home));
    cli_run_close(&run);
    assert_int_equal(cli_run_open(home, "poems", true, &run, &err), PITH_OK);
    assert_string_equal(run.folder, test_format("%s/runs/poems-2", home));
    cli_run_close(&run);
}

static void names_stay_inside(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".hidden", "a b", "x\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pith_error err = {0};
        cli_run run;
        assert_int_equal(cli_run_open(test_temp("home"), bad[i], false, &run, &err),
                         PITH_E_ARGUMENT);
    }
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    pith_error err = {0};
    cli_run run = {.folder = strdup("/dev"), .log = -1};
    json_t *line = json_pack("{s:i}", "a", 1);
    assert_int_equal(cli_run_log(&run, line, &err), PITH_E_IO);
    assert_non_null(strstr(err.text, "/dev/log.jsonl"));
    json_decref(line);
    free(run.folder);
}

static void curves_of_dots(void **state)
{
    (void)state;
    char out[512];
    const float falling[] = {4, 3, 2, 1};
    cli_tune_curve(falling, 4, 2, 1, out);
    // Four columns of dots, one row lower each: dots 1 and 5, then 3 and 8.
    assert_string_equal(out, "\xe2\xa0\x91\xe2\xa2\x84\n");
    const float flat[] = {2, 2, NAN, 2};
    cli_tune_curve(flat, 4, 2, 1, out);
    assert_string_equal(out, "\xe2\xa3\x80\xe2\xa2\x80\n");
    cli_tune_curve(NULL, 0, 1, 2, out);
    assert_string_equal(out, "\xe2\xa0\x80\n\xe2\xa0\x80\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_where_its_checkpoint_stands),
        cmocka_unit_test(names_stay_inside),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(curves_of_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

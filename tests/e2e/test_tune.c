/* `pith tune` as a user runs it: a real model learns a style, the report is there, the adapter
 * answers; a run that was killed goes on to the same bytes; what cannot work is refused in a
 * sentence. */
#include "support/support.h"

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODEL "models/stories260K.gguf"

/* Sentences of one form, which the model has never seen: its stories have no capitals in a row. */
static const char *style(void)
{
    static const char *const who[] = {"Ann", "Bob", "Tom", "Lily", "Max", "Sue", "Ben", "Mia"};
    static const char *const what[] = {"ball", "dog",  "cat",  "tree",
                                       "cake", "boat", "kite", "star"};
    static const char *const how[] = {"red", "big", "small", "blue", "old", "new", "soft", "fast"};
    const char *path = test_temp("style.jsonl");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 240; i++)
        fprintf(f, "{\"text\": \"Sing of the %s %s, %s! Sing, sing, %s, la la la.\"}\n", how[i % 8],
                what[i / 8 % 8], who[(i + i / 8) % 8], who[(i + i / 8) % 8]);
    fclose(f);
    return path;
}

static void use_home(const char *name)
{
    setenv("PITH_HOME", test_temp(name), 1);
}

static double number_of(const json_t *v, const char *key)
{
    const json_t *n = json_object_get(v, key);
    if (!json_is_number(n))
        fail_msg("no number '%s'", key);
    return json_number_value(n);
}

/* The last line of what was printed. */
static json_t *last_line(const test_result *r)
{
    if (r->exit_code != 0)
        fail_msg("exit code %d: %s", r->exit_code, r->err);
    const char *end = r->out + r->out_bytes;
    assert_true(end > r->out && end[-1] == '\n');
    const char *line = end - 1;
    while (line > r->out && line[-1] != '\n')
        line--;
    json_t *v = json_loads(line, 0, NULL);
    assert_non_null(v);
    return v;
}

static void a_style_is_learned(void **state)
{
    (void)state;
    use_home("learned");
    const char *out = test_temp("style.gguf"), *model = test_shared(MODEL);
    const test_result r =
        test_pith(NULL, "tune", model, style(), "-o", out, "--lr", "0.003", "--json", NULL);
    json_t *done = last_line(&r);
    const double before = number_of(done, "held_before"), after = number_of(done, "held_after");
    printf("# loss on what was held back: %.3f before, %.3f after\n", before, after);
    assert_true(before > 3);
    assert_true(after < 1);
    assert_true(json_is_true(json_object_get(done, "better")));
    const json_t *checks = json_object_get(done, "checks");
    assert_int_equal(json_array_size(checks), 3);
    for (size_t i = 0; i < json_array_size(checks); i++)
        assert_true(json_is_true(json_object_get(json_array_get(checks, i), "ok")));
    const char *run = json_string_value(json_object_get(done, "run"));
    assert_string_equal(run, test_format("%s/runs/style", test_temp("learned")));
    const char *page = test_read(test_format("%s/report.html", run), NULL);
    assert_non_null(strstr(page, "Better: loss on what it never saw"));
    assert_non_null(strstr(page, "<polyline class=\"line0\""));
    assert_non_null(strstr(page, "Sing of the"));
    assert_non_null(strstr(page, "</html>"));
    json_decref(done);

    // The adapter serves: with it the song goes on, without it a story begins.
    const test_result sung = test_pith(NULL, "run", model, "--raw", "--adapter", out, "-n", "64",
                                       "--temp", "0", "Sing of the red", NULL);
    assert_int_equal(sung.exit_code, 0);
    assert_non_null(strstr(sung.out, "la la la."));
    const test_result told =
        test_pith(NULL, "run", model, "--raw", "-n", "64", "--temp", "0", "Sing of the red", NULL);
    assert_null(strstr(told.out, "la la"));
}

/* The chosen answers are what the model writes anyway, so that they become no likelier: what counts
 * is that they are preferred. */
static void preferences_are_judged_as_such(void **state)
{
    (void)state;
    use_home("preferred");
    const char *data = test_temp("pairs.jsonl");
    FILE *f = fopen(data, "w");
    assert_non_null(f);
    for (int i = 0; i < 100; i++)
        fprintf(f,
                "{\"prompt\": \"Once upon a time, number %d, \", \"chosen\": \"there was a little "
                "girl named Lily.\", \"rejected\": \"XQ ZZ %d KRR.\"}\n",
                i, i * 7);
    fclose(f);
    const test_result r =
        test_pith(NULL, "tune", test_shared(MODEL), data, "-o", test_temp("pairs.gguf"), "--lr",
                  "0.001", "--epochs", "1", "--no-check", "--plain", "--json", NULL);
    json_t *done = last_line(&r);
    assert_true(number_of(done, "eval_best") < number_of(done, "eval_before"));
    assert_true(json_is_true(json_object_get(done, "better")));
    const char *run = json_string_value(json_object_get(done, "run"));
    assert_non_null(strstr(test_read(test_format("%s/report.html", run), NULL),
                           "Better: preference loss on what it never saw 0.6931 before"));
    json_decref(done);
}

/* Starts a run and kills it as soon as its log has so many lines. */
static void kill_after(const char *const *args, const char *log, int lines)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
            execv(test_pith_program(), (char *const *)args);
        _exit(127);
    }
    for (int tries = 0; tries < 6000; tries++) {
        int seen = 0;
        FILE *f = fopen(log, "r");
        for (int c; f && (c = fgetc(f)) != EOF;)
            seen += c == '\n';
        if (f)
            fclose(f);
        if (seen >= lines)
            break;
        usleep(10000);
    }
    kill(pid, SIGKILL);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the run ended before it was killed");
}

static void a_killed_run_goes_on_to_the_same_bytes(void **state)
{
    (void)state;
    use_home("killed");
    const char *data = style(), *model = test_shared(MODEL);
    const char *whole = test_temp("whole.gguf"), *cut = test_temp("cut.gguf");
    const char *const args[] = {"pith",      "tune",         model,       data,        "-o",
                                cut,         "--save-every", "2",         "--updates", "12",
                                "--dropout", "0.1",          "--threads", "2",         NULL};
    kill_after(args, test_format("%s/runs/cut/log.jsonl", test_temp("killed")), 7);
    assert_int_equal(access(cut, F_OK), -1);
    const test_result on =
        test_pith(NULL, "tune", model, data, "-o", cut, "--save-every", "2", "--updates", "12",
                  "--dropout", "0.1", "--threads", "1", "--resume", NULL);
    if (on.exit_code != 0)
        fail_msg("%s", on.err);
    assert_non_null(strstr(on.err, "goes on; "));
    const test_result r = test_pith(NULL, "tune", model, data, "-o", whole, "--updates", "12",
                                    "--dropout", "0.1", "--threads", "1", NULL);
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    size_t n, m;
    const char *a = test_read(cut, &n), *b = test_read(whole, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);

    // The log tells each update once.
    const char *log = test_read(test_format("%s/runs/cut/log.jsonl", test_temp("killed")), NULL);
    for (int i = 1; i <= 12; i++) {
        const char *line = test_format("\"event\":\"update\",\"update\":%d,", i);
        const char *first = strstr(log, line);
        if (!first || strstr(first + 1, line))
            fail_msg("update %d stands %s in the log", i, first ? "twice" : "not");
    }
}

static void refused(const char *expected, const test_result r)
{
    assert_int_not_equal(r.exit_code, 0);
    if (!strstr(r.err, expected))
        fail_msg("expected '%s' in: %s", expected, r.err);
}

static void what_cannot_work_is_refused(void **state)
{
    (void)state;
    use_home("refused");
    const char *data = style(), *model = test_shared(MODEL), *out = test_temp("no.gguf");
    refused("no output was named", test_pith(NULL, "tune", model, data, NULL));
    refused("is no time", test_pith(NULL, "tune", model, data, "-o", out, "--time", "soon", NULL));
    refused("nothing-here.jsonl",
            test_pith(NULL, "tune", model, "nothing-here.jsonl", "-o", out, NULL));
    refused("there is no run 'no' to resume",
            test_pith(NULL, "tune", model, data, "-o", out, "--resume", NULL));
    refused("cannot name a run",
            test_pith(NULL, "tune", model, data, "-o", out, "--run", "../x", NULL));
    test_write(test_temp("broken.jsonl"), "{\"text\": \"one\"}\n{\"text\": tw\n", 27);
    refused("line 2", test_pith(NULL, "tune", model, test_temp("broken.jsonl"), "-o", out, NULL));
    test_write(out, "mine", 4);
    refused("exists", test_pith(NULL, "tune", model, data, "-o", out, NULL));
    assert_string_equal(test_read(out, NULL), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_style_is_learned),
        cmocka_unit_test(preferences_are_judged_as_such),
        cmocka_unit_test(a_killed_run_goes_on_to_the_same_bytes),
        cmocka_unit_test(what_cannot_work_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

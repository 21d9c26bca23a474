/* store: pulling, making and using models by name, with the real program and a replica of the
 * registries; kill -9 in the middle of a pull. */
#include "support/replica.h"
#include "support/support.h"

#include "pith.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { JUNK = 6 * 1000 * 1000, PIECE = 256 << 10 };

static void use_home(const char *name)
{
    setenv("PITH_HOME", test_temp(name), 1);
}

static char *ok(test_result r)
{
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    return r.out;
}

static void expect_fail(test_result r, pith_status status, const char *part)
{
    if (r.exit_code != pith_status_exit_code(status) || !strstr(r.err, part))
        fail_msg("exit code %d, expected %d with '%s': %s", r.exit_code,
                 pith_status_exit_code(status), part, r.err);
    assert_string_equal(r.out, "");
}

static json_t *ok_json(test_result r)
{
    json_error_t je;
    json_t *v = json_loads(ok(r), 0, &je);
    if (!v)
        fail_msg("not JSON: %s: %s", je.text, r.out);
    return v;
}

static const char *text_of(json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static const char *answer(const char *model)
{
    return ok(test_pith(NULL, "run", model, "--raw", "-p", "Once upon a time", "-n", "12", "--temp",
                        "0", NULL));
}

static const char *stories(void)
{
    return test_shared("models/stories260K.gguf");
}

static void a_name_works_wherever_a_path_does(void **state)
{
    (void)state;
    use_home("names");
    const char *direct = answer(stories());
    assert_string_equal(ok(test_pith(NULL, "import", stories(), "stories", NULL)),
                        "stories:latest\n");
    assert_string_equal(answer("stories"), direct);
    json_t *o = ok_json(test_pith(NULL, "inspect", "stories", "--json", NULL));
    char real[PATH_MAX];
    assert_non_null(realpath(stories(), real));
    assert_string_equal(text_of(o, "path"), real);
    json_decref(o);
    assert_string_equal(ok(test_pith(NULL, "tokenize", "stories", "Once", NULL)),
                        ok(test_pith(NULL, "tokenize", stories(), "Once", NULL)));
    assert_string_equal(ok(test_pith("Once upon", "score", "stories", NULL)),
                        ok(test_pith("Once upon", "score", stories(), NULL)));
    o = ok_json(test_pith(NULL, "list", "--json", NULL));
    size_t inside = test_exists(test_source("models/guide/guide.gguf")); // the guide
    assert_int_equal(json_array_size(o), 1 + inside);
    assert_string_equal(text_of(json_array_get(o, 0), "name"), "stories:latest");
    json_decref(o);
    ok(test_pith(NULL, "cp", "stories", "tales:v2", NULL));
    assert_string_equal(answer("tales"), direct);
    ok(test_pith(NULL, "rm", "stories", "tales:v2", NULL));
    assert_true(test_exists(stories()));
    expect_fail(test_pith(NULL, "run", "stories", "-p", "x", NULL), PITH_E_NOT_FOUND,
                "pith pull stories");
}

static void a_modelfile_changes_how_a_model_answers(void **state)
{
    (void)state;
    use_home("made");
    ok(test_pith(NULL, "import", stories(), "stories", NULL));
    const char *file =
        "FROM stories\nPARAMETER num_predict 3\nPARAMETER temperature 0\n"
        "PARAMETER seed 1234567890123\nPARAMETER stop \" little\"\nSYSTEM Tell stories.\n";
    ok(test_pith(file, "create", "short", "-f", "-", NULL));
    assert_string_equal(
        ok(test_pith(NULL, "run", "short", "--raw", "-p", "Once upon a time", NULL)),
        ok(test_pith(NULL, "run", stories(), "--raw", "-p", "Once upon a time", "-n", "3", "--temp",
                     "0", NULL)));
    /* The command line stands above the record. */
    const char *out =
        ok(test_pith(NULL, "run", "short", "--raw", "-p", "Once upon a time", "-n", "12", NULL));
    assert_null(strstr(out, "little"));
    const char *shown = ok(test_pith(NULL, "show", "short", "--modelfile", NULL));
    assert_non_null(strstr(shown, "SYSTEM Tell stories.\n"));
    ok(test_pith(shown, "create", "again", "-f", "-", NULL));
    json_t *a = ok_json(test_pith(NULL, "show", "short", "--json", NULL));
    json_t *b = ok_json(test_pith(NULL, "show", "again", "--json", NULL));
    assert_true(json_equal(json_object_get(a, "parameters"), json_object_get(b, "parameters")));
    assert_string_equal(text_of(a, "system"), text_of(b, "system"));
    json_decref(a);
    json_decref(b);
    expect_fail(test_pith("FROM stories\nNONSENSE 1\n", "create", "x", "-f", "-", NULL),
                PITH_E_FORMAT, "line 2: unknown instruction 'NONSENSE'");
}

/* ---- pulls */

/* stories260K with bytes behind its tensors, so that it is long enough to be interrupted. */
static size_t put_long_model(const test_replica *r, const char *name, const char **digest)
{
    size_t n = 0;
    char *model = test_read(stories(), &n);
    char *bytes = test_keep(n + JUNK);
    test_random random = test_random_start(7);
    memcpy(bytes, model, n);
    test_random_bytes(&random, bytes + n, JUNK);
    test_replica_put(r, name, bytes, n + JUNK);
    *digest = test_sha256(bytes, n + JUNK);
    return n + JUNK;
}

static uint64_t pieces_there(const char *journal)
{
    uint64_t n = 0;
    if (!test_exists(journal))
        return 0;
    const char *text = test_read(journal, NULL);
    for (int line = 0; line < 5 && text; line++)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    for (; text && *text; text++)
        n += *text != '0';
    return n;
}

static pid_t start_pull(const char *what, const char *url)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execl(test_pith_program(), "pith", "pull", what, "--registry", url, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void a_killed_pull_goes_on_where_it_was(void **state)
{
    (void)state;
    use_home("killed");
    test_replica r = test_replica_start("killed-replica");
    const char *digest = NULL, *what = "hf.co/org/Tiny-GGUF:Q8_0";
    size_t size = put_long_model(&r, "hub/org/Tiny-GGUF/Tiny-Q8_0.gguf", &digest);
    const char *blob = test_format("%s/blobs/sha256-%s", getenv("PITH_HOME"), digest);
    const char *journal = test_format("%s.journal", blob);
    test_replica_faults(&r, "{\"slow\": 800000}");
    uint64_t before = 0;
    for (int turn = 1; turn <= 2; turn++) {
        pid_t pid = start_pull(what, r.url);
        uint64_t wanted = before + 4, there = 0;
        for (int i = 0; i < 1200 && there < wanted; i++) {
            usleep(20 * 1000);
            there = pieces_there(journal);
        }
        kill(pid, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_true(there >= wanted);
        assert_false(test_exists(blob));
        expect_fail(test_pith(NULL, "run", what, "-p", "x", NULL), PITH_E_NOT_FOUND, "pith pull");
        before = pieces_there(journal);
    }
    usleep(500 * 1000); // the replica notices that the connections are gone
    test_replica_sent(&r, "/Tiny-Q8_0.gguf");
    test_replica_faults(&r, "{}");
    assert_string_equal(ok(test_pith(NULL, "pull", what, "--registry", r.url, NULL)),
                        test_format("%s\n", what));
    /* Exactly what was missing was sent; the last piece of the file is short. */
    uint64_t n_pieces = (size + PIECE - 1) / PIECE, sent = test_replica_sent(&r, ".gguf").bytes;
    assert_true(sent <= (n_pieces - before) * PIECE);
    assert_true(sent + PIECE >= (n_pieces - before) * PIECE);
    size_t n = 0;
    char *bytes = test_read(blob, &n);
    assert_int_equal(n, size);
    assert_string_equal(test_sha256(bytes, n), digest);
    assert_false(test_exists(journal));
    assert_string_equal(answer(what), answer(stories()));
}

static void an_interrupted_pull_says_so_and_goes_on(void **state)
{
    (void)state;
    use_home("interrupted");
    test_replica r = test_replica_start("interrupted-replica");
    const char *digest = NULL, *what = "hf.co/org/Tiny-GGUF:Q8_0";
    put_long_model(&r, "hub/org/Tiny-GGUF/Tiny-Q8_0.gguf", &digest);
    const char *journal = test_format("%s/blobs/sha256-%s.journal", getenv("PITH_HOME"), digest);
    test_replica_faults(&r, "{\"slow\": 800000}");
    pid_t pid = start_pull(what, r.url);
    for (int i = 0; i < 1200 && pieces_there(journal) < 3; i++)
        usleep(20 * 1000);
    kill(pid, SIGINT);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    assert_true(pieces_there(journal) >= 3);
    test_replica_faults(&r, "{}");
    ok(test_pith(NULL, "pull", what, "--registry", r.url, NULL));
}

static void events_are_lines_of_json(void **state)
{
    (void)state;
    use_home("events");
    test_replica r = test_replica_start("events-replica");
    const char *digest = NULL;
    size_t size = put_long_model(&r, "hub/org/Tiny-GGUF/Tiny-Q8_0.gguf", &digest);
    char *text =
        ok(test_pith(NULL, "pull", "hf.co/org/Tiny-GGUF", "--registry", r.url, "--json", NULL));
    bool fetched = false, verified = false, done = false;
    for (char *line = strtok_r(text, "\n", &text); line; line = strtok_r(NULL, "\n", &text)) {
        json_t *o = json_loads(line, 0, NULL);
        assert_non_null(o);
        const char *event = text_of(o, "event");
        if (strcmp(event, "fetch") == 0 &&
            json_integer_value(json_object_get(o, "done")) == (json_int_t)size) {
            assert_string_equal(text_of(o, "digest"), test_format("sha256:%s", digest));
            fetched = true;
        }
        verified |= strcmp(event, "verify") == 0;
        if (strcmp(event, "done") == 0) {
            assert_string_equal(text_of(o, "name"), "hf.co/org/Tiny-GGUF:latest");
            done = true;
        }
        json_decref(o);
    }
    assert_true(fetched && verified && done);
}

/* As in a container or a service that is started without an environment. */
static void a_path_needs_no_home(void **state)
{
    (void)state;
    const char *const args[] = {test_pith_program(), "inspect", stories(), NULL};
    const char *const env[] = {"HOME", "PITH_HOME", "XDG_DATA_HOME", NULL};
    test_result r = test_run(&(test_command){.args = args, .env = env});
    assert_non_null(strstr(ok(r), "stories260K"));
}

int main(void)
{
    setenv("OLLAMA_MODELS", "", 1);
    setenv("HF_TOKEN", "", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_works_wherever_a_path_does),
        cmocka_unit_test(a_modelfile_changes_how_a_model_answers),
        cmocka_unit_test(a_killed_pull_goes_on_where_it_was),
        cmocka_unit_test(an_interrupted_pull_says_so_and_goes_on),
        cmocka_unit_test(events_are_lines_of_json),
        cmocka_unit_test(a_path_needs_no_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

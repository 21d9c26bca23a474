/* fetch: files from a replica that breaks connections, lies about lengths and sends wrong bytes. */
#include "support/replica.h"
#include "support/support.h"

#include "base/mem.h"
#include "store/fetch.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 3 * 1000 * 1000 + 17, PIECE = 256 << 10 };

typedef struct setting {
    test_replica r;
    store_root *s;
    const char *home, *digest, *url;
    unsigned char *bytes;
} setting;

static setting set_up(const char *name)
{
    setting t = {.r = test_replica_start(test_format("%s-replica", name))};
    test_random random = test_random_start(4711);
    t.bytes = (unsigned char *)test_keep(SIZE);
    test_random_bytes(&random, t.bytes, SIZE);
    test_replica_put(&t.r, "files/big.bin", t.bytes, SIZE);
    t.digest = test_format("sha256:%s", test_sha256(t.bytes, SIZE));
    t.url = test_format("%s/files/big.bin", t.r.url);
    t.home = test_temp(test_format("%s-home", name));
    const store_options o = {.home = t.home, .ollama = ""};
    assert_int_equal(store_open(&o, &t.s, NULL), PITH_OK);
    return t;
}

static char *blob_name(const setting *t)
{
    char *path = test_keep(4096);
    snprintf(path, 4096, "%s/blobs/sha256-%s", t->home, t->digest + 7);
    return path;
}

static void expect_blob(const setting *t)
{
    size_t n = 0;
    char *bytes = test_read(blob_name(t), &n);
    assert_int_equal(n, SIZE);
    assert_memory_equal(bytes, t->bytes, SIZE);
    assert_false(test_exists(test_format("%s.partial", blob_name(t))));
    assert_false(test_exists(test_format("%s.journal", blob_name(t))));
}

static pith_status fetch(const setting *t, bool known, const store_job *job, pith_error *err)
{
    char *digest = NULL;
    uint64_t bytes = 0;
    const store_fetch f = {.url = t->url,
                           .file = "big.bin",
                           .digest = known ? t->digest : NULL,
                           .bytes = known ? SIZE : STORE_SIZE_UNKNOWN};
    pith_status status = store_fetch_blob(t->s, &f, job, &digest, &bytes, err);
    if (status == PITH_OK) {
        assert_string_equal(digest, t->digest);
        assert_int_equal(bytes, SIZE);
    }
    px_free(digest);
    return status;
}

static void must(const setting *t, bool known, const store_job *job)
{
    pith_error err = {0};
    if (fetch(t, known, job, &err) != PITH_OK)
        fail_msg("%s", err.text);
    expect_blob(t);
}

static void parts_are_fetched_once_each(void **state)
{
    (void)state;
    setting t = set_up("once");
    must(&t, true, NULL);
    test_sent sent = test_replica_sent(&t.r, "/big.bin");
    assert_int_equal(sent.bytes, SIZE);
    assert_true(sent.bodies >= 6); // six connections at least
    must(&t, true, NULL);          // it is here: nothing is asked
    assert_int_equal(test_replica_sent(&t.r, "/big.bin").bodies, 0);
    store_close(t.s);
}

static void an_unknown_file_is_named_by_its_content(void **state)
{
    (void)state;
    setting t = set_up("unknown");
    must(&t, false, NULL);
    /* The probe took at most what the sockets between hold. */
    assert_true(test_replica_sent(&t.r, "/big.bin").bytes <= SIZE + 1);
    store_close(t.s);
}

static void broken_connections_go_on_where_they_broke(void **state)
{
    (void)state;
    setting t = set_up("broken");
    test_replica_faults(&t.r, "{\"break_after\": 100000, \"break_times\": 12}");
    must(&t, true, NULL);
    test_sent sent = test_replica_sent(&t.r, "/big.bin");
    assert_int_equal(sent.bytes, SIZE); // no byte was sent twice
    assert_true(sent.bodies > 12);
    store_close(t.s);
}

static void busy_servers_are_asked_again(void **state)
{
    (void)state;
    setting t = set_up("busy");
    test_replica_faults(&t.r, "{\"status\": [503, 429, 500, 503, 429, 502], \"retry_after\": 0}");
    must(&t, true, NULL);
    assert_int_equal(test_replica_sent(&t.r, "/big.bin").bytes, SIZE);
    store_close(t.s);
}

static void a_server_that_stays_busy_fails_clearly(void **state)
{
    (void)state;
    setting t = set_up("never");
    pith_error err = {0};
    char codes[1024] = "{\"retry_after\": 0, \"status\": [503";
    for (int i = 0; i < 100; i++)
        strncat(codes, ", 503", sizeof codes - strlen(codes) - 1);
    strncat(codes, "]}", sizeof codes - strlen(codes) - 1);
    test_replica_faults(&t.r, codes);
    assert_int_equal(fetch(&t, true, NULL, &err), PITH_E_IO);
    assert_non_null(strstr(err.text, "HTTP 503"));
    assert_false(test_exists(blob_name(&t)));
    store_close(t.s);
}

static void without_ranges_one_connection_reads_all(void **state)
{
    (void)state;
    setting t = set_up("whole");
    test_replica_faults(&t.r, "{\"no_range\": true}");
    must(&t, true, NULL);
    assert_int_equal(unlink(blob_name(&t)), 0);
    must(&t, false, NULL);
    store_close(t.s);
}

static void without_ranges_a_broken_connection_begins_again(void **state)
{
    (void)state;
    setting t = set_up("again");
    test_replica_faults(&t.r, "{\"no_range\": true, \"break_after\": 2000000, \"break_times\": 3}");
    must(&t, true, NULL);
    store_close(t.s);
}

static void wrong_bytes_leave_nothing(void **state)
{
    (void)state;
    setting t = set_up("wrong");
    pith_error err = {0};
    test_replica_faults(&t.r, "{\"flip\": 1234567}");
    assert_int_equal(fetch(&t, true, NULL, &err), PITH_E_MISMATCH);
    assert_non_null(strstr(err.text, t.digest + 7));
    assert_false(test_exists(blob_name(&t)));
    assert_false(test_exists(test_format("%s.partial", blob_name(&t))));
    assert_false(test_exists(test_format("%s.journal", blob_name(&t))));
    test_replica_faults(&t.r, "{}");
    must(&t, true, NULL);
    store_close(t.s);
}

static void lies_about_the_length_are_found(void **state)
{
    (void)state;
    setting t = set_up("lies");
    pith_error err = {0};
    test_replica_faults(&t.r, "{\"grow\": 5}");
    assert_int_equal(fetch(&t, true, NULL, &err), PITH_E_MISMATCH);
    assert_non_null(strstr(err.text, "3000022 bytes"));
    assert_non_null(strstr(err.text, "expected 3000017"));
    /* Answers that are shorter than they say: the last kilobyte never comes. */
    test_replica_faults(&t.r, "{\"shrink\": 1000}");
    err = (pith_error){0};
    assert_int_equal(fetch(&t, true, NULL, &err), PITH_E_IO);
    assert_false(test_exists(blob_name(&t)));
    test_replica_faults(&t.r, "{}");
    must(&t, true, NULL);
    store_close(t.s);
}

/* ---- going on */

typedef struct stopper {
    uint64_t after;
} stopper;

static int stop_after(void *user, const store_progress *p)
{
    const stopper *s = user;
    return p->step == STORE_STEP_FETCH && p->done >= s->after;
}

static void what_was_fetched_is_not_fetched_again(void **state)
{
    (void)state;
    setting t = set_up("resume");
    stopper s = {.after = SIZE / 3};
    const store_job job = {.progress = stop_after, .user = &s, .n_parts = 4};
    pith_error err = {0};
    test_replica_faults(&t.r, "{\"slow\": 2000000}");
    assert_int_equal(fetch(&t, true, &job, &err), PITH_E_CANCELLED);
    test_replica_faults(&t.r, "{}");
    usleep(300 * 1000); // connections that were cut are logged
    test_replica_sent(&t.r, "/big.bin");
    must(&t, true, NULL);
    test_sent sent = test_replica_sent(&t.r, "/big.bin");
    /* Each connection was inside one piece. */
    assert_true(sent.bytes <= SIZE - SIZE / 3 + 4 * PIECE);
    store_close(t.s);
}

static void kill_9_loses_only_open_pieces(void **state)
{
    (void)state;
    setting t = set_up("kill");
    test_replica_faults(&t.r, "{\"slow\": 1000000}");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)fetch(&t, true, NULL, NULL);
        _exit(0);
    }
    const char *journal = test_format("%s.journal", blob_name(&t));
    uint64_t pieces = 0;
    for (int i = 0; i < 600 && pieces < 3; i++) {
        usleep(50 * 1000);
        pieces = 0;
        if (!test_exists(journal))
            continue;
        const char *text = test_read(journal, NULL);
        for (int line = 0; line < 5 && text; line++)
            text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
        for (; text && *text; text++)
            pieces += *text != '0';
    }
    kill(pid, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(pieces >= 3);
    assert_false(test_exists(blob_name(&t)));
    usleep(300 * 1000);
    test_replica_sent(&t.r, "/big.bin");
    test_replica_faults(&t.r, "{}");
    must(&t, true, NULL);
    /* Exactly the missing pieces were sent, and the last one is short. */
    test_sent sent = test_replica_sent(&t.r, "/big.bin");
    assert_true(sent.bytes <= SIZE - 3 * PIECE + (PIECE - SIZE % PIECE));
    assert_true(sent.bytes > 0);
    store_close(t.s);
}

static void bytes_that_rotted_meanwhile_are_fetched_again(void **state)
{
    (void)state;
    setting t = set_up("rot");
    stopper s = {.after = SIZE / 2};
    const store_job job = {.progress = stop_after, .user = &s};
    pith_error err = {0};
    test_replica_faults(&t.r, "{\"slow\": 2000000}");
    assert_int_equal(fetch(&t, true, &job, &err), PITH_E_CANCELLED);
    test_replica_faults(&t.r, "{}");
    const char *partial = test_format("%s.partial", blob_name(&t));
    size_t n = 0;
    char *bytes = test_read(partial, &n);
    for (size_t i = 0; i < n; i += 1000)
        bytes[i] ^= 1;
    test_write(partial, bytes, n);
    must(&t, true, NULL);
    store_close(t.s);
}

static void a_file_that_changed_is_begun_again(void **state)
{
    (void)state;
    setting t = set_up("changed");
    stopper s = {.after = SIZE / 2};
    const store_job job = {.progress = stop_after, .user = &s};
    pith_error err = {0};
    test_replica_faults(&t.r, "{\"slow\": 2000000, \"etag\": \"\\\"old\\\"\"}");
    assert_int_equal(fetch(&t, false, &job, &err), PITH_E_CANCELLED);
    for (size_t i = 0; i < SIZE; i++)
        t.bytes[i] ^= 255;
    test_replica_put(&t.r, "files/big.bin", t.bytes, SIZE);
    test_replica_faults(&t.r, "{\"etag\": \"\\\"new\\\"\"}");
    t.digest = test_format("sha256:%s", test_sha256(t.bytes, SIZE));
    must(&t, false, NULL);
    store_close(t.s);
}

/* ---- two at once */

static void two_pulls_of_one_file_fetch_it_once(void **state)
{
    (void)state;
    setting t = set_up("two");
    test_replica_faults(&t.r, "{\"slow\": 1500000}");
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(fetch(&t, true, NULL, NULL) == PITH_OK ? 0 : 1);
    }
    for (int i = 0; i < 3; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    expect_blob(&t);
    assert_int_equal(test_replica_sent(&t.r, "/big.bin").bytes, SIZE);
    store_close(t.s);
}

static void a_disk_that_takes_no_more_is_told(void **state)
{
    (void)state;
    setting t = set_up("full");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pith_error err = {0};
        const struct rlimit most = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
        signal(SIGXFSZ, SIG_IGN);
        bool told = setrlimit(RLIMIT_FSIZE, &most) == 0 &&
                    fetch(&t, true, NULL, &err) == PITH_E_IO && strstr(err.text, ".partial");
        _exit(told ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(test_exists(blob_name(&t)));
    must(&t, true, NULL); // with room again
    store_close(t.s);
}

static void what_ollama_has_is_not_fetched(void **state)
{
    (void)state;
    setting t = set_up("shared");
    const char *theirs = test_temp("shared-ollama");
    const test_replica at = {.folder = theirs};
    test_replica_put(&t.r, "x", "", 0);
    assert_int_equal(mkdir(theirs, 0777), 0);
    const char *file =
        test_replica_put(&at, test_format("blobs/sha256-%s", t.digest + 7), t.bytes, SIZE);
    store_close(t.s);
    const store_options o = {.home = t.home, .ollama = theirs};
    assert_int_equal(store_open(&o, &t.s, NULL), PITH_OK);
    must(&t, true, NULL);
    assert_int_equal(test_replica_sent(&t.r, "/big.bin").bodies, 0);
    assert_int_equal(unlink(file), 0); // it is ours as well
    expect_blob(&t);
    /* Bytes that are not what their name says are fetched. */
    assert_int_equal(unlink(blob_name(&t)), 0);
    t.bytes[5] ^= 1;
    test_replica_put(&at, test_format("blobs/sha256-%s", t.digest + 7), t.bytes, SIZE);
    t.bytes[5] ^= 1;
    must(&t, true, NULL);
    assert_int_equal(test_replica_sent(&t.r, "/big.bin").bytes, SIZE);
    store_close(t.s);
}

static void a_proxy_is_used(void **state)
{
    (void)state;
    setting t = set_up("proxy");
    t.url = "http://127.0.0.1:9/files/big.bin"; // nobody is there; the replica plays the proxy
    setenv("http_proxy", t.r.url, 1);
    setenv("no_proxy", "", 1);
    setenv("NO_PROXY", "", 1);
    pith_error err = {0};
    pith_status status = fetch(&t, true, NULL, &err);
    unsetenv("http_proxy");
    if (status != PITH_OK)
        fail_msg("%s", err.text);
    expect_blob(&t);
    store_close(t.s);
}

static void strange_addresses_are_refused(void **state)
{
    (void)state;
    setting t = set_up("strange");
    static const char *const URLS[] = {"http://192.0.2.1/x.gguf", "ftp://localhost/x.gguf",
                                       "file:///etc/passwd", "nonsense",
                                       "http://127.0.0.1.invalid/x.gguf"};
    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        pith_error err = {0};
        t.url = URLS[i];
        assert_int_equal(fetch(&t, false, NULL, &err), PITH_E_ARGUMENT);
    }
    store_close(t.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_fetched_once_each),
        cmocka_unit_test(an_unknown_file_is_named_by_its_content),
        cmocka_unit_test(broken_connections_go_on_where_they_broke),
        cmocka_unit_test(busy_servers_are_asked_again),
        cmocka_unit_test(a_server_that_stays_busy_fails_clearly),
        cmocka_unit_test(without_ranges_one_connection_reads_all),
        cmocka_unit_test(without_ranges_a_broken_connection_begins_again),
        cmocka_unit_test(wrong_bytes_leave_nothing),
        cmocka_unit_test(lies_about_the_length_are_found),
        cmocka_unit_test(what_was_fetched_is_not_fetched_again),
        cmocka_unit_test(kill_9_loses_only_open_pieces),
        cmocka_unit_test(bytes_that_rotted_meanwhile_are_fetched_again),
        cmocka_unit_test(a_file_that_changed_is_begun_again),
        cmocka_unit_test(two_pulls_of_one_file_fetch_it_once),
        cmocka_unit_test(a_disk_that_takes_no_more_is_told),
        cmocka_unit_test(what_ollama_has_is_not_fetched),
        cmocka_unit_test(a_proxy_is_used),
        cmocka_unit_test(strange_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

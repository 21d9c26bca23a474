/* replica: see replica.h. */
#include "support/replica.h"

#include "support/support.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Makes the folders above a path. */
static void make_above(const char *path)
{
    char part[4096];
    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        (void)mkdir(part, 0777);
        *c = '/';
    }
}

test_replica test_replica_start(const char *name)
{
    int in[2], out[2];
    unsetenv("http_proxy"); // of the developer's own
    setenv("no_proxy", "127.0.0.1,localhost", 1);
    setenv("NO_PROXY", "127.0.0.1,localhost", 1);
    const char *folder = test_temp(name), *program = getenv("PITH_REGISTRY");
    make_above(test_format("%s/x", folder));
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    /* The child's standard input ends when this program does. */
    fcntl(in[1], F_SETFD, FD_CLOEXEC);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(out[1]);
        unsetenv("LD_PRELOAD");
        execl(program ? program : "", "registry", folder, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    char *url = test_keep(128);
    size_t n = 0;
    while (n < 127 && read(out[0], url + n, 1) == 1 && url[n] != '\n')
        n++;
    url[n] = '\0';
    close(out[0]);
    if (strncmp(url, "http://", 7) != 0)
        fail_msg("the replica did not start: '%s' (PITH_REGISTRY is '%s')", url,
                 program ? program : "");
    return (test_replica){.url = url, .folder = folder};
}

const char *test_replica_put(const test_replica *r, const char *name, const void *bytes, size_t n)
{
    const char *path = test_format("%s/%s", r->folder, name);
    make_above(path);
    test_write(path, bytes, n);
    return path;
}

void test_replica_faults(const test_replica *r, const char *json)
{
    test_replica_put(r, "faults.json", json, strlen(json));
}

test_sent test_replica_sent(const test_replica *r, const char *path_end)
{
    test_sent sent = {0};
    const char *path = test_format("%s/log.jsonl", r->folder);
    if (!test_exists(path))
        return sent;
    char *text = test_read(path, NULL);
    for (char *line = strtok_r(text, "\n", &text); line; line = strtok_r(NULL, "\n", &text)) {
        json_t *row = json_loads(line, 0, NULL);
        const char *asked = json_string_value(json_object_get(row, "path"));
        size_t n = asked ? strlen(asked) : 0, m = strlen(path_end);
        json_int_t status = json_integer_value(json_object_get(row, "status"));
        if (asked && n >= m && strcmp(asked + n - m, path_end) == 0) {
            const char *auth = json_string_value(json_object_get(row, "auth"));
            sent.with_token += auth && *auth;
            if (status == 200 || status == 206) {
                sent.bodies++;
                sent.bytes += (uint64_t)json_integer_value(json_object_get(row, "sent"));
                sent.first_bytes += json_integer_value(json_object_get(row, "first")) == 0;
            }
        }
        json_decref(row);
    }
    assert_int_equal(unlink(path), 0);
    return sent;
}

const char *test_sha256(const void *bytes, size_t n)
{
    unsigned char sum[32];
    char *hex = test_keep(65);
    assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, n, sum), 0);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return hex;
}

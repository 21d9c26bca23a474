/* run: programs as tests run them. Standard streams are files, so that neither side can block. */
#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST_ARGS = 64 };

static FILE *stream(const void *bytes, size_t n)
{
    FILE *f = tmpfile();
    if (!f)
        fail_msg("cannot make a temporary file: %s", strerror(errno));
    if (n)
        assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fflush(f), 0);
    rewind(f);
    return f;
}

static char *content(FILE *f, size_t *n)
{
    const char *path = test_format("/proc/self/fd/%d", fileno(f));
    char *text = test_read(path, n);
    fclose(f);
    return text;
}

/* In the child: takes the streams and becomes the program. Never returns. */
static void become(const test_command *c, FILE *in, FILE *out, FILE *err)
{
    if (dup2(fileno(in), 0) < 0 || dup2(fileno(out), 1) < 0 || dup2(fileno(err), 2) < 0)
        _exit(126);
    if (c->folder && chdir(c->folder) != 0)
        _exit(126);
    for (size_t i = 0; c->env && c->env[i]; i++) {
        if (strchr(c->env[i], '='))
            putenv((char *)(uintptr_t)c->env[i]);
        else
            unsetenv(c->env[i]);
    }
    execvp(c->args[0], (char *const *)(uintptr_t)c->args);
    dprintf(2, "cannot run %s: %s\n", c->args[0], strerror(errno));
    _exit(127);
}

/* Waits for the child; kills it when its time is over. Returns its wait status. */
static int wait_for(pid_t child, int timeout_ms, bool *timed_out)
{
    int status = 0;
    for (int waited = 0;; waited++) {
        pid_t done = waitpid(child, &status, WNOHANG);
        if (done == child)
            return status;
        if (done < 0 && errno != EINTR)
            fail_msg("cannot wait for the program: %s", strerror(errno));
        if (waited == timeout_ms) {
            *timed_out = true;
            kill(child, SIGKILL);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

test_result test_run(const test_command *command)
{
    FILE *in = stream(command->input, command->input_bytes);
    FILE *out = stream(NULL, 0);
    FILE *err = stream(NULL, 0);
    fflush(NULL); // or the child would print what is still buffered here
    pid_t child = fork();
    if (child < 0)
        fail_msg("cannot start a process: %s", strerror(errno));
    if (child == 0)
        become(command, in, out, err);
    test_result r = {.exit_code = -1};
    int status = wait_for(child, command->timeout_ms ? command->timeout_ms : 60000, &r.timed_out);
    if (WIFEXITED(status))
        r.exit_code = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        r.signal = WTERMSIG(status);
    fclose(in);
    r.out = content(out, &r.out_bytes);
    r.err = content(err, &r.err_bytes);
    return r;
}

const char *test_pith_program(void)
{
    const char *program = getenv("PITH_PROGRAM");
    if (!program || !*program)
        fail_msg("PITH_PROGRAM is not set; run tests by `meson test` or `./dev check`");
    return program;
}

test_result test_pith(const char *input, ...)
{
    const char *args[MOST_ARGS] = {test_pith_program()};
    va_list rest;
    va_start(rest, input);
    size_t n = 1;
    for (const char *arg = va_arg(rest, const char *); arg; arg = va_arg(rest, const char *)) {
        assert_true(n < MOST_ARGS - 1);
        args[n++] = arg;
    }
    va_end(rest);
    return test_run(
        &(test_command){.args = args, .input = input, .input_bytes = input ? strlen(input) : 0});
}

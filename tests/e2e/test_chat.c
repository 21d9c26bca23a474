/* chat: the interactive conversation, driven through a pseudo-terminal as a person would. */
#include "support/support.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A running chat: what it printed so far, and how much of that was already looked at. */
typedef struct chat {
    pid_t pid;
    int fd;
    char text[1 << 18];
    size_t n, seen;
} chat;

static chat *start(const char *const *extra)
{
    const char *args[24] = {test_pith_program(), "run", test_shared("models/stories260K.gguf"),
                            "--temp", "0"};
    int n = 5;
    for (int i = 0; extra[i]; i++)
        args[n++] = extra[i];
    const char *home = test_temp("home");
    chat *c = calloc(1, sizeof *c);
    assert_non_null(c);
    struct winsize size = {.ws_row = 40, .ws_col = 200};
    c->pid = forkpty(&c->fd, NULL, NULL, &size);
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        setenv("TERM", "xterm", 1);
        setenv("HOME", home, 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        unsetenv("PITH_HOME");
        unsetenv("XDG_STATE_HOME");
        execv(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    return c;
}

/* A prompt is printed before libedit takes the terminal out of its line mode. A key that comes in
 * between is the terminal's: Ctrl-D is lost. No person is that quick. */
static void await_keys(const chat *c)
{
    struct termios t = {.c_lflag = ICANON};
    for (int i = 0; i < 6000 && tcgetattr(c->fd, &t) == 0 && (t.c_lflag & ICANON); i++)
        usleep(5000);
    assert_false(t.c_lflag & ICANON);
}

/* Reads until `part` appears in what was not looked at yet, 30 seconds at most; then all up to its
 * end counts as seen. Behind a prompt keys are awaited. */
static void expect(chat *c, const char *part)
{
    time_t end = time(NULL) + 30;
    for (;;) {
        char *at = strstr(c->text + c->seen, part);
        if (at) {
            c->seen = (size_t)(at - c->text) + strlen(part);
            if (strcmp(part, ">>> ") == 0 || strcmp(part, "... ") == 0)
                await_keys(c);
            return;
        }
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (time(NULL) > end || poll(&p, 1, 1000) < 0)
            break;
        ssize_t n = p.revents ? read(c->fd, c->text + c->n, sizeof c->text - 1 - c->n) : 0;
        if (n < 0 || (p.revents && n == 0))
            break;
        c->n += (size_t)n;
    }
    kill(c->pid, SIGKILL);
    fail_msg("'%s' did not appear; seen: %s", part, c->text);
}

static void type(chat *c, const char *keys)
{
    assert_int_equal(write(c->fd, keys, strlen(keys)), strlen(keys));
}

/* Waits for the end and gives the exit code; frees c. */
static int finish(chat *c)
{
    int status = 0;
    time_t end = time(NULL) + 30;
    while (waitpid(c->pid, &status, WNOHANG) == 0) {
        char drop[4096];
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (time(NULL) > end) {
            kill(c->pid, SIGKILL);
            fail_msg("the chat did not end; seen: %s", c->text);
        }
        if (poll(&p, 1, 20) > 0)
            (void)!read(c->fd, drop, sizeof drop);
    }
    close(c->fd);
    free(c);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void a_chat_answers_and_obeys_commands(void **state)
{
    (void)state;
    const char *file = test_temp("chat.json");
    chat *c = start((const char *const[]){"-n", "12", "--stats", NULL});
    expect(c, ">>> ");
    type(c, "Tell me a story\r");
    expect(c, "answer 12 tokens");
    expect(c, ">>> ");
    type(c, "/system Be brief.\r");
    expect(c, ">>> ");
    type(c, "/system\r");
    expect(c, "\nBe brief.");
    expect(c, ">>> ");
    type(c, "/set temp 0.5\r");
    expect(c, ">>> ");
    type(c, "/set\r");
    expect(c, "0.5");
    expect(c, ">>> ");
    type(c, "/set tmep 1\r");
    expect(c, "did you mean 'temp'");
    expect(c, ">>> ");
    type(c, test_format("/save %s\r", file));
    expect(c, "saved 3 messages");
    expect(c, ">>> ");
    type(c, "/clear\r");
    expect(c, ">>> ");
    type(c, test_format("/load %s\r", file));
    expect(c, "loaded 3 messages");
    expect(c, ">>> ");
    type(c, "/nonsense\r");
    expect(c, "unknown command");
    expect(c, ">>> ");
    type(c, "/bye\r");
    assert_int_equal(finish(c), 0);
    assert_non_null(strstr(test_read(file, NULL), "Tell me a story"));
    assert_true(test_exists(test_format("%s/.local/state/pith/history", test_temp("home"))));
}

static void a_message_may_have_several_lines(void **state)
{
    (void)state;
    const char *file = test_temp("lines.json");
    chat *c = start((const char *const[]){"-n", "2", NULL});
    expect(c, ">>> ");
    type(c, "\"\"\"one\r");
    expect(c, "... ");
    type(c, "two\"\"\"\r");
    expect(c, ">>> ");
    type(c, "three\\\r");
    expect(c, "... ");
    type(c, "four\r");
    expect(c, ">>> ");
    type(c, test_format("/save %s\r", file));
    expect(c, "saved 4 messages");
    expect(c, ">>> ");
    type(c, "\004");
    assert_int_equal(finish(c), 0);
    const char *saved = test_read(file, NULL);
    assert_non_null(strstr(saved, "\"one\\ntwo\""));
    assert_non_null(strstr(saved, "\"three\\nfour\""));
}

static void ctrl_c_stops_an_answer_and_twice_leaves(void **state)
{
    (void)state;
    chat *c = start((const char *const[]){"--ignore-eos", "--overflow=shift", "-c", "256", NULL});
    expect(c, ">>> ");
    type(c, "Go on for ever\r");
    expect(c, "\n");
    usleep(300000);
    type(c, "\003");
    expect(c, ">>> ");
    type(c, "\003");
    expect(c, "once more");
    expect(c, ">>> ");
    type(c, "\003");
    assert_int_equal(finish(c), 0);
}

static void ctrl_c_ends_a_single_answer_with_130(void **state)
{
    (void)state;
    chat *c = start((const char *const[]){"--ignore-eos", "--overflow=shift", "-c", "256", "--raw",
                                          "-p", "Once", NULL});
    expect(c, " ");
    usleep(300000);
    type(c, "\003");
    assert_int_equal(finish(c), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_answers_and_obeys_commands),
        cmocka_unit_test(a_message_may_have_several_lines),
        cmocka_unit_test(ctrl_c_stops_an_answer_and_twice_leaves),
        cmocka_unit_test(ctrl_c_ends_a_single_answer_with_130),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

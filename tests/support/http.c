/* http: see http.h. */
#include "support/http.h"

#include "support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static int find_port(const char *log)
{
    size_t n;
    if (!test_exists(log))
        return 0;
    char *text = test_read(log, &n), *at = strstr(text, "serving on http");
    char *end = at ? strchr(at, '\n') : NULL;
    while (end && end > at && end[-1] != ':')
        end--;
    return end && end > at ? atoi(end) : 0;
}

test_server test_server_start(const char *const *args)
{
    static int count;
    const char *argv[64] = {test_pith_program(), "serve", "--port", "0"};
    test_server s = {.log = test_temp(test_format("serve-%d.log", count))};
    const char *home = test_temp(test_format("serve-%d", count++));
    int n = 4;
    for (int i = 0; args[i] && n < 63; i++)
        argv[n++] = args[i];
    s.pid = fork();
    assert_true(s.pid >= 0);
    if (s.pid == 0) {
        int fd = open(s.log, O_CREAT | O_TRUNC | O_WRONLY, 0600);
        setenv("PITH_HOME", home, 1);
        setenv("OLLAMA_MODELS", home, 1);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    for (int i = 0; i < 6000 && s.port == 0; i++) {
        nap();
        s.port = find_port(s.log);
        if (waitpid(s.pid, NULL, WNOHANG) == s.pid)
            fail_msg("pith serve ended: %s", test_read(s.log, NULL));
    }
    if (s.port == 0)
        fail_msg("pith serve does not listen: %s", test_read(s.log, NULL));
    return s;
}

int test_server_stop(test_server *s)
{
    int status = 0;
    if (s->pid <= 0)
        return -1;
    kill(s->pid, SIGTERM);
    for (int i = 0; i < 6000; i++) {
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                print_message("%s\n", test_read(s->log, NULL));
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        nap();
    }
    kill(s->pid, SIGKILL);
    waitpid(s->pid, &status, 0);
    s->pid = 0;
    return -1;
}

static int patience = 150;

void test_wait_for(int seconds)
{
    patience = seconds;
}

int test_connect(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = patience};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

ssize_t test_recv(int fd, void *to, size_t n, int flags)
{
    ssize_t k;
    do
        k = recv(fd, to, n, flags);
    while (k < 0 && errno == EINTR);
    return k;
}

bool test_send_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t k = send(fd, at, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

static const char *find_header(const char *head, const char *name, size_t *len)
{
    size_t n = strlen(name);
    for (const char *at = strstr(head, "\r\n"); at && at[2]; at = strstr(at + 2, "\r\n")) {
        if (strncasecmp(at + 2, name, n) != 0 || at[2 + n] != ':')
            continue;
        const char *v = at + 3 + n;
        v += strspn(v, " ");
        *len = strcspn(v, "\r");
        return v;
    }
    return NULL;
}

const char *test_reply_header(const test_reply *reply, const char *name)
{
    size_t n;
    const char *v = reply->head ? find_header(reply->head, name, &n) : NULL;
    return v ? test_format("%.*s", (int)n, v) : NULL;
}

/* Chunks become a body, in place. */
static void dechunk(test_reply *r)
{
    char *from = r->body, *to = r->body, *end = r->body + r->n;
    r->complete = false;
    while (from < end) {
        char *digits_end;
        unsigned long size = strtoul(from, &digits_end, 16);
        char *line = strstr(from, "\r\n");
        if (digits_end == from || !line)
            break;
        from = line + 2;
        if (size == 0) {
            r->complete = true;
            break;
        }
        if (size > (size_t)(end - from))
            size = (size_t)(end - from);
        memmove(to, from, size);
        to += size;
        from += size + 2;
    }
    r->n = (size_t)(to - r->body);
    *to = '\0';
}

static void split(test_reply *r, char *all, size_t n)
{
    char *gap = strstr(all, "\r\n\r\n");
    size_t len;
    r->body = all;
    if (!gap || strncmp(all, "HTTP/1.1 ", 9) != 0) {
        r->n = n;
        return;
    }
    size_t head = (size_t)(gap - all) + 4;
    r->head = malloc(head + 1);
    memcpy(r->head, all, head);
    r->head[head] = '\0';
    r->status = atoi(all + 9);
    memmove(all, all + head, n - head + 1);
    r->n = n - head;
    const char *length = find_header(r->head, "Content-Length", &len);
    const char *coding = find_header(r->head, "Transfer-Encoding", &len);
    if (coding && strncmp(coding, "chunked", 7) == 0)
        dechunk(r);
    else
        r->complete = length ? (size_t)atoll(length) == r->n : r->n == 0;
}

test_reply test_http_raw(int port, const void *bytes, size_t n)
{
    test_reply r = {0};
    size_t cap = 65536, len = 0;
    char *all = malloc(cap + 1);
    int fd = test_connect(port);
    if (fd >= 0 && !test_send_all(fd, bytes, n))
        n = 0; // the server may have answered before it read all
    for (;;) {
        ssize_t k = fd < 0 ? 0 : test_recv(fd, all + len, cap - len, 0);
        if (k <= 0)
            break;
        len += (size_t)k;
        if (len == cap)
            all = realloc(all, (cap *= 2) + 1);
    }
    all[len] = '\0';
    if (fd >= 0)
        close(fd);
    split(&r, all, len);
    return r;
}

test_reply test_http(int port, const char *method, const char *path, const char *headers,
                     const char *body)
{
    size_t n = body ? strlen(body) : 0, cap = n + 4096 + (headers ? strlen(headers) : 0);
    char *text = malloc(cap), length[64] = "";
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", n);
    int head =
        snprintf(text, cap, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n%s%s\r\n",
                 method, path, port, length, headers ? headers : "");
    if (body)
        memcpy(text + head, body, n);
    test_reply r = test_http_raw(port, text, (size_t)head + n);
    if (strcmp(method, "HEAD") == 0)
        r.complete = r.n == 0;
    free(text);
    return r;
}

void test_reply_free(test_reply *r)
{
    free(r->head);
    free(r->body);
    *r = (test_reply){0};
}

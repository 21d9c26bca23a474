/*
 * http: the program `pith serve` as a child, and a client of few words: one connection a request,
 * everything that came back. One thread, but for test_http, which any thread may call.
 */
#ifndef PITH_TESTS_HTTP_H
#define PITH_TESTS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct test_server {
    pid_t pid;
    int port;
    const char *log; // path of what it printed
} test_server;

/* Starts `pith serve` with these arguments (the last one NULL) on a free port, with a folder of its
 * own as its store, and waits until it listens. */
test_server test_server_start(const char *const *args);
/* Asks it to end and returns its exit code; -1 when it did not within 60 seconds or was killed. */
int test_server_stop(test_server *server);

typedef struct test_reply {
    int status; // 0: the connection ended without an answer
    char *head; // status line and headers, as sent
    char *body; // decoded, with a zero byte behind it; freed with test_reply_free
    size_t n;
    bool complete; // the body ended as its framing says
} test_reply;

/* headers: lines "Name: value\r\n", or NULL; body NULL: none. */
test_reply test_http(int port, const char *method, const char *path, const char *headers,
                     const char *body);
/* The bytes as they are. */
test_reply test_http_raw(int port, const void *bytes, size_t n);
void test_reply_free(test_reply *reply);
/* The value of a header, kept until the program ends, or NULL. */
const char *test_reply_header(const test_reply *reply, const char *name);

/* A connection to the port, or -1; what it sends is the caller's. Reading gives up after 150
 * seconds, or those of test_wait_for, which is called before there are other threads. */
int test_connect(int port);
void test_wait_for(int seconds);
/* As recv, and on when a signal interrupts it (stopping and going on does, where there is a limit).
 */
ssize_t test_recv(int fd, void *to, size_t n, int flags);
bool test_send_all(int fd, const void *bytes, size_t n);

#endif

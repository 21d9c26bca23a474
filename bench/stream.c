/* stream: see stream.h. */
#include "stream.h"

#include "support/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool stream_open(stream *s, int port, stream_line_fn on_line, void *user)
{
    s->port = port;
    s->on_line = on_line;
    s->user = user;
    s->state = STREAM_DONE;
    s->fd = test_connect(port);
    return s->fd >= 0;
}

void stream_close(stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

bool stream_ask(stream *s, const char *path, const char *headers, const char *body)
{
    char head[1024];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "%sContent-Length: %zu\r\n\r\n",
                     path, s->port, headers ? headers : "", strlen(body));
    s->state = STREAM_HEAD;
    s->status = 0;
    s->n_line = s->n_text = 0;
    return n > 0 && (size_t)n < sizeof head && test_send_all(s->fd, head, (size_t)n) &&
           test_send_all(s->fd, body, strlen(body));
}

static void take_data(stream *s, const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i] != '\n') {
            if (s->n_line < sizeof s->line - 1)
                s->line[s->n_line++] = at[i];
            continue;
        }
        s->line[s->n_line] = '\0';
        if (strncmp(s->line, "data: ", 6) == 0)
            s->on_line(s->user, s->line + 6);
        s->n_line = 0;
    }
}

/* A line of the head or of a chunk's size has come. */
static bool take_text(stream *s)
{
    s->text[s->n_text] = '\0';
    size_t n = s->n_text;
    s->n_text = 0;
    switch (s->state) {
    case STREAM_HEAD:
        if (s->status == 0 && sscanf(s->text, "HTTP/1.1 %d", &s->status) != 1)
            return false;
        if (n == 0)
            s->state = STREAM_SIZE;
        return n > 0 || s->status == 200;
    case STREAM_SIZE:
        s->left = strtoul(s->text, NULL, 16);
        s->state = s->left > 0 ? STREAM_DATA : STREAM_END;
        return true;
    case STREAM_GAP:
    case STREAM_END:
        s->state = s->state == STREAM_GAP ? STREAM_SIZE : STREAM_DONE;
        return n == 0;
    case STREAM_DATA:
    case STREAM_DONE:
        break;
    }
    return false;
}

static bool take(stream *s, const char *at, size_t n)
{
    while (n > 0) {
        if (s->state == STREAM_DONE)
            return false;
        if (s->state == STREAM_DATA) {
            size_t k = n < s->left ? n : s->left;
            take_data(s, at, k);
            at += k;
            n -= k;
            s->left -= k;
            if (s->left == 0)
                s->state = STREAM_GAP;
            continue;
        }
        char c = *at++;
        n--;
        if (c == '\n' && !take_text(s))
            return false;
        if (c != '\n' && c != '\r' && s->n_text < sizeof s->text - 1)
            s->text[s->n_text++] = c;
    }
    return true;
}

bool stream_take(stream *s)
{
    char bytes[16384];
    for (;;) {
        ssize_t n = test_recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n <= 0 || !take(s, bytes, (size_t)n))
            return false;
    }
}

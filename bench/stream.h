/*
 * stream: a connection that asks for streamed answers, one after another, without blocking. It
 * takes chunked bodies apart and hands over the lines of events (`data: ...`); what is in them is
 * the caller's. One thread.
 */
#ifndef PITH_BENCH_STREAM_H
#define PITH_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>

typedef enum stream_state {
    STREAM_HEAD,
    STREAM_SIZE, // of a chunk
    STREAM_DATA,
    STREAM_GAP, // behind a chunk
    STREAM_END, // behind the last one, which is empty
    STREAM_DONE
} stream_state;

/* A line of an event without "data: " and its end; lent. */
typedef void (*stream_line_fn)(void *user, const char *line);

typedef struct stream {
    int fd, port;
    stream_state state;
    int status; // of the answer under way
    size_t left;
    char line[1 << 14]; // of an event, begun
    size_t n_line;
    char text[256]; // of the head or of a chunk's size, begun
    size_t n_text;
    stream_line_fn on_line;
    void *user;
} stream;

bool stream_open(stream *s, int port, stream_line_fn on_line, void *user);
void stream_close(stream *s);
/* Sends a request; the answer before it must be done. */
bool stream_ask(stream *s, const char *path, const char *headers, const char *body);
/* Takes what has come, without waiting. False when the connection is lost or speaks otherwise. */
bool stream_take(stream *s);

#endif

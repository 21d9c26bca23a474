/*
 * out: the bytes between who writes an answer (the engine thread, or a thread of its own) and the
 * HTTP connection that sends it. Bounded: a reader that is too slow never makes the writer wait
 * and never grows the buffer without end; serve_out_put then fails and the answer is given up
 * (docs/serving.md, "slow readers").
 *
 * States: open -> started (the head of the answer may be sent) -> ended. A connection that finds
 * nothing to send is suspended inside serve_out_read, and woken by the writer. Any thread.
 */
#ifndef PITH_SERVE_OUT_H
#define PITH_SERVE_OUT_H

#include "base/buf.h"

#include <pthread.h>

enum { SERVE_MAX_UNREAD = 256 * 1024 };

typedef struct serve_out {
    pthread_mutex_t lock; // guards all members; outer to libmicrohttpd's own locks
    px_buf bytes;
    size_t sent;      // of bytes, that were read
    bool started;     // the writer has something to say: bytes, a whole answer or a problem
    bool put;         // there were bytes
    bool ended;       // nothing more will come
    bool left;        // the client has gone
    bool slow;        // it was too slow
    bool waiting;     // `connection` is suspended
    void *connection; // of libmicrohttpd, or NULL
    bool blocking;    // a writer that may wait (work): it waits for room instead of failing
    pthread_cond_t room;
} serve_out;

void serve_out_init(serve_out *out);
void serve_out_clear(serve_out *out);

/* Appends; starts the answer. False when the client has left or reads too slowly, or memory is
 * out. */
bool serve_out_put(serve_out *out, const void *bytes, size_t n);
/* Says that the answer is complete, or has failed; wakes the connection. */
void serve_out_end(serve_out *out);
/* The client has gone: later puts fail. */
void serve_out_leave(serve_out *out);
/* As if the client had gone, found out by somebody else than its connection, which is woken. */
void serve_out_drop(serve_out *out);
bool serve_out_has_left(serve_out *out);

/* Whether it ended before a byte was written: with a whole answer or a problem. */
bool serve_out_is_bare(serve_out *out);

/* For the connection's thread. wait suspends the connection until the answer has started; false
 * when it has already. read takes up to n bytes; 0 after suspending, negative at the end. */
bool serve_out_wait(serve_out *out, void *connection);
long serve_out_read(serve_out *out, void *connection, char *to, size_t n);

#endif

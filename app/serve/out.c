/* out: see out.h. libmicrohttpd allows suspending only inside its own callbacks and resuming from
 * any thread; both happen under `lock`, so that a wake-up is never lost. Its own locks are inner to
 * ours: it holds none while it calls us. */
#include "serve/out.h"

#include <microhttpd.h>
#include <string.h>

void serve_out_init(serve_out *out)
{
    memset(out, 0, sizeof *out);
    pthread_mutex_init(&out->lock, NULL);
    pthread_cond_init(&out->room, NULL);
}

void serve_out_clear(serve_out *out)
{
    px_buf_clear(&out->bytes);
    pthread_mutex_destroy(&out->lock);
    pthread_cond_destroy(&out->room);
}

/* With the lock held. */
static void wake(serve_out *out)
{
    if (!out->waiting)
        return;
    out->waiting = false;
    MHD_resume_connection(out->connection);
}

static void park(serve_out *out, void *connection)
{
    out->connection = connection;
    out->waiting = true;
    MHD_suspend_connection(connection);
}

/* Forgets what was read, once it is worth moving the rest. */
static void compact(serve_out *out)
{
    if (out->sent == out->bytes.len) {
        px_buf_reset(&out->bytes);
        if (out->bytes.cap > 16384)
            px_buf_clear(&out->bytes);
        out->sent = 0;
    } else if (out->sent > 65536) {
        memmove(out->bytes.data, out->bytes.data + out->sent, out->bytes.len - out->sent);
        out->bytes.len -= out->sent;
        out->bytes.data[out->bytes.len] = '\0';
        out->sent = 0;
    }
}

bool serve_out_put(serve_out *out, const void *bytes, size_t n)
{
    pthread_mutex_lock(&out->lock);
    while (out->blocking && !out->left && out->bytes.len - out->sent > SERVE_MAX_UNREAD)
        pthread_cond_wait(&out->room, &out->lock);
    bool ok = !out->left && !out->slow;
    if (ok && !out->blocking && out->bytes.len - out->sent > SERVE_MAX_UNREAD) {
        out->slow = true;
        ok = false;
    }
    if (ok && n > 0)
        ok = px_buf_put(&out->bytes, bytes, n);
    if (ok) {
        out->put = out->put || n > 0;
        out->started = true;
        wake(out);
    }
    pthread_mutex_unlock(&out->lock);
    return ok;
}

void serve_out_end(serve_out *out)
{
    pthread_mutex_lock(&out->lock);
    out->started = true;
    out->ended = true;
    wake(out);
    pthread_mutex_unlock(&out->lock);
}

void serve_out_leave(serve_out *out)
{
    pthread_mutex_lock(&out->lock);
    out->left = true;
    out->waiting = false;
    out->connection = NULL;
    pthread_cond_broadcast(&out->room);
    pthread_mutex_unlock(&out->lock);
}

void serve_out_drop(serve_out *out)
{
    pthread_mutex_lock(&out->lock);
    out->left = true;
    out->started = true;
    out->ended = true;
    pthread_cond_broadcast(&out->room);
    wake(out);
    pthread_mutex_unlock(&out->lock);
}

bool serve_out_has_left(serve_out *out)
{
    pthread_mutex_lock(&out->lock);
    bool left = out->left || out->slow;
    pthread_mutex_unlock(&out->lock);
    return left;
}

bool serve_out_is_bare(serve_out *out)
{
    pthread_mutex_lock(&out->lock);
    bool bare = out->ended && out->bytes.len == 0 && !out->put;
    pthread_mutex_unlock(&out->lock);
    return bare;
}

bool serve_out_wait(serve_out *out, void *connection)
{
    pthread_mutex_lock(&out->lock);
    bool wait = !out->started;
    if (wait)
        park(out, connection);
    pthread_mutex_unlock(&out->lock);
    return wait;
}

long serve_out_read(serve_out *out, void *connection, char *to, size_t n)
{
    long got;
    pthread_mutex_lock(&out->lock);
    size_t have = out->bytes.len - out->sent;
    if (have > 0 && !out->slow) {
        got = (long)(have < n ? have : n);
        memcpy(to, out->bytes.data + out->sent, (size_t)got);
        out->sent += (size_t)got;
        compact(out);
        pthread_cond_broadcast(&out->room);
    } else if (out->ended || out->slow) {
        got = -1;
    } else {
        got = 0;
        park(out, connection);
    }
    pthread_mutex_unlock(&out->lock);
    return got;
}

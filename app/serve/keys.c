/* keys: see keys.h. Limits are token buckets: they fill at their rate, up to one second (requests)
 * or one minute (tokens) of it, and tokens are taken when they are known, so that the bucket may go
 * below nothing and the next request waits till it is above. */
#include "serve/keys.h"

#include "base/file.h"
#include "base/mem.h"

#include <gnutls/gnutls.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY_BYTES = 512 };

struct serve_key {
    char *text;
    size_t len;
    char *name;
    double rps, tpm;
    int64_t concurrent;      // 0: no limit, as for the others
    pthread_mutex_t *lock;   // of all keys: guards the members below
    double requests, tokens; // left
    double at;               // when they were last counted
    int64_t n_running;
};

struct serve_keys {
    pthread_mutex_t lock;
    serve_key *all;
    size_t n;
};

static bool read_limit(const char *word, size_t len, serve_key *key)
{
    static const char *const NAMES[] = {"rps=", "tpm=", "concurrent="};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(NAMES[i]);
        char number[32], *end;
        if (len <= n || memcmp(word, NAMES[i], n) != 0 || len - n >= sizeof number)
            continue;
        memcpy(number, word + n, len - n);
        number[len - n] = '\0';
        double x = strtod(number, &end);
        if (end == number || *end || !(x > 0 && x <= 1e12) || (i == 2 && x != floor(x)))
            return false;
        if (i == 2)
            key->concurrent = (int64_t)x;
        else
            *(i == 0 ? &key->rps : &key->tpm) = x;
        return true;
    }
    return false;
}

static pith_status read_line(serve_keys *keys, const char *file, int line, const char *at, size_t n,
                             pith_error *err)
{
    static const char SPACE[] = " \t\r";
    serve_key key = {.lock = &keys->lock};
    bool first = true;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && !strchr(SPACE, at[end]))
            end++;
        if (end == i) {
            i++;
            continue;
        }
        if (at[i] == '#')
            break;
        if (first) {
            const char *colon = memchr(at + i, ':', end - i);
            key.len = colon ? (size_t)(colon - at - (ptrdiff_t)i) : end - i;
            if (key.len < 8 || key.len > MAX_KEY_BYTES)
                return px_fail(err, PITH_E_FORMAT,
                               "'%s' line %d: the key has %zu characters, expected 8 to %d", file,
                               line, key.len, MAX_KEY_BYTES);
            key.text = px_strndup(at + i, key.len);
            key.name =
                colon ? px_strndup(colon + 1, (size_t)(at + end - colon - 1)) : px_strndup("", 0);
        } else if (!read_limit(at + i, end - i, &key)) {
            px_free(key.text);
            px_free(key.name);
            return px_fail(err, PITH_E_FORMAT,
                           "'%s' line %d: found '%.*s', expected rps=N, tpm=N or concurrent=N",
                           file, line, (int)(end - i < 64 ? end - i : 64), at + i);
        }
        first = false;
        i = end;
    }
    if (first)
        return PITH_OK;
    key.requests = key.rps < 1 ? 1 : key.rps;
    key.tokens = key.tpm;
    key.at = serve_now();
    serve_key *all = key.text && key.name ? px_realloc(keys->all, keys->n + 1, sizeof *all) : NULL;
    if (!all) {
        px_free(key.text);
        px_free(key.name);
        return px_fail_memory(err, "the API keys");
    }
    all[keys->n++] = key;
    keys->all = all;
    return PITH_OK;
}

serve_keys *serve_keys_parse(const char *name, const char *text, size_t len, pith_error *err)
{
    serve_keys *keys = px_calloc(1, sizeof *keys);
    pith_status status = PITH_OK;
    int line = 0;
    if (!keys) {
        px_fail_memory(err, "the API keys");
        return NULL;
    }
    pthread_mutex_init(&keys->lock, NULL);
    for (size_t i = 0; i < len && status == PITH_OK;) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t n = end ? (size_t)(end - text) - i : len - i;
        if (memchr(text + i, '\0', n))
            status = px_fail(err, PITH_E_FORMAT, "'%s' line %d: found a zero byte", name, line + 1);
        else
            status = read_line(keys, name, ++line, text + i, n, err);
        i += n + 1;
    }
    if (status == PITH_OK && keys->n == 0)
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s' has no key; a line is KEY[:NAME] [rps=N] [tpm=N] "
                         "[concurrent=N]",
                         name);
    if (status == PITH_OK)
        return keys;
    serve_keys_free(keys);
    return NULL;
}

serve_keys *serve_keys_load(const char *path, pith_error *err)
{
    px_buf text = {0};
    serve_keys *keys = NULL;
    if (px_file_read(path, 16u << 20, &text, err) == PITH_OK)
        keys = serve_keys_parse(path, text.data ? text.data : "", text.len, err);
    if (text.data)
        gnutls_memset(text.data, 0, text.len);
    px_buf_clear(&text);
    return keys;
}

void serve_keys_free(serve_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->n; i++) {
        gnutls_memset(keys->all[i].text, 0, keys->all[i].len);
        px_free(keys->all[i].text);
        px_free(keys->all[i].name);
    }
    px_free(keys->all);
    pthread_mutex_destroy(&keys->lock);
    px_free(keys);
}

serve_key *serve_keys_find(serve_keys *keys, const char *text)
{
    size_t len = strlen(text);
    serve_key *found = NULL;
    /* Every key is looked at, whatever was found; only lengths show in the time that it takes. */
    for (size_t i = 0; i < keys->n; i++)
        if (keys->all[i].len == len && gnutls_memcmp(keys->all[i].text, text, len) == 0)
            found = &keys->all[i];
    return found;
}

const char *serve_key_name(const serve_key *key)
{
    return key ? key->name : "";
}

/* With the lock held. */
static void fill(serve_key *key, double now)
{
    double seconds = now > key->at ? now - key->at : 0, most = key->rps < 1 ? 1 : key->rps;
    key->requests = fmin(key->requests + seconds * key->rps, most);
    key->tokens = fmin(key->tokens + seconds * key->tpm / 60, key->tpm);
    key->at = now;
}

bool serve_key_enter(serve_key *key, double now, serve_problem *problem)
{
    if (!key)
        return true;
    bool ok = true;
    double wait = 1;
    pthread_mutex_lock(key->lock);
    fill(key, now);
    if (key->concurrent > 0 && key->n_running >= key->concurrent)
        ok = serve_refuse(problem, 429, NULL,
                          "this API key has %lld requests running, which is its limit",
                          (long long)key->n_running);
    else if (key->rps > 0 && key->requests < 1) {
        wait = (1 - key->requests) / key->rps;
        ok = serve_refuse(problem, 429, NULL,
                          "this API key may send %g requests a second; try again later", key->rps);
    } else if (key->tpm > 0 && key->tokens <= 0) {
        wait = -key->tokens * 60 / key->tpm;
        ok = serve_refuse(problem, 429, NULL,
                          "this API key may use %g tokens a minute; try again later", key->tpm);
    }
    if (ok) {
        key->requests -= 1;
        key->n_running++;
    } else {
        problem->code = "rate_limit_exceeded";
        problem->retry_after = wait > 1 ? (int)ceil(wait) : 1;
    }
    pthread_mutex_unlock(key->lock);
    return ok;
}

void serve_key_leave(serve_key *key, double now, int64_t n_tokens)
{
    if (!key)
        return;
    pthread_mutex_lock(key->lock);
    fill(key, now);
    key->tokens -= (double)n_tokens;
    key->n_running--;
    pthread_mutex_unlock(key->lock);
}

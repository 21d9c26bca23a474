/* stops: see stops.h. */
#include "engine/stops.h"

#include "base/mem.h"
#include "base/utf8.h"

/* fail[k] for k = 1 .. n: the longest proper end of the first k bytes that also begins them. */
static void fill_fail(const char *pattern, size_t n, uint32_t *fail)
{
    fail[0] = 0;
    fail[1] = 0;
    uint32_t k = 0;
    for (size_t i = 1; i < n; i++) {
        while (k > 0 && pattern[i] != pattern[k])
            k = fail[k];
        if (pattern[i] == pattern[k])
            k++;
        fail[i + 1] = k;
    }
}

static pith_status check(const pith_str *patterns, int32_t n, const char *what, size_t *bytes,
                         pith_error *err)
{
    if (n < 0 || n > PX_MAX_STOPS)
        return px_fail(err, PITH_E_ARGUMENT, "%d %ss given, expected 0 to %d", n, what,
                       PX_MAX_STOPS);
    *bytes = 0;
    for (int32_t i = 0; i < n; i++) {
        if (patterns[i].len == 0 || !patterns[i].data)
            return px_fail(err, PITH_E_ARGUMENT, "%s %d is empty; leave it out", what, i);
        if (patterns[i].len > PX_MAX_STOP_BYTES - *bytes)
            return px_fail(err, PITH_E_ARGUMENT, "the %ss hold more than %d bytes", what,
                           PX_MAX_STOP_BYTES);
        *bytes += patterns[i].len;
    }
    return PITH_OK;
}

pith_status px_matcher_init(px_matcher *m, const pith_str *patterns, int32_t n, const char *what,
                            pith_error *err)
{
    *m = (px_matcher){0};
    size_t bytes = 0;
    pith_status st = check(patterns, n, what, &bytes, err);
    if (st != PITH_OK || n == 0)
        return st;
    /* One block: the arrays by falling alignment, then the patterns' bytes. */
    size_t count = (size_t)n;
    size_t need = count * (sizeof(px_str) + sizeof(uint32_t *) + sizeof(uint32_t)) +
                  (bytes + count) * sizeof(uint32_t) + bytes;
    m->block = px_malloc(need, 1);
    if (!m->block)
        return px_fail_memory(err, what);
    m->n = n;
    m->patterns = m->block;
    m->fails = (uint32_t **)(m->patterns + n);
    m->seen = (uint32_t *)(m->fails + n);
    uint32_t *fail = m->seen + n;
    char *text = (char *)(fail + bytes + count);
    for (int32_t i = 0; i < n; i++) {
        size_t len = patterns[i].len;
        memcpy(text, patterns[i].data, len);
        m->patterns[i] = (px_str){.data = text, .len = len};
        m->fails[i] = fail;
        fill_fail(text, len, fail);
        text += len;
        fail += len + 1;
    }
    px_matcher_reset(m);
    return PITH_OK;
}

void px_matcher_clear(px_matcher *m)
{
    px_free(m->block);
    *m = (px_matcher){0};
}

void px_matcher_reset(px_matcher *m)
{
    for (int32_t i = 0; i < m->n; i++)
        m->seen[i] = 0;
}

/* Bytes of a pattern seen after one more byte. */
static uint32_t advance(px_str pattern, const uint32_t *fail, uint32_t seen, uint8_t byte)
{
    if (seen == pattern.len)
        seen = fail[seen];
    while (seen > 0 && (uint8_t)pattern.data[seen] != byte)
        seen = fail[seen];
    return (uint8_t)pattern.data[seen] == byte ? seen + 1 : 0;
}

int32_t px_matcher_step(px_matcher *m, uint8_t byte)
{
    int32_t found = -1;
    for (int32_t i = 0; i < m->n; i++) {
        m->seen[i] = advance(m->patterns[i], m->fails[i], m->seen[i], byte);
        if (m->seen[i] == m->patterns[i].len &&
            (found < 0 || m->patterns[i].len > m->patterns[found].len))
            found = i;
    }
    return found;
}

size_t px_matcher_open(const px_matcher *m)
{
    size_t most = 0;
    for (int32_t i = 0; i < m->n; i++)
        if (m->seen[i] > most)
            most = m->seen[i];
    return most;
}

bool px_matcher_inside(const px_matcher *m, const char *text, size_t len)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->patterns[i].len <= len && memmem(text, len, m->patterns[i].data, m->patterns[i].len))
            return true;
    return false;
}

pith_status px_stops_init(px_stops *s, const pith_str *stops, int32_t n, size_t most_bytes,
                          pith_error *err)
{
    *s = (px_stops){0};
    pith_status st = px_matcher_init(&s->matcher, stops, n, "stop string", err);
    size_t longest = 0;
    for (int32_t i = 0; st == PITH_OK && i < n; i++) {
        if (!px_utf8_valid(stops[i].data, stops[i].len))
            st = px_fail(err, PITH_E_ARGUMENT, "stop string %d is not valid UTF-8", i);
        if (stops[i].len > longest)
            longest = stops[i].len;
    }
    if (st == PITH_OK) {
        s->cap = longest + most_bytes;
        s->held = px_malloc(s->cap, 1);
        if (!s->held)
            st = px_fail_memory(err, "the buffer of held back text");
    }
    if (st != PITH_OK)
        px_stops_clear(s);
    return st;
}

void px_stops_clear(px_stops *s)
{
    px_matcher_clear(&s->matcher);
    px_free(s->held);
    *s = (px_stops){0};
}

/* Drops from the buffer what the last call showed. */
static void forget_shown(px_stops *s)
{
    s->n_held -= s->n_shown;
    memmove(s->held, s->held + s->n_shown, s->n_held);
    s->n_shown = 0;
}

int32_t px_stops_push(px_stops *s, const char *text, size_t len, px_str *out)
{
    forget_shown(s);
    size_t before = s->n_held;
    if (len > 0)
        memcpy(s->held + before, text, len);
    s->n_held += len;
    for (size_t i = before; i < s->n_held; i++) {
        int32_t stop = px_matcher_step(&s->matcher, (uint8_t)s->held[i]);
        if (stop >= 0) {
            s->n_shown = i + 1 - s->matcher.patterns[stop].len;
            s->n_held = s->n_shown;
            *out = (px_str){.data = s->held, .len = s->n_shown};
            return stop;
        }
    }
    s->n_shown = s->n_held - px_matcher_open(&s->matcher);
    *out = (px_str){.data = s->held, .len = s->n_shown};
    return -1;
}

px_str px_stops_flush(px_stops *s)
{
    forget_shown(s);
    px_matcher_reset(&s->matcher);
    s->n_shown = s->n_held;
    return (px_str){.data = s->held, .len = s->n_held};
}

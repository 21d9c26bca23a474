/*
 * nform: see nform.h. The text is worked off in clusters: a starter (combining class 0) and the
 * marks behind it. A starter joins the cluster before it when the two compose (Hangul and a few
 * others). Threads: touches its arguments only.
 */
#include "text/nform.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <utf8proc.h>

#define MOST_PARTS 32 // of one character: U+FDFA has 18

typedef struct mark {
    int32_t code;
    uint32_t end; // in the original
    uint8_t class;
} mark;

typedef struct cluster {
    mark *marks; // the first is the starter, if its class is 0
    mark *spare; // as many, for sorting
    size_t n, cap;
    bool compat, compose;
    px_norm_text *out;
} cluster;

static uint8_t class_of(int32_t code)
{
    if (code < 0x300)
        return 0;
    return (uint8_t)utf8proc_get_property(code)->combining_class;
}

/* The character that a and b compose to, or -1. No character below U+0300 is ever the second. */
static int32_t composed(int32_t a, int32_t b)
{
    if (b < 0x300)
        return -1;
    utf8proc_int32_t pair[2] = {a, b};
    if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE) != 1)
        return -1;
    return pair[0];
}

static bool add(cluster *c, mark m)
{
    if (c->n == c->cap) {
        size_t cap = c->cap * 2 + 64;
        mark *marks = px_realloc(c->marks, cap, sizeof *marks);
        if (!marks)
            return false;
        c->marks = marks;
        mark *spare = px_realloc(c->spare, cap, sizeof *spare);
        if (!spare)
            return false;
        c->spare = spare;
        c->cap = cap;
    }
    c->marks[c->n++] = m;
    return true;
}

/* Orders the marks by class; those of one class stay in order. */
static void order(cluster *c)
{
    size_t from = c->n > 0 && c->marks[0].class == 0 ? 1 : 0, count[257] = {0};
    bool ordered = true;
    for (size_t i = from + 1; i < c->n && ordered; i++)
        ordered = c->marks[i - 1].class <= c->marks[i].class;
    if (ordered)
        return;
    for (size_t i = from; i < c->n; i++)
        count[c->marks[i].class + 1]++;
    for (int i = 1; i < 257; i++)
        count[i] += count[i - 1];
    for (size_t i = from; i < c->n; i++)
        c->spare[from + count[c->marks[i].class]++] = c->marks[i];
    memcpy(c->marks + from, c->spare + from, (c->n - from) * sizeof *c->marks);
}

/* Joins marks to the starter, where no mark of the same or a higher class stands between. */
static void compose(cluster *c)
{
    if (c->n < 2 || c->marks[0].class != 0)
        return;
    size_t kept = 1;
    for (size_t i = 1; i < c->n; i++) {
        mark m = c->marks[i];
        bool blocked = kept > 1 && c->marks[kept - 1].class >= m.class;
        int32_t whole = blocked ? -1 : composed(c->marks[0].code, m.code);
        if (whole >= 0) {
            c->marks[0].code = whole;
            if (m.end > c->marks[0].end)
                c->marks[0].end = m.end;
        } else {
            c->marks[kept++] = m;
        }
    }
    c->n = kept;
}

/* Orders and composes what is there, so that it is final but for a starter that joins. */
static void settle(cluster *c)
{
    if (c->n < 2)
        return;
    order(c);
    if (c->compose)
        compose(c);
}

static void put_cluster(cluster *c)
{
    for (size_t i = 0; i < c->n; i++) {
        char text[4];
        int n = px_utf8_put((uint32_t)c->marks[i].code, text);
        px_norm_put(c->out, text, (size_t)n, c->marks[i].end);
    }
    c->n = 0;
}

static bool push(cluster *c, int32_t code, uint32_t end)
{
    mark m = {.code = code, .end = end, .class = class_of(code)};
    if (m.class == 0) {
        settle(c);
        int32_t whole = c->compose && c->n == 1 && c->marks[0].class == 0
                            ? composed(c->marks[0].code, code)
                            : -1;
        if (whole >= 0) {
            c->marks[0].code = whole;
            c->marks[0].end = end;
            return true;
        }
        put_cluster(c);
    }
    return add(c, m);
}

static bool push_char(cluster *c, int32_t code, uint32_t end)
{
    utf8proc_int32_t parts[MOST_PARTS];
    int bound = 0;
    utf8proc_option_t how = UTF8PROC_DECOMPOSE | (c->compat ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t n = utf8proc_decompose_char(code, parts, MOST_PARTS, how, &bound);
    if (n <= 0 || n > MOST_PARTS) { // no character that utf8proc knows: itself
        parts[0] = code;
        n = 1;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++)
        if (!push(c, parts[i], end))
            return false;
    return true;
}

/* Bytes from i on that are ASCII. */
static size_t ascii_run(const px_piece *in, size_t i)
{
    size_t start = i;
    while (i < in->n && (uint8_t)in->text[i] < 0x80)
        i++;
    return i - start;
}

pith_status px_nform(const px_piece *in, bool compat, bool compose_too, px_norm_text *out,
                     pith_error *err)
{
    cluster c = {.compat = compat, .compose = compose_too, .out = out};
    bool ok = true;
    for (size_t i = 0; ok && i < in->n;) {
        size_t run = ascii_run(in, i);
        if (run > 1) { // all but the last cannot change, nor change what stands before
            settle(&c);
            put_cluster(&c);
            px_piece plain = px_piece_part(in, i, i + run - 1);
            px_norm_put_piece(out, &plain);
            i += run - 1;
        }
        uint32_t code;
        int bytes = px_utf8_get(in->text + i, in->n - i, &code);
        i += (size_t)(bytes ? bytes : 1);
        ok = push_char(&c, (int32_t)code, px_piece_end(in, i));
    }
    settle(&c);
    put_cluster(&c);
    px_free(c.marks);
    px_free(c.spare);
    return ok ? px_norm_status(out, err) : px_fail_memory(err, "normalised text");
}

/*
 * grammar_chars: sets of characters as edges over bytes.
 *
 * A range of code points falls into runs of UTF-8 sequences whose bytes vary independently:
 * U+0100..U+17FF is [c4-df][80-bf] and [e1][80-9f][80-bf]. Within one set, sequences that end alike
 * share the states of their ends. Inside a JSON string `"`, `\` and control characters stand
 * escaped, in one way each.
 */
#include "base/utf8.h"
#include "text/grammar_build.h"

enum { MOST_SHARED = 32 };

typedef struct tail {
    uint8_t lo, hi;
    uint32_t next, state; // state --lo..hi--> next
} tail;

typedef struct writer {
    px_gbuild *b;
    uint32_t from, to;
    tail tails[MOST_SHARED];
    int n_tails;
    uint32_t escapes[6]; // states + 1
} writer;

static void put_range(writer *w, uint32_t from, uint8_t lo, uint8_t hi, uint32_t to)
{
    px_gbuild_edge(w->b, from, (px_gedge){.kind = PX_GEDGE_BYTE, .lo = lo, .hi = hi, .to = to});
}

/* The state from which lo..hi leads to next. */
static uint32_t tail_state(writer *w, uint8_t lo, uint8_t hi, uint32_t next)
{
    for (int i = 0; i < w->n_tails; i++)
        if (w->tails[i].lo == lo && w->tails[i].hi == hi && w->tails[i].next == next)
            return w->tails[i].state;
    uint32_t state = px_gbuild_state(w->b);
    put_range(w, state, lo, hi, next);
    if (w->n_tails < MOST_SHARED)
        w->tails[w->n_tails++] = (tail){.lo = lo, .hi = hi, .next = next, .state = state};
    return state;
}

/* A range whose ends take n bytes each and differ so that bytes vary independently. */
static void put_sequence(writer *w, uint32_t lo, uint32_t hi)
{
    char a[4], z[4];
    int n = px_utf8_put(lo, a);
    px_utf8_put(hi, z);
    uint32_t next = w->to;
    for (int i = n - 1; i > 0; i--)
        next = tail_state(w, (uint8_t)a[i], (uint8_t)z[i], next);
    put_range(w, w->from, (uint8_t)a[0], (uint8_t)z[0], next);
}

/* Splits where the number of bytes changes, and where a byte may take other values than its
 * neighbour allows. Depth: at most a split for each border of each byte. */
static void put_points(writer *w, uint32_t lo, uint32_t hi)
{
    static const uint32_t BORDERS[] = {0x7f, 0x7ff, 0xffff};
    for (int i = 0; i < 3; i++)
        if (lo <= BORDERS[i] && hi > BORDERS[i]) {
            put_points(w, lo, BORDERS[i]);
            put_points(w, BORDERS[i] + 1, hi);
            return;
        }
    if (hi > 0x7f)
        for (int i = 1; i < 4; i++) {
            uint32_t low = (1u << (6 * i)) - 1;
            if ((lo & ~low) == (hi & ~low))
                break;
            uint32_t cut = 0;
            if ((lo & low) != 0)
                cut = (lo | low) + 1;
            else if ((hi & low) != low)
                cut = hi & ~low;
            if (cut != 0) {
                put_points(w, lo, cut - 1);
                put_points(w, cut, hi);
                return;
            }
        }
    put_sequence(w, lo, hi);
}

/* Characters as they are, without surrogates. */
static void put_raw(writer *w, uint32_t lo, uint32_t hi)
{
    if (hi > 0x10ffff)
        hi = 0x10ffff;
    if (lo <= 0xd7ff && lo <= hi)
        put_points(w, lo, hi < 0xd7ff ? hi : 0xd7ff);
    if (hi >= 0xe000)
        put_points(w, lo > 0xe000 ? lo : 0xe000, hi);
}

/* The state behind `\`, or behind `\u`, `\u0`, `\u00`, `\u000`, `\u001`, made when needed. */
static uint32_t escape_state(writer *w, int which)
{
    static const struct {
        int before;
        char byte;
    } WAYS[] = {{-1, '\\'}, {0, 'u'}, {1, '0'}, {2, '0'}, {3, '0'}, {3, '1'}};
    if (w->escapes[which] == 0) {
        uint32_t before = WAYS[which].before < 0 ? w->from : escape_state(w, WAYS[which].before);
        uint32_t state = px_gbuild_state(w->b);
        uint8_t byte = (uint8_t)WAYS[which].byte;
        put_range(w, before, byte, byte, state);
        w->escapes[which] = state + 1;
    }
    return w->escapes[which] - 1;
}

static void put_escaped(writer *w, uint32_t c)
{
    static const char SHORT[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (int i = 0; SHORT[i]; i += 2)
        if ((uint32_t)SHORT[i] == c) {
            put_range(w, escape_state(w, 0), (uint8_t)SHORT[i + 1], (uint8_t)SHORT[i + 1], w->to);
            return;
        }
    uint8_t digit = (uint8_t) "0123456789abcdef"[c & 15];
    put_range(w, escape_state(w, c < 16 ? 4 : 5), digit, digit, w->to);
}

static void put_json(writer *w, uint32_t lo, uint32_t hi)
{
    for (uint32_t c = lo; c <= hi && c < 0x20; c++)
        put_escaped(w, c);
    static const uint32_t GAPS[] = {0x20, '"', '\\', 0x110000};
    for (int i = 0; i < 3; i++) {
        uint32_t first = i == 0 ? 0x20 : GAPS[i] + 1, last = GAPS[i + 1] - 1;
        if (i > 0 && lo <= GAPS[i] && hi >= GAPS[i])
            put_escaped(w, GAPS[i]);
        if (lo <= last && hi >= first)
            put_raw(w, lo > first ? lo : first, hi < last ? hi : last);
    }
}

void px_gbuild_chars(px_gbuild *b, const px_grange *ranges, uint32_t n, bool json, uint32_t from,
                     uint32_t to)
{
    writer w = {.b = b, .from = from, .to = to};
    for (uint32_t i = 0; i < n && b->status == PITH_OK; i++) {
        if (json)
            put_json(&w, ranges[i].lo, ranges[i].hi);
        else
            put_raw(&w, ranges[i].lo, ranges[i].hi);
    }
}

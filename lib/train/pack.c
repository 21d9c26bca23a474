/* pack: see pack.h. */
#include "train/pack.h"

#include <string.h>

int px_pack_segments(const px_examples *e)
{
    return e->goal == PX_GOAL_NEXT ? 1 : 2;
}

int64_t px_pack_units(const px_examples *e)
{
    return e->goal == PX_GOAL_PAIR ? e->n / 2 : e->n;
}

/* Tokens before the first learned one. */
static int32_t prompt_of(const px_example *x)
{
    int32_t n = 0;
    while (n < x->n && !x->learn[n])
        n++;
    return n;
}

static const px_example *next_of(const px_examples *e, int64_t unit)
{
    return &e->all[(unit + 1) % e->n];
}

int32_t px_pack_unit_tokens(const px_examples *e, int64_t unit)
{
    if (e->goal == PX_GOAL_NEXT)
        return e->all[unit].n;
    if (e->goal == PX_GOAL_PAIR)
        return e->all[2 * unit].n + e->all[2 * unit + 1].n;
    const px_example *x = &e->all[unit], *other = next_of(e, unit);
    return x->n + prompt_of(x) + other->n - prompt_of(other);
}

int32_t px_pack_longest(const px_examples *e)
{
    int32_t most = 0;
    for (int64_t i = 0; i < px_pack_units(e); i++) {
        int32_t n = px_pack_unit_tokens(e, i);
        most = n > most ? n : most;
    }
    return most;
}

pith_status px_pack_init(px_pack *p, const px_examples *e, int32_t most_units, int32_t capacity,
                         pith_error *err)
{
    *p = (px_pack){.e = e, .most_units = most_units, .capacity = capacity};
    px_arena_init(&p->arena, 0, 0);
    int64_t tokens = (int64_t)most_units * px_pack_longest(e);
    if (tokens > e->n_tokens * 2 && e->goal != PX_GOAL_LABEL)
        tokens = e->n_tokens * 2;
    size_t u = (size_t)most_units, n = (size_t)tokens;
    p->most_tokens = (int32_t)tokens;
    p->ids = tokens <= INT32_MAX ? PX_NEW(&p->arena, int32_t, n) : NULL;
    p->targets = p->ids ? PX_NEW(&p->arena, int32_t, n) : NULL;
    p->segs = PX_NEW(&p->arena, px_segment, 2 * u);
    p->passes = PX_NEW(&p->arena, px_pack_pass, u);
    p->order = PX_NEW(&p->arena, int64_t, u);
    p->given = PX_NEW(&p->arena, int64_t, u);
    p->sizes = PX_NEW(&p->arena, int32_t, u);
    p->bins = PX_NEW(&p->arena, int32_t, u);
    p->sorted = PX_NEW(&p->arena, int32_t, u);
    p->room = PX_NEW(&p->arena, int32_t, u);
    if (p->ids && p->targets && p->segs && p->passes && p->order && p->given && p->sizes &&
        p->bins && p->sorted && p->room)
        return PITH_OK;
    px_pack_clear(p);
    return px_fail(err, PITH_E_MEMORY,
                   "out of memory while making updates of %d examples; use a smaller batch",
                   most_units);
}

void px_pack_clear(px_pack *p)
{
    px_arena_clear(&p->arena);
    *p = (px_pack){0};
}

/* ---- one update */

/* The place of each unit by falling size, of equals the earlier first: counting is enough. */
static void sort_units(px_pack *p, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t at = i;
        for (; at > 0 && p->sizes[p->sorted[at - 1]] < p->sizes[i]; at--)
            p->sorted[at] = p->sorted[at - 1];
        p->sorted[at] = i;
    }
}

static void choose_bins(px_pack *p, int32_t n)
{
    p->n_passes = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t unit = p->sorted[i], best = -1;
        for (int32_t b = 0; b < p->n_passes; b++)
            if (p->room[b] >= p->sizes[unit] && (best < 0 || p->room[b] < p->room[best]))
                best = b;
        if (best < 0) {
            best = p->n_passes++;
            p->room[best] = p->capacity;
        }
        p->room[best] -= p->sizes[unit];
        p->bins[unit] = best;
    }
}

/* Where a pass is being written. */
typedef struct writer {
    px_pack_pass *pass;
    int32_t *ids, *targets;
    px_segment *segs;
    int32_t n, n_segs;
} writer;

static void put_tokens(writer *w, const px_example *x, int32_t from, int32_t end)
{
    for (int32_t t = from; t < end; t++, w->n++) {
        w->ids[w->n] = x->ids[t];
        w->targets[w->n] = -1;
        bool starts = w->n == w->segs[w->n_segs].first;
        if (x->learn[t] && !starts) {
            w->targets[w->n - 1] = x->ids[t];
            w->pass->n_learned++;
        }
    }
}

static void begin_segment(writer *w)
{
    w->segs[w->n_segs].first = w->n;
}

static void end_segment(writer *w)
{
    w->segs[w->n_segs].n = w->n - w->segs[w->n_segs].first;
    w->n_segs++;
}

static void put_example(writer *w, const px_example *x)
{
    begin_segment(w);
    put_tokens(w, x, 0, x->n);
    end_segment(w);
}

static void put_unit(const px_pack *p, writer *w, int64_t unit)
{
    const px_examples *e = p->e;
    if (e->goal == PX_GOAL_PAIR) {
        put_example(w, &e->all[2 * unit]);
        put_example(w, &e->all[2 * unit + 1]);
        return;
    }
    const px_example *x = &e->all[unit], *other = next_of(e, unit);
    put_example(w, x);
    if (e->goal != PX_GOAL_LABEL)
        return;
    begin_segment(w);
    put_tokens(w, x, 0, prompt_of(x));
    put_tokens(w, other, prompt_of(other), other->n);
    end_segment(w);
}

void px_pack_make(px_pack *p, const int64_t *units, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        p->sizes[i] = px_pack_unit_tokens(p->e, units[i]);
    sort_units(p, n);
    choose_bins(p, n);
    p->n_tokens = p->n_learned = 0;
    int32_t at = 0, seg = 0, first = 0;
    for (int32_t b = 0; b < p->n_passes; b++) {
        px_pack_pass *pass = &p->passes[b];
        *pass = (px_pack_pass){.first_unit = first};
        writer w = {.pass = pass, .ids = p->ids + at, .targets = p->targets + at};
        w.segs = p->segs + seg;
        for (int32_t i = 0; i < n; i++)
            if (p->bins[i] == b) {
                p->order[first++] = units[i];
                put_unit(p, &w, units[i]);
            }
        pass->n_units = first - pass->first_unit;
        pass->batch = (px_packed){w.n, w.ids, w.targets, w.segs, w.n_segs};
        at += w.n;
        seg += w.n_segs;
        p->n_tokens += w.n;
        p->n_learned += pass->n_learned;
    }
}

void px_pack_range(px_pack *p, int64_t first, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        p->given[i] = first + i;
    px_pack_make(p, p->given, n);
}

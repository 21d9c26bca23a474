/*
 * grammar_number: see grammar_number.h.
 *
 * Texts of as many digits as both bounds have are compared digit by digit: the first digit is the
 * bound's and the rest must be in bounds, or it is beyond it and the rest is free. Other lengths
 * are other ranges. Multiples are counted by remainders, an automaton of one state for each.
 */
#include "text/grammar_number.h"

#include <stdio.h>

#define MOST_WHOLE UINT64_C(9999999999999999)

enum { MOST_REMAINDERS = 5000, PART_DIGITS = 10 };

/* ---- decimals */

bool px_gdecimal_read(px_str text, px_gdecimal *out)
{
    char digits[64];
    int n = 0, point = -1;
    long exponent = 0;
    size_t i = 0;
    *out = (px_gdecimal){0};
    if (text.len > 0 && text.data[0] == '-') {
        out->negative = true;
        i = 1;
    }
    for (; i < text.len && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        if (text.data[i] == '.')
            point = n;
        else if (n == 60)
            return false;
        else
            digits[n++] = text.data[i];
    }
    if (i < text.len) {
        bool minus = text.data[++i] == '-';
        if (text.data[i] == '-' || text.data[i] == '+')
            i++;
        for (; i < text.len; i++)
            if (exponent < 1000)
                exponent = 10 * exponent + (text.data[i] - '0');
        exponent = minus ? -exponent : exponent;
    }
    long at = (point < 0 ? n : point) + exponent; // digits before the point
    uint64_t whole = 0;
    for (long k = 0; k < at; k++) {
        whole = 10 * whole + (k < n ? (uint64_t)(digits[k] - '0') : 0);
        if (whole > UINT64_C(1000000000000000000))
            return false;
        if (k > 100)
            break; // zeros
    }
    out->whole = whole;
    int parts = 0;
    for (long k = at < -30 ? -30 : at < 0 ? at : at; k < n; k++) {
        char c = k >= 0 ? digits[k] : '0';
        if (parts == 22)
            return false;
        out->part[parts++] = c;
    }
    while (parts > 0 && out->part[parts - 1] == '0')
        out->part[--parts] = 0;
    out->part[parts] = 0;
    if (at < -30 && parts > 0)
        return false;
    if (out->whole == 0 && parts == 0)
        out->negative = false;
    return true;
}

static int compare_size(const px_gdecimal *a, const px_gdecimal *b)
{
    if (a->whole != b->whole)
        return a->whole < b->whole ? -1 : 1;
    return strcmp(a->part, b->part); // digits without zeros at the end: as decimals compare
}

int px_gdecimal_compare(const px_gdecimal *a, const px_gdecimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? compare_size(b, a) : compare_size(a, b);
}

/* ---- digits */

static const px_gexpr *nothing(px_grules *g)
{
    return px_gexpr_alt(g, NULL, 0);
}

static const px_gexpr *empty(px_grules *g)
{
    return px_gexpr_seq(g, NULL, 0);
}

static const px_gexpr *digit(px_grules *g, int lo, int hi)
{
    px_grange r = {(uint32_t)('0' + lo), (uint32_t)('0' + hi)};
    return lo <= hi ? px_gexpr_chars(g, &r, 1, false, false) : nothing(g);
}

static const px_gexpr *digits(px_grules *g, uint32_t min, uint32_t max)
{
    return px_gexpr_repeat(g, digit(g, 0, 9), min, max);
}

static const px_gexpr *two(px_grules *g, const px_gexpr *a, const px_gexpr *b)
{
    const px_gexpr *list[2] = {a, b};
    return px_gexpr_seq(g, list, 2);
}

static const px_gexpr *either(px_grules *g, const px_gexpr *a, const px_gexpr *b)
{
    const px_gexpr *list[2] = {a, b};
    return px_gexpr_alt(g, list, 2);
}

/* n digits that are at least a (or NULL: any) and at most z (or NULL). */
static const px_gexpr *between(px_grules *g, const char *a, const char *z, uint32_t n)
{
    if (n == 0)
        return empty(g);
    if (!a && !z)
        return digits(g, n, n);
    int lo = a ? a[0] - '0' : 0, hi = z ? z[0] - '0' : 9;
    const char *a1 = a ? a + 1 : NULL, *z1 = z ? z + 1 : NULL;
    if (a && z && lo == hi)
        return two(g, digit(g, lo, lo), between(g, a1, z1, n - 1));
    px_gexprs ways = {0};
    if (a)
        px_gexprs_put(g, &ways, two(g, digit(g, lo, lo), between(g, a1, NULL, n - 1)));
    if (z)
        px_gexprs_put(g, &ways, two(g, digit(g, hi, hi), between(g, NULL, z1, n - 1)));
    px_gexprs_put(g, &ways,
                  two(g, digit(g, a ? lo + 1 : lo, z ? hi - 1 : hi), digits(g, n - 1, n - 1)));
    return px_gexpr_alt(g, ways.items, ways.n);
}

/* Whole numbers from lo to hi. */
static const px_gexpr *wholes(px_grules *g, uint64_t lo, uint64_t hi)
{
    px_gexprs ways = {0};
    if (lo > hi)
        return nothing(g);
    if (lo == 0)
        px_gexprs_put(g, &ways, px_gexpr_text(g, "0"));
    uint64_t first = 1;
    for (uint32_t n = 1; n <= 19; n++, first *= 10) {
        uint64_t last = 10 * (first - 1) + 9; // 9, 99, ...
        uint64_t a = lo > first ? lo : first, z = hi < last ? hi : last;
        if (a > z)
            continue;
        char from[24], to[24];
        snprintf(from, sizeof from, "%llu", (unsigned long long)a);
        snprintf(to, sizeof to, "%llu", (unsigned long long)z);
        if (a == first && z == last)
            px_gexprs_put(g, &ways, two(g, digit(g, 1, 9), digits(g, n - 1, n - 1)));
        else
            px_gexprs_put(g, &ways, between(g, from, to, n));
    }
    return px_gexpr_alt(g, ways.items, ways.n);
}

/* ---- parts behind the point */

/* `.` and digits, or nothing: zero. */
static const px_gexpr *any_part(px_grules *g, uint32_t most)
{
    return px_gexpr_repeat(g, two(g, px_gexpr_text(g, "."), digits(g, 1, most)), 0, 1);
}

/* Digits (of at most `most`) whose value is above f's, or equal unless open. */
static const px_gexpr *above(px_grules *g, const char *f, bool open, uint32_t most)
{
    if (*f == 0) {
        if (!open)
            return digits(g, 0, most);
        const px_gexpr *some[3] = {px_gexpr_repeat(g, digit(g, 0, 0), 0, most - 1), digit(g, 1, 9),
                                   digits(g, 0, most - 1)};
        return px_gexpr_seq(g, some, 3);
    }
    int d = *f - '0';
    return either(g, two(g, digit(g, d, d), above(g, f + 1, open, most - 1)),
                  two(g, digit(g, d + 1, 9), digits(g, 0, most - 1)));
}

/* Digits whose value is below f's, or equal unless open. */
static const px_gexpr *below(px_grules *g, const char *f, bool open, uint32_t most)
{
    if (*f == 0)
        return open ? nothing(g) : px_gexpr_repeat(g, digit(g, 0, 0), 0, most);
    int d = *f - '0';
    const px_gexpr *rest = below(g, f + 1, open, most - 1);
    if (f[1] != 0) // fewer digits are less
        rest = either(g, empty(g), rest);
    return either(g, two(g, digit(g, d, d), rest),
                  two(g, digit(g, 0, d - 1), digits(g, 0, most - 1)));
}

static const px_gexpr *part_above(px_grules *g, const char *f, bool open, uint32_t most)
{
    if (*f == 0 && !open)
        return any_part(g, most);
    return two(g, px_gexpr_text(g, "."), above(g, f, open, most));
}

static const px_gexpr *part_below(px_grules *g, const char *f, bool open, uint32_t most)
{
    if (*f == 0 && open)
        return nothing(g);
    const px_gexpr *some =
        *f == 0 ? px_gexpr_repeat(g, digit(g, 0, 0), 1, most) : below(g, f, open, most);
    return px_gexpr_repeat(g, two(g, px_gexpr_text(g, "."), some), 0, 1);
}

/* Numbers without sign from lo to hi (has_hi). */
static const px_gexpr *sizes(px_gdfa_maker *m, const px_gdecimal *lo, bool open_lo,
                             const px_gdecimal *hi, bool open_hi)
{
    px_grules *g = m->g;
    uint32_t most = PART_DIGITS;
    most = strlen(lo->part) + 1 > most ? (uint32_t)strlen(lo->part) + 1 : most;
    most = strlen(hi->part) + 1 > most ? (uint32_t)strlen(hi->part) + 1 : most;
    int order = compare_size(lo, hi);
    if (order > 0 || (order == 0 && (open_lo || open_hi)))
        return nothing(g);
    if (lo->whole == hi->whole) {
        const px_gdfa *d = px_gdfa_and(m, px_gdfa_of(m, part_above(g, lo->part, open_lo, most)),
                                       px_gdfa_of(m, part_below(g, hi->part, open_hi, most)));
        return two(g, wholes(g, lo->whole, lo->whole), px_gdfa_expr(m, d, false));
    }
    px_gexprs ways = {0};
    px_gexprs_put(g, &ways,
                  two(g, wholes(g, lo->whole, lo->whole), part_above(g, lo->part, open_lo, most)));
    if (lo->whole + 1 < hi->whole)
        px_gexprs_put(g, &ways, two(g, wholes(g, lo->whole + 1, hi->whole - 1), any_part(g, most)));
    px_gexprs_put(g, &ways,
                  two(g, wholes(g, hi->whole, hi->whole), part_below(g, hi->part, open_hi, most)));
    return px_gexpr_alt(g, ways.items, ways.n);
}

/* ---- multiples */

static uint64_t power_of_ten(size_t n)
{
    uint64_t p = 1;
    for (size_t i = 0; i < n; i++)
        p *= 10;
    return p;
}

/* [-] digits [. digits] that are multiples of step / 10^places, by remainder. */
static const px_gdfa *multiples(px_gdfa_maker *m, const px_gdecimal *step)
{
    size_t places = strlen(step->part);
    uint64_t p = step->whole;
    for (size_t i = 0; i < places && p < MOST_REMAINDERS; i++)
        p = 10 * p + (uint64_t)(step->part[i] - '0');
    if (p == 0 || p * (places + 1) > MOST_REMAINDERS || places > 9) {
        if (m->st == PITH_OK)
            m->st =
                px_fail(m->err, PITH_E_UNSUPPORTED,
                        "a grammar cannot count multiples of this number; at most %d remainders "
                        "are possible",
                        MOST_REMAINDERS);
        return NULL;
    }
    /* 0, 1 behind a minus, then rows of p remainders: before the point, right behind it, behind its
     * first digit, ... */
    px_grules *g = m->g;
    uint32_t rows = places > 0 ? (uint32_t)places + 2 : 1, n = (uint32_t)p * rows + 2;
    px_gdfa *d = PX_ZNEW(&g->arena, px_gdfa, 1);
    px_gdfa_edge *edges = PX_NEW(&g->arena, px_gdfa_edge, (size_t)n * 12);
    uint32_t *first = PX_ZNEW(&g->arena, uint32_t, (size_t)n + 2);
    bool *accepts = PX_ZNEW(&g->arena, bool, n);
    if (!d || !edges || !first || !accepts) {
        g->failed = true;
        return NULL;
    }
    *d = (px_gdfa){.n_states = n, .edges = edges, .first = first, .accepts = accepts};
    for (uint32_t s = 0; s < n; s++) {
        uint32_t row = s < 2 ? 0 : (s - 2) / (uint32_t)p;
        uint32_t r = s < 2 ? 0 : (s - 2) % (uint32_t)p;
        uint32_t behind = row > 0 ? row - 1 : 0; // digits behind the point
        first[s] = d->n_edges;
        accepts[s] = s >= 2 && row != 1 && r * power_of_ten(places - behind) % p == 0;
        if (s == 0)
            edges[d->n_edges++] = (px_gdfa_edge){0, 1, {'-', '-'}};
        if (s >= 2 && row == 0 && rows > 1)
            edges[d->n_edges++] = (px_gdfa_edge){s, s + (uint32_t)p, {'.', '.'}};
        for (uint32_t c = 0; c < 10 && (row == 0 || row + 1 < rows); c++) {
            uint32_t to = 2 + (row > 0 ? row + 1 : 0) * (uint32_t)p + (10 * r + c) % (uint32_t)p;
            edges[d->n_edges++] = (px_gdfa_edge){s, to, {'0' + c, '0' + c}};
        }
    }
    first[n] = d->n_edges;
    return d;
}

/* ---- the whole */

static const px_gexpr *signed_sizes(px_gdfa_maker *m, const px_gbounds *b, bool integer)
{
    px_grules *g = m->g;
    px_gdecimal zero = {0}, top = {.whole = MOST_WHOLE};
    px_gdecimal min = b->has_min ? b->min : top, max = b->has_max ? b->max : top;
    if (!b->has_min) {
        if (b->has_max && b->max.negative && b->max.whole >= MOST_WHOLE)
            min.whole = UINT64_C(1000000000000000000);
        min.negative = true;
    }
    if (!b->has_max && b->has_min && !b->min.negative && b->min.whole >= MOST_WHOLE)
        max.whole = UINT64_C(1000000000000000000);
    bool open_min = b->has_min && b->open_min, open_max = b->has_max && b->open_max;
    px_gexprs ways = {0};
    for (int sign = 0; sign < 2; sign++) {
        px_gdecimal lo = zero, hi;
        bool open_lo, open_hi;
        if (sign == 0) { // not negative
            if (max.negative)
                continue;
            open_lo = !min.negative && open_min;
            lo = min.negative ? zero : min;
            hi = max;
            open_hi = open_max;
        } else {
            if (!min.negative)
                continue;
            open_lo = max.negative ? open_max : true; // not -0
            lo = max.negative ? max : zero;
            hi = min;
            open_hi = open_min;
        }
        const px_gexpr *x;
        if (integer) {
            uint64_t a = lo.whole + (lo.part[0] != 0 || open_lo);
            uint64_t z = hi.whole - (hi.part[0] == 0 && open_hi && hi.whole > 0);
            bool none = hi.part[0] == 0 && open_hi && hi.whole == 0;
            x = none ? nothing(g) : wholes(g, a, z);
        } else {
            x = sizes(m, &lo, open_lo, &hi, open_hi);
        }
        px_gexprs_put(g, &ways, sign == 0 ? x : two(g, px_gexpr_text(g, "-"), x));
    }
    return px_gexpr_alt(g, ways.items, ways.n);
}

static const px_gexpr *with_multiple(px_gdfa_maker *m, const px_gexpr *x, const px_gbounds *b)
{
    if (!b->has_multiple)
        return x;
    const px_gdfa *d = px_gdfa_and(m, px_gdfa_of(m, x), multiples(m, &b->multiple));
    return px_gdfa_expr(m, d, false);
}

const px_gexpr *px_gnumber_integer(px_gdfa_maker *m, const px_gbounds *b)
{
    return with_multiple(m, signed_sizes(m, b, true), b);
}

const px_gexpr *px_gnumber_real(px_gdfa_maker *m, const px_gbounds *b)
{
    return with_multiple(m, signed_sizes(m, b, false), b);
}

/*
 * alone: what of support.h needs no cmocka, so that a test program can be built for a machine
 * without it: kept strings and random numbers.
 */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct kept {
    struct kept *next;
    char text[];
} kept;

static kept *all_kept; // strings given out, so that leak checkers see them as reachable

char *test_keep(size_t n)
{
    kept *k = calloc(1, sizeof *k + n + 1);
    if (!k)
        abort();
    k->next = all_kept;
    all_kept = k;
    return k->text;
}

const char *test_format(const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0)
        abort();
    char *text = test_keep((size_t)n);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

/* ---- random numbers: SplitMix64 (Steele, Lea, Flood 2014) */

test_random test_random_start(uint64_t seed)
{
    const char *wish = getenv("PITH_TEST_SEED");
    if (wish && *wish)
        seed = strtoull(wish, NULL, 0);
    fprintf(stderr, "# seed %llu\n", (unsigned long long)seed);
    return (test_random){.state = seed};
}

uint64_t test_random_u64(test_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t test_random_below(test_random *r, uint64_t n)
{
    return test_random_u64(r) % n; // the bias is below n / 2^64
}

double test_random_unit(test_random *r)
{
    return (double)(test_random_u64(r) >> 11) * 0x1p-53;
}

double test_random_normal(test_random *r)
{
    double u = 1 - test_random_unit(r); // never 0
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * test_random_unit(r));
}

uint32_t test_random_char(test_random *r)
{
    static const struct {
        uint32_t first, n;
    } ranges[] = {
        {0x20, 0x5f},     {0x61, 26},      {0x00, 0x20},     {0xa0, 0x1b0},   {0x300, 0x70},
        {0x370, 0x190},   {0x590, 0x270},  {0x900, 0x100},   {0xe00, 0x80},   {0x2000, 0x70},
        {0x3040, 0xc0},   {0x4e00, 20992}, {0xac00, 11172},  {0xfe00, 0x100}, {0x1f300, 0x400},
        {0x1f900, 0x100}, {0xe000, 0x100}, {0x20000, 0x100}, {0, 0x110000},
    };
    for (;;) {
        size_t i = (size_t)test_random_below(r, sizeof ranges / sizeof ranges[0]);
        uint32_t c = ranges[i].first + (uint32_t)test_random_below(r, ranges[i].n);
        if (c < 0xd800 || c > 0xdfff)
            return c;
    }
}

void test_random_bytes(test_random *r, void *out, size_t n)
{
    unsigned char *to = out;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)test_random_u64(r);
}

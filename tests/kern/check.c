/* check: see check.h. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, MOST = 4096, FILL = 0xa5 };

static struct {
    void *base;
    size_t n;
} maps[MOST];
static int n_maps;

void check_fail(check *c, const char *fmt, ...)
{
    if (c->failed)
        return;
    c->failed = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, args);
    va_end(args);
}

void *check_memory_shifted(size_t n, size_t shift)
{
    const size_t inside = (n + shift + PAGE - 1) / PAGE * PAGE;
    char *p = mmap(NULL, inside + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || n_maps == MOST || mprotect(p + inside, PAGE, PROT_NONE) != 0) {
        fprintf(stderr, "kerncheck: no memory for %zu bytes\n", n);
        exit(1);
    }
    maps[n_maps].base = p;
    maps[n_maps++].n = inside + PAGE;
    memset(p, FILL, inside);
    return p + inside - n - shift;
}

void *check_memory(size_t n)
{
    return check_memory_shifted(n, 0);
}

void check_release(void)
{
    while (n_maps > 0) {
        n_maps--;
        munmap(maps[n_maps].base, maps[n_maps].n);
    }
}

bool check_untouched(const void *p, size_t n)
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != FILL)
            return false;
    return true;
}

int check_int(check *c, int lo, int hi)
{
    return lo + (int)test_random_below(&c->random, (uint64_t)(hi - lo + 1));
}

float check_normal(check *c, float deviation)
{
    return (float)test_random_normal(&c->random) * deviation;
}

bool check_near(check *c, float got, double want, double bound, const char *what, int64_t i,
                int64_t j)
{
    c->n_compared++;
    if (isnan(want) && isnan(got))
        return true;
    if (isinf(want) && (double)got == want)
        return true;
    if (!(fabs((double)got - want) <= bound)) {
        check_fail(c, "%s at (%lld, %lld): %.9g, expected %.9g within %.3g", what, (long long)i,
                   (long long)j, (double)got, want, bound);
        return false;
    }
    return true;
}

bool check_same(check *c, float got, float want, const char *what, int64_t i, int64_t j)
{
    c->n_compared++;
    if (!(got == want)) {
        check_fail(c, "%s at (%lld, %lld): %.9g, expected exactly %.9g", what, (long long)i,
                   (long long)j, (double)got, (double)want);
        return false;
    }
    return true;
}

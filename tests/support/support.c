/* support: see support.h. Everything but running programs, which is run.c's. */
#include "support/support.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct kept {
    struct kept *next;
    char text[];
} kept;

static kept *all_kept; // strings given out, so that leak checkers see them as reachable
static char temp_folder[512];

/* Room for a string of n bytes that lives until the program ends. */
static char *keep(size_t n)
{
    kept *k = calloc(1, sizeof *k + n + 1);
    assert_non_null(k);
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
    assert_true(n >= 0);
    char *text = keep((size_t)n);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

static const char *source_root(void)
{
    const char *root = getenv("PITH_SOURCE_ROOT");
    if (!root || !*root)
        fail_msg("PITH_SOURCE_ROOT is not set; run tests by `meson test` or `./dev check`");
    return root;
}

const char *test_source(const char *name)
{
    return test_format("%s/%s", source_root(), name);
}

const char *test_shared(const char *name)
{
    const char *folder = test_format("%s/../shared", source_root());
    if (!test_exists(folder)) {
        fprintf(stderr, "# skipped: there is no %s\n", folder);
        skip();
    }
    const char *path = test_format("%s/%s", folder, name);
    if (!test_exists(path))
        fail_msg("the shared folder has no %s", name);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

static pid_t temp_owner;

static void remove_temp(void)
{
    if (getpid() == temp_owner)
        nftw(temp_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_temp(const char *name)
{
    if (!temp_folder[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(temp_folder, sizeof temp_folder, "%s/pith-test-XXXXXX",
                 base && *base ? base : "/tmp");
        if (!mkdtemp(temp_folder))
            fail_msg("cannot make the folder %s: %s", temp_folder, strerror(errno));
        temp_owner = getpid();
        atexit(remove_temp);
    }
    return test_format("%s/%s", temp_folder, name);
}

bool test_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

char *test_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s: %s", path, strerror(errno));
    struct stat st;
    assert_int_equal(fstat(fileno(f), &st), 0);
    size_t size = (size_t)st.st_size;
    char *text = keep(size);
    assert_int_equal(fread(text, 1, size, f), size);
    fclose(f);
    if (n)
        *n = size;
    return text;
}

void test_write(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        fail_msg("cannot write %s: %s", path, strerror(errno));
    if (n)
        assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
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

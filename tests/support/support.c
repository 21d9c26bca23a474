/* support: see support.h. Running programs is run.c's, strings and random
 * numbers alone.c's. */
#include "support/support.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char temp_folder[512];

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
    char *text = test_keep(size);
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

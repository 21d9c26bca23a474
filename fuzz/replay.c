/*
 * replay: runs a fuzz target once over every file of its seed folder, without a fuzzer, as a test.
 * Use: replay-NAME NAME FOLDER. Prints TAP, one case for all files; a file that crashes the target
 * is the last one named on standard error.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Runs the target on a copy of the file that ends where its block ends, so that AddressSanitizer
 * sees a read past it. False when the file cannot be read. */
static int replay(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fprintf(stderr, "# %s\n", path);
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    int ok = fseek(f, 0, SEEK_END) == 0;
    long size = ftell(f);
    ok = ok && size >= 0 && fseek(f, 0, SEEK_SET) == 0;
    uint8_t *bytes = ok ? malloc(size > 0 ? (size_t)size : 1) : NULL;
    ok = bytes && fread(bytes, 1, (size_t)size, f) == (size_t)size;
    fclose(f);
    ok = ok && LLVMFuzzerTestOneInput(bytes, (size_t)size) == 0;
    free(bytes);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s NAME FOLDER\n", argv[0]);
        return 2;
    }
    puts("1..1");
    struct dirent **entries = NULL;
    int n = scandir(argv[2], &entries, is_seed, alphasort);
    int good = 0;
    for (int i = 0; i < n; i++) {
        good += replay(argv[2], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    int ok = n > 0 && good == n;
    printf("%s 1 - %s: %d of %d seeds\n", ok ? "ok" : "not ok", argv[1], good, n > 0 ? n : 0);
    return ok ? 0 : 1;
}

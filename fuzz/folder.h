/*
 * folder: a temporary folder for targets whose code opens files by name. Made once for the process
 * (the fuzzer runs one input at a time), in memory where the machine can, removed at the end.
 */
#ifndef PITH_FUZZ_FOLDER_H
#define PITH_FUZZ_FOLDER_H

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char fuzz_folder[64];
static char fuzz_files[4][96]; // written so far, to be removed
static int fuzz_n_files;

static inline void fuzz_folder_remove(void)
{
    for (int i = 0; i < fuzz_n_files; i++)
        unlink(fuzz_files[i]);
    rmdir(fuzz_folder);
}

static inline void fuzz_folder_make(void)
{
    if (fuzz_folder[0])
        return;
    snprintf(fuzz_folder, sizeof fuzz_folder, "/dev/shm/pith-fuzz-XXXXXX");
    if (!mkdtemp(fuzz_folder)) {
        snprintf(fuzz_folder, sizeof fuzz_folder, "/tmp/pith-fuzz-XXXXXX");
        FUZZ_CHECK(mkdtemp(fuzz_folder));
    }
    atexit(fuzz_folder_remove);
}

/* Replaces a file of the folder; at most four names in all. */
static inline void fuzz_folder_write(const char *name, const void *bytes, size_t n)
{
    char path[96];
    fuzz_folder_make();
    snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f && (n == 0 || fwrite(bytes, 1, n, f) == n));
    FUZZ_CHECK(fclose(f) == 0);
    for (int i = 0; i < fuzz_n_files; i++)
        if (__builtin_strcmp(fuzz_files[i], path) == 0)
            return;
    FUZZ_CHECK(fuzz_n_files < 4);
    snprintf(fuzz_files[fuzz_n_files++], sizeof path, "%s", path);
}

#endif

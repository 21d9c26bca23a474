/*
 * fuzz_manifest: the same bytes as a record of our store and as a manifest of Ollama's. What is
 * found lies below one of the two stores or is an absolute path of a record; nothing else is
 * opened.
 */
#include "fuzz.h"

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOB "blobs/sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

static const char *const FOLDERS[] = {"",
                                      "models",
                                      "models/x",
                                      "blobs",
                                      "manifests",
                                      "manifests/registry.ollama.ai",
                                      "manifests/registry.ollama.ai/library",
                                      "manifests/registry.ollama.ai/library/y"};
static const char *const FILES[] = {"models/x/latest.json",
                                    "manifests/registry.ollama.ai/library/y/latest", BLOB};
enum { N_FOLDERS = sizeof FOLDERS / sizeof FOLDERS[0], N_FILES = sizeof FILES / sizeof FILES[0] };

static char home[64];

static const char *at(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static void remove_all(void)
{
    for (int i = 0; i < N_FILES; i++)
        unlink(at(FILES[i]));
    for (int i = N_FOLDERS; i-- > 0;)
        rmdir(at(FOLDERS[i]));
}

static void make_home(void)
{
    if (home[0])
        return;
    snprintf(home, sizeof home, "/dev/shm/pith-fuzz-XXXXXX");
    if (!mkdtemp(home)) {
        snprintf(home, sizeof home, "/tmp/pith-fuzz-XXXXXX");
        FUZZ_CHECK(mkdtemp(home));
    }
    for (int i = 1; i < N_FOLDERS; i++)
        FUZZ_CHECK(mkdir(at(FOLDERS[i]), 0777) == 0);
    atexit(remove_all);
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(at(name), "wb");
    FUZZ_CHECK(f && (n == 0 || fwrite(bytes, 1, n, f) == n));
    FUZZ_CHECK(fclose(f) == 0);
}

static void look(const store_root *s, const char *name)
{
    store_model m = {0};
    pith_error err = {0};
    pith_status status = store_resolve(s, name, true, &m, &err);
    FUZZ_CHECK(status == err.status);
    if (status != PITH_OK)
        return;
    FUZZ_CHECK(m.path[0] == '/' && m.name[0] != '\0');
    FUZZ_CHECK(m.origin != STORE_OLLAMA || strstr(m.path, "/blobs/sha256-"));
    px_buf text = {0};
    FUZZ_CHECK(store_modelfile_print(&m, &text, NULL) == PITH_OK);
    px_buf_clear(&text);
    store_model_clear(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    store_root *s = NULL;
    make_home();
    put(FILES[0], data, size);
    put(FILES[1], data, size);
    put(BLOB, "x", 1); // a small blob that both may name
    const store_options o = {.home = home, .ollama = home};
    FUZZ_CHECK(store_open(&o, &s, NULL) == PITH_OK);
    look(s, "x");
    look(s, "y");
    store_close(s);
    return 0;
}

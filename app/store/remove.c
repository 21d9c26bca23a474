/*
 * remove: removing models, and freeing what no model uses.
 *
 * A removal and the writing of a record exclude each other by the store's lock, so that a blob is
 * never freed between the look that found it and the record that uses it.
 */
#include "base/mem.h"
#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- removing */

/* Takes out of `digests` (an object) what other records use, and forgets the tree if one does. */
static pith_status keep_used(const store_root *s, const char *but, json_t *digests, char **tree,
                             pith_error *err)
{
    store_names all = {0};
    pith_status status = store_names_ours(s, &all, err);
    for (size_t i = 0; status == PITH_OK && i < all.n; i++) {
        char *path = NULL, *digest = NULL;
        json_t *record = NULL;
        int64_t modified;
        store_name name;
        if (strcmp(all.items[i], but) == 0)
            continue;
        status = store_name_parse(all.items[i], &name, err);
        if (status == PITH_OK)
            status = store_name_path(s, &name, &path, err);
        /* A record that cannot be read might use any blob: then nothing is freed. */
        if (status == PITH_OK)
            status = store_record_load(path, &record, &digest, &modified, err);
        size_t k;
        json_t *f;
        json_array_foreach(json_object_get(record, "files"), k, f)
            json_object_del(digests, store_text(f, "digest"));
        if (*tree && strcmp(store_text(record, "tree"), *tree) == 0) {
            px_free(*tree);
            *tree = NULL;
        }
        json_decref(record);
        px_free(path);
        px_free(digest);
    }
    store_names_clear(&all);
    return status;
}

static void drop_tree(const store_root *s, const char *tree, const json_t *record)
{
    size_t i;
    json_t *f;
    char *folder = store_format("%s/trees/%s", s->home, tree);
    json_array_foreach(json_object_get(record, "files"), i, f)
    {
        char *path = store_format("%s/%s", folder ? folder : "", store_text(f, "name"));
        if (folder && path)
            unlink(path);
        px_free(path);
    }
    if (folder)
        rmdir(folder);
    px_free(folder);
}

static uint64_t drop_blobs(const store_root *s, json_t *digests)
{
    const char *digest;
    json_t *unused;
    uint64_t freed = 0;
    json_object_foreach(digests, digest, unused)
    {
        char *path = NULL;
        struct stat st;
        if (store_blob_path(s, digest, &path, NULL) == PITH_OK && stat(path, &st) == 0 &&
            unlink(path) == 0)
            freed += (uint64_t)st.st_size;
        px_free(path);
    }
    return freed;
}

/* Removes the folders of a name that are empty now. */
static void prune(const store_root *s, const store_name *name)
{
    char base[STORE_MAX_NAME];
    snprintf(base, sizeof base, "%s", name->base);
    for (;;) {
        char *folder = store_format("%s/models/%s", s->home, base);
        bool gone = folder && rmdir(folder) == 0;
        px_free(folder);
        char *slash = strrchr(base, '/');
        if (!gone || !slash)
            return;
        *slash = '\0';
    }
}

static pith_status remove_ours(const store_root *s, const store_name *name, uint64_t *freed,
                               pith_error *err)
{
    char *path = NULL, *digest = NULL, *tree = NULL;
    json_t *record = NULL, *digests = json_object();
    int64_t modified;
    size_t i;
    json_t *f;
    pith_error why = {0};
    pith_status status = digests ? PITH_OK : px_fail_memory(err, "a list of files");
    if (status == PITH_OK)
        status = store_name_path(s, name, &path, err);
    /* A damaged record is removed too; its blobs stay. */
    bool readable =
        status == PITH_OK && store_record_load(path, &record, &digest, &modified, &why) == PITH_OK;
    json_array_foreach(json_object_get(record, "files"), i, f)
    {
        if (*store_text(f, "digest"))
            json_object_set_new(digests, store_text(f, "digest"), json_true());
    }
    if (status == PITH_OK && *store_text(record, "tree"))
        status = store_set(&tree, err, "%s", store_text(record, "tree"));
    if (status == PITH_OK && readable && keep_used(s, name->text, digests, &tree, &why) != PITH_OK)
        json_object_clear(digests);
    if (status == PITH_OK && unlink(path) != 0)
        status = px_fail_errno(err, errno, "cannot remove '%s'", path);
    if (status == PITH_OK) {
        prune(s, name);
        if (tree && why.status == PITH_OK)
            drop_tree(s, tree, record);
        *freed = drop_blobs(s, digests);
    }
    json_decref(record);
    json_decref(digests);
    px_free(path);
    px_free(digest);
    px_free(tree);
    return status;
}

pith_status store_release(const store_root *s, const json_t *record, uint64_t *freed,
                          pith_error *err)
{
    json_t *digests = json_object();
    int lock = -1;
    size_t i;
    json_t *f;
    char *tree = NULL;
    uint64_t bytes = 0;
    pith_status status = digests ? store_lock(s, &lock, err) : px_fail_memory(err, "a list");
    json_array_foreach(json_object_get(record, "files"), i, f)
    {
        if (digests && *store_text(f, "digest"))
            json_object_set_new(digests, store_text(f, "digest"), json_true());
    }
    if (status == PITH_OK && *store_text(record, "tree"))
        status = store_set(&tree, err, "%s", store_text(record, "tree"));
    if (status == PITH_OK)
        status = keep_used(s, "", digests, &tree, err);
    if (status == PITH_OK && tree)
        drop_tree(s, tree, record);
    if (status == PITH_OK)
        bytes = drop_blobs(s, digests);
    store_unlock(lock);
    json_decref(digests);
    px_free(tree);
    if (freed)
        *freed = bytes;
    return status;
}

pith_status store_remove(const store_root *s, const char *word, uint64_t *freed, pith_error *err)
{
    px_error_clear(err);
    store_name name;
    store_names ours = {0}, theirs = {0};
    uint64_t bytes = 0;
    int lock = -1;
    pith_status status = store_name_parse(word, &name, err);
    if (status == PITH_OK)
        status = store_lock(s, &lock, err);
    if (status == PITH_OK)
        status = store_names_ours(s, &ours, err);
    if (status == PITH_OK)
        status = store_names_theirs(s, &theirs, err);
    if (status == PITH_OK) {
        if (store_names_form(&ours, &name))
            status = remove_ours(s, &name, &bytes, err);
        else if (store_names_form(&theirs, &name))
            status = px_fail(err, PITH_E_DENIED,
                             "'%s' is a model of Ollama's store, which pith does not change; "
                             "'ollama rm %s' removes it",
                             name.text, name.text);
        else
            status = px_fail(err, PITH_E_NOT_FOUND,
                             "there is no model '%s'; 'pith list' shows what is here", name.text);
    }
    store_unlock(lock);
    store_names_clear(&ours);
    store_names_clear(&theirs);
    if (freed)
        *freed = bytes;
    return status;
}

/* ---- sweeping */

typedef struct sweeping {
    const store_root *s;
    json_t *used; // digests
    uint64_t freed;
} sweeping;

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Whether nobody works on a partial file: then its lock is free. */
static bool is_idle(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool idle = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return idle;
}

static pith_status sweep_one(void *user, const char *name, pith_error *err)
{
    enum { DAY = 24 * 3600 };
    sweeping *w = user;
    struct stat st;
    char *path = store_format("%s/blobs/%s", w->s->home, name);
    char *digest = store_format("sha256:%s", strncmp(name, "sha256-", 7) == 0 ? name + 7 : "");
    if (!path || !digest) {
        px_free(path);
        px_free(digest);
        return px_fail_memory(err, "a list of files");
    }
    bool blob = store_digest_ok(digest);
    bool old = stat(path, &st) == 0 && time(NULL) - st.st_ctime > DAY;
    bool drop = blob                          ? old && !json_object_get(w->used, digest)
                : ends_with(name, ".partial") ? is_idle(path)
                                              : old && !ends_with(name, ".journal");
    if (drop && ends_with(name, ".partial")) {
        char *journal = store_format("%.*s.journal", (int)(strlen(path) - 8), path);
        if (journal)
            unlink(journal);
        px_free(journal);
    }
    /* A partial file has holes: what it takes is what is freed. */
    if (drop && unlink(path) == 0)
        w->freed += (uint64_t)st.st_blocks * 512;
    px_free(path);
    px_free(digest);
    return PITH_OK;
}

/* The digests of all records, as an object. */
static pith_status all_used(const store_root *s, json_t *out, pith_error *err)
{
    store_names all = {0};
    pith_status status = store_names_ours(s, &all, err);
    for (size_t i = 0; status == PITH_OK && i < all.n; i++) {
        char *path = NULL, *digest = NULL;
        json_t *record = NULL;
        int64_t modified;
        store_name name;
        status = store_name_parse(all.items[i], &name, err);
        if (status == PITH_OK)
            status = store_name_path(s, &name, &path, err);
        if (status == PITH_OK)
            status = store_record_load(path, &record, &digest, &modified, err);
        size_t k;
        json_t *f;
        json_array_foreach(json_object_get(record, "files"), k, f)
        {
            if (*store_text(f, "digest"))
                json_object_set_new(out, store_text(f, "digest"), json_true());
        }
        json_decref(record);
        px_free(path);
        px_free(digest);
    }
    store_names_clear(&all);
    return status;
}

pith_status store_sweep(const store_root *s, uint64_t *freed, pith_error *err)
{
    px_error_clear(err);
    int lock = -1;
    char *folder = NULL;
    sweeping w = {.s = s, .used = json_object()};
    pith_status status = w.used ? store_lock(s, &lock, err) : px_fail_memory(err, "a list");
    if (status == PITH_OK)
        status = all_used(s, w.used, err); // a record that cannot be read ends it
    if (status == PITH_OK)
        status = store_set(&folder, err, "%s/blobs", s->home);
    if (status == PITH_OK)
        status = store_walk(folder, 1, sweep_one, &w, err);
    store_unlock(lock);
    json_decref(w.used);
    px_free(folder);
    if (freed)
        *freed = w.freed;
    return status;
}

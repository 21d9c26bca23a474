/*
 * models: finding, listing, removing and copying models by name.
 *
 * A removal and the writing of a record exclude each other by the store's lock, so that a blob is
 * never freed between the look that found it and the record that uses it.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names that there are */

typedef struct names {
    char **items;
    size_t n, cap;
} names;

static pith_status add_name(names *list, const char *text, size_t len, pith_error *err)
{
    if (list->n == STORE_MAX_MODELS)
        return px_fail(err, PITH_E_LIMIT, "the store has more than %d models", STORE_MAX_MODELS);
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        char **items = px_realloc(list->items, cap, sizeof *items);
        if (!items)
            return px_fail_memory(err, "a list of models");
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n] = px_strndup(text, len);
    if (!list->items[list->n])
        return px_fail_memory(err, "a list of models");
    list->n++;
    return PITH_OK;
}

static void clear_names(names *list)
{
    for (size_t i = 0; i < list->n; i++)
        px_free(list->items[i]);
    px_free(list->items);
    *list = (names){0};
}

/* "a/b/tag.json" is the model "a/b:tag". */
static pith_status on_record(void *user, const char *relative, pith_error *err)
{
    size_t n = strlen(relative);
    const char *slash = strrchr(relative, '/');
    if (!slash || n < 6 || strcmp(relative + n - 5, ".json") != 0)
        return PITH_OK;
    char *name = store_format("%.*s:%.*s", (int)(slash - relative), relative,
                              (int)(relative + n - 5 - slash - 1), slash + 1);
    pith_status status =
        name ? add_name(user, name, strlen(name), err) : px_fail_memory(err, "a list of models");
    px_free(name);
    return status;
}

static pith_status on_shown(void *user, const char *name, pith_error *err)
{
    return add_name(user, name, strlen(name), err);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static pith_status our_names(const store_root *s, names *out, pith_error *err)
{
    char *folder = NULL;
    pith_status status = store_set(&folder, err, "%s/models", s->home);
    if (status == PITH_OK)
        status = store_walk(folder, 6, on_record, out, err);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_text);
    px_free(folder);
    return status;
}

static pith_status ollama_names(const store_root *s, names *out, pith_error *err)
{
    pith_status status = store_ollama_list(s, on_shown, out, err);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_text);
    return status;
}

/* ---- one model */

static pith_status load_ours(const store_root *s, const store_name *name, store_model *out,
                             pith_error *err)
{
    char *path = NULL, *digest = NULL;
    json_t *record = NULL;
    int64_t modified = 0;
    pith_status status = store_name_path(s, name, &path, err);
    if (status == PITH_OK)
        status = store_record_load(path, &record, &digest, &modified, err);
    if (status == PITH_OK)
        status = store_record_model(s, name->text, record, out, err);
    if (status == PITH_OK) {
        px_free(out->digest);
        out->digest = digest;
        digest = NULL;
        out->modified = modified;
    }
    json_decref(record);
    px_free(path);
    px_free(digest);
    return status;
}

/* Brings a name to the form in which it is there: another case of letters, or the only tag. False
 * when it is not there. */
static bool find_form(const names *list, store_name *name)
{
    size_t n = strlen(name->base), only = 0, found = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (strcasecmp(list->items[i], name->text) == 0)
            return store_name_parse(list->items[i], name, NULL) == PITH_OK;
        if (strncasecmp(list->items[i], name->base, n) == 0 && list->items[i][n] == ':') {
            found++;
            only = i;
        }
    }
    return !name->tagged && found == 1 &&
           store_name_parse(list->items[only], name, NULL) == PITH_OK;
}

typedef struct near_name {
    const char *name;
    int distance;
} near_name;

/* Keeps the three nearest; a name that holds the word, or the other way round, is near. */
static void consider(near_name best[3], const char *name, const store_name *word)
{
    int limit = (int)strlen(word->base) / 3 + 2;
    const char *colon = strrchr(name, ':');
    char base[STORE_MAX_NAME];
    snprintf(base, sizeof base, "%.*s", (int)(colon ? colon - name : (ptrdiff_t)strlen(name)),
             name);
    int d = store_distance(base, word->base);
    if (strlen(base) > 2 && strlen(word->base) > 2 &&
        (strcasestr(base, word->base) || strcasestr(word->base, base)))
        d = 0;
    if (d > limit)
        return;
    for (int i = 0; i < 3; i++) {
        if (best[i].name && best[i].distance <= d)
            continue;
        memmove(best + i + 1, best + i, (size_t)(2 - i) * sizeof *best);
        best[i] = (near_name){.name = name, .distance = d};
        return;
    }
}

static pith_status not_found(const char *word, const store_name *name, const names *ours,
                             const names *theirs, pith_error *err)
{
    near_name best[3] = {{0}};
    for (size_t i = 0; i < ours->n; i++)
        consider(best, ours->items[i], name);
    for (size_t i = 0; i < theirs->n; i++)
        consider(best, theirs->items[i], name);
    px_buf near = {0};
    for (int i = 0; i < 3 && best[i].name; i++)
        px_buf_printf(&near, "%s'%s'", i ? ", " : "; near it: ", best[i].name);
    pith_status status =
        px_fail(err, PITH_E_NOT_FOUND,
                "there is no file and no model '%s'%s; 'pith pull %s' would fetch it, 'pith list' "
                "shows what is here",
                word, near.data ? near.data : "", word);
    px_buf_clear(&near);
    return status;
}

static pith_status by_name(const store_root *s, const char *word, store_model *out, pith_error *err)
{
    store_name name;
    names ours = {0}, theirs = {0};
    pith_status status = store_name_parse(word, &name, err);
    if (status == PITH_OK)
        status = our_names(s, &ours, err);
    if (status == PITH_OK)
        status = ollama_names(s, &theirs, err);
    if (status == PITH_OK) {
        if (find_form(&ours, &name))
            status = load_ours(s, &name, out, err);
        else if (find_form(&theirs, &name))
            status = store_ollama_find(s, &name, out, err);
        else
            status = not_found(word, &name, &ours, &theirs, err);
    }
    clear_names(&ours);
    clear_names(&theirs);
    return status;
}

static bool looks_like_path(const char *word)
{
    size_t n = strlen(word);
    return word[0] == '/' || word[0] == '.' || word[0] == '~' ||
           (n > 5 && strcasecmp(word + n - 5, ".gguf") == 0);
}

static pith_status by_path(const char *word, store_model *out, pith_error *err)
{
    struct stat st;
    pith_status status = store_model_init(out, err);
    if (status != PITH_OK)
        return status;
    out->origin = STORE_PATH;
    if (stat(word, &st) == 0) {
        out->bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        out->modified = st.st_mtime;
    }
    status = store_set(&out->name, err, "%s", word);
    if (status == PITH_OK)
        status = store_set(&out->path, err, "%s", word);
    if (status != PITH_OK)
        store_model_clear(out);
    return status;
}

pith_status store_resolve(const store_root *s, const char *word, bool only_names, store_model *out,
                          pith_error *err)
{
    px_error_clear(err);
    *out = (store_model){0};
    if (!only_names && px_file_kind_of(word) != PX_FILE_NONE)
        return by_path(word, out, err);
    if (!only_names && looks_like_path(word) && strncasecmp(word, "hf.co/", 6) != 0)
        return px_fail(err, PITH_E_NOT_FOUND, "there is no file or folder '%s'", word);
    return by_name(s, word, out, err);
}

/* ---- lists */

typedef struct listing {
    store_model *items;
    size_t n, cap;
} listing;

static pith_status add_model(const store_root *s, listing *l, const char *text, bool ours,
                             px_buf *warnings, pith_error *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 32;
        store_model *items = px_realloc(l->items, cap, sizeof *items);
        if (!items)
            return px_fail_memory(err, "a list of models");
        l->items = items;
        l->cap = cap;
    }
    store_name name;
    pith_error why = {0};
    pith_status status = store_name_parse(text, &name, &why);
    if (status == PITH_OK)
        status = ours ? load_ours(s, &name, &l->items[l->n], &why)
                      : store_ollama_find(s, &name, &l->items[l->n], &why);
    if (status == PITH_E_MEMORY)
        return px_fail_memory(err, "a list of models");
    if (status == PITH_OK)
        l->n++;
    else if (warnings)
        px_buf_printf(warnings, "%s\n", why.text);
    return PITH_OK;
}

pith_status store_list(const store_root *s, store_model **out, size_t *n, px_buf *warnings,
                       pith_error *err)
{
    px_error_clear(err);
    names ours = {0}, theirs = {0};
    listing l = {0};
    pith_status status = our_names(s, &ours, err);
    if (status == PITH_OK)
        status = ollama_names(s, &theirs, err);
    for (size_t i = 0; status == PITH_OK && i < ours.n; i++)
        status = add_model(s, &l, ours.items[i], true, warnings, err);
    for (size_t i = 0; status == PITH_OK && i < theirs.n; i++) {
        bool hidden = bsearch(&theirs.items[i], ours.items ? ours.items : theirs.items, ours.n,
                              sizeof *ours.items, by_text) != NULL;
        if (!hidden)
            status = add_model(s, &l, theirs.items[i], false, warnings, err);
    }
    clear_names(&ours);
    clear_names(&theirs);
    if (status != PITH_OK) {
        store_list_free(l.items, l.n);
        l = (listing){0};
    }
    *out = l.items;
    *n = l.n;
    return status;
}

void store_list_free(store_model *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        store_model_clear(&list[i]);
    px_free(list);
}

/* ---- removing */

/* Takes out of `digests` (an object) what other records use, and forgets the tree if one does. */
static pith_status keep_used(const store_root *s, const char *but, json_t *digests, char **tree,
                             pith_error *err)
{
    names all = {0};
    pith_status status = our_names(s, &all, err);
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
    clear_names(&all);
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
    names ours = {0}, theirs = {0};
    uint64_t bytes = 0;
    int lock = -1;
    pith_status status = store_name_parse(word, &name, err);
    if (status == PITH_OK)
        status = store_lock(s, &lock, err);
    if (status == PITH_OK)
        status = our_names(s, &ours, err);
    if (status == PITH_OK)
        status = ollama_names(s, &theirs, err);
    if (status == PITH_OK) {
        if (find_form(&ours, &name))
            status = remove_ours(s, &name, &bytes, err);
        else if (find_form(&theirs, &name))
            status = px_fail(err, PITH_E_DENIED,
                             "'%s' is a model of Ollama's store, which pith does not change; "
                             "'ollama rm %s' removes it",
                             name.text, name.text);
        else
            status = px_fail(err, PITH_E_NOT_FOUND,
                             "there is no model '%s'; 'pith list' shows what is here", name.text);
    }
    store_unlock(lock);
    clear_names(&ours);
    clear_names(&theirs);
    if (freed)
        *freed = bytes;
    return status;
}

/* ---- copying */

/* A record that refers to a model of Ollama's store where it lies. */
static pith_status record_of_theirs(const store_model *m, json_t **out, pith_error *err)
{
    size_t i;
    json_t *f;
    *out = store_record_new(m->source);
    pith_status status = *out ? PITH_OK : px_fail_memory(err, "a record");
    json_array_foreach(m->files, i, f)
    {
        if (status == PITH_OK)
            status = store_record_add(
                *out, store_text(f, "name"), store_text(f, "role"), NULL, store_text(f, "path"),
                (uint64_t)json_integer_value(json_object_get(f, "bytes")), err);
    }
    if (status == PITH_OK &&
        (json_object_set_new(*out, "system", json_string(m->system)) != 0 ||
         json_object_set_new(*out, "license", json_string(m->license)) != 0 ||
         json_object_set_new(*out, "template_go", json_string(m->template_go)) != 0 ||
         json_object_set(*out, "parameters", m->parameters) != 0 ||
         json_object_set(*out, "messages", m->messages) != 0))
        status = px_fail_memory(err, "a record");
    return status;
}

pith_status store_copy(const store_root *s, const char *from, const char *to, pith_error *err)
{
    px_error_clear(err);
    store_name target, source;
    store_model m = {0};
    char *path = NULL, *digest = NULL;
    json_t *record = NULL;
    int64_t modified;
    pith_status status = store_name_parse(to, &target, err);
    if (status == PITH_OK)
        status = by_name(s, from, &m, err);
    if (status == PITH_OK && m.origin == STORE_OLLAMA) {
        status = record_of_theirs(&m, &record, err);
    } else if (status == PITH_OK) {
        status = store_name_parse(m.name, &source, err);
        if (status == PITH_OK)
            status = store_name_path(s, &source, &path, err);
        if (status == PITH_OK)
            status = store_record_load(path, &record, &digest, &modified, err);
    }
    if (status == PITH_OK)
        status = store_record_save(s, &target, record, NULL, err);
    json_decref(record);
    px_free(path);
    px_free(digest);
    store_model_clear(&m);
    return status;
}

/*
 * models: finding, listing and copying models by name.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
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

static pith_status not_found(const char *word, const store_name *name, const store_names *ours,
                             const store_names *theirs, pith_error *err)
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
    store_names ours = {0}, theirs = {0};
    pith_status status = store_name_parse(word, &name, err);
    if (status == PITH_OK)
        status = store_names_ours(s, &ours, err);
    if (status == PITH_OK)
        status = store_names_theirs(s, &theirs, err);
    if (status == PITH_OK) {
        if (store_names_form(&ours, &name))
            status = load_ours(s, &name, out, err);
        else if (store_names_form(&theirs, &name))
            status = store_ollama_find(s, &name, out, err);
        else if (store_is_built_in(word))
            status = store_built_in_get(out, err);
        else
            status = not_found(word, &name, &ours, &theirs, err);
    }
    store_names_clear(&ours);
    store_names_clear(&theirs);
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
    if (!s && store_is_built_in(word))
        return store_built_in_get(out, err);
    if (!only_names && looks_like_path(word) && strncasecmp(word, "hf.co/", 6) != 0)
        return px_fail(err, PITH_E_NOT_FOUND, "there is no file or folder '%s'", word);
    if (!s)
        return px_fail(err, PITH_E_NOT_FOUND,
                       "there is no file or folder '%s', and no folder for models is known; set "
                       "PITH_HOME",
                       word);
    return by_name(s, word, out, err);
}

/* ---- lists */

typedef struct listing {
    store_model *items;
    size_t n, cap;
} listing;

static pith_status make_room(listing *l, pith_error *err)
{
    if (l->n < l->cap)
        return PITH_OK;
    size_t cap = l->cap ? 2 * l->cap : 32;
    store_model *items = px_realloc(l->items, cap, sizeof *items);
    if (!items)
        return px_fail_memory(err, "a list of models");
    l->items = items;
    l->cap = cap;
    return PITH_OK;
}

static pith_status add_model(const store_root *s, listing *l, const char *text, bool ours,
                             px_buf *warnings, pith_error *err)
{
    if (make_room(l, err) != PITH_OK)
        return PITH_E_MEMORY;
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
    store_names ours = {0}, theirs = {0};
    listing l = {0};
    pith_status status = store_names_ours(s, &ours, err);
    if (status == PITH_OK)
        status = store_names_theirs(s, &theirs, err);
    for (size_t i = 0; status == PITH_OK && i < ours.n; i++)
        status = add_model(s, &l, ours.items[i], true, warnings, err);
    for (size_t i = 0; status == PITH_OK && i < theirs.n; i++) {
        bool hidden = bsearch(&theirs.items[i], ours.items ? ours.items : theirs.items, ours.n,
                              sizeof *ours.items, by_text) != NULL;
        if (!hidden)
            status = add_model(s, &l, theirs.items[i], false, warnings, err);
    }
    store_names_clear(&ours);
    store_names_clear(&theirs);
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
    if (status == PITH_OK && m.origin == STORE_BUILT_IN) {
        status = px_fail(err, PITH_E_UNSUPPORTED, "'%s' is built into the program and has one name",
                         from);
    } else if (status == PITH_OK && m.origin == STORE_OLLAMA) {
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

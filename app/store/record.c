/*
 * record: models/NAME/TAG.json, what the store knows of a model.
 *
 *   {"pith": 1, "from": "hf.co/ORG/REPO@COMMIT", "created": SECONDS,
 *    "files": [{"name": "x.gguf", "role": "model", "digest": "sha256:HEX" or "path": "/...",
 *               "bytes": N}, ...],          roles: model, adapter, template, other
 *    "tree": "HEX",                         where the model is of several files: trees/HEX
 *    "system", "license", "template_go", "requires": text,
 *    "parameters": {...}, "messages": [...],
 *    "details": {...}}                      details.c
 *
 * One file of role model is the model itself, or a folder outside; of several, all are linked into
 * the tree, and the model is the first file of a split GGUF or the tree as a folder.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

json_t *store_record_new(const char *from)
{
    return json_pack("{s:i, s:s, s:I, s:[]}", "pith", 1, "from", from, "created",
                     (json_int_t)time(NULL), "files");
}

pith_status store_record_add(json_t *record, const char *name, const char *role, const char *digest,
                             const char *path, uint64_t bytes, pith_error *err)
{
    json_t *f =
        json_pack("{s:s, s:s, s:s, s:I}", "name", name, "role", role, digest ? "digest" : "path",
                  digest ? digest : path, "bytes", (json_int_t)bytes);
    if (!f || json_array_append_new(json_object_get(record, "files"), f) != 0)
        return px_fail_memory(err, "a record");
    return PITH_OK;
}

/* ---- reading */

static pith_status check_file(const char *path, const json_t *f, pith_error *err)
{
    const char *name = store_text(f, "name"), *digest = store_text(f, "digest");
    const char *outside = store_text(f, "path");
    if (!store_file_name_ok(name))
        return px_fail(err, PITH_E_FORMAT, "'%s' names the file '%s', expected a plain name", path,
                       name);
    if (*digest ? !store_digest_ok(digest) : outside[0] != '/')
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' has neither a digest nor an absolute path for the file '%s'", path,
                       name);
    return PITH_OK;
}

static pith_status check(const char *path, const json_t *record, pith_error *err)
{
    const json_t *files = json_object_get(record, "files");
    if (json_integer_value(json_object_get(record, "pith")) != 1 || !json_is_array(files))
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' is no record of a model; expected an object with \"pith\": 1 and "
                       "files",
                       path);
    if (json_array_size(files) > STORE_MAX_FILES)
        return px_fail(err, PITH_E_LIMIT, "'%s' lists %zu files, expected at most %d", path,
                       json_array_size(files), STORE_MAX_FILES);
    const char *tree = store_text(record, "tree");
    if (*tree && (strlen(tree) != STORE_HEX || strspn(tree, "0123456789abcdef") != STORE_HEX))
        return px_fail(err, PITH_E_FORMAT, "'%s' has the tree '%s', expected 64 digits", path,
                       tree);
    size_t i;
    json_t *f;
    json_array_foreach(files, i, f)
    {
        pith_status status = check_file(path, f, err);
        if (status != PITH_OK)
            return status;
    }
    return PITH_OK;
}

pith_status store_record_load(const char *path, json_t **out, char **digest, int64_t *modified,
                              pith_error *err)
{
    px_buf text = {0};
    struct stat st = {0};
    json_error_t je;
    *out = NULL;
    pith_status status = px_file_read(path, STORE_MAX_RECORD, &text, err);
    if (status == PITH_OK) {
        (void)stat(path, &st);
        *modified = st.st_mtime;
        *out = json_loadb(text.data, text.len, 0, &je);
        if (!*out)
            status = px_fail(err, PITH_E_FORMAT, "'%s': line %d: %s", path, je.line, je.text);
    }
    char hex[STORE_HEX + 1];
    if (status == PITH_OK)
        status = check(path, *out, err);
    if (status == PITH_OK)
        status = store_sha256(text.data, text.len, hex, err);
    if (status == PITH_OK)
        status = store_set(digest, err, "%s", hex);
    if (status != PITH_OK) {
        json_decref(*out);
        *out = NULL;
    }
    px_buf_clear(&text);
    return status;
}

pith_status store_model_init(store_model *m, pith_error *err)
{
    *m = (store_model){0};
    char **const texts[] = {&m->name,     &m->path,    &m->template_file,  &m->template_go,
                            &m->system,   &m->license, &m->source,         &m->digest,
                            &m->requires, &m->family,  &m->parameter_size, &m->quantization,
                            &m->format};
    pith_status status = PITH_OK;
    for (size_t i = 0; status == PITH_OK && i < sizeof texts / sizeof texts[0]; i++)
        status = store_set(texts[i], err, "%s", "");
    m->parameters = json_object();
    m->messages = json_array();
    m->adapters = json_array();
    m->files = json_array();
    if (status == PITH_OK && (!m->parameters || !m->messages || !m->adapters || !m->files))
        status = px_fail_memory(err, "a model's description");
    if (status != PITH_OK)
        store_model_clear(m);
    return status;
}

void store_model_clear(store_model *m)
{
    char *const texts[] = {m->name,    m->path,         m->template_file, m->template_go, m->system,
                           m->license, m->source,       m->digest,        m->requires,    m->family,
                           m->format,  m->quantization, m->parameter_size};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        px_free(texts[i]);
    json_decref(m->parameters);
    json_decref(m->messages);
    json_decref(m->adapters);
    json_decref(m->files);
    *m = (store_model){0};
}

/* The path of one of a record's files, which must be there with its size. */
static pith_status file_path(const store_root *s, const char *model, const json_t *f, char **path,
                             pith_error *err)
{
    const char *digest = store_text(f, "digest");
    pith_status status = *digest ? store_blob_path(s, digest, path, err)
                                 : store_set(path, err, "%s", store_text(f, "path"));
    struct stat st;
    if (status != PITH_OK)
        return status;
    if (stat(*path, &st) != 0)
        return px_fail(err, PITH_E_MISMATCH,
                       "the model '%s' needs '%s', which is gone; pull or import it again", model,
                       *path);
    json_int_t bytes = json_integer_value(json_object_get(f, "bytes"));
    if (S_ISREG(st.st_mode) && *digest && st.st_size != bytes)
        return px_fail(err, PITH_E_MISMATCH,
                       "'%s' of the model '%s' has %lld bytes, expected %lld; remove and pull it "
                       "again",
                       *path, model, (long long)st.st_size, (long long)bytes);
    return PITH_OK;
}

/* Adds a file to the model's list, and what its role means. */
static pith_status take_file(const store_root *s, const json_t *f, store_model *m, int *n_models,
                             pith_error *err)
{
    char *path = NULL;
    const char *role = store_text(f, "role");
    pith_status status = file_path(s, m->name, f, &path, err);
    if (status == PITH_OK && strcmp(role, "model") == 0 && (*n_models)++ == 0)
        status = store_set(&m->path, err, "%s", path);
    if (status == PITH_OK && strcmp(role, "template") == 0)
        status = store_set(&m->template_file, err, "%s", path);
    if (status == PITH_OK && strcmp(role, "adapter") == 0 &&
        json_array_append_new(m->adapters, json_string(path)) != 0)
        status = px_fail_memory(err, "a list of adapters");
    json_t *copy = status == PITH_OK ? json_deep_copy(f) : NULL;
    if (status == PITH_OK && (!copy || json_object_set_new(copy, "path", json_string(path)) != 0 ||
                              json_array_append(m->files, copy) != 0))
        status = px_fail_memory(err, "a list of files");
    json_decref(copy);
    px_free(path);
    json_int_t bytes = json_integer_value(json_object_get(f, "bytes"));
    m->bytes += bytes > 0 ? (uint64_t)bytes : 0;
    return status;
}

/* The path of a model of several files: in the tree. */
static pith_status tree_path(const store_root *s, const json_t *record, char **out, pith_error *err)
{
    const char *first = "";
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(record, "files"), i, f)
    {
        const char *name = store_text(f, "name");
        if (strstr(name, "-00001-of-") && strcmp(store_text(f, "role"), "model") == 0)
            first = name;
    }
    return store_set(out, err, "%s/trees/%s%s%s", s->home, store_text(record, "tree"),
                     *first ? "/" : "", first);
}

static pith_status take_texts(const json_t *record, store_model *m, pith_error *err)
{
    const struct {
        char **to;
        const char *key;
    } texts[] = {{&m->system, "system"},
                 {&m->license, "license"},
                 {&m->source, "from"},
                 {&m->template_go, "template_go"},
                 {&m->requires, "requires"}};
    pith_status status = PITH_OK;
    for (size_t i = 0; status == PITH_OK && i < sizeof texts / sizeof texts[0]; i++)
        status = store_set(texts[i].to, err, "%s", store_text(record, texts[i].key));
    const json_t *parameters = json_object_get(record, "parameters");
    const json_t *messages = json_object_get(record, "messages");
    if (status == PITH_OK && json_is_object(parameters) &&
        json_object_update(m->parameters, (json_t *)(uintptr_t)parameters) != 0)
        status = px_fail_memory(err, "a model's parameters");
    if (status == PITH_OK && json_is_array(messages) &&
        json_array_extend(m->messages, (json_t *)(uintptr_t)messages) != 0)
        status = px_fail_memory(err, "a model's messages");
    return status;
}

pith_status store_record_model(const store_root *s, const char *name, const json_t *record,
                               store_model *out, pith_error *err)
{
    pith_status status = store_model_init(out, err);
    if (status != PITH_OK)
        return status;
    out->origin = STORE_OURS;
    status = store_set(&out->name, err, "%s", name);
    int n_models = 0;
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(record, "files"), i, f)
    {
        if (status == PITH_OK)
            status = take_file(s, f, out, &n_models, err);
    }
    if (status == PITH_OK && n_models == 0)
        status = px_fail(err, PITH_E_FORMAT, "the model '%s' has no file of its weights", name);
    if (status == PITH_OK && *store_text(record, "tree"))
        status = tree_path(s, record, &out->path, err);
    if (status == PITH_OK)
        status = take_texts(record, out, err);
    if (status == PITH_OK)
        status = store_details_read(json_object_get(record, "details"), out, err);
    if (status != PITH_OK)
        store_model_clear(out);
    return status;
}

/* ---- writing */

/* Links the files into trees/HEX, where HEX is of their names and digests. One file alone needs no
 * tree, unless `always`. */
static pith_status make_tree(const store_root *s, json_t *record, bool always, char **out,
                             pith_error *err)
{
    const json_t *files = json_object_get(record, "files");
    px_buf list = {0};
    char hex[STORE_HEX + 1];
    char *folder = NULL, *link_name = NULL, *target = NULL;
    int n = 0;
    size_t i;
    json_t *f;
    json_array_foreach(files, i, f)
    {
        if (strcmp(store_text(f, "role"), "model") != 0)
            continue;
        n++;
        px_buf_printf(&list, "%s\n%s%s\n", store_text(f, "name"), store_text(f, "digest"),
                      store_text(f, "path"));
    }
    pith_status status = px_buf_status(&list, "a list of files", err);
    bool wanted = always || n > 1;
    if (status == PITH_OK && wanted) {
        status = store_sha256(list.data, list.len, hex, err);
        if (status == PITH_OK)
            status = store_set(&folder, err, "%s/trees/%s", s->home, hex);
        if (status == PITH_OK)
            status = store_make_folder(folder, err);
        if (status == PITH_OK && out)
            status = store_set(out, err, "%s", folder);
        if (status == PITH_OK && json_object_set_new(record, "tree", json_string(hex)) != 0)
            status = px_fail_memory(err, "a record");
    }
    json_array_foreach(files, i, f)
    {
        if (status != PITH_OK || !wanted || strcmp(store_text(f, "role"), "model") != 0)
            continue;
        const char *digest = store_text(f, "digest");
        status = store_set(&link_name, err, "%s/%s", folder, store_text(f, "name"));
        if (status == PITH_OK)
            status = *digest ? store_set(&target, err, "../../blobs/sha256-%s", digest + 7)
                             : store_set(&target, err, "%s", store_text(f, "path"));
        if (status == PITH_OK && symlink(target, link_name) != 0 && errno != EEXIST)
            status = px_fail_errno(err, errno, "cannot link '%s'", link_name);
    }
    px_free(folder);
    px_free(link_name);
    px_free(target);
    px_buf_clear(&list);
    return status;
}

pith_status store_tree(const store_root *s, json_t *record, char **folder, pith_error *err)
{
    return make_tree(s, record, true, folder, err);
}

static pith_status write_record(const store_root *s, const store_name *name, const json_t *record,
                                pith_error *err)
{
    char *path = NULL, *folder = NULL;
    char *text = json_dumps(record, JSON_INDENT(1));
    pith_status status = text ? PITH_OK : px_fail_memory(err, "a record");
    if (status == PITH_OK)
        status = store_name_path(s, name, &path, err);
    if (status == PITH_OK)
        status = store_set(&folder, err, "%s/models/%s", s->home, name->base);
    if (status == PITH_OK)
        status = store_make_folder(folder, err);
    if (status == PITH_OK)
        status = px_file_replace(path, text, strlen(text), err);
    free(text);
    px_free(path);
    px_free(folder);
    return status;
}

/* The adapters must be of the model, or nobody could use it. */
static pith_status check_adapters(const store_model *m, pith_error *err)
{
    pith_model *model = NULL;
    size_t i;
    json_t *path;
    if (json_array_size(m->adapters) == 0)
        return PITH_OK;
    pith_status status = pith_model_open(m->path, NULL, &model, err);
    json_array_foreach(m->adapters, i, path)
    {
        pith_adapter *adapter = NULL;
        if (status == PITH_OK)
            status = pith_adapter_open(model, json_string_value(path), &adapter, err);
        pith_adapter_close(adapter);
    }
    pith_model_close(model);
    return status;
}

pith_status store_record_save(const store_root *s, const store_name *name, json_t *record,
                              const store_job *job, pith_error *err)
{
    int lock = -1;
    store_model m = {0};
    json_t *details = NULL;
    pith_status status =
        store_tell(job, &(store_progress){.step = STORE_STEP_WRITE, .file = name->text}, err);
    if (status == PITH_OK)
        status = store_lock(s, &lock, err);
    if (status == PITH_OK)
        status = make_tree(s, record, false, NULL, err);
    if (status == PITH_OK)
        status = store_record_model(s, name->text, record, &m, err);
    if (status == PITH_OK) {
        pith_error why = {0};
        status = store_details(m.path, &details, &why);
        /* A family that this version does not know may be known to the next. */
        if (status == PITH_E_UNSUPPORTED) {
            details = json_object();
            status =
                details ? store_note(job, err, "%s", why.text) : px_fail_memory(err, "a record");
        } else if (status != PITH_OK) {
            px_fail(err, why.status, "%s", why.text);
        } else {
            status = check_adapters(&m, err);
        }
    }
    if (status == PITH_OK && json_object_set(record, "details", details) != 0)
        status = px_fail_memory(err, "a record");
    if (status == PITH_OK && !*store_text(record, "license") && *store_text(details, "license") &&
        json_object_set(record, "license", json_object_get(details, "license")) != 0)
        status = px_fail_memory(err, "a record");
    if (status == PITH_OK)
        status = write_record(s, name, record, err);
    store_unlock(lock);
    json_decref(details);
    store_model_clear(&m);
    if (status == PITH_OK)
        status =
            store_tell(job, &(store_progress){.step = STORE_STEP_DONE, .text = name->text}, err);
    return status;
}

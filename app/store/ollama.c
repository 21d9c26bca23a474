/*
 * ollama: models of an Ollama store on this machine, used where they lie and never written to.
 *
 *   manifests/HOST/NAMESPACE/MODEL/TAG   {"config": {"digest"}, "layers": [{"mediaType":
 *                                        "application/vnd.ollama.image.KIND", "digest", "size"}]}
 *   blobs/sha256-HEX
 *
 * Kinds: model (GGUF), adapter, projector, template (Go), system, license, params (JSON), messages
 * (JSON). Ollama checked the digests when it fetched them; here sizes are checked.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

pith_status store_manifest_walk(const char *name, const json_t *manifest, store_layer_fn fn,
                                void *user, pith_error *err)
{
    static const char KIND[] = "application/vnd.ollama.image.";
    const json_t *layers = json_object_get(manifest, "layers");
    if (!json_is_array(layers))
        return px_fail(err, PITH_E_FORMAT, "the manifest of '%s' has no list of layers", name);
    if (json_array_size(layers) > STORE_MAX_FILES)
        return px_fail(err, PITH_E_LIMIT,
                       "the manifest of '%s' has %zu layers, expected at most %d", name,
                       json_array_size(layers), STORE_MAX_FILES);
    size_t i;
    json_t *l;
    json_array_foreach(layers, i, l)
    {
        const char *media = store_text(l, "mediaType"), *digest = store_text(l, "digest");
        const json_t *size = json_object_get(l, "size");
        json_int_t bytes = json_integer_value(size);
        if (strncmp(media, KIND, sizeof KIND - 1) != 0)
            continue;
        if (!store_digest_ok(digest) || !json_is_integer(size) || bytes < 0)
            return px_fail(err, PITH_E_FORMAT,
                           "the manifest of '%s' has layer %zu without a SHA-256 digest and a size",
                           name, i);
        const store_layer layer = {
            .kind = media + sizeof KIND - 1, .digest = digest, .bytes = (uint64_t)bytes};
        pith_status status = fn(user, &layer, err);
        if (status != PITH_OK)
            return status;
    }
    return PITH_OK;
}

/* ---- one model */

typedef struct reading {
    const store_root *s;
    store_model *m;
    px_buf license;
} reading;

static pith_status blob_of(const store_root *s, const char *digest, char **path, pith_error *err)
{
    return store_set(path, err, "%s/blobs/sha256-%s", s->ollama, digest + 7);
}

/* A small blob as text, or (when its bytes are JSON) as a value. */
static pith_status small(const store_root *s, const char *digest, px_buf *text, json_t **json,
                         pith_error *err)
{
    char *path = NULL;
    json_error_t je;
    pith_status status = blob_of(s, digest, &path, err);
    if (status == PITH_OK)
        status = px_file_read(path, STORE_MAX_RECORD, text, err);
    if (status == PITH_OK && json) {
        *json = json_loadb(text->data, text->len, 0, &je);
        if (!*json)
            status = px_fail(err, PITH_E_FORMAT, "'%s': line %d: %s", path, je.line, je.text);
    }
    px_free(path);
    return status;
}

static pith_status take_big(reading *r, const store_layer *l, const char *role, pith_error *err)
{
    char *path = NULL;
    struct stat st;
    pith_status status = blob_of(r->s, l->digest, &path, err);
    if (status == PITH_OK && stat(path, &st) != 0)
        status = px_fail(err, PITH_E_MISMATCH,
                         "'%s' of Ollama's model '%s' is gone; 'ollama pull' fetches it again",
                         path, r->m->name);
    else if (status == PITH_OK && (uint64_t)st.st_size != l->bytes)
        status = px_fail(err, PITH_E_MISMATCH,
                         "'%s' of Ollama's model '%s' has %lld bytes, expected %llu; is a pull "
                         "still running?",
                         path, r->m->name, (long long)st.st_size, (unsigned long long)l->bytes);
    if (status == PITH_OK && strcmp(role, "model") == 0 && !*r->m->path)
        status = store_set(&r->m->path, err, "%s", path);
    if (status == PITH_OK && strcmp(role, "adapter") == 0 &&
        json_array_append_new(r->m->adapters, json_string(path)) != 0)
        status = px_fail_memory(err, "a list of adapters");
    if (status == PITH_OK) {
        json_t *f = json_pack("{s:s+, s:s, s:s, s:I, s:s}", "name", role, "", "role", role,
                              "digest", l->digest, "bytes", (json_int_t)l->bytes, "path", path);
        if (!f || json_array_append_new(r->m->files, f) != 0)
            status = px_fail_memory(err, "a list of files");
    }
    r->m->bytes += l->bytes;
    px_free(path);
    return status;
}

static pith_status take_small(reading *r, const store_layer *l, pith_error *err)
{
    px_buf text = {0};
    json_t *json = NULL;
    bool parsed = strcmp(l->kind, "params") == 0 || strcmp(l->kind, "messages") == 0;
    pith_status status = small(r->s, l->digest, &text, parsed ? &json : NULL, err);
    const char *s = text.data ? text.data : "";
    if (status == PITH_OK && strcmp(l->kind, "template") == 0)
        status = store_set(&r->m->template_go, err, "%s", s);
    else if (status == PITH_OK && strcmp(l->kind, "system") == 0)
        status = store_set(&r->m->system, err, "%s", s);
    else if (status == PITH_OK && strcmp(l->kind, "license") == 0)
        px_buf_printf(&r->license, "%s%s", r->license.len > 0 ? "\n" : "", s);
    else if (status == PITH_OK && json_is_object(json))
        json_object_update(r->m->parameters, json);
    else if (status == PITH_OK && json_is_array(json))
        json_array_extend(r->m->messages, json);
    r->m->bytes += l->bytes;
    json_decref(json);
    px_buf_clear(&text);
    return status;
}

static pith_status on_layer(void *user, const store_layer *l, pith_error *err)
{
    static const char *const BIG[] = {"model", "adapter", "projector", "tensor"};
    static const char *const SMALL[] = {"template", "system", "license", "params", "messages"};
    for (size_t i = 0; i < sizeof BIG / sizeof BIG[0]; i++)
        if (strcmp(l->kind, BIG[i]) == 0)
            return take_big(user, l, BIG[i], err);
    for (size_t i = 0; i < sizeof SMALL / sizeof SMALL[0]; i++)
        if (strcmp(l->kind, SMALL[i]) == 0)
            return take_small(user, l, err);
    return PITH_OK;
}

/* What the config blob says: {"model_family", "model_type": "3.2B", "file_type": "Q4_K_M"}. It may
 * be missing: then the model says it when it is opened. */
static pith_status read_config(const store_root *s, const json_t *manifest, store_model *m,
                               pith_error *err)
{
    px_buf text = {0};
    json_t *config = NULL;
    const char *digest = store_text(json_object_get(manifest, "config"), "digest");
    pith_error why = {0};
    pith_status status =
        store_digest_ok(digest) ? small(s, digest, &text, &config, &why) : PITH_E_NOT_FOUND;
    if (status == PITH_E_MEMORY) {
        px_fail(err, why.status, "%s", why.text);
    } else if (status != PITH_OK) {
        status = PITH_OK;
    } else {
        status = store_set(&m->family, err, "%s", store_text(config, "model_family"));
        if (status == PITH_OK)
            status = store_set(&m->parameter_size, err, "%s", store_text(config, "model_type"));
        if (status == PITH_OK)
            status = store_set(&m->quantization, err, "%s", store_text(config, "file_type"));
        if (status == PITH_OK)
            status = store_set(&m->format, err, "%s", store_text(config, "model_format"));
    }
    json_decref(config);
    px_buf_clear(&text);
    return status;
}

/* A manifest's path below manifests/ as users name it: HOST/NAMESPACE/MODEL/TAG. */
static bool shown_name(const char *relative, char out[STORE_MAX_NAME])
{
    size_t n = strlen(relative);
    const char *slash = strrchr(relative, '/');
    if (n >= STORE_MAX_NAME || !slash)
        return false;
    static const char *const SKIP[] = {"registry.ollama.ai/library/", "registry.ollama.ai/"};
    size_t from = 0;
    for (size_t i = 0; i < 2 && from == 0; i++)
        if (strncmp(relative, SKIP[i], strlen(SKIP[i])) == 0)
            from = strlen(SKIP[i]);
    if (slash < relative + from)
        return false;
    snprintf(out, STORE_MAX_NAME, "%.*s:%s", (int)(slash - relative - (ptrdiff_t)from),
             relative + from, slash + 1);
    return true;
}

static pith_status load(const store_root *s, const char *path, const char *name, store_model *out,
                        pith_error *err)
{
    px_buf text = {0};
    json_error_t je;
    json_t *manifest = NULL;
    struct stat st = {0};
    char hex[STORE_HEX + 1] = "";
    reading r = {.s = s, .m = out};
    pith_status status = store_model_init(out, err);
    if (status != PITH_OK)
        return status;
    out->origin = STORE_OLLAMA;
    (void)stat(path, &st);
    out->modified = st.st_mtime;
    status = store_set(&out->name, err, "%s", name);
    if (status == PITH_OK)
        status = store_set(&out->source, err, "Ollama's store, %s", s->ollama);
    if (status == PITH_OK)
        status = px_file_read(path, STORE_MAX_RECORD, &text, err);
    if (status == PITH_OK) {
        manifest = json_loadb(text.data, text.len, 0, &je);
        if (!manifest)
            status = px_fail(err, PITH_E_FORMAT, "'%s': line %d: %s", path, je.line, je.text);
    }
    if (status == PITH_OK)
        status = store_sha256(text.data, text.len, hex, err);
    if (status == PITH_OK)
        status = store_set(&out->digest, err, "%s", hex);
    if (status == PITH_OK)
        status = store_manifest_walk(name, manifest, on_layer, &r, err);
    if (status == PITH_OK && !*out->path)
        status =
            px_fail(err, PITH_E_UNSUPPORTED,
                    "Ollama's model '%s' has no GGUF file (safetensors or a cloud model)", name);
    if (status == PITH_OK)
        status = px_buf_status(&r.license, "a licence", err);
    if (status == PITH_OK)
        status = store_set(&out->license, err, "%s", r.license.data ? r.license.data : "");
    if (status == PITH_OK)
        status = read_config(s, manifest, out, err);
    json_decref(manifest);
    px_buf_clear(&text);
    px_buf_clear(&r.license);
    if (status != PITH_OK)
        store_model_clear(out);
    return status;
}

typedef struct wanted {
    const store_name *name;
    char found[STORE_MAX_NAME]; // relative path
    char shown[STORE_MAX_NAME];
} wanted;

static pith_status compare(void *user, const char *relative, pith_error *err)
{
    (void)err;
    wanted *w = user;
    char shown[STORE_MAX_NAME];
    if (!shown_name(relative, shown) || strcasecmp(shown, w->name->text) != 0)
        return PITH_OK;
    if (!w->found[0] || strcmp(shown, w->name->text) == 0) {
        snprintf(w->found, sizeof w->found, "%s", relative);
        snprintf(w->shown, sizeof w->shown, "%s", shown);
    }
    return PITH_OK;
}

enum { DEPTH = 5 }; // host, namespace, model, tag, and one for luck

pith_status store_ollama_find(const store_root *s, const store_name *name, store_model *out,
                              pith_error *err)
{
    wanted w = {.name = name};
    char *folder = NULL, *path = NULL;
    if (!s->ollama)
        return px_fail(err, PITH_E_NOT_FOUND, "there is no store of Ollama on this machine");
    pith_status status = store_set(&folder, err, "%s/manifests", s->ollama);
    if (status == PITH_OK)
        status = store_walk(folder, DEPTH, compare, &w, err);
    if (status == PITH_OK && !w.found[0])
        status = px_fail(err, PITH_E_NOT_FOUND, "Ollama's store has no '%s'", name->text);
    if (status == PITH_OK)
        status = store_set(&path, err, "%s/%s", folder, w.found);
    if (status == PITH_OK)
        status = load(s, path, w.shown, out, err);
    px_free(folder);
    px_free(path);
    return status;
}

typedef struct naming {
    store_walk_fn fn;
    void *user;
} naming;

static pith_status name_one(void *user, const char *relative, pith_error *err)
{
    naming *n = user;
    char shown[STORE_MAX_NAME];
    return shown_name(relative, shown) ? n->fn(n->user, shown, err) : PITH_OK;
}

pith_status store_ollama_list(const store_root *s, store_walk_fn fn, void *user, pith_error *err)
{
    naming n = {.fn = fn, .user = user};
    char *folder = NULL;
    if (!s->ollama)
        return PITH_OK;
    pith_status status = store_set(&folder, err, "%s/manifests", s->ollama);
    if (status == PITH_OK)
        status = store_walk(folder, DEPTH, name_one, &n, err);
    px_free(folder);
    return status;
}

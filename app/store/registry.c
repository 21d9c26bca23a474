/*
 * registry: models of Ollama's library, by the registry's own protocol.
 *
 *   GET BASE/v2/NAMESPACE/MODEL/manifests/TAG     the manifest (ollama.c)
 *   GET BASE/v2/NAMESPACE/MODEL/blobs/sha256:HEX  a layer; answered with a redirect
 *
 * Large layers become blobs; small ones (licence, system prompt, parameters, template, messages)
 * are checked and written into the record.
 */
#include "base/mem.h"
#include "store/fetch.h"
#include "store/inside.h"
#include "store/net.h"

#include <stdio.h>
#include <string.h>

typedef struct pulling {
    const store_root *s;
    const store_job *job;
    char *base; // "https://registry.ollama.ai/v2/library/llama3.2"
    json_t *record;
    uint64_t missing; // bytes
    int n_adapters;
    bool has_model;
} pulling;

/* Where a name lives: a first part with a dot or a port is a host. */
static pith_status find_base(const store_name *name, const store_job *job, char **out,
                             pith_error *err)
{
    const char *registry = job && job->registry ? job->registry : NULL;
    const char *slash = strchr(name->base, '/');
    bool host = slash && memchr(name->base, '.', (size_t)(slash - name->base)) != NULL;
    if (host && !registry)
        return store_set(out, err, "https://%.*s/v2%s", (int)(slash - name->base), name->base,
                         slash);
    size_t n = registry ? strlen(registry) : 0;
    while (n > 0 && registry[n - 1] == '/')
        n--;
    return store_set(out, err, "%.*s/v2/%s%s", registry ? (int)n : 26,
                     registry ? registry : "https://registry.ollama.ai", slash ? "" : "library/",
                     name->base);
}

static bool is_big(const char *kind)
{
    return strcmp(kind, "model") == 0 || strcmp(kind, "adapter") == 0;
}

static pith_status layer_url(const pulling *p, const store_layer *l, char **url, pith_error *err)
{
    return store_set(url, err, "%s/blobs/%s", p->base, l->digest);
}

static pith_status count_missing(void *user, const store_layer *l, pith_error *err)
{
    pulling *p = user;
    const store_fetch f = {.digest = l->digest, .bytes = l->bytes};
    (void)err;
    if (is_big(l->kind))
        p->missing += store_fetch_missing(p->s, &f);
    return PITH_OK;
}

static pith_status take_big(pulling *p, const store_layer *l, pith_error *err)
{
    char *url = NULL, *digest = NULL;
    uint64_t bytes = 0;
    char name[64];
    bool model = strcmp(l->kind, "model") == 0;
    if (model)
        snprintf(name, sizeof name, "model.gguf");
    else
        snprintf(name, sizeof name, "adapter-%d.gguf", ++p->n_adapters);
    pith_status status = layer_url(p, l, &url, err);
    const store_fetch f = {.url = url, .file = name, .digest = l->digest, .bytes = l->bytes};
    if (status == PITH_OK && model && p->has_model)
        status = px_fail(err, PITH_E_UNSUPPORTED, "'%s' has more than one model file", p->base);
    if (status == PITH_OK)
        status = store_fetch_blob(p->s, &f, p->job, &digest, &bytes, err);
    if (status == PITH_OK)
        status = store_record_add(p->record, name, l->kind, digest, NULL, bytes, err);
    p->has_model |= model;
    px_free(url);
    px_free(digest);
    return status;
}

/* What a small layer says, into the record. */
static pith_status note_small(pulling *p, const char *kind, const px_buf *text, pith_error *err)
{
    static const char *const TEXTS[][2] = {{"template", "template_go"}, {"system", "system"}};
    static const char *const OBJECTS[][2] = {{"params", "parameters"}, {"messages", "messages"}};
    json_t *value = NULL;
    const char *key = NULL, *s = text->data ? text->data : "";
    for (int i = 0; i < 2; i++) {
        if (strcmp(kind, TEXTS[i][0]) == 0) {
            key = TEXTS[i][1];
            value = json_stringn(s, text->len);
        }
        if (strcmp(kind, OBJECTS[i][0]) == 0) {
            key = OBJECTS[i][1];
            value = json_loadb(s, text->len, 0, NULL);
        }
    }
    if (strcmp(kind, "license") == 0) {
        const char *before = store_text(p->record, "license");
        key = "license";
        value = json_sprintf("%s%s%s", before, *before ? "\n" : "", s);
    }
    if (!key)
        return PITH_OK;
    if (!value || json_object_set_new(p->record, key, value) != 0)
        return px_fail(err, PITH_E_FORMAT, "'%s' has a layer '%s' that cannot be read", p->base,
                       kind);
    return PITH_OK;
}

static pith_status take_small(pulling *p, const store_layer *l, pith_error *err)
{
    char *url = NULL;
    char hex[STORE_HEX + 1];
    px_buf text = {0};
    store_head head;
    if (l->bytes > STORE_MAX_RECORD)
        return px_fail(err, PITH_E_LIMIT,
                       "'%s' has a layer '%s' of %llu bytes, expected at most %d", p->base, l->kind,
                       (unsigned long long)l->bytes, STORE_MAX_RECORD);
    pith_status status = layer_url(p, l, &url, err);
    const store_remote remote = {.url = url};
    if (status == PITH_OK)
        status = store_net_get(&remote, p->job, STORE_MAX_RECORD, &text, &head, err);
    if (status == PITH_OK)
        status = store_sha256(text.data, text.len, hex, err);
    if (status == PITH_OK && strcmp(hex, l->digest + 7) != 0)
        status = px_fail(err, PITH_E_MISMATCH, "'%s' came with SHA-256 %s, expected %s", url, hex,
                         l->digest + 7);
    if (status == PITH_OK)
        status = note_small(p, l->kind, &text, err);
    px_buf_clear(&text);
    px_free(url);
    return status;
}

static pith_status take_layer(void *user, const store_layer *l, pith_error *err)
{
    static const char *const SMALL[] = {"template", "system", "license", "params", "messages"};
    pulling *p = user;
    if (is_big(l->kind))
        return take_big(p, l, err);
    for (size_t i = 0; i < sizeof SMALL / sizeof SMALL[0]; i++)
        if (strcmp(l->kind, SMALL[i]) == 0)
            return take_small(p, l, err);
    return store_note(p->job, err, "a part of the model that pith does not use is left out: %s",
                      l->kind);
}

/* A sentence of our own for a name that the library does not have. */
static pith_status no_such_model(const char *what, const char *url, pith_error *err)
{
    return px_fail(err, PITH_E_NOT_FOUND,
                   "'%s' has no model '%s'; names are as on ollama.com/library (llama3.2:1b), or "
                   "hf.co/ORG/REPO[:QUANT], or an address, or a path",
                   url, what);
}

pith_status store_registry_pull(const store_root *s, const char *what, const store_job *job,
                                json_t **record, store_name *name, pith_error *err)
{
    pulling p = {.s = s, .job = job};
    char *url = NULL;
    json_t *manifest = NULL;
    store_head head;
    *record = NULL;
    pith_status status = store_name_parse(what, name, err);
    if (status == PITH_OK)
        status = find_base(name, job, &p.base, err);
    if (status == PITH_OK)
        status = store_set(&url, err, "%s/manifests/%s", p.base, name->tag);
    const store_remote remote = {.url = url,
                                 .accept = "application/vnd.docker.distribution.manifest.v2+json"};
    if (status == PITH_OK)
        status = store_tell(job, &(store_progress){.step = STORE_STEP_MANIFEST}, err);
    pith_error why = {0};
    if (status == PITH_OK) {
        status = store_net_json(&remote, job, &manifest, &head, &why);
        if (status == PITH_E_NOT_FOUND)
            no_such_model(what, p.base, err);
        else if (status != PITH_OK)
            px_fail(err, why.status, "%s", why.text);
    }
    if (status == PITH_OK) {
        char *from = store_format("%s:%s", strchr(p.base, '/') + 2, name->tag);
        p.record = from ? store_record_new(from) : NULL;
        px_free(from);
        if (!p.record)
            status = px_fail_memory(err, "a record");
    }
    if (status == PITH_OK)
        status = store_manifest_walk(what, manifest, count_missing, &p, err);
    if (status == PITH_OK)
        status = store_need_space(s, p.missing, what, err);
    if (status == PITH_OK)
        status = store_manifest_walk(what, manifest, take_layer, &p, err);
    if (status == PITH_OK && !p.has_model)
        status =
            px_fail(err, PITH_E_UNSUPPORTED,
                    "'%s' has no GGUF file; it may be a cloud model or of another format", what);
    if (status == PITH_OK)
        *record = p.record;
    else
        json_decref(p.record);
    json_decref(manifest);
    px_free(p.base);
    px_free(url);
    return status;
}

/* pull: decides where a model comes from, fetches it, gives it its name. */
#include "base/file.h"
#include "base/mem.h"
#include "store/fetch.h"
#include "store/inside.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

pith_status store_name_of(const char *path, store_name *out, pith_error *err)
{
    char text[128];
    size_t end = strcspn(path, "?#"), n = 0;
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t from = end;
    while (from > 0 && path[from - 1] != '/')
        from--;
    for (size_t i = from; i < end && n + 1 < sizeof text; i++) {
        int c = tolower((unsigned char)path[i]);
        bool plain = isalnum(c) || (n > 0 && (c == '.' || c == '_' || c == '-'));
        if (plain || n > 0)
            text[n++] = plain ? (char)c : '-';
    }
    if (n > 5 && strncmp(text + n - 5, ".gguf", 5) == 0)
        n -= 5;
    text[n] = '\0';
    return store_name_parse(text, out, err);
}

static bool starts(const char *s, const char *with)
{
    return strncasecmp(s, with, strlen(with)) == 0;
}

/* One file from any address; "#sha256=HEX" at its end says what it must be. */
static pith_status pull_url(const store_root *s, const char *what, const store_job *job,
                            json_t **record, store_name *name, pith_error *err)
{
    char *url = NULL, *want = NULL, *digest = NULL;
    uint64_t bytes = 0;
    const char *mark = strstr(what, "#sha256=");
    const size_t len = strcspn(what, "#");
    pith_status status = store_name_of(what, name, err);
    if (status == PITH_OK)
        status = store_set(&url, err, "%.*s", (int)len, what);
    if (status == PITH_OK && mark)
        status = store_set(&want, err, "sha256:%s", mark + 8);
    if (want && !store_digest_ok(want))
        status = px_fail(err, PITH_E_ARGUMENT, "'%s' ends in no SHA-256 of 64 small digits", what);
    const char *slash = url ? strrchr(url, '/') : NULL;
    char file[STORE_MAX_FILE_NAME];
    snprintf(file, sizeof file, "%.*s", slash ? (int)strcspn(slash + 1, "?") : 0,
             slash ? slash + 1 : "");
    if (!store_file_name_ok(file))
        snprintf(file, sizeof file, "model.gguf");
    const store_fetch f = {.url = url, .file = file, .digest = want, .bytes = STORE_SIZE_UNKNOWN};
    if (status == PITH_OK)
        status = store_fetch_blob(s, &f, job, &digest, &bytes, err);
    if (status == PITH_OK) {
        *record = store_record_new(url);
        status = *record ? store_record_add(*record, file, "model", digest, NULL, bytes, err)
                         : px_fail_memory(err, "a record");
    }
    px_free(url);
    px_free(want);
    px_free(digest);
    return status;
}

static pith_status fetch(const store_root *s, const char *what, const store_job *job,
                         json_t **record, store_name *name, pith_error *err)
{
    static const char *const HUB[] = {"hf.co/", "huggingface.co/", "https://hf.co/",
                                      "https://huggingface.co/", "http://huggingface.co/"};
    static const char *const LIBRARY[] = {"https://ollama.com/library/",
                                          "https://registry.ollama.ai/"};
    for (size_t i = 0; i < sizeof HUB / sizeof HUB[0]; i++)
        if (starts(what, HUB[i]))
            return store_hub_pull(s, what, job, record, name, err);
    for (size_t i = 0; i < sizeof LIBRARY / sizeof LIBRARY[0]; i++)
        if (starts(what, LIBRARY[i]))
            what += strlen(LIBRARY[i]);
    if (strstr(what, "://"))
        return pull_url(s, what, job, record, name, err);
    return store_registry_pull(s, what, job, record, name, err);
}

/* As one GGUF file where that was asked for; then the record gets its name. */
static pith_status keep(const store_root *s, json_t *record, const store_name *name,
                        const store_job *job, pith_error *err)
{
    pith_status status = store_transform(s, record, job, err);
    if (status == PITH_OK)
        status = store_record_save(s, name, record, job, err);
    if (status == PITH_E_FORMAT) // what is no model is not kept
        (void)store_release(s, record, NULL, NULL);
    return status;
}

pith_status store_pull(const store_root *s, const char *what, const store_job *job, char **name,
                       pith_error *err)
{
    px_error_clear(err);
    store_name as = {0}, given = {0};
    json_t *record = NULL;
    pith_status status = PITH_OK;
    bool path = px_file_kind_of(what) != PX_FILE_NONE;
    status = store_transform_check(job, err);
    if (status == PITH_OK && job && job->as)
        status = store_name_parse(job->as, &given, err);
    if (status == PITH_OK && path) {
        status = store_name_of(what, &as, err);
        if (status == PITH_OK)
            status =
                store_import(s, what, job && job->as ? given.text : as.text, false, job, NULL, err);
    } else if (status == PITH_OK) {
        status = fetch(s, what, job, &record, &as, err);
        if (status == PITH_OK)
            status = keep(s, record, job && job->as ? &given : &as, job, err);
    }
    json_decref(record);
    if (status == PITH_OK && name)
        *name = NULL;
    if (status == PITH_OK && name)
        status = store_set(name, err, "%s", job && job->as ? given.text : as.text);
    return status;
}

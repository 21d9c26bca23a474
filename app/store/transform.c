/*
 * transform: a model's files as one GGUF file of another type, on the way into the store. The
 * result becomes a blob; what it was made from is freed unless another record uses it.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct telling {
    const store_job *job;
    const char *file;
} telling;

static int on_bytes(void *user, uint64_t done, uint64_t total)
{
    const telling *t = user;
    return store_tell(
               t->job,
               &(store_progress){
                   .step = STORE_STEP_CONVERT, .file = t->file, .done = done, .total = total},
               NULL) != PITH_OK;
}

/* "Q4_K_M" as pith_quantize has it. */
static void lower(const char *text, char out[32])
{
    snprintf(out, 32, "%.31s", text);
    for (char *c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

pith_status store_transform_check(const store_job *job, pith_error *err)
{
    static const char *const SHORT[] = {"q3_k", "q4_k", "q5_k"};
    static const char *const FLOATS[] = {"f16", "bf16", "f32", "keep"};
    char type[32];
    const char *name;
    bool found = false;
    if (!job || (!job->convert && !job->quantize))
        return PITH_OK;
    lower(job->quantize ? job->quantize : job->convert, type);
    for (int32_t i = 0; job->quantize && !found && (name = pith_quantize_type(i, NULL)); i++)
        found = strcmp(type, name) == 0;
    for (size_t i = 0; job->quantize && !found && i < 3; i++)
        found = strcmp(type, SHORT[i]) == 0;
    for (size_t i = 0; !job->quantize && !found && i < 4; i++)
        found = strcmp(type, FLOATS[i]) == 0;
    if (found)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT, "unknown type '%s' to %s to, expected %s",
                   job->quantize ? job->quantize : job->convert,
                   job->quantize ? "quantize" : "convert",
                   job->quantize ? "q4_k_m, q8_0 or another that 'pith quantize -h' lists"
                                 : "f16, bf16 or f32");
}

/* Writes `in` as OUT by what the job asks for. */
static pith_status write_as(const char *in, const char *out, const store_job *job, pith_error *err)
{
    char type[32];
    telling t = {.job = job, .file = job->quantize ? job->quantize : "f16"};
    if (job->quantize) {
        pith_quantize_options o = PITH_INIT(pith_quantize_options);
        o.progress = on_bytes;
        o.user = &t;
        lower(job->quantize, type);
        return pith_quantize(in, out, type, &o, NULL, err);
    }
    pith_convert_options o = PITH_INIT(pith_convert_options);
    o.progress = on_bytes;
    o.user = &t;
    lower(job->convert, type);
    o.dtype = strcmp(type, "keep") == 0 ? NULL : type;
    return pith_convert(in, out, &o, err);
}

/* The path that the record's model has now, without its record being saved. */
static pith_status source_path(const store_root *s, json_t *record, char **path, pith_error *err)
{
    const json_t *files = json_object_get(record, "files");
    const json_t *only = NULL;
    size_t i, n = 0;
    json_t *f;
    json_array_foreach(files, i, f)
    {
        if (strcmp(store_text(f, "role"), "model") == 0 && ++n == 1)
            only = f;
    }
    if (n == 1 && *store_text(only, "path"))
        return store_set(path, err, "%s", store_text(only, "path"));
    if (n == 1)
        return store_blob_path(s, store_text(only, "digest"), path, err);
    store_model m = {0};
    pith_status status = store_tree(s, record, path, err);
    if (status == PITH_OK)
        status = store_record_model(s, "", record, &m, err);
    if (status == PITH_OK)
        status = store_set(path, err, "%s", m.path);
    store_model_clear(&m);
    return status;
}

/* Puts the new file in place of those of role model. */
static pith_status replace_files(json_t *record, const char *name, const char *digest,
                                 uint64_t bytes, pith_error *err)
{
    json_t *files = json_object_get(record, "files");
    for (size_t i = json_array_size(files); i-- > 0;)
        if (strcmp(store_text(json_array_get(files, i), "role"), "model") == 0)
            json_array_remove(files, i);
    json_object_del(record, "tree");
    return store_record_add(record, name, "model", digest, NULL, bytes, err);
}

pith_status store_transform(const store_root *s, json_t *record, const store_job *job,
                            pith_error *err)
{
    char *in = NULL, *out = NULL, *digest = NULL;
    json_t *before = NULL;
    struct stat st = {0};
    char name[64], type[32];
    if (!job || (!job->convert && !job->quantize))
        return PITH_OK;
    lower(job->quantize ? job->quantize : job->convert, type);
    snprintf(name, sizeof name, "model-%s.gguf", type);
    pith_status status = source_path(s, record, &in, err);
    before = status == PITH_OK ? json_deep_copy(record) : NULL;
    if (status == PITH_OK && !before)
        status = px_fail_memory(err, "a record");
    if (status == PITH_OK)
        status = store_set(&out, err, "%s/blobs/converted-%ld-%p.gguf", s->home, (long)getpid(),
                           (void *)record);
    if (status == PITH_OK)
        status = write_as(in, out, job, err);
    if (status == PITH_OK && stat(out, &st) != 0)
        status = px_fail(err, PITH_E_IO, "'%s' was written and is gone", out);
    if (status == PITH_OK)
        status = store_blob_take(s, out, true, job, &digest, err);
    if (status == PITH_OK)
        status = replace_files(record, name, digest, (uint64_t)st.st_size, err);
    if (status == PITH_OK)
        status = store_release(s, before, NULL, err);
    if (status != PITH_OK && out)
        unlink(out);
    json_decref(before);
    px_free(in);
    px_free(out);
    px_free(digest);
    return status;
}

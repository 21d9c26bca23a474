/* import: gives a model that lies somewhere on this machine a name, where it lies or as a copy. */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One file of the model: copied as a blob, or noted where it is. */
static pith_status add_file(const store_root *s, json_t *record, const char *path, bool copy,
                            const store_job *job, pith_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *digest = NULL;
    struct stat st = {0};
    pith_status status = PITH_OK;
    if (stat(path, &st) != 0)
        return px_fail_errno(err, errno, "cannot read '%s'", path);
    if (!store_file_name_ok(name))
        return px_fail(err, PITH_E_ARGUMENT, "'%s' has a name that the store does not take", path);
    if (copy)
        status = store_blob_take(s, path, false, job, &digest, err);
    if (status == PITH_OK)
        status = store_record_add(record, name, "model", digest, path, (uint64_t)st.st_size, err);
    px_free(digest);
    return status;
}

/* The plain files of a folder, one by one. */
static pith_status add_folder(const store_root *s, json_t *record, const char *folder,
                              const store_job *job, pith_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return px_fail_errno(err, errno, "cannot read the folder '%s'", folder);
    pith_status status = PITH_OK;
    for (struct dirent *e; status == PITH_OK && (e = readdir(dir)) != NULL;) {
        char *path = store_format("%s/%s", folder, e->d_name);
        if (!path)
            status = px_fail_memory(err, "a list of files");
        else if (e->d_name[0] != '.' && px_file_kind_of(path) == PX_FILE_REGULAR)
            status = add_file(s, record, path, true, job, err);
        px_free(path);
    }
    closedir(dir);
    return status;
}

/* The number of files of a split model by the name of its first, or 1. */
static int count_parts(const char *path, int *stem)
{
    size_t n = strlen(path);
    int count = 0, end = 0;
    if (n < 21 || sscanf(path + n - 20, "-00001-of-%5d.gguf%n", &count, &end) != 1 || end != 20)
        return 1;
    *stem = (int)(n - 20);
    return count > 1 && count <= 4096 ? count : 1;
}

static pith_status add_parts(const store_root *s, json_t *record, const char *path, bool copy,
                             const store_job *job, pith_error *err)
{
    int stem = 0;
    int n = count_parts(path, &stem);
    if (n == 1)
        return add_file(s, record, path, copy, job, err);
    pith_status status = PITH_OK;
    for (int i = 1; status == PITH_OK && i <= n; i++) {
        char *part = store_format("%.*s-%05d-of-%05d.gguf", stem, path, i, n);
        status = part ? add_file(s, record, part, copy, job, err)
                      : px_fail_memory(err, "a list of files");
        px_free(part);
    }
    return status;
}

pith_status store_import(const store_root *s, const char *path, const char *name, bool copy,
                         const store_job *job, char **made, pith_error *err)
{
    px_error_clear(err);
    store_name as;
    json_t *record = NULL;
    char real[PATH_MAX];
    pith_status status = name ? store_name_parse(name, &as, err) : store_name_of(path, &as, err);
    if (status != PITH_OK)
        return status;
    if (!realpath(path, real))
        return px_fail_errno(err, errno, "cannot find '%s'", path);
    record = store_record_new(real);
    if (!record)
        return px_fail_memory(err, "a record");
    if (px_file_kind_of(real) != PX_FILE_FOLDER)
        status = add_parts(s, record, real, copy, job, err);
    else if (copy)
        status = add_folder(s, record, real, job, err);
    else
        status = store_record_add(record, "folder", "model", NULL, real, 0, err);
    if (status == PITH_OK)
        status = store_record_save(s, &as, record, job, err);
    if (made)
        *made = NULL;
    if (status == PITH_OK && made)
        status = store_set(made, err, "%s", as.text);
    json_decref(record);
    return status;
}

/*
 * root: where the store lies, its lock, and small things that every file of the room needs. See
 * store.h for the layout.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *store_format(const char *fmt, ...)
{
    px_buf text = {0};
    va_list args;
    va_start(args, fmt);
    px_buf_vprintf(&text, fmt, args);
    va_end(args);
    char *out = px_buf_take(&text, NULL);
    px_buf_clear(&text);
    return out;
}

pith_status store_set(char **out, pith_error *err, const char *fmt, ...)
{
    px_buf text = {0};
    va_list args;
    va_start(args, fmt);
    px_buf_vprintf(&text, fmt, args);
    va_end(args);
    char *made = text.failed ? NULL : text.data ? px_buf_take(&text, NULL) : px_strndup("", 0);
    px_buf_clear(&text);
    if (!made)
        return px_fail_memory(err, "a name in the store");
    px_free(*out);
    *out = made;
    return PITH_OK;
}

const char *store_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

pith_status store_make_folder(const char *path, pith_error *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return px_fail(err, PITH_E_ARGUMENT, "a folder's path has %zu bytes, expected 1 to %d", n,
                       PATH_MAX - 1);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST && px_file_kind_of(part) != PX_FILE_FOLDER)
            return px_fail_errno(err, errno, "cannot make the folder '%s'", part);
        part[i] = kept;
    }
    return px_file_kind_of(path) == PX_FILE_FOLDER
               ? PITH_OK
               : px_fail(err, PITH_E_IO, "'%s' is not a folder, expected one of the store", path);
}

pith_status store_lock(const store_root *s, int *fd, pith_error *err)
{
    char *path = store_format("%s/lock", s->home);
    *fd = -1;
    if (!path)
        return px_fail_memory(err, "the name of the store's lock");
    pith_status status = store_make_folder(s->home, err);
    if (status == PITH_OK) {
        *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (*fd < 0)
            status = px_fail_errno(err, errno, "cannot open '%s'", path);
    }
    while (status == PITH_OK && flock(*fd, LOCK_EX) != 0)
        if (errno != EINTR)
            status = px_fail_errno(err, errno, "cannot lock '%s'", path);
    if (status != PITH_OK)
        store_unlock(*fd);
    px_free(path);
    return status;
}

void store_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

static pith_status walk(const char *folder, const char *relative, int depth, store_walk_fn fn,
                        void *user, pith_error *err)
{
    pith_status status = PITH_OK;
    DIR *dir = opendir(folder);
    if (!dir) {
        if (errno == ENOENT || errno == ENOTDIR)
            return PITH_OK;
        return px_fail_errno(err, errno, "cannot read the folder '%s'", folder);
    }
    for (struct dirent *e; status == PITH_OK && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        char *path = store_format("%s/%s", folder, e->d_name);
        char *below = store_format("%s%s%s", relative, *relative ? "/" : "", e->d_name);
        if (!path || !below)
            status = px_fail_memory(err, "a list of files");
        else if (px_file_kind_of(path) == PX_FILE_REGULAR)
            status = fn(user, below, err);
        else if (px_file_kind_of(path) == PX_FILE_FOLDER && depth > 1)
            status = walk(path, below, depth - 1, fn, user, err);
        px_free(path);
        px_free(below);
    }
    closedir(dir);
    return status;
}

pith_status store_walk(const char *folder, int depth, store_walk_fn fn, void *user, pith_error *err)
{
    return walk(folder, "", depth, fn, user, err);
}

pith_status store_tell(const store_job *job, const store_progress *p, pith_error *err)
{
    if (!job || !job->progress)
        return PITH_OK;
    store_progress told = *p;
    told.digest = p->digest ? p->digest : "";
    told.file = p->file ? p->file : "";
    told.text = p->text ? p->text : "";
    if (job->progress(job->user, &told))
        return px_fail(err, PITH_E_CANCELLED,
                       "interrupted; what was fetched is kept, and the same command goes on there");
    return PITH_OK;
}

pith_status store_note(const store_job *job, pith_error *err, const char *fmt, ...)
{
    px_buf text = {0};
    va_list args;
    va_start(args, fmt);
    px_buf_vprintf(&text, fmt, args);
    va_end(args);
    pith_status status = px_buf_status(&text, "a note", err);
    if (status == PITH_OK)
        status =
            store_tell(job, &(store_progress){.step = STORE_STEP_NOTE, .text = text.data}, err);
    px_buf_clear(&text);
    return status;
}

static pith_status find_home(const store_options *o, char **out, pith_error *err)
{
    const char *given = o && o->home ? o->home : getenv("PITH_HOME");
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (given && *given)
        return store_set(out, err, "%s", given);
    if (data && *data == '/')
        return store_set(out, err, "%s/pith", data);
    struct passwd user, *found = NULL;
    char text[4096];
    if ((!home || !*home) && getpwuid_r(getuid(), &user, text, sizeof text, &found) == 0 && found)
        home = user.pw_dir;
    if (home && *home)
        return store_set(out, err, "%s/.local/share/pith", home);
    return px_fail(err, PITH_E_NOT_FOUND,
                   "no folder for models is known: PITH_HOME and HOME are not set, and user %u has "
                   "no home; set PITH_HOME",
                   (unsigned)getuid());
}

static pith_status find_ollama(const store_options *o, char **out, pith_error *err)
{
    const char *given = o && o->ollama ? o->ollama : getenv("OLLAMA_MODELS");
    const char *home = getenv("HOME");
    pith_status status = PITH_OK;
    if (given && !*given)
        return PITH_OK;
    if (given)
        return store_set(out, err, "%s", given);
    if (home && *home)
        status = store_set(out, err, "%s/.ollama/models", home);
    if (status == PITH_OK && (!*out || px_file_kind_of(*out) != PX_FILE_FOLDER))
        status = store_set(out, err, "%s", "/usr/share/ollama/.ollama/models");
    if (status == PITH_OK && px_file_kind_of(*out) != PX_FILE_FOLDER) {
        px_free(*out);
        *out = NULL;
    }
    return status;
}

pith_status store_open(const store_options *options, store_root **out, pith_error *err)
{
    px_error_clear(err);
    *out = NULL;
    store_root *s = px_calloc(1, sizeof *s);
    if (!s)
        return px_fail_memory(err, "the store");
    pith_status status = find_home(options, &s->home, err);
    if (status == PITH_OK)
        status = find_ollama(options, &s->ollama, err);
    if (status != PITH_OK) {
        store_close(s);
        return status;
    }
    *out = s;
    return PITH_OK;
}

void store_close(store_root *s)
{
    if (!s)
        return;
    px_free(s->home);
    px_free(s->ollama);
    px_free(s);
}

const char *store_home(const store_root *s)
{
    return s->home;
}

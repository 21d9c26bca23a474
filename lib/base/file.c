/* file: see file.h. POSIX. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

px_file_kind px_file_kind_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return PX_FILE_NONE;
    if (S_ISREG(st.st_mode))
        return PX_FILE_REGULAR;
    return S_ISDIR(st.st_mode) ? PX_FILE_FOLDER : PX_FILE_OTHER;
}

/* Opens a regular file for reading and gives its size. */
static pith_status open_regular(const char *path, int *fd_out, size_t *size, pith_error *err)
{
    /* O_NONBLOCK: opening a FIFO by mistake must not hang. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return px_fail_errno(err, errno, "cannot open '%s'", path);
    struct stat st;
    if (fstat(fd, &st) != 0) {
        pith_status status = px_fail_errno(err, errno, "cannot stat '%s'", path);
        close(fd);
        return status;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return px_fail(err, PITH_E_ARGUMENT, "'%s' is %s, expected a regular file", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "not a file");
    }
    *fd_out = fd;
    *size = (size_t)st.st_size;
    return PITH_OK;
}

pith_status px_map_open(const char *path, px_map *out, pith_error *err)
{
    *out = (px_map){0};
    int fd = -1;
    size_t size = 0;
    pith_status status = open_regular(path, &fd, &size, err);
    if (status != PITH_OK)
        return status;
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            status = px_fail_errno(err, errno, "cannot map '%s' (%zu bytes)", path, size);
        else
            *out = (px_map){.data = data, .size = size};
    }
    close(fd);
    return status;
}

void px_map_close(px_map *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (px_map){0};
}

pith_status px_file_read(const char *path, size_t limit, px_buf *out, pith_error *err)
{
    int fd = -1;
    size_t size = 0;
    pith_status status = open_regular(path, &fd, &size, err);
    if (status != PITH_OK)
        return status;
    if (size > limit) {
        close(fd);
        return px_fail(err, PITH_E_LIMIT, "'%s' has %zu bytes, expected at most %zu", path, size,
                       limit);
    }
    char *to = px_buf_room(out, size);
    if (!to) {
        close(fd);
        return px_buf_status(out, path, err);
    }
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, to + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = px_fail_errno(err, errno, "cannot read '%s'", path);
            break;
        }
        if (n == 0) {
            status = px_fail(err, PITH_E_IO, "'%s' shrank from %zu to %zu bytes while it was read",
                             path, size, got);
            break;
        }
        got += (size_t)n;
    }
    close(fd);
    if (status == PITH_OK)
        out->len += size;
    out->data[out->len] = '\0';
    return status;
}

bool px_path_join(px_buf *out, const char *folder, const char *name)
{
    size_t n = strlen(folder);
    return px_buf_puts(out, folder) && (n == 0 || folder[n - 1] == '/' || px_buf_putc(out, '/')) &&
           px_buf_puts(out, name);
}

/* What an output will replace: the name behind links, to be freed with px_free, and its mode, or -1
 * when there is nothing yet. Refuses what is not a regular file: renaming over a device would
 * destroy it. */
static pith_status find_target(const char *path, char **target, int *mode, pith_error *err)
{
    struct stat st;
    char real[PATH_MAX];
    *mode = -1;
    if (lstat(path, &st) != 0) {
        if (errno != ENOENT)
            return px_fail_errno(err, errno, "cannot write '%s'", path);
    } else {
        if (S_ISLNK(st.st_mode)) {
            if (!realpath(path, real) || stat(real, &st) != 0)
                return px_fail_errno(err, errno, "cannot follow the link '%s'", path);
            path = real;
        }
        if (!S_ISREG(st.st_mode))
            return px_fail(err, PITH_E_ARGUMENT,
                           "'%s' is %s, expected a regular file or a new name", path,
                           S_ISDIR(st.st_mode) ? "a folder" : "not a file");
        *mode = (int)(st.st_mode & 0777);
    }
    *target = px_strndup(path, strlen(path));
    return *target ? PITH_OK : px_fail_memory(err, "an output file's name");
}

/* Creates a file beside `path` under a name that nothing has: another thread may be writing the
 * same file, and a process of the same number may have crashed. On failure *partial is NULL. */
static pith_status create_beside(const char *path, char **partial, int *fd, pith_error *err)
{
    enum { MOST_TRIES = 1000 };
    for (int n = 0;; n++) {
        px_buf name = {0};
        px_buf_printf(&name, "%s.partial-%ld-%d", path, (long)getpid(), n);
        *partial = px_buf_take(&name, NULL);
        if (!*partial) {
            px_buf_clear(&name);
            return px_fail_memory(err, "an output file's name");
        }
        *fd = open(*partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0)
            return PITH_OK;
        int code = errno;
        pith_status status = PITH_OK;
        if (code != EEXIST || n == MOST_TRIES)
            status = px_fail_errno(err, code, "cannot create '%s'", *partial);
        px_free(*partial);
        *partial = NULL;
        if (status != PITH_OK)
            return status;
    }
}

pith_status px_out_open(const char *path, px_out *out, pith_error *err)
{
    *out = (px_out){.fd = -1};
    int mode = -1;
    pith_status status = find_target(path, &out->path, &mode, err);
    if (status == PITH_OK)
        status = create_beside(out->path, &out->partial, &out->fd, err);
    if (status == PITH_OK && mode >= 0 && fchmod(out->fd, (mode_t)mode) != 0)
        status = px_fail_errno(err, errno, "cannot set the mode of '%s'", out->partial);
    if (status != PITH_OK)
        px_out_abort(out);
    return status;
}

pith_status px_out_write(px_out *out, const void *bytes, size_t n, pith_error *err)
{
    const char *from = bytes;
    while (n > 0) {
        ssize_t did = write(out->fd, from, n > (1u << 30) ? 1u << 30 : n);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return px_fail_errno(err, did < 0 ? errno : ENOSPC,
                                 "cannot write '%s' after %llu bytes", out->path,
                                 (unsigned long long)out->written);
        from += did;
        n -= (size_t)did;
        out->written += (uint64_t)did;
    }
    return PITH_OK;
}

pith_status px_out_pad(px_out *out, size_t align, pith_error *err)
{
    static const char zeros[64];
    size_t left = (size_t)((align - out->written % align) % align);
    while (left > 0) {
        size_t n = left < sizeof zeros ? left : sizeof zeros;
        pith_status status = px_out_write(out, zeros, n, err);
        if (status != PITH_OK)
            return status;
        left -= n;
    }
    return PITH_OK;
}

/* Makes the rename of `path` durable. A file system that cannot sync a folder is not an error. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : (size_t)(slash ? slash - path : 0);
    if (n >= sizeof folder)
        return;
    if (n > 0) {
        memcpy(folder, path, n);
        folder[n] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

pith_status px_out_commit(px_out *out, pith_error *err)
{
    pith_status status = PITH_OK;
    if (fsync(out->fd) != 0)
        status = px_fail_errno(err, errno, "cannot sync '%s'", out->partial);
    if (close(out->fd) != 0 && status == PITH_OK)
        status = px_fail_errno(err, errno, "cannot close '%s'", out->partial);
    out->fd = -1;
    if (status == PITH_OK && rename(out->partial, out->path) != 0)
        status = px_fail_errno(err, errno, "cannot rename '%s' to '%s'", out->partial, out->path);
    if (status == PITH_OK) {
        sync_folder(out->path);
        px_free(out->partial);
        out->partial = NULL;
    }
    px_out_abort(out);
    return status;
}

void px_out_abort(px_out *out)
{
    if (out->path && out->fd >= 0) // one that is all zeros was never opened
        close(out->fd);
    if (out->partial)
        unlink(out->partial);
    px_free(out->partial);
    px_free(out->path);
    *out = (px_out){.fd = -1};
}

pith_status px_file_replace(const char *path, const void *bytes, size_t n, pith_error *err)
{
    px_out out;
    pith_status status = px_out_open(path, &out, err);
    if (status != PITH_OK)
        return status;
    status = px_out_write(&out, bytes, n, err);
    if (status == PITH_OK)
        return px_out_commit(&out, err);
    px_out_abort(&out);
    return status;
}

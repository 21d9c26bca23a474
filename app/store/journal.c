/* journal: see journal.h. */
#include "store/journal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BOOT = 64, SMALL = 256 << 10, LARGE = 1 << 20 };

/* The number of this start of the system; "?" where there is none, which then never matches. */
static void boot_id(char out[BOOT])
{
    snprintf(out, BOOT, "?");
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char line[BOOT] = "";
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n > 8)
        snprintf(out, BOOT, "%.*s", (int)strcspn(line, "\n"), line);
}

/* Whether the open file is still what stands at the path: another pull may have finished it. */
static bool same_file(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static pith_status lock_partial(store_journal *j, const char *blob, const store_job *job,
                                const char *file, bool *there, pith_error *err)
{
    pith_status status = PITH_OK;
    *there = false;
    while (status == PITH_OK) {
        if (blob && px_file_kind_of(blob) == PX_FILE_REGULAR) {
            *there = true;
            return PITH_OK;
        }
        int fd = open(j->partial, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return px_fail_errno(err, errno, "cannot open '%s'", j->partial);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (same_file(fd, j->partial)) {
                j->fd = fd;
                return PITH_OK;
            }
        } else {
            status = store_tell(job, &(store_progress){.step = STORE_STEP_WAIT, .file = file}, err);
            nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
        }
        close(fd);
    }
    return status;
}

pith_status store_journal_open(const store_root *s, const char *key, const char *blob,
                               const store_job *job, const char *file, store_journal *out,
                               bool *there, pith_error *err)
{
    *out = (store_journal){.fd = -1, .journal_fd = -1};
    *there = false;
    char *folder = NULL;
    pith_status status = store_set(&folder, err, "%s/blobs", s->home);
    if (status == PITH_OK)
        status = store_make_folder(folder, err);
    if (status == PITH_OK)
        status = store_set(&out->partial, err, "%s/%s.partial", folder, key);
    if (status == PITH_OK)
        status = store_set(&out->journal, err, "%s/%s.journal", folder, key);
    if (status == PITH_OK)
        status = lock_partial(out, blob, job, file, there, err);
    px_free(folder);
    if (status != PITH_OK || *there)
        store_journal_close(out);
    return status;
}

/* One line of the head; the text is cut at its end. */
static char *next_line(char **at)
{
    char *from = *at, *end = strchr(from, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return from;
}

/* Takes the states from an earlier journal when it is of the same file. */
static bool take_earlier(store_journal *j, const char *etag, char *text, size_t len,
                         const char *boot)
{
    char *at = text;
    const char *magic = next_line(&at), *size = magic ? next_line(&at) : NULL;
    const char *piece = size ? next_line(&at) : NULL, *then = piece ? next_line(&at) : NULL;
    const char *was = then ? next_line(&at) : NULL;
    struct stat st;
    if (!was || strcmp(magic, "pith 1") != 0 || strtoull(size, NULL, 10) != j->size ||
        strtoull(piece, NULL, 10) != j->piece || (*etag && strcmp(was, etag) != 0) ||
        (size_t)(text + len - at) != j->n_pieces || fstat(j->fd, &st) != 0 ||
        (uint64_t)st.st_size != j->size)
        return false;
    bool same_start = strcmp(then, boot) == 0 && strcmp(boot, "?") != 0;
    for (uint64_t i = 0; i < j->n_pieces; i++)
        j->states[i] = at[i] == '2' || (at[i] == '1' && same_start) ? at[i] : '0';
    snprintf(j->etag, sizeof j->etag, "%s", was);
    return true;
}

static pith_status write_all(int fd, const char *path, uint64_t at, const void *bytes, size_t n,
                             pith_error *err)
{
    const char *from = bytes;
    while (n > 0) {
        ssize_t did = pwrite(fd, from, n, (off_t)at);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return px_fail_errno(err, did < 0 ? errno : ENOSPC, "cannot write '%s'", path);
        from += did;
        at += (uint64_t)did;
        n -= (size_t)did;
    }
    return PITH_OK;
}

/* Writes the journal anew. */
static pith_status write_journal(store_journal *j, const char *boot, pith_error *err)
{
    px_buf text = {0};
    px_buf_printf(&text, "pith 1\n%" PRIu64 "\n%" PRIu64 "\n%s\n%s\n", j->size, j->piece, boot,
                  j->etag);
    j->at = text.len;
    px_buf_put(&text, j->states, j->n_pieces);
    pith_status status = px_buf_status(&text, j->journal, err);
    if (status == PITH_OK && j->journal_fd < 0) {
        j->journal_fd = open(j->journal, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (j->journal_fd < 0)
            status = px_fail_errno(err, errno, "cannot open '%s'", j->journal);
    }
    if (status == PITH_OK && ftruncate(j->journal_fd, 0) != 0)
        status = px_fail_errno(err, errno, "cannot empty '%s'", j->journal);
    if (status == PITH_OK)
        status = write_all(j->journal_fd, j->journal, 0, text.data, text.len, err);
    px_buf_clear(&text);
    return status;
}

pith_status store_journal_begin(store_journal *j, uint64_t size, const char *etag, bool *lost,
                                pith_error *err)
{
    char boot[BOOT];
    px_buf text = {0};
    struct stat st = {0};
    *lost = false;
    boot_id(boot);
    j->size = size;
    j->piece = size < (256u << 20) ? SMALL : LARGE;
    j->n_pieces = (size + j->piece - 1) / j->piece;
    j->states = px_malloc(j->n_pieces + 1, 1);
    if (!j->states)
        return px_fail_memory(err, "the journal of a download");
    memset(j->states, '0', j->n_pieces);
    (void)fstat(j->fd, &st);
    bool old = px_file_read(j->journal, STORE_MAX_RECORD, &text, NULL) == PITH_OK && text.len > 0;
    bool earlier = old && take_earlier(j, etag, text.data, text.len, boot);
    *lost = !earlier && st.st_size > 0;
    px_buf_clear(&text);
    pith_status status = PITH_OK;
    if (!earlier) {
        memset(j->states, '0', j->n_pieces);
        snprintf(j->etag, sizeof j->etag, "%.*s", (int)strcspn(etag, "\r\n"), etag);
        if (ftruncate(j->fd, 0) != 0 || ftruncate(j->fd, (off_t)size) != 0)
            status = px_fail_errno(err, errno, "cannot give '%s' its size", j->partial);
    }
    return status == PITH_OK ? write_journal(j, boot, err) : status;
}

pith_status store_journal_reset(store_journal *j, pith_error *err)
{
    char boot[BOOT];
    boot_id(boot);
    if (!j->states)
        return PITH_OK;
    memset(j->states, '0', j->n_pieces);
    return write_journal(j, boot, err);
}

pith_status store_journal_write(store_journal *j, uint64_t at, const void *bytes, size_t n,
                                pith_error *err)
{
    return write_all(j->fd, j->partial, at, bytes, n, err);
}

pith_status store_journal_mark(store_journal *j, uint64_t piece, pith_error *err)
{
    j->states[piece] = '1';
    return write_all(j->journal_fd, j->journal, j->at + piece, "1", 1, err);
}

pith_status store_journal_sync(store_journal *j, pith_error *err)
{
    if (!j->states)
        return PITH_OK;
    if (fdatasync(j->fd) != 0)
        return px_fail_errno(err, errno, "cannot sync '%s'", j->partial);
    for (uint64_t i = 0; i < j->n_pieces; i++)
        if (j->states[i] == '1')
            j->states[i] = '2';
    return write_all(j->journal_fd, j->journal, j->at, j->states, j->n_pieces, err);
}

bool store_journal_has(const store_journal *j, uint64_t piece)
{
    return j->states[piece] != '0';
}

uint64_t store_journal_bytes(const store_journal *j)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < j->n_pieces; i++)
        if (store_journal_has(j, i))
            n += i + 1 < j->n_pieces ? j->piece : j->size - i * j->piece;
    return n;
}

void store_journal_close(store_journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    if (j->journal_fd >= 0)
        close(j->journal_fd);
    px_free(j->partial);
    px_free(j->journal);
    px_free(j->states);
    *j = (store_journal){.fd = -1, .journal_fd = -1};
}

void store_journal_drop(store_journal *j)
{
    if (j->partial)
        unlink(j->partial);
    if (j->journal)
        unlink(j->journal);
}

/* disk: see disk.h. */
#include "engine/disk.h"

#include "base/mem.h"
#include "engine/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    NAME_BYTES = 64,
    NAME_LENGTH = 36,    // IDENTITY-HASH.kv
    MOST_OLD = 64,       // files that one look at the folder picks to be removed
    STALE_SECONDS = 600, // age of a file under construction that nobody is writing any more
    PATIENCE = 16        // pages that are not written after one that could not be
};

static const char MAGIC[8] = "pithkv1\n";

typedef struct header {
    char magic[8];
    uint64_t checksum;
    uint64_t identity, adapter_key, hash, n_tokens, page_bytes;
} header;

typedef struct old_file {
    char name[NAME_BYTES];
    int64_t time; // ns
    uint64_t bytes;
} old_file;

struct px_disk {
    px_disk_options options;
    int fd;          // of the folder
    int32_t *tokens; // [most_tokens] of a file that is being read
    int32_t wait;    // pages that will not be written
    old_file old[MOST_OLD];
    px_disk_info info;
    char note[256];
};

static void name_of(const px_disk *d, const px_disk_page *what, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%016" PRIx64 "-%016" PRIx64 ".kv", d->options.identity, what->hash);
}

static header header_of(const px_disk *d, const px_disk_page *what)
{
    header h = {.identity = d->options.identity,
                .adapter_key = what->adapter_key,
                .hash = what->hash,
                .n_tokens = (uint64_t)what->n_tokens,
                .page_bytes = d->options.page_bytes};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    return h;
}

static uint64_t checksum_of(const header *h, const int32_t *tokens, const void *page)
{
    uint64_t sum = px_hash_bytes(0, &h->identity, sizeof *h - offsetof(header, identity));
    sum = px_hash_bytes(sum, tokens, (size_t)h->n_tokens * sizeof *tokens);
    return px_hash_bytes(sum, page, h->page_bytes);
}

static uint64_t file_bytes(const px_disk *d, const px_disk_page *what)
{
    return sizeof(header) + (uint64_t)what->n_tokens * sizeof *what->tokens + d->options.page_bytes;
}

/* ---- the folder */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static bool is_page(const char *name)
{
    return strlen(name) == NAME_LENGTH && ends_with(name, ".kv") && name[16] == '-' &&
           strspn(name, "0123456789abcdef") == 16;
}

static int64_t time_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Puts a file among the oldest, which stand oldest first. */
static int32_t pick(px_disk *d, int32_t n, const char *name, const struct stat *st)
{
    int64_t time = time_of(st);
    if (n == MOST_OLD && time >= d->old[n - 1].time)
        return n;
    int32_t at = n < MOST_OLD ? n : n - 1;
    for (; at > 0 && d->old[at - 1].time > time; at--)
        d->old[at] = d->old[at - 1];
    snprintf(d->old[at].name, NAME_BYTES, "%s", name);
    d->old[at].time = time;
    d->old[at].bytes = (uint64_t)st->st_size;
    return n < MOST_OLD ? n + 1 : n;
}

/* Counts the files' bytes, removes what writers have left behind, and picks the oldest files. How
 * many. */
static int32_t look_around(px_disk *d)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    int32_t n = 0;
    uint64_t bytes = 0;
    struct stat st;
    for (const struct dirent *e; (e = readdir(dir));) {
        bool page = is_page(e->d_name);
        if ((!page && !ends_with(e->d_name, ".kv-partial")) ||
            fstatat(d->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (page) {
            bytes += (uint64_t)st.st_size;
            n = pick(d, n, e->d_name, &st);
        } else if (st.st_mtim.tv_sec + STALE_SECONDS < time(NULL)) {
            unlinkat(d->fd, e->d_name, 0);
        }
    }
    closedir(dir);
    d->info.bytes = bytes;
    return n;
}

/* Makes room for n more bytes, and for as much again as a tenth of all, so that not each page looks
 * through the folder. */
static void make_room(px_disk *d, uint64_t n)
{
    uint64_t most = d->options.most_bytes;
    if (d->info.bytes + n <= most)
        return;
    uint64_t goal = most - most / 10 > n ? most - most / 10 - n : 0;
    for (int32_t found = 1; found > 0 && d->info.bytes > goal;) {
        found = look_around(d);
        for (int32_t i = 0; i < found && d->info.bytes > goal; i++) {
            if (unlinkat(d->fd, d->old[i].name, 0) != 0 && errno != ENOENT)
                return; // nobody can say how to go on
            d->info.bytes -= d->old[i].bytes < d->info.bytes ? d->old[i].bytes : d->info.bytes;
        }
    }
}

/* ---- life */

pith_status px_disk_open(const px_disk_options *options, px_disk **out, pith_error *err)
{
    *out = NULL;
    px_disk *d = px_calloc(1, sizeof *d);
    if (!d)
        return px_fail_memory(err, "a cache on disk");
    d->options = *options;
    d->options.folder = NULL; // lent for the call
    d->fd = -1;
    d->tokens = px_malloc((size_t)options->most_tokens, sizeof *d->tokens);
    pith_status st = d->tokens ? PITH_OK : px_fail_memory(err, "a cache on disk");
    if (st == PITH_OK && mkdir(options->folder, 0700) != 0 && errno != EEXIST)
        st = px_fail_errno(err, errno, "cannot make the folder '%s' for the KV cache",
                           options->folder);
    if (st == PITH_OK) {
        d->fd = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->fd < 0 || faccessat(d->fd, ".", R_OK | W_OK | X_OK, 0) != 0)
            st = px_fail_errno(err, errno, "cannot read and write the folder '%s' for the KV cache",
                               options->folder);
    }
    if (st != PITH_OK) {
        px_disk_close(d);
        return st;
    }
    look_around(d);
    make_room(d, 0);
    *out = d;
    return PITH_OK;
}

void px_disk_close(px_disk *d)
{
    if (!d)
        return;
    if (d->fd >= 0)
        close(d->fd);
    px_free(d->tokens);
    px_free(d);
}

int64_t px_disk_most_pages(const px_disk *d)
{
    return (int64_t)(d->options.most_bytes / d->options.page_bytes);
}

void px_disk_get_info(const px_disk *d, px_disk_info *out)
{
    *out = d->info;
    out->note = d->note;
}

/* ---- writing */

static bool write_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* Notes that a file was used now: the clock by which the system stamps files stands still for
 * milliseconds, in which many are written, and which of them are older matters. */
static void stamp(int fd)
{
    struct timespec now[2];
    clock_gettime(CLOCK_REALTIME, &now[0]);
    now[1] = now[0];
    (void)futimens(fd, now);
}

static bool write_page(const px_disk *d, const char *partial, const px_disk_page *what,
                       const void *page)
{
    header h = header_of(d, what);
    h.checksum = checksum_of(&h, what->tokens, page);
    int fd = openat(d->fd, partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool fine = write_all(fd, &h, sizeof h) &&
                write_all(fd, what->tokens, (size_t)what->n_tokens * sizeof *what->tokens) &&
                write_all(fd, page, d->options.page_bytes);
    int code = errno;
    stamp(fd);
    fine = close(fd) == 0 && fine;
    if (!fine)
        errno = code;
    return fine;
}

void px_disk_save(px_disk *d, const px_disk_page *what, const void *page)
{
    char name[NAME_BYTES], partial[NAME_BYTES];
    uint64_t bytes = file_bytes(d, what);
    if (bytes > d->options.most_bytes || px_disk_has(d, what))
        return;
    if (d->wait > 0) {
        d->wait--;
        d->info.n_failed++;
        return;
    }
    make_room(d, bytes);
    name_of(d, what, name);
    snprintf(partial, sizeof partial, "%.*s.%ld.kv-partial", 33, name, (long)getpid());
    if (write_page(d, partial, what, page) && renameat(d->fd, partial, d->fd, name) == 0) {
        d->info.bytes += bytes;
        d->info.n_saved++;
        return;
    }
    snprintf(d->note, sizeof d->note, "cannot write %s of %" PRIu64 " bytes: %s", name, bytes,
             strerror(errno));
    unlinkat(d->fd, partial, 0);
    d->info.n_failed++;
    d->wait = PATIENCE;
}

/* ---- reading */

static bool read_all(int fd, void *bytes, size_t n)
{
    uint8_t *at = bytes;
    while (n > 0) {
        ssize_t done = read(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

bool px_disk_has(const px_disk *d, const px_disk_page *what)
{
    char name[NAME_BYTES];
    struct stat st;
    name_of(d, what, name);
    return fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Reads and verifies. What is wrong with the file, or NULL. */
static const char *read_page(px_disk *d, int fd, const px_disk_page *what, void *page)
{
    header h, expected = header_of(d, what);
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !read_all(fd, &h, sizeof h))
        return "cannot be read";
    expected.checksum = h.checksum;
    if (memcmp(h.magic, MAGIC, sizeof MAGIC) != 0)
        return "does not begin as a page";
    if (memcmp(&h, &expected, sizeof h) != 0)
        return "is of another model, cache or prefix";
    if ((uint64_t)st.st_size != file_bytes(d, what))
        return "is cut or too long";
    if (!read_all(fd, d->tokens, (size_t)what->n_tokens * sizeof *d->tokens) ||
        !read_all(fd, page, d->options.page_bytes))
        return "cannot be read";
    if (checksum_of(&h, d->tokens, page) != h.checksum)
        return "is damaged: its checksum differs";
    if (memcmp(d->tokens, what->tokens, (size_t)what->n_tokens * sizeof *d->tokens) != 0)
        return "is of another prefix of the same hash";
    return NULL;
}

bool px_disk_load(px_disk *d, const px_disk_page *what, void *page)
{
    char name[NAME_BYTES];
    name_of(d, what, name);
    if (what->n_tokens > d->options.most_tokens)
        return false;
    int fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    const char *wrong = read_page(d, fd, what, page);
    if (!wrong)
        stamp(fd);
    close(fd);
    if (!wrong) {
        d->info.n_loaded++;
        return true;
    }
    d->info.n_refused++;
    snprintf(d->note, sizeof d->note, "%s %s; it is not used and was removed", name, wrong);
    unlinkat(d->fd, name, 0);
    return false;
}

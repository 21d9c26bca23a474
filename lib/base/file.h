/*
 * file: mapping files, reading small ones whole, and replacing files so that a crash leaves the old
 * or the new content, never a mixture.
 */
#ifndef PX_BASE_FILE_H
#define PX_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

typedef enum px_file_kind {
    PX_FILE_NONE,
    PX_FILE_REGULAR,
    PX_FILE_FOLDER,
    PX_FILE_OTHER
} px_file_kind;

/* What stands at path (links followed); PX_FILE_NONE when nothing does. */
px_file_kind px_file_kind_of(const char *path);

/* A whole file mapped read-only and shared; pages come from the page cache when touched. Another
 * process that cuts the file while it is mapped makes later reads fault (SIGBUS): the map cannot
 * defend against that. */
typedef struct px_map {
    const uint8_t *data; // NULL for an empty file
    size_t size;
} px_map;

/* Refuses what is not a regular file. */
pith_status px_map_open(const char *path, px_map *out, pith_error *err);
void px_map_close(px_map *map);

/* Reads a regular file of at most `limit` bytes and appends it to out; nothing is appended on
 * failure. */
pith_status px_file_read(const char *path, size_t limit, px_buf *out, pith_error *err);

/* A file under construction: written beside its name as NAME.partial-PID-N, synced and renamed by
 * commit. */
typedef struct px_out {
    int fd;
    char *path;    // final name
    char *partial; // name while it is written
    uint64_t written;
} px_out;

/* Starts; the folder must exist. What stands at path must be a regular file, or a link to one,
 * which is then followed; its permissions are kept. On failure *out needs no abort. */
pith_status px_out_open(const char *path, px_out *out, pith_error *err);
/* Appends n bytes, whole or not at all as the caller sees it: after a failure only px_out_abort is
 * left. A full disk says so. */
pith_status px_out_write(px_out *out, const void *bytes, size_t n, pith_error *err);
/* Appends zero bytes up to the next multiple of `align`. */
pith_status px_out_pad(px_out *out, size_t align, pith_error *err);
/* Syncs, renames over the final name, syncs the folder. After a failure the partial file is gone.
 */
pith_status px_out_commit(px_out *out, pith_error *err);
/* Removes the partial file. Does nothing after commit or abort, or to one that is all zeros. */
void px_out_abort(px_out *out);

/* Replaces path with n bytes in one go. */
pith_status px_file_replace(const char *path, const void *bytes, size_t n, pith_error *err);

/* Appends "folder/name" to out. */
bool px_path_join(px_buf *out, const char *folder, const char *name);

#endif

/*
 * disk: whole pages of computed prefixes in a folder, one file each, so that they outlive the
 * process. Several engines and processes may share a folder.
 *
 *   IDENTITY-HASH.kv      both 16 hexadecimal digits: identity.h; the page's hash in cache.h
 *
 *   "pithkv1\n" | checksum | identity | adapter key | hash | n | page bytes    8 bytes each
 *   tokens [n] i32, all from the start to the end of the page
 *   the page
 *
 * The checksum (hash.h) is of all behind it. A file is written under another name and renamed: a
 * process that is killed leaves files that are whole, or that nobody looks for. It is not synced: a
 * crash of the system may leave a file of zeros or half a one, which the checksum finds. What is
 * found to be something else than its name says, or damaged, is counted, removed and not used. When
 * the files are more than allowed, those used longest ago go (their time of change is the time of
 * their last use). No failure here fails anything else.
 *
 * Engine's thread; takes nothing from the heap once open.
 */
#ifndef PX_ENGINE_DISK_H
#define PX_ENGINE_DISK_H

#include "base/error.h"

typedef struct px_disk px_disk;

typedef struct px_disk_options {
    const char *folder;  // made when it is missing; its parent must exist
    uint64_t most_bytes; // of all files in it
    uint64_t identity;
    size_t page_bytes;
    int64_t most_tokens; // of one sequence
} px_disk_options;

typedef struct px_disk_info {
    uint64_t bytes;   // of all files, as far as is known
    uint64_t n_saved; // pages since it was opened
    uint64_t n_loaded;
    uint64_t n_refused; // files that were not what they should be
    uint64_t n_failed;  // pages that could not be written
    const char *note;   // the last refusal or failure, a sentence; ""
} px_disk_info;

/* A page by what it holds. */
typedef struct px_disk_page {
    uint64_t adapter_key, hash;
    const int32_t *tokens; // [n_tokens] from the start to the end of the page
    int64_t n_tokens;
} px_disk_page;

/* Errors: IO (the folder cannot be made, read or written), MEMORY. */
pith_status px_disk_open(const px_disk_options *options, px_disk **out, pith_error *err);
/* NULL is fine. */
void px_disk_close(px_disk *d);

/* Writes a page, unless it is there. */
void px_disk_save(px_disk *d, const px_disk_page *what, const void *page);

/* Whether there seems to be such a page, and whether it was, and has been read. */
bool px_disk_has(const px_disk *d, const px_disk_page *what);
bool px_disk_load(px_disk *d, const px_disk_page *what, void *page);

/* Pages that the folder may hold. */
int64_t px_disk_most_pages(const px_disk *d);

void px_disk_get_info(const px_disk *d, px_disk_info *out);

#endif

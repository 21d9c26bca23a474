/*
 * journal: a file that is being fetched, and which pieces of it are there.
 *
 *   KEY.partial   the bytes, each at its place; flock on it keeps other pulls of the same file out
 *   KEY.journal   "pith 1\n" SIZE "\n" PIECE "\n" BOOT "\n" ETAG "\n", then a character a piece:
 *                 0 missing, 1 written, 2 written and synced
 *
 * A process that dies loses nothing that was written; a machine that dies may, so pieces of state 1
 * count only while BOOT, the number of the system's start, is the same. One thread.
 */
#ifndef PITH_STORE_JOURNAL_H
#define PITH_STORE_JOURNAL_H

#include "store/inside.h"

typedef struct store_journal {
    char *partial, *journal; // paths
    int fd, journal_fd;      // -1: not open
    uint64_t size, piece;    // bytes of the file (0: not known yet), of a piece
    uint64_t n_pieces;
    char *states;   // [n_pieces], as in the file
    size_t at;      // where they begin in the file
    char etag[256]; // of the answer that the bytes came from
} store_journal;

/* Opens the partial file and takes its lock, waiting while another pull has it. *there is set when
 * the blob at `blob` (may be NULL) came to be meanwhile: then nothing is open. */
pith_status store_journal_open(const store_root *s, const char *key, const char *blob,
                               const store_job *job, const char *file, store_journal *out,
                               bool *there, pith_error *err);

/* Goes on where an earlier pull of a file of this size stopped, or begins; a partial file of
 * another size or (where etag is not "") of another content is begun again, and *lost says so. */
pith_status store_journal_begin(store_journal *j, uint64_t size, const char *etag, bool *lost,
                                pith_error *err);
/* Forgets all pieces. */
pith_status store_journal_reset(store_journal *j, pith_error *err);

pith_status store_journal_write(store_journal *j, uint64_t at, const void *bytes, size_t n,
                                pith_error *err);
/* A piece is there; told at once. */
pith_status store_journal_mark(store_journal *j, uint64_t piece, pith_error *err);
/* Syncs the bytes, then says so. */
pith_status store_journal_sync(store_journal *j, pith_error *err);
bool store_journal_has(const store_journal *j, uint64_t piece);
/* Bytes of the pieces that are there. */
uint64_t store_journal_bytes(const store_journal *j);

/* Closes; the files stay. */
void store_journal_close(store_journal *j);
/* Removes both files, still holding the lock. */
void store_journal_drop(store_journal *j);

#endif

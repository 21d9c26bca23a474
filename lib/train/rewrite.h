/*
 * rewrite: writes chosen rows of a file as a file of the same format, each with its bytes as they
 * stood. The file appears under its name when it is complete. One thread.
 */
#ifndef PX_TRAIN_REWRITE_H
#define PX_TRAIN_REWRITE_H

#include "base/file.h"
#include "train/records.h"

typedef struct px_rewrite {
    px_out out;
    px_buf pending; // so that small rows are written together
    px_records_format format;
    int64_t n;
    bool middle; // txt: the last piece's document goes on
} px_rewrite;

/* Errors: as px_out_open. On failure there is nothing to abort. */
pith_status px_rewrite_open(px_rewrite *w, const char *path, const px_records *like,
                            pith_error *err);
pith_status px_rewrite_put(px_rewrite *w, const px_record *row, pith_error *err);
pith_status px_rewrite_commit(px_rewrite *w, pith_error *err);
/* Removes what was written; does nothing after commit. */
void px_rewrite_abort(px_rewrite *w);

#endif

/*
 * dataset: a data file as the door knows it: rows read as samples, any number of times. What stands
 * between file and trainer: px_dataset_examples.
 */
#ifndef PX_TRAIN_DATASET_H
#define PX_TRAIN_DATASET_H

#include "train/columns.h"
#include "train/render.h"

struct pith_dataset {
    px_arena arena; // of strings that live as long as it
    char *path;
    char *system; // or NULL
    px_records *records;
    px_columns columns;
    int64_t now;  // what templates take for the time, so that two passes give the same
    px_arena row; // of the row at hand
    int64_t most_rows;
};

/* The next row and its samples, both lent until the next call; *more is false at the end. The first
 * call after px_dataset_rewind gives the first row. Errors: as px_records_next. */
pith_status px_dataset_next(pith_dataset *d, px_record *row, px_samples *samples, bool *more,
                            pith_error *err);
pith_status px_dataset_rewind(pith_dataset *d, pith_error *err);

/* The renderer's options for the door's. */
pith_status px_dataset_options(const pith_dataset *d, const pith_render_options *in,
                               px_render_options *out, pith_error *err);

/* All examples of the file, from its first row on, in its order; *out begins as zeros and is to be
 * cleared whatever comes. options and result may be NULL. A row that cannot be read is FORMAT
 * unless options.skip_bad; all else that is left out is counted in *result. Errors: FORMAT (also
 * when no example is left), as px_dataset_next, MEMORY, CANCELLED. */
pith_status px_dataset_examples(pith_dataset *d, const pith_model *model,
                                const pith_render_options *options, px_examples *out,
                                pith_render_result *result, pith_error *err);

#endif

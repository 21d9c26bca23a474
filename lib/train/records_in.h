/* records_in: what the files of records share. */
#ifndef PX_TRAIN_RECORDS_IN_H
#define PX_TRAIN_RECORDS_IN_H

#include "train/records.h"

struct px_records {
    char *path;
    int fd;
    px_records_format format;
    uint64_t bytes; // of the file
    char *data;     // the window
    size_t at, len; // of it: what is given out ends at `at`, what is read at `len`
    size_t cap;
    bool eof;
    uint64_t offset; // of data[0] in the file
    int64_t line;    // of data[at], from 1
    int64_t row;
    bool begun;     // json: the array's bracket was read; table: the header was
    bool middle;    // txt: a document goes on
    px_buf json;    // a row of a table or text as an object
    char delimiter; // tables
    px_buf header;
    px_buf names; // of columns, each with a zero byte behind it
    int n_names;
};

/* Reads more behind what the window holds, moving that to its beginning; r->at becomes 0. At the
 * end of the file r->eof is set. Errors: IO, LIMIT, MEMORY. */
pith_status px_records_fill(px_records *r, pith_error *err);

/* Sees to it that at least n bytes stand behind r->at, unless the file ends. */
pith_status px_records_want(px_records *r, size_t n, pith_error *err);

/* Gives n bytes from r->at out as the raw row, of which lines are counted, and passes over them. */
void px_records_take(px_records *r, size_t n, px_record *out);

/* The row's value from JSON text, or what is wrong with it, with the line of the file. */
void px_records_check(px_records *r, const char *text, size_t n, px_record *out);

/* Tables: reads the header, and a row behind it. */
pith_status px_records_table_begin(px_records *r, pith_error *err);
pith_status px_records_table_next(px_records *r, px_record *out, bool *more, pith_error *err);

#endif

/*
 * records: the rows of a data file, one after the other, whatever its format. A row comes out as a
 * JSON object (of a table: column names and strings; of a text: {"text": ..}) together with its
 * bytes as they stand, so that a cleaned file can be written from them.
 *
 *   jsonl   an object a line; blank lines are passed over
 *   json    an array of objects, or an object in which such an array stands ({"data": [..]})
 *   csv     RFC 4180 with a header; the delimiter is ',' or ';' or a tab, what the header has most
 * of tsv     the same with tabs txt     documents between lines that hold <|endoftext|> alone; a
 * long one comes in pieces of about a MiB, cut at ends of lines
 *
 * Files are read through a window and never mapped: memory is that of the longest row, and a file
 * that another program cuts meanwhile ends early instead of killing this one. A row that cannot be
 * read is given with the reason and does not end the reading. One thread at a time.
 */
#ifndef PX_TRAIN_RECORDS_H
#define PX_TRAIN_RECORDS_H

#include "base/json.h"

typedef enum px_records_format {
    PX_RECORDS_JSONL,
    PX_RECORDS_JSON,
    PX_RECORDS_CSV,
    PX_RECORDS_TSV,
    PX_RECORDS_TXT,
    PX_RECORDS_FORMATS
} px_records_format;

typedef struct px_record {
    int64_t line;      // of the file where it begins, from 1
    int64_t row;       // from 1
    px_str raw;        // lent until the next, without the end of its line
    px_json value;     // an object, lent until the next; NONE where the row is bad
    pith_error error;  // why it is
    bool begins, ends; // of a document: false where a piece precedes or follows
} px_record;

typedef struct px_records px_records;

/* format: a name from above, or NULL: by the file's name, else by its beginning. Errors: NOT_FOUND,
 * IO, FORMAT (UTF-16, no header), UNSUPPORTED (Parquet, compressed files), ARGUMENT (no such
 * format). */
pith_status px_records_open(const char *path, const char *format, px_records **out,
                            pith_error *err);
void px_records_close(px_records *r);

/* The next row; *more is false at the end. Errors: IO, LIMIT (a row over PX_MAX_RECORD_BYTES),
 * FORMAT (json: what stands between rows; nothing after it can be read), MEMORY. */
pith_status px_records_next(px_records *r, px_record *out, bool *more, pith_error *err);

/* Back to the first row. */
pith_status px_records_rewind(px_records *r, pith_error *err);

px_records_format px_records_format_of(const px_records *r);
const char *px_records_format_name(px_records_format format);
/* Bytes of the file, and how many of them were given out. */
uint64_t px_records_bytes(const px_records *r, uint64_t *done);
/* Of a table: its header as it stands, without the end of its line; else empty. */
px_str px_records_header(const px_records *r);

#endif

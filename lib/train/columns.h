/*
 * columns: which members of a row mean what, found by their names or named by the user, and so what
 * kind of data a file is. Immutable once chosen.
 */
#ifndef PX_TRAIN_COLUMNS_H
#define PX_TRAIN_COLUMNS_H

#include "base/arena.h"
#include "train/records.h"

typedef enum px_column {
    PX_COLUMN_MESSAGES, // a list of turns
    PX_COLUMN_PROMPT,
    PX_COLUMN_COMPLETION,
    PX_COLUMN_INPUT, // goes behind the prompt (alpaca)
    PX_COLUMN_SYSTEM,
    PX_COLUMN_HISTORY, // [[question, answer], ..] before the prompt
    PX_COLUMN_TEXT,
    PX_COLUMN_CHOSEN,
    PX_COLUMN_REJECTED,
    PX_COLUMN_LABEL,
    PX_COLUMN_TOOLS,
    PX_COLUMN_INSTANCES, // [{input, output}, ..] of one prompt
    PX_COLUMNS
} px_column;

typedef enum px_data_kind {
    PX_DATA_CHAT,   // messages
    PX_DATA_PROMPT, // prompt and completion
    PX_DATA_TEXT,
    PX_DATA_PAIR,  // chosen and rejected
    PX_DATA_LABEL, // prompt, completion and whether it is good
    PX_DATA_KINDS
} px_data_kind;

typedef struct px_columns {
    px_data_kind kind;
    const char *name[PX_COLUMNS]; // of the file; NULL: not used
    bool asked[PX_COLUMNS];       // the user named it
    char used[256];               // "prompt=question, completion=answer", for people
    char unused[256];             // other names that the first rows hold
} px_columns;

const char *px_column_name(px_column column);
const char *px_data_kind_name(px_data_kind kind);

/* Looks at the first rows, and leaves the reader at the beginning. asked: "prompt=question,
 * completion=answer" or NULL; kind: a name, or NULL: by the columns. Strings are the arena's.
 * Errors: ARGUMENT (what was asked makes no sense; the columns are of no kind: the sentence names
 * them), FORMAT (no row), and as px_records_next. */
pith_status px_columns_choose(px_records *records, const char *asked, const char *kind,
                              px_arena *arena, px_columns *out, pith_error *err);

/* The value in a row; NONE when the column is not used or the row lacks it. */
px_json px_column_of(const px_columns *c, px_column column, px_json row);

#endif

/*
 * sample: what a row teaches, in one form whatever the row looked like: a conversation as OpenAI's
 * clients write it, of which the turns to be learned are those of the assistant without "train":
 * false. Where prompt and answer were given as plain strings these are kept beside it, for models
 * without a template.
 */
#ifndef PX_TRAIN_SAMPLE_H
#define PX_TRAIN_SAMPLE_H

#include "train/columns.h"

typedef enum px_fault { // why a row teaches nothing
    PX_FAULT_NONE,
    PX_FAULT_PARSE,   // it cannot be read
    PX_FAULT_MISSING, // a column
    PX_FAULT_TYPE,    // a column holds something else than it should
    PX_FAULT_ROLE,    // a turn of nobody known
} px_fault;

typedef struct px_sample {
    int64_t line;
    px_data_kind kind;
    bool strings;                        // prompt, completion (and rejected) are plain strings
    bool good;                           // LABEL
    bool begins, ends;                   // TEXT: of a document
    px_str chat;                         // {"messages": [..], "tools": [..]}; empty for TEXT
    px_str other;                        // PAIR: the same with the answer that was rejected
    px_str prompt, completion, rejected; // strings
    px_str text;                         // TEXT
} px_sample;

typedef struct px_samples {
    px_sample *list;
    int n;          // 1, or as many as a row has instances
    px_fault fault; // then n is 0 and `error` says it
    pith_error error;
} px_samples;

/* The samples of a row, whose strings are the arena's. `system` stands before conversations that
 * bring no system message; NULL: nothing. What is wrong with the row is no failure of the call.
 * Errors: MEMORY. */
pith_status px_samples_read(const px_columns *columns, const px_record *row, const char *system,
                            px_arena *arena, px_samples *out, pith_error *err);

#endif

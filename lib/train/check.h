/*
 * check: what the files of a check share. A check passes over the evaluation set, if there is one,
 * then over the set: each row's faults are found there and then, what depends on all rows is kept
 * as a few bytes a row (px_row_fact) and judged at the end; last, the good rows are written.
 */
#ifndef PX_TRAIN_CHECK_H
#define PX_TRAIN_CHECK_H

#include "train/dataset.h"
#include "train/facts.h"
#include "train/near.h"
#include "train/report.h"
#include "train/scan.h"

enum {                  // of px_row_fact.bits: forms in which rows may differ
    PX_FORM_SYSTEM = 1, // a system message
    PX_FORM_JSON = 2,   // the answer is a JSON object or array
    PX_FORM_MARKS = 4,  // the prompt has headings of a prompt format ("### Instruction:")
    PX_FORM_LEADING = 8,
    PX_FORM_TRAILING = 16, // white space around the answer
    PX_FORMS = 5,
    PX_FORM_SWITCH = 32, // prompt and answer are of different languages
    PX_FORM_GOOD = 64    // KTO: the label
};

typedef struct px_row_fact {
    uint32_t line;
    uint32_t answer_bytes, prompt_bytes;
    uint8_t bits;
    uint8_t language;
    uint8_t drop; // 1 + the finding for which the cleaned file lacks it
    bool good;    // it teaches something
} px_row_fact;

enum { PX_CLASSES = 64, PX_CLASS_BYTES = 48 };

typedef struct px_class { // a short answer that many rows may have
    char text[PX_CLASS_BYTES + 1];
    int64_t count, line;
} px_class;

typedef struct px_check {
    pith_dataset *set;
    pith_data_check_options options;
    pith_data_report *report;
    px_renderer *renderer; // or NULL
    px_facts facts;
    px_row_fact *rows; // [n]
    int64_t n, cap;
    int32_t *lengths; // [n_lengths] tokens of examples
    int64_t n_lengths, cap_lengths;
    px_near near, eval_near;
    px_map64 seen, prompts,
        eval_seen;     // hashes of rows; of prompts, to rows; of the other set's rows
    px_map64 answers;  // of prompts, to hashes of answers
    px_map64 class_of; // hash of a short answer to its place in classes
    px_class classes[PX_CLASSES];
    int n_classes;                    // over PX_CLASSES: answers are no classes
    px_record *record;                // at hand
    bool row_found[PX_FIND_COUNT];    // a row counts once
    uint64_t bytes_before, bytes_all; // progress
    double learned;                   // tokens, of examples given out
} px_check;

/* Counts a finding of the row at hand, once; marks the row to be dropped where that finding does.
 */
void px_check_find(px_check *c, px_finding f, const char *fmt, ...) PX_PRINTF(3, 4);

/* check_row.c: what is wrong with one sample by itself. Errors: MEMORY. */
pith_status px_check_sample(px_check *c, const px_sample *s, pith_error *err);
/* check_row.c: takes in what the evaluation set holds. */
pith_status px_check_eval_sample(px_check *c, const px_sample *s, pith_error *err);
/* check_all.c: what shows only in all rows; fills the statistics. */
pith_status px_check_all(px_check *c, pith_error *err);

#endif

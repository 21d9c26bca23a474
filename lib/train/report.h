/*
 * report: what a check found, as the door hands it out. Filled by check.c, then immutable.
 */
#ifndef PX_TRAIN_REPORT_H
#define PX_TRAIN_REPORT_H

#include "train/findings.h"
#include "train/render.h"

enum { PX_MOST_PREVIEWS = 64 };

typedef struct px_preview {
    int64_t line;
    px_buf text;
    pith_str *learned; // of text
    int32_t n_learned, cap;
    int32_t n_tokens, n_learned_tokens;
    bool rejected;
} px_preview;

struct pith_data_report {
    px_found found[PX_FIND_COUNT];
    px_finding order[PX_FIND_COUNT]; // those that were found, the most severe first
    char *sentences[PX_FIND_COUNT];  // of them; px_free
    int32_t n_found;
    pith_data_stats stats;
    px_preview *previews; // [PX_MOST_PREVIEWS]
    int32_t n_previews;
};

/* Keeps an example to be shown. Errors: MEMORY. */
pith_status px_report_preview(pith_data_report *report, const px_tokenizer *tok,
                              const px_rendering *r, pith_error *err);

/* Orders what was found and writes the sentences; n_rows is what they count in. Errors: MEMORY. */
pith_status px_report_finish(pith_data_report *report, int64_t n_rows, pith_error *err);

#endif

/*
 * facts: what a sample says, turn by turn, for checks and splits: texts with their escapes
 * resolved, the prompt and the answers as one text each. Reused from sample to sample. One thread.
 */
#ifndef PX_TRAIN_FACTS_H
#define PX_TRAIN_FACTS_H

#include "base/buf.h"
#include "train/sample.h"

typedef enum px_who { PX_WHO_SYSTEM, PX_WHO_USER, PX_WHO_ASSISTANT, PX_WHO_TOOL } px_who;

typedef struct px_said {
    px_who who;
    size_t start, end; // of px_facts.text
    bool calls;        // the turn has tool calls
    bool learned;      // ASSISTANT
} px_said;

typedef struct px_facts {
    px_buf text;    // of all turns, one after the other; of a text the text
    px_buf prompt;  // what stands before the first learned answer, without system messages
    px_buf answer;  // the learned answers
    px_buf other;   // PAIR: those that were rejected
    px_said *turns; // [n]
    int n, cap;
    bool tools;
    px_buf scratch;
} px_facts;

/* Errors: MEMORY. */
pith_status px_facts_read(px_facts *f, const px_sample *s, pith_error *err);
void px_facts_clear(px_facts *f);

static inline px_str px_facts_str(const px_buf *buf)
{
    return (px_str){.data = buf->data ? buf->data : "", .len = buf->len};
}

/* A hash of a text in which runs of white space count as one space, and those at the ends not. */
uint64_t px_facts_hash(px_str text);
/* Of everything in the sample. */
uint64_t px_facts_whole(const px_facts *f);

#endif

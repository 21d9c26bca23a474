/*
 * examples: what training reads: token ids with a mark on each that is to be learned. Made by
 * dataset.c (px_dataset_examples), consumed by pack.c and the trainer; knows neither files nor
 * models.
 *
 * Token t of an example is learned when learn[t] is nonzero: the loss at position t - 1 has target
 * ids[t]. learn[0] is always 0. Ids are those of the model's tokenizer, special tokens placed as
 * the template prints them, with no BOS but the one that the template or the tokenizer gives.
 */
#ifndef PX_TRAIN_EXAMPLES_H
#define PX_TRAIN_EXAMPLES_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum px_goal {
    PX_GOAL_NEXT, // learn the marked tokens
    PX_GOAL_PAIR, // examples 2i (chosen) and 2i + 1 (rejected) answer one prompt
    PX_GOAL_LABEL // good or bad, by px_example.good (KTO)
} px_goal;

typedef struct px_example {
    const int32_t *ids;   // [n]
    const uint8_t *learn; // [n], 0 or 1
    int32_t n;
    int32_t n_learn; // how many are 1
    int64_t line;    // of the file, from 1, for messages
    bool good;       // LABEL only
} px_example;

typedef struct px_examples {
    px_goal goal;
    px_example *all; // [n], of the heap
    int64_t n, cap;
    int64_t n_tokens, n_learn; // of all
    px_arena arena;            // ids and marks
} px_examples;

/* Copies an example behind those there are; e begins as zeros. Errors: MEMORY. */
pith_status px_examples_add(px_examples *e, const px_example *example, pith_error *err);

/* Frees all; e is zeros afterwards. */
void px_examples_clear(px_examples *e);

#endif

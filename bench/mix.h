/*
 * mix: what many clients ask, and figures of how they were served. Shared by the programs that ask
 * the engine through the door and `pith serve` through HTTP, so that both are asked the same.
 *
 * A client sends a prompt of 50 to 2000 random tokens (sizes spread evenly on a logarithmic scale;
 * nothing is shared), hears 20 to 120 tokens, and begins anew. What client i of a seed asks in its
 * n-th turn depends on these alone. One thread.
 */
#ifndef PITH_BENCH_MIX_H
#define PITH_BENCH_MIX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MIX_MOST_CLIENTS = 256, MIX_MOST_PROMPT = 2000 };

typedef struct mix_client {
    uint64_t state; // of its random numbers
    int32_t tokens[MIX_MOST_PROMPT];
    int64_t n_prompt, max_tokens;
    /* Figures. */
    bool first;             // the next piece is the first
    double begun, last;     // of the answer under way
    int64_t n_done;         // answers that came to their end
    int64_t n_pieces;       // pieces of text heard
    int64_t n_tokens;       // those, and prompts whose answer has begun
    double worst_gap, wait; // seconds; wait: longest for a first piece
} mix_client;

typedef struct mix_wait {
    int64_t n_prompt;
    double seconds;
} mix_wait;

typedef struct mix {
    int n_clients;
    int32_t n_vocab;
    mix_client *clients;
    double start, end; // what comes after the end does not count
    double *gaps;      // between two pieces of an answer
    mix_wait *waits;   // for first pieces
    int64_t n_gaps, n_waits;
    double computed; // tokens that the engine computed, of prompts and answers
} mix;

/* Ends the program when memory is out. */
void mix_init(mix *m, int n_clients, int32_t n_vocab, uint64_t seed);
void mix_clear(mix *m);

/* The client's next question, which it asks now. */
void mix_ask(mix *m, int client);
/* It heard a piece of text. */
void mix_hear(mix *m, int client);
/* Its answer has ended. */
void mix_end(mix *m, int client);

/* Nobody is starved: every client has at least half of the tokens that the median client has, and
 * no first piece took more than 3 times the median of prompts of that size, unless it came before
 * half of all first pieces did (a size that is nearly always served at once has a tiny median). */
bool mix_is_fair(const mix *m);

/* The p-th part of the sorted gaps, in seconds. */
double mix_gap(const mix *m, double p);

/* Sorts the figures; before the functions below and mix_gap. */
void mix_finish(mix *m);
void mix_print(const mix *m, const char *name, FILE *to);
void mix_print_json(const mix *m, FILE *to);

double mix_now(void);

#endif

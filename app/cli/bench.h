/*
 * bench: what the files of `pith bench` share.
 *
 *   cmd_bench.c       options, the order of rows, what does not fit
 *   bench_limits.c    limits of the machine, sampled between other work; the shortest time of a
 * cost bench_rows.c      prefill and decode in this process bench_open.c      opening, in processes
 * of their own bench_report.c    the table and the JSON object
 *
 * One thread. A row compares each stretch of work with the mean of the limits that were measured
 * right before and right after it.
 */
#ifndef PITH_CLI_BENCH_H
#define PITH_CLI_BENCH_H

#include "base/error.h"
#include "pith.h"

#include <jansson.h>

enum { BENCH_MAX_LIST = 32, BENCH_MAX_ROWS = 512, BENCH_MAX_REPEATS = 101 };

typedef struct bench_list {
    int64_t items[BENCH_MAX_LIST];
    int n;
} bench_list;

/* Engine options as they were given, for this process and for those that open the model anew. */
typedef struct bench_engine_args {
    const char *cpu, *kv, *kv_k, *kv_v;
    int64_t threads, ctx, step;
} bench_engine_args;

/* ---- limits */

typedef enum bench_bound { BENCH_READ, BENCH_INT8, BENCH_BF16, BENCH_F32 } bench_bound;

typedef struct bench_rates {
    double of[4]; // by bench_bound: 10^9 bytes or operations a second
} bench_rates;

enum { BENCH_MAX_SAMPLES = 16384 };

typedef struct bench_limits {
    pith_meter *meter;
    pith_limits first; // measured at length, before the rows
    struct bench_samples {
        double items[BENCH_MAX_SAMPLES];
        int n;
    } of[4]; // of the whole run
} bench_limits;

pith_status bench_limits_init(bench_limits *l, const bench_engine_args *args, pith_error *err);
void bench_limits_clear(bench_limits *l);

/* A glance at the limits that this cost needs; the others are 0. */
pith_status bench_limits_sample(bench_limits *l, const pith_cost *cost, bench_rates *out,
                                pith_error *err);

/* Median, least and most of what was measured during the run. */
void bench_limits_range(const bench_limits *l, bench_bound kind, double *median, double *least,
                        double *most);

/* Seconds that a cost takes at these rates: reading and computing side by side, the longer counts;
 * kinds of arithmetic one after the other. *bound says which. Attention's operations are left out.
 */
double bench_shortest(const pith_cost *cost, const bench_rates *rates, bench_bound *bound);

double bench_median(double *items, int n); // sorts them

/* ---- rows */

typedef enum bench_test { BENCH_PREFILL, BENCH_DECODE, BENCH_OPEN } bench_test;

typedef struct bench_row {
    bench_test test;
    int64_t n, depth, batch;
    bool cold;      // of OPEN
    bool done;      // the rest is filled
    char skip[160]; // why there will be no result; "": not skipped
    double tok_s;   // OPEN: first tokens a second
    double spread;  // (most - least) / median of tok_s
    double limit_tok_s, of_limit;
    bench_bound bound;
    double attention; // operations of attention over those of weights
    int n_repeats;
} bench_row;

typedef struct bench_repeat {
    double tok_s, limit_tok_s;
} bench_repeat;

/* Fills a row from its repeats: the one whose part of the limit is the median stands for it. Sorts
 * them. */
void bench_row_fill(bench_row *row, bench_repeat *repeats, int n);

/* What rows are measured with. */
typedef struct bench_run {
    pith_engine *engine;
    pith_session *base; // holds the first tokens, as many as the row's depth
    bench_limits *limits;
    int32_t *tokens; // [n_tokens], arbitrary ids
    int64_t n_tokens;
    int n_repeats;
    double row_seconds; // repeats end when a row took longer, but not before three are done
    double until;       // cli_now at which the time limit is reached; 0: none
    double fill_rate;   // tokens a second of the last fill or prefill, 0 unknown
} bench_run;

/* Arbitrary ids of the vocabulary, the same in every run. Freed with px_free. */
int32_t *bench_tokens(int64_t n, int32_t n_vocab);

/* Makes the base session hold the first `depth` tokens. *late: the time limit would be passed, and
 * nothing was done. */
pith_status bench_fill(bench_run *run, int64_t depth, bool *late, pith_error *err);

pith_status bench_prefill(bench_run *run, bench_row *row, pith_error *err);
pith_status bench_decode(bench_run *run, bench_row *row, pith_error *err);

/* ---- opening */

/* What a process that opens a model, reads a prompt and writes some tokens says of itself. */
typedef struct bench_once {
    double first_token;    // seconds from its start till the first token's logits
    uint64_t read_bytes;   // that the prompt's step must read
    uint64_t peak_bytes;   // of resident memory
    uint64_t file_bytes;   // resident now of the model's files
    uint64_t kv_bytes;     // committed
    uint64_t beyond_bytes; // peak without file_bytes and kv_bytes
} bench_once;

/* The files of a model. */
typedef struct bench_files {
    char **paths;
    int n;
} bench_files;

pith_status bench_files_list(const pith_model *model, bench_files *out, pith_error *err);
void bench_files_clear(bench_files *files);

/* Asks the system to forget the files' pages; *left is the part of them that stays in memory. */
pith_status bench_files_drop(const bench_files *files, double *left, pith_error *err);

/* Runs `pith bench MODEL --once=PROMPT,DECODE` with these options and reads what it says. */
pith_status bench_once_spawn(const char *model, const bench_engine_args *args, int64_t n_prompt,
                             int64_t n_decode, bench_once *out, pith_error *err);

/* The work of that process: opens, computes, prints a line of JSON. */
pith_status bench_once_run(const char *model, const bench_engine_args *args, int64_t n_prompt,
                           int64_t n_decode, pith_error *err);

/* Options for an engine of a model. */
pith_engine_options bench_engine_options(const bench_engine_args *args);

/* ---- report */

typedef struct bench_report {
    const char *model;
    const pith_model_info *info;
    pith_machine machine;
    pith_engine_info engine;
    const bench_limits *limits;
    const bench_row *rows;
    int n_rows;
    bool has_memory;
    bench_once memory;
    int64_t memory_prompt, memory_decode;
    pith_cost token; // of one token at depth 0
    uint64_t head_bytes;
    uint64_t kv_token_bytes; // that a token adds
    const char *k_type, *v_type;
} bench_report;

void bench_print_head(const bench_report *r);
void bench_print_row(const bench_row *row);
void bench_print_foot(const bench_report *r);
json_t *bench_json(const bench_report *r); // NULL: memory is out

#endif

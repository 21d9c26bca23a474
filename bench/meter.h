/*
 * meter: what the programs that time kernels share: threads, the machine's limits measured with
 * them, times, and memory filled with noise. One thread calls.
 */
#ifndef PITH_BENCH_METER_H
#define PITH_BENCH_METER_H

#include "base/pool.h"
#include "kern/act.h"
#include "kern/limits.h"

typedef enum meter_limit { METER_INT8, METER_BF16, METER_F32, METER_READ } meter_limit;

typedef struct meter {
    px_limits limits;
    px_pool *pool;
    int n_threads;
    const uint8_t *read_from; // of reading: memory of read_bytes, a part a thread
    size_t read_bytes;
    volatile uint64_t *seen; // [members] keeps compilers from leaving work out
    meter_limit job;
    int way;
} meter;

/* Ends the program with a message where memory or threads are missing. */
void meter_start(meter *m, px_cpu_level level, int n_threads);
void meter_stop(meter *m);

double meter_now(void);
void *meter_memory(size_t n); // aligned to 4096

/* What all members do in a second, the best of five: operations, or bytes read. */
double meter_measure(meter *m, meter_limit what);
/* The arithmetic that a form of activations asks for, and its name. */
meter_limit meter_arithmetic(const meter *m, px_act_form form, const char **name);

/* Numbers near enough to normal. */
float meter_noise(uint64_t *state);

/* Packed rows of noise, encoded by the dtype's own encoder: 8 rows, repeated. */
uint8_t *meter_weights(px_dtype dtype, int64_t n_rows, int64_t k, size_t *row_bytes);

/* Sorts n times, ascending. */
void meter_sort(double *times, int n);

#endif

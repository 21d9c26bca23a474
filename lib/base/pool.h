/*
 * pool: threads that compute. They are made once, wait by spinning for a short while and then
 * parked, and run one task at a time for the thread that owns the pool. That thread takes part as
 * member 0.
 *
 * Work is cut into chunks by the shapes of the data alone; which member takes which chunk is free.
 * So results do not depend on the number of threads. One thread at a time may call into a pool.
 */
#ifndef PX_BASE_POOL_H
#define PX_BASE_POOL_H

#include "base/error.h"

typedef struct px_pool px_pool;

/* n_threads members in all, the caller included; 1 makes no thread, 0 takes the physical cores. At
 * most 512. */
pith_status px_pool_new(int n_threads, px_pool **out, pith_error *err);
void px_pool_free(px_pool *pool);
int px_pool_size(const px_pool *pool);

/* Runs task(ctx, member) once on every member, 0 <= member < size, and returns when all have. */
typedef void (*px_pool_task)(void *ctx, int member);
void px_pool_run(px_pool *pool, px_pool_task task, void *ctx);

/* Inside a task that all members run: waits until all have come here. What was written before is
 * seen after. */
void px_pool_barrier(px_pool *pool, int member);

/* Inside a task that all members run: the next chunk of 0..n_chunks-1 that nobody has taken, or -1
 * when none is left. Ends with a barrier for everyone when it returns -1, which also makes the
 * counter ready for the next loop. */
int64_t px_pool_next(px_pool *pool, int member, int64_t n_chunks);

/* Runs work(ctx, chunk, member) for each chunk in 0..n_chunks-1, in any order. */
typedef void (*px_pool_work)(void *ctx, int64_t chunk, int member);
void px_pool_for(px_pool *pool, int64_t n_chunks, px_pool_work work, void *ctx);

#endif

/*
 * mem: the heap as libpith uses it, and arithmetic on sizes that cannot wrap.
 *
 * All of lib/ allocates through these, so that a build with -Dfault=true can make the n-th
 * allocation fail, and so that a guard can prove that prefill, decode and a training step take
 * nothing from the heap.
 */
#ifndef PX_BASE_MEM_H
#define PX_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *out = a * b or a + b; false (and *out untouched) where that does not fit. */
static inline bool px_mul_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool px_add_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

/* Rounds n up to a multiple of the power of two `align`; n must be at least align below SIZE_MAX.
 */
static inline size_t px_round_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

/* n elements of `size` bytes; NULL when that overflows, memory is out or a fault is injected. n or
 * size of 0 gives a pointer that may be freed. px_calloc zeroes. px_realloc keeps the old block on
 * failure. px_aligned aligns to a power of two of at least sizeof(void *). px_free takes NULL and
 * anything from the others. */
void *px_malloc(size_t n, size_t size);
void *px_calloc(size_t n, size_t size);
void *px_realloc(void *old, size_t n, size_t size);
void *px_aligned(size_t n, size_t size, size_t align);
void px_free(void *p);

/* Copies n bytes and adds a zero byte. NULL when memory is out. */
char *px_strndup(const char *s, size_t n);

/* The guard against allocation in the hot path: between px_heap_forbid and px_heap_allow (they
 * nest, per thread) each allocation by this thread is counted. px_heap_violations gives the count
 * of the whole process so far; tests hold it to 0. Compiled in with -Dfault=true only; otherwise
 * the calls are empty and the count is 0. */
void px_heap_forbid(void);
void px_heap_allow(void);
uint64_t px_heap_violations(void);

/* Fault injection (-Dfault=true): the nth allocation from now (0 is the next) fails, and all after
 * it when `sticky`. Negative n disarms. px_fault_count gives the allocations asked for since the
 * last arming. */
void px_fault_arm(int64_t nth, bool sticky);
int64_t px_fault_count(void);

#endif

/*
 * mem: see mem.h. The only file of libpith that calls malloc. The counters below exist in fault
 * builds only; they are the one exception to "no mutable globals", and shipping builds do not
 * contain them. Threads: all functions may be called from any thread.
 */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#ifdef PITH_FAULT
#include <stdatomic.h>

static _Thread_local int forbidden;
static _Atomic uint64_t violations;
static _Atomic int64_t asked;
static _Atomic int64_t fail_at = -1;
static _Atomic bool fail_after;

/* Counts one request; true when it is to fail. */
static bool fault(void)
{
    if (forbidden > 0)
        atomic_fetch_add(&violations, 1);
    int64_t n = atomic_fetch_add(&asked, 1);
    int64_t at = atomic_load(&fail_at);
    return at >= 0 && (n == at || (n > at && atomic_load(&fail_after)));
}

void px_heap_forbid(void)
{
    forbidden++;
}

void px_heap_allow(void)
{
    forbidden--;
}

uint64_t px_heap_violations(void)
{
    return atomic_load(&violations);
}

void px_fault_arm(int64_t nth, bool sticky)
{
    atomic_store(&asked, 0);
    atomic_store(&fail_after, sticky);
    atomic_store(&fail_at, nth);
}

int64_t px_fault_count(void)
{
    return atomic_load(&asked);
}
#else
static inline bool fault(void)
{
    return false;
}

void px_heap_forbid(void)
{
}

void px_heap_allow(void)
{
}

uint64_t px_heap_violations(void)
{
    return 0;
}

void px_fault_arm(int64_t nth, bool sticky)
{
    (void)nth;
    (void)sticky;
}

int64_t px_fault_count(void)
{
    return 0;
}
#endif

void *px_malloc(size_t n, size_t size)
{
    size_t bytes;
    if (!px_mul_size(n, size, &bytes) || fault())
        return NULL;
    return malloc(bytes ? bytes : 1);
}

void *px_calloc(size_t n, size_t size)
{
    if (fault())
        return NULL;
    return n && size ? calloc(n, size) : calloc(1, 1);
}

void *px_realloc(void *old, size_t n, size_t size)
{
    size_t bytes;
    if (!px_mul_size(n, size, &bytes) || fault())
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void *px_aligned(size_t n, size_t size, size_t align)
{
    size_t bytes;
    void *p = NULL;
    if (!px_mul_size(n, size, &bytes) || fault())
        return NULL;
    if (posix_memalign(&p, align, bytes ? bytes : 1) != 0)
        return NULL;
    return p;
}

void px_free(void *p)
{
    free(p);
}

char *px_strndup(const char *s, size_t n)
{
    size_t bytes;
    if (!px_add_size(n, 1, &bytes))
        return NULL;
    char *copy = px_malloc(bytes, 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

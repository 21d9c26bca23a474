/*
 * peaks: what one core of this machine can do at best, as loops that the benchmarks compare with.
 * Each runs once, for some milliseconds, and returns what it did; the caller takes the time. One
 * thread a call; several may call at once.
 */
#ifndef PITH_BENCH_PEAKS_H
#define PITH_BENCH_PEAKS_H

#include "base/cpu.h"

#include <stddef.h>

/* Operations (a multiplication and an addition each count one) of independent dot products of bytes
 * at a level: vpdpbusd, or maddubs and madd and add. 0: none known. */
double peak_int8(px_cpu_level level, long rounds);
/* The same of f32 fused multiply-adds. */
double peak_f32(px_cpu_level level, long rounds);
/* Reads n bytes, a multiple of 1024, in four streams with prefetch. Returns n. */
double peak_read(const void *p, size_t n);

#endif

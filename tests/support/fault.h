/*
 * fault: makes each allocation of a piece of work fail in turn (builds with -Dfault=true only;
 * allocations are those of base/mem.h).
 */
#ifndef PITH_TESTS_FAULT_H
#define PITH_TESTS_FAULT_H

#include "pith.h"

#include <stdint.h>

/* One piece of work, from nothing to nothing: it frees all that it made, whatever failed. Returns
 * its status and fills err. It must ask for the same allocations each time. */
typedef pith_status (*test_fault_work)(void *ctx, pith_error *err);

/* Runs the work once without faults, when it must succeed, and then for each of its n allocations
 * with that one failing, and with that one and all later ones failing. Each time it must end with
 * PITH_E_MEMORY and a sentence; leaks and double frees are AddressSanitizer's to find. Afterwards
 * it must succeed again. With more than `most` allocations, a spread of `most` of them is taken;
 * 0 takes all. Returns n. */
int64_t test_fault_each(test_fault_work work, void *ctx, int64_t most);

#endif

/*
 * fuzz: what a target is. It takes hostile bytes, must return 0 and leave nothing behind; it calls
 * FUZZ_CHECK for what must hold whatever the bytes are.
 */
#ifndef PITH_FUZZ_H
#define PITH_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's name for it; fuzz_NAME.c defines it, libFuzzer or replay.c calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops at once, as a finding, when the condition does not hold. */
#define FUZZ_CHECK(condition) \
    do {                      \
        if (!(condition))     \
            __builtin_trap(); \
    } while (0)

#endif

/* What every fuzz target defines, and both drivers (libFuzzer's and replay.c) call. */
#ifndef LECTERN_TESTS_FUZZ_H
#define LECTERN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
static inline void
fuzz_require(int holds)
{
    if (!holds)
        abort();
}

#endif

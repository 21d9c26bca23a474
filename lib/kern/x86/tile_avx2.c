/* tile_avx2: tiles of 8 rows for AVX2. */
#define LEVEL(name) px_avx2_##name

#include "kern/x86/ops_x86.h"
#include "kern/x86/tile_vec256.h"

#include "kern/x86/tile_pairs.h"

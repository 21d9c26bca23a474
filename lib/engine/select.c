/* select: see select.h. */
#include "engine/select.h"

#include <string.h>

enum { BUCKETS = 1 << 11 };

px_cut px_select(const uint32_t *keys, const uint64_t *weights, int32_t n, uint64_t target)
{
    static const int shifts[] = {21, 10, 0};
    static const int widths[] = {11, 11, 10};
    uint64_t sums[BUCKETS];
    uint32_t key = 0, known = 0; // bits of the cut's key found so far, and which they are
    uint64_t above = 0;          // sum of all items whose known bits are larger
    for (int pass = 0; pass < 3; pass++) {
        uint32_t low = (1u << widths[pass]) - 1;
        memset(sums, 0, sizeof sums);
        for (int32_t i = 0; i < n; i++)
            if ((keys[i] & known) == key)
                sums[keys[i] >> shifts[pass] & low] += weights ? weights[i] : 1;
        uint32_t bucket = low;
        while (bucket > 0 && above + sums[bucket] < target)
            above += sums[bucket--];
        key |= bucket << shifts[pass];
        known |= low << shifts[pass];
    }
    return (px_cut){.key = key, .left = target - above};
}

uint32_t px_key_of(float x)
{
    x += 0.0f; // -0 becomes 0
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

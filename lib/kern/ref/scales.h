/*
 * scales: unpacking the integer scales of super-blocks. Static inline: also included in files
 * compiled for one instruction set.
 */
#ifndef PX_KERN_REF_SCALES_H
#define PX_KERN_REF_SCALES_H

#include "kern/blocks.h"
#include "kern/half.h"

/* sc[16] in -32..31 of the 12 bytes of Q3_K */
static inline void px_q3_k_scales(const uint8_t *scales, int8_t *sc)
{
    for (int s = 0; s < 16; s++) {
        const int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
        const int high = scales[8 + s % 4] >> (2 * (s / 4)) & 3;
        sc[s] = (int8_t)((low | high << 4) - 32);
    }
}

/* sc[8] and mn[8] in 0..63 of the 12 bytes of Q4_K and Q5_K */
static inline void px_q4_k_scales(const uint8_t *scales, uint8_t *sc, uint8_t *mn)
{
    for (int s = 0; s < 4; s++) {
        sc[s] = scales[s] & 63;
        mn[s] = scales[s + 4] & 63;
        sc[s + 4] = (uint8_t)((scales[s + 8] & 15) | scales[s] >> 6 << 4);
        mn[s + 4] = (uint8_t)(scales[s + 8] >> 4 | scales[s + 4] >> 6 << 4);
    }
}

/* sc[8] in -32..31 of IQ4_XS */
static inline void px_iq4_xs_scales(const px_iq4_xs *b, int8_t *sc)
{
    const unsigned high = px_load16(b->scales_h);
    for (int s = 0; s < 8; s++) {
        const unsigned low = b->scales_l[s / 2] >> (4 * (s % 2)) & 15u;
        sc[s] = (int8_t)((int)(low | (high >> (2 * s) & 3u) << 4) - 32);
    }
}

#endif

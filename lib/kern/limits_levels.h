/* limits_levels: one function a level that puts its loops over those of the levels below. */
#ifndef PX_KERN_LIMITS_LEVELS_H
#define PX_KERN_LIMITS_LEVELS_H

#include "kern/limits.h"

void px_ref_limits(px_limits *limits);

#if defined(__x86_64__)
void px_avx2_limits(px_limits *limits);
void px_avx512_limits(px_limits *limits);
void px_vnni_limits(px_limits *limits);
void px_bf16_limits(px_limits *limits);
#endif

#endif

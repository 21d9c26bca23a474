/* fit_avx512: the searches of simd/fit.h for this instruction set. A codebook fits one register:
 * its places are found by halving, four lookups in place of fifteen comparisons. */
#include "kern/x86/vec_avx512.h"

#define FIT_NEAREST(b, v) nearest_of(b, v)
typedef struct book book;
static inline vf nearest_of(const book *b, vf v);

#include "kern/simd/fit.h"

/* middle[n..] is infinite: nothing is beyond it. */
static inline vf nearest_of(const book *b, vf v)
{
    const vf middle = vf_load(b->middle);
    __m512i at = _mm512_setzero_si512();
    for (int step = 8; step > 0; step /= 2) {
        const __m512i probe = _mm512_add_epi32(at, _mm512_set1_epi32(step - 1));
        const __mmask16 beyond =
            _mm512_cmp_ps_mask(v, _mm512_permutexvar_ps(probe, middle), _CMP_GT_OQ);
        at = _mm512_mask_add_epi32(at, beyond, at, _mm512_set1_epi32(step));
    }
    return _mm512_permutexvar_ps(at, vf_load(b->value));
}

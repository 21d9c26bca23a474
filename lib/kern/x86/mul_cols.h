/*
 * mul_cols: in which columns products of few are taken together, by the files of block formats.
 * Included behind
 *
 *   COLS, format                               most columns at once (3), how a format comes apart
 *   multiply_cols(m, row0, row1, c, cols, f)   products of rows with columns c to c + cols - 1
 *
 * and before multiply(m, row0, row1, f), which MUL calls by the names of a level.
 */
#ifndef PX_KERN_X86_MUL_COLS_H
#define PX_KERN_X86_MUL_COLS_H

/* Columns in threes, as far as `most` (COLS or 1) allows: a row is unpacked once for three. The
 * rows of a call are few enough to stay in the caches for the next three. */
INLINE void multiply_in(const px_mul *m, int64_t row0, int64_t row1, const int most, const format f)
{
    const int64_t n = m->x->n;
    int64_t c = 0;
    for (; most == COLS && c + COLS <= n; c += COLS)
        multiply_cols(m, row0, row1, c, COLS, f);
    if (most == COLS && n - c == 2) {
        multiply_cols(m, row0, row1, c, 2, f);
        return;
    }
    for (; c < n; c++)
        multiply_cols(m, row0, row1, c, 1, f);
}

/* How many columns of so many bytes fit the scratch memory at once: COLS, 1 or 0. */
INLINE int columns_in(int64_t scratch, int64_t bytes)
{
    return COLS * bytes <= scratch ? COLS : bytes <= scratch;
}

#define MUL(id, name, ...)                                              \
    void LEVEL(mul_##name)(const px_mul *m, int64_t row0, int64_t row1) \
    {                                                                   \
        const format f = {id##_BYTES, __VA_ARGS__};                     \
        multiply(m, row0, row1, f);                                     \
    }

#endif

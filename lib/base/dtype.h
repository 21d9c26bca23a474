/*
 * dtype: the names and sizes of the number formats in which tensors lie in files and in memory. How
 * their blocks decode is kern's; formats/ and everyone else need only this table.
 *
 * The values are those of ggml_type in the GGUF specification, so that a file's number is the
 * dtype; NF4 is pith's own and stands outside that range. Types that the specification names and
 * pith does not compute with have sizes, so that a file that holds them can be inspected and
 * refused by name.
 */
#ifndef PX_BASE_DTYPE_H
#define PX_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* id, value in files, name, elements a block, bytes a block, pith computes with it */
#define PX_DTYPES(X)                         \
    X(PX_F32, 0, "f32", 1, 4, 1)             \
    X(PX_F16, 1, "f16", 1, 2, 1)             \
    X(PX_Q4_0, 2, "q4_0", 32, 18, 1)         \
    X(PX_Q4_1, 3, "q4_1", 32, 20, 1)         \
    X(PX_Q5_0, 6, "q5_0", 32, 22, 1)         \
    X(PX_Q5_1, 7, "q5_1", 32, 24, 1)         \
    X(PX_Q8_0, 8, "q8_0", 32, 34, 1)         \
    X(PX_Q8_1, 9, "q8_1", 32, 36, 0)         \
    X(PX_Q2_K, 10, "q2_k", 256, 84, 1)       \
    X(PX_Q3_K, 11, "q3_k", 256, 110, 1)      \
    X(PX_Q4_K, 12, "q4_k", 256, 144, 1)      \
    X(PX_Q5_K, 13, "q5_k", 256, 176, 1)      \
    X(PX_Q6_K, 14, "q6_k", 256, 210, 1)      \
    X(PX_Q8_K, 15, "q8_k", 256, 292, 0)      \
    X(PX_IQ2_XXS, 16, "iq2_xxs", 256, 66, 0) \
    X(PX_IQ2_XS, 17, "iq2_xs", 256, 74, 0)   \
    X(PX_IQ3_XXS, 18, "iq3_xxs", 256, 98, 0) \
    X(PX_IQ1_S, 19, "iq1_s", 256, 50, 0)     \
    X(PX_IQ4_NL, 20, "iq4_nl", 32, 18, 1)    \
    X(PX_IQ3_S, 21, "iq3_s", 256, 110, 0)    \
    X(PX_IQ2_S, 22, "iq2_s", 256, 82, 0)     \
    X(PX_IQ4_XS, 23, "iq4_xs", 256, 136, 1)  \
    X(PX_I8, 24, "i8", 1, 1, 0)              \
    X(PX_I16, 25, "i16", 1, 2, 0)            \
    X(PX_I32, 26, "i32", 1, 4, 0)            \
    X(PX_I64, 27, "i64", 1, 8, 0)            \
    X(PX_F64, 28, "f64", 1, 8, 0)            \
    X(PX_IQ1_M, 29, "iq1_m", 256, 56, 0)     \
    X(PX_BF16, 30, "bf16", 1, 2, 1)          \
    X(PX_TQ1_0, 34, "tq1_0", 256, 54, 0)     \
    X(PX_TQ2_0, 35, "tq2_0", 256, 66, 0)     \
    X(PX_MXFP4, 39, "mxfp4", 32, 17, 1)      \
    X(PX_NF4, 1000, "nf4", 256, 140, 1)

typedef enum px_dtype {
#define PX_DTYPE_ENUM(id, value, name, block, bytes, computes) id = value,
    PX_DTYPES(PX_DTYPE_ENUM)
#undef PX_DTYPE_ENUM
} px_dtype;

typedef struct px_dtype_info {
    px_dtype id;
    const char *name;
    int32_t block_elements; // elements that one block holds
    int32_t block_bytes;
    bool computes; // kern has decode, encode and products for it
} px_dtype_info;

/* The row of a dtype, or NULL for a number that names none. */
const px_dtype_info *px_dtype_get(uint32_t value);
/* The row of that name, upper or lower case, or NULL. */
const px_dtype_info *px_dtype_find(const char *name);
/* "q4_k", or "unknown" for a number that names none. Static storage. */
const char *px_dtype_name(uint32_t value);

/* Bytes of a row of n elements; false when n is no multiple of the block or the size does not fit.
 */
bool px_dtype_row_bytes(px_dtype dtype, int64_t n, size_t *bytes);

#endif

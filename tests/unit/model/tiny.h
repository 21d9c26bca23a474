/*
 * tiny: small models with random weights as GGUF files, whole and right to begin with, from which a
 * test takes something away or bends it. The names of keys and tensors are written out here, apart
 * from those in lib/model.
 */
#ifndef PITH_TESTS_UNIT_MODEL_TINY_H
#define PITH_TESTS_UNIT_MODEL_TINY_H

#include "support/support.h"

#include "format/gguf_write.h"
#include "format/source.h"

enum { TINY_METAS = 40, TINY_TENSORS = 200 };

typedef struct tiny_tensor {
    char name[48];
    px_dtype dtype;
    int n_dims;
    int64_t ne[4];
    float mean, std; // of its values
    px_dtype via;    // values are rounded as this dtype rounds them, before they become `dtype`
} tiny_tensor;

typedef struct tiny_meta {
    char key[64];
    px_meta value; // its key member is not used
} tiny_meta;

typedef struct tiny {
    char arch[16];
    int n_metas, n_tensors;
    tiny_meta metas[TINY_METAS];
    tiny_tensor tensors[TINY_TENSORS];
} tiny;

typedef struct tiny_shape {
    int32_t n_layers, width, n_heads, n_kv_heads, head_dim, ffn, n_vocab, n_ctx;
} tiny_shape;

/* 2 layers of width 64, 4 heads over 2 of 16, ffn 96, 96 tokens, context 512. */
extern const tiny_shape TINY_SHAPE;

/* All keys and tensors that the architecture needs, f32. A NULL shape is TINY_SHAPE. */
void tiny_make(tiny *t, const char *arch, const tiny_shape *shape);

/* Sets or replaces "ARCH.key"; a key with "general." or "pith." in front stands as it is. */
void tiny_set(tiny *t, const char *key, px_meta value);
#define TINY_U32(v)  ((px_meta){.type = PX_META_U32, .u = (v)})
#define TINY_F32(v)  ((px_meta){.type = PX_META_F32, .f = (v)})
#define TINY_BOOL(v) ((px_meta){.type = PX_META_BOOL, .b = (v)})
#define TINY_STR(v)  ((px_meta){.type = PX_META_STRING, .str = px_str_of(v)})
/* Lent elements of that type. */
#define TINY_ARRAY(t, elements)                                         \
    ((px_meta){.type = PX_META_ARRAY,                                   \
               .array = {.type = (t),                                   \
                         .n = sizeof(elements) / sizeof((elements)[0]), \
                         .data = (const uint8_t *)(elements),           \
                         .bytes = sizeof(elements)}})

/* Adds or replaces; ne1 0 makes a vector. Norms and factors are found by name and get values around
 * 1. */
tiny_tensor *tiny_add(tiny *t, const char *name, int64_t ne0, int64_t ne1);
/* The tensor, or a failed test. */
tiny_tensor *tiny_find(tiny *t, const char *name);
/* Takes a tensor or a key ("ARCH.key" without the architecture) away; it must be there. */
void tiny_drop(tiny *t, const char *name);
/* All matrices in another dtype. */
void tiny_matrices(tiny *t, px_dtype dtype);

/* Writes the file under a name of its own in the temporary folder. Values hang on the tensor's name
 * alone. */
const char *tiny_write(const tiny *t);
px_source *tiny_open(const tiny *t);

#endif

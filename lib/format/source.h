/*
 * source: an opened model file or folder, whatever its format, seen as GGUF sees it: typed metadata
 * by key and tensors by name, all lying in read-only maps.
 *
 * A Hugging Face folder is presented as the GGUF file that converting it would give: config.json
 * becomes the
 * `<arch>.*` keys, tensors carry GGUF names, rope factors appear as tensors. What differs between
 * the two forms is said per tensor (px_tensor.fix) and by px_source.rope_halves, so that a folder
 * is used in place, without a converted copy. The tokenizer's keys are the exception: a folder has
 * none, its tokenizer files are read by text/.
 *
 * Keys of a folder beyond those that llama.cpp's converter writes; a GGUF file may have them too:
 *   %s.attention.sliding_window          also for Mistral, as arch llama. 0: no window at all.
 *   %s.attention.sliding_window_pattern  u32 P: of each P layers the last sees everything, the
 *                                        others the window; or array of bool [layers]: true where
 *                                        the layer has the window. Absent: all of them have it, or
 *                                        what the family is known for.
 *   %s.attention.scale                   f32 factor on q.k (Gemma 2, 3: query_pre_attn_scalar)
 *   %s.attn_logit_softcapping            0 where config.json says null
 *   %s.rope.freq_base_swa                base of windowed layers (Gemma 3), which are unscaled
 *   %s.rope.scaling.attn_factor          longrope: the factor on cos and sin; yarn: what the usual
 *                                        0.1 ln(factor) + 1 is multiplied with (1 when absent)
 *   pith.rope.layers                     array of bool [layers]: true where the layer has rope
 *                                        (SmolLM3). Absent: what the family is known for.
 *
 * Everything lent by a source lives until px_source_close. Immutable once open; threads may share
 * it.
 */
#ifndef PX_FORMAT_SOURCE_H
#define PX_FORMAT_SOURCE_H

#include "base/dtype.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

/* Values of the GGUF specification, versions 2 and 3. */
typedef enum px_meta_type {
    PX_META_U8 = 0,
    PX_META_I8 = 1,
    PX_META_U16 = 2,
    PX_META_I16 = 3,
    PX_META_U32 = 4,
    PX_META_I32 = 5,
    PX_META_F32 = 6,
    PX_META_BOOL = 7,
    PX_META_STRING = 8,
    PX_META_ARRAY = 9,
    PX_META_U64 = 10,
    PX_META_I64 = 11,
    PX_META_F64 = 12
} px_meta_type;

/* An array as it lies in the file: packed little-endian elements; strings as u64 length and bytes;
 * arrays of arrays as u32 type, u64 count, elements. Checked when opened: walking it cannot leave
 * the file. */
typedef struct px_meta_array {
    px_meta_type type; // of the elements
    uint64_t n;
    const uint8_t *data; // unaligned
    size_t bytes;
} px_meta_array;

typedef struct px_meta {
    const char *key; // zero-terminated
    px_meta_type type;
    union {
        uint64_t u; // unsigned types
        int64_t i;  // signed types
        double f;   // F32, F64
        bool b;
        px_str str;
        px_meta_array array;
    };
} px_meta;

/* What a tensor's values need on the way from how they lie to what GGUF means by its name. */
typedef enum px_tensor_fix {
    PX_FIX_NONE,
    PX_FIX_PLUS_ONE,  // add 1 to each value (Gemma norms in HF folders)
    PX_FIX_ROPE_PAIRS // rows of each head stand as two halves; GGUF writes them as pairs (q and k
                      // of HF LLaMA folders). Only a writer of GGUF applies it: readers use
                      // rope_halves.
} px_tensor_fix;

typedef struct px_tensor {
    const char *name; // GGUF name, zero-terminated
    px_dtype dtype;
    int n_dims;
    int64_t ne[PX_MAX_DIMS]; // elements along each axis, fastest first; 1 beyond n_dims
    const uint8_t *data; // in a map or in the source's arena; aligned as the file aligns it, for HF
                         // folders to 1
    size_t bytes;
    px_tensor_fix fix;
    int32_t fix_heads;    // PX_FIX_ROPE_PAIRS: heads along the rows (of a bias, its elements)
    int32_t file;         // which of the source's files it lies in, or -1 when generated
    uint64_t file_offset; // from the start of that file
} px_tensor;

typedef enum px_source_kind { PX_SOURCE_GGUF, PX_SOURCE_FOLDER } px_source_kind;

typedef struct px_source {
    px_source_kind kind;
    const char *path;         // as given, a folder or the first file
    const char *const *files; // files that hold tensors
    int32_t n_files;
    uint32_t version;     // GGUF version, or 0
    uint32_t alignment;   // GGUF alignment, or 1
    const px_meta *metas; // in file order
    int64_t n_metas;
    const px_tensor *tensors; // in file order
    int64_t n_tensors;
    bool rope_halves; // q and k rows of llama-like tensors stand as HF has them: rotate element i
                      // with i + D/2
    struct px_source_state *state; // maps, arena, name indexes
} px_source;

typedef struct px_source_options {
    bool
        tensors_optional; // a vocabulary-only GGUF, or a folder with tokenizer files alone, is fine
} px_source_options;

/* Opens a GGUF file (v2, v3; any file of a split one brings the rest), a Hugging Face model folder,
 * or the folder of a safetensors file. Checks everything but the values of tensors: bounds,
 * overlaps, shapes against bytes, duplicate names. Errors: NOT_FOUND, FORMAT (what, where,
 * expected), UNSUPPORTED (unknown architecture of a folder, big endian, GGUF v1), LIMIT. */
pith_status px_source_open(const char *path, const px_source_options *options, px_source **out,
                           pith_error *err);
/* The same of a single GGUF file that lies in memory, which must outlive the source. `name` stands
 * for it in messages. */
pith_status px_source_open_memory(const char *name, const uint8_t *bytes, size_t n,
                                  const px_source_options *options, px_source **out,
                                  pith_error *err);
void px_source_close(px_source *source);

/* The entry of that key or name, or NULL. Time grows with the logarithm of their number. */
const px_meta *px_source_meta(const px_source *source, const char *key);
const px_tensor *px_source_tensor(const px_source *source, const char *name);

/* Typed reading. `key` may contain one "%s", replaced by general.architecture. An absent key leaves
 * *out untouched and is OK, unless `required`: then FORMAT. A wrong type or a value out of [min,
 * max] is FORMAT, naming file, key, found, expected. Integers accept any integer type; floats
 * accept F32, F64 and integers. */
pith_status px_source_get_int(const px_source *s, const char *key, bool required, int64_t min,
                              int64_t max, int64_t *out, pith_error *err);
pith_status px_source_get_float(const px_source *s, const char *key, bool required, double min,
                                double max, double *out, pith_error *err);
pith_status px_source_get_bool(const px_source *s, const char *key, bool *out, pith_error *err);
pith_status px_source_get_str(const px_source *s, const char *key, bool required, px_str *out,
                              pith_error *err);
/* An array of `type`; n elements when expected_n >= 0. An absent key gives n = 0. */
pith_status px_source_get_array(const px_source *s, const char *key, bool required,
                                px_meta_type type, int64_t expected_n, px_meta_array *out,
                                pith_error *err);

/* The i-th string in order: start with *at = array->data; false at the end. */
bool px_meta_next_str(const px_meta_array *array, const uint8_t **at, px_str *out);
/* Element i of a numeric array (not STRING or ARRAY), converted. i must be below n. */
int64_t px_meta_int_at(const px_meta_array *array, uint64_t i);
double px_meta_float_at(const px_meta_array *array, uint64_t i);

const char *px_meta_type_name(px_meta_type type);

#endif

/*
 * hf_bnb: weights of a folder that bitsandbytes quantized to NF4. A weight W of such a folder is
 *
 *   W                                   u8, two codes a byte, the first value in the upper half
 *   W.absmax                            scales of blocks: u8 with double quantization, else f32
 *   W.quant_map                         f32 [16]: values of the codes
 *   W.nested_absmax, W.nested_quant_map f32: of the scales
 *   W.quant_state.bitsandbytes__nf4     u8: JSON with shape, blocksize, nested_blocksize,
 * nested_offset
 *
 * Where that is pith's NF4 (double quantization, blocks of 64, groups of 256, rows of whole
 * super-blocks, the same code books) it is regrouped, with the same values to the bit; otherwise
 * the weight becomes f32. Both lie in memory of the source, made when the folder is opened: a byte
 * for two weights, or four bytes for one.
 */
#ifndef PX_FORMAT_HF_BNB_H
#define PX_FORMAT_HF_BNB_H

#include "format/hf.h"
#include "format/safetensors.h"

/* Whether a tensor is no weight but belongs to one. */
bool px_hf_bnb_is_part(const char *name);

/* Looks tensors of the folder up by name; NULL for none. */
typedef const px_st_tensor *(*px_hf_find_fn)(const void *user, const char *name);

/* The weight `from` as *t, of which dtype, shape, data and bytes are set. *found is false, and
 * nothing is done, where it has no quant_state. Errors: FORMAT (parts missing or of the wrong
 * size), UNSUPPORTED (fp4), MEMORY. */
pith_status px_hf_bnb_read(px_hf *hf, const char *path, const px_st_tensor *from,
                           px_hf_find_fn find, const void *user, px_tensor *t, bool *found);

#endif

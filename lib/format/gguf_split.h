/* gguf_split: fills a source from one GGUF file, or from all files of a split one. */
#ifndef PX_FORMAT_GGUF_SPLIT_H
#define PX_FORMAT_GGUF_SPLIT_H

#include "format/source_state.h"

/* From source.path, which may name any part of a split model. */
pith_status px_gguf_fill(px_source_state *state, pith_error *err);

/* From one file that lies in memory; parts of a split one are refused. */
pith_status px_gguf_fill_memory(px_source_state *state, const uint8_t *bytes, size_t n,
                                pith_error *err);

#endif

/*
 * source_state: what a px_source keeps behind the scenes, for the readers of lib/format that fill
 * it. The state owns the maps and one arena in which metadata, tensors, names and generated tensors
 * lie; px_source_close frees all of it.
 */
#ifndef PX_FORMAT_SOURCE_STATE_H
#define PX_FORMAT_SOURCE_STATE_H

#include "base/arena.h"
#include "base/file.h"
#include "format/source.h"

typedef struct px_source_state {
    px_source source; // what the caller sees; its state member points back here
    px_arena arena;
    px_map *maps; // [n_maps], each closed with the source
    int32_t n_maps;
    int32_t cap_maps;
    void **blocks; // [n_blocks] of generated weights, freed with the source
    int32_t n_blocks;
    const px_meta **by_key;    // [source.n_metas], in order of keys
    const px_tensor **by_name; // [source.n_tensors], in order of names
} px_source_state;

/* Most bytes that a source's arena may take: half of what a refused file may cost, so that
 * temporary structures (a JSON document) fit into the other half. */
#define PX_SOURCE_ARENA_BYTES (PX_MAX_REFUSED_BYTES / 2)

/* An allocation from the arena failed: LIMIT when its limit is why, else MEMORY. */
pith_status px_source_no_room(const px_arena *arena, const char *path, const char *what,
                              pith_error *err);

/* Maps a file for the life of the source. *out is a copy of the map kept in the state. */
pith_status px_source_map(px_source_state *state, const char *path, px_map *out, pith_error *err);

/* Memory for weights that are made when the source is opened; freed with it. NULL when there is
 * none. */
void *px_source_block(px_source_state *state, size_t bytes);

/* Bytes of one value of a metadata type; 0 for STRING, ARRAY and numbers that name no type. */
size_t px_meta_type_bytes(uint32_t type);

#endif

/*
 * source: opening, closing and looking up. What lies where is found by the readers of each format
 * (gguf.c, gguf_split.c, hf.c); here the maps are owned and the names are put in order.
 *
 * Names are found by binary search in sorted tables rather than by hashing: a file cannot choose
 * names that make it slow, and the order brings duplicates side by side.
 */
#include "base/mem.h"
#include "format/gguf_split.h"
#include "format/hf.h"
#include "format/source_state.h"

#include <stdlib.h>

pith_status px_source_no_room(const px_arena *arena, const char *path, const char *what,
                              pith_error *err)
{
    /* The largest single request is far below half the limit, so a fuller arena was stopped by the
     * limit. */
    if (arena->limit && arena->held > arena->limit / 2)
        return px_fail(err, PITH_E_LIMIT, "'%s': %s need more than %zu bytes of memory", path, what,
                       arena->limit);
    return px_fail_memory(err, what);
}

pith_status px_source_map(px_source_state *state, const char *path, px_map *out, pith_error *err)
{
    if (state->n_maps == state->cap_maps) {
        int32_t cap = state->cap_maps ? state->cap_maps * 2 : 4;
        px_map *maps = px_realloc(state->maps, (size_t)cap, sizeof *maps);
        if (!maps)
            return px_fail_memory(err, "the list of file maps");
        state->maps = maps;
        state->cap_maps = cap;
    }
    pith_status status = px_map_open(path, out, err);
    if (status == PITH_OK)
        state->maps[state->n_maps++] = *out;
    return status;
}

void *px_source_block(px_source_state *state, size_t bytes)
{
    void **blocks = px_realloc(state->blocks, (size_t)state->n_blocks + 1, sizeof *state->blocks);
    if (!blocks)
        return NULL;
    state->blocks = blocks;
    void *block = px_aligned(bytes, 1, 64);
    if (block)
        blocks[state->n_blocks++] = block;
    return block;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(const px_meta *const *)a)->key, (*(const px_meta *const *)b)->key);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const px_tensor *const *)a)->name, (*(const px_tensor *const *)b)->name);
}

static pith_status index_keys(px_source_state *state, pith_error *err)
{
    const px_source *s = &state->source;
    size_t n = (size_t)s->n_metas;
    state->by_key = PX_NEW(&state->arena, const px_meta *, n);
    if (!state->by_key)
        return px_source_no_room(&state->arena, s->path, "the index of keys", err);
    for (size_t i = 0; i < n; i++)
        state->by_key[i] = &s->metas[i];
    qsort(state->by_key, n, sizeof *state->by_key, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (compare_keys(&state->by_key[i - 1], &state->by_key[i]) == 0)
            return px_fail(err, PITH_E_FORMAT, "'%s' has the key '%.200s' twice, expected once",
                           s->path, state->by_key[i]->key);
    return PITH_OK;
}

static pith_status index_names(px_source_state *state, pith_error *err)
{
    const px_source *s = &state->source;
    size_t n = (size_t)s->n_tensors;
    state->by_name = PX_NEW(&state->arena, const px_tensor *, n);
    if (!state->by_name)
        return px_source_no_room(&state->arena, s->path, "the index of tensors", err);
    for (size_t i = 0; i < n; i++)
        state->by_name[i] = &s->tensors[i];
    qsort(state->by_name, n, sizeof *state->by_name, compare_names);
    for (size_t i = 1; i < n; i++)
        if (compare_names(&state->by_name[i - 1], &state->by_name[i]) == 0)
            return px_fail(err, PITH_E_FORMAT, "'%s' has the tensor '%s' twice, expected once",
                           s->path, state->by_name[i]->name);
    return PITH_OK;
}

static pith_status state_new(const char *path, px_source_state **out, pith_error *err)
{
    px_source_state *state = px_calloc(1, sizeof *state);
    if (!state)
        return px_fail_memory(err, "a model source");
    px_arena_init(&state->arena, 0, PX_SOURCE_ARENA_BYTES);
    state->source.state = state;
    state->source.alignment = 1;
    state->source.path = px_arena_strndup(&state->arena, path, strlen(path));
    if (!state->source.path) {
        px_source_close(&state->source);
        return px_fail_memory(err, "a model source");
    }
    *out = state;
    return PITH_OK;
}

/* What every kind of source goes through last: indexes, uniqueness, and tensors at all. */
static pith_status finish(px_source_state *state, const px_source_options *options, pith_error *err)
{
    pith_status status = index_keys(state, err);
    if (status == PITH_OK)
        status = index_names(state, err);
    if (status == PITH_OK && state->source.n_tensors == 0 &&
        !(options && options->tensors_optional))
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s' holds no tensors (a vocabulary alone), expected a whole model",
                         state->source.path);
    return status;
}

/* Opens the folder of a safetensors file, which must be one of those that the folder's model is in.
 */
static pith_status fill_from_safetensors(px_source_state *state, const px_source_options *options,
                                         pith_error *err)
{
    px_source *s = &state->source;
    const char *slash = strrchr(s->path, '/');
    const char *folder =
        slash ? px_arena_strndup(&state->arena, s->path, (size_t)(slash - s->path)) : ".";
    if (!folder)
        return px_source_no_room(&state->arena, s->path, "a folder's name", err);
    if (slash == s->path)
        folder = "/";
    pith_status status = px_hf_fill(state, folder, options, err);
    if (status != PITH_OK)
        return status;
    const char *name = slash ? slash + 1 : s->path;
    for (int32_t i = 0; i < s->n_files; i++) {
        const char *end = strrchr(s->files[i], '/');
        if (strcmp(end ? end + 1 : s->files[i], name) == 0)
            return PITH_OK;
    }
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "'%s' is none of the files of the model in '%s'; open the folder", s->path,
                   folder);
}

/* By what stands at the path. */
static pith_status fill(px_source_state *state, const px_source_options *options, pith_error *err)
{
    static const char SAFETENSORS[] = ".safetensors";
    const char *path = state->source.path;
    size_t n = strlen(path), k = strlen(SAFETENSORS);
    if (px_file_kind_of(path) == PX_FILE_FOLDER)
        return px_hf_fill(state, path, options, err);
    if (n > k && strcmp(path + n - k, SAFETENSORS) == 0 && px_file_kind_of(path) != PX_FILE_NONE)
        return fill_from_safetensors(state, options, err);
    return px_gguf_fill(state, err);
}

pith_status px_source_open_memory(const char *name, const uint8_t *bytes, size_t n,
                                  const px_source_options *options, px_source **out,
                                  pith_error *err)
{
    px_source_state *state = NULL;
    *out = NULL;
    pith_status status = state_new(name, &state, err);
    if (status != PITH_OK)
        return status;
    status = px_gguf_fill_memory(state, bytes, n, err);
    if (status == PITH_OK)
        status = finish(state, options, err);
    if (status == PITH_OK)
        *out = &state->source;
    else
        px_source_close(&state->source);
    return status;
}

pith_status px_source_open(const char *path, const px_source_options *options, px_source **out,
                           pith_error *err)
{
    px_source_state *state = NULL;
    *out = NULL;
    pith_status status = state_new(path, &state, err);
    if (status != PITH_OK)
        return status;
    status = fill(state, options, err);
    if (status == PITH_OK)
        status = finish(state, options, err);
    if (status == PITH_OK)
        *out = &state->source;
    else
        px_source_close(&state->source);
    return status;
}

void px_source_close(px_source *source)
{
    if (!source)
        return;
    px_source_state *state = source->state;
    for (int32_t i = 0; i < state->n_maps; i++)
        px_map_close(&state->maps[i]);
    px_free(state->maps);
    for (int32_t i = 0; i < state->n_blocks; i++)
        px_free(state->blocks[i]);
    px_free(state->blocks);
    px_arena_clear(&state->arena);
    px_free(state);
}

const px_meta *px_source_meta(const px_source *source, const char *key)
{
    const px_meta *const *table = source->state->by_key;
    size_t low = 0, high = (size_t)source->n_metas;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(key, table[mid]->key);
        if (order == 0)
            return table[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const px_tensor *px_source_tensor(const px_source *source, const char *name)
{
    const px_tensor *const *table = source->state->by_name;
    size_t low = 0, high = (size_t)source->n_tensors;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(name, table[mid]->name);
        if (order == 0)
            return table[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

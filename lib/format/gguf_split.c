/*
 * gguf_split: see gguf_split.h. A split model is a set of whole GGUF files named
 * NAME-00001-of-0000N.gguf. Each carries the keys split.no (from 0) and split.count; the first also
 * holds all other metadata, and split.tensors.count is the number of tensors of the whole set. A
 * part other than the first may be given: the set is then opened from its first file.
 */
#include "format/gguf_split.h"

#include "format/gguf.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct split_keys {
    int64_t no, count;
    int64_t tensors; // of the whole set, or -1
} split_keys;

/* An integer key of one file, before there is an index. */
static pith_status find_int(const char *path, const px_gguf_file *file, const char *key,
                            int64_t max, int64_t *out, pith_error *err)
{
    for (int64_t i = 0; i < file->n_metas; i++) {
        const px_meta *meta = &file->metas[i];
        if (strcmp(meta->key, key) != 0)
            continue;
        switch (meta->type) {
        case PX_META_U8:
        case PX_META_U16:
        case PX_META_U32:
        case PX_META_U64:
            *out = meta->u <= INT64_MAX ? (int64_t)meta->u : -1;
            break;
        case PX_META_I8:
        case PX_META_I16:
        case PX_META_I32:
        case PX_META_I64:
            *out = meta->i;
            break;
        default:
            return px_fail(err, PITH_E_FORMAT, "'%s': key '%s' has type %s, expected an integer",
                           path, key, px_meta_type_name(meta->type));
        }
        if (*out < 0 || *out > max)
            return px_fail(err, PITH_E_FORMAT,
                           "'%s': key '%s' is %" PRId64 ", expected 0 to %" PRId64, path, key, *out,
                           max);
    }
    return PITH_OK;
}

static pith_status read_split(const char *path, const px_gguf_file *file, split_keys *out,
                              pith_error *err)
{
    *out = (split_keys){.count = 1, .tensors = -1};
    pith_status status = find_int(path, file, "split.count", PX_MAX_SPLITS, &out->count, err);
    if (status == PITH_OK)
        status = find_int(path, file, "split.no", PX_MAX_SPLITS - 1, &out->no, err);
    if (status == PITH_OK)
        status = find_int(path, file, "split.tensors.count", PX_MAX_TENSORS, &out->tensors, err);
    if (out->count == 0)
        out->count = 1;
    if (status == PITH_OK && out->no >= out->count)
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s': key 'split.no' is %" PRId64 ", expected less than split.count, "
                         "which is %" PRId64,
                         path, out->no, out->count);
    return status;
}

/* The length of NAME in "NAME-00002-of-00003.gguf" when the numbers are those of the keys. */
static bool split_stem(const char *path, const split_keys *keys, size_t *stem)
{
    char tail[64];
    snprintf(tail, sizeof tail, "-%05" PRId64 "-of-%05" PRId64 ".gguf", keys->no + 1, keys->count);
    size_t n = strlen(path), t = strlen(tail);
    if (n <= t || strcmp(path + n - t, tail) != 0)
        return false;
    *stem = n - t;
    return true;
}

/* The paths of all parts. */
static pith_status name_parts(px_source_state *state, const split_keys *keys, pith_error *err)
{
    px_source *s = &state->source;
    size_t stem;
    if (!split_stem(s->path, keys, &stem))
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' is part %" PRId64 " of %" PRId64
                       " of a split model, so its name must end in -%05" PRId64 "-of-%05" PRId64
                       ".gguf: give all parts their original names, in one folder",
                       s->path, keys->no + 1, keys->count, keys->no + 1, keys->count);
    const char **files = PX_NEW(&state->arena, const char *, (size_t)keys->count);
    if (!files)
        return px_source_no_room(&state->arena, s->path, "the list of files", err);
    for (int64_t i = 0; i < keys->count; i++) {
        size_t bytes = stem + 64;
        char *name = PX_NEW(&state->arena, char, bytes);
        if (!name)
            return px_source_no_room(&state->arena, s->path, "the names of files", err);
        snprintf(name, bytes, "%.*s-%05" PRId64 "-of-%05" PRId64 ".gguf", (int)stem, s->path, i + 1,
                 keys->count);
        files[i] = name;
    }
    s->files = files;
    s->n_files = (int32_t)keys->count;
    s->path = files[0];
    return PITH_OK;
}

static void take_metas(px_source *s, const px_gguf_file *file)
{
    s->kind = PX_SOURCE_GGUF;
    s->version = file->version;
    s->alignment = file->alignment;
    s->metas = file->metas;
    s->n_metas = file->n_metas;
}

/* Maps, parses and checks part i. */
static pith_status load_part(px_source_state *state, const split_keys *set, int32_t i,
                             px_gguf_file *out, pith_error *err)
{
    const char *path = state->source.files[i];
    px_map map;
    split_keys keys;
    pith_status status = px_source_map(state, path, &map, err);
    if (status != PITH_OK) {
        px_prefix(err, "part %" PRId32 " of %" PRId64 " of the model is missing", i + 1,
                  set->count);
        return status;
    }
    status = px_gguf_parse(path, map.data, map.size, i, &state->arena, out, err);
    if (status == PITH_OK)
        status = read_split(path, out, &keys, err);
    if (status == PITH_OK && (keys.no != i || keys.count != set->count))
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s': keys split.no and split.count say part %" PRId64 " of %" PRId64
                         ", expected part %" PRId32 " of %" PRId64,
                         path, keys.no + 1, keys.count, i + 1, set->count);
    return status;
}

/* The tensors of all parts in one list. */
static pith_status join_tensors(px_source_state *state, const px_gguf_file *parts, pith_error *err)
{
    px_source *s = &state->source;
    int64_t total = 0;
    for (int32_t i = 0; i < s->n_files; i++)
        total += parts[i].n_tensors;
    if (total > PX_MAX_TENSORS)
        return px_fail(err, PITH_E_LIMIT,
                       "'%s' has %" PRId64 " tensors in all, expected at most %d", s->path, total,
                       PX_MAX_TENSORS);
    px_tensor *tensors = PX_NEW(&state->arena, px_tensor, (size_t)total);
    if (!tensors)
        return px_source_no_room(&state->arena, s->path, "the list of tensors", err);
    for (int32_t i = 0; i < s->n_files; i++)
        for (int64_t k = 0; k < parts[i].n_tensors; k++)
            tensors[s->n_tensors++] = parts[i].tensors[k];
    s->tensors = tensors;
    return PITH_OK;
}

static pith_status load_set(px_source_state *state, const split_keys *set, pith_error *err)
{
    px_source *s = &state->source;
    pith_status status = name_parts(state, set, err);
    if (status != PITH_OK)
        return status;
    px_gguf_file *parts = PX_NEW(&state->arena, px_gguf_file, (size_t)s->n_files);
    if (!parts)
        return px_source_no_room(&state->arena, s->path, "the list of parts", err);
    for (int32_t i = 0; i < s->n_files && status == PITH_OK; i++)
        status = load_part(state, set, i, &parts[i], err);
    if (status != PITH_OK)
        return status;
    take_metas(s, &parts[0]);
    status = join_tensors(state, parts, err);
    split_keys first;
    if (status == PITH_OK)
        status = read_split(s->path, &parts[0], &first, err);
    if (status == PITH_OK && first.tensors >= 0 && first.tensors != s->n_tensors)
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s': key 'split.tensors.count' is %" PRId64 ", but its %" PRId32
                         " parts hold %" PRId64 " tensors",
                         s->path, first.tensors, s->n_files, s->n_tensors);
    return status;
}

/* What was parsed becomes the whole source. */
static pith_status take_single(px_source_state *state, const px_gguf_file *file, pith_error *err)
{
    px_source *s = &state->source;
    const char **files = PX_NEW(&state->arena, const char *, 1);
    if (!files)
        return px_source_no_room(&state->arena, s->path, "the list of files", err);
    files[0] = s->path;
    s->files = files;
    s->n_files = 1;
    take_metas(s, file);
    s->tensors = file->tensors;
    s->n_tensors = file->n_tensors;
    return PITH_OK;
}

pith_status px_gguf_fill(px_source_state *state, pith_error *err)
{
    px_arena_mark mark = px_arena_get_mark(&state->arena);
    px_map map;
    px_gguf_file file;
    split_keys keys;
    const char *path = state->source.path;
    pith_status status = px_source_map(state, path, &map, err);
    if (status == PITH_OK)
        status = px_gguf_parse(path, map.data, map.size, 0, &state->arena, &file, err);
    if (status == PITH_OK)
        status = read_split(path, &file, &keys, err);
    if (status != PITH_OK)
        return status;
    if (keys.count == 1)
        return take_single(state, &file, err);
    /* A set is read from its first part on; what was read of this one is dropped. */
    px_map_close(&state->maps[--state->n_maps]);
    px_arena_rewind(&state->arena, mark);
    return load_set(state, &keys, err);
}

pith_status px_gguf_fill_memory(px_source_state *state, const uint8_t *bytes, size_t n,
                                pith_error *err)
{
    px_gguf_file file;
    split_keys keys;
    const char *path = state->source.path;
    pith_status status = px_gguf_parse(path, bytes, n, 0, &state->arena, &file, err);
    if (status == PITH_OK)
        status = read_split(path, &file, &keys, err);
    if (status == PITH_OK && keys.count > 1)
        status =
            px_fail(err, PITH_E_UNSUPPORTED, "'%s' is a part of a split model, expected all", path);
    return status == PITH_OK ? take_single(state, &file, err) : status;
}

/* arena: see arena.h. Chunks form a list; those behind `current` are empty and kept for reuse. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

struct px_arena_chunk {
    px_arena_chunk *next;
    size_t size; // bytes of data
    size_t used;
    unsigned char *data; // aligned to 64 bytes, behind this header
};

enum { HEADER = 64, DEFAULT_CHUNK = 64 << 10 };

_Static_assert(sizeof(px_arena_chunk) <= HEADER, "the header fits before the data");

void px_arena_init(px_arena *arena, size_t chunk_bytes, size_t limit)
{
    *arena = (px_arena){.chunk_bytes = chunk_bytes ? chunk_bytes : DEFAULT_CHUNK, .limit = limit};
}

void px_arena_clear(px_arena *arena)
{
    px_arena_chunk *chunk = arena->first;
    while (chunk) {
        px_arena_chunk *next = chunk->next;
        px_free(chunk);
        chunk = next;
    }
    arena->first = NULL;
    arena->current = NULL;
    arena->held = 0;
}

/* Takes `bytes` from a chunk; NULL when they do not fit. */
static void *take(px_arena_chunk *chunk, size_t bytes, size_t align)
{
    size_t at = px_round_up(chunk->used, align);
    if (at > chunk->size || bytes > chunk->size - at)
        return NULL;
    chunk->used = at + bytes;
    return chunk->data + at;
}

/* A new chunk behind `current` with room for `bytes`. */
static px_arena_chunk *grow(px_arena *arena, size_t bytes)
{
    size_t size = bytes > arena->chunk_bytes ? bytes : arena->chunk_bytes;
    size_t total;
    if (!px_add_size(size, HEADER, &total) || !px_add_size(arena->held, total, &total))
        return NULL;
    if (arena->limit && total > arena->limit)
        return NULL;
    px_arena_chunk *chunk = px_aligned(1, size + HEADER, 64);
    if (!chunk)
        return NULL;
    *chunk = (px_arena_chunk){.size = size, .data = (unsigned char *)chunk + HEADER};
    arena->held = total;
    if (arena->current) {
        chunk->next = arena->current->next;
        arena->current->next = chunk;
    } else {
        chunk->next = arena->first;
        arena->first = chunk;
    }
    return chunk;
}

void *px_arena_alloc(px_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (!px_mul_size(n, size, &bytes) || bytes > SIZE_MAX - 128)
        return NULL;
    size_t align = bytes >= 64 ? 64 : 16;
    if (bytes == 0)
        bytes = 1;
    px_arena_chunk *chunk = arena->current ? arena->current : arena->first;
    while (chunk) {
        if (chunk != arena->current)
            chunk->used = 0;
        void *p = take(chunk, bytes, align);
        if (p) {
            arena->current = chunk;
            return p;
        }
        /* A kept chunk that is too small is passed over until the next rewind. */
        arena->current = chunk;
        chunk = chunk->next;
    }
    chunk = grow(arena, bytes);
    if (!chunk)
        return NULL;
    arena->current = chunk;
    return take(chunk, bytes, align);
}

void *px_arena_zalloc(px_arena *arena, size_t n, size_t size)
{
    void *p = px_arena_alloc(arena, n, size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

char *px_arena_strndup(px_arena *arena, const char *s, size_t n)
{
    size_t bytes;
    if (!px_add_size(n, 1, &bytes))
        return NULL;
    char *copy = px_arena_alloc(arena, bytes, 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

px_arena_mark px_arena_get_mark(const px_arena *arena)
{
    return (px_arena_mark){.chunk = arena->current,
                           .used = arena->current ? arena->current->used : 0};
}

void px_arena_rewind(px_arena *arena, px_arena_mark mark)
{
    arena->current = mark.chunk;
    if (mark.chunk)
        mark.chunk->used = mark.used;
}

/*
 * arena: see arena.h. Chunks form a list: those up to `current` are in use, those behind it are
 * empty and kept for reuse.
 *
 * A request that `current` cannot hold takes the first kept chunk that can, and moves it next to
 * `current`. The same requests after a rewind so meet the same chunks in the same order and take
 * nothing from the heap. When no kept chunk is large enough they are all freed before a new one is
 * made; what is held stays near what the largest step needed. Under AddressSanitizer memory that is
 * not handed out is poisoned, so that use after a rewind is found.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifdef ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

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
    UNPOISON(chunk->data + at, bytes);
    return chunk->data + at;
}

/* Frees the kept chunks behind `current`. */
static void drop_kept(px_arena *arena)
{
    px_arena_chunk **link = arena->current ? &arena->current->next : &arena->first;
    px_arena_chunk *chunk = *link;
    *link = NULL;
    while (chunk) {
        px_arena_chunk *next = chunk->next;
        arena->held -= chunk->size + HEADER;
        px_free(chunk);
        chunk = next;
    }
}

/* A new last chunk with room for `bytes`; at most the limit, if need be less than a whole chunk. */
static px_arena_chunk *grow(px_arena *arena, size_t bytes)
{
    size_t size = bytes > arena->chunk_bytes ? bytes : arena->chunk_bytes;
    if (arena->limit) {
        size_t left = arena->limit - arena->held; // held never exceeds a limit
        if (left < HEADER || left - HEADER < bytes)
            return NULL;
        if (size > left - HEADER)
            size = left - HEADER;
    }
    size_t total;
    if (!px_add_size(size, HEADER, &total))
        return NULL;
    px_arena_chunk *chunk = px_aligned(1, total, 64);
    if (!chunk)
        return NULL;
    *chunk = (px_arena_chunk){.size = size, .data = (unsigned char *)chunk + HEADER};
    POISON(chunk->data, size);
    arena->held += total;
    if (arena->current)
        arena->current->next = chunk;
    else
        arena->first = chunk;
    return chunk;
}

/* Moves the first kept chunk with room for `bytes` right behind `current`; NULL when none has. */
static px_arena_chunk *find_kept(px_arena *arena, size_t bytes)
{
    px_arena_chunk **behind = arena->current ? &arena->current->next : &arena->first;
    for (px_arena_chunk **link = behind; *link; link = &(*link)->next) {
        px_arena_chunk *chunk = *link;
        if (chunk->size < bytes)
            continue;
        *link = chunk->next;
        chunk->next = *behind;
        *behind = chunk;
        chunk->used = 0;
        POISON(chunk->data, chunk->size);
        return chunk;
    }
    return NULL;
}

void *px_arena_alloc(px_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (!px_mul_size(n, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    size_t align = bytes >= 64 ? 64 : 16;
    if (bytes == 0)
        bytes = 1;
    void *p = arena->current ? take(arena->current, bytes, align) : NULL;
    if (p)
        return p;
    px_arena_chunk *chunk = find_kept(arena, bytes);
    if (!chunk) {
        /* None of the kept chunks is large enough: the work has grown past them. */
        drop_kept(arena);
        chunk = grow(arena, bytes);
    }
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
    if (mark.chunk) {
        mark.chunk->used = mark.used;
        POISON(mark.chunk->data + mark.used, mark.chunk->size - mark.used);
    }
    px_arena_chunk *kept = mark.chunk ? mark.chunk->next : arena->first;
    for (; kept; kept = kept->next)
        POISON(kept->data, kept->size);
}

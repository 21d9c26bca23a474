/*
 * arena: many small allocations with one lifetime (engine > session > request > step).
 *
 * Memory comes in chunks; nothing is freed alone. A mark rewinds to an earlier state and keeps the
 * chunks, so that a step that is repeated takes from the heap only the first time. Pointers stay
 * valid until the arena is rewound past them or cleared. One thread at a time.
 */
#ifndef PX_BASE_ARENA_H
#define PX_BASE_ARENA_H

#include <stddef.h>

typedef struct px_arena_chunk px_arena_chunk;

typedef struct px_arena {
    px_arena_chunk *first;   // chunks in order of use
    px_arena_chunk *current; // NULL before the first allocation
    size_t chunk_bytes;      // least size of a new chunk
    size_t limit;            // most bytes held at once; 0 is no limit
    size_t held;             // bytes taken from the heap now: chunks and their headers
} px_arena;

typedef struct px_arena_mark {
    px_arena_chunk *chunk;
    size_t used;
} px_arena_mark;

/* Makes an empty arena; takes nothing from the heap. chunk_bytes 0 means 64 KiB. */
void px_arena_init(px_arena *arena, size_t chunk_bytes, size_t limit);

/* Frees all. The arena may be used again. */
void px_arena_clear(px_arena *arena);

/* n elements of `size` bytes, not zeroed, aligned to 64 bytes when the request is 64 bytes or more,
 * else to 16. NULL when n * size overflows, the limit is reached or memory is out: the caller says
 * which object could not be made. */
void *px_arena_alloc(px_arena *arena, size_t n, size_t size);

/* As px_arena_alloc, zeroed. */
void *px_arena_zalloc(px_arena *arena, size_t n, size_t size);

/* A copy of n bytes with a zero byte behind it. */
char *px_arena_strndup(px_arena *arena, const char *s, size_t n);

px_arena_mark px_arena_get_mark(const px_arena *arena);

/* Forgets all that was allocated since the mark was taken, and so all marks taken since; keeps the
 * chunks. */
void px_arena_rewind(px_arena *arena, px_arena_mark mark);

/* Type-safe spellings: PX_NEW(arena, float, n). */
#define PX_NEW(arena, type, n)  ((type *)px_arena_alloc((arena), (n), sizeof(type)))
#define PX_ZNEW(arena, type, n) ((type *)px_arena_zalloc((arena), (n), sizeof(type)))

#endif

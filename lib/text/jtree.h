/*
 * jtree: a small piece of JSON as a tree that knows its lines: components of a tokenizer and files
 * of settings. Memory from an arena, whose limit bounds it.
 */
#ifndef PX_TEXT_JTREE_H
#define PX_TEXT_JTREE_H

#include "base/arena.h"
#include "text/jscan.h"

/* Fails for want of `wanted` bytes in an arena while reading `what`: LIMIT when they are past the
 * arena's limit, else MEMORY. */
pith_status px_no_room(const px_arena *arena, size_t wanted, const char *what, pith_error *err);

typedef struct px_jnode {
    px_json_event kind; // OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL
    int64_t line;
    px_str key;  // inside an object
    px_str text; // of STRING and NUMBER
    struct px_jnode *first, *next;
    int64_t n; // children
} px_jnode;

/* Reads the value that the last event of js began. */
pith_status px_jtree_read(px_jscan *js, px_arena *arena, px_jnode **out, pith_error *err);

/* Reads a whole file; *out is NULL when there is none. */
pith_status px_jtree_file(const char *path, const char *name, px_arena *arena, px_jnode **out,
                          pith_error *err);

/* The member of an object, or NULL: also when it is null, or when `object` is NULL or no object. Of
 * equal keys the last counts. */
const px_jnode *px_jtree_get(const px_jnode *object, const char *key);

/* Fails with "file: line N: ", the node's line, before the sentence. */
pith_status px_jtree_fail(const char *file, const px_jnode *node, pith_error *err,
                          pith_status status, const char *fmt, ...) PX_PRINTF(5, 6);

/* Members of an object; *out keeps its value when there is none. A wrong type is FORMAT. */
pith_status px_jtree_bool(const char *file, const px_jnode *object, const char *key, bool *out,
                          pith_error *err);
pith_status px_jtree_str(const char *file, const px_jnode *object, const char *key, px_str *out,
                         pith_error *err);
pith_status px_jtree_int(const char *file, const px_jnode *object, const char *key, int64_t min,
                         int64_t max, int64_t *out, pith_error *err);

#endif

/*
 * inside: what the files of app/store share. Names, paths, records, blobs; nothing outside the room
 * includes this.
 *
 * Strings that are given away are freed with px_free. All that is read from disk or from a network
 * is hostile: digests and file names are checked before they become part of a path.
 */
#ifndef PITH_STORE_INSIDE_H
#define PITH_STORE_INSIDE_H

#include "store/store.h"

#include <stdbool.h>

enum {
    STORE_MAX_RECORD = 8 << 20, // bytes of a record, a manifest or a Modelfile
    STORE_MAX_FILES = 8192,     // files of a model
    STORE_MAX_MODELS = 65536,   // records of a store
    STORE_MAX_NAME = 512,       // bytes of a name with its tag
    STORE_MAX_FILE_NAME = 200,  // bytes of a file's name
    STORE_HEX = 64              // digits of a SHA-256
};

struct store_root {
    char *home;
    char *ollama; // NULL: there is none
};

/* ---- small things (root.c) */

/* The formatted text; NULL when memory is out. */
char *store_format(const char *fmt, ...) PX_PRINTF(1, 2);
/* The same as a fallible call: *out is freed first. */
pith_status store_set(char **out, pith_error *err, const char *fmt, ...) PX_PRINTF(3, 4);
/* The member as text, or "" where it is missing or no string. */
const char *store_text(const json_t *object, const char *key);
/* Makes a folder below the home and all above it. */
pith_status store_make_folder(const char *path, pith_error *err);
/* Takes the lock of the store, waiting for it; *fd is given to store_unlock. */
pith_status store_lock(const store_root *s, int *fd, pith_error *err);
void store_unlock(int fd);
/* Calls fn with the path of each regular file below `folder`, relative to it, in no order; a folder
 * that is not there is empty. Nonzero from fn ends the walk. */
typedef pith_status (*store_walk_fn)(void *user, const char *relative, pith_error *err);
pith_status store_walk(const char *folder, int depth, store_walk_fn fn, void *user,
                       pith_error *err);
/* Tells a job's progress; CANCELLED when it asks to stop. job may be NULL. */
pith_status store_tell(const store_job *job, const store_progress *p, pith_error *err);
pith_status store_note(const store_job *job, pith_error *err, const char *fmt, ...) PX_PRINTF(3, 4);

/* ---- names (name.c) */

typedef struct store_name {
    char base[STORE_MAX_NAME]; // "llama3.2", "hf.co/ORG/REPO"
    char tag[STORE_MAX_NAME];  // "latest"
    char text[2 * STORE_MAX_NAME];
    bool tagged; // the tag was given
} store_name;

/* Errors: ARGUMENT. Known hosts are brought to one form: huggingface.co is hf.co,
 * registry.ollama.ai/library/X is X. */
pith_status store_name_parse(const char *word, store_name *out, pith_error *err);
/* The path of the name's record. */
pith_status store_name_path(const store_root *s, const store_name *name, char **out,
                            pith_error *err);
/* "sha256:HEX" with 64 lower-case digits. */
bool store_digest_ok(const char *digest);
/* One part of a path that names a plain file: no slash, no leading dot, no control character. */
bool store_file_name_ok(const char *name);
/* How far two words are apart: 0 equal but for case; larger is farther. */
int store_distance(const char *a, const char *b);

/* ---- names that are here (names.c) */

typedef struct store_names {
    char **items; // sorted
    size_t n, cap;
} store_names;

/* Each adds to a list; store_names_clear also after a failure. */
pith_status store_names_ours(const store_root *s, store_names *out, pith_error *err);
pith_status store_names_theirs(const store_root *s, store_names *out, pith_error *err);
void store_names_clear(store_names *list);
/* Brings a name to the form in which it is there: another case of letters, or the only tag. False
 * when it is not there. */
bool store_names_form(const store_names *list, store_name *name);

/* ---- digests and blobs (blob.c) */

/* SHA-256 in lower-case hex. */
pith_status store_sha256(const void *bytes, size_t n, char hex[STORE_HEX + 1], pith_error *err);
pith_status store_sha256_file(const char *path, const store_job *job, const char *digest,
                              const char *file, char hex[STORE_HEX + 1], pith_error *err);
/* Path of blobs/sha256-HEX. */
pith_status store_blob_path(const store_root *s, const char *digest, char **out, pith_error *err);
/* Makes a small blob; *digest gets "sha256:HEX". */
pith_status store_blob_put(const store_root *s, const void *bytes, size_t n, char **digest,
                           pith_error *err);
/* Copies a file into blobs; `move` renames it instead (it must lie in blobs). */
pith_status store_blob_take(const store_root *s, const char *path, bool move, const store_job *job,
                            char **digest, pith_error *err);
/* Renames a synced file to its blob's name, read-only and for good. */
pith_status store_blob_name(const char *from, const char *to, pith_error *err);
/* Takes a blob that Ollama's store on this machine has, by a second link to the same bytes, after
 * its digest was computed; does nothing where that is not possible. */
pith_status store_blob_adopt(const store_root *s, const char *digest, uint64_t bytes,
                             const char *file, const store_job *job, pith_error *err);
/* How many bytes are free where the store lies; the sentence of a full disk names both sizes. */
pith_status store_need_space(const store_root *s, uint64_t bytes, const char *what,
                             pith_error *err);

/* ---- records (record.c) */

/* A new record: {"pith": 1, "from": from, "created": now, "files": []}. NULL when memory is out. */
json_t *store_record_new(const char *from);
/* Adds a file: with a digest a blob, else a path outside. */
pith_status store_record_add(json_t *record, const char *name, const char *role, const char *digest,
                             const char *path, uint64_t bytes, pith_error *err);
/* Makes the tree of a model of several files, fills in the details by opening the model, writes the
 * record under its name. Under the store's lock all blobs are looked at once more. */
pith_status store_record_save(const store_root *s, const store_name *name, json_t *record,
                              const store_job *job, pith_error *err);
/* Reads and checks one. */
pith_status store_record_load(const char *path, json_t **out, char **digest, int64_t *modified,
                              pith_error *err);
/* What a record says, as a model; blobs must be there. */
pith_status store_record_model(const store_root *s, const char *name, const json_t *record,
                               store_model *out, pith_error *err);
/* A zeroed model with empty strings and JSON. */
pith_status store_model_init(store_model *m, pith_error *err);
/* Family, size, quantization, context as the file at m->path says (details.c). */
pith_status store_details(const char *path, json_t **out, pith_error *err);
/* The same from a JSON object into a model. */
pith_status store_details_read(const json_t *details, store_model *m, pith_error *err);

/* The tree of a record's files (role model), of one file too; *folder is its path. */
pith_status store_tree(const store_root *s, json_t *record, char **folder, pith_error *err);
/* Frees the blobs that a record names and no saved one uses; *freed may be NULL. */
pith_status store_release(const store_root *s, const json_t *record, uint64_t *freed,
                          pith_error *err);
/* Replaces a record's files of role model by one GGUF file, converted or quantized as the job asks
 * (transform.c); does nothing where it asks for neither. */
pith_status store_transform(const store_root *s, json_t *record, const store_job *job,
                            pith_error *err);

/* Whether the types that a job asks for are there, before anything is fetched. */
pith_status store_transform_check(const store_job *job, pith_error *err);

/* Whether a parameter is of its kind; one that is not known is told to the job (parameter.c). */
pith_status store_parameter_check(const store_job *job, const char *name, const json_t *value,
                                  pith_error *err);

/* ---- sources (hub.c, registry.c): each fills a record and the name it should get */

/* "hf.co/ORG/REPO[:QUANT|FILE]" or an address on huggingface.co. */
pith_status store_hub_pull(const store_root *s, const char *what, const store_job *job,
                           json_t **record, store_name *name, pith_error *err);
/* A name of Ollama's library, or HOST/NAMESPACE/MODEL[:TAG]. */
pith_status store_registry_pull(const store_root *s, const char *what, const store_job *job,
                                json_t **record, store_name *name, pith_error *err);
/* A name for the model at a path or address: "Llama 3.2.Q4.gguf" is "llama-3.2.q4". */
pith_status store_name_of(const char *path, store_name *out, pith_error *err);

/* ---- Ollama's store on this machine (ollama.c) */

pith_status store_ollama_find(const store_root *s, const store_name *name, store_model *out,
                              pith_error *err);
pith_status store_ollama_list(const store_root *s, store_walk_fn fn, void *user, pith_error *err);
/* The layers of a manifest (theirs on disk, or as a registry sends it): calls fn for each with its
 * kind ("model", "template", ...). Errors: FORMAT. */
typedef struct store_layer {
    const char *kind, *digest;
    uint64_t bytes;
} store_layer;
typedef pith_status (*store_layer_fn)(void *user, const store_layer *layer, pith_error *err);
pith_status store_manifest_walk(const char *name, const json_t *manifest, store_layer_fn fn,
                                void *user, pith_error *err);

/* ---- the built-in model (guide.c) */

bool store_is_built_in(const char *word);

#endif

/*
 * store: models by name on this machine's disk. This header is all that app/cli and app/serve see
 * of the room.
 *
 * Layout, under $PITH_HOME (else $XDG_DATA_HOME/pith, else ~/.local/share/pith):
 *
 *   blobs/sha256-HEX            a file's content; verified before it gets this name, never changed
 *   blobs/KEY.partial, .journal a pull that was not finished (fetch.c)
 *   trees/HEX/FILE              links into blobs, for models of several files
 *   models/NAME/TAG.json        a record: which files, parameters, licence, where from (record.c)
 *   lock                        held (flock) while records and blobs are brought together
 *
 * Every file is written beside its name, synced and renamed. Models of an Ollama store on the same
 * machine are seen too, read-only, and used where they lie.
 *
 * Names: NAME[:TAG] with the tag "latest" where none is given; "hf.co/ORG/REPO:QUANT" is such a
 * name as well. A path of a file or folder is a model without a name.
 *
 * Threads: a store_root is immutable once open, and its state is the disk's: every function here
 * may be called by any number of threads and processes at once. A function runs on its caller's
 * thread until it is done, store_pull for as long as a download takes; its progress callback is
 * called on that thread and cancels by returning nonzero. Two pulls of one blob wait for each
 * other; a model that is open stays usable when it is removed. store_open makes libcurl ready, once
 * a process.
 */
#ifndef PITH_STORE_STORE_H
#define PITH_STORE_STORE_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

typedef struct store_root store_root;

typedef struct store_options {
    const char *home;   // NULL: as above
    const char *ollama; // models folder of Ollama; NULL: OLLAMA_MODELS, ~/.ollama/models or
                        // /usr/share/ollama/.ollama/models; "": none
} store_options;

/* Finds the folders; makes none until something is written. options may be NULL. Errors: NOT_FOUND
 * (no home folder is known), MEMORY. */
pith_status store_open(const store_options *options, store_root **out, pith_error *err);
void store_close(store_root *s); // NULL is fine
const char *store_home(const store_root *s);

/* ---- one model */

typedef enum store_origin {
    STORE_PATH,    // a file or folder outside
    STORE_OURS,    // a record of this store
    STORE_OLLAMA,  // a model of Ollama's store
    STORE_BUILT_IN // the guide, which lies in the program itself: memory says where
} store_origin;

/* All that is known of a model without opening its weights. Strings are never NULL, "" where
 * nothing is known; the JSON values are never NULL. Owned by the struct. */
typedef struct store_model {
    store_origin origin;
    char *name;         // "llama3.2:latest"; for STORE_PATH the path as given
    char *path;         // for pith_model_open: a GGUF file or a folder
    const void *memory; // BUILT_IN: the file, and path is its name; else NULL. Static storage
    uint64_t memory_bytes;
    char *template_file; // Jinja, for pith_model_options.template_file; "": the model's own
    char *template_go;   // Ollama's template; shown, never run
    char *system;        // system prompt for chats that bring none
    char *license;       // text or identifier
    char *source;        // where it was pulled from
    char *digest;        // 64 hex digits of the record (Ollama: of the manifest); "" for a path
    char *requires;      // version that its Modelfile asks for
    json_t *parameters;  // {"temperature": 0.7, "stop": ["..."], "num_ctx": 4096}
    json_t *messages;    // [{"role", "content"}]: a conversation that chats begin with
    json_t *adapters;    // [path, ...]: LoRA files
    json_t *files;       // [{"name", "role", "digest", "bytes", "path"}]: all files of the model
    uint64_t bytes;      // of all files
    int64_t modified;    // seconds since 1970
    /* As the model's file says; "" and 0 for a path, which has to be opened for that. */
    char *family, *parameter_size, *quantization, *format;
    uint64_t n_parameters;
    int64_t n_ctx_train, width;
} store_model;

/* Frees the members and zeroes *m. A zeroed one is fine. */
void store_model_clear(store_model *m);

/* Opens the file at m->path, without its weights or tokenizer, and fills in what is "as the model's
 * file says": for a STORE_PATH. Milliseconds. Errors: as pith_model_open. */
pith_status store_model_inspect(store_model *m, pith_error *err);

/* The name of the model that is built into the program, or NULL where this program has none. */
const char *store_built_in(void);
/* What is known of it; only where there is one. *out needs store_model_clear after success. */
pith_status store_built_in_get(store_model *out, pith_error *err);

/* As pith_model_open with the model's path or memory; flags, and the template where options name
 * none. options may be NULL. Errors: as there. */
pith_status store_model_open(const store_model *m, const pith_model_options *options,
                             pith_model **out, pith_error *err);

/* The model that a word means: a path that exists, then a name of ours, then one of Ollama's, then
 * the built-in one. s may
 * be NULL, for a user without a store: then paths alone mean something.
 * only_names refuses paths, for words that come over a network. *out needs store_model_clear after
 * success. Errors: NOT_FOUND with near names and the pull that would fetch it, ARGUMENT (a word
 * that is neither), FORMAT (a damaged record), MISMATCH (a blob is missing or has another size). */
pith_status store_resolve(const store_root *s, const char *word, bool only_names, store_model *out,
                          pith_error *err);

/* All models by name but the built-in one, ours first, each group sorted. Damaged records are left
 * out and told in *warnings (a line each; may be NULL). Free with store_list_free. */
pith_status store_list(const store_root *s, store_model **out, size_t *n, px_buf *warnings,
                       pith_error *err);
void store_list_free(store_model *list, size_t n);

/* The Modelfile that would make this model again. */
pith_status store_modelfile_print(const store_model *m, px_buf *out, pith_error *err);

/* Removes a name of ours, and the blobs that no other record uses; *freed (may be NULL) are their
 * bytes. Errors: NOT_FOUND, DENIED (a model of Ollama's store). */
pith_status store_remove(const store_root *s, const char *name, uint64_t *freed, pith_error *err);

/* Frees what no model uses: unfinished pulls that nobody works on, and blobs older than a day (an
 * upload may be about to be named) without a record. *freed (may be NULL) are bytes. */
pith_status store_sweep(const store_root *s, uint64_t *freed, pith_error *err);

/* Gives a model a second name; an existing name is replaced. No bytes are copied; a model of
 * Ollama's store is then referred to where it lies. Errors: as store_resolve, ARGUMENT (a bad new
 * name). */
pith_status store_copy(const store_root *s, const char *from, const char *to, pith_error *err);

/* ---- work that takes long */

typedef enum store_step {
    STORE_STEP_MANIFEST, // asking what the model consists of
    STORE_STEP_FETCH,    // bytes of one file; done, total
    STORE_STEP_WAIT,     // another pull is fetching this file
    STORE_STEP_VERIFY,   // SHA-256 of one file; done, total
    STORE_STEP_CONVERT,  // safetensors to GGUF, quantizing, copying; done, total
    STORE_STEP_WRITE,    // the record
    STORE_STEP_DONE,     // the model has its name
    STORE_STEP_NOTE      // text says something the user should know; work goes on
} store_step;

typedef struct store_progress {
    store_step step;
    const char *digest; // "sha256:HEX" of the file, or ""
    const char *file;   // its name, or ""
    const char *text;   // for NOTE and DONE (the name); else ""
    uint64_t done, total;
    uint64_t resumed; // FETCH: bytes of `done` that were there before
} store_progress;

/* Called at each change and at least four times a second while work is done; nonzero ends the work
 * with CANCELLED, and what was fetched is kept for the next time. */
typedef int (*store_progress_fn)(void *user, const store_progress *p);

typedef struct store_job {
    store_progress_fn progress; // may be NULL
    void *user;
    const char *registry; // base URL in place of huggingface.co and registry.ollama.ai; NULL
    bool insecure;        // http:// is allowed to other machines too (this one: always)
    const char *token;    // NULL: HF_TOKEN, HUGGING_FACE_HUB_TOKEN or the file of huggingface-cli
    const char *as;       // name in the store; NULL: as pulled
    const char *convert;  // safetensors: dtype of one GGUF file ("f16", "bf16", "f32"), or NULL
    const char *quantize; // type of pith_quantize, or NULL
    int32_t n_parts;      // connections for one file; 0: 6
    const char *folder;   // of relative paths in a recipe; NULL: a recipe may not name paths
} store_job;

/* Fetches a model (docs/store.md has the forms of `what`) and gives it its name. What is there
 * already is not fetched. *name (may be NULL) is the name it got; free with px_free. Errors:
 * NOT_FOUND (with what there is), DENIED (a token is needed), MISMATCH (wrong bytes came; they are
 * gone), IO (also a full disk, with numbers), CANCELLED, TIMEOUT. */
pith_status store_pull(const store_root *s, const char *what, const store_job *job, char **name,
                       pith_error *err);

/* Gives the model at a path a name (NULL: that of the file): in place, or with `copy` as blobs of
 * the store. *made (may be NULL) is the name; free with px_free. */
pith_status store_import(const store_root *s, const char *path, const char *name, bool copy,
                         const store_job *job, char **made, pith_error *err);

/* Makes a model from a recipe: the object that Ollama's /api/create takes ("from", "files",
 * "adapters", "template", "system", "license", "parameters", "messages", "quantize", "requires").
 * Members that are not known are ARGUMENT. A "from" that is not on this machine is NOT_FOUND. A
 * template in Go's language is kept to be shown, is not run, and a NOTE says so. */
pith_status store_create(const store_root *s, const char *name, const json_t *recipe,
                         const store_job *job, pith_error *err);

/* The recipe that a Modelfile means; *out is the caller's. name stands in messages. Errors: FORMAT
 * with the line, LIMIT, MEMORY. */
pith_status store_modelfile_parse(const char *name, const char *text, size_t len, json_t **out,
                                  pith_error *err);

/* ---- blobs, for /api/blobs */

/* Whether "sha256:HEX" is a blob of ours. Anything else is ARGUMENT; no blob is NOT_FOUND. */
pith_status store_blob_find(const store_root *s, const char *digest, uint64_t *bytes,
                            pith_error *err);

typedef struct store_blob_writer store_blob_writer;

/* A blob that arrives piece by piece. commit verifies the digest (MISMATCH: nothing is kept), and
 * frees the writer in any case; so does abort, which takes NULL. One thread at a time. */
pith_status store_blob_begin(const store_root *s, const char *digest, store_blob_writer **out,
                             pith_error *err);
pith_status store_blob_write(store_blob_writer *w, const void *bytes, size_t n, pith_error *err);
pith_status store_blob_commit(store_blob_writer *w, pith_error *err);
void store_blob_abort(store_blob_writer *w);

#endif

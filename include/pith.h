/*
 * pith.h: the door of libpith. This header is the manual.
 *
 * Everything that the program `pith` does with a model it does through this file; what it needs and
 * this file lacks is added here. The library prints nothing, never exits and never aborts on input,
 * I/O or memory: each fallible call returns a pith_status and, where the caller gives a pith_error,
 * one sentence that names the object, what was found, what was expected and the way out.
 *
 * Conventions
 *   - Objects are opaque. open/close a resource, new/free a heap object, get lends (do not free),
 * take gives.
 *   - Options are structs whose first member `size` is sizeof the struct as the caller was
 * compiled; members beyond it read as zero, and zero always means the documented default.
 * PITH_INIT(type) makes one.
 *   - Text is UTF-8 with an explicit length in bytes. Token ids are int32_t. Sizes in bytes are
 * size_t or uint64_t.
 *   - A `pith_error *err` may be NULL. It is overwritten by the call.
 *   - A pith_model is immutable once open and may be shared by threads. Everything else belongs to
 * one thread at a time, except where a function says otherwise.
 */
#ifndef PITH_H
#define PITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A struct of options with its size set and all else zero. */
#ifdef __cplusplus
template <typename T> inline T pith_init_of()
{
    T t = T();
    t.size = sizeof(T);
    return t;
}
#define PITH_INIT(type) (pith_init_of<type>())
extern "C" {
#else
#define PITH_INIT(type) ((type){.size = sizeof(type)})
#endif

#if defined(__GNUC__)
#define PITH_API __attribute__((visibility("default")))
#else
#define PITH_API
#endif

/* ------------------------------------------------------------------ status */

/* The one list of status codes: name, value (stable for ever), text, exit code of the program, HTTP
 * status. */
#define PITH_STATUS_LIST(X)                                 \
    X(PITH_OK, 0, "ok", 0, 200)                             \
    X(PITH_E_ARGUMENT, -1, "invalid argument", 2, 400)      \
    X(PITH_E_NOT_FOUND, -2, "not found", 3, 404)            \
    X(PITH_E_FORMAT, -3, "malformed input", 4, 422)         \
    X(PITH_E_UNSUPPORTED, -4, "not supported", 5, 501)      \
    X(PITH_E_IO, -5, "input/output error", 6, 500)          \
    X(PITH_E_MEMORY, -6, "out of memory", 7, 503)           \
    X(PITH_E_LIMIT, -7, "limit exceeded", 8, 413)           \
    X(PITH_E_CONTEXT, -8, "context full", 9, 400)           \
    X(PITH_E_TEMPLATE, -9, "template failed", 10, 400)      \
    X(PITH_E_NUMERIC, -10, "numeric failure", 11, 500)      \
    X(PITH_E_BUSY, -11, "busy", 12, 503)                    \
    X(PITH_E_DENIED, -12, "permission denied", 13, 403)     \
    X(PITH_E_MISMATCH, -13, "verification failed", 14, 500) \
    X(PITH_E_TIMEOUT, -14, "deadline exceeded", 15, 504)    \
    X(PITH_E_CANCELLED, -15, "cancelled", 130, 499)         \
    X(PITH_E_INTERNAL, -16, "internal error", 70, 500)

typedef enum pith_status {
#define PITH_STATUS_ENUM(name, value, text, exit_code, http) name = value,
    PITH_STATUS_LIST(PITH_STATUS_ENUM)
#undef PITH_STATUS_ENUM
} pith_status;

/* What went wrong, in one sentence. status is PITH_OK and text empty while nothing did. */
typedef struct pith_error {
    pith_status status;
    char text[1020];
} pith_error;

/* The short text of a status ("context full"), or "unknown status". Never NULL; static storage. */
PITH_API const char *pith_status_text(pith_status status);

/* The exit code with which a program reports this status: 0 for PITH_OK, 70 for an unknown one. */
PITH_API int pith_status_exit_code(pith_status status);

/* The HTTP status with which a server reports this status: 200 for PITH_OK, 500 for an unknown one.
 */
PITH_API int pith_status_http(pith_status status);

/* The library's version, "0.1.0". Static storage. */
PITH_API const char *pith_version(void);

/* ------------------------------------------------------------------ shared small things */

/* A lent stretch of text or bytes; not followed by a zero byte. */
typedef struct pith_str {
    const char *data;
    size_t len;
} pith_str;

/* Called from inside long calls, on the caller's thread, at least ten times a second while work is
 * done. done and total are in the unit of the call (bytes, tokens). Nonzero ends the call with
 * PITH_E_CANCELLED. */
typedef int (*pith_progress_fn)(void *user, uint64_t done, uint64_t total);

/* Text that the library gives away: free with pith_text_free. data ends in a zero byte that len
 * does not count. */
typedef struct pith_text {
    char *data;
    size_t len;
} pith_text;

/* Frees the text and empties *text; NULL and empty ones are fine. */
PITH_API void pith_text_free(pith_text *text);

/* ------------------------------------------------------------------ machine */

typedef struct pith_machine {
    size_t size;
    char cpu[96]; /* the processor's name as it reports itself, or "unknown" */
    const char
        *level; /* highest kernel level that this machine runs: "avx512bf16"; static storage */
    int32_t physical_cores; /* that this process may use: affinity and quotas counted */
    int32_t logical_cores;
    uint64_t memory_bytes; /* of the machine, or of this process' control group if that is less */
    uint64_t memory_free;  /* that could be used now without swapping */
} pith_machine;

/* Fills *out (its size member set by the caller, PITH_INIT). Fails only on a wrong size. */
PITH_API pith_status pith_machine_get(pith_machine *out, pith_error *err);

/* A kernel of the table that an engine at a level uses. */
typedef struct pith_kernel {
    const char *op;     /* "mul" */
    const char *detail; /* "q4_k", or "" */
    const char *level;  /* "avx2" */
} pith_kernel;

/* The i-th row of the kernel table for a cap (NULL or "": PITH_CPU from the environment, else the
 * best). PITH_E_NOT_FOUND past the end, PITH_E_ARGUMENT for an unknown level, PITH_E_UNSUPPORTED
 * for one that this machine does not run. */
PITH_API pith_status pith_kernel_get(const char *cpu, int32_t i, pith_kernel *out, pith_error *err);

/* The i-th level name that this program knows, lowest first, and whether this machine runs it; NULL
 * past the end. */
PITH_API const char *pith_cpu_level(int32_t i, bool *runs);

enum { PITH_LIMIT_READ = 1, PITH_LIMIT_INT8 = 2, PITH_LIMIT_BF16 = 4, PITH_LIMIT_F32 = 8 };

/* What this machine can do at most, with all threads at once: what a kernel is held against. */
typedef struct pith_limits {
    size_t size;
    uint32_t parts;     /* in: PITH_LIMIT_*, those wanted; 0: all. The others stay 0 */
    bool quick;         /* in: a glance of some 15 ms a part, for use between other measurements */
    int32_t n_threads;  /* out */
    const char *cpu;    /* out: level whose instructions were used; static storage */
    uint64_t read_span; /* out: bytes that are read through, larger than the caches */
    double read_gbps;   /* out: 10^9 bytes a second, by the best of several ways to read */
    double int8_gops;   /* out: 10^9 operations a second; a multiply-add is two */
    double bf16_gflops; /* out: where the level has no bf16 products, as f32 */
    double f32_gflops;  /* out */
} pith_limits;

typedef struct pith_meter_options {
    size_t size;
    int32_t n_threads;  /* 0: the physical cores that this process may use */
    const char *cpu;    /* cap on the level, as pith_engine_options */
    uint64_t read_span; /* bytes to read through; 0: 1 GiB, or an eighth of the free memory if that
                           is less, but at least 64 MiB */
} pith_meter_options;

/* Measures limits, again and again: machines drift. Keeps threads and read_span bytes of memory. */
typedef struct pith_meter pith_meter;

/* Errors: ARGUMENT, UNSUPPORTED (the CPU does not run that level), MEMORY. */
PITH_API pith_status pith_meter_new(const pith_meter_options *options, pith_meter **out,
                                    pith_error *err);

/* NULL is fine. */
PITH_API void pith_meter_free(pith_meter *meter);

/* Fills the rest of *limits from its first members with the best of many short runs. All parts take
 * under half a second, on slow memory a little more. progress may be NULL. Errors: ARGUMENT,
 * CANCELLED. */
PITH_API pith_status pith_meter_run(pith_meter *meter, pith_limits *limits,
                                    pith_progress_fn progress, void *user, pith_error *err);

/* ------------------------------------------------------------------ model */

typedef struct pith_model pith_model;
typedef struct pith_tokenizer pith_tokenizer;
typedef struct pith_template pith_template;

/* Parts of a model that an opening may leave out. */
enum {
    PITH_OPEN_NO_TOKENIZER = 1, /* for inspection: tokenizer and template are not built */
    PITH_OPEN_NO_WEIGHTS = 2    /* the tokenizer alone: a vocabulary-only GGUF or a folder with
                                   tokenizer files is enough */
};

typedef struct pith_model_options {
    size_t size;
    uint32_t flags; /* PITH_OPEN_* */
    const char
        *template_file; /* a Jinja file to use in place of the model's own template, or NULL */
    const char *template_name; /* one of several named templates of the model ("tool_use"), or NULL
                                  for the default */
    const void *memory; /* a GGUF file that lies in memory, aligned to 64 bytes, which must stay as
                           long as the model; path is then a name and no file is opened */
    uint64_t memory_bytes;
} pith_model_options;

/* Opens a GGUF file (v2, v3, also split) or a Hugging Face model folder. Weights are mapped, not
 * read: opening costs milliseconds and a few MiB. options may be NULL. Errors: NOT_FOUND, FORMAT,
 * UNSUPPORTED, LIMIT, MEMORY, TEMPLATE; the sentence names file and key or tensor. *out is NULL
 * then. */
PITH_API pith_status pith_model_open(const char *path, const pith_model_options *options,
                                     pith_model **out, pith_error *err);

/* Engines and lent tokenizers, templates and strings of the model must be gone before. NULL is
 * fine. */
PITH_API void pith_model_close(pith_model *model);

/* What the model is. Strings are lent and live as long as the model; "" where the file does not
 * say. */
typedef struct pith_model_info {
    size_t size;
    const char *path;
    const char *format;       /* "GGUF v3", "Hugging Face folder" */
    const char *architecture; /* "llama": the name in GGUF */
    const char *family;       /* "LLaMA": the name people use */
    const char *name;         /* general.name */
    const char *license;      /* as the file states it */
    const char *origin;       /* URL or repository as the file states it */
    const char *flags; /* words for what is special in this decoder: "tied head, q/k norm, window
                          512 on 5 of 6 layers" */
    int32_t n_layers, n_vocab, n_ctx_train;
    int32_t width, n_heads, n_kv_heads, head_dim, value_dim, ffn;
    uint64_t n_parameters;
    uint64_t file_bytes;   /* of all files of the model */
    uint64_t weight_bytes; /* of its tensors */
    int64_t n_tensors, n_metas;
    const char *warnings; /* one a line: what the file holds that pith does not use or that looks
                             wrong; "" for none */
} pith_model_info;

/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_model_get_info(const pith_model *model, pith_model_info *out,
                                         pith_error *err);

/* Metadata in file order, 0 <= i < n_metas. value is JSON text; arrays longer than max_items are
 * cut and end in "...". *key is lent; free value with pith_text_free. NOT_FOUND past the end. */
PITH_API pith_status pith_model_get_meta(const pith_model *model, int64_t i, int64_t max_items,
                                         const char **key, pith_text *value, pith_error *err);

typedef struct pith_tensor_info {
    size_t size;
    const char *name;
    const char *dtype; /* "q4_k" */
    int32_t n_dims;
    int64_t shape[4]; /* slowest axis first, as C would index it; n_dims of them */
    uint64_t bytes;
    const char *file; /* that it lies in */
    uint64_t offset;  /* from the start of that file */
} pith_tensor_info;

/* Tensors in file order. NOT_FOUND past the end. */
PITH_API pith_status pith_model_get_tensor(const pith_model *model, int64_t i,
                                           pith_tensor_info *out, pith_error *err);

/* Where the memory of running a model goes. */
typedef struct pith_plan {
    size_t size;
    int64_t n_ctx;           /* in: tokens of context, 0 for the trained one */
    const char *kv_type;     /* in: "f16" (default), "f32", "q8_0" */
    int32_t n_threads;       /* in: 0 for the default */
    int32_t n_batch;         /* in: 0 for the default */
    uint64_t weight_bytes;   /* out: mapped from the file, shared with other processes */
    uint64_t kv_bytes;       /* out: when the context is full; committed as it fills */
    uint64_t kv_token_bytes; /* out: of one token */
    uint64_t work_bytes;     /* out: activations, logits and the sampler's buffers at their largest;
                                the system gives memory as it is touched */
} pith_plan;

/* Fills the rest of *plan from its first members, those left at their defaults too. Reads no
 * weights. Errors: as pith_engine_new. */
PITH_API pith_status pith_model_plan(const pith_model *model, pith_plan *plan, pith_error *err);

/* ------------------------------------------------------------------ tokenizer */

/* The model's tokenizer, lent; NULL when the file has none or it was opened without. Threads may
 * share it. */
PITH_API const pith_tokenizer *pith_model_tokenizer(const pith_model *model);

enum {
    PITH_TOKENIZE_SPECIAL =
        1, /* special tokens written in the text are read as such; otherwise they are plain text */
    PITH_TOKENIZE_NO_BOS = 2 /* leave out what the model's files put around a text (bos, eos) */
};

/* Token ids of a text. Two calls, or one with a guess: writes at most cap ids and always sets *n to
 * the number there are; with ends not NULL, ends[i] is the byte of the text at which token i ends.
 * Enough is len + 3 (each token takes a byte of the text, but for bos, eos and a prefix space).
 * Returns OK also when cap was too small; nothing beyond cap is written. Errors: UNSUPPORTED (no
 * such piece and no unknown token), LIMIT, MEMORY. */
PITH_API pith_status pith_tokenize(const pith_tokenizer *tok, const char *text, size_t len,
                                   uint32_t flags, int32_t *ids, uint32_t *ends, int64_t cap,
                                   int64_t *n, pith_error *err);

/* The bytes of one token in the middle of a text; lent; data NULL for an id out of range. Control
 * tokens have none unless special. */
PITH_API pith_str pith_token_bytes(const pith_tokenizer *tok, int32_t id, bool special);

/* All ids as one text, valid UTF-8. */
PITH_API pith_status pith_detokenize(const pith_tokenizer *tok, const int32_t *ids, int64_t n,
                                     bool special, pith_text *out, pith_error *err);

typedef struct pith_tokenizer_info {
    size_t size;
    const char *kind; /* "SentencePiece BPE", "byte-level BPE", "Unigram", "WordPiece" */
    const char *pre;  /* GGUF name of the pre-tokenizer, or "" */
    int32_t n_vocab;
    int32_t bos, eos, eot, unk, pad; /* -1: none */
    bool adds_bos, adds_eos;
} pith_tokenizer_info;

/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_tokenizer_get_info(const pith_tokenizer *tok, pith_tokenizer_info *out,
                                             pith_error *err);

/* Whether generation ends at this token. */
PITH_API bool pith_token_is_end(const pith_tokenizer *tok, int32_t id);

/* The id whose text in the vocabulary is exactly this, or -1. */
PITH_API int32_t pith_token_find(const pith_tokenizer *tok, const char *text, size_t len);

/* ------------------------------------------------------------------ chat template */

/* The template that the model's chat goes through, lent; NULL when the model was opened without a
 * tokenizer. *name (may be NULL) says where it comes from: "tokenizer.chat_template", a file, or
 * "default: chatml". */
PITH_API const pith_template *pith_model_template(const pith_model *model, const char **name);

/* Parses a template; name stands in messages. Errors: TEMPLATE with the line, LIMIT, MEMORY. */
PITH_API pith_status pith_template_new(const char *name, const char *source, size_t len,
                                       pith_template **out, pith_error *err);

/* Frees a template of pith_template_new, not one that a model lends. NULL is fine. */
PITH_API void pith_template_free(pith_template *t);

/* The source text; lent. */
PITH_API pith_str pith_template_get_source(const pith_template *t);

typedef enum pith_span_kind {
    PITH_SPAN_GENERATION, /* inside {% generation %} */
    PITH_SPAN_MESSAGE     /* printed for message `index` */
} pith_span_kind;

/* A stretch of a rendered text, in bytes. */
typedef struct pith_span {
    pith_span_kind kind;
    int32_t index;
    size_t start, end;
} pith_span;

typedef struct pith_rendered {
    pith_text text;
    pith_span *spans;
    size_t n_spans;
} pith_rendered;

/* Renders with the members of a JSON object as variables: messages, tools, add_generation_prompt
 * and any further ones. With a model, bos_token and eos_token default to the model's. Free with
 * pith_rendered_free. Errors: TEMPLATE ("name: line N: ..."), FORMAT (the JSON), LIMIT, MEMORY. */
PITH_API pith_status pith_template_render(const pith_template *t, const pith_model *model,
                                          const char *json, size_t json_len, pith_rendered *out,
                                          pith_error *err);

/* Frees the members and empties *r. */
PITH_API void pith_rendered_free(pith_rendered *r);

/* A conversation as the model will read it. */
typedef struct pith_chat {
    pith_text text; /* as rendered by the template */
    int32_t *ids;
    int64_t n_ids;
    pith_span *spans; /* start and end count tokens here; a token that lies across a border belongs
                         to the later span */
    size_t n_spans;
} pith_chat;

/* Renders messages (JSON as for pith_template_render) through the model's template and tokenizes
 * the result. Special tokens that the template writes are special; those that stand inside messages
 * of any role but "assistant" stay plain text, so that a user cannot forge a turn. Free with
 * pith_chat_free. Errors: as pith_template_render; NOT_FOUND without a tokenizer. */
PITH_API pith_status pith_chat_tokenize(const pith_model *model, const char *json, size_t json_len,
                                        pith_chat *out, pith_error *err);

/* Frees the members and empties *chat. */
PITH_API void pith_chat_free(pith_chat *chat);

/* Makes what a client sends into what pith_chat_tokenize takes for this model. json is an object:
 * messages as in OpenAI's API, tools, chat_template_kwargs, and any further members, which become
 * variables of the template. What is done (docs/tools.md): role developer is system; parts of text
 * are joined; arguments of calls become objects; ids get the length that the template wants;
 * results find the name of their function; reasoning_content of earlier turns is kept where the
 * template prints it; several calls of a turn become turns where it prints one at a time; system
 * messages go where it takes them; tools, calls and results that it does not print are told in
 * words; enable_thinking gets the name that the template knows; add_generation_prompt is true
 * unless it is given. *out is JSON, freed with pith_text_free. Errors: ARGUMENT (what is wrong,
 * with its index), FORMAT (the JSON), UNSUPPORTED (parts that are no text), LIMIT, NOT_FOUND (no
 * tokenizer), MEMORY.
 */
PITH_API pith_status pith_chat_normalize(const pith_model *model, const char *json, size_t json_len,
                                         pith_text *out, pith_error *err);

/* ------------------------------------------------------------------ engine and sessions */

typedef struct pith_engine pith_engine;
typedef struct pith_session pith_session;

typedef struct pith_engine_options {
    size_t size;
    int32_t n_threads; /* 0: the physical cores that this process may use */
    const char
        *cpu; /* cap on the kernels ("avx2"); NULL: PITH_CPU from the environment, else the best */
    int64_t n_ctx;   /* most tokens of one session; 0: the trained context, for models with longrope
                        the one before scaling (memory is taken only as it fills) */
    int32_t n_batch; /* most tokens of one step; 0: 192 */
    int32_t max_logits;   /* most rows of logits of one step; 0: 32. A row takes 4 bytes a token of
                             the vocabulary */
    int32_t max_sessions; /* 0: 64 */
    const char *k_type;   /* dtype of keys in the cache: "f16" (NULL), "f32", "q8_0" */
    const char *v_type;   /* of values */
    uint64_t kv_bytes;    /* most memory of the cache; 0: no limit of its own, but pages that only
                             the prefix cache keeps take at most a quarter of the memory that was
                             free when the engine was made */
    int32_t
        prompt_batch;      /* most tokens of contexts in a step that also writes for somebody, so
                              that he does not wait long; 0: 16 and 2 for each who writes, at most 64:
                              such a step then takes some 2.5 times as long as one that only writes */
    bool no_prefix_cache;  /* sessions share only what they are forked from; computed prefixes are
                              not kept when a session changes or goes */
    const char *kv_dir;    /* folder for computed prefixes, so that they outlive the engine; NULL:
                              none. Made when missing. Pages are written when the prefix cache gives
                              them up, by pith_engine_save_cache and when the engine is freed; read
                              when a context begins with them; verified each time. Engines and
                              processes may share it. docs/serving-engine.md */
    uint64_t kv_dir_bytes; /* most bytes of its files, those used longest ago go; 0: 4 GiB */
} pith_engine_options;

/* Makes what computes: threads, kernels, work memory, an empty KV cache. options may be NULL. The
 * model must outlive it. Errors: ARGUMENT (a context beyond the trained one times its scaling is
 * fine, but a number below 1 is not), UNSUPPORTED (the CPU does not run that level; the model was
 * opened without weights), MEMORY. */
PITH_API pith_status pith_engine_new(const pith_model *model, const pith_engine_options *options,
                                     pith_engine **out, pith_error *err);

/* Its sessions must be gone before. */
PITH_API void pith_engine_free(pith_engine *engine);

/* Gives the engine a second, smaller model that guesses ahead for requests which ask for it
 * (pith_speculation). Both must have the same vocabulary, token by token; a few tokens of padding
 * aside. It computes with the engine's threads, has a KV cache of its own, bounded by the same
 * kv_bytes once more, and must outlive the engine. NULL takes it away. Before the engine has
 * sessions. Errors: MISMATCH (another vocabulary, with the token), UNSUPPORTED (no tokenizer or no
 * weights), BUSY (there are sessions), MEMORY. */
PITH_API pith_status pith_engine_set_draft(pith_engine *engine, const pith_model *draft,
                                           pith_error *err);

/* Empties the prefix cache: what sessions hold stays theirs, but is found by nobody else. Sessions
 * do not change. Errors: ARGUMENT, BUSY (from inside a callback). */
PITH_API pith_status pith_engine_clear_cache(pith_engine *engine, pith_error *err);

/* Writes what the prefix cache holds to the engine's kv_dir, pages that are there already left out:
 * for a server that has nothing else to do. Errors: ARGUMENT (no kv_dir), BUSY (from inside a
 * callback), IO (some pages could not be written, and why). */
PITH_API pith_status pith_engine_save_cache(pith_engine *engine, pith_error *err);

typedef struct pith_engine_info {
    size_t size;
    int32_t n_threads;
    const char *cpu; /* level in use */
    int64_t n_ctx;
    int32_t n_batch;
    int32_t max_logits;
    uint64_t kv_bytes;   /* committed now */
    uint64_t work_bytes; /* work memory at its largest; the system gives it as it is touched */
    int32_t n_sessions;  /* that exist now */
    int32_t n_answers;   /* in flight now */
    /* Since the engine was made, for metrics: */
    uint64_t n_steps;     /* steps that succeeded */
    uint64_t n_computed;  /* tokens computed in them, of contexts and answers */
    uint64_t n_generated; /* tokens that answers chose */
    uint64_t n_drafted;   /* tokens that were guessed ahead */
    uint64_t n_accepted;  /* of these, chosen */
    /* The prefix cache: */
    uint64_t kv_limit;        /* kv_bytes never passes this */
    uint64_t cache_bytes;     /* of kv_bytes, what only the prefix cache keeps: given up as soon as
                                 a session needs it */
    int64_t cache_tokens;     /* of computed prefixes that can be found, in use or not */
    uint64_t n_cache_hits;    /* tokens that were found there and not computed */
    uint64_t n_cache_evicted; /* pages of 64 tokens that were given up for others */
    uint64_t n_submitted;     /* requests that were begun, since the engine was made */
    uint64_t n_paused;        /* times that an answer gave its pages up for others */
    int32_t n_waiting;        /* of n_answers, those that have no room in the cache yet */
    /* The folder kv_dir: */
    uint64_t disk_bytes;     /* of its files, as far as this engine has seen them */
    uint64_t n_disk_saved;   /* pages written since the engine was made */
    uint64_t n_disk_loaded;  /* read and used */
    uint64_t n_disk_refused; /* files that were damaged or of something else: removed, not used */
    uint64_t n_disk_failed;  /* pages that could not be written */
    const char *disk_note;   /* of the last refusal or failure, a sentence, lent until the next call
                                with the engine; "" */
} pith_engine_info;

/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_engine_get_info(const pith_engine *engine, pith_engine_info *out,
                                          pith_error *err);

/* What computing some tokens of one sequence must at least read and do, counted from the model's
 * shapes: what pith_limits turn into the shortest time. */
typedef struct pith_cost {
    size_t size;
    int32_t n_tokens;        /* in: at least 1; computed in steps of n_batch */
    int64_t depth;           /* in: tokens of the sequence before them */
    int32_t n_logits;        /* in: rows of logits, of the last tokens */
    int64_t n_steps;         /* out */
    uint64_t weight_bytes;   /* out: all matrices once a step; the head in the last one only, and
                                only when logits are wanted */
    uint64_t embed_bytes;    /* out: a row of the embedding for each token */
    uint64_t kv_read_bytes;  /* out: keys and values that the tokens of a step see, once a step */
    uint64_t kv_write_bytes; /* out */
    uint64_t int8_ops;       /* out: two for each weight and token of matrices in blocks of whole
                                numbers; the head counts for rows of logits */
    uint64_t bf16_ops;       /* out: the same of f16 and bf16 matrices */
    uint64_t f32_ops;        /* out: the same of f32 and nf4 matrices */
    uint64_t attention_ops;  /* out: two for each element of a query head and each key that it sees,
                                and as many for values */
} pith_cost;

/* Fills the rest of *cost from its first members. Errors: ARGUMENT. */
PITH_API pith_status pith_engine_get_cost(const pith_engine *engine, pith_cost *cost,
                                          pith_error *err);

/* What happens when a context is full. */
typedef enum pith_overflow {
    PITH_OVERFLOW_ERROR, /* the call fails with PITH_E_CONTEXT and says by how much */
    PITH_OVERFLOW_SHIFT, /* the oldest tokens after the first n_keep are forgotten, half of the rest
                            at a time, and what remains is computed anew at its new positions; the
                            answer goes on */
    PITH_OVERFLOW_TRUNCATE /* a prompt that is too long loses its oldest tokens after the first
                              n_keep, and as many more as the answer may take, up to half of what
                              fits; an answer ends when the context is full */
} pith_overflow;

/* A LoRA adapter of a model: small matrices that change what the model's own compute. Immutable
 * once open; threads may share it. */
typedef struct pith_adapter pith_adapter;

/* Reads an adapter for this model, which must outlive it: a GGUF file of general.type "adapter", or
 * a folder that PEFT wrote (docs/adapters.md). It is copied to memory whole. Errors: NOT_FOUND,
 * FORMAT (no adapter; damaged), MISMATCH (of another model: architecture, a tensor that the model
 * lacks, a shape), UNSUPPORTED (another kind of adapter; the model was opened without weights),
 * LIMIT, MEMORY. */
PITH_API pith_status pith_adapter_open(const pith_model *model, const char *path,
                                       pith_adapter **out, pith_error *err);

/* Sessions that use it must be gone before. NULL is fine. */
PITH_API void pith_adapter_close(pith_adapter *adapter);

/* Strings are lent and live as long as the adapter. */
typedef struct pith_adapter_info {
    size_t size;
    const char *path;
    const char *name; /* general.name, or "" */
    int32_t rank;     /* the largest of its matrices */
    float alpha; /* the file's; each matrix is scaled by alpha / its rank, by 1 where it is 0 */
    int32_t n_matrices;
    uint64_t bytes; /* of memory */
    uint64_t key;   /* hash of its content: what cached prefixes are kept apart by */
    bool rslora;    /* matrices are scaled by alpha / sqrt(rank) */
    bool dora;      /* has magnitudes */
} pith_adapter_info;

/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_adapter_get_info(const pith_adapter *adapter, pith_adapter_info *out,
                                           pith_error *err);

/* An adapter's file, looked at without a model. Immutable; threads may share it. */
typedef struct pith_adapter_file pith_adapter_file;

/* Errors: as pith_adapter_open, but for those that need a model. */
PITH_API pith_status pith_adapter_file_open(const char *path, pith_adapter_file **out,
                                            pith_error *err);
/* NULL is fine. */
PITH_API void pith_adapter_file_close(pith_adapter_file *file);
/* Strings are lent and live as long as the file. */
typedef struct pith_adapter_file_info {
    size_t size;
    const char *form; /* "gguf" or "peft" */
    const char *path;
    const char *name;         /* or "" */
    const char *base;         /* the model that it was trained on, as the file has it, or "" */
    const char *architecture; /* "" of a PEFT folder, which does not say */
    const char *dtype;        /* of its first matrix */
    int32_t rank;             /* the largest */
    float alpha;              /* as stated for all */
    bool rslora, dora;
    int32_t n_matrices;
    int32_t n_zero;   /* matrices that change nothing: B A is zero, and there is no magnitude */
    int64_t n_values; /* of all A, B and magnitudes */
    double norm; /* Frobenius norm of all changes: the root of the sum of squares of scale B A */
} pith_adapter_file_info;
/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_adapter_file_get_info(const pith_adapter_file *file,
                                                pith_adapter_file_info *out, pith_error *err);

/* One matrix that an adapter changes. */
typedef struct pith_adapter_matrix {
    size_t size;
    const char *name; /* as GGUF has it: "blk.0.attn_q.weight" */
    int32_t rank;
    float alpha;
    float scale; /* on B A */
    int64_t rows, cols;
    double norm_a, norm_b; /* Frobenius norms */
    double norm;           /* of scale B A */
    bool magnitude;        /* has one (DoRA) */
    bool zero;             /* changes nothing */
} pith_adapter_matrix;

/* Matrix i of n_matrices, in the file's order. Errors: ARGUMENT. */
PITH_API pith_status pith_adapter_file_get_matrix(const pith_adapter_file *file, int32_t i,
                                                  pith_adapter_matrix *out, pith_error *err);

/* What differs between two adapters in one matrix. */
typedef struct pith_adapter_difference {
    size_t size;
    const char *name;
    int32_t rank_a, rank_b; /* 0: the adapter leaves this matrix alone */
    double norm_a, norm_b;  /* of scale B A */
    double norm;            /* of the difference of both */
    double cosine;          /* of the angle between both; 0 where one is zero */
    bool magnitudes;        /* magnitudes differ, or one alone has them */
} pith_adapter_difference;

typedef void (*pith_adapter_difference_fn)(void *user, const pith_adapter_difference *d);

/* Compares what two adapters change, matrix by matrix of either, whatever their ranks and forms.
 * model: NULL, unless one is a GGUF file and the other a PEFT folder of a model whose rows GGUF
 * reorders (LLaMA). Errors: ARGUMENT (the model is needed), MISMATCH (shapes differ). */
PITH_API pith_status pith_adapter_file_compare(const pith_adapter_file *a,
                                               const pith_adapter_file *b, const pith_model *model,
                                               pith_adapter_difference_fn fn, void *user,
                                               pith_error *err);

/* Writes an adapter of that model in a form: "gguf" (path is a file) or "peft" (path is a folder).
 * dtype: "f32" or "f16", of a GGUF file; NULL is "f32". Errors: as pith_adapter_open, ARGUMENT, IO.
 */
PITH_API pith_status pith_adapter_file_save(const pith_adapter_file *file, const pith_model *model,
                                            const char *path, const char *form, const char *dtype,
                                            pith_error *err);

/* An adapter as a session uses it. */
typedef struct pith_adapter_use {
    const pith_adapter *adapter; /* of the engine's model */
    float scale; /* on top of the adapter's own; 1 as it was trained, 0 leaves it out */
} pith_adapter_use;

typedef struct pith_session_options {
    size_t size;
    pith_overflow overflow;
    int32_t n_keep; /* tokens at the beginning that shift and truncate keep; bos counts */
    const pith_adapter_use *adapters; /* [n_adapters] whose changes add up; the list is copied, the
                                         adapters must outlive the session. Sessions with different
                                         ones go in the same steps and share no cached prefix; those
                                         with none pay nothing */
    int32_t n_adapters;               /* at most 16 */
} pith_session_options;

/* One sequence of tokens in an engine, empty. Calls with a session whose answer is in flight
 * (pith_session_submit) are BUSY. All sessions of an engine belong to the engine's
 * thread. */
PITH_API pith_status pith_session_new(pith_engine *engine, const pith_session_options *options,
                                      pith_session **out, pith_error *err);

/* Gives the session's pages back to the engine, whose prefix cache keeps them for others while
 * there is room. NULL is fine. */
PITH_API void pith_session_free(pith_session *session);

/* The tokens that the session holds, lent until the next call with it. */
PITH_API const int32_t *pith_session_get_tokens(const pith_session *session, int64_t *n);

/* Makes *out a new session that shares the first n tokens of this one: no copy, no computing. */
PITH_API pith_status pith_session_fork(const pith_session *session, int64_t n, pith_session **out,
                                       pith_error *err);

/* Makes the session hold exactly these tokens, or where there are too many what its overflow policy
 * leaves of them. The longest prefix that it already holds, or that the prefix cache has of this or
 * another session with the same adapters, is reused, the rest is computed. *logits
 * (may be NULL): the last n_logits rows, [n_logits, n_vocab] f32, lent until the next call with any
 * session of the engine. n_logits is at most the engine's max_logits. On failure or cancel the
 * session holds a prefix of the tokens and may be used on. Errors: ARGUMENT (an id out of range),
 * CONTEXT, CANCELLED, MEMORY, NUMERIC (NaN in the logits: a broken file), BUSY (from inside a
 * callback of the engine). */
PITH_API pith_status pith_session_set(pith_session *session, const int32_t *tokens, int64_t n,
                                      int32_t n_logits, const float **logits, pith_error *err);

/* Ends the call that the session is in, soon, with PITH_E_CANCELLED, or its next one if it is in
 * none. From any thread, and from a signal handler. */
PITH_API void pith_session_cancel(pith_session *session);

/* What one session is to do in a step. */
typedef struct pith_step_item {
    pith_session *session; /* each of the engine, none twice */
    const int32_t *tokens; /* to append behind those that it holds; lent for the call */
    int32_t n;             /* at least 1 */
    int32_t n_logits;    /* rows of logits that are wanted, of the last n_logits of these tokens: 1
                            for the next token, n for all, 0 for none */
    const float *logits; /* out: [n_logits, n_vocab] f32, lent until the next call with the engine
                            or any session of it; NULL when none are wanted or the step failed */
    pith_status status;  /* out: what is wrong with this item, PITH_OK for all others */
} pith_step_item;

/* Computes tokens of many sessions together: prompt chunks and single tokens mixed, in any order.
 * The weights are read once for all of them, so that a step of eight sessions takes little longer
 * than one of a single session. A session that holds the last token of an answer, which is never
 * computed with it, computes that one too. In all, at most the engine's n_batch tokens, max_logits
 * rows and max_sessions items; 0 items do nothing. Overflow policies have no part here: a context
 * that would be too long is an error.
 *
 * All or nothing: on failure no session has grown, and the step may be tried again without the
 * items whose status is not PITH_OK. Where every status is PITH_OK the fault is the step's as a
 * whole: too many tokens or rows, or NUMERIC. Errors: ARGUMENT, CONTEXT, MEMORY (the cache is full:
 * free or shorten another session), CANCELLED (by pith_session_cancel, looked at before a step of
 * several items and also during one of a single item), NUMERIC (NaN in the logits), BUSY (from
 * inside a callback of the engine).
 *
 * Results do not depend on the number of threads. How many tokens a step has decides which kernels
 * compute it, and so the last bits of the logits. Cost: no heap, one pass over the weights.
 *
 *   pith_step_item items[2] = {{.session = a, .tokens = &next, .n = 1, .n_logits = 1},
 *                              {.session = b, .tokens = prompt, .n = 60, .n_logits = 1}};
 *   if (pith_engine_step(engine, items, 2, &err) == PITH_OK)
 *       use(items[0].logits, items[1].logits);
 */
PITH_API pith_status pith_engine_step(pith_engine *engine, pith_step_item *items, int32_t n_items,
                                      pith_error *err);

/* ------------------------------------------------------------------ sampling */

/* How a token is chosen from logits. Fill with pith_sampling_init, then change. Formulas and order:
 * docs/sampling.md. */
typedef struct pith_sampling {
    size_t size;
    const char *order; /* names in order, separated by ';'. Default:
                          "penalties;dry;top_k;typical;top_p;min_p;xtc;temperature" */
    float temperature; /* 0.8; 0: greedy, the largest logit after penalties and bias */
    int32_t top_k;     /* 40; 0: off */
    float top_p;       /* 0.95; 1: off */
    float min_p;       /* 0.05; 0: off */
    float typical;     /* 1: off */
    float xtc_probability, xtc_threshold;                      /* 0, 0.1 */
    float repeat_penalty, frequency_penalty, presence_penalty; /* 1, 0, 0 */
    int32_t penalty_last_n;                 /* 64; -1: the whole context; 0: off */
    float dry_multiplier, dry_base;         /* 0: off, 1.75 */
    int32_t dry_allowed_length, dry_last_n; /* 2, -1 */
    const char *const *dry_breakers;        /* NULL: "\n", ":", "\"", "*" */
    int32_t n_dry_breakers;
    int32_t mirostat; /* 0: off, 2: mirostat 2 in place of top_k, typical, top_p, min_p, xtc */
    float mirostat_tau, mirostat_eta; /* 5, 0.1 */
    int32_t min_keep;                 /* 1: filters leave at least so many */
    uint64_t seed; /* PITH_SEED_RANDOM: chosen by the system and reported in the result */
} pith_sampling;

#define PITH_SEED_RANDOM UINT64_MAX

/* The defaults above, with what the model's files recommend (generation_config.json,
 * general.sampling.*) over them when model is not NULL. */
PITH_API pith_status pith_sampling_init(pith_sampling *out, const pith_model *model,
                                        pith_error *err);

typedef struct pith_logit_bias {
    int32_t token;
    float bias; /* added to the logit; -INFINITY forbids */
} pith_logit_bias;

/* ------------------------------------------------------------------ grammars */

/* A language that an answer is held to: compiled once for a tokenizer, shared by any number of
 * requests, engines and threads (its cache of masks has a lock of its own).
 * docs/structured-output.md
 */
typedef struct pith_grammar pith_grammar;

typedef enum pith_grammar_kind {
    PITH_GRAMMAR_GBNF,        /* GBNF; a text begins with rule "root" */
    PITH_GRAMMAR_JSON_SCHEMA, /* a JSON schema, draft 2020-12 */
    PITH_GRAMMAR_JSON,        /* any JSON object; without text */
    PITH_GRAMMAR_REGEX,       /* the whole text matches */
    PITH_GRAMMAR_CHOICE       /* one of the strings of a JSON array */
} pith_grammar_kind;

typedef struct pith_grammar_options {
    size_t size;
    pith_grammar_kind kind;
    const char *text; /* NULL for JSON */
    size_t len;
    const char *name; /* in messages; NULL: "grammar", "schema", ... */
} pith_grammar_options;

/* Compiles a grammar. tok may be NULL: then it only matches texts. The tokenizer must outlive it.
 * GBNF has three additions of pith's own:
 *   @"<tool_call>"     the special or added token with exactly this text where the vocabulary has
 *                      one, else the bytes. Such a token stands nowhere else in an answer
 *   until("A", @"B")   any text, also none, in which none of these occurs; what follows in the rule
 *                      may begin right before one of them
 *   json_schema({...}) a JSON value of that schema
 * Errors: FORMAT (line, found, expected; left recursion through several rules; no text matches),
 * UNSUPPORTED (the JSON pointer of what a grammar cannot hold), LIMIT (states, depth, bytes),
 * ARGUMENT, MEMORY. Cost: a schema of 100 KB takes some ten milliseconds; the first grammar of a
 * tokenizer also orders its vocabulary, some 50 ms.
 *
 *   pith_grammar_options o = PITH_INIT(pith_grammar_options);
 *   o.kind = PITH_GRAMMAR_JSON_SCHEMA;
 *   o.text = schema, o.len = strlen(schema);
 *   pith_grammar_new(pith_model_tokenizer(model), &o, &grammar, &err);
 *   request.grammar = grammar;
 */
PITH_API pith_status pith_grammar_new(const pith_tokenizer *tok,
                                      const pith_grammar_options *options, pith_grammar **out,
                                      pith_error *err);

/* After the last request with it has ended. NULL is fine. */
PITH_API void pith_grammar_free(pith_grammar *g);

/* *whole: the text is of the grammar. *n_prefix (may be NULL): how many of its bytes could begin
 * one that is. Special tokens stand in the text as they are written. Any thread. Errors: ARGUMENT,
 * LIMIT (too ambiguous), MEMORY. */
PITH_API pith_status pith_grammar_match(const pith_grammar *g, const char *text, size_t len,
                                        bool *whole, size_t *n_prefix, pith_error *err);

/* ------------------------------------------------------------------ replies */

/* What a model can do, by its template and vocabulary. */
enum {
    PITH_CAN_TOOLS = 1,    /* its template tells of tools, or prints calls of them */
    PITH_CAN_PARALLEL = 2, /* several calls in one answer */
    PITH_CAN_THINK = 4,    /* it may write reasoning before its answer */
    PITH_CAN_SWITCH = 8,   /* enable_thinking of pith_chat_normalize turns that on and off */
    PITH_CAN_SYSTEM = 16   /* its template takes a system message (else it is put before the first
                              user's) */
};

/* A sum of PITH_CAN_*; 0 without a tokenizer. Found out once, when the model was opened. */
PITH_API uint32_t pith_model_capabilities(const pith_model *model);

/* What the text that a model writes means: reasoning, content, calls of tools. One reply reads one
 * answer. How the model writes calls and reasoning is learnt from its own template (docs/tools.md);
 * where the template has no calls, pith tells the model of one way to write them. */
typedef struct pith_reply pith_reply;

typedef enum pith_tool_choice {
    PITH_TOOLS_AUTO,     /* the model decides */
    PITH_TOOLS_NONE,     /* no calls are looked for */
    PITH_TOOLS_REQUIRED, /* at least one call */
    PITH_TOOLS_NAMED     /* a call of tool_name */
} pith_tool_choice;

typedef struct pith_reply_options {
    size_t size;
    const char *tools; /* JSON array in OpenAI's form, [{"type":"function","function":{"name":..,
                          "parameters":..}}]; or NULL */
    size_t tools_len;
    pith_tool_choice choice;
    const char *tool_name;
    bool single_call;   /* at most one call */
    const char *prompt; /* as rendered, lent for the call: tells whether reasoning is open at its
                           end; or NULL */
    size_t prompt_len;
    bool keep_reasoning; /* reasoning stays in the content, as written */
    /* What the content is held to; at most one of these. */
    const char *schema; /* this JSON schema */
    size_t schema_len;
    bool json_object;    /* any JSON object */
    const char *grammar; /* this grammar in GBNF */
    const char *regex;   /* this regular expression */
    const char *choices; /* one of the strings of this JSON array */
    bool
        no_grammar; /* the answer is only read, not held: arguments come when their call is whole */
} pith_reply_options;

typedef enum pith_part_kind {
    PITH_PART_CONTENT,
    PITH_PART_REASONING,
    PITH_PART_CALL,      /* a call begins */
    PITH_PART_ARGUMENTS, /* a piece of its arguments, JSON text */
    PITH_PART_CALL_END
} pith_part_kind;

typedef struct pith_part {
    size_t size;
    pith_part_kind kind;
    int32_t call;     /* CALL, ARGUMENTS, CALL_END: its number, from 0 */
    const char *name; /* CALL: the function */
    const char *id;   /* CALL: as the model wrote it or made up; no two of a reply are the same */
    const char *text; /* CONTENT, REASONING, ARGUMENTS: valid UTF-8 when what is pushed is */
    size_t len;
} pith_part;

/* Lent for the call. Nonzero ends the reply: the call returns PITH_E_CANCELLED. */
typedef int (*pith_part_fn)(void *user, const pith_part *part);

/* Makes a reader of one answer. What options point to is lent for the call only. The model must
 * outlive it. Errors: ARGUMENT (tools that are no array of functions, a tool_name that is none of
 * them, a choice that needs tools, two things that the content is held to), FORMAT (JSON, a
 * grammar), UNSUPPORTED (what a grammar cannot hold of a schema: of the content, or of a function
 * that is "strict"; the arguments of others are then any object), LIMIT, NOT_FOUND (no tokenizer),
 * MEMORY. */
PITH_API pith_status pith_reply_new(const pith_model *model, const pith_reply_options *options,
                                    pith_reply **out, pith_error *err);

/* NULL is fine. */
PITH_API void pith_reply_free(pith_reply *r);

/* For pith_request.grammar: the answer is held to the syntax of calls, their functions and the
 * schemas of their arguments, and to what the content is held to; reasoning is free. Where calls
 * are the model's choice the content is free until a call begins. NULL: nothing is to be held. Lent
 * as long as the reply. */
PITH_API const pith_grammar *pith_reply_get_grammar(const pith_reply *r);

/* Whether pith_request.special must be set for the answer: the model marks calls or reasoning with
 * control tokens, which else are not shown. Texts of end tokens are then taken out here. */
PITH_API bool pith_reply_wants_special(const pith_reply *r);

/* Reads a piece of the answer, of any size (pith_event's text), and tells on_part what is sure. The
 * same parts come whatever the pieces are, only cut elsewhere: text that may be the beginning of a
 * marker is held back until it is known; what begins like a call and is none comes as content. A
 * call of a function that is not among the tools is content. Errors: CANCELLED, MEMORY. */
PITH_API pith_status pith_reply_push(pith_reply *r, const char *text, size_t len,
                                     pith_part_fn on_part, void *user, pith_error *err);

/* The text that ends the reasoning which what was pushed so far is inside of; without data outside
 * of it. Where reasoning has had its share of tokens, pith_request.on_logits may leave those of
 * this text (read as special) alone, one after the other. Lent as long as the model. */
PITH_API pith_str pith_reply_open_end(const pith_reply *r);

/* Tells what was held back: the answer has ended. */
PITH_API pith_status pith_reply_finish(pith_reply *r, pith_part_fn on_part, void *user,
                                       pith_error *err);

/* ------------------------------------------------------------------ generating */

typedef struct pith_logprob {
    int32_t token;
    float logprob; /* natural logarithm of the model's own probability: before penalties, bias and
                      filters */
} pith_logprob;

/* A piece of the answer. text is valid UTF-8, may be empty while a character or a stop string is
 * still open, and never holds a part of a stop string. Lent for the call. */
typedef struct pith_event {
    const char *text;
    size_t len;
    int32_t token; /* that was just chosen, or -1 for text that was held back till the end */
    float logprob; /* when asked for, else 0 */
    const pith_logprob *top; /* the n_top likeliest, best first, when asked for */
    int32_t n_top;
    bool prompt; /* a token of the context (pith_request.prompt_logprobs): logprob and top are of
                    the token after those before it, NAN and none for the first. text is its own,
                    with control tokens by name; a character that several tokens make up comes with
                    the last of them */
} pith_event;

/* Nonzero ends the answer: finish is then PITH_FINISH_CALLBACK. A callback must not call into the
 * engine (BUSY), but for pith_session_cancel. */
typedef int (*pith_event_fn)(void *user, const pith_event *event);

/* May change logits [n_vocab] before sampling (grammars, guards). tokens: all so far. Nonzero ends
 * the answer as above. The logits hold the logit bias already; NaN ends the answer with NUMERIC. */
typedef int (*pith_logits_fn)(void *user, float *logits, int32_t n_vocab, const int32_t *tokens,
                              int64_t n_tokens);

typedef enum pith_finish {
    PITH_FINISH_END,      /* the model ended its turn */
    PITH_FINISH_STOP,     /* a stop string appeared */
    PITH_FINISH_LENGTH,   /* max_tokens reached */
    PITH_FINISH_CONTEXT,  /* the context is full and the session's overflow is TRUNCATE */
    PITH_FINISH_CALLBACK, /* a callback asked for it */
    PITH_FINISH_CANCELLED,
    PITH_FINISH_DEADLINE
} pith_finish;

/* Guessing ahead (speculative decoding): tokens that are likely to come are computed in one step
 * with the last one, and those are kept that the sampler then chooses from the model's own logits.
 * The answer is the same as without: tokens, random numbers, log-probabilities, calls of hooks; but
 * for the last bits of logits, which depend on how many tokens a step has. docs/speculation.md. */
typedef enum pith_speculation {
    PITH_SPECULATE_OFF,
    PITH_SPECULATE_AUTO,  /* from the context or by the engine's draft model, as measured to pay */
    PITH_SPECULATE_NGRAM, /* from the context, always where it repeats itself */
    PITH_SPECULATE_DRAFT  /* by the draft model, always; without one, never */
} pith_speculation;

/* How the final hidden states of a context (after the output norm) become one vector. */
typedef enum pith_pooling {
    PITH_POOL_NONE, /* no vector */
    PITH_POOL_MEAN, /* of all tokens */
    PITH_POOL_LAST, /* of the last token */
    PITH_POOL_CLS   /* of the first token */
} pith_pooling;

typedef struct pith_request {
    size_t size;
    const int32_t *tokens; /* the whole context that the answer continues; a prefix that the session
                              holds is reused */
    int64_t n_tokens;      /* at least 1 */
    int64_t max_tokens;    /* of the answer; negative: until it ends or the context is full (then as
                              the overflow policy says); 0 only computes the context */
    const pith_sampling *sampling; /* NULL: the defaults for the model */
    const pith_str *stops;
    int32_t n_stops;
    const pith_logit_bias *bias;
    int32_t n_bias;
    bool logprobs;
    int32_t n_top;          /* likeliest tokens per event, 0 to 100 */
    bool ignore_end;        /* go on past end tokens, which are then as others */
    bool special;           /* control tokens that the model writes appear in the text, the end
                               token too */
    double deadline;        /* seconds from now; 0: none. Looked at after each token, and while the
                               context is computed after each 64 */
    pith_event_fn on_event; /* may be NULL */
    pith_logits_fn on_logits; /* may be NULL */
    void *user;
    pith_speculation speculation;
    int32_t max_draft;  /* most guesses of a step, to 31; 0: to 7, and no bit of logits changes */
    pith_pooling embed; /* the context's vector is wanted (result.embedding), and max_tokens is 0.
                           With MEAN and CLS nothing of the context is reused */
    const pith_grammar *grammar; /* what the answer is held to, or NULL; lent until it is done.
                                    Tokens that cannot go on are dropped after bias and hook, before
                                    all filters. End tokens may come exactly where the text is
                                    whole; where nothing else can follow, the answer ends by itself
                                    (PITH_FINISH_END). Made with the same model's tokenizer; not
                                    together with ignore_end */
    bool prompt_logprobs;        /* events for the context's tokens too, before those of the answer:
                                    pith_event.prompt. Nothing of the context is reused then */
    uint64_t key; /* whom the answer is for: where not all answers in flight can go on at
                     once, keys share evenly, however many answers each has */
} pith_request;

typedef struct pith_result {
    size_t size;
    pith_finish finish;
    int32_t stop_index;  /* which stop string, or -1 */
    int64_t n_prompt;    /* tokens of the context, without those that were dropped */
    int64_t n_reused;    /* of these, found in the session or the prefix cache */
    int64_t n_generated; /* tokens chosen, an end token too */
    int64_t n_dropped;   /* tokens that SHIFT or TRUNCATE forgot */
    double prompt_seconds, decode_seconds; /* till the context was computed, and from there on */
    uint64_t seed;                         /* that was used */
    int64_t n_drafted;                     /* tokens that were guessed ahead */
    int64_t n_accepted;                    /* of these, chosen */
    double saved_seconds; /* of decode_seconds, by guessing: what steps without would have taken, as
                             measured, less what was taken; negative when it did not pay */
    const float *embedding; /* [n_embedding] the request's embed, not normalised; lent until the
                               answer is freed, after pith_generate until the next call with the
                               session; NULL without, and where the answer did not end well */
    int32_t n_embedding;    /* the model's width */
} pith_result;

/* Writes an answer, alone: answers in flight wait meanwhile. The session afterwards holds the
 * context and the answer. result may be NULL; it is filled on failure too. Errors: as
 * pith_session_set. Ending by callback, cancel or deadline is not an error: see finish.
 */
PITH_API pith_status pith_generate(pith_session *session, const pith_request *request,
                                   pith_result *result, pith_error *err);

/* Many answers at once. A request that is submitted is in flight until it is done; each call of
 * pith_engine_run is one step for all that are. Requests join and leave between any two steps:
 *
 *   pith_session_submit(a, &first, &one, &err);
 *   pith_session_submit(b, &second, &two, &err);
 *   for (int32_t left = 1; left > 0;)             (others may be submitted in here)
 *       if (pith_engine_run(engine, &left, &err) != PITH_OK)
 *           break;
 *   pith_answer_get_result(one, &result, &err);
 *   pith_answer_free(one);
 */
typedef struct pith_answer pith_answer;

/* Checks a request, lists its context in the session and puts it in flight; nothing is computed
 * yet. What the request points to is not looked at again, but its callbacks are called with its
 * user pointer, from inside pith_engine_run. The session is the answer's until it is done: calls
 * with it are BUSY, but for pith_session_cancel (which ends the answer before the next step),
 * get_tokens, fork and free. *out is freed with pith_answer_free. Errors: ARGUMENT, CONTEXT,
 * UNSUPPORTED, MEMORY, BUSY (from inside a callback, or the session has an answer in flight). The
 * engine's thread. */
PITH_API pith_status pith_session_submit(pith_session *session, const pith_request *request,
                                         pith_answer **out, pith_error *err);

typedef enum pith_fit {
    PITH_FIT_NOW,   /* it would be begun in the next step */
    PITH_FIT_LATER, /* when others have ended: until then it would wait */
    PITH_FIT_NEVER  /* the cache's limit is less than it may need */
} pith_fit;

/* Whether the KV cache has room for one more request of n_tokens and an answer of max_tokens
 * (negative: unbounded) beside those in flight: for a server's queue. What sessions without an
 * answer in flight hold counts as taken; prefixes that only the cache keeps do not. The engine's
 * thread. */
PITH_API pith_fit pith_engine_would_fit(const pith_engine *engine, int64_t n_tokens,
                                        int64_t max_tokens);

/* One step for all answers in flight: one token for each that is being written, and with them
 * pieces of the contexts that are still being read: while somebody writes at most prompt_batch
 * tokens a step, else as many as n_batch. Where not all fit, keys take turns, and the answers of a
 * key. Of contexts that begin alike the common part is computed once. *n_left (may be NULL):
 * answers in flight afterwards. One for which the cache has no room waits for the others. Should
 * those that are in outgrow it, the one that came last gives its pages up and is computed again
 * later, to the same tokens up to the order of sums; the last one left fails with MEMORY. What
 * becomes of one answer does not touch another, and does not fail this call. Errors: ARGUMENT, BUSY
 * (from inside a callback). The engine's thread. */
PITH_API pith_status pith_engine_run(pith_engine *engine, int32_t *n_left, pith_error *err);

/* Whether the answer has ended, well or not: its last event has been told, and its session is free
 * again. */
PITH_API bool pith_answer_is_done(const pith_answer *answer);

/* What pith_generate would have returned. result may be NULL; it is filled on failure too, and with
 * what is known so far where the answer is in flight still, which is BUSY. */
PITH_API pith_status pith_answer_get_result(const pith_answer *answer, pith_result *result,
                                            pith_error *err);

/* Frees an answer; one in flight ends without another event, and its session keeps what is computed
 * of it. NULL is fine. Not from inside a callback. */
PITH_API void pith_answer_free(pith_answer *answer);

/* ------------------------------------------------------------------ embeddings */

/* How the model's makers pool, as its file says (ARCH.pooling_type); MEAN where it says nothing.
 * NONE: the file is of a model that gives scores, not vectors. docs/embeddings.md. */
PITH_API pith_pooling pith_model_pooling(const pith_model *model);

typedef struct pith_embed_options {
    size_t size;
    pith_pooling pooling; /* NONE: pith_model_pooling */
    int32_t dims;         /* only so many first elements; 0: all */
    bool raw;             /* vectors stay as they are; otherwise each has length 1 */
    bool truncate;        /* texts that do not fit the context lose their end; otherwise they are
                             an error */
    pith_progress_fn progress; /* tokens; called before each step. It may submit requests to the
                                  engine, which then go in the same steps. Also now and then while
                                  texts are tokenized: total is then of those that were */
    void *user;
    const pith_adapter_use *adapters; /* as of pith_session_options */
    int32_t n_adapters;
} pith_embed_options;

typedef struct pith_embed_result {
    size_t size;
    int32_t dims;        /* of each vector */
    pith_pooling used;   /* pooling */
    int64_t n_tokens;    /* of all texts, those that were cut off left out */
    int32_t n_truncated; /* texts that lost their end */
} pith_embed_result;

/* Vectors of texts: out [n_texts, dims]. The texts go in the same steps, together with answers in
 * flight, whose events are told meanwhile; as many at a time as the engine has sessions left. A
 * text is tokenized with what the model's files put around texts (bos, eos). options and result may
 * be NULL. Errors: ARGUMENT (dims beyond the model's width; a text without any token), CONTEXT (a
 * text too long, by number), UNSUPPORTED (no tokenizer; the model pools by scores), LIMIT (no
 * session left), CANCELLED, MEMORY, NUMERIC. */
PITH_API pith_status pith_embed_text(pith_engine *engine, const pith_str *texts, int32_t n_texts,
                                     const pith_embed_options *options, float *out,
                                     pith_embed_result *result, pith_error *err);

/* What pith_embed_text does with result.embedding: the first dims of n elements, divided by their
 * length unless raw. out may be in. A vector of zeros stays one. Errors: ARGUMENT. */
PITH_API pith_status pith_embed_finish(const float *in, int32_t n, int32_t dims, bool raw,
                                       float *out, pith_error *err);

/* ------------------------------------------------------------------ reranking */

typedef struct pith_rerank_options {
    size_t size;
    const char *instruction; /* what makes a document fit a query; NULL: that it answers the query
                                of a web search */
    size_t instruction_len;
    bool truncate; /* documents that do not fit the context lose their end; otherwise they are an
                      error */
    pith_progress_fn progress; /* tokens; as of pith_embed_options */
    void *user;
    const pith_adapter_use *adapters; /* as of pith_session_options */
    int32_t n_adapters;
} pith_rerank_options;

typedef struct pith_rerank_result {
    size_t size;
    int64_t n_tokens; /* of all prompts */
    int64_t n_shared; /* tokens at the beginning of each prompt that were computed once for all */
    int32_t n_truncated; /* documents that lost their end */
} pith_rerank_result;

/* How well each document fits a query, in the model's own judgement: scores[i] is the probability,
 * 0 to 1, of "yes" against "no" as the first word of its answer to a prompt that holds query and
 * document, rendered by its own chat template, as models of the kind of Qwen3-Reranker are trained;
 * other chat models give a coarser order. Prompt and tokens: docs/embeddings.md. All documents go
 * in the same steps, behind one shared beginning, together with answers in flight. options and
 * result may be NULL. Errors: CONTEXT (a document too long, by number), UNSUPPORTED (no tokenizer;
 * a model that scores by a head of its own), TEMPLATE, FORMAT (text that is not UTF-8), LIMIT (no
 * session left), CANCELLED, MEMORY, NUMERIC. */
PITH_API pith_status pith_rerank(pith_engine *engine, pith_str query, const pith_str *documents,
                                 int32_t n_documents, const pith_rerank_options *options,
                                 float *scores, pith_rerank_result *result, pith_error *err);

/* ------------------------------------------------------------------ scoring */

typedef struct pith_score {
    size_t size;
    int64_t window;   /* in: tokens of each window, bos included; 0: the smaller of the engine's
                         context and 2048 */
    int64_t stride;   /* in: tokens that a window moves on; its first window - stride tokens are
                         context only. 0: half the window */
    int64_t n_tokens; /* out: scored */
    int64_t n_windows;
    double nll;           /* out: sum of negative log-likelihoods, natural logarithm */
    double perplexity;    /* out: exp(nll / n_tokens) */
    double bits_per_byte; /* out: nll / ln 2 / bytes of the text that were scored */
} pith_score;

/* How well the model predicts a text. Each token is scored once, with as much context as its window
 * gives; the first token of the text is scored only where the model has a bos. Errors: ARGUMENT
 * (text of under 2 tokens, odd window), and as pith_session_set. */
PITH_API pith_status pith_score_text(pith_engine *engine, const char *text, size_t len,
                                     pith_score *score, pith_progress_fn progress, void *user,
                                     pith_error *err);

/* Log-likelihood of each token after those before it: out[i] belongs to tokens[first + i], first >=
 * 1, n - first of them. greedy (may be NULL) says whether it was the likeliest. The session is left
 * holding the tokens; a shared prefix is reused. */
PITH_API pith_status pith_score_tokens(pith_session *session, const int32_t *tokens, int64_t n,
                                       int64_t first, float *out, bool *greedy, pith_error *err);

typedef struct pith_imatrix_options {
    size_t size;
    int64_t chunk;             /* tokens that are read together, bos included; 0: 512 */
    int64_t most_chunks;       /* no more than so many of the text; 0: all */
    int32_t n_threads;         /* 0: the physical cores that this process may use */
    const char *dataset;       /* the text's name, noted in the file; NULL: "" */
    pith_progress_fn progress; /* tokens */
    void *user;
} pith_imatrix_options;

typedef struct pith_imatrix_result {
    size_t size;
    int64_t n_tokens; /* read */
    int64_t n_chunks;
    int64_t n_matrices; /* in the file */
} pith_imatrix_result;

/* Runs a text through a model and writes, for each matrix, how strongly its input columns are used:
 * sums of squared activations, in the GGUF form that other programs read. The output matrix and the
 * embedding are left out. options and result may be NULL. Errors: ARGUMENT (a text of under 2
 * tokens, a chunk over the context), as pith_engine_new, CANCELLED, IO. */
PITH_API pith_status pith_imatrix(const pith_model *model, const char *text, size_t len,
                                  const char *out, const pith_imatrix_options *options,
                                  pith_imatrix_result *result, pith_error *err);

/* What a smaller model loses: how its predictions differ from those of the model that it was made
 * from. p are the reference's probabilities, q the other's. */
typedef struct pith_comparison {
    size_t size;
    int64_t window; /* in: tokens of each window, bos included; 0: the smaller of both contexts and
                       512. Windows do not overlap */
    int64_t n_tokens; /* out: predictions compared */
    double perplexity_reference, perplexity_other;
    double kl_mean; /* Kullback-Leibler divergence, sum of p ln(p / q), mean over predictions */
    double kl_median, kl_p99, kl_max;
    double same_top; /* share of predictions whose likeliest token is the same, 0 to 1 */
    const pith_adapter_use *adapters; /* in: [n_adapters] of the reference; or NULL */
    int32_t n_adapters;
} pith_comparison;

/* Runs a text through two engines, whose models must have the same vocabulary, side by side.
 * Errors: ARGUMENT (text of under 2 tokens), MISMATCH (vocabularies differ), and as
 * pith_session_set. */
PITH_API pith_status pith_compare_text(pith_engine *reference, pith_engine *other, const char *text,
                                       size_t len, pith_comparison *comparison,
                                       pith_progress_fn progress, void *user, pith_error *err);

/* ------------------------------------------------------------------ converting */

typedef struct pith_convert_options {
    size_t size;
    const char *dtype; /* of matrices: "f32", "f16", "bf16"; NULL keeps what the source has (f32,
                          f16 or bf16) */
    pith_progress_fn progress; /* bytes written */
    void *user;
} pith_convert_options;

/* Writes a model (a Hugging Face folder or a GGUF file of floats) as one GGUF v3 file. Streams:
 * memory stays under 64 MiB. The file appears under its name only when complete; cancelled or
 * failed, nothing is left. Errors: as pith_model_open, UNSUPPORTED (quantized weights), IO. */
PITH_API pith_status pith_convert(const char *in, const char *out,
                                  const pith_convert_options *options, pith_error *err);

/* ------------------------------------------------------------------ quantizing */

/* The i-th name that pith_quantize takes ("q4_k_m"), smallest first, and the bits a weight of most
 * matrices; NULL past the end. Other names for the same: q3_k, q4_k, q5_k mean q3_k_m, q4_k_m,
 * q5_k_m. */
PITH_API const char *pith_quantize_type(int32_t i, double *bits);

/* Tensors whose name matches the pattern get the type. '*' stands for any text, '?' for any
 * character; a pattern without either matches where it is part of the name. */
typedef struct pith_tensor_rule {
    const char *pattern;
    const char *dtype; /* "q6_k" */
} pith_tensor_rule;

/* What becomes of a tensor. */
typedef struct pith_tensor_plan {
    size_t size;
    const char *name;
    int32_t n_dims;
    int64_t shape[4];      /* slowest axis first */
    const char *from, *to; /* dtypes */
    uint64_t from_bytes, to_bytes;
    const char *note; /* "" as the mixture says; "no matrix"; "rows do not fit" (the type's block
                         does not divide them, another stands in); "asked" (a rule or option);
                         static storage */
    bool importance;  /* the importance matrix has this tensor */
} pith_tensor_plan;

/* Nonzero ends the call with PITH_E_CANCELLED. */
typedef int (*pith_tensor_plan_fn)(void *user, const pith_tensor_plan *plan);

typedef struct pith_quantize_options {
    size_t size;
    const pith_tensor_rule *rules; /* the first that matches decides */
    int32_t n_rules;
    const char *output_type; /* dtype of output.weight, or of the embedding where that serves as
                                output; NULL: as the mixture says */
    const char *embed_type;  /* dtype of token_embd.weight; NULL: as the mixture says */
    bool keep_output;        /* the output keeps the type that it has */
    bool pure;               /* all matrices get the mixture's base type */
    const char *importance;  /* file of pith_imatrix (or another program's), or NULL */
    int32_t n_threads;       /* 0: the physical cores that this process may use */
    pith_tensor_plan_fn on_tensor; /* told of each tensor before anything is written, or NULL */
    pith_progress_fn progress;     /* bytes written */
    void *user;
} pith_quantize_options;

typedef struct pith_quantized {
    size_t size;
    const char *type;             /* the mixture; static storage */
    uint64_t in_bytes, out_bytes; /* of tensors */
    uint64_t n_parameters;
    double bits; /* a parameter, of all that is written */
    int64_t n_tensors;
    int64_t n_fallback;    /* tensors whose rows did not fit */
    int64_t n_requantized; /* that were quantized already: errors add up */
    int64_t n_importance;  /* encoded with importance */
} pith_quantized;

/* Writes a model (GGUF, or a Hugging Face folder) with its matrices in the types of a mixture:
 * docs/quantizing.md. Streams: memory does not grow with the model. The file appears under its name
 * only when complete; cancelled or failed, nothing is left. out NULL: nothing is written, the plan
 * goes to on_tensor and *result. options and result may be NULL. Errors: ARGUMENT (an unknown type;
 * one that was asked for and does not fit; out is in), as pith_convert. */
PITH_API pith_status pith_quantize(const char *in, const char *out, const char *type,
                                   const pith_quantize_options *options, pith_quantized *result,
                                   pith_error *err);

/* ------------------------------------------------------------------ new models */

typedef struct pith_tokenizer_training {
    size_t size;
    int32_t n_vocab;     /* tokens wanted, the 256 bytes and the special ones included; 0: 4096 */
    const char *pre;     /* how text is cut into words, by its GGUF name; NULL: "gpt-2" */
    int64_t least_count; /* pairs of tokens that occur less often stay two; 0: 2 */
    const char *const *specials; /* control tokens, which get the ids from 0 */
    int32_t n_specials;
    const char *bos, *eos, *eot; /* which of them begin and end a text and end a turn; NULL: none */
    bool add_bos;                /* bos goes before each text */
    const char *chat_template;   /* Jinja source, or NULL */
    pith_progress_fn progress;   /* bytes read, then tokens made: total says which */
    void *user;
} pith_tokenizer_training;

typedef struct pith_tokenizer_trained {
    size_t size;
    int32_t n_vocab; /* fewer than asked for where the corpus gives no more */
    int32_t n_merges;
    uint64_t corpus_bytes; /* read */
    uint64_t n_words;      /* different ones */
} pith_tokenizer_trained;

/* Makes a byte-level BPE tokenizer from text files, and writes it as a GGUF file with a vocabulary
 * alone. Files are read in order, each for itself; invalid UTF-8 is passed over. The result depends
 * on the bytes of the corpus and the options alone: the most frequent pair is merged first, and of
 * equally frequent ones the one with the lower ids. result may be NULL. Errors: ARGUMENT,
 * NOT_FOUND, LIMIT (too many different words), CANCELLED, IO, MEMORY. */
PITH_API pith_status pith_tokenizer_train(const char *const *files, int32_t n_files,
                                          const char *out, const pith_tokenizer_training *options,
                                          pith_tokenizer_trained *result, pith_error *err);

typedef struct pith_model_shape {
    size_t size;
    int32_t n_layers, width, n_heads, ffn; /* all must be given */
    int32_t n_kv_heads;                    /* 0: as n_heads */
    int32_t n_ctx;                         /* tokens of context; 0: 512 */
    double rope_base;                      /* 0: 10000 */
    bool untied;                           /* the output has a matrix of its own */
    uint64_t seed;                         /* of the random weights */
    double scale;                          /* their standard deviation; 0: 0.02 */
    const char *name;                      /* general.name and others, or NULL */
    const char *license, *description;
    double temperature; /* what the file recommends for sampling, if has_temperature */
    bool has_temperature;
} pith_model_shape;

/* Writes a model of the LLaMA architecture that knows nothing: random weights (f32), and the
 * tokenizer and chat template of `tokenizer` (a GGUF file, or a folder). Matrices are drawn from a
 * normal distribution, those that add to the residual stream divided by sqrt(2 n_layers); norms are
 * 1. Training makes a model of it. Errors: ARGUMENT (a shape that does not fit), as
 * pith_model_open, IO. */
PITH_API pith_status pith_model_create(const char *tokenizer, const char *out,
                                       const pith_model_shape *shape, pith_error *err);

/* ------------------------------------------------------------------ merging */

typedef struct pith_merge_options {
    size_t size;
    const char *type;          /* a mixture as of pith_quantize; NULL: tensors keep their types, but
                                  quantized          ones that change become f16 */
    int32_t n_threads;         /* 0: the physical cores */
    pith_progress_fn progress; /* bytes written */
    void *user;
} pith_merge_options;

/* Writes a model with adapters (opened for it) in its weights as one GGUF file: each matrix is
 * decoded to f32, changed, and encoded once. Streams; the file appears under its name only when
 * complete. options and result may be NULL. Errors: UNSUPPORTED (an adapter of the embedding or the
 * output matrix alone, where the model has one tensor for both), as pith_quantize. */
PITH_API pith_status pith_merge(const pith_model *model, const pith_adapter_use *adapters,
                                int32_t n_adapters, const char *out,
                                const pith_merge_options *options, pith_quantized *result,
                                pith_error *err);

/* ------------------------------------------------------------------ training: data */

/* A data file: docs/data.md. One thread at a time. */
typedef struct pith_dataset pith_dataset;

typedef struct pith_dataset_options {
    size_t size;
    const char
        *format; /* "jsonl", "json", "csv", "tsv", "txt"; NULL: by the name, then the content */
    const char *columns; /* what columns mean, "prompt=question,completion=answer"; those not named
                            are found by themselves. Meanings: messages, prompt, completion, input,
                            system, history, text, chosen, rejected, label, tools */
    const char *kind;    /* "chat", "prompt", "text", "pair", "label"; NULL: by the columns */
    const char *system; /* stands before conversations that have no system message; NULL: nothing */
    int64_t most_rows;  /* the first rows only; 0: all */
    int64_t now;        /* what templates take for the time, seconds since 1970; 0: the clock when
                           the set is opened */
} pith_dataset_options;

/* Opens a file and finds out what its columns mean. options may be NULL. Errors: NOT_FOUND, IO,
 * ARGUMENT (the columns; the sentence names them), FORMAT, UNSUPPORTED (Parquet, compressed files),
 * MEMORY. */
PITH_API pith_status pith_dataset_open(const char *path, const pith_dataset_options *options,
                                       pith_dataset **out, pith_error *err);

/* NULL is fine. */
PITH_API void pith_dataset_close(pith_dataset *dataset);

/* Strings are lent and live as long as the set. */
typedef struct pith_dataset_info {
    size_t size;
    const char *path;
    const char *format;
    const char *kind;
    const char *columns; /* as they were understood: "prompt=question, completion=answer" */
    const char *unused;  /* other columns of the first rows: "id, source", or "" */
    uint64_t bytes;
} pith_dataset_info;

/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_dataset_get_info(const pith_dataset *dataset, pith_dataset_info *out,
                                           pith_error *err);

/* Token ids with a mark on each that is to be learned: the loss of token t is counted when learn[t]
 * is 1. The assistant's turns are learned with the token that ends them, never their header; of
 * prompt and completion the completion, of text all. learn[0] is 0. Lent for the call. */
typedef struct pith_example {
    size_t size;
    int64_t line; /* of the file, from 1 */
    const int32_t *ids;
    const uint8_t *learn;
    int32_t n, n_learned;
    bool rejected; /* kind pair: the answer that was rejected; its chosen one came just before */
    bool good;     /* kind label */
} pith_example;

/* Nonzero ends the call with PITH_E_CANCELLED. */
typedef int (*pith_example_fn)(void *user, const pith_example *example);

typedef struct pith_render_options {
    size_t size;
    int32_t most_tokens; /* of an example: longer texts are cut into pieces in which each token is
                            learned once, longer conversations left out and counted; 0: no limit */
    bool plain;    /* prompt and completion that are strings are joined as they are. Else they go
                      through the model's template as user and assistant, where it has one */
    bool special;  /* control tokens written in a text are read as such */
    bool skip_bad; /* rows that cannot be read are left out and counted, else the first is an error
                    */
    pith_progress_fn progress; /* bytes of the file */
    void *user;
} pith_render_options;

typedef struct pith_render_result {
    size_t size;
    int64_t n_rows, n_bad;         /* of the file; that could not be read */
    int64_t n_samples, n_examples; /* that rows gave; that were given out */
    int64_t n_again; /* of the examples: turns that the template shows otherwise once others follow
                        (thoughts taken out), rendered once more as they look when they are last */
    int64_t n_cut;   /* texts cut into pieces */
    int64_t n_long;  /* left out: over most_tokens */
    int64_t n_nothing;           /* left out: nothing to learn */
    int64_t n_refused;           /* left out: the template did not take them */
    int64_t n_tokens, n_learned; /* of the examples */
    int64_t n_turns, n_ends;     /* that are learned; of them, with a token that ends them */
    int64_t n_double_bos;        /* examples that begin with two of them */
    int32_t most_tokens;         /* of the longest, those left out too */
    bool template_used;          /* prompt and completion went through it */
} pith_render_result;

/* Gives all examples of a file, in its order, from the beginning: what training reads. options and
 * result may be NULL. Errors: NOT_FOUND (no tokenizer), FORMAT (a row; no example at all), LIMIT,
 * MEMORY, CANCELLED. */
PITH_API pith_status pith_dataset_render(pith_dataset *dataset, const pith_model *model,
                                         const pith_render_options *options, pith_example_fn fn,
                                         void *user, pith_render_result *result, pith_error *err);
/* ------------------------------------------------------------------ training */

/* Examples: token ids with a mark on each that is to be learned. What pith_dataset_render gives, or
 * made by hand. */
typedef struct pith_examples pith_examples;

typedef enum pith_goal {
    PITH_GOAL_NEXT, /* learn the marked tokens */
    PITH_GOAL_PAIR, /* examples come in twos, chosen and rejected: two answers to one prompt */
    PITH_GOAL_LABEL /* answers, good or bad */
} pith_goal;

/* An empty set. Errors: ARGUMENT, MEMORY. */
PITH_API pith_status pith_examples_new(pith_goal goal, pith_examples **out, pith_error *err);

/* NULL is fine. */
PITH_API void pith_examples_free(pith_examples *examples);

/* Adds a copy: n ids, of which those with learn[t] nonzero are learned (learn[0] counts as 0). line
 * is for messages; good for PITH_GOAL_LABEL. Errors: ARGUMENT (n below 1), MEMORY. */
PITH_API pith_status pith_examples_add(pith_examples *examples, const int32_t *ids,
                                       const uint8_t *learn, int32_t n, int64_t line, bool good,
                                       pith_error *err);

/* All examples of a data file as a model reads it (pith_dataset_render), with the goal that its
 * kind asks for. options and result may be NULL. Errors: as pith_dataset_render. */
PITH_API pith_status pith_examples_read(pith_dataset *dataset, const pith_model *model,
                                        const pith_render_options *options, pith_examples **out,
                                        pith_render_result *result, pith_error *err);

/* How many there are; tokens and learned tokens of all go to where they are wanted (or NULL). */
PITH_API int64_t pith_examples_count(const pith_examples *examples, int64_t *n_tokens,
                                     int64_t *n_learned);

/* A run of training: docs/tuning.md. It belongs to one thread at a time. */
typedef struct pith_train pith_train;

typedef enum pith_train_kind {
    PITH_TRAIN_BEGIN,      /* before the first update of this process */
    PITH_TRAIN_UPDATE,     /* after each: loss, grad_norm, lr, tokens are of it */
    PITH_TRAIN_EVALUATION, /* loss is that of the evaluation set; of update 0: before training */
    PITH_TRAIN_SAVED,      /* a checkpoint was written */
    PITH_TRAIN_SKIPPED     /* an update was not applied: its loss or gradient was not finite, or far
                              above those before */
} pith_train_kind;

typedef struct pith_train_event {
    size_t size;
    pith_train_kind kind;
    int64_t update, total; /* updates done, and of the run */
    double epoch;          /* done, 1.5: half of the second */
    double loss, grad_norm, lr;
    double right, margin;     /* preferences: share that the model gets right, mean margin */
    int64_t tokens, learned;  /* of the update */
    double tokens_per_second; /* of this process so far */
    double seconds;           /* spent on updates, those before a resume too */
    double seconds_left;      /* as it looks now; 0: not known */
    double best;              /* evaluation loss so far; 0: none yet */
    bool improved;            /* this evaluation is the best so far */
    uint64_t memory_bytes;    /* most that this process has held */
} pith_train_event;

/* Called on the thread of pith_train_run. Nonzero ends the run with PITH_E_CANCELLED; a checkpoint
 * is written first. */
typedef int (*pith_train_fn)(void *user, const pith_train_event *event);

/* Rank and alpha of the matrices whose tensor's name contains `part` ("attn_q", "blk.3."); the last
 * rule that fits counts. Rank 0: not adapted. Alpha 0: as the others. */
typedef struct pith_rank_rule {
    const char *part;
    int32_t rank;
    double alpha;
} pith_rank_rule;

typedef struct pith_train_options {
    size_t size;
    const char *method;    /* "lora" (NULL): an adapter; "full": all weights, in f32 */
    const char *objective; /* "sft", "dpo", "orpo", "kto"; NULL: sft, dpo or kto, by the goal */
    double beta;           /* of dpo, orpo and kto; 0: 0.1 */

    int32_t rank;     /* 0: 16, on all matrices of all layers */
    double alpha;     /* 0: twice the rank */
    bool rslora;      /* scale by alpha / sqrt(rank) */
    bool dora;        /* a magnitude for each row */
    double lora_plus; /* learning rate of B, times that of A; 0: 1 */
    double dropout;   /* of what the pairs read; not with dora */
    const pith_rank_rule *rules;
    int32_t n_rules;

    const char *optimizer; /* "adamw" (NULL), "adamw8": its state in 8 bits, "lion" */
    double lr;             /* 0: 2e-4 (an adapter), 1e-5 (preferences), 3e-4 (full) */
    double lr_least;       /* at the end of the schedule */
    double weight_decay;
    double beta1, beta2, eps; /* 0: 0.9, 0.999 (lion: 0.99), 1e-8 */
    double clip;              /* most length of the gradient; 0: 1, negative: any */
    double spike; /* deviations above the mean of the last losses from which an update is not
                     applied, if its loss is also above all before; 0: 8, negative: any */
    const char *schedule; /* "cosine" (NULL), "linear", "constant", "wsd" */
    double warmup;        /* share of the updates; 0: 0.03, negative: none */

    double epochs;       /* 0: 3 */
    int64_t max_updates; /* instead of epochs; 0: as epochs say */
    double max_seconds;  /* fits the run into this time, measured by its first updates; 0: none */
    int32_t batch;       /* examples (pairs) of an update; 0: 16 */
    int32_t seq; /* tokens of a pass, in which examples are packed; 0: 512, or the longest */
    int32_t keep_layers; /* layers whose insides are kept for the way back, not computed again: more
                            memory, less time; 0: 1, negative: all */
    uint64_t seed;

    int64_t eval_every; /* updates; 0: once an epoch */
    int32_t patience; /* evaluations without a better one after which the run ends; 0: any number */
    const char *folder;  /* which exists, for checkpoints: last.ckpt, best.ckpt; NULL: none */
    int64_t save_every;  /* updates; 0: by time alone */
    double save_seconds; /* 0: 300, negative: by updates alone */

    bool exact; /* products in f32 where the processor would take bf16 */
    int32_t n_threads;
    const char *cpu; /* as pith_engine_options */
    pith_train_fn on_event;
    void *user;
} pith_train_options;

/* Makes a run. model and examples are lent and must outlive it; evaluation and options may be NULL.
 * Memory: docs/tuning.md. Errors: ARGUMENT (numbers, names; examples longer than the passes; a goal
 * that does not fit the objective), UNSUPPORTED (a model without weights; full training with a
 * reference), MEMORY. */
PITH_API pith_status pith_train_new(const pith_model *model, const pith_examples *examples,
                                    const pith_examples *evaluation,
                                    const pith_train_options *options, pith_train **out,
                                    pith_error *err);

/* NULL is fine. */
PITH_API void pith_train_free(pith_train *train);

/* Goes on where the folder's last.ckpt stands; *found (may be NULL) is false, and nothing is
 * changed, when there is none. What comes out is, to the bit, what an undisturbed run gives.
 * Errors: MISMATCH (a checkpoint of other data, model or options), FORMAT (damaged), IO. */
PITH_API pith_status pith_train_resume(pith_train *train, bool *found, pith_error *err);

/* Runs to the end; then, where an evaluation chose, the best parameters are in place (they need the
 * folder), else the last. Errors: CANCELLED, NUMERIC (updates in a row that could not be applied),
 * IO, MEMORY. */
PITH_API pith_status pith_train_run(pith_train *train, pith_error *err);

/* Ends a run that is under way soon, as a callback that returns nonzero. From any thread, and from
 * a signal handler. */
PITH_API void pith_train_stop(pith_train *train);

typedef struct pith_train_info {
    size_t size;
    int64_t updates, total, updates_per_epoch;
    int64_t n_trained;                /* parameters */
    uint64_t memory_bytes;            /* of the run: parameters, gradients, optimizer, a pass */
    int64_t tokens, learned, skipped; /* so far; updates not applied */
    double eval_before, eval_best;    /* 0: no evaluation */
    int64_t best_at;                  /* update */
    double seconds;
} pith_train_info;

/* Fills *out (its size member set by the caller). */
PITH_API pith_status pith_train_get_info(const pith_train *train, pith_train_info *out,
                                         pith_error *err);

/* Mean loss over the evaluation set (without one: over the examples). base: of the model as it was
 * before, for adapters. Errors: ARGUMENT, CANCELLED. */
PITH_API pith_status pith_train_evaluate(pith_train *train, bool base, double *loss,
                                         pith_error *err);

/* Writes what was trained. An adapter: form "gguf" (NULL) or "peft" (path is a folder). All
 * weights: a GGUF model of the type `form`, "f32" (NULL), "f16", "q8_0", as pith_quantize. name is
 * for people, or NULL. Errors: ARGUMENT, NUMERIC (NaN), IO. */
PITH_API pith_status pith_train_save(pith_train *train, const char *form, const char *name,
                                     const char *path, pith_error *err);

/* ------------------------------------------------------------------ training: what data are like
 */

typedef enum pith_severity {
    PITH_SEVERITY_NOTE,    /* worth knowing */
    PITH_SEVERITY_WARNING, /* likely makes the result worse */
    PITH_SEVERITY_ERROR    /* makes training fail, or its result wrong */
} pith_severity;

/* What a check found: docs/data.md lists the codes. Immutable; threads may share it. */
typedef struct pith_data_report pith_data_report;

typedef struct pith_data_check_options {
    size_t size;
    const pith_model *model; /* NULL: what needs a tokenizer and a template is not looked at */
    pith_dataset *eval;      /* the set that will measure, or NULL */
    int32_t most_tokens;     /* of an example; 0: 2048, or what the model was trained for if less */
    bool plain, special;     /* as pith_render_options */
    int32_t n_previews;      /* 0: 3; negative: none */
    int32_t rank, epochs;    /* of the run whose cost is told; 0: 16 and 1 */
    const char *fixed;       /* file to write good rows to, or NULL */
    bool keep_near;          /* near duplicates stay in it */
    pith_progress_fn progress; /* bytes read, of all passes */
    void *user;
} pith_data_check_options;

/* Reads a set through and says what is wrong with it. Memory does not grow with the file but for
 * some 40 bytes a row, and some 200 for each of the first 500000 (near duplicates are looked for
 * among these). What is wrong with the data is no failure of the call. options may be NULL. Errors:
 * as pith_dataset_render, IO (fixed), ARGUMENT (fixed is the file itself). */
PITH_API pith_status pith_data_check(pith_dataset *dataset, const pith_data_check_options *options,
                                     pith_data_report **out, pith_error *err);

/* NULL is fine. */
PITH_API void pith_data_report_free(pith_data_report *report);

typedef struct pith_data_finding {
    size_t size;
    const char *code; /* "near-duplicate"; static storage */
    pith_severity severity;
    int64_t count;        /* rows */
    int64_t n_dropped;    /* rows that the cleaned file lacks for it, or would lack */
    const int64_t *lines; /* the first of them, lent */
    int32_t n_lines;
    const char *sentence; /* "In 2 of 500 rows the answer is empty: .."; lent */
    const char *way_out;  /* static storage */
} pith_data_finding;

/* Findings, the most severe first, 0 <= i. NOT_FOUND past the end. */
PITH_API pith_status pith_data_report_get(const pith_data_report *report, int32_t i,
                                          pith_data_finding *out, pith_error *err);

enum { PITH_DATA_BINS = 16 };

typedef struct pith_data_stats {
    size_t size;
    int64_t n_rows, n_good,
        n_dropped; /* of the file; that teach something; not in a cleaned file */
    uint64_t bytes;
    int64_t n_turns; /* of conversations */
    uint64_t prompt_bytes, answer_bytes;
    int64_t median_prompt, median_answer, longest_answer; /* bytes */
    int64_t n_system, n_tools,
        n_many;              /* rows with a system message, with tools, with over one answer */
    const char *language[4]; /* the commonest, NULL behind the last; and their shares of the rows */
    double language_share[4];
    /* With a model, else 0: */
    bool has_tokens;
    pith_render_result rendered;
    int32_t limit;                /* of tokens of an example */
    int64_t bins[PITH_DATA_BINS]; /* examples by length, those left out too: bin i holds lengths of
                                     2^i to 2^(i+1) - 1 */
    int32_t median_tokens, p95_tokens;
    /* What a run of LoRA on all linear matrices takes here (docs/data.md has the formulas), about:
     */
    bool has_cost;
    int32_t rank, epochs, n_threads;
    uint64_t memory_bytes;                         /* with the model's mapped file */
    uint64_t model_bytes, state_bytes, work_bytes; /* its parts */
    uint64_t memory_free;
    double gflops_token, gflops_machine; /* of one token; measured now */
    double seconds;
} pith_data_stats;

/* Fills *out (its size member set by the caller). Errors: ARGUMENT. */
PITH_API pith_status pith_data_report_get_stats(const pith_data_report *report,
                                                pith_data_stats *out, pith_error *err);

/* An example as the model will read it. */
typedef struct pith_data_preview {
    size_t size;
    int64_t line;
    const char *text; /* of its tokens, control tokens written out; lent */
    size_t len;
    const pith_str *learned; /* stretches of the text that are learned, lent */
    int32_t n_learned;
    int32_t n_tokens, n_learned_tokens;
    bool rejected;
} pith_data_preview;

/* The i-th example that was kept to be shown. NOT_FOUND past the end. */
PITH_API pith_status pith_data_report_get_preview(const pith_data_report *report, int32_t i,
                                                  pith_data_preview *out, pith_error *err);

typedef struct pith_data_split_options {
    size_t size;
    double share;   /* of the rows that go to the evaluation set; 0: 0.05 */
    int64_t n_rows; /* or so many of them; 0: by the share */
    const char
        *by; /* rows with the same value of this column stay together; NULL: each for itself */
    uint64_t seed;
    pith_progress_fn progress; /* bytes read, of all passes */
    void *user;
} pith_data_split_options;

typedef struct pith_data_splitted {
    size_t size;
    int64_t n_train, n_eval; /* rows */
    int64_t
        n_groups;  /* of rows that must stay together: copies, near copies, the same value of by */
    int64_t n_bad; /* rows that cannot be read: in neither */
} pith_data_splitted;

/* Writes a set as two files of the same format: copies and near copies of a row go where it goes.
 * The same seed gives the same files. options and result may be NULL. Errors: ARGUMENT (a share
 * that leaves one of them empty; no such column), as pith_dataset_open, IO, CANCELLED. */
PITH_API pith_status pith_data_split(pith_dataset *dataset, const char *train, const char *eval,
                                     const pith_data_split_options *options,
                                     pith_data_splitted *result, pith_error *err);

#ifdef __cplusplus
}
#endif
#endif

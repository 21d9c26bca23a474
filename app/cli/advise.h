/*
 * advise: what a model would cost on this machine, predicted from shapes and measured limits.
 *
 *   cmd_advise.c   options, choosing, the report
 *   advise.c       sizes, memory and times of a shape
 *   catalogue.c    the models that are known (share/catalogue.json and $PITH_HOME/catalogue.json)
 *
 * One thread. Nothing here looks at a model's weights.
 */
#ifndef PITH_CLI_ADVISE_H
#define PITH_CLI_ADVISE_H

#include "base/error.h"
#include "pith.h"

#include <jansson.h>

/* The numbers that decide cost. */
typedef struct advise_shape {
    int64_t layers, width, ffn, heads, kv_heads, head, vocab;
    int64_t window, window_layers; // layers that see only so many tokens; 0: none
    bool tied;
} advise_shape;

/* A model of the catalogue; strings are of the JSON. */
typedef struct advise_entry {
    const char *name, *repo, *ollama, *license;
    const json_t *languages, *good_for;
    uint64_t parameters;
    int64_t context, year;
    bool gated; // its terms have to be accepted on Hugging Face first
    advise_shape shape;
} advise_entry;

typedef struct advise_catalogue {
    json_t *json[2]; // built in, the user's
    advise_entry *items;
    int n;
} advise_catalogue;

/* Reads both files. Errors: FORMAT names file, model and member; MEMORY. */
pith_status advise_catalogue_load(const char *home, advise_catalogue *out, pith_error *err);
/* One file's text; for the loader and its tests. */
pith_status advise_catalogue_add(advise_catalogue *c, const char *name, json_t *json,
                                 pith_error *err);
void advise_catalogue_clear(advise_catalogue *c);

/* ---- quantizations, largest first */

typedef struct advise_type {
    const char *name; // of pith_quantize
    double base;      // bits a weight of most matrices
    double half;      // of half of the value and down matrices
    double output;    // of the output matrix, and of an embedding that serves as such
    double embed;     // of an embedding that does not
    double keeps;     // preference between sizes of one model, from published losses
} advise_type;

const advise_type *advise_type_at(int i); // NULL past the end
const advise_type *advise_type_find(const char *name);

/* Bytes of weights, read once a token: layers, output; the embedding besides where it is not tied.
 */
typedef struct advise_bytes {
    uint64_t layers, output, embed;
} advise_bytes;
advise_bytes advise_weights(const advise_shape *s, const advise_type *t);

/* Bytes of keys and values of n tokens, f16. */
uint64_t advise_kv(const advise_shape *s, int64_t n);
/* Bytes of work memory of an engine with default options, about. */
uint64_t advise_work(const advise_shape *s);

/* ---- times */

/* How much of a limit pith reaches: measured with `pith bench`, docs/advise.md. */
typedef struct advise_factors {
    double read;                       // of the read limit, by decoding
    double thread_gbps;                // most that a thread reads while it computes
    double layer_us;                   // beyond reading, a layer
    double int8, bf16, f32, attention; // of each limit, by prompts
} advise_factors;
extern const advise_factors ADVISE_FACTORS;

/* What is counted of some tokens; also filled from pith_engine_get_cost. */
typedef struct advise_work_of {
    double bytes;                      // read
    double int8, bf16, f32, attention; // operations
    double layers;
} advise_work_of;

/* A prompt of n tokens, or one token after `depth`. */
advise_work_of advise_prompt(const advise_shape *s, const advise_type *t, int64_t n);
advise_work_of advise_token(const advise_shape *s, const advise_type *t, int64_t depth);
advise_work_of advise_of_cost(const pith_cost *cost, int32_t n_layers);

/* Seconds at these limits. */
double advise_prompt_seconds(const advise_work_of *w, const pith_limits *l);
double advise_token_seconds(const advise_work_of *w, const pith_limits *l);

#endif

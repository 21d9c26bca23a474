/* checkpoint: see checkpoint.h. */
#include "train/checkpoint.h"

#include "base/file.h"
#include "engine/hash.h"

#include <string.h>

typedef struct header {
    char magic[8];
    uint32_t version, whole;
    uint64_t identity, n_values, state_bytes, steps, n_references;
} header;

static const char MAGIC[8] = {'p', 'i', 't', 'h', 'c', 'k', 'p', 't'};
enum { VERSION = 1 | (int)sizeof(px_train_state) << 16 };

static header header_of(const px_checkpoint *c)
{
    header h = {.version = VERSION, .whole = c->optim != NULL, .identity = c->identity};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.n_values = (uint64_t)c->params->n;
    size_t bytes = 0;
    if (c->optim) {
        px_optim_state(c->optim, &bytes);
        h.steps = (uint64_t)px_optim_steps(c->optim);
        h.n_references = (uint64_t)c->n_references;
    }
    h.state_bytes = bytes;
    return h;
}

/* ---- writing */

typedef struct writer {
    px_out out;
    uint64_t hash;
    pith_status st;
    pith_error *err;
} writer;

static void put(writer *w, const void *bytes, size_t n)
{
    if (w->st != PITH_OK || n == 0)
        return;
    w->hash = px_hash_bytes(w->hash, bytes, n);
    w->st = px_out_write(&w->out, bytes, n, w->err);
}

pith_status px_checkpoint_save(const px_checkpoint *c, const char *path, pith_error *err)
{
    writer w = {.hash = 1, .err = err};
    w.st = px_out_open(path, &w.out, err);
    if (w.st != PITH_OK)
        return w.st;
    header h = header_of(c);
    put(&w, &h, sizeof h);
    put(&w, c->state, sizeof *c->state);
    put(&w, c->params->value, (size_t)c->params->n * sizeof(float));
    if (c->optim) {
        size_t bytes;
        const uint8_t *state = px_optim_state(c->optim, &bytes);
        put(&w, state, bytes);
        put(&w, c->references, (size_t)c->n_references * sizeof *c->references);
    }
    uint64_t hash = w.hash;
    put(&w, &hash, sizeof hash);
    if (w.st == PITH_OK)
        w.st = px_out_commit(&w.out, err);
    px_out_abort(&w.out);
    return w.st;
}

/* ---- reading */

typedef struct section {
    const uint8_t *data;
    size_t bytes;
} section;

typedef struct reader {
    const uint8_t *at;
    size_t left;
    uint64_t hash;
    bool whole;
} reader;

static section get(reader *r, size_t bytes)
{
    section s = {r->at, bytes};
    if (bytes > r->left) {
        r->whole = false;
        return (section){0};
    }
    if (bytes > 0)
        r->hash = px_hash_bytes(r->hash, r->at, bytes);
    r->at += bytes;
    r->left -= bytes;
    return s;
}

static pith_status check(const px_checkpoint *c, const px_map *map, const char *path, header *h,
                         pith_error *err)
{
    if (map->size < sizeof *h)
        return px_fail(err, PITH_E_FORMAT, "'%s' has %zu bytes, which is no checkpoint", path,
                       map->size);
    memcpy(h, map->data, sizeof *h);
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) != 0 || h->version != (uint32_t)VERSION)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' is not a checkpoint that this version of pith wrote; start the run "
                       "anew, or go on with the version that wrote it",
                       path);
    header want = header_of(c);
    bool fits = h->identity == want.identity && h->n_values == want.n_values;
    if (c->optim)
        fits = fits && h->whole && h->state_bytes == want.state_bytes &&
               h->n_references == want.n_references;
    if (!fits)
        return px_fail(err, PITH_E_MISMATCH,
                       "'%s' is a checkpoint of another run; go on with the model, the data and "
                       "the options that it was begun with, or start anew",
                       path);
    return PITH_OK;
}

static pith_status read_all(const px_checkpoint *c, const px_map *map, const header *h,
                            const char *path, pith_error *err)
{
    reader r = {.at = map->data, .left = map->size, .hash = 1, .whole = true};
    get(&r, sizeof *h);
    section state = get(&r, sizeof *c->state);
    section values = get(&r, (size_t)h->n_values * sizeof(float));
    section optim = h->whole ? get(&r, h->state_bytes) : (section){0};
    section refs = h->whole ? get(&r, h->n_references * sizeof(double)) : (section){0};
    uint64_t hash = r.hash, found = 0;
    section end = get(&r, sizeof hash);
    if (r.whole)
        memcpy(&found, end.data, sizeof found);
    if (!r.whole || r.left > 0 || found != hash)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s' is damaged: its bytes do not give the hash at its end; remove it and "
                       "start anew",
                       path);
    memcpy(c->params->value, values.data, values.bytes);
    if (!c->optim)
        return PITH_OK;
    memcpy(c->state, state.data, state.bytes);
    size_t bytes;
    memcpy(px_optim_state(c->optim, &bytes), optim.data, optim.bytes);
    px_optim_set_steps(c->optim, (int64_t)h->steps);
    if (refs.bytes > 0)
        memcpy(c->references, refs.data, refs.bytes);
    return PITH_OK;
}

pith_status px_checkpoint_load(const px_checkpoint *c, const char *path, pith_error *err)
{
    px_map map;
    pith_status st = px_map_open(path, &map, err);
    if (st != PITH_OK)
        return st;
    header h;
    st = check(c, &map, path, &h, err);
    if (st == PITH_OK)
        st = read_all(c, &map, &h, path, err);
    px_map_close(&map);
    return st;
}

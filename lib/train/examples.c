/* examples: see examples.h. */
#include "train/examples.h"

#include "base/mem.h"

#include <string.h>

enum { CHUNK = 1 << 20 };

pith_status px_examples_add(px_examples *e, const px_example *example, pith_error *err)
{
    size_t n = (size_t)example->n;
    if (e->n == 0 && e->cap == 0)
        px_arena_init(&e->arena, CHUNK, 0);
    if (e->n == e->cap) {
        int64_t cap = e->cap > 0 ? 2 * e->cap : 256;
        px_example *all = px_realloc(e->all, (size_t)cap, sizeof *all);
        if (!all)
            return px_fail_memory(err, "the list of examples");
        e->all = all;
        e->cap = cap;
    }
    int32_t *ids = PX_NEW(&e->arena, int32_t, n);
    uint8_t *learn = PX_NEW(&e->arena, uint8_t, n);
    if (!ids || !learn)
        return px_fail_memory(err, "the tokens of an example");
    memcpy(ids, example->ids, n * sizeof *ids);
    memcpy(learn, example->learn, n);
    px_example *copy = &e->all[e->n++];
    *copy = *example;
    copy->ids = ids;
    copy->learn = learn;
    e->n_tokens += example->n;
    e->n_learn += example->n_learn;
    return PITH_OK;
}

void px_examples_clear(px_examples *e)
{
    px_arena_clear(&e->arena);
    px_free(e->all);
    *e = (px_examples){.n = 0};
}

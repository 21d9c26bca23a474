/* params: see params.h. */
#include "train/params.h"

#include "base/mem.h"

#include <string.h>

enum { LINE = 64 };

pith_status px_params_init(px_params *p, int32_t cap, px_arena *arena, pith_error *err)
{
    *p = (px_params){.cap = cap};
    p->parts = PX_ZNEW(arena, px_param, (size_t)cap);
    return p->parts ? PITH_OK : px_fail_memory(err, "the list of what is trained");
}

int64_t px_params_add(px_params *p, const char *name, char role, int64_t n, float lr, bool decays)
{
    if (p->n_parts == p->cap)
        return -1;
    int64_t at = p->n;
    p->parts[p->n_parts++] =
        (px_param){.name = name, .role = role, .at = at, .n = n, .lr = lr, .decays = decays};
    p->n += (int64_t)px_round_up((size_t)n, PX_PART_ALIGN);
    return at;
}

pith_status px_params_make(px_params *p, pith_error *err)
{
    p->value = px_aligned((size_t)p->n, sizeof(float), LINE);
    p->grad = px_aligned((size_t)p->n, sizeof(float), LINE);
    if (!p->value || !p->grad) {
        px_params_clear(p);
        return px_fail(err, PITH_E_MEMORY,
                       "out of memory while making %lld values to train and their gradients",
                       (long long)p->n);
    }
    memset(p->value, 0, (size_t)p->n * sizeof(float));
    memset(p->grad, 0, (size_t)p->n * sizeof(float));
    return PITH_OK;
}

void px_params_clear(px_params *p)
{
    px_free(p->value);
    px_free(p->grad);
    p->value = p->grad = NULL;
}

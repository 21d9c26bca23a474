/* shares: see shares.h. */
#include "engine/shares.h"

int32_t px_shares_join(px_shares *s, uint64_t key)
{
    int32_t free = -1;
    uint64_t least = UINT64_MAX;
    for (int32_t i = 0; i < s->most; i++) {
        px_share *share = &s->items[i];
        if (share->n == 0) {
            free = free < 0 ? i : free;
            continue;
        }
        if (share->key == key) {
            share->n++;
            return i;
        }
        least = share->used < least ? share->used : least;
    }
    s->items[free] = (px_share){.key = key, .used = least == UINT64_MAX ? 0 : least, .n = 1};
    return free;
}

void px_shares_leave(px_shares *s, int32_t place)
{
    s->items[place].n--;
}

void px_shares_charge(px_shares *s, int32_t place, int64_t n_tokens)
{
    s->items[place].used += (uint64_t)n_tokens;
}

void px_shares_level(px_shares *s)
{
    uint64_t most = 0;
    for (int32_t i = 0; i < s->most; i++)
        if (s->items[i].n > 0 && s->items[i].used > most)
            most = s->items[i].used;
    for (int32_t i = 0; i < s->most; i++)
        if (s->items[i].n > 0 && s->items[i].used + PX_SHARE_CREDIT < most)
            s->items[i].used = most - PX_SHARE_CREDIT;
}

/* near: see near.h. */
#include "train/near.h"

#include "base/mem.h"

enum { STRETCH = 7, LEAST = 40, ROWS = PX_NEAR_MINIMA / PX_NEAR_BANDS, SAME = 52, CHAIN = 64 };

static int fold(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c + 32;
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80 ? c : ' ';
}

void px_signature_of(px_str text, px_signature *out)
{
    uint64_t window = 0; // the last 8 characters; the lowest byte is the latest
    size_t n = 0;
    memset(out->min, 0xff, sizeof out->min);
    int last = ' ';
    for (size_t i = 0; i < text.len; i++) {
        int c = fold((unsigned char)text.data[i]);
        if (c == ' ' && last == ' ')
            continue;
        last = c;
        window = window << 8 | (uint64_t)c;
        if (++n < STRETCH)
            continue;
        uint64_t h = px_mix64((window & 0xffffffffffffffu) + 1);
        uint32_t value = (uint32_t)(h >> 8) & 0x7fffffffu;
        uint32_t *bin = &out->min[h & (PX_NEAR_MINIMA - 1)];
        *bin = value < *bin ? value : *bin;
    }
    out->any = n >= LEAST;
    if (!out->any)
        return;
    uint32_t dense[PX_NEAR_MINIMA];
    for (int i = 0; i < PX_NEAR_MINIMA; i++) {
        int k = 0;
        while (k < PX_NEAR_MINIMA && out->min[(i + k) % PX_NEAR_MINIMA] == UINT32_MAX)
            k++;
        dense[i] = out->min[(i + k) % PX_NEAR_MINIMA] + (uint32_t)k * 0x9e3779b9u;
    }
    memcpy(out->min, dense, sizeof dense);
}

/* Where a band falls, by the low bytes of its minima. */
static size_t place_of(const px_near *near, const uint8_t *low, int b)
{
    uint32_t band;
    memcpy(&band, low + b * ROWS, sizeof band);
    return (size_t)b * near->places + (px_mix64(band + ((uint64_t)b << 32)) & (near->places - 1));
}

static void low_of(const px_signature *s, uint8_t low[PX_NEAR_MINIMA])
{
    for (int k = 0; k < PX_NEAR_MINIMA; k++)
        low[k] = (uint8_t)s->min[k];
}

static bool is_near(const px_near *near, int64_t i, const uint8_t *other)
{
    const uint8_t *low = near->low + i * PX_NEAR_MINIMA;
    int same = 0;
    for (int k = 0; k < PX_NEAR_MINIMA; k++)
        same += low[k] == other[k];
    return same >= SAME; // 0.8 of 64, and one for what agrees by chance
}

int64_t px_near_find(const px_near *near, const px_signature *s)
{
    uint8_t low[PX_NEAR_MINIMA];
    if (!s->any || near->n == 0)
        return 0;
    low_of(s, low);
    for (int b = 0; b < PX_NEAR_BANDS; b++) {
        int64_t i = near->heads[place_of(near, low, b)];
        for (int steps = 0; i >= 0 && steps < CHAIN; steps++) {
            if (is_near(near, i, low))
                return near->lines[i];
            i = near->before[i * PX_NEAR_BANDS + b];
        }
    }
    return 0;
}

static void enter(px_near *near, int64_t i)
{
    for (int b = 0; b < PX_NEAR_BANDS; b++) {
        int32_t *head = &near->heads[place_of(near, near->low + i * PX_NEAR_MINIMA, b)];
        near->before[i * PX_NEAR_BANDS + b] = *head;
        *head = (int32_t)i;
    }
}

static bool grow(px_near *near)
{
    int64_t cap = near->cap > 0 ? 2 * near->cap : 1024;
    uint8_t *low = px_realloc(near->low, (size_t)cap, PX_NEAR_MINIMA);
    near->low = low ? low : near->low;
    int64_t *lines = px_realloc(near->lines, (size_t)cap, sizeof *lines);
    near->lines = lines ? lines : near->lines;
    int32_t *before = px_realloc(near->before, (size_t)cap, PX_NEAR_BANDS * sizeof *before);
    near->before = before ? before : near->before;
    int32_t *heads = px_realloc(near->heads, (size_t)cap, PX_NEAR_BANDS * sizeof *heads);
    near->heads = heads ? heads : near->heads;
    if (!low || !lines || !before || !heads)
        return false;
    near->cap = cap;
    near->places = (size_t)cap;
    memset(heads, 0xff, (size_t)cap * PX_NEAR_BANDS * sizeof *heads);
    for (int64_t i = 0; i < near->n; i++)
        enter(near, i);
    return true;
}

bool px_near_add(px_near *near, const px_signature *s, int64_t line)
{
    if (!s->any || near->n >= PX_NEAR_MOST)
        return true;
    if (near->n == near->cap && !grow(near))
        return false;
    low_of(s, near->low + near->n * PX_NEAR_MINIMA);
    near->lines[near->n] = line;
    enter(near, near->n++);
    return true;
}

void px_near_clear(px_near *near)
{
    px_free(near->low);
    px_free(near->lines);
    px_free(near->before);
    px_free(near->heads);
    *near = (px_near){.n = 0};
}

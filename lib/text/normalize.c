/* normalize: see normalize.h. */
#include "text/normalize.h"

#include "base/mem.h"

void px_norm_put(px_norm_text *t, const char *bytes, size_t n, uint32_t end)
{
    if (t->failed || !px_buf_put(&t->text, bytes, n)) {
        t->failed = true;
        return;
    }
    if (!t->want_ends)
        return;
    if (t->text.len > t->cap) {
        uint32_t *ends = px_realloc(t->ends, t->text.cap, sizeof *ends);
        if (!ends) {
            t->failed = true;
            return;
        }
        t->ends = ends;
        t->cap = t->text.cap;
    }
    for (size_t i = t->text.len - n; i < t->text.len; i++)
        t->ends[i] = end;
}

void px_norm_put_piece(px_norm_text *t, const px_piece *piece)
{
    if (!t->want_ends) {
        px_norm_put(t, piece->text, piece->n, 0);
        return;
    }
    for (size_t i = 0; i < piece->n; i++)
        px_norm_put(t, piece->text + i, 1, px_piece_end(piece, i + 1));
}

void px_norm_reset(px_norm_text *t, bool want_ends)
{
    px_buf_reset(&t->text);
    t->want_ends = want_ends;
    t->failed = false;
}

void px_norm_clear(px_norm_text *t)
{
    px_buf_clear(&t->text);
    px_free(t->ends);
    *t = (px_norm_text){0};
}

px_piece px_norm_piece(const px_norm_text *t, uint32_t base)
{
    return (px_piece){.text = t->text.data ? t->text.data : "",
                      .n = t->text.len,
                      .ends = t->want_ends ? t->ends : NULL,
                      .base = base};
}

pith_status px_normalizer_new(const px_norm_step *steps, int32_t n, px_normalizer **out,
                              pith_error *err)
{
    (void)steps;
    *out = NULL;
    return n ? px_fail(err, PITH_E_UNSUPPORTED, "normalizers are not built yet") : PITH_OK;
}

void px_normalizer_free(px_normalizer *normalizer)
{
    (void)normalizer;
}

pith_status px_normalize(const px_normalizer *normalizer, const px_piece *in, px_norm_text *a,
                         px_norm_text *b, px_piece *out, pith_error *err)
{
    (void)normalizer;
    (void)a;
    (void)b;
    (void)err;
    *out = *in;
    return PITH_OK;
}

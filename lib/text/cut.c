/* cut: see cut.h. */
#include "text/cut.h"

void px_cut_work_clear(px_cut_work *work)
{
    (void)work;
}

pith_status px_cutter_new(const px_cut_step *steps, int32_t n, px_cutter **out, pith_error *err)
{
    (void)steps;
    *out = NULL;
    return n ? px_fail(err, PITH_E_UNSUPPORTED, "cuts are not built yet") : PITH_OK;
}

void px_cutter_free(px_cutter *cutter)
{
    (void)cutter;
}

pith_status px_cut(const px_cutter *cutter, px_cut_work *work, const px_piece *piece,
                   px_word_fn word, void *user, pith_error *err)
{
    (void)cutter;
    (void)work;
    (void)err;
    return word(user, piece);
}

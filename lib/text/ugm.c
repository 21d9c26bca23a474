/* ugm: SentencePiece Unigram. Not built yet. */
#include "text/inside.h"

pith_status px_init_ugm(px_tokenizer *tok, pith_error *err)
{
    (void)tok;
    return px_fail(err, PITH_E_UNSUPPORTED, "Unigram vocabularies are not built yet");
}

pith_status px_encode_ugm(px_run *run, const px_piece *word)
{
    return px_run_put_bytes(run, word, 0, word->n);
}

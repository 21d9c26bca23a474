/* pretok: names of pre-tokenizers in GGUF. Not built yet. */
#include "text/tokenizer.h"

bool px_pretok_by_name(px_str name, px_vocab_def *def)
{
    (void)name;
    (void)def;
    return false;
}

const char *px_pretok_name(const px_vocab_def *def)
{
    (void)def;
    return NULL;
}

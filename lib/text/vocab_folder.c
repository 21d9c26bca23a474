/* vocab_folder: a folder's tokenizer files. Not built yet. */
#include "text/tokenizer.h"

pith_status px_vocab_load_folder(const char *folder, px_arena *arena, px_vocab_def *def,
                                 pith_error *err)
{
    (void)arena;
    (void)def;
    return px_fail(err, PITH_E_UNSUPPORTED, "'%s': folders are not read yet", folder);
}

pith_status px_folder_template(const char *folder, const char *variant, px_arena *arena,
                               px_str *out, pith_error *err)
{
    (void)folder;
    (void)variant;
    (void)arena;
    (void)err;
    *out = (px_str){0};
    return PITH_OK;
}

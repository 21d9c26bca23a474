/*
 * fuzz_hf: config.json of a Hugging Face folder. The input is the config; beside it lies a
 * tokenizer, so that the folder opens without weights. Where it opens, every key can be read, and
 * the shapes that it promises are in range.
 */
#include "folder.h"

#include "format/source.h"

#include <string.h>

static void check(const px_source *s)
{
    static const char *const KEYS[] = {"%s.block_count", "%s.embedding_length",
                                       "%s.attention.head_count", "%s.attention.key_length",
                                       "%s.rope.dimension_count"};
    if (!px_source_meta(s, "general.architecture"))
        return; // a tokenizer alone
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        int64_t v;
        FUZZ_CHECK(px_source_get_int(s, KEYS[i], true, 1, PX_MAX_WIDTH, &v, NULL) == PITH_OK);
    }
    for (int64_t i = 0; i < s->n_metas; i++) {
        const px_meta *m = &s->metas[i];
        FUZZ_CHECK(px_source_meta(s, m->key) == m);
        FUZZ_CHECK(m->type != PX_META_F32 || (m->f > -1e38 && m->f < 1e38));
    }
    FUZZ_CHECK(s->n_tensors == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    px_source *s = NULL;
    pith_error err = {0};
    const px_source_options options = {.tensors_optional = true};
    fuzz_folder_write("tokenizer.json", "{}", 2);
    fuzz_folder_write("config.json", data, size);
    pith_status status = px_source_open(fuzz_folder, &options, &s, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (s != NULL));
    FUZZ_CHECK(status == PITH_OK || strstr(err.text, fuzz_folder));
    if (s)
        check(s);
    px_source_close(s);
    return 0;
}

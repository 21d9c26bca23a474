/* vocab_files: see vocab_files.h. */
#include "vocab_files.h"

#include "format/source.h"
#include "model/vocab.h"

#include <cmocka.h>
#include <stdio.h>

px_tokenizer *vocab_gguf(const char *name)
{
    pith_error err = {0};
    px_source *source = NULL;
    px_tokenizer *tok = NULL;
    px_source_options options = {.tensors_optional = true};
    if (px_source_open(test_shared(name), &options, &source, &err) != PITH_OK ||
        px_vocab_open(source, &tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    px_source_close(source);
    return tok;
}

px_ids vocab_ids(const px_tokenizer *tok, const char *text, size_t n, int flags)
{
    px_ids ids = {.want_ends = true};
    pith_error err = {0};
    if (px_tokenize(tok, text, n, flags, &ids, &err) != PITH_OK)
        fail_msg("%s", err.text);
    uint32_t last = 0;
    for (int64_t i = 0; i < ids.n; i++) {
        assert_true(ids.ends[i] >= last);
        last = ids.ends[i];
    }
    assert_true(last <= n);
    return ids;
}

px_buf vocab_text(const px_tokenizer *tok, const int32_t *ids, int64_t n, bool special)
{
    px_buf out = {0};
    px_detok d = {.special = special};
    pith_error err = {0};
    px_buf_puts(&out, "");
    for (int64_t i = 0; i < n; i++)
        if (px_detok_push(tok, &d, ids[i], &out, &err) != PITH_OK)
            fail_msg("%s", err.text);
    assert_int_equal(px_detok_flush(&d, &out, &err), PITH_OK);
    return out;
}

static void show(const char *what, const int32_t *ids, int64_t n)
{
    fprintf(stderr, "# %s:", what);
    for (int64_t i = 0; i < n && i < 200; i++)
        fprintf(stderr, " %d", ids[i]);
    fprintf(stderr, "\n");
}

void vocab_same(const char *what, const px_ids *got, const int32_t *want, int64_t n)
{
    bool same = got->n == n;
    for (int64_t i = 0; same && i < n; i++)
        same = got->ids[i] == want[i];
    if (same)
        return;
    show("got", got->ids, got->n);
    show("want", want, n);
    fail_msg("ids differ: %.300s", what);
}

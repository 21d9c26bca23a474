/* vocab_files: see vocab_files.h. */
#include "vocab_files.h"

#include "base/utf8.h"
#include "format/source.h"
#include "model/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SHARED "tokenizers/vocab_gguf/"
#define MARK   "\n__ggml_vocab_test__\n"

px_tokenizer *vocab_open(const char *path)
{
    pith_error err = {0};
    px_source *source = NULL;
    px_tokenizer *tok = NULL;
    px_source_options options = {.tensors_optional = true};
    if (px_source_open(path, &options, &source, &err) != PITH_OK ||
        px_vocab_open(source, &tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    px_source_close(source);
    return tok;
}

px_tokenizer *vocab_gguf(const char *name)
{
    return vocab_open(test_shared(name));
}

px_tokenizer *vocab_folder(const char *path)
{
    pith_error err = {0};
    px_tokenizer *tok = NULL;
    px_arena arena;
    px_vocab_def def;
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    if (px_vocab_load_folder(path, &arena, &def, &err) != PITH_OK ||
        px_tokenizer_new(&def, &tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    px_arena_clear(&arena);
    return tok;
}

const char *vocab_unpack(const char *name)
{
    const char *folder = test_temp(name);
    const char *to = test_format("%s/tokenizer.json", folder);
    if (test_exists(to))
        return folder;
    size_t n;
    const char *from = test_shared(test_format("tokenizers/%s/tokenizer.json.xz", name));
    assert_int_equal(mkdir(folder, 0700), 0);
    test_result r = test_run(&(test_command){.args = (const char *[]){"xz", "-dc", from, NULL}});
    if (r.exit_code != 0)
        fail_msg("xz -dc %s: %s (package xz-utils)", from, r.err);
    test_write(to, r.out, r.out_bytes);
    char *config =
        test_read(test_shared(test_format("tokenizers/%s/tokenizer_config.json", name)), &n);
    test_write(test_format("%s/tokenizer_config.json", folder), config, n);
    return folder;
}

const char *vocab_write(const px_tokenizer *tok, int32_t n_vocab, const char *name)
{
    const char *path = test_temp(name);
    pith_error err = {0};
    px_gguf_writer *w = NULL;
    pith_status st = px_gguf_writer_new(path, 32, &w, &err);
    if (st == PITH_OK)
        st = px_gguf_set_str(w, "general.architecture", px_str_of("llama"), &err);
    if (st == PITH_OK)
        st = px_vocab_write(tok, n_vocab, w, &err);
    if (st == PITH_OK)
        st = px_gguf_begin_data(w, &err);
    if (st == PITH_OK)
        st = px_gguf_finish(w, &err);
    px_gguf_writer_free(w);
    if (st != PITH_OK)
        fail_msg("%s", err.text);
    return path;
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
    size_t checked = 0;
    for (int64_t i = 0; i < n; i++) {
        if (px_detok_push(tok, &d, ids[i], &out, &err) != PITH_OK)
            fail_msg("%s", err.text);
        assert_true(px_utf8_valid(out.data + checked, out.len - checked));
        checked = out.len;
    }
    assert_int_equal(px_detok_flush(&d, &out, &err), PITH_OK);
    return out;
}

static void show(const char *what, const int32_t *ids, int64_t n)
{
    fprintf(stderr, "# %s:", what);
    for (int64_t i = 0; i < n && i < 200; i++)
        fprintf(stderr, " %d", (int)ids[i]);
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

int vocab_compare_shared(const px_tokenizer *tok, const char *name)
{
    char *in = test_read(test_shared(test_format(SHARED "%s.inp", name)), NULL);
    char *line = test_read(test_shared(test_format(SHARED "%s.out", name)), NULL);
    int n_texts = 0;
    for (char *text = in; *line; n_texts++) {
        char *mark = strstr(text, MARK), *end = strchr(line, '\n');
        assert_non_null(mark);
        assert_non_null(end);
        size_t len = (size_t)(mark - text);
        int32_t want[512];
        int64_t n = 0;
        *end = '\0';
        for (char *next = line; *(next += strspn(next, " "));)
            want[n++] = (int32_t)strtol(next, &next, 10);
        line = end + 1;
        px_ids got = vocab_ids(tok, text, len, 0);
        vocab_same(test_format("%s, text %d: %.*s", name, n_texts, (int)len, text), &got, want, n);
        px_ids_clear(&got);
        text = mark + strlen(MARK);
    }
    return n_texts;
}

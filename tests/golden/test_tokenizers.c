/*
 * Tokenizers against the programs that define them: Hugging Face's tokenizers and SentencePiece.
 * The fixtures lie in tests/golden/tokenizers; make.py there made them, and says what each line
 * holds.
 *
 * Decoding gives the text back but for what a tokenizer throws away on purpose: Qwen2.5 normalises
 * to NFC, SentencePiece's kinds cannot tell U+2581 from a space, and WordPiece and the small
 * Unigram lose case, accents or spaces. For those the fixtures hold what the reference decodes.
 */
#include "base/utf8.h"
#include "text/cut.h"
#include "text/nform.h"
#include "text/normalize.h"

#include "../unit/text/vocab_files.h"

#include <jansson.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "tests/golden/tokenizers/"

/* ---- fixtures */

typedef struct lines {
    json_t **rows;
    size_t n;
} lines;

static lines read_lines(const char *name)
{
    size_t n;
    char *text = test_read(test_source(test_format(FOLDER "%s", name)), &n);
    lines l = {0};
    size_t cap = 0;
    for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
        json_error_t error;
        if (l.n == cap) {
            cap = cap * 2 + 256;
            l.rows = realloc(l.rows, cap * sizeof *l.rows);
            assert_non_null(l.rows);
        }
        l.rows[l.n] = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (!l.rows[l.n])
            fail_msg("%s, line %zu: %s", name, l.n + 1, error.text);
        l.n++;
    }
    assert_true(l.n > 0);
    return l;
}

static void free_lines(lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        json_decref(l->rows[i]);
    free(l->rows);
}

static px_str text_of(const json_t *value)
{
    assert_true(json_is_string(value));
    return (px_str){.data = json_string_value(value), .len = json_string_length(value)};
}

/* ---- ids */

static void check_ids(const px_tokenizer *tok, const char *name, size_t line, px_str text,
                      const json_t *want, int flags)
{
    int32_t ids[4096];
    size_t n = json_array_size(want);
    assert_true(json_is_array(want) && n <= sizeof ids / sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(want, i));
    px_ids got = vocab_ids(tok, text.data, text.len, flags);
    vocab_same(test_format("%s, line %zu, flags %d: %.*s", name, line + 1, flags, (int)text.len,
                           text.data),
               &got, ids, (int64_t)n);
    px_ids_clear(&got);
}

static void check_decoded(const px_tokenizer *tok, const char *name, size_t line, px_str text,
                          px_str want)
{
    px_ids ids = vocab_ids(tok, text.data, text.len, 0);
    px_buf got = vocab_text(tok, ids.ids, ids.n, false);
    if (got.len != want.len || memcmp(got.data, want.data, want.len) != 0)
        fail_msg("%s, line %zu: decoded '%s', expected '%.*s'", name, line + 1, got.data,
                 (int)want.len, want.data);
    px_buf_clear(&got);
    px_ids_clear(&ids);
}

/* Every line of fixture `name` with a tokenizer; texts are the line's own or those of texts.jsonl.
 */
static void check_all(const px_tokenizer *tok, const char *name)
{
    lines texts = read_lines("texts.jsonl"), rows = read_lines(name);
    for (size_t i = 0; i < rows.n; i++) {
        const json_t *row = rows.rows[i], *own = json_object_get(row, "text");
        assert_true(own || i < texts.n);
        if (json_object_get(row, "skip"))
            continue;
        px_str text = text_of(own ? own : texts.rows[i]);
        const json_t *plain = json_object_get(row, "plain");
        const json_t *special = json_object_get(row, "special");
        const json_t *both = json_object_get(row, "both");
        const json_t *decoded = json_object_get(row, "decoded");
        check_ids(tok, name, i, text, plain, 0);
        if (own)
            continue;
        special = special ? special : plain;
        check_ids(tok, name, i, text, special, PX_TOK_SPECIAL);
        check_ids(tok, name, i, text, both ? both : special, PX_TOK_SPECIAL | PX_TOK_BOS_EOS);
        check_decoded(tok, name, i, text, decoded ? text_of(decoded) : text);
    }
    assert_true(rows.n == texts.n || json_object_get(rows.rows[0], "text"));
    free_lines(&texts);
    free_lines(&rows);
}

/* ---- round trips */

/* What decoding gives back, put into out. */
static void expect_back(const px_tokenizer *tok, px_str text, px_buf *out)
{
    const px_vocab_def *def = px_tokenizer_def(tok);
    px_buf_reset(out);
    px_buf_puts(out, "");
    if (def->kind == PX_VOCAB_SPM) {
        for (size_t i = 0; i < text.len;) {
            bool meta = px_is_meta_space(text.data + i, text.len - i);
            px_buf_putc(out, meta ? ' ' : text.data[i]);
            i += meta ? 3 : 1;
        }
    } else if (def->n_norms == 1 && def->norms[0].op == PX_NORM_NFC) {
        px_norm_text normal = {0};
        px_norm_reset(&normal, false);
        assert_int_equal(
            px_nform(&(px_piece){.text = text.data, .n = text.len}, false, true, &normal, NULL),
            PITH_OK);
        px_buf_put(out, normal.text.data, normal.text.len);
        px_norm_clear(&normal);
    } else {
        px_buf_put(out, text.data, text.len);
    }
}

static size_t random_text(test_random *r, char *out, size_t most_chars)
{
    size_t n = 0, chars = 1 + test_random_below(r, most_chars);
    uint32_t last = 'a';
    for (size_t i = 0; i < chars; i++) {
        if (test_random_below(r, 4) != 0 || i == 0)
            last = test_random_char(r);
        n += (size_t)px_utf8_put(test_random_below(r, 6) ? last : ' ', out + n);
    }
    return n;
}

static void round_trips(const px_tokenizer *tok)
{
    test_random r = test_random_start(41);
    char text[4 * 64];
    px_buf want = {0};
    for (int i = 0; i < 10000; i++) {
        size_t n = random_text(&r, text, 40);
        px_ids ids = vocab_ids(tok, text, n, i % 2 ? PX_TOK_BOS_EOS : 0);
        px_buf got = vocab_text(tok, ids.ids, ids.n, false);
        expect_back(tok, (px_str){.data = text, .len = n}, &want);
        if (got.len != want.len || memcmp(got.data, want.data, want.len) != 0)
            fail_msg("text %d: '%.*s' came back as '%s'", i, (int)n, text, got.data);
        px_buf_clear(&got);
        px_ids_clear(&ids);
    }
    px_buf_clear(&want);
}

/* Any bytes come back as the bytes of their tokens, but for the space before the text. */
static void any_bytes(const px_tokenizer *tok)
{
    test_random r = test_random_start(42);
    char text[64];
    for (int i = 0; i < 2000; i++) {
        size_t n = 1 + test_random_below(&r, sizeof text - 1);
        test_random_bytes(&r, text, n);
        for (size_t k = 0; k < n; k++) // not all of them stray
            if (test_random_below(&r, 3) == 0)
                text[k] = (char)('a' + (text[k] & 15));
        px_ids ids = vocab_ids(tok, text, n, 0);
        px_buf got = {0};
        for (int64_t k = 0; k < ids.n; k++) {
            px_str bytes = px_token_bytes(tok, ids.ids[k], false);
            px_buf_put(&got, bytes.data, bytes.len);
        }
        size_t skip = px_tokenizer_def(tok)->drop_space && got.len > n ? 1 : 0;
        if (got.len != n + skip || memcmp(got.data + skip, text, n) != 0)
            fail_msg("%d bytes came back as %zu others", (int)n, got.len);
        px_buf_clear(&got);
        px_ids_clear(&ids);
    }
}

/* Bytes of the longest beginning of a character at text[0..n); at least 1. */
static size_t beginning(const char *text, size_t n)
{
    size_t best = 1;
    for (size_t k = 2; k < 4 && k <= n; k++)
        if (px_utf8_open_tail(text, k) == k)
            best = k;
    return best;
}

/* Decoding any ids as a stream is the same as decoding their bytes at once. */
static void streams(const px_tokenizer *tok)
{
    test_random r = test_random_start(43);
    int32_t ids[24];
    for (int i = 0; i < 3000; i++) {
        size_t n = 1 + test_random_below(&r, 24);
        px_buf bytes = {0}, want = {0};
        for (size_t k = 0; k < n; k++) {
            ids[k] = (int32_t)test_random_below(
                &r, test_random_below(&r, 2) ? (uint64_t)px_tokenizer_size(tok) : 300);
            px_str b = px_token_bytes(tok, ids[k], true);
            px_buf_put(&bytes, b.data, b.len);
        }
        px_buf_puts(&bytes, "");
        size_t at = px_tokenizer_def(tok)->drop_space && bytes.len && bytes.data[0] == ' ';
        while (at < bytes.len) {
            uint32_t code;
            int c = px_utf8_get(bytes.data + at, bytes.len - at, &code);
            px_buf_put(&want, c ? bytes.data + at : "\xef\xbf\xbd", c ? (size_t)c : 3);
            at += c ? (size_t)c : beginning(bytes.data + at, bytes.len - at);
        }
        px_buf_puts(&want, "");
        px_buf got = vocab_text(tok, ids, (int64_t)n, true);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
        px_buf_clear(&got);
        px_buf_clear(&want);
        px_buf_clear(&bytes);
    }
}

/* ---- the shared vocabularies */

static void shared(void **state)
{
    const char *name = *state, *fixture = test_format("%s.jsonl", name);
    px_tokenizer *tok = vocab_folder(vocab_unpack(name));
    check_all(tok, fixture);
    round_trips(tok);
    if (px_tokenizer_def(tok)->n_norms == 0)
        any_bytes(tok);
    streams(tok);
    /* Written as GGUF with more rows than tokens and read again, it is the same. */
    int32_t n = px_tokenizer_size(tok);
    px_tokenizer *back = vocab_open(vocab_write(tok, n + 100, test_format("%s.gguf", name)));
    assert_int_equal(px_tokenizer_size(back), n + 100);
    check_all(back, fixture);
    for (int32_t i = 0; i < n; i++)
        assert_int_equal(px_token_ends(back, i), px_token_ends(tok, i));
    px_tokenizer_free(back);
    px_tokenizer_free(tok);
}

static void gguf_round_trips(void **state)
{
    const char *name = *state;
    px_tokenizer *tok = vocab_gguf(name);
    round_trips(tok);
    any_bytes(tok);
    streams(tok);
    px_tokenizer_free(tok);
}

/* ---- the small ones */

static void mini(void **state)
{
    const char *name = *state, *fixture = test_format("mini/%s/expected.jsonl", name);
    px_tokenizer *tok = vocab_folder(test_source(test_format(FOLDER "mini/%s", name)));
    check_all(tok, fixture);
    streams(tok);
    px_tokenizer_free(tok);
}

/* Those that GGUF can hold. */
static void mini_written(void **state)
{
    const char *name = *state, *fixture = test_format("mini/%s/expected.jsonl", name);
    px_tokenizer *tok = vocab_folder(test_source(test_format(FOLDER "mini/%s", name)));
    px_tokenizer *back =
        vocab_open(vocab_write(tok, px_tokenizer_size(tok), test_format("mini-%s.gguf", name)));
    check_all(back, fixture);
    px_tokenizer_free(back);
    px_tokenizer_free(tok);
}

/* ---- steps */

static int find_name(const char *const *names, size_t n, px_str name)
{
    for (size_t i = 0; i < n; i++)
        if (px_str_is(name, names[i]))
            return (int)i;
    fail_msg("no such step: %.*s", (int)name.len, name.data);
    return -1;
}

#define FIND(names, name) find_name(names, sizeof names / sizeof *names, name)

typedef struct pieces {
    const json_t *want;
    size_t n;
    size_t line;
} pieces;

static pith_status check_piece(void *user, const px_piece *word)
{
    pieces *p = user;
    if (p->n >= json_array_size(p->want))
        fail_msg("cuts.jsonl, line %zu: piece %zu too many: '%.*s'", p->line, p->n, (int)word->n,
                 word->text);
    px_str want = text_of(json_array_get(p->want, p->n++));
    if (!px_str_eq(want, (px_str){.data = word->text, .len = word->n}))
        fail_msg("cuts.jsonl, line %zu: piece %zu is '%.*s', expected '%.*s'", p->line, p->n,
                 (int)word->n, word->text, (int)want.len, want.data);
    return PITH_OK;
}

static void cuts(void **state)
{
    (void)state;
    static const char *const ops[] = {"regex", "literal", "digits",    "punctuation",
                                      "bert",  "space",   "whitespace"};
    static const char *const behaviors[] = {"isolated", "removed", "merged_with_previous",
                                            "merged_with_next", "contiguous"};
    lines rows = read_lines("cuts.jsonl");
    for (size_t i = 0; i < rows.n; i++) {
        const json_t *row = rows.rows[i];
        pith_error err = {0};
        px_str text = text_of(json_object_get(row, "text"));
        px_cut_step step = {
            .op = (px_cut_op)FIND(ops, text_of(json_object_get(row, "op"))),
            .behavior = (px_cut_behavior)FIND(behaviors, text_of(json_object_get(row, "behavior"))),
            .flag = (int32_t)json_integer_value(json_object_get(row, "flag")),
            .invert = json_is_true(json_object_get(row, "invert")),
            .pattern = text_of(json_object_get(row, "pattern")),
        };
        px_cutter *cutter = NULL;
        px_regex_work work = {0};
        pieces p = {.want = json_object_get(row, "pieces"), .line = i + 1};
        px_piece piece = {.text = text.data, .n = text.len};
        if (px_cutter_new(&step, 1, &cutter, &err) != PITH_OK ||
            px_cut(cutter, &work, &piece, check_piece, &p, &err) != PITH_OK)
            fail_msg("cuts.jsonl, line %zu: %s", i + 1, err.text);
        if (p.n != json_array_size(p.want))
            fail_msg("cuts.jsonl, line %zu: %zu pieces of %zu", i + 1, p.n,
                     json_array_size(p.want));
        px_regex_work_clear(&work);
        px_cutter_free(cutter);
    }
    free_lines(&rows);
}

static void norms(void **state)
{
    (void)state;
    static const char *const ops[] = {"nfc",           "nfd",  "nfkc",    "nfkd",    "lowercase",
                                      "strip_accents", "bert", "replace", "prepend", "strip"};
    lines rows = read_lines("norms.jsonl");
    for (size_t i = 0; i < rows.n; i++) {
        const json_t *list = json_object_get(rows.rows[i], "steps");
        px_str text = text_of(json_object_get(rows.rows[i], "text"));
        px_str want = text_of(json_object_get(rows.rows[i], "out"));
        px_norm_step steps[4];
        int32_t n = (int32_t)json_array_size(list);
        assert_in_range(n, 1, 4);
        for (int32_t k = 0; k < n; k++) {
            const json_t *row = json_array_get(list, (size_t)k);
            steps[k] = (px_norm_step){
                .op = (px_norm_op)FIND(ops, text_of(json_object_get(row, "op"))),
                .flag = (int32_t)json_integer_value(json_object_get(row, "flag")),
                .a = text_of(json_object_get(row, "a")),
                .b = text_of(json_object_get(row, "b")),
            };
        }
        for (int ends = 0; ends < 2; ends++) {
            pith_error err = {0};
            px_normalizer *normalizer = NULL;
            px_norm_work work = {0};
            px_piece piece = {.text = text.data, .n = text.len};
            if (px_normalizer_new(steps, n, &normalizer, &err) != PITH_OK ||
                px_normalize(normalizer, &work, &piece, ends, &piece, &err) != PITH_OK)
                fail_msg("norms.jsonl, line %zu: %s", i + 1, err.text);
            if (!px_str_eq(want, (px_str){.data = piece.text, .len = piece.n}))
                fail_msg("norms.jsonl, line %zu: '%.*s', expected '%.*s'", i + 1, (int)piece.n,
                         piece.text, (int)want.len, want.data);
            for (size_t k = 1; ends && k < piece.n; k++)
                assert_true(piece.ends[k] >= piece.ends[k - 1] && piece.ends[k] <= text.len);
            px_norm_work_clear(&work);
            px_normalizer_free(normalizer);
        }
    }
    free_lines(&rows);
}

#define TEST_OF(function, name)                                \
    {                                                          \
#function " " name, function, NULL, NULL, (void *)name \
    }
#define GGUF "tokenizers/vocab_gguf/ggml-vocab-"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts),
        cmocka_unit_test(norms),
        TEST_OF(mini, "bert"),
        TEST_OF(mini, "llama"),
        TEST_OF(mini, "mistral"),
        TEST_OF(mini, "roberta"),
        TEST_OF(mini, "smollm"),
        TEST_OF(mini, "unigram"),
        TEST_OF(mini, "spm_bpe"),
        TEST_OF(mini, "spm_unigram"),
        TEST_OF(mini_written, "bert"),
        TEST_OF(mini_written, "llama"),
        TEST_OF(mini_written, "mistral"),
        TEST_OF(mini_written, "roberta"),
        TEST_OF(mini_written, "smollm"),
        TEST_OF(mini_written, "spm_bpe"),
        TEST_OF(mini_written, "spm_unigram"),
        TEST_OF(shared, "llama3_2"),
        TEST_OF(shared, "qwen2_5"),
        TEST_OF(shared, "gemma2"),
        TEST_OF(shared, "gemma3"),
        TEST_OF(shared, "mistral_nemo"),
        TEST_OF(gguf_round_trips, GGUF "llama-spm.gguf"),
        TEST_OF(gguf_round_trips, GGUF "phi-3.gguf"),
        TEST_OF(gguf_round_trips, GGUF "gpt-2.gguf"),
        TEST_OF(gguf_round_trips, "models/stories260K.gguf"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

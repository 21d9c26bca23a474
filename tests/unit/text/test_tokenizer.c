/*
 * The tokenizer by small vocabularies made here: added tokens and their flags, prefixes, unknown
 * characters, ends, positions, streaming, and definitions that are refused.
 */
#include "text/tokenizer.h"

#include "vocab_files.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T(text_, type_)                                                      \
    {                                                                        \
        .text = {.data = (text_), .len = sizeof(text_) - 1}, .type = (type_) \
    }
#define S(text_, score_)                                                                  \
    {                                                                                     \
        .text = {.data = (text_), .len = sizeof(text_) - 1}, .score = (score_), .type = 1 \
    }
#define A(text_, type_, flags_)                                                                 \
    {                                                                                           \
        .text = {.data = (text_), .len = sizeof(text_) - 1}, .type = (type_), .added = (flags_) \
    }
#define SP "\xe2\x96\x81"

/* SentencePiece: scores fall with the id. */
static const px_vocab_token spm_tokens[] = {
    T("<unk>", PX_TOKEN_UNKNOWN),
    T("<s>", PX_TOKEN_CONTROL),
    T("</s>", PX_TOKEN_CONTROL),
    T("<0x0A>", PX_TOKEN_BYTE),
    T("<0xC3>", PX_TOKEN_BYTE),
    T("<0xA9>", PX_TOKEN_BYTE),
    S("ab", -1),
    S("bc", -2),
    S("abc", -3),
    S(SP "a", -4),
    S("a", -5),
    S("b", -6),
    S("c", -7),
    S(SP, -8),
    A("<user>", PX_TOKEN_USER_DEFINED, 0),
    S("<", -9),
    S("s", -10),
    S(">", -11),
    S("<s", -1),
};

static px_vocab_def spm(void)
{
    px_vocab_def def = px_vocab_def_none();
    def.kind = PX_VOCAB_SPM;
    def.tokens = spm_tokens;
    def.n_tokens = sizeof spm_tokens / sizeof *spm_tokens;
    def.unk = 0;
    def.bos = 1;
    def.eos = 2;
    def.add_bos = true;
    def.byte_fallback = true;
    return def;
}

static px_tokenizer *make(const px_vocab_def *def)
{
    px_tokenizer *tok = NULL;
    pith_error err = {0};
    if (px_tokenizer_new(def, &tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return tok;
}

typedef struct row {
    const char *text;
    int flags;
    int32_t ids[12]; // ended by -1
    uint32_t ends[12];
} row;

static void check(const px_vocab_def *def, const row *rows, size_t n)
{
    px_tokenizer *tok = make(def);
    for (size_t i = 0; i < n; i++) {
        size_t n_ids = 0;
        while (rows[i].ids[n_ids] >= 0)
            n_ids++;
        px_ids got = vocab_ids(tok, rows[i].text, strlen(rows[i].text), rows[i].flags);
        vocab_same(rows[i].text, &got, rows[i].ids, (int64_t)n_ids);
        for (size_t k = 0; k < n_ids; k++)
            if (got.ends[k] != rows[i].ends[k])
                fail_msg("'%s': token %zu ends at %u, expected %u", rows[i].text, k, got.ends[k],
                         rows[i].ends[k]);
        px_ids_clear(&got);
    }
    px_tokenizer_free(tok);
}

#define CHECK(def, rows) check(def, rows, sizeof rows / sizeof *rows)

static void scores(void **state)
{
    (void)state;
    px_vocab_def def = spm();
    const row rows[] = {
        {"", 0, {-1}, {0}},
        {"", PX_TOK_BOS_EOS, {1, -1}, {0}},
        {"abc", 0, {8, -1}, {3}},
        {"bc", 0, {7, -1}, {2}},
        {"aabcb", 0, {10, 8, 11, -1}, {1, 4, 5}},
        {"\n\xc3\xa9", 0, {3, 4, 5, -1}, {1, 2, 3}},
        {"a\xc3\xaa"
         "b",
         0,
         {10, 0, 11, -1},
         {1, 3, 4}}, // no byte token for 0xAA
        {"a\xff"
         "a",
         0,
         {10, 0, 10, -1},
         {1, 2, 3}},
        {"a a", 0, {10, 9, -1}, {1, 3}},
        {"<s>", 0, {18, 17, -1}, {2, 3}}, // never the control token
        {"<s>a", PX_TOK_SPECIAL, {1, 10, -1}, {3, 4}},
        {"<user><user", 0, {14, 15, 0, 16, 0, 0, -1}, {6, 7, 8, 9, 10, 11}},
    };
    CHECK(&def, rows);
}

static void prefixes(void **state)
{
    (void)state;
    px_vocab_def def = spm();
    def.space_prefix = PX_PREFIX_ALWAYS;
    const row always[] = {
        {"a", 0, {9, -1}, {1}},
        {" a", 0, {13, 9, -1}, {0, 2}},
        {"<s>a<user>a", PX_TOK_SPECIAL, {1, 9, 14, 9, -1}, {3, 4, 10, 11}},
        {"\xff"
         "a",
         0,
         {0, 10, -1},
         {1, 2}}, // what stray bytes part is one stretch
    };
    CHECK(&def, always);
    def.space_prefix = PX_PREFIX_MISSING;
    const row missing[] = {
        {"a", 0, {9, -1}, {1}},
        {" a", 0, {9, -1}, {2}},
        {SP "a", 0, {9, -1}, {4}},
        {"a<user> a<user>a", 0, {9, 14, 9, 14, 9, -1}, {1, 7, 9, 15, 16}},
    };
    CHECK(&def, missing);
    def.space_prefix = PX_PREFIX_FIRST;
    const row first[] = {
        {"a<user>a", 0, {9, 14, 10, -1}, {1, 7, 8}},
        {"<user>a", 0, {14, 10, -1}, {6, 7}},
    };
    CHECK(&def, first);
}

/* A list of merges takes the place of scores. */
static void ranks(void **state)
{
    (void)state;
    px_vocab_def def = spm();
    static const px_merge merges[] = {{11, 12, 7}, {10, 7, 8}};
    def.merges = merges;
    def.n_merges = 2;
    const row rows[] = {
        {"abc", 0, {8, -1}, {3}},
        {"ab", 0, {10, 11, -1}, {1, 2}}, // a token, but no merge makes it
        {"\xc3\xa9", 0, {4, 5, -1}, {1, 2}},
    };
    CHECK(&def, rows);
}

static const px_vocab_token flag_tokens[] = {
    A("a", 1, 0),
    A("b", 1, 0),
    A("\xc4\xa0", 1, 0), // a space
    A("<l>", PX_TOKEN_CONTROL, PX_ADDED_LSTRIP),
    A("<r>", PX_TOKEN_CONTROL, PX_ADDED_RSTRIP),
    A("<both>", PX_TOKEN_USER_DEFINED, PX_ADDED_LSTRIP | PX_ADDED_RSTRIP),
    A("bab", PX_TOKEN_USER_DEFINED, PX_ADDED_SINGLE_WORD),
    A("ABA", PX_TOKEN_USER_DEFINED, PX_ADDED_NORMALIZED),
    A("<l><", PX_TOKEN_USER_DEFINED, 0),
    A("<", 1, 0),
    A("l", 1, 0),
    A(">", 1, 0),
};

static void added(void **state)
{
    (void)state;
    px_vocab_def def = px_vocab_def_none();
    const px_norm_step lower = {.op = PX_NORM_LOWERCASE};
    def.kind = PX_VOCAB_BPE;
    def.tokens = flag_tokens;
    def.n_tokens = sizeof flag_tokens / sizeof *flag_tokens;
    def.norms = &lower;
    def.n_norms = 1;
    const row rows[] = {
        {"a <l> a", PX_TOK_SPECIAL, {0, 3, 2, 0, -1}, {1, 5, 6, 7}},
        {"a <r>  a", PX_TOK_SPECIAL, {0, 2, 4, 0, -1}, {1, 2, 7, 8}},
        {"a\t<both>\n<both>a", 0, {0, 5, 5, 0, -1}, {1, 9, 15, 16}},
        {"<l>", 0, {9, 10, 11, -1}, {1, 2, 3}},
        {"bab abab bab",
         0,
         {6, 2, 7, 1, 2, 6, -1},
         {3, 4, 7, 8, 9, 12}}, // abab is no word of its own
        {"AbAb", 0, {7, 1, -1}, {3, 4}},
        {"A", 0, {0, -1}, {1}},
    };
    CHECK(&def, rows);
    px_tokenizer *tok = make(&def);
    /* The longest added token wins, and the rest is text: "r" is no token of this vocabulary. */
    px_ids ids = {0};
    pith_error err = {0};
    assert_int_equal(px_tokenize(tok, "<l><r>", 6, PX_TOK_SPECIAL, &ids, &err), PITH_E_UNSUPPORTED);
    assert_int_equal(ids.n, 0);
    assert_non_null(strstr(err.text, "at byte 4"));
    px_ids_clear(&ids);
    px_tokenizer_free(tok);
}

static void ends(void **state)
{
    (void)state;
    static const px_vocab_token tokens[] = {
        T("a", 1),
        T("<|im_end|>", PX_TOKEN_CONTROL),
        T("</s>", PX_TOKEN_USER_DEFINED),
        T("<eos>", PX_TOKEN_CONTROL),
        T("<|end|>", PX_TOKEN_CONTROL),
    };
    px_vocab_def def = px_vocab_def_none();
    def.kind = PX_VOCAB_BPE;
    def.tokens = tokens;
    def.n_tokens = 5;
    def.eos = 0;
    px_tokenizer *tok = make(&def);
    const bool want[] = {true, true, false, true, true};
    for (int32_t i = 0; i < 5; i++)
        assert_int_equal(px_token_ends(tok, i), want[i]);
    assert_false(px_token_ends(tok, -1));
    assert_false(px_token_ends(tok, 5));
    pith_error err = {0};
    assert_int_equal(px_tokenizer_add_end(tok, 2, &err), PITH_OK);
    assert_true(px_token_ends(tok, 2));
    assert_int_equal(px_tokenizer_add_end(tok, 5, &err), PITH_E_FORMAT);
    px_tokenizer_free(tok);
    static const px_vocab_token channels[] = {
        T("<|end|>", PX_TOKEN_CONTROL),
        T("<|return|>", PX_TOKEN_CONTROL),
        T("<|call|>", PX_TOKEN_CONTROL),
    };
    def.tokens = channels;
    def.n_tokens = 3;
    def.eos = -1;
    tok = make(&def);
    assert_false(px_token_ends(tok, 0));
    assert_true(px_token_ends(tok, 1) && px_token_ends(tok, 2));
    px_tokenizer_free(tok);
}

static void bytes_of(const px_tokenizer *tok, int32_t id, bool special, const char *want)
{
    px_str got = px_token_bytes(tok, id, special);
    assert_non_null(got.data);
    if (!px_str_is(got, want))
        fail_msg("token %d is '%.*s', expected '%s'", (int)id, (int)got.len, got.data, want);
}

static void token_bytes(void **state)
{
    (void)state;
    px_vocab_def def = spm();
    px_tokenizer *tok = make(&def);
    bytes_of(tok, 9, false, " a");
    bytes_of(tok, 3, false, "\n");
    bytes_of(tok, 1, false, "");
    bytes_of(tok, 1, true, "<s>");
    bytes_of(tok, 0, false, "");
    bytes_of(tok, 14, false, "<user>");
    assert_null(px_token_bytes(tok, -1, true).data);
    assert_null(px_token_bytes(tok, def.n_tokens, true).data);
    assert_int_equal(px_tokenizer_find(tok, px_str_of(SP "a")), 9);
    assert_int_equal(px_tokenizer_find(tok, px_str_of("nothing")), -1);
    assert_int_equal(px_tokenizer_find(tok, px_str_of("")), -1);
    px_tokenizer_free(tok);
}

static void stream(void **state)
{
    (void)state;
    px_vocab_def def = spm();
    def.drop_space = true;
    px_tokenizer *tok = make(&def);
    px_detok d = {0};
    px_buf out = {0};
    pith_error err = {0};
    const struct {
        int32_t id;
        const char *so_far;
    } steps[] = {
        {1, ""},                        // control
        {9, "a"},                       // the first space goes
        {9, "a a"},                     // only the first
        {4, "a a"},                     // half a character
        {5, "a a\xc3\xa9"},             // the other half
        {5, "a a\xc3\xa9\xef\xbf\xbd"}, // begins nothing
        {4, "a a\xc3\xa9\xef\xbf\xbd"}, // half again
        {10, "a a\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
             "a"}, // never completed
        {4, "a a\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
            "a"},
    };
    px_buf_puts(&out, "");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(px_detok_push(tok, &d, steps[i].id, &out, &err), PITH_OK);
        assert_string_equal(out.data, steps[i].so_far);
    }
    size_t before = out.len;
    assert_int_equal(px_detok_flush(&d, &out, &err), PITH_OK);
    assert_string_equal(out.data + before, "\xef\xbf\xbd");
    assert_int_equal(px_detok_flush(&d, &out, &err), PITH_OK);
    assert_int_equal(out.len, before + 3);
    assert_int_equal(px_detok_push(tok, &d, 99, &out, &err), PITH_E_ARGUMENT);
    /* Ids that continue a text keep their space. */
    px_detok more = {.keep_space = true, .special = true};
    px_buf_reset(&out);
    assert_int_equal(px_detok_push(tok, &more, 9, &out, &err), PITH_OK);
    assert_int_equal(px_detok_push(tok, &more, 1, &out, &err), PITH_OK);
    assert_string_equal(out.data, " a<s>");
    px_buf_clear(&out);
    px_tokenizer_free(tok);
}

static void refused_def(px_vocab_def def, pith_status status, const char *part)
{
    px_tokenizer *tok = NULL;
    pith_error err = {0};
    pith_status st = px_tokenizer_new(&def, &tok, &err);
    if (st != status || !strstr(err.text, part))
        fail_msg("status '%s', text '%s', expected '%s'", pith_status_text(st), err.text, part);
    assert_null(tok);
}

static void refuses(void **state)
{
    (void)state;
    px_vocab_def def = spm();
    def.bos = 19;
    refused_def(def, PITH_E_FORMAT, "the bos token has id 19; the vocabulary has 19 tokens");
    def.bos = -2;
    refused_def(def, PITH_E_FORMAT, "the bos token has id -2");
    def = spm();
    static const int32_t ends_of[] = {3, 77};
    def.ends = ends_of;
    def.n_ends = 2;
    refused_def(def, PITH_E_FORMAT, "the end-of-generation token has id 77");
    def = spm();
    static const px_merge merges[] = {{1, 2, 3}, {1, 19, 3}};
    def.merges = merges;
    def.n_merges = 2;
    refused_def(def, PITH_E_FORMAT, "merge 1 names a token that is not there");
    def = spm();
    def.n_tokens = PX_MAX_VOCAB + 1;
    refused_def(def, PITH_E_LIMIT, "a vocabulary of 4194305 tokens");
    px_vocab_token tokens[2] = {T("a", 1), T("a", 1)};
    def = px_vocab_def_none();
    def.kind = PX_VOCAB_SPM;
    def.tokens = tokens;
    def.n_tokens = 2;
    refused_def(def, PITH_E_FORMAT, "tokens 0 and 1 are both \"a\"");
    tokens[1] = (px_vocab_token)S("b", __builtin_nanf(""));
    refused_def(def, PITH_E_FORMAT, "token 1 has a score that is not finite");
    tokens[1] = (px_vocab_token)T("b", 7);
    refused_def(def, PITH_E_FORMAT, "token 1 has type 7");
    char *text = malloc(PX_MAX_TOKEN_BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', PX_MAX_TOKEN_BYTES + 1);
    tokens[1] = (px_vocab_token){.text = {.data = text, .len = PX_MAX_TOKEN_BYTES + 1}, .type = 1};
    refused_def(def, PITH_E_LIMIT, "token 1 has 65537 bytes");
    tokens[1] = (px_vocab_token){.text = {.data = text, .len = PX_MAX_ADDED_BYTES + 1},
                                 .type = PX_TOKEN_CONTROL};
    refused_def(def, PITH_E_LIMIT, "added token 1 has 1025 bytes");
    free(text);
    tokens[1] = (px_vocab_token)T("b", 1);
    def.kind = PX_VOCAB_WPM;
    refused_def(def, PITH_E_FORMAT, "a WordPiece vocabulary needs an unknown token");
    def.kind = PX_VOCAB_BPE;
    const px_cut_step cut = {.op = PX_CUT_REGEX, .pattern = {.data = "(", .len = 1}};
    def.cuts = &cut;
    def.n_cuts = 1;
    refused_def(def, PITH_E_FORMAT, "a group without end");
    const px_norm_step norm = {.op = PX_NORM_CHARSMAP, .a = {.data = "abc", .len = 3}};
    def.norms = &norm;
    def.n_norms = 1;
    refused_def(def, PITH_E_FORMAT, "a precompiled map of 3 bytes");
    /* A text that is too long, and a model without tokenizer. */
    px_vocab_def none = px_vocab_def_none();
    px_tokenizer *tok = make(&none);
    px_ids ids = {0};
    pith_error err = {0};
    assert_int_equal(px_tokenize(tok, "a", 1, 0, &ids, &err), PITH_E_UNSUPPORTED);
    assert_string_equal(err.text, "this model has no tokenizer");
    assert_int_equal(px_tokenize(tok, "a", (size_t)PX_MAX_TEXT_BYTES + 1, 0, &ids, &err),
                     PITH_E_LIMIT);
    px_tokenizer_free(tok);
}

/* An empty vocabulary and one of empty texts are harmless. */
static void empty(void **state)
{
    (void)state;
    static const px_vocab_token blank[] = {T("", 5), T("", 5), T("x", 1), T("", 3)};
    static const px_vocab_kind kinds[] = {PX_VOCAB_SPM, PX_VOCAB_UGM, PX_VOCAB_BPE, PX_VOCAB_WPM};
    for (size_t i = 0; i < 4; i++)
        for (int32_t n = 0; n <= 4; n += 4) {
            px_vocab_def def = px_vocab_def_none();
            def.kind = kinds[i];
            def.tokens = n ? blank : NULL;
            def.n_tokens = n;
            def.unk = n ? 0 : -1;
            px_tokenizer *tok = NULL;
            pith_error err = {0};
            pith_status st = px_tokenizer_new(&def, &tok, &err);
            if (kinds[i] == PX_VOCAB_WPM && n == 0) {
                assert_int_equal(st, PITH_E_FORMAT);
                continue;
            }
            assert_int_equal(st, PITH_OK);
            px_ids ids = {0};
            st = px_tokenize(tok, "x y", 3, PX_TOK_SPECIAL, &ids, &err);
            assert_int_equal(st, n ? PITH_OK : PITH_E_UNSUPPORTED);
            px_ids_clear(&ids);
            px_tokenizer_free(tok);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores), cmocka_unit_test(prefixes), cmocka_unit_test(ranks),
        cmocka_unit_test(added),  cmocka_unit_test(ends),     cmocka_unit_test(token_bytes),
        cmocka_unit_test(stream), cmocka_unit_test(refuses),  cmocka_unit_test(empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

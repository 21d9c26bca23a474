/*
 * fuzz_tokenize: any text over small vocabularies of each kind, and any small pattern as a cut.
 *
 * byte 0: kind and options (below); byte 1: bytes of the pattern; the pattern; the text.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "text/inside.h"
#include "text/tokenizer.h"

#include <string.h>

#define T(text_, type_, score_)                                                                 \
    {                                                                                           \
        .text = {.data = (text_), .len = sizeof(text_) - 1}, .type = (type_), .score = (score_) \
    }
#define SP "\xe2\x96\x81"

static const px_vocab_token pieces[] = {
    T("<unk>", PX_TOKEN_UNKNOWN, 0),
    T("<s>", PX_TOKEN_CONTROL, 0),
    T("a", 1, -3),
    T("b", 1, -3),
    T("aa", 1, -1),
    T("ab", 1, -2),
    T("aab", 1, -1.5f),
    T(SP, 1, -4),
    T(SP "a", 1, -2.5f),
    T(SP SP, 1, -3.5f),
    T("\xc3\xa9", 1, -5),
    T("<a>", 4, 0),
    T("<0x0A>", PX_TOKEN_BYTE, 0),
    T("<0xC3>", PX_TOKEN_BYTE, 0),
    T(SP "b", 1, -2),
};
static const px_merge piece_merges[] = {{2, 2, 4}, {2, 3, 5}, {4, 3, 6}, {7, 2, 8}, {7, 7, 9}};

enum { N_PIECES = sizeof pieces / sizeof *pieces };

/* Byte-level: all bytes, a few merges, an added token. */
typedef struct bytes_vocab {
    px_vocab_token tokens[260];
    char text[256][4];
    px_merge merges[3];
} bytes_vocab;

static void fill_bytes(bytes_vocab *v)
{
    for (int i = 0; i < 256; i++) {
        int n = px_utf8_put(px_byte_char((uint8_t)i), v->text[i]);
        v->tokens[i] = (px_vocab_token){.text = {.data = v->text[i], .len = (size_t)n}, .type = 1};
    }
    v->tokens[256] = (px_vocab_token)T("aa", 1, 0);
    v->tokens[257] = (px_vocab_token)T("aaa", 1, 0);
    v->tokens[258] = (px_vocab_token)T("ab", 1, 0);
    v->tokens[259] = (px_vocab_token)T("<a>", PX_TOKEN_USER_DEFINED, 0);
    v->merges[0] = (px_merge){'a', 'b', 258};
    v->merges[1] = (px_merge){'a', 'a', 256};
    v->merges[2] = (px_merge){256, 'a', 257};
}

static void check(const px_tokenizer *tok, const char *text, size_t n, bool exact)
{
    pith_error err = {0};
    px_ids ids = {.want_ends = true};
    px_buf bytes = {0}, out = {0};
    px_detok d = {0};
    pith_status st = px_tokenize(tok, text, n, PX_TOK_SPECIAL, &ids, &err);
    FUZZ_CHECK(st == PITH_OK || st == PITH_E_LIMIT || st == PITH_E_UNSUPPORTED);
    FUZZ_CHECK(st == PITH_OK || ids.n == 0);
    for (int64_t i = 0; i < ids.n; i++) {
        FUZZ_CHECK(ids.ends[i] <= n && (i == 0 || ids.ends[i] >= ids.ends[i - 1]));
        px_str b = px_token_bytes(tok, ids.ids[i], true);
        FUZZ_CHECK(b.data != NULL);
        px_buf_put(&bytes, b.data, b.len);
        FUZZ_CHECK(px_detok_push(tok, &d, ids.ids[i], &out, &err) == PITH_OK);
    }
    FUZZ_CHECK(px_detok_flush(&d, &out, &err) == PITH_OK);
    FUZZ_CHECK(px_utf8_valid(out.data ? out.data : "", out.len));
    if (exact && st == PITH_OK)
        FUZZ_CHECK(bytes.len == n && (n == 0 || memcmp(bytes.data, text, n) == 0));
    px_buf_clear(&bytes);
    px_buf_clear(&out);
    px_ids_clear(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const px_vocab_kind kinds[] = {PX_VOCAB_SPM, PX_VOCAB_UGM, PX_VOCAB_BPE, PX_VOCAB_WPM};
    static bytes_vocab bytes;
    if (size < 2)
        return 0;
    uint8_t how = data[0];
    size_t n_pattern = data[1] < size - 2 ? data[1] : size - 2;
    px_cut_step cut = {.op = PX_CUT_REGEX,
                       .behavior = (px_cut_behavior)(how >> 2 & 3), // all but CONTIGUOUS
                       .invert = how >> 4 & 1,
                       .pattern = {.data = (const char *)data + 2, .len = n_pattern}};
    px_norm_step norm = {.op = (px_norm_op)(how >> 6), .a = {.data = "x", .len = 1}};
    px_vocab_def def = px_vocab_def_none();
    def.kind = kinds[how & 3];
    def.tokens = pieces;
    def.n_tokens = N_PIECES;
    def.unk = 0;
    def.byte_fallback = true;
    if (def.kind == PX_VOCAB_BPE) {
        fill_bytes(&bytes);
        def.tokens = bytes.tokens;
        def.n_tokens = 260;
        def.merges = bytes.merges;
        def.n_merges = 3;
        def.unk = -1;
    }
    if (def.kind == PX_VOCAB_SPM && (how & 4)) {
        def.merges = piece_merges;
        def.n_merges = 5;
    }
    if (n_pattern > 0) {
        def.cuts = &cut;
        def.n_cuts = 1;
    }
    if (how & 32) {
        def.norms = &norm;
        def.n_norms = 1;
        def.space_prefix = PX_PREFIX_ALWAYS;
    }
    pith_error err = {0};
    px_tokenizer *tok;
    pith_status st = px_tokenizer_new(&def, &tok, &err);
    FUZZ_CHECK(st == PITH_OK || st == PITH_E_FORMAT || st == PITH_E_UNSUPPORTED ||
               st == PITH_E_LIMIT);
    if (st == PITH_OK)
        check(tok, (const char *)data + 2 + n_pattern, size - 2 - n_pattern,
              def.kind == PX_VOCAB_BPE && !(how & 32) && cut.behavior != PX_CUT_REMOVED);
    px_tokenizer_free(tok);
    return 0;
}

/*
 * grammar_mask: the tokens that a mask allows are those whose bytes, one after the other, the
 * grammar takes; for vocabularies with byte tokens, parts of characters and special tokens, at
 * places that random texts lead to. The other way to tell is px_gset_step, which knows no masks.
 */
#include "grammar_check.h"
#include "vocab_files.h"

static const struct {
    px_grammar_kind kind;
    const char *text;
} GRAMMARS[] = {
    {PX_GRAMMAR_JSON, ""},
    {PX_GRAMMAR_GBNF, "root ::= [a-z ]+ \".\""},
    {PX_GRAMMAR_GBNF, "root ::= .*"},
    {PX_GRAMMAR_GBNF, "root ::= [^a-e]{3,20} \"e\" [\\u0100-\\U0001ffff]* \"!\""},
    {PX_GRAMMAR_GBNF, "root ::= until(\"the\", \" a\") (\"the\" | \" a\") root | \"\""},
    {PX_GRAMMAR_GBNF, "root ::= \"(\" root \")\" root | [a-z]{1,2}"},
    {PX_GRAMMAR_GBNF, "root ::= \"a\" root \"b\" | \" \" root \"c\" | \"e\" root \"e\" | \"\""},
    {PX_GRAMMAR_GBNF, "root ::= s \".\"\ns ::= w | s \" \" s\nw ::= [a-z]{1,6}"},
    {PX_GRAMMAR_GBNF, "root ::= x{15,40} [0-9]{14,}\nx ::= [a-z] | \" \" [A-Z]"},
    {PX_GRAMMAR_GBNF,
     "root ::= (@\"<s>\" [a-z]+ @\"</s>\" | @\"[INST]\" .{1,5} | until(@\"[/INST]\") "
     "\"\\n\"){2,5}"},
    {PX_GRAMMAR_REGEX, "(\\w+ ){2,4}\\d{3}|[^a-z]{0,30}x"},
    {PX_GRAMMAR_CHOICE,
     "[\"the\",\"there\",\"them\",\"a\",\"an apple\",\"\xc3\xa4\xe2\x82\xac\",\"\"]"},
    {PX_GRAMMAR_SCHEMA, "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\","
                        "\"maxLength\":20},\"n\":{\"type\":"
                        "\"integer\",\"minimum\":-5,\"maximum\":130},\"list\":{\"type\":\"array\","
                        "\"items\":{\"enum\":[\"red\","
                        "\"green\",null,1.5]}},\"more\":{\"$ref\":\"#\"}},\"required\":[\"name\"],"
                        "\"additionalProperties\":{"
                        "\"type\":\"number\"}}"},
    {PX_GRAMMAR_SCHEMA, "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\","
                        "\"pattern\":\"^[a-c]+ the\"},{\"type\":"
                        "\"string\",\"minLength\":25,\"maxLength\":60},{\"type\":\"string\","
                        "\"format\":\"date-time\"}]}}"},
};

/* Where a token leads by its bytes or symbol alone: whether it is taken. */
static bool takes(px_gmatch *m, const px_gvocab *v, int32_t id)
{
    const px_gnet *net = px_grammar_net(m->grammar);
    px_gitems at = {0};
    pith_error err = {0};
    bool taken = false;
    m->set.work = 0;
    if (px_token_ends(v->tok, id) && m->items.whole)
        return true;
    for (uint32_t i = 0; i < net->n_symbols; i++)
        if (net->symbols[i] == id) {
            assert_int_equal(px_gset_step(&m->set, &m->items, 256 + i, &at, &err), PITH_OK);
            taken = at.n > 0 || at.whole;
            px_gitems_clear(&at);
            return taken;
        }
    uint8_t type = px_tokenizer_def(v->tok)->tokens[id].type;
    px_str bytes = px_token_bytes(v->tok, id, false);
    if (bytes.len == 0 || type == PX_TOKEN_CONTROL || type == PX_TOKEN_UNKNOWN ||
        type == PX_TOKEN_UNUSED || px_token_ends(v->tok, id))
        return false;
    assert_true(px_gitems_copy(&at, &m->items));
    taken = true;
    for (size_t i = 0; i < bytes.len && taken; i++) {
        assert_int_equal(px_gset_step(&m->set, &at, (uint8_t)bytes.data[i], &at, &err), PITH_OK);
        taken = at.n > 0 || at.whole;
    }
    px_gitems_clear(&at);
    return taken;
}

static void compare(px_gmatch *m, const px_gvocab *v, const uint64_t *bits, int32_t step,
                    test_random *r, const char *grammar)
{
    for (int32_t k = 0; k < (v->n_vocab < 4000 ? v->n_vocab : 4000); k++) {
        int32_t id = v->n_vocab < 4000 ? k : (int32_t)test_random_below(r, (uint64_t)v->n_vocab);
        bool allowed = bits[id / 64] >> (id % 64) & 1, taken = takes(m, v, id);
        if (allowed != taken) {
            px_str bytes = px_token_bytes(v->tok, id, true);
            fail_msg("%s: token %d '%.*s' at step %d: the mask says %d, its bytes %d", grammar, id,
                     (int)bytes.len, bytes.data, step, allowed, taken);
        }
    }
}

/* A random one of the tokens in bits; now and then one that is not too likely to be a long one. */
static int32_t draw(const px_gvocab *v, const uint64_t *bits, test_random *r)
{
    uint64_t n = 0;
    for (uint32_t w = 0; w < v->n_words; w++)
        n += (uint64_t)__builtin_popcountll(bits[w]);
    if (n == 0)
        return -1;
    uint64_t pick = test_random_below(r, n);
    for (uint32_t w = 0; w < v->n_words; w++)
        for (uint64_t x = bits[w]; x != 0; x &= x - 1)
            if (pick-- == 0)
                return (int32_t)(64 * w + (uint32_t)__builtin_ctzll(x));
    return -1;
}

static void walk(const px_gvocab *v, px_grammar_kind kind, const char *text, test_random *r,
                 int n_walks, int n_steps)
{
    px_grammar *g;
    pith_error err = {0};
    if (px_grammar_new(v, kind, "test", px_str_of(text), &g, &err) != PITH_OK)
        fail_msg("%s: %s", text, err.text);
    for (int w = 0; w < n_walks; w++) {
        px_gmatch m;
        assert_int_equal(px_gmatch_init(&m, g, false, &err), PITH_OK);
        for (int i = 0; i < n_steps && !px_gmatch_over(&m); i++) {
            const uint64_t *bits;
            bool taken;
            if (px_gmatch_mask(&m, &bits, &err) != PITH_OK)
                fail_msg("%s: %s", text, err.text);
            compare(&m, v, bits, i, r, text);
            int32_t id = draw(v, bits, r);
            if (id < 0)
                fail_msg("%s: no token can follow at step %d, and the text is not whole", text, i);
            assert_int_equal(px_gmatch_token(&m, id, &taken, &err), PITH_OK);
            assert_true(taken);
        }
        px_gmatch_clear(&m);
    }
    px_grammar_free(g);
}

static void walk_all(px_tokenizer *tok, test_random *r, int n_walks, int n_steps)
{
    px_gvocab *v;
    pith_error err = {0};
    assert_int_equal(px_gvocab_new(tok, &v, &err), PITH_OK);
    for (size_t i = 0; i < sizeof GRAMMARS / sizeof GRAMMARS[0]; i++)
        walk(v, GRAMMARS[i].kind, GRAMMARS[i].text, r, n_walks, n_steps);
    px_gvocab_free(v);
    px_tokenizer_free(tok);
}

static void small_vocabularies(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"llama", "mistral", "smollm", "spm_bpe"};
    test_random r = test_random_start(20261123);
    for (int i = 0; i < 4; i++)
        walk_all(
            vocab_folder(test_source(test_format("tests/golden/tokenizers/mini/%s", NAMES[i]))), &r,
            4, 30);
}

static void real_vocabularies(void **state)
{
    (void)state;
    test_random r = test_random_start(7);
    walk_all(vocab_gguf("tokenizers/vocab_gguf/ggml-vocab-llama-spm.gguf"), &r, 2, 12);
    walk_all(vocab_folder(vocab_unpack("qwen2_5")), &r, 1, 8);
}

static bool has_bit(const uint64_t *bits, int32_t id)
{
    return bits[id / 64] >> (id % 64) & 1;
}

/* What follows from where, by hand. */
static void ends_and_specials(void **state)
{
    (void)state;
    px_tokenizer *tok = vocab_folder(test_source("tests/golden/tokenizers/mini/mistral"));
    int32_t inst = px_tokenizer_find(tok, px_str_of("[INST]"));
    int32_t eos = px_tokenizer_def(tok)->eos;
    px_gvocab *v;
    px_grammar *g;
    px_gmatch m;
    pith_error err = {0};
    const uint64_t *bits;
    bool taken;
    assert_true(inst >= 0 && eos >= 0);
    assert_int_equal(px_gvocab_new(tok, &v, &err), PITH_OK);
    px_str text = px_str_of("root ::= @\"[INST]\" (\"a\" [a-z]*)?");
    assert_int_equal(px_grammar_new(v, PX_GRAMMAR_GBNF, "test", text, &g, &err), PITH_OK);
    assert_int_equal(px_gmatch_init(&m, g, false, &err), PITH_OK);
    assert_int_equal(px_gmatch_mask(&m, &bits, &err), PITH_OK);
    for (int32_t id = 0; id < v->n_vocab; id++)
        assert_int_equal(has_bit(bits, id), id == inst);
    assert_int_equal(px_gmatch_token(&m, eos, &taken, &err), PITH_OK);
    assert_false(taken);
    assert_int_equal(px_gmatch_token(&m, inst, &taken, &err), PITH_OK);
    assert_true(taken && px_gmatch_whole(&m) && !px_gmatch_over(&m));
    assert_int_equal(px_gmatch_mask(&m, &bits, &err), PITH_OK);
    assert_true(has_bit(bits, eos));
    assert_false(has_bit(bits, inst));
    assert_int_equal(px_gmatch_token(&m, eos, &taken, &err), PITH_OK);
    assert_true(taken && px_gmatch_over(&m));
    px_gmatch_clear(&m);
    px_grammar_free(g);
    /* A token with a name of its own is not text where a grammar names it. */
    text = px_str_of("root ::= until(@\"[INST]\")");
    assert_int_equal(px_grammar_new(v, PX_GRAMMAR_GBNF, "test", text, &g, &err), PITH_OK);
    assert_int_equal(px_gmatch_init(&m, g, false, &err), PITH_OK);
    assert_int_equal(px_gmatch_mask(&m, &bits, &err), PITH_OK);
    assert_false(has_bit(bits, inst));
    assert_true(has_bit(bits, eos));
    px_gmatch_clear(&m);
    px_grammar_free(g);
    px_gvocab_free(v);
    px_tokenizer_free(tok);
}

/* Stacks that grow by thousands of nodes are compacted, and the place stays the same. */
static void long_texts(void **state)
{
    (void)state;
    px_grammar *g = make_grammar(PX_GRAMMAR_JSON, "");
    px_gmatch m;
    pith_error err = {0};
    size_t n;
    assert_int_equal(px_gmatch_init(&m, g, true, &err), PITH_OK);
    assert_int_equal(px_gmatch_bytes(&m, px_str_of("{\"a\":["), &n, &err), PITH_OK);
    for (int i = 0; i < 30000; i++) {
        px_str item = px_str_of("[{\"b\":[1,[2]]},[]],");
        assert_int_equal(px_gmatch_bytes(&m, item, &n, &err), PITH_OK);
        assert_int_equal(n, item.len);
        assert_true(m.set.n_nodes < 40000);
    }
    assert_int_equal(px_gmatch_bytes(&m, px_str_of("1]}"), &n, &err), PITH_OK);
    assert_int_equal(n, 3);
    assert_true(px_gmatch_whole(&m) && px_gmatch_over(&m));
    px_gmatch_clear(&m);
    px_grammar_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_vocabularies),
        cmocka_unit_test(real_vocabularies),
        cmocka_unit_test(ends_and_specials),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

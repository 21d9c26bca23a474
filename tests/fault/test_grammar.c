/* grammar: reading grammars of each kind, following texts and finding masks, with each allocation
 * failing in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "text/grammar.h"

#include <string.h>

#include <cmocka.h>

typedef struct work {
    px_grammar_kind kind;
    const char *grammar, *text;
    const px_tokenizer *tok;
} work;

static pith_status follow(const px_grammar *g, const char *text, pith_error *err)
{
    px_gmatch m;
    size_t n = 0;
    pith_status st = px_gmatch_init(&m, g, true, err);
    if (st != PITH_OK)
        return st;
    st = px_gmatch_bytes(&m, px_str_of(text), &n, err);
    if (st == PITH_OK) {
        assert_int_equal(n, strlen(text));
        assert_true(px_gmatch_whole(&m));
    }
    px_gmatch_clear(&m);
    return st;
}

/* Some tokens, each the first that the mask allows behind a third of them. */
static pith_status write(const px_grammar *g, const px_gvocab *v, pith_error *err)
{
    px_gmatch m;
    pith_status st = px_gmatch_init(&m, g, false, err);
    if (st != PITH_OK)
        return st;
    for (int i = 0; i < 6 && st == PITH_OK && !px_gmatch_over(&m); i++) {
        const uint64_t *bits;
        bool taken = true;
        st = px_gmatch_mask(&m, &bits, err);
        int32_t id = v->n_vocab / 3;
        while (st == PITH_OK && !(bits[id / 64] >> (id % 64) & 1))
            id = (id + 1) % v->n_vocab;
        if (st == PITH_OK)
            st = px_gmatch_token(&m, id, &taken, err);
        assert_true(taken || st != PITH_OK);
    }
    px_gmatch_clear(&m);
    return st;
}

static pith_status use(void *ctx, pith_error *err)
{
    const work *w = ctx;
    px_gvocab *v = NULL;
    px_grammar *g = NULL;
    pith_status st = px_gvocab_new(w->tok, &v, err);
    if (st == PITH_OK)
        st = px_grammar_new(v, w->kind, "fault", px_str_of(w->grammar), &g, err);
    if (st == PITH_OK)
        st = follow(g, w->text, err);
    if (st == PITH_OK)
        st = write(g, v, err);
    px_grammar_free(g);
    px_gvocab_free(v);
    assert_int_equal(st, err->status);
    return st;
}

static px_tokenizer *load(void)
{
    px_arena arena;
    px_vocab_def def;
    px_tokenizer *tok = NULL;
    pith_error err = {0};
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    const char *folder = test_source("tests/golden/tokenizers/mini/llama");
    assert_int_equal(px_vocab_load_folder(folder, &arena, &def, &err), PITH_OK);
    assert_int_equal(px_tokenizer_new(&def, &tok, &err), PITH_OK);
    px_arena_clear(&arena);
    return tok;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    static const work WORKS[] = {
        {PX_GRAMMAR_GBNF,
         "root ::= root \"+\" t | t # sums\nt ::= [a-z\xc3\xa4]{1,20} | \"(\" root \")\" | "
         "until(\"x\", \"yz\") \"x\" | @\"<s>\" | "
         "json_schema({\"type\":\"object\",\"properties\":{\"a\":{}}})",
         "ab+(cd+{\"a\":[1]})", NULL},
        {PX_GRAMMAR_SCHEMA,
         "{\"type\":\"object\",\"$defs\":{\"s~x\":{\"type\":\"string\",\"pattern\":\"^a+\","
         "\"maxLength\":9}},\"properties\":{\"s\":{\"$ref\":\"#/$defs/"
         "s~0x\"},\"n\":{\"type\":\"number\",\"minimum\":0.5,\"maximum\":12},\"m\":{\"type\":"
         "\"integer\",\"multipleOf\":3},\"o\":{\"oneOf\":[{\"const\":\"a\\n\"},{\"type\":\"array\","
         "\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"enum\":[1,\"b\"]}}]}},\"required\":"
         "[\"s\"],\"patternProperties\":{\"^x\":{\"type\":\"boolean\"}},\"minProperties\":2}",
         "{\"s\": \"aab\", \"n\": 0.75, \"m\": 12, \"o\": [null,1], \"xy\": true}", NULL},
        {PX_GRAMMAR_JSON, "", "{\"a\": [1, {\"b\": null}]}", NULL},
        {PX_GRAMMAR_REGEX, "(?:[^\\d\\s]|\\u00e4){2,30}\\.(com|org)$", "ab.com", NULL},
        {PX_GRAMMAR_CHOICE, "[\"yes\",\"no\",\"\\u00e4\"]", "no", NULL},
    };
    px_tokenizer *tok = load();
    for (size_t i = 0; i < sizeof WORKS / sizeof WORKS[0]; i++) {
        work w = WORKS[i];
        w.tok = tok;
        assert_true(test_fault_each(use, &w, 400) > 30);
    }
    px_tokenizer_free(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * grammar: answers held to grammars through the door: they are of the grammar, end by themselves,
 * are the same with guesses and alone or among others; what is refused.
 */
#include "stories.h"

/* Without cached prefixes: a context that is read in other pieces has other last bits. */
static pith_engine *engine_of(int64_t n_ctx)
{
    pith_engine_options o = engine_options(n_ctx);
    o.no_prefix_cache = true;
    return engine_with(o);
}

static pith_grammar *grammar_of(pith_grammar_kind kind, const char *text)
{
    pith_grammar *g;
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    need_model();
    o.kind = kind;
    o.text = text;
    o.len = text ? strlen(text) : 0;
    assert_ok(pith_grammar_new(pith_model_tokenizer(model), &o, &g, &err));
    return g;
}

/* An answer of at most n tokens to the prompt. */
static pith_result answer(pith_engine *e, const pith_grammar *g, uint64_t seed, int64_t n,
                          pith_speculation guess, said *out)
{
    ids prompt = ids_of(PROMPT);
    pith_sampling how = sampling(1.3f, seed);
    pith_request r = PITH_INIT(pith_request);
    pith_result result = PITH_INIT(pith_result);
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    *out = (said){.n = 0};
    r.tokens = prompt.id;
    r.n_tokens = prompt.n;
    r.max_tokens = n;
    r.sampling = &how;
    r.grammar = g;
    r.speculation = guess;
    r.on_event = hear;
    r.user = out;
    assert_ok(pith_generate(s, &r, &result, &err));
    pith_session_free(s);
    return result;
}

static bool is_whole(const pith_grammar *g, const char *text, size_t len, size_t *n)
{
    bool whole;
    assert_ok(pith_grammar_match(g, text, len, &whole, n, &err));
    return whole;
}

static void answers_are_of_the_grammar(void **state)
{
    (void)state;
    static const struct {
        pith_grammar_kind kind;
        const char *text;
    } LIST[] = {
        {PITH_GRAMMAR_GBNF, "root ::= [A-Z] [a-z ]{5,30} (\".\" | \"!\")"},
        {PITH_GRAMMAR_GBNF, "root ::= until(\"the\") \"the end\""},
        {PITH_GRAMMAR_JSON, NULL},
        {PITH_GRAMMAR_JSON_SCHEMA,
         "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\","
         "\"maxLength\":12},\"n\":{\"type\":\"integer\",\"minimum\":3,"
         "\"maximum\":77}},\"required\":[\"name\",\"n\"]}"},
        {PITH_GRAMMAR_REGEX, "[a-f]{3}-\\d+x"},
        {PITH_GRAMMAR_CHOICE, "[\"one\",\"two\",\"once\"]"},
    };
    need_model();
    pith_engine *e = engine_of(512);
    int ended = 0;
    for (size_t i = 0; i < sizeof LIST / sizeof LIST[0]; i++) {
        pith_grammar *g = grammar_of(LIST[i].kind, LIST[i].text);
        for (uint64_t seed = 1; seed <= 6; seed++) {
            said out;
            size_t n;
            pith_result result = answer(e, g, seed, 100, PITH_SPECULATE_OFF, &out);
            bool whole = is_whole(g, out.text, out.len, &n);
            if (result.finish == PITH_FINISH_END) {
                assert_true(whole);
                ended++;
            } else {
                assert_int_equal(result.finish, PITH_FINISH_LENGTH);
                /* What is held back of an unfinished character came out as U+FFFD. */
                assert_true(n == out.len || (out.len - n <= 9 && out.text[n] == '\xef'));
            }
        }
        pith_grammar_free(g);
    }
    assert_true(ended >= 20);
    pith_engine_free(e);
}

static void an_answer_ends_where_nothing_can_follow(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_of(256);
    pith_grammar *g = grammar_of(PITH_GRAMMAR_CHOICE, "[\"yes\"]");
    said out;
    pith_result result = answer(e, g, 1, 50, PITH_SPECULATE_OFF, &out);
    assert_int_equal(result.finish, PITH_FINISH_END);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.text, "yes", 3);
    assert_false(pith_token_is_end(pith_model_tokenizer(model), out.tokens[out.n - 1]));
    pith_grammar_free(g);
    /* Where more could follow, the model says when it ends. */
    g = grammar_of(PITH_GRAMMAR_GBNF, "root ::= \"a\" | \"a\" \"b\"{40}");
    result = answer(e, g, 3, 50, PITH_SPECULATE_OFF, &out);
    assert_int_equal(result.finish, PITH_FINISH_END);
    bool end = pith_token_is_end(pith_model_tokenizer(model), out.tokens[out.n - 1]);
    assert_true(end ? out.len == 1 : out.len == 41);
    pith_grammar_free(g);
    pith_engine_free(e);
}

static void guesses_change_nothing(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_of(512);
    assert_ok(pith_engine_set_draft(e, model, &err));
    pith_grammar *g =
        grammar_of(PITH_GRAMMAR_JSON_SCHEMA,
                   "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{"
                   "\"type\":\"string\","
                   "\"maxLength\":9}},\"required\":[\"name\"]},\"minItems\":4,\"maxItems\":6}");
    int64_t accepted = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        said plain, guessed;
        pith_result a = answer(e, g, seed, 150, PITH_SPECULATE_OFF, &plain);
        for (int way = PITH_SPECULATE_NGRAM; way <= PITH_SPECULATE_DRAFT; way++) {
            pith_result b = answer(e, g, seed, 150, (pith_speculation)way, &guessed);
            assert_int_equal(a.finish, b.finish);
            assert_int_equal(plain.n, guessed.n);
            assert_memory_equal(plain.tokens, guessed.tokens,
                                (size_t)plain.n * sizeof *plain.tokens);
            accepted += b.n_accepted;
        }
    }
    assert_true(accepted > 0);
    pith_grammar_free(g);
    pith_engine_free(e);
}

/* Several answers in one batch, of one grammar and of others, are those that each has alone. */
static void many_at_once(void **state)
{
    (void)state;
    enum { N = 4 };
    need_model();
    pith_engine *e = engine_of(256);
    pith_grammar *two[2] = {grammar_of(PITH_GRAMMAR_JSON, NULL),
                            grammar_of(PITH_GRAMMAR_GBNF, "root ::= [a-z ]{10,40} \".\"")};
    ids prompt = ids_of(PROMPT);
    static said alone[N], heard[N];
    pith_session *sessions[N];
    pith_answer *answers[N];
    for (int i = 0; i < N; i++)
        answer(e, two[i % 2], 10 + (uint64_t)i, 60, PITH_SPECULATE_OFF, &alone[i]);
    for (int i = 0; i < N; i++) {
        pith_sampling how = sampling(1.3f, 10 + (uint64_t)i);
        pith_request r = PITH_INIT(pith_request);
        heard[i] = (said){.n = 0};
        r.tokens = prompt.id;
        r.n_tokens = prompt.n;
        r.max_tokens = 60;
        r.sampling = &how;
        r.grammar = two[i % 2];
        r.on_event = hear;
        r.user = &heard[i];
        sessions[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        assert_ok(pith_session_submit(sessions[i], &r, &answers[i], &err));
    }
    for (int32_t left = 1; left > 0;)
        assert_ok(pith_engine_run(e, &left, &err));
    for (int i = 0; i < N; i++) {
        size_t n;
        assert_ok(pith_answer_get_result(answers[i], NULL, &err));
        is_whole(two[i % 2], heard[i].text, heard[i].len, &n);
        assert_true(n == heard[i].len || heard[i].text[n] == '\xef');
        assert_int_equal(heard[i].n, alone[i].n);
        pith_answer_free(answers[i]);
        pith_session_free(sessions[i]);
    }
    pith_grammar_free(two[0]);
    pith_grammar_free(two[1]);
    pith_engine_free(e);
}

static void matching_needs_no_model(void **state)
{
    (void)state;
    pith_grammar *g;
    bool whole;
    size_t n;
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    o.kind = PITH_GRAMMAR_REGEX;
    o.text = "a+b";
    o.len = 3;
    assert_ok(pith_grammar_new(NULL, &o, &g, &err));
    assert_ok(pith_grammar_match(g, "aab", 3, &whole, NULL, &err));
    assert_true(whole);
    assert_ok(pith_grammar_match(g, "aac", 3, &whole, &n, &err));
    assert_true(!whole && n == 2);
    assert_ok(pith_grammar_match(g, NULL, 0, &whole, &n, &err));
    assert_true(!whole && n == 0);
    assert_refused(pith_grammar_match(NULL, "a", 1, &whole, &n, &err), PITH_E_ARGUMENT, "NULL");
    pith_grammar_free(g);
    pith_grammar_free(NULL);
}

static void refusals(void **state)
{
    (void)state;
    need_model();
    pith_grammar *g;
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    const pith_tokenizer *tok = pith_model_tokenizer(model);
    assert_refused(pith_grammar_new(tok, NULL, &g, &err), PITH_E_ARGUMENT, "NULL");
    assert_refused(pith_grammar_new(tok, &o, &g, &err), PITH_E_ARGUMENT, "text is NULL");
    assert_null(g);
    o.kind = (pith_grammar_kind)9;
    assert_refused(pith_grammar_new(tok, &o, &g, &err), PITH_E_ARGUMENT, "kind is 9");
    o.kind = PITH_GRAMMAR_JSON_SCHEMA;
    o.name = "response_format";
    o.text = "{\"contains\":{}}";
    o.len = strlen(o.text);
    assert_refused(pith_grammar_new(tok, &o, &g, &err), PITH_E_UNSUPPORTED,
                   "response_format: #/contains");
    o.kind = PITH_GRAMMAR_GBNF;
    o.text = "root ::= \"a\"";
    o.len = strlen(o.text);
    assert_ok(pith_grammar_new(NULL, &o, &g, &err));

    pith_engine *e = engine_of(64);
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids prompt = ids_of(PROMPT);
    pith_request r = PITH_INIT(pith_request);
    r.tokens = prompt.id;
    r.n_tokens = prompt.n;
    r.max_tokens = 5;
    r.grammar = g;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "tokenizer");
    pith_grammar_free(g);
    g = grammar_of(PITH_GRAMMAR_GBNF, "root ::= \"a\"");
    r.grammar = g;
    r.ignore_end = true;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "ignore_end");
    r.ignore_end = false;
    assert_ok(pith_generate(s, &r, NULL, &err));
    pith_session_free(s);
    pith_grammar_free(g);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_of_the_grammar),
        cmocka_unit_test(an_answer_ends_where_nothing_can_follow),
        cmocka_unit_test(guesses_change_nothing),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(matching_needs_no_model),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
